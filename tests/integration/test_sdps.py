"""SDPS: mailboxes of a host, *ENV, a whole host at once; with fetchmail."""
import gzip
import os
import shutil
import subprocess

import pytest

import drop
import trace
from server import PATIENCE, TOP, kill, wait_until

pytestmark = pytest.mark.ours

HOST = "vision25.example"
PASSWORD = "pencil"
WHOLE = "whole"
USERS = ("info", "philh", "sales")
SETTINGS = """
sdps = yes
login_separators = "+"
mail = "maildir:MAIL/%d/%n"
"""


def letter(name, i, sender="a@b.example"):
    """As Postfix delivers it."""
    text = ("Return-Path: <%s>\nX-Original-To: %s@%s\n"
            "Delivered-To: %s@%s\nReceived: from x\n"
            "From: <from@b.example>\nTo: <list@b.example>\n"
            "Message-ID: <%d.%s@b.example>\nSubject: %s %d\n\nbody %d\n" % (
                sender, name, HOST, name, HOST, i, name, name, i, i)).encode()
    return drop.Message("new", "%d.%s" % (drop.EPOCH + i, name), text,
                        drop.EPOCH + i, name)


class Host:
    """A server with users of one host, each of whom has some letters."""

    def __init__(self, place, serve, settings="", rows="", letters=None,
                 users=None, config=SETTINGS):
        self.place = place
        self.mail = place.path + "/mail"
        os.makedirs(self.mail, exist_ok=True)
        self.letters = letters or {
            name: [letter(name, i) for i in range(1, 2 + k)]
            for k, name in enumerate(USERS)}
        for name, messages in self.letters.items():
            place.maildir(messages, "mail/%s/%s" % (HOST, name))
        for path in (self.mail, self.mail + "/" + HOST):
            if place.owner:
                os.chown(path, *place.owner)
        users = users or "".join(
            "%s@%s:{PLAIN}%s\n" % (name, HOST, PASSWORD)
            for name in self.letters) + (
                "%s:{PLAIN}%s::::::malote_host=%s\n" % (HOST, WHOLE, HOST))
        path = place.path + "/rows"
        with open(path, "w", encoding="utf-8") as f:
            f.write(users + rows)
        config = config.replace("MAIL", self.mail) + settings
        config += 'mail_root = "%s"\n' % self.mail
        if place.owner:  # numbers, as it is nobody
            config += 'mail_user = "%d"\nmail_group = "%d"\n' % place.owner
        other = place.maildir(name="mail/other/other")
        self.server = serve([("other", PASSWORD, other)], config,
                            options=("--users", path))
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o700)

    def files(self, name):
        return drop.files("%s/%s/%s" % (self.mail, HOST, name))

    def write(self, name, text, mode=0o700):
        path = self.home + "/" + name
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def run(self, *command, status=0):
        env = {"HOME": self.home, "PATH": os.environ["PATH"], "LANG": "C",
               "LOGNAME": "tester", "USER": "tester"}
        done = subprocess.run(command, env=env, cwd=self.home, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60 * PATIENCE)
        assert done.returncode == status, done
        return done


@pytest.fixture
def host(place, serve):
    return Host(place, serve)


# ---- a user of a host ----

@pytest.mark.parametrize("name", ["philh@" + HOST, "philh+" + HOST,
                                  "PhilH+Vision25.example"])
def test_user(host, login, name):
    session = login(host.server, name, PASSWORD)
    assert session.stat()[0] == 2
    session.ok("DELE 1")
    session.quit()
    assert len(host.files("philh")) == 1


def test_unknown(host, connect):
    """Neither the separator alone nor another host makes a user."""
    for name in ("philh", "philh+other.example", "+" + HOST,
                 "philh+x+" + HOST):
        session = connect(host.server.port)
        session.command("USER " + name)
        session.err("PASS " + PASSWORD, "AUTH")


# ---- *ENV ----

def test_envelope(host, login):
    session = login(host.server, "sales@" + HOST, PASSWORD)
    size = session.list()[2]
    assert session.listing("*ENV 2") == [
        b"2", b"%d" % size, b"a@b.example", b"sales@vision25.example"]
    # The message is the same before and behind it, and is not "seen".
    assert session.retr(2) == drop.wire(host.letters["sales"][1].stored)
    for n in (1, 3, 2, 2, 1):
        session.send(b"*ENV %d\r\nTOP %d 0\r\n*ENV %d\r\n" % (n, n, n))
        for _ in range(3):
            assert session.line().startswith(b"+OK")
            assert session.data()
    session.err("*ENV 4", "")
    session.err("*ENV", "")
    session.quit()


def test_envelope_of_many(place, serve, login):
    """One after the other, as fetchmail does; a message that has gone is
    refused, and nothing else."""
    many = {"philh": [letter("philh", i, "s%d@b.example" % i)
                      for i in range(1, 101)]}
    host = Host(place, serve, letters=many)
    session = login(host.server, "philh@" + HOST, PASSWORD)
    os.remove("%s/%s/philh/new/%d.philh" % (host.mail, HOST, drop.EPOCH + 60))
    for i in range(1, 101):
        if i == 60:
            session.err("*ENV 60", "SYS/TEMP")
            session.err("RETR 60", "SYS/TEMP")
            continue
        assert session.listing("*ENV %d" % i)[2] == b"s%d@b.example" % i
        assert session.retr(i) == drop.wire(many["philh"][i - 1].stored)
    session.quit()


def test_compressed_and_long(place, serve, login):
    """A header that is longer than what is read at once; a message whose file
    is compressed."""
    head = b"Return-Path: <a@b>\nX: %s\nDelivered-To: c@d\n\n" % (
        b"x" * 100_000)
    letters = {"philh": [
        drop.Message("new", "1.x", head, drop.EPOCH, "x"),
        drop.Message("new", "2.x", gzip.compress(head), drop.EPOCH, "x"),
        drop.Message("new", "3.x", head.replace(b"x" * 50_000, b"x" * 300_000),
                     drop.EPOCH, "x")]}
    host = Host(place, serve, letters=letters)
    session = login(host.server, "philh@" + HOST, PASSWORD)
    for n, recipient in ((1, b"c@d"), (2, b"c@d"), (3, b"")):
        assert session.listing("*ENV %d" % n)[2:] == [b"a@b", recipient]
    session.quit()


@trace.NEEDED
def test_descriptors(host, login, tmp_path):
    """Each message that was opened is closed once, whatever follows *ENV."""
    session = login(host.server, "sales@" + HOST, PASSWORD)
    others = [login(host.server, name + "@" + HOST, PASSWORD)
              for name in ("philh", "info")]
    with trace.attached(host.server.roles("worker"), tmp_path / "t",
                        more=("close",)):
        for n, after in ((1, "RETR 1"), (2, "TOP 3 0"), (3, "*ENV 3")):
            session.listing("*ENV %d" % n)
            session.multi(after)
        others[0].listing("*ENV 2")
        session.quit()
        others[0].close()
        others[1].listing("*ENV 1")
        others[1].quit()
        host.server.await_event("session", 3)
        wait_until(lambda: sum(
            e.call == "close" and "/new/" in e.args
            for e in trace.events(tmp_path / "t")) >= 4)
    closed = [e for e in trace.events(tmp_path / "t") if e.call == "close"]
    assert all(e.done for e in closed), closed


def test_off(place, serve, login):
    """Unless it is switched on there is no such command."""
    session = login(serve(place.maildir([letter("x", 1)])))
    assert session.command("*ENV 1") == b"-ERR unknown command"
    session.quit()


# ---- fetchmail ----

POLL = """
poll 127.0.0.1 protocol SDPS port %d no dns timeout 20 localdomains %s:
  user "%s" password "%s" is * here options fetchall %s sslproto ''
"""


def fetchmail(host, user=None, password=None, keep=False, poll=None):
    """{"TO.FROM": texts}: what it has given to whom; and what it said."""
    got = host.home + "/got"
    shutil.rmtree(got, ignore_errors=True)
    os.mkdir(got)
    mda = host.write("mda", "#!/bin/sh\ncat > \"$(mktemp %s/\"$1.$2\".XXXXXX)\""
                     "\n" % got)
    poll = poll or POLL % (host.server.port, HOST, user, password,
                           "keep" if keep else "")
    rc = host.write("fetchmailrc", poll + ' mda "%s %%T %%F"\n' % mda)
    done = host.run("fetchmail", "--nosyslog", "--invisible", "-v", "-f", rc,
                    "--idfile", host.home + "/ids", "--pidfile",
                    host.home + "/pid")
    out = {}
    for name in os.listdir(got):
        with open(got + "/" + name, "rb") as f:
            out.setdefault(name.rsplit(".", 1)[0], []).append(f.read())
    return out, done.stdout.decode()


NEEDS_FETCHMAIL = pytest.mark.skipif(
    shutil.which("fetchmail") is None, reason="fetchmail is not installed")


@NEEDS_FETCHMAIL
def test_fetchmail(host):
    """S-SDPS-01: it asks for the envelope of each, and goes by it: no other field names
    the user."""
    got, said = fetchmail(host, "philh+" + HOST, PASSWORD, keep=True)
    assert "> *ENV 2" in said
    assert {to: len(texts) for to, texts in got.items()} == {
        "philh@%s.a@b.example" % HOST: 2}, said


@NEEDS_FETCHMAIL
def test_fetchmail_of_the_whole(host):
    """Each recipient gets their own, and all are removed from each maildrop."""
    got, said = fetchmail(host, HOST, WHOLE, keep=False)
    assert {to: len(texts) for to, texts in got.items()} == {
        "%s@%s.a@b.example" % (name, HOST): len(letters)
        for name, letters in host.letters.items()}, said
    assert not any(host.files(name) for name in USERS)


# ---- a whole host ----

def all_letters(host):
    """In the order in which the whole host has them."""
    return [m for name in sorted(host.letters) for m in host.letters[name]]


def uidls(host, login, user):
    session = login(host.server, user, PASSWORD)
    found = session.uidl()
    session.quit()
    return list(found.values())


def test_whole(host, login):
    """The users' mail as one maildrop: exact, and the same unique-ids."""
    own = [uid for name in USERS
           for uid in uidls(host, login, "%s@%s" % (name, HOST))]
    letters = all_letters(host)
    want = [drop.wire(m.stored) for m in letters]
    session = login(host.server, HOST, WHOLE)
    assert session.stat() == (6, sum(map(len, want)))
    assert list(session.list().values()) == [len(text) for text in want]
    assert list(session.uidl().values()) == own == [m.name for m in letters]
    for n in (1, 2, 3, 4, 5, 6, 2, 6, 1):
        assert session.retr(n) == want[n - 1]
        assert session.top(n, 0) == drop.top(letters[n - 1].stored, 0)
        assert session.listing("*ENV %d" % n)[3].startswith(
            letters[n - 1].kind.encode())
        assert session.ok("UIDL %d" % n) == b"+OK %d %s" % (
            n, own[n - 1].encode())
    session.send(b"".join(b"RETR %d\r\n" % n for n in range(1, 7)))
    for text in want:
        assert session.line() == b"+OK %d octets" % len(text)
        assert session.data() == drop.stuffed(text)
    session.err("RETR 7", "")
    session.quit()
    assert [m.path for m in letters] == [
        path for name in sorted(USERS) for path in sorted(host.files(name))]


def test_log_says_whose(host, login):
    """What is decided for a user is undone for that user, not for the host."""
    login(host.server, HOST, WHOLE).quit()
    decided = host.server.await_event("uidl-decided", len(USERS))
    assert [(e["path"], e["undo"]) for e in decided] == [
        ("%s/%s" % (HOST, name), "malotectl uidl forget NAME")
        for name in sorted(USERS)]
    host.server.ctl("uidl", "forget", "%s@%s" % (USERS[0], HOST),
                    "--yes")


def test_one_cannot_be_changed(host, login):
    """What is deleted goes from the others, and the log says where it did not."""
    session = login(host.server, HOST, WHOLE)
    for n in (1, 2, 4):
        session.ok("DELE %d" % n)
    path = "%s/%s/%s" % (host.mail, HOST, sorted(USERS)[1])
    os.rename(path + "/cur", path + "/cur2")
    session.err("QUIT", "SYS/TEMP")
    os.rename(path + "/cur2", path + "/cur")
    failed, = host.server.await_event("commit-failed")
    assert failed["path"] == "%s/%s" % (HOST, sorted(USERS)[1])
    assert [len(host.files(name)) for name in sorted(USERS)] == [0, 2, 2]


def test_update(host, login):
    """What is deleted goes from each maildrop; a session that is lost, or RSET,
    removes nothing."""
    letters = all_letters(host)
    session = login(host.server, HOST, WHOLE)
    session.ok("DELE 1")
    session.ok("DELE 6")
    session.close()
    session = login(host.server, HOST, WHOLE)
    assert session.stat()[0] == 6
    session.ok("DELE 2")
    session.ok("RSET")
    for n in (1, 3, 5, 6):
        session.ok("DELE %d" % n)
    assert session.stat() == (2, sum(
        len(drop.wire(letters[n - 1].stored)) for n in (2, 4)))
    assert list(session.uidl()) == [2, 4]
    assert b" 4 messages removed" in session.quit()
    left = [path for name in sorted(USERS)
            for path in sorted(host.files(name))]
    assert left == [letters[1].path, letters[3].path]
    assert uidls(host, login, "philh@" + HOST) == [letters[1].name]
    session = login(host.server, HOST, WHOLE)
    assert list(session.uidl().values()) == [letters[1].name, letters[3].name]
    session.quit()


def test_new_mail(host, login):
    """A message keeps its unique-id, whoever gets mail in front of it."""
    session = login(host.server, HOST, WHOLE)
    before = session.uidl()
    session.quit()
    new = letter("info", 900)
    host.place.add("%s/%s/info" % (host.mail, HOST), [new])
    session = login(host.server, HOST, WHOLE)
    after = list(session.uidl().values())
    assert after[1] == new.name
    assert [uid for uid in after if uid != new.name] == list(before.values())
    session.quit()


def test_many(place, serve, login):
    """More than a block of an index in one, windows that end between two, an
    empty one among them."""
    letters = {"a": [letter("a", i) for i in range(1, 1501)], "b": [],
               "c": [letter("c", i) for i in range(1, 1101)]}
    host = Host(place, serve, letters=letters)
    want = all_letters(host)
    session = login(host.server, HOST, WHOLE)
    assert list(session.uidl().values()) == [m.name for m in want]
    assert sum(session.list().values()) == session.stat()[1]
    session.send(b"".join(b"RETR %d\r\n" % n for n in range(1450, 1550)))
    for n in range(1450, 1550):
        assert session.line().startswith(b"+OK")
        assert session.data() == drop.stuffed(drop.wire(want[n - 1].stored))
    for n in range(1, 2601, 3):
        session.ok("DELE %d" % n)
    session.quit()
    left = {m.path for n, m in enumerate(want, 1) if n % 3 != 1}
    assert set().union(*(host.files(name) for name in letters)) == left


@pytest.mark.parametrize("first", ["host", "user"])
def test_one_lock_each(host, login, connect, first):
    """Whoever has one of the maildrops keeps the whole from being opened, and
    the other way round."""
    ways = {"host": (HOST, WHOLE), "user": ("philh@" + HOST, PASSWORD)}
    session = login(host.server, *ways.pop(first))
    (name, password), = ways.values()
    refused = connect(host.server.port)
    refused.ok("USER " + name)
    refused.err("PASS " + password, "IN-USE")
    # The others were let go of again.
    if first == "user":
        for other in ("info", "sales"):
            login(host.server, "%s@%s" % (other, HOST), PASSWORD).quit()
    session.quit()
    refused.ok("USER " + name)
    refused.ok("PASS " + password)
    refused.quit()


def test_unreadable(host, connect, login):
    """One that cannot be opened refuses the whole, and the log says which."""
    box = "%s/%s/philh" % (host.mail, HOST)
    os.rename(box, box + ".away")
    with open(box, "w", encoding="ascii") as f:
        f.write("From \n")
    session = connect(host.server.port)
    session.ok("USER " + HOST)
    session.err("PASS " + WHOLE, "SYS/PERM")
    event, = host.server.await_event("open-failed")
    assert event["path"] == HOST + "/philh"
    os.remove(box)
    os.rename(box + ".away", box)
    login(host.server, HOST, WHOLE).quit()


def test_twins(place, serve, connect):
    """Two messages with one unique-id: no client could tell them apart."""
    twin = drop.Message("new", "1.twin", b"Subject: twin\n\n", drop.EPOCH, "t")
    host = Host(place, serve, letters={
        "a": [twin], "b": [letter("b", 1)], "c": [letter("c", 1), twin]})
    session = connect(host.server.port)
    session.ok("USER " + HOST)
    session.err("PASS " + WHOLE, "SYS/PERM")
    event, = host.server.await_event("open-failed")
    assert event["path"] == HOST + "/a" and HOST + "/c" in event["error"]


def test_shared(place, serve, login):
    """Beside each other, where the settings say so."""
    host = Host(place, serve, 'sessions = "shared"\n')
    whole, user = (login(host.server, HOST, WHOLE),
                   login(host.server, "philh@" + HOST, PASSWORD))
    user.ok("DELE 1")
    user.quit()
    assert whole.stat()[0] == 6
    whole.err("RETR 2", "SYS/TEMP")
    whole.ok("DELE 2")
    whole.ok("DELE 4")
    whole.quit()
    assert [len(host.files(name)) for name in USERS] == [1, 1, 2]


def test_mark_seen(place, serve, login):
    host = Host(place, serve, "mark_seen = yes\n")
    session = login(host.server, HOST, WHOLE)
    session.retr(3)
    session.retr(4)
    session.ok("DELE 4")
    session.quit()
    assert host.files("philh") == {
        "new/" + host.letters["philh"][0].name,
        "cur/" + host.letters["philh"][1].name + ":2,S"}
    assert len(host.files("sales")) == 2


ROWS = {
    # another host's users are of several uids
    "two:{PLAIN}x::::::malote_host=two.example\n"
    "a@two.example:{PLAIN}x::::::\n"
    "b@two.example:{PLAIN}x:1234:1234::::\n": "host-uids",
    "none:{PLAIN}x::::::malote_host=none.example\n": "host-empty",
    "bad:{PLAIN}x::::::malote_host=bad.example\n"
    "a@bad.example:{PLAIN}x\n"
    "b@bad.example:{PLAIN}x::::::malote_tls=perhaps\n": "host-line",
    "odd:{PLAIN}x::::::malote_host=odd.example\n"
    "a@odd.example:{PLAIN}x::::::userdb_mail=maildir:/elsewhere\n":
        "mail-location",
    "big:{PLAIN}x::::::malote_host=big.example\n" + "".join(
        "u%d@big.example:{PLAIN}x\n" % i for i in range(257)): "host-users",
    "long:{PLAIN}x::::::malote_host=long.example\n" + "".join(
        "u%d@long.example:{PLAIN}x::::::userdb_mail=maildir:%%s/%s\n" % (
            i, "/".join(["x" * 200] * 5) + str(i)) for i in range(40)):
        "host-paths",
}


@pytest.mark.parametrize("rows", list(ROWS), ids=list(ROWS.values()))
def test_refused(place, serve, connect, rows):
    """Where it cannot be served: the log says why."""
    row = rows.replace("%s", place.path + "/mail")
    host = Host(place, serve, rows=row)
    session = connect(host.server.port)
    session.ok("USER " + rows.split(":")[0])
    session.err("PASS x", "SYS/PERM")
    event, = host.server.await_event("login-failed")
    assert event["why"] == ROWS[rows]
    assert host.server.events("mail-location")[0]["error"]
    # malotectl and --check say the same.
    assert "problem" in host.server.ctl("user", "show", rows.split(":")[0])


def test_switched_off(place, serve, connect):
    host = Host(place, serve)
    off = serve([("other", PASSWORD, place.path + "/mail/other/other")],
                SETTINGS.replace("sdps = yes", "sdps = no").replace(
                    "MAIL", host.mail),
                options=("--users", place.path + "/rows"))
    session = connect(off.port)
    session.ok("USER " + HOST)
    session.err("PASS " + WHOLE, "SYS/PERM")
    assert off.await_event("login-failed")[0]["why"] == "sdps-off"


def test_permits(place, serve, connect, login):
    """What a user's line keeps from being removed, or from being read outside
    of TLS, holds for the whole."""
    host = Host(place, serve, rows="".join(
        "%s:{PLAIN}x::::::malote_host=%s\n"
        "a@%s:{PLAIN}x\nb@%s:{PLAIN}x::::::%s\n" % (h, h, h, h, word)
        for h, word in (("look", "malote_read_only=yes"),
                        ("safe", "malote_tls=yes"))))
    for path in ("look/a", "look/b"):
        place.maildir([letter(path[-1], 1)], "mail/" + path)
    if place.owner:
        os.chown(host.mail + "/look", *place.owner)
    session = login(host.server, "look", "x")
    session.err("DELE 1", "")
    session.quit()
    session = connect(host.server.port)
    session.ok("USER safe")
    session.err("PASS x", "AUTH")
    login(host.server, "safe", "x", tls=True).quit()


def test_takeover(place, serve, login):
    """A session that has fallen silent gives way to another of the host."""
    host = Host(place, serve, "takeover = 1\n")
    first = login(host.server, HOST, WHOLE)
    first.ok("DELE 1")

    def again():
        session = None
        try:
            session = login(host.server, HOST, WHOLE)
        except AssertionError:
            return None
        return session
    second = wait_until(again, 20, 0.3)
    assert second.stat()[0] == 6
    second.quit()


def test_killed_store(host, login):
    """The store dies within a session: nothing is removed, and the maildrops
    can be had again."""
    session = login(host.server, HOST, WHOLE)
    session.ok("DELE 1")
    for pid in host.server.roles("store"):
        kill(pid)
    assert session.ended()
    wait_until(lambda: len(host.server.events("ready")) >= 1)

    def again():
        try:
            return login(host.server, HOST, WHOLE)
        except (AssertionError, OSError):
            return None
    session = wait_until(again, 20, 0.3)
    assert session.stat()[0] == 6
    session.quit()


def test_not_by_malotectl(host):
    """A host has no unique-ids of its own."""
    said = host.server.ctl("uidl", "show", HOST, code=78)
    assert "whole host" in said


# ---- the manual ----

@NEEDS_FETCHMAIL
def test_manual(place, serve, login):
    """The example of maloted.conf(5), with other paths, hashes and ports."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        blocks = f.read().split("```")[1::2]
    config, = [b for b in blocks if "sdps = yes" in b]
    rows, = [b for b in blocks if "malote_host=" in b]
    poll, = [b for b in blocks if "protocol SDPS" in b]
    host = Host(place, serve, letters={
        name: [letter(name, 1)] for name in ("philh", "sales")},
        users=rows.strip().replace("{SCHEME}hash", "{PLAIN}secret") + "\n",
        config=config.replace("/srv/mail", place.path + "/mail"))
    for name in ("philh@" + HOST, "philh+" + HOST):
        login(host.server, name, "secret").quit()
    poll = poll.replace("protocol SDPS", "protocol SDPS port %d no dns "
                        "timeout 20" % host.server.port)
    poll = poll.replace("mail.example.org", "127.0.0.1").rstrip()
    got, said = fetchmail(host, poll=poll + " options fetchall sslproto ''")
    assert set(got) == {"%s@%s.a@b.example" % (name, HOST)
                        for name in ("philh", "sales")}, said
