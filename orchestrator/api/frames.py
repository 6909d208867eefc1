"""Frames: queues and counters at one instant, and the ledger that proves that nothing was lost."""

from typing import Any

from fastapi import APIRouter

from framebuffer.shards import verify_shards
from orchestrator.api.asking import Ask, builtins
from orchestrator.api.documented import problems

router = APIRouter(prefix="/v1/frames", tags=["frames"])


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
