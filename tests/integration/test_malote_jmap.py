"""malote delivers by JMAP: to a real Cyrus, and a stand-in that fails as told."""
import re

import pytest

import imap_line
import jmap_api
import malote
from gmail_api import (CUT_ANSWER, CUT_HALF, CUT_READ, CUT_STORED, HANG,
                       HANG_STORED, STORED_503)
from hostile import letters, mails
from malote import same
from server import wait_until
from test_malote_gmail import named
from test_malote_imap import (ALL, CONFIG, ENV, KILLED, LATER, REFUSED,
                              TRACED)

pytestmark = malote.NEEDED
PLACE = "jmap:" + jmap_api.USER


def into(m, api, box="", port=None, **settings):
    """Its account delivers there."""
    m.destinations["example.org"] = api.settings(port, **settings)
    return m.account(deliver=PLACE + box)


def begin(lie, m, api, count=5, start=0, **more):
    server = lie(named(count, start))
    into(m, api, **more).account(at=server, keep="no")
    return server, [x.local for x in server.box.mails]


def settled(api, m, server, wanted, **more):
    m.collect(**more)
    same(api.texts(), wanted)
    assert server.box.mails == []


# Cyrus.

def into_cyrus(m, site, box="", port=None, **settings):
    m.destinations["localhost"] = {
        "password": "hush", "ca_file": site.certs.ca, "url":
        "https://localhost:%d/.well-known/jmap" % (port or site.web_port),
        **settings}
    return m.account(deliver="jmap:ana@localhost" + box)


@pytest.fixture
def cyrus(cyrus_jmap):
    cyrus_jmap.login("ana").logout()  # makes the mailbox
    return cyrus_jmap


@pytest.mark.slow
def test_cyrus(lie, client, cyrus):
    """As they came, unread, with their dates, once; into one that is made."""
    m = client()
    server = lie(letters(70) + mails([
        b"Received: from a; by b;\n Mon, 5 Jan 2026 10:20:30 +0200\n\nx\n",
        b"A: b\n\n" + b"y" * 70 * 1024 + b"\n" + b"z\n" * 400000]))
    wanted = [x.local for x in server.box.mails]
    into_cyrus(m, cyrus).account(at=server, keep="no")
    m.collect()
    same(cyrus.texts(), wanted)
    assert server.box.mails == []
    assert {flags.replace("\\Recent", "") for _, flags, _ in cyrus.fetch()} \
        == {""}
    assert "5-Jan-2026 08:20:30 +0000" in " ".join(
        d for _, _, d in cyrus.fetch())
    m = client("other")
    server = lie(letters(3, 5, "o%d"))
    wanted = [x.local for x in server.box.mails]
    into_cyrus(m, cyrus, "/Fam%C3%ADlia", flags="seen $Novo").account(
        at=server, keep="no")
    m.collect()
    same(cyrus.texts("Fam&AO0-lia"), wanted)


@pytest.mark.slow
def test_cyrus_quota(lie, client, cyrus):
    """What does not fit stays and is told."""
    m = client()
    server = lie(mails([b"A: b\n\n" + b"y\n" * 90000]) + letters(3))
    wanted = [x.local for x in server.box.mails]
    into_cyrus(m, cyrus).account(at=server, keep="no")
    cyrus.quota(60)
    done = m.collect(status=LATER)
    assert "uota" in done.text
    same(cyrus.texts(), wanted[1:])
    cyrus.quota(60000)
    m.forgive()
    m.collect()
    same(cyrus.texts(), wanted)


@ALL
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cyrus_cut_at_every_octet(lie, client, cyrus, places):
    """Of what we say: the run itself, or the next one, finds out."""
    m = client()
    probe = imap_line.Line(cyrus.web_port)
    server = lie(named(5))
    into_cyrus(m, cyrus, "/first", port=probe.port).account(
        at=server, keep="no")
    m.collect()
    total = probe.octets
    probe.stop()
    step = max(1, total // (places or 50))
    for n in range(1, total, step):
        m, box = client("home%d" % n), "box%d" % n
        one = imap_line.Line(cyrus.web_port, cut=n)
        server = lie(named(5, 10 * n))  # what is the same is one there
        wanted = [x.local for x in server.box.mails]
        into_cyrus(m, cyrus, "/" + box, port=one.port).account(
            at=server, keep="no")
        m.collect(status=None, seconds=60)
        m.collect(seconds=60)
        same(cyrus.texts(box), wanted)
        assert server.box.mails == []
        one.stop()
        server.stop()


# What arrives.

@pytest.mark.core
def test_arrives(lie, client, jmap):
    """As it came, unread, in the inbox, once, in few calls."""
    m = client()
    server, wanted = begin(lie, m, jmap, 20)
    settled(jmap, m, server, wanted)
    assert {tuple(x["keywords"]) for x in jmap.messages} == {()}
    assert {x["received"] for x in jmap.messages} == {"2026-01-03T00:00:00Z"}
    assert len(jmap.calls("Email/import")) <= 3
    m.collect()
    same(jmap.texts(), wanted)


def test_mailbox_and_flags(lie, client, jmap):
    m = client()
    server, wanted = begin(lie, m, jmap, 3, box="/Lists/debian",
                           flags="seen flagged $Novo")
    m.collect()
    same(jmap.texts("Mb3"), wanted)
    assert {tuple(x["keywords"]) for x in jmap.messages} == {
        ("$seen", "$flagged", "$novo")}
    m = client("other")
    server, wanted = begin(lie, m, jmap, 2, 10, box="/New", create="no")
    done = m.collect(status=CONFIG)
    assert 'no mailbox "New"; make it there' in done.text
    assert server.numbers("RETR") == []
    m.destinations["example.org"]["create"] = "yes"
    m.collect()
    same(jmap.texts("Mb4"), wanted)


def test_rule_and_token(lie, client, jmap):
    m = client()
    server = lie(named(4) + mails([b"Subject: Lista\n\nx\n"], "l%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, jmap, password=None, token_command="echo good").account(
        at=server, keep="no", deliver="maildir:" + m.home + "/mail")
    m.rules["lista"] = {"match": "subject:lista", "deliver": PLACE + "/Lists"}
    m.collect()
    same(m.files().values(), wanted[:4])
    same(jmap.texts("Mb2"), wanted[4:])


def test_few_at_a_time(lie, client, jmap):
    """No more objects in a call than the server takes."""
    m = client()
    jmap.core["maxObjectsInSet"] = 2
    server, wanted = begin(lie, m, jmap, 5)
    settled(jmap, m, server, wanted)


def test_exists_already(lie, client, jmap):
    """A server to which what is the same is one message."""
    m = client()
    jmap.twins = True
    server = lie(mails([b"Message-ID: <a@b>\n\nx\n"] * 3, "same%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, jmap).account(at=server, keep="no")
    m.collect()
    same(jmap.texts(), wanted[:1])
    assert server.box.mails == []


# What is refused, and what is away.

@pytest.mark.parametrize("kind, code", [
    ("invalidEmail", REFUSED), ("tooLarge", REFUSED), ("whatever", REFUSED),
    ("overQuota", LATER)])
def test_one_is_refused(lie, client, jmap, kind, code):
    """It stays and is told; the others go on."""
    m = client()
    server, wanted = begin(lie, m, jmap)
    bad = server.box.mails[2]
    jmap.refuse = lambda octets: kind if \
        octets.replace(b"\r\n", b"\n") == bad.local else None
    done = m.collect(status=code)
    assert "as it is" in done.text
    assert server.box.mails == [bad] and len(jmap.texts()) == 4


def test_larger_than_it_takes(lie, client, jmap):
    """What it would refuse is not sent."""
    m = client()
    jmap.core["maxSizeUpload"] = 5000
    server = lie(letters(2) + mails([b"A: b\n\n" + b"y\n" * 3000], "big%d"))
    wanted = [x.local for x in server.box.mails[:2]]
    into(m, jmap).account(at=server, keep="no")
    assert "size" in m.collect(status=REFUSED).text
    same(jmap.texts(), wanted)


@pytest.mark.parametrize("name", ["session", "Email/get"])
@pytest.mark.parametrize("fault, code", [
    ((401, {}), CONFIG), ((403, {}), CONFIG), ((404, {}), CONFIG),
    ((400, {"reason": "limit"}), LATER), ((429, {}), LATER),
    ((500, {}), LATER), ((503, {"body": b"<html>down"}), LATER),
    (("say", {"body": b"[" * 100000}), LATER),
    (("say", {"body": b"x" * (5 << 20)}), LATER),
    (("say", {"body": b"{}"}), LATER), (("say", {"body": b""}), LATER),
    ((CUT_ANSWER, {}), LATER)])
def test_not_let_in(lie, client, jmap, name, fault, code):
    """Nothing is asked for; later all comes, or, if the sign-in was refused, when a
    person says so."""
    m = client()
    server, wanted = begin(lie, m, jmap)
    jmap.fault(name, fault[0], **fault[1])
    m.collect(status=code)
    assert server.numbers("RETR") == []
    if fault[0] == 401:
        asked = len(jmap.asked)
        assert "not tried again" in m.collect(status=code).text
        assert len(jmap.asked) == asked
        m.collect("--accept")
    settled(jmap, m, server, wanted)


@pytest.mark.parametrize("kind, code", [
    ("accountReadOnly", CONFIG), ("unknownMethod", CONFIG),
    ("serverUnavailable", LATER), ("serverFail", LATER)])
def test_method_errors(lie, client, jmap, kind, code):
    m = client()
    server, wanted = begin(lie, m, jmap)
    jmap.fault("Mailbox/get", "error " + kind)
    m.collect(status=code)
    assert server.numbers("RETR") == []
    settled(jmap, m, server, wanted)


def test_read_only(lie, client, jmap):
    m = client()
    server, _ = begin(lie, m, jmap)
    jmap.readonly = True
    assert "no mail of" in m.collect(status=CONFIG).text
    assert server.numbers("RETR") == []


def test_wrong_password(lie, client, jmap):
    m = client()
    server, _ = begin(lie, m, jmap, password="wrong")
    assert "who is that" in m.collect(status=CONFIG).text
    assert server.numbers("RETR") == []
    assert "who is that" in m.run("test", status="bad").text


def test_away(lie, client, jmap):
    m = client()
    server, wanted = begin(lie, m, jmap)
    jmap.stop()
    m.collect(status=LATER)
    assert server.numbers("RETR") == []
    jmap.start()
    settled(jmap, m, server, wanted)


@pytest.mark.parametrize("name", ["upload", "Email/import"])
def test_slower(lie, client, jmap, name):
    """It waits as it is told, and goes on in the same run."""
    m = client()
    server, wanted = begin(lie, m, jmap)
    jmap.fault(name, 429, headers={"Retry-After": "1"})
    jmap.fault(name, 400, reason="limit")
    settled(jmap, m, server, wanted, seconds=60)


def test_mailbox_goes_meanwhile(lie, client, jmap):
    """It is none of the messages' fault."""
    m = client()
    server, wanted = begin(lie, m, jmap)
    jmap.fault("Email/import", "error notFound")
    m.collect(status=LATER)
    assert len(server.box.mails) == 5
    settled(jmap, m, server, wanted)


@pytest.mark.parametrize("where, words", [
    ("jmap:ana", "is no mailbox of JMAP"), ("jmap:@x", "is no mailbox of JMAP"),
    ("jmap:ana@x:80", "is no mailbox of JMAP")])
def test_configuration(client, where, words):
    m = client().account(deliver=where, port=9)
    assert words in m.collect(status=CONFIG).text


# Exactly once.

@pytest.mark.parametrize("name, fault", [
    ("upload", CUT_HALF), ("upload", CUT_READ), ("upload", CUT_STORED),
    ("upload", 503), ("Email/import", 503), ("Email/import", CUT_READ),
    ("Email/import", CUT_STORED), ("Email/import", CUT_ANSWER),
    ("Email/import", STORED_503), ("Email/import", "error serverFail"),
    ("Email/import", "error serverPartialFail"), ("Email/import", "say")])
@pytest.mark.parametrize("kind", ["named", "nameless"])
def test_in_doubt_at_once(lie, client, jmap, name, fault, kind):
    """It is asked for, or given again, in the same run or the next."""
    m = client()
    server = lie(named(5) if kind == "named" else mails(
        [b"Subject: x\n\ntext %d\n" % n for n in range(5)]))
    wanted = [x.local for x in server.box.mails]
    into(m, jmap).account(at=server, keep="no")
    jmap.fault(name, fault, **({"body": b"{}"} if fault == "say" else {}))
    done = m.collect(status=None, seconds=60)
    assert done.code in (0, LATER) and "twice" not in done.text, done
    settled(jmap, m, server, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [HANG, HANG_STORED])
def test_silent_meanwhile(lie, client, jmap, fault):
    """The next run asks."""
    m = client()
    server, wanted = begin(lie, m, jmap)
    m.account(timeout=2)
    jmap.fault("Email/import", fault)
    m.collect(status=LATER, seconds=60)
    settled(jmap, m, server, wanted)


def test_same_octets_are_two(lie, client, jmap):
    """Two that are the same are two there."""
    m = client()
    jmap.core["maxObjectsInSet"] = 2
    server = lie(mails([b"Message-ID: <a@b>\n\nx\n"] * 6, "same%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, jmap).account(at=server, keep="no")
    jmap.fault("Email/import", CUT_STORED)
    jmap.fault("Email/import", CUT_READ)
    settled(jmap, m, server, wanted)


def kill_in_doubt(lie, m, api):
    """It dies when all are there, and nothing of that has been heard."""
    server, wanted = begin(lie, m, api)
    run = []

    def on(_):
        if not run or len(api.messages) < 5:
            return False
        run[0].kill()
        return True

    api.on = on
    run.append(m.start("collect"))
    run[0].wait(status="killed")
    api.on = None
    return server, wanted


@pytest.mark.parametrize("changes", ["kept", "lost"])
def test_in_doubt_and_there(lie, client, jmap, changes):
    """Found by what has changed, or, once that is not known, by Message-ID."""
    m = client()
    server, wanted = kill_in_doubt(lie, m, jmap)
    if changes == "lost":
        jmap.forget()
    done = m.collect()
    assert "twice" not in done.text
    same(jmap.texts(), wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("how", ["deleted", "changed"])
def test_in_doubt_and_untold(lie, client, jmap, how):
    """Given again, and that is said."""
    m = client()
    server, wanted = kill_in_doubt(lie, m, jmap)
    for one in jmap.messages:
        if how == "deleted":
            one["deleted"] = one["told"] = True
        else:
            one["raw"] += b"more\r\n"
    done = m.collect()
    assert "twice" in done.text and server.box.mails == []
    assert len(jmap.messages) == 10


def test_in_doubt_and_away(lie, client, jmap):
    """Nothing is decided, and nothing collected, before it can be asked."""
    m = client()
    server, wanted = kill_in_doubt(lie, m, jmap)
    jmap.stop()
    server.forget()
    m.collect(status=LATER)
    assert server.numbers("RETR") == []
    jmap.start()
    for name in ("session", "Email/changes", "Email/get", "download"):
        jmap.fault(name, 503)
        done = m.collect(status=None)
        assert done.code == LATER, (name, jmap.asked[-12:], done)
        assert server.numbers("RETR") == []
    settled(jmap, m, server, wanted)


@ALL
@TRACED
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, certs, killer, places):
    """At each system call that changes something on our disk."""
    api, m = jmap_api.Api(certs), client()
    begin(lie, m, api)
    done = m.collect(wrap=[killer, "0", "before"], env=ENV, seconds=60)
    api.end()
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    hit, step = 0, max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        api, m = jmap_api.Api(certs), client("home%d" % n)
        server, wanted = begin(lie, m, api)
        code = m.collect(wrap=[killer, str(n), "torn"], env=ENV,
                         status=None, seconds=60).code
        assert code in (0, KILLED), code
        hit += code == KILLED
        settled(api, m, server, wanted)
        server.stop()
        api.end()
    assert hit >= 5


@ALL
@pytest.mark.timeout(900)
def test_killed_at_every_answer(lie, client, certs, places):
    """Before each answer."""
    api, m = jmap_api.Api(certs), client()
    begin(lie, m, api)
    m.collect()
    total = len(api.asked)
    api.end()
    step = max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        api, m, run = jmap_api.Api(certs), client("home%d" % n), []

        def on(number, run=run, n=n):
            if number == n:
                wait_until(lambda: run)[0].kill()
            return number == n

        api.on = on
        server, wanted = begin(lie, m, api)
        run.append(m.start("collect"))
        wait_until(run[0].poll, 60)
        api.on = None
        settled(api, m, server, wanted)
        server.stop()
        api.end()
