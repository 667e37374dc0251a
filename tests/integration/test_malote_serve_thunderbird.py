"""Thunderbird reads by malote serve what was collected, and sends by the
account's own server.  It is set up by the words of doc/mail-programs.md, in both
languages, and with what malote serve has printed."""
import os
import re
import shutil

import pytest

import malote
from outgoing import Outgoing
from served import TEXTS
from server import TOP
from thunderbird_hub import Hub

pytestmark = [
    pytest.mark.ours, pytest.mark.slow, malote.NEEDED,
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("thunderbird") is None,
                       reason="Thunderbird is not installed")]

LANGPACK = "/usr/lib/thunderbird/extensions/langpack-pt-BR@thunderbird." \
    "mozilla.org.xpi"
LANGUAGES = [
    "en-US", pytest.param("pt-BR", marks=pytest.mark.skipif(
        not os.path.exists(LANGPACK),
        reason="Thunderbird's Portuguese is not installed"))]
SUBJECTS = ["nr %d" % n for n in range(len(TEXTS))]


def steps(language):
    """Of the section on Thunderbird, each: under which heading it is done, what is
    pressed, and what its list says, {label: value}."""
    name = "mail-programs%s.md" % ("" if language == "en-US" else ".pt-BR")
    with open(os.path.join(TOP, "doc", name), encoding="utf-8") as f:
        section = re.search(r"(?ms)^## Thunderbird$(.*?)(^## |\Z)",
                            f.read()).group(1)
    for step in re.split(r"(?m)^\d+\. ", section)[1:]:
        rows = dict(re.findall(r"(?m)^ *- \*\*(.*?)\*\*: (.*)$", step))
        prose = " ".join(re.sub(r"(?m)^ *- .*\n", "", step).split())
        under = re.match(r"(?:Under|Em) \*\*(.*?)\*\*", prose)
        pressed = re.findall(r"\*\*(.*?)\*\*", prose)
        yield under and under.group(1), pressed[under is not None:], rows


def fill(hub, rows, known):
    """A value in bold is one of Thunderbird's own; else it is what we know."""
    known = iter(known)
    for label, value in rows.items():
        bold = re.match(r"\*\*(.*?)\*\*", value)
        hub.type(label, bold.group(1) if bold else next(known))


def follow(hub, language, values):
    """Does what the page says.  values: for each step, what is typed there."""
    for (under, pressed, rows), known in zip(steps(language), values,
                                             strict=True):
        if under:
            hub.see(under)
        fill(hub, rows, known)
        for words in pressed:
            hub.click(words)


@pytest.fixture
def outgoing():
    server = Outgoing("ana@example.org", "of the provider")
    yield server
    server.stop()


@pytest.mark.parametrize("language", LANGUAGES)
def test_thunderbird(served, outgoing, place, language):
    p = served()
    p.mail(TEXTS)
    page = p.start()
    typed = dict(re.findall(r"(?m)^  (\S.*?)  +(\S.*)$", page))
    home = place.path + "/thunderbird"
    os.mkdir(home, 0o700)
    hub = Hub(home, language)
    try:
        hub.open()
        follow(hub, language, [
            ["Ana", "ana@example.org"],
            [typed["Protocol"], typed["Hostname"], typed["Port"], "casa"],
            ["127.0.0.1", str(outgoing.port), "ana@example.org"],
            [typed["Password"]]])
        assert hub.get_messages() == (True, SUBJECTS)
        with open(p.m.home + "/stderr", encoding="utf-8") as f:
            log = f.read()
        # The password itself is not said.
        assert "ev=login" in log and set(re.findall(
            r"method=(\S+)", log)) == {"CRAM-MD5"}
        assert hub.send("rui@example.org", "to be sent", "ana@example.org",
                        "of the provider") == 0
        assert len(outgoing.taken) == 1
        assert b"\r\nSubject: to be sent\r\n" in outgoing.taken[0]
        # What it deletes is kept, and it goes on to what is new.
        hub.delete("nr 1")
        p.mail([b"Subject: new\n\nx\n"])
        p.own()
        left = [x for x in SUBJECTS if x != "nr 1"]
        assert hub.get_messages() == (True, sorted(left + ["new"]))
        trash, = [x for x in p.m.files("mail") if x.startswith(".Trash/cur/")]
        assert p.m.files("mail")[trash] == TEXTS[1]
        # Another day: nothing is downloaded again.
        p.stop()
        p.start()
        assert hub.get_messages() == (True, sorted(left + ["new"]))
    finally:
        hub.stop()
