"""The shortest plan that still fails in the same way: leave steps out as long as the same invariant breaks.

After Zeller's ddmin, over faults first, then over operations: large pieces, then smaller ones, down to single steps.
"""

from collections.abc import Callable, Sequence

import msgspec

from tests.simulation.plan import OPERATIONS, Plan, Step
from tests.simulation.world import Result

Run = Callable[[Plan], Result]


def shrink(plan: Plan, failed: Result, run: Run, *, runs: int = 250) -> tuple[Plan, Result]:
    """(the shortest failing plan found with so many runs, its result). `failed` is the result of `plan`."""
    search = _Search(run, failed.invariant, runs)
    known = failed
    if failed.virtual_s < plan.heal_at:  # what comes after the failure has no part in it
        early = msgspec.structs.replace(plan, steps=tuple(step for step in plan.steps if step.at <= failed.virtual_s))
        known, plan = search.better(early, plan, known)
    while search.left > 0:
        before = len(plan.steps)
        for of_kind in (_is_fault, _is_operation):
            plan, known = _without(plan, known, of_kind, search)
        if len(plan.steps) == before:
            break
    return plan, known


def _without(plan: Plan, known: Result, of_kind: Callable[[Step], bool], search: "_Search") -> tuple[Plan, Result]:
    chosen: Sequence[Step] = [step for step in plan.steps if of_kind(step)]
    size = max(1, len(chosen) // 2)
    while chosen and search.left > 0:
        start, shorter = 0, False
        while start < len(chosen) and search.left > 0:
            gone = set(map(id, chosen[start : start + size]))
            candidate = msgspec.structs.replace(plan, steps=tuple(step for step in plan.steps if id(step) not in gone))
            known, after = search.better(candidate, plan, known)
            if after is candidate:
                plan, shorter = candidate, True
                chosen = [step for step in chosen if id(step) not in gone]
            else:
                start += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return plan, known


class _Search:
    def __init__(self, run: Run, invariant: str, runs: int) -> None:
        self._run = run
        self._invariant = invariant
        self.left = runs

    def better(self, candidate: Plan, plan: Plan, known: Result) -> tuple[Result, Plan]:
        """The candidate with its result if it fails alike, else the plan with the result known of it."""
        if self.left <= 0:
            return known, plan
        self.left -= 1
        result = self._run(candidate)
        return (result, candidate) if result.invariant == self._invariant else (known, plan)


def _is_operation(step: Step) -> bool:
    return step.kind in OPERATIONS


def _is_fault(step: Step) -> bool:
    return not _is_operation(step)
