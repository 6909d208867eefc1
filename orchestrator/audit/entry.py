"""One entry of the audit, and what its hash is made of. Pure.

The text of an entry is JSON without blanks, members sorted by name, in UTF-8. Its `hash` is the SHA-256 of the text
without the member `hash`, in lower-case hex; `previous` is the hash of the entry before, so that whoever knows one
hash can tell whether anything before it was changed.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

GENESIS = "0" * 64
"""`previous` of entry 1."""
DONE, INTENDED, UNKNOWN = "done", "intended", "unknown"
"""Outcomes beside the codes of refusals. `intended`: an effect outside the replicated state is about to begin."""
ROW_BYTES_MAX = 4 * 1024
"""Of the JSON of `before`, and of `after`. A larger one is told by its digest and size."""
NAME_CHARS_MAX = 200


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change. `time`: RFC 3339, by the clock of the node that proposed it; `epoch`: TERM.INDEX, "" when none led.

    `before` and `after`: JSON data; None where there was nothing, or where nothing is told.
    """

    number: int
    index: int
    epoch: str
    time: str
    actor: dict[str, str]
    kind: str
    subject: str
    id: str
    outcome: str
    before: Any = None
    after: Any = None
    previous: str
    hash: str


_text = msgspec.json.Encoder(order="sorted")


def text_of(entry: Entry) -> bytes:
    """The entry as a line of a file, without its end."""
    return _text.encode(entry)


def hash_of(members: Mapping[str, Any]) -> str:
    """Of an entry's members; a `hash` among them does not count."""
    counted = {name: value for name, value in members.items() if name != "hash"}
    return hashlib.sha256(_text.encode(counted)).hexdigest()


def hashed(entry: Entry) -> str:
    """The hash that an entry should have."""
    return hash_of({name: getattr(entry, name) for name in entry.__struct_fields__})


def chained(previous: str, **members: Any) -> Entry:
    """The entry of `members` behind the one whose hash is `previous`."""
    known = {"before": None, "after": None, **members, "previous": previous}
    return Entry(**known, hash=hash_of(known))


def bounded(row: Any) -> Any:
    """`row` (builtins or structs) as JSON data; what is larger than `ROW_BYTES_MAX` as {"sha256", "bytes"}.

    It goes through its text, so that every node, and whoever reads a file, has the same.
    """
    if row is None:
        return None
    text = _text.encode(row)
    if len(text) > ROW_BYTES_MAX:
        return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    return msgspec.json.decode(text)


def short(text: str) -> str:
    """A name that somebody else chose, bounded."""
    return text if len(text) <= NAME_CHARS_MAX else text[: NAME_CHARS_MAX - 1] + "…"


def rfc3339(unix: float) -> str:
    """UTC, to the millisecond. A time that no calendar holds (a clock set wrong) shows the nearest that one does."""
    try:
        at = datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError):
        at = datetime.min.replace(tzinfo=UTC) if unix < 0 else datetime.max.replace(tzinfo=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
