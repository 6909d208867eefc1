"""Commands to real components, through a node that does not lead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel

from orchestrator.component import Component
from orchestrator.lifecycle import State
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


# ── Heartbeats ────────────────────────────────


def beat(component_id: str, **payload: object) -> dict[str, object]:
    return {"type": "component.heartbeat", "source": component_id, "payload": {"state": "READY", **payload}}


async def test_heartbeats_at_a_follower_are_gathered_and_each_is_answered_by_itself(nodes: Nodes) -> None:
    leader, follower = await nodes.leader(), await nodes.follower()
    http = nodes.clients[follower]
    for number in range(3):
        body = {"id": f"beating-{number}", "address": f"http://127.0.0.1:{free_port()}"}
        assert (await http.post("/v1/components", json=body)).status_code == 201
    sent = [beat(f"beating-{number}", cpu=0.5, metrics={"n": number}) for number in range(3)]
    wrong = [beat("nobody"), beat("beating-0", state="ASLEEP"), beat("beating-1", incarnation="another")]
    answers = await asyncio.gather(*(http.post("/event", json=event) for event in [*sent, *wrong]))
    assert [answer.status_code for answer in answers] == [204, 204, 204, 404, 422, 409]
    codes = [answer.json()["code"] for answer in answers[3:]]
    assert codes == ["component_unknown", "event_invalid", "component_superseded"]
    assert "payload.state" in answers[4].json()["detail"]
    for number in range(3):
        row = (await http.get(f"/v1/components/beating-{number}")).json()
        assert (row["cpu"], row["metrics"]) == (0.5, {"n": float(number)})
        assert row["last_seen_s"] < 60
    figures = (await nodes.clients[leader].get("/metrics")).text
    assert 'route="/v1/components/heartbeats",status="200"' in figures, "they came together"
    assert 'route="/event"' in (await http.get("/metrics")).text
    listed = (await http.get("/v1/components")).json()
    assert {row["id"] for row in listed} >= {"beating-0", "beating-1", "beating-2"}
    stale = (await http.get("/v1/components/beating-0?consistency=stale")).json()
    assert (stale["last_seen_s"], stale["metrics"]) == (None, {}), "only the leader hears"


async def test_heartbeats_of_several_in_one_request(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    await http.post("/v1/components", json={"id": "one", "address": f"http://127.0.0.1:{free_port()}"})
    batch = [beat("one"), beat("nobody"), {"type": "door.opened", "source": "one"}, 5]
    answer = (await http.post("/v1/components/heartbeats", json=batch)).json()
    assert answer["taken"] == 1
    assert [(each["index"], each["code"]) for each in answer["refused"]] == [
        *((1, "component_unknown"), (2, "unknown_event"), (3, "event_invalid")),
    ]


async def test_other_events_at_a_follower_are_passed_on_by_themselves(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    await http.post("/v1/components", json={"id": "door", "address": f"http://127.0.0.1:{free_port()}"})
    assert (await http.post("/event", json={"type": "door.opened", "source": "door"})).status_code == 204
    assert (await http.post("/event", content=b"[1]")).json()["code"] == "event_invalid"
    assert (await http.get("/event")).json()["address"] == str(http.base_url).rstrip("/")


@pytest.mark.parametrize("path", ["/event", "/v1/event"])
async def test_events_are_taken_under_both_paths(nodes: Nodes, path: str) -> None:
    here = nodes.clients[await nodes.follower()]
    name = path.strip("/").replace("/", "-")
    gate = {"id": name, "address": f"http://127.0.0.1:{free_port()}"}
    assert (await here.post("/v1/components", json=gate)).status_code in (200, 201)
    for http in nodes.clients:
        for kind in ("gate.opened", "component.heartbeat"):
            event = {"type": kind, "source": name, "payload": {"state": "STARTED"}}
            assert (await http.post(path, json=event)).status_code == 204
            refused = await http.post(path, json=event, headers={"If-Match": '"1"'})
            assert (refused.status_code, refused.json()["instance"]) == (422, path)
        assert (await http.get(path)).json()["address"] == str(http.base_url).rstrip("/")


async def test_a_command_of_its_own_goes_through_the_api(nodes: Nodes) -> None:
    http = nodes.clients[await nodes.follower()]
    lathe = Press("lathe", orchestrator_url=nodes.urls, heartbeat_s=0.2, token=TOKEN)

    class Turns(BaseModel):
        turns: int

    async def turn(params: Turns) -> dict[str, int]:
        return {"turned": params.turns}

    lathe.on_command("TURN", Turns, turn, states=(State.READY,))
    path = "/v1/components/lathe/commands"
    async with running(lathe):
        answer = await http.post(path, json={"command": "TURN", "params": {"turns": 3}})
        assert (answer.status_code, answer.json()["result"]) == (200, {"turned": 3})
        unknown = await http.post(path, json={"command": "JUMP"})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "command_unsupported")
        surplus = await http.post(path, json={"command": "CMD_START", "params": {"fast": True}})
        assert (surplus.status_code, surplus.json()["code"]) == (422, "event_invalid")
