"""Servers that speak POP3 in their own way, each as somebody has met it.

None of them breaks a guarantee: the mail is to come, and what was learned of
such a server is not waited for again.
"""
import base64
import re
import time

import pytest

import faults
import hostile
import malote
from hostile import CAPA, Hostile, letters
from hostile_session import Session, err, multi
from malote import settled

pytestmark = malote.NEEDED


@pytest.fixture
def odd(monkeypatch):
    """odd(a Session of its own, letters, ...): a server of such sessions."""
    running = []

    def start(kind, made, **how):
        monkeypatch.setattr(hostile, "Session", kind)
        running.append(Hostile(made, **how))
        return running[-1]
    yield start
    for server in running:
        server.stop()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


# Sign-in.

class IgnoresInitial(Session):
    """Asks for what has come with AUTH already; or for both, whatever came."""
    asks = "+ "

    def do_auth(self, rest):
        name = rest.split(" ")[0]
        if name == "LOGIN":
            return super().do_auth(name)
        self.send(self.asks.encode() + b"\r\n")
        again = base64.b64decode(self.line())
        return self.signed_in(again == b"\0user\0secret")


@pytest.mark.core
@pytest.mark.parametrize("asks", ["+", "+ ", "+ go ahead", "+ PLAIN please"])
def test_initial_response_is_ignored(odd, client, monkeypatch, asks):
    monkeypatch.setattr(IgnoresInitial, "asks", asks)
    server = odd(IgnoresInitial, letters(2))
    m = client().account(at=server)
    m.collect()
    assert len(m.files()) == 2


@pytest.mark.core
@pytest.mark.parametrize("questions", [
    ("Username:", "Password:"), ("User Name\0", "Password\0"),
    ("User:", "User:", "Pass:"), ("", "")], ids=repr)
def test_login_is_asked(odd, client, questions):
    """The password is never the answer to a question for the name."""
    heard = []

    class Asks(Session):
        def do_auth(self, rest):
            for question in questions:
                self.send(b"+ %s\r\n" % encoded(question).encode())
                heard.append(base64.b64decode(self.line()).decode())
            return self.signed_in(heard[-1] == "secret")

    server = odd(Asks, letters(2), sasl=("LOGIN",))
    m = client().account(at=server)
    m.collect()
    assert server.commands("AUTH") == ["AUTH LOGIN"]
    assert heard == ["user"] * (len(questions) - 1) + ["secret"]
    assert len(m.files()) == 2


@pytest.mark.parametrize("question", ["Username:", "login name?"])
def test_login_is_asked_in_words(odd, client, question):
    """Without base64."""
    class Asks(Session):
        def do_auth(self, _):
            self.send(b"+ %s\r\n" % question.encode())
            name = base64.b64decode(self.line())
            self.send(b"+ Password:\r\n")
            word = base64.b64decode(self.line())
            return self.signed_in((name, word) == (b"user", b"secret"))

    m = client().account(at=odd(Asks, letters(1), sasl=("LOGIN",)))
    m.collect()
    assert len(m.files()) == 1


# "Later", and "never".

@pytest.mark.core
@pytest.mark.parametrize("verb", ["GREETING", "USER", "PASS", "STAT"])
@pytest.mark.parametrize("said", [
    "maildrop already locked", "Login allowed only every 15 minutes",
    "Temporary authentication failure", "too many connections"])
def test_later_without_a_code(odd, client, verb, said):
    server = odd(Session, letters(2), sasl=())
    server.fault(verb, faults.err(said))
    m = client().account(at=server, patience=30)
    m.collect(seconds=60)
    assert len(m.files()) == 2


@pytest.mark.core
@pytest.mark.parametrize("said", [
    "wrong password", "account is locked", "account temporarily disabled",
    "too many failed attempts, try again later"])
def test_refused_is_not_later(odd, client, said):
    """Another try could lock the person out."""
    server = odd(Session, letters(2), sasl=())
    server.fault("PASS", faults.err(said), times=faults.ALWAYS)
    m = client().account(at=server, patience=60)
    m.collect(status=malote.NOPERM)
    assert len(server.commands("PASS")) == 1


@pytest.mark.core
@pytest.mark.parametrize("said", ["[SYS/PERM] no POP3 here", "access denied",
                                  "your network is blocked"])
def test_turned_away_for_good(odd, client, said):
    """What does not pass is said at once."""
    server = odd(Session, letters(2))
    server.fault("GREETING", faults.err(said), times=faults.ALWAYS)
    m = client().account(at=server, patience=60)
    m.collect(status=malote.UNAVAILABLE)
    assert len(server.sessions) == 1
