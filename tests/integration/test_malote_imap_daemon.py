"""A provider's mail is in an IMAP mailbox after a daemon that is killed again and
again, while more arrives: all of it, and once."""
import random
import threading
import time

import pytest

import malote
from hostile import letters
from malote import same
from test_malote_imap import PLAIN, into

pytestmark = malote.NEEDED
KILLS = 30


class Arrivals(threading.Thread):
    """Mail that comes now and then, and at times much of it."""

    def __init__(self, server, chance):
        super().__init__(daemon=True)
        self.server, self.chance = server, chance
        self.all, self.over = [], threading.Event()

    def run(self):
        while not self.over.wait(self.chance.uniform(0.01, 0.3)):
            n = len(self.all)
            new = letters(self.chance.choice([1, 1, 2, 5, 40]), n, "n%d",
                          n + 1)
            self.all += [x.local for x in new]
            self.server.box.mails.extend(new)


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", PLAIN], ids=["", "plain"])
@pytest.mark.timeout(900)
def test_killed_again_and_again(lie, client, dovecot_imap, more):
    seed = random.randrange(10 ** 6)
    chance = random.Random(seed)
    site, m, server = dovecot_imap(more=more), client(), lie([])
    into(m, site).account(at=server, keep="no", interval=1)
    arrivals = Arrivals(server, random.Random(seed + 1))
    arrivals.start()
    for _ in range(KILLS):
        run = m.start("daemon")
        time.sleep(chance.uniform(0.05, 2.5))  # whatever it is at then
        assert not run.poll(), run.result
        run.kill()
        run.wait(status="killed")
    arrivals.over.set()
    arrivals.join(30)
    assert len(arrivals.all) > KILLS
    for _ in range(2):
        done = m.collect(seconds=120)
        assert "twice" not in done.text, (seed, done.text)
    same(site.texts(), arrivals.all)
    assert server.box.mails == [], seed
