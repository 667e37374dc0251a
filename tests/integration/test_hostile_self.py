"""The harness itself: a server that lies must be right when it is not told
to, or nothing that it shows is worth anything.
"""
import os
import poplib
import shutil
import socket
import ssl
import subprocess
import time

import pytest

import drop
import faults
import pop3
from hostile import letters, mails

MODES = pytest.mark.parametrize("mode", ["plain", "stls", "tls"])


@pytest.fixture
def dial(connect):
    def make(server):
        session = connect(server.port, pop3.context()
                          if server.mode == "tls" else None)
        if server.mode == "stls":
            session.stls()
        return session
    return make


@MODES
def test_poplib(lie, certs, mode):
    server = lie(letters(5), mode=mode, context=certs.context())
    trust = ssl.create_default_context(cafile=certs.ca)
    if mode == "tls":
        c = poplib.POP3_SSL("localhost", server.port, context=trust)
    else:
        c = poplib.POP3("localhost", server.port)
    if mode == "stls":
        assert "STLS" in c.capa()
        c.stls(trust)
        assert "STLS" not in c.capa()
    c.user("user")
    with pytest.raises(poplib.error_proto):
        c.pass_("wrong")
    c.user("user")
    c.pass_("secret")
    assert c.stat() == (5, sum(len(m.octets) for m in server.box.mails))
    assert c.uidl(2) == b"+OK 2 u2"
    wanted = [m.octets for m in server.box.mails]
    for n in range(1, 6):
        text = b"".join(x + b"\r\n" for x in c.retr(n)[1])
        assert text == wanted[n - 1]
    c.dele(2)
    c.rset()
    c.dele(3)
    with pytest.raises(poplib.error_proto):
        c.retr(3)
    assert len(server.box.mails) == 5
    c.quit()
    server.settle()
    assert [m.uid for m in server.box.mails] == ["u1", "u2", "u4", "u5"]
    assert server.box.commits == 1
    assert server.numbers("RETR") == [1, 2, 3, 4, 5, 3]
    assert (b"secret" in server.clear_octets) == (mode == "plain")


@MODES
@pytest.mark.skipif(shutil.which("mpop") is None, reason="needs mpop")
def test_mpop(lie, certs, place, mode):
    """Pipelined, with every odd message."""
    server = lie(mails(drop.peaceful(drop.make(3, 60) + drop.odd())),
                 mode=mode, context=certs.context())
    wanted = [m.local for m in server.box.mails]
    for d in ("cur", "new", "tmp"):
        os.makedirs(place.path + "/in/" + d)
    subprocess.run([
        "mpop", "--host=localhost", "--port=%d" % server.port, "--user=user",
        "--passwordeval=echo secret", "--auth=plain", "--pipelining=on",
        "--delivery=maildir,%s/in" % place.path, "--keep=off",
        "--uidls-file=%s/uidls" % place.path, "--received-header=off",
        "--tls=" + ("off" if mode == "plain" else "on"),
        "--tls-starttls=" + ("on" if mode == "stls" else "off"),
        "--tls-trust-file=" + certs.ca, "-q"], check=True, timeout=60,
        stdin=subprocess.DEVNULL)
    got = []
    for name in os.listdir(place.path + "/in/new"):
        with open(place.path + "/in/new/" + name, "rb") as f:
            got.append(f.read())
    assert sorted(got) == sorted(wanted)
    assert server.box.mails == [] and server.box.commits == 1


def by_curl(mechanism, port, word, _):
    who = ["-u", "user:" + word]
    if "OAUTH" in mechanism:
        who = ["--oauth2-bearer", word, "-u", "user:"]
    return ["curl", "-sS", "--max-time", "20", *who, "--login-options",
            "AUTH=" + mechanism, "pop3://127.0.0.1:%d/1" % port]


def by_mpop(mechanism, port, word, directory):
    """Its own file of unique-ids: mpop replaces what that names, and would
    do so with a device, too."""
    return ["mpop", "--host=127.0.0.1", "--port=%d" % port, "--user=user",
            "--passwordeval=echo " + word, "--auth=" + mechanism.lower(),
            "--delivery=mda,cat", "--uidls-file=" + directory + "/uidls",
            "--tls=off", "--received-header=off", "--keep=on", "-q"]


@pytest.mark.parametrize("by, mechanism", [
    (by_curl, "PLAIN"), (by_curl, "LOGIN"), (by_curl, "CRAM-MD5"),
    (by_curl, "XOAUTH2"), (by_curl, "OAUTHBEARER"),
    (by_mpop, "SCRAM-SHA-1"), (by_mpop, "SCRAM-SHA-256")])
@pytest.mark.parametrize("good", [True, False])
def test_mechanisms(lie, place, by, mechanism, good):
    server = lie(letters(1), sasl=[mechanism])
    server.token = "secret"
    done = subprocess.run(
        by(mechanism, server.port, "secret" if good else "wrong", place.path),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert (done.returncode == 0) == good, done
    took = done.stdout.replace(b"\r\n", b"\n")
    assert (took == server.box.mails[0].local) == good
    assert server.commands("AUTH")[0].split()[1] == mechanism


def test_apop(lie):
    server = lie(letters(1), greeting=b"+OK <1.2@x.example>\r\n")
    poplib.POP3("127.0.0.1", server.port).apop("user", "secret")
    with pytest.raises(poplib.error_proto):
        poplib.POP3("127.0.0.1", server.port).apop("user", "wrong")


def test_one_session_a_maildrop(lie, dial):
    server = lie(letters(1))
    first = dial(server)
    first.login()
    second = dial(server)
    second.ok("USER user")
    second.err("PASS secret", "IN-USE")
    first.quit()
    second.ok("USER user")
    second.ok("PASS secret")


def test_removal_at_quit_only(lie, dial):
    server = lie(letters(2))
    session = dial(server)
    session.login()
    session.ok("DELE 1")
    session.close()
    server.settle()
    assert len(server.box.mails) == 2 and server.box.commits == 0


def test_faults(lie, dial):
    """Each does what its name says, as often as it should."""
    server = lie(letters(4))
    server.fault("RETR", faults.err("[SYS/TEMP] later"), number=2)
    server.fault("NOOP", faults.twice())
    server.fault("STAT", faults.swallow())
    server.fault("UIDL", faults.lines(reversed))
    server.fault("LIST", faults.drip(3, 0))
    server.fault("RETR", faults.cut(0.5), number=4)
    s = dial(server)
    s.login()
    s.err("RETR 2", "SYS/TEMP")
    assert s.retr(2) == server.box.mails[1].octets
    s.ok("NOOP")
    assert s.line() == b"+OK "
    s.send("STAT\r\n")
    assert s.listing("UIDL")[0] == b"4 u4"
    assert len(s.listing("LIST")) == 4
    with pytest.raises(pop3.Closed):
        s.retr(4)
    assert 0 < len(s.seen) + 1 < len(server.box.mails[3].octets)


def test_stall_ends_with_the_client(lie, dial):
    server = lie(letters(1))
    server.fault("STAT", faults.stall(4))
    s = dial(server)
    s.login()
    s.send("STAT\r\n")
    s.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        s.line()
    assert s.seen == b"+OK "
    s.close()
    server.settle()


def test_pour_ends_with_the_client(lie, dial):
    server = lie(letters(1))
    server.fault("CAPA", faults.pour(b"+OK\r\n", b"X-NONE\r\n"))
    s = dial(server)
    s.send("CAPA\r\n")
    assert len(s.sock.recv(65536)) > 0
    s.close()
    server.settle()
    assert 0 < server.poured < faults.POUR_MAX


def test_limit_cuts_anywhere(lie, dial):
    server = lie(letters(1), limit=20)
    s = dial(server)
    with pytest.raises(pop3.Closed) as broken:
        s.login()
    assert len(server.greeting) + 10 > len(broken.value.args[0])
    assert sum(x.sent for x in server.sessions) == 20


@pytest.mark.parametrize("how, heard", [("good", 2), ("drop", 1),
                                        ("swap", 2)])
def test_broken_pipelining(lie, dial, how, heard):
    server = lie(letters(2), pipelining=how)
    s = dial(server)
    s.login()
    s.send("LIST 1\r\nLIST 2\r\n")
    time.sleep(0.2)
    s.sock.settimeout(0.2)
    got = []
    with pytest.raises(TimeoutError):
        while True:
            got.append(s.line()[:5])
    assert got == {"good": [b"+OK 1", b"+OK 2"], "drop": [b"+OK 1"],
                   "swap": [b"+OK 2", b"+OK 1"]}[how]
    assert len(got) == heard


def test_stls_injection(lie, certs, connect):
    server = lie(letters(1), mode="stls", context=certs.context())
    server.fault("STLS", faults.inject(b"+OK you are in\r\n"))
    s = connect(server.port)
    s.ok("STLS")
    assert s.seen == b"+OK you are in\r\n"


def test_delay_counts_turns(lie, line, connect):
    server = lie(letters(3))
    proxy = line(server.port, 0.05)
    start = time.monotonic()
    s = connect(proxy.port)
    s.login()
    assert 0.3 > time.monotonic() - start - 0.25 > 0
    s.send("LIST 1\r\nLIST 2\r\nLIST 3\r\n")
    for _ in range(3):
        s.line()
    assert proxy.turns == 3 and server.turns() == 3


def test_delay_cuts(lie, line, connect):
    proxy = line(lie(letters(3)).port, cut=15)
    s = connect(proxy.port)
    with pytest.raises(pop3.Closed) as broken:
        s.login()
    assert broken.value.args[0] == b"+OK who?"[:15 - 11]


def test_stop_wakes_all(lie, connect):
    server = lie(letters(1))
    server.fault("GREETING", faults.stall())
    s = socket.create_connection(("127.0.0.1", server.port))
    time.sleep(0.1)
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 2
    s.close()
