"""A computer of its own: Debian with its systemd, in namespaces.

It has the loopback interface and no other network.  Its disk is made once, by
debootstrap, and kept in build/boot/root, or in root of another folder; what a
machine changes there is gone when it is off.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
import time

from server import PATIENCE, TOP

WORK = TOP + "/build/boot"
SHARED = WORK + "/shared"  # /mnt/shared there
HOST = "mail.example.org"
# What an administrator has there before us: a computer with Postfix.
BASE = "systemd-sysv libpam-systemd dbus ca-certificates curl man-db procps " \
    "ccache postfix ssl-cert apparmor certbot pebble " \
    "dovecot-imapd dovecot-pop3d haproxy iproute2 rsync restic borgbackup"
NAMESPACES = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
# What is not of the namespaces, but of the kernel.
OUTSIDE = "-sys_module,-sys_time,-sys_rawio,-sys_boot,-mac_admin"
CLONE_NEWNET = 0x40000000


class CannotRun(Exception):
    """There can be no such machine here, and why."""


def run(words, timeout=60, **more):
    return subprocess.run(words, capture_output=True, text=True,
                          timeout=timeout, **more)


def cgroup_folder():
    """Where the unified hierarchy is mounted."""
    with open("/proc/self/mounts") as f:
        for line in f:
            _, folder, kind, options = line.split()[:4]
            if kind == "cgroup2" and "rw" in options.split(","):
                return folder
    raise CannotRun("no cgroup2 is mounted here")


def look():
    """Is this a computer that can have one?"""
    if os.geteuid() != 0:
        raise CannotRun("only root can mount its file systems")
    for program in ("debootstrap", "unshare", "nsenter", "setpriv"):
        if shutil.which(program) is None:
            raise CannotRun(program + " is not installed")
    done = run([*NAMESPACES, "--ipc", "--net", "--cgroup", "true"])
    if done.returncode:
        raise CannotRun("no namespaces: " + done.stderr.strip())
    cgroup_folder()


# ---- the disk ----

def suite():
    """The release of Debian that this computer has."""
    with open("/etc/os-release") as f:
        facts = dict(x.rstrip("\n").split("=", 1) for x in f if "=" in x)
    return facts.get("VERSION_CODENAME", "").strip('"')


def mirror(name):
    """Where apt of this computer has that release from."""
    done = run(["apt-get", "indextargets", "--format",
                "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Identifier: Packages"])
    for line in done.stdout.splitlines():
        if line.split()[:2] == [name, "main"]:
            return line.split()[2]
    raise CannotRun("apt has no source of the release \"%s\"" % name)


def in_disk(script, disk, timeout):
    """Before it has a systemd: with the network of this computer, for apt."""
    enter = "mount -t proc proc proc && mount -t tmpfs tmpfs run && " \
        "echo %s >/proc/sys/kernel/hostname && exec chroot . sh -ec \"$1\"" % HOST
    return run([*NAMESPACES, "sh", "-ec", enter, "sh", script], timeout,
               cwd=disk, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive",
                              "LC_ALL": "C", "HOME": "/root",
                              "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


PREPARE = r"""
echo %s >/etc/hostname
echo '127.0.0.1 %s' >>/etc/hosts
echo 'postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string %s' | debconf-set-selections
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes
apt-get update -q
apt-get install -q --no-install-recommends %s
# Whose page it is starts them.
systemctl disable dovecot haproxy 2>/dev/null || true
apt-get clean
"""


def make_disk(packages, base=BASE, work=WORK):
    """Into work/root.  packages: the words of a shell that installs what we need,
    beside base."""
    name = suite()
    prepare = PREPARE % (HOST, HOST, HOST, base)
    wanted = "\n".join((name, prepare, packages))
    made, root = work + "/made", work + "/root"
    if os.path.exists(made) and open(made).read() == wanted:
        return
    source = mirror(name)
    os.makedirs(work, exist_ok=True)
    if os.path.exists(made):
        os.unlink(made)
    shutil.rmtree(root, ignore_errors=True)
    # What it mounts there goes with it, also if its time is over.
    done = run([*NAMESPACES, "debootstrap", "--variant=minbase", name, root,
                source], 600)
    if done.returncode:
        raise CannotRun("debootstrap from the registry of apt failed: "
                        + (done.stdout + done.stderr)[-300:])
    with open(root + "/etc/apt/apt.conf.d/here", "w") as f:
        f.write(run(["apt-config", "dump", "Acquire"]).stdout)
    shutil.copy("/etc/resolv.conf", root + "/etc/resolv.conf")
    for script in (prepare, packages):
        done = in_disk(script, root, 900)
        assert done.returncode == 0, script + done.stdout + done.stderr
    with open(made, "w") as f:
        f.write(wanted)


# ---- a machine that runs ----

class Machine:
    """Booted, from the disk that make_disk() has made."""

    def __init__(self, work=WORK):
        for name in ("shared", "memory", "disk"):
            os.makedirs(work + "/" + name, exist_ok=True)
        self.cgroup = tempfile.mkdtemp(prefix="malote-boot-",
                                       dir=cgroup_folder())
        os.chmod(self.cgroup, 0o755)
        self.log = tempfile.TemporaryFile()
        into = "echo $$ >$0/cgroup.procs && exec \"$@\""
        # It is ended when we are.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--bounding-set", OUTSIDE,
             "sh", "-c", into, self.cgroup, *NAMESPACES, "--ipc", "--net",
             "--cgroup", TOP + "/tests/boot/start", work],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.wait_for_boot()
        except BaseException:
            self.off()
            raise

    def init(self):
        """The id, here, of its first process."""
        path = "/proc/%d/task/%d/children" % (self.process.pid,
                                              self.process.pid)
        with open(path) as f:
            return f.read().split()[0]

    def console(self):
        return os.pread(self.log.fileno(), 65536, 0).decode()

    def wait_for_boot(self):
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.console()
            try:
                said = self.run("systemctl is-system-running", check=False)
            except (OSError, IndexError):
                said = None  # not that far
            if said is not None and said.stdout.strip() in (
                    "running", "degraded"):
                return
            time.sleep(0.1)
        raise AssertionError("not booted: " + self.console())

    def run(self, script, check=True, timeout=60, **more):
        """A shell of root in it; what it says is both outputs together."""
        done = subprocess.run(
            ["nsenter", "--target", self.init(), "--mount", "--uts", "--ipc",
             "--net", "--pid", "--cgroup", "--root", "--wdns=/root",
             "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
             "/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
             "CCACHE_DIR=/mnt/shared/ccache", "bash", "-ec", script],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout * PATIENCE, **more)
        assert not check or done.returncode == 0, (script, done.stdout)
        return done

    def write(self, path, text, mode=0o644):
        self.run("cat >%s && chmod %o %s" % (path, mode, path), input=text)

    def processes(self, unit):
        """The ids, here, of a unit's."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cgroup" % entry) as f:
                    words = f.read()
                if os.path.basename(self.cgroup) in words and unit in words:
                    found.append(int(entry))
        return found

    @contextlib.contextmanager
    def network(self):
        """Sockets made meanwhile are in its network, and stay there."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(path):
            with open(path) as f:
                if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), path)

        with open("/proc/thread-self/ns/net") as ours:
            enter("/proc/%s/ns/net" % self.init())
            try:
                yield
            finally:
                enter("/proc/self/fd/%d" % ours.fileno())

    def off(self):
        """All its processes end with its first one."""
        self.process.kill()
        self.process.wait()
        self.log.close()
        deadline = time.monotonic() + 20 * PATIENCE
        while time.monotonic() < deadline:
            try:
                for folder, _, _ in os.walk(self.cgroup, topdown=False):
                    os.rmdir(folder)
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("processes are left in " + self.cgroup)
