"""The rules of structure.py, each against a small tree that breaks it: real
files, really compiled."""
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import structure  # noqa: E402

# A tree that keeps every rule.
SOUND = {
    "base/str.h": "int str(void);\n",
    "base/str.c": '#include "base/str.h"\nint str(void) { return 1; }\n',
    "net/conn.h": '#include "base/str.h"\nint conn(void);\n',
    "net/conn.c": '#include "net/conn.h"\nint conn(void) { return str(); }\n',
    "server/ipc/ipc.h": "int ipc(void);\n",
    "server/ipc/ipc.c":
        '#include "server/ipc/ipc.h"\nint ipc(void) { return 2; }\n',
    "server/auth/auth.h": "int auth_main(void);\n",
    "server/auth/auth.c": '#include "server/auth/auth.h"\n'
        '#include "server/ipc/ipc.h"\nint auth_main(void) { return ipc(); }\n',
    "server/parent/parent.h": "int parent(void);\n",
    "server/parent/parent.c": '#include "server/parent/parent.h"\n'
        "#include \"server/ipc/ipc.h\"\nint parent(void) { return ipc(); }\n",
    "server/main.c": "/* The server. */\n"
        '#include "server/auth/auth.h"\n#include "server/parent/parent.h"\n'
        "int main(void) { return parent() + auth_main(); }\n",
    "client/session/visit.h": "int visit(void);\n",
    "client/session/visit.c": '#include "client/session/visit.h"\n'
        '#include "net/conn.h"\nint visit(void) { return conn(); }\n',
    "client/main.c": "/* The client. */\n"
        '#include "client/session/visit.h"\n'
        "int main(void) { return visit(); }\n",
}


@pytest.fixture
def faults(tmp_path):
    """The faults of SOUND with these files put in, or taken out (None)."""
    def build(changes):
        commands = []
        files = {**SOUND, **changes}
        for path, text in files.items():
            to = tmp_path / "src" / path
            to.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                to.unlink()
            else:
                to.write_text(text)
        for path in files:
            if path.endswith(".c") and files[path] is not None:
                thing = path.replace("/", "_") + ".o"
                subprocess.run(["cc", "-w", "-Isrc", "-c", "-o", thing,
                                "src/" + path], cwd=tmp_path, check=True)
                commands.append({"directory": str(tmp_path), "output": thing,
                                 "file": "src/" + path})
        with open(tmp_path / "compile_commands.json", "w") as f:
            json.dump(commands, f)
        return structure.faults(structure.Tree(str(tmp_path), str(tmp_path)))
    return build


def only(faults, *words):
    assert len(faults) == 1, faults
    for word in words:
        assert word in faults[0], (word, faults[0])


def test_sound(faults):
    assert faults({}) == []


def test_no_floor(faults):
    only(faults({"server/attic/box.h": ""}), "src/server/attic/box.h")


@pytest.mark.parametrize("path,header", [
    ("net/up.h", "server/ipc/ipc.h"),
    ("base/up.h", "net/conn.h"),
    ("server/ipc/up.h", "server/auth/auth.h"),
    ("server/auth/up.h", "server/parent/parent.h"),
])
def test_include_upward(faults, path, header):
    only(faults({path: '#include "%s"\n' % header}), path, header, "above")


def test_include_relative(faults):
    only(faults({"base/up.h": '# include "../net/conn.h"\n'}), "above")


def test_include_beside(faults):
    only(faults({"pop3/side.h": '#include "net/conn.h"\n'}), "beside")
    only(faults({"pop3/side.h": None,
                 "server/store/side.h": '#include "server/auth/auth.h"\n'}),
         "beside")


def test_include_other_program(faults):
    only(faults({"client/session/over.h": '#include "server/ipc/ipc.h"\n'}),
         "client/session/over.h", "server/ipc/ipc.h", "other")


def test_call_upward(faults):
    """The header hides what the symbol tells."""
    only(faults({"base/up.c": "/* Up. */\nint conn(void);\n"
                              "int up(void) { return conn(); }\n"}),
         "base/up.c", "conn", "net/conn.c")


def test_call_other_program(faults):
    only(faults({"client/session/over.c":
                 "/* Over. */\nint ipc(void);\n"
                 "int over(void) { return ipc(); }\n"}),
         "client/session/over.c", "ipc", "server/ipc/ipc.c")


def test_circle(faults):
    only(faults({
        "base/one.c": "/* One. */\nint two(void);\n"
                      "int one(void) { return two(); }\n",
        "base/two.c": "/* Two. */\nint three(void);\n"
                      "int two(void) { return three(); }\n",
        "base/three.c": "/* Three. */\nint one(void);\n"
                        "int three(void) { return one(); }\n",
    }), "3 files", "src/base/one.c -> src/base/two.c: two",
        "src/base/two.c -> src/base/three.c: three",
        "src/base/three.c -> src/base/one.c: one")


def test_circle_by_data(faults):
    only(faults({
        "base/one.c": "/* One. */\nint here(void);\nint kept = 1;\n"
                      "int one(void) { return here(); }\n",
        "base/two.c": "/* Two. */\nextern int kept;\n"
                      "int here(void) { return kept; }\n",
    }), "kept", "here")


def test_no_circle_over_two_programs(faults):
    """Each program has its own; no edge leads from one to the other."""
    found = faults({
        "client/run.c": "/* Runs. */\nint own(void) { return 1; }\n",
        "server/parent/tell.c": "/* Tells. */\nint own(void);\n"
                                "int tell(void) { return own(); }\n",
        "server/parent/own.c": "/* Own. */\nint own(void) { return 2; }\n"})
    only(found, "own is defined", "src/client/run.c",
         "src/server/parent/own.c")


def test_header_circle(faults):
    only(faults({"base/a.h": '#ifndef A\n#define A\n#include "b.h"\n#endif\n',
                 "base/b.h": '#ifndef B\n#define B\n#include "a.h"\n'
                             "#endif\n"}),
         "src/base/a.h", "src/base/b.h", "each other")


def test_defined_twice(faults):
    only(faults({"base/one.c": "/* One. */\nint many;\n",
                 "base/two.c": "/* Two. */\nint many = 2;\n"}),
         "many", "src/base/one.c", "src/base/two.c")


def test_static_may_be_twice(faults):
    text = "/* A static. */\nstatic int take(void) { return 1; }\n" \
           "int (*%s)(void) = take;\n"
    assert faults({"base/one.c": text % "one",
                   "base/two.c": text % "two"}) == []


@pytest.mark.parametrize("role", ["auth", "store", "worker"])
def test_privilege(faults, role):
    """The parent is above the roles, so that only this rule finds it."""
    only(faults({
        "server/%s/table.c" % role: "/* A table. */\nint table = 1;\n",
        "server/parent/put.c": "/* Puts. */\nextern int table;\n"
                               "int put(void) { return table; }\n",
    }), "src/server/parent/put.c", "table", "src/server/%s/table.c" % role,
        "root")


def test_stem(faults):
    only(faults({"server/store/conn.h": ""}), "src/net/conn",
         "src/server/store/conn")
    only(faults({"server/store/conn.h": None, "base/conn.h": ""}),
         "src/base/conn")


def test_stem_header_elsewhere(faults):
    only(faults({"server/store/parent.h": ""}), "parent")


def test_stem_of_two_programs(faults):
    assert faults({"client/conf/auth.h": ""}) == []


def test_unexplained(faults):
    only(faults({"base/alone.c": "int alone;\n"}), "src/base/alone.c",
         "comment")


def test_nothing_built(tmp_path):
    """What looked at nothing does not say that all is well."""
    (tmp_path / "src").mkdir()
    (tmp_path / "compile_commands.json").write_text("[]")
    assert structure.main([str(tmp_path), str(tmp_path)]) == 1
