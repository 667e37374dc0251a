"""The Debian packages of this tree, made once for all tests of them."""
import functools
import glob
import os
import re
import shutil
import subprocess

import machine
from server import PATIENCE, TOP

WHERE = machine.SHARED + "/packages"


class CannotMake(Exception):
    """They cannot be made here, and why."""


def run(*words, timeout=60):
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=timeout * PATIENCE)
    assert done.returncode == 0, (words, done.stdout)
    return done.stdout


@functools.lru_cache(maxsize=None)
def make():
    """Into WHERE."""
    for program in ("dh", "lintian", "dh_apparmor"):
        if shutil.which(program) is None:
            raise CannotMake(program + " is not installed")
    shutil.rmtree(WHERE, ignore_errors=True)
    run(TOP + "/packaging/make-packages", WHERE, timeout=1200)


def another(version, folder):
    """The same packages, as another version."""
    os.makedirs(folder)
    for deb in glob.glob(WHERE + "/malote*_*.deb"):
        if "dbgsym" in deb:
            continue
        tree = folder + "/tree"
        run("dpkg-deb", "--raw-extract", deb, tree)
        with open(tree + "/DEBIAN/control") as f:
            control = re.sub(r"(?m)^Version: .*", "Version: " + version,
                             f.read())
        with open(tree + "/DEBIAN/control", "w") as f:
            f.write(control)
        run("dpkg-deb", "--root-owner-group", "--build", tree, folder)
        shutil.rmtree(tree)


def server():
    """The package malote-server: its file."""
    found, = glob.glob(WHERE + "/malote-server_*.deb")
    return found


def needs(deb):
    """The names of the packages that it depends on: of alternatives the first."""
    said = run("dpkg-deb", "--field", deb, "Depends")
    return [re.match(r"[\w.+-]+", x.strip()).group() for x in said.split(",")]
