"""What the processes are given by whoever starts maloted does not matter: its
groups, its limits and its umask are not theirs."""
import os
import re
import stat

import pytest

import drop
from server import wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has all of it"),
]

# Groups, cores without a limit, files that anybody may write to, a descriptor.
WRAP = ["setpriv", "--groups", "4,24", "prlimit", "--core=unlimited", "sh",
        "-c", "umask 0; exec \"$@\"", "sh"]


def status(pid, field):
    with open("/proc/%d/status" % pid) as f:
        return re.search(r"(?m)^%s:[ \t]*(.*)$" % field,
                         f.read()).group(1).strip()


def limit(pid, name):
    with open("/proc/%d/limits" % pid) as f:
        return re.search(r"(?m)^%s +(\S+) +(\S+)" % name, f.read()).groups()


@pytest.fixture
def server(place, serve, login):
    server = serve(place.maildir(drop.make(51, 3)), "workers = 1\n",
                   wrap=WRAP)
    login(server).quit()
    return server


@pytest.mark.parametrize("role", ["worker", "auth", "store"])
def test_nothing_is_inherited(server, role):
    assert status(server.pid, "Groups").split() == ["4", "24"]
    pids = server.roles(role)
    assert pids
    for pid in pids:
        assert status(pid, "Groups") == ""
        assert "0" not in (status(pid, "Uid") + status(pid, "Gid")).split()
        for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
            assert int(status(pid, name), 16) == 0, name
        assert status(pid, "NoNewPrivs") == "1"
        assert status(pid, "Seccomp") == "2"
        assert limit(pid, "Max core file size") == ("0", "0")


def test_parent_leaves_no_core(server):
    assert limit(server.pid, "Max core file size") == ("0", "0")


@pytest.mark.parametrize("role", ["worker", "auth", "store"])
def test_nothing_to_read(server, role):
    """No environment, no descriptor of others, no memory for its equals: who
    is not dumpable belongs to root in /proc."""
    for pid in server.roles(role):
        with open("/proc/%d/environ" % pid, "rb") as f:
            assert f.read() == b""
        where = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                 for fd in os.listdir("/proc/%d/fd" % pid)]
        assert "/etc/passwd" not in where
        # Behind a folder there would be all that its user can reach.
        assert role == "store" or not [x for x in where if os.path.isdir(x)]
        assert os.stat("/proc/%d/fd" % pid).st_uid == 0
        if "asan" not in os.environ.get("MALOTED", ""):
            assert limit(pid, "Max data size")[1] != "unlimited"


def test_nothing_to_read_without_root(place, serve, login):
    """Nobody becomes another user then: each says itself that it is not
    dumpable."""
    server = serve(place.maildir(drop.make(51, 3)), become=place.owner)
    login(server).quit()
    for pid in server.roles():
        assert os.stat("/proc/%d/fd" % pid).st_uid == 0
    assert os.stat("/proc/%d/fd" % server.pid).st_uid == 0


@pytest.mark.parametrize("role", ["worker", "auth"])
def test_empty_root(server, role):
    for pid in server.roles(role):
        assert os.listdir("/proc/%d/root" % pid) == []
        assert os.stat("/proc/%d/root" % pid).st_nlink == 0


def test_files_are_the_owners(place, serve, login):
    """Index, lock and unique-ids, with a umask that forbids nothing."""
    box = place.maildir(drop.make(51, 3))
    with open(box + "/dovecot-uidlist", "w") as f:
        f.write("3 V255 N9 G0\n7 :%s\n" % drop.make(51, 3)[0].base)
    if place.owner:
        os.chown(f.name, *place.owner)
    login(serve(box, wrap=WRAP)).quit()
    ours = [name for name in os.listdir(box) if name.startswith("malote")]
    assert len(ours) >= 3
    for name in ours:
        mode = stat.S_IMODE(os.stat(box + "/" + name).st_mode)
        assert mode & 0o077 == 0, name


@pytest.mark.parametrize("ids, why", [
    ("%d:0", "its group is root's"),
    ("0:%d", "uid-out-of-range"),
])
def test_no_store_of_root(place, serve, connect, ids, why):
    """Whatever the users file says, and auth with it."""
    box = place.maildir(drop.make(52, 1))
    users = place.path + "/users"
    with open(users, "w") as f:
        f.write("user:{PLAIN}secret:%s::/::userdb_mail=maildir:%s\n" % (
            ids % place.owner[0], box))
    server = serve(box, "users = '%s'\n" % users)
    session = connect(server.port)
    session.ok("USER user")
    session.err("PASS secret")
    wait_until(lambda: why in server.log_text())
    assert not server.roles("store")


@pytest.mark.parametrize("folder", ["", "new", "cur"])
def test_folder_of_somebody_else(place, serve, connect, folder):
    """Somebody who may write there, and no more, could exchange it."""
    box = place.maildir(drop.make(53, 2))
    server = serve([("user", "secret", box),
                    ("other", "secret", place.maildir([], "other"))])
    os.chown(os.path.join(box, folder), 2, 2)
    os.chmod(os.path.join(box, folder), 0o777)
    session = connect(server.port)
    session.ok("USER user")
    session.err("PASS secret")
    wait_until(lambda: "belongs to uid 2" in server.log_text())
