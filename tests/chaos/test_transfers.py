"""Leadership handed over to a node that stands still once it was asked: what is answered, and who leads then."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from orchestrator.dev.local import Leader, LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.raft_links import RaftLinks
from tests.chaos.toxiproxy import Toxiproxy
from tests.command_line import triarch
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.alone, pytest.mark.campaign, pytest.mark.timeout(180)]

T = TypeVar("T")
DELAY_MS = 120
"""On the way between two nodes, each way: the request to take over is under way when the node is stopped."""
ATTEMPTS = 6
"""A busy machine may stop it too late."""


@pytest.fixture
async def plant(toxic: Toxiproxy, tmp_path: Path, anyio_backend: str) -> AsyncIterator[LocalPlant]:
    """Three nodes that are ready, on a slow network."""
    links = await RaftLinks.between(on_free_ports(tmp_path / "plant"), toxic)
    async with LocalPlant(links.topology) as running:
        await running.wait_ready()
        for link in links.all():
            await link.delay(DELAY_MS)
        yield running


async def stopped_once_asked(
    plant: LocalPlant, first: Leader, to: str, asking: Coroutine[Any, Any, T]
) -> asyncio.Task[T]:
    """`asking`, which goes on, with node `to` stopped once the leader has asked it to take over."""
    said = f"hands leadership over to {to}"
    log = plant.node(first.node_id).log
    before = log.read_text().count(said)
    asked = asyncio.create_task(asking)
    await eventually(lambda: asked.done() or log.read_text().count(said) > before, deadline_s=10, every_s=0.005)
    plant.send(to, signal.SIGSTOP)
    return asked


async def transferred(plant: LocalPlant, node_id: str, to: str, key: str) -> httpx.Response:
    return await plant.call("POST", "/v1/cluster/transfer", json={"to": to}, node_id=node_id, key=key)


async def two(plant: LocalPlant) -> tuple[Leader, str]:
    """Who leads, and another one."""
    first = await plant.wait_ready()
    return first, next(node.id for node in plant.topology.nodes if node.id != first.node_id)


async def check_led(plant: LocalPlant, to: str, answer: httpx.Response) -> None:
    """As it was answered, so it is noted."""
    assert (answer.status_code, answer.json()["leader"]) == (200, to), answer.text

    async def noted() -> str:
        rows = (await plant.call("GET", "/v1/cluster/leaderships")).json()
        return next((row["node"] for row in rows if row["epoch"] == answer.json()["epoch"]), "")

    assert await eventually(noted, deadline_s=20) == to


async def test_a_node_that_goes_on_in_time_takes_over_and_the_answer_says_so(plant: LocalPlant) -> None:
    for number in range(ATTEMPTS):
        first, to = await two(plant)
        asked = await stopped_once_asked(plant, first, to, transferred(plant, first.node_id, to, f"in-time-{number}"))
        late = asked.done()
        plant.send(to, signal.SIGCONT)
        answer = await asked
        if not late and answer.status_code == 200:
            break
        assert answer.status_code in (200, 503, 504), answer.text
    await check_led(plant, to, answer)


async def test_a_node_that_stands_still_may_take_over_later_and_nobody_says_that_it_failed(plant: LocalPlant) -> None:
    for number in range(ATTEMPTS):
        first, to = await two(plant)
        key = f"still-{number}"
        words = ("cluster", "transfer", "--to", to, "--key", key, "--timeout", "8", "-o", "json")
        asking = triarch(*words, TRIARCH_URL=plant.topology.node(first.node_id).api)
        asked = await stopped_once_asked(plant, first, to, asking)
        try:
            code, out, err = await asked
            if code == 7:  # the client asked again meanwhile; again, by hand:
                again = await transferred(plant, first.node_id, to, key)
                assert (again.status_code, again.json()["code"]) == (504, "outcome_unknown"), again.text
                assert again.json()["idempotency_key"] == key
                assert f"{to} was asked to take over, and still may" in again.json()["detail"]
        finally:
            plant.send(to, signal.SIGCONT)
        if code == 7:
            break
        assert code == 0, err  # it was stopped too late
        assert json.loads(out)["leader"] == to
    assert (code, out) == (7, "")
    assert key in err

    async def done() -> httpx.Response | None:
        answer = await transferred(plant, (await plant.current_leader(10)).node_id, to, key)
        return answer if answer.status_code == 200 else None

    answer = await eventually(done, deadline_s=60)
    assert answer is not None
    await check_led(plant, to, answer)
    entries = (await plant.call("GET", "/v1/audit?kind=cluster.transfer")).json()["entries"]
    outcomes = [entry["outcome"] for entry in entries]
    assert "unknown" in outcomes
    assert "transfer_failed" not in outcomes
