"""Dovecot's IMAP beside maloted on the same Maildirs, set up as doc/beside-dovecot.md
says: the lines are taken from there.

The unique-ids of maloted are those of Dovecot's POP3, whoever served first.
"""
import hashlib
import imaplib
import os
import re
import shutil
import subprocess

import pytest

import drop
import malote
from server import PATIENCE, TOP, free_port

pytestmark = [pytest.mark.ours, pytest.mark.skipif(
    not os.path.exists("/usr/lib/dovecot/imap"),
    reason="dovecot-imapd is not installed")]

PAGES = ["/doc/beside-dovecot.md", "/doc/beside-dovecot.pt-BR.md"]


def blocks(page):
    """What stands between lines of three back quotes, by what each sets up."""
    with open(TOP + page, encoding="utf-8") as f:
        return dict(re.findall(r"^```\n# ([^\n]*)\n(.*?)^```$", f.read(),
                               re.M | re.S))


PAGE = blocks(PAGES[0])
BEFORE, DOVECOT, MALOTED, BACK = PAGE


def test_pages_agree():
    """One recipe in two languages."""
    other = blocks(PAGES[1])
    assert list(other.values()) == list(PAGE.values())
    assert MALOTED == "/etc/malote/maloted.conf"


class Site:
    """A maildrop of one user, for both servers."""

    def __init__(self, place, serve):
        if place.owner is None and os.geteuid() == 0:
            pytest.skip("Dovecot serves nothing as root")
        self.place, self.serve = place, serve
        # No flags yet: with one of them EXPUNGE removes more.
        self.messages = [m for m in drop.short(drop.peaceful(
            drop.make(61, 130))) if m.folder == "new"][:40]
        self.box = place.maildir(self.messages[:20])
        self.added = 20

    def dovecot(self, *parts):
        self.imap_port = free_port()
        return self.serve(self.box, peer="dovecot", peer_config="".join(parts),
                          options=["--imap-port", str(self.imap_port)])

    def maloted(self):
        # Where users and their mail are the test says itself.
        lines = [line for line in PAGE[MALOTED].splitlines(True)
                 if not line.startswith(("mail ", "users "))]
        return self.serve(self.box, "".join(lines))

    def imap(self):
        c = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=20 * PATIENCE)
        c.login("user", "secret")
        ok(c.select())
        return c

    def deliver(self, n):
        more = self.messages[self.added:self.added + n]
        self.added += n
        self.place.add(self.box, more)


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


def ok(reply):
    assert reply[0] == "OK", reply
    return reply[1]


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


def uidls(login, server):
    """{UIDL: digest of the message}"""
    with login(server) as s:
        got = {uid: digest(s.retr(n)) for n, uid in s.uidl().items()}
        s.quit()
    return got


def same(login, *servers):
    """All say the same, asked in this order."""
    got = [uidls(login, server) for server in servers]
    assert got[0] == got[1]
    return got[0]


def by_imap(c):
    """A person reads, marks, copies, files away and removes."""
    ok(c.store("1:4", "+FLAGS", r"(\Seen \Flagged)"))
    ok(c.fetch("5:9", "(BODY[])"))  # which marks them as seen
    ok(c.copy("2:3", "INBOX"))
    c.create("Archive")
    ok(c._simple_command("MOVE", "6:7", "Archive"))
    ok(c.store("1", "+FLAGS", r"\Deleted"))
    ok(c.expunge())
    ok(c.append("INBOX", None, None, b"Subject: a draft\r\n\r\nOl\xc3\xa1\r\n"))
    ok(c.select("Archive"))
    ok(c.copy("1:*", "INBOX"))
    ok(c.select())


def retrieved(pop, listed):
    """{UIDL: digest} of those that can still be retrieved."""
    got = {}
    for n, uid in listed.items():
        if pop.command("RETR %d" % n).startswith(b"+OK"):
            text = pop.data()
            got[uid] = digest(re.sub(rb"(?m)^\.", b"", text[:-3]))
    return got


def test_beside(site, login):
    """Read by IMAP while sessions of POP3 are open."""
    theirs = site.dovecot(PAGE[DOVECOT], PAGE[BACK])
    ours = site.maloted()
    seen = same(login, theirs, ours)
    for order in ([theirs, ours], [ours, theirs], [theirs, ours]):
        with login(ours) as pop:
            listed = pop.uidl()
            imap = site.imap()
            by_imap(imap)
            assert pop.uidl() == listed
            kept = retrieved(pop, listed)
            assert len(kept) == len(listed) - 3  # one expunged, two moved
            assert kept.items() <= seen.items()
            pop.ok("DELE 10")
            pop.quit()
        del kept[listed[10]]
        ok(imap.noop())
        site.deliver(3)
        seen = same(login, *order)
        assert kept.items() <= seen.items()
        assert int(ok(imap.select())[0]) == len(seen)
        imap.logout()


# ---- from Dovecot's POP3, and back ----

def fetchmail(home, port):
    """One that leaves mail on the server, and takes what is new."""
    os.makedirs(home + "/mail", exist_ok=True)
    with open(home + "/mda", "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nexec cat >%s/mail/$$.$(date +%%N)\n" % home)
    with open(os.open(home + "/rc", os.O_WRONLY | os.O_CREAT, 0o600), "w",
              encoding="ascii") as f:
        f.write('poll localhost with proto POP3 port %d timeout 60 uidl\n'
                'user "user" password "secret" is tester here keep\n'
                'no rewrite no mimedecode stripcr sslproto ""\n'
                'mda "sh %s/mda"\n' % (port, home))
    done = subprocess.run(
        ["fetchmail", "--nosyslog", "--invisible", "-f", home + "/rc",
         "--idfile", home + "/ids", "--pidfile", home + "/pid"],
        cwd=home, stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
        capture_output=True, check=False, env={
            "HOME": home, "PATH": os.environ["PATH"], "LANG": "C",
            "LOGNAME": "tester", "USER": "tester"})
    assert done.returncode in (0, 1), done  # 1: there was nothing new
    return len(os.listdir(home + "/mail"))


@pytest.mark.skipif(not shutil.which("fetchmail"),
                    reason="fetchmail is not installed")
def test_there_and_back(site, login, line, client):
    """Nothing comes again to programs that leave mail on the server."""
    old = site.dovecot("protocols = imap pop3\n", PAGE[BEFORE])
    door = line(old.port)
    m = client().account(at=door, keep="yes")
    home = site.place.path + "/fetchmail"
    os.mkdir(home)

    def collect(server, n, back=0):
        """Both programs have so many then; malote knows again by what it says
        mail that was moved away and back."""
        door.target = server.port
        m.collect()
        assert len(m.files()) == n - back
        assert fetchmail(home, door.port) == n

    collect(old, 20)
    first = uidls(login, old)
    assert not set(first) & {m.base for m in site.messages}
    site.deliver(2)
    site.imap().logout()  # Dovecot has seen them, no program has
    old.stop()

    theirs = site.dovecot(PAGE[DOVECOT], PAGE[BEFORE])
    ours = site.maloted()
    collect(ours, 22)
    imap = site.imap()
    by_imap(imap)
    site.deliver(3)
    collect(ours, 22 + 2 + 1 + 2 + 3, back=2)
    now = uidls(login, ours)
    assert len(first.items() & now.items()) == 20 - 3
    theirs.stop()
    ours.stop()

    back = site.dovecot(PAGE[DOVECOT], PAGE[BEFORE], PAGE[BACK])
    assert uidls(login, back) == now
    collect(back, 30, back=2)
    site.deliver(3)
    collect(back, 33, back=2)
    assert same(login, back, site.maloted()).items() > now.items()
