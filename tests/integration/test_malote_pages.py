"""What the pages tell people to type, and what they tell them to look for."""
import base64
import hmac
import os
import re
import shutil
import subprocess

import pytest

import malote
import pop3
from hostile import letters
from served import TEXTS
from server import TOP

LANGUAGES = ["", ".pt-BR"]


def page(name, language):
    with open(os.path.join(TOP, "doc", name + language + ".md"),
              encoding="utf-8") as f:
        return f.read()


def block(text, kind):
    return re.search(r"(?ms)^```%s\n(.*?)^```$" % kind, text).group(1)


def home(client, name, server):
    """One with the places that malote takes by itself."""
    m = client(name)
    bin_folder = m.home + "/bin"
    os.mkdir(bin_folder)
    os.symlink(malote.BINARY, bin_folder + "/malote")
    m.env["PATH"] = bin_folder + ":" + m.env["PATH"]
    m.conf = m.home + "/.config/malote/malote.conf"
    m.state = m.home + "/.local/state/malote"
    os.makedirs(os.path.dirname(m.conf))
    m.account(at=server, deliver="maildir:~/Mail/malote")
    return m


def do(m, text):
    done = subprocess.run(["sh", "-e", "-c", text], cwd=m.home, env=m.env,
                          text=True, capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 0, (text, done.stdout, done.stderr)
    return done.stdout + done.stderr


@malote.NEEDED
@pytest.mark.parametrize("language", LANGUAGES)
def test_moving(client, lie, language):
    server = lie(letters(5))
    text = page("moving", language)
    old, new = home(client, "old", server), client("a new one")
    old.write()
    before = do(old, block(text, "sh"))
    assert "5 messages collected" in before
    do(old, block(text, "old"))
    del server.box.mails[:2]
    server.box.mails += letters(1, 9, "new%d")
    server.forget()
    new.env["PATH"] = old.env["PATH"]
    os.rename(old.home + "/moving.tar", new.home + "/moving.tar")
    after = do(new, block(text, "new"))
    assert re.search("here: 5 messages.*", before).group() in after
    assert "1 message collected" in after
    assert len(server.numbers("RETR")) == 1
    assert len(new.files("Mail/malote")) == 6
    assert os.stat(new.home + "/.config/malote/malote.conf"
                   ).st_mode & 0o777 == 0o600


@malote.NEEDED
@pytest.mark.parametrize("language", LANGUAGES)
def test_moving_the_mail_alone(client, lie, language):
    server = lie(letters(5))
    old, new = home(client, "old", server), home(client, "new", server)
    old.write()
    do(old, "malote")
    new.write()
    os.rename(old.home + "/Mail", new.home + "/Mail")
    server.forget()
    assert "there is no record" in do(new, block(page("moving", language),
                                                 "again"))
    assert server.numbers("RETR") == []


# How mail programs are set up, and Gmail.

def sections(text):
    """{its title: what stands below}"""
    parts = re.split(r"(?m)^## (.*)$", text)
    return dict(zip(parts[1::2], parts[2::2]))


def values(text, step):
    """What is to be typed at a step of a section."""
    part = re.search(r"(?ms)^%d\. .*?(?=^\d\. |\Z)" % step, text).group()
    return re.findall(r"(?m)^   - \*\*[^*]+\*\*: (.*)$", part)


@malote.NEEDED
@pytest.mark.ours
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_mail_programs_are_told(served, portuguese, language):
    """The page names what malote serve prints, and one gets in by that: the
    password is not said in clear."""
    p = served()
    p.mail(TEXTS)
    # Where another user than root finds it.
    shutil.copytree(portuguese["LOCPATH"], p.m.home + "/locale")
    printed = p.start(env={
        **portuguese, "LOCPATH": p.m.home + "/locale",
        "MALOTE_LOCALEDIR": p.m.home + "/locale/share"} if language else {})
    text = page("mail-programs", language)
    told = values(sections(text)["Thunderbird"], 2)
    assert len(told) == 6, told
    assert told[1] == "127.0.0.1" and re.search(
        r"(?m)^  \S.*  127\.0\.0\.1$", printed)
    assert re.search(r"(?m)^\| \S+ \| 127\.0\.0\.1 \|", text)
    assert told[0] == "POP3" and re.search(r"(?m)^  \S.* POP3$", printed)
    bold = [v.strip("*").lower() for v in told if v[0] == "*"]
    for words in bold:   # "None", "Encrypted password"; "Nenhum(a)"
        assert words[:-1] in printed.lower(), (words, printed)
    assert len(bold) == 2
    with pop3.Pop3(p.port) as s:
        challenge = base64.b64decode(s.command("AUTH CRAM-MD5")[2:])
        digest = hmac.new(p.password.encode(), challenge, "md5").hexdigest()
        s.ok(base64.b64encode(b"casa " + digest.encode()).decode())
        assert len(s.uidl()) == len(TEXTS)
        s.quit()


NOT_SEEN = {"": "Not seen on the real thing", ".pt-BR": "Não foi visto no próprio"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_say_when_it_was_seen(language):
    """Of each program: followed on a day, or never on the real thing."""
    found = sections(page("mail-programs", language))
    programs = [x for x in found if re.search(
        "Thunderbird|Outlook|Apple|Gmail", x)]
    assert len(programs) == 4
    for title in programs:
        words = " ".join(found[title].split())
        day = re.search(r"\d+ (de )?\w+ (de )?20\d\d", words)
        assert day or NOT_SEEN[language] in words, title
        assert ("Thunderbird" in title) != (NOT_SEEN[language] in words)
    assert {"": "not seen on the real Gmail yet", ".pt-BR":
            "ainda não foram vistas no próprio Gmail"}[language] in " ".join(
                page("gmail", language).split())


@malote.NEEDED
@pytest.mark.parametrize("language", LANGUAGES)
def test_gmail(client, lie, fake_imap, language):
    """Its block and its line, typed as they stand there: at a server as
    Gmail's, at the port that is the usual one."""
    text = page("gmail", language)
    typed = re.search(r'(?ms)^```\n(account .*?)^```$', text).group(1)
    assert '"imaps://imap.gmail.com/INBOX"' in typed
    assert 'destination "imap.gmail.com"' in typed
    site = fake_imap(can="UIDPLUS LITERAL- X-GM-EXT-1 UTF8=ACCEPT ENABLE")
    site.user = b"ana@gmail.com"
    server, m = lie(letters(5)), client()
    wanted = [x.local for x in server.box.mails]
    m.account(at=server)
    settings = "".join("\t%s = %s\n" % (
        k, malote.quoted(v) if isinstance(v, str) else v)
        for k, v in m.accounts["casa"].items() if k != "deliver")
    conf = typed.replace("\t...\n", settings).replace(
        "imap.gmail.com/", "localhost:%d/" % site.port).replace(
        '"imap.gmail.com"', '"localhost"').replace(
        "pass show gmail", "echo hush").replace(
        "\tuser = \"ana@gmail.com\"\n",
        "\tuser = \"ana@gmail.com\"\n\tca_file = %s\n"
        % malote.quoted(site.certs.ca))
    m.write_conf(conf)
    done = m.start("collect", write=False).wait()
    assert "5 messages collected" in done.text
    malote.same(site.texts(), wanted)
    assert any("ana@gmail.com" in c for c in site.signed_in)


def codes(text):
    return sorted(set(re.findall(r"0x800[0-9A-F]{5}", text)))


def test_codes_are_in_both_languages():
    pages = [page("mail-errors", language) for language in LANGUAGES]
    assert codes(pages[0]) == codes(pages[1])
    assert len(codes(pages[0])) >= 20
    for text in pages:
        # Each is in the index, which leads to a section that is there.
        index, *sections = re.split(r"(?m)^## ", text.split("## ", 1)[1])
        heads = {re.sub(r"[^\w -]", "", s.split("\n")[0].lower()).replace(
            " ", "-") for s in sections}
        assert codes(index) == codes(text)
        assert set(re.findall(r"\]\(#([^)]*)\)", index)) == heads


STRINGS = r' ((?:"(?:[^"\\]|\\.)*"\s*)+)'


def said(language):
    """All that malote can say."""
    kind = r"msgstr(?:\[\d\])?" if language else "msgid(?:_plural)?"
    with open(os.path.join(TOP, "po", "pt_BR.po"), encoding="utf-8") as f:
        texts = re.findall(kind + STRINGS, f.read())
    return " \n".join("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', x))
                      for x in texts).replace('\\"', '"')


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_malote_are_its_own(language):
    """Between angle quotes stand its words."""
    quoted = re.findall("«([^.»][^»]*)»",
                        page("mail-errors", language))
    assert len(quoted) >= 8
    text = said(language)
    for words in quoted:
        assert " ".join(words.split()) in text, words
