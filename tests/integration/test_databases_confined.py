"""What a process that asks a database can do, and what it could say if somebody
had broken into it.
"""
import contextlib
import errno
import os
import platform
import re
import shutil
import sqlite3
import struct
import subprocess

import pytest

import control
from server import wait_until
from test_allowances import OTHERS, all_traced, names_of
from test_broken_in import PARENT_FD, sockets, texts
from test_databases import (Site, at_work, await_accepted,  # noqa: F401
                            box_of, cluster, directory, farm, ldap, lite, my,
                            pg, put_some)
from test_sandbox import (FILES, NEVER, inject, landlock,  # noqa: F401
                          not_refused, threads)

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
SAME = [{"access", "faccessat", "faccessat2"},
        {"newfstatat", "fstat", "stat", "lstat", "statx"}]
ELSEWHERE = {"bind", "ioctl", "recvmsg", "uname", "sched_getaffinity",
             "sysinfo", "rt_sigtimedwait", "rt_sigpending", "readlink"}
IPC = control.TYPES
FOUND, NOBODY = 0, 1


@pytest.fixture
def site(place, serve, connect, lite):
    put_some(lite, box_of(place))
    site = Site(place, serve, [lite.block()], "workers = 1\n")
    site.accepts(connect, "ann")
    return site


@pytest.fixture
def broken_say(inject):
    """broken_say(pid, fd, octets): the process writes them there."""
    def speak(pid, fd, octets, ends=False):
        what = "say:%d:%s" % (fd, octets.hex())
        if ends:
            # The tracer may come at a moment at which nothing can be said.
            for _ in range(5):
                with contextlib.suppress(AssertionError):
                    inject(pid, [what])
                with contextlib.suppress(AssertionError):
                    wait_until(lambda: not os.path.exists("/proc/%d" % pid), 2)
                    break
        else:
            assert inject(pid, [what]) == {what: 0}
    return speak


def the(site):
    pid, = site.server.roles("db")
    return pid


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_nothing_is_permitted_that_is_not_used(place, serve, connect, lite, pg,
                                               my, ldap, tmp_path):
    put_some(pg, box_of(place))
    lite.user("zoe", "{PLAIN}secret", box_of(place))
    my.user("kim", "{PLAIN}secret", box_of(place))
    ldap.user("lou", "{PLAIN}secret", box_of(place))
    connection = pg.connection.replace("127.0.0.1", "localhost")
    site = Site(place, serve, [pg.block(connection=connection), lite.block(),
                                my.block(), ldap.block()])
    log, tracers = str(tmp_path / "log"), []
    try:
        for n, pid in enumerate(site.server.roles("db")):
            tracers.append(subprocess.Popen(
                ["strace", "-f", "-qq", "-s", "0", "-o", log + str(n), "-p",
                 str(pid)], stderr=subprocess.DEVNULL))
            wait_until(lambda pid=pid: all_traced(pid))
        site.accepts(connect, "ann")
        with contextlib.closing(sqlite3.connect(lite.file)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("SELECT * FROM users").fetchall()
            site.accepts(connect, "zoe")
        site.accepts(connect, "kim")
        site.accepts(connect, "lou")
        ldap.kill()
        site.refusal(connect, "lou", "secret")
        pg.kill()
        site.refusal(connect, "ann", "secret")
    finally:
        for tracer in tracers:
            tracer.terminate()
            tracer.wait(20)
    called = set()
    for n in range(len(tracers)):
        with open(log + str(n), errors="replace") as f:
            called |= set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)", f.read(),
                                     re.M))
    for same in SAME:
        if called & same:
            called |= same
    permitted = names_of("server/helper/db.c", "calls")
    assert permitted - called - OTHERS - ELSEWHERE == set()
    base = names_of("base/sandbox.c", "base_calls") | {"mmap", "mprotect",
                                                       "fcntl"}
    assert not called - permitted - base - OTHERS


def test_it_reaches_little(site, connect, inject):
    """It may read its database, and connect: that is what it is for.  It writes,
    executes, listens and ends nothing."""
    allowed = {"open", "openat", "creat"}
    for tid in threads(the(site)):
        assert not_refused(inject(tid, NEVER)) == {}
        assert not_refused(inject(tid, [name for name in FILES
                                        if name not in allowed])) == {}
        if landlock():
            assert inject(tid, ["openat"])["openat"] == errno.EACCES
    with open("/proc/%d/status" % the(site)) as f:
        status = dict(re.findall(r"(\w+):\t(.*)", f.read()))
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert set(status["Uid"].split()) == {"65530"}
    site.accepts(connect, "ann")


def row(number, result, *columns):
    pairs = [word for pair in columns for word in pair]
    return struct.pack("=HQBB", IPC["ROW"], number, result, len(columns)) + \
        texts(*pairs) + texts(b"")


def test_it_answers_what_it_was_not_asked(site, connect, broken_say):
    """There is nobody whom it could sign in by that."""
    before = site.server.roles()
    _, auth = sockets(the(site))
    for number in range(4):
        broken_say(the(site), auth, row(
            number, FOUND, (b"password", b"{PLAIN}x"), (b"uid", b"0")))
    assert site.refusal(connect, "file", "x").startswith(b"-ERR [AUTH]")
    assert site.refusal(connect, "ann", "x").startswith(b"-ERR [AUTH]")
    assert not site.server.events("misbehaved")
    site.accepts(connect, "ann")
    assert site.server.roles() == before


@pytest.mark.parametrize("columns", [
    [(b"password", b"{PLAIN}x"), (b"uid", b"0"), (b"gid", b"0")],
    [(b"password", b"{PLAIN}x"), (b"uid", b"60001"), (b"gid", b"0")],
    [(b"password", b"{PLAIN}x"), (b"mail", b"maildir:/etc")],
    [(b"password", b"{PLAIN}x"), (b"user", b"file")],
    [(b"password", b"{PLAIN}x\0")],
    [(b"password", b"{PLAIN}x"), (b"malote_host", b"example.org")]])
def test_it_lies(place, serve, connect, broken_say, lite, columns):
    """Of who is asked for it may say what a database might: no more."""
    site = Site(place, serve, [lite.block(more="timeout = 60")],
                "workers = 1\n")
    with contextlib.closing(sqlite3.connect(
            lite.file, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS x\r\n")
        wait_until(lambda: at_work(site, "db") == 1)
        broken_say(the(site), sockets(the(site))[1], row(1, FOUND, *columns))
        assert session.line().startswith(
            (b"-ERR [SYS/PERM]", b"-ERR [SYS/TEMP]"))
        db.execute("COMMIT")
    assert not site.server.events("misbehaved")
    assert not site.server.events("login")


def test_it_speaks_as_others_do(site, connect, broken_say):
    """To auth as a worker or a store would: it loses its channel, and gets
    another one.  To the parent as auth would: it is ended."""
    pid = the(site)
    before = set(site.server.roles())
    for words in (
            struct.pack("=HQQ", IPC["PASS"], 1, 1) + texts(b"127.0.0.1")
            + b"\1" + texts(b"ann", b"x"),
            struct.pack("=HH", IPC["NO_WORKER"], 0) + b"\0" * 12,
            struct.pack("=HQBB", IPC["ROW"], 1, 9, 0),
            struct.pack("=HQBB", IPC["ROW"], 1, 0, 33),
            b"nonsense"):
        n = len(site.server.events("misbehaved"))
        broken_say(pid, sockets(pid)[-1], words)
        site.server.await_event("misbehaved", n + 1)
        await_accepted(site, connect, "ann")
    assert before <= set(site.server.roles())
    broken_say(pid, PARENT_FD, struct.pack("=HII", IPC["STORE_WANTED"], 0, 0),
               ends=True)
    site.server.await_event("ended")
    wait_until(lambda: site.server.roles("db") not in ([pid], []))
    await_accepted(site, connect, "ann")
    assert before - {pid} <= set(site.server.roles())
