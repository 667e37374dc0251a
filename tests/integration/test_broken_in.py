"""What a process that was broken into can say to the others, and what comes
of it.  A tracer makes it speak (inject.c): each message is one that the real
process could have sent.
"""
import os
import platform
import struct
import subprocess

import pytest

import drop
import pop3
from server import TOP, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
]

# src/server/ipc/roles.h, proto.h
WORKER, AUTH, STORE = 1, 2, 3
MISBEHAVED, OPENED = 5, 80
PARENT_FD, LOG_FD = 3, 2


@pytest.fixture(scope="module")
def say(tmp_path_factory):
    """say(pid, fd, octets): the process writes them there."""
    program = str(tmp_path_factory.mktemp("inject") / "inject")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program,
                    TOP + "/tests/integration/inject.c"],
                   check=True, timeout=60)

    def run(pid, fd, octets):
        what = "say:%d:%s" % (fd, octets.hex())
        done = subprocess.run([program, str(pid), what], timeout=20,
                              capture_output=True, text=True)
        assert done.stdout == what + " 0\n", done
    return run


def await_login(server, login):
    def can():
        try:
            login(server).quit()
            return True
        except (AssertionError, pop3.Closed):
            return False
    wait_until(can)


def accusation(role, index=0):
    return struct.pack("=HBH", MISBEHAVED, role, index)


def sockets(pid):
    """Its channels, in the order in which it got them: the parent's first,
    then those of a store to each worker and to auth."""
    fds = sorted(int(fd) for fd in os.listdir("/proc/%d/fd" % pid))
    return [fd for fd in fds if
            os.readlink("/proc/%d/fd/%d" % (pid, fd)).startswith("socket:")]


def test_nonsense(place, serve, login, say):
    """The two are without each other, then they work together again."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 1\n")
    session = login(server)
    before = server.roles()
    store, = server.roles("store")
    parent, worker, *_ = sockets(store)
    assert parent == PARENT_FD
    say(store, worker, b"nonsense")
    server.await_event("misbehaved")
    with pytest.raises(pop3.Closed):
        session.line()
    await_login(server, login)
    assert server.roles() == before
    assert len(server.events("misbehaved")) == 1


@pytest.mark.parametrize("role, others", [
    ("store", [WORKER, AUTH]), ("auth", [WORKER, STORE]),
    ("worker", [AUTH, STORE])])
def test_accusations(place, serve, login, say, role, others):
    """Who accuses has cut itself off, for a moment; nobody is ended."""
    server = serve(place.maildir(drop.make(3, 5)), "workers = 1\n")
    login(server).quit()
    before = server.roles()
    liar, = server.roles(role)
    for _ in range(3):
        for other in others:
            say(liar, PARENT_FD, accusation(other))
    server.await_event("misbehaved", len(others))
    say(liar, LOG_FD, b"E %s ev=last\n" % role.encode())
    server.await_event("last")
    await_login(server, login)
    assert server.roles() == before
    assert not server.events("ended")
