"""A mailbox on a file system that its owner has mounted, or that root has."""
import os
import signal
import socket

import pytest

import drop
import fuse
from server import PATIENCE, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse"),
]


@pytest.fixture
def mount():
    mounted = []

    def start(*args, kind=fuse.Fuse):
        try:
            mounted.append(kind(*args))
        except OSError as e:
            pytest.skip(str(e))
        return mounted[-1]
    yield start
    for one in mounted:
        one.stop()


@pytest.mark.parametrize("where", ["cur", "new", ""])
def test_fuse_of_the_owner(place, serve, connect, login, mount, where):
    """It could answer when it likes, and worker and store would wait: that
    maildrop is refused, and all others are served."""
    mine, other = place.maildir(drop.make(1, 3)), place.maildir(
        drop.make(2, 4), name="other")
    owner = os.stat(mine)
    server = serve([("user", "secret", mine), ("other", "secret", other)],
                   "workers = 1\n")
    # The index is current; the times of the owner's directory are the same.
    login(server).quit()
    fs = mount(os.path.join(mine, where).rstrip("/"), owner.st_uid or 1,
               owner.st_gid)
    session = connect(server.port)
    session.ok("USER user")
    session.err("PASS secret", "SYS/PERM")
    assert fs.asked.count(fuse.READDIR) == 0
    session = connect(server.port)
    session.login("other", "secret")
    assert session.stat()[0] == 4
    session.quit()
    assert "has mounted" in server.await_event("open-failed")[0]["error"]


def test_a_message(place, serve, login, mount):
    """A file can be mounted upon, too: it is no message."""
    box = place.maildir(drop.make(1, 3))
    mail = os.path.join(box, "new", os.listdir(box + "/new")[0])
    owner = os.stat(mail)
    server = serve(box)
    mount(mail, owner.st_uid or 1, owner.st_gid)
    session = login(server)
    assert session.stat()[0] == 2
    session.quit()
    wait_until(lambda: "has mounted" in server.log_text())


WORKER = 65533  # its user, by tests/serve


@pytest.fixture
def slow(place, serve, mount):
    """slow(n, ...): a server, and the file system, of root, of the n messages of
    "user"; "other" has his on the disk, in the same store."""
    def start(n, more="", **how):
        mine = place.maildir()
        other = place.maildir(drop.make(2, 4), name="other")
        box = mount(mine + "/cur", [
            drop.Message("cur", "%d.M1P1.host:2,S" % (drop.EPOCH + i),
                         b"Subject: %d\n\n%d\n" % (i, i), 0, "")
            for i in range(n)], place.owner, kind=fuse.Mail)
        server = serve([("user", "secret", mine), ("other", "secret", other)],
                       "workers = 1\n" + more, **how)
        return server, box
    return start


def await_held(box, number, who):
    """So many processes wait in close(), and none of them in its loop."""
    wait_until(lambda: len(box.held) >= number)
    who.ok("NOOP")


def test_close_that_waits(place, slow, login):
    """It does not hold up the loops: of the store that has passed the file, and
    of the worker that has read it."""
    server, box = slow(40)
    session, other = login(server), login(server, "other")
    box.holding = {WORKER, place.owner[0]}
    for n in range(1, 41):
        assert session.retr(n) == drop.wire(box.mail[n + 1].stored)
    await_held(box, 2, session)
    assert len(other.retr(1)) > 0
    other.quit()
    login(server, "other").quit()
    # What a session has held ahead is closed as it ends.
    session.quit()
    login(server).quit()
    box.let_go()
    login(server).quit()


@pytest.mark.parametrize("what", ["folder", "message"])
def test_open_that_waits(place, slow, login, what):
    """Nor does what is asked of the file system before that."""
    server, box = slow(3)
    session, other = login(server), login(server, "other")
    box.holds = {fuse.OPENDIR if what == "folder" else fuse.OPEN}
    box.holding = {place.owner[0]}
    session.send("RETR 2\r\n")
    wait_until(lambda: box.held)
    assert len(other.retr(1)) > 0
    other.quit()
    login(server, "other").quit()
    box.let_go()
    assert session.line().startswith(b"+OK")
    assert session.data()
    session.quit()


@pytest.mark.parametrize("lives, holds", [
    (0, {fuse.GETATTR, fuse.OPENDIR}),
    (3600, {fuse.OPEN, fuse.OPENDIR}),
], ids=["attributes", "open"])
def test_maildrop_that_waits(place, serve, mount, login, connect, lives, holds):
    """All of it is there.  Its attributes are asked for each time; or all is in the
    kernel's memory, but to open a file asks."""
    mine, other = place.maildir(), place.maildir(drop.make(2, 4), name="other")
    server = serve([("user", "secret", mine), ("other", "secret", other)],
                   "workers = 1\nsessions = \"shared\"\n")
    box = mount(mine, place.owner, kind=fuse.Maildir)
    box.lives = lives
    for _ in range(3):  # the kernel forgets what changes
        login(server).quit()
    box.holds, box.holding = holds, {place.owner[0]}
    session = connect(server.port)
    session.send("USER user\r\nPASS secret\r\n")
    wait_until(lambda: box.held)
    assert login(server, "other").stat()[0] == 4
    box.let_go()
    for _ in range(2):
        assert session.line().startswith(b"+OK")
    session.quit()


def test_many_that_wait(place, serve, mount, login, connect):
    """More maildrops than the store has threads are on a file system that does
    not answer: one on a disk is read, whose index was never made."""
    names = ["user%d" % n for n in range(20)]
    boxes = [place.maildir(name=name) for name in names]
    other = place.maildir(drop.make(2, 4), name="other")
    server = serve([(name, "secret", box) for name, box in zip(names, boxes)]
                   + [("other", "secret", other)], "workers = 1\n")
    fs = mount(boxes[0] + "/cur", [], place.owner, kind=fuse.Mail)
    for box in boxes[1:]:
        fs.also_at(box + "/cur")
    fs.holds, fs.holding = {fuse.OPENDIR}, {place.owner[0]}
    waiting = [connect(server.port) for _ in names]
    for name, session in zip(names, waiting):
        session.send("USER %s\r\nPASS secret\r\n" % name)
    wait_until(lambda: fs.held)
    session = login(server, "other")
    assert session.stat()[0] == 4
    session.quit()
    fs.let_go()
    for session in waiting:
        for _ in range(2):
            assert session.line().startswith(b"+OK")
        session.quit()


def test_attributes_that_wait(place, slow, login, connect):
    """A sign-in asks for them, as the kernel does not believe them for long."""
    server, box = slow(3)
    box.lives = 0
    login(server).quit()
    other = login(server, "other")
    box.holds, box.holding = {fuse.GETATTR, fuse.LOOKUP}, {place.owner[0]}
    session = connect(server.port)
    session.send("USER user\r\nPASS secret\r\n")
    wait_until(lambda: box.held)
    assert len(other.retr(1)) > 0
    other.quit()
    login(server, "other").quit()
    box.let_go()
    for _ in range(2):
        assert session.line().startswith(b"+OK")
    session.quit()


@pytest.mark.parametrize("asked", ["OPEN", "FLUSH"])
def test_lock_that_waits(place, serve, mount, login, connect, asked):
    """A file that a session has from its beginning to its end: it is opened, and
    let go of, where nobody else waits."""
    mine = place.maildir(drop.make(1, 3))
    other = place.maildir(drop.make(2, 4), name="other")
    server = serve([("user", "secret", mine), ("other", "secret", other)],
                   "workers = 1\n")
    login(server).quit()
    login(server).quit()
    lock = mount(mine + "/malote.lock", [], place.owner, kind=fuse.Mail)
    if asked == "FLUSH":
        session = login(server)
    lock.holds, lock.holding = {getattr(fuse, asked)}, {place.owner[0]}
    if asked == "FLUSH":
        session.quit()
    session = connect(server.port)
    session.send("USER user\r\nPASS secret\r\n")
    wait_until(lambda: lock.held)
    assert login(server, "other").stat()[0] == 4
    lock.let_go()
    for _ in range(2):
        assert session.line().startswith(b"+OK")
    session.quit()


@pytest.mark.parametrize("role", ["worker", "store"])
def test_close_that_waits_for_ever(place, slow, login, role):
    """There is an end to what is kept so: then messages of that maildrop cannot
    be had, and all else can; the log says so."""
    server, box = slow(400, wrap=("prlimit", "--nofile=1000:1000"))
    session = login(server)
    box.holding = {WORKER if role == "worker" else place.owner[0]}
    for n in range(1, 401):
        session.send("RETR %d\r\n" % n)
        if not session.line().startswith(b"+OK"):
            break
        session.data()
    assert 32 < n < 400
    other = login(server, "other")
    assert other.stat()[0] == 4
    for _ in range(40):
        assert len(other.retr(1)) > 0
    other.quit()
    session.ok("NOOP")
    assert server.await_event("close-stuck")
    box.let_go()
    wait_until(lambda: session.command("RETR 1").startswith(b"+OK")
               and session.data())
    session.quit()


@pytest.mark.parametrize("again", [False, True])
def test_end_of_what_cannot_be_killed(place, slow, login, again):
    """maloted ends all the same, and its port is free."""
    server, box = slow(3, more="stop_grace = 1\n")
    session = login(server)
    box.holding = {WORKER}
    assert session.retr(1)
    wait_until(lambda: box.held)
    server.process.send_signal(signal.SIGTERM)
    if again:
        server.await_event("stop")
        server.process.send_signal(signal.SIGTERM)
    server.process.wait(60 * PATIENCE)
    left, = wait_until(
        lambda: [e for e in server.events("stop") if "role" in e])
    assert "cannot be killed" in left["error"] and left["role"] == "worker"
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", server.port))
        s.listen()
    box.let_go()
    wait_until(lambda: not os.path.exists("/proc/" + left["pid"]))
