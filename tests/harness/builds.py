"""Builds of maloted that are of another version: of the same source, compiled again
as its build directory says where the version is written, and linked anew."""
import os
import re
import shlex
import subprocess

from server import MALOTED

DIRECTORY = os.path.dirname(os.path.dirname(os.path.realpath(MALOTED)))


def commands():
    """What ninja runs for it."""
    said = subprocess.run(
        ["ninja", "-C", DIRECTORY, "--quiet", "-t", "commands", "src/maloted"],
        check=True, capture_output=True, text=True, timeout=60)
    return [line for line in said.stdout.splitlines() if "maloted" in line]


def run(line):
    subprocess.run(line, shell=True, check=True, cwd=DIRECTORY, timeout=300,
                   stdout=subprocess.DEVNULL)


def says_version(line):
    source = os.path.join(DIRECTORY, shlex.split(line)[-1])
    with open(source, encoding="utf-8") as f:
        return re.search(r"\bVERSION\b", f.read())


def another(version, to):
    """Makes it at `to`."""
    *compile_all, link = commands()
    for n, line in enumerate(x for x in compile_all
                             if "-DVERSION=" in x and says_version(x)):
        was = re.search(r" -o (\S+)", line).group(1)
        now = "%s.%d.o" % (to, n)
        line = re.sub(r" -MD| -M[QF] \S+", "", line)
        run(re.sub(r'-DVERSION="[^"]*"', '-DVERSION="%s"' % version,
                   line).replace(" -o " + was, " -o " + now))
        assert " %s " % was in link
        link = link.replace(" %s " % was, " %s " % now)
    run(re.sub(r" -o src/maloted\b", " -o " + to, link))
    return to
