"""Components: who is registered, in which state, and the lifecycle commands sent to them.

What people want of them is in `orchestrator.api.policies`.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakKeyDictionary

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cluster import ClusterError
from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem, outcome_unknown, refused
from orchestrator.api.view import NodeView
from orchestrator.components import ComponentRegistration, ComponentRow, Register, Unregister
from orchestrator.errors import OutcomeUnknown
from orchestrator.events import CommandAnswer, CommandName
from orchestrator.lifecycle import State
from orchestrator.own_commands import params_digest
from orchestrator.topology import resolving
from orchestrator.topology.rows import ControlRow

if TYPE_CHECKING:
    from orchestrator.state import PlantState

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


class Maintenance(BaseModel):
    """Why a component is left alone, who said so, and since when (unix seconds)."""

    reason: str
    by: str
    since: float


class Acknowledgement(BaseModel):
    """Who has seen the fault that a component is in now, and when (unix seconds)."""

    by: str
    note: str
    time: float


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
                "depends_on": ["plc-1"],
                "desired": "STARTED",
                "maintenance": None,
                "acknowledged": None,
                "exhausted": "",
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
    labels: dict[str, str] = {}
    heartbeat_s: float | None = Field(None, description="The interval of its heartbeats that it declared.")
    last_seen_s: float | None = Field(
        None, description="Seconds since its last heartbeat to the present leader; null before one, and from followers."
    )
    cpu: float | None = Field(None, description="Share of one core, by its last heartbeat.")
    memory: int | None = Field(None, description="Resident bytes, by its last heartbeat.")
    metrics: dict[str, float] = Field({}, description="Figures of its own, by its last heartbeat.")
    depends_on: list[str] = Field(default=[], description="What it needs, by its registration and its policy.")
    desired: str | None = Field(default=None, examples=["STARTED", "STOPPED"])
    maintenance: Maintenance | None = None
    acknowledged: Acknowledgement | None = None
    exhausted: str = Field(default="", description="Why it is not restarted any more; empty while it may be.")


ROWS_AT_ONCE = 50
"""Of a list: then others have their turn."""
UNHEARD: dict[str, Any] = {"last_seen_s": None, "cpu": None, "memory": None, "metrics": {}}
"""Of a component that this node has not heard."""
_UNHEARD = b"," + msgspec.json.encode(UNHEARD)[1:]


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
    held = await read.row(lambda state: state.components.get(registration.id))
    applied = await ask.propose(Register.kind, Register.of(registration))
    response.headers["Location"] = f"/v1/components/{registration.id}"
    if held is not None and held.address == registration.address:
        response.status_code = 200
    return Component(**applied.outcome.value)


@router.get("", summary="All components", response_model=list[Component], responses=problems(*READ))
async def components(
    ask: Ask,
    read: Read,
    group: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
) -> Response:
    """Ordered by id; filtered when asked. A group has the members of its groups, too."""
    plant = await read.plant()
    rows = plant.components.rows
    wanted = rows if group is None else frozenset(resolving.groups(plant).get(group, ()))
    found = _ordered(ask.node, rows)
    if group is not None or state is not None:
        found = [row for row in found if row.id in wanted and state in (None, row.state)]
    # Thousands of rows in one go, or by way of the model, would hold up everyone else's requests.
    parts: list[bytes] = []
    for start in range(0, len(found), ROWS_AT_ONCE):
        parts += texts(ask.node, plant, found[start : start + ROWS_AT_ONCE])
        await asyncio.sleep(0)
    return Response(b"[" + b",".join(parts) + b"]", media_type="application/json")


@router.get("/{component_id}", summary="One component", responses=problems("component_unknown", *READ))
async def component(ask: Ask, read: Read, component_id: ComponentId) -> Component:
    """Its registration, its state, what people want of it and, from the leader, what its last heartbeat said."""
    plant = await read.plant()
    row = plant.components.get(component_id)
    if row is None:
        raise unknown(component_id)
    return shown(ask.node, plant, row)


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
    if await read.row(lambda plant: plant.components.get(component_id)) is None:
        raise unknown(component_id)
    duties = await ask.duties()
    params = params_digest(wanted.params) or None  # not what they say: they may hold what is nobody's business
    async with ask.noted(
        "component.command", "components", component_id, command=wanted.command, params=params
    ) as told:
        try:
            answer = await duties.send_command(component_id, wanted.command, ask.key, params=wanted.params)
        except OutcomeUnknown as error:
            raise outcome_unknown(ask.key, str(error)) from error  # the key that came is the one to repeat it under
        except ClusterError as error:
            # The component has answered by then; only what it said could not be replicated.
            raise outcome_unknown(ask.key, f"the component's answer was not recorded: {error}") from error
        told.members["state"] = str(answer.state)
        if not answer.ok:
            raise refused(answer.code, answer.message, component_id=component_id, state=answer.state)
    return answer.model_copy(update={"key": ask.key})


_ORDERED: WeakKeyDictionary[NodeView, tuple[Mapping[str, ComponentRow], list[ComponentRow]]] = WeakKeyDictionary()
"""Of a node: its rows, and the same by id."""


def _ordered(node: NodeView, rows: Mapping[str, ComponentRow]) -> list[ComponentRow]:
    """Sorted once for as long as no component changes."""
    before = _ORDERED.get(node)
    if before is None or before[0] is not rows:
        before = _ORDERED[node] = (rows, [row for _, row in sorted(rows.items())])
    return before[1]


def shown(node: NodeView, plant: "PlantState", row: ComponentRow) -> Component:
    """A row with what people want of the component and, on the leader, what was last heard of it."""
    return Component(**_facts(node, plant, row))


def _facts(node: NodeView, plant: "PlantState", row: ComponentRow) -> dict[str, Any]:
    return {**lasting_of(row, plant.topology.control(row.id)), **_heard(node, row)}


def _heard(node: NodeView, row: ComponentRow) -> Mapping[str, Any]:
    duties = node.duties()
    return (None if duties is None else duties.heard_of(row.id)) or UNHEARD


def lasting_of(row: ComponentRow, control: ControlRow) -> dict[str, Any]:
    """What changes only with the replicated state."""
    maintenance, seen = control.maintenance, control.acknowledged
    # Of the fault that it is in now, not of an earlier one.
    if seen is not None and (seen.position, seen.sequence, seen.reason) != (row.position, row.sequence, row.reason):
        seen = None
    shown = row.public()
    del shown["online"]  # told as `presence`
    return {
        **shown,
        "depends_on": list(dict.fromkeys((*row.depends_on, *control.depends_on))),
        "desired": control.desired or None,
        "maintenance": maintenance and {"reason": maintenance.reason, "by": maintenance.by, "since": maintenance.since},
        "acknowledged": seen and {"by": seen.by, "note": seen.note, "time": seen.time},
        "exhausted": control.exhausted,
    }


_Kept = dict[str, tuple[ComponentRow, ControlRow | None, bytes]]
_KEPT: WeakKeyDictionary[NodeView, _Kept] = WeakKeyDictionary()
"""Of a node, by component: the JSON of what lasts, with the rows that it was made of; of those that are registered."""


def text(node: NodeView, plant: "PlantState", row: ComponentRow) -> bytes:
    """The JSON of `_facts`."""
    return texts(node, plant, (row,))[0]


def texts(node: NodeView, plant: "PlantState", rows: Iterable[ComponentRow]) -> list[bytes]:
    """As `text`, of each. What lasts is made once for a row: lists of a thousand are asked for again and again."""
    kept, controls, duties = _KEPT.setdefault(node, {}), plant.topology.controls, node.duties()
    found = []
    for row in rows:
        control = controls.get(row.id)
        before = kept.get(row.id)
        if before is not None and before[0] is row and before[1] is control:
            lasting = before[2]
        else:
            lasting = msgspec.json.encode(lasting_of(row, control or plant.topology.control(row.id)))[:-1]
            if len(kept) > len(plant.components.rows):
                kept.clear()  # of components that are gone
            kept[row.id] = (row, control, lasting)
        heard = None if duties is None else duties.heard_of(row.id)
        found.append(lasting + (b"," + msgspec.json.encode(heard)[1:] if heard else _UNHEARD))
    return found


def unknown(component_id: str) -> Problem:
    return Problem("component_unknown", f"component {component_id} is not registered")
