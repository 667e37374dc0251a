"""Tickets of Kerberos: other people's clients sign in by GSSAPI and by KPOP, and
what is no good ticket is refused.
"""
import base64
import json
import os
import re
import shutil
import signal
import ssl
import struct
import subprocess
import time

import pytest

import drop
import kdc
import mpop
import pop3
from server import PATIENCE, TOP, children, free_port, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not kdc.INSTALLED, reason="needs krb5-kdc"),
]

MESSAGES = 3
SERVICE = "pop/localhost@EXAMPLE.TEST"


@pytest.fixture(scope="module")
def realm():
    made = kdc.Kdc(["EXAMPLE.TEST", "OTHER.TEST"])
    try:
        for name in ("ann", "bob", "eve", "zoe", "dan", "nil"):
            made.principal(name, "secret")
        made.principal("ann@OTHER.TEST", "secret")
        made.principal("ann/admin", "secret")
        made.trust("EXAMPLE.TEST", "OTHER.TEST")
        made.keytab("pop.keytab", "pop/localhost")
        yield made
    finally:
        made.stop()


class Site:
    """A server that takes tickets: by GSSAPI, and by KPOP at kpop_port."""

    def __init__(self, place, serve, realm, config="", keytab=None):
        self.realm = realm
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o755)
        self.box = place.maildir(drop.make(15, MESSAGES))
        self.kpop_port, self.clear_port = free_port(), free_port()
        self.server = serve(
            [("ann", "other", self.box), ("bob", "other", place.path + "/b")],
            'keytab = "%s"\nkrb5_conf = "%s"\nmechanisms = "PLAIN GSSAPI"\n'
            'sessions = "shared"\n%s'
            'listener kpop {\naddress = {"127.0.0.1"}\nport = %d\n'
            'tls = "none"\nkpop = yes\n}\n'
            'listener clear {\naddress = {"127.0.0.1"}\nport = %d\n'
            'tls = "none"\nplaintext_gssapi = yes\n}\n' % (
                keytab or realm.path("pop.keytab"), realm.config, config,
                self.kpop_port, self.clear_port),
            env={"STATE_DIRECTORY": place.path + "/state"})
        if keytab is None:  # the workers hear of it when it has said so
            wait_until(self.is_offered)

    def is_offered(self):
        with pop3.Pop3(self.clear_port) as session:
            return b"SASL GSSAPI" in session.listing("CAPA")

    def run(self, *command, cache=None, **more):
        env = {"HOME": self.home, "PATH": os.environ["PATH"], "LANG": "C",
               "LOGNAME": "tester", "USER": "tester", **self.realm.env}
        if cache:
            env["KRB5CCNAME"] = cache
        return subprocess.run(
            command, env=env, cwd=self.home, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=60 * PATIENCE, check=False, **more)

    def write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def signed_in(self, method, count=1):
        events = self.server.await_event("login", count)
        assert [(e["method"], e["user"]) for e in events] == \
            [(method, "ann")] * count, events


@pytest.fixture
def site(place, serve, realm):
    return Site(place, serve, realm)


@pytest.fixture(scope="module")
def ticket(tmp_path_factory, realm):
    """ticket(cache, *words, at=None): runs ticket.c; see there."""
    program = str(tmp_path_factory.mktemp("ticket") / "ticket")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "mit-krb5", "mit-krb5-gssapi"],
        check=True, text=True, stdout=subprocess.PIPE).stdout.split()
    subprocess.run(["cc", "-o", program,
                    TOP + "/tests/integration/ticket.c", *flags], check=True)

    def start(cache, *words, at=None):
        return subprocess.Popen(
            [program, *words], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={
                **os.environ, **realm.env, **kdc.faked(at),
                "KRB5CCNAME": cache})
    return start


@pytest.fixture
def ap_req(ticket, realm):
    """ap_req(...): of a new ticket, or of `cache`."""
    def make(*words, cache=None, service=SERVICE, at=None):
        cache = cache or realm.ticket("ann", "secret", service)
        with ticket(cache, "ap-req", service, *words, at=at) as run:
            said, _ = run.communicate(timeout=30 * PATIENCE)
        assert run.returncode == 0
        return bytes.fromhex(said)
    return make


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None,
                              reason=program + " is not installed")


# ---- other people's clients ----

@needs("curl")
def test_curl_by_gssapi(site):
    cache = site.realm.ticket("ann", "secret")
    done = site.run("curl", "-sS", "-k", "--login-options", "AUTH=GSSAPI",
                    "--user", ":", "pop3s://localhost:%d/"
                    % site.server.tls_port, cache=cache)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert len(done.stdout.splitlines()) == MESSAGES
    site.signed_in("GSSAPI")



@needs("mpop")
def test_mpop_by_gssapi(site):
    cache = site.realm.ticket("ann", "secret")
    ca = site.write("ca.pem", ssl.get_server_certificate(
        ("127.0.0.1", site.server.tls_port)))
    rc = mpop.prepare(site.home, site.server.tls_port, "ann", "", "gssapi", ca)
    done = site.run("mpop", "-C", rc, cache=cache)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert len(os.listdir(site.home + "/in/new")) == MESSAGES
    site.signed_in("GSSAPI")


def fetchmail(site, where, how, *before, cache):
    rc = site.write("fetchmailrc", "poll localhost %s\nuser ann there %s\n"
                    "mda \"cat >>%s/got\"\nkeep\n" % (where, how, site.home))
    done = site.run(*before, "fetchmail", "-f", rc, "--pidfile",
                    site.home + "/pid", "-i", site.home + "/ids",
                    cache=cache)
    assert done.returncode == 0, (done.stdout, done.stderr)
    with open(site.home + "/got", encoding="utf-8", errors="replace") as f:
        assert len(re.findall("(?m)^Received: from localhost", f.read())) == \
            MESSAGES


@needs("fetchmail")
def test_fetchmail_by_gssapi(site):
    fetchmail(site, "protocol pop3 service %d auth gssapi"
              % site.server.tls_port, "ssl no sslcertck",
              cache=site.realm.ticket("ann", "secret"))
    site.signed_in("GSSAPI")


@needs("fetchmail")
@pytest.mark.skipif(os.geteuid() != 0, reason="gives a port a name")
def test_fetchmail_by_kpop(site):
    """It does KPOP only at the service of that name, which Debian's list has
    not."""
    services = site.write("services", "kpop %d/tcp\n" % site.kpop_port)
    fetchmail(site, "protocol kpop auth kerberos_v5", "sslproto ''",
              "unshare", "--mount", "sh", "-c",
              "mount --bind %s /etc/services && exec \"$@\"" % services, "sh",
              cache=site.realm.ticket("ann", "secret"))
    site.signed_in("KPOP")


def test_manual(place, serve, realm, connect, ap_req, ticket):
    """Its example works as it stands there, but for paths and ports."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        text, = [b for b in f.read().split("```")[1::2] if "keytab" in b
                 and "listener" in b]
    kpop_port, tls_port = free_port(), free_port()
    for old, new in (("/etc/malote/pop.keytab", realm.path("pop.keytab")),
                     ("1109", str(kpop_port)), ("995", str(tls_port))):
        assert old in text
        text = text.replace(old, new)
    box = place.maildir(drop.make(3, 2))
    serve([("ann", "other", box)], 'sessions = "shared"\nkrb5_conf = "%s"\n%s'
          % (realm.config, text))
    tls = pop3.context()
    wait_until(lambda: mechanisms(tls_port, connect, tls)
               == [b"GSSAPI", b"PLAIN", b"LOGIN"])
    cache = realm.ticket("ann", "secret", SERVICE)
    session = connect(tls_port, tls)
    with ticket(cache, "gssapi", SERVICE, "01000000") as run:
        assert gssapi(session, run)[1].startswith(b"+OK")
    session = connect(kpop_port, greeting=False)
    session.send(HELLO + sized(ap_req()) + b"USER ann\r\nPASS x\r\n")
    assert exactly(session, 5) == b"\0\0\0\0\0"
    for _ in range(3):
        assert session.line().startswith(b"+OK")


def test_manual_key(realm):
    """The commands that make the key, but for the file's path."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        text, = [b for b in f.read().split("```")[1::2] if "kadmin" in b]
    keytab = realm.path("manual.keytab")
    assert "/etc/malote/pop.keytab" in text
    for line in text.strip().replace(
            "/etc/malote/pop.keytab", keytab).splitlines():
        program, *words = line.split()
        assert program == "kadmin.local"
        realm.admin("pop/mail.example.org", *words)
    with open(keytab, "rb") as f:
        assert b"mail.example.org" in f.read()


# ---- KPOP, word by word ----

def sized(octets):
    return struct.pack(">I", len(octets)) + octets


HELLO = sized(b"KRB5_SENDAUTH_V1.0\0") + sized(b"KPOPV1.0\0")


def exactly(session, n):
    while len(session.seen) < n:
        session.more()
    got, session.seen = session.seen[:n], session.seen[n:]
    return got


def kpop(site, connect, message):
    """Until the server has answered the AP-REQ: what it says of an error."""
    session = connect(site.kpop_port, greeting=False)
    session.send(HELLO)
    assert exactly(session, 1) == b"\0"
    session.send(sized(message))
    n, = struct.unpack(">I", exactly(session, 4))
    return session, exactly(session, n)


def refused(site, connect, message, words):
    """With a KRB-ERROR that has these words, and the connection closed."""
    before = len(site.server.events("login-failed"))
    session, error = kpop(site, connect, message)
    assert error[:1] == b"\x7e" and words in error, error
    assert session.ended()
    failed = site.server.await_event("login-failed", before + 1)[-1]
    assert (failed["method"], failed["code"], failed["why"]) == (
        "KPOP", "auth", "ticket")


def accepted(site, connect, message, user="ann", mutual=False):
    session, error = kpop(site, connect, message)
    assert error == b""
    if mutual:
        n, = struct.unpack(">I", exactly(session, 4))
        assert exactly(session, n)[:1] == b"\x6f"  # an AP-REP
    assert session.line().startswith(b"+OK")
    session.ok("USER " + user)
    session.ok("PASS whatever it is")
    return session


def test_kpop(site, connect, ap_req):
    """S-KPOP-01"""
    session = accepted(site, connect, ap_req())
    assert session.stat()[0] == MESSAGES
    session.quit()
    session = accepted(site, connect, ap_req("mutual"), mutual=True)
    session.quit()
    site.signed_in("KPOP", 2)


def test_kpop_all_at_once(site, connect, ap_req):
    """A client that does not wait is served as well."""
    session = connect(site.kpop_port, greeting=False)
    session.send(HELLO + sized(ap_req())
                 + b"CAPA\r\nUSER ann\r\nPASS x\r\nQUIT\r\n")
    assert exactly(session, 5) == b"\0\0\0\0\0"
    assert session.line().startswith(b"+OK")
    assert session.line().startswith(b"+OK")
    names = session.data().split(b"\r\n")
    assert b"USER" in names
    assert not [n for n in names if n.split(b" ")[0] in (
        b"SASL", b"STLS", b"APOP")]
    for _ in range(3):
        assert session.line().startswith(b"+OK")
    assert session.ended()


def test_kpop_for_another(site, connect, ap_req):
    session, _ = kpop(site, connect, ap_req())
    session.line()
    session.ok("USER bob")
    session.err("PASS x", "AUTH")
    assert session.ended()
    failed, = site.server.await_event("login-failed")
    assert failed["why"] == "authzid"


@needs("curl")
def test_login_delay(place, serve, realm, connect, ap_req):
    """A ticket that is good does not make it too early, nor later."""
    site = Site(place, serve, realm, "login_delay = 600\n")
    accepted(site, connect, ap_req()).quit()
    ccache = realm.ticket("ann", "secret")
    curl = ["curl", "-sS", "--login-options", "AUTH=GSSAPI", "-u", ":",
            "pop3://localhost:%d/" % site.clear_port]
    assert site.run(*curl, cache=ccache).returncode == 0
    assert site.run(*curl, cache=ccache).returncode == 67
    session, error = kpop(site, connect, ap_req())
    assert error == b"" and session.line().startswith(b"+OK")
    session.ok("USER ann")
    session.err("PASS whatever it is", "LOGIN-DELAY")
    assert session.ended()
    session = connect(site.server.port)
    session.ok("USER ann")
    session.err("PASS other", "LOGIN-DELAY")


def test_expired(site, connect, realm, ap_req):
    """S-4120-01"""
    cache = realm.ticket("ann", "secret", SERVICE, at="-1d")
    refused(site, connect, ap_req(cache=cache), b"expired")


def test_clock(site, connect, ap_req):
    refused(site, connect, ap_req(at="+10m"), b"Clock skew")


def test_replay(site, connect, ap_req):
    """Also if another process has the keys by now."""
    message = ap_req()
    accepted(site, connect, message).quit()
    refused(site, connect, message, b"replay")
    before = site.server.roles("kerberos")
    site.server.signal(signal.SIGHUP)
    site.server.await_event("keytab", 2)
    assert site.server.roles("kerberos") != before
    wait_until(site.is_offered)
    refused(site, connect, message, b"replay")
    accepted(site, connect, ap_req()).quit()


def test_wrong_realm(site, connect, realm, ap_req):
    """Somebody of the same name comes from a realm that ours trusts; and a
    ticket of a service of another realm, whose key we have not."""
    cache = realm.ticket("ann@OTHER.TEST", "secret", SERVICE)
    session, error = kpop(site, connect, ap_req(cache=cache))
    assert error == b""
    session.line()
    session.ok("USER ann")
    session.err("PASS x", "AUTH")
    failed, = site.server.await_event("login-failed")
    assert failed["why"] == "principal"
    cache = realm.ticket("ann/admin", "secret", SERVICE)
    session, error = kpop(site, connect, ap_req(cache=cache))
    session.line()
    session.ok("USER ann")
    session.err("PASS x", "AUTH")
    other = "pop/localhost@OTHER.TEST"
    realm.keytab("other.keytab", other)
    cache = realm.ticket("ann@OTHER.TEST", "secret", other)
    refused(site, connect, ap_req(cache=cache, service=other), b"")


def test_principals(place, serve, realm, connect, ap_req):
    site = Site(place, serve, realm,
                'principals = "ann@OTHER.TEST=bob ann/admin@EXAMPLE.TEST=ann"\n')
    cache = realm.ticket("ann@OTHER.TEST", "secret", SERVICE)
    accepted(site, connect, ap_req(cache=cache), "bob").quit()
    cache = realm.ticket("ann/admin", "secret", SERVICE)
    accepted(site, connect, ap_req(cache=cache)).quit()
    accepted(site, connect, ap_req()).quit()
    assert [e["user"] for e in site.server.await_event("login", 3)] == [
        "bob", "ann", "ann"]


def test_realms(place, serve, realm, connect, ap_req):
    site = Site(place, serve, realm, 'kerberos_realms = "OTHER.TEST"\n')
    cache = realm.ticket("ann@OTHER.TEST", "secret", SERVICE)
    accepted(site, connect, ap_req(cache=cache)).quit()
    session, _ = kpop(site, connect, ap_req())
    session.line()
    session.ok("USER ann")
    session.err("PASS x", "AUTH")


def test_other_protocols(site, connect):
    for hello, status in [
            (sized(b"KRB5_SENDAUTH_V2.0\0") + sized(b"KPOPV1.0\0"), b"\1"),
            (sized(b"KRB5_SENDAUTH_V1.0\0") + sized(b"KPOPV9.0\0"), b"\2"),
            (b"USER ann\r\n", b"\1"), (b"\x16\x03\1\0\0", b"\1")]:
        session = connect(site.kpop_port, greeting=False)
        session.send(hello)
        assert exactly(session, 1) == status
        assert session.ended()


def test_a_gigabyte_of_ticket(site, connect, ap_req):
    """S-KPOP-02: it is refused when it is announced."""
    for n in (1 << 30, 0xffffffff, 48 * 1024 + 1):
        session = connect(site.kpop_port, greeting=False)
        session.send(HELLO + struct.pack(">I", n))
        assert exactly(session, 1) == b"\0"
        assert session.ended()
        session.close()
    wait_until(lambda: [e["why"] for e in site.server.events("session")].count(
        "kpop-too-long") == 3)
    session, error = kpop(site, connect, b"x" * 48 * 1024)
    assert error[:1] == b"\x7e"
    accepted(site, connect, ap_req()).quit()


def test_cut_at_each_octet(site, connect, ap_req):
    whole = HELLO + sized(ap_req())
    for n in range(len(whole)):
        session = connect(site.kpop_port, greeting=False)
        session.send(whole[:n])
        session.close()
    ended = site.server.await_event("session", len(whole) + 1, 60)
    assert {e["login"] for e in ended} == {"no"}
    assert not site.server.events("login-failed")
    accepted(site, connect, whole[len(HELLO) + 4:]).quit()


def test_limits_hold(place, serve, realm, connect, ap_req):
    """As for other clients; who is turned away gets no word of POP3."""
    site = Site(place, serve, realm, "login_timeout = 1\n"
                "max_connections_per_address = 3\nworkers = 1\n")
    silent = connect(site.kpop_port, greeting=False)
    half = connect(site.kpop_port, greeting=False)
    half.send(HELLO)
    named, _ = kpop(site, connect, ap_req())
    assert named.line().startswith(b"+OK")
    one_more = connect(site.kpop_port, greeting=False)
    assert one_more.ended()
    assert exactly(half, 1) == b"\0"
    for session in (silent, half, named):
        assert session.ended()
    wait_until(lambda: [e["why"] for e in site.server.events("session")].count(
        "login-timeout") == 3)


def test_failures_cost_time(place, serve, realm, connect, ap_req):
    """As a wrong password does: the second is not looked at for a while."""
    site = Site(place, serve, realm, "failure_delay = yes\n")
    begun = time.monotonic()
    refused(site, connect, b"nonsense", b"")
    assert time.monotonic() - begun > 0.9


def test_who_goes_away_is_forgotten(site, connect, realm, ap_req, ticket):
    """Also in the middle of an exchange, by auth and by who has the keys."""
    gone = []
    for n in range(3):
        session, _ = kpop(site, connect, ap_req())
        assert session.line().startswith(b"+OK")
        gone.append(session)
        gone.append(connect(site.clear_port))
        with ticket(realm.ticket("ann", "secret", SERVICE), "gssapi", SERVICE,
                    "") as run:
            token = bytes.fromhex(run.stdout.readline())
            run.stdin.close()
        assert gone[-1].command("AUTH GSSAPI") == b"+ "
        assert gone[-1].command(b64(token)).startswith(b"+ ")
    wait_until(lambda: at_work(site) == {"auth": 6, "kerberos": 3})
    for session in gone:
        session.close()
    wait_until(lambda: at_work(site) == {"auth": 0, "kerberos": 0})


def at_work(site):
    """How many sessions each process says it has."""
    status = json.loads(site.server.ctl("--json", "status"))
    return {p["role"]: p["sessions"] for p in status["processes"]
            if p["role"] in ("auth", "kerberos")}


# ---- GSSAPI, word by word ----

def b64(octets):
    return base64.b64encode(octets).decode()


def mechanisms(port, connect, tls=None):
    session = connect(port, tls)
    for line in session.listing("CAPA"):
        if line.startswith(b"SASL "):
            return line.split()[1:]
    return []


def gssapi(session, run, initial=False):
    """The dialogue until the choice has been sent: the offer, the answer."""
    token = bytes.fromhex(run.stdout.readline())
    reply = session.command("AUTH GSSAPI" + (" " + b64(token) if initial
                                             else ""))
    if not initial:
        assert reply == b"+ ", reply
        reply = session.command(b64(token))
    while True:
        assert reply.startswith(b"+ "), reply
        run.stdin.write(base64.b64decode(reply[2:]).hex() + "\n")
        run.stdin.flush()
        said = run.stdout.readline()
        if said.startswith("offer "):
            choice = bytes.fromhex(run.stdout.readline())
            return bytes.fromhex(said[6:]), session.command(b64(choice))
        reply = session.command(b64(bytes.fromhex(said)))


@pytest.mark.parametrize("choice, answer", [
    (b"\1\0\0\0", b"+OK"), (b"\1\0\0\0ann", b"+OK"),
    (b"\1\0\0\0ann\0", b"+OK"), (b"\1\0\0\0ANN", b"+OK"),
    (b"\1\0\0\0bob", b"-ERR [AUTH]"), (b"\1\0\0\0a\0nn", b"-ERR m"),
    (b"\1\0\0\0" + b"x" * 300, b"-ERR m"),
    (b"\2\0\xff\xffann", b"-ERR m"), (b"\0\0\0\0ann", b"-ERR m"),
    (b"\7\0\0\0", b"-ERR m"), (b"\1\0\0", b"-ERR m"), (b"", b"-ERR m")])
def test_choices(site, connect, realm, ticket, choice, answer):
    """S-4752-01, 02: no layer of security is offered, and none is taken."""
    cache = realm.ticket("ann", "secret", SERVICE)
    session = connect(site.server.tls_port, pop3.context())
    with ticket(cache, "gssapi", SERVICE, choice.hex()) as run:
        offer, reply = gssapi(session, run, initial=len(choice) % 2 == 0)
    assert offer == b"\1\0\0\0"
    assert reply.startswith(answer), reply


def test_offered_where_it_may(site, connect):
    server = site.server
    assert mechanisms(site.clear_port, connect) == [b"GSSAPI"]
    assert b"GSSAPI" not in mechanisms(server.refuse_port, connect)
    session = connect(server.refuse_port)
    session.err("AUTH GSSAPI", "")
    session.stls()
    assert b"SASL PLAIN GSSAPI" in session.listing("CAPA")
    assert server.await_event("login-failed")[0]["why"] == "no-tls"


def test_token_cut_at_each_octet(site, connect, realm, ticket):
    """Or wrong at its end, which is the client's proof; then the right one is
    still good."""
    cache = realm.ticket("ann", "secret", SERVICE)
    with ticket(cache, "gssapi", SERVICE, "01000000616e6e") as run:
        token = bytes.fromhex(run.stdout.readline())
        bad = [token[:n] for n in range(len(token))]
        bad += [token[:n] + bytes([token[n] ^ 0x41]) + token[n + 1:]
                for n in range(len(token) - 150, len(token), 7)]
        session = None
        for n, wrong in enumerate(bad):
            if n % 5 == 0:
                session = connect(site.clear_port)
            assert session.command("AUTH GSSAPI") == b"+ "
            assert session.command(b64(wrong)).startswith(b"-ERR "), n
            if n % 5 == 4:
                session.close()
        run.stdin.close()
    assert not site.server.events("ended")
    session = connect(site.clear_port)
    with ticket(cache, "gssapi", SERVICE, "01000000616e6e") as run:
        assert gssapi(session, run)[1].startswith(b"+OK")


def test_token_too_long(site, connect):
    session = connect(site.clear_port)
    assert session.command("AUTH GSSAPI") == b"+ "
    session.send(b64(b"x" * 49 * 1024) + "\r\n")
    assert session.line() == b"-ERR line too long"
    session = connect(site.clear_port)
    assert session.command("AUTH GSSAPI") == b"+ "
    assert session.command(b64(b"x" * 48 * 1024)).startswith(b"-ERR ")
    # What is not GSSAPI stays short.
    session = connect(site.server.port)
    session.err("AUTH PLAIN " + b64(b"\0ann\0" + b"x" * 9000), "")


def test_users_file_decides(place, serve, realm, connect, ap_req):
    """As for those who have a password."""
    box = place.maildir(drop.make(16, 2), "Box")
    owner = os.stat(box)
    ids = "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"
    file = place.path + "/users"
    with open(file, "w", encoding="utf-8") as f:
        for name, hashed, more in [
                ("ann", "{PLAIN}x", "nologin"),
                ("bob", "{PLAIN}x", "allow_nets=192.0.2.0/24"),
                ("eve", "{PLAIN}x", "malote_tls=yes"),
                ("zoe", "*", ""),
                ("dan", "{PLAIN}x", "malote_read_only=yes")]:
            f.write("%s:%s:%s::::userdb_mail=maildir:%s %s\n" % (
                name, hashed, ids, box, more))
    site = Site(place, serve, realm, "users = \"%s\"\n" % file)
    whys = []
    for name in ("ann", "bob", "eve", "zoe", "nil"):
        cache = realm.ticket(name, "secret", SERVICE)
        session, error = kpop(site, connect, ap_req(cache=cache))
        assert error == b"" and session.line().startswith(b"+OK")
        session.ok("USER " + name)
        session.err("PASS x", "AUTH")
        whys.append(site.server.await_event(
            "login-failed", len(whys) + 1)[-1]["why"])
    assert whys == ["nologin", "allow_nets", "tls-only", "locked",
                    "unknown-user"], whys
    cache = realm.ticket("dan", "secret", SERVICE)
    session = accepted(site, connect, ap_req(cache=cache), "dan")
    session.err("DELE 1")


# ---- the process that has the keys ----

def test_it_dies(place, serve, realm, connect, ap_req):
    """Whoever waits for it is told at once, and the next one is served."""
    site = Site(place, serve, realm, "workers = 1\n")  # in their order
    pid, = site.server.roles("kerberos")
    waiting = connect(site.clear_port)
    assert waiting.command("AUTH GSSAPI") == b"+ "
    showing = connect(site.kpop_port, greeting=False)
    showing.send(HELLO)
    assert exactly(showing, 1) == b"\0"
    os.kill(pid, signal.SIGSTOP)
    waiting.send(b64(b"token") + "\r\n")
    showing.send(sized(ap_req()))
    # Auth has asked: what the two have sent came before this.
    other = connect(site.server.port)
    other.ok("USER ann")
    other.err("PASS wrong", "AUTH")
    os.kill(pid, signal.SIGKILL)
    assert waiting.line().startswith(b"-ERR [SYS/TEMP]")
    assert showing.ended()
    assert [e["why"] for e in site.server.await_event("login-failed", 3)] == [
        "password", "kerberos", "kerberos"]
    wait_until(site.is_offered)
    accepted(site, connect, ap_req()).quit()


@pytest.mark.slow
def test_it_hangs(site, connect):
    """It is not waited for; the watchdog ends it."""
    pid, = site.server.roles("kerberos")
    os.kill(pid, signal.SIGSTOP)
    session = connect(site.clear_port)
    assert session.command("AUTH GSSAPI") == b"+ "
    assert session.command(b64(b"token")).startswith(b"-ERR [SYS/TEMP]")
    wait_until(lambda: site.server.roles("kerberos") not in ([pid], []), 60)
    wait_until(site.is_offered)


def test_no_key(place, serve, realm, connect):
    """S-4752-03: others are served, and nothing is offered that cannot be."""
    path = realm.keytab("imap.keytab", "imap/localhost")
    if not os.path.exists(realm.path("two.keytab")):
        shutil.copy(path, realm.path("two.keytab"))
    site = Site(place, serve, realm, keytab=realm.path("two.keytab"))
    tls = pop3.context()
    assert mechanisms(site.server.tls_port, connect, tls) == [b"PLAIN"]
    assert "pop/HOST" in site.server.await_event("keytab")[0]["error"]
    session = connect(site.kpop_port, greeting=False)
    session.send(HELLO + sized(b"x"))
    assert exactly(session, 1) == b"\0"
    assert session.ended()
    # One that is no keytab leaves all as it is; a better one is taken.
    with open(realm.path("two.keytab"), "wb") as f:
        f.write(b"nonsense")
    site.server.signal(signal.SIGHUP)
    assert site.server.await_event("reloaded")[0]["done"] == "no"
    assert "it is no keytab" in site.server.log_text()
    os.remove(realm.path("two.keytab"))
    realm.keytab("two.keytab", "pop/localhost")
    site.server.signal(signal.SIGHUP)
    wait_until(lambda: mechanisms(site.server.tls_port, connect, tls)
               == [b"PLAIN", b"GSSAPI"])


def test_not_started_unless_it_is_used(place, serve, realm):
    server = serve(place.maildir(drop.make(3, 1)), 'keytab = "%s"\n'
                   % realm.path("pop.keytab"))
    assert not server.roles("kerberos")
