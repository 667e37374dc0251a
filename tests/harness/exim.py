"""An Exim with settings and a spool of its own: it submits for who signs in, and
delivers to a Maildir.  It wants a user of the package's, so it runs where it sees
a list of users with that one: in a mount namespace.  As root only."""
import os
import shutil
import signal
import subprocess

from server import PATIENCE, TOP, end_with_us, free_port, wait_until

USER, UID = "Debian-exim", 64877

SETTINGS = """\
primary_hostname = mx.site.example
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
spool_directory = {top}/spool
log_file_path = {top}/log/%slog
pid_file_path = {top}/pid
exim_user = {user}
exim_group = {user}
host_lookup =
rfc1413_query_timeout = 0s
domainlist local_domains = site.example
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
acl_smtp_rcpt = acl_rcpt
keep_environment =
queue_only = true
{more}
begin acl
acl_rcpt:
  accept authenticated = *
  deny message = relay not permitted
begin routers
virtual:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {box}
  maildir_format
  user = {uid}
  group = {uid}
  create_directory = false
begin authenticators
{authenticators}
"""


def program():
    """None: it cannot be had here."""
    done = subprocess.run([TOP + "/tests/peers/exim"], text=True,
                          capture_output=True, timeout=300, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def packages():
    """The folder with them, as fetched; None likewise."""
    return TOP + "/build/peers/exim-packages" if program() else None


class Exim:
    def __init__(self, top, pair, box, uid, authenticators, more=""):
        self.top, self.port, self.process = top, free_port(), None
        os.mkdir(top, 0o755)
        for name in ("spool", "log"):
            os.mkdir(top + "/" + name, 0o755)
            os.chown(top + "/" + name, UID, UID)
        self.auth_socket = top + "/auth-malote"
        for name, line in (("passwd", "%s:x:%d:%d::/:/usr/sbin/nologin\n"),
                           ("group", "%s:x:%d:\n")):
            fields = (USER, UID, UID)[:line.count("%")]
            shutil.copy("/etc/" + name, top)
            with open("%s/%s" % (top, name), "a", encoding="ascii") as f:
                f.write(line % fields)
        certificate = shutil.copy(pair.pem, top + "/certificate")
        key = shutil.copy(pair.key, top + "/key")
        os.chmod(certificate, 0o644)
        os.chown(key, UID, UID)
        with open(top + "/settings", "w", encoding="ascii") as f:
            f.write(SETTINGS.format(
                top=top, port=self.port, user=USER, certificate=certificate,
                key=key, box=box, uid=uid, more=more,
                authenticators=authenticators))
        os.chmod(top + "/settings", 0o644)

    def _command(self, *options):
        at = program()
        inside = ("mount --bind {0}/passwd /etc/passwd && "
                  "mount --bind {0}/group /etc/group && "
                  "exec {1} -C {0}/settings {2}").format(
                      self.top, at, " ".join(options))
        return {"args": ["unshare", "-m", "sh", "-c", inside],
                "stdin": subprocess.DEVNULL,
                "env": {**os.environ,
                        "LD_LIBRARY_PATH": os.path.dirname(at) + "/../lib"}}

    def start(self):
        with open(self.top + "/said", "wb") as said:
            self.process = subprocess.Popen(
                **self._command("-bdf"), stdout=said, stderr=said,
                start_new_session=True, preexec_fn=end_with_us)

        def is_up():
            assert self.process.poll() is None, self.log_text()
            return "daemon started" in self.log_text()
        wait_until(is_up, 30)

    def deliver(self):
        """What was submitted; by root, as the program has not its bit here."""
        subprocess.run(**self._command("-qff"), check=True,
                       timeout=60 * PATIENCE)

    def log_text(self):
        text = ""
        for name in ("said", "log/mainlog", "log/paniclog"):
            try:
                with open("%s/%s" % (self.top, name),
                          errors="backslashreplace") as f:
                    text += f.read()
            except OSError:
                pass
        return text

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
