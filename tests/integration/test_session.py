"""What a session sees, removes and locks."""
import contextlib
import datetime
import os
import random
import re
import shutil
import threading
import time
import zoneinfo

import pytest

import drop
import pop3
from server import OURS, PATIENCE, memory, wait_until

pytestmark = pytest.mark.core


def test_dele_and_quit(place, serve, login):
    """S-1939-17, S-1939-23 to 28, 34: numbers stay, exactly the marked ones go."""
    messages = drop.make(8, 10)
    box = place.maildir(messages)
    server = serve(box)
    session = login(server)
    sizes = session.list()
    assert list(sizes) == list(range(1, 11))
    texts = {n: session.retr(n) for n in sizes}
    for n in (1, 4, 10):
        session.ok("DELE %d" % n)
        for line in ("DELE %d", "RETR %d", "LIST %d", "UIDL %d", "TOP %d 0"):
            session.err(line % n)
    left = {n: size for n, size in sizes.items() if n not in (1, 4, 10)}
    assert session.list() == left
    assert list(session.uidl()) == list(left)
    assert session.stat() == (7, sum(left.values()))
    assert session.retr(5) == texts[5]
    assert len(drop.files(box)) == 10
    session.quit()

    assert len(drop.files(box)) == 7
    session = login(server)
    assert list(session.list()) == list(range(1, 8))
    assert [session.retr(n) for n in session.list()] == [
        texts[n] for n in left]
    session.quit()


def test_rset(place, serve, login):
    """S-1939-29."""
    box = place.maildir(drop.make(8, 5))
    server = serve(box)
    session = login(server)
    before = session.list(), session.stat()
    for n in range(1, 6):
        session.ok("DELE %d" % n)
    assert session.stat() == (0, 0)
    assert session.list() == {} == session.uidl()
    session.ok("RSET")
    assert (session.list(), session.stat()) == before
    session.ok("DELE 2")
    session.ok("RSET")
    session.quit()
    assert len(drop.files(box)) == 5


@pytest.mark.parametrize("tls", [False, True])
def test_lost_connection_removes_nothing(place, serve, login, tls):
    """S-1939-33, S-8314-02; the lock goes at once."""
    box = place.maildir(drop.make(8, 5))
    server = serve(box)
    session = login(server, tls=tls)
    for n in range(1, 6):
        session.ok("DELE %d" % n)
    session.send("STAT\r\nQUI")
    session.line()
    session.close()

    def again():
        try:
            return login(server)
        except AssertionError:
            return None
    assert wait_until(again).stat()[0] == 5


def test_all_removed(place, serve, login):
    box = place.maildir(drop.make(9, 300))
    server = serve(box)
    session = login(server)
    session.send("".join("DELE %d\r\n" % n for n in range(1, 301)))
    for _ in range(300):
        assert session.line().startswith(b"+OK")
    session.quit()
    assert not drop.files(box)
    session = login(server)
    assert session.stat() == (0, 0)
    assert session.list() == {}
    session.err("RETR 1")
    session.quit()


def test_quit_before_login(place, serve, connect):
    """S-1939-19."""
    server = serve(place.maildir(drop.make(8, 5)))
    connect(server.port).quit()
    session = connect(server.port)
    session.ok("USER user")
    session.quit()


@pytest.mark.parametrize("seed", range(6))
def test_random_deletions(place, serve, login, seed):
    """After any set of DELE and RSET, all commands agree; on disk, too."""
    rng = random.Random(seed)
    messages = drop.make(seed, rng.randint(1, 40))
    if OURS:
        messages += rng.sample(drop.odd(), 20)
    box = place.maildir(messages)
    server = serve(box)
    texts = {}
    for _ in range(3):
        session = login(server)
        sizes, uids = session.list(), session.uidl()
        assert list(sizes) == list(uids) == list(range(1, len(sizes) + 1))
        here = {uid: session.retr(n) for n, uid in uids.items()}
        # What there was in the session before is what there is.
        assert not texts or here == texts
        texts = here
        marked = set()
        for _ in range(rng.randint(1, 60)):
            if rng.random() < 0.03:
                session.ok("RSET")
                marked = set()
            n = rng.randint(1, len(sizes) + 1)
            valid = n <= len(sizes) and n not in marked
            if not valid and not OURS:
                continue  # others end a session for that
            reply = session.command("DELE %d" % n)
            assert reply.startswith(b"+OK" if valid else b"-ERR")
            if valid:
                marked.add(n)
        left = [n for n in sizes if n not in marked]
        assert session.list() == {n: sizes[n] for n in left}
        assert session.uidl() == {n: uids[n] for n in left}
        assert session.stat() == (len(left), sum(sizes[n] for n in left))
        for n in rng.sample(left, min(5, len(left))):
            assert session.ok("LIST %d" % n).endswith(
                b" %d %d" % (n, sizes[n]))
            assert session.ok("UIDL %d" % n).endswith(
                b" %d %s" % (n, uids[n].encode()))
            assert session.retr(n) == texts[uids[n]]
        if rng.random() < 0.3:
            session.close()
            wait_until(lambda: server_is_free(server, login))
            continue
        session.quit()
        texts = {uids[n]: texts[uids[n]] for n in left}
        assert len(drop.files(box)) == len(left)
        if not left:
            break


def server_is_free(server, login):
    try:
        login(server).quit()
        return True
    except AssertionError:
        return False


@pytest.mark.ours
def test_in_use(place, serve, login, connect):
    """S-1939-36: told only to whom the maildrop belongs."""
    server = serve(place.maildir(drop.make(8, 5)))
    first = login(server)
    for _ in range(2):
        second = connect(server.port)
        second.ok("USER user")
        second.err("PASS wrong", "AUTH")
        second.ok("USER user")
        text = second.err("PASS secret", "IN-USE")
        assert re.search(rb"open since \d\d:\d\d from 127\.0\.0\.1", text)
    first.quit()
    second.login()
    second.quit()


@pytest.mark.ours
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_in_use_by_the_local_clock(place, serve, login, connect):
    """S-1939-36: who says since when has no file of time zones any more."""
    zone = zoneinfo.ZoneInfo("Asia/Kathmandu")
    server = serve(place.maildir(drop.make(8, 1)), wrap=[
        "unshare", "-m", "sh", "-c",
        "mount --bind /usr/share/zoneinfo/%s /etc/localtime && "
        'exec "$0" "$@"' % zone.key])
    before = datetime.datetime.now(zone)
    first = login(server)
    second = connect(server.port)
    second.ok("USER user")
    text = second.err("PASS secret", "IN-USE")
    minutes = (datetime.datetime.now(zone) - before).seconds // 60 + 2
    assert re.search(rb"open since (\S+) from", text).group(1).decode() in [
        (before + datetime.timedelta(minutes=n)).strftime("%H:%M")
        for n in range(minutes)]
    first.quit()


@pytest.mark.ours
def test_words_behind_quit(place, serve, connect):
    """Who says more than QUIT, which the server may not have read when it closes,
    is told all the same that it is done."""
    server = serve(place.maildir(drop.make(8, 5)))
    for _ in range(300):
        session = connect(server.port)
        session.login()
        session.send(b"QUIT\r\n")
        session.send(b"NOOP\r\n")
        assert session.line().startswith(b"+OK")
        session.close()


@pytest.mark.ours
def test_login_right_after_quit(place, serve, connect):
    """No false [IN-USE]: the lock is free before the reply to QUIT."""
    server = serve(place.maildir(drop.make(8, 5)))
    for _ in range(300):
        session = connect(server.port)
        session.login()
        assert session.ok("QUIT")
        session.close()


@pytest.mark.ours
def test_login_right_after_disconnect(place, serve, connect):
    server = serve(place.maildir(drop.make(8, 5)), "takeover = 0\n")
    for _ in range(50):
        session = connect(server.port)
        session.login()
        session.close()

        def again():
            other = connect(server.port)
            other.ok("USER user")
            done = other.command("PASS secret").startswith(b"+OK")
            other.quit()
            other.close()
            return done
        wait_until(again, 2)


@pytest.mark.ours
def test_takeover(place, serve, login, connect):
    """S-ENG-14: silent for so long, a session yields; nothing is removed."""
    box = place.maildir(drop.make(8, 5))
    server = serve(box, "takeover = 2\n")
    first = login(server)
    first.ok("DELE 1")
    second = connect(server.port)
    second.ok("USER user")
    second.err("PASS secret", "IN-USE")
    time.sleep(2.5)
    second.login()
    assert first.ended()
    assert second.stat()[0] == 5
    # One that speaks keeps what it has.
    third = connect(server.port)
    for _ in range(6):
        time.sleep(0.5)
        second.ok("NOOP")
    third.ok("USER user")
    third.err("PASS secret", "IN-USE")
    second.quit()
    assert len(drop.files(box)) == 5


@pytest.mark.ours
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("said", [b"RETR 1\r\n", b"RETR 1\r\nNOOP\r\n",
                                  b"RETR 1"])
def test_takeover_of_who_does_not_move(place, serve, login, connect, tls,
                                       said):
    """In the middle of a reply or of a command, too: who takes nothing and
    says nothing gives way.  Half a message does not look whole."""
    box = place.maildir([BIG])
    server = serve(box, "takeover = 2\n")
    first = login(server, tls=tls, rcvbuf=4096)
    first.send(said)
    second = connect(server.port)
    second.ok("USER user")
    second.err("PASS secret", "IN-USE")
    time.sleep(3)
    second.login()
    assert server.await_event("takeover")
    got = b""
    with contextlib.suppress(OSError):
        while data := first.receive(65536):
            got += data
    assert len(got) < len(BIG.stored) and not got.endswith(b"\r\n.\r\n")
    second.quit()
    assert len(drop.files(box)) == 1


@pytest.mark.ours
def test_no_takeover_of_who_moves(place, serve, login, connect):
    """Not of one who takes the reply, nor of one who speaks meanwhile."""
    server = serve(place.maildir([BIG]), "takeover = 2\n")
    taker = login(server, rcvbuf=65536)
    taker.send("RETR 1\r\n")
    second = connect(server.port)
    second.ok("USER user")
    end = time.monotonic() + 4
    while time.monotonic() < end:
        taker.receive(65536)
        time.sleep(0.05)
    second.err("PASS secret", "IN-USE")
    taker.close()
    wait_until(lambda: server_is_free(server, login), 15)
    speaker = login(server, rcvbuf=4096)
    speaker.send("RETR 1\r\n")
    for _ in range(8):
        time.sleep(0.5)
        speaker.send("NOOP\r\n")
    second.ok("USER user")
    second.err("PASS secret", "IN-USE")


@pytest.mark.ours
def test_shared_sessions(place, serve, login):
    """sessions = shared: each with its own view."""
    box = place.maildir(drop.make(8, 5))
    server = serve(box, "sessions = \"shared\"\n")
    first, second = login(server), login(server)
    texts = [first.retr(n) for n in range(1, 6)]
    second.ok("DELE 2")
    second.quit()
    assert first.stat()[0] == 5
    first.err("RETR 2", "SYS/TEMP")
    assert first.retr(3) == texts[2]
    first.ok("DELE 2")
    first.quit()
    assert len(drop.files(box)) == 4


@pytest.mark.ours
def test_autologout(place, serve, login):
    """S-1939-09: without a word, and nothing is removed."""
    box = place.maildir(drop.make(8, 5))
    server = serve(box, "idle_timeout = 2\n")
    session = login(server)
    session.ok("DELE 1")
    for _ in range(3):
        time.sleep(1)
        session.ok("NOOP")
    start = time.monotonic()
    assert session.ended()
    assert 1.5 < time.monotonic() - start < 6 * PATIENCE
    assert len(drop.files(box)) == 5
    login(server).quit()


@pytest.mark.ours
@pytest.mark.parametrize("sent", [b"", b"USER user\r\n", b"USER us",
                                  b"AUTH PLAIN\r\n", b"STLS\r\n"])
def test_login_timeout(place, serve, connect, sent):
    """Whoever does not sign in is sent away, at whatever stage."""
    server = serve(place.maildir(), "login_timeout = 2\ntls_timeout = 2\n")
    session = connect(server.port)
    start = time.monotonic()
    session.send(sent)
    while session.receive():
        pass
    assert time.monotonic() - start < 6 * PATIENCE


@pytest.mark.ours
def test_login_timeout_is_not_put_off(place, serve, connect):
    server = serve(place.maildir(), "login_timeout = 2\n")
    session = connect(server.port)
    start = time.monotonic()
    with pytest.raises((pop3.Closed, ConnectionError)):
        while time.monotonic() - start < 20:
            session.multi("CAPA")
            time.sleep(0.3)
    assert time.monotonic() - start < 6 * PATIENCE


@pytest.mark.ours
def test_login_timeout_of_who_does_not_read(place, serve, connect):
    """The time to take replies is for those who have signed in."""
    server = serve(place.maildir(), "login_timeout = 3\n")
    session = connect(server.port, rcvbuf=4096)
    start = time.monotonic()
    session.sock.settimeout(1)
    with contextlib.suppress(OSError):
        while time.monotonic() - start < 20:
            session.send("CAPA\r\n" * 500)
    assert server.await_event("session")[0]["why"] == "login-timeout"
    assert time.monotonic() - start < 9 * PATIENCE


@pytest.mark.ours
@pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                    reason="the sanitizer takes memory of its own")
@pytest.mark.parametrize("said", [b"AUTH PLAIN " + b"A" * 60000,
                                  b"AUTH PLAIN\r\n" + b"A" * 60000,
                                  b"CAPA\r\n" * 40000],
                         ids=["line", "response", "replies"])
def test_strangers_take_little_memory(place, serve, connect, said):
    """Half a line, or replies that are not read."""
    server = serve(place.maildir(),
                   "workers = 1\nmax_connections_per_address = 0\n")
    worker, = server.roles("worker")
    before, sessions = memory(worker), []
    for _ in range(200):
        session = connect(server.port, rcvbuf=4096)
        session.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            session.send(said)
        sessions.append(session)
    last = connect(server.port)
    last.ok("CAPA")  # all that was sent before has been looked at
    assert memory(worker) - before < 200 * 12 * 1024


@pytest.mark.ours
def test_tls_timeout(place, serve, connect):
    """S-ENG-25: a handshake that does not come."""
    server = serve(place.maildir(), "tls_timeout = 1\n")
    session = connect(server.tls_port, greeting=False)
    start = time.monotonic()
    assert session.ended()
    assert time.monotonic() - start < 5 * PATIENCE


BIG = drop.Message("new", "1.big", b"Subject: big\n\n" + b"x" * 79 + b"\n" * 2
                   + (b"y" * 79 + b"\n") * 400000, drop.EPOCH, "big")


@pytest.mark.ours
@pytest.mark.parametrize("tls", [False, True])
def test_client_stops_reading(place, serve, login, tls):
    """S-ENG-04: its own deadline; the maildrop is free then."""
    server = serve(place.maildir([BIG]), "write_timeout = 2\n")
    session = login(server, tls=tls, rcvbuf=4096)
    session.send("RETR 1\r\n")
    wait_until(lambda: server_is_free(server, login), 15)
    session.close()


@pytest.mark.ours
def test_slow_reader_is_served(place, serve, login):
    """S-ENG-04: not while data flows."""
    server = serve(place.maildir([BIG]),
                   "write_timeout = 2\nidle_timeout = 4\nlogin_timeout = 2\n")
    session = login(server, rcvbuf=65536)
    session.send("RETR 1\r\n")
    begin, start = session.line(), time.monotonic()
    got = b""
    while time.monotonic() - start < 6:
        got += session.receive(65536)
        time.sleep(0.05)
    session.seen = got
    assert begin.startswith(b"+OK")
    data = session.data()
    session.ok("NOOP")
    session.quit()
    assert pop3.unstuffed(data) == drop.wire(BIG.stored)


def test_delivery_during_a_session(place, serve, login):
    """S-ENG-11: not seen until the next one."""
    messages = drop.make(10, 20)
    box = place.maildir(messages[:12])
    server = serve(box)
    session = login(server)
    before = session.stat()
    place.add(box, messages[12:16])
    assert session.stat() == before
    sizes, uids = session.list(), session.uidl()
    assert len(sizes) == 12
    place.add(box, messages[16:])
    session.err("RETR 13")
    for n in sizes:
        assert len(session.retr(n)) == sizes[n]
    session.ok("DELE 1")
    session.quit()
    session = login(server)
    assert len(drop.files(box)) == 19
    after = session.uidl()
    assert len(after) == 19
    assert set(uids.values()) - {uids[1]} < set(after.values())
    session.quit()


@pytest.mark.ours
def test_messages_vanish(place, serve, login):
    """S-ENG-11: removed by somebody else; the others stay what they are."""
    messages = drop.short(drop.make(11, 45))[:30]
    box = place.maildir(messages)
    server = serve(box)
    session = login(server)
    uids = session.uidl()
    texts = {m.base: drop.wire(m.stored) for m in messages}
    gone = [n for n in uids if n % 3 == 0]
    for m in messages:
        if m.base in {uids[n] for n in gone}:
            os.unlink(box + "/" + m.path)
    for n, uid in uids.items():
        if n in gone:
            session.err("RETR %d" % n, "SYS/TEMP")
            session.err("TOP %d 0" % n, "SYS/TEMP")
        else:
            assert session.retr(n) == texts[uid]
    session.ok("DELE 3")   # it is what was asked for
    session.ok("DELE 1")
    session.quit()
    assert len(drop.files(box)) == 19
    session = login(server)
    assert session.stat()[0] == 19
    session.quit()


@pytest.mark.ours
def test_flags_change_during_a_session(place, serve, login):
    """Another program renames: the messages are still to be had."""
    messages = drop.short(drop.make(12, 45))[:30]
    box = place.maildir(messages)
    server = serve(box)
    session = login(server)
    uids = session.uidl()
    texts = {m.base: drop.wire(m.stored) for m in messages}
    for path in drop.files(box):
        os.rename(box + "/" + path, box + "/cur/"
                  + path.split("/")[1].split(":")[0] + ":2,FRS")
    for n, uid in uids.items():
        assert session.retr(n) == texts[uid]
    for path in drop.files(box):
        os.rename(box + "/" + path, box + "/" + path[:-3] + "S")
    session.ok("DELE 1")
    session.ok("DELE 30")
    session.quit()
    left = drop.files(box)
    assert len(left) == 28
    assert all(path.endswith(":2,S") for path in left)
    session = login(server)
    assert set(session.uidl().values()) == set(uids.values()) - {
        uids[1], uids[30]}
    session.quit()


@pytest.mark.ours
def test_removal_fails(place, serve, login):
    """S-1939-34: a true report, and the maildrop is not locked after."""
    messages = [drop.Message(folder, "%d.m" % n, b"A: b\n\nx\n",
                             drop.EPOCH, "m")
                for n, folder in enumerate(["new", "cur", "new", "cur"])]
    box = place.maildir(messages)
    server = serve(box)
    if os.geteuid() == 0 and not place.owner:
        pytest.skip("root removes everything")
    os.chmod(box + "/cur", 0o500)
    session = login(server)
    for n in range(1, 5):
        session.ok("DELE %d" % n)
    session.err("QUIT", "SYS/TEMP")
    assert session.ended()
    assert drop.files(box) == {"cur/1.m", "cur/3.m"}
    os.chmod(box + "/cur", 0o700)
    session = login(server)
    assert session.stat()[0] == 2
    session.ok("DELE 1")
    session.quit()


@pytest.mark.ours
def test_wrong_size_in_a_name(place, serve, login):
    """S-ENG-22: it is not announced, the first time either."""
    stored = b"A: b\n\nbody\n"
    box = place.maildir([drop.Message(
        "new", "1.w,S=%d,W=900" % len(stored), stored, drop.EPOCH, "w")])
    server = serve(box)
    session = login(server)
    assert session.list() == {1: len(drop.wire(stored))}
    assert session.stat() == (1, len(drop.wire(stored)))
    assert session.retr(1) == drop.wire(stored)
    session.quit()


@pytest.mark.ours
def test_foreign_files(place, serve, login):
    """Links, devices, directories and others' files are no messages."""
    messages = drop.make(13, 3)
    box = place.maildir(messages)
    secret = place.path + "/secret"
    with open(secret, "w") as f:
        f.write("secret\n")
    os.symlink(secret, box + "/new/1.link")
    os.symlink("/etc/passwd", box + "/cur/2.link:2,S")
    os.mkdir(box + "/new/3.directory")
    os.mkfifo(box + "/new/4.fifo")
    os.symlink("nowhere", box + "/new/5.dangling")
    with open(box + "/new/.hidden", "w") as f:
        f.write("hidden\n")
    if os.geteuid() == 0:
        with open(box + "/new/6.of-root", "w") as f:
            f.write("of root\n")
    session = login(serve(box))
    assert session.stat()[0] == 3
    session.quit()


@pytest.mark.ours
def test_missing_maildir_is_made(place, serve, login):
    box = place.path + "/not/there"
    os.mkdir(place.path + "/not", 0o700)
    if place.owner:
        os.chown(place.path + "/not", *place.owner)
    server = serve(box)
    session = login(server)
    assert session.stat() == (0, 0)
    session.quit()
    assert sorted(d for d in os.listdir(box)
                  if os.path.isdir(box + "/" + d)) == ["cur", "new", "tmp"]
    assert os.stat(box).st_mode & 0o7777 == 0o700


@pytest.mark.ours
def test_missing_maildir_is_not_made(place, serve, connect):
    server = serve(place.path + "/nothing", "create_maildir = no\n")
    session = connect(server.port)
    session.ok("USER user")
    assert session.command("PASS secret").startswith(b"-ERR [SYS/")
    assert not os.path.exists(place.path + "/nothing")


@pytest.mark.ours
def test_mark_seen(place, serve, login):
    """S-ENG-08: by RETR, not by TOP, at the end of the session."""
    messages = drop.short(drop.make(14, 12))[:6]
    box = place.maildir(messages)
    server = serve(box, "mark_seen = yes\n")
    session = login(server)
    uids = session.uidl()
    for n in (1, 2, 3):
        session.retr(n)
    for n in (4, 5, 6):
        session.top(n, 5)
    assert drop.files(box) == {m.path for m in messages}
    session.quit()

    def seen():
        return {path.split("/")[1].split(":")[0] for path in drop.files(box)
                if "S" in path.partition(":2,")[2]}
    before = {m.base for m in messages if "S" in m.name.partition(":2,")[2]}
    wait_until(lambda: seen() == before | {uids[n] for n in (1, 2, 3)})
    session = login(server)
    assert session.uidl() == uids
    session.quit()


@pytest.mark.parametrize("tls", [False, True])
def test_many_sessions(place, serve, connect, tls):
    """200 at the same time, each with a maildrop of its own."""
    messages = drop.make(15, 200)
    users = [("user%d" % i, "secret%d" % i,
              place.maildir(messages[i:i + 8], "box%d" % i))
             for i in range(200)]
    server = serve(users)
    port = server.tls_port if tls else server.port
    sessions = [connect(port, pop3.context() if tls else None)
                for _ in users]
    for (name, password, _), session in zip(users, sessions):
        session.send("USER %s\r\nPASS %s\r\n" % (name, password))
    for session in sessions:
        assert session.line().startswith(b"+OK")
        assert session.line().startswith(b"+OK")
    failed = []

    def work(i):
        try:
            wanted = [drop.wire(m.stored) for m in messages[i:i + 8]]
            got = [sessions[i].retr(n) for n in sessions[i].list()]
            assert sorted(got) == sorted(wanted)
            if i % 2:
                for n in range(1, len(got) + 1):
                    sessions[i].ok("DELE %d" % n)
            sessions[i].quit()
        except BaseException as e:
            failed.append((i, e))
    threads = [threading.Thread(target=work, args=(i,)) for i in range(200)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    for i, (_, _, box) in enumerate(users):
        assert len(drop.files(box)) == (0 if i % 2
                                        else len(messages[i:i + 8]))


@pytest.mark.ours
def test_index_is_a_cache(place, serve, login):
    """Deleting it loses nothing; damage and garbage neither."""
    messages = drop.make(16, 30) + drop.odd()
    box = place.maildir(messages)
    server = serve(box)

    def all_of_it():
        session = login(server)
        try:
            seen = (session.list(), session.uidl(),
                    [pop3.digest(session.retr(n)) for n in session.list()])
            session.quit()
        finally:
            session.close()
        return seen

    def mended():
        """Damage may end the session that meets it, but no second one."""
        try:
            return all_of_it()
        except (AssertionError, pop3.Closed):
            wait_until(lambda: server_is_free(server, login))
            return all_of_it()
    first = all_of_it()
    rng = random.Random(1)
    index = box + "/malote.index"
    content = open(index, "rb").read()
    for octets in [None, b"", b"x", content[:-1], content[:len(content) // 2],
                   content + b"tail", bytes(len(content)),
                   rng.randbytes(len(content))] + [
                       bytearray(content) for _ in range(20)]:
        if octets is None:
            os.unlink(index)
        else:
            if isinstance(octets, bytearray):
                for _ in range(3):
                    octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
            with open(index, "wb") as f:
                f.write(octets)
        assert mended() == first


@pytest.mark.ours
def test_index_is_not_ours(place, serve, login):
    """A link or a fifo in its place leads nowhere."""
    messages = drop.make(16, 5)
    box = place.maildir(messages)
    server = serve(box)
    login(server).quit()
    victim = place.path + "/victim"
    with open(victim, "w") as f:
        f.write("untouched")
    if place.owner:
        os.chown(victim, *place.owner)
    for name in ("malote.index", "malote.lock", "malote-uidl"):
        path = box + "/" + name
        if os.path.exists(path):
            os.unlink(path)
        os.symlink(victim, path)
        session = pop3.Pop3(server.port)
        session.ok("USER user")
        session.command("PASS secret")
        session.command("QUIT")
        session.close()
        assert open(victim).read() == "untouched"
        if os.path.lexists(path):
            os.unlink(path)
        os.mkfifo(path)
        session = pop3.Pop3(server.port)
        session.ok("USER user")
        session.command("PASS secret")
        session.close()
        if os.path.lexists(path):
            os.unlink(path)
        shutil.rmtree(box)
        place.maildir(messages)
    wait_until(lambda: server_is_free(server, login))


@pytest.mark.ours
def test_index_asked_while_messages_come(place, serve, login):
    """RETR asks ahead: what it brings is not taken for what LIST asked."""
    server = serve(place.maildir(drop.make(17, 8)))
    for i in range(60):
        session = login(server)
        session.retr(1)
        session.ok(["LIST 3", "UIDL 4", "DELE 2"][i % 3])
        if i % 3 == 2:
            session.ok("RSET")
        session.quit()
        session.close()
    assert not server.events("misbehaved")
