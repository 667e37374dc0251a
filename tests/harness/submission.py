"""A server that takes mail from its users, and answers as a test wants.

Without an answer() it is a good one: EHLO, STARTTLS, AUTH PLAIN and LOGIN, and
each message in `taken`.  Whatever it had the end of is in `had`, whatever it has
answered.
"""
import base64
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from server import PATIENCE

CUT = "(cut)"         # hangs up in place of an answer
SILENT = "(silent)"   # says nothing, and waits for the client to go
EHLO = ["SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]


@dataclass
class Mail:
    sender: str
    recipients: list
    octets: bytes
    parameters: list

    @property
    def text(self):
        """As it was before SMTP."""
        return self.octets.replace(b"\r\n", b"\n")


@dataclass
class Line:
    who: str
    text: bytes
    secure: bool


@dataclass
class Answer:
    stage: str
    what: object
    nth: int
    seen: int = field(default=0)


class Gone(Exception):
    pass


class Session:
    def __init__(self, server, sock):
        self.server, self.sock, self.secure = server, sock, False
        self.user, self.left = None, b""

    def tls(self):
        self.sock = self.server.context.wrap_socket(
            self.sock, server_side=True)
        self.secure, self.left = True, b""

    def line(self):
        while b"\n" not in self.left:
            got = self.sock.recv(65536)
            if not got:
                raise Gone
            self.left += got
        line, self.left = self.left.split(b"\n", 1)
        line = line.rstrip(b"\r")
        self.server.lines.append(Line("C", line, self.secure))
        return line

    def say(self, text):
        text = text.encode() if isinstance(text, str) else text
        for part in text.split(b"\n"):
            self.server.lines.append(Line("S", part, self.secure))
        self.sock.sendall(text.replace(b"\n", b"\r\n") + b"\r\n")

    def answer(self, stage, usual):
        """Says it, or what the test wants; the code that was said."""
        what = self.server.due(stage, usual)
        if callable(what):
            what = what(self)
        if what == CUT:
            raise Gone
        if what == SILENT:
            while self.sock.recv(65536):
                pass
            raise Gone
        self.say(what)
        return int(what[:3]) if what[:3].isdigit() else 0

    def run(self):
        if self.server.mode == "tls":
            self.tls()
        if self.answer("GREETING", "220 here") != 220:
            return
        sender = recipients = None
        while True:
            line = self.line().decode("utf-8", "surrogateescape")
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                self.ehlo()
            elif verb == "STARTTLS":
                if self.answer("STARTTLS", "220 go on") == 220:
                    self.tls()
            elif verb == "AUTH":
                self.auth(line)
            elif verb == "MAIL":
                if self.server.users and self.user is None:
                    self.say("530 5.7.0 Authentication required")
                    continue
                words = line[len("MAIL FROM:"):].split(" ")
                if self.answer("MAIL", "250 2.1.0 Ok") == 250:
                    sender, recipients = words, []
            elif verb == "RCPT":
                if sender is None:
                    self.say("503 5.5.1 MAIL first")
                    continue
                to = line[len("RCPT TO:"):].strip("<>")
                if self.answer("RCPT " + to, "250 2.1.5 Ok") == 250:
                    recipients.append(to)
            elif verb == "DATA":
                # Many say so before they look whom it is for (RFC 2920 s3.1).
                if self.answer("DATA", "354 go on") == 354:
                    self.data(sender or [""], recipients or [])
                    sender = recipients = None
            elif verb in ("RSET", "NOOP"):
                self.answer(verb, "250 2.0.0 Ok")
            elif verb == "QUIT":
                self.answer("QUIT", "221 2.0.0 Bye")
                return
            else:
                self.say("500 5.5.1 what?")

    def ehlo(self):
        more = list(self.server.ehlo)
        if self.server.mode == "stls" and not self.secure:
            more.append("STARTTLS")
        elif self.server.users:
            more.append("AUTH " + " ".join(self.server.mechanisms))
        lines = ["here", *more]
        self.answer("EHLO", "\n".join(
            "250%s%s" % (" " if i == len(lines) - 1 else "-", x)
            for i, x in enumerate(lines)))

    def ask(self, words):
        self.say("334 " + base64.b64encode(words).decode())
        return base64.b64decode(self.line())

    def auth(self, line):
        words = line.split(" ")
        kind = words[1].upper()
        if kind.startswith("SCRAM"):   # it lets in whoever comes
            self.answer("AUTH", "235 2.7.0 welcome")
            return
        if kind == "LOGIN":
            user = self.ask(b"Username:")
            got = (user, self.ask(b"Password:"))
        elif kind in ("XOAUTH2", "OAUTHBEARER"):
            text = base64.b64decode(words[2]) if len(words) > 2 \
                else self.ask(b"")
            got = (b"token", text)
        else:
            text = base64.b64decode(words[2]) if len(words) > 2 \
                else self.ask(b"")
            got = tuple(text.split(b"\0")[1:])
        self.server.tried.append(got)
        right = any(got[1] == p.encode() or (
            got[0] == b"token" and ("Bearer %s\1" % p).encode() in got[1])
            for p in self.server.users.values())
        if not right and got[0] == b"token":
            self.ask(b'{"status":"401"}')
        if self.answer("AUTH", "235 2.7.0 welcome" if right else
                       "535 5.7.8 Error: authentication failed") == 235:
            self.user = got[0]

    def data(self, words, recipients):
        lines = []
        while True:
            line = self.line()
            if line == b".":
                break
            lines.append(line[1:] if line[:1] == b"." else line)
            if len(lines) == self.server.stop_after:
                self.answer("MIDDLE", "552 5.3.4 too much")
                raise Gone
        mail = Mail(words[0].strip("<>"), list(recipients),
                    b"".join(x + b"\r\n" for x in lines), words[1:])
        if not recipients:
            assert mail.octets == b"", mail
            self.say("554 5.5.1 no valid recipients")
            return
        self.server.had.append(mail)
        if self.answer("END", "250 2.0.0 Ok: queued") // 100 == 2:
            self.server.taken.append(mail)


class Submission:
    def __init__(self, mode="plain", certs=None, kind="good", users=None,
                 mechanisms=("PLAIN", "LOGIN"), ehlo=EHLO):
        self.mode, self.mechanisms = mode, mechanisms
        self.ehlo = list(ehlo)
        self.users = {"user": "secret"} if users is None else users
        self.taken, self.had, self.lines, self.tried = [], [], [], []
        self.stop_after = None
        self.answers, self.lock = [], threading.Lock()
        self.sessions = 0
        if mode != "plain":
            self.context = certs.context(kind)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.threads = []
        self.open = set()
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def answer(self, stage, what, nth=1):
        """What is said instead: at the nth time (0: always) at that stage, a
        command's verb, "RCPT address", GREETING, END (of a message), MIDDLE."""
        self.answers.append(Answer(stage, what, nth))
        return self

    def heal(self):
        self.answers.clear()
        self.stop_after = None

    def due(self, stage, usual):
        with self.lock:
            for a in self.answers:
                if a.stage == stage:
                    a.seen += 1
                    if a.nth in (0, a.seen):
                        return a.what
        return usual

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.sessions += 1
            thread = threading.Thread(target=self._serve, args=(sock,),
                                      daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock):
        sock.settimeout(30 * PATIENCE)
        session = Session(self, sock)
        self.open.add(session)
        try:
            session.run()
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            self.open.discard(session)
            session.sock.close()

    def settle(self, seconds=10):
        """Waits until no session is left."""
        end = time.monotonic() + seconds * PATIENCE
        while self.open and time.monotonic() < end:
            time.sleep(0.005)
        assert not self.open

    def sent(self, verb):
        return [x.text for x in self.lines
                if x.who == "C" and x.text.upper().startswith(verb.encode())]

    def dialogue(self):
        return "\n".join("%s: %s%s" % (
            x.who, "" if x.secure else "(plain) ",
            x.text.decode("utf-8", "backslashreplace")) for x in self.lines)

    def stop(self):
        try:   # who waits in accept() holds it
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.accepting.join(5)
        for session in list(self.open):
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(5)
