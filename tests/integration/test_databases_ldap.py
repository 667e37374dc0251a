"""Users in a directory (LDAP): what is not the same as in other databases, which
test_databases.py has.
"""
import base64
import hashlib
import os
import re
import shutil
import socket

import pytest

import slapd

from test_databases import (TEMPORARY, Ldap, Site,  # noqa: F401
                            await_accepted, box_of, directory, example, ldap,
                            put_some)

pytestmark = [pytest.mark.ours, pytest.mark.slow]


def test_sign_in_and_refused(place, serve, connect, ldap):
    put_some(ldap, box_of(place))
    site = Site(place, serve, [ldap.block()])
    for name in ("ann", "bea", "file"):
        site.accepts(connect, name)
        assert site.refusal(connect, name, "wrong") == \
            b"-ERR [AUTH] authentication failed"
    assert site.refusal(connect, "nobody", "secret") == \
        b"-ERR [AUTH] authentication failed"
    ldap.change("ann", "replace", "userPassword", "{PLAIN}another")
    assert site.refusal(connect, "ann", "secret").startswith(b"-ERR [AUTH]")
    site.accepts(connect, "ann", "another")
    ldap.delete("ann")
    assert site.refusal(connect, "ann", "another").startswith(b"-ERR [AUTH]")
    assert not site.server.events("lookup-failed")


def test_manual(place, serve, connect, ldap):
    stored = hashlib.sha1(b"secretsalt").digest() + b"salt"
    ldap.user("ann@example.org",
              "{SSHA}" + base64.b64encode(stored).decode(), box_of(place))
    block = example("directory")[1]
    assert "uri=ldaps://" in block and "(uid=$1)" in block
    site = Site(place, serve, [re.sub(
        'connection = ".*"', lambda _: 'connection = "%s"'
        % ldap.connection.replace("\\", "\\\\"), block)])
    site.accepts(connect, "ann@example.org")
    assert site.refusal(connect, "ann@example.org", "x").startswith(
        b"-ERR [AUTH]")


def test_name(place, serve, connect, ldap):
    """A directory compares without regard to case; the rule for names is
    ours."""
    ldap.user("Ann", "{PLAIN}secret", box_of(place))
    own = ldap.attributes + " uid=user"
    site = Site(place, serve, [ldap.block(attributes=own)])
    site.accepts(connect, "ann")
    site.server.stop()
    shutil.rmtree(box_of(place))
    site = Site(place, serve, [ldap.block("(|(uid=$1)(description=*))",
                                          attributes=own)])
    assert site.refusal(connect, "bob", "secret").startswith(TEMPORARY)


@pytest.mark.parametrize("change, said", [
    (("add", "userPassword", "{PLAIN}other"), TEMPORARY),
    (("add", "description", "maildir:/tmp"), TEMPORARY),
    (("replace", "userPassword", "secret"), b"-ERR [AUTH]"),
    (("replace", "userPassword", "{NOSUCH}secret"), b"-ERR [AUTH]"),
    (("replace", "description", "maildir:/etc"), b"-ERR [SYS/PERM]"),
    (("replace", "employeeNumber", "0"), b"-ERR [SYS/PERM]"),
    (("replace", "employeeNumber", "x"), TEMPORARY),
])
def test_lies(place, serve, connect, ldap, change, said):
    ldap.user("ann", "{PLAIN}secret", box_of(place), uid=0, gid=0)
    ldap.change("ann", *change)
    site = Site(place, serve, [ldap.block()])
    if change[1] != "employeeNumber":
        ldap.change("ann", "replace", "employeeNumber", "%d" % site.owner[0]
                    if site.owner[0] else "1000")
        ldap.change("ann", "replace", "employeeType", "%d" % site.owner[1]
                    if site.owner[1] else "1000")
    assert site.refusal(connect, "ann", "secret").startswith(said)
    site.accepts(connect, "file")


def test_two_entries(place, serve, connect, ldap):
    put_some(ldap, box_of(place))
    ldap.user("ann", "{PLAIN}secret", box_of(place), dn="cn")
    site = Site(place, serve, [ldap.block()])
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    assert "more than one" in site.server.await_event("database")[0]["error"]
    site.accepts(connect, "bea")


@pytest.mark.parametrize("change, said", [
    (("ou=people", "ou=nobody"), "No such object"),
    (("password='it\\'s'", "password=x"), "Invalid credentials"),
    (("password='it\\'s'", ""), "both needed"),
    (("ldap://", "http://"), "must begin"),
    (("tls=no", "tls=perhaps"), "verify or no"),
    (("tls=no", "colour=red"), "there is no colour"),
])
def test_wrong_connection(place, serve, connect, ldap, change, said):
    """Nobody is told that a password is wrong which nobody has looked at."""
    put_some(ldap, box_of(place))
    assert change[0] in ldap.connection
    site = Site(place, serve,
                [ldap.block(connection=ldap.connection.replace(*change))])
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    assert any(said in e["error"] for e in site.server.await_event("database"))
    site.accepts(connect, "file")


def test_without_a_name(place, serve, connect, ldap):
    """Who reads the directory may not see passwords: none is right then."""
    put_some(ldap, box_of(place))
    words = ldap.connection.split(" user=")[0] + " tls=no"
    site = Site(place, serve, [ldap.block(connection=words)])
    assert site.refusal(connect, "ann", "secret").startswith(b"-ERR [AUTH]")


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_certificate(place, serve, connect, certs, scheme):
    """It is verified, by the name too, and without TLS nothing is said."""
    server = Ldap(certificate=(certs["good"].pem, certs["good"].key))
    try:
        put_some(server, box_of(place))
        shutil.copyfile(certs.ca, place.path + "/ca.pem")
        os.chmod(place.path + "/ca.pem", 0o644)
        plain = server.connection.replace(" tls=no", "")
        if scheme == "ldaps":
            plain = plain.replace("ldap://127.0.0.1:%d" % server.port,
                                  "ldaps://127.0.0.1:%d" % server.tls_port)
        trusted = plain + " tls_ca=" + place.path + "/ca.pem"
        for connection, good in ((plain, False), (trusted, True)):
            site = Site(place, serve, [server.block(connection=connection)])
            said = site.refusal(connect, "ann", "secret")
            assert said.startswith(b"+OK" if good else TEMPORARY), (
                connection, said, site.server.log_text())
            site.server.stop()
            shutil.rmtree(box_of(place))
        server.kill()
        wrong = certs["wrong-name"]
        server.take((wrong.pem, wrong.key))
        server.start()
        site = Site(place, serve, [server.block(connection=trusted)])
        assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)
    finally:
        server.close()


def test_referral(place, serve, connect, ldap):
    """Nobody is asked but who the settings name."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        ldap.modify("dn: cn=other,%s\nobjectClass: referral\n"
                    "objectClass: extensibleObject\ncn: other\n"
                    "ref: ldap://127.0.0.1:%d/%s\n"
                    % (slapd.PEOPLE, other.getsockname()[1], slapd.PEOPLE),
                    "-a")
        try:
            put_some(ldap, box_of(place))
            site = Site(place, serve, [ldap.block(more="timeout = 1")])
            assert site.refusal(connect, "zoe", "secret").startswith(
                b"-ERR [AUTH]")
            site.accepts(connect, "ann")
            with pytest.raises(BlockingIOError):
                other.accept()
        finally:
            ldap.modify("dn: cn=other,%s\nchangetype: delete\n"
                        % slapd.PEOPLE, "-M")


def test_no_tls_there(place, serve, connect, ldap):
    """A server without StartTLS gets no password of ours."""
    put_some(ldap, box_of(place))
    site = Site(place, serve, [ldap.block(
        connection=ldap.connection.replace(" tls=no", ""))])
    assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)


# ---- the directory verifies the password ----

BIND = "description=mail employeeNumber=uid employeeType=gid"
NAMED = "uid=$1," + slapd.PEOPLE


def bind_block(ldap, query="(uid=$1)", attributes=BIND, more="",
               connection=None):
    return ldap.block(query, more, connection, attributes).replace(
        '"ldap"', '"ldap-bind"')


@pytest.mark.parametrize("query", ["(uid=$1)", NAMED])
def test_bind(place, serve, connect, ldap, query):
    """What is stored is of a scheme that we do not know."""
    ldap.user("ann", "secret", box_of(place))
    site = Site(place, serve, [bind_block(ldap, query)],
                'login_characters = "(),*="\n')
    site.accepts(connect, "ann")
    for name, password in (("ann", "wrong"), ("nobody", "secret"),
                           ("ann", "{PLAIN}secret"), ("*", "secret"),
                           ("x,uid=ann", "secret"), ("a*", "secret")):
        assert site.refusal(connect, name, password) == \
            b"-ERR [AUTH] authentication failed", name
    site.accepts(connect, "file")
    ldap.change("ann", "replace", "userPassword", "another")
    assert site.refusal(connect, "ann", "secret").startswith(b"-ERR [AUTH]")
    site.accepts(connect, "ann", "another")
    assert not site.server.events("lookup-failed")
    assert not site.server.events("database")
    why = [e["why"] for e in site.server.events("login-failed")]
    # By its name a directory does not say who there is.
    assert why[0] == ("password" if query[0] == "(" else "unknown-user")


def test_bind_without_password(place, serve, connect, ldap):
    """With an empty one a directory lets anybody in, as nobody."""
    ldap.user("ann", "secret", box_of(place))
    site = Site(place, serve, [bind_block(ldap)])
    assert not site.refusal(connect, "ann", "").startswith(b"+OK")
    site.accepts(connect, "ann")


def test_bind_hangs(place, serve, connect, ldap):
    ldap.user("ann", "secret", box_of(place))
    site = Site(place, serve, [bind_block(
        ldap, more="timeout = 1 connections = 2")])
    site.accepts(connect, "ann")
    ldap.hang()
    waiting = []
    for _ in range(6):
        session = connect(site.server.port)
        session.ok("USER ann")
        session.send("PASS secret\r\n")
        waiting.append(session)
    site.accepts(connect, "file")
    for session in waiting:
        assert session.line().startswith(TEMPORARY)
    ldap.go_on()
    await_accepted(site, connect, "ann")


def test_bind_in_clear(place, serve, connect, ldap):
    """A server without StartTLS gets no password of a user, at no try."""
    ldap.user("ann", "secret", box_of(place))
    connection = ldap.connection.replace(" tls=no", "")
    site = Site(place, serve, [bind_block(ldap, connection=connection)])
    for _ in range(3):
        assert site.refusal(connect, "ann", "secret").startswith(TEMPORARY)


def test_manual_bind(place, serve, connect, ldap):
    ldap.user("ann", "secret", box_of(place))
    block = example("company")[1]
    assert '"ldap-bind"' in block
    site = Site(place, serve, [re.sub(
        'connection = ".*"', lambda _: 'connection = "%s"'
        % ldap.connection.replace("\\", "\\\\"), block)])
    site.accepts(connect, "ann")
    assert site.refusal(connect, "ann", "x").startswith(b"-ERR [AUTH]")
