"""What counts as a defect of a playbook. Pure. The rules, for people: `docs/playbook-checker.md`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.errors import TemplateFailed
from orchestrator.playbooks.checker.moves import busy
from orchestrator.playbooks.checker.situation import Situation, is_middle
from orchestrator.playbooks.context import context
from orchestrator.playbooks.execution import OPEN_STEP, ExecutionRow, Status
from orchestrator.playbooks.models import Invariant, Playbook
from orchestrator.playbooks.triggers import ComponentState, GroupState, PlaybookEnded

_ABOUT_END = re.compile(r"\bexecution\s*\.\s*status\b")


class Kind(StrEnum):
    DEADLOCK = "deadlock"
    NEVER_ENDS = "never_ends"
    INVARIANT = "invariant"
    LEFT_IN_MIDDLE = "left_in_middle"
    END_STATE = "end_state"
    FAILS_UNPROVOKED = "fails_unprovoked"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` tells two defects of one kind apart: the invariant, the component, the code."""

    kind: Kind
    message: str
    subject: str = ""
    unreadable: bool = False

    @property
    def final(self) -> bool:
        """Whether nothing that comes after it is worth looking at."""
        return self.kind is Kind.DEADLOCK


class Judge:
    """Of one playbook. Invariants about `execution.status` declare its end; the others hold at every moment."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook = playbook
        self._declared = [each for each in playbook.invariants if is_about_end(each)]

    def findings(self, situation: Situation) -> Iterator[Finding]:
        """What is wrong in this situation."""
        yield from self._invariants(situation)
        if situation.ended:
            yield from self._end(situation)
        else:
            yield from _deadlock(situation)

    def holds_at_first(self, situation: Situation) -> bool:
        """Whether the plant may be in this state at all: no invariant is broken before anything was done.

        One that cannot be read is none of the plant's doing: the exploration reports it.
        """
        return not any(each.kind is Kind.INVARIANT and not each.unreadable for each in self._invariants(situation))

    # ── Invariants ────────────────────────────────

    def _invariants(self, situation: Situation) -> Iterator[Finding]:
        if not self.playbook.invariants:
            return
        seen = _seen(situation)
        for each in self.playbook.invariants:
            text, wanted = (each.always, True) if each.always is not None else (each.never, False)
            kind = Kind.END_STATE if is_about_end(each) else Kind.INVARIANT
            try:
                if situation.setting.templates.holds(text or "", seen) is not wanted:
                    sense = "does not hold" if wanted else "holds"
                    yield Finding(kind, f"{each.name}: `{text}` {sense}", each.name)
            except TemplateFailed as error:
                yield Finding(kind, f"{each.name}: `{text}` cannot be read: {error}", each.name, unreadable=True)

    # ── Ends ────────────────────────────────

    def _end(self, situation: Situation) -> Iterator[Finding]:
        row = situation.root
        for name, machine in situation.machines.items():
            if is_middle(machine.state) and name not in situation.harmed and not self._declares(name):
                message = f"{name} is left in {machine.state}, and the playbook is {row.status}"
                yield Finding(Kind.LEFT_IN_MIDDLE, message, name)
        yield from _again(situation, self.playbook)
        if situation.provoked or row.status == Status.SUCCEEDED:
            return
        if row.status == Status.TIMED_OUT and row.code == "timeout" and row.deadline is not None:
            message = f"only its own timeout of {row.timeout:g} s ends it, though nothing went wrong"
            yield Finding(Kind.NEVER_ENDS, message, "timeout")
            return
        message = f"it ends {row.status} though nothing went wrong: {row.error or row.code}"
        yield Finding(Kind.FAILS_UNPROVOKED, message, row.code)

    def _declares(self, component: str) -> bool:
        """Whether a declared end speaks of the component."""
        return any(component in (each.always or each.never or "") for each in self._declared)


def is_about_end(invariant: Invariant) -> bool:
    """Whether it declares in which states the playbook may end."""
    return bool(_ABOUT_END.search(invariant.always or invariant.never or ""))


def restarts(playbook: Playbook, situation: Situation, component: str) -> str:
    """Which trigger of the playbook a component's new state fires, in words; empty when none does."""
    state = str(situation.machines[component].state)
    for trigger in playbook.triggers:
        if not isinstance(trigger, ComponentState | GroupState):
            continue
        wanted = (trigger.state,) if isinstance(trigger.state, str) else trigger.state
        members = situation.setting.groups.get(trigger.group or "", ())
        if state not in wanted:
            continue
        if isinstance(trigger, GroupState):
            inside = [str(situation.machines[name].state) in wanted for name in members]
            fits = component in members and (all(inside) if trigger.match == "all" else any(inside))
        else:
            fits = trigger.component in (None, component) and (trigger.group is None or component in members)
            fits = fits and trigger.condition is None  # a condition is there to tell the two apart
        if fits:
            return f"{component} in {state}"
    return ""


def _deadlock(situation: Situation) -> Iterator[Finding]:
    """Nothing is under way, nobody is asked, and only the end of the whole execution's time is waited for."""
    if busy(situation) or situation.approvals() or situation.signals():
        return
    opened = [row for row in situation.records.registry.rows.values() if row.open]
    wake = situation.wake
    if wake is not None and (wake not in {row.deadline for row in opened} or _wakes_step(opened, wake)):
        return
    waiting = "; ".join(f"{path}: {what}" for (_, path), what in list(situation.waiting.items())[:3])
    silent = ", ".join(sorted(name for name, machine in situation.machines.items() if machine.mute))
    what = waiting or (f"{silent} is silent" if silent else "nothing is under way")
    limit = "" if wake is None else f" but its own timeout, in {wake - situation.now:g} s"
    yield Finding(Kind.DEADLOCK, f"nothing can happen any more{limit}: {what}", "")


def _wakes_step(rows: Iterable[ExecutionRow], wake: float) -> bool:
    """Whether a step goes on at that time too."""
    steps = (step for row in rows for step in row.steps.values() if step.status in OPEN_STEP)
    return any(time is not None and time <= wake for step in steps for time in (step.next, step.deadline))


def _again(situation: Situation, playbook: Playbook) -> Iterator[Finding]:
    paced = playbook.cooldown is not None or playbook.throttle is not None or playbook.deduplicate is not None
    rows = situation.records.registry.rows
    for row in rows.values():
        if row.playbook in _above(row, rows):
            yield Finding(
                Kind.NEVER_ENDS, f"{row.playbook} starts itself again, by way of `execute_scenario`", "scenario"
            )
            return
    if paced or situation.provoked:
        return
    ended = str(situation.root.status)
    for trigger in playbook.triggers:
        if isinstance(trigger, PlaybookEnded) and trigger.playbook == playbook.name and ended in trigger.status:
            yield Finding(Kind.NEVER_ENDS, f"it ends {ended}, and that starts it again", "trigger")
            return
    if situation.restarts and playbook.concurrency.policy != "skip":
        message = f"what it did starts it again: {situation.restarts} is one of its triggers, and nothing paces it"
        yield Finding(Kind.NEVER_ENDS, message, "trigger")


def _above(row: ExecutionRow, rows: Mapping[str, ExecutionRow]) -> Iterator[str]:
    parent = row.parent
    while parent is not None and parent.execution in rows:
        above = rows[parent.execution]
        yield above.playbook
        parent = above.parent


def _seen(situation: Situation) -> dict[str, Any]:
    """What an invariant sees: what a step does, and `execution.status`."""
    row = situation.root
    seen = context(row, row.steps, row.variables, situation.world())
    seen["execution"] = {**seen["execution"], "status": str(row.status)}
    return seen
