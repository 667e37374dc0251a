"""Accounts of a machine, without touching those of this one: a server is started in
a mount namespace with an /etc/passwd, an /etc/shadow and an /etc/pam.d of its own.
"""
import os
import shutil
import subprocess

PAM = "/usr/lib/x86_64-linux-gnu/security"
UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"
# The folder, not the files: where the machine's own /etc/passwd is renamed into its
# place meanwhile (useradd, a package), what was mounted on it is gone everywhere.
MOUNTS = """set -e
mount --bind /etc "$1/machine"; mount --bind "$1/etc" /etc
shift; exec "$@"
"""
OURS = ("passwd", "shadow", "pam.d")


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
        self.etc = folder + "/etc"
        for path in (folder, self.etc, folder + "/machine",
                     self.etc + "/pam.d"):
            os.mkdir(path, 0o755)
        for name in set(os.listdir("/etc")) - set(OURS):
            os.symlink("%s/machine/%s" % (folder, name), self.etc + "/" + name)
        for name in ("passwd", "shadow"):
            with open("/etc/" + name, encoding="utf-8") as f:
                self.lines[name] = {line.split(":")[0]: line for line in f}
            self._write(name)
        self.service(UNIX)
        self.service("auth required pam_deny.so\naccount required "
                     "pam_deny.so\n", "other")

    def _replace(self, name, lines, mode=0o644):
        """All of it at once: who reads it meanwhile has the old one."""
        new = self.folder + "/new"
        with open(new, "w", encoding="utf-8") as f:
            f.writelines(lines)
        os.chmod(new, mode)
        os.rename(new, self.etc + "/" + name)

    def _write(self, name):
        self._replace(name, self.lines[name].values(),
                      0o644 if name == "passwd" else 0o640)

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
        self._replace("pam.d/" + name, [text])

    def wrap(self):
        """What a server is started by."""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                MOUNTS, "sh", self.folder]
