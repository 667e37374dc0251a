"""Who is not served, who is held up, and that others are not."""
import datetime
import hashlib
import os
import socket
import subprocess

import pytest

import drop
import pop3
from server import free_port, wait_until

pytestmark = pytest.mark.ours

# Each address of 127.0.0.0/8 is this machine.
HERE, THERE, ELSEWHERE = "127.0.0.1", "127.0.9.1", "127.0.9.2"


@pytest.fixture
def box(place):
    return place.maildir(drop.make(5, 3))


# ---- networks ----

def is_served(port, source):
    with socket.socket() as s:
        s.settimeout(20)
        s.bind((source, 0))
        s.connect((HERE, port))
        try:
            said = s.recv(100)
        except ConnectionResetError:
            said = b""
        assert not said or said.startswith(b"+OK ")
        return said != b""


@pytest.mark.parametrize("config,served", [
    ('deny_nets = "127.0.9.0/24"', (True, False, False)),
    ('allow_nets = "127.0.0.0/24, 127.0.9.2 ::1/128"', (True, False, True)),
    ('allow_nets = "127.0.0.0/8"\ndeny_nets = "127.0.9.1"',
     (True, False, True)),
    ('allow_nets = "2001:db8::/32"', (False, False, False)),
])
def test_networks(serve, box, config, served):
    server = serve(box, config + "\n")
    assert served == tuple(is_served(server.port, source)
                           for source in (HERE, THERE, ELSEWHERE))


def test_networks_of_a_listener(serve, box):
    """Its own list is instead of the others'; TLS is not begun either."""
    server = serve(box, 'allow_nets = "127.0.9.1"\n')
    assert is_served(server.port, THERE)
    with pytest.raises((pop3.Closed, OSError)):
        pop3.Pop3(server.tls_port, pop3.context())
    pop3.Pop3(server.tls_port, pop3.context(), source=THERE).close()
    server.stop()
    port = free_port()
    server = serve(box, 'allow_nets = "127.0.9.1"\nlistener "own" {\n'
                   '\taddress = "127.0.0.1"\n\tport = %d\n\ttls = "none"\n'
                   '\tplaintext_login = yes\n\tallow_nets = "127.0.0.1"\n}\n'
                   % port)
    assert not is_served(server.port, HERE) and is_served(port, HERE)
    assert is_served(server.port, THERE) and not is_served(port, THERE)


def test_a_flood_is_a_line(serve, box, login):
    """The first has a line of its own; the others are counted, and their number
    is logged after ten seconds (tests/unit/test_burst.c)."""
    server = serve(box, 'deny_nets = "127.0.9.0/24"\nworkers = 1\n')
    for n in range(300):
        assert not is_served(server.port, "127.0.9.%d" % (n % 250 + 1))
    assert login(server).stat()[0] == 3
    told = server.events("turned-away")
    assert told[0] == {"ev": "turned-away", "ip": "127.0.9.1",
                       "why": "deny_nets"}
    assert sum("more" not in e for e in told) == 1 and len(told) < 10
    # Nothing is counted for them: it is as if they had not come.
    assert not [e for e in server.events("session")
                if e["ip"].startswith("127.0.9.")]


def curl(server, source, user="ana", password="secret"):
    """A mail program of somebody else's."""
    return subprocess.run(
        ["curl", "-s", "-S", "--interface", source, "-m", "60",
         "-u", "%s:%s" % (user, password),
         "pop3://127.0.0.1:%d" % server.port],
        capture_output=True, text=True, check=False)


def test_networks_with_curl(serve, box):
    server = serve([("ana", "secret", box)], 'deny_nets = "127.0.9.1"\n')
    assert curl(server, HERE).stdout.splitlines()[0].startswith("1 ")
    assert curl(server, THERE).returncode
    assert curl(server, ELSEWHERE).returncode == 0


# ---- floods ----

@pytest.fixture
def costly(place, serve, box):
    """A server whose users cost tens of milliseconds each to verify, one at a
    time."""
    file = place.path + "/users.costly"
    stored = "{PBKDF2}$1$salt$50000$" + hashlib.pbkdf2_hmac(
        "sha1", b"secret", b"salt", 50000).hex()
    owner = os.stat(box)
    ids = "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"
    with open(file, "w", encoding="utf-8") as f:
        for name in ("ana", "bob"):
            f.write("%s:%s:%s::::userdb_mail=maildir:%s\n"
                    % (name, stored, ids, box))
    return serve([("unused", "x", box)],
                 "users = '%s'\nhash_threads = 1\nfailure_delay = yes\n"
                 "sessions = \"shared\"\n" % file)


def flood(connect, server, sources, user):
    """A guess from each, all at a time; nobody waits for the answer."""
    for n, source in enumerate(sources):
        session = connect(server.port, source=source)
        session.send("USER %s\r\nPASS guess%d\r\n" % (user, n))


def looked_at(server):
    return len(server.events("login-failed"))


def is_all_looked_at(server, n):
    wait_until(lambda: looked_at(server) == n, 120)


@pytest.mark.parametrize("user", ["ana", "nobody"])
def test_flood_from_an_address(costly, connect, user):
    """Another address has its turn after one or two of them, not behind them
    all; nor does it matter whom they are about."""
    flood(connect, costly, [THERE] * 40, user)
    wait_until(lambda: looked_at(costly), 60)
    at = looked_at(costly)
    assert curl(costly, HERE, "bob").returncode == 0
    seen = looked_at(costly)
    assert seen - at <= 10 and seen < 30, (at, seen)


def at_ms(line):
    when = datetime.datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%fZ")
    return when.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000


def test_connections_buy_no_guesses(costly, connect):
    """Sixty at a time, about two users: between a guess and the next is what
    the first has cost, as if there were one.  Who signed in from there before
    does not wait."""
    assert curl(costly, THERE, "bob").returncode == 0
    flood(connect, costly, [THERE] * 30, "ana")
    flood(connect, costly, [THERE] * 30, "nobody")
    for n in range(1, 4):
        wait_until(lambda: looked_at(costly) >= n, 60)
        assert curl(costly, THERE, "bob").returncode == 0
        assert looked_at(costly) <= n + 1
    when = [at_ms(line) for line in costly.log_text().splitlines()
            if " ev=login-failed " in line]
    # Its times are in milliseconds, and timers may be one early.
    for n, least in enumerate((1000, 2000)):
        assert when[n + 1] - when[n] >= least - 20, when


def test_flood_from_everywhere(costly, connect):
    """Against one user, by as many addresses as there are guesses.  The user
    is not held up where they signed in before; others are nowhere."""
    assert curl(costly, HERE).returncode == 0
    flood(connect, costly, ["127.%d.1.1" % n for n in range(1, 61)], "ana")
    wait_until(lambda: looked_at(costly) > 1, 60)
    at = looked_at(costly)
    assert curl(costly, HERE).returncode == 0
    mine = looked_at(costly) - at
    assert curl(costly, "127.0.8.1", "bob").returncode == 0
    others = looked_at(costly) - at
    assert mine <= 10 and others < 45, (at, mine, others)
    is_all_looked_at(costly, 60)
    held = [e for e in costly.events("login") if e["user"] == "ana"]
    assert len(held) == 2
