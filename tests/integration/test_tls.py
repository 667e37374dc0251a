"""TLS from the first octet, and by STLS."""
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest

import drop
import pop3
from server import TOP, wait_until

pytestmark = pytest.mark.core


@pytest.fixture
def server(place, serve):
    return serve(place.maildir(drop.make(5, 8)))


def make_certificate(directory, name="localhost", algorithm="ec"):
    """Returns the files of a certificate and of its key."""
    files = directory + "/%s.pem" % name, directory + "/%s.key" % name
    kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
            "rsa": ["rsa:2048"]}[algorithm]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "90", "-newkey", *kind,
         "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
         "-out", files[0], "-keyout", files[1]],
        check=True, stderr=subprocess.DEVNULL)
    return files


def with_certificate(files):
    return 'certificate = "%s"\nkey = "%s"\n' % files


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_versions(server, connect, version):
    """S-8314-01, 03: both ports."""
    tls = pop3.context(minimum=version, maximum=version)
    for session in (connect(server.tls_port, tls), connect(server.port)):
        if not isinstance(session.sock, ssl.SSLSocket):
            session.stls(tls)
        assert session.sock.version() == {
            ssl.TLSVersion.TLSv1_2: "TLSv1.2",
            ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        session.login()
        assert session.stat()[0] == 8
        session.quit()


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_old_versions(server, version):
    """S-8314-03."""
    said = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.tls_port,
         "-" + version, "-cipher", "ALL:@SECLEVEL=0"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert b"Cipher is (NONE)" in said.stdout
    assert b"+OK" not in said.stdout


@pytest.mark.parametrize("cipher", [
    "AES128-SHA", "AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "NULL-SHA256"])
@pytest.mark.ours
def test_old_ciphers(server, connect, cipher):
    """B-9325-01: only ECDHE with AEAD."""
    tls = pop3.context(maximum=ssl.TLSVersion.TLSv1_2)
    tls.set_ciphers(cipher + ":@SECLEVEL=0")
    with pytest.raises(OSError):
        connect(server.tls_port, tls)


@pytest.mark.parametrize("cipher", [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_ciphers(server, connect, cipher):
    tls = pop3.context(maximum=ssl.TLSVersion.TLSv1_2)
    tls.set_ciphers(cipher)
    session = connect(server.tls_port, tls)
    assert session.sock.cipher()[0] == cipher
    session.login()


@pytest.mark.ours
def test_tls_min(place, serve, connect):
    server = serve(place.maildir(), 'tls_min = "1.3"\n')
    with pytest.raises(OSError):
        connect(server.tls_port,
                pop3.context(maximum=ssl.TLSVersion.TLSv1_2))
    connect(server.tls_port, pop3.context()).quit()


@pytest.mark.ours
def test_alpn(server, connect):
    """"pop3" if the client asks; another protocol is refused."""
    session = connect(server.tls_port, pop3.context(alpn=["pop3"]))
    assert session.sock.selected_alpn_protocol() == "pop3"
    session = connect(server.tls_port, pop3.context(alpn=["imap", "pop3"]))
    assert session.sock.selected_alpn_protocol() == "pop3"
    session = connect(server.tls_port, pop3.context())
    assert session.sock.selected_alpn_protocol() is None
    for alpn in (["http/1.1"], ["h2", "imap"]):
        with pytest.raises(ssl.SSLError):
            connect(server.tls_port, pop3.context(alpn=alpn))
        session = connect(server.port)
        with pytest.raises(ssl.SSLError):
            session.stls(pop3.context(alpn=alpn))


def test_stls_only_once(server, connect):
    """S-2595-01, 02."""
    session = connect(server.port)
    session.err("STLS now")
    session.stls()
    session.err("STLS")
    session.login()
    session.err("STLS")
    connect(server.tls_port, pop3.context()).err("STLS")


@pytest.mark.ours
@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"N", b"USER user\r\n",
                                      b"\0", b"QUIT\r\n" * 5000])
def test_stls_injection(server, connect, injected):
    """S-2595-03: anything behind STLS closes the connection."""
    session = connect(server.port)
    session.send(b"STLS\r\n" + injected)
    got = b""
    while True:
        octets = session.receive()
        if not octets:
            break
        got += octets
    assert got.count(b"\r\n") <= 1
    assert b"-ERR" not in got


def test_stls_injection_is_never_answered(server, connect):
    """S-2595-03, for any server."""
    session = connect(server.port)
    session.send(b"STLS\r\nUSER user\r\n")
    try:
        session.line()
        session.seen = b""
        session.start_tls()
        session.err("PASS secret")
    except (pop3.Closed, OSError):
        pass


@pytest.mark.ours
def test_what_was_said_before_is_forgotten(server, connect):
    """S-2595-04."""
    session = connect(server.port)
    session.ok("USER user")
    session.stls()
    session.err("PASS secret")
    session.login()


def test_failed_handshake_closes(server, connect):
    """S-2595-07."""
    session = connect(server.port)
    session.ok("STLS")
    session.send(b"USER user\r\nPASS secret\r\nSTAT\r\n")
    got = b""
    while True:
        octets = session.receive()
        if not octets:
            break
        got += octets
    assert b"+OK" not in got and b"-ERR" not in got


@pytest.mark.ours
def test_close_notify(server, connect):
    """S-8314-02."""
    session = connect(server.tls_port, pop3.context())
    session.ok("QUIT")
    # Without close_notify this raises.
    assert session.sock.recv(100) == b""
    session.sock.unwrap()


@pytest.mark.ours
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_resumption(place, serve, connect, version):
    """Whichever process answers; also by STLS."""
    server = serve(place.maildir(), "workers = 2\n")
    tls = pop3.context(minimum=version, maximum=version)
    first = connect(server.tls_port, tls)
    first.quit()
    session = first.sock.session
    assert session.has_ticket
    held = []  # open ones make the kernel choose others
    for i in range(24):
        again = connect(server.tls_port, tls, session=session)
        assert again.sock.session_reused, i
        again.multi("CAPA")
        held.append(again)
    again = connect(server.port)
    again.ok("STLS")
    again.start_tls(tls, session)
    assert again.sock.session_reused
    again.login()


def test_no_early_data(server):
    """0-RTT is not offered."""
    said = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.tls_port,
         "-tls1_3", "-ign_eof"], input=b"QUIT\r\n", capture_output=True,
        timeout=20)
    assert b"Max Early Data: 0" in said.stdout


def test_octets_in_small_records(server, connect):
    session = connect(server.tls_port, pop3.context())
    for octet in b"USER user\r\nPASS secret\r\nSTAT\r\n":
        session.send(bytes([octet]))
    for _ in range(3):
        assert session.line().startswith(b"+OK")


def test_truncated_stream_is_no_quit(place, serve, connect):
    """S-8314-02."""
    box = place.maildir(drop.make(5, 3))
    server = serve(box)
    session = connect(server.tls_port, pop3.context())
    session.login()
    session.ok("DELE 1")
    raw = session.sock.detach()
    os.close(raw)
    wait_until(lambda: alone(connect, server))
    assert len(drop.files(box)) == 3


def alone(connect, server):
    session = connect(server.port)
    session.ok("USER user")
    if not session.command("PASS secret").startswith(b"+OK"):
        return False
    session.quit()
    return True


@pytest.mark.ours
def test_handshakes_hold_up_nobody(server, connect, login):
    """S-ENG-25."""
    held = [connect(server.tls_port, greeting=False) for _ in range(50)]
    for session in held:
        session.send(b"\x16\x03\x01\x02")
    login(server).quit()
    login_tls = connect(server.tls_port, pop3.context())
    login_tls.login()
    login_tls.quit()


@pytest.mark.ours
def test_rsa(place, serve, connect):
    files = make_certificate(place.path, algorithm="rsa")
    server = serve(place.maildir(), with_certificate(files))
    session = connect(server.tls_port, pop3.context())
    session.login()


@pytest.mark.ours
def test_new_certificate_on_sighup(place, serve, connect):
    """Who is signed in stays; who comes sees the new one."""
    import shutil
    box = place.maildir(drop.make(5, 3))
    files = make_certificate(place.path)
    server = serve(box, with_certificate(files) + "workers = 2\n")
    session = connect(server.tls_port, pop3.context())
    session.login()
    old = session.sock.getpeercert(True)
    for source, target in zip(make_certificate(place.path, "new"), files):
        shutil.copy(source, target)
    server.signal(signal.SIGHUP)

    def all_new():
        seen = {connect(server.tls_port, pop3.context()
                        ).sock.getpeercert(True) for _ in range(8)}
        return old not in seen and len(seen) == 1
    wait_until(all_new)
    assert session.stat()[0] == 3
    session.quit()

    # A wrong one is refused, and what there was goes on.
    with open(files[1], "w") as f:
        f.write("no key\n")
    server.signal(signal.SIGHUP)
    wait_until(lambda: files[1] in server.log_text())
    connect(server.tls_port, pop3.context()).login()


def check(place, text):
    """maloted --check of a configuration."""
    config = place.path + "/maloted.conf"
    users = place.path + "/users"
    owner = os.geteuid() or 1000
    os.makedirs(place.path + "/mail", exist_ok=True)
    os.chown(place.path + "/mail", owner, -1)
    with open(users, "w") as f:
        f.write("user:{PLAIN}secret:%d:1000::%s::\n" % (owner, place.path))
    os.chmod(users, 0o600)
    with open(config, "w") as f:
        f.write('users = "%s"\nmail = "maildir:%s/mail/%%n"\n'
                'user = "65533"\nauth_user = "65532"\n'
                'listener "a" {\n\tport = 20110\n}\n%s'
                % (users, place.path, text))
    binary = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")
    return subprocess.run([binary, "--check", "-c", config],
                          capture_output=True, text=True, timeout=20)


@pytest.mark.ours
def test_certificate_errors(place):
    """A clear error that names the file."""
    good, key = make_certificate(place.path)
    other = make_certificate(place.path, "other")
    with open(place.path + "/garbage.pem", "w") as f:
        f.write("-----BEGIN CERTIFICATE-----\nAAAA\n")
    garbage = place.path + "/garbage.pem"
    missing = place.path + "/missing.pem"
    done = check(place, with_certificate((good, key)))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "all is well" in done.stdout
    for files, named in [((missing, key), missing), ((good, missing), missing),
                         ((garbage, key), garbage), ((good, garbage), garbage),
                         ((good, other[1]), other[1])]:
        done = check(place, with_certificate(files))
        assert done.returncode == 78, done
        assert named in done.stderr + done.stdout, done


@pytest.mark.ours
@pytest.mark.parametrize("line,word", [
    ("colour = 3\n", "colour"), ('uidl = "maybe"\n', "uidl"),
    ('listener "b" {\n\tport = 123456\n}\n', "port"),
    ("idle_timeout = -1\n", "idle_timeout"), ("trace = perhaps\n", "trace"),
    ('mail = "mbox:/x"\n', "mail"), ("{\n", ""),
    ('tls_min = "1.0"\n', "tls_min"), ('mechanisms = "FOO"\n', "FOO")])
def test_configuration_errors(place, line, word):
    """File, line, and what would be right."""
    done = check(place, line)
    assert done.returncode == 78, done
    said = done.stderr + done.stdout
    assert place.path + "/maloted.conf:" in said
    assert word in said


def test_verified_by_others(place, serve):
    """openssl's own client agrees about the name."""
    server = serve(place.maildir())
    files = place.path + "/seen.pem"
    text = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.port,
         "-starttls", "pop3", "-servername", "localhost"], input=b"QUIT\r\n",
        capture_output=True, timeout=20).stdout
    begin = text.index(b"-----BEGIN CERT")
    with open(files, "wb") as f:
        f.write(text[begin:text.index(b"-----END CERT") + 26])
    for name in ("localhost", "127.0.0.1"):
        kind = "-verify_hostname" if name == "localhost" else "-verify_ip"
        done = subprocess.run(
            ["openssl", "s_client", "-connect",
             "127.0.0.1:%d" % server.tls_port, "-CAfile", files,
             "-verify_return_error", kind, name],
            input=b"QUIT\r\n", capture_output=True, timeout=20)
        assert b"Verification: OK" in done.stdout, done.stdout


@pytest.mark.ours
def test_octets_of_garbage(server, connect):
    """A thousand connections of noise, and the server goes on."""
    import random
    rng = random.Random(1)

    def noise(port):
        for _ in range(125):
            s = socket.create_connection(("127.0.0.1", port))
            try:
                s.sendall(rng.randbytes(rng.randint(1, 600)))
                s.settimeout(0.05)
                s.recv(100)
            except OSError:
                pass
            s.close()
    threads = [threading.Thread(target=noise, args=(port,))
               for port in (server.port, server.tls_port) * 4]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    connect(server.port).login()
