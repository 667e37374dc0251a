"""A PostgreSQL of its own on loopback, with users in it.

    db = postgres.Postgres()                    # or Postgres(certs.files("good"))
    db.sql("INSERT INTO users ...")
    db.connection                               # for the setting of that name
    db.stop_all(); db.go_on()                   # SIGSTOP, SIGCONT: all of it
    db.kill(); db.start()
    db.close()

All files lie in a folder of its own, which close() removes.
"""
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from server import (PATIENCE, alive, children, end_with_us, free_port,
                    wait_until)

PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
INSTALLED = bool(PROGRAMS) and shutil.which("psql") is not None
TABLE = """CREATE TABLE users (name text PRIMARY KEY, password text, uid bigint,
    gid bigint, home text, mail text)"""


def as_whom():
    """PostgreSQL refuses to be root's."""
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam("postgres")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


class Postgres:
    def __init__(self, certificate=None):
        self.folder = tempfile.mkdtemp(prefix="malote-pg.")
        self.data = self.folder + "/data"
        self.port = free_port()
        self.process = None
        self.tls = certificate is not None
        whom = as_whom()
        if whom:
            os.chown(self.folder, whom["user"], whom["group"])
        os.chmod(self.folder, 0o755)
        try:
            self._run(PROGRAMS[-1] + "/initdb", "-D", self.data, "-U", "owner",
                      "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
            if certificate:
                self.take(certificate)
            self.start()
            self.sql(TABLE)
        except BaseException:
            self.close()
            raise

    @property
    def connection(self):
        return ("host=127.0.0.1 port=%d user=owner dbname=postgres "
                "sslmode=disable" % self.port)

    def take(self, certificate):
        for path, name in zip(certificate, ("server.crt", "server.key")):
            to = os.path.join(self.data, name)
            shutil.copyfile(path, to)
            os.chmod(to, 0o600)
            shutil.chown(to, *([as_whom()["user"], as_whom()["group"]]
                               if as_whom() else [os.geteuid()]))

    def _run(self, *words, **more):
        done = subprocess.run(
            words, check=False, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
            timeout=60 * PATIENCE, **(as_whom() | more))
        assert done.returncode == 0, done
        return done.stdout

    def start(self):
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAMS[-1] + "/postgres", "-D", self.data, "-p",
                 str(self.port), "-k", self.folder, "-c", "fsync=off", "-c",
                 "listen_addresses=127.0.0.1", "-c", "max_connections=150",
                 "-c", "ssl=" + ("on" if self.tls else "off")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                preexec_fn=end_with_us, **as_whom())
        wait_until(self._answers, 30)

    def _answers(self):
        return subprocess.run(
            ["psql", *self._whom(), "-c", "SELECT 1"], check=False, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=20 * PATIENCE).returncode == 0

    def _whom(self):
        return ["-X", "-q", "-A", "-t", "-h", self.folder, "-p",
                str(self.port), "-U", "owner", "-d", "postgres",
                "-v", "ON_ERROR_STOP=1"]

    def sql(self, words):
        return self._run("psql", *self._whom(), "-c", words)

    def user(self, name, password, mail="", uid=None, gid=None):
        self.sql("INSERT INTO users VALUES (%s, %s, %s, %s, NULL, %s)" % (
            literal(name), literal(password), literal(uid), literal(gid),
            literal("maildir:" + mail if mail else None)))

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def signal_all(self, number):
        for pid in self.pids():
            if alive(pid):
                os.kill(pid, number)

    def hang(self):
        self.signal_all(signal.SIGSTOP)

    def go_on(self):
        self.signal_all(signal.SIGCONT)

    def kill(self):
        """Immediately: sessions are cut."""
        if self.process is not None and self.process.poll() is None:
            self.go_on()
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30 * PATIENCE)

    def close(self):
        try:
            self.kill()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def literal(value):
    return "NULL" if value is None else "'%s'" % str(value).replace("'", "''")
