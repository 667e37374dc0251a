"""A real Postfix with submission, and Dovecot for its SASL: as root, below a
folder of its own, on free ports of the loopback.

What was taken for a recipient lies in Maildirs below `mail`; the user is "user",
the password "secret", the addresses are of example.org and example.net.
"""
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import time

import pytest

from server import PATIENCE, free_port, kill

PROGRAMS = ("/usr/sbin/postfix", "/usr/sbin/dovecot")
NEEDED = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(os.path.exists, PROGRAMS)),
    reason="needs root, Postfix and Dovecot")

MAIN = """
compatibility_level = 3.6
queue_directory = {top}/queue
data_directory = {top}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {top}/log
maillog_file_prefixes = {top}
inet_interfaces = 127.0.0.1
myhostname = mail.example.test
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = example.org, example.net
virtual_mailbox_base = {top}/mail
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
message_size_limit = 200000
smtpd_tls_chain_files = {key}, {pem}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {top}/sasl
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_client_restrictions =
smtpd_helo_restrictions =
smtpd_sender_login_maps = inline:{{ ana@example.org=user }}
smtpd_sender_restrictions =
  reject_sender_login_mismatch
smtpd_recipient_restrictions =
  check_recipient_access inline:{{ {refused} }},
  reject_unauth_destination
default_transport = error
smtputf8_enable = yes
"""
# Each class of refusal, as Postfix's administrators write them.
REFUSED = {
    "gone@example.net": "550 5.1.1 User unknown",
    "full@example.net": "452 4.2.2 Mailbox full",
    "grey@example.net": "450 4.7.1 Greylisted, come back",
    "policy@example.net": "554 5.7.1 Relay access denied",
}
MASTER = """
{port} inet n - n - - smtpd
  -o syslog_name=submission -o smtpd_tls_security_level=encrypt
{tls_port} inet n - n - - smtpd
  -o syslog_name=submissions -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
virtual unix - n n - - virtual
showq unix n - n - - showq
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""
DOVECOT = """
base_dir = {top}/run
state_dir = {top}/run
log_path = {top}/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-256
disable_plaintext_auth = no
first_valid_uid = 1
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {top}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={top}
}}
service auth {{
  unix_listener {top}/sasl {{
    mode = 0666
  }}
}}
"""


class Postfix:
    def __init__(self, certs):
        self.top = tempfile.mkdtemp(prefix="malote-postfix.", dir="/tmp")
        self.port, self.tls_port = free_port(), free_port()
        for name in ("etc", "queue", "data", "mail", "run"):
            os.mkdir(self.path(name))
        os.chmod(self.top, 0o755)
        postfix = pwd.getpwnam("postfix")
        os.chown(self.path("data"), postfix.pw_uid, -1)
        owner = pwd.getpwnam("nobody")
        os.chown(self.path("mail"), owner.pw_uid, owner.pw_gid)
        pair = certs["good"]
        with open(pair.key) as f:
            self.write("key", f.read(), 0o600)
        with open(pair.pem) as f:
            self.write("pem", f.read())
        boxes = [name + "@example." + end for name in (
            "ana", "bo", "jos\u00e9", *"123") for end in ("org", "net")]
        values = {
            "top": self.top, "uid": owner.pw_uid, "gid": owner.pw_gid,
            "key": self.path("key"), "pem": self.path("pem"),
            "port": self.port, "tls_port": self.tls_port,
            "boxes": ", ".join("%s=%s/" % (b, b) for b in boxes),
            "refused": ", ".join("{ %s = %s }" % r for r in REFUSED.items())}
        self.write("etc/main.cf", MAIN.format(**values))
        self.write("etc/master.cf", MASTER.format(**values))
        self.write("dovecot.conf", DOVECOT.format(**values))
        self.write("users", "user:secret\n")
        assert grp.getgrnam("postdrop")
        self.dovecot = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", self.path("dovecot.conf")])
        self.await_path("sasl")
        self.postfix("start")
        self.await_path("queue/pid/master.pid")

    def path(self, name):
        return os.path.join(self.top, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def postfix(self, word, check=True):
        subprocess.run(["postfix", "-c", self.path("etc"), word],
                       check=check, timeout=60 * PATIENCE,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def await_path(self, name, seconds=20):
        end = time.monotonic() + seconds * PATIENCE
        while not os.path.exists(self.path(name)):
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def log(self):
        text = ""
        for name in ("log", "dovecot.log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), errors="replace") as f:
                    text += f.read()
        return text

    def mail(self, address, count=1, seconds=20):
        """What came for an address, as soon as there are so many."""
        end = time.monotonic() + seconds * PATIENCE
        where = self.path("mail/%s/new" % address)
        while True:
            names = sorted(os.listdir(where)) if os.path.isdir(where) else []
            if len(names) >= count or time.monotonic() > end:
                break
            time.sleep(0.02)
        assert len(names) == count, (names, self.log())
        found = []
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                found.append(f.read())
        return found

    def empty(self, address):
        shutil.rmtree(self.path("mail/" + address), ignore_errors=True)

    def stop(self):
        try:
            self.postfix("stop", check=False)
        finally:
            self.dovecot.terminate()
            try:
                self.dovecot.wait(10)
            except subprocess.TimeoutExpired:
                kill(self.dovecot.pid)
            shutil.rmtree(self.top, ignore_errors=True)
