"""Runs the client `malote` in a home of its own, and reads what it did.

MALOTE in the environment names another binary.
"""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections import Counter

import pytest

import drop
from server import PATIENCE, TOP, end_with_us

BINARY = os.path.realpath(os.environ.get("MALOTE") or os.path.join(
    TOP, "build", "release", "src", "malote"))
NEEDED = pytest.mark.skipif(not os.access(BINARY, os.X_OK),
                            reason="malote is not built")
# Words of a sanitizer, and others that no person should see.
FAULT = re.compile(r"ERROR: \w+Sanitizer|runtime error:")
SECONDS = 30   # a run against a server that answers
WAIT = 2       # the timeout of an account whose server stalls

OK, USAGE, NOHOST, UNAVAILABLE, SOFTWARE, IOERR, TEMPFAIL, PROTOCOL, \
    NOPERM, CONFIG = 0, 64, 68, 69, 70, 74, 75, 76, 77, 78


class Hang(AssertionError):
    """A run that did not end by itself."""


class Result:
    def __init__(self, code, out, err, seconds, memory):
        self.code, self.out, self.err = code, out, err
        self.seconds, self.memory = seconds, memory  # memory: octets, its peak

    @property
    def text(self):
        return (self.out + self.err).decode("utf-8", "backslashreplace")

    @property
    def json(self):
        return json.loads(self.out)

    def account(self, name):
        return next(a for a in self.json["accounts"] if a["name"] == name)

    def __repr__(self):
        return "exit code %s after %.1f s\n%s" % (self.code, self.seconds,
                                                  self.text[-3000:])


class Run:
    """A malote that runs."""

    def __init__(self, command, home, env, stdin=subprocess.DEVNULL):
        self.start = time.monotonic()
        self.files = [open(os.path.join(home, name), "w+b")
                      for name in ("stdout", "stderr")]
        self.process = subprocess.Popen(
            command, cwd=home, env=env, stdin=stdin,
            stdout=self.files[0], stderr=self.files[1],
            start_new_session=True, preexec_fn=end_with_us)
        self.pid = self.process.pid
        self.status = os.open("/proc/%d/status" % self.pid, os.O_RDONLY)
        self.result = None
        self.memory = 0

    def kill(self):
        if self.result is None:
            os.kill(self.pid, 9)

    def signal(self, number):
        # Not send_signal(): that may take the exit status before we do.
        os.kill(self.pid, number)

    def poll(self):
        """True if it has ended; time and memory used are known then."""
        if self.result is None:
            self._measure()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                self.result = self._result()
        return self.result is not None

    def wait(self, seconds=SECONDS, status=OK):
        """status: the exit code that it must have; None: any but a signal's;
        "bad": any that is no success; "killed"."""
        end = self.start + seconds * PATIENCE
        while not self.poll():
            if time.monotonic() > end:
                self.kill()
                while not self.poll():
                    time.sleep(0.01)
                raise Hang(self.result)
            time.sleep(0.004)
        got = self.result
        assert not FAULT.search(got.text), got
        if status == "killed":
            assert got.code == -9, got
        elif status == "bad":
            assert got.code > 0, got
        elif status is None:
            assert got.code >= 0, got
        else:
            assert got.code == status, got
        return got

    def _measure(self):
        """Its peak until now.  What rusage says has Python's in it, as that
        made the process."""
        try:
            words = os.pread(self.status, 4096, 0)
        except ProcessLookupError:
            return
        at = words.find(b"VmHWM:")
        if at >= 0:
            self.memory = 1024 * int(words[at + 6:].split(None, 1)[0])

    def _result(self):
        os.close(self.status)
        texts = []
        for f in self.files:
            f.seek(0)
            texts.append(f.read())
            f.close()
        return Result(self.process.returncode, *texts,
                      time.monotonic() - self.start, self.memory)


class Malote:
    """A home with a configuration, a state and mail."""

    def __init__(self, home):
        self.home = home
        os.makedirs(home, 0o700, exist_ok=True)
        self.conf = os.path.join(home, "malote.conf")
        self.state = os.path.join(home, "state")
        self.accounts = {}
        self.oauth = {}   # blocks of it
        self.rules = {}   # the same
        self.destinations = {}
        self.env = {
            "HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
            "TERM": "dumb", "USER": "tester", "LOGNAME": "tester",
            **{k: v for k, v in os.environ.items()
               if k.endswith("SAN_OPTIONS")}}

    def account(self, name="casa", at=None, **settings):
        """at: a server of hostile.py, or a port.  The settings stay as they
        were given until another call names them; None takes one away."""
        a = self.accounts.setdefault(name, {
            "email": "ana@example.org", "server": "127.0.0.1",
            "security": "none", "user": "user", "password": "secret",
            "timeout": 10, "patience": 2,
            "deliver": "maildir:" + self.home + "/mail"})
        if at is not None:
            a["port"] = getattr(at, "port", at)
            mode = getattr(at, "mode", "plain")
            a["security"] = {"plain": "none", "stls": "starttls",
                             "tls": "tls"}[mode]
        a.update(settings)
        return self

    def sends(self, at, name="casa", **settings):
        """By a server of submission.py."""
        mode = {"plain": "none", "stls": "starttls", "tls": "tls"}[at.mode]
        return self.account(name, **{
            "port": 9, "smtp_server": "127.0.0.1", "smtp_port": at.port,
            "smtp_security": mode, **settings})

    def outbox(self):
        return self.run("--json", "outbox", "list").json["messages"]

    def write(self):
        text = []
        blocks = [("account", *item) for item in self.accounts.items()] + \
            [("oauth", *item) for item in self.oauth.items()] + \
            [("rule", *item) for item in self.rules.items()] + \
            [("destination", *item) for item in self.destinations.items()]
        for kind, name, settings in blocks:
            text.append("%s %s {\n" % (kind, quoted(name)))
            text += ["\t%s = %s\n" % (key, value if isinstance(value, int)
                                      else quoted(value))
                     for key, value in settings.items() if value is not None]
            text.append("}\n")
        self.write_conf("".join(text))

    def write_conf(self, text, mode=0o600):
        with open(self.conf, "w") as f:
            f.write(text)
        os.chmod(self.conf, mode)

    def command(self, *words):
        return [BINARY, "--config", self.conf, "--state", self.state, *words]

    def start(self, *words, write=True, wrap=(), env=None, text=None):
        """text: octets for its standard input."""
        if write:
            self.write()
        with open(self.typed(text), "rb") as stdin:
            return Run([*wrap, *self.command(*words)], self.home,
                       {**self.env, **(env or {})}, stdin)

    def typed(self, text):
        if text is None:
            return os.devnull
        path = os.path.join(self.home, "stdin")
        with open(path, "wb") as f:
            f.write(text)
        return path

    def run(self, *words, status=OK, seconds=SECONDS, **more):
        return self.start(*words, **more).wait(seconds, status)

    def collect(self, *words, **more):
        return self.run("collect", *words, **more)

    # What is here.

    def files(self, where="mail"):
        """{path: octets} of a Maildir and the folders below it."""
        found = {}
        top = os.path.join(self.home, where)
        for path, _, names in os.walk(top):
            if os.path.basename(path) in ("new", "cur"):
                for name in names:
                    full = os.path.join(path, name)
                    with open(full, "rb") as f:
                        found[os.path.relpath(full, top)] = f.read()
        return found

    def left_in_tmp(self, where="mail"):
        return [name for path, _, names in os.walk(
            os.path.join(self.home, where))
            if os.path.basename(path) == "tmp" for name in names]

    def mbox(self, where="mbox"):
        """The messages of an mboxrd, as they were before it."""
        with open(os.path.join(self.home, where), "rb") as f:
            text = f.read()
        parts = re.split(rb"(?m)^From [^\n]*\n", text)
        assert parts[0] == b"", parts[0][:200]
        for part in parts[1:]:
            assert part.endswith(b"\n"), part[-200:]
        return [re.sub(rb"(?m)^>(>*From )", rb"\1", part[:-1])
                for part in parts[1:]]

    def forgive(self):
        """Makes recorded troubles days old, so that their messages are tried
        again."""
        self.record("UPDATE trouble SET last_at = 0")

    def age(self):
        """Makes what was collected an hour older: keep = "1h" is over."""
        self.record("UPDATE message SET stored_at = stored_at - 3600")

    def record(self, statement):
        with sqlite3.connect(os.path.join(self.state, "state.db")) as db:
            db.execute(statement)
        db.close()

    def lose_state(self):
        shutil.rmtree(self.state)


def quoted(text):
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def same(got, expected):
    """Asserts that both are the same messages, each as often; shows where the
    first one differs."""
    got, expected = list(got), list(expected)
    extra = list((Counter(got) - Counter(expected)).elements())
    lost = list((Counter(expected) - Counter(got)).elements())
    assert (len(extra), len(lost)) == (0, 0), (
        "%d too many, %d lost; first: %r, %r" % (
            len(extra), len(lost), *(
                x[0][:300] if x else None for x in (extra, lost))))


def check_names(files):
    """C-ENG-14: ,S= and ,W= of each name say how large it is."""
    for path, octets in files.items():
        name = os.path.basename(path)
        size = re.search(r",S=(\d+)", name)
        sent = re.search(r",W=(\d+)", name)
        assert size and int(size.group(1)) == len(octets), name
        # A CR before CRLF came on the wire: both ways of counting are in use.
        sizes = (len(drop.wire(octets)), len(octets) + octets.count(b"\n"))
        assert sent and int(sent.group(1)) in sizes, (name, sizes)


def nothing_lost(server, malote, where="mail"):
    """Asserts what must always hold: a message that has gone from the server
    is here."""
    here = Counter(malote.files(where).values())
    gone = Counter(m.local for m in server.box.removed)
    assert not gone - here, list((gone - here).elements())[0][:300]


def settled(server, malote, expected, keep, where="mail"):
    """Asserts that all these mails are here, once each, that the server has
    what it should have, and that no temporary file is left."""
    nothing_lost(server, malote, where)
    files = malote.files(where)
    same(files.values(), [m.local for m in expected])
    check_names(files)
    assert malote.left_in_tmp(where) == []
    if keep:
        assert not server.box.removed
    else:
        assert [m.uid for m in server.box.mails] == []


def again(malote, server, **more):
    """Runs again; the dialogue of the server is then that of this run only."""
    server.forget()
    return malote.collect(**more)


def after(malote, server, **more):
    """Runs again when keep = "1h" is over."""
    malote.age()
    return again(malote, server, **more)


MEMORY = 400 << 20   # with a sanitizer, too


def survive(malote, server, seconds=60):
    """A run with a fault: whatever it says, it ends by itself, and takes
    little memory."""
    malote.account(timeout=1 + round(PATIENCE), session_timeout=20)
    done = malote.collect(status=None, seconds=seconds)
    assert done.memory < MEMORY, done.memory
    nothing_lost(server, malote)
    return done


def recover(malote, server, wanted):
    """A run without faults; keep is "no"."""
    server.heal()
    server.pipelining = "good"
    malote.account(timeout=20, session_timeout=None)
    # As a person does: a sign-in that was refused is tried no more.
    malote.record("UPDATE account SET refused_at = 0")
    malote.collect()
    settled(server, malote, wanted, keep=False)
