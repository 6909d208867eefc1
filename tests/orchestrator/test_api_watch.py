"""`/v1/snapshot` and `/v1/watch` on real nodes: one index, each change once and in order, on any node; and refusals."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from orchestrator.access.principal import CLUSTER, OPEN
from orchestrator.api import watch_hub, watcher
from orchestrator.api.watcher import Watcher
from orchestrator.node import Node
from orchestrator.variables import Set
from orchestrator.watching import mailbox
from tests.orchestrator.api_nodes import TOKEN, Nodes, joining, serving
from tests.support import eventually, eventually_sync

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


async def test_an_index_that_fell_off_what_is_held_is_refused_with_where_to_begin(
    nodes: Nodes, client: httpx.AsyncClient, node: Node
) -> None:
    held = node.cluster.settings.watch_changes
    known = await snapshot(client, "subjects=variables")
    first = int((await client.put("/v1/variables/w.first", json={"value": 0})).json()["revision"])
    for start in range(0, held, 500):
        sets = (Set.of(f"w.many{number % 20}", number) for number in range(start, start + 500))
        await asyncio.gather(*(node.propose(Set.kind, each) for each in sets))
    second = int((await client.put("/v1/variables/w.second", json={"value": 0})).json()["revision"])

    for query, headers in ((f"after={known['index']}", {}), ("", {"Last-Event-ID": str(first - 1)})):
        # As a stream: one that is not refused has no end.
        async with client.stream("GET", f"/v1/watch?subjects=variables&{query}", headers=headers) as refused:
            assert refused.status_code == 410
            document = json.loads(await refused.aread())
        assert (document["code"], document["snapshot"]) == ("compacted", "/v1/snapshot")
        assert document["index"] >= second
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(
            f"{nodes.urls[0].replace('http', 'ws')}/v1/watch?subjects=variables&after={first - 1}",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
        )
    assert refusal.value.response.status_code == 410
    assert json.loads(refusal.value.response.body or b"{}")["snapshot"] == "/v1/snapshot"

    # What is held is told: of all that was written the newest, once.
    oldest = second - held // 2
    async with watching(client, f"subjects=variables&after={oldest}") as events:
        told: list[int] = []
        while not told or told[-1] < second:
            told.append((await events.next("change"))[0] or 0)
    assert told == sorted(set(told))
    assert len(told) > held // 3
    # And the snapshot that was named is where it goes on from.
    taken = await snapshot(client, "subjects=variables")
    assert taken["index"] >= document["index"]
    assert {"w.first", "w.second", "w.many19"} <= set(taken["subjects"]["variables"])
    async with watching(client, f"subjects=variables&after={taken['index']}") as events:
        put = await client.put("/v1/variables/w.third", json={"value": 1})
        number, _, data = await events.next("change")
        merged(taken["subjects"], data)
    assert number == put.json()["revision"]
    assert (await snapshot(client, "subjects=variables"))["subjects"] == taken["subjects"]


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
    furniture: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/v1/groups/put", {"components": ["p1"]}),
        ("PUT", "/v1/groups/outer", {"groups": ["put"]}),
        ("PUT", "/v1/components/p1/policy", {"depends_on": ["p2"]}),
        ("PUT", "/v1/playbooks/hello", {"text": text}),
        ("POST", "/v1/playbooks/hello/runs", {}),
        ("POST", "/v1/processors/register", processor),
        ("PUT", "/v1/variables/w.two", {"value": [1, None, "ü"]}),
        ("POST", "/v1/silences", silence),
        ("PUT", "/v1/alert-rules/hot", rule),
    ]
    for method, path, body in furniture:
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

    async def the_same() -> bool:
        """The plant goes on between the looks: components and processors fall silent, alerts come and go."""
        lists = await listed(client)
        shown = (await snapshot(client))["subjects"]
        shown["cluster"] = {name: row for name, row in shown["cluster"].items() if not name.startswith("@")}
        assert set(shown) == set(ALL.split(","))
        for subject, rows in lists.items():
            assert shown[subject] == rows, subject
        return True

    await eventually(the_same, deadline_s=20)


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
            return bool(later["subjects"] == taken["subjects"])

        await eventually(quiet, deadline_s=10)


async def test_a_watch_goes_on_from_an_index(client: httpx.AsyncClient) -> None:
    revisions = [(await client.put("/v1/variables/w.on", json={"value": n})).json()["revision"] for n in range(5)]
    for headers, query in (({"Last-Event-ID": str(revisions[1])}, ""), ({}, f"&after={revisions[1]}")):
        async with watching(client, f"subjects=variables{query}", **headers) as events:
            assert (await events.next())[2]["index"] == revisions[1]
            for expected in revisions[2:]:
                number, _, data = await events.next("change")
                assert number == expected
                # As of the change, or newer.
                assert data["changes"][0]["row"]["revision"] >= expected


async def test_only_what_is_asked_for_is_told(client: httpx.AsyncClient) -> None:
    async with watching(client, "subjects=alert_rules") as events:
        await events.next("ready")
        await client.put("/v1/variables/w.other", json={"value": 1})
        rule = {"condition": {"kind": "metric", "name": "heat", "above": 250}, "severity": "error"}
        await client.put("/v1/alert-rules/warm", json=rule)
        _, _, data = await events.next("change")
        assert [(each["subject"], each["id"]) for each in data["changes"]] == [("alert_rules", "warm")]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("after=999999999", 422, "invalid_cursor"),
        ("after=x", 422, "invalid_cursor"),
        ("after=-1", 422, "invalid_cursor"),
        ("after=1234567890123456789", 422, "invalid_cursor"),
        ("subjects=nothing", 422, "invalid_request"),
        ("subjects=,", 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_watched_is_refused(
    client: httpx.AsyncClient, query: str, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "BEHIND_S", 0.1)
    answer = await client.get(f"/v1/watch?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_node_that_knows_no_leader_sends_its_watchers_on(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "CHECK_S", 0.05)
    monkeypatch.setattr(watcher, "LEADERLESS_S", 0.3)
    async with joining(nodes, "n4", tmp_path) as (_, lonely), watching(lonely, "subjects=variables") as events:
        _, _, ready = await events.next("ready")
        assert ready["leader"] is None
        _, _, lost = await events.next("lost")
        assert (lost["reason"], lost["index"]) == ("no_leader", ready["index"])
        with pytest.raises(EOFError):
            await events.next()


async def test_a_watcher_is_kept_through_elections() -> None:
    now = time.monotonic()
    client = Watcher(frozenset(["variables"]), OPEN, None)
    assert not client.forsaken(now + 9, led=False)
    assert not client.forsaken(now + 12, led=True)
    assert not client.forsaken(now + 21, led=False)
    assert client.forsaken(now + 22.1, led=False)


async def test_a_watch_without_a_body_ends(client: httpx.AsyncClient) -> None:
    answer = await client.head("/v1/watch")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_watch_needs_the_token(nodes: Nodes) -> None:
    async with httpx.AsyncClient(base_url=nodes.urls[0], trust_env=False) as stranger:
        for path in ("/v1/watch", "/v1/snapshot", "/v1/figures"):
            assert (await stranger.get(path)).status_code == 401


async def test_a_large_snapshot_is_compressed_for_those_who_take_it(client: httpx.AsyncClient) -> None:
    await client.put("/v1/variables/w.long", json={"value": "x" * 10_000})
    for accepted, encoding in (("gzip", "gzip"), ("gzip;q=0", None), ("identity", None)):
        answer = await client.get("/v1/snapshot?subjects=variables", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == encoding
        assert len(answer.json()["subjects"]["variables"]["w.long"]["value"]) == 10_000


async def test_figures_come_while_somebody_watches_them(client: httpx.AsyncClient) -> None:
    async with watching(client, "subjects=figures") as events:
        number, kind, data = await events.next("figures")
        assert number is None
        assert (data["node"], data["leader"], data["figures_of"]) == ("n1", "n1", "n1")
        assert data["staleness_s"] < 5
        assert data["frames"]["ledger"]["published"] == 0
        assert data["components"]["total"] == sum(data["components"]["states"].values())
        assert kind == "figures"
    asked = (await client.get("/v1/figures")).json()
    assert asked.keys() == data.keys()


async def test_the_leader_notes_that_it_leads(client: httpx.AsyncClient) -> None:
    async def noted() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await client.get("/v1/cluster/leaderships")).json()
        return found

    rows = await eventually(noted, deadline_s=10)
    assert [(row["node"], row["reason"], row["gap_s"]) for row in rows] == [("n1", "start", None)]
    told = (await snapshot(client, "subjects=cluster"))["subjects"]["cluster"]
    assert told[f"@{rows[0]['epoch']}"] == rows[0]
    assert told["@claim"]["leader"] == "n1"
    assert told["@claim"]["members"] == ["n1"]


async def test_a_watch_by_websocket(nodes: Nodes) -> None:
    client, url = nodes.clients[0], nodes.urls[0].replace("http", "ws") + "/v1/watch?subjects=variables"
    async with websockets.connect(
        url, subprotocols=[websockets.Subprotocol("triarch.watch"), websockets.Subprotocol(f"triarch.bearer.{TOKEN}")]
    ) as speaking:
        assert speaking.subprotocol == "triarch.watch"
        ready = json.loads(await speaking.recv())
        assert (ready["event"], ready["data"]["node"]) == ("ready", "n1")
        await speaking.send("nobody listens to this")
        put = await client.put("/v1/variables/w.socket", json={"value": 1})
        told = json.loads(await speaking.recv())
        assert (told["id"], told["event"]) == (put.json()["revision"], "change")
        assert told["data"]["changes"][0]["row"] == put.json()


@pytest.mark.parametrize(
    ("query", "token", "status", "code"),
    [("", "wrong", 401, "unauthorised"), ("?subjects=none", TOKEN, 422, "invalid_request"),
     ("?after=999999999", TOKEN, 422, "invalid_cursor")],
)  # fmt: skip
async def test_a_websocket_that_is_refused_gets_a_problem_document(
    nodes: Nodes, query: str, token: str, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "BEHIND_S", 0.1)
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(
            nodes.urls[0].replace("http", "ws") + "/v1/watch" + query,
            additional_headers={"Authorization": f"Bearer {token}"},
        )
    assert refusal.value.response.status_code == status
    assert json.loads(refusal.value.response.body or b"{}")["code"] == code


async def test_what_came_without_a_call_is_taken_before_nothing_is_said() -> None:
    watcher = Watcher(frozenset({"variables"}), OPEN, None)
    waiting = asyncio.create_task(watcher.next(0.05))
    await asyncio.sleep(0)
    watcher.put(mailbox.Message("change", b"{}", 7))
    assert [each.index for each in await waiting] == [7]
    assert await watcher.next(0.01) == []


async def test_who_is_ahead_of_the_node_is_told_nothing_twice(node: Node) -> None:
    """It comes with an index, of another node or of a snapshot, that this one has applied and not passed on yet."""
    hub, subjects = node._app.state.watching, frozenset({"variables"})  # type: ignore[union-attr]
    # Not OPEN: the look at tokens, once a second, ends the stream of one that shows none where one is asked for.
    behind = await hub.join(subjects, None, CLUSTER, None)
    setting = asyncio.create_task(node.propose(Set.kind, Set.of("w.ahead", 1)))
    await asyncio.sleep(0)  # it is on its way; until it is applied nothing else has its turn on this loop
    row = eventually_sync(lambda: node.state.variables.get("w.ahead"))
    assert row is not None
    eventually_sync(lambda: node.cluster.status().applied_index >= row.revision)
    assert hub.looked < row.revision
    ahead = await hub.join(subjects, row.revision, CLUSTER, None)
    await setting
    last = (await node.propose(Set.kind, Set.of("w.ahead", 2))).position.index

    async def told(watcher: Watcher) -> list[int | None]:
        found: list[int | None] = []
        async with asyncio.timeout(10):
            while last not in found:
                assert not watcher.ended
                found += [each.index for each in await watcher.next(1)]
        return found

    try:
        assert (await told(behind), await told(ahead)) == ([row.revision, last], [last])
    finally:
        hub.leave(behind)
        hub.leave(ahead)


async def test_no_more_than_so_many_watch_by_one_node(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "WATCHERS_MAX", 2)
    async with watching(client) as first, watching(client) as second:
        await first.next("ready")
        await second.next("ready")
        answer = await client.get("/v1/watch")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_followers")

    async def room() -> bool:
        async with client.stream("GET", "/v1/watch") as again:
            return again.status_code == 200

    await eventually(room, deadline_s=10)


async def test_one_that_takes_nothing_is_cut(
    nodes: Nodes, client: httpx.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "CUT_S", 0.2)
    monkeypatch.setattr(mailbox, "BYTES_MAX", 60_000)
    hub = node._app.state.watching  # type: ignore[union-attr]
    port = int(nodes.urls[0].rpartition(":")[2])
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=1 << 10)
    request = f"GET /v1/watch?subjects=variables HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    writer.write(request.encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = hub.count
    value = "x" * 16_000

    async def gone() -> bool:
        await asyncio.gather(*(client.put(f"/v1/variables/w.flood{n}", json={"value": value}) for n in range(50)))
        return bool(hub.count < before)

    await eventually(gone, deadline_s=30)
    writer.close()


async def test_a_stream_ends_with_its_token_and_tells_only_what_it_may(nodes: Nodes, client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/tokens", json={"name": "looks", "role": "viewer"})).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    async with httpx.AsyncClient(base_url=nodes.urls[0], headers=headers, trust_env=False, timeout=10) as viewer:
        for path in ("/v1/watch", "/v1/snapshot"):
            refused = await viewer.get(f"{path}?subjects=variables,tokens")
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        usual = await snapshot(viewer, "")
        assert "tokens" not in usual["subjects"]
        async with watching(viewer, "subjects=variables") as events:
            await events.next("ready")
            assert (await client.delete(f"/v1/tokens/{made['id']}")).is_success
            _, _, data = await events.next("lost")
            assert data["reason"] == "token"
            with pytest.raises(EOFError):
                await events.next()
    shown = (await snapshot(client, "subjects=tokens"))["subjects"]["tokens"]
    listed = (await client.get("/v1/tokens")).json()
    assert shown == {row["id"]: row for row in listed}


async def test_the_audit_is_watched_entry_by_entry(client: httpx.AsyncClient) -> None:
    async with watching(client, "subjects=audit,variables") as events:
        await events.next("ready")
        put = (await client.put("/v1/variables/w.audited", json={"value": 1})).json()
        _, _, data = await events.next("change")
        told = {each["subject"]: each["row"] for each in data["changes"]}
        assert told["variables"] == put
        assert (told["audit"]["kind"], told["audit"]["id"]) == ("variable.set", "w.audited")
    number = str(told["audit"]["number"])
    assert (await snapshot(client, "subjects=audit"))["subjects"]["audit"][number] == told["audit"]
