"""IMAP servers that mail is put into, real ones, and what is in them."""
import grp
import imaplib
import os
import pwd
import re
import shutil
import signal
import ssl
import subprocess

import pytest

from server import TOP, free_port, listen, wait_until

DOVECOT = """
base_dir = {tmp}/run
state_dir = {tmp}/run
log_path = {tmp}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
first_valid_uid = 1
mail_max_userip_connections = 0
default_client_limit = 1000
mail_location = maildir:{tmp}/box
mail_plugins = quota
lda_mailbox_autocreate = yes
protocol imap {{
  mail_plugins = quota imap_quota
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = user=ana password=hush
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={tmp} allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


class Site:
    """port: STARTTLS; tls_port.  The user is ana, her password hush."""

    def stop(self):
        if self.child is None:
            return
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(timeout=30)
        self.child = None

    # What is there.

    def login(self, user="ana"):
        context = ssl.create_default_context(cafile=self.certs.ca)
        c = imaplib.IMAP4_SSL("localhost", self.tls_port,
                              ssl_context=context)
        c.login(user, "hush")
        return c

    def fetch(self, box="INBOX"):
        """[(octets, flags, INTERNALDATE)] in the order of the UIDs."""
        c = self.login()
        out = []
        found, count = c.select('"%s"' % box, readonly=True)
        if found == "OK" and int(count[0]) != 0:
            _, data = c.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            for head in data:
                if not isinstance(head, tuple):
                    continue
                line = head[0].decode()
                out.append((head[1],
                            re.search(r"FLAGS \(([^)]*)\)", line).group(1),
                            re.search(r'INTERNALDATE "([^"]*)"',
                                      line).group(1)))
        c.logout()
        return out

    def texts(self, box="INBOX"):
        """The messages with LF."""
        return [x[0].replace(b"\r\n", b"\n") for x in self.fetch(box)]

    def validity(self, box="INBOX"):
        c = self.login()
        _, data = c.status(box, "(UIDVALIDITY)")
        c.logout()
        return data[0]


class Dovecot(Site):
    """more: configuration behind ours."""

    def __init__(self, place, certs, more="", mechanisms="plain login",
                 name="imap"):
        if not os.path.exists("/usr/lib/dovecot/imap"):
            pytest.skip("dovecot-imapd is not installed")
        self.tmp = place.path + "/" + name
        os.mkdir(self.tmp, 0o755)
        self.certs = certs
        self.port, self.tls_port = free_port(), free_port()
        uid, gid = place.owner or (os.geteuid(), os.getegid())
        os.chown(self.tmp, uid, gid)
        pair = certs["good"]
        text = DOVECOT.format(tmp=self.tmp, uid=uid, gid=gid, port=self.port,
                              tls_port=self.tls_port, cert=pair.pem,
                              key=pair.key, mechanisms=mechanisms)
        if os.geteuid() != 0:
            text += ("default_internal_user = %s\ndefault_login_user = %s\n"
                     "default_internal_group = %s\n"
                     % (pwd.getpwuid(uid).pw_name, pwd.getpwuid(uid).pw_name,
                        grp.getgrgid(gid).gr_name))
        self.conf = self.tmp + "/dovecot.conf"
        with open(self.conf, "w") as f:
            f.write(text + more)
        self.start()

    def start(self):
        self.child = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c",
                                       self.conf])
        wait_until(lambda: listen(self.port, self.tls_port))

    def log(self):
        with open(self.tmp + "/log") as f:
            return f.read()

    def renumber(self, box="INBOX"):
        """Another UIDVALIDITY, which Dovecot makes of the time."""
        folder = self.tmp + "/box" + ("" if box == "INBOX" else "/." + box)
        before = self.validity(box)
        while self.validity(box) == before:
            for name in os.listdir(folder):
                if name.startswith("dovecot"):
                    os.unlink(folder + "/" + name)


IMAPD = """
configdirectory: {tmp}/conf
partition-default: {tmp}/spool
defaultpartition: default
cyrus_user: {user}
cyrus_group: {group}
admins: root
allowplaintext: no
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
unixhierarchysep: yes
altnamespace: yes
munge8bit: no
autocreate_quota: 0
autocreate_post: yes
servername: localhost
proc_path: {tmp}/proc
mboxname_lockpath: {tmp}/lock
tls_server_cert: {tmp}/cert.pem
tls_server_key: {tmp}/key.pem
"""
CYRUS = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {tmp}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -U 1 -C {tmp}/imapd.conf" listen="127.0.0.1:{port}"
  imaps cmd="{bin}/imapd -U 1 -s -C {tmp}/imapd.conf" listen="127.0.0.1:{tls_port}"
}}
"""
WITH_JMAP = """
httpmodules: jmap
conversations: yes
conversations_db: twoskip
virtdomains: userid
defaultdomain: localhost
"""
WEB = """  https cmd="{bin}/httpd -U 1 -s -C {tmp}/imapd.conf" listen="127.0.0.1:{web_port}"
"""


class Cyrus(Site):
    """As tests/peers/unpack unpacks it.  jmap: by JMAP, too."""
    WHERE = TOP + "/build/peers/cyrus"

    def __init__(self, place, certs, jmap=False):
        if os.geteuid() != 0:
            pytest.skip("Cyrus begins as root")
        if subprocess.run([TOP + "/tests/peers/unpack", "cyrus"],
                          capture_output=True, timeout=300,
                          check=False).returncode != 0:
            pytest.skip("Cyrus's packages cannot be had")
        self.tmp = place.path + "/cyrus"
        self.certs = certs
        self.port, self.tls_port = free_port(), free_port()
        self.web_port, self.jmap = free_port(), jmap
        if jmap and not os.path.exists(self.WHERE
                                       + "/usr/lib/cyrus/bin/httpd"):
            pytest.skip("run tests/peers/unpack cyrus again, for JMAP")
        uid, gid = place.owner
        os.mkdir(self.tmp, 0o755)
        for name in ("conf", "spool"):
            os.mkdir(self.tmp + "/" + name)
        pair = certs["good"]
        for source, name in ((pair.pem, "cert.pem"), (pair.key, "key.pem")):
            shutil.copy(source, self.tmp + "/" + name)
            os.chmod(self.tmp + "/" + name, 0o600)
        values = {"tmp": self.tmp, "port": self.port,
                  "tls_port": self.tls_port, "web_port": self.web_port,
                  "bin": self.WHERE + "/usr/lib/cyrus/bin",
                  "user": pwd.getpwuid(uid).pw_name,
                  "group": grp.getgrgid(gid).gr_name}
        for name, text in (
                ("imapd.conf", IMAPD + (WITH_JMAP if jmap else "")),
                ("cyrus.conf", CYRUS.replace("SERVICES {{\n", "SERVICES {{\n"
                                             + (WEB if jmap else "")))):
            with open(self.tmp + "/" + name, "w") as f:
                f.write(text.format(**values))
        for path, _, names in os.walk(self.tmp):
            for name in [""] + names:
                os.chown(os.path.join(path, name), uid, gid)
        self.start()

    def start(self):
        env = {**os.environ, "LD_LIBRARY_PATH":
               self.WHERE + "/usr/lib/x86_64-linux-gnu"}
        self.child = subprocess.Popen(
            [self.WHERE + "/usr/lib/cyrus/bin/master",
             "-C", self.tmp + "/imapd.conf", "-M", self.tmp + "/cyrus.conf",
             "-p", self.tmp + "/master.pid"], env=env,
            start_new_session=True,  # it ends all of its group
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ports = [self.port, self.tls_port]
        if self.jmap:
            ports.append(self.web_port)
        wait_until(lambda: listen(*ports), 30)

    def quota(self, kilobytes):
        c = self.login("root")
        c._simple_command("SETQUOTA", "user/ana", "(STORAGE %d)" % kilobytes)
        c.logout()
