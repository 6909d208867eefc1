"""`POST /event`: the orchestrator takes events as every component does."""

from fastapi import APIRouter, Request

from orchestrator.api.asking import Ask
from orchestrator.api.documented import problems
from orchestrator.api.problems import Problem
from orchestrator.events import EVENT_BYTES_MAX, Event, parse_event

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


@router.post(
    "/event",
    status_code=204,
    summary="Take an event",
    openapi_extra=BODY,
    responses=problems(
        *("event_invalid", "unknown_event", "event_too_large", "component_unknown", "component_superseded", "no_leader")
    ),
)
async def event(ask: Ask, request: Request) -> None:
    """404 `component_unknown` tells a component to register again."""
    body = await request.body()
    if len(body) > EVENT_BYTES_MAX:
        raise Problem("event_too_large", f"an event has at most {EVENT_BYTES_MAX} bytes")
    taken = parse_event(body)
    await (await ask.duties()).component_event(taken)
