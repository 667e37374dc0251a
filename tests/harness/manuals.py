"""What the pages for administrators have to be typed, by section."""
import collections
import re

from server import TOP

NAMES = ["beside-dovecot", "backup", "mail-is-gone", "proxies"]

# section: its number; form: "sh", "conf", "" (fenced) or "indented".
Block = collections.namedtuple("Block", "section form text")


def read(name):
    with open(TOP + "/doc/%s.md" % name, encoding="utf-8") as f:
        return f.read()


FENCED = r"(?m)^```(\w*)\n((?:(?!```).*\n)*)^```$"
INDENTED = r"(?m)(?:^\n)((?:^(?:    .*)?\n)*^    .*\n)"


def blocks(name):
    """All blocks of a page, in its order.  The comment that names a file, or
    when it is to be so, is no part of the text."""
    out = []
    for n, part in enumerate(re.split(r"(?m)^## ", read(name))):
        found = re.findall(FENCED, part)
        found += [("indented", re.sub(r"(?m)^    ", "", text).strip("\n"))
                  for text in re.findall(INDENTED, re.sub(FENCED, "", part))]
        out += [Block(n, form, re.sub(r"\A# /.*\n", "", text))
                for form, text in found]
    return out


def typed(name):
    """{section: [what is typed there]}"""
    out = collections.defaultdict(list)
    for block in blocks(name):
        if block.form == "sh":
            out[block.section].append(block.text)
    return out
