#!/usr/bin/python3
"""Holds the pages of the documentation to the sources.

    pages.py [TOP]

  - A file that a page names between back quotes, or links to, is there.
  - In the pages that walk through the code (WALKS) a function stands in the
    file that is named beside it; one without a file beside it stands in one of
    the files that its section names.
  - The table of doc/security.md has each role of src/server/ipc/roles.h, with
    its user, its memory, and the system calls that it keeps.
  - Each event of the server's log (ev=NAME in its sources) stands in the manual
    LOG as *ev=NAME*, and each that stands there is one.
  - A manual of doc/man is in Portuguese, too (doc/man/pt_BR): the same sections
    in the same order, and in each the same headings (settings, commands,
    events, files) and the same first words of the lines of its examples.
  - No line is longer than 100 columns, but for rows of tables.

Each fault is one line that begins with ERROR.
"""
import glob
import os
import re
import sys

WALKS = ("doc/byte-to-disk.md",)
SECURITY = "doc/security.md"
LOG = "doc/man/maloted.8.scd"
MANUALS = ("doc/man", "doc/man/pt_BR")
LONGEST = 100

NAMED = re.compile(
    r"`((?:src|tests|bench|fuzz|doc|packaging|po)/[\w./*+-]*[\w*+])(?:/?)`")
LINKED = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)[^)]*\)")
FUNCTION = re.compile(r"`(\w+)\(\)`")
FILE = re.compile(r"`(src/[\w/.-]+\.[ch])`")
# What is typed, in a manual: *in bold*, _a/path_, the keys of *ev=EVENT*, and
# examples.
TYPED = re.compile(r"\*((?:\\.|[^*\n])+)\*")
EXAMPLE = re.compile(r"(?ms)^```$(.*?)^```$")
PATH = re.compile(r"(?<!\w)_([a-z0-9_~./-]*[./-][a-z0-9_~./-]*)_(?!\w)")
ROLE = re.compile(r"X\([A-Z]+, (\w+), (\w+), ([^,]+), [^,)]")
CALLS = re.compile(r"\bcalls\[\] = \{(.*?)\};", re.S)
# `f()` (`src/a.c`, `src/b.c`); `f()` in `src/a.c`; (`f()`, `src/a.c`)
BESIDE = re.compile(
    r"(?: \(|, | in )(`src/[\w/.-]+\.[ch]`(?:(?:,| and|, and) "
    r"`src/[\w/.-]+\.[ch]`)*)")


def pages(top):
    """The Markdown files of the tree, those of the build left out."""
    for folder, below, names in os.walk(top):
        below[:] = [name for name in below
                    if name != "build" and not name.startswith(".")]
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), top)


def read(top, path):
    try:
        with open(os.path.join(top, path), encoding="utf-8") as f:
            return f.read()
    except OSError:
        return ""


def is_there(top, name):
    return bool(glob.glob(os.path.join(glob.escape(top), name)))


def missing(top):
    for page in pages(top):
        text = read(top, page)
        for name in sorted(set(NAMED.findall(text))):
            if not is_there(top, name):
                yield "%s names %s, which is not there" % (page, name)
        for link in sorted(set(LINKED.findall(text))):
            if not is_there(top, os.path.join(os.path.dirname(page), link)):
                yield "%s links to %s, which is not there" % (page, link)


def stands_in(top, function, path):
    return re.search(r"^(?:#define )?%s\(" % function, read(top, path), re.M)


def misplaced(top):
    for page in WALKS:
        for section in re.split(r"^## ", read(top, page), flags=re.M):
            yield from misplaced_in(top, page, " ".join(section.split()))


def misplaced_in(top, page, section):
    of_section = sorted(set(FILE.findall(section)))
    for found in FUNCTION.finditer(section):
        beside = BESIDE.match(section, found.end())
        files = FILE.findall(beside.group(1)) if beside else of_section
        if not any(stands_in(top, found.group(1), path) for path in files):
            yield "%s: %s() does not stand in %s" % (
                page, found.group(1),
                " or ".join(files) if beside else
                "any file that its section names: name its file beside it")


def roles(top):
    """{name: (user, memory, system calls)}, by the sources."""
    out = {}
    text = " ".join(read(top, "src/server/ipc/roles.h").replace("\\\n", " ")
                    .split())
    for name, user, memory in ROLE.findall(text):
        calls = CALLS.search(
            read(top, "src/server/%s/%s.c" % (name, name)) or
            read(top, "src/server/%s/%s_role.c" % (name, name)) or
            read(top, "src/server/helper/%s.c" % name))
        out[name] = (user, re.sub(r"c->\w+\.", "", memory), set(
            re.findall(r'"(\w+)"', calls.group(1) if calls else "")))
    return out


def untrue(top):
    """The table of roles: role, user, memory, what it holds, calls."""
    said = {}
    for line in read(top, SECURITY).splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 6 and cells[0] not in ("role", "---"):
            said[cells[0]] = (cells[1].strip("`"), cells[2],
                              set(re.findall(r"`(\w+)`", cells[4])))
    are = roles(top)
    for name in sorted(set(said) | set(are)):
        if said.get(name) != are.get(name):
            yield "%s says of the role %s %s, but it is %s" % (
                SECURITY, name, said.get(name), are.get(name))


def logged(top):
    """The events that the sources name, and the words that may be names of some."""
    events, words = set(), set()
    for part in ("server", "base"):
        for path in glob.glob(os.path.join(glob.escape(top), "src", part,
                                           "**/*.c"), recursive=True):
            text = read(top, path)
            events |= set(re.findall(r"\bev=([a-z][a-z-]*)", text))
            words |= set(re.findall(r'"([a-z][a-z-]*)"', text))
    return events, words


def untold(top):
    events, words = logged(top)
    said = set(re.findall(r"\*ev=([a-z][a-z-]*)\*", read(top, LOG)))
    for name in sorted(events - said):
        yield "%s does not say what *ev=%s* is" % (LOG, name)
    for name in sorted(said - events - words):
        yield "%s says what *ev=%s* is, which nobody logs" % (LOG, name)


def headings(section):
    """What a section explains, in lines above text that is one tab further in,
    and what it shows."""
    found, lines = [], section.split("\n")
    for this, below in zip(lines, lines[1:]):
        tabs = len(this) - len(this.lstrip("\t"))
        if re.match(r"\t{%d}[^\t]" % (tabs + 1), below) and \
                this[tabs:tabs + 1] in ("*", "_"):
            found += [this] if this[tabs:].startswith("*ev=") else \
                TYPED.findall(this) + PATH.findall(this)
    return found + ["an example's \"%s\"" % line.split()[0]
                    for block in EXAMPLE.findall(section)
                    for line in block.splitlines() if line.strip()]


def manual(top, path):
    """[(title, words, headings)] of its sections."""
    text = EXAMPLE.sub(lambda block: re.sub(r"(?m)^#.*\n", "", block[0]),
                       read(top, path))
    sections = re.split(r"(?m)^#+ ", text)[1:]
    return [(section.split("\n")[0], set(re.findall(r"[\w.-]+", section)),
             headings(section)) for section in sections]


def alike(some, others):
    """How well the sections of two pages go together, one after the other: by
    the words that are no language's, mostly."""
    return sum(len(a[1] & b[1]) / len(a[1] | b[1])
               for a, b in zip(some, others))


def unpaired(some, others):
    """Takes sections out of some until it has no more than others."""
    while len(some) > len(others):
        yield some.pop(max(range(len(some)), key=lambda i: alike(
            some[:i] + some[i + 1:], others)))


def untranslated(top):
    """What stands in a page of one language and not in that of the other."""
    there = [sorted(glob.glob("*.scd", root_dir=os.path.join(top, folder)))
             for folder in MANUALS]
    for name in sorted(set(there[0] + there[1])) if there[1] else ():
        page = [os.path.join(folder, name) for folder in MANUALS]
        both = [manual(top, path) for path in page]
        for has, lacks in ((0, 1), (1, 0)):
            for title, _, _ in unpaired(both[has], both[lacks]):
                yield "%s lacks a section: %s is in %s" % (
                    page[lacks], title, page[has])
        for pair in zip(*both):
            for has, lacks in ((0, 1), (1, 0)):
                for it in sorted(set(pair[has][2]) - set(pair[lacks][2])):
                    yield "%s lacks %s in its section %s: it is in %s" % (
                        page[lacks], it, pair[lacks][0], page[has])


def too_long(top):
    for page in pages(top):
        for number, line in enumerate(read(top, page).splitlines(), 1):
            if len(line) > LONGEST and not line.startswith("|"):
                yield "%s:%d is of %d columns: run make fmt" % (
                    page, number, len(line))


RULES = (missing, misplaced, untrue, untold, untranslated, too_long)


def faults(top):
    return [fault for rule in RULES for fault in rule(top)]


def main(arguments):
    top = os.path.realpath(arguments[0] if arguments else os.path.join(
        os.path.dirname(__file__), "../.."))
    found = faults(top)
    for fault in found:
        print("ERROR " + fault)
    print("%d pages, %d faults" % (len(list(pages(top))), len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
