"""What an operator may write into a budget, and what is refused with which words."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.drills.budget import Budget, BudgetInvalid, budgets, default, fitting
from orchestrator.drills.target import Fault

FIGURES = {field.name: field.type for field in msgspec.structs.fields(Budget)}
seconds = st.none() | st.floats(0, 86_399) | st.integers(0, 86_399)
counts = st.none() | st.integers(0, 86_399)
values = {
    name: st.none() | st.booleans() if kind == bool | None else counts if kind == int | None else seconds
    for name, kind in FIGURES.items()
}
figures = st.fixed_dictionaries({}, optional=values)


def test_the_defaults_are_what_is_promised() -> None:
    for fault in (Fault.LEADER_KILL, Fault.LEADER_PAUSE, Fault.LEADER_ISOLATED, Fault.HOST_POWER_OFF):
        assert default(fault).dispatch_gap_s == 2.0
    for fault in (Fault.PRIMARY_KILL, Fault.PRIMARY_ISOLATED, Fault.HOST_POWER_OFF):
        assert default(fault).publish_gap_s == 4.0
    assert default(Fault.ONE_WAY_CUT).leadership_changes_max == 2
    for fault in Fault:
        allowed = default(fault)
        assert (allowed.lost, allowed.duplicates, allowed.stale_effects, allowed.double_effects) == (0, 0, 0, 0)
        assert allowed.shared_epochs == 0
        assert allowed.linearizable


@given(st.fixed_dictionaries({}, optional=values))
def test_where_the_primary_goes_publishing_is_judged_and_takeover_and_dispatch_are_shown(given: dict[str, Any]) -> None:
    allowed = Budget(**given)
    assert fitting(allowed, takes_primary=False) == allowed
    found = fitting(allowed, takes_primary=True)
    assert (found.takeover_s, found.dispatch_gap_s) == (None, None)
    for name in set(FIGURES) - {"takeover_s", "dispatch_gap_s"}:
        assert getattr(found, name) == getattr(allowed, name)


def test_no_file_and_an_empty_one_are_the_defaults() -> None:
    assert budgets(None, "b.yaml") == budgets({}, "b.yaml") == {fault: default(fault) for fault in Fault}


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["all", *(str(fault) for fault in Fault)]), figures))
def test_what_a_drill_says_comes_before_all_and_that_before_the_default(document: dict[str, dict[str, object]]) -> None:
    found = budgets(document, "b.yaml")
    for fault in Fault:
        for name in FIGURES:
            said = [document[key][name] for key in (str(fault), "all") if name in document.get(key, {})]
            assert getattr(found[fault], name) == (said[0] if said else getattr(default(fault), name))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([1], "a budget is a mapping of drills"),
        ({"leader-kil": {}}, "leader-kil: no such drill; did you mean leader-kill?"),
        ({"leader-kill": 3}, "leader-kill: its figures are a mapping"),
        ({"leader-kill": {"dispatch_gap": 1}}, "dispatch_gap: no such figure; did you mean dispatch_gap_s?"),
        ({"leader-kill": {"lost": -1}}, "leader-kill.lost: a number from 0 to 86400"),
        ({"leader-kill": {"lost": 0.5}}, "leader-kill.lost: a whole number, not 0.5"),
        ({"all": {"takeover_s": "2s"}}, "all.takeover_s: a number from 0 to 86400, or null for not judged; not '2s'"),
        ({"all": {"takeover_s": float("nan")}}, "all.takeover_s: a number"),
        ({"all": {"takeover_s": True}}, "all.takeover_s: a number"),
        ({"all": {"linearizable": 1}}, "all.linearizable: true, false or null, not 1"),
        ({"all": {7: 1}}, "all.7: no such figure; known: takeover_s"),
    ],
)
def test_what_is_wrong_is_said_with_where_it_stands(document: object, said: str) -> None:
    with pytest.raises(BudgetInvalid) as caught:
        budgets(document, "b.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("b.yaml: ")
    assert caught.value.exit_code == 2


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(BudgetInvalid) as caught:
        budgets({"nobody": {}, "leader-kill": {"lost": -1, "x": 1}}, "b.yaml")
    assert len(caught.value.details["problems"]) == 3
