"""What an operator allows each fault to cost. Pure: reading the file is whoever asks's.

    leader-kill: {dispatch_gap_s: 1.5}
    primary-kill: {publish_gap_s: 3}
    all: {recovery_s: 30}              # for every drill; what a drill says of itself comes first

A figure that is null is shown and not judged. What no file says is the default of that drill.

DrillError (target)
└── BudgetInvalid   budget_invalid   2   every problem at once, each with the member it is in
"""

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from orchestrator.drills.target import DrillError, Fault

__all__ = ["Budget", "BudgetInvalid", "budgets", "default", "fitting"]

ALL = "all"


class BudgetInvalid(DrillError):
    """The budget file says something that no drill can be judged by."""

    code: ClassVar[str] = "budget_invalid"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The most that each figure may be; None: it is not judged. Seconds, and counts.

    `…_min`: the least; a drill in which no frame came through or no playbook ran has shown nothing. `linearizable`:
    whether the histories of the registers must be.
    """

    takeover_s: float | None = None
    dispatch_gap_s: float | None = None
    publish_gap_s: float | None = None
    recovery_s: float | None = 60.0
    lost: int | None = 0
    duplicates: int | None = 0
    unconfirmed: int | None = 0
    dead: int | None = 0
    dropped: int | None = 0
    in_flight: int | None = 0
    settled_min: int | None = 1
    ordered_effects_min: int | None = 1
    stale_effects: int | None = 0
    double_effects: int | None = 0
    missing_effects: int | None = 0
    unfinished_runs: int | None = 0
    shared_epochs: int | None = 0
    leadership_changes_max: int | None = None
    linearizable: bool | None = True


_LEADER_GONE = {"takeover_s": 2.0, "dispatch_gap_s": 2.0}
_PRIMARY_GONE = {"publish_gap_s": 4.0}
_DEFAULTS: Mapping[Fault, Mapping[str, Any]] = {
    Fault.LEADER_KILL: _LEADER_GONE,
    Fault.LEADER_PAUSE: _LEADER_GONE,
    Fault.LEADER_ISOLATED: _LEADER_GONE,
    Fault.HOST_POWER_OFF: {**_LEADER_GONE, **_PRIMARY_GONE},
    Fault.ONE_WAY_CUT: {"leadership_changes_max": 2},
    Fault.PRIMARY_KILL: _PRIMARY_GONE,
    Fault.PRIMARY_ISOLATED: _PRIMARY_GONE,
    Fault.ROLLING_RESTART: {"dispatch_gap_s": 1.5},
}


def default(fault: Fault) -> Budget:
    """What is allowed where nobody has said anything."""
    return Budget(**_DEFAULTS.get(fault, {}))


def fitting(budget: Budget, *, takes_primary: bool) -> Budget:
    """What a drill is judged by whose victim may have taken the Redis primary with it.

    Where it did, nothing can be published until another server is the primary, and so nothing dispatched; whether a new
    leader is needed depends on where that one ran. Both are shown, and publishing is judged.
    """
    return msgspec.structs.replace(budget, takeover_s=None, dispatch_gap_s=None) if takes_primary else budget


def budgets(document: Any, source: str) -> dict[Fault, Budget]:
    """The budget of every drill. `document`: what the YAML file holds; `source`: its name, for errors.

    Raises BudgetInvalid with all problems.
    """
    problems: list[str] = []
    given: dict[str, dict[str, Any]] = {}
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise BudgetInvalid(f"{source}: a budget is a mapping of drills, as in `leader-kill: {{dispatch_gap_s: 1.5}}`")
    for name, figures in document.items():
        if name != ALL and name not in list(Fault):
            problems.append(f"{name}: no such drill{_hint(name, [ALL, *Fault])}")
        elif not isinstance(figures, dict):
            problems.append(f"{name}: its figures are a mapping, as in {{dispatch_gap_s: 1.5}}, not {figures!r}")
        else:
            given[name] = figures
            problems += [f"{name}.{problem}" for problem in _problems(figures)]
    if problems:
        raise BudgetInvalid("; ".join(f"{source}: {problem}" for problem in problems), problems=problems)
    shared = given.get(ALL, {})
    return {fault: msgspec.structs.replace(default(fault), **{**shared, **given.get(fault, {})}) for fault in Fault}


def _problems(figures: Mapping[Any, Any]) -> list[str]:
    known = {field.name: field.type for field in msgspec.structs.fields(Budget)}
    found = []
    for name, value in figures.items():
        if name not in known:
            found.append(f"{name}: no such figure{_hint(name, known)}")
        elif value is None:
            continue
        elif known[name] == bool | None:
            if not isinstance(value, bool):
                found.append(f"{name}: true, false or null, not {value!r}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 86_400:
            found.append(f"{name}: a number from 0 to 86400, or null for not judged; not {value!r}")
        elif known[name] == int | None and not isinstance(value, int):
            found.append(f"{name}: a whole number, not {value!r}")
    return found


def _hint(name: Any, known: Any) -> str:
    close = difflib.get_close_matches(str(name), [str(one) for one in known], 1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(str(one) for one in known)}"
