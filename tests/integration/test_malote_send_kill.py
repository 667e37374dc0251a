"""malote sendmail is killed at every change to the disk and at every answer of
the server: a message for which it has said yes arrives once, or is said to be
perhaps sent.

Quickly some of the places are tried, with -m slow all of them.
"""
import os
import platform
import re

import pytest

import malote
from server import wait_until
from test_malote_kill import ALL, ENV, KILLED, spread

pytestmark = [malote.NEEDED, pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")]
LETTER = (b"From: Ana <ana@example.org>\nTo: bo@example.net\nCc: "
          b"no@example.net\nMessage-ID: <one@example.org>\n\nAt one?\n")


class Scene:
    """A server and a home, anew for each place."""

    def __init__(self, outlet, client):
        self.outlet, self.client, self.count = outlet, client, 0

    def begin(self):
        self.count += 1
        self.server = self.outlet()
        self.server.answer("RCPT no@example.net", "550 5.1.1 unknown", nth=0)
        self.m = self.client("home%d" % self.count)
        return self.m.sends(self.server,
                            sent="maildir:" + self.m.home + "/sent")

    def check(self, place, was_taken):
        """Clean runs; then it has arrived once, or that is not known and said,
        or (if nobody was told that it was taken) it never was there."""
        server, m = self.server, self.m
        server.settle()
        for answer in list(server.answers):
            if answer.stage != "RCPT no@example.net":
                server.answers.remove(answer)
        m.run("outbox", "retry", status=None)
        said = m.run("outbox", "retry", status=None).text
        left = m.outbox()
        fates = {r["address"]: r["state"] for item in left
                 for r in item["recipients"]}
        arrived = len(server.taken)
        what = "killed at %s: %d arrived, %d had, %r\n%s\n%s" % (
            place, arrived, len(server.had), fates, said, server.dialogue())
        assert len(left) <= 1 and arrived <= 1, what
        bo = fates.get("bo@example.net")
        if bo is None:
            assert not was_taken and arrived == 0, what
        elif bo == "sent":
            assert arrived == 1 and fates["no@example.net"] == "refused", what
            assert len(m.files("sent")) == 1, what
        else:
            assert bo == "perhaps-sent", what
            assert fates["no@example.net"] == "refused", what
            assert len(server.had) <= 1, what
        top = m.state + "/outbox"
        names = os.listdir(top) if os.path.isdir(top) else []
        assert sum(x.endswith(".json") for x in names) == len(left), what
        server.stop()


@pytest.fixture
def scene(outlet, client):
    return Scene(outlet, client)


@ALL
@pytest.mark.parametrize("how", ["before", "torn"])
@pytest.mark.timeout(900)
def test_at_every_change_to_the_disk(scene, killer, how, places):
    m = scene.begin()
    done = m.run("sendmail", "-t", text=LETTER, wrap=[killer, "0", how],
                 env=ENV, seconds=60, status=malote.UNAVAILABLE)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    assert total > 10
    scene.check("no place", True)
    hit = 0
    for n in spread(total, places):
        m = scene.begin()
        code = m.run("sendmail", "-t", text=LETTER,
                     wrap=[killer, str(n), how], env=ENV, status=None,
                     seconds=60).code
        assert code in (malote.UNAVAILABLE, KILLED), code
        hit += code == KILLED
        scene.check("%s change %d" % (how, n), code != KILLED)
    assert hit >= len(spread(total, places)) // 2


@ALL
@pytest.mark.timeout(900)
def test_the_run_that_sends_it_again_is_killed_too(scene, killer, places):
    for n in spread(40, places and places // 2):
        m = scene.begin()
        m.run("sendmail", "-t", "-odq", text=LETTER)
        for wrap in ([killer, str(n), "before"], [killer, str(n + 3), "torn"]):
            m.run("outbox", "retry", wrap=wrap, env=ENV, status=None,
                  seconds=60)
            scene.server.settle()
        scene.check("changes %d of two runs" % n, True)


@ALL
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.timeout(900)
def test_at_every_answer(scene, when, places):
    """The message was taken before any of them."""
    stages = ["GREETING", "EHLO", "AUTH", "MAIL", "RCPT bo@example.net",
              "DATA", "END", "QUIT"]
    usual = {"GREETING": "220 here", "EHLO": "250-here\n250 AUTH PLAIN",
             "AUTH": "235 2.7.0 yes", "DATA": "354 go on", "QUIT": "221 bye"}
    for stage in stages:
        m = scene.begin()
        run = []

        def kill(session, stage=stage):
            process = wait_until(lambda: run)[0]
            if when == "before":
                process.kill()
            else:
                session.say(usual.get(stage, "250 2.0.0 Ok"))
                process.kill()
            return "(cut)"

        scene.server.answer(stage, kill)
        m.write()
        run.append(m.start("sendmail", "-t", text=LETTER))
        try:
            run[0].wait(status="killed")
        except AssertionError:   # it was over before the signal came
            assert when == "after", run[0].result
        # What it had been told before it was killed is what it knows.
        if stage == "END":
            scene.server.taken = list(scene.server.had)
        scene.check("%s %s" % (when, stage), True)
