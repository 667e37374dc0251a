"""Names of others on this computer: a SOCKS5 proxy that leads each to a server
of ours, so that a program can speak with "pop.gmail.com"."""
import socket
import threading

from server import free_port


class Proxied:
    """places: {"pop.gmail.com": port}; no other name can be reached."""

    def __init__(self, places):
        self.places = places
        self.asked = []   # (name, port)
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        with sock, sock.makefile("rb") as said:
            said.read(said.read(2)[1])
            sock.sendall(b"\5\0")
            head = said.read(5)
            assert head[:4] == b"\5\1\0\3", head   # a name, to be resolved
            name = said.read(head[4]).decode()
            port = int.from_bytes(said.read(2), "big")
            self.asked.append((name, port))
            if name not in self.places:
                sock.sendall(b"\5\4\0\1" + bytes(6))
                return
            with socket.create_connection(
                    ("127.0.0.1", self.places[name])) as other:
                sock.sendall(b"\5\0\0\1" + bytes(6))
                back = threading.Thread(target=pump, args=(other, sock),
                                        daemon=True)
                back.start()
                pump(sock, other)
                back.join(10)


def pump(a, b):
    """From one to the other, up to the end."""
    try:
        while octets := a.recv(65536):
            b.sendall(octets)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
