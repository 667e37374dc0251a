"""How malote signs in: the strongest, never a weaker one after a failure."""
import base64
import re

import pytest

import faults
import malote
from hostile import GREETING, letters

pytestmark = [malote.NEEDED, pytest.mark.core, pytest.mark.wide]
STAMP = b"+OK ready <1896.697170952@hostile.example>\r\n"


@pytest.fixture
def server(lie, certs):
    return lie(letters(2), mode="tls", context=certs.context())


@pytest.fixture
def m(client, server, certs):
    return client().account(at=server, server="localhost", ca_file=certs.ca)


def mechanisms(server):
    """Those that were tried, in order."""
    said = server.commands("AUTH", "APOP", "PASS")
    return [c.split()[1] if c.startswith("AUTH") else c.split()[0]
            for c in said]


@pytest.mark.parametrize("auth, sasl, used", [
    ("plain", "PLAIN", "PLAIN"), ("login", "LOGIN", "LOGIN"),
    ("cram-md5", "CRAM-MD5", "CRAM-MD5"), ("user", "PLAIN", "PASS"),
    ("scram-sha-1", "SCRAM-SHA-1", "SCRAM-SHA-1"),
    ("scram-sha-256", "SCRAM-SHA-256", "SCRAM-SHA-256"),
    ("xoauth2", "XOAUTH2", "XOAUTH2"),
    ("oauthbearer", "OAUTHBEARER", "OAUTHBEARER")])
@pytest.mark.parametrize("good", [True, False])
def test_by_name(server, m, auth, sasl, used, good):
    """C-5034-01, 02, C-ENG-04, C-7628-01."""
    server.sasl = [sasl]
    m.account(auth=auth, password="secret" if good else "wrong")
    if "oauth" in auth:
        m.account(password=None,
                  token_command="echo " + ("t0k3n" if good else "stale"))
    m.collect(status=malote.OK if good else malote.NOPERM)
    assert set(mechanisms(server)) == {used}
    assert len(m.files()) == (2 if good else 0)


@pytest.mark.parametrize("sasl, used", [
    (["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5"],
     "SCRAM-SHA-256"),
    (["LOGIN", "PLAIN", "SCRAM-SHA-1"], "SCRAM-SHA-1"),
    (["LOGIN", "PLAIN"], "PLAIN"), (["LOGIN"], "LOGIN"), ([], "PASS"),
    (["CRAM-MD5", "LOGIN"], "LOGIN"), (["X-PLAIN", "NTLM"], "PASS"),
    (["GSSAPI", "PLAIN-CLIENTTOKEN"], "PASS")])
def test_the_strongest(server, m, sasl, used):
    """C-ENG-04, 09: whole words; CRAM-MD5 only when named."""
    server.sasl = sasl
    m.collect()
    assert mechanisms(server) == [used]


@pytest.mark.parametrize("strong", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])
def test_no_way_down(server, m, strong):
    """C-ENG-05, C-3206-02: one failure is the end."""
    server.sasl = [strong, "PLAIN", "LOGIN"]
    m.account(password="wrong").collect(status=malote.NOPERM)
    assert mechanisms(server) == [strong]


def test_the_strongest_is_remembered(server, m):
    """A server that suddenly wants the password itself gets none."""
    server.sasl = ["SCRAM-SHA-256", "PLAIN"]
    m.collect()
    server.forget()
    server.sasl = ["PLAIN"]
    m.collect(status="bad")
    assert mechanisms(server) == []


def test_named_but_not_offered(server, m):
    server.sasl = ["PLAIN"]
    m.account(auth="scram-sha-256").collect(status="bad")
    assert "PLAIN" not in mechanisms(server)
    assert "PASS" not in mechanisms(server)


def test_scram_server_that_proves_nothing(server, m):
    """C-5802-02, M-45: +OK without a right v= is no sign-in."""
    server.sasl = ["SCRAM-SHA-256"]
    server.fault("CHALLENGE", faults.mangle(
        lambda _: b"+ dj1" + b"QUFB" * 10 + b"QQ==\r\n"), nth=3)
    server.fault("CHALLENGE", faults.mangle(
        lambda _: b"+ dj1" + b"QUFB" * 10 + b"QQ==\r\n"), nth=2)
    m.collect(status="bad")
    assert server.commands("STAT") == []


@pytest.mark.parametrize("nth", [1, 2])
def test_scram_server_that_says_yes_at_once(server, m, nth):
    """It may not know the password, and would be given it by the mail."""
    server.sasl = ["SCRAM-SHA-256"]
    server.fault("CHALLENGE", faults.say(b"+OK in\r\n", effect=True), nth=nth)
    m.collect(status="bad")
    assert server.commands("AUTH") and server.commands("STAT") == []


@pytest.mark.parametrize("rounds", [b"1", b"0", b"-1", b"4294967296",
                                    b"999999999", b"x", b""])
def test_scram_rounds(server, m, rounds):
    """C-5802-02: neither too few nor so many that it takes for ever."""
    server.sasl = ["SCRAM-SHA-256"]

    def other(reply):
        text = base64.b64decode(reply.split()[1])
        text = re.sub(rb"i=\d+$", b"i=" + rounds, text)
        return b"+ " + base64.b64encode(text) + b"\r\n"
    # The first may be the empty one that asks for the initial response.
    server.fault("CHALLENGE", faults.mangle(
        lambda r: other(r) if len(r) > 9 else r), times=2)
    m.collect(status="bad")
    assert server.commands("STAT") == []


CHALLENGES = {
    "no-base64": b"+ !!!\r\n", "no-space": b"+\r\n", "empty": b"+ \r\n",
    "words": b"+ go ahead\r\n",
    "long": b"+ " + b"Q" * 8000 + b"\r\n",
    "no-padding": b"+ QQ\r\n", "nul": b"+ AAAA\0AAAA\r\n"}


@pytest.mark.parametrize("kind", CHALLENGES)
@pytest.mark.parametrize("auth", ["plain", "login", "cram-md5",
                                  "scram-sha-256", "xoauth2"])
def test_odd_challenges(server, m, auth, kind):
    """C-5034-03, M-18, M-19: it ends, one way or the other."""
    server.sasl = [auth.upper()]
    server.fault("CHALLENGE", faults.mangle(lambda _: CHALLENGES[kind]),
                 times=2)
    m.account(auth=auth, timeout=3)
    if auth == "xoauth2":
        m.account(password=None, token_command="echo t0k3n")
    m.collect(status=None)
    assert len(server.commands("AUTH")) <= 2


@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_long_token(server, m, auth):
    """C-5034-02, M-44: in two lines, none over 255 octets but the answer."""
    server.sasl = [auth.upper()]
    server.token = "t" * 1500
    m.account(auth=auth, password=None,
              token_command="printf 't%.0s' $(seq 1500)")
    m.collect()
    assert server.commands("AUTH") == ["AUTH " + auth.upper()]
    assert len(m.files()) == 2


def test_long_password(server, m):
    """C-ENG-22: too long for PASS."""
    server.password = "p" * 300
    server.sasl = []
    m.account(password="p" * 300).collect(status="bad")
    assert server.commands("PASS") == []
    server.sasl = ["PLAIN"]
    m.collect()
    assert len(m.files()) == 2


# APOP.

def test_apop(server, m):
    server.greeting = STAMP
    m.account(auth="apop").collect()
    assert mechanisms(server) == ["APOP"]
    assert len(m.files()) == 2


def test_apop_only_when_named(server, m):
    server.greeting = STAMP
    m.collect()
    assert mechanisms(server) == ["PLAIN"]


NO_STAMPS = {
    "none": GREETING, "empty": b"+OK <>\r\n", "no-at": b"+OK <a>\r\n",
    "only-at": b"+OK <@>\r\n", "open": b"+OK <a@b\r\n",
    "space": b"+OK <a b@c>\r\n", "control": b"+OK <a\x01@b>\r\n",
    "8-bit": b"+OK <a\xff@b.example>\r\n", "two-at": b"+OK <a@b@c>\r\n",
    "long": b"+OK <" + b"a" * 600 + b"@b.example>\r\n",
    "nul": b"+OK <a\0@b.example>\r\n"}


@pytest.mark.parametrize("kind", NO_STAMPS)
def test_apop_without_a_timestamp(server, m, kind):
    """C-1939-03, C-ENG-01, M-34: no digest of what is no msg-id."""
    server.greeting = NO_STAMPS[kind]
    m.account(auth="apop").collect(status="bad")
    assert mechanisms(server) == []


# What the server says of it.

@pytest.mark.parametrize("text, code", [
    ("[AUTH] wrong", malote.NOPERM), ("[SYS/TEMP] later", None),
    ("[SYS/PERM] never", None)])
def test_response_codes(server, m, text, code):
    """C-3206-01, M-43: the password is to blame only if that is said."""
    server.fault("AUTH", faults.err(text), times=faults.ALWAYS)
    m.account(session_timeout=8)
    done = m.collect(status="bad", seconds=90)
    assert code is None or done.code == code
    assert code is not None or done.code != malote.NOPERM
