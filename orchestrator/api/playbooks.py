"""Playbooks: their texts and versions.

A version is the playbook's ETag. A text is checked before it is proposed; every problem has its line and column.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.conditions import ETAGGED, IfMatch, IfNoneMatch, condition
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.execution_shown import rfc3339
from orchestrator.api.playbook_texts import BODY, TEXT, Shelf, loaded, shelf_of, text_of, unknown
from orchestrator.api.problems import Problem
from orchestrator.playbooks.books import PlaybookUnreadable
from orchestrator.playbooks.execution import PlaybookDelete, PlaybookPut
from orchestrator.playbooks.fields import PLAYBOOK_PATTERN
from orchestrator.playbooks.library import PlaybookRow

router = APIRouter(prefix="/v1/playbooks", tags=["playbooks"])

PlaybookName = Annotated[str, Path(pattern=PLAYBOOK_PATTERN, examples=["start_line"])]
Who = Annotated[str, Field(max_length=100, description="Kept behind the name of the token that was shown.")]
_EXAMPLE: dict[str, Any] = {
    "name": "start_line",
    "version": 3,
    "versions": [{"version": 3, "time": "2026-05-04T06:00:00.000Z", "who": "Ada", "current": True}],
    "description": "",
    "text": TEXT,
}
_PUT_REFUSALS = ("playbook_invalid", "playbook_cycle", "playbook_too_large", "too_many_playbooks", "playbooks_full")


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


@router.get("", summary="All playbooks", response_model=list[PlaybookSummary], responses=problems(*READ))
async def playbooks(read: Read, request: Request) -> list[PlaybookSummary]:
    """Ordered by name."""
    rows = await read(lambda state: state.executions.playbooks.rows)
    return [summary_of(shelf_of(request), row) for _, row in sorted(rows.items()) if not row.deleted]


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
        raise unknown(name)
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
    openapi_extra=BODY,
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
    who: Annotated[
        str,
        Query(
            max_length=100, description="Who asks; kept with the version, behind the name of the token that was shown."
        ),
    ] = "",
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
    shelf = shelf_of(request)
    warnings = [each.document() for each in found.warnings]
    if dry_run:
        shelf.refuse_cycle(found.playbook)
        row = await ask.node.cluster.read(lambda state: state.executions.playbooks.get(name))
        at = 0 if row is None else row.newest.version
        return {"name": name, "version": at, "changed": row is None or row.newest.text != text, "warnings": warnings}
    async with shelf.putting:
        shelf.refuse_cycle(found.playbook)
        applied = await ask.propose(
            PlaybookPut.kind, PlaybookPut(name=name, text=text, if_version=wanted, who=ask.signed(who))
        )
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


def summary_of(shelf: Shelf, row: PlaybookRow) -> PlaybookSummary:
    newest = row.newest
    members = {"name": row.name, "version": newest.version, "time": rfc3339(newest.time), "who": newest.who}
    try:
        found = shelf.newest(row)
    except PlaybookUnreadable as error:
        return PlaybookSummary(**members, description="", triggers=[], inputs=[], problem=error.message)
    triggers = [trigger.type for trigger in found.triggers]
    inputs = list(found.inputs)
    return PlaybookSummary(**members, description=found.description, triggers=triggers, inputs=inputs, problem="")


def _misnamed(name: str, found: str) -> Problem:
    fault = {"location": "name", "message": f"is {found!r}, the address says {name!r}", "type": "playbook_name"}
    return Problem("playbook_invalid", f"name: {fault['message']}; make them the same", errors=[fault])
