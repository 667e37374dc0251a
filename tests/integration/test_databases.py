"""Users in databases: SQLite and PostgreSQL, which answer, refuse, lie, hang,
die and come back.
"""
import json
import os
import re
import selectors
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import drop
import mariadb
import postgres
import slapd
from scram import b64, cram, scram
from server import CTL, PATIENCE, TOP, kill, wait_until

pytestmark = pytest.mark.ours
# What of these a server of its own is started for, ./check all does only.
LDAP = pytest.param("ldap", id="ldap", marks=pytest.mark.slow)
SERVERS = [pytest.param("pg", id="postgresql", marks=pytest.mark.slow),
           pytest.param("my", id="mysql", marks=pytest.mark.slow)]
QUERY = "SELECT password, uid, gid, home, mail FROM users WHERE name = $1"
TEMPORARY = b"-ERR [SYS/TEMP]"


class Sqlite:
    """The same words as Postgres."""
    driver = "sqlite"

    def __init__(self, folder):
        self.file = folder + "/users.sqlite"
        self.sql(postgres.TABLE)
        os.chmod(self.file, 0o644)
        owner = os.stat(folder)
        os.chown(self.file, owner.st_uid, owner.st_gid)

    def block(self, query=QUERY, more="", connection=None):
        return ('{ driver = "sqlite" file = "%s" query = "%s" %s }\n'
                % (self.file, query, more))

    def sql(self, words):
        with sqlite3.connect(self.file) as db:
            db.execute(words)
        db.close()

    user = postgres.Postgres.user


class Postgres(postgres.Postgres):
    driver = "postgresql"

    def block(self, query=QUERY, more="", connection=None):
        return ('{ driver = "postgresql" connection = "%s" query = "%s" %s }\n'
                % (connection or self.connection, query, more))


class Mariadb(mariadb.Mariadb):
    driver = "mysql"

    def block(self, query=QUERY, more="", connection=None):
        connection = (connection or self.connection).replace("\\", "\\\\")
        return ('{ driver = "mysql" connection = "%s" query = "%s" %s }\n'
                % (connection, query, more))


class Ldap(slapd.Slapd):
    driver = "ldap"
    attributes = "userPassword=password description=mail " \
        "employeeNumber=uid employeeType=gid"

    def block(self, query="(uid=$1)", more="", connection=None,
              attributes=None):
        connection = (connection or self.connection).replace("\\", "\\\\")
        return ('{ driver = "ldap" connection = "%s" query = "%s" '
                'attributes = "%s" %s }\n'
                % (connection, query, attributes or self.attributes, more))


@pytest.fixture(scope="module")
def directory():
    db = Ldap()
    yield db
    db.close()


@pytest.fixture
def ldap(request):
    if not slapd.INSTALLED:
        pytest.skip("needs slapd and ldap-utils")
    directory = request.getfixturevalue("directory")
    directory.empty()
    yield directory
    directory.go_on()
    if directory.process.poll() is not None:
        directory.start()


@pytest.fixture(scope="module")
def farm():
    db = Mariadb()
    yield db
    db.close()


@pytest.fixture
def my(request):
    if not mariadb.INSTALLED:
        pytest.skip("needs mariadb-server")
    farm = request.getfixturevalue("farm")
    farm.sql("DROP TABLE users; " + mariadb.TABLE)
    yield farm
    farm.go_on()
    if farm.process.poll() is not None:
        farm.start()


@pytest.fixture(scope="module")
def cluster():
    db = Postgres()
    yield db
    db.close()


@pytest.fixture
def pg(request):
    if not postgres.INSTALLED:
        pytest.skip("needs postgresql")
    cluster = request.getfixturevalue("cluster")
    cluster.sql("DROP TABLE users")
    cluster.sql(postgres.TABLE)
    yield cluster
    cluster.go_on()
    if cluster.process.poll() is not None:
        cluster.start()


@pytest.fixture
def lite(place):
    return Sqlite(place.path)


@pytest.fixture(params=[pytest.param("lite", id="sqlite"), *SERVERS])
def db(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=SERVERS)
def net(request):
    """One that is reached by the network."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[pytest.param("lite", id="sqlite"), *SERVERS, LDAP])
def every(request):
    """One that is asked for one table only, in whatever words."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[*SERVERS, LDAP])
def far(request):
    """One of those that is reached by the network."""
    return request.getfixturevalue(request.param)


def slow(db, seconds):
    """A query that takes so long whether there is such a user or not."""
    sleep = {"postgresql": "pg_sleep(%s)", "mysql": "SLEEP(%s) AS t"}[db.driver]
    return "SELECT password, mail FROM (SELECT %s) s LEFT JOIN users ON " \
        "true WHERE name = $1" % (sleep % seconds)


class Site:
    """`file` is in the users file, the others in databases."""

    def __init__(self, place, serve, blocks, config="", file="first", **more):
        self.box = place.maildir(drop.make(7, 3), "box")
        owner = os.stat(self.box)
        users = place.path + "/passwd"
        with open(users, "w", encoding="utf-8") as f:
            f.write("file:{PLAIN}secret::::::userdb_mail=maildir:%s\n"
                    % self.box)
        text = ['users "db%d" %s' % (n, block)
                for n, block in enumerate(blocks)]
        file_block = 'users "file" { driver = "passwd-file" file = "%s" }\n' \
            % users
        if file:
            text.insert(0 if file == "first" else len(text), file_block)
        self.owner = (owner.st_uid, owner.st_gid)
        self.users = users
        self.server = serve(
            [("unused", "x", self.box)], "sessions = \"shared\"\nlast_uid = 60000\n"
            "mail_user = \"%d\"\nmail_group = \"%d\"\n" % self.owner
            + config + "".join(text), **more)

    def refusal(self, connect, name, password, port=None):
        session = connect(port or self.server.port)
        session.ok("USER " + name)
        line = session.command("PASS " + password)
        session.close()
        return line

    def accepts(self, connect, name, password="secret"):
        session = connect(self.server.port)
        session.login(name, password)
        assert session.stat()[0] == 3
        session.quit()


def put_some(db, site_box):
    db.user("ann", "{PLAIN}secret", site_box)
    db.user("bea", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
            site_box)


def box_of(place):
    return place.path + "/box"


def test_sign_in_and_refused(place, serve, connect, db):
    put_some(db, box_of(place))
    site = Site(place, serve, [db.block()])
    for name in ("ann", "bea", "file"):
        site.accepts(connect, name)
        assert site.refusal(connect, name, "wrong") == \
            b"-ERR [AUTH] authentication failed"
    for name in ("nobody", "ann@example.org"):
        assert site.refusal(connect, name, "secret") == \
            b"-ERR [AUTH] authentication failed"
    # What is changed there counts from the next sign-in on, though the last
    # password was verified a moment ago.
    db.sql("UPDATE users SET password = '{PLAIN}another' WHERE name = 'ann'")
    assert site.refusal(connect, "ann", "secret").startswith(b"-ERR [AUTH]")
    site.accepts(connect, "ann", "another")
    db.sql("DELETE FROM users WHERE name = 'ann'")
    assert site.refusal(connect, "ann", "another").startswith(b"-ERR [AUTH]")
    assert not site.server.events("lookup-failed")


def test_a_name_in_two_columns(place, serve, connect, db):
    """Whatever parameters a query does without."""
    put_some(db, box_of(place))
    site = Site(place, serve, [db.block(
        "SELECT password, mail FROM users WHERE name = $2 AND $3 = 'd.org'")])
    site.accepts(connect, "ann@d.org")
    assert site.refusal(connect, "ann@e.org", "secret").startswith(
        b"-ERR [AUTH]")


def test_write_ahead_log(place, serve, connect, lite):
    """Somebody writes meanwhile, and what they have written counts."""
    put_some(lite, box_of(place))
    writer = sqlite3.connect(lite.file, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE users SET uid = NULL")
    site = Site(place, serve, [lite.block()])
    site.accepts(connect, "ann")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE users SET password = '{PLAIN}new'")
    site.accepts(connect, "ann")
    writer.execute("COMMIT")
    site.accepts(connect, "ann", "new")
    writer.close()


def test_malotectl(place, serve, connect, lite):
    """The passwd-file is changed as ever; a database without settings for that is
    not, and who is in one has app passwords all the same."""
    put_some(lite, box_of(place))
    state = {"STATE_DIRECTORY": place.path + "/state"}
    os.mkdir(state["STATE_DIRECTORY"], 0o755)
    site = Site(place, serve, [lite.block()])
    conf = place.path + "/ctl.conf"

    def ctl(*words, code=0):
        done = subprocess.run(
            [CTL, "--config", conf, *words], check=False, text=True,
            stdin=subprocess.DEVNULL, capture_output=True,
            timeout=60 * PATIENCE, env={**os.environ, **state})
        assert done.returncode == code, done
        return done.stdout + done.stderr
    with open(conf, "w", encoding="ascii") as f:
        f.write('db_user = "65534"\n'
                'users "a" { driver = "passwd-file" file = "%s" }\n'
                'users "b" %s' % (site.users, lite.block()))
    said = ctl("user", "list", code=78)
    assert said.startswith("file\n") and 'users "b" has no list_query' in said
    assert 'users "b" has no passwd_query' in ctl(
        "user", "passwd", "ann", code=78)
    secret = ctl("app-password", "add", "ann", "--label", "phone")
    assert "phone" in ctl("app-password", "list", "ann")
    assert secret.split()
    with open(conf, "w", encoding="ascii") as f:
        f.write('db_user = "65534"\nusers "b" ' + lite.block())
    for word in "delete", "passwd":
        assert "has no %s_query" % word in ctl("user", word, "ann", code=78)
    assert "phone" in ctl("app-password", "list", "ann")


def example(name):
    """A block of the manual, and what is around it."""
    with open(TOP + "/doc/man/maloted.conf.5.scd", encoding="utf-8") as f:
        text = f.read()
    block = re.search(r'^users "%s" (\{.*?^\})$' % name, text, re.M | re.S)
    return text, block.group(1) + "\n"


def test_manual_sqlite(place, serve, connect):
    text, block = example("lite")
    db = Sqlite.__new__(Sqlite)
    db.file = place.path + "/users.sqlite"
    db.sql(re.search(r"^(CREATE TABLE .*);$", text, re.M).group(1))
    os.chmod(db.file, 0o644)
    db.sql("INSERT INTO users VALUES ('ann', '{PLAIN}secret', 'maildir:%s')"
           % box_of(place))
    site = Site(place, serve,
                [block.replace("/srv/users/users.sqlite", db.file)])
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "x").startswith(b"-ERR [AUTH]")


@pytest.mark.slow
def test_manual_postgresql(place, serve, connect, pg):
    put_some(pg, box_of(place))
    block = example("shop")[1]
    assert QUERY in block
    site = Site(place, serve, [re.sub(
        'connection = ".*"', 'connection = "%s"' % pg.connection, block)])
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "x").startswith(b"-ERR [AUTH]")


@pytest.mark.slow
def test_manual_mysql(place, serve, connect, my):
    """By its socket."""
    put_some(my, box_of(place))
    my.sql("CREATE OR REPLACE USER malote@localhost IDENTIFIED BY 'secret'; "
           "GRANT SELECT ON mail.* TO malote@localhost")
    block = example("panel")[1]
    assert "host=/run/mysqld/mysqld.sock " in block
    site = Site(place, serve,
                [block.replace("/run/mysqld/mysqld.sock", my.socket)])
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "x").startswith(b"-ERR [AUTH]")


@pytest.mark.slow
def test_manual_after_dovecot(place, serve, connect, pg):
    """A table as PostfixAdmin has it, within this machine."""
    pg.sql("CREATE TABLE IF NOT EXISTS mailbox (username text, password text, "
           "maildir text, active bool)")
    pg.sql("DELETE FROM mailbox")
    for name, active in (("ann@example.org", "true"),
                         ("bea@example.org", "false")):
        pg.sql("INSERT INTO mailbox VALUES ('%s', '%s', 'home/', %s)" % (
            name, "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", active))
    os.mkdir(place.path + "/home", 0o755)
    os.symlink(box_of(place), place.path + "/home/Maildir")
    block = example("mailbox")[1]
    block = block.replace("/srv/mail", place.path)
    owner = os.stat(place.path)
    block = block.replace("5000 AS uid", "%d AS uid" % owner.st_uid)
    block = block.replace("5000 AS gid", "%d AS gid" % owner.st_gid)
    block = re.sub('connection = "host=.* dbname=mail user=dovecot"',
                   'connection = "host=%s port=%d dbname=postgres user=owner"'
                   % (pg.folder, pg.port), block)
    site = Site(place, serve, [block], 'mail = "maildir:~/Maildir"\n'
                "maildrop_symlinks = yes\n")
    site.accepts(connect, "ann@example.org")
    assert site.refusal(connect, "ann@example.org", "x").startswith(
        b"-ERR [AUTH]")
    assert site.refusal(connect, "bea@example.org", "secret").startswith(
        b"-ERR [AUTH]")


def shown(site, *words, code):
    """What malotectl printed before it said what is wrong."""
    done = subprocess.run([CTL, "--config", site.server.ctl_conf, *words],
                          check=False, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=60 * PATIENCE)
    assert done.returncode == code and done.stderr, done
    return done.stdout


def test_admin_is_told(place, serve, connect, every):
    put_some(every, box_of(place))
    site = Site(place, serve, [every.block()])
    told = json.loads(site.server.ctl("--json", "user", "show", "ann"))
    assert told["user"] == "ann" and told["users"] == "db0"
    assert told["milliseconds"] < 10000 and told["scheme"] == "PLAIN"
    told = json.loads(site.server.ctl("--json", "user", "show", "file"))
    assert told["users"] == "file"
    assert [a["users"] for a in told["asked"]] == ["file"]
    told = json.loads(shown(site, "--json", "user", "show", "nobody", code=67))
    assert [(a["users"], a["answer"]) for a in told["asked"]] == [
        ("file", "nobody"), ("db0", "nobody")]


@pytest.mark.slow
def test_admin_is_told_how_long_each_took(place, serve, pg):
    put_some(pg, box_of(place))
    site = Site(place, serve, [
        pg.block(slow(pg, 0.3)), pg.block("SELECT nothing WHERE x = $1")])
    told = json.loads(site.server.ctl("--json", "user", "show", "ann"))
    assert [a["answer"] for a in told["asked"]] == ["nobody", "the user"]
    assert told["asked"][1]["milliseconds"] >= 300
    assert told["milliseconds"] >= told["asked"][1]["milliseconds"]
    said = shown(site, "user", "show", "bob", code=75)
    assert re.search(r"^db0 +\d{3,} ms  nobody$", said, re.M)
    assert re.search(r"^db1 +\d+ ms  column .*nothing", said, re.M)


def test_injection(place, serve, connect, every):
    """What is no name does not even get there; what is one is compared as it
    is, whatever characters a setting permits."""
    put_some(every, box_of(place))
    site = Site(place, serve, [every.block()],
                "login_characters = \"'\\\\\\\";()$%#*\"\n")
    for name in ("x'OR'1'='1", "ann';--", "ann'||'", "%", "a%", "_nn", "*",
                 "ann\\", "$1", "';DROP", "ann'#", "x\");--"):
        assert site.refusal(connect, name, "secret").startswith(
            b"-ERR [AUTH]"), name
    site.accepts(connect, "ann")
    assert not site.server.events("lookup-failed")


def test_empty_password(place, serve, connect, db):
    """It reaches no database: this one could not say anything."""
    site = Site(place, serve, [db.block("SELECT nothing FROM it WHERE x = $1")],
                'mechanisms = "PLAIN LOGIN"\n')
    assert site.refusal(connect, "ann", "x").startswith(TEMPORARY)
    said = site.refusal(connect, "ann", "")
    assert said.startswith(b"-ERR") and not said.startswith(TEMPORARY)
    session = connect(site.server.port)
    session.command("AUTH PLAIN")
    assert session.command(b64(b"\0ann\0")).startswith(b"-ERR")
    session.command("AUTH LOGIN")
    session.command(b64("ann"))
    assert session.command("").startswith(b"-ERR")
    site.server.stop()
    assert len(site.server.events("lookup-failed")) == 1


@pytest.mark.parametrize("file", ["first", "last"])
def test_the_first_that_knows_the_name_decides(place, serve, connect, lite,
                                               file):
    lite.user("file", "{PLAIN}other", box_of(place))
    site = Site(place, serve, [lite.block()], file=file)
    good, bad = ("secret", "other") if file == "first" else ("other", "secret")
    site.accepts(connect, "file", good)
    assert site.refusal(connect, "file", bad).startswith(b"-ERR [AUTH]")
    told = json.loads(site.server.ctl("--json", "user", "show", "file"))
    assert told["users"] == ("file" if file == "first" else "db0")


def test_other_mechanisms(place, serve, connect, every):
    """A hash that serves for them, from a database."""
    put_some(every, box_of(place))
    site = Site(place, serve, [every.block()],
                'mechanisms = "SCRAM-SHA-256 CRAM-MD5 PLAIN"\napop = yes\n',
                file="")
    session = connect(site.server.port)
    said = session.multi("CAPA")
    assert b"SCRAM-SHA-256" in said and b"CRAM-MD5" in said
    assert scram(session, "SCRAM-SHA-256", "ann", "secret")[0].startswith(
        b"+OK")
    assert cram(connect(site.server.port), "ann", "secret").startswith(b"+OK")
    for name, password in (("ann", "x"), ("bea", "secret"), ("zoe", "x")):
        assert scram(connect(site.server.port), "SCRAM-SHA-256", name,
                     password)[0].startswith(b"-ERR [AUTH]")
        assert cram(connect(site.server.port), name, password).startswith(
            b"-ERR [AUTH]")


def test_master_of_the_file(place, serve, connect, every):
    put_some(every, box_of(place))
    site = Site(place, serve, [every.block()], 'master_separator = "*"\n')
    with open(site.users, "a", encoding="utf-8") as f:
        f.write("boss:{PLAIN}sesame::::::malote_master=yes\n")
    site.accepts(connect, "ann*boss", "sesame")
    assert site.refusal(connect, "nobody*boss", "sesame").startswith(
        b"-ERR [AUTH]")
    assert site.refusal(connect, "boss*ann", "secret").startswith(
        b"-ERR [AUTH]")


TERMS = ("SELECT password, mail, uid AS malote_login_delay, "
         "home AS malote_expire FROM users WHERE name = $1")


def put_terms(db, name, box, delay=None, expire=None):
    db.user(name, "{PLAIN}secret", box, uid=delay)
    if expire is not None:
        db.sql("UPDATE users SET home = '%s' WHERE name = '%s'"
               % (expire, name))


def capa(session, word):
    return [line.decode() for line in session.listing("CAPA")
            if line.startswith(word)]


def test_a_delay_of_their_own(place, serve, connect, login, db):
    """Whose row says so waits, and the next one does not."""
    for name, delay in ("ann", 600), ("bea", None):
        put_terms(db, name, place.maildir(drop.make(4, 3), name), delay)
    state = {"STATE_DIRECTORY": place.path + "/state"}
    os.mkdir(state["STATE_DIRECTORY"], 0o755)
    site = Site(place, serve, [db.block(TERMS)], env=state)
    for _ in range(2):
        session = login(site.server, "ann")
        assert capa(session, b"LOGIN-DELAY") == ["LOGIN-DELAY 600"]
        session.quit()
        assert capa(connect(site.server.port), b"LOGIN-DELAY") == [
            "LOGIN-DELAY 600 USER"]
    assert site.refusal(connect, "ann", "secret").startswith(
        b"-ERR [LOGIN-DELAY] ")
    told = json.loads(site.server.ctl("--json", "user", "show", "ann"))
    assert told["login_delay"] == 600 and told["login_delay_left"] > 300
    for _ in range(4):
        site.accepts(connect, "bea")
    # A program with a password of its own has a time of its own.
    with open(place.path + "/ctl.conf", "w", encoding="ascii") as f:
        f.write('users "a" ' + db.block(TERMS))
    made = subprocess.run(
        [CTL, "--config", place.path + "/ctl.conf", "app-password", "add",
         "ann", "--label", "phone"], check=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        timeout=60 * PATIENCE, env={**os.environ, **state})
    secret = made.stdout.split()[-1]
    for _ in range(2):
        wait_until(lambda: site.refusal(connect, "ann", secret)
                   .startswith(b"+OK"))


def test_an_expiry_of_their_own(place, serve, connect, login, db):
    """EXPIRE 0 and days, of whose row says so; from a maildrop that somebody of
    the users file has, and of others, nothing goes."""
    boxes = {name: place.maildir(drop.make(4, 3), name)
             for name in ("ann", "bea", "kim")}
    put_terms(db, "ann", boxes["ann"], expire="0")
    put_terms(db, "bea", boxes["bea"], expire="30")
    put_terms(db, "kim", boxes["kim"])
    put_terms(db, "eve", box_of(place), expire="0")
    site = Site(place, serve, [db.block(TERMS)],
                'expire = 60\nmaster_separator = "*"\n')
    with open(site.users, "a", encoding="utf-8") as f:
        f.write("boss:{PLAIN}secret::::::malote_master=yes\n")
    assert capa(connect(site.server.port), b"EXPIRE") == ["EXPIRE 60 USER"]
    for name, days in (("ann*boss", "NEVER"), ("ann", "0"), ("bea", "30"),
                       ("kim", "NEVER"), ("eve", "NEVER"), ("file", "60")):
        session = login(site.server, name)
        assert capa(session, b"EXPIRE") == ["EXPIRE " + days], name
        session.retr(1)
        session.quit()
    left = {name: len(drop.files(box)) for name, box in boxes.items()}
    assert left == {"ann": 2, "bea": 3, "kim": 3}
    assert len(drop.files(box_of(place))) == 3
    assert capa(connect(site.server.port), b"EXPIRE") == ["EXPIRE 0 USER"]
    assert {e["user"] for e in site.server.await_event("expire-told", 2)} == {
        "bea", "file"}
    shown = json.loads(site.server.ctl("--json", "expire", "show", "bea"))
    assert shown["days"] == 30
    assert json.loads(site.server.ctl("--json", "user", "show", "bea"))[
        "expire"] == "30"


# What a database may say that would be wrong to do.
LIES = [
    ("uid, gid", "'{PLAIN}secret' AS password, 0 AS uid, 0 AS gid",
     b"-ERR [SYS/PERM]"),
    ("range", "'{PLAIN}secret' AS password, 60001 AS uid, 7 AS gid",
     b"-ERR [SYS/PERM]"),
    ("half", "'{PLAIN}secret' AS password, 7 AS uid", TEMPORARY),
    ("path", "'{PLAIN}secret' AS password, 'maildir:/etc' AS mail",
     b"-ERR [SYS/PERM]"),
    ("dots", "'{PLAIN}secret' AS password, "
     "'maildir:/tmp/x/../../etc' AS mail", b"-ERR [SYS/PERM]"),
    ("unknown", "'{PLAIN}secret' AS password, 1 AS quota", TEMPORARY),
    ("name", "'{PLAIN}secret' AS password, 'bob' AS \\\"user\\\"", TEMPORARY),
    ("hash", "'{NOSUCH}secret' AS password", b"-ERR [AUTH]"),
    ("none", "NULL AS password", b"-ERR [AUTH]"),
    ("nets", "'{PLAIN}secret' AS password, '192.0.2.0/24' AS allow_nets",
     b"-ERR [AUTH]"),
    ("two rows", "'{PLAIN}secret' AS password UNION ALL SELECT "
     "'{PLAIN}secret'", TEMPORARY),
    ("long", "'{PLAIN}secret' AS password, %s AS home", TEMPORARY),
]


@pytest.mark.parametrize("what, columns, said", LIES,
                         ids=[what for what, _, _ in LIES])
def test_lies(place, serve, connect, db, what, columns, said):
    if "%s" in columns:
        columns %= {"sqlite": "'/' || hex(zeroblob(20000))",
                    "postgresql": "'/' || repeat('x', 40000)",
                    "mysql": "CONCAT('/', REPEAT('x', 40000))"}[db.driver]
    if db.driver == "mysql":
        columns = columns.replace('\\"user\\"', "user")
    if what == "two rows":
        query = "SELECT %s WHERE $1 = $1" % columns
    else:
        query = "SELECT %s WHERE $1 = 'ann'" % columns
    site = Site(place, serve, [db.block(query)])
    assert site.refusal(connect, "ann", "secret").startswith(said)
    site.accepts(connect, "file")


def test_wrong_query(place, serve, connect, db):
    """Nobody is told that a password is wrong which nobody has looked at."""
    site = Site(place, serve, [db.block("SELECT * FROM nothing WHERE x = $1")])
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    assert "nothing" in site.server.await_event("database")[0]["error"]
    site.accepts(connect, "file")
    site.server.ctl("user", "show", "ann", code=75)


def test_costs_the_same(place, serve, connect, net):
    """A wrong password waits for those that need not be asked, as a name does
    that nobody has."""
    put_some(net, box_of(place))
    query = slow(net, 0.2)
    site = Site(place, serve, [net.block(query), net.block(query)])

    def took(name, password):
        begun = time.monotonic()
        assert site.refusal(connect, name, password).startswith(
            b"-ERR [AUTH]")
        return time.monotonic() - begun
    for name in ("ann", "nobody", "file"):
        assert took(name, "wrong") >= 0.4, name


def prepared(my):
    """How many queries were, by everybody."""
    return int(my.sql("SHOW GLOBAL STATUS LIKE 'Com_stmt_prepare'").split()[1])


@pytest.mark.slow
def test_prepared_once(place, serve, connect, my):
    """A query stays prepared with its connection, whatever was found."""
    put_some(my, box_of(place))
    site = Site(place, serve, [my.block(more="connections = 1")])
    site.accepts(connect, "ann")
    before = prepared(my)
    for name in ("ann", "bea"):
        site.accepts(connect, name)
        assert site.refusal(connect, "nobody", "x").startswith(b"-ERR [AUTH]")
    assert prepared(my) == before
    my.sql("ALTER TABLE users MODIFY uid varchar(20), ADD COLUMN more text FIRST")
    my.sql("UPDATE users SET home = '/nonexistent'")
    site.accepts(connect, "ann")
    my.sql("UPDATE users SET password = '{PLAIN}new' WHERE name = 'ann'")
    assert site.refusal(connect, "ann", "secret").startswith(b"-ERR [AUTH]")
    site.accepts(connect, "ann", "new")
    # And anew on another one.
    before = prepared(my)  # the server has done so by itself
    my.sql(";".join("KILL " + id for id in my.sql(
        "SELECT id FROM information_schema.processlist WHERE user = 'malote'"
    ).split()))
    site.accepts(connect, "ann", "new")
    assert prepared(my) == before + 1


@pytest.mark.slow
def test_columns_change(place, serve, connect, my):
    """A column is what it is called now, where the query leaves that to the
    table."""
    put_some(my, box_of(place))
    site = Site(place, serve, [my.block(
        "SELECT * FROM who WHERE $1 = 'ann'", "connections = 1")])
    for columns in ("password, mail", "mail, password"):
        my.sql("CREATE OR REPLACE VIEW who AS SELECT %s FROM users "
               "WHERE name = 'ann'" % columns)
        site.accepts(connect, "ann")
    my.sql("DROP VIEW who")


def test_replaced_file(place, serve, connect, lite):
    """As programs do that write a new file and rename it."""
    put_some(lite, box_of(place))
    site = Site(place, serve, [lite.block()])
    site.accepts(connect, "ann")
    shutil.copyfile(lite.file, lite.file + ".new")
    with sqlite3.connect(lite.file + ".new") as db:
        db.execute("UPDATE users SET password = '{PLAIN}new'")
    db.close()
    os.chmod(lite.file + ".new", 0o644)
    os.rename(lite.file + ".new", lite.file)
    site.accepts(connect, "ann", "new")
    os.remove(lite.file)
    assert site.refusal(connect, "ann", "new").startswith(TEMPORARY)


def test_locked_file(place, serve, connect, lite):
    """Somebody writes for long: [SYS/TEMP], and then it goes on."""
    put_some(lite, box_of(place))
    site = Site(place, serve, [lite.block(more="timeout = 1")])
    db = sqlite3.connect(lite.file, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    site.accepts(connect, "file")
    db.execute("COMMIT")
    db.close()
    await_accepted(site, connect, "ann")


def await_accepted(site, connect, name, password="secret"):
    """As soon as it is tried again."""
    def can():
        said = site.refusal(connect, name, password)
        assert said.startswith((b"+OK", TEMPORARY)), said
        return said.startswith(b"+OK")
    wait_until(can, 30, 0.1)


def test_it_dies(place, serve, connect, far):
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(more="timeout = 1")])
    site.accepts(connect, "ann")
    far.kill()
    for _ in range(3):
        assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
        assert site.refusal(connect, "nobody", "x").startswith(TEMPORARY)
        site.accepts(connect, "file")
    far.start()
    await_accepted(site, connect, "ann")
    assert [e.get("answers") for e in site.server.await_event(
        "database", 2)] == [
        None, "again"]


def test_it_is_restarted(place, serve, connect, far):
    """Nobody notices: connections that were kept are made anew."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block()])
    site.accepts(connect, "ann")
    far.kill()
    far.start()
    site.accepts(connect, "ann")
    assert not site.server.events("lookup-failed")


def test_it_hangs(place, serve, connect, login, far):
    """[SYS/TEMP] in bounded time for those who need it; nobody else waits."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(more="timeout = 2 connections = 2")],
                "workers = 1\n")
    site.accepts(connect, "ann")
    opened = login(site.server, "ann")
    far.hang()
    waiting = []
    for _ in range(6):
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS secret\r\n")
        waiting.append(session)
    begun = time.monotonic()
    for _ in range(5):
        site.accepts(connect, "file")
        assert opened.stat()[0] == 3
    assert time.monotonic() - begun < 2 * PATIENCE
    assert not site.server.events("lookup-failed")
    for session in waiting:
        assert session.line().startswith(TEMPORARY)
    # Its process has given up, and not only auth on its process.
    said = {e["error"].split(",")[0]
            for e in site.server.await_event("lookup-failed", 6)}
    assert {"it does not answer", "it could not be reached"} <= said
    assert "no answer" not in said
    far.go_on()
    await_accepted(site, connect, "ann")


def at_work(site, role):
    """How many sessions a process says it has."""
    told = json.loads(site.server.ctl("--json", "status"))
    return sum(p["sessions"] for p in told["processes"] if p["role"] == role)


def test_its_process_dies(place, serve, connect, every):
    put_some(every, box_of(place))
    site = Site(place, serve, [every.block(more="timeout = 60")])
    site.accepts(connect, "ann")
    for _ in range(2):
        pid, = wait_until(lambda: site.server.roles("db"))
        os.kill(pid, signal.SIGSTOP)
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS secret\r\n")
        wait_until(lambda: at_work(site, "auth") == 1)
        kill(pid)
        assert session.line().startswith(TEMPORARY)
        wait_until(lambda: site.server.roles("db") not in ([pid], []))
        await_accepted(site, connect, "ann")
    site.accepts(connect, "file")


def test_its_process_hangs(place, serve, connect, every):
    """Auth waits for it no longer than for the database."""
    put_some(every, box_of(place))
    site = Site(place, serve, [every.block(more="timeout = 1")])
    pid, = site.server.roles("db")
    os.kill(pid, signal.SIGSTOP)
    session = connect(site.server.port)
    session.ok("USER ann")
    session.send("PASS secret\r\n")
    site.accepts(connect, "file")
    assert session.line().startswith(TEMPORARY)
    if pid in site.server.roles("db"):
        os.kill(pid, signal.SIGCONT)
    await_accepted(site, connect, "ann")


@pytest.mark.parametrize("of, kind", [(postgres, Postgres),
                                      (mariadb, Mariadb)],
                         ids=["postgresql", "mysql"])
@pytest.mark.slow
def test_certificate(place, serve, connect, certs, of, kind):
    """It is verified unless the settings say not to, by the name too."""
    if not of.INSTALLED:
        pytest.skip("needs its server")
    server = kind(certificate=(certs["good"].pem, certs["good"].key))
    try:
        put_some(server, box_of(place))
        none, ca = {"postgresql": (" sslmode=disable", " sslrootcert="),
                    "mysql": (" ssl=no", " ssl_ca=")}[kind.driver]
        plain = server.connection.replace(none, "")
        shutil.copyfile(certs.ca, place.path + "/ca.pem")
        os.chmod(place.path + "/ca.pem", 0o644)
        trusted = plain + ca + place.path + "/ca.pem"
        wrong = certs["wrong-name"]
        cases = [(plain, False), (trusted, True)]
        if kind is Postgres:
            cases += [(plain + " sslmode=require", False),
                      (plain + " sslmode=require sslrootcert=/none", True)]
        for connection, good in cases:
            site = Site(place, serve, [server.block(connection=connection)])
            said = site.refusal(connect, "ann", "secret")
            assert said.startswith(b"+OK" if good else TEMPORARY), (
                connection, said, site.server.log_text())
            site.server.stop()
            shutil.rmtree(box_of(place))
        server.kill()
        server.take((wrong.pem, wrong.key))
        server.start()
        site = Site(place, serve, [server.block(connection=trusted)])
        assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    finally:
        server.close()


def crowd(port, n, name):
    """n sign-ins at once: how many have been told something, again and again, and
    at last what."""
    said, waiting = [], selectors.DefaultSelector()
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port))
        waiting.register(s, selectors.EVENT_READ, bytearray())
        s.sendall(b"USER %s\r\nPASS secret\r\n" % name)
    while waiting.get_map():
        ready = waiting.select(60 * PATIENCE)
        assert ready, "nothing comes any more"
        for key, _ in ready:
            key.data.extend(key.fileobj.recv(4096))
            if key.data.count(b"\n") == 3:
                said.append(bytes(key.data).splitlines()[2])
                waiting.unregister(key.fileobj)
                key.fileobj.close()
        yield len(said)
    yield said


def latency(session, port, n, name):
    """How long a session that is open waits for a reply meanwhile: most of the
    time at the most.  And what the crowd was told."""
    took = []
    for said in crowd(port, n, name):
        if not isinstance(said, list):
            begun = time.monotonic()
            session.ok("NOOP")
            took.append(time.monotonic() - begun)
    return sorted(took)[len(took) * 9 // 10], said


@pytest.mark.parametrize("n", [200, 2000])
def test_a_crowd(place, serve, login, net, n):
    """Each answer takes 100 ms: nobody is turned away, and who is there already
    waits no longer than when others sign in of whom no database knows."""
    put_some(net, box_of(place))
    site = Site(place, serve, [net.block(slow(net, 0.1))],
                "max_sessions_per_user = 10000\n")
    opened = login(site.server, "file")
    usual, told = latency(opened, site.server.port, 200, b"file")
    assert not [line for line in told if not line.startswith(b"+OK")]
    meanwhile, told = latency(opened, site.server.port, n, b"ann")
    assert not [line for line in told if not line.startswith(b"+OK")]
    assert len(told) == n
    assert meanwhile < 5 * usual
    assert not site.server.events("lookup-failed")
