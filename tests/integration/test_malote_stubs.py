"""headers_above: of large messages the header, and how to get the rest."""
import email
import platform
import re

import pytest

import drop
import faults
import malote
from hostile import Mail, letters
from malote import same
from test_malote_kill import ENV, KILLED, spread

pytestmark = malote.NEEDED
killer_works = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")
LIMIT = 4000


def large(n, *fields, size=9000):
    text = "\n".join((
        "From: Ana <ana@example.org>", "Subject: =?utf-8?q?F=C3=A9rias?= %d" % n,
        "Message-ID: <large%d@example.org>" % n,
        "Content-Type: multipart/mixed;\n\tboundary=x", *fields, "",
        "--x\n" + "y" * 70 * (size // 70) + "\n--x--", ""))
    return Mail(drop.wire(text.encode()), "large%d" % n)


def stubs(m, where="mail"):
    """Those that are here, and what else is."""
    found, rest = [], []
    for octets in m.files(where).values():
        mail = email.message_from_bytes(octets)
        if "X-Malote-Size" in mail:
            found.append(mail)
        else:
            rest.append(octets)
    return found, rest


def number(mail):
    return int(re.search(r"malote fetch casa (\d+)", mail.get_payload())[1])


@pytest.mark.parametrize("keep", ["yes", "no", "1h"])
def test_stub(lie, client, keep):
    """Its header only is downloaded, once, and it stays on the server; the
    number in it gets the rest, and only then it is deleted."""
    small, big = letters(2), large(1, "Disposition-Notification-To: x@y")
    server = lie([small[0], big, small[1]])
    m = client().account(at=server, keep=keep, headers_above=LIMIT)
    m.collect()
    assert server.numbers("RETR") == [1, 3]
    [stub], rest = stubs(m)
    same(rest, [x.local for x in small])
    assert stub["From"] == "Ana <ana@example.org>"
    assert stub["Subject"] == "=?utf-8?q?F=C3=A9rias?= 1"
    assert stub["In-Reply-To"] == "<large1@example.org>"
    assert stub["Message-ID"] != "<large1@example.org>"
    assert stub.get_content_type() == "text/plain"
    assert stub["Disposition-Notification-To"] is None
    assert stub["X-Malote-Size"] == str(len(big.octets))
    assert "127.0.0.1" in stub.get_payload()
    assert "yyy" not in stub.as_string()
    for _ in range(2):
        m.age()
        malote.again(m, server)
        assert server.numbers("RETR") == [] and len(stubs(m)[0]) == 1
        assert big in server.box.mails
    m.run("fetch", "casa", str(number(stub)))
    got, rest = stubs(m)
    assert len(got) == 1 and big in server.box.mails
    same(rest, [x.local for x in (*small, big)])
    m.age()
    malote.again(m, server)
    assert server.numbers("RETR") == []
    assert server.box.mails == ([small[0], big, small[1]]
                                if keep == "yes" else [])


def test_numbers_are_those_of_the_list(lie, client):
    """One that `malote list` has given stays, and none is given twice."""
    mails = [large(1), large(2), large(3)]
    server = lie(mails[:2])
    m = client().account(at=server, headers_above=LIMIT)
    listed = m.run("list").text
    m.collect()
    server.box.mails.append(mails[2])
    m.collect()
    found = {x["In-Reply-To"]: number(x) for x in stubs(m)[0]}
    assert sorted(found.values()) == [1, 2, 3] and "2" in listed
    server.box.mails.pop(0)
    for n in (2, 3):
        m.run("fetch", "casa", str(found["<large%d@example.org>" % n]))
    same(stubs(m)[1], [x.local for x in mails[1:]])


def test_lost_record(lie, client):
    """The stub is not taken for the message: that is never deleted for it."""
    server = lie([large(1)])
    m = client().account(at=server, keep="no", headers_above=LIMIT)
    m.collect()
    (stub,), _ = stubs(m)
    m.lose_state()
    done = m.collect()
    assert server.box.mails != [] and server.numbers("RETR") == []
    # Nor is it made again, and nothing is said of it.
    assert len(stubs(m)[0]) == 1, done
    assert "no record" not in done.text and "a message (" not in done.text
    server.box.mails.append(large(2))
    m.collect()
    assert sorted(number(x) for x in stubs(m)[0]) == [1, 2]
    m.run("fetch", "casa", str(number(stub)))
    same(stubs(m)[1], [large(1).local])
    del server.box.mails[1:]
    m.account(headers_above=None)
    m.collect()
    same(stubs(m)[1], [large(1).local])
    assert server.box.mails == []


@pytest.mark.parametrize("what", ["no TOP", "no UIDL", "max_size"])
def test_where_there_is_none(lie, client, what):
    """It stays on the server whole, and is told of, as by max_size; which does
    not matter where there are stubs."""
    mail = large(1)
    if what == "no UIDL":
        mail.uid = None
    server = lie([mail], capa=["USER"] + [
        x for x in ("TOP", "UIDL") if x not in what])
    m = client().account(at=server, headers_above=LIMIT, keep="no",
                         max_size=LIMIT if what == "max_size" else None)
    done = m.collect()
    assert server.numbers("RETR") == [] and server.box.mails == [mail]
    if what == "max_size":
        assert len(stubs(m)[0]) == 1
    else:
        assert "larger than headers_above" in done.text and m.files() == {}


def test_a_server_that_sends_all(lie, client):
    """TOP gives the whole message: no more than the header is here."""
    mail = large(1)
    mail.header = mail.octets
    server = lie([mail])
    m = client().account(at=server, headers_above=LIMIT)
    m.collect()
    [stub], _ = stubs(m)
    assert "yyy" not in stub.as_string()


def test_top_refused(lie, client):
    """Another run tries again."""
    server = lie([large(1)])
    m = client().account(at=server, headers_above=LIMIT)
    server.fault("TOP", faults.err("no"), times=9)
    m.collect(status="bad")
    server.heal()
    m.collect()
    assert len(stubs(m)[0]) == 1


def test_by_rule_and_named(lie, client):
    """A rule sorts it by its header; a name is quoted for the shell; it is new
    mail."""
    server = lie([large(1)])
    name = "ana's mail"
    m = client().account(name, at=server, headers_above=LIMIT,
                         on_new="echo $MALOTE_NEW >told")
    m.rules = {"ana": {"match": "from:ana@example.org",
                       "deliver": "maildir:./ana"}}
    m.collect()
    [stub], _ = stubs(m, "ana")
    assert "malote fetch 'ana'\\''s mail' 1\n" in stub.get_payload()
    with open(m.home + "/told") as f:
        assert f.read() == "1\n"


@killer_works
@pytest.mark.parametrize("places", [
    8, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, killer, places):
    """One stub, with a number that gets the message; and that stays."""
    small, big = letters(1), large(1)

    def begin(n):
        server = lie([*small, big])
        return server, client("home%d" % n).account(
            at=server, keep="no", headers_above=LIMIT)

    _, m = begin(0)
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
        [stub], rest = stubs(m)
        same(rest, [x.local for x in small])
        assert server.box.mails == [big]
        m.run("fetch", "casa", str(number(stub)))
        same(stubs(m)[1], [x.local for x in (*small, big)])
        server.stop()
    assert hit >= len(spread(total, places)) // 2
