"""maloted --check asks each database, with the real servers: whatever is mistyped
is named, with its line and what to do.
"""
import os
import re
import shutil
import sqlite3
import subprocess
import time

import pytest

import mariadb
import postgres
import slapd
from server import PATIENCE, TOP
from test_databases import (LDAP, QUERY, SERVERS, Ldap, Mariadb,  # noqa: F401
                            Postgres, cluster, directory, farm, ldap, lite,
                            my, pg)

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="owners of mail differ")]
MALOTED = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")
EX_CONFIG = 78
HEAD = """mail = "maildir:%s/mail/%%n"
mail_user = "5000"
mail_group = "5000"
user = "65533"
auth_user = "65532"
db_user = "65534"
listener "a" {
	tls = "none"
	plaintext_login = yes
}
users "db" {
"""
# The lines of a block's settings, behind HEAD.
DRIVER, PLACE, ASKS, END = 12, 13, 14, 15


class Site:
    def __init__(self, path):
        self.path, self.conf = path, path + "/maloted.conf"
        os.mkdir(path + "/mail")
        os.chown(path + "/mail", 5000, 5000)

    def check(self, db, change=("", ""), more="", query=QUERY, where=None):
        """What is said, without the name of the file; change: of where it
        is, in connection or file."""
        place = where or getattr(db, "connection", None) or db.file
        assert change[0] in place
        place = place.replace(*change).replace("\\", "\\\\")
        if db.driver == "ldap":
            query = "(uid=$1)" if query is QUERY else query
            if "attributes" not in more:
                more += 'attributes = "userPassword=password uid=user"\n'
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(HEAD % self.path)
            f.write("driver = \"%s\"\n%s = \"%s\"\nquery = '%s'\n%s}\n" % (
                db.driver, "file" if db.driver == "sqlite" else "connection",
                place, query.replace("'", "\\'"), more))
        os.chmod(self.conf, 0o600)
        done = subprocess.run([MALOTED, "--check", "-c", self.conf],
                              check=False, capture_output=True, text=True,
                              timeout=60 * PATIENCE)
        self.code, self.out = done.returncode, done.stdout
        return done.stderr.replace(self.conf + ":", "")

    def is_wrong(self, line, words, *given, **more):
        said = self.check(*given, **more)
        assert self.code == EX_CONFIG, said
        assert said.startswith('%d: users "db": ' % line) and words in said, \
            said

    def is_warned(self, line, words, *given, **more):
        said = self.check(*given, **more)
        assert self.code == 0 and "maloted can start" in self.out, said
        assert said.startswith('%d: warning: users "db": ' % line) and \
            words in said, said


@pytest.fixture
def site(place):
    return Site(place.path)


@pytest.fixture(params=[pytest.param("lite", id="sqlite"), *SERVERS, LDAP])
def every(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[pytest.param("lite", id="sqlite"), *SERVERS])
def db(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[*SERVERS, LDAP])
def far(request):
    return request.getfixturevalue(request.param)


def test_all_is_well(site, every):
    every.user("ann", "{PLAIN}x")
    assert site.check(every) == ""
    assert site.code == 0 and "all is well" in site.out


@pytest.mark.parametrize("query, words", [
    ("SELECT pasword FROM users WHERE name = $1", "pasword"),
    ("SELECT password FROM accounts WHERE name = $1", "accounts"),
    ("SELEC password FROM users WHERE name = $1", "syntax"),
    ("SELECT home AS crypt FROM users WHERE name = $1",
     "column crypt means nothing: leave it out, or name it by AS"),
    ("SELECT home FROM users WHERE name = $1",
     "query gives no column password"),
    ("SELECT password, home AS quota FROM users WHERE name = $1",
     "column quota means nothing"),
    ("SELECT password, 1 AS malote_host FROM users WHERE name = $1",
     "column malote_host is for the users file"),
    ("SELECT password, 1 AS malote_tsl FROM users WHERE name = $1",
     "there are malote_pop3"),
])
def test_query(site, db, query, words):
    site.is_wrong(ASKS, words, db, query=query)


def test_every_column_that_means_something(site, lite):
    names = ["uid", "gid", "home", "mail", "user", "allow_nets", "nologin",
             "malote_pop3", "malote_tls", "malote_read_only", "malote_master",
             "malote_expire", "malote_login_delay", "userdb_mail"]
    assert site.check(lite, query="SELECT password, %s FROM users WHERE "
                      "name = $1" % ", ".join(
                          "name AS " + name for name in names)) == ""


def test_query_that_finds_anybody(site, db):
    db.user("ann", "{PLAIN}x")
    site.is_warned(ASKS, "finds somebody for a name that nobody has", db,
                   query=QUERY + " OR name = 'ann'")


def test_query_that_changes(site, db):
    """Nothing is, whatever stands there."""
    db.user("ann", "{PLAIN}x")
    where = None
    if db.driver == "mysql":  # whose usual account may write nothing anyway
        db.sql("CREATE OR REPLACE USER boss@localhost IDENTIFIED BY 'x'; "
               "GRANT ALL ON mail.* TO boss@localhost")
        where = "host=%s user=boss password=x dbname=mail" % db.socket
    site.is_wrong(ASKS, "", db, where=where,
                  query="DELETE FROM users WHERE $1 = $1")
    db.sql("INSERT INTO users VALUES ('bea', 'x', 1, 1, '', '')")
    more = 'list_query = "DELETE FROM users"\n' \
        'add_query = "INSERT INTO users (name, password) VALUES ($1, $4)"\n' \
        'passwd_query = "UPDATE users SET password = $4 WHERE $1 = $1"\n' \
        'delete_query = "DELETE FROM users WHERE $1 = $1"\n'
    said = site.check(db, more=more, where=where)
    assert "list_query" in said
    # The primary keys are there still, and no third one is.
    for name in "ann", "bea":
        with pytest.raises((AssertionError, sqlite3.IntegrityError)):
            db.user(name, "x")
    db.user("maloted-check@nobody.invalid", "x")


@pytest.mark.parametrize("setting, query, words", [
    ("list", "SELECT nam FROM users", "nam"),
    ("list", "SELECT * FROM users", "one column"),
    ("add", "INSERT INTO users (name, pasword) VALUES ($1, $4)", "pasword"),
    ("passwd", "UPDATE accounts SET password = $4 WHERE name = $1",
     "accounts"),
    ("delete", "DELETE FROM users WHERE nam = $1", "nam"),
])
def test_queries_of_malotectl(site, lite, setting, query, words):
    """They keep nobody out."""
    site.is_warned(END + 1, words, lite,
                   more='%s_query = "%s"\n' % (setting, query))
    assert setting + "_query" in site.check(
        lite, more='%s_query = "%s"\n' % (setting, query))


@pytest.mark.parametrize("more, words", [
    ('passwd_query = "SELECT password FROM users WHERE name = $1"',
     "what Dovecot calls password_query is query here"),
    ('add_query = "INSERT INTO users (password) VALUES ($4)"',
     "changes nobody in particular"),
    ('delete_query = "DELETE FROM users WHERE name = \'%u\'"',
     "%u is not replaced"),
    ('delete_query = "DELETE FROM users WHERE name = $4 OR $1 = $1"',
     "delete_query has no $4"),
    ('list_query = "SELECT name FROM users WHERE \'$1\' = $1"',
     "within quotes"),
    ('admin_connection = "host=x"', "has no setting admin_connection"),
    ('iterate_query = "SELECT name FROM users"',
     "there is no setting iterate_query; did you mean list_query?"),
])
def test_what_stands_there(site, lite, more, words):
    said = site.check(lite, more=more + "\n")
    assert site.code == EX_CONFIG and words in said, said


@pytest.mark.parametrize("name, meant", [
    ("pgsql", "postgresql"), ("postgres", "postgresql"), ("sqlite3", "sqlite"),
    ("mariadb", "mysql"), ("sql", "one of passwd-file, sqlite")])
def test_driver(site, lite, name, meant):
    lite.driver = name
    assert 'there is no driver "%s"; write %s' % (name, meant) in site.check(
        lite)


def test_users_who_could_not_sign_in(site, db):
    """Some are looked at, where it is known who there is."""
    db.user("ann", "{PLAIN}x")
    db.user("bob", "{NOSUCH}x")
    db.user("cid", "{PLAIN}x", "/etc")
    db.user("dan", "{PLAIN}x", uid=7, gid=7)
    db.user("eva", "*")
    db.user("not a name", "{PLAIN}x")
    said = site.check(db, more='list_query = "SELECT name FROM users"\n')
    assert site.code == 0
    assert sorted(re.findall(r'warning: users "db": (\w+) could not', said)) \
        == ["bob", "cid", "dan"]
    for words in ("unknown password scheme", "not below mail_root",
                  "first_uid"):
        assert words in said
    said = site.check(db, query="SELECT NULL AS password FROM users "
                      "WHERE name = $1",
                      more='list_query = "SELECT name FROM users"\n')
    assert "nobody who was looked at has a password" in said


def test_only_some_are_looked_at(site, lite):
    for n in range(200):
        lite.user("u%03d" % n, "{NOSUCH}x")
    said = site.check(lite, more='list_query = "SELECT name FROM users"\n')
    assert said.count("could not sign in") == 5


@pytest.mark.slow
@pytest.mark.parametrize("change, words", [
    (("dbname=postgres", "dbname=mail"), "dbname= in connection names none"),
    (("user=owner", "user=nix"), "user= in connection names no account"),
    (("sslmode=disable", ""), "have the server speak TLS"),
    (("host=", "hots="), 'invalid connection option "hots"'),
    (("host=127.0.0.1", "service=nix"), "service= in connection must stand"),
])
def test_connection_to_postgresql(site, pg, change, words):
    site.is_wrong(PLACE, words, pg, change)


@pytest.mark.slow
def test_account_of_postgresql(site, pg):
    """Without a password, with a wrong one, without a right, as another."""
    pg.sql("DO $$BEGIN CREATE ROLE malote LOGIN PASSWORD 'x'; "
           "EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    site.is_wrong(ASKS, "let the account of connection read it (GRANT)", pg,
                  ("user=owner", "user=malote"))
    conf = pg.data + "/pg_hba.conf"
    with open(conf, encoding="ascii") as f:
        before = f.read()
    try:
        with open(conf, "w", encoding="ascii") as f:
            f.write("local all owner trust\nlocal all all peer\n"
                    "host all malote 127.0.0.1/32 scram-sha-256\n")
        pg.sql("SELECT pg_reload_conf()")
        pg.kill()
        pg.start()
        for change, words in (
                ("malote", "write password= in connection"),
                ("malote password=y", "user= or password="),
                ("owner", "permit it there, for this account")):
            site.is_wrong(PLACE, words, pg, ("user=owner", "user=" + change))
        local = pg.connection.replace("127.0.0.1", pg.folder)
        site.is_wrong(PLACE, "who asks is db_user: leave user= out", pg,
                      where=local.replace("user=owner", "user=malote"))
        # As doc/users.md has it: no account is named.
        pg.sql("DO $$BEGIN CREATE ROLE nobody LOGIN; "
               "EXCEPTION WHEN duplicate_object THEN NULL; END$$")
        pg.sql("GRANT SELECT ON users TO nobody")
        assert site.check(pg, where=local.replace("user=owner", "")) == ""
    finally:
        with open(conf, "w", encoding="ascii") as f:
            f.write(before)
        pg.kill()
        pg.start()


@pytest.mark.slow
@pytest.mark.parametrize("change, words", [
    (("dbname=mail", "dbname=nix"), "the account has no right there"),
    (("password='it\\'s'", "password=x"), "user= or password= in connection"),
    (("ssl=no", ""), "have the server speak TLS"),
    (("dbname=", "database="), "there is no database; there are host"),
])
def test_connection_to_mysql(site, my, change, words):
    site.is_wrong(PLACE, words, my, change)


@pytest.mark.slow
@pytest.mark.parametrize("change, words", [
    (("password='it\\'s'", "password=x"), "user= is a whole DN"),
    (("tls=no", ""), "have the server speak StartTLS"),
    (("uri=", "uris="), "there is no uris; there are uri"),
])
def test_connection_to_ldap(site, ldap, change, words):
    site.is_wrong(PLACE, words, ldap, change)


@pytest.mark.slow
@pytest.mark.parametrize("query, attributes, words", [
    ("(uid=$1", "userPassword=password", "Bad search filter"),
    ("(|(uid=$1)(objectClass=*))", "userPassword=password", "more than one"),
    ("(uid=$1)", "userPassword=pass", "userPassword=password"),
    ("(uid=$1)", "uid=user,userPassword=password", "a space between two"),
    ("(uid=$1)", "userPassword uid", "attributes: write ATTRIBUTE=COLUMN"),
])
def test_search(site, ldap, query, attributes, words):
    ldap.user("ann", "{PLAIN}x")
    said = site.check(ldap, query=query,
                      more='attributes = "%s"\n' % attributes)
    assert site.code == EX_CONFIG and words in said, said
    assert "base= in connection" in site.check(
        ldap, ("ou=people", "ou=nobody"))


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("query", [
    "(uid=$1)", "uid=$1,ou=people," + slapd.SUFFIX])
def test_directory_that_verifies(site, ldap, monkeypatch, query):
    """It is asked, too, but need give no password."""
    monkeypatch.setattr(ldap, "driver", "ldap-bind")
    assert site.check(ldap, query=query) == ""
    assert site.code == 0
    site.is_wrong(PLACE, "user= or password=", ldap,
                  ("password=", "password=no"), query=query)


def test_who_may_not_read_passwords(site, ldap):
    ldap.user("ann", "{PLAIN}x")
    said = site.check(ldap, where=ldap.connection.split(" user=")[0]
                      + " tls=no", more='list_query = '
                      '"(objectClass=inetOrgPerson)"\n')
    assert "may the account of connection read them?" in said


def test_it_is_not_there(site, far):
    """That may be otherwise when maloted is started."""
    far.kill()
    site.is_warned(PLACE, "does the server run", far)
    far.start()


def test_it_hangs(site, far):
    """In bounded time."""
    far.hang()
    begun = time.monotonic()
    site.is_warned(PLACE, "it does not answer", far, more="timeout = 1\n")
    assert time.monotonic() - begun < 15 * PATIENCE
    far.go_on()


def test_file(site, lite, place):
    """One that db_user cannot read, one that is none, one that is away."""
    os.chmod(lite.file, 0o600)
    os.chown(lite.file, 12345, 12345)
    said = site.check(lite)
    assert "db_user, uid 65534, cannot read" in said
    with open(lite.file, "w", encoding="ascii") as f:
        f.write("no database " * 1000)
    os.chmod(lite.file, 0o644)
    assert "file is not a database" in site.check(lite)
    os.remove(lite.file)
    assert "No such file or directory" in site.check(lite)


@pytest.mark.slow
@pytest.mark.parametrize("of, kind, secure", [
    (postgres, Postgres, False), (mariadb, Mariadb, False),
    (slapd, Ldap, False), (slapd, Ldap, True)],
    ids=["postgresql", "mysql", "ldap", "ldaps"])
def test_certificate(site, certs, of, kind, secure):
    """Of somebody who is not trusted, and of another host."""
    if not of.INSTALLED:
        pytest.skip("needs its server")
    server = kind(certificate=(certs["good"].pem, certs["good"].key))
    try:
        none, ca = {"postgresql": (" sslmode=disable", " sslrootcert="),
                    "mysql": (" ssl=no", " ssl_ca="),
                    "ldap": (" tls=no", " tls_ca=")}[kind.driver]
        plain = server.connection.replace(none, "")
        if secure:
            plain = plain.replace("ldap://127.0.0.1:%d" % server.port,
                                  "ldaps://127.0.0.1:%d" % server.tls_port)
        shutil.copyfile(certs.ca, site.path + "/ca.pem")
        os.chmod(site.path + "/ca.pem", 0o644)
        site.is_wrong(PLACE, ca.strip(), server, where=plain)
        trusted = plain + ca + site.path + "/ca.pem"
        assert site.check(server, where=trusted) == ""
        server.kill()
        server.take((certs["wrong-name"].pem, certs["wrong-name"].key))
        server.start()
        site.is_wrong(PLACE, "must be of the host that connection names",
                      server, where=trusted)
    finally:
        server.close()
