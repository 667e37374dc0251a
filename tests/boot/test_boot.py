"""An administrator's hour: README.md's lines, as they stand there, on a Debian
with its systemd (harness/machine.py), and what comes after them."""
import json
import os
import re
import subprocess
import threading
import time

import pytest

import machine
import pop3
from server import PATIENCE, TOP, wait_until

pytestmark = [pytest.mark.ours, pytest.mark.timeout(1800)]
LIVE = "/etc/letsencrypt/live/mail.example.org"
ARCHIVE = "/etc/letsencrypt/archive/mail.example.org"
PASSWORD = "correct horse"
AN_HOUR_OF_THREE_MINUTES = 180


# ---- what the pages say ----

def read(path):
    with open(TOP + "/" + path) as f:
        return f.read()


def section(text, heading):
    return re.split(r"(?m)^#+ ", text.split(heading, 1)[1])[0]


def indented(text):
    """The blocks of a Markdown page that are to be typed."""
    found = re.findall(r"(?m)(?:^    .*\n)+", text)
    return [re.sub(r"(?m)^    ", "", block) for block in found]


def readme(path="README.md", heading="## Installing\n"):
    """What is to be typed, in its order; RENEW and BACK are within others."""
    text = section(read(path), heading)
    first, *rest = indented(text)
    packages, build = re.fullmatch(
        r"(?s)(apt-get install .*?[^\\]\n)(.*)", first).groups()
    renew, = re.findall(r"--deploy-hook '(.*)'", text)
    back, = re.findall(r"`([^`]*make uninstall[^`]*)`", text)
    return packages, build, *rest, renew, back


(PACKAGES, BUILD, USERS, CERTBOT, SETTINGS, START, POSTFIX, TRY, UPDATE,
 RENEW, BACK) = readme()


def test_both_languages_say_the_same():
    other = readme("README.pt-BR.md", "## Instalação\n")
    assert tuple(x.replace("exemplo.com.br", "example.org")
                 for x in other) == readme()


# ---- the machine ----

def certificate(host, name):
    """One more, as certbot lays them: links to the last one."""
    host.run("""mkdir -p -m 700 /etc/letsencrypt/archive /etc/letsencrypt/live
        mkdir -p {archive} {live}
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} \
            -addext subjectAltName=DNS:mail.example.org \
            -keyout {archive}/{name}.key -out {archive}/{name}.pem
        cp {archive}/{name}.pem /usr/local/share/ca-certificates/{name}.crt
        update-ca-certificates
        ln -sf {archive}/{name}.key {live}/privkey.pem
        ln -sf {archive}/{name}.pem {live}/fullchain.pem
        """.format(archive=ARCHIVE, live=LIVE, name=name))


def files(host):
    """What packages and administrators have, but for caches and logs."""
    return set(host.run("find /usr /etc /lib /opt /srv /var/lib /run/systemd "
                        "-not -path '/usr/src/*' "
                        "-not -path '*/ca-certificates/*'").stdout.splitlines())


class Admin:
    """Who has followed README.md."""

    def __init__(self, host):
        self.host = host
        certificate(host, "first")
        self.without = files(host)
        host.run("tar -C /usr/src --one-top-level -xf /mnt/shared/malote.tar")
        self.tree = "/usr/src/malote"
        host.run(PACKAGES)
        self.make(BUILD, timeout=600)

    def make(self, script, **more):
        return self.host.run("cd %s\n%s" % (self.tree, script), **more)

    def follow(self, settings, start):
        """Two lines of the shell that are not to be read: the password."""
        self.host.write("/etc/malote/maloted.conf", settings)
        return self.host.run("set -x\n" + start, input=PASSWORD + "\n").stdout


@pytest.fixture(scope="module")
def switch_on():
    """switch_on(): a machine."""
    try:
        machine.look()
        machine.make_disk(PACKAGES + "apt-get clean\n")
    except machine.CannotRun as why:
        pytest.skip(str(why))
    os.makedirs(machine.SHARED, exist_ok=True)
    subprocess.run(["tar", "-C", TOP, "--exclude=./build", "--exclude=./.git",
                    "-cf", machine.SHARED + "/malote.tar", "."],
                   check=True, timeout=60)
    on = []

    def start():
        on.append(machine.Machine())
        return on[-1]

    yield start
    for host in on:
        host.off()


@pytest.fixture(scope="module")
def admin(switch_on):
    """Installed, with one user, running; its clock stands at "mail is read"."""
    me = Admin(switch_on())
    me.began = time.monotonic()
    me.host.run(USERS)
    me.said = me.follow(SETTINGS, START)
    me.host.run(POSTFIX)
    deliver(me.host, "first")
    me.first = me.host.run(TRY, input=PASSWORD + "\n").stdout
    me.took = time.monotonic() - me.began
    return me


@pytest.fixture
def host(admin):
    yield admin.host
    admin.host.run("systemctl start maloted")


def deliver(host, subject):
    """By Postfix; returns when it is there."""
    host.run("sendmail -i ana@example.org", input="Subject: %s\n\n" % subject)
    wait_until(lambda: host.run(
        "grep -lR '^Subject: %s$' /srv/mail/example.org/ana" % subject,
        check=False).returncode == 0, 30)


def curl(host, url):
    return host.run("curl -sS --ssl-reqd --user 'ana@example.org:%s' %s"
                    % (PASSWORD, url), check=False).stdout


def show(host, *names):
    """Properties of the unit."""
    said = host.run("systemctl show maloted -p " + ",".join(names)).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def journal(host, *words):
    said = host.run("journalctl -u maloted -o json --no-pager "
                    + " ".join(words)).stdout
    return [(int(x["PRIORITY"]), x["MESSAGE"])
            for x in map(json.loads, said.splitlines())]


def processes(host):
    """Of maloted: user and name."""
    said = host.run("ps axww -o user:32,args").stdout.splitlines()
    return sorted((user, what.split(" -x ")[0]) for user, what in
                  (line.split(None, 1) for line in said[1:])
                  if re.match(r"maloted: |(/usr/sbin/)?maloted$", what))


def open_session(host, **more):
    with host.network():
        session = pop3.Pop3(110, timeout=20 * PATIENCE, **more)
    session.stls()
    session.login("ana@example.org", PASSWORD)
    return session


# ---- the hour ----

def test_mail_is_read(admin):
    print("from the first user of the mail to mail that is read: %.1f s"
          % admin.took)
    assert re.search(r"(?m)^1 \d+\r?$", admin.first), admin.first
    assert admin.took < AN_HOUR_OF_THREE_MINUTES * PATIENCE
    assert "all is well" in admin.said and "warning" not in admin.said


@pytest.mark.parametrize("url", ["pop3://mail.example.org/1",
                                 "pop3s://mail.example.org/1"])
def test_over_tls(host, url):
    assert "\nSubject: first\n" in curl(host, url)


def test_as_the_unit_says(host):
    unit = show(host, "Type", "NotifyAccess", "ActiveState", "SubState",
                "UnitFileState", "NRestarts", "Result")
    assert unit == {
        "Type": "notify", "NotifyAccess": "main", "ActiveState": "active",
        "SubState": "running", "UnitFileState": "enabled", "NRestarts": "0",
        "Result": "success"}
    who = processes(host)
    assert ("root", "/usr/sbin/maloted") in who
    assert {(user, what.rstrip("0123456789")) for user, what in who} == {
        ("root", "/usr/sbin/maloted"), ("_malote", "maloted: worker "),
        ("_malote-auth", "maloted: auth "), ("vmail", "maloted: store ")}


def test_confined(host):
    """By the unit, whatever the processes do themselves."""
    print(host.run("systemd-analyze security --no-pager maloted | tail -n 1")
          .stdout)
    pid = show(host, "MainPID")["MainPID"]
    status = host.run("cat /proc/%s/status" % pid).stdout
    facts = dict(re.findall(r"(?m)^(\w+):\t(\w+)$", status))
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
    chroot, net_bind, kill, search, setgid, setuid = 18, 10, 5, 2, 6, 7
    assert int(facts["CapBnd"], 16) == sum(
        1 << n for n in (chroot, net_bind, kill, search, setgid, setuid))
    for folder, writable in (("/usr", False), ("/etc", False), ("/tmp", True),
                             ("/srv/mail", True)):
        done = host.run("nsenter -t %s -m touch %s/written" % (pid, folder),
                        check=False)
        assert (done.returncode == 0) == writable, done.stdout
    host.run("rm /srv/mail/written; test ! -e /tmp/written")


def test_journal(host):
    """Each line of the log has its priority, and none its letter and time."""
    host.run("echo 'no user name:x' >>/etc/malote/users")
    try:
        host.run("curl -sS --ssl-reqd --insecure --user ana@example.org:wrong "
                 "pop3s://mail.example.org/", check=False)
        lines = wait_until(lambda: any(
            "ev=login-failed" in x[1] for x in journal(host)) and journal(host))
    finally:
        host.run("sed -i '/^no user name:/d' /etc/malote/users")
    seen = {re.match(r"\S+ ev=(\S+)", text).group(1): priority
            for priority, text in lines if " ev=" in text}
    assert (seen["ready"], seen["login-failed"], seen["users-line"]) == (6, 6, 4)
    assert "ev=users-line" in host.run("journalctl -u maloted -p 4").stdout


def test_waits_for_the_file_system(host):
    """A mail root that is a mount is there before the server is."""
    host.write("/etc/systemd/system/srv-mail.mount",
               "[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/srv/mail\n")
    host.run("systemctl daemon-reload")
    unit = show(host, "Requires", "After", "RequiresMountsFor")
    host.run("rm /etc/systemd/system/srv-mail.mount; systemctl daemon-reload")
    assert "/srv/mail" in unit["RequiresMountsFor"].split()
    assert "srv-mail.mount" in unit["Requires"].split()
    assert "srv-mail.mount" in unit["After"].split()


def served(host):
    """The name of the certificate that is served."""
    said = host.run("openssl s_client -connect mail.example.org:995 </dev/null "
                    "2>/dev/null | openssl x509 -noout -subject").stdout
    return said.split("=")[-1].strip()


def test_reload(host):
    before = show(host, "MainPID")
    with open_session(host) as session:
        certificate(host, "second")
        host.run(RENEW)
        assert wait_until(lambda: served(host) == "second")
        session.ok("NOOP")
        session.quit()
    assert show(host, "MainPID") == before


def test_reload_of_what_cannot_be_used(host):
    """It fails, the journal says why, and what there was is served."""
    certificate(host, "kept")
    host.run(RENEW)
    wait_until(lambda: served(host) == "kept")
    host.run("cp /etc/hostname %s/kept.pem" % ARCHIVE)
    try:
        done = host.run(RENEW, check=False)
        assert done.returncode != 0 and "failed" in done.stdout
        assert served(host) == "kept"
        errors = [text for priority, text in journal(host) if priority == 3]
        assert any("no certificate in it" in x for x in errors), journal(host)
        said = host.run("malotectl reload", check=False)
        assert said.returncode == 78
        assert LIVE + "/fullchain.pem: no certificate in it" in said.stdout
        assert show(host, "ActiveState")["ActiveState"] == "active"
    finally:
        certificate(host, "new")
        host.run(RENEW)


def test_restart_with_a_session_open(host):
    """It ends without QUIT: nothing is removed."""
    deliver(host, "kept")
    before = show(host, "MainPID")
    with open_session(host) as session:
        n = session.stat()[0]
        for i in range(n):
            session.ok("DELE %d" % (i + 1))
        host.run("systemctl restart --no-block maloted")
        wait_until(lambda: show(host, "ActiveState")["ActiveState"]
                   == "deactivating")
        session.ok("NOOP")
        session.close()
    wait_until(lambda: show(host, "SubState")["SubState"] == "running", 60)
    assert show(host, "MainPID") != before
    with open_session(host) as session:
        assert session.stat()[0] == n


def test_stop(host):
    """Ends everything, and leaves nothing that runs or listens."""
    around = "ls -A /run /tmp /dev/shm"
    before = host.run(around).stdout.splitlines()
    host.run("systemctl stop maloted")
    assert show(host, "ActiveState", "Result") == {
        "ActiveState": "inactive", "Result": "success"}
    assert processes(host) == []
    gone = set(before) - set(host.run(around).stdout.splitlines())
    assert {re.sub(r"-\w+-maloted.service-\w+", "", x) for x in gone} == {
        "malote", "systemd-private"}
    for port in (110, 995):
        with host.network(), pytest.raises(ConnectionRefusedError):
            pop3.Pop3(port)
    assert any("ev=stopped" in text for _, text in journal(host)[-4:])


def test_a_killed_one_comes_back(host):
    """Whatever ends it: Restart=on-failure."""
    before = show(host, "MainPID")["MainPID"]
    host.run("kill -KILL " + before)
    wait_until(lambda: show(host, "SubState", "MainPID")["MainPID"]
               not in (before, "0"), 30)
    wait_until(lambda: show(host, "SubState")["SubState"] == "running", 30)
    assert "\nSubject: first\n" in curl(host, "pop3s://mail.example.org/1")
    assert processes(host).count(("root", "/usr/sbin/maloted")) == 1


class Coming:
    """Clients that connect all the time, and are greeted or not."""

    def __init__(self, host):
        self.host, self.greeted, self.errors = host, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            try:
                with self.host.network():
                    session = pop3.Pop3(995, pop3.context(),
                                        timeout=60 * PATIENCE)
                assert session.greeting.startswith(b"+OK")
                session.quit()
                self.greeted += 1
            except (OSError, AssertionError, pop3.Closed) as e:
                self.errors.append(repr(e))

    def more(self):
        enough = self.greeted + 10
        wait_until(lambda: self.greeted >= enough or self.errors, 60)

    def end(self):
        self.over.set()
        self.thread.join()
        assert not self.errors, self.errors


def test_restart_that_nobody_notices(host):
    """malotectl restart: another main process, of the same unit."""
    before = show(host, "MainPID", "NRestarts")
    clients = Coming(host)
    clients.more()
    with open_session(host) as session:
        host.run("malotectl restart")
        clients.more()
        unit = show(host, "MainPID", "NRestarts", "ActiveState")
        assert unit["MainPID"] != before["MainPID"]
        assert unit["ActiveState"] == "active"
        assert "/maloted.service" in host.run(
            "cat /proc/%s/cgroup" % unit["MainPID"]).stdout
        session.ok("NOOP")
        session.quit()
    wait_until(lambda: processes(host).count(("root", "/usr/sbin/maloted"))
               == 1)
    clients.end()
    unit = show(host, "NRestarts", "MainPID")
    assert unit["NRestarts"] == before["NRestarts"]
    # systemd sees how it ends, as it saw the first one.
    host.run("kill -KILL " + unit["MainPID"])
    wait_until(lambda: show(host, "NRestarts") != {"NRestarts":
                                                   unit["NRestarts"]}, 30)
    wait_until(lambda: show(host, "SubState")["SubState"] == "running", 30)


def test_stop_with_one_before(host):
    """Both end, and the old one's sessions have their seconds, too."""
    with open_session(host) as session:
        host.run("malotectl restart")
        host.run("systemctl stop --no-block maloted")
        session.ok("NOOP")
        session.quit()
    wait_until(lambda: show(host, "ActiveState", "Result") == {
        "ActiveState": "inactive", "Result": "success"}, 30)
    assert processes(host) == []


def test_socket_activation(host):
    """As the unit says: systemctl restart ends sessions, and refuses nobody."""
    script, = re.findall(r"(?m)(?:^#\t.*\n)+",
                         read("packaging/maloted.socket"))
    host.run(re.sub(r"(?m)^#\t", "", script))
    try:
        clients = Coming(host)
        for how in ("systemctl restart maloted", "malotectl restart",
                    "systemctl restart maloted"):
            clients.more()
            host.run(how)
        clients.more()
        clients.over.set()
        clients.thread.join()
        # A session that was open when it was told to end.
        assert not [e for e in clients.errors if "Refused" in e
                    or "Reset" in e or "timed out" in e], clients.errors
    finally:
        host.run("systemctl disable --now maloted.socket; "
                 "systemctl restart maloted")


def test_mail_every_five_minutes(admin):
    """malote's timer, in the systemd of a user, as README.md has it."""
    start, = re.findall(r"`(systemctl --user [^`]*)`", read("README.md"))
    deliver(admin.host, "timer")
    admin.host.run("useradd -m kim; systemctl start user@$(id -u kim)")
    kim = "su kim -c 'cd; export XDG_RUNTIME_DIR=/run/user/$(id -u); %s'"
    admin.host.run(kim % "umask 077; mkdir -p .config/malote; "
                   "cat >.config/malote/malote.conf", input="""account "casa" {
        email            = "ana@example.org"
        server           = "mail.example.org"
        password_command = "echo %s"
        deliver          = "maildir:~/Mail/casa"
    }""" % PASSWORD)
    admin.host.run(kim % start)
    said = admin.host.run(kim % "systemctl --user list-timers --no-pager")
    assert re.search(r"malote\.timer +malote\.service", said.stdout)
    # Its first time is after a minute.
    admin.host.run(kim % "systemctl --user start malote")
    assert "Subject: timer" in admin.host.run(
        "cat /home/kim/Mail/casa/new/*").stdout


def test_update(admin):
    """What runs is what was installed last."""
    before = show(admin.host, "MainPID")["MainPID"]
    admin.make(UPDATE, timeout=600)
    unit = show(admin.host, "MainPID", "NeedDaemonReload")
    assert unit["NeedDaemonReload"] == "no" and unit["MainPID"] != before
    runs = admin.host.run("readlink /proc/%s/exe" % unit["MainPID"]).stdout
    assert runs == "/usr/sbin/maloted\n"
    assert "\nSubject: first\n" in curl(admin.host,
                                        "pop3s://mail.example.org/1")


def test_the_manual(switch_on):
    """maloted(8), "A SERVER IN THREE LINES", and the example that lies beside
    the settings, by the lines within it."""
    settings, script = re.findall(r"(?ms)^```\n(.*?)^```", section(
        read("doc/man/maloted.8.scd"), "# A SERVER IN THREE LINES\n"))
    me = Admin(switch_on())
    me.host.run("cp %s/fullchain.pem /etc/ssl/certs/mail.example.org.pem; "
                "cp %s/privkey.pem /etc/ssl/private/mail.example.org.key"
                % (LIVE, LIVE))
    assert "all is well" in me.follow(settings, script)
    folder = "/srv/mail/example.org/ana"
    me.host.run("setpriv --reuid vmail --regid vmail --clear-groups sh -c "
                "'mkdir -p {0}/cur {0}/new {0}/tmp; cat >{0}/new/1'"
                .format(folder), input="Subject: hand\n\n")
    assert "Subject: hand" in curl(me.host, "pop3s://mail.example.org/1")
    example = re.findall(r"(?m)^#\t(\S.*)$",
                         read("packaging/maloted.conf.example"))
    assert example[:2] == [
        "cp /etc/malote/maloted.conf.example /etc/malote/maloted.conf",
        "maloted --check"]
    said = me.host.run("\n".join([*example[:2], "systemctl restart maloted"]))
    assert "all is well" in said.stdout
    assert "Subject: hand" in curl(me.host, "pop3://mail.example.org/1")


def test_the_way_back(admin):
    """Last: what make install has put there is gone, and the rest stays."""
    admin.make(BACK)
    left = {path for path in files(admin.host) - admin.without
            if not path.startswith("/srv/mail")
            and ("malote" in path or path.startswith("/usr"))}
    assert left == {
        "/etc/malote", "/etc/malote/maloted.conf", "/etc/malote/users",
        "/etc/malote/users.lock", "/var/lib/malote",
        "/var/lib/malote/mail-roots", "/var/lib/malote/name-key"}, left
    assert admin.without - files(admin.host) == set()
    assert "Subject: first" in admin.host.run(
        "cat /srv/mail/example.org/ana/*/*.*").stdout
