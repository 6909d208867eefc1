"""The client while the leader is killed again and again: each write is done once, each change is told once."""

import asyncio
import signal
from pathlib import Path

import pytest

from orchestrator.client import AsyncClient, Place
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]

WRITERS = 8
KILLS = 1


async def test_writers_and_watchers_over_killed_leaders(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path)) as plant:
        leader = await plant.wait_ready()
        urls = [node.api for node in plant.topology.nodes]
        async with AsyncClient(urls, timeout_s=30) as client, asyncio.TaskGroup() as tasks:
            first = Place(str((await client.snapshot(["variables"])).index))
            told: list[tuple[int, str]] = []
            stop = asyncio.Event()

            async def watch() -> None:
                async for event in client.watch(["variables"], place=first, within_s=50):
                    told.extend((event.index, row["id"]) for row in event.data.get("changes", ()))
                    if told and told[-1][1] == "end":
                        return

            async def write(name: str) -> list[int]:
                done: list[int] = []
                while not stop.is_set():
                    # A write that was done twice would meet the revision that its first time made.
                    made = await client.variables.set(name, len(done), if_revision=done[-1] if done else 0)
                    done.append(made.revision)
                return done

            watching = tasks.create_task(watch())
            writing = {name: tasks.create_task(write(name)) for name in (f"w-{n}" for n in range(WRITERS))}
            for _ in range(KILLS):
                seen = len(told)
                await eventually(lambda seen=seen: len(told) > seen + 60, deadline_s=20)  # type: ignore[misc]
                assert await plant.kill(leader.node_id) == -signal.SIGKILL
                await plant.restart(leader.node_id)
                leader = await plant.other_leader(leader)
            stop.set()
            revisions = {name: await task for name, task in writing.items()}
            await client.variables.set("end", None)
            await watching
        for name, made in revisions.items():
            assert [index for index, row in told if row == name] == made
        indexes = [index for index, _ in told]
        assert indexes == sorted(set(indexes))
