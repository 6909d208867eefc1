"""`PlantDuty` over a real cluster and real components."""

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import Receive, Scope, Send

from cluster import Applied, Cluster, Command, Epoch
from orchestrator.components import ComponentCommand, ComponentRow, Declare, Register, Unregister
from orchestrator.errors import (
    CommandRefused,
    ComponentBusy,
    ComponentStopping,
    ComponentSuperseded,
    ComponentUnknown,
    EventInvalid,
    EventReused,
    EventTooOld,
    EventUnknown,
    KeyReused,
    OrchestratorError,
    OutcomeUnknown,
    Refused,
    StaleEpoch,
    StateNotReached,
    Unreachable,
)
from orchestrator.events import ERROR, HEARTBEAT, STATE_CHANGED, Event
from orchestrator.lifecycle import State
from orchestrator.plant import ANSWER_BYTES_MAX, Events, PlantDuty
from orchestrator.state import PlantState
from tests.cluster.machines import Nodes
from tests.orchestrator.plant_parts import Press, served, working
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


class Leader:
    """One node's cluster and state, and the duties made for it."""

    def __init__(self, cluster: Cluster, state: PlantState, http: httpx.AsyncClient) -> None:
        self.cluster = cluster
        self.state = state
        self._http = http

    def epoch(self) -> Epoch:
        epoch = self.cluster.status().epoch
        assert epoch is not None
        return epoch

    async def propose(self, body: ComponentCommand, epoch: Epoch | None = None) -> Applied:
        version = getattr(body, "version", 1)
        command = Command(body.kind, msgspec.msgpack.encode(body), uuid.uuid4().hex, time.time(), epoch, version)
        return await self.cluster.propose(command)

    async def register(self, component_id: str = "press", address: str = "", **members: Any) -> ComponentRow:
        address = address or f"http://127.0.0.1:{free_port()}"
        applied = await self.propose(Register(id=component_id, address=address, **members))
        assert applied.outcome.ok
        return self.row(component_id)

    async def admit(self, press: Press) -> ComponentRow:
        """Register a component as it would itself."""
        await eventually(lambda: press.address)
        return await self.register(press.id, press.address, incarnation=press.incarnation, sequence=0)

    def row(self, component_id: str = "press") -> ComponentRow:
        row = self.state.components.get(component_id)
        assert row is not None
        return row

    def duty(
        self,
        *,
        heartbeat_s: float = 30.0,
        command_s: float = 5.0,
        epoch: Epoch | None = None,
        hold_s: float = 5.0,
        events: Events | None = None,
    ) -> PlantDuty:
        under = epoch or self.epoch()

        async def propose(body: ComponentCommand) -> Applied:
            return await self.propose(body, under)

        return PlantDuty(
            self.state.components,
            under,
            propose,
            http=self._http,
            heartbeat_timeout_s=heartbeat_s,
            command_timeout_s=command_s,
            health_hold_s=hold_s,
            events=events,
        )


@asynccontextmanager
async def leading(group: Nodes, states: dict[str, PlantState]) -> AsyncIterator[Leader]:
    cluster = await group.leader()
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Leader(cluster, states[cluster.settings.node_id], http)


@asynccontextmanager
async def plant(directory: Path) -> AsyncIterator[Leader]:
    """One node that leads itself."""
    group, state = Nodes(directory, 1), PlantState()
    try:
        await group.start(machine=lambda: state)
        async with leading(group, {"n1": state}) as found:
            yield found
    finally:
        await group.stop()


@pytest.fixture(scope="module")
async def one_node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Leader]:
    async with plant(tmp_path_factory.mktemp("plant")) as found:
        yield found


@pytest.fixture
async def leader(one_node: Leader) -> AsyncIterator[Leader]:
    """The node, with nobody registered."""
    yield one_node
    for component_id in one_node.state.components.rows:
        await one_node.propose(Unregister(id=component_id))


@asynccontextmanager
async def held(duty: PlantDuty) -> AsyncIterator[PlantDuty]:
    await duty.take_up()
    try:
        yield duty
    finally:
        await duty.lay_down()


def heartbeat(component_id: str = "press", **payload: Any) -> Event:
    return Event(type=HEARTBEAT, source=component_id, payload={"state": "READY", **payload})


# ── Commands ────────────────────────────────


async def test_a_command_is_sent_and_what_it_led_to_is_replicated(leader: Leader) -> None:
    press = Press()
    async with working(press):
        await leader.admit(press)
        duty = leader.duty()
        answer = await duty.send_command("press", "CMD_INITIALIZE", "k")
        assert (answer.state, answer.repeated) == (State.INIT_COMPLETE, False)
        assert (leader.row().state, leader.row().sequence) == (State.INIT_COMPLETE, answer.sequence)
        again = await duty.send_command("press", "CMD_INITIALIZE", "k")
        assert again.repeated
        await duty.send_command("press", "CMD_STOP", "s")
        await duty.send_command("press", "CMD_INITIALIZE", "k")
        assert leader.row().state is State.STOPPED, "an old answer does not undo what came later"
        assert press.calls == ["initialize", "stop"]


async def test_what_cannot_be_sent_is_not_sent(leader: Leader) -> None:
    duty = leader.duty()
    with pytest.raises(ComponentUnknown, match="ghost is not registered"):
        await duty.send_command("ghost", "CMD_START", "k")
    await leader.register()
    with pytest.raises(EventInvalid, match="unknown command 'CMD_JUMP'"):
        await duty.send_command("press", "CMD_JUMP", "k")


@pytest.mark.parametrize("address", ["", "http://no\thost:1", "http://[::1]:1", "https://xn--:1"])
async def test_a_component_that_does_not_listen_was_certainly_not_told(leader: Leader, address: str) -> None:
    await leader.register(address=address)
    with pytest.raises(Unreachable, match="press cannot be reached at"):
        await leader.duty().send_command("press", "CMD_START", "k")


async def test_after_a_timeout_the_repeat_learns_what_was_done_once(leader: Leader) -> None:
    press = Press()
    async with working(press):
        await leader.admit(press)
        duty = leader.duty(command_s=0.2)
        press.gate.clear()
        with pytest.raises(OutcomeUnknown) as caught:
            await duty.send_command("press", "CMD_INITIALIZE", "k")
        assert caught.value.details == {"idempotency_key": "k"}
        press.gate.set()
        await eventually(lambda: press.state is State.INIT_COMPLETE)
        answer = await duty.send_command("press", "CMD_INITIALIZE", "k")
        assert (answer.repeated, answer.state, answer.completed) == (True, State.INIT_COMPLETE, True)
        assert press.calls == ["initialize"]


async def test_work_that_goes_on_is_known_once_it_is_reported(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.commanded.ANSWER_WITHIN_S", 0.05)
    press = Press()
    async with working(press):
        await leader.admit(press)
        duty = leader.duty()
        press.gate.clear()
        answer = await duty.send_command("press", "CMD_INITIALIZE", "k")
        assert (answer.completed, leader.row().state) == (False, State.INITIALIZING)
        press.gate.set()
        await eventually(lambda: press.state is State.INIT_COMPLETE)
        report = {"state": press.state, "incarnation": press.incarnation, "sequence": 2}
        await duty.component_event(Event(type=STATE_CHANGED, source="press", payload=report))
        assert leader.row().state is State.INIT_COMPLETE


async def test_what_a_component_refuses_comes_out_as_it_said(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.commanded.ANSWER_WITHIN_S", 0.05)
    press = Press()
    async with working(press):
        await leader.admit(press)
        duty = leader.duty()
        with pytest.raises(CommandRefused, match="CMD_START is not possible in READY"):
            await duty.send_command("press", "CMD_START", "a")
        await duty.send_command("press", "CMD_INITIALIZE", "k")
        with pytest.raises(KeyReused):
            await duty.send_command("press", "CMD_START", "k")
        press.gate.clear()
        await duty.send_command("press", "CMD_START", "s")
        with pytest.raises(ComponentBusy):
            await duty.send_command("press", "CMD_STOP", "t")
        leaving = asyncio.create_task(press.stop())
        await eventually(lambda: press._leaving is not None)
        with pytest.raises(ComponentStopping):
            await duty.send_command("press", "CMD_STOP", "u")
        press.gate.set()
        await leaving


async def test_a_command_that_fails_is_an_answer_with_its_reason(leader: Leader) -> None:
    press = Press()
    async with working(press):
        await leader.admit(press)
        press.breaks = RuntimeError("the belt is torn")
        answer = await leader.duty().send_command("press", "CMD_INITIALIZE", "k")
        assert (answer.code, answer.state) == ("command_failed", State.FAULT)
        assert (leader.row().state, leader.row().reason) == (State.FAULT, answer.message)


async def test_a_process_that_has_not_registered_yet_does_not_speak_for_the_component(leader: Leader) -> None:
    press = Press()
    async with working(press):
        await leader.register(address=press.address, incarnation="the one before", sequence=7, state=State.STOPPED)
        answer = await leader.duty().send_command("press", "CMD_INITIALIZE", "k")
        assert answer.state is State.INIT_COMPLETE
        assert leader.row().state is State.STOPPED


# ── Waiting for a state ────────────────────────────────


async def test_a_state_is_waited_for_while_others_go_on(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    duty = leader.duty()
    assert (await duty.wait_for_state("press", State.READY, timeout_s=0)).state is State.READY
    waiting = [asyncio.create_task(duty.wait_for_state("press", State.STARTED, timeout_s=30)) for _ in range(50)]
    change = {"state": "STARTED", "incarnation": "i", "sequence": 1}
    await duty.component_event(Event(type=STATE_CHANGED, source="press", payload=change))
    assert {row.state for row in await asyncio.gather(*waiting)} == {State.STARTED}


async def test_a_state_that_is_not_reached_in_time_is_said_with_what_is_known(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    told: list[ComponentRow] = []

    async def on_timeout(row: ComponentRow) -> None:
        told.append(row)

    change = {"state": "FAULT", "reason": "torn", "incarnation": "i", "sequence": 1}
    await leader.duty().component_event(Event(type=STATE_CHANGED, source="press", payload=change))
    with pytest.raises(StateNotReached, match=r"press is not STARTED after 0\.1 s: it is FAULT \(torn\)") as caught:
        await leader.duty().wait_for_state("press", State.STARTED, timeout_s=0.1, on_timeout=on_timeout)
    assert caught.value.details == {"state": State.FAULT}
    assert [row.id for row in told] == ["press"]
    with pytest.raises(ComponentUnknown):
        await leader.duty().wait_for_state("ghost", State.READY, timeout_s=5)
    waiting = asyncio.create_task(leader.duty().wait_for_state("press", State.STARTED, timeout_s=30))
    await leader.propose(Unregister(id="press"))
    with pytest.raises(ComponentUnknown):
        await waiting


# ── Answers that are none ────────────────────────────────

Script = Callable[[dict[str, Any], Send], Awaitable[None]]


def answering(script: Script) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """A component in another language."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        await script(json.loads(body), send)

    return app


def saying(status: int, document: Any) -> Script:
    async def script(event: dict[str, Any], send: Send) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return script


ANSWER = {"component_id": "press", "command": "CMD_START", "key": "k", "state": "STARTED", "completed": True}


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        (200, b"", OutcomeUnknown),
        (200, b"[" * 50_000, OutcomeUnknown),
        (200, {**ANSWER, "state": "ASLEEP"}, OutcomeUnknown),
        (200, {**ANSWER, "key": "another"}, OutcomeUnknown),
        (200, {**ANSWER, "component_id": "other"}, OutcomeUnknown),
        (200, json.dumps(ANSWER).encode().ljust(ANSWER_BYTES_MAX) + b"x" * 1_000_000, OutcomeUnknown),
        (204, b"", OutcomeUnknown),
        (500, {"code": "internal", "detail": "x"}, OutcomeUnknown),
        (502, b"bad gateway", OutcomeUnknown),
        (503, {"code": "component_stopping", "detail": "leaving"}, ComponentStopping),
        (301, b"", Refused),
        (404, b"nothing here", Refused),
        (400, b"[" * 50_000, Refused),
        (409, {"code": "worn_out", "detail": "of its own"}, Refused),
        (409, {"code": "stale_epoch", "detail": "old"}, StaleEpoch),
        (409, {"code": "no_leader"}, Refused),
        (409, {"code": "outcome_unknown"}, Refused),
        (409, {"code": {"a": 1}, "detail": ["x" * 5_000]}, Refused),
    ],
)
async def test_whatever_is_answered_is_judged(leader: Leader, status: int, document: Any, error: Any) -> None:
    async with served(answering(saying(status, document))) as url:
        await leader.register(address=url)
        with pytest.raises(OrchestratorError) as caught:
            await leader.duty().send_command("press", "CMD_START", "k")
    assert type(caught.value) is error
    assert "press" in caught.value.message
    assert len(caught.value.message) < 1_200
    assert leader.row().state is State.READY
    if error is OutcomeUnknown:
        assert caught.value.details == {"idempotency_key": "k"}


async def test_a_code_of_the_components_own_is_kept(leader: Leader) -> None:
    async with served(answering(saying(409, {"code": "worn_out", "detail": "of its own"}))) as url:
        await leader.register(address=url)
        with pytest.raises(Refused, match="component press: of its own") as caught:
            await leader.duty().send_command("press", "CMD_START", "k")
    assert caught.value.details == {"code": "worn_out"}


async def test_a_plain_answer_without_sequence_counts(leader: Leader) -> None:
    async with served(answering(saying(200, {**ANSWER, "temperature": 20}))) as url:
        await leader.register(address=url)
        await leader.duty().send_command("press", "CMD_START", "k")
    assert leader.row().state is State.STARTED


async def test_an_answer_that_trickles_is_not_waited_for(leader: Leader) -> None:
    over = asyncio.Event()

    async def trickle(event: dict[str, Any], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not over.is_set():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.02)

    async with served(answering(trickle)) as url:
        await leader.register(address=url)
        # The answer goes on for as long as anybody reads it.
        with pytest.raises(OutcomeUnknown, match="did not answer"):
            await leader.duty(command_s=0.3).send_command("press", "CMD_START", "k")
        over.set()


async def test_a_connection_that_breaks_leaves_the_outcome_unknown(leader: Leader) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        await leader.register(address=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(OutcomeUnknown, match="repeat it under the same key"):
            await leader.duty().send_command("press", "CMD_START", "k")


async def test_a_component_that_answers_twice_is_not_taken_for_another_answer(leader: Leader) -> None:
    """What it says too much stands in the connection before the answer to the next command, under the old key."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                key = json.loads(await reader.readexactly(length))["idempotency_key"]
                asked.append(key)
                body = json.dumps({**ANSWER, "key": key}).encode()
                writer.write((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) * 2)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await leader.register(address=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        duty = leader.duty()
        keys = ("one", "two", "three")
        for key in keys:
            with contextlib.suppress(OutcomeUnknown):  # what is not sure is said to be so
                assert (await duty.send_command("press", "CMD_START", key)).key == key
        assert set(asked) == set(keys), "each was delivered"


# ── Events ────────────────────────────────


async def test_a_heartbeat_is_kept_in_memory_and_only_a_change_is_proposed(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    duty = leader.duty()
    beat = heartbeat(incarnation="i", sequence=0, cpu=0.5, memory=1000)
    await duty.component_event(beat)
    before = leader.cluster.status().applied_index
    for _ in range(20):
        await duty.component_event(beat)
    assert leader.cluster.status().applied_index == before
    seen = duty.observation("press")
    assert seen is not None
    assert (seen.cpu, seen.memory, seen.position) == (0.5, 1000, leader.row().position)

    changed = {"state": "FAULT", "reason": "torn", "incarnation": "i", "sequence": 1, "previous": "READY"}
    await duty.component_event(Event(type=STATE_CHANGED, source="press", payload=changed))
    assert (leader.row().state, leader.row().reason) == (State.FAULT, "torn")
    kept = duty.observation("press")
    assert kept is not None
    assert (kept.cpu, kept.memory) == (0.5, 1000)


async def test_a_component_that_keeps_no_sequence_is_heard_as_well(leader: Leader) -> None:
    await leader.register()
    duty = leader.duty()
    await duty.component_event(heartbeat(state="STARTED"))
    assert leader.row().state is State.STARTED
    before = leader.cluster.status().applied_index
    await duty.component_event(heartbeat(state="STARTED"))
    assert leader.cluster.status().applied_index == before


async def test_who_is_unknown_or_superseded_is_told_so(leader: Leader) -> None:
    duty = leader.duty()
    with pytest.raises(ComponentUnknown):
        await duty.component_event(heartbeat())
    await leader.register(incarnation="new", sequence=0)
    with pytest.raises(ComponentSuperseded):
        await duty.component_event(heartbeat(incarnation="old", sequence=9, state="FAULT"))
    assert leader.row().state is State.READY
    assert duty.observation("press") is None


async def test_what_is_no_report_and_no_event_of_an_application_is_refused(leader: Leader) -> None:
    known = r"component\.error, component\.heartbeat, component\.state_changed"
    for kind in ("component.command", "component.exploded", "orchestrator.shutdown", "playbook.ended"):
        with pytest.raises(EventUnknown, match=rf"no events of type {kind}; .* it takes: {known}"):
            await leader.duty().component_event(Event(type=kind, source="press"))
    with pytest.raises(EventInvalid, match=r"payload\.state"):
        await leader.duty().component_event(Event(type=HEARTBEAT, source="press"))
    with pytest.raises(EventInvalid, match=r"payload\.severity"):
        await leader.duty().component_event(Event(type=ERROR, source="press", payload={"error_code": "E1"}))
    with pytest.raises(EventUnknown, match="meant for another"):
        await leader.duty().component_event(Event(type="door.opened", source="press", target="another"))


class Journal:
    """Keeps what it is given, or fails while `trouble` is set; `gate` holds it up while it is cleared."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.trouble: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0

    async def __call__(self, event: Event) -> None:
        self.begun += 1
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        self.events.append(event)


def happened(kind: str = "door.opened", **members: Any) -> Event:
    return Event(**{"type": kind, "source": "press", "payload": {"door": 3}, **members})


async def test_events_of_applications_errors_and_changes_are_passed_on_and_heartbeats_are_not(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    journal = Journal()
    duty = leader.duty(events=journal)
    error = {
        "severity": "critical",
        "error_code": "E42",
        "message": "torn",
        "can_recover": False,
        "metadata": {"belt": 1},
    }
    change = {"state": "STARTED", "incarnation": "i", "sequence": 1}
    for event in (
        heartbeat(incarnation="i", sequence=0),
        happened(),
        happened(ERROR, payload=error),
        happened(STATE_CHANGED, payload=change),
    ):
        await duty.component_event(event)
    assert [event.type for event in journal.events] == ["door.opened", ERROR, STATE_CHANGED]
    assert journal.events[1].payload == error


async def test_who_is_not_registered_is_not_heard(leader: Leader) -> None:
    journal = Journal()
    for event in (happened(), happened(ERROR, payload={"severity": "info", "error_code": "E1"})):
        with pytest.raises(ComponentUnknown, match="press is not registered"):
            await leader.duty(events=journal).component_event(event)
    assert journal.events == []


async def test_a_repeat_is_answered_as_the_first_time_and_not_taken_again(leader: Leader) -> None:
    await leader.register()
    await leader.register("other")
    journal = Journal()
    duty = leader.duty(events=journal)
    event = happened(id="once")
    for _ in range(3):
        await duty.component_event(event)
    await duty.component_event(happened(id="once", source="other"))
    assert [event.source for event in journal.events] == ["press", "other"], "an id is its source's own"
    with pytest.raises(EventReused, match="another event under the id once"):
        await duty.component_event(happened(id="once", payload={"door": 4}))


async def test_repeats_while_the_first_is_being_taken_wait_for_it(leader: Leader) -> None:
    await leader.register()
    journal = Journal()
    duty = leader.duty(events=journal)
    journal.gate.clear()
    event = happened()
    sent = [asyncio.create_task(duty.component_event(event)) for _ in range(5)]
    await eventually(lambda: journal.begun)
    journal.gate.set()
    await asyncio.gather(*sent)
    assert (journal.begun, journal.events) == (1, [event])


async def test_an_event_that_could_not_be_kept_is_taken_when_it_comes_again(leader: Leader) -> None:
    await leader.register()
    journal = Journal()
    duty = leader.duty(events=journal)
    journal.trouble = RuntimeError("the journal is full")
    with pytest.raises(RuntimeError, match="full"):
        await duty.component_event(event := happened())
    journal.trouble = None
    await duty.component_event(event)
    assert journal.events == [event]


@pytest.mark.parametrize(("days", "side"), [(-2, "behind"), (2, "ahead of")])
async def test_an_event_far_from_the_clock_is_refused_with_both_times(leader: Leader, days: int, side: str) -> None:
    await leader.register()
    journal = Journal()
    at = datetime.now(UTC) + timedelta(days=days)
    with pytest.raises(EventTooOld, match=f"{at:%Y-%m-%d}.*17[0-9]{{4}} s {side} this node's clock, .*event_max_age_s"):
        await leader.duty(events=journal).component_event(happened(time=at))
    assert journal.events == []
    beat = heartbeat().model_copy(update={"time": at})
    await leader.duty().component_event(beat)
    assert leader.row().online, "a report has an order of its own, and needs no clock"


# ── Health ────────────────────────────────


async def test_a_component_is_degraded_at_once_and_well_again_when_it_has_held(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    duty = leader.duty(hold_s=0.3)

    async def beat(health: str, reason: str = "") -> None:
        await duty.component_event(heartbeat(incarnation="i", sequence=0, health=health, health_reason=reason))

    await beat("OK")
    before = leader.cluster.status().applied_index
    await beat("DEGRADED", "oil is low")
    assert (leader.row().health, leader.row().health_reason) == ("DEGRADED", "oil is low")
    for _ in range(10):  # it flaps
        await beat("OK")
        await beat("DEGRADED", "oil is low")
    assert leader.cluster.status().applied_index == before + 1, "one transition, however often it changes its mind"

    async def well() -> bool:
        await beat("OK")
        return leader.row().health == "OK"

    await eventually(well)
    assert leader.cluster.status().applied_index == before + 2


async def test_what_was_heard_is_shown_with_its_age(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    async with held(leader.duty()) as duty:
        await eventually(lambda: duty.observation("press"))
        unheard = duty.observation("press")
        assert unheard is not None
        assert unheard.public(time.monotonic())["last_seen_s"] is None
        await duty.component_event(heartbeat(incarnation="i", sequence=0, cpu=0.25, memory=5, metrics={"speed": 1.5}))
        seen = duty.observations()["press"]
        shown = seen.public(seen.heard_at + 2)
        assert shown == {"last_seen_s": 2.0, "cpu": 0.25, "memory": 5, "metrics": {"speed": 1.5}}


# ── Presence ────────────────────────────────


async def test_silence_makes_offline_and_a_heartbeat_online_again(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    async with held(leader.duty(heartbeat_s=0.4)) as duty:
        await eventually(lambda: not leader.row().online)
        assert leader.row().absence.startswith("no heartbeat for 0.")
        await duty.component_event(heartbeat(incarnation="i", sequence=0))
        assert leader.row().online
        await eventually(lambda: not leader.row().online)


async def test_who_beats_stays_online(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    async with held(leader.duty(heartbeat_s=0.4)) as duty:
        for _ in range(12):
            await duty.component_event(heartbeat(incarnation="i", sequence=0))
            assert leader.row().online
            await asyncio.sleep(0.1)  # the rhythm of a component, not a wait for something


async def test_silence_is_measured_by_the_interval_that_was_declared(leader: Leader) -> None:
    for name, declared in (("fast", 0.35), ("slow", 30.0)):
        body = Declare(id=name, address=f"http://127.0.0.1:{free_port()}", heartbeat_s=declared)
        assert (await leader.propose(body)).outcome.ok
    began = time.monotonic()
    async with held(leader.duty(heartbeat_s=0.1)):
        await eventually(lambda: not leader.row("fast").online)
        assert time.monotonic() - began >= 1.0
        assert leader.row("fast").health == "UNRESPONSIVE"
        assert leader.row("slow").online


async def test_a_new_leader_gives_everyone_a_full_timeout(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    async with held(leader.duty(heartbeat_s=0.3)):
        await eventually(lambda: not leader.row().online)
    await leader.duty().component_event(heartbeat(incarnation="i", sequence=0))
    for _ in range(2):
        began = time.monotonic()
        async with held(leader.duty(heartbeat_s=0.8)):
            await eventually(lambda: not leader.row().online)
            assert time.monotonic() - began >= 0.8
        await leader.duty().component_event(heartbeat(incarnation="i", sequence=0))


async def test_a_registration_begins_a_new_timeout(leader: Leader) -> None:
    await leader.register(address="http://127.0.0.1:1", incarnation="i", sequence=0)
    async with held(leader.duty(heartbeat_s=0.4)):
        await eventually(lambda: not leader.row().online)
        began = time.monotonic()
        await leader.register(address="http://127.0.0.1:1", incarnation="ii", sequence=0)
        await eventually(lambda: not leader.row().online)
        assert time.monotonic() - began >= 0.4


async def test_silence_that_a_stalled_leader_caused_is_not_counted(leader: Leader) -> None:
    await leader.register(incarnation="i", sequence=0)
    async with held(leader.duty(heartbeat_s=1.5)) as duty:
        await eventually(lambda: duty.observation("press"))
        time.sleep(1.8)  # noqa: ASYNC251 - the stall
        stalled = time.monotonic()
        await eventually(lambda: not leader.row().online)
        assert time.monotonic() - stalled >= 1.4


async def test_many_that_fall_silent_at_once_are_all_found(leader: Leader) -> None:
    for number in range(70):
        await leader.register(f"press-{number}")
    async with held(leader.duty(heartbeat_s=0.3)):
        await eventually(lambda: not any(row.online for row in leader.state.components.rows.values()))


async def test_what_was_heard_of_a_component_goes_with_it(leader: Leader) -> None:
    await leader.register()
    async with held(leader.duty()) as duty:
        await eventually(lambda: duty.observation("press"))
        await leader.propose(Unregister(id="press"))
        await eventually(lambda: duty.observation("press") is None)


async def test_a_duty_of_an_old_epoch_changes_nothing(leader: Leader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="orchestrator.plant")
    await leader.register(incarnation="i", sequence=0)
    before = leader.cluster.status().applied_index
    async with held(leader.duty(heartbeat_s=0.1, epoch=Epoch(0, 1))) as duty:
        await eventually(lambda: leader.cluster.status().applied_index >= before + 3)
        await duty.component_event(heartbeat(incarnation="i", sequence=1, state="FAULT"))
    assert (leader.row().online, leader.row().state) == (True, State.READY)
    assert "OFFLINE" not in caplog.text


async def test_a_cluster_that_refuses_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="orchestrator.plant")
    async with plant(tmp_path) as leader:
        await leader.register()
        async with held(leader.duty(heartbeat_s=0.2)) as duty:
            await leader.cluster.stop()
            await eventually(lambda: "not proposed now" in caplog.text)
            task = duty._task
            assert task is not None
            # A few ticks more: the trouble is said once.
            await asyncio.wait({task}, timeout=0.8)
            assert not task.done()
    assert caplog.text.count("not proposed now") == 1


async def test_a_duty_that_was_never_taken_up_can_be_laid_down(leader: Leader) -> None:
    await leader.duty().lay_down()


# ── Three nodes ────────────────────────────────


async def test_the_next_leader_learns_what_its_predecessor_had_done(tmp_path: Path) -> None:
    states: dict[str, PlantState] = {}

    def machine() -> PlantState:
        state = states[f"n{len(states) + 1}"] = PlantState()
        return state

    press = Press()
    async with working(press):
        group = Nodes(tmp_path, 3)
        try:
            await group.start(machine=machine)
            async with leading(group, states) as first:
                await first.admit(press)
                old = first.duty()
                await old.send_command("press", "CMD_INITIALIZE", "k")
                await first.cluster.transfer()
                await eventually(lambda: first.cluster.status().epoch is None)
                async with leading(group, states) as second:
                    assert second.state is not first.state
                    new = second.duty()
                    answer = await new.send_command("press", "CMD_INITIALIZE", "k")
                    assert (answer.repeated, answer.state) == (True, State.INIT_COMPLETE)
                    assert second.row().state is State.INIT_COMPLETE
                    with pytest.raises(StaleEpoch):
                        await old.send_command("press", "CMD_START", "late")
        finally:
            await group.stop()
    assert press.calls == ["initialize", "stop"]
