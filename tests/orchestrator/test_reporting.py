"""How components report, to a real node and to servers that answer as nodes in trouble do."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from orchestrator.config_components import ComponentSettings
from orchestrator.lifecycle import State
from orchestrator.reporting import HEARTBEAT_S, beat_within
from orchestrator.verdicts import silence_limit
from tests.orchestrator.plant_parts import NOWHERE, Orchestrator, Press, client, command, served, working
from tests.support import eventually

pytestmark = pytest.mark.anyio


# ── A real node ────────────────────────────────


async def test_a_component_waits_for_an_orchestrator_and_then_belongs_to_it(tmp_path: Path) -> None:
    orchestrator = Orchestrator(tmp_path)
    press = Press(orchestrator_url=[NOWHERE, orchestrator.url], name="Press", groups=["line-a"])
    async with working(press) as http:
        await command(http, "CMD_INITIALIZE", "before anyone listens")
        assert not press._reporter.registered.is_set()
        async with orchestrator:
            await asyncio.wait_for(press.wait_registered(), 10)
            row = await orchestrator.row()
            assert (row["address"], row["name"], row["groups"]) == (press.address, "Press", ["line-a"])
            assert (row["state"], row["presence"]) == ("INIT_COMPLETE", "ONLINE")


async def test_a_component_that_was_forgotten_registers_again(tmp_path: Path) -> None:
    async with (
        Orchestrator(tmp_path) as orchestrator,
        client(orchestrator.url) as api,
        working(press := Press(orchestrator_url=orchestrator.url)),
    ):
        await press.wait_registered()
        first = (await orchestrator.row())["position"]
        assert (await api.delete("/v1/components/press")).status_code == 204

        async def again() -> bool:
            return bool((await orchestrator.row()).get("position", first) != first)

        await eventually(again)


async def test_heartbeats_keep_a_component_online_and_leaving_is_told(tmp_path: Path) -> None:
    async with Orchestrator(tmp_path) as orchestrator:  # OFFLINE after a second of silence
        async with working(press := Press(orchestrator_url=orchestrator.url)) as http:
            await press.wait_registered()
            await command(http, "CMD_INITIALIZE", "i")
            await command(http, "CMD_START", "s")
            assert orchestrator.node is not None
            duties = orchestrator.node.duties()
            assert duties is not None
            heard: set[float] = set()

            def beats() -> int:
                seen = duties.observation("press")
                if seen is not None:
                    heard.add(seen.heard_at)
                return len(heard)

            await eventually(lambda: beats() >= 6)
            row = await orchestrator.row()
            assert (row["state"], row["presence"]) == ("STARTED", "ONLINE")
        row = await orchestrator.row()
        assert row["state"] == "STOPPED", "told before the process ended"

        async def offline() -> bool:
            return bool((await orchestrator.row())["presence"] == "OFFLINE")

        await eventually(offline)


async def test_after_an_outage_the_newest_state_is_known(tmp_path: Path) -> None:
    orchestrator = Orchestrator(tmp_path)
    async with working(press := Press(orchestrator_url=orchestrator.url)) as http:
        async with orchestrator:
            await press.wait_registered()
            await command(http, "CMD_INITIALIZE", "i")
        for number, name in enumerate(("CMD_START", "CMD_STOP", "CMD_RESET", "CMD_INITIALIZE", "CMD_START")):
            assert (await command(http, name, f"outage-{number}")).status_code == 200
        async with orchestrator:

            async def known() -> bool:
                row = await orchestrator.row()
                return (row.get("state"), row.get("presence")) == ("STARTED", "ONLINE")

            await eventually(known)


async def test_a_second_process_waits_until_the_first_is_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Orchestrator(tmp_path) as orchestrator:
        async with working(first := Press(orchestrator_url=orchestrator.url)):
            await first.wait_registered()
            second = Press(orchestrator_url=orchestrator.url)
            serving = asyncio.create_task(second.serve())
            await eventually(lambda: "component_exists" in caplog.text)
            assert (await orchestrator.row())["address"] == first.address
        await asyncio.wait_for(second.wait_registered(), 10)
        assert (await orchestrator.row())["address"] == second.address
        await second.stop()
        await serving


# ── Nodes in trouble ────────────────────────────────

Answer = tuple[int, Any]


class Desk:
    """Takes what components send, and answers as `reply` says; `held` holds every answer up while it is cleared."""

    def __init__(self, reply: Callable[[str, dict[str, Any]], Answer] | None = None) -> None:
        self.reply = reply or (lambda path, _: (201, {}) if path == "/v1/components" else (204, None))
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[bytes, bytes]] = []
        self.signs: list[tuple[bytes, bytes]] = []
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        document = json.loads(body)
        self.seen.append((scope["path"], document))
        self.headers.append(dict(scope["headers"]))
        await self.held.wait()
        status, answer = self.reply(scope["path"], document)
        if isinstance(answer, dict) and "code" in answer:
            answer = {"detail": f"because {answer['code']}", **answer}  # as in each problem document of a node
        raw = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        headers = [] if status == 204 else [(b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *self.signs]})
        await send({"type": "http.response.body", "body": raw})

    def registrations(self) -> int:
        return sum(path == "/v1/components" for path, _ in self.seen)

    def states(self) -> list[str]:
        """Of the changes reported, in the order in which they came."""
        return [
            document["payload"]["state"]
            for path, document in self.seen
            if path == "/event" and document["type"] == "component.state_changed"
        ]

    def beats(self) -> int:
        return sum(document.get("type") == "component.heartbeat" for _, document in self.seen)


@asynccontextmanager
async def desk(reply: Callable[[str, dict[str, Any]], Answer] | None = None) -> AsyncIterator[tuple[Desk, str]]:
    found = Desk(reply)
    async with served(found) as url:
        try:
            yield found, url
        finally:
            found.held.set()


def for_events(answer: Answer) -> Callable[[str, dict[str, Any]], Answer]:
    """Registrations are taken, events answered so."""
    return lambda path, _: (201, {}) if path == "/v1/components" else answer


async def test_the_next_node_is_asked_when_one_cannot_answer() -> None:
    async with desk(lambda *_: (503, {"code": "no_leader"})) as (electing, one), desk() as (leading, two):
        async with working(press := Press(orchestrator_url=[NOWHERE, one, two])):
            await press.wait_registered()
            await eventually(lambda: leading.beats() >= 5)
        assert len(electing.seen) == 1, "who answered is asked first from then on"


@pytest.mark.parametrize(
    "answer", [(502, b"a proxy"), (503, {"code": "no_leader"}), (504, {"code": "outcome_unknown"})]
)
async def test_a_heartbeat_goes_to_the_next_node_at_once(answer: Answer) -> None:
    async with desk() as (one, first), desk() as (two, second):
        async with working(press := Press(orchestrator_url=[first, second], heartbeat_s=1.0)):
            await press.wait_registered()
            one.reply = for_events(answer)
            # Well within the interval: it is the same heartbeat, and not the next one.
            await eventually(two.beats, deadline_s=5)
        ids = [document["id"] for _, document in one.seen if document.get("type") == "component.heartbeat"]
        taken = next(document["id"] for _, document in two.seen if document.get("type") == "component.heartbeat")
        assert ids[-1] == taken
        assert len(ids) == len(set(ids)), "and it is asked once"


async def test_a_component_stays_with_its_node_whoever_leads() -> None:
    """What followers gather for the leader would all come to the leader itself."""
    async with desk() as (leading, one), desk() as (following, two):
        leading.signs = [(b"x-triarch-node", b"n1"), (b"x-triarch-leader", b"n1")]
        following.signs = [(b"x-triarch-node", b"n2"), (b"x-triarch-leader", b"n1")]
        async with working(press := Press(orchestrator_url=[one, two])):
            await eventually(lambda: leading.beats() >= 2)
            leading.reply = lambda *_: (503, {"code": "no_leader"})
            await eventually(lambda: following.beats() >= 2)
            leading.reply = following.reply
            before = len(leading.seen)
            after = following.beats()
            await eventually(lambda: following.beats() >= after + 5)
        assert press._reporter._client.addresses.leader == one
        assert [path for path, _ in leading.seen[before:]] == []
        assert {path for path, _ in following.seen} == {"/event"}, "nobody asks for the members"


async def test_a_node_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.reporting.NODE_S", 0.2)
    async with desk() as (hanging, one), desk() as (leading, two):
        hanging.held.clear()
        async with working(press := Press(orchestrator_url=[one, two])):
            await asyncio.wait_for(press.wait_registered(), 5)
            await eventually(lambda: leading.beats() >= 3)
        assert hanging.registrations() <= 1  # 0: on a busy machine it is given up before it has looked


async def test_a_node_that_hangs_takes_no_heartbeats_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process keeps its connections: whoever reported to it must be heard elsewhere before it is missed."""
    monkeypatch.setattr("orchestrator.reporting.NODE_S", 60.0)  # of everything else
    async with desk() as (freezing, one), desk() as (leading, two):
        async with working(press := Press(orchestrator_url=[one, two])):
            await press.wait_registered()
            await eventually(lambda: freezing.beats() >= 2, deadline_s=10)
            freezing.held.clear()
            await eventually(lambda: leading.beats() >= 3, deadline_s=20)
            freezing.held.set()  # what it was asked meanwhile is answered, and nobody waits for it
        assert leading.registrations() == 0


@pytest.mark.parametrize("interval", [0.01, 0.05, 0.2, 0.34, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0, 60.0])
def test_a_heartbeat_reaches_the_second_node_before_its_component_is_missed(interval: float) -> None:
    """With the usual settings, as the registration tells the interval: nothing for the usual one."""
    usual = ComponentSettings()
    declared = None if interval == HEARTBEAT_S else interval
    limit = silence_limit(declared, missed=usual.missed_heartbeats, timeout_s=usual.heartbeat_timeout_s)
    assert interval + beat_within(interval) < limit


async def test_the_token_goes_along() -> None:
    async with desk() as (found, url):
        async with working(press := Press(orchestrator_url=url, token="word" * 8)):
            await press.wait_registered()
        assert {headers[b"authorization"] for headers in found.headers} == {b"Bearer " + b"word" * 8}


async def test_only_the_newest_state_is_delivered_after_an_outage() -> None:
    async with desk(for_events((503, {}))) as (found, url), working(press := Press(orchestrator_url=url)) as http:
        await press.wait_registered()
        await command(http, "CMD_INITIALIZE", "i")
        await command(http, "CMD_START", "s")
        await eventually(lambda: found.states())
        press.fault("torn")
        # Refused as well, so that no state from before it is on its way any more.
        await eventually(lambda: "FAULT" in found.states())
        found.seen.clear()
        found.reply = for_events((204, None))
        await eventually(lambda: found.states())
        await eventually(lambda: press._reporter._delivered.is_set())
        assert found.states() == ["FAULT"]


async def test_a_change_that_comes_while_one_is_on_its_way_follows_it() -> None:
    async with desk() as (found, url):
        async with working(press := Press(orchestrator_url=url)):
            await press.wait_registered()
            found.held.clear()
            press.fault("one")
            await eventually(lambda: found.states())
            press.fault("two")
            press.fault("three")
            found.held.set()
            await eventually(lambda: press._reporter._delivered.is_set())
        reasons = [
            document["payload"]["reason"]
            for _, document in found.seen
            if document.get("type") == "component.state_changed"
        ]
        assert reasons == ["one", "three"]


@pytest.mark.parametrize("answer", [(500, b"\xff no json"), (504, {"code": "outcome_unknown"}), (500, [1])])
async def test_what_may_be_taken_later_is_sent_again(answer: Answer) -> None:
    async with desk(for_events(answer)) as (found, url), working(press := Press(orchestrator_url=url)):
        await press.wait_registered()
        press.fault("torn")
        await eventually(lambda: len(found.states()) >= 3)
        found.reply = for_events((204, None))
        await eventually(lambda: press._reporter._delivered.is_set())


async def test_what_is_refused_is_not_sent_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="orchestrator.reporting")
    async with (
        desk(for_events((401, {"code": "unauthorised"}))) as (found, url),
        working(press := Press(orchestrator_url=url)),
    ):
        await press.wait_registered()
        press.fault("torn")
        await eventually(lambda: press._reporter._delivered.is_set())
        await eventually(lambda: found.beats() >= 5)
        assert len(found.states()) == 1
        assert caplog.text.count("refused: 401") == 1
        found.reply = for_events((204, None))
        await eventually(lambda: "the orchestrator answers again" in caplog.text)


async def test_each_kind_of_trouble_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="orchestrator.reporting")
    async with (
        desk(lambda *_: (503, {"code": "no_leader"})) as (found, url),
        working(press := Press(orchestrator_url=url)),
    ):
        await eventually(lambda: found.registrations() >= 4)
        found.reply = lambda *_: (409, {"code": "component_exists"})
        await eventually(lambda: "registration refused: 409" in caplog.text)
        await eventually(lambda: found.registrations() >= 8)
        found.reply = lambda *_: (201, {})
        await press.wait_registered()
    assert caplog.text.count("no node of the orchestrator answers") == 1
    assert caplog.text.count("registration refused: 409") == 1
    assert caplog.text.count("the orchestrator answers again") == 1


@pytest.mark.parametrize("answer", [(404, {"code": "component_unknown"}), (409, {"code": "component_superseded"})])
async def test_who_is_not_known_there_registers_again(answer: Answer) -> None:
    async with desk(for_events(answer)) as (found, url), working(press := Press(orchestrator_url=url)):
        await eventually(lambda: found.registrations() >= 3)
        found.reply = for_events((204, None))
        press.fault("torn")
        await eventually(lambda: found.states() == ["FAULT"])


async def test_a_process_that_leaves_does_not_take_its_id_back() -> None:
    async with desk() as (found, url):
        press = Press(orchestrator_url=url)
        async with working(press) as http:
            await press.wait_registered()
            await command(http, "CMD_INITIALIZE", "i")
            await eventually(lambda: press._reporter._delivered.is_set())
            found.reply = for_events((409, {"code": "component_superseded"}))
            press.gate.clear()
            press._reporter._leaving = True
            await eventually(lambda: not press._reporter.registered.is_set())
            before = found.registrations()
            beats = found.beats()
            press.gate.set()
        assert press.state is State.STOPPED
        assert (found.registrations(), found.beats()) == (before, beats)


async def test_an_orchestrator_that_does_not_answer_does_not_hold_a_departure_up() -> None:
    async with desk() as (found, url), working(press := Press(orchestrator_url=url)):
        await press.wait_registered()
        found.held.clear()
        press.fault("torn")
        await asyncio.wait_for(press.stop(), 5)
