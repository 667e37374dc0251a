"""Stored passwords, as Dovecot's own program writes them."""
import os
import re
import shutil
import subprocess

import pytest

import drop
from server import TOP

pytestmark = pytest.mark.ours

CTL = os.path.join(os.path.dirname(os.environ.get(
    "MALOTED", TOP + "/build/release/src/maloted")), "malotectl")
PASSWORD = "correct horse"
SCHEMES = """SSHA SSHA256 SSHA512 SMD5 SHA SHA1 SHA256 SHA512 LDAP-MD5 PLAIN-MD5
    CRAM-MD5 HMAC-MD5 DES-CRYPT CRYPT MD5-CRYPT SHA256-CRYPT SHA512-CRYPT
    BLF-CRYPT PBKDF2 ARGON2I ARGON2ID SCRAM-SHA-1 SCRAM-SHA-256 PLAIN CLEAR
    CLEARTEXT""".split()


def doveadm(scheme, password=PASSWORD):
    program = shutil.which("doveadm")
    if program is None:
        pytest.skip("no doveadm")
    return subprocess.run(
        [program, "-c", "/dev/null", "pw", "-s", scheme, "-p", password],
        check=True, text=True, stdout=subprocess.PIPE).stdout.rstrip("\n")


def ids(maildir):
    """Whose the mail is, where the server may be told."""
    owner = os.stat(maildir)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


@pytest.fixture
def users(place, serve):
    """A server with the users of some lines."""
    maildir = place.maildir(drop.make(5, 2))

    def start(stored, config=""):
        file = place.path + "/users.schemes"
        with open(file, "w", encoding="utf-8") as f:
            for name, secret in stored.items():
                f.write("%s:%s:%s::::userdb_mail=maildir:%s\n"
                        % (name, secret, ids(maildir), maildir))
        return serve([("unused", "x", maildir)],
                     "users = '%s'\nsessions = \"shared\"\n%s"
                     % (file, config))
    return start


@pytest.mark.parametrize("form", ["", ".b64", ".hex"])
def test_dovecot_schemes(users, connect, form):
    """Everybody signs in, and nobody with another password."""
    stored = {}
    for scheme in SCHEMES:
        if (scheme, form) == ("CRAM-MD5", ""):
            stored["cram-guessed"] = re.sub(
                "{.*}", "{CRAM-MD5}", doveadm("CRAM-MD5.b64"))
        stored[scheme.lower()] = doveadm(scheme + form)
    server = users(stored, "max_failures = 1000\n")
    for name in stored:
        session = connect(server.port)
        session.ok("USER " + name)
        session.err("PASS " + PASSWORD[1:], "AUTH")
        session.ok("USER " + name)
        session.ok("PASS " + PASSWORD)
        assert session.stat()[0] == 2, name
        session.quit()
    assert not server.events("users-line")


def test_made_here(users, connect, place):
    """malotectl user add --scheme, then signing in."""
    schemes = ["ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT", "YESCRYPT",
               "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN"]
    file = place.path + "/users.made"
    for scheme in schemes:
        subprocess.run([CTL, "--users", file, "--scheme", scheme,
                        "user", "add", scheme.lower()], check=True,
                       text=True, input="s3cret\n")
    with open(file, encoding="utf-8") as f:
        lines = [line.split(":") for line in f]
    assert [line[0] for line in lines] == [s.lower() for s in schemes]
    server = users({line[0]: line[1] for line in lines})
    for name, *_ in lines:
        session = connect(server.port)
        session.login(name, "s3cret")
        session.quit()
        session = connect(server.port)
        session.ok("USER " + name)
        session.err("PASS S3cret", "AUTH")
