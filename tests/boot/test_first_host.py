"""doc/first-host.md, word by word: on a Debian that has nothing but itself, an
administrator types what stands there, and reads the first mail."""
import os
import re
import shutil
import time

import pytest

import debs
import letsencrypt
import machine
from server import PATIENCE, TOP, wait_until

pytestmark = [pytest.mark.ours, pytest.mark.timeout(1800)]
PASSWORD = "correct horse"
THREE_MINUTES = 180
WORK = machine.WORK + "/first"
ADDRESS = "192.0.2.1"
WAYS = [("Postfix", "virtual users"), ("Postfix", "users of the system"),
        ("Exim", "virtual users"), ("Exim", "users of the system")]


# ---- the page ----

def read(name):
    with open(TOP + "/doc/" + name, encoding="utf-8") as f:
        return f.read()


class Part:
    """What stands below a heading: (file or None, what is to be typed)."""

    def __init__(self, text):
        self.heading, _, text = text.partition("\n")
        self.blocks = []
        for before, block in re.findall(
                r"(?m)((?:^\S.*\n)*)\n((?:^(?:    .*)?\n)*^    .*\n)", text):
            named = re.match(r"`(/etc/[^`]+)`", before)
            self.blocks.append((named and named.group(1),
                                re.sub(r"(?m)^    ", "", block)))


def parts(name):
    """One for each heading below the title."""
    return [Part(x) for x in re.split(r"(?m)^##+ ", read(name))[1:]]


PAGE = {part.heading: part.blocks for part in parts("first-host.md")}


def test_both_languages_say_the_same():
    assert [[(path, block.replace("exemplo.com.br", "example.org"))
             for path, block in part.blocks]
            for part in parts("first-host.pt-BR.md")] == [
        part.blocks for part in parts("first-host.md")]


def test_the_package_is_made_so():
    """What the page says of the sources: all that they need has a name here."""
    commands = re.search(r"(?s)```\n(.*?)```", read("first-host.md")).group(1)
    needed, make = commands.splitlines()
    assert os.path.exists(TOP + "/" + make)
    said = debs.run("sh", "-c", "cd %s && %s --simulate"
                    % (TOP, needed), timeout=120)
    assert "unmet" not in said


# ---- the machine ----

@pytest.fixture(scope="module")
def disk():
    """What apt would fetch for the page lies where apt puts it."""
    try:
        machine.look()
        debs.make()
        install = [block.replace("./malote-server_*.deb",
                                 " ".join(debs.needs(debs.server())))
                   .replace("install", "install --download-only")
                   for _, block in PAGE["1. The packages"]]
        machine.make_disk(
            "\n".join([*install, "apt-get install --download-only socat"]),
            "systemd-sysv libpam-systemd dbus ca-certificates procps iproute2 "
            "pebble", WORK)
    except (machine.CannotRun, debs.CannotMake) as why:
        pytest.skip(str(why))


@pytest.fixture
def host(disk):
    """A machine with an address that others could reach, and the package in the
    folder of root."""
    one = machine.Machine(WORK)
    try:
        shutil.copy(debs.server(), WORK + "/shared")
        one.run("cp /mnt/shared/malote-server_*.deb .; "
                "ip address add %s/32 dev lo; "
                "sed -i 's/127.0.0.1 mail/%s mail/' /etc/hosts; "
                "echo nameserver 127.0.0.1 >/etc/resolv.conf"
                % (ADDRESS, ADDRESS))
        letsencrypt.start(one, ADDRESS)
        yield one
    finally:
        one.off()


class Admin:
    """Types."""

    def __init__(self, host, server, users):
        self.host, self.users = host, users
        began = time.monotonic()
        self.type([PAGE["1. The packages"][server == "Exim"]])
        self.type([PAGE["2. The certificate"][0]])
        letsencrypt.trust(host)  # as everybody trusts Let's Encrypt
        first = users[0].upper() + users[1:]
        self.said = self.type(PAGE[first])
        self.type(PAGE["%s, %s" % (server, users)])
        self.mail = self.read_mail()
        self.took = time.monotonic() - began

    def type(self, blocks):
        """What is said, at last."""
        said = ""
        for path, block in blocks:
            if path:
                self.host.write(path, block)
            else:
                said = self.host.run(block, input=self.answers(block),
                                     timeout=200).stdout
        return said

    def answers(self, block):
        """To what is asked: passwords; of adduser, twice, and about a person."""
        if "adduser" in block:
            return 2 * (PASSWORD + "\n") + 5 * "\n" + "y\n"
        return PASSWORD + "\n"

    def read_mail(self):
        """It has come before a password is typed."""
        (_, block), (_, settings) = PAGE["5. Mail is read"]
        send, ask = block.splitlines()
        self.host.run(send)
        where = "/var/lib/malote-mail/example.org/ana" \
            if self.users == "virtual users" else "/home/ana/Maildir"
        wait_until(lambda: self.host.run(
            "grep -lR '^Subject: first$' %s" % where,
            check=False).returncode == 0, 30)
        mail = self.host.run(ask, input=PASSWORD + "\n").stdout
        self.settings = self.host.run(settings).stdout
        return mail

    def curl(self, user, what):
        return self.host.run("curl -sS --user '%s:%s' %s"
                             % (user, PASSWORD, what), check=False).stdout

    def send(self, to):
        """By SMTP, from an address that nobody trusts."""
        return self.host.run(
            "printf 'Subject: second\\n\\n' | curl -sS --upload-file - "
            "--mail-from ana@example.org --mail-rcpt %s "
            "smtp://mail.example.org" % to, check=False)


@pytest.mark.parametrize("server, users", WAYS)
def test_first_mail(host, server, users):
    me = Admin(host, server, users)
    print("from the packages to mail that is read: %.1f s" % me.took)
    assert "\nSubject: first\n" in me.mail.replace("\r", "")
    assert me.took < THREE_MINUTES * PATIENCE
    assert "all is well" in me.said and "warning" not in me.said, me.said
    assert re.search(r"mail\.example\.org\b", me.settings), me.settings
    # Mail from elsewhere comes, and what is for nobody is refused at once.
    sent = me.send("ana@example.org")
    assert sent.returncode == 0, sent.stdout
    wait_until(lambda: "Subject: second" in me.curl(
        "ana@example.org", "pop3s://mail.example.org/2"), 30, 0.2)
    refused = me.send("nobody-of-that-name@example.org")
    assert refused.returncode == 55 and "550" in refused.stdout, refused.stdout
    if users == "users of the system":
        assert "Subject: second" in me.curl("ana",
                                            "pop3s://mail.example.org/2")
    assert "0 loaded units" in host.run("systemctl --failed").stdout
    if (server, users) == WAYS[0]:
        sends(me)


def sends(me):
    """What the page names as next: doc/postfix.md, Submission."""
    submission, = (x for x in parts("postfix.md") if x.heading == "Submission")
    (_, settings), *commands, (_, send) = submission.blocks
    me.host.run("cat >>/etc/malote/maloted.conf", input=settings)
    me.type(commands)
    # Where nobody types curl would take the message for the password.
    me.host.run(send.replace("--user ana@example.org",
                             "--user 'ana@example.org:%s'" % PASSWORD))
    wait_until(lambda: "Subject: sent" in me.curl(
        "ana@example.org", "pop3s://mail.example.org/3"), 30, 0.2)


# acme.sh is in no package of Debian's.
ACME = os.environ.get("MALOTE_ACME_SH")


@pytest.mark.skipif(not ACME, reason="MALOTE_ACME_SH names no acme.sh")
def test_acme_sh(host):
    with open(ACME, encoding="utf-8") as f:
        script = f.read()
    host.run("apt-get install socat; %s"
             % PAGE["1. The packages"][0][1], timeout=200)
    host.write("/usr/local/bin/acme.sh", re.sub(
        r'(?m)^CA_LETSENCRYPT_V2=.*', 'CA_LETSENCRYPT_V2="%s"'
        % letsencrypt.ADDRESS, script), 0o755)
    letsencrypt.trust(host)
    host.run(PAGE["2. The certificate"][1][1], timeout=120)
    files = re.findall(r"/etc/malote/\S+", PAGE["2. The certificate"][1][1])
    _, settings = PAGE["Virtual users"][0]
    for old, new in zip(re.findall(r'"(/etc/letsencrypt[^"]+)"', settings),
                        files):
        settings = settings.replace(old, new)
    host.write("/etc/malote/maloted.conf", settings)
    host.run("malotectl user add ana@example.org; maloted --check; "
             "malotectl restart", input=PASSWORD + "\n")
    ask = "curl -sS --user 'ana@example.org:%s' pop3s://mail.example.org" \
        % PASSWORD
    host.run(ask)
    serial = "openssl s_client -connect mail.example.org:995 </dev/null " \
        "2>/dev/null | openssl x509 -noout -serial"
    first = host.run(serial).stdout
    host.run("acme.sh --renew -d mail.example.org --force", timeout=120)
    wait_until(lambda: host.run(serial).stdout != first)
    host.run(ask)
