"""People send by a token of OAuth: a real Postfix asks maloted."""
import base64
import json
import os

import pytest

import postfix
from issuer import Issuer
from test_submission import HOME, Site, mta  # noqa: F401
from test_tokens import message

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root"),
    pytest.mark.skipif(not postfix.POSTFIX, reason="needs Postfix"),
]
USER = "ann@site.example"


@pytest.fixture(scope="module")
def issuer(certs):
    one = Issuer(certs.context("good"), ("RS256", "EdDSA"))
    yield one
    one.stop()


@pytest.fixture
def site(place, serve, mta, connect, issuer):  # noqa: F811
    site = Site(place, serve, mta, connect)
    keys = place.path + "/keys"
    with open(keys, "w", encoding="ascii") as f:
        json.dump(issuer.key_set(), f)
    site.serve("failure_delay = no\n" + issuer.block(
        None, keys=keys, scope="mail"),
        '\tmechanisms = "PLAIN OAUTHBEARER XOAUTH2"\n')
    mta.start()
    return site


def say(client, mechanism, token, initial=True):
    """(the code of the answer, what the challenge said)"""
    text = base64.b64encode(message(token, USER, mechanism)).decode()
    if initial:
        code, said = client.docmd("AUTH", mechanism + " " + text)
    else:
        assert client.docmd("AUTH", mechanism)[0] == 334
        code, said = client.docmd(text)
    if code != 334:
        return code, None
    return client.docmd("AQ==")[0], json.loads(base64.b64decode(said))


def test_tokens(site, issuer):
    for n, mechanism in enumerate(("XOAUTH2", "OAUTHBEARER")):
        for kind, initial in (("RS256", True), ("EdDSA", False)):
            with site.client(source=HOME) as client:
                assert mechanism in client.mechanisms()
                assert say(client, mechanism, issuer.token(USER, kind),
                           initial) == (235, None)
                client.submit(USER, USER, "Subject: x\r\n\r\n")
        event = site.server.await_event("login", 2 * n + 2)[-1]
        assert event["service"] == "smtp" and event["ip"] == HOME
        assert event["method"] == mechanism


def test_tokens_that_are_refused(site, issuer):
    with site.client() as client:
        code, why = say(client, "OAUTHBEARER", issuer.token(USER, aud="x"))
        assert code == 535 and why["status"] == "invalid_token"
    with site.client() as client:
        code, why = say(client, "XOAUTH2", issuer.token(USER, scope="x"))
        assert code == 535 and why["status"] == "403"
    with site.client() as client:
        code, why = say(client, "XOAUTH2",
                        issuer.token("bob@site.example"))
        assert code == 535 and why is None
    failed = site.server.await_event("login-failed", 3)
    assert [(e["service"], e["why"]) for e in failed] == [
        ("smtp", "token"), ("smtp", "scope"), ("smtp", "unknown-user")]


def test_not_outside_of_tls(site, issuer):
    """Nobody looks at it there."""
    with site.client(tls=False) as client:
        code, _ = say(client, "XOAUTH2", issuer.token(USER))
        assert code >= 400
    assert not site.server.events("token")


def test_large_token(site, issuer):
    """As large as Postfix takes one."""
    with site.client() as client:
        token = issuer.token(USER, groups=["x" * 60] * 60)
        assert say(client, "XOAUTH2", token, initial=False) == (235, None)
