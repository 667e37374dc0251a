"""What the process can do that has passwords verified, and what it starts; and what
it could say if somebody had broken into it.
"""
import contextlib
import errno
import json
import os
import platform
import re
import select
import struct

import pytest

import accounts
import control
from server import wait_until
from test_broken_in import PARENT_FD, sockets, texts
from test_databases import at_work, await_accepted
from test_databases_confined import broken_say  # noqa: F401
from test_sandbox import inject  # noqa: F401
from test_verified import (PAM, TEMPORARY, UID, WHY_NOT, by_program,
                           hanging, home_of, machine, pids_in,  # noqa: F401
                           program, start, trick)

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]

IPC = control.TYPES
FOUND, WRONG = 0, 3
# DAC_READ_SEARCH, KILL, SETGID, SETUID
RIGHTS = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7
REFUSED = """accept bpf chroot io_uring_setup listen mknod mknodat mount
perf_event_open pidfd_getfd process_vm_readv ptrace reboot setns unshare
userfaultfd""".split()

# What a program finds that is asked whether a password is right.
LOOK = """
import ctypes, json, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    return 0 if getattr(libc, name)(*args) >= 0 else ctypes.get_errno()
def attempt(what):
    try:
        what()
        return 0
    except OSError as e:
        return e.errno
found = {
    "status": open("/proc/self/status").read(),
    "files": sorted(os.listdir("/proc/self/fd"), key=int),
    "links": {n: os.readlink("/proc/self/fd/" + n) for n in ("0", "1", "2")},
    "environment": dict(os.environ),
    "mount": call("mount", b"/", b"/", None, 4096, None),
    "unshare": call("unshare", 0x20000),
    "chroot": call("chroot", b"/"),
    "ptrace": call("ptrace", 16, 1, 0, 0),
    "listen": attempt(lambda: socket.socket().listen()),
    "write": attempt(lambda: open("%s/written", "w")),
    "shadow": attempt(lambda: open("/etc/shadow")),
}
fd = os.open("%s", os.O_WRONLY | os.O_CREAT)
os.write(fd, json.dumps(found).encode())
"""


def the(site):
    pid, = site.server.roles("pam")
    return pid


def auth_of(pid):
    """Its channel to auth, when it has started nothing more."""
    return wait_until(lambda: (sockets(pid)[1:] if len(sockets(pid)) == 2
                               else None))[0]


def status_of(text):
    return dict(re.findall(r"(\w+):\t(.*)", text))


def assert_confined(status):
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == RIGHTS
    assert status["Groups"].strip() == ""


def test_it_reaches_little(start, connect, inject):  # noqa: F811
    """Nobody is asked with more rights than that takes."""
    site = start(PAM % "")
    site.accepts(connect, "ann")
    with open("/proc/%d/status" % the(site), encoding="ascii") as f:
        assert_confined(status_of(f.read()))
    assert {name: number for name, number
            in inject(the(site), REFUSED).items()
            if number != errno.EPERM} == {}
    site.accepts(connect, "ann")


def test_what_it_starts_reaches_little(start, connect, program, place,
                                       machine):  # noqa: F811
    """It has what it is to ask by, no file of ours, and no right that we have not."""
    found = machine.folder + "/found"
    site = start(program(LOOK % (home_of(place, "ann"), found)))
    site.accepts(connect, "ann")
    with open(found, encoding="utf-8") as f:
        found = json.load(f)
    assert_confined(status_of(found["status"]))
    # The last is that of listing them.
    assert found["files"] == ["0", "1", "2", "3", "4", "5"]
    assert set(found["links"].values()) == {"/dev/null"}
    for name in ("mount", "unshare", "chroot", "ptrace", "listen"):
        assert found[name] == errno.EPERM, name
    # Of others it may read, and write nothing.
    assert found["write"] == errno.EACCES and found["shadow"] == 0
    allowed = {"PATH", "PROTO", "TCPREMOTEIP", "MALOTE_NAME", "LC_CTYPE"}
    assert set(found["environment"]) <= allowed
    assert found["environment"]["TCPREMOTEIP"] == "127.0.0.1"


def test_a_module_is_loaded_with_as_little(start, connect, machine,  # noqa: F811
                                           trick):  # noqa: F811
    """Once, by a process that has no more rights than a question; and no question
    knows what another one has left in it."""
    machine.service("auth required %s first\naccount required pam_permit.so\n"
                    % trick)
    with contextlib.suppress(FileNotFoundError):
        os.remove(trick + ".loaded")
    site = start(PAM % "")
    for _ in range(3):
        site.accepts(connect, "ann")
    with open(trick + ".loaded", encoding="ascii") as f:
        text = f.read()
    assert text.count("NoNewPrivs") == 1
    assert_confined(status_of(text))


def row(number, result, *columns):
    pairs = [word for pair in columns for word in pair]
    return struct.pack("=HQBB", IPC["ROW"], number, result, len(columns)) + \
        texts(*pairs) + texts(b"")


@pytest.fixture
def waiting(start, connect, machine, place):  # noqa: F811
    """waiting(): somebody waits for an answer to the question of that number."""
    marker = machine.folder + "/marker"
    machine.service(by_program(hanging(place, marker)))
    site = start(PAM % "timeout = 60", config="workers = 1\n")

    def wait():
        before = len(pids_in(marker))
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS x\r\n")
        wait_until(lambda: len(pids_in(marker)) > before)
        return session
    return site, wait


@pytest.mark.parametrize("columns", [
    [(b"uid", b"0"), (b"gid", b"0")],
    [(b"uid", b"60001"), (b"gid", b"0")],
    [(b"mail", b"maildir:/etc")],
    [(b"user", b"file")],
    [(b"home", b"/x\0")],
    [(b"password", b"{PLAIN}x")],
    [(b"malote_host", b"example.org")]])
def test_it_lies(waiting, broken_say, columns):  # noqa: F811
    """Of who is asked about it may say what a database might: no more."""
    site, wait = waiting
    session = wait()
    broken_say(the(site), sockets(the(site))[1], row(1, FOUND, *columns))
    assert session.line().startswith((b"-ERR [SYS/PERM]", TEMPORARY))
    assert not site.server.events("misbehaved")
    assert not site.server.events("login")


def is_refused(site, session, auth, say):
    """As the users file is new it may be read once more, and then who is refused is
    asked about anew."""
    for number in (1, 2):
        say(the(site), auth, row(number, WRONG))
    poll = select.poll()  # of any number
    poll.register(session.sock, select.POLLIN)
    return poll.poll(200)


def test_it_answers_what_it_was_not_asked(waiting, connect,
                                          broken_say):  # noqa: F811
    site, wait = waiting
    session = wait()
    auth = sockets(the(site))[1]
    for number in (0, 2, 3, 1 << 63):
        broken_say(the(site), auth, row(number, FOUND, (b"home", b"/x")))
    assert at_work(site, "auth") == 1
    wait_until(lambda: is_refused(site, session, auth, broken_say))
    assert session.line().startswith(b"-ERR [AUTH]")
    assert not site.server.events("login")
    assert site.refusal(connect, "file", "x").startswith(b"-ERR [AUTH]")


def test_it_speaks_as_others_do(start, connect, broken_say):  # noqa: F811
    """To auth as a worker or a store would: it loses its channel, and gets another
    one.  To the parent as auth would: it is ended."""
    site = start(PAM % "", config="workers = 1\n")
    site.accepts(connect, "ann")
    pid = the(site)
    for words in (
            struct.pack("=HQQ", IPC["PASS"], 1, 1) + texts(b"127.0.0.1")
            + b"\1" + texts(b"ann", b"x"),
            struct.pack("=HQ", IPC["VERIFY"], 1)
            + texts(b"ann", b"x", b"127.0.0.1"),
            struct.pack("=HQBB", IPC["ROW"], 1, 9, 0),
            struct.pack("=HQBB", IPC["ROW"], 1, 0, 33),
            b"nonsense"):
        n = len(site.server.events("misbehaved"))
        broken_say(pid, auth_of(pid), words)
        site.server.await_event("misbehaved", n + 1)
        await_accepted(site, connect, "ann")
    broken_say(pid, PARENT_FD, struct.pack("=HII", IPC["STORE_WANTED"], 0, 0),
               ends=True)
    site.server.await_event("ended")
    wait_until(lambda: site.server.roles("pam") not in ([pid], []))
    await_accepted(site, connect, "ann")
