"""What surrounds every answer: who gave it, problem documents for whatever is raised, and figures by route.

Also what is known of a request before its route: its body, read once and bounded, and its Idempotency-Key.
"""

import asyncio
import hashlib
import string
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.core import RESTORE_BYTES_MAX
from orchestrator.access.targets import JSON_DEPTH_MAX, too_deep
from orchestrator.api.problems import Problem, problem_of, respond
from orchestrator.api.view import NodeView
from orchestrator.ids import new_id

BODY_BYTES_MAX = 1 << 20
LARGE_BODIES = {"/v1/cluster/restore": RESTORE_BYTES_MAX}
"""Paths that take more than `BODY_BYTES_MAX`."""
LONG_BODY_BYTES = 32 << 10
LARGE_BODY_FACTOR = 10
"""They may take so much longer."""
TEXT_PREFIX = "/v1/playbooks"
"""Below it bodies may be YAML."""
DRAINED_BYTES_MAX = 8 << 20
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_PATHS = frozenset({"/healthz", "/readyz", "/leader", "/metrics"})
"""Every node answers these for itself, in every mode."""
WEBSOCKET_PATHS = frozenset({"/v1/watch"})
KEY_CHARS_MAX = 200
_KEY_CHARS = frozenset(string.ascii_letters + string.digits + string.punctuation)

NODE_HEADER = "X-Triarch-Node"
LEADER_HEADER = "X-Triarch-Leader"
EPOCH_HEADER = "X-Triarch-Epoch"
INDEX_HEADER = "X-Triarch-Index"
FORWARDED_HEADER = "X-Triarch-Forwarded-By"
KEY_HEADER = "Idempotency-Key"
_CONDITIONS = frozenset({b"if-match", b"if-none-match"})


def facts(scope: Scope) -> dict[str, Any]:
    """What the middlewares know of this request.

    `body` (bytes), `key` (str) and `keyed` (whether the key came with it), for unsafe methods only; `method`: as it was
    sent; `client`: the address that asked first; `forwarded_by`: the node that proved to have passed the request on.
    """
    state: dict[str, Any] = scope.setdefault("state", {})
    found: dict[str, Any] = state.setdefault("triarch", {})
    return found


def command_id(scope: Scope, kind: str) -> str:
    """The id of the command that this request proposes.

    It holds a digest of the request with its conditions, so that a key that was used for another request never gets
    that one's answer.
    """
    return f"{kind}/{facts(scope)['key']}/{request_of(scope)[:16]}"


def request_of(scope: Scope) -> str:
    """What tells this request from another one, in hex: who asks, method, path, query, conditions and body."""
    known = facts(scope)
    found: str | None = known.get("request")
    if found is None:
        digest = hashlib.sha256()
        for part in (scope["method"].encode(), scope["path"].encode(), scope.get("query_string", b""), known["body"]):
            digest.update(len(part).to_bytes(4, "big") + part)
        for name, value in scope["headers"]:
            if name in _CONDITIONS:
                digest.update(name + len(value).to_bytes(4, "big") + value)
        if asker := _asker(scope):
            digest.update(b"asker" + asker.encode())
        known["request"] = found = digest.hexdigest()[:32]
    return found


def key_of(scope: Scope) -> str:
    """The key that came with the request, as that of whoever asks; empty where none came. No key holds a blank."""
    known = facts(scope)
    return f"{known['key']} {_asker(scope)}" if known.get("keyed") else ""


def _asker(scope: Scope) -> str:
    """Empty for who has the cluster's own token, as ids of the release before have none: a repeat is still known."""
    principal = facts(scope).get("principal")
    return "" if principal is None or principal.kind in ("cluster", "open") else f"{principal.kind}:{principal.id}"


class RequestFigures:
    """`triarch_http_requests_total` and `triarch_http_request_seconds`, by route template and never by path."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "triarch_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "triarch_http_request_seconds",
            "From the request's first byte to the answer's last, seconds.",
            ["route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )

        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer. Paths without a route, and those passed on, share a label."""
        route = getattr(scope.get("route"), "path", "forwarded" if facts(scope).get("forwarded") else "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        key = (method, route, status)
        found = self._children.get(key)
        if found is None:  # as many as there are labels; looking them up anew costs more than counting
            found = self._children[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(route),
            )
        found[0].inc()
        found[1].observe(seconds)


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Envelope:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, node: NodeView, figures: RequestFigures) -> None:
        self._app = app
        self._node = node
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        facts(scope)["method"] = scope["method"]
        if scope["method"] == "HEAD":
            # Balancers ask so; the server itself, which keeps the first scope, leaves the body out.
            scope = {**scope, "method": "GET"}
        started = time.monotonic()
        status = 0

        async def send_signed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._sign(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            try:
                await self._app(scope, receive, send_signed)
            except Exception as error:
                if status:  # the answer has begun: the server can only break the connection
                    raise
                problem = problem_of(error, key=facts(scope).get("key"))
                await respond(problem, scope["path"])(scope, receive, send_signed)
        finally:
            self._figures.note(scope, status or 500, time.monotonic() - started)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A refusal before the handshake is an HTTP answer; behind it, a close frame with the code as its reason."""
        accepted = False

        async def send_noted(message: Message) -> None:
            nonlocal accepted
            accepted = accepted or message["type"] == "websocket.accept"
            await send(message)

        try:
            if scope["path"] not in WEBSOCKET_PATHS:
                raise Problem("not_found", "no WebSocket is served at this path")
            await self._app(scope, receive, send_noted)
        except Exception as error:  # noqa: BLE001 - it is told to the client, and logged where nobody foresaw it
            problem = problem_of(error)
            if accepted:
                await send({"type": "websocket.close", "code": _close_code(problem), "reason": problem.code})
            elif "websocket.http.response" in scope.get("extensions", {}):
                await _deny(problem, scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": _close_code(problem), "reason": problem.code})

    def _sign(self, scope: Scope, headers: MutableHeaders) -> None:
        if NODE_HEADER in headers:  # passed on from the leader, and signed there
            headers[FORWARDED_HEADER] = self._node.config.node.id
            return
        leader, applied = self._node.cluster.place()
        headers[NODE_HEADER] = self._node.config.node.id
        if leader is not None:
            headers[LEADER_HEADER] = leader
        epoch = self._node.epoch()
        if epoch is not None:
            headers[EPOCH_HEADER] = str(epoch)
        headers.setdefault(INDEX_HEADER, str(applied))  # a snapshot has its own
        key = facts(scope).get("key")
        if key is not None:
            headers[KEY_HEADER] = key


def _close_code(problem: Problem) -> int:
    """Of RFC 6455: our defect, try again later, or against the rules."""
    return 1011 if problem.status == 500 else 1013 if problem.status in (429, 503) else 1008


async def _deny(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """The problem document as the answer to the handshake."""

    async def send_denial(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await respond(problem, scope["path"])({**scope, "type": "http"}, receive, send_denial)


class Intake:
    """Reads the body of an unsafe request, bounded, and gives the request a key when it has none.

    `body_s`: how long a client may take to send it; ten times that for what may be large.
    """

    def __init__(self, app: ASGIApp, body_s: float = 30.0) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        known = facts(scope)
        sent = headers.get(KEY_HEADER)
        known["key"], known["keyed"] = _key(sent), sent is not None
        most = LARGE_BODIES.get(scope["path"])
        within_s = self._body_s if most is None else self._body_s * LARGE_BODY_FACTOR
        try:
            async with asyncio.timeout(within_s):
                body = await _read(headers, receive, most or BODY_BYTES_MAX)
        except TimeoutError:
            late = f"the body has to arrive within {within_s:g} s"
            raise Problem("request_timed_out", late, headers={"Connection": "close"}) from None
        if body is None:  # the client went away before it had sent everything
            return
        await _check_body(scope["path"], headers.get("content-type"), body)
        known["body"] = body
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


async def _check_body(path: str, sent: str | None, body: bytes) -> None:
    """Refuses what is not JSON, by its own word, and JSON that is deeper than anybody's parser should have to go."""
    if not body or path in LARGE_BODIES:
        return
    kind = "" if sent is None else sent.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        if path.startswith(TEXT_PREFIX):
            return  # YAML too: looked at where it is read
        raise Problem(
            "unsupported_media_type",
            "header.Content-Type: application/json is taken here",
            headers={"Accept": "application/json"},
            accepted=["application/json"],
        )
    # A megabyte made up for it takes a tenth of a second: others get their turn meanwhile.
    if await asyncio.to_thread(too_deep, body) if len(body) > LONG_BODY_BYTES else too_deep(body):
        reason = f"lists and objects stand more than {JSON_DEPTH_MAX} deep in one another, or are not closed"
        fault = {"location": "body", "message": reason, "type": "json_depth"}
        raise Problem("invalid_request", f"body: {reason}", errors=[fault])


def _key(sent: str | None) -> str:
    if sent is None:
        return new_id()
    if not 1 <= len(sent) <= KEY_CHARS_MAX or not _KEY_CHARS.issuperset(sent):
        reason = f"must be 1 to {KEY_CHARS_MAX} visible ASCII characters"
        fault = {"location": f"header.{KEY_HEADER}", "message": reason, "type": "idempotency_key"}
        raise Problem("invalid_request", f"header.{KEY_HEADER}: {reason}", errors=[fault])
    return sent


async def _read(headers: Headers, receive: Receive, most: int) -> bytes | None:
    """The body, at most `most` bytes; None when the client went away. A larger one is read to its end if that is near.

    A client that is cut off while it sends sees a broken connection instead of the refusal.
    """
    chunks: list[bytes] = []
    announced = headers.get("content-length", "0")
    drained = max(most, DRAINED_BYTES_MAX)
    hopeless = announced.isdecimal() and len(announced) < 20 and int(announced) > drained
    size = 0
    while not hopeless:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
        if not message.get("more_body", False):
            break
        hopeless = size > drained
    if hopeless or size > most:
        close = {"Connection": "close"} if hopeless else {}
        raise Problem("body_too_large", f"at most {most} bytes are taken", headers=close)
    return b"".join(chunks)
