"""Signing in: USER and PASS, AUTH in all its forms."""
import base64
import socket
import struct
import time

import pytest

import drop
import pop3

pytestmark = pytest.mark.core

LONG_NAME = "l" * 240 + "@example.com"
LONG_PASSWORD = "p" * 255
USERS = [("user", "secret"), ("name@example.com", "correct horse"),
         ("spaces", " two  inside and one at the end "),
         ("colon", "a:b:c"), ("brace", "{PLAIN}x"), ("dash", "-x"),
         ("utf8", "pão"), ("long", "w" * 1000),
         (LONG_NAME, LONG_PASSWORD)]


@pytest.fixture
def server(place, serve):
    drop_ = place.maildir(drop.make(5, 3))
    return serve([(name, password, drop_) for name, password in USERS],
                 "sessions = \"shared\"\n")


def b64(text):
    if isinstance(text, str):
        text = text.encode()
    return base64.b64encode(text).decode()


def plain(user, password, authzid=""):
    return b64("\0".join([authzid, user, password]))


# 8-bit passwords do not go by PASS; a line of it has 255 octets.
@pytest.mark.parametrize("user,password", [
    u for u in USERS if u[0] not in ("utf8", "long", LONG_NAME)])
def test_user_pass(server, connect, user, password):
    """S-1939-13 to 16: spaces belong to the password."""
    session = connect(server.port)
    session.ok("USER " + user)
    session.ok("PASS " + password)
    assert session.stat()[0] == 3
    session.quit()


@pytest.mark.ours
@pytest.mark.parametrize("user,password", USERS)
def test_plain(server, connect, user, password):
    """S-4616-01, S-5034-07: long lines, too."""
    session = connect(server.port)
    session.ok("AUTH PLAIN " + plain(user, password))
    assert session.stat()[0] == 3
    session.quit()


@pytest.mark.ours
@pytest.mark.parametrize("user,password", USERS)
def test_login(server, connect, user, password):
    """S-LOGIN-01, 02."""
    session = connect(server.port)
    assert session.command("AUTH LOGIN") == b"+ VXNlcm5hbWU6"
    assert session.command(b64(user)) == b"+ UGFzc3dvcmQ6"
    session.ok(b64(password))
    session.quit()


def test_login_with_initial_response(server, connect):
    """S-LOGIN-02."""
    session = connect(server.port)
    assert session.command("AUTH LOGIN " + b64("user")) == b"+ UGFzc3dvcmQ6"
    session.ok(b64("secret"))


def test_plain_in_two_steps(server, connect):
    """S-5034-03: the empty challenge has its space."""
    session = connect(server.port)
    assert session.command("auth plain") == b"+ "
    session.ok(plain("user", "secret"))
    session.err("AUTH PLAIN " + plain("user", "secret"))  # S-5034-09
    session.quit()


def test_plain_authzid(server, connect):
    """S-5034-10."""
    session = connect(server.port)
    session.ok("AUTH PLAIN " + plain("user", "secret", "user"))
    session = connect(server.port)
    session.err("AUTH PLAIN " + plain("user", "secret", "spaces"))


@pytest.mark.ours
def test_wrong_credentials(server, connect):
    """S-1939-18, S-4422-01, S-3206-03: the same words for all of them."""
    session = connect(server.port)
    said = set()
    for user, password in [("user", "wrong"), ("nobody", "secret"),
                           ("user", "secret "), ("user", "SECRET"),
                           ("user", " secret")]:
        session.ok("USER " + user)
        said.add(session.err("PASS " + password, "AUTH"))
    for user, password in [("user", "wrong"), ("nobody", "secret")]:
        said.add(session.err("AUTH PLAIN " + plain(user, password), "AUTH"))
    assert len(said) == 1
    session.login()


@pytest.mark.ours
def test_name_is_folded(server, connect):
    """login_case = lower, the default."""
    session = connect(server.port)
    session.login("USER", "secret")
    session = connect(server.port)
    session.login("Name@EXAMPLE.com", "correct horse")


@pytest.mark.ours
def test_default_domain(place, serve, login):
    server = serve([("name@example.com", "x", place.maildir())],
                   "default_domain = \"example.com\"\n")
    login(server, "name", "x").quit()
    login(server, "name@example.com", "x").quit()


def test_pass_needs_user(server, connect):
    """S-1939-14."""
    session = connect(server.port)
    session.err("PASS secret")
    session.ok("USER user")
    session.err("PASS wrong")
    session.err("PASS secret")


@pytest.mark.ours
def test_pass_directly_after_user(server, connect):
    """S-1939-14, 15: any command between them clears the name."""
    session = connect(server.port)
    session.ok("USER user")
    session.multi("CAPA")
    session.err("PASS secret")
    session.ok("USER user")
    session.err("FOO")
    session.err("PASS secret")
    session.ok("USER user")
    session.err("PASS")
    session.ok("USER user")
    session.err("PASS ")
    session.login()


BAD = ["*", "", "=", "AAA", "=AAA", "AAA=BBB", "dXNlcg", "dXNlcg==x", "!!!!",
       "AHVzZXIAc2VjcmV0 ", " AHVzZXIAc2VjcmV0", "AHVz ZXIAc2VjcmV0",
       "dXNlcg==", b64("a\0b"), b64("\0user\0secret\0"), b64("\0\0secret"),
       b64("\0user\0"), b64(b"\0us\xc0\xafer\0secret"), "AHVzZXIAc2VjcmV1="]


@pytest.mark.ours
@pytest.mark.parametrize("response", BAD)
def test_bad_responses(server, connect, response):
    """S-5034-04 to 06, S-4616-01, 02: -ERR, and as if nothing had been."""
    session = connect(server.port)
    assert session.command("AUTH PLAIN") == b"+ "
    session.err(response)
    if response and response.strip() == response:  # S-1939-04
        session.err("AUTH PLAIN " + response)
    session.login()
    session.quit()


def test_endless_response(server, connect):
    """S-2449-03: longer than any mechanism's message."""
    session = connect(server.port)
    session.command("AUTH PLAIN")
    session.send("A" * 300000 + "\r\n")
    assert session.receive()[:4] in (b"-ERR", b"")


@pytest.mark.ours
def test_cancel_login(server, connect):
    """S-5034-05, at each step."""
    session = connect(server.port)
    session.command("AUTH LOGIN")
    session.err("*", "")
    session.command("AUTH LOGIN")
    session.command(b64("user"))
    session.err("*", "")
    session.login()


@pytest.mark.ours
def test_list_of_mechanisms(server, connect):
    """S-ENG-26."""
    session = connect(server.port)
    assert session.listing("AUTH") == [b"PLAIN", b"LOGIN"]
    assert session.listing("AUTH ") == [b"PLAIN", b"LOGIN"]
    session.err("AUTH CRAM-MD5")
    session.err("AUTH SCRAM-SHA-256 biws")
    session.err("AUTH PLAIN x y")
    session = connect(server.refuse_port)
    session.command("AUTH")
    assert b"PLAIN" not in session.seen


@pytest.mark.ours
def test_many_failures(server, connect):
    """S-ENG-06: a limit, and the last one is answered."""
    session = connect(server.port)
    replies = 0
    with pytest.raises((pop3.Closed, ConnectionError)):
        while replies < 50:
            session.ok("USER user")
            session.err("PASS wrong")
            replies += 1
    assert 3 <= replies <= 20


@pytest.mark.ours
def test_failures_hold_up_nobody(place, serve, connect, login):
    """failure_delay: whoever signed in from there lately does not wait."""
    server = serve(place.maildir(drop.make(5, 1)), "failure_delay = yes\n")
    login(server).quit()
    bad = connect(server.port)
    bad.ok("USER nobody")
    bad.send("PASS wrong\r\n")
    server.await_event("login-failed")
    login(server).quit()
    assert bad.line().startswith(b"-ERR [AUTH]")


@pytest.mark.ours
def test_giving_up_buys_no_guess(place, serve):
    """Whoever does not wait for the answer pays all the same: a failure after
    0, 1, 3, 7, 15, 30 ... seconds is all that can be had."""
    server = serve(place.maildir(drop.make(5, 1)), "failure_delay = yes\n")
    for n in range(100):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
            s.sendall(b"USER user\r\nPASS guess%d\r\n" % n)
            time.sleep(0.01)
    server.await_event("session", 100)
    assert 1 <= len(server.events("login-failed")) <= 8
