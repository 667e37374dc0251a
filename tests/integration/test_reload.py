"""The settings are read again while everybody is served: what changes, for whom,
and what does not."""
import contextlib
import glob
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

import drop
import pop3
from asker import Asker
from server import (CTL, MALOTED, PATIENCE, children, free_port, memory,
                    wait_until)
from test_broken_in import inject  # noqa: F401
from test_tls import make_certificate

pytestmark = [pytest.mark.core, pytest.mark.ours]

EX_UNAVAILABLE, EX_CONFIG = 69, 78
PLAIN = ('listener "%s" {\n\taddress = {"127.0.0.1"}\n\tport = %d\n'
         '\ttls = "%s"\n\tplaintext_login = yes\n%s}\n')


class Settings:
    """The maloted.conf of a server that runs."""

    def __init__(self, server):
        self.server = server
        with open("/proc/%d/cmdline" % server.pid, "rb") as f:
            self.path = f.read().split(b"\0")[2].decode()
        self.text = self.first = self.read()

    def read(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    def write(self, text):
        self.text = text
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text)

    def set(self, **settings):
        """One line each, instead of what there is of it."""
        text = self.text
        for name, value in settings.items():
            text = re.sub(r"(?m)^%s = .*\n" % name, "", text)
            text = '%s = "%s"\n%s' % (name, value, text)
        self.write(text)

    def add(self, text):
        self.write(self.text + text)

    def listener(self, port, tls="none", more="", name=None):
        self.add(PLAIN % (name or port, port, tls, more))
        return port

    def reload(self, code=0):
        return self.server.ctl("reload", code=code)


@pytest.fixture
def settings(place, serve):
    def start(config="", n=3, **more):
        box = place.maildir(drop.make(5, n))
        return Settings(serve(box, config, **more))
    return start


def descriptors(pid):
    out = []
    for name in glob.glob("/proc/%d/fd/*" % pid):
        with contextlib.suppress(OSError):  # closed meanwhile
            out.append(os.readlink(name))
    return sorted(out)


def sockets(pid):
    return [name for name in descriptors(pid) if name.startswith("socket:")]


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def signed_in(connect, port, tls=None):
    session = connect(port, tls)
    session.login()
    return session


# ---- each kind of setting ----

def test_nothing_changed(settings, connect):
    """Twice over; who is there goes on, and nobody has been started anew."""
    s = settings()
    session = signed_in(connect, s.server.port)
    before = children(s.server.pid)
    assert s.reload() == ("The settings hold for new connections and "
                          "sign-ins.\n")
    s.server.signal(signal.SIGHUP)
    s.server.await_event("reloaded", 2)
    assert children(s.server.pid) == before
    assert session.stat()[0] == 3
    session.quit()
    signed_in(connect, s.server.port).quit()


def test_banner_and_limits_of_a_session(settings, connect):
    s = settings("hostname = old.example.org\nidle_timeout = 3600\n"
                 "max_bad_commands = 2\n")
    old = connect(s.server.port)
    assert b"old.example.org" in old.greeting
    s.set(hostname="new.example.org", max_bad_commands="5")
    s.reload()
    new = connect(s.server.port)
    assert b"new.example.org" in new.greeting
    for session, may in ((old, 2), (new, 5)):
        for _ in range(may - 1):
            session.err("NONSENSE")
        session.send(b"NONSENSE\r\n")
        session.line()
        assert session.ended()


def test_deadlines(settings, connect):
    """A session keeps its own; the next one has the new one."""
    s = settings("idle_timeout = 3600\n")
    old = signed_in(connect, s.server.port)
    s.set(idle_timeout="1")
    s.reload()
    old.quit()
    s.set(idle_timeout="3600")
    s.reload()
    old = signed_in(connect, s.server.port)
    s.set(idle_timeout="1", sessions="shared")
    s.reload()
    new = signed_in(connect, s.server.port)
    wait_until(new.ended)
    assert old.stat()[0] == 3
    time.sleep(1.5)
    assert old.stat()[0] == 3
    old.quit()


def test_mechanisms_of_auth(settings, connect):
    s = settings("mechanisms = PLAIN\n")
    old = connect(s.server.port)
    s.set(mechanisms="PLAIN CRAM-MD5 SCRAM-SHA-256", apop="yes")
    s.reload()
    assert b"CRAM-MD5" not in b" ".join(old.listing("CAPA"))
    new = connect(s.server.port)
    assert b"SASL SCRAM-SHA-256 PLAIN CRAM-MD5" in new.listing("CAPA") or \
        b"CRAM-MD5" in b" ".join(new.listing("CAPA"))
    assert b"<" in new.greeting
    new.login()
    new.quit()
    # It was greeted when APOP was there.
    old = connect(s.server.port)
    s.set(apop="no")
    s.reload()
    old.err("APOP user 0123456789abcdef0123456789abcdef", "SYS/TEMP")
    signed_in(connect, s.server.port).quit()


def test_users(settings, connect, place):
    """Another file, and another way to write names."""
    s = settings()
    users = re.search(r'users = "?([^"\n]+)', s.text).group(1).strip("'")
    # The same file, which need not be read again for its own sake, by another
    # rule: it is one that is not new, and was read since, for somebody who is
    # not in it.
    time.sleep(2.1)
    nobody = connect(s.server.port)
    nobody.ok("USER nobody")
    nobody.err("PASS secret")
    s.set(default_domain="example.org")
    s.reload()
    signed_in(connect, s.server.port).quit()
    s.write(s.first)
    s.reload()
    other = place.path + "/other"
    with open(users, encoding="utf-8") as f, \
            open(other, "w", encoding="utf-8") as to:
        to.write(f.read().replace("user:", "neu@example.org:", 1))
    os.chmod(other, 0o600)
    old = connect(s.server.port)
    s.set(users=other, default_domain="example.org")
    s.reload()
    old.ok("USER neu")
    old.ok("PASS secret")
    old.quit()
    new = connect(s.server.port)
    new.ok("USER user")
    new.err("PASS secret", "AUTH")


def test_limits_of_all(settings, connect):
    s = settings("max_connections_per_address = 3\nworkers = 1\n")
    held = [connect(s.server.port) for _ in range(3)]
    s.set(max_connections_per_address="4")
    s.reload()
    held.append(connect(s.server.port))
    assert connect(s.server.port).greeting.startswith(b"-ERR")
    # Those that there are stay, when there are too many now.
    s.set(max_connections_per_address="64", max_sessions="2")
    s.reload()
    assert connect(s.server.port).greeting.startswith(b"-ERR")
    for session in held[:3]:
        session.quit()
    wait_until(lambda: connect(s.server.port).greeting.startswith(b"+OK"))


def test_fewer_sessions_than_there_are(settings, connect):
    """Those that there are can be seen, traced and ended all the same."""
    s = settings('sessions = "shared"\nworkers = 1\n')
    held = [signed_in(connect, s.server.port) for _ in range(3)]
    s.set(max_sessions="1")
    s.reload()
    assert s.server.ctl("who").endswith("\n3 sessions\n")
    path = s.server.ctl("trace", "user").split("\n")[1]
    held[2].ok("NOOP")
    s.server.ctl("kick", "user")
    assert all(session.ended() for session in held)
    s.server.ctl("trace", "--off", "user")
    with open(path, encoding="utf-8") as f:
        assert f.read().count("the session ends: kicked") == 3


def test_more_sessions_than_places(settings, connect):
    s = settings("max_sessions = 2\nworkers = 1\n")
    s.set(max_sessions="3")
    assert "hold after a restart only: max_sessions" in s.reload()
    held = [connect(s.server.port) for _ in range(2)]
    assert connect(s.server.port).greeting.startswith(b"-ERR")
    assert held[0].greeting.startswith(b"+OK")


def test_same_user(settings, connect):
    """A worker that has nothing to ask whose a connection is would serve all: the
    first listener that wants it needs a restart, and another one does not."""
    s = settings()
    port = s.listener(free_port(), more="\tsame_user = yes\n")
    assert ("no listener had same_user at the start; for the first one say "
            "malotectl restart" in s.reload(EX_CONFIG))
    assert refused(port)
    s.server.restart()
    signed_in(connect, port).quit()
    more = s.listener(free_port(), more="\tsame_user = yes\n")
    s.reload()
    signed_in(connect, more).quit()


def test_networks(settings, connect):
    s = settings()
    session = signed_in(connect, s.server.port)
    s.set(deny_nets="127.0.0.1")
    s.reload()
    assert connect(s.server.port, greeting=False).ended()
    session.quit()
    s.write(s.first)
    s.reload()
    signed_in(connect, s.server.port).quit()


def test_certificate(settings, connect, place):
    files = make_certificate(place.path)
    s = settings('sessions = shared\ncertificate = "%s"\nkey = "%s"\n'
                 % files)
    old = signed_in(connect, s.server.tls_port, pop3.context())
    seen = old.sock.getpeercert(True)
    before_stls = connect(s.server.port)
    new = make_certificate(place.path, "new")
    s.set(certificate=new[0], key=new[1])
    s.reload()
    session = signed_in(connect, s.server.tls_port, pop3.context())
    now = session.sock.getpeercert(True)
    assert now != seen
    before_stls.ok("STLS")
    before_stls.start_tls(pop3.context())
    assert before_stls.sock.getpeercert(True) == seen
    before_stls.login()
    before_stls.quit()
    session.quit()
    old.quit()


def test_store(settings, connect, place):
    """Of the store: DELE goes on as it was when the session began."""
    s = settings("trash = no\n", n=4)
    old = signed_in(connect, s.server.port)
    old.ok("DELE 1")
    s.set(trash="yes")
    s.reload()
    old.quit()
    trash = place.path + "/Maildir/.Trash/"
    assert not glob.glob(trash + "*/*")
    new = signed_in(connect, s.server.port)
    new.ok("DELE 1")
    s.set(trash="no")
    s.reload()
    new.quit()
    assert len(glob.glob(trash + "*/*")) == 1


def test_include(settings, connect):
    """A file in a folder of its own is a setting, too, and is named."""
    s = settings()
    s.write(re.sub(r"(?m)^hostname = .*\n", "", s.text))
    folder = os.path.dirname(s.path) + "/conf.d"
    os.mkdir(folder)
    try:
        s.add('include "conf.d/*.conf"\n')
        s.reload()
        with open(folder + "/host.conf", "w", encoding="utf-8") as f:
            f.write("# a name\nhostname = included.example.org\n")
        s.reload()
        assert b"included.example.org" in connect(s.server.port).greeting
        with open(folder + "/host.conf", "a", encoding="utf-8") as f:
            f.write("nonsense = 1\n")
        assert folder + "/host.conf:3: there is no setting nonsense" in \
            s.reload(EX_CONFIG)
        assert b"included.example.org" in connect(s.server.port).greeting
    finally:
        shutil.rmtree(folder)


# ---- listeners ----

def test_listeners(settings, connect):
    s = settings("workers = 2\n")
    port = s.listener(free_port())
    first = s.text
    s.reload()
    session = signed_in(connect, port)
    assert str(port) in s.server.ctl("status")
    # It goes: who is there stays.
    s.write(s.first)
    s.reload()
    assert refused(port)
    assert session.stat()[0] == 3
    assert str(port) not in s.server.ctl("status")
    session.quit()
    # And comes again, with other properties.
    s.write(first.replace('port = %d\n\ttls = "none"' % port,
                          'port = %d\n\ttls = "tls"' % port))
    s.reload()
    signed_in(connect, port, pop3.context()).quit()
    s.write(first)
    s.reload()
    signed_in(connect, port).quit()


def test_a_part_of_an_address(settings, connect):
    """All addresses, and then one of them; and back."""
    s = settings()
    port = free_port()
    one = s.text + PLAIN % ("x", port, "none", "")
    for text in (one.replace('{"127.0.0.1"}\n\tport = %d' % port,
                             '{"*"}\n\tport = %d' % port), one) * 2:
        s.write(text)
        s.reload()
        signed_in(connect, port).quit()
        with socket.socket() as sock:
            there = sock.connect_ex(("127.0.0.2", port)) == 0
        assert there == ('"*"' in text)


def test_all_workers_have_it(settings, connect):
    s = settings("workers = 3\n")
    port = s.listener(free_port())
    s.reload()
    held = [connect(port) for _ in range(60)]
    sids = []
    for session in held:
        session.quit()
    wait_until(lambda: len(s.server.events("session")) >= 60)
    sids = {e["sid"].split(".")[0] for e in s.server.events("session")}
    assert sids == {"0", "1", "2"}


def test_who_waits_when_a_listener_goes(settings, connect):
    """Whoever has connected is served."""
    s = settings("workers = 1\n")
    port = s.listener(free_port())
    s.reload()
    worker, = s.server.roles("worker")
    os.kill(worker, signal.SIGSTOP)
    waiting = [connect(port, greeting=False) for _ in range(40)]
    s.write(s.first)
    s.server.signal(signal.SIGHUP)
    time.sleep(0.5)
    os.kill(worker, signal.SIGCONT)
    for session in waiting:
        assert session.line().startswith(b"+OK")
    s.server.await_event("reloaded", 2)
    wait_until(lambda: refused(port))


@pytest.mark.skipif(os.geteuid() != 0, reason="ports below 1024")
def test_privileged_port(settings, connect):
    s = settings()
    ports = [p for p in range(850, 900) if refused(p)]
    s.listener(ports[0])
    s.reload()
    signed_in(connect, ports[0]).quit()


# ---- what cannot be used changes nothing ----

@pytest.mark.parametrize("text, word", [
    ("nonsense = 1\n", ": there is no setting nonsense"),
    ("idle_timeout = 0\n", ": idle_timeout = \"0\" is no number"),
    ("listener \"x\" {\n", ": a { has no end"),
    ("client_ca = \"/none/such\"\n", ": /none/such: No such file"),
    ("include \"none.conf\"\n", "none.conf: No such file"),
    ("keytab = \"/none/such\"\n", "keytab /none/such: No such file"),
    ("users \"x\" {\n\tdriver = \"odd\"\n}\n", "there is no driver \"odd\""),
])
def test_mistakes(settings, connect, text, word):
    s = settings("hostname = old.example.org\n")
    signed_in(connect, s.server.port).quit()  # so that the store is there
    wait_until(lambda: s.server.events("session"))
    before = {pid: descriptors(pid) for pid in
              [s.server.pid, *children(s.server.pid)]}
    port = free_port()
    s.add(text)
    s.set(hostname="new.example.org")
    s.listener(port)
    said = s.reload(EX_CONFIG)
    assert word in said and s.path in said, said
    assert "nothing has changed" in said
    s.server.signal(signal.SIGHUP)
    failed = s.server.await_event("reloaded", 2)
    assert {e["done"] for e in failed} == {"no"}
    assert refused(port)
    session = signed_in(connect, s.server.port)
    assert b"old.example.org" in session.greeting
    session.quit()
    wait_until(lambda: {pid: descriptors(pid) for pid in before} == before)


def test_files_that_are_named(settings, connect, place):
    files = make_certificate(place.path)
    s = settings('certificate = "%s"\nkey = "%s"\n' % files)
    with open(files[1], "w", encoding="utf-8") as f:
        f.write("no key\n")
    assert files[1] in s.reload(EX_CONFIG)
    signed_in(connect, s.server.tls_port, pop3.context()).quit()


@pytest.mark.parametrize("command", ["reload", "restart"])
def test_mistakes_that_malotectl_meets(settings, command):
    """It looks into the file itself, for the control socket."""
    s = settings()
    s.add("nonsense = 1\n")
    done = subprocess.run([CTL, "--config", s.path, command], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == EX_CONFIG
    assert ": there is no setting nonsense" in done.stderr
    assert done.stderr.endswith(
        "nothing has changed: the settings cannot be used\n")


def test_port_of_another(settings, connect):
    s = settings("hostname = old.example.org\n")
    ours = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        s.set(hostname="new.example.org")
        s.listener(ours)
        s.listener(other.getsockname()[1])
        said = s.reload(EX_CONFIG)
        assert "another program does" in said
    assert refused(ours)
    assert b"old.example.org" in connect(s.server.port).greeting
    s.reload()
    signed_in(connect, ours).quit()


@pytest.mark.parametrize("room", range(0, 12))
def test_no_descriptors(settings, connect, room):
    """Wherever they run out in the parent, nothing has changed or all has."""
    s = settings("hostname = old.example.org\nworkers = 2\n")
    pid = s.server.pid
    before = descriptors(pid)
    s.set(hostname="new.example.org")
    ports = [s.listener(free_port()) for _ in range(3)]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(n) for n in os.listdir("/proc/%d/fd" % pid))
    resource.prlimit(pid, resource.RLIMIT_NOFILE,
                     (highest + 1 + room, limits[1]))
    s.server.signal(signal.SIGHUP)
    done = s.server.await_event("reloaded")[0]["done"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    name = b"new" if done == "yes" else b"old"
    assert name in connect(s.server.port).greeting
    for port in ports:
        assert refused(port) == (done == "no")
    if done == "no":
        wait_until(lambda: descriptors(pid) == before)
    s.reload()
    signed_in(connect, ports[2]).quit()


def test_no_descriptors_in_a_worker(settings, connect, inject):
    """What another one has prepared is forgotten."""
    s = settings("hostname = old.example.org\nworkers = 2\n",
                 wrap=("prlimit", "--nofile=2100:2100"))
    workers = s.server.roles("worker")
    s.set(hostname="new.example.org")
    port = s.listener(free_port())
    before = [sockets(pid) for pid in workers]
    unused = 1 + max(int(n) for n in os.listdir("/proc/%d/fd" % workers[0]))
    inject(workers[0], "fill")
    assert ": too many files are open" in s.reload(EX_CONFIG)
    inject(workers[0], "close:%d" % unused)
    wait_until(lambda: [sockets(pid) for pid in workers] == before)
    assert refused(port)
    assert b"old.example.org" in connect(s.server.port).greeting
    s.reload()
    assert b"new.example.org" in connect(s.server.port).greeting


# ---- what holds after a restart ----

def test_what_needs_a_restart(settings, connect):
    s = settings("workers = 1\nhostname = old.example.org\n")
    before = children(s.server.pid)
    s.set(workers="2", hash_threads="3", log="syslog",
          hostname="new.example.org")
    said = s.reload()
    assert re.search(r"hold after a restart only: (.*)", said).group(1) == \
        "workers, hash_threads, log"
    event = s.server.await_event("reloaded")[-1]
    assert event["done"] == "yes"
    assert event["for"] == "workers, hash_threads, log"
    assert children(s.server.pid) == before
    assert b"new.example.org" in connect(s.server.port).greeting


# ---- places where users are known ----

def database(place, box, name, users):
    path = "%s/%s.db" % (place.path, name)
    owner = os.stat(box)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE users(name TEXT, password TEXT, uid INT,"
                   " gid INT, mail TEXT)")
        for user in users:
            db.execute("INSERT INTO users VALUES(?, '{PLAIN}secret', ?, ?, ?)",
                       (user, owner.st_uid, owner.st_gid, "maildir:" + box))
    db.close()
    os.chmod(path, 0o644)
    return ('users "%s" {\n\tdriver = "sqlite"\n\tfile = "%s"\n\tquery = '
            '"SELECT password, uid, gid, mail FROM users WHERE name = $1"'
            '\n}\n' % (name, path))


def may(connect, port, user):
    with connect(port) as session:
        session.ok("USER " + user)
        session.send(b"PASS secret\r\n")
        line = session.line()
        assert line.startswith((b"+OK", b"-ERR [AUTH]")), line
        return line.startswith(b"+OK")


def test_databases(place, serve, connect):
    """They come, change places, change and go."""
    box = place.maildir(drop.make(5, 2))
    s = Settings(serve(box, "sessions = shared\n"))
    one, two = (database(place, box, n, [n + "@x.org"]) for n in ("one", "two"))
    users = re.search(r"(?m)^users = .*\n", s.text).group(0)
    base = s.text.replace(users, "")
    file = 'users "file" {\n\tdriver = "passwd-file"\n\tfile = %s}\n' % \
        users.split("=", 1)[1]
    for blocks, who in ((file + one, "one"), (file + one + two, "one two"),
                        (two + one + file, "one two"), (file + two, "two"),
                        (file + two.replace("two.db", "one.db"), "one"),
                        (file, ""), (two + file, "two")):
        s.write(base + blocks)
        s.reload()
        for name in ("one", "two"):
            assert may(connect, s.server.port, name + "@x.org") == \
                (name in who), (blocks, name)
        assert may(connect, s.server.port, "user")
        wait_until(lambda: len(s.server.roles("db"))
                   == blocks.count("sqlite"))
    s.write(s.first)
    s.reload()
    assert may(connect, s.server.port, "user")


# ---- programs that ask ----

def asked(path, password="secret"):
    asker = Asker(path)
    try:
        return asker.asks(1, password, user="user").split("\t")[0]
    finally:
        asker.close()


def test_services(settings, place):
    """Blocks sasl come, change and go; nobody who asks is turned away."""
    s = settings()
    path = s.server.tmp + "/run/asked"
    block = 'sasl "x" {\n\tsocket = "%s"\n%s}\n'
    s.write(s.first + block % (path, ""))
    s.reload()
    assert asked(path) == "OK"
    assert asked(path, "wrong") == "FAIL"
    before = os.stat(path).st_ino
    s.write(s.first + block % (path, '\tmechanisms = "PLAIN LOGIN"\n'))
    s.reload()
    assert asked(path) == "OK"
    wait_until(lambda: len(s.server.roles("sasl")) == 1)
    assert os.stat(path).st_ino == before
    s.write(s.first + block % (path, "\tmode = 0600\n"))
    assert ('restart only: mode and group of sasl "x" (stop maloted and start '
            'it)') in s.reload()
    other = path + "2"
    s.write(s.first + block % (other, ""))
    s.reload()
    assert asked(other) == "OK" and not os.path.exists(path)
    # What is there already is left alone.
    with open(path, "w", encoding="utf-8"):
        pass
    s.write(s.first + block % (path, ""))
    assert "no socket" in s.reload(EX_CONFIG)
    assert asked(other) == "OK"
    s.write(s.first)
    s.reload()
    assert not os.path.exists(other)
    assert [e["at"] for e in s.server.events("unlisten")] == [path, other]
    wait_until(lambda: not s.server.roles("sasl"))


def test_unix_socket(settings, place):
    """A listener's socket comes, stays and goes, and who is connected stays."""
    s = settings("workers = 2\n")
    path = s.server.tmp + "/run/pop3"
    block = 'listener "x" {\n\tsocket = "%s"\n\ttls = "none"\n%s}\n'
    s.write(s.first + block % (path, ""))
    s.reload()
    session, other = pop3.Local(path), pop3.Local(path)
    session.login()
    before = os.stat(path)
    assert path in s.server.ctl("status")
    s.write(s.first + block % (path, '\tmode = "0600"\n'))
    assert 'restart only: mode and group of listener "x"' in s.reload()
    after = os.stat(path)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert session.stat()[0] == 3
    session.quit()
    # What is there already is left alone, and what is new is removed.
    with open(path + "3", "w", encoding="utf-8"):
        pass
    s.write(s.first + block % (path, "") + (block % (path + "2", "")).replace(
        '"x"', '"y"') + (block % (path + "3", "")).replace('"x"', '"z"'))
    assert "no socket" in s.reload(EX_CONFIG)
    assert not os.path.exists(path + "2") and os.path.isfile(path + "3")
    pop3.Local(path).quit()
    # It goes.
    s.write(s.first)
    s.reload()
    assert not os.path.exists(path)
    other.login()
    assert other.stat()[0] == 3
    other.quit()


# ---- when other things happen ----

def test_many_at_a_time(settings, connect):
    """Each who asks hears of a reload that began after they asked."""
    s = settings()
    ask = [subprocess.Popen(
        [CTL, "--config", s.server.ctl_conf, "reload"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(8)]
    for _ in range(5):
        s.server.signal(signal.SIGHUP)
    for process in ask:
        out, _ = process.communicate(timeout=60 * PATIENCE)
        assert process.returncode == 0, out
    signed_in(connect, s.server.port).quit()


def test_before_it_serves(place, serve, connect):
    """A signal that comes too early is not lost."""
    box = place.maildir(drop.make(5, 2))
    server = serve(box, "hostname = old.example.org\n")
    for pid in server.roles("worker") + server.roles("auth"):
        os.kill(pid, signal.SIGKILL)
    s = Settings(server)
    s.set(hostname="new.example.org")
    s.server.signal(signal.SIGHUP)
    s.server.await_event("reloaded")
    wait_until(lambda: b"new.example.org" in connect(server.port).greeting)
    signed_in(connect, server.port).quit()


@pytest.mark.parametrize("role", ["worker", "auth", "store"])
def test_processes_that_die(settings, connect, role):
    s = settings("hostname = 0.example.org\nworkers = 1\n")
    for i in range(1, 6):
        s.set(hostname="%d.example.org" % i)
        s.server.signal(signal.SIGHUP)
        for pid in s.server.roles(role):
            os.kill(pid, signal.SIGKILL)
        s.server.await_event("reloaded", i)

        def served():
            try:
                with connect(s.server.port) as session:
                    assert b"%d.example.org" % i in session.greeting
                    session.ok("USER user")
                    session.send(b"PASS secret\r\n")
                    return session.line().startswith(b"+OK")
            except (OSError, pop3.Closed):
                return False
        wait_until(served, 30)
    s.reload()


@pytest.mark.parametrize("role", ["store", "worker", "auth"])
def test_a_process_that_hangs(settings, connect, role):
    """Nobody waits for it; it has the settings when it goes on."""
    s = settings("trash = no\nworkers = 2\nhostname = old.example.org\n"
                 "store_processes = 2\nmail_user = \"%s\"\n" % "nobody"
                 if os.geteuid() == 0 else
                 "trash = no\nworkers = 2\nhostname = old.example.org\n")
    signed_in(connect, s.server.port).quit()
    pids = s.server.roles(role)
    assert pids
    os.kill(pids[0], signal.SIGSTOP)
    s.set(hostname="new.example.org")
    said = subprocess.run(
        [CTL, "--config", s.server.ctl_conf, "reload"], check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60 * PATIENCE).stdout
    assert "does not answer yet" in said
    os.kill(pids[0], signal.SIGCONT)

    def all_new():
        return all(b"new.example.org" in connect(s.server.port).greeting
                   for _ in range(8))
    wait_until(all_new)
    signed_in(connect, s.server.port).quit()


def test_stop_meanwhile(settings, connect):
    s = settings("workers = 2\n")
    os.kill(s.server.roles("worker")[0], signal.SIGSTOP)
    port = s.listener(free_port())
    asks = subprocess.Popen(
        [CTL, "--config", s.server.ctl_conf, "reload"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    s.server.await_event("reload")
    assert s.server.stop() == 0
    out, _ = asks.communicate(timeout=60 * PATIENCE)
    assert asks.returncode != 0, out
    assert refused(port)


def test_relative_path(place, serve, connect):
    """The file is found though the server works in /."""
    server = serve(place.maildir(drop.make(5, 2)))
    s = Settings(server)
    port, control = free_port(), server.tmp + "/run/other"
    text = re.sub(r"(?m)^control_socket.*\n", "", s.text)
    text = re.sub(r"(?s)listener .*?\n\}\n", "", text)
    with open(place.path + "/other.conf", "w", encoding="utf-8") as f:
        f.write('control_socket = "%s"\n' % control + text
                + PLAIN % ("x", port, "none", ""))
    with open(place.path + "/log", "w", encoding="utf-8") as log:
        other = subprocess.Popen(
            [os.path.realpath(MALOTED), "-c", "other.conf", "--root-mail"], cwd=place.path,
            stderr=log)
    try:
        wait_until(lambda: not refused(port), 20)
        wait_until(lambda: "ev=ready" in open(place.path + "/log",
                                              encoding="utf-8").read(), 20)
        subprocess.run([CTL, "--config", place.path + "/other.conf",
                        "reload"], check=True, timeout=60 * PATIENCE,
                       stdout=subprocess.DEVNULL)
    finally:
        other.terminate()
        assert other.wait(30) == 0


# ---- many times over ----

class Load:
    """Sessions, of which none may see an error."""

    def __init__(self, ports, boxes):
        self.errors, self.n, self.over = [], 0, False
        self.threads = [
            threading.Thread(target=self.run, args=(ports, user))
            for user in boxes]
        for thread in self.threads:
            thread.start()

    def session(self, port, tls, user):
        with pop3.Pop3(port, tls) as session:
            session.ok("USER " + user)
            session.ok("PASS secret")
            n = session.stat()[0]
            session.uidl()
            for i in range(1, n + 1):
                session.retr(i)
                if self.over:
                    break
            session.quit()
        self.n += 1

    def run(self, ports, user):
        while not self.over:
            for port, tls in ports:
                try:
                    self.session(port, tls, user)
                except (AssertionError, OSError, pop3.Closed) as e:
                    self.errors.append((port, user, repr(e)))

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join(60 * PATIENCE)
        assert not self.errors, self.errors[:5]
        return self.n


def under_load(place, serve, times, people=6):
    """Each reload changes something for everybody."""
    names = ["user%d" % i for i in range(people)]
    boxes = [place.maildir(drop.make(i, 5), name=n)
             for i, n in enumerate(names)]
    server = serve([(n, "secret", b) for n, b in zip(names, boxes)],
                   "workers = 2\nmechanisms = \"PLAIN\"\n")
    s = Settings(server)
    files = make_certificate(place.path), make_certificate(place.path, "new")
    one = database(place, boxes[0], "one", ["one@x.org"])
    users = re.search(r"(?m)^users = .*\n", s.text).group(0)
    base = s.text.replace(users, "")
    file = 'users "file" {\n\tdriver = "passwd-file"\n\tfile = %s}\n' % \
        users.split("=", 1)[1]
    extra = free_port()
    load = Load([(server.port, None),
                 (server.tls_port, pop3.context())], names)
    sizes = []
    try:
        for i in range(times):
            s.text = base + file
            s.set(certificate=files[i % 2][0], key=files[i % 2][1],
                  hostname="h%d.example.org" % i,
                  mechanisms=("PLAIN", "PLAIN CRAM-MD5")[i % 2],
                  trash=("yes", "no")[i % 2], idle_timeout=str(600 + i))
            if i % 3 == 0:
                s.listener(extra)
            if i % 4 == 0:
                s.add(one)
            server.ctl("reload")
            with pop3.Pop3(server.port) as session:
                assert b"h%d.example.org" % i in session.greeting
            sizes.append(measure(server))
    finally:
        n = load.end()
    assert n >= times / 4
    s.write(base + file)
    s.reload()
    return server, sizes


def measure(server):
    wait_until(lambda: len(server.roles("db")) <= 1)
    pids = {role: server.roles(role) for role in ("worker", "auth", "store")}
    out = {"parent": (memory(server.pid), len(descriptors(server.pid)))}
    for role, of in pids.items():
        out[role] = (max([memory(p) for p in of] or [0]),
                     max([len(descriptors(p)) for p in of] or [0]))
    return out


def test_under_load(place, serve):
    server, _ = under_load(place, serve, 10)
    assert not server.events("ended") or all(
        e["role"] == "db" for e in server.events("ended"))


@pytest.mark.slow
def test_under_load_for_long(place, serve):
    """Nothing grows, nobody sees an error."""
    server, sizes = under_load(place, serve, 100)
    for role in ("parent", "worker", "auth", "store"):
        first = max(s[role][0] for s in sizes[10:30])
        last = max(s[role][0] for s in sizes[-20:])
        assert last <= first * 1.1 + 2 ** 20, (role, first, last)
        # Messages are collected before they are closed, some dozens at times.
        first = min(s[role][1] for s in sizes[10:30])
        last = min(s[role][1] for s in sizes[-20:])
        assert last <= first + 8, (role, first, last)
    assert not [e for e in server.events("ended") if e["role"] != "db"]


def test_descriptors(settings, connect):
    """As many as before, in each process, after reloads that do something."""
    s = settings("workers = 2\n")
    everybody = [s.server.pid, *children(s.server.pid)]

    def counts():
        return [len(descriptors(pid)) for pid in everybody]
    before = counts()
    port = free_port()
    for i in range(10):
        s.write(s.first)
        s.set(hostname="h%d.example.org" % i, trash=("no", "yes")[i % 2])
        if i % 2 == 0:
            s.listener(port)
        s.reload()
    s.write(s.first + "nonsense = 1\n")
    s.reload(EX_CONFIG)
    s.write(s.first)
    s.reload()
    wait_until(lambda: counts() == before)
    assert sorted(everybody) == sorted(
        [s.server.pid, *children(s.server.pid)])
    signed_in(connect, s.server.port).quit()
