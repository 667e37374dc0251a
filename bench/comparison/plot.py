"""Rows as a picture: the cost of each server as a multiple of maloted's, and
how long a session takes on the clock."""
import math
from html import escape

from table import number
from target import KINDS

# Colour and shape: either alone tells them apart.
MARKS = {
    "maloted": ("#0b6e4f", "circle"),
    "floor": ("#6c757d", "bar"),
    "tuned": ("#e08e0b", "diamond"),
    "dovecot": ("#a4243b", "square"),
}
ORDER = ("floor", "maloted", "tuned", "dovecot")

LINE, GAP = 15, 12  # of one server; between rows
LABELS, COSTS, TIMES, VALUE, MARGIN, TOP = 380, 400, 300, 78, 16, 92


class Scale:
    """A logarithmic axis, over whole decades or powers of two."""

    def __init__(self, values, left, width, base):
        logs = [math.log(value, base) for value in values] or [0]
        self.base, self.left, self.width = base, left, width
        self.low = math.floor(min(logs) - 0.001)
        self.high = max(math.ceil(max(logs)), self.low + 1)

    def x(self, value):
        part = (math.log(value, self.base) - self.low) / (
            self.high - self.low)
        return self.left + part * self.width

    def ticks(self):
        return [self.base ** i for i in range(self.low, self.high + 1)]


def mark(kind, x, y):
    colour, shape = MARKS[kind]
    if shape == "circle":
        return '<circle cx="%.1f" cy="%.1f" r="5" fill="%s"/>' % (
            x, y, colour)
    corners = {
        "square": [(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)],
        "diamond": [(0, -6), (6, 0), (0, 6), (-6, 0)],
        "bar": [(-2, -6), (2, -6), (2, 6), (-2, 6)],
    }[shape]
    return '<polygon points="%s" fill="%s"/>' % (" ".join(
        "%.1f,%.1f" % (x + dx, y + dy) for dx, dy in corners), colour)


def words(x, y, text, anchor="start", size=12, colour="#212529", bold=False):
    return ('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" '
            'fill="%s"%s>%s</text>' % (
                x, y, anchor, size, colour,
                ' font-weight="bold"' if bold else "", escape(text)))


def line(x1, y1, x2, y2, colour, width=1.0):
    return ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" '
            'stroke-width="%.1f"/>' % (x1, y1, x2, y2, colour, width))


def axis(scale, title, top, bottom, text):
    yield words(scale.left, top - 26, title, bold=True)
    for tick in scale.ticks():
        x = scale.x(tick)
        yield line(x, top, x, bottom, "#dee2e6")
        yield words(x, top - 8, text(tick), "middle", 11, "#495057")


def cost_of(row, kind):
    """As a multiple of maloted's."""
    if kind == "maloted":
        return 1
    ratio = row.ratio(kind)
    return 1 / ratio if ratio else None


def legend(kinds):
    x = MARGIN
    for kind in ORDER:
        if kind not in kinds:
            continue
        yield mark(kind, x + 6, 44)
        yield words(x + 18, 48, KINDS[kind][0])
        x += 38 + 8 * len(KINDS[kind][0])


def draw_row(row, kinds, y, costs, times):
    for kind in kinds:
        y += LINE
        colour = MARKS[kind][0]
        x = costs.x(cost_of(row, kind))
        yield line(costs.left, y, x, y, colour, 1.5)
        yield mark(kind, x, y)
        yield words(x + 10, y + 4, "%s %s" % (
            number(row.figure(kind)), row.unit), size=11)
        p50, p99 = (row.latency(kind, which) for which in ("p50", "p99"))
        if p50:
            yield line(times.x(p50), y, times.x(p99), y, colour, 3)
            yield mark(kind, times.x(p50), y)


def draw(rows, kinds, machine):
    """The text of an SVG."""
    kinds = [kind for kind in ORDER if kind in kinds]
    rows = [row for row in rows if len(row.figures) > 1
            and "maloted" in row.figures]
    has = {row.title: [kind for kind in kinds if cost_of(row, kind)]
           for row in rows}
    costs = Scale([cost_of(row, kind) for row in rows
                   for kind in has[row.title]], LABELS, COSTS, 2)
    times = Scale([row.latency(kind, which) for row in rows for kind in kinds
                   for which in ("p50", "p99")
                   if row.latency(kind, which)], LABELS + COSTS + VALUE,
                  TIMES, 10)
    out, y = [], TOP
    for row in rows:
        height = LINE * len(has[row.title])
        out.append(words(LABELS - 12, y + (LINE + height) / 2 + 4, row.title,
                         "end"))
        out += draw_row(row, has[row.title], y, costs, times)
        y += height + GAP
    width, height = LABELS + COSTS + VALUE + TIMES + 3 * MARGIN, y + 36
    grid = list(axis(costs, "Cost to the server, maloted = 1", TOP, y,
                     lambda tick: "%g" % tick if tick >= 1 else "1/%g" % (
                     1 / tick)))
    grid += axis(times, "A session on the clock, from p50 to p99", TOP, y,
                 lambda tick: "%g ms" % tick)
    head = words(MARGIN, 24, "POP3 servers on the same Maildirs: processor "
                 "time and memory; less is better", size=15, bold=True)
    foot = words(MARGIN, y + 22, "%s, Linux %s, %s cores, Dovecot %s; "
                 "logarithmic scales" % (
                     machine["date"], machine["kernel"], machine["cores"],
                     machine["dovecot"] or "not there"), size=11,
                 colour="#495057")
    return "\n".join(
        ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
         'width="%d" height="%d" font-family="sans-serif">'
         % (width, height, width, height),
         '<rect width="100%" height="100%" fill="#ffffff"/>', head]
        + list(legend(kinds)) + grid + out + [foot, "</svg>", ""])
