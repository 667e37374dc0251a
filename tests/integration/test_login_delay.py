"""LOGIN-DELAY: how soon after a sign-in the next one is accepted."""
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess

import pytest

import drop
import malote
import mpop
from scram import cram, scram
from server import CTL, PATIENCE, kill, wait_until

pytestmark = pytest.mark.ours

PASSWORD = "pencil"
DELAY = 600
EVERY = 'mechanisms = "SCRAM-SHA-256 PLAIN CRAM-MD5%s"\napop = yes\n'
SOON = re.compile(rb"-ERR \[LOGIN-DELAY\] you sign in too often, "
                  rb"wait (\d+) seconds")


def ids(path):
    owner = os.stat(path)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


class Site:
    """A server, and users with these words at the ends of their lines."""

    def __init__(self, place, serve, connect, config="", delay=DELAY, **words):
        self.box = place.maildir(drop.make(5, 3))
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        self.file = place.path + "/users"
        self.connect = connect
        self.state = {"STATE_DIRECTORY": place.path + "/state"}
        self.write(**(words or {"ana": "", "bob": ""}))
        self.server = serve(
            [("unused", "x", self.box)],
            "users = '%s'\nlogin_delay = %d\n%s" % (self.file, delay, config),
            env=self.state)

    def write(self, **words):
        """Each has a Maildir of their own, but for that of ana."""
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            for name, more in words.items():
                f.write("%s:{PLAIN}%s:%s::::userdb_mail=maildir:%s%s %s\n" % (
                    name, PASSWORD, ids(self.box), self.box,
                    "" if name == "ana" else "/" + name, more))
        os.rename(self.file + ".new", self.file)

    def enter(self, user="ana", password=PASSWORD, **more):
        session = self.connect(self.server.port, **more)
        session.login(user, password)
        return session

    def refused(self, user="ana", password=PASSWORD, **more):
        """Seconds that it says are to be waited."""
        session = self.connect(self.server.port, **more)
        session.ok("USER " + user)
        said = session.command("PASS " + password)
        assert SOON.fullmatch(said), said
        return int(SOON.fullmatch(said).group(1))

    def fill(self, user="ana"):
        """From then on that user is refused."""
        self.enter(user).quit()
        self.enter(user).quit()
        assert DELAY - 60 < self.refused(user) <= DELAY

    def ended(self, why, count=1):
        """Until so many sessions have ended so."""
        wait_until(lambda: len([e for e in self.server.events("session")
                                if e["why"] == why]) >= count)


@pytest.fixture
def site(place, serve, connect):
    def make(*args, **more):
        return Site(place, serve, connect, *args, **more)
    return make


def delay_of(session):
    return [line for line in session.multi("CAPA").decode().splitlines()
            if line.startswith("LOGIN-DELAY")]


def test_announced(site, connect):
    """S-2449-10: the most before sign-in, with USER where somebody has less;
    then the user's own."""
    s = site(ana="malote_login_delay=300", bob="", eva="malote_login_delay=0")
    session = connect(s.server.port)
    assert delay_of(session) == ["LOGIN-DELAY 600 USER"]
    session.stls()
    assert delay_of(session) == ["LOGIN-DELAY 600 USER"]
    for user, says in (("ana", 300), ("bob", 600), ("eva", 0)):
        session = s.enter(user)
        assert delay_of(session) == ["LOGIN-DELAY %d" % says]
        session.quit()
    # As the users file is at each sign-in; who waits has another one soon.
    s.write(ana="", bob="")
    s.enter("bob").quit()
    wait_until(lambda: delay_of(connect(s.server.port)) == ["LOGIN-DELAY 600"])
    s.write(ana="malote_login_delay=0", bob="malote_login_delay=0")
    s.enter("bob").quit()
    wait_until(lambda: delay_of(connect(s.server.port)) == [])
    wait_until(lambda: delay_of(s.enter("bob")) == [])


def test_off(site, connect):
    s = site(delay=0)
    assert delay_of(connect(s.server.port)) == []
    for _ in range(8):
        session = s.enter()
        assert delay_of(session) == []
        session.quit()


def test_enforced(site, connect):
    """S-2449-10, S-2449-14: by whatever way, from wherever; after the right
    password only, and not to USER."""
    s = site(EVERY % "")
    s.fill()
    port = s.server.port
    session = connect(port)
    session.ok("USER ana")
    assert session.command("PASS other") == \
        b"-ERR [AUTH] authentication failed"
    session = connect(port)
    assert SOON.fullmatch(scram(session, "SCRAM-SHA-256", "ana",
                                PASSWORD)[0])
    assert SOON.fullmatch(cram(connect(port), "ana", PASSWORD))
    session = connect(port)
    assert SOON.fullmatch(session.command("AUTH PLAIN AGFuYQBwZW5jaWw="))
    session.stls()
    session.ok("USER ana")
    assert SOON.fullmatch(session.command("PASS " + PASSWORD))
    session = connect(port)
    stamp = re.search(rb"<[^>]*>", session.greeting).group()
    session.err("APOP ana " + apop_digest(stamp), "LOGIN-DELAY")
    s.refused("ANA", source="127.0.0.2")
    s.enter("bob").quit()
    refused = [e for e in s.server.events("login-failed")
               if e["why"] == "login-delay"]
    assert {e["code"] for e in refused} == {"login-delay"}
    assert {e["method"] for e in refused} == {
        "PASS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "APOP"}


def apop_digest(stamp):
    return hashlib.md5(stamp + PASSWORD.encode()).hexdigest()


def test_in_portuguese(site, connect):
    s = site()
    s.fill()
    session = connect(s.server.port)
    session.ok("LANG pt-BR")
    session.ok("USER ana")
    said = session.command("PASS " + PASSWORD).decode()
    assert re.fullmatch(r"-ERR \[LOGIN-DELAY\] você entra com frequência demais, "
                        r"aguarde \d+ segundos", said)


def test_over(site):
    """The time is counted from the sign-in, not from the end of a session."""
    s = site(delay=3)
    first = s.enter()
    assert delay_of(first) == ["LOGIN-DELAY 3"]
    first.quit()
    s.enter().quit()
    wait = s.refused()
    assert wait <= 3

    def may():
        session = s.connect(s.server.port)
        session.ok("USER ana")
        return session.command("PASS " + PASSWORD).startswith(b"+OK")
    wait_until(may)


def test_in_vain(site):
    """What broke before its first message is forgiven three times an hour;
    what broke behind it, or ended with QUIT, is not."""
    s = site()
    s.enter("bob").quit()
    session = s.enter("bob")
    session.send(b"QUIT\r\n")
    s.ended("quit", 2)
    s.refused("bob")
    s.enter().quit()
    for n in range(3):
        session = s.enter()
        session.list()
        session.close()
        s.ended("closed", n + 1)
    session = s.enter()
    session.close()
    s.ended("closed", 4)
    s.refused()


def test_broken_later(site):
    s = site()
    for n in range(2):
        session = s.enter()
        session.retr(1)
        session.close()
        s.ended("closed", n + 1)
    s.refused()


@pytest.mark.parametrize("tail", [b"", b"RSET\r\n", b"LIST\r\nUIDL\r\n"])
def test_pipelined(site, tail):
    """A poll that says all at once is one, and so is a second one."""
    s = site()
    for _ in range(2):
        session = s.connect(s.server.port)
        session.send(b"USER ana\r\nPASS pencil\r\n" + tail + b"QUIT\r\n")
        while session.receive():
            pass
    s.refused()


def test_in_use(site):
    """S-2449-15, M-30: who is refused for another reason has not signed in."""
    s = site()
    session = s.enter()
    for _ in range(8):
        other = s.connect(s.server.port)
        other.ok("USER ana")
        other.err("PASS " + PASSWORD, "IN-USE")
    session.retr(1)
    session.quit()
    s.enter().quit()
    s.refused()


def test_taken_over(site):
    """Who was put out has not had what they came for, though they had mail."""
    s = site("takeover = 1\n")
    sessions = []

    def take():
        other = s.connect(s.server.port)
        other.ok("USER ana")
        if other.command("PASS " + PASSWORD).startswith(b"+OK"):
            other.retr(1)
            sessions.append(other)
        return len(sessions) > n
    for n in range(4):
        wait_until(take)
    s.ended("takeover", 3)
    sessions[-1].quit()
    s.enter().quit()
    s.refused()


@pytest.mark.parametrize("role", ["store", "worker"])
def test_killed(site, role):
    """What we end does not count, though mail was had.  A third one would be spared,
    too: who signs in as a process ends may be that."""
    s = site("workers = 1\n")
    for n in range(2):
        session = wait_until(lambda: signed_in(s))
        session.retr(1)
        for pid in s.server.roles(role):
            kill(pid)
        s.server.await_event("ended", n + 1)
        assert session.ended()
    wait_until(lambda: signed_in(s)).quit()
    s.enter().quit()
    s.refused()


def signed_in(s):
    """A session, or None: a process has just come to its end."""
    try:
        session = s.connect(s.server.port)
        session.ok("USER ana")
        said = session.command("PASS " + PASSWORD)
    except OSError:
        return None
    assert not SOON.fullmatch(said)
    return session if said.startswith(b"+OK") else None


def test_anonymous_and_masters(site, connect):
    """Those who are many, or come for others, neither wait nor make wait."""
    s = site(EVERY % " ANONYMOUS" +
             'anonymous = "pub"\nmaster_separator = "*"\n',
             ana="", pub="", boss="malote_master=yes")
    assert delay_of(connect(s.server.port)) == ["LOGIN-DELAY 600 USER"]
    for _ in range(4):
        session = connect(s.server.port)
        session.ok("AUTH ANONYMOUS eA==")
        assert delay_of(session) == ["LOGIN-DELAY 0"]
        session.quit()
        session = s.enter("ana*boss")
        assert delay_of(session) == ["LOGIN-DELAY 0"]
        session.quit()
    s.fill("ana")
    s.fill("boss")
    s.enter("ana*boss").quit()


def test_shown(site):
    s = site(ana="", bob="malote_login_delay=60")
    shown = json.loads(s.server.ctl("--json", "user", "show", "bob"))
    assert (shown["login_delay"], shown["login_delay_left"]) == (60, 0)
    s.fill()
    shown = json.loads(s.server.ctl("--json", "user", "show", "ana"))
    assert shown["login_delay"] == DELAY
    assert DELAY - 60 < shown["login_delay_left"] <= DELAY
    shown = s.server.ctl("user", "show", "ana")
    assert re.search(r"(?m)^login_delay_left: +\d+$", shown)


def test_devices(site):
    """Who has an app password has a time of their own."""
    s = site()
    with open(s.server.ctl_conf, "a", encoding="utf-8") as f:
        f.write("users = '%s'\n" % s.file)
    phone, laptop = (
        s.server.ctl("app-password", "add", "ana", "--label", label,
                     env={**os.environ, **s.state}).strip()
        for label in ("phone", "laptop"))
    s.fill()
    for password in (phone, laptop):
        s.enter("ana", password).quit()
        s.enter("ana", password).quit()
        s.refused("ana", password)
        if password == phone:
            assert not left(s, laptop)
        assert left(s, password)
    assert left(s, PASSWORD)


def left(s, password):
    """Seconds, as malotectl user test tells who has that password."""
    done = subprocess.run(
        [CTL, "--config", s.server.ctl_conf, "--json", "user", "test", "ana"],
        input=password + "\n", text=True, check=True, capture_output=True,
        timeout=60 * PATIENCE)
    return json.loads(done.stdout)["login_delay_left"]


# Clients.

def test_malote(site, client):
    """It waits as long as it is told between two runs of the daemon, and is
    never refused; a run by hand that is refused says so, and loses nothing."""
    s = site()
    m = client().account(at=s.server.port, user="ana", password=PASSWORD)
    m.collect()
    assert len(m.files()) == 3
    m.collect()
    done = m.collect(status=malote.TEMPFAIL)
    assert "LOGIN-DELAY" in done.text or "too often" in done.text, done
    assert len(m.files()) == 3


@pytest.mark.slow
def test_malote_daemon(site, client):
    """C-2449-03: the user's own delay counts, and not what is said before."""
    s = site(ana="malote_login_delay=2", bob="")
    m = client().account(at=s.server.port, user="ana", password=PASSWORD,
                         interval="1s")
    run = m.start("daemon", "--quiet")
    s.ended("quit", 4)
    run.signal(15)
    run.wait()
    assert not s.server.events("login-failed")


@pytest.mark.skipif(shutil.which("mpop") is None, reason="no mpop")
def test_mpop(site):
    s = site()
    ca = s.home + "/ca.pem"
    with open(ca, "w", encoding="ascii") as f:
        f.write(ssl.get_server_certificate(("127.0.0.1", s.server.tls_port)))
    rc = mpop.prepare(s.home, s.server.tls_port, "ana", PASSWORD, "user", ca,
                      "keep on\nonly_new on\n")
    for _ in range(2):
        done = run(s, "mpop", "-C", rc, "-q")
        assert done.returncode == 0, done
    done = run(s, "mpop", "-C", rc, "-q")
    assert done.returncode != 0 and "LOGIN-DELAY" in done.stderr, done
    assert len(os.listdir(s.home + "/in/new")) == 3


@pytest.mark.skipif(shutil.which("fetchmail") is None, reason="no fetchmail")
def test_fetchmail(site):
    s = site()
    os.makedirs(s.home + "/in")
    rc = s.home + "/fetchmailrc"
    with open(rc, "w", encoding="ascii") as f:
        f.write('poll localhost with proto POP3 port %d timeout 60 uidl\n'
                'user "ana" password "%s" is tester here keep '
                'sslproto ""\nmda "cat >>%s/in/mail"\n'
                % (s.server.port, PASSWORD, s.home))
    os.chmod(rc, 0o600)
    words = ["fetchmail", "--nosyslog", "-f", rc, "--idfile",
             s.home + "/ids", "--pidfile", s.home + "/pid"]
    assert run(s, *words).returncode == 0
    assert run(s, *words).returncode == 1  # no mail
    done = run(s, *words)
    assert done.returncode == 9, done  # what it says of [IN-USE], too
    assert "lock busy on server" in done.stderr, done


def run(s, *words):
    return subprocess.run(
        words, check=False, capture_output=True, text=True, cwd=s.home,
        stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
        env={"HOME": s.home, "PATH": os.environ["PATH"], "LANG": "C",
             "USER": "tester", "LOGNAME": "tester"})
