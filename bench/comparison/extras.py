"""What is measured once and not in every round: memory, removal, and, with
--big, what takes long."""
import hashlib
import os
import poplib
import shutil
import sys
import threading
import time

import group
import mail
from rows import Goal, Load, Row
from target import Target, address


def session(target, n):
    pop = poplib.POP3("127.0.0.1", target.port, timeout=60)
    pop.user(address(n))
    pop.pass_("secret")
    return pop


def answers(target, users, count):
    """{what: digest} of the answers to a client that looks at everything."""
    out = {}
    for n in users.numbers()[:2]:
        pop = session(target, n)
        said = {"STAT": b"%d %d" % pop.stat(), "LIST": pop.list()[1],
                "UIDL": pop.uidl()[1], "TOP": pop.top(1, 3)[1]}
        for i in range(1, count + 1):
            said["RETR %d" % i] = pop.retr(i)[1]
        pop.quit()
        for what, lines in said.items():
            text = lines if isinstance(lines, bytes) else b"\n".join(lines)
            out[what, n] = hashlib.sha256(text).hexdigest()
    return out


def verify(targets, sizes):
    """All servers give the same answers: else the figures compare nothing."""
    seen = {}
    for kind, target in targets.items():
        seen[kind] = answers(target, sizes.large, 20)
        seen[kind].update(answers(target, sizes.many, 3))
    first = next(iter(seen))
    for kind, said in seen.items():
        for what, digest in said.items():
            # Dovecot has unique-ids of its own.
            if (what[0] == "UIDL" and kind in ("dovecot", "tuned")) or (
                    first in ("dovecot", "tuned") and what[0] == "UIDL"):
                continue
            if digest != seen[first][what]:
                sys.exit("%s and %s answer %s of user%d differently" % (
                    first, kind, *what))


def idle_memory(kinds, targets, sizes, where, progress):
    """Rows: the memory of a session that has signed in and waits.
    Each server has just been started and has had some sessions, so that what
    it takes once is not counted.  Neither is what the kernel keeps of the
    maildrops themselves, names and inodes: that was charged to the servers
    that opened them first, in warm() of bench/compare."""
    rows = [Row("memory per idle session, plain", "KB", Goal(8)),
            Row("memory per idle session, TLS", "KB", Goal(30))]
    for row, tls in zip(rows, (False, True)):
        for kind in kinds:
            progress("%s: %s" % (row.title, kind))
            target = Target(kind, targets[kind].boxes, sizes.all, where)
            try:
                c = min(64, sizes.large.count // 2)
                target.load("login stat quit", sizes.large, c, 2 * c, tls=tls)
                with target.held(sizes.holders, tls) as held:
                    row.add(kind, held.octets / 1024)
            finally:
                target.stop()
    return rows


# What Dovecot needs to say of each message that goes what maloted's log says.
MAIL_LOG = """
protocol pop3 {
  mail_plugins = notify mail_log
}
plugin {
  mail_log_events = expunge
  mail_log_fields = uid msgid size
}
"""


def remove_half(row, target, sizes):
    """Measures it, and looks whether half are left."""
    row.measure(target)
    left = len(mail.drop.files(target.box(sizes.many.first)))
    pop = session(target, sizes.many.first)
    if pop.stat()[0] != left or left >= sizes.many.messages:
        sys.exit("%s has not removed what it was told to" % target.kind)
    pop.quit()


def anew(kind, sizes, where, config):
    """A server on another copy of that maildrop alone."""
    boxes = "%s/removal-%s" % (where, kind)
    n = sizes.many.first
    os.mkdir(boxes)
    mail.copy("%s/mail/%d" % (where, n), boxes)
    with open(boxes + ".conf", "w") as f:
        f.write(config)
    target = Target(kind, boxes, [n], where, boxes + ".conf")
    target.load("login stat list uidl quit", sizes.many, 1, 1)
    return target


def removal(kinds, targets, sizes, where, progress):
    """Half of very many messages, in one QUIT: by the servers as they come, of
    which maloted says in its log what it removed and Dovecot does not, and
    where both do alike."""
    half = sizes.many.messages // 2
    options = {"steps": "login stat dele=%d quit" % half, "users": sizes.many,
               "depth": 64}
    row = Load("%d of %d messages removed in one QUIT" % (
        half, sizes.many.messages), "ms", Goal(5000, clock="p50"), **options)
    both = Load("the same, each told in the log by all", "ms", **options)
    neither = Load("the same, told by none", "ms", **options)
    for kind in kinds:
        if kind == "floor":
            continue
        progress("%s: %s" % (row.title, kind))
        remove_half(row, targets[kind], sizes)
        if kind == "other":  # which may not know that setting
            continue
        ours = kind == "maloted"
        for other, config in ((both, "" if ours else MAIL_LOG),
                              (neither, "log_removed = no\n" * ours)):
            target = anew(kind, sizes, where, config)
            try:
                remove_half(other, target, sizes)
            finally:
                target.stop()
                shutil.rmtree(target.boxes)
    return [row, both, neither]


class Peak:
    """with Peak(group) as peak: peak.octets is the most by which the memory of
    the group grew meanwhile."""

    def __init__(self, group):
        self.group, self.octets = group, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        before = self.group.octets()
        while not self.over.wait(0.002):
            self.octets = max(self.octets, self.group.octets() - before)

    def __enter__(self):
        self.thread.start()
        time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def big(targets, sizes, where, progress):
    """Rows for maloted alone, where Dovecot would take gigabytes or minutes;
    measured on a server of their own with two workers."""
    ours = targets["maloted"]
    progress("mail for --big")
    mail.write_extra(ours.boxes, sizes, where + "/mail")
    config = where + "/big.conf"
    with open(config, "w") as f:
        f.write("workers = 2\n")
    target = Target("maloted", ours.boxes, [*sizes.all, *sizes.extra], where,
                    config)
    try:
        for part in (big_maildrop, stalled_clients, idle_sessions):
            progress(part.__doc__)
            yield from part(target, sizes)
    finally:
        target.stop()
    progress("more and more workers")
    yield from scaling(ours.boxes, sizes, where)


def big_maildrop(target, sizes):
    """a million messages"""
    rows = [Load("login, STAT, QUIT of %d messages, index warm"
                 % users.messages, "µs", users=users, n=200)
            for users in (sizes.thousand, sizes.million)]
    for row in rows:
        target.load("login stat uidl quit", row.users, 1, 2)
    for _ in range(5):
        for row in rows:
            row.measure(target)
    rows[1].goal = Goal(1.5 * rows[0].latency("maloted", "p50"), clock="p50")
    yield from rows
    row = Row("most memory that UIDL of %d takes more"
              % sizes.million.messages, "KB", Goal(4096))
    with Peak(target.group) as peak:
        target.load("login stat uidl quit", sizes.million, 1, 1)
    row.add("maloted", peak.octets / 1024)
    yield row


def stalled_clients(target, sizes):
    """clients that stop reading"""
    users = sizes.stalled
    row = Row("memory per client that stops in the middle of RETR; %d"
              % users.count, "KB")
    target.load("login stat quit", users, 8, users.count)
    with target.held(users, steps="login stat stall") as held:
        row.add("maloted", held.octets / 1024)
    yield row


def idle_sessions(target, sizes):
    """as many idle sessions as descriptors allow"""
    users = sizes.idle
    row = Row("memory per idle session, %d over two workers"
              % users.count, "KB", Goal(8))
    target.load("login stat quit", users, 64, users.count)
    with target.held(users) as held:
        row.add("maloted", held.octets / 1024)
        yield row
        for c in (1, 8):
            row = Load("login, STAT, QUIT meanwhile; %d at a time" % c, "µs",
                       Goal(5, clock="p99"), users=sizes.holders, c=c,
                       n=2000)
            row.measure(target)
            yield row


def scaling(boxes, sizes, where):
    """Throughput by the number of workers.  Each may use a tenth of a
    core, so that these processes are the limit: the load generator, which
    shares the machine, needs cores too."""
    config = where + "/scaling.conf"
    for title, n, options in (("plain", 2000, {}),
                              ("TLS", 200, {"tls": True})):
        for count in (1, 2, 4):
            with open(config, "w") as f:
                f.write("workers = %d\n" % count)
            target = Target("maloted", boxes, sizes.all, where, config)
            groups = []
            try:
                target.load("login stat quit", sizes.holders, 64, 1000)
                for pid in list(group.tree(target.group.pid)):
                    if group.read("/proc/%d/comm" % pid) == "maloted-worker\n":
                        groups.append(group.confine(pid, 0.1))
                if len(groups) != count or None in groups:
                    return
                row = Row("sessions a second, %s, with %d worker%s of a "
                          "tenth of a core" % (
                              title, count, "s" * (count > 1)), "/s")
                for _ in range(3):
                    said = target.load("login stat quit", sizes.holders, 64,
                                       n * count, **options)[1]
                    row.add("maloted", said["sessions"] / said["seconds"])
                yield row
            finally:
                target.stop()
                for path in filter(None, groups):
                    group.remove(path)
