"""What is installed besides the programs."""
import json
import os
import re
import shutil
import subprocess

import pytest

import drop
import faults
import hostile
import malote
import pop3
from hostile import letters
from server import TOP, free_port, wait_until

pytestmark = malote.NEEDED
PROGRAMS = os.path.dirname(malote.BINARY)
BUILD = os.path.dirname(PROGRAMS)
SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                             reason="needs systemd-analyze")


def unit(place, name):
    """With the programs that were just built."""
    with open(TOP + "/packaging/" + name) as f:
        text = f.read()
    for word in ("@bindir@", "@sbindir@"):
        text = text.replace(word, PROGRAMS)
    assert "dir@" not in text
    with open(place.path + "/" + name, "w") as f:
        f.write(text)
    return place.path + "/" + name


def verify(place, *words):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *words],
                          capture_output=True, text=True, timeout=60,
                          env={**os.environ, "XDG_RUNTIME_DIR": place.path})
    # What it finds in other units of this computer is not ours.
    said = [x for x in (done.stdout + done.stderr).splitlines()
            if "malote" in x]
    assert not said, said
    return done


@SYSTEMD
def test_units(place):
    verify(place, unit(place, "maloted.service"))


@SYSTEMD
def test_user_units(place):
    verify(place, "--user", unit(place, "malote.service"),
           unit(place, "malote.timer"), unit(place, "malote-serve.service"))


@SYSTEMD
def test_a_mistake_would_be_seen(place):
    path = unit(place, "malote.service")
    with open(path, "a") as f:
        f.write("NoSuchThing=yes\n")
    with pytest.raises(AssertionError, match="NoSuchThing"):
        verify(place, "--user", path)


def test_where_they_go():
    """The timer and its service are found by systemctl --user."""
    done = subprocess.run(["meson", "introspect", "--installed", BUILD],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no build of meson's")
    units = {os.path.basename(x): os.path.dirname(x)
             for x in json.loads(done.stdout).values()
             if x.endswith((".service", ".timer"))}
    assert units["maloted.service"].endswith("/lib/systemd/system")
    for name in ("malote.service", "malote.timer", "malote-serve.service"):
        assert units[name].endswith("/lib/systemd/user")
    with open(BUILD + "/packaging/malote.service") as f:
        start = [x for x in f.read().splitlines() if x.startswith("ExecStart")]
    assert start[0].startswith("ExecStart=/")
    assert start[0].endswith("/bin/malote --changes")


# Which sockets may be made.

def families():
    """What the units of the server permit."""
    out = []
    for name in "maloted.service", "maloted@.service":
        with open(TOP + "/packaging/" + name, encoding="utf-8") as f:
            line, = re.findall(r"(?m)^RestrictAddressFamilies=(.*)$", f.read())
        out.append(set(line.split()))
    assert out[0] == out[1]
    return out[0]


def permitted_by_apparmor():
    """{(family, kind)}; kind "": any."""
    profile = TOP + "/packaging/debian/usr.sbin.maloted"
    with open(profile, encoding="utf-8") as f:
        text = f.read()
    if shutil.which("apparmor_parser"):  # with what others write
        text = subprocess.run(
            ["apparmor_parser", "--preprocess", profile], check=True,
            capture_output=True, text=True, timeout=60).stdout
    return {(rule[0], "".join(rule[1:])) for rule in map(
        str.split, re.findall(r"(?m)^\s*network ([^,]*),", text))}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                    reason="a sanitizer looks after leaks, and is traced itself")
def test_sockets(place, serve, tmp_path):
    """Each kind that the server asks for is one that its unit and its profile
    permit: same_user needs one that nothing else does."""
    port, trace = free_port(), str(tmp_path / "trace")
    serve(place.maildir(drop.make(5, 1)), """workers = 1
listener "mine" {
	address = {"127.0.0.1"}
	port = %d
	plaintext_login = yes
	same_user = yes
}
""" % port, wrap=["strace", "-DDD", "-f", "-qq", "-o", trace, "-e", "trace=socket"])
    with pop3.Pop3(port) as session:
        session.login()
        session.quit()
    with open(trace, encoding="utf-8") as f:
        asked = set(re.findall(r"socket\((AF_\w+), SOCK_(\w+)", f.read()))
    assert ("AF_NETLINK", "DGRAM") in asked
    assert {family for family, _ in asked} <= families()
    rules = permitted_by_apparmor()
    for family, kind in asked:
        family = family.removeprefix("AF_").lower()
        assert {(family, ""), (family, kind.lower())} & rules, (family, kind)


# What the unit takes for a failure.

def passes(code):
    with open(TOP + "/packaging/malote.service") as f:
        line = next(x for x in f if x.startswith("SuccessExitStatus="))
    return str(code) in line.split("=")[1].split()


def test_no_network_is_no_failure(client):
    m = client().account(at=hostile.free_port())
    assert passes(m.collect("--changes", status="bad").code)
    m.account(server="no-such-computer.invalid")
    assert passes(m.collect("--changes", status="bad").code)


def test_later_is_no_failure(lie, client):
    server = lie(letters(1), greeting=b"-ERR [IN-USE] later\r\n")
    m = client().account(at=server, patience=0)
    assert passes(m.collect("--changes", status="bad").code)


def test_what_a_person_has_to_mend_is_a_failure(lie, client):
    server = lie(letters(30))
    m = client().account(at=server, keep="no")
    m.account(keep="yes").collect()
    server.box.mails[:] = letters(30, 50, "other%d")
    m.account(keep="no")
    assert not passes(m.collect("--changes", status="bad").code), "held"
    m.account(password="wrong")
    assert not passes(m.collect("--changes", status="bad").code), "denied"


@pytest.mark.parametrize("first", ["away", "wrong"])
def test_a_failure_is_not_hidden_by_no_network(lie, client, first):
    """Whichever of the accounts is the first."""
    m = client()
    accounts = {"away": {"at": hostile.free_port()},
                "wrong": {"at": lie(letters(1)), "password": "wrong"}}
    for name in (first, *accounts):
        m.account(name, **accounts[name])
    assert m.collect("--changes", status=None).code == malote.NOPERM


# What the journal has of it.

def said(m, status, *words):
    return m.collect("--changes", *words, status=status).text


def test_a_failure_that_goes_on_is_said_once(lie, client):
    """And that it works again; what fails otherwise is another failure."""
    server = lie(letters(1))
    m = client().account(at=server, patience=0)
    assert said(m, malote.OK) == ""
    away = hostile.free_port()
    m.account(port=away)
    assert "127.0.0.1" in said(m, malote.UNAVAILABLE)
    assert said(m, malote.UNAVAILABLE) == ""
    m.account(at=server)
    server.fault("STAT", faults.err("[SYS/TEMP] later"), times=2)
    assert "later" in said(m, malote.TEMPFAIL)
    assert said(m, malote.TEMPFAIL) == ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d casa: works again\n",
                        said(m, malote.OK))
    assert said(m, malote.OK) == ""


def test_each_account_has_its_own_change(lie, client):
    m = client().account(at=hostile.free_port(), patience=0)
    said(m, malote.UNAVAILABLE)
    m.account("new", at=hostile.free_port(), patience=0)
    text = said(m, malote.UNAVAILABLE)
    assert " new: " in text and " casa: " not in text


def test_another_malote_is_no_change(lie, client):
    server = lie(letters(1))
    m = client().account(at=server, patience=0)
    server.fault("STAT", faults.wait(1.5))
    other = m.start("collect", "--quiet")
    wait_until(lambda: server.commands("STAT"))
    assert said(m, malote.OK) == ""
    other.wait()


def test_what_a_person_has_seen_is_not_said_again(client):
    m = client().account(at=hostile.free_port())
    m.collect(status="bad")
    assert said(m, malote.UNAVAILABLE) == ""
