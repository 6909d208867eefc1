"""`Component` over real HTTP: its lifecycle, commands done once, and how it leaves."""

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.access.credential import command_token
from orchestrator.component import KEYS_MAX, Component
from orchestrator.errors import KeyReused
from orchestrator.events import COMMAND, CommandAnswer, Event
from orchestrator.lifecycle import Command, State, transition
from orchestrator.load import Load
from tests.orchestrator.api_nodes import TOKEN, serving
from tests.orchestrator.plant_parts import NOWHERE, Press, client, command, problem, working
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


async def test_the_lifecycle_from_ready_to_ready() -> None:
    press = Press()
    async with working(press) as http:
        for name, state in (
            ("CMD_INITIALIZE", "INIT_COMPLETE"),
            ("CMD_START", "STARTED"),
            ("CMD_STOP", "STOPPED"),
            ("CMD_RESET", "READY"),
        ):
            answer = await command(http, name, f"key of {name}")
            assert answer.status_code == 200
            said = CommandAnswer.model_validate(answer.json())
            assert (said.state, said.completed, said.repeated, said.ok) == (state, True, False, True)
            assert (said.component_id, said.incarnation, said.key) == ("press", press.incarnation, f"key of {name}")
        assert press.calls == ["initialize", "start", "stop", "reset"]
        assert said.sequence == 6, "each change of state has a number of its own"


WAYS: dict[State, list[str]] = {
    State.READY: [],
    State.INIT_COMPLETE: ["CMD_INITIALIZE"],
    State.STARTED: ["CMD_INITIALIZE", "CMD_START"],
    State.STOPPED: ["CMD_INITIALIZE", "CMD_STOP"],
}


@pytest.mark.parametrize("state", WAYS)
async def test_what_the_table_has_no_row_for_is_refused_and_changes_nothing(state: State) -> None:
    press = Press()
    async with working(press) as http:
        for step, name in enumerate(WAYS[state]):
            await command(http, name, f"way-{step}")
        assert press.state is state
        calls = list(press.calls)
        for wanted in Command:
            if not isinstance(transition(state, wanted), State):
                answer = await command(http, wanted, f"refused-{wanted}")
                assert problem(answer) == (409, "command_refused")
                assert answer.json()["state"] == state
        assert (press.state, press.calls) == (state, calls)


async def test_a_command_that_was_refused_is_judged_anew_under_its_key() -> None:
    press = Press()
    async with working(press) as http:
        assert problem(await command(http, "CMD_START", "k")) == (409, "command_refused")
        await command(http, "CMD_INITIALIZE", "i")
        answer = await command(http, "CMD_START", "k")
        assert (answer.json()["state"], answer.json()["repeated"]) == ("STARTED", False)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payload": {}}, "payload.command"),
        ({"payload": {"command": "CMD_JUMP"}}, "payload.command"),
        ({"payload": {"command": "CMD_START", "speed": 3}}, "payload.speed"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"epoch": "one"}, "epoch"),
    ],
)
async def test_a_command_at_fault_names_its_field(changes: dict[str, Any], field: str) -> None:
    press = Press()
    event = {
        "type": "component.command",
        "source": "orchestrator",
        "payload": {"command": "CMD_INITIALIZE"},
        "idempotency_key": "k",
    }
    async with working(press) as http:
        answer = await http.post("/event", json={**event, **changes})
        assert problem(answer) == (422, "event_invalid")
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert press.calls == []


async def test_a_command_needs_a_key() -> None:
    async with working(Press()) as http:
        answer = await command(http, "CMD_INITIALIZE", None)
        assert problem(answer) == (422, "event_invalid")
        assert "idempotency_key" in answer.json()["detail"]


# ── Once per key ────────────────────────────────


async def test_the_same_key_again_is_answered_and_not_done_again() -> None:
    press = Press()
    async with working(press) as http:
        first = (await command(http, "CMD_INITIALIZE", "k")).json()
        await command(http, "CMD_START", "s")
        again = (await command(http, "CMD_INITIALIZE", "k")).json()
        assert again == {**first, "repeated": True}
        assert press.calls == ["initialize", "start"]


async def test_a_repeat_while_the_command_runs_waits_for_the_same_work() -> None:
    press = Press()
    async with working(press) as http:
        press.gate.clear()
        first = asyncio.create_task(command(http, "CMD_INITIALIZE", "k"))
        await eventually(lambda: press.calls)
        again = asyncio.create_task(command(http, "CMD_INITIALIZE", "k"))
        other = await command(http, "CMD_INITIALIZE", "another")
        assert problem(other) == (409, "component_busy")
        press.gate.set()
        answers = [(await first).json(), (await again).json()]
        assert [answer["repeated"] for answer in answers] == [False, True]
        assert [answer["state"] for answer in answers] == ["INIT_COMPLETE", "INIT_COMPLETE"]
        assert press.calls == ["initialize"]


async def test_many_repeats_at_once_do_it_once() -> None:
    press = Press()
    async with working(press) as http:
        answers = await asyncio.gather(*(command(http, "CMD_INITIALIZE", "k") for _ in range(20)))
        assert sorted(answer.json()["repeated"] for answer in answers) == [False] + 19 * [True]
        assert press.calls == ["initialize"]


async def test_a_key_belongs_to_one_command() -> None:
    press = Press()
    async with working(press) as http:
        await command(http, "CMD_INITIALIZE", "k")
        assert problem(await command(http, "CMD_START", "k")) == (422, "key_reused")
        # The alias names the same command.
        await command(http, "CMD_STOP", "s")
        assert (await command(http, "CMD_GRACEFUL_STOP", "s")).json()["repeated"]
        assert press.calls == ["initialize", "stop"]


async def test_the_keys_remembered_are_bounded() -> None:
    press = Press()

    async def tell(name: str, key: str) -> CommandAnswer:
        event = Event(
            type="component.command", source="o", payload={"command": name}, idempotency_key=key, target="press"
        )
        answer = await press.handle(event)
        assert isinstance(answer, CommandAnswer)
        return answer

    names = ["CMD_INITIALIZE", "CMD_STOP", "CMD_RESET"]
    count = KEYS_MAX + 2
    for number in range(count):
        assert not (await tell(names[number % 3], f"k{number}")).repeated
    assert len(press.calls) == count
    async with working(press) as http:
        for number in (2, count - 1):  # the oldest one that is still known, and the newest
            assert (await command(http, names[number % 3], f"k{number}")).json()["repeated"]
        assert press.state is State.READY
        forgotten = (await command(http, "CMD_INITIALIZE", "k0")).json()
        assert not forgotten["repeated"]
        with pytest.raises(KeyReused):
            await tell("CMD_START", f"k{count - 1}")
    assert len(press._memory) == KEYS_MAX


# ── Epochs ────────────────────────────────


async def test_a_leader_that_was_deposed_is_not_obeyed() -> None:
    press = Press()
    async with working(press) as http:
        assert (await command(http, "CMD_INITIALIZE", "a", epoch="9.9")).status_code == 200
        assert (await command(http, "CMD_START", "b", epoch="10.1")).status_code == 200, "epochs are numbers, not text"
        late = await command(http, "CMD_STOP", "c", epoch="9.10")
        assert problem(late) == (409, "stale_epoch")
        assert "10.1" in late.json()["detail"]
        assert problem(await command(http, "CMD_START", "b", epoch="9.9")) == (409, "stale_epoch"), "nor a repeat of it"
        assert (await command(http, "CMD_START", "b", epoch="10.1")).json()["repeated"]
        assert press.calls == ["initialize", "start"]


async def test_no_epoch_at_all_does_not_pass_the_fence() -> None:
    press = Press()
    async with working(press) as http:
        assert (await command(http, "CMD_INITIALIZE", "a")).status_code == 200, "no leader has spoken yet"
        assert (await command(http, "CMD_START", "b", epoch="1.1")).status_code == 200
        assert problem(await command(http, "CMD_STOP", "c")) == (409, "stale_epoch")
        assert press.calls == ["initialize", "start"]


# ── Failure ────────────────────────────────


@pytest.mark.parametrize("error", [RuntimeError("the belt is torn"), asyncio.CancelledError("inside the hook")])
async def test_a_hook_that_fails_leads_to_fault_and_only_a_reset_leads_out(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    press = Press()
    async with working(press) as http:
        press.breaks = error
        failed = await command(http, "CMD_INITIALIZE", "k")
        assert failed.status_code == 200
        said = CommandAnswer.model_validate(failed.json())
        assert (said.state, said.code, said.completed) == (State.FAULT, "command_failed", True)
        assert said.message.startswith("CMD_INITIALIZE ")
        press.breaks = None
        assert (await command(http, "CMD_INITIALIZE", "k")).json() == {**failed.json(), "repeated": True}
        for name in ("CMD_INITIALIZE", "CMD_START", "CMD_STOP"):
            assert problem(await command(http, name, f"in fault {name}")) == (409, "command_refused")
        assert (await http.get("/health")).json()["reason"] == said.message
        reset = await command(http, "CMD_RESET", "r")
        assert (reset.json()["state"], reset.json()["code"]) == ("READY", "")
        assert (await http.get("/health")).json()["reason"] == ""


async def test_a_reset_that_fails_stays_in_fault() -> None:
    press = Press()
    async with working(press) as http:
        press.fault("smoke")
        press.breaks = RuntimeError("still smoking")
        answer = (await command(http, "CMD_RESET", "r")).json()
        assert (answer["state"], answer["code"]) == ("FAULT", "command_failed")
        assert "still smoking" in answer["message"]


@pytest.mark.parametrize(
    ("before", "name", "hook"), [(["CMD_INITIALIZE"], "CMD_START", "start"), (["FAULT"], "CMD_RESET", "reset")]
)
async def test_a_fault_found_while_a_command_works_is_not_lost(before: list[str], name: str, hook: str) -> None:
    press = Press()
    async with working(press) as http:
        for step in before:
            if step == "FAULT":
                press.fault("an old one")
            else:
                await command(http, step, step)
        press.gate.clear()
        answer = asyncio.create_task(command(http, name, "k"))
        await eventually(lambda: hook in press.calls)
        press.fault("smoke")
        press.gate.set()
        said = (await answer).json()
        assert (said["state"], said["code"], said["message"]) == ("FAULT", "command_failed", "smoke")


async def test_a_long_reason_is_cut() -> None:
    press = Press()
    async with working(press) as http:
        press.breaks = RuntimeError("x" * 10_000)
        answer = await command(http, "CMD_INITIALIZE", "k")
        assert CommandAnswer.model_validate(answer.json()).code == "command_failed"
        assert len(press.reason) == 500


async def test_slow_work_is_answered_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.commanded.ANSWER_WITHIN_S", 0.05)
    press = Press()
    async with working(press) as http:
        press.gate.clear()
        for repeated in (False, True):
            answer = (await command(http, "CMD_INITIALIZE", "k")).json()
            assert (answer["completed"], answer["state"], answer["repeated"]) == (False, "INITIALIZING", repeated)
        press.gate.set()
        await eventually(lambda: press.state is State.INIT_COMPLETE)
        ended = (await command(http, "CMD_INITIALIZE", "k")).json()
        assert (ended["completed"], ended["state"], ended["repeated"]) == (True, "INIT_COMPLETE", True)
        assert press.calls == ["initialize"]


# ── Life ────────────────────────────────


async def test_health_says_what_a_heartbeat_says() -> None:
    press = Press()
    async with working(press) as http:
        health = (await http.get("/health")).json()
    assert (health["id"], health["state"], health["sequence"]) == ("press", "READY", 0)
    assert health["incarnation"] == press.incarnation
    assert health["memory"] > 1 << 20
    assert health["cpu"] >= 0


async def test_a_started_component_stops_before_it_leaves() -> None:
    press = Press()
    async with working(press) as http:
        await command(http, "CMD_INITIALIZE", "i")
        await command(http, "CMD_START", "s")
    assert (press.state, press.calls) == (State.STOPPED, ["initialize", "start", "stop"])


async def test_what_is_running_is_finished_and_nothing_new_is_begun() -> None:
    press = Press()
    async with working(press) as http:
        press.gate.clear()
        first = asyncio.create_task(command(http, "CMD_INITIALIZE", "k"))
        await eventually(lambda: press.calls)
        leaving = [asyncio.create_task(press.stop()) for _ in range(3)]
        await eventually(lambda: press._leaving is not None)
        assert problem(await command(http, "CMD_START", "new")) == (503, "component_stopping")
        press.gate.set()
        await asyncio.gather(*leaving)
        assert (await first).json()["state"] == "INIT_COMPLETE"
    assert press.calls == ["initialize", "stop"], "three calls make one departure"


async def test_work_that_does_not_end_does_not_hold_a_departure_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.component.STOP_WITHIN_S", 0.05)
    press = Press()
    async with working(press) as http:
        press.gate.clear()
        answer = asyncio.create_task(command(http, "CMD_INITIALIZE", "k"))
        await eventually(lambda: press.calls)
        await press.stop()
        assert (await answer).json()["message"] == "CMD_INITIALIZE was cancelled"
    assert press.state is State.FAULT


async def test_a_server_that_is_cancelled_leaves_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    press = Press()
    serving = asyncio.create_task(press.serve())
    await eventually(lambda: press.address)
    async with client(press.address) as http:
        press.gate.clear()
        answer = asyncio.create_task(command(http, "CMD_INITIALIZE", "k"))
        await eventually(lambda: press.calls)
        serving.cancel()
        assert (await answer).json()["code"] == "command_failed"
        with pytest.raises(asyncio.CancelledError):
            await serving
    assert press.state is State.FAULT
    async with client(press.address) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/health")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert {task.get_name() for task in asyncio.all_tasks() if task.get_name().endswith("-press")} == set()


async def test_a_component_serves_once() -> None:
    press = Press()
    async with working(press):
        with pytest.raises(RuntimeError, match="serves once"):
            await press.serve()


async def test_a_component_told_to_stop_before_it_serves_does_not_begin() -> None:
    press = Press()
    await press.stop()
    await press.serve()
    assert press.address == ""


async def test_a_port_in_use_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await Press().serve(port=taken.getsockname()[1])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])  # noqa: S104 - refused, not bound
async def test_a_wildcard_needs_an_address_to_be_reached_at(host: str) -> None:
    with pytest.raises(ValueError, match="advertised"):
        await Press().serve(host)


async def test_an_advertised_address_is_what_is_registered() -> None:
    port = free_port()
    press = Press(token="t" * 32)
    async with working(press, host="0.0.0.0", port=port, advertised=f"http://127.0.0.1:{port}") as http:  # noqa: S104
        assert press.address == f"http://127.0.0.1:{port}"
        assert (await http.get("/health")).status_code == 200
    with pytest.raises(ValueError, match="http://host:port"):
        await Press().serve(port=free_port(), advertised="nowhere")


async def test_a_component_listens_on_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with working(press := Press(), host="::1") as http:
        assert press.address.startswith("http://[::1]:")
        assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    "options",
    [
        {"component_id": "not an id"},
        {"name": "n" * 201},
        {"groups": ["a b"]},
        {"orchestrator_url": ""},
        {"orchestrator_url": []},
        {"orchestrator_url": "127.0.0.1:8101"},
        {"orchestrator_url": "http://127.0.0.1:8101,ftp://x"},
        {"orchestrator_url": "http://[::1"},
        {"orchestrator_url": "http://"},
        {"orchestrator_url": "http://a:1/\x7f"},
        {"orchestrator_url": "http://name:word@127.0.0.1:8101"},
        {"token": "two words"},
        {"token": "wörd"},
        {"ca_file": "/nowhere.pem"},
        {"heartbeat_s": 0},
        {"heartbeat_s": float("nan")},
    ],
)
async def test_what_could_never_work_is_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's and ours
        Press(**options)


async def test_several_nodes_may_be_named_in_one_text() -> None:
    press = Press(orchestrator_url=" http://127.0.0.1:8101/ , http://127.0.0.1:8102,")
    assert press._reporter._client.addresses.given == ("http://127.0.0.1:8101", "http://127.0.0.1:8102")


async def test_load_is_measured_over_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load()
    assert load.cpu() == 0.0
    monkeypatch.setattr("orchestrator.load.LOAD_EVERY_S", 0.0)
    sum(range(200_000))
    assert load.cpu() > 0
    assert load.memory() > 1 << 20
    monkeypatch.setattr("orchestrator.load.STATM", "/nowhere")
    assert load.memory() > 1 << 20


async def test_with_a_token_only_the_orchestrator_commands_it(tmp_path: Path) -> None:
    """The node sends its token; whoever has none, or another, is refused, and the component is as it was."""
    async with serving(1, tmp_path, token=TOKEN) as nodes:
        component = Component("press-1", orchestrator_url=nodes.urls, token=TOKEN)
        task = asyncio.create_task(component.serve())
        try:
            await eventually(lambda: component.address)
            await component.wait_registered()
            event = {"type": COMMAND, "source": "me", "payload": {"command": "CMD_INITIALIZE"}, "idempotency_key": "k"}
            async with client(component.address) as stranger:
                for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
                    answer = await stranger.post("/event", json=event, headers=headers)
                    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
            assert component.health()["state"] == State.READY
            answer = await nodes.clients[0].post("/v1/components/press-1/commands", json={"command": "CMD_INITIALIZE"})
            assert answer.status_code == 200, answer.text
            assert component.health()["state"] == State.INIT_COMPLETE
        finally:
            await component.stop()
            await task


async def test_a_component_needs_no_token_but_its_own_two(tmp_path: Path) -> None:
    """Once a token was made for it, commands come with its command token; who knows the shared one takes both."""
    async with serving(1, tmp_path, token=TOKEN) as nodes:
        http = nodes.clients[0]
        made: dict[str, Any] = {}
        for name in ("old", "own"):
            body = {"name": name, "role": "component", "subject": f"press-{name}"}
            made = (await http.post("/v1/tokens", json=body)).json()
        old = Component("press-old", orchestrator_url=nodes.urls, token=TOKEN)
        own = Component(
            "press-own", orchestrator_url=nodes.urls, token=made["token"], command_token=made["command_token"]
        )
        tasks = [asyncio.create_task(each.serve()) for each in (old, own)]
        try:
            for each in (old, own):
                await each.wait_registered()
                answer = await http.post(f"/v1/components/{each.id}/commands", json={"command": "CMD_INITIALIZE"})
                assert answer.status_code == 200, answer.text
            event = {"type": COMMAND, "source": "me", "payload": {"command": "CMD_START"}, "idempotency_key": "k"}
            async with client(own.address) as stranger:
                for token in (TOKEN, made["token"], command_token(TOKEN, "press-old")):
                    answer = await stranger.post("/event", json=event, headers={"Authorization": f"Bearer {token}"})
                    assert answer.status_code == 401
            # What a component is shown opens no node.
            answer = await http.get("/v1/whoami", headers={"Authorization": f"Bearer {made['command_token']}"})
            assert answer.status_code == 401
        finally:
            for each in (old, own):
                await each.stop()
            await asyncio.gather(*tasks)


async def test_a_token_of_its_own_does_not_shut_a_component_on_loopback_to_nodes_without_one() -> None:
    press = Press(token="tri_aaaaaaaaaa_" + "A" * 43)
    async with working(press) as http:
        assert (await http.get("/health")).status_code == 200
        event = {"type": COMMAND, "source": "n", "payload": {"command": "CMD_INITIALIZE"}, "idempotency_key": "k"}
        assert (await http.post("/event", json=event)).status_code == 200
    with pytest.raises(ValueError, match="its command token"):
        await Press(token="tri_aaaaaaaaaa_" + "A" * 43).serve("192.0.2.1", advertised="http://plant.example:9000")


@pytest.mark.parametrize("host", ["192.0.2.1", "::", "plant.example"])
async def test_beyond_loopback_a_component_needs_a_token(host: str) -> None:
    component = Component("press-1", orchestrator_url=NOWHERE)
    with pytest.raises(ValueError, match="token: on"):
        await component.serve(host, advertised="http://plant.example:9000")
