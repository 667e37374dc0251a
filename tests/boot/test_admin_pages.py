"""The pages for administrators, typed as they stand there on a Debian with its
systemd: doc/mail-is-gone.md, doc/backup.md, doc/beside-dovecot.md, and haproxy's
part of doc/proxies.md.  Somebody has followed README.md there."""
import json
import re
import time

import pytest

import manuals
from server import wait_until
from test_boot import PASSWORD, SETTINGS, admin, curl, show, switch_on

pytestmark = [pytest.mark.ours, pytest.mark.timeout(1800)]
MAIL = "/srv/mail/example.org/ana"
POP = "pop3s://mail.example.org/"


def send(host, name, to="ana@example.org"):
    """A message with the Message-ID <NAME@example.org>; returns when it is there."""
    host.run("sendmail -i -f bob@example.org " + to,
             input="Message-ID: <{0}@example.org>\nSubject: {0}\n\nx\n"
             .format(name))
    wait_until(lambda: name in names(host), 30)


def names(host, folder=MAIL):
    """The subjects of the messages in a Maildir."""
    said = host.run("cat %s/new/* %s/cur/*" % (folder, folder), check=False)
    return re.findall(r"(?m)^Subject: (\S+)", said.stdout)


def collect(host, number, who="ana@example.org", password=PASSWORD):
    """A mail program that removes what it collects."""
    user = "--insecure --user '%s:%s'" % (who, password)
    host.run("curl -sS -o /dev/null {0} {1}{2} --next -sS -o /dev/null {0} -I "
             "-X 'DELE {2}' {1}".format(user, POP, number))


def uidls(host, user="ana@example.org"):
    said = host.run("curl -sS --user '%s:%s' -X UIDL %s"
                    % (user, PASSWORD, POP), check=False).stdout
    return sorted(re.findall(r"(?m)^\d+ (\S+)\r?$", said)) or said.strip()


@pytest.fixture
def host(admin):
    """With three messages, of which all programs know the unique-ids."""
    host = admin.host
    for name in set(names(host)) - {"a", "b", "c"}:
        host.run("grep -rl 'Subject: %s' %s | xargs -r rm" % (name, MAIL))
    for name in {"a", "b", "c"} - set(names(host)):
        send(host, name)
    assert len(uidls(host)) == 3
    return host


def type_all(host, blocks, **more):
    """One after the other, in shells of their own; what all have said."""
    return [host.run(block, **more).stdout for block in blocks]


# ---- mail that is gone ----

def test_mail_is_gone(host):
    page = manuals.typed("mail-is-gone")
    send(host, "first")
    collect(host, 4)
    send(host, "second")
    assert "first" not in names(host)

    all_of_her, one = type_all(host, page[1])
    assert "Removed by the program: <first@example.org>" in all_of_her
    assert "1 were then removed from the server, 3 are left there" in all_of_her
    assert "Mail was last collected on" in all_of_her
    assert one.count("\n") == 1 and "<first@example.org>" in one

    listed, shown, checked, where = type_all(
        host, page[2][0].splitlines() + page[2][1:], check=False)
    assert "<first@example.org>" not in listed
    assert "<second@example.org>" in listed
    assert "subject" in shown and "problems" in checked
    assert where == ""

    queue, came = type_all(host, page[3])
    assert "from=<bob@example.org>" in queue
    assert "status=sent (delivered to maildir)" in queue
    assert came.count("to=<ana@example.org>") >= 2

    who, passwords, trace, who_may = page[4]
    type_all(host, [who])
    adds = passwords.splitlines()
    phone, laptop = [host.run(line).stdout.split()[-1] for line in adds[:2]]
    host.run(adds[2], input="another one\n")
    assert "denied" in str(uidls(host))
    traced = host.run(trace).stdout.split()[-1]
    collect(host, 4, password=phone)
    wait_until(lambda: "DELE 4" in host.run("cat " + traced).stdout, 20)
    said = host.run(page[1][0]).stdout
    assert 'password of "phone"' in said and laptop not in said
    assert "vmail" in host.run(who_may).stdout
    host.run(adds[2], input=PASSWORD + "\n")
    for label in "phone", "laptop":
        host.run("malotectl app-password revoke ana@example.org --label "
                 + label)

    evidence, = page[6]
    host.run(evidence)
    rows = json.loads(host.run("cat ana.json").stdout)
    assert {"session", "removed", "refused"} <= {row["what"] for row in rows}


def test_mail_that_was_kept(host):
    """trash = yes, as the page advises; and back from there."""
    host.run("echo 'trash = yes' >>/etc/malote/maloted.conf; "
             "malotectl reload")
    page = manuals.typed("mail-is-gone")
    try:
        send(host, "first")
        before = uidls(host)
        collect(host, 4)
        assert "Moved to the folder Trash by the program: " \
            "<first@example.org>" in host.run(page[1][0]).stdout
        assert "/.Trash/cur/" in host.run(page[2][1]).stdout
        host.run(page[5][0])
        assert "first" in names(host)
        assert len(set(uidls(host)) - set(before)) == 1
    finally:
        host.run("sed -i '/^trash/d' /etc/malote/maloted.conf; "
                 "malotectl reload")


# ---- backup ----

BORG = "export BORG_PASSPHRASE=sesame\n"


@pytest.fixture
def page(host):
    page = manuals.typed("backup")
    folder, tar, rsync, restic, borg = page[2]
    host.run("rm -rf /var/backups/*; " + folder)
    excluded, = [b.text for b in manuals.blocks("backup")
                 if b.form == "conf"]
    host.write("/etc/malote/not-saved", excluded)
    once, again = restic.split("init\n")
    init, create = borg.split("\n", 1)
    page["save"] = {
        "tar": (":", tar), "rsync": (":", rsync),
        "restic": (once + "init\n", again), "borg": (BORG + init,
                                                     BORG + create)}
    page["take"] = dict(zip(("tar", "rsync", "restic", "borg"),
                            page[3][1:5]))
    page["take"]["borg"] = BORG + page["take"]["borg"]
    return page


def empty(host, page):
    host.run("rm -rf /var/restored")
    host.run(page[3][0])


@pytest.mark.parametrize("how", ["tar", "rsync", "restic", "borg"])
def test_backup(host, page, how):
    """By each program: what is in it, and what is not; and once more."""
    first, save = page["save"][how]
    host.run(first)
    host.run(save, timeout=120)
    send(host, "later")
    time.sleep(1)  # borg's archives have the second for a name
    host.run(save, timeout=120)
    empty(host, page)
    host.run(page["take"][how])
    old = "/var/restored" + MAIL
    assert sorted(names(host, old)) == ["a", "b", "c", "later"]
    there = host.run("cd %s; find . -type f | grep -v '^./\\(new\\|cur\\)/'"
                     % old).stdout.split()
    assert there == ["./malote-uidl"]
    owners = host.run("stat -c %%U %s %s/new/*" % (old, old)).stdout.split()
    assert set(owners) == {"vmail"}


def test_one_message(host, page):
    before = uidls(host)
    host.run(page["save"]["tar"][1])
    send(host, "first")
    host.run(page["save"]["tar"][1])
    collect(host, 4)
    empty(host, page)
    host.run(page["take"]["tar"])
    find, put = page[4]
    assert re.match(r"new/\S+\n\Z", host.run(find).stdout)
    host.run("cd /var/restored%s\n%s" % (MAIL, put))
    assert sorted(names(host)) == ["a", "b", "c", "first"]
    now = uidls(host)
    assert set(before) < set(now) and len(now) == 4
    times = host.run("stat -c %%Y /var/restored%s/new/* %s/new/*" % (
        MAIL, MAIL)).stdout.split()
    assert len(set(times)) <= 4


def test_what_one_maildrop_misses(host, page):
    """Those that were removed, and no other, though their flags have changed."""
    before = uidls(host)
    host.run(page["save"]["rsync"][1])
    host.run("cd %s/new; mv \"$(grep -l 'Subject: b' *)\" ../cur/$("
             "grep -l 'Subject: b' *):2,S" % MAIL)
    host.run("rm $(grep -rl 'Subject: c' %s/new)" % MAIL)
    send(host, "later")
    empty(host, page)
    host.run(page["take"]["rsync"])
    said, = type_all(host, page[5])
    assert re.search(r"(?m)^problems_in_all:\s+0$", said), said
    assert sorted(names(host)) == ["a", "b", "c", "later"]
    assert set(before) < set(uidls(host))


def test_a_whole_maildrop(host, page):
    before = uidls(host)
    host.run(page["save"]["rsync"][1])
    host.run("rm -r " + MAIL)
    send(host, "later")
    assert len(uidls(host)) == 1
    empty(host, page)
    host.run(page["take"]["rsync"])
    swap, = page[6]
    host.run(swap)
    assert uidls(host) == before
    host.run(page[5][0].replace(
        "old=/var/restored/srv/mail/example.org/ana",
        "old=/var/restored/new-ana"))
    assert sorted(names(host)) == ["a", "b", "c", "later"]
    assert set(before) < set(uidls(host))


def test_unpacked_over_it(host, page):
    """What the page warns of, and how it is mended."""
    before = uidls(host)
    host.run(page["save"]["tar"][1])
    host.run("cd %s/new; for f in *; do mv $f ../cur/$f:2,S; done" % MAIL)
    assert uidls(host) == before
    host.run(page[7][1])
    twice = len(uidls(host)) - 3
    said = host.run(page[3][-1]).stdout
    assert twice > 0 and said.count("has the same name") == twice, said
    doubles = re.findall(r"(?m)^(?:new|cur)/.*$", said)
    assert len(doubles) == twice
    host.run("cd %s; rm %s" % (MAIL, " ".join(doubles)))
    assert uidls(host) == before
    assert "has the same name" not in host.run(page[3][-1]).stdout


def test_a_folder_that_was_renamed(host, page):
    """By mail-is-gone.md, which sends to this page."""
    gone = manuals.typed("mail-is-gone")
    before = uidls(host)
    host.run("mv -T {0} {0}.old".format(MAIL))
    assert uidls(host) == ""
    send(host, "later")
    assert "There was no mailbox, so an empty one was made" in host.run(
        gone[1][0]).stdout
    found = host.run(gone[2][1].replace("first", "a")).stdout
    assert found.startswith(MAIL + ".old/"), found
    empty(host, page)
    host.run(page[6][0].replace("cp -a /var/restored" + MAIL,
                                "mv -T %s.old" % MAIL))
    host.run(page[5][0].replace("old=/var/restored" + MAIL,
                                "old=/var/restored/new-ana"))
    assert sorted(names(host)) == ["a", "b", "c", "later"]
    assert set(before) < set(uidls(host))


def test_a_mail_root_that_is_not_mounted(host):
    """Nothing is gone; and what came meanwhile is below."""
    gone = manuals.typed("mail-is-gone")
    before = uidls(host)
    # As where systemd is no container's: a mount is seen by all services.
    host.run("mount --make-rshared /; systemctl stop maloted; "
             "mv /srv/mail /srv/kept; install -d -o vmail /srv/mail; "
             "mount -t tmpfs tmpfs /srv/mail; cp -a /srv/kept/. /srv/mail; "
             "systemctl start maloted")
    assert uidls(host) == before
    host.run("umount -l /srv/mail")
    try:
        wait_until(lambda: "denied" in str(uidls(host)), 20)
        assert "could not be opened: not mounted" in host.run(
            gone[1][0]).stdout
        assert "NOT SERVED" in host.run("malotectl status").stdout
        send(host, "below")
        host.run("mount -t tmpfs tmpfs /srv/mail; "
                 "cp -a /srv/kept/. /srv/mail")
        wait_until(lambda: uidls(host) == before, 20)
        host.run("mount --bind / /mnt")
        assert names(host, "/mnt" + MAIL) == ["below"]
    finally:
        host.run("umount -l /mnt /srv/mail; systemctl stop maloted; "
                 "rm -rf /srv/mail; mv /srv/kept /srv/mail; "
                 "systemctl start maloted", check=False)


@pytest.mark.parametrize("how", ["tar", "rsync", "restic", "borg"])
def test_a_whole_server(host, page, how):
    """On a machine where the number of vmail is another one."""
    before = uidls(host)
    host.run(page["save"][how][0])
    host.run(page["save"][how][1])
    stop, *unpack, start, accept = page[7]
    host.run(stop)
    number = {"tar": 4321, "rsync": 4322, "restic": 4323, "borg": 4324}[how]
    host.run("rm -rf /srv/mail/* /srv/mail/.m* /etc/malote /var/lib/malote "
             "/etc/letsencrypt; usermod -u {0} vmail; groupmod -g {0} vmail; "
             "chown vmail: /srv/mail; "
             "postconf -e virtual_uid_maps=static:{0} "
             "virtual_gid_maps=static:{0}; systemctl reload postfix"
             .format(number))
    host.run(BORG + dict(zip(("tar", "rsync", "restic", "borg"), unpack))[how])
    host.run(start)
    said = str(host.run("curl -sSv --user 'ana@example.org:%s' %s"
                        % (PASSWORD, POP), check=False).stdout)
    assert "-ERR [SYS/TEMP]" in said
    look, check = accept.splitlines()
    host.run(look)
    wait_until(lambda: uidls(host) == before, 20)
    assert re.search(r"(?m)^problems_in_all:\s+0$", host.run(check).stdout)
    send(host, "later")
    assert len(uidls(host)) == 4


# ---- haproxy ----

def through(block):
    """The same, of port 110, for STARTTLS, as the page says."""
    for old, new in ((' ssl crt /etc/haproxy/pop.pem', ''), (":995", ":110"),
                     ("10110", "10112"), ('"none"', '"starttls"'),
                     ("    secured = yes\n", ""), ("v2-ssl", "v2"),
                     ("frontend pop3s", "frontend pop3"),
                     ("backend maloted", "backend through"),
                     ('"haproxy"', '"through"')):
        block = block.replace(old, new)
    return block + "\n"


def test_haproxy(host):
    """Both are this machine; who speaks to the one comes from the other."""
    conf = {block.section: [] for block in manuals.blocks("proxies")}
    for block in manuals.blocks("proxies"):
        conf[block.section].append(block.text)
    listener, proxy, begin, look = conf[1]
    host.run("ip addr add 192.0.2.1/32 dev lo; ip addr add 192.0.2.2/32 dev lo; "
             "ip route replace local 192.0.2.2 dev lo table local "
             "src 192.0.2.1")
    host.run("cp /etc/malote/maloted.conf /root/before; "
             "cat >>/etc/malote/maloted.conf", input=listener + "\n")
    host.run("cat >>/etc/malote/maloted.conf", input=through(listener))
    host.run("cat >>/etc/haproxy/haproxy.cfg", input=proxy + "\n")
    host.run("cat >>/etc/haproxy/haproxy.cfg", input=through(proxy))
    try:
        said = host.run(begin).stdout
        assert "all is well" in said
        try_, log = look.splitlines()
        assert re.search(r"(?m)^3 \d+", host.run(try_.replace(
            "--user ana@example.org", "--user 'ana@example.org:%s'"
            % PASSWORD)).stdout)
        assert "looked" in host.run(log).stdout
        assert "3" in curl(host, "pop3://mail.example.org/")
        assert re.search(r"user=ana@example.org ip=\S+ by=192.0.2.1 "
                         "method=\\S+ tls=proxy", host.run(
                             "journalctl -u maloted").stdout)
        *_, (after, sample) = conf.values()
        assert "all is well" in host.run(after).stdout
        assert "tls=proxy" in sample
    finally:
        host.run("systemctl stop haproxy; cp /root/before "
                 "/etc/malote/maloted.conf; malotectl reload")
    assert "3" in curl(host, POP)


# ---- Dovecot ----

@pytest.fixture
def bare(switch_on, admin):
    """ana has an account on the machine, and Dovecot serves all: POP3, too."""
    host = admin.host
    host.run("systemctl stop maloted; cp /etc/malote/maloted.conf /root/before")
    host.run("useradd -m ana; echo 'ana:%s' | chpasswd; "
             "install -d -o ana -g ana -m 700 /home/ana/Maildir" % PASSWORD)
    yield host
    host.run("systemctl stop dovecot; cp /root/before "
             "/etc/malote/maloted.conf; userdel -r ana; "
             "systemctl restart maloted", check=False)


def imap(host, command):
    return host.run("curl -sS --insecure --user 'ana:%s' "
                    "imaps://mail.example.org/INBOX -X '%s'"
                    % (PASSWORD, command)).stdout


def test_beside_dovecot(bare):
    host = bare
    page = manuals.typed("beside-dovecot")
    before, dovecot, malote, log, back = [
        b.text for b in manuals.blocks("beside-dovecot") if b.form != "sh"]
    local = "/etc/dovecot/local.conf"
    at_first = "mail_location = maildir:~/Maildir\n"
    host.write("/etc/dovecot/conf.d/99-quota.conf",
               "mail_plugins = $mail_plugins quota\nplugin {\n"
               "  quota = count:User quota\n  quota_vsizes = yes\n}\n")
    host.write(local, at_first + before)
    host.run("systemctl start dovecot")
    type_all(host, page[2])

    def arrive(subject):
        host.run("/usr/lib/dovecot/dovecot-lda -d ana",
                 input="Message-ID: <%s@example.org>\nSubject: %s\n\nx\n"
                 % (subject, subject))
    for subject in "first", "two", "three":
        arrive(subject)

    def seen():
        said = host.run("curl -sS --insecure --user 'ana:%s' -X UIDL "
                        "pop3s://mail.example.org/" % PASSWORD).stdout
        return set(re.findall(r"(?m)^\d+ (\S+)\r?$", said))
    known = seen()
    assert len(known) == 3
    host.write(local, before + dovecot + log)
    host.run("umask 077; echo \"ana:$(doveadm pw -s SHA512-CRYPT -p '%s'):"
             "$(id -u ana):$(id -g ana)::/home/ana\" >/etc/dovecot/users"
             % PASSWORD)
    host.write("/etc/malote/maloted.conf", "".join(
        line for line in SETTINGS.splitlines(True)
        if line.startswith(("certificate", "key"))) + malote)
    look, change, after = page[4]
    said = host.run(look).stdout
    assert "protocols = imap\n" in said and "all is well" in said, said
    host.run(change)
    assert seen() == known
    shown, listed, counted = type_all(host, after.splitlines())
    assert "dovecot" in shown and "<two@example.org>" in listed
    assert "messages=3" in counted
    arrive("four")
    assert known < seen() and len(seen()) == 4
    imap(host, "STORE 1 +FLAGS (\\Deleted)")
    imap(host, "EXPUNGE")
    assert len(seen()) == 3
    said, = type_all(host, page[3])
    assert re.search(r"imap\(ana\).*expunge: box=INBOX, "
                     "msgid=<first@example.org>", said), said
    collect(host, 1, "ana")
    assert re.search(r"MESSAGE +2 ", type_all(host, page[5])[0])
    assert "messages=2" in host.run(after.splitlines()[2]).stdout
    now = seen()
    host.write(local, before + dovecot + log + back)
    type_all(host, page[6])
    assert seen() == now
    assert show(host, "ActiveState")["ActiveState"] == "inactive"
