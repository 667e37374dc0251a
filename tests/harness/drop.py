"""Mail for tests: the same octets, names and times for the same seed.

make() gives messages shaped like those that arrive in the world, odd() those
that break servers.  wire() and top() say, in a way of their own, what POP3
sends of a file: they are what the server is compared with, so they share
nothing with it.
"""
import base64
import os
import quopri
import random
import re
from dataclasses import dataclass

EPOCH = 1700000000


@dataclass(frozen=True)
class Message:
    folder: str   # "new" or "cur"
    name: str     # of the file
    stored: bytes
    mtime: int
    kind: str

    @property
    def base(self):
        """The name without flags: what the default UIDL is made of."""
        return self.name.split(":")[0]

    @property
    def path(self):
        return self.folder + "/" + self.name


# What POP3 sends.

def wire(stored):
    """The message as the client has it in the end: CRLF lines."""
    text = re.sub(rb"(?<!\r)\n", b"\r\n", stored)
    if text and not text.endswith(b"\r\n"):
        text += b"\r\n"
    return text


def stuffed(text):
    """The octets after the first line of the reply to RETR."""
    return re.sub(rb"(?m)^\.", b"..", text) + b".\r\n"


def top(stored, lines):
    """What the client has in the end of TOP with so many lines."""
    rest = lf_lines(wire(stored))
    out = []
    while rest and rest[0] != b"\r\n":
        out.append(rest.pop(0))
    return b"".join(out) + b"\r\n" + b"".join(rest[1:1 + lines])


def lf_lines(text):
    """Not splitlines(): that ends lines at a bare CR, too."""
    return re.findall(rb"[^\n]*\n", text)


# Real-world shapes.

WORDS = """a mala chega de manhã cedo com cartas e jornais para quem mora longe
da estação o carteiro conhece cada porta e cada cão do caminho depois da chuva
ninguém espera o correio mas ele vem assim mesmo porque há notícias que não
podem esperar""".split()
ENGLISH = """the parcel left the depot before noon and should arrive within two
working days please keep this number for your records as it identifies the
order in every later message thank you for your patience while the bridge is
closed""".split()
SENDERS = ["Padaria <pedidos@padaria.example>", "noreply@shop.example",
           "\"Estação Norte\" <avisos@norte.example>",
           "build@ci.example", "Newsletter <news@list.example>"]
TO = "caixa@malote.example"


class Maker:
    """Writes messages with one source of randomness."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def text(self, words, lines, width=10):
        return "".join(
            " ".join(self.rng.choice(words) for _ in range(
                self.rng.randint(1, width))) + "\n"
            for _ in range(lines))

    def token(self, n=16):
        return "".join(self.rng.choice("0123456789abcdef") for _ in range(n))

    def blob(self, n):
        return self.rng.getrandbits(8 * n).to_bytes(n, "big") if n else b""

    def head(self, i, subject, extra=""):
        hour, minute = divmod(self.rng.randint(0, 1439), 60)
        return (
            "Return-Path: <bounce-%s@mx.example>\n"
            "Received: from mx%d.example (mx%d.example [192.0.2.%d])\n"
            "\tby mail.malote.example (Postfix) with ESMTPS id %s\n"
            "\tfor <%s>; Tue, 14 Nov 2023 %02d:%02d:07 +0000 (UTC)\n"
            "From: %s\n"
            "To: %s\n"
            "Date: Tue, 14 Nov 2023 %02d:%02d:05 -0300\n"
            "Message-ID: <%s.%d@mx.example>\n"
            "Subject: %s\n"
            "MIME-Version: 1.0\n%s" % (
                self.token(8), i % 9, i % 9, i % 250, self.token(10).upper(),
                TO, hour, minute, self.rng.choice(SENDERS), TO, hour, minute,
                self.token(), i, subject, extra)).encode()

    def plain(self, i):
        return (self.head(i, "Your order %d" % i,
                          "Content-Type: text/plain; charset=us-ascii\n")
                + b"\n"
                + self.text(ENGLISH, self.rng.randint(1, 60)).encode())

    def portuguese(self, i):
        body = self.text(WORDS, self.rng.randint(3, 40), 14).encode()
        return (self.head(
            i, "=?UTF-8?Q?Not=C3=ADcias_da_esta=C3=A7=C3=A3o?= %d" % i,
            "Content-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: quoted-printable\n")
                + b"\n" + quopri.encodestring(body))

    def eight_bit(self, i):
        """8-bit octets, also where they are forbidden, as in spam."""
        subject = "Promoção só hoje %d".encode("latin-1") % i
        return (self.head(i, "SUBJECT",
                          "Content-Type: text/plain; charset=iso-8859-1\n")
                .replace(b"SUBJECT", subject)
                + b"\n"
                + self.text(WORDS, self.rng.randint(2, 20)).encode("latin-1")
                + bytes(range(128, 256)) + b"\n")

    def html(self, i):
        cell = "<td style=3D\"padding:0\">%s</td>"
        rows = "".join(
            "<tr>" + "".join(cell % self.rng.choice(ENGLISH)
                             for _ in range(4)) + "</tr>\n"
            for _ in range(self.rng.randint(5, 80)))
        edge = "=_" + self.token()
        return (self.head(i, "News of the week %d" % i,
                          "Content-Type: multipart/alternative;\n"
                          "\tboundary=\"%s\"\n" % edge)
                + ("\nThis is a multi-part message in MIME format.\n\n"
                   "--%s\nContent-Type: text/plain\n\n%s\n--%s\n"
                   "Content-Type: text/html; charset=utf-8\n"
                   "Content-Transfer-Encoding: quoted-printable\n\n"
                   "<html><body><table>\n%s</table></body></html>\n--%s--\n"
                   % (edge, self.text(ENGLISH, 5), edge, rows,
                      edge)).encode())

    def attachment(self, i):
        edge = "----=_Part_" + self.token(8)
        blob = base64.encodebytes(self.blob(self.rng.randint(1, 120000)))
        return (self.head(i, "Scan %04d" % i,
                          "Content-Type: multipart/mixed; boundary=\"%s\"\n"
                          % edge)
                + ("\n--%s\nContent-Type: text/plain\n\nSee below.\n\n--%s\n"
                   "Content-Type: application/pdf; name=\"scan%d.pdf\"\n"
                   "Content-Disposition: attachment;\n"
                   " filename*=UTF-8''c%%C3%%B3pia%d.pdf\n"
                   "Content-Transfer-Encoding: base64\n\n"
                   % (edge, edge, i, i)).encode()
                + blob + ("--%s--\n" % edge).encode())

    def signed(self, i):
        """DKIM and ARC: long folded fields."""
        fold = "\n\t".join(base64.b64encode(self.blob(45)).decode()
                           for _ in range(6))
        field = ("%s: v=1; a=rsa-sha256; c=relaxed/relaxed; d=mx.example;\n"
                 "\ts=s2023; h=from:to:date:message-id:subject;\n"
                 "\tbh=%s;\n\tb=%s\n")
        digest = base64.b64encode(self.blob(32)).decode()
        return (field % ("DKIM-Signature", digest, fold)
                + field % ("ARC-Message-Signature", digest, fold)).encode() \
            + self.plain(i)

    def folds(self, i):
        """A reference list of a thread that has gone on for years."""
        refs = "".join("\n <%s@list.example>" % self.token(24)
                       for _ in range(self.rng.randint(50, 400)))
        return (self.head(i, "Re: Re: Re: [list] the bridge",
                          "References:%s\nX-Empty:\nX-Spaces:   \n" % refs)
                + b"\n" + self.text(ENGLISH, 4).encode())

    def huge_line(self, i):
        n = self.rng.choice([998, 999, 4096, 8191, 8192, 65536, 200001])
        return (self.head(i, "One line") + b"\n"
                + b"x" * n + b"\n" + b"." * 300 + b"\nend\n")

    def mailing_list(self, i):
        return (self.head(i, "[list] digest %d" % i,
                          "Precedence: list\n"
                          "List-Id: The list <list.example>\n"
                          "List-Unsubscribe: <mailto:leave@list.example>,\n"
                          " <https://list.example/leave?%s>\n"
                          % self.token(40))
                + b"\n" + self.text(ENGLISH, 8).encode()
                + b"\n-- \n_____________\nlist mailing list\n.\n..\n"
                + b"From here on it is quoted:\n>From the archive\n")

    def report(self, i):
        edge = self.token()
        return (self.head(i, "Undelivered Mail Returned to Sender",
                          "Auto-Submitted: auto-replied\n"
                          "Content-Type: multipart/report;"
                          " report-type=delivery-status;\n"
                          " boundary=\"%s\"\n" % edge)
                + ("\n--%s\n\nI'm sorry to have to inform you.\n\n--%s\n"
                   "Content-Type: message/delivery-status\n\n"
                   "Reporting-MTA: dns; mx.example\n\n"
                   "Final-Recipient: rfc822; gone@mx.example\n"
                   "Action: failed\nStatus: 5.1.1\n\n--%s\n"
                   "Content-Type: text/rfc822-headers\n\n"
                   % (edge, edge, edge)).encode()
                + self.head(i, "the original")
                + ("\n--%s--\n" % edge).encode())

    def calendar(self, i):
        return (self.head(i, "Invitation: meeting %d" % i,
                          "Content-Type: text/calendar; method=REQUEST;"
                          " charset=utf-8\n"
                          "Content-Transfer-Encoding: 8bit\n")
                + ("\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n"
                   "BEGIN:VEVENT\r\nUID:%s\r\nSUMMARY:Reunião\r\n"
                   "END:VEVENT\r\nEND:VCALENDAR\r\n"
                   % self.token()).encode())

    KINDS = [plain, plain, plain, portuguese, portuguese, eight_bit, html,
             html, attachment, signed, signed, folds, huge_line,
             mailing_list, report, calendar]

    def name(self, i, stored):
        """As different delivery agents write them."""
        when = EPOCH + 60 * i
        agent = i % 4
        if agent == 0:    # Postfix
            return "%d.V%xI%xM%06d.mail.example" % (
                when, 0x801, 0x40000 + i, self.rng.randint(0, 999999))
        if agent == 1:    # Dovecot
            return "%d.M%06dP%d.mail.example,S=%d,W=%d" % (
                when, self.rng.randint(0, 999999), 1000 + i, len(stored),
                len(wire(stored)))
        if agent == 2:    # Courier
            return "%d.M%06dP%dV%016xI%016x_0.mail.example,S=%d" % (
                when, self.rng.randint(0, 999999), 1000 + i, 0x801,
                0x40000 + i, len(stored))
        return "%d.%d_%d.mail.example" % (when, 1000 + i, i)  # qmail

    def message(self, i):
        kind = self.rng.choice(self.KINDS)
        stored = kind(self, i)
        name = self.name(i, stored)
        folder = "new"
        if self.rng.random() < 0.4:
            folder = "cur"
            name += ":2," + self.rng.choice(["", "S", "S", "RS", "FS", "T"])
        return Message(folder, name, stored, EPOCH + 60 * i, kind.__name__)


def make(seed, count):
    maker = Maker(seed)
    return [maker.message(i) for i in range(count)]


# Odd ones.  First those of which every octet is known in advance (S-ENG-16 in
# doc/conformance.md): as stored, the size to announce, as sent.

TABLE = [
    (b"A: b\n\nhi\n", 12, b"A: b\r\n\r\nhi\r\n.\r\n"),
    (b"A: b\n\nhi", 12, b"A: b\r\n\r\nhi\r\n.\r\n"),
    (b"A: b\r\n\r\nhi\r\n", 12, b"A: b\r\n\r\nhi\r\n.\r\n"),
    (b"A: b\n\n.\n..x\n", 16, b"A: b\r\n\r\n..\r\n...x\r\n.\r\n"),
    (b"A: b\n\n.", 11, b"A: b\r\n\r\n..\r\n.\r\n"),
    (b"A: b\n", 6, b"A: b\r\n.\r\n"),
    (b"A: b\n\na\rb\n", 13, b"A: b\r\n\r\na\rb\r\n.\r\n"),
    (b"A: b\n\nx\r\r\n", 12, b"A: b\r\n\r\nx\r\r\n.\r\n"),
    (b"", 0, b".\r\n"),
]


def odd_octets():
    head = b"Subject: odd\nX-Odd: yes\n\n"
    yield from (("table", stored) for stored, _, _ in TABLE)
    yield "dots", b".Dot: in the header\n..: two\n\n" + b"".join(
        b"." * n + b"\n" + b"." * n + b"x\n" for n in range(1, 9))
    yield "dots-crlf", b".\r\n.\r\n..\r\n...\r\n"
    yield "dot-only", b"."
    yield "dot-after-cr", head + b"a\r.b\r.\n.\r\n\r.\n"
    yield "cr-at-end", head + b"last\r"
    yield "crs", head + b"\r\r\r\n\r\n\r\r\r"
    yield "lf-only", b"\n"
    yield "lfs", b"\n" * 50
    yield "crlf-only", b"\r\n"
    yield "nul", head + b"a\0b\n\0\n.\0\n" + b"\0" * 5000
    yield "nul-first", b"\0\0\0"
    yield "all-octets", head + bytes(range(256)) * 8
    yield "no-header", b"\nbody at once\n"
    yield "no-last-newline", head + b"the end"
    yield "header-only", b"A: b\nC: d\n\n"
    yield "header-cut", b"A: b\nC: d"
    yield "mixed-ends", head + b"one\r\ntwo\nthree\r\nfour\r\r\nfive"
    yield "crlf", head.replace(b"\n", b"\r\n") + b"stored\r\nso\r\n" * 100
    yield "megabyte-line", head + b"m" * (1 << 20)
    yield "megabyte-dots", head + b"." * (1 << 20) + b"\n"
    yield "megabyte-empty-lines", head + b"\n" * (1 << 20)
    yield "wide-header", b"X: " + b"h" * 300000 + b"\n\nbody\n"
    yield "looks-like-end", head + b"\r\n.\r\n+OK more\r\n.\r\n"
    yield "telnet", head + b"\xff\xf4\xff\xfd\x06\x1b[2J\n"
    yield "mbox", b"From someone Tue Nov 14 22:13:20 2023\n" + head + b"x\n"
    # Each line end around the sizes of buffers.
    for size in (4096, 65536):
        for short in range(-3, 4):
            body = b"x" * (size - len(head) + short)
            yield "edge", head + body + b"\n.\n" + body + b"\r\n.y"


def odd():
    out = []
    for i, (kind, stored) in enumerate(odd_octets()):
        when = EPOCH + 10000000 + i
        base = "%d.odd%d.mail.example" % (when, i)
        size, sent = len(stored), len(wire(stored))
        name = [base, base + ",S=%d" % size, base + ",W=%d" % sent,
                base + ",S=%d,W=%d" % (size, sent),
                base + ",S=%d,W=%d" % (size + 7, sent + 9),
                base + ",W=%d" % (sent + 1) if i % 2 else base,
                base + ",W=%d,S=%d:2,PSR" % (sent, size),
                base + ":2,", base + ":1,x"][i % 9]
        folder = "cur" if ":" in name or i % 3 == 0 else "new"
        out.append(Message(folder, name, stored, when, "odd " + kind))
    stored = b"Subject: names\n\nx\n"
    for i, base in enumerate([
            "no-number", "1.2.3.4.5,S=,W=,X=9,U=12,S=%d" % len(stored),
            "long." + "n" * 180, "long." + "n" * 179 + "m",
            "seventy" + "." * 63, "seventyone" + "." * 61, "with space",
            "caf\u00e9", "tab\there", "cr\rname", "lf\nname", "+OK 1",
            "-dash", "1,S=18446744073709551616", "1,S=-1,W=-1"]):
        out.append(Message("new", base, stored, EPOCH + 20000000 + i,
                           "odd name"))
    return out


def peaceful(messages):
    """Those that all servers treat alike."""
    return [m for m in messages if m.kind != "odd name"
            and not (m.kind.startswith("odd ") and "," in m.name)
            and m.stored.endswith(b"\n") and m.stored[:1] != b"."
            and not re.search(rb"\r(?!\n)|\0", m.stored)
            and b"\n\n" in m.stored.replace(b"\r", b"")]


def short(messages):
    """Those whose names can be UIDLs."""
    return [m for m in messages if len(m.base) <= 70]


def write(directory, messages, owner=None):
    """Makes the Maildir, or adds to one that is there."""
    directory = os.fspath(directory)
    made = [directory] + [directory + "/" + d for d in ("cur", "new", "tmp")]
    for path in made:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if owner:
            os.chown(path, *owner)
    for m in messages:
        path = directory + "/" + m.path
        with open(path, "wb") as f:
            f.write(m.stored)
        os.utime(path, (m.mtime, m.mtime))
        if owner:
            os.chown(path, *owner)
    # Times of long ago: caches do not trust a directory that just changed.
    for path in made[1:3]:
        os.utime(path, (EPOCH, EPOCH))


def files(directory):
    """What is in the Maildir: {"new/name", "cur/name"}."""
    return {folder + "/" + name for folder in ("new", "cur")
            for name in os.listdir(os.path.join(directory, folder))}
