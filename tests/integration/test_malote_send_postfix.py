"""malote sends by a real Postfix, for itself and for mutt, git and cron."""
import os
import re
import subprocess

import pytest

import malote
import relay
from server import wait_until
from test_malote_kill import ENV, KILLED, spread

pytestmark = [malote.NEEDED, relay.NEEDED]
LETTER = (b"From: Ana <ana@example.org>\nSubject: Lunch\n"
          b"Message-ID: <one@example.org>\n\nAt one?\n.dotted\n")


@pytest.fixture(scope="module")
def server(certs):
    p = relay.Postfix(certs)
    yield p
    p.stop()


@pytest.fixture
def m(client, server, certs):
    m = client()
    return m.account(port=9, smtp_server="localhost", ca_file=certs.ca,
                     smtp_port=server.port, smtp_security="starttls")


def program(m):
    """A line for the settings of other programs."""
    return " ".join([*m.command("sendmail")])


@pytest.mark.parametrize("security,box", [("starttls", "1"), ("tls", "2")])
def test_both_ports(m, server, security, box):
    port = server.port if security == "starttls" else server.tls_port
    m.account(smtp_security=security, smtp_port=port)
    to = box + "@example.net"
    m.run("sendmail", to, text=LETTER)
    got, = server.mail(to)
    assert got.endswith(b"\n\nAt one?\n.dotted\n")
    assert b"Return-Path: <ana@example.org>" in got
    assert m.outbox() == []


def test_the_strongest_sign_in(m, server):
    done = m.run("sendmail", "-v", "3@example.net", text=LETTER)
    assert "> AUTH" in done.text and "secret" not in done.text
    server.mail("3@example.net")
    assert "sasl_method=SCRAM-SHA-256" in server.log()


def test_many_over_a_slow_line(m, server, line):
    """Two turns a message, over one connection."""
    slow = line(server.port, 0.01)
    for _ in range(10):
        m.run("sendmail", "-odq", "2@example.org", "3@example.org",
              text=LETTER)
    m.account(smtp_port=slow.port)
    before = server.log().count("status=sent")
    m.run("sendmail", "-q", seconds=60)
    assert m.outbox() == []
    assert slow.connections == 1 and slow.turns <= 2 * 10 + 12, slow.turns
    wait_until(lambda: server.log().count("status=sent") == before + 20, 30)
    for box in ("2@example.org", "3@example.org"):
        server.empty(box)


def test_addresses_beyond_ascii(m, server):
    to = "jos\u00e9@example.net"
    m.run("sendmail", to, text=LETTER)
    server.mail(to)


@pytest.mark.parametrize("who,state,words", [
    ("gone", "refused", "there is no such address"),
    ("policy", "refused", "the server does not send there for you"),
    ("full", "waiting", "that mailbox is full"),
    ("grey", "waiting", "it is tried again from"),
])
def test_refusals(m, who, state, words):
    done = m.run("sendmail", who + "@example.net", text=LETTER,
                 status=malote.UNAVAILABLE if state == "refused" else 0)
    assert words in done.text
    item, = m.outbox()
    assert item["recipients"][0]["state"] == state


def test_other_refusals(m):
    text = LETTER + b"x" * 70 + b"\n"
    done = m.run("sendmail", "1@example.org", text=text + b"y\n" * 150000,
                 status=malote.UNAVAILABLE)
    assert "takes no more than 200000" in done.text
    done = m.run("sendmail", "-f", "other@example.org", "1@example.org",
                 text=text, status=malote.UNAVAILABLE)
    assert "5.7.1" in done.text and "not owned by user" in done.text
    m.account(password="wrong")
    done = m.run("sendmail", "1@example.org", text=text)
    assert "refuses the sign-in" in done.text and "5.7.8" in done.text


def test_several_recipients(m, server):
    m.run("sendmail", "gone@example.net", "2@example.org", "grey@example.net",
          text=LETTER, status=malote.UNAVAILABLE)
    server.mail("2@example.org")
    item, = m.outbox()
    assert [r["state"] for r in item["recipients"]] == [
        "refused", "sent", "waiting"]


def fates(m):
    return {r["address"]: r["state"] for item in m.outbox()
            for r in item["recipients"]}


@pytest.mark.parametrize("places", [
    8, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
@pytest.mark.timeout(900)
def test_killed_at_every_change(client, server, certs, killer, places):
    """Of what malote sendmail has taken nothing is lost, and nothing is there
    twice: it arrives once, or it is said that it perhaps has."""
    def begin(name):
        server.empty("1@example.org")
        m = client(name)
        return m.account(port=9, smtp_server="localhost", ca_file=certs.ca,
                         smtp_port=server.port, smtp_security="starttls",
                         sent="maildir:" + m.home + "/sent")

    def try_it(m, n):
        return m.run("sendmail", "1@example.org", text=LETTER, wrap=[
            killer, str(n), "torn"], env=ENV, status=None, seconds=60)

    total = int(re.search(r"changes (\d+)",
                          try_it(begin("first"), 0).text).group(1))
    server.mail("1@example.org")
    for n in spread(total, places):
        m = begin("home%d" % n)
        queued = server.log().count("status=sent")
        code = try_it(m, n).code
        assert code in (0, KILLED), code
        for _ in range(2):
            m.run("outbox", "retry", status=None)
        left, copies = fates(m), len(m.files("sent"))
        if left:
            assert left == {"1@example.org": "perhaps-sent"}, (n, left)
            assert copies == 0 and code == KILLED
            continue
        if copies == 0:
            assert code == KILLED, n  # it had promised nothing
            continue
        wait_until(lambda q=queued: server.log().count("status=sent") > q, 30)
        server.mail("1@example.org")
        assert copies == 1


@pytest.mark.skipif(not os.path.exists("/usr/bin/mutt"), reason="no mutt")
def test_mutt(m, server):
    m.write()
    rc = m.home + "/muttrc"
    with open(rc, "w") as f:
        f.write('set sendmail="%s -oem -oi"\nset from="ana@example.org"\n'
                'set realname="Ana Mar\u00e7o"\nset use_from=yes\n'
                'set use_envelope_from=yes\nset copy=no\n'
                'set send_charset="utf-8"\n' % program(m))
    subprocess.run(
        ["mutt", "-F", rc, "-s", "Ol\u00e1", "-b", "3@example.org", "--",
         "bo@example.org"], input="\u00e9 isso\n.\n\n".encode(), env=m.env,
        check=True, timeout=60)
    got, = server.mail("bo@example.org")
    assert b"3@example.org" not in got and b"=?utf-8?" in got
    server.mail("3@example.org")


@pytest.mark.skipif(
    not os.path.exists("/usr/lib/git-core/git-send-email"),
    reason="no git send-email")
def test_git_send_email(m, server):
    m.write()
    wrapper = m.home + "/sendmail"
    with open(wrapper, "w") as f:
        f.write('#!/bin/sh\nexec %s "$@"\n' % program(m))
    os.chmod(wrapper, 0o755)
    env = {**m.env, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words):
        subprocess.run(["git", "-c", "user.name=Ana", "-c",
                        "user.email=ana@example.org", *words], cwd=m.home,
                       env=env, check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    with open(m.home + "/file", "w") as f:
        f.write("\u00e9\n")
    git("add", "file")
    git("commit", "-q", "-m", "Add a file")
    git("send-email", "--quiet", "--confirm=never", "--suppress-cc=all",
        "--to=ana@example.net", "--sendmail-cmd=" + wrapper,
        "--from=ana@example.org", "-1")
    got, = server.mail("ana@example.net")
    assert b"Subject: [PATCH] Add a file" in got


def test_as_cron_pipes(m, server):
    m.write()
    text = (b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@x> ls\n"
            b"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
            b"Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n"
            b"\n" + b"z" * 3000 + b"\n")
    subprocess.run([*m.command("sendmail"), "-FCronDaemon", "-i",
                    "-B8BITMIME", "-oem", "root"], input=text, env=m.env,
                   check=True, timeout=60)
    got, = server.mail("ana@example.org")
    assert b"quoted-printable" in got and b"CronDaemon" in got
