"""The dialogues of odd peers: each reply that somebody's server, or the fake
server of somebody's tests, has given, and what is to come of it.

Right is that all mail is here, once and as it was sent, and gone from the
server; where that cannot be, the exit code says why.
"""
import re
import time
from hashlib import md5

import pytest

import faults
import hostile
import malote
from hostile import CAPA, letters
from hostile_session import Reply, Session
from malote import settled

pytestmark = [malote.NEEDED, pytest.mark.wide]
SERIAL = [c for c in CAPA if c != "PIPELINING"]
DATAERR = 65


def all_come(at, m, **settings):
    """In a first run, and new ones in a second."""
    m.account(at=at, keep="no", timeout=malote.WAIT, **settings)
    wanted = list(at.box.mails)
    m.collect()
    settled(at, m, wanted, keep=False)
    at.box.mails += letters(2, seed=9, uid="new%d")
    wanted += at.box.mails
    m.collect()
    settled(at, m, wanted, keep=False)


# Octets, and how they are cut.

class Changed(Session):
    """`change` is made to all that is sent."""
    change = staticmethod(lambda octets: octets)

    def send(self, octets):
        super().send(self.change(octets))


def lf_only(octets):
    return octets.replace(b"\r\n", b"\n")


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_lf_only(odd, client, monkeypatch, capa):
    monkeypatch.setattr(Changed, "change", staticmethod(lf_only))
    all_come(odd(Changed, letters(3), capa=capa), client())


class Drips(Session):
    """One octet at a time: with TLS each is a record of its own."""

    def send(self, octets):
        for at in range(len(octets)):
            super().send(octets[at:at + 1])


@pytest.mark.core
@pytest.mark.parametrize("mode", ["plain", "stls", "tls"])
def test_one_octet_at_a_time(odd, client, certs, mode):
    server = odd(Drips, letters(2), mode=mode, context=certs.context())
    all_come(server, client(), server="localhost", ca_file=certs.ca)


# Greetings.

@pytest.mark.core
@pytest.mark.parametrize("greeting", [
    "+OK", "+OK ", "+ok", "+OK\tready", "+OK, ready", "+OKready",
    "+OK " + "x" * 600, "+OK \xc2\xa1ol\xc3\xa1!", "+OK \xe9t\xe9",
    "+OK <", "+OK >a@b<", "+OK <no stamp>", "+OK [SYS/TEMP] but fine",
    "+OK -ERR", "+OK POP3 server (STLS required)"], ids=ascii)
def test_greeting(odd, client, greeting):
    server = odd(Session, letters(2),
                 greeting=greeting.encode("latin-1") + b"\r\n")
    all_come(server, client())


@pytest.mark.core
@pytest.mark.parametrize("greeting, stamp", [
    ("+OK <1.2@host>", "<1.2@host>"),
    ("+OK <1.2@host>.", "<1.2@host>"),
    ("+OK<1.2@host>ready", "<1.2@host>"),
    ("+OK POP3 <not one> <1.2@host> <3.4@host>", "<1.2@host>"),
    ("+OK a<1.2@[127.0.0.1]>b", "<1.2@[127.0.0.1]>"),
    ("+OK <<1.2@host>>", "<1.2@host>"),
    ("+OK " + "x" * 200 + " <1.2@host>", "<1.2@host>")])
def test_apop(odd, client, greeting, stamp):
    class Stamped(Session):
        def do_apop(self, rest):
            digest = md5((stamp + "secret").encode()).hexdigest()
            return self.signed_in(rest == "user " + digest)

    server = odd(Stamped, letters(2), greeting=greeting.encode() + b"\r\n")
    all_come(server, client(), auth="apop")


@pytest.mark.core
@pytest.mark.parametrize("greeting", [
    "+OK ready", "+OK <no stamp>", "+OK <1.2@ho\x07st>", "+OK <1 2@host>"],
    ids=ascii)
def test_apop_without_a_stamp(odd, client, greeting):
    """An octet more or less could be an attacker's (CVE-2007-1558)."""
    server = odd(Session, letters(1), greeting=greeting.encode() + b"\r\n")
    m = client().account(at=server, auth="apop", patience=60)
    m.collect(status=malote.NOPERM)
    assert not server.commands("APOP")


@pytest.mark.core
@pytest.mark.parametrize("greeting, name", [
    ("* OK IMAP4rev1 ready", "IMAP"), ("* BYE too many", "IMAP"),
    ("220 mx.example ESMTP", "SMTP"), ("220-mx.example ESMTP", "SMTP"),
    ("HTTP/1.1 400 Bad Request", "HTTP"), ("SSH-2.0-OpenSSH_9.2", "SSH")])
def test_other_protocol(odd, client, greeting, name):
    """It is said at once, and which one it is."""
    server = odd(Session, letters(1), greeting=greeting.encode() + b"\r\n")
    m = client().account(at=server, patience=60)
    assert name in m.collect(status=malote.PROTOCOL).text
    assert len(server.sessions) == 1
    assert not server.commands()


# Capabilities.

@pytest.mark.core
@pytest.mark.parametrize("lines, by", [
    (["top", "uidl", "sasl plain", "pipelining"], "AUTH PLAIN"),
    (["SASL"], "USER"), (["SASL "], "USER"), (["USER", "SASL"], "USER"),
    (["SASL\tPLAIN\tLOGIN"], "AUTH PLAIN"),
    (["SASL  PLAIN  "], "AUTH PLAIN"), (["  SASL PLAIN"], "AUTH PLAIN"),
    (["SASL PLAIN,LOGIN"], "USER"), (["SASL=PLAIN"], "USER"),
    (["SASL X-OTHER", "SASL PLAIN"], "AUTH PLAIN"),
    (["AUTH PLAIN"], "USER"), (["AUTH=PLAIN"], "USER"),
    (["USER", "SASL X-OTHER GSSAPI"], "USER"),
    ([], "USER"), ([""], "USER"), (["...", ".."], "USER"),
    (["X" * 500, "UIDL"], "USER"), (["UIDL " + "y" * 4000], "USER"),
    (["IMPLEMENTATION \xe9 \x01"], "USER")], ids=repr)
def test_capabilities(odd, client, lines, by):
    class Says(Session):
        def do_capa(self, _):
            reply = super().do_capa(_)
            text = "".join(line + "\r\n" for line in lines)
            reply.octets = b"+OK\r\n" + text.encode("latin-1") + b".\r\n"
            return reply

    server = odd(Says, letters(2))
    all_come(server, client())
    assert server.commands("AUTH", "USER")[0].startswith(by)


@pytest.mark.core
@pytest.mark.parametrize("reply", [
    "-ERR", "-ERR unknown command", "-ERR\r\n", "+ERR no"], ids=ascii)
def test_no_capabilities(odd, client, reply):
    """From before RFC 2449."""
    class Old(Session):
        def do_capa(self, _):
            return Reply(reply.rstrip("\r\n").encode() + b"\r\n")

    all_come(odd(Old, letters(3), sasl=()), client())


# Numbers.

STATS = ["+OK %d", "+OK %d messages", "+OK  %d  %d", "+OK %d %d octets",
         "+OK %d messages (%d octets)", "+OK\t%d\t%d", "+OK %d,%d",
         "+OK maildrop has %d messages", "+OK", "+OK %d 0", "+OK %05d %09d"]


@pytest.mark.core
@pytest.mark.parametrize("form", STATS)
def test_stat(odd, client, form):
    class Says(Session):
        def do_stat(self, _):
            reply = super().do_stat(_)
            numbers = tuple(map(int, re.findall(rb"\d+", reply.octets)))
            text = form % numbers[:form.count("%")]
            reply.octets = text.encode() + b"\r\n"
            return reply

    all_come(odd(Says, letters(3)), client())


ROWS = {
    "more": lambda n, v: n + b" " + v + b" octets",
    "wide": lambda n, v: b" " + n + b"   " + v + b"  ",
    "tab": lambda n, v: n + b"\t" + v,
    "zeros": lambda n, v: b"00" + n + b" 00" + v,
    "fields": lambda n, v: n + b" " + v + b" 1 2 3",
    "colon": lambda n, v: n + b": " + v,
    "stuffed": lambda n, v: b"." + n + b" " + v,
    "no value": lambda n, v: n,
    "no value but a space": lambda n, v: n + b" ",
}


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
@pytest.mark.parametrize("verb", ["LIST", "UIDL"])
@pytest.mark.parametrize("how", ROWS)
def test_rows(odd, client, how, verb, capa):
    """Each row; what is said of one message is as it should be."""
    server = odd(Session, letters(3), capa=capa)
    server.fault(verb, faults.lines(
        lambda rows: [ROWS[how](*row.split(b" ", 1)) for row in rows]),
        times=faults.ALWAYS)
    all_come(server, client())


UIDS = {
    "one octet": "%d", "of 200": "x" * 200 + "%d", "of 2000": "x" * 2000 + "%d",
    "8 bit": "\xff\xe9%d", "control": "\x01\x02%d", "brackets": "<%d@host>",
    "with a space": "%d and more", "alike up to a space": "same %d",
    "begins with a dot": ".%d", "a sign": "-%d", "quotes": '"%d"',
    "all the same": "same",
}


@pytest.mark.core
@pytest.mark.parametrize("how", UIDS)
def test_unique_ids(odd, client, how):
    made = letters(3, uid=None)
    for n, mail in enumerate(made, 1):
        mail.uid = UIDS[how] % n if "%" in UIDS[how] else UIDS[how]
    all_come(odd(Session, made), client())


@pytest.mark.core
@pytest.mark.parametrize("size", [
    lambda m: 0, lambda m: 1, lambda m: len(m.local), lambda m: 10 ** 6,
    lambda m: len(m.octets) + 3, lambda m: 512 * (len(m.octets) // 512)],
    ids=["0", "1", "of LF lines", "a million", "with the dot", "blocks"])
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_sizes(odd, client, size, capa):
    made = letters(4)
    for mail in made:
        mail.size = size(mail)
    all_come(odd(Session, made, capa=capa), client())


# Messages.

BODIES = {
    "nothing": b"", "an empty line": b"\r\n", "no header": b"\r\ntext\r\n",
    "no body": b"Subject: a\r\n\r\n", "no empty line": b"Subject: a\r\n",
    "dots": b"Subject: a\r\n\r\n.\r\n..\r\n...\r\n.a\r\n",
    "a dot at the end": b"Subject: a\r\n\r\ntext.\r\n",
    "looks like replies": b"Subject: a\r\n\r\n+OK\r\n-ERR\r\n+ \r\n",
    "an mbox": b"From a Mon Jan  1\r\nSubject: a\r\n\r\nFrom b\r\n",
    "NULs": b"Subject: \0\r\n\r\n\0\0\0\r\n",
    "a long line": b"Subject: a\r\n\r\n" + b"x" * 300000 + b"\r\n",
    "8 bit": b"Subject: \xff\xfe\r\n\r\n" + bytes(range(128, 256)) + b"\r\n",
    "CRs": b"Subject: a\r\n\r\na\rb\r\n",
}


@pytest.mark.core
@pytest.mark.parametrize("how", BODIES)
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_messages(odd, client, how, capa):
    made = letters(3)
    made.insert(1, hostile.Mail(BODIES[how], "odd"))
    all_come(odd(Session, made, capa=capa), client())


@pytest.mark.core
@pytest.mark.parametrize("first", [
    b"+OK", b"+OK ", b"+OK 12 octets", b"+OK message follows:",
    b"+OK " + b"x" * 1000, b"+OK\t", b"+ok", b"+OK -1 octets"])
def test_first_line_of_a_message(odd, client, first):
    class Says(Session):
        def do_retr(self, rest):
            reply = super().do_retr(rest)
            if reply.octets.startswith(b"+OK"):
                reply.octets = first + reply.octets[
                    reply.octets.index(b"\r\n"):]
            return reply

    all_come(odd(Says, letters(3)), client())


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_last_line_without_an_end(odd, client, capa):
    """The dot stands behind its text: the message has no end, and it alone
    stays."""
    made = letters(4)
    bad = made[1]

    class Forgets(Session):
        def do_retr(self, rest):
            reply = super().do_retr(rest)
            if self.find(rest) is bad:
                reply.octets = re.sub(rb"\r\n\.\r\n$", b".\r\n", reply.octets)
            return reply

    server = odd(Forgets, made, capa=capa)
    m = client().account(at=server, keep="no", timeout=1)
    for _ in range(4):
        done = m.collect(status=None, seconds=60)
    assert server.box.mails == [bad]
    assert len(m.files()) == 3
    assert done.code == DATAERR


# Other answers.

@pytest.mark.core
@pytest.mark.parametrize("verb, reply", [
    ("DELE", "+OK"), ("DELE", "+OK message 1 deleted " + "x" * 700),
    ("DELE", "+ok,"), ("QUIT", "+OK"), ("QUIT", "+OK " + "x" * 700),
    ("QUIT", "+OK bye\r\nConnection closed.\r\n."),
    ("USER", "+OK Password required for user " + "x" * 500),
    ("USER", "+OK"), ("PASS", "+OK"), ("PASS", "+OK 3 messages (20 octets)"),
    ("LIST", None), ("UIDL", None)], ids=repr)
def test_answers(odd, client, verb, reply):
    """None: text in the first line that is like a row."""
    class Says(Session):
        def answer(self, said, number, good):
            if said == verb and good.octets.startswith(b"+OK"):
                good.octets = reply.encode() + b"\r\n" if reply else \
                    re.sub(rb"^\+OK", b"+OK 9 999 u9", good.octets)
            super().answer(said, number, good)

    all_come(odd(Says, letters(3), sasl=(), capa=SERIAL), client())


# More lines than a reply has.

WELCOME = b"Welcome to the mail server.\r\n\r\nYou have mail!\r\n.\r\n"


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
@pytest.mark.parametrize("verb, apart", [
    *((v, False) for v in ("GREETING", "USER", "PASS", "AUTH", "STAT", "DELE",
                           "QUIT")),
    *((v, True) for v in ("GREETING", "USER", "PASS", "AUTH", "QUIT"))])
def test_text_behind_a_reply(odd, client, verb, capa, apart):
    """It is passed over, wherever it can be no mail."""
    class Talks(Session):
        def answer(self, said, number, good):
            talks = said == verb and good.octets.startswith(b"+OK")
            if talks and not apart:
                good.octets += WELCOME
            super().answer(said, number, good)
            if talks and apart:
                for at in range(0, len(WELCOME), 20):
                    time.sleep(0.01)
                    self.send(WELCOME[at:at + 20])

    server = odd(Talks, letters(3), capa=capa,
                 sasl=("PLAIN",) if verb == "AUTH" else ())
    all_come(server, client())


@pytest.mark.parametrize("verb", ["PASS", "AUTH"])
@pytest.mark.parametrize("said, code", [
    ("[SYS/TEMP] Internal error", malote.TEMPFAIL),
    ("No such maildrop", malote.UNAVAILABLE)])
def test_server_goes_behind_the_sign_in(lie, client, verb, said, code):
    """As Dovecot does that cannot open the maildrop."""
    server = lie(letters(3))
    server.sasl = ["PLAIN"] if verb == "AUTH" else []
    fault = server.fault(verb, faults.say_and_close(
        b"+OK Logged in.\r\n-ERR " + said.encode() + b"\r\n", effect=True),
        times=faults.ALWAYS)
    m = client().account(at=server, patience=0)
    done = m.collect(status=code)
    assert fault.fired
    assert ("the server ends the session: the server says \"%s\"" %
            said.split("] ")[-1]) in done.text, done
    server.heal()
    m.collect()
    settled(server, m, server.box.mails, keep=True)


@pytest.mark.core
def test_text_before_tls(odd, client, certs):
    """Somebody else may have put it there."""
    class Talks(Session):
        def answer(self, said, number, good):
            if said == "CAPA":
                good.octets += WELCOME
            super().answer(said, number, good)

    server = odd(Talks, letters(2), mode="stls", context=certs.context())
    m = client().account(at=server, server="localhost", ca_file=certs.ca)
    m.collect(status=malote.PROTOCOL)
    assert not server.commands("STLS", "AUTH", "USER")
