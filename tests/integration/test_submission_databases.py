"""Whoever a database knows signs in to POP3 and to a real Postfix's submission, by a
password, by app passwords and by a token; is refused there with the right code, and
is not refused for good while nobody can be asked.  One of each kind of database.
"""
import base64
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest

import accounts
import postfix
import smtp
from issuer import Issuer
from server import CTL, PATIENCE, wait_until
from test_databases import (Site, box_of, cluster, directory,  # noqa: F401
                            farm, ldap, lite, my, pg)
from test_databases_ldap import BIND, bind_block
from test_submission import ASKS, block
from test_tokens import message
from test_verified import (PAM, SYSTEM, machine, program,  # noqa: F401
                           settings)

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root"),
    pytest.mark.skipif(not postfix.POSTFIX, reason="needs Postfix"),
]
WHY_NOT = accounts.can_run()
PATIENT = "timeout = 1"


@pytest.fixture(scope="module")
def mta(certs):
    """One for all of them."""
    folder = tempfile.mkdtemp(prefix="malote-mta.")
    os.chmod(folder, 0o755)
    one = postfix.Postfix(folder + "/postfix", certs["good"], options=ASKS)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def issuer(certs):
    one = Issuer(certs.context("good"), ("RS256",))
    yield one
    one.stop()


class Kind:
    """Where ann is: a block, and more that the server is started with.  away: a
    context in which nobody can be asked; None: its process stands still."""
    has_app_passwords = True

    def __init__(self, text, config="", wrap=(), away=None, role="db"):
        self.block, self.config, self.wrap = text, config, wrap
        self.away, self.role, self.name = away, role, "ann"


@contextlib.contextmanager
def hanging(db):
    db.hang()
    try:
        yield
    finally:
        db.go_on()


def passwd_file(request):
    kind = Kind(None, role=None)
    kind.name = "file"
    return kind


def of_rows(name):
    def make(request):
        db = request.getfixturevalue(name)
        db.user("ann", "{PLAIN}secret", box_of(request.getfixturevalue(
            "place")))
        return Kind(db.block(more=PATIENT), away=lambda: hanging(db))
    return make


def sqlite(request):
    kind = of_rows("lite")(request)
    file = request.getfixturevalue("lite").file

    @contextlib.contextmanager
    def locked():
        with contextlib.closing(sqlite3.connect(
                file, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield
            db.execute("COMMIT")
    kind.away = locked
    return kind


def ldap_bind(request):
    db = request.getfixturevalue("ldap")
    db.user("ann", "secret", box_of(request.getfixturevalue("place")))
    return Kind(bind_block(db, attributes=BIND, more=PATIENT),
                away=lambda: hanging(db))


def of_the_machine(text):
    def make(request):
        machine = request.getfixturevalue("machine")
        return Kind(text % PATIENT, settings(request.getfixturevalue("place")),
                    machine.wrap(), role="pam")
    return make


def checkpassword(request):
    kind = of_the_machine("%s")(request)
    kind.block = request.getfixturevalue("program")(more=PATIENT)
    kind.has_app_passwords = False  # it knows nobody without a password
    return kind


KINDS = [
    pytest.param(make, id=name, marks=[pytest.mark.slow] * is_slow
                 + [pytest.mark.skipif(needs != "", reason=needs)])
    for name, make, is_slow, needs in (
        ("passwd-file", passwd_file, False, ""),
        ("sqlite", sqlite, False, ""),
        ("postgresql", of_rows("pg"), True, ""),
        ("mysql", of_rows("my"), True, ""),
        ("ldap", of_rows("ldap"), True, ""),
        ("ldap-bind", ldap_bind, True, ""),
        ("pam", of_the_machine(PAM), False, WHY_NOT),
        ("system", of_the_machine(SYSTEM), True, WHY_NOT),
        ("checkpassword", checkpassword, False, WHY_NOT))]


class Both:
    """What ann is told at either place."""

    def __init__(self, kind, place, serve, mta, connect, issuer):
        self.kind, self.mta, self.connect = kind, mta, connect
        self.issuer = issuer
        keys = place.path + "/keys"
        with open(keys, "w", encoding="ascii") as f:
            json.dump(issuer.key_set(), f)
        self.state = place.path + "/state"
        os.mkdir(self.state, 0o755)
        self.site = Site(
            place, serve, [kind.block] if kind.block else [],
            kind.config + 'mechanisms = "PLAIN XOAUTH2"\n'
            + issuer.block(None, keys=keys)
            + block(mta.auth_socket, '\tmechanisms = "PLAIN XOAUTH2"\n'),
            wrap=kind.wrap,
            env={"STATE_DIRECTORY": self.state})
        self.conf = place.path + "/ctl.conf"
        with open(self.conf, "w", encoding="ascii") as f:
            f.write('users "x" %s' % (kind.block or
                    '{ driver = "passwd-file" file = "%s" }\n'
                    % self.site.users))

    def says(self, password):
        with contextlib.closing(smtp.Client(self.mta.port)) as client:
            code = client.plain(self.kind.name, password)[0]
        line = self.site.refusal(self.connect, self.kind.name, password)
        return code, line.split(b"]")[0] if line.startswith(b"-") else b"+OK"

    def says_of_token(self, user):
        token = self.issuer.token(user)
        text = base64.b64encode(message(token, user, "XOAUTH2")).decode()
        with contextlib.closing(smtp.Client(self.mta.port)) as client:
            code = client.docmd("AUTH", "XOAUTH2 " + text)[0]
        session = self.connect(self.site.server.port)
        line = session.command("AUTH XOAUTH2 " + text)
        session.close()
        return code, line.split(b"]")[0] if line.startswith(b"-") else b"+OK"

    def app_password(self, *more):
        done = subprocess.run(
            [*self.kind.wrap, CTL, "--config", self.conf, "app-password",
             "add", self.kind.name, "--label", more[-1], *more], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
            timeout=60 * PATIENCE,
            env={**os.environ, "STATE_DIRECTORY": self.state})
        return done.stdout.split()[-1]

    @contextlib.contextmanager
    def away(self):
        if self.kind.away:
            with self.kind.away():
                yield
            return
        pid, = self.site.server.roles(self.kind.role)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


SIGNED_IN = (235, b"+OK")
REFUSED = (535, b"-ERR [AUTH")
LATER = (454, b"-ERR [SYS/TEMP")


@pytest.mark.parametrize("make", KINDS)
def test_at_both(request, make, place, serve, mta, connect, issuer):
    both = Both(make(request), place, serve, mta, connect, issuer)
    assert both.says("secret") == SIGNED_IN
    assert both.says("wrong") == REFUSED
    sends = both.app_password("--protocol", "smtp")
    reads = both.app_password("--protocol", "pop3")
    if both.kind.has_app_passwords:
        assert both.says(sends) == (SIGNED_IN[0], REFUSED[1])
        assert both.says(reads) == (REFUSED[0], SIGNED_IN[1])
        assert [e["why"] for e in both.site.server.await_event(
            "login-failed", 4)][2:] == ["app-password-protocol"] * 2
        assert both.says_of_token(both.kind.name) == SIGNED_IN
    else:
        assert both.says(sends) == both.says(reads) == REFUSED
        assert both.says_of_token(both.kind.name) == REFUSED
    assert both.says_of_token("nobody") == REFUSED
    if both.kind.role is None:
        return
    with both.away():
        assert both.says("secret") == LATER
    wait_until(lambda: both.says("secret") == SIGNED_IN, 30, 0.2)
