"""`EventListener`: what every component, and the orchestrator's side of the protocol, is built on.

An ASGI application with `POST /event` and `GET /health`, and a table from event type to a typed handler. What a
handler returns becomes the body of the answer; what it raises from `orchestrator.errors` becomes a problem document
(RFC 9457) with its stable `code`. A component in another language needs only this HTTP.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orchestrator.errors import EventInvalid, EventTooLarge, EventUnknown, OrchestratorError, Unauthorised
from orchestrator.events import EVENT_BYTES_MAX, Event, parse_event, parse_payload

log = logging.getLogger(__name__)

P = TypeVar("P", bound=BaseModel)

PROBLEM_TYPE = "application/problem+json"
DRAINED_BYTES_MAX = 8 << 20
"""A body that is too large is read to its end up to here: a sender that is cut off while it sends sees no answer."""
BODY_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _Handler:
    payload: type[BaseModel]
    handle: Callable[[Event, Any], Awaitable[BaseModel | Mapping[str, Any] | None]]


class EventListener:
    """Listens to events. Add handlers with `on`, then serve it as an ASGI application.

    `listener_id` is the id that events come from and that `target` must name when it is set. With `token`, an event
    must come with it.
    """

    def __init__(self, listener_id: str, *, token: str | None = None) -> None:
        self.id = listener_id
        self._token = None if token is None else _digest(token)
        self._handlers: dict[str, _Handler] = {}
        self._app = Starlette(
            routes=[
                Route("/event", self._receive, methods=["POST"]),
                Route("/health", self._health, methods=["GET"]),
            ],
            exception_handlers={OrchestratorError: _refused, HTTPException: _http},
        )

    def on(
        self,
        event_type: str,
        payload: type[P],
        handle: Callable[[Event, P], Awaitable[BaseModel | Mapping[str, Any] | None]],
    ) -> None:
        """Have events of this type handled; their payload is validated as `payload` first. One handler a type."""
        if event_type in self._handlers:
            raise ValueError(f"{event_type} has a handler already")
        self._handlers[event_type] = _Handler(payload, handle)

    def health(self) -> Mapping[str, Any]:
        """What `GET /health` answers."""
        return {"id": self.id, "status": "ok"}

    async def handle(self, event: Event) -> BaseModel | Mapping[str, Any] | None:
        """Give an event to its handler. Errors: EventUnknown, EventInvalid, and the handler's own."""
        handler = self._handlers.get(event.type)
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            raise EventUnknown(f"{self.id} takes no events of type {event.type}; it takes: {known}")
        if event.target not in (None, self.id):
            raise EventUnknown(f"the event is meant for {event.target}, this is {self.id}")
        return await handler.handle(event, parse_payload(event, handler.payload))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _receive(self, request: Request) -> Response:
        try:
            self._check_token(request.headers.get("authorization", ""))
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except OrchestratorError as error:
            response = await _refused(request, error)
            # What may still be on its way would be read for as long as it comes.
            response.headers["Connection"] = "close"
            return response
        event = parse_event(body)
        try:
            answer = await self.handle(event)
            if answer is None:
                return Response(status_code=204)
            return JSONResponse(answer.model_dump(mode="json") if isinstance(answer, BaseModel) else dict(answer))
        except OrchestratorError:
            raise
        except Exception:
            log.exception("%s: handling %s failed", self.id, event.type)
            return _problem("internal", 500, "this is a defect of the component; its log says more", request.url.path)

    def _check_token(self, sent: str) -> None:
        scheme, _, token = sent.partition(" ")
        # Digests have one length, so the comparison tells nothing of the token's own.
        valid = self._token is None or hmac.compare_digest(_digest(token.strip()), self._token)
        if not valid or (self._token is not None and scheme.lower() != "bearer"):
            raise Unauthorised(f"{self.id} takes events under its token only: Authorization: Bearer TOKEN")

    async def _health(self, _request: Request) -> Response:
        return JSONResponse(dict(self.health()))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


async def _body(request: Request) -> bytes:
    """The request's body, bounded in size and in time."""
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= EVENT_BYTES_MAX:
                    body += chunk
                elif size > DRAINED_BYTES_MAX:
                    break
    except TimeoutError:
        raise EventInvalid(f"body: it did not arrive within {BODY_WITHIN_S:g} s") from None
    if size > EVENT_BYTES_MAX:
        raise EventTooLarge(f"an event has at most {EVENT_BYTES_MAX} bytes")
    return bytes(body)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, OrchestratorError)  # noqa: S101 - registered for this class only
    # An error rebuilt from another process's answer keeps that process's code.
    code = str(error.details.get("code", error.code))
    members = {name: value for name, value in error.details.items() if name != "code"}
    return _problem(code, error.status, error.message, request.url.path, members)


async def _http(request: Request, error: Exception) -> Response:
    """No such path, or no such method on it."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    response = _problem(code, error.status_code, str(error.detail), request.url.path)
    response.headers.update(error.headers or {})
    return response


def _problem(code: str, status: int, detail: str, instance: str, members: Mapping[str, Any] | None = None) -> Response:
    document = {
        **(members or {}),
        "type": f"urn:triarch:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
    }
    return JSONResponse(document, status_code=status, media_type=PROBLEM_TYPE)
