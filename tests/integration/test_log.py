"""What is written down, and what never is."""
import base64
import gzip
import os
import re
import signal

import pytest

import drop
import pop3
from server import wait_until

pytestmark = [pytest.mark.core, pytest.mark.ours]

SECRET = "hunter2-very-secret"
B64 = "AHVzZXIAaHVudGVyMi12ZXJ5LXNlY3JldA=="  # \0user\0 and it


@pytest.fixture
def server(place, serve, request):
    return serve([("user", SECRET, place.maildir(drop.make(61, 10)))],
                 getattr(request, "param", ""))


def test_one_summary_a_session(server, connect, login):
    """user, address, TLS, octets, what was done, why it ended, how long."""
    session = login(server, password=SECRET)
    sent = 0
    for n in (1, 2, 3):
        sent += len(session.retr(n))
    session.top(4, 0)
    session.ok("DELE 1")
    session.ok("DELE 2")
    session.quit()
    session = connect(server.tls_port, pop3.context())
    session.login("user", SECRET)
    session.close()
    connect(server.port).quit()
    ends = server.await_event("session", 3)
    assert len(ends) == 3
    first, second, third = sorted(ends, key=lambda e: int(e["out"]))[::-1]
    assert {k: first[k] for k in ("user", "ip", "tls", "retr", "top", "dele",
                                  "left", "why")} == {
        "user": "user", "ip": "127.0.0.1", "tls": "none", "retr": "3",
        "top": "1", "dele": "2", "left": "8", "why": "quit"}
    assert int(first["out"]) > sent
    assert 0 < int(first["in"]) < 200
    assert 0 <= int(first["ms"]) < 60000
    assert (second["tls"], second["left"]) == ("TLSv1.3", "8")
    assert second["cipher"].startswith("TLS_")
    assert second["why"] != "quit"
    assert third["user"] in ("", "-")
    assert len({e["sid"] for e in ends}) == 3


@pytest.mark.parametrize("server", ["", "trace = yes\n"], indirect=True)
def test_no_secret(server, connect, login):
    """Not in any form, not when refused, not in a dialogue."""
    login(server, password=SECRET).quit()
    session = connect(server.port)
    session.ok("USER user")
    session.err("PASS %s-wrong" % SECRET)
    session.err("PASS %s" % SECRET)       # out of place
    session.err("PAS %s" % SECRET)        # mistyped
    session.ok("AUTH PLAIN " + B64)
    session.quit()
    session = connect(server.port)
    session.command("AUTH PLAIN")
    session.ok(B64)
    session.quit()
    session = connect(server.port)
    session.command("AUTH LOGIN")
    session.command("dXNlcg==")
    session.ok("aHVudGVyMi12ZXJ5LXNlY3JldA==")
    session.quit()
    session = connect(server.port)
    session.command("AUTH LOGIN dXNlcg==")
    session.err("aHVudGVyMi12ZXJ5LXNlY3JldDI=")
    session.quit()
    server.await_event("session", 5)
    log = server.log_text()
    assert SECRET not in log
    assert "aHVudGVyMi12ZXJ5LXNlY3Jld" not in log
    assert B64[:20] not in log


@pytest.mark.parametrize("server", ["trace = yes\n"], indirect=True)
def test_trace(server, login):
    session = login(server, password=SECRET)
    session.stat()
    session.quit()
    server.await_event("session", 1)
    assert "STAT" in server.log_text()
    assert "PASS" in server.log_text()


def test_octets_of_peers_are_escaped(server, connect):
    """A name is no way to write lines into the log."""
    for name in (b"x\x1b[2J", b"a\"b ev=session user=root", b"\\", b"a\rb",
                 b"x\x7f", b"\xff\xfe", b"%s%n"):
        session = connect(server.port)
        session.command(b"USER " + name)
        session.command(b"PASS x")
        session.quit()
    server.await_event("session", 7)
    with open(server.log_path, "rb") as f:
        log = f.read()
    assert not re.search(rb"[^\n\x20-\x7e]", log)
    assert not [e for e in server.events("session") if e.get("user") == "root"]


def test_removed_are_named(place, serve, login):
    messages = drop.make(62, 6)
    server = serve(place.maildir(messages))
    session = login(server)
    uids = session.uidl()
    session.ok("DELE 2")
    session.ok("DELE 5")
    session.quit()
    server.await_event("removed", 1)
    removed = server.await_event("removed", 2)
    log = server.log_text()
    assert [e["uidl"] for e in removed] == [uids[2], uids[5]]
    for n in (1, 3, 4, 6):
        assert uids[n] not in log


def test_removed_can_be_joined_with_other_logs(place, serve, login):
    """Each has its size on disk and its Message-ID."""
    many = b"Received: from x\n\tby y\n" * 400
    messages = [b"Subject: x\nmessage-id:  <a@b>\n\nbody\n",
                many + b"Message-ID:\n <c\"d@e> (x)\n\nbody\n",
                b"Subject: none\n\nMessage-ID: <in@body>\n",
                b"Message-ID: <no@end", b"Message-ID: none\n\n",
                gzip.compress(b"Message-ID: <packed@e>\n\nbody\n" * 9000)]
    server = serve(place.maildir([
        drop.Message("cur", "%d.x.h:2," % n, m, drop.EPOCH, "log")
        for n, m in enumerate(messages)]))
    session = login(server)
    for n in range(1, 7):
        session.ok("DELE %d" % n)
    session.quit()
    removed = server.await_event("removed", 6)
    assert [int(e["size"]) for e in removed] == [len(m) for m in messages]
    assert [e["message_id"] for e in removed] == [
        "<a@b>", "<c\\x22d@e>", "", "", "", "<packed@e>"]


def test_who_could_not_sign_in(server, connect):
    """Their sessions have a name; without TLS there is a reason."""
    def last(kind, n):
        return server.await_event(kind, n)[-1]

    session = connect(server.port)
    session.err("AUTH PLAIN " + base64.b64encode(b"\0Bob\0x").decode())
    session.quit()
    assert last("session", 1)["user"] == "bob"
    assert last("session", 1)["login"] == "no"
    session = connect(server.port)
    session.ok("USER eve")
    session.err("PASS x")
    session.quit()
    assert last("session", 2)["user"] == "eve"
    session = connect(server.refuse_port)
    session.err("USER Zoe")
    session.quit()
    # Lines of different processes may change places.
    failed = [e for e in server.await_event("login-failed", 3)
              if e["user"] == "Zoe"][0]
    assert failed["why"] == "no-tls"
    assert failed["ip"] == "127.0.0.1" and failed["method"] == "USER"
    assert last("session", 3)["user"] == "Zoe"
    session = connect(server.refuse_port)
    session.err("AUTH PLAIN")
    session.quit()
    assert [e["why"] for e in server.await_event("login-failed", 4)].count(
        "no-tls") == 2


@pytest.mark.parametrize(
    "server", ["max_connections_per_address = 1\n"], indirect=True)
def test_who_is_turned_away(server, connect):
    first = connect(server.port)
    second = connect(server.port)
    assert server.await_event("turned-away")[0]["ip"] == "127.0.0.1"
    second.close()
    first.quit()


def settings_of(server):
    """The path of its maloted.conf."""
    with open("/proc/%d/cmdline" % server.pid, "rb") as f:
        return f.read().split(b"\0")[2].decode()


def test_no_quotes_within_quotes(place, serve):
    """What stands between quotation marks is one value."""
    server = serve(place.maildir([]))
    with open(settings_of(server).replace("maloted.conf", "users"), "a") as f:
        f.write("nonsense\n")
    server.signal(signal.SIGHUP)
    line = server.await_event("users-line")[0]
    assert line["error"] == "there is no ':' behind the name"


def test_removed_are_not_named(place, serve, login):
    server = serve(place.maildir(drop.make(62, 6)), "log_removed = no\n")
    session = login(server)
    uids = session.uidl()
    session.ok("DELE 2")
    session.quit()
    server.await_event("session", 1)
    assert uids[2] not in server.log_text()


def test_mbox_is_explained(place, serve, connect):
    """Mail in a traditional mbox and no Maildir: an error that says so."""
    box = place.path + "/mail"
    with open(box, "w") as f:
        f.write("From nobody Tue Nov 14 22:13:20 2023\nSubject: x\n\nx\n\n")
    if place.owner:
        os.chown(box, *place.owner)
    server = serve(box)
    session = connect(server.port)
    session.ok("USER user")
    session.err("PASS secret")
    session.quit()
    wait_until(lambda: "mbox" in server.log_text())


def test_whole_lines(place, serve, connect):
    """From all processes at once, and none torn."""
    import threading
    server = serve(place.maildir(drop.make(61, 2)), "workers = 2\n"
                   'sessions = "shared"\n')

    def work():
        for _ in range(40):
            session = pop3.Pop3(server.port)
            session.login()
            session.quit()
            session.close()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(server.await_event("session", 320)) == 320
    for line in server.log_text().splitlines():
        assert line.count("ev=") == 1, line
