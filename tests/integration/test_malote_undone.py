"""What a run leaves undone: it says which message and why, and the exit code is
never 0.  A destination that takes nothing costs not one octet of mail.
"""
import os
import sqlite3

import pytest

import faults
import malote
from hostile import letters
from malote import settled
from server import free_port
from test_malote_deliver import lmtp_answers, script, stop

pytestmark = malote.NEEDED
LATER, LASTING, REFUSED = 75, 65, 73
ALWAYS = faults.ALWAYS


def retrieved(server):
    return server.numbers("RETR")


def outcome(done):
    return done.account("casa")["outcome"]


def as_nobody(m):
    """Permissions count for it; what it is to reach must be his."""
    for path, folders, files in os.walk(m.home):
        for name in [".", *folders, *files]:
            os.chown(os.path.join(path, name), 65534, 65534)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


# Destinations that take nothing, and can tell before a message.

def no_command(m):
    return "command:procmial", "procmial"


def no_program(m):
    path = script(m, "cat >/dev/null\n")
    os.chmod(path, 0o600)
    return "command:" + path, "Permission denied"


def no_lmtp(m):
    return "lmtp:127.0.0.1:%d" % free_port(), "LMTP"


def no_socket(m):
    return "lmtp:" + m.home + "/none", "LMTP"


def new_is_a_file(m):
    os.makedirs(m.home + "/box/cur")
    os.close(os.open(m.home + "/box/new", os.O_CREAT))
    return "maildir:" + m.home + "/box", "new"


def maildir_is_a_file(m):
    os.close(os.open(m.home + "/box", os.O_CREAT))
    return "maildir:" + m.home + "/box", "box: Not a directory"


def maildir_below_a_file(m):
    os.close(os.open(m.home + "/box", os.O_CREAT))
    return "maildir:" + m.home + "/box/in", "box/in: Not a directory"


def mbox_is_a_folder(m):
    os.makedirs(m.home + "/box")
    return "mbox:" + m.home + "/box", "box is not a regular file"


def mbox_is_a_pipe(m):
    os.mkfifo(m.home + "/box")
    return "mbox:" + m.home + "/box", "box is not a regular file"


NOT_OPENED = (new_is_a_file, maildir_is_a_file, maildir_below_a_file,
              mbox_is_a_folder, mbox_is_a_pipe)
# They wait for nobody but the person.
MISTAKES = (*NOT_OPENED, no_command, no_program)


@pytest.mark.core
@pytest.mark.parametrize("keep", ["yes", "no"])
@pytest.mark.parametrize("how", [no_lmtp, no_socket, *MISTAKES])
def test_tried_first(lie, client, how, keep):
    server = lie(letters(9))
    m = client()
    deliver, said = how(m)
    m.account(at=server, keep=keep, deliver=deliver)
    for _ in range(4):  # it does not become another code in time
        done = m.collect("--json", status=malote.CONFIG if how in MISTAKES
                         else LATER)
        assert outcome(done) == ("configuration" if how in MISTAKES
                                 else "destination")
        assert said in done.account("casa")["error"]
        assert retrieved(server) == [] and len(server.box.mails) == 9
    assert '"deliver" of account casa' in done.account("casa")["error"]
    assert how in NOT_OPENED or "9 messages" in done.account("casa")["error"]
    assert said in m.run("status").text
    assert "never collected" in m.run("status").text
    assert m.collect("--changes", status=None).text == ""
    m.account(deliver="maildir:" + m.home + "/mail")
    m.collect()
    assert len(m.files()) == 9


def test_nothing_new_tries_nothing(lie, client):
    server = lie([])
    m = client().account(at=server, deliver="command:procmial")
    assert b"nothing new" in m.collect().out


@pytest.mark.parametrize("folder", ["new", "tmp"])
def test_folder_that_cannot_be_written(lie, client, folder):
    server = lie(letters(5))
    m = client().account(at=server, keep="no")
    for name in ("cur", "new", "tmp"):
        os.makedirs(m.home + "/mail/" + name)
    m.write()
    wrap = as_nobody(m) if os.geteuid() == 0 else []
    os.chmod(m.home + "/mail/" + folder, 0o500)
    done = m.collect("--json", status=LATER, wrap=wrap)
    assert outcome(done) == "destination"
    assert "/mail/" + folder in done.account("casa")["error"]
    assert retrieved(server) == []
    os.chmod(m.home + "/mail/" + folder, 0o700)
    m.collect(wrap=wrap)
    assert len(m.files()) == 5 and server.box.mails == []


def test_record_that_cannot_be_written(lie, client):
    m = client().account(at=lie(letters(1)))
    m.write()
    wrap = as_nobody(m) if os.geteuid() == 0 else []
    m.run("status", wrap=wrap)
    path = m.state + "/state.db"
    os.chmod(path, 0o400)
    done = m.collect(status=malote.IOERR, wrap=wrap)
    assert "%s may not be written: see to the owner and the mode" % path \
        in done.text
    for name in os.listdir(m.state):
        if name.startswith("state.db"):
            os.chmod(m.state + "/" + name, 0o600)
    m.collect(wrap=wrap)
    assert len(m.files()) == 1


def test_mbox_that_is_locked(lie, client):
    server = lie(letters(5))
    m = client().account(at=server, keep="no", timeout=1)
    m.account(deliver="mbox:" + m.home + "/mbox")
    with open(m.home + "/mbox.lock", "w") as f:
        f.write("%d\n" % os.getpid())
    done = m.collect("--json", status=LATER)
    assert "locked" in done.account("casa")["error"]
    assert retrieved(server) == []
    os.unlink(m.home + "/mbox.lock")
    m.collect()
    assert len(m.mbox()) == 5


def test_recipient_that_is_refused(lie, client):
    server = lie(letters(9))
    listener, took = lmtp_answers({"rcpt": b"550 5.1.1 no such user"})
    m = client().account(at=server, keep="no", deliver="lmtp:127.0.0.1:%d"
                         % listener.getsockname()[1])
    done = m.collect("--json", status=LATER)
    stop(listener)
    assert outcome(done) == "destination"
    assert "no such user" in done.account("casa")["error"]
    assert took == [] and retrieved(server) == []


# Those that only a message can tell of.

@pytest.mark.core
@pytest.mark.parametrize("end", ["exit 75", "exit 78", "exit 127",
                                 "kill -9 $$"])
def test_command_that_takes_nothing(lie, client, end):
    """One message a run, and another one each time."""
    server = lie(letters(9))
    m = client()
    m.account(at=server, keep="no", deliver="command:" + script(
        m, "cat >/dev/null\n%s\n" % end))
    for n in range(1, 4):
        done = m.collect("--json", status=LATER)
        assert outcome(done) == "destination"
        assert ": ;" not in done.account("casa")["error"]
        assert retrieved(server) == list(range(1, n + 1))
    script(m, "cat >>%s/took\n" % m.home)
    m.collect()
    assert server.box.mails == []


def test_one_message_holds_up_no_other(lie, client):
    """Its command fails with it as if it took nothing, but takes the others."""
    server = lie(letters(9))
    wanted = server.box.mails[2].local
    m = client()
    path = script(m, "cat >x\ngrep -q 'order 3$' x && exit 75\n"
                  "cat x >>%s/took\n" % m.home)
    m.account(at=server, keep="no", deliver="command:" + path)
    for _ in range(3):
        m.collect(status=LATER)
        assert [x.local for x in server.box.mails] == [wanted]


def test_command_that_fails_later(lie, client):
    """Nothing that was asked for is waited for, and what has come does not lie
    about; what it took before is deleted the next time."""
    server = lie(letters(300))
    fault = server.fault("RETR", faults.stall(0), number=100)
    m = client()
    path = script(m, "cat >/dev/null\necho >>%s/n\n[ $(wc -l <%s/n) -le 3 ]"
                  " || { sleep 0.3; exit 75; }\n" % (m.home, m.home))
    m.account(at=server, keep="no", deliver="command:" + path)
    done = m.collect("--json", status=LATER)
    assert fault.fired
    assert done.account("casa")["collected"] == 3
    assert done.account("casa")["failed"] == 2
    assert "297 messages" in done.account("casa")["error"]
    assert len(os.listdir(m.state + "/spool")) <= 64  # a batch
    script(m, "cat >/dev/null\n")
    m.collect()
    assert server.box.mails == []


def test_command_that_refuses_all(lie, client):
    """Its code is that of a refusal; but it is not asked without an end."""
    server = lie(letters(40))
    m = client()
    m.account(at=server, keep="no", deliver="command:" + script(
        m, "cat >/dev/null\nexit 1\n"))
    done = m.collect("--json", status=REFUSED)
    assert retrieved(server) == [1, 2, 3, 4, 5]
    account = done.account("casa")
    assert "message 1 (" in account["error"] and "4 others" in account["error"]
    assert "in a row" in account["notice"]
    assert account["failed"] == 5
    script(m, "cat >/dev/null\n")
    m.collect()
    assert server.box.mails == []


def test_destination_ends_the_run(lie, client):
    """There is no session of its own for what broke an earlier one."""
    server = lie(letters(3))
    server.fault("RETR", faults.cut(0.5), number=3, times=ALWAYS)
    m = client().account(at=server)
    m.collect(status=LATER)
    server.box.mails.extend(letters(3, 60, "later%d"))
    server.forget()
    m.account(deliver="command:procmial")
    m.collect(status=malote.CONFIG)
    assert len(server.commands("AUTH")) == 1


def test_refused_and_broken(lie, client):
    """That the one is had in a session of its own does not make good the
    other."""
    server = lie(letters(7))
    server.fault("RETR", faults.cut(0.5), number=3)
    m = client()
    m.account(at=server, keep="no", deliver="command:" + script(
        m, "cat >x\n! grep -q 'order 5$' x\n"))
    done = m.collect("--json", status=REFUSED)
    assert len(server.commands("AUTH")) == 3
    account = done.account("casa")
    assert account["collected"] == 6 and "message " in account["error"]
    seen = m.run("status", "--json").account("casa")
    assert (seen["exit_code"], seen["error"]) == (REFUSED, account["error"])


# A message that cannot be had: {name: (what fails, what is said)}.

def retr_refused(server, m):
    server.fault("RETR", faults.err("cannot open it"), number=3, times=ALWAYS)
    return "cannot open it"


def line_broken(server, m):
    server.fault("RETR", faults.cut(0.5), number=3, times=ALWAYS)
    return "closed the connection (RETR)"


def line_silent(server, m):
    m.account(timeout=1)
    server.fault("RETR", faults.stall(0.5), number=3, times=ALWAYS)
    return "no answer"


def lost_rows(server, m):
    """Neither LIST nor UIDL has it, and it cannot be had either."""
    for verb in ("LIST", "UIDL"):
        server.fault(verb, faults.lines(
            lambda x: [y for y in x if not y.startswith(b"3 ")]),
            times=ALWAYS)
    return retr_refused(server, m)


@pytest.mark.core
@pytest.mark.parametrize("how", [retr_refused, line_broken, line_silent,
                                 lost_rows])
def test_a_message_is_left(lie, client, how):
    server = lie(letters(7))
    m = client().account(at=server, keep="yes", timeout=10)
    said = how(server, m)
    for n in range(1, 5):
        done = m.collect("--json", status=LASTING if n > 2 else LATER,
                         seconds=60)
        assert len(m.files()) == 6
        account = done.account("casa")
        assert outcome(done) == ("some-failed" if n > 2 else "some-left")
        assert account["exit_code"] == done.code
        assert said in account["error"], account
        assert "message 3" in account["error"]
        assert m.run("status", "--json").account("casa")["exit_code"] == \
            done.code
        assert said in m.run("status").text
    assert "since 20" in account["error"]
    server.heal()
    m.forgive()
    m.account(keep="no", timeout=10)
    wanted = list(server.box.mails) + server.box.removed
    m.collect()
    assert len(m.files()) == len(wanted)


@pytest.mark.parametrize("count", [6, 100000])
def test_what_stat_alone_has(lie, client, count):
    """No list has it behind its last row, and RETR refuses it: it is said, and
    nothing is left undone."""
    server = lie(letters(5))
    server.fault("STAT", faults.say("+OK %d 1" % count), times=ALWAYS)
    m = client().account(at=server)
    done = m.collect("--json")
    assert "counts %d messages" % count in done.account("casa")["notice"]
    assert len(m.files()) == 5 and len(retrieved(server)) < 80 + 64
    server.heal()
    m.collect()


@pytest.mark.core
@pytest.mark.parametrize("pipelined", [True, False])
@pytest.mark.parametrize("row", [b"2 -2047483648", b"2", b"2 1234octets",
                                 b"2 %!d(float64=4)", None])
def test_rows_that_cannot_be_read(lie, client, row, pipelined):
    """They name a message all the same; and STAT and UIDL have the one that
    has no row.  Once, in any number of runs."""
    server = lie(letters(5), capa=None if pipelined else [
        "TOP", "UIDL", "USER"])
    wanted = list(server.box.mails)
    server.fault("LIST", faults.lines(
        lambda x: x[:1] + ([row] if row else []) + x[2:]), times=ALWAYS)
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(m.files()) == 5
    with sqlite3.connect(m.state + "/state.db") as db:
        assert db.execute("SELECT count(uid) FROM message").fetchone() == (5,)
    db.close()
    # Nothing could show that answers are in step, but for STAT, LIST, UIDL.
    assert server.turns() >= len(server.commands()) - 2
    server.forget()
    m.collect()
    assert retrieved(server) == []
    m.account(keep="no")
    m.collect()
    settled(server, m, wanted, keep=False)


def test_number_that_nobody_counts(lie, client):
    """UIDL alone has it: it is not asked for."""
    server = lie(letters(5))
    server.fault("UIDL", faults.lines(lambda x: x + [b"99 u99"]))
    m = client().account(at=server)
    m.collect()
    assert retrieved(server) == [1, 2, 3, 4, 5]


def test_header_that_is_refused(lie, client):
    """It was to be deleted, and could not be told from another one."""
    server = lie(letters(3))
    m = client().account(at=server, keep="1h")
    m.collect()
    server.fault("TOP", faults.err("not now"), number=2)
    done = malote.after(m, server, status=None)
    assert done.code == LATER and "1 message that was due" in done.text
    assert len(server.box.mails) == 1
    m.collect()
    assert server.box.mails == []


def test_dele_that_is_refused(lie, client):
    server = lie(letters(3))
    server.fault("DELE", faults.err("read-only"), number=2)
    m = client().account(at=server, keep="no")
    assert "DELE 2: " in m.collect(status=malote.UNAVAILABLE).text
    assert len(server.box.mails) == 1


def test_too_large_is_no_failure(lie, client):
    """The person has said so."""
    server = lie(letters(3))
    server.box.mails[1].octets *= 50
    m = client().account(at=server, max_size=20000)
    assert b"1 skipped" in m.collect().out


# What is said cannot be written.

@pytest.mark.core
@pytest.mark.parametrize("words", [
    ["collect", "--json"], ["collect"], ["status"], ["status", "--json"],
    ["accounts"], ["--help"], ["--version"]], ids=" ".join)
def test_report_onto_a_full_device(lie, client, words):
    server = lie(letters(3))
    m = client().account(at=server)
    done = m.run(*words, status=LATER, wrap=["sh", "-c", '"$@" >/dev/full',
                                             "-"])
    assert b"standard output" in done.err
    if words[0] == "collect":
        assert len(m.files()) == 3


def test_standard_output_is_closed(lie, client):
    """The person wants to hear nothing; no message gets what is said."""
    server = lie(letters(3))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect(wrap=["sh", "-c", '"$@" <&- >&- 2>&-', "-"])
    settled(server, m, wanted, keep=False)
