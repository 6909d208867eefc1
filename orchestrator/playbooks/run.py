"""What the leader remembers of an execution beside its row: effects under way, their results, when to look again."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.playbooks.effect import Done, Effect, Result
from orchestrator.playbooks.execution import OPEN_STEP, ExecutionRow, StepStatus

WATCHING = frozenset({"wait_for_state", "set_group_state"})
"""Steps that wait for components."""

RESULTS_BYTES_MAX = 256 * 1024
"""Of results, with the intents of their steps, that go into one record."""

Begun = tuple[str, int]
"""Of an effect: its key, and which begin of it this is."""


@dataclass(slots=True)
class Run:
    """One execution. `woken`: monotonic time of what it was woken by. `planned`: the revision that was last planned on.

    `latest`: the newest revision that was heard of. `watches`: it waits for components; `again`: woken while planned.
    """

    id: str
    woken: float = 0.0
    busy: bool = False
    queued: bool = False
    again: bool = False
    planned: int = 0
    latest: int = 0
    watches: bool = False
    inherited: frozenset[str] = frozenset()
    under_way: dict[str, Begun] = field(default_factory=dict)
    results: dict[str, tuple[Begun, Result]] = field(default_factory=dict)
    overhead: dict[str, float] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, row: ExecutionRow, *, taken_over: bool) -> "Run":
        """`taken_over`: an earlier leader may have begun the effects of the steps that run."""
        running = (step.path for step in row.steps.values() if step.status == StepStatus.RUNNING)
        return cls(row.id, inherited=frozenset(running) if taken_over else frozenset())

    def known_results(self, row: ExecutionRow | None = None) -> dict[str, Result]:
        """As the engine wants them; with the row, only so many as go into one record: the others have their turn."""
        found: dict[str, Result] = {}
        weight = 0
        for path, (_, result) in self.results.items():
            step = None if row is None else row.steps.get(path)
            weight += 0 if step is None else len(step.data) + _weight(result)
            if found and weight > RESULTS_BYTES_MAX:
                break
            found[path] = result
        return found

    def used(self, results: Mapping[str, Result]) -> None:
        """A record that was made with these is committed."""
        for path, result in results.items():
            held = self.results.get(path)
            if held is not None and held[1] is result:
                del self.results[path]

    def settle(self, effects: Iterable[Effect]) -> tuple[list[Effect], list[str]]:
        """(effects to begin, paths of those to cancel), so that these are the ones under way.

        One that has a result is not begun again: the engine has seen the result, and waits for something else.
        """
        wanted = {effect.path: effect for effect in effects}
        for path, (begun, _) in list(self.results.items()):
            if path not in wanted or begun != _begun(wanted[path]):
                del self.results[path]
        gone = [path for path, begun in self.under_way.items() if path not in wanted or begun != _begun(wanted[path])]
        for path in gone:
            del self.under_way[path]
        fresh = [effect for path, effect in wanted.items() if path not in self.under_way and path not in self.results]
        for effect in fresh:
            self.under_way[effect.path] = _begun(effect)
        return fresh, [path for path in gone if path not in wanted]

    def ended(self, effect: Effect, result: Result | None) -> bool:
        """An effect has ended; whether anybody still waits for it. Without a result it is as if it had never begun."""
        if self.under_way.get(effect.path) != _begun(effect):
            return False
        del self.under_way[effect.path]
        if result is not None:
            self.results[effect.path] = (_begun(effect), result)
        return result is not None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _weight(result: Result) -> int:
    """About how many bytes of a record it takes: an outcome stands in its step, and perhaps in a variable."""
    return 2 * len(repr(result.value)) if isinstance(result, Done) else len(result.message)


def _begun(effect: Effect) -> Begun:
    return effect.key, effect.sends


def waits_for_components(row: ExecutionRow) -> bool:
    """Whether a change of a component may let the execution go on."""
    return any(step.type in WATCHING and step.status in OPEN_STEP for step in row.steps.values())


def concerns(row: ExecutionRow, component_id: str) -> bool:
    """Whether a step that waits for components names this one. A step that names nobody waits for all."""
    quoted = json.dumps(component_id)
    return any(
        step.type in WATCHING and step.status in OPEN_STEP and (quoted in step.data or not step.data)
        for step in row.steps.values()
    )
