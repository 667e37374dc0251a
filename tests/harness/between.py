"""What stands between a program and a server, and can fall silent, drip or break
off what the server says.

    with between.Between("127.0.0.1", port) as b:
        b.port                      # where the server is to be had now
        b.mode = "silent"           # what is said is accepted, and not answered
        b.mode = "drip"             # an octet of the answer each 50 ms, or
        b.pace = 0.5                # so many seconds
        b.mode = "late"             # each answer after so many seconds
        b.cut_after(20)             # after so many octets of answers, once
            b.mode = "pass"
    b.settled()                 # how many octets the program has said, once it is
                                # silent
"""
import contextlib
import socket
import threading
import time

from server import free_port


class Between:
    def __init__(self, host, port):
        self.to = (host, port)
        self.mode = "pass"
        self.pace = 0.05
        self.asked = 0
        self.left = None  # octets until it breaks off
        self.port = free_port()
        self.lock = threading.Lock()
        self.open = set()
        self.over = False
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.threads = []
        self.start(self.accept)

    def start(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut_all()
        for thread in self.threads:
            thread.join(20)

    def settled(self):
        before = -1
        while before != self.asked:
            before = self.asked
            time.sleep(0.1)
        return before

    def cut_after(self, octets):
        self.left = octets

    def cut_all(self):
        with self.lock:
            for s in self.open:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while not self.over:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.to, 20)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self.lock:
                self.open |= {client, server}
            self.start(self.carry, client, server, False)
            self.start(self.carry, server, client, True)

    def carry(self, from_, to, is_answer):
        with contextlib.suppress(OSError):
            while octets := from_.recv(65536):
                if is_answer:
                    self.answer(to, octets)
                else:
                    self.asked += len(octets)
                    to.sendall(octets)
        with self.lock:
            for s in (from_, to):
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def answer(self, to, octets):
        if self.mode == "late":
            time.sleep(self.pace)
        for n in range(len(octets)):
            while self.mode == "silent" and not self.over:
                time.sleep(0.01)
            if self.left is not None and self.left < len(octets) - n:
                to.sendall(octets[n:n + self.left])
                self.left = None
                raise OSError("broken off")
            if self.mode != "drip":
                if self.left is not None:
                    self.left -= len(octets) - n
                to.sendall(octets[n:])
                return
            to.sendall(octets[n:n + 1])
            time.sleep(self.pace)
