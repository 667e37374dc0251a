"""What a shell completes when Tab is pressed, in the shells themselves."""
import os
import re
import shutil
import subprocess

import pytest

import malote
import terminal
from server import TOP

pytestmark = malote.NEEDED
FOLDER = os.path.join(TOP, "packaging", "completions")
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"

# A shell that a person has just opened; it shows one prompt and no colours.
SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"],
             "PS1='REA''DY>'; . %s; . %s/malote.bash\n" % (
                 BASH_COMPLETION, FOLDER), os.path.exists(BASH_COMPLETION)),
    "zsh": (["zsh", "-f", "-i"],
            "PS1='REA''DY>'; fpath=(%s $fpath); autoload -Uz compinit; "
            "compinit -u -D; unsetopt zle_bracketed_paste\n" % FOLDER, True),
    "fish": (["fish", "--no-config", "-i"],
             "function fish_prompt; echo -n REA'DY>'; end; source "
             "%s/malote.fish\n" % FOLDER, True),
}
# Shows each of its arguments, and completes as the real one.
STAND_IN = """#!/bin/sh
case " $* " in *" --words "*) exec %s "$@";; esac
printf 'GOT'; printf '<%%s>' "$@"; echo .
"""
NAMES = ["casa", "minha conta", "ana@example.org", "a:b", "\u00e9t\u00e9",
         "rua", "rio"]


class Shell:
    def __init__(self, name, m):
        command, begin, there = SHELLS[name]
        if not (there and shutil.which(command[0])):
            pytest.skip("there is no " + name)
        folder = m.home + "/bin"
        os.mkdir(folder)
        with open(folder + "/malote", "w") as f:
            f.write(STAND_IN % malote.BINARY)
        os.chmod(folder + "/malote", 0o755)
        self.t = terminal.Terminal(command, m.home, {
            **m.env, "LANG": "C.UTF-8", "TERM": "xterm",
            "PATH": folder + ":" + os.environ["PATH"],
            "XDG_CONFIG_HOME": m.home + "/config"}, columns=200)
        self.t.type(begin.encode())
        self.t.expect(b"READY>")

    def tab(self, typed):
        """What malote is given when this is typed, its Tabs pressed, and
        Enter."""
        for part in re.findall(r"[^\t]+|\t", typed):
            self.t.type(part.encode())
            self.t.read(0.4)
        self.t.type(b"\r")
        self.t.expect(b">.\r\n")
        while b"READY>" not in self.t.seen[self.t.seen.rfind(b">.\r\n"):]:
            assert self.t.read(), self.t.seen[-1000:]
        found = re.findall(rb"GOT((?:<[^>]*>)+)\.", self.t.seen)
        return re.findall("<(.*?)>", found[-1].decode())


@pytest.fixture(params=sorted(SHELLS))
def shell(request, client):
    m = client()
    for name in NAMES:
        m.account(name)
    os.makedirs(m.home + "/config/malote")
    m.conf = m.home + "/config/malote/malote.conf"
    m.write()
    m.conf = m.home + "/other.conf"
    m.accounts = {}
    m.account("obra")
    m.write()
    shell = Shell(request.param, m)
    yield shell
    shell.t.close()


def test_completions(shell):
    for typed, given in [
            ("malote stat\t", ["status"]),
            ("malote ca\t", ["casa"]),
            ("malote collect cas\t ana\t",
             ["collect", "casa", "ana@example.org"]),
            ("malote status minh\t", ["status", "minha conta"]),
            ("malote minha\\ c\t", ["minha conta"]),
            ("malote ana@ex\t", ["ana@example.org"]),
            ("malote a:\t", ["a:b"]),
            ("malote \u00e9t\t", ["\u00e9t\u00e9"]),
            # The one that was given is not offered again.
            ("malote rua r\t", ["rua", "rio"]),
            ("malote rename cas\t lar", ["rename", "casa", "lar"]),
            ("malote rename casa cas\t", ["rename", "casa", "cas"]),
            ("malote --js\t", ["--json"]),
            ("malote outbox ret\t", ["outbox", "retry"]),
            ("malote send oth\t", ["send", "other.conf"]),
            ("malote forget --bl\t cas\t", ["forget", "--block", "casa"]),
            ("malote --config oth\t ob\t", ["--config", "other.conf", "obra"]),
            ("malote --config=other.conf ob\t",
             ["--config=other.conf", "obra"]),
            ("malote --state conf\t", ["--state", "config"])]:
        got = shell.tab(typed)
        got[-1] = got[-1].rstrip("/")  # zsh takes it away again
        assert got == given, typed
    # Of another command; fish may take what is alike.
    assert "--block" not in shell.tab("malote collect --bl\t")


def words(m, *more, **env):
    done = m.run(*more, "--words", write=False, env=env)
    lines = [x.split("\t") for x in done.out.decode().splitlines()]
    assert all(len(x) == 5 and all(x) for x in lines), lines
    assert done.err == b""
    return lines


def test_words(client, portuguese):
    m = client().account("casa")
    m.write()
    lines = words(m)
    assert ["account", "casa", "-", "ana@example.org", "-"] in lines
    assert ["command", "rename", "1", "gives an account another name",
            "-"] in lines
    # As many as there are in the help, and in the person's language.
    text = m.run("--help").text
    for kind, word, _, told, _ in lines:
        assert kind == "account" or told == "-" or word in text, word
    assert {x[4] for x in lines if x[0] == "option" and x[3] == "-"} == {
        "add", "-"}
    assert "add has options" in text
    helps = {x[1]: x[3] for x in words(m, **portuguese)}
    assert helps["rename"] == "d\u00e1 outro nome a uma conta"
    assert not os.path.exists(m.state)


def test_words_without_a_configuration(client):
    m = client()
    assert "account" not in [x[0] for x in words(m)]
    m.write_conf("account {")
    assert "account" not in [x[0] for x in words(m)]


@pytest.mark.parametrize("name", sorted(SHELLS))
def test_syntax(name):
    file = {"bash": "malote.bash", "zsh": "_malote", "fish": "malote.fish"}
    if not shutil.which(name):
        pytest.skip("there is no " + name)
    subprocess.run([name, "-n", os.path.join(FOLDER, file[name])], check=True,
                   timeout=30)
