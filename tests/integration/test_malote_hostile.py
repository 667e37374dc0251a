"""A server that lies, breaks off or says nothing, at every reply.

After each of them one clean run: everything is here once, and every deletion
that was due has happened.  No run hangs, none takes much memory, and none is
ended by a signal.
"""
import time

import pytest

import faults
import malote
from hostile import CAPA, letters, mails
from malote import nothing_lost, recover, settled, survive

pytestmark = [malote.NEEDED, pytest.mark.wide]
SERIAL = [c for c in CAPA if c != "PIPELINING"]

# verb, the how manieth time
REPLIES = {
    "greeting": ("GREETING", 1), "capa": ("CAPA", 1), "auth": ("AUTH", 1),
    "user": ("USER", 1), "pass": ("PASS", 1), "stat": ("STAT", 1),
    "list": ("LIST", 1), "uidl": ("UIDL", 1), "top": ("TOP", 2),
    "retr-first": ("RETR", 1), "retr-middle": ("RETR", 4),
    "retr-last": ("RETR", 7), "dele-first": ("DELE", 1),
    "dele-last": ("DELE", 7), "quit": ("QUIT", 1)}
ACTS = {
    "cut-before": faults.cut(0, effect=False), "cut-middle": faults.cut(0.5),
    "cut-one-short": faults.cut(-1), "cut-after": faults.cut(None),
    "stall-before": faults.stall(0), "stall-middle": faults.stall(0.5),
    "err": faults.err("[SYS/TEMP] not now"), "err-bare": faults.say("-ERR"),
    "twice": faults.twice(), "swallow": faults.swallow(),
    "http": faults.say(faults.GARBAGE["http"]),
    "huge-line": faults.say(faults.GARBAGE["huge-line"]),
    "binary": faults.say(faults.GARBAGE["binary"])}


def prepare(server, m, name):
    """So that the reply comes: TOP belongs to a deletion that is due."""
    if name in ("user", "pass"):
        server.sasl = []
    m.account(at=server, keep="no")
    if name == "top":
        m.account(keep="1h").collect()
        m.age()


# Those that wait for a timeout are slow, but for some that are always run.
WAITS = {"stall-before", "stall-middle", "swallow"}
ALWAYS = {"auth", "stat", "retr-middle", "dele-last", "quit"}


def cases():
    for reply in REPLIES:
        for act in ACTS:
            marks = [pytest.mark.core]
            if act in WAITS:
                marks = [] if reply in ALWAYS else [pytest.mark.slow]
            yield pytest.param(reply, act, id=reply + "-" + act, marks=marks)


@pytest.mark.parametrize("reply, act", cases())
def test_each_fault_at_each_reply(lie, client, reply, act):
    """C-ENG-15, 16, 17, 18, 20, 26, 35."""
    server = lie(letters(7))
    wanted = list(server.box.mails)
    m = client()
    prepare(server, m, reply)
    verb, nth = REPLIES[reply]
    fault = server.fault(verb, ACTS[act], nth)
    survive(m, server)
    assert fault.fired, "the reply never came"
    recover(m, server, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("kind", faults.GARBAGE)
@pytest.mark.parametrize("reply", ["greeting", "capa", "pass", "stat", "list",
                                   "uidl", "retr-middle", "quit"])
def test_garbage(lie, client, reply, kind):
    """C-ENG-16, C-1957-01, M-41."""
    server = lie(letters(7))
    wanted = list(server.box.mails)
    m = client()
    prepare(server, m, reply)
    server.fault(REPLIES[reply][0], faults.say(faults.GARBAGE[kind]),
                 REPLIES[reply][1])
    survive(m, server)
    recover(m, server, wanted)


ENDLESS = {
    "greeting": ("GREETING", b"+OK ", b"x"),
    "greeting-nul": ("GREETING", b"", b"\0"),
    "greeting-lines": ("GREETING", b"", b"\r\n"),
    "capa": ("CAPA", b"+OK\r\n", b"X-NONE x\r\n"),
    "capa-line": ("CAPA", b"+OK\r\nSASL", b" PLAIN"),
    "pass": ("PASS", b"+OK ", b"x"),
    "challenge": ("CHALLENGE", b"+ ", b"QUFB"),
    "stat": ("STAT", b"+OK 1 ", b"1"),
    "list": ("LIST", b"+OK\r\n", b"1 100\r\n"),
    "list-line": ("LIST", b"+OK\r\n1 ", b"9"),
    "list-nonsense": ("LIST", b"+OK\r\n", b"nonsense\r\n"),
    "uidl": ("UIDL", b"+OK\r\n", b"1 u1\r\n"),
    "uidl-line": ("UIDL", b"+OK\r\n1 ", b"u"),
    "top": ("TOP", b"+OK\r\n", b"A: b\r\n"),
    "top-line": ("TOP", b"+OK\r\nA:", b" b"),
    "retr": ("RETR", b"-ERR ", b"x"), "dele": ("DELE", b"+OK ", b"x"),
    "quit": ("QUIT", b"+OK ", b"x")}


@pytest.mark.core
@pytest.mark.parametrize("reply", ENDLESS)
def test_endless(lie, client, reply):
    """C-ENG-15, 18, M-40: a limit on everything, and little memory."""
    verb, head, piece = ENDLESS[reply]
    server = lie(letters(3))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="1h" if verb == "TOP" else "no")
    server.sasl = {"PASS": [], "CHALLENGE": ["LOGIN"]}.get(verb, ["PLAIN"])
    if verb == "TOP":
        m.collect()
        m.age()
    fault = server.fault(verb, faults.pour(head, piece))
    survive(m, server)
    assert fault.fired
    recover(m, server, wanted)


@pytest.mark.parametrize("piece", [b"x", b"x\r\n", b"X: y\r\n", b".", b"\0",
                                   b"\r", b"\n"], ids=repr)
@pytest.mark.slow
def test_endless_message(lie, client, piece):
    """C-ENG-18: the session has its own limit, and max_size counts what
    comes."""
    server = lie(letters(3))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no", max_size=1 << 20)
    server.fault("RETR", faults.pour(b"+OK\r\n", piece), number=2)
    survive(m, server)
    assert server.poured < 100 << 20
    recover(m, server, wanted)


def test_expire_is_warned_about(lie, client):
    """C-2449-02."""
    server = lie(letters(2), capa=CAPA + ["EXPIRE 3"])
    m = client().account(at=server, keep="30d")
    assert "EXPIRE" in (m.collect().text + m.run("status").text).upper()


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
def test_poisonous_message(lie, client, capa):
    """It is skipped, said, tried again; the others come."""
    server = lie(letters(7), capa=capa)
    wanted = list(server.box.mails)
    server.fault("RETR", faults.err("cannot open it"), number=3,
                 times=faults.ALWAYS)
    m = client().account(at=server, keep="yes")
    said = [m.collect(status=None).text + m.run("status").text
            for _ in range(4)]
    assert len(m.files()) == 6
    assert any("cannot open it" in x for x in said)
    # Once more alone, where it was asked for behind others.
    assert len(server.commands("RETR")) == 6 + 4 + (capa is CAPA)
    m.account(keep="no")
    recover(m, server, wanted)


@pytest.mark.parametrize("act", [faults.cut(0.5), faults.cut(0),
                                 faults.stall(100)], ids=lambda a: a.name)
def test_message_that_kills_the_session(lie, client, act):
    """Sooner or later the others come all the same."""
    server = lie(letters(7))
    wanted = list(server.box.mails)
    server.fault("RETR", act, number=1, times=faults.ALWAYS)
    m = client().account(at=server, keep="no", timeout=2)
    for _ in range(6):
        m.collect(status=None, seconds=60)
        nothing_lost(server, m)
    assert len(m.files()) == 6
    m.forgive()
    recover(m, server, wanted)


@pytest.mark.core
@pytest.mark.parametrize("how", ["drop", "swap"])
def test_broken_pipelining(lie, client, how):
    """M-28: remembered, and served one by one."""
    made = letters(12)
    for i, mail in enumerate(made):  # no two of one size
        mail.octets += b"z" * i + b"\r\n"
    server = lie(made, pipelining=how)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no", timeout=2)
    for _ in range(3):
        m.collect(status=None, seconds=60)
    settled(server, m, wanted, keep=False)
    server.box.mails.extend(mails([b"A: %d\n\nx\n" % i for i in range(9)],
                                  "later%d"))
    wanted += server.box.mails
    server.forget()
    start = time.monotonic()
    m.collect()
    assert time.monotonic() - start < 2 * malote.PATIENCE  # no timeout again
    settled(server, m, wanted, keep=False)


def test_serial_never_runs_ahead(lie, client):
    """C-2449-01, C-ENG-34: where it is not advertised."""
    server = lie(letters(12), capa=SERIAL, pipelining="drop")
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no", timeout=3)
    m.collect()
    settled(server, m, wanted, keep=False)
    assert server.turns() <= len(server.commands()) + 1


@pytest.mark.parametrize("code", ["IN-USE", "LOGIN-DELAY", "SYS/TEMP"])
def test_waits_for_what_passes(lie, client, code):
    """C-3206-01, M-43: with back-off, not in a storm."""
    server = lie(letters(3))
    server.sasl = []
    server.fault("PASS", faults.err("[%s] wait" % code), times=2)
    m = client().account(at=server, session_timeout=60)
    for _ in range(4):
        if m.collect(status=None, seconds=100).code == 0:
            break
    assert len(server.commands("PASS")) <= 6
    assert len(m.files()) == 3
