"""The leader's duty to keep components as people want them, by what `orchestrator.topology.supervising` decides.

Each tick takes one decision per component, from the replicated state alone, with its reason. An intent is committed
before its first command is sent; the keys of the commands come from what was committed. So a command whose outcome is
unknown, here or at a predecessor, is repeated under the same key, and the component does it once.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from cluster import Applied, ClusterError
from orchestrator.errors import OrchestratorError
from orchestrator.events import CommandAnswer
from orchestrator.tasks import cancelled
from orchestrator.topology import resolving
from orchestrator.topology.models import Strategy
from orchestrator.topology.rows import End, SupervisionCommand
from orchestrator.topology.supervising import Decision, Plant, decide

if TYPE_CHECKING:
    from orchestrator.components import ComponentRow
    from orchestrator.state import PlantState

log = logging.getLogger(__name__)

TICK_S = 0.1
"""A look that finds everything as it was costs next to nothing."""
REST = 4
"""Times as long as a tick took: a thousand components on the move take at most a fifth of the leader's time."""
AT_ONCE = 32
"""Components for which something is under way side by side."""
PAUSE_S, PAUSE_MAX_S = 0.5, 30.0
"""Before the next attempt for a component that refused or did not answer; doubled each time."""


class _Pause(NamedTuple):
    """`ends`: monotonic seconds. `row`: what was known of the component when it began."""

    ends: float
    length: float
    row: "ComponentRow | None"


class SupervisionDuty:
    """Decides every tick, acts on at most one decision per component at a time.

    Args:
        state: the replicated state; read only.
        propose: replicates a command under the epoch.
        send: `PlantDuty.send_command`.
        now: plant time in seconds, which goes on under the next leader.
        held: the components that playbooks hold, and which ones do: they are left alone. The same object while nothing
            has changed.
    """

    name = "supervision"

    def __init__(
        self,
        state: "PlantState",
        propose: Callable[[SupervisionCommand], Awaitable[Applied]],
        send: Callable[[str, str, str], Awaitable[CommandAnswer]],
        *,
        now: Callable[[], float],
        held: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._state = state
        self._propose = propose
        self._send = send
        self._now = now
        self._held = held
        self._task: asyncio.Task[None] | None = None
        self._done = asyncio.Event()
        self._acting: dict[str, asyncio.Task[None]] = {}
        self._held_back: dict[str, _Pause] = {}
        self._trouble: dict[str, str] = {}
        self._seen: tuple[Mapping[str, object], ...] = ({}, {}, {}, {})
        self._decisions: tuple[Decision, ...] = ()

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._watch(), name="supervision")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)
        for task in list(self._acting.values()):
            await cancelled(task)

    def decisions(self) -> list[dict[str, str]]:
        """The last tick's: `component`, `reason`, and `trouble` with what kept the last action from being done."""
        return [
            {
                "component": each.component_id,
                "reason": each.reason,
                "trouble": self._trouble.get(each.component_id, ""),
            }
            for each in self._decisions
        ]

    # ── Ticks ────────────────────────────────

    async def _watch(self) -> None:
        while True:
            self._done.clear()
            began = time.monotonic()
            self._tick()
            await asyncio.sleep((time.monotonic() - began) * REST)
            with contextlib.suppress(TimeoutError):  # what was done has changed something: the next step need not wait
                await asyncio.wait_for(self._done.wait(), TICK_S)

    def _tick(self) -> None:
        self._look()
        now = time.monotonic()
        for decision in self._decisions:
            if len(self._acting) >= AT_ONCE:
                break
            if decision.acts and decision.component_id not in self._acting and not self._rests(decision, now):
                self._begin(decision)

    def _rests(self, decision: Decision, now: float) -> bool:
        pause = self._held_back.get(decision.component_id)
        # When the component has changed, what was decided on it is another matter.
        row = self._state.components.get(decision.component_id)
        return pause is not None and now < pause.ends and row is pause.row

    def _look(self) -> None:
        """Decide anew, unless everything that decisions come from is as it was."""
        components, topology = self._state.components.rows, self._state.topology
        if topology.untouched and not any(row.depends_on for row in components.values()):
            self._decisions = ()
            return
        held = self._held()
        seen = (components, topology.controls, topology.groups, held)
        timed = any(each.acts or each.due is not None for each in self._decisions)
        # Rows are replaced and never altered: the same object holds the same.
        if not timed and all(a is b for a, b in zip(seen, self._seen, strict=True)):
            return
        self._seen = seen
        before = {each.component_id: each.reason for each in self._decisions}
        self._decisions = tuple(decide(self._plant(held), self._now()))
        for each in self._decisions:
            if each.due is None and before.get(each.component_id) != each.reason:
                log.info("component %s: %s", each.component_id, each.reason)
        supervised = {each.component_id for each in self._decisions}
        for gone in (self._held_back.keys() | self._trouble.keys()) - supervised:
            self._held_back.pop(gone, None)
            self._trouble.pop(gone, None)

    def _plant(self, held: Mapping[str, str]) -> Plant:
        state = self._state
        strategies = {
            name: (str(row.strategy), resolving.members(state, name))
            for name, row in state.topology.groups.items()
            if row.strategy != Strategy.ONE_FOR_ONE
        }
        return Plant(
            components=state.components.rows,
            controls=state.topology.controls,
            depends_on=resolving.dependencies(state),
            groups=strategies,
            held=held,
        )

    # ── Actions ────────────────────────────────

    def _begin(self, decision: Decision) -> None:
        task = asyncio.create_task(self._act(decision), name=f"supervise-{decision.component_id}")
        self._acting[decision.component_id] = task
        task.add_done_callback(lambda _: self._ended(decision.component_id))

    def _ended(self, component_id: str) -> None:
        self._acting.pop(component_id, None)
        self._done.set()

    async def _act(self, decision: Decision) -> None:
        component_id = decision.component_id
        try:
            if decision.propose is not None:
                outcome = (await self._propose(decision.propose)).outcome
                if not outcome.ok:  # decided on what has changed since, or for which there is no room
                    self._hold_back(component_id, outcome.message)
                return
            await self._command(decision)
        except (OrchestratorError, ClusterError) as error:
            self._hold_back(component_id, str(error))
        except Exception as error:
            log.exception("component %s: what was decided could not be done", component_id)
            self._hold_back(component_id, f"{type(error).__name__}: {error}")

    async def _command(self, decision: Decision) -> None:
        component_id, command = decision.component_id, decision.command
        assert command is not None  # noqa: S101 - a decision that acts has one or the other
        before = self._state.components.get(component_id)
        if before is not self._seen[0].get(component_id):
            return  # decided on what has changed since; the next tick decides anew
        answer = await self._send(component_id, command, decision.key)
        log.info("component %s: %s under %s is answered: %s", component_id, command, decision.key, answer.state)
        if not answer.completed:
            return  # asked again under the same key, which waits for the end of what it does
        if not answer.repeated:
            self._trouble.pop(component_id, None)
            self._held_back.pop(component_id, None)
            return
        # Done before, by this leader or by the last one. What is known of the component may not hold its effect yet;
        # where it does, somebody has undone it since, and only another run, with other keys, gets anywhere.
        known = None if before is None else before.sequence
        if known is None or answer.sequence is None or answer.sequence <= known:
            number = int(decision.key.split("/")[-2])
            await self._propose(End(id=component_id, number=number, outcome="abandoned", at=self._now()))
            self._hold_back(component_id, f"{command} was done in this run and has been undone since; another begins")

    def _hold_back(self, component_id: str, trouble: str) -> None:
        if self._trouble.get(component_id) != trouble:
            log.info("component %s: %s", component_id, trouble)
        self._trouble[component_id] = trouble
        before = self._held_back.get(component_id)
        length = PAUSE_S if before is None else min(PAUSE_MAX_S, before.length * 2)
        row = self._state.components.get(component_id)
        self._held_back[component_id] = _Pause(time.monotonic() + length, length, row)
