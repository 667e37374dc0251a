"""What comes at an inconvenient moment: signals, late answers, lost lines."""
import os
import signal
import sqlite3
import time

import pytest

import faults
import malote
from hostile import CAPA, letters
from malote import recover, same, settled
from server import PATIENCE, wait_until

pytestmark = malote.NEEDED


@pytest.fixture
def server(lie):
    return lie(letters(3))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


def opened(server):
    return sum(1 for x in server.lines if x.text == "open")


@pytest.fixture
def disk(m):
    """The record cannot be written to while the test holds it."""
    m.collect()
    db = sqlite3.connect(m.state + "/state.db", isolation_level=None)
    yield db
    db.close()


@pytest.mark.core
def test_password_after_stop(m, server, disk):
    """A password that comes while the end is put on record starts nothing."""
    server.forget()
    m.account(password=None,
              password_command="sleep %d; echo secret" % (2 * PATIENCE))
    run = m.start("collect")
    time.sleep(0.7 * PATIENCE)
    disk.execute("BEGIN IMMEDIATE")
    run.signal(signal.SIGTERM)
    time.sleep(2 * PATIENCE)
    disk.execute("ROLLBACK")
    run.wait(status=malote.TEMPFAIL)
    assert opened(server) == 0


@pytest.mark.core
def test_stop_of_a_daemon(m, server, lie):
    """Those that wait for their interval begin no other run."""
    slow = lie(letters(3))
    slow.fault("RETR", faults.stall(20), number=2)
    m.account(interval=3600).account("slow", at=slow)
    run = m.start("--json", "daemon")
    wait_until(lambda: slow.numbers("RETR") and len(m.files()) >= 3)
    time.sleep(0.3)
    run.signal(signal.SIGTERM)
    done = run.wait(seconds=6)
    assert done.account("casa")["outcome"] == "ok"
    assert done.account("slow")["outcome"] == "stopped"
    assert opened(server) == 1


@pytest.mark.core
def test_daemon_again_and_again(m, server, lie):
    """Each run begins anew: one that fails, one with new mail, one with
    nothing."""
    other = lie(letters(3, seed=5, uid="o%d"))
    wanted = server.box.mails + other.box.mails
    m.account(keep="no", interval=1).account("other", at=other, interval=1,
                                             keep="1s")
    server.fault("RETR", faults.cut(0.5), number=2)
    server.fault("STAT", faults.err("[SYS/TEMP] no"), nth=3)
    run = m.start("daemon")
    wait_until(lambda: len(m.files()) == 6)
    for n in range(3):
        new = letters(2, seed=20 + n, uid="n%d%%d" % n)
        wanted += new
        server.box.mails.extend(new)
        wait_until(lambda: len(m.files()) == 8 + 2 * n, seconds=30)
    wait_until(lambda: not server.box.mails and not other.box.mails)
    time.sleep(0.3)
    run.signal(signal.SIGTERM)
    run.wait(status=None)
    settled(server, m, wanted, keep=False)


@pytest.mark.core
def test_record_fails_and_line_is_lost(m, server, disk):
    """What is here but not on record is not collected again in the same run:
    the next one finds it."""
    server.capa.remove("PIPELINING")
    new = letters(4, seed=9, uid="new%d")
    wanted = server.box.mails + new
    server.box.mails.extend(new)
    server.fault("RETR", faults.cut(), number=5, times=faults.ALWAYS)
    disk.execute("CREATE TRIGGER no BEFORE INSERT ON message "
                 "BEGIN SELECT RAISE(ABORT, 'no'); END")
    m.collect(status="bad")
    disk.execute("DROP TRIGGER no")
    server.heal()
    m.account(keep="no").collect()
    m.collect()
    settled(server, m, wanted, keep=False)


@pytest.mark.parametrize("verb", ["GREETING", "CAPA", "PASS", "STAT", "UIDL",
                                  "TOP", "RETR", "DELE", "QUIT"])
@pytest.mark.parametrize("times", [1, 2])
def test_stop_in_each_step(m, server, verb, times):
    """Soon, in order, and the next run makes it good; a second one at once."""
    wanted = list(server.box.mails)
    server.sasl = []
    m.account(keep="no")
    if verb == "TOP":
        m.account(keep="1h").collect()
        m.age()
    fault = server.fault(verb, faults.stall())
    run = m.start("collect")
    wait_until(lambda: fault.fired)
    time.sleep(0.1)
    start = time.monotonic()
    run.signal(signal.SIGINT)
    time.sleep(0.1)
    if times == 2 and not run.poll():
        os.kill(run.pid, signal.SIGINT)
    done = run.wait(status=None)
    assert time.monotonic() - start < (5 if times == 1 else 1) * PATIENCE
    assert done.code in (malote.TEMPFAIL, 130)
    recover(m, server, wanted)


@pytest.mark.core
def test_line_lost_at_capa(m, server):
    """C-ENG-08 is for those that never could: a server whose sign-ins are
    known is not asked without CAPA when a line is lost there once."""
    m.collect()
    server.fault("CAPA", faults.cut())
    m.collect()
    m.collect()


def test_line_lost_at_quit(m, server):
    """Nothing was to be deleted: nothing has failed."""
    server.fault("QUIT", faults.cut())
    m.collect()
    assert opened(server) == 1


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, [c for c in CAPA if c != "PIPELINING"]],
                         ids=["pipelined", "serial"])
def test_empty_maildrop_is_an_error_to_some(m, server, capa):
    """They say -ERR to LIST and UIDL of nothing."""
    m.collect()
    server.capa = capa
    server.box.mails.clear()
    for verb in ("LIST", "UIDL"):
        server.fault(verb, faults.err("no messages"), times=faults.ALWAYS)
    m.collect()


@pytest.mark.core
def test_top_that_kills_the_session(m, server):
    """The others come all the same, and what is due goes."""
    wanted = list(server.box.mails)
    m.account(keep="1h").collect()
    m.age()
    server.fault("TOP", faults.cut(), number=1, times=faults.ALWAYS)
    new = letters(2, seed=9, uid="new%d")
    server.box.mails.extend(new)
    for _ in range(3):
        m.collect(status=None)
    same(m.files().values(), [x.local for x in wanted + new])
    assert server.box.mails == [wanted[0], *new]
    m.forgive()
    m.age()
    server.heal()
    m.collect()
    m.collect()
    settled(server, m, wanted + new, keep=False)
