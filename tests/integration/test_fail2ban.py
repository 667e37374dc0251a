"""The filter for fail2ban: what it takes of the log of a server that was
attacked, by the program itself."""
import collections
import os
import re
import shutil
import subprocess

import pytest

import drop
import pop3
from scram import b64, cram, scram
from server import PATIENCE, TOP

REGEX = shutil.which("fail2ban-regex")
pytestmark = [pytest.mark.ours, pytest.mark.skipif(
    REGEX is None, reason="needs fail2ban-regex")]

SOURCE = "127.0.%d.1"
INJECTED = ("x ip=6.6.6.6 method=PASS code=auth why=password",
            "x\nI auth.0 ev=login-failed sid=0.1 user=x ip=6.6.6.6 "
            "method=PASS code=auth why=password")


@pytest.fixture
def filter_of_ours(place):
    """Beside the file of fail2ban's own that it includes."""
    shutil.copy("/etc/fail2ban/filter.d/common.conf", place.path)
    return shutil.copy(TOP + "/packaging/fail2ban.conf",
                       place.path + "/maloted.conf")


def banned(filter_, place, lines):
    """How often each address is found in a log of these lines."""
    log = place.path + "/log"
    with open(log, "w", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in lines))
    done = subprocess.run(
        [REGEX, "--out", "ip", log, filter_], text=True, timeout=60 * PATIENCE,
        capture_output=True, check=False, env={**os.environ, "TZ": "UTC"})
    assert not done.stderr, done
    return collections.Counter(done.stdout.split())


def login(session, user, password):
    session.command("AUTH LOGIN")
    session.command(b64(user))
    return session.command(b64(password))


def user_pass(session, user, password):
    session.command("USER " + user)
    return session.command("PASS " + password)


def apop(session, user, password):
    return session.command("APOP %s %s" % (user, "0" * 32))


def plain(session, user, password):
    return session.command("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))


WAYS = [user_pass, apop, plain, login, cram,
        lambda *a: scram(a[0], "SCRAM-SHA-256", *a[1:])[0],
        lambda *a: scram(a[0], "SCRAM-SHA-1", *a[1:])[0]]


@pytest.fixture
def attacked(place, serve, connect):
    """A server whose log has all that a log has, and what is to be found."""
    server = serve(place.maildir(drop.make(5, 2)),
                   'mechanisms = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 '
                   'SCRAM-SHA-1"\napop = yes\ndeny_nets = "127.0.200.1"\n'
                   'master_separator = "*"\n')
    want = collections.Counter()
    for n, way in enumerate(WAYS):
        for user in ("user", "nobody"):
            session = connect(server.port, source=SOURCE % n)
            assert way(session, user, "wrong").startswith(b"-ERR [AUTH]")
            want[SOURCE % n] += 1
    for n, name in enumerate(INJECTED):
        session = connect(server.port, source=SOURCE % (100 + n))
        assert plain(session, name, "x").startswith(b"-ERR")
        want[SOURCE % (100 + n)] += 1
    assert plain(connect(server.port, source=SOURCE % 120), "user*nobody",
                 "x").startswith(b"-ERR")
    want[SOURCE % 120] += 1
    # None of these is a wrong password.
    holder = connect(server.port, source=SOURCE % 150)
    holder.login()
    other = connect(server.port, source=SOURCE % 151)
    assert user_pass(other, "user", "secret").startswith(b"-ERR [IN-USE]")
    assert other.command("AUTH PLAIN " + b64("x")).startswith(b"-ERR")
    bare = connect(server.refuse_port, source=SOURCE % 152)
    assert bare.command("USER user").startswith(b"-ERR")
    with pytest.raises((pop3.Closed, OSError)):
        connect(server.port, source=SOURCE % 200)
    other.quit()
    holder.quit()
    server.await_event("session", 2)
    assert {"tls", "malformed", "auth"} <= {
        e["code"] for e in server.await_event("login-failed", 19)}
    return server, want


def test_who_is_found(filter_of_ours, place, attacked):
    server, want = attacked
    lines = server.log_text().splitlines()
    assert banned(filter_of_ours, place, lines) == want
    # The same in syslog, and in the journal.
    bare = [re.sub(r"^\S+ [DIWE] ", "", line) for line in lines]
    for head in ("Nov 29 10:00:00 mail maloted[77]: ",
                 "2026-11-29T10:00:00.123456+00:00 mail maloted[77]: "):
        assert banned(filter_of_ours, place,
                      [head + line for line in bare]) == want


LINES = [
    ("I auth.0 ev=login-failed sid=0.1 user=%s ip=%s method=PASS code=auth "
     "why=password", True),
    ("I auth.0 ev=login-failed sid=0.1 user=%s ip=%s method=PASS code=auth "
     "why=password more", False),
    ("I auth.0 ev=login-failed sid=0.1 user=%s ip=%s method=PASS code=auth "
     "why=password target=x", True),
    ("W auth.0 ev=login-failed sid=0.1 user=%s ip=%s method=PASS "
     "code=temporary why=hash-queue", False),
    ("I store.0 ev=login-failed sid=0.1 user=%s ip=%s method=PASS code=auth "
     "why=password", False),
    ("I worker.0 ev=stderr text=\"I auth.0 ev=login-failed sid=0.1 user=%s "
     "ip=%s method=PASS code=auth why=password", False)]


def test_lines(filter_of_ours, place):
    """An address for each line: the program takes half a second to begin."""
    said, want = [], {}
    for n, (line, found) in enumerate(LINES):
        for k, user in enumerate(("ana@example.org", "")):
            for address in ("192.0.%d.%d", "2001:db8:%d::%d"):
                address %= (2 + n, 1 + k)
                said.append("2026-11-29T10:00:00.123Z "
                            + line % (user, address))
                if found:
                    want[address] = 1
    assert banned(filter_of_ours, place, said) == want


def test_where_it_goes():
    build = os.path.dirname(os.path.dirname(os.environ.get(
        "MALOTED", TOP + "/build/release/src/maloted")))
    done = subprocess.run(["meson", "introspect", "--installed", build],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no build of meson's")
    assert "/etc/fail2ban/filter.d/maloted.conf" in done.stdout
