"""malote sorts by rules: lists, senders, recipients, subjects."""
import itertools
import os
import platform
import re
import sqlite3

import pytest

import drop
import malote
from hostile import Mail
from malote import TEMPFAIL, same
from server import wait_until
from test_malote_kill import ENV, KILLED, spread

pytestmark = malote.NEEDED
killer_works = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="killer.c knows x86-64 only")

LIST = "List-Id: Debian users <debian-user.lists.debian.org>"
MATCHES = {"lists": "list:debian-user.lists.debian.org",
           "boss": "from:boss@example.com", "shop": "from:shop.example",
           "club": "to:club@example.org", "bill": "subject:conta de luz"}


def mail(n, *fields):
    """A message with those fields beside its own."""
    text = "\n".join((
        "Message-ID: <%d@example.org>" % n, *fields, "", "text %d" % n, ""))
    return Mail(drop.wire(text.encode()), "u%d" % n)


# What is in a message, and the rule that takes it.
POST = [
    ((LIST,), "lists"),
    (("list-id : <DEBIAN-user.lists.debian.org>",), "lists"),
    (("List-Id: \"a <b>\"\n\t<debian-user.lists.debian.org>",), "lists"),
    (("List-Id: <debian-user.lists.debian.org.evil.example>",), ""),
    (("From: The Boss <boss@example.com>", LIST), "lists"),
    (("From: BOSS@EXAMPLE.COM",), "boss"),
    (("From: \"boss@example.com\" <evil@example.net>",), ""),
    (("From: staff: x@example.net,\n\t=?utf-8?q?B=C3=B3ss?= "
      "<boss@example.com>;",), "boss"),
    (("From: Shop <news@shop.example>",), "shop"),
    (("From: x@notshop.example",), ""),
    (("To: a@b.example, \"X, Y\" <club@example.org>",), "club"),
    (("Cc: club@example.org (the club)",), "club"),
    (("Delivered-To: club@example.org",), "club"),
    (("Subject: =?utf-8?q?Sua_Conta?=\n =?utf-8?q?_de_luz?=",), "bill"),
    (("Subject: nothing", "", "List-Id: <debian-user.lists.debian.org>"), ""),
    ((), ""),
]


def post():
    return [mail(n, *fields) for n, (fields, _) in enumerate(POST)]


def sorter(m, server, **settings):
    m.rules = {name: {"match": match, "deliver": "maildir:./%s" % name}
               for name, match in MATCHES.items()}
    return m.account(at=server, **{"keep": "no", **settings})


def sorted_so(m, mails, wanted):
    """Each is where it should be, once, and nowhere else."""
    places = {"": "mail", **{name: name for name in MATCHES}}
    for name, where in places.items():
        want = [x.local for x, to in zip(mails, wanted) if to == name]
        same(m.files(where).values(), want)
        assert m.left_in_tmp(where) == []


@pytest.mark.parametrize("pipelining", [True, False])
def test_sorted(lie, client, pipelining):
    mails = post()
    server = lie(mails, capa=["UIDL", "TOP"] + (
        ["PIPELINING"] if pipelining else []))
    m = sorter(client(), server)
    m.collect()
    sorted_so(m, mails, [to for _, to in POST])
    assert server.box.mails == []


@pytest.mark.parametrize("peer", ["", "dovecot"])
def test_real_servers(place, serve, client, peer):
    """Rules, headers_above and delete_mine, by maloted and by Dovecot."""
    box = place.maildir()
    mails = [mail(1, LIST), mail(2), mail(3, LIST, "X: " + "x" * 70),
             mail(4, "From: boss@example.com")]
    large = Mail(mails[2].octets + b"y" * 70 * 100, None)
    for n, one in enumerate([mails[0], mails[1], large, mails[3]]):
        with open("%s/new/%d.x.y" % (box, n), "wb") as f:
            f.write(one.local)
        if place.owner:
            os.chown(f.name, *place.owner)
    server = serve(box, peer=peer)
    m = sorter(client(), server, keep="yes", headers_above=5000,
               delete_mine="yes", security="none")
    m.collect()
    same(m.files("boss").values(), [mails[3].local])
    same(m.files().values(), [mails[1].local])
    assert len(m.files("lists")) == 2
    assert not any(b"yyy" in x for x in m.files("lists").values())
    [path] = m.files("boss")
    os.rename(m.home + "/boss/" + path, "%s/boss/cur/%s:2,T" % (
        m.home, os.path.basename(path)))
    [number] = [re.search(rb"fetch casa (\d+)", x)[1].decode()
                for x in m.files("lists").values() if b"fetch casa" in x]
    m.collect()
    m.run("fetch", "casa", number)
    assert large.local.rstrip() in [
        x.rstrip() for x in m.files("lists").values()]
    left = [name for _, _, names in os.walk(box) for name in names
            if ".x.y" in name]
    assert sorted(x[0] for x in left) == ["0", "1", "2"]


def test_the_account_says_which(lie, client):
    """Those that it names, in that order, or none."""
    mails = [mail(1, "From: boss@example.com", LIST)]
    for n, (rules, to) in enumerate([
            (None, "lists"), ("boss lists", "boss"), ("boss,shop", "boss"),
            ("none", "")]):
        server = lie(mails)
        m = sorter(client("home%d" % n), server, rules=rules)
        m.collect()
        sorted_so(m, mails, [to])


def test_what_is_wrong_is_said(client):
    m = client().account(at=1)
    for rule, words in [
            ({"deliver": "maildir:x"}, "looks for nothing"),
            ({"match": "list:x"}, "says no place"),
            ({"match": "list:", "deliver": "maildir:x"}, "to look for"),
            ({"match": "size:1", "deliver": "maildir:x"}, "to look for"),
            ({"match": "to:x", "deliver": "x"}, "does not say where")]:
        m.rules = {"r": rule}
        assert words in m.collect(status=malote.CONFIG).text
    m.rules = {"a b": {"match": "to:x", "deliver": "maildir:x"}}
    assert "cannot be a rule's name" in m.collect(status=malote.CONFIG).text
    m.rules = {}
    m.account(rules="none such")
    assert "names a rule \"such\"" in m.collect(status=malote.CONFIG).text


def test_other_kinds(lie, client):
    """An mbox, a command that is told whose mail it is, and one file of two
    rules, which is that of the account, too."""
    mails = [mail(1, LIST), mail(2, "From: boss@example.com"),
             mail(3, "From: a@shop.example"), mail(4)]
    server = lie(mails)
    m = client()
    m.rules = {
        "lists": {"match": MATCHES["lists"], "deliver": "mbox:./mbox"},
        "boss": {"match": MATCHES["boss"], "deliver":
                 "command:/bin/sh -c 'cat >\"$MALOTE_ACCOUNT\"'"},
        "shop": {"match": MATCHES["shop"],
                 "deliver": "mbox:%s/mbox" % m.home}}
    m.account(at=server, keep="no", deliver="mbox:mbox")
    m.collect()
    same(m.mbox(), [mails[n].local for n in (0, 2, 3)])
    with open(m.home + "/casa", "rb") as f:
        assert f.read() == mails[1].local


@pytest.mark.parametrize("deliver", [
    "maildir:./file/x", "command:./none", "command:/bin/sh -c 'exit 75'",
    "lmtp:./none"])
def test_a_place_that_is_away(lie, client, deliver):
    """Its mail stays on the server, and is told of; all other is here; when it
    is back that comes, once."""
    mails = [mail(n, LIST) if n % 2 else mail(n) for n in range(8)]
    server = lie(mails)
    m = sorter(client(), server)
    with open(m.home + "/file", "w"):
        pass
    m.rules["lists"]["deliver"] = deliver
    done = m.collect(status=TEMPFAIL)
    assert "rule lists" in done.text
    same(m.files().values(), [x.local for x in mails[::2]])
    assert server.box.mails == mails[1::2]
    m.rules["lists"]["deliver"] = "maildir:./lists"
    m.collect()
    sorted_so(m, mails, ["", "lists"] * 4)
    assert server.box.mails == []


def test_tried(lie, client):
    """`malote test` looks at the places of the rules, too, and makes none."""
    server = lie([mail(1)])
    m = sorter(client(), server)
    with open(m.home + "/file", "w"):
        pass
    m.run("test")
    assert not os.path.exists(m.home + "/lists")
    m.rules["shop"]["deliver"] = "maildir:./file"
    assert "rule shop" in m.run("test", status="bad").text


def test_a_message_that_is_refused(lie, client):
    """It alone: what the command takes besides is not held up."""
    mails = [mail(n, LIST, "X-Number: %d" % n) for n in range(4)]
    server = lie(mails)
    m = sorter(client(), server)
    m.rules["lists"]["deliver"] = \
        "command:/bin/sh -c 'cat >in; ! grep -q \"Number: 2\" in'"
    m.collect(status=73)
    assert server.box.mails == [mails[2]]


def test_a_header_without_end(lie, client):
    """As much of it as is looked at decides, and all of it is stored."""
    long = "\n".join("X-%d: %s" % (n, "x" * 900) for n in range(700))
    mails = [mail(1, LIST, long), mail(2, long, LIST)]
    mails.append(Mail(LIST.encode() + b"\r\n", "u3"))
    server = lie(mails)
    m = sorter(client(), server)
    m.collect()
    sorted_so(m, mails, ["lists", "", "lists"])


def test_lost_record(lie, client):
    """What rules had sorted is found where it is, and not collected again."""
    mails = post()
    server = lie(mails)
    m = sorter(client(), server, keep="yes")
    m.collect()
    m.lose_state()
    malote.again(m, server)
    assert server.numbers("RETR") == []
    sorted_so(m, mails, [to for _, to in POST])


def test_stopped(lie, client):
    """A command that takes its time is not begun with any more."""
    server = lie([mail(n, LIST) for n in range(20)])
    m = sorter(client(), server)
    m.rules["lists"]["deliver"] = \
        "command:/bin/sh -c 'cat >>took; sleep 0.5'"
    run = m.start("collect")
    wait_until(lambda: os.path.exists(m.home + "/took"))
    run.signal(15)
    run.wait(status=TEMPFAIL)
    assert len(server.box.mails) > 10


# ---- killed ----

class Scene:
    """Mail for two rules and for none, anew for each place of a kill."""

    def __init__(self, lie, client, kind):
        self.lie, self.client, self.kind = lie, client, kind
        self.count = 0

    def begin(self):
        self.count += 1
        self.mails = [mail(n, *fields) for n, fields in enumerate([
            (LIST,), ("From: boss@example.com",), (), (LIST,)])]
        self.wanted = ["lists", "boss", "", "lists"]
        self.server = self.lie(list(self.mails))
        self.m = sorter(self.client("home%d" % self.count), self.server)
        if self.kind == "mbox":
            self.m.rules["boss"]["deliver"] = "mbox:./mbox"
        return self.m

    def here(self):
        m = self.m
        found = [x for where in ("mail", *MATCHES, "other")
                 for x in m.files(where).values()]
        if os.path.exists(m.home + "/mbox"):
            found += m.mbox()
        return found

    def check(self, change):
        """Other rules, and a run that is not killed: each is here once."""
        m = self.m
        if change == "swapped":
            m.rules["lists"]["deliver"], m.rules["boss"]["deliver"] = \
                m.rules["boss"]["deliver"], m.rules["lists"]["deliver"]
        elif change == "gone":
            m.rules = {}
        elif change == "moved":
            m.rules["lists"]["deliver"] = "maildir:./other"
        m.collect()
        same(self.here(), [x.local for x in self.mails])
        assert self.server.box.mails == []
        for where in ("mail", "lists", "boss"):
            if change == "" or where == "mail":
                assert m.left_in_tmp(where) == []
        if change == "" and self.kind == "maildir":
            sorted_so(m, self.mails, self.wanted)
        malote.again(m, self.server)
        assert self.server.numbers("RETR") == []
        self.server.stop()


@killer_works
@pytest.mark.parametrize("places", [
    6, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
@pytest.mark.parametrize("kind", ["maildir", "mbox"])
@pytest.mark.timeout(900)
def test_killed_at_every_change(lie, client, killer, kind, places):
    """Whatever the rules are then."""
    scene = Scene(lie, client, kind)
    done = scene.begin().collect(wrap=[killer, "0", "before"], env=ENV,
                                 seconds=60)
    total = int(re.search(r"changes (\d+)", done.text).group(1))
    scene.check("")
    changes = itertools.cycle(["", "swapped", "gone", "moved"])
    hit = 0
    for n in spread(total, places):
        for change in [next(changes)] if places else \
                ["", "swapped", "gone", "moved"]:
            m = scene.begin()
            code = m.collect(wrap=[killer, str(n), "before"], env=ENV,
                             status=None, seconds=60).code
            assert code in (0, KILLED), code
            hit += code == KILLED
            try:
                scene.check(change)
            except AssertionError as e:
                raise AssertionError("killed at %d, rules %s: %s\n%s" % (
                    n, change, e, scene.server.dialogue())) from e
    assert hit >= len(spread(total, places)) // 2


def in_doubt(m):
    """Messages whose intent is on record, and which lie in tmp/ of a rule's."""
    if not m.left_in_tmp("lists"):
        return False
    with sqlite3.connect(m.state + "/state.db") as db:
        dests = [x for x, in db.execute("SELECT dest FROM intent")]
    db.close()
    return "maildir:./lists" in dests


@killer_works
def test_killed_before_it_was_renamed(lie, client, killer):
    """It is looked for where it was going, whatever that is now."""
    scene = Scene(lie, client, "maildir")

    def killed(n):
        return scene.begin().collect(wrap=[killer, str(n), "before"], env=ENV,
                                     status=None, seconds=60).code == KILLED
    done = scene.begin().collect(wrap=[killer, "0", "before"], env=ENV)
    scene.server.stop()
    n = int(re.search(r"changes (\d+)", done.text).group(1)) * 5 // 9
    while not (killed(n) and in_doubt(scene.m)):
        scene.server.stop()
        n += 1
        assert n < 200
    scene.check("")
    for change in ("swapped", "gone", "moved"):
        killed(n)
        assert in_doubt(scene.m)
        scene.check(change)
