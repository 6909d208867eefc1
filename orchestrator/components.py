"""The replicated registry of components: pure, deterministic, no clock, no I/O.

Rows say who is registered, in which state a component last was known to be, whether it is heard (`online`), and how it
finds itself (`degraded`). High-rate heartbeats stay out; only transitions are proposed. The commands stand in
`orchestrator.component_commands`.

Which report counts: a component process has an `incarnation` and numbers its changes. A registration makes its
incarnation the one that counts; a report of another one is refused (`component_superseded`), and one that is not newer
than what is known changes nothing. So a report, or a registration, that was held up cannot undo a later one.

Codes: `component_exists`, `component_unknown`, `component_superseded`, `component_changed`, `registry_full`,
`invalid_command`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from orchestrator.component_commands import (
    BODIES,
    DECLARED,
    KINDS,
    ComponentCommand,
    ComponentRegistration,
    Declare,
    Observe,
    Position,
    Presence,
    Register,
    SelfReport,
    Unregister,
)
from orchestrator.lifecycle import State

__all__ = [
    "BODIES",
    "COMPONENTS_MAX",
    "KINDS",
    "Applied",
    "ComponentCommand",
    "ComponentEvent",
    "ComponentRegistration",
    "ComponentRegistry",
    "ComponentRow",
    "Declare",
    "Observe",
    "Position",
    "Presence",
    "Register",
    "Result",
    "SelfReport",
    "Unregister",
]

COMPONENTS_MAX = 10_000
"""The registry is kept in memory and in snapshots of every node, so it is bounded."""


class Result(msgspec.Struct, frozen=True):
    """`value` is plain builtins; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""


class ComponentEvent(NamedTuple):
    kind: str
    subject: str
    data: dict[str, Any]


class ComponentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One component as every node knows it. `registered_time` is unix seconds of the proposer's clock, for display.

    `reason` belongs to `state`, `absence` says why the component is not `online`: one does not overwrite the other.
    """

    id: str
    name: str
    address: str
    groups: tuple[str, ...]
    state: State
    online: bool
    reason: str
    incarnation: str
    sequence: int | None
    registered_time: float
    position: Position
    absence: str = ""
    degraded: bool = False
    degraded_reason: str = ""
    depends_on: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    heartbeat_s: float | None = None

    @property
    def health(self) -> str:
        """OK, DEGRADED (its own word) or UNRESPONSIVE (the leader's verdict, which says the same as OFFLINE)."""
        if not self.online:
            return "UNRESPONSIVE"
        return "DEGRADED" if self.degraded else "OK"

    @property
    def health_reason(self) -> str:
        return self.degraded_reason if self.online else self.absence

    def public(self) -> dict[str, Any]:
        """As the API shows it; `presence` is ONLINE or OFFLINE, `reason` why it is OFFLINE, else that of its state."""
        # By hand: this is done for each row of a list, and is three times as fast as converting the struct.
        return {
            "id": self.id,
            "name": self.name,
            "address": self.address,
            "groups": self.groups,
            "state": self.state.value,
            "online": self.online,
            "presence": "ONLINE" if self.online else "OFFLINE",
            "reason": self.reason if self.online else self.absence,
            "health": self.health,
            "health_reason": self.health_reason,
            "depends_on": self.depends_on,
            "labels": dict(self.labels),
            "heartbeat_s": self.heartbeat_s,
            "registered_time": self.registered_time,
            "position": list(self.position),
        }


Applied = tuple[Result, list[ComponentEvent]]


class ComponentRegistry:
    """Rows by component id. `rows` is replaced on change and never altered: any thread may read it without a lock."""

    def __init__(self) -> None:
        self.rows: Mapping[str, ComponentRow] = {}

    def get(self, component_id: str) -> ComponentRow | None:
        return self.rows.get(component_id)

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins, ordered by id: equal states give equal bytes.

        While no row has what came with version 2, version 1 is written, which the release before reads.
        """
        rows = [_stored_row(row) for _, row in sorted(self.rows.items())]
        newer = any(name in row for row in rows for name in NEWER)
        return {"version": 2 if newer else 1, "components": rows}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") not in (1, 2):
            raise ValueError(f"component registry: snapshot version {data.get('version')!r} is not known here")
        rows = msgspec.convert(data["components"], list[ComponentRow])
        self.rows = {row.id: row for row in rows}

    def apply(self, kind: str, body: bytes, *, time: float, position: Position, version: int = 1) -> Applied:
        """Apply one command of `BODIES`; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=BODIES[kind, version])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{kind}: {error}"), []
        match command:
            case Register():
                return self._register(command, time, position)
            case Unregister():
                return self._unregister(command)
            case Observe():
                return self._observe(command)
            case Presence():
                return self._presence(command)
            case SelfReport():
                return self._self_report(command)

    def _register(self, command: Register, time: float, position: Position) -> Applied:
        held = self.rows.get(command.id)
        if held is None and len(self.rows) >= COMPONENTS_MAX:
            return Result(code="registry_full", message=f"{COMPONENTS_MAX} components are registered already"), []
        if held is not None and held.online and held.address != command.address:
            message = f"component {command.id} is registered at {held.address} and heard there"
            return Result(code="component_exists", message=message), []
        state, reason, sequence = command.state, "registered", command.sequence
        if held is not None and not _newer(command, held):
            state, reason, sequence = held.state, held.reason, held.sequence
        row = ComponentRow(
            id=command.id,
            name=command.name,
            address=command.address,
            groups=command.groups,
            state=state,
            online=True,
            reason=reason,
            incarnation=command.incarnation,
            sequence=sequence,
            registered_time=time,
            position=position,
            **({name: getattr(command, name) for name in DECLARED} if isinstance(command, Declare) else {}),
        )
        if (
            held is not None
            and msgspec.structs.replace(
                row,
                registered_time=held.registered_time,
                position=held.position,
                degraded=held.degraded,
                degraded_reason=held.degraded_reason,
            )
            == held
        ):
            return Result(value=held.public()), []
        if held is None:
            return self._stored(row, "component.registered")
        result, events = self._stored(row, "component.registered_again")
        if held.groups != row.groups:  # whoever shows groups has to look at those that it left, too
            events = [event._replace(data={**event.data, "left": list(held.groups)}) for event in events]
        return result, events

    def _unregister(self, command: Unregister) -> Applied:
        if command.id not in self.rows:
            return _unknown(command.id)
        held = self.rows[command.id]
        self.rows = {key: row for key, row in self.rows.items() if key != command.id}
        return Result(), [ComponentEvent("component.unregistered", command.id, {"groups": list(held.groups)})]

    def _observe(self, command: Observe) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return _unknown(command.id)
        if command.incarnation != held.incarnation:
            message = f"another process has registered as component {command.id} since"
            return Result(code="component_superseded", message=message), []
        if not _newer(command, held):
            return Result(value=held.public()), []
        sequence = held.sequence if command.sequence is None else command.sequence
        row = msgspec.structs.replace(held, state=command.state, reason=command.reason, sequence=sequence)
        if row == held:
            return Result(value=held.public()), []
        return self._stored(row, "component.state_changed" if row.state != held.state else "component.reported")

    def _presence(self, command: Presence) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return _unknown(command.id)
        if command.position is not None and command.position != held.position:
            return _registered_since(command.id)
        if held.online == command.online:
            return Result(value=held.public()), []
        absence = "" if command.online else command.reason
        row = msgspec.structs.replace(held, online=command.online, absence=absence)
        return self._stored(row, "component.online" if command.online else "component.offline")

    def _self_report(self, command: SelfReport) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return _unknown(command.id)
        if command.position is not None and command.position != held.position:
            return _registered_since(command.id)
        reason = command.reason if command.degraded else ""
        if (held.degraded, held.degraded_reason) == (command.degraded, reason):
            return Result(value=held.public()), []
        row = msgspec.structs.replace(held, degraded=command.degraded, degraded_reason=reason)
        return self._stored(row, "component.degraded" if row.degraded else "component.recovered")

    def _stored(self, row: ComponentRow, event: str) -> Applied:
        self.rows = {**self.rows, row.id: row}
        public = row.public()
        return Result(value=public), [ComponentEvent(event, row.id, public)]


def _newer(command: Register | Observe, held: ComponentRow) -> bool:
    """Whether what `command` says of the state counts: not when the same process has said something later."""
    if command.incarnation != held.incarnation or command.sequence is None or held.sequence is None:
        return True
    return command.sequence > held.sequence


def _unknown(component_id: str) -> Applied:
    return Result(code="component_unknown", message=f"component {component_id} is not registered"), []


def _registered_since(component_id: str) -> Applied:
    return Result(code="component_changed", message=f"component {component_id} has registered again since"), []


NEWER: Mapping[str, Any] = {
    "degraded": False,
    "degraded_reason": "",
    "depends_on": (),
    "labels": {},
    "heartbeat_s": None,
}
"""Members of a row that came with version 2 of the snapshot, and what they are where nobody used them."""


def _stored_row(row: ComponentRow) -> dict[str, Any]:
    """As a snapshot holds it: a newer member stands there only where it says something."""
    tree: dict[str, Any] = msgspec.to_builtins(row)
    return {name: value for name, value in tree.items() if name not in NEWER or value != NEWER[name]}
