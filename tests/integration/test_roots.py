"""Several mail roots in one server: virtual users in one folder, those of the machine
in their homes, and neither's store sees anything of the other's.
"""
import ctypes
import json
import os
import platform
import re
import subprocess

import pytest

import accounts
import drop
from server import TOP, alive, wait_until
from test_check import BINARY
from test_databases import Sqlite
from test_reload import Settings

WHY_NOT = accounts.can_run()
pytestmark = [pytest.mark.ours,
              pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)]
EX_CONFIG, EX_TEMPFAIL = 78, 75
MARKER = ".malote-root"
UID = 50001
VIRTUAL = 'users "virtual" { driver = "passwd-file" file = "%s"%s }\n'
MACHINE = 'users "machine" { driver = "system"%s }\n'


def make(path, owner, mode=0o755):
    os.makedirs(path, exist_ok=True)
    os.chown(path, *owner)
    os.chmod(path, mode)
    return path


def a_maildir(path, owner, n, seed):
    """One that everybody may read: what keeps others out is not its mode."""
    drop.write(path, drop.make(seed, n), owner)
    for folder, _, files in os.walk(path):
        os.chmod(folder, 0o755)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o644)
    return path


class Site:
    """ann@v.example is a virtual user, bea one of the machine.  Files and folders
    may be read by everybody."""

    def __init__(self, place, serve):
        self.place, self.serve = place, serve
        self.vmail = place.owner
        self.vhosts = make(place.path + "/vhosts", self.vmail)
        self.home = make(place.path + "/home", (0, 0))
        self.third = make(place.path + "/third", self.vmail)
        self.mail = "maildir:%s/%%d/%%n" % self.vhosts
        make(self.vhosts + "/v.example", self.vmail)
        self.ann = a_maildir(self.vhosts + "/v.example/ann", self.vmail, 3, 1)
        self.machine = accounts.Accounts(place.path + "/etc")
        self.machine.add("bea", uid=UID, home=self.home + "/bea")
        make(self.home + "/bea", (UID, UID))
        self.bea = a_maildir(self.home + "/bea/Maildir", (UID, UID), 2, 2)
        self.file = place.path + "/passwd"
        self.write("")
        self.blocks = VIRTUAL % (self.file, "") + MACHINE % (
            ' mail = "maildir:~/Maildir" mail_root = "%s"' % self.home)

    def write(self, more):
        with open(self.file, "w", encoding="utf-8") as f:
            f.write("ann@v.example:{PLAIN}secret\n" + more)
        os.chmod(self.file, 0o600)

    def config(self, blocks=None):
        return ('mail = "%s"\nmail_root = ""\nmail_user = "%d"\n'
                'mail_group = "%d"\nstore_processes = 2\nworkers = 1\n%s' % (
                    self.mail, *self.vmail, blocks or self.blocks))

    def start(self, blocks=None, **more):
        return self.serve(
            [("unused", "x", self.ann)], self.config(blocks),
            wrap=self.machine.wrap(),
            env={"STATE_DIRECTORY": self.place.path + "/state"}, **more)


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


def signed_in(connect, server, name):
    session = connect(server.port)
    session.login(name, "secret")
    return session


def count(connect, server, name):
    session = signed_in(connect, server, name)
    n = session.stat()[0]
    session.quit()
    return n


def refusal(connect, server, name):
    session = connect(server.port)
    session.ok("USER " + name)
    line = session.command("PASS secret")
    session.close()
    return b"" if line.startswith(b"+OK") else line


def roots(server):
    told = json.loads(server.ctl("status", "--json"))["mail_roots"]
    return {r["path"]: r["served"] for r in told}


def stores(server, uid):
    return [pid for pid in server.roles("store")
            if os.stat("/proc/%d" % pid).st_uid == uid or
            "\nUid:\t%d\t" % uid in open("/proc/%d/status" % pid).read()]


def test_both(site, connect):
    server = site.start()
    assert count(connect, server, "ann@v.example") == 3
    assert count(connect, server, "bea") == 2
    for root in (site.vhosts, site.home):
        assert os.path.exists(root + "/" + MARKER)
    with open(site.place.path + "/state/mail-roots") as f:
        assert f.read() == site.vhosts + "\n" + site.home + "\n"
    assert roots(server) == {site.vhosts: True, site.home: True}
    text = server.ctl("status")
    for root in (site.vhosts, site.home):
        assert "mail root %s: served\n" % root in text
    # What an admin asks goes to the right one, too.
    for name, path in (("ann@v.example", site.ann), ("bea", site.bea)):
        assert path in server.ctl("user", "show", name)
        assert "messages" in server.ctl("uidl", "show", name)


def test_new_mail_in_both(site, connect):
    """Maildrops are made, and what is delivered comes."""
    site.machine.add("new", uid=UID + 1, home=make(
        site.home + "/new", (UID + 1, UID + 1)))
    site.write("new@v.example:{PLAIN}secret\n")
    server = site.start()
    for name, path, owner in (
            ("new@v.example", site.vhosts + "/v.example/new", site.vmail),
            ("new", site.home + "/new/Maildir", (UID + 1, UID + 1))):
        assert count(connect, server, name) == 0
        st = os.stat(path + "/new")
        assert (st.st_uid, st.st_gid) == owner
        drop.write(path, drop.make(9, 4), owner)
        os.utime(path + "/new")
        assert count(connect, server, name) == 4


# ---- confinement ----

def has_landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


can_trace = pytest.mark.skipif(
    platform.machine() != "x86_64" or "asan" in os.environ.get("MALOTED", "")
    or not has_landlock(), reason="needs Landlock, and inject.c")


@pytest.fixture(scope="module")
def reads(tmp_path_factory):
    """reads(pid, path): may that process open it?"""
    program = str(tmp_path_factory.mktemp("inject") / "inject")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program,
                    TOP + "/tests/integration/inject.c"],
                   check=True, timeout=60)

    def run(pid, path):
        done = subprocess.run([program, str(pid), "read:" + path], timeout=20,
                              capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout.rsplit(None, 1)[1] == "0"
    return run


def a_message(box):
    return next(os.path.join(box, folder, name) for folder in ("cur", "new")
                for name in os.listdir(os.path.join(box, folder)))


@can_trace
def test_confined(site, connect, reads):
    """All files may be read by everybody: what keeps each store out is that it is
    confined to its own root."""
    server = site.start()
    ann = signed_in(connect, server, "ann@v.example")
    bea = signed_in(connect, server, "bea")
    of_vmail, of_bea = stores(server, site.vmail[0]), stores(server, UID)
    assert len(of_vmail) == 2 and len(of_bea) == 1
    ours, theirs = a_message(site.ann), a_message(site.bea)
    for pid in of_vmail:
        assert reads(pid, ours) and not reads(pid, theirs)
        assert not reads(pid, site.home + "/" + MARKER)
    for pid in of_bea:
        assert reads(pid, theirs) and not reads(pid, ours)
        assert not reads(pid, site.vhosts + "/" + MARKER)
    assert ann.stat()[0] == 3 and bea.stat()[0] == 2
    ann.quit()
    bea.quit()


@can_trace
def test_two_roots_of_one_uid(site, connect, reads):
    """Of mail_user both: a store that runs all the time, and one that comes when
    somebody has mail there."""
    db = Sqlite(site.place.path)
    db.user("cleo", "{PLAIN}secret", site.third + "/cleo")
    other = a_maildir(site.third + "/cleo", site.vmail, 4, 3)
    server = site.start(VIRTUAL % (site.file, "") + 'users "db" ' + db.block(
        more='mail_root = "%s"' % site.third))
    before = stores(server, site.vmail[0])
    assert len(before) == 2
    ann = signed_in(connect, server, "ann@v.example")
    cleo = signed_in(connect, server, "cleo")
    assert ann.stat()[0] == 3 and cleo.stat()[0] == 4
    new, = set(stores(server, site.vmail[0])) - set(before)
    assert reads(new, a_message(other))
    assert not reads(new, a_message(site.ann))
    for pid in before:
        assert reads(pid, a_message(site.ann))
        assert not reads(pid, a_message(other))
    ann.quit()
    cleo.quit()


def test_a_path_of_another_root(site, connect):
    """Whoever names the place: it is below the root of the block that knows the
    user, and of no other."""
    db = Sqlite(site.place.path)
    inner = make(site.vhosts + "/inner", site.vmail)
    for name, path in (("dan", site.ann), ("eve", inner + "/eve"),
                       ("fay", site.third + "/fay")):
        a_maildir(path, site.vmail, 1, 4)
        db.user(name, "{PLAIN}secret", path)
    site.write("".join("%s@v.example:{PLAIN}secret::::::userdb_mail=maildir:%s\n"
                       % row for row in (("in-home", site.bea),
                                         ("in-third", site.third + "/fay"),
                                         ("in-inner", inner + "/eve"),
                                         ("at-inner", inner))))
    server = site.start(
        VIRTUAL % (site.file, "") + MACHINE % (
            ' mail = "maildir:~/Maildir" mail_root = "%s"' % site.home)
        + 'users "db" ' + db.block(more='mail_root = "%s"' % site.third)
        + 'users "in" { driver = "checkpassword" program = "/bin/true"'
        ' mail_root = "%s" }\n' % inner)
    assert refusal(connect, server, "fay") == b""
    for n, name in enumerate(("dan", "eve", "in-home@v.example",
                              "in-third@v.example", "in-inner@v.example",
                              "at-inner@v.example"), 1):
        assert b"[SYS/PERM]" in refusal(connect, server, name), name
        told = server.await_event("mail-location", n)[-1]
        assert "mail_root" in told["error"]
    assert "below another mail_root, %s" % inner in told["error"]
    assert os.path.exists(site.bea)


# ---- not mounted ----

def away(path):
    """As if its file system were not mounted."""
    os.rename(path, path + ".away")
    os.mkdir(path, 0o755)


def back(path):
    os.rmdir(path)
    os.rename(path + ".away", path)


@pytest.mark.slow
def test_one_is_not_mounted(site, connect):
    """Who has mail in the others notices nothing."""
    server = site.start()
    ann = signed_in(connect, server, "ann@v.example")
    bea = signed_in(connect, server, "bea")
    pids = stores(server, site.vmail[0])
    away(site.home)
    wait_until(lambda: roots(server)[site.home] is False, 20)
    bea.close()
    wait_until(lambda: b"[SYS/TEMP]" in refusal(connect, server, "bea"), 20)
    assert roots(server) == {site.vhosts: True, site.home: False}
    told = server.events("mail-root")[-1]
    assert told["root"] == site.home and told["served"] == "no"
    assert "malotectl root accept " + site.home in told["error"]
    assert "mail root %s: NOT SERVED" % site.home in server.ctl("status")
    assert ann.stat()[0] == 3
    assert len(ann.retr(1)) > 0
    ann.quit()
    assert count(connect, server, "ann@v.example") == 3
    assert stores(server, site.vmail[0]) == pids
    assert os.listdir(site.home) == []
    assert "is served" in server.ctl("root", "accept", site.vhosts,
                                     code=EX_CONFIG)
    back(site.home)
    wait_until(lambda: refusal(connect, server, "bea") == b"", 20)
    assert roots(server)[site.home] is True


@pytest.mark.slow
def test_accepted_alone(site, connect):
    server = site.start()
    assert count(connect, server, "bea") == 2
    assert "already" in server.ctl("root", "accept", code=EX_CONFIG)
    away(site.home)
    away(site.vhosts)
    wait_until(lambda: set(roots(server).values()) == {False}, 20)
    assert "name one" in server.ctl("root", "accept", code=EX_CONFIG)
    server.ctl("root", "accept", site.third, code=EX_CONFIG)
    assert site.home in server.ctl("root", "accept", site.home + "/")
    wait_until(lambda: roots(server) == {site.vhosts: False, site.home: True})
    # The one that is left needs no name.
    assert site.vhosts in server.ctl("root", "accept")
    wait_until(lambda: set(roots(server).values()) == {True})
    for root in (site.home, site.vhosts):
        assert os.listdir(root) == [MARKER]


def test_not_mounted_at_the_start(site, connect):
    site.start().stop()
    away(site.vhosts)
    server = site.start()
    assert b"[SYS/TEMP]" in refusal(connect, server, "ann@v.example")
    assert count(connect, server, "bea") == 2
    assert os.listdir(site.vhosts) == []


# ---- reload ----

def test_reload_adds_changes_and_removes(site, connect):
    settings = Settings(site.start(VIRTUAL % (site.file, "")))
    server = settings.server
    ann = signed_in(connect, server, "ann@v.example")
    pids = server.roles("store")
    assert b"[AUTH]" in refusal(connect, server, "bea")
    # One more.
    block = MACHINE % ' mail = "maildir:~/Maildir" mail_root = "%s"'
    settings.add(block % site.home)
    assert "restart" not in settings.reload()
    assert roots(server) == {site.vhosts: True, site.home: True}
    assert os.path.exists(site.home + "/" + MARKER)
    bea = signed_in(connect, server, "bea")
    assert bea.stat()[0] == 2
    # Another in its place: who is there stays there.
    other = make(site.place.path + "/homes", (0, 0))
    a_maildir(make(other + "/bea", (UID, UID)) + "/Maildir", (UID, UID), 5, 6)
    site.machine.add("bea", uid=UID, home=other + "/bea")
    settings.write(settings.text.replace(site.home, other))
    settings.reload()
    assert roots(server) == {site.vhosts: True, other: True}
    assert count(connect, server, "bea") == 5
    bea.ok("DELE 1")
    bea.quit()
    assert len(os.listdir(site.bea + "/cur") + os.listdir(site.bea + "/new")) \
        == 1
    # None: nobody is known there any more.
    settings.write(settings.first)
    settings.reload()
    assert roots(server) == {site.vhosts: True}
    assert b"[AUTH]" in refusal(connect, server, "bea")
    assert ann.stat()[0] == 3
    assert set(pids) <= set(server.roles("store"))
    ann.quit()
    assert count(connect, server, "ann@v.example") == 3


def test_reload_moves_the_pool(site, connect):
    """The stores that run all the time stay where they are: until a restart those
    who come have one that is started for them."""
    settings = Settings(site.start(VIRTUAL % (site.file, "")))
    server = settings.server
    pool = server.roles("store")
    ann = signed_in(connect, server, "ann@v.example")
    a_maildir(site.third + "/v.example/ann", site.vmail, 6, 7)
    os.chown(site.third + "/v.example", *site.vmail)
    settings.write(settings.text.replace(site.vhosts, site.third))
    assert "after a restart only: store_processes" in settings.reload()
    assert roots(server) == {site.third: True}
    assert count(connect, server, "ann@v.example") == 6
    assert ann.stat()[0] == 3
    ann.quit()
    new, = set(server.roles("store")) - set(pool)
    # Back again: the pool serves, as if nothing had been.
    settings.write(settings.first)
    assert "restart" not in settings.reload()
    assert count(connect, server, "ann@v.example") == 3
    assert set(pool) <= set(server.roles("store"))
    settings.write(settings.text.replace(site.vhosts, site.third))
    settings.reload()
    server.ctl("restart")
    wait_until(lambda: not alive(server.pid), 30)
    server.became()
    assert count(connect, server, "ann@v.example") == 6


def test_reload_when_the_pools_root_is_gone(site, connect):
    """Nobody has mail there any more, so nobody asks for the folder."""
    settings = Settings(site.start(VIRTUAL % (site.file, "")))
    server = settings.server
    a_maildir(site.third + "/v.example/ann", site.vmail, 6, 7)
    os.chown(site.third + "/v.example", *site.vmail)
    settings.write(settings.text.replace(site.vhosts, site.third))
    settings.reload()
    os.rename(site.vhosts, site.vhosts + ".gone")
    settings.reload()
    assert roots(server) == {site.third: True}
    assert count(connect, server, "ann@v.example") == 6


def test_reload_with_a_root_that_is_not_there(site, connect):
    settings = Settings(site.start())
    settings.write(settings.text.replace(site.home, site.place.path + "/no"))
    said = settings.reload(code=EX_CONFIG)
    assert 'users "machine": mail_root %s/no is not a folder' % \
        site.place.path in said
    assert roots(settings.server) == {site.vhosts: True, site.home: True}
    assert count(connect, settings.server, "bea") == 2


def test_restart(site, connect):
    server = site.start()
    bea = signed_in(connect, server, "bea")
    server.ctl("restart")
    assert bea.stat()[0] == 2
    bea.quit()
    for name, n in (("ann@v.example", 3), ("bea", 2)):
        assert count(connect, server, name) == n
    wait_until(lambda: not alive(server.pid), 30)
    server.became()
    assert roots(server) == {site.vhosts: True, site.home: True}


# ---- maloted --check ----

def check(site, blocks, *words, code=0):
    path = site.place.path + "/check.conf"
    with open(path, "w", encoding="utf-8") as f:
        f.write(site.config(blocks) + 'user = "65533"\nauth_user = "65532"\n'
                'db_user = "65530"\n'
                'listener "a" { tls = "none" plaintext_login = yes }\n')
    done = subprocess.run(
        [*site.machine.wrap(), BINARY, "--check", *words, "-c", path],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "STATE_DIRECTORY": site.place.path + "/state"})
    assert done.returncode == code, done
    return done.stdout + done.stderr


def test_check(site):
    said = check(site, site.blocks)
    assert "all is well" in said
    assert said.endswith("mail below %s, %s\n" % (site.vhosts, site.home))
    said = check(site, site.blocks, "--verbose")
    assert '\tmail_root = "%s"\n' % site.home in said
    assert '\tmail = "maildir:~/Maildir"\n' in said
    # In each root its users are tried.
    os.chmod(site.ann, 0)
    os.chown(site.ann, 0, 0)
    assert "ann@v.example could not read mail" in check(site, site.blocks,
                                                        code=EX_CONFIG)


def test_check_users_of_the_second_root(site):
    """The users file may be that of a root behind the first."""
    db = Sqlite(site.place.path)
    blocks = 'users "db" ' + db.block(more='mail_root = "%s"' % site.third) \
        + VIRTUAL % (site.file, "")
    said = check(site, blocks)
    assert "users who can sign in: 1 " in said
    assert said.endswith("mail below %s, %s\n" % (site.third, site.vhosts))


def test_check_slashes_at_the_end_of_a_root(site):
    """The paths of maildrops are cut behind it all the same."""
    blocks = VIRTUAL % (site.file, ' mail_root = "%s//"' % site.vhosts)
    said = check(site, blocks)
    assert "all is well" in said
    assert said.endswith("mail below %s\n" % site.vhosts)


def test_check_two_blocks_of_one_root(site):
    said = check(site, VIRTUAL % (site.file, "") + MACHINE % (
        ' mail = "maildir:%s/of/%%n" mail_root = "%s/"' % (
            site.vhosts, site.vhosts)))
    assert "within" not in said
    assert said.endswith("mail below %s\n" % site.vhosts)


def test_check_a_marker_that_is_missing(site, connect):
    site.start().stop()
    away(site.home)
    said = check(site, site.blocks)
    assert "the mail root %s had a marker and has none now" % site.home in said
    assert "root accept " + site.home in said
    assert "the mail root %s had" % site.vhosts not in said


# ---- the manual, and the page about users ----

@pytest.mark.parametrize("page", [
    "man/maloted.conf.5.scd", "man/pt_BR/maloted.conf.5.scd", "users.md",
    "users.pt-BR.md"])
def test_pages(site, connect, page):
    """Their example, with folders of ours."""
    with open(TOP + "/doc/" + page, encoding="utf-8") as f:
        shown, = re.findall(r'(?s)\n```(?:conf)?\n(mail = "maildir:/var/mail/'
                            r'vhosts/.*?)```', f.read())
    settings, blocks = shown.split("\n\n", 1)
    assert settings.endswith('\nmail_user = "vmail"')
    for there, here in (('"/etc/malote/users"', site.file),
                        ('"/home"', site.home)):
        assert there in blocks
        blocks = blocks.replace(there, '"%s"' % here)
    server = site.start(blocks)
    assert count(connect, server, "ann@v.example") == 3
    assert count(connect, server, "bea") == 2
    assert roots(server) == {site.vhosts: True, site.home: True}
