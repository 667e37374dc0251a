"""A Postfix of its own, with a queue and settings of its own: it submits for
who signs in, and delivers to Maildirs of virtual users.  As root only."""
import os
import shutil
import signal
import subprocess

from server import (PATIENCE, end_with_us, free_port, wait_until)

POSTFIX = shutil.which("postfix", path="/usr/sbin:" + os.environ["PATH"])

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd {options}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {top}/queue
data_directory = {top}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.site.example
mydestination =
inet_protocols = ipv4
smtputf8_enable = no
alias_maps =
alias_database =
local_recipient_maps =
maillog_file = {top}/log
maillog_file_prefixes = {top}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_delay_reject = yes
mynetworks =
"""


class Postfix:
    """settings: more lines of main.cf; options: of the submission port."""

    def __init__(self, top, pair, settings="", options=""):
        self.port = free_port()
        self.top = top
        os.mkdir(top, 0o755)
        for name in ("etc", "queue", "data"):
            os.mkdir(top + "/" + name, 0o755)
        shutil.chown(top + "/data", "postfix")
        self.log = top + "/log"
        with open(top + "/etc/main.cf", "w") as f:
            f.write(MAIN.format(top=top, certificate=pair.pem,
                                key=pair.key) + settings)
        with open(top + "/etc/master.cf", "w") as f:
            f.write(MASTER.format(port=self.port, options=options))
        self.auth_socket = top + "/queue/private/auth-malote"
        self.process = None
        self._postfix("check")

    def _postfix(self, *words):
        return subprocess.run(
            [POSTFIX, "-c", self.top + "/etc", *words], check=True,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60 * PATIENCE)

    def start(self):
        with open(self.top + "/said", "wb") as said:
            self.process = subprocess.Popen(
                [POSTFIX, "-c", self.top + "/etc", "start-fg"],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True, preexec_fn=end_with_us)
        wait_until(lambda: "daemon started" in self.log_text(), 30)

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8",
                      errors="backslashreplace") as f:
                return f.read()
        except OSError:
            return ""

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20 * PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
