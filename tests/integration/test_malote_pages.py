"""What the pages tell people to type, and what they tell them to look for."""
import os
import re
import subprocess

import pytest

import malote
from hostile import letters
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
