"""What a kernel lacks is said once, or nothing is started."""
import platform
import subprocess
import sys

import pytest

import drop
from server import TOP, free_port

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"),
                       reason="old_kernel.py does not know the numbers"),
]
OLD = TOP + "/tests/harness/old_kernel.py"


def without(what):
    return sys.executable, OLD, what


def refused(place, what, config):
    """The words with which it does not start."""
    fragment = place.path + "/fragment"
    with open(fragment, "w") as f:
        f.write(config)
    done = subprocess.run(
        [*without(what), TOP + "/tests/serve", "--user", "user", "secret",
         place.maildir(drop.make(1, 2)), "--port", str(free_port()),
         "--config", fragment], timeout=60, stdin=subprocess.DEVNULL,
        capture_output=True, text=True)
    assert done.returncode == 71, done
    assert done.stdout == ""
    # Not even tried.
    assert "worker" not in done.stderr and "ev=listen" not in done.stderr
    return done.stderr


def test_no_landlock(place, serve, login):
    server = serve(place.maildir(drop.make(1, 2)),
                   wrap=without("landlock"))
    session = login(server)
    assert len(session.retr(1)) > 0
    session.quit()
    said, = server.events("sandbox")
    assert said["unconfined"] == "files (no Landlock)"


@pytest.mark.parametrize("what, words", [
    ("landlock", "cannot confine files (no Landlock), and sandbox = require"),
    ("seccomp", "cannot filter system calls (seccomp)")])
def test_required(place, what, words):
    assert words in refused(place, what, 'sandbox = "require"\n')


def test_no_seccomp(place):
    """That is always required."""
    assert "(seccomp)" in refused(place, "seccomp", "")


def test_packaged():
    """It is what the package comes with."""
    with open(TOP + "/packaging/maloted.conf.example") as f:
        assert 'sandbox = "require"\n' in f.read()
