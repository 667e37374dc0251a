"""tests/serve itself: what testers from outside build upon."""
import hashlib
import os
import re
import resource
import signal
import ssl
import subprocess
import time

import pytest

import drop
import pop3
from scram import scram
from server import PATIENCE, TOP, alive, children, free_port, wait_until

pytestmark = pytest.mark.ours


def test_the_process_is_the_parent(place, serve, login):
    server = serve(place.maildir(drop.make(1, 2)))
    with open("/proc/%d/cmdline" % server.pid) as f:
        words = f.read().split("\0")
    assert words[0].endswith("maloted")
    assert server.roles("worker") and server.roles("auth")
    login(server).quit()


def test_nothing_is_left(place, serve):
    server = serve(place.maildir())
    family = [server.pid, *children(server.pid)]
    assert os.listdir(server.server_tmp)
    assert server.stop() == 0
    assert not [pid for pid in family if alive(pid)]
    assert os.listdir(server.server_tmp) == []


def test_nothing_is_left_after_sigkill(place, serve):
    server = serve(place.maildir())
    family = list(children(server.pid))
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not os.listdir(server.server_tmp))
    wait_until(lambda: not [pid for pid in family if alive(pid)])


def test_a_thousand_users(place, serve, login):
    box = place.maildir(drop.make(1, 3))
    users = [("user%d@example.com" % i, "pass word:%d" % i
              if i % 100 == 0 else "password%d" % i,
              place.path + "/box%d" % i if i else box) for i in range(1000)]
    start = time.monotonic()
    server = serve(users)
    assert time.monotonic() - start < 5 * PATIENCE
    session = login(server, *users[0][:2])
    assert session.stat()[0] == 3
    session.quit()
    for i in (1, 100, 999):
        login(server, *users[i][:2]).quit()


def test_two_thousand_connections(place, serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4100:
        pytest.skip("ulimit -n allows %d only" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4100, hard))
    server = serve(place.maildir(drop.make(1, 3)))
    held = []
    try:
        for _ in range(2000):
            held.append(pop3.Pop3(server.port))
            assert held[-1].greeting.startswith(b"+OK")
        held[1999].login()
        assert held[1999].stat()[0] == 3
    finally:
        for session in held:
            session.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_as_an_ordinary_user(place, serve, login):
    box = place.maildir(drop.make(1, 3) + drop.odd())
    server = serve(box, become=place.owner)
    session = login(server)
    for n in session.list():
        session.retr(n)
    session.ok("DELE 1")
    session.quit()
    for pid in [server.pid, *children(server.pid)]:
        assert os.stat("/proc/%d" % pid).st_uid == place.owner[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_uids_of_the_owners(place, serve, login):
    """As root each Maildir is served under the uid that owns it."""
    uids = [0, 1, 1000, 23456]
    users = []
    for uid in uids:
        box = place.path + "/uid%d" % uid
        drop.write(box, drop.make(uid, 3), (uid, uid))
        users.append(("user%d" % uid, "secret", box))
    os.chmod(place.path, 0o777)
    server = serve(users)
    for name, password, box in users:
        session = login(server, name, password)
        assert session.stat()[0] == 3
        stores = {os.stat("/proc/%d" % pid).st_uid
                  for pid in server.roles("store")}
        assert int(name[4:]) in stores
        session.ok("DELE 1")
        session.quit()
        assert len(drop.files(box)) == 2
    for role in ("worker", "auth"):
        for pid in server.roles(role):
            assert os.stat("/proc/%d" % pid).st_uid not in uids


def test_the_fragment_wins(place, serve, connect):
    server = serve(place.maildir(), "max_bad_commands = 3\n")
    session = connect(server.port)
    session.send("FOO\r\n" * 10)
    with pytest.raises(pop3.Closed):
        for i in range(10):
            session.line()
    assert i == 3


def test_names_with_odd_octets(place, serve, login):
    box = place.maildir(drop.make(1, 1), "a box, with 'odd' \"octets\" é")
    server = serve([("MiXed@Example.COM", "secret", box),
                    ("plus+tag", "secret", box)], 'sessions = "shared"\n')
    login(server, "mixed@example.com").quit()
    login(server, "MIXED@EXAMPLE.COM").quit()
    login(server, "plus+tag").quit()


def test_everything(place, serve, connect):
    """What is offered to whom, on which port; resumption where it can be.  Each
    mechanism is used in test_foreign_mechanisms.py."""
    box = place.maildir(drop.make(1, 3))
    users = [("First@example.org", "with:colon", box), ("o", "secret", box)]
    server = serve(users, "sessions = \"shared\"\n", options=["--everything"])
    people = dict(re.findall(r"(?m)^serve: client (\S+) (\S+)$",
                             server.log_text()))
    ca = re.search(r"(?m)^serve: ca (\S+)$", server.log_text()).group(1)
    assert list(people) == ["first@example.org", "o"]
    both = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5 ANONYMOUS"
    plus = "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS"
    tls = ssl.create_default_context(cafile=ca)
    known = ssl.create_default_context(cafile=ca)
    known.load_cert_chain(people["first@example.org"])
    for port in (server.port, server.tls_port):
        for context, offered in ((tls, plus), (known, plus + " EXTERNAL")):
            direct = port == server.tls_port
            session = connect(port, context if direct else None)
            if not direct:
                assert offered_by(session) == both.split()
                session.stls(context)
            assert offered_by(session) == (offered + " " + both).split()
            if context is known:
                session.ok("AUTH EXTERNAL =")
            else:
                session.ok("AUTH ANONYMOUS =")
            assert session.stat()[0] == 3
            session.quit()
    # A password that no field of the users file can hold as it is.
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        session = connect(server.port)
        assert scram(session, mechanism, *users[0][:2])[0].startswith(b"+OK")
    session = connect(server.port)
    stamp = re.search(rb"<.*>", session.greeting).group()
    session.ok("APOP o " + hashlib.md5(stamp + b"secret").hexdigest())


def offered_by(session):
    return [w.decode() for line in session.listing("CAPA")
            for w in line.split()[1:] if line.startswith(b"SASL ")]


def test_errors_are_told(place):
    """No server, no "ready", a reason."""
    port = free_port()
    blocker = pop3.socket.socket()
    blocker.bind(("127.0.0.1", port))
    blocker.listen()
    fragment = place.path + "/fragment"
    with open(fragment, "w") as f:
        f.write("nonsense = 1\n")
    box = place.maildir()
    for more in (["--port", str(port)],
                 ["--port", str(free_port()), "--config", fragment]):
        done = subprocess.run(
            [TOP + "/tests/serve", "--user", "u", "p", box, *more],
            capture_output=True, timeout=30,
            env={**os.environ, "TMPDIR": place.path})
        assert done.returncode != 0
        assert done.stdout == b""
        assert done.stderr
    blocker.close()
    wait_until(lambda: not [name for name in os.listdir(place.path)
                            if name.startswith("malote-serve.")])


def test_sigterm_during_the_start(place):
    box = place.maildir()
    for delay in (0, 0.01, 0.03, 0.06, 0.1, 0.15):
        process = subprocess.Popen(
            [TOP + "/tests/serve", "--user", "u", "p", box, "--port",
             str(free_port())], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ,
                                            "TMPDIR": place.path})
        time.sleep(delay)
        family = children(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        wait_until(lambda: not [pid for pid in family if alive(pid)])
    wait_until(lambda: not [name for name in os.listdir(place.path)
                            if name.startswith("malote-serve.")])


def test_sigterm_before_anybody_minds(place):
    """As soon as its directory is there."""
    os.mkdir(place.path + "/early")
    with open(place.path + "/early/sitecustomize.py", "w",
              encoding="ascii") as f:
        f.write("import os, tempfile\n"
                "make = tempfile.mkdtemp\n"
                "def made(**words):\n"
                "    path = make(**words)\n"
                "    open(os.environ['TMPDIR'] + '/made', 'w').close()\n"
                "    os.kill(os.getpid(), %d)\n"
                "    return path\n"
                "tempfile.mkdtemp = made\n" % signal.SIGTERM)
    ended = subprocess.run(
        [TOP + "/tests/serve", "--user", "u", "p", place.maildir(), "--port",
         str(free_port())], capture_output=True, timeout=30, check=False,
        env={**os.environ, "TMPDIR": place.path,
             "PYTHONPATH": place.path + "/early"})
    assert ended.returncode == -signal.SIGTERM
    assert os.path.exists(place.path + "/made")
    wait_until(lambda: not [name for name in os.listdir(place.path)
                            if name.startswith("malote-serve.")])
