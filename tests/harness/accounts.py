"""Accounts of a machine, without touching those of this one: a server is started in
a mount namespace with an /etc/passwd, an /etc/shadow and an /etc/pam.d of its own.
"""
import os
import shutil
import subprocess

PAM = "/usr/lib/x86_64-linux-gnu/security"
UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"
MOUNTS = """set -e
for name in passwd shadow pam.d; do mount --bind "$1/$name" "/etc/$name"; done
shift; exec "$@"
"""


def can_run():
    """Why there can be none; "": there can."""
    if os.geteuid() != 0:
        return "only root can mount"
    if not shutil.which("unshare"):
        return "needs unshare"
    done = subprocess.run(["unshare", "--mount", "true"], check=False,
                          stderr=subprocess.DEVNULL)
    return "no namespaces" if done.returncode else ""


def crypt(password):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], text=True,
                          input=password + "\n", check=True,
                          stdout=subprocess.PIPE).stdout.strip()


class Accounts:
    def __init__(self, folder):
        self.folder = folder
        self.lines = {"passwd": {}, "shadow": {}}
        os.mkdir(folder, 0o755)
        os.mkdir(folder + "/pam.d", 0o755)
        for name in ("passwd", "shadow"):
            with open("/etc/" + name, encoding="utf-8") as f:
                self.lines[name] = {line.split(":")[0]: line for line in f}
            self._write(name)
        self.service(UNIX)
        self.service("auth required pam_deny.so\naccount required "
                     "pam_deny.so\n", "other")

    def _write(self, name):
        """In place, as it is mounted."""
        path = self.folder + "/" + name
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(self.lines[name].values())
        os.chmod(path, 0o644 if name == "passwd" else 0o640)

    def add(self, name, password="secret", uid=50001, home="/nonexistent",
            stored=None, changed=19000, longest="99999", expires="",
            gid=None):
        stored = crypt(password) if stored is None else stored
        self.lines["passwd"][name] = "%s:x:%d:%d::%s:/bin/false\n" % (
            name, uid, uid if gid is None else gid, home)
        self.lines["shadow"][name] = "%s:%s:%s:0:%s:7::%s:\n" % (
            name, stored, changed, longest, expires)
        self._write("passwd")
        self._write("shadow")

    def remove(self, name):
        for file in ("passwd", "shadow"):
            del self.lines[file][name]
            self._write(file)

    def service(self, text, name="malote"):
        with open(self.folder + "/pam.d/" + name, "w", encoding="utf-8") as f:
            f.write(text)

    def wrap(self):
        """What a server is started by."""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                MOUNTS, "sh", self.folder]
