"""The rules of conformance.py, each against a small page that breaks it."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import conformance  # noqa: E402

PAGE = """# A page

| id | source | level | asked | tested in |
|---|---|---|---|---|
| S-1939-01 | 1939 s1 | MUST | One thing. | `unit/test_a.c` |
| S-1939-02 | 1939 s2 | SHOULD | Another. | |
| C-ENG-03 |  | MUST | A third. | *otherwise:* because. |
"""


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "doc").mkdir()
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "fuzz").mkdir()
    (tmp_path / "tests/unit/test_a.c").write_text("/* S-1939-01 */\n")
    (tmp_path / "doc/conformance.md").write_text(PAGE)
    return tmp_path


def only(tree, *words):
    faults = list(conformance.faults(str(tree)))
    assert len(faults) == 1, faults
    for word in words:
        assert word in faults[0], (word, faults[0])


def put(tree, old, new):
    page = tree / "doc/conformance.md"
    assert old in page.read_text()
    page.write_text(page.read_text().replace(old, new))


def test_sound(tree):
    assert list(conformance.faults(str(tree))) == []


def test_unknown_id(tree):
    (tree / "tests/unit/test_b.c").write_text("/* S-ENG-77: what? */\n")
    only(tree, "unit/test_b.c", "S-ENG-77")


def test_a_page_is_no_test(tree):
    (tree / "tests/README.md").write_text("Ids such as S-1939-02.\n")
    assert list(conformance.faults(str(tree))) == []


def test_file_that_does_not_cite(tree):
    put(tree, "`unit/test_a.c`", "`unit/test_a.c`, `unit/test_gone.c`")
    only(tree, "S-1939-01", "unit/test_gone.c", "does not cite")


def test_file_that_is_not_named(tree):
    (tree / "fuzz/fuzz_a.c").write_text("/* S-1939-02 */\n")
    only(tree, "S-1939-02", "fuzz/fuzz_a.c", "--fill")


def test_must_without_a_test(tree):
    put(tree, "| SHOULD |", "| MUST |")
    only(tree, "S-1939-02", "has no test")


def test_otherwise_says_why(tree):
    put(tree, "*otherwise:* because.", "*otherwise:*")
    only(tree, "C-ENG-03", "has no test")


def test_twice(tree):
    put(tree, "| S-1939-02 | 1939 s2 | SHOULD | Another. | |",
        "| S-1939-01 | 1939 s2 | MUST | Another. | `unit/test_a.c` |")
    only(tree, "S-1939-01", "twice")


def test_malformed(tree):
    """Else it would be a row that nobody looks at."""
    put(tree, "Another. | |", "Another. |")
    with pytest.raises(SystemExit, match="five cells"):
        list(conformance.faults(str(tree)))


@pytest.mark.parametrize("text,wanted", [
    ("S-1939-13 to 16: x", ["S-1939-13", "S-1939-14", "S-1939-15",
                            "S-1939-16"]),
    ("S-5034-02..04, S-5034-09, x", ["S-5034-02", "S-5034-03", "S-5034-04",
                                     "S-5034-09"]),
    ("S-LOGIN-01, 02.", ["S-LOGIN-01", "S-LOGIN-02"]),
    ("S-1939-23 to 25, 34: x", ["S-1939-23", "S-1939-24", "S-1939-25",
                                "S-1939-34"]),
    ("M-44, B-XOAUTH2-01", ["M-44", "B-XOAUTH2-01"]),
    ("SCRAM-SHA-256, UTF-8, RFC 5034 s4, XS-ENG-01, S-ENG-001", []),
])
def test_ids(text, wanted):
    assert list(conformance.ids(text)) == wanted


def test_fill(tree, capsys):
    (tree / "tests/unit/test_b.c").write_text("/* S-1939-01..02 */\n"
                                              "/* C-ENG-03 */\n")
    assert conformance.main(["--fill", str(tree)]) == 0, capsys.readouterr()
    text = (tree / "doc/conformance.md").read_text()
    assert "One thing. | `unit/test_a.c`, `unit/test_b.c` |" in text
    assert "| `unit/test_b.c`; *otherwise:* because. |" in text
