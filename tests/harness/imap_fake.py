"""An IMAP server in memory, which does what it is told: the things that real ones
do only now and then, and those of Gmail (X-GM-EXT-1, labels)."""
import base64
import re
import socket
import ssl
import threading

from server import free_port


class Message:
    def __init__(self, uid, octets, flags, date):
        self.uid, self.octets = uid, octets
        self.flags, self.date = flags, date


class Box:
    def __init__(self, validity=7, attributes=""):
        self.validity, self.next = validity, 1
        self.attributes = attributes
        self.messages = []

    def add(self, octets, flags="", date=""):
        self.messages.append(Message(self.next, octets, flags, date))
        self.next += 1
        return self.next - 1


class Hangup(Exception):
    pass


class Fake:
    """can: the capabilities behind the sign-in.  greeting: its first line.
    on_append(octets) returns the words of a refusal ("NO [LIMIT] x"), None for
    yes, or raises Hangup; it is called before anything is stored.  early: so many
    messages are said to be there before they have come.  after_append
    is called when it is stored, before the answer.  holds: so many APPENDs are
    answered together once, when the last of them has come."""

    def __init__(self, certs, can="UIDPLUS LITERAL+ MULTIAPPEND",
                 greeting="* OK ready", tls=True, auth="AUTH=PLAIN",
                 revisions="IMAP4rev1"):
        self.revisions = revisions
        self.can, self.greeting, self.tls, self.auth = can, greeting, tls, auth
        self.certs = certs
        self.boxes = {"INBOX": Box()}
        self.on_append = self.after_append = None
        self.early = 0
        self.holds = 1
        self.starttls = "OK go"  # and what is put behind it
        self.behind_starttls = b""
        self.commands = []
        self.tokens = None  # those that are good
        self.user = b"ana"
        self.told = None  # so many numbers in an APPENDUID; None: all
        self.signed_in = []
        self.port = self.tls_port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def texts(self, box="INBOX"):
        return [m.octets.replace(b"\r\n", b"\n")
                for m in self.boxes[box].messages]

    def said(self, word):
        return [c for c in self.commands if c.split(" ")[0] == word]

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(near,),
                             daemon=True).start()

    def _serve(self, near):
        try:
            Session(self, near).run()
        except (OSError, Hangup, ssl.SSLError):
            pass
        near.close()


def numbers(text, box):
    """{uid} of "5", "5:*" or "1,3"."""
    out = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        top = max([m.uid for m in box.messages], default=0)
        low = int(first) if first != "*" else top
        high = low if not last else top if last == "*" else int(last)
        out |= set(range(min(low, high), max(low, high) + 1))
    return out


def ranges(uids):
    """"1:3,5", as IMAP4rev2 says them."""
    out = []
    for uid in sorted(uids):
        if out and out[-1][1] == uid - 1:
            out[-1][1] = uid
        else:
            out.append([uid, uid])
    return ",".join("%d" % a if a == b else "%d:%d" % (a, b)
                    for a, b in out)


class Session:
    def __init__(self, fake, near):
        self.fake, self.s = fake, near
        self.box = None
        if fake.tls:
            self.secure()
        self.f = self.s.makefile("rb")
        self.held = []

    def secure(self):
        self.s = self.fake.certs.context().wrap_socket(self.s,
                                                       server_side=True)
        self.f = self.s.makefile("rb")

    def send(self, text):
        self.s.sendall(text if isinstance(text, bytes)
                       else text.encode() + b"\r\n")

    def line(self):
        """A command with its literals, up to an APPEND's first message."""
        got = self.f.readline()
        if not got.endswith(b"\n"):
            raise Hangup
        return got.rstrip(b"\r\n").decode("utf-8", "replace")

    def capability(self):
        before = "" if self.fake.tls or isinstance(
            self.s, ssl.SSLSocket) else " STARTTLS LOGINDISABLED"
        return "CAPABILITY %s %s%s %s" % (
            self.fake.revisions, self.fake.auth, before, self.fake.can)

    def run(self):
        self.send(self.fake.greeting)
        while True:
            tag, _, rest = self.line().partition(" ")
            self.tag = tag
            word = rest.split(" ")[0]
            if word == "UID":
                word = " ".join(rest.split(" ")[:2])
            self.fake.commands.append(rest)
            answer = getattr(self, "do_" + word.replace(" ", "_").lower())(
                rest[len(word) + 1:])
            if answer is not None:
                self.answer(word, "%s %s" % (tag, answer))
            if word == "LOGOUT":
                return
            if word == "STARTTLS" and answer.startswith("OK"):
                self.s.sendall(self.fake.behind_starttls)
                self.secure()

    def answer(self, word, text):
        self.held.append(text)
        if word == "APPEND" and len(self.held) < self.fake.holds:
            return
        for one in self.held:
            self.send(one)
        self.held = []
        if word == "APPEND":
            self.fake.holds = 1

    def do_capability(self, _):
        self.send("* " + self.capability())
        return "OK x"

    def do_starttls(self, _):
        return self.fake.starttls

    def do_logout(self, _):
        self.send("* BYE x")
        return "OK x"

    def do_enable(self, rest):
        self.send("* ENABLED " + rest)
        return "OK x"

    def do_login(self, rest):
        return "OK [%s] x" % self.capability() \
            if rest == '"ana" "hush"' else "NO [AUTHENTICATIONFAILED] no"

    def do_authenticate(self, rest):
        mechanism, _, initial = rest.partition(" ")
        if not initial:
            self.send("+ ")
            initial = self.line()
        said = base64.b64decode(initial)
        if mechanism == "PLAIN":
            good = said == b"\0" + self.fake.user + b"\0hush"
            if good:
                self.fake.signed_in.append(self.fake.user.decode())
        else:
            token = re.search(rb"Bearer ([^\x01]*)\x01", said).group(1).decode()
            good = self.fake.tokens and token in self.fake.tokens
            if not good:
                self.send("+ " + base64.b64encode(b"{}").decode())
                self.line()
        return "OK x" if good else "NO [AUTHENTICATIONFAILED] wrong"

    def name(self, text):
        return re.match(r'"((?:[^"\\]|\\.)*)"', text).group(1)

    def do_status(self, rest):
        box = self.fake.boxes.get(self.name(rest))
        if box is None:
            return "NO [NONEXISTENT] no such mailbox"
        self.send('* STATUS "%s" (UIDNEXT %d UIDVALIDITY %d)' % (
            self.name(rest), box.next, box.validity))
        return "OK x"

    def do_create(self, rest):
        self.fake.boxes[self.name(rest)] = Box()
        return "OK x"

    def do_examine(self, rest):
        self.box = self.fake.boxes.get(self.name(rest))
        if self.box is None:
            return "NO x"
        self.send("* %d EXISTS" % len(self.box.messages))
        self.send("* OK [UIDVALIDITY %d] x" % self.box.validity)
        self.send("* OK [UIDNEXT %d] x" % self.box.next)
        return "OK [READ-ONLY] x"

    def do_uid_search(self, rest):
        uids = numbers(re.match(r"UID (\S+)", rest).group(1), self.box)
        wanted = re.search(r'HEADER MESSAGE-ID "(.*)"', rest)
        size = re.search(r"LARGER (\d+) SMALLER (\d+)", rest)
        found = [m.uid for m in self.box.messages if m.uid in uids and (
            not wanted or wanted.group(1).encode() in
            m.octets.split(b"\r\n\r\n")[0]) and (
                not size or int(size.group(1)) < len(m.octets)
                < int(size.group(2)))]
        if self.fake.revisions == "IMAP4rev2":
            self.send('* ESEARCH (TAG "%s") UID%s' % (
                self.tag, " ALL " + ranges(found) if found else ""))
        else:
            self.send("* SEARCH" + "".join(" %d" % uid for uid in found))
        return "OK x"

    def do_uid_fetch(self, rest):
        uids = numbers(rest.split(" ")[0], self.box)
        piece = re.search(r"BODY.PEEK\[\]<(\d+)\.(\d+)>", rest)
        for n, m in enumerate(self.box.messages, 1):
            if m.uid not in uids:
                continue
            if piece:
                at, size = int(piece.group(1)), int(piece.group(2))
                part = m.octets[at:at + size]
                self.send(b"* %d FETCH (BODY[]<%d> {%d}\r\n%s UID %d)\r\n" % (
                    n, at, len(part), part, m.uid))
            else:
                self.send("* %d FETCH (UID %d RFC822.SIZE %d)" % (
                    n, m.uid, len(m.octets)))
        return "OK x"

    def do_list(self, _):
        for name, box in self.fake.boxes.items():
            self.send('* LIST (%s) "/" "%s"' % (box.attributes, name))
        return "OK x"

    def do_append(self, rest):
        name = self.name(rest)
        rest = rest[len(name) + 2:]
        waiting, refusal = [], None
        while True:
            found = re.search(r"(~?)\{(\d+)(\+?)\}$", rest)
            if found is None:
                break
            if not found.group(3):
                if self.fake.early:
                    self.fake.early -= 1
                    return "OK thanks"
                self.send("+ go")
            octets = self.f.read(int(found.group(2)))
            if len(octets) < int(found.group(2)):
                raise Hangup
            flags = re.search(r"\(([^)~]*)\)", rest)
            waiting.append((octets, flags.group(1) if flags else ""))
            if refusal is None and self.fake.on_append is not None:
                refusal = self.fake.on_append(octets)
            rest = self.line()
        if refusal is not None:
            return refusal
        if name not in self.fake.boxes:
            return "NO [TRYCREATE] no such mailbox"
        box = self.fake.boxes[name]
        uids = [box.add(*one) for one in waiting]
        for other in self.fake.boxes.values():
            if "\\All" in other.attributes and other is not box:
                for one in waiting:
                    other.add(*one)
        if self.fake.after_append is not None:
            self.fake.after_append()
        if "UIDPLUS" not in self.fake.can:
            return "OK x"
        return "OK [APPENDUID %d %s] x" % (
            box.validity, ",".join(str(u) for u in uids[:self.fake.told]))
