"""The servers that are measured: how each is built, started, loaded, ended."""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import mail
from group import Group
from server import end_with_us, free_port

TOP = os.path.realpath(os.path.dirname(__file__) + "/../..")
BUILD = TOP + "/build/bench"
CC = ["cc", "-std=gnu17", "-O2", "-D_GNU_SOURCE", "-o"]
PATIENCE = 900  # seconds for one load

CORES = os.cpu_count()

# Title, command, environment.
KINDS = {
    "maloted": ("maloted", [TOP + "/tests/serve"], {}),
    "dovecot": ("Dovecot", [TOP + "/tests/peers/dovecot"], {}),
    "tuned": ("Dovecot tuned", [TOP + "/tests/peers/dovecot"],
              {"DOVECOT_TUNED": "1"}),
    "floor": ("floor", [BUILD + "/floor"], {}),
    # For the cost of having several processes.
    "single": ("maloted, one worker", [TOP + "/tests/serve"], {}),
    "floors": ("floor, %d processes" % CORES, [
        BUILD + "/floor", "-p", str(CORES)], {}),
}
ALONE = ("single", "floors")
# The order of a round: what is compared closely is measured in succession.
TURN = ("maloted", "other", "floor", "single", "floors", "tuned", "dovecot")


def add_other(checkout):
    """Measures the maloted of that built checkout, too."""
    KINDS["other"] = ("maloted of " + os.path.basename(
        os.path.realpath(checkout)), [checkout + "/tests/serve"], {})


def build():
    """Builds popload and floor, and makes a certificate for floor."""
    os.makedirs(BUILD, exist_ok=True)
    source = TOP + "/bench/"
    for program, files in [
            ("popload", ["popload/" + f for f in (
                "main.c", "session.c", "conn.c", "options.c", "scram.c",
                "totals.c")]),
            ("floor", ["floor.c"])]:
        subprocess.run(CC + [BUILD + "/" + program]
                       + [source + f for f in files] + ["-lssl", "-lcrypto"],
                       check=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
         "/CN=localhost", "-keyout", BUILD + "/key.pem", "-out",
         BUILD + "/certificate.pem"],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def install_dovecot():
    """Installs Dovecot from Debian's packages, without starting it."""
    if os.path.exists("/usr/sbin/dovecot") or not shutil.which("apt-get"):
        return
    policy = "/usr/sbin/policy-rc.d"
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    script = ("test -e %s || { echo 'exit 101' >%s; chmod 755 %s; ours=1; }\n"
              "apt-get update -q && apt-get install -q -y "
              "--no-install-recommends dovecot-core dovecot-pop3d "
              "dovecot-sqlite dovecot-pgsql dovecot-mysql dovecot-ldap\n"
              "status=$?; test -z \"$ours\" || rm -f %s; exit $status"
              % (policy, policy, policy, policy))
    subprocess.run(sudo + ["sh", "-c", script], stdin=subprocess.DEVNULL,
                   stdout=sys.stderr, timeout=600, check=False,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def address(n):
    return "user%d@example.com" % n


def prepare(n_users):
    """Runs in the new process before it becomes the server.  Allows as many
    descriptors as possible, and a very long command line."""
    end_with_us()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if n_users > 5000:
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, (32 << 20, hard))


class Target:
    """A running server.  Its mail is in boxes/N; config is a fragment of its
    configuration, words are more of its command line, wrap is what it is started
    by."""

    def __init__(self, kind, boxes, users, scratch, config=None,
                 password="secret", words=(), wrap=()):
        self.kind = kind
        self.title, command, env = KINDS[kind]
        self.boxes = boxes
        self.port, self.tls_port = free_port(), free_port()
        self.log = "%s/%s.log" % (scratch, kind)
        self.group = Group()
        if kind in ("floor", "floors"):
            command = command + [
                "-t", str(self.tls_port), "-c", BUILD + "/certificate.pem",
                "-k", BUILD + "/key.pem", str(self.port)]
            command += ["%s=%s" % (address(n), self.box(n)) for n in users]
        else:
            command = command + ["--port", str(self.port),
                                 "--tls-port", str(self.tls_port)]
            if config:
                command += ["--config", config]
            for n in users:
                command += ["--user", address(n), password, self.box(n)]
            command += words
        self.start([*wrap, *command], env, len(users))

    def box(self, n):
        return "%s/%d" % (self.boxes, n)

    def start(self, command, env, n_users):
        def enter():
            prepare(n_users)
            self.group.enter()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, preexec_fn=enter, env={**os.environ, **env})
        self.group.pid = self.process.pid
        if self.process.stdout.readline() != b"ready\n":
            with open(self.log) as f:
                sys.exit("%s does not start:\n%s" % (self.title, f.read()))

    def command(self, steps, users, c, n, depth=1, tls=False, resume=False):
        words = [BUILD + "/popload", "-c", c, "-n", n, "-d", depth,
                 "-u", users.count, "-f", users.first]
        words += ["-T"] * tls + ["-R"] * resume
        words += [self.tls_port if tls else self.port] + steps.split()
        return [str(word) for word in words]

    def load(self, *args, **options):
        """Returns (processor seconds, popload's figures)."""
        before = self.group.settled()
        done = subprocess.run(
            self.command(*args, **options), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            with open(self.log, errors="replace") as f:
                log = [line for line in f if " ev=login " not in line
                       and not re.search(r"ev=session .*why=quit", line)]
            sys.exit("%s: %s%s%s" % (self.title, done.stdout, done.stderr,
                                     "".join(log[-10:])))
        used = self.group.settled() - before
        return used, {key: float(value) for key, value in re.findall(
            r"(\w+)=(\S+)", done.stdout)}

    def held(self, users, tls=False, steps="login stat hold"):
        """As many sessions as users, which wait (see Held)."""
        return Held(self, self.command(
            steps, users, users.count, users.count, tls=tls))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()
        self.group.remove()


class Held:
    """with target.held(users) as held: one session of each user is signed in,
    and held.octets is the memory that each costs the server."""

    def __init__(self, target, command):
        self.target, self.command = target, command
        self.sessions = int(command[command.index("-n") + 1])

    def __enter__(self):
        self.target.group.settled()
        before = self.target.group.octets()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"held\n":
            sys.exit("%s holds no %d sessions" % (
                self.target.title, self.sessions))
        self.target.group.settled()
        self.octets = (self.target.group.octets() - before) / self.sessions
        return self

    def __exit__(self, *_):
        self.process.stdin.close()  # popload ends, and with it its sessions
        self.process.wait()
        self.process.stdout.close()


def start(kind, where, sizes):
    """Starts a server on a copy of where/mail; floor, which changes nothing,
    uses the original."""
    boxes, config = where + "/mail", None
    if kind not in ("floor", "floors"):
        boxes = where + "/" + kind
        mail.copy(where + "/mail", boxes)
    if kind == "single":
        config = where + "/single.conf"
        with open(config, "w") as f:
            f.write("workers = 1\n")
    return Target(kind, boxes, sizes.all, where, config)
