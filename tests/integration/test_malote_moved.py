"""The setting `deliver` is another one after a run that was killed."""
import contextlib
import os
import platform
import sqlite3

import pytest

import malote
from hostile import letters
from malote import same
from test_malote_kill import ENV

pytestmark = [malote.NEEDED, pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")]
COUNT = 5
# Which changes to the disk: fetched, intended, published, stored, deleted.
PLACES = [60, 68, 71, 74, 77, 80, 83, 87, 91]


class Home:
    """A home whose mail may be in any of these places."""

    def __init__(self, m):
        self.m = m
        self.took = m.home + "/took"
        os.mkdir(self.took)
        script = m.home + "/take"
        with open(script, "w") as f:
            f.write("#!/bin/sh\ncat >%s/$$.part && mv %s/$$.part %s/$$\n"
                    % ((self.took,) * 3))
        os.chmod(script, 0o700)
        self.places = {
            "maildir": "maildir:" + m.home + "/mail",
            "other": "maildir:./other box",
            "mbox": "mbox:" + m.home + "/mbox",
            "mbox2": "mbox:" + m.home + "/mbox2",
            "command": "command:'%s'" % script}

    def deliver(self, place):
        self.m.account(deliver=self.places[place])

    def mails(self):
        """All that is here, wherever."""
        m = self.m
        found = list(m.files("mail").values())
        found += m.files("other box").values()
        for box in ("mbox", "mbox2"):
            if os.path.exists(m.home + "/" + box):
                found += m.mbox(box)
        for name in os.listdir(self.took):
            if not name.endswith(".part"):
                with open(self.took + "/" + name, "rb") as f:
                    found.append(f.read())
        return found


def scene(lie, client, name):
    """The state is there, so that the kill is in what follows."""
    server = lie([])
    home = Home(client(name))
    home.m.account(at=server, keep="no").collect()
    server.heal()
    server.box.mails.extend(letters(COUNT))
    return server, list(server.box.mails), home


def killed(home, killer, n):
    """True if something was under way."""
    home.m.collect(wrap=[killer, str(n), "before"], env=ENV, status=None)
    path = home.m.state + "/state.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM intent").fetchone()[0] != 0


def settled(server, had, home, most_once=True, swept=True):
    """swept: nothing is left of ours in the places that are used no more; what
    lies in tmp/ of a Maildir without an intent is found only where mail is
    delivered still."""
    got = home.mails()
    wanted = [x.local for x in had]
    if most_once:
        same(got, wanted)
    assert set(got) == set(wanted)
    assert server.box.mails == []
    if swept:
        assert home.m.left_in_tmp("mail") == []
        assert home.m.left_in_tmp("other box") == []
    spool = home.m.state + "/spool"
    assert not os.path.exists(spool) or os.listdir(spool) == []


@pytest.mark.parametrize("first, then", [
    ("maildir", "other"), ("maildir", "mbox"), ("mbox", "maildir"),
    ("mbox", "mbox2"), ("command", "maildir"), ("mbox", "command"),
    ("other", "command")])
@pytest.mark.parametrize("places", [
    PLACES, pytest.param(range(1, 100), marks=pytest.mark.slow)],
    ids=["some", "all"])
@pytest.mark.timeout(600)
def test_killed_and_moved(lie, client, killer, first, then, places):
    """C-ENG-26: what was begun in one place is made good there."""
    hit = 0
    for n in places:
        server, had, home = scene(lie, client, "home%d" % n)
        home.deliver(first)
        begun = killed(home, killer, n)
        hit += begun
        server.heal()
        home.deliver(then)
        home.m.collect()
        try:
            settled(server, had, home, first != "command", begun)
            server.forget()
            home.m.collect()
            assert server.numbers("RETR") == []
        except AssertionError as e:
            raise AssertionError("killed at change %d: %s" % (n, e)) from e
        server.stop()
    assert hit >= 4


@pytest.mark.parametrize("how", ["moved", "gone"])
def test_old_maildir_is_not_there(lie, client, killer, how):
    """Moved to where it is configured now; or nowhere: collected again."""
    hit = 0
    for n in PLACES:
        server, had, home = scene(lie, client, "home%d" % n)
        home.deliver("maildir")
        hit += killed(home, killer, n)
        server.heal()
        if os.path.exists(home.m.home + "/mail"):
            os.rename(home.m.home + "/mail", home.m.home + (
                "/other box" if how == "moved" else "/elsewhere"))
        home.deliver("other")
        home.m.collect()
        assert not os.path.exists(home.m.home + "/mail")
        if how == "moved":
            settled(server, had, home)
        else:
            gone = home.m.files("elsewhere").values()
            assert set(home.mails()) | set(gone) == {x.local for x in had}
            assert server.box.mails == []
        server.stop()
    assert hit >= 4


def test_old_place_cannot_be_opened(lie, client, killer):
    """Nothing is decided, and it says which place it is."""
    said = 0
    for n in PLACES:
        server, had, home = scene(lie, client, "home%d" % n)
        home.deliver("maildir")
        hit = killed(home, killer, n)
        server.heal()
        box = home.m.home + "/mail"
        if hit:
            os.rename(box + "/tmp", box + "/aside")
            os.close(os.open(box + "/tmp", os.O_CREAT))
            home.deliver("other")
            done = home.m.collect(status=malote.CONFIG)
            assert "/mail" in done.text
            assert server.lines == []
            said += 1
            os.unlink(box + "/tmp")
            os.rename(box + "/aside", box + "/tmp")
        home.deliver("other")
        home.m.collect()
        settled(server, had, home, swept=hit)
        server.stop()
    assert said >= 4
