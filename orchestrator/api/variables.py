"""Variables of the cluster: named JSON values, read at any consistency, changed unconditionally or by their revision.

A revision is the variable's ETag. Values pass through as the JSON text that is replicated.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem
from orchestrator.variables import NAME_PATTERN, Delete, Set, VariableRow

router = APIRouter(prefix="/v1/variables", tags=["variables"])

VariableName = Annotated[str, Path(pattern=NAME_PATTERN, examples=["line-a.speed"])]
IfMatch = Annotated[
    str | None,
    Header(description='Only while the variable has this revision: `"42"`. Otherwise 412.', examples=['"42"']),
]
IfNoneMatch = Annotated[
    str | None, Header(description="Only `*`: while the variable does not exist. Otherwise 412.", examples=["*"])
]
_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')
_REFUSALS = ("precondition_failed", "too_many_variables", "variables_full", "variable_invalid", "variable_too_large")


class Variable(BaseModel):
    """A value that the whole cluster agrees on. `revision` changes with every change; it is the ETag."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "line-a.speed", "value": {"mm_s": 120}, "revision": 42, "time": 1767225600.0}
        }
    )

    name: str
    value: Any = Field(description="Any JSON.")
    revision: int = Field(description="Where in the replicated log it was last changed.")
    time: float = Field(
        description="Unix seconds of the last change by the clock of the node that proposed it; for display."
    )


class VariableValue(BaseModel):
    """The value: any JSON, at most 16 KiB."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"value": {"mm_s": 120}}})

    value: Any


_ETAGGED = {"headers": {"ETag": {"description": "The revision.", "schema": {"type": "string"}, "example": '"42"'}}}


@router.get("", summary="All variables", response_model=list[Variable], responses=problems(*READ))
async def variables(read: Read, response: Response) -> Response:
    """Ordered by name."""
    rows = await read(lambda state: state.variables.rows)
    return _answer([_shown(row) for _, row in sorted(rows.items())], response.headers)


@router.get(
    "/{name}",
    summary="One variable",
    response_model=Variable,
    responses=problems("variable_unknown", *READ, also={200: _ETAGGED}),
)
async def variable(read: Read, name: VariableName, response: Response) -> Response:
    row = await read(lambda state: state.variables.get(name))
    if row is None:
        raise Problem("variable_unknown", f"variable {name} is not set")
    return _answer(_shown(row), response.headers, row.revision)


@router.put(
    "/{name}",
    summary="Set a variable",
    response_model=Variable,
    responses=problems(
        *_REFUSALS, *WRITE, also={200: _ETAGGED, 201: {"model": Variable, "description": "Created", **_ETAGGED}}
    ),
)
async def set_variable(
    ask: Ask, name: VariableName, body: VariableValue, if_match: IfMatch = None, if_none_match: IfNoneMatch = None
) -> Response:
    """201 when it did not exist before. 412 `precondition_failed` has the variable's `revision`, 0 if it has none."""
    command = Set.of(name, body.value, if_revision=_condition(if_match, if_none_match))
    applied = await ask.propose(Set.kind, command)
    told = applied.outcome.value
    row = VariableRow(name=name, value=command.value, revision=told["revision"], time=told["time"])
    return _answer(_shown(row), {}, row.revision, status=201 if told["created"] else 200)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a variable",
    responses=problems("variable_unknown", "precondition_failed", *WRITE),
)
async def delete_variable(ask: Ask, name: VariableName, if_match: IfMatch = None) -> None:
    """412 `precondition_failed` has the variable's `revision`, 0 if it does not exist (any more)."""
    await ask.propose(Delete.kind, Delete(name=name, if_revision=_condition(if_match, None)))


def _condition(if_match: str | None, if_none_match: str | None) -> int | None:
    """The revision that a change is made at: 0 for a variable that must not exist, None for any."""
    if if_none_match is not None:
        if if_match is not None:
            raise _fault("If-None-Match", "cannot go together with If-Match")
        if if_none_match.strip() != "*":
            raise _fault("If-None-Match", "must be *; send a revision in If-Match")
        return 0
    if if_match is None:
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise _fault("If-Match", 'must be one revision in quotation marks, such as "42"')
    return int(found[1])


def _fault(header: str, reason: str) -> Problem:
    fault = {"location": f"header.{header}", "message": reason, "type": "condition"}
    return Problem("invalid_request", f"header.{header}: {reason}", errors=[fault])


def _shown(row: VariableRow) -> dict[str, Any]:
    """The value's text goes into the answer as it stands."""
    value = msgspec.Raw(row.value.encode())
    return {"name": row.name, "value": value, "revision": row.revision, "time": row.time}


def _answer(shown: Any, headers: Mapping[str, str], revision: int | None = None, status: int = 200) -> Response:
    """The JSON of `shown`, with the headers that were set on the way here and the revision as its ETag."""
    answer = Response(msgspec.json.encode(shown), status_code=status, media_type="application/json")
    answer.headers.update(headers)
    if revision is not None:
        answer.headers["ETag"] = f'"{revision}"'
    return answer
