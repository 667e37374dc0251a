"""What is acknowledged is on the disk: each sync is made, before the words are
said, and one that fails counts as none.  (S-ENG-14, C-ENG-26.)"""
import os
import signal
import sqlite3
import subprocess

import pytest

import drop
import faults
import malote
import trace
from hostile import letters
from test_malotectl import CTL, names, users  # noqa: F401

pytestmark = [pytest.mark.ours, trace.NEEDED]
# A tracer and LeakSanitizer exclude each other.
DELETING, GONE = 1, 2  # places of the record
EX_CONFIG = 78
ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
       + ":detect_leaks=0"}


def message(folder, number):
    name = "%d.M1P1.host" % (1700000000 + number)
    return drop.Message(folder, name + (":2,S" if folder == "cur" else ""),
                        b"Subject: %d\n\nx\n" % number,
                        1700000000 + number, "plain")


def maildrop(place):
    return place.maildir([message("new", 1), message("new", 2),
                          message("cur", 3), message("cur", 4)])


def calls(server):
    return server.roles("store") + server.roles("worker")


# ---- the server ----

@pytest.mark.parametrize("marked, folder", [(1, "new"), (3, "cur")])
def test_update(place, serve, login, tmp_path, marked, folder):
    """The folder is synced behind the removal, before QUIT's +OK."""
    box = maildrop(place)
    server = serve(box)
    session = login(server)
    session.ok("DELE %d" % marked)
    with trace.attached(calls(server), tmp_path / "t"):
        session.quit()
    found = trace.events(tmp_path / "t")
    removed = trace.last(found, lambda e: e.call == "unlinkat"
                         and e.done and "/%s>" % folder in e.args)
    said = trace.first(found, lambda e: e.says("+OK"))
    synced = trace.first(found, lambda e: e.is_sync("/" + folder))
    assert removed < synced < said
    assert len(os.listdir(box + "/" + folder)) == 1


def test_update_that_cannot_be_synced(place, serve, login, tmp_path):
    """What is not known to be on the disk does not count as removed."""
    server = serve(maildrop(place))
    session = login(server)
    session.ok("DELE 1")
    session.ok("DELE 3")
    with trace.attached(server.roles("store"), tmp_path / "t",
                        "fsync:error=EIO"):
        session.err("QUIT", "SYS/TEMP")
    assert server.await_event("sync-failed")


def test_trash(place, serve, login, tmp_path):
    """What is kept is on the disk where it is kept before QUIT's +OK, and then
    only where it was."""
    box = maildrop(place)
    server = serve(box, "trash = yes\n")
    session = login(server)
    session.ok("DELE 1")
    with trace.attached(calls(server), tmp_path / "t"):
        session.quit()
    found = trace.events(tmp_path / "t")
    moved = trace.first(found, lambda e: e.call == "renameat2" and e.done)
    kept = trace.first(found, lambda e: e.is_sync("/.Trash/cur"))
    made = trace.first(found, lambda e: e.is_sync("/.Trash"))
    gone = trace.last(found, lambda e: e.is_sync("/new"))
    said = trace.first(found, lambda e: e.says("+OK"))
    assert made < moved < kept < gone < said
    assert len(os.listdir(box + "/.Trash/cur")) == 1
    assert server.events("removed")[0]["to"] == "trash"


def test_trash_is_no_folder(place, serve, login):
    """Nothing is removed, and the log says where the trouble is."""
    box = maildrop(place)
    with open(box + "/.Trash", "w"):
        pass
    server = serve(box, "trash = yes\n")
    session = login(server)
    session.ok("DELE 1")
    session.err("QUIT", "SYS/TEMP")
    assert server.await_event("remove-failed")[0]["to"] == "trash"


def test_trash_that_cannot_be_synced(place, serve, login, tmp_path):
    """It is gone from where it was, and may be nowhere: that is told."""
    box = maildrop(place)
    other = place.maildir([], "trash")
    os.rename(other, box + "/.Trash")
    server = serve(box, "trash = yes\n")
    session = login(server)
    session.ok("DELE 1")
    with trace.attached(server.roles("store"), tmp_path / "t",
                        "fsync:error=EIO:when=1"):
        session.err("QUIT", "SYS/TEMP")
    assert server.await_event("sync-failed")


def test_update_that_nobody_answers(place, serve, login):
    """The store dies before it has committed."""
    box = maildrop(place)
    server = serve(box)
    session = login(server)
    session.ok("DELE 1")
    store, = server.roles("store")
    os.kill(store, signal.SIGSTOP)
    # What is said to NOOP leaves when QUIT has been taken, too.
    session.send("NOOP\r\nQUIT\r\n")
    assert session.line().startswith(b"+OK")
    os.kill(store, signal.SIGKILL)
    assert session.line().startswith(b"-ERR [SYS/TEMP]")


@pytest.fixture
def listed(place):
    """A maildrop whose unique-ids have to be written down."""
    box = maildrop(place)
    with open(box + "/dovecot-uidlist", "w") as f:
        f.write("3 V255 N9 G0\n7 :1700000001.M1P1.host\n")
    if place.owner:
        os.chown(f.name, *place.owner)
    return box


def test_unique_ids(place, serve, listed, login, tmp_path):
    """malote-uidl and its folder, before the maildrop is open."""
    other = place.maildir([], "other")
    server = serve([("user", "secret", listed), ("other", "secret", other)])
    login(server, "other").quit()  # the store of the uid is there
    with trace.attached(calls(server), tmp_path / "t"):
        login(server).quit()
    found = trace.events(tmp_path / "t")
    written = trace.last(found, lambda e: e.call == "write"
                         and "/malote-uidl>" in e.args)
    synced = trace.first(found, lambda e: e.is_sync("/malote-uidl"))
    folder = trace.first(found, lambda e: e.is_sync("/Maildir"))
    said = trace.first(found, lambda e: e.says("+OK 4 messages"))
    assert written < synced < folder < said


def forgetting(server, file, fail=None, code=0):
    """malotectl uidl forget; what the store did."""
    with trace.attached(server.roles("store"), file, fail):
        server.ctl("uidl", "forget", "user", "--yes", code=code)
    return trace.events(file)


def test_unique_ids_that_are_forgotten(serve, listed, login, tmp_path):
    """The index is gone for good before malote-uidl is: without either of
    them messages would have other unique-ids."""
    server = serve(listed)
    login(server).quit()
    found = forgetting(server, tmp_path / "t")
    index = trace.first(found, lambda e: e.call == "unlinkat" and e.done
                        and "malote.index" in e.args)
    renamed = trace.first(found, lambda e: e.call == "renameat" and e.done
                          and "malote-uidl.old" in e.args)
    synced = [i for i, e in enumerate(found) if e.is_sync("/Maildir")]
    assert len(synced) == 2 and index < synced[0] < renamed < synced[1]


@pytest.mark.parametrize("nth", [1, 2])
def test_forgetting_that_cannot_be_synced(serve, listed, login, tmp_path,
                                          nth):
    server = serve(listed)
    login(server).quit()
    forgetting(server, tmp_path / "t", "fsync:error=EIO:when=%d" % nth,
               EX_CONFIG)
    assert os.path.exists(listed + "/malote-uidl") == (nth == 1)


# ---- the client ----

def client_of(client, server, **settings):
    return client().account(at=server, keep="no", **settings)


def places(m):
    """Where the record says that the messages are."""
    with sqlite3.connect(m.state + "/state.db") as db:
        return [row[0] for row in db.execute("SELECT place FROM message")]


@malote.NEEDED
def test_collected(lie, client, tmp_path):
    """Files, their folder, the intents; the new names; "stored"; and only
    then DELE."""
    server = lie(letters(3))
    m = client_of(client, server)
    m.collect(wrap=trace.command(tmp_path / "t"), env=ENV)
    found = trace.events(tmp_path / "t")
    renamed = [i for i, e in enumerate(found)
               if e.call == "renameat2" and "mail/new" in e.args]
    assert len(renamed) == 3
    dele = trace.first(found, lambda e: e.says("DELE"))
    files = [i for i, e in enumerate(found)
             if e.call in trace.SYNCS and "mail/tmp/" in e.args]
    tmp = trace.last(found[:renamed[0]], lambda e: e.is_sync("mail/tmp"))
    intents = trace.last(found[:renamed[0]],
                         lambda e: e.is_sync("state.db-wal"))
    new = trace.first(found, lambda e: e.is_sync("mail/new"))
    stored = trace.first(found[new:], lambda e: e.is_sync("state.db-wal"))
    assert len(files) == 3 and files[-1] < tmp < intents < renamed[0]
    assert renamed[-1] < new < new + stored < dele
    assert server.box.mails == []


@malote.NEEDED
@pytest.mark.parametrize("calls", ["fsync", "fdatasync"])
def test_collected_that_cannot_be_synced(lie, client, tmp_path, calls):
    """fdatasync is SQLite's."""
    server = lie(letters(3))
    m = client_of(client, server)
    m.collect(wrap=trace.command(tmp_path / "t", calls + ":error=EIO"),
              env=ENV, status="bad")
    assert not server.box.removed
    m.collect()
    malote.settled(server, m, server.box.removed, keep=False)


def fails(m, server, tracer, tmp_path):
    """Whether a sync has failed as the tracer wants it: nothing is deleted that
    it was for, and the next run has all."""
    m.collect(wrap=tracer, env=ENV, status=None)
    failed = [e for e in trace.events(tmp_path / "t")
              if e.call == "fsync" and not e.done and "/mail/" in e.args]
    assert not failed or not server.box.removed, failed
    m.collect()
    assert len(m.files()) == 3
    return bool(failed)


@malote.NEEDED
@pytest.mark.parametrize("folder", ["tmp", "new"])
def test_folder_whose_sync_fails(lie, client, tmp_path, folder):
    server = lie(letters(3))
    m = client_of(client, server)
    tracer = trace.command(tmp_path / "t", "fsync:error=EIO")
    assert fails(m, server,
                 [*tracer, "-P", m.home + "/mail/" + folder], tmp_path)


@malote.NEEDED
def test_one_sync_that_fails(lie, client, tmp_path):
    """Whichever it is; each thread counts its own."""
    n = 0
    for nth in range(1, 9):
        server = lie(letters(3))
        m = client_of(lambda: client("home%d" % nth), server)
        n += fails(m, server, trace.command(
            tmp_path / "t", "fsync:error=EIO:when=%d" % nth), tmp_path)
    assert n != 0


@malote.NEEDED
def test_mbox_is_synced(lie, client, tmp_path):
    server = lie(letters(3))
    m = client_of(client, server)
    m.account(deliver="mbox:" + m.home + "/mbox")
    m.collect(wrap=trace.command(tmp_path / "t"), env=ENV)
    found = trace.events(tmp_path / "t")
    written = trace.last(found, lambda e: "/mbox>" in e.args
                         and "write" in e.call)
    synced = trace.last(found, lambda e: e.is_sync("/mbox"))
    dele = trace.first(found, lambda e: e.says("DELE"))
    assert written < synced < dele


@malote.NEEDED
@pytest.mark.parametrize("act", [faults.cut(effect=False),
                                 faults.err("[SYS/TEMP] no")],
                         ids=["cut", "refused"])
def test_gone_is_what_quit_has_answered(lie, client, act):
    server = lie(letters(3))
    server.fault("QUIT", act, times=faults.ALWAYS)
    m = client_of(client, server)
    m.collect(status=None)
    assert len(server.box.mails) == 3
    assert len(places(m)) == 3 and GONE not in places(m)


@malote.NEEDED
@pytest.mark.parametrize("keep", ["no", "1h"])
def test_on_record_before_dele(lie, client, keep):
    """Of this run, or of an earlier one."""
    server = lie(letters(3))
    m, seen = client_of(client, server), []
    m.account(keep=keep)
    if keep != "no":
        m.collect()
        m.age()
    server.fault("DELE", faults.call(before=lambda: seen.append(places(m))),
                 times=faults.ALWAYS)
    m.collect()
    assert len(seen) == 3 and set(sum(seen, [])) == {DELETING}


@malote.NEEDED
def test_refused_dele(lie, client):
    server = lie(letters(3))
    server.fault("DELE", faults.err("no"), nth=2)
    m = client_of(client, server)
    m.collect(status=None)
    assert len(server.box.mails) == 1
    assert sorted(places(m)) == [DELETING, GONE, GONE]


# ---- malotectl ----

def test_users_file(users, tmp_path):  # noqa: F811
    """The new file, its name, its folder."""
    done = subprocess.run(
        [*trace.command(tmp_path / "t"), CTL, "--users", str(users), "user",
         "add", "anna@example.org"], input=b"secret\n", timeout=60,
        env={**os.environ, **ENV}, stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    found = trace.events(tmp_path / "t")
    renamed = trace.first(found, lambda e: e.call == "rename" and e.done)
    new = trace.first(found, lambda e: e.call in trace.SYNCS
                      and str(users) + "." in e.args)
    folder = trace.last(found, lambda e: e.is_sync(str(tmp_path)))
    assert new < renamed < folder
    assert names(users) == ["anna@example.org"]


def test_users_file_that_cannot_be_synced(users, tmp_path):  # noqa: F811
    done = subprocess.run(
        [*trace.command(tmp_path / "t", "fsync:error=EIO"), CTL, "--users",
         str(users), "user", "add", "anna@example.org"], input=b"secret\n",
        timeout=60, env={**os.environ, **ENV}, stdout=subprocess.DEVNULL)
    assert done.returncode == 74
    assert not users.exists()
