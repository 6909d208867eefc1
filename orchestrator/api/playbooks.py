"""Playbooks: their texts and versions, running one, and what it would do on the plant as it is.

A version is the playbook's ETag. A text is checked before it is proposed; every problem has its line and column.
"""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.conditions import ETAGGED, IfMatch, IfNoneMatch, condition
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.envelope import command_id
from orchestrator.api.execution_shown import EXAMPLE_ID, rfc3339
from orchestrator.api.playbook_texts import Shelf, loaded, text_of
from orchestrator.api.problems import Problem
from orchestrator.playbooks.books import PlaybookUnreadable
from orchestrator.playbooks.execution import PlaybookDelete, PlaybookPut, Start
from orchestrator.playbooks.fields import PLAYBOOK_PATTERN
from orchestrator.playbooks.inputs import InputFault, checked_inputs
from orchestrator.playbooks.library import PlaybookRow
from orchestrator.playbooks.manual import manual_start
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.outline import beginning, outline
from orchestrator.variables import json_text

router = APIRouter(prefix="/v1/playbooks", tags=["playbooks"])

PlaybookName = Annotated[str, Path(pattern=PLAYBOOK_PATTERN, examples=["start_line"])]
Who = Annotated[str, Field(max_length=100)]
TEXT = """\
name: start_line
inputs:
  speed: {type: number, default: 120}
actions:
  - type: set_group_state
    group: line-a
    target_state: STARTED
  - type: log_event
    message: "line-a runs at {{ inputs.speed }} mm/s"
"""
_EXAMPLE: dict[str, Any] = {
    "name": "start_line",
    "version": 3,
    "versions": [{"version": 3, "time": "2026-05-04T06:00:00.000Z", "who": "Ada", "current": True}],
    "description": "",
    "text": TEXT,
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}, "example": TEXT},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string", "description": "The YAML; at most 64 KiB."}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
                "example": {"text": TEXT},
            },
        },
    }
}
_PUT_REFUSALS = ("playbook_invalid", "playbook_cycle", "playbook_too_large", "too_many_playbooks", "playbooks_full")
_INPUTS = ("playbook_unknown", "playbook_unreadable", "inputs_invalid")


class PlaybookSummary(BaseModel):
    """A playbook's newest version. `problem`: why this release cannot read it; empty where it can."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "start_line",
                "version": 3,
                "time": "2026-05-04T06:00:00.000Z",
                "who": "Ada",
                "description": "Starts line A",
                "triggers": ["manual"],
                "inputs": ["speed"],
                "problem": "",
            }
        }
    )

    name: str
    version: int
    time: str
    who: str
    description: str
    triggers: list[str]
    inputs: list[str]
    problem: str


class PlaybookText(BaseModel):
    """One version of a playbook, and which versions are kept: the last ten, and those that executions run under."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    name: str
    version: int
    versions: list[dict[str, Any]]
    description: str
    text: str


class PlaybookStored(BaseModel):
    """What became of a put. `changed` is false where the text was the newest already: no version was made."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "start_line", "version": 4, "changed": True, "warnings": []}}
    )

    name: str
    version: int
    changed: bool
    warnings: list[dict[str, Any]] = Field(description="What is possible but hardly meant, with line and column.")


class Run(BaseModel):
    """What an execution is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"inputs": {"speed": 90}, "who": "Ada"}})

    inputs: dict[str, Any] = Field(default_factory=dict, description="As the playbook declares them.")
    who: Who = ""


class Started(BaseModel):
    """The execution, in `Location` too. QUEUED: the playbook's limit is reached, it waits for its turn."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": EXAMPLE_ID, "status": "RUNNING", "version": 3}})

    id: str
    status: str
    version: int


class Planned(BaseModel):
    """The steps in order. `components`: what a selector means now; `order`: side by side in each, one after another."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "start_line",
                "version": 3,
                "inputs": {"speed": 120},
                "steps": [
                    {
                        "path": "actions/0",
                        "type": "set_group_state",
                        "components": ["io-1", "press-1"],
                        "order": [["io-1"], ["press-1"]],
                        "problem": "",
                    }
                ],
            }
        }
    )

    name: str
    version: int
    inputs: dict[str, Any]
    steps: list[dict[str, Any]]


@router.get("", summary="All playbooks", response_model=list[PlaybookSummary], responses=problems(*READ))
async def playbooks(read: Read, request: Request) -> list[PlaybookSummary]:
    """Ordered by name."""
    rows = await read(lambda state: state.executions.playbooks.rows)
    return [_summary(_shelf(request), row) for _, row in sorted(rows.items()) if not row.deleted]


@router.get(
    "/{name}",
    summary="One playbook with its text",
    response_model=PlaybookText,
    responses=problems("playbook_unknown", *READ, also={200: ETAGGED}),
)
async def playbook(
    read: Read,
    name: PlaybookName,
    response: Response,
    version: Annotated[int | None, Query(ge=1, description="An older one that is still kept.")] = None,
) -> dict[str, Any]:
    """The ETag is the newest version."""
    row = await read(lambda state: state.executions.playbooks.get(name))
    if row is None:
        raise _unknown(name)
    wanted = version or row.newest.version
    found = next((each for each in row.versions if each.version == wanted), None)
    if found is None:
        kept = ", ".join(str(each.version) for each in row.versions)
        raise Problem("playbook_unknown", f"playbook {name} has no version {wanted} (any more); kept: {kept}")
    response.headers["ETag"] = f'"{row.newest.version}"'
    versions = [
        {"version": each.version, "time": rfc3339(each.time), "who": each.who, "current": each is row.newest}
        for each in reversed(row.versions)
    ]
    try:
        described = loaded(found.text, f"{name}.yaml").playbook.description
    except Problem:
        described = ""  # another release put it; its text can still be read
    return {"name": name, "version": wanted, "versions": versions, "description": described, "text": found.text}


@router.put(
    "/{name}",
    summary="Put a playbook",
    response_model=PlaybookStored,
    openapi_extra=_BODY,
    responses=problems(
        *_PUT_REFUSALS,
        "precondition_failed",
        *WRITE,
        also={200: ETAGGED, 201: {"model": PlaybookStored, "description": "Created", **ETAGGED}},
    ),
)
async def put_playbook(
    ask: Ask,
    request: Request,
    response: Response,
    name: PlaybookName,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
    who: Annotated[str, Query(max_length=100, description="Who asks; kept with the version.")] = "",
    dry_run: Annotated[bool, Query(description="Check all, change nothing.")] = False,
) -> dict[str, Any]:
    """The body is YAML, or JSON with the YAML in `text`. Executions that run go on under the version that they have;
    the next one runs under this. 412 `precondition_failed` has the `version` now, 0 where there is none.
    """
    wanted = condition(if_match, if_none_match)
    text = await text_of(request)
    found = loaded(text, f"{name}.yaml")
    if found.playbook.name != name:
        raise _misnamed(name, found.playbook.name)
    shelf = _shelf(request)
    warnings = [each.document() for each in found.warnings]
    if dry_run:
        shelf.refuse_cycle(found.playbook)
        row = await ask.node.cluster.read(lambda state: state.executions.playbooks.get(name))
        at = 0 if row is None else row.newest.version
        return {"name": name, "version": at, "changed": row is None or row.newest.text != text, "warnings": warnings}
    async with shelf.putting:
        shelf.refuse_cycle(found.playbook)
        applied = await ask.propose(PlaybookPut.kind, PlaybookPut(name=name, text=text, if_version=wanted, who=who))
    told = applied.outcome.value
    response.headers["ETag"] = f'"{told["version"]}"'
    response.status_code = 201 if told["created"] and told["version"] == 1 else 200
    return {"name": name, "version": told["version"], "changed": told["created"], "warnings": warnings}


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a playbook",
    responses=problems("playbook_unknown", "precondition_failed", *WRITE),
)
async def delete_playbook(ask: Ask, name: PlaybookName, if_match: IfMatch = None) -> None:
    """Executions that run go on under the version that they have."""
    await ask.propose(PlaybookDelete.kind, PlaybookDelete(name=name, if_version=condition(if_match, None)))


@router.post(
    "/{name}/runs",
    status_code=202,
    summary="Run a playbook",
    response_model=Started,
    responses=problems(
        *(*_INPUTS, "execution_skipped", "executions_full", *WRITE),
        also={202: {"headers": {"Location": {"description": "The execution.", "schema": {"type": "string"}}}}},
    ),
)
async def run_playbook(
    ask: Ask,
    request: Request,
    response: Response,
    name: PlaybookName,
    body: Annotated[Run | None, Body()] = None,
    traceparent: Annotated[str, Header(max_length=200)] = "",
) -> dict[str, Any]:
    """The execution's id follows from the request and its Idempotency-Key: a repeat starts nothing, and answers the
    same id. `execution_skipped` (409) says which of the playbook's limits does not let it start.
    """
    asked = body or Run()
    digest = hashlib.sha256(command_id(request.scope, Start.kind).encode()).hexdigest()[:16]
    execution_id = f"{name[:60]}-{digest}"
    held = ask.node.state.executions.get(execution_id)
    if held is None:
        row, found = _current(ask, request, name)
        command = manual_start(
            found,
            execution_id=execution_id,
            version=row.newest.version,
            inputs=_checked(found, asked.inputs),
            who=asked.who,
            traceparent=traceparent,
            at=ask.node.plant_time(),
        )
        told = (await ask.propose(Start.kind, command)).outcome.value
        held = ask.node.state.executions.get(execution_id)
    else:
        told = {"id": held.id, "status": str(held.status)}
    response.headers["Location"] = f"/v1/executions/{execution_id}"
    return {**told, "version": 0 if held is None else held.version}


@router.post(
    "/{name}/plan",
    summary="What a run would do now",
    response_model=Planned,
    responses=problems(*_INPUTS, "no_leader"),
)
async def plan_playbook(
    ask: Ask, request: Request, name: PlaybookName, body: Annotated[Run | None, Body()] = None
) -> dict[str, Any]:
    """Nothing moves. What only a run can know (what a step before gave) is said to be so in `problem`."""
    asked = body or Run()
    row, found = _current(ask, request, name)
    inputs = _checked(found, asked.inputs)
    variables = {key: json_text(value) for key, value in found.variables.items()}
    begun = beginning("plan", found, row.newest.version, json_text(inputs), variables)
    shelf = _shelf(request)
    steps = outline(found, begun, shelf.view.world(), shelf.templates)
    return {"name": name, "version": row.newest.version, "inputs": inputs, "steps": steps}


def _current(ask: Ask, request: Request, name: str) -> tuple[PlaybookRow, Playbook]:
    # The leader's own rows: whoever leads has applied all that was ever acknowledged.
    row = ask.node.state.executions.playbooks.get(name)
    if row is None:
        raise _unknown(name)
    return row, _shelf(request).newest(row)


def _checked(found: Playbook, given: dict[str, Any]) -> dict[str, Any]:
    inputs, faults = checked_inputs(found, given)
    if faults:
        detail = "; ".join(f"{_place(each)}: {each.message}" for each in faults[:5])
        raise Problem(
            "inputs_invalid",
            detail,
            errors=[{"location": _place(each), "message": each.message, "type": each.type} for each in faults[:100]],
        )
    return inputs


def _place(fault: InputFault) -> str:
    # The name is the client's: half a surrogate pair cannot be sent back.
    name = fault.name[:100].encode("utf-8", "replace").decode()
    return f"body.inputs.{name}" if name else "body.inputs"


def _summary(shelf: Shelf, row: PlaybookRow) -> PlaybookSummary:
    newest = row.newest
    members = {"name": row.name, "version": newest.version, "time": rfc3339(newest.time), "who": newest.who}
    try:
        found = shelf.newest(row)
    except PlaybookUnreadable as error:
        return PlaybookSummary(**members, description="", triggers=[], inputs=[], problem=error.message)
    triggers = [trigger.type for trigger in found.triggers]
    inputs = list(found.inputs)
    return PlaybookSummary(**members, description=found.description, triggers=triggers, inputs=inputs, problem="")


def _shelf(request: Request) -> Shelf:
    found: Shelf = request.app.state.shelf
    return found


def _unknown(name: str) -> Problem:
    return Problem("playbook_unknown", f"playbook {name} is not there")


def _misnamed(name: str, found: str) -> Problem:
    fault = {"location": "name", "message": f"is {found!r}, the address says {name!r}", "type": "playbook_name"}
    return Problem("playbook_invalid", f"name: {fault['message']}; make them the same", errors=[fault])
