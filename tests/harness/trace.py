"""Which changes to the disk a program makes, when it syncs them, and when it
says so: in one order over all its processes, as strace sees them.

    trace.command(file)                 to be put before a program's words
    with trace.attached(pids, file):    processes that run already
    trace.events(file)                  [Event]

fail: a rule of strace's, "fsync:error=EIO": those calls are not made.  more:
calls that are looked at, too.
"""
import contextlib
import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

NEEDED = pytest.mark.skipif(shutil.which("strace") is None,
                            reason="strace is not installed")
SYNCS = "fsync", "fdatasync"
CHANGES = ("write", "pwrite64", "writev", "unlinkat", "rename", "renameat",
           "renameat2", "linkat")
SENDS = "sendmsg", "sendto"
BEGINNING = re.compile(r"(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$")


@dataclass
class Event:
    call: str
    args: str     # with the paths of descriptors
    done: bool    # without an error

    def is_sync(self, path):
        """path: how it ends, as "/new"."""
        return self.call in SYNCS and self.done and path + ">" in self.args

    def says(self, words):
        """To a socket."""
        return self.call in SENDS + ("write", "writev") and \
            "socket:" in self.args.split(",")[0] and words in self.args


def command(file, fail=None, pids=(), more=()):
    calls = ",".join(SYNCS + CHANGES + SENDS + more)
    if fail:
        # What is not traced is not made to fail either.
        calls += "," + fail.split(":")[0]
    words = ["strace", "-f", "-y", "-s", "200", "-o", str(file), "-e",
             "trace=" + calls]
    if fail:
        words += ["-e", "inject=" + fail]
    for pid in pids:
        words += ["-p", str(pid)]
    return words


@contextlib.contextmanager
def attached(pids, file, fail=None, more=()):
    tracer = subprocess.Popen(command(file, fail, pids, more),
                              stderr=subprocess.PIPE)
    try:
        for _ in pids:
            assert b"attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


def events(file):
    """What is said is said when it begins, all else has happened when it has
    ended."""
    open_calls, found = {}, []
    with open(file, encoding="utf-8", errors="replace") as f:
        for line in f:
            begun, resumed = BEGINNING.match(line), RESUMED.match(line)
            if begun:
                pid, call, args = begun.groups()
                if "<unfinished" in args and call not in SENDS:
                    open_calls[pid] = args
                    continue
            elif resumed:
                pid, call, args = resumed.groups()
                if call in SENDS or pid not in open_calls:
                    continue
                args = open_calls.pop(pid) + args
            else:
                continue
            found.append(Event(call, args, " = -1 " not in args))
    return found


def first(found, is_it):
    """The place of the first event that is_it(); fails if there is none."""
    for at, event in enumerate(found):
        if is_it(event):
            return at
    raise AssertionError("\n".join(map(str, found)))


def last(found, is_it):
    return len(found) - 1 - first(found[::-1], is_it)
