"""malote list, fetch, delete and collect --dry-run: what a person does by hand,
under the guarantees of a run."""
import os
import shutil

import pytest

import drop
import faults
import malote
from hostile import Mail, impostor, letters
from test_malote_collect import point_at

pytestmark = malote.NEEDED


@pytest.fixture
def server(lie):
    return lie(letters(4))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


def listed(m, **more):
    """{number: message}, in the order of the list."""
    messages = m.run("list", "--json", **more).account("casa")["messages"]
    return {x["number"]: x for x in messages}


def uids(server):
    return [x.uid for x in server.box.mails]


def deleted(m, *numbers, status=malote.OK):
    done = m.run("delete", "casa", *map(str, numbers), "--yes", "--json",
                 status=status)
    return [x["outcome"] for x in done.account("casa")["messages"]]


# list

@pytest.mark.core
def test_list(m, server):
    """Headers only; nothing collected, nothing deleted."""
    before = uids(server)
    got = listed(m)
    assert list(got) == [1, 2, 3, 4]
    assert got[2]["subject"] == "Your order 2" and not got[2]["here"]
    assert got[2]["size"] == server.box.mails[1].listed
    assert not server.commands("RETR", "DELE") and m.files() == {}
    m.collect()
    assert all(x["here"] for x in listed(m).values())
    assert uids(server) == before


@pytest.mark.core
def test_numbers_are_permanent(m, server):
    """Nobody gets the number of another, not even of one that has gone, and a
    number survives that the message is away for a while."""
    away = server.box.mails
    listed(m)
    server.box.mails = away[2:]
    assert list(listed(m)) == [3, 4]
    server.box.mails = away[3:] + letters(2, seed=8, uid="new%d")
    assert list(listed(m)) == [4, 5, 6]
    server.box.mails = []
    assert listed(m) == {}
    server.box.mails = away[:1] + letters(1, seed=9, uid="newer%d")
    assert list(listed(m)) == [1, 7]


def test_numbers_without_unique_ids(m, server):
    """The header says which one it is."""
    server.without.add("UIDL")
    mails = server.box.mails
    assert list(listed(m)) == [1, 2, 3, 4]
    server.box.mails = mails[::-1]
    assert list(listed(m)) == [4, 3, 2, 1]


def test_unique_id_of_another_message(m, server):
    """It has another header: so it has another number."""
    listed(m)
    server.box.mails[1].octets = impostor(server.box.mails[1])
    assert list(listed(m)) == [1, 5, 3, 4]


def test_numbers_are_the_accounts_own(m, server):
    """Also under another name."""
    listed(m)
    m.accounts["lar"] = m.accounts.pop("casa")
    server.box.mails.pop(0)
    got = m.run("list", "lar", "--json").account("lar")["messages"]
    assert [x["number"] for x in got] == [2, 3, 4]


def test_hostile_header(m, server, typist):
    """What is in it does nothing to the screen."""
    server.box.mails = [Mail(
        b"From: =?utf-8?q?=1b[31m=E2=80=AEred?= <x@example.org>\r\n"
        b"Subject: =?iso-8859-1?Q?caf=E9?= =?utf-8?B?w6k=?= \x1b]0;x\x07\r\n"
        b"Date: Sun, 22 Nov 2026 12:03:04 -0300\r\n"
        b"Message-ID: <1@example.org>\r\n\r\nx\r\n", "u")]
    m.env["TZ"] = "UTC"
    out = m.run("list").out
    assert b"\x1b" not in out and b"\x07" not in out
    text = out.decode()
    assert "2026-11-22 15:03" in text and "caféé \\x1b]0;x\\x07" in text
    assert "\\x1b[31m?red" in text
    assert listed(m)[1]["date"] == 1795359784


def test_fits_the_screen(m, server, typist):
    server.box.mails = [Mail(
        b"From: " + b"long " * 50 + b"\r\nSubject: " + "日本 ".encode() * 40 +
        b"\r\nMessage-ID: <1@example.org>\r\n\r\nx\r\n", "u")]
    t = typist(m, "list", env={"LC_ALL": "C.UTF-8"}, columns=70)
    assert t.wait() == 0
    line = [x for x in t.seen.decode().split("\n") if "日" in x][0].rstrip()
    assert len(line) + line.count("日") + line.count("本") <= 70
    assert line.endswith("~")
    assert m.run("list").text.count("日") == 40


# delete

@pytest.mark.core
def test_delete(m, server):
    """Only what was shown, collected or not, and the record knows it."""
    m.collect()
    server.box.mails += letters(1, seed=8, uid="new%d")
    assert len(listed(m)) == 5
    assert deleted(m, 2, 5) == ["deleted", "deleted"]
    assert uids(server) == ["u1", "u3", "u4"]
    assert deleted(m, 2) == ["gone"]
    assert list(listed(m)) == [1, 3, 4]
    assert "nothing new" in m.collect().text and len(m.files()) == 4


def test_deleted_is_not_missed(client, lie):
    """The brake does not take it for another maildrop."""
    server = lie(letters(30))
    m = client().account(at=server, keep="1h")
    m.collect()
    listed(m)
    assert set(deleted(m, *range(1, 26))) == {"deleted"}
    server.box.mails += letters(12, seed=8, uid="new%d")
    m.collect()
    assert not m.run("status", "--json").account("casa")["held"]


def test_delete_without_unique_ids(m, server):
    server.without.add("UIDL")
    listed(m)
    server.box.mails.reverse()
    assert deleted(m, 1) == ["deleted"]
    assert uids(server) == ["u4", "u3", "u2"]


def test_a_header_that_two_have(m, server):
    """Without unique-ids neither can be called by a number."""
    server.without.add("UIDL")
    server.box.mails[2].octets = server.box.mails[1].octets
    found = m.run("list", "--json").account("casa")["messages"]
    assert [x["number"] for x in found] == [1, None, None, 2]


def test_delete_of_a_header_that_another_has_now(m, server):
    server.without.add("UIDL")
    listed(m)
    server.box.mails[2].octets = server.box.mails[1].octets
    assert deleted(m, 2, status=65) == ["kept"]
    assert len(server.box.mails) == 4 and not server.commands("DELE")


def test_delete_named_twice(m, server):
    """Is one message."""
    listed(m)
    assert deleted(m, 2, 2) == ["deleted"]
    assert uids(server) == ["u1", "u3", "u4"]


@pytest.mark.core
def test_delete_wants_the_message_that_was_shown(m, server):
    """Another one under its unique-id stays."""
    listed(m)
    server.box.mails[1].octets = impostor(server.box.mails[1])
    assert deleted(m, 2, status=65) == ["kept"]
    assert len(server.box.mails) == 4 and not server.commands("DELE")


def test_delete_of_a_unique_id_that_two_have(m, server):
    """Which one was shown is not known any more."""
    listed(m)
    server.box.mails[2].uid = "u2"
    assert deleted(m, 2, status=65) == ["kept"]
    assert len(server.box.mails) == 4 and not server.commands("DELE")


def test_delete_wants_a_header(m, server):
    server.without.add("TOP")
    m.collect()
    listed(m)
    done = m.run("delete", "casa", "2", "--yes", status=malote.UNAVAILABLE)
    assert "the server has shown no header" in done.text
    assert not server.commands("DELE")


@pytest.mark.core
@pytest.mark.parametrize("verb, act", [
    ("QUIT", faults.cut(0, effect=False)), ("QUIT", faults.err("disk full")),
    ("DELE", faults.err("locked")), ("DELE", faults.cut(0, effect=False)),
    ("TOP", faults.cut(0.5)), ("TOP", faults.err("no"))])
def test_delete_counts_only_after_update(m, server, verb, act):
    listed(m)
    server.fault(verb, act, times=faults.ALWAYS)
    done = m.run("delete", "casa", "2", "--yes", status="bad")
    assert "deleted" not in done.out.decode()
    assert len(server.box.mails) == 4
    server.heal()
    assert list(listed(m)) == [1, 2, 3, 4]


@pytest.mark.parametrize("act", [faults.twice(), faults.swallow()])
def test_delete_where_answers_are_mixed_up(m, server, act):
    """A header that is another message's deletes nothing."""
    listed(m)
    m.account(timeout=2)
    server.fault("TOP", act)
    m.run("delete", "casa", "2", "--yes", status=None)
    assert uids(server) in (["u1", "u3", "u4"], ["u1", "u2", "u3", "u4"])


def test_delete_asks(m, server, typist):
    """Enter is no."""
    listed(m)
    for typed, left in ((b"\r", 4), (b"n\r", 4), (b"y\r", 3)):
        t = typist(m, "delete", "casa", "2")
        t.expect(b"Delete 1 message on 127.0.0.1 for good? [y/N] ")
        t.type(typed)
        assert t.wait() == 0
        assert len(server.box.mails) == left
    done = m.run("delete", "casa", "1", status=malote.USAGE)
    assert "--yes" in done.text and len(server.box.mails) == 3


@pytest.mark.parametrize("words", [["list"], ["delete", "--yes", "casa", "2"]])
def test_a_mistyped_password_is_asked_for_again(m, server, typist, words):
    """Up to three times, as by collect."""
    listed(m)
    m.account(password=None)
    t = typist(m, *words)
    for password in (b"secert", b"secret"):
        t.expect(b"Password for casa")
        t.type(password + b"\n")
    assert t.wait() == 0 and t.seen.count(b"sign-in refused") == 1
    t = typist(m, *words)
    for _ in range(3):
        t.expect(b"Password for casa")
        t.type(b"no\n")
    assert t.wait() == malote.NOPERM, t.seen
    assert t.seen.count(b"sign-in refused") == 3


def test_refused_before_anything_is_known(m, server):
    """What is said of a message is true, and where the password stands."""
    listed(m)
    m.account(password="wrong")
    done = m.run("delete", "casa", "2", "--yes", status=malote.NOPERM)
    assert "2: kept\n" in done.text
    assert "is \"password\" of account casa right? malote test casa" in \
        done.text
    m.account(password=None, password_command="echo wrong")
    assert "is \"password_command\" of account casa right?" in m.run(
        "list", status=malote.NOPERM).text


@pytest.mark.parametrize("words, wrong", [
    (["delete", "casa", "9", "--yes"], "there is no message 9"),
    (["fetch", "casa", "9"], "there is no message 9"),
    (["delete", "casa", "x", "--yes"], "x is no number of a message"),
    (["fetch", "casa", "0"], "0 is no number of a message"),
    (["delete", "casa"], "it is: malote delete NAME N.."),
    (["fetch", "nada", "1"], "there is no account nada")])
def test_typing_errors(m, server, words, wrong):
    listed(m)
    assert wrong in m.run(*words, status=malote.USAGE).text
    assert not server.commands("RETR", "DELE")


# fetch

@pytest.mark.core
def test_fetch(m, server):
    """These only, and nothing is deleted, whatever keep says; then the next run
    goes on from there."""
    m.account(keep="no")
    wanted = [x.local for x in server.box.mails]
    listed(m)
    m.run("fetch", "casa", "4", "2")
    assert server.numbers("RETR") == [2, 4] and not server.commands("DELE")
    malote.same(m.files().values(), [wanted[1], wanted[3]])
    assert [n for n, x in listed(m).items() if x["here"]] == [2, 4]
    assert "message 2 is here already" in m.run("fetch", "casa", "2").text
    m.collect()
    malote.same(m.files().values(), wanted)
    assert server.numbers("RETR") == [2, 4, 1, 3] and uids(server) == []
    assert "message 1 is not on the server any more" in m.run(
        "fetch", "casa", "1", status=65).text


@pytest.mark.core
def test_fetch_what_has_gone(m, server):
    """The others come all the same; but not all was done."""
    listed(m)
    there = server.box.mails[3]
    del server.box.mails[1]
    done = m.run("fetch", "casa", "2", "4", status=65)
    assert "message 2 is not on the server any more" in done.text
    assert list(m.files().values()) == [there.local]


def test_fetch_what_is_too_large_for_a_run(m, server):
    m.account(max_size=100)
    m.collect()
    assert m.files() == {}
    listed(m)
    m.run("fetch", "casa", "3")
    assert list(m.files().values()) == [server.box.mails[2].local]


@pytest.mark.core
def test_fetch_wants_the_message_that_was_shown(m, server):
    listed(m)
    server.box.mails[1].octets = impostor(server.box.mails[1])
    done = m.run("fetch", "casa", "2", status=malote.TEMPFAIL)
    assert "not the one that was shown" in done.text
    assert m.files() == {} and m.left_in_tmp() == []
    m.collect()
    assert len(m.files()) == 4


def test_fetch_deletes_nothing_that_is_due(m, server):
    """A message of an earlier run, whose time has come."""
    m.account(keep="1h").collect()
    m.age()
    server.box.mails += letters(1, seed=8, uid="new%d")
    listed(m)
    m.run("fetch", "casa", "5", "1")
    assert len(server.box.mails) == 5 and len(m.files()) == 5
    m.collect()
    assert uids(server) == ["new1"]


# collect --dry-run

def snapshot(m):
    """All that is in the home, but what SQLite keeps beside its database."""
    found = {}
    for path, _, names in os.walk(m.home):
        for name in names:
            if name.endswith(("-shm", "-wal")) or name in ("stdout", "stderr"):
                continue
            with open(os.path.join(path, name), "rb") as f:
                found[os.path.join(path, name)] = f.read()
    return found


def counts(m):
    a = m.run("collect", "--dry-run", "--json").account("casa")
    return [a[x] for x in ("collect", "identify", "delete", "keep", "large")]


@pytest.mark.core
def test_dry_run(m, server):
    """It says what the run then does, and changes nothing at all."""
    m.account(max_size=2000, keep="1h")
    assert counts(m) == [3, 0, 0, 0, 1]
    assert m.files() == {} and not server.commands("RETR", "DELE")
    m.collect()
    m.age()
    server.box.mails += letters(2, seed=8, uid="new%d")
    m.write()
    before = snapshot(m)
    server.forget()
    assert counts(m) == [1, 0, 3, 0, 2]
    assert "would collect 1 (" in m.run("collect", "--dry-run").text
    assert snapshot(m) == before
    assert not server.commands("RETR", "DELE") and len(server.box.mails) == 6
    a = m.collect("--json").account("casa")
    assert (a["collected"], a["deleted"], a["skipped"]) == (1, 3, 2)


def test_dry_run_under_the_brake(client, lie):
    """It says what the run would say."""
    server = lie(letters(30))
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    server.box.mails = server.box.mails[:5] + letters(40, seed=8, uid="n%d")
    a = m.run("collect", "--dry-run", "--json").account("casa")
    assert a["held"] and a["delete"] == 5
    assert a["collect"] + a["identify"] == 40
    assert "as if it were another mailbox" in m.run(
        "collect", "--dry-run").text
    done = m.collect("--json", status=None).account("casa")
    assert (done["collected"], done["deleted"]) == (40, 5)


def test_dry_run_of_other_accounts(m, server):
    m.account("outra", port=server.port, password="wrong", security="none")
    done = m.run("collect", "--dry-run", status=malote.NOPERM)
    assert "casa: would collect 4" in done.text
    assert "outra: sign-in refused" in done.text


# The record.

def test_another_malote_is_there(m, server):
    """Neither is in the way of the other, nor of the maildrop."""
    server.fault("RETR", faults.wait(3))
    running = m.start("collect")
    while not server.commands("RETR"):
        assert not running.poll()
    done = m.run("list", status=malote.TEMPFAIL)
    assert "another malote is collecting this account" in done.text
    running.wait()


def test_record_that_was_lost(m, server):
    """Numbers begin anew; nothing is deleted by an old one."""
    listed(m)
    server.box.mails.pop(0)
    shutil.rmtree(m.state)
    done = m.run("delete", "casa", "1", "--yes", status=malote.USAGE)
    assert "there is no message 1" in done.text
    assert list(listed(m)) == [1, 2, 3]


# Real servers.

@pytest.mark.parametrize("peer", ["", "dovecot"], ids=["maloted", "dovecot"])
@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_at_real_servers(client, serve, place, peer, mode):
    """Listed, one fetched, one deleted, and the rest collected."""
    stored = drop.make(90, 5)
    box = place.maildir(stored)
    m = point_at(client(), serve(box, peer=peer), mode).account(keep="no")
    assert "casa: all is well" in m.run("test").text
    assert m.run("test", "--json").account("casa")["left"] == 5
    first = listed(m)
    assert list(first) == [1, 2, 3, 4, 5]
    m.run("fetch", "casa", "3")
    assert [n for n, x in listed(m).items() if x["here"]] == [3]
    assert deleted(m, 2, 3) == ["deleted", "deleted"]
    assert {n: x["subject"] for n, x in listed(m).items()} == {
        n: first[n]["subject"] for n in (1, 4, 5)}
    m.collect()
    assert len(m.files()) == 4 and listed(m) == {}
