"""doc/postfix.md and doc/exim.md: each command as it stands there, typed where
README.md's were, with the real programs (harness/corner.py)."""
import glob
import os
import re

import pytest

import corner
import exim
import postfix
from server import TOP, wait_until

pytestmark = [
    pytest.mark.ours, pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems"),
]

PASSWORD = "correct horse"
PAGES = [("postfix", "exemplo.com.br"), ("exim", "exemplo.com.br")]


def read(name):
    with open(TOP + "/" + name, encoding="utf-8") as f:
        return f.read()


def sections(name):
    """{ number of the section: [its indented blocks] }."""
    parts = re.split(r"(?m)^## .*\n", read("doc/%s.md" % name))
    return [[re.sub(r"(?m)^    ", "", block) for block in re.findall(
        r"(?m)(?:^(?:    .*)?\n)*^    .*\n", part)] for part in parts]


@pytest.mark.parametrize("name, domain", PAGES)
def test_both_languages_say_the_same(name, domain):
    assert [[block.replace(domain, "example.org").strip() for block in part]
            for part in sections(name + ".pt-BR")] == [
        [block.strip() for block in part] for part in sections(name)]


@pytest.fixture
def place_in_readme():
    """README.md's lines have been followed."""
    one = corner.Corner()
    one.run(corner.CERTIFICATE)
    one.run("""mkdir -p /etc/malote
        useradd --system --no-create-home --shell /usr/sbin/nologin vmail
        install -d -o vmail -g vmail -m 700 /srv/mail""")
    text = read("README.md")
    settings, = re.findall(r"(?m)^    certificate = (?:.*\n    )*.*\n", text)
    one.write("/etc/malote/maloted.conf",
              re.sub(r"(?m)^    ", "", settings))
    one.run("malotectl user add ana@example.org; maloted --check; "
            "systemctl enable --now maloted", input=PASSWORD + "\n")
    yield one
    one.off()


def mail(one):
    """What POP3 has, for ana."""
    return one.run("curl -sS --ssl-reqd --user 'ana@example.org:%s' "
                   "pop3://mail.example.org/1" % PASSWORD, check=False).stdout


def send(one, command, user="ana@example.org", password=PASSWORD):
    """The page's command, by somebody who does not type; curl's words."""
    command = command.replace("--user " + user, "--user '%s:%s'"
                              % (user, password)).replace("curl", "curl -sS")
    done = one.run(command, check=False)
    return done.returncode, done.stdout


def see_that_it_works(one, try_, app_password):
    assert send(one, try_) == (0, "")
    wait_until(lambda: "Subject: sent" in mail(one), 30, 0.2)
    code, said = send(one, try_, password="wrong")
    assert code == 67, said
    printer = one.run(app_password).stdout.strip().splitlines()[-1]
    assert send(one, try_, password=printer) == (0, "")
    assert "curl: (67)" in one.run(
        "curl -sS --ssl-reqd --user 'ana@example.org:%s' "
        "pop3://mail.example.org/" % printer, check=False).stdout
    said = send(one, try_.replace("--mail-from ana", "--mail-from eva"))
    one.run("systemctl stop maloted")
    assert send(one, try_)[0] == 67
    one.run("systemctl start maloted")
    assert send(one, try_) == (0, "")
    log = one.run("cat /var/log/maloted").stdout
    assert "method=PLAIN tls=yes service=smtp" in log
    assert "ip=127.0.0.1 method=PLAIN service=smtp code=auth" in log
    return said


def settings_for_users_of_the_system(one, settings, add):
    """Those of another server; and the one who is added opens their own mail."""
    one.run("useradd -m bob && mkdir -p /home/bob/Maildir/new "
            "/home/bob/Maildir/cur /home/bob/Maildir/tmp && "
            "printf 'Subject: home\\n\\n' >/home/bob/Maildir/new/1 && "
            "chown -R bob: /home/bob")
    one.write("/etc/malote/maloted.conf",
              one.run("cat /etc/malote/maloted.conf").stdout + settings)
    one.run(add, input=PASSWORD + "\n")
    one.run("maloted --check; systemctl restart maloted")
    assert "Subject: home" in one.run(
        "curl -sS --ssl-reqd --user 'bob:%s' pop3://mail.example.org/1"
        % PASSWORD).stdout


@pytest.mark.skipif(not postfix.POSTFIX, reason="needs Postfix")
def test_postfix(place_in_readme):
    one = place_in_readme
    _, virtual, system, submission, app, _ = sections("postfix")
    # As Debian's package leaves it.
    one.run("postconf -e inet_protocols=ipv4 mydestination=localhost; "
            "mkdir -p /var/spool/postfix")
    one.run(virtual[0])
    block, restart, ask, try_ = submission
    one.run("cat >>/etc/malote/maloted.conf", input=block)
    assert "warning" not in one.run(restart).stdout
    one.run(ask, timeout=120)
    said = see_that_it_works(one, try_, app[0])
    assert said[0] != 0 and "553" in one.run(
        try_.replace("--user ana@example.org", "--user 'ana@example.org:%s'"
                     % PASSWORD).replace("--mail-from ana", "--mail-from eva")
        .replace("curl", "curl -v"), check=False).stdout
    one.run(system[0])
    settings_for_users_of_the_system(one, *system[1:])


def test_exim(place_in_readme):
    one = place_in_readme
    debs = exim.packages()
    if debs is None:
        pytest.skip("needs Exim, which could not be fetched")
    _, virtual, system, submission, app, _ = sections("exim")
    one.run("dpkg -r --force-depends postfix || :; dpkg --force-depends -i "
            + " ".join(glob.glob(debs + "/*.deb")), timeout=300)
    make, router, transport = virtual
    one.run(make)
    one.write("/etc/exim4/conf.d/router/350_malote", router)
    one.write("/etc/exim4/conf.d/transport/30_malote", transport)
    block, restart, main, auth, go, try_ = submission
    one.run("cat >>/etc/malote/maloted.conf", input=block)
    assert "warning" not in one.run(restart).stdout
    one.write("/etc/exim4/conf.d/main/00_malote", main)
    one.write("/etc/exim4/conf.d/auth/30_malote", auth)
    one.run(go, timeout=120)
    see_that_it_works(one, try_, app[0])
    settings_for_users_of_the_system(one, *system)
