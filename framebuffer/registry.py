"""The replicated registry of processors: pure, deterministic, no clock, no I/O.

`apply(registry, kind, body, ...)` is called on every node with the same commands in the same order. Time and the
position in the log come with the command; time is shown, never compared. Rules about what a registration may hold
are checked once, by `models.ProcessorRegistration` at the proposer, and not again here: a later, stricter rule must
not change what an old log says.

Who owns an id: each client instance sends a token of its own with its registration. The same token again is a
refresh. Another token is refused with `processor_exists` while the owner is healthy, and takes the id over once the
owner's heartbeats are missing.

Unknown members of a command are refused: skipping them would recurse, and then what a command means would depend on
the stack it is applied from. A new member needs a new version of the command.

Codes: `processor_exists`, `processor_unknown`, `processor_changed`, `registry_full`, `unknown_command`,
`invalid_command`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec

from framebuffer.models import ProcessorRegistration, ProcessorUpdate

REGISTER = "processor.register"
UPDATE = "processor.update"
UNREGISTER = "processor.unregister"
HEALTH = "processor.health"

PROCESSORS_MAX = 10_000
"""The registry is kept in memory and in snapshots of every node, so it is bounded."""


Position = tuple[int, int]
"""(term, index): where in the replicated log a row was last registered. It tells two registrations of one id apart."""


class Register(msgspec.Struct, frozen=True, kw_only=True, tag=REGISTER, forbid_unknown_fields=True):
    """Make with `Register.of`, which takes a validated registration."""

    kind: ClassVar[str] = REGISTER
    id: str
    capabilities: tuple[str, ...]
    capacity: int
    queue: str
    health_url: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    token: str = ""

    @classmethod
    def of(cls, registration: ProcessorRegistration, *, token: str = "") -> "Register":
        return cls(**registration.model_dump(), token=token)

    def registration(self) -> ProcessorRegistration:
        return _registration(self.id, self.capabilities, self.capacity, self.queue, self.health_url, dict(self.labels))


class Update(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=UPDATE, forbid_unknown_fields=True):
    """Changes only the fields that are set."""

    kind: ClassVar[str] = UPDATE
    id: str
    capabilities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    capacity: int | msgspec.UnsetType = msgspec.UNSET
    health_url: str | msgspec.UnsetType | None = msgspec.UNSET
    labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, processor_id: str, update: ProcessorUpdate) -> "Update":
        fields = {
            name: value
            for name in update.model_fields_set
            if (value := getattr(update, name)) is not None or name == "health_url"
        }
        return cls(id=processor_id, **fields)


class Unregister(msgspec.Struct, frozen=True, kw_only=True, tag=UNREGISTER, forbid_unknown_fields=True):
    """With a token, only the owner's registration is removed: a late goodbye does not remove its successor."""

    kind: ClassVar[str] = UNREGISTER
    id: str
    token: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True, tag=HEALTH, forbid_unknown_fields=True):
    """The leader's verdict. With a position it holds only for that registration, not for a newer one of the same id."""

    kind: ClassVar[str] = HEALTH
    id: str
    healthy: bool
    reason: str = ""
    position: Position | None = None


RegistryCommand = Register | Update | Unregister | Health
KINDS: Mapping[str, type[RegistryCommand]] = {
    REGISTER: Register,
    UPDATE: Update,
    UNREGISTER: Unregister,
    HEALTH: Health,
}


class RegistryResult(msgspec.Struct, frozen=True):
    """`value` is plain builtins; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.code == ""


class RegistryEvent(NamedTuple):
    kind: str
    subject: str
    data: dict[str, Any]


class ProcessorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One processor as every node knows it. `registered_time` is unix seconds of the proposer's clock, for display."""

    registration: ProcessorRegistration
    healthy: bool
    reason: str
    registered_time: float
    position: Position
    token: str = ""

    @property
    def id(self) -> str:
        return self.registration.id

    def public(self) -> dict[str, Any]:
        """What the API shows: everything but the owner's token."""
        return {
            **self.registration.model_dump(mode="json"),
            "healthy": self.healthy,
            "reason": self.reason,
            "registered_time": self.registered_time,
            "position": list(self.position),
        }


class ProcessorRegistry:
    """Rows by processor id. `rows` is replaced on change and never altered, so any thread may read it without a
    lock.
    """

    def __init__(self) -> None:
        self.rows: Mapping[str, ProcessorRow] = {}

    def get(self, processor_id: str) -> ProcessorRow | None:
        return self.rows.get(processor_id)

    def for_capability(self, capability: str) -> tuple[ProcessorRow, ...]:
        return tuple(row for row in self.rows.values() if row.registration.can_process(capability))

    def healthy(self) -> tuple[ProcessorRow, ...]:
        return tuple(row for row in self.rows.values() if row.healthy)

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins, ordered by id: equal states give equal bytes."""
        return {
            "version": 1,
            "processors": [{**row.public(), "token": row.token} for _, row in sorted(self.rows.items())],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        version = data.get("version")
        if version != 1:
            raise ValueError(f"processor registry: snapshot version {version!r} is not known here")
        rows = (_restored(item) for item in data["processors"])
        self.rows = {row.id: row for row in rows}


def apply(
    registry: ProcessorRegistry,
    kind: str,
    body: bytes | RegistryCommand,
    *,
    time: float = 0.0,
    position: Position = (0, 0),
) -> tuple[RegistryResult, list[RegistryEvent]]:
    """Apply one command; `body` is the command or its msgpack. A refusal has a code and changes nothing."""
    wanted = KINDS.get(kind)
    if wanted is None:
        return RegistryResult(code="unknown_command", message=f"no such processor command: {kind}"), []
    if isinstance(body, bytes):
        try:
            body = msgspec.msgpack.decode(body, type=wanted)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return RegistryResult(code="invalid_command", message=f"{kind}: {error}"), []
    match body:
        case Register() if kind == REGISTER:
            return _register(registry, body, time, position)
        case Update() if kind == UPDATE:
            return _update(registry, body)
        case Unregister() if kind == UNREGISTER:
            return _unregister(registry, body)
        case Health() if kind == HEALTH:
            return _health(registry, body)
    return RegistryResult(code="invalid_command", message=f"{kind}: the body is a {type(body).__name__}"), []


_Applied = tuple[RegistryResult, list[RegistryEvent]]


def _register(registry: ProcessorRegistry, command: Register, time: float, position: Position) -> _Applied:
    held = registry.rows.get(command.id)
    registration = command.registration()
    if held is None:
        if len(registry.rows) >= PROCESSORS_MAX:
            message = f"the registry holds {PROCESSORS_MAX} processors already"
            return RegistryResult(code="registry_full", message=message), []
        event = "processor.registered"
    elif command.token and command.token == held.token:
        if held.healthy and held.registration == registration:
            return RegistryResult(value=held.public()), []
        event = "processor.refreshed"
    elif held.healthy:
        message = f"processor {command.id} is registered by another client, which is healthy"
        return RegistryResult(code="processor_exists", message=message), []
    else:
        event = "processor.taken_over"
    row = ProcessorRow(
        registration=registration,
        healthy=True,
        reason="registered",
        registered_time=time,
        position=position,
        token=command.token,
    )
    return _stored(registry, row, event)


def _update(registry: ProcessorRegistry, command: Update) -> _Applied:
    held = registry.rows.get(command.id)
    if held is None:
        return _unknown(command.id)
    fields = {
        name: value
        for name in ("capabilities", "capacity", "health_url", "labels")
        if (value := getattr(command, name)) is not msgspec.UNSET
    }
    registration = held.registration.model_copy(update=fields)
    if registration == held.registration:
        return RegistryResult(value=held.public()), []
    return _stored(registry, msgspec.structs.replace(held, registration=registration), "processor.updated")


def _unregister(registry: ProcessorRegistry, command: Unregister) -> _Applied:
    held = registry.rows.get(command.id)
    if held is None:
        return _unknown(command.id)
    if command.token and held.token != command.token:
        return _changed(command.id)
    registry.rows = {key: row for key, row in registry.rows.items() if key != command.id}
    return RegistryResult(), [RegistryEvent("processor.unregistered", command.id, {})]


def _health(registry: ProcessorRegistry, command: Health) -> _Applied:
    held = registry.rows.get(command.id)
    if held is None:
        return _unknown(command.id)
    if command.position is not None and command.position != held.position:
        return _changed(command.id)
    if held.healthy == command.healthy:
        return RegistryResult(value=held.public()), []
    row = msgspec.structs.replace(held, healthy=command.healthy, reason=command.reason)
    return _stored(registry, row, "processor.healthy" if command.healthy else "processor.unhealthy")


def _stored(registry: ProcessorRegistry, row: ProcessorRow, event: str) -> _Applied:
    registry.rows = {**registry.rows, row.id: row}
    public = row.public()
    return RegistryResult(value=public), [RegistryEvent(event, row.id, public)]


def _unknown(processor_id: str) -> _Applied:
    return RegistryResult(code="processor_unknown", message=f"processor {processor_id} is not registered"), []


def _changed(processor_id: str) -> _Applied:
    message = f"processor {processor_id} has been registered anew by another client"
    return RegistryResult(code="processor_changed", message=message), []


def _registration(
    processor_id: str,
    capabilities: tuple[str, ...],
    capacity: int,
    queue: str,
    health_url: str | None,
    labels: dict[str, str],
) -> ProcessorRegistration:
    # Not validated again: see the module's docstring.
    return ProcessorRegistration.model_construct(
        id=processor_id,
        capabilities=capabilities,
        capacity=capacity,
        queue=queue,
        health_url=health_url,
        labels=labels,
    )


def _position(pair: Sequence[int]) -> Position:
    term, index = pair
    return term, index


def _restored(item: Mapping[str, Any]) -> ProcessorRow:
    return ProcessorRow(
        registration=_registration(
            item["id"],
            tuple(item["capabilities"]),
            item["capacity"],
            item["queue"],
            item["health_url"],
            dict(item["labels"]),
        ),
        healthy=item["healthy"],
        reason=item["reason"],
        registered_time=item["registered_time"],
        position=_position(item["position"]),
        token=item["token"],
    )
