"""Databases that fall silent, drip, break off and come back, say enormous things,
or are reached by names that nobody resolves.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

import pytest

import between
import mariadb
import postgres
import slapd
from server import MALOTED, wait_until
from test_databases import (TEMPORARY, Ldap, Mariadb, Postgres,  # noqa: F401
                            Site, at_work,
                            await_accepted, box_of, cluster, crowd, db,
                            directory, every, far, farm, ldap, lite, my, pg,
                            put_some, slow)
from test_sandbox import inject  # noqa: F401

pytestmark = pytest.mark.ours


@pytest.fixture
def way(far):
    """To a database that is reached by the network."""
    with between.Between("127.0.0.1", far.port) as b:
        b.connection = far.connection.replace(str(far.port), str(b.port))
        yield b


def waits(connect, site, name="ann"):
    session = connect(site.server.port)
    session.ok("USER " + name)
    session.send("PASS secret\r\n")
    return session


@pytest.mark.parametrize("mode", ["silent", "drip"])
@pytest.mark.parametrize("when", ["connects", "asks"])
def test_no_answer(place, serve, connect, far, way, mode, when):
    """Whatever little comes, it is no answer in time, and no thread waits for it
    any longer."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(
        connection=way.connection, more="timeout = 1 connections = 2")])
    if when == "asks":
        site.accepts(connect, "ann")
    way.mode = mode
    if when == "connects":
        way.cut_all()
    waiting = [waits(connect, site) for _ in range(4)]
    site.accepts(connect, "file")
    for session in waiting:
        assert session.line().startswith(TEMPORARY)
    wait_until(lambda: at_work(site, "db") == 0, 3)
    way.mode = "pass"
    await_accepted(site, connect, "ann")


@pytest.fixture(params=[Postgres, Mariadb, Ldap],
                ids=["postgresql", "mysql", "ldap"])
def by_tls(request, place, certs):
    """A server, the words for a connection to it that is verified, and its port."""
    kind = request.param
    if not {Postgres: postgres, Mariadb: mariadb, Ldap: slapd}[kind].INSTALLED:
        pytest.skip("needs its server")
    server = kind(certificate=(certs["good"].pem, certs["good"].key))
    ca = place.path + "/ca.pem"
    shutil.copyfile(certs.ca, ca)
    os.chmod(ca, 0o644)
    words, port = server.connection, server.port
    for plain, verified in ((" sslmode=disable", " sslrootcert=" + ca),
                            (" ssl=no", " ssl_ca=" + ca),
                            (" tls=no", " tls_ca=" + ca)):
        words = words.replace(plain, verified)
    if kind is Ldap:
        words = words.replace("ldap://127.0.0.1:%d" % port,
                              "ldaps://127.0.0.1:%d" % server.tls_port)
        port = server.tls_port
    yield server, words, port
    server.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["silent", "drip"])
@pytest.mark.parametrize("when", ["connects", "asks"])
def test_no_answer_by_tls(place, serve, connect, by_tls, mode, when):
    """In a handshake, or in the middle of a record."""
    server, words, port = by_tls
    put_some(server, box_of(place))
    with between.Between("127.0.0.1", port) as way:
        site = Site(place, serve, [server.block(
            connection=words.replace(str(port), str(way.port)),
            more="timeout = 1 connections = 2")])
        if when == "asks":
            site.accepts(connect, "ann")
        # Within a library's own time for an octet, and long for a record.
        way.mode, way.pace = mode, 0.5
        if when == "connects":
            way.cut_all()
        waiting = [waits(connect, site) for _ in range(4)]
        site.accepts(connect, "file")
        for session in waiting:
            assert session.line().startswith(TEMPORARY)
        wait_until(lambda: at_work(site, "db") == 0, 3)
        way.mode = "pass"
        await_accepted(site, connect, "ann")


def test_broken_off(place, serve, connect, far, way):
    """In the middle of an answer, wherever that is: it is asked once more."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(connection=way.connection)])
    site.accepts(connect, "ann")
    octets = 0
    while way.left is None:
        way.cut_after(octets)
        site.accepts(connect, "ann")
        octets += 3
    assert octets > 60
    assert not site.server.events("lookup-failed")


@pytest.mark.slow
def test_as_many_as_the_server_permits(place, serve, pg):
    """Fewer connections than the settings say: they are shared, and nobody is
    turned away."""
    put_some(pg, box_of(place))
    pg.sql("DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN CONNECTION LIMIT 3")
    pg.sql("GRANT SELECT ON users TO few")
    site = Site(place, serve, [pg.block(
        slow(pg, 0.05), "connections = 20",
        connection=pg.connection.replace("user=owner", "user=few"))],
        "max_sessions_per_user = 1000\n")
    for said in crowd(site.server.port, 100, b"ann"):
        pass
    assert [line for line in said if not line.startswith(b"+OK")] == []
    assert not site.server.events("lookup-failed")


def test_enormous_hash(place, serve, connect, lite):
    """Hashes that say they take hours keep nobody waiting."""
    put_some(lite, box_of(place))
    for name, hashed in (("eve", "$6$rounds=999999999$saltsalt$" + "x" * 86),
                         ("mal", "$2y$31$RjK/liIK/9onbW73TktZte" + "x" * 31)):
        lite.user(name, hashed)
    site = Site(place, serve, [lite.block()], "hash_threads = 1\n")
    for name in ("eve", "mal", "eve", "mal"):
        assert site.refusal(connect, name, "secret").startswith(b"-ERR [AUTH]")
    assert site.refusal(connect, "nobody", "x").startswith(b"-ERR [AUTH]")
    site.accepts(connect, "ann")


def test_another_table(place, serve, connect, db):
    """It is changed while connections are kept."""
    query = "SELECT t.* FROM t, names n WHERE n.name = $1"
    for words in ("DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS names",
                  "CREATE TABLE names (name varchar(20))",
                  "CREATE TABLE t (password varchar(80))",
                  "INSERT INTO names VALUES ('ann')",
                  "INSERT INTO t VALUES ('{PLAIN}secret')"):
        db.sql(words)
    site = Site(place, serve, [db.block(query)],
                'mail = "maildir:%s"\n' % box_of(place))
    site.accepts(connect, "ann")
    for words in ("ALTER TABLE t ADD COLUMN home varchar(80)",
                  "UPDATE t SET home = '/x'",
                  "ALTER TABLE t ADD COLUMN nologin varchar(8)"):
        db.sql(words)
        site.accepts(connect, "ann")
    db.sql("UPDATE t SET nologin = 'yes'")
    assert site.refusal(connect, "ann", "secret").startswith(b"-ERR [AUTH]")
    db.sql("ALTER TABLE t DROP COLUMN nologin")
    site.accepts(connect, "ann")
    db.sql("DROP TABLE t")
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    db.sql("CREATE TABLE t (home varchar(80), password varchar(80))")
    db.sql("INSERT INTO t VALUES ('/y', '{PLAIN}other')")
    await_accepted(site, connect, "ann", "other")


def test_write_ahead_log_of_nobody(place, serve, connect, lite):
    """Nobody has it open, so what readers share is not there."""
    put_some(lite, box_of(place))
    db = sqlite3.connect(lite.file)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert not os.path.exists(lite.file + "-shm")
    site = Site(place, serve, [lite.block()])
    site.accepts(connect, "ann")
    for n in range(3):
        db = sqlite3.connect(lite.file)
        db.execute("UPDATE users SET password = '{PLAIN}%d'" % n)
        db.commit()
        site.accepts(connect, "ann", str(n))
        db.close()
        site.accepts(connect, "ann", str(n))


@pytest.mark.parametrize("what", ["a value", "columns", "rows"])
def test_enormous_answer(place, serve, connect, db, what):
    """Only who is looked up notices."""
    put_some(db, box_of(place))
    # MariaDB itself makes none that is longer than 16 MB.
    n, repeat = 10000000 if db.driver == "mysql" else 100000000, {
        "sqlite": "hex(zeroblob(%d))", "postgresql": "repeat('x', %d)",
        "mysql": "REPEAT('x', %d)"}[db.driver]
    condition = "CASE WHEN name = 'bea' THEN %s ELSE NULL END AS home"
    if what == "a value":
        columns, rest = condition % (repeat % n), ""
    elif what == "columns":
        columns = ", ".join("1 c%d" % i for i in range(450))
        columns, rest = columns + ", '{PLAIN}secret' AS password", ""
    else:
        columns, rest = "mail", " OR name = 'ann'"
    query = "SELECT password, mail, %s FROM users WHERE name = $1" % columns
    if what == "rows":
        db.sql("CREATE TABLE many (n int)")
        db.sql("INSERT INTO many SELECT 1 FROM users")
        for _ in range(18):
            db.sql("INSERT INTO many SELECT 1 FROM many")
        query = ("SELECT password, mail, words AS home FROM users "
                 "LEFT JOIN (SELECT %s AS words FROM many) m "
                 "ON name = 'bea' WHERE name = $1" % (repeat % 200))
    site = Site(place, serve, [db.block(query, "timeout = 20")])
    pid, = site.server.roles("db")
    for _ in range(2):
        assert site.refusal(connect, "bea", "secret").startswith(TEMPORARY)
        if what != "columns":
            site.accepts(connect, "ann")
    site.accepts(connect, "file")
    assert site.server.roles("db") == [pid]
    if what == "rows":
        db.sql("DROP TABLE many")
    if what == "rows" and "asan" not in MALOTED:
        with open("/proc/%d/status" % pid) as f:
            peak = re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)
        assert int(peak) < 64 * 1024


def change(far, what, way):
    """Something goes wrong; returns what makes it right."""
    if what == "dies":
        far.kill()
        return far.start
    if what == "hangs":
        far.hang()
        return far.go_on
    way.mode = "drip"
    return lambda: setattr(way, "mode", "pass")


@pytest.mark.parametrize("what", ["dies", "hangs", "drips"])
def test_under_load(place, serve, connect, far, way, what):
    """Who is told no is told to come again, and can."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(
        connection=way.connection, more="timeout = 2 connections = 4")],
        "max_sessions_per_user = 1000\n")
    mend, since = None, 0
    for told in crowd(site.server.port, 300, b"ann"):
        if isinstance(told, list):
            break
        if mend is None and told >= 40:
            mend, since = change(far, what, way), time.monotonic()
        elif since and time.monotonic() - since > 1:
            mend()
            since = 0
    if since:
        mend()
    assert len(told) == 300
    assert not [line for line in told
                if not line.startswith((b"+OK", TEMPORARY))]
    assert len([line for line in told if line.startswith(b"+OK")]) >= 40
    await_accepted(site, connect, "ann")
    for told in crowd(site.server.port, 100, b"ann"):
        pass
    assert not [line for line in told if not line.startswith(b"+OK")]


class NameServer:
    """It says nothing at first; then that each name is 127.0.0.1."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.thread = None
        address = "127.78.%d.%d" % divmod(os.getpid() % 65536, 256)
        try:
            self.socket.bind((address, 53))
        except OSError as e:
            pytest.skip("no port for DNS: %s" % e)
        conf = folder / "resolv.conf"
        conf.write_text("nameserver %s\n" % address)
        os.chmod(conf, 0o644)
        # What a program is started by, whose names are then asked for there.
        self.wrap = (
            "unshare", "-m", "sh", "-c",
            "mount --bind %s /etc/resolv.conf && exec \"$@\"" % conf, "-")

    def answer_from_now_on(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            asked, whom = self.socket.recvfrom(4096)
            if not asked:
                return
            end = asked.index(b"\0", 12) + 5
            question = asked[12:end]
            is_a = question[-4:-2] == b"\0\1"
            head = asked[:2] + b"\x81\x80\0\1" + struct.pack(
                "!HHH", is_a, 0, 0)
            record = (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1"
                      if is_a else b"")
            self.socket.sendto(head + question + record, whom)

    def close(self):
        if self.thread is not None:
            self.socket.sendto(b"", self.socket.getsockname())
            self.thread.join(20)
        self.socket.close()


@pytest.fixture
def name_server(tmp_path):
    server = NameServer(tmp_path)
    yield server
    server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_no_name_server(place, serve, connect, far, name_server):
    """A name that nobody resolves is waited for by those who need it, and no longer
    than for the database itself: its process says so, not auth.  When it is resolved
    again all goes on."""
    put_some(far, box_of(place))
    connection = far.connection.replace("127.0.0.1", "db.example.org")
    assert connection != far.connection
    site = Site(place, serve, [far.block(
        connection=connection, more="timeout = 2 connections = 2")],
        wrap=name_server.wrap)
    waiting = [waits(connect, site) for _ in range(4)]
    site.accepts(connect, "file")
    assert not site.server.events("lookup-failed")
    for session in waiting:
        assert session.line().startswith(TEMPORARY)
    assert {e["error"] for e in site.server.await_event(
        "lookup-failed", 4)} <= {
            "it does not answer",
            "it could not be reached, and is tried again in a moment"}
    assert at_work(site, "db") == 0
    site.accepts(connect, "file")
    name_server.answer_from_now_on()
    await_accepted(site, connect, "ann")


class Forgetful(between.Between):
    """Before a MariaDB: the next question is about a statement of no such
    number."""
    forgets = False

    def carry(self, from_, to, is_answer):
        if is_answer:
            super().carry(from_, to, is_answer)
            return
        with contextlib.suppress(OSError):
            while octets := from_.recv(65536):
                if self.forgets and octets[4] == 0x17:  # COM_STMT_EXECUTE
                    self.forgets = False
                    octets = octets[:5] + b"\x77\x77\x77\x77" + octets[9:]
                to.sendall(octets)
        super().carry(from_, to, is_answer)


@pytest.mark.slow
def test_it_has_forgotten_the_question(place, serve, connect, my):
    """As after what stands between has taken another connection."""
    put_some(my, box_of(place))
    with Forgetful("127.0.0.1", my.port) as way:
        site = Site(place, serve, [my.block(
            connection=my.connection.replace(str(my.port), str(way.port)),
            more="connections = 1")])
        for _ in range(2):
            site.accepts(connect, "ann")
            way.forgets = True
            site.accepts(connect, "ann")
            assert not way.forgets
    assert not site.server.events("lookup-failed")
    assert not site.server.events("database")


@pytest.fixture
def first_is_silent(far, tmp_path):
    """What a program is started by for which db.example.org has two addresses, of
    which the first one does not even accept."""
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 db.example.org\n127.0.0.1 db.example.org localhost\n")
    os.chmod(hosts, 0o644)
    full, waiting = socket.socket(socket.AF_INET6), []
    try:
        full.bind(("::1", far.port))
    except OSError as e:
        pytest.skip("no IPv6: %s" % e)
    full.listen(0)
    for _ in range(4):
        s = socket.socket(socket.AF_INET6)
        s.setblocking(False)
        s.connect_ex(("::1", far.port))
        waiting.append(s)
    yield ("unshare", "-m", "sh", "-c",
           "mount --bind %s /etc/hosts && exec \"$@\"" % hosts, "-")
    for s in (full, *waiting):
        s.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_first_address_is_silent(place, serve, connect, far, first_is_silent):
    """The next one is tried while there is still time."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(connection=far.connection.replace(
        "127.0.0.1", "db.example.org"), more="timeout = 4")],
        wrap=first_is_silent)
    site.accepts(connect, "ann")
    assert not site.server.events("lookup-failed")


def test_no_room_for_descriptors(place, serve, connect, far, inject):
    """The connection that is there is shared."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block()], "max_sessions_per_user = 100\n",
                wrap=("prlimit", "--nofile=2100:2100"))
    site.accepts(connect, "ann")
    pid, = site.server.roles("db")
    unused = 1 + max(int(fd) for fd in os.listdir("/proc/%d/fd" % pid))
    inject(pid, ["fill"])
    for told in crowd(site.server.port, 50, b"ann"):
        pass
    assert not [line for line in told if not line.startswith(b"+OK")]
    inject(pid, ["close:%d" % unused])
    site.accepts(connect, "ann")
    assert site.server.roles("db") == [pid]


def test_hangup(place, serve, connect, far):
    """SIGHUP while a database hangs: who waits goes on waiting."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(more="timeout = 60")])
    site.accepts(connect, "ann")
    pids = site.server.roles("db")
    far.hang()
    session = waits(connect, site)
    wait_until(lambda: at_work(site, "db") == 1)
    site.server.signal(signal.SIGHUP)
    site.accepts(connect, "file")
    far.go_on()
    assert session.line().startswith(b"+OK")
    assert site.server.roles("db") == pids


def test_another_block(place, serve, connect, far):
    """The settings of a block change while it is asked: who waits is answered by
    the process that was asked, and the next one by another."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(more="timeout = 60")])
    site.accepts(connect, "ann")
    before = site.server.roles("db")
    far.hang()
    session = waits(connect, site)
    wait_until(lambda: at_work(site, "db") == 1)
    with open("/proc/%d/cmdline" % site.server.pid, "rb") as f:
        path = f.read().split(b"\0")[2]
    with open(path, "rb+") as f:
        text = f.read().replace(b"timeout = 60", b"timeout = 59")
        f.seek(0)
        f.write(text)
    site.server.ctl("reload")
    assert set(before) < set(site.server.roles("db"))
    site.accepts(connect, "file")
    far.go_on()
    assert session.line().startswith(b"+OK")
    wait_until(lambda: not set(before) & set(site.server.roles("db")))
    site.accepts(connect, "ann")


def test_stop(place, serve, connect, far):
    """A database that hangs keeps nobody from stopping."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(more="timeout = 60")])
    site.accepts(connect, "ann")
    far.hang()
    session = waits(connect, site)
    wait_until(lambda: at_work(site, "db") == 1)
    begun = time.monotonic()
    site.server.stop()
    assert time.monotonic() - begun < 20
    session.close()


def test_very_many(place, serve, connect, lite):
    """As many as there may be, one after the other."""
    put_some(lite, box_of(place))
    nobody = lite.block("SELECT password FROM users WHERE name = $1 || 'x'")
    site = Site(place, serve, [nobody] * 6 + [lite.block()])
    site.accepts(connect, "ann")
    assert site.refusal(connect, "zoe", "secret").startswith(b"-ERR [AUTH]")
    assert len(site.server.roles("db")) == 7


# Some 50 ms, and 2: what one of them takes is no measure of the other.
COSTLY = ("$6$rounds=100000$saltsalt$W6Pjgp5jRhOycjhz1JdUTjE.eBO2c/gf64"
          "ukBCYIUsagE3B8HkkRYGvkhQw7S1S6nh6jR9hV6IhhRIHR8xSWY0")
CHEAPER = ("$6$rounds=5000$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6G"
           "Lc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1")


def test_the_time_tells_nothing(place, serve, connect, every):
    """Of a name that is in none, and of one whose password is wrong: the least of
    as many tries of each as it needs, one after the other: what disturbs the
    machine makes none shorter."""
    every.user("ann", COSTLY, box_of(place))
    every.user("bea", "{PLAIN}secret", box_of(place))
    site = Site(place, serve, [every.block()])
    with open(site.users, "a", encoding="utf-8") as f:
        f.write("kim:%s::::::\n" % CHEAPER)
    site.accepts(connect, "ann")
    least = {}
    for n in range(40):
        for name in ("ann", "bea", "nobody", "file"):
            begun = time.monotonic()
            assert site.refusal(connect, name, "wrong%d" % n).startswith(
                b"-ERR [AUTH]")
            took = time.monotonic() - begun
            least[name] = min(took, least.get(name, took))
        if n >= 6 and all(0.6 < took / least["ann"] < 1.6
                          for took in least.values()):
            return
    pytest.fail("the time tells: %r" % least)


def test_as_many_questions(place, serve, connect, far, way):
    """The same of what databases are asked: as much, whoever knows the name."""
    far.user("ann", "{PLAIN}secret", box_of(place))
    site = Site(place, serve, [
        far.block(connection=way.connection, more="connections = 1")] * 2,
        file="")
    for name in ("ann", "zoe"):
        site.refusal(connect, name, "wrong")
    asked = {}
    for name in ("ann", "zoe"):
        before = way.settled()
        for n in range(3):
            assert site.refusal(connect, name, "wrong%d" % n).startswith(
                b"-ERR [AUTH]")
        asked[name] = way.settled() - before
    assert asked["ann"] == asked["zoe"] > 100


CRASHES = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE users SET password = '{PLAIN}new'")
os.kill(os.getpid(), 9)
"""


def test_writer_that_crashed(place, serve, connect, lite):
    """In the middle of a change: what it has not finished does not count, and only
    who may write can take it back."""
    lite.user("ann", "{PLAIN}secret", box_of(place))
    with sqlite3.connect(lite.file) as db:
        db.executemany("INSERT INTO users VALUES (?, ?, NULL, NULL, NULL, ?)",
                       [("u%d" % n, "x", "y" * 3000) for n in range(500)])
    db.close()
    subprocess.run([sys.executable, "-c", CRASHES, lite.file], check=False,
                   timeout=60)
    assert os.path.getsize(lite.file + "-journal") > 0
    site = Site(place, serve, [lite.block()])
    for password in ("new", "secret"):
        assert site.refusal(connect, "ann", password).startswith(TEMPORARY)
    lite.sql("SELECT * FROM users")
    await_accepted(site, connect, "ann")
