"""Who may ask what: in front of everything but the addresses that balancers look at and the dashboard's files.

    Authorise    who is it (`orchestrator.api.gate`), may they ask this (`orchestrator.access.rights`)
    OwnBody      further in, once the body is read: a machine names itself in it and nobody else

The credential is `Authorization: Bearer` alone; no cookies, so there is nothing that another site could have a browser
send. A browser cannot set that header for a WebSocket: there it is the subprotocol `triarch.bearer.TOKEN`.
"""

import json
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.access.acting import ACTOR
from orchestrator.access.principal import Actor, Principal, Role
from orchestrator.access.rights import RIGHTS, Right, find, is_file, methods_of
from orchestrator.api.envelope import facts
from orchestrator.api.gate import Gate
from orchestrator.api.problems import Problem

OPEN_PATHS = frozenset(right.path for right in RIGHTS if right.public)
SUBPROTOCOL_PREFIX = "triarch.bearer."
MACHINES = frozenset({Role.COMPONENT, Role.PROCESSOR})


class Authorise:
    """Refuses with 401 or 403 before a body is read or anything is passed on; sets `facts(scope)["principal"]`, ACTOR.

    The address of the client is `facts(scope)["client"]` where something further out knows it better than the
    connection does, and the node that was asked first `facts(scope)["forwarded_by"]`.
    """

    def __init__(self, app: ASGIApp, gate: Gate, node_id: str) -> None:
        self._app = app
        self._gate = gate
        self._node_id = node_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        principal = await self._principal(scope)
        if principal is None:
            await self._app(scope, receive, send)
            return
        facts(scope)["principal"] = principal
        token = ACTOR.set(self._actor(scope, principal))
        try:
            await self._app(scope, receive, send)
        finally:
            ACTOR.reset(token)

    async def _principal(self, scope: Scope) -> Principal | None:
        """Who asks; None where it does not matter. Raises `Problem`."""
        method, path = scope.get("method", "GET"), scope["path"]
        found = find(method, path)
        if (found is not None and found.right.public) or (found is None and is_file(method, path)):
            return None
        principal = await self._gate.admit(shown_by(scope))
        if found is None:
            if principal.role != Role.ADMIN:
                raise _nothing_here(path)
            return principal
        check(principal, found.right)
        if principal.role in MACHINES and found.right.own.startswith("path."):
            check_own(principal, found.named[found.right.own.removeprefix("path.")])
        facts(scope)["right"] = found.right
        return principal

    def _actor(self, scope: Scope, principal: Principal) -> Actor:
        known = facts(scope)
        client = scope.get("client")
        return Actor(
            kind=principal.kind,
            id=principal.id,
            name=principal.name,
            role=principal.role.value,
            address=known.get("client") or (client[0] if client else ""),
            node=known.get("forwarded_by") or self._node_id,
        )


class OwnBody:
    """Holds what a machine says of itself in a body against its token. Stands behind `Intake`, which reads the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            known = facts(scope)
            principal: Principal | None = known.get("principal")
            right: Right | None = known.get("right")
            if principal is not None and right is not None and principal.role in MACHINES:
                member = right.own.removeprefix("body.") if right.own.startswith("body.") else None
                if member is not None:
                    check_own(principal, _member(known["body"], member))
        await self._app(scope, receive, send)


def check(principal: Principal, right: Right) -> None:
    """Raises 403 `forbidden` where the role is not among those of the row."""
    if right.own == "cluster" and principal.kind not in ("cluster", "open"):
        detail = f"{right.method} {right.path} is for the cluster's own token (api.token) alone"
        raise Problem("forbidden", detail, role=principal.role.value, needs=["cluster"])
    if principal.role in right.roles:
        return
    needs = sorted(role.value for role in right.roles)
    detail = f"{right.method} {right.path} needs {' or '.join(needs)}; this token's role is {principal.role.value}"
    raise Problem("forbidden", detail, role=principal.role.value, needs=needs)


def check_own(principal: Principal, named: str) -> None:
    """Raises 403 where a machine is about to act for another one."""
    if named != principal.subject:
        detail = (
            f"this token is {principal.role.value} {principal.subject}'s, for itself alone; the request names another"
        )
        raise Problem("forbidden", detail, role=principal.role.value, needs=[Role.OPERATOR.value, Role.ADMIN.value])


def _member(body: bytes, name: str) -> str:
    """A text member of a JSON object. A name that stands twice is refused: two readers may take different ones."""
    try:
        found: Any = json.loads(body, object_pairs_hook=_once)
        value = found[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        value = None
    if not isinstance(value, str):
        reason = f"a JSON object with the text {name}, no member twice, is wanted"
        raise Problem(
            "invalid_request",
            f"body: {reason}",
            errors=[{"location": f"body.{name}", "message": reason, "type": "own"}],
        )
    return value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def shown_by(scope: Scope) -> list[str]:
    """What would be the `Authorization` headers. One, or none where nothing is asked for, once it is let through."""
    headers = Headers(scope=scope)
    shown = headers.getlist("authorization")
    if scope["type"] == "websocket":
        offered = [each.strip() for line in headers.getlist("sec-websocket-protocol") for each in line.split(",")]
        tokens = [each.removeprefix(SUBPROTOCOL_PREFIX) for each in offered if each.startswith(SUBPROTOCOL_PREFIX)]
        shown = [*shown, *(f"Bearer {token}" for token in tokens)]
    return shown


def _nothing_here(path: str) -> Problem:
    allowed = methods_of(path)
    if not allowed:
        return Problem("not_found", "no such path")
    return Problem("method_not_allowed", "this path takes other methods", headers={"Allow": ", ".join(sorted(allowed))})
