"""What people want of a component: its policy, the desired state, maintenance; and faults that somebody has seen."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.components import Maintenance, unknown
from orchestrator.api.conditions import ETAGGED, IfMatch, IfNoneMatch, condition, etag
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.events import Frozen
from orchestrator.lifecycle import State
from orchestrator.topology import resolving
from orchestrator.topology.models import PolicyModel, RestartModel, Text, Who
from orchestrator.topology.ordering import cycle, dependents, needs
from orchestrator.topology.rows import Acknowledge, ControlRow, DeletePolicy, Desire, Maintain, SetPolicy

if TYPE_CHECKING:
    from cluster import Applied
    from orchestrator.state import PlantState

router = APIRouter(prefix="/v1/components/{component_id}", tags=["policies"])

ComponentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["press-1"])]
CHANGE = ("precondition_failed", "registry_full", "kind_unsupported", *WRITE)


class Desired(Frozen):
    """`state`: STARTED, STOPPED, or null for neither. `by`: who says so."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"example": {"state": "STARTED", "by": "ada"}}
    )

    state: Literal["STARTED", "STOPPED"] | None
    by: Who = ""


class MaintenanceBegins(Frozen):
    """Why it is to be left alone, and who says so."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"example": {"reason": "new valve", "by": "ada"}}
    )

    reason: Text = Field(min_length=1)
    by: Who = ""


class Acknowledged(Frozen):
    """Who has seen the fault. `retry`: and it may be restarted again, with counters that begin anew."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"example": {"by": "ada", "note": "belt ordered"}}
    )

    by: Who = ""
    note: Text = ""
    retry: bool = False


class SupervisedRun(BaseModel):
    """The supervision's last attempt. `outcome`: empty while it goes on."""

    number: int
    purpose: str = Field(examples=["start", "restart", "stop", "cascade", "group"])
    goal: State
    reason: str
    time: float = Field(description="When it began: unix seconds by the clock of the node that led; for display.")
    pause_s: float = Field(description="Seconds before its first command.")
    outcome: str = Field(examples=["", "reached", "abandoned"])


class Policy(BaseModel):
    """All that is said of one component. `revision` is the ETag, 0 while nothing was said."""

    id: str
    revision: int
    policy: PolicyModel
    desired: str | None
    desired_by: str
    maintenance: Maintenance | None
    restarts: int = Field(description="Those that counted against the policy's limit at the last one.")
    exhausted: str
    run: SupervisedRun | None


class Revision(BaseModel):
    """After a change."""

    revision: int


class Neighbour(BaseModel):
    """`state` and `presence` are null for one that is not registered."""

    id: str
    state: State | None
    presence: str | None


class Dependents(BaseModel):
    """Who needs a component, and whom it needs, directly or not. `cycle`: names of those that need one another."""

    id: str
    dependents: list[Neighbour]
    needs: list[Neighbour]
    cycle: list[str] = Field(description="One cycle in the plant's dependencies, the first name again at its end.")


@router.get(
    "/policy",
    summary="What is said of a component",
    responses=problems("component_unknown", *READ, also={200: ETAGGED}),
)
async def policy(read: Read, component_id: ComponentId, response: Response) -> Policy:
    """Defaults, which ask for nothing, when nothing was said of a registered component."""
    plant = await read.plant()
    if component_id not in plant.components.rows and component_id not in plant.topology.controls:
        raise unknown(component_id)
    row = plant.topology.control(component_id)
    if row.revision:
        response.headers["ETag"] = etag(row.revision)
    return shown_policy(row)


@router.put(
    "/policy", summary="Set a component's policy", responses=problems("dependency_cycle", *CHANGE, also={200: ETAGGED})
)
async def set_policy(
    ask: Ask,
    component_id: ComponentId,
    body: PolicyModel,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Revision:
    """The component need not be registered yet. The counters of its restarts begin anew."""
    command = SetPolicy.of(component_id, body, if_revision=condition(if_match, if_none_match))
    return _changed(await ask.propose(SetPolicy.kind, command), response)


@router.delete(
    "/policy", status_code=204, summary="Forget all that was said", responses=problems("policy_unknown", *CHANGE)
)
async def delete_policy(ask: Ask, component_id: ComponentId, if_match: IfMatch = None) -> None:
    """Policy, desired state, maintenance and counters."""
    await ask.propose(DeletePolicy.kind, DeletePolicy(id=component_id, if_revision=condition(if_match)))


@router.put("/desired", summary="Desire a state", responses=problems("component_unknown", *CHANGE, also={200: ETAGGED}))
async def desire(
    ask: Ask,
    read: Read,
    component_id: ComponentId,
    body: Desired,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Revision:
    """The leader brings the component there, in the order of dependencies. `GET /v1/supervision` says how far it is."""
    await _registered(read, component_id)
    command = Desire(
        ids=(component_id,),
        state=body.state or "",
        by=ask.signed(body.by),
        if_revision=condition(if_match, if_none_match),
    )
    return _changed(await ask.propose(Desire.kind, command), response)


@router.put(
    "/maintenance", summary="Begin maintenance", responses=problems("component_unknown", *CHANGE, also={200: ETAGGED})
)
async def begin_maintenance(
    ask: Ask,
    read: Read,
    component_id: ComponentId,
    body: MaintenanceBegins,
    response: Response,
    if_match: IfMatch = None,
) -> Revision:
    """Until it ends, the supervision leaves the component alone. Commands of people still reach it."""
    await _registered(read, component_id)
    command = Maintain(
        ids=(component_id,), on=True, reason=body.reason, by=ask.signed(body.by), if_revision=condition(if_match)
    )
    return _changed(await ask.propose(Maintain.kind, command), response)


@router.delete(
    "/maintenance", summary="End maintenance", responses=problems("component_unknown", *CHANGE, also={200: ETAGGED})
)
async def end_maintenance(
    ask: Ask, read: Read, component_id: ComponentId, response: Response, if_match: IfMatch = None
) -> Revision:
    """Nothing changes where there was none."""
    await _registered(read, component_id)
    command = Maintain(ids=(component_id,), on=False, if_revision=condition(if_match))
    return _changed(await ask.propose(Maintain.kind, command), response)


@router.post(
    "/acknowledge",
    summary="Acknowledge a fault",
    responses=problems("component_unknown", "nothing_to_acknowledge", *CHANGE),
)
async def acknowledge(ask: Ask, component_id: ComponentId, body: Acknowledged) -> Revision:
    """Shown until the component leaves FAULT. It moves nothing, unless `retry` is true and its policy restarts it."""
    command = Acknowledge(id=component_id, by=ask.signed(body.by), note=body.note, retry=body.retry)
    applied = await ask.propose(Acknowledge.kind, command)
    return Revision(revision=applied.outcome.value["revision"])


@router.get("/dependents", summary="Who needs a component", responses=problems("component_unknown", *READ))
async def component_dependents(read: Read, component_id: ComponentId) -> Dependents:
    """Also whom it needs. A component that is not registered, but that others need, has an answer, too."""
    plant = await read.plant()
    graph = resolving.dependencies(plant)
    needing, needed = dependents(component_id, graph), needs(component_id, graph)
    if component_id not in plant.components.rows and not needing and not needed:
        raise unknown(component_id)
    return Dependents(
        id=component_id,
        dependents=neighbours(plant, needing),
        needs=neighbours(plant, needed),
        cycle=list(cycle(graph)),
    )


def neighbours(plant: "PlantState", ids: Iterable[str]) -> list[Neighbour]:
    """What is known of these components."""
    rows = plant.components.rows
    return [
        Neighbour(id=each, state=None, presence=None)
        if (row := rows.get(each)) is None
        else Neighbour(id=each, state=row.state, presence="ONLINE" if row.online else "OFFLINE")
        for each in ids
    ]


async def _registered(read: Read, component_id: str) -> None:
    if await read.row(lambda plant: plant.components.get(component_id)) is None:
        raise unknown(component_id)


def _changed(applied: "Applied", response: Response) -> Revision:
    revision: int = applied.outcome.value["revision"]
    response.headers["ETag"] = etag(revision)
    return Revision(revision=revision)


def shown_policy(row: ControlRow) -> Policy:
    # As it is kept, which an earlier release may have let in: it is shown, not judged.
    kept = PolicyModel.model_construct(
        depends_on=row.depends_on,
        restart=RestartModel.model_construct(**msgspec.to_builtins(row.restart)),
        on_dependency_failure=row.on_dependency_failure,
    )
    return Policy(
        id=row.id,
        revision=row.revision,
        policy=kept,
        desired=row.desired or None,
        desired_by=row.desired_by,
        maintenance=row.maintenance and Maintenance(**msgspec.to_builtins(row.maintenance)),
        restarts=len(row.restarts),
        exhausted=row.exhausted,
        run=row.run and SupervisedRun(**msgspec.to_builtins(row.run), pause_s=row.run.not_before - row.run.begun),
    )
