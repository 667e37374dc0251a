"""Where passwords and tokens come from, and what becomes of them."""
import os
import shutil
import signal
import time

import pytest

import faults
import malote
from hostile import letters
from server import wait_until

pytestmark = malote.NEEDED
COUNT = 2


@pytest.fixture
def server(lie, certs):
    return lie(letters(COUNT), mode="tls", context=certs.context())


@pytest.fixture
def m(client, server, certs):
    return client().account(at=server, server="localhost", ca_file=certs.ca,
                            password=None)


# Commands.

@pytest.mark.parametrize("command", [
    "echo secret", "printf secret", "printf 'secret\\r\\nmore\\n'",
    "echo secret; echo noise >&2", "x=$(echo sec)ret; echo $x",
    "echo secret; head -c 100000 /dev/zero", "cat; echo secret",
    "(sleep 5 &) ; echo secret", "exec echo secret"])
def test_password_command(m, command):
    """A shell's; its first line; what it leaves behind is not waited for."""
    m.account(password_command=command)
    start = time.monotonic()
    m.collect()
    assert time.monotonic() - start < 3
    assert len(m.files()) == COUNT


@pytest.mark.parametrize("setting", ["password_command", "token_command"])
def test_command_knows_the_account(lie, client, certs, setting):
    """So that all of them can have the same."""
    m = client()
    m.env["MALOTE_ACCOUNT"] = "of another program"
    for name in ("casa", "loja da Ana"):
        server = lie(letters(COUNT, len(name)), mode="tls",
                     context=certs.context(), sasl=["PLAIN", "XOAUTH2"])
        server.password = server.token = \
            name.replace(" ", ".") + ".ana." + name[:4]
        m.account(name, at=server, server="localhost", ca_file=certs.ca,
                  email="ana@" + name[:4], password=None,
                  **{setting: 'echo "$MALOTE_ACCOUNT $MALOTE_EMAIL"'
                              " | tr ' @' .."})
    m.collect()
    assert len(m.files()) == 2 * COUNT


@pytest.mark.parametrize("command, words", [
    ("exit 3", "exit code 3"), ("true", "printed nothing"),
    ("echo", "nothing"), ("kill -9 $$", "signal 9"),
    ("echo no luck >&2; exit 1", "no luck"),
    ("printf '\\033[31mred' >&2; exit 1", "red"),
    ("yes", "without end"), ("no-such-command-here", "is not there: "),
    ("head -c 200000 /dev/zero | tr '\\0' x", "too long"),
    ("printf 'a\\000b\\n'", "control character"),
    ("printf 'secret\\rDELE 1\\n'", "control character")])
def test_password_command_that_fails(m, server, command, words):
    """C-ENG-21: said in its own words, cleaned; nobody is asked."""
    m.account(password_command=command)
    done = m.collect(status=malote.CONFIG)
    assert words in done.text and "\x1b" not in done.text
    assert server.lines == []


def test_password_command_that_is_slow(m, server):
    """Ended, with all that it has started."""
    m.account(timeout=1, password_command="echo $$ >pid; sleep 1000; echo x")
    start = time.monotonic()
    done = m.collect(status=malote.CONFIG)
    assert time.monotonic() - start < 4
    assert "within 1 s" in done.text
    with open(m.home + "/pid") as f:
        wait_until(lambda pid=f.read().strip(): not os.path.exists(
            "/proc/" + pid), 3)


def test_stopped_while_it_is_asked(m, server):
    m.account(password_command="echo $$ >pid; sleep 1000")
    run = m.start("collect")
    wait_until(lambda: os.path.exists(m.home + "/pid")
               and os.path.getsize(m.home + "/pid"))
    run.signal(signal.SIGTERM)
    start = time.monotonic()
    run.wait(status=malote.TEMPFAIL)
    assert time.monotonic() - start < 2
    with open(m.home + "/pid") as f:
        wait_until(lambda pid=f.read().strip(): not os.path.exists(
            "/proc/" + pid), 3)


def test_what_a_command_inherits(m):
    m.account(password_command="ls /proc/self/fd >fds; echo secret")
    m.collect()
    with open(m.home + "/fds") as f:
        assert set(f.read().split()) <= {"0", "1", "2", "3"}


def test_each_is_asked_at_the_same_time(lie, client):
    """A slow one holds up nobody."""
    m = client()
    for n in range(4):
        m.account("a%d" % n, at=lie(letters(1, n)), password=None,
                  password_command="sleep 1; echo secret")
    start = time.monotonic()
    m.collect()
    assert time.monotonic() - start < 3
    assert len(m.files()) == 4


# Tokens.

def counted(m, *tokens):
    """A command that prints one of them each time, the last one for ever."""
    m.account(token_command="n=$(cat asked 2>/dev/null || echo 0); echo "
              "$((n + 1)) >asked; set -- %s; while test $n -gt 0 && test $# "
              "-gt 1; do shift; n=$((n - 1)); done; echo $1"
              % " ".join(tokens))


def asked(m):
    with open(m.home + "/asked") as f:
        return int(f.read())


@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer", "auto"])
def test_token_refreshed_once(m, server, auth):
    """M-44: the command is asked again, in one more session."""
    server.sasl = ["PLAIN", "XOAUTH2", "OAUTHBEARER"]
    counted(m, "stale", "t0k3n")
    m.account(auth=auth).collect()
    assert asked(m) == 2 and len(m.files()) == COUNT
    assert "PLAIN" not in "".join(server.commands("AUTH"))


@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_token_refused_twice(m, server, auth):
    """No third time, and no other way."""
    server.sasl = ["PLAIN", auth.upper()]
    counted(m, "stale", "staler", "t0k3n")
    m.account(auth=auth, password="secret").collect(status=malote.NOPERM)
    assert asked(m) == 2
    assert len(server.commands("AUTH")) == 2
    assert server.commands("STAT") == []


@pytest.mark.parametrize("length", [100, 1000])
def test_token_lines(m, server, length):
    """In a line of its own, as Exchange Online wants it."""
    server.sasl, server.token = ["XOAUTH2"], "t" * length
    m.account(auth="xoauth2",
              token_command="printf 't%%.0s' $(seq %d)" % length)
    m.collect()
    said = server.commands("AUTH")
    assert said == ["AUTH XOAUTH2"]


@pytest.mark.parametrize("command, words", [
    ("exit 1", "token_command failed"), ("true", "printed nothing"),
    ("sleep 1000", "did not end")])
def test_token_command_that_fails(m, server, command, words):
    server.sasl = ["PLAIN", "XOAUTH2"]
    m.account(auth="xoauth2", token_command=command, timeout=1)
    done = m.collect(status=malote.CONFIG)
    assert words in done.text
    assert server.lines == []


def test_no_token_without_tls(lie, client):
    """C-ENG-04: as little as a password, unless the account says so."""
    server = lie(letters(1), sasl=["XOAUTH2"])
    m = client().account(at=server, security=None, timeout=2, password=None,
                         auth="xoauth2", token_command="echo t0k3n")
    m.collect(status="bad")
    assert b"t0k3n" not in server.clear_octets
    assert server.commands("AUTH") == []


def test_verbose_masks_tokens(m, server):
    server.sasl = ["XOAUTH2"]
    server.fault("CHALLENGE", faults.wait(0))
    m.account(auth="xoauth2", token_command="echo t0k3n")
    done = m.collect("--verbose")
    said = server.commands("AUTH")[0].split()
    for secret in ["t0k3n"] + said[2:]:
        assert secret not in done.text


# The keyring.

KEYRING = all(shutil.which(x) for x in (
    "gnome-keyring-daemon", "secret-tool", "dbus-run-session"))


@pytest.mark.skipif(not KEYRING, reason="needs gnome-keyring, secret-tool")
@pytest.mark.parametrize("stored, code", [
    ("secret", malote.OK), ("wrong", malote.NOPERM), (None, malote.CONFIG)])
def test_keyring(m, server, stored, code):
    """C-ENG-21: put there as malote.conf(5) says it."""
    os.mkdir(m.home + "/run", 0o700)
    put = "true"
    if stored:
        put = ("printf %s | secret-tool store --label='Mail of casa' service "
               "pop3 host localhost user user" % stored)
    script = ("printf x | gnome-keyring-daemon --unlock --components=secrets "
              ">/dev/null 2>&1; %s && \"$@\"" % put)
    m.account(keyring="yes")
    done = m.collect(status=code, env={
        "XDG_RUNTIME_DIR": m.home + "/run",
        "XDG_DATA_HOME": m.home + "/data"},
        wrap=["dbus-run-session", "--", "sh", "-c", script, "sh"])
    assert len(m.files()) == (COUNT if code == 0 else 0)
    if stored is None:
        assert "secret-tool" in done.text and server.lines == []


def test_no_keyring(m, server):
    """No bus, as from a timer at night."""
    m.account(keyring="yes")
    done = m.collect(status=malote.CONFIG, env={
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
    assert "keyring" in done.text and server.lines == []


# In memory.

def test_no_core_dump(m, server):
    """C-ENG-21: what holds a password leaves none."""
    m.account(password="secret")
    server.fault("STAT", faults.wait(1))
    run = m.start("collect")
    wait_until(lambda: server.commands("STAT"))
    with open("/proc/%d/limits" % run.pid) as f:
        core = [x for x in f if x.startswith("Max core")][0]
    with open("/proc/%d/cmdline" % run.pid, "rb") as f:
        assert b"secret" not in f.read()
    run.wait()
    assert core.split()[4:6] == ["0", "0"], core


def test_files_are_the_persons(m, server):
    """Mail and record, with a umask that forbids nothing."""
    m.account(password="secret")
    m.collect(wrap=["sh", "-c", "umask 0; exec \"$@\"", "sh"])
    assert m.files()
    for path, _, names in os.walk(m.home):
        for name in names:
            if path != m.home:  # the harness has made those
                mode = os.stat(os.path.join(path, name)).st_mode
                assert mode & 0o077 == 0, (path, name)
