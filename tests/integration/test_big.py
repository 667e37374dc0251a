"""Messages and maildrops that do not fit into small numbers."""
import os
import resource
import shutil
import subprocess
import time

import pytest

import drop
import pop3
from server import OURS, PATIENCE, memory

GIB = 1 << 30


def sparse(path, size):
    """A header, NULs up to the size, and a line that is recognised."""
    end = b"\nthe end\n"
    with open(path, "wb") as f:
        f.write(b"Subject: big\n\nbegin\n")
        f.truncate(size - len(end))
        f.seek(size - len(end))
        f.write(end)


def maildir_with(place, *sizes):
    box = place.maildir()
    for i, size in enumerate(sizes):
        path = box + "/new/%d.big" % i
        sparse(path, size)
        if place.owner:
            os.chown(path, *place.owner)
    return box


# Two line ends in the header, one before and one after "begin", and of the
# last lines two: each gains a CR.
GAIN = 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_message_of_5_gib(place, serve, login):
    """S-ENG-10: exact size, first and last octets, little memory."""
    size = 5 * GIB
    server = serve(maildir_with(place, size))
    session = login(server, timeout=600)
    assert session.stat() == (1, size + GAIN)
    assert session.list() == {1: size + GAIN}
    session.send("RETR 1\r\n")
    assert session.line().startswith(b"+OK")
    got = len(session.seen)
    head = tail = session.seen
    session.seen = b""
    buffer = bytearray(1 << 20)
    most = 0
    while not tail.endswith(b"\r\n.\r\n"):
        n = session.sock.recv_into(buffer)
        assert n
        if len(head) < 100:
            head += bytes(buffer[:n])
        tail = (tail + bytes(buffer[max(0, n - 50):n]))[-50:]
        if OURS and got // GIB != (got + n) // GIB:
            most = max([most] + [memory(pid) for pid in server.roles()])
        got += n
    assert head.startswith(b"Subject: big\r\n\r\nbegin\r\n\0\0\0\0")
    assert tail.endswith(b"\0\r\nthe end\r\n.\r\n")
    assert got == size + GAIN + 3
    assert most < 64 << 20
    session.ok("NOOP")
    session.quit()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sums_over_4_gib(place, serve, login):
    """S-1939-23, S-ENG-10: STAT and LIST beyond 2^32."""
    sizes = [3 * GIB, 2 * GIB + 1, 4 * GIB - 1, 100]
    server = serve(maildir_with(place, *sizes))
    session = login(server, timeout=600)
    assert session.stat() == (4, sum(sizes) + 4 * GAIN)
    assert sorted(session.list().values()) == sorted(
        s + GAIN for s in sizes)
    session.ok("DELE 1")
    left = session.list()
    assert session.stat() == (3, sum(left.values()))
    session.quit()


def many(place, count, host="mail.example"):
    """Hard links to one file in a hundred."""
    box = place.maildir(drop.make(71, 20))
    paths = [box + "/" + path for path in sorted(drop.files(box))]
    for i in range(count - 20):
        os.link(paths[i % 20], box + "/new/%d.link%d.%s" % (
            drop.EPOCH + i, i, host))
    return box


def halting(session, line):
    """The reply to a listing, taken by a client that stops again and again."""
    session.send(line + "\r\n")
    got, step = b"", 1
    while not got.endswith(b"\r\n.\r\n"):
        if step < 200000:
            time.sleep(0.1)
            step *= 3
        octets = session.receive(step)
        assert octets
        got += octets
    return got[got.index(b"\r\n") + 2:]


@pytest.mark.ours
@pytest.mark.parametrize("tls", [False, True])
def test_listing_in_pieces(place, serve, login, connect, tls):
    """Every octet once, however the client takes it, marks or none."""
    count = 7000
    server = serve(many(place, count, "h" * 40 + ".mail.example"))
    session = login(server)
    uids, sizes = session.uidl(), session.list()
    assert list(uids) == list(sizes) == list(range(1, count + 1))
    session.quit()
    session = connect(server.port, mss=1000)
    if tls:
        session.stls()
    session.login()
    for marked in ([], range(3, count, 7)):
        for n in marked:
            session.send("DELE %d\r\n" % n)
        for _ in marked:
            assert session.line().startswith(b"+OK")
        for line, said in ("UIDL", uids), ("LIST", sizes):
            wanted = "".join("%d %s\r\n" % (n, said[n]) for n in said
                             if n not in marked) + ".\r\n"
            assert halting(session, line) == wanted.encode()
            session.ok("NOOP")


@pytest.mark.ours
@pytest.mark.skipif(not shutil.which("strace"),
                    reason="strace is not installed")
def test_file_system_that_always_waits(place, serve, login):
    """One that does not know RWF_NOWAIT: the reader threads do it all."""
    server = serve(many(place, 6000))
    session = login(server)
    uids, sizes = session.uidl(), session.list()
    text = session.retr(5000)
    session.quit()
    tracers = [subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-e",
         "inject=preadv2:error=EOPNOTSUPP", "-p", str(pid)],
        stderr=subprocess.PIPE) for pid in server.roles("worker")]
    try:
        for tracer in tracers:
            assert b"attached" in tracer.stderr.readline()
        session = login(server)
        assert session.list() == sizes
        assert session.uidl() == uids
        assert session.ok("UIDL 5000") == b"+OK 5000 %s" % (
            uids[5000].encode())
        assert session.ok("LIST 3000") == b"+OK 3000 %d" % sizes[3000]
        assert session.retr(5000) == text
        session.ok("DELE 4000")
        del uids[4000]
        assert session.uidl() == uids
        session.quit()
    finally:
        for tracer in tracers:
            tracer.terminate()
            tracer.communicate()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.ours
def test_100_000_messages(place, serve, login):
    box = many(place, 100000)
    server = serve(box)
    session = login(server, timeout=300)
    assert session.stat()[0] == 100000
    sizes, uids = session.list(), session.uidl()
    assert len(sizes) == len(set(uids.values())) == 100000
    for n in (1, 50000, 100000):
        assert len(session.retr(n)) == sizes[n]
    session.quit()
    start = time.monotonic()
    session = login(server)
    assert session.uidl() == uids
    assert time.monotonic() - start < 3 * PATIENCE
    session.send("".join("DELE %d\r\n" % n for n in range(2, 100000, 2)))
    for _ in range(2, 100000, 2):
        assert session.line().startswith(b"+OK")
    left = session.list()
    assert list(left) == [1, *range(3, 100000, 2), 100000]
    session.quit()
    session = login(server, timeout=300)
    assert set(session.uidl().values()) == {uids[n] for n in left}
    session.quit()


@pytest.mark.ours
def test_few_descriptors(place, serve, connect):
    """It works, smaller, under ulimit -n 256."""
    box = place.maildir(drop.make(72, 100))
    server = serve(box, wrap=["prlimit", "--nofile=256:256"])
    held = []
    for _ in range(400):
        session = connect(server.port)
        if not session.greeting.startswith(b"+OK"):
            assert session.greeting.startswith(b"-ERR [SYS/TEMP]")
            break
        held.append(session)
    assert len(held) >= 20
    session = held[0]
    session.login()
    for n, size in session.list().items():
        assert len(session.retr(n)) == size
    session.quit()


@pytest.mark.ours
def test_memory_of_idle_sessions(place, serve, login):
    """2,000 of them cost little each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 5000), hard))
    server = serve(place.maildir(drop.make(73, 3)),
                   'sessions = "shared"\nmax_sessions_per_user = 2000\n')
    login(server).quit()
    count = min(2000, hard // 2 - 100)
    before = sum(memory(pid) for pid in server.roles())
    held = []
    try:
        for _ in range(count):
            held.append(pop3.Pop3(server.port))
            held[-1].login()
        grown = sum(memory(pid) for pid in server.roles()) - before
    finally:
        for session in held:
            session.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert grown / count < 12 * 1024
