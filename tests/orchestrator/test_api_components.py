"""Commands to real components, through a node that does not lead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestrator.component import Component
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("plant"), token=TOKEN) as found:
        yield found


class Press(Component):
    """Counts what it is told, and breaks on demand."""

    starts = 0
    breaks = False

    async def on_start(self) -> None:
        self.starts += 1
        if self.breaks:
            raise RuntimeError("the belt is torn")


@asynccontextmanager
async def running(component: Component) -> AsyncIterator[None]:
    task = asyncio.create_task(component.serve())
    try:
        await component.wait_registered()
        yield
    finally:
        await component.stop()
        await task


async def test_the_lifecycle_of_a_component(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    press = Press("press-1", orchestrator_url=nodes.urls, groups=["line-a"], heartbeat_s=0.2, token=TOKEN)
    path = "/v1/components/press-1/commands"
    async with running(press):
        for command, state in (("CMD_INITIALIZE", "INIT_COMPLETE"), ("CMD_START", "STARTED"), ("CMD_STOP", "STOPPED")):
            answer = await http.post(path, json={"command": command})
            assert answer.status_code == 200, answer.text
            assert (answer.json()["state"], answer.json()["completed"]) == (state, True)

            async def shown(state: str = state) -> bool:
                row = (await http.get("/v1/components/press-1")).json()
                return (row["state"], row["presence"]) == (state, "ONLINE")

            await eventually(shown)

        refused = await http.post(path, json={"command": "CMD_START"})
        assert (refused.status_code, refused.json()["code"]) == (409, "command_refused")
        assert "STOPPED" in refused.json()["detail"]


async def test_a_repeat_under_the_same_key_is_done_once(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    press = Press("press-2", orchestrator_url=nodes.urls, heartbeat_s=0.2, token=TOKEN)
    path = "/v1/components/press-2/commands"
    async with running(press):
        await http.post(path, json={"command": "CMD_INITIALIZE"})
        key = {"Idempotency-Key": "start-once"}
        first = await http.post(path, json={"command": "CMD_START"}, headers=key)
        again = await http.post(path, json={"command": "CMD_START"}, headers=key)
        assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)
        assert press.starts == 1
        other = await http.post(path, json={"command": "CMD_STOP"}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_a_command_that_fails_says_why(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    press = Press("press-3", orchestrator_url=nodes.urls, heartbeat_s=0.2, token=TOKEN)
    press.breaks = True
    path = "/v1/components/press-3/commands"
    async with running(press):
        await http.post(path, json={"command": "CMD_INITIALIZE"})
        failed = await http.post(path, json={"command": "CMD_START"})
        assert (failed.status_code, failed.json()["code"]) == (409, "command_failed")
        assert failed.json()["state"] == "FAULT"
        assert "the belt is torn" in failed.json()["detail"]


async def test_a_component_that_is_gone_cannot_be_reached(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    body = {"id": "ghost", "address": f"http://127.0.0.1:{free_port()}"}
    assert (await http.post("/v1/components", json=body)).status_code == 201
    answer = await http.post("/v1/components/ghost/commands", json={"command": "CMD_START"})
    assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")


async def test_a_component_that_does_not_answer_has_an_unknown_outcome(nodes: Nodes) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        http = nodes.clients[await nodes.follower()]
        body = {"id": "mute", "address": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        await http.post("/v1/components", json=body)
        answer = await http.post(
            "/v1/components/mute/commands", json={"command": "CMD_START"}, headers={"Idempotency-Key": "k-mute"}
        )
        assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
        assert answer.json()["idempotency_key"] == "k-mute"
