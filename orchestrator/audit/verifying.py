"""Whether lines of the audit are the chain that they claim to be, and which is the first that does not fit. Pure.

What a chain proves by itself: nothing in it was changed, left out, put in or moved. What it cannot prove by itself is
that its end is the end, and that it was not made up as a whole: for that somebody has to know a hash of it from
elsewhere, `known`: a head that was noted earlier, or the chain as another node has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from orchestrator.audit.entry import GENESIS, Entry, hashed, text_of

Line = tuple[str, bytes]
"""(where it stands, for people: FILE:LINE; its text)"""


class Misfit(Exception):
    """The first line that does not fit: `place`, the entry's `number` (None: unreadable), and why."""

    def __init__(self, place: str, number: int | None, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.number = number
        self.reason = reason


class _GapLine(msgspec.Struct, forbid_unknown_fields=True):
    gap: dict[str, int]


@dataclass
class Verified:
    """What was gone through. `first` 0: nothing. `gaps`: (last before, first behind) where this node lacks entries."""

    first: int = 0
    last: int = 0
    hash: str = GENESIS
    entries: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)
    """by number, of every entry"""

    @property
    def begins(self) -> bool:
        """From the first entry that ever was."""
        return self.first == 1


def verify(lines: Iterable[Line], known: Mapping[int, str] | None = None) -> Verified:
    """Go through one chain. Raises Misfit at the first line that does not fit, in itself or with `known`."""
    held = known or {}
    found = Verified()
    expected: int | None = None  # of the next entry; None: where it begins is not known
    previous: str | None = None  # None: not known
    place = "the end"
    for place, text in lines:
        gap = _gap(text)
        if gap is not None:
            after, following = gap
            if (found.entries and after != found.last) or following <= after + 1:
                raise Misfit(place, None, f"a gap from {after} to {following} behind entry {found.last}")
            found.gaps.append(gap)
            expected, previous = following, held.get(following - 1)
            continue
        entry = _entry(place, text)
        number = entry.number
        if expected is not None and number != expected:
            raise Misfit(place, number, _out_of_order(number, expected))
        if number < 1:
            raise Misfit(place, number, f"there is no entry {number}")
        if expected is None:
            previous = GENESIS if number == 1 else held.get(number - 1)
        if previous is not None and entry.previous != previous:
            raise Misfit(place, number, f"entry {number} belongs behind another entry {number - 1}: other `previous`")
        if hashed(entry) != entry.hash:
            raise Misfit(place, number, f"entry {number} was changed: it has another hash than it says")
        if text_of(entry) != text:
            raise Misfit(place, number, f"entry {number} is not the text that was written")
        if held.get(number, entry.hash) != entry.hash:
            raise Misfit(place, number, f"entry {number} is another one than the one that is known: other hash")
        found.first = found.first or number
        found.last, found.hash = number, entry.hash
        found.entries += 1
        found.hashes[number] = entry.hash
        expected, previous = number + 1, entry.hash
    return found


def complete_up_to(found: Verified, head: int, place: str) -> None:
    """Raises Misfit when the chain ends before entry `head`, which is known to exist."""
    if found.last < head:
        reason = f"it ends at entry {found.last}, but entry {head} is known: what is between was cut off"
        raise Misfit(place, found.last + 1, reason)


def _out_of_order(number: int, expected: int) -> str:
    if number > expected:
        return f"entry {expected} should stand here, and {number} does: what is between is missing"
    return f"entry {expected} should stand here, and {number} does, which came before: it was moved, or put in twice"


def _gap(text: bytes) -> tuple[int, int] | None:
    try:
        gap = msgspec.json.decode(text, type=_GapLine).gap
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return (gap["after"], gap["next"]) if gap.keys() == {"after", "next"} else None


def _entry(place: str, text: bytes) -> Entry:
    try:
        return msgspec.json.decode(text, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Misfit(place, None, f"this is no entry: {error}") from None
