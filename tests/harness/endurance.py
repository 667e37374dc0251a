"""People who collect their mail all the time, while it comes, and who notice
whatever they should not: for tests in which much happens to the server."""
import itertools
import os
import random
import ssl
import threading
import time

import drop
import pop3
from server import PATIENCE, wait_until

WAYS = "plain", "stls", "tls"


def trusting(ca):
    """Who the server is is verified: by that authority, for localhost."""
    return ssl.create_default_context(cafile=ca)


class Mailbox:
    """A Maildir, and what has been put into it and taken out of it."""

    def __init__(self, place, name, seed):
        self.place, self.name = place, name
        self.path = place.maildir([], name)
        self.maker = drop.Maker(seed)
        self.lock = threading.Lock()
        self.sent = {}         # by unique-id, before it can be seen
        self.delivered = set()
        self.removed = set()

    def deliver(self):
        """As a delivery agent does it: whole, and then by its name."""
        n = len(self.sent)
        stored = self.maker.message(n).stored
        uid = "%d.M%dP%d.mail.example" % (drop.EPOCH + n, n, os.getpid())
        with self.lock:
            self.sent[uid] = stored
        path = self.path + "/tmp/" + uid
        with open(path, "wb") as f:
            f.write(stored)
        if self.place.owner:
            os.chown(path, *self.place.owner)
        os.rename(path, self.path + "/new/" + uid)
        with self.lock:
            self.delivered.add(uid)

    def there(self):
        """What a session that begins now has to show."""
        with self.lock:
            return self.delivered - self.removed

    def check(self, listed, there):
        """there: as it was before the session began."""
        with self.lock:
            assert len(set(listed)) == len(listed)
            assert there <= set(listed), "mail is missing"
            assert set(listed) <= self.sent.keys() - self.removed, \
                "mail is there again"

    def remove(self, uids):
        with self.lock:
            assert not self.removed & set(uids)
            self.removed |= set(uids)

    def files(self):
        return [name for folder in ("new", "cur", "tmp")
                for name in os.listdir(self.path + "/" + folder)]


class Person(threading.Thread):
    """Collects by one session after the other, each of another kind.  What is
    not as it should be is in `errors`, with what was done."""

    def __init__(self, crowd, box, seed):
        super().__init__()
        self.crowd, self.box = crowd, box
        self.rng = random.Random(seed)
        self.way = None
        self.ticket = None

    def run(self):
        while not self.crowd.over.is_set():
            try:
                self.session()
                self.crowd.done += 1
            except (OSError, AssertionError, pop3.Closed) as e:
                self.crowd.errors.append((time.time(), self.box.name, self.way,
                                          repr(e)))
                time.sleep(0.1)  # one reason has few lines

    def connect(self):
        """By one of the ways.  A ticket of before is good, whatever has happened
        since."""
        server, tls = self.crowd.server, self.crowd.context
        self.way = self.rng.choice(WAYS)
        old = self.ticket if self.rng.random() < 0.5 else None
        port = server.tls_port if self.way == "tls" else server.port
        s = pop3.Pop3(port, tls if self.way == "tls" else None, session=old,
                      timeout=60 * PATIENCE)
        assert s.greeting.startswith(b"+OK"), s.greeting
        if self.way == "stls":
            s.ok("STLS")
            s.start_tls(tls, old)
        if self.way != "plain":
            self.crowd.resumed += s.sock.session_reused
        return s

    def session(self):
        there = self.box.there()
        with self.connect() as s:
            self.pause()
            s.login(self.box.name)
            uids = s.uidl()
            self.box.check(list(uids.values()), there)
            self.look(s, uids)
            marked = self.retrieve(s, uids)
            self.pause()
            if self.rng.random() < 0.1:
                s.ok("RSET")
                marked = []
            if self.way != "plain":
                self.ticket = s.sock.session
            s.quit()
            self.box.remove(marked)

    def look(self, s, uids):
        """Sizes are what RETR sends."""
        sizes = {n: len(drop.wire(self.box.sent[uid]))
                 for n, uid in uids.items()}
        assert s.stat() == (len(uids), sum(sizes.values()))
        assert s.list() == sizes

    def retrieve(self, s, uids):
        """Some, each octet of them; which of those are to go."""
        marked = []
        for n, uid in uids.items():
            if not self.crowd.last and self.rng.random() < 0.3:
                continue
            assert s.retr(n) == drop.wire(self.box.sent[uid]), uid
            if self.crowd.last or self.rng.random() < 0.6:
                s.ok("DELE %d" % n)
                marked.append(uid)
        return marked

    def pause(self):
        """Most people are slow, some for so long that much happens meanwhile."""
        if self.crowd.last:
            return
        if self.rng.random() < 0.1:
            self.crowd.await_steps(self.rng.randint(1, 3))
        elif self.rng.random() < 0.5:
            time.sleep(self.rng.random() / 5)


class Crowd:
    """All of them.  step() is to be called when something has happened."""

    def __init__(self, server, boxes, ca, seed):
        self.server, self.boxes = server, boxes
        self.context = trusting(ca)
        self.errors, self.done, self.resumed = [], 0, 0
        self.over, self.quiet = threading.Event(), threading.Event()
        self.last = False  # what is there is to be collected now
        self.steps, self.stepped = 0, threading.Condition()
        self.people = [Person(self, box, seed + n)
                       for n, box in enumerate(boxes)]
        self.post = threading.Thread(target=self.deliver)

    def start(self, more=()):
        """more: threads that deliveries and the end concern, too."""
        self.people += more
        for thread in (self.post, *self.people):
            thread.start()

    def deliver(self):
        for box in itertools.cycle(self.boxes):
            if self.quiet.wait(0.02):
                return
            box.deliver()

    def step(self):
        with self.stepped:
            self.steps += 1
            self.stepped.notify_all()
        assert not self.errors, self.errors

    def await_steps(self, n):
        with self.stepped:
            until = self.steps + n
            self.stepped.wait_for(lambda: self.steps >= until
                                  or self.last or self.over.is_set(), 20)

    def more(self, count=1):
        """Waits until so many more sessions have been."""
        enough = self.done + count
        wait_until(lambda: self.done >= enough or self.errors, 60)
        assert not self.errors, self.errors

    def finish(self):
        """All that was delivered is collected by the people; then they go."""
        self.quiet.set()
        self.post.join()
        self.last = True
        with self.stepped:
            self.stepped.notify_all()
        wait_until(lambda: self.errors or not any(
            box.files() for box in self.boxes), 120)
        self.stop()
        assert not self.errors, self.errors
        for box in (p.box for p in self.people if isinstance(p, Person)):
            assert box.removed == box.delivered == box.sent.keys(), box.name

    def stop(self):
        self.quiet.set()
        self.over.set()
        with self.stepped:
            self.stepped.notify_all()
        for thread in (self.post, *self.people):
            if thread.ident is not None:
                thread.join()
