"""Histories, trends and alerts of a real node: components report to it, rules are set, alerts fire and end."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.cli.main import main
from orchestrator.monitoring.alert_rules import default_rules
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.orchestrator.plant_parts import served
from tests.support import eventually

pytestmark = pytest.mark.anyio


class Hook:
    """Takes notices, as a chat or a pager does. It refuses the first one, as one that is overloaded."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        self.refused = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        notice = await Request(scope, receive).json()
        if not self.refused:
            self.refused = notice["id"]
            await Response(status_code=503)(scope, receive, send)
            return
        self.notices.append(notice)
        await Response(status_code=204)(scope, receive, send)


@pytest.fixture(scope="module")
async def hook() -> AsyncIterator[tuple[Hook, str]]:
    taking = Hook()
    async with served(taking) as url:
        yield taking, url


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory, hook: tuple[Hook, str]) -> AsyncIterator[Nodes]:
    told: dict[str, Any] = {
        "monitoring": {"notify": ["hook"]},
        "notifications": {"channels": {"hook": _webhook(hook[1])}},
    }
    async with serving(1, tmp_path_factory.mktemp("alerts"), token=TOKEN, **told) as found:
        yield found


def _webhook(url: str) -> dict[str, str]:
    return {"kind": "webhook", "url": f"{url}/services/secret"}


@pytest.fixture
def http(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[0]


async def triarch(nodes: Nodes, *arguments: str) -> Result:
    """The command line, in a thread: the node runs in this loop."""
    environment = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN}
    return await asyncio.to_thread(CliRunner().invoke, main, list(arguments), env=environment)


class Reporting:
    """A registered component that says of itself what a test wants."""

    def __init__(self, http: httpx.AsyncClient, name: str) -> None:
        self._http = http
        self.name = name
        self._sequence = 0

    async def register(self) -> None:
        body: dict[str, Any] = {"id": self.name, "address": "http://127.0.0.1:9", "incarnation": "i", "sequence": 0}
        body["heartbeat_s"] = 60  # however long a test takes, its silence is no alert of its own
        assert (await self._http.post("/v1/components", json=body)).status_code == 201

    async def say(self, state: str = "STARTED", **payload: Any) -> None:
        self._sequence += 1
        report = {"state": state, "incarnation": "i", "sequence": self._sequence, **payload}
        body = {"type": "component.heartbeat", "source": self.name, "payload": report}
        answer = await self._http.post("/event", json=body)
        assert answer.status_code in (200, 202, 204), answer.text


@pytest.fixture
async def press(http: httpx.AsyncClient) -> AsyncIterator[Reporting]:
    reporting = Reporting(http, "press-1")
    await reporting.register()
    yield reporting
    await http.delete("/v1/components/press-1")


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document: dict[str, Any] = answer.json()
    assert document["code"] == code
    return document


async def alerts(http: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await http.get("/v1/alerts", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def firing(http: httpx.AsyncClient, rule: str) -> dict[str, Any]:
    async def fires() -> list[dict[str, Any]]:
        return await alerts(http, rule=rule, state="firing")

    row: dict[str, Any]
    (row,) = await eventually(fires, deadline_s=10)
    return row


async def test_metrics_are_kept_and_have_trends(nodes: Nodes, http: httpx.AsyncClient, press: Reporting) -> None:
    path = "/v1/components/press-1/metrics"
    before = time.time()
    for number in range(3):
        await press.say(cpu=0.25, memory=1000 + number, metrics={"temperature": 20.0 + number})
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [row["name"] for row in found["metrics"]] == ["cpu", "memory", "temperature"]
    assert found["history_since"] <= found["metrics"][0]["since"] <= time.time()
    assert found["node"] == "n1"
    assert all(row["points"] is None for row in found["metrics"])

    full = (await http.get(path, params={"name": ["temperature", "cpu"], "above": 30})).json()["metrics"]
    assert [row["name"] for row in full] == ["temperature", "cpu"]
    assert full[0]["latest"] == 22.0
    assert (full[0]["points"][0]["least"], full[0]["points"][-1]["greatest"]) == (20.0, 22.0)
    assert all(before - 2 < point["time"] < time.time() + 1 for point in full[0]["points"])
    assert full[0]["trend"]["forecast"]["outlook"] == "insufficient_data"
    assert full[0]["trend"]["ewma"] == pytest.approx(21, abs=1)

    assert_problem(await http.get("/v1/components/nobody/metrics"), 404, "component_unknown")
    detail = assert_problem(await http.get(path, params={"name": "colour"}), 404, "metric_unknown")["detail"]
    assert "cpu, memory, temperature" in detail
    for wrong in ({"step": "-1"}, {"since": "nan"}, {"above": 1, "below": 2}, {"half_life": 0}):
        assert_problem(await http.get(path, params={"name": "cpu", **wrong}), 422, "invalid_request")

    shown = await triarch(nodes, "component", "metrics", "press-1")
    assert (shown.exit_code, shown.stdout.split()[:5]) == (0, ["METRIC", "LATEST", "AT", "SINCE", "ENTRIES"])
    assert "history since" in shown.stderr
    shown = await triarch(nodes, "component", "metrics", "press-1", "--name", "cpu", "--last", "5m", "--above", "3")
    assert (shown.exit_code, shown.stdout.splitlines()[1].split()[0]) == (0, "cpu")
    assert "cpu: " in shown.stderr
    assert (await triarch(nodes, "component", "metrics", "press-1", "--name", "colour")).exit_code == 3
    assert (await triarch(nodes, "component", "metrics", "press-1", "--last", "soon")).exit_code == 2


async def test_an_alert_from_its_beginning_to_its_end(nodes: Nodes, http: httpx.AsyncClient, press: Reporting) -> None:
    assert await alerts(http) == []
    await press.say("FAULT", reason="the belt is torn")
    row = await firing(http, "component-fault")
    assert (row["severity"], row["members"][0]["subject"]) == ("error", "press-1")
    assert "the belt is torn" in row["members"][0]["reason"]
    gauges = (await http.get("/metrics")).text
    assert 'triarch_alerts_firing{severity="error"} 1.0' in gauges
    assert 'triarch_alerts_firing{severity="critical"} 0.0' in gauges
    assert 'triarch_alerts_unacknowledged{severity="error"} 1.0' in gauges

    assert_problem(await http.post(f"/v1/alerts/{row['id']}/acknowledge", json={}), 422, "invalid_request")
    assert_problem(await http.post("/v1/alerts/a999999/acknowledge", json={"by": "Ada"}), 404, "alert_unknown")
    done = await triarch(nodes, "alert", "ack", row["id"], "--by", "Ada", "--note", "belt is ordered", "-o", "json")
    assert done.exit_code == 0, done.output
    shown = (await http.get(f"/v1/alerts/{row['id']}")).json()
    assert (shown["acknowledged"]["by"], shown["acknowledged"]["note"]) == ("Ada", "belt is ordered")
    listed = await triarch(nodes, "alert", "list")
    assert listed.stdout.splitlines()[1].split()[:4] == [row["id"], "FIRING", "error", "component-fault"]
    assert 'triarch_alerts_unacknowledged{severity="error"} 0.0' in (await http.get("/metrics")).text

    await press.say("READY")

    async def over() -> bool:
        return not await alerts(http, state="firing")

    await eventually(over, deadline_s=10)
    (resolved,) = await alerts(http, state="resolved", rule="component-fault")
    assert (resolved["id"], resolved["state"]) == (row["id"], "RESOLVED")
    assert resolved["resolved_time"] >= resolved["fired_time"]
    refused = await http.post(f"/v1/alerts/{row['id']}/acknowledge", json={"by": "Ada"})
    assert_problem(refused, 409, "alert_resolved")
    assert (await triarch(nodes, "alert", "ack", row["id"])).exit_code == 4
    assert (await triarch(nodes, "alert", "get", "a999999")).exit_code == 3


async def test_people_are_told_of_an_alert_and_of_its_end(
    hook: tuple[Hook, str], nodes: Nodes, http: httpx.AsyncClient
) -> None:
    taking = hook[0]
    oven = Reporting(http, "oven-1")
    await oven.register()
    await oven.say("FAULT", reason="too hot")
    row = await firing(http, "component-fault")

    def told() -> list[str]:
        return [notice["id"] for notice in taking.notices if notice["data"]["id"] == row["id"]]

    fired, over = f"alert/{row['id']}/fired", f"alert/{row['id']}/resolved"
    await eventually(lambda: told() == [fired], deadline_s=15)
    (notice,) = [each for each in taking.notices if each["id"] == fired]
    assert taking.refused
    assert (notice["severity"], notice["data"]["state"]) == ("error", "FIRING")
    assert notice["message"].startswith("FIRING component-fault: ")
    assert "oven-1" in notice["message"]
    await eventually(lambda: nodes.nodes[0].state.alerts.firing["component-fault", ""].told == ("fired",))
    await http.delete("/v1/components/oven-1")
    await eventually(lambda: told() == [fired, over], deadline_s=15)


async def test_silences(nodes: Nodes, http: httpx.AsyncClient, press: Reporting) -> None:
    await press.say("FAULT")
    row = await firing(http, "component-fault")
    made = await triarch(
        *(nodes, "alert", "silence", "--subject", "press-*", "--for", "1h", "--reason", "belt change", "-o", "json")
    )
    assert made.exit_code == 0, made.output
    (silence,) = (await http.get("/v1/silences")).json()
    assert (silence["active"], silence["subject"], silence["reason"]) == (True, "press-*", "belt change")
    assert silence["until"] == pytest.approx(time.time() + 3600, abs=30)
    assert (await http.get(f"/v1/alerts/{row['id']}")).json()["silenced_by"] == [silence["id"]]
    assert 'triarch_alerts_silenced{severity="error"} 1.0' in (await http.get("/metrics")).text
    assert (await triarch(nodes, "alert", "silences")).stdout.splitlines()[1].split()[0] == silence["id"]
    assert (await triarch(nodes, "alert", "unsilence", silence["id"])).exit_code == 0
    assert (await http.get(f"/v1/alerts/{row['id']}")).json()["silenced_by"] == []
    assert_problem(await http.delete(f"/v1/silences/{silence['id']}"), 404, "silence_unknown")
    base = {"by": "Ada", "reason": "r"}
    ends: list[dict[str, Any]] = [{}, {"for_s": 0}, {"until": time.time() - 1}, {"for_s": 1, "until": 9e9}]
    others = [{"for_s": 9, **wrong} for wrong in ({"rule": ""}, {"severity": "deadly"}, {"colour": "red"})]
    for wrong in (*ends, {"until": 9e12}, *others, {"for_s": 9, "reason": ""}):
        assert_problem(await http.post("/v1/silences", json={**base, **wrong}), 422, "invalid_request")


async def test_rules_are_changed_by_their_revision(nodes: Nodes, http: httpx.AsyncClient, press: Reporting) -> None:
    path = "/v1/alert-rules/oven-too-hot"
    listed = (await http.get("/v1/alert-rules")).json()
    assert {row["name"] for row in listed} == set(default_rules())
    assert all((row["revision"], row["shipped"]) == (0, True) for row in listed)
    assert_problem(await http.get(path), 404, "alert_rule_unknown")
    condition = {"kind": "metric", "name": "temperature", "above": 250, "reset": 240}
    body = {"condition": condition, "severity": "critical", "for_s": 3600}
    wrong = {"condition": {**condition, "reset": 260}}
    document = assert_problem(await http.put(path, json=wrong), 422, "invalid_request")
    assert document["errors"][0]["location"] == "body.condition"
    assert "reset" in document["errors"][0]["message"]

    made = await http.put(path, json=body, headers={"If-Match": '"0"'})
    assert (made.status_code, made.headers["ETag"]) == (201, f'"{made.json()["revision"]}"'), made.text
    assert (await http.get(path)).json() == made.json()
    assert_problem(await http.put(path, json=body, headers={"If-Match": '"0"'}), 412, "precondition_failed")
    assert_problem(await http.put(path, json=body, headers={"If-Match": "0"}), 422, "invalid_request")

    await press.say(metrics={"temperature": 260.0})

    async def pending() -> list[dict[str, Any]]:
        await press.say(metrics={"temperature": 260.0})
        return await alerts(http, state="pending", rule="oven-too-hot")

    (waiting,) = await eventually(pending, deadline_s=10)
    assert (waiting["id"], waiting["members"][0]["subject"]) == (None, "press-1")
    assert 3500 < waiting["fires_in_s"] <= 3600
    hasty = {**body, "for_s": 0}
    assert (await http.put(path, json=hasty, headers={"If-Match": made.headers["ETag"]})).status_code == 200
    row = await firing(http, "oven-too-hot")
    assert row["members"][0]["value"] == 260.0
    table = await triarch(nodes, "alert", "rules")
    assert any(line.startswith("oven-too-hot") and "temperature > 250" in line for line in table.stdout.splitlines())
    assert (await triarch(nodes, "alert", "rule", "delete", "oven-too-hot", "--if-revision", "1")).exit_code == 5
    assert (await triarch(nodes, "alert", "rule", "delete", "oven-too-hot")).exit_code == 0
    assert (await triarch(nodes, "alert", "rule", "set", "x", "{}")).exit_code == 4
    assert (await triarch(nodes, "alert", "rule", "set", "x", "not json")).exit_code == 2

    async def over() -> bool:
        return not await alerts(http, state="firing", rule="oven-too-hot")

    await eventually(over, deadline_s=10)
    assert_problem(await http.delete("/v1/alert-rules/component-fault"), 404, "alert_rule_unknown")
    assert (await http.get("/v1/alert-rules/component-fault")).json()["enabled"] is True
