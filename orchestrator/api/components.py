"""Components: who is registered, in which state, and the lifecycle commands sent to them."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cluster import ClusterError
from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem, outcome_unknown, refused
from orchestrator.api.view import NodeView
from orchestrator.components import ComponentRegistration, ComponentRow, Register, Unregister
from orchestrator.events import CommandAnswer, CommandName
from orchestrator.lifecycle import State

router = APIRouter(prefix="/v1/components", tags=["components"])

ComponentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["press-1"])]
COMMAND = (
    *(
        "command_refused",
        "command_failed",
        "command_interrupted",
        "command_unsupported",
        "component_busy",
        "component_stopping",
        "component_superseded",
    ),
    *("key_reused", "stale_epoch", "unreachable", "outcome_unknown", "no_leader"),
)


class Component(BaseModel):
    """A registered component. `presence` is ONLINE while its heartbeats arrive; `state` is the last one known."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "press-1",
                "name": "Press 1",
                "address": "http://127.0.0.1:9001",
                "groups": ["line-a"],
                "state": "STARTED",
                "presence": "ONLINE",
                "reason": "",
                "registered_time": 1767225600.0,
                "position": [3, 21],
            }
        }
    )

    id: str
    name: str
    address: str
    groups: list[str]
    state: State
    presence: str = Field(examples=["ONLINE", "OFFLINE"])
    reason: str
    registered_time: float = Field(description="Unix seconds by the clock of the node that proposed it; for display.")
    position: tuple[int, int]
    health: str = Field("OK", examples=["OK", "DEGRADED", "UNRESPONSIVE"])
    health_reason: str = ""
    depends_on: list[str] = []
    labels: dict[str, str] = {}
    heartbeat_s: float | None = Field(None, description="The interval of its heartbeats that it declared.")
    last_seen_s: float | None = Field(
        None, description="Seconds since its last heartbeat to the present leader; null before one, and from followers."
    )
    cpu: float | None = Field(None, description="Share of one core, by its last heartbeat.")
    memory: int | None = Field(None, description="Resident bytes, by its last heartbeat.")
    metrics: dict[str, float] = Field({}, description="Figures of its own, by its last heartbeat.")


UNHEARD: dict[str, Any] = {"last_seen_s": None, "cpu": None, "memory": None, "metrics": {}}
"""Of a component that this node has not heard."""


class CommandRequest(BaseModel):
    """A lifecycle command, its alias `CMD_STOP`, or one of the component's own with `params`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"command": "CMD_START"}})

    command: CommandName
    params: dict[str, Any] = {}


@router.post(
    "",
    status_code=201,
    summary="Register a component",
    responses=problems(
        "component_exists",
        "registry_full",
        "kind_unsupported",
        *WRITE,
        also={200: {"model": Component, "description": "Registered again"}},
    ),
)
async def register(ask: Ask, read: Read, registration: ComponentRegistration, response: Response) -> Component:
    """201; 200 when it was registered at this address before; 409 while the id is held by a live one elsewhere."""
    held = await read(lambda state: state.components.get(registration.id))
    applied = await ask.propose(Register.kind, Register.of(registration))
    response.headers["Location"] = f"/v1/components/{registration.id}"
    if held is not None and held.address == registration.address:
        response.status_code = 200
    return Component(**applied.outcome.value)


def _shown(node: NodeView, row: ComponentRow) -> Component:
    duties = node.duties()
    return Component(**row.public(), **({} if duties is None else duties.heard_of(row.id)))


@router.get("", summary="All components", response_model=list[Component], responses=problems(*READ))
async def components(
    ask: Ask,
    read: Read,
    group: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
) -> Response:
    """Ordered by id; filtered when asked."""
    rows = await read(lambda plant: plant.components.rows)
    duties = ask.node.duties()
    shown = [
        {**UNHEARD, **row.public(), **({} if duties is None else duties.heard_of(row.id))}
        for _, row in sorted(rows.items())
        if (group is None or group in row.groups) and state in (None, row.state)
    ]
    # Thousands of rows by way of the model would hold up everyone else's requests for tens of milliseconds.
    return Response(msgspec.json.encode(shown), media_type="application/json")


@router.get("/{component_id}", summary="One component", responses=problems("component_unknown", *READ))
async def component(ask: Ask, read: Read, component_id: ComponentId) -> Component:
    row = await read(lambda plant: plant.components.get(component_id))
    if row is None:
        raise _unknown(component_id)
    return _shown(ask.node, row)


@router.delete(
    "/{component_id}", status_code=204, summary="Remove a component", responses=problems("component_unknown", *WRITE)
)
async def unregister(ask: Ask, component_id: ComponentId) -> None:
    """The component itself is not told; one that still lives registers again."""
    await ask.propose(Unregister.kind, Unregister(id=component_id))


@router.post(
    "/{component_id}/commands",
    summary="Send a lifecycle command",
    responses=problems("component_unknown", *COMMAND),
)
async def command(ask: Ask, read: Read, component_id: ComponentId, wanted: CommandRequest) -> CommandAnswer:
    """The component's answer. Under one Idempotency-Key a component carries a command out once."""
    if await read(lambda plant: plant.components.get(component_id)) is None:
        raise _unknown(component_id)
    duties = await ask.duties()
    try:
        answer = await duties.send_command(component_id, wanted.command, ask.key, params=wanted.params)
    except ClusterError as error:
        # The component has answered by then; only what it said could not be replicated.
        raise outcome_unknown(ask.key, f"the component's answer was not recorded: {error}") from error
    if not answer.ok:
        raise refused(answer.code, answer.message, component_id=component_id, state=answer.state)
    return answer


def _unknown(component_id: str) -> Problem:
    return Problem("component_unknown", f"component {component_id} is not registered")
