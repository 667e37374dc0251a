"""A certificate authority, and certificates: good ones and each kind of bad.

For the host "localhost" and 127.0.0.1.  All are made by the openssl program.
"""
import datetime
import hashlib
import os
import ssl
import subprocess

from dataclasses import dataclass

SAN = "subjectAltName=DNS:localhost,IP:127.0.0.1"
SERVER = "extendedKeyUsage=serverAuth"
CONFIG = """
[ca]
default_ca = x
[x]
dir = .
database = ./index
serial = ./serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""
DAY = datetime.timedelta(days=1)

# name: common name, extensions, days from now, days to then, issuer
KINDS = {
    "good": ("localhost", [SAN, SERVER], -1, 30, "ca"),
    "expired": ("localhost", [SAN, SERVER], -30, -1, "ca"),
    "future": ("localhost", [SAN, SERVER], 2, 30, "ca"),
    "wrong-name": ("localhost", ["subjectAltName=DNS:other.example",
                                 SERVER], -1, 30, "ca"),
    "unknown": ("localhost", [SAN, SERVER], -1, 30, "stranger"),
    # Of a program on the way that reads along.
    "antivirus": ("localhost", [SAN, SERVER], -1, 30, "Avast Mail Shield"),
    "self-signed": ("localhost", [SAN, SERVER], -1, 30, None),
    "cn-only": ("localhost", [SERVER], -1, 30, "ca"),
    "wrong-purpose": ("localhost", [SAN, "extendedKeyUsage=clientAuth"],
                      -1, 30, "ca"),
    "wildcard": ("x", ["subjectAltName=DNS:*.example.test,DNS:localhost",
                       SERVER], -1, 30, "ca"),
    # A star must be a whole label: these match no name.
    "bad-wildcard": ("x", ["subjectAltName=DNS:*,DNS:*host,DNS:l*",
                           SERVER], -1, 30, "ca"),
    # As the great providers have them.
    "providers": ("x", ["subjectAltName=DNS:*.google.com,"
                        "DNS:*.googleapis.com,DNS:*.gmail.com,"
                        "DNS:*.microsoftonline.com,DNS:*.office365.com,"
                        "DNS:*.login.yahoo.com,DNS:*.mail.yahoo.com,"
                        "DNS:*.fastmail.com,DNS:localhost", SERVER],
                  -1, 30, "ca"),
    # Signed with the certificate of a server, which is no authority's.
    "not-a-ca": ("localhost", [SAN, SERVER], -1, 30, "good"),
}


@dataclass
class Certificate:
    pem: str   # with the chain that a server sends
    key: str
    one: str   # the certificate alone

    def context(self):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.pem, self.key)
        return c

    def fingerprint(self):
        """SHA-256 of the certificate, in hexadecimal digits."""
        with open(self.one) as f:
            der = ssl.PEM_cert_to_DER_cert(f.read())
        return hashlib.sha256(der).hexdigest()

    def key_fingerprint(self):
        der = subprocess.run(
            ["openssl", "pkey", "-in", self.key, "-pubout", "-outform",
             "DER"], check=True, capture_output=True).stdout
        return hashlib.sha256(der).hexdigest()


class Certificates:
    """In a directory of its own; `ca` is the file to be trusted."""

    def __init__(self, directory):
        self.directory = directory
        self.made = {}
        self._write("config", CONFIG)
        self._write("index", "")
        self._write("serial", "01\n")
        self.ca = self._root("ca")
        self._root("stranger")
        self._root("Avast Mail Shield")

    def __getitem__(self, kind):
        if kind not in self.made:
            self.made[kind] = self._make(kind, *KINDS[kind])
        return self.made[kind]

    def context(self, kind="good"):
        return self[kind].context()

    def named(self, *names, days=(-1, 30), issuer="ca"):
        """A certificate of a server that has these names."""
        kind = "named-%d" % len(self.made)
        san = "subjectAltName=" + ",".join("DNS:" + name for name in names)
        self.made[kind] = self._make(kind, names[0], [san, SERVER], *days,
                                     issuer)
        return self.made[kind]

    def path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def _openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def _key(self, name):
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-out", name + ".key")

    def _root(self, name):
        self._key(name)
        self._openssl("req", "-x509", "-new", "-config", "config",
                      "-extensions", "root", "-key", name + ".key", "-days",
                      "30", "-subj", "/CN=Test " + name, "-out",
                      name + ".pem")
        return self.path(name + ".pem")

    def _make(self, kind, cn, extensions, start, end, issuer):
        self._key(kind)
        self._write(kind + ".ext", "\n".join(extensions) + "\n")
        self._openssl("req", "-new", "-config", "config", "-key",
                      kind + ".key", "-subj", "/CN=" + cn, "-out",
                      kind + ".csr")
        by = ["-selfsign", "-keyfile", kind + ".key"]
        if issuer:
            if issuer in KINDS:
                self[issuer]
            by = ["-cert", self._issuer(issuer), "-keyfile", issuer + ".key"]
        now = datetime.datetime.now(datetime.timezone.utc)
        times = [(now + n * DAY).strftime("%Y%m%d%H%M%SZ")
                 for n in (start, end)]
        self._openssl("ca", "-batch", "-config", "config", "-notext", *by,
                      "-in", kind + ".csr", "-startdate", times[0],
                      "-enddate", times[1], "-extfile", kind + ".ext",
                      "-out", kind + ".one.pem")
        pem = self.path(kind + ".one.pem")
        with open(pem) as f:
            chain = f.read()
        if issuer in KINDS:
            with open(self[issuer].one) as f:
                chain += f.read()
        return Certificate(self._write(kind + ".pem", chain),
                           self.path(kind + ".key"), pem)

    def _issuer(self, name):
        return self[name].one if name in KINDS else self.path(name + ".pem")
