"""Several batches are under way to an IMAP server: what is in doubt after a cut or a
kill is all of them."""
import os
import time

import pytest

import imap_fake
import imap_line
import malote
from hostile import letters, mails
from malote import same
from server import wait_until
from test_malote_imap import begin, into, settled

pytestmark = malote.NEEDED
COUNT = 200  # messages: several batches, each of one command
SIGN_IN = 4000  # octets, and some of the first message


@pytest.fixture
def two(lie, client, fake_imap):
    """A server that is silent until two batches are there."""
    site, m = fake_imap(), client()
    site.holds = 2
    server, wanted = begin(lie, m, site, COUNT)
    return site, m, server, wanted


def spool(m):
    return len(os.listdir(m.state + "/spool"))


def appends(site):
    return len(site.said("APPEND"))


@pytest.mark.core
def test_next_batch_does_not_wait(two):
    """It leaves before the answer to the one before: else nothing would come."""
    site, m, server, wanted = two
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == [] and site.connections == 1
    assert appends(site) >= 2 and spool(m) == 0


def ends(site, stored, how):
    """how() when the second batch is there; stored: so many are then."""
    def end(*_):
        if appends(site) < 2:
            return None
        site.holds, site.after_append, site.on_append = 1, None, None
        how()
        raise imap_fake.Hangup

    if stored == 1:
        site.on_append = end
    else:
        site.after_append = end


STORED = pytest.mark.parametrize("stored", [1, 2])


@STORED
def test_line_lost(two, stored):
    """Both are in doubt: what is there is found, the rest is given again."""
    site, m, server, wanted = two
    ends(site, stored, lambda: None)
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == [] and site.connections == 2


@STORED
def test_killed(two, stored):
    """The same; the next run asks for all of them."""
    site, m, server, wanted = two
    run = []
    ends(site, stored, lambda: wait_until(lambda: run)[0].kill())
    run.append(m.start("collect"))
    run[0].wait(status="killed")
    assert len(server.box.mails) == COUNT and site.texts() != []
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == [] and spool(m) == 0


def test_one_refused(two):
    """The first of them, for one message: that stays, and the others come."""
    site, m, server, wanted = two
    bad = wanted[5].split(b"\n\n")[0]

    def refuse(octets):
        if bad in octets.replace(b"\r\n", b"\n"):
            return "NO [LIMIT] not this one"
        return None

    site.on_append = refuse
    done = m.collect(status="bad")
    assert "not this one" in done.text
    same(site.texts(), wanted[:5] + wanted[6:])
    assert len(server.box.mails) == 1


def test_renumbered_under_way(two):
    """The mailbox is another one when the second comes: its numbers are asked for
    before anything else is sent."""
    site, m, server, wanted = two

    def renumber():
        site.after_append = None
        site.boxes["INBOX"].validity = 99

    site.after_append = renumber
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []
    server.box.mails.extend(letters(1, 60, "later%d"))
    wanted.append(server.box.mails[0].local)
    site.holds = 1
    m.collect()
    same(site.texts(), wanted)


def test_twin_of_one_under_way(lie, client, fake_imap):
    """One of the same octets as one that has no answer yet waits for that, so that
    the first is never taken for both."""
    site, m = fake_imap(), client()
    twin = b"Message-ID: <1@a>\n\nx\n"
    server = lie(mails([twin], "twin%d") + letters(COUNT)
                 + mails([twin], "other%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")
    run = []

    def slow():
        """All that need not wait is under way by then."""
        site.after_append = None
        wait_until(lambda: spool(m) == COUNT + 2)
        time.sleep(0.3)

    def kill(octets):
        """What the answers before say has been done, and it is not there yet."""
        if octets != twin.replace(b"\n", b"\r\n") or site.texts() == []:
            return
        wait_until(lambda: spool(m) <= COUNT + 2 - len(site.texts()))
        run[0].kill()
        site.on_append = None
        raise imap_fake.Hangup

    site.after_append, site.on_append = slow, kill
    run.append(m.start("collect"))
    run[0].wait(status="killed")
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == []


# A real server.

def says_nothing(lie, client, site, kills):
    """Nothing of what it says is heard any more, and the line is lost, or malote is
    killed, after so many octets."""
    probe = imap_line.Line(site.tls_port)
    m = client()
    server, wanted = begin(lie, m, site, COUNT, "first", port=probe.port)
    m.collect()
    probe.stop()
    for k in range(1, 8, 2):
        m, box = client("home%d" % k), "box%d" % k
        at = SIGN_IN + (probe.octets - SIGN_IN) * k // 8
        one = imap_line.Line(site.tls_port, mute=SIGN_IN, cut=at)
        server, wanted = begin(lie, m, site, COUNT, box, port=one.port)
        run = m.start("collect")
        if kills:
            wait_until(lambda one=one, run=run: one.cut is None or run.poll())
            run.kill()
        wait_until(run.poll, 60)
        settled(site, m, server, wanted, box)
        one.stop()
        server.stop()


KILLS = pytest.mark.parametrize("kills", [False, True], ids=["cut", "killed"])


@KILLS
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_dovecot_says_nothing(lie, client, dovecot_imap, kills):
    says_nothing(lie, client, dovecot_imap(), kills)


@KILLS
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cyrus_says_nothing(lie, client, cyrus_imap, kills):
    says_nothing(lie, client, cyrus_imap, kills)
