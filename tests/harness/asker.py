"""A program that asks maloted who signs in to it, by Dovecot's authentication
protocol; nothing of it is shared with the programs under test."""
import os
import socket

from scram import b64
from server import PATIENCE


class Asker:
    """A program that asks, by Dovecot's protocol."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60 * PATIENCE)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.hello = []
        while not self.hello or self.hello[-1] != "DONE":
            self.hello.append(self.line())
        self.say("VERSION\t1\t1", "CPID\t%d" % os.getpid())

    def line(self):
        return self.file.readline().decode().removesuffix("\n")

    def say(self, *lines):
        self.socket.sendall("".join(x + "\n" for x in lines).encode())

    @staticmethod
    def auth(number, password, peer="192.0.2.7", user="ann@site.example"):
        return ("AUTH\t%d\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\t"
                "rip=%s\tsecured\tresp=%s" % (
                    number, peer, b64("\0%s\0%s" % (user, password))))

    def close(self):
        self.file.close()
        self.socket.close()

    def asks(self, number, password, **more):
        """The answer to one password."""
        self.say(self.auth(number, password, **more))
        return self.line()
