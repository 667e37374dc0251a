"""The pages for administrators as manual pages (doc/man/guide)."""
import os
import re
import shutil
import subprocess

import pytest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
with open(TOP + "/doc/man/meson.build", encoding="utf-8") as f:
    NAMES = re.findall(r"'([\w-]+)'", re.search(
        r"(?s)guides = \[('.*?)\]", f.read()).group(1))


def read(page):
    with open(TOP + "/doc/" + page, encoding="utf-8") as f:
        return f.read()


def typed(page):
    """The lines of code in it."""
    text = read(page)
    return re.findall(r"(?m)^    +(.*)$", text) + [
        line.strip() for block in re.findall(r"(?ms)^```\w*\n(.*?)^```", text)
        for line in block.splitlines()]


@pytest.mark.skipif(not shutil.which("scdoc") or not shutil.which("man"),
                    reason="needs scdoc and man")
@pytest.mark.parametrize("page", [name + end for name in NAMES
                                  for end in (".md", ".pt-BR.md")])
def test_each_says_what_the_page_says(page, tmp_path):
    roff = subprocess.run(
        [TOP + "/doc/man/guide", "scdoc", TOP + "/doc/" + page, *NAMES],
        capture_output=True, timeout=60, check=True)
    assert roff.stderr == b""
    (tmp_path / "page.7").write_bytes(roff.stdout)
    shown = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-P", "cat", "-l",
         str(tmp_path / "page.7")], capture_output=True, text=True,
        timeout=60, check=True, env={**os.environ, "MANWIDTH": "2000",
                                     "LC_ALL": "C.UTF-8", "TERM": "dumb"})
    assert shown.stderr == ""
    lines = {line.strip() for line in shown.stdout.splitlines()}
    assert [x for x in typed(page) if x and x not in lines] == []
    # No mark of Markdown's or scdoc's is left, but in what is to be typed.
    words = " ".join(lines - set(typed(page)))
    assert not re.search(r"`|\]\(|\\|\*\*|##", words)
    for name in set(re.findall(r"\]\(([\w-]+)\.[\w.-]*md\)", read(page))):
        if name in NAMES and not page.startswith(name):
            assert "maloted-%s(7)" % name in words
