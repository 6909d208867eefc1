"""What a plant on lab hosts goes through while an operator works on it: cameras, processors, and somebody who looks."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from framebuffer.shards import ShardedStreams
from orchestrator.dev.processes import Processes
from orchestrator.drills.accounts import drained, ledger_of
from orchestrator.drills.load.beats import read_beats
from orchestrator.drills.load.programs import PROCESSORS, LoadPlan
from orchestrator.drills.measures import longest_gap
from orchestrator.drills.recorded import Beat
from orchestrator.drills.target import PlantPlace
from tests.lab.deployment import API_PORT, Deployment
from tests.support import eventually

CAMERAS = 4
LOOK_S = 0.02
DRAIN_S = 60.0
FLOWING = 50
"""Frames that have gone all the way before anything is done to the plant."""


def secrets_of(deployment: Deployment) -> Mapping[str, str]:
    """What the deployment made at its first run."""
    found: Mapping[str, str] = yaml.safe_load(
        Path(deployment.lab.told().inventory).with_name("secrets.yml").read_text()
    )
    return found


def place_of(deployment: Deployment, directory: Path, own: str = "") -> PlantPlace:
    """The plant as programs on this machine reach it. `own`: their token; the cluster's, if not given."""
    secrets = secrets_of(deployment)
    token = directory / "api.token"
    token.touch(mode=0o600)
    token.write_text(own or secrets["api_token"])
    addresses = [host.address for host in deployment.lab.hosts()]
    return PlantPlace(
        apis=tuple(f"http://{address}:{API_PORT}" for address in addresses),
        redis_url=f"redis+sentinel://{','.join(f'{address}:26379' for address in addresses)}/frames",
        redis_password=secrets["redis_password"],
        durability="1",
        controller=deployment.lab.told().controller,
        token_file=token,
    )


@dataclass(frozen=True)
class Passed:
    """What was seen. `down_s`: by node, the longest time in which `/healthz` did not answer, exact to `LOOK_S`;
    `releases`: those that were seen, in their order.
    """

    seconds: float
    published: int
    settled: int
    lost: int
    duplicates: int
    ledger_ok: bool
    dispatch_gap_s: float
    publish_gap_s: float
    down_s: Mapping[str, float]
    problems: Sequence[str] = field(default_factory=tuple)

    def write(self, file: Path, **more: Any) -> None:
        """The figures for whoever reads reports."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**asdict(self), **more}, indent=1) + "\n")


class Rolling:
    """Cameras of `fps` frames a second in all and two processors, while the block runs; `finish` says what they saw.
    `token`: what they show to the API, where it is not the cluster's own.
    """

    def __init__(self, deployment: Deployment, directory: Path, fps: float, token: str = "") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.plant = place_of(deployment, directory, token)
        self._names = [host.name for host in deployment.lab.hosts()]
        self._token = self.plant.token_file.read_text() if self.plant.token_file else ""
        self.plan = LoadPlan(directory, CAMERAS, fps / CAMERAS, self._token)
        self._processes = Processes(directory)
        self._alive: dict[str, list[Beat]] = {name: [] for name in self._names}
        self._looking: list[asyncio.Task[None]] = []
        self._began = self._begun_at = 0.0
        self.shards = ShardedStreams.connect(self.plant.redis_url, password=self.plant.redis_password, timeout_s=5.0)

    async def __aenter__(self) -> Self:
        self._began = time.monotonic()
        await self._processes.__aenter__()
        others = self.plan.others(self.plant)[: len(PROCESSORS)]
        await asyncio.gather(*[self._processes.start(program) for program in others])
        await eventually(self._processors_serve, deadline_s=60, message="the processors are registered")
        before = await self._settled()  # a plant that was brought back has settled frames already
        await asyncio.gather(*[self._processes.start(program) for program in self.plan.camera_programs(self.plant)])
        await eventually(lambda: self._flow(before + FLOWING), deadline_s=60, message="frames flow")
        self._looking = [
            asyncio.create_task(self._look(name, api)) for name, api in zip(self._names, self.plant.apis, strict=True)
        ]
        self._begun_at = time.monotonic()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        await self.shards.aclose()
        await self._processes.__aexit__(kind, error, trace)

    def mark(self) -> None:
        """From now on gaps are measured anew."""
        self._begun_at = time.monotonic()

    def figures(self) -> dict[str, Any]:
        """Since the block began, or since the last mark: seconds, `dispatch_gap_s`, `publish_gap_s`, `down_s`."""
        until = time.monotonic()
        return {
            "seconds": round(until - self._begun_at, 1),
            "dispatch_gap_s": round(longest_gap(read_beats(self.plan.arrived()), self._begun_at, until), 3),
            "publish_gap_s": round(longest_gap(read_beats(self.plan.published()), self._begun_at, until), 3),
            "down_s": {name: round(longest_gap(seen, self._begun_at, until), 3) for name, seen in self._alive.items()},
        }

    async def finish(self) -> Passed:
        """Stop the cameras, let the processors finish, and count."""
        seen = self.figures()
        await self._processes.stop([program.name for program in self.plan.camera_programs(self.plant)], grace=30)
        assert await drained(self.shards, self.plan.camera_ids, DRAIN_S), "frames stay in flight"
        counts = await ledger_of(self.shards, self.plan.camera_ids)
        return Passed(
            published=counts.published,
            settled=counts.settled,
            lost=counts.lost,
            duplicates=counts.duplicates,
            ledger_ok=counts.ledger_ok,
            problems=counts.problems,
            **seen,
        )

    async def _look(self, name: str, api: str) -> None:
        async with httpx.AsyncClient(timeout=0.5) as client:
            while True:
                try:
                    answer = await client.get(f"{api}/healthz")
                except httpx.TransportError:
                    pass
                else:
                    now = time.monotonic()
                    if answer.status_code == 200:
                        self._alive[name].append(Beat(now, now, 1))
                await asyncio.sleep(LOOK_S)

    async def _processors_serve(self) -> bool:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(timeout=3.0, headers=headers) as client:
            rows = (await client.get(f"{self.plant.apis[0]}/v1/processors")).json()
        return {row["id"] for row in rows if row["healthy"]} >= set(PROCESSORS)

    async def _flow(self, settled: int) -> bool:
        return await self._settled() >= settled

    async def _settled(self) -> int:
        stats = [await part.stats() for part in self.shards.parts]
        return sum(one.settled for each in stats for one in each.cameras.values())
