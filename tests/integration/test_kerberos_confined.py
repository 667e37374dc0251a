"""What the process that looks at tickets can do, and what it could say if
somebody had broken into it.
"""
import contextlib
import errno
import os
import platform
import re
import shutil
import struct
import subprocess

import pytest

import control
import kdc
from server import wait_until
from test_allowances import OTHERS, all_traced, names_of
from test_broken_in import PARENT_FD, sockets, texts
from test_kerberos import (SERVICE, Site, accepted, ap_req,  # noqa: F401
                           gssapi, realm, site, ticket)
from test_sandbox import (FILES, NEVER, inject, landlock,  # noqa: F401
                          not_refused, threads)

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not kdc.INSTALLED, reason="needs krb5-kdc"),
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]

# Older and newer C libraries, and other machines, ask so.
SAME = {"access": {"faccessat", "faccessat2"}}
IPC = control.TYPES


@pytest.fixture
def broken_say(inject):
    """broken_say(pid, fd, octets): the process writes them there."""
    def speak(pid, fd, octets, ends=False):
        what = "say:%d:%s" % (fd, octets.hex())
        if ends:
            with contextlib.suppress(AssertionError):
                inject(pid, [what])
        else:
            assert inject(pid, [what]) == {what: 0}
    return speak


def the(site):
    pid, = site.server.roles("kerberos")
    return pid


def use_all(site, connect, realm, ticket, ap_req):
    accepted(site, connect, ap_req()).quit()
    accepted(site, connect, ap_req("mutual"), mutual=True).quit()
    cache = realm.ticket("ann", "secret", SERVICE)
    session = connect(site.clear_port)
    with ticket(cache, "gssapi", SERVICE, "01000000") as run:
        assert gssapi(session, run)[1].startswith(b"+OK")
    session = connect(site.clear_port)
    session.command("AUTH GSSAPI")
    session.err("eA==")


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_nothing_is_permitted_that_is_not_used(
        site, connect, realm, ticket, ap_req, tmp_path):
    log = str(tmp_path / "log")
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-s", "0", "-o", log, "-p", str(the(site))],
        stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: all_traced(the(site)))
        use_all(site, connect, realm, ticket, ap_req)
    finally:
        tracer.terminate()
        tracer.wait(20)
    with open(log, errors="replace") as f:
        called = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)", f.read(), re.M))
    for name, others in SAME.items():
        if name in called or called & others:
            called |= others | {name}
    permitted = names_of("server/kerberos/kerberos.c", "calls")
    assert not permitted - called - OTHERS
    # Nothing is done in vain that a filter would have to permit.
    base = names_of("base/sandbox.c", "base_calls") | {"mmap", "mprotect",
                                                       "fcntl"}
    assert not called - permitted - base - OTHERS


def test_it_reaches_nothing(site, connect, inject, ap_req):
    """No file but its own, no network, no other process."""
    for tid in threads(the(site)):
        assert not_refused(inject(tid, NEVER)) == {}
        allowed = {"openat"}
        assert not_refused(inject(tid, [name for name in FILES
                                        if name not in allowed])) == {}
        if landlock():
            assert inject(tid, ["openat"])["openat"] == errno.EACCES
    with open("/proc/%d/status" % the(site)) as f:
        status = dict(re.findall(r"(\w+):\t(.*)", f.read()))
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert set(status["Uid"].split()) == {"65531"}
    for fd in os.listdir("/proc/%d/fd" % the(site)):
        assert os.readlink("/proc/%d/fd/%s" % (the(site), fd)).split(":")[0] \
            in ("socket", "pipe", "anon_inode", "/dev/null")
    accepted(site, connect, ap_req()).quit()


def answer(number, principal):
    return struct.pack("=HQB", IPC["TICKET_ANSWER"], number, 1) + texts(
        principal, b"", b"", b"")


def test_it_answers_what_it_was_not_asked(site, connect, broken_say, ap_req):
    """There is nobody whom it could sign in by that."""
    before = site.server.roles()
    _, auth = sockets(the(site))
    waiting = connect(site.clear_port)
    assert waiting.command("AUTH GSSAPI") == b"+ "
    for number in range(4):
        broken_say(the(site), auth, answer(number, b"ann@EXAMPLE.TEST"))
    session = connect(site.server.port)
    session.ok("USER ann")
    session.ok("PASS other")
    assert [e["method"] for e in site.server.await_event("login")] == ["USER"]
    assert not site.server.events("misbehaved")
    accepted(site, connect, ap_req()).quit()
    assert set(before) <= set(site.server.roles())


def test_it_speaks_as_others_do(site, connect, broken_say, ap_req):
    """To auth as a worker or a store would: it loses its channel, and gets
    another one.  To the parent as auth would: it is ended."""
    pid = the(site)
    before = set(site.server.roles())
    for words in (
            struct.pack("=HQQ", IPC["PASS"], 1, 1) + texts(b"127.0.0.1")
            + b"\1" + texts(b"ann", b"other"),
            struct.pack("=HH", IPC["NO_WORKER"], 0) + b"\0" * 12, b"nonsense"):
        n = len(site.server.events("misbehaved"))
        broken_say(pid, sockets(pid)[-1], words)
        site.server.await_event("misbehaved", n + 1)
        wait_until(site.is_offered)
    assert before <= set(site.server.roles())
    accepted(site, connect, ap_req()).quit()
    broken_say(pid, PARENT_FD, struct.pack("=HII", IPC["STORE_WANTED"], 0, 0),
               ends=True)
    site.server.await_event("ended")
    wait_until(lambda: site.server.roles("kerberos") not in ([pid], []))
    wait_until(site.is_offered)
    assert before - {pid} <= set(site.server.roles())
    session = connect(site.server.port)
    session.login("ann", "other")
