"""Rules that deliver into IMAP, for an account that delivers into a Maildir."""
import re

import pytest

import imap_fake
import malote
from hostile import mails
from malote import same
from test_malote_imap import ALL, CONFIG, ENV, KILLED, LATER, TRACED

pytestmark = malote.NEEDED
RULE = {"match": "subject:lista"}
USER = "ana@"


def texts(count):
    """Every second one is for the rule."""
    return [b"Message-ID: <%d@example.org>\nSubject: %s\n\ntext %d\n"
            % (n, b"Lista" if n % 2 else b"x", n) for n in range(count)]


def begin(lie, m, site, count=6, box="INBOX", **settings):
    """(server, what is for the Maildir, what is for the mailbox)"""
    server = lie(mails(texts(count)))
    m.destinations["localhost"] = {
        "password": "hush", "ca_file": site.certs.ca, **settings}
    m.rules["lista"] = {**RULE, "deliver": "imaps://%slocalhost:%d/%s" % (
        "" if "user" in settings else USER, site.tls_port, box)}
    m.account(at=server, keep="no")
    local = [x.local for x in server.box.mails]
    return server, local[::2], local[1::2]


def settled(site, m, server, here, there, box="INBOX"):
    same(m.files().values(), here)
    same(site.texts(box), there)
    assert server.box.mails == []


def test_sorted(lie, client, dovecot_imap):
    """Each where it should be, once; the user may stand in the block."""
    site, m = dovecot_imap(), client()
    server, here, there = begin(lie, m, site, 40, user="ana")
    m.collect()
    settled(site, m, server, here, there)
    m.collect()
    settled(site, m, server, here, there)


def test_beside_the_accounts_own(lie, client, dovecot_imap):
    """Two mailboxes of one server."""
    site, m = dovecot_imap(), client()
    server, here, there = begin(lie, m, site, 20, box="Listas")
    m.account(deliver="imaps://ana@localhost:%d/INBOX" % site.tls_port)
    m.collect()
    same(site.texts(), here)
    same(site.texts("Listas"), there)
    assert server.box.mails == []


def test_asked_at_the_terminal(lie, client, dovecot_imap, typist):
    """By its own name, when the first message is for it."""
    site, m = dovecot_imap(), client()
    server, here, there = begin(lie, m, site, password=None)
    t = typist(m, "collect")
    t.expect(b"Password for localhost (ana at localhost): ")
    t.type(b"hush\n")
    assert t.wait() == 0
    settled(site, m, server, here, there)


def test_trial(lie, client, dovecot_imap):
    """malote test signs in there."""
    site, m = dovecot_imap(), client()
    begin(lie, m, site)
    m.run("test")
    m.destinations["localhost"]["password"] = "wrong"
    done = m.run("test", status="bad")
    assert "uthentication failed" in done.text and "rule lista" in done.text
    assert site.texts() == []


def test_away(lie, client, dovecot_imap):
    """The other mail comes; what is for it stays, and comes later."""
    site, m = dovecot_imap(), client()
    server, here, there = begin(lie, m, site)
    site.stop()
    done = m.collect(status=LATER)
    assert "rule lista" in done.text
    same(m.files().values(), here)
    assert [x.local for x in server.box.mails] == there
    site.start()
    m.collect()
    settled(site, m, server, here, there)


def test_stub(lie, client, dovecot_imap):
    """Of a large message only the header, in the mailbox of its rule."""
    site, m = dovecot_imap(), client()
    server, here, _ = begin(lie, m, site, 3)
    large = mails([b"Subject: Lista grande\n\n" + b"x\n" * 9000], "large%d")
    server.box.mails.extend(large)
    m.account(headers_above=9000)
    m.collect()
    same(m.files().values(), here)
    assert len(site.texts()) == 2 and b"Lista grande" in site.texts()[1]
    assert server.box.mails == large


@pytest.mark.parametrize("what", ["rule", "sent"])
def test_not_possible(client, what):
    """Told with the line."""
    m = client().account(at=9)
    if what == "rule":
        m.rules["lista"] = {**RULE, "deliver": "imaps://localhost/INBOX"}
    else:
        m.account(email=None, smtp_server="127.0.0.1",
                  sent="imaps://localhost/Sent")
    done = m.collect(status=CONFIG)
    assert ("deliver" if what == "rule" else "sent") + \
        ' = "imaps://localhost' in done.text
    assert "does not say who signs in" in done.text
    assert re.search(r"malote\.conf:\d+:", done.text), done.text


@ALL
@TRACED
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, dovecot_imap, killer, places):
    """At each system call that changes something on our disk."""
    site, m = dovecot_imap(), client()
    begin(lie, m, site, box="first")
    done = m.collect(wrap=[killer, "0", "before"], env=ENV, seconds=60)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    hit = 0
    step = max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        m, box = client("home%d" % n), "box%d" % n
        server, here, there = begin(lie, m, site, box=box)
        code = m.collect(wrap=[killer, str(n), "torn"], env=ENV,
                         status=None, seconds=60).code
        assert code in (0, KILLED), code
        hit += code == KILLED
        m.collect()
        settled(site, m, server, here, there, box)
        server.stop()
    assert hit >= 5


def hang_up_for_good(site):
    def hang_up():
        site.greeting = "* BYE gone"
        raise imap_fake.Hangup

    site.after_append = hang_up


def test_it_hangs_up_for_good(lie, client, fake_imap):
    """What is in doubt ends the run.  The next one asks where the intent says,
    whatever the rules are by then, before anything is collected."""
    site, m = fake_imap(), client()
    server, here, there = begin(lie, m, site)
    hang_up_for_good(site)
    m.collect(status=LATER)
    assert [x for x in server.box.mails if x.local in there]
    assert len(server.numbers("RETR")) == 6
    same(site.texts(), there)
    m.rules["lista"]["match"] = "subject:nothing"
    server.forget()
    m.collect(status=LATER)
    assert server.numbers("RETR") == []
    site.greeting, site.after_append = "* OK ready", None
    done = m.collect()
    assert "twice" not in done.text
    settled(site, m, server, here, there)


def test_untold(lie, client, fake_imap):
    """It cannot be told whether the rule's place has them: they are given again,
    and that is said."""
    site, m = fake_imap(), client()
    server, here, there = begin(lie, m, site)

    def renumber():
        site.boxes["INBOX"].validity += 1
        site.after_append = None
        raise imap_fake.Hangup

    site.after_append = renumber
    done = m.collect()
    assert "3 messages are delivered once more" in done.text
    settled(site, m, server, here, there * 2)


def test_in_doubt_and_moved_away_from(lie, client, fake_imap):
    """No rule and no account goes there any more: collected again, and that is
    said."""
    site, m = fake_imap(), client()
    server, here, there = begin(lie, m, site)
    hang_up_for_good(site)
    m.collect(status=LATER)
    m.rules.clear()
    done = m.collect()
    assert "twice" in done.text
    same(m.files().values(), here + there)
    assert server.box.mails == []
