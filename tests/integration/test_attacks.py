"""Who is not served, who is held up, and that others are not."""
import socket

import pytest

import drop
import pop3
from server import free_port, wait_until

pytestmark = pytest.mark.ours

# Each address of 127.0.0.0/8 is this machine.
HERE, THERE, ELSEWHERE = "127.0.0.1", "127.0.9.1", "127.0.9.2"


@pytest.fixture
def box(place):
    return place.maildir(drop.make(5, 3))


# ---- networks ----

def is_served(port, source):
    with socket.socket() as s:
        s.settimeout(20)
        s.bind((source, 0))
        s.connect((HERE, port))
        try:
            said = s.recv(100)
        except ConnectionResetError:
            said = b""
        assert not said or said.startswith(b"+OK ")
        return said != b""


@pytest.mark.parametrize("config,served", [
    ('deny_nets = "127.0.9.0/24"', (True, False, False)),
    ('allow_nets = "127.0.0.0/24, 127.0.9.2 ::1/128"', (True, False, True)),
    ('allow_nets = "127.0.0.0/8"\ndeny_nets = "127.0.9.1"',
     (True, False, True)),
    ('allow_nets = "2001:db8::/32"', (False, False, False)),
])
def test_networks(serve, box, config, served):
    server = serve(box, config + "\n")
    assert served == tuple(is_served(server.port, source)
                           for source in (HERE, THERE, ELSEWHERE))


def test_networks_of_a_listener(serve, box):
    """Its own list is instead of the others'; TLS is not begun either."""
    server = serve(box, 'allow_nets = "127.0.9.1"\n')
    assert is_served(server.port, THERE)
    with pytest.raises((pop3.Closed, OSError)):
        pop3.Pop3(server.tls_port, pop3.context())
    pop3.Pop3(server.tls_port, pop3.context(), source=THERE).close()
    server.stop()
    port = free_port()
    server = serve(box, 'allow_nets = "127.0.9.1"\nlistener "own" {\n'
                   '\taddress = "127.0.0.1"\n\tport = %d\n\ttls = "none"\n'
                   '\tplaintext_login = yes\n\tallow_nets = "127.0.0.1"\n}\n'
                   % port)
    assert not is_served(server.port, HERE) and is_served(port, HERE)
    assert is_served(server.port, THERE) and not is_served(port, THERE)


def test_a_flood_is_two_lines(serve, box, login):
    """The first has a line of its own, all others together another one."""
    server = serve(box, 'deny_nets = "127.0.9.0/24"\nworkers = 1\n')
    for n in range(300):
        assert not is_served(server.port, "127.0.9.%d" % (n % 250 + 1))
    assert login(server).stat()[0] == 3

    def counted():
        return sum(int(e.get("more", 1)) for e in server.events("turned-away"))

    wait_until(lambda: counted() == 300, 30)
    told = server.events("turned-away")
    assert told[0] == {"ev": "turned-away", "ip": "127.0.9.1",
                       "why": "deny_nets"}
    assert len(told) <= 3 and {e["why"] for e in told[1:]} == {"nets"}
    # Nothing is counted for them: it is as if they had not come.
    assert not [e for e in server.events("session")
                if e["ip"].startswith("127.0.9.")]
