"""What a profile of AppArmor permits, and what processes did by strace.

    profile = Profile(file)             the rules for files, includes and all
    profile.permits(path, "rw")
    with traced(pids, file):            what processes do meanwhile, and those
                                        that they start
    for path, need, line in asked(file):

The kernel of these tests has no AppArmor as a rule: so this reads the rules as
apparmor.d(5) has them, and says what would be refused.
"""
import contextlib
import os
import re
import subprocess

from server import wait_until

CALLS = ("open,openat,openat2,creat,execve,execveat,mkdir,mkdirat,unlink,"
         "unlinkat,rmdir,rename,renameat,renameat2,link,linkat,symlink,"
         "symlinkat,chmod,fchmodat,chown,fchownat,lchown,utimensat,truncate,"
         "connect,bind,sendto,flock,fcntl")
VARIABLE = re.compile(r"^@\{(\w+)\}\s*\+?=\s*(.*)$")
RULE = re.compile(r"^(?:audit\s+)?(deny\s+)?(?:owner\s+)?"
                  r"(\"?(?:/|@\{)[^\s\"]*\"?)\s+([a-zA-Z]+)\s*,$")


def expanded(text, variables):
    """All that a path with @{NAME} in it stands for."""
    found = re.search(r"@\{(\w+)\}", text)
    if not found:
        return [text]
    return [way for value in variables[found.group(1)] for way in expanded(
        text[:found.start()] + value + text[found.end():], variables)]


def pattern(glob):
    """A regular expression for a path of a rule."""
    out, depth, i = "", 0, 0
    while i < len(glob):
        c = glob[i]
        if glob.startswith("**", i):
            out, i = out + ".*", i + 1
        elif c == "*":
            out += "[^/]*"
        elif c == "?":
            out += "[^/]"
        elif c == "{":
            out, depth = out + "(?:", depth + 1
        elif c == "}":
            out, depth = out + ")", depth - 1
        elif c == "," and depth:
            out += "|"
        elif c == "[":
            end = glob.index("]", i)
            out, i = out + glob[i:end + 1], end
        else:
            out += re.escape(c)
        i += 1
    # A directory of a variable and the path behind it are two slashes.
    return re.sub(r"(?:/){2,}", "/", out)


class Profile:
    def __init__(self, file):
        text = subprocess.run(
            ["apparmor_parser", "--preprocess", file], check=True, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True).stdout
        variables, self.rules = {}, []
        for line in map(str.strip, text.splitlines()):
            name = VARIABLE.match(line)
            if name:
                variables.setdefault(name.group(1), []).extend(
                    name.group(2).split())
                continue
            rule = RULE.match(line)
            if rule and not rule.group(1):
                self.rules += [
                    (re.compile(pattern(path)), rule.group(3).lower())
                    for path in expanded(rule.group(2).strip('"'), variables)]
        assert len(self.rules) > 100, "the profile was not understood"

    def permits(self, path, need):
        """All of the letters, by one rule or by several."""
        got = "".join(modes for where, modes in self.rules
                      if where.fullmatch(path))
        if "w" in got:
            got += "a"
        return all(letter in got for letter in need)


@contextlib.contextmanager
def traced(pids, file):
    strace = subprocess.Popen(
        ["strace", "-f", "-y", "-s", "4096", "-o", str(file),
         "-e", "trace=" + CALLS, *["-p%d" % pid for pid in pids]],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)

    def is_traced(pid):
        with open("/proc/%d/status" % pid) as f:
            return "TracerPid:\t%d\n" % strace.pid in f.read()
    try:
        wait_until(lambda: all(map(is_traced, pids)), 20)
        yield
    finally:
        strace.terminate()
        strace.wait(20)


def opening(flags):
    """The letters that open() with such flags needs."""
    if "O_PATH" in flags:
        return ""
    need = "" if "O_WRONLY" in flags else "r"
    if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE", flags):
        need += "w"
    return need


FD = r"(?:AT_FDCWD|\d+)<((?:[^<>]|<[^>]*>)*)>"
TEXT = r'"((?:[^"\\]|\\.)*)"'


def joined(folder, name):
    path = os.path.normpath(os.path.join(folder, name))
    return path.replace("//", "/")


def places(args):
    """The paths of a call: of a descriptor and a name, or of a name alone."""
    out = [joined(*pair) for pair in re.findall(FD + ", " + TEXT, args)]
    if not out:
        out = [name for name in re.findall(TEXT, args)[:2]
               if name.startswith("/")]
    return out


def needs(call, args, result):
    """[(path, letters)] of one call."""
    if call.startswith(("open", "creat")):
        # What was opened, wherever links have led.
        flags = args if call != "creat" else "O_WRONLY|O_CREAT"
        folder = "/" if "O_DIRECTORY" in flags else ""
        return [(path.rstrip("/") + folder, opening(flags))
                for path in re.findall(r"^\d+<(/[^<>]*)>", result)]
    if call.startswith("exec"):
        return [(path.replace("/proc/self/exe", "/usr/sbin/maloted"), "x")
                for path in places(args)[:1]]
    if call in ("connect", "bind", "sendto"):
        return [(path, "w") for path in
                re.findall(r'sun_path="(/[^"]*)"', args)]
    if call in ("flock", "fcntl"):
        if call == "fcntl" and "SETLK" not in args:
            return []
        return [(path, "k") for path in re.findall("^" + FD, args)[:1]
                if path.startswith("/")]
    folder = "/" if call.startswith(("mkdir", "rmdir")) or \
        "AT_REMOVEDIR" in args else ""
    letter = "l" if call.startswith("link") else "w"
    return [(path.rstrip("/") + folder, letter) for path in places(args)]


def asked(trace):
    """What the lines of a trace needed.  What failed as it is not there, or as
    someone else forbids it, does not need to be permitted."""
    with open(trace, encoding="utf-8", errors="replace") as f:
        lines = f.read().splitlines()
    begun = {}
    for line in lines:
        found = re.match(r"(\d+) +(.*)$", line)
        pid, words = found.groups()
        if words.endswith("<unfinished ...>"):
            begun[pid] = words[:-len("<unfinished ...>")]
            continue
        rest = re.match(r"<\.\.\. \w+ resumed>(.*)$", words)
        if rest:
            words = begun.pop(pid, "") + rest.group(1)
        call = re.match(r"(\w+)\((.*)\) += (\S.*)$", words)
        if call and not call.group(3).startswith("-"):
            for path, need in needs(*call.groups()):
                # What lies in no file system that a path leads to is not
                # looked at.
                if path.startswith("/") and need and \
                        not path.startswith("/memfd:"):
                    yield path, need, words
