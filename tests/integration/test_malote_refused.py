"""A sign-in that was refused is not offered again: that locks people out."""
import os
import shutil
import sqlite3

import pytest

import faults
import malote
from hostile import letters
from server import wait_until

pytestmark = malote.NEEDED
DENIED = malote.NOPERM


def tries(server):
    return len(server.commands("AUTH", "PASS", "APOP"))


@pytest.fixture
def server(lie):
    return lie(letters(2))


@pytest.fixture
def m(client, server):
    """Its password is refused once already."""
    m = client().account(at=server, password="wrong")
    m.collect(status=DENIED)
    assert tries(server) == 1
    return m


@pytest.fixture
def daemon():
    started = []

    def start(m, **more):
        started.append(m.start("daemon", "--quiet", **more))
        return started[-1]

    yield start
    for run in started:
        if not run.poll():
            run.kill()
            wait_until(run.poll)


def test_a_timer(m, server):
    """It is malote that is started again; it does not even connect."""
    server.forget()
    first = m.collect("--json", status=DENIED).account("casa")
    assert server.lines == []
    assert first["outcome"] == "denied"
    assert "not tried again" in first["error"]
    assert first["error"].endswith("malote collect --accept casa")
    assert 'the server says "' in first["error"]
    m.collect("--quiet", status=DENIED)
    m.collect("--verbose", status=DENIED)
    assert server.lines == []
    assert first["error"] in m.run("status").text


def test_the_first_time_says_it_all(client, server):
    """A daemon says no more than that."""
    m = client().account(at=server, password="wrong")
    first = m.collect("--json", status=DENIED).account("casa")
    assert m.collect("--json", status=DENIED).account("casa") == {
        **first, "tls": "none"}


@pytest.mark.parametrize("offers", [True, False])
def test_without_tls(lie, client, offers):
    """Each run names the way out, if there is one."""
    server = lie(letters(1))
    if offers:
        server.capa.append("STLS")
    m = client().account(at=server, password="wrong")
    for _ in range(2):
        said = m.collect(status=DENIED).text
        assert ("; it offers TLS: write security = \"starttls\"; it is not "
                "tried again" in said) == offers, said


def test_a_daemon(client, lie, server, daemon):
    """Nor when it is started again."""
    m = client().account(at=server, password="wrong", interval="1s")
    other = lie(letters(1, 3))
    m.account("other", at=other, interval="1s")
    for said in (1, 1):
        run = daemon(m)
        n = len(other.commands("STAT"))
        wait_until(lambda: len(other.commands("STAT")) >= n + 3)
        run.signal(15)
        text = run.wait().text
        assert len(text.splitlines()) == said and " casa: " in text, text
    assert tries(server) == 1


@pytest.mark.parametrize("setting", [
    {"password": "secret"}, {"password": "other"}, {"user": "another"},
    {"auth": "plain"}, {"server": "localhost"}])
def test_what_has_changed(m, server, setting):
    """Each is another sign-in."""
    server.forget()
    good = setting == {"password": "secret"}
    m.account(**setting).collect(status=malote.OK if good else DENIED)
    assert tries(server) == 1


@pytest.mark.parametrize("setting", [
    {"keep": "no"}, {"interval": "1s"}, {"deliver": "maildir:~/other"},
    {"timeout": 3}])
def test_what_is_no_change(m, server, setting):
    server.forget()
    m.account(**setting).collect(status=DENIED)
    assert tries(server) == 0


def test_what_a_command_prints(client, server):
    """Not the command but its answer is what was refused."""
    m = client()
    path = m.home + "/answer"

    def answers(text, status, expected):
        with open(path, "w") as f:
            f.write(text)
        server.forget()
        m.collect(status=status)
        assert tries(server) == expected

    m.account(at=server, password=None, password_command="cat " + path)
    answers("wrong", DENIED, 1)
    answers("wrong\n", DENIED, 0)
    m.account(password_command="cat < " + path)
    answers("wrong", DENIED, 0)
    answers("wrong2", DENIED, 1)
    answers("secret", malote.OK, 1)
    answers("wrong", DENIED, 1)


def test_another_certificate_in_the_same_file(lie, client, certs):
    """As when it had expired: there is no password that could change."""
    server = lie(letters(2), mode="tls", context=certs.context(),
                 sasl=["EXTERNAL"])
    server.fault("AUTH", faults.err("[AUTH] unknown"), times=faults.ALWAYS)
    m = client().account(at=server, server="localhost", ca_file=certs.ca,
                         password=None)
    paths = [m.home + name for name in ("/pem", "/key")]
    for kind, expected in (("good", 1), ("good", 1), ("wrong-purpose", 2)):
        if expected != tries(server):
            shutil.copyfile(certs[kind].pem, paths[0])
            shutil.copyfile(certs[kind].key, paths[1])
            os.chmod(paths[1], 0o600)
        m.account(client_certificate=paths[0], client_key=paths[1])
        m.collect(status=DENIED)
        assert tries(server) == expected


def test_another_source(m, server):
    """The same secret from elsewhere is still the one that was refused."""
    server.forget()
    m.account(password=None, password_command="echo wrong")
    m.collect(status=DENIED)
    assert server.lines == []


def test_a_person_may_try_again(m, server, typist):
    """Whoever sits at a terminal; and then all is forgotten."""
    server.forget()
    t = typist(m, "--quiet")
    assert t.wait() == DENIED
    assert tries(server) == 1
    assert b"not tried again" not in t.seen
    m.collect(status=DENIED)
    assert tries(server) == 1
    server.password = "wrong"  # whoever keeps the server has mended it
    assert typist(m).wait() == 0
    m.collect()
    assert len(m.files()) == 2


def test_accept_tries_again(m, server):
    """For scripts, and where there is no terminal."""
    server.password = "wrong"
    m.collect("--accept")
    m.collect()


def test_a_daemon_goes_on_after_a_person(m, server, daemon):
    """It learns from the record."""
    m.account(interval="1s")
    run = daemon(m)
    wait_until(lambda: b"casa: " in open(m.home + "/stderr", "rb").read())
    server.password = "wrong"
    m.run("collect", "--accept", write=False)
    n = len(server.commands("STAT"))
    wait_until(lambda: len(server.commands("STAT")) >= n + 2)
    assert not run.poll()


@pytest.mark.parametrize("text", [
    "[SYS/TEMP] later", "[IN-USE] locked", "[LOGIN-DELAY] slowly",
    "[SYS/PERM] no such service", "maildrop locked", "too many sign-ins",
    "Temporary failure of the authentication"])
def test_later_is_no_refusal(client, server, text):
    server.fault("AUTH", faults.err(text), times=2)
    m = client().account(at=server, patience=0)
    for _ in range(2):
        m.collect(status="bad")
    m.collect()


@pytest.mark.parametrize("text", [
    "[AUTH] no", "", "no", "invalid password", "too many wrong passwords"])
def test_what_is_a_refusal(client, server, text):
    """With a code, or in whatever words, or in none."""
    server.fault("AUTH", faults.err(text), times=2)
    m = client().account(at=server)
    for _ in range(2):
        m.collect(status=DENIED)
    assert tries(server) == 1


def test_a_lost_line_is_no_refusal(client, server):
    server.fault("AUTH", faults.cut(0), times=2)
    m = client().account(at=server)
    m.collect(status="bad")
    m.collect(status="bad")
    m.collect()


def test_the_record_does_not_tell_the_password(m):
    """16 bits of a digest: many passwords have the same."""
    with sqlite3.connect(m.state + "/state.db") as db:
        mark, why = db.execute(
            "SELECT refused_mark, refused_why FROM account").fetchone()
    db.close()
    assert 0 <= mark < 1 << 16
    assert "wrong" not in why
