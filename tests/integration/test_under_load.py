"""What is asked is slow, or lies, while many sign in, and is then as ever: PAM, the
machine's users, a program, databases.  That they die and hang meanwhile is in
test_verified_again.py and test_databases_attacked.py.
"""
import os

import pytest

import accounts
import between
from server import PATIENCE, kill
from test_databases import (LDAP, SERVERS, Site, await_accepted,  # noqa: F401
                            box_of, cluster, crowd, directory, every, far,
                            farm, ldap, lite, my, pg, put_some)
from test_databases_attacked import COSTLY
from test_verified import (PAM, SYSTEM, TEMPORARY, UID, WHY_NOT,  # noqa: F401
                           WRONG, add, hanging, machine, pids_in, program,
                           start, trick)

pytestmark = [pytest.mark.ours, pytest.mark.slow]
of_machine = pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)
NOT_HERE = b"-ERR [SYS/PERM]"
SOME = 10  # who have been told something when all is changed
# No answer is late, and no program is begun too slowly.
PATIENT = "connections = 4 timeout = %d " % (20 * PATIENCE)
AGAIN = "max_questions_per_process = 100 "
MANY = "max_sessions_per_user = 1000\n"


def meanwhile(site, n, change):
    """What n of ann's were told, in its order; change() when some of them were."""
    for told in crowd(site.server.port, n, b"ann"):
        if change is not None and (isinstance(told, list) or told >= SOME):
            change()
            change = None
    return told


def goes_through(site, connect, n, spoil, mend, said):
    """spoil() makes it say what is no +OK, mend() makes all as it was."""
    def spoils():
        spoil()
        site.accepts(connect, "file")

    def mends():
        site.accepts(connect, "file")
        assert not site.refusal(connect, "ann", "wrong").startswith(b"+OK")
        mend()
    first = meanwhile(site, n, spoils)
    second = meanwhile(site, n, mends)
    assert [line for line in first if line.startswith(b"+OK")][SOME - 1:]
    for line in first + second:
        assert line.startswith((b"+OK", said)), line
    assert not [line for line in second[:SOME] if line.startswith(b"+OK")]
    as_ever(site, connect, n)


def as_ever(site, connect, n):
    await_accepted(site, connect, "ann")
    for line in meanwhile(site, n, None):
        assert line.startswith(b"+OK"), line
    assert site.refusal(connect, "ann", "wrong").startswith(b"-ERR [AUTH]")


def is_only_slow(site, connect, n, spoil, mend):
    """Who waits waits for an answer, and nobody else does."""
    def spoils():
        spoil()
        site.accepts(connect, "file")
    told = meanwhile(site, n, spoils)
    told += meanwhile(site, n, lambda: site.accepts(connect, "file"))
    assert not [line for line in told if not line.startswith(b"+OK")]
    assert site.refusal(connect, "ann", "wrong").startswith(b"-ERR [AUTH]")
    mend()
    as_ever(site, connect, n)
    assert not site.server.events("lookup-failed")


# ---- PAM ----

def module(machine, trick, what):  # noqa: F811
    """Changes to a service with it, and back."""
    return (lambda: machine.service(
        "auth required pam_unix.so\nauth required %s %s\n"
        "account required pam_unix.so\n" % (trick, what)),
            lambda: machine.service(accounts.UNIX))


# A code that there is not is for libpam one that refuses: nobody else hears of it.
@of_machine
@pytest.mark.parametrize("more", ["", AGAIN], ids=["once", "again"])
@pytest.mark.parametrize("what", ["rename", "say", "shut", "exit", "crash",
                                  "code"])
def test_module_lies(start, connect, machine, place, trick,  # noqa: F811
                     what, more):
    add(machine, place, "bob", UID + 1)
    site = start(PAM % (PATIENT + more), config=MANY)
    goes_through(site, connect, 60, *module(machine, trick, what),
                 WRONG if what == "code" else TEMPORARY)


@of_machine
@pytest.mark.parametrize("more", ["", AGAIN], ids=["once", "again"])
def test_module_is_slow(start, connect, machine, trick, more):  # noqa: F811
    site = start(PAM % (PATIENT + more), config=MANY)
    is_only_slow(site, connect, 60, *module(machine, trick, "slow"))


# ---- the machine's users ----

def ann(machine, place, **more):  # noqa: F811
    machine.add("ann", **{"uid": UID, "home": place.path + "/home/ann",
                          **more})


@of_machine
@pytest.mark.parametrize("more, said", [
    ({"uid": 0}, WRONG), ({"uid": UID + 7}, TEMPORARY),
    ({"home": "/etc"}, NOT_HERE), ({"home": "x" * 20000}, TEMPORARY),
    ({"stored": "$6$rounds=nonsense"}, WRONG)],
    ids=["root", "somebody", "home", "long", "hash"])
def test_list_of_users_lies(start, connect, machine, place,  # noqa: F811
                            more, said):
    site = start(SYSTEM % PATIENT, config=MANY)
    goes_through(site, connect, 60, lambda: ann(machine, place, **more),
                 lambda: ann(machine, place), said)


@of_machine
@pytest.mark.parametrize("what", ["gone", "folder", "hangs", "dies"])
def test_list_of_passwords(start, connect, machine, place,  # noqa: F811
                           what):
    """It is none for a while, or nobody is there who reads it."""
    site = start(SYSTEM % ("connections = 4 timeout = %d" % (2 * PATIENCE)),
                 config=MANY)
    shadow = machine.etc + "/shadow"

    def spoil():
        if what == "dies":
            kill(site.server.roles("pam")[0])
        os.rename(shadow, shadow + "-")
        if what == "folder":
            os.mkdir(shadow)
        elif what == "hangs":
            os.mkfifo(shadow)

    def mend():
        if what == "folder":
            os.rmdir(shadow)
        os.rename(shadow + "-", shadow)
    goes_through(site, connect, 40, spoil, mend, TEMPORARY)


@of_machine
def test_list_of_passwords_is_slow(start, connect, machine,  # noqa: F811
                                   place):
    """By a hash that takes long."""
    site = start(SYSTEM % PATIENT, config=MANY)
    is_only_slow(site, connect, 40,
                 lambda: ann(machine, place, stored=COSTLY),
                 lambda: ann(machine, place))


# ---- a program ----

@of_machine
@pytest.mark.parametrize("first, last, said", [
    ("sys.exit(2)", "", TEMPORARY),
    ("sys.exit(111)", "", TEMPORARY),
    ("sys.exit(0)", "", TEMPORARY),
    ("[os.write(n, b'+OK rubbish\\n' * 99) for n in (1, 2, 4)]\nsys.exit(0)",
     "", TEMPORARY),
    ("", "os.closerange(0, 64)", TEMPORARY),
    ("", "os.environ['USER'] = 'bob'", TEMPORARY),
    ("", "sys.argv[1:] = ['/bin/true']", TEMPORARY),
    ("uid = 0", "", NOT_HERE),
    ("", "os.environ['HOME'] = '/etc'", NOT_HERE),
], ids=["code", "later", "nothing", "rubbish", "closed", "name", "another",
        "root", "home"])
def test_program_lies(start, connect, program, first, last,  # noqa: F811
                      said):
    site = start(program(more=PATIENT), config=MANY)
    goes_through(site, connect, 40, lambda: program(first, last), program,
                 said)


@of_machine
def test_program_reads_nothing(start, connect, program, place):  # noqa: F811
    """And lets everybody in, as it thinks."""
    # For the same interpreter: the one of another program may have been begun.
    def spoil():
        with open(place.path + "/none", "w", encoding="ascii") as f:
            f.write("#!/usr/bin/python3\n")
        os.chmod(f.name, 0o755)
        os.rename(f.name, place.path + "/check")
    site = start(program(more=PATIENT), config=MANY)
    goes_through(site, connect, 40, spoil, program, TEMPORARY)


@of_machine
@pytest.mark.parametrize("first", [
    "os.abort()", "import time\nos.closerange(0, 64)\ntime.sleep(1000)"],
    ids=["dies", "hangs"])
def test_program_is_lost(start, connect, program, first):  # noqa: F811
    site = start(program(more="connections = 4 timeout = %d" % (3 * PATIENCE)),
                 config=MANY)
    goes_through(site, connect, 20, lambda: program(first),
                 program, TEMPORARY)


@of_machine
def test_program_is_slow(start, connect, program):  # noqa: F811
    site = start(program(more=PATIENT), config=MANY)
    is_only_slow(site, connect, 40, lambda: program(
        "import time\ntime.sleep(0.1)"), program)


# ---- databases ----

EITHER = "SELECT password, uid, gid, mail FROM users WHERE $1 IN (name, home)"


def column(db, name, value):
    """Of ann, in a database of either kind.  None: nothing is there."""
    if db.driver != "ldap":
        db.sql("UPDATE users SET %s = %s WHERE name = 'ann'" % (
            name, "NULL" if value is None else "'%s'" % value))
        return
    name, = [pair.split("=")[0] for pair in db.attributes.split()
             if pair.endswith("=" + name)]
    db.modify("dn: uid=ann,ou=people,dc=example,dc=org\nchangetype: modify\n"
              "replace: %s\n%s" % (name, "" if value is None else
                                   "%s: %s\n" % (name, value)))


def second_row(db, box):
    """Of the same name, with another password."""
    if db.driver == "ldap":
        db.user("ann", "{PLAIN}other", box, dn="cn")
    else:
        db.user("zoe", "{PLAIN}other", box)
        db.sql("UPDATE users SET home = 'ann' WHERE name = 'zoe'")


def no_second_row(db):
    if db.driver == "ldap":
        db.modify("dn: cn=ann,ou=people,dc=example,dc=org\n"
                  "changetype: delete\n")
    else:
        db.sql("DELETE FROM users WHERE name = 'zoe'")


@pytest.mark.parametrize("what, said", [
    ("root", NOT_HERE), ("path", NOT_HERE), ("rows", TEMPORARY),
    ("half", TEMPORARY), ("hash", WRONG)],
    ids=["root", "path", "rows", "half", "hash"])
def test_database_lies(place, serve, connect, every, what, said):
    box = box_of(place)
    put_some(every, box)
    query = {} if every.driver == "ldap" else {"query": EITHER}
    site = Site(place, serve, [every.block(more=PATIENT, **query)], MANY)
    owner = os.stat(box)
    for name, id in (("uid", owner.st_uid), ("gid", owner.st_gid)):
        column(every, name, id)

    def put(name, value):
        column(every, name, value)
    changes = {
        "root": (lambda: put("uid", 0), lambda: put("uid", owner.st_uid)),
        "path": (lambda: put("mail", "maildir:/etc"),
                 lambda: put("mail", "maildir:" + box)),
        "rows": (lambda: second_row(every, box),
                 lambda: no_second_row(every)),
        "half": (lambda: put("gid", None), lambda: put("gid", owner.st_gid)),
        "hash": (lambda: put("password", "{NOSUCH}x"),
                 lambda: put("password", "{PLAIN}secret")),
    }
    goes_through(site, connect, 100, *changes[what], said)


def test_database_is_slow(place, serve, connect, far):
    put_some(far, box_of(place))
    with between.Between("127.0.0.1", far.port) as way:
        site = Site(place, serve, [far.block(
            connection=far.connection.replace(str(far.port), str(way.port)),
            more=PATIENT)], MANY)
        is_only_slow(site, connect, 100,
                     lambda: setattr(way, "mode", "late"),
                     lambda: setattr(way, "mode", "pass"))


def test_file_is_slow(place, serve, connect, lite):  # noqa: F811
    """By what has to be counted for each row."""
    put_some(lite, box_of(place))
    lite.sql("CREATE TABLE n (n int)")
    site = Site(place, serve, [lite.block(
        "SELECT password, mail FROM users WHERE name = $1 AND 0 <= "
        "(SELECT sum(a.n + b.n + c.n) IS NULL FROM n a, n b, n c)", PATIENT)],
        MANY)
    is_only_slow(
        site, connect, 100, lambda: lite.sql(
            "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t "
            "WHERE n < 100) INSERT INTO n SELECT n FROM t"),
        lambda: lite.sql("DELETE FROM n"))
