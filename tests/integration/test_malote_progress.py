"""A run gets on whatever the server or a message does to a session."""

import re

import pytest

import faults
import hostile
import malote
from hostile import letters
from hostile_session import Gone, Session
from malote import recover, survive

pytestmark = malote.NEEDED


def sessions(server):
    return len(server.commands("QUIT"))


def cut(server):
    """How many did not come to their QUIT."""
    return len(server.sessions) - sessions(server)


class AtDele(Session):
    """It is cut at its n-th DELE."""
    n = 1

    def do_dele(self, rest):
        if len(self.marked) + 1 >= self.n:
            raise Gone
        return super().do_dele(rest)


class AtSecondDele(AtDele):
    n = 2


class AtFifthDele(AtDele):
    n = 5


class AtQuit(Session):
    """So is one that has deleted something, and nothing is deleted."""

    def do_quit(self, rest):
        if self.marked:
            raise Gone
        return super().do_quit(rest)


class AtTop(Session):
    def do_top(self, rest):
        raise Gone


class AtOneRetr(Session):
    """What had been sent before it is lost on the way."""

    def handle(self, line):
        for number in re.findall("RETR ([0-9]+)",
                                 line + self.seen.decode("latin-1")):
            if self.find(number).uid == "u12":
                raise Gone
        super().handle(line)


class Mute(Session):
    """From some command on it says nothing any more."""

    def handle(self, line):
        if self.worked >= 6:
            self.await_gone()
            raise Gone
        super().handle(line)


class AtBurst(Session):
    """More than three RETR in one piece are too many."""

    def do_retr(self, rest):
        if self.seen.count(b"RETR") >= 3:
            raise Gone
        return super().do_retr(rest)


@pytest.mark.core
@pytest.mark.parametrize("most", [3, 5, 9, 20])
@pytest.mark.parametrize("keep", ["yes", "no"])
def test_sessions_that_are_cut(lie, client, keep, most):
    """However early that is, one run has it all; a month later that is
    forgotten."""
    server = lie(letters(40), most=most)
    m = client().account(at=server, keep=keep)
    m.collect()
    assert len(m.files()) == 40
    assert len(server.box.mails) == (40 if keep == "yes" else 0)
    assert cut(server) <= 3
    server.box.mails[:] = letters(20, 91, uid="n%d")
    server.forget()
    m.collect()
    assert sessions(server) >= 2 and cut(server) == 0
    m.record("UPDATE account SET cut_until = 1")
    server.box.mails += letters(20, 92, uid="o%d")
    server.most = None
    server.forget()
    m.collect()
    assert sessions(server) == 1
    assert len(m.files()) == 80


@pytest.mark.core
@pytest.mark.parametrize("octets", [4000, 9000, 30000])
@pytest.mark.parametrize("keep", ["yes", "no"])
def test_octets_after_which_sessions_are_cut(lie, client, keep, octets):
    """The largest message just fits into the lowest limit."""
    server = lie(letters(28), limit=octets)
    m = client().account(at=server, keep=keep)
    m.collect()
    assert len(m.files()) == 28
    assert len(server.box.mails) == (28 if keep == "yes" else 0)
    assert cut(server) <= 3


def test_sessions_that_fall_silent(odd, client):
    """It is the same as one that is cut."""
    server = odd(Mute, letters(12))
    m = client().account(at=server, keep="no", timeout=1)
    m.collect()
    assert len(m.files()) == 12 and server.box.mails == []
    assert cut(server) <= 3


def padded(mail, octets):
    """The same with a header that is so much longer."""
    mail.octets = b"X-Pad: %s\r\n" % (octets * b"x") + mail.octets
    return mail


def test_octets_of_headers(lie, client):
    """They count, however many commands they are the answers to."""
    mails = [padded(x, 1 if i % 30 else 3000)
             for i, x in enumerate(letters(88))]
    server = lie(mails)
    m = client().account(at=server, keep="yes")
    m.collect()
    m.record("DELETE FROM message")
    m.record("DELETE FROM account")
    server.limit = 9000
    server.forget()
    m.collect()
    assert server.commands("RETR") == [] and len(m.files()) == 88
    assert cut(server) <= 3


def test_octets_of_messages(lie, client):
    """The same; a session that is cut deletes nothing."""
    mails = [padded(x, 2500 if i > 40 else 1)
             for i, x in enumerate(letters(66))]
    for mail in mails:
        head, body = mail.octets.split(b"\r\n\r\n", 1)
        mail.octets = head + b"\r\n\r\n" + body[:100] + b"\r\n"
    server = lie(mails, limit=12000)
    m = client().account(at=server, keep="no")
    m.collect()
    assert len(m.files()) == 66 and server.box.mails == []


def test_limit_that_falls(lie, client):
    """What was learned is too much now."""
    server = lie(letters(40), most=20)
    m = client().account(at=server, keep="no")
    m.collect()
    server.box.mails += letters(20, 91, uid="n%d")
    server.most = 5
    m.collect()
    assert len(m.files()) == 60 and server.box.mails == []


def of_one_size(count):
    made = letters(count)
    most = max(len(x.octets) for x in made)
    for x in made:
        x.octets = x.octets[:-2] + (most - len(x.octets)) * b"z" + b"\r\n"
    return made


def test_unique_ids_of_others(lie, client):
    """Two have changed places: all headers tell, and one run deletes all."""
    mails = of_one_size(12)
    server = lie(mails)
    m = client().account(at=server, keep="1h")
    m.collect()
    mails[3].uid, mails[7].uid = mails[7].uid, mails[3].uid
    malote.after(m, server)
    assert server.box.mails == [] and len(m.files()) == 12
    assert server.commands("RETR") == []


def test_asked_again_before_others(lie, client):
    """Whether it is the server or the message is known before all the others
    were downloaded."""
    server = lie(letters(700))
    server.fault("RETR", faults.err(), number=2)
    m = client().account(at=server, keep="yes")
    m.collect()
    asked = server.numbers("RETR")
    assert asked.count(2) == 2 and len(m.files()) == 700
    assert asked.index(700) > 2 + asked[2:].index(2)


@pytest.mark.core
@pytest.mark.parametrize("most", [2, 3])
def test_no_command_too_many(lie, client, most):
    """One thing at a time: what a session had had is known to the command."""
    server = lie(letters(12), most=most, capa=["TOP", "UIDL", "USER"])
    m = client().account(at=server, keep="yes")
    m.collect()
    assert len(m.files()) == 12
    server.box.mails += letters(6, 91, uid="n%d")
    server.forget()
    m.collect()
    assert len(m.files()) == 18 and cut(server) == 0


@pytest.mark.core
def test_one_command_a_session(lie, client):
    """Nothing can be deleted, but all is collected."""
    server = lie(letters(20), most=1)
    m = client().account(at=server, keep="no")
    m.collect(status=69)
    assert len(m.files()) == 20
    server.most = None
    m.collect()
    assert server.box.mails == []


@pytest.mark.core
def test_one_cut_is_no_limit(lie, client):
    """Its reason may have been another one."""
    server = lie(letters(200))
    server.fault("RETR", faults.cut(), number=4)
    m = client().account(at=server, keep="no")
    m.collect()
    assert len(m.files()) == 200 and server.box.mails == []
    assert len(server.sessions) == 3
    server.box.mails += letters(100, 91, uid="n%d")
    server.forget()
    m.collect()
    assert len(server.sessions) == 1


@pytest.mark.core
def test_session_that_is_cut_at_quit(lie, client):
    """It was too long by one command: in shorter ones all is deleted."""
    server = lie(letters(10), most=20)
    m = client().account(at=server, keep="no")
    m.collect()
    assert len(m.files()) == 10 and server.box.mails == []


@pytest.mark.core
def test_one_session_is_enough(lie, client):
    """Of a server that was never cut."""
    server = lie(letters(300))
    m = client().account(at=server, keep="no")
    m.collect()
    assert sessions(server) == 1 and server.box.mails == []


@pytest.mark.core
def test_order(lie, client):
    """New mail, then headers of what is due, then all deletions."""
    server = lie(letters(8))
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    server.box.mails += letters(3, 91, uid="n%d")
    server.forget()
    m.collect()
    verbs = [c.split()[0] for c in server.commands("RETR", "TOP", "DELE")]
    assert verbs == 3 * ["RETR"] + 8 * ["TOP"] + 8 * ["DELE"]
    assert len(server.box.mails) == 3


@pytest.mark.core
def test_due_for_deletion_and_new(lie, client):
    """More is due than a session may verify: new mail comes in the first."""
    server = lie(letters(40))
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    server.box.mails += letters(3, 91, uid="n%d")
    server.most = 25
    m.collect()
    assert len(m.files()) == 43
    assert len(server.box.mails) == 3


@pytest.mark.core
def test_headers_that_came_are_remembered(lie, client):
    """A lost record, and fewer TOP in a session than there are messages."""
    server = lie(letters(60))
    m = client().account(at=server, keep="yes")
    m.collect()
    m.record("DELETE FROM message")
    m.record("DELETE FROM account")
    server.most = 20
    server.forget()
    m.collect()
    assert server.commands("RETR") == []
    assert len(server.commands("TOP")) < 80 and len(server.sessions) < 11
    server.forget()
    m.collect()
    assert server.commands("TOP", "RETR") == []
    assert len(m.files()) == 60


@pytest.mark.core
@pytest.mark.parametrize("most", [3, 4, 5, 9])
@pytest.mark.parametrize("keep", ["yes", "no"])
def test_lost_record_at_a_low_limit(lie, client, keep, most):
    """What is here is known again, and new mail comes."""
    server = lie(letters(25))
    m = client().account(at=server, keep="yes")
    m.collect()
    m.record("DELETE FROM message")
    m.record("DELETE FROM account")
    new = letters(5, 91, uid="n%d")
    server.box.mails += new
    server.most = most
    m.account(keep=keep)
    m.collect()
    malote.same(m.files().values(),
                [x.local for x in letters(25) + new])
    assert len(server.box.mails) == (30 if keep == "yes" else 0)


@pytest.mark.core
def test_lost_record_where_nothing_can_be_deleted(lie, client):
    """Whole messages tell which they are, some in each run."""
    server = lie(letters(12))
    m = client().account(at=server, keep="yes")
    m.collect()
    m.record("DELETE FROM message")
    m.record("DELETE FROM account")
    server.box.mails += letters(2, 91, uid="n%d")
    server.most = 2
    m.account(keep="no")
    for _ in range(3):
        m.collect(status=69)
    assert len(m.files()) == 14


@pytest.mark.core
def test_bad_messages_are_no_limit(lie, client):
    """Each cuts a session at the same point, and one of its own."""
    server = lie(letters(30), capa=["TOP", "UIDL", "USER"])
    server.fault("RETR", faults.cut(), number=12, times=faults.ALWAYS)
    m = client().account(at=server, keep="yes")
    m.collect(status=malote.TEMPFAIL)
    assert len(m.files()) == 29 and len(server.sessions) == 3
    server.fault("RETR", faults.cut(), number=42, times=faults.ALWAYS)
    server.box.mails += letters(30, 91, uid="n%d")
    server.forget()
    m.collect(status=malote.TEMPFAIL)
    assert len(m.files()) == 58 and len(server.sessions) == 3


@pytest.mark.core
@pytest.mark.parametrize("act", [faults.cut(), faults.say(b"\r\n")],
                         ids=["cut", "empty-line"])
def test_bad_dele(lie, client, act):
    """Of one message: the others are deleted, and new mail comes."""
    server = lie(letters(12))
    wanted = list(server.box.mails)
    bad = server.box.mails[2]
    m = client().account(at=server, keep="no")
    server.fault("DELE", act, number=3, times=2)
    survive(m, server)
    assert len(m.files()) == 12
    left = [x for x in server.box.mails if x is not bad]
    assert left == []
    survive(m, server)
    new = letters(5, 91, uid="n%d")
    server.box.mails += new
    wanted += new
    recover(m, server, wanted)


class AtOneDele(Session):
    def do_dele(self, rest):
        if self.find(rest).uid == "u3":
            raise Gone
        return super().do_dele(rest)


def test_dele_that_always_cuts(odd, client):
    """Of one message: all others are deleted by the same run."""
    server = odd(AtOneDele, letters(12))
    m = client().account(at=server, keep="no")
    m.collect(status=malote.TEMPFAIL)
    assert len(m.files()) == 12
    assert [x.uid for x in server.box.mails] == ["u3"]


@pytest.mark.core
def test_login_delay_between_sessions(lie, client):
    """A delay that is longer than the run's patience: the next run goes on."""
    server = lie(letters(60), most=20)
    server.capa.append("LOGIN-DELAY 3600")
    m = client().account(at=server, keep="yes")
    for _ in range(2):
        m.collect(status=69)
    assert len(server.sessions) == 2
    m.collect(status=malote.TEMPFAIL)
    assert len(server.sessions) == 3
    assert sessions(server) == 1


@pytest.mark.core
@pytest.mark.parametrize("kind", [AtSecondDele, AtFifthDele])
def test_so_many_deletions(odd, client, kind):
    server = odd(kind, letters(20))
    m = client().account(at=server, keep="no")
    m.collect()
    assert len(m.files()) == 20 and server.box.mails == []


@pytest.mark.core
@pytest.mark.parametrize("kind", [AtDele, AtQuit])
def test_no_deletion_ever(odd, client, monkeypatch, kind):
    """New mail comes all the same, and a run ends soon, the next one sooner."""
    server = odd(kind, letters(20))
    m = client().account(at=server, keep="no")
    m.collect(status=69)
    assert len(server.sessions) <= 12
    server.box.mails += letters(3, 91, uid="n%d")
    server.forget()
    m.collect(status=69)
    assert len(m.files()) == 23 and len(server.box.mails) == 23
    assert len(server.sessions) <= 6
    monkeypatch.setattr(hostile, "Session", Session)
    while server.box.mails:
        before = len(server.box.mails)
        m.collect(status=None)
        assert len(server.box.mails) < before
    m.collect()


@pytest.mark.core
def test_no_top_ever(odd, client, monkeypatch):
    """Then whole messages tell which they are, and new mail comes."""
    server = odd(AtTop, letters(20))
    m = client().account(at=server, keep="yes")
    m.collect()
    m.record("DELETE FROM message")
    m.record("DELETE FROM account")
    server.box.mails += letters(5, 91, uid="n%d")
    server.forget()
    m.collect()
    assert len(m.files()) == 25
    assert len(server.sessions) <= 5
    m.account(keep="1h")
    m.age()
    server.forget()
    m.collect()
    assert sessions(server) == len(server.sessions) == 1
    m.record("UPDATE account SET no_top_until = 1")
    monkeypatch.setattr(hostile, "Session", Session)
    m.collect()
    assert server.box.mails == []


@pytest.mark.core
def test_burst_that_cuts(odd, client):
    """From the third session on one thing at a time is asked, a day long."""
    server = odd(AtBurst, letters(40))
    m = client().account(at=server, keep="no")
    m.collect()
    assert len(m.files()) == 40 and server.box.mails == []
    assert len(server.sessions) <= 4
    server.box.mails += letters(20, 91, uid="n%d")
    server.forget()
    m.collect()
    assert len(server.sessions) == 1 and server.box.mails == []


@pytest.mark.core
def test_message_without_end(lie, client):
    """At a server that is asked for several ones at a time."""
    server = lie(letters(20))
    server.fault("RETR", faults.mangle(lambda reply: reply[:-3]), number=5,
                 times=faults.ALWAYS)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    survive(m, server)
    assert len(m.files()) >= 19
    recover(m, server, wanted)


@pytest.mark.core
def test_right_message_is_blamed(odd, client):
    """Though others were awaited when the line was lost."""
    server = odd(AtOneRetr, letters(20))
    bad = server.box.mails[11]
    m = client().account(at=server, keep="no")
    done = m.collect(status=malote.TEMPFAIL)
    assert len(m.files()) == 19
    assert "message 3 (2.3 kB)" in done.text
    m.collect(status=malote.TEMPFAIL)
    assert server.box.mails == [bad]


@pytest.mark.core
def test_what_was_blamed_is_asked_for_alone(lie, client):
    """Another one that cuts the session does not keep it off."""
    server = lie(letters(5))
    wronged = server.box.mails[0]
    server.fault("RETR", faults.cut(), number=1, times=2)
    m = client().account(at=server, keep="yes")
    m.collect(status=malote.TEMPFAIL)
    server.box.mails += letters(1, 91, uid="n%d")
    server.fault("RETR", faults.cut(), number=6, times=faults.ALWAYS)
    m.collect(status=malote.TEMPFAIL)
    assert wronged.local in m.files().values()
    assert len(m.files()) == 5


class AtWhim(Session):
    """It is cut, and what was deleted is there again."""

    def handle(self, line):
        if self.worked >= (3, 9)[self.number % 2] and line != "QUIT":
            raise Gone
        super().handle(line)

    def do_quit(self, rest):
        self.marked.clear()
        return super().do_quit(rest)


@pytest.mark.core
def test_run_ends_at_any_server(odd, client):
    server = odd(AtWhim, letters(40))
    m = client().account(at=server, keep="no")
    m.collect(status=None)
    assert len(server.sessions) <= 60 and len(m.files()) == 40
    server.forget()
    m.collect(status=None)
    assert len(server.sessions) <= 60 and len(m.files()) == 40


class Alternately(Session):
    """No two sessions are cut at the same point."""

    def handle(self, line):
        if self.worked >= (2, 30)[self.number % 2]:
            raise Gone
        super().handle(line)


def test_run_ends_where_nothing_comes(lie, client, monkeypatch):
    server = lie(letters(40))
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    monkeypatch.setattr(hostile, "Session", Alternately)
    server.forget()
    m.collect(status=69)
    assert len(server.sessions) <= 12


class Undoing(Session):
    """What was deleted is there again."""

    def do_quit(self, rest):
        self.marked.clear()
        return super().do_quit(rest)


def test_what_waits_is_said(odd, client):
    """Also behind a session that goes well, for a message that has cut one."""
    server = odd(Undoing, letters(20))
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    m.record("UPDATE account SET cut_until = 4000000000, cut_commands = 9, "
             "cut_met = 1")
    server.box.mails += letters(1, 91, uid="n%d")
    server.fault("RETR", faults.cut(), number=21)
    done = m.collect(status=malote.TEMPFAIL)
    assert len(m.files()) == 21
    assert "wait for the next run" in done.text, done


@pytest.mark.core
def test_login_delay_in_a_run(lie, client):
    server = lie(letters(20), most=20)
    server.capa.append("LOGIN-DELAY 1")
    m = client().account(at=server, keep="no", patience=30)
    m.collect()
    assert server.box.mails == [] and len(server.sessions) > 1
    starts = [line.at for line in server.lines if line.text == "open"]
    ends = [line.at for line in server.lines if line.text == "close"]
    assert all(b - a >= 0.99 for a, b in zip(ends, starts[1:]))


@pytest.mark.core
def test_login_delay_and_a_bad_message(lie, client):
    """It waits for the next run, which the person is told."""
    server = lie(letters(20))
    server.capa.append("LOGIN-DELAY 3600")
    server.fault("RETR", faults.cut(), number=1, times=faults.ALWAYS)
    m = client().account(at=server, keep="yes")
    m.collect(status=69)
    done = m.collect(status=malote.TEMPFAIL)
    assert "waits for the next run" in done.text
    assert len(m.files()) == 19 and len(server.sessions) == 2


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_time_that_is_too_short(lie, client, keep):
    """Our own session_timeout: each run gets on, and says that it does."""
    server = lie(letters(8))
    server.fault("RETR", faults.wait(0.3), times=faults.ALWAYS)
    m = client().account(at=server, keep=keep, session_timeout=1)
    done = m.collect(status=malote.TEMPFAIL)
    assert "the next run goes on where it ended" in done.text
    had = len(m.files())
    while had < 8:
        m.collect(status=None)
        assert len(m.files()) > had
        had = len(m.files())
    m.collect()
    assert len(m.files()) == 8
    assert len(server.box.mails) == (8 if keep == "yes" else 0)


def test_no_deletion_in_two_commands(lie, client):
    """RETR or TOP, DELE and QUIT are three: all is collected."""
    server = lie(letters(6), most=2)
    m = client().account(at=server, keep="no")
    for _ in range(2):
        m.collect(status=69)
        assert len(m.files()) == 6 and len(server.box.mails) == 6
    server.most = 3
    m.collect()
    assert len(m.files()) == 6 and server.box.mails == []
