"""delete_mine: what the person has deleted here is deleted there, and nothing else."""
import os
import platform
import re
import shutil
import subprocess

import pytest

import malote
from hostile import letters
from malote import CONFIG, same
from test_malote_kill import ENV, KILLED, spread
from test_malote_rules import LIST, MATCHES, mail

pytestmark = malote.NEEDED
killer_works = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")
HELD = 65


def file_of(m, mail, where="mail"):
    """The path of its file here."""
    [path] = [p for p, octets in m.files(where).items()
              if octets == mail.local]
    return os.path.join(m.home, where, path)


def flag(m, mail, flags="ST", where="mail"):
    """As a mail program marks it."""
    path = file_of(m, mail, where)
    folder = os.path.dirname(os.path.dirname(path))
    base = os.path.basename(path).split(":")[0]
    os.rename(path, "%s/cur/%s:2,%s" % (folder, base, flags))


def into(m, mail, folder, name=None, flags="S"):
    """Moves it into a folder of the Maildir, by another name if one is given."""
    path = file_of(m, mail)
    top = "%s/mail/.%s" % (m.home, folder)
    for part in ("new", "cur", "tmp"):
        os.makedirs(top + "/" + part, exist_ok=True)
    base = name or os.path.basename(path).split(":")[0]
    os.rename(path, "%s/cur/%s:2,%s" % (top, base, flags))


@pytest.fixture(params=["yes", "30d"])
def scene(request, lie, client):
    """Ten messages, here and there."""
    mails = letters(10)
    server = lie(list(mails))
    m = client().account(at=server, keep=request.param, delete_mine="yes",
                         trash="Trash Lixo")
    m.collect()
    return m, server, mails


def gone(server, mails, m, which, **more):
    """After a run these have gone from the server, and all else is there; and
    nothing was downloaded."""
    malote.again(m, server, **more)
    assert server.numbers("RETR") == []
    same([x.uid for x in server.box.mails],
         [x.uid for n, x in enumerate(mails) if n not in which])


def test_flag_t(scene):
    """T, and no other flag; whatever became of the file afterwards."""
    m, server, mails = scene
    gone(server, mails, m, [])
    flag(m, mails[2])
    flag(m, mails[3], "FRS")
    gone(server, mails, m, [2])
    assert len(server.numbers("TOP")) == 1
    os.unlink(file_of(m, mails[2]))
    gone(server, mails, m, [2])


def test_trash(scene):
    """A folder that is named; by the name of the file, or by the header."""
    m, server, mails = scene
    into(m, mails[1], "Trash")
    into(m, mails[4], "Lixo", "1763789012.M1P1.host,S=5", "")
    into(m, mails[5], "Archive")
    into(m, mails[6], "Archive", "1763789012.M2P1.host", "ST")
    gone(server, mails, m, [1, 4, 6])


@pytest.mark.parametrize("how", [
    "purged", "emptied", "away", "empty disk", "folder away", "unreadable"])
def test_what_is_missing_says_nothing(scene, how):
    m, server, mails = scene
    top = m.home + "/mail"
    if how == "purged":
        for one in mails[:6]:
            os.unlink(file_of(m, one))
    elif how == "emptied":
        for path in m.files():
            os.unlink(top + "/" + path)
    elif how == "away":
        os.rename(top, m.home + "/unmounted")
    elif how == "empty disk":
        os.rename(top, m.home + "/unmounted")
        os.mkdir(top)
    elif how == "folder away":
        into(m, mails[1], "Archive")
        shutil.rmtree(top + "/.Archive")
    else:
        os.rename(top + "/cur", m.home + "/cur")
        os.symlink(m.home + "/cur", top + "/cur")
        for one in mails[:1]:
            path = file_of(m, one)
            os.rename(path, "%s/cur/%s:2,T" % (
                m.home, os.path.basename(path)))
    malote.again(m, server, status=None)
    assert server.box.removed == [] and server.numbers("DELE") == []


def test_another_copy_is_here(scene):
    """Deleted here and not deleted is not deleted; as after a backup was
    restored."""
    m, server, mails = scene
    path = file_of(m, mails[0])
    with open(path, "rb") as f:
        octets = f.read()
    flag(m, mails[0])
    with open(path, "wb") as f:
        f.write(octets)
    gone(server, mails, m, [])
    os.unlink(path)
    gone(server, mails, m, [0])


def test_many_at_once(lie, client):
    """More than half: the person is to say that it is right."""
    mails = letters(30)
    server = lie(list(mails))
    m = client().account(at=server, delete_mine="yes", trash="Trash")
    m.collect()
    for one in mails[:20]:
        into(m, one, "Trash")
    done = malote.again(m, server, status=HELD)
    assert "20 messages were deleted here" in done.text
    gone(server, mails, m, [], status=HELD)
    malote.again(m, server, status=HELD)
    assert server.box.removed == []
    m.collect("--accept")
    assert server.box.mails == mails[20:]
    gone(server, mails, m, range(20))


def test_half_is_not_many(lie, client):
    mails = letters(40)
    server = lie(list(mails))
    m = client().account(at=server, delete_mine="yes")
    m.collect()
    for one in mails[:20]:
        flag(m, one)
    gone(server, mails, m, range(20))


def test_two_accounts_in_one_maildir(lie, client):
    """What one has deleted of its own is not deleted of the other's."""
    mails = letters(3)
    one = lie(list(mails), user="one")
    other = lie(list(mails), user="other")
    m = client()
    for name, server in (("one", one), ("other", other)):
        m.account(name, at=server, user=name, delete_mine="yes")
    m.collect("one")
    first = set(m.files())
    m.collect("other")
    [path] = [p for p in first if m.files()[p] == mails[0].local]
    os.rename("%s/mail/%s" % (m.home, path), "%s/mail/cur/%s:2,T" % (
        m.home, os.path.basename(path)))
    m.collect()
    same([x.uid for x in one.box.mails], [x.uid for x in mails[1:]])
    assert other.box.mails == mails


def test_a_renamed_account(scene):
    """The names of files still say the account's old name."""
    m, server, mails = scene
    m.accounts["lar"] = m.accounts.pop("casa")
    flag(m, mails[2])
    into(m, mails[3], "Lixo")
    gone(server, mails, m, {2, 3})


def test_another_message_of_that_name(scene):
    """A unique-id that stands for another message now, of the same size."""
    m, server, mails = scene
    flag(m, mails[3])
    other = letters(1, seed=31, first=50)[0]
    other.uid, other.size = mails[3].uid, mails[3].listed
    server.box.mails[3] = other
    m.collect(status=None)
    assert server.box.removed == []


def test_record_of_a_backup(scene):
    """A record of before: what has come since is collected again, and what was
    deleted here is still that; nothing else is deleted."""
    m, server, mails = scene
    shutil.copytree(m.state, m.home + "/backup")
    more = letters(2, first=20)
    server.box.mails += more
    m.collect()
    flag(m, more[0])
    shutil.rmtree(m.state)
    os.rename(m.home + "/backup", m.state)
    m.collect()
    assert set(server.box.removed) <= {more[0]}
    m.lose_state()
    m.collect()
    assert set(server.box.removed) <= {more[0]}


class Reader:
    """Dovecot as the person's mail program, on the Maildir of a home."""

    def __init__(self, m):
        self.m = m
        uid = os.getuid() or 65534    # it is never root's
        with open(m.home + "/reader.conf", "w") as f:
            f.write("mail_location = maildir:%s/mail\nmail_uid = %d\n"
                    "mail_gid = %d\nfirst_valid_uid = 1\nbase_dir = %s/run\n"
                    "log_path = /dev/stderr\nstats_writer_socket_path =\n"
                    "namespace {\n  inbox = yes\n  separator = /\n}\n" % (
                        m.home, uid, os.getgid() or 65534, m.home))
        if not os.getuid():
            for path in (m.home, os.path.dirname(m.home)):
                os.chmod(path, 0o755)
            subprocess.run(["chown", "-R", "65534:65534", m.home + "/mail"],
                           check=True)

    def __call__(self, *words):
        subprocess.run(["doveadm", "-c", self.m.home + "/reader.conf", *words],
                       env={**self.m.env, "USER": "x"}, check=True,
                       capture_output=True, timeout=60)


@pytest.mark.skipif(not shutil.which("doveadm"), reason="needs Dovecot")
def test_by_dovecot(lie, client):
    """What a real program does when one deletes, moves, copies and purges."""
    mails = [mail(n, "Received: by %d" % n, "Subject: s%d." % n)
             for n in range(8)]
    server = lie(list(mails))
    m = client().account(at=server, delete_mine="yes", trash="Trash")
    m.collect()
    reader = Reader(m)
    for folder in ("Trash", "Kept"):
        reader("mailbox", "create", folder)
    reader("flags", "add", "\\Deleted", "mailbox", "INBOX", "subject", "s1.")
    reader("move", "Trash", "mailbox", "INBOX", "subject", "s2.")
    reader("copy", "Trash", "mailbox", "INBOX", "subject", "s3.")
    reader("move", "Kept", "mailbox", "INBOX", "subject", "s4.")
    reader("expunge", "mailbox", "INBOX", "subject", "s5.")
    reader("flags", "add", "\\Seen \\Flagged", "mailbox", "INBOX", "subject",
           "s6.")
    gone(server, mails, m, [1, 2])
    reader("expunge", "mailbox", "INBOX", "deleted")
    reader("move", "INBOX", "mailbox", "Trash", "subject", "s2.")
    reader("expunge", "mailbox", "Trash", "all")
    gone(server, mails, m, [1, 2])
    reader("expunge", "mailbox", "INBOX", "all")
    gone(server, mails, m, [1, 2])


def test_off(lie, client):
    """By default nothing is looked at."""
    mails = letters(2)
    server = lie(list(mails))
    m = client().account(at=server)
    m.collect()
    flag(m, mails[0])
    gone(server, mails, m, [])


def test_place_of_a_rule(lie, client):
    mails = [mail(1, LIST), mail(2)]
    server = lie(list(mails))
    m = client().account(at=server, delete_mine="yes")
    m.rules = {"list": {"match": MATCHES["lists"], "deliver": "maildir:./x"}}
    m.collect()
    flag(m, mails[0], where="x")
    gone(server, mails, m, [0])


@pytest.mark.parametrize("settings,words", [
    ({"trash": "Trash"}, "nothing looks into it"),
    ({"delete_mine": "yes", "deliver": "mbox:x"}, "looks into a Maildir"),
    ({"delete_mine": "yes", "trash": "a/b"}, "cannot be a folder")])
def test_what_is_wrong_is_said(client, settings, words):
    m = client().account(at=1, **settings)
    assert words in m.collect(status=CONFIG).text


@killer_works
@pytest.mark.parametrize("places", [
    6, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, killer, places):
    """Two are deleted there, and never another; that is so after a purge, too,
    of what was deleted."""
    mails = letters(5)

    def begin(n):
        server = lie(list(mails))
        m = client("home%d" % n).account(at=server, delete_mine="yes")
        m.collect()
        flag(m, mails[1])
        flag(m, mails[4], "T")
        server.box.mails += letters(1, first=9)
        server.forget()
        return server, m

    server, m = begin(0)
    total = int(re.search(r"changes (\d+)", m.collect(
        wrap=[killer, "0", "before"], env=ENV, seconds=60).text).group(1))
    hit = 0
    for n in spread(total, places):
        server, m = begin(n)
        code = m.collect(wrap=[killer, str(n), "before"], env=ENV,
                         status=None, seconds=60).code
        assert code in (0, KILLED), code
        hit += code == KILLED
        m.collect()
        same([x.uid for x in server.box.removed], ["u2", "u5"])
        same([x.uid for x in server.box.mails], ["u1", "u3", "u4", "u9"])
        server.stop()
    assert hit >= len(spread(total, places)) // 2
