"""The registry of processors, at the paths of the frame API and below `/v1` alike."""

import asyncio
import hmac
import logging
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from framebuffer.breaker import BreakerState
from framebuffer.errors import RedisFailure
from framebuffer.models import ID_PATTERN, ProcessorRegistration, ProcessorUpdate
from framebuffer.registry import Drain, ProcessorRow, Register, Unregister, Update
from framebuffer.routing import capacity_of
from orchestrator.api.asking import Ask, Asking, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView, ProcessorReport
from orchestrator.events import SEQUENCE_MAX

log = logging.getLogger(__name__)

RETURN_S = 1.0
"""How long a removal waits for the queue to be returned; the leader's own reconciliation does it otherwise."""

ROUTED = frozenset({"capabilities", "capacity"})
"""What frames go by, of all that may be changed: the rest counts as soon as it is replicated."""

router = APIRouter(tags=["processors"])

ProcessorId = Annotated[str, Path(pattern=ID_PATTERN, examples=["faces-1"])]
OwnerToken = Annotated[
    str,
    Header(
        alias="X-Processor-Token",
        max_length=200,
        description="Made once by each client: with it the same registration again is a refresh, not a conflict.",
    ),
]


PROCESSOR_EXAMPLE: dict[str, Any] = {
    "id": "faces-1",
    "capabilities": ["face_detection"],
    "capacity": 32,
    "queue": "frames:ready:faces-1",
    "health_url": None,
    "labels": {},
    "healthy": True,
    "draining": False,
    "reason": "registered",
    "registered_time": 1767225600.0,
    "position": [3, 17],
}
REGISTERED_EXAMPLE: dict[str, Any] = {
    **PROCESSOR_EXAMPLE,
    "group": "processors",
    "redis_url": "redis://10.0.0.5:6379/0",
    "max_attempts": 3,
    "results_kept": 100_000,
    "lease_s": 30.0,
    "durability": 0,
}


class Processor(BaseModel):
    """A registered processor. `position` tells two registrations of one id apart."""

    model_config = ConfigDict(json_schema_extra={"example": PROCESSOR_EXAMPLE})

    id: str
    capabilities: list[str]
    capacity: int
    queue: str
    health_url: str | None
    labels: dict[str, str]
    healthy: bool
    draining: bool = Field(False, description="It gets no new frames and finishes what it has.")
    reason: str
    registered_time: float = Field(description="Unix seconds by the clock of the node that proposed it; for display.")
    position: tuple[int, int]


class Observed(Processor):
    """With what the leader knows of it beside its registration. All of that is null when another node answers."""

    breaker: Literal["CLOSED", "HALF_OPEN", "OPEN"] | None = Field(
        None, description="OPEN: kept away from after failures in a row; HALF_OPEN: tried with a frame at a time."
    )
    capacity_granted: int | None = Field(
        None, description="Frames that it may hold now: its capacity, bounded, or less while it is kept away from."
    )
    silence_s: float | None = Field(None, description="Since its last heartbeat, or since this leader first saw it.")
    in_flight: int | None = Field(None, description="By its last heartbeat, as `settled` and `errors`.")
    settled: int | None = None
    errors: int | None = None
    health_pull: str | None = Field(None, description="What was wrong at its `health_url`; empty when nothing was.")


class Registered(Processor):
    """What a processor needs to start: its queue, the consumer group, and where Redis is (without a password).

    A frame that failed `max_attempts` times is dead. One that is held for `lease_s` seconds without being renewed goes
    to another attempt. About `results_kept` of the newest results are to be kept. `durability`: replicas that must have
    a frame before it counts as published (`majority`: all that are known), for whoever publishes.
    """

    model_config = ConfigDict(json_schema_extra={"example": REGISTERED_EXAMPLE})

    group: str
    redis_url: str
    max_attempts: int
    results_kept: int = 100_000
    """A node of 0.1.0 does not say it."""
    lease_s: float
    durability: int | Literal["majority"]


class Report(BaseModel):
    """A heartbeat: frames in work now, and totals since the processor started."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"in_flight": 3, "settled": 120, "errors": 0}}
    )

    in_flight: int = Field(0, ge=0, le=SEQUENCE_MAX)
    settled: int = Field(0, ge=0, le=SEQUENCE_MAX)
    errors: int = Field(0, ge=0, le=SEQUENCE_MAX)


@router.post(
    "/processors/register",
    status_code=201,
    summary="Register a processor",
    responses=problems("processor_exists", "registry_full", *WRITE),
)
async def register(
    ask: Ask, registration: ProcessorRegistration, response: Response, token: OwnerToken = ""
) -> Registered:
    """409 `processor_exists` while another, healthy client holds the id."""
    applied = await ask.propose(Register.kind, Register.of(registration, token=token))
    response.headers["Location"] = f"/v1/processors/{registration.id}"
    config = ask.node.config
    return Registered(
        **applied.outcome.value,
        group=registration.group,
        redis_url=config.redis.public_url,
        max_attempts=config.frames.max_attempts,
        results_kept=config.frames.results_kept,
        lease_s=config.frames.lease_s,
        durability=config.durability(),
    )


@router.get("/processors", summary="All processors", responses=problems(*READ))
async def processors(
    read: Read,
    capability: Annotated[str | None, Query(pattern=ID_PATTERN, examples=["face_detection"])] = None,
    healthy: bool | None = None,
) -> list[Processor]:
    """Ordered by id; filtered when asked."""
    rows = await read(lambda state: state.processors.rows)
    return [
        Processor(**row.public())
        for _, row in sorted(rows.items())
        if (capability is None or row.registration.can_process(capability)) and (healthy in (None, row.healthy))
    ]


@router.get("/processors/{processor_id}", summary="One processor", responses=problems("processor_unknown", *READ))
async def processor(ask: Ask, read: Read, processor_id: ProcessorId) -> Observed:
    """Its registration, whether it is healthy and, from the leader, what it was seen to hold and to have done."""
    row = await read.row(lambda state: state.processors.get(processor_id))
    if row is None:
        raise _unknown(processor_id)
    return observed(ask.node, row)


def observed(node: NodeView, row: ProcessorRow) -> Observed:
    """A row and, on the leader, what it knows of the processor beside it."""
    duties = node.duties()
    if duties is None:
        return Observed(**row.public())
    found = duties.processor(row.id)
    granted = capacity_of(row, {row.id: BreakerState(found.breaker)}, node.config.frames.capacity_max)
    return Observed(**row.public(), capacity_granted=granted, **asdict(found))


@router.patch(
    "/processors/{processor_id}", summary="Change a registration", responses=problems("processor_unknown", *WRITE)
)
async def update(ask: Ask, processor_id: ProcessorId, changes: ProcessorUpdate) -> Processor:
    """What is not in the body stays."""
    applied = await ask.propose(Update.kind, Update.of(processor_id, changes))
    if changes.model_fields_set & ROUTED:
        await _in_force(ask)
    return Processor(**applied.outcome.value)


@router.post(
    "/processors/{processor_id}/drain",
    summary="Give a processor no more frames",
    responses=problems("processor_unknown", "kind_unsupported", *WRITE),
)
async def drain(ask: Ask, processor_id: ProcessorId) -> Processor:
    """It finishes what it has. It stays so until it is resumed, or registered by another client."""
    applied = await ask.propose(Drain.kind, Drain(id=processor_id, draining=True))
    await _in_force(ask)
    return Processor(**applied.outcome.value)


@router.post(
    "/processors/{processor_id}/resume",
    summary="Give a processor frames again",
    responses=problems("processor_unknown", "kind_unsupported", *WRITE),
)
async def resume(ask: Ask, processor_id: ProcessorId) -> Processor:
    """The end of draining; nothing changes for one that does not drain."""
    applied = await ask.propose(Drain.kind, Drain(id=processor_id, draining=False))
    return Processor(**applied.outcome.value)


@router.delete(
    "/processors/{processor_id}",
    status_code=204,
    summary="Remove a processor",
    responses=problems("processor_unknown", "processor_changed", *WRITE),
)
async def unregister(ask: Ask, processor_id: ProcessorId, token: OwnerToken = "") -> None:
    """Its queued frames go back to dispatch. With the owner's token, a successor under the same id is left alone."""
    await ask.propose(Unregister.kind, Unregister(id=processor_id, token=token))
    await _return_queue(ask, processor_id)


@router.post(
    "/processors/{processor_id}/heartbeat",
    status_code=204,
    summary="A processor lives",
    responses=problems("processor_unknown", "processor_changed", "no_leader"),
)
async def heartbeat(
    ask: Ask, read: Read, processor_id: ProcessorId, report: Report | None = None, token: OwnerToken = ""
) -> None:
    """404 tells the processor to register again, 409 that another client has taken the id over."""
    row = await read.row(lambda state: state.processors.get(processor_id))
    if row is None:
        raise _unknown(processor_id)
    if token and row.token and not hmac.compare_digest(token.encode(), row.token.encode()):
        raise Problem("processor_changed", f"processor {processor_id} has been registered anew by another client")
    said = report or Report()
    duties = await ask.duties()
    await duties.heartbeat(processor_id, ProcessorReport(said.in_flight, said.settled, said.errors))


async def _in_force(ask: Asking) -> None:
    """The answer must not come before the change counts: the streams may still route by the table before it."""
    if (duties := ask.node.duties()) is not None:
        await duties.processors_changed()


async def _return_queue(ask: Asking, processor_id: str) -> None:
    try:
        async with asyncio.timeout(RETURN_S):
            await (await ask.duties()).processor_removed(processor_id)
    except (TimeoutError, RedisFailure, Problem) as error:
        # The removal itself is replicated; the leader's reconciliation returns the queue later.
        log.warning(
            "the queue of the removed processor %s is not returned yet: %s", processor_id, str(error) or "timed out"
        )


def _unknown(processor_id: str) -> Problem:
    return Problem("processor_unknown", f"processor {processor_id} is not registered")
