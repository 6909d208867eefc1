"""The commands that change the replicated registry of processors. Pure. `registry.apply` says what they do.

Unknown members of a command are refused: skipping them would recurse, and then what a command means would depend on
the stack it is applied from. A new member needs a new version of the command.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from framebuffer.models import ProcessorRegistration, ProcessorUpdate

__all__ = [
    "DRAIN",
    "HEALTH",
    "KINDS",
    "REGISTER",
    "UNREGISTER",
    "UPDATE",
    "Drain",
    "Health",
    "Position",
    "Register",
    "RegistryCommand",
    "Unregister",
    "Update",
    "unchecked",
]

REGISTER = "processor.register"
UPDATE = "processor.update"
UNREGISTER = "processor.unregister"
HEALTH = "processor.health"
DRAIN = "processor.drain"

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
        return unchecked(self.id, self.capabilities, self.capacity, self.queue, self.health_url, dict(self.labels))


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


class Drain(msgspec.Struct, frozen=True, kw_only=True, tag=DRAIN, forbid_unknown_fields=True):
    """Give it no more frames, or (`draining` false) give it frames again."""

    kind: ClassVar[str] = DRAIN
    id: str
    draining: bool


RegistryCommand = Register | Update | Unregister | Health | Drain
KINDS: Mapping[str, type[RegistryCommand]] = {
    REGISTER: Register,
    UPDATE: Update,
    UNREGISTER: Unregister,
    HEALTH: Health,
    DRAIN: Drain,
}


def unchecked(
    processor_id: str,
    capabilities: tuple[str, ...],
    capacity: int,
    queue: str,
    health_url: str | None,
    labels: dict[str, str],
) -> ProcessorRegistration:
    """A registration that is not validated again: a later, stricter rule must not change what an old log says."""
    return ProcessorRegistration.model_construct(
        id=processor_id,
        capabilities=capabilities,
        capacity=capacity,
        queue=queue,
        health_url=health_url,
        labels=labels,
    )
