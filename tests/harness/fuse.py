"""A FUSE file system that its owner mounts: an empty directory, or a file.

It speaks the kernel's protocol itself, so it needs no library, but root.
"""
import ctypes
import errno
import os
import stat
import struct
import threading

import drop

libc = ctypes.CDLL(None, use_errno=True)
LOOKUP, FORGET, GETATTR, OPEN, READ, WRITE = 1, 2, 3, 14, 15, 16
STATFS, RELEASE, MKNOD, CREATE = 17, 18, 8, 35
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, BATCH_FORGET = 25, 26, 27, 28, 29, 42
HEADER = struct.Struct("=IIQQIIII")
MS_BIND, MNT_DETACH = 4096, 2


def can_mount():
    return os.geteuid() == 0 and os.path.exists("/dev/fuse")


class Fuse:
    """Mounted at `path` as fusermount would for that uid."""
    more = ""  # options

    def __init__(self, path, uid, gid):
        self.path, self.uid, self.gid = path, uid, gid
        self.asked = []  # opcodes
        self.places = []
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self.kind = stat.S_IFMT(os.stat(path).st_mode)
        options = "fd=%d,rootmode=%o,user_id=%d,group_id=%d" % (
            self.fd, self.kind, uid, gid)
        if libc.mount(b"owner", path.encode(), b"fuse", 0,
                      (options + self.more).encode()):
            number = ctypes.get_errno()
            os.close(self.fd)
            raise OSError(number, "mount: " + os.strerror(number))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def attributes(self):
        now = drop.EPOCH
        return struct.pack("=QIIQQQQQQIIIIIIIIII", 1, 0, 0, 1, 4096, 8, now,
                           now, now, 0, 0, 0, self.kind | 0o700, 2, self.uid,
                           self.gid, 0, 4096, 0)

    def answer(self, opcode):
        if opcode == INIT:
            return struct.pack("=IIIIHHIIHH8I", 7, 31, 65536, 0, 12, 9, 65536,
                               1, 0, 0, *[0] * 8)
        if opcode == GETATTR:
            return self.attributes()
        if opcode == OPENDIR:
            return struct.pack("=QII", 1, 0, 0)
        if opcode == STATFS:
            return bytes(80)
        return b"" if opcode in (READDIR, FLUSH) else None

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, 256 * 1024)
            except OSError:
                return  # unmounted
            _, opcode, unique = struct.unpack_from("=IIQ", request)
            self.asked.append(opcode)
            said = self.answer(opcode)
            error = 0 if said is not None else -errno.ENOSYS
            said = said or b""
            try:
                os.write(self.fd, struct.pack("=IiQ", 16 + len(said), error,
                                              unique) + said)
            except OSError:
                pass  # to what wants no answer, or is interrupted

    def also_at(self, path):
        """A second place of the same file system."""
        assert not libc.mount(self.path.encode(), path.encode(), None, MS_BIND,
                              None)
        self.places.append(path)

    def stop(self):
        for path in self.places + [self.path]:
            libc.umount2(path.encode(), MNT_DETACH)
        self.thread.join(10)
        os.close(self.fd)


class Mail(Fuse):
    """The messages of one folder, mounted by root for all; they are `owner`'s.
    What is among `holds`, close() of a file, waits while the user of who calls
    it is among `holding`."""
    more = ",allow_other"
    lives = 3600  # seconds for which the kernel may believe attributes
    folders = {}  # of a Maildir: node by name

    def __init__(self, path, messages, owner):
        self.holds = {FLUSH}
        self.owner = owner
        self.mail = dict(enumerate(messages, 2))  # by node
        self.holding, self.held = set(), []
        self.writing = threading.Lock()
        super().__init__(path, 0, 0)

    def node_attributes(self, node):
        size, kind = 0, self.kind | (
            0o700 if stat.S_ISDIR(self.kind) else 0o600)
        if node in self.folders.values():
            kind = 0o40700
        if node in self.mail:
            size, kind = len(self.mail[node].stored), 0o100600
        times = [drop.EPOCH] * 3
        return struct.pack("=QQQQQQIIIIIIIIII", node, size, 8, *times, 0, 0, 0,
                           kind, 1, *self.owner, 0, 4096, 0)

    def find(self, name):
        nodes = {m.name.encode(): node for node, m in self.mail.items()}
        nodes.update(self.folders)
        if name not in nodes:
            raise FileNotFoundError
        return struct.pack("=QQQQII", nodes[name], 0, 3600, self.lives, 0,
                           0) + self.node_attributes(nodes[name])

    def names(self):
        out = b""
        for node, message in self.mail.items():
            name = message.name.encode()
            out += struct.pack("=QQII", node, node, len(name), 8) + name
            out += bytes(-len(name) % 8)
        return out

    def said(self, opcode, node, body):
        if opcode == LOOKUP:
            return self.find(body.rstrip(b"\0"))
        if opcode == GETATTR:
            return struct.pack("=QII", self.lives, 0, 0) + \
                self.node_attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("=QII", node, 0, 0)
        if opcode in (READ, READDIR):
            _, offset, size = struct.unpack_from("=QQI", body)
            if opcode == READ and node not in self.mail:
                return b""
            if opcode == READ:
                return self.mail[node].stored[offset:offset + size]
            return self.names() if offset == 0 else b""
        if opcode == WRITE:
            return body[16:20] + bytes(4)
        if opcode in (FLUSH, RELEASE, RELEASEDIR):
            return b""
        return self.answer(opcode)

    def write(self, unique, error, said):
        with self.writing:
            try:
                os.write(self.fd, struct.pack("=IiQ", 16 + len(said), error,
                                              unique) + said)
            except OSError:
                pass  # it was interrupted

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, 256 * 1024)
            except OSError:
                return  # unmounted
            _, opcode, unique, node, uid, *_ = HEADER.unpack_from(request)
            if opcode in (FORGET, BATCH_FORGET):
                continue
            rest = unique, opcode, node, request[HEADER.size:]
            if opcode in self.holds and uid in self.holding:
                self.held.append(rest)
            else:
                self.reply(*rest)

    def reply(self, unique, opcode, node, body):
        try:
            said = self.said(opcode, node, body)
            error = 0 if said is not None else -errno.ENOSYS
            if opcode in (MKNOD, CREATE):
                error = -errno.EROFS
        except FileNotFoundError:
            said, error = b"", -errno.ENOENT
        self.write(unique, error, said or b"")

    def let_go(self):
        self.holding = set()
        while self.held:
            self.reply(*self.held.pop())

    def stop(self):
        self.let_go()
        super().stop()


class Maildir(Mail):
    """A whole one, without messages, to which nothing can be written."""
    folders = {b"new": 1001, b"cur": 1002, b"tmp": 1003}

    def __init__(self, path, owner):
        super().__init__(path, [], owner)
