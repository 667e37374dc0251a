"""Names and passwords in every form, by every way of signing in, with other
people's clients and ours: one rule for all of them."""
import hashlib
import os
import re
import shutil
import ssl
import subprocess

import pytest

import drop
import malote
import mpop
from scram import b64, cram, scram
from server import PATIENCE, TOP

pytestmark = pytest.mark.ours

CTL = os.path.join(os.path.dirname(os.environ.get(
    "MALOTED", TOP + "/build/release/src/maloted")), "malotectl")
MESSAGES = 3
PASSWORD = "pencil"
TYPED, PREPARED = "e\u0301\u2168", "\xe9IX"
EX_DATAERR = 65

SETTINGS = r"""
mechanisms = "SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5"
apop = yes
sessions = "shared"
login_characters = "'\\."
login_separators = "%"
default_domain = "example.org"
"""

# As they stand in the file, and other ways to write them.
NAMES = {
    "o'brien@example.org": ["O'Brien", "o'brien%example.org"],
    "dom\\user@example.org": ["DOM\\user", "DOM\\user@Example.org"],
    "first..last@example.org": ["first..last"],
    "jos\xe9@example.org": ["jose\u0301", "JOS\xe9", "jo\xads\xe9"][::2],
    "ix@b.example": ["\u2168@b.example", "I\xadX%b.example",
                     "\uff29x\uff20b.example"],
    "\u05d0\u05d1@example.org": ["\u05d0\u05d1%example.org"],
}
WRITTEN = [(name, way) for name, ways in NAMES.items()
           for way in [name] + ways]


class Site:
    def __init__(self, place, serve):
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        box = place.maildir(drop.make(5, MESSAGES))
        users = [(name, PASSWORD, box) for name in NAMES]
        users += [("typed@example.org", TYPED, box),
                  ("prepared@example.org", PREPARED, box)]
        self.server = serve(users, SETTINGS)
        self.ca = self.write("ca.pem", ssl.get_server_certificate(
            ("127.0.0.1", self.server.tls_port)))

    def write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def run(self, *command, **more):
        env = {"HOME": self.home, "PATH": os.environ["PATH"],
               "LANG": "C.UTF-8", "LOGNAME": "tester", "USER": "tester"}
        return subprocess.run(
            command, env=env, cwd=self.home, capture_output=True,
            timeout=60 * PATIENCE, check=False, **more)


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


def by_pass(session, user, password):
    session.command("USER " + user)
    return session.command("PASS " + password)


def by_plain(session, user, password):
    return session.command("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))


def by_login(session, user, password):
    session.command("AUTH LOGIN " + b64(user))
    return session.command(b64(password))


def by_scram(session, user, password):
    escaped = user.replace("=", "=3D").replace(",", "=2C")
    return scram(session, "SCRAM-SHA-256", escaped, password)[0]


def by_cram(session, user, password):
    return cram(session, user, password)


def by_apop(session, user, password):
    stamp = re.search(rb"<[^>]*>", session.greeting).group()
    digest = hashlib.md5(stamp + password.encode()).hexdigest()
    return session.command("APOP %s %s" % (user, digest))


WAYS = [by_pass, by_plain, by_login, by_scram, by_cram, by_apop]


@pytest.mark.parametrize("way", WAYS)
def test_one_rule(site, connect, way):
    """S-4616-02, S-6856-07: nothing is prepared by these clients."""
    for count, (name, written) in enumerate(WRITTEN, 1):
        session = connect(site.server.port)
        assert way(session, written, PASSWORD).startswith(b"+OK"), written
        session.quit()
        events = site.server.await_event("login", count)
        assert events[-1]["user"] == escaped(name)
    for odd in ("o'brien@b'c", "a@b@c", "x..y@..", "\x07@example.org",
                "\ue000@example.org", "a b@example.org"):
        session = connect(site.server.port)
        assert way(session, odd, PASSWORD).startswith(b"-ERR"), odd


def escaped(name):
    """As in the log."""
    return "".join(chr(c) if 0x20 < c < 0x7f and chr(c) not in '"=\\'
                   else "\\x%02x" % c for c in name.encode())


@pytest.mark.parametrize("way", WAYS)
def test_forms_of_a_password(site, connect, way):
    """S-6856-07: the prepared form is right for either, by every
    mechanism."""
    for user in ("typed", "prepared"):
        session = connect(site.server.port)
        assert way(session, user, PREPARED).startswith(b"+OK"), user
        session.quit()
    # Who sends what was typed is right where that is what is stored, and where
    # the server hears the password itself.
    session = connect(site.server.port)
    taken = way(session, "typed", TYPED).startswith(b"+OK")
    assert taken == (way is not by_scram)
    session = connect(site.server.port)
    taken = way(session, "prepared", TYPED).startswith(b"+OK")
    assert taken == (way in (by_pass, by_plain, by_login))


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None,
                              reason=program + " is not installed")


@needs("curl")
@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_curl(site, auth):
    for user in ["o'brien", "DOM\\user", "first..last", "jose\u0301",
                 "user%b"]:
        done = site.run(
            "curl", "-sS", "--fail", "--cacert", site.ca, "-u",
            user + ":" + PASSWORD, "--login-options", "AUTH=" + auth,
            "pop3s://localhost:%d/" % site.server.tls_port)
        assert done.returncode == (67 if user == "user%b" else 0), done


@needs("mpop")
@pytest.mark.parametrize("auth", ["scram-sha-256", "cram-md5", "user"])
def test_mpop(site, auth):
    """It prepares names and passwords itself, by GNU SASL."""
    pairs = [("o'brien", PASSWORD), ("first..last", PASSWORD),
             ("jose\u0301", PASSWORD), ("\u2168%b.example", PASSWORD),
             ("typed", TYPED), ("prepared", TYPED)]
    for user, password in pairs:
        rc = mpop.prepare(site.home, site.server.tls_port, user, password, auth,
                          site.ca)
        done = site.run("mpop", "-C", rc, "-q")
        assert done.returncode == 0, (user, done)
        assert len(os.listdir(site.home + "/in/new")) == MESSAGES


@pytest.mark.parametrize("auth", ["scram-sha-256", "plain", "login",
                                  "cram-md5", "apop", "user"])
def test_malote(site, auth):
    for n, (user, password) in enumerate([
            ("O'Brien", PASSWORD), ("jose\u0301", PASSWORD),
            ("\u05d0\u05d1@example.org", PASSWORD), ("typed", TYPED),
            ("prepared", TYPED)]):
        m = malote.Malote("%s/%d" % (site.home, n))
        m.account(port=site.server.tls_port, server="localhost",
                  security="tls", user=user, password=password, auth=auth,
                  ca_file=site.ca, keep="yes")
        m.collect()
        assert len(m.files()) == MESSAGES


# ---- malotectl ----

@pytest.fixture
def ctl(tmp_path):
    config = tmp_path / "maloted.conf"
    users = tmp_path / "users"
    config.write_text('users = "%s"\nmail = "maildir:/nowhere/%%d/%%n"\n'
                      'mail_user = "%d"\nmail_group = "1"\n%s'
                      % (users, os.geteuid() or 65534, SETTINGS))

    def run(name, password=PASSWORD, scheme="PLAIN", code=0):
        done = subprocess.run(
            [CTL, "-c", config, "--scheme", scheme, "user", "add", name],
            input=(password + "\n").encode(), capture_output=True,
            timeout=60 * PATIENCE, check=False)
        assert done.returncode == code, done
        return done.stderr.decode()
    run.users = users
    return run


def test_malotectl_writes_the_one_form(ctl):
    for name, ways in NAMES.items():
        ctl((ways or [name])[0], TYPED)
        for again in ways:
            assert "already" in ctl(again, code=EX_DATAERR)
    assert ctl.users.read_text(encoding="utf-8").splitlines() == [
        "%s:{PLAIN}%s::::::" % (name, PREPARED) for name in NAMES]


@pytest.mark.parametrize("password, scheme, says", [
    ("\u05d01", "ARGON2ID", "right-to-left"),
    ("\ue000", "PLAIN", "not allowed"),
    ("\u0221", "SCRAM-SHA-256", "too new")])
def test_a_password_is_refused(ctl, password, scheme, says):
    assert says in ctl("ana", password, scheme, code=EX_DATAERR)
    assert not ctl.users.exists()
