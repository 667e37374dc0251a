"""People sign in by a token of OAuth, which an issuer has signed: a real
authorisation server."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import drop
import issuer as issuers
import malote
import mpop
from issuer import AUDIENCE, Issuer, new_key, part
from pop3 import Pop3, context
from server import PATIENCE, TOP, free_port, kill, wait_until
from test_reload import Settings

pytestmark = pytest.mark.ours

MECHANISMS = "PLAIN OAUTHBEARER XOAUTH2"
USER = "ann@site.example"


@pytest.fixture(scope="module")
def issuer(certs):
    one = Issuer(certs.context("good"))
    yield one
    one.stop()


@pytest.fixture
def fresh(certs):
    """fresh(...): an issuer of one test."""
    started = []

    def start(*args, **more):
        started.append(Issuer(certs.context("good"), *args, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


class Site:
    def __init__(self, place, serve, certs):
        self.place, self._serve, self.certs = place, serve, certs
        self.server = None
        self.box = place.maildir(drop.make(3, 2))

    def path(self, name):
        return self.place.path + "/" + name

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def serve(self, *blocks, more="", users=(), mechanisms=MECHANISMS):
        people = [(USER, "secret", self.box), *users]
        self.server = self._serve(
            people, 'workers = 1\nmechanisms = "%s"\n%s%s' % (
                mechanisms, more, "".join(blocks)))
        return self.server

    def open(self, **more):
        return contextlib.closing(
            Pop3(self.server.port, tls=None, **more))

    def file_block(self, issuer, name="test", **more):
        keys = self.write("keys-" + name, json.dumps(issuer.key_set()))
        return issuer.block(None, name, keys=keys, **more)

    def url_block(self, issuer, name="test", **more):
        return issuer.block(self.certs.path("ca.pem"), name, **more)

    def says(self, token, user=USER, mechanism="XOAUTH2"):
        return say(self.server.port, token, user, mechanism)

    def opens(self, token, user=USER, mechanism="XOAUTH2"):
        before = len(self.server.events("token"))
        said, _ = self.says(token, user, mechanism)
        assert said.startswith(b"+OK"), (said, self.server.log_text())
        self.server.await_event("token", before + 1)  # no later one is it

    def refused(self, token, why, user=USER, mechanism="XOAUTH2"):
        """By [AUTH], with the error challenge before; why: in the log."""
        def errors():  # of one that opened the line may come later
            return [e["error"] for e in self.server.events("token")
                    if "error" in e]

        before = len(errors())
        said, challenge = self.says(token, user, mechanism)
        assert said.startswith(b"-ERR [AUTH]"), (said, self.server.log_text())
        wait_until(lambda: len(errors()) > before)
        assert why in errors()[-1], errors()
        assert len(token) < 40 or token[:40] not in self.server.log_text()
        return json.loads(challenge)

    def temporary(self, token):
        said, challenge = self.says(token)
        assert said.startswith(b"-ERR [SYS/TEMP]"), (
            said, self.server.log_text())
        assert challenge is None


def message(token, user, mechanism):
    if isinstance(token, str):
        token = token.encode("utf-8", "surrogateescape")
    user = user.encode()
    if mechanism == "XOAUTH2":
        return b"user=%s\1auth=Bearer %s\1\1" % (user, token)
    who = b"a=" + user if user else b""
    return b"n,%s,\1host=localhost\1port=110\1auth=Bearer %s\1\1" % (who, token)


def say(port, token, user, mechanism, initial=True):
    """(the last answer, what the challenge before it said or None)"""
    b64 = base64.b64encode(message(token, user, mechanism))
    with contextlib.closing(Pop3(port)) as s:
        if initial:
            s.send(b"AUTH %s %s\r\n" % (mechanism.encode(), b64))
        else:
            s.send(b"AUTH %s\r\n" % mechanism.encode())
            assert s.line() == b"+ "
            s.send(b64 + b"\r\n")
        said, challenge = s.line(), None
        if said.startswith(b"+ "):
            challenge = base64.b64decode(said[2:])
            s.send(b"AQ==\r\n")
            said = s.line()
        elif said.startswith(b"+OK"):
            assert s.stat()[0] == 2
            s.quit()
        return said, challenge


@pytest.fixture
def site(place, serve, certs):
    return Site(place, serve, certs)


# ---- keys in a file ----

@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_signs_in(site, issuer, kind, mechanism):
    site.serve(site.file_block(issuer))
    site.opens(issuer.token(USER, kind), mechanism=mechanism)
    said, _ = say(site.server.port, issuer.token(USER, kind), USER, mechanism,
                  initial=False)
    assert said.startswith(b"+OK")
    login = site.server.await_event("login", 2)[-1]
    assert login["method"] == mechanism
    seen = site.server.await_event("token", 2)[-1]
    assert seen["oauth"] == "test" and seen["user"] == USER


def test_as_a_client_gets_one(site, issuer):
    site.serve(site.file_block(issuer))
    site.opens(issuer.issue(USER))


# ---- who it is ----

def test_user_must_be_whose_the_token_is(site, issuer):
    """By the rule for names; and it must be a user."""
    site.serve(site.file_block(issuer), users=[("bob@site.example", "secret",
                                                site.path("bob"))])
    token = issuer.token(USER)
    site.opens(token, "Ann@Site.Example")
    site.opens(token, "", "OAUTHBEARER")
    for mechanism in ("XOAUTH2", "OAUTHBEARER"):
        said, challenge = site.says(token, "bob@site.example", mechanism)
        assert said.startswith(b"-ERR [AUTH]") and challenge is None
    assert site.server.await_event("login-failed", 2)[-1]["why"] == "authzid"
    said, _ = site.says(issuer.token("zoe@site.example"), "zoe@site.example")
    assert said.startswith(b"-ERR [AUTH]")
    why = site.server.await_event("login-failed", 3)[-1]["why"]
    assert why == "unknown-user"


def test_claim_of_the_name(site, issuer):
    site.serve(site.file_block(issuer, user_claim="preferred_username"))
    site.opens(issuer.token("x", preferred_username=USER))
    site.refused(issuer.token(USER), "user_claim")
    site.refused(issuer.token(USER, preferred_username=[USER]), "user_claim")
    site.refused(issuer.token(USER, preferred_username=""), "user_claim")
    site.refused(issuer.token(USER, preferred_username="x" * 256),
                 "user_claim")


def test_address_that_was_not_verified(site, issuer):
    site.serve(site.file_block(issuer))
    site.refused(issuer.token(USER, email_verified=False), "user_claim")


# ---- what it is good for ----

def hours(n):
    return int(time.time()) + 3600 * n


def claims():
    """Times are of now, and not of when this file was read."""
    return [
        ({"exp": hours(-1)}, "expired"),
        ({"exp": None}, "never expires"),
        ({"exp": "soon"}, "no time"),
        ({"exp": 1e308}, None),
        ({"nbf": hours(1)}, "not valid yet"),
        ({"nbf": True}, "no time"),
        ({"aud": "other.example.org"}, "audience"),
        ({"aud": ["x", AUDIENCE + "x"]}, "audience"),
        ({"aud": AUDIENCE + " x"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": {AUDIENCE: AUDIENCE}}, "audience"),
        ({"aud": ["x", AUDIENCE]}, None),
        ({"iss": "https://other.example.org"}, "no issuer"),
        ({"iss": None}, "no issuer"),
        ({"iss": ["x"]}, "no issuer"),
        ({"exp": hours(0) - 30}, None),     # within leeway
        ({"nbf": hours(0) + 30}, None)]


def test_claims(site, issuer):
    """S-7519-01, S-7628-02."""
    site.serve(site.file_block(issuer, leeway=600))
    for more, why in claims():
        token = issuer.token(USER, **more)
        if why is None:
            site.opens(token)
        else:
            assert site.refused(token, why)["status"] == "401"


def test_scope(site, issuer):
    url = "https://login.example.org/.well-known/openid-configuration"
    site.serve(site.file_block(issuer, scope="mail openid",
                               openid_configuration=url))
    site.opens(issuer.token(USER))
    site.opens(issuer.token(USER, scope=None, scp=["openid", "mail"]))
    for scope in ("mail", "mailopenid", "mail openidx", "Mail Openid", None):
        said = site.refused(issuer.token(USER, scope=scope), "scope",
                            mechanism="OAUTHBEARER")
        assert said == {"status": "insufficient_scope",
                        "scope": "mail openid", "openid-configuration": url}
    assert site.server.await_event("login-failed", 5)[-1]["why"] == "scope"
    said = site.refused(issuer.token(USER, aud="x"), "audience",
                        mechanism="OAUTHBEARER")
    assert said["status"] == "invalid_token"
    assert site.refused(issuer.token(USER, scope="x"), "scope")["status"] \
        == "403"


# ---- how it is signed ----

def hs256(issuer, key):
    """Signed by HMAC with what everybody knows."""
    head = part({"alg": "HS256", "kid": issuer.keys["RS256"].kid}) + "." + \
        part(issuer.claims(USER))
    return head + "." + part(
        hmac.new(key, head.encode(), hashlib.sha256).digest())


def test_strange_signatures(site, issuer):
    site.serve(site.file_block(issuer))
    good = issuer.token(USER)
    head, claims, signature = good.split(".")
    stranger = new_key("RS256", issuer.keys["RS256"].kid)
    site.refused(issuer.token(USER, key=stranger), "has not signed")
    stranger = new_key("ES256", issuer.keys["ES256"].kid)
    site.refused(issuer.token(USER, "ES256", key=stranger), "has not signed")
    stranger = new_key("EdDSA", issuer.keys["EdDSA"].kid)
    site.refused(issuer.token(USER, "EdDSA", key=stranger), "has not signed")
    unknown = new_key("RS256", "nobodys")
    site.refused(issuer.token(USER, key=unknown), "no such key")
    # Another's claims, or name, under a good signature.
    other = part(issuer.claims("bob@site.example"))
    site.refused(".".join((head, other, signature)), "has not signed")
    for bad in (part(b""), part(b"\0" * 256), signature[:-8]):
        if bad:
            site.refused(".".join((head, claims, bad)), "has not signed")
    before = site.server.roles("net")
    for odd in ("A=AA", "AAAAA", "A", "+/AA", signature + "="):
        site.refused(".".join((head, claims, odd)), "no signed token")
    assert site.server.roles("net") == before
    # A key of another kind than the algorithm.
    for alg in ("ES256", "EdDSA"):
        forged = part({"alg": alg, "kid": issuer.keys["RS256"].kid})
        site.refused(".".join((forged, claims, signature)), "no such key")


def test_algorithms_that_nobody_accepts(site, issuer):
    """S-8725-01."""
    site.serve(site.file_block(issuer))
    claims = part(issuer.claims(USER))
    kid = issuer.keys["RS256"].kid
    for alg in ("none", "None", "NONE", "HS256", "rs256", "RS256 ", "", "RS1"):
        site.refused(".".join((part({"alg": alg, "kid": kid}), claims,
                               part(b"x"))), "algorithm")
    public = issuer.keys["RS256"].as_pem(is_private=False)
    site.refused(hs256(issuer, public), "algorithm")
    site.refused(hs256(issuer, json.dumps(issuer.keys["RS256"].as_dict(
        is_private=False)).encode()), "algorithm")


def test_only_the_algorithms_that_are_named(site, issuer):
    site.serve(site.file_block(issuer, algorithms="ES256 EdDSA"))
    site.opens(issuer.token(USER, "ES256"))
    site.refused(issuer.token(USER, "RS256"), "algorithm")


def test_symmetric_keys_are_no_keys(site, issuer):
    """One in the set is passed over, whatever it is called."""
    secret = {"kty": "oct", "kid": "s", "alg": "RS256",
              "k": part(b"0123456789abcdef" * 4)}
    short = new_key("RS256", "short")
    weak = issuers.JsonWebKey.generate_key("RSA", 1024, {"kid": "weak"},
                                           is_private=True)
    encrypts = {**short.as_dict(is_private=False), "use": "enc"}
    keys = {"keys": [secret, weak.as_dict(is_private=False), encrypts,
                     {"kty": "other"}, 7, *issuer.key_set()["keys"]]}
    path = site.write("odd", json.dumps(keys))
    site.serve(issuer.block(None, keys=path))
    site.opens(issuer.token(USER))
    site.refused(issuer.token(USER, key=weak), "no such key")
    site.refused(issuer.token(USER, key=short), "no such key")


def deep(n):
    return b'{"a":' * n + b"1" + b"}" * n


NO_TOKENS = [
    "x", "a.b", "....", "a.b.c", "a.b.c.d", "." * 5000, "e30.e30.e30",
    part({"alg": "RS256"}) + ".W10.AAAA",
    part([]) + "." + part({}) + ".AAAA",
    part(b'{"alg":"RS256","alg":"none"}') + "." + part({}) + ".AAAA",
    part(b'{"alg":"RS256"') + "." + part({}) + ".AAAA",
    part({"alg": "RS256", "crit": ["exp"], "exp": 1}) + "." + part({})
    + ".AAAA",
    part({"alg": "RS256"}) + "." + part(b'{"iss":"\xff\xfe"}') + ".AAAA",
    part({"alg": "RS256"}) + "." + part(deep(1200)) + ".AAAA",
    part({"alg": "RS256"}) + "." + part(b"[" * 5000) + ".AAAA",
    part({"alg": "RS256"}) + "=." + part({}) + ".AAAA",
    part({"alg": "RS256", "kid": 7}) + "." + part({}) + ".AAAA",
    part({"alg": "RS256"}) + "." + part(b'{"iss":"a\\u0000b"}') + ".AAAA",
    "a" * 11000, "-" * 11000 + ".-.-"]


def test_what_is_no_token(site, issuer):
    """S-7515-01."""
    site.serve(site.file_block(issuer))
    for what in NO_TOKENS:
        assert site.refused(what, "")["status"] == "401"
    site.opens(issuer.token(USER))


def test_as_large_as_it_may_be(site, issuer):
    site.serve(site.file_block(issuer))
    site.opens(issuer.token(USER, groups=["x" * 60] * 90))
    with site.open() as s:
        s.send(b"AUTH XOAUTH2 " + b"A" * 16400 + b"\r\n")
        assert s.line().startswith(b"-ERR")
    with site.open() as s:
        s.send(b"AUTH XOAUTH2\r\n")
        assert s.line() == b"+ "
        s.send(b"A" * 40000 + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert s.line().startswith(b"-ERR")


def test_token_that_is_not_printable(site, issuer):
    """It is no bearer token, and nobody looks at it."""
    site.serve(site.file_block(issuer))
    for odd in (b"a\0b", b"a\xffb", b"a b", b""):
        said, _ = site.says(odd.decode("utf-8", "surrogateescape"))
        assert said.startswith(b"-ERR") and b"[AUTH]" not in said
    assert not site.server.events("token")


# ---- where it is offered ----

def test_only_within_tls(site, issuer):
    site.serve(site.file_block(issuer))
    with contextlib.closing(Pop3(site.server.refuse_port)) as s:
        assert "OAUTHBEARER" not in str(s.multi("CAPA"))
        s.err("AUTH XOAUTH2 " + base64.b64encode(
            message(issuer.token(USER), USER, "XOAUTH2")).decode())
        s.stls()
        capa = str(s.multi("CAPA"))
        assert "OAUTHBEARER" in capa and "XOAUTH2" in capa
        s.ok("AUTH XOAUTH2 " + base64.b64encode(
            message(issuer.token(USER), USER, "XOAUTH2")).decode())
    assert not site.server.events("token")[1:]


def test_is_nothing_without_a_block(place, serve):
    box = place.maildir(drop.make(3, 2))
    server = serve([(USER, "secret", box)], "workers = 1\n")
    assert server.roles("net") == []
    with contextlib.closing(Pop3(server.port)) as s:
        assert "OAUTH" not in str(s.multi("CAPA"))


# ---- failures cost ----

def test_refused_tokens_are_counted(site, issuer):
    """As wrong passwords are: the next one waits, also if nobody heard of the
    first."""
    site.serve(site.file_block(issuer), more="failure_delay = yes\n")
    bad = issuer.token(USER, aud="x")
    start = time.monotonic()
    for _ in range(3):
        with site.open() as s:
            s.send(b"AUTH XOAUTH2 " + base64.b64encode(
                message(bad, USER, "XOAUTH2")) + b"\r\n")
            assert s.line().startswith(b"+ ")
    assert len(site.server.await_event("login-failed", 3)) == 3
    assert time.monotonic() - start > 1


# ---- keys at an address ----

def test_keys_are_fetched(site, issuer):
    before = issuer.asked_for("/keys")
    site.serve(site.url_block(issuer))
    for kind in ("RS256", "ES256", "EdDSA"):
        site.opens(issuer.token(USER, kind))
    stranger = new_key("RS256", "nobodys")
    site.refused(issuer.token(USER, key=stranger), "no such key")
    assert issuer.asked_for("/keys") - before == 1


def test_keys_change(site, fresh):
    """Whoever brings a token of before, or of now, signs in at any time."""
    issuer = fresh(("RS256",))
    site.serve(site.url_block(issuer, refresh=1))
    for _ in range(2):
        old = issuer.token(USER)
        site.opens(old)
        issuer.rotate()
        time.sleep(1.1)
        site.opens(issuer.token(USER))
        site.opens(old)
    assert not site.server.events("issuer")


def test_keys_without_names_change(site, fresh):
    """A token that does not say by which key it is signed may be by a new one."""
    issuer = fresh(("RS256",))
    issuer.keys["RS256"].options.pop("kid", None)
    site.serve(site.url_block(issuer, refresh=1))
    nameless = {"header": {"kid": None}}
    site.opens(issuer.token(USER, **nameless))
    issuer.rotate()
    issuer.old.clear()
    time.sleep(1.1)
    site.opens(issuer.token(USER, **nameless))


def test_strange_keys_do_not_cost_the_issuer(site, fresh):
    """However many there are, it is not asked for each."""
    issuer = fresh(("RS256",))
    site.serve(site.url_block(issuer))
    site.opens(issuer.token(USER))
    for n in range(8):
        site.refused(issuer.token(USER, key=new_key("ES256", "x%d" % n),
                                  kind="ES256"), "no such key")
    assert issuer.asked_for("/keys") == 1


def test_how_long_keys_are_fresh(site, fresh):
    issuer = fresh(("RS256",))
    issuer.headers = {"Cache-Control": "public, max-age=1"}
    site.serve(site.url_block(issuer, refresh=2))
    site.opens(issuer.token(USER))
    time.sleep(2.1)
    site.opens(issuer.token(USER))    # has them fetched
    wait_until(lambda: issuer.asked_for("/keys") == 2)
    issuer.headers = {"Cache-Control": "max-age=0"}
    site.opens(issuer.token(USER))


@pytest.mark.slow    # keys that are too old
def test_issuer_goes_away(site, fresh):
    """Keys that are known are good for a while, then nobody can say; and it is
    as it was when it is back."""
    issuer = fresh(("RS256",))
    token = issuer.token(USER)
    site.serve(site.url_block(issuer, refresh=1, keep=4))
    site.opens(token)
    issuer.stop()
    time.sleep(1.1)
    site.opens(token)
    site.server.await_event("issuer")
    time.sleep(3)
    site.temporary(token)
    issuer.start()
    wait_until(lambda: site.says(token)[0].startswith(b"+OK"), 20, 0.5)
    assert site.server.await_event("issuer", 2)[-1]["answers"] == "again"


@pytest.mark.slow    # the same
def test_issuer_was_never_there(site, fresh):
    """Others are not kept from anything, and it may come."""
    issuer = fresh(("RS256",))
    issuer.stop()
    site.serve(site.url_block(issuer))
    site.temporary(issuer.token(USER))
    with contextlib.closing(Pop3(site.server.port)) as s:
        s.login(USER, "secret")
    issuer.start()
    wait_until(lambda: site.says(issuer.token(USER))[0].startswith(b"+OK"),
               20, 0.5)


def test_issuer_is_away_at_a_reload(site, fresh):
    """Its keys are known to the process that comes, if its settings are the same;
    and to the one after that."""
    issuer, other = fresh(("RS256",)), fresh(("RS256",))
    token = issuer.token(USER)
    blocks = site.url_block(issuer), site.url_block(other, "other")
    site.serve(*blocks)
    site.opens(token)
    site.opens(other.token(USER))
    issuer.stop()
    s = Settings(site.server)
    for n in range(2):
        s.set(hostname="h%d.example.org" % n)
        if n == 1:
            s.write(s.text.replace(blocks[1], site.url_block(
                other, "other", leeway=9)))
        before = site.server.roles("net")
        s.reload()
        wait_until(lambda: site.server.roles("net") not in (before, []))
        assert not set(before) & set(site.server.roles("net"))
        site.opens(token)
        site.opens(other.token(USER))
        site.refused(issuer.token(USER, aud="x"), "audience")
    # Of other settings nothing is known.
    s.write(s.text.replace(blocks[0], site.url_block(issuer, leeway=8)))
    s.reload()
    site.temporary(token)


def test_keys_that_were_kept_give_way(site, fresh):
    """An issuer that answers is believed, whatever was known of it."""
    issuer = fresh(("RS256",))
    old = issuer.token(USER)
    site.serve(site.url_block(issuer))
    site.opens(old)
    issuer.rotate()
    issuer.old.clear()
    before = issuer.asked_for("/keys")
    site.server.ctl("reload")
    wait_until(lambda: issuer.asked_for("/keys") > before)
    site.opens(issuer.token(USER))
    site.refused(old, "no such key")


def test_who_has_died_leaves_no_keys(site, fresh):
    """They may have been false."""
    issuer = fresh(("RS256",))
    site.serve(site.url_block(issuer))
    site.opens(issuer.token(USER))
    issuer.stop()
    kill(site.server.roles("net")[0])
    site.server.await_event("ended")
    wait_until(lambda: site.server.roles("net"))
    site.temporary(issuer.token(USER))


class Hangs:
    """Accepts, and says nothing."""

    def __init__(self):
        self.port = free_port()
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", self.port))
        self.sock.listen(64)
        self.taken = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.sock.accept()[0])

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for one in self.taken:
            one.close()


def test_issuer_hangs(site, fresh):
    """Only its own users wait, and no longer than the settings say: however many
    there are, others sign in at once."""
    good, bad = fresh(("RS256",)), fresh(("RS256",))
    hung = Hangs()
    try:
        site.serve(site.url_block(good, "good"),
                   site.url_block(bad, "bad", timeout=2,
                                  keys="https://localhost:%d/" % hung.port))
        token = bad.token(USER)
        started, said = time.monotonic(), []
        threads = [threading.Thread(
            target=lambda: said.append(site.says(token)[0]))
            for _ in range(20)]
        for one in threads:
            one.start()
        wait_until(lambda: hung.taken)
        site.opens(good.token(USER))
        for one in threads:
            one.join(30 * PATIENCE)
        assert len(said) == 20
        assert all(x.startswith(b"-ERR [SYS/TEMP]") for x in said), said
        assert time.monotonic() - started < 15 * PATIENCE
    finally:
        hung.stop()


LIES = [
    "", "nonsense", "{}", "[]", '{"keys": 7}', '{"keys": []}', "[" * 100000,
    '{"keys": [%s]}' % ", ".join(['{"kty": "oct"}'] * 100),
    '{"keys": ["%s"]}' % ("x" * 300000)]


@pytest.mark.parametrize("n", range(len(LIES)))
def test_issuer_lies_about_its_keys(site, fresh, n):
    issuer = fresh(("RS256",))
    issuer.published = LIES[n] or " "
    site.serve(site.url_block(issuer))
    site.temporary(issuer.token(USER))
    assert site.server.await_event("issuer")[0]["oauth"] == "test"


@pytest.mark.slow    # it is left alone for a while
def test_issuer_answers_something_else(site, fresh):
    """No redirection is followed, wherever it points."""
    issuer, other = fresh(("RS256",)), fresh(("RS256",))
    other.keys = issuer.keys
    answer = issuers.Response("", 302, headers={"Location": other.url + "/keys"})
    issuer.faults["/keys"] = answer
    site.serve(site.url_block(issuer))
    site.temporary(issuer.token(USER))
    assert other.asked == []
    issuer.faults["/keys"] = issuers.Response("no", 500)
    time.sleep(5.1)
    site.temporary(issuer.token(USER))


@pytest.mark.parametrize("kind", ["unknown", "wrong-name", "expired"])
def test_issuer_is_somebody_else(site, certs, kind):
    issuer = Issuer(certs.context(kind), ("RS256",))
    try:
        site.serve(site.url_block(issuer))
        site.temporary(issuer.token(USER))
        assert issuer.asked == []
    finally:
        issuer.stop()


def test_keys_of_a_file_change(site, fresh):
    """At SIGHUP; a file that is not there any more, or holds no keys, changes
    nothing, nor does a restart with it."""
    issuer = fresh(("RS256",))
    site.serve(site.file_block(issuer))
    old = issuer.token(USER)
    site.opens(old)
    issuer.rotate()
    new = issuer.token(USER)
    site.refused(new, "no such key")
    site.write("keys-test", json.dumps(issuer.key_set()))
    before = site.server.roles("net")
    site.server.signal(signal.SIGHUP)
    wait_until(lambda: site.server.roles("net") not in (before, []))
    wait_until(lambda: site.says(new)[0].startswith(b"+OK"))
    site.opens(old)
    before = site.server.roles("net")
    os.unlink(site.path("keys-test"))
    site.server.signal(signal.SIGHUP)
    assert site.server.await_event("reloaded", 2)[-1]["done"] == "no"
    site.write("keys-test", "{")
    site.server.signal(signal.SIGHUP)
    assert site.server.await_event("reloaded", 3)[-1]["done"] == "no"
    assert "no JSON" in site.server.events("reload")[-1]["error"]
    site.server.signal(signal.SIGUSR2)
    assert "no JSON" in site.server.await_event("restart", 2)[-1]["error"]
    site.opens(new)
    assert site.server.roles("net") == before


# ---- introspection ----

def shown_block(site, issuer, name="test", **more):
    secret = site.write("secret", issuers.SECRET + "\n")
    os.chmod(secret, 0o600)
    return issuer.block(site.certs.path("ca.pem"), name,
                        client_secret_file=secret, **more)


def test_issuer_is_asked(site, fresh):
    """S-7662-01."""
    issuer = fresh(shown=True)
    site.serve(shown_block(site, issuer, scope="mail"))
    token = issuer.issue(USER)
    for mechanism in ("XOAUTH2", "OAUTHBEARER"):
        site.opens(token, mechanism=mechanism)
    site.refused("opaque-of-nobody-0123456789", "not good")
    site.refused(issuer.token(USER), "not good")   # it has not given it
    issuer.given[token]["exp"] = 0                 # nor this one any more
    site.refused(token, "not good")
    assert site.says(issuer.issue("bob@site.example"))[0].startswith(
        b"-ERR [AUTH]")


def test_what_an_issuer_says(site, fresh):
    issuer = fresh(shown=True)
    site.serve(shown_block(site, issuer, scope="mail"))
    token = issuer.issue(USER)
    for more, why in (({"active": "true"}, "not good"),
                      ({"active": 1}, "not good"),
                      ({"aud": "other"}, "audience"),
                      ({"iss": "https://other.example.org"}, "issuer"),
                      ({"exp": hours(-1)}, "expired"),
                      ({"exp": "x"}, "no time"),
                      ({"nbf": hours(1)}, "not valid yet"),
                      ({"scope": "openid"}, "scope"),
                      ({"username": 7}, "user_claim"),
                      ({"username": ""}, "user_claim")):
        issuer.answer_more = more
        site.refused(token, why)
    issuer.answer_more = {"aud": [AUDIENCE, "x"]}
    site.opens(token)


def test_issuer_that_is_asked_has_trouble(site, fresh):
    issuer = fresh(shown=True)
    site.serve(shown_block(site, issuer, timeout=1))
    token = issuer.issue(USER)
    for answer in (("nonsense", 200), ("[]", 200), ("", 200), ("no", 500),
                   ("no", 401), ('{"active": true', 200),
                   ('{"active": true, "x": "%s"}' % ("x" * 70000), 200)):
        issuer.faults["/introspect"] = issuers.Response(*answer)
        site.temporary(token)
    issuer.faults.clear()
    site.opens(token)
    issuer.delay = 3
    site.temporary(token)
    issuer.delay = 0
    issuer.stop()
    site.temporary(token)
    issuer.start()
    site.opens(token)


def test_a_token_is_not_shown_to_another_issuer(site, fresh, issuer):
    """By the name of the issuer in it; who has none there is asked."""
    shown = fresh(shown=True)
    site.serve(site.file_block(issuer, "signed"),
               shown_block(site, shown, "shown"))
    site.opens(issuer.token(USER))
    site.refused(issuer.token(USER, aud="x"), "audience")
    site.refused(issuer.token(USER, iss="https://nobody.example"), "no issuer")
    assert shown.asked_for("/introspect") == 0
    site.opens(shown.issue(USER))
    assert shown.asked_for("/introspect") == 1


# ---- the process ----

def test_process_dies(site, issuer):
    """Those who have a password do not notice; it comes again."""
    site.serve(site.file_block(issuer))
    pid, = site.server.roles("net")
    kill(pid)
    with contextlib.closing(Pop3(site.server.port)) as s:
        assert "OAUTHBEARER" in str(s.multi("CAPA"))
        s.login(USER, "secret")
    wait_until(lambda: site.server.roles("net") not in ([pid], []))
    wait_until(lambda: site.says(issuer.token(USER))[0].startswith(b"+OK"))


# ---- programs ----

def curl(site, token, mechanism, code=0):
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "30", "--cacert",
         site.path("server.pem"), "--oauth2-bearer", token, "-u", USER + ":",
         "--login-options", "AUTH=" + mechanism,
         "pop3s://localhost:%d/" % site.server.tls_port],
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
        timeout=60 * PATIENCE)
    assert done.returncode == code, done
    return done.stdout


def test_curl(site, issuer):
    site.serve(site.file_block(issuer))
    keep_certificate(site)
    for mechanism in ("XOAUTH2", "OAUTHBEARER"):
        assert curl(site, issuer.token(USER), mechanism).count(b"\n") == 2
        curl(site, issuer.token(USER, aud="x"), mechanism, code=67)


def keep_certificate(site):
    """The server's own, as it shows it."""
    with contextlib.closing(Pop3(site.server.tls_port,
                                 tls=context())) as s:
        return site.write("server.pem", ssl.DER_cert_to_PEM_cert(
            s.sock.getpeercert(binary_form=True)))


@pytest.mark.skipif(not shutil.which("mpop"), reason="needs mpop")
def test_mpop(site, issuer):
    """Which asks a program for its token."""
    site.serve(site.file_block(issuer))
    ca, home = keep_certificate(site), site.path("home")
    os.mkdir(home)
    for token, code in ((issuer.token(USER), 0),
                        (issuer.token(USER, exp=1), 77)):
        rc = mpop.prepare(home, site.server.tls_port, USER, "", "xoauth2", ca)
        with open(rc, encoding="utf-8") as f:
            text = f.read().replace(
                'password ""', "passwordeval cat " + site.write("t", token))
        with open(rc, "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run(["mpop", "-C", rc], capture_output=True,
                              check=False, timeout=60 * PATIENCE)
        assert done.returncode == code, done
        assert len(os.listdir(home + "/in/new")) == (2 if code == 0 else 0)


@malote.NEEDED
@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_malote(site, issuer, client, auth):
    site.serve(site.file_block(issuer, scope="mail"))
    m = client()
    token = site.write("token", issuer.token(USER))
    m.account("ann", server="localhost", port=site.server.tls_port,
              security="tls", ca_file=keep_certificate(site), user=USER,
              auth=auth, token_command="cat " + token,
              deliver="maildir:" + m.home + "/in")
    m.run("ann")
    site.write("token", issuer.token(USER, scope="x"))
    m.run("ann", status=malote.NOPERM)
    assert site.server.await_event("login-failed")[-1]["why"] == "scope"


# ---- the pages ----

def blocks_of(page):
    with open(TOP + "/doc/" + page, encoding="utf-8") as f:
        parts = re.findall(r"(?ms)^```(?:conf)?\n(.*?)^```$", f.read())
    return [part for part in parts if 'oauth "' in part]


@pytest.mark.parametrize("page", ["man/maloted.conf.5.scd",
                                  "man/pt_BR/maloted.conf.5.scd", "users.md",
                                  "users.pt-BR.md"])
def test_examples(site, issuer, fresh, page):
    """They work as they stand there, but for whom they ask."""
    signed, shown_ = blocks_of(page)
    shown = fresh(shown=True)
    ca = '\tca_file = "%s"\n}\n' % site.certs.path("ca.pem")
    text = re.sub(r"https://login.example.org/realms/example/protocol/\S+certs",
                  issuer.url + "/keys", signed)
    text = re.sub(r"https://login.example.org/realms/example\b(?!/)",
                  issuer.url, text)
    mechanisms = re.search(r'mechanisms = "(.*)"\n', text)
    audience = re.search(r'audience = "(.*)"', text).group(1)
    text = text.replace(mechanisms.group(), "").replace("}\n", ca)
    asks = shown_.replace("https://login.example.org/oauth",
                          shown.url).replace("}\n", ca)
    asks = asks.replace("/etc/malote/oauth-secret",
                        site.write("secret", issuers.SECRET + "\n"))
    asks = asks.replace('client_id = "mail"', 'client_id = "%s"' % issuers.ID)
    site.serve(text, asks, mechanisms=mechanisms.group(1))
    site.opens(issuer.token(USER, aud=audience))
    site.opens(shown.issue(USER))
