"""A Kerberos realm on loopback, by MIT's programs (krb5-kdc, krb5-admin-server,
krb5-user): a KDC with its principals, keytabs, tickets.

    realm = kdc.Kdc(["EXAMPLE.TEST"])           # the first realm is the default
    realm.principal("ann", "secret")
    keytab = realm.keytab("pop.keytab", "pop/localhost")
    cache = realm.ticket("ann", "secret")       # as kinit: a ccache file
    run(..., env={**os.environ, **realm.env, "KRB5CCNAME": cache})
    realm.stop()

All files lie in a folder of its own, which stop() removes.  All realms are
served by one process; trust() lets one realm's principals into another.
"""
import os
import shutil
import socket
import subprocess
import tempfile

from server import PATIENCE, end_with_us, free_port, wait_until

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
NEEDED = ["krb5kdc", "kdb5_util", "kadmin.local", "kinit", "kvno"]
INSTALLED = all(shutil.which(name, path=PATH) for name in NEEDED)


def faked(at):
    """For the environment: the time is another, "-1d" or "+10m" from now."""
    # Not the program faketime: what it starts would live longer than it.
    return {"LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1",
            "FAKETIME": at} if at else {}


class Kdc:
    def __init__(self, realms=("EXAMPLE.TEST",)):
        self.realms = list(realms)
        self.folder = tempfile.mkdtemp(prefix="malote-kdc.")
        os.chmod(self.folder, 0o755)
        self.caches = 0
        self.port = free_port()
        self.config = self.path("krb5.conf")
        # What a program of the realm needs.  No program shall ask the DNS.
        self.env = {"KRB5_CONFIG": self.config}
        self._write("krb5.conf", self._krb5_conf(self.port))
        self._write("kdc.conf", self._kdc_conf())
        self.process = None
        try:
            for realm in self.realms:
                self._run("kdb5_util", "create", "-r", realm, "-s", "-P",
                          "master")
            self.process = self._start()
        except BaseException:
            self.stop()
            raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)

    def _krb5_conf(self, port):
        realms = "".join("%s = {\nkdc = 127.0.0.1:%d\n}\n" % (realm, port)
                         for realm in self.realms)
        return ("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\n"
                "dns_lookup_realm = false\ndns_canonicalize_hostname = false\n"
                "rdns = false\nudp_preference_limit = 1\n"
                "[realms]\n%s[domain_realm]\nlocalhost = %s\n"
                % (self.realms[0], realms, self.realms[0]))

    def _kdc_conf(self):
        return "[realms]\n" + "".join(
            "%s = {\ndatabase_name = %s\nkey_stash_file = %s\n"
            "acl_file = /dev/null\nmax_life = 2d\n}\n"
            % (realm, self.path(realm), self.path(realm + ".stash"))
            for realm in self.realms)

    def _run(self, *words, **more):
        done = subprocess.run(
            words, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=30 * PATIENCE, check=False,
            **{"stdin": subprocess.DEVNULL, "env": self._environment(),
               **more})
        assert done.returncode == 0, (words, done.stdout)
        return done.stdout

    def _environment(self, **more):
        return {"PATH": PATH, "LANG": "C", "HOME": self.folder,
                "KRB5_KDC_PROFILE": self.path("kdc.conf"), **self.env, **more}

    def _start(self, port=None, at=None):
        port = port or self.port
        realms = [word for realm in self.realms for word in ("-r", realm)]
        log = "FILE:" + self.path("kdc.log")
        where = "127.0.0.1:%d" % port
        profile = self.path("kdc.%d.conf" % port)
        with open(profile, "w", encoding="ascii") as f:
            f.write("[kdcdefaults]\nkdc_listen = %s\nkdc_tcp_listen = %s\n"
                    "[logging]\nkdc = %s\n" % (where, where, log)
                    + self._kdc_conf())
        process = subprocess.Popen(
            ["krb5kdc", "-n", *realms], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=end_with_us,
            env=self._environment(KRB5_KDC_PROFILE=profile,
                                  **faked(at)))

        def listens():
            assert process.poll() is None, self.log()
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_until(listens, 20)
        return process

    def log(self):
        """What the KDC has written: each ticket it gave or refused."""
        try:
            with open(self.path("kdc.log"), encoding="ascii") as f:
                return f.read()
        except OSError:
            return ""

    def principal(self, name, password=None):
        """A new one, with a password or a random key."""
        how = ["-pw", password] if password else ["-randkey"]
        self.admin(name, "addprinc", *how, self.whole(name))

    def whole(self, name):
        """With its realm."""
        return name if "@" in name else name + "@" + self.realms[0]

    def admin(self, name, *words):
        """A command of kadmin, in the realm of that principal."""
        realm = self.whole(name).rpartition("@")[2]
        return self._run("kadmin.local", "-r", realm, *words)

    def keytab(self, file, *names):
        """Keys of services (principals that are made if need be) in a file in
        our folder, or any; its path."""
        path = self.path(file)
        for name in names:
            name = self.whole(name)
            if name not in self.admin(name, "listprincs").split():
                self.principal(name)
            self.admin(name, "ktadd", "-q", "-norandkey", "-k", path, name)
        return path

    def trust(self, realm, other):
        """Principals of `other` get tickets for services of `realm`."""
        name = "krbtgt/%s@%s" % (realm, other)
        for where in realm, other:
            self._run("kadmin.local", "-r", where, "addprinc", "-pw", "both",
                      name)

    def ticket(self, name, password, service=None, lifetime="1h", at=None):
        """What kinit gets, and a ticket for `service` beside it: the path of a
        new ccache file.  at: "-1d": a ticket of another time."""
        self.caches += 1
        cache = self.path("cache.%d" % self.caches)
        env = self._environment(KRB5CCNAME="FILE:" + cache, **faked(at))
        other = None
        if at:
            port = free_port()
            config = "krb5.%d.conf" % port
            self._write(config, self._krb5_conf(port))
            env["KRB5_CONFIG"] = self.path(config)
            other = self._start(port, at)
        try:
            self._run("kinit", "-l", lifetime, self.whole(name), env=env,
                      stdin=None, input=password + "\n")
            if service:
                self._run("kvno", "-q", self.whole(service), env=env)
        finally:
            if other:
                end(other)
        return cache

    def stop(self):
        if self.process:
            end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


def end(process):
    process.terminate()
    try:
        process.wait(10 * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
