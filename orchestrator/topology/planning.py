"""What has to be done, in which order, to bring components to a state; nothing is done here. Pure.

The commands of each component are the shortest way through the lifecycle's table. To start, a component waits for what
it needs; to stop, it waits for those that need it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.lifecycle import TABLE, Command, Signal, State
from orchestrator.topology.ordering import Graph, dependents, needs, reversed_graph, start_order, stop_order

if TYPE_CHECKING:
    from orchestrator.components import ComponentRow

TARGETS = (State.READY, State.INIT_COMPLETE, State.STARTED, State.STOPPED)
DOWN = frozenset({State.READY, State.STOPPED, State.FAULT})
"""Nothing runs there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One component and its commands, in order. `wave`: from 1; those of one wave go side by side."""

    component_id: str
    wave: int
    state: State
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """A component that is left alone. `blocked`: it does not get to the target; else it need not move."""

    component_id: str
    reason: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Plan:
    target: State
    steps: tuple[Step, ...]
    skipped: tuple[Skip, ...]

    @property
    def complete(self) -> bool:
        """Whether all that was selected gets to the target."""
        return not any(skip.blocked for skip in self.skipped)


def commands_to(state: State, target: State) -> tuple[Command, ...]:
    """The commands of the shortest way from `state` to `target` when nothing fails; none when it is there."""
    ways: deque[tuple[State, tuple[Command, ...]]] = deque([(state, ())])
    seen = {state}
    while ways:
        at, commands = ways.popleft()
        if at == target:
            return commands
        for (source, trigger), following in TABLE.items():
            if source != at or trigger is Signal.FAILED or following in seen:
                continue
            seen.add(following)
            ways.append((following, (*commands, trigger) if isinstance(trigger, Command) else commands))
    raise ValueError(f"no way leads from {state} to {target}")


def plan(
    target: State,
    selection: Iterable[str],
    rows: "Mapping[str, ComponentRow]",
    graph: Graph,
    *,
    excused: Mapping[str, str] | None = None,
    related: bool = False,
) -> Plan:
    """How `selection` gets to `target`, one of `TARGETS`.

    Args:
        excused: components that must be left alone, and why (in maintenance, held by a playbook).
        related: also start what is needed, and stop what needs them, though it was not selected.

    Raises ValueError for another target; DependencyCycle names the cycle.
    """
    if target not in TARGETS:
        raise ValueError(f"target: must be one of {', '.join(TARGETS)}")
    up = target in (State.STARTED, State.INIT_COMPLETE)
    wanted = dict.fromkeys(selection)
    if related:
        near = needs if up else dependents
        for each in tuple(wanted):
            wanted.update(dict.fromkeys(other for other in near(each, graph) if up or other in rows))
    waves = start_order(wanted, graph) if up else stop_order(wanted, graph)
    neighbours = graph if up else reversed_graph(graph)
    steps: list[Step] = []
    skipped: dict[str, Skip] = {}
    moving: set[str] = set()
    wave = 0
    for members in waves:
        moved = False
        for each in members:
            reason = (excused or {}).get(each, "")
            fault = reason or _fault(each, rows) or _lacking(each, target, neighbours, rows, moving)
            row = rows.get(each)
            there = row is not None and _there(row.state, target)
            if there and row is not None:
                text = f"is {row.state} already" if row.state == target else f"is {row.state}: nothing runs there"
                skipped[each] = Skip(each, f"{text}; {reason}" if reason else text, blocked=False)
            elif fault or row is None:
                skipped[each] = Skip(each, fault, blocked=True)
            else:
                steps.append(Step(each, wave + 1, row.state, commands_to(row.state, target)))
                moving.add(each)
                moved = True
        wave += moved
    return Plan(target, tuple(steps), tuple(skipped[each] for each in sorted(skipped)))


def _there(state: State, target: State) -> bool:
    if target == State.STOPPED:
        return state in DOWN
    return state == target or (target == State.INIT_COMPLETE and state == State.STARTED)


def _fault(component_id: str, rows: "Mapping[str, ComponentRow]") -> str:
    row = rows.get(component_id)
    if row is None:
        return "is not registered"
    return "" if row.online else f"is OFFLINE: {row.absence}"


def _lacking(
    component_id: str, target: State, neighbours: Graph, rows: "Mapping[str, ComponentRow]", moving: set[str]
) -> str:
    """The neighbour that stands in the way: what is needed and does not start, or what needs it and does not stop."""
    for other in neighbours.get(component_id, ()):
        row = rows.get(other)
        if other in moving:
            continue
        if target in (State.STARTED, State.INIT_COMPLETE):
            if row is None:
                return f"needs {other}, which is not registered"
            if row.state != State.STARTED or not row.online:
                shown = row.state if row.online else f"{row.state} and OFFLINE"
                return f"needs {other}, which is {shown} and does not start in this plan"
        elif row is not None and row.online and row.state not in DOWN:
            return f"{other} needs it, is {row.state} and does not stop in this plan"
    return ""
