"""Sites as they are: files that somebody else made, moved or mended."""
import os
import subprocess

import pytest

import drop
import pop3
from server import TOP

pytestmark = [pytest.mark.core, pytest.mark.ours]

BINARY = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")

LIST = ("3 V1400000000 N3 G0123456789abcdef0123456789abcdef\n"
        "1 :1700000000.a\n2 Pold-2 :1700000001.b\n")


def two():
    return [drop.Message("cur", "1700000000.a:2,", b"A: 1\n\nx\n", 1, "m"),
            drop.Message("cur", "1700000001.b:2,", b"A: 2\n\ny\n", 1, "m")]


def put(place, path, text, mode=0o600):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    if place.owner:
        os.chown(path, *place.owner)


def refused(connect, server):
    session = connect(server.port)
    session.ok("USER user")
    line = session.err("PASS secret")
    session.close()
    return line


def test_messages_that_cannot_be_read(place, serve, login):
    """Left out, told with path, reason and remedy, counted, and found again
    as soon as they can be read."""
    stored = b"A: 1\n\nx\n"
    names = ["%d.m,S=8,W=11:2," % i for i in range(30)]
    box = place.maildir([drop.Message("cur", n, stored, 1, "m")
                         for n in names])
    for name in names[1:]:
        os.chmod(box + "/cur/" + name, 0)
    server = serve(box)
    for _ in range(2):
        session = login(server)
        assert session.stat()[0] == 1
        session.retr(1)
        session.quit()
    for event in server.await_event("session", 2) + server.events("login"):
        assert event["left_out"] == "29"
    alone = server.events("message-left-out")
    assert len(alone) == 20
    assert alone[0]["remedy"] == "chmod u+r"
    assert "Permission denied" in alone[0]["error"]
    assert alone[0]["path"] in [box + "/cur/" + n for n in names]
    together = server.events("messages-left-out")
    assert [e["messages"] for e in together] == ["29", "29"]
    for name in names:
        os.chmod(box + "/cur/" + name, 0o600)
    session = login(server)
    assert session.stat()[0] == 30
    session.quit()
    assert server.await_event("session", 3)[2]["left_out"] == "0"


def test_message_that_can_be_read_no_more(place, serve, login):
    """It was listed once: RETR finds out, and the next sign-in leaves it out
    until it is mended."""
    box = place.maildir(two())
    path = box + "/cur/1700000001.b:2,"
    server = serve(box)
    login(server).quit()
    os.chmod(path, 0)
    session = login(server)
    before = session.uidl()
    session.retr(1)
    session.err("RETR 2", "SYS/TEMP")
    session.close()
    server.await_event("message-left-out")
    session = login(server)
    assert session.uidl() == {1: "1700000000.a"}
    session.quit()
    os.chmod(path, 0o600)
    session = login(server)
    assert session.uidl() == before
    session.retr(2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_message_of_another_owner(place, serve, login):
    box = place.maildir(two())
    path = box + "/cur/1700000001.b:2,"
    os.chown(path, 0, 0)
    server = serve(box)
    session = login(server)
    assert session.stat()[0] == 1
    session.quit()
    told, = server.await_event("message-left-out")
    assert told["path"] == path
    assert told["remedy"] == "chown %d" % place.owner[0]
    os.chown(path, *place.owner)
    assert login(server).stat()[0] == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["malote-uidl", "new", "cur"])
def test_file_of_another_owner(place, serve, login, connect, name):
    """As a session by root leaves it: the log names it, and its mending is
    all that there is to do."""
    box = place.maildir(two())
    server = serve(box)
    login(server).quit()
    os.unlink(box + "/malote.index")
    os.chown(box + "/" + name, 0, 0)
    for mode in (0o700, 0o755):
        os.chmod(box + "/" + name, mode)
        assert b"[SYS/" in refused(connect, server)
    closed, other = [e["error"] for e in server.await_event("open-failed", 2)]
    assert closed.startswith(name + ": ")
    assert other.startswith(name + ": ")
    assert other.endswith("belongs to uid 0, not to %d" % place.owner[0])
    os.chown(box + "/" + name, *place.owner)
    assert login(server).stat()[0] == 2


@pytest.mark.parametrize("uidl", ["auto", "dovecot"])
def test_list_that_cannot_be_used_now(place, serve, login, connect, uidl):
    """It refuses the sign-in until it is mended: nobody was shown anything."""
    box = place.maildir(two())
    put(place, box + "/dovecot-uidlist", LIST, mode=0)
    server = serve(box, 'uidl = "%s"\n' % uidl)
    assert b"[SYS/TEMP]" in refused(connect, server)
    told = server.await_event("open-failed")[0]
    assert "dovecot-uidlist" in told["error"]
    assert "mend it" in told["error"]
    assert not [n for n in os.listdir(box) if n.startswith("malote-uidl")]
    os.chmod(box + "/dovecot-uidlist", 0o600)
    session = login(server)
    assert session.uidl() == {1: "0000000153724e00", 2: "old-2"}
    session.quit()
    decided, = server.await_event("uidl-decided")
    assert decided["uidl"] == "dovecot"
    assert decided["pop3_uidl_format"] == "%08Xu%08Xv"
    assert decided["undo"] == "malotectl uidl forget user"
    server.ctl(*decided["undo"].split()[1:], "--yes")
    # Undone: it is decided anew.
    os.unlink(box + "/dovecot-uidlist")
    assert login(server).uidl() == {1: "1700000000.a", 2: "1700000001.b"}


def check(place, uidl):
    """What --check says, of mail below place."""
    put(place, place.path + "/users", "")
    os.chown(place.path + "/users", os.geteuid(), os.getegid())
    put(place, place.path + "/conf",
        'users = "%s/users"\nmail = "maildir:%s/%%d/%%n"\nuidl = "%s"\n'
        'user = "65533"\nauth_user = "65532"\n'
        'listener a {\nport = 20110\ntls = "none"\n'
        'plaintext_login = yes\n}\n'
        % (place.path, place.path, uidl))
    done = subprocess.run([BINARY, "-c", place.path + "/conf", "--check"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "list" in line]


def test_check_looks_for_such_lists(place):
    for name in ("a/good", "a/closed", "b/link", "b/none", "c/decided"):
        os.makedirs(place.path + "/" + name[:1], exist_ok=True)
        box = place.maildir(two(), name)
        if name == "b/link":
            os.symlink("nowhere", box + "/dovecot-uidlist")
        elif name != "b/none":
            put(place, box + "/dovecot-uidlist", LIST,
                0o600 if name == "a/good" else 0)
        if name == "c/decided":
            put(place, box + "/malote-uidl", "malote-uidl 1\n")
    put(place, place.path + "/b/none/courierpop3dsizelist", "junk\n")
    told = check(place, "auto")
    assert len(told) == 3
    for name in ("a/closed/dovecot-uidlist", "b/link/dovecot-uidlist",
                 "b/none/courierpop3dsizelist"):
        assert [t for t in told if place.path + "/" + name in t]
    assert len(check(place, "courier")) == 1
    assert check(place, "filename") == []


def test_list_that_comes_with_the_mail(place, serve, login):
    """An account is tried before its mail is there."""
    box = place.maildir()
    server = serve(box)
    login(server).quit()
    place.add(box, two())
    put(place, box + "/dovecot-uidlist", LIST)
    session = login(server)
    assert session.uidl() == {1: "0000000153724e00", 2: "old-2"}
    assert pop3.digest(session.retr(2)) == pop3.digest(
        b"A: 2\r\n\r\ny\r\n")


def test_restore_that_keeps_times(place, serve, login):
    """The folder has the time that it had before the mail came back."""
    box = place.maildir(two())
    server = serve(box)
    login(server).quit()
    login(server).quit()
    before = os.stat(box + "/cur")
    drop.write(box, [drop.Message("cur", "1700000002.c:2,", b"A: 3\n\nz\n", 1,
                                  "m")], place.owner)
    os.utime(box + "/cur", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert login(server).stat()[0] == 3


def test_many_names_with_colons(place, serve, login):
    """What stands before the colon is the same: each is a message still."""
    box = place.maildir([
        drop.Message("cur", "2020-01-01T12:%d.eml" % i, b"A: %d\n\n" % i, 1,
                     "m") for i in range(150)])
    server = serve(box)
    session = login(server)
    first = session.uidl()
    assert len(set(first.values())) == 150
    texts = {uid: session.retr(n) for n, uid in first.items()}
    assert len(set(texts.values())) == 150
    gone = [first[n] for n in range(1, 101)]
    for n in range(1, 101):
        session.ok("DELE %d" % n)
    session.quit()
    os.unlink(box + "/malote.index")
    session = login(server)
    left = {uid: session.retr(n) for n, uid in session.uidl().items()}
    assert left == {u: t for u, t in texts.items() if u not in gone}
    assert len(server.events("double-name")) == 1


class TestMaildirsize:
    """What is removed is said to those who keep the quota (Maildir++)."""

    @pytest.fixture
    def box(self, place):
        return place.maildir([
            drop.Message("cur", "1.a,S=100:2,S", b"A: 1\n\nx\n", 1, "m"),
            drop.Message("cur", "2.b:2,", b"A: 2\n\nyy\n", 1, "m"),
            drop.Message("new", "3.c", b"A: 3\n\n", 1, "m")])

    def remove(self, login, server, *numbers):
        session = login(server)
        for n in numbers:
            session.ok("DELE %d" % n)
        session.quit()

    def test_one_line(self, place, serve, login, box):
        put(place, box + "/maildirsize", "20000S\n115 3\n")
        server = serve(box)
        self.remove(login, server)
        assert open(box + "/maildirsize").read() == "20000S\n115 3\n"
        self.remove(login, server, 1, 2)
        assert open(box + "/maildirsize").read() == (
            "20000S\n115 3\n-109 -2\n")

    def test_none_is_made(self, serve, login, box):
        self.remove(login, serve(box), 1)
        assert not os.path.exists(box + "/maildirsize")

    def test_not_ours(self, place, serve, login, box):
        """A link is not followed, and the mail goes all the same."""
        put(place, place.path + "/other", "x\n")
        os.symlink("../other", box + "/maildirsize")
        server = serve(box)
        self.remove(login, server, 1, 2, 3)
        assert drop.files(box) == set()
        assert open(place.path + "/other").read() == "x\n"
        told, = server.await_event("maildirsize-not-told")
        assert told["error"] == "a symbolic link"


class TestSymlinkedMaildrop:
    def start(self, place, serve, allowed, to="real"):
        box = place.maildir(two())
        server = serve(box, "maildrop_symlinks = %s\n" % allowed)
        os.rename(box, place.path + "/real")
        os.symlink(to, box)
        return server

    def test_refused(self, place, serve, connect):
        """With words that say what it is and what allows it."""
        server = self.start(place, serve, "no")
        assert b"[SYS/PERM]" in refused(connect, server)
        told, = server.await_event("open-failed")
        assert "a symbolic link" in told["error"]
        assert "maildrop_symlinks = yes" in told["error"]

    def test_allowed(self, place, serve, login):
        server = self.start(place, serve, "yes")
        session = login(server)
        assert set(session.uidl().values()) == {"1700000000.a",
                                                "1700000001.b"}
        session.retr(1)
        session.ok("DELE 1")
        session.quit()
        assert drop.files(place.path + "/real") == {"cur/1700000001.b:2,"}
        login(server).quit()
        assert login(server).stat()[0] == 1

    def test_leads_nowhere(self, place, serve, connect):
        server = self.start(place, serve, "yes", "nowhere")
        assert b"[SYS/" in refused(connect, server)
        told, = server.await_event("open-failed")
        assert "a symbolic link" in told["error"]
        assert not os.path.exists(place.path + "/nowhere")

    def test_files_in_it_are_not_followed(self, place, serve, login):
        server = self.start(place, serve, "yes")
        os.symlink("1700000000.a:2,", place.path + "/real/cur/3.c:2,")
        assert login(server).stat()[0] == 2

    def test_one_is_made_all_the_same(self, place, serve, login):
        box = place.maildir()
        server = serve(box, "maildrop_symlinks = yes\n")
        os.rename(box, place.path + "/away")
        assert login(server).stat() == (0, 0)
        assert os.path.isdir(box + "/cur")
