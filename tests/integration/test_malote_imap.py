"""malote delivers into mailboxes of real IMAP servers, once each."""
import os
import platform
import re

import pytest

import imap_line
import malote
from hostile import Mail, letters, mails
from malote import same
from server import wait_until

pytestmark = malote.NEEDED
LATER, CONFIG, REFUSED = 75, 78, 73
KILLED = 99  # killer.c says so
# A tracer and LeakSanitizer exclude each other.
ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
       + ":detect_leaks=0"}
TRACED = pytest.mark.skipif(platform.machine() != "x86_64",
                            reason="killer.c knows x86-64 only")
QUICK = 5  # places that a quick run tries
ALL = pytest.mark.parametrize("places", [
    QUICK, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
# What a server has that has little.
PLAIN = "protocol imap {\n imap_capability = IMAP4rev1\n}\n"
NO_UIDPLUS = ("protocol imap {\n"
              " imap_capability = IMAP4rev1 SASL-IR LITERAL+\n}\n")
QUOTA = ("plugin {\n quota = count:x\n quota_vsizes = yes\n"
         " quota_rule = *:bytes=%d\n quota_grace = 0\n}\n")


def into(m, site, box="INBOX", scheme="imaps", port=None, **settings):
    """Its account delivers there."""
    port = port or (site.tls_port if scheme == "imaps" else site.port)
    m.destinations["localhost"] = {
        "password": "hush", "ca_file": site.certs.ca, **settings}
    return m.account(deliver="%s://ana@localhost:%d/%s" % (scheme, port,
                                                           box))


def begin(lie, m, site, count=5, box="INBOX", **settings):
    server = lie(letters(count))
    into(m, site, box, **settings).account(at=server, keep="no")
    return server, [x.local for x in server.box.mails]


# What arrives.

@pytest.mark.core
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_dovecot(lie, client, dovecot_imap, scheme):
    """As they came, unread, and once."""
    site, m = dovecot_imap(), client()
    server, wanted = begin(lie, m, site, 20, scheme=scheme)
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []
    assert {flags.replace("\\Recent", "") for _, flags, _ in site.fetch()} \
        == {""}
    m.collect()
    same(site.texts(), wanted)


@pytest.mark.parametrize("more", [PLAIN, NO_UIDPLUS],
                         ids=["plain", "no-uidplus"])
def test_server_with_little(lie, client, dovecot_imap, more):
    """Literals that are waited for, no numbers told."""
    site, m = dovecot_imap(more=more), client()
    server, wanted = begin(lie, m, site, 20)
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []


def test_dates_and_flags(lie, client, dovecot_imap):
    """When it came there, not now; and what the person wants."""
    site, m = dovecot_imap(), client()
    server = lie(mails([
        b"Received: from a; by b;\n Mon, 5 Jan 2026 10:20:30 +0200\n"
        b"Received: from c; Sun, 4 Jan 2026 01:02:03 +0000\n"
        b"Date: Sat, 3 Jan 2026 00:00:00 +0000\n\nx\n",
        b"Subject: y\nDate: Sat, 3 Jan 2026 23:59:58 -0300\n\nx\n"], "d%d"))
    into(m, site, flags="seen, flagged $Novo").account(at=server)
    m.collect()
    got = sorted((date, sorted(flags.replace("\\Recent", "").split()))
                 for _, flags, date in site.fetch())
    assert [x[1] for x in got] == [["$Novo", "\\Flagged", "\\Seen"]] * 2
    assert [x[0] for x in got] == ["04-Jan-2026 02:59:58 +0000",
                                   "05-Jan-2026 08:20:30 +0000"]


def test_large_and_odd(lie, client, dovecot_imap):
    """Octets of any kind, long lines, a size of some megabytes."""
    site, m = dovecot_imap(), client()
    server = lie(mails([
        b"A: b\n\n" + bytes(range(14, 256)) * 3 + b"\n" + b"." * 5000
        + b"\n.\n..\n", b"Subject: caf\xc3\xa9\n\nx\n",
        b"A: long\n\n" + b"y" * 70 * 1024 + b"\n" + b"z\n" * 4000000]))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []


def test_what_would_be_changed_stays(lie, client, dovecot_imap):
    """NUL, CR and LF alone: refused, told, the others go on."""
    site, m = dovecot_imap(), client()
    bad = mails([b"A: b\n\nx\0y\n", b"A: c\n\nx\ry\n"], "bad%d") + [
        Mail(b"A: d\r\n\r\nx\ny\r\n", "lf")]
    server = lie(bad + letters(3))
    wanted = [x.local for x in server.box.mails[3:]]
    into(m, site).account(at=server, keep="no")
    done = m.collect(status=REFUSED)
    same(site.texts(), wanted)
    assert server.box.mails == bad
    assert "NUL" in done.text
    for n, words in enumerate(["a NUL", "a CR without LF",
                               "an LF without CR"]):
        one = lie([bad[n]])
        m = into(client("one%d" % n), site).account(at=one, keep="no")
        assert words in m.collect(status=REFUSED).text
    same(site.texts(), wanted)


def test_mailbox_is_made(lie, client, dovecot_imap):
    """In the letters of its name; or not, if the person says so."""
    site, m = dovecot_imap(), client()
    server, wanted = begin(lie, m, site, 3, box="Fam%C3%ADlia & co",
                           create="no")
    done = m.collect(status=CONFIG)
    assert "Família & co" in done.text and server.numbers("RETR") == []
    m.destinations["localhost"]["create"] = "yes"
    m.collect()
    same(site.texts("Fam&AO0-lia &- co"), wanted)
    m.collect()


def test_two_accounts_one_mailbox(lie, client, dovecot_imap):
    site, m, wanted = dovecot_imap(), client(), []
    for n in range(2):
        server = lie(letters(30, n, "%d-%%d" % n))
        wanted += [x.local for x in server.box.mails]
        into(m, site)
        m.accounts["a%d" % n] = dict(m.accounts["casa"])
        m.account("a%d" % n, at=server, keep="no")
    del m.accounts["casa"]
    m.collect()
    same(site.texts(), wanted)


def test_latency_does_not_count_per_message(lie, client, dovecot_imap, line):
    """1,000 messages in a few turns."""
    site, m = dovecot_imap(more="mail_fsync = never\n"), client()
    slow = line(site.tls_port, 0.025)
    server = lie(letters(1000))
    into(m, site, port=slow.port).account(at=server)
    m.collect(seconds=120)
    assert slow.turns < 40, slow.turns
    assert len(site.texts()) == 1000


# What is refused, and what is away.

def test_quota(lie, client, dovecot_imap):
    """What does not fit stays and is told; it comes when there is room."""
    site, m = dovecot_imap(more=QUOTA % 100000), client()
    server = lie(mails([b"A: b\n\n" + b"x" * 70 + b"\n" + b"y\n" * 90000])
                 + letters(3))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")
    done = m.collect(status=LATER)
    assert "uota" in done.text
    same(site.texts(), wanted[1:])
    assert len(server.box.mails) == 1
    site.stop()
    with open(site.conf, "a") as f:
        f.write(QUOTA % 100000000)
    site.start()
    m.forgive()
    m.collect()
    same(site.texts(), wanted)


def test_away(lie, client, dovecot_imap):
    """Later; and not one message is asked for."""
    site, m = dovecot_imap(), client()
    server, wanted = begin(lie, m, site)
    site.stop()
    done = m.collect(status=LATER)
    assert "localhost port %d" % site.tls_port in done.text
    assert server.numbers("RETR") == []
    site.start()
    m.collect()
    same(site.texts(), wanted)


@pytest.mark.parametrize("settings, words, status", [
    ({"password": "wrong"}, 'localhost refuses the sign-in of ana: it says '
     '"Authentication failed."; see who signs in there', CONFIG),
    ({"password": None}, 'no password for localhost is configured, and there '
     'is no terminal to ask on; write password_command, keyring or password '
     'into a block destination "localhost"', CONFIG),
    ({"password": None, "password_command": "exit 3"},
     "password_command failed", CONFIG),
    ({"password": None, "keyring": "yes"}, "keyring", CONFIG),
    ({"auth": "scram-sha-256"}, "no sign-in", CONFIG),
    ({"ca_file": None}, "unknown issuer", LATER),
    ({"port": "clear"}, "does not begin TLS", LATER),
])
def test_not_let_in(lie, client, dovecot_imap, settings, words, status):
    """Nothing is asked for, and the words say why.  What is missing here is for a
    person to mend."""
    site, m = dovecot_imap(), client()
    if "port" in settings:
        settings = {"port": site.port}
    server, wanted = begin(lie, m, site, **settings)
    done = m.collect(status=status)
    assert words in done.text, done.text
    assert server.numbers("RETR") == []
    assert len(server.box.mails) == len(wanted)


def test_scram(lie, client, dovecot_imap):
    """Where it is offered it is used, and the password is not told."""
    site, m = dovecot_imap(mechanisms="plain login scram-sha-256"), client()
    server, wanted = begin(lie, m, site, auth="scram-sha-256")
    m.collect()
    same(site.texts(), wanted)


def test_wrong_certificate(lie, client, dovecot_imap, certs):
    """A fingerprint that is another one's."""
    site, m = dovecot_imap(), client()
    server, _ = begin(lie, m, site,
                      fingerprint=certs["wrong-name"].fingerprint())
    done = m.collect(status="bad")
    assert "fingerprint" in done.text and server.numbers("RETR") == []
    m.destinations["localhost"].update(
        fingerprint=certs["good"].fingerprint(), ca_file=None)
    m.collect()
    assert server.box.mails == []


def test_password_command(lie, client, dovecot_imap):
    site, m = dovecot_imap(), client()
    server, wanted = begin(lie, m, site, password=None,
                           password_command="echo hush")
    m.collect()
    same(site.texts(), wanted)


def test_asked_at_the_terminal(lie, client, dovecot_imap, typist):
    """By its own name."""
    site, m = dovecot_imap(), client()
    server, wanted = begin(lie, m, site, password=None)
    t = typist(m, "collect")
    t.expect(b"Password for localhost (ana at localhost): ")
    t.type(b"hush\n")
    assert t.wait() == 0
    same(site.texts(), wanted)


# malote test, status.

def test_trial_and_status(lie, client, dovecot_imap):
    """It is tried without a message, and named."""
    site, m = dovecot_imap(), client()
    server, _ = begin(lie, m, site)
    done = m.run("test")
    assert "imaps://ana@localhost:%d/INBOX" % site.tls_port in done.text
    assert site.texts() == [] and server.numbers("RETR") == []
    m.collect()
    assert "imaps://ana@localhost" in m.run("status", "--json").text
    m.destinations["localhost"]["password"] = "wrong"
    assert "uthentication failed" in m.run("test", status="bad").text


# Exactly once.

def settled(site, m, server, wanted, box="INBOX"):
    m.collect()
    same(site.texts(box), wanted)
    assert server.box.mails == []


@ALL
@TRACED
@pytest.mark.parametrize("more", ["", PLAIN], ids=["", "plain"])
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, dovecot_imap, killer, places,
                                more):
    """At each system call that changes something on our disk."""
    site, m = dovecot_imap(more=more), client()
    server, wanted = begin(lie, m, site, box="first")
    done = m.collect(wrap=[killer, "0", "before"], env=ENV, seconds=60)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    hit = 0
    step = max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        m, box = client("home%d" % n), "box%d" % n
        server, wanted = begin(lie, m, site, box=box)
        code = m.collect(wrap=[killer, str(n), "torn"], env=ENV,
                         status=None, seconds=60).code
        assert code in (0, KILLED), code
        hit += code == KILLED
        settled(site, m, server, wanted, box)
        server.stop()
    assert hit >= 5


def kill_at_every_reply(lie, client, site, places):
    """Before each piece that the destination says."""
    m = client()
    probe = imap_line.Line(site.tls_port)
    server, wanted = begin(lie, m, site, box="first", port=probe.port)
    m.collect()
    total = probe.pieces
    probe.stop()
    assert total > 5
    step = max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        m, box, run = client("home%d" % n), "box%d" % n, []

        def on(number, run=run, n=n):
            if number == n:
                wait_until(lambda: run)[0].kill()

        one = imap_line.Line(site.tls_port, on)
        server, wanted = begin(lie, m, site, box=box, port=one.port)
        run.append(m.start("collect"))
        wait_until(run[0].poll, 60)
        assert run[0].result.code in (0, -9), run[0].result
        settled(site, m, server, wanted, box)
        one.stop()
        server.stop()


def cut_at_every_octet(lie, client, site, places):
    """Of what we say: the run itself, or the next one, finds out."""
    m = client()
    probe = imap_line.Line(site.tls_port)
    server, wanted = begin(lie, m, site, box="first", port=probe.port)
    m.collect()
    total = probe.octets
    probe.stop()
    step = max(1, total // (places or 100))
    for n in range(1, total, step):
        m, box = client("home%d" % n), "box%d" % n
        one = imap_line.Line(site.tls_port, cut=n)
        server, wanted = begin(lie, m, site, box=box, port=one.port)
        m.collect(status=None)
        settled(site, m, server, wanted, box)
        one.stop()
        server.stop()


@ALL
@pytest.mark.parametrize("more", ["", PLAIN], ids=["", "plain"])
@pytest.mark.timeout(900)
def test_killed_at_every_reply(lie, client, dovecot_imap, places, more):
    kill_at_every_reply(lie, client, dovecot_imap(more=more), places)


@ALL
@pytest.mark.parametrize("more", ["", PLAIN], ids=["", "plain"])
@pytest.mark.timeout(900)
def test_cut_at_every_octet(lie, client, dovecot_imap, places, more):
    cut_at_every_octet(lie, client, dovecot_imap(more=more), places)


def kill_in_doubt(lie, m, site, one, box="INBOX"):
    """It dies when all is there, and nothing of that has been heard."""
    server, wanted = begin(lie, m, site, box=box, port=one.port)
    run = []

    def on(_):
        if not run or len(site.texts(box)) < len(wanted):
            return False
        run[0].kill()
        return True

    one.on = on
    run.append(m.start("collect"))
    run[0].wait(status="killed")
    one.on = None
    assert len(server.box.mails) == len(wanted)
    return server, wanted


@pytest.fixture
def behind(dovecot_imap):
    """behind(...): a Dovecot, and a line to it."""
    lines = []

    def start(**more):
        site = dovecot_imap(**more)
        lines.append(imap_line.Line(site.tls_port))
        return site, lines[-1]

    yield start
    for one in lines:
        one.stop()


@pytest.mark.parametrize("more", ["", NO_UIDPLUS], ids=["", "no-uidplus"])
def test_in_doubt_and_there(lie, client, behind, more):
    """They are found, and not given again; also where others came since."""
    site, one = behind(more=more)
    m = client()
    server, wanted = kill_in_doubt(lie, m, site, one)
    c = site.login()
    c.append("INBOX", None, None, b"Subject: another\r\n\r\nx\r\n")
    c.logout()
    done = m.collect()
    assert "twice" not in done.text
    same(site.texts(), wanted + [b"Subject: another\n\nx\n"])
    assert server.box.mails == []


@pytest.mark.parametrize("how", ["renumbered", "deleted"])
def test_in_doubt_and_untold(lie, client, behind, how):
    """Given again, and that is said."""
    site, one = behind()
    m = client()
    server, wanted = kill_in_doubt(lie, m, site, one)
    if how == "renumbered":
        site.renumber()
    else:
        c = site.login()
        c.select("INBOX")
        c.store("1:*", "+FLAGS", "\\Deleted")
        c.expunge()
        c.logout()
    done = m.collect()
    assert "twice" in done.text
    same(site.texts(), wanted * (2 if how == "renumbered" else 1))
    assert server.box.mails == []


def test_in_doubt_and_away(lie, client, behind):
    """Nothing is decided, and nothing collected, before it can be asked."""
    site, one = behind()
    m = client()
    server, wanted = kill_in_doubt(lie, m, site, one)
    site.stop()
    server.forget()
    m.collect(status=LATER)
    assert server.numbers("RETR") == []
    site.start()
    m.collect()
    same(site.texts(), wanted)
    assert server.box.mails == []


def test_in_doubt_and_moved_away_from(lie, client, behind):
    """Where mail went to is configured no more: it is collected again, which is
    said."""
    site, one = behind()
    m = client()
    server, wanted = kill_in_doubt(lie, m, site, one)
    m.account(deliver="maildir:" + m.home + "/mail")
    done = m.collect()
    assert "twice" in done.text
    same(m.files().values(), wanted)


# Cyrus.

@pytest.mark.slow
def test_cyrus(lie, client, cyrus_imap):
    """As they came, unread, once, into a mailbox that is made."""
    site, m = cyrus_imap, client()
    server, wanted = begin(lie, m, site, 20)
    m.collect()
    same(site.texts(), wanted)
    m = client("other")
    server, more = begin(lie, m, site, 7, box="Fam%C3%ADlia", scheme="imap")
    m.collect()
    same(site.texts("Fam&AO0-lia"), more)
    assert {flags.replace("\\Recent", "") for _, flags, _ in site.fetch()} \
        == {""}


@pytest.mark.slow
def test_cyrus_quota(lie, client, cyrus_imap):
    """What does not fit stays and is told; the rest goes on."""
    site, m = cyrus_imap, client()
    server = lie(mails([b"A: b\n\n" + b"y\n" * 90000]) + letters(3))
    wanted = [x.local for x in server.box.mails]
    into(m, site).account(at=server, keep="no")
    site.login().logout()
    site.quota(60)
    done = m.collect(status=REFUSED)  # it does not say [OVERQUOTA]
    assert "uota" in done.text
    same(site.texts(), wanted[1:])
    assert len(server.box.mails) == 1
    site.quota(60000)
    m.forgive()
    m.collect()
    same(site.texts(), wanted)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cyrus_killed_at_every_reply(lie, client, cyrus_imap):
    kill_at_every_reply(lie, client, cyrus_imap, 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cyrus_cut_at_every_octet(lie, client, cyrus_imap):
    cut_at_every_octet(lie, client, cyrus_imap, 0)
