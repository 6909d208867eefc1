"""Traces of executions as a collector gets them: from what triggered one to the component, and across a takeover."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from framebuffer.otlp import OtlpSpans
from orchestrator.component import Component
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.insisting import insist
from tests.framebuffer.otlp_receiver import OtlpReceiver, Received
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]

TRACE, CAUSE = "ab" * 16, "cd" * 8
WHOLE = """
name: whole
trigger: {type: event_received, event: order.placed}
actions:
  - {type: send_command, component: press, command: CMD_INITIALIZE}
  - {type: send_notification, message: the press is warm, severity: error}
  - type: parallel
    branches:
      left: [{type: execute_scenario, name: inner}]
      right:
        - id: broken
          type: send_command
          component: press
          command: BREAK
          retry: {attempts: 2, delay: 0.1s}
          on_failure: [{type: log_event, message: it is broken}]
          after_failure: continue
"""
INNER = """
name: inner
actions: [{type: log_event, message: within}]
"""
FAILING = """
name: failing
actions: [{type: fail, message: on purpose}]
"""
LONG = """
name: long
trigger: {type: manual}
actions:
  - type: for_each
    items: [1, 2, 3, 4]
    actions:
      - {type: send_command, component: press, command: COUNT}
      - {type: delay, duration: 0.3s}
"""


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver().running() as running:
        yield running


@pytest.fixture
async def plant(
    receiver: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[LocalPlant]:
    """Three nodes that send their spans to the receiver."""
    monkeypatch.setenv("TRIARCH_TELEMETRY__OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("TRIARCH_NODE__LOG_FORMAT", "json")
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as running:
        await running.wait_ready()
        yield running


class Press(Component):
    """Counts, and breaks."""

    counted = 0

    async def count(self) -> None:
        self.counted += 1

    async def break_(self) -> None:
        raise RuntimeError("the belt is torn")


@asynccontextmanager
async def pressing(plant: LocalPlant, receiver: OtlpReceiver) -> AsyncIterator[Press]:
    from orchestrator.component import NoParams
    from orchestrator.lifecycle import State

    press = Press("press", orchestrator_url=plant.topology.apis, heartbeat_s=0.5)
    press.spans = spans = OtlpSpans(receiver.url, service_name="press", interval_s=0.1)
    states = tuple(State)
    press.on_command("COUNT", NoParams, lambda _: press.count(), states=states)
    press.on_command("BREAK", NoParams, lambda _: press.break_(), states=states)
    task = asyncio.create_task(press.serve())
    try:
        await press.wait_registered()
        yield press
    finally:
        await press.stop()
        await task
        await asyncio.to_thread(spans.close)


async def put(plant: LocalPlant, *texts: str) -> None:
    for text in texts:
        name = text.split()[1]
        answer = await insist(plant, "PUT", f"/v1/playbooks/{name}", {"text": text})
        assert answer.status_code in (200, 201), answer.text


async def ended(plant: LocalPlant, execution_id: str) -> str:
    async def status() -> str:
        row = (await insist(plant, "GET", f"/v1/executions/{execution_id}")).json()
        return str(row["status"]) if row["status"] not in ("QUEUED", "RUNNING") else ""

    return await eventually(status, deadline_s=40)


def steps(receiver: OtlpReceiver, execution_id: str) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for span in receiver.spans:
        if span.attributes.get("triarch.execution.id") == execution_id:
            found.setdefault(str(span.attributes.get("triarch.step.path", "")), []).append(span)
    return found


async def test_one_trace_from_the_trigger_to_the_component(plant: LocalPlant, receiver: OtlpReceiver) -> None:
    async with pressing(plant, receiver):
        await put(plant, INNER, WHOLE, FAILING)
        event = {"type": "order.placed", "source": "press", "traceparent": f"00-{TRACE}-{CAUSE}-01"}
        answer = await plant.call("POST", "/event", json=event)
        assert answer.status_code in (200, 202, 204), answer.text
        # The root is exported last of the execution's, the component's come from another process.
        (root,) = await eventually(lambda: receiver.named("execute_scenario.whole"), deadline_s=20)
        await eventually(lambda: len(receiver.named("handle_command")) >= 3, deadline_s=10)
        (inner,) = receiver.named("execute_scenario.inner")
        started = await insist(plant, "POST", "/v1/playbooks/failing/runs", {})
        assert await ended(plant, started.json()["id"]) == "FAILED"
        (failed,) = await eventually(lambda: receiver.named("execute_scenario.failing"), deadline_s=10)

    assert (root.trace_id, root.parent_id, root.ok, root.failed) == (TRACE, CAUSE, True, False)
    assert {span.trace_id for span in receiver.spans if span.trace_id != failed.trace_id} == {TRACE}
    assert receiver.orphans() == [root], "what caused it is not of this receiver"
    named = {span.attributes["triarch.step.path"]: span for span in receiver.spans
             if span.attributes.get("triarch.execution.id") == root.attributes["triarch.execution.id"]
             and span is not root}  # fmt: skip
    assert set(named) == {
        "actions/0",
        "actions/1",
        "actions/2",
        "actions/2/left/0",
        "actions/2/right/0",
        "actions/2/right/0/on_failure/0",
    }
    assert receiver.parent(named["actions/0"]) == root
    assert receiver.parent(named["actions/2/left/0"]) == named["actions/2"]
    assert receiver.parent(inner) == named["actions/2/left/0"]
    broken = named["actions/2/right/0"]
    assert (broken.failed, broken.attributes["triarch.step.attempts"]) == (True, 2)
    ((exception),) = broken.exceptions
    assert exception["exception.type"] == "command_failed"
    assert "the belt is torn" in exception["exception.message"]

    handled = receiver.named("handle_command")
    assert {span.service for span in handled} == {"press"}
    by_parent = [receiver.parent(span).attributes["triarch.step.path"] for span in handled]
    assert sorted(by_parent) == ["actions/0", "actions/2/right/0", "actions/2/right/0"], "each attempt is one"
    assert [span.failed for span in handled if receiver.parent(span) == broken] == [True, True]

    leader = await plant.current_leader(5)
    logged = [json.loads(line) for line in plant.node(leader.node_id).log.read_text().splitlines()]
    (line,) = [each for each in logged if "the press is warm" in each["message"]]
    assert (line["execution"], line["trace"]) == (root.attributes["triarch.execution.id"], TRACE)
    assert (line["node"], line["level"]) == (leader.node_id, "warning")
    assert line["epoch"] == f"{leader.epoch[0]}.{leader.epoch[1]}"

    assert (failed.parent_id, failed.failed) == ("", True)
    assert failed.exceptions[0]["exception.type"] == "failed"
    assert "on purpose" in failed.exceptions[0]["exception.message"]


async def test_a_takeover_leaves_no_span_without_a_parent_and_none_under_two_ids(
    plant: LocalPlant, receiver: OtlpReceiver
) -> None:
    first = await plant.current_leader(5)
    async with pressing(plant, receiver) as press:
        await put(plant, LONG)
        runs = [await insist(plant, "POST", "/v1/playbooks/long/runs", {}) for _ in range(4)]
        ids = [run.json()["id"] for run in runs]
        await eventually(lambda: press.counted >= 4, deadline_s=20)
        receiver.answer = 503  # what ends from now on does not get out before the leader dies
        await eventually(lambda: press.counted >= 8, deadline_s=20)
        assert await plant.kill(first.node_id) == -signal.SIGKILL
        receiver.answer = 200
        assert {await ended(plant, each) for each in ids} == {"SUCCEEDED"}
        await eventually(lambda: len({s.span_id for s in receiver.named("execute_scenario.long")}) == 4, deadline_s=10)
        await eventually(lambda: not receiver.orphans(), deadline_s=10)
    assert press.counted == 16, "each command was done once"
    for each in ids:
        by_path = steps(receiver, each)
        assert len(by_path) >= 4 * 2 + 2, json.dumps(sorted(by_path))
        for path, spans in by_path.items():
            assert len({(span.trace_id, span.span_id, span.parent_id) for span in spans}) == 1, path
    assert len({span.trace_id for span in receiver.spans}) == 4
    assert receiver.orphans() == []
    services: Any = {span.service for span in receiver.spans}
    assert services == {"triarch-node", "press"}
