"""malote daemon: again and again, until it is told to end."""
import contextlib
import os
import re
import signal
import socket
import threading
import time

import pytest

import faults
import hostile
import malote
from hostile import letters
from malote import same
from server import memory, wait_until

pytestmark = malote.NEEDED


@pytest.fixture
def daemon():
    """daemon(malote, ...): runs until the end of the test."""
    started = []

    def start(m, *words, **more):
        started.append(m.start("daemon", *words, **more))
        return started[-1]

    yield start
    for run in started:
        if not run.poll():
            run.kill()
            wait_until(run.poll)


def end(run, number=signal.SIGTERM, seconds=4.5, status=malote.OK):
    start = time.monotonic()
    run.signal(number)
    done = run.wait(60, status)
    assert time.monotonic() - start < seconds
    return done


def polls(server):
    return len(server.commands("STAT"))


def fds(pid):
    found = {}
    for name in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(OSError):
            found[name] = os.readlink("/proc/%d/fd/%s" % (pid, name))
    return found


def test_collects_what_comes(lie, client, daemon):
    """Says nothing while all is well."""
    server = lie(letters(2))
    m = client().account(at=server, interval="1s", keep="no")
    run = daemon(m)
    wait_until(lambda: len(m.files()) == 2)
    server.box.mails.extend(letters(3, 20, "later%d"))
    wait_until(lambda: len(m.files()) == 5, 5)
    wait_until(lambda: polls(server) >= 4)
    done = end(run)
    assert server.box.mails == []
    assert "messages" not in done.text and b"\x1b" not in done.out
    opened = [x.at for x in server.lines if x.text == "open"]
    gaps = [b - a for a, b in zip(opened, opened[1:])]
    assert 0.85 < min(gaps) and max(gaps) < 1.5, gaps


def test_each_account_at_its_interval(lie, client, daemon):
    often, seldom = lie(letters(1)), lie(letters(1, 3))
    m = client().account("often", at=often, interval="1s")
    m.account("seldom", at=seldom, interval="1h")
    run = daemon(m)
    wait_until(lambda: polls(often) >= 3)
    end(run)
    assert polls(seldom) == 1


def test_only_the_named(lie, client, daemon):
    one, two = lie(letters(1)), lie(letters(1))
    m = client().account("one", at=one).account("two", at=two)
    run = daemon(m, "two")
    wait_until(lambda: len(m.files()) == 1)
    end(run)
    assert one.lines == []


def test_server_goes_and_comes_back(lie, client, daemon):
    """Said on standard error; then all is as before."""
    server = lie(letters(2))
    m = client().account(at=server, interval="1s")
    run = daemon(m)
    wait_until(lambda: len(m.files()) == 2)
    server.settle()
    server.stop()
    time.sleep(2.5)
    assert not run.poll()
    again = lie(server.box.mails + letters(2, 30, "later%d"))
    again.listener.close()  # where the old one was
    with contextlib.closing(Moved(again, server.port)):
        wait_until(lambda: len(m.files()) == 4)
        same(m.files().values(), [x.local for x in again.box.mails])
        done = end(run)
    assert "127.0.0.1" in done.text


class Moved:
    """A hostile server at another port than it began at."""

    def __init__(self, server, port):
        server.port = port
        self.server = server
        server.thread.join(10)
        server.listener = socket.create_server(("127.0.0.1", port))
        server.thread = threading.Thread(target=server._accept, daemon=True)
        server.thread.start()

    def close(self):
        self.server.stop()


@pytest.mark.parametrize("where", ["GREETING", "STAT", "RETR", "QUIT"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_in_the_middle(lie, client, daemon, where, number):
    """Whatever it is waiting for."""
    server = lie(letters(4))
    fault = server.fault(where, faults.stall(0))
    m = client().account(at=server, interval="1s", timeout=60)
    run = daemon(m)
    wait_until(lambda: fault.fired)
    time.sleep(0.1)
    end(run, number, status=None)
    server.heal()
    m.collect()
    same(m.files().values(), [x.local for x in server.box.mails])


def test_ends_while_it_waits_for_another_try(client, daemon):
    """And when no server is there at all."""
    m = client().account(at=hostile.free_port(), interval="1h")
    run = daemon(m)
    time.sleep(0.5)
    end(run, status=None)


def test_ends_while_a_command_runs(lie, client, daemon, place):
    """The message that is being handed over is waited for, the others come
    another time."""
    server = lie(letters(20))
    m = client()
    script = m.home + "/slow"
    with open(script, "w") as f:
        f.write("#!/bin/sh\ncat >/dev/null\necho x >>%s/took\nsleep 0.5\n"
                % m.home)
    os.chmod(script, 0o700)
    m.account(at=server, keep="no", deliver="command:" + script)
    run = daemon(m)
    wait_until(lambda: os.path.exists(m.home + "/took"))
    end(run, seconds=4, status=None)
    with open(m.home + "/took") as f:
        took = len(f.readlines())
    assert took < 10
    server.heal()
    assert m.collect("--json").account("casa")["collected"] == 20 - took
    assert server.box.mails == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_does_not_grow(lie, client, daemon):
    """Neither memory nor descriptors, over failures of all kinds too."""
    server = lie(letters(300))
    m = client().account(at=server, interval="1s", keep="yes", timeout=2)
    # Some other ways to end: refused, a command that fails, no such name.
    m.account("refused", at=hostile.free_port(), interval="1s")
    m.account("silent", at=lie(letters(3), without=["UIDL", "TOP"]),
              interval="1s", password=None, password_command="exit 3")
    m.account("command", at=lie(letters(3)), interval="1s", keep="yes",
              deliver="command:/bin/false")
    run = daemon(m)
    wait_until(lambda: polls(server) >= 6, 60)
    before, open_before = memory(run.pid), fds(run.pid)
    wait_until(lambda: polls(server) >= 56, 120)
    grown = memory(run.pid) - before
    now = fds(run.pid)
    end(run, status=None)
    assert grown < 1 << 20, grown
    # A session and its storing may be under way.
    assert len(now) <= len(open_before) + 12, (open_before, now)


def test_descriptors_between_polls(lie, client, daemon):
    """The same ones after each, none of a database or a lock."""
    server = lie(letters(30))
    m = client().account(at=server, interval="1s")
    run = daemon(m)
    seen = []
    for n in range(1, 5):
        wait_until(lambda n=n: sum(
            1 for x in server.lines if x.text == "close") >= n, 20)
        time.sleep(0.3)
        seen.append(sorted(re.sub(r"\d+", "N", x)
                           for x in fds(run.pid).values()))
    end(run)
    assert seen[0] == seen[1] == seen[2] == seen[3], seen
    assert not [x for x in seen[0] if m.state in x]


def test_two_daemons(lie, client, daemon):
    """Nothing twice; both live, and one session at a time."""
    server = lie(letters(20))
    m = client().account(at=server, interval="1s", keep="no")
    wanted = [x.local for x in server.box.mails]
    runs = [daemon(m), daemon(m, write=False)]
    more = letters(10, 40, "later%d")
    wait_until(lambda: server.box.mails == [])
    server.box.mails.extend(more)
    wait_until(lambda: server.box.mails == [])
    time.sleep(1.5)
    for run in runs:
        assert not run.poll()
        end(run, status=None)
    same(m.files().values(), wanted + [x.local for x in more])


def test_one_shot_beside_a_daemon(lie, client, daemon):
    server = lie(letters(3))
    m = client().account(at=server, interval="1s")
    run = daemon(m)
    for _ in range(6):
        m.run("collect", write=False)
        m.run("status", write=False)
    end(run, status=None)
    same(m.files().values(), [x.local for x in server.box.mails])


# What it says.  (--quiet: without the warning that there is no TLS.)

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d casa: ")


def test_a_failure_is_said_once(lie, client, daemon):
    """However often it is tried; and that it works again; with the time."""
    server = lie(letters(1))
    server.fault("GREETING", faults.err("[SYS/TEMP] later"), times=3)
    m = client().account(at=server, interval="1s", patience=0)
    run = daemon(m, "--quiet")
    wait_until(lambda: polls(server) >= 2)
    said = end(run).text.splitlines()
    assert len(said) == 2, said
    assert all(STAMP.match(x) for x in said), said
    assert "later" in said[0] and "works again" in said[1]


def test_each_kind_of_failure_is_said(lie, client, daemon):
    """One that takes the place of another is no news that it works."""
    server = lie(letters(1))
    server.fault("GREETING", faults.err("[SYS/TEMP] later"), times=2)
    server.fault("STAT", faults.err("[SYS/PERM] broken"), times=faults.ALWAYS)
    m = client().account(at=server, interval="1s", patience=0)
    run = daemon(m, "--quiet")
    wait_until(lambda: polls(server) >= 3)
    said = end(run, status=None).text.splitlines()
    assert len(said) == 2, said
    assert "later" in said[0] and "broken" in said[1]


def test_another_malote_is_no_change(lie, client, daemon):
    """Nor is the end of the daemon."""
    server = lie(letters(3))
    server.fault("STAT", faults.wait(2.5))
    m = client().account(at=server, interval="1s")
    other = m.start("collect", "--quiet")
    wait_until(lambda: polls(server) == 1)
    run = daemon(m, "--quiet", write=False)
    other.wait()
    wait_until(lambda: polls(server) >= 3)
    server.fault("STAT", faults.stall())
    wait_until(lambda: polls(server) >= 4)
    assert end(run).text == ""


def test_json_says_it_too(lie, client, daemon):
    """The object comes at the very end: nobody would hear of it until then."""
    server = lie(letters(1))
    server.fault("STAT", faults.err("[SYS/PERM] broken"), times=faults.ALWAYS)
    m = client().account(at=server, interval="1s")
    run = daemon(m, "--json", "--quiet")
    wait_until(lambda: "broken" in errors(m))
    wait_until(lambda: polls(server) >= 3)
    done = end(run)
    assert done.err.count(b"broken") == 1
    assert done.account("casa")["outcome"] == "server"


def test_the_record_is_taken_away(lie, client, daemon):
    """It is made anew from the mail that is here, as by any run."""
    server = lie(letters(3))
    m = client().account(at=server, interval="1s")
    run = daemon(m, "--quiet")
    wait_until(lambda: len(m.files()) == 3)
    server.settle()
    m.lose_state()
    server.box.mails.extend(letters(2, 20, "later%d"))
    wait_until(lambda: len(m.files()) == 5)
    n = polls(server)
    wait_until(lambda: polls(server) >= n + 2)
    assert "state" not in end(run).text
    same(m.files().values(), [x.local for x in server.box.mails])


def test_login_delay_is_kept(lie, client, daemon):
    """C-2449-03: however short the interval is; else it would fail and work in
    turn."""
    server = lie(letters(1), capa=hostile.CAPA + ["LOGIN-DELAY 3"])
    m = client().account(at=server, interval="1s")
    run = daemon(m)
    wait_until(lambda: polls(server) >= 3, 20)
    end(run)
    opened = [x.at for x in server.lines if x.text == "open"]
    assert min(b - a for a, b in zip(opened, opened[1:])) > 2.9, opened


# What was forgotten.

def test_forgotten_while_it_runs(lie, client, daemon):
    """It is not collected again, though the daemon has not read that yet."""
    server = lie(letters(2))
    m = client().account(at=server, interval="1s", deliver="command:cat")
    run = daemon(m, "--quiet")
    wait_until(lambda: polls(server) >= 2)
    m.run("forget", "--yes", "--block", "casa", write=False)
    wait_until(lambda: "was forgotten" in errors(m))
    assert len(server.commands("RETR")) == 2
    assert "casa" not in m.run("status", write=False, status=None).text
    end(run)


# SIGHUP.

def errors(m):
    """What it has said so far."""
    with open(m.home + "/stderr", encoding="utf-8") as f:
        return f.read()


def reload(m, run, answer="read again"):
    before = errors(m).count(answer)
    run.signal(signal.SIGHUP)
    wait_until(lambda: errors(m).count(answer) > before)


def test_reload(lie, client, daemon):
    """One account comes, one goes, one is at another server now, and one is
    as it was: nothing of it comes twice."""
    stays, goes, moves, there, comes = [lie(letters(2, n)) for n in range(5)]
    m = client()
    for name, server in (("stays", stays), ("goes", goes), ("moves", moves)):
        m.account(name, at=server, interval="1s")
    run = daemon(m, "--quiet")
    wait_until(lambda: len(m.files()) == 6)
    del m.accounts["goes"]
    m.account("moves", at=there)
    m.account("comes", at=comes, interval="1s").write()
    reload(m, run)
    wait_until(lambda: len(m.files()) == 10)
    for server in (goes, moves):
        server.forget()
    for server in (stays, there, comes):
        n = polls(server)
        wait_until(lambda: polls(server) > n)
    assert polls(goes) == polls(moves) == 0
    end(run)
    same(m.files().values(), [x.local for s in (stays, goes, moves, there,
                                                comes) for x in s.box.mails])


def test_reload_of_an_interval(lie, client, daemon):
    """What was an hour is a second."""
    server = lie(letters(1))
    m = client().account(at=server, interval="1h")
    run = daemon(m)
    wait_until(lambda: len(m.files()) == 1)
    m.account(interval="1s").write()
    reload(m, run)
    wait_until(lambda: polls(server) >= 4)
    end(run)


@pytest.mark.parametrize("text, word", [
    ("account casa { server = ", "malote.conf:1"), ("", "no account"),
    ('account "b" { server = "x" user = "y@z" }\n', "no account casa"),
    (None, "malote.conf")])
def test_reload_of_a_mistake(lie, client, daemon, text, word):
    """It is said, and all goes on as it was."""
    server = lie(letters(1))
    m = client().account(at=server, interval="1s")
    run = daemon(m, "casa")
    wait_until(lambda: len(m.files()) == 1)
    if text is None:
        os.unlink(m.conf)
    else:
        m.write_conf(text)
    reload(m, run, "stays as it was")
    server.box.mails.extend(letters(1, 20, "later%d"))
    wait_until(lambda: len(m.files()) == 2)
    m.write()
    reload(m, run)
    assert word in end(run).text


@pytest.mark.parametrize("change", ["nothing", "server", "gone"])
def test_reload_during_a_run(lie, client, daemon, change):
    """It finishes; nothing waits for it but its own account."""
    slow, other, quick = [lie(letters(3, n)) for n in range(3)]
    fault = slow.fault("RETR", faults.wait(3))
    m = client().account(at=slow, interval="1h", keep="no")
    m.account("quick", at=quick, interval="1s")
    run = daemon(m)
    wait_until(lambda: fault.fired)
    if change == "server":
        m.account(at=other)
    if change == "gone":
        del m.accounts["casa"]
    m.write()
    reload(m, run)
    n = polls(quick)
    wait_until(lambda: polls(quick) > n)
    assert slow.box.mails, "it is slow no more"
    wait_until(lambda: slow.box.mails == [])
    if change == "server":
        wait_until(lambda: other.box.mails == [])
    elif change == "nothing":
        wait_until(lambda: polls(slow) == 2)
    n = polls(quick)
    wait_until(lambda: polls(quick) > n)
    assert "another malote" not in end(run).text
    slow.settle()
    assert polls(slow) == (2 if change == "nothing" else 1)
    same(m.files().values(), [x.local for s in (slow, other) for x in
                              s.box.removed]
         + [x.local for x in quick.box.mails])


def test_reload_says_no_failure_twice(lie, client, daemon):
    server = lie(letters(1))
    server.fault("STAT", faults.err("[SYS/PERM] broken"), times=faults.ALWAYS)
    m = client().account(at=server, interval="1s")
    run = daemon(m)
    wait_until(lambda: "broken" in errors(m))
    reload(m, run)
    n = polls(server)
    wait_until(lambda: polls(server) >= n + 2)
    assert end(run).text.count("broken") == 1


def test_reload_tells_whether_it_has_helped(lie, client, daemon):
    """Whoever has mended the password wants to know."""
    server = lie(letters(1))
    m = client().account(at=server, interval="1s", password="wrong")
    run = daemon(m, "--quiet")
    for n, password in enumerate(["wrong2", "wrong2", "secret"], 1):
        wait_until(lambda n=n: errors(m).count("sign-in refused") == n)
        m.account(password=password).write()
        reload(m, run)
    wait_until(lambda: "casa: works again" in errors(m))
    assert end(run).text.count("sign-in refused") == 3
    assert len(server.commands("AUTH")) == 3


def test_reload_does_not_grow(lie, client, daemon):
    """What was read before is given back, however large."""
    m = client().account(at=lie(letters(1)), interval="1s")
    for n in range(1000):
        m.account("other%d" % n, at=1)
    run = daemon(m, "--quiet", "casa")
    wait_until(lambda: len(m.files()) == 1)
    seen = []
    for _ in range(8):
        for _ in range(5):
            reload(m, run)
        seen.append(memory(run.pid))
    # What is not given back shows in all that comes later.  The allocator may
    # hold more for a while, where threads come upon each other.
    assert min(seen[4:]) < min(seen[:4]) + (8 << 20), seen
    end(run)


def test_a_terminal_that_is_closed_ends_it(lie, client, typist):
    """A daemon that was started by hand there does not live on unseen."""
    server = lie(letters(1))
    m = client().account(at=server, interval="1s")
    t = typist(m, "daemon")
    wait_until(lambda: polls(server) >= 1)
    os.kill(t.pid, signal.SIGHUP)
    t.expect(b"read again")
    os.close(t.fd)
    ended = []
    wait_until(lambda: ended or ended.append(
        os.waitpid(t.pid, os.WNOHANG)[0]) or ended[-1] or ended.clear())
    t.code, t.fd = 0, os.open("/dev/null", os.O_RDONLY)
