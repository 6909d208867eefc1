"""A watch over the death of the node that is watched, and then of the leader: every change once and in order."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from orchestrator.cli.following import Follower
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.insisting import insist
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]


class Watching:
    """A watcher in a thread of its own, as the command line is, until it has seen the variable `last`."""

    def __init__(self, urls: list[str]) -> None:
        self.indexes: list[int] = []
        self._follower = Follower(",".join(urls), "/v1/watch", params={"subjects": "variables"})
        self.ready = False
        self.task = asyncio.create_task(asyncio.to_thread(self._watch))

    def _watch(self) -> None:
        for told in self._follower.events():
            self.ready = True
            if told.kind == "change":
                self.indexes.append(int(told.index))
                if any(each["id"] == "last" for each in told.data["changes"]):
                    return


async def test_every_change_is_told_once_and_in_order(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path)) as plant:
        leader = await plant.wait_ready()
        apis = {node.id: node.api for node in plant.topology.nodes}
        first = apis.pop(leader.node_id)
        watched, other = apis
        watchers = [Watching([apis[watched], apis[other], first]), Watching([first, apis[other], apis[watched]])]
        await eventually(lambda: all(each.ready for each in watchers), deadline_s=20)
        acknowledged: set[int] = set()
        stop = False

        async def write() -> None:
            number = 0
            async with httpx.AsyncClient(base_url=apis[other], timeout=5.0, trust_env=False) as client:
                while not stop:
                    number += 1
                    headers = {"Idempotency-Key": f"write-{number}"}
                    for _ in range(50):
                        try:
                            answer = await client.put(f"/v1/variables/w.{number % 7}", json={"value": number},
                                                      headers=headers)  # fmt: skip
                        except httpx.HTTPError:
                            continue
                        if answer.is_success:
                            acknowledged.add(answer.json()["revision"])
                            break
                        await asyncio.sleep(0.05)

        writing = asyncio.create_task(write())
        await eventually(lambda: len(acknowledged) > 100, deadline_s=20)
        assert await plant.kill(watched) == -signal.SIGKILL
        before = len(acknowledged)
        await eventually(lambda: len(acknowledged) > before + 100, deadline_s=20)
        # A majority again before the leader goes, too.
        await plant.restart(watched)
        await plant.wait_ready(watched)
        assert await plant.kill(leader.node_id) == -signal.SIGKILL
        before = len(acknowledged)
        await eventually(lambda: len(acknowledged) > before + 50, deadline_s=20)
        stop = True
        await writing
        last = await insist(plant, "PUT", "/v1/variables/last", {"value": 0})
        assert last.is_success, last.text
        acknowledged.add(last.json()["revision"])
        async with asyncio.timeout(20):
            await asyncio.gather(*(each.task for each in watchers))

        for each in watchers:
            assert each.indexes == sorted(set(each.indexes))
            assert acknowledged <= set(each.indexes)
        assert watchers[0].indexes == watchers[1].indexes

        answer = await plant.call("GET", "/v1/cluster/leaderships", node_id=other)
        newest = answer.json()[0]
        assert (newest["node"] != leader.node_id, newest["reason"]) == (True, "election")
        assert 0 < newest["gap_s"] < 20
