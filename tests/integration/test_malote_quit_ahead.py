"""Where nothing is deleted, QUIT goes along with the last RETR."""
import time

import pytest

import faults
import malote
from hostile import letters
from hostile_session import Gone, Session
from server import PATIENCE

pytestmark = malote.NEEDED


class AwaitsQuit(Session):
    """It answers the last command but QUIT only when QUIT is there, too."""
    waited = False

    def do_uidl(self, rest):
        if rest == str(len(self.view)):
            self.sock.settimeout(PATIENCE)
            while b"QUIT" not in self.seen:
                self.seen += self.receive()
            type(self).waited = True
        return super().do_uidl(rest)


class GoesAtQuit(Session):
    """What has not been sent when QUIT comes is not sent any more."""

    def do_retr(self, rest):
        if rest == "3":
            time.sleep(0.2)
            self.sock.settimeout(0.3)
            try:
                self.seen += self.receive()
            except TimeoutError:
                pass
            self.sock.settimeout(60 * PATIENCE)
        if b"QUIT" in self.seen:
            raise Gone
        return super().do_retr(rest)


@pytest.mark.core
def test_quit_comes_along(odd, client):
    server = odd(AwaitsQuit, letters(5))
    AwaitsQuit.waited = False
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(m.files()) == 5 and AwaitsQuit.waited
    assert len(server.commands("QUIT")) == len(server.sessions) == 1


@pytest.mark.core
@pytest.mark.parametrize("keep", ["no", "30d"])
def test_quit_waits_where_something_may_be_deleted(lie, client, keep):
    """It would come before DELE, and before it is known what is here."""
    server = lie(letters(5))
    m = client().account(at=server, keep=keep)
    m.collect()
    m.record("UPDATE message SET stored_at = 1")
    server.box.mails += letters(2, 91, uid="n%d")
    m.collect()
    assert len(m.files()) == 7
    assert len(server.box.mails) == (0 if keep == "no" else 2)
    assert len(server.sessions) == 2


@pytest.mark.core
def test_without_pipelining(lie, client):
    server = lie(letters(3), capa=["TOP", "UIDL", "USER"])
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(m.files()) == 3
    assert max(s.turns for s in server.sessions) == \
        len([line for line in server.lines if line.who == "C"])


@pytest.mark.core
def test_server_that_goes_at_once(odd, client):
    """The rest comes in other sessions of the run, and QUIT behind it then."""
    server = odd(GoesAtQuit, letters(6))
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(m.files()) == 6
    server.box.mails += letters(30, 91, uid="n%d")
    server.forget()
    m.collect()
    assert len(m.files()) == 36
    assert len(server.commands("QUIT")) == len(server.sessions)


@pytest.mark.core
def test_refused_among_others(lie, client):
    """It is asked for once more, alone, by another session of the run; and if it
    is refused then, too, that is said."""
    server = lie(letters(4))
    server.fault("RETR", faults.err("not now"), number=2)
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(m.files()) == 4
    server.box.mails += letters(2, 91, uid="n%d")
    server.fault("RETR", faults.err("never"), number=6, times=faults.ALWAYS)
    done = m.collect(status=malote.TEMPFAIL)
    assert "never" in done.text and len(m.files()) == 5
    assert len(server.sessions) == 4


@pytest.mark.core
def test_several_refused_among_others(lie, client):
    """Each is asked for alone, with QUIT behind that; and what is refused then
    is a failure of the run."""
    server = lie(letters(6))
    for number in (2, 3, 5):
        server.fault("RETR", faults.err("never"), number=number,
                     times=faults.ALWAYS)
    m = client().account(at=server, keep="yes")
    m.collect(status=malote.TEMPFAIL)
    assert len(m.files()) == 3 and len(server.sessions) == 2
    assert server.numbers("RETR")[6:] == [2, 3, 5, 3, 5]
