"""Texts that are still being written: what is wrong with one, and where, without storing it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.documented import problems
from orchestrator.api.playbook_texts import BODY, loaded, shelf_of, text_of
from orchestrator.api.problems import Problem
from orchestrator.playbooks.fields import PLAYBOOK_PATTERN
from orchestrator.playbooks.models import Input

router = APIRouter(prefix="/v1/playbooks", tags=["playbooks"])


class Place(BaseModel):
    """One thing that is said of a text: where (line and column from 1), of which member, what, and what to do."""

    line: int
    column: int
    field: str
    message: str
    hint: str


class Validated(BaseModel):
    """`valid`: a put of this text would be taken. `inputs` are those that it declares, once it is valid."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "valid": False,
                "name": None,
                "problems": [
                    {
                        "line": 3,
                        "column": 11,
                        "field": "actions[0].type",
                        "message": "'log_evnt' is not one of the actions",
                        "hint": "did you mean log_event?",
                    }
                ],
                "warnings": [],
                "inputs": {},
            }
        }
    )

    valid: bool
    name: str | None
    problems: list[Place]
    warnings: list[Place]
    inputs: dict[str, Input] = Field(description="By name.")


@router.post(
    "/validate",
    summary="What is wrong with a text",
    openapi_extra=BODY,
    responses=problems("playbook_too_large", "body_too_large"),
)
async def validate(
    request: Request,
    name: Annotated[
        str, Query(pattern=rf"^$|{PLAYBOOK_PATTERN}", description="The name that it is to be put under, if known.")
    ] = "",
) -> Validated:
    """Nothing is stored; any node answers. Each problem has its line and column; a valid text declares its inputs."""
    text = await text_of(request)
    try:
        found = await asyncio.to_thread(loaded, text, "draft.yaml")
    except Problem as problem:
        return _wrong([_place(each) for each in problem.members["errors"]])
    faults = []
    if name and found.playbook.name != name:
        line, column = found.positions.place(("name",))
        message, hint = f"is {found.playbook.name!r}, it is to be put as {name!r}", "make them the same"
        faults.append(Place(line=line, column=column, field="name", message=message, hint=hint))
    try:
        shelf_of(request).refuse_cycle(found.playbook)
    except Problem as problem:
        line, column = found.positions.place(("actions",))
        faults.append(Place(line=line, column=column, field="actions", message=problem.detail, hint="break the cycle"))
    return Validated(
        valid=not faults,
        name=found.playbook.name,
        problems=faults,
        warnings=[_place(each.document()) for each in found.warnings],
        inputs=found.playbook.inputs,
    )


def _wrong(places: list[Place]) -> Validated:
    return Validated(valid=False, name=None, problems=places, warnings=[], inputs={})


def _place(document: dict[str, Any]) -> Place:
    return Place.model_validate({name: document[name] for name in Place.model_fields})
