"""Passwords that no database gives away: PAM, the machine's shadow(5), a program.

The machine's files are those of a mount namespace.
"""
import json
import os
import re
import subprocess
import time

import pytest

import accounts
import drop
from server import PATIENCE, TOP, alive, kill, wait_until
from test_databases import (TEMPORARY, Site, at_work, await_accepted,
                            box_of, example, lite)  # noqa: F401

WHY_NOT = accounts.can_run()
pytestmark = [pytest.mark.ours,
              pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)]
WRONG = b"-ERR [AUTH] authentication failed"
PAM = '{ driver = "pam" service = "malote" %s }\n'
SYSTEM = '{ driver = "system" %s }\n'
UID = 50001


@pytest.fixture
def machine(place):
    """ann, bob: users of the machine."""
    machine = accounts.Accounts(place.path + "/etc")
    add(machine, place, "ann")
    return machine


def home_of(place, name):
    return place.path + "/home/" + name


def add(machine, place, name, uid=UID, **more):
    machine.add(name, uid=uid, home=home_of(place, name), **more)
    os.makedirs(place.path + "/home", exist_ok=True)
    os.makedirs(home_of(place, name))
    os.chown(home_of(place, name), uid, uid)
    drop.write(home_of(place, name) + "/Maildir", drop.make(7, 3), (uid, uid))


def settings(place):
    return 'mail = "maildir:~/Maildir"\nmail_root = "%s"\n' % place.path


@pytest.fixture
def start(place, serve, machine):
    def run(*blocks, config="", **more):
        return Site(place, serve, blocks, settings(place) + config,
                    wrap=machine.wrap(), **more)
    return run


@pytest.fixture(params=[PAM, SYSTEM], ids=["pam", "system"])
def block(request):
    return request.param


def test_sign_in_and_refused(start, connect, block, machine):
    site = start(block % "")
    for name in ("ann", "file"):
        site.accepts(connect, name)
        assert site.refusal(connect, name, "wrong") == WRONG
    for name in ("nobody", "root", "daemon", "zoe"):
        assert site.refusal(connect, name, "secret") == WRONG
    # What was right a moment ago is asked anew.
    machine.add("ann", "another", UID, "/nonexistent")
    assert site.refusal(connect, "ann", "secret") == WRONG
    machine.remove("ann")
    assert site.refusal(connect, "ann", "another") == WRONG
    assert not site.server.events("lookup-failed")
    assert {e["why"] for e in site.server.events("login-failed")} == {
        "password", "unknown-user"}


def test_modules_are_loaded_once(start, connect, machine):
    """And which of them are asked is read anew."""
    site = start(PAM % "")
    pid, = wait_until(lambda: site.server.roles("pam"))
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        assert "pam_unix.so" in f.read()
    machine.service("auth required pam_deny.so\n"
                    "account required pam_permit.so\n")
    assert site.refusal(connect, "ann", "secret") == WRONG
    machine.service(accounts.UNIX)
    site.accepts(connect, "ann")


def refused_as_expired(site, connect, name):
    """Only who knows the password hears of it."""
    assert site.refusal(connect, name, "wrong") == WRONG
    said = site.refusal(connect, name, "secret")
    assert said.startswith(b"-ERR [AUTH]") and said != WRONG, said


def test_empty_password(start, connect, machine):
    """Nobody is asked about it."""
    said = machine.folder + "/said"
    with open(machine.folder + "/say", "w") as f:
        f.write("echo x >> %s\n" % said)
    machine.service(by_program("/bin/sh %s/say" % machine.folder))
    site = start(PAM % "")
    assert site.refusal(connect, "ann", "").startswith(b"-ERR")
    assert not os.path.exists(said)
    site.accepts(connect, "ann", "x")
    assert os.path.exists(said)


@pytest.mark.parametrize("state", [
    {"expires": "19000"}, {"changed": "0"}, {"longest": "30"}],
    ids=["account", "to-be-changed", "password"])
def test_expired(start, connect, block, machine, place, state):
    add(machine, place, "bob", UID + 1, **state)
    site = start(block % "")
    refused_as_expired(site, connect, "bob")
    assert site.server.await_event("account")[0]["error"]
    site.accepts(connect, "ann")


@pytest.mark.parametrize("stored", ["!", "*", "", "x", "!$6$salt$hash"])
def test_locked(start, connect, block, machine, place, stored):
    add(machine, place, "bob", UID + 1, stored=stored)
    site = start(block % "")
    for password in ("secret", "!", "x", "wrong"):
        assert site.refusal(connect, "bob", password) == WRONG


def test_nobody_elses_password_is_tried(start, connect, block, machine,
                                        place):
    """Root's, or that of who is out of range, opens nothing and is not even found
    right."""
    add(machine, place, "toor", 0)
    add(machine, place, "low", 400)
    add(machine, place, "high", 60001)
    site = start(block % "", config="first_uid = 500\n")
    for name in ("toor", "low", "high"):
        assert site.refusal(connect, name, "secret") == WRONG
    assert {e["why"] for e in site.server.events("login-failed")} == {
        "unknown-user"}


def test_several(start, connect, block, place, lite, machine):  # noqa: F811
    """The first that knows the name decides; whom it does not know is asked for
    behind it."""
    lite.user("ann", "{PLAIN}other", box_of(place))
    lite.user("lou", "{PLAIN}secret", box_of(place))
    site = start(block % "", lite.block())
    site.accepts(connect, "ann")
    site.accepts(connect, "lou")
    assert site.refusal(connect, "ann", "other") == WRONG
    site.server.stop()
    site = start(lite.block(), block % "", file="last")
    assert site.refusal(connect, "ann", "secret") == WRONG


def test_part_of_the_name(start, connect, block):
    site = start(block % 'query = "$2"', config='default_domain = "d.org"\n')
    for name in ("ann", "ann@d.org", "ann@other.org"):
        site.accepts(connect, name)
    site.server.stop()
    site = start(block % "")
    assert site.refusal(connect, "ann@d.org", "secret") == WRONG


def test_capa(start, connect, block):
    """Nothing is offered that needs what nobody gives."""
    site = start(block % "", file="", config='apop = yes\nmechanisms = "PLAIN '
                 'LOGIN SCRAM-SHA-256 CRAM-MD5"\n')
    session = connect(site.server.port)
    assert b"<" not in session.greeting
    said = session.multi("CAPA")
    assert b"PLAIN" in said and b"CRAM" not in said and b"APOP" not in said
    site.accepts(connect, "ann")


def test_admin(start, block, machine, place):
    add(machine, place, "bob", UID + 1, expires="19000")
    site = start(block % "")
    told = json.loads(site.server.ctl("--json", "user", "show", "bob"))
    assert told["nologin"]
    told = json.loads(site.server.ctl("--json", "user", "show", "ann"))
    assert told["users"] == "db0" and told["uid"] == UID
    site.server.ctl("user", "show", "nobody", code=67)
    for password, code in (("secret", 0), ("wrong", 77)):
        read, write = os.pipe()
        os.write(write, password.encode() + b"\n")
        os.close(write)
        site.server.ctl("user", "test", "ann", stdin=read, code=code)
        os.close(read)


# ---- the manual ----

def manual(name):
    """A block of the manual, and the files that it names."""
    text, block = example(name)
    files = re.findall(r"(?ms)^```\n((?:auth|account) .*?)^```$", text)
    return block, files


def test_manual_system(start, connect):
    block = manual("machine")[0]
    site = start(block)
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "x") == WRONG


def test_manual_pam(start, connect, machine, place):
    """The second file has a program of one's own decide."""
    block, files = manual("people")
    assert len(files) == 2
    machine.service(files[0])
    site = start(block)
    site.accepts(connect, "ann@example.org")
    assert site.refusal(connect, "ann@example.org", "x") == WRONG
    with open(machine.folder + "/ask", "w") as f:
        f.write("#!/bin/sh\n[ \"$(tr -d '\\0')\" = other ]\n")
    os.chmod(machine.folder + "/ask", 0o755)
    machine.service(files[1].replace("/usr/local/sbin", machine.folder))
    site.accepts(connect, "ann@example.org", "other")
    assert site.refusal(connect, "ann@example.org", "secret") == WRONG


def test_manual_program(start, connect, program):
    ours = program()
    block = manual("shell")[0].replace(
        "/usr/local/bin/checkpassword", re.search('"(/.*)"', ours).group(1))
    site = start(block)
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "x") == WRONG


# ---- the machine ----

def test_passwords_cannot_be_read(start, connect, block, machine):
    """Nobody is told that a password is wrong which nobody has looked at."""
    site = start(block % "")
    shadow = machine.etc + "/shadow"
    os.rename(shadow, shadow + "-")
    for line in ("", "bin:*:19000:0:99999:7:::\n"):
        if line:
            with open(shadow, "w", encoding="ascii") as f:
                f.write(line)
        for password in ("secret", "wrong"):
            assert site.refusal(connect, "ann", password).startswith(TEMPORARY)
        assert site.refusal(connect, "nobody", "secret") == WRONG
    assert site.server.await_event("database")
    os.rename(shadow + "-", shadow)
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "wrong") == WRONG


# ---- PAM ----

def test_pam_faillock(start, connect, machine):
    """A module that keeps something of its own locks the account."""
    folder = machine.folder + "/faillock"
    os.mkdir(folder)
    words = "dir=%s deny=2" % folder
    machine.service(
        "auth required pam_faillock.so preauth %s\n"
        "auth [success=1 default=ignore] pam_unix.so\n"
        "auth [default=die] pam_faillock.so authfail %s\n"
        "account required pam_unix.so\n" % (words, words))
    site = start(PAM % "")
    site.accepts(connect, "ann")
    for _ in range(2):
        assert site.refusal(connect, "ann", "wrong") == WRONG
    assert site.refusal(connect, "ann", "secret") == WRONG
    os.unlink(folder + "/ann")
    site.accepts(connect, "ann")


def by_program(program, account="required pam_permit.so"):
    """A stack: pam_exec itself calls what its program refuses a system error."""
    return ("auth [success=1 default=ignore] pam_exec.so expose_authtok %s\n"
            "auth requisite pam_deny.so\nauth required pam_permit.so\n"
            "account %s\n" % (program, account))


def test_pam_refuses(start, connect, machine):
    """A module that says no, and one whose service is not there."""
    machine.service(by_program("/bin/false"))
    site = start(PAM % "")
    assert site.refusal(connect, "ann", "secret") == WRONG
    site.server.stop()
    site = start(PAM.replace("malote", "nosuch") % "")
    assert site.refusal(connect, "ann", "secret") == WRONG
    site.accepts(connect, "file")


def test_pam_account_refuses(start, connect, machine):
    machine.service("auth required pam_unix.so\naccount required "
                    "pam_deny.so\n")
    site = start(PAM % "")
    refused_as_expired(site, connect, "ann")


@pytest.mark.parametrize("stack", [
    "auth required pam_nosuch.so\naccount required pam_unix.so\n",
    "auth required pam_unix.so\naccount required pam_nosuch.so\n"])
def test_pam_is_broken(start, connect, machine, stack):
    machine.service(stack)
    site = start(PAM % "")
    said = site.refusal(connect, "ann", "secret")
    assert said.startswith((TEMPORARY, b"-ERR [AUTH]")), said
    site.accepts(connect, "file")


def test_pam_is_told(start, connect, machine):
    """From where, and by whom."""
    machine.service(by_program("/bin/sh %s/say" % machine.folder))
    with open(machine.folder + "/say", "w") as f:
        f.write('{ cat; echo; echo "$PAM_USER $PAM_RHOST $PAM_SERVICE '
                '$PAM_TYPE"; env; } > %s/said\n' % machine.folder)
    site = start(PAM % "")
    site.accepts(connect, "ann", "it's \"mine\"")
    with open(machine.folder + "/said") as f:
        said = f.read().replace("\0", "")
    assert said.startswith("it's \"mine\"\nann 127.0.0.1 malote auth\n")
    assert "NOTIFY_SOCKET" not in said


def test_pam_of_who_is_no_user_of_the_machine(start, connect, machine, place):
    """Who is refused by PAM may be known elsewhere; who is not is mail_user's."""
    machine.service(by_program("/bin/sh %s/say" % place.path))
    with open(place.path + "/say", "w") as f:
        f.write('[ "$(tr -d "\\0")" = virtual ]\n')
    site = start(PAM % "", file="last")
    site.accepts(connect, "file")
    said = site.refusal(connect, "zoe", "virtual")
    assert said.startswith(b"-ERR [SYS/PERM]") or said.startswith(b"+OK")
    assert site.refusal(connect, "zoe", "wrong") == WRONG


def hanging(place, marker):
    """A program that never ends, and says that it is there."""
    path = place.path + "/hang"
    with open(path, "w") as f:
        f.write("#!/bin/sh\necho $$ >> %s\nexec sleep 1000\n" % marker)
    os.chmod(path, 0o755)
    return path


def pids_in(path):
    try:
        with open(path) as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def hangs(site, connect, place, marker, name="ann"):
    opened = connect(site.server.port)
    opened.login("file", "secret")
    waiting = []
    for _ in range(5):
        session = connect(site.server.port)
        session.ok("USER " + name)
        session.send("PASS secret\r\n")
        waiting.append(session)
    wait_until(lambda: len(pids_in(marker)) == 2)
    begun = time.monotonic()
    for _ in range(5):
        site.accepts(connect, "file")
        assert opened.stat()[0] == 3
    assert time.monotonic() - begun < 2 * PATIENCE
    assert at_work(site, "pam") == 2
    for session in waiting:
        assert session.line().startswith(TEMPORARY)
    # All that was started has been ended, by whatever way it got off.
    wait_until(lambda: not [pid for pid in pids_in(marker) if alive(pid)])
    assert len(pids_in(marker)) >= 3


def test_pam_hangs(start, connect, machine, place):
    """pam_exec puts its program into a session of its own."""
    marker = machine.folder + "/marker"
    machine.service("auth required pam_exec.so %s\naccount required "
                    "pam_permit.so\n" % hanging(place, marker))
    site = start(PAM % "timeout = 2 connections = 2")
    hangs(site, connect, place, marker)
    machine.service(accounts.UNIX)
    await_accepted(site, connect, "ann")
    assert [e.get("answers") for e in site.server.await_event(
        "database", 2)] == [None, "again"]


@pytest.fixture(scope="module")
def trick(tmp_path_factory):
    if not os.path.exists("/usr/include/security/pam_modules.h"):
        pytest.skip("needs libpam's headers")
    module = str(tmp_path_factory.mktemp("trick") / "trick.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module,
                    TOP + "/tests/integration/pam_trick.c", "-lpam"],
                   check=True, timeout=60)
    return module


@pytest.mark.parametrize("what, why", [
    ("rename", "another name"), ("crash", "has died"), ("exit", "has died"),
    ("say", "makes no sense"), ("talk", "onversation"), ("files", None)])
def test_pam_module(start, connect, machine, trick, what, why):
    """One that makes somebody else of the user, or breaks."""
    machine.service("auth required %s %s\naccount required pam_permit.so\n"
                    % (trick, what))
    site = start(PAM % "")
    said = site.refusal(connect, "ann", "secret")
    assert said.startswith(TEMPORARY if why else b"+OK"), said
    if why:
        assert why in site.server.await_event("database")[0]["error"]
    site.accepts(connect, "file")


# ---- a program ----

CHECK = """#!/usr/bin/python3
import os, sys
name, password, stamp = os.read(3, 512).split(b"\\0")[:3]
uid = %(uid)d
%(first)s
if (name, password) != (b"ann", b"secret"):
    sys.exit(1)
os.setgid(uid)
os.setuid(uid)
os.environ.update(USER="ann", HOME="%(home)s", SHELL="/bin/false")
%(last)s
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def program(place, machine):
    """program(first, last): a block with a program that knows ann, and does so
    meanwhile."""
    path = place.path + "/check"

    def block(first="", last="", more="", uid=UID):
        with open(path + ".new", "w") as f:
            f.write(CHECK % {"uid": uid, "home": home_of(place, "ann"),
                             "first": first, "last": last})
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
        return '{ driver = "checkpassword" program = "%s" %s }\n' % (path,
                                                                    more)
    return block


def test_program(start, connect, program, place, lite):  # noqa: F811
    lite.user("lou", "{PLAIN}secret", box_of(place))
    site = start(program(), lite.block())
    site.accepts(connect, "ann")
    for name, password in (("ann", "wrong"), ("nobody", "secret")):
        assert site.refusal(connect, name, password) == WRONG
    site.accepts(connect, "lou")
    assert not site.server.events("lookup-failed")


@pytest.mark.parametrize("first, last, said, why", [
    ("sys.exit(111)", "", TEMPORARY, "says 111"),
    ("sys.exit(2)", "", TEMPORARY, "says 2"),
    ("sys.exit(0)", "", TEMPORARY, "has not executed"),
    ("os.abort()", "", TEMPORARY, "signal 6"),
    ("os.write(4, b'nonsense')", "", TEMPORARY, "makes no sense"),
    ("", "os.environ['USER'] = 'bob'", TEMPORARY, "another USER"),
    ("", "os.environ['HOME'] = '/etc'", b"-ERR [SYS/PERM]", None),
    ("", "os.close(4)", TEMPORARY, "says 64"),
    # Nobody is at the other end.
    ("", "import socket\ns = socket.socket()\nos.dup2(s.fileno(), 4)", TEMPORARY,
     "says 75"),
    ("uid = 60002", "", b"-ERR [SYS/PERM]", None),
    ("uid = 0", "", b"-ERR [SYS/PERM]", None),
])
def test_program_lies(start, connect, program, first, last, said, why):
    site = start(program(first, last))
    assert site.refusal(connect, "ann", "secret").startswith(said)
    if why:
        assert why in site.server.await_event("database")[0]["error"]
    site.accepts(connect, "file")


def test_program_is_not_there(start, connect, program, place):
    block = program()
    os.remove(place.path + "/check")
    with open(place.path + "/check", "w") as f:
        f.write("#!/nonexistent\n")
    os.chmod(place.path + "/check", 0o755)
    site = start(block)
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    site.accepts(connect, "file")


def test_program_is_not_begun(start, connect, program, place):
    """What is to execute it cannot even open /dev/null."""
    site = start(program())
    site.accepts(connect, "ann")
    pid, = site.server.roles("pam")

    def there(words):
        subprocess.run(["nsenter", "-t", str(pid), "-m", "sh", "-c", words],
                       check=True, timeout=60)
    there("mount --bind %s /dev/null && mount -o remount,bind,ro /dev/null"
          % site.users)
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    site.accepts(connect, "file")
    there("umount /dev/null")
    site.accepts(connect, "ann")


def test_program_hangs(start, connect, program, place, machine):
    marker = machine.folder + "/marker"
    first = ("import subprocess\n"
             "subprocess.run(['%s'], start_new_session=True)"
             % hanging(place, marker))
    site = start(program(first, more="timeout = 2 connections = 2"))
    hangs(site, connect, place, marker)


# ---- its process ----

def test_its_process_dies(start, connect, machine, place):
    """Who waits is told so, and it comes back; so does auth."""
    marker = machine.folder + "/marker"
    machine.service("auth required pam_exec.so %s\naccount required "
                    "pam_permit.so\n" % hanging(place, marker))
    site = start(PAM % "timeout = 30")
    for role in ("pam", "auth"):
        before = len(pids_in(marker))
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS secret\r\n")
        wait_until(lambda n=before: len(pids_in(marker)) > n)
        pid, = site.server.roles(role)
        kill(pid)
        assert session.line().startswith(TEMPORARY)
        wait_until(lambda r=role, p=pid: site.server.roles(r) not in ([p], []))
        if role == "auth":
            wait_until(lambda: not alive(pids_in(marker)[-1]))
    for pid in pids_in(marker):
        kill(pid)
    machine.service(accounts.UNIX)
    await_accepted(site, connect, "ann")
    site.accepts(connect, "file")


def test_costs_the_same(start, connect, machine, place):
    """A name that nobody has, and a wrong password for somebody of the users file,
    take as long as a wrong one that is verified elsewhere."""
    with open(place.path + "/slow", "w") as f:
        f.write('#!/bin/sh\n[ "$PAM_USER" = ann ] && sleep 0.5\nexit 1\n')
    os.chmod(place.path + "/slow", 0o755)
    machine.service(by_program(place.path + "/slow"))
    site = start(PAM % "")

    def took(name, password="wrong"):
        begun = time.monotonic()
        assert site.refusal(connect, name, password) == WRONG
        return time.monotonic() - begun
    for name in ("ann", "nobody", "file"):
        assert took(name) >= 0.45, name
    assert at_work(site, "pam") == 0


def test_one_at_a_time(start, connect, machine):
    """Of an address that has failed nothing more is verified before that is paid
    for, however many connections it has."""
    count = machine.folder + "/count"
    with open(machine.folder + "/counts", "w") as f:
        f.write("#!/bin/sh\necho $$ >> %s\nexit 1\n" % count)
    os.chmod(machine.folder + "/counts", 0o755)
    machine.service(by_program(machine.folder + "/counts"))
    site = start(PAM % "connections = 2", config="failure_delay = yes\n")
    sessions = []
    for _ in range(20):
        session = connect(site.server.port)
        session.ok("USER ann")
        sessions.append(session)
    for n, session in enumerate(sessions):
        session.send("PASS wrong%d\r\n" % n)
    wait_until(lambda: site.server.events("login-failed"))
    time.sleep(0.5)
    assert len(pids_in(count)) <= 4
