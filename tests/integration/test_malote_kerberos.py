"""malote signs in by a Kerberos ticket: GSSAPI at Dovecot, KPOP at what MIT's
library makes of it; and at servers that get it wrong."""
import base64
import os
import re
import socket
import subprocess

import pytest

import drop
import kdc
import malote
from hostile import letters
from hostile_session import Gone, Reply, Session
from malote import settled
from server import PATIENCE, TOP, free_port
from test_malote_collect import point_at



def is_built():
    return os.path.exists(os.path.dirname(malote.BINARY) +
                          "/malote-kerberos.so")


pytestmark = [malote.NEEDED, pytest.mark.ours, pytest.mark.skipif(
    not kdc.INSTALLED, reason="the programs of Kerberos are not installed"),
    pytest.mark.skipif(not os.access(malote.BINARY, os.X_OK) or not is_built(),
                       reason="malote is built without Kerberos")]
COUNT = 3
LAYER_NONE, LAYER_PRIVATE = 1, 4
GSSAPI = "/usr/lib/dovecot/modules/auth/libmech_gssapi.so"
NO_TICKET, EXPIRED, KEYTAB = "there is no Kerberos ticket", \
    "the Kerberos ticket has expired", "must give it a new keytab"
CLOCKS = "clocks differ too much for Kerberos"


class Realm:
    def __init__(self, folder):
        self.kdc = kdc.Kdc(["EXAMPLE.TEST", "OTHER.TEST"])
        for name in "user", "ana@OTHER.TEST":
            self.kdc.principal(name, "secret")
        self.keytab = self.kdc.keytab("pop.keytab", "pop/localhost")
        os.chmod(self.keytab, 0o644)  # the server's user reads it
        self.cache = self.kdc.ticket("user", "secret")
        self.accept = os.path.join(folder, "accept")
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "krb5", "krb5-gssapi"],
            capture_output=True, text=True, check=True).stdout.split()
        subprocess.run(["gcc", "-O1", "-o", self.accept,
                        TOP + "/tests/integration/kpop_accept.c", *flags],
                       check=True)

    def env(self, cache=None):
        return {**self.kdc.env, "KRB5CCNAME": cache or self.cache}

    def server(self, *words, at=None, stdin=subprocess.PIPE):
        return subprocess.Popen(
            [self.accept, *words], stdin=stdin, stdout=subprocess.PIPE,
            env={**os.environ, **self.kdc.env, **kdc.faked(at)})


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Realm(str(tmp_path_factory.mktemp("realm")))
    yield made
    made.kdc.stop()


def ticketed(m, realm, cache=None, **settings):
    m.env.update(realm.env(cache))
    return m.account(server="localhost", password=None, **settings)


def kpop(m, realm, at, cache=None, **settings):
    return ticketed(m, realm, cache, at=at).account(security="kpop",
                                                    **settings)


# ---- the ticket, whatever it is for ----

KINDS = {"gssapi": {"auth": "gssapi"}, "kpop": {"security": "kpop"}}


@pytest.fixture(params=KINDS)
def tells(client, realm, lie, request):
    """tells(exit code, words, cache): malote says so, and has not even called
    the server."""
    def run(status, words, cache=None, env=None, **settings):
        server = lie(letters(1))
        m = ticketed(client(), realm, cache, at=server)
        m.account(**KINDS[request.param]).account(**settings)
        done = m.collect(status=status, env=env)
        assert words in done.text, done
        assert not server.sessions
        assert "Sanitizer" not in done.text
        return m
    return run


def test_no_ticket(tells):
    tells(malote.NOPERM, NO_TICKET, "FILE:/nonexistent/cache")


def test_no_ticket_in_portuguese(tells, tmp_path):
    folder = tmp_path / "pt_BR" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    subprocess.run(["msgfmt", "-o", str(folder / "malote.mo"),
                    TOP + "/po/pt_BR.po"], check=True)
    tells(malote.NOPERM, "não há tíquete do Kerberos; obtenha um: kinit",
          "FILE:/nonexistent/cache", env={
              "LANGUAGE": "pt_BR", "LC_ALL": "C.UTF-8",
              "MALOTE_LOCALEDIR": str(tmp_path)})


def test_expired_ticket(tells, realm):
    tells(malote.NOPERM, EXPIRED, realm.kdc.ticket(
        "user", "secret", at="-2d"))


def test_unknown_service(tells):
    """Kerberos has a key of pop/localhost only."""
    tells(malote.NOPERM, "no POP3 service at this server", server="127.0.0.1")


def test_other_realm(tells, realm):
    """The realms do not trust each other."""
    tells(malote.NOPERM, "no POP3 service at this server", realm.kdc.ticket(
        "ana@OTHER.TEST", "secret"))


def other_config(realm, name, port):
    """What KRB5_CONFIG may be instead, with another place of the KDC."""
    path = realm.kdc.path(name)
    with open(realm.kdc.config, encoding="ascii") as f:
        text = re.sub(r"127.0.0.1:\d+", "127.0.0.1:%d" % port, f.read())
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return {"KRB5_CONFIG": path}


def test_no_kdc(tells, realm):
    tells(malote.UNAVAILABLE, "(KDC) cannot be reached",
          env=other_config(realm, "none.conf", free_port()))


def test_unknown_realm(tells, realm):
    path = realm.kdc.path("unknown.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("[libdefaults]\ndefault_realm = EXAMPLE.TEST\n"
                "dns_lookup_kdc = false\ndns_lookup_realm = false\n"
                "dns_canonicalize_hostname = false\n")
    tells(malote.UNAVAILABLE, "no Kerberos server (KDC) is found",
          env={"KRB5_CONFIG": path})


def test_clock_of_the_kdc(tells, realm):
    """The ticket is of a KDC whose clock is an hour ahead."""
    tells(malote.NOPERM, CLOCKS, realm.kdc.ticket("user", "secret", at="+1h"))


def test_clock_of_this_computer(tells, realm):
    """It has changed since the ticket was got; to the KDC, at least."""
    port = free_port()
    process = realm.kdc._start(port, "+10m")
    try:
        tells(malote.NOPERM, CLOCKS,
              env=other_config(realm, "clock.conf", port))
    finally:
        kdc.end(process)


@pytest.fixture
def silent():
    """The port of somebody who takes connections and says nothing."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port


@pytest.mark.parametrize("kind", KINDS)
def test_silent_kdc(client, realm, lie, silent, kind):
    """It holds up nobody else, and its own account no longer than its
    timeout."""
    server, other = lie(letters(1)), lie(letters(COUNT))
    m = ticketed(client(), realm, at=server, timeout=malote.WAIT)
    m.account(**KINDS[kind])
    m.account("obra", at=other, keep="no")
    done = m.collect(status=malote.UNAVAILABLE,
                     env=other_config(realm, "silent.conf", silent))
    assert "no answer from the Kerberos server (KDC) within 2 s" in done.text
    assert not server.sessions
    assert len(m.files()) == COUNT
    assert done.seconds < 20 * PATIENCE, done


# ---- Dovecot ----

@pytest.fixture
def dovecot(serve, place, realm):
    if not os.path.exists(GSSAPI):
        pytest.skip("dovecot-gssapi is not installed")
    box = place.maildir(drop.make(90, COUNT))

    def start(keytab=realm.keytab, mechanisms="gssapi"):
        return serve(box, peer="dovecot", peer_config="""
auth_mechanisms = %s
auth_gssapi_hostname = localhost
auth_krb5_keytab = %s
import_environment = $import_environment KRB5_CONFIG=%s KRB5RCACHENAME=none:
""" % (mechanisms, keytab, realm.kdc.config))
    return start


@pytest.mark.core
@pytest.mark.parametrize("mode", ["tls", "starttls", "none"])
def test_dovecot(dovecot, client, realm, mode):
    server = dovecot()
    m = point_at(client(), server, mode)
    ticketed(m, realm, auth="gssapi")
    done = m.collect("--json", "--verbose")
    assert done.account("casa")["sign_in"] == "GSSAPI"
    assert len(m.files()) == COUNT
    assert "> AUTH GSSAPI\n" in done.text
    assert "YII" not in done.text  # how every token begins
    assert ("everybody on the way can read it" in done.text) == \
        (mode == "none")


def test_for_another(dovecot, client, realm):
    """The name that is asked for counts, and the ticket is not theirs."""
    m = point_at(client(), dovecot(), "tls")
    ticketed(m, realm, auth="gssapi", user="other").collect(
        status=malote.NOPERM)
    assert m.files() == {}


def test_not_by_itself(dovecot, client, realm):
    """A ticket is used when the account says so."""
    m = point_at(client(), dovecot(mechanisms="gssapi plain"), "tls")
    ticketed(m, realm).account(password="secret")
    assert m.collect("--json").account("casa")["sign_in"] == "PLAIN"


def test_not_offered(dovecot, client, realm):
    m = point_at(client(), dovecot(mechanisms="plain"), "tls")
    done = ticketed(m, realm, auth="gssapi").collect(status=malote.NOPERM)
    assert "does not offer GSSAPI" in done.text


def test_key_has_changed(dovecot, client, realm):
    m = point_at(client(), dovecot(other_key(realm)), "tls")
    done = ticketed(m, realm, auth="gssapi").collect(status=malote.NOPERM)
    assert "not tried again" not in done.text  # no password is guessed


# ---- GSSAPI at servers that get it wrong ----

class Gss(Session):
    """The other end is a program; what it says may be changed."""
    realm, layers, change = None, LAYER_NONE, staticmethod(lambda n, b: b)

    def do_auth(self, rest):
        assert rest == "GSSAPI"
        peer = self.realm.server(self.realm.keytab, str(self.layers))
        try:
            return self.talk(peer)
        finally:
            peer.kill()
            peer.communicate()

    def talk(self, peer):
        said, n = b"", 0
        while True:
            answer = self.ask(self.change(n, said))
            if answer == b"*":
                return Reply(b"-ERR cancelled\r\n")
            peer.stdin.write(answer.hex().encode() + b"\n")
            peer.stdin.flush()
            n += 1
            line = peer.stdout.readline().decode()
            if line.startswith("done "):
                self.server.last = bytes.fromhex(line[5:])
                return self.signed_in(True)
            if line == "":
                return Reply(b"-ERR [AUTH] refused\r\n")
            said = bytes.fromhex(line)

    def ask(self, octets):
        line = self.challenge(base64.b64encode(octets))
        return line if line == b"*" else base64.b64decode(line)


@pytest.fixture
def gss(odd, realm, monkeypatch):
    """gss(mails, layers, change)"""
    def start(layers=LAYER_NONE, change=None, kind=Gss):
        monkeypatch.setattr(Gss, "realm", realm)
        monkeypatch.setattr(Gss, "layers", layers)
        if change:
            monkeypatch.setattr(Gss, "change", staticmethod(change))
        return odd(kind, letters(COUNT), sasl=["GSSAPI"])
    return start


@pytest.mark.core
def test_exchange(gss, client, realm):
    """C-4752-02: no layer, no size, and for whom."""
    server = gss(LAYER_NONE | LAYER_PRIVATE)
    m = ticketed(client(), realm, at=server, auth="gssapi", keep="no")
    wanted = list(server.box.mails)
    m.collect()
    settled(server, m, wanted, keep=False)
    assert server.last == b"\1\0\0\0user"


def fails(m, server, status, words):
    done = m.collect(status=status)
    assert words in done.text, done
    assert not server.commands("STAT", "LIST", "RETR")
    assert m.files() == {}
    return done


def test_insists_on_a_layer(gss, client, realm):
    """C-4752-02"""
    server = gss(LAYER_PRIVATE)
    m = ticketed(client(), realm, at=server, auth="gssapi")
    fails(m, server, malote.NOPERM, "insists on a security layer")


@pytest.mark.parametrize("at", [1, 2])
def test_message_is_changed(gss, client, realm, at):
    """Of the server's proof, and of its layers, one bit."""
    server = gss(change=lambda n, octets: octets if n != at else
                 octets[:-1] + bytes([octets[-1] ^ 1]))
    m = ticketed(client(), realm, at=server, auth="gssapi")
    fails(m, server, malote.NOPERM, "sign-in by GSSAPI failed")
    assert server.commands("*")


@pytest.mark.parametrize("after", [0, 1, 2])
def test_yes_without_proof(odd, client, realm, after):
    """C-4752-01: somebody who has not the key, and says yes anyway."""
    class Liar(Session):
        def do_auth(self, rest):
            for _ in range(after):
                if self.challenge(b"") == b"*":
                    break
            return self.signed_in(True)

    server = odd(Liar, letters(1), sasl=["GSSAPI"])
    m = ticketed(client(), realm, at=server, auth="gssapi")
    words = "sign-in by GSSAPI failed" if after == 2 else \
        "has not proved that it is the right server"
    fails(m, server, malote.NOPERM, words)


def test_asks_without_end(gss, client, realm):
    class Endless(Gss):
        def signed_in(self, good):
            while self.challenge(b"") != b"*":
                pass
            return Reply(b"-ERR no\r\n")

    server = gss(kind=Endless)
    m = ticketed(client(), realm, at=server, auth="gssapi")
    fails(m, server, malote.NOPERM, "asks more than there is to say")


# ---- KPOP ----

class Kpop(Session):
    """MIT's library has the exchange; how its octets come may be changed.
    parts: "status", "error", "proof"."""
    realm, keytab, at = None, None, None
    change = staticmethod(lambda part, octets: octets)
    piece = 65536

    def serve(self):
        ours, theirs = socket.socketpair()
        peer = self.realm.server(self.keytab, at=self.at, stdin=theirs)
        theirs.close()
        ours.settimeout(30 * PATIENCE)
        try:
            with ours:
                self.exchange(ours)
            self.server.who = peer.communicate(
                timeout=30 * PATIENCE)[0].decode().strip()
        finally:
            peer.kill()
            peer.communicate()
        super().serve()

    def exchange(self, peer):
        peer.sendall(self.client(4 + 19 + 4 + 9))
        self.say("status", take(peer, 1))
        length = self.client(4)
        peer.sendall(length + self.client(int.from_bytes(length, "big")))
        for part in "error", "proof":
            length = take(peer, 4)
            self.say(part, length + take(
                peer, int.from_bytes(length, "big")))

    def client(self, n):
        while len(self.seen) < n:
            self.seen += self.receive()
        octets, self.seen = self.seen[:n], self.seen[n:]
        return octets

    def say(self, part, octets):
        octets = self.change(part, octets)
        for at in range(0, len(octets), self.piece):
            self.send(octets[at:at + self.piece])


def take(sock, n):
    got = b""
    while len(got) < n:
        more = sock.recv(n - len(got))
        if not more:
            raise Gone
        got += more
    return got


@pytest.fixture
def serve_kpop(odd, realm, monkeypatch):
    def start(change=None, keytab=None, piece=65536, at=None):
        monkeypatch.setattr(Kpop, "realm", realm)
        monkeypatch.setattr(Kpop, "at", at)
        monkeypatch.setattr(Kpop, "keytab", keytab or realm.keytab)
        monkeypatch.setattr(Kpop, "piece", piece)
        if change:
            monkeypatch.setattr(Kpop, "change", staticmethod(change))
        server = odd(Kpop, letters(COUNT), password="kpop")
        server.who = None
        return server
    return start


@pytest.mark.core
@pytest.mark.parametrize("piece", [1, 65536])
def test_kpop(serve_kpop, client, realm, piece):
    """C-KPOP-01"""
    server = serve_kpop(piece=piece)
    m = kpop(client(), realm, server, keep="no")
    wanted = list(server.box.mails)
    done = m.collect("--json")
    settled(server, m, wanted, keep=False)
    assert done.account("casa")["sign_in"] == "KPOP"
    assert server.who == "user@EXAMPLE.TEST"
    assert server.commands("USER", "AUTH", "APOP") == ["USER user"]
    assert "everybody on the way can read it" in done.text


def kpop_fails(server, m, status, words):
    done = fails(m, server, status, words)
    assert not server.commands("USER", "PASS", "CAPA")
    return done


def flip(which):
    return lambda part, octets: octets if part != which else \
        octets[:-1] + bytes([octets[-1] ^ 1])


def instead(which, other):
    return lambda part, octets: other if part == which else octets


def der(tag, *parts):
    octets = b"".join(parts)
    n = len(octets)
    assert n < 1 << 16
    return bytes([tag]) + (bytes([n]) if n < 128 else
                           bytes([0x82, n >> 8, n & 255])) + octets


def krb_error(code, text):
    """RFC 4120 s5.9.1; the message, with its length."""
    def number(v):
        return der(2, v.to_bytes(1, "big"))
    service = der(0x30, der(0xa0, number(3)),
                  der(0xa1, der(0x30, der(0x1b, b"pop"))))
    made = der(0x7e, der(
        0x30, der(0xa0, number(5)), der(0xa1, number(30)),
        der(0xa4, der(0x18, b"20261129130000Z")), der(0xa5, number(0)),
        der(0xa6, number(code)), der(0xa9, der(0x1b, b"EXAMPLE.TEST")),
        der(0xaa, service), der(0xab, der(0x1b, text))))
    return len(made).to_bytes(4, "big") + made


GENERIC = 60
LONG = (1 << 30).to_bytes(4, "big") + b"x" * 65536


@pytest.mark.parametrize("change, status, words", [
    (flip("proof"), malote.NOPERM, KEYTAB),
    (instead("proof", b"\0\0\0\0"), malote.NOPERM, "does not serve"),
    (instead("proof", b"\0\0\0\2+O"), malote.NOPERM, "does not serve"),
    (instead("error", b"\0\0\0\3foo"), malote.NOPERM, "does not serve"),
    (instead("error", krb_error(GENERIC, b"not \x1btoday")), malote.NOPERM,
     r"the Kerberos ticket does not serve: not \x1btoday"),
    (instead("error", krb_error(GENERIC, b"x" * 5000)), malote.NOPERM, "xxxx"),
    (instead("error", krb_error(GENERIC, b"")), malote.NOPERM, "Generic"),
    (instead("error", krb_error(200, b"")), malote.NOPERM, "does not serve"),
    (instead("error", LONG), malote.PROTOCOL, "too long"),
    (instead("proof", LONG), malote.PROTOCOL, "too long"),
    (instead("status", b"\1"), malote.PROTOCOL, "version of sendauth"),
    (instead("status", b"\2"), malote.PROTOCOL, "knows no KPOPV1.0"),
    (instead("status", b"\xff"), malote.PROTOCOL, "not one of KPOP"),
], ids=["proof", "none", "text", "error", "words", "many-words", "no-words",
        "number", "long-error", "long-proof",
        "sendauth", "application", "octet"])
def test_kpop_that_is_wrong(serve_kpop, client, realm, change, status, words):
    """C-4752-01, C-KPOP-01"""
    server = serve_kpop(change)
    kpop_fails(server, kpop(client(), realm, server), status, words)


def test_proof_in_the_place_of_an_error(serve_kpop, client, realm):
    """A good proof where none may be: it is no sign-in."""
    held = []

    def change(part, octets):
        if part == "error":
            return b""
        held.append(octets)
        return octets

    server = serve_kpop(change)
    kpop_fails(server, kpop(client(), realm, server), malote.PROTOCOL,
               "does not speak KPOP as it should")


@pytest.mark.parametrize("name, version", [
    ("pop/localhost", 1), ("pop/localhost", 2), ("pop/other", 1)])
def test_key_of_kpop_is_another(serve_kpop, client, realm, name, version):
    """The server refuses by a KRB-ERROR, and is asked again in the next
    run."""
    server = serve_kpop(keytab=other_key(realm, name, version))
    m = kpop(client(), realm, server)
    for _ in range(2):
        kpop_fails(server, m, malote.NOPERM, KEYTAB)
    assert len(server.sessions) == 2


def other_key(realm, name="pop/localhost", version=1):
    """A keytab with a key that the KDC does not know."""
    path = realm.kdc.path("%s.%d.keytab" % (name.replace("/", "-"), version))
    if not os.path.exists(path):
        subprocess.run(
            ["ktutil"], input="addent -password -p %s@EXAMPLE.TEST -k %d "
            "-e aes256-cts-hmac-sha1-96\nother\nwkt %s\n" % (
                name, version, path),
            text=True, check=True, capture_output=True,
            env={**os.environ, **realm.kdc.env})
        os.chmod(path, 0o644)
    return path


def test_plain_pop3_on_that_port(lie, client, realm):
    server = lie(letters(1))
    kpop_fails(server, kpop(client(), realm, server), malote.PROTOCOL,
               "it speaks POP3 without Kerberos")


@pytest.mark.parametrize("n", range(0, 90, 4))
def test_kpop_is_cut(serve_kpop, client, realm, n):
    """At any octet; the proof is behind the sixth."""
    server = serve_kpop()
    server.limit = n
    done = kpop(client(), realm, server).collect(status=malote.UNAVAILABLE)
    assert "closed the connection" in done.text
    assert not server.commands("USER", "PASS")


def test_clock_of_the_server(serve_kpop, client, realm):
    server = serve_kpop(at="+10m")
    kpop_fails(server, kpop(client(), realm, server), malote.NOPERM, CLOCKS)


def test_name_that_is_too_long(serve_kpop, client, realm):
    server = serve_kpop()
    kpop(client(), realm, server, user="x" * 300).collect(status=malote.CONFIG)
    assert not server.commands("USER")


def test_sign_in_is_refused(serve_kpop, client, realm):
    """USER has another name than the ticket."""
    server = serve_kpop()
    m = kpop(client(), realm, server, user="other")
    for _ in range(2):
        done = m.collect(status=malote.NOPERM)
        assert "sign-in refused" in done.text
        assert "not tried again" not in done.text


# ---- the manual ----

@pytest.mark.parametrize("page", ["malote.conf.5", "pt_BR/malote.conf.5"])
def test_manual(dovecot, serve_kpop, client, realm, page):
    """The example of malote.conf(5) as it stands there, but for the servers
    and the person."""
    with open(TOP + "/doc/man/%s.scd" % page, encoding="utf-8") as f:
        shown, = [b for b in f.read().split("```")[1::2] if "gssapi" in b]
    campus, old = dovecot(), serve_kpop()
    m = point_at(client(), campus, "tls")
    m.env.update(realm.env())
    for was, server, more in (
            ("pop.example.org", campus.tls_port,
             "\tca_file = '%s'\n" % m.accounts["casa"]["ca_file"]),
            ("kpop.example.org", old.port, "")):
        was = 'server = "%s"\n' % was
        assert was in shown
        shown = shown.replace(
            was, 'server = "localhost"\n\tport = %d\n' % server + more)
    m.write_conf(shown.replace('user = "ana"', 'user = "user"'))
    m.collect(write=False)
    assert len(m.files("Mail/malote")) == 2 * COUNT
