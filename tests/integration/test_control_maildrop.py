"""malotectl maildrop: which messages there are, what one is, and whether all
is well; asked of the store that has them."""
import json
import os
import shutil
import subprocess

import pytest

import drop
from server import CTL, wait_until

pytestmark = [pytest.mark.core, pytest.mark.ours]

EX_NOUSER, EX_CONFIG, EX_DATAERR, EX_NOPERM = 67, 78, 65, 77
GROUP, STRANGER = 64123, 64124
TEXT = b"""Received: from a
 by b
From: Ana <ana@example.org>
To: bea@example.org
Subject: the first
 of two lines
Date: Tue, 1 Jul 2003 10:52:37 +0200
Message-ID: <one@example.org>

nobody is to read this
"""


def message(name, text, folder="new"):
    return drop.Message(folder, name, text, drop.EPOCH, "text")


@pytest.fixture
def box(place):
    return place.maildir([message("1.a", TEXT),
                          message("2.b:2,S", b"Subject: x\n\nx\n", "cur")])


@pytest.fixture
def server(serve, box):
    return serve(box)


def told(server, *words):
    return json.loads(server.ctl("maildrop", *words, "--json"))


def test_list(server, login):
    """As a session has it: numbers, unique-ids, sizes."""
    first, second = told(server, "list", "user")
    assert first["message_id"] == "<one@example.org>"
    assert second["message_id"] == ""
    assert first["date"] == drop.EPOCH
    session = login(server)
    for m in (first, second):
        assert session.uidl()[m["number"]] == m["unique_id"]
        assert session.list()[m["number"]] == m["octets"]
    assert told(server, "list", "user") == [first, second]
    text = server.ctl("maildrop", "list", "user")
    assert "<one@example.org>" in text and "nobody" not in text
    session.quit()
    assert [e["command"] for e in server.await_event("control", 3)] == \
        ["maildrop list"] * 3


def test_a_long_list(serve, place):
    """Comes in pieces, all of it and once."""
    box = place.maildir([message("%d.m" % (1000000 + n),
                                 b"Message-ID: <%d@x>\n\n" % n)
                         for n in range(2500)])
    server = serve(box)
    got = told(server, "list", "user")
    assert [m["number"] for m in got] == list(range(1, 2501))
    assert [m["message_id"] for m in got] == \
        ["<%d@x>" % n for n in range(2500)]


def test_show(server):
    """The envelope, and not what is in it."""
    it = told(server, "show", "user", "1")
    assert it["from"] == "Ana <ana@example.org>"
    assert it["to"] == "bea@example.org"
    assert it["subject"] == "the first of two lines"
    assert it["date"] == "Tue, 1 Jul 2003 10:52:37 +0200"
    assert it["message_id"] == "<one@example.org>"
    assert it["file"] == "1.a" and it["folder"] == "new"
    assert it["file_octets"] == len(TEXT)
    assert it["octets"] == len(drop.wire(TEXT))
    assert told(server, "show", "user", "2")["flags"] == "S"
    assert "nobody" not in server.ctl("maildrop", "show", "user", "1")
    assert "there are 2" in server.ctl("maildrop", "show", "user", "3",
                                       code=EX_CONFIG)
    for number in ("0", "x", "-1"):
        assert "number" in server.ctl("maildrop", "show", "user", "--",
                                      number, code=EX_DATAERR)


def test_nothing_is_changed(server, box, login):
    """Not what is read, nor where it is; who is signed in notices nothing."""
    before = drop.files(box)
    session = login(server)
    for words in (["list", "user"], ["show", "user", "1"],
                  ["check", "user"]):
        told(server, *words)
    assert session.stat()[0] == 2
    session.ok("DELE 1")
    session.quit()
    assert drop.files(box) == before - {"new/1.a"}


def test_check(serve, place, login):
    box = place.maildir([message("1.a", TEXT), message("2.b", TEXT)])
    server = serve(box)
    assert told(server, "check", "user")["index"].startswith("none")
    login(server).quit()
    well = told(server, "check", "user")
    assert well["index"] == "good" and well["problems"] == []
    assert well["messages"] == well["files"] == well["index_messages"] == 2
    assert well["unique_ids"] == "filename"
    assert well["uidl_damaged"] == well["left_out"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="root gives to others")
def test_what_is_wrong(serve, place, login):
    box = place.maildir([message("1.a", TEXT), message("2.b", TEXT),
                         message("3.c:2,", TEXT, "cur"),
                         message("3.c:2,S", TEXT, "cur")])
    server = serve(box)
    login(server).quit()
    os.chown(box + "/new/2.b", 0, 0)
    os.symlink("/etc/passwd", box + "/new/4.d")
    with open(box + "/malote.index", "r+b") as f:
        f.seek(20)
        f.write(b"\xff" * 40)
    os.utime(box + "/new")
    it = told(server, "check", "user")
    assert it["index"].startswith("damaged")
    problems = {p["what"]: p["problem"] for p in it["problems"]}
    assert problems["2.b"].endswith("; remedy: chown %d" % place.owner[0])
    assert "4.d" in problems
    assert any(what.startswith("3.c:2,") and "same name" in why
               for what, why in problems.items())
    assert it["problems_in_all"] == len(it["problems"])
    text = server.ctl("maildrop", "check", "user")
    assert "2.b" in text and "damaged" in text or "good" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="root gives to others")
def test_only_root(serve, box):
    """What is in somebody's mail is not for the group that may ask more."""
    server = serve(box, 'control_group = "%d"\n' % GROUP)
    mine = server.tmp + "/malotectl"
    shutil.copy(CTL, mine)
    os.chmod(mine, 0o755)
    os.chmod(server.ctl_conf, 0o644)
    for words in (["list", "user"], ["show", "user", "1"],
                  ["check", "user"]):
        run = subprocess.run(
            [mine, "--config", server.ctl_conf, "maildrop", *words],
            capture_output=True, text=True, check=False, timeout=60,
            user=STRANGER, group=GROUP, extra_groups=[])
        assert run.returncode == EX_NOPERM and "only root" in run.stderr


def test_who_is_not_there(server):
    assert "no such user" in server.ctl("maildrop", "list", "carl",
                                        code=EX_NOUSER)


def test_what_was_written_there_is_not_obeyed(serve, place):
    """By a terminal."""
    server = serve(place.maildir([message(
        "1.a", b"Message-ID: <\x1b[2J\x07@x>\nSubject: \x1b]0;x\x07\n\nx\n")]))
    for words in (["list", "user"], ["show", "user", "1"]):
        text = server.ctl("maildrop", *words)
        assert "\x1b" not in text and "\x07" not in text
        assert wait_until(lambda: told(server, *words))
