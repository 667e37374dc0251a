#!/usr/bin/python3
"""Holds src/ to its floor plan (doc/architecture.md, "Layout").

    structure.py [TOP [BUILD]]        this checkout, its build/release

It reads the includes of the sources and the symbols of the object files of a
finished build, and fails on

  - an include of a file that lies above, beside, or in the other program, and
    a symbol of such a file in an object file;
  - files that call each other in a circle, by their symbols, and headers that
    include each other in one;
  - a global name that is defined twice, in one program or in both;
  - an object file of what root runs that refers to a symbol of a role;
  - two files of one name in a program;
  - a .c file without a header of its own that does not begin with a comment.

Each fault is one line that begins with ERROR.
"""
import collections
import json
import os
import re
import subprocess
import sys

# Folders of src/ from the lowest to the highest; those of one row lie beside
# each other.  A folder may include those of the rows above its own here.  The
# files that lie in src/server/ and src/client/ themselves are named alone.
GROUND = (
    ("base",),
    ("conf", "pop3", "imap", "sasl", "net"),
)
WINGS = {
    "server": (
        ("server/ipc",),
        ("server/conf",),
        ("server/users",),
        ("server/auth", "server/store", "server/worker", "server/kerberos",
         "server/helper", "server/sasl", "server/metrics", "server/upgrade",
         "server/ctl"),
        ("server/parent", "server/trial"),
        # malotectl is also the process that asks a database for it.
        ("server/main", "server/ctl/malotectl"),
    ),
    "client": (
        ("client/message", "client/web"),
        ("client/conf",),
        ("client/oauth",),
        ("client/deliver", "client/plan", "client/secret"),
        ("client/state",),
        ("client/session",),
        ("client/send",),
        ("client/report",),
        ("client/setup", "client/serve"),
        ("client/run", "client/look", "client/postman"),
        ("client/collect",),
        ("client/command",),
        ("client/main",),
    ),
}
# What root runs, and what it must not contain: see doc/security.md.
PRIVILEGED = ("server/parent", "server/trial", "server/conf", "server/ipc",
              *sum(GROUND, ()))
ROLES = ("server/auth", "server/store", "server/worker", "server/kerberos",
         "server/helper", "server/sasl", "server/metrics", "server/upgrade")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def floors():
    """The row of each folder, counted from the ground."""
    rows = {folder: n for n, row in enumerate(GROUND) for folder in row}
    for wing in WINGS.values():
        rows.update((folder, n + len(GROUND))
                    for n, row in enumerate(wing) for folder in row)
    return rows


FLOORS = floors()


def place(path):
    """The folder of FLOORS in which a file lies, or None."""
    stem = os.path.splitext(path)[0]
    while stem and stem not in FLOORS:
        stem = os.path.dirname(stem)
    return stem or None


def wing(path):
    first = path.split("/")[0]
    return first if first in WINGS else None


def why_not(user, used):
    """Why the file "user" must not know the file "used"; None if it may."""
    of, at = place(user), place(used)
    if of == at or of is None or at is None:
        return None
    if wing(user) and wing(used) not in (None, wing(user)):
        return "one program does not use the other: move it to the ground"
    if FLOORS[at] > FLOORS[of]:
        return ("%s is above %s: return a value, take a table or a hook at "
                "the start, or move what both need down" % (at, of))
    if FLOORS[at] == FLOORS[of]:
        return "%s and %s lie beside each other: move it below both" % (of, at)
    return None


class Tree:
    """Sources below src/ and what the objects made of them define and use;
    paths are those below src/."""

    def __init__(self, top, build=None):
        self.src = os.path.join(top, "src")
        self.build = build or os.path.join(top, "build/release")
        self.files = sorted(
            os.path.relpath(os.path.join(folder, name), self.src)
            for folder, _, names in os.walk(self.src) for name in names
            if name.endswith((".c", ".h")))
        self.texts = {path: self.read(path) for path in self.files}
        self.defines, self.uses = symbols(self.objects())

    def read(self, path):
        with open(os.path.join(self.src, path), encoding="utf-8") as f:
            return f.read()

    def objects(self):
        """Source to object file, as the build itself says: one that is there, as
        not all that it knows is always built."""
        out = {}
        commands = os.path.join(self.build, "compile_commands.json")
        with open(commands, encoding="utf-8") as f:
            commands = json.load(f)
        for entry in commands:
            source = os.path.realpath(
                os.path.join(entry["directory"], entry["file"]))
            path = os.path.relpath(source, os.path.realpath(self.src))
            made = os.path.join(entry["directory"], entry["output"])
            if path in self.texts and (
                    path not in out or os.path.exists(made)):
                out[path] = made
        return out

    def includes(self, path):
        """Files of this tree that a file includes."""
        for name in INCLUDE.findall(self.texts[path]):
            beside = os.path.normpath(
                os.path.join(os.path.dirname(path), name))
            if name in self.texts:
                yield name
            elif beside in self.texts:
                yield beside

    def references(self):
        """{ file: { file: names that it has from there } }.  A name that both
        programs define is taken from the user's own."""
        owners = collections.defaultdict(set)
        for path, names in self.defines.items():
            for name in names:
                owners[name].add(path)
        out = collections.defaultdict(lambda: collections.defaultdict(set))
        for path, names in self.uses.items():
            for name in names:
                own = {owner for owner in owners[name]
                       if wing(owner) in (None, wing(path))}
                for owner in (own or owners[name]) - {path}:
                    out[path][owner].add(name)
        return out


def symbols(objects):
    """Names that each object file defines for others, and those it misses, by
    its source."""
    defined = {path: set() for path in sorted(objects)}
    missing = {path: set() for path in defined}
    if not objects:
        return defined, missing
    sources = {thing: path for path, thing in objects.items()}
    text = subprocess.run(["nm", "-A", "-P", "--", *sources], check=True,
                          text=True, stdout=subprocess.PIPE).stdout
    for line in text.splitlines():
        thing, words = line.rsplit(": ", 1)
        name, kind = words.split()[:2]
        if kind in "Uwv":
            missing[sources[thing]].add(name)
        elif kind.isupper() and kind != "N":
            defined[sources[thing]].add(name)
    return defined, missing


def circles(edges):
    """The sets of nodes that reach each other (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for to in edges.get(node, ()):
            if to not in index:
                visit(to)
                low[node] = min(low[node], low[to])
            elif to in stack:
                low[node] = min(low[node], index[to])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1 or node in edges.get(node, ()):
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


# ---- the rules: each yields its faults ----

def unplaced(tree):
    for path in tree.files:
        if place(path) is None:
            yield ("src/%s lies on no floor: put its folder into "
                   "tests/rules/structure.py and doc/architecture.md" % path)


def upward_includes(tree):
    for path in tree.files:
        for other in tree.includes(path):
            why = why_not(path, other)
            if why:
                yield "src/%s includes src/%s; %s" % (path, other, why)


def upward_calls(tree):
    """By symbols: a declaration may have been written anywhere."""
    for path, others in tree.references().items():
        for other, names in others.items():
            why = why_not(path, other)
            if why:
                yield "src/%s refers to %s of src/%s; %s" % (
                    path, ", ".join(sorted(names)), other, why)


def file_circles(tree):
    references = tree.references()
    for circle in circles(references):
        yield "%d files call each other in a circle; cut one side of:%s" % (
            len(circle), "".join(
                "\n    src/%s -> src/%s: %s" % (
                    a, b, " ".join(sorted(references[a][b])))
                for a in circle for b in circle if b in references[a]))


def header_circles(tree):
    edges = {path: set(tree.includes(path)) for path in tree.files
             if path.endswith(".h")}
    for circle in circles(edges):
        yield ("headers include each other: %s; declare the struct forward in "
               "one of them" % ", ".join("src/" + path for path in circle))


def namesakes(tree):
    owners = collections.defaultdict(list)
    for path, names in tree.defines.items():
        for name in names - {"main"}:
            owners[name].append("src/" + path)
    for name, paths in sorted(owners.items()):
        if len(paths) > 1:
            yield "%s is defined in %s: rename one, or make it static" % (
                name, " and in ".join(paths))


def privileged(tree):
    references = tree.references()
    for path in references:
        if place(path) not in PRIVILEGED:
            continue
        for other, names in references[path].items():
            if place(other) in ROLES:
                yield ("src/%s is run by root and refers to %s of src/%s, "
                       "which is a role's: move that to server/conf or to the "
                       "ground" % (path, ", ".join(sorted(names)), other))


def stems(tree):
    """Two files of one name in a program; .c and .h of one stem are one."""
    owners = collections.defaultdict(set)
    for path in tree.files:
        stem = os.path.splitext(path)[0]
        owners[os.path.basename(stem)].add(stem)
    for name, paths in sorted(owners.items()):
        for program in WINGS:
            same = sorted("src/" + path for path in paths
                          if wing(path) in (None, program))
            if len(same) > 1:
                yield "%s has several files named %s: %s; rename one" % (
                    program, name, ", ".join(same))
                break


def unexplained(tree):
    for path, text in tree.texts.items():
        header = path[:-2] + ".h"
        if path.endswith(".c") and header not in tree.texts and \
                not text.startswith("/*"):
            yield ("src/%s has no header and no comment at its head: say what "
                   "it is" % path)


RULES = (unplaced, upward_includes, upward_calls, file_circles,
         header_circles, namesakes, privileged, stems, unexplained)


def faults(tree):
    return [fault for rule in RULES for fault in rule(tree)]


def main(arguments):
    top = arguments[0] if arguments else os.path.join(
        os.path.dirname(os.path.realpath(__file__)), "../..")
    tree = Tree(top, *arguments[1:2])
    found = faults(tree)
    for fault in found:
        print("ERROR " + fault)
    print("%d files, %d objects, %d faults" % (
        len(tree.files), len(tree.defines), len(found)))
    return 1 if found or not tree.defines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
