"""What much asked for at once may do to a node's Raft thread: it gets its turns between."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster import Command, Event, Outcome, Position
from cluster.clock import now
from cluster.errors import QueueFull, ReadTimedOut
from tests.cluster.machines import Freeze, Register, command, nodes
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def test_many_slow_queries_at_once_leave_the_thread_its_turns(tmp_path: Path) -> None:
    """A command that came behind them all is applied between two of them: so is a heartbeat sent."""
    order: list[Any] = []

    class Noting(Register):
        def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
            order.append("applied")
            return super().apply(command, position)

    held, go = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        held.set()
        go.wait(30)

    async with nodes(tmp_path, 1, machine=Noting) as group:
        leader = await group.leader()

        def slow(_: Any) -> None:
            ends = now() + leader.settings.heartbeat_s
            while now() < ends:
                pass
            order.append("query")

        async with Freeze(leader):
            queries = [
                asyncio.ensure_future(leader.read(query, consistency="stale", timeout=30))
                for query in (hold, *5 * [slow])
            ]
            await asyncio.sleep(0)  # all are queued
        await eventually(held.is_set)
        proposed = asyncio.ensure_future(leader.propose(command(), timeout=30))
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*queries, proposed)
        assert order.count("query") == 5
        assert order[-1] == "query"


async def test_who_asks_for_a_snapshot_while_others_wait_for_one_shares_theirs(tmp_path: Path) -> None:
    taken: list[int] = []

    class Counting(Register):
        def snapshot(self) -> bytes:
            taken.append(self.applied)
            return super().snapshot()

    async with nodes(tmp_path, 1, machine=Counting) as group:
        leader = await group.leader()
        async with Freeze(leader):
            asked = [asyncio.ensure_future(leader.snapshot()) for _ in range(50)]
            await asyncio.sleep(0)
            asked[0].cancel()  # the others' goes on all the same
        first, *contents = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError)
        assert len(set(map(type, contents))) == len(set(contents)) == len(taken) == 1
        # One that is asked for later holds what was acknowledged before.
        await leader.propose(command())
        assert await leader.snapshot() not in contents
        assert taken == [0, 1]


async def test_a_snapshot_that_could_not_be_asked_for_keeps_no_later_one_from_being_taken(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1, queue_size=4) as group:
        leader = await group.leader()
        async with Freeze(leader):
            reads = [
                asyncio.ensure_future(leader.read(lambda _: None, consistency="stale", timeout=30)) for _ in range(4)
            ]
            await asyncio.sleep(0)  # the queue is full
            with pytest.raises(QueueFull):
                await leader.snapshot()
        await asyncio.gather(*reads, return_exceptions=True)
        assert await leader.snapshot()


async def test_who_gives_up_on_a_snapshot_leaves_it_to_those_who_wait_longer(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1) as group:
        leader = await group.leader()
        async with Freeze(leader):
            patient = asyncio.ensure_future(leader.snapshot(timeout=30))
            with pytest.raises(ReadTimedOut):
                await leader.snapshot(timeout=0.01)
        assert await patient
