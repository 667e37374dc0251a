"""Messages that Dovecot's zlib plugin has compressed."""
import bz2
import gzip
import lzma
import os
import re
import subprocess

import pytest

import drop
import pop3
from test_delivery import DOVECOT_LDA, as_owner

pytestmark = [pytest.mark.ours, pytest.mark.core]

SAVED = """mail_location = maildir:%s
log_path = /dev/stderr
first_valid_uid = 1
base_dir = %s/run
postmaster_address = nobody@localhost
mail_plugins = zlib
plugin {
  zlib_save = %s
}
"""
PACK = [gzip.compress, bz2.compress, lzma.compress]


def deliver(place, box, packing, messages):
    config = place.path + "/lda.conf"
    with open(config, "w") as f:
        f.write(SAVED % (box, place.path, packing))
    os.chmod(config, 0o644)
    for m in messages:
        done = subprocess.run(
            [DOVECOT_LDA, "-c", config, "-k"], input=m.stored, timeout=20,
            cwd=place.path, env={"HOME": place.path, "USER": "nobody",
                                 "PATH": "/usr/bin"},
            capture_output=True, check=True, **as_owner(place))
        assert b"zlib_save" not in done.stderr


def everything(session):
    """{unique-id: text}; what is announced is what comes."""
    uids, sizes = session.uidl(), session.list()
    assert session.stat() == (len(uids), sum(sizes.values()))
    texts = {}
    for n in uids:
        session.send(b"RETR %d\r\nTOP %d 1000000\r\n" % (n, n))
        assert session.line() == b"+OK %d octets" % sizes[n]
        text = session.data()
        assert session.line().startswith(b"+OK")
        assert session.data() == text
        texts[uids[n]] = pop3.unstuffed(text)
        assert len(texts[uids[n]]) == sizes[n]
    return texts


@pytest.mark.parametrize("packing", ["gz", "bz2", "zstd", "lz4"])
@pytest.mark.skipif(not os.path.exists(DOVECOT_LDA), reason="no Dovecot")
def test_as_dovecot_wrote_it(place, serve, login, packing):
    """The same octets as from Dovecot itself, and of the size that it wrote
    into the names."""
    box = place.maildir()
    deliver(place, box, packing, drop.peaceful(drop.make(61, 25))[:12])
    names = drop.files(box)
    assert all(os.stat("%s/%s" % (box, name)).st_size !=
               int(re.search(r",S=(\d+)", name)[1])
               for name in names) or packing == "lz4"
    session = login(serve(box))
    texts = everything(session)
    session.quit()
    assert sorted(map(len, texts.values())) == sorted(
        int(re.search(r",W=(\d+)", name)[1]) for name in names)
    theirs = serve(box, peer="dovecot", peer_config="mail_plugins = zlib\n")
    session = login(theirs)
    assert sorted(everything(session).values()) == sorted(texts.values())
    session.quit()


def messages_of(seed, count):
    """Plain and compressed ones, under names that say the truth or not."""
    plain = drop.short(drop.make(seed, count))
    out = []
    for i, m in enumerate(plain):
        octets = PACK[i % 4](m.stored) if i % 4 < 3 else m.stored
        size = len(octets) if i % 5 == 0 else len(m.stored)
        name = "%d.m,S=%d,W=%d" % (i + 1, size, size + i % 3)
        out.append((m.stored, drop.Message("cur", name + ":2,S", octets,
                                           drop.EPOCH + i, name)))
    return out


def test_among_plain_ones(place, serve, login):
    both = messages_of(62, 120)
    session = login(serve(place.maildir([m for _, m in both])))
    want = {m.name.split(":")[0]: drop.wire(stored) for stored, m in both}
    assert everything(session) == want
    # A window of them at once.
    n = len(want)
    sizes = session.list()
    session.send(b"".join(b"RETR %d\r\n" % i for i in range(1, n + 1)))
    for i in range(1, n + 1):
        assert session.line() == b"+OK %d octets" % sizes[i]
        assert len(pop3.unstuffed(session.data())) == sizes[i]
    session.ok("DELE 1")
    session.quit()


def test_not_unpacked(place, serve, login):
    """What cannot be unpacked, or should not be, is no message; the log says
    why, and the others are there."""
    good = b"Subject: good\n\nwell\n"
    packed = gzip.compress(good)
    bomb = bz2.compress(b"x" * (1 << 20)) * 200
    files = {"1.good": packed, "2.cut": packed[:-9], "3.bomb": bomb,
             "4.odd": packed[:20] + b"odd" + packed[23:],
             "5.more": packed + b"more", "6.good": good,
             "7.secret": b"CRYPTED\x03\x07\x02" + b"x" * 100}
    box = place.maildir([drop.Message("new", name, octets, drop.EPOCH, name)
                         for name, octets in files.items()])
    server = serve(box)
    session = login(server)
    assert everything(session) == {"1.good": drop.wire(good),
                                   "6.good": drop.wire(good)}
    session.quit()
    server.await_event("message-left-out", 5)
    assert re.search(r"ev=message-left-out .*error=\"(gzip|bzip2): ",
                     server.log_text())
    # No disk ails, and the mail is whose it should be.
    told = {os.path.basename(e["path"]): e["remedy"]
            for e in server.events("message-left-out")}
    assert told == dict.fromkeys(
        ("2.cut", "3.bomb", "4.odd", "5.more", "7.secret"),
        "restore it, or move it elsewhere")


def test_compressed_meanwhile(place, serve, login):
    """A file that another program compresses keeps its name and time, as those
    do who follow Dovecot's manual."""
    stored = b"Subject: x\n\n" + b"line\n" * 1000
    box = place.maildir([drop.Message(
        "cur", "1.x,S=%d:2,S" % len(stored), stored, drop.EPOCH, "x")])
    server = serve(box)
    for pack in (gzip.compress, bz2.compress, lambda octets: octets):
        session = login(server)
        assert session.list() == {1: len(drop.wire(stored))}
        path = box + "/cur/1.x,S=%d:2,S" % len(stored)
        with open(box + "/tmp/other", "wb") as f:
            f.write(pack(stored))
        os.utime(box + "/tmp/other", ns=(os.stat(path).st_mtime_ns,) * 2)
        if place.owner:
            os.chown(box + "/tmp/other", *place.owner)
        os.rename(box + "/tmp/other", path)
        assert session.retr(1) == drop.wire(stored)
        session.quit()


def test_failed_ahead(place, serve, login):
    """A message that could not be had when it was asked for ahead of the
    client is asked for again when the client wants it."""
    packed = gzip.compress(b"Subject: x\n\nx\n")
    box = place.maildir([drop.Message("cur", "%d.x:2,S" % i, packed,
                                      drop.EPOCH, "x") for i in (1, 2)])
    session = login(serve(box))
    with open(box + "/cur/2.x:2,S", "r+b") as f:
        f.truncate(20)
        session.retr(1)
        f.seek(0)
        f.write(packed)
    assert session.retr(2) == session.retr(1)
    session.quit()


def test_many_large_ones(place, serve, login):
    """The store makes less ahead of the client than it was asked for."""
    stored = b"Subject: large\n\n" + b"%s\n" % (b"x" * 70) * 40_000
    packed = gzip.compress(stored)
    box = place.maildir([drop.Message("cur", "%d.x:2,S" % i, packed,
                                      drop.EPOCH, "x") for i in range(1, 10)])
    session = login(serve(box))
    session.send(b"".join(b"RETR %d\r\n" % i for i in range(1, 10)))
    for _ in range(9):
        assert session.line().startswith(b"+OK")
        assert pop3.unstuffed(session.data()) == drop.wire(stored)
    session.quit()


LARGE = b"Subject: large\n\n" + b"x" * 120_000_000


@pytest.mark.slow
def test_memory(place, serve, login):
    """What lies unpacked in memory is limited over all sessions, and comes
    back when it is no longer needed."""
    box = place.maildir([drop.Message(
        "cur", "1.large:2,S", gzip.compress(LARGE), drop.EPOCH, "l")])
    server = serve(box, "sessions = \"shared\"\n")
    session = login(server)
    for _ in range(8):
        assert session.top(1, 0).startswith(b"Subject: large\r\n")
    holding = []
    while len(holding) < 4:
        holding.append(login(server))
        holding[-1].send(b"RETR 1\r\n")
        assert holding[-1].line().startswith(b"+OK")
    session.err("RETR 1", "SYS/TEMP")
    server.await_event("fetch-failed")
    holding.pop().close()
    for _ in range(100):
        if session.command("TOP 1 0").startswith(b"+OK"):
            session.data()
            break
    else:
        assert False, "its memory did not come back"
    session.quit()
    for other in holding:
        other.close()
