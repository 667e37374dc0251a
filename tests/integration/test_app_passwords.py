"""A password for each device: made, listed and taken away by malotectl, and
given by real clients."""
import json
import os
import re
import shutil
import signal
import sqlite3
import ssl
import stat
import subprocess
import time

import pytest

import drop
import mpop
import pop3
from server import CTL, PATIENCE, TOP, wait_until

pytestmark = pytest.mark.ours

EX_DATAERR, EX_NOUSER, EX_IOERR, EX_CONFIG = 65, 67, 74, 78
EX_NOPERM = 77
FORM = re.compile(r"(?:[a-km-np-z2-9]{4}-){6}[a-km-np-z2-9]{4}\n")


def ids(path):
    owner = os.stat(path)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


class Site:
    def __init__(self, place, serve, password="{PLAIN}secret",
                 names=("ana", "bob")):
        self.box = place.maildir(drop.make(5, 3))
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        self.file = place.path + "/users"
        with open(self.file, "w", encoding="utf-8") as f:
            for name in names:
                f.write("%s:%s:%s::::userdb_mail=maildir:%s\n" % (
                    name, password, ids(self.box), self.box))
        self.conf = place.path + "/ctl.conf"
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write("users = '%s'\n" % self.file)
        self.state = place.path + "/state"
        self.database = self.state + "/app-passwords.sqlite"
        self.server = serve(
            [("unused", "x", self.box)],
            "users = '%s'\nsessions = \"shared\"\napop = yes\n"
            "mechanisms = \"PLAIN LOGIN SCRAM-SHA-256 CRAM-MD5\"\n" %
            self.file, env={"STATE_DIRECTORY": self.state})

    def ctl(self, *words, code=0, warns=None):
        done = subprocess.run(
            [CTL, "--config", self.conf, *words], text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60 * PATIENCE,
            env={**os.environ, "STATE_DIRECTORY": self.state})
        assert done.returncode == code, done
        assert bool(done.stderr) == (code != 0 or warns is not None), done
        assert (warns or "") in done.stderr, done
        return done.stdout if code == 0 else done.stderr

    def add(self, user, label, *words):
        said = self.ctl("app-password", "add", user, "--label", label, *words)
        assert FORM.fullmatch(said)
        return said.strip()

    def signs_in(self, user, password):
        """By USER and PASS."""
        with pop3.Pop3(self.server.port) as session:
            session.ok("USER " + user)
            said = session.command("PASS " + password)
            assert said.startswith((b"+OK", b"-ERR [AUTH]")), said
            return said.startswith(b"+OK")

    def run(self, *command):
        return subprocess.run(
            command, check=False, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
            env={"HOME": self.home, "PATH": os.environ["PATH"], "LANG": "C"})

    def curl(self, user, password, *words):
        done = self.run("curl", "-sS", "-k", "-u", user + ":" + password,
                        *words, "pop3s://127.0.0.1:%d/" %
                        self.server.tls_port)
        assert done.returncode in (0, 67), done
        return done.returncode == 0


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


def test_life(site):
    """Added, used, listed, taken away: each at once, without a restart."""
    phone = site.add("ana", "phone")
    laptop = site.add("ana", "laptop")
    assert phone != laptop
    for password in (phone, laptop, phone.upper().replace("-", ""),
                     phone.replace("-", " "), "secret"):
        assert site.signs_in("ana", password)
    assert not site.signs_in("bob", phone)
    assert not site.signs_in("ana", phone[:-1] + "?")
    tried = json.loads(subprocess.run(
        [CTL, "--config", site.server.ctl_conf, "--json", "user", "test",
         "ana"], input=phone + "\n", text=True, check=True,
        stdout=subprocess.PIPE, timeout=60 * PATIENCE).stdout)
    assert (tried["password"], tried["app_password"]) == ("right", "phone")
    ways = {r["mechanism"]: r["possible"] for r in tried["mechanisms"]}
    assert ways["PLAIN"] and ways["USER"] and not ways["CRAM-MD5"]
    listed = json.loads(site.ctl("app-password", "list", "--json"))
    assert [(p["user"], p["label"]) for p in listed] == [
        ("ana", "laptop"), ("ana", "phone")]
    assert all(abs(p["created"] - time.time()) < 600 for p in listed)
    site.ctl("app-password", "revoke", "ana", "--label", "phone")
    assert not site.signs_in("ana", phone)
    assert site.signs_in("ana", laptop)
    assert site.ctl("app-password", "list").startswith('ana "laptop" since ')
    labels = [e["label"]
              for e in site.server.await_event("app-password", 5)]
    assert labels.count("phone") == 3 and labels.count("laptop") == 2


def test_restart_and_reload(site, serve):
    """It is there after SIGHUP, and after auth has died."""
    phone = site.add("ana", "phone")
    assert site.signs_in("ana", phone)
    site.server.signal(signal.SIGHUP)
    site.server.await_event("reload")
    assert site.signs_in("ana", phone)
    auth, = site.server.roles("auth")
    os.kill(auth, signal.SIGKILL)

    def again():
        now = site.server.roles("auth")
        return now and now != [auth] and len(
            site.server.events("app-passwords")) >= 3
    wait_until(again)
    assert site.signs_in("ana", phone)
    site.ctl("app-password", "revoke", "ana", "--label", "phone")
    assert not site.signs_in("ana", phone)


def test_nothing_of_it_is_kept(site):
    """The file is for who started the server, and has no password in it."""
    phone = site.add("ana", "phone", "--until", "2099-12-31", "--networks",
                     "127.0.0.0/8,::1", "--protocol", "pop3")
    assert stat.S_IMODE(os.stat(site.database).st_mode) == 0o600
    with open(site.database, "rb") as f:
        text = f.read()
    for form in (phone, phone.replace("-", "")):
        assert form.encode() not in text
        assert form not in site.server.log_text()
    with sqlite3.connect("file:%s?mode=ro" % site.database, uri=True) as db:
        assert db.execute("SELECT user, label, protocol, networks, until "
                          "FROM app_password").fetchall() == [
            ("ana", "phone", "pop3", "127.0.0.0/8,::1", 4102444800)]
    assert site.signs_in("ana", phone)
    assert re.fullmatch(
        r'ana "phone" since \d{4}-\d\d-\d\d, until 2099-12-31, from '
        r"127\.0\.0\.0/8,::1, by pop3\n", site.ctl("app-password", "list"))


def test_limits(site):
    """From elsewhere, and when its day is over, it is a wrong password."""
    away = site.add("ana", "away", "--networks", "192.0.2.0/24")
    old = site.add("ana", "old", "--until", time.strftime(
        "%Y-%m-%d", time.gmtime(time.time() + 86400)))
    assert not site.signs_in("ana", away)
    assert site.signs_in("ana", old)
    with sqlite3.connect(site.database) as db:
        db.execute("UPDATE app_password SET until = 1000 "
                   "WHERE label = 'old'")
    db.close()
    assert not site.signs_in("ana", old)
    tried = subprocess.run(
        [CTL, "--config", site.server.ctl_conf, "user", "test", "ana"],
        input=old + "\n", text=True, check=False, capture_output=True,
        timeout=60 * PATIENCE)
    assert tried.returncode == EX_NOPERM and "over" in tried.stderr, tried
    assert {e["why"] for e in site.server.await_event("login-failed", 2)} == {
        "app-password-network", "app-password-expired"}
    assert "1970-01-01 (over)" in site.ctl("app-password", "list")


def test_wrong_orders(site):
    add = ("app-password", "add", "ana")
    site.add("ana", "phone")
    for words in ((), ("--label", ""), ("--label", "a" * 65),
                  ("--label", "a\nb"), ("--label", "phone"),
                  ("--label", "x", "--until", "2099-02-30"),
                  ("--label", "x", "--until", "2001-01-01"),
                  ("--label", "x", "--until", "tomorrow"),
                  ("--label", "x", "--networks", "home"),
                  ("--label", "x", "--networks", ""),
                  ("--label", "x", "--protocol", "SMTP")):
        site.ctl(*add, *words, code=EX_DATAERR)
    site.ctl("app-password", "add", "eva", "--label", "x", code=EX_NOUSER)
    site.ctl("app-password", "revoke", "ana", "--label", "x", code=EX_NOUSER)
    site.ctl("app-password", "revoke", "bob", "--label", "phone",
             code=EX_NOUSER)
    assert len(json.loads(site.ctl("app-password", "list", "--json"))) == 1
    assert site.ctl("app-password", "list", "bob") == ""


def test_damaged(site):
    """A database that is none: nobody is told that their password is wrong,
    and nothing is written over it."""
    phone = site.add("ana", "phone")
    with open(site.database, "wb") as f:
        f.write(b"nonsense")
    with pop3.Pop3(site.server.port) as session:
        session.ok("USER ana")
        session.err("PASS " + phone, "SYS/TEMP")
    assert site.signs_in("ana", "secret")
    assert site.database in site.ctl(
        "app-password", "add", "ana", "--label", "x", code=EX_CONFIG)
    with open(site.database, "rb") as f:
        assert f.read() == b"nonsense"
    os.unlink(site.database)
    assert not site.signs_in("ana", phone)
    assert site.signs_in("ana", site.add("ana", "phone"))


def test_user_deleted(site):
    """The next user of the name gets none of the old passwords."""
    phone = site.add("ana", "phone")
    other = site.add("bob", "phone")
    with open(site.file, encoding="utf-8") as f:
        before = f.read()
    site.ctl("user", "delete", "ana")
    assert "no user ana" in site.ctl("app-password", "list", "ana",
                                     code=EX_NOUSER)
    assert not site.signs_in("ana", phone)
    with open(site.file, "w", encoding="utf-8") as f:
        f.write(before)
    assert not site.signs_in("ana", phone)
    assert site.signs_in("bob", other)
    assert site.ctl("app-password", "list", "ana") == ""


def test_user_gone(site):
    """Taken out by hand: what is left of them is listed, and who they were."""
    site.add("ana", "phone")
    with open(site.file, encoding="utf-8") as f:
        lines = f.readlines()
    with open(site.file, "w", encoding="utf-8") as f:
        f.writelines(line for line in lines if not line.startswith("ana:"))
    said = site.ctl("app-password", "list", "ana", warns="no user ana")
    assert said.startswith('ana "phone" since ')


@pytest.mark.parametrize("line,says", [
    ("eva:*:::::", "locks the user out"),
    ("eva:{PLAIN}x::::::nologin", "nologin"),
    ("eva:{PLAIN}x::::::malote_pop3=no", "malote_pop3=no"),
    ("eva:{PLAIN}x::::::malote_tls=maybe", "malote_tls must be yes or no")])
def test_of_who_cannot_sign_in(site, line, says):
    """It is made, and said to be of no use as the user's line is."""
    with open(site.file, "a", encoding="utf-8") as f:
        f.write(line + "\n")
    said = site.ctl("app-password", "add", "eva", "--label", "x", warns=says)
    assert FORM.fullmatch(said)


def test_rule_changed(site):
    """What was added before there was a default_domain opens the mail of the
    user with it, and is listed and taken away by that name."""
    site.add("ana", "phone")
    site.add("ana", "laptop")
    other = site.add("bob", "phone")
    with open(site.conf, "a", encoding="utf-8") as f:
        f.write("default_domain = \"d.org\"\n")
    assert "phone" in site.ctl("app-password", "list", "ana@d.org")
    site.ctl("app-password", "revoke", "ana", "--label", "phone")
    listed = json.loads(site.ctl("app-password", "list", "ana", "--json"))
    assert [p["label"] for p in listed] == ["laptop"]
    site.ctl("user", "delete", "ana")
    site.ctl("app-password", "list", "ana", code=EX_NOUSER)
    assert site.signs_in("bob", other)


def test_two_at_a_time(site):
    """No order of two that come together is lost."""
    jobs = [subprocess.Popen(
        [CTL, "--config", site.conf, "app-password", "add", "ana", "--label",
         str(n)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "STATE_DIRECTORY": site.state}) for n in range(12)]
    made = [job.communicate(timeout=60 * PATIENCE)[0].strip() for job in jobs]
    assert len(json.loads(site.ctl("app-password", "list", "--json"))) == 12
    assert all(site.signs_in("ana", password) for password in made)


# ---- other people's clients ----

@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(place, serve):
    """PLAIN and USER send the password itself; the others cannot have been
    given the right one, as the server does not know which is meant."""
    site = Site(place, serve)
    phone = site.add("ana", "phone")
    for how in ("PLAIN", "LOGIN"):
        words = ("--login-options", "AUTH=" + how)
        assert site.curl("ana", phone, *words)
        assert not site.curl("bob", phone, *words)
    for how in ("CRAM-MD5", "+APOP"):
        assert not site.curl("ana", phone, "--login-options", "AUTH=" + how)
        assert site.curl("ana", "secret", "--login-options", "AUTH=" + how)
    site.ctl("app-password", "revoke", "ana", "--label", "phone")
    assert not site.curl("ana", phone, "--login-options", "AUTH=PLAIN")


@pytest.mark.skipif(shutil.which("mpop") is None, reason="no mpop")
def test_mpop(site):
    phone = site.add("ana", "phone")
    ca = site.home + "/ca.pem"
    with open(ca, "w", encoding="ascii") as f:
        f.write(ssl.get_server_certificate(
            ("127.0.0.1", site.server.tls_port)))
    rc = mpop.prepare(site.home, site.server.tls_port, "ana", phone, "user", ca)
    assert site.run("mpop", "-C", rc, "-q").returncode == 0
    assert len(os.listdir(site.home + "/in/new")) == 3
    site.ctl("app-password", "revoke", "ana", "--label", "phone")
    assert site.run("mpop", "-C", rc, "-q").returncode != 0


def test_costs_nothing(place, serve):
    """A costly main password does not make the others so."""
    made = subprocess.run(
        [CTL, "--users", place.path + "/one", "user", "add", "x"],
        input="secret\n", text=True, check=True)
    assert made.returncode == 0
    with open(place.path + "/one", encoding="utf-8") as f:
        site = Site(place, serve, f.read().split(":")[1])
    phone = site.add("ana", "phone")

    def took(password, expected):
        start = time.monotonic()
        assert site.signs_in("ana", password) == expected
        return time.monotonic() - start
    wrong = min(took(phone.translate(str.maketrans("2a", "3b")) + "x", False)
                for _ in range(3))
    right = min(took(phone, True) for _ in range(3))
    assert right < wrong / 2


# ---- the manual ----

@pytest.mark.parametrize("page", ["malotectl.8.scd",
                                  "pt_BR/malotectl.8.scd"])
def test_manual(place, serve, page):
    """The example of malotectl(8), as it stands there."""
    site = Site(place, serve, names=("ana@example.org",))
    with open(TOP + "/doc/man/" + page, encoding="utf-8") as f:
        shown, = [b for b in f.read().split("```")[1::2]
                  if "app-password" in b]
    orders = [line.split()[1:] for line in shown.strip().splitlines()]
    assert [o[1] for o in orders] == ["add", "add", "list", "revoke"]
    said = [site.ctl(*order) for order in orders[:2]]
    for n, why in enumerate(("app-password-network",
                             "app-password-protocol")):
        assert FORM.fullmatch(said[n])
        assert not site.signs_in("ana@example.org", said[n].strip())
        assert site.server.await_event("login-failed", n + 1)[n]["why"] == why
    phone, printer = site.ctl(*orders[2]).splitlines()
    assert "192.0.2.0/24" in phone and printer.endswith(", by smtp")
    site.ctl(*orders[3])
    assert site.ctl(*orders[2]) == printer + "\n"
