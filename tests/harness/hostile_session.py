"""One session of hostile.py: POP3 as it should be, but for the faults."""
import re
import socket
import threading
import time
import traceback
from dataclasses import dataclass

import drop
import mechanisms
from server import PATIENCE

TRANSACTION = {"STAT", "LIST", "UIDL", "TOP", "RETR", "DELE", "NOOP", "RSET",
               "*ENV"}


class Gone(Exception):
    """The connection is over; either side may have ended it."""


@dataclass
class Reply:
    octets: bytes
    effect: object = None  # called before it is sent: what it tells of
    then: object = None    # called after it was sent


class Session(threading.Thread):
    def __init__(self, server, sock, number):
        super().__init__(daemon=True)
        self.server, self.sock, self.number = server, sock, number
        self.raw = sock.dup()  # TLS or not, this one can be shut down
        sock.settimeout(60 * PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = False
        self.seen = b""
        self.sent = self.turns = self.worked = 0
        self.spoke = True  # the client's first octets are a turn, too
        self.view = None   # the messages of TRANSACTION
        self.marked = set()
        self.name = None

    def run(self):
        try:
            self.server.note(self, "!", "open")
            self.serve()
        except (Gone, OSError):
            pass
        except Exception:
            self.server.errors.append(traceback.format_exc())
        finally:
            self.server.note(self, "!", "close")
            with self.server.box.lock:
                if self.server.box.holder is self:
                    self.server.box.holder = None
            self.hang_up()
            self.sock.close()

    def hang_up(self):
        try:
            self.raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.raw.close()

    def serve(self):
        if self.server.mode == "tls":
            self.start_tls()
        self.answer("GREETING", None, Reply(self.server.greeting))
        while True:
            first = self.line()
            if self.server.pipelining == "drop":
                self.seen = b""
            if self.server.pipelining == "swap" and b"\n" in self.seen:
                self.handle(self.line())
            self.handle(first)

    # Octets.

    def send(self, octets):
        limit = self.server.limit
        over = limit is not None and self.sent + len(octets) >= limit
        if over:
            octets = octets[:limit - self.sent]
        self.sock.sendall(octets)
        self.sent += len(octets)
        self.spoke = True
        if over:
            raise Gone

    def receive(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        if self.spoke:
            self.turns += 1
            self.spoke = False
        if not self.tls:
            self.server.clear_octets += got
        return got

    def line(self):
        while b"\n" not in self.seen:
            self.seen += self.receive()
        line, _, self.seen = self.seen.partition(b"\n")
        text = line.rstrip(b"\r").decode("latin-1")
        self.server.note(self, "C", text)
        return text

    def await_gone(self):
        """Says nothing more, and reads until the client has gone."""
        while True:
            self.receive()

    def start_tls(self):
        act = self.pick("TLS", None)
        if act:
            act.run(self, b"")
        self.sock = self.server.context.wrap_socket(
            self.sock, server_side=True)
        if self.sock.version() is None:
            raise Gone  # before it began: Python shakes no hands then
        self.tls = True
        self.seen = b""
        self.server.note(self, "!", "tls " + self.sock.version())

    # Commands.

    def pick(self, verb, number):
        hit = [f for f in self.server.faults if f.fits(verb, number)]
        if not hit:
            return None
        hit[0].fired += 1
        return hit[0].act

    def answer(self, verb, number, reply):
        act = self.pick(verb, number)
        if reply.effect and (act is None or act.effect):
            reply.effect()
        first = reply.octets.split(b"\r\n", 1)[0].decode("latin-1")
        self.server.note(self, "S", first if act is None
                         else "%s instead of %s" % (act.name, first))
        if act:
            act.run(self, reply.octets)
        else:
            self.send(reply.octets)
        if reply.then and (act is None or act.effect):
            reply.then()

    def handle(self, line):
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        self.worked += verb in ("RETR", "TOP", "DELE", "QUIT")
        if self.server.most is not None and self.worked > self.server.most:
            raise Gone
        name = "env" if verb == "*ENV" and self.server.sdps else verb.lower()
        known = re.fullmatch("[a-z0-9]+", name) and hasattr(self, "do_" + name)
        digits = re.match(r"[0-9]+(?= |$)", rest)
        number = int(digits.group()) if digits else None
        if not known or verb in self.server.without:
            reply = err("unknown")
        elif (verb in TRANSACTION) != (self.view is not None) and \
                verb not in ("CAPA", "QUIT"):
            reply = err("not now")
        else:
            reply = getattr(self, "do_" + name)(rest)
        self.answer(verb, number, reply)

    def do_capa(self, _):
        lines = list(self.server.capa)
        if self.server.sasl:
            lines.append("SASL " + " ".join(self.server.sasl))
        if self.server.mode == "stls" and not self.tls:
            lines.append("STLS")
        return multi(lines)

    def do_stls(self, _):
        if self.server.mode != "stls" or self.tls:
            return err("not here")
        return Reply(b"+OK begin\r\n", then=self.start_tls)

    # Signing in.

    def do_user(self, rest):
        self.name = rest
        return ok("who?")

    def do_pass(self, rest):
        good = self.name == self.server.user and \
            rest == self.server.password
        return self.signed_in(good)

    def do_apop(self, rest):
        return self.signed_in(mechanisms.apop(self.server, rest))

    def do_auth(self, rest):
        name, _, initial = rest.partition(" ")
        if name.upper() not in self.server.sasl:
            return err("no such mechanism")
        return self.signed_in(mechanisms.run(
            name.upper(), self.server, initial, self.challenge))

    def challenge(self, text):
        self.answer("CHALLENGE", None, Reply(b"+ " + text + b"\r\n"))
        return self.line().encode("latin-1")

    def signed_in(self, good):
        if not good:
            return err("[AUTH] no")
        if not self.take_box():
            return err("[IN-USE] another session is open")
        return Reply(b"+OK welcome\r\n", effect=self.begin)

    def take_box(self):
        """Takes the maildrop; waits for a session that its client has left."""
        end = time.monotonic() + 2
        while True:
            with self.server.box.lock:
                if self.server.box.holder in (None, self):
                    self.server.box.holder = self
                    return True
            if time.monotonic() > end:
                return False
            time.sleep(0.005)

    def begin(self):
        self.view = list(self.server.box.mails)

    # TRANSACTION.

    def left(self):
        return [(n, m) for n, m in enumerate(self.view, 1)
                if n not in self.marked]

    def find(self, rest):
        n = rest.split()[0] if rest.strip() else ""
        return dict(self.left()).get(int(n)) if n.isdigit() else None

    def do_stat(self, _):
        return ok("%d %d" % (len(self.left()),
                             sum(m.listed for _, m in self.left())))

    def do_list(self, rest):
        return self.listing(rest, lambda m: str(m.listed))

    def do_uidl(self, rest):
        return self.listing(rest, lambda m: m.uid)

    def listing(self, rest, value):
        if rest:
            mail = self.find(rest)
            return ok("%s %s" % (rest, value(mail))) if mail else err("none")
        return multi("%d %s" % (n, value(m)) for n, m in self.left()
                     if value(m) is not None)

    def do_retr(self, rest):
        mail = self.find(rest)
        if not mail:
            return err("none")
        return Reply(b"+OK %d octets\r\n" % mail.listed
                     + drop.stuffed(mail.octets))

    def do_top(self, rest):
        mail = self.find(rest)
        if not mail or len(rest.split()) != 2:
            return err("none")
        text = mail.header
        if text is None:
            text = drop.top(mail.octets, int(rest.split()[1]))
        return Reply(b"+OK\r\n" + drop.stuffed(text))

    def do_env(self, rest):
        mail = self.find(rest)
        if not mail:
            return err("none")
        stuffed = re.sub(r"^\.", "..", mail.recipient)
        return multi(["host", "date", "a@b.example", stuffed])

    def do_dele(self, rest):
        if not self.find(rest):
            return err("none")
        return Reply(b"+OK marked\r\n",
                     effect=lambda: self.marked.add(int(rest)))

    def do_noop(self, _):
        return ok("")

    def do_rset(self, _):
        return Reply(b"+OK\r\n", effect=self.marked.clear)

    def do_quit(self, _):
        def over():
            raise Gone
        return Reply(b"+OK bye\r\n", effect=self.commit, then=over)

    def commit(self):
        box = self.server.box
        with box.lock:
            gone = [self.view[n - 1] for n in sorted(self.marked)]
            for mail in gone:
                if mail in box.mails:
                    box.mails.remove(mail)
                    box.removed.append(mail)
            box.commits += bool(gone)
            if box.holder is self:  # before the client hears of it
                box.holder = None


def ok(text):
    return Reply(b"+OK " + text.encode("latin-1") + b"\r\n")


def err(text):
    return Reply(b"-ERR " + text.encode("latin-1") + b"\r\n")


def multi(lines):
    text = "".join(line + "\r\n" for line in lines)
    return Reply(b"+OK\r\n" + text.encode("latin-1") + b".\r\n")
