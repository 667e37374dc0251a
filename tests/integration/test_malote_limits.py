"""Too much of something: the run ends, says so, and the others come."""

import pytest

import faults
import malote
from hostile import CAPA, letters, mails
from malote import MEMORY, nothing_lost, recover, survive

pytestmark = malote.NEEDED
MIB = 1 << 20


@pytest.mark.core
@pytest.mark.parametrize("without, max_size", [
    ((), None), ((), 2 * MIB), (["LIST"], 2 * MIB)],
    ids=["listed", "max-size", "unlisted-max-size"])
def test_message_that_grows(lie, client, without, max_size):
    """C-ENG-18: far more comes than LIST has said."""
    server = lie(letters(7), without=without)
    wanted = list(server.box.mails)
    m = client().account(at=server, max_size=max_size)
    server.fault("RETR", faults.pour(b"+OK\r\n", b"Subject: x\r\n"), number=2,
                 times=faults.ALWAYS)
    survive(m, server)
    assert server.poured < (64 if max_size else 256) * MIB
    survive(m, server)
    assert len(m.files()) == 6
    m.forgive()
    m.account(keep="no", max_size=None)
    recover(m, server, wanted)


@pytest.mark.core
def test_header_that_grows(lie, client):
    server = lie(letters(5))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    server.fault("TOP", faults.pour(b"+OK\r\n", b"Subject: x\r\n"), number=1,
                 times=faults.ALWAYS)
    survive(m, server)
    assert server.poured < 64 * MIB
    for _ in range(2):
        survive(m, server)
    assert len(server.box.mails) == 1
    m.forgive()
    recover(m, server, wanted)


@pytest.mark.core
@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1, 2**64 * 10 // 11])
def test_sizes_that_overflow(lie, client, size):
    """No disk has so much: that one is skipped, the others come."""
    server = lie(letters(5))
    wanted = list(server.box.mails)
    server.box.mails[1].size = size
    m = client().account(at=server, keep="no")
    done = m.collect("--json", status=malote.IOERR)
    assert done.account("casa")["skipped"] == 1
    nothing_lost(server, m)
    assert len(m.files()) == 4
    wanted[1].size = None
    recover(m, server, wanted)


@pytest.mark.core
def test_file_size_limit(lie, client):
    """SIGXFSZ is no end; write() says what is the matter."""
    server = lie(mails([b"A: b\n\n" + b"x\n" * MIB, b"A: c\n\nx\n"]))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.run("status")
    m.collect(status=malote.IOERR, wrap=["prlimit", "--fsize=1000000"])
    assert m.left_in_tmp() == []
    recover(m, server, wanted)


@pytest.mark.core
def test_session_timeout(lie, client):
    """C-ENG-18: whoever always has something to say is left all the same."""
    server = lie(letters(3))
    wanted = list(server.box.mails)
    server.fault("RETR", faults.drip(1, 0.1), number=2, times=faults.ALWAYS)
    m = client().account(at=server, timeout=2, session_timeout=1)
    done = m.collect(status="bad", seconds=60)
    assert "session_timeout" in done.text
    m.forgive()
    m.account(keep="no", session_timeout="1h")
    recover(m, server, wanted)


def test_login_delay_of_days(lie, client):
    """One run does not wait so long."""
    server = lie(letters(3), capa=CAPA + ["LOGIN-DELAY 4000000000"])
    server.sasl = []
    server.fault("PASS", faults.err("[LOGIN-DELAY] later"))
    m = client().account(at=server)
    m.collect(status=malote.TEMPFAIL)
    m.collect(status=None)


@pytest.mark.slow
def test_listing_of_millions(lie, client):
    """M-40: memory does not follow a server's fancy."""
    server = lie(letters(3))
    text = b"".join(b"%d 100\r\n" % i for i in range(1, 6000000))
    server.fault("STAT", faults.say(b"+OK 6000000 1\r\n"))
    server.fault("LIST", faults.say(b"+OK\r\n" + text + b".\r\n"))
    m = client().account(at=server)
    done = m.collect(status="bad", seconds=90)
    assert done.memory < MEMORY


def test_all_refused(lie, client):
    """Thousands of troubles: neither memory nor the record follow."""
    server = lie(letters(1000))
    wanted = list(server.box.mails)
    fault = server.fault("RETR", faults.err("broken"), times=faults.ALWAYS)
    m = client().account(at=server, keep="no")
    for _ in range(2):
        done = m.collect(status=None, seconds=60)
        assert done.memory < MEMORY
    assert fault.fired >= 2000
    recover(m, server, wanted)
