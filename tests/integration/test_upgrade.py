"""Stored passwords are upgraded at sign-in, if a setting says so: the users
file is changed whole or not at all, and nobody waits for it."""
import base64
import fcntl
import hashlib
import os
import platform
import re
import socket
import stat
import struct
import subprocess
import time

import pytest

import drop
from scram import b64, scram
from server import MALOTED, PATIENCE, kill, wait_until

pytestmark = pytest.mark.ours

PASSWORD = "pencil"
SCHEME = "SCRAM-SHA-256"
SETTINGS = 'mechanisms = "PLAIN LOGIN %s"\n' % SCHEME
UPGRADE = SETTINGS + 'upgrade_scheme = "%s"\n' % SCHEME


def ssha(password=PASSWORD, salt=b"salt"):
    digest = hashlib.sha256(password.encode() + salt).digest()
    return "{SSHA256}" + base64.b64encode(digest + salt).decode()


class Site:
    def __init__(self, place, serve, config=UPGRADE, link=False, **more):
        self.box = place.maildir(drop.make(5, 3))
        self.folder = place.path + "/etc"
        os.mkdir(self.folder)
        self.file = self.real = self.folder + "/users"
        if link:
            self.real = place.path + "/elsewhere"
            os.symlink(self.real, self.file)
        self.text = self.lines(ssha())
        with open(self.real, "w", encoding="utf-8") as f:
            f.write(self.text)
        os.chmod(self.real, 0o640)
        if place.owner:
            for path in (self.folder, self.real):
                os.chown(path, *place.owner)
        self.server = serve([("unused", "x", self.box)],
                            "users = '%s'\n" % self.file + config, **more)

    def lines(self, hashed):
        owner = os.stat(self.box)
        ids = "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"
        rest = "%s::::userdb_mail=maildir:%s" % (ids, self.box)
        return ("# kept\n\nana:%s:%s more=x\r\nbob:%s:%s\nnonsense" % (
            hashed, rest, ssha("other"), rest))

    def now(self):
        with open(self.real, encoding="utf-8", newline="") as f:
            return f.read()

    def upgraded(self):
        """What stands in the file, once it is another hash."""
        self.server.await_event("upgraded")
        wait_until(lambda: self.now() != self.text)
        text = self.now()
        hashed = re.search(r"(?m)^ana:([^:]*):", text).group(1)
        assert text == self.lines(hashed)
        return hashed


def by_pass(session):
    session.login("ana", PASSWORD)


def by_plain(session):
    session.ok("AUTH PLAIN " + b64("\0ana\0" + PASSWORD))


def by_login(session):
    session.send("AUTH LOGIN\r\n%s\r\n%s\r\n" % (
        b64("ana"), b64(PASSWORD)))
    for start in (b"+ ", b"+ ", b"+OK"):
        assert session.line().startswith(start)


@pytest.mark.parametrize("how", [by_pass, by_plain, by_login])
def test_upgraded(place, serve, connect, how):
    site = Site(place, serve)
    before = os.stat(site.file)
    session = connect(site.server.port)
    how(session)
    session.quit()
    assert site.upgraded().startswith("{SCRAM-SHA-256}")
    after = os.stat(site.file)
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert sorted(os.listdir(site.folder)) == ["users", "users.lock"]
    site.server.await_event("users", 2)
    # It is a hash of the same password, and good for what it was made for.
    session = connect(site.server.port)
    assert scram(session, SCHEME, "ana", PASSWORD)[0].startswith(b"+OK")
    session.quit()
    session = connect(site.server.port)
    session.err("AUTH PLAIN " + b64("\0ana\0wrong"), "AUTH")
    how(session)
    session.quit()
    assert len(site.server.events("upgraded")) == 1
    assert "pencil" not in site.server.log_text()


def test_not_unless_told(place, serve, connect):
    site = Site(place, serve, SETTINGS)
    by_pass(connect(site.server.port))
    site.server.await_event("login")
    assert site.server.stop() == 0
    assert site.now() == site.text
    assert os.listdir(site.folder) == ["users"]


def test_wrong_password(place, serve, connect):
    site = Site(place, serve)
    session = connect(site.server.port)
    session.err("AUTH PLAIN " + b64("\0ana\0wrong"), "AUTH")
    session.login("bob", "other")
    assert [e["user"] for e in site.server.await_event("upgraded")] == ["bob"]


def test_link_stays(place, serve, connect):
    site = Site(place, serve, link=True)
    by_pass(connect(site.server.port))
    site.upgraded()
    assert os.path.islink(site.file)
    assert stat.S_IMODE(os.stat(site.real).st_mode) == 0o640


def test_cannot_be_written(place, serve, connect):
    """One line in the log, and people sign in as ever."""
    site = Site(place, serve, become=place.owner)
    os.chmod(site.folder, 0o555)
    if not place.owner and os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    for _ in range(2):
        session = connect(site.server.port)
        by_pass(session)
        session.quit()
        site.server.await_event("upgrade")
        # Auth is told of it when that process has ended.
        wait_until(lambda: not site.server.roles("upgrade"))
    session = connect(site.server.port)
    session.login("bob", "other")
    time.sleep(2.5)  # longer than the pause between two
    os.chmod(site.folder, 0o755)
    assert len(site.server.events("upgrade")) == 1
    assert site.now() == site.text


def test_nobody_waits(place, serve, connect):
    """Somebody else has the lock."""
    site = Site(place, serve)
    with open(site.file + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(3):
            session = connect(site.server.port)
            by_pass(session)
            assert session.stat()[0] == 3
            session.quit()
        assert site.now() == site.text
    site.upgraded()


def test_many_at_once(place, serve, connect):
    """None is lost by another one's change."""
    site = Site(place, serve)
    sessions = [connect(site.server.port) for _ in range(2)]
    sessions[0].login("ana", PASSWORD)
    sessions[0].quit()
    sessions[1].login("bob", "other")

    def both():
        # An upgrade that finds another one being made waits for a sign-in.
        session = connect(site.server.port)
        session.login("bob", "other")
        session.quit()
        return site.now().count("{SCRAM-SHA-256}") == 2

    sessions[1].quit()
    wait_until(both, step=0.3)
    assert len({e["user"] for e in site.server.events("upgraded")}) == 2


# ---- the process that writes ----

NEW = ("{SCRAM-SHA-256}15000,c2FsdHNhbHRzYWx0,"
       "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
       "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


def message(file, rows):
    """IPC_CONF of src/server/conf/upgrade_conf.c."""
    def text(s):
        octets = s.encode()
        return struct.pack("=I", len(octets)) + octets
    return (struct.pack("=H", 1) + text(str(file)) + text(SCHEME) + text("")
            + struct.pack("=B", 1) + text("") + text("")
            + struct.pack("=H", len(rows))
            + b"".join(text(s) for row in rows for s in row))


def write(file, *rows, wrap=()):
    """How it ended, and what it said."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.send(message(file, rows))

    def third():
        os.dup2(its.fileno(), 3)
    with ours, its:
        done = subprocess.run(
            [*wrap, MALOTED, "-x", "upgrade"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, preexec_fn=third, pass_fds=(3,),
            timeout=60 * PATIENCE, check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0"})
    return done.returncode, done.stderr


@pytest.fixture
def users(tmp_path):
    file = tmp_path / "users"
    file.write_text("# a\nana:{PLAIN}x:1:2\nbob:{PLAIN}y\nana:{PLAIN}z\n"
                    "locked:*\nnone::\nodd:{FOO}x\n")
    return file


@pytest.mark.parametrize("was", ["{PLAIN}x", "{PLAIN}z"])
def test_writes(users, was):
    """Of two rows of a name that which has the hash: the other one may make no
    sense to the server."""
    text = users.read_text()
    code, said = write(users, ("ana", was, NEW))
    assert code == 0 and "ev=upgraded user=ana" in said
    assert users.read_text() == text.replace(was, NEW)


@pytest.mark.parametrize("row", [
    ("ana", "{PLAIN}y", NEW), ("ana", "{PLAIN}", NEW), ("ana", "", NEW),
    ("bob", "{PLAIN}x", NEW), ("ana", "{PLAIN}x", NEW + ":"),
    ("ana", "{PLAIN}x", NEW + "\nroot:{PLAIN}x"), ("ana", "{PLAIN}x", ""),
    ("ana", "{PLAIN}x", NEW + " "), ("ana", "{PLAIN}x", "{PLAIN}q"),
    ("ana", "{PLAIN}x", NEW.replace("15000", "4096")),
    ("ana", "{PLAIN}x", NEW[:-9]), ("ana", "{PLAIN}x", "*"),
    ("locked", "*", NEW), ("none", "", NEW), ("odd", "{FOO}x", NEW),
    ("carl", "", NEW), ("carl", "{PLAIN}x", NEW), ("", "", NEW),
    ("# a", "", NEW), ("ana:{PLAIN}x", "", NEW), ("ana\nb", "{PLAIN}x", NEW)])
def test_writes_nothing_else(users, row):
    """Who has broken into auth sends what is not to be sent."""
    before, text = os.stat(users), users.read_text()
    code, said = write(users, row)
    assert code == 0 and "ev=not-upgraded" in said
    assert users.read_text() == text
    assert os.stat(users).st_ino == before.st_ino


def test_nothing_to_be_told(tmp_path):
    code, said = write(tmp_path / "none", ("ana", "{PLAIN}x", NEW))
    assert code == 1 and "ev=upgrade error" in said
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(platform.machine() != "x86_64",
                    reason="killer.c knows x86-64 only")
@pytest.mark.parametrize("how", ["before", "torn"])
def test_killed(users, killer, how):
    """At each change to the disk: the file is the old one or the new one."""
    old = users.read_text()
    new = old.replace("{PLAIN}x", NEW)
    row = ("ana", "{PLAIN}x", NEW)
    code, said = write(users, row, wrap=[killer, "0", how])
    assert code == 0
    changes = int(re.search(r"changes (\d+)", said).group(1))
    assert changes >= 5  # lock, new file, text, sync, name
    seen = set()
    for n in range(1, changes + 1):
        users.write_text(old)
        assert write(users, row, wrap=[killer, str(n), how])[0] == 99
        seen.add(users.read_text())
    assert seen == {old, new}
    # What the last one left behind does not matter.
    users.write_text(old)
    assert write(users, row)[0] == 0
    assert users.read_text() == new
    assert sorted(os.listdir(users.parent)) == ["users", "users.lock"]


def test_killed_in_a_server(place, serve, connect):
    """Signing in goes on, and the next one upgrades."""
    site = Site(place, serve)
    lock = open(site.file + ".lock", "w", encoding="ascii")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        session = connect(site.server.port)
        by_pass(session)
        session.quit()
        for pid in wait_until(lambda: site.server.roles("upgrade")):
            kill(pid)
        wait_until(lambda: not site.server.roles("upgrade"))
    by_pass(connect(site.server.port))
    assert site.now() == site.text
