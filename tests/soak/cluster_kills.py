"""A cluster of three primaries with a replica each carries the frames; its primaries and the leader are killed in turn.

Size: kills; the first of a primary, the second of the leader, and so on. The replica of a killed primary is promoted,
and the killed server comes back as its replica before the next kill. Cameras publish with durability `majority`: what
was acknowledged so may not be lost. The shards of the other primaries go on meanwhile, which is looked at each time:
the servers have `cluster-require-full-coverage no`, without which all of them refuse everybody until a replica leads.
"""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

from framebuffer.embedded import find_binary
from framebuffer.embedded_cluster import EmbeddedCluster
from framebuffer.errors import RedisFailure, ServerFailed
from framebuffer.sharding import keys_of_shard, shard_of, slot_of
from orchestrator.dev.waiting import until
from tests.chaos.faults import FaultMissing, Kill
from tests.chaos.frames.plant import Cameras, FramePlant
from tests.soak.frame_kills import figures
from tests.support import free_port

SIZE = 12
SHARDS = 3
NODES = 6
"""Three primaries, three replicas."""
CAMERAS = tuple(f"cam{number}" for number in range(6))
BETWEEN = 200
PROMOTED_S = 30.0


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` kills, each healed before the next."""
    ports, bus = ([free_port() for _ in range(NODES)] for _ in range(2))
    binary = await asyncio.to_thread(find_binary)
    programs = [Cameras(f"cams-{at}", CAMERAS[at::2], 40.0, ("--durability", "majority")) for at in range(2)]
    done: Counter[str] = Counter()
    servers = EmbeddedCluster(directory / "servers", ports, bus=bus, binary=binary, shards=SHARDS)
    for server in servers.servers:
        server.options += ("cluster-require-full-coverage no",)
    async with (
        servers as cluster,
        FramePlant(directory / "plant", cameras=programs, server_url=cluster.url) as plant,
    ):
        for number in range(int(size)):
            await plant.every_camera_moves()
            if number % 2:
                await leader_killed(plant)
            else:
                await primary_killed(plant, cluster, number // 2 % SHARDS)
            done["leader" if number % 2 else "primary"] += 1
            await plant.moves(BETWEEN)
        await plant.every_camera_moves()
        verdict = await plant.finish()
    return {
        "kills_of_a_primary": done["primary"],
        "kills_of_the_leader": done["leader"],
        **figures(verdict),
        "problems": list(verdict.problems) if done["primary"] else [*verdict.problems, "no primary was killed"],
    }


async def leader_killed(plant: FramePlant) -> None:
    """SIGKILL of the node that leads; it is ready again at the end."""
    kill = Kill(plant.nodes, leader=True)
    plant.expected_dead.add((await plant.nodes.current_leader(5)).node_id)
    await kill.begin()
    await kill.heal()
    plant.expected_dead.clear()


async def primary_killed(plant: FramePlant, cluster: EmbeddedCluster, shard: int) -> None:
    """SIGKILL of the primary of a shard; its replica takes over, and it comes back as a replica. FaultMissing."""
    slot = slot_of(keys_of_shard(shard).prefix)
    at = await cluster.owner_of(slot)
    await cluster.servers[at].kill()
    if cluster.servers[at].pid is not None:
        raise FaultMissing(f"server {at} still runs")
    others = [name for name in CAMERAS if shard_of(name, SHARDS) != shard]
    await settled(plant, others)

    async def promoted() -> bool:
        try:
            return await cluster.owner_of(slot) != at
        except ServerFailed:
            return False

    await until(promoted, seconds=PROMOTED_S, what=f"a new primary of shard {shard}")
    await cluster.servers[at].start()
    await cluster.healthy()


async def settled(plant: FramePlant, cameras: list[str]) -> None:
    """Wait until ten more frames of each of these are settled, while a shard is away: each is asked for by itself."""
    before: dict[str, int] = {}

    async def enough() -> bool:
        with contextlib.suppress(RedisFailure):  # the nodes tell one another who is gone
            for name in cameras:
                counters = (await plant.shards.of_camera(name).stats()).cameras[name]
                if counters.settled < before.setdefault(name, counters.settled) + 10:
                    return False
            return True
        return False

    await until(enough, seconds=PROMOTED_S, what="ten more frames of each camera of the other shards")
