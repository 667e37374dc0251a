"""An account is its server and its user, and what is here is known by its
header: no other name of an account or of a file makes mail new."""
import os
import re

import pytest

import malote
from hostile import letters
from malote import again, same
from server import free_port

pytestmark = malote.NEEDED


@pytest.fixture
def server(lie):
    return lie(letters(12))


def rename(m, old, new):
    m.accounts[new] = m.accounts.pop(old)


def test_a_renamed_account(client, server):
    m = client().account(at=server)
    m.collect()
    rename(m, "casa", "lar")
    again(m, server)
    assert server.commands("RETR") == []
    same(m.files().values(), [x.local for x in server.box.mails])
    assert b"12 messages" in m.run("status").out


def test_a_renamed_account_goes_on_deleting(client, server):
    m = client().account(at=server, keep="1h")
    m.collect()
    rename(m, "casa", "lar")
    m.age()
    again(m, server)
    assert server.box.mails == []
    assert len(m.files()) == 12


def test_a_mistake_and_then_another_name(client, server):
    """What could never sign in takes no record away from its maildrop."""
    m = client().account(at=server)
    m.collect()
    m.account(user="usr").collect(status=malote.NOPERM)
    m.account(port=free_port()).collect(status=malote.UNAVAILABLE)
    m.run("status")
    m.account(at=server, user="user")
    rename(m, "casa", "lar")
    again(m, server)
    assert server.commands("RETR") == []
    assert len(m.files()) == 12


def test_a_server_that_moved_and_then_another_name(client, lie, server):
    m = client().account(at=server)
    m.collect()
    box = server.box.mails
    server.stop()
    server = lie(box)
    m.account(at=server).collect()
    rename(m, "casa", "lar")
    again(m, server)
    assert server.commands("RETR") == []
    assert len(m.files()) == 12


def test_names_that_changed_places(client, lie):
    one, other = lie(letters(3)), lie(letters(4, seed=8))
    m = client().account("a", at=one).account("b", at=other)
    m.collect()
    m.accounts["a"], m.accounts["b"] = m.accounts["b"], m.accounts["a"]
    one.forget()
    other.forget()
    m.collect()
    assert one.commands("RETR") == other.commands("RETR") == []
    assert len(m.files()) == 7


def test_a_daemon_that_knows_the_old_name(client, server):
    """It has read the configuration before it was changed."""
    m = client().account(at=server)
    m.collect()
    with open(m.conf) as f:
        before = f.read()
    rename(m, "casa", "lar")
    m.collect()
    m.write_conf(before)
    server.forget()
    m.collect(write=False)
    assert server.commands("RETR") == []
    assert len(m.files()) == 12


def foreign_names(m):
    """As a mail program may leave them."""
    top = os.path.join(m.home, "mail")
    for n, path in enumerate(sorted(m.files())):
        os.rename(os.path.join(top, path),
                  os.path.join(top, "cur", "%d.R%d.host:2,S" % (n, n)))


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_a_lost_record_and_files_of_other_names(client, server, keep):
    m = client().account(at=server)
    m.collect()
    foreign_names(m)
    m.lose_state()
    m.account(keep=keep)
    done = again(m, server)
    assert server.commands("RETR") == []
    assert len(m.files()) == 12
    assert b"12 messages in maildir:" in done.err, done
    assert (server.box.mails == []) == (keep == "no")


def test_a_lost_record_and_another_name(client, server):
    m = client().account(at=server)
    m.collect()
    m.lose_state()
    rename(m, "casa", "lar")
    again(m, server)
    assert server.commands("RETR") == []
    assert len(m.files()) == 12


def test_a_second_account_asks_for_no_headers(client, lie, server):
    """What another account has collected into the same mailbox is no doubt."""
    m = client().account(at=server)
    m.collect()
    other = lie(letters(3, seed=9))
    m.account("obra", at=other)
    m.collect()
    assert other.commands("TOP") == []
    assert len(m.files()) == 15


def test_status_after_a_lost_record(client, server):
    m = client().account(at=server)
    m.collect()
    m.lose_state()
    m.collect()
    said = m.run("status").out.decode()
    assert "12 messages" in said and not re.search(r"\b0 messages", said), said


def test_status_under_another_server(client, lie, server):
    """What was collected belongs to the server and user of before."""
    m = client().account(at=server)
    m.collect()
    for other in ({"user": "usr"}, {"user": "user", "port": free_port()}):
        m.account(**other).collect(status="bad")
        said = m.run("status").text
        assert "casa: never collected from 127.0.0.1 as " in said, said
        assert "12 messages of the server and user that were" in said
        assert "here: 12 messages, " not in said and "on 127" not in said
        done = m.run("status", "--json").account("casa")
        assert done["collected"] == done["left"] == done["collected_at"] == 0
    m.account(at=server).collect()
    assert "here: 12 messages, " in m.run("status").text
    moved = lie(letters(12))
    m.account(at=moved).collect()
    assert "here: 12 messages, " in m.run("status").text
    assert len(m.files()) == 12
