"""Processes that answer several questions (max_questions_per_process): what one
leaves behind is not met by the next one.
"""
import os
import platform
import re
import signal
import time

import pytest

import accounts
from server import PATIENCE, alive, children, kill, wait_until
from test_databases import await_accepted, crowd
from test_databases_confined import broken_say  # noqa: F401
from test_sandbox import inject  # noqa: F401
from test_verified import (PAM, TEMPORARY, UID, WHY_NOT, WRONG, add,  # noqa: F401
                           at_work, by_program, hanging, machine, pids_in,
                           program, start, trick)

pytestmark = [pytest.mark.ours,
              pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)]
AGAIN = "max_questions_per_process = %d "
# One that nobody types, and that is not in any program.
SECRET = "q9-Ziegelbrenner-%d"


def the(site):
    pid, = site.server.roles("pam")
    return pid


def asked(trick):
    return pids_in(trick + ".asked")


@pytest.fixture
def fresh(trick, machine):  # noqa: F811
    """fresh(what): a service that asks the module only, which has asked nothing."""
    def use(what):
        if os.path.exists(trick + ".asked"):
            os.remove(trick + ".asked")
        machine.service("auth required %s %s\naccount required pam_permit.so\n"
                        % (trick, what))
    return use


def test_as_many_as_it_says(start, connect, fresh, trick):  # noqa: F811
    """One after the other, and no process has more."""
    fresh("nothing")
    site = start(PAM % (AGAIN % 3))
    for _ in range(7):
        site.accepts(connect, "ann")
    pids = asked(trick)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    wait_until(lambda: not any(alive(pid) for pid in pids[:6]))


def test_one_by_default(start, connect, fresh, trick):  # noqa: F811
    fresh("nothing")
    site = start(PAM % "")
    for _ in range(3):
        site.accepts(connect, "ann")
    assert len(set(asked(trick))) == 3


def test_unix(start, connect, machine, place):  # noqa: F811
    """Each answer is that to its question, and what changes counts at once."""
    add(machine, place, "bob", UID + 1, password="other")
    add(machine, place, "old", UID + 2, expires="19000")
    site = start(PAM % (AGAIN % 100))
    for _ in range(3):
        site.accepts(connect, "ann")
        site.accepts(connect, "bob", "other")
        for name, password in (("ann", "other"), ("bob", "secret"),
                               ("nobody", "secret"), ("root", "secret")):
            assert site.refusal(connect, name, password) == WRONG
        said = site.refusal(connect, "old", "secret")
        assert said.startswith(b"-ERR [AUTH]") and said != WRONG
    assert len(children(the(site))) == 1
    machine.add("ann", "another", UID, "/nonexistent")
    assert site.refusal(connect, "ann", "secret") == WRONG
    machine.service("auth required pam_deny.so\naccount required "
                    "pam_permit.so\n")
    assert site.refusal(connect, "bob", "other") == WRONG
    assert not site.server.events("lookup-failed")


@pytest.mark.parametrize("what", [
    "file", "replaced", "umask", "folder", "handler", "blocked", "timer",
    "thread", "child", "grandchild", "limit", "name", "groups"])
def test_something_is_left(start, connect, fresh, trick, what):  # noqa: F811
    """It has its answer, and is not asked again; nor is there anything left of it."""
    fresh(what)
    site = start(PAM % (AGAIN % 100))
    for _ in range(2):
        site.accepts(connect, "ann")
    assert len(set(asked(trick))) == 2
    wait_until(lambda: not children(the(site)))


def test_variables(start, connect, fresh, trick):  # noqa: F811
    fresh("variable")
    site = start(PAM % (AGAIN % 100))
    for _ in range(3):
        site.accepts(connect, "ann")
    assert len(set(asked(trick))) == 1


@pytest.mark.parametrize("what, why", [
    ("crash", "has died"), ("exit", "has died"), ("say", "makes no sense"),
    ("rename", "another name")])
def test_one_that_breaks(start, connect, machine, place, fresh,  # noqa: F811
                         trick, what, why):  # noqa: F811
    """Only who was asked about then waits; the next one has another process."""
    add(machine, place, "zoe", UID + 1)
    fresh(what + " zoe")
    site = start(PAM % (AGAIN % 100))
    site.accepts(connect, "ann")
    assert site.refusal(connect, "zoe", "secret").startswith(TEMPORARY)
    assert why in site.server.await_event("database")[0]["error"]
    site.accepts(connect, "ann")
    first, second, third = asked(trick)
    assert first == second != third


def test_one_that_hangs(start, connect, machine, place):  # noqa: F811
    """It is ended when its own time is over, with what it has started."""
    add(machine, place, "zoe", UID + 1)
    marker = machine.folder + "/marker"
    with open(machine.folder + "/ask", "w") as f:
        f.write("#!/bin/sh\n[ $PAM_USER = zoe ] && exec %s\nexit 0\n"
                % hanging(place, marker))
    os.chmod(machine.folder + "/ask", 0o755)
    machine.service("auth required pam_exec.so quiet %s/ask\n"
                    "account required pam_permit.so\n" % machine.folder)
    site = start(PAM % (AGAIN % 100 + "timeout = 2"))
    site.accepts(connect, "ann")
    before, = children(the(site))
    waits = connect(site.server.port)
    waits.ok("USER zoe")
    waits.send("PASS secret\r\n")
    wait_until(lambda: pids_in(marker))
    assert alive(before)  # it is the one that was asked
    site.accepts(connect, "ann")
    assert waits.line().startswith(TEMPORARY)
    wait_until(lambda: not alive(before) and not alive(pids_in(marker)[0]))
    site.accepts(connect, "ann")


@pytest.mark.slow
def test_who_is_not_asked_ends(start, connect, fresh, trick):  # noqa: F811
    """Long before an answer would be late."""
    fresh("nothing")
    site = start(PAM % (AGAIN % 100 + "timeout = 60"))
    site.accepts(connect, "ann")
    pid, = asked(trick)
    assert alive(pid)
    wait_until(lambda: not alive(pid))
    site.accepts(connect, "ann")


@pytest.mark.slow
def test_an_answer_may_take_longer(start, connect, fresh, trick):  # noqa: F811
    """Than who is not asked is waited for."""
    fresh("late")
    site = start(PAM % (AGAIN % 100 + "timeout = 60"))
    for _ in range(2):
        site.accepts(connect, "ann")
    assert len(set(asked(trick))) == 1


def test_with_auth(start, connect, fresh, trick):  # noqa: F811
    """Those that wait end with who has asked, as those at work do."""
    fresh("nothing")
    site = start(PAM % (AGAIN % 100))
    site.accepts(connect, "ann")
    auth, = site.server.roles("auth")
    kill(auth)
    wait_until(lambda: not alive(asked(trick)[0]), 3)


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", AGAIN % 100])
@pytest.mark.parametrize("what", ["dies", "hangs"])
def test_under_load(start, connect, machine, place, what, more):  # noqa: F811
    """Who is told no is told to come again, and can: by one process for each, too."""
    site = start(PAM % ("timeout = %d connections = 4 %s" % (
        2 * PATIENCE, more)), config="max_sessions_per_user = 1000\n")
    hangs = "auth required pam_exec.so %s\naccount required pam_permit.so\n" % (
        hanging(place, machine.folder + "/marker"))
    since = None
    for told in crowd(site.server.port, 200, b"ann"):
        if isinstance(told, list):
            break
        if since is None and told >= 30:
            since = time.monotonic()
            if what == "dies":
                kill(the(site))
            else:
                machine.service(hangs)
        elif since and time.monotonic() - since > 1:
            machine.service(accounts.UNIX)
            since = 0
    machine.service(accounts.UNIX)
    assert len(told) == 200
    assert not [line for line in told
                if not line.startswith((b"+OK", TEMPORARY))]
    assert len([line for line in told if line.startswith(b"+OK")]) >= 20
    await_accepted(site, connect, "ann")
    for told in crowd(site.server.port, 20, b"ann"):
        pass
    assert not [line for line in told if not line.startswith(b"+OK")]
    assert site.refusal(connect, "ann", "wrong") == WRONG


# ---- what they remember ----

by_eye = pytest.mark.skipif(
    "asan" in os.environ.get("MALOTED", ""),
    reason="sanitizers have terabytes, and keep aside what is freed")


def memory_has(pid, octets):
    """How often they are in what the process may write to."""
    n = 0
    with open("/proc/%d/maps" % pid, encoding="ascii") as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            at, end, may = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if may[1] != "w":
                continue
            mem.seek(int(at, 16))
            n += mem.read(int(end, 16) - int(at, 16)).count(octets)
    return n


@by_eye
def test_no_password_is_kept(start, connect, machine, place):  # noqa: F811
    """Of who was asked about: neither the first one nor the next."""
    words = [SECRET % n for n in range(4)]
    add(machine, place, "bob", UID + 1, password=words[0])
    site = start(PAM % (AGAIN % 100))
    site.accepts(connect, "bob", words[0])
    assert site.refusal(connect, "bob", words[1]) == WRONG
    site.accepts(connect, "bob", words[0])
    assert site.refusal(connect, "nobody", words[2]) == WRONG
    pid, = children(the(site))
    for word in words:
        assert memory_has(pid, word.encode()) == 0, word
        assert memory_has(the(site), word.encode()) == 0, word


@by_eye
def test_none_is_on_the_stack(start, connect, fresh):
    """A module that wipes nothing."""
    fresh("stack")
    site = start(PAM % (AGAIN % 100))
    site.accepts(connect, "ann", SECRET % 7)
    pid, = children(the(site))
    assert memory_has(pid, (SECRET % 7).encode()) == 0


@by_eye
@pytest.mark.parametrize("more", ["", AGAIN % 100])
def test_nobody_elses_password_is_there(start, connect, fresh,  # noqa: F811
                                        more):
    """Not of those who were asked about at the same moment either."""
    fresh("hang")
    site = start(PAM % ("connections = 4 " + more), config="workers = 1\n")
    pid, words = the(site), [SECRET % n for n in range(3)]
    os.kill(pid, signal.SIGSTOP)
    sessions = []
    for word in words:
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS %s\r\n" % word)
        sessions.append(session)
    site.accepts(connect, "file")  # auth has handed them on by now
    os.kill(pid, signal.SIGCONT)
    found = wait_until(lambda: (list(children(pid)) if
                                len(children(pid)) == 3 else None))
    wait_until(lambda: at_work(site, "pam") == 3)
    for word in words:
        assert [memory_has(p, word.encode()) > 0 for p in found].count(
            True) == 1


# ---- somebody has broken into one ----

by_injection = [
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="inject.c knows x86-64 only"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls")]


@pytest.mark.parametrize("words", [b"\x80\0", b"\x83\0", b"\0", b"x"])
@pytest.mark.usefixtures("machine")
def test_it_says_what_it_was_not_asked(start, connect, broken_say,  # noqa: F811
                                       words):
    """It is ended, and nobody is let in, or refused, by that."""
    site = start(PAM % (AGAIN % 100))
    site.accepts(connect, "ann")
    pid, = children(the(site))
    broken_say(pid, 4, words, ends=True)
    wait_until(lambda: not alive(pid))
    assert site.refusal(connect, "ann", "wrong") == WRONG
    site.accepts(connect, "ann")


test_it_says_what_it_was_not_asked.pytestmark += by_injection


@pytest.mark.usefixtures("machine")
def test_it_says_more_than_it_was_asked(start, connect, fresh, trick,  # noqa: F811
                                        broken_say):  # noqa: F811
    """The answer to the question counts; what it says ahead, for the next one, does
    not."""
    fresh("hang")
    site = start(PAM % (AGAIN % 100))
    session = connect(site.server.port)
    session.ok("USER ann")
    session.send("PASS secret\r\n")
    pid, = wait_until(lambda: asked(trick))
    broken_say(pid, 4, b"\x80\0")  # a row of nothing: no mail is theirs
    assert session.line().startswith(b"-ERR [SYS/PERM]")
    broken_say(pid, 4, b"\x80\0", ends=True)
    wait_until(lambda: not alive(pid))


test_it_says_more_than_it_was_asked.pytestmark += by_injection


@pytest.mark.usefixtures("machine")
def test_it_says_ahead(start, connect, broken_say):  # noqa: F811
    """What is there before the question is no answer to it."""
    site = start(PAM % (AGAIN % 100), config="workers = 1\n")
    site.accepts(connect, "ann")
    pid, = children(the(site))
    os.kill(the(site), signal.SIGSTOP)
    broken_say(pid, 4, b"\x80\0")
    session = connect(site.server.port)
    session.ok("USER ann")
    session.send("PASS wrong\r\n")
    site.accepts(connect, "file")  # auth has handed it on by now
    os.kill(the(site), signal.SIGCONT)
    assert session.line() == WRONG
    wait_until(lambda: not alive(pid))


test_it_says_ahead.pytestmark += by_injection
