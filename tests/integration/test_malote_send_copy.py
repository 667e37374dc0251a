"""A copy of what was sent is kept once, in a Maildir and on an IMAP server, whatever
is killed or cut while it is made."""
import os
import platform
import re

import pytest

import imap_line
import malote
from server import wait_until
from test_malote_imap import PLAIN, into
from test_malote_kill import ALL, ENV, KILLED, spread

pytestmark = malote.NEEDED
TRACED = pytest.mark.skipif(platform.machine() != "x86_64",
                            reason="killer.c knows x86-64 only")
LETTER = (b"From: Ana <ana@example.org>\nTo: bo@example.net\n"
          b"Message-ID: <one@example.org>\n\nAt one?\n")


def keeps(m, server, site, port=None, box="INBOX"):
    """It sends by the one, and keeps copies at the other."""
    into(m, site)
    m.account(deliver="maildir:" + m.home + "/mail")
    return m.sends(server, sent="imaps://ana@localhost:%d/%s" % (
        port or site.tls_port, box))


def once(m, server, site, box, what):
    """After clean runs: it has arrived once, and the copy is there once; or
    nobody knows whether it has, which is said, and there is none."""
    server.settle()
    server.heal()
    for _ in range(2):
        m.run("outbox", "retry", status=None)
    left = m.outbox()
    copies = site.texts(box)
    assert len(server.taken) <= 1, what
    if left:
        fate, = {r["state"] for r in left[0]["recipients"]}
        assert fate == "perhaps-sent" and copies == [], (what, left)
        return
    assert len(copies) == len(server.taken), (what, copies)
    for text in copies:
        assert text.endswith(b"\n\nAt one?\n"), what


def test_in_imap(client, outlet, dovecot_imap):
    """As it was sent, and read; in a mailbox that is made."""
    site, server, m = dovecot_imap(), outlet(), client()
    keeps(m, server, site, box="Enviadas")
    for _ in range(2):
        m.run("sendmail", "-t", text=LETTER)
    copies = site.fetch("Enviadas")
    assert [x[0] for x in copies] == [x.octets for x in server.taken]
    assert len(copies) == 2
    assert all("\\Seen" in flags for _, flags, _ in copies)
    assert m.outbox() == [] and os.listdir(m.state + "/spool") == []


def test_imap_is_away(client, outlet, dovecot_imap):
    """It was sent, which is said once; the copy follows."""
    site, server, m = dovecot_imap(), outlet(), client()
    keeps(m, server, site).run("test", status=None)
    site.stop()
    done = m.run("send", text=LETTER)
    assert b"sent to bo@example.net" in done.out
    assert "there is no copy" in done.text and len(server.taken) == 1
    done = m.run("outbox", "retry", status=75)
    assert "there is no copy" in done.text and done.out == b""
    site.start()
    m.run("outbox", "retry")
    assert len(server.taken) == 1 and len(site.texts()) == 1
    assert m.outbox() == []


def test_who_keeps_it_is_asked_no_more(client, outlet, dovecot_imap):
    """A copy is in doubt, and the place for it another one by now: it is made
    there, and that it may be at the first is no loss."""
    site, server, m = dovecot_imap(), outlet(), client()
    run = []

    def on(_):
        if not run or not site.texts():
            return False
        run[0].kill()
        return True

    one = imap_line.Line(site.tls_port)
    keeps(m, server, site, one.port)
    one.on = on
    run.append(m.start("sendmail", "-t", text=LETTER))
    run[0].wait(status="killed")
    one.stop()
    m.account(sent="maildir:" + m.home + "/sent")
    m.run("outbox", "retry")
    assert len(m.files("sent")) == 1 and len(server.taken) == 1
    assert m.outbox() == []


@ALL
@TRACED
@pytest.mark.timeout(900)
def test_killed_at_every_change(client, outlet, dovecot_imap, killer, places):
    """At each system call that changes something on our disk."""
    site = dovecot_imap()
    server, m = outlet(), client()
    keeps(m, server, site, box="first")
    done = m.run("sendmail", "-t", text=LETTER, wrap=[killer, "0", "torn"],
                 env=ENV, seconds=60)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    hit = 0
    for n in spread(total, places and 2 * places):
        m, box, server = client("home%d" % n), "box%d" % n, outlet()
        keeps(m, server, site, box=box)
        code = m.run("sendmail", "-t", text=LETTER,
                     wrap=[killer, str(n), "torn"], env=ENV, status=None,
                     seconds=60).code
        assert code in (0, KILLED), code
        hit += code == KILLED
        once(m, server, site, box, "change %d" % n)
        server.stop()
    assert hit >= 5


@ALL
@pytest.mark.parametrize("more", ["", PLAIN], ids=["", "plain"])
@pytest.mark.parametrize("how", ["kill", "cut"])
@pytest.mark.timeout(900)
def test_at_every_reply_of_imap(client, outlet, dovecot_imap, places, more,
                                how):
    """We are killed before each piece that it says, or the line is cut."""
    site, server, m = dovecot_imap(more=more), outlet(), client()
    probe = imap_line.Line(site.tls_port)
    keeps(m, server, site, probe.port, "first")
    m.run("sendmail", "-t", text=LETTER)
    total = probe.pieces
    probe.stop()
    for n in spread(total, places):
        m, box, server, run = client("home%d" % n), "box%d" % n, outlet(), []

        def on(number, run=run, n=n):
            if number != n:
                return False
            if how == "kill":
                wait_until(lambda: run)[0].kill()
            return True

        one = imap_line.Line(site.tls_port, on)
        keeps(m, server, site, one.port, box)
        run.append(m.start("sendmail", "-t", text=LETTER))
        wait_until(run[0].poll, 60)
        once(m, server, site, box, "%s at piece %d" % (how, n))
        one.stop()
        server.stop()
