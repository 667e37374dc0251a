"""Connections that a proxy makes for its clients: the PROXY protocol and XCLIENT,
by hand and by haproxy, nginx and Dovecot."""
import os
import socket
import stat
import struct
import time

import pytest

import drop
import pop3
import proxies
from server import PATIENCE, free_port, wait_until

pytestmark = pytest.mark.ours

PROXY, ELSEWHERE = "127.0.0.1", "127.0.0.9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LISTENER = """listener by-%s {
 address = {"127.0.0.1"}
 port = %d
 tls = "%s"
 proxy_from = "127.0.0.1"
%s}
"""


def line(client="203.0.113.7", port=4711):
    return b"PROXY TCP4 %s 192.0.2.1 %d 110\r\n" % (client.encode(), port)


def octets(command=1, family=0x11, body=None):
    if body is None:
        body = (socket.inet_aton("203.0.113.7")
                + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 4711, 110))
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family,
                                   len(body)) + body


def tls_said(client):
    return struct.pack(">BHBL", 0x20, 5, client, 0)


class Site:
    """A server with listeners behind a proxy, by name."""

    def __init__(self, place, serve, config=""):
        self.port = {name: free_port() for name in (
            "plain", "secured", "tls", "xclient")}
        words = {"plain": ("starttls", " plaintext_login = yes\n"),
                 "secured": ("none", " secured = yes\n"),
                 "tls": ("tls", ""),
                 "xclient": ("none", " secured = yes\n proxy = \"xclient\"\n")}
        self.box = place.maildir(drop.make(3, 3))
        self.server = serve(self.box, "".join(
            LISTENER % (name, self.port[name], tls, more)
            for name, (tls, more) in words.items()) + config)

    def last(self, event, count=1):
        return self.server.await_event(event, count)[-1]


@pytest.fixture
def site(place, serve):
    return Site(place, serve)


@pytest.fixture
def dial(connect, site):
    """dial(name of a listener, octets): a connection on which they were sent;
    if it is to greet, it has."""
    def go(name, header, greeting=True, **more):
        s = connect(site.port[name], greeting=False, **more)
        s.send(header)
        s.greeting = s.line() if greeting else None
        return s
    return go


@pytest.fixture
def started():
    running = []
    yield running.append
    for proxy in running:
        proxy.stop()


# ---- by hand ----

@pytest.mark.parametrize("header", [
    line(), octets(), octets(body=octets()[16:] + b"\4\0\1x")],
    ids=["line", "octets", "fields"])
def test_the_client_is_who_the_proxy_says(site, dial, header):
    """S-PROXY-01, 02: in the log, with the proxy beside it."""
    s = dial("plain", header)
    assert s.greeting.startswith(b"+OK")
    s.login()
    assert s.retr(1)
    s.quit()
    for event in ("proxied", "login", "session"):
        said = site.last(event)
        assert (said["ip"], said["by"]) == ("203.0.113.7", PROXY), said
    assert site.last("proxied")["port"] == "4711"


def test_a_header_in_pieces(site, dial):
    """S-PROXY-01: as long as it is not whole nothing is said."""
    for header in (line(), octets()):
        s = dial("plain", b"", greeting=False)
        for i in range(len(header)):
            s.send(header[i:i + 1])
        assert s.line().startswith(b"+OK")
        s.login()
        s.quit()


def test_what_follows_in_the_same_segment(site, dial):
    """The commands of a client that does not wait are its own."""
    s = dial("plain", line() + b"USER user\r\nPASS secret\r\nSTAT\r\n")
    assert [s.line()[:3] for _ in range(3)] == [b"+OK"] * 3


@pytest.mark.parametrize("header", [
    octets(command=0, family=0, body=b""), octets(command=0),
    b"PROXY UNKNOWN\r\n", octets(family=0, body=b"")],
    ids=["local", "local-with-address", "unknown", "unspecified"])
def test_nobody_in_particular(site, dial, header):
    """S-PROXY-03: the address is that of the connection."""
    s = dial("plain", header)
    s.login()
    s.quit()
    said = site.last("session")
    assert said["ip"] == PROXY and "by" not in said


@pytest.mark.parametrize("name", ["plain", "secured", "tls"])
def test_from_elsewhere(site, dial, name):
    """S-PROXY-04: nobody else is heard there, with a header or without."""
    s = dial(name, line(), greeting=False, source=ELSEWHERE)
    assert s.ended()
    assert site.last("turned-away")["why"] == "proxy_from"
    assert not site.server.events("proxied")


@pytest.mark.parametrize("header,why", [
    (b"USER user\r\n", "proxy-header-missing"),
    (b"PROXY TCP4 203.0.113.7 192.0.2.1 1\r\n", "proxy-address"),
    (b"PROXY " + b"x" * 110, "proxy-too-long"),
    (octets(body=octets()[16:] + bytes([4, 2, 0]) + bytes(512)),
     "proxy-too-long"),
    (octets(body=octets()[16:] + bytes([3, 0, 4, 0, 0, 0, 0])), "proxy-sum"),
], ids=["missing", "short", "endless", "long", "sum"])
def test_a_header_that_is_none(site, dial, header, why):
    """S-PROXY-05: the connection ends without a word."""
    s = dial("plain", header, greeting=False)
    assert s.ended()
    assert site.last("session")["why"] == why


def test_a_header_that_does_not_come(site, dial):
    """S-PROXY-05: five seconds, whatever comes meanwhile."""
    s = dial("plain", line()[:-1], greeting=False)
    begun = time.monotonic()
    assert s.ended()
    assert 4 < time.monotonic() - begun < 5 + 10 * PATIENCE
    assert site.last("session")["why"] == "proxy-timeout"


def test_tls_behind_a_header(site, dial):
    """Not an octet of the client's is taken with the header."""
    s = dial("tls", b"", greeting=False)
    s.send(octets())
    s.start_tls()
    assert s.line().startswith(b"+OK")
    s.login()
    s.quit()
    assert site.last("session")["tls"] == "TLSv1.3"


def test_secured(site, dial):
    """S-PROXY-06: as within TLS, but nothing can be bound to it."""
    s = dial("secured", octets())
    offers = s.listing("CAPA")
    assert b"USER" in offers and b"STLS" not in offers
    assert not [o for o in offers if b"PLUS" in o or b"EXTERNAL" in o]
    s.login()
    s.quit()
    for body in (tls_said(1), tls_said(3)):
        s = dial("secured", octets(body=octets()[16:] + body))
        s.login()
        s.quit()
    assert {e["tls"] for e in site.server.await_event("session", 3)} == {
        "proxy"}


@pytest.mark.parametrize("header", [
    octets(body=octets()[16:] + tls_said(0)), octets(command=0)],
    ids=["denied", "local"])
def test_not_secured(site, dial, header):
    """S-PROXY-06: a client whose TLS the proxy denies, and the proxy itself."""
    s = dial("secured", header)
    assert b"USER" not in s.listing("CAPA")
    s.err("USER user")


def test_limits_and_networks(place, serve, connect):
    """The client's address counts, not the proxy's."""
    site = Site(place, serve, 'max_connections_per_address = 2\n'
                'deny_nets = "198.51.100.0/24"\n')

    def dial(client):
        s = connect(site.port["plain"], greeting=False)
        s.send(line(client))
        return s
    held = [dial("203.0.113.%d" % n) for n in (1, 1, 2, 2, 3, 3)]
    assert all(s.line().startswith(b"+OK") for s in held)
    one = dial("203.0.113.1")
    assert one.line() == (b"-ERR [SYS/TEMP] too many connections from your "
                          b"address")
    assert one.ended()
    held[0].quit()
    wait_until(lambda: dial("203.0.113.1").line().startswith(b"+OK"))
    assert dial("198.51.100.1").ended()
    wait_until(lambda: [e for e in site.server.events("session")
                        if (e["ip"], e["why"]) == ("198.51.100.1",
                                                   "deny_nets")])


def test_failures_are_the_clients(place, serve, connect):
    """S-PROXY-07: who guesses behind a proxy holds up nobody else there."""
    site = Site(place, serve, "failure_delay = yes\n")

    def dial(client):
        s = connect(site.port["plain"], greeting=False)
        s.send(line(client))
        s.line()
        return s
    s = dial("203.0.113.1")
    for _ in range(3):
        s.ok("USER user")
        s.err("PASS wrong", "AUTH")
    begun = time.monotonic()
    dial("203.0.113.99").login()
    assert site.last("login-failed", 3)["ip"] == "203.0.113.1"
    told = site.server.ctl("auth", "failures")
    assert "203.0.113.1" in told and PROXY not in told
    assert time.monotonic() - begun < 30 * PATIENCE


# ---- XCLIENT ----

def xclient(s, words):
    return s.command("XCLIENT " + words)


@pytest.fixture
def proxy(connect, site):
    """proxy(): a connection of one that may say XCLIENT."""
    def go(**more):
        return connect(site.port["xclient"], **more)
    return go


def test_xclient(site, proxy):
    """S-XCLIENT-01: another greeting, and the client's address from then on."""
    s = proxy()
    assert s.greeting.startswith(b"+OK [XCLIENT] ")
    again = xclient(s, "ADDR=2001:db8::7 PORT=4711 SESSION=q\"x+/ TTL=4 "
                    "FORWARD=" + "QUJD" * 400 + " NEW=1")
    assert again.startswith(b"+OK") and b"XCLIENT" not in again
    s.login()
    s.quit()
    said = site.last("proxied")
    assert (said["ip"], said["by"], said["port"], said["ttl"]) == (
        "2001:db8::7", PROXY, "4711", "4"), said
    for event in ("login", "session"):
        assert site.last(event)["ip"] == "2001:db8::7"


def test_xclient_ahead(site, proxy):
    """S-XCLIENT-01: as Dovecot sends it, all at once."""
    s = proxy()
    s.send("XCLIENT ADDR=203.0.113.7 TTL=1\r\nUSER user\r\nPASS secret\r\n")
    assert [s.line()[:3] for _ in range(3)] == [b"+OK"] * 3
    assert site.last("login")["ip"] == "203.0.113.7"


def test_xclient_is_for_proxies(site, proxy):
    """S-XCLIENT-02: who comes from elsewhere is a client as any, and may not
    send passwords in clear because of `secured`."""
    s = proxy(source=ELSEWHERE)
    assert b"XCLIENT" not in s.greeting
    assert xclient(s, "ADDR=203.0.113.7") == b"-ERR unknown command"
    s.err("USER user")
    s.quit()
    assert site.last("session")["ip"] == ELSEWHERE


def test_xclient_once(site, proxy):
    """S-XCLIENT-03: before the sign-in, and one time."""
    s = proxy()
    assert xclient(s, "ADDR=203.0.113.7").startswith(b"+OK")
    assert xclient(s, "ADDR=203.0.113.8") == b"-ERR unknown command"
    s = proxy()
    s.login()
    assert xclient(s, "ADDR=203.0.113.8") == b"-ERR not in this state"


def test_xclient_forgets(site, proxy):
    """S-XCLIENT-03: what was said before it was another's."""
    s = proxy()
    s.ok("USER user")
    assert xclient(s, "ADDR=203.0.113.7").startswith(b"+OK")
    assert s.err("PASS secret") == b"-ERR USER comes first"


def test_a_loop_of_proxies(site, proxy):
    """S-XCLIENT-04: each takes one away from TTL."""
    s = proxy()
    assert xclient(s, "ADDR=203.0.113.7 TTL=0").startswith(b"-ERR [SYS/TEMP]")
    assert s.ended()
    assert site.last("session")["why"] == "proxy-loop"


# ---- Unix sockets ----

SOCKET = """listener local {
 socket = "%s"
 mode = "0666"
 proxy_from = "127.0.0.1"
 proxy = "xclient"
}
"""


def test_local_ones_are_not_counted(place, serve):
    """A webmail has all its users' sessions from one place."""
    path = place.path + "/pop3"
    serve(place.maildir(), SOCKET.replace(" proxy_from", "# ").replace(
        " proxy ", "# ") % path + "max_connections_per_address = 2\n")
    held = [pop3.Local(path) for _ in range(5)]
    assert all(s.greeting.startswith(b"+OK") for s in held)
    for s in held:
        s.quit()


def test_local(place, serve):
    """Who is on this machine needs no TLS, is counted by no address, and may be a
    proxy."""
    path = place.path + "/pop3"
    box = place.maildir(drop.make(3, 3))
    server = serve(box, SOCKET % path + 'max_connections_per_address = 2\n'
                   'allow_nets = "127.0.0.0/8 203.0.113.0/24"\n')
    held = [pop3.Local(path) for _ in range(5)]
    s = held[0]
    assert b"STLS" not in s.listing("CAPA")
    s.login()
    assert s.retr(1)
    s.ok("DELE 2")
    s.quit()
    said = server.await_event("session")[-1]
    assert (said["ip"], said["tls"], said["dele"]) == (
        "127.0.0.1", "local", "1")
    s = held[1]
    assert s.greeting.startswith(b"+OK [XCLIENT]")
    assert xclient(s, "ADDR=203.0.113.7").startswith(b"+OK")
    s.login()
    assert server.await_event("login", 2)[-1]["ip"] == "203.0.113.7"
    for s in held:
        s.close()
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    server.stop()
    assert not os.path.exists(path)


def test_folder_of_the_control_socket(place, serve):
    """As /run/malote, which is empty after a boot: it is made before the sockets
    in it."""
    run = place.path + "/made"
    serve(place.maildir(), SOCKET % (run + "/pop3")
          + 'control_socket = "%s/control"\n' % run)
    pop3.Local(run + "/pop3").quit()
    assert stat.S_ISSOCK(os.stat(run + "/control").st_mode)


# ---- by others ----

def test_dovecot(site, place, started, connect):
    """S-XCLIENT-01: all its clients by one connection of its own each."""
    proxy = proxies.Dovecot(place.path + "/dovecot",
                            (PROXY, site.port["xclient"]))
    started(proxy)
    for n in (70, 71):
        s = connect(proxy.port["pop3"], source="127.0.0.%d" % n)
        s.login()
        assert s.retr(1)
        s.quit()
    said = site.server.await_event("session", 2)
    assert {(e["ip"], e["by"], e["login"]) for e in said} == {
        ("127.0.0.70", PROXY, "yes"), ("127.0.0.71", PROXY, "yes")}
    assert all(int(e["ttl"]) > 0 and e["session"] for e in
               site.server.events("proxied"))



def test_haproxy(site, place, started, connect, certs):
    """Both versions, with TLS that it does, sums, and its looks at us."""
    with open(place.path + "/haproxy.pem", "wb") as f:
        for path in (certs["good"].pem, certs["good"].key):
            with open(path, "rb") as part:
                f.write(part.read())
    proxy = proxies.Haproxy(place.path + "/haproxy", ["one", "two", "tls"], """
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen one
  bind 127.0.0.1:%%(one)d
  server s 127.0.0.1:%d send-proxy
listen two
  bind 127.0.0.1:%%(two)d
  server s 127.0.0.1:%d send-proxy-v2 proxy-v2-options crc32c
listen tls
  bind 127.0.0.1:%%(tls)d ssl crt %s/haproxy.pem
  option tcp-check
  tcp-check expect rstring ^\\+OK
  server s 127.0.0.1:%d send-proxy-v2-ssl check inter 200ms
""" % (site.port["plain"], site.port["plain"], place.path,
       site.port["secured"]))
    started(proxy)
    for n, name in enumerate(("one", "two", "tls")):
        s = connect(proxy.port[name], pop3.context() if name == "tls" else
                    None, source="127.0.0.%d" % (50 + n))
        s.login()
        assert s.retr(1)
        s.quit()
        said = wait_until(lambda: [
            e for e in site.server.events("session")
            if e["login"] == "yes" and e["ip"] == "127.0.0.%d" % (50 + n)])
        assert said[0]["by"] == PROXY
    assert site.last("proxied", 3)["tls"] == "TLSv1.3"
    # It looks whether we are well: LOCAL.
    wait_until(lambda: [e for e in site.server.events("session")
                        if e["ip"] == PROXY and "by" not in e])


def test_nginx(site, place, started, connect):
    """It signs in for its client."""
    proxy = proxies.Nginx(place.path + "/nginx", ["pop3"],
                          site.port["plain"], """
  server {
    listen 127.0.0.1:%(pop3)d;
    protocol pop3;
    proxy_protocol on;
    proxy_pass_error_message on;
  }
""")
    started(proxy)
    s = connect(proxy.port["pop3"], source="127.0.0.60")
    s.login()
    assert s.retr(1)
    s.quit()
    said = site.last("session")
    assert (said["ip"], said["by"]) == ("127.0.0.60", PROXY)
