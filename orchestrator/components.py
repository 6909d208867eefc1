"""The replicated registry of components: pure, deterministic, no clock, no I/O.

Rows say who is registered, in which state a component last was known to be, and whether it is heard (`online`).
High-rate heartbeats stay out; only transitions are proposed. What may stand in a registration is checked once, at the
proposer (`ComponentRegistration`), and not again here: a later, stricter rule must not change what an old log says.

A member of a body that this release does not know is refused, not skipped: how deeply nested a value can be skipped
depends on the caller's stack, and two nodes would then differ on one command. A new member takes a new version.

Which report counts: a component process has an `incarnation` and numbers its changes. A registration makes its
incarnation the one that counts; a report of another one is refused (`component_superseded`), and one that is not newer
than what is known changes nothing. So a report, or a registration, that was held up cannot undo a later one.

Codes: `component_exists`, `component_unknown`, `component_superseded`, `component_changed`, `registry_full`,
`invalid_command`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, field_validator

from orchestrator.events import SEQUENCE_MAX, Frozen, Id
from orchestrator.lifecycle import State

COMPONENTS_MAX = 10_000
"""The registry is kept in memory and in snapshots of every node, so it is bounded."""

Position = tuple[int, int]
"""(term, index) of a row's latest registration."""


class ComponentRegistration(Frozen):
    """What a component says when it registers. `address` is the base URL that takes `POST /event`."""

    id: Id
    name: str = Field(default="", max_length=200)
    address: str = Field(max_length=500)
    groups: tuple[Id, ...] = Field(default=(), max_length=100)
    state: State = State.READY
    incarnation: str = Field(default="", max_length=64)
    sequence: int | None = Field(default=None, ge=0, le=SEQUENCE_MAX)

    @field_validator("address")
    @classmethod
    def _base_url(cls, value: str) -> str:
        # urlsplit would drop some of these without a word.
        if any(character.isspace() or not character.isprintable() for character in value):
            raise ValueError("an address has no spaces and no control characters")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address is http://host:port or https://host:port")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address has no user, query or fragment")
        _ = parts.port  # raises ValueError for a port that is none
        return value.rstrip("/")


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make with `Register.of`. A component that is registered elsewhere and heard keeps its id."""

    kind: ClassVar[str] = "component.register"
    id: str
    address: str
    name: str = ""
    groups: tuple[str, ...] = ()
    state: State = State.READY
    incarnation: str = ""
    sequence: int | None = None

    @classmethod
    def of(cls, registration: ComponentRegistration) -> "Register":
        return cls(**registration.model_dump())


class Unregister(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str] = "component.unregister"
    id: str


class Observe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state that a component reported. Without `sequence` it counts as it comes."""

    kind: ClassVar[str] = "component.observe"
    id: str
    state: State
    reason: str = ""
    incarnation: str = ""
    sequence: int | None = None


class Presence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The leader's verdict whether a component is heard; it holds for the registration at `position` only."""

    kind: ClassVar[str] = "component.presence"
    id: str
    online: bool
    reason: str = ""
    position: Position | None = None


ComponentCommand = Register | Unregister | Observe | Presence
KINDS: Mapping[str, type[ComponentCommand]] = {
    command.kind: command for command in (Register, Unregister, Observe, Presence)
}


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

    def public(self) -> dict[str, Any]:
        """As the API shows it; `presence` is ONLINE or OFFLINE, `reason` why it is OFFLINE, else that of its state."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        del shown["incarnation"], shown["sequence"], shown["absence"]
        return {
            **shown,
            "presence": "ONLINE" if self.online else "OFFLINE",
            "reason": self.reason if self.online else self.absence,
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
        """Plain builtins, ordered by id: equal states give equal bytes."""
        return {"version": 1, "components": [msgspec.to_builtins(row) for _, row in sorted(self.rows.items())]}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"component registry: snapshot version {data.get('version')!r} is not known here")
        rows = msgspec.convert(data["components"], list[ComponentRow])
        self.rows = {row.id: row for row in rows}

    def apply(self, kind: str, body: bytes, *, time: float, position: Position) -> Applied:
        """Apply one command; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
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
        )
        if (
            held is not None
            and msgspec.structs.replace(row, registered_time=held.registered_time, position=held.position) == held
        ):
            return Result(value=held.public()), []
        return self._stored(row, "component.registered" if held is None else "component.registered_again")

    def _unregister(self, command: Unregister) -> Applied:
        if command.id not in self.rows:
            return _unknown(command.id)
        self.rows = {key: row for key, row in self.rows.items() if key != command.id}
        return Result(), [ComponentEvent("component.unregistered", command.id, {})]

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
            message = f"component {command.id} has registered again since"
            return Result(code="component_changed", message=message), []
        if held.online == command.online:
            return Result(value=held.public()), []
        absence = "" if command.online else command.reason
        row = msgspec.structs.replace(held, online=command.online, absence=absence)
        return self._stored(row, "component.online" if command.online else "component.offline")

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
