"""Who is told of new mail: on_new, notify."""
import json
import os
import shutil
import time

import pytest

import drop
import faults
import malote
from hostile import Mail, letters
from server import TOP

pytestmark = malote.NEEDED
TOLD = "printf '%s|%s|%s\\n' \"$MALOTE_ACCOUNT\" \"$MALOTE_EMAIL\" " \
    "\"$MALOTE_NEW\" >>told; cat"


def told(m):
    try:
        with open(m.home + "/told") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def test_once_for_a_run(lie, client):
    """With the number of new messages; not where there are none."""
    server = lie(letters(70))
    m = client().account(at=server, on_new=TOLD, keep="no")
    m.collect(env={"MALOTE_NEW": "99"})
    assert told(m) == ["casa|ana@example.org|70"]
    m.collect()
    assert len(told(m)) == 1
    server.box.mails += letters(1, first=71)
    m.collect()
    assert told(m)[1:] == ["casa|ana@example.org|1"]


def test_when_all_is_here(lie, client):
    """It finds the mail, nobody has the account, and QUIT was answered."""
    server = lie(letters(3))
    m = client().account(at=server, keep="no")
    m.account(on_new="ls mail/new | wc -l >told; %s >>told 2>&1" % " ".join(
        "'%s'" % x for x in m.command("collect")))
    m.collect()
    assert told(m)[0].strip() == "3"
    assert "another malote" not in "\n".join(told(m))
    assert server.box.mails == []


def test_names_are_data(lie, client):
    """What an account is called is no part of a command."""
    name = "$(touch evil) `touch evil`; touch evil '\""
    m = client().account(name, at=lie(letters(1)), on_new=TOLD)
    m.collect()
    assert told(m) == [name + "|ana@example.org|1"]
    assert not os.path.exists(m.home + "/evil")


@pytest.mark.parametrize("command,words", [
    ("echo no such index >&2; exit 3", "status 3: no such index"),
    ("kill -9 $$", "signal 9"), ("exec sleep 60", "more than 1 s"),
    ("no-such-command-here", "status 127")])
def test_its_failure_loses_nothing(lie, client, command, words):
    """It is told, in time; the mail is here, and the run has gone well."""
    mails = letters(2)
    server = lie(list(mails))
    m = client().account(at=server, on_new=command, keep="no", timeout=1)
    done = m.collect("--quiet")
    assert "on_new" in done.text and words in done.text
    malote.settled(server, m, mails, keep=False)


def test_a_run_that_fails_later(lie, client):
    """What has come is told of, although not all has."""
    server = lie(letters(4))
    server.fault("RETR", faults.err("no"), number=3, times=9)
    m = client().account(at=server, on_new=TOLD)
    m.collect(status="bad")
    assert told(m) == ["casa|ana@example.org|3"]


# ---- the desktop ----

desktop = pytest.mark.skipif(
    not all(shutil.which(x) for x in (
        "notify-send", "dbus-run-session", "gdbus")),
    reason="needs notify-send and a bus")
SERVICE = os.path.join(TOP, "tests/harness/notifications.py")


def notices(m):
    """A run on a desktop; what that has been notified of."""
    seen = m.home + "/seen"
    m.collect(wrap=[
        "dbus-run-session", "--", "sh", "-c",
        "/usr/bin/python3 %s %s & gdbus wait --session --timeout 20 "
        "org.freedesktop.Notifications; \"$@\"; r=$?; kill $!; exit $r"
        % (SERVICE, seen), "sh"])
    try:
        with open(seen) as f:
            return [json.loads(x) for x in f]
    except FileNotFoundError:
        return []
    finally:
        if os.path.exists(seen):
            os.unlink(seen)


def from_whom(n, sender, subject):
    return Mail(drop.wire(
        ("From: %s\nSubject: %s\nMessage-ID: <%d@x>\n\ntext\n" % (
            sender, subject, n)).encode()), "w%d" % n)


@desktop
def test_notice(lie, client):
    """As text: no markup, no option, no control character, no end."""
    server = lie([
        from_whom(1, "Ana <ana@example.org>", "=?utf-8?q?Ol=C3=A1?="),
        from_whom(2, "--help", "<b>x</b> &amp; <a href=\"http://x\">"),
        from_whom(3, "=?utf-8?q?a=0Ab=1B[2J=E2=80=AE?=", "x" * 5000)])
    m = client().account(at=server, notify="yes")
    [[app, title, body]] = notices(m)
    assert (app, title) == ("malote", "3 new messages: casa")
    first, second, third = body.split("\n")
    assert first == "Ana &lt;ana@example.org&gt;: Ol\u00e1"
    assert second == "--help: &lt;b&gt;x&lt;/b&gt; &amp;amp; &lt;a " \
        "href=\"http://x\"&gt;"
    assert third.isprintable() and "\u202e" not in third
    assert third.endswith("xxx~") and len(third) < 200
    assert notices(m) == []


@desktop
def test_many_are_one_notice(lie, client):
    server = lie(letters(500))
    m = client().account(at=server, notify="yes")
    assert notices(m) == [["malote", "500 new messages: casa", ""]]
    server.box.mails += letters(1, first=501)
    [[_, title, body]] = notices(m)
    assert title == "1 new message: casa" and body != ""


def test_no_desktop(lie, client):
    """That is told, and soon; nothing is lost."""
    mails = letters(2)
    server = lie(list(mails))
    m = client().account(at=server, notify="yes", keep="no")
    start = time.monotonic()
    done = m.collect(env={"PATH": m.home,
                          "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"})
    assert "notify-send cannot be run" in done.text
    assert time.monotonic() - start < 20
    malote.settled(server, m, mails, keep=False)
