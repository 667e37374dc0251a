"""mutants.py itself: how rows are found in the source, and how they change
it."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import mutants  # noqa: E402

SOURCE = """int
f(int a)
{
	if (a > 1 &&
	    a < 5)
		return g(a);
	a = 2;
	a = 3;
}
"""


def row(old, new=None, name="x", **more):
    return mutants.Row(name, "f.c", "t:1", old + "\n",
                       None if new is None else new + "\n", **more)


def changed(*rows):
    for r in rows:
        mutants.locate(r, SOURCE)
    return mutants.mutated(SOURCE, mutants.nest(rows))


def test_expression_in_two_lines():
    assert '(mutant_is("x") ? (1) : (a > 1 &&\n\t    a < 5))' in changed(
        row("a > 1 && a < 5", "1"))


def test_statement():
    assert '{ if (mutant_is("x")) {  } else { return g(a); } }' in changed(
        row("return g(a);"))


def test_one_within_another():
    text = changed(row("a > 1 && a < 5", "1"), row("a < 5", "0", "y"))
    assert '(mutant_is("x") ? (1) : (a > 1 &&\n\t    ' \
        '(mutant_is("y") ? (0) : (a < 5))))' in text


def test_behind():
    assert changed(row("a =", "b", behind="a = 2;")).index("mutant_is") > \
        SOURCE.index("a = 2")


@pytest.mark.parametrize("old, more", [
    ("a > 2", {}), ("a =", {}), ("a = 3", {"behind": "nowhere"}),
    ("int f(int a)", {"behind": "t\n"}), ("5)", {"behind": "a < 5"})])
def test_does_not_fit(old, more):
    with pytest.raises(mutants.Wrong):
        changed(row(old, "1", **more))


def test_overlap():
    with pytest.raises(mutants.Wrong):
        changed(row("a > 1 && a", "1"), row("a < 5", "0", "y"))


def test_table(tmp_path):
    (tmp_path / "a.rows").write_text(
        "# words\n\nname  src/f.c\n^ f(\n- a\n- b\n+ c\n= unit/ipc\n")
    (one,), faults = mutants.read_tables(str(tmp_path))
    assert not faults
    assert (one.name, one.file, one.old, one.new, one.behind, one.test) == (
        "name", "src/f.c", "a\nb\n", "c\n", "f(", "unit/ipc")


@pytest.mark.parametrize("change, says", [
    ({"test": ""}, "a test, or else a reason"),
    ({"test": "unit/nowhere"}, "no test"),
    ({"new": None}, "nothing comes"),
    ({"old": "nowhere\n"}, "0 times"),
    ({"file": "src/nowhere.c"}, "No such file"),
])
def test_faults(change, says):
    good = {"name": "x", "file": "src/base/array.c", "where": "t:1",
            "old": "p != NULL\n", "new": "1\n", "test": "unit/ipc"}
    assert mutants.check([mutants.Row(**good)])[1] == []
    faults = mutants.check([mutants.Row(**{**good, **change})])[1]
    assert len(faults) >= 1 and says in faults[0]


@pytest.mark.parametrize("whole, part", [
    ("a - b == 2", "b == 2"), ("f(a) && g(a) == 2", "f(a) && g(a)"),
    ("!a || b", "a || b"), ("a + b * c", "a + b"), ("-a + b", "a + b")])
def test_torn(whole, part):
    """An operator beside it would do to all of it what it does to one end."""
    source = "x = %s;" % whole
    mutants.locate(row(whole, "1"), source)
    with pytest.raises(mutants.Wrong):
        mutants.locate(row(part, "1"), source)
