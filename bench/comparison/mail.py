"""The mail that servers are measured with: the same octets in every run.

It is written once.  Each server has hard links to it in directories of its
own, as servers put files of theirs beside the mail.
"""
import bisect
import os
import random
import subprocess
from dataclasses import dataclass

import drop

NOBODY = 65534
OWNER = (NOBODY, NOBODY) if os.geteuid() == 0 else None
HUGE = 8 << 20  # octets of the one message of clients that stall


@dataclass(frozen=True)
class Users:
    """user<first>@example.com and those after; each has so many messages."""
    first: int
    count: int
    messages: int

    def numbers(self):
        return range(self.first, self.first + self.count)


class Sizes:
    """The users and their mail, in a quick run or a full one."""

    def __init__(self, quick):
        self.large = Users(0, 16, 20) if quick else Users(0, 64, 100)
        self.many = Users(64, 1, 3000 if quick else 100000)
        self.holders = Users(65, 64 if quick else 1000, 10)
        self.all = range(65 + self.holders.count)
        # With --big, and for our server only:
        self.thousand = Users(60000, 1, 1000)
        self.million = Users(60001, 1, 50000 if quick else 1000000)
        self.stalled = Users(70000, 100 if quick else 1000, 1)
        self.idle = Users(80000, 500 if quick else 15000, 1)
        self.extra = [n for users in (self.thousand, self.million,
                                      self.stalled, self.idle)
                      for n in users.numbers()]


class Writer:
    """Writes messages of a given size: a realistic header; a body of text with
    a few dots, and an attachment if it is large."""

    def __init__(self, seed):
        self.maker = drop.Maker(seed)
        self.rng = random.Random(seed)
        lines = self.maker.text(drop.ENGLISH, 20000, 14).encode()
        self.text = lines.replace(b"\nthe ", b"\n.the ")
        self.attached = drop.base64.encodebytes(self.maker.blob(1 << 20))
        self.starts = {pool: self.lines(pool)
                       for pool in (self.text, self.attached)}

    @staticmethod
    def lines(pool):
        """Places where lines start."""
        at, out = 0, []
        while at < len(pool):
            out.append(at)
            at = pool.index(b"\n", at) + 1
        return out

    def some(self, pool, n):
        """About n octets, whole lines."""
        starts = self.starts[pool]
        last = bisect.bisect(starts, max(0, len(pool) - n - 100))
        start = starts[self.rng.randrange(max(1, last))]
        end = pool.find(b"\n", start + n) + 1
        return pool[start:end or len(pool)]

    def message(self, i, size):
        head = self.maker.head(i, "Parcel %d" % i,
                               "Content-Type: text/plain\n") + b"\n"
        if size < 12000:
            return head + self.some(self.text, max(1, size - len(head)))
        return (head + self.some(self.text, 2000) + b"\n"
                + self.some(self.attached, size - len(head) - 2000))

    def large(self):
        """53 KB on average, most of them far smaller."""
        kind = self.rng.random()
        if kind < 0.70:
            return self.rng.randrange(1000, 8000)
        if kind < 0.95:
            return self.rng.randrange(10000, 200000)
        return self.rng.randrange(200000, 740000)

    def small(self):
        """3.4 KB on average."""
        return self.rng.randrange(1200, 5600)


def name(i):
    """A name in cur: from new some servers would move it at their first look,
    and others not."""
    return "cur/%d.M%06dP%d.mail.example:2," % (
        drop.EPOCH + i, i * 7919 % 1000000, 1000 + i % 30000)


def maildir(path):
    for directory in (path, path + "/cur", path + "/new", path + "/tmp"):
        os.makedirs(directory)


def age(path):
    """Sets times of long ago: caches may believe a directory that nothing has
    just come to."""
    for sub in ("/cur", "/new"):
        os.utime(path + sub, (drop.EPOCH, drop.EPOCH))


def fill(path, octets):
    """A Maildir of these messages; returns where they are."""
    maildir(path)
    paths = []
    for i, stored in enumerate(octets):
        paths.append(path + "/" + name(i))
        with open(paths[-1], "wb", buffering=0) as f:
            f.write(stored)
    age(path)
    return paths


def link(path, sources):
    maildir(path)
    for i, source in enumerate(sources):
        os.link(source, path + "/" + name(i))
    age(path)


def give(path):
    if OWNER:
        subprocess.run(["chown", "-R", "%d:%d" % OWNER, path], check=True)


def write(where, sizes):
    """Maildirs where/N for all users N."""
    os.makedirs(where)
    writer = Writer(1)
    paths = []
    for n in sizes.large.numbers():
        paths += fill("%s/%d" % (where, n), (
            writer.message(i, writer.large())
            for i in range(sizes.large.messages)))
    for n in range(sizes.large.count, sizes.many.first):
        link("%s/%d" % (where, n), paths[:1])
    for n in sizes.many.numbers():
        fill("%s/%d" % (where, n), (
            writer.message(i, writer.small())
            for i in range(sizes.many.messages)))
    ten = sizes.holders.messages
    for k, n in enumerate(sizes.holders.numbers()):
        link("%s/%d" % (where, n),
             [paths[(ten * k + i) % len(paths)] for i in range(ten)])
    give(where)


def write_extra(where, sizes, mail):
    """The same for --big, by links to what write() made in mail."""
    many = "%s/%d/" % (mail, sizes.many.first)
    small = [many + path for path in sorted(drop.files(many))]
    for users in (sizes.thousand, sizes.million):
        link("%s/%d" % (where, users.first), (
            small[i % len(small)] for i in range(users.messages)))
    writer = Writer(2)
    huge = writer.message(0, 1 << 20) * (HUGE >> 20)
    source = fill("%s/%d" % (where, sizes.stalled.first), [huge])
    for n in sizes.stalled.numbers()[1:]:
        link("%s/%d" % (where, n), source)
    for n in sizes.idle.numbers():
        link("%s/%d" % (where, n), small[:1])
    give(where)


def copy(where, to):
    """Copies all maildrops, by hard links."""
    subprocess.run(["cp", "-al", where, to], check=True)


def mean(where, users):
    """Average size of the messages of these users, in octets."""
    total = count = 0
    for n in users.numbers():
        box = "%s/%d/" % (where, n)
        for path in drop.files(box):
            total += os.stat(box + path).st_size
            count += 1
    return total / count


def forget(box):
    """Takes away what the server has put beside the mail."""
    for entry in os.scandir(box):
        if entry.name not in ("cur", "new", "tmp"):
            os.unlink(entry.path)


def deliver(box, i):
    """Delivers the i-th new message; a hard link is as good as a new file."""
    source = min(drop.files(box))
    os.link(box + "/" + source,
            "%s/new/%s" % (box, name(i)[4:].split(":")[0]))
