"""Fixtures: places for Maildirs, and servers that serve them."""
import os
import pwd
import re
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "harness"))
import drop  # noqa: E402
import pop3  # noqa: E402
from server import OURS, PATIENCE, Server  # noqa: E402

# As root the Maildirs belong to somebody else, as they do in the world; it is
# a user that exists, as delivery agents want one.
OWNER = pwd.getpwnam("nobody")[2:4] if os.geteuid() == 0 else None

# Words of a sanitizer.
FAULT = re.compile(r"ERROR: \w+Sanitizer|runtime error:")


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="asks what only malote does")
    for item in items:
        if not OURS and item.get_closest_marker("ours"):
            item.add_marker(skip)


class Place:
    """A directory for the Maildirs of one test."""

    def __init__(self, path, owner):
        self.path = path
        self.owner = owner

    def maildir(self, messages=(), name="Maildir"):
        directory = os.path.join(self.path, name)
        drop.write(directory, messages, self.owner)
        return directory

    def add(self, directory, messages):
        """Delivers: the time of the directory becomes now."""
        drop.write(directory, messages, self.owner)
        for folder in {m.folder for m in messages}:
            os.utime(os.path.join(directory, folder))


@pytest.fixture
def place():
    """Not pytest's tmp_path: other users must be able to reach it."""
    path = tempfile.mkdtemp(prefix="malote-test.")
    os.chmod(path, 0o755)
    if OWNER:
        os.chown(path, *OWNER)
    yield Place(path, OWNER)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def serve():
    """serve(users, config): a Server; users may be one Maildir only."""
    started = []

    def start(users, config="", **more):
        if isinstance(users, str):
            users = [("user", "secret", users)]
        server = Server(users, config, **more)
        started.append(server)
        return server

    start.servers = started
    yield start
    for server in started:
        try:
            server.stop()
            fault = FAULT.search(server.log_text())
            assert not fault, server.log_text()
        finally:
            shutil.rmtree(server.tmp, ignore_errors=True)


@pytest.fixture
def login():
    """login(server): a signed-in session, closed after the test."""
    opened = []

    def connect(server, user="user", password="secret", tls=False, **more):
        if tls:
            session = pop3.Pop3(server.tls_port, pop3.context(), **more)
        else:
            session = pop3.Pop3(server.port, **more)
        opened.append(session)
        session.login(user, password)
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def connect():
    """connect(port, ...): a connection, closed after the test."""
    opened = []

    def dial(port, *args, **more):
        opened.append(pop3.Pop3(port, *args, timeout=pop3.TIMEOUT * PATIENCE,
                                **more))
        return opened[-1]

    yield dial
    for session in opened:
        session.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the servers' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and "serve" in getattr(item, "funcargs", {}):
        for server in item.funcargs["serve"].servers:
            report.sections.append(("log of the server", tail(server)))


def tail(server):
    try:
        return "\n".join(server.log_text().splitlines()[-40:])
    except OSError:
        return "(gone)"
