"""malote delivers by Gmail's API: a stand-in that keeps to what is documented."""
import os
import re

import pytest

import gmail_api
import imap_line
import malote
from gmail_api import (CUT_ANSWER, CUT_HALF, CUT_READ, CUT_STORED, HANG,
                       HANG_STORED, STORED_503)
from hostile import letters, mails
from malote import same
from server import wait_until
from test_malote_imap import (ALL, CONFIG, ENV, KILLED, LATER, REFUSED,
                              TRACED)

pytestmark = malote.NEEDED
PLACE = "gmail:" + gmail_api.USER


def into(m, api, label="", port=None, **settings):
    """Its account delivers there."""
    m.destinations["gmail"] = api.settings(port, **settings)
    return m.account(deliver=PLACE + label)


def named(count, start=0):
    return mails([b"Message-ID: <%d@example.org>\nSubject: x\n"
                  b"Date: Sat, 3 Jan 2026 00:00:00 +0000\n\ntext %d\n"
                  % (n + start, n + start) for n in range(count)], "n%d-%%d" % start)


def begin(lie, m, api, count=5, start=0, **more):
    server = lie(named(count, start))
    into(m, api, **more).account(at=server, keep="no")
    return server, [x.local for x in server.box.mails]


def settled(api, m, server, wanted, **more):
    m.collect(**more)
    same(api.texts(), wanted)
    assert server.box.mails == []


# What arrives.

@pytest.mark.core
def test_arrives(lie, client, gmail):
    """As it came, unread, in the inbox, once."""
    m = client()
    server, wanted = begin(lie, m, gmail, 20)
    settled(gmail, m, server, wanted)
    assert {tuple(x["labels"]) for x in gmail.messages} == \
        {("INBOX", "UNREAD")}
    assert {tuple(x["spam"]) for x in gmail.messages} == {("false",)}
    m.collect()
    same(gmail.texts(), wanted)


def test_label_flags_spam(lie, client, gmail):
    """Into a label that is made, as the person wants it."""
    m = client()
    server, wanted = begin(lie, m, gmail, 3, label="/Fam%C3%ADlia",
                           flags="seen flagged", never_spam="yes")
    m.collect()
    same(gmail.texts("Família"), wanted)
    assert {tuple(x["labels"][1:]) for x in gmail.messages} == {("STARRED",)}
    assert {tuple(x["spam"]) for x in gmail.messages} == {("true",)}
    m = client("other")
    server, wanted = begin(lie, m, gmail, 2, 10, label="/old",
                           create="no")
    m.collect()
    same(gmail.texts("Old"), wanted)
    server, wanted = begin(lie, m, gmail, 2, 20, label="/New",
                           create="no")
    done = m.collect(status=CONFIG)
    assert '"New"' in done.text and server.numbers("RETR") == []


def test_label_may_not_be_made(lie, client, gmail):
    m = client()
    gmail.tokens["good"] = (gmail.user, {gmail_api.INSERT,
                                         gmail_api.READONLY})
    server, _ = begin(lie, m, gmail, 2, label="/New")
    done = m.collect(status=CONFIG)
    assert "make it in Gmail" in done.text and server.numbers("RETR") == []


def test_large_and_odd(lie, client, gmail):
    """Octets of any kind, long lines, a size of some megabytes."""
    m = client()
    server = lie(mails([
        b"A: b\n\n" + bytes(range(14, 256)) * 3 + b"\n" + b"." * 5000
        + b"\n.\n..\n", b"Subject: caf\xc3\xa9\n\nx\n",
        b"A: long\n\n" + b"y" * 70 * 1024 + b"\n" + b"z\n" * 4000000,
        b"A: no end\n\nx"]))
    wanted = [x.local for x in server.box.mails]
    into(m, gmail).account(at=server, keep="no")
    settled(gmail, m, server, wanted)


def test_rule(lie, client, gmail):
    """Some of the mail of an account that delivers elsewhere."""
    m = client()
    server = lie(named(4) + mails([b"Subject: Lista\n\nx\n"], "l%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, gmail).account(at=server, keep="no",
                           deliver="maildir:" + m.home + "/mail")
    m.rules["lista"] = {"match": "subject:lista", "deliver": PLACE + "/Old"}
    m.collect()
    same(m.files().values(), wanted[:4])
    same(gmail.texts("Old"), wanted[4:])


def test_one_connection(lie, client, gmail):
    """Not a handshake for each message."""
    m = client()
    one = imap_line.Line(gmail.port)
    server, wanted = begin(lie, m, gmail, 30, port=one.port)
    settled(gmail, m, server, wanted)
    assert one.connections <= 2
    one.stop()


# What is refused, and what is away.

@pytest.mark.parametrize("status, reason", [
    (400, None), (400, "invalidArgument"), (413, None)])
def test_one_is_refused(lie, client, gmail, status, reason):
    """It stays and is told; the others go on."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.fault("import", status, reason=reason, words="no such thing")
    done = m.collect(status=REFUSED)
    assert "no such thing" in done.text
    assert len(gmail.texts()) == 4 and len(server.box.mails) == 1
    same(gmail.texts() + [server.box.mails[0].local], wanted)


def test_what_would_be_changed_stays(lie, client, gmail):
    m = client()
    bad = mails([b"A: b\n\nx\0y\n", b"A: c\n\nx\ry\n"], "bad%d")
    server = lie(bad + letters(3))
    wanted = [x.local for x in server.box.mails[2:]]
    into(m, gmail).account(at=server, keep="no")
    done = m.collect(status=REFUSED)
    same(gmail.texts(), wanted)
    assert server.box.mails == bad and "NUL" in done.text


@pytest.mark.parametrize("fault, code", [
    ((401, {}), CONFIG), ((403, {"reason": "dailyLimitExceeded"}), LATER),
    ((403, {"reason": "accessNotConfigured"}), CONFIG),
    ((403, {"reason": "domainPolicy"}), CONFIG), ((404, {}), CONFIG),
    ((400, {"reason": "failedPrecondition"}), CONFIG),
    ((400, {}), LATER), ((429, {}), LATER), ((500, {}), LATER),
    ((503, {}), LATER), ((302, {}), LATER),
    ((503, {"body": b"<html>down"}), LATER),
    (("say", {"body": b"[" * 100000}), LATER),
    (("say", {"body": b"x" * (5 << 20)}), LATER),
    (("say", {"body": b"{}"}), LATER), (("say", {"body": b""}), LATER),
    ((CUT_READ, {}), LATER), ((CUT_ANSWER, {}), LATER)])
def test_not_let_in(lie, client, gmail, fault, code):
    """Nothing is asked for; later all comes, or, if the token was refused, when
    there is another one or a person says so."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.fault("profile", fault[0], times=2 if fault[0] == 401 else 1,
                **fault[1])
    m.collect(status=code)
    assert server.numbers("RETR") == []
    if fault[0] == 401:
        asked = len(gmail.asked)
        assert "not tried again" in m.collect(status=code).text
        assert len(gmail.asked) == asked
        m.collect("--accept")
    settled(gmail, m, server, wanted)


def test_away(lie, client, gmail):
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.stop()
    done = m.collect(status=LATER)
    assert "localhost:%d" % gmail.port in done.text
    assert server.numbers("RETR") == []
    gmail.start()
    settled(gmail, m, server, wanted)


def test_silent(lie, client, gmail):
    m = client()
    server, wanted = begin(lie, m, gmail)
    m.account(timeout=2)
    gmail.fault("profile", HANG)
    m.collect(status=LATER, seconds=60)
    assert server.numbers("RETR") == []
    settled(gmail, m, server, wanted)


@pytest.mark.parametrize("token, words", [
    (("rui@gmail.com", {gmail_api.ALL}), "Delegation denied"),
    ((gmail_api.USER, {gmail_api.INSERT}), "insufficient"),
    (None, "Invalid Credentials")])
def test_tokens_of_others(lie, client, gmail, token, words):
    """Of somebody else, for something else, or none."""
    m = client()
    server, _ = begin(lie, m, gmail)
    gmail.tokens["good"] = token
    done = m.collect(status=CONFIG)
    assert words in done.text and server.numbers("RETR") == []


def test_wrong_certificate(lie, client, gmail):
    m = client()
    server, _ = begin(lie, m, gmail, ca_file=None)
    done = m.collect(status="bad")
    assert "cannot be verified" in done.text
    assert server.numbers("RETR") == [] and gmail.asked == []


def test_token_ends_meanwhile(lie, client, gmail):
    """It is asked for anew, once, and no message is lost or doubled."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.fault("import", 401)
    settled(gmail, m, server, wanted)


@pytest.mark.parametrize("more", [
    {"what": 429}, {"what": 403, "reason": "userRateLimitExceeded"},
    {"what": 429, "headers": {"Retry-After": "2"}}])
def test_slower(lie, client, gmail, more):
    """It waits as it is told, and goes on in the same run."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.fault("import", times=2, **more)
    settled(gmail, m, server, wanted, seconds=60)
    assert len(gmail.calls("import")) == 7


def test_too_much_for_today(lie, client, gmail):
    """What is to wait for longer than there is patience waits at the server."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.fault("import", 429, headers={"Retry-After": "4000"})
    m.collect(status=LATER, seconds=60)
    assert len(gmail.calls("import")) == 1 and len(server.box.mails) == 5
    settled(gmail, m, server, wanted)


def test_rate(lie, client, gmail):
    """As fast as it may, and no message is lost on that."""
    m = client()
    gmail.per_second = 10
    server, wanted = begin(lie, m, gmail, 25)
    settled(gmail, m, server, wanted, seconds=60)


# malote test, status.

def test_trial(lie, client, gmail):
    m = client()
    server, _ = begin(lie, m, gmail)
    assert PLACE in m.run("test").text
    assert gmail.messages == [] and server.numbers("RETR") == []
    gmail.tokens = {}
    assert "Invalid Credentials" in m.run("test", status="bad").text


@pytest.mark.parametrize("where, block, words", [
    ("gmail:ana", {"oauth": "x"}, "is no mailbox of Gmail"),
    ("gmail:@gmail.com", {}, "is no mailbox of Gmail"),
    ("gmail:ana@", {}, "is no mailbox of Gmail"),
    (PLACE, {"token_command": None}, "takes a token only"),
    (PLACE, {"token_command": None, "password": "x"}, "takes a token only"),
    (PLACE, {"fingerprint": "0" * 64}, "are not for"),
    (PLACE, {"url": "http://localhost"}, "https://")])
def test_configuration(client, where, block, words):
    m = client().account(deliver=where, port=9)
    m.destinations["gmail"] = {"token_command": "echo x", **block}
    assert words in m.collect(status=CONFIG).text


# Exactly once.

@pytest.mark.parametrize("fault", [
    503, 500, CUT_HALF, CUT_READ, CUT_STORED, CUT_ANSWER, STORED_503])
@pytest.mark.parametrize("kind", ["named", "nameless"])
def test_in_doubt_at_once(lie, client, gmail, fault, kind):
    """It is asked for, or given again, in the same run or the next."""
    m = client()
    server = lie(named(5) if kind == "named" else mails(
        [b"Subject: x\n\ntext %d\n" % n for n in range(5)]))
    wanted = [x.local for x in server.box.mails]
    into(m, gmail).account(at=server, keep="no")
    gmail.fault("import", fault)
    done = m.collect(status=None, seconds=60)
    # Half of a request may be known to be no whole one.
    assert done.code in ((0, LATER) if fault == CUT_HALF else (0,)), done
    assert "twice" not in done.text
    settled(gmail, m, server, wanted)


def test_answer_is_not_understood(lie, client, gmail):
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.fault("import", "say", body=b'{"id": "../x"}')
    settled(gmail, m, server, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [HANG, HANG_STORED])
def test_silent_meanwhile(lie, client, gmail, fault):
    """The next run asks."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    m.account(timeout=2)
    gmail.fault("import", fault)
    done = m.collect(status=LATER, seconds=60)
    assert "did not answer within 2 s" in done.text
    settled(gmail, m, server, wanted)


def test_changed_there(lie, client, gmail):
    """A header that was changed above the same body, under the same name."""
    m = client()
    gmail.change = lambda raw: b"X-Gmail: y\r\n" + raw.replace(
        b"Subject: x\r\n", b"Subject:  x\r\n")
    server, wanted = begin(lie, m, gmail)
    gmail.fault("import", CUT_STORED)
    done = m.collect()
    assert len(gmail.messages) == 5 and server.box.mails == []
    assert "twice" not in done.text


def test_same_octets_are_two(lie, client, gmail):
    """Two that are the same are two there."""
    m = client()
    server = lie(mails([b"Message-ID: <a@b>\n\nx\n"] * 4, "same%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, gmail).account(at=server, keep="no")
    gmail.fault("import", CUT_STORED)
    gmail.fault("import", CUT_READ)
    settled(gmail, m, server, wanted)


def kill_in_doubt(lie, m, api, count=5):
    """It dies when one is there, and nothing of that has been heard."""
    server, wanted = begin(lie, m, api, count)
    run = []

    def on(_):
        if not run or len(api.messages) < 3:
            return False
        run[0].kill()
        return True

    api.on = on
    run.append(m.start("collect"))
    run[0].wait(status="killed")
    api.on = None
    return server, wanted


def test_each_line_is_lost(lie, client, gmail):
    """Also one that was kept; said in words for people."""
    m = client()
    server, wanted = begin(lie, m, gmail)
    gmail.on, gmail.gently = lambda _: bool(gmail.messages), True
    done = m.collect(status=LATER)
    assert "the connection was lost" in done.text, done
    gmail.on = None
    settled(gmail, m, server, wanted)


def test_twin_of_one_that_is_there(lie, client, gmail):
    """The first has been answered when it dies, and the second is not there: the
    copy that is found is that of the first."""
    m, run = client(), []
    server = lie(mails([b"Message-ID: <a@b>\n\nx\n"] * 2, "same%d"))
    wanted = [x.local for x in server.box.mails]
    into(m, gmail).account(at=server, keep="no")

    held = gmail.tokens

    def next_one(token):
        if gmail.messages:
            wait_until(lambda: len(os.listdir(m.state + "/spool")) == 1)
            run[0].kill()
            raise gmail_api.Break
        return held.get(token)

    gmail.tokens = next_one
    run.append(m.start("collect"))
    run[0].wait(status="killed")
    gmail.tokens = held
    assert len(gmail.messages) == 1
    done = m.collect()
    assert "twice" not in done.text
    same(gmail.texts(), wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("history", ["kept", "lost"])
def test_in_doubt_and_there(lie, client, gmail, history):
    """Found by the history, or, once that is not kept, by Message-ID."""
    m = client()
    server, wanted = kill_in_doubt(lie, m, gmail)
    if history == "lost":
        gmail.forget()
    done = m.collect()
    # Of those that were not sent it cannot be known then.
    assert ("twice" in done.text) == (history == "lost")
    same(gmail.texts(), wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("how", ["deleted", "changed"])
def test_in_doubt_and_untold(lie, client, gmail, how):
    """Given again, and that is said."""
    m = client()
    server, wanted = kill_in_doubt(lie, m, gmail)
    for one in gmail.messages:
        if how == "deleted":
            one["deleted"] = True
        else:
            one["raw"] += b"more\r\n"
    done = m.collect()
    assert "twice" in done.text and server.box.mails == []
    assert len(gmail.messages) >= 6


def test_in_doubt_and_away(lie, client, gmail):
    """Nothing is decided, and nothing collected, before it can be asked."""
    m = client()
    server, wanted = kill_in_doubt(lie, m, gmail)
    gmail.stop()
    server.forget()
    m.collect(status=LATER)
    assert server.numbers("RETR") == []
    gmail.start()
    for name in ("history", "get"):
        gmail.fault(name, 503)
        m.collect(status=LATER)
        assert server.numbers("RETR") == []
    settled(gmail, m, server, wanted)


@ALL
@TRACED
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, certs, killer, places):
    """At each system call that changes something on our disk."""
    api = gmail_api.Api(certs)
    m = client()
    server, wanted = begin(lie, m, api)
    done = m.collect(wrap=[killer, "0", "before"], env=ENV, seconds=60)
    api.end()
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    hit, step = 0, max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        api, m = gmail_api.Api(certs), client("home%d" % n)
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
    """Before each answer of the API."""
    api, m = gmail_api.Api(certs), client()
    begin(lie, m, api)
    m.collect()
    total = len(api.asked)
    api.end()
    step = max(1, total // places) if places else 1
    for n in range(1, total + 1, step):
        api, m, run = gmail_api.Api(certs), client("home%d" % n), []

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


@ALL
@pytest.mark.timeout(900)
def test_cut_at_every_octet(lie, client, certs, places):
    """Of what we say: the run itself, or the next one, finds out."""
    api, m = gmail_api.Api(certs), client()
    probe = imap_line.Line(api.port)
    begin(lie, m, api, port=probe.port)
    m.collect()
    total = probe.octets
    probe.stop()
    api.end()
    step = max(1, total // (places or 50))
    for n in range(1, total, step):
        api, m = gmail_api.Api(certs), client("home%d" % n)
        one = imap_line.Line(api.port, cut=n)
        server, wanted = begin(lie, m, api, port=one.port)
        m.collect(status=None, seconds=60)
        settled(api, m, server, wanted)
        one.stop()
        server.stop()
        api.end()
