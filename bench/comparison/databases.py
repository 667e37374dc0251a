"""Sign-ins of users who are in a database: what asking costs beside Dovecot, which
asks the same database the same thing.

The processor time is that of the servers; what the database itself takes is
measured beside it, as it is not ours.  Dovecot asks once for a sign-in, too
(`userdb prefetch`).  Each class here is a kind of database: where the users are
put, and what either server is told of it.

PAM is none, but asked like one: either server has a process that does, whose
time is the server's own."""
import os
import shutil
import sqlite3

import accounts
import mail
import mariadb
import postgres
import slapd
from group import Group
from rows import Goal, Load
from sign_ins import BOXES, MALOTED, ssha256
from target import Target, address

FIRST = 300032  # a multiple of BOXES
KINDS = ("maloted", "tuned")
QUERY = "SELECT password, uid, gid, mail FROM users WHERE name = $1"
# As a userdb that is called prefetch has them.
PREFETCHED = ("SELECT password, uid AS userdb_uid, gid AS userdb_gid, "
              "mail AS userdb_mail FROM users WHERE name = '%u'")
DOVECOT = """
passdb {
  driver = %(driver)s
  args = %(file)s
}
userdb {
  driver = prefetch
}
"""


# crypt(3) of "secret", by its cheapest scheme.
DES = "mai1oZeIpOJQs"


class Source:
    """What most have in common."""
    group = None  # of the database's own processes
    more = ""  # settings of maloted
    wrap = ()  # what either server is started by
    scheme = "{SSHA256}"

    def passdb(self, file):
        return DOVECOT % {"driver": self.dovecot, "file": file}


class Sqlite(Source):
    title, dovecot = "SQLite", "sql"

    def __init__(self, where, rows):
        self.file = where + "/users.sqlite"
        with sqlite3.connect(self.file) as db:
            db.execute(postgres.TABLE)
            db.executemany("INSERT INTO users VALUES (?, ?, ?, ?, NULL, ?)",
                           rows)
        db.close()
        os.chmod(self.file, 0o644)

    def block(self):
        return 'driver = "sqlite" file = "%s" query = "%s"' % (
            self.file, QUERY)

    def words(self):
        return "driver = sqlite\nconnect = %s\npassword_query = %s\n" % (
            self.file, PREFETCHED)

    def close(self):
        os.remove(self.file)


class Served(Source):
    """A server with a table, made anew."""
    dovecot = "sql"

    def __init__(self, where, rows):
        self.db = self.make()
        for at in range(0, len(rows), 256):  # a word of a command line is short
            self.db.sql("INSERT INTO users VALUES " + ", ".join(
                "('%s', '%s', %d, %d, NULL, '%s')" % row
                for row in rows[at:at + 256]))
        self.db.sql(self.count)
        self.group = Group()
        self.group.take(self.db.process.pid)
        self.group.pid = self.db.process.pid

    def block(self):
        return 'driver = "%s" connection = "%s" query = "%s"' % (
            self.driver, self.db.connection.replace("\\", "\\\\"), QUERY)

    def words(self):
        return "driver = %s\nconnect = %s\npassword_query = %s\n" % (
            self.theirs, self.connect(), PREFETCHED)

    def close(self):
        self.db.close()
        self.group.remove()


class Postgresql(Served):
    title, driver, theirs = "PostgreSQL", "postgresql", "pgsql"
    make, count = postgres.Postgres, "ANALYZE users"

    def connect(self):
        return self.db.connection


class Mysql(Served):
    title, driver, theirs = "MariaDB", "mysql", "mysql"
    make, count = mariadb.Mariadb, "ANALYZE TABLE users"

    def connect(self):
        """Dovecot has no quotes there."""
        return ("host=127.0.0.1 port=%d user=malote password=it's dbname=mail"
                % self.db.port)


class Ldap(Source):
    title, dovecot = "LDAP", "ldap"
    attributes = (("userPassword", "password"), ("description", "mail"),
                  ("employeeNumber", "uid"), ("employeeType", "gid"))

    def __init__(self, where, rows):
        self.db = slapd.Slapd()
        self.db.modify("\n".join(
            "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: x\n"
            "sn: x\nuserPassword: %s\nemployeeNumber: %d\nemployeeType: %d\n"
            "description: %s\n" % (name, slapd.PEOPLE, name, *more)
            for name, *more in rows), "-a")
        self.group = Group()
        self.group.take(self.db.process.pid)
        self.group.pid = self.db.process.pid

    def block(self):
        return ('driver = "ldap" connection = "%s" query = "(uid=$1)" '
                'attributes = "%s"' % (
                    self.db.connection.replace("\\", "\\\\"),
                    " ".join("%s=%s" % pair for pair in self.attributes)))

    def words(self):
        return ("uris = ldap://127.0.0.1:%d\ndn = %s\ndnpass = it's\n"
                "base = %s\npass_filter = (uid=%%u)\npass_attrs = %s\n" % (
                    self.db.port, slapd.READER, slapd.PEOPLE, ",".join(
                        "%s=%s%s" % (a, "userdb_" * (c != "password"), c)
                        for a, c in self.attributes)))

    def close(self):
        self.db.close()
        self.group.remove()


class Pam(Source):
    """Users of a machine (pam_unix), in a mount namespace; both ask for the
    password, the account, and what passwd(5) says."""
    title, scheme = "PAM", "{DES-CRYPT}"
    more = 'mail = "maildir:~"\n'

    def __init__(self, where, rows):
        self.folder = where + "/machine"
        machine = accounts.Accounts(self.folder)
        for name, _, uid, gid, box in rows:
            machine.add(name, uid=uid, gid=gid, stored=DES,
                        home=box.removeprefix("maildir:"))
        self.wrap = machine.wrap()

    def block(self):
        return 'driver = "pam" service = "malote"'

    def passdb(self, file):
        return ("mail_location = maildir:~\n"
                "passdb {\n  driver = pam\n  args = malote\n}\n"
                "userdb {\n  driver = passwd\n}\n")

    def words(self):
        return ""

    def close(self):
        shutil.rmtree(self.folder)


class PamAgain(Pam):
    """As many questions for a process as Dovecot's have by default."""
    title = "PAM, 100 questions a process"

    def block(self):
        return super().block() + " max_questions_per_process = 100"


def known(first, users, box):
    """(name, password, uid, gid, mail) of each."""
    owner = os.stat(box(first))
    password = ssha256()
    for n in users.numbers():
        yield (address(n), password, owner.st_uid, owner.st_gid,
               "maildir:" + box(first + n % BOXES))


def start(kind, source, target, first, where):
    config = where + "/database.conf"
    words = "%s/database.%s" % (where, kind)
    with open(config, "w", encoding="ascii") as f:
        if kind == "maloted":
            f.write(MALOTED + source.more
                    + 'users "all" { %s }\n' % source.block())
        else:
            f.write(source.passdb(words))
    with open(words, "w", encoding="ascii") as f:
        f.write(source.words())
    return Target(kind, target.boxes, [first], where, config,
                  wrap=source.wrap)


class Asked(Load):
    """With what the database itself takes."""
    def __init__(self, source, *words, **options):
        super().__init__(*words, **options)
        self.source, self.database = source, {}

    def value(self, target):
        group = self.source.group
        before = group.settled() if group else 0
        value = super().value(target)
        if group:
            self.database.setdefault(target.kind, []).append(
                (group.settled() - before) * 1e6
                / self.said[target.kind][-1]["sessions"])
        return value


def of_one(o, make, targets, sizes, where):
    """A row, of as many rounds as all others.  The maildrops are maloted's: they
    are not written to."""
    first = sizes.holders.first
    users = mail.Users(FIRST, 128 if o.quick else 1024, 1)
    source = make(where, list(known(first, users, targets["maloted"].box)))
    row = Asked(source, "sign-in by PLAIN, %s; %d users in %s, 8 at a time" % (
                source.scheme, users.count, source.title), "µs", Goal(0.5, "tuned"),
                steps="plain quit", users=users, c=8,
                n=150 if o.quick else 4000)
    running = []
    try:
        for kind in KINDS:
            if kind in targets:
                running.append(start(kind, source, targets["maloted"], first,
                                     where))
                running[-1].load(row.steps, row.users, 8, 2 * BOXES)
        for nth in range(o.rounds):
            for target in running[::-1] if nth % 2 else running:
                row.measure(target)
    finally:
        for target in running:
            target.stop()
        source.close()
    return row


def sources():
    """Those whose servers are installed, and Dovecot's part for them."""
    there = "/usr/lib/dovecot/modules/auth/lib%s.so"
    return [make for make, part, installed in (
        (Sqlite, "driver_sqlite", True),
        (Postgresql, "driver_pgsql", postgres.INSTALLED),
        (Mysql, "driver_mysql", mariadb.INSTALLED),
        (Ldap, "authdb_ldap", slapd.INSTALLED),
        (Pam, "", not accounts.can_run()),
        (PamAgain, "", not accounts.can_run()))
        if installed and (not part or os.path.exists(there % part))]


def measure(o, targets, sizes, where, progress):
    """With --quick that which needs no server only."""
    out = []
    for make in sources()[:1 if o.quick else None]:
        progress("sign-ins: " + make.title)
        out.append(of_one(o, make, targets, sizes, where))
    return out
