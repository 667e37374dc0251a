"""What hostile.py does in place of a good reply.

An Act gets the session and the octets of the good reply.  effect: whether what
the good reply tells of (a mark, a removal, a sign-in) happens all the same.
"""
import time
from dataclasses import dataclass

from hostile_session import Gone

ALWAYS = float("inf")
POUR_MAX = 256 << 20


@dataclass
class Act:
    name: str
    run: object
    effect: bool = True


def upto(reply, at):
    """at: octets; or a part of it, 0.5; None: all."""
    if at is None:
        return reply
    return reply[:int(len(reply) * at) if isinstance(at, float) else at]


def say(octets, effect=False):
    if isinstance(octets, str):
        octets = octets.encode("latin-1") + b"\r\n"
    return Act("say", lambda s, _: s.send(octets), effect)


def err(text="no", effect=False):
    return say("-ERR " + text, effect)


def say_and_close(octets, effect=False):
    def run(s, _):
        s.send(octets)
        raise Gone
    return Act("say and close", run, effect)


def cut(at=0, effect=True):
    """The connection ends within the reply, under TLS without close_notify."""
    def run(s, reply):
        s.send(upto(reply, at))
        raise Gone
    return Act("cut at %s" % at, run, effect)


def stall(at=0, effect=True):
    """Silence within the reply, until the client hangs up."""
    def run(s, reply):
        s.send(upto(reply, at))
        s.await_gone()
    return Act("stall at %s" % at, run, effect)


def drip(step=1, pause=0.01):
    def run(s, reply):
        for at in range(0, len(reply), step):
            s.send(reply[at:at + step])
            time.sleep(pause)
    return Act("drip", run)


def wait(seconds):
    def run(s, reply):
        time.sleep(seconds)
        s.send(reply)
    return Act("wait", run)


def twice():
    return Act("twice", lambda s, reply: s.send(reply * 2))


def swallow():
    return Act("swallow", lambda s, _: None, False)


def mangle(change, effect=True):
    """change(reply): the octets that are sent."""
    return Act("mangle", lambda s, reply: s.send(change(reply)), effect)


def lines(change):
    """For listings.  change(lines between the first and the dot).  What is
    said of one message has no dot and stays as it is."""
    def mangled(reply):
        head, *rest = reply.split(b"\r\n")
        if rest == [b""]:
            return reply
        text = [head] + list(change(rest[:-2])) + [b".", b""]
        return b"\r\n".join(text)
    return mangle(mangled)


def call(before=None, after=None):
    """before() and after() the reply is sent."""
    def run(s, reply):
        if before:
            before()
        s.send(reply)
        if after:
            after()
    return Act("call", run)


def pour(head, piece, limit=POUR_MAX):
    """A reply without an end, as long as the client takes it."""
    piece = piece * max(1, 65536 // len(piece))

    def run(s, _):
        s.send(head)
        sent = 0
        while sent < limit:
            s.send(piece)
            sent += len(piece)
            s.server.poured += len(piece)
        s.await_gone()
    return Act("pour", run)


def inject(octets):
    """Octets behind the good reply, in one segment with it."""
    return mangle(lambda reply: reply + octets)


# Lines that are no replies, and such as only look like some.
GARBAGE = {
    "binary": bytes(range(256)) * 4 + b"\r\n",
    "nul": b"\0" * 3000 + b"\r\n",
    "nul-in-ok": b"+OK\0\0 fine\r\n",
    "empty": b"\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>\r\n",
    "smtp": b"220 mx.example ESMTP\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 400
           + b"\r\n",
    "okay": b"+OKAY then\r\n",
    "space": b" +OK\r\n",
    "plus": b"+ \r\n",
    "error": b"-ERROR\r\n",
    "dot": b".\r\n",
    "huge-line": b"+OK " + b"x" * (1 << 20) + b"\r\n",
}
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b5m\x7f\x08\x90q\x9c\xe2\x80\xae"
