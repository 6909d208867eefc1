"""The kill in the middle of a run, and the way back."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from framebuffer.connection import connect
from orchestrator.demo.report import Fault
from orchestrator.dev.errors import NotReached, PlantError
from orchestrator.dev.local import LocalPlant

LEADER_RESTART_S = 4.0  # long enough for the others to elect and work on without it
PRIMARY_RESTART_S = 1.0
REJOIN_S = 30.0
LEADER_S = 10.0

Tell = Callable[[str], None]
"""Takes one sentence about what happened."""


class Kill:
    """One kill. `fault` says how far it came. `expected` names processes whose end is no surprise."""

    def __init__(self, plant: LocalPlant, tell: Tell, expected: set[str], *, started: float, seconds: float) -> None:
        self._plant = plant
        self._tell = tell
        self._expected = expected
        self._started = started
        self._seconds = seconds
        self.fault: Fault | None = None

    async def leader(self) -> None:
        """SIGKILL the node that leads at half time, restart it some seconds later, wait until it is ready again.

        Raises PlantError when there is no leader to kill.
        """
        await self._half_time()
        leader = await self._plant.current_leader(LEADER_S)
        process = self._plant.node(leader.node_id)
        server_ms = await self._server_ms()
        self._expected.add(leader.node_id)
        pid, at = process.pid, self._now()
        status = await self._plant.kill(leader.node_id)
        self.fault = Fault("leader", leader.node_id, pid, status, at, server_ms, epoch=leader.epoch)
        self._tell(f"{leader} is killed with SIGKILL (pid {pid}, exit status {status})")
        pause = asyncio.create_task(asyncio.sleep(min(LEADER_RESTART_S, self._seconds / 4)))
        try:
            self._tell(f"{await self._plant.other_leader(leader)} leads")
        except NotReached as error:
            self._tell(str(error))
        await pause
        self._restarted()
        await process.start()
        self._expected.discard(leader.node_id)
        await self._back(process.pid)

    async def primary(self) -> None:
        """SIGKILL the server at half time and start it again from its append-only file."""
        await self._half_time()
        server = self._plant.server
        server_ms = await self._server_ms()
        pid, at = server.pid, self._now()
        if pid is None:
            raise PlantError("the primary is not running")
        await server.kill()
        self.fault = Fault("primary", "primary", pid, None, at, server_ms)
        self._tell(f"the primary is killed with SIGKILL (pid {pid})")
        await asyncio.sleep(PRIMARY_RESTART_S)
        self._restarted()
        await server.restart()
        await self._back(server.pid)

    def _restarted(self) -> None:
        if self.fault is not None:
            self.fault = replace(self.fault, restarted_at_s=self._now())
            self._tell(f"{self.fault.victim} is started again")

    async def _back(self, new_pid: int | None) -> None:
        if self.fault is None or self.fault.restarted_at_s is None:
            return
        self.fault = replace(self.fault, new_pid=new_pid)
        try:
            await self._plant.wait_ready(seconds=REJOIN_S)
        except PlantError as error:
            self._tell(str(error))
            return
        took = self._now() - (self.fault.restarted_at_s or 0.0)
        self.fault = replace(self.fault, rejoined_s=took)
        self._tell(f"{self.fault.victim} is back after {took:.1f} s")

    async def _half_time(self) -> None:
        await asyncio.sleep(max(0.0, self._started + self._seconds / 2 - time.monotonic()))

    async def _server_ms(self) -> int:
        redis = connect(self._plant.topology.redis_url)
        try:
            seconds, microseconds = await redis.time()
        finally:
            await redis.aclose()
        return int(seconds) * 1_000 + int(microseconds) // 1_000

    def _now(self) -> float:
        return time.monotonic() - self._started
