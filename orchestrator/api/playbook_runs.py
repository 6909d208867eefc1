"""Running a playbook, and what a run would do on the plant as it is."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask
from orchestrator.api.documented import WRITE, problems
from orchestrator.api.envelope import command_id
from orchestrator.api.execution_shown import EXAMPLE_ID
from orchestrator.api.playbook_texts import shelf_of, unknown
from orchestrator.api.playbooks import PlaybookName, Who
from orchestrator.api.problems import Problem
from orchestrator.playbooks.execution import Start
from orchestrator.playbooks.inputs import InputFault, checked_inputs
from orchestrator.playbooks.library import PlaybookRow
from orchestrator.playbooks.manual import manual_start
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.outline import beginning, outline
from orchestrator.variables import json_text

router = APIRouter(prefix="/v1/playbooks", tags=["playbooks"])

_INPUTS = ("playbook_unknown", "playbook_unreadable", "inputs_invalid")


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
            who=ask.signed(asked.who),
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
    shelf = shelf_of(request)
    steps = outline(found, begun, shelf.view.world(), shelf.templates)
    return {"name": name, "version": row.newest.version, "inputs": inputs, "steps": steps}


def _current(ask: Ask, request: Request, name: str) -> tuple[PlaybookRow, Playbook]:
    # The leader's own rows: whoever leads has applied all that was ever acknowledged.
    row = ask.node.state.executions.playbooks.get(name)
    if row is None:
        raise unknown(name)
    return row, shelf_of(request).newest(row)


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
