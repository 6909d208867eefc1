"""What survives a takeover: the real registries of executions and variables, and the playbooks by name. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from orchestrator.errors import SimulationInvalid
from orchestrator.playbooks.execution import (
    Control,
    ExecutionRow,
    PlaybookPut,
    Record,
    Start,
    Status,
)
from orchestrator.playbooks.inputs import checked_inputs
from orchestrator.playbooks.manual import manual_start
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.registry import ExecutionRegistry
from orchestrator.playbooks.told import Told
from orchestrator.playbooks.world import ComponentFacts, ExecutionFacts, KnownPlaybook, World
from orchestrator.variables import Set, VariableRegistry, json_text


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


def start_of(
    playbook: Playbook, execution_id: str, *, inputs: Mapping[str, Any], trigger: Mapping[str, Any], at: float
) -> Start:
    """The command by which a person starts it. SimulationInvalid names each input that is wrong."""
    checked, faults = checked_inputs(playbook, inputs)
    if faults:
        said = "; ".join(f"input {fault.name}: {fault.message}" for fault in faults)
        raise SimulationInvalid(f"playbook {playbook.name}: {said} (--input NAME=VALUE)")
    command = manual_start(
        playbook, execution_id=execution_id, version=1, inputs=checked, who="", traceparent="", at=at
    )
    return msgspec.structs.replace(command, trigger=json_text(dict(trigger)))
