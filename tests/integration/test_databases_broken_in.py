"""What a process that asks a database can reach, if somebody has broken into it."""
import errno
import glob
import os
import shutil
import socket

import pytest

from server import free_port, wait_until
from test_databases import (Site, await_accepted, box_of, cluster,  # noqa: F401
                            directory, far, farm, ldap, lite, my, pg,
                            put_some)
from test_databases_confined import pytestmark  # noqa: F401
from test_sandbox import dies, inject, landlock  # noqa: F401

REFUSED = (errno.EACCES, errno.EPERM)


def reached(inject, pid, *words):
    return {word: errno.errorcode.get(n, n)
            for word, n in inject(pid, list(words)).items()
            if n not in REFUSED}


def test_files(place, serve, connect, inject, lite):
    """The folder of the database: no mail, no users file, no other database, though
    anybody may read them, and of the other process of its own user nothing."""
    if not landlock():
        pytest.skip("the kernel has no Landlock")
    put_some(lite, box_of(place))
    for name in ("mine", "other"):
        os.mkdir(place.path + "/" + name)
        shutil.copyfile(lite.file, place.path + "/" + name + "/db")
        os.chmod(place.path + "/" + name + "/db", 0o644)
    blocks = [lite.block().replace(lite.file, place.path + "/%s/db" % name)
              for name in ("mine", "other")]
    site = Site(place, serve, blocks)
    site.accepts(connect, "ann")
    message = glob.glob(box_of(place) + "/*/*")[0]
    os.chmod(message, 0o644)
    pids = site.server.roles("db")
    own = ["read:%s/%s/db" % (place.path, name) for name in ("mine", "other")]
    got = [reached(inject, pid, *own) for pid in pids]
    assert sorted(map(list, got)) == [[word] for word in own]
    for pid, other in (pids, pids[::-1]):
        words = ["read:" + path for path in (
            message, site.users, "/etc/passwd", "/etc/shadow", "/dev/null",
            "/proc/self/environ", "/proc/%d/mem" % other,
            "/proc/%d/mem" % site.server.roles("auth")[0])]
        assert reached(inject, pid, *words) == {}
    site.accepts(connect, "ann")


def test_network_of_a_file(place, serve, connect, dies, lite):
    """What asks a file of SQLite has none: a call for one ends it."""
    put_some(lite, box_of(place))
    site = Site(place, serve, [lite.block()])
    site.accepts(connect, "ann")
    pid, = site.server.roles("db")
    assert dies(pid, "socket")
    wait_until(lambda: site.server.roles("db") not in ([], [pid]), 40)
    await_accepted(site, connect, "ann")


def test_network(place, serve, connect, inject, far):
    """Its database, and nobody else: not us, nor who listens within the
    machine."""
    if not landlock():
        pytest.skip("the kernel has no Landlock")
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block()])
    site.accepts(connect, "ann")
    pid, = site.server.roles("db")
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        here = "tcp:%d" % far.port
        assert reached(inject, pid, here, "tcp:%d" % port,
                       "tcp:%d" % site.server.port, "tcp:25",
                       "unix:" + site.server.control) == {here: 0}
    site.accepts(connect, "ann")
