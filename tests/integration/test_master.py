"""A master signs in for another user, by every mechanism, and nobody else
does."""
import json
import os
import shutil
import ssl
import subprocess

import pytest

import drop
import mpop
import pop3
from authority import Authority
from scram import b64, cram, scram
from server import PATIENCE, TOP, free_port

pytestmark = pytest.mark.ours

PASSWORD = "open sesame"


def ids(path):
    owner = os.stat(path)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


class Site:
    """ana has mail; boss is a master, bob is none."""

    def __init__(self, place, serve, config="", lines=None):
        self.box = place.maildir(drop.make(5, 3), "ana")
        self.empty = place.maildir((), "others")
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        self.file = place.path + "/users"
        lines = lines or [
            ("ana", "secret", "nologin"),
            ("boss", PASSWORD, "malote_master=yes allow_nets=127.0.0.0/8"),
            ("away", PASSWORD, "malote_master=yes allow_nets=192.0.2.0/24"),
            ("bob", PASSWORD, "")]
        with open(self.file, "w", encoding="utf-8") as f:
            for name, password, words in lines:
                box = self.box if name.startswith("ana") else self.empty
                f.write("%s:{PLAIN}%s:%s::::userdb_mail=maildir:%s %s\n" % (
                    name, password, ids(box), box, words))
        if "master_separator" not in config:
            config += 'master_separator = "*"\n'
        self.server = serve(
            [("unused", "x", self.box)],
            "users = '%s'\nsessions = \"shared\"\napop = yes\n"
            "mechanisms = \"SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5%s\"\n%s" % (
                self.file, " EXTERNAL" if "client_ca" in config else "",
                config))

    def run(self, *command):
        return subprocess.run(
            command, check=False, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
            env={"HOME": self.home, "PATH": os.environ["PATH"], "LANG": "C"})


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


def test_by_name(site, connect):
    session = connect(site.server.port)
    session.login("ana*boss", PASSWORD)
    assert session.stat()[0] == 3
    session.quit()
    session = connect(site.server.port)
    assert scram(session, "SCRAM-SHA-256", "ana*boss",
                 PASSWORD)[0].startswith(b"+OK")
    assert session.stat()[0] == 3
    session = connect(site.server.port)
    assert cram(session, "ana*boss", PASSWORD).startswith(b"+OK")
    for name in ("ana*bob", "ana*away", "ana*ana", "nobody*boss"):
        for_ = connect(site.server.port)
        for_.ok("USER " + name)
        assert for_.command("PASS " + PASSWORD) == \
            b"-ERR [AUTH] authentication failed"
        assert scram(connect(site.server.port), "SCRAM-SHA-256", name,
                     PASSWORD)[0].startswith(b"-ERR [AUTH]")
    masters = site.server.await_event("master", 3)
    assert {(m["user"], m["master"]) for m in masters} == {("ana", "boss")}
    assert [e["user"] for e in site.server.await_event("login", 3)] == \
        ["ana"] * 3
    whom = {("bob", "ana", "not-master"), ("away", "ana", "allow_nets"),
            ("ana", "ana", "not-master"),
            ("boss", "nobody", "unknown-target")}
    assert {(e["user"], e["target"], e["why"])
            for e in site.server.await_event("login-failed", 8)} == whom
    # So the admin finds them: by who tried.
    told = json.loads(site.server.ctl("--json", "auth", "failures"))
    assert {(r["user"], r["target"], r["why"])
            for r in told["failures"]} == whom
    assert "boss for nobody\n" in site.server.ctl("auth", "failures")
    site.server.stop()
    assert {e["user"] for e in site.server.events("session")
            if e["login"] == "no"} == {"bob", "away", "ana", "boss"}


def test_off(place, serve, connect):
    """As it comes: a word in the users file alone makes nobody a master."""
    site = Site(place, serve, 'master_separator = ""\n')
    session = connect(site.server.port)
    session.ok("USER ana*boss")
    session.err("PASS " + PASSWORD, "AUTH")
    session.err("AUTH PLAIN " + b64(b"ana\0boss\0" + PASSWORD.encode()),
                "AUTH")


def test_certificate(place, serve, connect):
    """EXTERNAL: the certificate's user, for the one that is named."""
    people, port = Authority(place.path), free_port()
    site = Site(place, serve, """
client_ca = '%s'
client_name = "cn"
listener "certificates" {
	address = "127.0.0.1"
	port = %d
	tls = "tls"
	client_certificates = yes
}
""" % (people.path("ca.pem"), port))
    boss = connect(port, people.make("boss", "/CN=boss"))
    boss.ok("AUTH EXTERNAL " + b64(b"ana"))
    assert boss.stat()[0] == 3
    bob = connect(port, people.make("bob", "/CN=bob"))
    bob.err("AUTH EXTERNAL " + b64(b"ana"), "AUTH")
    bob.ok("AUTH EXTERNAL =")
    assert site.server.await_event("master")[0]["method"] == "EXTERNAL"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(site):
    """By the name, and by the other name of PLAIN."""
    url = "pop3s://127.0.0.1:%d/" % site.server.tls_port

    def curl(user, *words):
        done = site.run("curl", "-sS", "-k", "-u", user + ":" + PASSWORD,
                        "--login-options", "AUTH=PLAIN", *words, url)
        assert done.returncode in (0, 67), done
        lines = done.stdout.strip().splitlines()
        return len(lines) if done.returncode == 0 else None
    assert curl("ana*boss") == 3
    assert curl("boss", "--sasl-authzid", "ana") == 3
    assert curl("boss") == 0
    for user in ("bob", "away"):
        assert curl("ana*" + user) is None
        assert curl(user, "--sasl-authzid", "ana") is None


@pytest.mark.skipif(shutil.which("mpop") is None, reason="no mpop")
@pytest.mark.parametrize("auth", ["user", "plain", "login", "scram-sha-256",
                                  "apop"])
def test_mpop(site, auth):
    ca = site.home + "/ca.pem"
    with open(ca, "w", encoding="ascii") as f:
        f.write(ssl.get_server_certificate(
            ("127.0.0.1", site.server.tls_port)))
    for user, good in (("ana*boss", True), ("ana*bob", False)):
        rc = mpop.prepare(site.home, site.server.tls_port, user, PASSWORD, auth,
                          ca)
        done = site.run("mpop", "-C", rc, "-q")
        assert (done.returncode == 0) == good, done
        assert len(os.listdir(site.home + "/in/new")) == (3 if good else 0)


def test_manual(place, serve, connect):
    """The example of maloted.conf(5), with another password."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        blocks = f.read().split("```")[1::2]
    setting, = [b for b in blocks if "master_separator" in b]
    line, = [b for b in blocks if "malote_master" in b]
    name, words = line.strip().split(":", 1)[0], line.strip().split(":", 7)[7]
    site = Site(place, serve, setting, [
        ("ana@example.org", "secret", ""), (name, PASSWORD, words)])
    refused = connect(site.server.port)
    refused.ok("USER ana@example.org*" + name)
    refused.err("PASS " + PASSWORD, "AUTH")
    session = connect(site.server.port)
    session.stls()
    session.login("ana@example.org*" + name, PASSWORD)
    assert session.stat()[0] == 3
    assert session.command("DELE 1") == \
        b"-ERR nothing can be removed from this maildrop"
