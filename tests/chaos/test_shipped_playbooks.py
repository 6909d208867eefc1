"""The playbooks that come with Triarch, all eight on one plant of real processes; the leader is killed under two."""

import json
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Program
from tests.command_line import triarch
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]

DIRECTORY = Path(__file__).parents[2] / "playbooks"
NEEDS = {"base": (), "io": ("base",), "conveyor": ("io",), "hall-1": (), "extra-1": ()}
GROUPS = {"hall-1": ("cameras",), "extra-1": ("spare",)}
ROUND = ["STOP", "RESET", "INITIALIZE", "START"]
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED")


class Stage:
    """The plant with its components, and the calls that a test makes. Nodes may be gone: any other is asked."""

    def __init__(self, plant: LocalPlant, directory: Path) -> None:
        self.plant, self.directory = plant, directory

    async def begin(self) -> None:
        """Start the components, and put the playbooks."""
        self.directory.mkdir()
        await self.plant.processes.start(*(self._program(name) for name in NEEDS))

        async def registered() -> bool:
            return set(await self.states()) == set(NEEDS)

        await eventually(registered, deadline_s=20)
        for file in sorted(DIRECTORY.glob("*.yaml")):
            # A person would wait the half minute that the batteries last for; nothing else is changed.
            text = file.read_text().replace("timeout: 30s\n    after_failure", "timeout: 2s\n    after_failure")
            answer = await self.call("PUT", f"/v1/playbooks/{file.stem}", {"text": text})
            assert answer.status_code == 201, answer.text

    def _program(self, name: str) -> Program:
        argv = ["--id", name, "--log", str(self.directory / f"{name}.log")]
        argv += [part for api in self.plant.topology.apis for part in ("--orchestrator", api)]
        argv += [part for group in GROUPS.get(name, ()) for part in ("--group", group)]
        argv += [part for needed in NEEDS[name] for part in ("--needs", needed)]
        return Program(name, (sys.executable, "-m", "tests.chaos.plant_component", *argv))

    async def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """A request that is repeated under its key until some node has answered it."""
        key = uuid.uuid4().hex

        found: list[httpx.Response] = []

        async def answered() -> bool:
            try:
                answer = await self.plant.call(method, path, json=json, key=key)
            except httpx.HTTPError:
                return False
            found.append(answer)
            return answer.status_code < 500

        await eventually(answered, deadline_s=20, every_s=0.1)
        return found[-1]

    async def states(self) -> dict[str, str]:
        answer = await self.call("GET", "/v1/components")
        return {row["id"]: row["state"] for row in answer.json()}

    async def run(self, name: str, inputs: Mapping[str, Any] | None = None) -> str:
        answer = await self.call("POST", f"/v1/playbooks/{name}/runs", {"inputs": dict(inputs or {})})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def executions(self, playbook: str) -> list[dict[str, Any]]:
        answer = await self.call("GET", f"/v1/executions?playbook={playbook}")
        return list(answer.json()["executions"])

    async def ended(self, execution: str, deadline_s: float = 30.0) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        async def over() -> bool:
            found.append((await self.call("GET", f"/v1/executions/{execution}")).json())
            return found[-1]["status"] in ENDED

        await eventually(over, deadline_s=deadline_s, every_s=0.1)
        return found[-1]

    async def triggered(self, playbook: str, known: int) -> dict[str, Any]:
        """The execution that a trigger has started beyond those known, once it has ended."""

        async def begun() -> str:
            rows = await self.executions(playbook)
            return str(rows[0]["id"]) if len(rows) > known else ""

        return await self.ended(await eventually(begun, deadline_s=15, every_s=0.1))

    async def event(self, kind: str, source: str, payload: Mapping[str, Any]) -> None:
        document = {"type": kind, "source": source, "payload": dict(payload), "time": datetime.now(UTC).isoformat()}
        answer = await self.call("POST", "/event", {"id": uuid.uuid4().hex, **document})
        assert answer.status_code == 204, answer.text

    def done(self, name: str) -> list[str]:
        """What the component has really done, in order."""
        log = self.directory / f"{name}.log"
        return log.read_text().split() if log.exists() else []

    def all_done(self) -> dict[str, list[str]]:
        return {name: self.done(name) for name in NEEDS}

    def fail(self, name: str, *commands: str) -> None:
        (self.directory / f"{name}.fail").write_text(" ".join(commands))

    async def all_in(self, *states: str, names: tuple[str, ...] = tuple(NEEDS)) -> None:
        async def there() -> bool:
            found = await self.states()
            assert {name: found[name] for name in names if found[name] not in states} == {}
            return True

        await eventually(there, deadline_s=15, every_s=0.1)


async def test_the_checker_passes_all_of_them_with_a_failure_and_a_takeover() -> None:
    files = sorted(DIRECTORY.glob("*.yaml"))
    code, out, err = await triarch("playbook", "check", *files, "-o", "json")
    assert code == 0, out + err
    reports = json.loads(out)
    assert [report["playbook"] for report in reports] == [file.stem for file in files]
    assert all(report["complete"] and report["states"] > 50 for report in reports)


async def test_all_of_them_on_real_components(plant: LocalPlant, tmp_path: Path) -> None:
    stage = Stage(plant, tmp_path / "components")
    await stage.begin()
    for act in (start_up, roll_under_a_kill, recover, cascade, lose_a_camera, relieve, power_returns, fail_to_start):
        begun = time.monotonic()
        await act(stage)
        print(f"{act.__name__}: {time.monotonic() - begun:.1f} s")
    await lose_power_and_the_leader(stage)


def only(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What each component has done in between, those that did nothing left out."""
    return {name: after[name][len(before[name]) :] for name in after if after[name] != before[name]}


async def start_up(stage: Stage) -> None:
    ended = await stage.ended(await stage.run("startup"))
    assert ended["status"] == "SUCCEEDED", ended
    assert stage.all_done() == {name: ["INITIALIZE", "START"] for name in NEEDS}
    await stage.all_in("STARTED")


async def roll_under_a_kill(stage: Stage) -> None:
    before = stage.all_done()
    execution = await stage.run("rolling_restart")
    await eventually(lambda: stage.done("conveyor") != before["conveyor"], deadline_s=20)  # the second of five
    leader = await stage.plant.current_leader(10)
    await stage.plant.kill(leader.node_id)
    ended = await stage.ended(execution)
    assert ended["status"] == "SUCCEEDED", ended
    assert only(before, stage.all_done()) == dict.fromkeys(NEEDS, ROUND)
    await stage.plant.restart(leader.node_id)
    await stage.plant.wait_ready()


async def recover(stage: Stage) -> None:
    before = stage.all_done()
    stage.plant.processes["conveyor"].send(signal.SIGUSR1)
    ended = await stage.triggered("component_fault_recovery", 0)
    assert ended["status"] == "SUCCEEDED", ended
    assert only(before, stage.all_done()) == {"conveyor": ["RESET", "INITIALIZE", "START"]}
    await stage.all_in("STARTED")


async def cascade(stage: Stage) -> None:
    before = stage.all_done()
    stage.plant.processes["base"].send(signal.SIGUSR1)
    ended = await stage.triggered("cascade_failure", 0)
    assert ended["status"] == "SUCCEEDED", ended
    assert only(before, stage.all_done()) == {"base": ["RESET", "INITIALIZE", "START"], "io": ROUND, "conveyor": ROUND}
    await stage.all_in("STARTED")
    assert len(await stage.executions("component_fault_recovery")) == 1  # base is not its business


async def lose_a_camera(stage: Stage) -> None:
    before = stage.all_done()
    await stage.event("camera.lost", "conveyor", {"camera": "hall-1"})
    ended = await stage.triggered("camera_lost", 0)
    assert ended["status"] == "SUCCEEDED", ended
    assert only(before, stage.all_done()) == {"hall-1": ROUND}


async def relieve(stage: Stage) -> None:
    shut = await stage.ended(await stage.run("graceful_shutdown", {"group": "spare"}))
    assert shut["status"] == "SUCCEEDED", shut
    await stage.all_in("STOPPED", names=("extra-1",))
    await stage.event("frames.backpressure", "hall-1", {"level": 2, "usage": 0.85})
    await stage.event("frames.backpressure", "hall-1", {"level": 3, "usage": 0.97})
    ended = await stage.triggered("backpressure_critical", 0)
    assert ended["status"] == "SUCCEEDED", ended
    assert len(await stage.executions("backpressure_critical")) == 1
    await stage.all_in("STARTED", names=("extra-1",))


async def power_returns(stage: Stage) -> None:
    before = stage.all_done()
    execution = await stage.run("ups_power_loss")
    answer = await stage.call("POST", f"/v1/executions/{execution}/signal", {"name": "power_restored", "value": True})
    assert answer.status_code < 300, answer.text
    assert (await stage.ended(execution))["status"] == "SUCCEEDED"
    assert stage.all_done() == before


async def fail_to_start(stage: Stage) -> None:
    assert (await stage.ended(await stage.run("graceful_shutdown")))["status"] == "SUCCEEDED"
    await stage.all_in("STOPPED")
    stage.fail("conveyor", "START")
    execution = await stage.run("startup")
    ended = await stage.ended(execution, deadline_s=60)
    assert ended["status"] == "FAILED", ended
    # What had come up is down again, and nobody runs below what has failed.
    await stage.all_in("STOPPED", "READY", "FAULT")
    assert (await stage.executions("graceful_shutdown"))[0]["parent"]["execution"] == execution
    stage.fail("conveyor")


async def lose_power_and_the_leader(stage: Stage) -> None:
    assert (await stage.ended(await stage.run("startup")))["status"] == "SUCCEEDED"
    await stage.all_in("STARTED")
    before, known = stage.all_done(), len(await stage.executions("ups_power_loss"))
    await stage.event("ups.power_lost", "hall-1", {"charge": 0.9})

    async def shutting_down() -> bool:
        return stage.done("conveyor")[-1] == "STOP"

    await eventually(shutting_down, deadline_s=20)
    leader = await stage.plant.current_leader(10)
    await stage.plant.kill(leader.node_id)
    ended = await stage.triggered("ups_power_loss", known)
    assert ended["status"] == "SUCCEEDED", ended
    assert only(before, stage.all_done()) == {name: ["STOP"] for name in NEEDS}
    await stage.all_in("STOPPED")
