"""What may be deleted, and what must not; and when the record of it is gone.

After every scenario: what went from the server is here (settled,
nothing_lost).
"""
import os
import re

import pytest

import faults
import malote
from hostile import Mail, impostor, letters
from malote import after, again, nothing_lost, same, settled

pytestmark = [malote.NEEDED, pytest.mark.core]


@pytest.fixture
def server(lie):
    return lie(letters(6))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


# Deleting.

def test_deferred_deletion_asks_first(m, server):
    had = list(server.box.mails)
    m.account(keep="1h").collect()
    assert server.commands("DELE", "TOP") == []
    after(m, server)
    assert sorted(server.numbers("TOP")) == [1, 2, 3, 4, 5, 6]
    assert sorted(server.numbers("DELE")) == [1, 2, 3, 4, 5, 6]
    assert server.numbers("RETR") == []
    settled(server, m, had, keep=False)


def test_deferred_deletion_refuses_another_header(m, server):
    """The same unique-id and size, but not the same message."""
    had = list(server.box.mails)
    m.account(keep="1h").collect()
    false = Mail(impostor(had[3]), "u4")
    server.box.mails[3] = false
    after(m, server)
    assert 4 not in server.numbers("DELE") or 4 in server.numbers("RETR")
    nothing_lost(server, m)
    after(m, server)
    after(m, server)
    settled(server, m, had + [false], keep=False)


def test_deferred_deletion_and_a_top_that_fails(m, server):
    had = list(server.box.mails)
    m.account(keep="1h").collect()
    server.fault("TOP", faults.err("[SYS/TEMP] later"), number=2)
    after(m, server, status=None)
    assert [x.uid for x in server.box.mails] == ["u2"]
    after(m, server)
    settled(server, m, had, keep=False)


def test_from_keep_to_delete(m, server):
    """C-ENG-29: only what is here; what never came stays there."""
    server.box.mails[2] = Mail(letters(1, 80)[0].octets + b"x\r\n" * 20000,
                               "u3")
    had = list(server.box.mails)
    m.account(max_size=50000).collect(status=None)
    m.account(keep="no")
    again(m, server, status=None)
    assert [x.uid for x in server.box.mails] == ["u3"]
    same(m.files().values(), [x.local for x in had if x.uid != "u3"])


@pytest.mark.parametrize("committed", [True, False])
def test_quit_without_an_answer(m, server, committed):
    """C-ENG-20, M-37: perhaps.  Then deleted again, not fetched again."""
    had = list(server.box.mails)
    server.fault("QUIT", faults.cut(effect=committed))
    m.account(keep="no").collect(status=None)
    nothing_lost(server, m)
    server.heal()
    m.collect()
    assert server.numbers("RETR") == []
    assert server.box.mails == []
    settled(server, m, had, keep=False)


def test_quit_refused(m, server):
    """Not all were removed."""
    had = list(server.box.mails)
    server.fault("QUIT", faults.err("some messages not removed"))
    m.account(keep="no").collect(status=None)
    again(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, had, keep=False)


def test_dele_refused(m, server):
    had = list(server.box.mails)
    server.fault("DELE", faults.err("no"), number=3)
    m.account(keep="no").collect(status=None)
    assert [x.uid for x in server.box.mails] == ["u3"]
    again(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, had, keep=False)


def test_uid_of_a_deleted_one_is_used_again(m, server):
    """A server that counts from 1 in each empty maildrop."""
    had = list(server.box.mails)
    m.account(keep="no").collect()
    new = letters(6, 85)
    server.box.mails.extend(new)
    again(m, server)
    settled(server, m, had + new, keep=False)


# The brake.

def test_brake(lie, client):
    """C-ENG-24: much is missing and much is unknown."""
    server = lie(letters(30))
    had = list(server.box.mails)
    m = client().account(at=server, keep="yes")
    m.collect()
    new = letters(30, 90, uid="n%d")
    server.box.mails[:] = new
    m.account(keep="no")
    again(m, server, status="bad")
    assert server.numbers("DELE") == []
    settled(server, m, had + new, keep=True)
    again(m, server, status="bad")
    assert server.numbers("DELE") == [] == server.numbers("RETR")
    server.forget()
    m.collect("--accept")
    again(m, server)
    settled(server, m, had + new, keep=False)


@pytest.mark.parametrize("missing, new", [(30, 0), (10, 30), (15, 3)])
def test_no_brake(lie, client, missing, new):
    """Another program has deleted them; or many are new."""
    server = lie(letters(30))
    had = list(server.box.mails)
    m = client().account(at=server)
    m.collect()
    fresh = letters(new, 91, uid="n%d")
    server.box.mails[:] = server.box.mails[missing:] + fresh
    again(m, server)
    same(m.files().values(), [x.local for x in had + fresh])


# What others do here meanwhile.

def move(m, octets, to):
    """As a mail program does it; None: deletes."""
    path = next(p for p, v in m.files().items() if v == octets)
    source = os.path.join(m.home, "mail", path)
    if to is None:
        os.unlink(source)
        return
    target = os.path.join(m.home, "mail", to)
    os.makedirs(target, exist_ok=True)
    os.rename(source, os.path.join(
        target, re.sub(r":2,.*", "", os.path.basename(path)) + ":2,RS"))


@pytest.mark.parametrize("lost", [True, False])
def test_mail_program_moves_files(m, server, lost):
    had = [x.local for x in server.box.mails]
    m.collect()
    move(m, had[0], "cur")
    move(m, had[1], ".Archive.2023/cur")
    if lost:
        m.lose_state()
    else:
        move(m, had[2], None)
        had.pop(2)
    again(m, server)
    assert server.numbers("RETR") == []
    same(m.files().values(), had)


# A state that is lost or damaged.

@pytest.mark.parametrize("keep", ["yes", "30d"])
def test_state_lost(m, server, keep):
    """Rebuilt from the names of the files."""
    had = list(server.box.mails)
    m.account(keep=keep).collect()
    m.lose_state()
    server.box.mails.append(letters(1, 95)[0])
    had.append(server.box.mails[-1])
    again(m, server)
    assert server.numbers("RETR") == [7]
    settled(server, m, had, keep=True)
    if keep == "1h":
        after(m, server)
        after(m, server)
        settled(server, m, had, keep=False)


def test_state_lost_and_all_renumbered(m, server):
    m.collect()
    m.lose_state()
    for i, mail in enumerate(server.box.mails):
        mail.uid = "new-%d" % i
    again(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, server.box.mails, keep=True)


def test_state_lost_and_uid_reused(m, server):
    had = list(server.box.mails)
    m.collect()
    m.lose_state()
    server.box.mails[2] = Mail(letters(1, 50)[0].octets + b"more\r\n", "u3")
    again(m, server)
    settled(server, m, had + [server.box.mails[2]], keep=True)


def ruin(path, how):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        if how == "empty":
            f.truncate(0)
        elif how == "half":
            f.truncate(size // 2)
        elif how == "garbage":
            f.write(b"\xa5" * size)
        else:
            f.seek(size // 2)
            f.write(b"\xa5" * min(600, size // 2))


@pytest.mark.parametrize("how", ["empty", "half", "garbage", "middle"])
def test_state_damaged(m, server, how):
    """What is left is not believed; nothing comes twice."""
    m.collect()
    for path, _, names in os.walk(m.state):
        for name in names:
            ruin(os.path.join(path, name), how)
    again(m, server, status=None)
    again(m, server)
    settled(server, m, server.box.mails, keep=True)
