"""Debian's packages, on a Debian with its systemd: installed, upgraded,
downgraded, removed and purged, and the mail is there all the time."""
import glob
import re

import pytest

import apparmor
import debs
import letsencrypt
import trace
from debs import WHERE, run
from server import TOP, wait_until
from test_boot import (PASSWORD, Coming, files, open_session, show,
                       switch_on)

pytestmark = [pytest.mark.ours, pytest.mark.timeout(1800)]
MAIL = "/var/lib/malote-mail/example.org/ana"
URL = "pop3://mail.example.org"
IDS = URL + "/ -X UIDL"


@pytest.fixture(scope="module")
def packages():
    try:
        debs.make()
    except debs.CannotMake as why:
        pytest.skip(str(why))
    debs.another("0.2.0", WHERE + "/newer")


class Site:
    """A computer on which the packages are installed, with one message."""

    def __init__(self, host):
        self.host = host
        self.before = files(host)
        self.said = self.install(".")
        host.run("malotectl user add ana@example.org", input=PASSWORD + "\n")
        self.deliver("first")
        host.run("systemctl reload maloted")
        self.ids = self.curl(IDS)

    def install(self, folder):
        return self.host.run(
            "cd /mnt/shared/packages/%s; DEBIAN_FRONTEND=noninteractive "
            "dpkg -i malote_*.deb malote-server_*.deb" % folder,
            timeout=200).stdout

    def deliver(self, subject):
        """As who owns the mail."""
        self.host.run("setpriv --reuid _malote-mail --regid _malote-mail "
                      "--clear-groups sh -ec 'umask 077; mkdir -p {0}/cur "
                      "{0}/new {0}/tmp; cat >{0}/new/{1}'".format(MAIL, subject),
                      input="Subject: %s\n\n" % subject)

    def curl(self, what):
        return self.host.run(
            "curl -sS --ssl-reqd --insecure --user 'ana@example.org:%s' %s"
            % (PASSWORD, what)).stdout

    def serves(self):
        """Mail and its unique-id, as from the first."""
        wait_until(lambda: show(self.host, "SubState")["SubState"]
                   == "running", 60)
        assert "Subject: first" in self.curl(URL + "/1")
        assert self.curl(IDS).splitlines()[0] == self.ids.splitlines()[0]


@pytest.fixture(scope="module")
def site(packages, switch_on):
    return Site(switch_on())


def test_lintian(packages):
    """It has no complaint."""
    changes, = glob.glob(WHERE + "/*.changes")
    said = run("lintian", "--allow-root", "--fail-on", "error,warning",
               changes, timeout=200)
    assert said.strip() == ""


def test_apparmor(packages):
    run("apparmor_parser", "--skip-kernel-load", "--skip-cache",
        TOP + "/packaging/debian/usr.sbin.maloted")


def test_serves(site):
    """At once, with the settings that it has put there."""
    assert re.search(r"\b1 \S+", site.ids)
    site.serves()
    assert "all is well" in site.host.run("maloted --check").stdout
    who = site.host.run("ps axww -o user:32,args").stdout
    for user, role in (("_malote", "worker"), ("_malote-auth", "auth"),
                       ("_malote-mail", "store")):
        assert re.search(r"(?m)^%s +maloted: %s" % (user, role), who), who


def test_modules(site):
    """All that the sources can have."""
    said = site.host.run("malote --version; ls /usr/lib/*/malote").stdout
    assert {"malote-%s.so" % name for name in (
        "db-ldap", "db-mysql", "db-postgresql", "kerberos", "keyring", "oauth",
        "pam", "web")} <= set(said.split())


def test_two_servers(site):
    """maloted@NAME, beside the other."""
    site.host.write("/etc/malote/second.conf", """
        certificate = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
        key = "/etc/ssl/private/ssl-cert-snakeoil.key"
        users = "/etc/malote/second-users"
        mail_user = "_malote-mail"
        mail = "maildir:/var/lib/malote-mail/second/%n"
        control_socket = "/run/malote-second/control"
        listener "pop3" { address = {"127.0.0.1"} port = 1110 tls = "starttls" }
        """)
    site.host.run("install -d -o _malote-mail -g _malote-mail -m 700 "
                  "/var/lib/malote-mail/second; "
                  "touch /etc/malote/second-users; "
                  "systemctl start maloted@second")
    said = site.host.run(
        "malotectl --config /etc/malote/second.conf status").stdout
    assert "worker" in said
    site.host.run("systemctl stop maloted@second; "
                  "rm -r /etc/malote/second* /var/lib/malote-mail/second")
    site.serves()


def test_upgrade_and_downgrade(site):
    site.host.run("echo '# mine' >>/etc/malote/maloted.conf")
    for folder, version in (("newer", "0.2.0"), (".", "0.1.0")):
        before = show(site.host, "MainPID")
        clients = Coming(site.host)
        clients.more()
        # Whoever has a session, or comes now, does not notice it.
        with open_session(site.host) as session:
            site.install(folder)
            assert show(site.host, "MainPID") != before
            assert session.retr(1).startswith(b"Subject: first")
            session.quit()
        clients.more()
        clients.end()
        site.serves()
        assert version in site.host.run(
            "dpkg-query -W malote-server").stdout
        assert site.host.run(
            "tail -n 1 /etc/malote/maloted.conf").stdout == "# mine\n"


def test_an_upgrade_that_cannot_serve(site):
    """The old one goes on, and the upgrade says so."""
    before = show(site.host, "MainPID")
    site.host.run("cp /etc/malote/maloted.conf /root/good.conf; "
                  "echo 'no_such_setting = 1' >>/etc/malote/maloted.conf")
    try:
        said = site.install("newer")
        assert "no_such_setting" in said and "goes on" in said
        assert show(site.host, "MainPID") == before
        site.serves()
    finally:
        site.host.run("cp /root/good.conf /etc/malote/maloted.conf")
    site.install(".")
    assert show(site.host, "MainPID") != before


@trace.NEEDED
def test_apparmor_permits(site, tmp_path):
    """What maloted does, from its start to a message that is removed, by strace.
    This kernel need not have AppArmor for it."""
    host = site.host
    site.deliver("third")
    with apparmor.traced(host.processes("maloted.service"), tmp_path / "trace"):
        host.run("malotectl restart; malotectl status; "
                 "malotectl user add bia@example.org; "
                 "malotectl app-password add ana@example.org --label phone; "
                 "malotectl uidl show ana@example.org; "
                 "systemctl reload maloted; "
                 "malotectl app-password revoke ana@example.org --label phone",
                 input=PASSWORD + "\n")
        with open_session(host) as session:
            n, _ = session.stat()
            session.retr(1)
            session.ok("DELE %d" % n)
            session.quit()
        host.run("curl -sS --ssl-reqd --insecure "
                 "--user bia@example.org:wrong pop3s://mail.example.org/",
                 check=False)
    profile = apparmor.Profile(TOP + "/packaging/debian/usr.sbin.maloted")
    asked = {(path, need): line
             for path, need, line in apparmor.asked(tmp_path / "trace")}
    for path, need in (("/usr/sbin/maloted", "x"), ("/etc/malote/users", "r"),
                       ("/run/systemd/notify", "w"), (MAIL + "/new/", "r")):
        assert (path, need) in asked, sorted(asked)
    assert [line for (path, need), line in asked.items()
            if not profile.permits(path, need)] == []


# ---- certificates by ACME ----

RENEW = "certbot renew --force-renewal --no-random-sleep-on-renew"
LIVE = "/etc/letsencrypt/live/mail.example.org/"


def serial(host, of="</dev/null openssl s_client -connect "
           "mail.example.org:995 2>/dev/null | openssl x509"):
    return host.run(of + " -noout -serial").stdout


def test_certbot(site):
    """A certificate of an authority (Debian's pebble): the package's hook has
    maloted take each that is renewed, and no session ends."""
    host = site.host
    letsencrypt.start(host)
    host.run("certbot certonly -n --standalone -d mail.example.org "
             "--agree-tos -m ana@example.org", timeout=120)
    host.run("cp /etc/malote/maloted.conf /root/good.conf; sed -i "
             "'s,^certificate = .*,certificate = \"{0}fullchain.pem\",; "
             "s,^key = .*,key = \"{0}privkey.pem\",' "
             "/etc/malote/maloted.conf; malotectl restart".format(LIVE))
    issued = "openssl x509 -in %scert.pem" % LIVE
    first = serial(host)
    assert first == serial(host, issued)
    with open_session(host) as session:
        host.run(RENEW, timeout=120)
        wait_until(lambda: serial(host) == serial(host, issued))
        assert serial(host) != first
        session.ok("NOOP")
        session.quit()
    # That it cannot be taken is said.
    host.run("echo 'no_such_setting = 1' >>/etc/malote/maloted.conf")
    said = host.run(RENEW, timeout=120).stdout
    assert re.search(r"Hook 'deploy-hook' reported error code [1-9]", said)
    letsencrypt.stop(host)
    host.run("cp /root/good.conf /etc/malote/maloted.conf; malotectl restart")


@pytest.mark.parametrize("how", ["--remove", "--purge"])
def test_gone_and_back(site, how):
    """What people have written and got stays; the rest goes."""
    said = site.host.run("dpkg %s malote-server malote" % how).stdout
    assert show(site.host, "ActiveState")["ActiveState"] == "inactive"
    left = {x for x in files(site.host) - site.before if "malote" in x}
    kept = ("/etc/malote", "/var/lib/malote", "/var/lib/malote-mail")
    if how == "--purge":
        assert {x for x in left if not x.startswith(kept)} <= {
            "/var/lib/systemd/deb-systemd-helper-enabled/maloted.service"}
        assert [x for x in kept if x + " stays" not in said] == []
    assert "/etc/malote/maloted.conf" in left and "/etc/malote/users" in left
    site.install(".")
    site.serves()


def test_nothing_is_left_of_nothing(packages, switch_on):
    """Who has changed nothing, and has no mail, finds nothing afterwards."""
    host = switch_on()
    before = files(host)
    host.run("cd /mnt/shared/packages; dpkg -i malote-server_*.deb",
             timeout=200)
    host.run("dpkg --purge malote-server")
    left = {x for x in files(host) - before if "malote" in x}
    assert {x for x in left
            if not x.startswith("/var/lib/malote")} == set(), left
