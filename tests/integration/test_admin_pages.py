"""doc/beside-dovecot.md, doc/backup.md, doc/mail-is-gone.md and doc/proxies.md:
both languages say the same commands and settings.  tests/boot/test_admin_pages.py
types them."""
import os
import re

import pytest

import manuals
from server import TOP

pytestmark = pytest.mark.ours


@pytest.mark.parametrize("name", manuals.NAMES)
def test_both_languages_say_the_same(name):
    one, two = manuals.blocks(name), manuals.blocks(name + ".pt-BR")
    assert [b.text for b in one] == [
        b.text.replace("exemplo.com.br", "example.org") for b in two]
    assert len(one) > 4


@pytest.mark.parametrize("name", manuals.NAMES)
def test_who_reads_one_finds_the_other(name):
    for page, other in ((name, name + ".pt-BR"), (name + ".pt-BR", name)):
        assert "](%s.md)" % other in manuals.read(page).splitlines()[2]
    readme = {"": "README.md", ".pt-BR": "README.pt-BR.md"}
    for tail, path in readme.items():
        with open(os.path.join(TOP, path), encoding="utf-8") as f:
            assert "](doc/%s%s.md)" % (name, tail) in f.read()


def test_a_command_is_of_one_line_or_joined():
    """What a page has between lines can be typed as it stands."""
    for name in manuals.NAMES:
        for block in manuals.blocks(name):
            assert not re.search(r"\\ +\n", block.text), block


def said_by_log():
    """What malotectl log says, by language; # is what only the moment knows."""
    with open(TOP + "/src/server/ctl/history.c", encoding="utf-8") as f:
        english = re.sub(r'"\s*\n\s*"', "", f.read())
    with open(TOP + "/po/pt_BR.po", encoding="utf-8") as f:
        both = re.sub(r'"\n"', "", f.read())
    return [re.sub(r"%(?:lu|s)", "#", text) for text in (english, both)]


@pytest.mark.parametrize("name, said", zip(
    ("mail-is-gone", "mail-is-gone.pt-BR"), said_by_log()))
def test_what_the_log_says_is_quoted_as_it_is(name, said):
    rows = re.findall(r"(?m)^\| \*([^|]*)\* \|", manuals.read(name))
    assert len(rows) > 8
    for piece in " ... ".join(rows).split("... "):
        words = re.sub(r"203\.0\.113\.7|\b\d+\b", "#", piece.strip())
        assert words in said, words
