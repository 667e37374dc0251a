"""A directory (OpenLDAP's slapd) of its own on loopback: as postgres.py."""
import os
import shutil
import signal
import subprocess
import tempfile

from server import PATIENCE, alive, end_with_us, free_port, wait_until

PATH = os.environ["PATH"] + ":/usr/sbin"
INSTALLED = all(shutil.which(name, path=PATH)
                for name in ("slapd", "ldapmodify"))
SUFFIX = "dc=example,dc=org"
PEOPLE = "ou=people," + SUFFIX
READER = "cn=malote," + SUFFIX
CONF = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %(folder)s/pid
argsfile %(folder)s/args
%(tls)s
database mdb
suffix %(suffix)s
rootdn cn=owner,%(suffix)s
rootpw owner
directory %(folder)s/data
index objectClass,uid eq
access to attrs=userPassword by dn.exact="%(reader)s" read by * auth
access to * by dn.exact="%(reader)s" read by anonymous read by self read
"""
FIRST = """dn: %(suffix)s
objectClass: domain
dc: example

dn: %(people)s
objectClass: organizationalUnit
ou: people

dn: %(reader)s
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: malote
userPassword: it's
"""
WORDS = {"suffix": SUFFIX, "people": PEOPLE, "reader": READER}


class Slapd:
    def __init__(self, certificate=None):
        self.folder = tempfile.mkdtemp(prefix="malote-ldap.")
        self.port, self.tls_port = free_port(), free_port()
        self.process = None
        self.tls = ""
        os.mkdir(self.folder + "/data")
        try:
            if certificate:
                self.take(certificate)
            self.start()
            self.modify(FIRST % WORDS, "-a")
        except BaseException:
            self.close()
            raise

    @property
    def connection(self):
        return ("uri=ldap://127.0.0.1:%d base=%s user=%s password='it\\'s' "
                "tls=no" % (self.port, PEOPLE, READER))

    def take(self, certificate):
        """From its next start on."""
        self.tls = ("TLSCertificateFile %s\nTLSCertificateKeyFile %s\n"
                    % tuple(certificate))

    def start(self):
        conf = self.folder + "/slapd.conf"
        with open(conf, "w", encoding="ascii") as f:
            f.write(CONF % (WORDS | {"folder": self.folder, "tls": self.tls}))
        at = "ldap://127.0.0.1:%d/" % self.port
        if self.tls:
            at += " ldaps://127.0.0.1:%d/" % self.tls_port
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("slapd", path=PATH), "-d", "0", "-f", conf,
                 "-h", at], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd="/", preexec_fn=end_with_us)
        wait_until(lambda: self._modify("", check=False).returncode == 0, 30)

    def _modify(self, text, *words, check=True):
        return subprocess.run(
            ["ldapmodify", "-x", "-H", "ldap://127.0.0.1:%d/" % self.port,
             "-D", "cn=owner," + SUFFIX, "-w", "owner", *words],
            check=check, input=text, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd="/", timeout=60 * PATIENCE,
            env={**os.environ, "LDAPNOINIT": "1"})

    def modify(self, text, *words):
        self._modify(text, *words)

    def user(self, name, password, mail="", uid=None, gid=None, dn="uid"):
        values = {"uid": name, "cn": name, "sn": name,
                  "userPassword": password, "employeeNumber": uid,
                  "employeeType": gid,
                  "description": "maildir:" + mail if mail else None}
        self.modify("dn: %s=%s,%s\nobjectClass: inetOrgPerson\n%s" % (
            dn, name, PEOPLE,
            "".join("%s: %s\n" % pair for pair in values.items()
                    if pair[1] is not None)), "-a")

    def change(self, name, how, attribute, value):
        self.modify("dn: uid=%s,%s\nchangetype: modify\n%s: %s\n%s: %s\n" % (
            name, PEOPLE, how, attribute, attribute, value))

    def delete(self, name):
        self.modify("dn: uid=%s,%s\nchangetype: delete\n" % (name, PEOPLE))

    def empty(self):
        """All users go."""
        found = subprocess.run(
            ["ldapsearch", "-x", "-LLL", "-H",
             "ldap://127.0.0.1:%d/" % self.port, "-D", "cn=owner," + SUFFIX,
             "-w", "owner", "-b", PEOPLE, "-s", "one", "1.1"], check=True, text=True, stdout=subprocess.PIPE, cwd="/",
            timeout=60 * PATIENCE).stdout
        self.modify("".join(line + "\nchangetype: delete\n\n"
                            for line in found.splitlines()
                            if line.startswith("dn: ")))

    def hang(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        if alive(self.process.pid):
            os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        """At once: sessions are cut."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30 * PATIENCE)

    def close(self):
        try:
            self.kill()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
