"""Servers that speak POP3 in their own way, each as somebody has met it.

None of them breaks a guarantee: the mail is to come, and what was learned of
such a server is not waited for again.
"""
import base64
import re
import threading
import time

import pytest

import faults
import hostile
import malote
from hostile import CAPA, letters
from hostile_session import Gone, Session, multi
from malote import settled

pytestmark = malote.NEEDED
DATAERR = 65


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


# TOP.

class TopLater(Session):
    """CAPA names TOP behind the sign-in only."""

    def do_capa(self, _):
        return multi(["USER", "UIDL"] + (["TOP"] if self.view else []))


class TopUnnamed(Session):
    def do_capa(self, _):
        return multi(["USER", "UIDL", "PIPELINING"])


def old_mail(client, server, **settings):
    """Mail that is due, and has to show by TOP that it is what is here."""
    m = client().account(at=server, keep="1h", **settings)
    m.collect()
    m.age()
    server.forget()
    return m


@pytest.mark.core
@pytest.mark.parametrize("kind", [TopLater, TopUnnamed])
def test_top_without_a_name(odd, client, kind):
    server = odd(kind, letters(5), sasl=())
    m = old_mail(client, server)
    m.collect()
    assert len(server.commands("TOP")) == 5
    assert not server.box.mails


@pytest.mark.core
def test_top_that_is_not_there(odd, client):
    """It is tried once a session."""
    server = odd(TopUnnamed, letters(5), sasl=(), without=("TOP",))
    m = old_mail(client, server)
    m.collect()
    assert len(server.commands("TOP")) == 1
    assert len(server.box.mails) == 5


@pytest.mark.core
@pytest.mark.parametrize("act", [faults.cut(), faults.stall()],
                         ids=lambda a: a.name)
def test_top_that_ends_the_session(odd, client, act):
    """No message is to blame, and it is not tried again for a month."""
    server = odd(TopUnnamed, letters(5), sasl=())
    m = old_mail(client, server, timeout=malote.WAIT)
    server.box.mails += letters(2, seed=9, uid="new%d")
    server.fault("TOP", act, times=faults.ALWAYS)
    for _ in range(3):
        m.collect()
    assert len(server.commands("TOP")) == 1
    assert len(m.files()) == 7


# Answers that never come.

@pytest.mark.core
def test_capa_without_an_answer(odd, client):
    server = odd(Session, letters(2))
    server.fault("CAPA", faults.swallow(), times=faults.ALWAYS)
    m = client().account(at=server, timeout=malote.WAIT)
    m.collect()
    m.collect()
    assert len(server.commands("CAPA")) == 1
    assert len(m.files()) == 2


@pytest.mark.core
@pytest.mark.parametrize("act", [faults.err("no"), faults.swallow(),
                                 faults.say("bye"), faults.cut()],
                         ids=lambda a: a.name)
def test_quit_that_nothing_depends_on(odd, client, act):
    server = odd(Session, letters(2))
    server.fault("QUIT", act, times=faults.ALWAYS)
    m = client().account(at=server, keep="yes", timeout=malote.WAIT)
    done = m.collect()
    assert done.seconds < 2 * malote.WAIT * malote.PATIENCE
    assert len(m.files()) == 2


@pytest.mark.core
def test_password_behind_user_is_dropped(odd, client, certs):
    """Learned: the next run does not wait for it."""
    class Drops(Session):
        def handle(self, line):
            if line.startswith("USER"):
                self.seen = b""
            super().handle(line)

    server = odd(Drops, letters(2), sasl=(), mode="tls",
                 context=certs.context())
    m = client().account(at=server, server="localhost", ca_file=certs.ca,
                         timeout=1)
    m.collect()
    assert len(server.sessions) == 2
    m.collect()
    assert len(server.sessions) == 3
    assert len(m.files()) == 2


# Lists.

@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, ["UIDL", "USER", "TOP"]],
                         ids=["pipelined", "serial"])
def test_uidl_is_offered_and_refused(odd, client, capa):
    """Headers tell what is here; nothing comes twice."""
    server = odd(Session, letters(4), capa=capa)
    m = client().account(at=server, keep="yes")
    m.collect()
    server.without.add("UIDL")
    server.box.mails += letters(2, seed=9, uid="new%d")
    m.collect()
    m.collect()
    assert len(m.files()) == 6
    server.without.clear()
    m.collect()
    assert len(m.files()) == 6


# Replies.

REPLIES = {
    "directly behind": (rb"\+OK ?", b"+OK,"),
    "a tab": (rb"\+OK ?", b"+OK\t"),
    "okay": (rb"\+OK ?", b"+OKAY "),
}


@pytest.mark.core
@pytest.mark.parametrize("how", REPLIES)
def test_indicator_with_more_behind_it(odd, client, how):
    class Says(Session):
        def send(self, octets):
            super().send(re.sub(*REPLIES[how], octets, count=1)
                         if octets.startswith(b"+OK") else octets)

    server = odd(Says, letters(3), capa=["USER", "UIDL"], sasl=())
    m = client().account(at=server, keep="no", timeout=malote.WAIT)
    m.collect()
    assert len(m.files()) == 3
    assert not server.box.mails


@pytest.mark.core
def test_plus_err(odd, client):
    server = odd(Session, letters(2), sasl=())
    server.fault("PASS", faults.say("+ERR wrong"), times=faults.ALWAYS)
    client().account(at=server).collect(status=malote.NOPERM)


@pytest.mark.core
@pytest.mark.parametrize("more", [
    b"+OK and again\r\n", b"+OK\r\n+OK\r\n", b"Use it well.\r\n.\r\n",
    b"-ERR is no answer to anything\r\n"])
def test_greeting_of_several_lines(odd, client, more):
    server = odd(Session, letters(2), greeting=b"+OK ready\r\n" + more)
    m = client().account(at=server)
    m.collect()
    assert len(m.files()) == 2


@pytest.mark.core
def test_greeting_without_an_end(odd, client):
    server = odd(Session, letters(2), greeting=b"+OK\r\n" + b"x\r\n" * 100)
    client().account(at=server).collect(status=malote.PROTOCOL)


@pytest.mark.core
def test_surplus_connection_is_closed(odd, client):
    """Without a word: later there may be room."""
    server = odd(Session, letters(2))
    server.fault("GREETING", faults.cut())
    m = client().account(at=server, patience=30)
    m.collect(seconds=60)
    assert len(m.files()) == 2


@pytest.mark.core
def test_greeting_of_several_lines_before_tls(odd, client, certs):
    """C-ENG-03: what comes without TLS may be somebody else's."""
    server = odd(Session, letters(2), greeting=b"+OK ready\r\n+OK again\r\n",
                 mode="stls", context=certs.context())
    m = client().account(at=server, server="localhost", ca_file=certs.ca)
    m.collect(status=malote.PROTOCOL)
    assert not server.commands("STLS", "AUTH", "USER")


# Messages in trouble.

@pytest.mark.core
def test_trouble_of_one_of_two_of_one_size(odd, client):
    """Without unique-ids the one that ends sessions takes no other along, and
    is known again when its number has changed."""
    made = letters(4, uid=None)
    bad = made[1]
    made[2].octets = hostile.impostor(bad)

    class Cuts(Session):
        def do_retr(self, rest):
            if self.find(rest) is bad:
                raise Gone
            return super().do_retr(rest)

    server = odd(Cuts, made, capa=["USER", "TOP"], sasl=(), without=("UIDL",))
    m = client().account(at=server, keep="no")
    for _ in range(3):
        done = m.collect(status=None)
    assert server.box.mails == [bad]
    assert len(m.files()) == 3
    assert done.code == DATAERR  # three runs, counted for the same message


# A server that bears so many connections.

class OneAtATime(Session):
    """Of all users; the first one has to wait until the others were turned
    away."""
    turned = []
    full = staticmethod(lambda s: None)

    def serve(self):
        inside = [s for s in self.server.sessions
                  if s is not self and s.is_alive() and s not in self.turned]
        if inside:
            self.turned.append(self)
            self.full()
        super().serve()

    def do_user(self, rest):
        self.name = self.server.user
        return super().do_user(self.name)

    def do_retr(self, rest):
        end = time.monotonic() + 20
        while len(self.turned) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        return super().do_retr(rest)


class Counts(Session):
    """How many there are at a time: `most` of them at most; others are closed
    without a word."""
    most, now, peak, turned = 99, 0, 0, 0
    lock = threading.Lock()

    def serve(self):
        kind = Counts
        with kind.lock:
            self.inside = kind.now < kind.most
            kind.now += self.inside
            kind.turned += not self.inside
            kind.peak = max(kind.peak, kind.now)
        try:
            if self.inside:
                super().serve()
        finally:
            self.leave()

    def leave(self):
        with Counts.lock:
            Counts.now -= self.inside
            self.inside = False

    def do_user(self, rest):
        self.name = self.server.user
        return super().do_user(self.name)

    def do_retr(self, rest):
        time.sleep(0.2)
        return super().do_retr(rest)

    def do_quit(self, rest):
        self.leave()
        return super().do_quit(rest)


FOUR = ("ana", "bia", "caio", "davi")


@pytest.fixture
def crowd(odd, client, monkeypatch):
    """Four accounts at one server."""
    for name, value in (("most", 99), ("now", 0), ("peak", 0), ("turned", 0)):
        monkeypatch.setattr(Counts, name, value)
    # None of them waits for the box of another.
    monkeypatch.setattr(Counts, "take_box", lambda s: True)
    server = odd(Counts, letters(2), sasl=())
    m = client()
    for name in FOUR:
        m.account(name, at=server, user=name, keep="yes", patience=0,
                  deliver="maildir:%s/%s" % (m.home, name))
    return server, m


@pytest.mark.core
def test_so_many_connections_at_most(crowd):
    """The least that is said of the server counts for all its accounts."""
    _, m = crowd
    m.account("bia", max_connections=3).account("davi", max_connections=2)
    m.collect(seconds=60)
    assert Counts.peak == 2
    assert all(len(m.files(name)) == 2 for name in FOUR)


@pytest.mark.core
def test_as_many_connections_as_accounts(crowd):
    _, m = crowd
    m.account("ana", max_connections=9)
    m.collect(seconds=60)
    assert Counts.peak == 4


@pytest.mark.core
def test_connections_that_a_server_bears_are_learned(crowd):
    """A run or two turn some away, until all know."""
    server, m = crowd
    Counts.most = 2
    turned = []
    while turned[-2:] != [0, 0] and len(turned) < 9:
        Counts.turned = 0
        m.collect(seconds=60)
        turned.append(Counts.turned)
    assert turned[0] != 0 and turned[-1] == 0, turned
    assert all(len(m.files(name)) == 2 for name in FOUR)
    m.record("UPDATE account SET crowd_until = 1")
    Counts.turned = 0
    for _ in range(9):  # they need not meet each time
        m.collect(seconds=60)
        if Counts.turned != 0:
            break
    assert Counts.turned != 0


def no_word(session):
    raise Gone


def too_many(session):
    session.send(b"-ERR too many connections\r\n")
    raise Gone


@pytest.mark.core
@pytest.mark.parametrize("mode, full", [
    ("plain", no_word), ("plain", too_many), ("tls", no_word)])
def test_surplus_connections_wait(odd, client, certs, monkeypatch, mode,
                                  full):
    """For the others of ours to end, whatever patience there is."""
    monkeypatch.setattr(OneAtATime, "turned", [])
    monkeypatch.setattr(OneAtATime, "full", full)
    server = odd(OneAtATime, letters(2), sasl=(), mode=mode,
                 context=certs.context())
    m = client()
    for name in ("ana", "bia", "caio"):
        m.account(name, at=server, server="localhost", ca_file=certs.ca,
                  user=name, keep="yes", patience=0,
                  deliver="maildir:%s/%s" % (m.home, name))
    m.collect(seconds=60)
    assert all(len(m.files(name)) == 2 for name in ("ana", "bia", "caio"))
