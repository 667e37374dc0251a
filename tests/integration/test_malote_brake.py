"""The brake: what may be another maildrop is collected, and not emptied.

A maildrop of 30 messages that were collected is exchanged for another one.
After every scenario: what went from the server is here (nothing_lost).
"""
import pytest

import faults
import malote
from hostile import Mail, impostor, letters
from malote import after, again, nothing_lost, same, settled
from server import wait_until

pytestmark = [malote.NEEDED, pytest.mark.core]

HELD = 65
WHY = "as if it were another mailbox"


def others(count=30):
    return letters(count, 60, "other%d")


class Box:
    """A server, a home, and what has been on the one and is to be in the
    other."""

    def __init__(self, lie, client, keep, count=30, **more):
        self.server = lie(letters(count), **more)
        self.had = list(self.server.box.mails)
        self.old = list(self.had)
        self.m = client().account(at=self.server, keep="yes")
        self.m.collect()
        self.m.account(keep=keep)

    def put(self, mails):
        """What is there from now on."""
        self.had += [x for x in mails if x not in self.had]
        self.server.box.mails[:] = mails
        return mails

    def run(self, status, when=again, **more):
        done = when(self.m, self.server, status=status, **more)
        nothing_lost(self.server, self.m)
        same(self.m.files().values(), [x.local for x in self.had])
        return done

    def status(self):
        return self.m.run("status").text

    def held(self):
        return self.m.run("status", "--json").account("casa")["held"]


@pytest.fixture
def box(lie, client):
    def make(keep, *args, **more):
        return Box(lie, client, keep, *args, **more)
    return make


# Where nothing is deleted.

def test_keep_never_brakes(box):
    """C-ENG-24: a server that hides what was collected, again and again."""
    b = box("yes")
    for seed in range(3):
        b.put(letters(30, 70 + seed, "s%d-%%d" % seed))
        done = b.run(0)
        assert WHY not in done.text and WHY not in b.status()
        assert not b.held()
    b.put(others(2))
    b.run(0)
    assert "failed" not in b.status()
    assert b.server.box.removed == []


@pytest.mark.parametrize("keep", ["no", "1h"])
def test_few_new_ones_are_no_reason(box, keep):
    """A maildrop that was cleaned up, and some new mail."""
    b = box(keep)
    b.put(others(9))
    b.run(0)
    after(b.m, b.server)
    settled(b.server, b.m, b.had, keep=False)


# What is held, and for how long.

def test_days(box):
    """Until something is due it is a notice.  Time alone does not end it."""
    b = box("1h")
    b.put(others())
    done = b.run(0)
    assert WHY in done.text and b.status().count(WHY) == 1
    assert "failed" not in b.status()
    b.run(0)
    for _ in range(3):
        assert WHY in b.run(HELD, after).text
        assert b.server.commands("DELE", "TOP") == []
    assert WHY in b.status() and b.held()
    b.m.account(keep="100d")
    b.run(0)
    b.m.account(keep="1h").collect("--accept")
    settled(b.server, b.m, b.had, keep=False)
    b.run(0)
    assert WHY not in b.status() and not b.held()


def test_said_while_something_else_fails(box):
    """Status says it, whatever the last run came to."""
    b = box("no")
    b.put(others())
    b.run(HELD)
    assert b.status().count(WHY) == 1
    b.server.fault("GREETING", faults.err("[SYS/PERM] no"),
                   times=faults.ALWAYS)
    b.m.collect(status=malote.UNAVAILABLE)
    assert b.status().count(WHY) == 1 and "failed: " in b.status()


def test_in_json(box):
    b = box("no")
    b.put(others())
    done = b.run(HELD).text
    assert "collect --accept casa" in done
    a = b.m.collect("--json", status=HELD).account("casa")
    assert a["outcome"] == "held" and WHY in a["error"]


def test_old_ones_are_deleted(box):
    """They are due, and their own headers show that they are here."""
    b = box("1h")
    new = others()
    b.put(b.old[:10] + new)
    b.run(0)
    b.run(HELD, after)
    assert sorted(b.server.numbers("TOP")) == list(range(1, 11))
    assert sorted(b.server.numbers("DELE")) == list(range(1, 11))
    assert b.server.box.mails == new
    # That they are gone ends nothing.
    b.run(HELD)
    assert b.server.box.mails == new


def test_an_impostor_is_not_deleted(box):
    """Under the unique-id and with the size of one that is here."""
    b = box("1h")
    false = [Mail(impostor(x, 80 + i), x.uid)
             for i, x in enumerate(b.old[:3])]
    new = others()
    b.put(false + b.old[3:6] + new)
    b.run(0, after)
    b.run(HELD, after)
    assert b.server.box.mails == false + new
    b.m.collect("--accept")
    settled(b.server, b.m, b.had, keep=False)


def test_killed_before_all_have_come(box):
    """What came under the brake is held, whenever the run ended."""
    b = box("no")
    new = b.put(others(100))
    b.server.fault("RETR", faults.stall(0.5), number=90)
    run = b.m.account(timeout=60).start("collect")
    wait_until(lambda: len(b.m.files()) >= 90)
    run.kill()
    run.wait(status="killed")
    b.server.heal()
    b.run(HELD)
    b.run(HELD)
    assert b.server.box.mails == new


@pytest.mark.parametrize("verb, nth", [("STAT", 1), ("RETR", 12), ("QUIT", 1)])
def test_cut_before_all_have_come(box, verb, nth):
    b = box("no")
    new = b.put(others())
    b.server.fault(verb, faults.cut(), nth=nth, times=2)
    b.m.collect(status=None)
    b.server.heal()
    b.run(HELD)
    b.run(HELD)
    assert b.server.box.mails == new


def test_clock_that_went_back(box):
    """What came under the brake looks older than it."""
    b = box("1h")
    new = b.put(others())
    b.run(0)
    b.m.record("UPDATE message SET stored_at = 0")
    b.run(HELD)
    assert b.server.box.mails == new


def test_many_are_deleted_by_others(box):
    """That few are left, or most of them are known, ends nothing."""
    b = box("no")
    new = b.put(others())
    b.run(HELD)
    b.server.box.mails[:] = new[:3]
    b.run(HELD)
    b.put(new[:3] + letters(1, 61, "more%d"))
    b.run(HELD)
    assert len(b.server.box.mails) == 4


def test_keep_changes(box):
    """From "no" to a time, and back."""
    b = box("no")
    new = b.put(others())
    b.run(HELD)
    b.m.account(keep="30d")
    b.run(0)
    b.m.account(keep="no")
    b.run(HELD)
    assert b.server.box.mails == new


def test_accepted_at_once(box):
    """The person knows it beforehand."""
    b = box("no")
    b.put(others(40))
    b.m.collect("--accept")
    settled(b.server, b.m, b.had, keep=False)


def test_some_cannot_be_had(box):
    """One ends each session, and another is refused."""
    b = box("no")
    new = b.put(others())
    b.server.fault("RETR", faults.cut(0.5), times=faults.ALWAYS, number=7)
    b.server.fault("RETR", faults.err(), times=faults.ALWAYS, number=9)
    b.m.collect(status="bad")
    b.m.collect(status="bad")
    assert WHY in b.status()
    b.server.heal()
    b.m.forgive()
    b.run(HELD)
    assert b.server.box.mails == new


def test_another_persons_maildrop(box, lie):
    """The account has another user by mistake."""
    b = box("no")
    strange = lie(others(), user="bia")
    b.had += strange.box.mails
    b.m.account(at=strange, user="bia")
    b.m.collect(status=HELD)
    assert len(strange.box.mails) == 30
    b.m.account(at=b.server, user="user")
    b.run(0)
    settled(b.server, b.m, b.had, keep=False)
    assert len(strange.box.mails) == 30


def test_no_unique_ids(box):
    """Headers tell."""
    b = box("no", without=("UIDL",))
    b.server.capa.remove("UIDL")
    new = b.put(others())
    b.run(HELD)
    b.server.box.mails[:] = b.old[:5] + new
    b.run(HELD)
    assert b.server.box.mails == new
    b.server.box.mails[:] = b.old[5:] + new
    b.run(0)
    b.run(0)
    settled(b.server, b.m, b.had, keep=False)


def test_larger_ones_are_wanted_now(box):
    b = box("no")
    b.m.account(max_size="100k")
    new = others()
    big = large(5)
    for x in big:
        x.size = None
        x.octets += b"x" * 78 + b"\r\n" + 1500 * (b"y" * 78 + b"\r\n")
    b.server.box.mails[:] = big + new
    b.had += new
    b.run(HELD)
    b.m.account(max_size=None)
    b.had += big
    b.run(HELD)
    assert b.server.box.mails == big + new


def test_deleted_ones_are_restored(lie, client):
    """A backup of the server: what was deleted long ago, and not the rest."""
    server = lie(letters(70))
    had = list(server.box.mails)
    m = client().account(at=server, keep="1h")
    m.collect()
    server.box.mails[:] = had[:40]
    after(m, server)
    assert server.box.mails == []
    more = letters(30, 66, "more%d")
    server.box.mails[:] = more
    again(m, server)
    server.box.mails[:] = server.box.removed[:]
    server.box.removed.clear()
    done = again(m, server)
    assert WHY not in done.text and len(server.box.removed) == 40
    settled(server, m, had + more, keep=False)


def test_state_is_lost(box):
    """What is here is known by its files; only that is deleted."""
    b = box("no")
    b.put(others())
    b.run(HELD)
    b.m.lose_state()
    b.run(0)
    settled(b.server, b.m, b.had, keep=False)


def test_record_of_an_older_version(box):
    """It knew that it braked, and not since when."""
    b = box("no")
    new = b.put(others())
    b.run(HELD)
    b.m.record("UPDATE account SET braked = 1")
    b.run(HELD)
    b.server.box.mails[:] = b.old[:20] + new
    b.run(HELD)
    assert b.server.box.removed == []
    b.m.collect("--accept")
    settled(b.server, b.m, b.had, keep=False)


# What ends it.

@pytest.mark.parametrize("uid", ["same", "new"])
def test_messages_come_back(box, uid):
    """In two parts, and by other unique-ids."""
    b = box("no")
    new = b.put(others())
    b.run(HELD)
    if uid == "new":
        for i, x in enumerate(b.old):
            x.uid = "back%d" % i
    b.server.box.mails[:] = b.old[:14] + new
    b.run(HELD)
    assert b.server.box.mails == new
    b.server.box.mails[:] = b.old[14:] + new
    b.run(0)
    assert WHY not in b.status()
    b.run(0)
    settled(b.server, b.m, b.had, keep=False)


def test_nothing_is_left(box):
    """The other messages have gone by themselves."""
    b = box("no")
    b.put(others())
    b.run(HELD)
    b.server.box.mails.clear()
    b.run(0)
    assert WHY not in b.status() and not b.held()
    b.put(letters(40, 62, "later%d"))
    b.run(0)
    settled(b.server, b.m, b.had, keep=False)


def test_all_is_kept_now(box):
    b = box("1h")
    new = b.put(others())
    b.run(0)
    b.m.account(keep="yes")
    b.run(0)
    assert WHY not in b.status() and not b.held()
    assert b.server.box.mails == new


def test_accepted_once(box):
    """And for all that comes later."""
    b = box("no")
    b.put(others())
    b.run(HELD)
    accepted = "casa: what has changed on the server is accepted\n"
    assert accepted in b.m.collect("--accept").text
    settled(b.server, b.m, b.had, keep=False)
    assert accepted not in b.m.collect("--accept").text
    b.put(letters(40, 63, "later%d"))
    b.run(0)
    settled(b.server, b.m, b.had, keep=False)


@pytest.mark.parametrize("verb, nth", [
    ("PASS", 1), ("LIST", 1), ("TOP", 9), ("DELE", 9), ("QUIT", 1)])
@pytest.mark.parametrize("committed", [True, False])
def test_accepted_and_then_cut(box, verb, nth, committed):
    """It may be asked for once more; nothing is lost or doubled."""
    b = box("no", sasl=())
    b.put(others())
    b.run(HELD)
    b.server.fault(verb, faults.cut(effect=committed), nth=nth,
                   times=faults.ALWAYS if verb != "PASS" else 1)
    b.m.collect("--accept", status=None)
    b.server.heal()
    nothing_lost(b.server, b.m)
    b.run(None)
    b.m.collect("--accept")
    settled(b.server, b.m, b.had, keep=False)
    b.run(0)


# Servers that give other names, and large messages.

@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("uid", ["new%d", None])
def test_all_unique_ids_are_new(box, top, uid):
    """They are the old messages: no reason, and none comes twice."""
    b = box("no", without=() if top else ("TOP",))
    if not top:
        b.server.capa.remove("TOP")
    for i, x in enumerate(b.old):
        x.uid = uid % i if uid else None
    b.run(0)
    assert WHY not in b.status() and not b.held()
    settled(b.server, b.m, b.had, keep=False)


def test_numbers_for_unique_ids(box):
    """Unique-ids that are positions are taken over by other messages."""
    b = box("1h")
    for i, x in enumerate(b.put(others()), 1):
        x.uid = "u%d" % i
    new = b.server.box.mails[:]
    b.run(0)
    b.run(HELD, after)
    assert b.server.box.mails == new


def large(count):
    return [Mail(x.octets + b"x" * 70 + b"\r\n", x.uid, size=1 << 20)
            for x in letters(count, 64, "large%d")]


@pytest.mark.parametrize("small, code", [(9, 0), (10, HELD)])
def test_large_ones_are_no_reason(box, small, code):
    """They are not collected, and so not deleted."""
    b = box("no")
    b.m.account(max_size="100k")
    new = others(small)
    b.server.box.mails[:] = large(30) + new
    b.had += new
    b.run(code)
    assert (WHY in b.status()) == (code == HELD)
    assert len(b.server.box.mails) == (30 if code == 0 else 40)
    nothing_lost(b.server, b.m)


# Several accounts.

def test_another_account_goes_on(box, lie):
    b = box("no")
    second = lie(letters(4, 65, "second%d"))
    b.m.account("obra", at=second, keep="no",
                deliver="maildir:%s/obra" % b.m.home)
    new = b.put(others())
    b.run(HELD)
    assert second.box.mails == [] and b.server.box.mails == new
    b.m.collect("--accept", "obra")
    b.run(HELD)
    assert b.server.box.mails == new


def test_two_accounts_of_one_maildrop(box):
    """What the one deletes is missing for the other."""
    b = box("1h")
    b.m.account("later", at=b.server, keep="no",
                deliver="maildir:%s/later" % b.m.home)
    b.m.collect("later")
    b.put(others())
    b.m.collect("casa")
    assert WHY in b.status()
    b.m.collect("later")
    assert b.server.box.mails == []
    b.m.collect("casa")
    assert WHY not in b.status()


def test_the_daemon_says_it_once(box):
    b = box("no")
    b.m.account(interval="1s")
    b.put(others())
    run = b.m.start("daemon")
    wait_until(lambda: len(b.server.commands("STAT")) >= 5)
    b.server.box.mails[:] = b.old + others()
    wait_until(lambda: b.server.box.mails == [])
    n = len(b.server.commands("STAT"))
    wait_until(lambda: len(b.server.commands("STAT")) >= n + 2)
    run.signal(15)
    said = run.wait().text
    assert said.count(WHY) == 1 and said.count("works again") == 1, said
