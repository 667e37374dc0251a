"""What malotectl is asked while ten thousand sessions are open: each is answered in
less than a second of the machine's time."""
import contextlib
import json
import os
import resource
import socket
import subprocess
import time

import pytest

import drop
from server import CTL, PATIENCE
from test_reload import Settings

pytestmark = [pytest.mark.core, pytest.mark.ours, pytest.mark.slow]

WANTED, USERS, MESSAGES = 10_000, 20, 1_000
TRIES = 3  # somebody else may have the processor once


@contextlib.contextmanager
def descriptors():
    """As many as there may be; how many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 20_000 if before[1] == resource.RLIM_INFINITY else min(
        20_000, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (max(before[0], most), before[1]))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def sign_in(port, n):
    """n sessions, of all users by turns."""
    sessions = []
    for i in range(n):
        s = socket.create_connection(("127.0.0.1", port), 20 * PATIENCE)
        s.settimeout(60 * PATIENCE)
        s.sendall(b"USER u%d\r\nPASS secret\r\n" % (i % USERS))
        sessions.append(s)
    for s in sessions:
        got = b""
        while got.count(b"\r\n") < 3:
            got += s.recv(4096)
        assert b"-ERR" not in got, got
    return sessions


class Admin:
    """Asks, and looks at the clock."""

    def __init__(self, server):
        self.server, self.times = server, {}
        self.conf = Settings(server).path

    def asks(self, *words, stdin="", tries=TRIES):
        """What it said."""
        best = None
        for _ in range(tries):
            began = time.monotonic()
            done = subprocess.run(
                [CTL, "--config", self.conf, *words], text=True, input=stdin,
                capture_output=True, timeout=60 * PATIENCE, check=False)
            took = time.monotonic() - began
            assert done.returncode == 0, done
            best = took if best is None else min(took, best)
            if best < 1:
                break
        key = " ".join(words)
        self.times[key] = max(best, self.times.get(key, 0))
        return done.stdout

    def reachable(self):
        """Settings of which a listener is for others, too."""
        with open(self.conf, encoding="utf-8") as f:
            text = f.read()
        self.conf = self.server.tmp + "/reachable.conf"
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text.replace('"127.0.0.1"', '"*"'))
        return self

    def once(self, *words, **more):
        """What changes something."""
        return self.asks(*words, tries=1, **more)

    def check(self):
        for words, took in self.times.items():
            print("%-40s %.3f s" % (words, took))
        longest = PATIENCE * max(1, os.getloadavg()[0] / os.cpu_count())
        assert max(self.times.values()) < longest, self.times


@pytest.fixture
def busy(serve, place):
    """(an Admin, how many sessions): the first user has much mail."""
    with descriptors() as most:
        wanted = min(WANTED, most - 512)
        users = [("u%d" % n, "secret", place.maildir(
            drop.make(1, 1 if n else MESSAGES), "u%d" % n))
            for n in range(USERS)]
        server = serve(users, """max_sessions = %d
max_connections_per_address = 0
sessions = "shared"
max_sessions_per_user = 60000
""" % (wanted + 1024))
        sessions = sign_in(server.port, wanted)
        try:
            yield Admin(server), wanted
        finally:
            for s in sessions:
                s.close()


@pytest.mark.timeout(600)
def test_each_question(busy):
    admin, n = busy
    each = n // USERS
    told = json.loads(admin.asks("who", "--json"))
    assert len({s["session"] for s in told}) == n
    assert admin.asks("who").endswith("\n%d sessions\n" % n)
    assert len(json.loads(admin.asks("who", "u7", "--json"))) == each
    assert json.loads(admin.asks("status", "--json"))["counts"][
        "signed_in"] == n
    assert " now" in admin.asks("status")
    for words in (["log", "u7", "--log", admin.server.log_path],
                  ["maildrop", "list", "u0"],
                  ["maildrop", "show", "u0", "500"],
                  ["maildrop", "check", "u0"], ["user", "list"],
                  ["user", "show", "u7"], ["uidl", "show", "u0"],
                  ["auth", "failures", "--json"]):
        assert admin.asks(*words), words
    assert "localhost" in admin.reachable().asks("client-settings", "u7")
    assert "right" in admin.asks("user", "test", "u7", stdin="secret\n")
    admin.once("trace", "u7")
    admin.once("trace", "--off", "u7")
    one = told[n // 2]
    kicked, = json.loads(admin.once("kick", one["session"], "--json"))
    assert kicked["session"] == one["session"]
    admin.asks("reload")
    gone = json.loads(admin.once("kick", "u8", "--json"))
    assert each - 1 <= len(gone) <= each
    # And when others serve, of which they are not.
    left = n - 1 - len(gone)
    admin.once("restart")
    admin.server.became()
    assert len(json.loads(admin.asks("who", "--json"))) == left
    assert len(json.loads(admin.once("kick", "u9", "--json"))) >= each - 1
    admin.asks("status")
    admin.check()
