"""Numbers that lie: STAT, LIST, UIDL and CAPA of a hostile server."""
import pytest

import faults
import malote
from hostile import CAPA, letters
from hostile_session import Reply, Session
from malote import recover, settled, survive

pytestmark = [malote.NEEDED, pytest.mark.wide]
SERIAL = [c for c in CAPA if c != "PIPELINING"]

LISTINGS = {
    "empty": lambda x: [],
    "reversed": lambda x: list(reversed(x)),
    "doubled": lambda x: x + x,
    "first-missing": lambda x: x[1:],
    "negative": lambda x: [b"-1 100"] + x,
    "zero": lambda x: [b"0 100"] + x,
    "beyond": lambda x: x + [b"99 100"],
    "32-bit": lambda x: x + [b"4294967297 100"],
    "64-bit": lambda x: x + [b"18446744073709551617 100"],
    "long-number": lambda x: x + [b"9" * 500 + b" 100"],
    "no-value": lambda x: x + [b"3"],
    "no-number": lambda x: x + [b"x y"],
    "spaces": lambda x: [b"  ".join(y.split()) + b" junk" for y in x],
    "tabs": lambda x: [y.replace(b" ", b"\t") for y in x],
    "size-32-bit": lambda x: [b"1 4294967297"] + x[1:],
    "size-64-bit": lambda x: [b"1 99999999999999999999"] + x[1:],
    "size-negative": lambda x: [b"1 -5"] + x[1:],
    "empty-lines": lambda x: [b""] + x + [b""],
    "nul": lambda x: [b"1 \0\0"] + x[1:],
    "escapes": lambda x: [b"1 " + faults.ESCAPES] + x[1:],
    "long-value": lambda x: [b"1 " + b"7" * 4000] + x[1:],
    "swapped": lambda x: [x[0].split()[0] + b" " + x[1].split()[1],
                          x[1].split()[0] + b" " + x[0].split()[1]] + x[2:],
}


@pytest.mark.core
@pytest.mark.parametrize("how", LISTINGS)
@pytest.mark.parametrize("verb", ["LIST", "UIDL"])
@pytest.mark.parametrize("keep", ["no", "yes"])
def test_listings(lie, client, verb, how, keep):
    """C-ENG-12, 13, M-40: for once, and in a session after it is known."""
    server = lie(letters(5))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep=keep)
    if keep == "yes":
        m.collect()
    fault = server.fault(verb, faults.lines(LISTINGS[how]))
    survive(m, server)
    assert fault.fired
    m.account(keep="no")
    recover(m, server, wanted)


@pytest.mark.parametrize("reply", ["+OK", "+OK x", "+OK 5", "+OK -1 -1",
                                   "+OK 99999999999999999999 1",
                                   "+OK 4294967295 4294967295", "+OK 0 0",
                                   "+OK 10000000 1", "+OK\t5\t5"])
def test_stat(lie, client, reply):
    """C-ENG-12, M-40: the count allocates nothing and decides nothing."""
    server = lie(letters(5))
    wanted = list(server.box.mails)
    server.fault("STAT", faults.say(reply), times=faults.ALWAYS)
    m = client().account(at=server, keep="no")
    survive(m, server)
    recover(m, server, wanted)


@pytest.mark.core
@pytest.mark.parametrize("capa", [
    ["X-STLS", "NOTOP", "UIDLX", "USER"],
    ["IMPLEMENTATION no STLS, no TOP, no PIPELINING", "USER"],
    ["TOP TOP", "UIDL", "UIDL", "USER", "TOP", ""],
    ["top", "uidl", "user", "pipelining"],
    ["X" * 400] * 50 + CAPA, [" TOP", "\tUIDL", "USER"],
    ["SASL", "USER", "UIDL"], ["EXPIRE", "LOGIN-DELAY", "EXPIRE -1",
                               "LOGIN-DELAY x", "EXPIRE 99999999999999"]
    + CAPA,
    ["EXPIRE 0"] + CAPA, ["LOGIN-DELAY 0"] + CAPA])
def test_capabilities(lie, client, capa):
    """C-ENG-09, M-42: whole words."""
    server = lie(letters(5), capa=capa, sasl=())
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect()
    settled(server, m, wanted, keep=False)
    assert server.commands("STLS") == []


# STAT alone is wrong, at each sign-in.

def answers(verb, reply):
    """`reply` to `verb`, always."""
    class Answers(Session):
        def answer(self, said, number, good):
            if said == verb and good.octets[:1] in b"+-":
                good.octets = reply.encode() + b"\r\n"
            super().answer(said, number, good)

    return Answers


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
@pytest.mark.parametrize("reply", ["-ERR", "-ERR unknown command",
                                   "-ERR [X-ODD] no"])
@pytest.mark.parametrize("without", [(), ("LIST",), ("UIDL",)], ids=str)
def test_stat_is_refused(odd, client, capa, reply, without):
    """The lists say it all."""
    server = odd(answers("STAT", reply), letters(3), capa=capa,
                 without=without)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="yes")
    m.collect()
    server.box.mails += letters(1, seed=9, uid="new%d")
    assert "1 message collected" in m.account(keep="no").collect().text
    settled(server, m, wanted + server.box.removed[3:], keep=False)


@pytest.mark.core
@pytest.mark.parametrize("reply, code", [
    ("-ERR [SYS/PERM] broken", malote.UNAVAILABLE),
    ("-ERR [SYS/TEMP] broken", malote.TEMPFAIL),
    ("-ERR broken, try later", malote.TEMPFAIL)])
def test_stat_says_that_it_cannot(odd, client, reply, code):
    server = odd(answers("STAT", reply), letters(3), capa=SERIAL)
    m = client().account(at=server, patience=0)
    assert "broken" in m.collect(status=code).text
    assert not server.commands("LIST", "UIDL")


@pytest.mark.core
def test_nothing_says_what_is_there(odd, client):
    """It is STAT that should have, always."""
    server = odd(answers("STAT", "-ERR broken"), letters(3),
                 without=("LIST", "UIDL"))
    m = client().account(at=server, patience=0)
    assert "STAT: the server says \"broken\"" in m.collect(
        status=malote.UNAVAILABLE).text


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
@pytest.mark.parametrize("count", [4, 5, 5000000])
def test_stat_counts_too_many(odd, client, capa, count):
    """What no list has and RETR refuses is not there: that is said, and is no
    failure."""
    server = odd(answers("STAT", "+OK %d 1" % count), letters(3), capa=capa)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    for _ in range(4):
        done = m.collect("--json").account("casa")
        assert "counts %d messages" % count in done["notice"]
    assert done["left"] == 0
    settled(server, m, wanted, keep=False)


@pytest.mark.core
def test_stat_counts_what_is_refused_for_now(odd, client):
    """It may be there."""
    class Refuses(answers("STAT", "+OK 4 1")):
        def do_retr(self, rest):
            return Reply(b"-ERR [SYS/TEMP] later\r\n") if rest == "4" \
                else super().do_retr(rest)

    server = odd(Refuses, letters(3))
    client().account(at=server).collect(status=malote.TEMPFAIL)
