"""Every octet of every message, and what is said about it."""
import pytest

import drop
import pop3
import trace
from server import OURS

pytestmark = pytest.mark.core


def by_uid(session, messages):
    """{number: Message}, by the UIDLs that stand for names."""
    bases = {m.base: m for m in messages}
    return {n: bases[uid] for n, uid in session.uidl().items()
            if uid in bases}


@pytest.mark.parametrize("tls", [False, True])
def test_everything(place, serve, login, tls):
    """S-1939-26, S-ENG-16 to 20: sizes, RETR, TOP of all kinds of mail."""
    messages = drop.make(1, 150) + drop.odd()
    if not OURS:
        messages = drop.peaceful(messages)
    server = serve(place.maildir(messages))
    session = login(server, tls=tls)
    listed = session.list()
    assert session.stat() == (len(messages), sum(listed.values()))
    assert list(listed) == list(range(1, len(messages) + 1))

    wanted = sorted(pop3.digest(drop.wire(m.stored)) for m in messages)
    got = {}
    for n, size in listed.items():
        text = session.retr(n)
        assert len(text) == size, n
        got[n] = pop3.digest(text)
        assert session.top(n, 1000000000)[:size] == text
    assert sorted(got.values()) == wanted
    session.quit()
    if OURS:
        assert_names(login(server, tls=tls), messages, got)


def assert_names(session, messages, got):
    """S-1939-31, S-ENG-09: base names where POP3 permits them."""
    short = {m.base: m for m in messages if len(m.base.encode()) <= 70
             and all("\x21" <= c <= "\x7e" for c in m.base)}
    uids = session.uidl()
    assert len(set(uids.values())) == len(uids)
    assert set(short) <= set(uids.values())
    for n, uid in uids.items():
        assert 1 <= len(uid) <= 70
        assert all("\x21" <= c <= "\x7e" for c in uid)
        if uid in short:
            assert got[n] == pop3.digest(drop.wire(short[uid].stored))


@pytest.mark.parametrize("stored,size,sent", drop.TABLE)
def test_byte_table(place, serve, login, stored, size, sent):
    """Section 6, as written: the raw octets."""
    message = drop.Message("new", "1.row", stored, drop.EPOCH, "row")
    assert drop.stuffed(drop.wire(stored)) == sent
    if not OURS and not drop.peaceful([message]):
        pytest.skip("other servers are known to do otherwise")
    session = login(serve(place.maildir([message])))
    assert session.list() == {1: size}
    assert session.multi("RETR 1") == sent
    session.quit()


@pytest.mark.ours
def test_top(place, serve, login):
    """S-1939-30, S-ENG-08."""
    messages = drop.make(2, 20) + drop.odd()
    session = login(serve(place.maildir(messages)))
    numbered = by_uid(session, messages)
    assert len(numbered) > 50
    for n, m in numbered.items():
        for lines in (0, 1, 2, 7):
            assert session.top(n, lines) == drop.top(m.stored, lines), m.kind
    session.quit()


@pytest.mark.parametrize("at_once", [1, 3, 17, 31, 33, 200])
def test_pipelined(place, serve, login, at_once):
    """S-2449-11: RETRs before their answers, so many at a time."""
    messages = [m for m in drop.make(3, 210) if len(m.stored) < 100000]
    server = serve(place.maildir(messages))
    session = login(server)
    sizes = list(session.list().values())[:200]
    for first in range(0, len(sizes), at_once):
        group = range(first, min(first + at_once, len(sizes)))
        session.send("".join("RETR %d\r\n" % (n + 1) for n in group))
        for n in group:
            assert session.line().startswith(b"+OK")
            assert len(pop3.unstuffed(session.data())) == sizes[n], n
    session.quit()


@pytest.mark.ours
@trace.NEEDED
def test_cannot_be_read_to_its_end(place, serve, login, tmp_path):
    """The line ends, and no "." makes half of it look whole."""
    text = b"Subject: x\n\n" + b"line of text\n" * 300000
    server = serve(place.maildir([drop.Message(
        "new", "1.big", text, drop.EPOCH, "big")]), "workers = 1\n")
    session = login(server)
    with trace.attached(server.roles("worker"), tmp_path / "t",
                        "preadv2,pread64:error=EIO:when=2+"):
        session.ok("RETR 1")
        with pytest.raises(pop3.Closed) as closed:
            session.data()
    assert not closed.value.args[0].endswith(b"\r\n.\r\n")
    assert "message-unreadable" in server.await_event("session")[0]["why"]
