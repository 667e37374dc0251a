"""An outgoing mail server that takes mail of one who signs in, and keeps it: what a
provider's does that a mail program sends by."""
import base64
import socketserver
import threading

from server import free_port


class Session(socketserver.StreamRequestHandler):
    timeout = 60

    def say(self, words):
        self.wfile.write(words.encode() + b"\r\n")

    def handle(self):
        self.say("220 outgoing.example")
        signed_in = False
        while line := self.rfile.readline().strip():
            word = line.split(b" ")[0].upper()
            if word == b"EHLO":
                self.say("250-outgoing.example")
                self.say("250 AUTH PLAIN")
            elif word == b"AUTH":
                _, user, password = base64.b64decode(
                    line.split(b" ")[2]).split(b"\0")
                signed_in = (user, password) == self.server.owner
                self.say("235 welcome" if signed_in else "535 wrong")
            elif word == b"QUIT":
                self.say("221 bye")
                return
            elif not signed_in:
                self.say("530 sign in first")
            elif word == b"DATA":
                self.say("354 go on")
                self.server.taken.append(b"".join(iter(
                    self.rfile.readline, b".\r\n")))
                self.say("250 taken")
            else:
                self.say("250 good")


class Outgoing(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, user, password):
        self.port = free_port()
        self.owner = (user.encode(), password.encode())
        self.taken = []
        super().__init__(("127.0.0.1", self.port), Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
