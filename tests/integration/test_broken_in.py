"""What a process that was broken into can say to the others, and what comes
of it.  A tracer makes it speak (inject.c): each message is one that the real
process could have sent.
"""
import contextlib
import os
import platform
import signal
import struct
import subprocess

import pytest

import control
import drop
import pop3
from server import TOP, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
]

# src/server/ipc/roles.h
WORKER, AUTH, STORE = 1, 2, 3
PARENT_FD, LOG_FD = 3, 2
FIRST = 20000  # the uid of a user
IPC = control.TYPES


@pytest.fixture(scope="module")
def inject(tmp_path_factory):
    """inject(pid, what): see inject.c.  ends: it may be ended at once."""
    program = str(tmp_path_factory.mktemp("inject") / "inject")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program,
                    TOP + "/tests/integration/inject.c"],
                   check=True, timeout=60)

    def run(pid, what, ends=False):
        done = subprocess.run([program, str(pid), what], timeout=20,
                              capture_output=True, text=True)
        assert done.stdout == what + " 0\n" or (
            ends and done.returncode == 3), done
    return run


@pytest.fixture(scope="module")
def say(inject):
    """say(pid, fd, octets): the process writes them there."""
    return lambda pid, fd, octets, ends=False: inject(
        pid, "say:%d:%s" % (fd, octets.hex()), ends)


def await_login(server, login):
    def can():
        try:
            login(server).quit()
            return True
        except (AssertionError, pop3.Closed):
            return False
    wait_until(can)


def accusation(role, index=0):
    return struct.pack("=HBH", IPC["MISBEHAVED"], role, index)


def sockets(pid):
    """Its channels, in the order in which it got them: the parent's first,
    then those of a store to each worker and to auth."""
    found = []
    for fd in sorted(map(int, os.listdir("/proc/%d/fd" % pid))):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink("/proc/%d/fd/%d" % (pid, fd)).startswith("socket:"):
                found.append(fd)
    return found


def test_nonsense(place, serve, login, say):
    """The two are without each other, then they work together again."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 1\n")
    session = login(server)
    before = server.roles()
    store, = server.roles("store")
    parent, worker, *_ = sockets(store)
    assert parent == PARENT_FD
    say(store, worker, b"nonsense")
    server.await_event("misbehaved")
    with pytest.raises(pop3.Closed):
        session.line()
    await_login(server, login)
    assert server.roles() == before
    assert len(server.events("misbehaved")) == 1


@pytest.mark.parametrize("role, others", [
    ("store", [WORKER, AUTH]), ("auth", [WORKER, STORE]),
    ("worker", [AUTH, STORE])])
def test_accusations(place, serve, login, say, role, others):
    """Who accuses has cut itself off, for a moment; nobody is ended."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 1\n")
    login(server).quit()
    before = server.roles()
    liar, = server.roles(role)
    for _ in range(3):
        for other in others:
            say(liar, PARENT_FD, accusation(other))
    server.await_event("misbehaved", len(others))
    say(liar, LOG_FD, b"E %s ev=last\n" % role.encode())
    server.await_event("last")
    await_login(server, login)
    assert server.roles() == before
    assert not server.events("ended")


def test_accusation_of_a_stranger(place, serve, login, say):
    """Of one that it has no channel to: that breaks the rules."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 2\n")
    login(server).quit()
    liar, other = server.roles("worker")
    say(liar, PARENT_FD, accusation(WORKER, 1), ends=True)
    assert server.await_event("misbehaved")[0]["by"] == "parent"
    server.await_event("ended")
    await_login(server, login)
    assert liar not in server.roles() and other in server.roles()


def test_nonsense_to_the_parent(place, serve, login, say):
    """It has read that itself, and ends who said it."""
    server = serve(place.maildir(drop.make(3, 5)))
    login(server).quit()
    before = server.roles()
    store, = server.roles("store")
    say(store, PARENT_FD, b"nonsense", ends=True)
    server.await_event("ended")
    await_login(server, login)
    assert store not in server.roles()
    assert len(set(before) & set(server.roles())) == len(before) - 1


def test_auth_wants_a_store_of_root(place, serve, login, say):
    """Whatever auth says, by either message."""
    server = serve(place.maildir(drop.make(3, 5)), "first_uid = 2\n")
    login(server).quit()
    auth, = server.roles("auth")
    stores = server.roles("store")
    for n, uid in enumerate((0, 1)):
        say(auth, PARENT_FD, struct.pack(
            "=HIII", IPC["STORE_WANTED"], uid, 5, 0))
        say(auth, PARENT_FD, struct.pack(
            "=HHIII", IPC["REPLACE"], 0, uid, 5, 0))
        server.await_event("store-refused", 2 * n + 2)
    assert {e["why"].split()[0] for e in server.events("store-refused")} == {
        "not"}
    assert server.roles("store") == stores
    await_login(server, login)


def test_auth_wants_a_store_in_no_root_of_ours(place, serve, login, say):
    """It names a mail root by its number, and the parent knows which there
    are."""
    server = serve(place.maildir(drop.make(3, 5)))
    login(server).quit()
    auth, = server.roles("auth")
    stores = server.roles("store")
    for n, root in enumerate((1, 0xffffffff), 1):
        say(auth, PARENT_FD, struct.pack(
            "=HIII", IPC["STORE_WANTED"], 4000, 4000, root))
        told = server.await_event("store-refused", n)[-1]
        assert told["why"] == "there is no such mail root"
    assert server.roles("store") == stores
    await_login(server, login)


def texts(*strings):
    return b"".join(struct.pack("=I", len(s)) + s for s in strings)


def test_sign_in_of_others(place, serve, connect, login, say):
    """A store answers sign-ins that auth has given to it.  Here it has none:
    what it says of those that auth is about to refuse changes nothing."""
    server = serve(place.maildir(drop.make(3, 5)),
                   "workers = 1\nfailure_delay = yes\n")
    login(server).quit()
    worker = sockets(server.roles("store")[0])[1]
    store, = server.roles("store")
    waiting = []
    for n in range(3):
        session = connect(server.port)
        session.ok("USER user")
        session.send("PASS wrong%d\r\n" % n)
        waiting.append(session)
        failed = server.await_event("login-failed", n + 1)[n]
        sid = int(failed["sid"].split(".")[1], 16)
        for token in (0, 1, sid):
            say(store, worker, struct.pack("=HQQ", IPC["OPENED"], sid, token)
                + texts(b"user")
                + struct.pack("=IQIBIII", 5, 1000, 0, 0, 0, 0, 0))
            say(store, worker,
                struct.pack("=HQQB", IPC["NOT_OPENED"], sid, token, 1)
                + texts(b"user") + struct.pack("=Q", 0) + texts(b"nobody"))
    for session in waiting:
        assert session.line().startswith(b"-ERR [AUTH]")
    assert len(server.events("login")) == 1
    assert not server.events("misbehaved")


def sid_of(server, nth=0):
    login = server.await_event("login", nth + 1)[nth]
    return int(login["sid"].split(".")[1], 16)


# Of a session that waits for none of it: fields behind its number.
UNASKED = [
    ("auth", "CHALLENGE", texts(b"who are you")),
    ("auth", "REFUSED", b"\0" + texts(b"user", b"") + struct.pack("=I", 0)),
    ("store", "NOT_OPENED", struct.pack("=QB", 0, 1) + texts(b"user")
     + struct.pack("=Q", 0) + texts(b"nobody")),
    ("store", "OPENED", struct.pack("=Q", 0) + texts(b"user")
     + struct.pack("=IQIBIII", 5, 1000, 0, 0, 0, 0, 0)),
    ("store", "INDEX_IS", struct.pack("=BQ", 0, 0)),
    ("store", "FETCHED", struct.pack("=BIBBQQQ", 1, 1, 1, 0, 0, 9, 9)),
    ("store", "COMMITTED", struct.pack("=II", 1, 0)),
]


@pytest.mark.parametrize("role, message, fields", UNASKED,
                         ids=[m for _, m, _ in UNASKED])
def test_unasked(place, serve, login, say, role, message, fields):
    """The client hears no word that it did not ask for: it would take that
    for the next reply.  Either nothing comes of it, or the session ends."""
    server = serve(place.maildir(drop.make(3, 5)),
                   "workers = 1\nsessions = \"shared\"\n")
    session = login(server)
    session.retr(1)
    nothing = session.command("NOOP")
    liar, = server.roles(role)
    _, worker, *_ = sockets(liar)
    say(liar, worker,
        struct.pack("=HQ", IPC[message], sid_of(server)) + fields)
    await_login(server, login)  # it has been read by now
    said = []
    try:
        session.send("NOOP\r\nDELE 1\r\nSTAT\r\n")
        for _ in range(3):
            said.append(session.line())
    except (pop3.Closed, ConnectionError):
        assert not said and not session.seen
        server.await_event("misbehaved")
    else:
        assert said[0] == nothing and said[2].startswith(b"+OK 4 ")
    # An answer that cannot be, and not one that comes too late.
    assert (message in ("INDEX_IS", "FETCHED")) == (not said)


def test_sessions_of_another_store(place, serve, login, say):
    """A store can say something of its own sessions only."""
    users = []
    for n, name in enumerate(("own", "other")):
        box = os.path.join(place.path, name)
        drop.write(box, drop.make(3, 5), (FIRST + n, FIRST + n))
        os.chown(box, FIRST + n, FIRST + n)
        users.append((name, "secret", box))
    server = serve(users, "workers = 1\n")
    session = login(server, "own")
    own, = server.roles("store")
    login(server, "other").quit()
    other, = set(server.roles("store")) - {own}
    worker = sockets(other)[1]
    sid = sid_of(server)
    say(other, worker, struct.pack("=HQI", IPC["YIELD"], sid, 0))
    login(server, "other").quit()
    session.ok("DELE 1")
    os.kill(own, signal.SIGSTOP)
    session.send("NOOP\r\nQUIT\r\n")
    assert session.line().startswith(b"+OK")
    say(other, worker, struct.pack("=HQII", IPC["COMMITTED"], sid, 0, 1))
    login(server, "other").quit()
    os.kill(own, signal.SIGCONT)
    assert session.line().startswith(b"+OK")
    assert not server.events("misbehaved")


def test_stored_password(place, serve, login, say):
    """Without the setting nothing that auth says reaches the users file; with
    it, no hash that the setting does not name, and nobody who is locked out."""
    box = place.maildir(drop.make(3, 5))
    scram = "{SCRAM-SHA-256}15000,c2FsdHNhbHRzYWx0,%s,%s" % (
        ("A" * 43 + "=",) * 2)
    text = "user:{PLAIN}secret\nlocked:*\n"
    users = place.path + "/users"
    with open(users, "w", encoding="ascii") as f:
        f.write(text)

    def row(name, was):
        return struct.pack("=H", IPC["UPGRADE"]) + texts(name, was, scram.encode())

    settings = "users = '%s'\n" % users
    server = serve(box, settings)
    auth, = server.roles("auth")
    with contextlib.suppress(AssertionError):  # it may end in the middle
        say(auth, PARENT_FD, row(b"user", b"{PLAIN}secret"))
    server.await_event("misbehaved")
    wait_until(lambda: server.roles("auth") not in ([], [auth]))

    server = serve(box, settings + 'upgrade_scheme = "ARGON2ID"\n')
    auth, = server.roles("auth")
    say(auth, PARENT_FD, row(b"user", b"{PLAIN}secret"))
    say(auth, PARENT_FD, row(b"locked", b"*"))
    seen = server.await_event("not-upgraded", 2)
    assert [e["why"] for e in seen] == ["not-permitted"] * 2
    assert server.roles("auth") == [auth]
    with open(users, encoding="ascii") as f:
        assert f.read() == text


def test_lines_of_the_log(place, serve, login, say):
    """A process writes lines in its own name only, and only as lines."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 1\n")
    login(server).quit()
    store, = server.roles("store")
    say(store, LOG_FD, b"E auth ev=one\n"
        b"E store.7 ev=two\nE store ev=three text=\"\x1b[2J\x9b2J\"\n"
        b"2026-01-01T00:00:00.000Z E store.7 ev=four\n"
        b"E store ev=five\rE store ev=six\n")
    server.await_event("six")
    lines = [x.split(" ", 1)[1] for x in server.log_text().splitlines()]
    assert [x for x in lines if " store.0 " in " " + x
            and "ev=uidl-decided" not in x] == [
        "W store.0 ev=stderr text=\"E auth ev=one\"",
        "W store.0 ev=stderr text=\"E store.7 ev=two\"",
        "E store.0 ev=three text=\"?[2J?2J\"",
        "W store.0 ev=stderr text=\"2026-01-01T00:00:00.000Z E store.7 "
        "ev=four\"",
        "E store.0 ev=five?E store ev=six"]


@pytest.mark.slow
def test_stuck(place, serve, login):
    """A process whose loop does not turn is ended, and started again."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 2\n")
    login(server).quit()
    stuck, well = server.roles("worker")
    os.kill(stuck, signal.SIGSTOP)
    event, = server.await_event("stuck", 1, 60)
    assert (event["role"], event["pid"]) == ("worker", str(stuck))
    assert 25 <= int(event["seconds"]) <= 60
    wait_until(lambda: len(server.roles("worker")) == 2)
    assert well in server.roles("worker")
    login(server).quit()
    assert len(server.events("stuck")) == 1


@pytest.mark.parametrize("command", ["RETR 1", "UIDL 1"])
def test_no_room_for_descriptors(place, serve, login, inject, command):
    """What a store passes finds no room in the worker: an answer to that
    session, and nobody has misbehaved."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 1\n",
                   wrap=("prlimit", "--nofile=2100:2100"))
    session = login(server)
    worker, = server.roles("worker")
    unused = 1 + max(int(fd) for fd in os.listdir("/proc/%d/fd" % worker))
    inject(worker, "fill")
    assert session.command(command).startswith(b"-ERR [SYS/TEMP]")
    inject(worker, "close:%d" % unused)
    session.ok("NOOP")
    assert len(session.retr(1)) > 0
    assert len(session.uidl()) == 5
    session.quit()
    assert not server.events("misbehaved")
