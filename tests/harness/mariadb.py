"""A MariaDB of its own on loopback, with users in it: as postgres.py."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import postgres
from server import PATIENCE, alive, end_with_us, free_port, wait_until

NEEDED = ["mariadbd", "mariadb-install-db", "mariadb"]
PATH = os.environ["PATH"] + ":/usr/sbin"
INSTALLED = all(shutil.which(name, path=PATH) for name in NEEDED)
TABLE = """CREATE TABLE users (name varchar(255) COLLATE utf8mb4_bin PRIMARY KEY,
    password text, uid bigint, gid bigint, home text, mail text)"""


def as_whom():
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam("mysql")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


class Mariadb:
    def __init__(self, certificate=None):
        self.folder = tempfile.mkdtemp(prefix="malote-my.")
        self.data = self.folder + "/data"
        self.socket = self.folder + "/socket"
        self.port = free_port()
        self.process = None
        self.certificate = []
        # Two that are made at the same time must not share one.
        self.tmp = self.folder + "/tmp"
        for path in (self.folder, self.data, self.tmp):
            os.makedirs(path, exist_ok=True)
            if as_whom():
                os.chown(path, as_whom()["user"], as_whom()["group"])
        os.chmod(self.folder, 0o755)
        try:
            self._run(shutil.which("mariadb-install-db", path=PATH),
                      "--no-defaults", "--datadir=" + self.data,
                      "--tmpdir=" + self.tmp,
                      "--auth-root-authentication-method=normal",
                      "--skip-test-db")
            if certificate:
                self.take(certificate)
            self.start()
            self.sql("CREATE DATABASE IF NOT EXISTS mail; "
                     "CREATE OR REPLACE USER malote@'127.0.0.%' IDENTIFIED BY "
                     "'it''s'; GRANT SELECT ON mail.* TO malote@'127.0.0.%'; "
                     "USE mail; " + TABLE)
        except BaseException:
            self.close()
            raise

    @property
    def connection(self):
        return ("host=127.0.0.1 port=%d user=malote password='it\\'s' "
                "dbname=mail ssl=no" % self.port)

    def take(self, certificate):
        """From its next start on."""
        self.certificate = []
        for path, name in zip(certificate, ("cert", "key")):
            to = os.path.join(self.folder, name + ".pem")
            shutil.copyfile(path, to)
            os.chmod(to, 0o600)
            if as_whom():
                os.chown(to, as_whom()["user"], as_whom()["group"])
            self.certificate.append("--ssl-%s=%s" % (name, to))

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
                [shutil.which("mariadbd", path=PATH), "--no-defaults",
                 "--datadir=" + self.data, "--tmpdir=" + self.tmp,
                 "--socket=" + self.socket,
                 "--port=%d" % self.port, "--bind-address=127.0.0.1",
                 "--innodb-flush-log-at-trx-commit=2", "--max-connections=200",
                 "--innodb-buffer-pool-size=32M", "--skip-name-resolve",
                 "--pid-file=" + self.folder + "/pid", *self.certificate],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                preexec_fn=end_with_us, **as_whom())
        wait_until(self._answers, 30)

    def _answers(self):
        return subprocess.run(
            [*self._client(), "-e", "SELECT 1"], check=False, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=20 * PATIENCE).returncode == 0

    def _client(self):
        return ["mariadb", "--no-defaults", "--socket=" + self.socket,
                "--user=root", "--batch", "--skip-column-names"]

    def sql(self, words):
        known = ["mail"] if not words.startswith("CREATE DATABASE") else []
        return self._run(*self._client(), "-e", words, *known)

    user = postgres.Postgres.user

    def hang(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        if alive(self.process.pid):
            os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        """At once: sessions are cut."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30 * PATIENCE)

    def close(self):
        try:
            self.kill()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
