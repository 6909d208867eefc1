"""The audit in the replicated state: the newest entries, and the hash that all before them hang on. Pure.

Refusals are kept too, for people (a machine that repeats what is refused would only push other entries out), and at
most `REFUSALS_MAX` in a minute of the commands' own time; those beyond are counted. So a client in a loop can neither
flood the chain nor empty it.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from orchestrator.audit.entry import DONE, GENESIS, Entry, bounded, chained, rfc3339, short, text_of

ENTRIES_MAX = 1_000
BYTES_MAX = 1 << 20
"""Of the entries' texts together: they are in memory and in snapshots of every node. Older ones are in files."""
REFUSALS_MAX = 10
"""A minute, of the whole cluster."""
REFUSAL_WINDOW_S = 60.0
MACHINES = frozenset({"component", "processor"})
"""Roles whose refusals are not kept."""
ACTOR_MEMBERS = ("kind", "id", "name", "role", "address", "node")

Position = tuple[int, int]
"""(term, index) in the replicated log."""
Actor = Mapping[str, str]
Plain = str | int | float | bool | None


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people do beside the replicated state: `outcome` `intended` before it begins, and what became of it after.

    `action` becomes the entry's kind, for example `component.command`. Its members are flat: how deep a body may be
    nested would depend on the node that reads it.
    """

    kind: ClassVar[str] = "audit.note"
    action: str
    subject: str
    id: str
    outcome: str
    before: dict[str, Plain] | None = None
    after: dict[str, Plain] | None = None


class Head(msgspec.Struct, frozen=True):
    """The newest entry. `first`: number of the oldest that is held here; 0 with `number` 0: there was none yet."""

    number: int = 0
    hash: str = GENESIS
    first: int = 0
    left_out: int = 0
    """refusals that were not kept"""


class AuditChain:
    """`entries`, the oldest first, is replaced on change and never altered: any thread may read it without a lock."""

    def __init__(self) -> None:
        self.entries: tuple[Entry, ...] = ()
        self.number = 0
        self.hash = GENESIS
        self.left_out = 0
        self.epoch = ""
        """of the leadership under which commands are applied now; it comes with the claims, not with snapshots"""
        self._minute = 0
        self._refusals = 0
        self._sizes: deque[int] = deque()
        """of the entries' texts, in their order"""
        self._bytes = 0

    @property
    def untouched(self) -> bool:
        """Nothing was ever entered."""
        return self.number == 0 and self.left_out == 0

    def head(self) -> Head:
        """Where the chain ends now."""
        entries = self.entries
        if not entries:
            return Head(self.number, self.hash, 0, self.left_out)
        return Head(entries[-1].number, entries[-1].hash, entries[0].number, self.left_out)

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins: equal states give equal bytes."""
        return {
            "version": 1,
            "number": self.number,
            "hash": self.hash,
            "left_out": self.left_out,
            "minute": self._minute,
            "refusals": self._refusals,
            "entries": [msgspec.to_builtins(entry) for entry in self.entries],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"audit: snapshot version {data.get('version')!r} is not known here")
        self.entries = msgspec.convert(data["entries"], tuple[Entry, ...])
        self.number = msgspec.convert(data["number"], int)
        self.hash = msgspec.convert(data["hash"], str)
        self.left_out = msgspec.convert(data["left_out"], int)
        self._minute = msgspec.convert(data["minute"], int)
        self._refusals = msgspec.convert(data["refusals"], int)
        self._sizes = deque(len(text_of(entry)) for entry in self.entries)
        self._bytes = sum(self._sizes)

    def adopt(self, other: "AuditChain") -> None:
        """Become what `other` is, but for the epoch."""
        epoch = self.epoch
        self.__dict__.update(other.__dict__)
        self.epoch = epoch

    def add(
        self,
        *,
        actor: Actor,
        kind: str,
        subject: str,
        id: str,
        time: float,
        position: Position,
        outcome: str = DONE,
        before: Any = None,
        after: Any = None,
        refused: bool = False,
    ) -> Entry | None:
        """Enter a change; None for a refusal that is left out."""
        if refused and not self._kept(actor, time):
            return None
        entry = chained(
            self.hash,
            number=self.number + 1,
            index=position[1],
            epoch=self.epoch,
            time=rfc3339(time),
            actor={name: short(actor[name]) for name in ACTOR_MEMBERS if actor.get(name)},
            kind=short(kind),
            subject=short(subject),
            id=short(id),
            outcome=short(outcome),
            before=bounded(before),
            after=bounded(after),
        )
        self.number, self.hash = entry.number, entry.hash
        self._sizes.append(len(text_of(entry)))
        self._bytes += self._sizes[-1]
        entries = (*self.entries, entry)
        gone = 0
        while len(entries) - gone > ENTRIES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= self._sizes.popleft()
            gone += 1
        self.entries = entries[gone:] if gone else entries
        return entry

    def note(self, body: bytes, *, actor: Actor, time: float, position: Position) -> Entry | str:
        """Enter an `audit.note`; what is wrong with it when it is none."""
        try:
            said = msgspec.msgpack.decode(body, type=Note)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return f"{Note.kind}: {error}"
        entry = self.add(
            actor=actor,
            kind=said.action,
            subject=said.subject,
            id=said.id,
            time=time,
            position=position,
            outcome=said.outcome,
            before=said.before,
            after=said.after,
        )
        assert entry is not None  # noqa: S101 - no refusal
        return entry

    def _kept(self, actor: Actor, time: float) -> bool:
        if actor.get("role") in MACHINES:
            return False
        minute = int(time // REFUSAL_WINDOW_S) if math.isfinite(time) else 0
        if minute != self._minute:
            self._minute, self._refusals = minute, 0
        if self._refusals >= REFUSALS_MAX:
            self.left_out += 1
            return False
        self._refusals += 1
        return True


def since(entries: Iterable[Entry], number: int) -> list[Entry]:
    """Those behind entry `number`."""
    return [entry for entry in entries if entry.number > number]
