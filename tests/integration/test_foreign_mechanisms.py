"""Other people's clients, and ours, sign in by every mechanism over TLS, and
are refused where they must be."""
import os
import re
import shutil
import ssl
import subprocess
import threading

import pytest

import drop
import malote
import mpop
import pop3
from server import PATIENCE

pytestmark = pytest.mark.ours

EVERY = ("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS EXTERNAL SCRAM-SHA-256 "
         "SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5 ANONYMOUS")
PASSWORD = "pencil"
MESSAGES = 3


class Site:
    """A server of tests/serve --everything, and one that offers PLAIN only."""

    def __init__(self, place, serve):
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        self.box = place.maildir(drop.make(5, MESSAGES))
        users = [("user", PASSWORD, self.box)]
        self.server = serve(users, "sessions = \"shared\"\n",
                            options=["--everything"])
        said = self.server.log_text()
        self.person = re.search(r"(?m)^serve: client user (.*)$",
                                said).group(1)
        assert "serve: ca " in said
        self.less = serve(users, "sessions = \"shared\"\n")
        self.ca = self.home + "/ca.pem"
        with open(self.ca, "w", encoding="ascii") as f:
            for server in (self.server, self.less):
                f.write(ssl.get_server_certificate(
                    ("127.0.0.1", server.tls_port)))

    def write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def run(self, *command):
        """How it ended."""
        env = {"HOME": self.home, "PATH": os.environ["PATH"], "LANG": "C",
               "LOGNAME": "tester", "USER": "tester"}
        return subprocess.run(
            command, env=env, cwd=self.home, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=60 * PATIENCE, check=False)

    def signed_in(self, method, count):
        events = self.server.await_event("login", count)
        assert [e["method"] for e in events] == [method] * count, events


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None,
                              reason=program + " is not installed")


# ---- mpop ----

def by_mpop(site, auth, port, password=PASSWORD, more=""):
    rc = mpop.prepare(site.home, port, "user", password, auth, site.ca,
                      "keep on\n" + more)
    done = site.run("mpop", "-C", rc, "-q")
    return done.returncode == 0 and \
        len(os.listdir(site.home + "/in/new")) == MESSAGES, done


@needs("mpop")
@pytest.mark.parametrize("auth,method", [
    ("scram-sha-256", "SCRAM-SHA-256"), ("scram-sha-1", "SCRAM-SHA-1"),
    ("plain", "PLAIN"), ("login", "LOGIN"), ("cram-md5", "CRAM-MD5"),
    ("user", "USER"), ("apop", "APOP")])
def test_mpop(site, auth, method):
    good, done = by_mpop(site, auth, site.server.tls_port)
    assert good, done
    site.signed_in(method, 1)
    assert not by_mpop(site, auth, site.server.tls_port, "other")[0]
    site.server.await_event("login-failed")
    site.signed_in(method, 1)
    if method not in ("PLAIN", "LOGIN", "USER"):
        assert not by_mpop(site, auth, site.less.tls_port)[0]


@needs("mpop")
def test_mpop_external(site):
    port = site.server.tls_port
    more = "tls_cert_file %s\ntls_key_file %s\n" % (site.person, site.person)
    good, done = by_mpop(site, "external", port, more=more)
    assert good, done
    site.signed_in("EXTERNAL", 1)
    assert not by_mpop(site, "external", port)[0]
    assert not by_mpop(site, "external", site.less.tls_port, more=more)[0]


# ---- curl ----

def curl(site, auth, port, password=PASSWORD, *more):
    return site.run("curl", "-sS", "--fail", "-u", "user:" + password,
                    "--cacert", site.ca, "--login-options", "AUTH=" + auth,
                    *more, "pop3s://localhost:%d/" % port)


@needs("curl")
@pytest.mark.parametrize("auth,method", [
    ("PLAIN", "PLAIN"), ("LOGIN", "LOGIN"), ("CRAM-MD5", "CRAM-MD5"),
    ("+APOP", "APOP")])
def test_curl(site, auth, method):
    done = curl(site, auth, site.server.tls_port)
    assert done.returncode == 0, done
    assert len(done.stdout.splitlines()) == MESSAGES
    site.signed_in(method, 1)
    assert curl(site, auth, site.server.tls_port, "other").returncode == 67
    if method not in ("PLAIN", "LOGIN"):
        assert curl(site, auth, site.less.tls_port).returncode == 67


@needs("curl")
def test_curl_external(site):
    port = site.server.tls_port
    done = curl(site, "EXTERNAL", port, "", "--cert", site.person)
    assert done.returncode == 0, done
    site.signed_in("EXTERNAL", 1)
    assert curl(site, "EXTERNAL", port, "").returncode != 0


@needs("curl")
@pytest.mark.parametrize("auth", ["PLAIN", "CRAM-MD5", "EXTERNAL"])
def test_curl_stls(site, auth):
    """On the port that begins without TLS."""
    password = "" if auth == "EXTERNAL" else PASSWORD  # else curl has no use
    done = site.run(
        "curl", "-sS", "--fail", "-u", "user:" + password, "--cacert", site.ca,
        "--cert", site.person, "--login-options", "AUTH=" + auth, "--ssl-reqd",
        "pop3://localhost:%d/" % site.server.port)
    assert done.returncode == 0, done
    site.signed_in(auth, 1)


# ---- fetchmail ----

def fetchmail(site, how, port, password=PASSWORD):
    rc = site.write("fetchmailrc", """
poll localhost with proto %s port %d timeout 30
    user "user" password "%s" is tester here
    keep fetchall ssl sslcertck sslcertfile "%s"
    mda "/bin/cat"
""" % (how, port, password, site.ca))
    os.chmod(rc, 0o600)
    return site.run("fetchmail", "--nosyslog", "--invisible", "-f", rc,
                    "--pidfile", site.home + "/pid")


@needs("fetchmail")
@pytest.mark.parametrize("how,method", [
    ("POP3 auth cram-md5", "CRAM-MD5"), ("APOP", "APOP"),
    ("POP3 auth password", "USER")])
def test_fetchmail(site, how, method):
    done = fetchmail(site, how, site.server.tls_port)
    assert done.returncode == 0, done
    site.signed_in(method, 1)
    assert fetchmail(site, how, site.server.tls_port, "other").returncode == 3


# ---- malote ----

def collect(site, port, name, **settings):
    m = malote.Malote("%s/%s" % (site.home, name))
    m.account(port=port, server="localhost", security="tls", user="user",
              password=PASSWORD, ca_file=site.ca, keep="yes")
    m.account(**settings)
    done = m.run("collect", status=None)
    return done.code == 0 and len(m.files()) == MESSAGES, done


@pytest.mark.parametrize("auth", EVERY.lower().split())
def test_malote(site, auth):
    """C-5802-01: the channel is bound by tls-exporter."""
    port = site.server.tls_port
    more = {}
    if auth == "external":
        more = {"client_certificate": site.person, "client_key": site.person,
                "password": None}
    if auth == "anonymous":
        more = {"password": None}
    good, done = collect(site, port, "good", auth=auth, **more)
    assert good, done
    site.signed_in(auth.upper(), 1)
    if "password" not in more:
        assert not collect(site, port, "bad", auth=auth, password="x")[0]
        site.server.await_event("login-failed")
    if auth not in ("plain", "login"):
        assert not collect(site, site.less.tls_port, "less", auth=auth,
                           **more)[0]
    site.signed_in(auth.upper(), 1)


def test_malote_takes_the_strongest(site):
    assert collect(site, site.server.tls_port, "auto")[0]
    site.signed_in("SCRAM-SHA-256-PLUS", 1)


# ---- gsasl ----

def gsasl(session, mechanism, password=PASSWORD):
    """GNU SASL speaks, and its lines are handed on; the last reply.  What is
    bound to the connection is in test_gsasl.py."""
    them = subprocess.Popen(
        ["gsasl", "--client", "--mechanism", mechanism, "--password", password,
         "--authentication-id", "user", "--anonymous-token", "user",
         "--no-cb"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})
    timer = threading.Timer(20 * PATIENCE, them.kill)
    timer.start()
    try:
        assert them.stdout.readline().strip() == mechanism
        return hand_on(session, mechanism, them)
    finally:
        timer.cancel()
        them.kill()
        them.communicate()


def hand_on(session, mechanism, them):
    reply = session.command("AUTH " + mechanism)
    assert reply.startswith(b"+ "), reply
    if mechanism == "CRAM-MD5":
        them.stdout.readline()  # it would go first
    else:
        reply = session.command(them.stdout.readline().strip())
    while reply.startswith(b"+ "):
        them.stdin.write(reply[2:].decode() + "\n")
        them.stdin.flush()
        reply = session.command(them.stdout.readline().strip())
    return reply


@needs("gsasl")
@pytest.mark.parametrize("mechanism", [
    "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5", "ANONYMOUS"])
def test_gsasl(site, connect, mechanism):
    session = connect(site.server.tls_port, pop3.context())
    assert gsasl(session, mechanism).startswith(b"+OK")
    site.signed_in(mechanism, 1)
    if mechanism != "ANONYMOUS":
        session = connect(site.server.tls_port, pop3.context())
        assert gsasl(session, mechanism, "other").startswith(b"-ERR [AUTH]")
    if mechanism != "PLAIN":
        session = connect(site.less.tls_port, pop3.context())
        session.err("AUTH " + mechanism, "")
