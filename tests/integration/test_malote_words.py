"""What malote says: all that is wrong, in words that a person reads, and
nothing of a password."""

import os
import stat
import subprocess

import pytest

import malote
from hostile import letters

pytestmark = malote.NEEDED


@pytest.fixture
def server(lie):
    return lie(letters(3))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


# The configuration.

FAULTY = """account "a" {
	email = "a@b.example"
	host = "pop"
	keep = 30
}
account "b" {
	email = "a@b.example"
	server = "pop"
	password = S3nha#x
}
"""


def test_all_faults_at_once(m):
    m.write_conf(FAULTY)
    done = m.run("collect", write=False, status=malote.CONFIG)
    assert b"did you mean server?" in done.err
    assert b":4: keep" in done.err
    assert b":9: a #" in done.err
    assert b"S3nha" not in done.err


@pytest.mark.parametrize("command", ["collect", "status", "accounts"])
def test_json_of_a_faulty_configuration(m, command):
    m.write_conf(FAULTY)
    done = m.run(command, "--json", write=False, status=malote.CONFIG)
    assert done.json["exit_code"] == malote.CONFIG
    assert done.json["accounts"] == []
    assert len(done.json["errors"]) == 3, done
    assert any(":4: keep" in e for e in done.json["errors"]), done


def test_json_without_a_configuration(m):
    done = m.run("--json", write=False, status=malote.CONFIG)
    assert "No such file" in done.json["errors"][0]


def test_json_of_an_unknown_account(m):
    done = m.run("status", "--json", "nobody", status=malote.USAGE)
    assert done.json["exit_code"] == malote.USAGE
    assert "nobody" in done.json["errors"][0]


def test_the_command_for_the_first_file_works(m, tmp_path):
    """What is said is done: the copy is the person's alone."""
    done = m.run("collect", write=False, status=malote.CONFIG)
    words = done.err.decode().split("begin with: ")[1].split()
    assert words[:4] == ["install", "-D", "-m", "600"] and \
        words[5:] == [m.conf], words
    words[4] = os.path.join(malote.TOP, "packaging/malote.conf.example")
    subprocess.run(words, check=True, timeout=10)
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o600
    m.run("accounts", write=False)


def test_a_missing_ca_file_is_named(client, lie, certs):
    server = lie(letters(1), mode="stls", context=certs.context())
    m = client().account(at=server, ca_file="/nowhere/ca.pem")
    done = m.collect(status=malote.CONFIG)
    assert b'ca_file = "/nowhere/ca.pem": No such file' in done.err, done
