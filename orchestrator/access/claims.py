"""Who an identity provider's token says it is, once its signature is good. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.access.principal import Principal, Role

PEOPLE: tuple[Role, ...] = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""Ascending. An identity provider knows people; machines have tokens of the cluster."""
SUBJECT_CHARS_MAX = 256
NAME_CHARS_MAX = 100
VALUES_MAX = 1_000


def principal_of(
    claims: Mapping[str, Any], *, role_claim: str, roles: Mapping[str, Role], name_claim: str, leeway_s: float
) -> Principal | None:
    """Who it is; None when the claims give no role. ValueError where they are not what they should be.

    Args:
        claims: of a token whose signature, issuer, audience and times were checked: `sub` and `exp` are there.
        roles: role by value of the claim; empty: the values are names of roles themselves.
    """
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= SUBJECT_CHARS_MAX or not subject.isprintable():
        raise ValueError(f"sub: a text of 1 to {SUBJECT_CHARS_MAX} printable characters is wanted")
    role = role_of(claimed(claims, role_claim), roles)
    if role is None:
        return None
    named = claimed(claims, name_claim)
    name = named if isinstance(named, str) and named.isprintable() else ""
    until = float(claims["exp"]) + leeway_s
    return Principal(kind="oidc", id=subject, role=role, name=name[:NAME_CHARS_MAX].strip(), until=until)


def claimed(claims: Mapping[str, Any], path: str) -> Any:
    """What stands at `path`: under that very name, which may have dots itself, or down the dots. None: nothing."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def role_of(value: Any, roles: Mapping[str, Role]) -> Role | None:
    """The highest role that a claim gives: a text, perhaps several words, or a list of texts."""
    values: Sequence[Any] = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
    known = roles or {role.value: role for role in PEOPLE}
    given = {known[one] for one in values[:VALUES_MAX] if isinstance(one, str) and one in known}
    if isinstance(value, str) and value in known:  # a name with blanks in it
        given.add(known[value])
    return max((role for role in given if role in PEOPLE), key=PEOPLE.index, default=None)
