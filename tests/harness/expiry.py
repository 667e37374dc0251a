"""malote-expire of a Maildir, changed in its place: a copy is not believed."""
from index import xxh3

NAMES = ["self", "days", "since", "looked", "boot", "next", "accepted", "held",
         "due", "of"]


def state(box, **change):
    """What malote-expire says; or says from now on, in its place."""
    path = box + "/malote-expire"
    with open(path, encoding="ascii") as f:
        head, line = f.read().splitlines()
    words = line.split(" ", 11)
    now = dict(zip(NAMES, map(int, words[1:11])))
    if change:
        now.update(change)
        text = "%s %s" % (" ".join(str(now[n]) for n in NAMES), words[11])
        with open(path, "r+", encoding="ascii") as f:
            f.write("%s\n%08x %s\n" % (
                head, xxh3(text.encode()) & 0xffffffff, text))
            f.truncate()
    return now
