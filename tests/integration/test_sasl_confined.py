"""What the process that mail servers ask can do, and what it could say if
somebody had broken into it."""
import contextlib
import os
import platform
import re
import select
import shutil
import socket
import struct
import subprocess
import time

import pytest

import control
import drop
from asker import Asker
from scram import b64
from server import wait_until
from test_allowances import OTHERS, all_traced, names_of
from test_broken_in import PARENT_FD, sockets, texts
from test_databases_confined import broken_say  # noqa: F401
from test_sandbox import (FILES, NEVER, inject, not_refused,  # noqa: F401
                          threads)

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]

IPC = control.TYPES


class Site:
    def __init__(self, place, serve, more=""):
        self.socket = place.path + "/auth"
        self.server = serve(
            [("ann@site.example", "secret", place.maildir(drop.make(3, 2)))],
            'workers = 1\nsasl "x" { socket = "%s" }\n' % self.socket + more)
        self.askers = []

    def asker(self):
        self.askers.append(Asker(self.socket))
        return self.askers[-1]

    def accepts(self):
        """It is asked on a connection of its own."""
        try:
            return self.asker().asks(1, "secret") == (
                "OK\t1\tuser=ann@site.example")
        except OSError:
            return False

    @property
    def pid(self):
        pid, = self.server.roles("sasl")
        return pid


@pytest.fixture
def site(place, serve):
    site = Site(place, serve)
    assert site.accepts()
    yield site
    for asker in site.askers:
        asker.close()


def auth_of(pid):
    """Its channel to auth, which came last of those that are no connection of
    a program: the parent's, the listening one, auth's."""
    return sockets(pid)[2]


def test_its_socket_goes_with_it(site):
    site.server.stop()
    assert not os.path.exists(site.socket)


def test_what_somebody_else_has_put_there_stays(site):
    """Another maloted that serves the same mail server by now, perhaps."""
    os.unlink(site.socket)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(site.socket)
        site.server.stop()
        assert os.path.exists(site.socket)


def test_it_reaches_nothing(site, inject):
    for tid in threads(site.pid):
        assert not_refused(inject(tid, NEVER + FILES)) == {}
    with open("/proc/%d/status" % site.pid) as f:
        status = dict(re.findall(r"(\w+):\t(.*)", f.read()))
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert set(status["Uid"].split()) == {"65529"}
    assert os.listdir("/proc/%d/root" % site.pid) == []
    assert site.accepts()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_nothing_is_permitted_that_is_not_used(site, tmp_path):
    log = str(tmp_path / "log")
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-s", "0", "-o", log,
                               "-p", str(site.pid)],
                              stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: all_traced(site.pid))
        assert site.accepts()
    finally:
        tracer.terminate()
        tracer.wait(20)
    with open(log, errors="replace") as f:
        called = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)", f.read(), re.M))
    permitted = names_of("server/sasl/sasl_role.c", "calls")
    assert permitted - called - OTHERS == set()
    base = names_of("base/sandbox.c", "base_calls") | {"mmap", "mprotect",
                                                       "fcntl"}
    assert not called - permitted - base - OTHERS


def service(sid, number, mechanism, initial):
    return (struct.pack("=HQB", IPC["SERVICE"], sid, number)
            + texts(b"192.0.2.1") + b"\1" + texts(mechanism) + b"\1"
            + texts(initial))


def test_it_opens_no_mail(site, broken_say, connect):
    """It can try passwords, as any program at its socket can, and no more comes
    of that than a word to itself."""
    auth = auth_of(site.pid)
    broken_say(site.pid, auth, service(1 << 20, 0, b"PLAIN",
                                       b"\0ann@site.example\0secret"))
    server = site.server
    assert server.await_event("login", 2)[1]["service"] == "smtp"
    broken_say(site.pid, auth, service(2 << 20, 0, b"ANONYMOUS", b"x"))
    broken_say(site.pid, auth, service(3 << 20, 0, b"EXTERNAL", b""))
    assert {e["why"] for e in server.await_event("login-failed", 2)} == {
        "mechanism"}
    assert not server.events("misbehaved")
    assert site.accepts()
    session = connect(server.port)
    session.login("ann@site.example", "secret")


def test_it_speaks_as_others_do(site, broken_say):
    """To auth as a worker or a store would: it loses its channel, and gets
    another one.  To the parent as auth would: it is ended."""
    pid = site.pid
    before = set(site.server.roles())
    for words in (
            struct.pack("=HQQ", IPC["PASS"], 1, 1) + texts(b"127.0.0.1")
            + b"\1" + texts(b"ann@site.example", b"secret"),
            struct.pack("=HH", IPC["NO_WORKER"], 0) + b"\0" * 12,
            service(1, 1, b"PLAIN", b"\0ann@site.example\0secret"),
            b"nonsense"):
        n = len(site.server.events("misbehaved"))
        for asker in site.askers:
            asker.close()
        site.askers.clear()
        # A connection may have a lower number than auth's last channel.
        wait_until(lambda: len(sockets(pid)) == 3)
        broken_say(pid, auth_of(pid), words)
        site.server.await_event("misbehaved", n + 1)
        wait_until(site.accepts)
    assert before == set(site.server.roles())
    broken_say(pid, PARENT_FD, struct.pack("=HII", IPC["STORE_WANTED"], 0, 0),
               ends=True)
    site.server.await_event("ended")
    wait_until(lambda: site.server.roles("sasl") not in ([pid], []))
    wait_until(site.accepts)
    assert before - {pid} <= set(site.server.roles())


def test_auth_dies(site):
    """What was asked is answered as what nobody can look at, and connections
    go on with the next one."""
    one, several = site.asker(), site.asker()
    one.say("AUTH\t1\tLOGIN\tsecured")
    several.say("AUTH\t1\tLOGIN\tsecured", "AUTH\t2\tLOGIN\tsecured")
    for asker, n in ((one, 1), (several, 2)):
        for _ in range(n):
            assert asker.line().startswith("CONT\t")
    auth, = site.server.roles("auth")
    os.kill(auth, 9)
    assert one.line() == ""  # the only one: the connection ends
    assert several.line() in ("FAIL\t1\ttemp\tcode=temp_fail",
                              "FAIL\t2\ttemp\tcode=temp_fail")
    wait_until(site.accepts)


class Waiter(Asker):
    """It hears nothing yet."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def go_on(self):
        while self.line() != "DONE":
            pass
        self.say("VERSION\t1\t1", "CPID\t1")


def test_many_connections(site):
    """Those beyond the bound wait, and are served when there is room."""
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(contextlib.closing(Asker(site.socket)))
                for _ in range(1023)]  # the first one of the site is open
        late = Waiter(site.socket)
        stack.callback(late.close)
        site.server.await_event("accept")
        assert many[500].asks(1, "secret").startswith("OK\t")
        heard = select.poll()
        heard.register(late.socket, select.POLLIN)
        assert heard.poll(0) == []
        many[7].close()
        late.go_on()
        assert late.asks(1, "secret").startswith("OK\t")


@pytest.mark.slow
def test_who_asks_is_not_kept_waiting(place, serve):
    """Postfix gives up after ten seconds: an answer that would be held for
    fifteen comes after eight."""
    site = Site(place, serve, "failure_delay = yes\n")
    asker = site.asker()
    for n in range(4):
        assert asker.asks(n, "wrong%d" % n).startswith("FAIL\t")
    began = time.monotonic()
    assert asker.asks(4, "wrong4").startswith("FAIL\t")
    assert time.monotonic() - began < 14
    asker.close()


def test_broken_rules_are_logged(site):
    asker = site.asker()
    asker.say("AUTH\t1\tPLAIN\tsecured\tresp=" + b64("\0ann\0x"),
              "CPID\t1")
    assert asker.line() == ""
    assert site.server.await_event("sasl-closed")[0]["why"] == "protocol"
