"""A message of a gibibyte, and ten thousand small ones."""
import hashlib
import os
import socket
import threading

import pytest

import drop
import malote
from malote import check_names, same
from server import free_port

pytestmark = [malote.NEEDED, pytest.mark.slow, pytest.mark.timeout(900)]
# Beside what it takes for an empty maildrop.
MEMORY = (150 if "SAN_OPTIONS" in "".join(os.environ) else 24) << 20
PIECE = b"".join(b"line %06d of a text that is long\n" % i
                 for i in range(30000))
HEAD = b"Subject: large\nMessage-ID: <large@example.org>\n\n"


class Endless:
    """A server of one message, made while it is sent; `times` PIECEs."""

    def __init__(self, times):
        self.times = times
        self.wire = PIECE.replace(b"\n", b"\r\n")
        self.head = HEAD.replace(b"\n", b"\r\n")
        self.size = len(self.head) + times * len(self.wire)
        self.here = len(HEAD) + times * len(PIECE)
        self.gone = False
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with s:
                self.session(s)

    def session(self, s):
        lines = s.makefile("rb")
        marked = False
        s.sendall(b"+OK\r\n")
        for line in lines:
            verb = line.split()[0].upper()
            n = 0 if self.gone else 1
            if verb == b"CAPA":
                s.sendall(b"+OK\r\nUIDL\r\nTOP\r\nUSER\r\nPIPELINING\r\n.\r\n")
            elif verb == b"STAT":
                s.sendall(b"+OK %d %d\r\n" % (n, n * self.size))
            elif verb in (b"LIST", b"UIDL") and b" " in line:
                s.sendall(b"+OK 1 %s\r\n" % (
                    b"large" if verb == b"UIDL" else b"%d" % self.size))
            elif verb == b"LIST":
                s.sendall(b"+OK\r\n" + b"1 %d\r\n" % self.size * n + b".\r\n")
            elif verb == b"UIDL":
                s.sendall(b"+OK\r\n" + b"1 large\r\n" * n + b".\r\n")
            elif verb == b"RETR":
                s.sendall(b"+OK\r\n" + self.head)
                for _ in range(self.times):
                    s.sendall(self.wire)
                s.sendall(b".\r\n")
            else:
                marked |= verb == b"DELE"
                s.sendall(b"+OK\r\n")
                if verb == b"QUIT":
                    self.gone |= marked
                    return

    def digest(self):
        h = hashlib.sha256(HEAD)
        for _ in range(self.times):
            h.update(PIECE)
        return h.digest()

    def stop(self):
        self.listener.close()


def digest(path, skip=0):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        f.readline() if skip else None
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.digest()


@pytest.fixture
def endless():
    server = Endless((1 << 30) // len(PIECE) + 1)
    yield server
    server.stop()


def little(m, done):
    """Compared with a run that finds nothing."""
    empty = m.collect()
    assert done.memory < empty.memory + MEMORY, (done.memory, empty.memory)


def test_a_gibibyte(endless, client):
    """C-ENG-18: in little memory."""
    m = client().account(at=endless.port, keep="no", session_timeout="1h")
    done = m.collect(seconds=300)
    names = os.listdir(m.home + "/mail/new")
    assert len(names) == 1 and ",S=%d," % endless.here in names[0]
    assert digest(m.home + "/mail/new/" + names[0]) == endless.digest()
    assert endless.gone
    little(m, done)


def test_a_gibibyte_to_a_command(endless, client):
    m = client().account(at=endless.port, keep="no", session_timeout="1h")
    # Longer than the timeout: the larger it is, the longer it may take.
    m.account(timeout=2,
              deliver="command:sh -c 'sleep 3; sha256sum >%s/sum'" % m.home)
    done = m.collect(seconds=300)
    with open(m.home + "/sum") as f:
        assert f.read().split()[0] == endless.digest().hex()
    assert endless.gone and os.listdir(m.state + "/spool") == []
    little(m, done)


def test_a_gibibyte_to_an_mbox(endless, client):
    m = client().account(at=endless.port, keep="no", session_timeout="1h")
    m.account(deliver="mbox:" + m.home + "/mbox")
    done = m.collect(seconds=300)
    size = os.path.getsize(m.home + "/mbox")
    with open(m.home + "/mbox", "rb") as f:
        first = f.readline()
    assert first.startswith(b"From ")
    assert size == len(first) + endless.here + 1
    os.truncate(m.home + "/mbox", size - 1)
    assert digest(m.home + "/mbox", skip=1) == endless.digest()
    assert endless.gone
    little(m, done)


@pytest.mark.parametrize("keep", ["no", "yes"])
def test_ten_thousand(place, serve, client, keep):
    """Deleted at once; or when the setting has changed."""
    maker = drop.Maker(93)
    text = [maker.plain(i) for i in range(10000)]
    box = place.maildir([
        drop.Message("new", "%d.m" % i, x, drop.EPOCH + i, "small")
        for i, x in enumerate(text)])
    m = client().account(at=serve(box).port, keep=keep)
    done = m.collect(seconds=200)
    assert done.memory < MEMORY + (64 << 20)
    if keep == "yes":
        m.account(keep="no").collect(seconds=200)
    same(m.files().values(), [drop.wire(x).replace(b"\r\n", b"\n")
                              for x in text])
    check_names(m.files())
    assert not drop.files(box)
    assert m.collect("--json").account("casa")["collected"] == 0
