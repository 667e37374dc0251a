"""Commands, states, lines, capabilities, response codes."""
import re
import socket
import struct

import pytest

import drop
import pop3
from server import OURS, wait_until

pytestmark = pytest.mark.core


@pytest.fixture
def server(place, serve):
    return serve(place.maildir(drop.make(5, 8)))


BEFORE = {"TOP", "UIDL", "USER", "SASL PLAIN LOGIN", "RESP-CODES",
          "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "LANG", "UTF8 USER",
          "STLS"}


def capa(session):
    return {line.decode() for line in session.listing("CAPA")}


@pytest.mark.ours
def test_capa(server, connect, login):
    """S-1939-12, S-2449-04 to 10, S-2449-12, S-2449-13, S-2595-05,
    S-5034-01: exactly what works now."""
    assert capa(connect(server.port)) == BEFORE
    after_login = capa(login(server))
    implementation = after_login - BEFORE
    assert after_login == BEFORE - {"STLS"} | implementation
    assert len(implementation) == 1
    assert implementation.pop().startswith("IMPLEMENTATION ")


@pytest.mark.ours
def test_capa_where_passwords_are_refused(server, connect):
    """S-2449-08, S-2595-06, S-5034-11."""
    session = connect(server.refuse_port)
    assert capa(session) == BEFORE - {"USER", "SASL PLAIN LOGIN"}
    session.stls()
    assert capa(session) == BEFORE - {"STLS"}
    assert capa(connect(server.tls_port, pop3.context())) == BEFORE - {"STLS"}


@pytest.mark.ours
def test_passwords_refused_without_tls(server, connect):
    """S-2595-06, S-3206-02, S-8314-05: the same for right and wrong ones, no
    [AUTH]."""
    session = connect(server.refuse_port)
    said = {session.err("USER " + name, "") for name in ("user", "nobody")}
    assert len(said) == 1
    session.err("PASS secret")
    session.err("AUTH PLAIN")
    session.err("AUTH PLAIN AHVzZXIAc2VjcmV0")
    session.err("AUTH LOGIN")
    session.stls()
    session.login()
    session.quit()


def test_greeting(server, connect):
    """S-1939-01, S-1939-11, S-1939-20: one line, no timestamp where APOP is off."""
    session = connect(server.port)
    assert re.fullmatch(rb"\+OK [^<]{1,500}", session.greeting)
    assert session.seen == b""
    session.quit()


def test_status_and_text(server, connect, login):
    """S-1939-05, S-1957-01: capitals in the first column, and some text."""
    for session, lines in [
            (connect(server.port), ["CAPA", "USER user", "PASS x", "FOO"]),
            (login(server), ["STAT", "LIST 1", "LIST 99", "UIDL 1", "TOP 1",
                             "DELE 1", "RSET", "NOOP", "foo", "QUIT"])]:
        for line in lines:
            reply = session.command(line)
            assert re.fullmatch(rb"(\+OK|-ERR) \S.*", reply), (line, reply)
            if line == "CAPA":
                session.data()


NEVER = ["FOO", "HELO there", "LAST", "RPOP user", "XTND XMIT", "VERS", "HELP"]
# Syntax that is wrong in TRANSACTION.
WRONG = ["STAT 1", "LIST 1 2", "LIST 0", "LIST x", "LIST -1", "LIST +1",
         "LIST 1x", "LIST 0x1", "LIST 4294967297", "LIST 18446744073709551617",
         "LIST 99999999999999999999999999", "LIST 9", "UIDL 9", "RETR",
         "RETR 0", "RETR 9", "RETR 1 1", "DELE", "DELE 0", "DELE 9",
         "DELE 1 2", "TOP", "TOP 1", "TOP 1 -1", "TOP 1 x", "TOP 0 1",
         "TOP 9 0", "TOP 1 1 1", "RETR 4294967297", "RETR 1.0"]


def test_wrong_state(server, connect, login):
    """S-1939-07: what is refused in each state."""
    for line in ["STAT", "LIST", "LIST 1", "UIDL", "RETR 1", "TOP 1 1",
                 "DELE 1", "NOOP", "RSET", "PASS secret"]:
        session = connect(server.port)
        session.err(line)
        session.quit()
    session = login(server)
    for line in ["USER user", "PASS secret", "AUTH", "AUTH PLAIN", "STLS",
                 "APOP user 00112233445566778899aabbccddeeff", "UTF8"]:
        session.err(line)
    session.ok("NOOP")


@pytest.mark.parametrize("line", NEVER + WRONG)
def test_wrong_command(server, login, line):
    """S-1939-07, S-ENG-10: one line of -ERR, and the session goes on."""
    if not OURS and line in ("LAST", "STAT 1", "LIST 1 2", "RETR 1 1",
                             "DELE 1 2", "TOP 1 1 1"):
        pytest.skip("other servers take it")
    session = login(server)
    session.err(line, "")
    session.ok("NOOP")
    assert len(session.list()) == 8


@pytest.mark.ours
def test_case_and_spaces(server, connect):
    """S-1939-03, S-1939-04: leading zeros and extra spaces are forgiven."""
    session = connect(server.port)
    session.ok("uSeR user")
    session.ok("pAsS secret")
    session.ok("stat")
    session.ok("LIST 0001")
    session.ok("LIST  1 ")
    session.ok("list\t1")
    session.ok("noop ")
    session.send(b"NOOP\nNOOP\n")  # S-1939-02: bare LF
    assert session.line().startswith(b"+OK")
    assert session.line().startswith(b"+OK")


@pytest.mark.ours
def test_bare_cr_is_no_line_end(server, login):
    """S-1939-02."""
    session = login(server)
    session.err(b"NOOP\rNOOP")
    session.ok("NOOP")


@pytest.mark.ours
def test_bad_octets(server, login, connect):
    """S-ENG-01, S-ENG-02."""
    session = login(server)
    for line in (b"", b" ", b"NO\0OP", b"NOOP\0", b"N\xc3\x95OP", b"\xff" * 9,
                 b"LIST \xb2", b"\0"):
        session.err(line)
    session.ok("NOOP")
    session = connect(server.port)
    session.err(b"USER a\0b")
    session.err(b"PASS x")


def test_name_is_not_echoed_raw(server, connect):
    """S-1939-06."""
    session = connect(server.port)
    reply = session.command(b"USER " + b"x" * 240)
    assert len(reply) <= 510
    session.command(b"PASS wrong")


@pytest.mark.ours
@pytest.mark.parametrize("size", [254, 255, 256, 257, 4000, 60000])
def test_line_length(server, connect, size):
    """S-2449-02: 255 octets with CRLF are taken; a longer line gets one
    -ERR, and its tail is no command."""
    session = connect(server.port)
    line = b"USER " + b"x" * (size - 7)
    if size <= 255:
        session.ok(line)
    else:
        session.err(line[:size - 12] + b"\rQUIT")
    session.ok("CAPA")
    session.data()
    session.login()


@pytest.mark.ours
def test_line_without_end(server, connect):
    """S-2449-02: what never ends is cut off."""
    session = connect(server.port)
    with pytest.raises((pop3.Closed, ConnectionError)):
        for _ in range(100):
            session.send(b"x" * 65536)
        for _ in range(3):
            session.line()


@pytest.mark.ours
def test_ten_bad_commands(server, connect):
    """S-ENG-02: before login only."""
    session = connect(server.port)
    session.send(b"FOO\r\n" * 30)
    lines = []
    with pytest.raises(pop3.Closed):
        while True:
            lines.append(session.line())
    assert len(lines) == 10
    assert all(line.startswith(b"-ERR") for line in lines)


@pytest.mark.ours
def test_bad_commands_after_login(server, login):
    session = login(server)
    session.send(b"FOO\r\n" * 100)
    for _ in range(100):
        assert session.line().startswith(b"-ERR")
    session.ok("NOOP")


@pytest.mark.ours
@pytest.mark.parametrize("first", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 14\r\n\r\nUSER a\r\nPASS b",
    bytes.fromhex("16030100a0010000") + b"\n" * 200,
    bytes.fromhex("1603") ])
def test_other_protocols(server, connect, first):
    """S-ENG-03: one -ERR, then the end."""
    session = connect(server.port)
    session.send(first)
    assert session.line().startswith(b"-ERR")
    assert session.ended()


@pytest.mark.parametrize("tls", [False, True])
def test_burst(server, login, tls):
    """S-2449-11: 10,000 commands at once, answered in order."""
    session = login(server, tls=tls)
    sizes = session.list()
    lines, wanted = [], []
    for i in range(10000):
        n = i % 10 + 1
        lines.append("LIST %d" % n if i % 2 else "NOOP")
        if i % 2 == 0:
            wanted.append(b"+OK")
        elif n <= 8:
            wanted.append(b"+OK %d %d" % (n, sizes[n]))
        else:
            wanted.append(b"-ERR")
    session.send("\r\n".join(lines) + "\r\n")
    for line, want in zip(lines, wanted):
        got = session.line()
        assert got.startswith(want), (line, want, got)
    session.quit()


def test_burst_of_messages(place, serve, login):
    """S-2449-11: more replies than any buffer holds, none lost."""
    messages = drop.make(6, 60)
    session = login(serve(place.maildir(messages)))
    session.send("".join("RETR %d\r\nTOP %d 0\r\n" % (n, n)
                         for n in range(1, 61)) * 5 + "QUIT\r\n")
    got = []
    for _ in range(300):
        assert session.line().startswith(b"+OK")
        got.append(pop3.unstuffed(session.data()))
        assert session.line().startswith(b"+OK")
        assert got[-1].startswith(pop3.unstuffed(session.data()))
    assert sorted(got) == sorted([drop.wire(m.stored) for m in messages] * 5)
    assert session.line().startswith(b"+OK")
    assert session.ended()


def test_commands_split_in_octets(server, connect):
    session = connect(server.port)
    for octet in b"USER user\r\nPASS secret\r\nSTAT\r\nQUIT\r\n":
        session.send(bytes([octet]))
    for _ in range(4):
        assert session.line().startswith(b"+OK")
    assert session.ended()


def test_pipelined_login(server, connect):
    """S-2449-11: also over the change of state, and past a refused one."""
    session = connect(server.port)
    session.send("USER user\r\nPASS wrong\r\nUSER user\r\nPASS secret\r\n"
                 "STAT\r\nCAPA\r\nLIST 1\r\nQUIT\r\n")
    for want in (b"+OK", b"-ERR", b"+OK", b"+OK", b"+OK 8 ", b"+OK"):
        got = session.line()
        assert got.startswith(want), (want, got)
    session.data()
    assert session.line().startswith(b"+OK 1 ")
    assert session.line().startswith(b"+OK")
    assert session.ended()


def segments(sock):
    """TCP segments with data that have come (tcpi_data_segs_in)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, 152)[0]


@pytest.mark.ours
def test_one_write_a_reply(place, serve, login):
    """S-ENG-23: first line, data and terminator leave together."""
    messages = [m for m in drop.make(7, 200) if len(m.stored) < 20000]
    session = login(serve(place.maildir(messages)))
    for line in ["LIST", "UIDL"] + ["RETR %d" % n for n in range(1, 60)]:
        before = segments(session.sock)
        session.multi(line)
        assert segments(session.sock) == before + 1, line


@pytest.mark.ours
def test_terminator_is_not_alone(place, serve, connect):
    """S-ENG-23, for long data: the last write bears more than ".CRLF"."""
    messages = [drop.Message("new", "%d.big" % n, b"x" * 70 + b"\n" * n,
                             drop.EPOCH, "big")
                for n in range(65000, 66000, 37)]
    session = connect(serve(place.maildir(messages)).tls_port,
                      pop3.context())
    session.login()
    for n in range(1, len(messages) + 1):
        session.send("RETR %d\r\n" % n)
        # SSL_read gives one record at a time.
        got = record = session.receive()
        while not got[-5:] == b"\r\n.\r\n":
            record = session.receive()
            assert record
            got += record
        assert len(record) > 3


@pytest.mark.ours
def test_response_codes(place, serve, connect, login):
    """Where they must be and nowhere else."""
    server = serve(place.maildir(drop.make(5, 2)))
    session = login(server)
    other = connect(server.port)
    other.ok("USER user")
    other.err("PASS wrong", "AUTH")
    other.ok("USER user")
    other.err("PASS secret", "IN-USE")
    other.err("AUTH PLAIN AHVzZXIAd3Jvbmc=", "AUTH")
    other.err("AUTH PLAIN AHVzZXIAc2VjcmV0", "IN-USE")
    other.err("PASS secret", "")
    other.err("AUTH UNKNOWN", "")
    session.ok("DELE 1")
    session.err("DELE 1", "")
    session.err("RETR 1", "")
    session.err("FOO", "")
    session.ok("RSET")


@pytest.mark.ours
def test_text_never_begins_with_a_bracket(server, connect):
    """S-2449-09."""
    session = connect(server.port)
    for line in ("USER [AUTH]", "PASS [x]", "[AUTH] x", "AUTH [IN-USE]"):
        assert not re.match(rb"(\+OK|-ERR) \[(?!AUTH\] )",
                            session.command(line))


@pytest.mark.ours
def test_too_many_sessions(place, serve, connect):
    """S-1939-11: turned away with [SYS/TEMP]."""
    server = serve(place.maildir(drop.make(5, 2)),
                   "max_sessions = 4\nworkers = 1\n")
    held = [connect(server.port) for _ in range(4)]
    assert all(s.greeting.startswith(b"+OK") for s in held)
    late = connect(server.port)
    assert late.greeting.startswith(b"-ERR [SYS/TEMP] ")
    assert late.ended()
    held[0].quit()
    held[0].close()

    def let_in():
        session = connect(server.port)
        return session.greeting.startswith(b"+OK")
    wait_until(let_in)


@pytest.mark.ours
def test_connections_of_one_address(place, serve, connect):
    server = serve(place.maildir(drop.make(5, 2)),
                   "max_connections_per_address = 3\n")
    held = [connect(server.port) for _ in range(3)]
    assert all(s.greeting.startswith(b"+OK") for s in held)
    assert connect(server.port).greeting.startswith(b"-ERR")
    for session in held:
        session.quit()
        session.close()
    wait_until(lambda: connect(server.port).greeting.startswith(b"+OK"))
