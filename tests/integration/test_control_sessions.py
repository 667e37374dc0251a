"""malotectl who and kick: which sessions there are, and their end."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest

import drop
import pop3
from server import CTL, wait_until

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


def test_sessions_from_before_a_restart(server, login):
    """They are not seen, which is said."""
    session = login(server, "anna", "secret")
    server.restart()
    said = wait_until(lambda: [s for s in [server.ctl(
        "kick", "anna", code=EX_NOUSER)] if "sessions: 1" in s])[0]
    assert "no session of anna" in said
    assert server.ctl("who") == "0 sessions\n"
    session.quit()
    wait_until(lambda: "sessions: 1" not in server.ctl(
        "kick", "anna", code=EX_NOUSER))


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


@pytest.mark.slow
def test_ten_thousand(serve, place):
    """Each is told of, in less than a second of the machine's time."""
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 20_000 if hard == resource.RLIM_INFINITY else min(20_000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    wanted = min(wanted, most - 512)
    users = [("u%d" % n, "secret", place.maildir(drop.make(1, 1), "u%d" % n))
             for n in range(20)]
    server = serve(users, "max_sessions = %d\nmax_connections_per_address = 0\n"
                   'sessions = "shared"\nmax_sessions_per_user = 60000\n'
                   % (wanted + 64))
    sessions = []
    try:
        for n in range(wanted):
            s = socket.create_connection(("127.0.0.1", server.port), 20)
            s.settimeout(60)
            s.sendall(b"USER u%d\r\nPASS secret\r\n" % (n % 20))
            sessions.append(s)
        for s in sessions:
            got = b""
            while got.count(b"\r\n") < 3:
                got += s.recv(4096)
            assert b"-ERR" not in got, got
        began = time.monotonic()
        told = who(server)
        took = time.monotonic() - began
        assert len(told) == wanted == len({s["session"] for s in told})
        print("who: %d sessions in %.3f s" % (wanted, took))
        assert took < 1 * max(1, os.getloadavg()[0])
        began = time.monotonic()
        assert len(who(server, "u7")) == len(range(7, wanted, 20))
        server.ctl("status", "--json")
        assert time.monotonic() - began < 2 * max(1, os.getloadavg()[0])
        kicked = json.loads(server.ctl("kick", "u7", "--json"))
        assert len(kicked) == len(range(7, wanted, 20))
    finally:
        for s in sessions:
            s.close()
