"""malotectl and the server that runs, over the control socket: who may, what
is said, and what strangers at either end of it can do."""
import json
import os
import pty
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest

import control
import drop
import pop3
from server import CTL, PATIENCE, wait_until

pytestmark = [pytest.mark.core, pytest.mark.ours]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root gives to others")

EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_IOERR = 65, 67, 69, 74
EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 75, 77, 78
GROUP, STRANGER = 64123, 64124


@pytest.fixture
def box(place):
    return place.maildir(drop.make(5, 4))


@pytest.fixture
def server(serve, box):
    return serve(box)


def status(server):
    return json.loads(server.ctl("status", "--json"))


def shown(server, user="user"):
    return json.loads(server.ctl("uidl", "show", user, "--json"))


def start(server, *words):
    """malotectl in the background."""
    return subprocess.Popen([CTL, "--config", server.ctl_conf, *words],
                            stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(process, code):
    out, err = process.communicate(timeout=90 * PATIENCE)
    assert process.returncode == code, (out, err)
    return out if code == 0 else err


# ---- who may ----

def try_as(server, code, *words, **who):
    """What another user gets, whose program lies where it can be run."""
    mine = server.tmp + "/malotectl"
    if not os.path.exists(mine):
        shutil.copy(CTL, mine)
        os.chmod(mine, 0o755)
        os.chmod(server.ctl_conf, 0o644)
    run = subprocess.run([mine, "--config", server.ctl_conf, "status", *words],
                         capture_output=True, text=True, check=False,
                         timeout=60 * PATIENCE, **who)
    assert run.returncode == code, run
    return run


@as_root
def test_only_root(server):
    st = os.stat(server.control)
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_gid == 0
    told = try_as(server, EX_NOPERM, user=STRANGER, group=STRANGER,
                  extra_groups=[])
    assert "control_group" in told.stderr


@as_root
def test_who_connects_is_looked_at(server):
    """A mode that somebody has loosened lets nobody in."""
    os.chmod(server.control, 0o666)
    try_as(server, EX_UNAVAILABLE, user=STRANGER, group=STRANGER,
           extra_groups=[0])
    refused = server.await_event("control")[0]
    assert refused["refused"] == "yes" and refused["uid"] == str(STRANGER)
    assert status(server)["running"]


@as_root
@pytest.mark.parametrize("open_to_all", [False, True])
def test_the_group(serve, box, open_to_all):
    server = serve(box, 'control_group = "%d"\n' % GROUP)
    st = os.stat(server.control)
    assert stat.S_IMODE(st.st_mode) == 0o660 and st.st_gid == GROUP
    if open_to_all:
        os.chmod(server.control, 0o666)
    for who in ({"group": GROUP, "extra_groups": []},
                {"group": STRANGER, "extra_groups": [7, GROUP]}):
        assert "serving" in try_as(server, 0, user=STRANGER, **who).stdout
    try_as(server, EX_UNAVAILABLE if open_to_all else EX_NOPERM,
           user=STRANGER, group=STRANGER, extra_groups=[7, 8])


@as_root
def test_started_by_a_user(place, serve):
    """Who starts maloted may ask it; it says what is not kept apart.  Root is
    let in, but does not believe it."""
    box = place.maildir(drop.make(5, 2))
    server = serve([("user", "secret", box)], become=place.owner)
    assert os.stat(server.control).st_uid == place.owner[0]
    told = try_as(server, 0, "--json", user=place.owner[0],
                  group=place.owner[1], extra_groups=[])
    assert any("not started as root" in words
               for words in json.loads(told.stdout)["unconfined"])
    server.ctl("status", code=EX_NOPERM)
    with control.dial(server.control) as s:
        s.send(control.message(control.STATUS))
        assert control.receive(s, control.DONE)


# ---- the socket ----

def test_what_was_left_behind(serve, box):
    first = serve(box)
    path = first.control
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait(20)
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert "not running" in first.ctl("status", code=EX_UNAVAILABLE)
    second = serve(box, 'control_socket = "%s"\n' % path)
    assert json.loads(first.ctl("status", "--json"))["pid"] == second.pid
    second.stop()
    assert not os.path.exists(path)


def test_another_server_keeps_its_own(serve, server, box):
    """It serves, but without a control socket, and says so."""
    other = serve(box, 'control_socket = "%s"\n' % server.control)
    assert "stop it" in other.await_event("control")[0]["error"]
    assert status(server)["pid"] == server.pid
    other.stop()
    assert status(server)["pid"] == server.pid


def test_what_somebody_else_has_put_there_stays(server):
    """At the end only what is its own is removed."""
    os.unlink(server.control)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(server.control)
        server.stop()
        assert stat.S_ISSOCK(os.stat(server.control).st_mode)
    os.unlink(server.control)


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_STREAM])
def test_a_socket_in_use_stays(serve, box, place, kind):
    """Also one that has no time to answer, or is another program's."""
    path = place.path + "/busy"
    with socket.socket(socket.AF_UNIX, kind) as busy:
        busy.bind(path)
        busy.listen(0)
        waiting = []
        with pytest.raises(BlockingIOError):
            while True:
                waiting.append(socket.socket(socket.AF_UNIX, kind))
                waiting[-1].setblocking(False)
                waiting[-1].connect(path)
        before = os.stat(path).st_ino
        serve(box, 'control_socket = "%s"\n' % path).await_event("control")
        assert os.stat(path).st_ino == before
        for s in waiting:
            s.close()


def test_a_file_stays(serve, box, place):
    path = place.path + "/precious"
    with open(path, "w") as f:
        f.write("x")
    os.chmod(path, 0o666)  # whoever we are in that folder, we could
    server = serve(box, 'control_socket = "%s"\n' % path)
    assert "remove it" in server.await_event("control")[0]["error"]
    with open(path) as f:
        assert f.read() == "x"


def test_none(serve, box, login):
    server = serve(box, 'control_socket = ""\n')
    login(server).quit()
    assert not os.path.exists(server.control)


# ---- status ----

def test_status(server, login):
    session = login(server)
    told = status(server)
    assert told["running"] is True and told["phase"] == "serving"
    assert told["pid"] == server.pid
    assert abs(told["since"] - time.time()) < 60 * PATIENCE
    assert {p["pid"] for p in told["processes"]} == set(server.roles())
    for p in told["processes"]:
        assert p["state"] == "serving"
        assert os.stat("/proc/%d" % p["pid"]).st_uid in (p["uid"], 0)
    workers = [p for p in told["processes"] if p["role"] == "worker"]
    assert sum(p["sessions"] for p in workers) == 1
    assert {at["at"] for at in told["listeners"]} == {
        "127.0.0.1:%d" % port
        for port in (server.port, server.tls_port, server.refuse_port)}
    assert [r["served"] for r in told["mail_roots"]] == [True]
    text = server.ctl("status")
    for p in told["processes"]:
        assert str(p["pid"]) in text.split()
    assert "127.0.0.1:%d" % server.port in text
    session.quit()
    wait_until(lambda: not any(p["sessions"] for p in
                               status(server)["processes"]
                               if p["role"] == "worker"))


def test_one_that_does_not_answer(server):
    """It is said so, and the others are shown."""
    stuck, *_ = server.roles("auth")
    os.kill(stuck, signal.SIGSTOP)
    try:
        told = {p["pid"]: p for p in status(server)["processes"]}
        assert told[stuck]["sessions"] is None
        assert all(p["sessions"] is not None
                   for pid, p in told.items() if pid != stuck)
        assert "?" in server.ctl("status").split()
    finally:
        os.kill(stuck, signal.SIGCONT)
    wait_until(lambda: all(p["sessions"] is not None
                           for p in status(server)["processes"]))


def test_not_running(server):
    server.stop()
    assert "not running" in server.ctl("status", code=EX_UNAVAILABLE)
    run = subprocess.run([CTL, "--config", server.ctl_conf, "status",
                          "--json"], capture_output=True, check=False)
    assert run.returncode == EX_UNAVAILABLE
    assert json.loads(run.stdout)["running"] is False


def test_users_need_no_server(server, tmp_path):
    server.stop()
    conf = tmp_path / "conf"
    conf.write_text('users = "%s/users"\ncontrol_socket = "/nowhere/x"\n'
                    % tmp_path)
    run = subprocess.run([CTL, "--config", str(conf), "user", "list"],
                         capture_output=True, check=False)
    assert b"does not exist" in run.stderr and run.returncode == EX_IOERR


# ---- uidl ----

LIST = "3 V1700000000 N9 G0123456789abcdef0123456789abcdef\n"


def with_list(place, box):
    """dovecot-uidlist of what is in cur and new."""
    names = sorted(os.listdir(box + "/new") + os.listdir(box + "/cur"))
    with open(box + "/dovecot-uidlist", "w") as f:
        f.write(LIST)
        for n, name in enumerate(names, 1):
            f.write("%d :%s\n" % (n, name.split(":")[0]))
    if place.owner:
        os.chown(box + "/dovecot-uidlist", *place.owner)


def uidls(login, server):
    session = login(server)
    seen = sorted(session.uidl().values())
    session.quit()
    return seen


def test_show(place, serve, box, login):
    server = serve(box)
    told = shown(server)
    assert told["decided"] == "" and told["messages"] is None
    assert "nothing is decided" in server.ctl("uidl", "show", "user")
    login(server).quit()
    told = shown(server)
    assert told["decided"] == "filename" and told["setting"] == "auto"
    assert told["messages"] == 4 and told["written"] == 0
    with_list(place, box)
    place.add(box, drop.make(6, 1))
    login(server).quit()
    told = shown(server)
    assert told["ignored"] == "dovecot-uidlist" and told["messages"] == 5
    assert "dovecot-uidlist, which came later" in server.ctl(
        "uidl", "show", "user")


def test_show_while_in_use(server, login):
    session = login(server)
    assert shown(server)["messages"] == 4
    assert session.stat()[0] == 4


def test_forget(place, serve, box, login):
    """The log names the command, and it does what it is said to do: a list
    that came too late is taken."""
    server = serve(box)
    by_name = uidls(login, server)
    decided, = server.events("uidl-decided")
    assert decided["undo"] == "malotectl uidl forget user"
    with_list(place, box)
    assert uidls(login, server) == by_name
    server.ctl("uidl", "forget", "user", "--yes")
    assert shown(server)["decided"] == ""
    assert os.path.exists(box + "/malote-uidl.old")
    logged = server.events("control")
    assert [e["command"] for e in logged] == ["uidl forget"]
    assert logged[0]["about"] == "user" and logged[0]["uid"] == "%d" % os.getuid()
    assert uidls(login, server) == ["%08x6553f100" % n for n in range(1, 5)]
    told = shown(server)
    assert told["decided"] == "dovecot" and told["written"] == 4
    assert "from dovecot-uidlist" in server.ctl("uidl", "show", "user")


def test_the_command_can_be_copied(serve, box, login):
    """Of any name: the log's words are given to a shell."""
    names = ["jos\u00e9", "o'brien", "a$(b)c", "dom\\u", "user"]
    server = serve([(name, "secret", box) for name in names],
                   "login_characters = \"'$()\\\\\"\n")
    for n, name in enumerate(names, 1):
        login(server, name, "secret").quit()
        decided = server.await_event("uidl-decided", n)[-1]
        words = subprocess.run(
            ["bash", "-c", "printf '%s\\n' " + decided["undo"]],
            capture_output=True, check=True).stdout.decode().splitlines()
        assert words == ["malotectl", "uidl", "forget", name]
        server.ctl(*words[1:], "--yes")
        assert shown(server, name)["decided"] == ""


@pytest.mark.parametrize("sessions", ["exclusive", "shared"])
def test_forget_in_use(serve, box, login, sessions):
    server = serve(box, 'sessions = "%s"\n' % sessions)
    session = login(server)
    before = sorted(os.listdir(box))
    said = server.ctl("uidl", "forget", "user", "--yes", code=EX_TEMPFAIL)
    assert "in use" in said
    assert sorted(os.listdir(box)) == before
    assert session.stat()[0] == 4
    session.quit()
    server.ctl("uidl", "forget", "user", "--yes")


def test_forget_in_use_elsewhere(serve, box, login):
    """By another process, which only the lock tells of."""
    other = serve(box)
    server = serve(box)
    session = login(other)
    assert "open since" in server.ctl(
        "uidl", "forget", "user", "--yes", code=EX_TEMPFAIL)
    assert os.path.exists(box + "/malote.index")
    session.quit()


def test_forget_asks(server, box, login):
    login(server).quit()
    said = server.ctl("uidl", "forget", "user", code=EX_DATAERR)
    assert "--yes" in said and os.path.exists(box + "/malote.index")
    for typed, code in ((b"n\n", EX_DATAERR), (b"y\n", 0)):
        master, slave = pty.openpty()
        os.write(master, typed)
        server.ctl("uidl", "forget", "user", code=code, stdin=slave)
        os.close(master)
        os.close(slave)
        assert os.path.exists(box + "/malote.index") == (code != 0)


def test_no_such_user(server):
    for name in ("nobody-here", "a b", "\N{NO-BREAK SPACE}", "x" * 300):
        server.ctl("uidl", "show", name, code=EX_NOUSER)
    server.ctl("uidl", "show", "x" * 5000, code=EX_DATAERR)


def test_a_long_name_is_nobodys(server):
    """It is longer than any name, and ends nothing but the question."""
    auth = server.roles("auth")
    server.ctl("uidl", "show", "a" * 4000, code=EX_NOUSER)
    assert server.roles("auth") == auth


def test_name_by_the_rule(server):
    assert shown(server, "USER")["setting"] == "auto"


def test_no_maildrop(serve, place):
    server = serve(place.path + "/none/Maildir")
    said = server.ctl("uidl", "show", "user", code=EX_CONFIG)
    assert "No such file" in said
    assert not os.path.exists(place.path + "/none")


# ---- root accept ----

@pytest.fixture
def lost_root(place, serve):
    """A server whose mail root had a marker and has none."""
    root = place.path + "/mail"
    os.mkdir(root)
    if place.owner:
        os.chown(root, *place.owner)
    box = place.maildir(drop.make(5, 3), "mail/Maildir")
    env = {"STATE_DIRECTORY": place.path + "/state"}
    serve(box, env=env).stop()
    os.unlink(root + "/.malote-root")
    server = serve(box, env=env)
    server.root = root
    return server


def test_root_accept(lost_root, connect):
    server = lost_root
    assert [r["served"] for r in status(server)["mail_roots"]] == [False]
    assert "NOT SERVED" in server.ctl("status")
    assert "root accept" in server.events("mail-root")[-1]["error"]
    assert "not mounted" in server.ctl("uidl", "show", "user",
                                       code=EX_TEMPFAIL)
    server.ctl("root", "accept", server.root + "x", code=EX_CONFIG)
    server.ctl("root", "accept", "/", code=EX_CONFIG)
    assert not os.path.exists(server.root + "/.malote-root")
    assert not os.path.exists("/.malote-root")
    assert server.root in server.ctl("root", "accept", server.root + "//")
    assert os.path.exists(server.root + "/.malote-root")

    def served():
        session = connect(server.port)
        session.ok("USER user")
        line = session.command("PASS secret")
        session.close()
        return line.startswith(b"+OK")
    wait_until(served, 20)
    assert [r["served"] for r in status(server)["mail_roots"]] == [True]
    assert "already" in server.ctl("root", "accept", code=EX_CONFIG)


def test_root_accept_without_its_name(lost_root):
    lost_root.ctl("root", "accept")
    assert os.path.exists(lost_root.root + "/.malote-root")


def test_root_that_is_not_there(lost_root):
    os.rename(lost_root.root, lost_root.root + ".away")
    lost_root.ctl("root", "accept", code=EX_CONFIG)
    assert not os.path.exists(lost_root.root)


# ---- clients that misbehave ----

NONSENSE = [
    b"x", struct.pack("=H", control.STATUS)[:1],
    control.message(control.STATUS, b"x"),
    control.message(control.UIDL_SHOW, struct.pack("=I", 9), b"half"),
    control.message(control.UIDL_SHOW, control.text("a\0b")),
    control.message(control.UIDL_FORGET, control.text("x" * 4096)),
    control.message(control.DONE, control.done(0)),
    control.message(0), control.message(999),
    control.message(control.STATUS) + b"\0" * 90000,
]


@pytest.mark.parametrize("octets", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense(server, octets):
    s = control.dial(server.control)
    s.send(octets)
    assert control.is_over(s)
    assert status(server)["running"]


def test_one_command_only(server):
    """The second is no command: it ends the connection, and is not done."""
    s = control.dial(server.control)
    s.send(control.message(control.UIDL_SHOW, control.text("user")))
    s.send(control.message(control.ROOT_ACCEPT, control.text("")))
    wait_until(lambda: control.is_over(s))
    assert server.events("control") == []
    assert status(server)["running"]


def test_descriptors(server):
    s = control.dial(server.control)
    socket.send_fds(s, [control.message(control.STATUS)], [0])
    assert control.is_over(s)
    before = len(os.listdir("/proc/%d/fd" % server.pid))
    for _ in range(20):
        s = control.dial(server.control)
        socket.send_fds(s, [b"\1\0"], [0] * 30)
        assert control.is_over(s)
    wait_until(
        lambda: len(os.listdir("/proc/%d/fd" % server.pid)) <= before)


def test_silent(server):
    """It has some seconds."""
    s = control.dial(server.control, 30 * PATIENCE)
    assert status(server)["running"]
    assert control.is_over(s)


@pytest.mark.slow
def test_stays(server):
    """One that has been answered does not keep its place for ever."""
    s = control.dial(server.control, 90 * PATIENCE)
    s.send(control.message(control.STATUS))
    control.receive(s, control.DONE)
    assert control.is_over(s)


def test_does_not_read(server, login):
    """Its answers fill its own queue, and nobody waits for it."""
    waiting = []
    for _ in range(15):
        s = control.dial(server.control)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        s.send(control.message(control.STATUS))
        waiting.append(s)
    login(server).quit()
    assert status(server)["running"]
    assert {p["pid"] for p in status(server)["processes"]} == \
        set(server.roles())
    for s in waiting:
        s.close()


def test_all_places_taken(server):
    """By those who have said a command and wait: a newcomer is sent away, and
    told so; when one of them goes it is served."""
    auth, = server.roles("auth")
    os.kill(auth, signal.SIGSTOP)
    waiting = []
    try:
        for _ in range(16):
            s = control.dial(server.control)
            s.send(control.message(control.UIDL_SHOW, control.text("user")))
            waiting.append(s)
        server.ctl("status", code=EX_UNAVAILABLE)
        waiting.pop().close()
        wait_until(lambda: subprocess.run(
            [CTL, "--config", server.ctl_conf, "status"], check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0)
    finally:
        os.kill(auth, signal.SIGCONT)
        for s in waiting:
            s.close()


class dialing_as:
    """Within it, who connects is that user, of the group."""

    def __init__(self, uid):
        self.uid = uid

    def __enter__(self):
        os.setegid(GROUP)
        os.seteuid(self.uid)

    def __exit__(self, *_):
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def crowd(serve, box):
    """crowd(uid, n, commands): connections of that user to a server of whose
    places each is taken, and that it keeps by an answer that it does not read."""
    held = []
    server = serve(box, 'control_group = "%d"\n' % GROUP)
    os.chmod(os.path.dirname(server.control), 0o755)

    def dial(uid, n, ask=True):
        with dialing_as(uid):
            mine = [control.dial(server.control) for _ in range(n)]
        held.extend(mine)
        for s in mine:
            if ask:
                s.send(control.message(control.STATUS))
                control.receive(s, control.DONE)
        return mine
    dial.server = server
    yield dial
    for s in held:
        s.close()


def ended(connections):
    """How many were sent away; one that was is, before another is let in."""
    number = 0
    for s in connections:
        s.setblocking(False)
        try:
            number += control.is_over(s)
        except BlockingIOError:
            pass
    return number


@as_root
def test_root_gets_in(crowd):
    """Whatever the members of the group hold: the one with most goes."""
    few, many = crowd(STRANGER, 6), crowd(STRANGER + 1, 10)
    root = []
    for n in range(1, 4):
        root += crowd(0, 1)
        assert ended(many) == n and ended(few) == 0
    assert status(crowd.server)["running"]
    root += crowd(0, 5)
    crowd(STRANGER + 2, 1)
    assert ended(root) == 0


@as_root
def test_fair_shares(crowd):
    """A member has no place of another who has no more than one more, and none
    of root's; what has said nothing yet goes first."""
    root, many = crowd(0, 3), crowd(STRANGER, 13)
    few = crowd(STRANGER + 1, 6)
    assert ended(many) == 6 and ended(few) == 0
    late, = crowd(STRANGER + 1, 1, ask=False)
    assert control.is_over(late)
    fds = "/proc/%d/fd" % crowd.server.pid
    before = len(os.listdir(fds))
    few.pop().close()
    wait_until(lambda: len(os.listdir(fds)) < before)
    silent = crowd(STRANGER, 1, ask=False)
    few += crowd(STRANGER + 1, 1)
    assert ended(silent) == 1
    assert ended(many) == 6 and ended(few) == 0 and ended(root) == 0


def test_flood(server, login):
    """1000 connections that say nothing: what is asked meanwhile is answered,
    mail is served, and no more than a few descriptors are held."""
    login(server).quit()
    before = len(os.listdir("/proc/%d/fd" % server.pid))
    held = []
    for n in range(1000):
        s = control.dial(server.control)
        held.append(s)
        if n % 250 == 249:
            assert status(server)["running"]
            login(server).quit()
    assert len(os.listdir("/proc/%d/fd" % server.pid)) <= before + 20
    for s in held:
        s.close()
    wait_until(
        lambda: len(os.listdir("/proc/%d/fd" % server.pid)) <= before + 1)


def test_ends_with_clients(server):
    s = control.dial(server.control)
    server.stop()
    assert control.is_over(s)


# ---- processes that misbehave ----

class Stopped:
    """A process in whose name the test speaks."""

    def __init__(self, pid):
        self.pid = pid
        os.kill(pid, signal.SIGSTOP)
        self.channel = control.channel_of(pid)

    def __enter__(self):
        return self.channel

    def __exit__(self, *_):
        self.channel.close()
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def await_auth(server):
    """Until it serves, and has its stores."""
    wait_until(lambda: [p for p in status(server)["processes"]
                        if p["role"] == "auth" and p["state"] == "serving"])


ESCAPES = "\x1b[2J\x1b]0;owned\x07\n\u202e"


def is_clean(words):
    return not any(ord(c) < 32 and c != "\n" or ord(c) in (0x7f, 0x202e)
                   for c in words)


def forged(store, mail, outcome=control.GOOD):
    return struct.pack("=BH", outcome, store) + control.text(mail)


@as_root
@pytest.mark.parametrize("mail", ["maildir:/etc", "maildir:/", "/../etc",
                                  "maildir:%s/../x", ""])
def test_auth_names_another_place(server, place, mail):
    """The store takes none that is not below the mail root."""
    auth, = server.roles("auth")
    login_first = shown(server)  # so that the store is running
    assert login_first
    with Stopped(auth) as channel:
        asked = start(server, "uidl", "forget", "user", "--yes")
        token = control.receive(channel, control.WHERE)[:8]
        channel.send(control.message(control.WHERE_IS, token, forged(
            0, mail.replace("%s", place.path))))
        assert "below mail_root" in end(asked, EX_CONFIG)


@as_root
def test_auth_says_other_things(server):
    auth, = server.roles("auth")
    shown(server)
    with Stopped(auth) as channel:
        # No such store; and what is said twice, or unasked, is not heard.
        asked = start(server, "uidl", "show", "user")
        token = control.receive(channel, control.WHERE)[:8]
        other = bytes(8)
        for who, what in ((other, forged(0, "x", control.CANNOT)),
                          (token, forged(999, "maildir:/x")),
                          (token, forged(0, "maildir:/x"))):
            channel.send(control.message(control.WHERE_IS, who, what))
        assert "ended" in end(asked, EX_TEMPFAIL)
        asked = start(server, "uidl", "show", "user")
        token = control.receive(channel, control.WHERE)[:8]
        channel.send(control.message(control.WHERE_IS, token, forged(
            0, ESCAPES, control.CANNOT)))
        said = end(asked, EX_CONFIG)
        assert is_clean(said) and "owned" in said and said.count("\n") == 1
    assert auth in server.roles("auth")


@as_root
def test_auth_ends_while_it_is_asked(server):
    auth, = server.roles("auth")
    with Stopped(auth) as channel:
        asked = start(server, "uidl", "show", "user")
        control.receive(channel, control.WHERE)
        os.kill(auth, signal.SIGKILL)
        channel.close()
        assert "ended" in end(asked, EX_TEMPFAIL)
    await_auth(server)
    assert shown(server)


@as_root
def test_auth_breaks_the_rules(server):
    """Only its own channel is lost by it."""
    auth, = server.roles("auth")
    with Stopped(auth) as channel:
        channel.send(control.message(control.WHERE_IS, bytes(8),
                                     forged(0, "x", 77)))
        server.await_event("misbehaved")
    wait_until(lambda: server.roles("auth") not in ([], [auth]))
    await_auth(server)
    assert shown(server)


@as_root
@pytest.mark.parametrize("form", ["--json", None])
def test_store_says_bad_words(server, form):
    shown(server)
    store, = server.roles("store")
    with Stopped(store) as channel:
        asked = start(server, "uidl", "show", "user", *([form] * bool(form)))
        token = control.receive(channel, control.ASK_UIDL)[:8]
        words = ESCAPES[:20]
        channel.send(control.message(
            control.UIDL_IS, token,
            control.uidl(words, words, words, words, 4294967295),
            control.done(control.GOOD, words)))
        said = end(asked, 0)
        assert is_clean(said)
        if form:
            told = json.loads(said)
            assert told["decided"] == words and told["messages"] == 4294967295


@as_root
@pytest.mark.parametrize("form", ["--json", None])
def test_store_says_what_is_no_text(server, form):
    shown(server)
    store, = server.roles("store")
    with Stopped(store) as channel:
        asked = start(server, "uidl", "show", "user", *([form] * bool(form)))
        token = control.receive(channel, control.ASK_UIDL)[:8]
        bad = b"\xff\xfe\x9b31m"
        channel.send(control.message(
            control.UIDL_IS, token, control.uidl(bad, bad, bad, bad),
            control.done(control.GOOD)))
        said = end(asked, 0)
        assert said.isascii() and is_clean(said)
        assert not form or "xff" in json.loads(said)["decided"]


POOL = 'mail_user = "%d"\nmail_group = "%d"\nstore_processes = 2\n'


@as_root
def test_another_store_is_not_heard(serve, place, box):
    """Only the one that was asked; its answer is the one that counts."""
    server = serve(box, POOL % place.owner)
    processes = [p for p in status(server)["processes"]
                 if p["role"] == "store"]
    channels = {p["index"]: Stopped(p["pid"]) for p in processes}
    try:
        asked = start(server, "uidl", "show", "user")
        mine = None
        while mine is None:
            for index, stopped in channels.items():
                stopped.channel.settimeout(0.1)
                try:
                    token = control.receive(stopped.channel,
                                            control.ASK_UIDL)[:8]
                    mine = index
                    break
                except TimeoutError:
                    pass
        for index in sorted(channels, key=lambda i: i == mine):
            channels[index].channel.send(control.message(
                control.UIDL_IS, token, control.uidl("store-%d" % index),
                control.done(control.GOOD)))
            if index != mine:
                # It has been read when a message behind it is.
                status(server)
        assert "decided:    store-%d\n" % mine in end(asked, 0)
    finally:
        for stopped in channels.values():
            stopped.__exit__()


@as_root
def test_store_ends_while_it_is_asked(server):
    shown(server)
    store, = server.roles("store")
    with Stopped(store) as channel:
        asked = start(server, "uidl", "forget", "user", "--yes")
        control.receive(channel, control.ASK_UIDL)
        os.kill(store, signal.SIGKILL)
        channel.close()
        assert "ended" in end(asked, EX_TEMPFAIL)


@as_root
def test_auth_sends_the_order_around(serve, place, box):
    """To one store only, the first that it names."""
    server = serve(box, POOL % place.owner)
    stores = [Stopped(p["pid"]) for p in sorted(
        (p for p in status(server)["processes"] if p["role"] == "store"),
        key=lambda p: p["index"])]
    auth, = server.roles("auth")
    try:
        with Stopped(auth) as channel:
            asked = start(server, "uidl", "forget", "user", "--yes")
            token = control.receive(channel, control.WHERE)[:8]
            for index in (0, 1):
                channel.send(control.message(control.WHERE_IS, token, forged(
                    index, "maildir:" + box)))
            order = control.receive(stores[0].channel, control.ASK_UIDL)
            assert order[:8] == token
            stores[0].channel.send(control.message(
                control.UIDL_IS, token, control.uidl(),
                control.done(control.GOOD)))
            end(asked, 0)
            stores[1].channel.settimeout(0.1)
            with pytest.raises(TimeoutError):
                control.receive(stores[1].channel, control.ASK_UIDL)
    finally:
        for stopped in stores:
            stopped.__exit__()


@as_root
def test_stores_take_orders_from_the_parent_only(server, box, login):
    """Auth cannot have anything forgotten: said on its own channel to the
    store, the order is a breach of the rules."""
    login(server).quit()
    auth, = server.roles("auth")
    order = control.message(control.ASK_UIDL, bytes(8), b"\1",
                            control.text("maildir:" + box), bytes(4))
    fds = [int(fd) for fd in os.listdir("/proc/%d/fd" % auth)
           if os.readlink("/proc/%d/fd/%s" % (auth, fd)).startswith("socket:")]
    for fd in fds:
        if fd != control.PARENT_FD:
            with control.channel_of(auth, fd) as channel:
                channel.send(order)
    wait_until(lambda: [e for e in server.events("misbehaved")
                        if e["by"].startswith("store.")])
    assert os.path.exists(box + "/malote.index")


# ---- servers that misbehave ----

class Fake:
    """Answers one malotectl with these messages, then closes or goes on."""

    def __init__(self, place, *messages, forever=False):
        self.path = place.path + "/fake"
        self.conf = place.path + "/fake.conf"
        with open(self.conf, "w") as f:
            f.write('control_socket = "%s"\n' % self.path)
        self.listener = control.listen(self.path)
        self.messages, self.forever = messages, forever
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        s, _ = self.listener.accept()
        s.settimeout(20)
        try:
            s.recv(65536)
            while True:
                for octets in self.messages:
                    s.send(octets)
                if not self.forever:
                    break
        except OSError:
            pass
        s.close()

    def ctl(self, code, *words):
        run = subprocess.run([CTL, "--config", self.conf, *words],
                             capture_output=True, text=True, check=False,
                             timeout=90 * PATIENCE)
        self.thread.join(30)
        self.listener.close()
        os.unlink(self.path)
        assert run.returncode == code, run
        assert is_clean(run.stdout + run.stderr)
        return run.stdout + run.stderr


def row(kind):
    return {
        control.SERVER: control.text(ESCAPES[:20]) * 2 + bytes(12),
        control.PROCESS: control.text(ESCAPES[:20]) * 2 + bytes(19),
        control.LISTENER: control.text(ESCAPES[:20]) * 3 + bytes(1),
        control.ROOT: control.text(ESCAPES) + bytes(1),
        control.NOTE: control.text(ESCAPES),
    }[kind]


ROWS = [control.SERVER, control.PROCESS, control.LISTENER, control.ROOT,
        control.NOTE]


@pytest.mark.parametrize("words", [["status"], ["status", "--json"]])
def test_bad_words_everywhere(place, words):
    fake = Fake(place, *[control.message(k, row(k)) for k in ROWS],
                control.message(control.DONE, control.done(0, ESCAPES)))
    said = fake.ctl(0, *words)
    assert "owned" in said
    if "--json" in words:
        assert json.loads(said)["unconfined"] == [ESCAPES]


@pytest.mark.parametrize("outcome, code", [
    (control.NO_USER, EX_NOUSER), (control.IN_USE, EX_TEMPFAIL),
    (control.LATER, EX_TEMPFAIL), (control.CANNOT, EX_CONFIG)])
def test_bad_words_of_a_refusal(place, outcome, code):
    Fake(place, control.message(control.DONE, control.done(
        outcome, ESCAPES * 10))).ctl(code, "uidl", "show", "user")


@pytest.mark.parametrize("octets", [
    b"", b"x", control.message(control.DONE),
    control.message(control.DONE, control.done(99)),
    control.message(control.DONE, control.done(0, "x" * 512)),
    control.message(control.UIDL, control.uidl()) + b"x",
    control.message(control.PROCESS, row(control.PROCESS)[:-1]),
    control.message(control.ROOT, control.text("a\0b"), b"\0"),
    control.message(1)], ids=range(9))
def test_server_talks_nonsense(place, octets):
    code = EX_IOERR if octets else EX_UNAVAILABLE
    Fake(place, octets).ctl(code, "status")


def test_server_that_never_ends(place):
    """Rows without end are too many at some point."""
    fake = Fake(place, control.message(control.NOTE, row(control.NOTE)),
                forever=True)
    assert "cannot be understood" in fake.ctl(EX_IOERR, "status")


def test_nothing_told(place):
    Fake(place, control.message(control.DONE, control.done(0))).ctl(
        EX_IOERR, "uidl", "show", "user")


@as_root
def test_somebody_elses_socket(place):
    """Whoever could put a socket there is not believed."""
    path, conf = place.path + "/fake", place.path + "/fake.conf"
    with open(conf, "w") as f:
        f.write('control_socket = "%s"\n' % path)
    theirs = subprocess.Popen(
        ["python3", "-c",
         "import socket,sys\n"
         "s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
         "s.bind(sys.argv[1]); s.listen(1); print(flush=True)\n"
         "c,_=s.accept(); c.recv(9999)\n", path],
        user=place.owner[0], group=place.owner[1], extra_groups=[],
        stdout=subprocess.PIPE)
    try:
        theirs.stdout.readline()
        run = subprocess.run([CTL, "--config", conf, "status"], text=True,
                             capture_output=True, check=False, timeout=60)
        assert run.returncode == EX_NOPERM and "not of a maloted" in run.stderr
    finally:
        theirs.kill()
        theirs.wait()
        theirs.stdout.close()
