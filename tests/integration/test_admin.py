"""malotectl user show, user test and auth failures: what is said is what is
true, only root is told, and no secret is."""
import base64
import hashlib
import json
import os
import pty
import signal
import subprocess
import time

import pytest

import control
import drop
from scram import b64, cram, scram
from server import CTL, PATIENCE, kill, wait_until
from test_control import (Fake, GROUP, STRANGER, as_root, await_auth, end,
                          start, try_as)

pytestmark = pytest.mark.ours

EX_NOUSER, EX_IOERR, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 67, 74, 75, 77, 78
SECRET = "Top-secret/1"
SCRAM = ("{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
         "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")  # "pencil"


def ssha(password, salt=b"salt"):
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def ids(maildir):
    owner = os.stat(maildir)
    return "%d:%d" % (owner.st_uid, owner.st_gid) if owner.st_uid else ":"


@pytest.fixture
def box(place):
    return place.maildir(drop.make(5, 3))


@pytest.fixture
def users(place, serve, box):
    """A server with the users of some lines: name, what is stored, the rest."""
    def begin(lines, config=""):
        file = place.path + "/users.here"
        with open(file, "w", encoding="utf-8") as f:
            for name, stored in lines.items():
                f.write("%s:%s:%s::%s::userdb_mail=maildir:%s\n" % (
                    name, stored, ids(box), os.path.dirname(box), box))
        server = serve([("unused", "x", box)], "users = '%s'\n"
                       "sessions = \"shared\"\n%s" % (file, config))
        server.users = file
        return server
    return begin


def tell(server, *words, code=0, secret=None):
    """The JSON of a command; a secret is its standard input."""
    run = subprocess.run([CTL, "--config", server.ctl_conf, "--json", *words],
                         input=secret and secret + "\n", text=True,
                         capture_output=True, check=False,
                         timeout=90 * PATIENCE)
    assert run.returncode == code, run
    return json.loads(run.stdout) if run.stdout else None


# ---- user show ----

def test_show(users, box):
    server = users({"ana": "{PLAIN}" + SECRET, "bob": SCRAM, "zed": "*",
                    "odd": "{FOO}x"})
    ana = tell(server, "user", "show", "ANA")
    assert ana["database"] == server.users and ana["line"] == 1
    assert ana["user"] == "ana" and ana["scheme"] == "PLAIN"
    assert ana["mail"] == "maildir:" + box
    assert ana["home"] == os.path.dirname(box)
    assert ana["uid"] == os.stat(box).st_uid and ana["locked"] is False
    assert not any(ana[x] for x in ("allow_nets", "nologin", "pop3_off",
                                    "tls_only", "read_only", "master"))
    bob = server.ctl("user", "show", "bob")
    assert "scheme:    SCRAM-SHA-256\n" in bob
    for secret in SCRAM.split("}")[1].split(","):
        assert secret not in bob
    assert SECRET not in json.dumps(ana)
    assert tell(server, "user", "show", "zed")["locked"] is True
    assert "hash" in tell(server, "user", "show", "odd")
    tell(server, "user", "show", "nobody", code=EX_NOUSER)
    tell(server, "user", "show", "a b", code=EX_NOUSER)


def test_a_line_that_is_refused(users, box):
    """It is not said that there is no such user, but what is wrong where."""
    server = users({"ana": "{PLAIN}" + SECRET, "odd": "{FOO}x"})
    with open(server.users, "a", encoding="utf-8") as f:
        f.write("bad:{PLAIN}%s:%s::::malote_tls=maybe\n"
                % (SECRET, ids(box)))
    for command in (("user", "show"), ("user", "test"), ("uidl", "show")):
        run = subprocess.run(
            [CTL, "--config", server.ctl_conf, *command, "bad"],
            input=SECRET + "\n", text=True, capture_output=True, check=False,
            timeout=90 * PATIENCE)
        assert run.returncode == EX_CONFIG, (command, run)
        assert "line 3 of the users file: malote_tls must be yes or no" \
            in run.stderr
    run = subprocess.run(
        [CTL, "--config", server.ctl_conf, "user", "test", "odd"],
        input="x\n", text=True, capture_output=True, check=False,
        timeout=90 * PATIENCE)
    assert run.returncode == EX_CONFIG
    assert "line 2: unknown password scheme" in run.stderr


def test_names_of_people(users):
    """In a locale of UTF-8 they are shown as they are written, in another one
    escaped, and what is no character to see is escaped in each."""
    server = users({"jos\u00e9": "{PLAIN}x"})
    with open(server.users, "a", encoding="utf-8") as f:
        f.write("zo\u00eb:{PLAIN}x:1:1::home\n"
                "al:{PLAIN}x::::/home/\u00e9\u009b\n")
    def said(locale, name):
        run = subprocess.run(
            [CTL, "--config", server.ctl_conf, "user", "show", name],
            env=dict(os.environ, LC_ALL=locale), capture_output=True,
            check=False, timeout=90 * PATIENCE)
        return (run.stdout + run.stderr).decode()
    assert "user:      jos\u00e9\n" in said("C.UTF-8", "jos\u00e9")
    assert "user:      jos\\xc3\\xa9\n" in said("C", "jos\u00e9")
    assert "/home/\u00e9\\xc2\\x9b\n" in said("C.UTF-8", "al")
    assert 'must begin with "/"' in said("C.UTF-8", "zo\u00eb")


def test_show_what_a_line_forbids(users, box):
    server = users({"zed": "{PLAIN}x"})
    with open(server.users, "a", encoding="utf-8") as f:
        for name, forbidden in (
                ("ana", "allow_nets=::1,192.0.2.0/24 malote_tls=yes "
                        "malote_read_only=yes"),
                ("bob", "nologin malote_pop3=no malote_master=yes")):
            f.write("%s:{PLAIN}x:%s::/nowhere::userdb_mail=maildir:%s %s\n"
                    % (name, ids(box), box, forbidden))
    words = ("nologin", "pop3_off", "tls_only", "read_only", "master")
    ana, bob = (tell(server, "user", "show", x) for x in ("ana", "bob"))
    assert [ana[x] for x in words] == [False, False, True, True, False]
    assert [bob[x] for x in words] == [True, True, False, False, True]
    assert ana["allow_nets"] == "::1,192.0.2.0/24" and bob["allow_nets"] == ""
    tried = tell(server, "user", "test", "bob", secret="x")
    assert not any(row["possible"] for row in tried["mechanisms"])


def test_show_is_of_now(users, box):
    """Also what was written since the last sign-in; and who could not read
    mail is told why."""
    server = users({"ana": "{PLAIN}x"})
    with open(server.users, "a", encoding="utf-8") as f:
        f.write("new:{PLAIN}x:%s::/nowhere::userdb_mail=maildir:~/x\n"
                % ids(box))
    new = tell(server, "user", "show", "new")
    assert "mail_root" in new["problem"] and "mail" not in new


# ---- user test ----

def try_password(session, user, password):
    session.command("USER " + user)
    return session.command("PASS " + password)


WAYS = {
    "USER": try_password,
    "PLAIN": lambda s, u, p: s.command("AUTH PLAIN " + b64("\0%s\0%s"
                                                           % (u, p))),
    "LOGIN": lambda s, u, p: (s.command("AUTH LOGIN"), s.command(b64(u)),
                              s.command(b64(p)))[-1],
    "CRAM-MD5": cram,
    "SCRAM-SHA-256": lambda s, u, p: scram(s, "SCRAM-SHA-256", u, p)[0],
    "SCRAM-SHA-1": lambda s, u, p: scram(s, "SCRAM-SHA-1", u, p)[0],
}


def test_what_is_possible_works(users, connect):
    """And what is not does not."""
    server = users(
        {"plain": "{PLAIN}pencil", "scram": SCRAM, "locked": "!x",
         "hash": ssha("secret")},
        'mechanisms = "PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"\n'
        "apop = yes\nmax_failures = 100\n")
    possible = {}
    for user in ("plain", "scram", "locked", "hash"):
        password = "secret" if user == "hash" else "pencil"
        told = tell(server, "user", "test", user, secret=password,
                    code=EX_NOPERM if user == "locked" else 0)
        assert told["password"] == ("wrong" if user == "locked" else "right")
        rows = {row["mechanism"]: row for row in told["mechanisms"]}
        for name, row in rows.items():
            assert row["possible"] == (row["why_not"] == ""), row
        for name, way in WAYS.items():
            session = connect(server.port)
            said = way(session, user, password).startswith(b"+OK")
            assert said == rows[name]["possible"], (user, name, rows[name])
            session.close()
        assert rows["SCRAM-SHA-256-PLUS"]["possible"] == \
            rows["SCRAM-SHA-256"]["possible"]
        assert not rows["ANONYMOUS"]["possible"]
        possible[user] = {n for n, r in rows.items() if r["possible"]}
    assert "APOP" in possible["plain"] and "APOP" not in possible["scram"]
    assert possible["hash"] == {"USER", "PLAIN"} and not possible["locked"]


def test_a_try_counts_for_nobody(users, login):
    server = users({"ana": "{PLAIN}" + SECRET}, "failure_delay = yes\n")
    for n in range(10):
        told = tell(server, "user", "test", "ana", secret="guess%d" % n,
                    code=EX_NOPERM)
        assert told["password"] == "wrong"
    tell(server, "user", "test", "nobody", secret=SECRET, code=EX_NOUSER)
    assert tell(server, "auth", "failures") == {"failures": []}
    assert not server.events("login-failed")
    login(server, "ana", SECRET).quit()
    # But the log says who did it, and no password.
    assert len(server.await_event("control", 11)) == 11
    assert "guess" not in server.log_text()
    assert SECRET not in server.log_text()


def test_at_a_terminal(users):
    """It is asked for once, and not shown."""
    server = users({"ana": "{PLAIN}" + SECRET})
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [CTL, "--config", server.ctl_conf, "user", "test", "ana"],
        stdin=slave, stdout=subprocess.PIPE, stderr=slave, text=True)
    os.close(slave)
    shown = b""
    while not shown.endswith(b"Password: "):
        shown += os.read(master, 100)
    os.write(master, SECRET.encode() + b"\n")
    assert "right" in run.communicate(timeout=60)[0] and run.returncode == 0
    assert SECRET.encode() not in shown + os.read(master, 1000)
    os.close(master)


# ---- auth failures ----

def fail(connect, server, user, password, source=None):
    """Does not wait for the answer."""
    before = len(server.events("login-failed"))
    session = connect(server.port, source=source)
    session.command("USER " + user)
    session.send("PASS %s\r\n" % password)
    server.await_event("login-failed", before + 1)


def test_failures(users, connect, login):
    server = users({"ana": "{PLAIN}" + SECRET}, "failure_delay = yes\n")
    begun = int(time.time())
    assert tell(server, "auth", "failures") == {"failures": []}
    fail(connect, server, "ana", "guess", "127.0.1.1")
    fail(connect, server, "nobody", "guess", "127.0.2.1")
    fail(connect, server, "ana", "guess2", "127.0.1.1")
    rows = tell(server, "auth", "failures")["failures"]
    assert [(r["address"], r["user"], r["failures"], r["why"])
            for r in rows] == [("127.0.1.1", "ana", 2, "password"),
                               ("127.0.2.1", "nobody", 1, "unknown-user")]
    assert all(begun <= r["last"] <= time.time() for r in rows)
    assert 0 < rows[0]["delay_ms"] <= 2000
    said = server.ctl("auth", "failures")
    assert "guess" not in said and "nobody" in said
    # What is said to be over is over.
    wait_until(lambda: not any(
        r["delay_ms"] for r in tell(server, "auth", "failures")["failures"]))
    login(server, "ana", SECRET, source="127.0.1.1").quit()


def test_failures_are_bounded(users, connect):
    """As many as there is room for, the last ones first; and nothing of a name
    reaches the terminal but what can be read."""
    server = users({"ana": "{PLAIN}x"}, "max_failures = 1000\n")
    session = connect(server.port)
    for n in range(100):
        session.err("AUTH PLAIN " + b64("\0name%d\x1b[2J\n\0x" % n), "AUTH")
    rows = tell(server, "auth", "failures")["failures"]
    assert [r["user"] for r in rows] == [
        "name%d\x1b[2J\n" % n for n in range(99, 35, -1)]
    said = server.ctl("auth", "failures")
    assert len(said.splitlines()) == 65 and "\x1b" not in said


# ---- who may ----

@as_root
def test_only_root_is_told(serve, box):
    """Not the group that may see how the server is."""
    server = serve(box, 'control_group = "%d"\n' % GROUP)
    who = {"user": STRANGER, "group": GROUP, "extra_groups": []}
    try_as(server, 0, **who)
    mine = server.tmp + "/malotectl"
    for words in (["user", "show", "user"], ["user", "test", "user"],
                  ["auth", "failures"]):
        run = subprocess.run([mine, "--config", server.ctl_conf, *words],
                             input="secret\n", capture_output=True, text=True,
                             check=False, timeout=60 * PATIENCE, **who)
        assert run.returncode == EX_NOPERM and not run.stdout, run
        assert "only root" in run.stderr


# ---- who breaks the rules ----

def test_auth_dies(server_with_stopped_auth):
    server, auth = server_with_stopped_auth
    asking = start(server, "user", "show", "user")
    with control.channel_of(auth) as channel:
        control.receive(channel, control.ASK)
    kill(auth)
    assert "has ended" in end(asking, EX_TEMPFAIL)
    await_auth(server)
    server.ctl("user", "show", "user")


@pytest.fixture
def server_with_stopped_auth(serve, box):
    server = serve(box)
    auth, = server.roles("auth")
    os.kill(auth, signal.SIGSTOP)
    return server, auth


def test_auth_answers_another_question(server_with_stopped_auth):
    """Facts come for who asked for some, and to nobody else."""
    server, auth = server_with_stopped_auth
    asking = start(server, "uidl", "show", "user")
    with control.channel_of(auth) as channel:
        token = control.receive(channel, control.WHERE)[:8]
        channel.send(control.message(control.FACT_IS, token,
                                     control.fact(0, "user", "x")))
        channel.send(control.message(control.ASKED, bytes(8),
                                     control.done(0)))
        channel.send(control.message(control.ASKED, token, control.done(
            control.CANNOT, "no")))
        channel.send(control.message(
            control.WHERE_IS, token, bytes([control.LATER]), bytes(2),
            control.text("later")))
    os.kill(auth, signal.SIGCONT)
    assert "later" in end(asking, EX_TEMPFAIL)


def done(outcome=0):
    return control.message(control.DONE, control.done(outcome))


def facts(*rows):
    return [control.message(control.FACT, control.fact(*row)) for row in rows]


@pytest.mark.parametrize("told", [
    [(2, "a", "b")], [(1, "a", "b"), (0, "a", "b"), (1, "a", "c")],
    [(1, "a", 1), (3, "a", 1)], [(0, "a", 1), (0, "a", 2)],
    [(1, "a", 1), (2, "a", 1), (1, "b", 1)],
    [(0, "n%d" % n, n) for n in range(65)],
    [(n, "a", n) for n in range(1, 1026)]], ids=range(7))
def test_facts_that_make_no_sense(place, told):
    said = Fake(place, *facts(*told), done()).ctl(
        EX_IOERR, "auth", "failures")
    assert "cannot be understood" in said


@pytest.mark.parametrize("words", [["user", "show", "x"], ["auth", "failures"],
                                   ["user", "show", "x", "--json"]])
def test_facts_with_bad_words(place, words):
    escape = "\x1b]0;owned\x07\x1b[2J"
    Fake(place, *facts((0, "user", escape), (0, escape[:20], 1),
                       (1, "user", escape), (1, "why", escape)),
         done()).ctl(0, *words)
