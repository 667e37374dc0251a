"""The page for who had mail collected by Gmail: its settings as they stand there, in
both languages, against an IMAP server that is like Gmail's and a stand-in for the
API.  Only where these are, and where the provider is, is put in."""
import os

import pytest

import malote
import manuals
from hostile import letters
from malote import same
from test_malote_imap_odd import GMAIL

pytestmark = malote.NEEDED
PAGES = pytest.mark.parametrize("page", ["gmail", "gmail.pt-BR"])
PROVIDER = """	email = "ana@example.org"
	server = "127.0.0.1"
	port = %d
	security = "none"
	user = "user"
	password = "secret"
	keep = "no"
"""


@pytest.fixture
def provider(lie):
    return lie(letters(12))


def settings(page, word, server, changes):
    """The block of the page that has the word, with what is put in."""
    text, = [b.text for b in manuals.blocks(page)
             if "destination" in b.text and word in b.text]
    for old, new in {"\t...\n": PROVIDER % server.port, **changes}.items():
        assert old in text
        text = text.replace(old, new)
    return text


def collected(m, server, texts):
    """Twice; the second time there is nothing new."""
    wanted = [x.local for x in server.box.mails]
    for _ in range(2):
        m.collect(write=False)
        same(texts(), wanted)
        assert server.box.mails == []


@PAGES
def test_by_imap(provider, client, fake_imap, page):
    """The password comes from pass, by the command of the page."""
    site, m = fake_imap(can=GMAIL), client()
    site.user = b"ana@gmail.com"
    folder = m.home + "/bin"
    os.mkdir(folder)
    with open(folder + "/pass", "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n[ \"$*\" = 'show gmail' ] && echo hush\n")
    os.chmod(folder + "/pass", 0o755)
    m.env["PATH"] = folder + ":" + os.environ["PATH"]
    m.write_conf(settings(page, "imaps://", provider, {
        "imaps://imap.gmail.com": "imaps://localhost:%d" % site.tls_port,
        '"imap.gmail.com"': '"localhost"',
        "\tpassword_command": '\tca_file = "%s"\n\tpassword_command'
        % site.certs.ca}))
    collected(m, provider, site.texts)


@PAGES
def test_by_the_api(provider, client, gmail, page):
    """A token is there by then: malote login is another test's."""
    m = client()
    there = "".join("\t%s = \"%s\"\n" % pair
                    for pair in gmail.settings().items())
    m.write_conf(settings(page, "gmail:", provider, {
        '\toauth = "google"\n': there, "gmail:ana@gmail.com":
        "gmail:" + gmail.user}))
    collected(m, provider, gmail.texts)
