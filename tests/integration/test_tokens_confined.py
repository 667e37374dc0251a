"""What the process that looks at tokens can do, and what it could say if somebody
had broken into it.
"""
import base64
import contextlib
import errno
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import threading

import pytest

import control
from issuer import Issuer
from pop3 import Pop3
from server import wait_until
from test_allowances import OTHERS, all_traced, names_of
from test_broken_in import PARENT_FD, sockets, texts
from test_databases_confined import SAME, broken_say  # noqa: F401
from test_sandbox import (FILES, NEVER, inject, landlock,  # noqa: F401
                          not_refused, threads)
from test_tokens import (USER, Site, fresh, message,  # noqa: F401
                         shown_block)

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]

# Other versions of the libraries, other machines; what a resolver asks that has
# to ask others; a file that is a symbolic link.
ELSEWHERE = {"bind", "ioctl", "recvmsg", "uname", "sched_getaffinity",
             "sysinfo", "readlink", "eventfd2", "pipe2", "socketpair",
             "geteuid", "shutdown", "pread64"}
IPC = control.TYPES
GOOD, BAD = 0, 1


@pytest.fixture(scope="module")
def issuer(certs):
    one = Issuer(certs.context("good"), ("RS256", "ES256"))
    yield one
    one.stop()


@pytest.fixture
def site(place, serve, certs, issuer):
    site = Site(place, serve, certs)
    site.serve(site.url_block(issuer))
    site.opens(issuer.token(USER))
    return site


def the(site):
    pid, = site.server.roles("net")
    return pid


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_nothing_is_permitted_that_is_not_used(place, serve, certs, issuer,
                                               fresh, tmp_path):  # noqa: F811
    shown = fresh(shown=True)
    site = Site(place, serve, certs)
    site.serve(site.url_block(issuer, refresh=1), shown_block(
        site, shown, "shown"))
    log = str(tmp_path / "log")
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-s", "0", "-o", log, "-p", str(the(site))],
        stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: all_traced(the(site)))
        for kind in ("RS256", "ES256"):
            site.opens(issuer.token(USER, kind))
        site.opens(shown.issue(USER))
        shown.stop()
        site.temporary("opaque-of-nobody")
        before = issuer.asked_for("/keys")
        wait_until(lambda: site.says(issuer.token(USER)) and
                   issuer.asked_for("/keys") > before, step=0.3)
    finally:
        tracer.terminate()
        tracer.wait(20)
    with open(log, errors="replace") as f:
        called = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)", f.read(), re.M))
    for same in SAME:
        if called & same:
            called |= same
    permitted = names_of("server/helper/net.c", "calls")
    assert permitted - called - OTHERS - ELSEWHERE == set()
    base = names_of("base/sandbox.c", "base_calls") | {"mmap", "mprotect",
                                                       "fcntl"}
    assert not called - permitted - base - OTHERS


def test_it_reaches_little(site, issuer, inject):  # noqa: F811
    """It may read what its libraries read, and connect: that is what it is for.
    It writes, executes, listens and ends nothing."""
    allowed = {"open", "openat", "creat"}
    for tid in threads(the(site)):
        # libcurl talks to itself by such a pair.
        assert not_refused(inject(tid, NEVER)) == {"socketpair": 0}
        assert not_refused(inject(tid, [name for name in FILES
                                        if name not in allowed])) == {}
        if landlock():
            assert inject(tid, ["openat"])["openat"] == errno.EACCES
    with open("/proc/%d/status" % the(site)) as f:
        status = dict(re.findall(r"(\w+):\t(.*)", f.read()))
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert set(status["Uid"].split()) == {"65528"}
    site.opens(issuer.token(USER))


def channel(pid):
    """To auth; the other sockets are libcurl's."""
    with open("/proc/net/unix") as f:
        packets = {line.split()[6] for line in f if line.split()[4] == "0005"}
    fds = [fd for fd in sockets(pid) if fd != PARENT_FD and os.readlink(
        "/proc/%d/fd/%d" % (pid, fd))[len("socket:["):-1] in packets]
    return fds[-1]


def verdict(number, result, user, issuer=1):  # noqa: F811
    return struct.pack("=HQBB", IPC["TOKEN_IS"], number, result, issuer) + \
        texts(user, b"")


def test_it_answers_what_it_was_not_asked(site, issuer, broken_say):  # noqa: F811
    """There is nobody whom it could sign in by that."""
    before = set(site.server.roles())
    logins = len(site.server.events("login"))
    # One that has been answered, and one that is yet to come.
    broken_say(the(site), channel(the(site)),
               verdict(1, GOOD, USER.encode()))
    assert not site.server.events("misbehaved")
    broken_say(the(site), channel(the(site)),
               verdict(2, GOOD, USER.encode()))
    site.server.await_event("misbehaved")
    wait_until(lambda: site.says(issuer.token(USER))[0].startswith(b"+OK"))
    assert len(site.server.events("login")) == logins + 1
    assert before == set(site.server.roles())


def test_it_lies(place, serve, certs, fresh, broken_say):  # noqa: F811
    """Of a token that it is asked about it may say what an issuer might: whose it
    is.  That user must be there, and be who the client wants to be."""
    shown = fresh(shown=True)
    site = Site(place, serve, certs)
    site.serve(shown_block(site, shown, timeout=60))
    shown.held = threading.Event()
    # As many as may wait for one issuer.
    for n, user in enumerate((b"zoe@site.example", b"../x", b"\xff")):
        with contextlib.closing(Pop3(site.server.port)) as s:
            s.send(b"AUTH XOAUTH2 " + base64.b64encode(
                message("opaque", USER, "XOAUTH2")) + b"\r\n")
            wait_until(lambda n=n: shown.asked_for("/introspect") == n + 1)
            broken_say(the(site), channel(the(site)),
                       verdict(n + 1, GOOD, user))
            assert s.line().startswith(b"-ERR")
    shown.held.set()
    assert not site.server.events("login")


def test_it_speaks_as_others_do(site, issuer, broken_say):  # noqa: F811
    """To auth as a worker or a store would: it loses its channel, and gets
    another one.  To the parent as auth would: it is ended."""
    pid = the(site)
    before = set(site.server.roles())
    for words in (
            struct.pack("=HQQ", IPC["PASS"], 1, 1) + texts(b"127.0.0.1")
            + b"\1" + texts(b"ann", b"x"),
            struct.pack("=HH", IPC["NO_WORKER"], 0) + b"\0" * 12,
            verdict(1, 9, b"x"), verdict(1, GOOD, b"x", 2),
            verdict(1, GOOD, b"x" * 256), b"nonsense"):
        n = len(site.server.events("misbehaved"))
        broken_say(pid, channel(pid), words)
        site.server.await_event("misbehaved", n + 1)
        wait_until(lambda: site.says(issuer.token(USER))[0].startswith(
            b"+OK"))
    assert before <= set(site.server.roles())
    broken_say(pid, PARENT_FD, struct.pack("=HII", IPC["STORE_WANTED"], 0, 0),
               ends=True)
    site.server.await_event("ended")
    wait_until(lambda: site.server.roles("net") not in ([pid], []))
    wait_until(lambda: site.says(issuer.token(USER))[0].startswith(b"+OK"))
    assert before - {pid} <= set(site.server.roles())
