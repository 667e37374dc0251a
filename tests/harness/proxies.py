"""Proxies of others in front of maloted: haproxy, nginx's for mail, Dovecot's.
haproxy and the module of nginx are Debian's packages, unpacked but not
installed (tests/peers/unpack)."""
import grp
import os
import pwd
import shutil
import subprocess
import threading

from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from server import (PATIENCE, TOP, end_with_us, free_port, listen,
                    wait_until)


def unpacked(name):
    where = TOP + "/build/peers/" + name
    if not os.path.isdir(where):
        subprocess.run([TOP + "/tests/peers/unpack", name], timeout=300,
                       check=False, capture_output=True)
    if not os.path.isdir(where):
        pytest.skip("run tests/peers/unpack " + name)
    return where


class Proxy:
    """Ended by stop(); the ports of its settings are in `port`."""

    def __init__(self, tmp, ports):
        self.tmp = tmp
        os.mkdir(tmp, 0o755)
        self.port = {name: free_port() for name in ports}
        self.child = None

    def write(self, name, text):
        path = self.tmp + "/" + name
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def start(self, command, env=None):
        with open(self.tmp + "/said", "wb") as said:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True, preexec_fn=end_with_us,
                env={**os.environ, **(env or {})})
        try:
            wait_until(self.listens, 20)
        except AssertionError:
            self.stop()
            raise AssertionError(self.said()) from None

    def listens(self):
        assert self.child.poll() is None, self.said()
        return listen(*self.port.values())

    def said(self):
        with open(self.tmp + "/said", encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Haproxy(Proxy):
    """settings: a piece of haproxy.cfg, in which {name} is a port."""

    def __init__(self, tmp, ports, settings):
        super().__init__(tmp, ports)
        where = unpacked("haproxy")
        conf = self.write("haproxy.cfg", settings % self.port)
        self.start([where + "/usr/sbin/haproxy", "-db", "-f", conf],
                   {"LD_LIBRARY_PATH": where + "/usr/lib/x86_64-linux-gnu"})


class Judge(BaseHTTPRequestHandler):
    """What nginx asks where to go: anybody may, to this port."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Auth-Status", "OK")
        self.send_header("Auth-Server", "127.0.0.1")
        self.send_header("Auth-Port", str(self.server.to))
        self.end_headers()

    def log_message(self, *_):
        pass


class Nginx(Proxy):
    """settings: what is in the block mail."""

    def __init__(self, tmp, ports, to, settings):
        super().__init__(tmp, ports)
        if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
            pytest.skip("there is no nginx")
        where = unpacked("nginx")
        self.judge = HTTPServer(("127.0.0.1", 0), Judge)
        self.judge.to = to
        threading.Thread(target=self.judge.serve_forever, daemon=True).start()
        conf = self.write("nginx.conf", """
load_module %s/usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
pid %s/pid;
error_log stderr;
events {}
mail {
  auth_http 127.0.0.1:%d/;
  %s
}
""" % (where, tmp, self.judge.server_port, settings % self.port))
        self.start(["/usr/sbin/nginx", "-p", tmp, "-c", conf])

    def stop(self):
        super().stop()
        self.judge.shutdown()
        self.judge.server_close()


PASSDB = """passdb {
  driver = static
  args = proxy=y host=%s port=%d nopassword=y
}
"""


class Dovecot(Proxy):
    """A proxy for all users, to the address and port `to`, or as a block says."""

    def __init__(self, tmp, to, passdb=None):
        super().__init__(tmp, ["pop3"])
        if not os.path.exists("/usr/sbin/dovecot"):
            pytest.skip("there is no Dovecot")
        mine = ""
        if os.geteuid() != 0:
            mine = ("default_internal_user = %s\ndefault_login_user = %s\n"
                    "default_internal_group = %s\n"
                    "service pop3-login {\n chroot =\n}\n" % (
                        *[pwd.getpwuid(os.geteuid()).pw_name] * 2,
                        grp.getgrgid(os.getegid()).gr_name))
        conf = self.write("dovecot.conf", """
base_dir = %s/run
state_dir = %s/run
log_path = /dev/stderr
protocols = pop3
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
service stats {
  chroot =
}
service anvil {
  chroot =
}
%s
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service pop3-login {
  inet_listener pop3 {
    address = 127.0.0.1
    port = %d
  }
  inet_listener pop3s {
    port = 0
  }
}
%s""" % (tmp, tmp, passdb or PASSDB % to, self.port["pop3"], mine))
        self.start(["/usr/sbin/dovecot", "-F", "-c", conf])
