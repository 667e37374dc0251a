"""The rules of pages.py, each against a small tree that breaks it; and how
wrap.py fills a page."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import pages  # noqa: E402
import wrap  # noqa: E402

WALK = """# A walk

## One

`open_it()` (`src/a.c`) calls `close_it()`, and `other()` in `src/b.c`.

## Two

Here `other()` is used
(`src/b.c`).
"""


@pytest.fixture
def faults(tmp_path):
    def build(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return pages.faults(str(tmp_path))

    build({"src/a.c": "int\nopen_it(void)\n{\n}\n\nint\nclose_it(int x)\n",
           "src/b.c": "void\nother(void)\n{\n}\n",
           "doc/byte-to-disk.md": WALK})
    return build


def only(faults, *words):
    assert len(faults) == 1, faults
    for word in words:
        assert word in faults[0], (word, faults[0])


def test_sound(faults):
    assert faults({}) == []


def test_events(faults):
    """Each stands in the manual, and nothing else does; a name that is put in
    from a word of the source may."""
    source = 'void\nf(void)\n{\n\tlog_line(1, "ev=made x=%s", x);\n' \
        '\tsay("upgraded");\n}\n'
    page = "# LOG\n\n*ev=made* _x_, *ev=upgraded*\n\tSomething.\n"
    tree = {"src/server/x/f.c": source, "doc/man/maloted.8.scd": page}
    assert faults(tree) == []
    tree["src/server/x/g.c"] = '\tlog_line(1, "ev=made-up");\n'
    only(faults(tree), "ev=made-up", "does not say")
    tree["src/server/x/g.c"] = ""
    tree["doc/man/maloted.8.scd"] = page + "\n*ev=gone*\n\tOnce.\n"
    only(faults(tree), "ev=gone", "nobody")


MANUAL = """thing.conf(5)

# NAME

thing.conf - settings

# MAIL

The setting *mail* is below.

*mail*
\tWhere it is: *yes* or *no*.

\t*%u*
\t\tThe user.

```
# A comment
mail = "folder"
```

# ADVICE

Take care of *mail* with *thing*(1).

# FILES

_/etc/thing.conf_
\tThe file.
"""
PORTUGUESE = """thing.conf(5)

# NOME

thing.conf - configuração

# CORREIO

A configuração
*mail* está abaixo.

*mail*
\tOnde fica: *yes* ou *no*.

\t*%u*
\t\tO usuário.

```
# Um comentário
mail = "pasta"
```

# CONSELHOS

Cuide de *mail* com *thing*(1).

# ARQUIVOS

_/etc/thing.conf_
\tO arquivo.
"""


@pytest.mark.parametrize("lacks", [0, 1], ids=["English", "Portuguese"])
def test_manuals_in_both_languages(faults, lacks):
    page = ["doc/man/thing.conf.5.scd", "doc/man/pt_BR/thing.conf.5.scd"]
    text = [MANUAL, PORTUGUESE]
    assert faults(dict(zip(page, text))) == []
    for gone, words in (
            ("*mail*\n\t", ("lacks mail ", ("MAIL", "CORREIO")[lacks])),
            ("\t*%u*\n", ("lacks %u ",)),
            (('mail = "folder"\n', 'mail = "pasta"\n')[lacks],
             ("lacks an example's \"mail\" ",)),
            ("_/etc/thing.conf_\n", ("lacks /etc/thing.conf ",)),
            (("# ADVICE\n\nTake care of *mail* with *thing*(1).\n\n",
              "# CONSELHOS\n\nCuide de *mail* com *thing*(1).\n\n")[lacks],
             ("lacks a section", ("CONSELHOS", "ADVICE")[lacks]))):
        less = list(text)
        assert gone in less[lacks]
        less[lacks] = less[lacks].replace(gone, "")
        only(faults(dict(zip(page, less))), page[lacks] + " ", *words)


def test_manual_in_one_language(faults):
    found = faults({"doc/man/thing.conf.5.scd": MANUAL,
                    "doc/man/pt_BR/other.5.scd": "# NOME\n\n# CORREIO\n"})
    assert len(found) == 6 and all("lacks a section" in f for f in found)


def test_moved(faults):
    """A namesake elsewhere does not count; what only calls it, neither."""
    only(faults({"src/a.c": "int\nclose_it(int x)\n{\n\topen_it();\n}\n",
                 "src/c.c": "int\nopen_it(void)\n"}),
         "open_it()", "src/a.c")


def test_not_in_its_section(faults):
    only(faults({"src/a.c": "int\nopen_it(void)\n",
                 "src/c.c": "int\nclose_it(int x)\n"}),
         "close_it()", "its section")


def test_beside_is_not_any_of_the_section(faults):
    found = faults({"src/a.c": "int\nclose_it(int x)\n",
                    "src/b.c": "int\nopen_it(void)\nint\nother(void)\n"})
    only(found, "open_it()", "src/a.c")


def test_file_gone(faults):
    only(faults({"README.md": "See `src/gone.c` and `src/*.c`.\n"}),
         "README.md", "src/gone.c")


def test_link_gone(faults):
    only(faults({"doc/x.md": "[a](byte-to-disk.md), [b](gone.md), "
                             "[c](https://example.org/x.md), [d](#one)\n"}),
         "doc/x.md", "gone.md")


def test_long_line(faults):
    only(faults({"doc/x.md": "word " * 20 + "\n\n" + "word " * 21 + "\n"
                             "\n| " + "cell " * 40 + "|\n"}),
         "doc/x.md:3", "make fmt")


def test_wrap_fills():
    text = "a " * 50 + "\nb\n\n- one\n  two\n- " + "word " * 20 + "\n"
    assert wrap.wrap(text) == (
        "a " * 39 + "a\n" + "a " * 10 + "b\n\n"
        "- one two\n- " + "word " * 14 + "word\n  " +
        "word word word word word\n")


@pytest.mark.parametrize("text", [
    "# " + "word " * 30 + "\n",
    "| " + "cell " * 30 + "|\n",
    "    " + "code " * 30 + "\n",
    "```\n" + "code " * 30 + "\n\nmore   code\n```\n",
])
def test_wrap_leaves(text):
    assert wrap.wrap(text) == text


def test_wrap_makes_no_list():
    """What stands alone in a sentence must not begin a line."""
    for pad in range(70, 82):
        for mark in ("-", "+", "#", "1.", "|"):
            out = wrap.wrap("x" * pad + " %s y\n" % mark)
            assert not out.splitlines()[-1].startswith(mark)


def test_wrap_breaks_no_code():
    out = wrap.wrap("word " * 14 + "`make fuzz T=ipc` [a page](doc/x.md)\n")
    assert "\n`make fuzz T=ipc` [a page](doc/x.md)\n" in out


def test_wrap_twice_is_wrap_once():
    text = "- " + "some words - and `code of it`, " * 20 + "\n1. x\n"
    assert wrap.wrap(wrap.wrap(text)) == wrap.wrap(text)


ROLES = """#define ROLES(X) \\
	X(ONE, one, user, 256 + c->one.sessions / 4, \\
	    TALKS_TO(TWO)) \\
	X(TWO, two, other, 64, 0)
"""
TABLE = """| role | runs as | memory | holds | calls | yields |
| --- | --- | --- | --- | --- | --- |
| one | `user` | 256 + sessions / 4 | `x` | `read` `write` | mail |
| two | `other` | 64 | | `read` | |
"""


@pytest.mark.parametrize("old, new, words", [
    ("", "", None),
    ("64 |", "65 |", "two"),
    ("`user`", "`root`", "one"),
    ("`read` `write`", "`read`", "write"),
    ("| two |", "| three |", "three"),
    ("sessions / 4", "sessions", "one")])
def test_table_of_roles(faults, old, new, words):
    found = faults({
        "src/server/ipc/roles.h": ROLES,
        "src/server/one/one.c": 'calls[] = { "read",\n\t"write" };\n',
        "src/server/two/two.c": '\tcalls[] = { "read" };\n',
        "doc/security.md": TABLE.replace(old, new)})
    assert bool(found) == (words is not None), found
    assert not words or any(words in fault for fault in found)
