"""Sign-ins, with very many users: what is around the hashes.

All servers have the same rows, in files of Dovecot's form, of schemes that cost
little: the time of a costly one would hide the rest, and is the same for all.
The users share 64 maildrops, so that no two sessions want one at a time."""
import base64
import hashlib
import hmac
import os

import mail
from rows import Goal, Load
from target import Target, address

BOXES = 64
PASSWORD = b"secret"
SALT = b"0123456789abcdef"
MALOTED = 'mechanisms = "SCRAM-SHA-256 PLAIN"\n'
DOVECOT = "auth_mechanisms = plain scram-sha-256\n"
KINDS = ("maloted", "tuned", "dovecot")


def b64(octets):
    return base64.b64encode(octets).decode()


def mac(key, text):
    return hmac.new(key, text, "sha256").digest()


def ssha256():
    return "{SSHA256}" + b64(hashlib.sha256(PASSWORD + SALT).digest() + SALT)


def scram(iterations=4096):
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD, SALT, iterations)
    stored = hashlib.sha256(mac(salted, b"Client Key")).digest()
    return "{SCRAM-SHA-256}%d,%s,%s,%s" % (
        iterations, b64(SALT), b64(stored), b64(mac(salted, b"Server Key")))


class Crowd:
    """A hundred thousand users: half of them for each mechanism.  Their rows are
    in FOLDER/KIND.users, for the maildrops that a server has."""

    def __init__(self, quick):
        half = 500 if quick else 50000
        self.by_step = {"plain": mail.Users(100096, half, 1),
                        "scram": mail.Users(200192, half, 1)}
        self.hashes = {"plain": ssha256(), "scram": scram()}
        assert not [u for u in self.by_step.values() if u.first % BOXES]

    def write(self, path, box, first):
        owner = os.stat(box(first))
        with open(path, "w", encoding="ascii") as f:
            for step, users in self.by_step.items():
                for n in users.numbers():
                    f.write("%s:%s:%d:%d::/::userdb_mail=maildir:%s\n" % (
                        address(n), self.hashes[step], owner.st_uid,
                        owner.st_gid, box(first + n % BOXES)))


def start(kind, targets, sizes, crowd, where):
    """A server with these users.  One of the command line has a password with a
    colon, which is not stored readable: else SCRAM would cost each name a hash
    (S-5802-03 of maloted)."""
    first = sizes.holders.first
    config, rows = where + "/sign-ins.conf", "%s/%s.users" % (where, kind)
    with open(config, "w", encoding="ascii") as f:
        f.write(MALOTED if kind == "maloted" else DOVECOT)
    crowd.write(rows, targets[kind].box, first)
    return Target(kind, targets[kind].boxes, [first], where, config,
                  password="se:cret", words=["--users", rows])


def loads(crowd, quick):
    for step, title in (("plain", "PLAIN, {SSHA256}"),
                        ("scram", "SCRAM-SHA-256, 4096 iterations")):
        users = crowd.by_step[step]
        yield Load("sign-in by %s; %d users, 8 at a time" % (
            title, 2 * users.count), "µs", Goal(0.5, "tuned"),
            steps=step + " quit", users=users, c=8, n=150 if quick else 4000)


def measure(o, targets, sizes, where, progress):
    """The rows, of as many rounds as all others."""
    crowd, running = Crowd(o.quick), {}
    rows = list(loads(crowd, o.quick))
    try:
        for kind in KINDS:
            if kind in targets:
                progress("sign-ins: " + kind)
                running[kind] = start(kind, targets, sizes, crowd, where)
                for row in rows:
                    running[kind].load(row.steps, row.users, 8, 2 * BOXES)
        for _ in range(o.rounds):
            for row in rows:
                for target in running.values():
                    row.measure(target)
    finally:
        for target in running.values():
            target.stop()
    return rows
