"""`/v1/snapshot` and `/v1/watch` on real nodes: one index, each change once and in order, on any node; and refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from orchestrator.node import Node
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

ALL = "cluster,components,groups,policies,playbooks,executions,processors,variables,alerts,silences,alert_rules,journal"


class Events:
    """What a watch by server-sent events told."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, *kinds: str) -> tuple[int | None, str, Any]:
        """(id, event, data) of the next event of these kinds; of any when none is named."""
        number, kind, data = None, "", ""
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif not line and kind:
                    if not kinds or kind in kinds:
                        return number, kind, json.loads(data)
                    number, kind, data = None, "", ""
        raise EOFError


@asynccontextmanager
async def watching(client: httpx.AsyncClient, query: str = "", **headers: str) -> AsyncIterator[Events]:
    async with client.stream("GET", f"/v1/watch?{query}", headers=headers) as response:
        if response.status_code != 200:
            await response.aread()
            raise AssertionError(response.text)
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)


async def snapshot(client: httpx.AsyncClient, query: str = f"subjects={ALL}") -> dict[str, Any]:
    answer = await client.get(f"/v1/snapshot?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def merged(rows: dict[str, dict[str, Any]], told: dict[str, Any]) -> None:
    """What a client does with a change."""
    for each in told["changes"]:
        subject = rows.setdefault(each["subject"], {})
        if each["row"] is None:
            subject.pop(each["id"], None)
        else:
            subject[each["id"]] = each["row"]


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("watched"), token=TOKEN) as found:
        yield found


@pytest.fixture
def client(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[0]


@pytest.fixture
def node(nodes: Nodes) -> Node:
    return nodes.nodes[0]


async def test_a_watch_tells_a_change_under_its_index(client: httpx.AsyncClient) -> None:
    async with watching(client, "subjects=variables") as events:
        number, kind, data = await events.next()
        assert (kind, data["node"], data["leader"]) == ("ready", "n1", "n1")
        assert number == data["index"]
        put = await client.put("/v1/variables/w.one", json={"value": {"a": 1}})
        number, kind, data = await events.next()
        assert (kind, number) == ("change", put.json()["revision"])
        assert data == {
            "index": number,
            "changes": [{"subject": "variables", "id": "w.one", "kind": "variable.set", "row": put.json()}],
        }
        await client.delete("/v1/variables/w.one")
        _, _, data = await events.next()
        assert data["changes"] == [{"subject": "variables", "id": "w.one", "kind": "variable.deleted", "row": None}]


async def furnish(client: httpx.AsyncClient) -> None:
    """A row at least in every subject."""
    for each in ("p1", "p2"):
        body = {"id": each, "name": each, "address": f"http://127.0.0.1:9/{each}", "groups": ["named"]}
        assert (await client.post("/v1/components", json=body)).is_success
    text = "name: hello\nactions:\n  - type: log_event\n    message: hello\n"
    processor = {"id": "f1", "capabilities": ["faces"], "capacity": 4, "queue": "frames:ready:f1"}
    silence = {"rule": "none", "subject": "p1", "for_s": 3600, "by": "Ada", "reason": "test"}
    rule = {"condition": {"kind": "metric", "name": "heat", "above": 250}, "severity": "error"}
    for method, path, body in (
        ("PUT", "/v1/groups/put", {"components": ["p1"]}),
        ("PUT", "/v1/groups/outer", {"groups": ["put"]}),
        ("PUT", "/v1/components/p1/policy", {"depends_on": ["p2"]}),
        ("PUT", "/v1/playbooks/hello", {"text": text}),
        ("POST", "/v1/playbooks/hello/runs", {}),
        ("POST", "/v1/processors/register", processor),
        ("PUT", "/v1/variables/w.two", {"value": [1, None, "ü"]}),
        ("POST", "/v1/silences", silence),
        ("PUT", "/v1/alert-rules/hot", rule),
    ):
        answer = await client.request(method, path, json=body)
        assert answer.is_success, (path, answer.text)


async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """By subject what the lists show, as a follower answers them."""
    found = {}
    for subject, path, key in (
        ("components", "/v1/components", "id"),
        ("groups", "/v1/groups", "name"),
        ("playbooks", "/v1/playbooks", "name"),
        ("processors", "/v1/processors", "id"),
        ("variables", "/v1/variables", "name"),
        ("alerts", "/v1/alerts?state=all", "id"),
        ("silences", "/v1/silences", "id"),
        ("alert_rules", "/v1/alert-rules", "name"),
        ("cluster", "/v1/cluster/members", "id"),
    ):
        rows = (await client.get(path)).json()
        found[subject] = {row[key]: row for row in rows if row[key] is not None}
    found["policies"] = {"p1": (await client.get("/v1/components/p1/policy")).json()}
    executions = (await client.get("/v1/executions")).json()["executions"]
    found["executions"] = {row["id"]: row for row in executions}
    lines = (await client.get("/v1/events")).json()["events"]
    found["journal"] = {str(row["number"]): row for row in lines}
    return found


async def test_a_snapshot_has_the_rows_of_the_lists(client: httpx.AsyncClient) -> None:
    await furnish(client)

    async def ended() -> bool:
        rows = (await client.get("/v1/executions")).json()["executions"]
        return all(row["status"] == "SUCCEEDED" for row in rows)

    await eventually(ended, deadline_s=10)
    lists = await listed(client)
    taken = await snapshot(client)
    shown = taken["subjects"]
    shown["cluster"] = {name: row for name, row in shown["cluster"].items() if not name.startswith("@")}
    assert set(shown) == set(ALL.split(","))
    for subject, rows in lists.items():
        assert shown[subject] == rows, subject


async def test_a_snapshot_and_what_changed_since_are_a_snapshot_later(client: httpx.AsyncClient) -> None:
    taken = await snapshot(client)
    async with watching(client, f"subjects={ALL}&after={taken['index']}") as events:
        await client.delete("/v1/components/p2")
        await client.put("/v1/components/p1/maintenance", json={"reason": "belt", "by": "Ada"})
        await client.delete("/v1/groups/outer")
        await client.post("/v1/playbooks/hello/runs", json={})
        silences = (await client.get("/v1/silences")).json()
        await client.delete(f"/v1/silences/{silences[0]['id']}")
        await client.delete("/v1/alert-rules/hot")
        await client.post("/v1/processors/f1/drain")
        last = (await client.put("/v1/variables/w.last", json={"value": 0})).json()["revision"]
        told = [taken["index"]]
        while told[-1] < last:
            number, _, data = await events.next("change")
            assert number == data["index"]
            told.append(number)
            merged(taken["subjects"], data)
        assert told == sorted(set(told))

        async def quiet() -> bool:
            later = await snapshot(client)
            while told[-1] < later["index"] and later["subjects"] != taken["subjects"]:
                number, _, data = await events.next("change")
                told.append(number or 0)
                merged(taken["subjects"], data)
            return later["subjects"] == taken["subjects"]

        await eventually(quiet, deadline_s=10)
