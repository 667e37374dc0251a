"""A site of Dovecot, PostgreSQL and Postfix is moved to maloted: doc/users.md, its
settings and commands as they stand there, on a machine of its own
(harness/corner.py).  Programs that had collected before are there, too."""
import os
import re
import shutil

import pytest

import corner
import postfix
import postgres
from server import TOP, wait_until

DOVECOT_SQL = "/usr/lib/dovecot/modules/libdriver_pgsql.so"
pytestmark = [
    pytest.mark.ours, pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems"),
    pytest.mark.skipif(not (postfix.POSTFIX and postgres.INSTALLED
                            and os.path.exists(DOVECOT_SQL)
                            and shutil.which("mpop")),
                       reason="needs Dovecot, PostgreSQL, Postfix and mpop"),
]

PASSWORD = "correct horse"
PAGES = [("users", "### A whole server"),
         ("users.pt-BR", "### Um servidor inteiro")]

# ana and bob, and eva, who may not sign in any more.
POSTGRESQL = r"""
PATH=%(programs)s:$PATH
as() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
data=/var/lib/postgresql/mail
install -d -o postgres /run/postgresql
install -d -o postgres -m 700 $data
groupadd --system vmail
useradd --system -g vmail --no-create-home --shell /usr/sbin/nologin vmail
install -d -o vmail -g vmail -m 700 /srv/mail
cd /
as initdb -D $data --auth-local=peer --auth-host=scram-sha-256 --no-sync
as pg_ctl -D $data -w -l $data/log -o "-k /run/postgresql -c fsync=off" start
as createdb mail
as psql -v ON_ERROR_STOP=1 -d mail <<END
CREATE TABLE users (name text PRIMARY KEY, password text, home text, uid int,
	gid int, active bool);
CREATE ROLE dovecot LOGIN PASSWORD 'sesame';
GRANT SELECT ON users TO dovecot;
INSERT INTO users SELECT name || '@example.org',
	'$(openssl passwd -6 '%(password)s')', '/srv/mail/example.org/' || name,
	$(id -u vmail), $(id -g vmail), name <> 'eva'
	FROM unnest(array['ana', 'bob', 'eva']) name;
END
"""
# As doc/postfix.md has it, but for the folder and the socket.
POSTFIX = r"""
live=/etc/letsencrypt/live/mail.example.org
mkdir -p /var/spool/postfix
postconf -e inet_protocols=ipv4 mydestination=localhost \
	virtual_mailbox_domains=example.org virtual_mailbox_base=/srv/mail \
	virtual_mailbox_maps=hash:/etc/postfix/vmailbox \
	virtual_uid_maps=static:$(id -u vmail) \
	virtual_gid_maps=static:$(id -g vmail) \
	smtpd_tls_cert_file=$live/fullchain.pem \
	smtpd_tls_key_file=$live/privkey.pem \
	smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth
for name in ana bob eva; do
	echo "$name@example.org example.org/$name/Maildir/"
done >/etc/postfix/vmailbox
postmap /etc/postfix/vmailbox
postconf -M submission/inet="submission inet n - y - - smtpd"
postconf -P submission/inet/smtpd_tls_security_level=encrypt \
	submission/inet/smtpd_sasl_auth_enable=yes \
	submission/inet/smtpd_relay_restrictions=permit_sasl_authenticated,reject
systemctl reload postfix
"""
MPOP = """\
account default
host mail.example.org
port 995
tls on
tls_starttls off
tls_trust_file /etc/ssl/certs/ca-certificates.crt
user ana@example.org
password "%s"
delivery maildir /home/in
keep on
uidls_file /home/uidls
""" % PASSWORD
MALOTE = """
account "site" {
	email    = "ana@example.org"
	server   = "mail.example.org"
	password = "%s"
	keep     = "yes"
	deliver  = "maildir:~/Mail"
}
""" % PASSWORD


def fences(name, title):
    """What is fenced in a section of a page, and the page's SQL above it."""
    with open(TOP + "/doc/%s.md" % name, encoding="utf-8") as f:
        before, after = f.read().split(title + "\n")
    return re.findall(r"(?ms)^```\n?(?:sh\n)?(.*?)^```", re.split(
        r"(?m)^##", after)[0]), re.search(
        r"(?ms)^```sql\n(.*?)^```", before).group(1)


def test_both_languages_say_the_same():
    assert fences(*PAGES[0]) == fences(*PAGES[1])


class Site:
    """Before it is moved."""

    def __init__(self, dovecot, sql):
        self.corner = corner.Corner()
        self.run = self.corner.run
        try:
            self.run(corner.CERTIFICATE)
            self.run(POSTGRESQL % {
                "programs": postgres.PROGRAMS[-1], "password": PASSWORD},
                timeout=120)
            self.corner.write("/etc/dovecot/dovecot.conf", dovecot)
            self.corner.write("/etc/dovecot/dovecot-sql.conf.ext", sql, 0o600)
            self.run("systemctl enable --now dovecot")
            self.run(POSTFIX)
        except BaseException:
            self.corner.off()
            raise

    def listed(self, name="ana", password=PASSWORD):
        """The unique-ids; or what went wrong, in a word of curl."""
        said = self.run("curl -sS --ssl-reqd --user '%s@example.org:%s' -X UIDL "
                        "pop3://mail.example.org/" % (name, password),
                        check=False).stdout
        return re.findall(r"(?m)^\d+ (\S+)\r?$", said) or said.strip()

    def submit(self, subject, password=PASSWORD):
        return self.run(
            "printf 'Subject: %s\\n\\n' | curl -sS --ssl-reqd --upload-file - "
            "--user 'ana@example.org:%s' --mail-from ana@example.org "
            "--mail-rcpt ana@example.org smtp://mail.example.org:587" % (
                subject, password), check=False).stdout.strip()

    def delivered(self, messages):
        wait_until(lambda: len(self.run(
            "find /srv/mail/example.org/ana/Maildir/new "
            "/srv/mail/example.org/ana/Maildir/cur -type f",
            check=False).stdout.split()) == messages, 30, 0.2)

    def has_programs(self):
        """Which leave mail on the server."""
        self.run("ln -s %s/build/release/src/malote /usr/bin/malote; "
                 "mkdir -p /home/.config/malote /home/in/{cur,new,tmp}" % TOP)
        self.corner.write("/home/.config/malote/malote.conf", MALOTE, 0o600)
        self.corner.write("/home/.mpoprc", MPOP, 0o600)

    def collect(self):
        """How many messages each program has had so far."""
        self.run("export HOME=/home; mpop; malote")
        return self.run("find /home/in/new -type f | wc -l; "
                        "find /home/Mail/new -type f | wc -l").stdout.split()


def as_postgres(site, sql):
    site.run("cd /; setpriv --reuid postgres --regid postgres --init-groups "
             "psql -v ON_ERROR_STOP=1 -d mail", input=sql)


@pytest.fixture
def page():
    return fences(*PAGES[0])


@pytest.fixture
def site(page):
    one = Site(*page[0][:2])
    yield one
    one.corner.off()


def test_moved_and_back(site, page):
    (_, _, settings, change, back), sql = page
    site.has_programs()
    for subject in "one", "two", "three":
        assert site.submit(subject) == ""
    site.delivered(3)
    assert site.collect() == ["3", "3"]
    before = site.listed()
    assert len(before) == 3
    assert site.submit("Dovecot has not seen it") == ""
    site.delivered(4)

    as_postgres(site, sql)
    site.run("mkdir -p /etc/malote")
    site.corner.write("/etc/malote/maloted.conf", settings.replace(
        "mail_root", "# mail_root"))
    said = site.run("maloted --check", check=False).stdout
    assert "ana@example.org" in said and "mail_root" in said, said
    site.corner.write("/etc/malote/maloted.conf", re.sub(
        r"(?m)^mail(_root)? .*\n", "", settings))
    assert "ana@example.org has mail in /srv/mail/example.org/ana/Maildir" \
        in site.run("maloted --check").stdout
    site.corner.write("/etc/malote/maloted.conf", settings)
    assert "all is well" in site.run("maloted --check").stdout

    stop, *start = change.splitlines()
    site.run(stop)
    site.run("sendmail -f bob@example.org ana@example.org",
             input="Subject: nobody serves\n\n")
    site.delivered(5)
    site.run("\n".join(start))
    after = site.listed()
    assert after[:3] == before and len(set(after)) == 5
    assert site.collect() == ["5", "5"]
    for name, password in (("ana", "wrong"), ("eva", PASSWORD)):
        assert "Login denied" in site.listed(name, password)
    assert site.submit("by maloted") == ""
    assert "denied" in site.submit("refused", "wrong")
    assert "service=smtp" in site.run("cat /var/log/maloted").stdout
    site.delivered(6)
    assert site.collect() == ["6", "6"]
    assert "uid" in site.run("malotectl uidl show ana@example.org").stdout

    site.run(back)
    returned = site.listed()
    assert returned[:3] == before and len(returned) == 6
    assert site.submit("by Dovecot") == ""
    site.delivered(7)
