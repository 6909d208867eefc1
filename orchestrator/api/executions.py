"""Executions of playbooks: what became of each, what a person may do to one, and following it live."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.envelope import facts
from orchestrator.api.execution_shown import EXAMPLE_ID, STEP_EXAMPLE, SUMMARY_EXAMPLE, detail, summary
from orchestrator.api.following import FOLLOWED, Following
from orchestrator.api.following_execution import ExecutionFollowed
from orchestrator.api.paging import page
from orchestrator.api.problems import Problem
from orchestrator.playbooks.execution import Control, ExecutionRow, Status
from orchestrator.playbooks.fields import NAME_PATTERN, PLAYBOOK_PATTERN
from orchestrator.variables import json_text

router = APIRouter(prefix="/v1/executions", tags=["executions"])

PAGE_MAX = 500
LIMIT = 100
ExecutionId = Annotated[str, Path(min_length=1, max_length=200, examples=[EXAMPLE_ID])]
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The `id` of the last event that was seen: what came after it follows."),
]
_ENDED = ("execution_unknown", "execution_ended", *WRITE)
_Who = Annotated[
    str,
    Field(
        max_length=100,
        description="Who asks; goes into the execution's story, behind the name of the token that was shown.",
    ),
]
_Comment = Annotated[str, Field(max_length=1_000)]


class ExecutionSummary(BaseModel):
    """One execution of one version of a playbook. Times are RFC 3339, UTC; `index` is the id that `follow` gives."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": SUMMARY_EXAMPLE})

    id: str
    playbook: str
    version: int
    status: Status
    revision: int = Field(description="Grows with each change.")
    created: str
    started: str | None
    ended: str | None
    duration_s: float | None
    retrying: int = Field(0, description="How many of its steps wait to be tried again; 0 once it has ended.")
    """A node of 0.1.0 does not say it."""
    code: str = Field(description="Empty unless it did not end right: the error's stable code.")
    error: str = Field(
        description="Why it did not end right; in a list, while steps wait to be tried again, the newest one's error."
    )


class ExecutionPage(BaseModel):
    """The newest first. `cursor` is null on the last page."""

    model_config = ConfigDict(json_schema_extra={"example": {"executions": [SUMMARY_EXAMPLE], "cursor": None}})

    executions: list[ExecutionSummary]
    cursor: str | None


class Execution(ExecutionSummary):
    """With its steps in the order in which they began. A step that waits to be tried again says so in `retrying`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"example": {**SUMMARY_EXAMPLE, "inputs": {}, "variables": {}, "steps": [STEP_EXAMPLE]}},
    )

    inputs: dict[str, Any]
    variables: dict[str, Any]
    trigger: Any
    steps: list[dict[str, Any]]


class Controlled(BaseModel):
    """What a control made of the execution."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": EXAMPLE_ID, "status": "PAUSED", "revision": 8}})

    id: str
    status: Status
    revision: int


class Asked(BaseModel):
    """Who asks, and why. Both may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"who": "Ada", "comment": "shift change"}})

    who: _Who = ""
    comment: _Comment = ""


class Cancelled(Asked):
    """`force`: it ends now; neither what it was about nor its `finally` is waited for."""

    force: bool = False


class Retried(Asked):
    """`path`: the step to go on from; empty: from the first that failed."""

    path: str = Field("", max_length=500, examples=["actions/2"])


class Judged(Asked):
    """`path`: the step that waits; it may be left out while only one does."""

    path: str = Field("", max_length=500, examples=["actions/3"])


class Signalled(Asked):
    """A signal, with any JSON, at most 16 KiB."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "tool_changed", "value": "T4"}})

    name: str = Field(pattern=NAME_PATTERN)
    value: Any = None


@router.get(
    "",
    summary="Executions, the newest first",
    response_model=ExecutionPage,
    responses=problems("invalid_cursor", *READ),
)
async def executions(
    read: Read,
    response: Response,
    status: Annotated[list[Status] | None, Query(description="Only those; may be given again.")] = None,
    playbook: Annotated[str | None, Query(pattern=PLAYBOOK_PATTERN)] = None,
    cursor: Annotated[str, Query(max_length=400, description="Of the answer before: its next page.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = LIMIT,
) -> Response:
    """The last 1,000 that have ended are kept, and all that have not."""
    rows = await read(lambda state: state.executions.rows)
    wanted = frozenset(status or ())
    fitting = (
        row
        for row in reversed(list(rows.values()))
        if (not wanted or row.status in wanted) and (playbook is None or row.playbook == playbook)
    )
    query = ("executions", playbook or "", *sorted(wanted))
    return _answer(_page(fitting, limit, query, cursor), response)


def first_page(rows: Mapping[str, ExecutionRow]) -> dict[str, Any]:
    """What is shown to who asks for nothing in particular."""
    return _page(reversed(list(rows.values())), LIMIT, ("executions", ""), "")


def _page(rows: Iterable[ExecutionRow], limit: int, query: tuple[str, ...], cursor: str) -> dict[str, Any]:
    found, after = page(rows, limit, query, cursor, lambda row: (row.position[1], row.id))
    return {"executions": [summary(row) for row in found], "cursor": after}


@router.get(
    "/{execution_id}",
    summary="One execution with its steps",
    response_model=Execution,
    responses=problems("execution_unknown", *READ),
)
async def execution(ask: Ask, read: Read, execution_id: ExecutionId, response: Response) -> Response:
    """The leader also says what each open step waits for (`waiting`)."""
    row = await read(lambda state: state.executions.get(execution_id))
    if row is None:
        raise unknown(execution_id)
    duties = ask.node.duties()
    waiting = None if duties is None or not row.open else duties.waiting(execution_id)
    return _answer(detail(row, waiting), response)


@router.get(
    "/{execution_id}/follow",
    summary="Each change, as it happens",
    response_class=Response,
    responses=problems(
        "execution_unknown",
        *FOLLOWED,
        also={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, 204: {}},
    ),
)
async def follow(ask: Ask, request: Request, execution_id: ExecutionId, last_event_id: LastEventId = None) -> Response:
    """Server-sent events, answered by the node that is asked, in every mode. `id` is the index in the replicated log,
    the same on every node: whoever reconnects with `Last-Event-ID`, to whichever node, misses nothing and sees nothing
    twice. First comes a `snapshot` (all of the execution); also later, where the changes in between are not held any
    more. Then `changed` for each change, and `ended` for the last one: the stream ends with it. 204: it has ended, and
    there is nothing after `Last-Event-ID`.
    """
    following = Following.of(request)
    subject = ExecutionFollowed(ask.node, execution_id)
    return await following.answer(
        subject,
        last_event_id,
        facts(request.scope).get("principal"),
        head=facts(request.scope).get("method") == "HEAD",
    )


# ── What a person does ────────────────────────────────


@router.post(
    "/{execution_id}/pause",
    summary="Pause: no further step begins",
    response_model=Controlled,
    responses=problems("execution_not_running", *_ENDED),
)
async def pause(ask: Ask, execution_id: ExecutionId, body: Annotated[Asked | None, Body()] = None) -> Any:
    """What a step has begun outside goes on; its outcome is taken when the execution is resumed. Deadlines wait."""
    return await _control(ask, "pause", execution_id, body or Asked())


@router.post(
    "/{execution_id}/resume",
    summary="Go on after a pause",
    response_model=Controlled,
    responses=problems("execution_not_paused", *_ENDED),
)
async def resume(ask: Ask, execution_id: ExecutionId, body: Annotated[Asked | None, Body()] = None) -> Any:
    """All deadlines are later by the length of the pause."""
    return await _control(ask, "resume", execution_id, body or Asked())


@router.post("/{execution_id}/cancel", summary="Cancel", response_model=Controlled, responses=problems(*_ENDED))
async def cancel(ask: Ask, execution_id: ExecutionId, body: Annotated[Cancelled | None, Body()] = None) -> Any:
    """Open steps are given up, then `finally` runs, and the execution ends as CANCELLED."""
    asked = body or Cancelled()
    return await _control(ask, "cancel", execution_id, asked, name="force" if asked.force else "")


@router.post(
    "/{execution_id}/retry",
    summary="Go on from a step of an execution that ended",
    response_model=Controlled,
    responses=problems(
        *("execution_unknown", "execution_not_ended", "execution_succeeded", "step_unknown", "playbook_unknown"),
        *("execution_skipped", *WRITE),
    ),
)
async def retry(ask: Ask, execution_id: ExecutionId, body: Annotated[Retried | None, Body()] = None) -> Any:
    """What was done before the step stays done; the step and what came after it are done anew, under new keys.

    `execution_skipped`: as many of the playbook run now as its limit lets.
    """
    asked = body or Retried()
    async with ask.retrying:
        _check_limit(ask, execution_id)
        return await _control(ask, "retry", execution_id, asked, path=asked.path)


@router.post(
    "/{execution_id}/approve",
    summary="Approve a step that waits for it",
    response_model=Controlled,
    responses=problems("step_unknown", "step_not_waiting", *_ENDED),
)
async def approve(ask: Ask, execution_id: ExecutionId, body: Annotated[Judged | None, Body()] = None) -> Any:
    """The step succeeds."""
    asked = body or Judged()
    return await _control(ask, "approve", execution_id, asked, path=asked.path)


@router.post(
    "/{execution_id}/reject",
    summary="Reject a step that waits for approval",
    response_model=Controlled,
    responses=problems("step_unknown", "step_not_waiting", *_ENDED),
)
async def reject(ask: Ask, execution_id: ExecutionId, body: Annotated[Judged | None, Body()] = None) -> Any:
    """The step fails."""
    asked = body or Judged()
    return await _control(ask, "reject", execution_id, asked, path=asked.path)


@router.post(
    "/{execution_id}/signal",
    summary="Send a signal",
    response_model=Controlled,
    responses=problems("too_many_signals", "variable_too_large", "variable_invalid", *_ENDED),
)
async def signal(ask: Ask, execution_id: ExecutionId, body: Signalled) -> Any:
    """Kept until a `wait_for_signal` takes it; a second one of the same name replaces it."""
    value = json_text(body.value)
    return await _control(ask, "signal", execution_id, body, name=body.name, value=value)


async def _control(
    ask: Ask, action: str, execution_id: str, asked: Asked, *, path: str = "", name: str = "", value: str = "null"
) -> Any:
    command = Control(
        id=execution_id,
        action=action,
        path=path,
        name=name,
        value=value,
        who=ask.signed(asked.who),
        comment=asked.comment,
        at=ask.node.plant_time(),
    )
    return (await ask.propose(Control.kind, command)).outcome.value


def _check_limit(ask: Ask, execution_id: str) -> None:
    """Raises `execution_skipped` where others of the playbook have the places that its limit gives."""
    rows = ask.node.state.executions.rows  # the leader's own: all that was ever acknowledged
    row = rows.get(execution_id)
    if row is None or row.open or not row.limit or ask.asked_before:
        return
    mates = [each.id for each in rows.values() if each.playbook == row.playbook and each.open]
    running = [each for each in mates if rows[each].status != Status.QUEUED]
    if len(running) >= row.limit:
        shown = ", ".join(running[:3]) + (f" and {len(running) - 3} more" if len(running) > 3 else "")
        limit = f"the limit of playbook {row.playbook} was {row.limit} at once when execution {row.id} began"
        raise Problem("execution_skipped", f"{limit}, and {shown} run now: retry it when they have ended")


def unknown(execution_id: str) -> Problem:
    return Problem("execution_unknown", f"execution {execution_id} is not there; those long ended are forgotten")


def _answer(shown: Any, response: Response) -> Response:
    answer = Response(msgspec.json.encode(shown), media_type="application/json")
    answer.headers.update(response.headers)
    return answer
