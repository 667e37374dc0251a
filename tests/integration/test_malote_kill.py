"""malote is killed at every change to the disk, at every reply, and its line
is cut at every octet; then one run puts everything right.

Quickly some of the places are tried, with -m slow all of them.
"""
import itertools
import os
import platform
import re

import pytest

import faults
import malote
from hostile import letters
from malote import same, settled
from server import wait_until

pytestmark = [malote.NEEDED, pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")]
KILLED = 99      # killer.c says so
QUICK = 12       # places that a quick run tries
# A tracer and LeakSanitizer exclude each other.
ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
       + ":detect_leaks=0"}
COUNT = 5
ALL = pytest.mark.parametrize("places", [
    QUICK, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])


class Scene:
    """A maildrop and a home, anew for each place."""

    def __init__(self, lie, client, keep, deliver):
        self.lie, self.client = lie, client
        self.keep, self.deliver = keep, deliver
        self.count = 0

    def begin(self):
        self.count += 1
        self.server = self.lie(letters(COUNT))
        self.had = list(self.server.box.mails)
        self.m = self.client("home%d" % self.count)
        where = {"maildir": "mail", "mbox": "mbox"}[self.deliver]
        return self.m.account(
            at=self.server, keep=self.keep,
            deliver="%s:%s/%s" % (self.deliver, self.m.home, where))

    def check(self, place):
        """A clean run; then all is as if nothing had happened."""
        self.server.heal()
        self.m.collect()
        try:
            if self.deliver == "maildir":
                settled(self.server, self.m, self.had,
                        keep=self.keep == "yes")
            else:
                same(self.m.mbox(), [x.local for x in self.had])
                assert len(self.server.box.mails) == (
                    COUNT if self.keep == "yes" else 0)
            self.again()
        except AssertionError as e:
            raise AssertionError("killed at %s: %s\n%s" % (
                place, e, self.server.dialogue())) from e
        self.server.stop()

    def again(self):
        """And it knows that."""
        self.server.forget()
        self.m.collect()
        assert self.server.numbers("RETR") == []


@pytest.fixture(params=[("no", "maildir"), ("yes", "maildir"),
                        ("no", "mbox")], ids="-".join)
def scene(request, lie, client):
    return Scene(lie, client, *request.param)


def spread(total, places):
    """All from 1, or so many of them with the last."""
    step = max(1, total // places) if places else 1
    return sorted(set(range(1, total + 1, step)) | {total})


@ALL
@pytest.mark.parametrize("how", ["before", "torn"])
@pytest.mark.timeout(900)
def test_at_every_change_to_the_disk(scene, killer, how, places):
    """C-ENG-26, C-ENG-14, M-37."""
    m = scene.begin()
    done = m.collect(wrap=[killer, "0", how], env=ENV, seconds=60)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    assert total > 10
    scene.check("no place")
    hit = 0
    for n in spread(total, places):
        m = scene.begin()
        code = m.collect(wrap=[killer, str(n), how], env=ENV, status=None,
                         seconds=60).code
        assert code in (0, KILLED), code
        hit += code == KILLED
        scene.check("%s change %d" % (how, n))
    assert hit >= len(spread(total, places)) // 2


@ALL
@pytest.mark.timeout(900)
def test_twice_in_a_row(scene, killer, places):
    """The run that mends is killed, too."""
    for n in spread(60, places and places // 2):
        m = scene.begin()
        for wrap in ([killer, str(n + 20), "before"], [killer, "9", "torn"],
                     [killer, str(n), "torn"]):
            m.collect(wrap=wrap, env=ENV, status=None, seconds=60)
            scene.server.settle()
        scene.check("changes %d, 9, %d" % (n + 20, n))


@ALL
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.timeout(900)
def test_at_every_reply(scene, when, places):
    """C-ENG-20, 26."""
    scene.begin().collect()
    total = sum(1 for x in scene.server.lines if x.who == "S")
    for n in spread(total, places):
        m = scene.begin()
        run = []
        scene.server.fault("*", faults.call(**{
            when: lambda: wait_until(lambda: run)[0].kill()}), nth=n)
        run.append(m.start("collect"))
        try:
            run[0].wait(status="killed")
        except AssertionError:  # the last reply was not waited for
            assert run[0].result.code == 0, run[0].result
        scene.check("%s reply %d" % (when, n))


@ALL
@pytest.mark.timeout(900)
def test_line_cut_at_every_octet(scene, places):
    """C-ENG-17, M-36: from the greeting to the reply to QUIT."""
    m = scene.begin()
    m.collect()
    total = sum(s.sent for s in scene.server.sessions)
    step = max(1, total // (places or 250))
    for n in itertools.chain(range(0, total, step),
                             range(total - 3, total + 1)):
        m = scene.begin()
        scene.server.limit = n
        m.collect(status=None, seconds=60)
        scene.check("octet %d" % n)


def test_deferred_deletion_killed(lie, client, killer):
    """The deletion that was due happens, of what is here only."""
    scenes = []
    for n in range(1, 30, 4):
        server = lie(letters(COUNT))
        m = client("later%d" % n).account(at=server, keep="1h")
        m.collect()
        m.age()
        scenes.append((n, server, m, list(server.box.mails)))
    for n, server, m, had in scenes:
        malote.again(m, server, wrap=[killer, str(n), "torn"], env=ENV,
                     status=None)
        malote.nothing_lost(server, m)
        malote.again(m, server)
        assert server.numbers("RETR") == []
        settled(server, m, had, keep=False)
