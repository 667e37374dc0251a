"""malotectl who and kick: which sessions there are, and their end."""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import drop
import pop3
from server import CTL, TOP, children, wait_until

pytestmark = [pytest.mark.core, pytest.mark.ours]

EX_NOUSER, EX_DATAERR, EX_NOPERM, EX_TEMPFAIL = 67, 65, 77, 75
GROUP, STRANGER = 64123, 64124


@pytest.fixture
def boxes(place):
    return {name: place.maildir(drop.make(5, 4), name)
            for name in ("anna", "bea")}


@pytest.fixture
def server(serve, boxes):
    return serve([(name, "secret", box) for name, box in boxes.items()])


def who(server, *words):
    return json.loads(server.ctl("who", *words, "--json"))


def test_who(server, login):
    """Who has signed in, and what the session has done; not who has not."""
    assert who(server) == []
    assert server.ctl("who") == "0 sessions\n"
    before = int(time.time())
    with pop3.Pop3(server.port), pop3.Pop3(server.port) as waits:
        waits.ok("USER anna")
        session = login(server, "anna", "secret")
        mail = session.retr(1)
        session.ok("DELE 1")
        told, = who(server)
        assert told["user"] == "anna" and told["address"] == "127.0.0.1"
        assert told["tls"] == "none" and told["mechanism"] == "USER"
        assert told["commands"] == 4 and told["messages"] == 4
        assert told["retrieved"] == 1 and told["marked"] == 1
        assert told["octets_out"] > len(mail) and told["octets_in"] > 20
        assert told["state"] == "idle"
        assert before - 2 <= told["since"] <= time.time() + 2
        assert told["session"] == server.events("login")[0]["sid"]
        assert told["session"] in server.ctl("who").split()
        session.quit()
    assert who(server) == []


def test_of_a_user(server, login):
    login(server, "anna", "secret")
    bea = login(server, "bea", "secret", tls=True)
    assert {s["user"] for s in who(server)} == {"anna", "bea"}
    told, = who(server, "bea")
    assert told["tls"].startswith("TLSv1")
    assert who(server, told["session"]) == [told]
    assert who(server, "carl") == []
    assert "make a name" in server.ctl("who", "a/b", code=EX_DATAERR)
    bea.quit()


def test_kick(server, boxes, login):
    """The session ends as at a shutdown: nothing is said, nothing removed, and
    the maildrop is free; the log has who wanted it."""
    anna = login(server, "anna", "secret")
    bea = login(server, "bea", "secret")
    anna.ok("DELE 1")
    told, = json.loads(server.ctl("kick", "anna", "--json"))
    assert told["user"] == "anna" and told["marked"] == 1
    assert anna.ended()
    logged, = server.events("control")
    assert logged["command"] == "kick" and logged["about"] == "anna"
    assert logged["uid"] == "%d" % os.getuid()
    ended, = server.await_event("session")
    assert ended["why"] == "kicked" and ended["sid"] == told["session"]
    again = login(server, "anna", "secret")
    assert again.stat()[0] == 4
    assert bea.stat()[0] == 4
    told, = who(server, "bea")
    assert told["session"] in server.ctl("kick", told["session"])
    assert bea.ended()
    assert again.stat()[0] == 4


@pytest.fixture
def generations(serve, boxes, login):
    """(a server, a session in each of three maloteds, the oldest first).  Each is
    in the second worker, so that the first has ended there."""
    server = serve([(name, "secret", box) for name, box in boxes.items()],
                   'sessions = "shared"\nworkers = 2\n')
    sessions = []
    for n in range(3):
        if n:
            server.restart()
        while len(sessions) == n:
            count = len(server.events("login")) + 1
            one = login(server, "anna", "secret")
            if server.await_event("login", count)[-1]["sid"][0] == "1":
                sessions.append(one)
            else:
                one.quit()
    for pid in server.elders:
        wait_until(lambda pid=pid: len([
            words for words in children(pid).values()
            if "worker" in " ".join(words).split()]) == 1)
    return server, sessions


def test_sessions_from_before_a_restart(generations):
    """They are seen, and it is said of whom they are."""
    server, sessions = generations
    told = who(server, "anna")
    assert len(told) == 3 == len({s["session"] for s in told})
    assert [s["before"] for s in told] == [*server.elders, None]
    text = server.ctl("who")
    assert text.endswith("\n3 sessions\n")
    for pid in server.elders:
        assert len(re.findall(r"(?m) before: pid %d$" % pid, text)) == 1
    assert who(server, told[0]["session"]) == [
        one for one in who(server) if one["before"] == server.elders[0]]
    assert who(server, "bea") == []
    sessions[0].quit()
    wait_until(lambda: [s["before"] for s in who(server)]
               == [server.elders[1], None])


def test_kick_from_before_a_restart(generations):
    server, sessions = generations
    oldest, *_ = who(server)
    kicked, = json.loads(server.ctl("kick", oldest["session"], "--json"))
    assert kicked["before"] == server.elders[0]
    assert sessions[0].ended()
    assert sessions[1].stat()[0] == 4
    wait_until(lambda: server.has_ended(server.elders[0]) is not None)
    ended, = [e for e in server.events("session") if e["why"] == "kicked"]
    assert ended["sid"] == oldest["session"]
    assert len(json.loads(server.ctl("kick", "anna", "--json"))) == 2
    assert sessions[1].ended() and sessions[2].ended()
    assert "no session" in server.ctl("kick", "anna", code=EX_NOUSER)
    # The log has who wanted it, and not which process was asked by which.
    assert {e["uid"] for e in server.events("control")} == {
        "%d" % os.getuid()}
    assert str(server.pid) not in {e["pid"] for e in server.events("control")}


class Elder:
    """One whose place a maloted takes, as that of another version sees it."""

    def __init__(self, form, sessions, first=None):
        """first: is called before it gives its place away."""
        self.form, self.sessions, self.first = form, sessions, first
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX,
                                                   socket.SOCK_SEQPACKET)
        self.ours.settimeout(20)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def say(self, kind, number=0, more=0, octets=b"", fds=()):
        """struct handover_message."""
        socket.send_fds(self.ours, [struct.pack(
            "=IIIIQII32s512s", 1, kind, 4711, number, int(time.time()),
            len(octets), more, b"0.0.1", octets)], fds)

    def run(self):
        READY, GO, DRAINS = 2, 3, 4
        while struct.unpack_from("=II", self.ours.recv(1024))[1] != READY:
            pass
        if self.first:
            self.first(self)
        self.say(DRAINS, self.sessions)
        self.say(GO, 0, self.form)


@pytest.mark.parametrize("form", [0, 99])
def test_sessions_of_another_version(serve, boxes, form):
    """Those of one that cannot be asked are counted, and one that can be but
    does not answer has none any more."""
    elder = Elder(form, 3)
    fd = elder.theirs.fileno()
    server = serve([("anna", "secret", boxes["anna"])], pass_fds=(fd,),
                   env={"MALOTED_HANDOVER": str(fd)})
    elder.theirs.close()
    try:
        assert "sessions: 3" in server.ctl("kick", "anna", code=EX_NOUSER)
        assert server.ctl("who") == "0 sessions\n"
    finally:
        elder.ours.close()
    wait_until(lambda: "sessions: 3" not in server.ctl(
        "kick", "anna", code=EX_NOUSER))


def test_an_elder_that_ends_while_it_is_asked(serve, boxes):
    elder = Elder(1, 3)
    fd = elder.theirs.fileno()
    server = serve([("anna", "secret", boxes["anna"])], pass_fds=(fd,),
                   env={"MALOTED_HANDOVER": str(fd)})
    elder.theirs.close()
    asking = subprocess.Popen([CTL, "--config", server.ctl_conf, "who"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
    elder.thread.join()
    with elder.ours:
        got, fds, _, _ = socket.recv_fds(elder.ours, 1024, 1)
    assert struct.unpack_from("=II", got)[1] == 6 and len(fds) == 1
    for one in fds:
        os.close(one)
    out, err = asking.communicate(timeout=60)
    assert (asking.returncode, out, err) == (0, "0 sessions\n", "")


def test_an_elder_that_hands_on_too_much(serve, boxes):
    """No descriptor stays that nobody asked for."""
    elder = Elder(0, 3)
    fd = elder.theirs.fileno()
    server = serve([("anna", "secret", boxes["anna"])], pass_fds=(fd,),
                   env={"MALOTED_HANDOVER": str(fd)})
    elder.theirs.close()
    elder.thread.join()
    with elder.ours:
        server.ctl("status")
        before = len(os.listdir("/proc/%d/fd" % server.pid))
        for n in range(1, 21):
            elder.say(4, n, fds=(0, 1))
        wait_until(lambda: "sessions: 20" in server.ctl(
            "kick", "anna", code=EX_NOUSER))
        wait_until(lambda: len(os.listdir("/proc/%d/fd" % server.pid))
                   <= before)


@pytest.mark.slow
def test_an_elder_that_hangs(serve, boxes, login):
    """What the one that serves has is told all the same, and who is left out."""
    elder = Elder(1, 3)
    fd = elder.theirs.fileno()
    server = serve([("anna", "secret", boxes["anna"])], pass_fds=(fd,),
                   env={"MALOTED_HANDOVER": str(fd)})
    elder.theirs.close()
    elder.thread.join()
    anna = login(server, "anna", "secret")
    with elder.ours:
        done = subprocess.run([CTL, "--config", server.ctl_conf, "kick",
                               "anna"], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == 0 and done.stdout.endswith("\n1 session\n")
        assert re.fullmatch(
            r"malotectl: not looked at: sessions of process %d, from before a "
            r"restart: .*\n" % os.getpid(), done.stderr)
        assert anna.ended()
    assert server.ctl("who") == "0 sessions\n"


def test_the_form():
    """Who changes what is asked about sessions, or told, gives CONTROL_FORM another
    number, as an older maloted may be asked: and changes this."""
    forms = {1: "9f6d"}
    with open(TOP + "/src/server/ipc/control.c", encoding="utf-8") as f:
        tables = re.findall(r"static const struct ipc_field (?:which|sessions?)"
                            r"\[\] = \{.*?\};", f.read(), re.S)
    with open(TOP + "/src/server/ipc/control.h", encoding="utf-8") as f:
        text = f.read()
    structs = re.findall(r"struct control_(?:which|sessions?) \{.*?\};", text,
                         re.S)
    assert len(tables) == len(structs) == 3
    form = int(re.search(r"CONTROL_FORM = (\d+)", text).group(1))
    words = re.sub(r"/\*.*?\*/|\s+", " ", "".join(tables + structs),
                   flags=re.S)
    assert forms[form] == hashlib.sha256(words.encode()).hexdigest()[:4]


def test_kick_nobody(server):
    assert "no session" in server.ctl("kick", "anna", code=EX_NOUSER)
    assert "no session" in server.ctl("kick", "0.19a8f3c4d21b0000",
                                      code=EX_NOUSER)


def test_kick_in_the_middle(serve, place, login):
    """Of a message that is on its way the client does not get an end."""
    box = place.maildir([drop.Message(
        "new", "1.big", b"A: b\n\n" + b"0123456789abcde\n" * 2 ** 20,
        drop.EPOCH, "big")])
    server = serve(box)
    session = pop3.Pop3(server.port, rcvbuf=4096)
    session.login()
    session.send("RETR 1\r\n")
    assert session.line().startswith(b"+OK")
    wait_until(lambda: who(server)[0]["state"] == "sending")
    server.ctl("kick", "user")
    got = b""
    while True:
        piece = session.receive()
        if not piece:
            break
        got += piece
    assert len(got) < 2 ** 24 and not got.endswith(b"\r\n.\r\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="root gives to others")
def test_only_root(serve, boxes, login):
    """Where people are is not for the group that may ask for the status."""
    server = serve([("anna", "secret", boxes["anna"])],
                   'control_group = "%d"\n' % GROUP)
    session = login(server, "anna", "secret")
    mine = server.tmp + "/malotectl"
    shutil.copy(CTL, mine)
    os.chmod(mine, 0o755)
    os.chmod(server.ctl_conf, 0o644)
    for words in (["who"], ["kick", "anna"]):
        run = subprocess.run([mine, "--config", server.ctl_conf, *words],
                             capture_output=True, text=True, check=False,
                             timeout=60, user=STRANGER, group=GROUP,
                             extra_groups=[])
        assert run.returncode == EX_NOPERM and "only root" in run.stderr
    assert session.stat()[0] == 4
    assert not server.events("session")


def test_a_worker_dies(serve, boxes, login):
    """While it is asked: malotectl hears of it, and does not wait for ever."""
    server = serve([("anna", "secret", boxes["anna"])], "workers = 1\n")
    login(server, "anna", "secret")
    worker, = server.roles("worker")
    os.kill(worker, signal.SIGSTOP)
    asking = subprocess.Popen([CTL, "--config", server.ctl_conf, "who"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        # It has asked when the parent has read what it said.
        time.sleep(0.5)
    finally:
        os.kill(worker, signal.SIGKILL)
    _, said = asking.communicate(timeout=60)
    assert asking.returncode in (0, EX_TEMPFAIL), said
    wait_until(lambda: server.ctl("who") == "0 sessions\n")


def counts(server):
    return json.loads(server.ctl("status", "--json"))["counts"]


def test_counts(server, login):
    """What has happened, how often lately, and what there is now."""
    before = counts(server)
    assert before["connections"]["total"] == before["sessions"] == 0
    with pop3.Pop3(server.port) as client:
        client.ok("USER anna")
        client.err("PASS wrong")
        anna = login(server, "anna", "secret")
        mail = anna.retr(1)
        anna.ok("DELE 1")
        told = counts(server)
        assert told["sessions"] == 2 and told["signed_in"] == 1
        assert told["sign_ins"]["total"] == 1
        assert told["sign_ins_refused"]["total"] == 1
        assert told["octets_out"]["total"] > len(mail)
        assert told["octets_out"]["lately"] == told["octets_out"]["total"]
        anna.quit()
    wait_until(lambda: counts(server)["sessions"] == 0)
    told = counts(server)
    assert told["messages_retrieved"]["total"] == 1
    assert told["messages_removed"]["total"] == 1
    assert told["signed_in"] == told["hash_queue"] == 0
    text = server.ctl("status")
    assert re.search(r"^sign_ins +1 in all, \d+\.\d a minute lately$", text,
                     re.M)


def test_counts_of_a_worker_that_died(serve, boxes, login):
    """Its sessions are over, and what it has counted stays."""
    server = serve([("anna", "secret", boxes["anna"])], "workers = 1\n")
    login(server, "anna", "secret").retr(1)
    os.kill(server.roles("worker")[0], signal.SIGKILL)
    server.await_event("ended")
    wait_until(lambda: counts(server)["sessions"] == 0)
    told = counts(server)
    assert told["signed_in"] == 0 and told["sign_ins"]["total"] == 1
    wait_until(lambda: server.roles("worker"))
    login(server, "anna", "secret")
    assert counts(server)["sign_ins"]["total"] == 2
    assert counts(server)["sessions"] == 1
