"""From what was seen to figures, and from figures to verdicts: by example, and against slow ways to say the same."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.drills.budget import Budget, default
from orchestrator.drills.judge import judge, passed
from orchestrator.drills.measures import (
    Figures,
    longest_gap,
    measure,
    rate,
    shared_epochs,
    stale_and_double,
    where_longest,
)
from orchestrator.drills.recorded import Beat, Effect, LedgerCounts, Recorded, Sighting
from orchestrator.drills.target import Fault

FACTS = Path(__file__).parent / "drill_facts" / "leader-kill.json"
PROOF = {"exit_status": -9}

times = st.integers(0, 400).map(lambda number: number / 4)
beats = st.lists(st.tuples(times, st.integers(0, 3)), max_size=30).map(
    lambda found: [Beat(at, at + more / 8, 1) for at, more in found]
)


@pytest.fixture(scope="module")
def facts() -> Recorded:
    """Of a real drill: a plant on this machine whose leader was killed."""
    return msgspec.json.decode(FACTS.read_bytes(), type=Recorded)


def books(cam: int = 500, other: int = 300, **changes: int) -> LedgerCounts:
    """The ledger's counts of two cameras; what they published is settled, but for what `changes` say."""
    published = cam + other
    settled = published - sum(changes.get(name, 0) for name in ("dead", "dropped", "in_flight"))
    plain = LedgerCounts(published=published, settled=settled, cameras={"cam": cam, "other": other})
    return msgspec.structs.replace(plain, **changes)


def recorded(**changes: Any) -> Recorded:
    """A drill in which nothing is wrong: n1 led under 1.1, n2 leads under 2.1 from half a second after the fault."""
    plain: dict[str, Any] = {
        "began": 0.0,
        "at": 10.0,
        "healed": 14.0,
        "settled": 15.0,
        "ended": 20.0,
        "published": tuple(Beat(at / 10, at / 10 + 0.01, 4) for at in range(200)),
        "arrived": tuple(Beat(at / 10, at / 10 + 0.01, 4) for at in range(200)),
        "sightings": (
            Sighting(0.0, "n1", "leads", (1, 1)),
            Sighting(0.0, "n2", "follows", None),
            Sighting(10.1, "n1", "silent", None),
            Sighting(10.5, "n2", "leads", (2, 1)),
        ),
        "leaderships": (((1, 1), "n1"), ((2, 1), "n2")),
        "effects": (Effect(5.0, (1, 1), "r1-a"), Effect(12.0, (2, 1), "r1-b")),
        "wanted": ("r1-a", "r1-b"),
        "after": books(),
        "confirmed": {"cam": 500, "other": 300},
        "linearizable": True,
    }
    return Recorded(**{**plain, **changes})


def broken(seen: Recorded, budget: Budget | None = None) -> set[str]:
    verdicts = judge(measure(seen), budget or default(Fault.LEADER_KILL), PROOF)
    assert passed(verdicts) == all(one.ok for one in verdicts)
    return {one.what for one in verdicts if not one.ok}


def test_a_good_drill_passes_and_is_measured() -> None:
    found = measure(recorded())
    assert broken(recorded()) == set()
    assert found.takeover_s == pytest.approx(0.5)
    assert found.dispatch_gap_s == pytest.approx(0.09, abs=0.02)
    assert (found.recovery_s, found.leadership_changes) == (1.0, 1)


def test_real_facts_are_measured_as_the_drill_said(facts: Recorded) -> None:
    found = measure(facts)
    said = msgspec.json.decode(FACTS.with_suffix(".report.json").read_bytes())
    for name in ("takeover_s", "dispatch_gap_s", "publish_gap_s", "recovery_s"):
        assert getattr(found, name) == pytest.approx(said[name], abs=0.001)
    assert (found.lost, found.duplicates, found.double_effects, found.stale_effects) == (0, 0, 0, 0)
    assert found.leadership_changes == 1
    assert broken(facts) == set()
    assert 35 < rate(facts.published, facts.began, facts.at) < 45  # two cameras of twenty frames a second


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"arrived": tuple(Beat(at / 10, at / 10, 1) for at in range(200) if not 101 <= at < 125)}, "dispatch_gap_s"),
        ({"sightings": (Sighting(0.0, "n1", "leads", (1, 1)),)}, "takeover_s"),
        ({"settled": None}, "recovery_s"),
        ({"after": None}, "lost"),
        ({"after": books(cam=499)}, "lost"),
        ({"after": books(settled=799, lost=1)}, "lost"),
        ({"after": books(duplicates=1)}, "duplicates"),
        ({"after": books(cam=499, other=301)}, "lost"),  # what one lost is not made up for by the other
        ({"after": books(cam=499, other=301)}, "unconfirmed"),
        ({"after": books(cam=501)}, "unconfirmed"),
        ({"confirmed": {"cam": 500}}, "unconfirmed"),
        ({"after": books(dead=1)}, "dead"),
        ({"after": books(dropped=1)}, "dropped"),
        ({"after": books(in_flight=1)}, "in_flight"),
        ({"after": books(cam=0, other=0), "confirmed": {}}, "settled"),
        ({"wanted": (), "effects": ()}, "ordered_effects"),  # no run was started, or none succeeded
        ({"effects": (*recorded().effects, Effect(13.0, (2, 1), "r1-a"))}, "double_effects"),
        ({"effects": (*recorded().effects, Effect(13.0, (1, 1), "r1-c"))}, "stale_effects"),
        ({"effects": recorded().effects[:1]}, "missing_effects"),
        ({"unfinished": ("run-1 is FAILED",)}, "unfinished_runs"),
        ({"leaderships": (((2, 1), "n2"), ((2, 1), "n3"))}, "shared_epochs"),
        ({"linearizable": False}, "linearizable"),
        ({"linearizable": None}, "linearizable"),
    ],
)
def test_each_thing_that_goes_wrong_is_found(changes: dict[str, Any], what: str) -> None:
    assert what in broken(recorded(**changes))


def test_losses_of_before_the_drill_are_not_its_own() -> None:
    old = books(60, 40, settled=95, dead=2, dropped=1, lost=2, duplicates=1)
    now = books(560, 340, settled=895, dead=2, dropped=1, lost=2, duplicates=1)
    assert broken(recorded(before=old, after=now)) == set()


def test_what_was_never_done_does_not_pass() -> None:
    """Neither frames nor runs nor operations: there is nothing that could be wrong, and that is wrong."""
    idle = recorded(after=LedgerCounts(), confirmed={}, wanted=(), effects=(), linearizable=None)
    assert broken(idle) >= {"settled", "ordered_effects", "linearizable"}
    shown = Budget(settled_min=None, ordered_effects_min=None, linearizable=None)
    assert broken(idle, shown) == set()


def test_a_budget_that_is_too_small_fails_what_would_pass(facts: Recorded) -> None:
    found = measure(facts)
    assert found.takeover_s is not None
    tight = Budget(takeover_s=found.takeover_s - 0.001)
    assert broken(facts, tight) == {"takeover_s"}
    assert broken(facts, Budget(takeover_s=found.takeover_s)) == set()
    assert broken(facts, Budget(leadership_changes_max=0)) == {"leadership_changes"}


def test_without_a_proof_nothing_passes() -> None:
    verdicts = judge(measure(recorded()), Budget(), {})
    assert not passed(verdicts)
    assert verdicts[0].what == "proof"
    assert verdicts[0].found == "unproven"
    assert not passed(judge(None, Budget(), {}))
    assert not passed([])


@given(beats, times, times)
def test_the_longest_gap_is_what_looking_at_each_moment_finds(found: list[Beat], one: float, other: float) -> None:
    since, until = sorted((one, other))
    start, end = where_longest(found, since, until)
    assert end - start == longest_gap(found, since, until) >= 0
    assert not any(start < beat.first < end for beat in found)
    quiet = longest = 0.0
    step = 1 / 8
    at = since
    while at < until:  # each eighth of a second of the window: is anything in it?
        busy = any(beat.first <= at + step and beat.last >= at for beat in found if beat.first < until)
        quiet = 0.0 if busy else quiet + step
        longest = max(longest, quiet)
        at += step
    assert longest_gap(found, since, until) >= longest


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abc")), max_size=12))
def test_stale_and_double_effects_are_counted_one_by_one(found: list[tuple[int, str]]) -> None:
    effects = [Effect(float(at), (term, 1), tag) for at, (term, tag) in enumerate(found)]
    stale, double = stale_and_double(effects)
    assert stale == sum(any(effect.epoch > later.epoch for effect in effects[:at]) for at, later in enumerate(effects))
    assert double == len(effects) - len({effect.tag for effect in effects})


@given(st.lists(st.tuples(st.tuples(st.integers(1, 3), st.just(1)), st.sampled_from(["n1", "n2", "n3"]))))
def test_epochs_with_two_leaders_are_named_with_both(led: list[tuple[tuple[int, int], str]]) -> None:
    by_epoch = {epoch: {node for other, node in led if other == epoch} for epoch, _ in led}
    assert len(shared_epochs(led)) == sum(len(nodes) > 1 for nodes in by_epoch.values())


@given(
    st.builds(
        Figures,
        shared_epochs=st.just(()),
        **{name: st.floats(0, 9) for name in ("dispatch_gap_s", "publish_gap_s")},
    ),
    st.floats(0, 9),
    st.floats(0, 9),
)
def test_a_verdict_is_a_comparison(found: Figures, dispatch: float, publish: float) -> None:
    verdicts = {one.what: one for one in judge(found, Budget(dispatch_gap_s=dispatch, publish_gap_s=publish), PROOF)}
    assert verdicts["dispatch_gap_s"].ok == (found.dispatch_gap_s <= dispatch)
    assert verdicts["publish_gap_s"].ok == (found.publish_gap_s <= publish)
