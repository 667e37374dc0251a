"""Memory: each process has a limit, and one that meets it fails a session, not
the others.
"""
import os
import re
import subprocess

import pytest

import drop
import pop3
from test_malotectl import CTL

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root sets limits of others"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="the shadow of sanitizers is memory, too"),
]

MIB = 1 << 20


def data(pid):
    """Octets that count, and the limit."""
    with open("/proc/%d/status" % pid) as f:
        now = int(re.search(r"VmData:\s+(\d+)", f.read()).group(1))
    with open("/proc/%d/limits" % pid) as f:
        limit = re.search(r"Max data size +(\d+) +(\d+)", f.read()).groups()
    return now * 1024, [int(x) for x in limit]


def limit(pid, soft, hard):
    """By its own user, who may do that without a capability."""
    with open("/proc/%d/status" % pid) as f:
        uid, gid = re.findall(r"[UG]id:\t(\d+)", f.read())
    subprocess.run(["prlimit", "--pid", str(pid),
                    "--data=%d:%d" % (soft, hard)], check=True, timeout=20,
                   user=int(uid), group=int(gid), extra_groups=[])


@pytest.fixture
def squeezed():
    """squeezed(pid, octets): the process may have so many more; release() gives
    back what it had."""
    def squeeze(pid, more):
        now, (_, hard) = data(pid)
        limit(pid, now + more, hard)
        return lambda: limit(pid, hard, hard)
    return squeeze


def test_limits(place, serve, login):
    """By the column of src/server/ipc/roles.h, below half of the machine's."""
    server = serve(place.maildir(drop.make(1, 2)),
                   "workers = 1\nmax_sessions = 1000\n")
    login(server).quit()
    cores = os.cpu_count()
    half = os.sysconf("SC_PHYS_PAGES") // 2 * os.sysconf("SC_PAGESIZE")
    for role, mib in [("worker", 256 + 1000 // 4),
                      ("auth", 1024 + 1024 * cores),
                      ("store", 2048 + 256 * min(max(2 * cores, 4), 16))]:
        for pid in server.roles(role):
            limit = min(mib * MIB, max(half, 1024 * MIB))
            assert data(pid)[1] == [limit, limit], role


def test_worker(place, serve, connect, login, squeezed):
    """Some of those who come are not served; those who are there are."""
    server = serve(place.maildir(drop.make(1, 20)), "workers = 1\n")
    session = login(server)
    worker, = server.roles("worker")
    release = squeezed(worker, MIB)
    served, refused = [], 0
    for _ in range(400):
        try:
            served.append(pop3.Pop3(server.tls_port, pop3.context()))
            served[-1].multi("CAPA")
        except (pop3.Closed, OSError):
            refused += 1
            if refused == 20:
                break
    assert refused == 20 and served
    assert len(session.uidl()) == 20
    for s in served:
        s.close()
    release()
    session.quit()
    login(server, tls=True).quit()
    assert server.roles("worker") == [worker]


def test_store(place, serve, connect, login, squeezed):
    """A maildrop that it has no memory for cannot be opened now."""
    large = place.maildir(name="large")
    for i in range(2000):
        name = "%s/new/%d.M%dP1.%s" % (large, drop.EPOCH + i, i, "h" * 220)
        with open(name, "w") as f:
            f.write("Subject: x\n\n")
        if place.owner:
            os.chown(name, *place.owner)
    server = serve([("user", "secret", place.maildir(drop.make(1, 20))),
                    ("large", "secret", large)])
    session = login(server)
    store, = server.roles("store")
    release = squeezed(store, MIB // 8)
    late = connect(server.port)
    late.ok("USER large")
    late.err("PASS secret", "SYS/TEMP")
    assert len(session.retr(3)) > 0
    release()
    session.ok("DELE 1")
    session.quit()
    late.ok("USER large")
    late.ok("PASS secret")
    assert late.stat()[0] == 2000
    assert server.roles("store") == [store]



def test_auth(place, serve, connect, squeezed):
    """A password that it has no memory for cannot be verified now."""
    box = place.maildir(drop.make(1, 2))
    owner = os.stat(box)
    users = place.path + "/users"
    for name, scheme in ("costly", "ARGON2ID"), ("cheap", "PLAIN"):
        subprocess.run([CTL, "--users", users, "--scheme", scheme,
                        "--uid", str(owner.st_uid), "--gid",
                        str(owner.st_gid or owner.st_uid), "--mail",
                        "maildir:" + box, "user", "add", name], check=True,
                       input=b"secret\n", timeout=60,
                       stdout=subprocess.DEVNULL)
    server = serve(box, "users = \"%s\"\n" % users)
    auth, = server.roles("auth")
    release = squeezed(auth, 16 * MIB)
    session = connect(server.port)
    session.ok("USER costly")
    session.err("PASS secret", "SYS/TEMP")
    other = connect(server.port)
    other.login("cheap", "secret")
    other.quit()
    release()
    session.login("costly", "secret")
    assert session.stat()[0] == 2
    assert server.roles("auth") == [auth]
