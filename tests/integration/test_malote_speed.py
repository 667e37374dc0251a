"""Round trips, counted: what a line with latency costs."""
import os
import shutil

import pytest

import drop
import malote
from hostile import CAPA, letters

pytestmark = [malote.NEEDED, pytest.mark.ours]
COUNT = 100
EACH_WAY = 0.025


def small(count=COUNT):
    maker = drop.Maker(41)
    return [drop.Message("new", "%d.m" % i, maker.plain(i), drop.EPOCH + i,
                         "small") for i in range(count)]


def by_malote(m, proxy, keep):
    proxy.reset()
    m.account(at=proxy.port, keep=keep)
    done = m.collect()
    assert len(m.files()) == COUNT
    return proxy.turns, done.seconds


def by_mpop(place, proxy, keep):
    proxy.reset()
    for d in ("cur", "new", "tmp"):
        os.makedirs(place.path + "/collected/" + d)
    done = malote.Run([
        "mpop", "--host=127.0.0.1", "--port=%d" % proxy.port, "--user=user",
        "--passwordeval=echo secret", "--auth=plain", "--pipelining=auto",
        "--delivery=maildir,%s/collected" % place.path, "--keep=" + keep, "-q",
        "--uidls-file=%s/uidls" % place.path, "--received-header=off",
        "--tls=off"], place.path, dict(os.environ)).wait()
    assert len(os.listdir(place.path + "/collected/new")) == COUNT
    return proxy.turns, done.seconds


@pytest.mark.skipif(shutil.which("mpop") is None, reason="needs mpop")
@pytest.mark.parametrize("keep", ["no", "yes"])
@pytest.mark.parametrize("peer", ["", "dovecot"])
def test_turns_beside_mpop(place, serve, client, line, peer, keep):
    """No more than 1.1 times what mpop takes; the time is shown only."""
    turns, seconds = {}, {}
    for name, run in (("malote", by_malote), ("mpop", by_mpop)):
        server = serve(place.maildir(small(), name), peer=peer)
        proxy = line(server.port, EACH_WAY)
        who = client() if name == "malote" else place
        turns[name], seconds[name] = run(
            who, proxy, {"no": "off", "yes": "on"}[keep]
            if name == "mpop" else keep)
    print("turns", turns, "seconds", seconds)
    assert turns["malote"] <= 1.1 * turns["mpop"]


def test_turns_with_pipelining(lie, client, line):
    """A handful, however many messages there are."""
    server = lie(letters(COUNT))
    by_malote(client(), line(server.port, EACH_WAY), "no")
    assert server.box.mails == []
    assert server.turns() <= 25


def test_turns_without_pipelining(lie, client, line):
    """C-ENG-34: never more than one a message; and one for its DELE."""
    server = lie(letters(COUNT), capa=[c for c in CAPA if c != "PIPELINING"])
    by_malote(client(), line(server.port, 0.001), "yes")
    assert server.turns() <= COUNT + 12


def test_turns_of_a_poll(lie, client, line):
    server = lie(letters(COUNT))
    m = client()
    proxy = line(server.port, 0.001)
    by_malote(m, proxy, "yes")
    proxy.reset()
    m.collect()
    assert proxy.turns <= 7


def test_turns_of_top(lie, client, line):
    """TOP is pipelined, too: after a server renamed everything."""
    server = lie(letters(COUNT))
    m = client()
    proxy = line(server.port, 0.001)
    by_malote(m, proxy, "yes")
    for mail in server.box.mails:
        mail.uid = "n" + mail.uid
    proxy.reset()
    m.collect()
    assert server.numbers("TOP") and proxy.turns <= 20
    assert len(m.files()) == COUNT
