"""Starts and stops the server under test, and looks at its processes.

MALOTE_PEER=dovecot in the environment puts another server in its place: a
test that fails with both is wrong.  MALOTED names another binary of ours.
"""
import ctypes
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.realpath(os.path.dirname(__file__) + "/../..")
PEER = os.environ.get("MALOTE_PEER", "")
OURS = not PEER
MALOTED = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")
CTL = os.path.join(os.path.dirname(MALOTED), "malotectl")
# Sanitizers and other people's processes make all things slower.
PATIENCE = float(os.environ.get("MALOTE_PATIENCE", "1"))

rng = random.SystemRandom()
taken = []  # a socket for each port that is ours as long as we live


def free_port():
    """Below the range that the kernel takes clients' ports from, and not one
    that another process running these tests has chosen."""
    while True:
        port = rng.randint(20000, 32000)
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                name.bind("\0malote-test-port-%d" % port)
                s.bind(("127.0.0.1", port))
            except OSError:
                name.close()
                continue
        taken.append(name)
        return port


def listen(*ports):
    """Does somebody listen on all of them, on 127.0.0.1?  Who connects to one
    does not know that: most servers open one after the other."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        next(f)
        lines = (line.split() for line in f)
        first = itertools.takewhile(lambda line: line[3] == "0A", lines)
        here = {line[1] for line in first}
    return here.issuperset("0100007F:%04X" % port for port in ports)


def wait_until(what, seconds=10.0, step=0.02):
    """Returns what() as soon as it is true; fails when it never is."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain: %r" % what
        time.sleep(step)


def children(pid):
    """The children of a process, by /proc: {pid: command line}."""
    out = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                stat = f.read()
            state, parent = stat[stat.rindex(")") + 2:].split()[:2]
            if int(parent) == pid and state != "Z":
                with open("/proc/%s/cmdline" % entry) as f:
                    out[int(entry)] = f.read().split("\0")[:-1]
        except OSError:
            continue
    return out


def of_session(session):
    """The processes of a session of the kernel's, without those that ended."""
    out = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(entry)) == session and alive(int(entry)):
                out.append(int(entry))
        except OSError:
            continue
    return out


def end_with_us():
    """In the new process: SIGTERM when the tests die before it."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def memory(pid):
    """Octets of anonymous memory that a process holds."""
    with open("/proc/%d/status" % pid) as f:
        return 1024 * int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))


class Server:
    """A running server.  Its log grows in the list `log`."""

    def __init__(self, users, config="", peer_config="", peer=PEER,
                 env=None, wrap=(), become=None, options=(), pass_fds=()):
        self.ours = not peer
        self.port, self.tls_port, self.refuse_port = (
            free_port(), free_port(), free_port())
        self.tmp = tempfile.mkdtemp(prefix="malote-tmp.")
        os.chmod(self.tmp, 0o755)
        self.log_path = self.tmp + "/log"
        fragment = self.tmp + "/fragment"
        self.control = self.tmp + "/run/control"
        os.mkdir(self.tmp + "/run")
        os.chmod(self.tmp + "/run", 0o755)
        if become:
            os.chown(self.tmp + "/run", *become)
        # What malotectl has to know.
        self.ctl_conf = self.tmp + "/ctl.conf"
        with open(self.ctl_conf, "w") as f:
            f.write('control_socket = "%s"\n' % self.control)
        with open(fragment, "w") as f:
            if self.ours and "stop_grace" not in config:
                config = "stop_grace = 1\n" + config
            if self.ours and "control_socket" not in config:
                config = 'control_socket = "%s"\n' % self.control + config
            f.write(config if self.ours else peer_config)
        # The server's own temporary directory: it must be empty in the end.
        self.server_tmp = self.tmp + "/tmp"
        os.mkdir(self.server_tmp)
        if become:
            os.chown(self.server_tmp, *become)
        program = TOP + ("/tests/peers/" + peer if peer else "/tests/serve")
        command = list(wrap) + [program]
        for name, password, maildir in users:
            command += ["--user", name, password, os.fspath(maildir)]
        command += ["--port", str(self.port), "--tls-port",
                    str(self.tls_port), "--config", fragment, *options]
        if self.ours:
            command += ["--refuse-port", str(self.refuse_port)]
        extra = {}
        if become:
            extra = {"user": become[0], "group": become[1],
                     "extra_groups": []}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, start_new_session=True, preexec_fn=end_with_us,
                pass_fds=pass_fds,
                env={**os.environ, "TMPDIR": self.server_tmp, **(env or {})},
                **extra)
        self.pid = self.process.pid
        self.elders, self.codes = [], {}
        os.set_blocking(self.process.stdout.fileno(), False)
        self._await_ready()

    def _await_ready(self):
        said = b""

        def ready():
            nonlocal said
            if self.process.poll() is not None:
                raise AssertionError("the server ended:\n" + self.log_text())
            said += self.process.stdout.read() or b""
            return said.endswith(b"\n")
        try:
            wait_until(ready, 20)
        except AssertionError:
            self.process.kill()
            raise
        assert said == b"ready\n", said

    def log_text(self):
        with open(self.log_path, encoding="utf-8",
                  errors="backslashreplace") as f:
            return f.read()

    def events(self, name):
        """Log lines of one kind, as dictionaries."""
        out = []
        for line in self.log_text().splitlines():
            pairs = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line))
            if pairs.get("ev") == name:
                out.append({k: v.strip('"') for k, v in pairs.items()})
        return out

    def await_event(self, name, count=1, seconds=10):
        def enough():
            found = self.events(name)
            return found if len(found) >= count else None
        return wait_until(enough, seconds)

    def roles(self, role=None):
        """Pids of the processes, by role: "worker", "auth", "store"."""
        return sorted(
            pid for pid, words in children(self.pid).items()
            if role is None or role in " ".join(words).split())

    def ctl(self, *words, code=0, stdin=subprocess.DEVNULL, **more):
        """malotectl; what it printed.  code: what it must end with."""
        done = subprocess.run(
            [CTL, "--config", self.ctl_conf, *words], text=True, stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=90 * PATIENCE, check=False, **more)
        assert done.returncode == code, (done, self.log_text())
        return done.stdout if code == 0 else done.stderr

    def signal(self, number):
        os.kill(self.pid, number)

    def became(self):
        """The process that serves, after a restart: our child as the first."""
        shown = json.loads(self.ctl("status", "--json"))
        assert shown["phase"] == "serving", shown
        if shown["pid"] != self.pid:
            self.elders.append(self.pid)
        self.pid = shown["pid"]
        return shown

    def restart(self, **more):
        """malotectl restart; the status afterwards."""
        before = self.pid
        self.ctl("restart", **more)
        shown = self.became()
        assert self.pid != before
        return shown

    def has_ended(self, pid):
        """Of ourselves, or of one that took our place: the exit code, or
        None."""
        if pid == self.process.pid:
            return self.process.poll()
        if pid not in self.codes:
            try:
                done, how = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done, how = pid, 0
            if done == 0:
                return None
            self.codes[pid] = os.waitstatus_to_exitcode(how)
        return self.codes[pid]

    def stop(self, seconds=15):
        """Ends it; returns its exit code.  Fails if anything is left."""
        all_pids = [*self.elders, self.pid]
        if self.has_ended(self.pid) is None:
            before = {p for pid in all_pids for p in children(pid)}
            os.kill(self.pid, signal.SIGTERM)
            try:
                wait_until(lambda: all(self.has_ended(pid) is not None
                                       for pid in all_pids), seconds)
            except AssertionError:
                for pid in [*before, *all_pids,
                            *of_session(self.process.pid)]:
                    kill(pid)
                raise AssertionError("the server does not end:\n"
                                     + self.log_text()) from None
            wait_until(lambda: not [p for p in before if alive(p)], 5)
        # One that was to take its place is no child of it.
        try:
            wait_until(lambda: not self.ours
                       or not of_session(self.process.pid), 5)
        finally:
            for pid in of_session(self.process.pid):
                kill(pid)
        self.process.stdout.close()
        wait_until(lambda: not os.listdir(self.server_tmp), 5)
        # Whatever a test has made it do, its filters had thought of it.  A
        # tracer that skips a call makes its number -1.
        assert not [e for e in self.events("call-refused")
                    if e["number"] != "-1"], self.log_text()
        return self.has_ended(self.pid)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            stat = f.read()
        return stat[stat.rindex(")") + 2] != "Z"
    except OSError:
        return False


def kill(pid):
    """Only for processes that this test has started."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
