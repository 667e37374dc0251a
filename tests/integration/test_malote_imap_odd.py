"""IMAP servers as destinations that do what Dovecot does not: an imap_fake."""
import os
import threading
import time

import pytest

import imap_fake
import malote
from hostile import letters, mails
from malote import same
from server import PATIENCE, wait_until
from test_malote_imap import CONFIG, LATER, REFUSED, begin, into

pytestmark = malote.NEEDED
GMAIL = "UIDPLUS LITERAL- X-GM-EXT-1 UTF8=ACCEPT ENABLE"


@pytest.mark.core
@pytest.mark.parametrize("can", [
    "", "UIDPLUS", "LITERAL-", "LITERAL+", "LITERAL+ MULTIAPPEND",
    "LITERAL- MULTIAPPEND UIDPLUS UTF8=ACCEPT ENABLE"])
def test_what_it_can(lie, client, fake_imap, can):
    """Whatever it has, each comes once."""
    site, m = fake_imap(can=can), client()
    server = lie(letters(20) + mails([
        b"Subject: caf\xc3\xa9\n\n" + b"x\n" * 3000], "more%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, site, box="Fam%C3%ADlia").account(at=server, keep="no")
    m.collect()
    name = "Família" if "UTF8" in can else "Fam&AO0-lia"
    same(site.texts(name), wanted)
    assert server.box.mails == []
    commands = [c for c in site.commands if c.startswith("APPEND")]
    if can == "LITERAL+ MULTIAPPEND":
        assert len(commands) < 5
    if "UTF8" in can:
        assert any("UTF8 (~{" in c for c in commands) or \
            "MULTIAPPEND" in can


@pytest.mark.parametrize("words, code", [
    ("NO [LIMIT] too many", REFUSED), ("BAD what", REFUSED),
    ("NO no", REFUSED), ("NO [OVERQUOTA] full", LATER),
    ("NO [SERVERBUG] oops", LATER)])
@pytest.mark.parametrize("can", ["", "UIDPLUS LITERAL+ MULTIAPPEND"])
def test_one_is_refused(lie, client, fake_imap, words, code, can):
    """It stays and is told; the others that were sent with it go on."""
    site, m = fake_imap(can=can), client()
    server = lie(letters(5))
    bad = server.box.mails[2]
    wanted = [x.local for x in server.box.mails if x is not bad]
    key = bad.local.replace(b"\n", b"\r\n")
    site.on_append = lambda octets: words if octets == key else None
    into(m, site).account(at=server, keep="no")
    done = m.collect(status=code)
    assert words.split(" ")[-1] in done.text
    same(site.texts(), wanted)
    assert server.box.mails == [bad]


def test_mailbox_goes_meanwhile(lie, client, fake_imap):
    """It is none of the messages' fault; the next run makes it."""
    site, m = fake_imap(), client()
    server, wanted = begin(lie, m, site, box="Lists")

    def gone(_):
        del site.boxes["Lists"]
        site.on_append = None

    site.on_append = gone
    m.collect(status=LATER)
    assert len(server.box.mails) == 5
    m.collect()
    same(site.texts("Lists"), wanted)
    assert server.box.mails == []


def test_larger_than_it_takes(lie, client, fake_imap):
    """What it would refuse is not sent."""
    site, m = fake_imap(can="LITERAL+ APPENDLIMIT=5000"), client()
    server = lie(letters(2) + mails([b"A: b\n\n" + b"y\n" * 3000], "big%d"))
    wanted = [x.local for x in server.box.mails[:2]]
    into(m, site).account(at=server, keep="no")
    done = m.collect(status=REFUSED)
    assert "size" in done.text
    same(site.texts(), wanted)
    assert len(server.box.mails) == 1


def test_it_is_met_while_the_session_signs_in(lie, client, fake_imap):
    """Where mail is likely: at first, and after a run that brought some.  What
    comes of that does not matter if there is none."""
    site, m = fake_imap(), client()
    server = lie([])
    into(m, site).account(at=server, keep="no")
    m.collect()
    assert site.connections == 1
    m.collect()
    assert site.connections == 1
    server.box.mails.extend(letters(1))
    m.collect()
    assert site.connections == 2 and len(site.texts()) == 1
    m.collect()
    assert site.connections == 3 and site.said("APPEND") != []
    site.greeting = "* BYE too many"
    m.collect()
    assert site.connections == 4
    server.box.mails.extend(letters(1, 7, "other%d"))
    server.forget()
    assert "too many" in m.collect(status=LATER).text
    assert server.numbers("RETR") == []


@pytest.mark.parametrize("more, words, code", [
    ({"greeting": "* BYE too many"}, "too many", LATER),
    ({"greeting": "* PREAUTH hello"}, "as if we had signed in", LATER),
    ({"greeting": "+OK POP3"}, "does not greet", LATER),
    ({"auth": "LOGINDISABLED"}, "no sign-in", CONFIG),
])
def test_no_way_in(lie, client, fake_imap, more, words, code):
    """Nothing is asked for."""
    site, m = fake_imap(**more), client()
    server, _ = begin(lie, m, site)
    done = m.collect(status=code)
    assert words in done.text
    assert server.numbers("RETR") == []


def test_refused_password_is_not_tried_again(lie, client, fake_imap,
                                             portuguese):
    """Until something of it is another, or the person wants it: servers lock out who
    comes again and again.  And status says the same."""
    site, m = fake_imap(), client()
    server, wanted = begin(lie, m, site, password="wrong")
    again = "it is not tried again until the password or the account changes"
    said = m.collect(status=CONFIG).text
    assert "refuses the sign-in of ana" in said and again in said
    assert "malote collect --accept casa" in said
    assert m.collect(status=CONFIG).text == said
    assert site.connections == 1 and server.numbers("RETR") == []
    assert again in m.run("status").text
    assert "só será tentado de novo quando a senha ou a conta mudar" in \
        m.collect(status=CONFIG, env=portuguese).text
    m.collect("--accept", status=CONFIG)
    assert site.connections == 2
    m.destinations["localhost"]["password"] = "hush"
    m.collect()
    same(site.texts(), wanted)
    assert "not tried again" not in m.run("status").text


@pytest.mark.parametrize("more, words", [
    ({"starttls": "NO not now"}, "not now"),
    ({"starttls": "OK go", "behind_starttls": b"* CAPABILITY AUTH=PLAIN\r\n"},
     ""),
    ({"can": "", "auth": ""}, "")])
def test_starttls(lie, client, fake_imap, more, words):
    """Without TLS, or with words in front of it, nothing of ours is said."""
    set_up = {k: more.pop(k) for k in list(more) if k.startswith("start")
              or k.startswith("behind")}
    site, m = fake_imap(tls=False, **more), client()
    for name, value in set_up.items():
        setattr(site, name, value)
    if not set_up:
        imap_fake.Session.capability, kept = (
            lambda _: "CAPABILITY IMAP4rev1"), imap_fake.Session.capability
    server, _ = begin(lie, m, site, scheme="imap")
    try:
        done = m.collect(status="bad")
    finally:
        if not set_up:
            imap_fake.Session.capability = kept
    assert words in done.text
    assert not any(c.startswith(("AUTHENTICATE", "LOGIN"))
                   for c in site.commands)
    assert server.numbers("RETR") == []


def test_login_command(lie, client, fake_imap):
    """Where there is no AUTH=."""
    site, m = fake_imap(auth=""), client()
    server, wanted = begin(lie, m, site)
    m.collect()
    assert 'LOGIN "ana" "hush"' in site.commands
    same(site.texts(), wanted)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_token(lie, client, fake_imap, mechanism):
    """One that was refused is asked for once more."""
    site, m = fake_imap(auth="AUTH=" + mechanism), client()
    site.tokens = ["good"]
    count = m.home + "/count"
    server, wanted = begin(
        lie, m, site, password=None,
        token_command="echo x >>%s; if [ $(wc -l <%s) = 1 ]; then echo old; "
        "else echo good; fi" % (count, count))
    m.collect()
    same(site.texts(), wanted)
    site.tokens = []
    server.box.mails.extend(letters(1, 60, "later%d"))
    m.collect(status=CONFIG)
    assert len(server.box.mails) == 1


@pytest.mark.parametrize("can", ["", "UIDPLUS LITERAL+ MULTIAPPEND"])
def test_it_hangs_up_on_stored_ones(lie, client, fake_imap, can):
    """Stored, but not said so: found within the run, over a new connection."""
    site, m = fake_imap(can=can), client()
    server, wanted = begin(lie, m, site)

    def hang_up():
        site.after_append = None
        raise imap_fake.Hangup

    site.after_append = hang_up
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == [] and site.connections == 2


def test_it_says_yes_too_soon(lie, client, fake_imap):
    """A message that has not been sent yet is there in no case."""
    site, m = fake_imap(can=""), client()
    server, wanted = begin(lie, m, site)
    site.early = 2
    assert "before it was sent" in m.collect(status=LATER).text
    assert len(server.box.mails) == 5 and site.texts() == []
    site.early = 1
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("can", ["", "UIDPLUS MULTIAPPEND"])
def test_rev2_alone(lie, client, fake_imap, can):
    """A server that has nothing before IMAP4rev2 (RFC 9051): names in UTF-8,
    ESEARCH; what is in doubt is found there, also among others that came."""
    site, m = fake_imap(can=can, revisions="IMAP4rev2"), client()
    server = lie(letters(20) + mails([
        b"Subject: caf\xc3\xa9\n\n" + b"x\n" * 3000], "more%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, site, box="Fam%C3%ADlia & co").account(at=server, keep="no")
    other = b"Subject: another\r\n\r\nx\r\n"

    def hang_up():
        site.boxes["Família & co"].add(other)
        site.after_append = None
        raise imap_fake.Hangup

    site.after_append = hang_up
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts("Família & co"),
         wanted + [other.replace(b"\r\n", b"\n")])
    assert server.box.mails == [] and site.connections == 2
    assert site.said("ENABLE") == []


def test_without_a_name(lie, client, fake_imap):
    """A message without Message-ID is found by its size."""
    site, m = fake_imap(can=""), client()
    server = lie(mails([b"Subject: %d\n\n%s\n" % (n, b"x" * n)
                        for n in range(1, 4)]))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")

    def hang_up():
        if len(site.texts()) == 3:
            site.after_append = None
            raise imap_fake.Hangup

    site.after_append = hang_up
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == [] and site.connections == 2


def test_many_since(lie, client, fake_imap):
    """More have come since than an answer may tell of: it cannot be told, and
    nothing is stuck."""
    site, m = fake_imap(), client()
    server, wanted = begin(lie, m, site, count=1)

    def hang_up():
        site.boxes["INBOX"].messages.clear()
        for _ in range(9000):
            site.boxes["INBOX"].add(b"A: b\r\n\r\nx\r\n")
        site.after_append = None
        raise imap_fake.Hangup

    site.after_append = hang_up
    done = m.collect()
    assert "twice" in done.text
    assert site.texts()[-1] == wanted[0]
    assert server.box.mails == []


def test_twins(lie, client, fake_imap):
    """Two with the same octets are two: one that is there is not taken for
    both."""
    site, m = fake_imap(can="UIDPLUS LITERAL+"), client()
    server = lie(mails([b"Message-ID: <1@a>\n\nx\n"] * 2))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")

    def hang_up():
        site.after_append = None
        raise imap_fake.Hangup

    site.after_append = hang_up
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("between", [0, 640])  # more than are under way
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("can, told", [
    ("LITERAL+", None), ("UIDPLUS LITERAL+", None), ("UIDPLUS LITERAL+", 0)])
def test_twin_of_one_that_is_there(lie, client, fake_imap, can, told, killed,
                                   between):
    """The first has been answered, the second is in doubt and is not there, in the
    same batch or a later one: the copy that is found is that of the first."""
    site, m, run = fake_imap(can=can), client(), []
    site.told = told
    twin = b"Message-ID: <1@a>\n\nx\n"
    server = lie(mails([twin]) + letters(between) + mails([twin], "other%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")

    def end(octets):
        if octets != twin.replace(b"\n", b"\r\n") or not site.texts():
            return None
        wait_until(lambda: len(os.listdir(m.state + "/spool")) == 1)
        if killed:
            run[0].kill()
        site.on_append = None
        raise imap_fake.Hangup

    site.on_append = end
    run.append(m.start("collect"))
    run[0].wait(status="killed" if killed else 0)
    if killed:
        assert len(site.texts()) == 1 + between
        assert "twice" not in m.collect().text
    same(site.texts(), wanted)
    assert server.box.mails == []


def test_it_hangs_up_for_good(lie, client, fake_imap):
    """The next run asks, before anything is collected."""
    site, m = fake_imap(), client()
    server, wanted = begin(lie, m, site)

    def hang_up():
        site.greeting = "* BYE gone"
        raise imap_fake.Hangup

    site.after_append = hang_up
    m.collect(status=LATER)
    assert len(server.box.mails) == 5
    server.forget()
    m.collect(status=LATER)
    assert server.numbers("RETR") == []
    site.greeting, site.after_append = "* OK ready", None
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == []


def test_stopped(lie, client, fake_imap):
    """A server that says nothing does not hold up who wants to end; what it has
    taken meanwhile is found by the next run."""
    site, m = fake_imap(), client()
    server, wanted = begin(lie, m, site)
    m.account(timeout=600)
    asked, go = threading.Event(), threading.Event()

    def wait(_):
        asked.set()
        go.wait(600)

    site.on_append = wait
    run = m.start("collect")
    assert asked.wait(60)
    run.signal(15)
    start = time.monotonic()
    run.wait(status=LATER, seconds=60)
    assert time.monotonic() - start < 30 * PATIENCE
    assert len(server.box.mails) == 5
    go.set()
    wait_until(lambda: len(site.texts()) == 5)
    site.on_append = None
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("same_octets", [True, False])
def test_another_of_that_name(lie, client, fake_imap, same_octets):
    """The Message-ID alone proves nothing: what has another body there is not
    it."""
    site, m = fake_imap(), client()
    server, wanted = begin(lie, m, site, count=1)

    def change():
        site.after_append = None
        octets = site.boxes["INBOX"].messages[0].octets
        if not same_octets:
            site.boxes["INBOX"].messages[0].octets = \
                octets[:-3] + b"?" + octets[-2:]
        raise imap_fake.Hangup

    site.after_append = change
    done = m.collect()
    assert ("twice" in done.text) == (not same_octets)
    assert len(site.texts()) == (1 if same_octets else 2)
    assert site.texts()[-1] == wanted[0]
    assert server.box.mails == []


def test_moved_in_gmail(lie, client, fake_imap):
    """Archived meanwhile: it is in All Mail."""
    site, m = fake_imap(can=GMAIL), client()
    site.boxes["[Gmail]/Todos"] = imap_fake.Box(9, "\\HasNoChildren \\All")
    server = lie(mails([b"Message-ID: <%d@a>\n\nx%d\n" % (n, n)
                        for n in range(5)]))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")

    def archive():
        if len(site.texts()) < 5:
            return
        site.after_append = None
        site.boxes["INBOX"].messages.clear()
        raise imap_fake.Hangup

    site.after_append = archive
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts("[Gmail]/Todos"), wanted)
    assert server.box.mails == []
