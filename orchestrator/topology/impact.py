"""Who is affected by failed components: those that need them, and those that are restarted with them. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.components import ComponentRow
from orchestrator.errors import DependencyCycle
from orchestrator.lifecycle import State
from orchestrator.topology.models import Strategy
from orchestrator.topology.ordering import Graph, reversed_graph, start_order
from orchestrator.topology.rows import ControlRow

Groups = Mapping[str, tuple[str, tuple[str, ...]]]


class Cause(NamedTuple):
    """`purpose`: cascade or group. `reason` is the first half of a sentence."""

    purpose: str
    reason: str


@dataclass(frozen=True, slots=True)
class Impact:
    """`stopped`: who has to stop, and why. `taken_along`: by failed component, those that are restarted with it."""

    stopped: Mapping[str, Cause]
    taken_along: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(
        cls,
        components: Mapping[str, ComponentRow],
        controls: Mapping[str, ControlRow],
        depends_on: Graph,
        groups: Groups,
        *,
        excused: Callable[[str], str],
    ) -> "Impact":
        """From what is known now. Those that are left alone (`excused`) bring nobody along by a group's strategy."""
        failures = {each: text for each, row in sorted(components.items()) if (text := failure(row))}
        stopped: dict[str, Cause] = {}
        taken: dict[str, tuple[str, ...]] = {}
        for name, (strategy, members) in sorted(groups.items()):
            order = start_sequence(members, depends_on)
            for failed in order:
                control = controls.get(failed)
                if failed not in failures or control is None or control.restart.when == "never" or excused(failed):
                    continue
                others = order[order.index(failed) + 1 :] if strategy == Strategy.REST_FOR_ONE else order
                along = tuple(each for each in others if each != failed and each not in failures)
                taken[failed] = tuple(dict.fromkeys((*taken.get(failed, ()), *along)))
                reason = f"{failed} {failures[failed]}, and group {name} restarts {strategy}"
                for each in along:
                    stopped.setdefault(each, Cause("group", reason))
        stopped |= _cascade(components, controls, depends_on, failures)
        return cls({each: cause for each, cause in stopped.items() if each in components}, taken)


def failure(row: ComponentRow) -> str:
    """How the component has failed, as the end of a sentence; empty when it has not."""
    if not row.online:
        return f"is OFFLINE ({row.absence})"
    return f"is in FAULT ({row.reason})" if row.state == State.FAULT else ""


def start_sequence(members: tuple[str, ...], depends_on: Graph) -> tuple[str, ...]:
    """`members` as they start: by their dependencies, within a wave as they are listed. As listed where they circle."""
    listed = {each: at for at, each in enumerate(members)}
    try:
        waves = start_order(members, depends_on)
    except DependencyCycle:
        return members
    return tuple(each for wave in waves for each in sorted(wave, key=listed.__getitem__))


def _cascade(
    components: Mapping[str, ComponentRow],
    controls: Mapping[str, ControlRow],
    depends_on: Graph,
    failures: Mapping[str, str],
) -> dict[str, Cause]:
    """All that need what has failed, nearest first. One that ignores it also shields those that need it alone."""
    if not failures or not depends_on:
        return {}
    needing = reversed_graph(depends_on)
    found: dict[str, Cause] = {}
    level = [(failed, failed) for failed in failures]
    while level:
        following: list[tuple[str, str]] = []
        for near, root in level:
            for each in needing.get(near, ()):
                control = controls.get(each)
                if each in found or each == root or (control and control.on_dependency_failure == "ignore"):
                    continue
                found[each] = Cause("cascade", f"{root}, which it needs, {failures[root]}")
                following.append((each, root))
        level = following
    # One that has failed itself is not stopped; whether it is restarted is for its policy to say.
    return {each: cause for each, cause in found.items() if each in components and each not in failures}
