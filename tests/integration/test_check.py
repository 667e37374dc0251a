"""maloted --check: what would keep people from their mail is said beforehand."""
import contextlib
import os
import re
import sqlite3
import subprocess
import tempfile

import pytest

from server import TOP

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="owners of mail differ")]
BINARY = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")
CTL = os.path.join(os.path.dirname(BINARY), "malotectl")
EX_CONFIG = 78
OWNER = 5000


class Site:
    """A mail root of a mail user, a configuration and a users file."""

    def __init__(self, path):
        self.path = path
        self.mail = path + "/mail"
        os.makedirs(self.mail)
        os.chmod(path, 0o700)  # the way to the mail is no matter
        self.own("")
        self.settings = {
            "mail": "maildir:%s/%%d/%%n" % self.mail, "users": path + "/users",
            "mail_user": str(OWNER), "mail_group": str(OWNER),
            "user": "65533", "auth_user": "65532"}

    def own(self, folder, owner=OWNER):
        os.chown(os.path.join(self.mail, folder), owner, owner)

    def make(self, folder):
        os.makedirs(os.path.join(self.mail, folder))
        while folder:
            self.own(folder)
            folder = os.path.dirname(folder)

    def check(self, users, **settings):
        self.write(users, **settings)
        return self.look()

    def write(self, users, **settings):
        with open(self.path + "/users", "w") as f:
            f.write(users)
        os.chmod(self.path + "/users", 0o600)
        with open(self.path + "/maloted.conf", "w") as f:
            for name, value in {**self.settings, **settings}.items():
                f.write('%s = "%s"\n' % (name, value))
            f.write('listener "a" {\n\ttls = "none"\n'
                    '\tplaintext_login = yes\n}\n')

    def look(self, journal=False):
        """Standard error may be what systemd says that the journal is."""
        with tempfile.TemporaryFile("w+") as said:
            st = os.fstat(said.fileno())
            stream = "%d:%d" % (st.st_dev, st.st_ino) if journal else ""
            done = subprocess.run(
                [BINARY, "--check", "-c", self.path + "/maloted.conf"],
                stdout=subprocess.PIPE, stderr=said, text=True, timeout=20,
                env={**os.environ, "JOURNAL_STREAM": stream})
            said.seek(0)
            self.said = said.read().replace(self.path, "D").splitlines()
        self.out = done.stdout
        return done.returncode


@pytest.fixture
def site(tmp_path):
    return Site(str(tmp_path))


def test_all_is_well(site):
    site.make("example.org/ana/cur")
    assert site.check("ana@example.org:{PLAIN}x\nbob@new.org:{PLAIN}x\n") == 0
    assert site.said == []
    assert "all is well" in site.out
    assert "users who can sign in: 2" in site.out


def test_lines_of_the_users_file(site):
    """Each is named; those who can sign in still can."""
    assert site.check("good@a:{PLAIN}x\nssha@a:{SSHA512}abc\n"
                      "bad name@a:{PLAIN}x\nhalf@a:{PLAIN}x:vmail:vmail\n"
                      "no@a:{PLAIN}x::::::nopassword=y\n"
                      "locked@a:*\n") == 0
    assert [x.split(": warning: ")[0] for x in site.said] == [
        "D/users:%d" % n for n in (2, 3, 4, 5)]
    assert "users who can sign in: 1" in site.out


@pytest.mark.parametrize("line", [
    "good@a:{PLAIN}y", "GOOD@A:{PLAIN}y", "good%a:{PLAIN}y",
    "go\N{SOFT HYPHEN}od@a:*", "\N{FULLWIDTH LATIN SMALL LETTER G}ood@a:*"])
def test_a_user_twice(site, line):
    """However the name is written, it is an error, with its line."""
    site.settings["login_separators"] = "%"
    assert site.check("good@a:{PLAIN}x\nb@a:{PLAIN}x\n" + line + "\n") \
        == EX_CONFIG
    assert [x for x in site.said if x.startswith("D/users:")] == [
        "D/users:3: the user good@a stands on line 1 already, which counts: "
        "take one of the two out"]


@pytest.mark.parametrize("name", [
    "o'brien@b", "a@b@c", ".a@b", "x..y@b", "a/b@c", "\ue000@b", "a\u3000@b",
    "\xad", "a\uff20b@c"])
def test_a_name_is_refused_alike(site, name):
    """malotectl says what is said of the line."""
    assert site.check(name + ":{PLAIN}x\nbob@b:{PLAIN}x\n") == 0
    said = site.said[0].split("this is no user name: ")
    done = subprocess.run(
        [CTL, "-c", site.path + "/maloted.conf", "user", "add", name],
        input="x\n", capture_output=True, text=True, timeout=20)
    assert said == ["D/users:1: warning: ",
                    done.stderr.removeprefix("malotectl: ").rstrip("\n")]


@pytest.mark.parametrize("setting, value, says", [
    ("login_characters", "'/", "character /:"),
    ("login_characters", "a", "character a:"),
    ("login_characters", "\xe9", "\\xc3"),
    ("login_separators", "%.", "character .:")])
def test_odd_marks(site, setting, value, says):
    assert site.check("bob@b:{PLAIN}x\n", **{setting: value}) == EX_CONFIG
    assert setting + " cannot have the " in site.said[0]
    assert says in site.said[0]


@pytest.mark.parametrize("setting", ["login_characters", "login_separators"])
def test_a_mark_of_two_meanings(site, setting):
    """bob!b@b could be made, and would be b@b asking for bob at sign-in."""
    marks = {setting: "%!", "master_separator": "!"}
    assert site.check("bob!b@b:{PLAIN}x\n", **marks) == EX_CONFIG
    assert 'master_separator = "!" is one of %s' % setting in site.said[0]


@pytest.mark.parametrize("line, says", [
    ("ana:{PLAIN}x", "no default_domain"),
    ("ana@a:{PLAIN}x:::::: userdb_mail=maildir:~/Maildir", "no home"),
    ("ana@a:{PLAIN}x:::::: userdb_mail=maildir:/elsewhere/x", "mail_root"),
    ("ana@a:{PLAIN}x:100:100", "first_uid = 500"),
    ("ana@a:{PLAIN}x:0:0", "root"),
    ("ana@a:{PLAIN}x:6000:6000", "uid 6000 cannot make a folder in D/mail;"),
])
def test_who_could_not_sign_in(site, line, says):
    assert site.check("bob@b:{PLAIN}x\n" + line + "\n") == 0
    assert len(site.said) == 1 and site.said[0].startswith("D/users:2: ")
    assert says in site.said[0]
    # If there is nobody else it is an error.
    assert site.check(line + "\n") == EX_CONFIG
    assert "nobody could sign in" in site.said[-1]


def test_no_owner(site):
    del site.settings["mail_user"], site.settings["mail_group"]
    assert site.check("ana@a:{PLAIN}x\n") == EX_CONFIG
    assert "mail_user" in site.said[0]


@pytest.mark.parametrize("folder, mode", [
    ("", 0o755), ("a", 0o755), ("a/ana", 0o700), ("a/ana/cur", 0o700),
    ("a/ana/new", 0o750)])
def test_a_folder_of_somebody_else(site, folder, mode):
    """A Maildir that is there, a folder on the way to one that is not."""
    if "ana" in folder:
        site.make("a/ana/cur")
        site.make("a/ana/new")
    else:
        os.makedirs(os.path.join(site.mail, folder), exist_ok=True)
    site.own(folder, 7000)
    os.chmod(os.path.join(site.mail, folder), mode)
    assert site.check("ana@a:{PLAIN}x\n") == EX_CONFIG
    assert ("D/mail/" + folder).rstrip("/") in site.said[0]
    assert ("chown -R 5000:5000" if "ana" in folder
            else "install -d -o 5000 -g 5000") in site.said[0]


@pytest.mark.parametrize("what, says", [
    ("file", "D/mail/a/ana is a file: a traditional mbox"),
    ("link", "D/mail/a/ana is a symbolic link; put the Maildir itself there")])
def test_no_folder(site, what, says):
    """The remedy is not to give it to another owner."""
    site.make("a/real/cur")
    if what == "file":
        open(site.mail + "/a/ana", "w").close()
    else:
        os.symlink("real", site.mail + "/a/ana")
    assert site.check("ana@a:{PLAIN}x\n", maildrop_symlinks="no") == EX_CONFIG
    assert says in site.said[0]
    if what == "link":
        assert site.check("ana@a:{PLAIN}x\n", maildrop_symlinks="yes") == 0
        assert site.said == []


def test_a_master_without_mail(site):
    """It is that of others which a master reads."""
    line = "boss:{PLAIN}x::::::malote_master=yes\n"
    assert site.check(line, master_separator="*") == 0
    assert site.said == []
    assert site.check(line) == EX_CONFIG  # nobody is a master here
    site.make("a/boss/cur")
    site.own("a/boss/cur", 7000)
    assert site.check(line.replace("boss", "boss@a"),
                      master_separator="*") == EX_CONFIG


def test_whole_host(site):
    """Its users must be there, and what they have be readable as one."""
    line = "h:{PLAIN}x::::::malote_host=h\n"
    site.make("h/a/cur")
    users = line + "a@h:{PLAIN}x\nb@h:{PLAIN}x\n"
    assert site.check(users, sdps="yes") == 0
    assert site.said == [] and "users who can sign in: 3" in site.out
    assert site.check(users) == 0  # sdps is off
    assert "malote_host needs the setting sdps = yes" in site.said[0]
    assert site.check(line, sdps="yes") == EX_CONFIG
    assert "h could not read mail: there is no user" in site.said[0]
    assert site.check(users + "c@h:{PLAIN}x:7000:7000\n", sdps="yes") == 0
    assert any("its user c@h is of uid 7000" in x for x in site.said)
    # A maildrop that cannot be had keeps the whole from being read.
    site.make("h/b/cur")
    site.own("h/b/cur", OWNER + 1)
    assert site.check(users, sdps="yes") == 0
    assert "users who can sign in: 1" in site.out
    assert site.said[0].startswith("D/users:1: warning: h could not read mail")
    assert site.said[1].startswith("D/users:3: warning: b@h could not read")


def test_anonymous(site):
    """Its user's line may lock everybody else out; it must be there."""
    site.make("p")
    public = {"mechanisms": "PLAIN ANONYMOUS", "anonymous": "public"}
    line = "public:*::::::userdb_mail=maildir:%s/p" % site.mail
    assert site.check(line + "\n", **public) == 0
    assert site.said == [] and "users who can sign in: 1" in site.out
    assert site.check(line + " nologin\n", **public) == EX_CONFIG
    assert site.check("bob@a:{PLAIN}x\n", **public) == 0
    assert len(site.said) == 1
    assert "there is no user public, whose mail" in site.said[0]
    site.own("p", 7000)
    assert site.check(line + "\n", **public) == EX_CONFIG
    assert "public could not read mail" in site.said[0]


def test_before_there_are_users(site):
    """The root of the mail is root's, as /var/mail is."""
    assert site.check("") == 0
    assert "malotectl user add" in site.said[0]
    site.own("", 0)
    assert site.check("") == EX_CONFIG
    assert "cannot make maildrops in D/mail" in site.said[-1]


def test_not_mounted(site, monkeypatch):
    """Where the server says at its start that nobody can sign in."""
    monkeypatch.setenv("STATE_DIRECTORY", site.path)
    assert site.check("ana@a:{PLAIN}x\n") == 0
    assert site.said == [] and not os.path.exists(site.path + "/mail-roots")
    with open(site.path + "/mail-roots", "w") as f:
        f.write(site.mail + "\n")
    assert site.check("ana@a:{PLAIN}x\n") == 0
    said, = site.said
    assert "D/mail had a marker and has none now" in said
    assert not os.listdir(site.mail)
    open(site.mail + "/.malote-root", "w").close()
    assert site.check("ana@a:{PLAIN}x\n") == 0
    assert site.said == []


def test_not_mounted_below(site, monkeypatch):
    """A file system below the mail root that once was there."""
    monkeypatch.setenv("STATE_DIRECTORY", site.path)
    os.mkdir(site.mail + "/b")
    with open(site.path + "/mail-roots", "w") as f:
        f.write("%s/b\n%sbeside\n/elsewhere\n" % (site.mail, site.mail))
    assert site.check("ana@a:{PLAIN}x\n") == 0
    said, = site.said
    assert "D/mail/b had a marker and has none now" in said
    assert "malotectl root accept" in said
    open(site.mail + "/b/.malote-root", "w").close()
    assert site.check("ana@a:{PLAIN}x\n") == 0
    assert site.said == []


def test_maildrops_are_not_made(site):
    site.make("a/ana/cur")
    assert site.check("ana@a:{PLAIN}x\nbob@a:{PLAIN}x\n",
                      create_maildir="no") == 0
    assert len(site.said) == 1 and "create_maildir = no" in site.said[0]


def test_many_lines(site):
    assert site.check("x y:{PLAIN}x\n" * 500 + "good@a:{PLAIN}x\n") == 0
    assert len(site.said) == 21
    assert "and 480 lines more" in site.said[-1]
    assert site.check("good@a:{PLAIN}x\n" * 501) == EX_CONFIG
    assert len(site.said) == 21
    assert "and 480 lines more" in site.said[-1]


SCRAM = "{SCRAM-SHA-256}4096,AAAA,%s=,%s=" % ("A" * 43, "A" * 43)


def test_mechanisms(site):
    """Who cannot use which: counted, and some are named."""
    site.make("d")
    users = "".join("u%d@d:{SSHA}mAdraI+LwCPz5ty/q42IRRJz7w2xmEk/\n" % i
                    for i in range(100)) + "p@d:{PLAIN}x\ns@d:%s\nl@d:*\n" % SCRAM
    assert site.check(users) == 0
    assert site.said == []
    assert site.check(
        users, mechanisms="SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN CRAM-MD5 "
        "ANONYMOUS", anonymous="l@d", apop="yes") == 0
    what = "D/users: warning: %s of 102 users cannot sign in by %s, as their " \
        "stored passwords do not serve for it: malotectl --scheme %s user " \
        "passwd NAME, for u0@d, u1@d, u2@d and %d more"
    assert site.said == [
        what % (100, "SCRAM-SHA-256", "SCRAM-SHA-256", 97),
        what % (101, "CRAM-MD5", "CRAM-MD5", 98),
        what % (101, "APOP", "PLAIN", 98)]
    assert site.check("s@d:%s\n" % SCRAM, mechanisms="SCRAM-SHA-1 PLAIN") == 0
    assert site.said == [
        "D/users: warning: SCRAM-SHA-1 is not offered, as no user's stored "
        "password serves for it: malotectl --scheme SCRAM-SHA-1 user passwd "
        "NAME"]
    assert "maloted can start" in site.out


@pytest.mark.parametrize("scheme, lost", [
    ("no", []), ("ARGON2ID", ["SCRAM-SHA-256", "APOP"]), ("SCRAM-SHA-256", ["APOP"])])
def test_upgrade_scheme(site, scheme, lost):
    site.make("d")
    assert site.check("p@d:{PLAIN}x\n", mechanisms="SCRAM-SHA-256 PLAIN",
                      apop="yes", upgrade_scheme=scheme) == 0
    assert [line.split(" by ")[1].split()[0] for line in site.said] == lost
    assert site.check("p@d:{PLAIN}x\n", upgrade_scheme="PLAIN") == EX_CONFIG
    assert "ARGON2ID" in site.said[0]


@pytest.mark.parametrize("name", ["malote-uidl", "malote.lock"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_file_of_the_server_that_is_none(site, name, kind):
    """Left by root, who looked after the Maildir: nobody could sign in, or
    (a lock that cannot be had) two at a time."""
    for folder in ("cur", "new", "tmp"):
        site.make("a/ana/" + folder)
    path = site.mail + "/a/ana/" + name
    if kind == "file":
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    elif kind == "link":
        os.symlink("cur", path)
        os.chown(path, OWNER, OWNER, follow_symlinks=False)
    else:
        os.mkdir(path)
    unlocked = (name, kind) == ("malote.lock", "file")
    assert site.check("ana@a:{PLAIN}x\n") == (0 if unlocked else EX_CONFIG)
    assert ("ana@a could %sread mail" % ("" if unlocked else "not ")
            in site.said[0])
    assert "D/mail/a/ana/%s is no file of uid 5000" % name in site.said[0]
    assert ("keep each other out" in site.said[0]) == unlocked
    if kind == "file":
        os.chown(path, OWNER, OWNER)
        assert site.check("ana@a:{PLAIN}x\n") == 0
        assert site.said == []


@contextlib.contextmanager
def read_only(folder):
    """Mounted so, until the end."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_file_system(site):
    """Who owns what is no matter; what is there can be read."""
    site.make("a/ana/cur")
    with read_only(site.mail):
        assert site.check("bob@a:{PLAIN}x\nana@a:{PLAIN}x\n") == 0
        assert [x.split(": warning: ")[1] for x in site.said] == [
            "bob@a could not read mail: no folder can be made in D/mail/a, "
            "which is read-only; mount it for writing",
            "ana@a could read mail, but D/mail/a/ana is read-only, and none "
            "could be removed; mount it for writing"]
        assert "users who can sign in: 1" in site.out
        assert site.check("") == EX_CONFIG
        assert "D/mail, which is read-only; mount it" in site.said[-1]


def test_a_master_of_nobody(site):
    line = "boss@a:{PLAIN}x::::::malote_master=yes\n"
    assert site.check(line) == 0
    said, = site.said
    assert said.startswith("D/users:1: warning: malote_master is without")
    assert "master_separator" in said
    assert site.check(line, master_separator="*") == 0
    assert site.said == []


@pytest.mark.parametrize("name", ["users", "maloted.conf"])
@pytest.mark.parametrize("how, says", [
    ("mode", "everybody may write D/%s, and so read all mail; chmod o= D/%s"),
    ("owner", "D/%s belongs to uid 7000, who may so read all mail; as root: "
     "chown root D/%s"),
    ("folder", "everybody may replace D/%s, and so read all mail; chmod o-w "
     "D/")], ids=["mode", "owner", "folder"])
def test_who_may_write_may_read_all(site, name, how, says):
    site.write("ana@a:{PLAIN}x\n")
    path = site.path + "/" + name
    if how == "mode":
        os.chmod(path, 0o602)
    elif how == "owner":
        os.chown(path, 7000, 7000)
    else:
        os.chmod(site.path, 0o703)
    assert site.look() == 0
    says = says.replace("%s", name)
    assert len(site.said) == (2 if how == "folder" else 1), site.said
    assert any(x.endswith(": warning: " + says) for x in site.said)
    os.chmod(site.path, 0o1707)  # as /tmp: only its owner replaces a file
    assert not any("replace" in x for x in site.said) or site.look() == 0
    assert not any("replace" in x for x in site.said)


@pytest.mark.parametrize("first, second", [
    ("certificate", "key"), ("client_ca", "client_crl")])
def test_both_files_are_missing(site, first, second):
    """They are named at once, each with its line."""
    missing = {first: site.path + "/one.pem", second: site.path + "/two.pem"}
    assert site.check("ana@a:{PLAIN}x\n", **missing) == EX_CONFIG
    assert [x.split(": ", 1)[1].split(";")[0] for x in site.said] == [
        "D/one.pem: No such file or directory",
        "D/two.pem: No such file or directory"]
    if first == "certificate":  # the key is in the same file
        assert site.check("ana@a:{PLAIN}x\n", certificate=missing[first],
                          key=missing[first]) == EX_CONFIG
        assert len(site.said) == 1


def test_priorities_in_the_journal(site):
    """What systemctl reload says to it: <3> is an error, <4> a warning."""
    site.write("ssha@a:{SSHA512}abc\n")
    site.look(journal=True)
    assert [x[:3] for x in site.said] == ["<4>", "<3>"]


def test_nothing_is_written(site):
    site.make("a/ana/cur")
    before = [(p, os.stat(p).st_mtime_ns)
              for p, _, _ in os.walk(site.mail)]
    assert site.check("ana@a:{PLAIN}x\nbob@b:{PLAIN}x\n") == 0
    assert before == [(p, os.stat(p).st_mtime_ns)
                      for p, _, _ in os.walk(site.mail)]


# ---- users in databases ----

QUERY = 'query = "SELECT password FROM users WHERE name = $1"'
BLOCKS = [
    ('users "" { driver = "sqlite" file = "D/open" %s }' % QUERY,
     "a block users has no name; write users"),
    ('users "x" { }', 'users "x": there is no driver ""; write one of '
     'passwd-file, sqlite'),
    ('users "x" { driver = "oracle" }', 'there is no driver "oracle"'),
    ('users "x" { driver = "sqlite" ' + QUERY + ' }',
     'the driver sqlite needs to know its file; write for example file ='),
    ('users "x" { driver = "sqlite" file = "D/db" }',
     'the driver sqlite needs to know its query; write for example query ='),
    ('users "x" { driver = "sqlite" file = "D/db" connection = "x" %s }'
     % QUERY, 'the driver sqlite has no setting connection; leave it out'),
    ('users "x" { driver = "passwd-file" file = "D/users" timeout = 3 }',
     'the driver passwd-file has no setting timeout; leave it out'),
    ('users "x" { driver = "sqlite" file = "D/db" attributes = "a=b" %s }'
     % QUERY, 'the driver sqlite has no setting attributes; leave it out'),
    ('users "x" { driver = "sqlite" file = "db" %s }' % QUERY,
     'file = "db" is not an absolute path; begin it with /'),
    ('users "x" { driver = "sqlite" file = "D/none" %s }' % QUERY,
     "D/none: No such file or directory"),
    ('users "x" { driver = "sqlite" file = "D/db" query = "SELECT %u" }',
     "%u is not replaced in a query; write $1, without quotes around it"),
    ('users "x" { driver = "sqlite" file = "D/db" query = "SELECT \'$1\'" }',
     "a parameter within quotes is text; write $1 without them"),
    ('users "x" { driver = "sqlite" file = "D/db" query = "SELECT 1" }',
     "the query asks for nobody in particular; write query ="),
    ('users "x" { driver = "sqlite" file = "D/db" scheme = "X" %s }' % QUERY,
     'there is no scheme "X"; maloted.conf(5) lists them'),
    ('users "x" { driver = "sqlite" file = "D/db" timeout = 0 %s }' % QUERY,
     'timeout = "0" is no number in its range; write 1 to 60'),
    ('users "x" { driver = "sqlite" file = "D/db" %s }' % QUERY,
     "db_user, uid 65530, cannot read D/db; as root: chgrp 65530 it"),
    ('users = "D/users"\nusers "x" { driver = "sqlite" file = "D/open" %s }'
     % QUERY, "beside blocks users there is no users = FILE; write users "
     '"NAME" { driver = "passwd-file" file = "D/users" } where it is to be '
     "asked"),
    ('users "x" { driver = "passwd-file" file = "D/users" }\n'
     'users "y" { driver = "passwd-file" file = "D/users" }',
     'users "y" is a passwd-file, as "x" is; put all their lines into one'),
    ('users "x" { driver = "sqlite" file = "D/open" %s port = 3 }' % QUERY,
     "port belongs into a block listener; move it there"),
    (QUERY, "query stands outside of a block users; move it into one"),
    ('users "x" { driver = "system" service = "x" }',
     "the driver system has no setting service; leave it out"),
    ('users "x" { driver = "system" query = "$3" }',
     'system is asked by a name; write query = "$1", all of it, or "$2"'),
    ('users "x" { driver = "pam" service = "../x" }',
     "service is the name of a file in /etc/pam.d; write for example"),
    ('users "x" { driver = "system" max_questions_per_process = 9 }',
     "the driver system has no setting max_questions_per_process; leave it "
     "out"),
    ('users "x" { driver = "pam" max_questions_per_process = 0 }',
     'max_questions_per_process = "0" is no number in its range; write 1 to '
     "1000"),
    ('users "x" { driver = "checkpassword" }',
     "needs to know its program; write for example program ="),
    ('users "x" { driver = "checkpassword" program = "true" }',
     'program = "true" is not an absolute path; begin it with /'),
    ('users "x" { driver = "checkpassword" program = "D/open" }',
     "D/open is no program that may be executed; name another one, or "
     "chmod +x it"),
    ('users "x" { driver = "checkpassword" program = "/usr" }',
     "/usr is no program that may be executed"),
    ('users "x" { driver = "checkpassword" program = "D/none" }',
     "D/none: No such file or directory"),
    ('users "x" { driver = "ldap-bind" }',
     'its connection; write for example connection = "uri=ldaps://HOST '
     'base=ou=people,dc=example,dc=org"'),
    ('users "x" { driver = "ldap-bind" connection = "x" query = "uid=x" }',
     'asks for nobody in particular; write query = "(uid=$1)"'),
    ('users "x" { driver = "ldap-bind" connection = "x" query = "(uid=$1)" '
     'attributes = "userPassword=password" }',
     "the column password means nothing; take it out of attributes"),
]


def write_blocks(site, text):
    del site.settings["users"]
    for name, mode in (("db", 0o600), ("open", 0o644)):
        with open(site.path + "/" + name, "w"):
            pass
        os.chmod(site.path + "/" + name, mode)
    site.settings["db_user"] = "65530"
    site.write("ana:{PLAIN}x\n")
    with open(site.path + "/maloted.conf", "a") as f:
        f.write(text.replace("D/", site.path + "/") + "\n")


@pytest.mark.parametrize("text, says", BLOCKS,
                         ids=[str(n) for n in range(len(BLOCKS))])
def test_blocks_of_users(site, text, says):
    write_blocks(site, text)
    assert site.look() == EX_CONFIG
    assert any(says in line for line in site.said), site.said
    assert all("error" not in line for line in site.said)


def test_good_blocks_of_users(site, place):
    """With a users file and without one."""
    file = place.path + "/open"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE users (name TEXT, password TEXT)")
    db.close()
    os.chmod(file, 0o644)
    text = 'users "x" { driver = "sqlite" file = "%s" %s }\n' % (file, QUERY)
    write_blocks(site, text)
    assert (site.look(), site.said) == (0, [])
    assert "users who can sign in: 0 and those of databases" in site.out
    with open(site.path + "/maloted.conf", "a") as f:
        f.write('users "y" { driver = "passwd-file" file = "%s/users" }\n'
                % site.path)
    site.look()
    assert "D/users:1: warning: ana could not read mail" in site.said[0]


def test_every_domain_that_she_types(site):
    """Not where the mail does not go by it."""
    for query, mail, warns in (("$2", "D/%d/%n", True), ("$2", "D/%u", True),
                               ("$2", "D/%n", False), ("$2", "~/M", False),
                               ("$1", "D/%d/%n", False)):
        site.settings["mail"] = "maildir:" + mail.replace("D", site.path)
        site.settings.update(mail_root=site.path, users="")
        write_blocks(site, 'users "x" { driver = "system" query = "%s" }'
                     % query)
        site.look()
        assert warns == any("ann is ann in every domain that she types" in line
                            for line in site.said), (mail, site.said)


def test_expire_of_nobody(site):
    write_blocks(site, 'expire = 30\nusers "x" { driver = "sqlite" '
                 'file = "D/open" %s }' % QUERY)
    site.look()
    assert any("expire = 30 is for users of a passwd-file, and there is none"
               in line for line in site.said), site.said
    with open(site.path + "/maloted.conf", "a") as f:
        f.write('users "y" { driver = "passwd-file" file = "%s/users" }\n'
                % site.path)
    site.look()
    assert not any("expire" in line for line in site.said)


@pytest.mark.parametrize("language", ["", ".pt-BR"])
def test_page_of_users(site, language):
    """Its blocks are right, and in this order."""
    with open("%s/doc/users%s.md" % (TOP, language), encoding="utf-8") as f:
        blocks = re.findall(r"(?ms)^```conf\n(.*?)^```$", f.read())
    assert len(blocks) == 8
    # Those of OAuth: test_tokens.py.  Two mail roots: test_roots.py.
    write_blocks(site, "".join(b for b in blocks if "oauth" not in b
                               and "vhosts" not in b))
    os.chmod(site.path + "/maloted.conf", 0o640)
    site.look()
    assert [line for line in site.said if "built without" not in line
            and "there is no /etc/pam.d/" not in line
            and "it cannot be reached" not in line] == []


def test_secret_that_everybody_can_read(site):
    write_blocks(site, 'users "x" { driver = "postgresql" connection = '
                 '"host=h password=p" %s }' % QUERY)
    os.chmod(site.path + "/maloted.conf", 0o644)
    site.look()
    assert any('everybody may read the password of users "x"; chmod o=' in
               line for line in site.said), site.said
    os.chmod(site.path + "/maloted.conf", 0o640)
    site.look()
    assert not any("everybody may read" in line for line in site.said)


SYSTEM = 'users "x" { driver = "system" }\n'
BIND = ('users "x" { driver = "ldap-bind" connection = "uri=ldapi:///" '
        'query = "(uid=$1)" %s }\n')
PROGRAM = 'users "x" { driver = "checkpassword" program = "/bin/true" }\n'
# What makes no sense together, and what is said of it; and what does.
COMBINATIONS = [
    (SYSTEM + 'mechanisms = "CRAM-MD5 PLAIN"\n',
     "CRAM-MD5 is not offered, as no database can give it a secret"),
    (SYSTEM + 'mechanisms = "SCRAM-SHA-256 PLAIN"\n',
     "SCRAM-SHA-256 is not offered, as no database can give it a key"),
    (SYSTEM + "apop = yes\n",
     "APOP is not offered, as no database can give it a secret"),
    (SYSTEM + 'mechanisms = "SCRAM-SHA-256 PLAIN"\nusers "y" { driver = '
     '"sqlite" file = "D/open" %s }\n' % QUERY,
     'SCRAM-SHA-256 is offered, but users "x" cannot give it a key'),
    (SYSTEM + 'mechanisms = "CRAM-MD5 PLAIN"\nusers "y" { driver = '
     '"passwd-file" file = "D/users" }\n',
     'CRAM-MD5 is offered, but users "x" cannot give it a secret'),
    (PROGRAM + 'mechanisms = "EXTERNAL PLAIN"\nclient_ca = "CA"\n',
     "EXTERNAL is of no use to users \"x\": checkpassword knows nobody"),
    (SYSTEM + 'mechanisms = "EXTERNAL PLAIN"\nclient_ca = "CA"\n',
     None),
    (SYSTEM + 'mechanisms = "ANONYMOUS PLAIN"\nanonymous = "ana"\n',
     "ANONYMOUS is not offered"),
    (SYSTEM + 'master_separator = "*"\n', "nobody can be a master"),
    (BIND % "" + 'master_separator = "*"\n', None),
    (SYSTEM + 'upgrade_scheme = "ARGON2ID"\n',
     "upgrade_scheme is without effect, as there is no passwd-file"),
    ('users "x" { driver = "sqlite" file = "D/open" %s }\n' % QUERY
     + 'upgrade_scheme = "ARGON2ID"\n', "upgrade_scheme is without effect"),
    (BIND % "" + 'mail = "maildir:~/Maildir"\n', "needs a home, and"),
    (BIND % 'attributes = "homeDirectory=home"'
     + 'mail = "maildir:~/Maildir"\n', None),
    ('users "x" { driver = "pam" service = "nosuch" }\n',
     'there is no /etc/pam.d/nosuch, and PAM takes "other" instead'),
    (SYSTEM, None),
    (PROGRAM, None),
]


@pytest.mark.parametrize("text, says", COMBINATIONS,
                         ids=[str(n) for n in range(len(COMBINATIONS))])
def test_combinations(site, certs, text, says):
    text = text.replace('"CA"', '"%s"' % certs.ca)
    for setting in ("mechanisms", "mail", "apop"):
        if setting + " =" in text:
            site.settings.pop(setting, None)
    write_blocks(site, text)
    code = site.look()
    if says:
        assert any(says in line for line in site.said), site.said
    else:
        assert (code, [line for line in site.said
                       if "it cannot be reached" not in line]) == (0, [])


def test_program_of_others(site, place):
    """Who writes it may say who signs in."""
    with open(site.path + "/prog", "w") as f:
        f.write("#!/bin/sh\n")
    os.chmod(site.path + "/prog", 0o777)
    write_blocks(site, PROGRAM.replace("/bin/true", "D/prog"))
    site.look()
    assert any("everybody may write D/prog" in line for line in site.said)


def shown(path):
    """The settings in effect: lines, with where they come from behind a tab."""
    done = subprocess.run([BINARY, "--check", "--verbose", "-c", path],
                          stdout=subprocess.PIPE, text=True, timeout=20,
                          stderr=subprocess.STDOUT, check=False)
    *lines, last = done.stdout.splitlines()
    assert done.returncode == 0 and "listeners: " in last, done.stdout
    return lines


def test_what_is_in_effect(site):
    """With --verbose: each setting, and where it comes from, in a form that says
    the same again."""
    site.make("example.org/ana/cur")
    site.write("ana@example.org:{PLAIN}secret::\n", takeover=7, uidl="dovecot",
               languages='/a\\"b')
    path = site.path + "/maloted.conf"
    lines = shown(path)
    assert "takeover = 7\t# %s:7" % path in lines
    assert 'uidl = "dovecot"\t# %s:8' % path in lines
    assert 'languages = "/a\\"b"\t# %s:9' % path in lines
    assert "stop_grace = 30\t# default" in lines
    assert any(re.fullmatch(r"workers = [1-9]\d*\t# default", x)
               for x in lines)  # what the 0 of the manual becomes
    at = lines.index('listener "a" {')
    assert '\taddress = {"*"}' in lines[at:]
    assert lines[-1] == "}\t# %s:13" % path
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    again = shown(path)
    assert [x.split("\t#")[0] for x in again] == [
        x.split("\t#")[0] for x in lines]


def test_how_often_a_process_is_asked(site):
    """What weighs speed above a wall is seen, and so is that it is not."""
    site.make("example.org/ana/cur")
    site.write("ana@example.org:{PLAIN}secret::\n")
    path, users = site.path + "/maloted.conf", 'users "x" { driver = "pam" %s }'
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for says, shows in (("", 1), ("max_questions_per_process = 100", 100)):
        with open(path, "w", encoding="utf-8") as f:
            f.write(re.sub('(?m)^users = .*$', users % says, text))
        assert "\tmax_questions_per_process = %d" % shows in shown(path)


def test_no_password_is_shown(site):
    del site.settings["users"]
    site.write("", db_user="65530")
    with open(site.path + "/maloted.conf", "a") as f:
        f.write('users "shop" {\n\tdriver = "postgresql"\n\tconnection = '
                '"host=127.0.0.1 port=9 user=malote password=S3cret"\n'
                '\tquery = "SELECT password FROM users WHERE name = $1"\n}\n')
    done = subprocess.run(
        [BINARY, "--check", "--verbose", "-c", site.path + "/maloted.conf"],
        stdout=subprocess.PIPE, text=True, timeout=20, check=False)
    assert '\tconnection = "***"' in done.stdout.splitlines()
    assert "\tquery = \"SELECT" in done.stdout
    assert "S3cret" not in done.stdout
