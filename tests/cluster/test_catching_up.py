"""A member that lacks much of the log, or a snapshot, gets it over whatever connection there is."""

import logging
from pathlib import Path

import pytest

from cluster import Cluster
from tests.cluster.machines import command, nodes, value_of
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def _is_there(node: Cluster, value: object) -> bool:
    return bool(await value_of(node) == value)


async def test_a_member_that_lacks_many_large_commands_keeps_its_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        behind = (await group.followers())[0].settings.node_id
        await group.stop(behind)
        for number in range(45):  # more than PAYLOADS_UNSENT_MAX of the greatest records
            await leader.propose(command(key=f"k{number}", value="x" * ((1 << 20) - 500)))
        await leader.propose(command(value="last"))
        await group.start(behind)
        node = group.running[behind]
        await eventually(lambda: _is_there(node, "last"), deadline_s=20)
    assert "it does not read what it is sent" not in caplog.text
