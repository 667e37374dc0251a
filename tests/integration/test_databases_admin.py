"""Users in databases, as the admin lists and changes them by malotectl: with the
real servers, and without maloted.
"""
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

import postgres
import slapd
from server import CTL, PATIENCE, TOP, children, end_with_us, wait_until
from test_databases import (LDAP, QUERY, SERVERS, Site, Sqlite,  # noqa: F401
                            box_of, cluster, directory, example, farm, ldap,
                            lite, my, pg)

pytestmark = pytest.mark.ours
EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, EX_CONFIG = 65, 67, 75, 78
NOBODY = 65534
CHANGES = """
    list_query = "SELECT name FROM users ORDER BY name"
    add_query = "INSERT INTO users (name, password, uid, gid, home, mail) VALUES ($1, $4, $5, $6, $7, $8)"
    passwd_query = "UPDATE users SET password = $4 WHERE name = $1"
    delete_query = "DELETE FROM users WHERE name = $1"
"""
OF_LDAP = """
    list_query = "(objectClass=inetOrgPerson)"
    passwd_query = "(uid=$1)"
"""
BOSS = "of-the-boss-only"


def admin(db):
    """An account that may write, where the one of the server may not."""
    if db.driver == "mysql":
        db.sql("CREATE OR REPLACE USER boss@localhost IDENTIFIED BY '%s'; "
               "GRANT ALL ON mail.* TO boss@localhost" % BOSS)
        return ('admin_connection = "host=%s user=boss password=%s '
                'dbname=mail"\n' % (db.socket, BOSS))
    if db.driver == "postgresql":
        db.sql("DROP ROLE IF EXISTS reader")
        db.sql("CREATE ROLE reader LOGIN")
        db.sql("GRANT SELECT ON users TO reader")
        return 'admin_connection = "%s"\n' % db.connection
    if db.driver == "ldap":
        return ('admin_connection = "%s"\n' % re.sub(
            "user=.*", "user=cn=owner,%s password=owner tls=no"
            % slapd.SUFFIX, db.connection))
    return ""


def reads(db):
    """Where the server asks."""
    return {"connection": db.connection.replace("user=owner", "user=reader")} \
        if db.driver == "postgresql" else {}


class Admin:
    """malotectl with a configuration; file: there is a users file, too."""

    def __init__(self, path, blocks, settings="", file=False):
        self.conf, self.users = path + "/ctl.conf", path + "/ctl.users"
        self.state = path + "/ctl.state"
        os.makedirs(self.state, exist_ok=True)
        text = ['users "db%d" %s' % (n, b) for n, b in enumerate(blocks)]
        if file:
            with open(self.users, "a", encoding="ascii"):
                pass
            text.insert(0, 'users "file" { driver = "passwd-file" '
                        'file = "%s" }\n' % self.users)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write('db_user = "%d"\nmail_user = "%d"\nmail_group = "%d"\n'
                    'mail = "maildir:%s/%%n"\n%s%s' % (
                        NOBODY, NOBODY, NOBODY, path, settings,
                        "".join(text)))

    def __call__(self, *words, say="secret", code=0):
        done = subprocess.run(
            [CTL, "--config", self.conf, *words], check=False, text=True,
            input=say + "\n", capture_output=True, timeout=60 * PATIENCE,
            env={**os.environ, "STATE_DIRECTORY": self.state})
        assert done.returncode == code, done
        assert say not in done.stdout + done.stderr
        self.stderr = done.stderr
        return done.stdout + done.stderr


def block(db, more="", admins=True, **where):
    changes = OF_LDAP if db.driver == "ldap" else CHANGES
    attributes = {"attributes": db.attributes + " uid=user"} \
        if db.driver == "ldap" else {}
    return db.block(more=changes + (admin(db) if admins else "") + more,
                    **reads(db), **attributes, **where)


@pytest.fixture(params=[pytest.param("lite", id="sqlite"), *SERVERS])
def db(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[pytest.param("lite", id="sqlite"), *SERVERS, LDAP])
def every(request):
    return request.getfixturevalue(request.param)


def stored(db, name, column="password"):
    if isinstance(db, Sqlite):
        found = sqlite3.connect(db.file).execute(
            "SELECT %s FROM users WHERE name = ?" % column, (name,)).fetchall()
        return found[0][0] if found else None
    out = db.sql("SELECT %s FROM users WHERE name = '%s'" % (
        column, name.replace("'", "''"))).strip()
    return out or None


def test_add_passwd_delete_list(place, db):
    ctl = Admin(place.path, [block(db)], 'login_characters = "\'\\\\"\n')
    assert ctl("user", "list") == ""
    for name in ("bob", "ann", "o'brien\\"):
        assert ctl("user", "add", name) == \
            'users "db0"'.join(("%s is in " % name, " now\n"))
    assert ctl("user", "list").split() == ["ann", "bob", "o'brien\\"]
    assert stored(db, "ann").startswith("{ARGON2ID}$argon2id$")
    assert "already" in ctl("user", "add", "ann", code=EX_DATAERR)
    first = stored(db, "bob")
    ctl("--scheme", "PLAIN", "user", "passwd", "ann", say="an other")
    assert stored(db, "ann") == "{PLAIN}an other" and \
        stored(db, "bob") == first
    # What is the same as before is a change, too.
    ctl("--scheme", "PLAIN", "user", "passwd", "ann", say="an other")
    ctl("user", "passwd", "zoe", code=EX_NOUSER)
    ctl("user", "delete", "zoe", code=EX_NOUSER)
    ctl("user", "delete", "o'brien\\")
    assert ctl("user", "list").split() == ["ann", "bob"]


def test_directory(place, ldap):
    """Only the hash gets there; who comes and goes is the directory's."""
    ldap.user("ann", "{PLAIN}x")
    ldap.user("bea", "{PLAIN}y")
    ctl = Admin(place.path, [block(ldap)])
    assert sorted(ctl("user", "list").split()) == ["ann", "bea"]
    ctl("user", "passwd", "ann")
    known = ctl("--scheme", "PLAIN", "user", "passwd", "ann", say="new one")
    assert "new password" in known
    ctl("user", "passwd", "zoe", code=EX_NOUSER)
    for word in "add", "delete":
        name = "zoe" if word == "add" else "bea"
        assert "cannot be done" in ctl("user", word, name, code=EX_CONFIG)
    assert sorted(ctl("user", "list").split()) == ["ann", "bea"]
    # Who may not write does not.
    ctl = Admin(place.path, [block(ldap, admins=False)])
    assert "Insufficient access" in ctl("user", "passwd", "ann",
                                        code=EX_CONFIG)


def test_directory_of_many(place, ldap):
    """More than a server gives at once."""
    names = ["u%04d" % n for n in range(1200)]
    ldap.modify("".join(
        "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: x\nsn: x\n\n"
        % (n, slapd.PEOPLE, n) for n in names), "-a")
    ctl = Admin(place.path, [block(ldap)])
    assert sorted(ctl("user", "list").split()) == names
    ctl = Admin(place.path, [block(ldap, admins=False)])
    assert "Size limit exceeded" in ctl("user", "list", code=EX_CONFIG)


LACKING = {"list": "list_query", "add": "add_query",
           "passwd": "passwd_query", "delete": "delete_query"}


@pytest.mark.parametrize("word", LACKING)
def test_a_setting_is_missing(place, db, word):
    """It is named, with an example that serves as it is; nothing is asked."""
    db.user("ann", "{PLAIN}x")
    name = {"list": [], "add": ["zoe"]}.get(word, ["ann"])
    ctl = Admin(place.path, [db.block()])
    said = ctl("user", word, *name, code=EX_CONFIG)
    assert "has no %s; write into" % LACKING[word] in said
    example = re.search(r'%s = ".*"' % LACKING[word], said).group(0)
    ctl = Admin(place.path, [db.block(more=example + (
        admin(db) if db.driver == "mysql" else ""))])
    ctl("user", word, *name)
    assert stored(db, "ann") != ("{PLAIN}x" if word in ("passwd", "delete")
                                 else None)


def test_an_option_would_be_lost(place, lite):
    ctl = Admin(place.path, [lite.block(
        more='add_query = "INSERT INTO users (name, password, mail) '
             'VALUES ($1, $4, $8)"\n')])
    assert "add_query has no $7, so --home" in ctl(
        "--home", "/h", "user", "add", "ann", code=EX_CONFIG)
    ctl("--mail", "maildir:" + place.path, "user", "add", "ann")
    assert stored(lite, "ann", "mail") == "maildir:" + place.path


def test_one_row_or_none(place, db):
    """Who forgets WHERE does not change everybody's password."""
    for name in "ann", "bea":
        db.user(name, "{PLAIN}x")
    more = admin(db) if db.driver == "mysql" else ""
    ctl = Admin(place.path, [db.block(
        more='passwd_query = "UPDATE users SET password = $4 WHERE $1 = $1"\n'
             'delete_query = "DELETE FROM users WHERE $1 = $1"\n' + more)])
    for word in "passwd", "delete":
        assert "would have changed 2 rows" in ctl("user", word, "ann",
                                                  code=EX_CONFIG)
    assert stored(db, "ann") == stored(db, "bea") == "{PLAIN}x"


@pytest.mark.parametrize("word, query, said", [
    ("passwd", "UPDATE users SET home = $4 WHERE name = $1",
     "would give another password"),
    ("passwd", "UPDATE users SET password = 'x', home = $4 WHERE name = $1",
     "would give another password"),
    ("passwd", "UPDATE users SET password = $4 WHERE home = $1",
     "changed nothing"),
    ("passwd", "UPDATE users SET pasword = $4 WHERE name = $1", "pasword"),
    ("add", "INSERT INTO users (name, home, password) VALUES ('bea', $1, $4)",
     "would not find"),
    ("delete", "UPDATE users SET home = 'x' WHERE name = $1",
     "would find ann"),
])
def test_the_server_must_see_it(place, db, word, query, said):
    """A mistake in a query is no success, and is undone."""
    db.user("ann", "{PLAIN}x")
    more = admin(db) if db.driver == "mysql" else ""
    ctl = Admin(place.path, [db.block(
        more='%s_query = "%s"\n' % (word, query) + more)])
    name = "zoe" if word == "add" else "ann"
    assert said in ctl("user", word, name, code=EX_CONFIG)
    assert stored(db, "ann") == "{PLAIN}x"
    assert stored(db, "ann", "home") in (None, "NULL")
    assert stored(db, "bea") is None


def test_a_row_that_gives_no_user(place, lite):
    """The password is there, and something else keeps the user out."""
    ctl = Admin(place.path, [lite.block(
        more='add_query = "INSERT INTO users (name, password, home) '
             "VALUES ($1, $4, 'home')\"\n")])
    said = ctl("user", "add", "ann", code=EX_CONFIG)
    assert "add_query was done, but for ann" in said and "home" in said


def test_what_check_refuses_is_not_done(place, lite):
    """The hash would be nowhere, and another column in its place."""
    lite.user("ann", "{PLAIN}x")
    ctl = Admin(place.path, [lite.block(
        more='passwd_query = "UPDATE users SET password = $5 '
             'WHERE name = $1"\n')])
    assert "maloted --check says" in ctl("user", "passwd", "ann",
                                         code=EX_CONFIG)
    assert stored(lite, "ann") == "{PLAIN}x"


def test_who_could_not_sign_in(place, lite):
    """That is said at once."""
    ctl = Admin(place.path, [block(lite)])
    said = ctl("--mail", "maildir:/etc/ann", "user", "add", "ann")
    assert "ann could not sign in: not below mail_root" in said


def second(place):
    """Another file of SQLite."""
    os.mkdir(place.path + "/second", 0o755)
    return Sqlite(place.path + "/second")


def test_several(place, lite):
    """The first that knows the name; or the one that is named."""
    other = second(place)
    ctl = Admin(place.path, [block(lite), block(other)], file=True)
    ctl("--scheme", "PLAIN", "user", "add", "ann")
    assert "ann" in open(ctl.users, encoding="ascii").read()
    ctl("--database", "db1", "user", "add", "bea")
    assert stored(other, "bea") and not stored(lite, "bea")
    for where in "file", "db0", "db1":
        if where != "file":
            ctl("--database", where, "user", "add", "bea", code=EX_DATAERR)
            ctl("--database", where, "user", "add", "ann", code=EX_DATAERR)
    other.user("ann", "{PLAIN}x")
    ctl("--scheme", "PLAIN", "user", "passwd", "ann", say="2nd")
    assert "{PLAIN}2nd" in open(ctl.users, encoding="ascii").read()
    assert stored(other, "ann") == "{PLAIN}x"
    ctl("--database", "db1", "--scheme", "PLAIN", "user", "passwd", "ann",
        say="3rd")
    assert stored(other, "ann") == "{PLAIN}3rd"
    assert ctl("user", "list").split() == ["ann", "ann", "bea"]
    assert ctl("--database", "db1", "user", "list").split() == ["ann", "bea"]
    assert "no user" in ctl("--database", "db0", "user", "passwd", "ann",
                            code=EX_NOUSER)
    ctl("user", "delete", "ann")
    assert stored(other, "ann")
    ctl("user", "delete", "ann")
    assert not stored(other, "ann")
    assert "no block" in ctl("--database", "db7", "user", "list",
                             code=EX_CONFIG)


def test_who_only_verifies(place, lite):
    """Is not asked whom it knows, which is said where that matters."""
    machine = '{ driver = "system" }\n'
    ctl = Admin(place.path, [machine, block(lite)])
    for what in "add", "passwd", "delete":
        assert 'users "db0" was not asked for ann' in \
            ctl("user", what, "ann")
    assert "only verifies" in ctl("--database", "db0", "user", "passwd",
                                  "root", code=EX_CONFIG)
    assert "cannot be done" in ctl("--database", "db0", "user", "list",
                                   code=EX_CONFIG)
    alone = Admin(place.path, [machine])
    said = alone("user", "passwd", "root", code=EX_NOUSER)
    assert 'users "db0" was not asked for root' in said
    assert "cannot be done" in alone("user", "add", "ann", code=EX_CONFIG)


def test_who_cannot_be_listed(place, lite):
    """Does not keep the others back, and is no success."""
    other = second(place)
    lite.user("ann", "x")
    other.user("bea", "x")
    lite.user("not a name", "x")
    ctl = Admin(place.path, [block(lite), other.block()])
    said = ctl("user", "list", code=EX_CONFIG)
    assert said.startswith("ann\n") and "1 rows are no names" in said
    assert 'users "db1" has no list_query' in said and "bea" not in said


def test_what_lists_changes_nothing(place, db):
    """A query that was put into the wrong setting."""
    db.user("ann", "{PLAIN}x")
    more = admin(db) if db.driver == "mysql" else ""
    ctl = Admin(place.path, [db.block(
        more='list_query = "DELETE FROM users"\n' + more)])
    ctl("user", "list", code=EX_CONFIG)
    assert stored(db, "ann")


def test_two_columns_are_a_name(place, lite):
    """As Dovecot's iterate_query may give it."""
    lite.user("ann", "x", "", "1")
    ctl = Admin(place.path, [lite.block(
        more="list_query = \"SELECT name AS username, 'd.org' AS domain "
             "FROM users\"\n")])
    assert ctl("user", "list") == "ann@d.org\n"
    ctl = Admin(place.path, [lite.block(
        more='list_query = "SELECT * FROM users"\n')])
    assert "one column" in ctl("user", "list", code=EX_CONFIG)


@pytest.mark.parametrize("how", ["kill", "hang"])
@pytest.mark.parametrize("name", [*SERVERS, LDAP])
def test_it_does_not_answer(place, request, name, how):
    """In bounded time, and before somebody types a password."""
    far = request.getfixturevalue(name)
    far.user("ann", "{PLAIN}x")
    ctl = Admin(place.path, [block(far, more="timeout = 1\n")])
    getattr(far, how)()
    for words in (["list"], ["passwd", "ann"]):
        said = ctl("user", *words, code=EX_TEMPFAIL)
        assert 'users "db0": ' in said
    if how == "hang":
        far.go_on()
    else:
        far.start()


@pytest.mark.slow  # for as long as it is waited for
def test_a_process_that_hangs(place, lite):
    """Whatever it waits for, a FIFO here, it is ended."""
    more = "timeout = 1\n"
    ctl = Admin(place.path, [block(lite, more=more)])
    os.remove(lite.file)
    os.mkfifo(lite.file, 0o644)
    assert "did not answer" in ctl("user", "list", code=EX_TEMPFAIL)


def test_app_passwords_go_too(place, lite):
    lite.user("ann", "{PLAIN}x", box_of(place))
    ctl = Admin(place.path, [block(lite)])
    ctl("app-password", "add", "ann", "--label", "phone")
    assert "phone" in ctl("app-password", "list", "ann")
    ctl("user", "delete", "ann")
    assert "phone" not in ctl("app-password", "list")


@pytest.mark.slow
def test_manual(place, pg):
    """The block of the manual as it stands there, and that of doc/users.md."""
    shown = example("accounts")[1]
    with open(TOP + "/doc/users.md", encoding="utf-8") as f:
        page = re.search(r'^users "accounts" (\{.*?^\})$', f.read(),
                         re.M | re.S).group(1)
    for written in shown, page + "\n":
        written = re.sub('(admin_)?connection = ".*"', lambda m:
                         '%sconnection = "%s"' % (m[1] or "", pg.connection),
                         written)
        ctl = Admin(place.path, [written])
        ctl("user", "add", "ann")
        ctl("user", "passwd", "ann")
        assert ctl("user", "list") == "ann\n"
        ctl("user", "delete", "ann")


@pytest.mark.skipif(os.geteuid() != 0, reason="the file is somebody else's")
def test_a_file_is_written_to_as_its_owner(place, lite):
    """Who may, may; and what lies beside its folder is out of reach."""
    folder = place.path + "/panel"
    os.mkdir(folder, 0o755)
    os.chown(folder, 12345, 12345)
    shutil.copyfile(lite.file, folder + "/users.sqlite")
    lite.file = folder + "/users.sqlite"
    os.chmod(lite.file, 0o644)
    os.chown(lite.file, 12345, 12345)
    ctl = Admin(place.path, [block(lite)])
    ctl("user", "add", "ann")
    assert os.stat(lite.file).st_uid == 12345
    os.chmod(lite.file, 0o444)
    os.chown(folder, 0, 0)
    before = stored(lite, "ann")
    assert "owner of the file, uid 12345" in ctl("user", "passwd", "ann",
                                                 code=EX_CONFIG)
    assert stored(lite, "ann") == before


def confined(asking):
    """The process that asks for it, as soon as it is confined: what the kernel
    says of it."""
    def look():
        for pid, words in children(asking.pid).items():
            if "db_once" not in " ".join(words):
                continue
            with contextlib.suppress(OSError, ValueError), \
                    open("/proc/%d/status" % pid, encoding="ascii") as f:
                told = dict(line.split(":\t", 1) for line in f)
                if told["Seccomp"].strip() == "2":
                    return {k: v.split() for k, v in told.items()}
        return None
    return wait_until(look)


def begin(ctl, *words):
    return subprocess.Popen(
        [CTL, "--config", ctl.conf, *words], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=end_with_us)


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody becomes another")
def test_who_asks_is_confined(place, lite):
    """As in the server: it waits for a FIFO here, which root made."""
    ctl = Admin(place.path, [block(lite, more="timeout = 60\n")])
    os.remove(lite.file)
    os.mkfifo(lite.file, 0o644)
    with begin(ctl, "user", "list") as asking:
        told = confined(asking)
        asking.kill()
    assert told["Uid"] == [str(NOBODY)] * 4 and told["NoNewPrivs"] == ["1"]
    for of in "CapEff", "CapPrm", "CapInh":
        assert int(told[of][0], 16) == 0
    # It ends with who asked, when it has nothing to wait for any more.
    with open(lite.file, "wb"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="the file is somebody else's")
def test_who_writes_is_confined(place, lite):
    """As the owner of the file; and it waits for somebody else who writes."""
    lite.user("ann", "{PLAIN}x")
    for path in place.path, lite.file:
        os.chown(path, 12345, 12345)
    ctl = Admin(place.path, [block(lite, more="timeout = 60\n")])
    other = sqlite3.connect(lite.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with begin(ctl, "--scheme", "PLAIN", "user", "passwd", "ann") as asking:
        asking.stdin.write("new\n")
        asking.stdin.flush()
        told = wait_until(lambda: (lambda t: t["Uid"][0] == "12345" and t)(
            confined(asking)))
        other.execute("COMMIT")
        said = asking.communicate(timeout=60 * PATIENCE)
    other.close()
    assert asking.returncode == 0, said
    assert told["Uid"] == ["12345"] * 4 and told["NoNewPrivs"] == ["1"]
    assert int(told["CapEff"][0], 16) == 0
    assert stored(lite, "ann") == "{PLAIN}new"


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody becomes another")
def test_it_is_asked_as_db_user(place, lite):
    """As the server would: root could read what that cannot."""
    ctl = Admin(place.path, [block(lite)])
    os.chmod(lite.file, 0o600)
    os.chown(lite.file, 12345, 12345)
    ctl("user", "list", code=EX_TEMPFAIL)
    ctl = Admin(place.path, [block(lite)], 'db_user = "_nobody-has-it"\n')
    with open(ctl.conf, encoding="ascii") as f:
        text = f.read().replace('db_user = "%d"\n' % NOBODY, "", 1)
    with open(ctl.conf, "w", encoding="ascii") as f:
        f.write(text)
    assert "db_user" in ctl("user", "list", code=EX_CONFIG)


def memory(pid):
    """What a process can write to, piece by piece."""
    with open("/proc/%d/maps" % pid, encoding="ascii") as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if rights[1] != "w" or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            mem.seek(begin)
            with contextlib.suppress(OSError):
                yield mem.read(end - begin)


@pytest.mark.skipif(os.geteuid() != 0, reason="reads memory")
@pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                    reason="a sanitizer has too much of it")
@pytest.mark.slow
def test_the_server_does_not_know_how_to_write(place, serve, my):
    """Who breaks into a process that asks finds no account that may write."""
    site = Site(place, serve, [block(my)])
    site.server.ctl("user", "show", "ann", code=EX_NOUSER)
    known = b"port=%d user=malote" % my.port
    seen = {role: [piece for pid in site.server.roles(role)
                   for piece in memory(pid)]
            for role in ("worker", "auth", "store", "db")}
    assert all(seen.values())
    assert any(known in piece for piece in seen["db"])
    assert not any(BOSS.encode() in piece
                   for pieces in seen.values() for piece in pieces)
