"""`client.components`: what runs in the plant, what is said of it, and commands to it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from orchestrator.client.calls import Call, ReadOptions, if_match, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.programs import given
from orchestrator.client.shapes.components import (
    CommandAnswer,
    Component,
    ComponentMetrics,
    HeartbeatsTaken,
    Listener,
)
from orchestrator.client.shapes.policies import Dependents, Policy
from orchestrator.client.shapes.several import Revision

Desired = Literal["STARTED", "STOPPED"]
COMMAND_PATIENCE_S = 60.0
"""A node answers a command when the component has, which may take that long."""


class Components(Noun[M]):
    @endpoint("GET", "/v1/components/{component_id}")
    def get(self, component_id: str, **read: Unpack[ReadOptions]) -> Call[Component]:
        return Call(Component, {"component_id": component_id}, query=read)

    @endpoint("POST", "/v1/components")
    def register(
        self,
        component_id: str,
        address: str,
        *,
        name: str = "",
        groups: Sequence[str] = (),
        depends_on: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        key: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Call[Component]:
        """Make a component known; `more` are further members of a registration, such as `heartbeat_s`."""
        listed = {"groups": list(groups), "depends_on": list(depends_on), "labels": dict(labels or {})}
        body = {"id": component_id, "address": address, "name": name, **listed, **(more or {})}
        return Call(Component, body=body, key=key)

    @endpoint("DELETE", "/v1/components/{component_id}")
    def delete(self, component_id: str, *, key: str | None = None) -> Call[None]:
        return nothing({"component_id": component_id}, key=key)

    @endpoint("POST", "/v1/components/{component_id}/commands")
    def command(
        self, component_id: str, command: str, params: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> Call[CommandAnswer]:
        """Send a command such as CMD_START, or one of the component's own with `params`, and wait for its answer.

        `completed` is false for what takes longer; the same call with the same `key` asks for the outcome.
        """
        body = given(command=command, params=params)
        path = {"component_id": component_id}
        return Call(CommandAnswer, path, body=body, key=key, patience_s=COMMAND_PATIENCE_S)

    @endpoint("GET", "/v1/components/{component_id}/metrics")
    def metrics(
        self,
        component_id: str,
        names: Sequence[str] = (),
        *,
        since: float | None = None,
        step: float | None = None,
        above: float | None = None,
        below: float | None = None,
        half_life: float | None = None,
        **read: Unpack[ReadOptions],
    ) -> Call[ComponentMetrics]:
        """Histories of its metrics: `since` in seconds before now, points every `step` seconds; when a line is met."""
        query = given(name=names, since=since, step=step, above=above, below=below, half_life=half_life)
        return Call(ComponentMetrics, {"component_id": component_id}, query={**query, **read})

    @endpoint("GET", "/v1/components/{component_id}/policy")
    def policy(self, component_id: str, **read: Unpack[ReadOptions]) -> Call[Policy]:
        return Call(Policy, {"component_id": component_id}, query=read)

    @endpoint("PUT", "/v1/components/{component_id}/policy")
    def set_policy(
        self,
        component_id: str,
        policy: Mapping[str, Any],
        *,
        if_revision: int | None = None,
        key: str | None = None,
    ) -> Call[Revision]:
        """`policy`: `depends_on`, `restart`, `on_dependency_failure`."""
        path = {"component_id": component_id}
        return Call(Revision, path, body=policy, headers=if_match(if_revision), key=key)

    @endpoint("DELETE", "/v1/components/{component_id}/policy")
    def delete_policy(self, component_id: str, *, if_revision: int | None = None, key: str | None = None) -> Call[None]:
        return nothing({"component_id": component_id}, headers=if_match(if_revision), key=key)

    @endpoint("PUT", "/v1/components/{component_id}/desired")
    def desire(
        self,
        component_id: str,
        state: Desired | None,
        *,
        by: str = "",
        if_revision: int | None = None,
        key: str | None = None,
    ) -> Call[Revision]:
        """In which state it shall be kept; None: in none."""
        body, path = {"state": state, "by": by}, {"component_id": component_id}
        return Call(Revision, path, body=body, headers=if_match(if_revision), key=key)

    @endpoint("PUT", "/v1/components/{component_id}/maintenance")
    def begin_maintenance(
        self, component_id: str, reason: str, *, by: str = "", if_revision: int | None = None, key: str | None = None
    ) -> Call[Revision]:
        body, path = {"reason": reason, "by": by}, {"component_id": component_id}
        return Call(Revision, path, body=body, headers=if_match(if_revision), key=key)

    @endpoint("DELETE", "/v1/components/{component_id}/maintenance")
    def end_maintenance(
        self, component_id: str, *, if_revision: int | None = None, key: str | None = None
    ) -> Call[Revision]:
        return Call(Revision, {"component_id": component_id}, headers=if_match(if_revision), key=key)

    @endpoint("POST", "/v1/components/{component_id}/acknowledge")
    def acknowledge(
        self, component_id: str, *, by: str = "", note: str = "", retry: bool = False, key: str | None = None
    ) -> Call[Revision]:
        """Say that somebody looks after its FAULT; `retry` lets the supervision try again."""
        body = {"by": by, "note": note, "retry": retry}
        return Call(Revision, {"component_id": component_id}, body=body, key=key)

    @endpoint("GET", "/v1/components/{component_id}/dependents")
    def dependents(self, component_id: str, **read: Unpack[ReadOptions]) -> Call[Dependents]:
        return Call(Dependents, {"component_id": component_id}, query=read)

    @endpoint("POST", "/v1/components/heartbeats")
    def heartbeats(self, events: Sequence[Mapping[str, Any]], *, key: str | None = None) -> Call[HeartbeatsTaken]:
        """Heartbeats of several components at once, as a node gathers them."""
        return Call(HeartbeatsTaken, body=list(events), key=key)

    @endpoint("GET", "/event")
    def listener(self) -> Call[Listener]:
        """The orchestrator as a component: what it takes and in which state it is."""
        return Call(Listener)

    @endpoint("GET", "/v1/components")
    def list(
        self, *, group: str | None = None, state: str | None = None, **read: Unpack[ReadOptions]
    ) -> Call[list[Component]]:
        return Call(list[Component], query={"group": group, "state": state, **read})
