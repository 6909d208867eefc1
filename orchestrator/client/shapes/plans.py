"""Shapes of answers: plans. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class PlannedSkip(msgspec.Struct, frozen=True, kw_only=True):
    """A component that is left alone. `blocked`: it does not get to the target; else it need not move."""

    component_id: str
    reason: str
    blocked: bool


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One component. Those of one `wave` go side by side, each after all of the wave before."""

    wave: int
    component_id: str
    state: str
    commands: list[str]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`complete`: all that was selected gets to the target."""

    target: str
    complete: bool
    steps: list[PlannedStep]
    skipped: list[PlannedSkip]


class SupervisionDecision(msgspec.Struct, frozen=True, kw_only=True):
    """About one component. `trouble`: what kept the last action from being done; empty without."""

    component: str
    reason: str
    trouble: str
