"""What is measured, and the goals."""
import statistics
from dataclasses import dataclass, field

import mail

# Sessions asked for, of one row and server.  Slow servers get fewer.
SLOW = {"dovecot": 0.15, "tuned": 0.5}


@dataclass
class Goal:
    """At most `most` times what the server `of` takes; without `of`, at most
    `most` units."""
    most: float
    of: str = ""
    clock: str = ""  # milliseconds on the clock instead: "p50" or "p99"

    def text(self, unit):
        if self.of:
            return "%.3g × %s" % (self.most, self.of)
        if self.clock:
            return "%s %s ms" % (self.clock, ("%.3f" % self.most).rstrip("0").rstrip("."))
        return "%g %s" % (self.most, unit)


@dataclass
class Row:
    title: str
    unit: str  # of processor time or memory
    goal: Goal = None
    figures: dict = field(default_factory=dict)  # {server: [value]}
    said: dict = field(default_factory=dict)  # {server: [popload's figures]}

    def add(self, server, value):
        self.figures.setdefault(server, []).append(value)

    def figure(self, server):
        values = self.figures.get(server)
        return statistics.median(values) if values else None

    def latency(self, server, which):
        """Milliseconds: the median of p50 or p99 of the rounds."""
        said = self.said.get(server)
        return statistics.median(
            s[which + "_us"] for s in said) / 1e3 if said else None

    def ratio(self, other, ours="maloted"):
        """The median of the ratios of the rounds: what disturbs one server in
        a round disturbs the other as well."""
        pairs = [a / b for a, b in zip(self.figures.get(ours, ()),
                                       self.figures.get(other, ())) if b > 0]
        return statistics.median(pairs) if pairs else None

    def met(self):
        """Whether the goal is met; None if that cannot be told."""
        if not self.goal:
            return None
        if "maloted" not in self.figures:
            return None
        if self.goal.of:
            value = self.ratio(self.goal.of)
        elif self.goal.clock:
            value = self.latency("maloted", self.goal.clock)
        else:
            value = self.figure("maloted")
        return None if value is None else value <= self.goal.most


@dataclass
class Load(Row):
    """A row that popload measures, in every round."""
    steps: str = "login stat quit"
    users: object = None
    c: int = 1
    n: int = 1  # sessions
    depth: int = 1
    options: dict = field(default_factory=dict)
    slow: dict = field(default_factory=lambda: SLOW)
    without: str = ""  # a server that cannot do it
    before: object = None  # called with the server
    many: bool = False  # clients at a time, so that processes matter

    def measure(self, target):
        self.add(target.kind, self.value(target))

    def value(self, target):
        n = max(self.c, round(self.n * self.slow.get(target.kind, 1)))
        if self.before:
            self.before(target)
        used, said = target.load(self.steps, self.users, self.c, n,
                                 self.depth, **self.options)
        per = {"µs": used * 1e6 / said["sessions"],
               "ms": used * 1e3 / said["sessions"],
               "ms/MB": used * 1e3 / (said["octets"] / 1e6),
               "µs/msg": used * 1e6 / max(1, said["messages"])}
        self.said.setdefault(target.kind, []).append(said)
        return per[self.unit]


def at_a_time(c):
    return "; %d at a time" % c


def sessions(sizes, quick):
    """Loads of short sessions."""
    n = 150 if quick else 2000
    for c, most in ((8, 3), (64, 2.5)):
        yield Load("plain session: login, STAT, QUIT" + at_a_time(c), "µs",
                   Goal(most, "floor"), users=sizes.holders, c=c, n=n,
                   many=True)
    n = 100 if quick else 1000
    for title, most, resume in (
            ("TLS session, full handshake", 1.25, False),
            ("TLS session, resumed", 1.45, True)):
        for c in (8,) if quick else (8, 64):
            yield Load(title + at_a_time(c), "µs", Goal(most, "floor"),
                       users=sizes.holders, c=c, n=n, many=True,
                       options={"tls": True, "resume": resume})


def retrievals(sizes, quick):
    for title, most, tls in (("RETR of everything", 1.1, False),
                             ("RETR of everything over TLS", 1.15, True)):
        for c in (8,) if quick else (8, 64):
            yield Load(title + at_a_time(c), "ms/MB", Goal(most, "floor"),
                       steps="login stat retr quit", users=sizes.large, c=c,
                       n=sizes.large.count, depth=16, many=True,
                       options={"tls": tls}, slow={})
    yield Load("%d small messages, pipelined" % sizes.many.messages,
               "µs/msg", Goal(1.25, "floor"), steps="login stat retr quit",
               users=sizes.many, depth=16)


def listings(sizes, quick):
    many = sizes.many
    steps = "login stat list uidl quit"
    delivered = {}

    def new_message(target):
        nth = delivered[target.kind] = delivered.get(target.kind, 0) + 1
        mail.deliver(target.box(many.first), many.messages + nth)

    def anew(target):
        mail.forget(target.box(many.first))

    def warm(target):
        target.load(steps, many, 1, 1)

    yield Load("%d messages: login, STAT, LIST, UIDL; first time ever"
               % many.messages, "ms", Goal(1 / 3, "dovecot"), steps=steps,
               users=many, before=anew,
               without="floor")
    yield Load("the same, index warm", "ms", Goal(1.3, "floor"), steps=steps,
               users=many, n=3 if quick else 10, before=warm,
               slow={"dovecot": 0.3, "tuned": 0.3})
    yield Load("one new message among them: login, STAT, QUIT", "ms",
               steps="login stat quit", users=many, before=new_message,
               without="floor")


