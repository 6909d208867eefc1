"""Frames: queues and counters at one instant, the ledger that proves that nothing was lost, and what became of each."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, model_validator

from framebuffer.dead_letters import Done, Verb, handle, handle_all, page
from framebuffer.following import cursor_of, follow, newest, positions_of
from framebuffer.inquiry import lags
from framebuffer.inquiry import trace as traced
from framebuffer.latency import latency
from framebuffer.shards import verify_shards
from framebuffer.stuck import DEFAULT_STUCK_S
from framebuffer.tasks import ended
from orchestrator.api.asking import Ask, builtins
from orchestrator.api.cameras import SESSION_SHOWN
from orchestrator.api.documented import problems
from orchestrator.api.envelope import facts
from orchestrator.api.frames_shown import FrameStats, FrameStory, Ledger, PlaceLag, TailPage
from orchestrator.api.gate import Gate, refusal
from orchestrator.api.problems import Problem

router = APIRouter(prefix="/v1/frames", tags=["frames"])

REDIS = ("redis_unavailable", "redis_refused")
FOLLOWERS_MAX = 16
"""Requests that wait for something to end, at once: each holds a connection to Redis."""

LOOK_S = 0.25
"""Between two looks at whether the token of a request that waits still holds."""

T = TypeVar("T")

_followers = asyncio.BoundedSemaphore(FOLLOWERS_MAX)

Camera = Annotated[str, Query(max_length=64, description="Only this camera's.")]
Reason = Annotated[str, Query(max_length=500, description="Only those whose reason holds this text.")]


class DeadFrame(BaseModel):
    """A frame that is given up. Times in milliseconds of the Redis server's clock."""

    entry_id: str = Field(examples=["1764000000000-0"], description="What replay and drop are given.")
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    published_ms: int
    died_ms: int
    processor_id: str
    reason: str
    traceparent: str


class DeadPage(BaseModel):
    """A page of dead frames, oldest first. `cursor` is null after the last; there may be more behind an empty page."""

    frames: list[DeadFrame]
    cursor: str | None


class Which(BaseModel):
    """Dead frames by `ids`, or all of them (`all`), of a camera or with a reason if these are given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"ids": ["1764000000000-0"]}})

    ids: list[Annotated[str, Field(max_length=40)]] | None = Field(None, min_length=1, max_length=1000)
    all: bool = False
    camera: str = Field("", max_length=64)
    reason: str = Field("", max_length=500)
    cursor: str = Field("", max_length=4000, description="With `all`: that of the answer before, to go on.")

    @model_validator(mode="after")
    def _one_way(self) -> "Which":
        if self.all == (self.ids is not None):
            raise ValueError("either `ids` or `all` says which")
        if self.ids is not None and (self.camera or self.reason or self.cursor):
            raise ValueError("camera, reason and cursor go with `all`")
        return self


class Handled(BaseModel):
    """`done`: frames that were replayed, or dropped. With `all` go on with `cursor` until it is null."""

    done: int
    not_found: int
    refused: int
    outcomes: dict[str, str] = Field(description="By entry id, where ids were given.")
    cursor: str | None


class FrameServer(BaseModel):
    """What a producer needs to start (without a password)."""

    redis_url: str = Field(description="As `framebuffer.connect` and `FrameProducer` take it.")
    durability: int | Literal["majority"] = Field(
        description="Replicas that must have a frame before it counts as published; `majority`: all that are known."
    )
    inline_bytes_max: int = Field(description="A larger payload is kept apart from its frame.")


@router.get("/server", summary="Where to publish", responses=problems())
async def server(ask: Ask) -> FrameServer:
    """Where Redis is, and how durable frames are to be; any node answers."""
    config = ask.node.config
    return FrameServer(
        redis_url=config.redis.public_url,
        durability=config.durability(),
        inline_bytes_max=config.frames.inline_bytes_max,
    )


@router.get(
    "/stats",
    summary="Queues, lanes and counters",
    response_model=FrameStats,
    responses=problems("redis_unavailable"),
)
async def stats(ask: Ask) -> Response:
    """Of one instant of the Redis server, or of each shard's; any node answers. `session` of a camera is the beginning
    of its producer's token.
    """
    found = await ask.shards().stats()
    cameras = {name: replace(each, session=each.session[:SESSION_SHOWN]) for name, each in found.cameras.items()}
    return _answer(replace(found, cameras=cameras))


@router.get("/ledger", summary="The ledger", response_model=Ledger, responses=problems("redis_unavailable"))
async def ledger(
    ask: Ask,
    stuck_s: Annotated[
        float, Query(gt=0, le=1e9, allow_inf_nan=False, description="A frame in flight for so long is named as stuck.")
    ] = DEFAULT_STUCK_S,
) -> Response:
    """`published = settled + dead + dropped + in_flight + lost`; `ledger_ok`, and the frames that break it by name."""
    return _answer(await verify_shards(ask.shards(), stuck_s=stuck_s))


@router.get("/lag", summary="How far behind each place is", response_model=list[PlaceLag], responses=problems(*REDIS))
async def lag(ask: Ask) -> Response:
    """Capture, each lane and each processor's queue: frames, age of the oldest, and frames in hand."""
    return _answer(await lags(ask.shards()))


class Latency(BaseModel):
    """From publish to result, in milliseconds of the Redis server's clock; null where nothing was settled lately."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "server_ms": 1764000000000,
                "window_s": 10.0,
                "results": 300,
                "complete": True,
                "p50_ms": 9,
                "p95_ms": 21,
                "p99_ms": 34,
                "max_ms": 41,
            }
        }
    )

    server_ms: int
    window_s: float
    results: int = Field(description="How many were looked at.")
    complete: bool = Field(description="All of the window, not only the newest 1,000 of each shard.")
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    max_ms: int | None


@router.get("/latency", summary="How long frames take", responses=problems(*REDIS))
async def frame_latency(
    ask: Ask,
    window_s: Annotated[float, Query(gt=0, le=300, allow_inf_nan=False, description="Results of so long.")] = 10.0,
) -> Latency:
    """Percentiles of the results that are kept; any node answers."""
    return Latency.model_validate(builtins(await latency(ask.shards(), window_s=window_s)))


@router.get(
    "/trace/{frame:path}",
    summary="The story of a frame",
    response_model=FrameStory,
    responses=problems("frame_unknown", *REDIS),
)
async def trace(ask: Ask, frame: Annotated[str, Path(max_length=200, examples=["cam-1:42"])]) -> Response:
    """Received, candidates and their load, chosen, attempts, result, under which leader. By id or `CAMERA:SEQUENCE`."""
    return _answer(await traced(ask.shards(), frame))


@router.get("/dead", summary="Dead frames", responses=problems("invalid_cursor", *REDIS))
async def dead(
    ask: Ask,
    cursor: Annotated[str, Query(max_length=4000, description="That of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    camera: Camera = "",
    reason: Reason = "",
) -> DeadPage:
    """Oldest first, without their bytes."""
    found = await page(ask.shards(), cursor=cursor, limit=limit, camera=camera, reason=reason)
    frames = [
        DeadFrame.model_validate({name: getattr(frame, name) for name in DeadFrame.model_fields})
        for frame in found.frames
    ]
    return DeadPage(frames=frames, cursor=found.cursor or None)


@router.post("/dead/replay", summary="Replay dead frames", responses=problems("invalid_cursor", *REDIS))
async def replay(ask: Ask, which: Which) -> Handled:
    """Send them on their way again as if they had never failed. A repeat finds them gone: `not-found`."""
    return await _handled(ask, "replay", which)


@router.post("/dead/drop", summary="Drop dead frames", responses=problems("invalid_cursor", *REDIS))
async def drop(ask: Ask, which: Which) -> Handled:
    """Delete their bytes for good; the ledger keeps that they died."""
    return await _handled(ask, "drop", which)


async def _handled(ask: Ask, verb: Verb, which: Which) -> Handled:
    streams = ask.shards()
    done: Done
    ids = ",".join(which.ids or ())
    asked = {"frames": len(which.ids)} if which.ids is not None else {"camera": which.camera, "reason": which.reason}
    async with ask.noted(f"frames.{verb}", "frames", ids, **asked) as told:
        if which.ids is not None:
            done = await handle(streams, verb, which.ids)
        else:
            done = await handle_all(streams, verb, cursor=which.cursor, camera=which.camera, reason=which.reason)
        told.members.update(done=done.done, not_found=done.not_found, refused=done.refused)
    return Handled(
        done=done.done,
        not_found=done.not_found,
        refused=done.refused,
        outcomes=done.outcomes,
        cursor=done.cursor or None,
    )


@router.get(
    "/tail",
    summary="What ends, as it ends",
    response_model=TailPage,
    responses=problems("invalid_cursor", "too_many_followers", *REDIS),
)
async def tail(
    ask: Ask,
    request: Request,
    cursor: Annotated[str, Query(max_length=4000, description="Where to go on; without one: from now on.")] = "",
    wait_s: Annotated[float, Query(ge=0, le=10, allow_inf_nan=False, description="How long to wait for more.")] = 5.0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Of each kind.")] = 500,
) -> Response:
    """`frames` that were settled, died or were dropped behind the cursor, and the `cursor` to ask with again.

    `not_kept`, where the cursor is too old: how many `results` or `dropped` frames came behind it and are not kept any
    more; `"some"` where the number is not known.
    """
    streams = ask.shards()
    if _followers.locked():
        raise Problem("too_many_followers", f"{FOLLOWERS_MAX} requests wait already; ask another node, or later")
    async with _followers:
        positions = positions_of(cursor, len(streams)) if cursor else await newest(streams)
        found = await _held(request, follow(streams, positions, limit=limit, wait_s=wait_s))
    missing = {"not_kept": found.not_kept} if found.not_kept else {}
    return _answer({"frames": found.frames, "cursor": cursor_of(found.positions), **missing})


def _answer(found: Any) -> Response:
    """A struct, or what holds structs, as it is: the models are for the document."""
    return Response(msgspec.json.encode(found), media_type="application/json")


async def _held(request: Request, following: Coroutine[Any, Any, T]) -> T:
    """What `following` finds, for as long as the token holds that it was asked with. Raises `Problem` 401."""
    gate, principal = Gate.of(request), facts(request.scope)["principal"]
    task = asyncio.create_task(following)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_S)
            if not gate.still_valid(principal):
                raise refusal("revoked", "the token ended while this request waited")
        return task.result()
    finally:
        await ended(task)
