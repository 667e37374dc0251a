"""When a process dies: what its sessions hear, and that all goes on.

A process is stopped first where a test needs it to die at a certain moment:
what it was sent then waits in its channel.
"""
import os
import signal
import time

import pytest

import drop
import pop3
from server import PATIENCE, alive, children, kill, wait_until

pytestmark = [pytest.mark.core, pytest.mark.ours]

MESSAGES = drop.make(51, 12)
BIG = drop.Message("new", "1.big", b"Subject: big\n\n"
                   + (b"y" * 79 + b"\n") * 400000, drop.EPOCH, "big")


@pytest.fixture
def box(place):
    return place.maildir(MESSAGES)


def signs_in(server, login):
    """A session, as soon as there can be one."""
    def attempt():
        try:
            return login(server)
        except (AssertionError, pop3.Closed, OSError):
            return None
    return wait_until(attempt, 15)


def works(server, login):
    session = signs_in(server, login)
    count, _ = session.stat()
    for n in range(1, count + 1):
        assert len(session.retr(n)) > 0
    session.quit()
    return count


def freeze(server, role):
    pids = server.roles(role)
    assert pids, role
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(state(pid) == "T" for pid in pids))
    return pids


def state(pid):
    with open("/proc/%d/stat" % pid) as f:
        stat = f.read()
    return stat[stat.rindex(")") + 2]


def kill_all(pids):
    for pid in pids:
        kill(pid)


def quiet_end(session):
    """True if the connection closes without a word."""
    return session.ended()


def test_store_dies_under_idle_sessions(box, serve, login):
    """Without a word: an -ERR would be taken for the next reply."""
    server = serve(box)
    session = login(server)
    session.ok("DELE 1")
    kill_all(server.roles("store"))
    assert quiet_end(session)
    assert works(server, login) == 12
    assert len(drop.files(box)) == 12


@pytest.mark.parametrize("command", ["RETR 1", "LIST", "UIDL", "TOP 1 0",
                                     "LIST 1"])
def test_store_dies_under_a_command(box, serve, login, command):
    server = serve(box)
    session = login(server)
    store = freeze(server, "store")
    session.send(command + "\r\n")
    time.sleep(0.3)
    kill_all(store)
    assert session.line().startswith(b"-ERR [SYS/TEMP] ")
    assert session.ended()
    assert works(server, login) == 12


def test_store_dies_under_quit(box, serve, login):
    """It is not known what was removed, and that is said."""
    server = serve(box)
    session = login(server)
    session.ok("DELE 1")
    store = freeze(server, "store")
    session.send("QUIT\r\n")
    time.sleep(0.3)
    kill_all(store)
    assert session.line().startswith(b"-ERR [SYS/TEMP] ")
    assert session.ended()
    assert works(server, login) in (11, 12)


def test_store_dies_under_a_login(box, serve, login, connect):
    server = serve(box)
    works(server, login)
    store = freeze(server, "store")
    session = connect(server.port)
    session.ok("USER user")
    session.send("PASS secret\r\n")
    time.sleep(0.3)
    kill_all(store)
    assert session.line().startswith(b"-ERR [SYS/TEMP] ")
    assert works(server, login) == 12


def test_store_dies_in_the_middle_of_data(place, serve, login):
    """What comes is not given a false end."""
    server = serve(place.maildir([BIG]))
    session = login(server, rcvbuf=65536)
    session.send("RETR 1\r\n")
    assert session.line().startswith(b"+OK")
    got = session.receive()
    kill_all(server.roles("store"))
    while True:
        octets = session.receive(1 << 20)
        if not octets:
            break
        got += octets
        if got.endswith(b"\r\n.\r\n"):
            break
    whole = drop.stuffed(drop.wire(BIG.stored))
    assert whole.startswith(got)
    assert works(server, login) == 1


def test_store_of_another_user(place, serve, login):
    """Sessions of other stores do not notice."""
    if os.geteuid() != 0:
        pytest.skip("one user, one store: needs root")
    theirs = place.maildir(MESSAGES, "theirs")
    os.makedirs(place.path + "/others")
    other = (place.owner[0] - 1, place.owner[1])
    mine = place.path + "/others/Maildir"
    drop.write(mine, MESSAGES, other)
    os.chown(place.path + "/others", *other)
    server = serve([("user", "secret", theirs), ("other", "secret", mine)])
    first, second = login(server), login(server, "other")
    stores = server.roles("store")
    owners = {pid: os.stat("/proc/%d" % pid).st_uid for pid in stores}
    assert {place.owner[0], other[0]} <= set(owners.values())
    kill_all([p for p, uid in owners.items() if uid == other[0]])
    assert quiet_end(second)
    assert first.stat()[0] == 12
    assert len(first.retr(1)) > 0
    first.quit()


def test_pop3_dies(box, serve, login):
    """Its sessions are released; those of the other one go on."""
    server = serve(box, 'workers = 2\nsessions = "shared"\n')
    sessions = [login(server) for _ in range(12)]
    for session in sessions:
        session.ok("DELE 1")
    victim = server.roles("worker")[0]
    kill(victim)
    wait_until(lambda: victim not in server.roles("worker"))
    living = []
    for session in sessions:
        try:
            session.ok("NOOP")
            living.append(session)
        except (pop3.Closed, OSError):
            pass
    assert len(living) < 12
    for session in living:
        assert session.stat()[0] == 11
        session.close()
    wait_until(lambda: len(server.roles("worker")) == 2)
    assert works(server, login) == 12


def test_pop3_dies_and_the_lock_is_free(box, serve, login):
    server = serve(box, "workers = 1\ntakeover = 0\n")
    session = login(server)
    session.ok("DELE 1")
    kill_all(server.roles("worker"))
    assert session.ended()
    assert works(server, login) == 12


def test_pop3_dies_after_quit(box, serve, login):
    """A commit that has been received is completed."""
    server = serve(box, "workers = 1\n")
    session = login(server)
    session.ok("DELE 1")
    session.ok("DELE 2")
    store = freeze(server, "store")
    session.send("QUIT\r\n")
    time.sleep(0.3)
    kill_all(server.roles("worker"))
    for pid in store:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: len(drop.files(box)) == 10)
    assert works(server, login) == 10


def test_auth_dies(box, serve, login, connect):
    """Sign-ins in flight get [SYS/TEMP]; signed-in sessions go on."""
    server = serve(box)
    session = login(server)
    other = connect(server.port)
    other.ok("USER user")
    auth = freeze(server, "auth")
    other.send("PASS wrong\r\n")
    time.sleep(0.3)
    kill_all(auth)
    assert other.line().startswith(b"-ERR [SYS/TEMP] ")
    assert session.stat()[0] == 12
    assert len(session.retr(3)) > 0
    session.ok("DELE 3")
    session.quit()
    assert works(server, login) == 11


def test_auth_dies_between_challenges(box, serve, login, connect):
    server = serve(box)
    session = connect(server.port)
    session.command("AUTH LOGIN")
    kill_all(server.roles("auth"))
    wait_until(lambda: server.roles("auth"))
    reply = session.command("dXNlcg==")
    assert reply.startswith((b"-ERR [SYS/TEMP]", b"-ERR "))
    assert works(server, login) == 12


def test_parent_dies(box, serve, login):
    """All end."""
    server = serve(box)
    session = login(server)
    session.ok("DELE 1")
    family = list(children(server.pid))
    assert len(family) >= 3
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not [pid for pid in family if alive(pid)])
    assert session.ended()
    assert len(drop.files(box)) == 12


def descriptors(server):
    """How many the parent has; only root may look."""
    if os.geteuid() != 0:
        return 0
    return len(os.listdir("/proc/%d/fd" % server.pid))


@pytest.mark.parametrize("role", ["worker", "auth", "store"])
def test_again_and_again(box, serve, login, role):
    """Restarted each time, later and later, and nothing leaks."""
    server = serve(box)
    works(server, login)
    before = descriptors(server)
    for _ in range(4):
        for pid in server.roles(role):
            kill(pid)
        assert works(server, login) == 12
    assert descriptors(server) <= before + 2


def test_all_die_at_once(box, serve, login):
    server = serve(box)
    works(server, login)
    kill_all(children(server.pid))
    assert works(server, login) == 12


def test_sigterm_lets_sessions_finish(box, serve, login, connect):
    server = serve(box, "stop_grace = 20\n")
    session = login(server)
    session.ok("DELE 1")
    server.signal(signal.SIGTERM)

    def refused():
        try:
            late = connect(server.port)
        except (OSError, pop3.Closed):
            return True
        late.close()
        return late.greeting.startswith(b"-ERR")
    wait_until(refused)
    assert session.stat()[0] == 11
    assert len(session.retr(2)) > 0
    session.quit()
    start = time.monotonic()
    assert server.process.wait(30) == 0
    assert time.monotonic() - start < 5 * PATIENCE
    assert len(drop.files(box)) == 11


def test_sigterm_ends_those_that_do_not(box, serve, login, connect):
    """S-1939-33: without UPDATE."""
    server = serve(box, "stop_grace = 1\n")
    session = login(server)
    session.ok("DELE 1")
    waiting = connect(server.port)
    start = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert time.monotonic() - start < 6 * PATIENCE
    assert session.ended()
    while waiting.receive():
        pass
    assert len(drop.files(box)) == 12


def test_sigint(box, serve):
    server = serve(box)
    server.signal(signal.SIGINT)
    assert server.process.wait(30) == 0
