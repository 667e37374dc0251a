"""An index that lies, or is damaged: its owner loses nothing that was not
named, and nobody else notices.
"""
import contextlib
import hashlib
import os
import random
import re
import shutil
import subprocess
import tempfile
import time

import pytest

import drop
import index
import pop3
from server import wait_until

pytestmark = pytest.mark.ours

ONE = "workers = 1\n"


def settled(server, login, box, user="user"):
    """Its index needs no directory any more."""
    for _ in range(2):
        login(server, user).quit()
        time.sleep(0.05)
    return box + "/malote.index"


def read(path):
    with open(path, "rb") as f:
        return bytearray(f.read())


def write(path, octets):
    """In place, as whoever owns the mail can."""
    with open(path, "r+b") as f:
        f.write(octets)
        f.truncate()


def two_users(place, serve, config=ONE):
    boxes = [place.maildir(drop.make(n, 60), name)
             for n, name in enumerate(["alice", "bob"])]
    return boxes, serve([(name, "secret", box) for name, box
                         in zip(["alice", "bob"], boxes)], config)


def ask_all(session, count):
    """Much at a time; what is answered, until the session ends."""
    session.send(b"".join(b"UIDL %d\r\n" % n for n in range(1, count + 1)) +
                 b"RETR 1\r\n")
    answers = []
    try:
        while len(answers) <= count:
            answers.append(session.line())
    except pop3.Closed:
        pass
    return answers


def test_flipped_bit(place, serve, login):
    """The one whose index it is gets an answer, once; the other goes on."""
    (box, _), server = two_users(place, serve)
    path = settled(server, login, box, "alice")
    other = login(server, "bob")
    octets = read(path)
    octets[20] ^= 1
    write(path, octets)
    session = login(server, "alice")
    answers = ask_all(session, 50)
    assert len(answers) == 51
    assert all(a.startswith(b"-ERR [SYS/TEMP]") for a in answers)
    session.ok("NOOP")
    session.quit()
    other.ok("NOOP")
    wait_until(lambda: len(server.events("session")) >= 3)
    assert not server.events("misbehaved")
    assert len(server.events("index-broken")) == 1
    assert len(server.events("index-doubted")) == 1
    session = login(server, "alice")
    assert len(session.uidl()) == 60


def test_fewer_than_there_are(place, serve, login):
    """Marks of four, a listing of a thousand."""
    box = place.maildir(drop.make(5, 1000))
    server = serve(box, ONE)
    path = settled(server, login, box)
    octets = read(path)
    index.put32(octets, len(octets) - index.TRAILER + 8, 4)
    index.mend_trailer(octets, len(octets) - index.TRAILER)
    write(path, octets)
    session = login(server)
    assert session.stat()[0] == 4
    session.command("DELE 1")
    with pytest.raises(pop3.Closed):
        session.listing("LIST")
    wait_until(lambda: len(server.events("session")) >= 3)
    assert len(drop.files(box)) == 1000
    session = login(server)
    assert session.stat()[0] == 1000


@pytest.mark.parametrize("count", [2 ** 32 - 1, 10 ** 7 + 1])
def test_more_than_can_be(place, serve, login, count):
    """No number of messages is believed that does not fit anywhere."""
    box = place.maildir(drop.make(5, 20))
    server = serve(box, ONE + "mark_seen = yes\n")
    path = settled(server, login, box)
    octets = read(path)
    index.put32(octets, len(octets) - index.TRAILER + 8, count)
    index.mend_trailer(octets, len(octets) - index.TRAILER)
    write(path, octets)
    session = login(server)
    assert session.stat()[0] == 20
    session.retr(20)
    session.ok("DELE 19")
    session.quit()
    assert len(drop.files(box)) == 19


def dialogue(session, rng):
    """Marks some messages; the unique-ids that it was told of those."""
    count = session.stat()[0]
    told = set()
    for n in rng.sample(range(1, min(count, 100) + 1), min(count, 100) // 3):
        answer = session.command("UIDL %d" % n)
        if rng.randrange(3) == 0 and \
                session.command("RETR %d" % n).startswith(b"+OK"):
            session.data()
        if session.command("DELE %d" % n).startswith(b"+OK"):
            told.add(answer.split()[2].decode()
                     if answer.startswith(b"+OK") else None)
    if rng.randrange(2) == 0 and session.command("LIST").startswith(b"+OK"):
        session.data()
    return told


def uids(box):
    """What each message has as its unique-id, whatever the index says: a
    line of malote-uidl, or what src/server/store/maildir/uidl.c makes of its name.
    """
    given = {}
    if os.path.exists(box + "/malote-uidl"):
        for line in open(box + "/malote-uidl"):
            words = line.split()
            if words[1] == "u":
                given.setdefault(words[3], words[2])
    found = {}
    for name in drop.files(box):
        base = os.path.basename(name).split(":")[0]
        if len(base) > 70 or not re.fullmatch("[!-~]+", base):
            digest = hashlib.sha256(b"0/" + os.fsencode(base)).hexdigest()
            base = "malote:" + digest[:32]
        found[base] = given.get(base, base)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_anything(place, serve, login, connect, seed):
    """Whatever it says, nothing that was not named goes, and another's
    session does not even notice."""
    rng = random.Random(seed)
    (box, _), server = two_users(place, serve, ONE + "mark_seen = yes\n")
    path = settled(server, login, box, "alice")
    other = login(server, "bob")
    whole = read(path)
    for _ in range(8):
        octets = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            index.forge(octets, rng)
        write(path, octets)
        session = connect(server.port)
        session.ok("USER alice")
        if not session.command("PASS secret").startswith(b"+OK"):
            continue
        there = uids(box)
        told = set()
        try:
            told = dialogue(session, rng)
            session.command("QUIT")
        except pop3.Closed:
            told = set()
        session.close()
        other.ok("NOOP")
        wait_until(lambda: free(server))
        left = uids(box)
        assert {there[key] for key in there.keys() - left.keys()} <= told
        time.sleep(0.05)
        whole = read(path)
    assert not server.events("misbehaved")


def free(server):
    with pop3.Pop3(server.port) as session:
        session.ok("USER alice")
        if not session.command("PASS secret").startswith(b"+OK"):
            return False
        session.ok("QUIT")
        return True


def block(first, n):
    """Of messages that have neither sizes nor names."""
    head = bytearray(index.HEADER)
    head[:8] = b"MALOTEI3"
    index.put32(head, 8, first)
    index.put32(head, 12, n)
    for i in range(3):
        index.put64(head, 32 + 8 * i, index.xxh3(b""))
    index.put64(head, 88, index.xxh3(head[:88]))
    return head + bytes(n * index.RECORD + index.TRAILER)


def many_blocks(path, first, n, then, count=10 ** 7):
    """One block, and many others behind it."""
    trailer = read(path)[-index.TRAILER:]
    index.put32(trailer, 8, count)
    index.put32(trailer, 12, n)
    index.mend_trailer(trailer, 0)
    forged = first + then * (n - 1)
    forged[-index.TRAILER:] = trailer
    write(path, forged)


@contextlib.contextmanager
def turns(pid):
    """A list that gets the number of reads in each turn of a process's loop:
    the thread of the loop is the one that is called as the process."""
    with tempfile.NamedTemporaryFile("r") as log:
        tracer = subprocess.Popen(
            ["strace", "-qq", "-s", "0", "-o", log.name, "-f", "-p", str(pid)],
            stderr=subprocess.DEVNULL)
        found = []
        try:
            wait_until(lambda: traced(pid))
            yield found
        finally:
            tracer.terminate()
            tracer.wait(20)
        for turn in re.split(r"^%d +epoll_p?wait.*$" % pid, log.read(),
                             flags=re.M):
            found.append(len(re.findall(r"^%d +pread" % pid, turn, re.M)))


def traced(pid):
    with open("/proc/%d/status" % pid) as f:
        return not re.search(r"TracerPid:\t0$", f.read(), re.M)


tracing = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("strace"),
    reason="needs root and strace")


@tracing
def test_turns_are_short(place, serve, login):
    """Whoever is made to walk through thousands of empty blocks, again and
    again, does it in small steps."""
    (box, _), server = two_users(place, serve)
    path = settled(server, login, box, "alice")
    many_blocks(path, block(1, 1), 5000, block(2, 0))
    session = login(server, "alice")
    assert session.stat()[0] == 10 ** 7
    with turns(server.roles("worker")[0]) as found:
        # The first goes back to the beginning, the second comes to the end.
        session.send(b"LIST 1\r\nLIST 3\r\n" * 2)
        for _ in range(4):
            assert session.line().startswith(b"-ERR [SYS/TEMP]")
    assert sum(found) > 2 * 4500
    assert max(found) < 3000


@tracing
def test_turns_of_the_store(place, serve, login):
    """It walks through an index that has many blocks on a thread."""
    (box, _), server = two_users(place, serve)
    path = settled(server, login, box, "alice")
    many_blocks(path, block(1, 1), 5000, block(2, 0))
    session = login(server, "alice")
    store, = server.roles("store")
    with turns(store) as found:
        assert session.command("RETR 1").startswith(b"-ERR [SYS/TEMP]")
    assert max(found) < 3000
