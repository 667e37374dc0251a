"""How malote finds its server: names, addresses of both kinds, ports."""
import os
import socket
import ssl
import subprocess
import time

import pytest

import drop
import malote
from hostile import letters
from server import free_port

pytestmark = malote.NEEDED
COUNT = 3


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


SIX = pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
LISTENER = """
listener "six" {
	address = {"::1"}
	port = %d
	tls = "%s"
	plaintext_login = yes
}
"""


@pytest.fixture
def six(place, serve):
    """six(tls): a maloted at ::1; returns (server, port)."""
    def start(tls="starttls"):
        port = free_port()
        return serve(place.maildir(drop.make(91, COUNT)),
                     LISTENER % (port, tls)), port
    return start


def trusted(m, server):
    path = m.home + "/ca.pem"
    with open(path, "w") as f:
        f.write(ssl.get_server_certificate(("127.0.0.1", server.tls_port)))
    return path


@pytest.fixture
def both(client):
    """For wrap=: a localhost of both kinds of addresses."""
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("only root mounts")
    with open(client().home + "/hosts", "w") as f:
        f.write("127.0.0.1 localhost\n::1 localhost\n")
    return ["unshare", "-m", "sh", "-c",
            "mount --bind hosts /etc/hosts && exec \"$@\"", "sh"]


@SIX
@pytest.mark.ours
@pytest.mark.parametrize("name", ["::1", "0:0:0:0:0:0:0:1"])
def test_ipv6(six, client, name):
    """S-1939-01: the server, too."""
    m = client().account(at=six()[1], server=name)
    m.collect()
    assert len(m.files()) == COUNT


@SIX
@pytest.mark.ours
def test_ipv6_where_ipv4_refuses(six, client, both):
    """C-ENG-37."""
    m = client().account(at=six()[1], server="localhost")
    m.collect(wrap=both)
    assert len(m.files()) == COUNT


@SIX
@pytest.mark.ours
@pytest.mark.parametrize("tls, security", [("tls", "tls"),
                                           ("starttls", "starttls")])
def test_ipv6_with_tls(six, client, both, tls, security):
    """C-9525-01, C-2595-05: it is the name that is checked."""
    server, port = six(tls)
    m = client()
    m.account(at=port, server="localhost", security=security,
              ca_file=trusted(m, server))
    m.collect(wrap=both)
    assert len(m.files()) == COUNT


def test_ipv4_where_ipv6_refuses(lie, client, both):
    server = lie(letters(COUNT))
    m = client().account(at=server, server="localhost")
    start = time.monotonic()
    m.collect(wrap=both)
    assert len(m.files()) == COUNT
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("name", ["LOCALHOST", "LocalHost"])
def test_spellings(lie, client, certs, name):
    """C-9525-01: case does not matter, in TLS neither."""
    server = lie(letters(COUNT), mode="tls", context=certs.context())
    m = client().account(at=server, server=name, ca_file=certs.ca)
    m.collect()
    assert len(m.files()) == COUNT


@pytest.mark.parametrize("name", ["", " ", "a b.example",
                                  "x" * 300, "http://pop.example.org",
                                  "pop.example.org:995", "a..b", "\x1b[31m"])
def test_names_that_are_none(client, name):
    """Said at once, with the line of the file."""
    m = client().account(at=free_port(), server=name)
    done = m.collect(status=malote.CONFIG)
    assert "malote.conf:" in done.text and "\x1b" not in done.text


NAMED = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    q, who = s.recvfrom(512)
    end = q.index(b"\\0", 12) + 5
    s.sendto(q[:2] + b"\\x81\\x83\\0\\1\\0\\0\\0\\0\\0\\0" + q[12:end], who)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a network")
def test_no_such_name(client):
    """C-ENG-38: a name server says that there is no such name: 68.

    In a network of its own, with a name server of its own."""
    m = client().account(server="nobody.example.org", timeout=10)
    m.write()
    with open(m.home + "/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.1\n")
    with open(m.home + "/named", "w") as f:
        f.write(NAMED)
    script = ("ip link set lo up && mount --bind resolv.conf "
              "/etc/resolv.conf && { /usr/bin/python3 named >ready & } && "
              "p=$! && while ! test -s ready; do sleep 0.05; done && \"$@\"; "
              "r=$?; kill $p; exit $r")
    probe = subprocess.run(["unshare", "-mn", "ip", "link", "set", "lo",
                            "up"], capture_output=True)
    if probe.returncode:
        pytest.skip("no network of its own here")
    done = m.collect(wrap=["unshare", "-mn", "sh", "-c", script, "sh"],
                     status=malote.NOHOST)
    assert "nobody.example.org" in done.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a network")
def test_no_name_server(client):
    """Then it may be there: not 68, and within the timeout."""
    m = client().account(server="pop.example.org", timeout=2)
    m.write()
    probe = subprocess.run(["unshare", "-n", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("no network of its own here")
    m.collect(wrap=["unshare", "-n"], status=malote.UNAVAILABLE, seconds=6)


# Ports.

@pytest.mark.parametrize("security, mode", [("starttls", "stls"),
                                            ("tls", "tls")])
def test_port_given(lie, client, certs, security, mode):
    """Any port, and what is said there is what the account says."""
    server = lie(letters(COUNT), mode=mode, context=certs.context())
    m = client().account(at=server, server="localhost", ca_file=certs.ca,
                         security=security)
    m.collect()
    assert len(m.files()) == COUNT
    assert (server.commands("STLS") != []) == (mode == "stls")


@pytest.mark.parametrize("security, mode", [("tls", "stls"),
                                            ("starttls", "tls")])
def test_port_for_the_other_kind(lie, client, certs, security, mode):
    """Said, not hung up on without a word; and no password."""
    server = lie(letters(COUNT), mode=mode, context=certs.context())
    m = client().account(at=server, server="localhost", ca_file=certs.ca,
                         timeout=2)
    done = m.account(security=security).collect(status="bad")
    assert done.text.strip() and m.files() == {}
    assert server.commands("AUTH", "PASS") == []


def test_defaults_of_ports(client):
    m = client().account("tls", security=None)
    m.account("starttls", security="starttls", port=None)
    m.account("by-port", security=None, port=110)
    m.account("none", security="none")
    m.write()
    said = {a["name"]: (a["port"], a["security"])
            for a in m.run("accounts", "--json").json["accounts"]}
    assert said == {"tls": (995, "tls"), "starttls": (110, "starttls"),
                    "by-port": (110, "starttls"), "none": (110, "none")}
