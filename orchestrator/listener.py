"""`EventListener`: what every component, and the orchestrator itself, is built on.

An ASGI application with `POST /event`, `GET /event` (who listens here, and to what) and `GET /health`, over a table
from event type to a typed handler. What a handler returns becomes the body of the answer; what it raises from
`orchestrator.errors` becomes a problem document (RFC 9457) with its stable `code`. A component in another language
needs only this HTTP.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orchestrator.errors import EventInvalid, EventTooLarge, EventUnknown, OrchestratorError, Unauthorised
from orchestrator.events import EVENT_BYTES_MAX, Event, check_known, parse_event, parse_payload

log = logging.getLogger(__name__)

P = TypeVar("P", bound=BaseModel)

PROBLEM_TYPE = "application/problem+json"
DRAINED_BYTES_MAX = 8 << 20
"""A body that is too large is read to its end up to here: a sender that is cut off while it sends sees no answer."""
BODY_WITHIN_S = 10.0


Answer = BaseModel | Mapping[str, Any] | None
"""What a handler gives back: the body of the answer, or none (204)."""


@dataclass(frozen=True, slots=True)
class _Handler:
    payload: type[BaseModel]
    handle: Callable[[Event, Any], Awaitable[Answer]]


class EventTable:
    """Which events are taken, and by whom. `listener_id` is what `target` must name when it is set."""

    def __init__(self, listener_id: str) -> None:
        self.id = listener_id
        self._handlers: dict[str, _Handler] = {}
        self._otherwise: Callable[[Event], Awaitable[Answer]] | None = None

    @property
    def types(self) -> tuple[str, ...]:
        """The types that have a handler of their own."""
        return tuple(sorted(self._handlers))

    @property
    def takes_others(self) -> bool:
        """Whether events of the applications' own types are taken too, whatever they are called."""
        return self._otherwise is not None

    def on(self, event_type: str, payload: type[P], handle: Callable[[Event, P], Awaitable[Answer]]) -> None:
        """Have events of this type handled; their payload is validated as `payload` first. One handler a type."""
        if event_type in self._handlers:
            raise ValueError(f"{event_type} has a handler already")
        self._handlers[event_type] = _Handler(payload, handle)

    def otherwise(self, handle: Callable[[Event], Awaitable[Answer]]) -> None:
        """Have events of any other type handled, but for those of the product's own namespaces."""
        self._otherwise = handle

    async def handle(self, event: Event) -> Answer:
        """Give an event to its handler. Errors: EventUnknown, EventInvalid, and the handler's own."""
        handler = self._handlers.get(event.type)
        if handler is None:
            check_known(event.type, self._handlers, taker=self.id)
            if self._otherwise is None:
                known = ", ".join(self.types) or "none"
                raise EventUnknown(f"{self.id} takes no events of type {event.type}; it takes: {known}")
        if event.target not in (None, self.id):
            raise EventUnknown(f"the event is meant for {event.target}, this is {self.id}")
        if handler is not None:
            return await handler.handle(event, parse_payload(event, handler.payload))
        assert self._otherwise is not None  # noqa: S101 - refused above
        return await self._otherwise(event)


class EventListener(EventTable):
    """Listens to events. Add handlers with `on`, then serve it as an ASGI application.

    `listener_id` is the id that events come from and that `target` must name when it is set. With `token`, an event
    must come with it, or with one of them where several are given.
    """

    passes_errors_on: ClassVar[bool] = False
    """Whether what surrounds this application answers for what a handler raises that is none of this package's."""

    def __init__(self, listener_id: str, *, name: str = "", token: str | Sequence[str] | None = None) -> None:
        super().__init__(listener_id)
        self.name = name
        self.address = ""
        """Base URL where it listens; known once it serves."""
        demanded = (token,) if isinstance(token, str) else token or ()
        self._tokens = tuple(_digest(each) for each in demanded)
        self._app = Starlette(
            routes=[
                Route("/event", self.receive, methods=["POST"]),
                Route("/event", self._described, methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
            ],
            exception_handlers={OrchestratorError: _refused, HTTPException: _http},
        )

    def health(self) -> Mapping[str, Any]:
        """What `GET /health` answers."""
        return {"id": self.id, "status": "ok"}

    def describe(self) -> Mapping[str, Any]:
        """What `GET /event` answers: who listens here, and to what. `port` is None before it serves."""
        return {
            "id": self.id,
            "name": self.name,
            "address": self.address,
            "port": port_of(self.address),
            "types": list(self.types),
            "other_types": self.takes_others,
            "event_bytes_max": EVENT_BYTES_MAX,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def receive(self, request: Request) -> Response:
        """Answer a `POST /event`."""
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
        return await self.answer(body, request.url.path)

    async def answer(self, body: bytes, path: str, key: str = "") -> Response:
        """The answer to the event in `body`, a whole request's. Raises what refuses it (`orchestrator.errors`).

        `key`: of the request; it is the id of an event that has none, so that a repeat of the request is known as one.
        """
        if len(body) > EVENT_BYTES_MAX:
            raise _too_large()
        event = parse_event(body)
        if key and "id" not in event.model_fields_set:
            event = event.model_copy(update={"id": key})
        try:
            answer = await self.handle(event)
            if answer is None:
                return Response(status_code=204)
            return JSONResponse(answer.model_dump(mode="json") if isinstance(answer, BaseModel) else dict(answer))
        except Exception as error:
            if isinstance(error, OrchestratorError) or self.passes_errors_on:
                raise
            log.exception("%s: handling %s failed", self.id, event.type)
            return _problem("internal", 500, "this is a defect of the component; its log says more", path)

    def _check_token(self, sent: str) -> None:
        scheme, _, token = sent.partition(" ")
        # Digests have one length, so the comparison tells nothing of the token's own.
        digest = _digest(token.strip())
        valid = scheme.lower() == "bearer" and any(hmac.compare_digest(digest, each) for each in self._tokens)
        if self._tokens and not valid:
            raise Unauthorised(f"{self.id} takes events under its token only: Authorization: Bearer TOKEN")

    async def _described(self, _request: Request) -> Response:
        return JSONResponse(dict(self.describe()))

    async def _health(self, _request: Request) -> Response:
        return JSONResponse(dict(self.health()))


def port_of(address: str) -> int | None:
    """The port of a base URL, also where it is the scheme's own; None for no address."""
    parts = urlsplit(address)
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


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
        raise _too_large()
    return bytes(body)


def _too_large() -> EventTooLarge:
    return EventTooLarge(f"an event has at most {EVENT_BYTES_MAX} bytes")


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
