"""How a node ends when a part of it has failed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cluster import OutcomeUnknown, StateMachineFailed
from cluster.commands import Command, Position
from framebuffer.registry import Health
from orchestrator.errors import OrchestratorError
from orchestrator.node import running
from tests.orchestrator.api_nodes import configured, settings
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


async def test_a_node_whose_cluster_fails_ends_everything_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    tree = settings(0, [(free_port(), free_port())], tmp_path, 0, redis={"mode": "embedded", "port": port})
    tree["redis"].pop("url")

    async def live() -> None:
        async with asyncio.timeout(20), running(configured(tree, tmp_path)) as node:
            await eventually(node.is_leader, deadline_s=10)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            applied = node.state.apply

            def broken(command: Command, position: Position) -> Any:
                if command.kind == "processor.health":  # not what the node proposes by itself
                    raise ValueError("a defect")
                return applied(command, position)

            monkeypatch.setattr(node.state, "apply", broken)
            with pytest.raises(OutcomeUnknown, match="this node failed"):
                await node.propose("processor.health", Health(id="p", healthy=True))
            await node.run(asyncio.Event())

    with pytest.raises(StateMachineFailed, match="a defect"):
        await live()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_part_that_ends_untold_ends_the_node(tmp_path: Path) -> None:
    """A node whose API is gone would lead on, unseen."""
    tree = settings(0, [(free_port(), free_port())], tmp_path, free_port())
    async with asyncio.timeout(20), running(configured(tree, tmp_path)) as node:
        running_on = asyncio.create_task(node.run(asyncio.Event()))
        await eventually(node.is_leader, deadline_s=10)
        server = node._server
        assert server is not None
        server.should_exit = True  # as uvicorn does by itself when its lifespan fails
        with pytest.raises(OrchestratorError, match="api ended without being told to"):
            await running_on


async def test_a_node_that_is_told_to_stop_ends_well(tmp_path: Path) -> None:
    tree = settings(0, [(free_port(), free_port())], tmp_path, free_port())
    stop = asyncio.Event()
    async with asyncio.timeout(20), running(configured(tree, tmp_path)) as node:
        running_on = asyncio.create_task(node.run(stop))
        await eventually(node.is_leader, deadline_s=10)
        stop.set()
        await running_on
