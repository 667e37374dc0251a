"""A client of SCRAM, CRAM-MD5 and APOP, in terms of the RFCs; nothing of it is
shared with the programs under test."""
import base64
import hashlib
import hmac

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}


def b64(text):
    if isinstance(text, str):
        text = text.encode()
    return base64.b64encode(text).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


class Scram:
    """first(), final(challenge) and check(challenge) make and take octets."""

    def __init__(self, mechanism, user, password, authzid="", binding=None,
                 flag="n", nonce="rOprNGfwEbeRWgbNEkqO"):
        self.hash = HASHES[mechanism.removesuffix("-PLUS")]
        self.password = password.encode()
        self.gs2 = "%s,%s," % ("p=" + binding[0] if binding else flag,
                               "a=" + authzid if authzid else "")
        self.data = binding[1] if binding else b""
        self.nonce = nonce
        self.bare = "n=%s,r=%s" % (user, nonce)
        self.salt = self.count = None

    def mac(self, key, octets):
        return hmac.new(key, octets, self.hash).digest()

    def first(self):
        return (self.gs2 + self.bare).encode()

    def heard(self, challenge):
        fields = dict(f.split("=", 1) for f in challenge.decode().split(","))
        assert fields["r"].startswith(self.nonce) and \
            len(fields["r"]) > len(self.nonce) + 15, fields
        self.salt, self.count = unb64(fields["s"]), int(fields["i"])
        return fields

    def final(self, challenge):
        fields = self.heard(challenge)
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, self.salt,
                                     self.count)
        without = "c=%s,r=%s" % (b64(self.gs2.encode() + self.data),
                                 fields["r"])
        said = b",".join([self.bare.encode(), challenge, without.encode()])
        key = self.mac(salted, b"Client Key")
        stored = hashlib.new(self.hash, key).digest()
        proof = bytes(a ^ b for a, b in zip(key, self.mac(stored, said)))
        self.server = self.mac(self.mac(salted, b"Server Key"), said)
        return ("%s,p=%s" % (without, b64(proof))).encode()

    def check(self, challenge):
        assert challenge == b"v=" + b64(self.server).encode(), challenge


def challenged(reply):
    assert reply.startswith(b"+ "), reply
    return unb64(reply[2:])


def scram(session, mechanism, user, password, initial=True, **more):
    """All of it; returns the last reply, and the exchange."""
    x = Scram(mechanism, user, password, **more)
    if initial:
        reply = session.command("AUTH %s %s" % (mechanism, b64(x.first())))
    else:
        assert session.command("AUTH " + mechanism) == b"+ "
        reply = session.command(b64(x.first()))
    if not reply.startswith(b"+ "):
        return reply, x
    reply = session.command(b64(x.final(challenged(reply))))
    if not reply.startswith(b"+ "):
        return reply, x
    x.check(challenged(reply))
    return session.command(""), x


def cram(session, user, password):
    challenge = challenged(session.command("AUTH CRAM-MD5"))
    digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
    return session.command(b64("%s %s" % (user, digest)))
