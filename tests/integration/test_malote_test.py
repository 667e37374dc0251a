"""malote test: one wrong setting at a time, and one sentence that says what to
write."""
import json
import os
import socket
import threading

import pytest

import faults
import malote
from hostile import letters
from server import free_port

pytestmark = malote.NEEDED


@pytest.fixture
def server(lie):
    return lie(letters(3))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


def tried(m, code, **more):
    """What `malote test --json` says of the one account; and of the same in
    words, the verdict."""
    done = m.run("test", "--json", status=code, **more)
    account = done.account("casa")
    words = m.run("test", status=code, **more).text
    failed = [s for s in account["steps"] if s["verdict"] == "failed"]
    assert len(failed) == (0 if code == malote.OK else 1), done
    if failed:
        assert account["steps"][-1] == failed[0]
        line = next(x for x in words.split("\n")
                    if x.startswith("casa: " + failed[0]["words"]))
        assert failed[0]["advice"] in line, words
        assert failed[0]["said"] in words
    return account, failed[0] if failed else None


def steps(account):
    return [s["step"] for s in account["steps"]]


ALL = ["configuration", "password", "names", "connection", "greeting",
       "capabilities", "sign-in", "stat", "uidl", "top", "destination",
       "space"]


@pytest.mark.core
def test_all_is_well(m, server):
    """Nothing is collected, removed or put on record, and QUIT is said."""
    account, _ = tried(m, malote.OK)
    assert steps(account) == ALL
    assert (account["left"], account["sign_in"]) == (3, "PLAIN")
    assert account["left_octets"] == sum(x.listed for x in server.box.mails)
    server.settle()
    assert m.files() == {} and not os.path.exists(m.home + "/mail")
    assert not os.path.exists(m.state + "/state.db")
    assert not server.commands("RETR", "DELE") and not server.box.removed
    assert len(server.commands("QUIT")) == 2


def test_empty_maildrop(m, server):
    server.box.mails.clear()
    account, _ = tried(m, malote.OK)
    assert steps(account) == [s for s in ALL if s not in ("uidl", "top")]


@pytest.mark.parametrize("verb", ["UIDL", "TOP"])
def test_without(m, server, verb):
    """It will do, and is noted."""
    server.without.add(verb)
    account, _ = tried(m, malote.OK)
    step = next(s for s in account["steps"] if s["step"] == verb.lower())
    assert step["verdict"] == "noted" and step["advice"]


@pytest.mark.parametrize("mode, order", [
    ("tls", ["tls", "greeting", "capabilities", "sign-in"]),
    ("stls", ["greeting", "tls", "capabilities", "sign-in"])])
def test_with_tls(lie, client, certs, mode, order):
    server = lie(letters(1), mode=mode, context=certs.context())
    m = client().account(at=server, server="localhost", ca_file=certs.ca)
    account, _ = tried(m, malote.OK)
    got = steps(account)
    assert got[got.index("connection") + 1:got.index("stat")] == order
    assert account["tls"]["names"] == "localhost, 127.0.0.1"
    assert account["tls"]["version"] == "TLSv1.3"


# What the configuration can say wrong.

def test_wrong_name(m):
    m.account(server="pop.example.invalid")
    _, failed = tried(m, malote.NOHOST)
    assert (failed["step"], failed["cause"]) == ("names", "no-such-host")
    assert 'server = "pop.example.invalid"' in failed["advice"]


def test_nobody_listens(m):
    m.account(port=free_port())
    _, failed = tried(m, malote.UNAVAILABLE)
    assert failed["cause"] == "connection-refused"
    assert 'write port = 995 and security = "tls"' in failed["advice"]


def test_filtered(client):
    """A connection that is not answered: its listener has no more room."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", free_port()))
        s.listen(0)
        full = [socket.socket() for _ in range(3)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(s.getsockname())
        m = client().account(port=s.getsockname()[1], timeout=1)
        _, failed = tried(m, malote.UNAVAILABLE)
        for one in full:
            one.close()
    assert failed["cause"] == "no-answer" and "firewall" in failed["advice"]


@pytest.fixture
def stranger():
    """stranger(octets): a port that says something else."""
    open_ones = []

    def start(octets):
        listener = socket.create_server(("127.0.0.1", free_port()))
        open_ones.append(listener)

        def serve():
            while True:
                try:
                    one, _ = listener.accept()
                    one.sendall(octets)
                    while one.recv(4096):
                        pass
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for one in open_ones:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


@pytest.mark.parametrize("security", ["none", "tls"])
@pytest.mark.parametrize("octets, word", [
    (b"* OK IMAP4rev1 ready\r\n", "IMAP"),
    (b"220 mail.example.org ESMTP\r\n", "SMTP"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH")])
def test_other_ports(client, stranger, security, octets, word):
    m = client().account(port=stranger(octets), security=security, timeout=2)
    _, failed = tried(m, malote.PROTOCOL)
    assert failed["cause"] == "other-protocol"
    if word == "SMTP" and security == "tls":
        word = "sending mail"
    assert word in failed["words"], failed
    assert "port = 995" in failed["advice"]


def test_tls_where_plain_text_begins(m):
    """A port for STARTTLS, with security = "tls"."""
    m.account(security="tls")
    _, failed = tried(m, malote.PROTOCOL)
    assert (failed["step"], failed["cause"]) == ("tls", "wants-starttls")
    assert 'write security = "starttls"' in failed["words"]


def test_plain_text_where_tls_begins(lie, client, certs):
    """And the reverse."""
    server = lie(mode="tls", context=certs.context())
    m = client().account(at=server, server="localhost", security="starttls",
                         timeout=3)
    _, failed = tried(m, malote.PROTOCOL)
    assert (failed["step"], failed["cause"]) == ("greeting", "wants-tls")
    assert 'write security = "tls"' in failed["words"]


def test_starttls_that_is_not_there(m):
    m.account(security="starttls")
    _, failed = tried(m, malote.PROTOCOL)
    assert (failed["step"], failed["cause"]) == ("capabilities",
                                                 "no-starttls")
    assert "port = 995" in failed["advice"]


CERTIFICATES = [
    ("expired", "certificate-expired", "its owner has to renew it"),
    ("future", "certificate-not-yet-valid", "set it right"),
    ("wrong-name", "certificate-name", 'write server = "other.example"'),
    ("unknown", "certificate-issuer", 'fingerprint = "'),
    ("self-signed", "certificate-issuer", 'fingerprint = "'),
    ("antivirus", "intercepted", "Test Avast Mail Shield"),
    ("wrong-purpose", "tls", "not one for servers")]


@pytest.mark.parametrize("kind, cause, words", CERTIFICATES)
def test_certificates(lie, client, certs, kind, cause, words):
    server = lie(mode="tls", context=certs.context(kind))
    m = client().account(at=server, server="localhost", ca_file=certs.ca)
    account, failed = tried(m, malote.PROTOCOL)
    assert (failed["step"], failed["cause"]) == ("tls", cause)
    assert words in failed["words"], failed
    assert words in m.collect(status=malote.PROTOCOL).text
    if words.startswith("finger"):
        assert (words + account["tls"]["fingerprint"] + '"'
                in failed["words"])
        m.account(fingerprint=account["tls"]["fingerprint"], ca_file=None)
        tried(m, malote.OK)


def test_another_fingerprint(lie, client, certs):
    server = lie(mode="tls", context=certs.context())
    m = client().account(at=server, server="localhost", fingerprint=64 * "0")
    account, failed = tried(m, malote.PROTOCOL)
    assert failed["cause"] == "certificate-fingerprint"
    assert account["tls"]["fingerprint"] in failed["words"]


# The sign-in, as known providers refuse it.

REFUSALS = [
    ("[AUTH] Application-specific password required: "
     "https://support.google.com/accounts/answer/185833", "app-password"),
    ("[SYS/PERM] Your account is not enabled for POP access. Please visit "
     "your Gmail settings page and enable your account for POP access.",
     "pop-disabled"),
    ("[AUTH] Web login required: "
     "https://support.google.com/mail/answer/78754", "blocked"),
    ("Basic authentication is disabled.", "oauth"),
    ("[AUTH] parol prilozheniya neobhodim", "app-password"),
    ("[AUTH] login failure or POP3 disabled, try later.", "pop-disabled"),
    ("[AUTH] too many login failures", "too-often"),
    ("[LOGIN-DELAY] wait", "too-often"),
    ("[IN-USE] Mailbox is locked by POP server", "in-use"),
    ("[AUTH] Username and password not accepted.", "password"),
    ("wrong", "password")]


@pytest.mark.parametrize("said, cause", REFUSALS)
def test_refused_sign_in(m, server, said, cause):
    server.fault("AUTH", faults.err(said), times=faults.ALWAYS)
    _, failed = tried(m, None if cause != "password" else malote.NOPERM)
    assert (failed["step"], failed["cause"]) == ("sign-in", cause)
    assert failed["said"] and failed["said"] in said
    assert said not in failed["words"] and failed["advice"]
    assert not os.path.exists(m.state + "/state.db")


@pytest.mark.parametrize("said, advice", [
    ("[AUTH] Application-specific password required", "app password"),
    ("[AUTH] Basic authentication is disabled", "malote add ana@example.org"),
    ("[AUTH] not enabled for POP access", "is POP switched on")])
def test_collect_says_it_too(m, server, said, advice):
    """Behind the server's words, and in all later runs, and in the status."""
    server.fault("AUTH", faults.err(said))
    for done in (m.collect(status=malote.NOPERM),
                 m.collect(status=malote.NOPERM), m.run("status")):
        assert said[7:] in done.text and advice in done.text, done


def test_oauth_only(m, server):
    """Nothing is sent that is of no use there."""
    server.sasl = ["XOAUTH2", "OAUTHBEARER"]
    server.capa.remove("USER")
    _, failed = tried(m, malote.NOPERM)
    assert failed["cause"] == "oauth" and "OAuth only" in failed["words"]
    assert "malote add ana@example.org" in failed["advice"]
    assert "token_command" in m.collect(status=malote.NOPERM).text
    assert not server.commands("AUTH", "USER")


@pytest.mark.parametrize("settings, cause, advice", [
    ({"auth": "scram-sha-256"}, "mechanism", 'leave "auth" out'),
    ({"auth": "apop"}, "mechanism", 'leave "auth" out'),
    ({"password": None, "token_command": "echo x"}, "no-oauth",
     "in place of token_command")])
def test_sign_in_that_is_not_offered(m, server, settings, cause, advice):
    m.account(**settings)
    _, failed = tried(m, malote.NOPERM)
    assert (failed["step"], failed["cause"]) == ("sign-in", cause)
    assert advice in failed["advice"]
    assert advice in m.collect(status=malote.NOPERM).text
    assert not server.commands("AUTH", "USER", "APOP")


@pytest.mark.parametrize("command, advice", [
    ("false", "run that command yourself"), ("true", "run that command")])
def test_password_command(m, command, advice):
    m.account(password=None, password_command=command)
    _, failed = tried(m, malote.CONFIG)
    assert failed["cause"] == "no-password" and advice in failed["advice"]


@pytest.mark.parametrize("said, advice", [
    ("[AUTH] Application-specific password required", "uma senha de app"),
    ("Basic authentication is disabled.", "malote add ana@example.org"),
    ("not enabled for POP access", "o POP está ativado?"),
    ("[IN-USE] locked", "outro programa está com a caixa postal aberta"),
    ("too many logins", "pausas mais longas"),
    ("wrong", "a senha está certa?")])
def test_refused_in_portuguese(m, server, portuguese, said, advice):
    """The server's own words stand as they are."""
    m.env.update(portuguese)
    server.fault("AUTH", faults.err(said), times=faults.ALWAYS)
    account, failed = tried(m, None)
    assert advice in failed["advice"] and failed["said"] in said
    english = m.run("test", "--json", status=None, env={
        "LC_ALL": "C.UTF-8"}).account("casa")
    assert [s["step"] for s in english["steps"]] == steps(account)
    for ours, theirs in zip(account["steps"], english["steps"]):
        assert ours["words"] != theirs["words"] or ours["cause"] == "none"


@pytest.mark.parametrize("user, advice", [
    ("ana", 'the whole address: user = "ana@example.org"'),
    ("ana@example.org", 'without the domain: user = "ana"')])
def test_name_of_the_user(m, user, advice):
    m.account(user=user)
    _, failed = tried(m, malote.NOPERM)
    assert advice in failed["advice"]


@pytest.mark.parametrize("greeting, cause", [
    ("[IN-USE] busy", "in-use"), ("too many connections", "too-often")])
def test_turned_away(m, server, greeting, cause):
    server.fault("GREETING", faults.err(greeting), times=faults.ALWAYS)
    _, failed = tried(m, malote.TEMPFAIL)
    assert (failed["step"], failed["cause"]) == ("greeting", cause)


def test_hung_up(m, server):
    server.fault("GREETING", faults.cut(0), times=faults.ALWAYS)
    _, failed = tried(m, malote.TEMPFAIL)
    assert failed["cause"] == "hung-up"


def test_no_password(m):
    m.account(password=None)
    _, failed = tried(m, malote.CONFIG)
    assert (failed["step"], failed["cause"]) == ("password", "no-password")
    assert "password_command" in failed["words"]


def test_maildrop_that_does_not_open(m, server):
    server.fault("STAT", faults.err("[SYS/PERM] disk"), times=faults.ALWAYS)
    _, failed = tried(m, malote.UNAVAILABLE)
    assert failed["step"] == "stat" and failed["said"] == "disk"


def test_server_that_is_learned_from(m, server):
    """It hangs up at CAPA: that is found out, and not a failure."""
    server.fault("CAPA", faults.cut(0), times=faults.ALWAYS)
    account, _ = tried(m, malote.OK)
    assert steps(account) == ALL


# Where mail goes.

def test_place_that_cannot_be_made(m):
    with open(m.home + "/file", "w"):
        m.account(deliver="maildir:%s/file/a/b" % m.home)
    _, failed = tried(m, None)
    assert (failed["step"], failed["cause"]) == ("destination", "destination")


def test_place_that_is_a_file(m):
    with open(m.home + "/file", "w"):
        m.account(deliver="maildir:%s/file" % m.home)
    _, failed = tried(m, None)
    assert failed["step"] == "destination" and "/file" in failed["words"]


def test_place_that_takes_nothing(m):
    m.account(deliver="command:/nonexistent/procmail")
    _, failed = tried(m, None)
    assert failed["step"] == "destination"
    assert "/nonexistent/procmail" in failed["words"]


def test_too_little_space(m, server):
    server.fault("STAT", faults.say("+OK 3 1000000000000000"),
                 times=faults.ALWAYS)
    _, failed = tried(m, malote.IOERR)
    assert (failed["step"], failed["cause"]) == ("space", "space")
    assert "1000 TB" in failed["words"]


# What can be handed on.

def test_share(m, server):
    """No secret, nobody's name, and the dialogue."""
    m.account(user="ana.maria", email="ana.maria@example.org",
              deliver="maildir:%s/mail" % m.home)
    server.user = "ana.maria"
    server.greeting = b"+OK hello ana.maria@example.org of bia@example.net\r\n"
    server.sasl = []
    text = m.run("test", "--share").out.decode()
    assert "> USER a***\n" in text and "> PASS ****" in text
    assert "< +OK hello a***@example.org of b***@example.net\n" in text
    assert "maildir:~/mail" in text
    for hidden in ("secret", "ana", "maria", "bia", m.home):
        assert hidden not in text.replace("test", ""), text
    assert "Masked above" in text


@pytest.mark.parametrize("said", [
    "Welcome, %s.", "mailbox of '%s' opened", "user=%s", "</var/mail/%s>",
    "%s", "pop.%s.example.org, %s!", "-%s-", "(%s;)"])
def test_share_in_whatever_quotes(m, server, said):
    """The user's name, but not as a part of a server's."""
    m.account(user="ana.maria")
    server.user = "ana.maria"
    server.greeting = ("+OK %s\r\n" % said.replace("%s", "Ana.Maria")).encode()
    text = m.run("test", "--share").out.decode()
    assert "< +OK %s\n" % said.replace(".%s", ".Ana.Maria").replace(
        "%s", "A***") in text



def test_share_is_of_test_only(m):
    done = m.run("collect", "--share", status=malote.USAGE)
    assert "malote collect has no option --share" in done.text


def test_order_and_code(m, server):
    """Each account in turn; the exit code is that of the first that failed."""
    m.account("outra", password="wrong", port=server.port, security="none")
    m.account("terceira", server="pop.example.invalid", security="none")
    done = m.run("test", "--json", status=malote.NOPERM)
    assert [a["name"] for a in json.loads(done.out)["accounts"]] == [
        "casa", "outra", "terceira"]
    only = m.run("test", "--quiet", "casa", "outra", status=malote.NOPERM)
    assert only.out.decode().startswith("outra: sign-in refused; ")


# On a terminal.

def test_password_is_asked_for(m, typist):
    """And not shown; it is not written down either."""
    m.account(password=None)
    t = typist(m, "test")
    t.expect(b"Password for casa")
    assert not t.echoes()
    t.type(b"secret\n")
    assert t.wait() == 0
    assert b"casa: all is well" in t.seen and b"secret" not in t.seen


def test_interrupted_while_asking(m, typist):
    """The terminal gets its echo back."""
    m.account(password=None)
    t = typist(m, "test")
    t.expect(b"Password for casa")
    t.type(b"\x03")
    assert t.wait() == 130 and t.echoes()
