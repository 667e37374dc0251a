"""Which message is which: identity is more than the UIDL.

After every scenario: what went from the server is here (settled,
nothing_lost); the dialogue says what was fetched again.
"""
import pytest

import faults
import malote
from hostile import Mail, impostor, letters
from malote import after, again, nothing_lost, same, settled

pytestmark = [malote.NEEDED, pytest.mark.core]


@pytest.fixture
def server(lie):
    return lie(letters(6))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


# Identity.

def test_reused_uid_of_another_size(m, server):
    """C-ENG-24: asked by TOP, and it is a new message."""
    m.collect()
    had = list(server.box.mails)
    server.box.mails[2] = Mail(letters(1, 50)[0].octets + b"more\r\n", "u3")
    again(m, server)
    assert server.numbers("RETR") == [3]
    assert set(server.numbers("TOP")) <= {3}
    settled(server, m, had + [server.box.mails[2]], keep=True)
    again(m, server)
    assert server.numbers("RETR") == []


def test_reused_uid_after_a_listing_without_it(m, server):
    m.collect()
    had = list(server.box.mails)
    del server.box.mails[2]
    again(m, server)
    server.box.mails.append(Mail(impostor(had[2]), "u3"))
    again(m, server)
    assert server.numbers("RETR") == [6]
    assert server.numbers("TOP") == [6]
    settled(server, m, had + [server.box.mails[-1]], keep=True)


def test_uid_gone_and_back(m, server):
    """C-ENG-25."""
    m.collect()
    had = list(server.box.mails)
    hidden = server.box.mails.pop(2)
    again(m, server)
    server.box.mails.insert(2, hidden)
    again(m, server)
    assert server.numbers("RETR") == []
    assert server.numbers("TOP") == [3]
    again(m, server)
    assert server.numbers("TOP") == []
    settled(server, m, had, keep=True)


def test_partial_listing_forgets_nothing(m, server):
    """C-ENG-25, M-39: the UIDL broke off."""
    m.collect()
    server.fault("UIDL", faults.cut(25))
    again(m, server)
    assert server.numbers("RETR") == [] == server.numbers("TOP")
    server.fault("UIDL", faults.cut(25), times=faults.ALWAYS)
    again(m, server)
    server.heal()
    again(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, server.box.mails, keep=True)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("keep", ["yes", "no"])
def test_twins(m, server, alike, keep):
    """C-1939-05, M-12: both, also if they are the same in every octet."""
    first = server.box.mails[0]
    server.box.mails.append(Mail(first.octets if alike else impostor(first),
                                 "u1"))
    had = list(server.box.mails)
    m.account(keep=keep)
    m.collect()
    settled(server, m, had, keep=keep == "yes")
    again(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, had, keep=keep == "yes")


def test_twin_that_came_later(m, server):
    m.collect()
    server.box.mails.append(Mail(impostor(server.box.mails[0]), "u1"))
    again(m, server)
    assert len(server.numbers("RETR")) == 1
    settled(server, m, server.box.mails, keep=True)


def test_all_renumbered(m, server):
    """C-ENG-24: a server that moved; nothing is fetched again."""
    m.collect()
    for i, mail in enumerate(server.box.mails):
        mail.uid = "new-%d" % i
    again(m, server)
    assert server.numbers("RETR") == []
    assert sorted(server.numbers("TOP")) == [1, 2, 3, 4, 5, 6]
    again(m, server)
    assert server.numbers("TOP") == []
    settled(server, m, server.box.mails, keep=True)


def test_all_renumbered_and_due(m, server):
    """Re-identified is good enough to delete."""
    m.account(keep="1h").collect()
    had = list(server.box.mails)
    for i, mail in enumerate(server.box.mails):
        mail.uid = "new-%d" % i
    after(m, server)
    assert server.numbers("RETR") == []
    after(m, server)
    settled(server, m, had, keep=False)


def test_renumbered_and_a_new_one(m, server):
    m.collect()
    server.box.mails.append(letters(1, 60)[0])
    for i, mail in enumerate(server.box.mails):
        mail.uid = "new-%d" % i
    again(m, server)
    assert server.numbers("RETR") == [7]
    settled(server, m, server.box.mails, keep=True)


def test_sizes_changed(m, server):
    """A server that learnt to count CRLF: TOP, no RETR."""
    m.collect()
    for mail in server.box.mails[1:3]:
        mail.size = mail.octets.count(b"\n") * 2 + len(mail.octets)
    again(m, server)
    assert server.numbers("RETR") == []
    assert sorted(server.numbers("TOP")) == [2, 3]
    again(m, server)
    assert server.numbers("TOP") == []
    settled(server, m, server.box.mails, keep=True)


# Servers that lack something.

def no_uids(server):
    server.without.add("UIDL")
    server.capa.remove("UIDL")


def no_top(server):
    server.without.add("TOP")
    server.capa.remove("TOP")


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_without_uidl(m, server, keep):
    """C-ENG-10, M-41."""
    no_uids(server)
    had = list(server.box.mails)
    m.account(keep=keep).collect()
    settled(server, m, had, keep=keep == "yes")
    new = letters(1, 70)[0]
    server.box.mails.append(new)
    again(m, server)
    assert server.numbers("RETR") == [7 if keep == "yes" else 1]
    settled(server, m, had + [new], keep=keep == "yes")


def test_without_uidl_twins(m, server):
    """Without a unique-id, the same octets twice are two."""
    no_uids(server)
    server.box.mails.append(Mail(server.box.mails[0].octets))
    m.collect()
    again(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, server.box.mails, keep=True)


def test_without_uidl_due_later(m, server):
    no_uids(server)
    had = list(server.box.mails)
    m.account(keep="1h").collect()
    after(m, server)
    assert server.numbers("RETR") == []
    settled(server, m, had, keep=False)


@pytest.mark.parametrize("keep", ["yes", "1h"])
def test_without_uidl_and_top(m, server, keep):
    """C-ENG-11: fetched to be known, but not put here twice."""
    no_uids(server)
    no_top(server)
    had = list(server.box.mails)
    m.account(keep=keep).collect()
    after(m, server)
    settled(server, m, had, keep=True if server.box.mails else False)


def test_without_top(m, server):
    """Nothing is deleted on doubt, nothing is doubled."""
    no_top(server)
    had = list(server.box.mails)
    m.account(keep="1h").collect()
    after(m, server)
    assert server.box.removed == []
    for i, mail in enumerate(server.box.mails):
        mail.uid = "new-%d" % i
    after(m, server)
    # Fetched whole, each was seen to be here: no doubt is left.
    assert all(x in had for x in server.box.removed)
    same(m.files().values(), [x.local for x in had])


def test_without_top_at_once(m, server):
    """What this session stored needs no TOP."""
    no_top(server)
    had = list(server.box.mails)
    m.account(keep="no").collect()
    settled(server, m, had, keep=False)


def test_without_capa(m, server):
    """C-ENG-08, C-2449-05: an old server."""
    server.without.add("CAPA")
    had = list(server.box.mails)
    m.account(keep="no").collect()
    settled(server, m, had, keep=False)


def test_hangs_up_on_capa(m, server):
    """C-ENG-08: tried once more without, and remembered."""
    server.fault("CAPA", faults.cut(), times=faults.ALWAYS)
    m.collect(seconds=60)
    settled(server, m, server.box.mails, keep=True)
    again(m, server)
    assert server.commands("CAPA") == []


def test_capabilities_are_believed_only_as_far(m, server):
    """CAPA says nothing of TOP and UIDL, yet the server has them."""
    server.capa = ["USER"]
    m.account(keep="1h").collect()
    after(m, server)
    nothing_lost(server, m)
    assert len(m.files()) == 6
