"""io ← supervisor ← kds as processes: faults, cascades and restarts, with the leader killed in the middle of them."""

import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.demo import parts
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Program
from tests.chaos.insisting import insist
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]

LINE: dict[str, list[str]] = {"io": [], "supervisor": ["io"], "kds": ["supervisor"]}
RESTART = {"when": "on_failure", "backoff_initial_s": 0.2, "backoff_max_s": 0.5, "limit": 50, "window_s": 3600}
DOWN = {"STOPPING", "STOPPED", "FAULT"}


class Line:
    """Three components that keep journals."""

    def __init__(self, plant: LocalPlant, directory: Path) -> None:
        self.plant = plant
        self._directory = directory

    def program(self, component_id: str) -> Program:
        urls = [part for url in self.plant.topology.apis for part in ("--orchestrator", url)]
        argv = ("-m", "tests.chaos.journaling", "--id", component_id, "--directory", str(self._directory), *urls)
        return Program(component_id, (sys.executable, *argv))

    def journal(self, component_id: str) -> list[str]:
        path = self._directory / f"{component_id}.journal"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def breaks(self, component_id: str, really: bool) -> None:
        path = self._directory / f"{component_id}.breaks"
        path.touch() if really else path.unlink()

    def fault(self, component_id: str) -> None:
        self.plant.processes[component_id].send(signal.SIGUSR1)

    async def put(self, path: str, body: Any) -> None:
        key = uuid.uuid4().hex

        async def done() -> bool:
            try:
                answer = await self.plant.call("PUT", path, json=body, key=key)
            except httpx.HTTPError:
                return False
            assert answer.status_code in (200, 201, 503, 504), answer.text
            return answer.is_success

        await eventually(done, deadline_s=20)

    async def policy(self, component_id: str, **restart: Any) -> None:
        body = {"depends_on": LINE[component_id], "restart": restart}
        await self.put(f"/v1/components/{component_id}/policy", body)

    async def row(self, component_id: str) -> dict[str, Any]:
        return next((row for row in await parts.rows(self.plant, "/v1/components") if row["id"] == component_id), {})

    async def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in await parts.rows(self.plant, "/v1/components")}

    async def all_started(self) -> None:
        async def so() -> bool:
            states = await self.states()
            assert states == dict.fromkeys(LINE, "STARTED")
            return True

        await eventually(so, deadline_s=30)


@asynccontextmanager
async def line_of(plant: LocalPlant, directory: Path) -> AsyncIterator[Line]:
    """The line, desired and STARTED."""
    line = Line(plant, directory)
    await plant.processes.start(*(line.program(each) for each in LINE))
    await parts.online_components(plant, LINE, 30)
    for each in LINE:
        await line.policy(each)
    await line.put("/v1/groups/@all/desired", {"state": "STARTED", "by": "the test"})
    await line.all_started()
    assert {each: line.journal(each) for each in LINE} == {each: ["initialize", "start"] for each in LINE}
    yield line


async def killed_in_the_middle(line: Line, component_id: str, what: str, times: int) -> None:
    """Kill the leader once the component has begun what it is told for the so-manieth time; bring the node back."""
    await eventually(lambda: line.journal(component_id).count(what) >= times, deadline_s=30, every_s=0.005)
    leader = await line.plant.current_leader(5)
    assert await line.plant.kill(leader.node_id) == -signal.SIGKILL
    await line.plant.other_leader(leader)
    await line.plant.restart(leader.node_id)


async def test_what_needs_a_failed_component_stops_and_each_restart_happens_once(
    plant: LocalPlant, tmp_path: Path
) -> None:
    async with line_of(plant, tmp_path) as line:
        # Nobody is to be restarted: the dependents stop, and stay so.
        line.fault("io")

        async def fallen() -> bool:
            states = await line.states()
            return states["io"] == "FAULT" and {states["supervisor"], states["kds"]} <= DOWN

        await eventually(fallen, deadline_s=15)
        for each in LINE:
            await line.policy(each, **RESTART)
        await line.all_started()
        # Each of these: a fault of io, and the leader killed while somebody stops, is reset, initialises or starts.
        middles = [("kds", "stop"), ("io", "reset"), ("supervisor", "initialize"), ("kds", "start")]
        for number, (component_id, what) in enumerate(middles, 2):
            line.fault("io")
            already = 1 if what in ("initialize", "start") else 0
            await killed_in_the_middle(line, component_id, what, number + already)
            await line.all_started()
            await plant.wait_ready()
        rounds = 1 + len(middles)
        begun = ["initialize", "start"]
        assert line.journal("io") == begun + ["fault", "reset", "initialize", "start"] * rounds
        for each in ("supervisor", "kds"):
            assert line.journal(each) == begun + ["stop", "reset", "initialize", "start"] * rounds


async def test_restarts_stop_at_their_limit_and_say_why_also_when_the_leader_is_killed(
    plant: LocalPlant, tmp_path: Path
) -> None:
    async with line_of(plant, tmp_path) as line:
        line.breaks("io", True)
        await line.policy("io", **{**RESTART, "limit": 3, "backoff_initial_s": 0.5})
        line.fault("io")
        await killed_in_the_middle(line, "io", "reset", 2)

        async def given_up() -> bool:
            return bool((await line.row("io")).get("exhausted"))

        await eventually(given_up, deadline_s=30)
        row = await line.row("io")
        assert row["state"] == "FAULT"
        assert "the belt is torn" in row["exhausted"]
        assert "after 3 restarts within 3600 s, its limit is 3" in row["exhausted"]
        told = ["initialize", "start", "fault", *["reset", "initialize", "start"] * 3]
        assert line.journal("io") == told, "neither forgotten nor doubled by the new leader"
        assert {(await line.states())[each] for each in ("supervisor", "kds")} <= DOWN
        # Somebody mends it and says so.
        line.breaks("io", False)
        answer = await insist(plant, "POST", "/v1/components/io/acknowledge", {"by": "the test", "retry": True})
        assert answer.status_code == 200, answer.text
        await line.all_started()
        assert line.journal("io") == [*told, "reset", "initialize", "start"]
