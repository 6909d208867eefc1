"""What would be done, before anything moves; and what the supervision does now, and why."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, problems
from orchestrator.lifecycle import Command, State
from orchestrator.topology import planning, resolving

router = APIRouter(prefix="/v1", tags=["plans"])

SELECTED_MAX = 200


class PlannedStep(BaseModel):
    """One component. Those of one `wave` go side by side, each after all of the wave before."""

    wave: int
    component_id: str
    state: State
    commands: list[Command]


class PlannedSkip(BaseModel):
    """A component that is left alone. `blocked`: it does not get to the target; else it need not move."""

    component_id: str
    reason: str
    blocked: bool


class Plan(BaseModel):
    """`complete`: all that was selected gets to the target."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "target": "STARTED",
                "complete": True,
                "steps": [
                    {"wave": 1, "component_id": "io", "state": "READY", "commands": ["CMD_INITIALIZE", "CMD_START"]},
                    {
                        "wave": 2,
                        "component_id": "kds",
                        "state": "STOPPED",
                        "commands": ["CMD_RESET", "CMD_INITIALIZE", "CMD_START"],
                    },
                ],
                "skipped": [{"component_id": "camera", "reason": "is STARTED already", "blocked": False}],
            }
        }
    )

    target: State
    complete: bool
    steps: list[PlannedStep]
    skipped: list[PlannedSkip]


class SupervisionDecision(BaseModel):
    """About one component. `trouble`: what kept the last action from being done; empty without."""

    component: str
    reason: str = Field(examples=["STARTED is desired by ada; waits for io, which it needs and which is READY"])
    trouble: str


@router.get(
    "/plan",
    summary="What would be done, in which order",
    responses=problems(
        "component_unknown", "group_unknown", "selector_empty", "topology_invalid", "dependency_cycle", *READ
    ),
)
async def plan_of(
    read: Read,
    target: Annotated[
        Literal[State.READY, State.INIT_COMPLETE, State.STARTED, State.STOPPED], Query(description="Where it leads.")
    ],
    group: Annotated[
        list[str], Query(max_length=SELECTED_MAX, description="May be repeated; `@all` is everybody.")
    ] = [],  # noqa: B006
    component: Annotated[list[str], Query(max_length=SELECTED_MAX, description="May be repeated.")] = [],  # noqa: B006
    related: Annotated[
        bool, Query(description="Also start what is needed, and stop what needs them, though it was not selected.")
    ] = False,
) -> Plan:
    """Nothing moves. Cycles are refused by name; who is in maintenance, OFFLINE or not registered is skipped."""
    plant = await read.plant()
    excused = {
        each: f"is in maintenance: {row.maintenance.reason}"
        for each, row in plant.topology.controls.items()
        if row.maintenance is not None
    }
    made = planning.plan(
        State(target),
        resolving.select(plant, components=component, groups=group),
        plant.components.rows,
        resolving.dependencies(plant),
        excused=excused,
        related=related,
    )
    return Plan(
        target=made.target,
        complete=made.complete,
        steps=[
            PlannedStep(wave=each.wave, component_id=each.component_id, state=each.state, commands=list(each.commands))
            for each in made.steps
        ],
        skipped=[
            PlannedSkip(component_id=each.component_id, reason=each.reason, blocked=each.blocked)
            for each in made.skipped
        ],
    )


@router.get("/supervision", summary="What the supervision does now, and why", responses=problems(*READ))
async def supervision(ask: Ask) -> list[SupervisionDecision]:
    """The leader's last decision about each component of which something is asked."""
    duties = await ask.duties()
    return [SupervisionDecision(**each) for each in duties.supervised()]
