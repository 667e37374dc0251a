"""SDPS: mailboxes of a host, *ENV, a whole host at once; with fetchmail."""
import gzip
import os
import shutil
import subprocess

import pytest

import drop
from server import PATIENCE

pytestmark = pytest.mark.ours

HOST = "vision25.example"
PASSWORD = "pencil"
WHOLE = "whole"
USERS = ("info", "philh", "sales")
SETTINGS = """
sdps = yes
login_separators = "+"
mail = "maildir:%s/%%d/%%n"
mail_root = "%s"
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

    def __init__(self, place, serve, settings="", rows="", letters=None):
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
        users = "".join("%s@%s:{PLAIN}%s\n" % (name, HOST, PASSWORD)
                        for name in self.letters)
        users += "%s:{PLAIN}%s::::::malote_host=%s\n" % (HOST, WHOLE, HOST)
        path = place.path + "/rows"
        with open(path, "w", encoding="utf-8") as f:
            f.write(users + rows)
        config = SETTINGS % (self.mail, self.mail) + settings
        if place.owner:
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


def test_off(place, serve, login):
    """Unless it is switched on there is no such command."""
    session = login(serve(place.maildir([letter("x", 1)])))
    assert session.command("*ENV 1") == b"-ERR unknown command"
    session.quit()


# ---- fetchmail ----

FETCHMAIL = """
poll 127.0.0.1 protocol SDPS port %d no dns timeout 20 localdomains %s:
  user "%s" password "%s" is * here options fetchall %s
  sslproto ''
  mda "%s %%T %%F"
"""


def fetchmail(host, user, password, keep, status=0):
    """{file: text}: what it has given to whom."""
    got = host.home + "/got"
    shutil.rmtree(got, ignore_errors=True)
    os.mkdir(got)
    mda = host.write("mda", "#!/bin/sh\ncat > \"$(mktemp %s/\"$1.$2\".XXXXXX)\""
                     "\n" % got)
    rc = host.write("fetchmailrc", FETCHMAIL % (
        host.server.port, HOST, user, password, "keep" if keep else "", mda))
    done = host.run("fetchmail", "--nosyslog", "--invisible", "-v", "-f", rc,
                    "--idfile", host.home + "/ids", "--pidfile",
                    host.home + "/pid", status=status)
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
