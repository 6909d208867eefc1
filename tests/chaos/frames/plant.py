"""A plant that moves frames: three nodes, the server, cameras and processors, each a process of its own.

async with FramePlant(directory, workers=("w1", "w2"), cameras=(Cameras("cams", ("cam1", "cam2")),)) as plant:
    await plant.moves()              # frames are settled
    ...                              # harm, heal
    verdict = await plant.finish()   # cameras stop, all frames become final, the ledger decides
    assert verdict.problems == []

With a Toxiproxy server, each node, camera program and processor reaches the server by a link of its own name, and each
processor the nodes by links `<processor>-<node>`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from framebuffer.addresses import address_of
from framebuffer.connection import connect
from framebuffer.errors import RedisFailure
from framebuffer.producer import FrameProducer
from framebuffer.shards import ShardedStreams, verify_shards
from framebuffer.streams import FrameStreams
from framebuffer.wire import FenceRecord, StreamStats
from orchestrator.demo import parts
from orchestrator.demo.tally import Tally
from orchestrator.demo.watcher import ResultWatcher
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Process, Program
from orchestrator.dev.topology import NodePlace, Topology, on_free_ports
from orchestrator.dev.waiting import until
from orchestrator.drills.load.camera import turns
from tests.chaos.frames.parts import PartsTally
from tests.chaos.frames.verdict import Verdict, judge
from tests.chaos.toxiproxy import Link, Toxiproxy

MOVES_S = 30.0
CAMERAS_S = 30.0
DRAIN_S = 30.0
CAPABILITY = "echo"


@dataclass(frozen=True)
class LinkedTopology(Topology):
    """A topology in which a client of the server dials another address: that of the link of its name.

    `server_url`: sentinels or a cluster of the test's own, whose servers carry the frames in place of the plant's.
    `frames`: settings of that section, the same on every node.
    """

    frames: Mapping[str, Any] = field(default_factory=dict)
    redis_links: Mapping[str, str] = field(default_factory=dict)
    server_url: str = ""

    @property
    def redis_url(self) -> str:
        """URL of the server that carries the frames."""
        return self.server_url or super().redis_url

    def redis_url_of(self, name: str) -> str:
        """URL by which the node, camera program or processor of that name reaches the server."""
        address = self.redis_links.get(name)
        return self.redis_url if address is None else f"redis://{address}/0"

    def config(self, node: NodePlace) -> dict[str, Any]:
        """The configuration tree of one node, with its own way to the server."""
        tree = super().config(node)
        if self.frames:
            tree["frames"] = dict(self.frames)
        address = address_of(self.server_url)
        if address is None:
            tree["redis"]["url"] = self.redis_url_of(node.id)
        else:
            places = [f"{host}:{port}" for host, port in address.nodes]
            tree["redis"] = {"mode": address.kind}
            if address.kind == "cluster":
                tree["redis"] |= {"nodes": places, "shards": address.shards}
            else:
                tree["redis"] |= {"sentinels": places, "service": address.service}
        return tree


@dataclass(frozen=True)
class Cameras:
    """One camera program of several cameras. `rate`: frames a second of each of them.

    `capabilities`, `priorities`: what frames ask for and how urgent they are, in turn, as the program takes them
    (`echo,echo+face`: every other frame is for two).
    """

    name: str
    ids: tuple[str, ...]
    rate: float = 50.0
    options: tuple[str, ...] = ()
    capabilities: str = CAPABILITY
    priorities: str = "0"


@dataclass(frozen=True)
class Worker:
    """One processor program."""

    id: str
    options: tuple[str, ...] = ()


THREE_CAMERAS = (Cameras("cams-1", ("cam1", "cam2")), Cameras("cams-2", ("cam3",)))
TWO_WORKERS = (Worker("w1"), Worker("w2"))

MIXED_CAMERAS = tuple(
    replace(cameras, capabilities="echo,echo+face,plate,face+plate+echo,echo", priorities="0,7,2,0")
    for cameras in THREE_CAMERAS
)
"""Frames for one, two and three capabilities, of several priorities, none of which is above backpressure. Five turns of
the one and four of the other: every priority comes to ask for everything.
"""
MIXED_WORKERS = (
    Worker("w1", ("--capabilities", "echo,face,plate")),
    Worker("w2", ("--capabilities", "echo,face,plate")),
)


class FramePlant:
    """Everything is started when the block is entered, and frames move; all of it has ended when it is left."""

    def __init__(
        self,
        directory: Path,
        *,
        toxiproxy: Toxiproxy | None = None,
        cameras: Iterable[Cameras] = THREE_CAMERAS,
        workers: Iterable[Worker] = TWO_WORKERS,
        more_links: Iterable[str] = (),
        tally: Tally | None = None,
        server_url: str = "",
        frames: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.cameras = list(cameras)
        self.workers = tuple(workers)
        self.links: dict[str, Link] = {}
        self.api_links: dict[str, Link] = {}
        self.expected_dead: set[str] = set()
        self._toxiproxy = toxiproxy
        self._more_links = tuple(more_links)
        self._tally = tally
        self._server_url = server_url
        self._frames = frames or {}
        self._stack = AsyncExitStack()
        self._said: list[Mapping[str, Any]] = []
        self._heard: set[str] = set()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.topology = await self._linked(on_free_ports(self.directory))
            self.nodes = await stack.enter_async_context(LocalPlant(self.topology))
            redis = connect(self.topology.redis_url)
            stack.push_async_callback(redis.aclose)
            self.redis = redis
            self.shards = ShardedStreams.connect(self.topology.redis_url)
            stack.push_async_callback(self.shards.aclose)
            self.streams = self.shards.parts[0]
            self.watcher = ResultWatcher(self.topology.redis_url)
            self.watcher.tally = self._tally or self._new_tally()
            await stack.enter_async_context(self.watcher)
            await self.nodes.processes.start(
                *(self.worker_program(worker) for worker in self.workers),
                *(self.camera_program(cameras) for cameras in self.cameras),
            )
            await self.nodes.wait_ready()
            await parts.healthy_processors(self.nodes, [worker.id for worker in self.workers], MOVES_S)
            if self.cameras:
                await self.moves(1)
            self._stack = stack.pop_all()
        return self

    def _new_tally(self) -> Tally:
        """One that knows of capabilities only where frames ask for several: it keeps more of each."""
        asked = {name: turns(cameras.capabilities) for cameras in self.cameras for name in cameras.ids}
        several = any(len(one) > 1 for each in asked.values() for one in each)
        return PartsTally(asked) if several else Tally()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _linked(self, topology: Topology) -> LinkedTopology:
        fields = {name: getattr(topology, name) for name in topology.__dataclass_fields__}
        linked = LinkedTopology(**fields, server_url=self._server_url, frames=self._frames)
        if self._toxiproxy is None:
            return linked
        names = [node.id for node in topology.nodes] + [one.name for one in self.cameras]
        for name in [*names, *(worker.id for worker in self.workers), *self._more_links]:
            server = f"{topology.redis_host}:{topology.redis_port}"
            self.links[name] = await self._toxiproxy.link(f"redis-{name}", server, avoid=topology.ports)
        for worker in self.workers:
            for node in topology.nodes:
                name, api = f"{worker.id}-{node.id}", f"{node.host}:{node.api_port}"
                self.api_links[name] = await self._toxiproxy.link(name, api, avoid=topology.ports)
        return replace(linked, redis_links={name: link.address for name, link in self.links.items()})

    # -- programs -----------------------------------------------------------------------------------------------------

    def camera_program(self, cameras: Cameras) -> Program:
        """The process of these cameras."""
        arguments = ["--redis", self.topology.redis_url_of(cameras.name), "--rate", str(cameras.rate)]
        arguments += [part for name in cameras.ids for part in ("--camera", name)]
        arguments += ["--capabilities", cameras.capabilities, "--priorities", cameras.priorities]
        return _program(cameras.name, "orchestrator.drills.load.camera", [*arguments, *cameras.options])

    def worker_program(self, worker: Worker) -> Program:
        """The process of a processor."""
        arguments = ["--id", worker.id, "--redis", self.topology.redis_url_of(worker.id)]
        arguments += ["--directory", str(self.directory)]
        for node in self.topology.nodes:
            link = self.api_links.get(f"{worker.id}-{node.id}")
            arguments += ["--orchestrator", node.api if link is None else f"http://{link.address}"]
        return _program(worker.id, "tests.chaos.frames.worker", [*arguments, *worker.options])

    def process(self, name: str) -> Process:
        """A node, camera program or processor."""
        return self.nodes.processes[name]

    @asynccontextmanager
    async def producer(self, camera_id: str, url: str | None = None, **options: Any) -> AsyncIterator[FrameProducer]:
        """A camera of the test's own; its frames count in the verdict."""
        async with FrameProducer(camera_id, url or self.topology.redis_url, **options) as producer:
            yield producer
            await producer.flush()
        counters = producer.counters
        self.account(camera_id, accepted=counters.accepted, confirmed=counters.published + counters.duplicates)

    def account(self, camera_id: str, *, accepted: int, confirmed: int) -> None:
        """What else was published, for the verdict."""
        self._said.append({"camera_id": camera_id, "accepted": accepted, "confirmed": confirmed})

    async def start_cameras(self, cameras: Cameras) -> None:
        """One camera program more."""
        self.cameras.append(cameras)
        await self.nodes.processes.start(self.camera_program(cameras))

    # -- looking ------------------------------------------------------------------------------------------------------

    async def stats(self) -> StreamStats | None:
        """The server's figures; None while it does not answer."""
        with suppress(RedisFailure):
            return await self.shards.stats()
        return None

    async def settled(self) -> int:
        """Frames settled so far; waits for the server."""
        stats = await until(self.stats, seconds=MOVES_S, what="an answer of the server")
        return sum(camera.settled for camera in stats.cameras.values())

    async def moves(self, frames: int = 100, seconds: float = MOVES_S) -> None:
        """Wait until so many more frames are settled. Raises NotReached."""
        target = await self.settled() + frames

        async def enough() -> bool:
            self._check_processes()
            stats = await self.stats()
            return stats is not None and sum(camera.settled for camera in stats.cameras.values()) >= target

        await until(enough, seconds=seconds, what=f"{frames} more frames settled")

    async def every_camera_moves(self, frames: int = 10) -> None:
        """Wait until so many more frames of each camera are settled: none waits out an outage any more. NotReached."""
        names = [name for cameras in self.cameras for name in cameras.ids]
        before = await until(self.stats, seconds=MOVES_S, what="an answer of the server")

        async def enough() -> bool:
            stats = await self.stats()
            return stats is not None and all(
                stats.cameras[name].settled >= before.cameras[name].settled + frames for name in names
            )

        await until(enough, seconds=MOVES_S, what=f"{frames} more frames of each camera settled")

    async def at_ease(self) -> None:
        """Wait until the leader asks no camera to slow down: one that pauses calls nobody and feels nothing."""

        async def eased() -> bool:
            with suppress(RedisFailure):
                return await self.shards.pressure() == 0
            return False

        await until(eased, seconds=MOVES_S, what="no backpressure")
        await self.every_camera_moves()

    async def restart(self, name: str) -> int:
        """Start a process that has ended; its new pid."""
        process = self.process(name)
        await process.start()
        self.expected_dead.discard(name)
        return process.pid

    def _check_processes(self) -> None:
        for process in self.nodes.processes.dead(except_for=self.expected_dead):
            raise process.ended()

    # -- the end ------------------------------------------------------------------------------------------------------

    async def finish(self) -> Verdict:
        """Stop the cameras, wait until every frame is final, and judge. Raises NotReached, ProcessDied."""
        await asyncio.gather(*(self.end_cameras(cameras.name) for cameras in self.cameras))
        await self.drained()
        self._check_processes()
        tally = await (self._what_survived() if self._server_url else self.watcher.finish())
        report = await verify_shards(self.shards)
        return judge(report, tally, self._said, *[await _reigns(part) for part in self.shards.parts])

    async def _what_survived(self) -> Tally:
        """The results that are there now. One that a failover took back was seen and is no result any more."""
        tally = self._new_tally()
        for part in self.shards.parts:
            again = ResultWatcher(self.topology.redis_url, part.keys)
            again.tally = tally
            async with again:
                await again.finish()
        return tally

    async def drained(self, seconds: float = DRAIN_S) -> None:
        """Wait until no frame is in flight, by the queues and by the counters. Raises NotReached."""

        async def empty() -> bool:
            stats = await self.stats()
            if stats is None or stats.in_flight:
                return False
            return not any(camera.in_flight for camera in stats.cameras.values())

        await until(empty, seconds=seconds, what="no frame in flight")

    async def end_cameras(self, name: str) -> None:
        """SIGTERM of a camera program; it publishes what it has accepted, and what it said counts in the verdict.

        Raises ProcessDied where it said nothing. Ended before, it is not ended twice.
        """
        process = self.process(name)
        if name in self._heard:
            return
        self._heard.add(name)
        self.expected_dead.add(name)
        await process.stop(CAMERAS_S)
        lines = process.out.read_text(encoding="utf-8").splitlines()
        if not lines:
            raise process.ended()
        self._said += [json.loads(line) for line in lines]

    def said(self, camera_id: str) -> list[Mapping[str, Any]]:
        """What the producers of a camera said at their ends."""
        return [one for one in self._said if one["camera_id"] == camera_id]


async def _reigns(part: FrameStreams) -> list[FenceRecord]:
    """Who led, as one shard has it."""
    stats = await part.stats()
    return [*stats.leaders, *([stats.fence] if stats.fence else [])]


def _program(name: str, module: str, arguments: Iterable[str]) -> Program:
    return Program(name, (sys.executable, "-m", module, *arguments))
