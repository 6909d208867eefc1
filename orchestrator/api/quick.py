"""Reads that are asked for again and again, answered without the general way of routes and their parameters.

What `QuickReads` does not know for certain goes on to the routes: another method, another path, any parameter but
`consistency=leader|stale`, a leader read where leadership is in doubt, a row that is not there. So what is answered
here is what the route would have answered; the tests hold the two against each other.

The rows of a registry are replaced on change and never altered. A text that was made of them is right for as long as
they are the same objects.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.api import alerts, cluster, components, executions, health, policies, processors, variables
from orchestrator.api.asking import STALENESS_HEADER
from orchestrator.api.conditions import etag
from orchestrator.api.view import NodeView

Headers = list[tuple[bytes, bytes]]


class Found(NamedTuple):
    """The JSON of an answer, and its ETag where it has one."""

    body: bytes
    etag: str = ""
    whole: bool = True
    """Whether the ETag changes with all of it. That of a policy is a revision: what is seen beside it moves on."""


Answerer = Callable[[NodeView, str], Found | None]
"""Of a node and the part of the path that the template leaves open; None: the route shall answer."""


class Route(NamedTuple):
    """What figures are kept by."""

    path: str


_LISTS: "WeakKeyDictionary[Any, dict[str, tuple[Any, Found]]]" = WeakKeyDictionary()
"""By node and list, its text with the rows that it was made of."""


def kept(node: NodeView, name: str, rows: Any, make: Callable[[], bytes]) -> Found:
    """The text of a list, made anew when its rows are others. Its ETag is the same on every node."""
    texts = _LISTS.setdefault(node, {})
    before = texts.get(name)
    if before is not None and before[0] is rows:
        return before[1]
    body = make()
    found = Found(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
    texts[name] = (rows, found)
    return found


_processors = TypeAdapter(list[processors.Processor])
_alerts = TypeAdapter(list[alerts.Alert])


def _component(node: NodeView, component_id: str) -> Found | None:
    row = node.state.components.get(component_id)
    return None if row is None else Found(components.text(node, node.state, row))


def _policy(node: NodeView, component_id: str) -> Found | None:
    state = node.state
    if component_id not in state.components.rows and component_id not in state.topology.controls:
        return None
    row = state.topology.control(component_id)
    return Found(
        policies.shown_policy(row).model_dump_json().encode(), etag(row.revision) if row.revision else "", whole=False
    )


def _all_processors(node: NodeView, _: str) -> Found:
    rows = node.state.processors.rows
    return kept(
        node,
        "processors",
        rows,
        lambda: _processors.dump_json([processors.Processor(**row.public()) for _, row in sorted(rows.items())]),
    )


def _processor(node: NodeView, processor_id: str) -> Found | None:
    row = node.state.processors.get(processor_id)
    return None if row is None else Found(processors.observed(node, row).model_dump_json().encode())


def _all_variables(node: NodeView, _: str) -> Found:
    rows = node.state.variables.rows
    return kept(
        node,
        "variables",
        rows,
        lambda: msgspec.json.encode([variables.shown(row) for _, row in sorted(rows.items())]),
    )


def _variable(node: NodeView, name: str) -> Found | None:
    row = node.state.variables.get(name)
    return None if row is None else Found(msgspec.json.encode(variables.shown(row)), etag(row.revision))


def _executions(node: NodeView, _: str) -> Found:
    rows = node.state.executions.rows
    return kept(node, "executions", rows, lambda: msgspec.json.encode(executions.first_page(rows)))


def _cluster(node: NodeView, _: str) -> Found:
    return Found(cluster.seen_by(node).model_dump_json().encode())


def _alive(node: NodeView, _: str) -> Found:
    return Found(health.alive(node).model_dump_json().encode())


def _health(node: NodeView, _: str) -> Found | None:
    seen = health.seen_by(node)
    return None if seen.status == "unhealthy" else Found(seen.model_dump_json().encode())


def _open_alerts(node: NodeView, _: str) -> Found:
    return Found(_alerts.dump_json(alerts.listed(node, node.state.alerts)))


EXACT: Mapping[str, Answerer] = {
    "/processors": _all_processors,
    "/v1/processors": _all_processors,
    "/v1/variables": _all_variables,
    "/v1/executions": _executions,
    "/v1/alerts": _open_alerts,
}
BELOW: Mapping[tuple[str, str], tuple[str, Answerer]] = {
    ("/v1/components/", ""): ("/v1/components/{component_id}", _component),
    ("/v1/components/", "/policy"): ("/v1/components/{component_id}/policy", _policy),
    ("/processors/", ""): ("/processors/{processor_id}", _processor),
    ("/v1/processors/", ""): ("/v1/processors/{processor_id}", _processor),
    ("/v1/variables/", ""): ("/v1/variables/{name}", _variable),
}
"""(what comes before the open part, what comes after it) → the route's template, and who answers."""

CONSISTENCY: Mapping[bytes, str] = {b"": "leader", b"consistency=leader": "leader", b"consistency=stale": "stale"}
OWN: Mapping[str, Answerer] = {"/v1/cluster": _cluster, "/health": _health, "/healthz": _alive}
"""Answered by the node that was asked, or by the leader where that was wanted: not by what is replicated."""


class QuickReads:
    """The innermost middleware."""

    def __init__(self, app: ASGIApp, node: NodeView) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            found = self._find(scope)
            if found is not None:
                await self._send(found, scope, send)
                return
        await self._app(scope, receive, send)

    def _find(self, scope: Scope) -> Found | None:
        path: str = scope["path"]
        consistency = CONSISTENCY.get(scope["query_string"])
        if consistency is None:
            return None
        own = OWN.get(path)
        if own is not None:
            scope["route"] = Route(path)
            return own(self._node, "")
        if not self._node.cluster.at_hand(consistency):
            return None
        answerer = EXACT.get(path)
        if answerer is not None:
            scope["route"] = Route(path)
            return answerer(self._node, "")
        head, _, last = path.rpartition("/")
        suffix = ""
        if last == "policy":
            suffix, (head, _, last) = "/policy", head.rpartition("/")
        known = BELOW.get((head + "/", suffix))
        if known is None:
            return None
        scope["route"] = Route(known[0])
        return known[1](self._node, last)

    async def _send(self, found: Found, scope: Scope, send: Send) -> None:
        headers: Headers = []
        status, body = 200, found.body
        if found.etag:
            headers.append((b"etag", found.etag.encode()))
            if found.whole and _matches(scope["headers"], found.etag.encode()):
                status, body = 304, b""
        if status == 200:
            headers.append((b"content-length", str(len(body)).encode()))
            headers.append((b"content-type", b"application/json"))
        if scope["query_string"] == b"consistency=stale" and scope["path"] not in OWN and not self._node.is_leader():
            age = self._node.cluster.status().last_contact_s
            headers.append((_STALENESS, b"unknown" if age is None else b"%.3f" % age))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


_STALENESS = STALENESS_HEADER.lower().encode()


def _matches(headers: Headers, tag: bytes) -> bool:
    for name, value in headers:
        if name == b"if-none-match":
            return value.strip() == b"*" or any(part.strip().removeprefix(b"W/") == tag for part in value.split(b","))
    return False
