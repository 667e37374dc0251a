"""Real programs collect a maildrop: exact to the octet, and removed if told.

What a program itself does to a message is known here, by name, and nothing
else is forgiven.
"""
import glob
import os
import re
import shutil
import ssl
import subprocess
from collections import Counter

import poplib
import pytest

import drop
import terminal
from server import PATIENCE

COUNT = 150
MODES = ["plain", "stls", "tls"]
KEEP = pytest.mark.parametrize("keep", [True, False], ids=["keep", "delete"])


def modes(*names):
    return pytest.mark.parametrize("mode", names or MODES)


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None,
                              reason=program + " is not installed")


class Drop:
    """A served maildrop, and what a client should have made of it."""

    def __init__(self, place, serve, messages):
        self.messages = messages
        self.box = place.maildir(messages)
        self.home = place.path + "/home"
        os.mkdir(self.home, 0o700)
        self.server = serve(self.box)
        self.ca = self.home + "/ca.pem"
        with open(self.ca, "w") as f:
            f.write(ssl.get_server_certificate(
                ("127.0.0.1", self.server.tls_port)))

    def port(self, mode):
        return self.server.tls_port if mode == "tls" else self.server.port

    def run(self, *command, status=0, **more):
        env = {"HOME": self.home, "PATH": os.environ["PATH"], "LANG": "C",
               "LOGNAME": "tester", "USER": "tester", "TERM": "vt100"}
        done = subprocess.run(command, env=env, cwd=self.home,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=100 * PATIENCE, **more)
        assert status is None or done.returncode == status, done
        return done

    def write(self, name, text):
        path = self.home + "/" + name
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o700)
        return path

    def maildir(self):
        path = self.home + "/in"
        for d in ("cur", "new", "tmp"):
            os.makedirs(path + "/" + d)
        return path

    def names(self, pattern):
        return set(glob.glob(self.home + "/" + pattern))

    def got(self, pattern):
        out = []
        for path in self.names(pattern):
            with open(path, "rb") as f:
                out.append(f.read())
        return out

    def check(self, got, expected, keep):
        """The same messages, and the maildrop as it should be."""
        extra = sorted((Counter(got) - Counter(expected)).elements())
        lost = sorted((Counter(expected) - Counter(got)).elements())
        for one, other in zip(extra, lost):
            at = len(os.path.commonprefix([one, other]))
            at = max(0, at - 60)
            assert one[at:at + 120] == other[at:at + 120]
        assert not extra and not lost
        assert drop.files(self.box) == (
            {m.path for m in self.messages} if keep else set())


@pytest.fixture
def maildrop(place, serve):
    def make(messages=None):
        return Drop(place, serve, messages or drop.make(21, COUNT))
    return make


def crlf(messages):
    return [drop.wire(m.stored) for m in messages]


def lf(messages):
    """For programs that keep lines with LF: they drop the CR before it."""
    return [text.replace(b"\r\n", b"\n") for text in crlf(messages)]


@KEEP
@modes()
@pytest.mark.core
def test_poplib(maildrop, mode, keep):
    d = maildrop()
    trust = ssl.create_default_context(cafile=d.ca)
    poplib._MAXLINE = 1 << 20  # its own limit is 2048
    if mode == "tls":
        c = poplib.POP3_SSL("localhost", d.port(mode), context=trust)
    else:
        c = poplib.POP3("localhost", d.port(mode), timeout=30)
    assert c.welcome.startswith(b"+OK")
    assert "TOP" in c.capa() and "UIDL" in c.capa()
    if mode == "stls":
        c.stls(trust)
    c.user("user")
    c.pass_("secret")
    count, size = c.stat()
    assert count == COUNT and len(c.list()[1]) == COUNT
    assert len(set(c.uidl()[1])) == COUNT
    got = []
    for n in range(1, count + 1):
        # It counts the dots that were stuffed: not its third value.
        lines = c.retr(n)[1]
        got.append(b"".join(line + b"\r\n" for line in lines))
        assert c.list(n).endswith(b" %d %d" % (n, len(got[-1])))
        if not keep:
            c.dele(n)
    c.quit()
    assert sum(map(len, got)) == size
    # It takes any CRs off the end of a line.
    d.check(got, [re.sub(rb"\r+\n", b"\r\n", t) for t in crlf(d.messages)],
            keep)


@KEEP
@modes()
@needs("curl")
def test_curl(maildrop, mode, keep):
    d = maildrop(drop.peaceful(drop.make(21, COUNT) + drop.odd()))
    count = len(d.messages)
    base = "%s://localhost:%d/" % ("pop3s" if mode == "tls" else "pop3",
                                   d.port(mode))
    options = ["curl", "-sS", "--fail", "-u", "user:secret", "--cacert", d.ca,
               "--login-options", "AUTH=PLAIN"]
    if mode == "stls":
        options.append("--ssl-reqd")
    config = "".join('url = "%s%d"\noutput = "%s/%d.curl"\n'
                     % (base, n, d.home, n) for n in range(1, count + 1))
    d.run(*options, "-K", d.write("curlrc", config))
    listed = d.run(*options, base).stdout
    assert len(listed.splitlines()) == count
    if not keep:
        config = "".join('url = "%s%d"\nhead\nrequest = "DELE"\n'
                         'output = "/dev/null"\nnext\n' % (base, n)
                         for n in range(1, count + 1))
        # "next" forgets options: they are repeated for each.
        again = 'user = "user:secret"\ncacert = "%s"\n%s' % (
            d.ca, "ssl-reqd\n" if mode == "stls" else "")
        config = config.replace("next\n", "next\n" + again)
        d.run("curl", "-sS", "-K", d.write("curlrc", again + config.rsplit(
            "next\n", 1)[0]))
    d.check(d.got("*.curl"), crlf(d.messages), keep)


@KEEP
@modes()
@needs("mpop")
def test_mpop(maildrop, mode, keep):
    d = maildrop()
    rc = d.write("mpoprc", """
account default
host localhost
port %d
user user
password secret
auth plain
timeout 60
delivery maildir %s
uidls_file %s/uidls
received_header off
keep %s
pipelining on
tls %s
tls_starttls %s
tls_trust_file %s
""" % (d.port(mode), d.maildir(), d.home, "on" if keep else "off",
       "off" if mode == "plain" else "on", "on" if mode == "stls" else "off",
       d.ca if mode != "plain" else ""))
    if mode == "plain":
        text = open(rc).read().replace("tls_trust_file \n", "")
        d.write("mpoprc", text.replace("tls_starttls off\n", ""))
    os.chmod(rc, 0o600)
    d.run("mpop", "-C", rc, "-q")
    d.check(d.got("in/new/*"), lf(d.messages), keep)
    if keep:
        # Again: it knows them by their UIDLs.
        d.run("mpop", "-C", rc, "-q")
        assert len(d.got("in/new/*")) == COUNT


def fetchmail_view(stored):
    """It drops NULs and splits lines of more than 8 KB; the messages used
    here have neither.  It takes any number of CRs off the end of a line."""
    return re.sub(rb"\r+\n", b"\n", drop.wire(stored))


@KEEP
@modes()
@needs("fetchmail")
def test_fetchmail(maildrop, place, mode, keep):
    messages = [m for m in drop.make(22, COUNT) if max(
        map(len, m.stored.split(b"\n"))) < 4000]
    d = maildrop(messages)
    d.maildir()
    mda = d.write("mda", "#!/bin/sh\n"
                  "exec cat >%s/in/new/$$.$(date +%%N)\n" % d.home)
    rc = d.write("fetchmailrc", """
poll localhost with proto POP3 port %d timeout 60 uidl
    user "user" password "secret" is tester here
    %s fetchall no rewrite no mimedecode stripcr
    %s
    mda "%s"
""" % (d.port(mode), "keep" if keep else "no keep",
       {"plain": 'sslproto ""',
        "stls": 'sslproto "tls1.2+" sslcertck sslcertfile "%s"' % d.ca,
        "tls": 'ssl sslcertck sslcertfile "%s"' % d.ca}[mode], mda))
    os.chmod(rc, 0o700)
    d.run("fetchmail", "--nosyslog", "--invisible", "-f", rc, "--idfile",
          d.home + "/ids", "--pidfile", d.home + "/pid")
    d.check(d.got("in/new/*"), [fetchmail_view(m.stored) for m in messages],
            keep)


@KEEP
@modes("plain", "tls")  # it cannot do STLS
@needs("getmail")
def test_getmail(maildrop, mode, keep):
    d = maildrop()
    kind = "SimplePOP3SSLRetriever" if mode == "tls" else \
        "SimplePOP3Retriever"
    rc = d.write("getmailrc", """
[retriever]
type = %s
server = localhost
port = %d
username = user
password = secret
timeout = 5
%s
[destination]
type = Maildir
path = %s/
[options]
read_all = false
delete = %s
max_messages_per_session = 40
delivered_to = false
received = false
verbose = 0
""" % (kind, d.port(mode), "ca_certs = %s" % d.ca if mode == "tls" else "",
       d.maildir(), "false" if keep else "true"))
    as_user = {}
    if os.geteuid() == 0:  # which it refuses to be
        for path, _, files in os.walk(d.home):
            for name in [path] + [path + "/" + f for f in files]:
                shutil.chown(name, "nobody", "nogroup")
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    have = None
    while have != (have := d.names("in/new/*")):
        done = d.run("getmail", "--getmaildir", d.home, "--rcfile", rc,
                     status=None, **as_user)
        if b"waiting child pid" in done.stderr:
            # It missed the end of a process of its own, and gave up: what it
            # has got will come again.
            for path in d.names("in/new/*") - have:
                os.unlink(path)
            have = None
            continue
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    d.check(d.got("in/new/*"), [getmail_view(m) for m in d.messages], keep)


def getmail_view(message):
    """It puts the Return-Path first, and a space after each colon."""
    text = re.sub(rb"\r*\n", b"\n", drop.wire(message.stored))
    head, blank, body = text.partition(b"\n\n")
    head = re.sub(rb"(?m)^([A-Za-z-]+):[ ]*", rb"\1: ", head)
    path = re.search(rb"(?m)^Return-Path: .*\n", head)
    return (path.group() + head[:path.start()] + head[path.end():]
            + blank + body)


@KEEP
@modes()
@needs("mutt")
def test_mutt(maildrop, mode, keep):
    d = maildrop(drop.make(23, 100))
    scheme = "pops" if mode == "tls" else "pop"
    url = "%s://user:secret@localhost:%d/" % (scheme, d.port(mode))
    rc = d.write("muttrc", """
set pop_authenticators="plain:user"
set ssl_force_tls=%s ssl_starttls=%s ssl_verify_host=no
set certificate_file=%s
set tls_force=no
set mbox_type=Maildir confirmcreate=no confirmappend=no
set delete=%s quit=yes move=no copy=no mark_old=no
set pop_checkinterval=0 wait_key=no
unset auto_tag
set folder=%s
push "<tag-pattern>~A<enter><tag-prefix>%s=out<enter>%s"
""".replace("set tls_force=no\n", "") % (
        "yes" if mode != "plain" else "no",
        "yes" if mode == "stls" else "no", d.ca,
        "yes", d.home, "<copy-message>" if keep else "<save-message>",
        "<quit>"))
    status, screen = terminal.run(["mutt", "-n", "-F", rc, "-f", url], d.home)
    assert status == 0, screen[-2000:]
    d.check([mutt_took(t) for t in d.got("out/*/*")], lf(d.messages), keep)


def mutt_took(text):
    """It adds these to what it saves."""
    head, blank, body = text.partition(b"\n\n")
    head = re.sub(rb"(?m)^(Status|Content-Length|Lines): .*\n", b"",
                  head + b"\n")
    return head + blank[1:] + body
