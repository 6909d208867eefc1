"""Which shard a camera belongs to, and under which keys a shard lives. Pure.

A shard's keys share a hash tag, and with it one slot and one primary of a Redis or Valkey Cluster. Tags are chosen so
that the first N shards lie evenly over the slots, for any N that is a multiple of three best: with three primaries that
have a third of the slots each, every third shard is on the same one. A shard's tag depends on its number alone, a
camera's shard on its id and on how many shards there are.

In another language: shard = first 8 bytes of SHA-256 of the camera's id, as a big-endian number, modulo N.
"""

import hashlib
from binascii import crc_hqx
from collections.abc import Iterable
from functools import cache
from itertools import count

from msgspec.structs import replace

from framebuffer.addresses import address_of
from framebuffer.backpressure import CrowdedLane
from framebuffer.errors import RedisRefused
from framebuffer.keys import Keys
from framebuffer.wire import DispatchReport, RoutingRow, RoutingTable

__all__ = ["keys_of_camera", "keys_of_shard", "keys_of_url", "report_of_all", "shard_of", "share_of", "slot_of"]

SLOTS = 16_384
_BASE = "frames"
_PRIMARIES = 3
_NEAR = 100  # slots; the first 27 shards are 600 apart


def slot_of(key: str) -> int:
    """The slot of a key: of what stands between its first braces, if that is anything (the cluster's own rule)."""
    opening = key.find("{")
    closing = key.find("}", opening + 1)
    if opening >= 0 and closing > opening + 1:
        key = key[opening + 1 : closing]
    return crc_hqx(key.encode(), 0) % SLOTS


def shard_of(camera_id: str, shards: int) -> int:
    """0 to ``shards`` - 1, the same on every machine for ever."""
    return int.from_bytes(hashlib.sha256(camera_id.encode()).digest()[:8]) % shards


@cache
def keys_of_shard(shard: int) -> Keys:
    """``frames{0.41}``: the shard's number, and what brings its slot near to where it should be."""
    wanted = int(_spread(shard) * SLOTS)
    salt = next(salt for salt in count() if abs(slot_of(f"{shard}.{salt}") - wanted) <= _NEAR)
    return Keys(prefix=f"{_BASE}{{{shard}.{salt}}}")


def keys_of_url(url: str) -> tuple[Keys, ...]:
    """The keys of each shard: of a cluster as many as its URL says, else one without a tag.

    Errors: RedisRefused (the URL is not one).
    """
    try:
        address = address_of(url)
    except ValueError as error:
        raise RedisRefused(f"not a Redis URL: {error}") from None
    if address is None or address.kind != "cluster":
        return (Keys(),)
    return tuple(keys_of_shard(shard) for shard in range(address.shards))


def keys_of_camera(url: str, camera_id: str) -> Keys:
    """Those that the camera's frames are published under. Errors: RedisRefused."""
    keys = keys_of_url(url)
    return keys[shard_of(camera_id, len(keys))]


def share_of(table: RoutingTable, shard: int, shards: int) -> RoutingTable:
    """The table for one shard: each processor's capacity divided among them, at least 1.

    A processor has a queue in every shard. Its shares add up to its capacity, or to one a shard where that is more: it
    must be reachable from all. Which shards get what is left over differs from one processor to the next.
    """
    if shards == 1:
        return table
    rows = []
    for row in table.rows:
        turn = (shard + shard_of(row.processor_id, shards)) % shards
        share = row.capacity // shards + (turn < row.capacity % shards)
        rows.append(RoutingRow(row.processor_id, row.capabilities, max(1, share)))
    return RoutingTable(table.strategy, tuple(rows))


def report_of_all(report: DispatchReport, every: Iterable[DispatchReport]) -> DispatchReport:
    """One shard's report of what a call did, with the figures of what waits and what there is from all shards.

    ``every``: the last report of each, this one among them.
    """
    lanes: dict[str, CrowdedLane] = {}
    unserved: dict[str, int] = {}
    every = tuple(every)
    for one in every:
        for lane in one.crowded:
            had = lanes.get(lane.capability)
            lanes[lane.capability] = lane if had is None else _wider(had, lane)
        for capability, frames in one.unserved.items():
            unserved[capability] = unserved.get(capability, 0) + frames
    return replace(
        report,
        waiting=sum(one.waiting for one in every),
        capture=sum(one.capture for one in every),
        outstanding=sum(one.outstanding for one in every),
        capacity=sum(one.capacity for one in every),
        crowded=tuple(lanes.values()),
        unserved=unserved,
    )


def _wider(one: CrowdedLane, other: CrowdedLane) -> CrowdedLane:
    return CrowdedLane(
        one.capability,
        waiting=one.waiting + other.waiting,
        outstanding=one.outstanding + other.outstanding,
        capacity=one.capacity + other.capacity,
    )


def _spread(shard: int) -> float:
    """The shard's place among the slots, 0 to 1: its digits to base 3 behind the point, turned round (van der Corput).

    0, 1/3, 2/3, 1/9, 4/9, 7/9, ... and a little more, so that none lies on the border between two primaries.
    """
    place, weight = 0.0, 1.0
    while shard:
        weight /= _PRIMARIES
        shard, digit = divmod(shard, _PRIMARIES)
        place += digit * weight
    return place + 1 / 54
