"""Who is behind a request, and what of that a change carries into the log. Pure.

viewer ⊂ operator ⊂ admin      people: look; act on the plant; change who may do what, and the cluster itself
component, processor           machines: each only for itself, the `subject` of its token
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    COMPONENT = "component"
    PROCESSOR = "processor"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    `kind`: how that is known: `token` (one of the replicated ones), `oidc` (an identity provider's), `cluster` (the
    token of the configuration, which the nodes have too), `open` (a node on loopback where nothing is asked for).
    `id`: of the token, or the provider's subject; a stable name for rates and for the audit, never a secret.
    `subject`: the component or processor that a machine's token belongs to, None for people.
    `until`: unix seconds at which what was shown ends at the latest, as far as that was known then; None: no end.
    `generation`: which of a token's secrets was shown; a rotation makes the next.
    """

    kind: str
    id: str
    role: Role
    name: str = ""
    subject: str | None = None
    until: float | None = None
    generation: int = 0


WHO_CHARS_MAX = 100
"""Of who stands beside a change in its row, as the API bounds what is sent for it."""


def signed(principal: Principal | None, said: str) -> str:
    """Who stands beside a change: the name of the token, or of the provider's person, and behind it what they `said`.

    Where nothing was shown that is one person's (an open node, the cluster's own token) it is only what was said.
    """
    if principal is None or principal.kind not in ("token", "oidc"):
        return said
    name = (principal.name or principal.id)[:WHO_CHARS_MAX]
    if said.strip().casefold() in ("", name.casefold(), principal.id.casefold()):
        return name
    if said.startswith(f"{name} ("):  # as it was shown before
        return said
    room = WHO_CHARS_MAX - len(name) - len(" ()")
    if len(said) > room:
        said = said[: max(0, room - 1)] + "…"
    return f"{name} ({said})" if room > 0 else name


OPEN = Principal(kind="open", id="open", role=Role.ADMIN, name="open")
"""Where the configuration asks for no token, which it may on loopback only."""
CLUSTER = Principal(kind="cluster", id="cluster", role=Role.ADMIN, name="cluster")


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who made a change, as it stands in the log beside the change. `address`: host of the client, "" when unknown."""

    kind: str
    id: str
    name: str = ""
    role: str = ""
    address: str = ""
    node: str = ""
    """the node that the client asked, which may have passed the request on"""
