"""What the supervision does about each component now, in one sentence each. Pure: the time and what is held are given.

A component is brought to a *goal* by *runs*: a run is committed (`Begin`) before its first command is sent, and the
keys of its commands hold its number, so a new leader goes on where the old one was. In this order, the first that fits:

    a dependency is in FAULT or OFFLINE            → STOPPED, purpose cascade
    a member of its group failed, by the strategy  → STOPPED, purpose group
    STOPPED is desired                             → STOPPED, purpose stop
    STARTED is desired, or its policy is `always`  → STARTED, purpose start
    it was stopped by cascade or group, and may be restarted, or a run to STARTED goes on → STARTED
    it is in FAULT, and its policy is `on_failure` → STARTED, purpose restart

A bring-up is a *restart*, which has a pause and is counted, when the component failed: it is in FAULT, or it fell back
from what an earlier bring-up reached, or another process has taken its place. Who was stopped on purpose just starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.components import ComponentRow
from orchestrator.lifecycle import PASSAGES, Command, State
from orchestrator.topology.impact import Impact
from orchestrator.topology.ordering import Graph, arrows, cycle, reachable
from orchestrator.topology.planning import DOWN, commands_to
from orchestrator.topology.rows import STARTED, STOPPED, Begin, ControlRow, End, GiveUp, Run, SupervisionCommand

BRING_UP = ("start", "restart")


@dataclass(frozen=True, slots=True)
class Decision:
    """About one component: `propose` something, or send `command` under `key`, or neither; and why.

    `due`: plant time at which it has to be looked at again though nothing has changed by then.
    """

    component_id: str
    reason: str
    propose: SupervisionCommand | None = None
    command: Command | None = None
    key: str = ""
    due: float | None = None

    @property
    def acts(self) -> bool:
        return self.propose is not None or self.command is not None


@dataclass(frozen=True)
class Plant:
    """What is decided upon. `held`: components that a playbook holds, and which one."""

    components: Mapping[str, ComponentRow]
    controls: Mapping[str, ControlRow]
    depends_on: Graph
    groups: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """(strategy, members in order) by name; of those whose strategy is not one_for_one"""
    held: Mapping[str, str] = field(default_factory=dict)

    def control(self, component_id: str) -> ControlRow:
        return self.controls.get(component_id) or ControlRow(id=component_id)

    def excused(self, component_id: str) -> str:
        """Why the component must be left alone; empty when it need not."""
        maintenance = self.control(component_id).maintenance
        if maintenance is not None:
            by = f", says {maintenance.by}" if maintenance.by else ""
            return f"is in maintenance{by}: {maintenance.reason}"
        return f"is held by {holder}" if (holder := self.held.get(component_id)) else ""

    @cached_property
    def impact(self) -> Impact:
        """Who is affected by what has failed."""
        return Impact.of(self.components, self.controls, self.depends_on, self.groups, excused=self.excused)

    @cached_property
    def bearing(self) -> Mapping[str, str]:
        """By component that others need, one of those that runs."""
        return self._borne(each for each, row in self.components.items() if _runs(row))

    @cached_property
    def bearing_stopped(self) -> Mapping[str, str]:
        """As `bearing`, of those alone that have to stop because something has failed."""
        stopped = self.impact.stopped
        return self._borne(each for each in stopped if _runs(self.components[each]) and not self.excused(each))

    def _borne(self, running: Iterable[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for each in sorted(running):
            waiting = [each]
            while waiting:
                for needed in self.depends_on.get(waiting.pop(), ()):
                    if needed not in found:  # else all that it needs is known as well
                        found[needed] = each
                        waiting.append(needed)
        return found

    @cached_property
    def circle(self) -> tuple[str, ...]:
        return cycle(self.depends_on)

    def supervised(self) -> list[str]:
        """The components about which there is anything to decide, in order."""
        asked = {each for each, row in self.controls.items() if _asks(row)}
        return sorted(asked | self.impact.stopped.keys())


def decide(plant: Plant, now: float) -> list[Decision]:
    """One decision for each component about which there is anything to decide. `now`: plant time, seconds."""
    return [_Case(plant, component_id, now).decision() for component_id in plant.supervised()]


def _asks(row: ControlRow) -> bool:
    run_on = row.run is not None and (not row.run.outcome or row.run.purpose in ("cascade", "group"))
    return bool(row.desired or row.exhausted or row.restart.when != "never" or run_on)


def _runs(row: ComponentRow) -> bool:
    return row.online and row.state not in DOWN


class _Case:
    """One component and its decision."""

    def __init__(self, plant: Plant, component_id: str, now: float) -> None:
        self._plant = plant
        self._id = component_id
        self._now = now
        self._control = plant.control(component_id)

    def decision(self) -> Decision:
        found = self._plant.components.get(self._id)
        if found is None:
            return self._leave("is not registered")
        self._row = found
        if reason := self._plant.excused(self._id):
            return self._leave(reason)
        goal, purpose, why = self._goal()
        if goal is None:
            return self._settled(why)
        return self._up(purpose, why) if goal == State.STARTED else self._down(purpose, why)

    def _goal(self) -> tuple[State | None, str, str]:
        """(goal, purpose, why) as the table above says."""
        control, run = self._control, self._control.run
        if (cause := self._plant.impact.stopped.get(self._id)) is not None:
            return State.STOPPED, cause.purpose, cause.reason
        if control.desired == STOPPED:
            return State.STOPPED, "stop", f"STOPPED is desired{self._by()}"
        if control.desired == STARTED:
            return State.STARTED, "start", f"STARTED is desired{self._by()}"
        when = control.restart.when
        if when == "always":
            return State.STARTED, "start", "its policy is to restart it always"
        if when == "never":
            return None, "", "its policy is never to restart it, and no state is desired"
        if run is not None and run.goal == State.STARTED and not run.outcome:
            return State.STARTED, "start", run.reason
        if run is not None and run.purpose in ("cascade", "group"):
            return State.STARTED, "start", f"it was stopped because {run.reason}; that is over"
        if self._row.state == State.FAULT:
            return State.STARTED, "restart", "its policy is to restart it on failure"
        return None, "", f"is {self._row.state}, and no state is desired"

    # ── Down ────────────────────────────────

    def _down(self, purpose: str, why: str) -> Decision:
        row, run = self._row, self._control.run
        if row.state in DOWN:
            return self._settled(f"{why}; it is {row.state}")
        if not row.online:
            return self._leave(f"{why}; it is {row.state} and OFFLINE: nothing can be sent")
        if row.state in PASSAGES:
            return self._leave(f"{why}; it is {row.state}: that is waited for")
        if waits := self._still_needed(purpose):
            return self._leave(f"{why}; waits for {waits}, which needs it, to stop")
        if run is None or run.outcome or run.goal != State.STOPPED or run.position != row.position:
            return self._begin(purpose, State.STOPPED, why, self._now)
        return self._send(run, Command.GRACEFUL_STOP, why)

    def _still_needed(self, purpose: str) -> str:
        """One that needs this component and runs. In a cascade: only one that is going to stop, too."""
        borne = self._plant.bearing if purpose == "stop" else self._plant.bearing_stopped
        other = borne.get(self._id, "")
        # Those that need one another would wait for each other: they stop side by side.
        return "" if self._plant.circle and self._id in reachable([self._id], self._plant.depends_on) else other

    # ── Up ────────────────────────────────

    def _up(self, purpose: str, why: str) -> Decision:
        row, run = self._row, self._control.run
        if row.state == State.STARTED and row.online:
            return self._settled(f"{why}; it is STARTED")
        if not row.online:
            return self._leave(f"{why}; it is {row.state} and OFFLINE ({row.absence}): nothing can be sent")
        if self._control.exhausted:
            return self._leave(self._control.exhausted)
        if row.state in PASSAGES:
            return self._leave(f"{why}; it is {row.state}: that is waited for")
        if row.state == State.FAULT and self._control.restart.when == "never":
            return self._leave(f"{why}, but it is in FAULT ({row.reason}), and its policy is never to restart it")
        going_on = run is not None and run.goal == State.STARTED and not run.outcome and self._same(run)
        if run is None or not going_on:
            return self._bring_up(purpose, why)
        if (left := run.not_before - self._now) > 0:
            return Decision(self._id, f"{run.reason}; begins in {left:.1f} s", due=run.not_before)
        command = commands_to(row.state, State.STARTED)[0]
        # A reset needs no footing, and must not wait for one that may be down for as long as this one is in FAULT.
        footing = "" if command is Command.RESET else self._footing()
        if waits := footing or self._others_up():
            return self._leave(f"{why}; {waits}")
        return self._send(run, command, why)

    def _same(self, run: Run) -> bool:
        """Whether `run` is still about this process, and about this fault if it is in one."""
        if run.position != self._row.position:
            return False
        newer = run.sequence is not None and self._row.sequence is not None and self._row.sequence > run.sequence
        return not (self._row.state == State.FAULT and newer)

    def _bring_up(self, purpose: str, why: str) -> Decision:
        """Begin a run to STARTED: at once, or after a pause when the component had failed; or give up."""
        if not self._failed():
            if waits := self._footing() or self._others_up():
                return self._leave(f"{why}; {waits}")
            return self._begin("start" if purpose == "restart" else purpose, State.STARTED, why, self._now)
        policy = self._control.restart
        recent = [at for at in self._control.restarts if at > self._now - policy.window_s]
        what = f"FAULT ({self._row.reason})" if self._row.state == State.FAULT else f"back in {self._row.state}"
        if len(recent) >= policy.limit:
            reason = (
                f"not restarted any more: it is {what} after {len(recent)} restarts within {policy.window_s:g} s, its "
                f"limit is {policy.limit}; acknowledge it with a retry, or set its policy or desired state anew"
            )
            return Decision(
                self._id, reason, propose=GiveUp(id=self._id, replaces=self._replaces, reason=reason, at=self._now)
            )
        pause = min(policy.backoff_max_s, policy.backoff_initial_s * policy.backoff_factor ** len(recent))
        reason = (
            f"restart {len(recent) + 1} of {policy.limit} in {policy.window_s:g} s, after {pause:g} s: it is {what}"
        )
        return self._begin("restart", State.STARTED, reason, self._now + pause)

    def _failed(self) -> bool:
        run = self._control.run
        if self._row.state == State.FAULT:
            return True
        # What was stopped on purpose, or never came up for another's sake, has not failed.
        return run is not None and run.purpose in BRING_UP and run.outcome != "abandoned"

    def _footing(self) -> str:
        """What it needs and does not have; empty when all of it is STARTED."""
        if self._id in self._plant.circle:
            return f"these need one another: {arrows(self._plant.circle)}"
        for needed in self._plant.depends_on.get(self._id, ()):
            row = self._plant.components.get(needed)
            if row is None:
                return f"waits for {needed}, which it needs and which is not registered"
            if row.state != State.STARTED or not row.online:
                return f"waits for {needed}, which it needs and which is {row.state if row.online else 'OFFLINE'}"
        return ""

    def _others_up(self) -> str:
        """One that has to stop because this component failed, and is not down yet: it must not miss its stop."""
        if other := self._plant.bearing_stopped.get(self._id, ""):
            return f"waits for {other}, which needs it and has to stop first"
        for other in self._plant.impact.taken_along.get(self._id, ()):
            row = self._plant.components.get(other)
            if row is not None and _runs(row) and not self._plant.excused(other):
                return f"waits for {other}, which is restarted with it and has to stop first"
        return ""

    # ── Decisions ────────────────────────────────

    def _leave(self, reason: str) -> Decision:
        return Decision(self._id, reason)

    def _settled(self, reason: str) -> Decision:
        """Nothing is to be done; a run that still goes on has ended."""
        run, row = self._control.run, self._row
        if run is not None and not run.outcome:
            reached = row.state == run.goal or (run.goal == State.STOPPED and row.state in DOWN)
            end = End(id=self._id, number=run.number, outcome="reached" if reached else "abandoned", at=self._now)
            return Decision(self._id, reason, propose=end)
        if self._control.exhausted and row.state == State.STARTED:
            # Somebody else has brought it up. A run that ends at once begins the counters anew.
            return self._begin("start", State.STARTED, f"{reason}, by somebody else's doing", self._now)
        return self._leave(reason)

    def _begin(self, purpose: str, goal: State, reason: str, not_before: float) -> Decision:
        begin = Begin(
            id=self._id,
            replaces=self._replaces,
            purpose=purpose,
            goal=goal,
            reason=reason,
            position=self._row.position,
            sequence=self._row.sequence,
            not_before=not_before,
            at=self._now,
        )
        return Decision(self._id, reason, propose=begin)

    def _send(self, run: Run, command: Command, why: str) -> Decision:
        term, index = run.position
        key = f"supervise/{self._id}/{term}.{index}/{run.number}/{command}"
        return Decision(self._id, f"{why}; {command} is sent", command=command, key=key)

    @property
    def _replaces(self) -> int:
        return 0 if self._control.run is None else self._control.run.number

    def _by(self) -> str:
        return f" by {self._control.desired_by}" if self._control.desired_by else ""
