"""What the stream tests say often: frames, tables, and letting frames run through."""

from collections.abc import Iterable
from typing import Any

import msgspec
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, OutgoingFrame, RoutingRow, RoutingTable, Settlement, TakenFrame

EPOCH = (3, 17)
NODE = "n1"


def frame(sequence: int, capability: str = "default", payload: bytes = b"jpeg") -> OutgoingFrame:
    return OutgoingFrame(f"cam-{sequence}", sequence, b'{"n":1}', payload, capability, 0, f"00-trace-{sequence}-01")


def frames(start: int, stop: int, capability: str = "default") -> list[OutgoingFrame]:
    return [frame(sequence, capability) for sequence in range(start, stop)]


def table(*rows: tuple[str, str, int]) -> RoutingTable:
    """Rows of (processor, capabilities separated by commas, capacity)."""
    return RoutingTable(rows=tuple(RoutingRow(name, tuple(can.split(",")), capacity) for name, can, capacity in rows))


async def opened(streams: FrameStreams, camera: str = "cam") -> CameraSession:
    """The camera's session, with this test's leader in place."""
    session = await streams.open_camera(camera)
    await streams.fence(EPOCH, NODE)
    return session


async def settle_all(streams: FrameStreams, processor: str, taken: Iterable[TakenFrame]) -> list[str]:
    settlements = [Settlement(one.entry_id, result=b"{}") for one in taken]
    return list(await streams.settle(processor, "c", settlements))


async def entries(redis: Redis, stream: str) -> list[dict[bytes, bytes]]:
    """What a stream holds, oldest first."""
    found: Any = await redis.xrange(stream)
    return [fields for _, fields in found]


async def entries_by_id(redis: Redis, stream: str) -> list[tuple[str, dict[bytes, bytes]]]:
    """The same with their ids."""
    found: Any = await redis.xrange(stream)
    return [(entry.decode(), fields) for entry, fields in found]


async def add_copy(redis: Redis, stream: str, entry: dict[bytes, bytes]) -> None:
    """Adds an entry behind the library's back."""
    await execute(redis, "XADD", stream, "*", *(part for pair in entry.items() for part in pair))


async def age(redis: Redis, stream: str, seconds: float) -> None:
    """Has each frame of a stream, in its order, published so long ago, behind the library's back."""
    for entry_id, entry in await entries_by_id(redis, stream):
        head = entry[b"frame"].split(b" ")
        head[6] = str(int(head[6]) - round(seconds * 1000)).encode()
        await add_copy(redis, stream, {**entry, b"frame": b" ".join(head)})
        await execute(redis, "XDEL", stream, entry_id)


RECORD = (
    *("segment", "highest", "complete", "floor", "published", "settled", "dead", "dropped"),
    *("republished", "resettled", "results", "surplus", "replaying", "scattered", "contiguous"),
    *("finals", "final_max"),
)
"""What a camera's record holds, in order (functions/ledger.lua)."""


async def record(streams: FrameStreams, camera: str = "cam") -> dict[str, Any]:
    """A camera's ledger record as the server holds it."""
    packed: Any = await execute(streams.redis, "HGET", streams.keys.ledgers, camera)
    return dict(zip(RECORD, msgspec.msgpack.decode(packed), strict=True))


async def falsify(streams: FrameStreams, camera: str = "cam", **changes: Any) -> None:
    """Changes a camera's record behind the library's back: numbers are added. ``session``: its token."""
    if (session := changes.pop("session", None)) is not None:
        await execute(streams.redis, "HSET", streams.keys.sessions, camera, f"{session} ")
    held = await record(streams, camera)
    for name, change in changes.items():
        held[name] += change
    await execute(streams.redis, "HSET", streams.keys.ledgers, camera, msgspec.msgpack.encode(list(held.values())))
