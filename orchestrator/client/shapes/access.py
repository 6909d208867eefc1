"""Shapes of answers: access. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class LimitsShown(msgspec.Struct, frozen=True, kw_only=True):
    """`revision` is the ETag; 0: the defaults."""

    enabled: bool | None = None
    token_per_second: float | None = None
    """In the long run, by one token."""
    token_burst: int | None = None
    """At once, by one token."""
    address_per_second: float | None = None
    """In the long run, from one address, or from one /64 of IPv6."""
    address_burst: int | None = None
    """At once, from one address."""
    failures_per_minute: int | None = None
    """Refused tokens from one address, before it is not listened to."""
    revision: int


class RightShown(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the decision table."""

    method: str
    path: str
    roles: list[str]
    public: bool
    """No token is needed."""
    own: str
    """Where the request names a machine: that has to be the token's subject. `cluster`: only by the cluster's
    own token.
    """


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its text. Times are unix seconds by the clock of the node that proposed the change."""

    id: str
    name: str
    role: str
    subject: str | None
    created: float
    expires: float | None
    rotated: float | None
    """When its secret was last replaced."""
    grace_until: float | None
    """Until when a secret before is taken."""
    revoked: float | None


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """With its text: this is the only time that it is shown."""

    id: str
    name: str
    role: str
    subject: str | None
    created: float
    expires: float | None
    rotated: float | None
    """When its secret was last replaced."""
    grace_until: float | None
    """Until when a secret before is taken."""
    revoked: float | None
    token: str
    command_token: str | None = None
    """For a component, where the cluster has a token of its own: what the nodes show to it."""


class Whoami(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as this node knows it."""

    kind: str
    id: str
    name: str
    role: str
    subject: str | None
    expires: float | None
