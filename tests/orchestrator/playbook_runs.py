"""An execution driven by hand: the real engine and the real registry, in virtual time, over components that obey."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import yaml

from orchestrator.lifecycle import Command, State, transition
from orchestrator.playbooks.engine import Decision, Done, Effect, Failed, Result, plan
from orchestrator.playbooks.execution import (
    Control,
    ExecutionRow,
    Limits,
    PlaybookPut,
    Record,
    Start,
    StepRow,
)
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.registry import ExecutionRegistry
from orchestrator.playbooks.templates import Templates
from orchestrator.playbooks.told import Told
from orchestrator.playbooks.world import ComponentFacts, ExecutionFacts, KnownPlaybook, World
from orchestrator.variables import VariableRegistry

Answer = Callable[[Effect], Result | None]
"""What becomes of an effect; None: it is still under way."""


class Run:
    """A registry, playbooks, and a plant that answers each effect through `answer`."""

    def __init__(
        self,
        *texts: str,
        components: Mapping[str, State] | None = None,
        groups: Mapping[str, tuple[str, ...]] | None = None,
        depends_on: Mapping[str, tuple[str, ...]] | None = None,
        answer: Answer | None = None,
        maintenance: tuple[str, ...] = (),
    ) -> None:
        self.variables = VariableRegistry()
        self.registry = ExecutionRegistry(self.variables)
        self.playbooks: dict[str, Playbook] = {}
        self.components = dict(components or {})
        self.groups, self.depends_on = dict(groups or {}), dict(depends_on or {})
        self.maintenance = maintenance
        self.now = 100.0
        self.index = 0
        self.templates = Templates()
        self.answer = answer or self.obey
        self.sent: list[Effect] = []
        self.done: dict[str, Result] = {}
        """by key: what a component answers when it is asked again"""
        for text in texts:
            playbook = Playbook.model_validate(yaml.safe_load(text))
            self.playbooks[playbook.name] = playbook
            assert not self.apply(PlaybookPut(name=playbook.name, text=text)).code

    def apply(self, command: Any) -> Told:
        self.index += 1
        body = msgspec.msgpack.encode(command)
        told, _ = self.registry.apply(command.kind, body, time=1_000_000 + self.now, position=(1, self.index))
        return told

    def start(
        self, name: str, execution_id: str = "x", *, inputs: Mapping[str, Any] | None = None, **members: Any
    ) -> Told:
        playbook = self.playbooks[name]
        limits = members.pop("limits", Limits())
        return self.apply(
            Start(
                id=execution_id,
                playbook=name,
                inputs=json.dumps(inputs or {}),
                variables={key: json.dumps(value) for key, value in playbook.variables.items()},
                timeout=playbook.timeout,
                limits=limits,
                at=self.now,
                **members,
            )
        )

    def control(self, action: str, execution_id: str = "x", **members: Any) -> Told:
        return self.apply(Control(id=execution_id, action=action, at=self.now, **members))

    def row(self, execution_id: str = "x") -> ExecutionRow:
        return self.registry.rows[execution_id]

    def step(self, path: str, execution_id: str = "x") -> StepRow:
        return self.row(execution_id).steps[path]

    @property
    def world(self) -> World:
        facts = {
            key: ComponentFacts(
                id=key,
                state=state,
                maintenance=key in self.maintenance,
                groups=tuple(name for name, members in self.groups.items() if key in members),
            )
            for key, state in self.components.items()
        }
        return World(
            components=facts,
            groups=self.groups,
            depends_on=self.depends_on,
            variables={name: json.loads(row.value) for name, row in self.variables.rows.items()},
            executions={key: ExecutionFacts(str(row.status), row.error) for key, row in self.registry.rows.items()},
            playbooks={name: KnownPlaybook(1, playbook) for name, playbook in self.playbooks.items()},
        )

    def obey(self, effect: Effect) -> Result:
        """As a component does: once per key, by the lifecycle's table."""
        if effect.key in self.done:
            return self.done[effect.key]
        if effect.type == "send_command" and effect.data["command"] in set(Command):
            component = effect.data["component"]
            state = transition(self.components[component], Command(effect.data["command"]))
            if not isinstance(state, State):
                self.done[effect.key] = Failed("command_refused", state.reason)
                return self.done[effect.key]
            settled = {State.INITIALIZING: State.INIT_COMPLETE, State.STOPPING: State.STOPPED}
            self.components[component] = settled.get(state, state)
        self.done[effect.key] = Done({"ok": True})
        return self.done[effect.key]

    def decide(self, execution_id: str, results: Mapping[str, Result]) -> Decision:
        row = self.row(execution_id)
        return plan(self.playbooks[row.playbook], row, self.world, self.now, self.templates, results)

    def commit(self, record: Record) -> Told:
        told = self.apply(record)
        assert told.code in ("", "execution_changed"), told
        return told

    def go(
        self, until: float = float("inf"), crash: Callable[[str, int], bool] = lambda _where, _number: False
    ) -> None:
        """Until nothing happens any more before the plant time `until`. `crash`: whether the leader dies here.

        What a leader has in memory are the results that are not recorded yet: they are lost with it.
        """
        results: dict[str, dict[str, Result]] = {}
        points = 0
        for _round in range(10_000):
            progress, wakes = False, []
            for key in [row.id for row in self.registry.rows.values() if row.open]:
                decision = self.decide(key, results.get(key, {}))
                if decision.record is not None:
                    points += 1
                    if crash("before commit", points):
                        results.clear()
                        progress = True
                        continue
                    self.commit(decision.record)
                    progress = True
                    if crash("after commit", points):
                        results.clear()
                    else:
                        results[key] = {}
                    continue
                for effect in decision.effects:
                    if effect.path in results.get(key, {}):
                        continue
                    points += 1
                    if crash("before effect", points):
                        results.clear()
                        progress = True
                        break
                    self.sent.append(effect)
                    result = self.answer(effect)
                    if crash("after effect", points):
                        results.clear()
                        progress = True
                        break
                    if result is not None:
                        results.setdefault(key, {})[effect.path] = result
                        progress = True
                if decision.wake is not None:
                    wakes.append(decision.wake)
            if progress:
                continue
            following = min(wakes, default=float("inf"))
            if following > until or following == float("inf"):
                if until != float("inf"):
                    self.now = max(self.now, until)
                return
            self.now = max(self.now, following)
        raise AssertionError("it never comes to rest")
