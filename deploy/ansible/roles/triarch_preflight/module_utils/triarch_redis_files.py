"""What the files of a Redis that is stopped hold, without a server: read, not changed.

The files that a server with an append-only file would load: a base, which is an RDB, and the commands since.
Formats: rdb.h and rdb.c of Redis 7.0 and Valkey 7.2. What is not understood, as of a newer server, says nothing.
"""

import os
import re

HEAD_BYTES = 1 << 20
"""Of a file of commands, so much is looked at for keys of something else."""
PIECE_BYTES = 1 << 22
KEPT_BYTES, EDGE_BYTES = 128, 64
"""What is searched for may lie across two pieces: with what counts before it, it is shorter than half of the first."""
GONE = (b"\r\nFLUSHALL\r\n", b"\r\nflushall\r\n", b"\r\nFLUSHDB\r\n", b"\r\nflushdb\r\n")
DELETES = re.compile(rb"\$\d+\r\n(?:DEL|UNLINK)\r\n\$\d+\r\n\Z", re.IGNORECASE)
AUX, FUNCTION, SLOT, RESIZE, EXPIRE_MS, EXPIRE, IDLE, FREQUENCY, SELECT = (
    *(0xFA, 0xF5, 0xF4, 0xFB, 0xFC, 0xFD, 0xF8, 0xF9, 0xFE),
)
TYPES_BELOW = 0xF0
"""What is above is an opcode, and what is below the type of a value, with its key behind it."""
WRITES = re.compile(
    rb"\r\n\*\d+\r\n\$\d+\r\n(?:SET|SETEX|PSETEX|MSET|INCR|INCRBY|APPEND|HSET|HMSET|SADD|ZADD|LPUSH|RPUSH|XADD)\r\n"
    rb"\$\d+\r\n([^\r\n]+)(?=\r\n)",
    re.IGNORECASE,
)
"""Commands as a server writes them down, whose first word is a key; from their beginning, as BITFIELD has a SET too."""


def stored(folder, prefix):
    """What a server would find in `folder`: {} for nothing.

    "foreign_keys": keys that do not begin with `prefix`, of the first ones of each file. "files": what was read.
    """
    files = loaded(folder)
    if not files:
        return {}
    keys = [key for path in files for key in first_keys(path)]
    foreign = [key for key in keys if not key.startswith((prefix, "{" + prefix))]
    return {"files": files, "foreign_keys": foreign[:3]}


def loaded(folder):
    """Paths of what a server would load, in that order: those of its manifest, else the one file of older servers.

    Not dump.rdb: a server with an append-only file, as ours is, does not load it.
    """
    lines = []
    below = os.path.join(folder, "appendonlydir")
    manifests = [name for name in names_in(below) if name.endswith(".manifest") and not name.startswith("temp-")]
    for name in manifests:
        with open(os.path.join(below, name), errors="replace") as file:
            lines += [line.split() for line in file]
    # file NAME seq NUMBER type KIND: b is the base, i what came since, h is not needed any more
    parts = [(line[5] != "b", int(line[3]), line[1]) for line in lines if len(line) > 5 and line[5] in ("b", "i")]
    paths = [os.path.join(below, name) for _, _, name in sorted(parts)]
    if not manifests:
        paths = [os.path.join(folder, "appendonly.aof")]
    return [path for path in paths if os.path.isfile(path)]


def names_in(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def first_keys(path):
    """The first key of an RDB, and those that the first commands write: whatever a file begins with."""
    with open(path, "rb") as file:
        if file.read(5) in (b"REDIS", b"VALKE"):
            try:
                found = first_of_rdb(file)
            except (EOFError, ValueError):
                return []
            return [] if found is None else [found.decode(errors="replace")]
        file.seek(0)
        head = b"\r\n" + file.read(HEAD_BYTES)
    return [key.decode(errors="replace") for key in WRITES.findall(head)]


def first_of_rdb(file):
    """The first key behind the five letters of an RDB; None where it has none. Errors: EOFError, ValueError."""
    exactly(file, 4)  # of its version
    while True:
        opcode = exactly(file, 1)[0]
        if opcode == AUX:
            text(file)
            text(file)
        elif opcode == FUNCTION:
            text(file)
        elif opcode in (SELECT, IDLE):
            number(file)
        elif opcode in (RESIZE, SLOT):
            for _ in range(2 if opcode == RESIZE else 3):
                number(file)
        elif opcode in (EXPIRE_MS, EXPIRE, FREQUENCY):
            exactly(file, {EXPIRE_MS: 8, EXPIRE: 4, FREQUENCY: 1}[opcode])
        else:
            return text(file) if opcode < TYPES_BELOW else None


def exactly(file, count):
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data


def length(file):
    """(a length, False), or (how a text is encoded, True)."""
    first = exactly(file, 1)[0]
    kind, rest = first >> 6, first & 0x3F
    if kind == 0:
        return rest, False
    if kind == 1:
        return rest << 8 | exactly(file, 1)[0], False
    if kind == 3:
        return rest, True
    if first not in (0x80, 0x81):
        raise ValueError(first)
    return int.from_bytes(exactly(file, 4 if first == 0x80 else 8), "big"), False


def number(file):
    found, encoded = length(file)
    if encoded:
        raise ValueError(found)
    return found


def text(file):
    """A text: plain, a whole number in 1, 2 or 4 bytes, or compressed."""
    found, encoded = length(file)
    if not encoded:
        return exactly(file, found)
    if found in (0, 1, 2):
        return str(int.from_bytes(exactly(file, 1 << found), "little", signed=True)).encode()
    if found != 3:
        raise ValueError(found)
    packed, size = number(file), number(file)
    return unpacked(exactly(file, packed), size)


def unpacked(data, size):
    """`size` bytes that LZF has made to `data`: runs as they are, and copies of what is there already."""
    made, at = bytearray(), 0
    try:
        while at < len(data):
            control = data[at]
            at += 1
            if control < 32:
                made += data[at : at + control + 1]
                at += control + 1
                continue
            count = control >> 5
            if count == 7:
                count += data[at]
                at += 1
            start = len(made) - ((control & 0x1F) << 8 | data[at]) - 1
            at += 1
            for place in range(start, start + count + 2):
                made.append(made[place])
    except IndexError as error:
        raise ValueError("not LZF") from error
    if len(made) != size:
        raise ValueError(size)
    return bytes(made)


def holds(files, key):
    """Whether `key`, of at most 20 letters (what is longer may be compressed), is there at the end of `files`.

    All of them are read. It is looked for as it is written down, not understood: the last thing said of it counts.
    """
    name = key.encode()
    there = False
    for path in files:
        with open(path, "rb") as file:
            kept = b""
            while piece := file.read(PIECE_BYTES):
                window = kept + piece
                # What ends before this was seen in the window before, with what stood before it.
                first = len(kept) - EDGE_BYTES
                said = [found for word in (name, *GONE) for found in places(window, word) if found[0] > first]
                for end, word in sorted(said):
                    before = window[max(0, end - KEPT_BYTES) : end - len(word)]
                    if word != name:
                        there = False
                    elif before.endswith((bytes([len(name)]), b"$%d\r\n" % len(name))):
                        there = DELETES.search(before) is None
                kept = window[-KEPT_BYTES:]
    return there


def places(data, word):
    """(where it ends, the word), each time that `word` stands in `data`."""
    at = data.find(word)
    while at >= 0:
        yield at + len(word), word
        at = data.find(word, at + 1)
