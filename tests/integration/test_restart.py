"""malotectl restart: another maloted, of the program's file as it is now, takes
the place of the one that runs, and no client notices.  And sockets that systemd
hands over."""
import itertools
import json
import os
import re
import shutil
import signal
import socket
import struct
import threading
import time

import pytest

import control
import drop
import index
import pop3
from server import MALOTED, alive, free_port, wait_until

pytestmark = [pytest.mark.ours]

EX_CONFIG = 78


@pytest.fixture
def box(place):
    return place.maildir(drop.make(5, 4))


def configuration(server):
    """The file that it was started with."""
    with open("/proc/%d/cmdline" % server.pid) as f:
        words = f.read().split("\0")
    return words[words.index("--config") + 1]


def configure(server, change):
    """Changes the text of the configuration: change(text) is the new one."""
    with open(configuration(server)) as f:
        text = f.read()
    with open(configuration(server), "w") as f:
        f.write(change(text))


def a_copy(path):
    """The program at another place, where it can be replaced."""
    shutil.copy(MALOTED, path)
    return path


def replace(path, octets):
    """As a package does it."""
    with open(path + ".new", "wb") as f:
        f.write(octets)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


# ---- one client ----

@pytest.mark.core
def test_what_has_begun_goes_on(serve, login, connect, box):
    server = serve([("user", "secret", box), ("other", "secret", box + "2")])
    before = server.pid
    old = login(server)
    first = connect(server.port)  # has its greeting, and no more
    shown = server.restart()
    assert [d["pid"] for d in wait_until(
        lambda: shown["draining"] or json.loads(
            server.ctl("status", "--json"))["draining"])] == [before]
    assert "ends with its sessions: 2" in wait_until(
        lambda: server.ctl("status"))
    # The same maildrop is locked, whichever of the two has it.
    new = connect(server.port)
    new.ok("USER user")
    new.err("PASS secret", "IN-USE")
    assert old.retr(1) == drop.wire(drop.make(5, 4)[0].stored)
    old.ok("DELE 1")
    old.quit()
    new.login()
    assert new.stat()[0] == 3
    new.quit()
    # Who has not signed in yet does so there.
    assert alive(before)
    first.login("other")
    first.quit()
    wait_until(lambda: server.has_ended(before) is not None)
    assert server.has_ended(before) == 0
    wait_until(lambda: not json.loads(
        server.ctl("status", "--json"))["draining"])


def test_a_signal_does_it(serve, login, box):
    server = serve(box)
    before = server.pid
    os.kill(before, signal.SIGUSR2)
    wait_until(lambda: server.has_ended(before) is not None)
    server.became()
    assert server.elders == [before]
    login(server).quit()


def test_sessions_have_so_long(serve, login, box):
    server = serve(box, "drain_timeout = 1\n")
    before = server.pid
    session = login(server)
    server.restart()
    assert session.receive() == b""
    wait_until(lambda: server.has_ended(before) is not None)
    login(server).quit()


@pytest.mark.core
def test_who_ends_takes_those_before_along(serve, login, box):
    server = serve(box)
    session = login(server)
    server.restart()
    server.restart()
    assert len(server.elders) == 2 and alive(server.elders[0])
    server.stop()  # sees that all have ended
    assert session.receive() == b""


def test_three_generations_are_shown(serve, login, box):
    server = serve([("a", "secret", box), ("b", "secret", box + "2")])
    first = login(server, "a")
    server.restart()
    second = login(server, "b")
    server.restart()
    wait_until(lambda: {d["pid"] for d in json.loads(
        server.ctl("status", "--json"))["draining"]} == set(server.elders))
    first.quit()
    second.quit()
    for pid in server.elders:
        wait_until(lambda pid=pid: server.has_ended(pid) is not None)


# ---- what cannot serve ----

@pytest.mark.core
def test_errors_change_nothing(serve, login, box):
    server = serve(box)
    session = login(server)
    before = server.pid, server.roles()
    configure(server, lambda text: text + (
        'no_such_setting = 1\nlistener "odd" {\n\tport = 0\n}\n'))
    said = server.ctl("restart", code=EX_CONFIG)
    assert "no_such_setting" in said and "the old one goes on" in said
    assert 'port = "0" is no number' in said
    server.became()
    assert (server.pid, server.roles()) == before
    assert server.await_event("restart", 2)[1]["kept"] == "the-old-one"
    session.quit()
    login(server).quit()
    # Mended, it is possible.
    configure(server, lambda text: text.split("no_such_setting")[0])
    server.restart()


# The channel's messages have one form in all versions; this is none.
OF_ANOTHER_FORM = b"""#!/usr/bin/python3
import os, socket, time
s = socket.socket(fileno=int(os.environ["MALOTED_HANDOVER"]))
s.send(b"ready")
time.sleep(300)
"""


@pytest.mark.parametrize("program, words", [
    (OF_ANOTHER_FORM, "of a version that cannot take this one's place"),
    (b"#!/bin/sh\nexit 1\n", "has ended before it was ready"),
    (b"no program", "cannot be executed"),
    pytest.param(b"#!/bin/sh\nexec sleep 300\n", "not ready in 45 seconds",
                 marks=pytest.mark.slow),
], ids=["version", "ends", "none", "hangs"])
def test_a_program_that_does_not_serve(serve, login, box, tmp_path, program,
                                       words):
    path = a_copy(str(tmp_path / "maloted"))
    server = serve(box, env={"MALOTED": path})
    before = server.pid, server.roles()
    replace(path, program)
    assert words in server.ctl("restart", code=EX_CONFIG)
    server.became()
    assert (server.pid, server.roles()) == before
    login(server).quit()


def test_a_port_that_is_taken(serve, login, box):
    """What no check finds: another program has the port of a new listener."""
    server = serve(box)
    before = server.pid
    taken = free_port()
    with socket.socket() as s:
        s.bind(("127.0.0.1", taken))
        s.listen()
        configure(server, lambda text: text + (
            'listener "more" {\n\taddress = {"127.0.0.1"}\n\tport = %d\n}\n'
            % taken))
        said = server.ctl("restart", code=EX_CONFIG)
    assert "cannot listen" in said
    server.became()
    assert server.pid == before
    login(server).quit()


def auth_of(pid):
    """Without a look at all other processes; None: it has none yet."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        for child in f.read().split():
            with open("/proc/%s/cmdline" % child) as words:
                if words.read().startswith("maloted: auth"):
                    return int(child)
    return None


def an_heir_that_hangs(server):
    """The process that is to take its place, and that waits for its own auth,
    which is stopped before it can say anything.  If that came too late it is another
    one's turn."""
    for n in range(1, 11):
        os.kill(server.pid, signal.SIGUSR2)
        heir = int(server.await_event("restart", n)[-1]["pid"])
        auth = wait_until(lambda: auth_of(heir), step=0.001)
        os.kill(auth, signal.SIGSTOP)
        time.sleep(0.3)
        if str(heir) not in [e["to"] for e in server.events("handed-over")]:
            return heir
        os.kill(auth, signal.SIGCONT)
        server.became()
    raise AssertionError("each of them was quicker")


@pytest.mark.core
def test_nobody_is_accepted_too_early(serve, connect, box):
    """As long as it can still fail the new one accepts nobody: who came meanwhile
    has not noticed anything."""
    server = serve(box, "workers = 2\n")
    heir = an_heir_that_hangs(server)
    try:
        time.sleep(1.5)  # then a worker accepts that has not heard of auth
        came = [connect(server.port) for _ in range(12)]
        assert server.ctl("status").split(",")[1] == " pid %d" % server.pid
        os.kill(server.pid, signal.SIGHUP)  # too late for the new one, perhaps
        assert "restart" in server.await_event("reload")[-1]["refused"]
    finally:
        os.kill(heir, signal.SIGKILL)
    server.await_event("restart", 2)
    for session in came:
        session.multi("CAPA")
    assert server.ctl("restart")
    server.became()


def test_who_ends_takes_the_new_one_along(serve, box):
    server = serve(box, "workers = 2\n")
    heir = an_heir_that_hangs(server)
    server.stop()
    wait_until(lambda: not alive(heir))


def test_two_at_a_time_are_one(serve, box):
    server = serve(box)
    results = []

    def restart():
        try:
            server.ctl("restart")
            results.append("did")
        except AssertionError as e:
            results.append(str(e))
    both = [threading.Thread(target=restart) for _ in range(2)]
    for t in both:
        t.start()
    for t in both:
        t.join()
    server.became()
    assert "did" in results, results


# ---- many clients ----

class Load:
    """Clients that come all the time: a connection, greeting, sign-in, STAT,
    RETR, QUIT.  What any of them does not get is an error."""

    def __init__(self, server, people, content, threads=4):
        self.server, self.content = server, content
        self.errors, self.done, self.resumed = [], 0, 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(name, n % 2))
                        for n, name in zip(range(threads),
                                           itertools.cycle(people))]
        for t in self.threads:
            t.start()

    def run(self, name, tls):
        context = pop3.context()
        session = None
        while not self.over.is_set():
            try:
                session = self.one(name, context if tls else None, session)
                self.done += 1
            except (OSError, AssertionError, pop3.Closed) as e:
                self.errors.append(repr(e))

    def one(self, name, context, session):
        port = self.server.tls_port if context else self.server.port
        with pop3.Pop3(port, context, session=session) as p:
            assert p.greeting.startswith(b"+OK")
            if context:
                self.resumed += p.sock.session_reused
            p.login(name)
            assert p.stat()[0] == len(self.content)
            assert p.retr(1) == self.content[0]
            session = p.sock.session if context else None
            p.quit()
            return session

    def more(self, count=10):
        """Waits until so many more have been served."""
        enough = self.done + count
        wait_until(lambda: self.done >= enough or self.errors, 60)
        assert not self.errors, self.errors

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join()
        assert not self.errors, self.errors


@pytest.fixture
def load(place):
    """load(server): clients of the people in load.users."""
    mails = drop.make(3, 9)
    started = []

    def start(server):
        started.append(Load(server, [name for name, _, _ in start.users],
                            [drop.wire(m.stored) for m in mails]))
        return started[-1]

    # One for each thread: a maildrop is one client's.
    start.users = [("user%d" % i, "secret",
                    place.maildir(mails, "drop%d" % i)) for i in range(4)]
    yield start
    for one in started:
        one.over.set()
        for t in one.threads:
            t.join()


def restarts(server, load, count):
    clients = load(server)
    clients.more()
    for i in range(count):
        # Fewer workers, more workers: each socket is somebody's.
        workers = (3, 1, 2)[i % 3]
        configure(server, lambda text, n=workers: re.sub(
            r"(?m)^workers = \d+$", "workers = %d" % n, text))
        shown = server.restart()
        assert sum(p["role"] == "worker"
                   for p in shown["processes"]) == workers
        clients.more()
    clients.end()
    assert clients.resumed > 0
    for pid in server.elders:
        wait_until(lambda pid=pid: server.has_ended(pid) is not None)
        assert server.has_ended(pid) == 0


def test_nobody_is_refused(serve, load):
    server = serve(load.users, "workers = 2\n")
    restarts(server, load, 2)


@pytest.mark.slow
def test_nobody_is_refused_ten_times(serve, load):
    server = serve(load.users, "workers = 2\n")
    restarts(server, load, 10)


def test_another_build(serve, load, tmp_path):
    path = a_copy(str(tmp_path / "maloted"))
    server = serve(load.users, env={"MALOTED": path})
    with open(path, "rb") as f:
        octets = f.read()
    clients = load(server)
    for n in range(3):
        build = octets + b"build %d" % n  # behind what is loaded
        replace(path, build)
        server.restart()
        for pid in (server.pid, *server.roles()):
            with open("/proc/%d/exe" % pid, "rb") as f:
                assert f.read() == build
        clients.more()
    clients.end()


def test_a_ticket_is_good_afterwards(serve, connect, box):
    server = serve(box)
    context = pop3.context()
    first = connect(server.tls_port, context)
    first.multi("CAPA")
    session = first.sock.session
    first.quit()
    server.restart()
    assert connect(server.tls_port, context,
                   session=session).sock.session_reused


# ---- other sockets ----

def test_mail_servers_are_answered(serve, box, place):
    """The socket of a block sasl: the same one, by either of the two."""
    at = place.path + "/auth"
    server = serve(box, 'sasl "postfix" {\n\tsocket = "%s"\n'
                   '\tmode = "0666"\n\tplaintext_login = yes\n}\n' % at)

    def greeted(s):
        got = b""
        while b"DONE\n" not in got:
            more = s.recv(4096)
            assert more, got
            got += more
        return s
    number = os.stat(at).st_ino
    with socket.socket(socket.AF_UNIX) as old, \
            socket.socket(socket.AF_UNIX) as new:
        old.settimeout(20)
        new.settimeout(20)
        old.connect(at)
        greeted(old)
        server.restart()
        assert os.stat(at).st_ino == number
        new.connect(at)
        greeted(new)
    assert os.path.exists(server.control)


LOCAL = 'workers = 2\nlistener "local" {\n\tsocket = "%s"\n\ttls = "none"\n}\n'


def test_unix_socket(serve, box, place):
    """A listener's: the same one, and the last of them removes it."""
    at = place.path + "/pop3"
    server = serve(box, LOCAL % at)
    number = os.stat(at).st_ino
    session = pop3.Local(at)
    session.login()
    for _ in range(2):
        server.restart()
        assert os.stat(at).st_ino == number
        for new in [pop3.Local(at) for _ in range(10)]:
            new.quit()
    assert session.retr(1)
    session.quit()
    server.stop()
    assert not os.path.exists(at)


def test_sockets_that_go(serve, login, box, tmp_path):
    """Their files are removed when another one takes over whose settings have them
    no more, and no sooner: it may turn out that it cannot."""
    paths = [str(tmp_path / name) for name in
             ("pop3", "asked", "monitors", "control")]
    more = ('listener "local" {\n\tsocket = "%s"\n\ttls = "none"\n}\n'
            'sasl "x" {\n\tsocket = "%s"\n}\nmetrics = "unix:%s"\n'
            % tuple(paths[:3]))
    server = serve(box, 'control_socket = "%s"\n' % paths[3] + more)
    with open(server.ctl_conf, "w") as f:
        f.write('control_socket = "%s"\n' % paths[3])
    other = server.tmp + "/run/control"
    configure(server, lambda text: text.replace(more, "").replace(
        paths[3], other) + "nonsense = 1\n")
    server.ctl("restart", code=EX_CONFIG)
    assert all(map(os.path.exists, paths))
    configure(server, lambda text: text.replace("nonsense = 1\n", ""))
    server.ctl("restart")
    with open(server.ctl_conf, "w") as f:
        f.write('control_socket = "%s"\n' % other)
    server.became()
    assert not any(map(os.path.exists, paths))
    login(server).quit()


@pytest.fixture
def activated(tmp_path):
    """activated(ports): options for `serve`, for a maloted that is started with
    listening sockets as systemd has them for a unit.  They are there whether it
    runs or not.  What is no number is the path of a Unix socket."""
    sockets = []

    def make(*ports):
        for port in ports:
            local = isinstance(port, str)
            s = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(port if local else ("127.0.0.1", port))
            s.listen(100)
            sockets.append(s)
        fds = [s.fileno() for s in sockets]
        program = tmp_path / "activate"
        program.write_text("""#!/usr/bin/python3
import fcntl, os, sys
fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in %r]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(%r, [%r, *sys.argv[1:]])
""" % (fds, MALOTED, MALOTED))
        program.chmod(0o755)
        return {"env": {"MALOTED": str(program)}, "pass_fds": fds}
    yield make
    for s in sockets:
        s.close()


def test_sockets_of_systemd(serve, login, connect, box, activated):
    port = free_port()
    listener = ('listener "socket" {\n\taddress = {"127.0.0.1"}\n'
                "\tport = %d\n\tplaintext_login = yes\n}\n" % port)
    more = activated(port)
    waiting = connect(port, greeting=False)
    server = serve(box, "workers = 2\n" + listener, **more)
    assert waiting.line().startswith(b"+OK")
    # Between two that are started one after the other nobody is refused.
    server.stop()
    waiting = connect(port, greeting=False)
    server = serve(box, "workers = 2\n" + listener, **more)
    assert waiting.line().startswith(b"+OK")
    waiting.login()
    server.restart()
    connect(port)
    waiting.quit()
    server.stop()
    waiting = connect(port, greeting=False)
    serve(box, listener, **more)
    assert waiting.line().startswith(b"+OK")


def test_unix_socket_of_systemd(serve, box, place, activated):
    at = place.path + "/pop3"
    more = activated(at)
    for _ in range(2):
        waiting = pop3.Local(at, greeting=False)
        server = serve(box, LOCAL % at, **more)
        assert waiting.line().startswith(b"+OK")
        waiting.login()
        waiting.quit()
        server.stop()


def test_a_socket_of_no_listener(serve, box, connect, activated):
    port = free_port()
    server = serve(box, **activated(port))
    assert "port %d" % port in server.await_event("listen", 4)[-1]["at"]


@pytest.mark.parametrize("number", ["1000000000", "-1", "three"])
def test_sockets_without_number(serve, box, tmp_path, number):
    """Who says that there are more than there can be is told so."""
    program = tmp_path / "activate"
    program.write_text('#!/bin/sh\nLISTEN_PID=$$ LISTEN_FDS="%s" exec "%s" "$@"\n'
                       % (number, MALOTED))
    program.chmod(0o755)
    with pytest.raises(AssertionError, match='LISTEN_FDS is .*%s' % number):
        serve(box, env={"MALOTED": str(program)})


def test_an_index_of_another_version(serve, login, box):
    """What another build has left there is read if it is known, or made anew,
    with the same unique-ids."""
    server = serve(box)
    with login(server) as session:
        ids = session.uidl()
        session.quit()
    server.restart()
    path = box + "/malote.index"
    with open(path, "rb") as f:
        octets = f.read()
    for known in (b"MALOTEI", b"MALOTET"):
        at = octets.index(known) + len(known)
        octets = octets.replace(octets[at - 7:at + 1], known + b"9")
    octets = bytearray(octets)
    index.mend_trailer(octets, len(octets) - index.TRAILER)
    with open(path, "wb") as f:
        f.write(octets)
    with login(server) as session:
        assert session.uidl() == ids
        session.quit()
    with open(path, "rb") as f:
        assert b"MALOTEI9" not in f.read()


# ---- beside a reload ----

@pytest.mark.parametrize("first", [control.RELOAD, control.RESTART])
def test_beside_a_reload(serve, box, connect, first):
    """Asked for in one moment: one of the two is told to ask again, whichever comes
    first.  The other maloted gets the sockets of settings that hold."""
    server = serve(box)
    second = {control.RELOAD, control.RESTART}.difference({first}).pop()
    asked = {kind: control.dial(server.control) for kind in (first, second)}
    server.ctl("status")  # both have been accepted
    server.signal(signal.SIGSTOP)
    for kind, s in asked.items():
        s.send(control.message(kind))
    server.signal(signal.SIGCONT)
    said = {kind: struct.unpack_from("=I", control.receive(s, control.DONE))[0]
            for kind, s in asked.items()}
    assert sorted(said.values()) == [control.GOOD, control.LATER]
    if said[control.RESTART] == control.GOOD:
        server.became()
    assert connect(server.port).greeting.startswith(b"+OK")
    for s in asked.values():
        s.close()
