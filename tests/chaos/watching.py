"""What tests of cuts look at: who leads in which term, what a node still answers, what all nodes hold in the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from orchestrator.dev.local import Leader, LocalPlant
from tests.support import eventually

LEADER_READS = ("/leader", "/v1/components?consistency=leader", "/v1/components?consistency=linearizable")
"""What only a leader may answer with 200. A node that is cut off has nobody to pass them on to."""
ASK_EVERY_S = 0.01
HOLD_EVERY_S = 0.1


@dataclass
class Answers:
    """When each path was last answered with 200, on time.monotonic's clock, and how often each status came."""

    last_ok: dict[str, float] = field(default_factory=dict)
    counts: dict[tuple[str, int], int] = field(default_factory=dict)

    def saw(self, path: str, status: int) -> None:
        self.counts[path, status] = self.counts.get((path, status), 0) + 1
        if status == httpx.codes.OK:
            self.last_ok[path] = time.monotonic()


@contextlib.asynccontextmanager
async def asking(plant: LocalPlant, node_id: str) -> AsyncIterator[Answers]:
    """Ask a node LEADER_READS all the time, each path by itself; every path has been answered once."""
    answers = Answers()

    async def ask(path: str) -> None:
        while True:
            answer = await plant.ask(node_id, path)
            if answer is not None:
                answers.saw(path, answer.status_code)
            await asyncio.sleep(ASK_EVERY_S)

    tasks = [asyncio.create_task(ask(path)) for path in LEADER_READS]
    try:
        await eventually(lambda: len(answers.last_ok) == len(LEADER_READS))
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        assert task.cancelled(), task.exception()


@dataclass(frozen=True)
class View:
    """A node's own view of the cluster."""

    node: str
    leader: str | None
    term: int


async def view(plant: LocalPlant, node_id: str) -> View:
    """What a node says of the cluster. AssertionError when it does not answer."""
    answer = await plant.ask(node_id, "/v1/cluster")
    assert answer is not None, f"{node_id} does not answer"
    assert answer.status_code == httpx.codes.OK, answer.text
    body = answer.json()
    return View(body["node"], body["leader"], body["term"])


async def knows_no_leader(plant: LocalPlant, node_id: str) -> bool:
    """Whether a node has noticed that it hears from no leader."""
    return (await view(plant, node_id)).leader is None


async def follows(plant: LocalPlant, node_id: str, leader: Leader) -> bool:
    """Whether a node is ready under that leader, in the leader's term. AssertionError, with what it is instead."""
    assert await view(plant, node_id) == View(node_id, leader.node_id, leader.epoch[0])
    return await plant.is_ready(node_id)


async def leads_on(plant: LocalPlant, leader: Leader, seconds: float) -> None:
    """Watch for that long that nobody else leads, and see in the end that it leads, in its term. AssertionError.

    A node that does not answer in time has not been deposed: one that was would have another epoch afterwards.
    """
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert await plant.leader() in (None, leader)
        await asyncio.sleep(HOLD_EVERY_S)

    async def still() -> bool:
        found, seen = await plant.leader(), await view(plant, leader.node_id)
        assert found in (None, leader)
        return found == leader and seen.term == leader.epoch[0]

    await eventually(still, deadline_s=5)


async def register(plant: LocalPlant, component_id: str, node_id: str | None = None) -> httpx.Response:
    """Commit something: a component of that name."""
    document = {"id": component_id, "address": "http://127.0.0.1:9"}
    return await plant.call("POST", "/v1/components", json=document, node_id=node_id)


async def holds(plant: LocalPlant, node_id: str, component_ids: set[str]) -> bool:
    """Whether a node's own state has exactly these components. AssertionError when it does not say."""
    return await registered(plant, node_id) == component_ids


async def registered(plant: LocalPlant, node_id: str, consistency: str = "stale") -> set[str]:
    """The components in a node's own state, or as another consistency has it. AssertionError when it does not say."""
    answer = await plant.ask(node_id, f"/v1/components?consistency={consistency}")
    assert answer is not None, f"{node_id} does not answer"
    assert answer.status_code == httpx.codes.OK, answer.text
    return {row["id"] for row in answer.json()}
