"""A line to an IMAP server that does something when so many pieces, or octets,
have passed."""
import socket
import threading

from server import free_port


class Line:
    """on(number): is called with each piece from the server before that is handed
    on; if it says True, it is not, and the line breaks.  cut: it breaks after so
    many octets from the client, of all connections together, once; mute: until
    then nothing is handed on of what the server says behind so many of them."""

    def __init__(self, target, on=None, cut=None, mute=None):
        self.target, self.on, self.cut, self.mute = target, on, cut, mute
        self.port = free_port()
        self.pieces = self.octets = self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.threads = []
        self.ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        # close() alone would leave accept() waiting.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._break()
        for thread in self.threads:
            thread.join(30)

    def _break(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self.ends += [near, far]
            for way in ((near, far, True), (far, near, False)):
                thread = threading.Thread(target=self._carry, args=way,
                                          daemon=True)
                thread.start()
                self.threads.append(thread)

    def _carry(self, source, to, by_client):
        try:
            while True:
                octets = source.recv(65536)
                if not octets:
                    break
                with self.lock:
                    octets, over = self._look(octets, by_client)
                to.sendall(octets)
                if over:
                    break
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _look(self, octets, by_client):
        if not by_client:
            self.pieces += 1
            if self.on is not None and self.on(self.pieces):
                return b"", True
            if self.mute is not None and self.octets >= self.mute:
                return b"", False
            return octets, False
        self.octets += len(octets)
        if self.cut is None or self.octets < self.cut:
            return octets, False
        octets = octets[:max(0, len(octets) - (self.octets - self.cut))]
        self.cut = self.mute = None
        return octets, True
