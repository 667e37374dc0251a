"""malote sorts by the envelope: sdps = yes."""
import os
import platform
import re

import pytest

import faults
import malote
from hostile import letters
from malote import CONFIG, nothing_lost, same, settled
from server import TOP
from test_malote_kill import ENV, KILLED, spread
from test_sdps import HOST, PASSWORD, USERS, WHOLE, Host

pytestmark = malote.NEEDED
killer_works = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")

# What is said of whom, and the folder that it goes to.
WHOM = [("philh@vision25.example", "philh"), ("SALES@vision25.example", "sales"),
        ("info@vision25.example", "info@vision25.example"),
        ("info@other.example", ""), ("", ""), ("philh", "philh"),
        ("philh@evil@x", ""), ("../../philh@x", ""), (".philh@x", ""),
        ("a/b@x", ""), ("..@x", ""), ("new@x", ""), ("\x01philh@x", ""),
        ("philh@vision25.example ", "philh"), ("x" * 5000 + "@y", "")]
FOLDERS = "philh, sales info@vision25.example"


def post(whom=WHOM):
    mails = letters(len(whom))
    for mail, (recipient, _) in zip(mails, whom):
        mail.recipient = recipient
    return mails


def sorter(m, server, **settings):
    return m.account(at=server, sdps="yes", folders=FOLDERS,
                     **{"keep": "no", **settings})


def sorted_so(m, mails, whom=WHOM):
    """Each is in the folder that it should be in, and there is no other."""
    files, want = {}, {}
    for path, octets in m.files().items():
        folder = re.fullmatch(r"(?:\.([^/]+)/)?(?:new|cur)/[^/]+", path)
        files.setdefault(folder[1] or "", []).append(octets)
    for mail, (_, folder) in zip(mails, whom):
        want.setdefault(folder, []).append(mail.local)
    assert set(files) == set(want)
    for folder, octets in want.items():
        same(files[folder], octets)
    assert {name for name in os.listdir(m.home + "/mail")
            if name not in ("cur", "new", "tmp")} == {
                ".philh", ".sales", ".info@vision25.example"}


@pytest.mark.parametrize("pipelining", [True, False])
def test_sorted(lie, client, pipelining):
    """By names that are listed, and nothing that a server says is a path."""
    mails = post()
    server = lie(mails, sdps=True, capa=["UIDL", "TOP"] + (
        ["PIPELINING"] if pipelining else []))
    m = sorter(client(), server)
    m.collect()
    settled(server, m, mails, keep=False)
    sorted_so(m, mails)
    assert len(server.commands("*ENV")) == len(mails)


def test_only_what_is_new(lie, client):
    """What is here already is not asked about."""
    mails = post(WHOM[:4])
    server = lie(mails[:2], sdps=True)
    m = sorter(client(), server, keep="yes")
    m.collect()
    server.box.mails += mails[2:]
    malote.again(m, server)
    assert server.numbers("*ENV") == server.numbers("RETR") == [3, 4]
    sorted_so(m, mails, WHOM[:4])


def test_unlike(lie, client):
    """Without sdps there is no such question."""
    server = lie(post(), sdps=True)
    m = client().account(at=server)
    m.collect()
    assert server.commands("*ENV") == []


@pytest.mark.parametrize("pipelining", [True, False])
def test_no_sdps(lie, client, pipelining):
    """A server that does not know it: an error that says so, and nothing is
    collected, into no folder; without the setting all is."""
    mails = post()
    server = lie(mails, capa=["UIDL", "TOP"] + (
        ["PIPELINING"] if pipelining else []))
    m = sorter(client(), server)
    done = m.collect(status=CONFIG)
    assert "*ENV" in done.text and "sdps" in done.text
    assert m.files() == {} and server.commands("RETR", "DELE") == []
    assert server.box.mails == mails
    m.account(sdps=None, folders=None).collect()
    settled(server, m, mails, keep=False)


def test_one_refused(lie, client):
    """The server says nothing of one message: that one waits, the others
    come, and it comes when it is spoken of."""
    mails = post(WHOM[:5])
    server = lie(mails, sdps=True)
    server.fault("*ENV", faults.err("[SYS/TEMP] not this one"),
                 number=2, times=faults.ALWAYS)
    m = sorter(client(), server)
    m.collect(status="bad")
    assert server.box.mails == [mails[1]]
    nothing_lost(server, m)
    server.heal()
    m.forgive()
    m.collect()
    settled(server, m, mails, keep=False)
    sorted_so(m, mails, WHOM[:5])


ODD = {
    "empty": lambda reply: b"+OK\r\n.\r\n",
    "short": lambda reply: b"+OK\r\na\r\nb\r\nc\r\n.\r\n",
    "more": lambda reply: reply[:-3] + b"philh@x\r\n" * 40 + b".\r\n",
    "bare": lambda reply: reply.replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("how", list(ODD))
def test_odd_envelopes(lie, client, how):
    """What has no recipient goes to the Maildir itself."""
    mails = post(WHOM[:3])
    server = lie(mails, sdps=True)
    server.fault("*ENV", faults.mangle(ODD[how]), number=1,
                 times=faults.ALWAYS)
    m = sorter(client(), server)
    m.collect()
    settled(server, m, mails, keep=False)
    whom = list(WHOM[:3])
    if how in ("empty", "short"):
        whom[0] = ("", "")
    sorted_so(m, mails, whom)


@pytest.mark.parametrize("act", [
    faults.twice(), faults.swallow(), faults.cut(9), faults.stall(9),
    faults.mangle(lambda reply: b"+OK\r\n" + b"x\r\n" * 1000 + b".\r\n"),
    faults.mangle(lambda reply: b"no reply\r\n")],
    ids=["twice", "swallowed", "cut", "stalled", "endless", "foreign"])
@pytest.mark.parametrize("number", [1, 3])
def test_out_of_step(lie, client, act, number):
    """No message is sorted by the envelope of another, whatever a server does;
    and all come in the end."""
    mails = post(WHOM[:5])
    server = lie(mails, sdps=True)
    server.fault("*ENV", act, number=number)
    m = sorter(client(), server)
    malote.survive(m, server)
    server.heal()
    m.account(timeout=20, session_timeout=None)
    m.forgive()
    m.collect()
    settled(server, m, mails, keep=False)
    sorted_so(m, mails, WHOM[:5])


def test_out_of_step_and_back(lie, client):
    """What is said twice, and once too little later, is in step in the end."""
    mails = post(WHOM[:5])
    server = lie(mails, sdps=True)
    server.fault("*ENV", faults.twice(), number=1)
    server.fault("*ENV", faults.swallow(), number=4)
    m = sorter(client(), server)
    malote.survive(m, server)
    server.heal()
    m.account(timeout=20, session_timeout=None).forgive()
    m.collect()
    settled(server, m, mails, keep=False)
    sorted_so(m, mails, WHOM[:5])


def test_cut_everywhere(lie, client):
    """The line is cut within the envelopes and behind them."""
    mails = post(WHOM[:4])
    server = lie(mails, sdps=True)
    sorter(client("whole"), server).collect()
    total = sum(s.sent for s in server.sessions)
    for n in range(total // 20, total, total // 8):
        server = lie(mails, sdps=True)
        server.limit = n
        m = sorter(client("cut%d" % n), server)
        m.collect(status=None)
        nothing_lost(server, m)
        server.heal()
        m.forgive()
        m.collect()
        settled(server, m, mails, keep=False)
        sorted_so(m, mails, WHOM[:4])


@killer_works
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["before", "torn"])
def test_killed(lie, client, killer, how):
    """At every change to the disk: each message is there once, and in its
    folder."""
    mails = post(WHOM[:4])
    done = sorter(client("whole"), lie(mails, sdps=True)).collect(
        wrap=[killer, "0", how], env=ENV, seconds=60)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    for n in spread(total, 10):
        server = lie(mails, sdps=True)
        m = sorter(client("home%d" % n), server)
        assert m.collect(wrap=[killer, str(n), how], env=ENV, status=None,
                         seconds=60).code in (0, KILLED)
        nothing_lost(server, m)
        server.heal()
        m.collect()
        settled(server, m, mails, keep=False)
        sorted_so(m, mails, WHOM[:4])
        malote.again(m, server)
        assert server.commands("RETR") == []


@killer_works
def test_folder_unlisted(lie, client, killer):
    """The run was killed, and then the folder's name was taken out: what was
    stored there is not stored once more, nor is anything lost."""
    mails = post(WHOM[:4])
    for n in range(30, 90, 6):
        server = lie(mails, sdps=True)
        m = sorter(client("home%d" % n), server)
        m.collect(wrap=[killer, str(n), "before"], env=ENV, status=None,
                  seconds=60)
        server.heal()
        m.account(folders="other").collect()
        settled(server, m, mails, keep=False)


def test_lost_state(lie, client):
    """The record is made anew from what lies in the folders."""
    mails = post(WHOM[:5])
    server = lie(mails, sdps=True)
    m = sorter(client(), server, keep="yes")
    m.collect()
    m.lose_state()
    malote.again(m, server)
    assert server.commands("RETR", "*ENV") == []
    sorted_so(m, mails, WHOM[:5])


def test_folder_that_takes_nothing(lie, client):
    """Nothing is downloaded for nothing, and nothing is lost."""
    mails = post(WHOM[:3])
    server = lie(mails, sdps=True)
    m = sorter(client(), server)
    os.makedirs(m.home + "/mail")
    with open(m.home + "/mail/.sales", "w", encoding="ascii"):
        pass
    done = m.collect(status="bad")
    assert ".sales" in done.text
    assert server.box.mails == mails and server.commands("RETR") == []
    os.remove(m.home + "/mail/.sales")
    m.collect()
    settled(server, m, mails, keep=False)
    sorted_so(m, mails, WHOM[:3])


BAD = {
    "sdps = yes": "folders",
    "sdps = yes\nfolders = \"a/b\"": "a/b",
    "sdps = yes\nfolders = \"../x\"": "../x",
    "sdps = yes\nfolders = \".x y\"": ".x",
    "sdps = yes\nfolders = \"a A\"": "twice",
    "sdps = yes\nfolders = \",\"": "1 to 64",
    "sdps = yes\nfolders = \"a b@\"": "nobody's",
    "sdps = yes\nfolders = \"@h\"": "nobody's",
    "sdps = yes\nfolders = \"" + "x" * 201 + "\"": "xxx",
    "sdps = yes\nfolders = \"a\"\ndeliver = \"mbox:m\"": "Maildir",
    "folders = \"a\"": "sdps = yes",
}


@pytest.mark.parametrize("settings", list(BAD))
def test_settings(client, settings):
    m = client()
    m.write_conf("account a {\nserver = \"127.0.0.1\"\nemail = \"a@b\"\n%s\n}\n"
                 % settings)
    done = m.run("collect", write=False, status=CONFIG)
    assert BAD[settings] in done.text


# ---- with our server ----

@pytest.mark.parametrize("pages", ["man", "man/pt_BR"])
def test_ours(place, serve, client, pages):
    """Both ends, by the example of malote.conf(5): a whole host is collected,
    and sorted."""
    host = Host(place, serve)
    with open("%s/doc/%s/malote.conf.5.scd" % (TOP, pages),
              encoding="utf-8") as f:
        example, = [b for b in f.read().split("```")[1::2] if "sdps" in b]
    m = client()
    example = re.sub(r'server = "[^"]*"', 'server = "127.0.0.1"\n\tport = %d\n'
                     '\tsecurity = "none"\n\tpassword = "%s"' % (
                         host.server.port, WHOLE), example)
    example = re.sub(r"maildir:\S*", "maildir:%s/mail\"" % m.home, example)
    m.write_conf(example)
    m.run("collect", write=False)
    got = {}
    for path, octets in m.files().items():
        got.setdefault(path.split("/")[0], []).append(octets)
    assert set(got) == {".philh", ".sales", "new"}
    for folder, name in ((".philh", "philh"), (".sales", "sales"),
                         ("new", "info")):
        same(got[folder], [x.stored for x in host.letters[name]])
    left = sum(len(host.files(name)) for name in USERS)
    assert left in (0, 6)


def test_ours_one_user(place, serve, client):
    host = Host(place, serve)
    m = client().account(
        at=host.server.port, user="philh+" + HOST, password=PASSWORD,
        sdps="yes", folders="philh", keep="no")
    m.collect()
    assert all(path.startswith(".philh/new/") for path in m.files())
    same(m.files().values(), [x.stored for x in host.letters["philh"]])
    assert host.files("philh") == set() and len(host.files("sales")) == 3


def test_ours_off(place, serve, client):
    """Our server with sdps off is one that does not know it."""
    host = Host(place, serve, config="login_separators = \"+\"\n"
                "mail = \"maildir:MAIL/%d/%n\"\n")
    m = client().account(at=host.server.port, user="philh@" + HOST,
                         password=PASSWORD, sdps="yes", folders="philh")
    done = m.collect(status=CONFIG)
    assert "unknown command" in done.text and m.files() == {}
    assert len(host.files("philh")) == 2
