"""malotectl trace: what is said in the sessions of one user, in a file."""
import os
import re
import signal
import stat

import pytest

import drop
import pop3
from server import wait_until
from test_control_sessions import Elder

pytestmark = [pytest.mark.core, pytest.mark.ours]

EX_CONFIG, EX_DATAERR = 78, 65
TEXT = b"Subject: a secret\n\nnobody is to read this\n.dot\n"


@pytest.fixture
def boxes(place):
    return {name: place.maildir(
        [drop.Message("new", "1.a", TEXT, drop.EPOCH, "text")]
        + drop.make(5, 2), name) for name in ("anna", "anne")}


@pytest.fixture
def server(serve, boxes, tmp_path):
    return serve([(name, "secret", box) for name, box in boxes.items()],
                 env={"STATE_DIRECTORY": str(tmp_path)})


def begin(server, *words):
    return server.ctl("trace", *words).splitlines()[-1]


def lines(path):
    """Who says what: (session, "C", words)."""
    with open(path, encoding="ascii") as f:
        said = [line.rstrip("\n").split(" ", 3) for line in f]
    for line in said:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\S+", line[0]), line
    return [tuple(line[1:]) for line in said if line[1] != "*"]


def words(path):
    return ["%s: %s" % (who, what) for _, who, what in lines(path)]


def await_words(path, last):
    wait_until(lambda: last in words(path))
    return words(path)


def test_a_session(server, login):
    """From its beginning to its end, and no secret, and no mail."""
    path = begin(server, "anna")
    st = os.stat(path)
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == os.geteuid()
    folder = os.stat(os.path.dirname(path))
    assert stat.S_IMODE(folder.st_mode) == 0o700
    anne = login(server, "anne", "secret")
    anna = login(server, "anna", "secret")
    anna.retr(1)
    anna.ok("DELE 2")
    anne.ok("NOOP")
    anna.quit()
    told = await_words(path, "*: the session ends: quit")
    said = [line for line in told if line.startswith("C: ")]
    assert said == ["C: USER anna", "C: PASS", "C: RETR 1", "C: DELE 2",
                    "C: QUIT"]
    assert sum(line.startswith("S: +OK") for line in told) == 6
    assert "*: 127.0.0.1" in told
    with open(path, encoding="ascii") as f:
        text = f.read()
    assert "secret" not in text and "nobody" not in text and "anne" not in text
    sid, = {sid for sid, _, _ in lines(path)}
    wait_until(lambda: sid in {e["sid"] for e in server.events("login")
                               if e["user"] == "anna"})
    logged, = server.events("control")
    assert (logged["command"], logged["about"]) == ("trace", "anna")


def test_with_octets(server, login):
    path = begin(server, "anna", "--octets")
    anna = login(server, "anna", "secret")
    anna.retr(1)
    anna.uidl()
    anna.quit()
    told = await_words(path, "*: the session ends: quit")
    at = told.index("C: RETR 1")
    assert told[at + 2:at + 7] == ["S: Subject: a secret", "S: ",
                                   "S: nobody is to read this", "S: ..dot",
                                   "S: ."]
    uids = told[told.index("C: UIDL") + 1:]
    assert [line[:5] for line in uids[1:4]] == ["S: 1 ", "S: 2 ", "S: 3 "]
    with open(path, encoding="ascii") as f:
        assert "PASS secret" not in f.read()


def test_an_open_session(server, login):
    """The trace begins in the middle of one, and its end is no end of it."""
    anna = login(server, "anna", "secret")
    path = begin(server, "anna")
    anna.ok("NOOP")
    assert "C: NOOP" in await_words(path, "C: NOOP")
    assert "ended" in server.ctl("trace", "anna", "--off")
    anna.ok("NOOP")
    anna.ok("DELE 1")
    assert "C: DELE 1" not in words(path)
    ended, = server.events("traced")
    assert ended["why"] == "off" and ended["user"] == "anna"
    again = begin(server, "anna")
    assert again != path
    anna.quit()
    await_words(again, "C: QUIT")


def test_who_cannot_sign_in(server):
    """What was tried is there, also by other ways, and no secret."""
    path = begin(server, "anna")
    with pop3.Pop3(server.port) as client:
        client.ok("CAPA")
        client.data()
        client.ok("USER anne")
        client.err("PASS wrong")
        client.ok("USER anna")
        client.err("PASS wrong")
        client.err("hunter2")
        assert client.command("AUTH PLAIN").startswith(b"+")
        client.err("AGFubmEAd3Jvbmc=")
    told = await_words(path, "*: the session ends: closed")
    said = [line for line in told if line.startswith("C: ")]
    assert said == ["C: USER anna", "C: PASS", "C: (hidden)",
                    "C: AUTH PLAIN", "C: (hidden)"]
    with open(path, encoding="ascii") as f:
        text = f.read()
    for secret in ("wrong", "hunter2", "AGFub", "anne"):
        assert secret not in text


def test_what_is_refused(server):
    assert "not traced" in server.ctl("trace", "anna", "--off",
                                      code=EX_CONFIG)
    path = begin(server, "anna")
    assert path in server.ctl("trace", "anna", code=EX_CONFIG)
    for n in range(7):
        begin(server, "u%d" % n)
    assert "as many" in server.ctl("trace", "anne", code=EX_CONFIG)
    server.ctl("trace", "u3", "--off")
    begin(server, "anne")


def test_a_folder_of_others(server, tmp_path):
    os.mkdir(tmp_path / "traces", 0o755)
    assert "0700" in server.ctl("trace", "anna", code=EX_CONFIG)
    assert not os.listdir(tmp_path / "traces")


def test_names(serve, boxes, tmp_path):
    """Of a user's name only what means nothing elsewhere is in the file's."""
    allowed = "login_characters = \"'$()\"\n"
    server = serve([("anna", "secret", boxes["anna"])], allowed,
                   env={"STATE_DIRECTORY": str(tmp_path)})
    with open(server.ctl_conf, "a", encoding="ascii") as f:
        f.write(allowed)
    path = begin(server, "$(x)'jos\u00e9")
    assert os.path.dirname(path) == str(tmp_path / "traces")
    assert re.fullmatch(r"__x__jos__-\d{8}T\d{6}\.\d+Z\.trace",
                        os.path.basename(path))
    server.ctl("trace", "../x", code=EX_DATAERR)


def test_a_new_worker(serve, boxes, tmp_path, login):
    server = serve([("anna", "secret", boxes["anna"])], "workers = 1\n",
                   env={"STATE_DIRECTORY": str(tmp_path)})
    path = begin(server, "anna")
    os.kill(server.roles("worker")[0], signal.SIGKILL)
    wait_until(lambda: server.roles("worker"))
    login(server, "anna", "secret").quit()
    await_words(path, "C: QUIT")


@pytest.mark.slow
def test_its_size_has_an_end(serve, place, tmp_path, login):
    """The server goes on, and so does the session."""
    box = place.maildir([drop.Message(
        "new", "1.big", b"A: b\n\n" + (b"0" * 899 + b"\n") * 20000,
        drop.EPOCH, "big")])
    server = serve(box, env={"STATE_DIRECTORY": str(tmp_path)})
    path = begin(server, "user", "--octets")
    session = login(server)
    for _ in range(64):
        assert len(session.retr(1)) > 2 ** 24
        if server.events("traced"):
            break
    ended = server.await_event("traced")[0]
    assert ended["why"] == "full"
    assert os.path.getsize(path) <= 16 * 2 ** 20
    session.quit()


def test_the_end_of_the_server(server):
    begin(server, "anna")
    server.stop()
    ended, = server.events("traced")
    assert ended["why"] == "stop"


def test_over_a_restart(server, login):
    """Into one file: what is said in sessions of before, and in those of now,
    whichever of the two is traced first; and both end together."""
    path = begin(server, "anna")
    old = login(server, "anna", "secret")
    server.restart()
    assert path in server.ctl("trace", "anna", code=EX_CONFIG)
    old.ok("NOOP")
    with pop3.Pop3(server.port) as new:
        new.ok("USER anna")
        new.err("PASS secret", "IN-USE")
    wait_until(lambda: len({sid for sid, _, _ in lines(path)}) == 2)
    assert "C: NOOP" in words(path) and "C: USER anna" in words(path)
    server.ctl("trace", "--off", "anna")
    server.await_event("traced", 2)
    other = begin(server, "anna")
    old.ok("DELE 1")
    assert "C: DELE 1" in await_words(other, "C: DELE 1")
    assert "C: DELE 1" not in words(path)
    # To the end of both.
    server.ctl("trace", "--off", "anna")
    server.await_event("traced", 4)
    size = os.path.getsize(other)
    old.ok("NOOP")
    old.quit()
    server.await_event("session", 2)
    assert os.path.getsize(other) == size
    assert "not traced" in server.ctl("trace", "--off", "anna",
                                      code=EX_CONFIG)


def test_it_ends_by_the_clock(serve, boxes, tmp_path):
    """After an hour: of which one that was handed over has a second left."""
    TRACE, ON = 7, 1
    file = tmp_path / "anna.trace"
    with open(file, "a") as f:
        elder = Elder(1, 0, lambda one: one.say(TRACE, ON, 1, b"anna",
                                                [f.fileno()]))
        fd = elder.theirs.fileno()
        server = serve([("anna", "secret", boxes["anna"])], pass_fds=(fd,),
                       env={"MALOTED_HANDOVER": str(fd)})
    elder.theirs.close()
    with elder.ours:
        ended, = server.await_event("traced")
    assert ended["user"] == "anna" and ended["why"] == "hour"
    assert "not traced" in server.ctl("trace", "--off", "anna",
                                      code=EX_CONFIG)
