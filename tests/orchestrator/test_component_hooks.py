"""What a component adds of its own: commands, health, figures, events, and the trace that a command came with."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, Field

from orchestrator.component import Health, NoParams, current_traceparent
from orchestrator.component_health import SelfCheck
from orchestrator.errors import EventInvalid, EventUnknown, OutcomeUnknown, Refused
from orchestrator.events import ERROR, METRICS_MAX
from orchestrator.lifecycle import State
from orchestrator.own_commands import RESULT_BYTES_MAX
from tests.orchestrator.plant_parts import NOWHERE, Orchestrator, Press, client, command, problem, working
from tests.orchestrator.test_reporting import desk, for_events
from tests.support import eventually

pytestmark = pytest.mark.anyio

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Calibration(BaseModel):
    offset: int = Field(ge=0)


class Lathe(Press):
    """A press with a command of its own, and with health and figures that a test sets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gives: Any = None
        self.seen: list[tuple[int, str | None]] = []
        self.finds = Health.OK
        self.figures: Mapping[str, Any] = {}
        self.on_command("RECALIBRATE", Calibration, self.recalibrate, states=(State.READY, State.STARTED))
        self.on_command("DRAIN", NoParams, self.drain)

    async def recalibrate(self, params: Calibration) -> Any:
        await self._called("recalibrate")
        self.seen.append((params.offset, current_traceparent()))
        return self.gives

    async def drain(self, _params: NoParams) -> None:
        await self._called("drain")

    async def check_health(self) -> Health:
        return self.finds

    def metrics(self) -> Mapping[str, float]:
        return self.figures


async def own(http: httpx.AsyncClient, name: str, key: str, params: Any = None, **members: Any) -> httpx.Response:
    payload = {"command": name} if params is None else {"command": name, "params": params}
    event = {"type": "component.command", "source": "orchestrator", "payload": payload, "idempotency_key": key}
    return await http.post("/event", json={**event, **members})


# ── Commands of its own ────────────────────────────────


async def test_a_command_of_its_own_is_done_once_with_its_params_and_its_trace() -> None:
    lathe = Lathe()
    async with working(lathe) as http:
        lathe.gives = {"was": 3}
        first = (await own(http, "RECALIBRATE", "k", {"offset": 7}, traceparent=TRACE)).json()
        assert (first["command"], first["result"], first["state"]) == ("RECALIBRATE", {"was": 3}, "READY")
        again = (await own(http, "RECALIBRATE", "k", {"offset": 7})).json()
        assert again == {**first, "repeated": True}
        assert problem(await own(http, "RECALIBRATE", "k", {"offset": 8})) == (422, "key_reused")
        assert problem(await own(http, "CMD_INITIALIZE", "k")) == (422, "key_reused")
        await own(http, "RECALIBRATE", "l", {"offset": 1})
        assert lathe.seen == [(7, TRACE), (1, None)]
        assert current_traceparent() is None


async def test_refusals_name_what_is_wrong_and_what_would_do() -> None:
    lathe = Lathe()
    async with working(lathe) as http:
        wrong = await own(http, "RECALIBRATE", "a", {"offset": -1})
        assert problem(wrong) == (422, "event_invalid")
        assert wrong.json()["errors"][0]["field"] == "payload.params.offset"
        state = await own(http, "DRAIN", "b")
        assert problem(state) == (409, "command_refused")
        assert state.json()["detail"] == "DRAIN is not possible in READY: DRAIN needs STARTED"
        assert state.json()["state"] == "READY"
        unknown = await own(http, "EXPLODE", "c")
        assert problem(unknown) == (422, "command_unsupported")
        assert "CMD_RESET, DRAIN, RECALIBRATE" in unknown.json()["detail"]
        surplus = await own(http, "CMD_INITIALIZE", "d", {"fast": True})
        assert problem(surplus) == (422, "event_invalid")
        for name in ("recalibrate", "CMD_EXPLODE", "A" * 65, 7):
            assert problem(await own(http, name, "e")) == (422, "event_invalid")  # type: ignore[arg-type]
        assert problem(await own(http, "RECALIBRATE", "f", {"offset": 1}, traceparent="00-00-00-00")) == (
            422,
            "event_invalid",
        )
        lathe.gate.clear()
        busy = asyncio.create_task(own(http, "RECALIBRATE", "g", {"offset": 1}))
        await eventually(lambda: lathe.calls)
        assert problem(await own(http, "CMD_INITIALIZE", "h")) == (409, "component_busy")
        lathe.gate.set()
        assert (await busy).json()["code"] == ""
    assert lathe.calls == ["recalibrate"]


async def test_one_that_fails_says_why_and_leaves_the_state_unless_it_is_a_fault() -> None:
    lathe = Lathe()
    async with working(lathe) as http:
        lathe.breaks = RuntimeError("no gauge")
        failed = (await own(http, "RECALIBRATE", "a", {"offset": 1})).json()
        assert (failed["code"], failed["state"]) == ("command_failed", "READY")
        assert failed["message"] == "RECALIBRATE failed: RuntimeError: no gauge"
        lathe.gate.clear()
        sent = asyncio.create_task(own(http, "RECALIBRATE", "b", {"offset": 1}))
        await eventually(lambda: len(lathe.calls) == 2)
        lathe.fault("smoke")
        lathe.gate.set()
        answer = (await sent).json()
        assert (answer["code"], answer["state"], answer["message"]) == ("command_failed", "FAULT", "smoke")


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        ({"x": "y" * RESULT_BYTES_MAX}, "at most"),
        ({"x": float("nan")}, "no JSON"),
        ({"x": object()}, "no JSON"),
        (5, "no"),
    ],
)
async def test_a_result_that_cannot_be_sent_does_not_undo_the_work(gives: Any, says: str) -> None:
    lathe = Lathe()
    async with working(lathe) as http:
        lathe.gives = gives
        answer = (await own(http, "RECALIBRATE", "a", {"offset": 1})).json()
        assert (answer["code"], answer["result"], answer["completed"]) == ("", {}, True)
        assert answer["message"].startswith("done; its result")
        assert says in answer["message"]


@pytest.mark.parametrize("name", ["CMD_START", "recalibrate", "CMD_STOP", ""])
async def test_a_name_that_is_none_is_refused_when_it_is_given(name: str) -> None:
    lathe = Lathe()
    with pytest.raises(ValueError, match=r"command|known"):
        lathe.on_command(name, Calibration, lathe.recalibrate)
    with pytest.raises(ValueError, match="handler already"):
        lathe.on_command("DRAIN", Calibration, lathe.recalibrate)
    with pytest.raises(ValueError, match="name the states"):
        lathe.on_command("WASH", Calibration, lathe.recalibrate, states=())


# ── Health and figures ────────────────────────────────


async def raising() -> Health:
    raise RuntimeError("no sensor")


async def hanging() -> Health:
    await asyncio.Event().wait()
    return Health.OK


@pytest.mark.parametrize(
    ("check", "reason"),
    [(raising, "check_health failed: RuntimeError: no sensor"), (hanging, "check_health did not end within 0.05 s")],
)
async def test_a_check_that_fails_is_degraded_and_says_why(
    check: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = SelfCheck("press", check, dict, within_s=0.05)
    for _ in range(3):
        assert await found.run() == Health.degraded(reason)
    assert len(caplog.records) <= 1


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"speed": 1, "heat.oil": 2.5}, {"speed": 1.0, "heat.oil": 2.5}),
        ({"speed": float("inf"), "heat": float("nan"), "ok": 1}, {"ok": 1.0}),
        ({"two words": 1, "": 1, 5: 1, "ok": 1}, {"ok": 1.0}),
        ({"flag": True, "text": "1", "huge": 10**400, "ok": 1}, {"ok": 1.0}),
        ({f"m{n}": n for n in range(METRICS_MAX + 9)}, {f"m{n}": float(n) for n in range(METRICS_MAX)}),
        (None, {}),
    ],
)
async def test_figures_are_bounded_and_finite(
    given: Any, sent: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    check = SelfCheck("press", hanging, lambda: given)
    for _ in range(3):
        assert check.figures() == sent
    left_out = given is None or len(given) != len(sent)
    assert len(caplog.records) == left_out, "said once"


async def test_health_and_figures_reach_the_orchestrator(tmp_path: Path) -> None:
    async with Orchestrator(tmp_path) as orchestrator:
        lathe = Lathe(
            orchestrator_url=orchestrator.url, depends_on=["io"], labels={"line": "a"}, name="Lathe", heartbeat_s=0.2
        )
        async with working(lathe):
            await lathe.wait_registered()
            lathe.figures = {"speed": 12.5}
            lathe.finds = Health.degraded("oil is low")

            async def degraded() -> bool:
                row = await orchestrator.row()
                return (row["health"], row["metrics"]) == ("DEGRADED", {"speed": 12.5})

            await eventually(degraded)
            row = await orchestrator.row()
            assert (row["health_reason"], row["state"], row["presence"]) == ("oil is low", "READY", "ONLINE")
            assert (row["depends_on"], row["labels"], row["heartbeat_s"]) == (["io"], {"line": "a"}, 0.2)
            assert 0 <= row["last_seen_s"] < 5
            assert row["memory"] > 1 << 20

        async def silent() -> bool:
            return bool((await orchestrator.row())["health"] == "UNRESPONSIVE")

        await eventually(silent)
        assert "no heartbeat" in (await orchestrator.row())["health_reason"]


# ── Events ────────────────────────────────


async def test_what_happened_reaches_the_orchestrator_once(tmp_path: Path) -> None:
    async with Orchestrator(tmp_path) as orchestrator, client(orchestrator.url) as api:
        async with working(press := Press(orchestrator_url=orchestrator.url)):
            await press.wait_registered()
            await press.emit("door.opened", {"door": 3})
            await press.report_error(
                "E42", "the belt is torn", severity="critical", can_recover=False, metadata={"n": 1}
            )
            with pytest.raises(EventUnknown, match=r"below component\."):
                await press.emit("component.exploded")
        listener = (await api.get("/event")).json()
        assert (listener["id"], listener["port"], listener["other_types"]) == ("orchestrator", orchestrator.port, True)
        assert ERROR in listener["types"]
        event = {"type": "door.opened", "source": "ghost", "id": "1"}
        assert problem(await api.post("/event", json=event)) == (404, "component_unknown")
        for _ in range(2):
            assert (await api.post("/event", json={**event, "source": "press"})).status_code == 204
        other = await api.post("/event", json={**event, "source": "press", "payload": {"door": 4}})
        assert problem(other) == (422, "event_reused")
        old = await api.post("/event", json={**event, "source": "press", "id": "2", "time": "2020-01-01T00:00:00Z"})
        assert problem(old) == (422, "event_too_old")
        large = await api.post("/event", json={**event, "source": "press", "payload": {"x": "y" * 300_000}})
        assert problem(large) == (413, "event_too_large")
        assert problem(await api.post("/event", json={"type": "door.opened"})) == (422, "event_invalid")


async def test_an_event_is_repeated_under_its_id_until_it_is_taken() -> None:
    trouble = for_events((503, {"code": "no_leader"}))
    async with desk(trouble) as (found, url), working(press := Press(orchestrator_url=url, heartbeat_s=30)):
        await press.wait_registered()
        telling = asyncio.create_task(press.emit("door.opened"))

        def ids() -> list[str]:
            return [document["id"] for _, document in found.seen if document.get("type") == "door.opened"]

        await eventually(lambda: len(ids()) >= 2)
        found.reply = for_events((404, {"code": "component_unknown"}))
        # It registers again at once, not with its next heartbeat.
        await eventually(lambda: found.registrations() >= 2)
        found.reply = for_events((204, None))
        await telling
        assert len(set(ids())) == 1


async def test_an_event_that_nobody_takes_in_time_is_unknown_and_a_refusal_is_raised() -> None:
    async with working(press := Press(orchestrator_url=NOWHERE)):
        with pytest.raises(OutcomeUnknown, match=r"door\.opened within 0\.1 s"):
            await press.emit("door.opened", within_s=0.1)
        with pytest.raises(ValueError, match="type"):
            await press.emit("Not A Type")
    for answer, kind in (((422, {"code": "event_invalid", "detail": "x"}), EventInvalid), ((418, b"tea"), Refused)):
        async with desk(for_events(answer)) as (_, url), working(press := Press(orchestrator_url=url)):
            await press.wait_registered()
            with pytest.raises(kind):
                await press.emit("door.opened")


async def test_an_event_is_sent_again_when_the_node_asks_for_it() -> None:
    busy = for_events((429, {"code": "too_many_requests"}))
    async with desk(busy) as (found, url), working(press := Press(orchestrator_url=url, heartbeat_s=30)):
        found.signs = [(b"retry-after", b"1")]
        await press.wait_registered()
        began = asyncio.get_running_loop().time()
        telling = asyncio.create_task(press.emit("door.opened"))
        await eventually(lambda: any(document.get("type") == "door.opened" for _, document in found.seen))
        found.reply = for_events((204, None))
        await telling
        assert asyncio.get_running_loop().time() - began >= 1.0
        sent = [document for _, document in found.seen if document.get("type") == "door.opened"]
        assert len(sent) == 2
        assert sent[0] == sent[1]


async def test_a_component_that_is_well_sends_what_the_release_before_knows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with desk() as (found, url), working(press := Press(orchestrator_url=url, heartbeat_s=1.0)) as http:
        await press.wait_registered()
        await eventually(found.beats)
        await command(http, "CMD_INITIALIZE", "i")
    registration = next(document for path, document in found.seen if path == "/v1/components")
    beat = next(document for _, document in found.seen if document.get("type") == "component.heartbeat")
    assert set(beat["payload"]) <= {"state", "reason", "incarnation", "sequence", "cpu", "memory"}
    assert not {"depends_on", "labels", "heartbeat_s"} & set(registration)
