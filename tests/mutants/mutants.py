#!/usr/bin/python3
"""Takes guarantees out of the programs, one at a time: does a test notice?

    mutants.py --rows          only: does each row still fit the source?
    mutants.py [-k WORD] [-j N] [--keep]

A mutant is a row of a table, tests/mutants/*.rows:

    name  src/the/file.c
    - the octets that are replaced
    + what comes in their place
    = the test that notices it

What is replaced must be in the file exactly once; white space does not count,
so it may stand in several lines there.  If it ends with ";" or "}" it is
statements (and "+" may be empty), else an expression.  "^ WORDS" in front of
"-" says that only what is behind the first WORDS of the file is meant.  The
test is "unit/NAME", a program of meson's (or "crash/NAME"), or one test of it,
"unit/NAME::test_x"; or a test of pytest below tests/integration.  In place of a
test, "! why" explains a mutant that no test can notice.

All of them are in one build of a changed copy of the tree, in build/mutants;
mutant.h says how a process knows which one it is.  Each test must pass first
when none is chosen.  A mutant survives if its test passes.
"""
import argparse
import concurrent.futures
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(TOP, "build", "mutants")
COPIED = ["meson.build", "meson_options.txt", "src", "tests/unit",
          "tests/crash", "tests/dialog", "tests/sasl", "fuzz", "doc",
          "po", "packaging", "bench"]
PROGRAMS = ["src/maloted", "src/malote", "src/malotectl"]
SECONDS = 150    # for one test, if it is not known how long it takes
LATE = -1000     # the exit code of one that took longer
NONE = "none"    # the name of what is no mutant
# Is put before each unit test, so that one of its tests can be run alone.
FILTER = """#include <stdlib.h>
void cmocka_set_test_filter(const char *pattern);
__attribute__((constructor)) static void
mutant_filter(void)
{
	cmocka_set_test_filter(getenv("MUTANT_TEST"));
}
#line 1
"""


class Wrong(Exception):
    """A row that does not fit."""


@dataclass
class Row:
    name: str
    file: str
    where: str           # table and line
    old: str = ""
    new: str = None
    behind: str = ""
    test: str = ""
    why: str = ""        # it cannot be noticed
    start: int = 0       # of `old` in the file, as is `end`
    end: int = 0
    inner: list = field(default_factory=list)


# ---- the tables ----

def rows_of(path):
    row, table = None, os.path.basename(path)
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            where = "%s:%d" % (table, number)
            if not line or line.startswith("#"):
                continue
            sign, text = line[0], line[2:]
            if re.fullmatch(r"[a-z0-9][a-z0-9-]* +src/\S+", line):
                name, file = line.split()
                row = Row(name, file, where)
                yield row
            elif row is None or (line[1:2] or " ") != " ":
                raise Wrong("%s: what is this?" % where)
            elif sign == "-":
                row.old += text + "\n"
            elif sign == "+":
                row.new = (row.new or "") + text + "\n"
            elif sign == "^":
                row.behind = text
            elif sign == "=":
                row.test = text.strip()
            elif sign == "!":
                row.why += text.strip() + " "
            else:
                raise Wrong("%s: what is this?" % where)


def read_tables(folder=HERE):
    rows, faults = [], []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".rows"):
            try:
                rows += rows_of(os.path.join(folder, name))
            except Wrong as e:
                faults.append(str(e))
    return rows, faults


# ---- what is replaced ----

def loose(text):
    """A pattern of the same octets with any white space between words; not
    behind half a word, or half of what has a member."""
    parts = re.findall(r"\w+|[^\w\s]", text)
    return re.compile(r"(?<![\w.])(?<!->)" +
                      r"\s*".join(map(re.escape, parts)))


BINDS = [["?", ":"], ["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="],
         ["<", ">", "<=", ">="], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]]
TOKEN = re.compile(r"->|[-+]{2}|\|\||&&|<<|>>|[=!<>]=|\w+|\"[^\"]*\"|\S")


def binds(token):
    """How much an operator does; None: it is none that has two sides."""
    return next((i for i, some in enumerate(BINDS) if token in some), None)


def operators(text):
    """How much those bind that stand outside parentheses."""
    depth, before, found = 0, "", []
    for token in TOKEN.findall(text):
        depth += (token in "([") - (token in ")]")
        two_sided = re.match(r"[\w)\]\"]", before)
        if depth == 0 and two_sided and binds(token) is not None:
            found.append(binds(token))
        before = token
    return found


def is_torn(row, source):
    """Does an operator beside the expression take only a part of it?  Then what
    comes in parentheses is another thing, even while no mutant is chosen."""
    if re.search(r"[;}]\s*\Z", row.old):
        return False
    weakest = min(operators(source[row.start:row.end]), default=len(BINDS))
    before = TOKEN.findall(source[max(0, row.start - 60):row.start])[-2:]
    after = TOKEN.findall(source[row.end:row.end + 60])[:1]
    sides = []
    if before and re.match(r"[\w)\]\"]", before[0]):
        sides += [binds(before[-1])]
    elif before and before[-1] in ("!", "-", "*", "&", "~"):
        sides += [len(BINDS)]
    sides += [binds(token) for token in after]
    return any(side is not None and side > weakest for side in sides)


def locate(row, source):
    """Finds where the row's octets are."""
    begin = 0
    if row.behind:
        begin = source.find(row.behind)
        if begin < 0:
            raise Wrong("\"%s\" is not in %s" % (row.behind, row.file))
        begin += len(row.behind)
    found = list(loose(row.old).finditer(source, begin))
    if not found or (len(found) > 1 and not row.behind):
        raise Wrong("it is %s in %s, once is right: %s" % (
            "%d times" % len(found), row.file, row.old.strip()))
    row.start, row.end = found[0].span()
    if is_torn(row, source):
        raise Wrong("an operator beside it takes a part of it: %s"
                    % row.old.strip())


def nest(rows):
    """Rows whose octets are within those of another go into that."""
    top = []
    for row in sorted(rows, key=lambda r: (r.start, -r.end)):
        row.inner = []
        level = top
        while level and level[-1].end > row.start:
            if level[-1].end < row.end:
                raise Wrong("it overlaps %s" % level[-1].name)
            level = level[-1].inner
        level.append(row)
    return top


def replaced(row, source):
    old = mutated(source, row.inner, row.start, row.end)
    new = (row.new or "").strip()
    if re.search(r"[;}]\s*\Z", row.old):
        return "{ if (mutant_is(\"%s\")) { %s } else { %s } }" % (
            row.name, new, old)
    return "(mutant_is(\"%s\") ? (%s) : (%s))" % (row.name, new, old)


def mutated(source, rows, start=0, end=None):
    out, at = [], start
    for row in rows:
        out += [source[at:row.start], replaced(row, source)]
        at = row.end
    return "".join(out) + source[at:end]


def changed_file(path, rows):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        source = f.read()
    for row in rows:
        locate(row, source)
    text = mutated(source, nest(rows))
    return "#include \"%s/mutant.h\"\n#line 1 \"%s\"\n%s" % (HERE, path, text)


def source_of(file):
    folder, _, name = file.rpartition("/")
    if folder in ("unit", "crash"):
        return "%s/tests/%s/test_%s.c" % (TOP, folder, name)
    return os.path.join(TOP, "tests/integration", file)


def has_test(row):
    file, _, name = row.test.partition("::")
    path = source_of(file)
    if not os.path.isfile(path):
        return False
    with open(path, encoding="utf-8") as f:
        return re.search(r"(?m)^(def )?%s\b" % name.partition("[")[0],
                         f.read())


def check(rows):
    """The files as they are changed; what does not fit."""
    files, faults, names = {}, [], set()
    for row in rows:
        problem = None
        if row.name in names or row.name == NONE:
            problem = "the name is used twice"
        elif not row.old or row.new is None and \
                not re.search(r"[;}]\s*\Z", row.old):
            problem = "nothing comes in its place"
        elif bool(row.test) == bool(row.why):
            problem = "it needs a test, or else a reason"
        elif row.test and not has_test(row):
            problem = "there is no test %s" % row.test
        names.add(row.name)
        if problem:
            faults.append("%s: %s: %s" % (row.where, row.name, problem))
    for path in sorted({r.file for r in rows}):
        good = []
        for row in (r for r in rows if r.file == path):
            try:
                changed_file(path, good + [row])
                good.append(row)
            except (Wrong, OSError) as e:
                faults.append("%s: %s: %s" % (row.where, row.name, e))
        if good:
            files[path] = changed_file(path, good)
    return files, faults


# ---- the build ----

def copy_tree(top):
    """Only what has changed, so that little is built again."""
    for part in COPIED:
        source = os.path.join(TOP, part)
        if os.path.isfile(source):
            yield part
            continue
        for folder, _, names in os.walk(source):
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), TOP)


def write_tree(files):
    tree = os.path.join(WORK, "tree")
    wanted = set(copy_tree(TOP))
    for path in wanted:
        if re.match(r"tests/(unit|crash)/test_\w+\.c$", path):
            with open(os.path.join(TOP, path), encoding="utf-8") as f:
                files[path] = FILTER + f.read()
    for path in wanted:
        to = os.path.join(tree, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if path in files:
            text = files[path].encode()
            old = open(to, "rb").read() if os.path.exists(to) else None
            if old != text:
                with open(to, "wb") as f:
                    f.write(text)
        elif not os.path.exists(to) or not filecmp.cmp(
                os.path.join(TOP, path), to, shallow=False):
            shutil.copy(os.path.join(TOP, path), to)
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, tree) not in wanted:
                os.remove(path)
    return tree


def program_of(test):
    """The program of a unit test; None: pytest's."""
    found = re.match(r"(unit|crash)/(\w+)", test)
    return "tests/%s/test_%s" % found.groups() if found else None


def modules(out):
    """What programs load when they need it."""
    known = subprocess.run(["ninja", "-C", out, "-t", "targets", "all"],
                           check=True, text=True, stdout=subprocess.PIPE)
    return re.findall(r"(?m)^((?:src|tests/unit)/malote-[\w-]+\.so): ", known.stdout)


def build(files, rows):
    tree, out = write_tree(files), os.path.join(WORK, "build")
    if not os.path.exists(os.path.join(out, "build.ninja")):
        subprocess.run(["meson", "setup", out, tree,
                        "--buildtype=debugoptimized"], check=True,
                       stdout=subprocess.DEVNULL)
    tests = {program_of(r.test) for r in rows if r.test} - {None}
    programs = PROGRAMS + sorted(tests)
    programs += modules(out)
    done = subprocess.run(["ninja", "-C", out, *programs],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit("FAILED the build\n" + "\n".join(
            line for line in done.stdout.splitlines() if "error:" in line))
    return out, programs


# ---- the tests ----

class Runner:
    def __init__(self, out, programs):
        self.out, self.programs = out, programs
        self.limit = {}   # of a test: by how long it takes without a mutant

    def folder(self, name):
        """Where the programs are that mutant, and what they load: links to the
        build."""
        top = os.path.join(WORK, "as", name)
        shutil.rmtree(top, ignore_errors=True)
        for program in self.programs:
            to = os.path.join(top, program)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            os.link(os.path.join(self.out, program), to)
        return top

    def command(self, test, top):
        program = program_of(test)
        if program:
            return [os.path.join(top, program)]
        return ["/usr/bin/python3", "-m", "pytest", "-x", "-c",
                TOP + "/tests/pytest.ini", "--timeout=100",
                TOP + "/tests/integration/" + test]

    def run(self, test, top, log, env):
        """Its exit code, and what it said.  One that does not end is ended."""
        with open(log, "w+b") as f:
            p = subprocess.Popen(self.command(test, top), cwd=TOP, env=env,
                                 stdin=subprocess.DEVNULL, stdout=f,
                                 stderr=f, start_new_session=True)
            try:
                code = p.wait(self.limit.get(test, SECONDS))
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, 9)
                p.wait()
                code = LATE
            f.seek(0)
            return code, f.read().decode("utf-8", "replace")

    def passes(self, name, test):
        """(passed, what it said); a test that does not end has failed."""
        top = self.folder(name)
        log = os.path.join(WORK, "logs", name)
        env = {**os.environ, "MALOTED": top + "/src/maloted",
               "MALOTE": top + "/src/malote", "PYTHONDONTWRITEBYTECODE": "1"}
        if program_of(test) and "::" in test:
            env["MUTANT_TEST"] = test.partition("::")[2]
        with tempfile.TemporaryDirectory(
                prefix="malote-mutant.", ignore_cleanup_errors=True) as tmp:
            os.chmod(tmp, 0o755)  # other users work there, too
            code, said = self.run(test, top, log, {**env, "TMPDIR": tmp})
        if code not in (0, 1, LATE) and program_of(test) is None:
            raise Wrong("pytest cannot run %s: %s" % (test, said[-300:]))
        ran = re.search(r"\b[1-9]\d* passed|PASSED  \] [1-9]", said)
        return code == 0 and bool(ran), said


def each(jobs, what, items):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(what, item): item for item in items}
        for done in concurrent.futures.as_completed(futures):
            yield futures[done], done.result()


def good_without(runner, rows, jobs):
    """The rows whose test passes when no mutant is chosen; says others."""
    def run(numbered):
        number, test = numbered
        start = time.monotonic()
        got = runner.passes("%s-%d" % (NONE, number), test)
        runner.limit[test] = min(SECONDS, 15 + 4 * (time.monotonic() - start))
        return got
    bad = set()
    tests = sorted({r.test for r in rows})
    for (_, test), (passed, said) in each(jobs, run, enumerate(tests)):
        if not passed:
            bad.add(test)
            print("FAILED without a mutant: %s\n%s" % (test, said[-600:]),
                  flush=True)
    return [r for r in rows if r.test not in bad]


def run_all(rows, runner, jobs):
    """How many mutants were noticed; says the survivors."""
    tested = good_without(runner, [r for r in rows if r.test], jobs)
    caught = 0
    for row, (passed, _) in each(
            jobs, lambda r: runner.passes(r.name, r.test), tested):
        caught += not passed
        if passed:
            print("FAILED %s survives %s (%s)" % (row.name, row.test,
                                                  row.file), flush=True)
    return caught


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--rows", action="store_true")
    p.add_argument("--keep", action="store_true",
                   help="what was built for each mutant")
    p.add_argument("-k", default="", metavar="WORD",
                   help="only those with it in their name, file or test")
    p.add_argument("-j", type=int, default=os.cpu_count() or 1)
    return p.parse_args()


def main():
    o, begun = arguments(), time.monotonic()
    rows, faults = read_tables()
    files, more = check(rows)
    faults += more
    for fault in faults:
        print("FAILED", fault)
    rows = [r for r in rows if o.k in "%s %s %s" % (r.name, r.file, r.test)]
    if o.rows or faults:
        print("%d passed, %d failed" % (len(rows) - len(faults), len(faults)))
        return 1 if faults else 0
    os.makedirs(os.path.join(WORK, "logs"), exist_ok=True)
    runner = Runner(*build(files, rows))
    built = time.monotonic()
    caught = run_all(rows, runner, o.j)
    explained = sum(not r.test for r in rows)
    if not o.keep:
        shutil.rmtree(os.path.join(WORK, "as"), ignore_errors=True)
    print("%d explained; built in %d s, run in %d s" % (
        explained, built - begun, time.monotonic() - built))
    failed = len(rows) - explained - caught
    print("%d passed, %d failed" % (caught, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
