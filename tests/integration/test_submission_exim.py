"""People sign in to a mail server that asks maloted: a real Exim."""
import contextlib
import json
import os

import pytest

import drop
import exim
import smtp
from issuer import Issuer
from test_submission_tokens import say

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="Exim needs root"),
]

UID = 20012
HOME = "127.0.0.2"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
TOKENS = ("XOAUTH2", "OAUTHBEARER")
AUTHENTICATOR = """\
malote_%s:
  driver = dovecot
  public_name = %s
  server_socket = %s
  server_set_id = $auth1
"""


class Site:
    def __init__(self, place, serve, mta, box):
        self.place, self._serve, self.mta, self.box = place, serve, mta, box
        self.server = None

    def serve(self, more="", config=""):
        self.server = self._serve(
            [("ann@site.example", "secret", self.box)],
            'mechanisms = "%s"\nsasl "submission" {\n\tsocket = "%s"\n'
            '\tgroup = "%d"\n%s}\n' % (" ".join(MECHANISMS),
                                       self.mta.auth_socket, exim.UID, more)
            + config)
        return self.server


@pytest.fixture
def site(place, serve, certs):
    if exim.program() is None:
        pytest.skip("needs Exim, which could not be fetched")
    box = place.path + "/box"
    drop.write(box, drop.make(3, 2), (UID, UID))
    os.chown(box, UID, UID)
    socket = place.path + "/exim/auth-malote"
    mta = exim.Exim(place.path + "/exim", certs["good"], box, UID,
                    "".join(AUTHENTICATOR % (m.lower().replace("-", "_"), m,
                                             socket)
                            for m in MECHANISMS + TOKENS))
    yield Site(place, serve, mta, box)
    mta.stop()


def test_each_mechanism(site, login):
    server = site.serve()
    site.mta.start()
    for n, mechanism in enumerate(MECHANISMS):
        with contextlib.closing(smtp.Client(site.mta.port,
                                            source=HOME)) as client:
            assert client.mechanisms() == set(MECHANISMS + TOKENS)
            code, text = client.sign_in(mechanism, "ann@site.example",
                                        "secret")
            assert code == 235, (mechanism, text, site.mta.log_text())
            client.submit("ann@site.example", "ann@site.example",
                          "Subject: by %s\r\n\r\n" % mechanism)
        event = server.await_event("login", n + 1)[n]
        assert event["service"] == "smtp" and event["tls"] == "yes"
        assert event["ip"] == HOME and event["method"] == mechanism

    site.mta.deliver()
    session = login(server, "ann@site.example")
    texts = b"".join(session.retr(i)
                     for i in range(1, 1 + len(session.uidl())))
    assert all(b"Subject: by " + m.encode() in texts for m in MECHANISMS)
    session.quit()
    assert "A=malote_plain:ann@site.example" in site.mta.log_text()


def test_refused(site):
    """For good, for now, and for want of TLS."""
    server = site.serve()
    site.mta.start()
    with contextlib.closing(smtp.Client(site.mta.port, source=HOME)) as client:
        assert client.plain("ann@site.example", "wrong")[0] == 535
        assert server.await_event("login-failed")[0]["ip"] == HOME
        server.stop()
        assert client.plain("ann@site.example", "secret")[0] == 435
        site.serve()
        assert client.plain("ann@site.example", "secret")[0] == 235
    with contextlib.closing(smtp.Client(site.mta.port, tls=False,
                                        source=HOME)) as client:
        assert client.plain("ann@site.example", "secret")[0] == 535


def test_tokens(site, certs):
    issuer = Issuer(certs.context("good"), ("RS256",))
    try:
        keys = site.place.path + "/keys"
        with open(keys, "w", encoding="ascii") as f:
            json.dump(issuer.key_set(), f)
        server = site.serve(
            '\tmechanisms = "PLAIN XOAUTH2 OAUTHBEARER"\n',
            issuer.block(None, keys=keys, scope="mail"))
        site.mta.start()
        for n, mechanism in enumerate(("XOAUTH2", "OAUTHBEARER")):
            with contextlib.closing(smtp.Client(site.mta.port,
                                                source=HOME)) as client:
                assert mechanism in client.mechanisms()
                assert say(client, mechanism,
                           issuer.token("ann@site.example")) == (235, None)
            event = server.await_event("login", n + 1)[n]
            assert event["method"] == mechanism and event["ip"] == HOME
        with contextlib.closing(smtp.Client(site.mta.port)) as client:
            code, why = say(client, "XOAUTH2", issuer.token(
                "ann@site.example", scope="x"))
            assert code == 535 and why["status"] == "403"
    finally:
        issuer.stop()
