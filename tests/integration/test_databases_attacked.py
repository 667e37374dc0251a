"""Databases that fall silent, drip, break off and come back, say enormous things,
or are reached by names that nobody resolves.
"""
import os
import re
import socket
import sqlite3
import time

import pytest

import between
from server import PATIENCE, wait_until
from test_databases import (SERVERS, LDAP, QUERY, TEMPORARY, Site, at_work,  # noqa: F401
                            await_accepted, box_of, cluster, crowd, db,
                            directory, far, farm, ldap, lite, my, net, pg,
                            put_some, slow)

pytestmark = pytest.mark.ours


@pytest.fixture
def way(far):
    """To a database that is reached by the network."""
    with between.Between("127.0.0.1", far.port) as b:
        b.connection = far.connection.replace(str(far.port), str(b.port))
        yield b


def waits(connect, site, name="ann"):
    session = connect(site.server.port)
    session.ok("USER " + name)
    session.send("PASS secret\r\n")
    return session


@pytest.mark.parametrize("mode", ["silent", "drip"])
@pytest.mark.parametrize("when", ["connects", "asks"])
def test_no_answer(place, serve, connect, far, way, mode, when):
    """Whatever little comes, it is no answer in time, and no thread waits for it
    any longer."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(
        connection=way.connection, more="timeout = 1 connections = 2")])
    if when == "asks":
        site.accepts(connect, "ann")
    way.mode = mode
    if when == "connects":
        way.cut_all()
    waiting = [waits(connect, site) for _ in range(4)]
    site.accepts(connect, "file")
    for session in waiting:
        assert session.line().startswith(TEMPORARY)
    wait_until(lambda: at_work(site, "db") == 0, 3)
    way.mode = "pass"
    await_accepted(site, connect, "ann")


def test_broken_off(place, serve, connect, far, way):
    """In the middle of an answer, wherever that is: it is asked once more."""
    put_some(far, box_of(place))
    site = Site(place, serve, [far.block(connection=way.connection)])
    site.accepts(connect, "ann")
    octets = 0
    while way.left is None:
        way.cut_after(octets)
        site.accepts(connect, "ann")
        octets += 3
    assert octets > 60
    assert not site.server.events("lookup-failed")


@pytest.mark.slow
def test_as_many_as_the_server_permits(place, serve, pg):
    """Fewer connections than the settings say: they are shared, and nobody is
    turned away."""
    put_some(pg, box_of(place))
    pg.sql("DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN CONNECTION LIMIT 3")
    pg.sql("GRANT SELECT ON users TO few")
    site = Site(place, serve, [pg.block(
        slow(pg, 0.05), "connections = 20",
        connection=pg.connection.replace("user=owner", "user=few"))],
        "max_sessions_per_user = 1000\n")
    for said in crowd(site.server.port, 100, b"ann"):
        pass
    assert [line for line in said if not line.startswith(b"+OK")] == []
    assert not site.server.events("lookup-failed")
