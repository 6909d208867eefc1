"""How much anybody may ask: one replicated policy, which every node holds its own callers to. Pure.

Codes: `precondition_failed` (with `{"revision": …}`, what it is now), `invalid_command`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from orchestrator.access.buckets import Rate

RATE_MAX = 1_000_000.0
BURST_MAX = 10_000_000
FAILURES_MAX = 1_000_000

Position = tuple[int, int]
"""(term, index) in the replicated log."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a second and at once, by token and by address; refused tokens a minute by address.

    A node answers two to three thousand requests a second. A thousand components that beat once a second from behind
    one address are within the defaults.
    """

    enabled: bool = True
    token_per_second: float = 2_000.0
    token_burst: int = 4_000
    address_per_second: float = 3_000.0
    address_burst: int = 6_000
    failures_per_minute: int = 30

    @property
    def by_token(self) -> Rate:
        return Rate(self.token_per_second, self.token_burst)

    @property
    def by_address(self) -> Rate:
        return Rate(self.address_per_second, self.address_burst)

    @property
    def failures(self) -> Rate:
        return Rate(self.failures_per_minute / 60, self.failures_per_minute)

    def public(self) -> dict[str, Any]:
        """As the API shows it."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]  # of a struct


class Put(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `if_revision` they are put whatever was there; 0: while nobody ever put any."""

    kind: ClassVar[str] = "limits.put"
    limits: Limits
    if_revision: int | None = None
    id: str = "requests"
    """what they are the limits of, for the audit"""


KINDS: Mapping[str, type[Put]] = {Put.kind: Put}


class Result(msgspec.Struct, frozen=True):
    """`value` is `{"revision": …}`; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""


class LimitsEvent(NamedTuple):
    kind: str
    subject: str
    data: dict[str, Any]


class LimitsPolicy:
    """The limits as every node knows them. `revision`: of the last change, 0 while they are the defaults."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.revision = 0

    @property
    def untouched(self) -> bool:
        """Nobody ever put any."""
        return self.revision == 0

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins."""
        return {"version": 1, "revision": self.revision, "limits": self.limits.public()}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"limits: snapshot version {data.get('version')!r} is not known here")
        limits, revision = msgspec.convert(data["limits"], Limits), msgspec.convert(data["revision"], int)
        self.limits, self.revision = limits, revision

    def adopt(self, other: "LimitsPolicy") -> None:
        """Become what `other` is."""
        self.limits, self.revision = other.limits, other.revision

    def apply(self, kind: str, body: bytes, *, position: Position) -> tuple[Result, list[LimitsEvent]]:
        """Apply one command; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{kind}: {error}"), []
        if command.if_revision is not None and command.if_revision != self.revision:
            message = f"the limits have revision {self.revision}, the condition was {command.if_revision}"
            return Result(value={"revision": self.revision}, code="precondition_failed", message=message), []
        self.limits = command.limits
        self.revision = max(position[1], self.revision + 1)
        value = {"revision": self.revision}
        return Result(value=value), [LimitsEvent(Put.kind, "limits", value)]
