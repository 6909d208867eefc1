"""What changes the registry of components: a registration, and the commands that are replicated. Pure.

What may stand in a registration is checked once, at the proposer (`ComponentRegistration`), and not again when it is
applied: a later, stricter rule must not change what an old log says. A member of a body that this release does not
know is refused, not skipped: how deeply nested a value can be skipped depends on the caller's stack, and two nodes
would then differ on one command. A new member takes a new version.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, ValidationInfo, field_validator

from orchestrator.events import SEQUENCE_MAX, Frozen, Id
from orchestrator.lifecycle import State

HEARTBEAT_MIN_S, HEARTBEAT_MAX_S = 0.05, 300.0

LabelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$")]

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
    depends_on: tuple[Id, ...] = Field(
        default=(), max_length=100, description="Ids of the components that must run before this one."
    )
    labels: dict[LabelName, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=32)
    heartbeat_s: float | None = Field(
        default=None,
        ge=HEARTBEAT_MIN_S,
        le=HEARTBEAT_MAX_S,
        description="Seconds between its heartbeats; how long its silence may last follows from it.",
    )

    @field_validator("depends_on")
    @classmethod
    def _not_of_itself(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if (own := info.data.get("id")) in value:
            raise ValueError(f"component {own} cannot depend on itself")
        return value

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
    def of(cls, registration: ComponentRegistration) -> "Register | Declare":
        """As the oldest release knows it, where it says nothing that only a newer one does."""
        members = registration.model_dump()
        if not any(members[name] for name in DECLARED):
            return cls(**{name: value for name, value in members.items() if name not in DECLARED})
        return Declare(**{**members, "labels": dict(sorted(members["labels"].items()))})


DECLARED = ("depends_on", "labels", "heartbeat_s")
"""What a registration may say since version 2."""


class Declare(Register, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 2 of `component.register`: what the component needs, and how often it is heard."""

    version: ClassVar[int] = 2
    depends_on: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    heartbeat_s: float | None = None


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


class SelfReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a component finds itself, after damping; it holds for the registration at `position` only."""

    kind: ClassVar[str] = "component.health"
    id: str
    degraded: bool
    reason: str = ""
    position: Position | None = None


ComponentCommand = Register | Declare | Unregister | Observe | Presence | SelfReport
KINDS: Mapping[str, type[ComponentCommand]] = {
    command.kind: command for command in (Register, Unregister, Observe, Presence, SelfReport)
}
BODIES: Mapping[tuple[str, int], type[ComponentCommand]] = {
    **{(kind, 1): body for kind, body in KINDS.items()},
    (Declare.kind, Declare.version): Declare,
}
"""(kind, version) → how its body is read."""
