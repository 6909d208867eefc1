"""`/event`: the orchestrator is an event listener as every component is. `/v1/event` is the same, with a version."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from cluster import ClusterError
from orchestrator.api.asking import Ask, duties_of
from orchestrator.api.documented import problems
from orchestrator.api.envelope import facts
from orchestrator.api.problems import Problem, problem_of
from orchestrator.api.view import NodeView
from orchestrator.commanding import SOURCE
from orchestrator.errors import EventUnknown, OrchestratorError
from orchestrator.events import EVENT_BYTES_MAX, HEARTBEAT, REPORTS, Event, parse_event
from orchestrator.listener import EventListener

router = APIRouter(tags=["components"])
"""Included under `/` and `/v1`."""
between = APIRouter(tags=["components"])
"""What nodes ask of one another."""

BATCH_PATH = "/v1/components/heartbeats"
BATCH_SIZE_MAX = 2_000
BEATS_AT_ONCE = 16
"""Then others have their turn: hundreds in one go, after a pause of any kind, would hold up every request here."""

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": Event.model_json_schema(),
                "example": {"type": "component.heartbeat", "source": "press-1", "payload": {"state": "STARTED"}},
            }
        },
    }
}


class NodeListener(EventListener):
    """The listener of the orchestrator: each node serves it, and the leader's duty takes what arrives."""

    passes_errors_on = True

    def __init__(self, node: NodeView) -> None:
        super().__init__(SOURCE, name=node.config.cluster.name)
        self.address = node.config.member().api
        self._node = node

    @property
    def types(self) -> tuple[str, ...]:
        return REPORTS

    @property
    def takes_others(self) -> bool:
        return True

    async def handle(self, event: Event) -> None:
        await (await duties_of(self._node)).component_event(event)


class Listener(BaseModel):
    """Who listens at `/event`, and to what."""

    id: str = Field(examples=[SOURCE])
    name: str
    address: str
    port: int | None
    types: list[str] = Field(description="The product's own types that are taken.")
    other_types: bool = Field(description="Whether events of an application's own types are taken.")
    event_bytes_max: int = Field(examples=[EVENT_BYTES_MAX])


@router.post(
    "/event",
    status_code=204,
    response_model=None,
    summary="Take an event",
    openapi_extra=BODY,
    responses=problems(
        *("event_invalid", "unknown_event", "event_too_large", "event_too_old", "event_reused"),
        *("component_unknown", "component_superseded", "no_leader"),
    ),
)
async def event(request: Request) -> Response:
    """404 `component_unknown` tells a component to register, and to send it again then. An event without an `id` has
    the request's Idempotency-Key as its id.
    """
    listener: NodeListener = request.app.state.listener
    known = facts(request.scope)
    return await listener.answer(known["body"], request.url.path, known["key"])


@router.get("/event", response_model=Listener, summary="Who listens here, and to what", responses=problems())
async def described(request: Request) -> Mapping[str, Any]:
    """Answered by every node for itself: events may be sent to any of them."""
    listener: NodeListener = request.app.state.listener
    return listener.describe()


class RefusedHeartbeat(BaseModel):
    """One that was not taken; `index` is its place in the request, from 0."""

    index: int
    code: str = Field(examples=["component_unknown"])
    detail: str


class HeartbeatsTaken(BaseModel):
    taken: int
    refused: list[RefusedHeartbeat]


BATCH = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": Event.model_json_schema()},
                "example": [{"type": "component.heartbeat", "source": "press-1", "payload": {"state": "STARTED"}}],
            }
        },
    }
}


@between.post(
    BATCH_PATH,
    summary="Take heartbeats of several components",
    response_model=HeartbeatsTaken,
    openapi_extra=BATCH,
    responses=problems("event_invalid", "event_too_large", "no_leader"),
)
async def heartbeats(ask: Ask, request: Request) -> HeartbeatsTaken:
    """A list of events of type `component.heartbeat`, each judged as if it had come to `/event` by itself."""
    try:
        events = msgspec.json.decode(await request.body(), type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("event_invalid", f"body: a list of events is wanted: {error}") from None
    if len(events) > BATCH_SIZE_MAX:
        raise Problem("event_too_large", f"at most {BATCH_SIZE_MAX} heartbeats come in one request")
    duties = await ask.duties()

    async def take(index: int, body: bytes) -> RefusedHeartbeat | None:
        try:
            event = parse_event(body)
            if event.type != HEARTBEAT:
                raise EventUnknown(f"type: only {HEARTBEAT} is taken here; send {event.type} to /event")
            await duties.component_event(event)
        except (OrchestratorError, ClusterError) as error:
            problem = problem_of(error)
            return RefusedHeartbeat(index=index, code=problem.code, detail=problem.detail)
        return None

    tasks = []
    for index, body in enumerate(events):
        tasks.append(asyncio.create_task(take(index, bytes(body))))
        if index % BEATS_AT_ONCE == BEATS_AT_ONCE - 1:
            await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks)
    refused = [answer for answer in answers if answer is not None]
    return HeartbeatsTaken(taken=len(events) - len(refused), refused=refused)
