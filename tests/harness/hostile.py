"""A POP3 server that is as wrong as a test wants, and remembers all of it.

Without a fault it serves well: states, CAPA, pipelining, one session a
maildrop, removal at QUIT only.  fault() makes one reply wrong, in a way of
faults.py.  What is in `box` may be changed between two sessions.  Every line
of the dialogue is kept, with its time, connection and whether TLS was there.
"""
import socket
import threading
import time
from dataclasses import dataclass, field

import drop
from hostile_session import Session
from server import PATIENCE, free_port

CAPA = ["TOP", "UIDL", "USER", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"]
GREETING = b"+OK ready\r\n"


@dataclass(eq=False)
class Mail:
    octets: bytes               # with CRLF lines
    uid: str | None = None
    size: int | None = None     # that LIST says instead of the true one
    header: bytes | None = None  # that TOP says instead
    recipient: str = ""         # of its envelope

    @property
    def listed(self):
        return len(self.octets) if self.size is None else self.size

    @property
    def local(self):
        """The file that a client should make of it."""
        return self.octets.replace(b"\r\n", b"\n")


def mails(stored, uid="u%d"):
    """Mails made of messages of drop.py or of octets, with numbers from 1."""
    return [Mail(drop.wire(getattr(m, "stored", m)), uid % i if uid else None)
            for i, m in enumerate(stored, 1)]


def letters(count, seed=7, uid="u%d", first=1):
    """Short ones, each with a Message-ID and a Received of its own."""
    maker = drop.Maker(seed)
    made = mails([maker.plain(i) for i in range(first, first + count)], None)
    for i, mail in enumerate(made, first):
        mail.uid = uid % i if uid else None
    return made


def impostor(mail, seed=99):
    """The octets of another message of the same size."""
    made, size = letters(1, seed)[0].octets, len(mail.octets)
    made = made[:size - 2].ljust(size - 2, b"z") + b"\r\n"
    assert len(made) == size and made != mail.octets
    return drop.wire(made.replace(b"\r\r\n", b"z\r\n"))


@dataclass
class Line:
    connection: int
    at: float
    who: str    # "C", "S" (first line of a reply), "!" (what happened)
    text: str
    tls: bool


@dataclass
class Fault:
    verb: str
    act: object
    nth: int = 1          # from the n-th time that it fits
    times: float = 1
    number: int | None = None
    seen: int = 0
    fired: int = 0

    def fits(self, verb, number):
        if self.verb not in ("*", verb) or self.number not in (None, number):
            return False
        self.seen += 1
        return self.seen >= self.nth and self.fired < self.times


@dataclass
class Box:
    mails: list
    removed: list = field(default_factory=list)
    commits: int = 0          # sessions that removed something
    holder: object = None     # the session that has the maildrop
    lock: object = field(default_factory=threading.Lock)


class Hostile:
    def __init__(self, messages=(), mode="plain", context=None, user="user",
                 password="secret", capa=None, sasl=("PLAIN",), without=(),
                 greeting=GREETING, pipelining="good", limit=None,
                 most=None, sdps=False, address=None):
        """mode: plain, stls, tls.  without: verbs that it does not know.
        pipelining: good; drop: what came with the first command in a segment
        is lost; swap: two replies change places.  limit: octets after which
        a connection is cut; most: RETR, TOP, DELE, QUIT of a session, which
        the next one ends; None: never.  sdps: *ENV is known.  address: (host,
        port), instead of a port that is free."""
        self.box = Box(list(messages))
        self.mode, self.context = mode, context
        self.user, self.password, self.token = user, password, "t0k3n"
        self.capa = list(CAPA if capa is None else capa)
        self.sasl = list(sasl)
        self.without = set(without)
        self.greeting = greeting
        self.pipelining, self.limit = pipelining, limit
        self.most = most
        self.sdps = sdps
        self.faults, self.lines, self.errors = [], [], []
        self.clear_octets = b""   # what clients sent without TLS
        self.poured = 0           # octets that endless replies have sent
        self.sessions = []
        self.stopping = threading.Event()
        host, self.port = address or ("127.0.0.1", free_port())
        self.listener = socket.create_server((host, self.port))
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            session = Session(self, sock, len(self.sessions) + 1)
            self.sessions.append(session)
            session.start()

    def stop(self):
        if self.stopping.is_set():
            return
        self.stopping.set()
        # close() alone does not wake the thread in accept().
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        for session in self.sessions:
            session.hang_up()
            session.join(10)
        assert not self.errors, "\n".join(self.errors)
        assert not any(s.is_alive() for s in self.sessions)

    def fault(self, verb, act, nth=1, times=1, number=None):
        """verb: also GREETING, TLS (the handshake), CHALLENGE (of AUTH); "*"
        is any."""
        self.faults.append(Fault(verb, act, nth, times, number))
        return self.faults[-1]

    def heal(self):
        """Ends all faults, and forgets the dialogue so far."""
        self.faults.clear()
        self.limit = None
        self.forget()

    def forget(self):
        self.settle()
        self.lines.clear()
        self.sessions = [s for s in self.sessions if s.is_alive()]
        self.clear_octets = b""

    def settle(self):
        """Waits until all sessions that clients have left are over."""
        end = time.monotonic() + 10 * PATIENCE
        for session in list(self.sessions):
            session.join(max(0, end - time.monotonic()))
            assert not session.is_alive(), self.dialogue()

    def takes(self, user, token):
        """Does a token sign in?  Tests put another judge here."""
        return user == self.user and token == self.token

    # What was said.

    def note(self, session, who, text):
        self.lines.append(Line(session.number, time.monotonic(), who, text,
                               session.tls))

    def commands(self, *verbs):
        """The commands as they came, verbs in upper case."""
        found = []
        for line in self.lines:
            if line.who == "C":
                verb, space, rest = line.text.partition(" ")
                if not verbs or verb.upper() in verbs:
                    found.append(verb.upper() + space + rest)
        return found

    def numbers(self, verb):
        """The messages that a verb was said for, in order."""
        return [int(c.split()[1]) for c in self.commands(verb) if " " in c]

    def turns(self):
        """How often clients spoke after they were spoken to."""
        return sum(s.turns for s in self.sessions)

    def dialogue(self):
        start = self.lines[0].at if self.lines else 0
        return "\n".join("%2d %7.3f %s%s %s" % (
            x.connection, x.at - start, x.who, "*" if x.tls else ":",
            x.text[:200].encode("unicode_escape").decode())
            for x in list(self.lines)[-300:])
