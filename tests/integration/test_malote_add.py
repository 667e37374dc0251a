"""malote add: an address is enough."""
import os
import re
import shutil
import stat
import subprocess

import pytest

import browser
import faults
import internet
import malote
import terminal
from hostile import letters
from server import wait_until

pytestmark = [malote.NEEDED, pytest.mark.skipif(
    internet.why_not() is not None, reason=str(internet.why_not()))]
ADDRESS = "ana@example.org"
PASSWORD = "s3 cret'\"x"
COUNT = 3
CANTCREAT = 73

AUTOCONFIG = """<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="%s">
<incomingServer type="imap"><hostname>imap.example.org</hostname>
<port>993</port><socketType>SSL</socketType></incomingServer>
%s</emailProvider></clientConfig>
"""
POP3 = """<incomingServer type="pop3"><hostname>%s</hostname>
<port>%d</port><socketType>%s</socketType><username>%s</username>
<authentication>password-cleartext</authentication></incomingServer>
"""


@pytest.fixture
def net(certs, tmp_path):
    one = internet.Internet(str(tmp_path), certs)
    yield one
    one.close()


@pytest.fixture
def m(client):
    m = client()
    m.conf = m.home + "/.config/malote/malote.conf"
    m.env["XDG_RUNTIME_DIR"] = m.home
    return m


@pytest.fixture
def pop3(net, lie, certs):
    """pop3(names, ...): a POP3 server at the port that is usual."""
    def start(*names, cert=None, mode="tls", port=None, **more):
        more.setdefault("user", ADDRESS)
        more.setdefault("password", PASSWORD)
        cert = cert or certs.named(*names)
        port = port or {"tls": 995}.get(mode, 110)
        return lie(more.pop("mails", letters(COUNT)), mode=mode,
                   context=cert.context(), **more,
                   address=(net.host(*names), port))
    return start


def add(m, net, *words, status=malote.OK, password=PASSWORD, **more):
    """Without a terminal."""
    command = ("printf %%s %s" % shell(password)) if password else None
    if command:
        words += ("--password-command", command)
    return m.run("add", *words, write=False, wrap=net.wrap(), status=status,
                 **more)


def shell(text):
    return "'" + text.replace("'", "'\\''") + "'"


def conf(m):
    with open(m.conf) as f:
        return f.read()


def signed_in(server):
    return server.commands("AUTH") + server.commands("PASS")


def test_by_the_usual_name(m, net, pop3):
    server = pop3("pop.example.org")
    net.start()
    done = add(m, net, ADDRESS)
    assert "pop.example.org" in done.text
    text = conf(m)
    assert 'server = "pop.example.org"' in text and "port" not in text
    assert 'email = "ana@example.org"' in text and "user" not in text
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o600
    assert len(m.files("Mail/" + ADDRESS)) == COUNT
    assert not server.box.removed


def test_a_certificate_that_passes_comes_first(m, net, pop3, certs):
    pop3("pop.example.org", cert=certs.named("pop.example.org", issuer=None))
    pop3("mail.example.org")
    net.start()
    add(m, net, ADDRESS)
    assert 'server = "mail.example.org"' in conf(m)


def test_by_autoconfig(m, net, pop3):
    """In the order of the document; the user's name is what it says."""
    server = pop3("mail.example.org", mode="stls", port=1110, user="ana")
    net.page("autoconfig.example.org", "/mail/config-v1.1.xml", AUTOCONFIG % (
        "example.org", POP3 % ("mail.%EMAILDOMAIN%", 1110, "STARTTLS",
                               "%EMAILLOCALPART%")))
    net.start()
    done = add(m, net, ADDRESS)
    assert "autoconfig" in done.text
    text = conf(m)
    assert 'server = "mail.example.org"' in text
    assert 'security = "starttls"' in text and "port = " in text
    assert 'user = "ana"' in text
    assert server.sessions
    assert len(m.files("Mail/" + ADDRESS)) == COUNT
    assert any("emailaddress=ana%40example.org" in x for x in net.asked())


SMTP = """<outgoingServer type="smtp"><hostname>%s</hostname>
<port>%d</port><socketType>%s</socketType><username>%%EMAILADDRESS%%</username>
</outgoingServer>
"""


@pytest.mark.parametrize("server,port,kind,lines", [
    ("smtp.%EMAILDOMAIN%", 465, "SSL", ['server = "smtp.example.org"']),
    ("mail.example.org", 2587, "STARTTLS", [
        'server = "mail.example.org"', 'security = "starttls"',
        'port = "2587"']),
    ("smtp.example.org", 25, "plain", None),
    ("smtp.stranger.net", 465, "SSL", None),
], ids=str)
def test_the_server_that_sends(m, net, pop3, server, port, kind, lines):
    """It is given the password, so it is of those who have the other one."""
    pop3("mail.example.org")
    net.page("autoconfig.example.org", "/mail/config-v1.1.xml", AUTOCONFIG % (
        "example.org", POP3 % ("mail.example.org", 995, "SSL",
                               "%EMAILADDRESS%") + SMTP % (
                                   server, port, kind)))
    net.start()
    done = add(m, net, ADDRESS)
    text = conf(m)
    for line in lines or []:
        assert "smtp_" + line in text, text
    if lines is None:
        assert "smtp_" not in text
    assert ("smtp.stranger.net" in done.text) == ("stranger" in server)


def test_the_server_that_sends_by_srv(m, net, pop3):
    pop3("in.example.org")
    net.srv("_pop3s._tcp.example.org", "in.example.org", 995)
    net.srv("_submission._tcp.example.org", "out.example.org", 587)
    net.start()
    add(m, net, ADDRESS)
    text = conf(m)
    assert 'smtp_server = "out.example.org"' in text
    assert 'smtp_security = "starttls"' in text and "smtp_port" not in text


def test_by_the_well_known_place(m, net, pop3):
    pop3("mail.example.org")
    net.page("example.org", "/.well-known/autoconfig/mail/config-v1.1.xml",
             AUTOCONFIG % ("example.org", POP3 % (
                 "mail.example.org", 995, "SSL", "%EMAILADDRESS%")))
    net.start()
    add(m, net, ADDRESS)
    assert 'server = "mail.example.org"' in conf(m)
    assert not any(ADDRESS in x or "ana" in x for x in net.asked()
                   if x.startswith("example.org"))


def test_by_the_autoconfig_of_its_mx(m, net, pop3):
    """Somebody else's, and so the person is asked, or says so before."""
    pop3("pop.hoster.net")
    net.mx("example.org", "mx.hoster.net")
    net.page("autoconfig.hoster.net", "/mail/config-v1.1.xml", AUTOCONFIG % (
        "hoster.net", POP3 % ("pop.hoster.net", 995, "SSL",
                              "%EMAILADDRESS%")))
    net.start()
    done = add(m, net, ADDRESS, status=malote.USAGE)
    assert "belongs to hoster.net and not to example.org" in done.text
    assert "--yes" in done.text and not os.path.exists(m.conf)
    add(m, net, ADDRESS, "--yes")
    assert 'server = "pop.hoster.net"' in conf(m)


def test_by_srv(m, net, pop3):
    """RFC 6186: the best of those that answer."""
    pop3("in.example.org", port=10995)
    net.srv("_pop3s._tcp.example.org", "gone.example.org", 995, 0)
    net.srv("_pop3s._tcp.example.org", "in.example.org", 10995, 1)
    net.start()
    add(m, net, ADDRESS)
    assert 'server = "in.example.org"' in conf(m)
    assert 'port = ' in conf(m) and "10995" in conf(m)


def test_srv_elsewhere_is_confirmed(m, net, pop3):
    server = pop3("pop.hoster.net")
    net.srv("_pop3s._tcp.example.org", "pop.hoster.net", 995)
    net.start()
    done = add(m, net, ADDRESS, status=malote.USAGE)
    assert "pop.hoster.net" in done.text and not signed_in(server)


def test_srv_that_says_none(m, net, pop3):
    pop3("mail.example.org")
    net.records.append("--srv-host=_pop3s._tcp.example.org")
    net.start()
    add(m, net, ADDRESS)
    assert 'server = "mail.example.org"' in conf(m)


def test_by_the_mx_of_a_provider(m, net, pop3):
    pop3("email-ssl.com.br")
    net.mx("example.org", "mx.b.locaweb.com.br")
    net.start()
    done = add(m, net, ADDRESS, "--yes")
    assert "Locaweb" in done.text and "mx.b.locaweb.com.br" in done.text
    assert 'server = "email-ssl.com.br"' in conf(m)


def test_provider_wants_an_app_password(m, net, pop3):
    """Gmail, as it says it."""
    server = pop3("pop.gmail.com", user="ana@gmail.com", sasl=())
    net.start()
    server.fault("PASS", faults.err(
        "[AUTH] Application-specific password required: https://support."
        "google.com/accounts/answer/185833"), times=1)
    done = add(m, net, "ana@gmail.com", status="bad")
    assert "app password" in done.text and not os.path.exists(m.conf)
    add(m, net, "ana@gmail.com")
    assert 'server = "pop.gmail.com"' in conf(m)


@pytest.mark.parametrize("address, words", [
    ("ana@icloud.com", "IMAP only"), ("ana@proton.me", "Bridge"),
    ("ana@tuta.com", "its own programs")])
def test_provider_without_pop3(m, net, address, words):
    net.start()
    done = add(m, net, address, status=malote.UNAVAILABLE)
    assert "has no POP3" in done.text and words in done.text
    assert not os.path.exists(m.conf)


def test_nothing_is_found(m, net):
    net.mx("example.org", "mx.example.org")
    net.page("autoconfig.example.org", "/mail/config-v1.1.xml",
             AUTOCONFIG % ("example.org", ""))
    net.start()
    done = add(m, net, ADDRESS, status=malote.NOHOST)
    assert "IMAP" in done.text and "--server NAME" in done.text
    done = add(m, net, "ana@nowhere.test", status=malote.NOHOST)
    assert "is the address right?" in done.text


def test_no_name_server(m, net):
    done = add(m, net, ADDRESS, status=malote.NOHOST)
    assert "is there a network?" in done.text


@pytest.mark.parametrize("address", [
    "ana", "@example.org", "ana@", "ana@example", "a na@example.org",
    "ana@exa mple.org", "ana@ex..org", ""])
def test_no_address(m, net, address):
    done = add(m, net, address, status=malote.USAGE)
    assert not os.path.exists(m.conf), done
    assert "email =" not in done.text


def test_the_command_line_counts_more(m, net, pop3):
    pop3("pop.example.org")
    pop3("stls.example.org", mode="stls", user="ana")
    net.start()
    add(m, net, ADDRESS, "--server", "stls.example.org", "--security",
        "starttls", "--user", "ana")
    assert 'security = "starttls"' in conf(m) and 'user = "ana"' in conf(m)
    assert len(m.files("Mail/" + ADDRESS)) == COUNT


def test_other_protocol_at_the_port(m, net, pop3):
    """IMAP where POP3 is wanted is no server that is found, and is named if it
    is given."""
    server = pop3("pop.example.org", greeting=b"* OK IMAP4rev1 ready\r\n")
    pop3("mail.example.org")
    net.start()
    add(m, net, ADDRESS, "--no-collect")
    assert 'server = "mail.example.org"' in conf(m)
    done = add(m, net, "bea@example.org", "--server", "pop.example.org",
               status="bad")
    assert "IMAP" in done.text and not signed_in(server)


# Certificates.

@pytest.mark.parametrize("days, issuer, words", [
    ((-30, -1), "ca", "expired"), ((-1, 30), None, "by itself"),
    ((-1, 30), "stranger", "issuer")])
def test_certificate_that_does_not_pass(m, net, pop3, certs, days, issuer,
                                        words):
    """Shown with its fingerprint, and what to write; nobody signs in."""
    cert = certs.named("pop.example.org", days=days, issuer=issuer)
    server = pop3("pop.example.org", cert=cert)
    net.start()
    done = add(m, net, ADDRESS, status="bad")
    assert words in done.text
    said = re.search(r"malote add (.*)", done.text).group(1).split()
    assert said == [ADDRESS, "--server", "pop.example.org", "--fingerprint",
                    cert.fingerprint()]
    assert not signed_in(server) and not os.path.exists(m.conf)
    add(m, net, *said)
    assert cert.fingerprint() in conf(m)
    assert len(m.files("Mail/" + ADDRESS)) == COUNT


def test_the_sentence_names_the_port_too(m, net, pop3, certs):
    cert = certs.named("pop.example.org", issuer=None)
    pop3("pop.example.org", cert=cert, mode="stls", port=1110)
    net.srv("_pop3._tcp.example.org", "pop.example.org", 1110)
    net.start()
    done = add(m, net, ADDRESS, status="bad")
    said = re.search(r"malote add (.*)", done.text).group(1).split()
    assert said[1:5] == ["--server", "pop.example.org:1110", "--security",
                         "starttls"]
    add(m, net, *said)
    assert len(m.files("Mail/" + ADDRESS)) == COUNT


def test_certificate_of_the_hosting_company(m, net, pop3, certs):
    server = pop3("pop.example.org", cert=certs.named("box7.hoster.net"))
    net.start()
    done = add(m, net, ADDRESS, status="bad")
    assert "box7.hoster.net" in done.text and not signed_in(server)
    assert not os.path.exists(m.conf)


# What is written.

def test_the_rest_of_the_file_stays(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    old = ("# Bea's, as of 2019\r\naccount bea {\r\n\tserver = pop.other.org"
           "  // old\r\n\temail = bea@other.org\r\n\tkeep = yes\r\n}\r\n"
           "/* the end */")
    os.makedirs(os.path.dirname(m.conf))
    with open(m.conf, "w", newline="") as f:
        f.write(old)
    os.chmod(m.conf, 0o640)
    add(m, net, ADDRESS, "--name", "casa", "--keep", "30d", "--deliver",
        "mbox:~/box")
    with open(m.conf, newline="") as f:
        text = f.read()
    assert text.startswith(old) and 'account "casa" {\r\n' in text
    assert 'keep = "30d"' in text and 'deliver = "mbox:~/box"' in text
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o640
    assert os.listdir(os.path.dirname(m.conf)) == ["malote.conf"]
    assert len(m.mbox("box")) == COUNT


def test_a_file_that_is_wrong_is_left_alone(m, net):
    net.start()
    os.makedirs(os.path.dirname(m.conf))
    with open(m.conf, "w") as f:
        f.write("account bea {\n\tserver =\n")
    done = add(m, net, ADDRESS, status=malote.CONFIG)
    assert "malote.conf:" in done.text
    assert conf(m) == "account bea {\n\tserver =\n"


@pytest.mark.parametrize("old", ["", "\n\n", "# nothing yet\n",
                                 "/* nothing\n * yet */"])
def test_a_file_without_accounts(m, net, pop3, old):
    pop3("pop.example.org")
    net.start()
    os.makedirs(os.path.dirname(m.conf))
    with open(m.conf, "w") as f:
        f.write(old)
    add(m, net, ADDRESS)
    assert conf(m).startswith(old) and 'account "' in conf(m)


def test_json(m, net, pop3):
    """Nothing else is on standard output."""
    pop3("pop.example.org")
    net.start()
    done = add(m, net, ADDRESS, "--json")
    assert done.account(ADDRESS)["name"] == ADDRESS
    done = add(m, net, ADDRESS, "--json", status=malote.USAGE)
    assert "already" in done.json["errors"][0]


def test_the_same_mailbox_twice(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    add(m, net, ADDRESS, "--name", "casa", "--no-collect")
    before = conf(m)
    done = add(m, net, ADDRESS, status=malote.USAGE)
    assert "account casa collects from there already" in done.text
    done = add(m, net, "bea@example.org", "--name", "casa",
               status=malote.USAGE)
    assert "there is an account casa already" in done.text
    assert conf(m) == before


@pytest.mark.parametrize("words, said", [
    (["--keep", "30"], "30d"), (["--keep", "perhaps"], "yes"),
    (["--deliver", "nowhere"], "maildir:"), (["--security", "strong"], "tls"),
    (["--server", "a b"], "no server"), (["--port", "0"], "no port"),
    (["--server", "pop.example.org:x"], "no server"),
    (["--fingerprint", "12"], "fingerprint")])
def test_options_that_make_no_sense(m, net, pop3, words, said):
    server = pop3("pop.example.org")
    net.start()
    done = add(m, net, ADDRESS, *words, status="bad")
    assert said in done.text and not os.path.exists(m.conf)
    assert not server.box.removed


@pytest.mark.parametrize("words", [("--keep", "30"),
                                   ("--keep-password", "pocket"),
                                   ("--ca-file", "/too long" * 200)])
def test_answers_are_looked_at_first(m, net, words):
    """Before anybody is asked for anything."""
    net.start()
    done = add(m, net, ADDRESS, *words, status=malote.USAGE)
    assert words[0] in done.text or "too long" in done.text
    assert "Looking" not in done.text


def test_a_destination_that_takes_nothing(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    with open(m.home + "/file", "w"):
        pass
    done = add(m, net, ADDRESS, "--deliver", "maildir:~/file/x", status="bad")
    assert "/file: Not a directory" in done.text
    assert not os.path.exists(m.conf)


# Passwords.

def test_wrong_password(m, net, pop3):
    server = pop3("pop.example.org")
    net.start()
    done = add(m, net, ADDRESS, password="wrong", status=malote.NOPERM)
    assert not os.path.exists(m.conf)
    assert "wrong" not in done.text.replace("wrong password", "")
    assert len(signed_in(server)) == 1


def test_no_terminal_to_ask_on(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    done = add(m, net, ADDRESS, password=None, status=malote.USAGE)
    assert "--password-command" in done.text and "--keep-password" in done.text


def test_nothing_but_an_address_is_needed_to_be_told_so(m):
    done = m.run("add", write=False, status=malote.USAGE)
    assert "malote add ADDRESS" in done.text


def typed(m, net, *words, stdin, status=malote.OK):
    """The password comes on standard input."""
    script = "printf '%%s\\n' %s | \"$@\"" % shell(stdin)
    return m.run("add", *words, write=False, status=status,
                 wrap=[*net.wrap(), "sh", "-c", script, "sh"])


def test_kept_in_the_file(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    typed(m, net, ADDRESS, "--keep-password", "file", stdin=PASSWORD)
    assert "password = " in conf(m)
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o600
    m.run("collect", write=False, wrap=net.wrap())


def test_kept_in_a_file_that_others_could_read(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    os.makedirs(os.path.dirname(m.conf))
    with open(m.conf, "w") as f:
        f.write("account bea {\n\temail = bea@b.org\n\tserver = b.org\n}\n")
    os.chmod(m.conf, 0o644)
    typed(m, net, ADDRESS, "--keep-password", "file", stdin=PASSWORD)
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o600


def test_kept_nowhere(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    typed(m, net, ADDRESS, "--keep-password", "ask", "--no-collect",
          stdin=PASSWORD)
    assert "password" not in conf(m)


@pytest.fixture
def store(m):
    """pass, set up."""
    m.env["GNUPGHOME"] = m.home + "/gpg"
    os.makedirs(m.env["GNUPGHOME"], 0o700)
    try:
        for words in (["gpg", "--batch", "--passphrase", "", "--quick-gen-key",
                       "ana"], ["pass", "init", "ana"]):
            subprocess.run(words, env=m.env, check=True, capture_output=True,
                           timeout=60)
        yield
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=m.env, check=True)


PASS = pytest.mark.skipif(not all(map(shutil.which, ("pass", "gpg"))),
                          reason="needs pass and gpg")


@PASS
def test_kept_in_pass(m, net, pop3, store):
    pop3("pop.example.org")
    net.start()
    typed(m, net, ADDRESS, "--keep-password", "pass", stdin=PASSWORD)
    assert ("password_command = \"pass show malote/%s\"" % ADDRESS
            in conf(m).replace("'", '"'))
    assert len(m.files("Mail/" + ADDRESS)) == COUNT


@PASS
def test_kept_beside_another_in_pass(m, net, pop3, store):
    """An account's password stays its own when another one gets the name that
    it had."""
    first = pop3("pop.example.org")
    pop3("pop.example.net", user="ana@example.net", password="other")
    net.start()
    typed(m, net, ADDRESS, "--name", "work", "--keep-password", "pass",
          stdin=PASSWORD)
    m.run("rename", "work", "old", write=False)
    typed(m, net, "ana@example.net", "--name", "work", "--keep-password",
          "pass", stdin="other")
    first.box.mails += letters(1, seed=8, uid="new%d")
    m.run("collect", write=False, wrap=net.wrap())
    assert '"pass show malote/work-2"' in conf(m)


KEYRING = all(shutil.which(program) for program in (
    "gnome-keyring-daemon", "secret-tool", "dbus-run-session"))


@pytest.mark.skipif(not KEYRING, reason="needs gnome-keyring, secret-tool")
def test_kept_in_the_keyring(m, net, pop3):
    pop3("pop.example.org")
    net.start()
    script = ("printf x | gnome-keyring-daemon --unlock --components=secrets "
              ">/dev/null && printf '%%s\\n' %s | \"$@\" && "
              "secret-tool lookup service pop3 host pop.example.org "
              "user %s" % (
                  shell(PASSWORD), ADDRESS))
    done = m.run("add", ADDRESS, "--keep-password", "keyring", write=False,
                 wrap=[*net.wrap(), "dbus-run-session", "--", "sh", "-c",
                       script, "sh"])
    assert done.out.decode().endswith(PASSWORD) and "keyring = " in conf(m)
    assert len(m.files("Mail/" + ADDRESS)) == COUNT


def test_no_keyring(m, net, pop3):
    """Said, and nothing is written."""
    pop3("pop.example.org")
    net.start()
    done = typed(m, net, ADDRESS, "--keep-password", "keyring",
                 stdin=PASSWORD, status=malote.CONFIG)
    assert "keyring" in done.text and not os.path.exists(m.conf)


# A person at a terminal.

@pytest.fixture
def person(net, m):
    """person(words, (what is asked, what is typed), ..., env): types each
    answer when it is asked for, and returns the terminal after its end."""
    started = []

    def sit(*words, dialogue=(), env=None, status=malote.OK):
        t = terminal.Terminal([*net.wrap(), malote.BINARY, *words], m.home,
                              {**m.env, "TERM": "xterm", **(env or {})})
        started.append(t)
        for asked, answer in dialogue:
            t.expect(asked.encode())
            t.type(answer if isinstance(answer, bytes)
                   else answer.encode() + b"\n")
        code = t.wait()
        t.text = t.seen.decode("utf-8", "replace").replace("\r\n", "\n")
        # Words are broken where the line is full.
        t.words = " ".join(t.text.split())
        assert code == status, (code, t.text)
        return t

    yield sit
    for one in started:
        one.close()


SLIPS = {
    "C": (
        ("E-mail address", "ana@"), ("E-mail address", "ana@gmial.com"),
        ("Did you mean ana@gmail.com?", ""),
        ("Password for ana@gmail.com at pop.gmail.com", "my usual one"),
        ("Password for ana@gmail.com at pop.gmail.com", "abcd efgh"),
        ("Keep them there", "perhaps"), ("Keep them there", "30"),
        ("Folder", "/dev/null/x"), ("Folder", "Mail/casa"),
        ("1 to 2", "7"), ("1 to 2", "1")),
    "pt": (
        ("Endere\u00e7o de e-mail", "ana@"),
        ("Endere\u00e7o de e-mail", "ana@gmial.com"),
        ("Voc\u00ea quis dizer ana@gmail.com?", "s"),
        ("Senha de ana@gmail.com em pop.gmail.com", "a de sempre"),
        ("Senha de ana@gmail.com em pop.gmail.com", "abcd efgh"),
        ("Deix\u00e1-las l\u00e1", "talvez"),
        ("Deix\u00e1-las l\u00e1", "30 dias"),
        ("Pasta", "/dev/null/x"), ("Pasta", "Mail/casa"),
        ("1 a 2", "7"), ("1 a 2", "1")),
}
TOLD = {
    "C": ("There is no account yet", "write NAME@DOMAIN", "Gmail:",
          "POP has to be allowed first", "wants an app password",
          "a number of days", "Not a directory", "3 messages collected"),
    "pt": ("Ainda n\u00e3o h\u00e1 nenhuma conta", "Gmail:",
           "antes \u00e9 preciso permitir o POP", "senha de app",
           "um n\u00famero de dias", "3 mensagens"),
}


@pytest.mark.slow
@pytest.mark.parametrize("language", ["C", "pt"])
def test_a_slip_in_each_step(net, pop3, m, person, request, language):
    """A person who has read nothing types malote, and errs each time."""
    env = request.getfixturevalue("portuguese") if language == "pt" else None
    server = pop3("pop.gmail.com", user="ana@gmail.com",
                  password="abcd efgh", sasl=())
    server.fault("PASS", faults.err(
        "[AUTH] Application-specific password required"), times=1)
    net.start()
    t = person(dialogue=SLIPS[language], env=env)
    for words in TOLD[language]:
        assert words in t.words, (words, t.text)
    assert "abcd efgh" not in t.text and "usual one" not in t.text
    text = conf(m)
    assert 'keep = "30d"' in text and "~/Mail/casa" in text
    assert "password = " in text and "abcd efgh" in text
    assert stat.S_IMODE(os.stat(m.conf).st_mode) == 0o600
    assert len(m.files("Mail/casa")) == COUNT and not server.box.removed


def test_a_person_names_the_server(net, pop3, m, person):
    """Nothing is found: typed wrong, as a URL, one that speaks IMAP, then
    right."""
    net.mx("example.org", "mx.example.org")
    pop3("pop.example.org", greeting=b"* OK IMAP4rev1 ready\r\n")
    pop3("correio.example.org", port=1995)
    net.start()
    t = person("add", ADDRESS, dialogue=(
        ("Ask Autodiscover", ""), ("POP3 server", "http://example.org/"),
        ("POP3 server", "pop.example.org"),
        ("POP3 server", "coreio.example.org"),
        ("POP3 server", "correio.example.org:1995"),
        ("Password for", PASSWORD), ("Keep", "no"), ("Folder", ""),
        ("1 to", "2")))
    assert "is no server" in t.words and "it speaks IMAP" in t.words
    assert "there is no computer of that name" in t.words
    assert 'server = "correio.example.org"' in conf(m)
    assert "password" not in conf(m)
    assert not [x for x in net.asked() if "autodiscover" in x]


def test_a_domain_that_is_none_is_asked_for_again(net, pop3, m, person):
    pop3("pop.example.org")
    net.start()
    t = person("add", "ana@exmaple.org", dialogue=(
        ("E-mail address", ADDRESS), ("Password for", PASSWORD),
        ("Keep", ""), ("Folder", ""), ("1 to", "")))
    assert "is the address right?" in t.words
    assert 'email = "ana@example.org"' in conf(m)


def test_a_second_slip(net, pop3, m, person):
    """In the address that is asked for again."""
    pop3("pop3.uol.com.br", user="ana@uol.com.br")
    net.start()
    person("add", "ana@uolll.com.br", "--no-collect", dialogue=(
        ("E-mail address", "ana@uol.con.br"),
        ("Did you mean ana@uol.com.br?", ""),
        ("Password for ana@uol.com.br at pop3.uol.com.br", PASSWORD),
        ("Keep", ""), ("Folder", ""), ("1 to", "")))
    assert 'server = "pop3.uol.com.br"' in conf(m)


AUTODISCOVER = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/\
responseschema/2006"><Response><Account><AccountType>email</AccountType>
<Protocol><Type>POP3</Type><Server>hidden.example.org</Server>
<Port>995</Port><LoginName>ana</LoginName><SSL>on</SSL></Protocol>
</Account></Response></Autodiscover>
"""


@pytest.mark.parametrize("answer, keep", [
    ("", "yes"), ("y", "yes"), ("Yes", "yes"), ("n", "no"), ("NO", "no"),
    ("nao", "no"), ("n\u00e3o", "no"), ("7", "7d"), ("7 days", "7d"),
    ("2w", "2w"), ("never delete", None), ("none", None), ("0x", None),
    ("-1", None)])
def test_what_is_kept(net, pop3, m, person, answer, keep):
    """What may mean that nothing is to be deleted is asked again."""
    server = pop3("pop.example.org")
    net.start()
    more = () if keep else (("a number of days", ""),)
    person("add", ADDRESS, "--no-collect", "--deliver", "maildir:~/x",
           "--password-command", "printf %%s %s" % shell(PASSWORD),
           dialogue=(("Keep them there", answer), *more))
    assert 'keep = "%s"' % (keep or "yes") in conf(m)
    assert not server.box.removed


@pytest.mark.parametrize("agreed", [True, False])
def test_autodiscover(net, pop3, m, person, agreed):
    """Only if the person agrees, as it is told the address."""
    net.mx("example.org", "mx.example.org")
    pop3("hidden.example.org", user="ana")
    net.page("autodiscover.example.org", "/autodiscover/autodiscover.xml",
             AUTODISCOVER)
    net.start()
    if agreed:
        person("add", ADDRESS, "--no-collect", dialogue=(
            ("Ask Autodiscover", "y"), ("Password for", PASSWORD),
            ("Keep", ""), ("Folder", ""), ("1 to", "")))
        assert 'server = "hidden.example.org"' in conf(m)
        assert 'user = "ana"' in conf(m)
    else:
        person("add", ADDRESS, dialogue=(
            ("Ask Autodiscover", "n"), ("POP3 server", "")),
            status=malote.TEMPFAIL)
        assert not os.path.exists(m.conf)
    assert agreed == any("POST /autodiscover" in x for x in net.asked())


def test_another_owner_is_confirmed(net, pop3, m, person):
    server = pop3("pop.hoster.net")
    net.srv("_pop3s._tcp.example.org", "pop.hoster.net", 995)
    net.start()
    t = person("add", ADDRESS, dialogue=(
        ("Is that right? [y/N]", ""), ("POP3 server", "")),
        status=malote.TEMPFAIL)
    assert "belongs to hoster.net and not to example.org" in t.words
    assert not signed_in(server) and not os.path.exists(m.conf)
    person("add", ADDRESS, "--no-collect", dialogue=(
        ("Is that right?", "y"), ("Password for", PASSWORD), ("Keep", ""),
        ("Folder", ""), ("1 to", "")))
    assert 'server = "pop.hoster.net"' in conf(m)


def test_the_name_of_the_certificate_is_taken(net, pop3, m, person, certs):
    """Shared hosting, where the user is the local part, too."""
    first = pop3("pop.example.org", cert=certs.named(
        "*.hoster.net", "box7.hoster.net", "hoster.net"))
    pop3("box7.hoster.net", user="ana")
    net.start()
    person("add", ADDRESS, "--no-collect", dialogue=(
        ("Is that the name of your provider's server?", "y"),
        ("Password for ana@example.org at box7.hoster.net", PASSWORD),
        ("Password for", ""), ("User name (Enter: ana@example.org)", "ana"),
        ("Password for", PASSWORD), ("Keep", ""), ("Folder", ""),
        ("1 to", "")))
    assert 'server = "box7.hoster.net"' in conf(m)
    assert 'user = "ana"' in conf(m)
    assert not signed_in(first)


def test_a_password_with_a_slip_is_asked_for_again(net, pop3, m, person):
    """And before the user's name, as that is seen when it is typed."""
    pop3("pop.example.org")
    net.start()
    t = person("add", ADDRESS, "--no-collect", dialogue=(
        ("Password for", "s3cret"), ("Password for", ""),
        ("User name", ""), ("Password for", "s3crte"),
        ("Password for", PASSWORD), ("Keep", ""), ("Folder", ""),
        ("1 to", "")))
    assert "s3cret" not in t.text and "s3crte" not in t.text
    assert "user" not in conf(m)


def test_pop_is_switched_on_meanwhile(net, pop3, m, person):
    server = pop3("pop.example.org")
    server.fault("AUTH", faults.err(
        "[SYS/PERM] POP access is disabled for this account"), times=1)
    net.start()
    t = person("add", ADDRESS, "--no-collect", dialogue=(
        ("Password for", PASSWORD), ("Password for", PASSWORD), ("Keep", ""),
        ("Folder", ""), ("1 to", "")))
    assert "POP access is disabled" in t.words
    assert os.path.exists(m.conf)


LEAVING = (("E-mail address", ADDRESS), ("Password for", PASSWORD),
           ("Keep", ""), ("Folder", ""), ("1 to", ""))


@pytest.mark.parametrize("step", range(len(LEAVING)))
def test_left_by_ctrl_d(net, pop3, m, person, step):
    """Nothing is saved, and nothing has changed there."""
    server = pop3("pop.example.org")
    net.start()
    more = (("Try again?", b"\x04"),) if step == 1 else ()
    person("add", dialogue=(*LEAVING[:step], (LEAVING[step][0], b"\x04"),
                            *more), status=malote.TEMPFAIL)
    assert not os.path.exists(m.conf) and not server.box.removed


def test_left_by_ctrl_c_at_the_password(net, pop3, m):
    """The terminal gets its echo back."""
    pop3("pop.example.org")
    net.start()
    t = terminal.Terminal(
        ["sh", "-c", "\"$@\"; echo it ended; sleep 60", "sh", *net.wrap(),
         malote.BINARY, "add", ADDRESS], m.home, {**m.env, "TERM": "xterm"})
    try:
        t.expect(b"Password for")
        wait_until(lambda: not t.echoes())
        t.type(b"half\x03")
        wait_until(t.echoes)
    finally:
        t.close()
    assert not os.path.exists(m.conf)


def test_typed_once_though_it_is_kept_nowhere(net, pop3, m, person):
    pop3("pop.example.org")
    net.start()
    t = person("add", ADDRESS, dialogue=(
        ("Password for", PASSWORD), ("Keep", ""), ("Folder", ""),
        ("1 to", "2")))
    assert t.text.count("Password for") == 1
    assert len(m.files("Mail/" + ADDRESS)) == COUNT
    assert "password" not in conf(m)


def test_a_folder_that_is_an_mbox(net, pop3, m, person):
    pop3("pop.example.org")
    net.start()
    with open(m.home + "/inbox", "w"):
        pass
    person("add", ADDRESS, dialogue=(
        ("Password for", PASSWORD), ("Keep", ""), ("Folder", "inbox"),
        ("1 to", "")))
    assert len(m.mbox("inbox")) == COUNT


def test_a_file_that_is_no_mbox(net, pop3, m, person):
    """Nothing is written behind what is there."""
    pop3("pop.example.org")
    net.start()
    with open(m.home + "/letter.txt", "w") as f:
        f.write("Dear Bea\n")
    t = person("add", ADDRESS, dialogue=(
        ("Password for", PASSWORD), ("Keep", ""), ("Folder", "letter.txt"),
        ("Folder", "box"), ("1 to", "")))
    assert "letter.txt is a file of another kind" in t.words
    assert len(m.files("box")) == COUNT
    with open(m.home + "/letter.txt") as f:
        assert f.read() == "Dear Bea\n"


def test_a_name_that_was_taken_meanwhile(net, pop3, m, person):
    """By another malote, while this one asked: the file stays right."""
    pop3("pop.example.org")
    net.start()
    t = terminal.Terminal(
        [*net.wrap(), malote.BINARY, "add", ADDRESS], m.home,
        {**m.env, "TERM": "xterm"})
    try:
        for asked, answer in (("Password for", PASSWORD), ("Keep", ""),
                              ("Folder", "")):
            t.expect(asked.encode())
            t.type(answer.encode() + b"\n")
        t.expect(b"1 to")
        add(m, net, ADDRESS, "--no-collect")
        before = conf(m)
        t.type(b"2\n")
        assert t.wait() == CANTCREAT
        assert b"there is an account ana@example.org already" in t.seen
    finally:
        t.close()
    assert conf(m) == before


# Tokens of the provider.

@pytest.fixture
def give(net, certs):
    """give(): an authorisation server, stopped after the test."""
    provider = pytest.importorskip("provider")
    started = []

    def start(**more):
        started.append(provider.Provider(certs.context(), **more))
        return started[-1]
    yield start
    for one in started:
        one.stop()


SIGN_IN = re.compile(rb"https://localhost:\d+/authorize\S+")


def by_browser(net, m, certs, given, dialogue, *words, status=malote.OK):
    """The person signs in at the provider, and answers the rest."""
    t = terminal.Terminal([*net.wrap(), malote.BINARY, "add", *words],
                          m.home, {**m.env, "TERM": "xterm"}, columns=2000)
    try:
        for asked, answer in dialogue:
            if asked == "browser":
                t.expect(b"/authorize")
                wait_until(lambda: t.read() and SIGN_IN.search(t.seen)
                           and b"\n" in t.seen[SIGN_IN.search(t.seen).end():])
                page = browser.visit(
                    SIGN_IN.search(t.seen).group().decode(), certs.ca)
                assert page[0] == 200, page
                continue
            t.expect(asked.encode())
            t.type(answer.encode() + b"\n")
        code = t.wait()
    finally:
        t.close()
    text = t.seen.decode("utf-8", "replace")
    assert code == status, text
    for token in given.tokens:
        assert token.access not in text and token.access not in conf(m)
    return text


def test_signed_in_by_browser(m, net, pop3, give, certs):
    """No password is typed into malote: who it is there stands in the
    configuration already."""
    given = give()
    net.mx("example.org", "aspmx.l.google.com")
    server = pop3("pop.gmail.com", sasl=["PLAIN", "XOAUTH2"])
    server.takes = given.is_good
    net.start()
    os.makedirs(os.path.dirname(m.conf))
    old = "# who we are\noauth google {\n%s}\n" % "".join(
        "\t%s = %s\n" % (key, malote.quoted(value))
        for key, value in given.settings(certs.ca, flow="browser").items())
    with open(m.conf, "w") as f:
        f.write(old)
    os.chmod(m.conf, 0o600)
    text = by_browser(net, m, certs, given, (
        ("Is that right?", ""), ("browser", ""), ("Keep", ""),
        ("Folder", "")), ADDRESS, "--state", m.state)
    assert "Password" not in text and "Where shall the password" not in text
    assert conf(m).startswith(old) and 'oauth = "google"' in conf(m)
    assert len(m.files("Mail/" + ADDRESS)) == COUNT
    assert server.commands("AUTH") == ["AUTH XOAUTH2"] * 2
    # There is nobody here who would send.
    done = m.run("test", write=False, wrap=net.wrap(), status=malote.NOHOST)
    assert "all is well" in done.text and "smtp.gmail.com" in done.text


def test_a_client_id_is_asked_for(m, net, pop3, person):
    """Where malote has none: what for, and where it is explained."""
    pop3("outlook.office365.com", sasl=["XOAUTH2"])
    net.start()
    t = person("add", "ana@hotmail.com", dialogue=(("client_id", ""),),
               status=malote.TEMPFAIL)
    assert "takes no passwords" in t.words
    assert "man malote-oauth" in t.words and not os.path.exists(m.conf)
    done = add(m, net, "ana@hotmail.com", password=None, status=malote.CONFIG)
    assert "--token-command" in done.text


def test_three_accounts_and_nothing_but_malote(net, pop3, m, person):
    """Each is added behind the others; then one word collects all."""
    people = {"ana@gmail.com": "pop.gmail.com",
              "bia@uol.com.br": "pop3.uol.com.br",
              "caio@example.org": "pop.example.org"}
    servers = [pop3(host, user=who) for who, host in people.items()]
    net.start()
    for n, who in enumerate(people):
        words = ("add", who) if n else ()
        asked = () if n else (("E-mail address", who),)
        person(*words, dialogue=(
            *asked, ("Password for", PASSWORD), ("Keep", "no"),
            ("Folder", ""), ("1 to 2", "1")))
        assert conf(m).count('account "') == n + 1
    for server in servers:
        assert not server.box.mails
        server.box.mails.extend(letters(2, 50 + servers.index(server)))
    person()
    for who, server in zip(people, servers):
        assert len(m.files("Mail/" + who)) == COUNT + 2
        assert not server.box.mails
