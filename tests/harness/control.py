"""Both ends of the control socket, for tests that misuse it; and the channel of
a role, for tests that speak in its name (src/server/ipc/control.h, proto.h)."""
import ctypes
import os
import pathlib
import re
import socket
import struct

STATUS, UIDL_SHOW, UIDL_FORGET, ROOT_ACCEPT = 1, 2, 3, 4
USER_SHOW, USER_TEST, AUTH_FAILURES = 5, 6, 7
RELOAD = 10
MAILDROP_CHECK = 15
RESTART = 17
SERVER, PROCESS, LISTENER, ROOT, NOTE, UIDL, FACT = range(32, 39)
DONE = 63
GOOD, NO_USER, IN_USE, LATER, CANNOT, DENIED = range(6)
TEXT, NUMBER, FLAG = range(3)

def message_types():
    """The numbers of enum ipc_type, by name without IPC_."""
    here = pathlib.Path(__file__).parent
    source = (here / "../../src/server/ipc/proto.h").read_text()
    body = re.sub(r"/\*.*?\*/", "", source[source.index("enum ipc_type {"):],
                  flags=re.S)
    body = body[:body.index("};")]
    numbers, number = {}, 0
    for name, value in re.findall(r"\bIPC_(\w+)(?:\s*=\s*(\d+))?\s*,", body):
        number = int(value) if value else number + 1
        numbers[name] = number
    return numbers


# Between the parent and its processes.
TYPES = message_types()
WHERE, WHERE_IS, ASK_UIDL, UIDL_IS, ASK, FACT_IS, ASKED = (
    TYPES[name] for name in (
        "WHERE", "WHERE_IS", "INQUIRY", "UIDL_IS", "ASK", "FACT", "ASKED"))

PARENT_FD = 3


def text(words):
    """A string as a field."""
    if isinstance(words, str):
        words = words.encode()
    return struct.pack("=I", len(words)) + words


def message(kind, *fields):
    return struct.pack("=H", kind) + b"".join(fields)


def done(outcome, words=""):
    return struct.pack("=I", outcome) + text(words)


def uidl(decided="filename", setting="auto", form="", ignored="", messages=1):
    return b"".join(map(text, (decided, setting, form, ignored))) + \
        struct.pack("=BIII", 1, messages, 0, 0)


def fact(row, name, value):
    kind = TEXT if isinstance(value, str) else NUMBER
    return struct.pack("=HI", row, kind) + text(name) + \
        struct.pack("=I", 0 if kind == TEXT else value) + \
        text(value if kind == TEXT else "")


def dial(path, seconds=20):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # With a deadline connect() does not wait until others are accepted.
    s.connect(path)
    s.settimeout(seconds)
    return s


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(path)
    s.listen(8)
    s.settimeout(20)
    return s


def is_over(s):
    """Has the other end closed, perhaps with what we said unread?"""
    try:
        return s.recv(65536) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def channel_of(pid, of_process=PARENT_FD):
    """The process's end of its channel to the parent, or of another one.  It
    should be stopped: who reads first has the message."""
    PIDFD_GETFD = 438
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        fd = libc.syscall(PIDFD_GETFD, process, of_process, 0)
        assert fd >= 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(process)
    s = socket.socket(fileno=fd)
    s.settimeout(20)
    return s


def receive(s, kind):
    """The fields of the next message of that kind; others are dropped."""
    while True:
        got = s.recv(100000)
        assert got, "the channel is closed"
        if struct.unpack_from("=H", got)[0] == kind:
            return got[2:]
