"""What is done to the server, to processors and to links, each with the proof that it happened and that it bites."""

import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from framebuffer.connection import connect, execute
from orchestrator.dev.processes import Process
from orchestrator.dev.waiting import until
from tests.chaos.faults import FaultMissing, is_stopped, state_of
from tests.chaos.frames.plant import FramePlant
from tests.chaos.toxiproxy import Link
from tests.support import free_port

FELT_S = 15.0
OUTAGE = b"until it works"
"""What every client of ours logs once when an outage begins."""
PROBE_S = 0.5


class PrimaryKill:
    """SIGKILL of the server, and its restart from its append-only file."""

    def __init__(self, plant: FramePlant) -> None:
        self._plant = plant
        self._run_id = b""
        self._proof: list[str] = []

    async def begin(self) -> None:
        """Kill it; returns when the process is gone. FaultMissing."""
        server = self._plant.nodes.server
        self._run_id = await _run_id(self._plant.redis)
        pid = server.pid
        if pid is None:
            raise FaultMissing("the server does not run")
        await server.kill()
        if state_of(pid) not in ("", "Z"):
            raise FaultMissing(f"the server (pid {pid}) is in state {state_of(pid)}")
        self._proof.append(f"server (pid {pid}) is gone")

    async def heal(self) -> None:
        """Start it again on its data. FaultMissing."""
        await self._plant.nodes.server.start()
        now = await _run_id(self._plant.redis)
        if now == self._run_id:
            raise FaultMissing("the server is the same run as before")
        self._proof.append(f"runs again as pid {self._plant.nodes.server.pid}")

    def happened(self) -> str:
        """What proves it, in a line."""
        return "; ".join(self._proof)


class OutOfMemory:
    """`maxmemory` below what the server uses: writes that need memory are refused until it is healed."""

    def __init__(self, plant: FramePlant) -> None:
        self._redis = plant.redis
        self._before = 0

    async def begin(self) -> None:
        """Set it; returns when the server has refused somebody. NotReached."""
        self._before = await self.refusals()
        await execute(self._redis, "CONFIG", "SET", "maxmemory", "1mb")

        async def refused() -> bool:
            return await self.refusals() > self._before

        await until(refused, seconds=FELT_S, what="a write that is refused for want of memory")

    async def heal(self) -> None:
        """Take the limit away. FaultMissing."""
        await execute(self._redis, "CONFIG", "SET", "maxmemory", "0")
        if (await execute(self._redis, "CONFIG", "GET", "maxmemory"))[1] != b"0":
            raise FaultMissing("the limit is still there")

    async def refusals(self) -> int:
        """How many calls the server has refused for want of memory since it was started."""
        return await _refusals(self._redis, "OOM")


class ReadOnly:
    """The server follows one that does not exist: it keeps its data, and every write is refused."""

    def __init__(self, plant: FramePlant) -> None:
        self._redis = plant.redis

    async def begin(self) -> None:
        """Returns when the server has refused somebody. NotReached."""
        before = await _refusals(self._redis, "READONLY")
        await execute(self._redis, "REPLICAOF", "127.0.0.1", free_port())

        async def refused() -> bool:
            return await _refusals(self._redis, "READONLY") > before

        await until(refused, seconds=FELT_S, what="a write that is refused by a read-only server")

    async def heal(self) -> None:
        """FaultMissing."""
        await execute(self._redis, "REPLICAOF", "NO", "ONE")
        role = (await self._redis.info("replication"))["role"]
        if role != "master":
            raise FaultMissing(f"the server is a {role} after its promotion")


class Stopped:
    """SIGSTOP of any process of ours, until SIGCONT."""

    def __init__(self, name: str, pid: int | None) -> None:
        if pid is None:
            raise FaultMissing(f"{name} does not run")
        self._name = name
        self._pid = pid

    async def begin(self) -> None:
        """NotReached where the kernel does not say so."""
        await self._signalled(signal.SIGSTOP, stopped=True)

    async def heal(self) -> None:
        """NotReached where the kernel does not say so."""
        await self._signalled(signal.SIGCONT, stopped=False)

    async def _signalled(self, number: signal.Signals, *, stopped: bool) -> None:
        os.kill(self._pid, number)

        async def look() -> bool:
            return is_stopped(self._pid) == stopped

        await until(look, seconds=FELT_S, what=f"{self._name} (pid {self._pid}) stopped: {stopped}", interval=0.005)


async def killed(plant: FramePlant, name: str) -> int:
    """SIGKILL of a process that is started again later; its pid. FaultMissing."""
    process = plant.process(name)
    plant.expected_dead.add(name)
    pid = process.pid
    status = await process.kill()
    if status != -signal.SIGKILL:
        raise FaultMissing(f"{name} (pid {pid}) was not killed: exit status {status}")
    return pid


# -- links -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Harm:
    """What is done to a link. `bites` says whether a command over it shows it; `hard`: no reply comes over it."""

    do: Callable[[Link], Awaitable[None]]
    bites: Callable[[float | None], bool]
    hard: bool
    probe_bytes: int = 1


HARMS: Mapping[str, Harm] = {
    "latency-and-jitter": Harm(
        lambda link: link.delay(80, jitter_ms=30), lambda took: took is not None and took >= 2 * 0.050, hard=False
    ),
    "bandwidth": Harm(
        lambda link: link.throttle(48), lambda took: took is None or took >= 0.2, hard=False, probe_bytes=8 << 10
    ),
    "reset": Harm(lambda link: link.reset(), lambda took: took is None, hard=True),
    "half-open": Harm(lambda link: link.half_open(), lambda took: took is None, hard=True),
    "cut": Harm(lambda link: link.down(), lambda took: took is None, hard=True),
}


async def harm(link: Link, kind: str) -> None:
    """Do it, and prove with a command over the link that it bites. FaultMissing."""
    what = HARMS[kind]

    async def quick() -> bool:  # on a busy machine one command may take as long as a harmed one
        return not what.bites(await round_trip(link, what.probe_bytes))

    await until(quick, seconds=FELT_S, what=f"a command over {link.name} that {kind} would show in")
    await what.do(link)
    took = await round_trip(link, what.probe_bytes)
    if not what.bites(took):
        raise FaultMissing(f"{link.name} under {kind}: a command over it took {took} s")


async def round_trip(link: Link, size: int) -> float | None:
    """Seconds that a new connection and an ECHO of `size` bytes take; None where no reply came."""
    redis = connect(f"redis://{link.address}/0", timeout_s=PROBE_S)
    began = time.monotonic()
    try:
        await execute(redis, "ECHO", b"x" * size)
    except (RedisError, OSError):  # OSError: TimeoutError too
        return None
    finally:
        await redis.aclose()
    return time.monotonic() - began


class Outages:
    """Whether a process has told of an outage since this was made."""

    def __init__(self, process: Process) -> None:
        self._log: Path = process.log
        self._name = process.name
        self._from = self._log.stat().st_size

    async def felt(self) -> None:
        """Wait until it has. NotReached."""

        async def told() -> bool:
            with self._log.open("rb") as log:
                log.seek(self._from)
                return OUTAGE in log.read()

        await until(told, seconds=FELT_S, what=f"an outage in the log of {self._name}")


async def _refusals(redis: Redis, kind: str) -> int:
    info = await redis.info("errorstats")
    return int(info.get(f"errorstat_{kind}", {}).get("count", 0))


async def _run_id(redis: Redis) -> bytes:
    info = await redis.info("server")
    return str(info["run_id"]).encode()
