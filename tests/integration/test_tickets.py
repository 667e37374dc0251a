"""Keys of TLS tickets live for 36 hours at most.  The parent's clock is put
forward (later.c); the others keep theirs, as they have no environment."""
import os
import re
import subprocess

import pytest

import pop3
from server import TOP, wait_until

pytestmark = pytest.mark.ours
HOUR = 3600


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    library = str(tmp_path_factory.mktemp("later") / "later.so")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                    TOP + "/tests/integration/later.c"],
                   check=True, timeout=60)
    return library


@pytest.mark.skipif("asan" in os.environ.get("MALOTED", ""),
                    reason="a sanitizer must be loaded first")
def test_keys_rotate(place, serve, connect, later, tmp_path):
    ahead = tmp_path / "ahead"

    def put_forward(hours):
        """In one: the clock must not go back meanwhile."""
        new = tmp_path / "new"
        new.write_text(str(hours * HOUR))
        new.rename(ahead)

    put_forward(0)
    server = serve(place.maildir(), "workers = 1\n", env={
        "LD_PRELOAD": later, "LATER": str(ahead)})
    tls = pop3.context()

    def ticket():
        first = connect(server.tls_port, tls)
        first.quit()
        return first.sock.session

    def resumes(session):
        again = connect(server.tls_port, tls, session=session)
        used = again.sock.session_reused
        again.quit()
        return used

    tickets, keys = [ticket()], [key_name(server)]
    for hours in 13, 26, 39:
        put_forward(hours)
        wait_until(lambda: key_name(server) != keys[-1], 20, 0.2)
        keys.append(key_name(server))
        assert resumes(tickets[0]) == (hours < 39), hours
        tickets.append(ticket())
    assert len(set(keys)) == 4
    assert all(map(resumes, tickets[1:]))


def key_name(server):
    """A ticket begins with the name of the key that has sealed it."""
    said = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.tls_port,
         "-tls1_2"], input=b"", capture_output=True, timeout=20).stdout
    return re.search(rb"session ticket:\s+0000 - ([0-9a-f -]{47})",
                     said).group(1)
