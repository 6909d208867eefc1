"""The replicated registry of processors: pure, deterministic, no clock, no I/O.

`apply(registry, kind, body, ...)` is called on every node with the same commands in the same order. Time and the
position in the log come with the command; time is shown, never compared. Rules about what a registration may hold
are checked once, by `models.ProcessorRegistration` at the proposer, and not again here: a later, stricter rule must
not change what an old log says.

Draining: a processor that drains gets no new frames and finishes what it has. It lasts until it is resumed or the id
is registered by another client; the owner's refresh leaves it as it is.

Who owns an id: each client instance sends a token of its own with its registration. The same token again is a
refresh. Another token is refused with `processor_exists` while the owner is healthy, and takes the id over once the
owner's heartbeats are missing.

Codes: `processor_exists`, `processor_unknown`, `processor_changed`, `registry_full`, `unknown_command`,
`invalid_command`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from framebuffer.models import ProcessorRegistration
from framebuffer.registry_commands import (
    DRAIN,
    HEALTH,
    KINDS,
    REGISTER,
    UNREGISTER,
    UPDATE,
    Drain,
    Health,
    Position,
    Register,
    RegistryCommand,
    Unregister,
    Update,
    unchecked,
)

__all__ = [
    "DRAIN",
    "KINDS",
    "PROCESSORS_MAX",
    "Drain",
    "Health",
    "Position",
    "ProcessorRegistry",
    "ProcessorRow",
    "Register",
    "RegistryCommand",
    "RegistryEvent",
    "RegistryResult",
    "Unregister",
    "Update",
    "apply",
]

PROCESSORS_MAX = 10_000
"""The registry is kept in memory and in snapshots of every node, so it is bounded."""


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
    draining: bool = False

    @property
    def id(self) -> str:
        return self.registration.id

    def public(self) -> dict[str, Any]:
        """What the API shows: everything but the owner's token.

        `draining` is in it only while it is true: the outcomes of commands that the first release knows stay what they
        were there.
        """
        shown = {
            **self.registration.model_dump(mode="json"),
            "healthy": self.healthy,
            "reason": self.reason,
            "registered_time": self.registered_time,
            "position": list(self.position),
        }
        return {**shown, "draining": True} if self.draining else shown


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
        """Plain builtins, ordered by id: equal states give equal bytes.

        Version 1 knows no draining. It is still written while none drains, so that a node of the first release can
        take a snapshot from a newer one.
        """
        return {
            "version": 2 if any(row.draining for row in self.rows.values()) else 1,
            "processors": [{**row.public(), "token": row.token} for _, row in sorted(self.rows.items())],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        version = data.get("version")
        if version not in (1, 2):
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
        case Drain() if kind == DRAIN:
            return _drain(registry, body)
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
        draining=held is not None and held.draining and event == "processor.refreshed",
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


def _drain(registry: ProcessorRegistry, command: Drain) -> _Applied:
    held = registry.rows.get(command.id)
    if held is None:
        return _unknown(command.id)
    if held.draining == command.draining:
        return RegistryResult(value=held.public()), []
    row = msgspec.structs.replace(held, draining=command.draining)
    return _stored(registry, row, "processor.draining" if command.draining else "processor.resumed")


def _stored(registry: ProcessorRegistry, row: ProcessorRow, event: str) -> _Applied:
    registry.rows = {**registry.rows, row.id: row}
    public = row.public()
    return RegistryResult(value=public), [RegistryEvent(event, row.id, public)]


def _unknown(processor_id: str) -> _Applied:
    return RegistryResult(code="processor_unknown", message=f"processor {processor_id} is not registered"), []


def _changed(processor_id: str) -> _Applied:
    message = f"processor {processor_id} has been registered anew by another client"
    return RegistryResult(code="processor_changed", message=message), []


def _position(pair: Sequence[int]) -> Position:
    term, index = pair
    return term, index


def _restored(item: Mapping[str, Any]) -> ProcessorRow:
    return ProcessorRow(
        registration=unchecked(
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
        draining=item.get("draining", False),
    )
