"""A frame's story from the records that are kept. Pure: no server."""

import msgspec
import pytest

from framebuffer.inquiry import lag
from framebuffer.records import Candidate, DispatchRecord, EventRecord, Found, RoutedRow, head_of, record_of
from framebuffer.story import FrameStory, Kept, State, Waiting, told
from framebuffer.wire import PlaceStats, QueueStats, StreamStats

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
T = 1_764_000_000_000


def found(
    stream: str, at_ms: int, *, attempts: int = 0, capability: str = "face", parts: int = 1, **fields: str
) -> Found:
    head = head_of(f"cam-7 cam 7 {capability} 3 {attempts} {T} {parts} {TRACE}")
    assert head is not None
    return Found(stream, f"{at_ms}-0", head, {name: value.encode() for name, value in fields.items()})


def dispatched(at_ms: int, processor: str = "w1", attempts: int = 0, capability: str = "face") -> DispatchRecord:
    return DispatchRecord(
        at_ms,
        3,
        17,
        "n1",
        "least_loaded",
        {"face": (Candidate("w1", 2, 8), Candidate("w2", 5, 8))},
        (RoutedRow("cam", 6, "face", 0, "w2", 4), RoutedRow("cam", 7, capability, attempts, processor, 2)),
    )


def event(at_ms: int, outcome: str, reason: str = "", attempts: int = 1) -> EventRecord:
    return EventRecord(at_ms, "cam", 7, "face", attempts, "w1", outcome, reason)


def story(
    *found: Found,
    records: tuple[DispatchRecord | EventRecord, ...] = (),
    waits: tuple[Waiting, ...] = (),
    state: State = "final",
    kept: Kept = Kept(),  # noqa: B008 (frozen)
) -> FrameStory:
    return told("cam", 7, state=state, found=found, waits=waits, records=records, kept=kept)


def whats(told: FrameStory) -> list[str]:
    return [step.what for step in told.steps]


def test_a_frame_that_was_settled_at_the_second_attempt() -> None:
    one = story(
        found("results", T + 40, attempts=1, processor_id="w2", result='{"result": {"faces": 2}}'),
        records=(dispatched(T + 5), event(T + 20, "retry", "ValueError: x"), dispatched(T + 22, "w2", 1)),
    )
    assert (one.status, one.frame_id, one.priority, one.capability) == ("settled", "cam-7", 3, "face")
    assert (one.trace_id, one.received_ms, one.unkept) == (TRACE.split("-")[1], T, ())
    assert whats(one) == ["received", "dispatched", "retry", "dispatched", "settled"]
    first = one.steps[1]
    assert (first.node, first.epoch, first.strategy, first.processor_id, first.outstanding) == (
        *("n1", "3.17", "least_loaded", "w1", 2),
    )
    assert [(each["processor_id"], each["outstanding"]) for each in first.candidates] == [("w1", 2), ("w2", 5)]
    assert one.steps[2].reason == "ValueError: x"
    assert one.steps[4].result == {"result": {"faces": 2}}


def test_a_death_is_told_once_with_its_whole_reason() -> None:
    long = "x" * 600
    one = story(
        found("dead", T + 31, attempts=5, processor_id="w1", reason=long, dead_ms=str(T + 30)),
        records=(event(T + 30, "dead", long[:500], 5),),
    )
    assert (one.status, whats(one)) == ("dead", ["received", "dead"])
    assert one.steps[1].reason == long


def test_a_replayed_frame_that_was_settled_then() -> None:
    one = story(
        found("results", T + 90_000, processor_id="w1", result="not json"),
        records=(event(T + 30, "dead", "poison", 5), event(T + 60_000, "replayed", attempts=0), dispatched(T + 60_001)),
    )
    assert (one.status, whats(one)) == ("settled", ["received", "dead", "replayed", "dispatched", "settled"])
    assert one.steps[-1].result == "not json"


def test_a_frame_of_two_parts_is_dead_when_one_is() -> None:
    one = story(
        found("results", T + 9, capability="face", parts=2, processor_id="w1", result="{}"),
        found("dead", T + 9, capability="plate", parts=2, processor_id="w3", reason="poison", dead_ms=str(T + 9)),
    )
    assert (one.status, one.capability, one.parts) == ("dead", "face,plate", 2)


def test_a_frame_that_waits() -> None:
    waiting = Waiting("ready:w1", f"{T + 4}-0", "face", 0, T + 4, "w1-1", 250)
    one = story(found("ready:w1", T + 4), records=(dispatched(T + 4),), waits=(waiting,), state="open")
    assert (one.status, whats(one), one.waits) == ("in_flight", ["received", "dispatched"], (waiting,))


def test_a_frame_that_its_producer_gave_up() -> None:
    one = story(found("dropped", T, capability="-", reason="freshest"))
    assert (one.status, whats(one), one.steps[0].reason, one.capability) == ("dropped", ["dropped"], "freshest", "")


@pytest.mark.parametrize("state", ["open", "never_arrived"])
def test_a_frame_that_is_nowhere_is_lost(state: State) -> None:
    one = story(state=state)
    assert one.status == "lost"
    assert any("never arrived" in said for said in one.unkept) is (state == "never_arrived")


def test_what_was_trimmed_is_said() -> None:
    gone = story(kept=Kept(story_ms=T + 1, results_ms=T + 2))
    assert gone.status == "ended"
    assert [said.split(":")[0] for said in gone.unkept] == [
        "when it was received, its priority and its trace",
        "how it ended",
        "dispatches and failures before 2025-11-24T16",
    ]
    kept = story(found("results", T + 9, processor_id="w1", result="{}"), kept=Kept(story_ms=T - 1))
    assert kept.unkept == ()


def test_records_are_read_as_the_functions_write_them() -> None:
    packed = msgspec.msgpack.encode([3, 17, "n1", "affinity", ["face", [["w1", 2, 8]]], ["cam", 7, "face", 0, "w1", 2]])
    record = record_of("1764000000000-3", {b"dispatch": packed})
    assert isinstance(record, DispatchRecord)
    assert record.candidates == {"face": (Candidate("w1", 2, 8),)}
    assert record.rows == (RoutedRow("cam", 7, "face", 0, "w1", 2),)
    none = msgspec.msgpack.encode([3, 17, "n1", "affinity", {}, []])
    assert record_of("1-0", {b"dispatch": none}) == DispatchRecord(1, 3, 17, "n1", "affinity", {}, ())
    # Lua cuts a reason by bytes: here in the middle of a character.
    cut = msgspec.msgpack.encode(["cam", 7, "face", 2, "w1", "retry"])
    cut = bytes([0x97]) + cut[1:] + b"\xd9\x04" + "aé€".encode()[:4]
    said = record_of("5-0", {b"event": cut})
    assert isinstance(said, EventRecord)
    assert (said.outcome, said.reason) == ("retry", "aé")
    for other in ({b"event": b"\xc1"}, {b"dispatch": b"\x91\x01"}, {b"later": b""}):
        assert record_of("5-0", other) is None


def test_a_head_is_nine_parts() -> None:
    assert head_of("cam-7 cam 7 face 3 0 5 1 -") is not None
    for text in ("", "cam-7 cam 7 face 3 0 5 1", "cam-7 cam x face 3 0 5 1 -"):
        assert head_of(text) is None


def test_the_lag_of_each_place() -> None:
    stats = StreamStats(
        capture_len=0,
        capture_pending=0,
        lanes={"plate": 3},
        ready={"w1": QueueStats(5, 2)},
        results_len=0,
        dead_len=0,
        cameras={},
        fence=None,
        leaders=[],
        results_added=0,
        places={
            "lane:plate": PlaceStats(2, T - 1500),
            "lane:plate:p7": PlaceStats(1, T - 500),
            "ready:w1": PlaceStats(4, T - 100),
            "ready:w1:ps": PlaceStats(1, T - 9000),
        },
        server_ms=T,
    )
    capture, plate, w1 = lag(stats)
    assert (capture.place, capture.length, capture.oldest_s, capture.pending) == ("capture", 0, None, None)
    assert (plate.place, plate.length, plate.oldest_s, plate.levels) == ("lane:plate", 3, 1.5, {"7": 1, "0": 2})
    assert (w1.place, w1.length, w1.oldest_s, w1.pending, w1.levels) == ("ready:w1", 5, 9.0, 2, {"0": 4, "s": 1})
