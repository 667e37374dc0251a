"""A server of which everything changes, again and again, while people collect their
mail: its settings, its certificate, its processes, its program.  Nobody notices."""
import os
import random
import re
import shutil
import signal
import threading
import time

import pytest

import builds
import drop
import pop3
from endurance import Crowd, Mailbox, trusting
from malote import NEEDED, same
from server import PATIENCE, children, free_port, memory, wait_until
from test_reload import Settings, descriptors
from test_restart import a_copy, activated, replace  # noqa: F401
from test_certificates import one

pytestmark = [pytest.mark.ours, pytest.mark.slow]

SEED = 21
PEOPLE = 6
EVENTS = {"reload": 100, "certificate": 10, "restart": 10, "upgrade": 3}


class Program(threading.Thread):
    """malote, run again and again by somebody who leaves nothing on the server."""

    def __init__(self, crowd, box, home, security, ca):
        super().__init__()
        self.crowd, self.box, self.home = crowd, box, home
        port = (crowd.server.tls_port if security == "tls"
                else crowd.server.port)
        home.account(server="localhost", port=port, security=security,
                     user=box.name, ca_file=ca, timeout=int(60 * PATIENCE),
                     keep="no")
        home.write()

    def run(self):
        while not self.crowd.over.is_set():
            try:
                self.home.run("collect", write=False, seconds=120)
                self.crowd.done += 1
            except AssertionError as e:
                self.crowd.errors.append((time.time(), self.box.name, str(e)))
                time.sleep(0.1)

    def check(self):
        """Each message is here, once."""
        same(self.home.files().values(),
             [drop.wire(stored).replace(b"\r\n", b"\n")
              for stored in self.box.sent.values()])


def build(version, path):
    """The octets of the program."""
    builds.another(version, path)
    with open(path, "rb") as f:
        return f.read()


class Site:
    """A server, and an admin who has much to do."""

    def __init__(self, place, serve, certs, client, seed):
        self.rng, self.certs = random.Random(seed), certs
        self.boxes = [Mailbox(place, "user%d" % n, seed + n)
                      for n in range(PEOPLE + 2)]
        self.own = place.path + "/own"
        os.mkdir(self.own)
        self.shown = None
        self.put(self.new_certificate())
        self.program = a_copy(place.path + "/maloted")
        self.builds = [(version, build(version, place.path + "/build"))
                       for version in ("9.9.%d" % n for n in range(
                           1, EVENTS["upgrade"] + 1))]
        self.sasl = place.path + "/asked"
        self.server = serve(
            [(box.name, "secret", box.path) for box in self.boxes],
            'workers = 2\nmechanisms = "SCRAM-SHA-256 PLAIN"\n'
            'certificate = "%s/pem"\nkey = "%s/key"\n'
            % (self.own, self.own), env={"MALOTED": self.program})
        self.settings = Settings(self.server)
        self.port = free_port()
        self.n = 0
        self.crowd = Crowd(self.server, self.boxes, certs.ca, seed)
        self.programs = [
            Program(self.crowd, box, client(box.name), security, certs.ca)
            for box, security in zip(self.boxes[PEOPLE:], ("tls", "starttls"))]
        self.crowd.people = self.crowd.people[:PEOPLE] + self.programs

    # ---- certificates ----

    def new_certificate(self):
        return self.certs.named("localhost", "pop.example.org")

    def put(self, pair):
        """As certbot does it."""
        for name in "pem", "key":
            shutil.copy(getattr(pair, name), self.own + "/new")
            os.rename(self.own + "/new", self.own + "/" + name)
        self.shown = one(pair)

    def is_shown(self):
        """By each worker, as far as can be seen."""
        tls = trusting(self.certs.ca)
        for _ in range(8):
            with pop3.Pop3(self.server.tls_port, tls) as s:
                if s.sock.getpeercert(True) != self.shown:
                    return False
        return True

    # ---- what the admin does ----

    def change(self):
        """Something for everybody, and something that comes and goes."""
        self.n += 1
        s, n = self.settings, self.n
        s.text = s.first
        s.set(hostname="h%d.example.org" % n,
              mechanisms="SCRAM-SHA-256 PLAIN" + self.rng.choice(("", " LOGIN")),
              trash=self.rng.choice(("yes", "no")),
              idle_timeout=str(600 + n))
        s.text = re.sub(r"(?m)^workers = .*$", "workers = %d"
                        % self.rng.randint(1, 3), s.text)
        if self.rng.random() < 0.5:
            s.listener(self.port)
        if self.rng.random() < 0.5:
            s.add('sasl "x" {\n\tsocket = "%s"\n}\n' % self.sasl)
        s.write(s.text)

    def is_changed(self):
        with pop3.Pop3(self.server.port) as s:
            assert b"h%d.example.org" % self.n in s.greeting, s.greeting

    def reload(self):
        self.change()
        if self.rng.random() < 0.8:
            self.server.ctl("reload")
        else:
            done = len(self.server.events("reloaded")) + 1
            self.server.signal(signal.SIGHUP)
            event = self.server.await_event("reloaded", done)[-1]
            assert event["done"] == "yes", event
        self.is_changed()

    def certificate(self):
        """New files, which are found with a reload or without."""
        self.put(self.new_certificate())
        if self.rng.random() < 0.5:
            self.server.ctl("reload")
        wait_until(self.is_shown, 30, 0.2)

    def restart(self):
        self.change()
        shown = self.server.restart()
        self.is_changed()
        return shown

    def upgrade(self):
        """Another build, of another version, is there for a while before it is
        told to take over."""
        version, octets = self.builds.pop(0)
        replace(self.program, octets)
        self.reload()
        assert self.restart()["version"] == version
        for pid in (self.server.pid, *self.server.roles()):
            assert os.readlink("/proc/%d/exe" % pid) == self.program

    def sign_in_all(self):
        for box in self.boxes:
            with pop3.Pop3(self.server.port) as s:
                s.login(box.name)
                s.quit()

    # ---- all of it ----

    def everything(self):
        events = [kind for kind, n in EVENTS.items() for _ in range(n)]
        self.rng.shuffle(events)
        self.crowd.start()
        self.crowd.more(PEOPLE)
        for kind in events:
            getattr(self, kind)()
            self.crowd.step()
            self.crowd.more()
        return events


def processes(program):
    """All that run it, or a build of it that is there no more."""
    out = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            path = os.readlink("/proc/%s/exe" % pid)
        except OSError:
            continue
        if path.removesuffix(" (deleted)") in (program, program + ".new"):
            out.add(int(pid))
    return out


def size(server):
    """{role: (memory, descriptors)} of the one that has most."""
    pids = {"parent": [server.pid], **{
        role: server.roles(role) for role in ("worker", "auth", "store")}}
    return {role: (max(map(memory, of), default=0),
                   max((len(descriptors(p)) for p in of), default=0))
            for role, of in pids.items()}


@NEEDED
@pytest.mark.timeout(900)
def test_nobody_notices(place, serve, certs, client):
    site = Site(place, serve, certs, client, SEED)
    server = site.server
    try:
        site.everything()
        site.crowd.finish()
    finally:
        site.crowd.stop()
    for program in site.programs:
        program.check()
    assert site.crowd.resumed > 0
    # Nothing is left of those before, and the last one is as a new one is.
    for pid in server.elders:
        wait_until(lambda pid=pid: server.has_ended(pid) is not None, 60)
        assert server.has_ended(pid) == 0
    wait_until(lambda: processes(site.program)
               == {server.pid, *children(server.pid)})
    assert not [e for e in server.events("ended") if e.get("status") != "0"]
    last = size(server)
    site.settings.write(re.sub(
        r"(?m)^workers = .*$", "workers = %d" % len(server.roles("worker")),
        site.settings.text))
    server.restart()
    site.sign_in_all()
    new = size(server)
    print(last, new)
    for role, (octets, n) in last.items():
        assert octets <= new[role][0] + 2 ** 23, (role, last, new)
        assert n <= new[role][1] + 2, (role, last, new)


class Caller(threading.Thread):
    """Connects again and again.  A session may end at any moment, but nobody is
    refused."""

    def __init__(self, port, box):
        super().__init__()
        self.port, self.box = port, box
        self.over, self.errors, self.served = threading.Event(), [], 0

    def run(self):
        while not self.over.is_set():
            try:
                with pop3.Pop3(self.port, timeout=60 * PATIENCE,
                               greeting=False) as s:
                    self.session(s)
            except (OSError, AssertionError) as e:
                self.errors.append(repr(e))

    def session(self, s):
        there = self.box.there()
        try:
            assert s.line().startswith(b"+OK")
            s.login(self.box.name)
            uids = s.uidl()
            self.box.check(list(uids.values()), there)
            for n, uid in uids.items():
                assert s.retr(n) == drop.wire(self.box.sent[uid])
            s.quit()
            self.served += 1
        except (pop3.Closed, ConnectionResetError, BrokenPipeError):
            pass  # it was ended, as is said of systemctl restart


def test_systemd_keeps_the_sockets(place, serve, activated):  # noqa: F811
    """Stopped and started ten times: who connects waits."""
    port = free_port()
    more = activated(port)
    boxes = [Mailbox(place, "user%d" % n, n) for n in range(4)]
    for box in boxes:
        for _ in range(5):
            box.deliver()
    callers = [Caller(port, box) for box in boxes]

    def start():
        return serve([(box.name, "secret", box.path) for box in boxes],
                     'workers = 2\nstop_grace = 0\nlistener "socket" {\n'
                     '\taddress = {"127.0.0.1"}\n\tport = %d\n'
                     "\tplaintext_login = yes\n}\n" % port, **more)
    server = start()
    try:
        for c in callers:
            c.start()
        for _ in range(10):
            served = [c.served for c in callers]
            wait_until(lambda: any(c.errors for c in callers) or all(
                c.served > n + 1 for c, n in zip(callers, served)), 60)
            server.stop()
            server = start()
    finally:
        for c in callers:
            c.over.set()
        for c in callers:
            c.join()
    assert not [e for c in callers for e in c.errors]
