"""Which events were taken before. Pure."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import EventReused, EventTooOld
from orchestrator.events import Event
from orchestrator.seen_events import SeenEvents


def event(at: float = 1000.0, **members: Any) -> Event:
    time = datetime.fromtimestamp(at, UTC)
    return Event(**{"id": "one", "type": "door.opened", "source": "press", "time": time, **members})


def test_what_was_taken_is_not_new() -> None:
    seen = SeenEvents(60)
    assert seen.is_new(event(), 1000)
    assert seen.is_new(event(), 1000), "only what was taken counts"
    seen.taken(event(), 1000)
    assert not seen.is_new(event(), 1000)
    assert not seen.is_new(event(at=1001), 5000), "a repeat may have another time, and is known however late it comes"
    assert seen.is_new(event(id="two"), 1000)
    assert seen.is_new(event(source="other"), 1000)


@pytest.mark.parametrize("change", [{"payload": {"a": 1}}, {"type": "door.closed"}, {"target": "orchestrator"}])
def test_an_id_belongs_to_one_event(change: dict[str, Any]) -> None:
    seen = SeenEvents(60)
    seen.taken(event(), 1000)
    with pytest.raises(EventReused, match="press has sent another event under the id one"):
        seen.is_new(event(**change), 1000)


@pytest.mark.parametrize("now", [939.0, 1061.0])
def test_the_bound_holds_on_both_sides(now: float) -> None:
    with pytest.raises(EventTooOld, match="61 s"):
        SeenEvents(60).is_new(event(), now)
    assert SeenEvents(60).is_new(event(), now + (1 if now < 1000 else -1))


def test_the_memory_is_bounded_in_number_and_in_time() -> None:
    seen = SeenEvents(60, most=3)
    for number in range(5):
        seen.taken(event(id=str(number)), 1000)
    assert len(seen) == 3
    assert seen.is_new(event(id="1"), 1000)
    assert not seen.is_new(event(id="2"), 1000)
    seen.taken(event(id="late", at=1200), 1200)
    assert len(seen) == 1


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 30), st.integers(0, 3)), max_size=40))
def test_within_the_bound_no_event_is_taken_twice(sent: list[tuple[float, float, int]]) -> None:
    """However wrong the sender's clock is within the bound, and whenever a repeat comes: it is known, or refused."""
    seen, now = SeenEvents(60), 100_000.0
    first: dict[int, Event] = {}
    taken: set[int] = set()
    for skew, after, number in sent:
        now += after
        known = first.setdefault(number, event(id=str(number), at=now + skew))
        try:
            if seen.is_new(known, now):
                assert number not in taken
                taken.add(number)
                seen.taken(known, now)
        except EventTooOld:
            assert abs(now - known.time.timestamp()) > 60
