"""Variables of the cluster: named JSON values, read at any consistency, changed unconditionally or by their revision.

A revision is the variable's ETag. Values pass through as the JSON text that is replicated.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.conditions import ETAGGED, IfMatch, IfNoneMatch, condition, etag
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem
from orchestrator.variables import NAME_PATTERN, Delete, Set, VariableRow

router = APIRouter(prefix="/v1/variables", tags=["variables"])

VariableName = Annotated[str, Path(pattern=NAME_PATTERN, examples=["line-a.speed"])]
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


@router.get("", summary="All variables", response_model=list[Variable], responses=problems(*READ))
async def variables(read: Read, response: Response) -> Response:
    """Ordered by name."""
    rows = await read(lambda state: state.variables.rows)
    return _answer([shown(row) for _, row in sorted(rows.items())], response.headers)


@router.get(
    "/{name}",
    summary="One variable",
    response_model=Variable,
    responses=problems("variable_unknown", *READ, also={200: ETAGGED}),
)
async def variable(read: Read, name: VariableName, response: Response) -> Response:
    """Its value, and its revision as ETag: send that in `If-Match` to change just what was read."""
    row = await read(lambda state: state.variables.get(name))
    if row is None:
        raise Problem("variable_unknown", f"variable {name} is not set")
    return _answer(shown(row), response.headers, row.revision)


@router.put(
    "/{name}",
    summary="Set a variable",
    response_model=Variable,
    responses=problems(
        *_REFUSALS, *WRITE, also={200: ETAGGED, 201: {"model": Variable, "description": "Created", **ETAGGED}}
    ),
)
async def set_variable(
    ask: Ask, name: VariableName, body: VariableValue, if_match: IfMatch = None, if_none_match: IfNoneMatch = None
) -> Response:
    """201 when it did not exist before. 412 `precondition_failed` has the variable's `revision`, 0 if it has none."""
    command = Set.of(name, body.value, if_revision=condition(if_match, if_none_match))
    applied = await ask.propose(Set.kind, command)
    told = applied.outcome.value
    row = VariableRow(name=name, value=command.value, revision=told["revision"], time=told["time"])
    return _answer(shown(row), {}, row.revision, status=201 if told["created"] else 200)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a variable",
    responses=problems("variable_unknown", "precondition_failed", *WRITE),
)
async def delete_variable(ask: Ask, name: VariableName, if_match: IfMatch = None) -> None:
    """412 `precondition_failed` has the variable's `revision`, 0 if it does not exist (any more)."""
    await ask.propose(Delete.kind, Delete(name=name, if_revision=condition(if_match, None)))


def shown(row: VariableRow) -> dict[str, Any]:
    """The value's text goes into the answer as it stands."""
    value = msgspec.Raw(row.value.encode())
    return {"name": row.name, "value": value, "revision": row.revision, "time": row.time}


def _answer(shown: Any, headers: Mapping[str, str], revision: int | None = None, status: int = 200) -> Response:
    """The JSON of `shown`, with the headers that were set on the way here and the revision as its ETag."""
    answer = Response(msgspec.json.encode(shown), status_code=status, media_type="application/json")
    answer.headers.update(headers)
    if revision is not None:
        answer.headers["ETag"] = etag(revision)
    return answer
