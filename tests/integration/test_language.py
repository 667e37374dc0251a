"""The server's replies in the language of who reads them (LANG, RFC 6856)."""
import os
import re
import subprocess

import pytest

import drop
from pop3 import Pop3
from server import MALOTED, TOP

pytestmark = pytest.mark.ours

CATALOGUES = os.path.realpath(os.path.dirname(MALOTED) + "/../po/server")
PO = TOP + "/po/server/pt-BR.po"
TEXTS = TOP + "/src/pop3/server_text.h"


def test_catalogue_has_the_texts_and_no_other():
    with open(TEXTS, encoding="utf-8") as f:
        texts = set(re.findall(
            r'^\t(?:GOOD|BAD)\(\w+, (?:\w+, )?"([^"]*)"\)', f.read(), re.M))
    with open(PO, encoding="utf-8") as f:
        found = set(re.findall(r'^msgid "(.+)"$', f.read(), re.M))
    assert len(texts) > 50
    assert found == texts | {"English"}


def test_portuguese(place, serve):
    """S-6856-08, S-6856-09: what auth and the store refuse, too."""
    server = serve(place.maildir(drop.make(5, 3)))
    with Pop3(server.port) as s:
        assert s.command("LANG MUL") == b"-ERR that language is not offered"
        assert dict(line.split(b" ", 1) for line in s.listing("LANG")) == {
            b"en": b"English", b"pt-BR": "Português do Brasil".encode()}
        assert s.command("LANG pt-br") == b"+OK pt-BR idioma escolhido"
        s.command("USER user")
        assert s.command("PASS wrong").decode() == (
            "-ERR [AUTH] a autenticação falhou")
        s.command("USER user")
        assert s.command("PASS secret").startswith(
            b"+OK 3 mensagens (")
        assert re.fullmatch(rb"\+OK 3 \d+", s.command("STAT"))
        assert s.command("RETR 9").decode() == "-ERR esta mensagem não existe"
        with Pop3(server.port) as other:
            other.command("LANG pt")
            other.command("USER user")
            assert other.command("PASS secret").startswith(
                b"-ERR [IN-USE] aberta desde ")
        assert s.command("LANG en") == b"+OK en language chosen"
        assert s.command("RETR 9") == b"-ERR no such message"


def test_preferred_and_own(place, serve):
    """A language is added by a file of its name."""
    folder = place.path + "/languages"
    os.mkdir(folder, 0o755)
    with open(folder + "/sv.po", "w", encoding="utf-8") as f:
        f.write('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n'
                'msgid "bye"\nmsgstr "hejdå"\n')
    subprocess.run(["msgfmt", "-o", folder + "/sv.mo", folder + "/sv.po"],
                   check=True, timeout=60)
    server = serve(place.maildir([]), 'language = "sv"\nlanguages = "%s"\n' %
                   folder)
    with Pop3(server.port) as s:
        assert s.command("LANG *") == b"+OK sv language chosen"
        assert s.command("FOO") == b"-ERR unknown command"
        assert s.command("QUIT").decode() == "+OK hejdå"


def test_no_catalogues(place, serve):
    server = serve(place.maildir([]), 'language = "pt-BR"\nlanguages = "%s"\n'
                   % (place.path + "/none"))
    assert "there is no" in server.await_event("language")[0]["warning"]
    with Pop3(server.port) as s:
        assert s.command("LANG *") == b"+OK en language chosen"
        assert list(s.listing("LANG")) == [b"en English"]
