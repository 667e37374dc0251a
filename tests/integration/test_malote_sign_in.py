"""malote signs in at real servers: Dovecot with what it can, and maloted."""
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import time

import pytest

import drop
import malote
from test_malote_collect import point_at

pytestmark = [malote.NEEDED, pytest.mark.ours]
COUNT = 3
STORED = """
auth_mechanisms = %(mechanisms)s
passdb {
  driver = passwd-file
  args = %(file)s
}
userdb {
  driver = passwd-file
  args = %(file)s
}
"""


@pytest.fixture
def box(place):
    return place.maildir(drop.make(90, COUNT))


@pytest.fixture
def dovecot(serve, box):
    """dovecot(mechanisms, more): a Dovecot with user and secret."""
    def start(mechanisms, more=""):
        return serve(box, peer="dovecot", peer_config=(
            "auth_mechanisms = %s\n" % mechanisms) + more)
    return start


def account(client, server, **settings):
    return point_at(client(), server, "tls").account(**settings)


def signs_in(m, by):
    done = m.collect("--json")
    assert done.account("casa")["sign_in"] == by
    assert len(m.files()) == COUNT
    return done


def stored(place, box, scheme, password):
    """Dovecot's configuration for a user ana whose credential is only that."""
    secret = subprocess.run(
        ["doveadm", "-c", "/dev/null", "pw", "-s", scheme, "-p", password],
        capture_output=True, text=True)
    if secret.returncode:
        pytest.skip("doveadm makes no " + scheme)
    owner = os.stat(box)
    path = place.path + "/stored"
    with open(path, "w") as f:
        f.write("ana:%s:%d:%d::%s::userdb_mail=maildir:%s\n" % (
            secret.stdout.strip(), owner.st_uid, owner.st_gid or 65534,
            place.path, box))
    os.chmod(path, 0o644)
    return path


# Passwords.

@pytest.mark.core
@pytest.mark.parametrize("password", ["secret", "pass wörd", "p,=n a=b"])
@pytest.mark.parametrize("scheme", ["SCRAM-SHA-256", "SCRAM-SHA-1"])
def test_stored_scram(place, box, serve, client, scheme, password):
    """C-5802-01: Dovecot has the verifier alone."""
    file = stored(place, box, scheme, password)
    server = serve(box, peer="dovecot", peer_config=STORED % {
        "file": file, "mechanisms": "plain login " + scheme.lower()})
    m = account(client, server, user="ana", password=password)
    signs_in(m, scheme)
    m.account(password="wrong").collect(status=malote.NOPERM)
    m.account(password=password, auth=scheme.lower()).collect()


@pytest.mark.parametrize("auth, by", [
    ("plain", "PLAIN"), ("login", "LOGIN"), ("user", "USER"),
    ("cram-md5", "CRAM-MD5"), ("apop", "APOP"),
    ("scram-sha-1", "SCRAM-SHA-1"), ("scram-sha-256", "SCRAM-SHA-256"),
    ("auto", "SCRAM-SHA-256")])
def test_dovecot(dovecot, client, auth, by):
    """C-ENG-04: exactly the named one."""
    server = dovecot("plain login cram-md5 apop scram-sha-1 scram-sha-256")
    signs_in(account(client, server, auth=auth), by)


@pytest.mark.parametrize("auth", ["plain", "cram-md5", "apop", "user",
                                  "scram-sha-256"])
def test_wrong_password(dovecot, client, auth):
    server = dovecot("plain login cram-md5 apop scram-sha-1 scram-sha-256")
    m = account(client, server, auth=auth, password="wrong")
    m.collect(status=malote.NOPERM)
    assert m.files() == {}


def test_weak_ones_only_when_named(dovecot, client):
    """C-ENG-04: even if there is nothing else."""
    server = dovecot("cram-md5 apop")
    m = account(client, server)
    said = m.collect("--verbose", status=malote.NOPERM).text
    assert not re.search("> (AUTH|APOP)", said)
    m.account(auth="cram-md5").collect()
    assert len(m.files()) == COUNT


def test_weaker_until_accepted(dovecot, client):
    """A server that had SCRAM and wants the password itself now."""
    first = dovecot("plain scram-sha-256")
    m = account(client, first)
    signs_in(m, "SCRAM-SHA-256")
    first.stop()
    second = dovecot("plain")
    point_at(m, second, "tls")
    for _ in range(2):
        done = m.collect(status=malote.PROTOCOL)
        assert "--accept" in done.text
    assert "user=<user>" not in second.log_text()
    m.run("collect", "--accept", "casa")
    m.collect()
    second.stop()
    # From now on it is the stronger one again that counts.
    point_at(m, dovecot("plain scram-sha-256"), "tls").collect()
    point_at(m, dovecot("plain"), "tls").collect(status=malote.PROTOCOL)


# Tokens.

OAUTH = """
auth_mechanisms = plain xoauth2 oauthbearer
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = %s
}
"""


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def token(key, user="user", seconds=3600, padding=0):
    """A JSON Web Token, RFC 7519, signed by HS256."""
    now = int(time.time())
    text = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." \
        + b64(json.dumps({
            "sub": user, "email": user, "iat": now - 7200,
            "exp": now + seconds, "x": "y" * padding}).encode())
    return (text + b"." + b64(hmac.digest(key, text, hashlib.sha256))).decode()


@pytest.fixture
def oauth(place, dovecot):
    """(server, key); Dovecot checks the tokens by itself."""
    keys = place.path + "/keys/default/HS256"
    os.makedirs(keys)
    key = b"k" * 32
    with open(keys + "/default", "wb") as f:
        f.write(base64.b64encode(key))
    conf = place.path + "/oauth2"
    with open(conf, "w") as f:
        f.write("introspection_mode = local\nlocal_validation_key_dict = "
                "fs:posix:prefix=%s/keys/\n" % place.path)
    for path, dirs, files in os.walk(place.path + "/keys"):
        os.chmod(path, 0o755)
    return dovecot("", OAUTH % conf), key


@pytest.mark.parametrize("padding", [0, 900])
@pytest.mark.parametrize("auth, by", [
    ("xoauth2", "XOAUTH2"), ("oauthbearer", "OAUTHBEARER"),
    ("auto", "OAUTHBEARER")])
def test_token(oauth, client, auth, by, padding):
    """C-7628-01, C-5034-02: real tokens are longer than a line may be."""
    server, key = oauth
    text = token(key, padding=padding)
    m = account(client, server, auth=auth, password=None,
                token_command="printf %%s '%s'" % text)
    signs_in(m, by)
    done = m.collect("--verbose")
    assert text not in done.text and text[-40:] not in done.text
    for line in re.findall(r"> (.*)", done.text):
        assert len(line) < 300


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_stale_token(oauth, client, auth):
    """The command is asked once more, as it may have a fresh one by then."""
    server, key = oauth
    m = account(client, server, auth=auth, password=None)
    m.account(token_command="echo x >>%s/asked; test $(wc -l <%s/asked) = 1 "
              "&& echo '%s' || echo '%s'" % (
                  m.home, m.home, token(key, seconds=-60), token(key)))
    signs_in(m, auth.upper())
    with open(m.home + "/asked") as f:
        assert len(f.readlines()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_wrong_token(oauth, client, auth):
    """Twice, not for ever."""
    server, key = oauth
    m = account(client, server, auth=auth, password=None)
    m.account(token_command="echo x >>%s/asked; echo '%s'" % (
        m.home, token(b"z" * 32)))
    m.collect(status=malote.NOPERM)
    with open(m.home + "/asked") as f:
        assert len(f.readlines()) == 2
    assert m.files() == {}


# A certificate.

def test_external(dovecot, client, certs, place, serve, box):
    """C-8314-05: the certificate says who it is; no password at all."""
    more = """
auth_ssl_username_from_cert = yes
ssl_ca = <%s
ssl_verify_client_cert = yes
ssl_require_crl = no
ssl_cert_username_field = commonName
passdb {
  driver = static
  mechanisms = external
  args = nopassword=yes
}
""" % certs.ca
    one = certs["wrong-purpose"]  # for clients, that is
    server = serve([("localhost", "secret", box)], peer="dovecot",
                   peer_config="auth_mechanisms = plain external\n" + more)
    m = account(client, server, user="localhost", password=None,
                client_certificate=one.pem, client_key=one.key)
    signs_in(m, "EXTERNAL")
    m.account(auth="external").collect()
    # Without the certificate there is no way.
    m.account(client_certificate=None, client_key=None, auth="auto")
    m.collect(status=malote.CONFIG)
    m.account(client_certificate=certs["unknown"].pem,
              client_key=certs["unknown"].key).collect(status="bad")


@pytest.mark.parametrize("kind", ["none", "other", "no-key"])
def test_client_certificate_that_is_none(dovecot, client, certs, kind):
    m = account(client, dovecot("plain"), client_certificate={
        "none": "/nonexistent.pem", "other": certs["good"].pem,
        "no-key": certs["good"].one}[kind])
    if kind == "other":
        m.account(client_key=certs["expired"].key)
    assert m.collect(status="bad").text.strip()
    assert m.files() == {}


# maloted.

@pytest.mark.parametrize("auth, by", [
    ("auto", "PLAIN"), ("login", "LOGIN"), ("user", "USER"),
    ("apop", "APOP")])
def test_maloted(serve, box, client, auth, by):
    server = serve(box, "apop = yes\n")
    signs_in(account(client, server, auth=auth), by)
