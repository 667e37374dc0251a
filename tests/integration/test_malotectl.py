"""malotectl: the users file is changed whole or not at all."""

import os
import pty
import re
import signal
import stat
import subprocess
import time

import pytest

from terminal import readable

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
MALOTED = os.environ.get("MALOTED", TOP + "/build/release/src/maloted")
CTL = os.path.join(os.path.dirname(MALOTED), "malotectl")
DEADLINE = 30

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_IOERR = 64, 65, 67, 74
EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 75, 77, 78


@pytest.fixture
def users(tmp_path):
    return tmp_path / "users"


def ctl(users, *args, say="secret\n", code=0):
    done = subprocess.run([CTL, "--users", str(users), "user", *args],
                          input=say.encode(), timeout=DEADLINE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == code, done.stderr
    if code == 0:
        assert done.stderr == b""
    else:
        assert b"malotectl: " in done.stderr or b"usage: " in done.stderr
        assert b"secret" not in done.stderr
    return done.stdout.decode()


def names(users):
    return ctl(users, "list").split("\n")[:-1]


def is_password(hash, password):
    made = subprocess.run(["openssl", "passwd", "-6", "-stdin", "-salt",
                           hash.split("$", 2)[2].rsplit("$", 1)[0]],
                          input=password.encode() + b"\n", check=True,
                          stdout=subprocess.PIPE).stdout.decode().strip()
    return made == hash


def test_add_list_delete(users):
    ctl(users, "add", "anna@example.org")
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    ctl(users, "add", "bob")
    assert names(users) == ["anna@example.org", "bob"]
    text = users.read_text()
    assert re.fullmatch(
        r"anna@example\.org:\{ARGON2ID\}\$argon2id\$v=19\$m=65536,t=2,p=1\$"
        r"[^:]+::::::\n"
        r"bob:\{ARGON2ID\}[^:]+::::::\n", text)
    assert "secret" not in text
    ctl(users, "delete", "anna@example.org")
    assert names(users) == ["bob"]
    ctl(users, "delete", "bob")
    assert users.read_text() == ""


def test_options(users):
    ctl(users, "add", "a", "--uid", "1000", "--gid", "100", "--home",
        "/home/a b", "--mail", "maildir:~/Maildir", "--scheme", "plain",
        say="pass word \n")
    assert users.read_text() == ("a:{PLAIN}pass word :1000:100::/home/a b::"
                                 "userdb_mail=maildir:~/Maildir\n")


@pytest.mark.parametrize("scheme, head", [
    ("ARGON2ID", "{ARGON2ID}$argon2id$"),
    ("BLF-CRYPT", "{BLF-CRYPT}$2y$"),
    ("SHA512-CRYPT", "{SHA512-CRYPT}$6$"),
    ("YESCRYPT", "{CRYPT}$y$"),
    ("PLAIN", "{PLAIN}secret"),
])
def test_schemes(users, scheme, head):
    ctl(users, "add", "a", "--scheme", scheme)
    hash = users.read_text().split(":")[1]
    assert hash.startswith(head)
    if scheme == "SHA512-CRYPT":
        assert is_password(hash[len("{SHA512-CRYPT}"):], "secret")
        assert not is_password(hash[len("{SHA512-CRYPT}"):], "secret ")


ODD = ("# kept\n"
       "\n"
       "nonsense without a colon\n"
       "anna:{PLAIN}old:1:2:gecos:/home:/bin/sh:x=y userdb_mail=maildir:/m\n"
       "  odd one : {X}:\r\n"
       "bob:{PLAIN}b")


def test_other_lines_stay(users):
    users.write_text(ODD, newline="")
    ctl(users, "passwd", "anna", "--scheme", "PLAIN", say="new\n")
    assert users.read_bytes().decode() == ODD.replace("old", "new")
    ctl(users, "add", "carol", "--scheme", "PLAIN")
    assert users.read_bytes().decode() == (
        ODD.replace("old", "new") + "\ncarol:{PLAIN}secret::::::\n")
    ctl(users, "delete", "anna")
    ctl(users, "delete", "bob")
    assert users.read_bytes().decode() == (
        "# kept\n\nnonsense without a colon\n  odd one : {X}:\r\n"
        "carol:{PLAIN}secret::::::\n")
    assert names(users) == ["carol"]


def test_delete_takes_every_line(users):
    users.write_text("a:{PLAIN}1\nb:{PLAIN}2\na:{PLAIN}3\n")
    ctl(users, "delete", "a")
    assert users.read_text() == "b:{PLAIN}2\n"


def test_owner_mode_link(users, tmp_path):
    real = tmp_path / "real"
    real.write_text("a:{PLAIN}1\n")
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 1234, 5678)
    users.symlink_to(real)
    ctl(users, "add", "b")
    assert users.is_symlink()
    st = real.stat()
    assert stat.S_IMODE(st.st_mode) == 0o640
    if os.geteuid() == 0:
        assert (st.st_uid, st.st_gid) == (1234, 5678)
    assert names(users) == ["a", "b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "real", "real.lock", "users"]


def test_replaced_not_rewritten(users):
    users.write_text("a:{PLAIN}1\n")
    with open(users) as old:
        ctl(users, "add", "b", "--scheme", "PLAIN")
        assert old.read() == "a:{PLAIN}1\n"
    assert os.stat(users).st_nlink == 1


@pytest.mark.parametrize("name", [
    "", "a b", "../a", "a:b", "a\nb", ".a", "a@", "@b", "a@b@c", "a..b",
    "x" * 256, "a%b", "~a"])
def test_bad_names(users, name):
    ctl(users, "add", name, code=EX_DATAERR)
    assert not users.exists()


def test_who_is_there(users):
    ctl(users, "add", "anna", "--scheme", "PLAIN")
    before = users.read_bytes()
    ctl(users, "add", "anna", code=EX_DATAERR)
    ctl(users, "add", "Anna", code=EX_DATAERR)
    ctl(users, "passwd", "bob", code=EX_NOUSER)
    ctl(users, "passwd", "Anna", code=EX_NOUSER)
    ctl(users, "delete", "bob", code=EX_NOUSER)
    assert users.read_bytes() == before


@pytest.mark.parametrize("say", [
    "", "\n", "\r\n", "x" * 1025 + "\n", "a\0b\n", "\udcff\n", "a\rb\n",
    "a\tb\n", "a\x1b[D\n"])
def test_bad_passwords(users, say):
    done = subprocess.run([CTL, "--users", str(users), "user", "add", "a"],
                          input=say.encode("utf-8", "surrogateescape"),
                          timeout=DEADLINE, stderr=subprocess.PIPE)
    assert done.returncode == EX_DATAERR
    assert done.stderr.startswith(b"malotectl: ")
    assert not users.exists()


def test_passwords_a_scheme_cannot_take(users):
    ctl(users, "add", "a", "--scheme", "PLAIN", say="a:b\n", code=EX_DATAERR)
    ctl(users, "add", "a", "--scheme", "BLF-CRYPT", say="x" * 73 + "\n",
        code=EX_DATAERR)
    ctl(users, "add", "a", "--scheme", "BLF-CRYPT", say="x" * 72)
    ctl(users, "add", "b", say="x" * 1024)


@pytest.mark.parametrize("args", [
    [], ["add"], ["add", "a", "b"], ["list", "a"], ["rename", "a"],
    ["delete"], ["add", "a", "--nonsense"], ["add", "a", "--uid"]])
def test_usage(users, args):
    ctl(users, *args, code=EX_USAGE)
    assert not users.exists()


@pytest.mark.parametrize("args", [
    ["--scheme", "DES"], ["--uid", "1"], ["--gid", "1"],
    ["--uid", "0", "--gid", "1"], ["--uid", "-1", "--gid", "1"],
    ["--uid", "anna", "--gid", "1"], ["--uid", "4294967295", "--gid", "1"],
    ["--home", "x"], ["--home", "/a:b"], ["--home", "/a\nb:{PLAIN}:"],
    ["--mail", "mbox:/x"], ["--mail", "maildir:/a b"],
    ["--mail", "maildir:/a\nb"]])
def test_bad_options(users, args):
    ctl(users, "add", "a", *args, code=EX_DATAERR)
    assert not users.exists()


def test_no_directory(tmp_path):
    ctl(tmp_path / "none" / "users", "add", "a", code=EX_IOERR)
    ctl(tmp_path / "users", "list", code=EX_IOERR)
    ctl(tmp_path, "list", code=EX_IOERR)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_not_permitted(tmp_path, users):
    users.write_text("a:{PLAIN}1\n")
    tmp_path.chmod(0o500)
    try:
        ctl(users, "delete", "a", code=EX_NOPERM)
    finally:
        tmp_path.chmod(0o700)


def test_two_at_once(users):
    made = ["user%d" % i for i in range(20)]
    running = []
    for name in made:
        p = subprocess.Popen([CTL, "--users", str(users), "user", "add",
                              name, "--scheme", "PLAIN"],
                             stdin=subprocess.PIPE)
        p.stdin.write(b"secret\n")
        p.stdin.close()
        running.append(p)
    for p in running:
        assert p.wait(timeout=DEADLINE) == 0
    assert sorted(names(users)) == sorted(made)


def test_locked_for_long(users):
    import fcntl
    ctl(users, "add", "a")
    with open(str(users) + ".lock") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        ctl(users, "delete", "a", code=EX_TEMPFAIL)
    assert names(users) == ["a"]


class Terminal:
    """malotectl at a terminal."""

    def __init__(self, users, *args):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execv(CTL, [CTL, "--users", str(users), "user", *args])
            finally:
                os._exit(127)  # not a second pytest

    def expect(self, text):
        end = time.monotonic() + DEADLINE
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if readable(self.fd, 0.1):
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    assert text in self.seen, self.seen

    def say(self, text):
        os.write(self.fd, text)

    def has_echo(self):
        import termios
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def ends(self):
        status = os.waitpid(self.pid, 0)[1]
        try:
            while True:
                data = os.read(self.fd, 4096)
                if not data:
                    break
                self.seen += data
        except OSError:
            pass
        os.close(self.fd)
        return status


def test_terminal(users):
    t = Terminal(users, "add", "anna", "--scheme", "PLAIN")
    t.expect(b"Password: ")
    t.say(b"secret\n")
    t.expect(b"again: ")
    t.say(b"secret\n")
    assert t.ends() == 0
    assert b"secret" not in t.seen
    assert users.read_text() == "anna:{PLAIN}secret::::::\n"


def test_terminal_mistyped(users):
    t = Terminal(users, "add", "anna")
    t.expect(b"Password: ")
    t.say(b"secret\n")
    t.expect(b"again: ")
    t.say(b"secrte\n")
    assert os.WEXITSTATUS(t.ends()) == EX_DATAERR
    assert b"malotectl: that was not the same" in t.seen
    assert not users.exists()


def test_terminal_interrupted(users):
    t = Terminal(users, "add", "anna")
    t.expect(b"Password: ")
    assert not t.has_echo()
    # Kept open, so that the terminal is there after the end.
    slave = os.open(os.readlink("/proc/%d/fd/0" % t.pid),
                    os.O_RDWR | os.O_NOCTTY)
    t.say(b"\x03")
    status = os.waitpid(t.pid, 0)[1]
    assert os.WTERMSIG(status) == signal.SIGINT
    assert t.has_echo()
    os.close(slave)
    os.close(t.fd)
    assert not users.exists()


def test_help():
    done = subprocess.run([CTL, "--help"], timeout=DEADLINE,
                          stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert done.stdout.startswith(b"usage: malotectl")
    done = subprocess.run([CTL, "--version"], timeout=DEADLINE,
                          stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert re.fullmatch(rb"malotectl \d+\.\d+\.\d+\n", done.stdout)


def test_config_names_the_file(users, tmp_path):
    config = tmp_path / "maloted.conf"
    config.write_text('users = "%s"\nmail = "maildir:/nowhere/%%n"\n'
                      'mail_user = "%d"\nmail_group = "1"\n'
                      % (users, os.geteuid() or 65534))
    subprocess.run([CTL, "-c", config, "user", "add", "anna"], input=b"x\n",
                   check=True, timeout=DEADLINE)
    assert names(users) == ["anna"]


@pytest.fixture
def site(users, tmp_path):
    """malotectl with a configuration, and more options."""
    config = tmp_path / "maloted.conf"
    config.write_text('users = "%s"\nmail = "maildir:/nowhere/%%d/%%n"\n'
                      'mail_user = "%d"\nmail_group = "1"\n'
                      'default_domain = "example.org"\nfirst_uid = 600\n'
                      % (users, os.geteuid() or 65534))

    def run(*args, code=0):
        done = subprocess.run(
            [CTL, "-c", config, "--scheme", "PLAIN", "user", *args],
            input=b"secret\n", timeout=DEADLINE, capture_output=True)
        assert done.returncode == code, done.stderr
        return (done.stderr or done.stdout).decode()
    run.config = config
    return run


def test_names_are_the_servers(site, users):
    """With its domain, in its case, and in one of Unicode's forms."""
    site("add", "Ana")
    site("add", "jose\u0301")
    assert users.read_text() == ("ana@example.org:{PLAIN}secret::::::\n"
                                 "jos\xe9@example.org:{PLAIN}secret::::::\n")
    for again in ("ana", "ANA@example.org", "jos\xe9"):
        assert "already" in site("add", again, code=EX_DATAERR)
    users.write_text("Bob:{PLAIN}x\n" + users.read_text())
    assert "already" in site("add", "bob@example.org", code=EX_DATAERR)
    assert site("list").split() == ["bob@example.org", "ana@example.org",
                                    "jos\xe9@example.org"]
    site("delete", "ana")
    site("delete", "bob")
    assert site("list").split() == ["jos\xe9@example.org"]


@pytest.mark.parametrize("args, says", [
    (["--uid", "599", "--gid", "600"], "first_uid = 600"),
    (["--mail", "maildir:/elsewhere/%n"], "mail_root"),
    (["--mail", "maildir:~/Maildir"], "home"),
])
def test_nobody_is_made_who_cannot_sign_in(site, users, args, says):
    assert says in site("add", "ana", *args, code=EX_DATAERR)
    assert not users.exists()


def test_users_of_the_manuals_can_be_made(site):
    """Without a default_domain, as none is set at first."""
    site.config.write_text(site.config.read_text().replace(
        'default_domain = "example.org"', ""))
    made = set()
    for page in ("maloted.8", "maloted.conf.5", "malotectl.8"):
        with open(TOP + "/doc/man/%s.scd" % page, encoding="utf-8") as f:
            made.update(re.findall(r"\suser add ([\w.@]+)", f.read()))
    assert len(made) > 1
    for name in made - {"NAME"}:
        site("add", name)


def test_nobody_without_the_domain_of_the_folder(site, users):
    site.config.write_text(site.config.read_text().replace(
        'default_domain = "example.org"', ""))
    assert "default_domain" in site("add", "ana", code=EX_DATAERR)
    site("add", "ana@example.net")


def test_end_of_line_of_windows(users):
    ctl(users, "add", "a", "--scheme", "PLAIN", say="secret\r\n")
    assert users.read_text() == "a:{PLAIN}secret::::::\n"


def test_byte_order_mark(users):
    """It is no part of the first user's name."""
    users.write_bytes(b"\xef\xbb\xbfana:{PLAIN}x\n")
    assert names(users) == ["ana"]
    ctl(users, "passwd", "ana", "--scheme", "PLAIN")
    assert users.read_bytes() == b"\xef\xbb\xbfana:{PLAIN}secret\n"


def test_config_is_wrong(tmp_path):
    config = tmp_path / "maloted.conf"
    config.write_text('\nuserz = "/x"\n')
    done = subprocess.run([CTL, "--config", config, "user", "list"],
                          stderr=subprocess.PIPE, timeout=DEADLINE)
    assert done.returncode == EX_CONFIG
    assert done.stderr.startswith(b"%s:2: " % str(config).encode())
