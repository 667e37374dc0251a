"""src/sasl against GNU SASL, both ends, by base64 lines.

sasl-peer (tests/sasl) is ours, gsasl is theirs; each is the client once.
SASL_PEER in the environment names another binary of ours.
"""
import base64
import os
import re
import shutil
import subprocess
import threading

import pytest

from server import PATIENCE, TOP

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not shutil.which("gsasl"), reason="gsasl is missing"),
]

PEER = os.environ.get("SASL_PEER", TOP + "/build/release/tests/sasl/sasl-peer")
SECONDS = 20 * PATIENCE

SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
PLUS = [name + "-PLUS" for name in SCRAM]
PASSWORDS = ["PLAIN", "LOGIN", "CRAM-MD5"] + SCRAM + PLUS
BINDING = "0123456789abcdef0123456789abcdef"

# Name and password, which both sides prepare if the mechanism says so.
PAIRS = [("user", "pencil"), ("an na", " p\"w\\ "), ("a,b=c", "x=,y"),
         ("andré", "pão")]

# It asks for a binding on its standard output, without a line's end.
QUESTION = re.compile(r"^(Enter [^:]*: )+")


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Program:
    """Lines to and from one; it ends after SECONDS at the latest."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8",
            env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.timer = threading.Timer(SECONDS, self.process.kill)
        self.timer.start()

    def say(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def hear(self):
        """A line, or None at the end."""
        line = self.process.stdout.readline()
        return QUESTION.sub("", line.rstrip("\n")) if line else None

    def end(self):
        """What is left on the standard output, and the standard error."""
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        finally:
            self.process.kill()
            self.timer.cancel()
        assert self.process.returncode != -9, "it hung"
        return out, err


def gsasl(role, mechanism, user, password, bind=False):
    """Theirs; with a binding it asks for it, which the caller answers."""
    command = ["gsasl", "--" + role, "--mechanism", mechanism,
               "--password", password, "--iteration-count", "4096"]
    if role == "client":
        command += ["--authentication-id", user]
    if not bind:
        command += ["--no-cb"]
    program = Program(command)
    assert program.hear() == mechanism
    return program


def ours(role, mechanism, user, password, *more):
    more = list(more)
    if mechanism in PLUS:
        more += ["plus=1", "binding=tls-exporter:" + BINDING]
    return Program([PEER, role, mechanism, "user=" + user,
                    "password=" + password] + more)


def our_client(mechanism, user, password, theirs, *more):
    """Our client with their server: (they trust us, what we said last)."""
    bind = mechanism in PLUS
    us = ours("client", mechanism, user, password, *more)
    them = gsasl("server", mechanism, user, theirs, bind)
    challenge = them.hear()
    assert challenge is not None
    if mechanism == "CRAM-MD5":
        us.say(challenge)
    first = True
    while True:
        said = us.hear()
        if not said or said[0] not in "+=":
            break
        them.say(said[2:])
        if first and bind:
            them.say(b64(BINDING))
        first = False
        # Nothing may come behind the last message.
        challenge = them.hear() if said[0] == "+" else None
        if challenge is None:
            break
        us.say(challenge)
    them.say("")  # it wants an answer to its last output, too
    left, _ = us.end()
    words = (said + "\n" + left).split("\n")
    _, err = them.end()
    return "Server authentication finished" in err, words


def our_server(mechanism, user, password, theirs, *more, bind=None, name=None,
               binding=BINDING):
    """Our server with their client: (our verdict, they trust us)."""
    bind = mechanism in PLUS if bind is None else bind
    us = ours("server", mechanism, user, password, *more)
    them = gsasl("client", mechanism, name or user, theirs, bind)
    if bind:
        them.say(b64(binding))
    if mechanism == "CRAM-MD5":
        assert them.hear() == ""  # it would go first
        them.say(us.hear()[2:])
    while True:
        said = them.hear()
        if said is None:
            verdict = None
            break
        us.say(said)
        verdict = us.hear()
        if verdict is None or verdict[0] != "+":
            break
        them.say(verdict[2:])
    if verdict == "yes":
        them.say("")
    us.end()
    _, err = them.end()
    return verdict, "Client authentication finished" in err


@pytest.mark.parametrize("user,password", PAIRS)
@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_our_client(mechanism, user, password):
    trusted, words = our_client(mechanism, user, password, password)
    assert trusted
    assert "verified" in words, words


@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_our_client_wrong_password(mechanism):
    trusted, words = our_client(mechanism, "user", "pencil", "pencils")
    assert not trusted
    # Only what proves the server can tell that it is not the right one.
    if mechanism.startswith("SCRAM"):
        assert "verified" not in words, words


@pytest.mark.parametrize("user,password", PAIRS)
@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_our_server(mechanism, user, password):
    assert our_server(mechanism, user, password, password) == ("yes", True)


@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_our_server_wrong_password(mechanism):
    verdict, trusts = our_server(mechanism, "user", "pencil", "pencils")
    assert verdict == "no"
    if mechanism.startswith("SCRAM"):
        assert not trusts


@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_our_server_unknown_user(mechanism):
    """S-5802-03: it goes as far as with a wrong password."""
    verdict, _ = our_server(mechanism, "user", "pencil", "pencil",
                            name="nobody")
    assert verdict == "no"


@pytest.mark.parametrize("mechanism", PLUS)
def test_other_binding(mechanism):
    """Both know the password, but not by the same connection."""
    other = BINDING[:-1] + "x"
    verdict, trusts = our_server(mechanism, "user", "pencil", "pencil",
                                 binding=other)
    assert (verdict, trusts) == ("failed", False)
    # The last binding= counts.
    us = Program([PEER, "client", mechanism, "user=user", "password=pencil",
                  "plus=1", "binding=tls-exporter:" + other])
    them = gsasl("server", mechanism, "user", "pencil", bind=True)
    them.hear()
    them.say(us.hear()[2:])
    them.say(b64(BINDING))
    us.say(them.hear())
    them.say(us.hear()[2:])
    assert them.hear() is None
    assert "not verified" in us.end()[0]
    assert "finished (client trusted)" not in them.end()[1]


@pytest.mark.parametrize("mechanism", SCRAM)
def test_binding_not_used(mechanism):
    """C-5802-01: bare SCRAM of ours that could bind, "y", and theirs."""
    more = ["binding=tls-exporter:" + BINDING]
    trusted, words = our_client(mechanism, "user", "pencil", "pencil", *more)
    assert trusted and "verified" in words


@pytest.mark.parametrize("user", ["", "user"])
def test_external_client(user):
    """Their client; their server's program has no way to accept anybody."""
    command = ["gsasl", "--client", "--mechanism", "EXTERNAL"]
    if user:
        command += ["--authorization-id", user]
    them = Program(command)
    assert them.hear() == "EXTERNAL"
    us = Program([PEER, "server", "EXTERNAL", "authzid=user"])
    us.say(them.hear())
    assert us.hear() == "yes"
    them.say("")
    us.end()
    assert "Client authentication finished" in them.end()[1]


@pytest.mark.parametrize("user", ["", "user"])
def test_external_server(user):
    """Their server understands ours, up to asking who may."""
    us = Program([PEER, "client", "EXTERNAL", "authzid=" + user])
    them = gsasl("server", "EXTERNAL", "", "x")
    assert them.hear() == ""
    them.say(us.hear()[2:])
    assert them.hear() is None
    us.end()
    assert "No callback specified" in them.end()[1]
