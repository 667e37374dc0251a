"""malote on a terminal: bars, passwords, questions."""
import os
import re
import shutil
import time

import pytest

import faults
import malote
import terminal
from hostile import letters

pyte = pytest.importorskip("pyte")
pytestmark = malote.NEEDED
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*([A-Za-z])")


class Screen(pyte.HistoryScreen):
    def __init__(self, columns, lines):
        super().__init__(columns, lines, history=10000)
        self.wrapped = 0

    def draw(self, text):
        for c in text:
            before = self.cursor.y
            super().draw(c)
            self.wrapped += self.cursor.y != before


def show(octets, columns=80, lines=25):
    """What a person sees in the end."""
    screen = Screen(columns, lines)
    pyte.ByteStream(screen).feed(octets)
    return screen


def words(screen):
    return [x.rstrip() for x in screen.display if x.strip()]


def scrolled(screen):
    """The lines that are above the screen."""
    return ["".join(line[i].data for i in sorted(line)).rstrip()
            for line in screen.history.top]


def at_each_step(octets, columns=80, lines=25):
    """The screens between two pieces that were drawn."""
    screen = Screen(columns, lines)
    stream = pyte.ByteStream(screen)
    for piece in re.split(rb"(?<=\n)(?=\x1b|[^\x1b\r])", octets):
        stream.feed(piece)
        yield screen


def slow(server, pause=0.06):
    for mail in server.box.mails:
        mail.octets += b"z\r\n" * 30000
    server.fault("RETR", faults.drip(30000, pause), times=faults.ALWAYS)


def test_a_bar(lie, client, typist):
    """It grows, and has gone in the end; what was done is said."""
    server = lie(letters(5))
    slow(server)
    t = typist(client().account(at=server), "collect")
    assert t.wait() == 0
    parts = [int(x) for x in re.findall(rb"casa \[[#.]+\] +(\d+)%", t.seen)]
    assert len(parts) > 3 and parts == sorted(parts)
    assert parts[0] < 50 <= parts[-1] <= 100
    last = words(show(t.seen))
    assert not [x for x in last if "[#" in x or "..." in x]
    assert [x for x in last if x.startswith("casa: 5 messages")]
    assert set(ESCAPES.findall(t.seen)) <= {b"A", b"J", b"K"}


@pytest.mark.parametrize("word", [["--quiet"], ["--json"], ["--verbose"], []])
def test_no_escapes_elsewhere(lie, client, word):
    """In a file or a pipe there are lines only."""
    server = lie(letters(5))
    slow(server, 0.001)
    done = client().account(at=server).collect(*word)
    assert b"\x1b" not in done.out + done.err
    assert b"\r" not in done.out + done.err
    assert b"#" not in done.out + done.err


@pytest.mark.parametrize("word", [["--quiet"], ["--json"], ["--verbose"]])
def test_no_bars_with_other_reports(lie, client, typist, word):
    server = lie(letters(5))
    slow(server, 0.001)
    t = typist(client().account(at=server), "collect", *word)
    assert t.wait() == 0
    assert b"\x1b" not in t.seen


NAMES = ["é" * 100, "日本語" * 30, "e\u0301" * 60, "casa " * 60, "x" * 600,
         "👩‍👩‍👧" * 20, "a" + "\u0301" * 200]


@pytest.mark.parametrize("columns", [20, 80, 81, 500])
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_bar_is_one_line(lie, client, typist, name, columns):
    """However long the name is, and however wide its letters are."""
    server = lie(letters(3))
    slow(server)
    m = client().account(name, at=server)
    t = typist(m, "collect", columns=columns)
    assert t.wait() == 0
    t.seen.decode()  # no letter was cut
    bars = [x for x in re.findall(rb"\r([^\r\n\x1b]+)\x1b\[K", t.seen)
            if re.search(rb"\d%", x)]
    assert len(bars) > 2
    for bar in bars:
        assert show(bar, columns).wrapped == 0, bar
        assert bar[:1] == name.encode()[:1]


@pytest.mark.parametrize("columns, bars", [(0, True), (12, False)])
def test_no_room_for_a_bar(lie, client, typist, columns, bars):
    """0: the terminal does not know how wide it is."""
    server = lie(letters(3))
    slow(server)
    t = typist(client().account(at=server), "collect", columns=columns)
    assert t.wait() == 0
    assert (b"%" in t.seen) == bars
    assert b"3 messages collected" in t.seen


@pytest.mark.parametrize("count, lines", [(3, 25), (30, 10)])
def test_many_bars(lie, client, typist, count, lines):
    """One below the other, each account in one line at a time; those that
    have no room on the screen are not drawn."""
    m = client()
    for i in range(count):
        server = lie(letters(3, i))
        slow(server, 0.03)
        m.account("box%02d" % i, at=server,
                  deliver="maildir:%s/mail%d" % (m.home, i))
    t = typist(m, "collect", lines=lines)
    assert t.wait(60) == 0
    most = 0
    for screen in at_each_step(t.seen, lines=lines):
        bars = [x.split(" ")[0] for x in words(screen) if "%" in x]
        assert len(bars) == len(set(bars)), screen.display
        most = max(most, len(bars))
    assert most >= min(count, lines - 2)
    assert not [x for x in scrolled(screen) if "%" in x or "..." in x]
    t.seen = b""
    last = typist(m, "collect", lines=60)
    last.wait(60)
    text = "\n".join(words(show(last.seen, lines=60)))
    assert text.count("nothing new") == count and "..." not in text


# A password.

def test_password_is_asked(lie, client, typist):
    """C-ENG-21: not shown; and the screen is whole then."""
    server = lie(letters(2))
    m = client().account(at=server, password=None)
    t = typist(m, "collect")
    t.expect(b"Password for casa")
    assert not t.echoes()
    time.sleep(0.3)
    t.type(b"secret\n")
    assert t.wait() == 0
    assert b"secret" not in t.seen
    assert t.echoes()
    assert len(m.files()) == 2
    last = words(show(t.seen))
    assert not [x for x in last if x.endswith("...")], last
    assert [x for x in last if x.startswith("Password for casa")], last


def test_passwords_of_two(lie, client, typist):
    """One after the other, while a third one is collected."""
    m = client()
    busy = lie(letters(5, 9))
    slow(busy)
    m.account("busy", at=busy)
    for name in ("one", "two"):
        m.account(name, at=lie(letters(2, len(name)), password=name),
                  password=None, email=name + "@example.org")
    t = typist(m, "collect")
    t.expect(b"Password for ")
    time.sleep(0.8)
    t.read()
    asked = re.findall(rb"Password for (\w+)", t.seen)
    assert len(asked) == 1
    assert [x for x in words(show(t.seen)) if x.startswith("Password for")]
    t.type(asked[0] + b"\n")
    t.expect(b"Password for ")
    t.type({b"one": b"two", b"two": b"one"}[asked[0]] + b"\n")
    assert t.wait() == 0
    assert len(m.files()) == 9
    last = words(show(t.seen))
    assert not [x for x in last if x.endswith("...") or "[#" in x], last


@pytest.mark.parametrize("typed", [b"\x03", b"sec\x03"])
def test_password_interrupted(lie, client, typist, typed):
    """^C: it ends at once, and the terminal echoes again."""
    server = lie(letters(2))
    t = typist(client().account(at=server, password=None), "collect")
    t.expect(b"Password for casa")
    t.type(typed)
    start = time.monotonic()
    assert t.wait() in (malote.TEMPFAIL, -2, 130)
    assert time.monotonic() - start < 3
    assert t.echoes()
    assert b"sec" not in t.seen
    assert server.lines == []


def test_password_end_of_file(lie, client, typist):
    """^D gives none."""
    t = typist(client().account(at=lie(letters(2)), password=None), "collect")
    t.expect(b"Password for casa")
    t.type(b"\x04")
    assert t.wait() == malote.CONFIG
    assert t.echoes()


@pytest.mark.parametrize("count", [2, 5])
def test_passwords_in_the_order_of_the_file(lie, client, typist, count):
    """Whichever account comes to it first."""
    m = client()
    names = ["n%d" % i for i in range(count)]
    for name in reversed(names):
        m.account(name, at=lie(letters(2, len(name)), password=name),
                  password=None, email=name + "@example.org")
    t = typist(m, "collect")
    for name in reversed(names):
        t.expect(b"Password for " + name.encode() + b" (")
        t.type(name.encode() + b"\n")
    code = t.wait()
    assert code == 0, t.seen.decode()
    assert re.findall(rb"Password for (\w+)", t.seen) == [
        x.encode() for x in reversed(names)]


def test_passwords_with_room_for_one(lie, client, typist):
    """Who waits for a connection is not waited for, nor is who never asks."""
    m = client().account("other", at=lie(letters(1)))
    for name in ("one", "two", "three"):
        m.account(name, at=lie(letters(2, len(name))), password=None,
                  max_connections=1, email=name + "@example.org")
    t = typist(m, "collect")
    for _ in range(3):
        t.expect(b"Password for ")
        t.type(b"secret\n")
    assert t.wait(60) == 0
    assert t.seen.count(b"2 messages collected") == 3


def test_a_wrong_password_is_asked_for_again(lie, client, typist):
    """Each on a connection of its own, and no bar is left on the screen."""
    server = lie(letters(2))
    t = typist(client().account(at=server, password=None), "collect")
    for word in (b"wrong\n", b"wrong too\n", b"secret\n"):
        t.expect(b"Password for casa (")
        t.type(word)
    assert t.wait() == 0
    assert t.seen.count(b"casa: sign-in refused: the server says") == 2
    assert b"2 messages collected" in t.seen
    assert len({x.connection for x in server.lines if x.text.startswith(
        "AUTH")}) == 3


def test_three_wrong_passwords(lie, client, typist):
    server = lie(letters(2))
    m = client().account(at=server, password=None)
    t = typist(m, "collect")
    for word in (b"one\n", b"two\n", b"three\n"):
        t.expect(b"Password for casa (")
        t.type(word)
    assert t.wait() == malote.NOPERM
    assert len(server.commands("AUTH")) == 3
    assert t.seen.count(b"sign-in refused") == 3


def test_enter_gives_up(lie, client, typist):
    server = lie(letters(2))
    t = typist(client().account(at=server, password=None), "collect")
    t.expect(b"Password for casa (")
    t.type(b"wrong\n")
    t.expect(b"Password for casa (")
    t.type(b"\n")
    assert t.wait() == malote.CONFIG
    assert b"casa: no password was given" in t.seen
    assert len(server.commands("AUTH")) == 1


@pytest.mark.parametrize("code", ["IN-USE", "SYS/PERM", "SYS/TEMP"])
def test_what_no_password_would_mend(lie, client, typist, code):
    server = lie(letters(2))
    server.fault("AUTH", faults.err("[%s] no" % code), times=faults.ALWAYS)
    m = client().account(at=server, password=None, patience=0)
    t = typist(m, "collect")
    t.expect(b"Password for casa (")
    t.type(b"secret\n")
    assert t.wait() > 0
    assert t.seen.count(b"Password for") == 1


def test_a_password_of_the_file_is_not_asked_for(lie, client, typist):
    server = lie(letters(2))
    t = typist(client().account(at=server, password="wrong"), "collect")
    assert t.wait() == malote.NOPERM
    assert b"Password for" not in t.seen


KEYRING = all(shutil.which(x) for x in (
    "gnome-keyring-daemon", "secret-tool", "dbus-run-session"))


@pytest.mark.skipif(not KEYRING, reason="needs gnome-keyring, secret-tool")
def test_a_password_is_kept(lie, client, place):
    """A run after that asks nothing, nor does one that was told not to."""
    server = lie(letters(2))
    m = client().account(at=server, password=None)
    m.write()
    os.mkdir(m.home + "/run", 0o700)
    script = ("printf x | gnome-keyring-daemon --unlock --components=secrets "
              ">/dev/null 2>&1; \"$@\"; echo =$?; \"$@\"; echo =$?; exit 0")
    t = terminal.Terminal(
        ["dbus-run-session", "--", "sh", "-c", script, "sh",
         *m.command("collect")], m.home,
        {**m.env, "TERM": "xterm", "XDG_RUNTIME_DIR": m.home + "/run",
         "XDG_DATA_HOME": m.home + "/data"})
    t.expect(b"Password for casa (")
    t.type(b"secret\n")
    t.expect(b"Keep the password of casa in the keyring, and not ask for it "
             b"again? [y/N] ")
    t.type(b"y\n")
    assert t.wait() == 0
    t.close()
    assert t.seen.count(b"Password for") == 1
    assert t.seen.count(b"Keep the password") == 1
    assert t.seen.count(b"=0\r\n") == 2
    with open(m.conf) as f:
        assert f.read().endswith('\tkeyring = "yes"\n}\n')


def test_no_keyring_to_keep_it_in(lie, client, typist):
    t = typist(client().account(at=lie(letters(2)), password=None), "collect",
               env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
    t.expect(b"Password for casa (")
    t.type(b"secret\n")
    assert t.wait() == 0
    assert b"Keep" not in t.seen and b"keyring" not in t.seen


def test_password_without_a_terminal(lie, client):
    server = lie(letters(2))
    m = client().account(at=server, password=None)
    assert "terminal" in m.collect(status=malote.CONFIG).text
    assert server.lines == []


# The brake.

@pytest.fixture
def braked(lie, client):
    """A maildrop that was exchanged; returns the server, and malote."""
    server = lie(letters(30))
    m = client().account(at=server, keep="no")
    m.account(keep="yes").collect()
    server.box.mails[:] = letters(30, 50, "other%d")
    m.account(keep="no")
    return server, m


@pytest.mark.parametrize("answers", [
    [b"n\n"], [b"\n"], [b"\x04"], [b"sim\n", b"perhaps\n", b"\n"]])
def test_brake_no(braked, typist, answers):
    """What is neither yes nor no is asked again."""
    server, m = braked
    t = typist(m, "collect")
    for answer in answers:
        t.expect(b"[y/N]")
        assert t.echoes()
        t.type(answer)
    assert t.wait() == 65
    assert len(server.box.mails) == 30
    assert len(m.files()) == 60
    m.collect(status=65)  # and again, unattended


def test_brake_yes(braked, typist):
    server, m = braked
    t = typist(m, "collect")
    t.expect(b"[y/N]")
    t.type(b"y\n")
    assert t.wait() == 0, t.seen
    assert server.box.mails == []
    assert len(m.files()) == 60
    m.collect()


def test_brake_interrupted(braked, typist):
    server, m = braked
    t = typist(m, "collect")
    t.expect(b"[y/N]")
    t.type(b"\x03")
    assert t.wait() in (-2, 130, malote.TEMPFAIL)
    assert len(server.box.mails) == 30


def test_brake_unattended(braked):
    server, m = braked
    done = m.collect(status=65)
    assert "[y/N]" not in done.text and "--accept" in done.text
    assert len(server.box.mails) == 30
    m.run("collect", "--accept", "casa")
    assert server.box.mails == []
    m.collect()


# Something moves, whatever it is doing.

def frames(octets):
    """The bars as they were drawn, one after the other."""
    return [x.decode() for x in
            re.findall(rb"\r(casa[^\r\n\x1b]*)\x1b\[K", octets)]


def seconds_of(phase, octets):
    """The times that were shown in it."""
    return {int(x) for f in frames(octets)
            for x in re.findall(r"^casa: %s\.\.\.  (\d+) s$" % phase, f)}


def counts(phase, octets):
    """How far it was, of how many."""
    return [(int(a), int(b)) for f in frames(octets) for a, b in
            re.findall(r"^casa: %s \[[#.]+\] +\d+%%  (\d+)/(\d+)" % phase, f)]


@pytest.mark.parametrize("verb, phase", [
    ("GREETING", "connecting"), ("CAPA", "connecting"),
    ("AUTH", "signing in"), ("STAT", "listing"),
    ("QUIT", "ending the session")])
def test_a_silent_server(lie, client, typist, verb, phase):
    """The time goes on: malote is alive."""
    server = lie(letters(3))
    server.fault(verb, faults.wait(2.5))
    t = typist(client().account(at=server), "collect")
    assert t.wait() == 0
    assert {0, 1, 2} <= seconds_of(phase, t.seen), frames(t.seen)


def test_a_server_that_says_later(lie, client, typist):
    server = lie(letters(1))
    server.fault("GREETING", faults.err("[IN-USE] later"))
    t = typist(client().account(at=server, patience=2), "collect")
    assert t.wait() == 0
    assert {0, 1} <= seconds_of("waiting", t.seen)


def grows(seen, total):
    assert seen == sorted(seen)
    assert len({a for a, _ in seen}) >= 3, seen
    assert {b for _, b in seen} == {total}, seen


def test_a_long_listing(lie, client, typist):
    server = lie(letters(3000))
    server.fault("LIST", faults.drip(4000, 0.15))
    t = typist(client().account(at=server, max_size=1), "collect")
    assert t.wait() == 0
    grows(counts("listing", t.seen), 3000)


def test_headers_and_deletions(lie, client, typist):
    """What was collected earlier is checked and deleted, one by one."""
    server = lie(letters(60), capa=["TOP", "UIDL", "USER"])
    m = client().account(at=server, keep="1h")
    m.collect()
    m.age()
    for verb in ("TOP", "DELE"):
        server.fault(verb, faults.wait(0.06), times=faults.ALWAYS)
    t = typist(m, "collect")
    assert t.wait() == 0
    grows(counts("checking", t.seen), 60)
    grows(counts("deleting", t.seen), 60)
    left = [f for f in frames(t.seen) if "deleting" in f and "left" in f]
    assert left and re.search(r"  0:0\d left", left[-1])
    assert server.box.mails == []


def test_speed_and_time_left(lie, client, typist):
    """At most 15 kB each 80 ms, of 900 kB."""
    server = lie(letters(10))
    for mail in server.box.mails:
        mail.octets = mail.octets[:100] + b"\r\n" + b"z" * 89998 + b"\r\n"
    server.fault("RETR", faults.drip(15000, 0.08), times=faults.ALWAYS)
    t = typist(client().account(at=server), "collect")
    assert t.wait() == 0
    speeds = [float(x) for x in re.findall(rb"  ([\d.]+) kB/s", t.seen)]
    assert speeds and all(20 < x < 200 for x in speeds), speeds
    left = [int(x) for x in re.findall(rb"  0:(\d\d) left", t.seen)]
    assert left and left[0] > left[-1] and left[0] <= 45, left


def test_silence_in_the_middle(lie, client, typist):
    """The person sees that it is the server who says nothing."""
    server = lie(letters(3))
    server.fault("RETR", faults.wait(4.5), nth=2)
    t = typist(client().account(at=server), "collect")
    assert t.wait() == 0
    text = "\n".join(f for f in frames(t.seen) if f.startswith("casa ["))
    assert "  waiting for 3 s" in text and "  waiting for 4 s" in text, text


def test_a_terminal_that_cannot_move(lie, client, typist):
    """As that of Emacs: lines only."""
    server = lie(letters(3))
    server.fault("STAT", faults.wait(1))
    t = typist(client().account(at=server), "collect", env={"TERM": "dumb"})
    assert t.wait() == 0
    assert b"\x1b" not in t.seen and b"listing" not in t.seen
    assert b"3 messages collected" in t.seen


def test_nothing_is_wiped_that_was_there(lie, client, typist):
    """What a shell has printed above stays, and so does the last line."""
    server = lie(letters(3))
    server.fault("STAT", faults.wait(0.5))
    t = typist(client().account(at=server), "collect")
    assert t.wait() == 0
    before = b"".join(b"line %d\r\n" % i for i in range(5))
    last = words(show(before + t.seen))
    assert last[:5] == ["line %d" % i for i in range(5)]
    assert last[-1].startswith("casa: 3 messages collected")


def test_nothing_moves_elsewhere(lie, client):
    """No word of it where no person looks; JSON is as it was."""
    server = lie(letters(3))
    server.fault("STAT", faults.wait(1))
    m = client().account(at=server)
    for word in ("--json", "--quiet", "--verbose", "--accept"):
        text = m.collect(word).text
        assert "listing" not in text and "\r" not in text


# A terminal that is made narrower.

class Wrapping:
    """A screen that wraps its lines anew when its width changes, as most
    terminals do; it knows no more than bars need."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.y = self.x = 0   # a line, and a place in it: not yet wrapped

    def feed(self, octets):
        for part in re.findall(r"\x1b\[\d*[A-Z]|[^\x1b]", octets.decode()):
            if part[0] == "\x1b":
                self.escape(part[-1], int(part[2:-1] or 1))
            elif part == "\r":
                self.x -= self.x % self.columns
            elif part == "\n":
                self.down()
            else:
                line = self.lines[self.y].ljust(self.x)
                self.lines[self.y] = line[:self.x] + part + line[self.x + 1:]
                self.x += 1

    def down(self):
        behind = self.x + self.columns
        if behind - behind % self.columns < len(self.lines[self.y]):
            self.x = behind
            return
        self.x %= self.columns
        self.y += 1
        if self.y == len(self.lines):
            self.lines.append("")

    def up(self):
        if self.x >= self.columns:
            self.x -= self.columns
        elif self.y > 0:
            self.y -= 1
            rows = max(0, len(self.lines[self.y]) - 1) // self.columns
            self.x += rows * self.columns

    def escape(self, what, n):
        line, end = self.lines[self.y], self.x - self.x % self.columns
        end += self.columns
        if what == "A":
            for _ in range(n):
                self.up()
        elif what == "K":  # the line is wrapped there no more
            self.lines[self.y:self.y + 1] = [line[:self.x]] + (
                [line[end:]] if line[end:] else [])
        elif what == "J":
            self.lines[self.y:] = [line[:self.x]]

    def words(self):
        return [x.rstrip() for x in self.lines if x.strip()]


@pytest.mark.parametrize("columns", [[40], [25, 100, 30]], ids=str)
def test_a_terminal_is_made_narrower(lie, client, typist, columns):
    """Nothing of the bars stays, and nothing goes that was above them."""
    m = client()
    for i in range(3):
        server = lie(letters(8, i))
        slow(server)
        m.account("box%02d" % i, at=server,
                  deliver="maildir:%s/mail%d" % (m.home, i))
    t = typist(m, "collect")
    screen, fed = Wrapping(80), 0
    screen.feed(b"".join(b"line %d\r\n" % i for i in range(9)))
    for width in columns:
        t.expect(b"%")
        rest = t.resize_at_rest(width, 25)
        screen.feed(t.seen[fed:rest])
        fed = rest
        screen.columns = width
    assert t.wait() == 0
    screen.feed(t.seen[fed:])
    last = screen.words()
    assert last[:9] == ["line %d" % i for i in range(9)]
    assert not [x for x in last if "%" in x or "..." in x], last
    assert len([x for x in last if "8 messages collected" in x]) == 3, last
