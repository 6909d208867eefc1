"""Executions on a real node with real components: driven, woken, taken over, and started by triggers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from cluster import Applied, Outcome
from orchestrator import playbook_duty
from orchestrator.node import Node
from orchestrator.playbooks import engine
from orchestrator.playbooks.committing import Committer
from orchestrator.playbooks.engine import Decision
from orchestrator.playbooks.execution import Control, ExecutionRow, Limits, PlaybookPut, Record, Start, Status
from tests.orchestrator.plant_parts import Orchestrator, Press, served
from tests.support import eventually

pytestmark = pytest.mark.anyio


class Slow:
    """Counts the requests that come, and answers when it is told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.gate = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.keys.append(request.headers["idempotency-key"])
        await self.gate.wait()
        await JSONResponse({"ok": True})(scope, receive, send)


class Plant:
    """A node, a component that is registered at it, and a slow receiver outside."""

    def __init__(self, orchestrator: Orchestrator, press: Press, slow: Slow, outside: str) -> None:
        self.orchestrator, self.press, self.slow, self.outside = orchestrator, press, slow, outside
        self._names = 0

    @property
    def node(self) -> Node:
        assert self.orchestrator.node is not None
        return self.orchestrator.node

    async def propose(self, body: Any) -> Applied:
        applied = await self.node.propose(body.kind, body)
        assert applied.outcome.ok, applied.outcome
        return applied

    async def put(self, actions: str, *, more: str = "", name: str = "") -> str:
        self._names += 1
        name = name or f"p{self._names}"
        await self.propose(PlaybookPut(name=name, text=f"name: {name}\n{more}\nactions:\n{actions}"))
        return name

    async def start(self, playbook: str, execution_id: str = "", **members: Any) -> str:
        execution_id = execution_id or f"x-{playbook}"
        await self.propose(Start(id=execution_id, playbook=playbook, at=self.node.plant_time(), **members))
        return execution_id

    def row(self, execution_id: str) -> ExecutionRow:
        row = self.node.state.executions.get(execution_id)
        assert row is not None
        return row

    def of(self, playbook: str) -> list[ExecutionRow]:
        return [row for row in self.node.state.executions.rows.values() if row.playbook == playbook]

    async def ended(self, execution_id: str, status: Status = Status.SUCCEEDED) -> ExecutionRow:
        await eventually(lambda: not self.row(execution_id).open, deadline_s=15)
        row = self.row(execution_id)
        assert row.status == status, (row.code, row.error)
        return row

    async def control(self, execution_id: str, action: str, **members: Any) -> None:
        await self.propose(Control(id=execution_id, action=action, at=self.node.plant_time(), **members))

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.orchestrator.url, trust_env=False) as http:
            return await http.get(path)

    async def event(self, event_id: str, kind: str = "door.opened", **payload: Any) -> httpx.Response:
        document = {"id": event_id, "type": kind, "source": "press", "payload": payload}
        async with httpx.AsyncClient(base_url=self.orchestrator.url, trust_env=False) as http:
            return await http.post("/event", json=document)


@pytest.fixture(scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Plant]:
    directory: Path = tmp_path_factory.mktemp("plant")
    async with AsyncExitStack() as stack:
        orchestrator = await stack.enter_async_context(Orchestrator(directory))
        press = Press(orchestrator_url=orchestrator.url)
        serving = asyncio.create_task(press.serve())
        slow = Slow()
        outside = await stack.enter_async_context(served(slow))
        await eventually(lambda: orchestrator.node and orchestrator.node.state.components.get("press"), deadline_s=10)
        yield Plant(orchestrator, press, slow, outside)
        slow.gate.set()
        await press.stop()
        await serving


async def test_commands_waits_and_figures(plant: Plant) -> None:
    records: list[tuple[ExecutionRow, ExecutionRow]] = []

    def noted(before: ExecutionRow, after: ExecutionRow) -> None:
        records.append((before, after))

    plant.node.playbooks.listeners.append(noted)
    playbook = await plant.put(
        "  - {type: send_command, component: press, command: CMD_INITIALIZE, wait: true}\n"
        "  - {type: wait_for_state, component: press, target_state: INIT_COMPLETE}\n"
        "  - {type: set_group_state, component: press, target_state: STARTED}\n"
    )
    row = await plant.ended(await plant.start(playbook))
    assert plant.press.calls == ["initialize", "start"]
    assert [str(step.status) for step in row.steps.values()] == ["SUCCEEDED"] * len(row.steps)
    assert records
    assert all(after.revision > before.revision for before, after in records)
    plant.node.playbooks.listeners.remove(noted)
    page = (await plant.get("/metrics")).text
    assert 'triarch_steps_total{status="SUCCEEDED",type="set_group_state"} 1.0' in page
    assert 'triarch_executions_open{status="RUNNING"} 0.0' in page
    assert "triarch_step_overhead_seconds_bucket" in page


async def test_a_change_of_a_component_wakes_who_waits_for_it(plant: Plant) -> None:
    playbook = await plant.put("  - {type: wait_for_state, component: press, target_state: FAULT, timeout: 20s}")
    execution_id = await plant.start(playbook)

    def waits() -> dict[str, str]:
        duties = plant.node.duties()
        return {} if duties is None else dict(duties.waiting(execution_id))

    waiting = await eventually(waits)
    assert "FAULT is waited for: press is" in waiting["actions/0"]
    plant.press.fault("on purpose")
    await plant.ended(execution_id)
    reset = await plant.put("  - {type: send_command, component: press, command: CMD_RESET, wait: true}")
    await plant.ended(await plant.start(reset))


async def test_a_text_that_this_release_cannot_read_fails_its_execution(plant: Plant) -> None:
    playbook = await plant.put("  - {type: teleport}")
    row = await plant.ended(await plant.start(playbook), Status.FAILED)
    assert row.code == "playbook_unreadable"
    assert "cannot be read here: playbook:4:" in row.error


async def test_a_plan_that_raises_ends_that_execution_and_no_other(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    planned = engine.plan

    def breaks(playbook: Any, row: ExecutionRow, *others: Any) -> Decision:
        if row.id == "x-breaks" and row.steps:
            raise ZeroDivisionError("a defect")
        return planned(playbook, row, *others)

    monkeypatch.setattr(playbook_duty, "plan", breaks)
    playbook = await plant.put("  - {type: delay, duration: 100ms}")
    await plant.start(playbook, "x-breaks")
    await plant.start(playbook, "x-goes-on")
    row = await plant.ended("x-breaks", Status.FAILED)
    assert row.code == "internal"
    assert {str(step.status) for step in row.steps.values()} == {"CANCELLED"}
    assert "x-breaks" in caplog.text
    await plant.ended("x-goes-on")


async def test_a_record_that_cannot_be_written_ends_that_execution_and_not_the_node(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit = Committer.commit

    async def breaks(self: Committer, kind: str, body: Any, **members: Any) -> Outcome:
        if isinstance(body, Record) and body.id == "x-odd" and body.status is None:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return await commit(self, kind, body, **members)

    monkeypatch.setattr(Committer, "commit", breaks)
    playbook = await plant.put("  - {type: delay, duration: 100ms}")
    await plant.start(playbook, "x-odd")
    await plant.start(playbook, "x-even")
    row = await plant.ended("x-odd", Status.FAILED)
    assert row.code == "internal"
    assert "x-odd" in caplog.text
    await plant.ended("x-even")
    assert plant.node.is_leader()


async def test_paused_resumed_and_cancelled_by_a_person(plant: Plant) -> None:
    playbook = await plant.put(
        "  - {type: approve, message: may it go on?}\n  - {type: delay, duration: 10m}", more="timeout: 1h"
    )
    execution_id = await plant.start(playbook)
    await eventually(lambda: plant.row(execution_id).steps)
    await plant.control(execution_id, "pause")
    await plant.control(execution_id, "resume")
    await plant.control(execution_id, "approve", path="actions/0")
    await eventually(lambda: "actions/1" in plant.row(execution_id).steps)
    await plant.control(execution_id, "cancel", comment="enough")
    row = await plant.ended(execution_id, Status.CANCELLED)
    assert row.error == "enough"


async def test_those_that_wait_for_a_place_follow(plant: Plant) -> None:
    playbook = await plant.put("  - {type: delay, duration: 50ms}")
    limits = Limits(limit=1)
    ids = [await plant.start(playbook, f"x-queue-{number}", limits=limits) for number in range(3)]
    rows = [await plant.ended(each) for each in ids]
    begins = [row.started or 0.0 for row in rows]
    assert all(later >= (row.ended or 0.0) for row, later in zip(rows, begins[1:], strict=False))


async def test_a_child_wakes_who_waits_for_its_end(plant: Plant) -> None:
    child = await plant.put("  - {type: delay, duration: 50ms}")
    row = await plant.ended(await plant.start(await plant.put(f"  - {{type: execute_scenario, name: {child}}}")))
    (inner,) = plant.of(child)
    assert inner.parent is not None
    assert inner.parent.execution == row.id


async def test_an_event_starts_a_playbook_once_and_is_committed_before_it_is_answered(plant: Plant) -> None:
    trigger = 'trigger: {type: event_received, event: "door.*", condition: "trigger.payload.door > 1"}'
    playbook = await plant.put('  - {type: log_event, message: "door {{ trigger.payload.door }}"}', more=trigger)
    assert (await plant.event("e-1", door=1)).status_code == 204
    assert plant.of(playbook) == []
    for _ in range(3):
        assert (await plant.event("e-2", door=2)).status_code == 204
        assert len(plant.of(playbook)) == 1
    row = await plant.ended(plant.of(playbook)[0].id)
    assert row.steps["actions/0"].value == '{"message":"door 2"}'
    assert [line.entry.type for line in plant.node.state.executions.journal.lines].count("door.opened") == 2
    odd = b'{"id": "e-3", "type": "door.opened", "source": "press", "payload": {"door": NaN}}'
    async with httpx.AsyncClient(base_url=plant.orchestrator.url, trust_env=False) as http:
        assert (await http.post("/event", content=odd)).status_code == 422
    assert "NaN" not in (await plant.get("/v1/events")).text


async def test_a_large_event_starts_all_that_hear_it(plant: Plant) -> None:
    """What it starts is more than fits into one command."""
    trigger = 'trigger: {type: event_received, event: "large.*"}'
    names = [await plant.put("  - {type: log_event, message: heard}", more=trigger) for _ in range(20)]
    for _ in range(2):
        answer = await plant.event("e-large", "large.one", text="x" * 60_000)
        assert answer.status_code == 204, answer.text
        assert [len(plant.of(name)) for name in names] == [1] * len(names)


async def test_states_ends_and_schedules_start_playbooks(plant: Plant) -> None:
    noted = "  - {type: log_event, message: noted}"
    faulty = await plant.put(noted, more="trigger: {type: component_state, component: press, state: FAULT}")
    after = await plant.put(noted, more=f"trigger: {{type: playbook_ended, playbook: {faulty}}}")
    often = await plant.put(noted, more="trigger: {type: schedule, every: 1s}")
    await eventually(lambda: f"{often}/0/" in plant.node.state.executions.marks)
    plant.press.fault("once more")
    await eventually(lambda: plant.of(after) and not plant.of(after)[0].open, deadline_s=10)
    assert len(plant.of(faulty)) == 1
    await eventually(lambda: len(plant.of(often)) >= 2, deadline_s=10)
    await plant.put(noted, name=often)
    await eventually(lambda: f"{often}/0/" not in plant.node.state.executions.marks)


async def test_another_leader_goes_on_where_the_last_one_was(plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    """The node ends and starts again: it has nothing but what is replicated."""
    caplog.set_level(logging.ERROR)
    request = f"  - {{type: http_request, method: POST, url: '{plant.outside}/x', timeout: 60s"
    waits = await plant.put("  - {type: approve, message: go on?}\n  - {type: log_event, message: done}")
    known, unknown = await plant.put(request + "}"), await plant.put(request + ", safe: false}")
    ids = [await plant.start(each) for each in (waits, known, unknown)]
    await eventually(lambda: len(plant.slow.keys) == 2)
    before = plant.node.plant_time()
    await plant.orchestrator.stop()
    await plant.orchestrator.start()
    assert plant.node.plant_time() >= plant.node.state.executions.at
    assert plant.node.plant_time() <= before + 30
    failed = await plant.ended(ids[2], Status.FAILED)
    assert failed.code == "outcome_unknown"
    await eventually(lambda: len(plant.slow.keys) == 3, deadline_s=10)
    plant.slow.gate.set()
    await plant.ended(ids[1])
    # Asked again under the same key, and what knows no keys was not asked again.
    assert len(set(plant.slow.keys)) == 2
    await plant.control(ids[0], "approve", path="actions/0")
    await plant.ended(ids[0])


async def test_a_result_outlives_a_record_that_came_too_late(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person meddles just before an outcome is recorded: what knows no keys is still asked once."""
    plant.slow.gate.set()
    request = f"  - {{type: http_request, method: POST, url: '{plant.outside}/late', timeout: 20s, safe: false}}"
    playbook = await plant.put(request)
    commit, meddled = Committer.commit, list[int]()

    async def late(self: Committer, kind: str, body: Any, **members: Any) -> Outcome:
        if isinstance(body, Record) and body.id == "x-late" and any(step.value for step in body.steps) and not meddled:
            meddled.append(body.revision)
            await plant.control("x-late", "signal", name="nobody-waits")
        return await commit(self, kind, body, **members)

    monkeypatch.setattr(Committer, "commit", late)
    await plant.start(playbook, "x-late")
    await plant.ended("x-late")
    assert meddled
    assert sum(key.startswith("x-late/") for key in plant.slow.keys) == 1


async def test_what_is_too_large_to_be_recorded_ends_the_execution(plant: Plant) -> None:
    """Many large intents under way at once: no record that closes them all is small enough for one command."""
    body = "{{ vars.a ~ vars.a ~ vars.a ~ vars.a }}"
    request = f"{{type: http_request, method: POST, url: '{plant.outside}/x', body: '{body}', timeout: 60s}}"
    each = f"{{type: for_each, parallel: 20, items: [1, 2, 3, 4, 5, 6, 7, 8], actions: [{request}]}}"
    branches = ", ".join(f"b{number}: [{{type: delay, duration: {1 + 150 * number}ms}}, {each}]" for number in range(4))
    playbook = await plant.put(f"  - {{type: parallel, branches: {{{branches}}}}}", more="variables: {a: ''}")
    plant.slow.gate.clear()
    execution_id = await plant.start(playbook, variables={"a": '"' + "x" * 15_000 + '"'})
    await eventually(lambda: len(plant.row(execution_id).steps) == 41, deadline_s=10)
    await plant.control(execution_id, "cancel")
    row = await plant.ended(execution_id, Status.FAILED)
    assert row.code == "record_too_large"
    assert all(step.ended is not None for step in row.steps.values())
    assert all(step.again for step in row.steps.values() if step.type == "http_request")
    plant.slow.gate.set()


async def test_what_comes_back_with_a_backup_goes_on(plant: Plant) -> None:
    """Also what had ended here meanwhile, and triggers: nobody has to change the leader for that."""
    noted = "  - {type: log_event, message: noted}"
    name = await plant.put("  - {type: delay, duration: 1s}\n" + noted)
    after = await plant.put(noted, more=f"trigger: {{type: playbook_ended, playbook: {name}}}")
    execution_id = await plant.start(name)
    await eventually(lambda: plant.row(execution_id).steps)
    await eventually(lambda: f"{after}/0/" in plant.node.state.executions.marks)
    backup = await plant.node.cluster.snapshot()
    await plant.put("  - {type: fail, message: not this one}", name=name)
    await plant.control(execution_id, "cancel")
    await plant.ended(execution_id, Status.CANCELLED)
    assert (await plant.node.cluster.restore(backup)).outcome.ok
    await plant.ended(execution_id)
    await eventually(lambda: [row for row in plant.of(after) if not row.open], deadline_s=10)


async def test_a_plants_time_goes_on_while_something_is_open(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook_duty, "TICK_S", 0.2)
    execution_id = await plant.start(await plant.put("  - {type: delay, duration: 1h}", more="timeout: 2h"))
    await eventually(lambda: plant.row(execution_id).steps)
    at = plant.node.state.executions.at
    await eventually(lambda: plant.node.state.executions.at > at, deadline_s=10)
    await plant.control(execution_id, "cancel")
    await plant.ended(execution_id, Status.CANCELLED)


def test_a_field_named_version_is_not_the_layout() -> None:
    from orchestrator.component_commands import Declare
    from orchestrator.proposing import _layout

    assert (_layout(Start), _layout(Declare)) == (1, 2)
    assert issubclass(Start, msgspec.Struct)
