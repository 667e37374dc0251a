#!/usr/bin/python3
"""Holds doc/conformance.md to the tests.

    conformance.py [--fill] [TOP]

A row of the page is "| id | RFC | level | what is asked | where |"; the last
cell has the test files that cite the id, below tests/, and then, where we
knowingly do otherwise, "*otherwise:*" and why.  It is a fault if

  - a test cites an id that the page does not have, or the page has it twice;
  - a row names a file that does not cite the id, or not all that do;
  - a row of the level MUST has neither a test nor an "otherwise".

--fill writes the files into the rows.  A test may cite several ids shortly:
"S-1939-13 to 16", "S-5034-02..06", "S-LOGIN-01, 02".
"""
import collections
import os
import re
import sys

PAGE = "doc/conformance.md"
FOLDERS = ("tests", "fuzz")
NOT_TESTS = ("tests/rules",)  # made-up ids

ID = r"[SCBFM]-(?:[A-Z0-9]+-)?\d\d"
CITED = re.compile(r"\b(%s)(?!\d)((?:(?: to |\.\.|, )\d\d\b(?!,\d))*)" % ID)
MORE = re.compile(r"( to |\.\.|, )(\d\d)")
ROW = re.compile(r"\| (%s) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$" % ID)
FILE = re.compile(r"`([^`]+)`")
OTHERWISE = "*otherwise:*"


def ids(text):
    """The ids that a text cites, the short forms written out."""
    for found in CITED.finditer(text):
        yield found.group(1)
        stem, last = found.group(1)[:-2], int(found.group(1)[-2:])
        for how, number in MORE.findall(found.group(2)):
            first = int(number) if how == ", " else last + 1
            last = int(number)
            for n in range(first, last + 1):
                yield "%s%02d" % (stem, n)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8",
              errors="replace") as f:
        return f.read()


def sources(top):
    for start in FOLDERS:
        for folder, _, names in os.walk(os.path.join(top, start)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), top)
                if not path.startswith(NOT_TESTS) and \
                        not name.endswith((".pyc", ".md")) and \
                        "/corpus/" not in path:
                    yield path


def citations(top):
    """{ id: files that cite it }, files as the page names them."""
    out = collections.defaultdict(set)
    for path in sources(top):
        for cited in ids(read(top, path)):
            out[cited].add(path.removeprefix("tests/"))
    return out


class Row:
    def __init__(self, number, found):
        self.number, self.id = number, found.group(1)
        self.level, where = found.group(3).strip(), found.group(5)
        tests, _, self.otherwise = where.partition(OTHERWISE)
        self.files = set(FILE.findall(tests))


def rows(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = ROW.match(line)
        if found:
            yield Row(number, found)
        elif re.match(r"\|\s*%s\b" % ID, line):
            sys.exit("ERROR %s:%d is no row of five cells" % (PAGE, number))


def faults(top):
    cited = citations(top)
    known = set()
    for row in rows(read(top, PAGE)):
        at = "%s:%d: %s" % (PAGE, row.number, row.id)
        if row.id in known:
            yield "%s stands there twice" % at
        known.add(row.id)
        for path in sorted(row.files - cited[row.id]):
            yield "%s names %s, which does not cite it" % (at, path)
        for path in sorted(cited[row.id] - row.files):
            yield "%s does not name %s: run conformance.py --fill" % (at, path)
        if row.level == "MUST" and not row.files and \
                not row.otherwise.strip():
            yield "%s has no test: write one, or why we do otherwise" % at
    for name in sorted(cited.keys() - known):
        for path in sorted(cited[name]):
            yield "%s cites %s, which %s does not have" % (path, name, PAGE)


def filled(text, cited):
    lines = text.splitlines()
    for row in rows(text):
        cells = lines[row.number - 1].split("|")
        where = ", ".join("`%s`" % path for path in sorted(cited[row.id]))
        if row.otherwise.strip():
            where += "%s%s %s" % (
                "; " if where else "", OTHERWISE, row.otherwise.strip())
        cells[5] = " %s " % where if where else " "
        lines[row.number - 1] = "|".join(cells)
    return "\n".join(lines) + "\n"


def main(arguments):
    fill = "--fill" in arguments
    places = [word for word in arguments if not word.startswith("-")]
    top = places[0] if places else os.path.join(
        os.path.dirname(os.path.realpath(__file__)), "../..")
    if fill:
        text = filled(read(top, PAGE), citations(top))
        with open(os.path.join(top, PAGE), "w", encoding="utf-8") as f:
            f.write(text)
    found = list(faults(top))
    for fault in found:
        print("ERROR " + fault)
    print("%d rows, %d faults" % (len(list(rows(read(top, PAGE)))),
                                  len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
