"""From figures and a budget to verdicts. Pure."""

from collections.abc import Mapping

import msgspec

from orchestrator.drills.budget import Budget
from orchestrator.drills.measures import Figures

__all__ = ["AT_LEAST", "Verdict", "judge", "passed"]

Figure = str | int | float | bool | None


class Verdict(msgspec.Struct, frozen=True):
    """One question: what was found, what is allowed (None: it is shown, not judged)."""

    what: str
    found: Figure
    budget: Figure
    ok: bool


_AT_MOST: Mapping[str, str] = {
    "takeover_s": "takeover_s",
    "dispatch_gap_s": "dispatch_gap_s",
    "publish_gap_s": "publish_gap_s",
    "recovery_s": "recovery_s",
    "lost": "lost",
    "duplicates": "duplicates",
    "unconfirmed": "unconfirmed",
    "dead": "dead",
    "dropped": "dropped",
    "in_flight": "in_flight",
    "stale_effects": "stale_effects",
    "double_effects": "double_effects",
    "missing_effects": "missing_effects",
    "unfinished_runs": "unfinished_runs",
    "leadership_changes": "leadership_changes_max",
}
"""Figure → member of the budget."""

AT_LEAST: Mapping[str, str] = {"settled": "settled_min", "ordered_effects": "ordered_effects_min"}
"""The same; where nothing was done, nothing can have gone wrong."""


def judge(figures: Figures | None, budget: Budget, proof: Mapping[str, str | int | float]) -> list[Verdict]:
    """A verdict a question. `proof`: what shows that the fault happened; without it nothing else counts, and the first
    verdict says `unproven`. `figures`: None where the drill ended before there were any.
    """
    verdicts = [Verdict("proof", "proven" if proof else "unproven", "proven", bool(proof))]
    if figures is None:
        return verdicts
    for figure, member in _AT_MOST.items():
        verdicts.append(_at_most(figure, getattr(figures, figure), getattr(budget, member)))
    for figure, member in AT_LEAST.items():
        found, least = getattr(figures, figure), getattr(budget, member)
        verdicts.append(Verdict(figure, found, least, least is None or (found is not None and found >= least)))
    verdicts.append(_at_most("shared_epochs", len(figures.shared_epochs), budget.shared_epochs))
    wanted = budget.linearizable
    ok = not wanted or figures.linearizable is True
    verdicts.append(Verdict("linearizable", figures.linearizable, wanted, ok))
    return verdicts


def _at_most(what: str, found: float | None, budget: float | None) -> Verdict:
    """What was not measured is not within any budget."""
    shown = round(found, 3) if isinstance(found, float) else found
    return Verdict(what, shown, budget, budget is None or (found is not None and found <= budget))


def passed(verdicts: list[Verdict]) -> bool:
    """Whether every question was answered as the budget wants it, and there was one."""
    return bool(verdicts) and all(verdict.ok for verdict in verdicts)
