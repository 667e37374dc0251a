"""A mail root whose file system is not mounted is not an empty one.

Folders are put in each other's place: for a process that looks by name that is
what mounting does.
"""
import os
import subprocess

import pytest

import drop
from server import wait_until

pytestmark = [pytest.mark.core, pytest.mark.ours]

MARKER = ".malote-root"


def folder(place, name):
    path = place.path + "/" + name
    os.mkdir(path, 0o755)
    if place.owner:
        os.chown(path, *place.owner)
    return path


@pytest.fixture
def mail(place):
    """The root, with one maildrop in it."""
    path = folder(place, "mail")
    place.maildir(drop.make(1, 3), "mail/Maildir")
    return path


@pytest.fixture(params=["", "pool"])
def start(request, place, serve, mail):
    """Servers that remember what the others did; with a store of the user's
    own uid, or with those of mail_user, which run all the time."""
    config = ""
    if request.param == "pool" and place.owner:
        config = 'mail_user = "%d"\nmail_group = "%d"\n' % place.owner

    def begin():
        return serve(mail + "/Maildir", config,
                     env={"STATE_DIRECTORY": place.path + "/state"})
    return begin


def sign_in(connect, server):
    session = connect(server.port)
    session.ok("USER user")
    line = session.command("PASS secret")
    if line.startswith(b"+OK"):
        session.quit()
    session.close()
    return line


def refused(connect, server):
    return b"[SYS/TEMP]" in sign_in(connect, server)


def test_not_mounted_at_the_start(place, start, mail, connect, login):
    server = start()
    login(server).quit()
    assert os.path.exists(mail + "/" + MARKER)
    server.stop()
    os.rename(mail, place.path + "/away")
    folder(place, "mail")
    server = start()
    for _ in range(3):
        assert refused(connect, server)
    told, = server.events("mail-root")
    assert told["served"] == "no"
    assert "malotectl root accept" in told["error"]
    assert server.await_event("open-failed", 3)
    assert os.listdir(mail) == []
    # Mounted after the start: found, without a restart.
    os.rmdir(mail)
    os.rename(place.path + "/away", mail)
    wait_until(lambda: not refused(connect, server), 20)
    assert login(server).stat()[0] == 3


def test_gone_meanwhile(place, start, mail, connect, login):
    """A session in what was mounted may go on; nobody is shown the folder
    below."""
    server = start()
    login(server).quit()
    os.rename(mail, place.path + "/away")
    folder(place, "mail")
    wait_until(lambda: refused(connect, server), 20)
    assert os.listdir(mail) == []
    # The admin says that this is it.
    open(mail + "/" + MARKER, "w").close()
    wait_until(lambda: not refused(connect, server), 20)
    assert login(server).stat()[0] == 0
    assert os.path.isdir(mail + "/Maildir/new")


def test_not_there_at_all(place, start, mail, connect, login):
    server = start()
    os.rename(mail, place.path + "/away")
    wait_until(lambda: refused(connect, server), 20)
    assert not os.path.exists(mail)
    os.rename(place.path + "/away", mail)
    wait_until(lambda: not refused(connect, server), 20)
    assert login(server).stat()[0] == 3


def test_first_start_before_the_mount(place, start, mail, connect, login):
    """The folder below was taken for the root; what is mounted then has mail
    and no marker."""
    os.rename(mail, place.path + "/later")
    folder(place, "mail")
    place.maildir(name="mail/Maildir")
    server = start()
    login(server).quit()
    os.rename(mail, place.path + "/below")
    os.rename(place.path + "/later", mail)
    wait_until(lambda: refused(connect, server), 20)
    open(mail + "/" + MARKER, "w").close()
    wait_until(lambda: not refused(connect, server), 20)
    assert login(server).stat()[0] == 3


def test_a_root_with_mail_is_adopted(place, start, mail, login):
    """As after an update: no marker, and nothing is known of it."""
    server = start()
    assert login(server).stat()[0] == 3
    told, = server.events("mail-root")
    assert told["marker"] == "made"
    with open(place.path + "/state/mail-roots") as f:
        assert f.read() == mail + "\n"
    server.stop()
    # Neither again, nor a word about it.
    server = start()
    assert login(server).stat()[0] == 3
    assert server.events("mail-root") == []
    with open(place.path + "/state/mail-roots") as f:
        assert f.read() == mail + "\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities")
def test_marked_without_capabilities(place, serve, mail, login):
    """The unit takes from root that it may write everywhere: the marker is
    made as the folder's owner."""
    server = serve(mail + "/Maildir", wrap=[
        "setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"])
    assert login(server).stat()[0] == 3
    st = os.stat(mail + "/" + MARKER)
    assert (st.st_uid, st.st_gid) == place.owner
    assert server.roles("store")


def test_memory_that_cannot_be_written(place, serve, mail, login):
    server = serve(mail + "/Maildir", env={"STATE_DIRECTORY": "/proc/none"})
    assert login(server).stat()[0] == 3
    told = server.events("mail-root")[-1]
    assert "cannot be remembered" in told["error"]


# ---- file systems below the root ----

def mount(*words):
    return subprocess.run(["mount", *words], capture_output=True, check=False)


@pytest.fixture
def disk(place, mail):
    """A file system of its own at mail/b; mounts and unmounts it."""
    there, point = folder(place, "disk"), folder(place, "mail/b")
    if os.geteuid() != 0 or mount("--bind", there, point).returncode:
        pytest.skip("nothing can be mounted here")

    def is_mounted():
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            return " %s " % point in f.read()

    def put(mounted):
        if mounted != is_mounted():
            subprocess.run(["mount", "--bind", there, point] if mounted
                           else ["umount", "-l", point], check=True)
        return point
    yield put
    put(False)


def test_below_the_root(place, serve, mail, disk, connect, login):
    """One that is missing is no folder for new maildrops; others are served."""
    point = disk(True)
    folder(place, "mail/plain")
    users = [("user", "secret", mail + "/Maildir"),
             ("bea", "secret", point + "/bea/Maildir"),
             ("cleo", "secret", mail + "/plain/cleo")]

    def start():
        return serve(users, env={"STATE_DIRECTORY": place.path + "/state"})

    def refused_bea():
        session = connect(server.port)
        session.ok("USER bea")
        said = session.command("PASS secret")
        session.close()
        return said.startswith(b"-ERR [SYS/TEMP]")
    server = start()
    login(server, "cleo", "secret").quit()
    assert os.path.exists(point + "/" + MARKER)
    assert not os.path.exists(mail + "/plain/" + MARKER)
    server.stop()
    disk(False)
    for _ in range(2):
        server = start()
        assert refused_bea() and os.listdir(point) == []
        told = server.await_event("open-failed")[-1]["error"]
        assert "malotectl root accept " + point in told
        assert login(server).stat()[0] == 3
        # Mounted after the start: found without a restart.
        disk(True)
        login(server, "bea", "secret").quit()
        disk(False)
        assert refused_bea()
        server.stop()
    server = start()
    assert "no mail root of ours" in server.ctl(
        "root", "accept", mail + "/plain", code=78)
    assert point in server.ctl("root", "accept", point)
    login(server, "bea", "secret").quit()
    assert os.path.exists(point + "/bea/Maildir/cur")
    assert "served already" in server.ctl("root", "accept", point, code=78)
