"""What malote says: all that is wrong, in words that a person reads, and
nothing of a password."""

import base64
import os
import stat
import subprocess

import pytest

import faults
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


def test_the_first_command_is_named(m):
    done = m.run("collect", write=False, status=malote.CONFIG)
    assert "begin with: malote add ADDRESS" in done.text


def test_the_example_can_be_begun_with(m):
    subprocess.run(["install", "-D", "-m", "600", os.path.join(
        malote.TOP, "packaging/malote.conf.example"), m.conf], check=True,
        timeout=10)
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o600
    m.run("accounts", write=False)


def test_a_missing_ca_file_is_named(client, lie, certs):
    server = lie(letters(1), mode="stls", context=certs.context())
    m = client().account(at=server, ca_file="/nowhere/ca.pem")
    done = m.collect(status=malote.CONFIG)
    assert b'ca_file = "/nowhere/ca.pem": No such file' in done.err, done


# What a server says.

SECRET = "S3nha!muito longa"


def everything(m, done):
    """All that is said and kept: a run with --json and one with --verbose
    have been made."""
    kept = b""
    for path, _, names in os.walk(m.state):
        for name in names:
            with open(os.path.join(path, name), "rb") as f:
                kept += f.read()
    return b"".join(d.out + d.err for d in done) + kept


@pytest.mark.parametrize("repeat", [
    "-ERR no such command: PASS %s", "-ERR %s", "-ERR [AUTH] %s is wrong",
    "-ERR too long: %.9s"])
def test_a_password_that_is_repeated(client, lie, repeat):
    server = lie(letters(1), sasl=(), password=SECRET)
    server.fault("PASS", faults.say(repeat % SECRET), times=faults.ALWAYS)
    m = client().account(at=server, password=SECRET, patience=0)
    done = [m.collect(*words, status=None)
            for words in ((), ("--json",), ("--verbose",))]
    done += [m.run("status", *words) for words in ((), ("--json",))]
    said = everything(m, done)
    assert b"***" in said
    assert SECRET[:9].encode() not in said


def test_a_password_in_base64_that_is_repeated(client, lie):
    server = lie(letters(1), sasl=("PLAIN",), password=SECRET)
    sent = base64.b64encode(b"\0user\0" + SECRET.encode())
    server.fault("AUTH", faults.say(b"-ERR what is " + sent + b"?\r\n"),
                 times=faults.ALWAYS)
    m = client().account(at=server, password=SECRET, patience=0)
    said = everything(m, [m.collect("--verbose", status=None),
                          m.run("status")])
    assert b"what is ***" in said
    assert sent[8:16] not in said and sent[-4:] not in said


def test_words_in_utf_8(client, lie):
    server = lie(letters(1), sasl=())
    words = "Usuário inválido \u202eoculto"
    server.fault("PASS", faults.say(b"-ERR " + words.encode() + b"\r\n"),
                 times=faults.ALWAYS)
    m = client().account(at=server)
    done = m.collect(status=malote.NOPERM)
    assert "Usuário inválido \\xe2\\x80\\xaeoculto" in done.text
    m.env["LANG"] = "C"
    done = m.collect(status=malote.NOPERM)
    escaped = 'Usu\\xc3\\xa1rio inv\\xc3\\xa1lido \\xe2\\x80\\xaeoculto"'
    assert escaped in done.text  # it was kept on record as UTF-8
    assert escaped in m.collect("--accept", status=malote.NOPERM).text
    m.env["LANG"] = "C.UTF-8"
    m.collect("--accept", status=malote.NOPERM)
    m.env["LANG"] = "C"
    assert escaped in m.run("status").text


@pytest.mark.parametrize("answer", ["-ERR", "-ERR ", "-ERR [AUTH]"])
def test_a_refusal_without_words(client, lie, answer):
    server = lie(letters(1), sasl=())
    server.fault("PASS", faults.say(answer), times=faults.ALWAYS)
    done = client().account(at=server).collect(status=malote.NOPERM)
    assert b"does not say why" in done.err, done
    assert b'""' not in done.err


def test_a_message_refused_without_words(client, lie):
    server = lie(letters(2))
    server.fault("RETR", faults.say("-ERR"), number=1, times=faults.ALWAYS)
    done = client().account(at=server).collect(status="bad")
    assert b"does not say why" in done.err, done


# What a run, and the status, say of it.

def test_what_is_too_large_is_named(client, lie):
    server = lie(letters(3))
    sizes = [len(x.octets) for x in server.box.mails]
    m = client().account(at=server, max_size=max(sizes) - 1)
    done = m.collect()
    assert "a message (%.1f kB) is larger than max_size" % (
        max(sizes) / 1000) in done.text, done
    assert "malote list casa" in done.text
    assert b"1 skipped (larger than max_size)" in done.out, done
    assert b"space" not in done.out + done.err


def test_status_before_anything(m):
    said = m.run("status").text
    assert "never collected" in said and "messages" not in said


def test_status_after_a_refusal(m):
    m.account(password="wrong")
    m.collect(status=malote.NOPERM)
    said = m.run("status").text
    assert "never collected" in said and "messages" not in said


def test_status_of_a_run_that_was_cut(client, lie):
    server = lie(letters(5))
    server.fault("QUIT", faults.err("[SYS/TEMP] busy"), times=faults.ALWAYS)
    m = client().account(at=server, patience=0, keep="no")
    m.collect(status="bad")
    said = m.run("status").text
    assert "no run has come to its end yet" in said, said
    assert "0 messages" not in said, said
