"""The filters permit what is used, and nothing else: a tracer notes what each
process calls while it does all that it can do.
"""
import gzip
import os
import re
import shutil
import subprocess

import pytest

import drop
import pop3
from server import TOP, free_port, wait_until

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"),
                       reason="needs root and strace"),
    pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                       reason="sanitizers need more calls"),
]

# What this run does not show, and why it is permitted all the same.
OTHERS = {
    # The loop and its timers, by the kernel's and the library's version.
    "epoll_pwait", "clock_gettime", "gettimeofday", "poll", "timerfd_settime",
    # libev begins anew with an epoll set that another process still feeds.
    "epoll_create1",
    # malloc and threads: as memory and the library's version want it.
    "brk", "madvise", "munmap", "mremap", "membarrier", "rseq",
    "sched_yield", "set_robust_list", "sigaltstack", "sysinfo",
    # A process that ends, or was stopped in the middle of something.
    "exit", "exit_group", "restart_syscall", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "clock_nanosleep", "nanosleep",
    # abort() and the library's locks say who they are, and a heap that is
    # found corrupt is said by writev.
    "getpid", "gettid", "writev",
    # Libraries before or after this one ask so for what newfstatat tells.
    "fstat",
    # A file system on which a file cannot be renamed without replacing one.
    "linkat",
}
ROLES = {"worker": "worker/worker.c", "auth": "auth/auth.c",
         "store": "store/store.c"}


def names_of(path, what):
    with open(TOP + "/src/" + path) as f:
        found = re.search(r"\b%s\[\] = \{(.*?)\}" % what, f.read(), re.S)
    return set(re.findall(r'"(\w+)"', found.group(1)))


class Tracers:
    """What the threads of each role call from now on."""

    def __init__(self, server, directory):
        self.runs = []
        for role in ROLES:
            pid, = server.roles(role)
            log = "%s/%s" % (directory, role)
            self.runs.append((role, log, subprocess.Popen(
                ["strace", "-f", "-qq", "-s", "0", "-o", log, "-p", str(pid)],
                stderr=subprocess.DEVNULL)))
            wait_until(lambda pid=pid: all_traced(pid))

    def stop(self):
        called = {}
        for role, log, tracer in self.runs:
            tracer.terminate()
            tracer.wait(20)
            with open(log, errors="replace") as f:
                called[role] = set(
                    re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)", f.read(), re.M))
        return called


def all_traced(pid):
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid)) as f:
            if re.search(r"TracerPid:\t0$", f.read(), re.M):
                return False
    return True


def packed(path, text):
    """A message that a delivery agent has compressed."""
    with gzip.open(path, "wb") as f:
        f.write(text)
    shutil.chown(path, "nobody")


def use_all(place, box, server, login, connect):
    session = login(server, tls=True)
    for n in range(1, session.stat()[0] + 1):
        session.retr(n)
    session.uidl()
    session.ok("DELE 2")
    session.quit()
    # New mail is appended to the list; then that is made anew.
    place.add(box, drop.make(92, 3))
    login(server).quit()
    place.add(box, drop.make(91, 5))
    packed(box + "/new/1.packed.host", b"Subject: x\n\n" + b"text\n" * 50000)
    for name in ("malote.index", "malote-uidl"):
        if os.path.exists(box + "/" + name):
            os.remove(box + "/" + name)
    session = login(server)
    for n in range(1, session.stat()[0] + 1):
        session.retr(n)
    session.ok("DELE 1")
    wrong = connect(server.port)
    wrong.ok("USER user")
    wrong.send("PASS wrong\r\n")
    session.quit()
    wrong.line()
    for _ in range(10):
        wrong.command("NONSENSE")
    # A maildrop that is not there yet.
    login(server, "new").quit()


def test_nothing_is_permitted_that_is_not_used(place, serve, login, connect,
                                               tmp_path):
    box = place.maildir(drop.make(90, 40))
    own = free_port()
    server = serve([("user", "secret", box),
                    ("new", "secret", place.path + "/made")],
                   "workers = 1\nmark_seen = yes\n"
                   "create_maildir = yes\n"
                   'listener "own" { address = "127.0.0.1" port = %d '
                   'plaintext_login = yes same_user = yes }\n' % own)
    login(server).quit()
    tracers = Tracers(server, tmp_path)
    try:
        use_all(place, box, server, login, connect)
        connect(own).login()
    finally:
        called = tracers.stop()
    base = names_of("base/sandbox.c", "base_calls")
    everybody = set().union(*called.values())
    permitted = {role: names_of("server/" + path, "calls")
                 for role, path in ROLES.items()}
    unused = {role: permitted[role] - called[role] - OTHERS for role in ROLES}
    unused["base"] = base - everybody - OTHERS
    assert not any(unused.values()), unused
    assert OTHERS <= base.union(*permitted.values())
