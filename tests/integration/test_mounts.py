"""A mailbox on a file system that its owner has mounted."""
import os

import pytest

import drop
import fuse
from server import wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse"),
]


@pytest.fixture
def mount():
    mounted = []

    def start(*args):
        try:
            mounted.append(fuse.Fuse(*args))
        except OSError as e:
            pytest.skip(str(e))
        return mounted[-1]
    yield start
    for one in mounted:
        one.stop()


@pytest.mark.parametrize("where", ["cur", "new", ""])
def test_fuse_of_the_owner(place, serve, connect, login, mount, where):
    """It could answer when it likes, and worker and store would wait: that
    maildrop is refused, and all others are served."""
    mine, other = place.maildir(drop.make(1, 3)), place.maildir(
        drop.make(2, 4), name="other")
    owner = os.stat(mine)
    server = serve([("user", "secret", mine), ("other", "secret", other)],
                   "workers = 1\n")
    # The index is current; the times of the owner's directory are the same.
    login(server).quit()
    fs = mount(os.path.join(mine, where).rstrip("/"), owner.st_uid or 1,
               owner.st_gid)
    session = connect(server.port)
    session.ok("USER user")
    session.err("PASS secret", "SYS/PERM")
    assert fs.asked.count(fuse.READDIR) == 0
    session = connect(server.port)
    session.login("other", "secret")
    assert session.stat()[0] == 4
    session.quit()
    assert "has mounted" in server.await_event("open-failed")[0]["error"]


def test_a_message(place, serve, login, mount):
    """A file can be mounted upon, too: it is no message."""
    box = place.maildir(drop.make(1, 3))
    mail = os.path.join(box, "new", os.listdir(box + "/new")[0])
    owner = os.stat(mail)
    server = serve(box)
    mount(mail, owner.st_uid or 1, owner.st_gid)
    session = login(server)
    assert session.stat()[0] == 2
    session.quit()
    wait_until(lambda: "has mounted" in server.log_text())
