"""A malote.index in which all sums are right, whatever it says.

The numbers are the format's, as src/server/ipc/index.c draws it.
"""
import ctypes
import struct

HEADER, RECORD, TRAILER = 96, 40, 96

_xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
_xxh3.restype = ctypes.c_uint64
_xxh3.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


def xxh3(octets, seed=0):
    return _xxh3(bytes(octets), len(octets), seed)


def get32(p, at):
    return struct.unpack_from("<I", p, at)[0]


def put32(p, at, value):
    struct.pack_into("<I", p, at, value & 0xffffffff)


def put64(p, at, value):
    struct.pack_into("<Q", p, at, value)


def parts(p, at):
    """Where records, list, uidl, names, the trailer and the end are."""
    if len(p) - at < HEADER or p[at:at + 7] != b"MALOTEI":
        return None
    places = [at + HEADER]
    places.append(places[0] + get32(p, at + 12) * RECORD)
    for i in range(3):
        places.append(places[-1] + get32(p, at + 16 + 4 * i))
    places.append(places[-1] + TRAILER)
    return places if places[-1] <= len(p) else None


def mend_record(p, at, msgno, places):
    for i in range(2):
        size = places[3 + i] - places[2 + i]
        off = get32(p, at + 16 + 4 * i)
        n = get32(p, at + 24) >> 16 * i & 0xffff
        if off + n <= size:
            start = places[2 + i] + off
            put32(p, at + 28 + 4 * i, xxh3(p[start:start + n]))
    put32(p, at + 36, xxh3(p[at:at + 36], msgno))


def mend_trailer(p, at):
    put64(p, at + 88, xxh3(p[at:at + 88]))


def mend(p):
    """All sums of all blocks, as far as they can be followed."""
    at = 0
    while (places := parts(p, at)) is not None:
        for i in range(get32(p, at + 12)):
            mend_record(p, places[0] + i * RECORD, get32(p, at + 8) + i,
                        places)
        for i in range(3):
            put64(p, at + 32 + 8 * i, xxh3(p[places[1 + i]:places[2 + i]]))
        put64(p, at + 88, xxh3(p[at:at + 88]))
        mend_trailer(p, places[4])
        at = places[5]
    return p


def forge(p, rng):
    """Changes something, anywhere, and puts the sums right."""
    n = get32(p, 12)
    record = HEADER + rng.randrange(max(n, 1)) * RECORD
    trailer = len(p) - TRAILER
    what = rng.randrange(9)
    if what == 0:
        put32(p, 12, rng.randrange(n + 2))
    elif what == 1:
        put32(p, trailer + 8, rng.choice([0, 1, n // 2, n + 1, 10 ** 7,
                                          10 ** 7 + 1, 2 ** 32 - 1]))
    elif what == 2:
        put32(p, trailer + 12, rng.choice([0, 1, 2, 2 ** 32 - 1]))
    elif what == 3:
        put64(p, trailer + 16, rng.getrandbits(64))
    elif what == 4:
        other = HEADER + rng.randrange(max(n, 1)) * RECORD
        p[record:record + RECORD], p[other:other + RECORD] = (
            p[other:other + RECORD], p[record:record + RECORD])
    elif what == 5:
        put32(p, record + 16 + 4 * rng.randrange(2), rng.randrange(2000))
    elif what == 6:
        put32(p, record + 24, rng.getrandbits(32))
    elif what == 7:
        put32(p, 16 + 4 * rng.randrange(3), rng.randrange(20000))
    else:
        p[HEADER + rng.randrange(len(p) - HEADER)] ^= 1 << rng.randrange(8)
    return mend(p)
