"""What people read, in Portuguese: nothing is missing, and it is shown."""
import json
import os
import re
import shutil
import subprocess

import pytest

import faults
import malote
from hostile import letters
from server import TOP, free_port

PO = os.path.join(TOP, "po")
PT = os.path.join(PO, "pt_BR.po")
MARKED = re.compile(r"\b(?:_|N_|ngettext)\(")
# What stays as it is in every language: options, settings, commands, manuals.
FIXED = re.compile(r"--\w+|\w+_\w+|[\w.]+\(\d\)|malote collect|chmod 600|"
                   r"secret-tool[^\"]*|%\w")


def needs(*programs):
    lacking = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(lacking), reason="there is no " +
                              " and no ".join(lacking))


def tool(*words, **more):
    done = subprocess.run(words, cwd=TOP, text=True, capture_output=True,
                          timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"},
                          **more)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


STRING = r'((?:"(?:[^"\\]|\\.)*"\n)+)'
ENTRY = re.compile(r'^msgid %s(?:msgid_plural %s)?((?:msgstr\S* %s)+)' %
                   (STRING, STRING, STRING), re.M)


def joined(strings):
    return "".join(json.loads(line) for line in strings.splitlines())


def messages(path):
    """{msgid: [msgstr ...]}"""
    with open(path) as f:
        found = {joined(m.group(1)): [joined(text) for text in re.findall(
            r"msgstr\S* " + STRING, m.group(3))]
            for m in ENTRY.finditer(f.read())}
    del found[""]
    return found


def marked_files():
    for path, _, names in os.walk(os.path.join(TOP, "src")):
        for name in names:
            full = os.path.join(path, name)
            shown = os.path.relpath(full, TOP)
            ours = shown.startswith(("src/client/", "src/server/ctl/")) or \
                not shown.startswith("src/server/")
            if name.endswith(".c") and ours:
                with open(full) as f:
                    if MARKED.search(f.read()):
                        yield shown


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Made anew from the sources."""
    out = str(tmp_path_factory.mktemp("pot") / "malote.pot")
    with open(os.path.join(PO, "meson.build")) as f:
        args = re.findall(r"'(--[^']*)'", f.read())
    assert args
    tool("xgettext", "-f", "po/POTFILES", "-o", out, *args)
    with open(out) as f:
        text = f.read()
    with open(out, "w") as f:
        f.write(text.replace("charset=CHARSET", "charset=UTF-8"))
    return out


def test_sources_are_listed():
    with open(os.path.join(PO, "POTFILES")) as f:
        assert f.read().split() == sorted(marked_files())


@needs("msgfmt", "msgattrib")
def test_translation_is_whole():
    """Formats fit, too."""
    tool("msgfmt", "--check", "-o", "/dev/null", PT)
    for kind in ("--untranslated", "--only-fuzzy", "--only-obsolete"):
        assert tool("msgattrib", kind, PT).strip() == ""


@needs("xgettext", "msgcmp")
def test_translation_has_all_of_the_sources(template):
    tool("msgcmp", PT, template)
    assert set(messages(PT)) == set(messages(template))


# Alike in both languages: names, and what stands between others.
ALIKE = {"%s: %s", "%s port %u: %s"}
# What a mail program in Brazil does not say.
BOOKISH = re.compile(r"recolh|octeto|correio|\bentrad[ao]s? recusad|execuç",
                     re.I)


def test_nothing_is_left_in_english():
    """A text that was only copied is no translation."""
    for was, texts in messages(PT).items():
        plain = re.sub(r"%[\d.]*(?:ll|z)?[a-zA-Z]|\\W", "", was)
        if re.search("[a-z]{3}", plain):
            assert was not in texts or was in ALIKE, was


def test_words_are_those_of_people():
    for _, texts in messages(PT).items():
        for text in texts:
            assert not BOOKISH.search(text), text


# Calls whose words are for a person.
SAID = re.compile(r"\b(?:err_set|err_sys|visit_end|visit_fail|visit_break|"
                  r"failed_by|mistyped|done|say_error|secret_fail|printf|"
                  r"talk_confirm|talk_say|talk_print|report_notice|"
                  r"conf_error|conf_warn|COMPLAIN|WARN)\(((?:[^;\"]|\"(?:[^\"\\\\]|\\\\.)*\")*);")
WORDS = re.compile(r"[a-z]{2,} [a-z]{2,}", re.I)


def unmarked(call):
    """The words of a call that gettext does not see."""
    seen = re.sub(r'\b(?:_|N_|ngettext)\((?:[^()"]|"(?:[^"\\]|\\.)*")*',
                  "", call)
    text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', seen))
    return text if WORDS.search(text) else ""


def test_all_that_is_said_is_marked():
    for path, _, names in os.walk(os.path.join(TOP, "src", "client")):
        for name in names:
            with open(os.path.join(path, name)) as f:
                for call in SAID.finditer(f.read()):
                    assert not unmarked(call.group(1)), (name, call.group())
    assert unmarked('eb, E_IO, "not so"') and not unmarked('eb, _("so so")')


def test_what_is_typed_is_not_translated():
    for was, texts in messages(PT).items():
        for text in texts:
            assert set(FIXED.findall(was)) <= set(FIXED.findall(text)), (
                was, text)


@pytest.mark.parametrize("page", ["malote.1", "malote.conf.5"])
def test_manual_has_the_same(page):
    """Sections, exit codes, settings, and all that is typed."""
    seen = []
    for folder in ("man", "man/pt_BR"):
        with open(os.path.join(TOP, "doc", folder, page + ".scd")) as f:
            text = re.sub(r"(?s)```.*?```", "", f.read())
        typed = set(re.findall(r"\*([a-z0-9\"./-][\w\"./ -]*)\*", text))
        seen.append((typed - {"at least once", "pelo menos uma vez"},
                     re.findall(r"(?m)^(?:#|:<|\*[a-z_]+\*$)", text)))
    assert seen[0] == seen[1]


def settings(path):
    with open(os.path.join(TOP, "packaging", path)) as f:
        return re.findall(r"(?m)^\t?#?\t?(\w+) = ", f.read())


def test_examples_have_the_same():
    assert settings("malote.conf.example") == settings(
        "malote.conf.pt_BR.example")
    assert "deliver" in settings("malote.conf.example")


# As a person sees it.

@pytest.fixture
def server(lie):
    return lie(letters(3))


@pytest.fixture
def m(client, server, portuguese):
    m = client().account(at=server)
    m.env.update(portuguese)
    return m


def spoken(test):
    return malote.NEEDED(needs("msgfmt", "localedef")(test))


@spoken
def test_help(m):
    text = m.run("--help").text
    assert text.startswith("uso: malote [opções] [comando]\n")
    assert "usage" not in text and "collects" not in text
    assert "não existe comando nem conta nada" in m.run(
        "nada", status=malote.USAGE).text
    assert "não existe a conta nada" in m.run(
        "collect", "nada", status=malote.USAGE).text


@spoken
def test_wrong_password(m):
    m.account(password="wrong")
    done = m.collect(status=malote.NOPERM)
    assert "casa: login recusado: o servidor diz \"" in done.text


@spoken
def test_what_it_is_doing(m, server, typist):
    for verb in ("GREETING", "STAT", "QUIT"):
        server.fault(verb, faults.wait(1.5))
    t = typist(m)
    assert t.wait() == 0
    text = t.seen.decode()
    for phase in ("conectando", "listando", "encerrando a sessão"):
        assert "\rcasa: %s...  1 s\x1b" % phase in text, text


@spoken
def test_summary(m, server):
    m.account(keep="no")
    del server.box.mails[2:]
    there = sum(len(x.octets) for x in server.box.mails)
    done = m.collect()
    here = sum(len(x) for x in m.files().values())
    assert 1000 < here < there < 9900
    sizes = tuple(("%.1f" % (n / 1000)).replace(".", ",")
                  for n in (here, there))
    said = "casa: 2 mensagens baixadas (%s kB), 2 excluídas do servidor " \
        "(%s kB liberados)\n" % sizes
    assert said in done.text, (said, done)
    assert "nenhuma mensagem nova" in m.collect().text


@spoken
def test_status(m, server):
    assert "casa: nada foi baixado ainda\n" in m.run("status").text
    server.box.mails[:] = server.box.mails[:1]
    m.collect()
    text = m.run("status").text
    assert re.search(r"^casa: última coleta em \d\d/\d\d/\d{4} \d\d:\d\d$", text,
                     re.M), text
    assert "    em 127.0.0.1: 1 mensagem, " in text
    assert "ficam também no servidor" in m.run("accounts").text
    m.account(keep="30d")
    assert "depois de 30 dias\n" in m.run("accounts").text
    m.account(port=free_port())
    m.collect(status="bad")
    assert "falhou: 127.0.0.1, porta" in m.run("status").text


@spoken
def test_status_of_a_run_in_another_language(m):
    """As of a daemon that has no locale."""
    m.account(password="wrong")
    m.collect(status=malote.NOPERM, env={"LC_ALL": "C.UTF-8"})
    text = m.run("status").text
    assert "falhou: o login foi recusado (\"sign-in refused" in text, text
    m.collect(status=malote.NOPERM)
    text = m.run("status").text
    assert "falhou: login recusado; só será tentado de novo" in text, text
    assert "sign-in" not in text
    text = m.run("status", env={"LC_ALL": "C.UTF-8"}).text
    assert "failed: the sign-in was refused (\"login recusado" in text, text


@spoken
@pytest.mark.parametrize("line, words", [
    ("nonsense = 3", "não existe a configuração nonsense"),
    ("prot = 3", "seria port?"),
    ("port 3", "falta o sinal de igual depois de 'port'; escreva NOME"),
    ("keep = maybe", 'escreva "yes", "no", ou um tempo'),
    ("email = a@b\nserver = b\n}", "há uma chave de fechamento sobrando; nenhum bloco"),
    ("port = 'x", "um texto não termina na linha em que começa"),
])
def test_configuration(m, line, words):
    m.write_conf("account casa {\n%s\n}\n" % line)
    done = m.collect(write=False, status=malote.CONFIG)
    assert re.match("malote: .*/malote.conf:[2345]: ", done.text), done
    assert words in done.text, done


@spoken
def test_warning(m):
    assert re.search(r"malote.conf:\d+: aviso: ", m.collect().text)


@spoken
def test_nothing_at_the_other_end(m):
    m.account(port=free_port())
    assert "a conexão foi recusada" in m.collect(status="bad").text


def machine(done):
    """Without what is for people, or of the moment."""
    got = done.json
    for account in got["accounts"]:
        for name in ("error", "notice", "tried_at", "collected_at", "port"):
            account.pop(name, None)
    return got


@spoken
def test_json_is_for_machines(lie, client, portuguese):
    """The same octets, but for times and words."""
    seen = []
    for name, env in (("english", {}), ("portuguese", portuguese)):
        server = lie(letters(12))
        m = client(name).account(at=server, keep="no", max_size=900,
                                 deliver="maildir:~/m")
        m.env.update(env)
        runs = [m.collect("--json"), m.run("status", "--json"),
                m.run("accounts", "--json"),
                m.account(password="wrong").collect(
                    "--json", status=malote.NOPERM)]
        assert runs[3].account("casa")["outcome"] == "denied"
        seen.append([machine(done) for done in runs])
        said = runs[3].account("casa")["error"]
        assert ("login recusado" in said) == bool(env)
        assert not re.search(rb": \d+,\d", runs[0].out)
    assert seen[0] == seen[1]


@spoken
@pytest.mark.parametrize("lead", ["", "x", "xy"])
def test_json_of_words_that_were_cut(m, lead):
    """No half of a character, and what is whole is not escaped."""
    name = lead + "ã€" * 200
    m.accounts[name] = {**m.accounts.pop("casa"), "auth": "user",
                        "password": "x" * 600}
    error = m.collect("--json", status=malote.CONFIG).json[
        "accounts"][0]["error"]
    assert "senha da conta " + lead + "ã€ã" in error
    assert "\\x" not in error and "\ufffd" not in error


@spoken
def test_mbox_is_for_machines(m):
    """Its dates are in no language."""
    m.account(deliver="mbox:" + m.home + "/mbox")
    m.collect()
    with open(m.home + "/mbox", "rb") as f:
        starts = re.findall(rb"(?m)^From .*", f.read())
    assert len(starts) == 3
    for line in starts:
        assert re.search(
            rb" (Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
            rb"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ", line), line


@spoken
@pytest.mark.parametrize("answer, goes_on", [
    (b"s\n", True), (b"S\n", True), (b"n\n", False), (b"\n", False)])
def test_question(lie, client, portuguese, typist, answer, goes_on):
    server = lie(letters(30))
    m = client().account(at=server)
    m.env.update(portuguese)
    m.collect()
    server.box.mails[:] = letters(30, 90, uid="n%d")
    m.account(keep="no")
    t = typist(m, "collect", columns=200)
    t.expect("Continuar com casa como está agora, inclusive excluindo do "
             "servidor? [s/N] ".encode())
    t.type(answer)
    assert (t.wait() == malote.OK) == goes_on, t.seen
    assert bool(server.numbers("DELE")) == goes_on
