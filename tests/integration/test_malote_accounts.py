"""An account is collected by its name alone, renamed, and forgotten."""
import os
import sqlite3
import re

import pytest

import faults
import malote
from hostile import letters
from server import wait_until

pytestmark = malote.NEEDED

# Not of the tests' own way of writing one.
COMMENTED = """# mine
account "casa" {	# at home
	email = 'ana@example.org'	user = user
	server = 127.0.0.1
	port = %d
	security = none
	password = "secret"	# not this: account "casa" { }
	deliver = "maildir:mail"
}
# the end
"""


@pytest.fixture
def server(lie):
    return lie(letters(3))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


@pytest.fixture
def by_hand(client, server):
    """A configuration that somebody wrote."""
    m = client()
    m.write_conf(COMMENTED % server.port)
    return m


def text_of(m):
    with open(m.conf) as f:
        return f.read()


def names_of(m):
    return [a["name"] for a in m.run("status", "--json",
                                     write=False).json["accounts"]]


# A name alone.

def test_a_name_alone_collects(m, server, lie):
    other = lie(letters(2, 7))
    m.account("obra", at=other)
    assert "casa: 3 messages collected" in m.run("casa").text
    assert other.lines == []
    text = m.run("obra", "casa").text
    assert "obra: 2 messages" in text and "casa: nothing new" in text
    m.run("--quiet", "obra")


def test_a_name_that_is_none(m):
    text = m.run("casaa", status=malote.USAGE).text
    assert "or account casaa; did you mean casa?" in text
    text = m.run("colect", status=malote.USAGE).text
    assert "did you mean collect?" in text
    assert "did you mean" not in m.run("xyzxyz", status=malote.USAGE).text
    assert "did you mean casa?" in m.run("casa", "cas",
                                         status=malote.USAGE).text


def test_a_name_without_a_configuration(client):
    """It is no account, whatever else is wrong."""
    assert "or account casa" in client().run(
        "casa", write=False, status=malote.USAGE).text


def test_a_name_in_a_configuration_with_a_mistake(m):
    """What is wrong is the configuration, and not the name."""
    m.write_conf("account casa {\n\tserver = pop\n\temial = x\n}\n")
    for word in ("casa", "obra"):
        text = m.run(word, write=False, status=malote.CONFIG).text
        assert "malote.conf:3: there is no setting emial" in text
        assert "or account" not in text
    assert "did you mean collect?" in m.run("colect", write=False,
                                            status=malote.USAGE).text


def test_a_command_wins(m, server, typist):
    m.account("status", at=server)
    del m.accounts["casa"]
    assert "never collected" in m.run("status").text
    assert server.lines == []
    assert "status: 3 messages" in m.run("collect", "status").text
    t = typist(m, "collect")
    assert t.wait() == 0
    assert b'malote.conf:1: warning: account "status" has the name ' \
        b"of a command; to collect it: malote collect status" in t.seen
    # A timer is not told each time.
    assert "warning" not in re.sub(".*security.*|.*everybody.*", "",
                                   m.run("collect").text)


# rename

def test_rename(by_hand, server):
    m = by_hand
    m.run("collect", write=False)
    before = m.files()
    os.chmod(m.conf, 0o400)
    assert m.run("rename", "casa", "lar", write=False).text == \
        "casa is called lar now; nothing is downloaded again\n"
    assert os.stat(m.conf).st_mode & 0o777 == 0o400
    want = COMMENTED.replace('account "casa" {\t', 'account "lar" {\t')
    assert text_of(m) == want % server.port
    server.forget()
    assert "lar: nothing new" in m.run("lar", write=False).text
    assert "RETR" not in server.dialogue()
    assert m.files() == before
    assert names_of(m) == ["lar"]


def test_rename_while_the_server_is_called_otherwise(by_hand, server):
    """What a run has not settled yet is settled under the new name."""
    m = by_hand
    m.run("collect", write=False)
    m.write_conf(text_of(m).replace("127.0.0.1", "localhost"))
    m.run("rename", "casa", "lar", write=False)
    server.forget()
    assert "lar: nothing new" in m.run("lar", write=False).text
    assert "RETR" not in server.dialogue()


def test_rename_to_a_name_that_was_used(m, server, lie):
    """Of an account that has gone from the configuration."""
    m.account("obra", at=lie(letters(2, 7)))
    m.collect()
    del m.accounts["obra"]
    m.write()
    m.run("rename", "casa", "obra", write=False)
    assert "obra: nothing new" in m.run("obra", write=False).text


@pytest.mark.parametrize("words, said", [
    (["casa", "obra"], "there is an account obra already"),
    (["casa", "casa"], "there is an account casa already"),
    (["csa", "x"], "there is no account csa"),
    (["casa", "a/b"], "cannot be an account's name"),
    (["casa", ""], "cannot be an account's name"),
    (["casa"], "malote rename OLD NEW"),
    (["casa", "a", "b"], "malote rename OLD NEW"),
])
def test_rename_refused(m, server, words, said):
    m.account("obra", at=server)
    m.write()
    before = text_of(m)
    assert said in m.run("rename", *words, status=malote.USAGE).text
    assert text_of(m) == before
    done = m.run("rename", "--json", *words, status=malote.USAGE)
    assert said in done.json["errors"][0]


def test_json(by_hand):
    done = by_hand.run("rename", "--json", "casa", "lar", write=False)
    assert done.json == {"malote": 1, "exit_code": 0, "errors": [],
                         "accounts": []}
    done = by_hand.run("forget", "--json", "--yes", "lar", write=False)
    assert done.json["exit_code"] == 0
    assert by_hand.run("forget", "--json", "lar", write=False,
                       status=malote.USAGE).json["errors"]


@pytest.mark.parametrize("words", [["rename", "casa", "lar"],
                                   ["forget", "--yes", "casa"]])
def test_not_while_it_is_collected(by_hand, server, words):
    m = by_hand
    server.fault("STAT", faults.wait(3))
    run = m.start("collect", write=False)
    wait_until(lambda: server.commands("STAT"))
    assert "another malote" in m.run(*words, write=False,
                                     status=malote.TEMPFAIL).text
    run.wait()
    assert text_of(m) == COMMENTED % server.port


# forget

def test_forget_keeps_the_mail_and_the_block(by_hand, server):
    m = by_hand
    m.run("collect", write=False)
    text = m.run("forget", "--yes", "casa", write=False).text
    assert "the mail that is here stays" in text
    assert text.endswith("the next run collects from 127.0.0.1 all that it "
                         "does not find in maildir:mail\n")
    assert len(m.files()) == 3
    assert text_of(m) == COMMENTED % server.port
    assert "casa: never collected" in m.run("status", write=False).text
    os.unlink(m.home + "/mail/" + next(iter(m.files())))
    assert "1 message collected" in m.run("casa", write=False).text


def test_forget_what_was_shown(m):
    """Also the numbers that "malote list" has given."""
    m.run("list")
    assert "casa is forgotten" in m.run("forget", "--yes", "casa").text
    with sqlite3.connect(m.state + "/state.db") as db:
        assert db.execute("SELECT count(*) FROM number").fetchall() == [(0,)]
    assert "collected" in m.run("casa").text


def test_forget_what_others_have(m):
    """Nothing is known of mail that a program took."""
    m.account(deliver="command:/bin/cat")
    m.collect()
    assert "collects all that is on 127.0.0.1 again\n" in m.run(
        "forget", "--yes", "casa").text
    assert "3 messages collected" in m.run("casa").text


def test_forget_with_the_block(m, server, lie):
    m.account("obra", at=lie(letters(2, 7)))
    m.collect()
    assert m.run("forget", "--yes", "--block", "casa", write=False).text == \
        "casa is forgotten; the mail that is here stays\n"
    assert names_of(m) == ["obra"]
    assert "obra: nothing new" in m.run(write=False).text
    assert len(m.files()) == 5


def test_forget_what_is_configured_no_more(m, server, lie):
    m.account("obra", at=lie(letters(2, 7)))
    m.collect()
    del m.accounts["casa"]
    assert "casa is forgotten" in m.run("forget", "--yes", "casa").text
    text = m.run("forget", "--yes", "casa", status=malote.USAGE).text
    assert "no account casa, neither in" in text
    os.unlink(m.conf)
    assert "obra is forgotten" in m.run("forget", "--yes", "obra",
                                        write=False).text


def test_forget_asks(m, server, typist):
    m.collect()
    t = typist(m, "forget", "casa")
    t.expect(b"of which 3 messages are on record? The mail that is here "
             b"stays. [y/N] ")
    t.type(b"\n")
    assert t.wait() == 0
    assert b"nothing has changed" in t.seen
    assert "casa: nothing new" in m.run("casa").text

    t = typist(m, "forget", "casa")
    t.expect(b"[y/N] ")
    t.type(b"y\n")
    t.expect(b"Remove its block from ")
    t.expect(b"[y/N] ")
    t.type(b"y\n")
    assert t.wait() == 0
    assert text_of(m) == ""


def test_forget_without_a_terminal(m):
    m.collect()
    text = m.run("forget", "casa", status=malote.USAGE).text
    assert "malote forget --yes casa" in text
    assert "casa: nothing new" in m.run("casa").text


def test_forget_what_is_half_there(m, server):
    """A message may be half in a mailbox, and only the record knows."""
    m.collect()
    m.record("INSERT INTO intent (account, at, dest, size, header, strong, "
             "to_delete, octets, start, length, content) VALUES (1, 0, 'maildir:%s', "
             "1, zeroblob(10), 0, 0, 0, 0, 0, zeroblob(10))" % (m.home + "/mail"))
    text = m.run("forget", "--yes", "casa", status=malote.TEMPFAIL).text
    assert "run malote collect casa once" in text
    m.collect()
    m.run("forget", "--yes", "casa")


def test_options_of_others(m):
    text = m.run("collect", "--yes", status=malote.USAGE).text
    assert "malote collect has no option --yes" in text
