"""Frames: queues and counters at one instant, and the ledger that proves that nothing was lost."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from framebuffer.shards import verify_shards
from orchestrator.api.asking import Ask, builtins
from orchestrator.api.documented import problems

router = APIRouter(prefix="/v1/frames", tags=["frames"])


class FrameServer(BaseModel):
    """What a producer needs to start (without a password)."""

    redis_url: str = Field(description="As `framebuffer.connect` and `FrameProducer` take it.")
    durability: int | Literal["majority"] = Field(
        description="Replicas that must have a frame before it counts as published; `majority`: all that are known."
    )
    inline_bytes_max: int = Field(description="A larger payload is kept apart from its frame.")


@router.get("/server", summary="Where to publish")
async def server(ask: Ask) -> FrameServer:
    """Where Redis is, and how durable frames are to be; any node answers."""
    config = ask.node.config
    return FrameServer(
        redis_url=config.redis.public_url,
        durability=config.durability(),
        inline_bytes_max=config.frames.inline_bytes_max,
    )


@router.get("/stats", summary="Queues, lanes and counters", responses=problems("redis_unavailable"))
async def stats(ask: Ask) -> dict[str, Any]:
    """Of one instant of the Redis server, or of each shard's; any node answers."""
    answer: dict[str, Any] = builtins(await ask.shards().stats())
    return answer


@router.get("/ledger", summary="The ledger", responses=problems("redis_unavailable"))
async def ledger(ask: Ask) -> dict[str, Any]:
    """`published = settled + dead + dropped + in_flight + lost`; `ledger_ok`, and the frames that break it by name."""
    answer: dict[str, Any] = builtins(await verify_shards(ask.shards()))
    return answer
