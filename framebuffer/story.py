"""What became of one frame, told from the records that the streams keep. Pure.

`frames:story` holds a record for each dispatch call that moved frames, and one for each thing that happened to a frame
beside: a retry, its death, a replay. Results, dead and dropped frames are entries of streams of their own. All but the
dead are trimmed to the newest, so a story may have holes; `FrameStory.unkept` names them.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec

from framebuffer.records import EventRecord, Found, Head, Record

__all__ = ["FrameStory", "Kept", "State", "Step", "Waiting", "moment", "told"]

_SAME_CALL_MS = 1000

State: TypeAlias = Literal["open", "final", "never_arrived"]
"""What the ledger says of a sequence: published and not final, final, or a gap below the highest."""


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a frame waits now. ``consumer``: who has it in hand, for ``idle_ms`` since it was taken or renewed."""

    place: str
    entry_id: str
    capability: str
    attempts: int
    since_ms: int
    consumer: str = ""
    idle_ms: int = 0


class Kept(msgspec.Struct, frozen=True):
    """How far back the trimmed streams reach: when the oldest entry of each was added, 0 where none was trimmed."""

    story_ms: int = 0
    results_ms: int = 0
    dropped_ms: int = 0


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to the frame. What does not apply is left out.

    ``what``: received, dispatched, retry, settled, dead, dropped, replayed or forgotten.
    """

    at_ms: int
    what: str
    capability: str = ""
    priority: int | None = None
    attempts: int | None = None
    processor_id: str = ""
    outstanding: int | None = None
    candidates: tuple[dict[str, Any], ...] = ()
    strategy: str = ""
    node: str = ""
    epoch: str = ""
    reason: str = ""
    result: Any = None


class FrameStory(msgspec.Struct, frozen=True):
    """The whole of it. ``status``: in_flight, settled, dead, dropped, lost, or ended (how is no longer kept)."""

    frame_id: str | None
    camera_id: str
    sequence: int
    status: str
    capability: str
    priority: int | None
    parts: int
    trace_id: str
    received_ms: int | None
    steps: tuple[Step, ...]
    waits: tuple[Waiting, ...]
    unkept: tuple[str, ...]


def told(
    camera_id: str,
    sequence: int,
    *,
    state: State,
    found: Sequence[Found],
    waits: Sequence[Waiting],
    records: Iterable[Record],
    kept: Kept,
) -> FrameStory:
    """Put together what was read. ``found``: the frame's entries in results, dead, dropped and where it waits."""
    heads = [one.head for one in found]
    head = min(heads, key=lambda one: one.published_ms) if heads else None
    steps = _with_ends(list(_recorded(camera_id, sequence, records)), found)
    if head is not None and not any(step.what == "dropped" for step in steps):
        steps.insert(0, Step(head.published_ms, "received", capability=_asked(heads), priority=head.priority))
    steps.sort(key=lambda step: step.at_ms)  # within one millisecond they stay in the order of the records
    status = _status(state, waits, steps)
    received_ms = None if head is None else head.published_ms
    return FrameStory(
        frame_id=head.frame_id if head else None,
        camera_id=camera_id,
        sequence=sequence,
        status=status,
        capability=_asked(heads) or next((step.capability for step in steps if step.capability), ""),
        priority=head.priority if head else None,
        parts=max((one.parts for one in heads), default=1),
        trace_id=next((one.traceparent.split("-")[1] for one in heads if one.traceparent.count("-") == 3), ""),
        received_ms=received_ms,
        steps=tuple(steps),
        waits=tuple(waits),
        unkept=tuple(_unkept(status, state, received_ms, kept)),
    )


def _recorded(camera_id: str, sequence: int, records: Iterable[Record]) -> Iterable[Step]:
    for record in records:
        if isinstance(record, EventRecord):
            if (record.camera_id, record.sequence) == (camera_id, sequence):
                yield Step(
                    record.at_ms,
                    record.outcome,
                    capability=record.capability,
                    attempts=record.attempts,
                    processor_id=record.processor_id,
                    reason=record.reason,
                )
            continue
        for row in record.rows:
            if (row.camera_id, row.sequence) == (camera_id, sequence):
                yield Step(
                    record.at_ms,
                    "dispatched",
                    capability=row.capability,
                    attempts=row.attempts,
                    processor_id=row.processor_id,
                    outstanding=row.outstanding,
                    candidates=tuple(msgspec.structs.asdict(one) for one in record.candidates.get(row.capability, ())),
                    strategy=record.strategy,
                    node=record.node,
                    epoch=f"{record.term}.{record.index}",
                )


def _ended(found: Found) -> Iterable[Step]:
    """The step that an entry of results, dead or dropped tells."""
    head, fields = found.head, found.fields
    processor = fields.get("processor_id", b"").decode()
    reason = fields.get("reason", b"").decode("utf-8", "replace")
    if found.stream == "results":
        yield Step(
            found.at_ms,
            "settled",
            capability=head.capability,
            attempts=head.attempts,
            processor_id=processor,
            result=_result(fields.get("result", b"")),
        )
    elif found.stream == "dead":
        yield Step(
            int(fields.get("dead_ms", b"0")) or found.at_ms,
            "dead",
            capability=head.capability,
            attempts=head.attempts,
            processor_id=processor,
            reason=reason,
        )
    elif found.stream == "dropped":
        yield Step(found.at_ms, "dropped", priority=head.priority, reason=reason)


def _result(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode("utf-8", "replace")


def _with_ends(steps: list[Step], found: Sequence[Found]) -> list[Step]:
    """The recorded steps and those that results, dead and dropped tell.

    A death stands in the story, with its reason cut, and among the dead: it is told once.
    """
    for end in (step for one in found for step in _ended(one)):
        at = next((at for at, step in enumerate(steps) if end.what == "dead" and _same_death(step, end)), None)
        if at is None:
            steps.append(end)
        else:
            steps[at] = msgspec.structs.replace(steps[at], reason=end.reason)
    return steps


def _same_death(step: Step, end: Step) -> bool:
    apart_ms = abs(step.at_ms - end.at_ms)
    return step.what == "dead" and step.capability == end.capability and apart_ms <= _SAME_CALL_MS


def _asked(heads: Sequence[Head]) -> str:
    """What the frame asks for: the capabilities of all its parts that are known."""
    return ",".join(sorted({name for one in heads for name in one.capability.split(",")} - {"-"}))


def _status(state: State, waits: Sequence[Waiting], steps: Sequence[Step]) -> str:
    if waits:
        return "in_flight"
    if state != "final":
        return "lost"
    ends = {
        step.capability: step.what for step in steps if step.what in ("settled", "dead", "dropped")
    }  # the last ones
    for status in ("dropped", "dead", "settled"):
        if status in ends.values():
            return status
    return "ended"


def _unkept(status: str, state: State, received_ms: int | None, kept: Kept) -> Iterable[str]:
    """In words, what was trimmed away, so that what is missing here is not taken for what never happened."""
    if state == "never_arrived":
        yield "it never arrived: no record of it was ever made"
        return
    if received_ms is None:
        yield "when it was received, its priority and its trace: its last entry is gone"
    if status == "ended":
        until = f"; results go back to {moment(kept.results_ms)}" if kept.results_ms else ""
        yield f"how it ended: its result, or the record that it was dropped, is no longer kept{until}"
    if status != "dropped" and kept.story_ms and (received_ms is None or received_ms < kept.story_ms):
        yield f"dispatches and failures before {moment(kept.story_ms)}"


def moment(at_ms: int) -> str:
    """Milliseconds of the server's clock as UTC, ISO 8601."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
