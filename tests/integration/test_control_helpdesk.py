"""malotectl log and client-settings: what a person who helps others reads
out."""
import gzip
import json
import os
import re
import subprocess

import pytest

import drop
import pop3
from server import CTL

pytestmark = [pytest.mark.core, pytest.mark.ours]

EX_DATAERR, EX_NOUSER, EX_CONFIG = 65, 67, 78


def run(*words, code=0, env=None):
    done = subprocess.run([CTL, *words], text=True, capture_output=True,
                          timeout=60, check=False,
                          env={**os.environ, "TZ": "UTC", **(env or {})})
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


# ---- log ----

@pytest.fixture
def conf(tmp_path):
    (tmp_path / "users").write_text("anna:{PLAIN}x\n")
    path = tmp_path / "conf"
    path.write_text('users = "%s/users"\n' % tmp_path)
    return str(path)


def log(server, *words, user="user", **more):
    return run("--config", server.ctl_conf, "log", user, "--log",
               server.log_path, *words, **more)


def told(server, *words, **more):
    return json.loads(log(server, "--json", *words, **more))


def test_what_became_of_the_mail(serve, place, login):
    """Of a server that runs: when, from where, what was removed."""
    box = place.maildir([drop.Message(
        "new", "%d.a" % n, b"Message-ID: <%d@x>\n\nx\n" % n, drop.EPOCH, "x")
        for n in range(1, 4)])
    server = serve(box)
    assert "nothing of this user" in log(server)
    with pop3.Pop3(server.port) as client:
        client.ok("USER user")
        client.err("PASS wrong")
    session = login(server)
    session.retr(1)
    session.retr(2)
    session.ok("DELE 1")
    session.quit()
    session = login(server, tls=True)
    session.retr(1)
    session.ok("DELE 1")
    session.close()
    server.await_event("session", 3)
    # Lines of two processes come in any order.
    rows = {kind: [row for row in told(server) if row["what"] == kind]
            for kind in ("refused", "removed", "session")}
    refused, = rows["refused"]
    removed, = rows["removed"]
    good, broke = rows["session"]
    assert refused["code"] == "auth"
    assert removed["message_id"] == "<1@x>"
    assert good["ip"] == "127.0.0.1"
    assert (good["retr"], good["dele"], good["left"]) == ("2", "1", "2")
    assert good["mechanism"] == "USER" and good["why"] == "quit"
    assert broke["why"] != "quit" and broke["left"] == "2"
    text = log(server)
    assert "could not sign in: the name or the password was wrong" in text
    assert "Removed by the program: <1@x>" in text
    assert "2 messages were collected from 127.0.0.1 (USER, no TLS)" in text
    assert "1 message was collected" in text and "TLSv1" in text
    assert "nothing was removed, 2 are on the server" in text
    assert re.search(r"Mail was last collected on \S+ \S+, from 127.0.0.1",
                     text)
    assert log(server, user="bea") == "The log has nothing of this user.\n"


def test_what_a_person_cannot_see(serve, place, login):
    """Kept in Trash, unreadable, elsewhere, not to be opened."""
    messages = [drop.Message("cur", "%d.a:2," % n, b"Message-ID: <%d@x>\n\nx\n"
                             % n, drop.EPOCH, "x") for n in range(1, 4)]
    box = place.maildir(messages)
    os.chmod(box + "/cur/3.a:2,", 0)
    server = serve(box, "trash = yes\n")
    session = login(server)
    session.ok("DELE 1")
    session.quit()
    os.rename(box, box + ".away")
    login(server).quit()
    os.rename(box, box + ".new")
    os.symlink(box + ".away", box)
    with pop3.Pop3(server.port) as client:
        client.ok("USER user")
        client.err("PASS secret")
    os.unlink(box)
    os.rename(box + ".away", box)
    with login(server), pop3.Pop3(server.port) as client:
        client.ok("USER user")
        client.err("PASS secret", "IN-USE")
    server.await_event("session", 5)
    text = log(server)
    assert "Moved to the folder Trash by the program: <1@x>" in text
    assert "  1 more cannot be read by the server" in text
    assert "There was no mailbox, so an empty one was made." in text
    assert re.search("could not be opened: .*symbolic link", text)
    assert re.search("could not be opened: .*from 127.0.0.1", text)
    rows = told(server)
    assert [r["to"] for r in rows if r["what"] == "removed"] == ["trash"]
    # Two workers, of which each writes when it has the time.
    assert sorted(r["left_out"] for r in rows if r["what"] == "session") == \
        ["0", "1", "1"]
    assert {r["what"] for r in rows} == {"removed", "session", "made",
                                         "unopened"}


LINE = ("{stamp} {lead}worker.0 ev=session sid=0.{n} user=anna login=yes "
        "ip=192.0.2.{n} tls=none cipher=none in=1 out=1 retr=1 top=0 dele=0 "
        "left=1 left_out=0 why=quit ms=1\n")


def sessions(*words):
    return [row["ip"].split(".")[-1]
            for row in json.loads(run(*words, "--json"))]


def test_files_that_were_rotated(conf, tmp_path):
    """The oldest first, whatever logrotate calls them; compressed ones, too."""
    path = str(tmp_path / "mail.log")

    def line(n):
        return LINE.format(stamp="2026-11-%02dT10:00:00.000Z" % n, n=n,
                           lead="")
    with gzip.open(path + "-20261101.gz", "wt") as f:
        f.write(line(1))
    with gzip.open(path + ".2.gz", "wt") as f:
        f.write(line(2) + line(3))
    for name, n in ((".1", 4), ("", 5)):
        with open(path + name, "w", encoding="ascii") as f:
            f.write(line(n))
    words = ["--config", conf, "log", "anna", "--log", path]
    assert sessions(*words) == ["1", "2", "3", "4", "5"]
    assert sessions(*words, "--since", "2026-11-03") == ["3", "4", "5"]
    assert sessions(*words, "--since", "2026-11-03 10:01") == ["4", "5"]
    assert sessions(*words, "--since", "1h") in ([], ["5"])
    for wrong in ("yesterday", "2026-13-01", "7w", "2026-11-03 25:00"):
        run(*words, "--since", wrong, code=EX_DATAERR)
    assert "no such file" in run("--config", conf, "log", "anna", "--log",
                                 path + "x", code=EX_CONFIG)
    with open(path + ".2.gz", "r+b") as f:
        f.seek(12)
        f.write(b"\xff" * 30)
    assert "damaged" in run(*words, code=74)


def test_other_forms_of_the_log(conf, tmp_path):
    """Of syslog and of the journal; and what only looks like a line."""
    path = str(tmp_path / "mail.log")
    with open(path, "w", encoding="ascii") as f:
        f.write(LINE.format(stamp="Nov 11 10:00:00", n=1,
                            lead="host maloted[7]: "))
        f.write(LINE.format(stamp="2026-11-12T10:00:00.123456-03:00", n=2,
                            lead="host maloted[7]: "))
        f.write(LINE.format(stamp="1796337615.123456", n=3,
                            lead="host maloted[7]: "))
        f.write('2026-11-13T10:00:00.000Z I worker.0 ev=trace client="x '
                'ev=session sid=0.4 user=anna login=yes retr=9"\n')
        f.write("2026-11-13T10:00:00.000Z I worker.0 ev=session sid=0.5 "
                "user=annabel login=yes retr=9\n")
    rows = json.loads(run("--config", conf, "log", "anna", "--log", path,
                          "--json"))
    assert [row["ip"] for row in rows] == \
        ["192.0.2.%d" % n for n in (1, 2, 3)]
    assert [row["when"] for row in rows[1:]] == [1794488400, 1796337615]


def test_the_password_of_a_program(conf, tmp_path):
    path = str(tmp_path / "mail.log")
    with open(path, "w", encoding="ascii") as f:
        f.write('2026-11-13T10:00:00.000Z I auth.0 ev=app-password sid=0.7 '
                'user=anna label="the phone"\n')
        f.write("2026-11-13T10:00:00.000Z I worker.0 ev=login sid=0.7 "
                "user=anna ip=192.0.2.7 method=PLAIN tls=TLSv1.3\n")
        f.write(LINE.format(stamp="2026-11-13T10:00:01.000Z", n=7, lead="I "))
    text = run("--config", conf, "log", "anna", "--log", path)
    assert '(PLAIN, no TLS, password of "the phone")' in text


def test_in_portuguese(conf, tmp_path, portuguese):
    path = str(tmp_path / "mail.log")
    with open(path, "w", encoding="ascii") as f:
        f.write(LINE.format(stamp="2026-11-13T10:00:01.000Z", n=7, lead="I "))
    text = run("--config", conf, "log", "anna", "--log", path, env=portuguese)
    assert "1 mensagem foi baixada de 192.0.2.7" in text
    text = run("--config", conf, "client-settings", "anna", env=portuguese)
    assert "Nome de usuário:" in text and "Senha normal" in text


# ---- client-settings ----

@pytest.fixture
def site(tmp_path, certs):
    """site(more, kind): a configuration with a certificate."""
    def make(more="", kind="good"):
        (tmp_path / "users").write_text("anna@example.org:{PLAIN}x\n")
        path = tmp_path / "conf"
        path.write_text(
            'users = "%s/users"\ncertificate = "%s"\nkey = "%s"\n%s'
            % (tmp_path, certs[kind].pem, certs[kind].key, more)
            if kind else 'users = "%s/users"\n%s' % (tmp_path, more))
        return str(path)
    return make


def settings(path, *words):
    return json.loads(run("--config", path, "client-settings",
                          "anna@example.org", "--json", *words))


def test_client_settings(site):
    it = settings(site('hostname = "localhost"\n'))
    assert it == {"protocol": "pop3", "server": "localhost", "port": 995,
                  "security": "tls", "user": "anna@example.org",
                  "authentication": "password", "certified": True}
    text = run("--config", site('hostname = "localhost"\n'),
               "client-settings", "ANNA@example.org")
    for program in ("Outlook", "Thunderbird", "Apple Mail"):
        part = text[text.index(program):]
        for word in ("localhost", "995", "anna@example.org", "SSL"):
            assert word in part.split("\n\n")[0], (program, word)


def test_by_the_listeners(site):
    """TLS before STARTTLS before neither; the usual port; not the loopback."""
    listener = 'listener "%s" {\naddress = "%s"\nport = %d\ntls = "%s"\n}\n'
    plain = listener % ("a", "*", 110, "starttls")
    odd = listener % ("b", "*", 9995, "tls")
    usual = listener % ("c", "192.0.2.1", 995, "tls")
    inside = listener % ("d", "127.0.0.1", 995, "tls")
    for listeners, port, security in (
            (plain, 110, "starttls"), (plain + odd, 9995, "tls"),
            (plain + odd + usual, 995, "tls"),
            (inside + plain, 110, "starttls")):
        it = settings(site(listeners))
        assert (it["port"], it["security"]) == (port, security)
    assert "no listener" in run("--config", site(inside), "client-settings",
                                "anna@example.org", code=EX_CONFIG)


def test_by_the_certificate(site):
    """Its name is the one that clients will accept."""
    it = settings(site('hostname = "inside.example"\n'))
    assert it["server"] == "localhost" and it["certified"]


def test_without_a_certificate(site):
    it = settings(site('hostname = "pop.example.org"\n', kind=None))
    assert (it["port"], it["security"], it["certified"]) == \
        (110, "none", False)


def test_who_is_not_there(site):
    run("--config", site(), "client-settings", "carl@example.org",
        code=EX_NOUSER)
