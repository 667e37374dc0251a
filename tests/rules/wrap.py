#!/usr/bin/python3
"""Wraps the prose of Markdown files at 80 columns; "make fmt" runs it.

    wrap.py FILE...

Paragraphs and list items are filled; headings, tables, code and blank lines
stay as they are.  Code between back quotes and links are not broken.
"""
import re
import sys

WIDTH = 80
# A word, in which a piece of code or a link counts as one letter.
WORD = re.compile(r"(?:`[^`\n]*`|\[[^\]\n]*\]\([^)\n]*\)|\S)+")
# At the beginning of a line these would begin a list, a heading, a table.
MARK = re.compile(r"(?:[-+*>|]|#+|\d+[.)])$")
ITEM = re.compile(r"( {0,3})([-*+]|\d+[.)]) +(?=\S)")
AS_IT_IS = re.compile(r"#|\||    |\t|<|\[[^\]]+\]: ")


def words(text):
    out = []
    for word in WORD.findall(text):
        if out and MARK.match(word):
            out[-1] += " " + word
        else:
            out.append(word)
    return out


def fill(text, first, rest):
    """The words of a paragraph in lines, led by "first" and then "rest"."""
    lines, line = [], first
    for word in words(text):
        if line.strip() and line != first and \
                len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = rest
        line += word if line in (first, rest) else " " + word
    return lines + [line]


def blocks(lines):
    """(first, rest, text) of what is to be filled, (line,) of what is not."""
    fenced, block = False, None
    for line in lines:
        item = ITEM.match(line)
        fence = line.startswith("```")
        text = line.strip()
        if fenced or fence or not text or \
                (AS_IT_IS.match(line) and not (block and line[0] == " ")):
            if block:
                yield block
                block = None
            fenced ^= fence
            yield (line,)
        elif item or not block:
            if block:
                yield block
            lead = item.group(0) if item else line[:-len(line.lstrip())]
            block = (lead, " " * len(lead), line[len(lead):])
        else:
            block = (*block[:2], block[2] + " " + text)
    if block:
        yield block


def wrap(text):
    out = []
    for block in blocks(text.splitlines()):
        if len(block) == 1:
            out.append(block[0])
        else:
            out += fill(block[2], *block[:2])
    return "\n".join(out) + "\n"


def main(paths):
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        wrapped = wrap(text)
        if wrapped != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(wrapped)


if __name__ == "__main__":
    main(sys.argv[1:])
