"""What survives a takeover: the real registries of executions and variables, and the playbooks by name. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from orchestrator.errors import SimulationInvalid
from orchestrator.playbooks.execution import (
    Control,
    ExecutionRow,
    Limits,
    PlaybookPut,
    Record,
    Start,
    Status,
)
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.registry import ExecutionRegistry
from orchestrator.playbooks.told import Told
from orchestrator.playbooks.world import ComponentFacts, ExecutionFacts, KnownPlaybook, World
from orchestrator.variables import Set, VariableRegistry

_KINDS: Mapping[str, type] = {
    "string": str,
    "number": int | float,  # type: ignore[dict-item]
    "boolean": bool,
    "list": list,
    "object": dict,
}


class Records:
    """One plant's replicated state, as far as playbooks are concerned."""

    def __init__(self, playbooks: Iterable[Playbook], variables: Mapping[str, Any]) -> None:
        self.playbooks: dict[str, KnownPlaybook] = {}
        self.variables = VariableRegistry()
        self.registry = ExecutionRegistry(self.variables)
        self._index = 0
        for playbook in playbooks:
            if playbook.name in self.playbooks:
                raise SimulationInvalid(f"two playbooks are named {playbook.name}")
            self.playbooks[playbook.name] = KnownPlaybook(version=1, playbook=playbook)
            self.commit(PlaybookPut(name=playbook.name, text=playbook.model_dump_json(by_alias=True)), 0.0)
        for name, value in variables.items():
            command = Set.of(name, value)
            self._index += 1
            body = msgspec.msgpack.encode(command)
            self.variables.apply(Set.kind, body, time=0.0, position=(1, self._index))

    def fork(self) -> "Records":
        """A copy whose further course leaves this one alone."""
        other = Records.__new__(Records)
        other.playbooks = self.playbooks
        other.variables = VariableRegistry()
        other.variables.adopt(self.variables)
        other.registry = self.registry.fork(other.variables)
        other._index = self._index
        return other

    def commit(self, command: Start | Record | Control | PlaybookPut, at: float) -> Told:
        self._index += 1
        body = msgspec.msgpack.encode(command)
        told, _ = self.registry.apply(command.kind, body, time=at, position=(1, self._index))
        return told

    def running(self) -> list[ExecutionRow]:
        """The rows that are to be planned, in the order of their creation."""
        return [row for row in self.registry.rows.values() if row.status in (Status.RUNNING, Status.PAUSED)]

    def world(
        self,
        facts: Mapping[str, ComponentFacts],
        groups: Mapping[str, tuple[str, ...]],
        depends_on: Mapping[str, tuple[str, ...]],
    ) -> World:
        return World(
            components=facts,
            groups=groups,
            depends_on=depends_on,
            variables={name: json.loads(row.value) for name, row in self.variables.rows.items()},
            executions={name: ExecutionFacts(str(row.status), row.error) for name, row in self.registry.rows.items()},
            playbooks=self.playbooks,
        )


def inputs_for(playbook: Playbook, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of an execution, defaults included. SimulationInvalid for one unknown, missing or of a wrong type."""
    for name in given:
        if name not in playbook.inputs:
            known = ", ".join(playbook.inputs) or "none"
            raise SimulationInvalid(f"playbook {playbook.name} has no input {name!r}; it has: {known}")
    found: dict[str, Any] = {}
    for name, wanted in playbook.inputs.items():
        if name not in given and wanted.required:
            raise SimulationInvalid(f"playbook {playbook.name} needs the input {name!r} (--input {name}=…)")
        value = given.get(name, wanted.default)
        kind = _KINDS.get(wanted.type)
        wrong = kind is not None and not isinstance(value, kind)
        if value is not None and (wrong or (wanted.type == "number" and isinstance(value, bool))):
            raise SimulationInvalid(f"input {name!r} of playbook {playbook.name} is a {wanted.type}, not {value!r}")
        found[name] = value
    return found


def limits_of(playbook: Playbook, dedup_key: str = "") -> Limits:
    """What the playbook allows, as it travels with a start."""
    throttle, dedup = playbook.throttle, playbook.deduplicate
    return Limits(
        limit=playbook.concurrency.limit,
        policy=playbook.concurrency.policy,
        queued_max=playbook.concurrency.queued_max,
        throttle_count=0 if throttle is None else throttle.count,
        throttle_per=0.0 if throttle is None else throttle.per,
        cooldown=playbook.cooldown or 0.0,
        dedup_key=dedup_key,
        dedup_window=0.0 if dedup is None else dedup.window,
    )


def start_of(
    playbook: Playbook,
    execution_id: str,
    *,
    inputs: Mapping[str, Any],
    trigger: Mapping[str, Any],
    at: float,
    manual: bool,
    dedup_key: str = "",
) -> Start:
    """The command that starts an execution of the playbook."""
    return Start(
        id=execution_id,
        playbook=playbook.name,
        priority=playbook.priority,
        trigger=json.dumps(trigger),
        inputs=json.dumps(inputs_for(playbook, inputs)),
        variables={name: json.dumps(value) for name, value in playbook.variables.items()},
        timeout=playbook.timeout,
        limits=limits_of(playbook, dedup_key),
        manual=manual,
        at=at,
    )
