"""Several certificates: which one a client gets, how new ones are taken over, what
their authority says of them, and what is said before one expires."""
import datetime
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import drop
import pop3
from certs import SERVER, Certificate
from server import PATIENCE, free_port, wait_until
from test_tls import check

pytestmark = pytest.mark.ours

BLOCK = 'certificate "%s" { file = "%s" key = "%s" %s }\n'


def block(name, pair, more=""):
    return BLOCK % (name, pair.pem, pair.key, more)


def one(pair):
    with open(pair.one, encoding="ascii") as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


def shown(port, name=None, maximum=None, sigalgs=None):
    """The certificate that a client gets who asks for that name."""
    tls = pop3.context(maximum=maximum)
    if sigalgs:
        tls.set_ciphers(sigalgs)
    with socket.create_connection(("127.0.0.1", port), 20 * PATIENCE) as s:
        with tls.wrap_socket(s, server_hostname=name) as t:
            return t.getpeercert(True)


def rsa(certs, *names):
    """One with an RSA key."""
    kind = "rsa-%d" % len(certs.made)
    key = certs.path(kind + ".key")
    certs._openssl("genrsa", "-out", key, "2048")
    certs._openssl("req", "-new", "-x509", "-key", key, "-days", "30",
                   "-subj", "/CN=rsa", "-addext", "subjectAltName="
                   + ",".join("DNS:" + n for n in names), "-out",
                   certs.path(kind + ".pem"))
    certs.made[kind] = Certificate(certs.path(kind + ".pem"), key,
                                   certs.path(kind + ".pem"))
    return certs.made[kind]


def test_by_name(place, serve, certs):
    """S-SNI-01, 02: itself before a star, and else the first one."""
    star = certs.named("*.example.org", "example.org")
    pop = certs.named("pop.example.org", "POP.example.net")
    server = serve(place.maildir(drop.make(1, 3)),
                   block("star", star) + block("pop", pop))
    port = server.tls_port
    first = shown(port, "localhost")
    assert first not in (one(star), one(pop))
    for name, pair in (("pop.example.org", pop), ("Pop.Example.Net", pop),
                       ("x.example.org", star), ("example.org", star)):
        assert shown(port, name) == one(pair), name
        assert shown(port, name, ssl.TLSVersion.TLSv1_2) == one(pair), name
    for name in ("a.b.example.org", "example.net", "org", "127.0.0.1", None):
        assert shown(port, name) == first, name


def test_stls_and_sign_in(place, serve, connect, certs):
    """A session by another certificate than the first is one as any; tickets of
    TLS serve."""
    other = certs.named("pop.example.org")
    server = serve(place.maildir(drop.make(1, 3)), block("other", other))
    tls = pop3.context()
    s = connect(server.port)
    s.ok("STLS")
    s.sock = tls.wrap_socket(s.sock, server_hostname="pop.example.org")
    assert s.sock.getpeercert(True) == one(other)
    s.login()
    s.quit()
    assert server.await_event("session")[-1]["tls"] == "TLSv1.3"


def test_rsa_beside_ec(place, serve, certs):
    """Who can do one kind only gets that one, of the same names."""
    ec = certs.named("both.example.org")
    two = rsa(certs, "both.example.org")
    server = serve(place.maildir(), block("ec", ec) + block("rsa", two))
    v12 = ssl.TLSVersion.TLSv1_2
    for ciphers, pair in (("ECDHE+aRSA", two), ("ECDHE+aECDSA", ec)):
        assert shown(server.tls_port, "both.example.org", v12,
                     ciphers) == one(pair)
    assert shown(server.tls_port, "both.example.org") == one(ec)


def test_by_listener(place, serve, certs):
    """A listener that names some shows no others."""
    a, b = certs.named("a.example.org"), certs.named("b.example.org")
    port = free_port()
    server = serve(place.maildir(), block("a", a) + block("b", b) + (
        'listener "only" {\n address = {"127.0.0.1"}\n port = %d\n'
        ' tls = "tls"\n certificates = "b"\n}\n' % port))
    for name in ("a.example.org", "b.example.org", None):
        assert shown(port, name) == one(b)
    assert shown(server.tls_port, "a.example.org") == one(a)


def test_the_first_of_its_kind(place, serve, certs):
    """A second one of the same names and kind of key is not shown."""
    a, b = certs.named("twin.example.org"), certs.named("twin.example.org")
    server = serve(place.maildir(), block("a", a) + block("b", b))
    assert shown(server.tls_port, "twin.example.org") == one(a)
    assert "is never shown" in server.log_text()


def test_clients_have_certificates(place, serve, connect, certs):
    """Those of clients are verified as without names: EXTERNAL."""
    other = certs.named("pop.example.org")
    key, crt = place.path + "/ana.key", place.path + "/ana.pem"
    certs._openssl("req", "-new", "-config", "config", "-newkey", "rsa:2048",
                   "-nodes", "-subj", "/CN=user", "-keyout", key, "-out",
                   crt + ".csr")
    with open(crt + ".ext", "w", encoding="ascii") as f:
        f.write("extendedKeyUsage=clientAuth\n")
    certs._openssl("x509", "-req", "-in", crt + ".csr", "-CA", certs.ca,
                   "-CAkey", certs.path("ca.key"), "-days", "5", "-extfile",
                   crt + ".ext", "-set_serial", "4711", "-out", crt)
    port = free_port()
    serve(place.maildir(drop.make(1, 3)), block("other", other) + (
        'client_ca = "%s"\nclient_name = "cn"\n'
        'listener "people" {\n address = {"127.0.0.1"}\n port = %d\n'
        ' tls = "tls"\n mechanisms = "EXTERNAL PLAIN"\n'
        ' client_certificates = yes\n}\n' % (certs.ca, port)))
    tls = pop3.context()
    tls.load_cert_chain(crt, key)
    for name in ("localhost", "pop.example.org"):
        s = connect(port, greeting=False)
        s.sock = tls.wrap_socket(s.sock, server_hostname=name)
        assert s.line().startswith(b"+OK")
        s.ok("AUTH EXTERNAL =")
        s.quit()


# ---- renewed ----

class Renewed:
    def __init__(self, place, serve, certs):
        self.certs, self.at = certs, place.path + "/own"
        os.mkdir(self.at)
        self.first = certs.named("pop.example.org")
        self.put(self.first)
        self.server = serve(place.maildir(drop.make(3, 3)), BLOCK % (
            "own", self.at + "/pem", self.at + "/key", "") + "workers = 2\n")

    def put(self, pair, files=("pem", "key")):
        """As certbot does it: each is there at once."""
        for name in files:
            shutil.copy(getattr(pair, name), self.at + "/new")
            os.rename(self.at + "/new", self.at + "/" + name)

    def shown(self):
        return shown(self.server.tls_port, "pop.example.org")

    def await_all(self, pair):
        wait_until(lambda: all(self.shown() == one(pair) for _ in range(8)),
                   20)

    def kept(self):
        return [e for e in self.server.events("certificate") if "kept" in e]


@pytest.fixture
def renewed(place, serve, certs):
    return Renewed(place, serve, certs)


def test_by_itself(renewed, connect):
    """S-RENEW-01: nobody tells the server, and who is signed in stays."""
    s = connect(renewed.server.tls_port, pop3.context())
    s.login()
    for _ in range(2):
        new = renewed.certs.named("pop.example.org")
        renewed.put(new)
        renewed.await_all(new)
    assert s.stat()[0] == 3
    s.quit()
    assert not renewed.kept()


@pytest.mark.slow
def test_half_written(renewed):
    """S-RENEW-02: what does not fit yet is waited for, and told once."""
    new = renewed.certs.named("pop.example.org")
    renewed.put(new, ["pem"])
    wait_until(renewed.kept, 20)
    time.sleep(5)  # two more looks
    assert len(renewed.kept()) == 1
    assert renewed.shown() == one(renewed.first)
    said = json.loads(renewed.server.ctl("status", "--json"))
    of = [c for c in said["certificates"] if c["name"] == "own"][0]
    assert "not the key" in of["problem"]
    assert "NOT RENEWED" in renewed.server.ctl("status")
    renewed.put(new, ["key"])
    renewed.await_all(new)
    of = [c for c in json.loads(renewed.server.ctl("status", "--json"))
          ["certificates"] if c["name"] == "own"][0]
    assert of["problem"] is None


@pytest.mark.parametrize("how", ["garbage", "missing", "half"])
def test_a_broken_one_replaces_nothing(renewed, how):
    """S-RENEW-02: by itself or by a reload, also for a new worker."""
    path = renewed.at + "/pem"
    if how == "missing":
        os.unlink(path)
    else:
        with open(path, "rb") as f:
            text = f.read()
        with open(path, "wb") as f:
            f.write(b"no certificate\n" if how == "garbage"
                    else text[:len(text) // 2])
    wait_until(renewed.kept, 20)
    renewed.server.signal(signal.SIGHUP)
    done = renewed.server.await_event("reloaded")[0]
    assert done["done"] == "no"
    assert renewed.shown() == one(renewed.first)
    worker = renewed.server.roles("worker")[0]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in renewed.server.roles("worker")
               and len(renewed.server.roles("worker")) == 2)
    renewed.await_all(renewed.first)


# ---- OCSP ----

def answer(certs, pair, to, how="", seconds=3 * 86400):
    """What its authority, or somebody else, says of a certificate until then."""
    def load(path):
        with open(path, "rb") as f:
            return x509.load_pem_x509_certificate(f.read())
    by = (certs["good"].one, certs["good"].key) if how == "stranger" else (
        certs.ca, certs.path("ca.key"))
    with open(by[1], "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    now = datetime.datetime.utcnow()
    revoked = how == "revoked"
    made = ocsp.OCSPResponseBuilder().add_response(
        load(pair.one), load(certs.ca), hashes.SHA1(),
        ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        now - datetime.timedelta(days=7),
        now + datetime.timedelta(seconds=seconds),
        now if revoked else None, None).responder_id(
            ocsp.OCSPResponderEncoding.HASH, load(by[0])).certificates(
                [load(by[0])]).sign(key, hashes.SHA256())
    with open(to + ".new", "wb") as f:
        f.write(made.public_bytes(serialization.Encoding.DER))
    os.rename(to + ".new", to)


def stapled(port, name="pop.example.org", more=()):
    said = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port,
         "-servername", name, "-status", *more], input=b"QUIT\r\n",
        capture_output=True, timeout=20 * PATIENCE, check=False).stdout
    return b"OCSP Response Status: successful" in said


def with_issuer(certs, pair):
    path = pair.pem + ".chain"
    with open(path, "w", encoding="ascii") as f:
        for part in (pair.one, certs.ca):
            with open(part, encoding="ascii") as g:
                f.write(g.read())
    return Certificate(path, pair.key, pair.one)


def test_staple(place, serve, certs):
    """S-OCSP-01: to who asks, of the certificate that is shown; a new answer
    is taken by itself, and one about another certificate is not."""
    pair = with_issuer(certs, certs.named("pop.example.org"))
    other = with_issuer(certs, certs.named("imap.example.org"))
    to = place.path + "/ocsp"
    server = serve(place.maildir(), block("pop", pair, 'ocsp = "%s"' % to)
                   + block("imap", other))
    assert not stapled(server.tls_port)
    answer(certs, pair, to)
    wait_until(lambda: stapled(server.tls_port), 30, 0.5)
    assert not stapled(server.tls_port, "imap.example.org")
    of = json.loads(server.ctl("status", "--json"))["certificates"]
    until = [c["ocsp_until"] for c in of if c["name"] == "pop"][0]
    assert 2 * 86400 < until - time.time() < 4 * 86400
    answer(certs, other, to)
    wait_until(lambda: not stapled(server.tls_port), 30, 0.5)
    assert "about another certificate" in server.log_text()


def test_staple_of_one_of_two(place, serve, certs):
    """Beside it is a certificate of the same names by another kind of key, which
    the answer does not speak of."""
    ec = with_issuer(certs, certs.named("both.example.org"))
    to = place.path + "/ocsp"
    answer(certs, ec, to)
    server = serve(place.maildir(), block("ec", ec, 'ocsp = "%s"' % to)
                   + block("rsa", rsa(certs, "both.example.org")))
    for key, is_there in (("aECDSA", True), ("aRSA", False)):
        assert is_there == stapled(
            server.tls_port, "both.example.org",
            ["-tls1_2", "-cipher", "ECDHE+" + key])


@pytest.mark.slow
def test_a_staple_ends(place, serve, certs):
    """S-OCSP-01: it is shown as long as it holds."""
    pair = with_issuer(certs, certs.named("pop.example.org"))
    to = place.path + "/ocsp"
    answer(certs, pair, to, seconds=15 * PATIENCE)
    server = serve(place.maildir(), block("pop", pair, 'ocsp = "%s"' % to))
    assert stapled(server.tls_port)
    wait_until(lambda: not stapled(server.tls_port), 60, 0.5)
    assert server.await_event("ocsp")
    # Nor is it taken at the beginning, but for clocks that differ.
    answer(certs, pair, to, seconds=-3600)
    done = check(place, block("pop", pair, 'ocsp = "%s"' % to))
    assert "it is out of date" in done.stderr + done.stdout


@pytest.mark.parametrize("how,says", [
    ("revoked", "THE CERTIFICATE IS REVOKED"),
    ("stranger", "not signed by the certificate's issuer"),
    ("no-issuer", "the certificate's issuer is not in the file"),
    ("garbage", "no answer of OCSP"),
    ("missing", "No such file"),
])
def test_bad_staples(place, certs, how, says):
    """S-OCSP-02: they are warned of, and not shown."""
    pair = certs.named("pop.example.org")
    if how != "no-issuer":
        pair = with_issuer(certs, pair)
    to = place.path + "/ocsp"
    if how == "garbage":
        with open(to, "wb") as f:
            f.write(b"\0garbage")
    elif how != "missing":
        answer(certs, pair, to, how)
    done = check(place, block("pop", pair, 'ocsp = "%s"' % to))
    assert done.returncode == 0, done
    assert says in done.stderr + done.stdout


# ---- --check, and time ----

def test_check(place, certs):
    """Each fault with the file that it is about."""
    good = certs.named("pop.example.org")
    small = place.path + "/small"
    certs._openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days",
                   "9", "-subj", "/CN=x", "-addext",
                   "subjectAltName=DNS:x.example", "-keyout", small + ".key",
                   "-out", small + ".pem")
    for text, code, says in [
            (block("a", good), 0, "all is well"),
            (block("a", certs["expired"]), 0, "has expired"),
            (block("a", certs["future"]), 0, "not valid yet"),
            (block("a", certs.named("a.example", days=(-1, 10))), 0,
             "expires in "),
            (block("a", certs["cn-only"]), 0, "subjectAltName"),
            (block("a", good) + block("b", good), 0, "is never shown"),
            ('hostname = "mx.example"\n' + block("a", good), 0,
             "no certificate is for mx.example"),
            ('hostname = "pop.example.org"\n' + block("a", good), 0,
             "all is well"),
            (BLOCK % ("a", small + ".pem", small + ".key", ""), 78,
             "key too small"),
            (BLOCK % ("a", good.pem, certs["good"].key, ""), 78,
             "not the key of the certificate"),
            (BLOCK % ("a", good.pem, place.path, ""), 78, place.path),
            ('certificate "a" {\n}\n', 78, "has no file"),
            (block("a", good) + 'listener "l" {\n port = 20111\n'
             ' certificates = "a b"\n}\n', 78,
             'there is no block certificate "b"'),
            ('certificate "a" {\n file = "x.pem"\n}\n', 78,
             "not an absolute path")]:
        done = check(place, text)
        said = done.stderr + done.stdout
        assert done.returncode == code and says in said, (text, said)


def test_it_expires_soon(place, serve, certs):
    """Two weeks before, in the log and in malotectl status."""
    soon = certs.named("a.example", days=(-1, 13))
    late = certs.named("b.example", days=(-1, 16))
    server = serve(place.maildir(), block("a", soon) + block("b", late))
    said = server.await_event("certificate-expires")
    assert [e["file"] for e in said] == [soon.pem]
    assert said[0]["days"] in ("12", "13")
    time.sleep(5)
    assert len(server.events("certificate-expires")) == 1
    of = {c["file"]: c for c in json.loads(
        server.ctl("status", "--json"))["certificates"]}
    assert of[soon.pem]["expires_soon"] and not of[late.pem]["expires_soon"]
    assert of[soon.pem]["names"] == ["a.example"]
    assert "RENEW IT" in server.ctl("status")
