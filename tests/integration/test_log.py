"""What is written down, and what never is."""
import os
import re

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
    log = server.log_text()
    assert uids[2] in log and uids[5] in log
    for n in (1, 3, 4, 6):
        assert uids[n] not in log


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
