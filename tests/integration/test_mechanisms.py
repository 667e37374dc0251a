"""Every mechanism of AUTH, with a client of our own that shares nothing with
the server; test_foreign_mechanisms.py has other people's."""
import base64
import hashlib
import json
import os
import re
import signal
import ssl
import subprocess
import time

import pytest

import drop
import pop3
from authority import Authority
from scram import Scram, b64, challenged, cram, scram
from server import TOP, free_port, wait_until

pytestmark = pytest.mark.ours

CTL = os.path.join(os.path.dirname(os.environ.get(
    "MALOTED", TOP + "/build/release/src/maloted")), "malotectl")
SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-1"]
EVERY = ("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 "
         "PLAIN LOGIN CRAM-MD5")
SETTINGS = 'mechanisms = "%s"\nsessions = "shared"\napop = yes\n' % EVERY
# name, scheme; the password is that of all
KINDS = [("plain", "PLAIN"), ("scram256", "SCRAM-SHA-256"),
         ("scram1", "SCRAM-SHA-1"), ("cram", "CRAM-MD5"),
         ("argon", "ARGON2ID"), ("locked", None)]
PASSWORD = "pencil"


def ids(path):
    owner = os.stat(path)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


def stored(tmp, scheme):
    if scheme is None:
        return "*"
    file = os.path.join(tmp, "one")
    subprocess.run([CTL, "--users", file, "--scheme", scheme, "user", "add",
                    "x"], input=PASSWORD + "\n", text=True, check=True)
    with open(file, encoding="utf-8") as f:
        line = f.read()
    os.unlink(file)
    return line.split(":")[1]


class Site:
    """A users file, and a server with it."""

    def __init__(self, place, serve, kinds, config):
        self.maildir = place.maildir(drop.make(5, 3))
        self.file = place.path + "/users.mechanisms"
        self.tmp = place.path
        self.write(kinds)
        self.config = "users = '%s'\n%s" % (self.file, config)
        self.state = place.path + "/state"
        self.serve = serve
        self.server = None
        self.start()

    def write(self, kinds):
        lines = ["%s:%s:%s::::userdb_mail=maildir:%s\n" % (
            name, stored(self.tmp, scheme), ids(self.maildir), self.maildir)
            for name, scheme in kinds]
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            f.write("".join(lines))
        os.rename(self.file + ".new", self.file)

    def start(self):
        if self.server:
            self.server.stop()
        self.server = self.serve([("unused", "x", self.maildir)], self.config,
                                 env={"STATE_DIRECTORY": self.state})


@pytest.fixture
def site(place, serve):
    def make(kinds=KINDS, config=SETTINGS):
        return Site(place, serve, kinds, config)
    return make


def offered(session):
    """The mechanisms of CAPA, which are those of AUTH."""
    words = [line.split() for line in session.listing("CAPA")]
    sasl = [w[1:] for w in words if w[0] == b"SASL"]
    if sasl:
        assert session.listing("AUTH") == sasl[0]
        assert sasl[0] == sorted(set(sasl[0]), key=sasl[0].index)
    return b" ".join(sasl[0]).decode().split() if sasl else []


# ---- what is offered ----

def test_offered(site, connect):
    """S-5034-01, S-5034-11, S-5802-05: by TLS, by the setting."""
    s = site()
    bare = ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"]
    assert offered(connect(s.server.refuse_port)) == bare
    assert offered(connect(s.server.port)) == bare[:2] + ["PLAIN", "LOGIN",
                                                          "CRAM-MD5"]
    assert offered(connect(s.server.tls_port, pop3.context())) == \
        EVERY.split()
    session = connect(s.server.refuse_port)
    session.stls()
    assert offered(session) == EVERY.split()


@pytest.mark.parametrize("scheme,names", [
    ("PLAIN", EVERY), ("ARGON2ID", "PLAIN LOGIN"),
    ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"),
    ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN"),
    ("CRAM-MD5", "PLAIN LOGIN CRAM-MD5"), (None, "PLAIN LOGIN")])
def test_offered_by_users(site, connect, scheme, names):
    """What nobody in the users file could use is not announced."""
    s = site([("user", scheme)])
    session = connect(s.server.tls_port, pop3.context())
    assert offered(session) == names.split()
    assert (b"<" in connect(s.server.port).greeting) == (scheme == "PLAIN")


def test_offered_when_the_users_change(site, connect):
    """At once, as far as anybody can tell: at the next sign-in."""
    s = site([("user", "ARGON2ID")])
    session = connect(s.server.port)
    assert offered(session) == ["PLAIN", "LOGIN"]
    session.err("AUTH SCRAM-SHA-256")
    s.write([("user", "SCRAM-SHA-256")])
    connect(s.server.port).login("user", PASSWORD)
    assert "SCRAM-SHA-256" in offered(session)
    assert scram(session, "SCRAM-SHA-256", "user", PASSWORD)[0][:3] == b"+OK"


def test_offered_by_listener(place, serve, connect):
    """A listener has its own, if it says so."""
    port = free_port()
    server = serve(place.maildir(), 'listener "own" {\n\tport = %d\n'
                   '\taddress = "127.0.0.1"\n\tmechanisms = "SCRAM-SHA-1"\n}\n'
                   % port)
    assert offered(connect(port)) == ["SCRAM-SHA-1"]
    session = connect(port)
    session.stls()
    assert offered(session) == ["SCRAM-SHA-1"]
    session.err("AUTH PLAIN")
    assert offered(connect(server.port)) == ["PLAIN", "LOGIN"]


# ---- SCRAM ----

@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism,user", [
    ("SCRAM-SHA-256", "plain"), ("SCRAM-SHA-1", "plain"),
    ("SCRAM-SHA-256", "scram256"), ("SCRAM-SHA-1", "scram1")])
def test_scram(site, connect, mechanism, user, initial):
    """S-5802-02, S-5802-04: both ends prove what they know."""
    s = site()
    session = connect(s.server.refuse_port)
    assert scram(session, mechanism, user, PASSWORD,
                 initial)[0].startswith(b"+OK")
    assert session.stat()[0] == 3
    session.quit()
    event = s.server.await_event("login")[0]
    assert (event["method"], event["user"]) == (mechanism, user)


def shape(text):
    """What does not depend on chance."""
    return re.sub(rb"(?<=[rvs]=)[^,]*", b"?", text)


def transcript(session, mechanism, user, password=PASSWORD + "x"):
    x = Scram(mechanism, user, password)
    said = [session.command("AUTH %s %s" % (mechanism, b64(x.first())))]
    middle = challenged(said[0])
    said[0] = (shape(middle), len(middle))
    said.append(session.command(b64(x.final(middle))))
    return said, x.salt, x.count


@pytest.mark.parametrize("mechanism", SCRAM)
def test_nobody_looks_like_somebody(site, connect, mechanism):
    """S-5802-03: the same messages, and made-up salts that stay the same."""
    s = site([k for k in KINDS if k[0] not in ("scram1", "scram256")] +
             [("own", mechanism)], SETTINGS + "max_failures = 1000\n")
    names = ["plain", "own", "cram", "argon", "locked", "nobody", "none"]
    seen, salts = {}, {}
    for name in names:
        session = connect(s.server.port)
        seen[name], *salts[name] = transcript(session, mechanism, name)
        again, *salt = transcript(session, mechanism, name)
        assert (again, salt) == (seen[name], salts[name])
    assert len({repr(v) for v in seen.values()}) == 1, seen
    assert seen["own"][1].startswith(b"-ERR [AUTH]")
    assert len({v[0] for v in salts.values()}) == len(names)
    why = {e["user"]: e["why"]
           for e in s.server.await_event("login-failed", 2 * len(names))}
    assert why == {"plain": "password", "own": "password", "cram": "scheme",
                   "argon": "scheme", "locked": "locked",
                   "nobody": "unknown-user", "none": "unknown-user"}
    # After a restart, too; the key is for the server's user alone.
    key = s.state + "/name-key"
    assert os.stat(key).st_mode & 0o777 == 0o600
    with open(key, "rb") as f:
        assert re.fullmatch(rb"[0-9a-f]{64}", f.read())
    s.start()
    for name in names:
        _, *salt = transcript(connect(s.server.port), mechanism, name)
        assert salt == salts[name], name
    # A key that is damaged is made anew.
    with open(key, "wb") as f:
        f.write(b"x" * 64)
    s.start()
    _, *salt = transcript(connect(s.server.port), mechanism, "nobody")
    assert salt != salts["nobody"]


def test_right_password_of_the_wrong_scheme(site, connect):
    """Nothing fits the keys that are made up for it."""
    s = site()
    for name in ("argon", "cram", "locked", "scram1"):
        reply, _ = scram(connect(s.server.port), "SCRAM-SHA-256", name,
                         PASSWORD)
        assert reply.startswith(b"-ERR [AUTH]"), name


def test_scram_authzid(site, connect):
    """S-5034-10: only for oneself, and it fails like a wrong password."""
    s = site()
    session = connect(s.server.port)
    reply, _ = scram(session, SCRAM[0], "plain", PASSWORD, authzid="cram")
    assert reply.startswith(b"-ERR [AUTH]")
    assert s.server.await_event("login-failed")[0]["why"] == "authzid"
    reply, _ = scram(session, SCRAM[0], "plain", PASSWORD, authzid="PLAIN")
    assert reply.startswith(b"+OK")


def tls12(session):
    """The bindings of a connection with TLS 1.2."""
    der = session.sock.getpeercert(binary_form=True)
    return {"tls-unique": session.sock.get_channel_binding("tls-unique"),
            "tls-server-end-point": hashlib.sha256(der).digest()}


@pytest.mark.parametrize("name", ["tls-unique", "tls-server-end-point"])
@pytest.mark.parametrize("mechanism", SCRAM)
def test_scram_plus_tls12(site, connect, mechanism, name):
    """S-5802-05: by the connection, and by no other."""
    s = site()
    tls = pop3.context(maximum=ssl.TLSVersion.TLSv1_2)
    session = connect(s.server.tls_port, tls)
    reply, _ = scram(session, mechanism + "-PLUS", "plain", PASSWORD,
                     binding=(name, tls12(session)[name]))
    assert reply.startswith(b"+OK")
    session = connect(s.server.tls_port, tls)
    octets = bytearray(tls12(session)[name])
    octets[-1] ^= 1
    reply, _ = scram(session, mechanism + "-PLUS", "plain", PASSWORD,
                     binding=(name, bytes(octets)))
    assert reply.startswith(b"-ERR ")


def test_scram_downgrade(site, connect):
    """RFC 5802 s6: "y" where -PLUS was announced says that somebody took it
    out; without TLS there is none, and "y" is fine."""
    s = site()
    session = connect(s.server.tls_port, pop3.context())
    for mechanism, flag in [("SCRAM-SHA-256", "y"),
                            ("SCRAM-SHA-256-PLUS", "y"),
                            ("SCRAM-SHA-256-PLUS", "n")]:
        session.err("AUTH %s %s" % (mechanism, b64(Scram(
            SCRAM[0], "plain", PASSWORD, flag=flag).first())))
    # A binding without -PLUS, or one that nobody knows.
    for mechanism, binding in [("SCRAM-SHA-256", "tls-exporter"),
                               ("SCRAM-SHA-256-PLUS", "tls-unique"),
                               ("SCRAM-SHA-256-PLUS", "x-y")]:
        session.err("AUTH %s %s" % (mechanism, b64(Scram(
            SCRAM[0], "plain", PASSWORD, binding=(binding, b"")).first())))
    assert scram(session, SCRAM[0], "plain", PASSWORD)[0][:3] == b"+OK"
    session = connect(s.server.port)
    assert scram(session, SCRAM[0], "plain", PASSWORD,
                 flag="y")[0][:3] == b"+OK"


def test_plus_only_if_offered(site, connect):
    """Where the setting has none "y" is true."""
    s = site(config='mechanisms = "SCRAM-SHA-256"\n')
    session = connect(s.server.tls_port, pop3.context())
    session.err("AUTH SCRAM-SHA-256-PLUS")
    assert scram(session, SCRAM[0], "plain", PASSWORD,
                 flag="y")[0][:3] == b"+OK"


def test_user_changes_meanwhile(site, connect):
    """The keys that were looked up are of a password that is no more."""
    s = site([("user", "SCRAM-SHA-256"), ("other", "PLAIN")])
    session = connect(s.server.port)
    x = Scram(SCRAM[0], "user", PASSWORD)
    middle = challenged(session.command("AUTH SCRAM-SHA-256 "
                                        + b64(x.first())))
    s.write([("user", "SCRAM-SHA-256"), ("other", "PLAIN")])
    connect(s.server.port).login("other", PASSWORD)
    x.check(challenged(session.command(b64(x.final(middle)))))
    session.err("", "AUTH")
    assert s.server.await_event("login-failed")[0]["why"] == "changed"
    assert scram(session, SCRAM[0], "user", PASSWORD)[0][:3] == b"+OK"


# ---- an exchange that goes wrong ----

STEPS = {"SCRAM-SHA-256": 3, "CRAM-MD5": 1, "PLAIN": 1, "LOGIN": 2}


def at_step(session, mechanism, step):
    """Goes right as far as the challenge number `step`."""
    x = Scram(SCRAM[0], "plain", PASSWORD)
    reply = session.command("AUTH " + mechanism)
    for n in range(step):
        if mechanism == "LOGIN":
            reply = session.command(b64("plain"))
        elif n == 0:
            reply = session.command(b64(x.first()))
        else:
            reply = session.command(b64(x.final(challenged(reply))))
    assert reply.startswith(b"+ "), reply


WRONG = {"cancel": "*", "base64": "!", "padding": "AAA", "long": "A" * 4000,
         "nonsense": b64("nonsense"), "nul": b64("\0"), "bits": "AB==",
         "octets": b64(b"\xff\xfe"), "empty": ""}


# These are answers as they should be, or may be.
RIGHT = {("SCRAM-SHA-256", 2, "empty"), ("LOGIN", 0, "empty"),
         ("LOGIN", 0, "nonsense"), ("LOGIN", 1, "nonsense")}


@pytest.mark.parametrize("mechanism,step,wrong", [
    (m, n, w) for m, steps in STEPS.items() for n in range(steps)
    for w in WRONG if (m, n, w) not in RIGHT])
def test_wrong_at_each_step(site, connect, mechanism, step, wrong):
    """S-5034-05, 06: no code, and the next sign-in is untouched."""
    s = site([("plain", "PLAIN")])
    session = connect(s.server.port)
    at_step(session, mechanism, step)
    reply = session.command(WRONG[wrong])
    assert reply.startswith(b"-ERR ") and b"[" not in reply, reply
    assert scram(session, SCRAM[0], "plain", PASSWORD)[0][:3] == b"+OK"


def test_login_asks_for_the_name(site, connect):
    """S-LOGIN-02: "=" is nothing said yet."""
    session = connect(site([("plain", "PLAIN")]).server.port)
    assert session.command("AUTH LOGIN =") == b"+ " + b64("Username:").encode()
    session.command(b64("plain"))
    session.ok(b64(PASSWORD))


def test_gone_at_each_step(site, connect):
    """Nothing of those that vanish is left, in auth neither."""
    s = site([("plain", "PLAIN")])
    for _ in range(20):
        for mechanism, steps in STEPS.items():
            for n in range(steps):
                session = connect(s.server.port)
                at_step(session, mechanism, n)
                session.close()
    session = connect(s.server.port)
    assert scram(session, SCRAM[0], "plain", PASSWORD)[0][:3] == b"+OK"
    assert not s.server.events("misbehaved")


def test_split_everywhere(site, connect):
    """An exchange that comes octet by octet."""
    s = site([("plain", "PLAIN")])
    session = connect(s.server.port)
    x = Scram(SCRAM[0], "plain", PASSWORD)
    for octet in "AUTH SCRAM-SHA-256 " + b64(x.first()) + "\r\n":
        session.send(octet)
    middle = challenged(session.line())
    for octet in b64(x.final(middle)) + "\r\n":
        session.send(octet)
    x.check(challenged(session.line()))
    session.send("\r\n")
    assert session.line().startswith(b"+OK")


def test_auth_dies_in_between(site, connect):
    """[SYS/TEMP], never [AUTH]: it is nobody's fault."""
    s = site([("plain", "PLAIN")])
    session = connect(s.server.port)
    at_step(session, "SCRAM-SHA-256", 1)
    os.kill(s.server.roles("auth")[0], signal.SIGKILL)
    s.server.await_event("ended")
    session.err(b64("x"), "SYS/TEMP")

    def again():
        with pop3.Pop3(s.server.port) as other:
            return "SCRAM-SHA-256" in offered(other) and scram(
                other, SCRAM[0], "plain", PASSWORD)[0][:3] == b"+OK"
    end = time.monotonic() + 20
    while not again():
        assert time.monotonic() < end
        time.sleep(0.05)


# ---- CRAM-MD5 and APOP ----

def test_cram_md5(site, connect):
    """S-2195-01, 02: with a readable password, and with Dovecot's key."""
    s = site()
    for name in ("plain", "cram"):
        assert cram(connect(s.server.refuse_port), name,
                    PASSWORD).startswith(b"+OK")
        assert cram(connect(s.server.port), name,
                    "other").startswith(b"-ERR [AUTH]")
    for name in ("argon", "locked", "nobody", "scram256"):
        assert cram(connect(s.server.port), name,
                    PASSWORD).startswith(b"-ERR [AUTH]")
    session = connect(s.server.port)
    session.err("AUTH CRAM-MD5 " + b64("x"))  # S-5034-04


def test_off_by_default(place, serve, connect):
    """What needs a readable password is there only for who names it."""
    server = serve(place.maildir())
    session = connect(server.port)
    assert offered(session) == ["PLAIN", "LOGIN"]
    for name in ("CRAM-MD5", "SCRAM-SHA-1", "EXTERNAL", "ANONYMOUS",
                 "DIGEST-MD5", "NTLM", "XOAUTH2", "OAUTHBEARER"):
        session.err("AUTH " + name)
    assert b"<" not in session.greeting


# ---- EXTERNAL ----

@pytest.fixture
def external(place, serve):
    """external(config): a server, its authority, a port that asks."""
    def start(more="", users=("ana@example.org", "bia@example.org"),
              crl=False):
        ca = Authority(place.path)
        if crl:
            ca.revoke()
            more += "client_crl = '%s'\n" % ca.path("crl.pem")
        ca.port = free_port()
        ca.server = serve(
            [(u, "x", place.maildir(drop.make(5, 2), u)) for u in users],
            "sessions = \"shared\"\nclient_ca = '%s'\n%slistener \"certificates\" {\n"
            "\taddress = \"127.0.0.1\"\n\tport = %d\n\ttls = \"tls\"\n"
            "\tclient_certificates = yes\n"
            "\tmechanisms = \"EXTERNAL PLAIN\"\n}\n"
            % (ca.path("ca.pem"), more, ca.port))
        return ca
    return start


def shake(port, tls):
    """A session, or None: the handshake fails, soon or late."""
    try:
        return pop3.Pop3(port, tls)
    except (ssl.SSLError, ConnectionError, pop3.Closed):
        return None


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_external(external, version):
    """S-4422-02, S-8314-01, 06: offered to who has a certificate."""
    ca = external()
    ca.make("ana", "/CN=Ana", "subjectAltName=email:ana@example.org")
    tls = ca.context("ana", maximum=getattr(ssl.TLSVersion, version))
    for line in ("AUTH EXTERNAL =", "AUTH EXTERNAL " + b64("ana@example.org"),
                 "AUTH EXTERNAL " + b64("Ana@Example.org")):
        with pop3.Pop3(ca.port, tls) as session:
            assert offered(session) == ["EXTERNAL", "PLAIN"]
            session.ok(line)
            assert session.stat()[0] == 2
    with pop3.Pop3(ca.port, tls) as session:
        assert session.command("AUTH EXTERNAL") == b"+ "
        session.ok("")
        assert not session.sock.session.has_ticket
        old = session.sock.session
    # The certificate is shown, and looked at, each time.
    with pop3.Pop3(ca.port, tls, session=old) as session:
        assert not session.sock.session_reused
    with pop3.Pop3(ca.port, tls) as session:
        session.err("AUTH EXTERNAL " + b64("bia@example.org"), "AUTH")
        assert ca.server.await_event("login-failed")[0]["why"] == "authzid"
        session.err("AUTH EXTERNAL !", "")
        session.ok("AUTH EXTERNAL =")
    # Without a certificate it is a listener as any other.
    with pop3.Pop3(ca.port, pop3.context()) as session:
        assert offered(session) == ["PLAIN"]
        session.err("AUTH EXTERNAL =")
        session.ok("AUTH PLAIN " + b64("\0ana@example.org\0x"))


def test_external_too_early(external):
    ca = external("login_delay = 600\n")
    ca.make("ana", "/CN=Ana", "subjectAltName=email:ana@example.org")
    tls = ca.context("ana")
    for line in ("AUTH EXTERNAL =", "AUTH EXTERNAL " + b64("ana@example.org")):
        with pop3.Pop3(ca.port, tls) as session:
            session.ok(line)
            session.quit()
    with pop3.Pop3(ca.port, tls) as session:
        session.err("AUTH EXTERNAL =", "LOGIN-DELAY")


def test_external_refused(external):
    """By whom nobody knows, for servers, out of date, of nobody."""
    ca = external()
    other = Authority(ca.folder, "other")
    good = "subjectAltName=email:ana@example.org"
    assert shake(ca.port, other.make("ana", "/CN=Ana", good)) is None
    assert shake(ca.port, ca.make("s", "/CN=s", good,
                                  usage="serverAuth")) is None
    assert shake(ca.port, ca.make("old", "/CN=o", good, days=-1)) is None
    assert len(ca.server.await_event("tls-failed", 3)) == 3
    cases = {"nobody": ("subjectAltName=email:eva@example.org", "unknown-user"),
             "two": (good + ",email:bia@example.org", "certificate"),
             "none": ("subjectAltName=DNS:ana.example.org", "certificate"),
             "nul": ("subjectAltName=email:a b@example.org", "bad-name")}
    for n, (name, (extension, why)) in enumerate(cases.items()):
        tls = ca.make(name, "/CN=x", extension)
        with pop3.Pop3(ca.port, tls) as session:
            session.err("AUTH EXTERNAL =", "AUTH")
        failed = ca.server.await_event("login-failed", n + 1)
        assert failed[n]["why"] == why, name


@pytest.mark.parametrize("field,subject", [
    ("cn", "/O=x/CN=ana@example.org"), ("uid", "/UID=ana@example.org/CN=x"),
    ("email", "/CN=x/emailAddress=ana@example.org")])
def test_external_field(external, field, subject):
    """client_name says which part of the certificate is the user."""
    ca = external('client_name = "%s"\n' % field)
    with pop3.Pop3(ca.port, ca.make("ana", subject)) as session:
        session.ok("AUTH EXTERNAL =")
    with pop3.Pop3(ca.port, ca.make("x", "/O=ana@example.org")) as session:
        session.err("AUTH EXTERNAL =", "AUTH")


def test_external_revoked(external):
    """A reload takes the new list; what is revoked is not believed longer."""
    ca = external(crl=True)
    tls = {name: ca.make(name, "/CN=x", "subjectAltName=email:"
                         + name + "@example.org") for name in ("ana", "bia")}
    for name in tls:
        with pop3.Pop3(ca.port, tls[name]) as session:
            session.ok("AUTH EXTERNAL =")
            # No ticket by which it would be believed without being shown.
            assert not session.sock.session.has_ticket
    ca.revoke("ana")
    before = len(ca.server.events("reload"))
    ca.server.signal(signal.SIGHUP)
    ca.server.await_event("reload", before + 1)
    end = time.monotonic() + 10
    while shake(ca.port, tls["ana"]) is not None:
        assert time.monotonic() < end
    with pop3.Pop3(ca.port, tls["bia"]) as session:
        session.ok("AUTH EXTERNAL =")


def test_external_ticket_of_another_listener(external):
    """A session begun without a certificate is not gone on with."""
    ca = external()
    tls = pop3.context()
    with pop3.Pop3(ca.server.tls_port, tls) as session:
        session.listing("CAPA")
        old = session.sock.session
    with pop3.Pop3(ca.port, tls, session=old) as session:
        assert not session.sock.session_reused
        assert offered(session) == ["PLAIN"]


# ---- ANONYMOUS ----

@pytest.fixture
def public(place, serve):
    def start(more=""):
        return serve(
            [("public", "x", place.maildir(drop.make(5, 4), "public")),
             ("user", "secret", place.maildir(drop.make(6, 1)))],
            'mechanisms = "PLAIN ANONYMOUS"\nanonymous = "public"\n' + more)
    return start


def listing(folder):
    return {os.path.join(d, f): os.stat(os.path.join(d, f)).st_mtime_ns
            for d, _, files in os.walk(folder) for f in files
            if not f.startswith("malote")}  # its own: index, unique-ids


def test_anonymous(public, place, connect):
    """S-4505-01: many at a time, and nothing changes."""
    server = public("mark_seen = yes\n")
    before = listing(place.path + "/public")
    sessions = [connect(server.port) for _ in range(8)]
    for n, session in enumerate(sessions):
        assert offered(session) == ["PLAIN", "ANONYMOUS"]
        if n % 2:
            session.ok("AUTH ANONYMOUS " + b64("guest%d" % n))
        else:
            assert session.command("AUTH ANONYMOUS") == b"+ "
            session.ok("")
    for session in sessions:
        assert session.stat()[0] == 4
        assert len(session.uidl()) == 4
        session.retr(1)
        session.err("DELE 1", "")
        assert session.stat()[0] == 4
    for session in sessions:
        session.quit()
    assert listing(place.path + "/public") == before
    assert [e["trace"] for e in server.await_event("anonymous", 8)] == [
        "guest%d" % n if n % 2 else "" for n in range(8)]
    assert server.events("login")[0]["user"] == "public"


def test_anonymous_beside_its_owner(public, connect, login):
    """Whoever has the maildrop is not held up, nor do they hold up."""
    server = public()
    guest = connect(server.port)
    guest.ok("AUTH ANONYMOUS =")
    owner = login(server, "public", "x")
    second = connect(server.port)
    second.ok("AUTH ANONYMOUS =")
    owner.ok("DELE 1")
    owner.quit()
    assert second.stat()[0] == guest.stat()[0] == 4
    late = connect(server.port)
    late.ok("AUTH ANONYMOUS =")
    assert late.stat()[0] == 3
    guest.quit()
    login(server, "public", "x").quit()


def test_anonymous_without_a_maildrop(place, serve, connect):
    """Nobody of that name: it is not announced, and not taken."""
    server = serve(place.maildir(), 'mechanisms = "PLAIN ANONYMOUS"\n'
                   'anonymous = "nobody"\n')
    session = connect(server.port)
    assert offered(session) == ["PLAIN"]
    session.err("AUTH ANONYMOUS =", "")


def test_who_goes_away_is_forgotten(place, serve, connect):
    """In the middle of a mechanism, when nothing is asked of auth."""
    server = serve(place.maildir([]), 'mechanisms = "CRAM-MD5 PLAIN"\n')

    def at_auth():
        status = json.loads(server.ctl("--json", "status"))
        return [p["sessions"] for p in status["processes"]
                if p["role"] == "auth"]

    waiting = []
    for mechanism in ["CRAM-MD5", "PLAIN"] * 2:
        waiting.append(connect(server.port))
        assert waiting[-1].command("AUTH " + mechanism).startswith(b"+ ")
    wait_until(lambda: at_auth() == [4])
    waiting[0].err("*")
    for session in waiting:
        session.close()
    wait_until(lambda: at_auth() == [0])


# ---- the manual ----

def examples():
    """What maloted.conf(5) shows of signing in."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        blocks = f.read().split("```")[1::2]
    return [b for b in blocks if "mechanisms" in b and "keytab" not in b
            and "oauth" not in b]


def by_plain(session):
    session.ok("AUTH PLAIN " + b64("\0ana@example.org\0" + PASSWORD))


def by_login(session):
    session.send("AUTH LOGIN %s\r\n%s\r\n" % (
        b64("ana@example.org"), b64(PASSWORD)))
    assert session.line().startswith(b"+ ")
    assert session.line().startswith(b"+OK")


def apop(session):
    stamp = re.search(rb"<.*>", session.greeting).group()
    session.ok("APOP ana@example.org " + hashlib.md5(
        stamp + PASSWORD.encode()).hexdigest())


def test_manual(place, serve, connect):
    """Its examples work as they stand there, but for paths and a port."""
    scram_, external_, older_, upgrade_, public_ = examples()
    maildir = place.maildir(drop.make(5, 2), "public")
    users = [(name, PASSWORD, maildir)
             for name in ("ana@example.org", "printer@example.org",
                          "public@example.org")]

    server = serve(users, 'sessions = "shared"\n' + scram_)
    session = connect(server.tls_port, pop3.context())
    assert offered(session) == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256",
                                "PLAIN", "LOGIN"]
    assert scram(session, SCRAM[0], "ana@example.org",
                 PASSWORD)[0][:3] == b"+OK"
    session.quit()
    by_plain(connect(server.tls_port, pop3.context()))
    by_login(connect(server.tls_port, pop3.context()))

    server = serve(users, 'sessions = "shared"\n' + older_)
    for mechanism in SCRAM:
        assert scram(connect(server.port), mechanism, "ana@example.org",
                     PASSWORD)[0][:3] == b"+OK"
    apop(connect(server.port))

    server = serve(users, upgrade_)
    session = connect(server.tls_port, pop3.context())
    by_plain(session)
    session.quit()
    assert [(e["user"], e["scheme"]) for e in server.await_event("upgraded")
            ] == [("ana@example.org", "SCRAM-SHA-256")]

    ca, port = Authority(place.path), free_port()
    ca.revoke()
    text = external_.replace("/etc/malote/people.pem", ca.path("ca.pem"))
    text = text.replace("/etc/malote/people.crl", ca.path("crl.pem"))
    serve(users, text.replace("10995", str(port)))
    tls = ca.make("ana", "/CN=a", "subjectAltName=email:ana@example.org")
    session = connect(port, tls)
    assert offered(session) == ["EXTERNAL"]
    session.ok("AUTH EXTERNAL =")
    session.quit()

    server = serve(users, public_)
    session = connect(server.port)
    assert cram(session, "printer@example.org",
                PASSWORD).startswith(b"+OK")
    session = connect(server.port)
    session.ok("AUTH ANONYMOUS =")
    assert session.stat()[0] == 2


def test_cram_names_the_server(place, serve, connect):
    """RFC 2195 s2: the challenge has the name of the server, which is the one
    of the settings and no other."""
    server = serve(place.maildir([]),
                   'hostname = "mail.example.org"\nmechanisms = "CRAM-MD5"\n')
    session = connect(server.port)
    said = session.command("AUTH CRAM-MD5")
    challenge = base64.b64decode(said.removeprefix(b"+ "))
    assert re.fullmatch(rb"<[!-;?A-~]+@mail\.example\.org>", challenge)
