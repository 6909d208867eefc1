"""`/event`: the orchestrator is an event listener as every component is."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from orchestrator.api.asking import duties_of
from orchestrator.api.documented import problems
from orchestrator.api.view import NodeView
from orchestrator.commanding import SOURCE
from orchestrator.events import EVENT_BYTES_MAX, REPORTS, Event
from orchestrator.listener import EventListener

router = APIRouter(tags=["components"])

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
    """404 `component_unknown` tells a component to register, and to send it again then."""
    listener: NodeListener = request.app.state.listener
    return await listener.receive(request)


@router.get("/event", response_model=Listener, summary="Who listens here, and to what")
async def described(request: Request) -> Mapping[str, Any]:
    listener: NodeListener = request.app.state.listener
    return listener.describe()
