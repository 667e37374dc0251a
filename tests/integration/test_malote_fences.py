"""A server whose answers cannot be told apart by their order alone.

One message is ended in the server's own way, said twice, left out, refused in
two lines.  Whatever it is: every file here is one message as it was, nothing
is deleted that is not here, and the others come.
"""
import time

import pytest

import faults
import hostile
import malote
from faults import Act, mangle
from hostile import CAPA, letters
from hostile_session import Reply, Session
from malote import nothing_lost, recover, same, settled

pytestmark = [malote.NEEDED, pytest.mark.wide]
SERIAL = [c for c in CAPA if c != "PIPELINING"]


def late(more, after=0.3):
    """The good reply, and something behind it that comes later."""
    def run(session, reply):
        session.send(reply)
        time.sleep(after)
        session.send(more or reply)
    return Act("late", run)


def paused(octets, text, after=0.8):
    """The octets as they are, and a pause behind the text in their middle."""
    def run(session, _):
        head, found, rest = (b"+OK\r\n" + octets + b".\r\n").partition(text)
        assert found and rest
        session.send(head + found)
        time.sleep(after)
        session.send(rest)
    return Act("pause", run)


# Ends that mpop and fetchmail take: the message comes, too.
ENDS = {
    "lf-dot-crlf": mangle(lambda r: r[:-5] + b"\n.\r\n"),
    "crlf-dot-lf": mangle(lambda r: r[:-5] + b"\r\n.\n"),
    "lf-dot-lf": mangle(lambda r: r[:-5] + b"\n.\n")}
# With these nobody could say what the message is.
BROKEN = {
    "no-line-end": mangle(lambda r: r[:-5] + b".\r\n"),
    "no-dot": mangle(lambda r: r[:-3]),
    "dot-not-stuffed": mangle(
        lambda r: r.replace(b"\r\n\r\n", b"\r\n\r\n.\r\n", 1)),
    "dot-not-stuffed-ok": mangle(
        lambda r: r.replace(b"\r\n\r\n", b"\r\n\r\n.\r\n+OK\r\n", 1)),
    "empty-line-behind": mangle(lambda r: r + b"\r\n"),
    "line-behind": mangle(lambda r: r + b"more\r\n"),
    "ok-behind": mangle(lambda r: r + b"+OK\r\n"),
    "dot-behind": mangle(lambda r: r + b".\r\n"),
    "twice": faults.twice(), "twice-late": late(None),
    "ok-late": late(b"+OK\r\n"), "left-out": faults.swallow(),
    "refused-twice": faults.say(b"-ERR cannot\r\n-ERR at all\r\n"),
    "refused-in-lines": faults.say(b"-ERR cannot\r\nat all\r\n"),
    "refused-and-sent": mangle(lambda r: b"-ERR cannot\r\n" + r)}
FRAMINGS = {**ENDS, **BROKEN}
SIZES = ["right", "off", "equal", "distinct"]
WAYS = {"pipelined": CAPA, "serial": SERIAL, "serial-no-uidl": SERIAL,
        "pipelined-no-uidl": CAPA}


def box(lie, way, sizes, count=9):
    """Messages of one size, but for "off" and "distinct"."""
    capa = WAYS[way]
    bare = way.endswith("no-uidl")
    server = lie(letters(count, uid=None if bare else "u%d"),
                 capa=[c for c in capa if c != "UIDL" or not bare],
                 without=["UIDL"] if bare else [])
    for i, mail in enumerate(server.box.mails):
        head, line, _ = mail.octets.rpartition(b"\r\n")
        length = 3000 + i * (sizes in ("off", "distinct"))
        mail.octets = (head + line).ljust(length, b"z") + b"\r\n"
        mail.size = {"off": len(mail.octets) + 7, "equal": 1000}.get(sizes)
    return server


def each_is_whole(m, wanted):
    """No file is anything but one of the messages, and none is here twice."""
    files = list(m.files().values())
    whole = {x.local for x in wanted}
    odd = [f for f in files if f not in whole]
    assert not odd, odd[0][:3000]
    assert len(files) == len(set(files))


def cases():
    for framing in FRAMINGS:
        for way in WAYS:
            for sizes in SIZES:
                for number in (5, 9):
                    core = number == 5 and "no-uidl" not in way and \
                        sizes == ("distinct" if framing == "ok-late"
                                  else "right")
                    yield pytest.param(
                        framing, way, sizes, number,
                        id="-".join((framing, way, sizes, str(number))),
                        marks=[pytest.mark.core if core else
                               pytest.mark.slow])


@pytest.mark.parametrize("framing, way, sizes, number", cases())
@pytest.mark.parametrize("keep", ["no", "yes"])
def test_each_framing(lie, client, framing, way, sizes, number, keep):
    server = box(lie, way, sizes)
    wanted = list(server.box.mails)
    fault = server.fault("RETR", FRAMINGS[framing], number=number,
                         times=faults.ALWAYS)
    m = client().account(at=server, keep=keep, timeout=2)
    for _ in range(5):
        m.collect(status=None, seconds=60)
        nothing_lost(server, m)
        each_is_whole(m, wanted)
        if keep == "no" and not server.box.mails:
            break
        # What was deleted before it has moved it.
        for i, mail in enumerate(server.box.mails, 1):
            if mail is wanted[number - 1]:
                fault.number = i
    here = list(m.files().values())
    others = [x.local for x in wanted if x is not wanted[number - 1]]
    named = sizes in ("off", "distinct") or "no-uidl" not in way
    if named:  # else they are shunned with it
        assert set(others) <= set(here), len(here)
    if framing in ENDS:
        same(here, [x.local for x in wanted])
    if keep == "no" and framing in ENDS:
        assert not server.box.mails
    m.forgive()
    m.account(keep="no")
    if not named:
        server.heal()
        m.collect(status=None)
    recover(m, server, wanted)


@pytest.mark.core
@pytest.mark.parametrize("way", ["pipelined", "serial"])
@pytest.mark.parametrize("dot", [b"\n.\r\n", b"\n.\n"], ids=repr)
def test_dot_within_a_message_that_pauses(lie, client, way, dot):
    """It goes on: it is text, although a fence was sent within it."""
    server = box(lie, way, "right")
    mail = server.box.mails[4]
    mail.octets = mail.octets.replace(b"\r\n\r\n", b"\r\n\r\nx" + dot, 1)
    wanted = list(server.box.mails)
    server.fault("RETR", paused(mail.octets, dot), number=5,
                 times=faults.ALWAYS)
    m = client().account(at=server, keep="no", timeout=5)
    m.collect()
    settled(server, m, wanted, keep=False)


@pytest.mark.core
def test_many_end_in_their_own_way(lie, client):
    """It takes one session that fails, and no more for a month."""
    server = box(lie, "pipelined", "right")
    server.fault("RETR", ENDS["lf-dot-crlf"], times=faults.ALWAYS)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="yes", timeout=20)
    m.collect()
    each_is_whole(m, wanted)
    assert len(m.files()) == 9
    assert len(server.sessions) == 2
    server.box.mails += letters(3, seed=3, uid="new%d")
    wanted = list(server.box.mails)
    server.forget()
    m.collect()
    each_is_whole(m, wanted)
    assert len(m.files()) == 12
    assert len(server.sessions) == 1


# Servers that cannot answer the fence.

class NoFence(Session):
    """UIDL n and LIST n are answered with `answer`."""
    def do_list(self, rest):
        return self.no_fence(rest) or super().do_list(rest)

    def do_uidl(self, rest):
        return self.no_fence(rest) or super().do_uidl(rest)

    def no_fence(self, rest):
        return Reply(self.octets) if rest else None

    octets = b"-ERR no\r\n"


class OnlyList(NoFence):
    def do_list(self, rest):
        return Session.do_list(self, rest)


class Odd(NoFence):
    octets = b"+OK\r\n"


class All(NoFence):
    """The number is overlooked."""
    def do_list(self, rest):
        return Session.do_list(self, "")

    def do_uidl(self, rest):
        return Session.do_uidl(self, "")


class Silent(NoFence):
    octets = b" "

    def no_fence(self, rest):
        return Reply(b"") if rest else None


class HangsUp(NoFence):
    def no_fence(self, rest):
        return Reply(b"", effect=self.hang_up) if rest else None


@pytest.mark.core
@pytest.mark.parametrize("way", ["pipelined", "serial"])
@pytest.mark.parametrize("kind", [NoFence, OnlyList, Odd, All, Silent,
                                  HangsUp])
def test_no_fence(lie, client, monkeypatch, kind, way):
    """All comes from it all the same, one by one."""
    monkeypatch.setattr(hostile, "Session", kind)
    server = box(lie, way, "right")
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no", timeout=2)
    m.collect(status=None)
    m.forgive()
    m.collect()
    settled(server, m, wanted, keep=False)


@pytest.mark.core
@pytest.mark.parametrize("framing", ["twice", "left-out", "twice-late",
                                     "refused-twice", "ok-behind"])
def test_no_fence_and_out_of_step(lie, client, monkeypatch, framing):
    monkeypatch.setattr(hostile, "Session", NoFence)
    server = box(lie, "serial", "equal")
    wanted = list(server.box.mails)
    server.fault("RETR", FRAMINGS[framing], number=5, times=faults.ALWAYS)
    m = client().account(at=server, keep="yes", timeout=2)
    for _ in range(5):
        m.collect(status=None, seconds=60)
        each_is_whole(m, wanted)
    assert len(m.files()) >= 8
    m.forgive()
    m.account(keep="no")
    recover(m, server, wanted)


# The last answer is in step, but those before it are not.

class Slow(Session):
    """Each answer comes when the next command has been sent, if the client
    takes the one before for it."""
    def send(self, octets):
        time.sleep(0.03)
        super().send(octets)


def renamed(lie, client, way, sizes):
    """A maildrop that is here and due, with other unique-ids and a new
    message in its middle."""
    server = box(lie, way, sizes, 8)
    m = client().account(at=server, keep="1h", timeout=2)
    m.collect()
    m.age()
    new = letters(1, seed=5)[0]
    new.size = 1000 if sizes == "equal" else None
    server.box.mails.insert(4, new)
    for i, mail in enumerate(server.box.mails):
        mail.uid = mail.uid and "other%d" % i
    server.forget()
    return server, m, list(server.box.mails)


@pytest.mark.core
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ["TOP", "RETR"])
@pytest.mark.parametrize("act", ["twice", "twice-late"])
@pytest.mark.parametrize("sizes", ["equal", "distinct"])
def test_identified_by_a_neighbours_answer(lie, client, monkeypatch, verb,
                                           act, way, sizes):
    """The answers are one late, and then one is left out: the last one is
    in step, and the new message was taken for the one before it."""
    monkeypatch.setattr(hostile, "Session", Slow)
    server, m, wanted = renamed(lie, client, way, sizes)
    if verb == "RETR":
        server.without.add("TOP")
    server.fault(verb, FRAMINGS[act], number=2)
    server.fault(verb, faults.swallow(), number=9)
    for _ in range(3):
        m.collect(status=None, seconds=60)
        nothing_lost(server, m)
    server.without.discard("TOP")
    recover(m.account(keep="no"), server, wanted)


@pytest.mark.core
def test_swapped_answers_of_one_size(lie, client):
    """A session is killed between the two: the one that is deleted is the
    one that is here."""
    server = box(lie, "pipelined", "right")
    server.pipelining = "swap"
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no", timeout=2)
    for _ in range(3):
        m.collect(status=None, seconds=60)
        nothing_lost(server, m)
        each_is_whole(m, wanted)
    recover(m, server, wanted)


@pytest.mark.core
def test_fences_cost_no_turn(lie, client):
    """C-ENG-34: they are sent along; where nothing is sent along, one for
    many, if their sizes tell them apart."""
    turns = {}
    for way in ("pipelined", "serial"):
        server = box(lie, way, "distinct", 40)
        client(way).account(at=server, keep="yes").collect()
        turns[way] = server.turns()
        assert len(server.commands("RETR")) == 40
    assert turns["pipelined"] < 15
    assert turns["serial"] < 40 + 12


@pytest.mark.core
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("act", ["twice", "twice-late"])
def test_shifted_and_back(lie, client, monkeypatch, act, way, sizes):
    """One answer is late from the third on, until one is left out: the last
    one is in step."""
    monkeypatch.setattr(hostile, "Session", Slow)
    server = box(lie, way, sizes)
    wanted = list(server.box.mails)
    server.fault("RETR", FRAMINGS[act], number=3)
    server.fault("RETR", faults.swallow(), number=7)
    m = client().account(at=server, keep="no", timeout=2)
    for _ in range(3):
        m.collect(status=None, seconds=60)
        nothing_lost(server, m)
        each_is_whole(m, wanted)
    recover(m, server, wanted)


@pytest.mark.core
@pytest.mark.parametrize("way", ["pipelined", "serial"])
def test_fence_of_another_unique_id(lie, client, way):
    """The number is right, the unique-id is not what the listing has said: it
    is no fence, and LIST is."""
    server = lie(letters(4), capa={"pipelined": CAPA, "serial": SERIAL}[way])
    server.fault("UIDL", faults.mangle(
        lambda reply: reply.replace(b" u", b" x")
        if reply.count(b"\r\n") == 1 else reply), times=faults.ALWAYS)
    m = client().account(at=server, keep="no")
    m.collect()
    settled(server, m, server.box.removed, keep=False)
    assert len(m.files()) == 4
    assert [x for x in server.commands("LIST") if x != "LIST"]
