"""The replicated timeline of leadership. Pure."""

from typing import Any

import msgspec

from cluster import Command, Outcome, Position
from orchestrator.leaderships import KEPT_MAX, Noted
from orchestrator.state import PlantState


def note(state: PlantState, index: int, body: bytes | None = None, **changed: Any) -> tuple[Outcome, list[str]]:
    noted = Noted(epoch=f"{index}.{index}", node="n1", gap_s=0.5, reason="election")
    encoded = msgspec.msgpack.encode(msgspec.structs.replace(noted, **changed)) if body is None else body
    outcome, events = state.apply(Command(Noted.kind, encoded, id=str(index), time=100.0 + index), Position(1, index))
    return outcome, [f"{event.kind} {event.subject}" for event in events]


def test_a_leadership_is_noted_once() -> None:
    state = PlantState()
    assert note(state, 3, reason="start", gap_s=None)[1] == ["leadership.noted 3.3"]
    assert note(state, 4, epoch="3.3", node="n2") == (Outcome(), [])
    (row,) = state.leaderships.rows
    assert (row.epoch, row.node, row.at, row.gap_s, row.reason) == ("3.3", "n1", 103.0, None, "start")
    assert state.level_of(Noted.kind, 1) == 3


def test_the_oldest_are_forgotten_and_those_who_watch_are_told() -> None:
    state = PlantState()
    for index in range(1, KEPT_MAX + 1):
        note(state, index)
    assert note(state, KEPT_MAX + 1)[1] == [
        "leadership.forgotten 1.1",
        f"leadership.noted {KEPT_MAX + 1}.{KEPT_MAX + 1}",
    ]
    assert len(state.leaderships.rows) == KEPT_MAX
    assert state.leaderships.get("1.1") is None


def test_it_is_in_the_snapshot_once_there_is_one() -> None:
    state = PlantState()
    assert "leaderships" not in msgspec.msgpack.decode(state.snapshot())
    note(state, 5)
    other = PlantState()
    other.restore(state.snapshot())
    assert (other.snapshot(), other.leaderships.rows) == (state.snapshot(), state.leaderships.rows)


def test_what_is_no_note_is_refused() -> None:
    state = PlantState()
    for body in (b"", b"\xc1", msgspec.msgpack.encode({"epoch": "1.1"}),
                 msgspec.msgpack.encode({"epoch": "1.1", "node": "n", "gap_s": 1.0, "reason": "whim"})):  # fmt: skip
        outcome, events = note(state, 1, body)
        assert (outcome.code, events, state.leaderships.untouched) == ("invalid_command", [], True)
