"""Control groups (v1 or v2): the processor time and the memory of a server.

Where none can be made, its processes are added up instead, and the kernel's
memory is not counted.
"""
import os
import re
import sys
import time

from server import children, memory

V1 = "/sys/fs/cgroup/%s"
V2 = "/sys/fs/cgroup"
made = 0


def read(path):
    with open(path) as f:
        return f.read()


def make(base, needed):
    """Makes a group below base; None if it lacks the file that is needed."""
    path = "%s/malote-bench-%d-%d" % (base, os.getpid(), made)
    try:
        os.mkdir(path)
    except OSError:
        return None
    if os.path.exists(path + "/" + needed):
        return path
    os.rmdir(path)
    return None


def numbers(text):
    return {name: int(value)
            for name, value in re.findall(r"(?m)^(\w+) (\d+)$", text)}


class Group:
    def __init__(self):
        global made
        made += 1
        self.pid = None  # the server's first process
        self.v1 = os.path.exists(V1 % "cpuacct")
        if self.v1:
            self.time = make(V1 % "cpuacct", "cpuacct.usage")
            self.space = make(V1 % "memory", "memory.kmem.usage_in_bytes")
            if self.space:
                # Sockets are counted only where there is a limit.
                with open(self.space + "/memory.kmem.tcp.limit_in_bytes",
                          "w") as f:
                    f.write(str(1 << 50))
        else:
            self.time = make(V2, "cpu.stat")
            self.space = self.time
            if self.time and not os.path.exists(self.time + "/memory.stat"):
                self.space = None

    def paths(self):
        return {path for path in (self.time, self.space) if path}

    def enter(self):
        self.take(0)

    def take(self, pid):
        """A process, and all that it starts from now on; 0 is this one."""
        for path in self.paths():
            with open(path + "/cgroup.procs", "w") as f:
                f.write(str(pid))

    def seconds(self):
        """Processor time of all processes that ever ran in the group."""
        if not self.time:
            return tree_seconds(self.pid)
        if self.v1:
            return int(read(self.time + "/cpuacct.usage")) / 1e9
        return numbers(read(self.time + "/cpu.stat"))["usage_usec"] / 1e6

    def settled(self):
        """seconds(), once the work that a load has left behind is done."""
        end = time.monotonic() + 3
        before = self.seconds()
        while time.monotonic() < end:
            time.sleep(0.04)
            after = self.seconds()
            if after - before < 0.0002:
                break
            before = after
        return self.seconds()

    def octets(self):
        """Memory of the processes, and of the kernel for them; the page cache
        is not counted."""
        if not self.space:
            return sum(memory(pid) for pid in tree(self.pid))
        stat = numbers(read(self.space + "/memory.stat"))
        if self.v1:
            return (stat["total_rss"] + stat["total_shmem"] + sum(
                int(read(self.space + "/memory.%s.usage_in_bytes" % name))
                for name in ("kmem", "kmem.tcp")))
        kernel = stat.get("kernel") or sum(
            stat.get(name, 0)
            for name in ("kernel_stack", "pagetables", "percpu", "slab"))
        return stat["anon"] + stat["shmem"] + stat["sock"] + kernel

    def remove(self):
        for path in self.paths():
            remove(path)


def remove(path):
    """Removes the group; the processes in it have ended."""
    end = time.monotonic() + 5
    while True:
        try:
            os.rmdir(path)
            break
        except OSError as e:
            if time.monotonic() > end:
                print(e, file=sys.stderr)
                break
            time.sleep(0.02)


def confine(pid, part):
    """Gives a process this part of a core and no more.  Returns the group, for
    remove(), or None where that is not possible."""
    global made
    made += 1
    period = 10000
    quota = round(part * period)
    if os.path.exists(V1 % "cpu"):
        path = make(V1 % "cpu", "cpu.cfs_quota_us")
        texts = {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota}
    else:
        path = make(V2, "cpu.max")
        texts = {"cpu.max": "%d %d" % (quota, period)}
    if path:
        for name, text in [*texts.items(), ("cgroup.procs", pid)]:
            with open("%s/%s" % (path, name), "w") as f:
                f.write(str(text))
    return path


def tree(pid):
    yield pid
    for child in children(pid):
        yield from tree(child)


def tree_seconds(pid):
    """Of a process and its descendants, also of those that have ended and were
    waited for."""
    ticks = 0
    for p in tree(pid):
        stat = read("/proc/%d/stat" % p)
        ticks += sum(map(int, stat[stat.rindex(")") + 2:].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
