"""malote through real SOCKS5 proxies."""
import os
import shutil
import socket
import subprocess

import pytest

import malote
from hostile import letters
from malote import settled
from server import end_with_us, free_port, wait_until

pytestmark = malote.NEEDED
MICROSOCKS = shutil.which("microsocks")
DANTE = shutil.which("danted", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
DANTE_CONF = """
errorlog: stderr
logoutput: {log}
internal: 127.0.0.1 port = {port}
external: lo
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect }}
"""


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Proxy:
    def __init__(self, place, command, port):
        self.port = port
        self.path = place.path + "/proxy.log"
        with open(self.path, "wb") as f:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                preexec_fn=end_with_us)
        wait_until(lambda: listens(port))

    def log(self):
        with open(self.path) as f:
            return f.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def microsocks(place):
    """microsocks(words, wrap): a proxy."""
    if not MICROSOCKS:
        pytest.skip("needs microsocks")
    started = []

    def start(*words, wrap=()):
        port = free_port()
        started.append(Proxy(place, [*wrap, MICROSOCKS, "-i", "127.0.0.1",
                                     "-p", str(port), *words], port))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def server(lie, certs):
    return lie(letters(5), mode="tls", context=certs.context())


@pytest.fixture
def m(client, server, certs):
    return client().account(at=server, server="localhost", ca_file=certs.ca,
                            keep="no")


def through(m, server, proxy, spelling="127.0.0.1:%d"):
    had = list(server.box.mails)
    m.account(proxy=spelling % proxy.port).collect()
    settled(server, m, had, keep=False)


@pytest.mark.core
@pytest.mark.parametrize("spelling", [
    "127.0.0.1:%d", "socks5://127.0.0.1:%d", "localhost:%d"])
def test_microsocks(m, server, microsocks, spelling):
    proxy = microsocks()
    through(m, server, proxy, spelling)
    assert "localhost:%d" % server.port in proxy.log()  # the name itself


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts it")
@pytest.mark.skipif(not DANTE, reason="needs dante-server")
def test_dante(m, server, place):
    port, conf = free_port(), place.path + "/danted.conf"
    log = place.path + "/danted.log"
    with open(conf, "w") as f:
        f.write(DANTE_CONF.format(port=port, log=log))
    proxy = Proxy(place, [DANTE, "-f", conf], port)
    try:
        m.account(server="127.0.0.1")  # it looks no names up in hosts
        through(m, server, proxy)
    finally:
        proxy.stop()


@pytest.mark.parametrize("password", ["pass", "p@ss:w/rd", "ação ${x}"])
def test_password(m, server, microsocks, password):
    proxy = microsocks("-u", "ana", "-P", password)
    through(m, server, proxy, "ana:" + password.replace("%", "%%")
            + "@127.0.0.1:%d")


@pytest.mark.parametrize("who", ["ana:unmistakable@", "rui:unmistakable@", ""])
def test_wrong_password(m, server, microsocks, who):
    """It is not said, and no other way is tried."""
    proxy = microsocks("-u", "ana", "-P", "pass")
    m.account(proxy="%s127.0.0.1:%d" % (who, proxy.port))
    done = m.collect(status=malote.UNAVAILABLE)
    assert "proxy" in done.text and "unmistakable" not in done.text
    assert server.lines == []


def test_password_in_a_file_that_others_read(m, server, microsocks):
    proxy = microsocks("-u", "ana", "-P", "pass")
    m.account(proxy="ana:pass@127.0.0.1:%d" % proxy.port, password=None,
              password_command="echo secret")
    m.write()
    os.chmod(m.conf, 0o644)
    m.run("collect", write=False, status=malote.CONFIG)
    assert server.lines == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_name_that_only_the_proxy_knows(lie, client, certs, place,
                                        microsocks):
    """And the certificate is for that name."""
    hosts = place.path + "/hosts"
    with open(hosts, "w") as f:
        f.write("127.0.0.1 localhost pop.example.test\n")
    proxy = microsocks(wrap=["unshare", "-m", "sh", "-c",
                             "mount --bind %s /etc/hosts && exec \"$@\""
                             % hosts, "sh"])
    server = lie(letters(5), mode="tls", context=certs.context("wildcard"))
    m = client().account(at=server, server="pop.example.test",
                         ca_file=certs.ca, keep="no")
    through(m, server, proxy)
    server.forget()
    m.account(proxy=None).collect(status="bad", seconds=60)
    assert server.lines == []


def test_name_that_the_proxy_does_not_know(m, server, microsocks):
    proxy = microsocks()
    m.account(server="nobody.invalid",
              proxy="127.0.0.1:%d" % proxy.port)
    done = m.collect(status="bad", seconds=60)
    assert done.code in (malote.UNAVAILABLE, malote.NOHOST)
    assert "nobody.invalid" in done.text


def test_server_is_not_there(m, server, microsocks):
    proxy, port = microsocks(), free_port()
    done = m.account(proxy="127.0.0.1:%d" % proxy.port, port=port).collect(
        status=malote.UNAVAILABLE)
    assert str(port) in done.text


def test_no_proxy_there(m, server):
    """Never without it."""
    m.account(proxy="127.0.0.1:%d" % free_port())
    done = m.collect(status=malote.UNAVAILABLE)
    assert "proxy 127.0.0.1" in done.text
    assert server.lines == []


@pytest.mark.parametrize("mode", ["silent", "http", "pop3"])
def test_no_proxy_at_all(m, server, lie, mode):
    """Something else answers, or nothing."""
    greeting = {"silent": b"", "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
                "pop3": b"+OK ready\r\n"}[mode]
    other = lie([], greeting=greeting)
    m.account(proxy="127.0.0.1:%d" % other.port, timeout=2)
    m.collect(status=malote.UNAVAILABLE)
    assert server.lines == []
    assert b"secret" not in other.clear_octets
