"""The replicated timeline of leadership: who led, since which epoch, and how long nobody did before. Pure.

Each leader notes its own when its duties stand (`leadership_note`). One that could not is missing: `epoch` tells the
order, and a gap in its terms that there was another.

Codes: `invalid_command`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec

KEPT_MAX = 200

Reason = Literal["start", "election", "transfer"]
Position = tuple[int, int]


class Noted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`gap_s`: from when the leader before was last heard by the new one, to when the new one's duties stood; by one
    clock. None: it had heard none since it was started.
    """

    kind: ClassVar[str] = "leadership.noted"
    epoch: str
    node: str
    gap_s: float | None
    reason: Reason


class LeadershipRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`at`: unix seconds of the leader's clock when it noted this, for display."""

    epoch: str
    node: str
    at: float
    gap_s: float | None
    reason: Reason


class Result(msgspec.Struct, frozen=True):
    value: Any = None
    code: str = ""
    message: str = ""


class LeadershipEvent(NamedTuple):
    kind: str
    subject: str
    data: dict[str, Any]


class Leaderships:
    """`rows`, the oldest first, is replaced on change and never altered: any thread may read it."""

    def __init__(self) -> None:
        self.rows: tuple[LeadershipRow, ...] = ()

    @property
    def untouched(self) -> bool:
        return not self.rows

    def get(self, epoch: str) -> LeadershipRow | None:
        return next((row for row in reversed(self.rows) if row.epoch == epoch), None)

    def snapshot(self) -> dict[str, Any]:
        return {"rows": [msgspec.to_builtins(row) for row in self.rows]}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises msgspec.MsgspecError for what is no snapshot."""
        self.rows = tuple(msgspec.convert(data["rows"], list[LeadershipRow]))

    def apply(self, body: bytes, *, time: float) -> tuple[Result, list[LeadershipEvent]]:
        """Apply one `leadership.noted`; `body` is its msgpack. The same epoch again changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=Noted)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{Noted.kind}: {error}"), []
        if self.get(command.epoch) is not None:
            return Result(), []
        row = LeadershipRow(epoch=command.epoch, node=command.node, at=time, gap_s=command.gap_s, reason=command.reason)
        gone = self.rows[: max(0, len(self.rows) + 1 - KEPT_MAX)]
        self.rows = (*self.rows[len(gone) :], row)
        events = [LeadershipEvent("leadership.forgotten", each.epoch, {}) for each in gone]
        return Result(), [*events, LeadershipEvent(Noted.kind, row.epoch, msgspec.to_builtins(row))]
