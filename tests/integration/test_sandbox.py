"""What a process that was broken into could do: tried from inside it.

A tracer puts system calls into the running server (inject.c), each of its
processes, each of their threads, and looks at what the kernel says.
"""
import ctypes
import errno
import os
import platform
import re
import signal
import subprocess

import pytest

import drop
from server import TOP, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]

SOURCE = TOP + "/tests/integration/inject.c"
# Nobody may do these: they are refused.
NEVER = """clone clone3 pidfd_open kill memfd_create shmget socketpair chown
mknod mknodat symlink symlinkat accept setown setsig mmap-exec
mprotect-exec""".split()
# Only who keeps mail may touch files.
FILES = """open openat openat2 creat mkdir mkdirat rmdir unlink unlinkat
rename renameat renameat2 link linkat truncate chmod chdir""".split()


@pytest.fixture(scope="module")
def inject(tmp_path_factory):
    """inject(tid, names): {name: errno}."""
    program = str(tmp_path_factory.mktemp("inject") / "inject")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program, SOURCE],
                   check=True, timeout=60)

    def run(tid, names):
        done = subprocess.run([program, str(tid), *names], timeout=20,
                              capture_output=True, text=True)
        assert done.returncode == 0, done
        return {name: int(number) for name, number in
                (line.split() for line in done.stdout.splitlines())}
    return run


@pytest.fixture(scope="module")
def dies(tmp_path_factory):
    """dies(tid, name): did the call end the process?"""
    program = str(tmp_path_factory.mktemp("inject") / "inject")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program, SOURCE],
                   check=True, timeout=60)

    def run(tid, name):
        return subprocess.run([program, str(tid), name], timeout=20,
                              capture_output=True).returncode == 3
    return run


@pytest.fixture
def server(place, serve, login):
    server = serve(place.maildir(drop.make(81, 5)), "workers = 1\n")
    login(server).quit()
    return server


def threads(pid):
    return sorted(int(tid) for tid in os.listdir("/proc/%d/task" % pid))


def not_refused(answers):
    return {name: errno.errorcode.get(number, number)
            for name, number in answers.items() if number != errno.EPERM}


@pytest.mark.parametrize("role", ["worker", "auth"])
def test_no_files_no_network(server, inject, login, role):
    session = login(server)
    for pid in server.roles(role):
        for tid in threads(pid):
            assert inject(tid, ["getpid"]) == {"getpid": 0}
            assert not_refused(inject(tid, NEVER + FILES)) == {}
    # It goes on as if nothing had been.
    assert session.stat()[0] == 5
    assert len(session.retr(5)) > 0
    session.quit()
    login(server).quit()


def test_store(server, inject, login):
    """It has files, below the mail root, and nothing else.  memfd_create
    makes an index where none can be written."""
    session = login(server)
    for pid in server.roles("store"):
        for tid in threads(pid):
            never = [name for name in NEVER if name != "memfd_create"]
            assert not_refused(inject(tid, never)) == {}
            if landlock():
                got = inject(tid, ["openat", "mkdirat", "unlinkat"])
                assert got["openat"] in (errno.EACCES, errno.EPERM)
                assert got["mkdirat"] in (errno.EACCES, errno.EPERM)
    assert session.stat()[0] == 5
    session.quit()


def test_deadly(server, dies):
    """Tried in auth, which is started again.  That takes longer each time, so
    the rest of them are tried in tests/unit/test_sandbox.c."""
    for n, name in enumerate(["socket", "execve"], 1):
        auth, = wait_until(lambda: server.roles("auth"), 40)
        # Its filter is there when it serves.
        server.await_event("users", n, 40)
        wait_until(lambda: seccomp(auth) == "2", 40)
        assert dies(auth, name), name
        wait_until(lambda: auth not in server.roles("auth"))
        assert server.await_event("ended", n)[-1]["signal"] == str(
            signal.SIGSYS.value)


def seccomp(pid):
    with open("/proc/%d/status" % pid) as f:
        return re.search(r"Seccomp:\t(.*)", f.read()).group(1)


def landlock():
    libc = ctypes.CDLL(None)
    return libc.syscall(444, None, 0, 1) > 0


@pytest.mark.parametrize("role", ["worker", "auth", "store"])
def test_what_a_process_is(server, login, role):
    """No privileges, no core, no way to new ones; no key for who needs none."""
    session = login(server)
    for pid in server.roles(role):
        with open("/proc/%d/status" % pid) as f:
            status = dict(re.findall(r"(\w+):\t(.*)", f.read()))
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert int(status[kind], 16) == 0, kind
        assert "0" not in status["Uid"].split()
        assert "0" not in status["Gid"].split()
        assert status["Groups"].split() in ([], status["Gid"].split()[:1])
        with open("/proc/%d/limits" % pid) as f:
            assert re.search(r"Max core file size +0 ", f.read())
        with open("/proc/%d/maps" % pid) as f:
            counters = re.findall(r"^\S+ (\S+) .*addrcount", f.read(), re.M)
        # All to read, its own to write, and none of the descriptors.
        assert counters == ([] if role != "worker" else ["rw-s", "r--s"]) or \
            counters == ["r--s", "rw-s"], counters
        if role != "store":
            assert os.listdir("/proc/%d/root" % pid) == []
        for fd in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            assert "addrcount" not in target
            # auth has the users file, and nobody has anything else.
            assert "/tmp/malote-tmp" not in target or (
                role == "auth" and target.endswith("/users")), target
    session.quit()
