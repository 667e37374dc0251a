"""The server's side of signing in, for hostile.py: it only says whether the
client is right.

Nothing of it is shared with the programs under test.
"""
import base64
import hashlib
import hmac
import os
import re

CHALLENGE = b"<1896.697170952@hostile.example>"


def apop(server, rest):
    name, _, digest = rest.rpartition(" ")
    stamp = re.search(rb"<[^>]*>", server.greeting)
    if not stamp:
        return False
    wanted = hashlib.md5(stamp.group() + server.password.encode())
    return name == server.user and digest == wanted.hexdigest()


def run(name, server, initial, challenge):
    """challenge(text): sends a line that begins with "+ ", returns the next
    line of the client.  True: the client is who it says."""
    def ask(octets):
        return decoded(challenge(base64.b64encode(octets)))

    try:
        first = None
        if initial:
            first = b"" if initial == "=" else decoded(initial.encode())
        return MECHANISMS[name](server, first, ask)
    except ValueError:  # "*", or nothing that base64 knows
        return False


def decoded(text):
    return base64.b64decode(text, validate=True)


def plain(server, first, ask):
    parts = (ask(b"") if first is None else first).split(b"\0")
    return parts[1:] == [server.user.encode(), server.password.encode()]


def login(server, first, ask):
    name = ask(b"Username:") if first is None else first
    return (name, ask(b"Password:")) == (server.user.encode(),
                                         server.password.encode())


def external(server, first, ask):
    """No certificate is looked at: faults refuse one."""
    return (ask(b"") if first is None else first) in (
        b"", server.user.encode())


def cram_md5(server, _, ask):
    name, _, digest = ask(CHALLENGE).rpartition(b" ")
    wanted = hmac.new(server.password.encode(), CHALLENGE, "md5").hexdigest()
    return (name, digest) == (server.user.encode(), wanted.encode())


def xoauth2(server, first, ask):
    got = ask(b"") if first is None else first
    said = re.fullmatch(b"user=([^\1]*)\1auth=Bearer ([^\1]*)\1\1", got)
    if said and server.takes(*(s.decode() for s in said.groups())):
        return True
    ask(b'{"status":"401","schemes":"bearer","scope":"mail"}')
    return False


def oauthbearer(server, first, ask):
    got = ask(b"") if first is None else first
    said = re.fullmatch(
        b"n,a=([^,]*),\1(?:[^\1]*\1)*?auth=Bearer ([^\1]*)\1.*", got)
    if said and server.takes(*(s.decode() for s in said.groups())):
        return True
    ask(b'{"status":"invalid_token"}')
    return False


def scram(hash_name):
    def digest(octets):
        return hashlib.new(hash_name, octets).digest()

    def mac(key, octets):
        return hmac.new(key, octets, hash_name).digest()

    def judge(server, first, ask):
        first = ask(b"") if first is None else first
        gs2, bare = re.fullmatch(rb"([^,]*,[^,]*,)(.*)", first, re.S).groups()
        fields = dict(part.split(b"=", 1) for part in bare.split(b","))
        salt, rounds = b"NaCl" * 4, 4096
        nonce = fields[b"r"] + base64.b64encode(os.urandom(12))
        middle = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), rounds)
        last = ask(middle)
        without, _, proof = last.rpartition(b",p=")
        salted = hashlib.pbkdf2_hmac(hash_name, server.password.encode(),
                                     salt, rounds)
        said = b",".join([bare, middle, without])
        key = mac(salted, b"Client Key")
        wanted = bytes(a ^ b for a, b in zip(key, mac(digest(key), said)))
        if (without != b"c=%s,r=%s" % (base64.b64encode(gs2), nonce)
                or fields[b"n"] != server.user.encode()
                or decoded(proof) != wanted):
            return False
        proof = mac(mac(salted, b"Server Key"), said)
        return ask(b"v=" + base64.b64encode(proof)) == b""

    return judge


MECHANISMS = {
    "PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5,
    "EXTERNAL": external,
    "XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer,
    "SCRAM-SHA-1": scram("sha1"), "SCRAM-SHA-256": scram("sha256"),
}
