"""How components are judged. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.verdicts import SILENCE_MIN_S, Damping, Word, silence_limit

HOT, COLD, WELL = Word(True, "hot"), Word(True, "cold"), Word(False)


def test_silence_is_bounded_by_what_was_declared() -> None:
    assert silence_limit(None, missed=3, timeout_s=7) == 7
    assert silence_limit(5, missed=3, timeout_s=7) == 15
    assert silence_limit(0.05, missed=3, timeout_s=7) == SILENCE_MIN_S


def test_bad_news_counts_at_once_and_good_news_once_it_has_held() -> None:
    damping = Damping(100, hold_s=5)
    assert damping.due(HOT, WELL, 100) == HOT
    damping.noted(100)
    assert damping.due(WELL, HOT, 101) is None
    assert damping.due(WELL, HOT, 105.9) is None
    assert damping.due(HOT, HOT, 105.95) is None, "and it begins anew"
    assert damping.due(WELL, HOT, 107) is None
    assert damping.due(WELL, HOT, 112) == WELL


def test_another_reason_counts_once_in_a_while() -> None:
    damping = Damping(100, hold_s=5)
    assert damping.due(HOT, WELL, 100) == HOT
    damping.noted(100)
    assert damping.due(COLD, HOT, 104) is None
    assert damping.due(COLD, HOT, 105) == COLD


@given(
    st.lists(st.tuples(st.floats(0, 3), st.sampled_from([HOT, COLD, WELL])), max_size=60),
    st.floats(0.5, 10),
    st.booleans(),
)
def test_a_component_that_flaps_is_bounded(reports: list[tuple[float, Word]], hold_s: float, degraded: bool) -> None:
    """At most two transitions in any hold, and what is replicated is what was said, or DEGRADED for a while longer."""
    now, held = 1000.0, HOT if degraded else WELL
    damping = Damping(now, hold_s=hold_s)
    changes: list[float] = []
    for after, said in reports:
        now += after
        due = damping.due(said, held, now)
        if due is not None:
            assert due == said if said.degraded else due == WELL
            assert due != held
            held = due
            damping.noted(now)
            changes.append(now)
        assert held.degraded or not said.degraded
    for at in changes:
        assert sum(at <= other < at + hold_s for other in changes) <= 2


@pytest.mark.parametrize("said", [HOT, WELL])
def test_what_is_known_already_is_not_said_again(said: Word) -> None:
    damping = Damping(0, hold_s=5)
    assert damping.due(said, said, 100) is None
