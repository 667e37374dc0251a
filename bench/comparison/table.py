"""Rows as tables in Markdown, and as values for JSON."""
import os
import platform
import statistics
import subprocess
import time

from target import ALONE, KINDS


def number(value, ratio=False):
    if value is None:
        return ""
    if ratio:
        return "%.3f" % value if value < 0.1 else "%.2f" % value
    return "%.0f" % value if value >= 1000 else "%.3g" % value


def verdict(row):
    met = row.met()
    return "" if met is None else "yes" if met else "**no**"


def markdown(head, lines):
    lines = [head] + lines
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(
        cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in lines)


def costs(rows, kinds):
    kinds = [kind for kind in kinds if kind not in ALONE]
    others = [kind for kind in kinds if kind != "maloted"]
    head = (["work", "unit"] + [KINDS[kind][0] for kind in kinds]
            + ["÷ " + KINDS[kind][0] for kind in others]
            + ["goal, at most", "met"])
    return markdown(head, [
        [row.title, row.unit]
        + [number(row.figure(kind)) for kind in kinds]
        + [number(row.ratio(kind), True) for kind in others]
        + [row.goal.text(row.unit) if row.goal else "", verdict(row)]
        for row in rows])


def rate(row, kind):
    """Sessions a second."""
    return statistics.median(said["sessions"] / said["seconds"]
                             for said in row.said[kind])


def sign_ins(rows, kinds):
    rows = [row for row in rows if row.title.startswith("sign-in ")]
    kinds = [kind for kind in kinds if rows and kind in rows[0].said]
    return rows and markdown(
        ["sign-ins a second"] + [KINDS[kind][0] for kind in kinds],
        [[row.title] + [number(rate(row, kind)) if kind in row.said else ""
                        for kind in kinds] for row in rows])


def databases(rows, kinds):
    """What the database that is asked takes for a sign-in, by who asks it."""
    rows = [row for row in rows if getattr(row, "database", None)]
    kinds = [kind for kind in kinds if rows and kind in rows[0].database]
    return rows and markdown(
        ["processor time of the database, µs"]
        + [KINDS[kind][0] for kind in kinds],
        [[row.title] + [number(statistics.median(row.database[kind]))
                        for kind in kinds] for row in rows])


def processes(rows):
    """What several processes cost, and what they bring."""
    one, many = KINDS["single"][0], KINDS["floors"][0]
    rows = [row for row in rows if "single" in row.figures]
    head = ["processor time", "maloted ÷ floor", one + " ÷ floor",
            "maloted ÷ " + many, many + " ÷ floor",
            "sessions/s: maloted", "of " + one]
    return markdown(head, [
        [row.title] + [number(row.ratio(other, ours), True)
                       for ours, other in (
            ("maloted", "floor"), ("single", "floor"),
            ("maloted", "floors"), ("floors", "floor"))]
        + [number(rate(row, kind)) for kind in ("maloted", "single")]
        for row in rows])


def latencies(rows, kinds):
    kinds = [kind for kind in kinds if kind not in ALONE]

    def cell(row, kind):
        p50, p99 = (row.latency(kind, which) for which in ("p50", "p99"))
        if p50 is None:
            return ""
        return "%s / %s" % (number(p50), number(p99))
    head = ["a session on the clock, p50 / p99 in ms"] + [
        KINDS[kind][0] for kind in kinds]
    return markdown(head, [
        [row.title] + [cell(row, kind) for kind in kinds]
        for row in rows if row.said])


def resumed(rows, kinds):
    """How many TLS sessions each server resumes when asked to, in words."""
    shares = {}
    for row in rows:
        if getattr(row, "options", {}).get("resume"):
            for kind, said in row.said.items():
                shares.setdefault(kind, []).extend(
                    s["resumed"] / s["sessions"] for s in said)
    return ", ".join("%s %.0f %%" % (
        KINDS[kind][0], 100 * statistics.mean(shares[kind]))
        for kind in kinds if kind in shares)


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True,
                              check=False).stdout.strip()
    except OSError:
        return ""


def machine():
    """What a reader has to know about the machine and the day."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "openssl": output("openssl", "version"),
        "dovecot": output("/usr/sbin/dovecot", "--version"),
    }


def plain(row, kinds):
    """A row as values for JSON."""
    out = {"title": row.title, "unit": row.unit, "servers": {}}
    for kind in kinds:
        if kind not in row.figures:
            continue
        values = row.figures[kind]
        out["servers"][kind] = {
            "median": statistics.median(values), "values": values,
            "ratio": row.ratio(kind) if kind != "maloted" else None,
            "p50_ms": row.latency(kind, "p50"),
            "p99_ms": row.latency(kind, "p99"),
            "popload": row.said.get(kind, []),
        }
    if row.goal:
        out["goal"] = {"text": row.goal.text(row.unit), "met": row.met()}
    return out
