"""A small internet: computers with names, ports as they are everywhere, a name
server (dnsmasq), web servers (nginx), and an authority that everybody trusts.

It is a network namespace, into which the thread that makes it goes: what that
thread starts is in it, too.
"""
import ctypes
import os
import shutil
import socket
import subprocess

from server import end_with_us, wait_until

CLONE_NEWNET = 0x40000000
RESOLVER = "127.0.0.1"
WEB = "127.0.0.2"
DOMAINS = ("org", "net", "com", "br", "test", "de", "me")
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
DNSMASQ = shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin")
CONF = """
daemon off;
master_process off;
error_log stderr;
pid {top}/nginx.pid;
events {{ }}
http {{
	access_log {top}/access.log;
	client_body_temp_path {top}/body;
	proxy_temp_path {top}/proxy;
	fastcgi_temp_path {top}/fastcgi;
	uwsgi_temp_path {top}/uwsgi;
	scgi_temp_path {top}/scgi;
	log_format asked '$host $request';
	access_log {top}/asked.log asked;
	server {{
		listen {address}:443 ssl;
		ssl_certificate {pem};
		ssl_certificate_key {key};
		root {top}/web/$host;
		error_page 405 =200 $uri;
	}}
}}
"""
ENTER = ("mount --bind {top}/resolv.conf /etc/resolv.conf && "
         "mount --bind {ca} /etc/ssl/certs/ca-certificates.crt && "
         "exec \"$@\"")


def why_not():
    """Why there can be none here, or None."""
    if os.geteuid() != 0:
        return "only root makes networks"
    if subprocess.run(["unshare", "-n", "-m", "true"],
                      capture_output=True).returncode:
        return "no namespaces"
    if not NGINX or not DNSMASQ or not shutil.which("ip"):
        return "needs nginx, dnsmasq and ip"
    return None


def enter(flags, fd=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.unshare(flags) if fd < 0 else libc.setns(fd, flags)
    if done:
        raise OSError(ctypes.get_errno(), "namespace")


class Internet:
    """Names are made before start(): host(), mx(), srv(), page()."""

    def __init__(self, top, certs):
        self.top, self.certs = top, certs
        self.names, self.records, self.sites = {}, [], set()
        self.processes = []
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        enter(CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with open(top + "/resolv.conf", "w") as f:
            f.write("nameserver %s\noptions attempts:1 timeout:2\n" % RESOLVER)

    def close(self):
        for p in self.processes:
            p.terminate()
            p.wait(10)
        enter(CLONE_NEWNET, self.home)
        os.close(self.home)

    # What there is.

    def host(self, *names):
        """A computer of these names; returns its address."""
        address = "127.0.1.%d" % (len(self.names) + 1)
        self.names[address] = names
        return address

    def mx(self, domain, name, priority=10):
        self.records.append("--mx-host=%s,%s,%d" % (domain, name, priority))

    def srv(self, service, name, port, priority=0, weight=0):
        self.records.append("--srv-host=%s,%s,%d,%d,%d" % (
            service, name, port, priority, weight))

    def page(self, host, path, text):
        """What a web server, of a certificate that is good, has there."""
        file = "%s/web/%s%s" % (self.top, host, path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as f:
            f.write(text)
        self.sites.add(host)

    def asked(self):
        """What the web servers were asked: "HOST GET /PATH HTTP/1.1"."""
        try:
            with open(self.top + "/asked.log") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def start(self):
        self.run([DNSMASQ, "--keep-in-foreground", "--no-resolv",
                  "--no-hosts", "--conf-file=/dev/null", "--user=root",
                  "--pid-file=" + self.top + "/dnsmasq.pid",
                  "--listen-address=" + RESOLVER, "--bind-interfaces",
                  *("--local=/%s/" % d for d in DOMAINS),
                  *("--host-record=%s,%s" % (name, address)
                    for address, names in self.names.items()
                    for name in names),
                  *("--host-record=%s,%s" % (s, WEB) for s in self.sites),
                  *self.records])
        wait_until(lambda: self.listens(RESOLVER, 53))
        if self.sites:
            self.start_web()
        return self

    def start_web(self):
        one = self.certs.named(*sorted(self.sites))
        with open(self.top + "/nginx.conf", "w") as f:
            f.write(CONF.format(top=self.top, address=WEB, pem=one.pem,
                                key=one.key))
        os.chmod(self.top, 0o755)
        self.run([NGINX, "-p", self.top, "-c", self.top + "/nginx.conf",
                  "-e", "stderr", "-g", "user root;"])
        wait_until(lambda: self.listens(WEB, 443))

    def run(self, command):
        with open(self.top + "/servers.log", "ab") as f:
            self.processes.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                preexec_fn=end_with_us))

    @staticmethod
    def listens(address, port):
        with socket.socket() as s:
            return s.connect_ex((address, port)) == 0

    def wrap(self):
        """For a program: these name servers, this authority."""
        return ["unshare", "-m", "sh", "-c",
                ENTER.format(top=self.top, ca=self.certs.ca), "sh",
                "env", "SSL_CERT_FILE=" + self.certs.ca]
