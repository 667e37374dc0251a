"""Runs a program that wants a terminal."""
import fcntl
import os
import pty
import signal
import select
import struct
import termios
import time

from server import PATIENCE


def readable(fd, seconds):
    """poll(), as select() knows no descriptor beyond 1023."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def become(command, home, owner):
    os.chdir(home)
    if owner:
        os.setgroups([])
        os.setgid(owner[1])
        os.setuid(owner[0])
    os.execvpe(command[0], command, {
        "HOME": home, "PATH": os.environ["PATH"], "LANG": "C",
        "TERM": "vt100", "LINES": "25", "COLUMNS": "80"})


def run(command, home, owner=None, seconds=60):
    """Returns (exit code, what it wrote); ends the program if it is late."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            become(command, home, owner)
        finally:
            os._exit(127)  # not a second pytest
    end = time.monotonic() + seconds * PATIENCE
    screen = b""
    while True:
        try:
            got = os.read(fd, 65536)
        except OSError:  # the other end is closed
            break
        screen += got
        if time.monotonic() > end:
            os.kill(pid, 9)
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen


class Terminal:
    """A program on a terminal that a person types at."""

    def __init__(self, command, home, env, columns=80, lines=25):
        self.seen = b""
        self.code = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                time.sleep(0.05)  # until the size is set
                os.chdir(home)
                os.execvpe(command[0], command, env)
            finally:
                os._exit(127)
        self.resize(columns, lines)

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("4H", lines, columns, 0, 0))

    def resize_at_rest(self, columns, lines):
        """Returns how many octets were written for the old size: while it is
        changed the program is stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)
        while readable(self.fd, 0.1):
            self.read()
        self.resize(columns, lines)
        os.kill(self.pid, signal.SIGCONT)
        return len(self.seen)

    def read(self, seconds=0.1):
        """False: the program has closed its end."""
        if not readable(self.fd, seconds):
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.seen += got
        return got != b""

    def expect(self, text, seconds=10):
        """Reads until this is seen, or seen again if it was before."""
        end = time.monotonic() + seconds * PATIENCE
        at = len(self.seen)
        while text not in self.seen[max(0, at - len(text)):]:
            assert self.read(), (text, self.seen[-2000:])
            assert time.monotonic() < end, (text, self.seen[-2000:])

    def type(self, octets):
        os.write(self.fd, octets)

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def wait(self, seconds=30):
        """Returns the exit code, negative for a signal."""
        end = time.monotonic() + seconds * PATIENCE
        while self.code is None:
            if time.monotonic() > end:
                os.kill(self.pid, 9)
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        while readable(self.fd, 0) and self.read(0):
            pass
        assert self.code != -9, self.seen[-2000:]
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
