"""People sign in to a mail server that asks maloted: a real Postfix, at its
submission port."""
import contextlib
import grp
import json
import os
import pwd
import shutil
import sqlite3
import stat
import subprocess
import threading

import pytest

import drop
import postfix
import smtp
from asker import Asker
from server import CTL, PATIENCE, TOP, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root"),
    pytest.mark.skipif(not postfix.POSTFIX, reason="needs Postfix"),
]

UID = 20011
HOME, AWAY = "127.0.0.2", "127.0.0.3"
MECHANISMS = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5"
ASKS = ("-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot "
        "-o smtpd_sasl_path=private/auth-malote "
        "-o smtpd_tls_security_level=may "
        "-o smtpd_relay_restrictions=permit_sasl_authenticated,reject")
DELIVERS = """\
virtual_mailbox_domains = site.example
virtual_mailbox_base = %s
virtual_mailbox_maps = inline:{ann@site.example=box/}
virtual_uid_maps = static:%d
virtual_gid_maps = static:%d
"""


def block(path, more=""):
    return ('sasl "submission" {\n\tsocket = "%s"\n\tgroup = "postfix"\n%s}\n'
            % (path, more))


class Site:
    """maloted and a Postfix that asks it.  Both know ann@site.example."""

    def __init__(self, place, serve, mta, connect):
        self.place, self._serve, self.mta = place, serve, mta
        self._connect = connect
        self.box = place.path + "/box"
        drop.write(self.box, drop.make(3, 2), (UID, UID))
        os.chown(self.box, UID, UID)
        self.server = None
        self.state = place.path + "/state"
        self.users = place.path + "/users"
        with open(self.users, "w", encoding="ascii") as f:
            f.write("ann@site.example:{PLAIN}secret:%d:%d:::"
                    ":userdb_mail=maildir:%s\n" % (UID, UID, self.box))

    def serve(self, config="", more="", **others):
        people = [("ann@site.example", "secret", self.box)]
        self.server = self._serve(
            people, 'mechanisms = "%s"\n' % MECHANISMS + config
            + block(self.mta.auth_socket, more), **others)
        return self.server

    def client(self, **more):
        return contextlib.closing(smtp.Client(self.mta.port, **more))

    def says(self, password, user="ann@site.example", **more):
        """The code of the answer to one password."""
        with self.client(**more) as client:
            return client.plain(user, password)[0]

    def opens(self, password):
        """The maildrop."""
        session = self._connect(self.server.port)
        session.ok("USER ann@site.example")
        said = session.command("PASS " + password)
        assert said.startswith((b"+OK", b"-ERR [AUTH]")), said
        if said.startswith(b"+OK"):
            session.quit()
        return said.startswith(b"+OK")

    def app_password(self, label, *more):
        with open(self.place.path + "/ctl.conf", "w", encoding="ascii") as f:
            f.write("users = '%s'\n" % self.users)
        done = subprocess.run(
            [CTL, "--config", f.name, "app-password", "add",
             "ann@site.example", "--label", label, *more], text=True,
            capture_output=True, check=True, timeout=60 * PATIENCE,
            env={**os.environ, "STATE_DIRECTORY": self.state})
        return done.stdout.strip()


@pytest.fixture
def mta(place, certs):
    one = postfix.Postfix(
        place.path + "/postfix", certs["good"],
        DELIVERS % (place.path, UID, UID), ASKS)
    yield one
    one.stop()


@pytest.fixture
def site(place, serve, mta, connect):
    return Site(place, serve, mta, connect)


def test_each_mechanism(site, login):
    """By STARTTLS; and what is submitted is there for POP3."""
    server = site.serve()
    site.mta.start()
    mode = os.stat(site.mta.auth_socket)
    assert stat.S_IMODE(mode.st_mode) == 0o660
    assert mode.st_uid == pwd.getpwnam("postfix").pw_uid  # as the folder's
    assert mode.st_gid == grp.getgrnam("postfix").gr_gid
    ways = ("PLAIN", "PLAIN in two", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
    for n, mechanism in enumerate(ways):
        with site.client(source=HOME) as client:
            assert client.mechanisms() == {
                "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"}
            code, text = client.sign_in(mechanism, "ann@site.example",
                                        "secret")
            assert code == 235, (mechanism, text)
            client.submit("ann@site.example", "ann@site.example",
                          "Subject: by %s\r\n\r\n" % mechanism)
        event = server.await_event("login", n + 1)[n]
        assert event["service"] == "smtp" and event["tls"] == "yes"
        assert event["ip"] == HOME and event["user"] == "ann@site.example"
        assert event["method"] == mechanism.split()[0]

    def arrived():
        session = login(server, "ann@site.example")
        texts = b"".join(session.retr(i)
                         for i in range(1, 1 + len(session.uidl())))
        session.quit()
        return all(b"Subject: by " + way.encode() in texts for way in ways)
    wait_until(arrived, 20, 0.2)


def test_wrong_password(site, place):
    """Counted for the client, and not for the server that it told it to; and
    fail2ban finds it."""
    server = site.serve("failure_delay = yes\n")
    site.mta.start()
    assert site.says("wrong", source=HOME) == 535
    assert site.says("wrong", "nobody", source=AWAY) == 535
    failed = server.await_event("login-failed", 2)
    assert [(e["ip"], e["service"], e["code"], e["why"]) for e in failed] == [
        (HOME, "smtp", "auth", "password"),
        (AWAY, "smtp", "auth", "unknown-user")]
    known = json.loads(server.ctl("auth", "failures", "--json"))["failures"]
    assert {f["address"] for f in known} == {HOME, AWAY}
    assert "Wrong name or password" in site.mta.log_text()
    assert site.says("secret", source=HOME) == 235
    if shutil.which("fail2ban-regex"):
        shutil.copy("/etc/fail2ban/filter.d/common.conf", place.path)
        with open(place.path + "/lines", "w", encoding="utf-8") as f:
            f.write("".join(line.split(" ", 1)[1] + "\n" for line in
                            server.log_text().splitlines()))
        shutil.copy(TOP + "/packaging/fail2ban.conf", place.path)
        done = subprocess.run(
            ["fail2ban-regex", "--out", "ip", place.path + "/lines",
             place.path + "/fail2ban.conf"], text=True, capture_output=True,
            timeout=60 * PATIENCE, check=True)
        assert done.stdout.split() == [HOME, AWAY]


def test_outside_of_tls(site):
    """A password is not taken where it could be read, unless the block says
    so; what sends none is."""
    server = site.serve()
    site.mta.start()
    with site.client(tls=False) as client:
        code, text = client.plain("ann@site.example", "secret")
        assert code == 535 and b"inside TLS" in text
        assert client.sign_in("SCRAM-SHA-256", "ann@site.example",
                              "secret")[0] == 235
    failed, = server.events("login-failed")
    assert (failed["code"], failed["method"]) == ("tls", "PLAIN")
    server.stop()
    site.serve(more="\tplaintext_login = yes\n")
    assert site.says("secret", tls=False) == 235


def test_no_downgrade(site):
    """A client that could bind to the channel, and was not offered that here,
    says so, and is no victim: though listeners of POP3 offer it."""
    site.serve()
    site.mta.start()
    with site.client() as client:
        assert client.scram("SCRAM-SHA-256", "ann@site.example", "secret",
                            flag="y")[0] == 235


def test_maloted_goes_and_comes(site):
    """The mail server says that it is for now, and goes on by itself; one
    session outlives it."""
    site.serve()
    site.mta.start()
    with site.client() as client:
        for _ in range(2):
            assert client.plain("ann@site.example", "wrong")[0] == 535
            site.server.stop()
            assert not os.path.exists(site.mta.auth_socket)
            assert client.plain("ann@site.example", "secret")[0] == 454
            site.serve()
        assert client.plain("ann@site.example", "secret")[0] == 235


def test_database_away(site):
    """Nobody is told for good that a password is wrong which nobody could look
    at."""
    path = site.place.path + "/db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE users (name, password, uid, gid, mail)")
        db.execute("INSERT INTO users VALUES ('bea@site.example', "
                   "'{PLAIN}secret', ?, ?, ?)", (UID, UID,
                                                "maildir:" + site.box))
        db.commit()
    os.chmod(path, 0o644)
    server = site.serve(
        'users "db" {\n\tdriver = "sqlite"\n\tfile = "%s"\n\tquery = "SELECT '
        'password, uid, gid, mail FROM users WHERE name = $1"\n'
        '\ttimeout = 1\n}\n' % path)
    site.mta.start()
    assert site.says("secret", "bea@site.example") == 235
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert site.says("secret", "bea@site.example") == 454
        db.execute("COMMIT")
    assert server.await_event("login-failed")[0]["code"] == "temporary"
    wait_until(lambda: site.says("secret", "bea@site.example") == 235)


def test_app_passwords(site):
    """One for sending only, one for reading only, one for both."""
    server = site.serve("users = '%s'\n" % site.users,
                        env={"STATE_DIRECTORY": site.state})
    site.mta.start()
    sends = site.app_password("sends", "--protocol", "smtp")
    reads = site.app_password("reads", "--protocol", "pop3")
    both = site.app_password("both")
    assert [site.says(p) for p in (sends, reads, both)] == [235, 535, 235]
    assert [site.opens(p) for p in (sends, reads, both)] == [
        False, True, True]
    assert [(e["method"], e["why"])
            for e in server.await_event("login-failed", 2)] == [
        ("PLAIN", "app-password-protocol"), ("PASS", "app-password-protocol")]


@pytest.mark.skipif(not smtp.SWAKS, reason="needs swaks")
def test_swaks(site):
    site.serve()
    site.mta.start()
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        code, said = smtp.swaks(site.mta.port, "ann@site.example", "secret",
                                mechanism=mechanism)
        assert code == 0, said
    code, said = smtp.swaks(site.mta.port, "ann@site.example", "wrong")
    assert code == 28 and "535 5.7.8" in said, said


def test_flood(site, login):
    """500 sign-ins at a time, half of them wrong, by ten programs: each has its
    answer, and POP3 goes on meanwhile."""
    server = site.serve("hash_threads = 1\n")
    session = login(server, "ann@site.example")
    askers = [Asker(site.mta.auth_socket) for _ in range(10)]
    answers = [[] for _ in askers]

    def ask(asker, out):
        asker.say(*(asker.auth(n, "secret" if n % 2 else "wrong",
                               "192.0.2.%d" % n) for n in range(50)))
        out += [asker.line() for _ in range(50)]
    threads = [threading.Thread(target=ask, args=pair)
               for pair in zip(askers, answers)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        session.ok("NOOP")
        assert len(session.retr(1)) > 0
    for thread in threads:
        thread.join(120 * PATIENCE)
        assert not thread.is_alive()
    for asker, lines in zip(askers, answers):
        got = {int(x.split("\t")[1]): x.split("\t")[0] for x in lines}
        assert got == {n: "OK" if n % 2 else "FAIL" for n in range(50)}
        asker.close()
    assert len(session.uidl()) == 2
    session.quit()
