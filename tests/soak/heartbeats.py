"""An hour's worth of events of 1,000 components, as fast as the leader takes them: no node's memory grows.

Size: rounds. A round is what a second of such a plant brings: a heartbeat of each component, with two metrics beside
cpu and memory, five events of an application, two changes of a component's state, and a variable that is set. All
go to a follower, which passes them on, so that it works too. Flat means, for each process: the largest resident memory
of the second half is at most 16 MiB above the largest of the first half.
"""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from orchestrator.bench.components import COMPONENTS, fleet
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.soak.million import growing, mib, resident

SIZE = 3_600
EVENTS, CHANGES = 5, 2
SAMPLE_EVERY = 10
"""Rounds."""


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` rounds."""
    rounds = int(size)
    memory: dict[str, list[int]] = {}
    problems: list[str] = []
    async with LocalPlant(on_free_ports(directory)) as plant:
        leader = await plant.wait_ready()
        names = [node.id for node in plant.topology.nodes]
        follower = next(at for at, name in enumerate(names) if name != leader.node_id)
        async with fleet(plant) as order:
            await order("register")
            await order(f"silence {COMPONENTS}")  # from here on their heartbeats come from below
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=plant.topology.apis[follower], timeout=15.0, trust_env=False) as http:
            plant_load = _Load(http)
            for number in range(rounds):
                await plant_load.round(number)
                if number % SAMPLE_EVERY == 0:
                    for name in names:
                        memory.setdefault(name, []).append(resident(plant.node(name).pid))
        elapsed = time.monotonic() - began
        if (await plant.leader()) != leader:
            problems.append("leadership changed in the middle: the figures are of two leaders")
    problems += [problem for name, found in memory.items() for problem in growing(name, found)]
    return {
        "rounds": rounds,
        "components": COMPONENTS,
        "heartbeats": rounds * COMPONENTS,
        "events": rounds * (EVENTS + CHANGES),
        "seconds": round(elapsed, 1),
        "events_per_s": round(rounds * (COMPONENTS + EVENTS + CHANGES) / elapsed, 1),
        "leader": leader.node_id,
        "memory_by_process_mib": {name: _tenths(found) for name, found in memory.items()},
        "problems": problems,
    }


class _Load:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._sequences = [0] * COMPONENTS
        self._states = ["READY"] * COMPONENTS

    async def round(self, number: int) -> None:
        beats = [self._heartbeat(at, number) for at in range(COMPONENTS)]
        answer = await self._post("/v1/components/heartbeats", beats)
        if answer["refused"]:
            raise RuntimeError(f"round {number}: not taken: {answer['refused'][:3]}")
        changes = [self._change((CHANGES * number + at) % COMPONENTS) for at in range(CHANGES)]
        events = [self._event(number, at) for at in range(EVENTS)]
        setting = self._http.put(f"/v1/variables/round-{number % 50}", json={"value": number})
        answers = await asyncio.gather(*(self._post("/event", each) for each in (*changes, *events)), setting)
        answers[-1].raise_for_status()

    def _heartbeat(self, at: int, number: int) -> dict[str, Any]:
        payload = {"state": self._states[at], "incarnation": "1", "sequence": self._sequences[at]}
        figures = {"speed": 12.5 + number % 7, "temperature": 40.0 + number % 11}
        payload |= {"cpu": 0.01 * (number % 9), "memory": 30_000_000 + number, "metrics": figures}
        return {"type": "component.heartbeat", "source": f"fleet-{at:04}", "payload": payload}

    def _change(self, at: int) -> dict[str, Any]:
        self._sequences[at] += 1
        self._states[at] = "FAULT" if self._states[at] == "READY" else "READY"
        payload = {"state": self._states[at], "incarnation": "1", "sequence": self._sequences[at]}
        return {"type": "component.state_changed", "source": f"fleet-{at:04}", "payload": payload}

    def _event(self, number: int, at: int) -> dict[str, Any]:
        payload = {"piece": number * EVENTS + at, "verdict": "good"}
        return {"id": uuid.uuid4().hex, "type": "inspection.done", "source": f"fleet-{at:04}", "payload": payload}

    async def _post(self, path: str, body: Any) -> Any:
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _tenths(samples: list[int]) -> list[float]:
    """The largest of each tenth."""
    step = max(1, len(samples) // 10)
    return [mib(samples[at : at + step]) for at in range(0, len(samples), step)][:10]
