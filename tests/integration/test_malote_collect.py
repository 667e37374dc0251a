"""malote brings mail here: every octet of it, once, from any server."""
import os
import ssl
import subprocess
import time

import pytest

import drop
import faults
import malote
from hostile import CAPA, Mail, letters, mails
from malote import same, settled
from server import wait_until

pytestmark = malote.NEEDED
SECURITY = ["none", "starttls", "tls"]
SERIAL = [c for c in CAPA if c != "PIPELINING"]


def odd_mails():
    return mails(drop.peaceful(drop.make(31, 80) + drop.odd()))


def local(messages):
    return [drop.wire(m.stored).replace(b"\r\n", b"\n") for m in messages]


def point_at(m, server, security, name="casa"):
    """An account at a maloted or a Dovecot of the harness."""
    ca = m.home + "/%s.pem" % name
    with open(ca, "w") as f:
        f.write(ssl.get_server_certificate(("127.0.0.1", server.tls_port)))
    return m.account(name, server.tls_port if security == "tls"
                     else server.port, security=security, server="localhost",
                     ca_file=ca if security != "none" else None)


@pytest.mark.core
@pytest.mark.parametrize("keep", ["yes", "no"])
@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize("peer", ["", "dovecot"])
def test_real_servers(place, serve, client, peer, security, keep):
    """C-1939-01, 04, C-ENG-26, 33: byte-exact, removed if told."""
    messages = drop.peaceful(drop.make(30, 120) + drop.odd())
    box = place.maildir(messages)
    server = serve(box, peer=peer)
    m = point_at(client(), server, security).account(keep=keep)
    m.collect()
    same(m.files().values(), local(messages))
    malote.check_names(m.files())
    left = {x.path for x in messages} if keep == "yes" else set()
    assert {p.split(":")[0].split("/")[-1] for p in drop.files(box)} == {
        p.split(":")[0].split("/")[-1] for p in left}
    m.collect()
    assert len(m.files()) == len(messages)


@pytest.mark.core
@pytest.mark.parametrize("capa", [CAPA, SERIAL], ids=["pipelined", "serial"])
@pytest.mark.parametrize("step", [None, 1000, 4096], ids=str)
def test_every_octet(lie, client, capa, step):
    """C-1939-01, C-ENG-17, 33: in pieces of any size."""
    server = lie(odd_mails(), capa=capa)
    if step:
        server.fault("RETR", faults.drip(step, 0), times=faults.ALWAYS)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect()
    settled(server, m, wanted, keep=False)


def test_octet_by_octet(lie, client):
    """Every place where a segment may end."""
    server = lie(mails([b"A: b\n\n.\n..\n.x\n\rx\r\n\0\n\n.\n", b"", b"\n"]))
    server.fault("*", faults.drip(1, 0.001), times=faults.ALWAYS)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect()
    settled(server, m, wanted, keep=False)


def test_size_that_lies(lie, client):
    """C-ENG-17, M-35: the terminator counts, not what LIST says."""
    server = lie(letters(3))
    for mail, size in zip(server.box.mails, (0, 1, 10 ** 6)):
        mail.size = size
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect()
    settled(server, m, wanted, keep=False)


def test_size_that_fits_nowhere(lie, client):
    """C-ENG-18: the others come."""
    server = lie(letters(3))
    server.box.mails[1].size = 2 ** 60
    wanted = [x for x in server.box.mails if x.uid != "u2"]
    m = client().account(at=server)
    m.collect(status=None)
    settled(server, m, wanted, keep=True)


def test_bare_lf_server(lie, client):
    """C-1957-01: a server that ends all its lines with LF."""
    server = lie(letters(3))
    server.fault("*", faults.mangle(lambda r: r.replace(b"\r\n", b"\n")),
                 times=faults.ALWAYS)
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect()
    same(m.files().values(), [x.local for x in wanted])


def test_several_accounts_one_mailbox(place, serve, lie, client, certs):
    """The same unique-ids on servers of four kinds."""
    ours, theirs = drop.make(32, 30), drop.make(33, 30)
    first = serve(place.maildir(ours, "ours"))
    second = serve(place.maildir(theirs, "theirs"), peer="dovecot")
    third = lie(letters(20, 34))
    fourth = lie(letters(20, 35), mode="tls", context=certs.context())
    wanted = local(ours + theirs) + [
        x.local for s in (third, fourth) for x in s.box.mails]
    m = client()
    point_at(m, first, "tls", "one")
    point_at(m, second, "starttls", "two")
    m.account("three", third, keep="no")
    m.account("four", fourth, server="localhost", ca_file=certs.ca)
    m.collect()
    same(m.files().values(), wanted)
    assert third.box.mails == [] and len(fourth.box.mails) == 20
    m.collect()
    assert len(m.files()) == len(wanted)


def test_accounts_by_name(lie, client):
    one, two = lie(letters(2, 1)), lie(letters(3, 2))
    m = client().account("one", one).account("two", two)
    m.collect("two")
    same(m.files().values(), [x.local for x in two.box.mails])
    assert one.lines == []
    m.run()  # without a word: all of them
    assert len(m.files()) == 5


def test_at_the_same_time(lie, client):
    """A slow one holds up nobody."""
    slow, quick = lie(letters(2, 1)), lie(letters(2, 2))
    slow.fault("STAT", faults.wait(3))
    m = client().account("slow", slow).account("quick", quick)
    run = m.start("collect")
    wait_until(lambda: len(m.files()) == 2, 2.5)
    same(m.files().values(), [x.local for x in quick.box.mails])
    run.wait()
    assert len(m.files()) == 4


@pytest.mark.core
def test_nothing_new_costs_little(lie, client):
    """A poll is STAT, LIST, UIDL."""
    server = lie(letters(12))
    m = client().account(at=server)
    m.collect()
    server.forget()
    m.collect()
    asked = [c.split()[0] for c in server.commands()
             if c.split()[0] in ("STAT", "LIST", "UIDL", "TOP", "RETR",
                                 "DELE", "NOOP", "RSET", "QUIT")]
    assert sorted(asked) == ["LIST", "QUIT", "STAT", "UIDL"]
    assert len(m.files()) == 12


def test_new_among_old(lie, client):
    server = lie(letters(5))
    m = client().account(at=server)
    m.collect()
    server.box.mails[2:2] = letters(2, first=100)
    server.forget()
    m.collect()
    assert sorted(server.numbers("RETR")) == [3, 4]
    assert server.numbers("TOP") == []
    settled(server, m, server.box.mails, keep=True)


def test_keep(lie, client):
    """C-ENG-28: so long after it was collected; before, it stays."""
    server = lie(letters(3))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="30d")
    m.collect()
    m.collect()
    assert server.numbers("DELE") == []
    m.account(keep="2s")
    time.sleep(2.5)
    m.collect()
    settled(server, m, wanted, keep=False)


def test_empty_maildrop(lie, client):
    server = lie([])
    m = client().account(at=server)
    m.collect()
    m.collect()
    assert m.files() == {}


def test_many(lie, client):
    server = lie(letters(2500))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect(seconds=60)
    settled(server, m, wanted, keep=False)


def test_max_size(lie, client):
    """C-ENG-29: skipped, said, and never deleted."""
    server = lie(letters(3))
    big = Mail(drop.wire(b"Subject: big\n\n" + b"x\n" * 50000), "big")
    server.box.mails.insert(1, big)
    wanted = [x for x in server.box.mails if x is not big]
    m = client().account(at=server, keep="no", max_size=50000)
    said = m.collect(status=None)
    assert said.text.strip()
    assert server.numbers("RETR") == [1, 3, 4]
    assert server.box.mails == [big]
    same(m.files().values(), [x.local for x in wanted])
    m.account(max_size=1000000)
    m.collect()
    settled(server, m, wanted + [big], keep=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_disk_full(lie, client, place):
    """C-ENG-18: what does not fit stays there; nothing half is here."""
    server = lie(mails([b"Subject: %d\n\n" % i + b"y" * 99 * 1000
                        for i in range(8)]))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    os.mkdir(m.home + "/mail", 0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500k", "none",
                       m.home + "/mail"]).returncode:
        pytest.skip("no mounts here")
    try:
        m.collect(status="bad")
        malote.nothing_lost(server, m)
        here = m.files()
        assert 0 < len(here) < 8
        same(here.values(), set(here.values()))
        assert m.left_in_tmp() == []
        subprocess.run(["mount", "-o", "remount,size=5m",
                        m.home + "/mail"], check=True)
        m.collect()
        settled(server, m, wanted, keep=False)
    finally:
        subprocess.run(["umount", m.home + "/mail"], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_disk_full_of_the_record(lie, client, place):
    """C-ENG-18: said in the words of the system, which are translated."""
    server = lie(letters(4))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    os.mkdir(m.state, 0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none",
                       m.state]).returncode:
        pytest.skip("no mounts here")
    try:
        with open(m.state + "/other", "wb") as f:
            f.write(b"x" * 90000)
        done = m.collect(status=malote.IOERR)
        assert "state.db: No space left on device" in done.text, done
        assert not m.files() and not server.box.removed
        os.unlink(m.state + "/other")
        subprocess.run(["mount", "-o", "remount,size=5m", m.state],
                       check=True)
        m.collect()
        settled(server, m, wanted, keep=False)
    finally:
        subprocess.run(["umount", m.state], check=True)


def test_mbox(lie, client):
    """C-ENG-30: appended to what is there, quoted, and taken apart again."""
    server = lie(letters(4) + mails([b"From x\n>From y\n\nFrom z\n\n",
                                     b"Subject: no end\n\nFrom"], "x%d"))
    wanted = [x.local for x in server.box.mails]
    m = client()
    with open(m.home + "/mbox", "wb") as f:
        f.write(b"From a@b Tue Nov 14 22:13:20 2023\nA: b\n\nold\n\n")
    m.account(at=server, keep="no", deliver="mbox:" + m.home + "/mbox")
    m.collect()
    same(m.mbox(), [b"A: b\n\nold\n"] + wanted)
    assert server.box.mails == []


def test_command(lie, client):
    """C-ENG-31: deleted only if the command says that it took it."""
    server = lie(letters(4))
    wanted = list(server.box.mails)
    m = client()
    os.mkdir(m.home + "/took")
    script = m.home + "/take it"
    with open(script, "w") as f:
        f.write("#!/bin/sh\ncat >\"%s/took/$$.new\" || exit 75\n"
                "grep -q 'order 2$' \"%s/took/$$.new\" && "
                "rm \"%s/took/$$.new\" && exit 75\nexit 0\n"
                % (m.home, m.home, m.home))
    os.chmod(script, 0o700)
    m.account(at=server, keep="no", deliver="command:'%s' -x" % script)
    m.collect(status=None)
    assert [x.uid for x in server.box.mails] == ["u2"]
    got = []
    for name in os.listdir(m.home + "/took"):
        with open(m.home + "/took/" + name, "rb") as f:
            got.append(f.read())
    same(got, [x.local for x in wanted if x.uid != "u2"])
