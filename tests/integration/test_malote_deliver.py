"""The program delivers; other programs read it.

(test_deliver.py: the deliveries alone; test_malote_collect.py: in short.)
"""
import mailbox
import os
import re
import shutil
import socket
import threading
import time

import pytest

import drop
import malote
import terminal
from hostile import letters, mails
from malote import same
from server import wait_until
from test_deliver import dovecot  # noqa: F401, a fixture

pytestmark = malote.NEEDED
REFUSED = 73


def from_lines(text):
    return re.sub(rb"(?m)^>(>*From )", rb"\1", text)


def odd():
    return letters(6) + mails([
        b"From x\n>From y\n\nFrom z\n\n", b"Subject: no end\n\nFrom",
        b"Subject: 8bit\n\n\xff\xfe\0\r\n", b"", b"\n\n\n"], "x%d")


# mbox.

@pytest.mark.core
def test_mbox_read_by_python(lie, client):
    """C-ENG-30: in two runs, none joined or cut."""
    server = lie(odd())
    wanted = [x.local for x in server.box.mails]
    m = client()
    m.account(at=server, keep="no", deliver="mbox:" + m.home + "/mbox")
    m.collect()
    server.box.mails.extend(letters(3, 60, "later%d"))
    wanted += [x.local for x in server.box.mails]
    m.collect()
    read = mailbox.mbox(m.home + "/mbox", create=False)
    got = [from_lines(read.get_bytes(k)) for k in read.keys()]
    # What ends without an end of line has one in an mbox.
    same(got, [x if x.endswith(b"\n") or not x else x + b"\n"
               for x in wanted])
    assert server.box.mails == []


@pytest.mark.skipif(shutil.which("mutt") is None, reason="mutt is not there")
def test_mutt_between_two_runs(lie, client):
    """It deletes one and marks the rest: nothing comes again or is lost."""
    server = lie(letters(4))
    m = client()
    m.account(at=server, deliver="mbox:" + m.home + "/mbox")
    m.collect()
    rc = m.home + "/muttrc"
    with open(rc, "w") as f:
        f.write("set mark_old=yes move=no quit=yes delete=yes folder=%s\n"
                "push \"<delete-message><quit>\"\n" % m.home)
    status, screen = terminal.run(
        ["mutt", "-n", "-F", rc, "-f", m.home + "/mbox"], m.home)
    assert status == 0, screen[-2000:]
    server.box.mails.extend(letters(2, 60, "later%d"))
    m.collect()
    assert len(mailbox.mbox(m.home + "/mbox", create=False)) == 5
    server.forget()
    m.collect()
    assert server.numbers("RETR") == []


@pytest.mark.core
def test_two_accounts_one_mbox(lie, client):
    """At the same time: each message whole, once; and a third program that
    appends meanwhile."""
    servers = [lie(letters(150, n, "%d-%%d" % n)) for n in (1, 2, 3)]
    wanted = [x.local for s in servers for x in s.box.mails]
    m = client()
    box = m.home + "/mbox"
    for n, server in enumerate(servers):
        m.account("a%d" % n, at=server, keep="no", deliver="mbox:" + box)
    run = m.start("collect")
    added = []
    while not run.poll():
        other = mailbox.mbox(box)
        try:
            other.lock()
            text = b"Subject: other %d\n\nx\n" % len(added)
            other.add(text)
            other.flush()
            added.append(text)
        except mailbox.ExternalClashError:
            pass
        finally:
            other.unlock()
            other.close()
        time.sleep(0.01)
    run.wait()
    assert added
    same(m.mbox(), wanted + added)


def test_two_programs_one_mbox(lie, client):
    """The same from two homes."""
    box, runs, wanted = client("one").home + "/mbox", [], []
    for n, name in enumerate(("one", "two")):
        server = lie(letters(150, n, "%d-%%d" % n))
        wanted += [x.local for x in server.box.mails]
        runs.append(client(name).account(
            at=server, keep="no", deliver="mbox:" + box).start("collect"))
    for run in runs:
        run.wait()
    same(client("one").mbox(), wanted)


# A command.

def script(m, text):
    path = m.home + "/take"
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o700)
    return path


@pytest.mark.skipif(shutil.which("maildrop") is None, reason="needs maildrop")
def test_maildrop(lie, client):
    """A real one, with a filter; it sorts by subject."""
    server = lie(letters(6))
    wanted = [x.local for x in server.box.mails]
    m = client()
    for box in ("some", "rest"):
        drop.write(m.home + "/" + box, [], None)
    rc = m.home + "/mailfilter"
    with open(rc, "w") as f:
        f.write("if (/^Subject:.*order [12]$/)\n  to \"%s/some/\"\n"
                "to \"%s/rest/\"\n" % (m.home, m.home))
    os.chmod(rc, 0o600)
    m.account(at=server, keep="no", deliver="command:maildrop %s" % rc)
    m.collect()
    assert server.box.mails == []
    got = [re.sub(rb"\AFrom [^\n]*\n", b"", x) for box in ("some", "rest")
           for x in m.files(box).values()]
    same(got, wanted)
    assert len(m.files("some")) == 2


@pytest.mark.core
@pytest.mark.parametrize("code, exit_code", [
    (75, 75), (67, REFUSED), (1, REFUSED), (127, 75), (255, REFUSED),
    (0, 0)])
def test_exit_codes(lie, client, code, exit_code):
    """C-ENG-31: 0 alone is a delivery."""
    server = lie(letters(3))
    m = client()
    path = script(m, "cat >/dev/null\necho 'no such\tuser' >&2\nexit %d\n"
                  % code)
    m.account(at=server, keep="no", deliver="command:" + path)
    done = m.collect(status=None if code else 0)
    assert len(server.box.mails) == (3 if code else 0)
    if code:
        assert done.code != 0 and "no such" in done.text
        assert "\t" not in done.text
        assert "%d" % code in done.text
    if exit_code is not None:
        assert done.code == exit_code
    # And when it works again, they come.
    script(m, "cat >>%s/took\n" % m.home)
    m.forgive() if code else None
    m.collect()
    assert server.box.mails == []


def test_command_that_does_not_read(lie, client):
    """Its exit code counts, not what it has read."""
    server = lie(mails([b"A: b\n\n" + b"x\n" * 300000]))
    m = client().account(at=server, keep="no", deliver="command:true")
    m.collect()
    assert server.box.mails == []


def test_command_that_hangs(lie, client):
    """It and what it has started are ended; the others come another time."""
    server = lie(letters(1))
    m = client()
    path = script(m, "echo $$ >%s/pid\nsleep 1000 & wait\n" % m.home)
    m.account(at=server, keep="no", timeout=1, deliver="command:" + path)
    start = time.monotonic()
    done = m.collect(status="bad")
    assert time.monotonic() - start < 5
    assert "more than 1 s" in done.text
    with open(m.home + "/pid") as f:
        pid = int(f.read())
    wait_until(lambda: not os.path.exists("/proc/%d" % pid), 2)
    assert len(server.box.mails) == 1


def test_command_killed(lie, client):
    server = lie(letters(1))
    m = client()
    m.account(at=server, keep="no",
              deliver="command:" + script(m, "kill -9 $$\n"))
    assert "signal 9" in m.collect(status="bad").text
    assert len(server.box.mails) == 1


def test_command_is_not_there(lie, client):
    server = lie(letters(2))
    m = client().account(at=server, keep="no", deliver="command:no-such-one")
    assert "no-such-one" in m.collect(status="bad").text
    assert len(server.box.mails) == 2


def test_what_a_command_inherits(lie, client):
    """Its message, no other descriptor, no secret; signals as they were."""
    server = lie(letters(1))
    m = client()
    path = script(m, "ls -l /proc/self/fd >%s/fds\nenv >%s/env\n"
                  "grep -E 'Sig(Ign|Blk)' /proc/self/status >%s/signals\n"
                  % ((m.home,) * 3))
    m.account(at=server, deliver="command:" + path)
    m.collect()
    with open(m.home + "/fds") as f:
        fds = [x.split()[8] for x in f.read().splitlines()[1:]]
    assert set(fds) <= {"0", "1", "2", "3"}, fds  # 3: that of ls
    with open(m.home + "/env") as f:
        assert "secret" not in f.read()
    with open(m.home + "/signals") as f:
        assert {x.split()[1] for x in f} == {"0" * 16}


# LMTP.

def lmtp_answers(fail, host="127.0.0.1"):
    """A server that refuses some; returns (port, what it took, thread)."""
    listener = socket.create_server((host, 0))
    took = []

    def one(s):
        f = s.makefile("rwb")

        def say(text):
            f.write(text + b"\r\n")
            f.flush()
        say(b"220 x")
        for line in iter(f.readline, b""):
            verb = line[:4].upper()
            if verb == b"QUIT":
                return say(b"221 bye")
            if verb == b"RCPT" and fail.get("rcpt"):
                say(fail["rcpt"])
            elif verb == b"DATA":
                say(b"354 go")
                body = b"".join(iter(f.readline, b".\r\n"))
                answer = fail["data"](body) if "data" in fail else None
                if not answer:
                    took.append(body.replace(b"\r\n", b"\n"))
                say(answer or b"250 ok")
            else:
                say(b"250 ok")

    def run():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            with s:
                one(s)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return listener, took


def stop(listener):
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_dovecot(lie, client, dovecot):  # noqa: F811
    """To a socket; the envelope is the account's address."""
    server = lie(letters(5))
    wanted = [x.local for x in server.box.mails]
    m = client().account(at=server, keep="no",
                         deliver="lmtp:" + dovecot + "/lmtp")
    m.collect()
    assert server.box.mails == []
    read = mailbox.Maildir(dovecot + "/box", create=False)
    texts = [read.get_bytes(k).replace(b"\r\n", b"\n") for k in read.keys()]
    assert len(texts) == 5
    assert all(b"Delivered-To: ana@example.org\n" in t for t in texts)
    bodies = sorted(x.split(b"\n\n", 1)[1] for x in wanted)
    assert sorted(t.split(b"\n\n", 1)[1] for t in texts) == bodies


@pytest.mark.parametrize("where", ["127.0.0.1:%d", "localhost:%d ana@x.org"])
def test_lmtp_by_tcp(lie, client, where):
    server = lie(letters(4))
    wanted = [x.local for x in server.box.mails]
    listener, took = lmtp_answers({})
    m = client().account(at=server, keep="no", deliver="lmtp:" + where
                         % listener.getsockname()[1])
    m.collect()
    stop(listener)
    same(took, wanted)
    assert server.box.mails == []


@pytest.mark.parametrize("reply", [b"550 5.1.1 no such\x1b[31m user",
                                   b"452 4.2.2 full"])
def test_refused_recipient(lie, client, reply):
    server = lie(letters(3))
    listener, took = lmtp_answers({"rcpt": reply})
    m = client().account(at=server, keep="no", deliver="lmtp:127.0.0.1:%d"
                         % listener.getsockname()[1])
    done = m.collect(status="bad")
    stop(listener)
    assert reply[:3].decode() in done.text and "\x1b" not in done.text
    assert took == [] and len(server.box.mails) == 3


def test_one_refused_message(lie, client):
    """The others go on."""
    server = lie(letters(5))
    listener, took = lmtp_answers({
        "data": lambda b: b"554 spam" if b"order 2\r\n" in b else None})
    m = client().account(at=server, keep="no", deliver="lmtp:127.0.0.1:%d"
                         % listener.getsockname()[1])
    assert "spam" in m.collect(status=REFUSED).text
    stop(listener)
    assert len(took) == 4
    assert [x.uid for x in server.box.mails] == ["u2"]


def test_no_lmtp_server(lie, client):
    server = lie(letters(3))
    m = client().account(at=server, keep="no")
    m.account(deliver="lmtp:" + m.home + "/none")
    assert m.home in m.collect(status="bad").text
    assert len(server.box.mails) == 3
