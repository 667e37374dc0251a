"""What a worker or a store that somebody has broken into could say of sessions,
traces and messages."""
import json
import os
import struct

import pytest

import control
import drop
from server import wait_until
from test_control import ESCAPES, Stopped, end, is_clean, start

pytestmark = [
    pytest.mark.core, pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="speaks for a process"),
]

T = control.TYPES
EX_TEMPFAIL, EX_UNAVAILABLE, EX_IOERR = 75, 69, 74
NUMBER = "0.19a8f3c4d21b0000"


@pytest.fixture
def server(serve, place, tmp_path):
    return serve(place.maildir(drop.make(5, 4)), "workers = 1\n",
                 env={"STATE_DIRECTORY": str(tmp_path)})


def session(user="user", worker=0, sid=7, words="x"):
    return struct.pack("=HQ", worker, sid) + b"".join(
        map(control.text, (user, words[:40], words[:20], words[:20],
                           words[:20]))) + struct.pack("=5I2Q", *range(7))


def sessions(token, rest, *rows):
    return control.message(T["SESSIONS"], token,
                           struct.pack("=IH", rest, len(rows)), *rows)


def message(number, words="x"):
    return struct.pack("=IIQ", number, 1, 2) + control.text(words[:60]) + \
        control.text(words[:200])


def messages(token, rest, *rows):
    return control.message(T["MESSAGES"], token,
                           struct.pack("=IH", rest, len(rows)), *rows)


@pytest.mark.parametrize("form", ["--json", None])
def test_a_worker_lies_about_sessions(server, form):
    """It is believed about its own only, and its words obey no terminal."""
    worker, = server.roles("worker")
    with Stopped(worker) as channel:
        asked = start(server, "who", *([form] * bool(form)))
        token = control.receive(channel, T["SESSIONS_WANTED"])[:8]
        channel.send(sessions(token, 0, session(ESCAPES[:50], 9, 7,
                                                ESCAPES)))
        said = end(asked, 0)
        assert is_clean(said)
        if form:
            told, = json.loads(said)
            assert told["session"] == "0.7" and told["user"] == ESCAPES[:50]


def test_a_worker_finds_no_end(server):
    """Of pieces: each must begin behind the last one."""
    worker, = server.roles("worker")
    with Stopped(worker) as channel:
        asked = start(server, "who")
        token = control.receive(channel, T["SESSIONS_WANTED"])[:8]
        channel.send(sessions(token, 5, session()))
        control.receive(channel, T["SESSIONS_WANTED"])
        channel.send(sessions(token, 5, session()))
        server.await_event("misbehaved")
        assert "ended" in end(asked, EX_TEMPFAIL)
    wait_until(lambda: server.roles("worker") not in ([], [worker]))


@pytest.mark.parametrize("bad", [
    lambda token: sessions(token, 0, session())[:-1],
    lambda token: control.message(T["SESSIONS"], token,
                                  struct.pack("=IH", 0, 65535)),
    lambda token: control.message(T["SESSIONS"], token,
                                  struct.pack("=IH", 0, 2), session()),
    lambda token: control.message(
        T["TRACED"], struct.pack("=IQBI", 1, 7, 3, 0), control.text("x")),
    lambda token: control.message(
        T["TRACED"], struct.pack("=IQBI", 1, 7, 0, 0),
        control.text("x" * 1025)),
])
def test_a_worker_says_what_is_none(server, bad):
    worker, = server.roles("worker")
    with Stopped(worker) as channel:
        channel.send(bad(bytes(8)))
        server.await_event("misbehaved")
    wait_until(lambda: server.roles("worker") not in ([], [worker]))
    assert server.ctl("who") == "0 sessions\n"


def test_unasked(server, tmp_path):
    """What nobody waits for is told to nobody, and written nowhere."""
    worker, = server.roles("worker")
    with Stopped(worker) as channel:
        channel.send(sessions(bytes(8), 0, session()))
        channel.send(sessions(os.urandom(8), 9, session()))
        for number in (0, 1, 2, 4294967295):
            channel.send(control.message(
                T["TRACED"], struct.pack("=IQBI", number, 7, 0, 0),
                control.text("x")))
        server.ctl("status")
    assert not os.path.exists(tmp_path / "traces")
    assert not server.events("misbehaved")
    assert server.ctl("who") == "0 sessions\n"


def test_a_worker_lies_into_a_trace(server):
    """Lines, and no more than lines, of one that is wanted."""
    path = server.ctl("trace", "user").splitlines()[-1]
    worker, = server.roles("worker")
    with Stopped(worker) as channel:
        for words in (ESCAPES, "a\nb\r\nc", b"\xff\0x"):
            channel.send(control.message(
                T["TRACED"], struct.pack("=IQBI", 1, 7, 0, 3),
                control.text(words)))
        server.ctl("status")
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    assert len(lines) == 1 + 3 * 2 and is_clean("\n".join(lines))
    assert all(" 0.7 " in line for line in lines[1:])
    assert "3 lines are missing" in lines[1]


def test_a_trace_has_an_end(server):
    path = server.ctl("trace", "user").splitlines()[-1]
    worker, = server.roles("worker")
    line = control.message(T["TRACED"], struct.pack("=IQBI", 1, 7, 0, 0),
                           control.text("x" * 1024))
    with Stopped(worker) as channel:
        for _ in range(18000):
            channel.send(line)
    ended = server.await_event("traced")[0]
    assert ended["why"] == "full"
    assert os.path.getsize(path) <= 16 * 2 ** 20


@pytest.mark.parametrize("form", ["--json", None])
def test_a_store_lies_about_messages(server, form):
    server.ctl("maildrop", "list", "user")
    store, = server.roles("store")
    with Stopped(store) as channel:
        asked = start(server, "maildrop", "list", "user",
                      *([form] * bool(form)))
        token = control.receive(channel, T["INQUIRY"])[:8]
        channel.send(messages(token, 0, message(1, ESCAPES)))
        channel.send(control.message(T["ASKED"], token,
                                     control.done(control.GOOD)))
        assert is_clean(end(asked, 0))


def test_a_store_counts_backwards(server):
    """malotectl takes no list that never ends."""
    server.ctl("maildrop", "list", "user")
    store, = server.roles("store")
    with Stopped(store) as channel:
        asked = start(server, "maildrop", "list", "user")
        token = control.receive(channel, T["INQUIRY"])[:8]
        channel.send(messages(token, 0, message(2), message(1)))
        end(asked, EX_IOERR)


@pytest.mark.parametrize("bad", [
    lambda token: messages(token, 1, message(1)),
    lambda token: messages(token, 0, message(1))[:-1],
    # It was asked for a list.
    lambda token: control.message(T["FACT"], token,
                                  control.fact(0, "x", 1)),
])
def test_a_store_says_what_is_none(server, bad):
    server.ctl("maildrop", "list", "user")
    store, = server.roles("store")
    with Stopped(store) as channel:
        asked = start(server, "maildrop", "list", "user")
        token = control.receive(channel, T["INQUIRY"])[:8]
        channel.send(bad(token))
        server.await_event("misbehaved")
        assert "ended" in end(asked, EX_TEMPFAIL)


def test_a_store_says_too_much(server):
    """To who reads all of it: the parent has a bound of its own."""
    server.ctl("maildrop", "list", "user")
    store, = server.roles("store")
    with Stopped(store) as channel, control.dial(server.control) as client:
        client.send(control.message(control.MAILDROP_CHECK,
                                    control.text("user"), bytes(4)))
        token = control.receive(channel, T["INQUIRY"])[:8]
        for n in range(1025):
            channel.send(control.message(T["FACT"], token,
                                         control.fact(0, "n%d" % n, 1)))
            if n < 1024:
                assert control.receive(client, control.FACT)
        server.await_event("misbehaved")
        assert control.receive(client, control.DONE)
