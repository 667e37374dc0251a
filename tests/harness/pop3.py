"""A POP3 client that shows every octet.  It judges nothing by itself."""
import hashlib
import re
import socket
import ssl

TIMEOUT = 20


class Closed(Exception):
    """The server closed the connection where a line was wanted."""


def context(alpn=None, minimum=None, maximum=None):
    """Trusts anybody: who the server is, tests of their own ask."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if alpn:
        c.set_alpn_protocols(alpn)
    if minimum:
        c.minimum_version = minimum
    if maximum:
        c.maximum_version = maximum
    return c


class Pop3:
    def __init__(self, port, tls=None, greeting=True, timeout=TIMEOUT,
                 rcvbuf=None, session=None, mss=None, source=None):
        self.sock = socket.socket()
        if mss:  # small ones keep the server's buffer small
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:  # another address of this machine
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seen = b""
        self.greeting = None
        if tls is not None:
            self.start_tls(tls, session)
        if greeting:
            self.greeting = self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def start_tls(self, tls=None, session=None):
        self.sock = (tls or context()).wrap_socket(
            self.sock, server_hostname="localhost", session=session)

    def send(self, octets):
        if isinstance(octets, str):
            octets = octets.encode()
        self.sock.sendall(octets)

    def receive(self, size=65536):
        """Whatever comes next; b"" at the end."""
        if self.seen:
            got, self.seen = self.seen, b""
            return got
        try:
            return self.sock.recv(size)
        except ConnectionResetError:
            return b""

    def more(self):
        try:
            got = self.sock.recv(262144)
        except ConnectionResetError:
            got = b""
        if not got:
            raise Closed(self.seen)
        self.seen += got

    def line(self):
        """One line with its CRLF taken off; that it is one is checked."""
        start = 0
        while True:
            at = self.seen.find(b"\n", start)
            if at >= 0:
                break
            start = len(self.seen)
            self.more()
        line, self.seen = self.seen[:at + 1], self.seen[at + 1:]
        assert line.endswith(b"\r\n"), line
        return line[:-2]

    def data(self):
        """What follows the first line, to the end of ".CRLF": raw."""
        parts = []
        tail = b"\r\n"
        while True:
            whole = tail + self.seen
            at = whole.find(b"\r\n.\r\n")
            if at >= 0:
                end = at + 5 - len(tail)
                parts.append(self.seen[:end])
                self.seen = self.seen[end:]
                return b"".join(parts)
            # The last octets may be the beginning of the end.
            parts.append(self.seen)
            tail = whole[-4:]
            self.seen = b""
            self.more()

    def command(self, line):
        """Sends a line, returns the first line of the reply."""
        if isinstance(line, str):
            line = line.encode()
        self.send(line + b"\r\n")
        return self.line()

    def ok(self, line):
        reply = self.command(line)
        assert reply.startswith(b"+OK"), (line, reply)
        return reply

    def err(self, line, code=None):
        """code: the response code that must stand there; "" for none."""
        reply = self.command(line)
        assert reply.startswith(b"-ERR "), (line, reply)
        if code is not None:
            got = re.match(rb"-ERR \[([^]]*)\]", reply)
            assert (got.group(1).decode() if got else "") == code, (
                line, reply)
        return reply

    def multi(self, line):
        self.ok(line)
        return self.data()

    def listing(self, line):
        """LIST, UIDL, CAPA: the lines."""
        lines = self.multi(line).split(b"\r\n")
        assert lines[-2:] == [b".", b""]
        return lines[:-2]

    def login(self, user="user", password="secret"):
        self.ok("USER " + user)
        return self.ok("PASS " + password)

    def stls(self, tls=None):
        self.ok("STLS")
        assert not self.seen
        self.start_tls(tls)

    def stat(self):
        got = re.fullmatch(rb"\+OK (\d+) (\d+)", self.ok("STAT"))
        assert got
        return int(got.group(1)), int(got.group(2))

    def list(self):
        return {int(n): int(size) for n, size in
                (line.split(b" ") for line in self.listing("LIST"))}

    def uidl(self):
        return {int(n): uid.decode() for n, uid in
                (line.split(b" ") for line in self.listing("UIDL"))}

    def retr(self, n):
        """The message as the client has it in the end."""
        return unstuffed(self.multi("RETR %d" % n))

    def top(self, n, lines):
        return unstuffed(self.multi("TOP %d %d" % (n, lines)))

    def ended(self):
        """True if the server closes without another octet."""
        return self.receive() == b""

    def quit(self):
        reply = self.ok("QUIT")
        assert self.ended()
        return reply


class Local(Pop3):
    """A session over a Unix socket."""

    def __init__(self, path, greeting=True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(path)
        self.seen = b""
        self.greeting = self.line() if greeting else None


def unstuffed(data):
    assert data.endswith(b".\r\n")
    return re.sub(rb"(?m)^\.", b"", data[:-3])


def digest(octets):
    return hashlib.sha256(octets).hexdigest()
