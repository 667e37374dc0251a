"""Servers that do not answer what they offer, or do not keep what they say: a
run waits for that once or twice, and the next ones do without it.
"""
import pytest

import faults
import hostile
import malote
from hostile import CAPA, letters
from hostile_session import Gone, Reply, Session

pytestmark = [malote.NEEDED, pytest.mark.wide]
SERIAL = [c for c in CAPA if c != "PIPELINING"]
DEAF = [faults.cut(), faults.swallow(), faults.stall(4)]
by_name = {"ids": lambda a: a.name}


def comes_by_and_by(server, m, runs, **how):
    """Each run has a new message; says how many came in all."""
    for n in range(runs):
        server.forget()
        server.box.mails += letters(1, seed=20 + n, uid="new%d-%%d" % n)
        m.collect(**how)
    return len(m.files())


@pytest.mark.core
@pytest.mark.parametrize("act", DEAF, **by_name)
@pytest.mark.parametrize("sasl", [(), ("PLAIN",)], ids=["user", "sasl"])
def test_capa_that_was_answered_before(odd, client, act, sasl):
    """The sign-in is none that is weaker than before."""
    server = odd(Session, letters(2), sasl=sasl)
    m = client().account(at=server, timeout=1, keep="yes")
    m.collect()
    server.fault("CAPA", act, times=faults.ALWAYS)
    assert comes_by_and_by(server, m, 1) == 3
    assert len(server.commands("CAPA")) == 2
    assert comes_by_and_by(server, m, 2) == 5
    assert not server.commands("CAPA")


@pytest.mark.core
@pytest.mark.parametrize("verb", ["CAPA", "LIST", "UIDL", "QUIT"])
@pytest.mark.parametrize("said", ["500 unknown command", "", "ERR what?"])
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_refusal_in_words_of_its_own(odd, client, capa, said, verb):
    """It is no reply of POP3."""
    server = odd(Session, letters(2), capa=capa, sasl=())
    server.fault(verb, faults.say(said), times=faults.ALWAYS)
    m = client().account(at=server, timeout=1, keep="yes")
    m.collect()
    assert comes_by_and_by(server, m, 2) == 4
    assert len(server.sessions) == 1


@pytest.mark.core
@pytest.mark.parametrize("act", DEAF, **by_name)
def test_capa_behind_the_sign_in(odd, client, act):
    """The first one is still asked for: it says how to sign in."""
    class Deaf(Session):
        def pick(self, verb, number):
            return act if verb == "CAPA" and self.view is not None else \
                super().pick(verb, number)

    server = odd(Deaf, letters(2), capa=CAPA + ["LOGIN-DELAY 0 USER"])
    m = client().account(at=server, timeout=1, keep="yes")
    m.collect()
    assert comes_by_and_by(server, m, 1) == 3
    assert len(server.sessions) == 1
    assert len(server.commands("CAPA")) == 1


@pytest.mark.core
@pytest.mark.parametrize("act", [
    *DEAF[:2], pytest.param(DEAF[2], marks=pytest.mark.slow)], **by_name)
@pytest.mark.parametrize("verb", ["LIST", "UIDL"])
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_list_without_an_answer(odd, client, capa, verb, act):
    server = odd(Session, letters(4), capa=capa)
    server.fault(verb, act, times=faults.ALWAYS)
    m = client().account(at=server, keep="yes", timeout=1)
    m.collect(seconds=90)
    assert comes_by_and_by(server, m, 2) == 6
    assert len(server.sessions) == 1
    assert verb not in server.commands()


@pytest.mark.core
@pytest.mark.parametrize("verb", ["LIST", "UIDL"])
def test_list_that_is_lost_once(odd, client, verb):
    """That says nothing of the server."""
    server = odd(Session, letters(4), capa=SERIAL)
    server.fault(verb, faults.cut())
    m = client().account(at=server, keep="yes")
    m.collect()
    server.forget()
    m.collect()
    assert verb in server.commands()


@pytest.mark.core
def test_pipelining_that_ends_the_session(odd, client):
    class Cuts(Session):
        def handle(self, line):
            if self.view is not None and b"\n" in self.seen:
                raise Gone
            super().handle(line)

    server = odd(Cuts, letters(3))
    m = client().account(at=server, keep="yes")
    m.collect()
    assert comes_by_and_by(server, m, 1) == 4
    assert len(server.sessions) == 1


# Mechanisms that are offered and not known.

def knows_not(*mechanisms, words="unknown command", hangs_up=False):
    """Sessions that refuse AUTH of these (none: any) in these words."""
    class Knows(Session):
        def do_auth(self, rest):
            if mechanisms and rest.split()[0] not in mechanisms:
                return super().do_auth(rest)
            return Reply(b"-ERR %s\r\n" % words.encode(),
                         then=self.hang_up if hangs_up else None)

    return Knows


@pytest.mark.core
@pytest.mark.parametrize("words", [
    "unknown command", "command not implemented", "Invalid command.",
    "Unrecognized command", "bad command: AUTH", "AUTH not supported",
    "unimplemented", "Syntax error", "too many arguments for AUTH",
    "Unsupported authentication mechanism.", "[X-OTHER] unknown command"])
def test_auth_that_is_offered_and_not_known(odd, client, words):
    """It is left out from then on."""
    server = odd(knows_not(words=words), letters(2))
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(server.sessions) == 1
    assert len(server.commands("AUTH")) == len(server.commands("PASS")) == 1
    assert comes_by_and_by(server, m, 1) == 3
    assert not server.commands("AUTH")


@pytest.mark.core
@pytest.mark.parametrize("words", [
    "authentication failed", "invalid credentials", "unknown user", "no",
    "[AUTH] unknown command", "[SYS/TEMP] not implemented", "login invalid",
    "bad command or password", "unknown"])
def test_a_refused_password_is_offered_once(odd, client, words):
    server = odd(knows_not(words=words), letters(2))
    m = client().account(at=server, patience=0)
    m.collect(status="bad")
    assert len(server.commands("AUTH")) == 1
    assert not server.commands("USER", "PASS")


@pytest.mark.core
def test_auth_that_is_not_known_and_hangs_up(odd, client):
    server = odd(knows_not(hangs_up=True), letters(2))
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(server.sessions) == 2
    assert comes_by_and_by(server, m, 1) == 3
    assert len(server.sessions) == 1


def safe(certs, server, m, **settings):
    """With a TLS that is checked."""
    return m.account(at=server, server="localhost", ca_file=certs.ca,
                     keep="yes", **settings)


@pytest.mark.core
@pytest.mark.parametrize("kind, by", [
    (knows_not("SCRAM-SHA-256", words="no such mechanism"), "PLAIN"),
    (knows_not("SCRAM-SHA-256"), "USER"), (knows_not(), "USER")],
    ids=["mechanism", "command", "any"])
def test_scram_that_is_not_known(odd, client, certs, kind, by):
    """What is weaker, but as safe: inside TLS."""
    server = odd(kind, letters(2), mode="tls", context=certs.context(),
                 sasl=("SCRAM-SHA-256", "PLAIN"))
    m = safe(certs, server, client())
    for _ in range(2):
        assert m.collect("--json").account("casa")["sign_in"] == by
    assert len(server.commands("AUTH")) == (3 if by == "PLAIN" else 1)


@pytest.mark.core
def test_scram_that_is_not_known_without_tls(odd, client):
    """Anybody on the way may have said that: the password stays here."""
    server = odd(knows_not(), letters(2), sasl=("SCRAM-SHA-256", "PLAIN"))
    m = client().account(at=server, patience=0)
    m.collect(status=malote.NOPERM)
    assert [c.split()[1] for c in server.commands("AUTH")] == [
        "SCRAM-SHA-256"]
    assert not server.commands("USER", "PASS")


@pytest.mark.core
def test_left_out_with_tls_is_used_without(odd, client, certs):
    server = odd(knows_not("SCRAM-SHA-256"), letters(2), mode="tls",
                 context=certs.context(), sasl=("SCRAM-SHA-256", "PLAIN"))
    m = safe(certs, server, client())
    m.collect()
    server.forget()
    server.mode = "plain"
    m.account(at=server)
    m.collect(status="bad")
    assert not server.commands("USER", "PASS")


@pytest.mark.core
def test_scram_that_was_known_before(odd, client, certs, monkeypatch):
    """The person says whether what is weaker will do."""
    server = odd(Session, letters(2), mode="tls", context=certs.context(),
                 sasl=("SCRAM-SHA-256", "PLAIN"))
    m = safe(certs, server, client(), patience=0)
    m.collect()
    monkeypatch.setattr(hostile, "Session", knows_not())
    for _ in range(2):
        assert "--accept" in m.collect(status=malote.PROTOCOL).text
    assert not server.commands("USER", "PASS")
    accepted = "the weaker sign-in of localhost is accepted"
    assert accepted in m.run("collect", "--accept").text
    assert accepted not in m.run("collect", "--accept").text


@pytest.mark.core
def test_the_named_mechanism_only(odd, client):
    server = odd(knows_not(), letters(2))
    m = client().account(at=server, auth="plain", patience=0)
    m.collect(status=malote.NOPERM)
    assert not server.commands("USER", "PASS")


# What is deleted, and is not.

class Keeps(Session):
    def commit(self):
        self.marked.clear()
        super().commit()


AGAIN = "had been deleted on the server"


@pytest.mark.core
def test_dele_that_does_not_last(odd, client):
    """It is tried again, and said."""
    server = odd(Keeps, letters(3))
    m = client().account(at=server, keep="no")
    assert AGAIN not in m.collect().text
    for _ in range(2):
        server.forget()
        assert "3 messages that " + AGAIN in m.collect().text
        assert server.numbers("DELE") == [1, 2, 3]
    assert AGAIN in m.run("status").text
    assert len(m.files()) == 3


@pytest.mark.core
@pytest.mark.parametrize("without", [("UIDL",), ("UIDL", "TOP")],
                         ids="-".join)
def test_dele_that_does_not_last_without_uidl(odd, client, without):
    """Nothing comes twice; what is new is told from it."""
    server = odd(Keeps, letters(3, uid=None), without=without)
    m = client().account(at=server, keep="no")
    m.collect()
    server.forget()
    server.box.mails.insert(0, letters(1, seed=9, uid=None)[0])
    assert "3 messages that " + AGAIN in m.collect().text
    assert sorted(server.numbers("DELE")) == [1, 2, 3, 4]
    assert len(m.files()) == 4


@pytest.mark.core
def test_gone_and_back_without_uidl(odd, client):
    """With nothing to be deleted, nothing is said of it."""
    server = odd(Session, letters(3, uid=None), without=("UIDL",))
    m = client().account(at=server, keep="yes")
    m.collect()
    hidden = server.box.mails.pop(1)
    m.collect()
    server.box.mails.append(hidden)
    assert AGAIN not in m.collect().text
    assert len(m.files()) == 3
