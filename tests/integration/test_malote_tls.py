"""malote trusts nobody whom it cannot check, and says no secret before."""
import ssl

import pytest

import faults
import malote
from hostile import CAPA, letters
from malote import settled

pytestmark = [malote.NEEDED, pytest.mark.core, pytest.mark.wide]
MODES = pytest.mark.parametrize("mode", ["tls", "stls"])
# What must never be seen in clear: the password, also in base64.
SECRETS = [b"secret", b"c2VjcmV0", b"NlY3JldA", b"ZWNyZXQ"]
BAD = ["expired", "future", "wrong-name", "unknown", "self-signed", "cn-only",
       "wrong-purpose", "bad-wildcard", "not-a-ca"]


@pytest.fixture
def guarded(lie, client, certs):
    """guarded(mode, kind): a server and a malote that knows the authority."""
    def make(mode, kind="good", **more):
        server = lie(letters(3), mode=mode, context=certs.context(kind),
                     **more)
        return server, client().account(
            at=server, server="localhost", ca_file=certs.ca)
    return make


def refused(server, m, code="bad"):
    """Nothing was collected, and no secret said: to nobody."""
    done = m.collect(status=code, seconds=60)
    said = server.commands("USER", "PASS", "APOP", "AUTH", "STAT", "RETR")
    assert said == [], server.dialogue()
    in_clear(server)
    assert m.files() == {}
    assert done.text.strip()
    return done


def in_clear(server):
    server.settle()
    assert not [s for s in SECRETS if s in server.clear_octets]


@MODES
def test_good(guarded, mode):
    """C-8314-01, C-2595-02: and asked for its capabilities again."""
    server, m = guarded(mode)
    m.collect()
    settled(server, m, server.box.mails, keep=True)
    in_clear(server)
    assert len(server.commands("CAPA")) == (2 if mode == "stls" else 1)


@MODES
def test_by_address(guarded, mode):
    """C-9525-01: iPAddress, not dNSName."""
    server, m = guarded(mode)
    m.account(server="127.0.0.1").collect()
    assert len(m.files()) == 3


def test_by_an_address_that_is_not_named(guarded):
    server, m = guarded("tls", "wildcard")
    refused(server, m.account(server="127.0.0.1"))


def test_among_several_names(guarded):
    server, m = guarded("tls", "wildcard")
    m.collect()
    assert len(m.files()) == 3


@pytest.mark.parametrize("kind", BAD)
@MODES
def test_bad_certificates(guarded, mode, kind):
    """C-8314-02, 03, C-7817-01..03, C-5034-04, M-33."""
    server, m = guarded(mode, kind)
    refused(server, m)


@MODES
def test_without_our_authority(guarded, mode):
    """The system's own do not know it."""
    server, m = guarded(mode)
    refused(server, m.account(ca_file=None))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1,
                                     ssl.TLSVersion.TLSv1_1])
@MODES
def test_old_versions(guarded, certs, mode, version):
    """C-8314-02: TLS 1.2 at least."""
    server, m = guarded(mode)
    server.context = certs.context()
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    server.context.minimum_version = version
    server.context.maximum_version = version
    refused(server, m)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_new_versions(guarded, certs, version):
    server, m = guarded("tls")
    server.context = certs.context()
    server.context.minimum_version = version
    server.context.maximum_version = version
    m.collect()
    assert len(m.files()) == 3


@pytest.mark.parametrize("setting, words", [
    ("ca_file", "no certificates can be read from it"),
    ("client_certificate", "no certificate can be read from it")])
def test_no_certificates_in_the_file(guarded, setting, words):
    """Said without the words of OpenSSL, which are not translated."""
    server, m = guarded("tls")
    with open(m.home + "/x.pem", "w") as f:
        f.write("nothing\n")
    m.account(**{setting: m.home + "/x.pem"})
    done = refused(server, m, malote.CONFIG)
    assert done.text.rstrip().endswith("x.pem\": " + words), done


def test_issued_by_no_authority(guarded):
    server, m = guarded("tls", "not-a-ca")
    assert "issued by one that is no authority's" in refused(
        server, m, malote.PROTOCOL).text


# Fingerprints.

def colons(text):
    return ":".join(text[i:i + 2] for i in range(0, len(text), 2)).upper()


@pytest.mark.parametrize("spell", [str, str.upper, colons])
@pytest.mark.parametrize("of", ["fingerprint", "key_fingerprint"])
@pytest.mark.parametrize("mode", ["tls", "stls"])
def test_fingerprint(guarded, certs, mode, of, spell):
    """C-8314-04: of the certificate or of its key; then nobody else needs to
    vouch for it."""
    server, m = guarded(mode, "self-signed")
    m.account(ca_file=None,
              fingerprint=spell(getattr(certs["self-signed"], of)()))
    m.collect()
    assert len(m.files()) == 3


@MODES
def test_wrong_fingerprint(guarded, certs, mode):
    """Also if an authority vouches for it."""
    server, m = guarded(mode)
    refused(server, m.account(fingerprint=certs["expired"].fingerprint()))


@pytest.mark.parametrize("of", ["fingerprint", "key_fingerprint"])
@pytest.mark.parametrize("at", [0, 8, 31, 32, 63])
def test_fingerprint_wrong_in_one_digit(guarded, certs, of, at):
    server, m = guarded("tls")
    text = getattr(certs["good"], of)()
    other = "%x" % (int(text[at], 16) ^ 1)
    refused(server, m.account(fingerprint=text[:at] + other + text[at + 1:]))


@pytest.mark.parametrize("text", ["", "00", "x" * 64, "0" * 63, "0" * 66])
def test_fingerprint_that_is_none(guarded, text):
    server, m = guarded("tls")
    m.account(fingerprint=text)
    assert m.collect(status=malote.CONFIG).text
    assert server.lines == []


# STLS.

def test_stls_missing(guarded):
    """C-2595-04, M-32: stripped on the way."""
    server, m = guarded("stls")
    server.fault("CAPA", faults.lines(
        lambda x: [y for y in x if y != b"STLS"]), times=faults.ALWAYS)
    refused(server, m)


@pytest.mark.parametrize("line", [b"X-STLS", b"STLSX", b"STLS-OLD",
                                  b"IMPLEMENTATION STLS", b"X STLS"])
def test_stls_in_other_words(guarded, line):
    """C-ENG-09, M-42."""
    server, m = guarded("stls")
    server.fault("CAPA", faults.lines(
        lambda x: [line if y == b"STLS" else y for y in x]),
        times=faults.ALWAYS)
    refused(server, m)
    assert server.commands("STLS") == []


@pytest.mark.parametrize("act", [
    faults.err(), faults.err("[SYS/TEMP] later"), faults.say("+OKAY"),
    faults.say_and_close(b""), faults.cut(3),
    faults.say("+OK begin\r\n-ERR stop"), faults.say(b"\r\n")],
    ids=["no", "later", "okay", "closed", "cut", "both", "empty"])
def test_stls_refused(guarded, act):
    """C-2595-04."""
    server, m = guarded("stls")
    m.account(timeout=2, session_timeout=10)
    server.fault("STLS", act, times=faults.ALWAYS)
    refused(server, m)


@pytest.mark.parametrize("extra", [
    b"+OK\r\n", b"+", b"\n", b"\0", b"+OK you are in\r\n+OK 3 100\r\n",
    b"+OK\r\nSASL PLAIN\r\n.\r\n"])
def test_stls_injection(guarded, extra):
    """C-2595-03, M-31: octets behind the reply end it all."""
    server, m = guarded("stls")
    server.fault("STLS", faults.inject(extra), times=faults.ALWAYS)
    refused(server, m)


def test_stls_without_capa(guarded):
    """C-ENG-08: tried, as there must be TLS."""
    server, m = guarded("stls")
    server.without.add("CAPA")
    m.collect()
    in_clear(server)
    assert len(m.files()) == 3


def test_nothing_behind_stls(guarded):
    """C-2595-01: not a word until the handshake is over."""
    server, m = guarded("stls")
    server.fault("STLS", faults.wait(0.5))
    m.collect()
    assert server.clear_octets.upper().endswith(b"STLS\r\n") or \
        b"STLS\r\n\x16\x03" in server.clear_octets.upper()


def test_what_was_learnt_is_forgotten(guarded):
    """C-2595-02: pipelining and a mechanism that are only said in clear."""
    server, m = guarded("stls", capa=[x for x in CAPA if x != "PIPELINING"],
                        pipelining="drop")
    server.fault("CAPA", faults.lines(
        lambda x: [b"PIPELINING", b"SASL CRAM-MD5", b"STLS"]))
    m.account(timeout=3)
    m.collect()
    assert len(m.files()) == 3
    assert server.commands("AUTH")[0].startswith("AUTH PLAIN")


@pytest.mark.parametrize("act,code", [
    (faults.say(b"+OK ready\r\n"), malote.PROTOCOL),
    (faults.cut(), malote.UNAVAILABLE),
    (faults.stall(), malote.UNAVAILABLE),
    (faults.say(b"\x15\x03\x03\x00\x02\x02\x28"), malote.PROTOCOL),
    (faults.say(b"\x16\x03\x03\xff\xff" + b"x" * 70000), malote.PROTOCOL)],
    ids=["plain", "cut", "stall", "alert", "garbage"])
@MODES
def test_broken_handshake(guarded, mode, act, code):
    """C-2595-04: no second try without.  A line that is cut, as a server does
    that has too many of them, is no fault of its TLS."""
    server, m = guarded(mode)
    m.account(timeout=2, session_timeout=10)
    server.fault("TLS", act, times=faults.ALWAYS)
    refused(server, m, code)


def test_cut_inside_tls(guarded):
    """C-ENG-17, M-36: an end without close_notify ends no message."""
    server, m = guarded("tls")
    m.account(keep="no")
    server.fault("RETR", faults.cut(-5), number=2)
    wanted = list(server.box.mails)
    m.collect(status=None)
    malote.nothing_lost(server, m)
    server.heal()
    m.collect()
    settled(server, m, wanted, keep=False)


# Without TLS.

def test_plain_must_be_said(lie, client):
    """C-2595-06: a server without TLS, and the default."""
    server = lie(letters(3))
    m = client().account(at=server, security=None, timeout=2)
    m.collect(status="bad", seconds=60)
    assert server.commands("USER", "PASS", "AUTH") == []
    assert not [s for s in SECRETS if s in server.clear_octets]


def test_none_is_warned_about(lie, client):
    m = client().account(at=lie(letters(3)), security="none")
    done = m.collect()
    assert done.err.strip()
    assert len(m.files()) == 3


@pytest.mark.parametrize("word, mode", [
    ("tls", "tls"), ("ssl", "tls"), ("ssl/tls", "tls"), ("pop3s", "tls"),
    ("starttls", "stls"), ("stls", "stls")])
def test_words_for_security(guarded, word, mode):
    server, m = guarded(mode)
    m.account(security=word).collect()
    in_clear(server)
    assert len(m.files()) == 3


def test_client_certificate_is_not_said_unasked(guarded, certs):
    """C-8314-05: without one in the configuration, none is sent."""
    server, m = guarded("tls")
    server.context = certs.context()
    server.context.verify_mode = ssl.CERT_OPTIONAL
    server.context.load_verify_locations(certs.ca)
    m.collect()
    assert len(m.files()) == 3


# A port that waits for TLS, where the account begins in plain text.

@pytest.mark.parametrize("kind", ["good", "expired"])
@pytest.mark.parametrize("security", ["starttls", "none"])
def test_port_that_waits_for_tls(lie, client, certs, security, kind):
    """That is found out long before the time is over."""
    server = lie(letters(1), mode="tls", context=certs.context(kind))
    m = client().account(at=server, timeout=6, patience=30)
    done = m.account(security=security).collect(status=malote.PROTOCOL,
                                                seconds=5)
    assert 'port %d waits for TLS: write security = "tls"' % server.port \
        in done.text
    assert server.commands() == []


@pytest.mark.parametrize("security", ["stls", "plain"])
def test_server_that_greets_late(lie, client, certs, security):
    """It is asked for TLS meanwhile, which it does not have; that is no
    harm."""
    server = lie(letters(3), mode=security, context=certs.context())
    server.fault("GREETING", faults.wait(1.2))
    m = client().account(at=server, ca_file=certs.ca, server="localhost",
                         timeout=3)
    m.collect()
    assert len(m.files()) == 3 and len(server.commands("RETR")) == 3
