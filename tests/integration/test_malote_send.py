"""malote send and malote sendmail against a server that takes mail."""
import email
import email.policy
import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

import malote
import trace
from server import wait_until
from submission import CUT, SILENT, Answer

pytestmark = malote.NEEDED
DATAERR, CANTCREAT = 65, 73
LETTER = (b"From: Ana <ana@example.org>\nTo: Bo <bo@example.net>\n"
          b"Subject: Lunch\n\nAt one?\n.dotted\n..\n")
# A tracer and LeakSanitizer exclude each other.
ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
       + ":detect_leaks=0"}
# More than the system keeps for a line on its way.
LARGE = LETTER + b"x%070d\n" % 1 * 300000


@pytest.fixture
def m(client):
    return client()


def send(m, text=LETTER, *words, **more):
    return m.run("sendmail", *(words or ("-t", "-i")), text=text, **more)


def parsed(mail):
    return email.message_from_bytes(mail.text, policy=email.policy.SMTPUTF8)


# What is sent.

def test_a_message_goes_out_as_it_is(m, outlet):
    server = outlet()
    send(m.sends(server))
    mail, = server.taken
    assert mail.sender == "ana@example.org"
    assert mail.recipients == ["bo@example.net"]
    got = parsed(mail)
    assert got["From"] == "Ana <ana@example.org>"
    assert got["Subject"] == "Lunch"
    assert mail.text.endswith(b"\n\nAt one?\n.dotted\n..\n")
    assert b"\n" not in mail.octets.replace(b"\r\n", b"")
    assert m.outbox() == []


def test_date_and_message_id_are_added_where_they_are_missing(m, outlet):
    server = outlet()
    m.sends(server)
    send(m)
    send(m, b"Date: Mon, 2 Nov 2026 10:00:00 +0000\nMessage-ID: <a@b>\n"
         + LETTER)
    first, second = map(parsed, server.taken)
    assert re.fullmatch(r"<[0-9a-f]{24}@example.org>", first["Message-ID"])
    assert abs(first["Date"].datetime.timestamp() - time.time()) < 100
    assert second.get_all("Message-ID") == ["<a@b>"]
    assert len(second.get_all("Date")) == 1


def test_bcc_is_sent_to_and_never_sent(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER.replace(
        b"Subject", b"Bcc: secret@example.net,\n\tmore@example.net\nSubject"))
    mail, = server.taken
    assert sorted(mail.recipients) == [
        "bo@example.net", "more@example.net", "secret@example.net"]
    assert b"secret" not in mail.octets and b"more@" not in mail.octets


def test_bcc_is_removed_without_t_too(m, outlet):
    server = outlet()
    send(m.sends(server), b"Bcc: secret@example.net\n" + LETTER, "-oi",
         "bo@example.net")
    mail, = server.taken
    assert mail.recipients == ["bo@example.net"]
    assert b"secret" not in mail.octets


def test_as_cron_calls_it(m, outlet):
    """Mail for a person of this computer goes to their address."""
    server = outlet()
    send(m.sends(server), b"From: root (Cron Daemon)\nTo: root\n"
         b"Subject: Cron <root@here> /opt/cr\xc3\xb3nica\n"
         b"Content-Type: text/plain; charset=UTF-8\n"
         b"Content-Transfer-Encoding: 8bit\n\nfeito: \xc3\xa9 isso\n",
         "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root")
    mail, = server.taken
    assert mail.recipients == ["ana@example.org"]
    got = parsed(mail)
    assert got["From"] == 'CronDaemon <ana@example.org>'
    assert got["Subject"] == "Cron <root@here> /opt/cr\u00f3nica"
    assert got.get_content() == "feito: \u00e9 isso\n"
    assert "BODY=8BITMIME" in mail.parameters
    assert "SMTPUTF8" not in mail.parameters


def test_a_line_of_a_dot_ends_the_message_unless_i_is_given(m, outlet):
    server = outlet()
    m.sends(server)
    text = b"Subject: x\n\none\n.\ntwo\n"
    send(m, text, "bo@example.net")
    send(m, text, "-i", "bo@example.net")
    send(m, text, "-oi", "bo@example.net")
    assert [x.text.endswith(b"\n\none\n") for x in server.taken] == [
        True, False, False]
    assert all(x.text.endswith(b"\none\n.\ntwo\n") for x in server.taken[1:])


def test_a_name_adds_no_field(m, outlet):
    """As a program passes on what somebody typed into a form."""
    server = outlet()
    send(m.sends(server), b"Subject: x\n\nhi\n", "-F",
         "Eve\nReply-To: evil@example.com", "bo@example.net")
    got = parsed(server.taken[0])
    assert got["Reply-To"] is None
    assert got["From"].addresses[0].addr_spec == "ana@example.org"


def test_text_without_a_header(m, outlet):
    server = outlet()
    send(m.sends(server), b"only: this is no field\n"[6:], "bo@example.net")
    got = parsed(server.taken[0])
    assert got["From"] == "ana@example.org"
    assert got.get_content() == "this is no field\n"


def test_crlf_is_an_end_of_line(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER.replace(b"\n", b"\r\n"))
    assert server.taken[0].text.endswith(b"\n\nAt one?\n.dotted\n..\n")


@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_an_empty_message_and_a_large_one(m, outlet, certs, mode):
    server = outlet(mode, ehlo=["8BITMIME"])
    m.sends(server, ca_file=certs.ca)
    send(m, b"", "bo@example.net")
    text = LETTER + b"".join(b".%070d\n" % i for i in range(60000))
    send(m, text)
    assert server.taken[0].text.endswith(b"\n\n")
    assert server.taken[1].text.endswith(text[-4000000:])


@pytest.mark.parametrize("body", [
    b"x" * 999 + b"\n", b"a\rb\n", b"a\0b\n"], ids=["long", "cr", "nul"])
def test_what_smtp_cannot_carry_is_encoded(m, outlet, body):
    server = outlet()
    send(m.sends(server), LETTER + body + "\u00e9 = \t\n".encode())
    got = parsed(server.taken[0])
    assert got["Content-Transfer-Encoding"] == "quoted-printable"
    assert max(map(len, server.taken[0].octets.split(b"\r\n"))) <= 78
    assert got.get_payload(decode=True) == (
        b"At one?\n.dotted\n..\n" + body + "\u00e9 = \t\n".encode())


def test_what_cannot_be_encoded_either_is_refused(m, outlet):
    server = outlet()
    m.sends(server)
    for head in (b"Content-Type: multipart/mixed; boundary=x\n",
                 b"Content-Transfer-Encoding: base64\n"):
        done = send(m, head + LETTER + b"y" * 2000, status=DATAERR)
        assert "line 4 of the body is longer than 998 octets" in done.text
    done = send(m, b"X: " + b"y" * 1000 + b"\n" + LETTER, status=DATAERR)
    assert "of the header" in done.text
    assert server.taken == [] and m.outbox() == []


# By whom.

def test_from_decides_the_account(m, outlet):
    one, other = outlet(), outlet()
    m.sends(one).sends(other, "trabalho", email="ana@work.example")
    send(m, LETTER.replace(b"ana@example.org", b"Ana@Work.example"))
    send(m, LETTER.replace(b"ana@example.org", b"nobody@x.example"))
    assert other.taken[0].sender == "ana@work.example"
    assert one.taken[0].sender == "ana@example.org"
    assert b"nobody@x.example" in one.taken[0].octets
    m.sends(other, "trabalho", default="yes")
    send(m, LETTER.replace(b"ana@example.org", b"nobody@x.example"))
    assert len(other.taken) == 2
    send(m, LETTER.replace(b"From: Ana <ana@example.org>\n", b""), "-t",
         "-f", "ana@example.org")
    assert len(one.taken) == 2
    assert parsed(one.taken[1])["From"] == "ana@example.org"


def test_without_a_server_that_sends(m):
    m.account(port=9)
    done = send(m, status=malote.CONFIG)
    assert "smtp_server" in done.text


def test_addresses_beyond_ascii(m, outlet):
    server = outlet()
    m.sends(server)
    send(m, LETTER.replace(b"bo@", "bo@xn--\n jos\u00e9@".encode()[9:]))
    assert "SMTPUTF8" in server.taken[0].parameters
    # A domain alone is written as DNS has it.
    send(m, LETTER.replace(b"<bo@example.net>", b""), "-i",
         "bo@caf\u00e9.example")
    assert server.taken[1].recipients == ["bo@xn--caf-dma.example"]
    assert "SMTPUTF8" not in server.taken[1].parameters


def test_no_smtputf8_where_it_is_needed(m, outlet):
    server = outlet(ehlo=["8BITMIME"])
    done = send(m.sends(server), "To: jos\u00e9@example.net\n\nx\n".encode(),
                status=malote.UNAVAILABLE)
    assert "letters beyond ASCII" in done.text
    assert server.had == [] and server.sent("MAIL") == []


@pytest.mark.parametrize("offered", [True, False])
def test_8bitmime(m, outlet, offered):
    """It is said where it is offered; elsewhere the octets go as they are, as
    every server of today bears, and nothing is changed that is signed."""
    server = outlet(ehlo=["8BITMIME"] if offered else [])
    body = "\u00e9 isso\n".encode()
    send(m.sends(server), LETTER.replace(b"\n\n", (
        b"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
        b"Content-Transfer-Encoding: 8bit\n\n"), 1) + body)
    mail, = server.taken
    assert mail.text.endswith(body)
    assert ("BODY=8BITMIME" in mail.parameters) == offered


# TLS and signing in.

@pytest.mark.parametrize("mode", ["tls", "stls"])
def test_over_tls(m, outlet, certs, mode):
    server = outlet(mode)
    m.sends(server, ca_file=certs.ca)
    send(m)
    assert len(server.taken) == 1
    assert all(x.secure for x in server.lines if b"AUTH" in x.text)


@pytest.mark.parametrize("kind", ["unknown", "wrong-name", "expired"])
def test_a_certificate_that_is_not_good(m, outlet, certs, kind):
    server = outlet("tls", kind=kind)
    m.sends(server, ca_file=certs.ca)
    done = send(m)
    assert {"unknown": "unknown issuer", "wrong-name": "the certificate is for",
            "expired": "has expired"}[kind] in done.text, done
    assert "waits in the outbox" in done.text
    assert server.tried == [] and len(m.outbox()) == 1
    # A person has to look at it: it is not tried each minute, as if it were away.
    assert m.outbox()[0]["next_at"] > time.time() + 3000
    m.sends(server, smtp_fingerprint=certs[kind].fingerprint())
    m.run("outbox", "retry")
    assert len(server.taken) == 1


def test_starttls_that_is_refused(m, outlet, certs):
    server = outlet("stls").answer("STARTTLS", "454 4.7.0 not now")
    done = send(m.sends(server, ca_file=certs.ca))
    assert "offers no STARTTLS" in done.text
    assert server.sent("AUTH") == [] and server.sent("MAIL") == []
    m.run("outbox", "retry")
    assert len(server.taken) == 1


def test_nothing_is_sent_without_starttls(m, outlet):
    server = outlet()
    m.sends(server, smtp_security="starttls")
    done = send(m)
    assert "offers no STARTTLS" in done.text
    assert server.sent("AUTH") == [] and server.sent("MAIL") == []


def test_what_stands_behind_starttls_was_not_said_by_the_server(
        m, outlet, certs):
    server = outlet("stls").answer("STARTTLS", "220 go on\n250 AUTH X")
    send(m.sends(server, ca_file=certs.ca))
    assert len(server.taken) == 1


def test_a_server_that_proves_nothing(m, outlet):
    server = outlet(mechanisms=["SCRAM-SHA-256"])
    done = send(m.sends(server))
    assert "has not proved that it knows the password" in done.text
    assert server.sent("MAIL") == []


def test_a_password_that_is_refused(m, outlet):
    server = outlet()
    m.sends(server, password="wrong")
    done = send(m)
    assert "refuses the sign-in" in done.text and "5.7.8" in done.text
    assert 'the whole address: smtp_user = "' in done.text
    waiting, = m.outbox()
    # It is not tried again: accounts are locked after a few.
    assert "tried again from" not in done.text + m.run("outbox").text
    m.collect(status=None)
    assert len(server.tried) == 1
    m.account(password="secret")
    m.run("outbox", "retry", waiting["id"])
    assert len(server.taken) == 1 and m.outbox() == []


def test_a_refused_password_is_not_tried_for_each_message(m, outlet,
                                                          portuguese):
    """It is the server that has refused it, and not a message."""
    server = outlet()
    m.sends(server, password="wrong")
    again = "it is not tried again until the password or the account changes"
    assert again in send(m).text
    assert again in send(m, LETTER, "-t").text
    assert again in m.run("outbox", "retry", status=malote.TEMPFAIL).text
    assert len(server.tried) == 1 and len(m.outbox()) == 2
    assert again in m.run("status").text
    said = m.run("status", env=portuguese).text
    assert "envio: " in said and "só será tentado de novo" in said
    m.run("outbox", "retry", m.outbox()[0]["id"], status=malote.TEMPFAIL)
    assert len(server.tried) == 2
    m.account(password="secret")
    m.run("outbox", "retry")
    assert len(server.taken) == 2 and m.outbox() == []
    assert "not tried again" not in m.run("status").text


def test_retry_says_what_still_waits(m, outlet):
    """A run that leaves undone what it was asked for has not done it."""
    server = outlet()
    server.answer("MAIL", "451 4.3.0 later")
    send(m.sends(server))
    server.answer("MAIL", "451 4.3.0 later")
    done = m.run("outbox", "retry", status=malote.TEMPFAIL)
    assert "waits in the outbox" in done.text
    m.run("outbox", "retry")
    assert len(server.taken) == 1 and m.outbox() == []


@pytest.mark.parametrize("mechanisms", [
    ["PLAIN"], ["LOGIN"], ["XOAUTH2"], ["OAUTHBEARER"]], ids=str)
def test_each_way_to_sign_in(m, outlet, mechanisms):
    server = outlet(mechanisms=mechanisms)
    if "PLAIN" in mechanisms or "LOGIN" in mechanisms:
        m.sends(server)
    else:
        m.sends(server, password=None, token_command="echo secret")
    send(m)
    assert len(server.taken) == 1


def test_a_server_that_asks_nobody(m, outlet):
    server = outlet(users={})
    send(m.sends(server, password=None))
    assert len(server.taken) == 1 and server.sent("AUTH") == []
    server.users = {"user": "secret"}
    done = send(m)
    assert "no password is configured" in done.text
    assert server.sent("AUTH") == [] and len(server.taken) == 1


def test_a_token_that_is_refused(m, outlet):
    server = outlet(mechanisms=["XOAUTH2"])
    m.sends(server, password=None, token_command="echo old")
    done = send(m)
    assert "refuses the sign-in" in done.text
    assert "token of this user, for SMTP?" in done.text
    assert "old" not in done.text and len(m.outbox()) == 1


def test_the_secret_is_in_no_words(m, outlet):
    server = outlet().answer("AUTH", "535 5.7.8 no secret for user secret")
    done = send(m.sends(server), LETTER, "-t", "-v")
    assert "secret" not in done.text, done


# Refusals.

@pytest.mark.parametrize("stage,reply,words", [
    ("RCPT bo@example.net", "550 5.1.1 unknown", "there is no such address"),
    ("RCPT bo@example.net", "552 5.2.2 full", None),
    ("MAIL", "553 5.7.1 not yours", "does the account in use"),
    ("MAIL", "552 5.3.4 too big", "too large"),
    ("DATA", "554 5.7.1 no", "does not like"),
    ("END", "552 5.3.4 too big", "too large"),
    ("END", "550 5.7.1 spam\n"[:-1], "does not like"),
    ("END", "550 5.7.26 DMARC", "does the account in use"),
], ids=str)
def test_what_is_refused_for_good(m, outlet, stage, reply, words):
    server = outlet().answer(stage, reply)
    m.sends(server)
    if words is None:      # 552 for a recipient is "too many" by RFC 5321
        assert "waits in the outbox" in send(m).text
        return
    done = send(m, status=malote.UNAVAILABLE)
    assert reply[4:] in done.text and words in done.text, done
    refused, = m.outbox()
    assert refused["recipients"][0]["state"] == "refused"
    assert refused["subject"] == "Lunch"
    # Not again by itself, but when the person says so.
    m.run("outbox", "retry")
    assert server.taken == []
    m.run("outbox", "retry", refused["id"])
    assert len(server.taken) == 1 and m.outbox() == []


@pytest.mark.parametrize("stage,reply", [
    ("GREETING", "421 4.3.2 later"), ("GREETING", "554 5.7.1 no"),
    ("EHLO", "421 no"), ("EHLO", "502 5.5.1 what?"),
    ("EHLO", "554 5.7.1 not from there"), ("AUTH", "454 4.7.0 later"),
    ("AUTH", "421 4.7.0 too many"), ("AUTH", "530 5.7.0 by TLS"),
    ("AUTH", "534 5.7.9 too weak"), ("MAIL", "421 4.3.2 closing"),
    ("RCPT bo@example.net", "421 4.3.2 closing"),
    ("RCPT bo@example.net", "451 4.3.0 later"),
    ("RCPT bo@example.net", "452 4.5.3 too many"),
    ("DATA", "421 4.3.2 closing"), ("END", "421 4.3.2 closing"),
    ("END", "452 4.3.1 no room"),
    ("MAIL", "451 4.3.0 later"), ("MAIL", "530 5.7.0 sign in"),
    ("RCPT bo@example.net", "450 4.7.1 greylisted"),
    ("DATA", "451 4.3.0 later"), ("END", "451 4.3.0 later"),
    ("GREETING", CUT), ("EHLO", CUT), ("AUTH", CUT), ("MAIL", CUT),
    ("RCPT bo@example.net", CUT), ("DATA", CUT), ("MAIL", "what?"),
    ("DATA", "250 what?"),
], ids=str)
def test_what_may_be_otherwise_later(m, outlet, stage, reply):
    server = outlet().answer(stage, reply)
    done = send(m.sends(server))
    assert "waits in the outbox" in done.text
    waiting, = m.outbox()
    assert waiting["recipients"][0]["state"] == "waiting"
    assert waiting["tries"] == 1
    m.run("outbox", "retry", waiting["id"])
    assert len(server.taken) == 1 and m.outbox() == []


def test_nobody_is_there(m, outlet):
    server = outlet()
    server.stop()
    done = send(m.sends(server))
    assert "waits in the outbox" in done.text
    again = outlet()
    m.sends(again)
    m.collect(status=None)     # not due yet
    assert again.sessions == 0
    m.run("outbox", "retry")
    assert len(again.taken) == 1


def test_a_server_that_says_later_for_days(m, outlet):
    server = outlet().answer("RCPT bo@example.net", "450 4.2.1 later", nth=0)
    send(m.sends(server))
    top = m.state + "/outbox/"
    name, = (x for x in os.listdir(top) if x.endswith(".json"))
    with open(top + name) as f:
        item = json.load(f)
    for failure, status in ((CUT, 0), (None, CANTCREAT)):
        item.update(next_at=0, queued_at=item["queued_at"] - 6 * 86400)
        with open(top + name, "w") as f:
            json.dump(item, f)
        if failure:   # that is not what the server has said
            server.answers.insert(0, Answer("MAIL", failure, 1))
        m.run("sendmail", "-q", status=status)
    assert "given up after 5 days" in \
        m.outbox()[0]["recipients"][0]["words"]
    assert server.had == []


def test_each_run_sends_what_is_due(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER, "-t", "-odq")
    assert server.sessions == 0 and len(m.outbox()) == 1
    m.collect(status=None)
    assert len(server.taken) == 1 and m.outbox() == []


def test_the_end_of_the_queue(m, outlet):
    server = outlet()
    m.sends(server)
    for i in range(3):
        send(m, LETTER.replace(b"Lunch", b"%d" % i), "-t", "-odq")
    m.run("sendmail", "-q")
    assert [parsed(x)["Subject"] for x in server.taken] == ["0", "1", "2"]
    assert server.sessions == 1


@pytest.mark.parametrize("what", [CUT, SILENT, "354 go on"],
                         ids=["cut", "silent", "neither yes nor no"])
def test_perhaps_sent(m, outlet, what):
    """The server had all of it and has not said yes."""
    server = outlet().answer("END", what)
    done = send(m.sends(server, timeout=1))
    assert "perhaps sent to bo@example.net" in done.text
    perhaps, = m.outbox()
    assert perhaps["recipients"][0]["state"] == "perhaps-sent"
    m.collect(status=None)
    m.run("outbox", "retry")
    assert len(server.had) == 1
    m.run("outbox", "retry", perhaps["id"])
    assert len(server.taken) == 1 and m.outbox() == []


def test_a_message_that_was_cut_before_its_end_is_sent_again(m, outlet):
    server = outlet(ehlo=[])
    server.stop_after = 5
    server.answer("MIDDLE", CUT)
    done = send(m.sends(server), LARGE)
    assert "waits in the outbox" in done.text, done
    server.heal()
    m.run("outbox", "retry")
    assert len(server.taken) == 1 and m.outbox() == []


def test_a_refusal_before_the_end(m, outlet):
    server = outlet(ehlo=[])
    server.stop_after = 5
    done = send(m.sends(server), LARGE, status=None)
    # What it says may get lost in the line that it breaks.
    state = m.outbox()[0]["recipients"][0]["state"]
    assert state in ("refused", "waiting"), done
    assert server.had == []


def test_yes_before_the_end(m, outlet):
    """It was said before the message, so it is no answer to it."""
    server = outlet().answer("DATA", "354 go on\n250 2.0.0 Ok")
    server.answer("END", "554 5.7.1 no")
    done = send(m.sends(server))
    assert "waits in the outbox" in done.text
    assert m.outbox()[0]["recipients"][0]["state"] == "waiting"


# Accounts that change meanwhile.

def waiting(m, server, *words):
    """A message in the outbox."""
    send(m.sends(server), LETTER, "-t", "-i", "-odq", *words)
    return m.outbox()[0]


def test_a_renamed_account_sends_what_waits(m, outlet):
    """Also what goes out under an address that no account has."""
    server = outlet()
    waiting(m, server, "-f", "bounces@example.com")
    m.run("rename", "casa", "lar")
    m.accounts["lar"] = m.accounts.pop("casa")
    assert m.outbox()[0]["account"] == "lar"
    m.run("outbox", "retry")
    assert len(server.taken) == 1 and m.outbox() == []


def test_an_account_renamed_by_hand_sends_what_waits(m, outlet):
    server = outlet()
    waiting(m, server)
    m.accounts["lar"] = m.accounts.pop("casa")
    m.run("outbox", "retry")
    assert len(server.taken) == 1 and m.outbox() == []


def test_the_account_is_gone(m, outlet):
    """What waits is still listed, and can be dropped."""
    server = outlet()
    item = waiting(m, server)
    assert "1 message of casa still waits" in m.run(
        "forget", "--yes", "--block", "casa").text
    m.accounts.clear()
    assert item["id"] in m.run("outbox").text
    m.run("outbox", "drop", item["id"])
    assert m.outbox() == [] and server.taken == []


# Several recipients.

def test_each_recipient_has_a_fate(m, outlet):
    server = outlet()
    server.answer("RCPT no@example.net", "550 5.1.1 unknown")
    server.answer("RCPT later@example.net", "450 4.2.1 later", nth=0)
    done = send(m.sends(server), LETTER, "-i", "no@example.net",
                "yes@example.net", "later@example.net",
                status=malote.UNAVAILABLE)
    assert "refused for no@example.net" in done.text
    item, = m.outbox()
    assert {r["address"]: r["state"] for r in item["recipients"]} == {
        "no@example.net": "refused", "yes@example.net": "sent",
        "later@example.net": "waiting"}
    server.heal()
    m.run("outbox", "retry", status=CANTCREAT)
    assert [x.recipients for x in server.taken] == [
        ["yes@example.net"], ["later@example.net"]]
    m.run("outbox", "drop", item["id"])
    assert m.outbox() == []


def test_too_many_recipients_at_a_time(m, outlet):
    server = outlet()
    for i in (2, 3):
        server.answer("RCPT %d@example.net" % i, "452 4.5.3 too many")
    send(m.sends(server), LETTER, "-i", *("%d@example.net" % i
                                          for i in range(4)))
    assert [x.recipients for x in server.taken] == [
        ["0@example.net", "1@example.net"],
        ["2@example.net", "3@example.net"]]
    assert m.outbox() == [] and server.sessions == 1


# Commands that do not wait for answers.

AHEAD = ["SIZE 1000000", "8BITMIME", "SMTPUTF8", "PIPELINING"]


def test_a_message_costs_two_turns(m, outlet, line):
    """Whatever the number of its recipients, and over one connection."""
    server = outlet(ehlo=AHEAD)
    slow = line(server.port, 0.01)
    m.sends(server, smtp_port=slow.port)
    for i in range(10):
        send(m, LETTER, "-odq", *("%d-%d@example.net" % (i, k)
                                  for k in range(5)))
    m.run("sendmail", "-q")
    assert len(server.taken) == 10 and server.sessions == 1
    assert all(len(x.recipients) == 5 for x in server.taken)
    assert slow.turns <= 2 * 10 + 5, slow.turns
    assert m.outbox() == []


@pytest.mark.parametrize("stage,reply,state", [
    ("MAIL", "553 5.7.1 not yours", "refused"),
    ("MAIL", "451 4.3.0 later", "waiting"),
    ("MAIL", CUT, "waiting"),
    ("RCPT bo@example.net", "550 5.1.1 unknown", "refused"),
    ("RCPT bo@example.net", "450 4.2.1 later", "waiting"),
    ("DATA", "554 5.7.1 no", "refused"),
    ("DATA", "451 4.3.0 later", "waiting"),
    ("END", "552 5.3.4 too big", "refused"),
    ("END", "451 4.3.0 later", "waiting"),
    ("END", CUT, "perhaps-sent"),
], ids=str)
def test_refusals_of_commands_ahead(m, outlet, stage, reply, state):
    """No answer is taken for that of another command: the message behind is
    sent."""
    server = outlet(ehlo=AHEAD).answer(stage, reply)
    m.sends(server)
    send(m, LETTER, "-t", "-odq")
    send(m, LETTER, "-odq", "-i", "cy@example.net")
    m.run("sendmail", "-q", status=None)
    m.run("outbox", "retry", status=None)
    assert [x.recipients for x in server.taken][-1] != []
    left = {r["address"]: r["state"] for item in m.outbox()
            for r in item["recipients"]}
    want = {} if state == "waiting" else {"bo@example.net": state}
    assert left == want, (left, server.dialogue())
    assert sorted(r for x in server.taken for r in x.recipients) == \
        ["bo@example.net"] * (state == "waiting") + ["cy@example.net"]
    assert all(x.text.endswith(b"\n\nAt one?\n.dotted\n..\n")
               for x in server.taken)


# The outbox.

def test_the_outbox_is_the_persons_own(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER, "-t", "-odq")
    top = m.state + "/outbox"
    assert stat.S_IMODE(os.stat(top).st_mode) == 0o700
    for name in os.listdir(top):
        assert stat.S_IMODE(os.stat(top + "/" + name).st_mode) == 0o600


def test_a_link_in_the_outbox_leads_nowhere(m, outlet):
    m.sends(outlet())
    folder = m.state + "/outbox"
    os.makedirs(folder, 0o700)
    os.symlink(m.home + "/elsewhere", folder + "/lock")
    send(m, status=None)
    assert not os.path.lexists(m.home + "/elsewhere")


def test_the_bounds(m, outlet):
    server = outlet()
    m.sends(server, outbox_messages=2)
    for _ in range(2):
        send(m, LETTER, "-t", "-odq")
    done = send(m, LETTER, "-t", "-odq", status=malote.TEMPFAIL)
    assert "outbox_messages" in done.text and len(m.outbox()) == 2
    m.sends(server, outbox_messages=10, outbox_size="1K")
    send(m, LETTER + b"x\n" * 1000, "-t", "-odq", status=malote.TEMPFAIL)
    assert len(m.outbox()) == 2


@trace.NEEDED
def test_what_is_promised_is_on_the_disk(m, outlet, tmp_path):
    """The message, its record, their folder; before the end of the message
    leaves, that it does."""
    server = outlet()
    m.sends(server)
    send(m, LETTER, "-t", wrap=trace.command(tmp_path / "t"), env=ENV)
    found = trace.events(tmp_path / "t")
    message = trace.first(found, lambda e: e.is_sync(".eml"))
    records = [i for i, e in enumerate(found) if e.is_sync(".new")]
    renamed = [i for i, e in enumerate(found)
               if e.call == "renameat" and ".json" in e.args]
    folder = [i for i, e in enumerate(found) if e.is_sync("/outbox")]
    hello = trace.first(found, lambda e: e.says("EHLO"))
    end = trace.first(found, lambda e: e.says('".\\r\\n"'))
    assert message < records[0] < renamed[0] < folder[0] < hello
    assert hello < records[1] < renamed[1] < folder[1] < end


@trace.NEEDED
def test_what_cannot_be_synced_is_not_promised(m, outlet, tmp_path):
    server = outlet()
    m.sends(server)
    done = send(m, LETTER, "-t", wrap=trace.command(
        tmp_path / "t", "fsync:error=EIO"), env=ENV, status=malote.IOERR)
    assert "outbox" in done.text and server.sessions == 0
    assert m.outbox() == []


def test_two_runs_send_a_message_once(m, outlet):
    server = outlet()
    m.sends(server)
    for i in range(20):
        send(m, LETTER, "-t", "-odq")
    runs = [m.start("outbox", "retry", write=False) for _ in range(4)]
    for run in runs:
        run.wait()
    m.run("outbox", "retry")
    assert len(server.taken) == 20 and m.outbox() == []


def test_what_is_left_by_a_program_that_was_killed(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER, "-t", "-odq")
    top = m.state + "/outbox/"
    for name in ("abcdefg.eml", "abcdefg.new"):
        with open(top + name, "w") as f:
            f.write("half")
    send(m, LETTER, "-t", "-odq")
    assert not any(x.startswith("abcdefg") for x in os.listdir(top))
    assert len(m.outbox()) == 2


def test_a_state_that_is_damaged_loses_no_message(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER, "-t", "-odq")
    top = m.state + "/outbox/"
    name, = (x for x in os.listdir(top) if x.endswith(".json"))
    with open(top + name, "w") as f:
        f.write('{"malote": 1')
    done = m.run("outbox", "list")
    assert "is damaged" in done.text
    assert "is damaged" in m.run("outbox", "retry", status=DATAERR).text
    assert os.path.exists(top + name.replace(".json", ".eml"))


def test_the_daemon_sends_what_waits(m, outlet):
    server = outlet()
    send(m.sends(server), LETTER, "-t", "-odq")
    daemon = m.start("daemon")
    try:
        assert wait_until(lambda: server.taken)
        assert wait_until(lambda: m.outbox() == [])
    finally:
        daemon.signal(signal.SIGTERM)
        daemon.wait()


def test_a_daemon_that_is_stopped_waits_for_an_answer(m, outlet):
    server = outlet()
    daemon = []

    def stop(session):
        daemon[0].signal(signal.SIGTERM)
        time.sleep(0.5)
        return "250 2.0.0 Ok"

    server.answer("END", stop)
    send(m.sends(server), LETTER, "-t", "-odq")
    m.write()
    daemon.append(m.start("daemon", write=False))
    daemon[0].wait()
    assert len(server.taken) == 1 and m.outbox() == []


# A copy of what was sent.

def test_a_copy_in_sent(m, outlet):
    server = outlet()
    m.sends(server, sent="maildir:" + m.home + "/sent")
    send(m)
    (path, octets), = m.files("sent").items()
    assert octets == server.taken[0].text
    assert path.startswith("cur/") and path.endswith(":2,S")


def test_a_copy_that_cannot_be_made_is_made_later(m, outlet):
    server = outlet()
    place = m.home + "/sent"
    with open(place, "w"):
        pass
    m.sends(server, sent="maildir:" + place)
    done = send(m)
    assert "there is no copy" in done.text and len(server.taken) == 1
    os.unlink(place)
    m.run("outbox", "retry")
    assert len(server.taken) == 1 and len(m.files("sent")) == 1
    assert m.outbox() == []


def test_status_tells_of_the_outbox(m, outlet):
    server = outlet().answer("MAIL", "550 no")
    assert "outbox" not in m.sends(server).run("status").text
    assert "sends by 127.0.0.1:%d" % server.port in m.run("accounts").text
    send(m, status=malote.UNAVAILABLE)
    assert "outbox: 1 message: malote outbox list" in m.run("status").text


# malote test.

def test_what_malote_test_says(m, lie, outlet):
    server = outlet()
    m.sends(server, port=lie([]).port)
    done = m.run("test")
    assert "sending by 127.0.0.1:%d is well, too (PLAIN)" % server.port \
        in done.text
    server.users = {"user": "other"}
    done = m.run("--json", "test", status=malote.NOPERM)
    sending = done.account("casa")["sending"]
    assert sending["outcome"] == "denied" and "5.7.8" in sending["words"]
    assert server.sent("MAIL") == []


# What it is called by.

def test_by_a_link(m, outlet):
    server = outlet()
    m.sends(server).write()
    link = m.home + "/sendmail"
    os.symlink(malote.BINARY, link)
    env = {**m.env, "XDG_CONFIG_HOME": m.home, "XDG_STATE_HOME": m.home}
    os.mkdir(m.home + "/malote")
    os.rename(m.conf, m.home + "/malote/malote.conf")
    subprocess.run([link, "-t", "-oi"], input=LETTER, env=env, check=True,
                   timeout=60)
    assert len(server.taken) == 1


def test_send_takes_a_file(m, outlet):
    server = outlet()
    path = m.home + "/letter.eml"
    with open(path, "wb") as f:
        f.write(LETTER)
    m.sends(server)
    done = m.run("send", path)
    assert b"sent to bo@example.net" in done.out
    m.run("send", "casa", text=LETTER)
    m.run("send", "casa", "-", text=LETTER)
    m.run("send", text=LETTER)
    assert len(server.taken) == 4
    done = m.run("--json", "send", text=LETTER)
    assert done.json["exit_code"] == 0 and len(server.taken) == 5
    m.run("send", "casa", m.home + "/none", status=malote.USAGE)
    m.run("send", "other", path, status=malote.USAGE)


@pytest.mark.parametrize("words,status", [
    (["-bs"], malote.USAGE), (["-bd"], malote.USAGE), (["-bp"], 0),
    (["-bi"], 0), (["-q"], 0), (["-q5m"], 0), (["-Z"], malote.USAGE),
    (["-f"], malote.USAGE), (["-t"], malote.USAGE), ([], malote.USAGE),
    (["x y z"], DATAERR), (["nobody-here"], DATAERR),
    (["-N", "success,failure", "-R", "hdrs", "-B", "8BITMIME", "-oem",
      "-odi", "-v", "-L", "x", "-G", "-i", "--", "bo@example.net"], 0),
], ids=str)
def test_options_as_others_have_them(m, outlet, words, status):
    server = outlet()
    m.sends(server).run("sendmail", *words, text=b"\nx\n", status=status)
    m.run("--", "sendmail", *words, text=b"\nx\n", status=status)
    assert len(server.taken) == 2 * (words[-1:] == ["bo@example.net"])
