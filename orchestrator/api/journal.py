"""The plant's journal of events: the last 1,000 lines, by page, and live. Events are sent to `POST /event`."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, problems
from orchestrator.api.envelope import facts
from orchestrator.api.executions import LastEventId
from orchestrator.api.following import FOLLOWED, Following
from orchestrator.api.following_journal import Filters, JournalFollowed, shown
from orchestrator.api.paging import page
from orchestrator.playbooks.fields import Severity
from orchestrator.playbooks.journal import JournalLine, public

router = APIRouter(prefix="/v1/events", tags=["events"])

PAGE_MAX = 500
LINE_EXAMPLE: dict[str, Any] = {
    "number": 118,
    "index": 4712,
    "time": "2026-05-04T06:30:02.500Z",
    "type": "part.jammed",
    "source": "press-1",
    "level": "error",
    "message": "a part is stuck in station 3",
    "data": {"station": 3},
    "execution": "",
}


class EventLine(BaseModel):
    """One line. `number` counts all lines that ever were; `index` is where in the replicated log it came."""

    model_config = ConfigDict(json_schema_extra={"example": LINE_EXAMPLE})

    number: int
    index: int
    time: str = Field(description="RFC 3339, by the clock of the node that took it; for display.")
    type: str
    source: str
    level: Severity
    message: str
    data: Any
    execution: str = Field(description="The execution whose step wrote it, or empty.")


class EventPage(BaseModel):
    """The newest first. `cursor` is null on the last page."""

    model_config = ConfigDict(json_schema_extra={"example": {"events": [LINE_EXAMPLE], "cursor": None}})

    events: list[EventLine]
    cursor: str | None


async def _filters(
    type_: Annotated[
        str | None, Query(alias="type", max_length=100, description="This type; `part.*`: all that begin so.")
    ] = None,
    source: Annotated[str | None, Query(max_length=200)] = None,
    level: Severity | None = None,
    execution: Annotated[str | None, Query(max_length=200, description="Written by this execution.")] = None,
) -> Filters:
    return Filters(type_, source, level, execution)


Filtered = Annotated[Filters, Depends(_filters)]


@router.get("", summary="The journal, the newest first", response_model=EventPage,
            responses=problems("invalid_cursor", *READ))  # fmt: skip
async def events(
    read: Read,
    filters: Filtered,
    response: Response,
    cursor: Annotated[str, Query(max_length=400, description="Of the answer before: its next page.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
) -> Response:
    """What events from outside, playbooks and triggers wrote."""
    lines = await read(lambda state: state.executions.journal.lines)
    fitting = (line for line in reversed(lines) if filters.fit(public(line)))

    def place(line: JournalLine) -> tuple[int, str]:
        return line.number, ""

    found, after = page(fitting, limit, filters.query(), cursor, place)
    answer = Response(
        msgspec.json.encode({"events": [shown(public(line)) for line in found], "cursor": after}),
        media_type="application/json",
    )
    answer.headers.update(response.headers)
    return answer


@router.get(
    "/follow",
    summary="The journal, as it is written",
    response_class=Response,
    responses=problems(*FOLLOWED, also={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}),
)
async def follow(ask: Ask, request: Request, filters: Filtered, last_event_id: LastEventId = None) -> Response:
    """Server-sent events, answered by the node that is asked, in every mode: from now on, or from behind
    `Last-Event-ID`, on any node. `logged` has the lines of one change. Where the place is not held any more, a
    `snapshot` with what the journal still has of it comes first.
    """
    return await Following.of(request).answer(
        JournalFollowed(ask.node, filters),
        last_event_id,
        facts(request.scope).get("principal"),
        head=facts(request.scope).get("method") == "HEAD",
    )
