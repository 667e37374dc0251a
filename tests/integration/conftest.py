"""Fixtures for the client: servers that lie, lines with latency, a home."""
import fcntl
import os
import shutil
import subprocess

import pytest

import certs as certificates
import delay
import gmail_api
import hostile
import imap
import imap_fake
import jmap_api
import malote
import submission
import terminal
from served import Served
from server import TOP


@pytest.fixture
def lie():
    """lie(mails, ...): a server of hostile.py, stopped after the test."""
    started = []

    def start(*args, **more):
        started.append(hostile.Hostile(*args, **more))
        return started[-1]

    start.servers = started
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def odd(lie, monkeypatch):
    """odd(a Session of its own, mails, ...): `lie` with such sessions."""
    def start(kind, *args, **more):
        monkeypatch.setattr(hostile, "Session", kind)
        return lie(*args, **more)
    return start


@pytest.fixture
def outlet(request):
    """outlet(mode, ...): a server of submission.py, stopped after the test."""
    started = []

    def start(mode="plain", **more):
        if mode != "plain":
            more["certs"] = request.getfixturevalue("certs")
        started.append(submission.Submission(mode, **more))
        return started[-1]

    start.servers = started
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def client(place):
    """client(name): a home for malote; the same name is the same home."""
    homes = {}

    def make(name="home"):
        if name not in homes:
            homes[name] = malote.Malote(place.path + "/" + name)
        return homes[name]
    return make


@pytest.fixture
def served(client, place):
    """served(): somebody who runs malote serve, with the account casa."""
    people = []

    def make(name="home"):
        people.append(Served(client(name), place.owner))
        people[-1].m.account("casa", server="pop.example.org", port=995,
                             security="tls")
        return people[-1]
    yield make
    for one in people:
        if one.run is not None and not one.run.poll():
            one.stop()


@pytest.fixture
def line():
    """line(port, each_way): a proxy of delay.py, stopped after the test."""
    started = []

    def start(*args, **more):
        started.append(delay.Delay(*args, **more))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


@pytest.fixture
def typist():
    """typist(malote, words, ...): it runs on a terminal.Terminal."""
    started = []

    def start(m, *words, env=None, **more):
        m.write()
        env = {**m.env, "TERM": "xterm", **(env or {})}
        started.append(terminal.Terminal(m.command(*words), m.home, env,
                                         **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    return certificates.Certificates(str(tmp_path_factory.mktemp("certs")))


@pytest.fixture(scope="session")
def killer(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("killer") / "killer")
    subprocess.run(["gcc", "-O1", "-o", program,
                    TOP + "/tests/integration/killer.c"], check=True)
    return program


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the dialogues."""
    report = (yield).get_result()
    for fixture in ("lie", "outlet"):
        if report.failed and fixture in getattr(item, "funcargs", {}):
            for server in item.funcargs[fixture].servers:
                report.sections.append(("dialogue", server.dialogue()))


@pytest.fixture(scope="session")
def portuguese(tmp_path_factory):
    """What makes a program speak it; made once for all who run tests."""
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    with open(top / "portuguese.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (top / "portuguese").exists():
            made = tmp_path_factory.mktemp("portuguese")
            make_portuguese(made)
            os.rename(made, top / "portuguese")
    return {"LOCPATH": str(top / "portuguese"), "LC_ALL": "pt_BR.UTF-8",
            "MALOTE_LOCALEDIR": str(top / "portuguese" / "share")}


def make_portuguese(top):
    catalog = top / "share" / "pt_BR" / "LC_MESSAGES"
    catalog.mkdir(parents=True)
    for words in (["msgfmt", "-o", str(catalog / "malote.mo"),
                   TOP + "/po/pt_BR.po"],
                  ["localedef", "-i", "pt_BR", "-f", "UTF-8",
                   str(top / "pt_BR.UTF-8")]):
        if not shutil.which(words[0]):
            pytest.skip("there is no " + words[0])
        done = subprocess.run(words, text=True, capture_output=True,
                              timeout=60, check=False)
        if done.returncode != 0:
            pytest.skip("no Portuguese here: %.200s" % done.stderr)


@pytest.fixture
def dovecot_imap(place, certs):
    """dovecot_imap(...): an imap.Dovecot, ended after the test."""
    started = []

    def start(**more):
        started.append(imap.Dovecot(place, certs, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def gmail(certs):
    """A gmail_api.Api, ended after the test."""
    api = gmail_api.Api(certs)
    yield api
    api.end()


@pytest.fixture
def jmap(certs):
    """A jmap_api.Api, ended after the test."""
    api = jmap_api.Api(certs)
    yield api
    api.end()


@pytest.fixture
def cyrus_jmap(place, certs):
    """An imap.Cyrus with JMAP, ended after the test."""
    site = imap.Cyrus(place, certs, jmap=True)
    yield site
    site.stop()


@pytest.fixture
def fake_imap(certs):
    """fake_imap(...): an imap_fake.Fake, ended after the test."""
    started = []

    def start(**more):
        started.append(imap_fake.Fake(certs, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def cyrus_imap(place, certs):
    """An imap.Cyrus, ended after the test."""
    site = imap.Cyrus(place, certs)
    yield site
    site.stop()
