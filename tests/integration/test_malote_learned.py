"""Servers that do not answer what they offer, or do not keep what they say: a
run waits for that once or twice, and the next ones do without it.
"""
import pytest

import faults
import malote
from hostile import CAPA, letters
from hostile_session import Gone, Session

pytestmark = malote.NEEDED
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
