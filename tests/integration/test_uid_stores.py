"""Users with uids of their own: a store process for each, as many as fit."""
import os
import re

import pytest

import drop
import expiry
from server import children, wait_until

pytestmark = [pytest.mark.ours, pytest.mark.skipif(
    os.geteuid() != 0, reason="only root has users' own stores")]

FIRST = 20000
STORES = 16  # of 256 files that may be open


@pytest.fixture
def server(place, serve):
    users = []
    for i in range(STORES + 3):
        box = os.path.join(place.path, "m%d" % i)
        drop.write(box, drop.make(8, 2), (FIRST + i, FIRST + i))
        os.chown(box, FIRST + i, FIRST + i)
        users.append(("u%d" % i, "secret", box))
    return serve(users, wrap=["prlimit", "--nofile=256:256"])


def uids(server):
    """Whose stores there are."""
    found = set()
    for pid, words in children(server.pid).items():
        if "store" in " ".join(words).split():
            with open("/proc/%d/status" % pid) as f:
                found.add(int(re.search(r"Uid:\s+(\d+)", f.read()).group(1)))
    return found


def visit(login, server, i):
    session = login(server, "u%d" % i)
    session.quit()


def test_the_longest_idle_store_goes(server, login):
    """At once, whatever the others did; who has a session stays."""
    first = login(server, "u0")
    for i in range(1, STORES):
        visit(login, server, i)
    visit(login, server, 1)  # now 2 is the one
    visit(login, server, STORES)
    everybody = {FIRST + i for i in range(STORES + 1)}
    wait_until(lambda: uids(server) == everybody - {FIRST + 2})
    # Whoever is in use was asked, and goes on.
    assert first.stat()[0] == 2
    for i in range(STORES + 3):
        if i != 0:
            visit(login, server, i)
    first.ok("DELE 1")
    first.quit()
    assert not server.events("misbehaved")


def test_all_stores_in_use(server, login, connect):
    """Only then somebody is refused, for now; nobody is ended for that."""
    sessions = [login(server, "u%d" % i) for i in range(STORES)]
    late = connect(server.port)
    late.ok("USER u%d" % STORES)
    late.err("PASS secret", "SYS/TEMP")
    assert [s.stat()[0] for s in sessions] == [2] * STORES
    sessions[3].quit()

    def admitted():
        late.ok("USER u%d" % STORES)
        return late.command("PASS secret").startswith(b"+OK")
    wait_until(admitted, step=0.3)
    assert late.stat()[0] == 2


def test_back_while_it_goes(server, login, connect):
    """Whoever comes at the moment when their store must go is served, as is
    the one for whom it goes."""
    for i in range(STORES):
        visit(login, server, i)
    users = STORES + 3
    for i in range(3 * users):
        both = []
        for user in (i + STORES) % users, i % users:
            session = connect(server.port)
            session.send("USER u%d\r\nPASS secret\r\nQUIT\r\n" % user)
            both.append(session)
        for session in both:
            assert session.line().startswith(b"+OK")
            assert session.line().startswith(b"+OK")
            session.close()
    assert not server.events("misbehaved")


def test_groups_of_one_user(place, serve, login):
    """Two groups, two stores: neither runs as the other's."""
    users = []
    for name, gid in ("one", FIRST + 1), ("two", FIRST + 2):
        box = os.path.join(place.path, name)
        drop.write(box, drop.make(8, 2), (FIRST, gid))
        os.chown(box, FIRST, gid)
        users.append((name, "secret", box))
    server = serve(users)
    sessions = [login(server, name) for name in ("one", "two")]
    groups = set()
    for pid in server.roles("store"):
        with open("/proc/%d/status" % pid) as f:
            groups.add(tuple(re.search(r"Gid:(.*)", f.read()).group(1).split()))
    assert groups == {(str(gid),) * 4 for gid in (FIRST + 1, FIRST + 2)}
    for session in sessions:
        session.ok("DELE 1")
        session.quit()
    assert [login(server, name).stat()[0] for name in ("one", "two")] == [1, 1]


def test_expiry_where_nobody_signs_in(place, serve, login):
    """Each user's store is started for a look at the maildrop, as many as fit."""
    boxes = [place.path + "/m%d" % i for i in range(STORES + 3)]
    for i, box in enumerate(boxes):
        drop.write(box, drop.make(8, 2), (FIRST + i, FIRST + i))
        os.chown(box, FIRST + i, FIRST + i)
    server = serve([("u%d" % i, "secret", box) for i, box in enumerate(boxes)],
                   "expire = 30\nexpire_every = 1\n",
                   wrap=["prlimit", "--nofile=256:256"])
    for i in range(len(boxes)):
        visit(login, server, i)
    server.await_event("expire-told", len(boxes))
    old = {box: expiry.state(box)["looked"] for box in boxes}
    for box in boxes:
        expiry.state(box, looked=old[box] - 13 * 3600)
    wait_until(lambda: all(
        expiry.state(box)["looked"] >= old[box] for box in boxes), 30)
    assert not server.events("misbehaved")
