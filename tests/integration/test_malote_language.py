"""malote asks for UTF8 and for the person's language where that is offered
(RFC 6856), at the cost of no turn."""
import pytest

import faults
import malote
from hostile import CAPA, letters
from hostile_session import Reply, Session, err, ok

pytestmark = malote.NEEDED
OFFERED = [*CAPA, "UTF8 USER", "LANG"]
SERIAL = [c for c in OFFERED if c != "PIPELINING"]
by_name = {"ids": lambda a: a.name}


class Speaks(Session):
    language = False

    def do_utf8(self, _):
        return ok("")

    def do_lang(self, rest):
        self.language = True
        return ok(rest + " idioma")


class Refuses(Speaks):
    def do_utf8(self, _):
        return err("not today")

    def do_lang(self, _):
        return err("no such language")


class Needs(Speaks):
    """It does not take UTF8 at first; the second message needs it."""
    times = 0
    utf8 = False

    def do_utf8(self, _):
        Needs.times += 1
        self.utf8 = Needs.times > 1
        return ok("") if self.utf8 else err("[SYS/TEMP] not now")

    def do_retr(self, rest):
        if rest == "2" and not self.utf8:
            return err("[UTF8] of no use to you")
        return super().do_retr(rest)


@pytest.fixture
def m(client, portuguese):
    m = client()
    m.env.update(portuguese)
    return m


@pytest.mark.parametrize("sasl", [(), ("PLAIN",)], ids=["user", "sasl"])
def test_no_turn(odd, client, portuguese, sasl):
    """C-6856-02: before the sign-in, once in a session."""
    turns = []
    for name, capa in (("plain", CAPA), ("offered", OFFERED)):
        server = odd(Speaks, letters(3), capa=capa, sasl=sasl)
        m = client(name)
        m.env.update(portuguese)
        m.account(at=server, keep="yes").collect()
        turns.append(server.turns())
    assert turns[0] == turns[1]
    assert server.commands()[1:3] == ["LANG pt-BR", "UTF8"]
    assert server.commands()[3].split()[0] in ("USER", "AUTH")


def test_refused(odd, m):
    """Mail comes all the same, and it is not asked for again."""
    server = odd(Refuses, letters(3), capa=OFFERED)
    m.account(at=server, keep="yes").collect()
    assert server.commands("UTF8", "LANG") == ["LANG pt-BR", "UTF8"]
    assert len(m.files()) == 3
    server.forget()
    m.collect()
    assert not server.commands("UTF8", "LANG")


def test_message_that_needs_it(odd, m):
    """C-6856-02: that UTF8 was refused once does not keep mail away."""
    Needs.times = 0
    server = odd(Needs, letters(3), capa=OFFERED)
    m.account(at=server, keep="no")
    assert "of no use to you" in m.run("collect", status=None).text
    assert len(m.files()) == 2
    m.collect()
    assert len(m.files()) == 3


@pytest.mark.parametrize("kind", [Speaks, Refuses])
def test_one_at_a_time(odd, m, kind):
    server = odd(kind, letters(3), capa=SERIAL, sasl=())
    m.account(at=server)
    m.collect()
    assert server.commands()[1:4] == ["LANG pt-BR", "UTF8", "USER user"]
    assert len(m.files()) == 3


@pytest.mark.parametrize("capa", [OFFERED, SERIAL], ids=["ahead", "serial"])
@pytest.mark.parametrize("verb", ["UTF8", "LANG"])
@pytest.mark.parametrize("act", [faults.cut(), faults.swallow()], **by_name)
def test_server_that_hangs_up(odd, m, capa, verb, act):
    """It offers what it does not bear: learned, and mail comes."""
    server = odd(Speaks, letters(2), capa=capa)
    server.fault(verb, act, times=faults.ALWAYS)
    m.account(at=server, keep="yes", timeout=1)
    for _ in range(2):
        m.run("collect", status=None)
    server.forget()
    m.collect()
    assert len(m.files()) == 2
    assert len(server.sessions) == 1
    assert not server.commands("UTF8", "LANG")


@pytest.mark.parametrize("capa, asked", [
    (CAPA, []),
    ([*CAPA, "UTF8"], ["UTF8"]),
    ([*CAPA, "LANG"], ["LANG pt-BR"]),
    ([c for c in OFFERED if c != "AUTH-RESP-CODE"], ["UTF8"]),
])
def test_only_what_is_offered(odd, m, capa, asked):
    """And no other language without codes, as words would say nothing."""
    server = odd(Speaks, letters(1), capa=capa)
    m.account(at=server)
    m.collect()
    assert server.commands("UTF8", "LANG") == asked


def test_language_that_is_not_spoken(odd, client):
    server = odd(Speaks, letters(1), capa=OFFERED)
    client().account(at=server).collect()
    assert server.commands("UTF8", "LANG") == ["UTF8"]


def test_refusal_in_portuguese(place, serve, m):
    """What the person reads is all of one language."""
    server = serve(place.maildir([]))
    m.account(at=server.port, password="wrong")
    done = m.collect(status=malote.NOPERM)
    assert ('login recusado: o servidor diz "a autenticação falhou"'
            in done.text)
