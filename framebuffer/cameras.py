"""Looking at cameras: what the ledger counts of each, and the last picture that its producer left."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import redis.exceptions as redis_errors

from framebuffer.connection import translate
from framebuffer.keys import check_name
from framebuffer.pictures import HEAD_BYTES_MAX, Picture, PictureHead
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraCounters

__all__ = ["CameraSeen", "camera", "cameras", "last_picture"]

_REPLY_S = 2.0


class CameraSeen(msgspec.Struct, frozen=True):
    """A camera: its shard, its counters of one instant, and of which frame its last picture is."""

    id: str
    shard: int
    counters: CameraCounters
    picture: PictureHead | None


async def cameras(streams: ShardedStreams, *, after: str = "", limit: int = 100) -> tuple[list[CameraSeen], bool]:
    """Those that were ever opened, by id, behind ``after``; and whether there are more.

    Errors: RedisUnavailable, RedisRefused.
    """
    shards = await asyncio.gather(*(part.stats(leaders=1) for part in streams.parts))
    every = [(name, shard, counters) for shard, stats in enumerate(shards) for name, counters in stats.cameras.items()]
    behind = sorted((row for row in every if row[0] > after), key=lambda row: row[:2])
    shown = behind[:limit]
    heads: dict[str, PictureHead | None] = {}
    for shard, part in enumerate(streams.parts):
        heads |= await _heads(part, [name for name, of, _ in shown if of == shard])
    return [CameraSeen(name, shard, counters, heads[name]) for name, shard, counters in shown], len(behind) > limit


async def camera(streams: ShardedStreams, camera_id: str) -> CameraSeen | None:
    """One of them; None where no such camera was ever opened. Errors: InvalidName, RedisUnavailable, RedisRefused."""
    part = streams.of_camera(check_name("camera", camera_id))
    counters = (await part.stats(leaders=1)).cameras.get(camera_id)
    if counters is None:
        return None
    return CameraSeen(camera_id, streams.parts.index(part), counters, (await _heads(part, [camera_id]))[camera_id])


async def last_picture(streams: ShardedStreams, camera_id: str) -> Picture | None:
    """None where none is kept. Errors: InvalidName, RedisUnavailable, RedisRefused."""
    part = streams.of_camera(check_name("camera", camera_id))
    key = part.keys.picture(camera_id)
    text, left_ms = await _answers(part, [("GET", key), ("PTTL", key)])
    return None if text is None else Picture.read(text, left_ms)


async def _heads(part: FrameStreams, names: list[str]) -> dict[str, PictureHead | None]:
    """Without the bytes of the images: many cameras cost little."""
    keys = [part.keys.picture(name) for name in names]
    commands = [one for key in keys for one in (("GETRANGE", key, 0, HEAD_BYTES_MAX), ("PTTL", key))]
    answers = await _answers(part, commands)
    return {
        name: PictureHead.read(text, left_ms)
        for name, text, left_ms in zip(names, answers[::2], answers[1::2], strict=True)
    }


async def _answers(part: FrameStreams, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
    """All at one instant of the server."""
    if not commands:
        return []
    try:
        async with (
            asyncio.timeout(getattr(part.redis, "reply_s", _REPLY_S)),
            part.redis.pipeline(transaction=True) as pipe,
        ):
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
