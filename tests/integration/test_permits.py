"""What a line of the users file forbids, and what clients are told of it."""
import os
import shutil
import signal
import ssl
import subprocess
import time

import pytest

import drop
import mpop
import pop3
from scram import scram
from server import CTL, PATIENCE, TOP, wait_until

pytestmark = pytest.mark.ours

PASSWORD = "pencil"
WORDS = {"plain": "", "off": "nologin", "imap": "malote_pop3=no",
         "safe": "malote_tls=yes", "look": "malote_read_only=yes",
         "here": "allow_nets=127.0.0.0/8", "away": "allow_nets=192.0.2.0/24"}
EVERY = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN CRAM-MD5%s"


def ids(path):
    owner = os.stat(path)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


class Site:
    """A server, and a users file with these words at the ends of its lines."""

    def __init__(self, place, serve, words, config="",
                 stored="{PLAIN}" + PASSWORD):
        self.stored = stored
        self.box = place.maildir(drop.make(5, 3))
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        self.file = place.path + "/users"
        self.write(words)
        self.server = serve(
            [("unused", "x", self.box)],
            "users = '%s'\nmechanisms = \"%s\"\napop = yes\nsessions = \"shared\"\n%s" % (
                self.file,
                EVERY % (" ANONYMOUS" if "anonymous" in config else ""),
                config))

    def write(self, words):
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            for name, more in words.items():
                f.write("%s:%s:%s::::userdb_mail=maildir:%s %s\n" % (
                    name, self.stored, ids(self.box), self.box, more))
        os.rename(self.file + ".new", self.file)

    def refusals(self, why):
        return [e for e in self.server.events("login-failed")
                if e["why"] == why]

    def curl(self, url, *words, user):
        return subprocess.run(
            ["curl", "-sS", "-k", "--max-time", str(30 * PATIENCE), "-u",
             user + ":" + PASSWORD, *words, url], check=False,
            capture_output=True, text=True, env={"HOME": self.home,
                                                 "PATH": os.environ["PATH"]})


@pytest.fixture
def site(place, serve):
    return Site(place, serve, WORDS)


def test_nobody_and_tls(site, connect, login):
    """S-3206: the code is [AUTH]; who has the password is told why."""
    port = site.server.port
    off = b"-ERR [AUTH] this account may not sign in here"
    tls = b"-ERR [AUTH] this account signs in inside TLS only"
    for name, says in (("off", off), ("imap", off), ("safe", tls)):
        session = connect(port)
        session.ok("USER " + name)
        assert session.command("PASS " + PASSWORD) == says
        session.ok("USER " + name)
        assert session.command("PASS other") == \
            b"-ERR [AUTH] authentication failed"
    login(site.server, "plain", PASSWORD).quit()
    login(site.server, "safe", PASSWORD, tls=True).quit()
    session = connect(port)
    session.stls()
    session.login("safe", PASSWORD)
    for why in ("nologin", "pop3-off", "tls-only"):
        assert len(wait_until(lambda: site.refusals(why))) == 1


def test_networks(site, connect, login):
    """From elsewhere the right password is like a wrong one."""
    login(site.server, "here", PASSWORD).quit()
    session = connect(site.server.port)
    session.ok("USER away")
    assert session.command("PASS " + PASSWORD) == \
        b"-ERR [AUTH] authentication failed"
    wait_until(lambda: site.refusals("allow_nets"))


def test_read_only(site, login):
    session = login(site.server, "look", PASSWORD)
    assert session.stat()[0] == 3
    session.retr(1)
    assert session.command("DELE 1") == \
        b"-ERR nothing can be removed from this maildrop"
    assert session.quit().startswith(b"+OK")
    assert login(site.server, "plain", PASSWORD).stat()[0] == 3


@pytest.mark.parametrize("make", [True, False])
def test_read_only_without_a_maildir(place, serve, connect, make):
    """As for anybody else there is no mail yet; but nothing is made.  Where
    Maildirs are not to be made, it may be one that is not mounted."""
    box = place.path + "/new/Maildir"
    file = place.path + "/users.new"
    owner = place.owner or ("", "")
    with open(file, "w", encoding="utf-8") as f:
        f.write("look:{PLAIN}%s:%s:%s::::userdb_mail=maildir:%s "
                "malote_read_only=yes\n" % (PASSWORD, *owner, box))
    if place.owner:
        os.chown(place.path, *place.owner)
    server = serve([("unused", "x", place.maildir((), "others"))],
                   "users = '%s'\ncreate_maildir = %s\n"
                   % (file, "yes" if make else "no"))
    session = connect(server.port)
    session.ok("USER look")
    said = session.command("PASS " + PASSWORD)
    assert said.startswith(b"+OK" if make else b"-ERR [SYS/TEMP]")
    if make:
        assert session.stat() == (0, 0)
        assert session.list() == {} and session.uidl() == {}
        session.err("RETR 1")
        assert session.quit().startswith(b"+OK")
    assert not os.path.exists(place.path + "/new")


def test_words_change(site, login, connect):
    """The line as it is now, also for a password that is known to be right."""
    login(site.server, "plain", PASSWORD).quit()
    for words, why in (("allow_nets=::1", "allow_nets"),
                       ("nologin", "nologin"),
                       ("malote_tls=yes", "tls-only")):
        site.write({"plain": words})
        session = connect(site.server.port)
        session.ok("USER plain")
        session.err("PASS " + PASSWORD, "AUTH")
        wait_until(lambda: site.refusals(why))
    site.write({"plain": ""})
    login(site.server, "plain", PASSWORD).quit()


@pytest.fixture
def costly(place, serve):
    """One whose password is kept so that it takes a while to verify."""
    subprocess.run([CTL, "--users", place.path + "/one", "user", "add", "x"],
                   input=PASSWORD + "\n", text=True, check=True)
    with open(place.path + "/one", encoding="utf-8") as f:
        return Site(place, serve, {"ana": ""},
                    stored=f.read().split(":")[1])


def took(site):
    """Seconds of a sign-in."""
    with pop3.Pop3(site.server.port) as session:
        session.ok("USER ana")
        start = time.monotonic()
        session.ok("PASS " + PASSWORD)
        return time.monotonic() - start


def test_remembered(costly):
    """A password that was verified lately is not verified again; but all else
    is judged anew, and a reload forgets it."""
    first = took(costly)
    assert min(took(costly) for _ in range(3)) < first / 2
    for words, why in (("allow_nets=::1", "allow_nets"),
                       ("malote_pop3=no", "pop3-off"),
                       ("malote_tls=yes", "tls-only")):
        costly.write({"ana": words})
        with pop3.Pop3(costly.server.port) as session:
            session.ok("USER ana")
            session.err("PASS " + PASSWORD, "AUTH")
        wait_until(lambda: costly.refusals(why))
    costly.write({"ana": ""})
    took(costly)
    assert min(took(costly) for _ in range(3)) < first / 2
    before = len(costly.server.events("users"))
    costly.server.signal(signal.SIGHUP)
    costly.server.await_event("users", before + 1)
    slow = [took(costly) for _ in range(3)]
    assert max(slow) > 5 * min(slow)


def test_password_changed(costly):
    """The old one opens nothing from the next sign-in on, however the file is
    written: N is less than a second."""
    took(costly)
    took(costly)
    with open(costly.file, encoding="utf-8") as f:
        text = f.read()
    with open(costly.file, "r+", encoding="utf-8") as f:
        f.write(text.replace(costly.stored, "{PLAIN}other"))
        f.truncate()
    with pop3.Pop3(costly.server.port) as session:
        session.ok("USER ana")
        session.err("PASS " + PASSWORD, "AUTH")
        session.ok("USER ana")
        session.ok("PASS other")


def test_anonymous(place, serve, connect):
    """The public maildrop is closed by its words like any other."""
    site = Site(place, serve, {"public": ""}, 'anonymous = "public"\n')
    session = connect(site.server.port)
    session.ok("AUTH ANONYMOUS eA==")
    session.quit()
    for words in ("nologin", "allow_nets=192.0.2.0/24"):
        site.write({"public": words})
        site.server.signal(signal.SIGHUP)
        site.server.await_event("reload")
        connect(site.server.port).err("AUTH ANONYMOUS eA==", "AUTH")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5", "+APOP"])
def test_curl(site, mechanism):
    """Whatever the mechanism."""
    how = ["--login-options", "AUTH=" + mechanism]
    plain = "pop3://127.0.0.1:%d/" % site.server.port
    tls = "pop3s://127.0.0.1:%d/" % site.server.tls_port
    good = ("here", "look", "plain")
    for name in good:
        done = site.curl(plain, *how, user=name)
        assert done.returncode == 0 and done.stdout.startswith("1 "), done
    for name in set(WORDS) - set(good):
        assert site.curl(plain, *how, user=name).returncode == 67
    assert site.curl(tls, *how, user="safe").returncode == 0
    done = site.curl(tls + "1", *how, "-X", "DELE", "-I", user="look")
    assert done.returncode != 0
    assert site.curl(tls, *how, user="plain").stdout.count("\n") == 3


def test_scram(site, connect):
    for name in ("off", "imap", "safe", "away"):
        session = connect(site.server.port)
        assert scram(session, "SCRAM-SHA-256", name,
                     PASSWORD)[0].startswith(b"-ERR [AUTH]")
    session = connect(site.server.port)
    assert scram(session, "SCRAM-SHA-256", "here",
                 PASSWORD)[0].startswith(b"+OK")


def test_manual(place, serve, login, connect):
    """The example of maloted.conf(5), with other paths and another password."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        shown, = [b for b in f.read().split("```")[1::2] if "nologin" in b
                  and "allow_nets" in b]
    words = {line.split(":")[0]: line.split(":", 7)[7]
             for line in shown.strip().splitlines()}
    site = Site(place, serve, words)
    assert set(words) == {"ana", "scanner", "rui", "eva"}
    login(site.server, "ana", PASSWORD, tls=True).quit()
    assert login(site.server, "scanner", PASSWORD).command("DELE 1") == \
        b"-ERR nothing can be removed from this maildrop"
    for name in ("rui", "eva"):
        session = connect(site.server.port)
        session.ok("USER " + name)
        session.err("PASS " + PASSWORD, "AUTH")


@pytest.mark.skipif(shutil.which("mpop") is None, reason="no mpop")
def test_mpop_read_only(site):
    """A client that removes what it has: it has all, and all stays."""
    ca = site.home + "/ca.pem"
    with open(ca, "w", encoding="ascii") as f:
        f.write(ssl.get_server_certificate(
            ("127.0.0.1", site.server.tls_port)))
    rc = mpop.prepare(site.home, site.server.tls_port, "look", PASSWORD,
                      "plain", ca, "keep off\n")
    done = subprocess.run(
        ["mpop", "-C", rc, "-q"], check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
        env={"HOME": site.home, "PATH": os.environ["PATH"], "LANG": "C"})
    assert "nothing can be removed from this maildrop" in done.stderr, done
    assert len(os.listdir(site.home + "/in/new")) >= 1
    assert len(os.listdir(site.box + "/new")
               + os.listdir(site.box + "/cur")) == 3
