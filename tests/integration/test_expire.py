"""EXPIRE: how long mail stays, and what goes by itself."""
import json
import os
import time
from os import EX_CONFIG as EX_CANNOT

import pytest

import drop
from expiry import state
from server import wait_until

pytestmark = pytest.mark.ours


def ids(path):
    owner = os.stat(path)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


class Site:
    """A server with a users file of its own; every user has a Maildir."""

    def __init__(self, place, serve, users, config="", **more):
        self.place = place
        self.boxes = {name: place.maildir(drop.make(7, 6), name)
                      for name in users}
        self.file = place.path + "/users"
        self.write(users)
        self.server = serve([("unused", "x", next(iter(self.boxes.values())))],
                            "users = '%s'\n%s" % (self.file, config), **more)

    def write(self, users):
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            for name, words in users.items():
                box = self.boxes[name]
                f.write("%s:{PLAIN}secret:%s::::userdb_mail=maildir:%s %s\n"
                        % (name, ids(box), box, words))
        os.rename(self.file + ".new", self.file)

    def left(self, name="ana"):
        return len(drop.files(self.boxes[name]))

    def removed(self, count):
        return self.server.await_event("removed", count)


def expire(session):
    return [line.decode() for line in session.listing("CAPA") if
            line.startswith(b"EXPIRE")]


# ---- EXPIRE 0 ----

def test_announced(place, serve, login, connect):
    """S-2449-12."""
    site = Site(place, serve, {"ana": "", "bia": "malote_expire=0",
                               "caio": "malote_expire=never"}, "expire = 30\n")
    before = connect(site.server.port)
    assert expire(before) == ["EXPIRE 0 USER"]
    for name, says in ("ana", "30"), ("bia", "0"), ("caio", "NEVER"):
        s = login(site.server, name)
        assert expire(s) == ["EXPIRE " + says]
        s.ok("QUIT")
    site.write({"ana": ""})
    login(site.server, "ana").ok("QUIT")
    wait_until(lambda: expire(connect(site.server.port)) == ["EXPIRE 30"])


def test_retrieved(place, serve, login):
    """S-2449-23: of what was retrieved, not of what TOP has shown."""
    site = Site(place, serve, {"ana": ""}, "expire = 0\n")
    s = login(site.server, "ana")
    uids = s.uidl()
    s.retr(1)
    s.retr(3)
    s.top(2, 99999)
    assert s.stat()[0] == site.left() == 6
    s.ok("QUIT")
    assert site.left() == 4
    assert [(e["uidl"], e["why"]) for e in site.removed(2)] == [
        (uids[1], "retrieved"), (uids[3], "retrieved")]
    s = login(site.server, "ana")
    s.retr(1)
    s.ok("RSET")
    s.retr(2)
    s.ok("DELE 3")
    s.ok("QUIT")
    assert site.left() == 2
    assert ["why" in e for e in site.removed(4)[2:]] == [True, False]


def test_broken(place, serve, login):
    """A session that breaks removes nothing, whatever it has retrieved."""
    site = Site(place, serve, {"ana": ""}, "expire = 0\n")
    s = login(site.server, "ana")
    s.retr(1)
    s.close()
    site.server.await_event("session")
    assert site.left() == 6


def test_not_acknowledged(place, serve, login, connect):
    """QUIT that was sent ahead counts when the client's system has all of what
    was retrieved: not while its window is full."""
    big = drop.Message("new", "1900000000.big.x",
                       b"A: b\n\n" + (b"y" * 70 + b"\n") * 400,
                       drop.EPOCH, "plain")
    site = Site(place, serve, {"ana": ""}, "expire = 0\nwrite_timeout = 600\n")
    place.add(site.boxes["ana"], [big])
    s = connect(site.server.port, rcvbuf=1)
    s.login("ana", "secret")
    number = s.stat()[0]
    s.send(b"RETR %d\r\nQUIT\r\n" % number)
    time.sleep(0.3)
    assert site.left() == 7
    s.close()  # with all of it unread: the kernel says RST
    site.server.await_event("session")
    assert site.left() == 7


@pytest.mark.parametrize("tls", [False, True])
def test_pipelined(place, serve, login, tls):
    """It goes when it has arrived."""
    site = Site(place, serve, {"ana": ""}, "expire = 0\n")
    s = login(site.server, "ana", tls=tls)
    s.send(b"RETR 1\r\nRETR 2\r\nQUIT\r\n")
    s.line()
    s.data()
    s.line()
    s.data()
    assert "2 messages removed" in str(s.line())
    assert site.left() == 4


def test_never(place, serve, login):
    """And where nothing was set nothing goes."""
    site = Site(place, serve, {"ana": "malote_read_only=yes", "bia": ""})
    for name in "ana", "bia":
        s = login(site.server, name)
        assert expire(s) == ["EXPIRE NEVER"]
        for n in 1, 2, 3:
            s.retr(n)
        s.ok("QUIT")
        assert site.left(name) == 6


def test_shared(place, serve, login):
    """From a maildrop of two users nothing goes, and the admin hears why."""
    site = Site(place, serve, {"ana": ""}, "expire = 30\n")
    login(site.server, "ana").ok("QUIT")
    site.server.await_event("expire-told")
    site.boxes["eva"] = site.boxes["ana"]
    site.write({"ana": "", "eva": ""})
    assert expire(login(site.server, "ana")) == ["EXPIRE NEVER"]
    assert not told(site)
    if os.geteuid() == 0:
        shown = json.loads(site.server.ctl("--json", "user", "show", "eva"))
        assert shown["expire"] == "never"
        assert "several lines" in shown["expire_why"]


# ---- days ----

def told(site, name="ana"):
    return os.path.exists(site.boxes[name] + "/malote-expire")


def test_told(place, serve, login):
    """By a session that has ended with QUIT, not by one that broke."""
    site = Site(place, serve, {"ana": "", "boss": "malote_master=yes"},
                'expire = 30\nmaster_separator = "*"\n')
    s = login(site.server, "ana")
    assert expire(s) == ["EXPIRE 30"]
    s.close()
    site.server.await_event("session")
    s = login(site.server, "ana*boss")
    assert expire(s) == ["EXPIRE 30"]
    s.ok("QUIT")
    s = login(site.server, "ana")
    assert not told(site)
    s.retr(1)
    s.ok("QUIT")
    (event,) = site.server.await_event("expire-told")
    assert event["user"] == "ana" and event["days"] == "30"
    assert site.left() == 6
    shown = json.loads(site.server.ctl("--json", "expire", "show", "ana"))
    assert shown["days"] == 30 and shown["held"] == "no"
    assert shown["user"] == "ana"
    assert shown["next"] - shown["since"] == 30 * 86400
    assert "30 days" in site.server.ctl("expire", "show", "ana")
    assert "\"expire\": \"30\"" in site.server.ctl(
        "--json", "user", "show", "ana") or os.geteuid() != 0
    # NEVER is told, and all of it forgotten.
    site.write({"ana": "malote_expire=never"})
    s = login(site.server, "ana")
    assert not told(site) and expire(s) == ["EXPIRE NEVER"]
    assert "after some days: nothing expires" in site.server.ctl(
        "expire", "show", "ana", code=EX_CANNOT)


def test_every_maildrop(place, serve, login):
    """Where nobody signs in the parent has it looked at; a clock that was set
    holds all of it until somebody accepts it."""
    site = Site(place, serve, {"ana": "", "bia": "malote_expire=never"},
                "expire = 30\nexpire_every = 1\n")
    login(site.server, "ana").ok("QUIT")
    login(site.server, "bia").ok("QUIT")
    site.server.await_event("expire-told")
    box = site.boxes["ana"]
    old = state(box)
    place.add(box, drop.make(9, 8)[6:])
    state(box, looked=old["looked"] - 13 * 3600)
    wait_until(lambda: state(box)["looked"] >= old["looked"])
    assert not told(site, "bia")
    state(box, looked=old["looked"] + 7200)
    (event,) = site.server.await_event("expire-held")
    assert event["why"] == "clock"
    command = "malotectl expire accept ana"
    assert event["accept"] == command
    shown = site.server.ctl("expire", "show", "ana")
    assert "the clock was set" in shown and command in shown
    assert "Accepted" in site.server.ctl("expire", "accept", "ana")
    assert state(box)["held"] == 0
    assert state(box)["since"] >= old["since"]
    assert "nothing is held" in site.server.ctl(
        "expire", "accept", "ana", code=EX_CANNOT)
    assert site.left() == 8


@pytest.mark.parametrize("sessions", ["exclusive", "shared"])
def test_not_while_a_session_has_it(place, serve, login, sessions):
    site = Site(place, serve, {"ana": ""}, "expire = 30\nexpire_every = 1\n"
                'sessions = "%s"\n' % sessions)
    login(site.server, "ana").ok("QUIT")
    site.server.await_event("expire-told")
    box = site.boxes["ana"]
    old = state(box)["looked"] - 13 * 3600
    s = login(site.server, "ana")
    state(box, looked=old)
    time.sleep(2.5)
    assert state(box)["looked"] == old
    assert "a session has it" in site.server.ctl(
        "expire", "accept", "ana", code=75)
    s.ok("QUIT")
    wait_until(lambda: state(box)["looked"] > old)


def test_nonsense(place, serve):
    """`--check` says what is wrong with the setting."""
    with pytest.raises(AssertionError, match="36500"):
        serve(place.maildir([]), 'expire = "thirty"\n')
    with pytest.raises(AssertionError, match="36500"):
        serve(place.maildir([], "other"), "expire = 36501\n")
