"""Programs that people have collect internationalised mail, whichever way
utf8_messages is set: those that say UTF8 get it as it is stored, others what a
session without it is promised.

What a program itself does to a message is known here, by name.
"""
import glob
import gzip
import os
import poplib
import re
import shutil
import ssl
import subprocess

import pytest

import drop
import malote
import mpop
import pop3
import thunderbird
from server import PATIENCE, TOP

pytestmark = pytest.mark.ours

WHO, SECRET = "josé@exemplo.com.br", "senhá"
# For programs that spell the first one in Latin-1, as maloted.conf(5) says.
ASCII = "jose@exemplo.com.br"
MODES = ["pass", "convert", "simple", "refuse"]
BODY = "\r\n\r\nOlá.\r\n.\r\n".encode()
MAIL = [
    b"From: a@b.example\r\nSubject: plain" + BODY,
    ("From: José <josé@exemplo.com.br>\r\nMessage-ID: <1@b>\r\n"
     "Subject: São Paulo\r\nCc: ana@bücher.example").encode() + BODY,
    "Subject: S\xe3o Paulo".encode("latin-1") + BODY,
    gzip.compress("From: ana@b.example\r\nSubject: 日本".encode() + BODY),
    "To: Família: josé@x.example, ana@x.example;, Zé <z@x>".encode() + BODY,
    ("Subject: linha\r\n á dobrada " + "ção " * 200).encode() + BODY,
    b"From: a@b.example\r\n" + "".join(
        "X-%d: ação\r\n" % n for n in range(3000)).encode() + BODY[2:],
    b"Subject: \xc3\xa1 \xc3(" + BODY,
    'Content-Disposition: a; filename="olá.txt"'.encode() + BODY,
    "From: josé@x.example\r\n\r\n".encode(),
    ("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
     "--x\r\nContent-Disposition: attachment; filename=\"olá.txt\"\r\n\r\n"
     "Olá\r\n--x--\r\n").encode(),
    b"From: c@d.example\r\nSubject: the last" + BODY,
]
STORED = [gzip.decompress(m) if m[:1] == b"\x1f" else m for m in MAIL]


class Site:
    """José's maildrop, served."""

    def __init__(self, place, serve, mode):
        box = place.maildir([
            drop.Message("new", "%d.m" % (10 ** 9 + n), text, 10 ** 9 + n,
                         "utf8") for n, text in enumerate(MAIL)])
        self.mode = mode
        self.server = serve([(WHO, SECRET, box), (ASCII, SECRET, box)],
                            'utf8_messages = "%s"\n' % mode)
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o700)
        self.ca = self.home + "/ca.pem"
        with open(self.ca, "w", encoding="ascii") as f:
            f.write(ssl.get_server_certificate(
                ("127.0.0.1", self.server.tls_port)))

    def promised(self):
        """{number: octets} in a session that does not say UTF8."""
        got = {}
        with pop3.Pop3(self.server.port) as s:
            s.login(WHO, SECRET)
            for n, size in s.list().items():
                if s.command("RETR %d" % n).startswith(b"+OK"):
                    text = s.data()
                    got[n] = re.sub(rb"(?m)^\.", b"", text[:-3])
                    assert len(got[n]) == size
            s.quit()
        return got

    def run(self, *command, status=0, **more):
        done = subprocess.run(
            command, cwd=self.home, stdin=subprocess.DEVNULL, env={
                "HOME": self.home, "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8", "LOGNAME": "tester", "USER": "tester"},
            timeout=100 * PATIENCE, capture_output=True, check=False, **more)
        assert status is None or done.returncode == status, done
        return done

    def write(self, name, text, mode=0o600):
        path = self.home + "/" + name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w",
                  encoding="utf-8") as f:
            f.write(text)
        return path

    def got(self, folder="in/new"):
        """What is in the files there, with the ends of lines of POP3."""
        out = []
        for name in os.listdir(self.home + "/" + folder):
            with open(self.home + "/" + folder + "/" + name, "rb") as f:
                out.append(re.sub(rb"\r?\n", b"\r\n", f.read()))
        return out


@pytest.fixture(params=MODES)
def site(request, place, serve):
    return Site(place, serve, request.param)


def wanted(site, utf8=False, stops=False):
    """utf8: the program says it.  stops: at the first message that is refused,
    so it does not get what is behind."""
    if utf8 or site.mode == "pass":
        return sorted(STORED)
    got = site.promised()
    if stops and site.mode == "refuse":
        return [got[1]]  # the second one is refused
    return sorted(got.values())


def check(site, got, **more):
    assert sorted(got) == wanted(site, **more)


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None,
                              reason=program + " is not installed")


# ---- those that say UTF8 ----

@malote.NEEDED
def test_malote(site, client, portuguese):
    """A Brazilian's: it asks for the language, too."""
    m = client().account(
        at=site.server.port, user=WHO, password=SECRET, keep="yes")
    m.env.update(portuguese)
    m.collect()
    check(site, [re.sub(rb"\r?\n", b"\r\n", text)
                 for text in m.files().values()], utf8=True)
    m.account(password="outra")
    assert "a autenticação falhou" in m.collect(status=malote.NOPERM).text


def by_poplib(site, utf8):
    c = poplib.POP3("localhost", site.server.port, timeout=30)
    if utf8:
        assert c.utf8().startswith(b"+OK")
    c.user(WHO)
    c.pass_(SECRET)
    got = []
    for n in range(1, c.stat()[0] + 1):
        try:
            lines = c.retr(n)[1]
        except poplib.error_proto as e:
            assert e.args[0].startswith(b"-ERR [UTF8]")
            continue
        got.append(b"".join(line + b"\r\n" for line in lines))
    c.quit()
    return got


@pytest.mark.parametrize("utf8", [True, False])
def test_poplib(site, utf8):
    check(site, by_poplib(site, utf8), utf8=utf8)


# ---- those that do not ----

@needs("curl")
def test_curl(site):
    for n in range(1, len(MAIL) + 1):
        site.run("curl", "-sS", "-u", WHO + ":" + SECRET, "--cacert", site.ca,
                 "-o", "in/new/%d" % n, "--create-dirs",
                 "pop3s://localhost:%d/%d" % (site.server.tls_port, n),
                 status=None)
    check(site, site.got())


@needs("fetchmail")
def test_fetchmail(site):
    os.makedirs(site.home + "/in/new")
    mda = site.write("mda", "#!/bin/sh\nexec cat >%s/in/new/$$.$(date +%%N)\n"
                     % site.home, 0o700)
    rc = site.write(
        "rc", 'poll localhost with proto POP3 port %d timeout 60\n'
        'user "%s" password "%s" is tester here keep fetchall\n'
        'no rewrite no mimedecode stripcr ssl sslcertck\n'
        'sslcertfile "%s" mda "%s"\n' % (
            site.server.tls_port, WHO, SECRET, site.ca, mda))
    site.run("fetchmail", "--nosyslog", "--invisible", "-f", rc, "--idfile",
             site.home + "/ids", "--pidfile", site.home + "/pid")
    check(site, site.got())


@needs("mpop")
def test_mpop(site):
    site.run("mpop", "-q", "-C", mpop.prepare(
        site.home, site.server.tls_port, WHO, SECRET, "user", site.ca,
        "keep on\nreceived_header off\n"),
             status=76 if site.mode == "refuse" else 0)
    check(site, site.got(), stops=True)


@needs("getmail")
def test_getmail(site):
    for d in ("cur", "new", "tmp"):
        os.makedirs(site.home + "/in/" + d)
    rc = site.write("getmailrc", """
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = %d
username = %s
password = %s
timeout = 5
ca_certs = %s
[destination]
type = Maildir
path = %s/in/
[options]
delete = false
delivered_to = false
received = false
verbose = 0
""" % (site.server.tls_port, WHO, SECRET, site.ca, site.home))
    as_user = {}
    if os.geteuid() == 0:  # which it refuses to be
        for path, _, files in os.walk(site.home):
            for name in [path] + [path + "/" + f for f in files]:
                shutil.chown(name, "nobody", "nogroup")
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    for _ in range(5):
        done = site.run("getmail", "--getmaildir", site.home, "--rcfile", rc,
                        status=None, **as_user)
        if b"waiting child pid" not in done.stderr:
            break
        # It missed the end of a process of its own, and gave up: all anew.
        for path in (glob.glob(site.home + "/in/new/*")
                     + glob.glob(site.home + "/oldmail-*")):
            os.unlink(path)
    assert site.mode == "refuse" or done.returncode == 0, done
    # It adds a Return-Path, and breaks a line behind the field's name.
    check(site, [re.sub(rb"^Return-Path: <unknown>\r\n", b"", text).replace(
        b": \r\n ", b": ") for text in site.got()])


@pytest.mark.slow
@needs("javac")
@pytest.mark.skipif(not os.path.exists("/usr/share/java/javax.mail.jar"),
                    reason="JavaMail is not installed")
def test_javamail(site):
    """Its parser knows UTF-8 in a header; the command it does not have."""
    os.makedirs(site.home + "/in/new")
    done = site.run(
        "java", "-cp", "/usr/share/java/javax.mail.jar:"
        "/usr/share/java/javax.activation.jar",
        TOP + "/tests/integration/Collect.java", str(site.server.tls_port),
        WHO, SECRET, site.home + "/in/new")
    check(site, site.got())
    said = dict(line.split("\t", 1)
                for line in done.stdout.decode().splitlines())
    if site.mode == "refuse":
        assert said["2"] == "refused"
        return
    subject, who = said["2"].split("\t")
    assert subject == "São Paulo"
    assert who == {
        "pass": '"José" <josé@exemplo.com.br>',
        "convert": "José josé@exemplo.com.br :;",
        "simple": "José <invalid@internationalized-address.invalid>",
    }[site.mode]


@pytest.mark.slow
@needs("thunderbird")
def test_thunderbird(site):
    t = thunderbird.Thunderbird(site.home + "/bird", site.server.port, ASCII)
    try:
        good, shown = t.collect(SECRET)
        # It puts an empty line behind each message.
        check(site, [re.sub(rb"\r?\n", b"\r\n", text)[:-2]
                     for text in t.inbox()], stops=True)
    finally:
        t.stop()
    assert good == (site.mode != "refuse")
    assert dict(shown).get("São Paulo") == {
        "pass": "José <josé@exemplo.com.br>",
        "convert": "José josé@exemplo.com.br :;",
        "simple": "José <invalid@internationalized-address.invalid>",
        "refuse": None,
    }[site.mode]
