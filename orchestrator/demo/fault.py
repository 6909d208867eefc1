"""The kill in the middle of a run, and the way back."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from orchestrator.demo.report import Fault
from orchestrator.dev.errors import NotReached, ProcessDied
from orchestrator.dev.local import LocalPlant

LEADER_RESTART_S = 4.0  # long enough for the others to elect and work on without it
PRIMARY_RESTART_S = 1.0
REJOIN_S = 30.0

Tell = Callable[[str], None]
"""Takes one sentence about what happened."""


class Kill:
    """One kill. `fault` says how far it came; `run` returns when the victim is back or its time is over."""

    def __init__(self, plant: LocalPlant, tell: Tell, *, started: float, seconds: float) -> None:
        self._plant = plant
        self._tell = tell
        self._started = started
        self._seconds = seconds
        self.fault: Fault | None = None

    async def leader(self) -> None:
        """SIGKILL the node that leads at half time, restart it some seconds later, wait until it is ready again."""
        await self._half_time()
        leader = await self._plant.wait_ready()
        process = self._plant.node(leader.node_id)
        server_ms = await self._server_ms()
        pid, at = process.pid, self._now()
        status = await self._plant.kill(leader.node_id)
        self.fault = Fault(
            what="leader", victim=leader.node_id, pid=pid, exit_status=status, at_s=at, server_ms=server_ms, epoch=leader.epoch
        )  # fmt: skip
        self._tell(f"{leader} is killed with SIGKILL (pid {pid}, exit status {status})")
        wait = asyncio.create_task(asyncio.sleep(min(LEADER_RESTART_S, self._seconds / 4)))
        try:
            following = await self._plant.other_leader(leader)
            self._tell(f"{following} leads")
        except NotReached as error:
            self._tell(str(error))
        await wait
        await self._back(lambda: self._plant.restart(leader.node_id), leader.node_id)

    async def primary(self) -> None:
        """SIGKILL the server at half time and start it again from its append-only file."""
        await self._half_time()
        server = self._plant.server
        server_ms = await self._server_ms()
        pid, at = server.pid or 0, self._now()
        status = await server.kill()
        self.fault = Fault(
            what="primary", victim="primary", pid=pid, exit_status=-9 if status is None else status, at_s=at, server_ms=server_ms
        )  # fmt: skip
        self._tell(f"the primary is killed with SIGKILL (pid {pid})")
        await asyncio.sleep(PRIMARY_RESTART_S)
        await self._back(server.restart, "primary")

    async def _back(self, start: Callable[[], object], name: str) -> None:
        if self.fault is None:
            return
        self.fault = replace(self.fault, restarted_at_s=self._now())
        began = time.monotonic()
        result = start()
        if asyncio.iscoroutine(result):
            await result
        self._tell(f"{name} is started again")
        try:
            await self._plant.wait_ready(seconds=REJOIN_S)
        except (NotReached, ProcessDied) as error:
            self._tell(str(error))
            return
        self.fault = replace(self.fault, rejoined_s=time.monotonic() - began)
        self._tell(f"{name} is back after {time.monotonic() - began:.1f} s")

    async def _half_time(self) -> None:
        await asyncio.sleep(max(0.0, self._started + self._seconds / 2 - time.monotonic()))

    async def _server_ms(self) -> int:
        from framebuffer.connection import connect

        redis = connect(self._plant.topology.redis_url)
        try:
            seconds, microseconds = await redis.time()
        finally:
            await redis.aclose()
        return int(seconds) * 1_000 + int(microseconds) // 1_000

    def _now(self) -> float:
        return time.monotonic() - self._started
