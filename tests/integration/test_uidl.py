"""A UIDL once shown never changes; and it agrees with other servers' lists."""
import glob
import os
import shutil
import subprocess

import pytest

import drop
import pop3

pytestmark = [pytest.mark.core, pytest.mark.ours]

needs_dovecot = pytest.mark.skipif(
    not os.path.exists("/usr/sbin/dovecot"), reason="dovecot is not installed")


def uidls(login, server, user="user"):
    """{UIDL: digest of the message}."""
    session = login(server, user)
    seen = {uid: pop3.digest(session.retr(n))
            for n, uid in session.uidl().items()}
    session.quit()
    return seen


@pytest.fixture
def messages():
    return drop.make(31, 60) + drop.odd()


def test_new_session(place, serve, login, messages):
    """S-1939-32: also after a session without UPDATE, and a new server."""
    box = place.maildir(messages)
    server = serve(box)
    first = uidls(login, server)
    assert len(first) == len(messages)
    login(server).close()
    server.stop()
    assert uidls(login, serve(box)) == first


def test_without_the_index(place, serve, login, messages):
    box = place.maildir(messages)
    server = serve(box)
    first = uidls(login, server)
    for name in os.listdir(box):
        if name.startswith("malote.index"):
            os.unlink(box + "/" + name)
    assert uidls(login, server) == first
    server.stop()
    for name in os.listdir(box):
        if name.startswith("malote."):
            os.unlink(box + "/" + name)
    assert uidls(login, serve(box)) == first


def test_flags_and_folders(place, serve, login, messages):
    """S-ENG-09: new to cur, and any change of flags."""
    box = place.maildir(messages)
    server = serve(box)
    first = uidls(login, server)
    for flags in (":2,", ":2,S", ":2,FRS", ":2,a", ""):
        for path in drop.files(box):
            base = path.split("/")[1].split(":")[0]
            os.rename(box + "/" + path, box + "/cur/" + base + flags)
        assert uidls(login, server) == first


@pytest.mark.parametrize("how", [["cp", "-a"], ["cp", "-r"]])
def test_copied_elsewhere(place, serve, login, messages, how):
    box = place.maildir(messages)
    first = uidls(login, serve(box))
    moved = place.path + "/restored"
    subprocess.run(how + [box, moved], check=True)
    if place.owner:
        subprocess.run(["chown", "-R", "%d:%d" % place.owner, moved],
                       check=True)
    assert uidls(login, serve(moved)) == first


def test_order_of_delivery_and_removal(place, serve, login):
    """Some go, some come: those that stay keep theirs."""
    messages = drop.make(32, 90)
    box = place.maildir(messages[:30])
    server = serve(box)
    known = {}
    for i in range(3):
        seen = uidls(login, server)
        for uid in set(known) & set(seen):
            assert seen[uid] == known[uid]
        known.update(seen)
        session = login(server)
        for n in range(1, 30, 3):
            session.ok("DELE %d" % n)
        session.quit()
        place.add(box, messages[30 * (i + 1):30 * (i + 2)])
        # Somebody else removes one, too.
        os.unlink(box + "/" + sorted(drop.files(box))[0])
    seen = uidls(login, server)
    assert len(seen) == len(drop.files(box))


def test_forbidden_names_have_their_own(place, serve, login):
    """Too long, or with octets that POP3 forbids: distinct, and kept."""
    names = ["x" * 71, "x" * 72, "x" * 200, "x" * 199 + "y", "a b", "a  b",
             "é", "\x7f", "a\tb"]
    messages = [drop.Message("new", name, b"%d\n\n" % i, drop.EPOCH, "n")
                for i, name in enumerate(names)]
    box = place.maildir(messages)
    server = serve(box)
    first = uidls(login, server)
    assert len(first) == len(names)
    for path in drop.files(box):
        os.rename(box + "/" + path, box + "/cur/" + path[4:] + ":2,S")
    for name in os.listdir(box):
        if name.startswith("malote.index"):
            os.unlink(box + "/" + name)
    assert uidls(login, server) == first


def test_same_base_name_twice(place, serve, login):
    """As a clumsy copy leaves them: two messages, two UIDLs."""
    box = place.maildir([
        drop.Message("new", "1.twice", b"A: 1\n\n", drop.EPOCH, "t"),
        drop.Message("cur", "1.twice:2,S", b"A: 2\n\n", drop.EPOCH, "t"),
        drop.Message("cur", "1.twice:2,", b"A: 3\n\n", drop.EPOCH, "t")])
    server = serve(box)
    first = uidls(login, server)
    assert len(first) == len(set(first.values())) == 3
    assert uidls(login, server) == first


COURIER = """/3 9 1700000123
1700000000.one,S=10 11 3:1700000123:0
1700000001.two words,S=10 11 4:1700000123:0
1700000002.three,S=10 11 5:0:0
1700000003.four,S=10 11 0:0:0
"""


def test_courier(place, serve, login):
    """F-CPL-01."""
    box = place.maildir([
        drop.Message("cur", "1700000000.one,S=10:2,", b"A: 1\n\nxx\n", 1, "c"),
        drop.Message("cur", "1700000001.two words,S=10:2,S", b"A: 2\n\nxx\n",
                     1, "c"),
        drop.Message("cur", "1700000002.three,S=10:2,", b"A: 3\n\nxx\n", 1,
                     "c"),
        drop.Message("cur", "1700000003.four,S=10:2,", b"A: 4\n\nxx\n", 1,
                     "c")])
    with open(box + "/courierpop3dsizelist", "w") as f:
        f.write(COURIER)
    if place.owner:
        os.chown(box + "/courierpop3dsizelist", *place.owner)
    server = serve(box)
    first = uidls(login, server)
    wanted = {"UID3-1700000123": b"A: 1", "UID4-1700000123": b"A: 2",
              "UID5": b"A: 3", "1700000003.four,S=10": b"A: 4"}
    assert first == {uid: pop3.digest(text + b"\r\n\r\nxx\r\n")
                     for uid, text in wanted.items()}
    # Imported for ever: the list is not needed any more.
    os.unlink(box + "/courierpop3dsizelist")
    os.unlink(box + "/malote.index")
    assert uidls(login, server) == first


@needs_dovecot
class TestDovecot:
    """Dovecot serves the same Maildir, before or beside us."""

    @pytest.fixture
    def both(self, place, serve):
        if place.owner is None and os.geteuid() == 0:
            pytest.skip("Dovecot serves nothing as root")
        messages = drop.short(drop.peaceful(drop.make(33, 130)))[:80]
        box = place.maildir(messages[:40])

        def start(config, dovecot="", theirs_first=True):
            theirs = serve(box, peer="dovecot", peer_config=dovecot)
            return theirs, serve(box, config)
        return box, messages, start

    def test_file_names(self, both, login):
        """pop3_uidl_format = %f is our default."""
        box, messages, start = both
        theirs, ours = start('uidl = "filename"\n',
                             "pop3_uidl_format = %f\n")
        assert uidls(login, ours) == uidls(login, theirs)
        assert uidls(login, ours) == uidls(login, theirs)

    @pytest.mark.parametrize("format", [None, "%08Xu%08Xv", "%v-%u", "%u",
                                        "%v.%u", "UID%u-%v"])
    def test_import(self, both, login, format):
        """uidl = auto: what is there at the first opening stays."""
        box, messages, start = both
        ours_too = ('pop3_uidl_format = "%s"\n' % format) if format else ""
        theirs, ours = start(ours_too, "pop3_uidl_format = %s\n" % (
            format or "%08Xu%08Xv"))
        first = uidls(login, theirs)
        assert uidls(login, ours) == first
        os.unlink(box + "/malote.index")
        os.rename(box + "/dovecot-uidlist", box + "/gone")
        assert uidls(login, ours) == first

    def test_beside(self, both, place, login):
        """uidl = dovecot: new mail, flags and removals, by turns."""
        box, messages, start = both
        theirs, ours = start('uidl = "dovecot"\n')
        for i in range(4):
            first = uidls(login, theirs)
            assert uidls(login, ours) == first
            session = login(ours if i % 2 else theirs)
            for n in (1, 2, 5):
                session.ok("DELE %d" % n)
            session.quit()
            second = uidls(login, theirs)
            assert len(second) == len(first) - 3
            assert uidls(login, ours) == second
            place.add(box, messages[40 + 10 * i:50 + 10 * i])

    def test_doveadm_changes(self, both, login):
        """Flags set, messages expunged, by Dovecot's own tool."""
        box, messages, start = both
        theirs, ours = start('uidl = "dovecot"\n')
        first = uidls(login, theirs)
        assert uidls(login, ours) == first
        config, = glob.glob(theirs.server_tmp + "/*/dovecot.conf")
        for command in (["flags", "add", "-u", "user", r"\Seen \Flagged",
                         "mailbox", "INBOX", "1:20"],
                        ["expunge", "-u", "user", "mailbox", "INBOX", "5:9"]):
            subprocess.run(["doveadm", "-c", config, *command], check=True,
                           timeout=20)
        second = uidls(login, theirs)
        assert len(second) == len(first) - 5
        assert uidls(login, ours) == second

    def test_a_list_that_appears_later(self, both, place, login):
        """It is ignored, and the log says so when new mail comes."""
        box, messages, start = both
        theirs, ours = start("")
        first = uidls(login, ours)
        uidls(login, theirs)
        assert uidls(login, ours) == first
        place.add(box, messages[40:42])
        second = uidls(login, ours)
        assert first.items() < second.items()
        assert {m.base for m in messages[40:42]} < set(second)
        assert "dovecot-uidlist" in ours.log_text()


def test_other_programs_between_sessions(place, serve, login):
    """mutt's way: into cur with flags, headers rewritten under a new name."""
    messages = drop.make(34, 40)
    box = place.maildir(messages)
    server = serve(box)
    first = uidls(login, server)
    some = sorted(drop.files(box))[:20]
    for i, path in enumerate(some):
        base = path.split("/")[1].split(":")[0]
        if i % 4 == 0:     # read
            os.rename(box + "/" + path, box + "/cur/" + base + ":2,S")
        elif i % 4 == 1:   # removed
            os.unlink(box + "/" + path)
        elif i % 4 == 2:   # edited: new name, other octets
            with open(box + "/tmp/x", "wb") as f:
                f.write(open(box + "/" + path, "rb").read() + b"edited\n")
            if place.owner:
                os.chown(box + "/tmp/x", *place.owner)
            os.rename(box + "/tmp/x", box + "/cur/edited%d:2,S" % i)
            os.unlink(box + "/" + path)
        else:              # away and back
            shutil.move(box + "/" + path, box + "/tmp/" + base)
            shutil.move(box + "/tmp/" + base, box + "/new/" + base)
    second = uidls(login, server)
    assert len(second) == 35
    for uid in set(first) & set(second):
        assert first[uid] == second[uid]
    assert len(set(first) & set(second)) == 30
    session = login(server)
    for n, size in session.list().items():
        assert len(session.retr(n)) == size
