"""Playbooks, executions and the journal of one real node, whose leader runs them, and every way to be refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.api import following
from orchestrator.cli.following import Told, events_of
from orchestrator.playbooks.library import TEXT_BYTES_MAX
from tests.orchestrator.api_nodes import Nodes, serving
from tests.orchestrator.test_api_node import assert_problem
from tests.support import eventually

pytestmark = pytest.mark.anyio

YAML = {"Content-Type": "application/yaml"}
TEXT = """\
name: {name}
inputs:
  who: {{type: string, required: true}}
  speed: {{type: number, default: 3}}
concurrency: {{limit: 50}}
actions:
  - type: log_event
    message: "hello {{{{ inputs.who }}}}"
    level: warning
  - type: approve
    id: gate
    message: "go on with {{{{ inputs.speed }}}}?"
  - type: wait_for_signal
    signal: tool
    timeout: 1m
finally:
  - {{type: log_event, message: bye}}
"""


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("playbooks")) as found:
        yield found


@pytest.fixture
def http(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[0]


async def put(http: httpx.AsyncClient, name: str, text: str = TEXT, **headers: str) -> httpx.Response:
    return await http.put(f"/v1/playbooks/{name}", content=text.format(name=name), headers={**YAML, **headers})


async def run(http: httpx.AsyncClient, name: str, **inputs: Any) -> str:
    """The path of an execution of a playbook, which is put first, when it waits for approval."""
    assert (await put(http, name)).is_success
    answer = await http.post(f"/v1/playbooks/{name}/runs", json={"inputs": {"who": "Ada", **inputs}})
    assert answer.status_code == 202, answer.text
    at = str(answer.headers["Location"])
    await eventually(lambda: waits(http, at, "actions/1"))
    return at


async def waits(http: httpx.AsyncClient, at: str, path: str) -> bool:
    steps = {step["path"]: step for step in (await http.get(at)).json()["steps"]}
    return path in steps and bool(steps[path]["waiting"])


async def ends(http: httpx.AsyncClient, at: str) -> dict[str, Any]:
    async def ended() -> bool:
        return (await http.get(at)).json()["ended"] is not None

    await eventually(ended)
    row: dict[str, Any] = (await http.get(at)).json()
    return row


async def follow(http: httpx.AsyncClient, path: str, last: int | None = None, count: int | None = None) -> list[Told]:
    """Events until the stream's end, or so many of them."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    found: list[Told] = []
    async with http.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines: list[str] = []
        async for line in answer.aiter_lines():
            lines.append(line)
            if not line:
                found += [told for told in events_of(iter(lines)) if told.kind]
                lines = []
                if len(found) == count:
                    break
    return found


# ── Playbooks ────────────────────────────────


async def test_a_playbook_from_its_first_version_to_its_end(http: httpx.AsyncClient) -> None:
    path = "/v1/playbooks/life"
    assert_problem(await http.get(path), 404, "playbook_unknown")
    made = await put(http, "life", **{"If-None-Match": "*"})
    assert (made.status_code, made.headers["ETag"], made.json()["changed"]) == (201, '"1"', True)
    again = await http.put(path, json={"text": TEXT.format(name="life")})
    assert (again.status_code, again.json()["version"], again.json()["changed"]) == (200, 1, False)
    longer = TEXT.format(name="life") + "description: newer\n"
    assert (await http.put(f"{path}?dry_run=true", content=longer, headers=YAML)).json()["changed"] is True
    second = await http.put(f"{path}?who=Ada", content=longer, headers={**YAML, "If-Match": '"1"'})
    assert (second.status_code, second.headers["ETag"]) == (200, '"2"')

    for stale in ({"If-Match": '"1"'}, {"If-None-Match": "*"}):
        answer = await http.put(path, content=longer + "\n", headers={**YAML, **stale})
        assert assert_problem(answer, 412, "precondition_failed")["version"] == 2
    row = (await http.get(path)).json()
    assert (row["text"], row["description"], row["version"]) == (longer, "newer", 2)
    assert [(each["version"], each["who"], each["current"]) for each in row["versions"]] == [
        (2, "Ada", True),
        (1, "", False),
    ]
    assert (await http.get(path, params={"version": 1})).json()["text"] == TEXT.format(name="life")
    assert_problem(await http.get(path, params={"version": 9}), 404, "playbook_unknown")
    [listed] = [row for row in (await http.get("/v1/playbooks")).json() if row["name"] == "life"]
    assert (listed["version"], listed["inputs"], listed["problem"]) == (2, ["who", "speed"], "")

    assert_problem(await http.delete(path, headers={"If-Match": '"1"'}), 412, "precondition_failed")
    assert (await http.delete(path, headers={"If-Match": '"2"'})).status_code == 204
    assert_problem(await http.delete(path), 404, "playbook_unknown")


async def test_a_text_that_is_wrong_is_refused_with_each_place(http: httpx.AsyncClient) -> None:
    text = "name: bad\nactions:\n  - type: nonsense\n  - type: log_event\n    mesage: hi\n"
    document = assert_problem(await http.put("/v1/playbooks/bad", content=text, headers=YAML), 422, "playbook_invalid")
    places = {(each["file"], each["line"], each["field"]) for each in document["errors"]}
    assert ("bad.yaml", 3, "actions[0].type") in places
    assert any(line == 5 and "mesage" in field for _, line, field in places), places
    assert all(each["location"] and each["column"] >= 1 for each in document["errors"])
    document = assert_problem(await put(http, "other", TEXT.replace("{name}", "mine")), 422, "playbook_invalid")
    assert document["errors"][0]["location"] == "name"
    assert_problem(await http.get("/v1/playbooks/bad"), 404, "playbook_unknown")


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"\xff\xfe", "application/yaml", 422, "invalid_request"),
        (b"{", "application/json", 422, "invalid_request"),
        (b'{"text": 1}', "application/json", 422, "invalid_request"),
        (b'{"text": "a", "more": 1}', "application/json", 422, "invalid_request"),
        (b'{"text": "\\ud800"}', "application/json", 422, "invalid_request"),
        (b"x", "image/png", 422, "invalid_request"),
        (b"", "application/yaml", 422, "playbook_invalid"),
        (b"a: &a [*a]", "application/yaml", 422, "playbook_invalid"),
        (b"#" * (TEXT_BYTES_MAX + 1), "application/yaml", 413, "playbook_too_large"),
        (b"#" * (1 << 21), "application/yaml", 413, "body_too_large"),
    ],
)
async def test_bodies_that_are_no_playbook(
    http: httpx.AsyncClient, content: bytes, kind: str, status: int, code: str
) -> None:
    answer = await http.put("/v1/playbooks/odd", content=content, headers={"Content-Type": kind})
    assert_problem(answer, status, code)


async def test_a_cycle_is_refused_by_name(http: httpx.AsyncClient) -> None:
    def calling(name: str) -> str:
        return "name: {name}\nactions:\n  - {{type: execute_scenario, name: " + name + "}}\n"

    assert (await put(http, "ring-a", calling("ring-b"))).status_code == 201
    document = assert_problem(await put(http, "ring-b", calling("ring-a.yaml")), 422, "playbook_cycle")
    assert document["cycle"] == ["ring-b", "ring-a", "ring-b"]
    assert_problem(await put(http, "ring-c", calling("ring-c")), 422, "playbook_cycle")
    assert (await put(http, "ring-b", calling("ring-d"))).status_code == 201


@pytest.mark.parametrize("name", ["-x", "a b", "a" * 101])
async def test_names_that_are_none(http: httpx.AsyncClient, name: str) -> None:
    assert_problem(await http.get(f"/v1/playbooks/{name}"), 422, "invalid_request")


# ── Running ────────────────────────────────


async def test_inputs_are_checked_before_anything_starts(http: httpx.AsyncClient) -> None:
    await put(http, "asked")
    before = (await http.get("/v1/executions", params={"playbook": "asked"})).json()["executions"]
    for verb in ("runs", "plan"):
        path = f"/v1/playbooks/asked/{verb}"
        document = assert_problem(
            await http.post(path, json={"inputs": {"speed": "fast", "x": 1}}), 422, "inputs_invalid"
        )
        assert {(each["location"], each["type"]) for each in document["errors"]} == {
            ("body.inputs.x", "unknown"),
            ("body.inputs.speed", "wrong_type"),
            ("body.inputs.who", "missing"),
        }
        odd = await http.post(path, content='{"inputs": {"\\ud800": 1}}', headers={"Content-Type": "application/json"})
        assert_problem(odd, 422, "inputs_invalid")
        assert_problem(await http.post("/v1/playbooks/nobody/" + verb, json={}), 404, "playbook_unknown")
        assert_problem(await http.post(path, json={"input": {}}), 422, "invalid_request")
    assert (await http.get("/v1/executions", params={"playbook": "asked"})).json()["executions"] == before == []


async def test_a_repeat_under_one_key_starts_nothing(http: httpx.AsyncClient) -> None:
    await put(http, "once")
    body = {"inputs": {"who": "Ada"}}
    answers = await asyncio.gather(
        *(http.post("/v1/playbooks/once/runs", json=body, headers={"Idempotency-Key": "k"}) for _ in range(5))
    )
    meanwhile = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["code"] for answer in meanwhile} <= {"key_in_flight"}
    answers = [answer for answer in answers if answer not in meanwhile]
    answers.append(await http.post("/v1/playbooks/once/runs", json=body, headers={"Idempotency-Key": "k"}))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    other = await http.post(
        "/v1/playbooks/once/runs", json={"inputs": {"who": "Bob"}}, headers={"Idempotency-Key": "k"}
    )
    assert_problem(other, 422, "key_reused")
    found = (await http.get("/v1/executions", params={"playbook": "once"})).json()["executions"]
    assert len(found) == 1


async def test_a_plan_moves_nothing(http: httpx.AsyncClient) -> None:
    await put(http, "planned")
    answer = await http.post("/v1/playbooks/planned/plan", json={"inputs": {"who": "Ada"}})
    assert [step["path"] for step in answer.json()["steps"]] == ["actions/0", "actions/1", "actions/2", "finally/0"]
    assert answer.json()["steps"][0]["does"]["message"] == "hello Ada"
    assert (await http.get("/v1/executions", params={"playbook": "planned"})).json()["executions"] == []


async def test_a_plan_sees_what_components_measure(http: httpx.AsyncClient) -> None:
    text = (
        "name: warm\nactions: [{{type: log_event, when: components.oven.metrics.heat < 60,"
        " message: 'at {{{{ components.oven.metrics.heat }}}}'}}]\n"
    )
    assert (await put(http, "warm", text)).is_success
    await http.post("/v1/components", json={"id": "oven", "address": "http://127.0.0.1:9"})
    before = (await http.post("/v1/playbooks/warm/plan")).json()["steps"][0]
    assert "known only when the step begins" in before["problem"]
    beat = {"type": "component.heartbeat", "source": "oven", "payload": {"state": "READY", "metrics": {"heat": 20}}}
    assert (await http.post("/event", json=beat)).status_code == 204
    step = (await http.post("/v1/playbooks/warm/plan")).json()["steps"][0]
    assert (step["problem"], step["runs"], step["does"]["message"]) == ("", True, "at 20.0")


async def test_an_execution_is_led_to_its_end(http: httpx.AsyncClient) -> None:
    at = await run(http, "led")
    row = (await http.get(at)).json()
    assert (row["status"], row["inputs"]) == ("RUNNING", {"who": "Ada", "speed": 3})
    assert row["steps"][1]["waiting"] == "approval: go on with 3?"
    assert (await http.post(f"{at}/approve", json={"who": "Eve", "comment": "seen"})).json()["status"] == "RUNNING"
    await eventually(lambda: waits(http, at, "actions/2"))
    assert (await http.post(f"{at}/signal", json={"name": "tool", "value": {"id": "T4"}})).status_code == 200
    row = await ends(http, at)
    assert (row["status"], row["error"]) == ("SUCCEEDED", "")
    values = {step["path"]: step["value"] for step in row["steps"]}
    assert values["actions/1"] == {"who": "Eve", "comment": "seen"}
    assert values["actions/2"] == {"id": "T4"}
    assert row["created"] <= row["steps"][0]["started"] <= row["ended"]
    lines = (await http.get("/v1/events", params={"execution": row["id"], "limit": 10})).json()["events"]
    assert [line["message"] for line in reversed(lines)] == ["hello Ada", "go on with 3?", "bye"]


async def test_controls_against_the_state_are_refused_with_the_state(http: httpx.AsyncClient) -> None:
    at = await run(http, "ruled")
    name = at.rpartition("/")[2]
    for action, body, status, code in (
        ("resume", {}, 409, "execution_not_paused"),
        ("retry", {}, 409, "execution_not_ended"),
        ("approve", {"path": "actions/9"}, 404, "step_unknown"),
        ("reject", {"path": "actions/0"}, 409, "step_not_waiting"),
        ("signal", {"name": "no blanks"}, 422, "invalid_request"),
        ("signal", {"name": "big", "value": "x" * 20_000}, 413, "variable_too_large"),
        ("pause", {"reason": "x"}, 422, "invalid_request"),
    ):
        assert_problem(await http.post(f"{at}/{action}", json=body), status, code)
    assert (await http.post(f"{at}/pause")).json()["status"] == "PAUSED"
    document = assert_problem(await http.post(f"{at}/pause"), 409, "execution_not_running")
    assert f"{name} is PAUSED" in document["detail"]
    assert (await http.post(f"{at}/resume")).json()["status"] == "RUNNING"
    assert (await http.post(f"{at}/reject", json={"comment": "door open"})).status_code == 200
    row = await ends(http, at)
    assert (row["status"], row["code"]) == ("FAILED", "rejected")
    for action in ("pause", "resume", "cancel", "approve"):
        assert "FAILED" in assert_problem(await http.post(f"{at}/{action}"), 409, "execution_ended")["detail"]
    for action in ("pause", "retry", "signal"):
        body = {"name": "x"} if action == "signal" else {}
        assert_problem(await http.post(f"/v1/executions/nobody/{action}", json=body), 404, "execution_unknown")
    assert (await http.post(f"{at}/retry")).json()["status"] == "RUNNING"
    await eventually(lambda: waits(http, at, "actions/1"))
    assert (await http.post(f"{at}/cancel", json={"comment": "enough"})).status_code == 200
    row = await ends(http, at)
    assert (row["status"], row["error"]) == ("CANCELLED", "enough")
    assert row["steps"][-1]["path"] == "finally/0"


async def test_a_retry_has_no_place_beyond_the_limit(http: httpx.AsyncClient) -> None:
    text = TEXT.replace("limit: 50", "limit: 1")
    assert (await put(http, "single", text)).is_success
    ways = []
    for _ in range(2):
        answer = await http.post("/v1/playbooks/single/runs", json={"inputs": {"who": "Ada"}})
        ways.append(str(answer.headers["Location"]))
    first, second = ways
    await eventually(lambda: waits(http, first, "actions/1"))
    await http.post(f"{first}/reject")
    assert (await ends(http, first))["status"] == "FAILED"
    await eventually(lambda: waits(http, second, "actions/1"))
    detail = assert_problem(await http.post(f"{first}/retry"), 409, "execution_skipped")["detail"]
    assert second.rpartition("/")[2] in detail
    await http.post(f"{second}/cancel", json={"force": True})
    key = {"Idempotency-Key": "retry-once"}
    assert (await http.post(f"{first}/retry", headers=key)).json()["status"] == "RUNNING"
    await http.post(f"{first}/cancel", json={"force": True})
    assert (await http.post(f"{second}/retry")).json()["status"] == "RUNNING"
    # A repeat is answered as the first time, whatever runs by now.
    assert (await http.post(f"{first}/retry", headers=key)).json()["status"] == "RUNNING"
    assert (await ends(http, first))["status"] == "CANCELLED"
    await http.post(f"{second}/cancel", json={"force": True})
    assert (await ends(http, second))["status"] == "CANCELLED"
    both = await asyncio.gather(*(http.post(f"{way}/retry") for way in ways))  # of two at once one sees the last place
    assert sorted(answer.status_code for answer in both) == [200, 409]
    for way in ways:
        await http.post(f"{way}/cancel", json={"force": True})


async def test_lists_are_pages_of_one_query(http: httpx.AsyncClient) -> None:
    made = [(await run(http, "many")).rpartition("/")[2] for _ in range(3)]
    await http.post(f"/v1/executions/{made[1]}/cancel", json={"force": True})
    query: dict[str, Any] = {"playbook": "many", "limit": 2}
    first = (await http.get("/v1/executions", params=query)).json()
    assert [row["id"] for row in first["executions"]] == [made[2], made[1]]
    second = (await http.get("/v1/executions", params={**query, "cursor": first["cursor"]})).json()
    assert ([row["id"] for row in second["executions"]], second["cursor"]) == ([made[0]], None)
    gone = (await http.get("/v1/executions", params={"playbook": "many", "status": ["CANCELLED", "FAILED"]})).json()
    assert [row["id"] for row in gone["executions"]] == [made[1]]
    other = {"playbook": "asked", "cursor": first["cursor"]}
    assert_problem(await http.get("/v1/executions", params=other), 422, "invalid_cursor")
    assert_problem(await http.get("/v1/executions", params={"cursor": "x"}), 422, "invalid_cursor")
    assert_problem(await http.get("/v1/executions", params={"status": "ASLEEP"}), 422, "invalid_request")
    assert_problem(await http.get("/v1/executions/nobody"), 404, "execution_unknown")


# ── Following ────────────────────────────────


async def test_following_from_any_place_tells_the_same_story(http: httpx.AsyncClient) -> None:
    at = await run(http, "followed")
    path = f"{at}/follow"
    [snapshot] = await follow(http, path, count=1)
    assert (snapshot.kind, snapshot.data["status"]) == ("snapshot", "RUNNING")
    whole = asyncio.create_task(follow(http, path, int(snapshot.index)))
    await http.post(f"{at}/pause")
    await http.post(f"{at}/resume")
    await http.post(f"{at}/reject")
    row = await ends(http, at)
    told = await whole
    indexes = [int(each.index) for each in told]
    assert indexes == sorted(set(indexes))
    assert [each.kind for each in told] == ["changed"] * (len(told) - 1) + ["ended"]
    assert (told[-1].data["status"], indexes[-1]) == ("FAILED", row["index"])
    assert [each.data["revision"] for each in told] == list(range(snapshot.data["revision"] + 1, row["revision"] + 1))
    for place, index in enumerate(indexes[:-1]):
        assert await follow(http, path, index) == told[place + 1 :]
    assert (await http.get(path, headers={"Last-Event-ID": str(indexes[-1])})).status_code == 204
    [only] = await follow(http, path)
    assert (only.kind, only.data["status"]) == ("snapshot", "FAILED")

    # Retried, it has not ended there: who was away meanwhile hears of both.
    await http.post(f"{at}/retry")
    await http.post(f"{at}/cancel", json={"force": True})
    longer = await follow(http, path, indexes[0])
    assert [each.kind for each in longer[:-1]] == ["changed"] * (len(longer) - 1)
    assert [each.data["status"] for each in longer].count("FAILED") == 1
    assert (longer[-1].kind, longer[-1].data["status"]) == ("ended", "CANCELLED")


async def test_places_that_are_none_are_refused(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    at = await run(http, "placed")
    monkeypatch.setattr(following, "BEHIND_S", 0.1)
    for last in ("x", "-1", "1.5", "9" * 30):
        answer = await http.get(f"{at}/follow", headers={"Last-Event-ID": last})
        assert "no number" in assert_problem(answer, 422, "invalid_cursor")["detail"]
    for path in (f"{at}/follow", "/v1/events/follow"):
        answer = await http.get(path, headers={"Last-Event-ID": "999999999"})
        assert "future" in assert_problem(answer, 422, "invalid_cursor")["detail"]
    assert_problem(await http.get("/v1/executions/nobody/follow"), 404, "execution_unknown")


async def test_followers_are_bounded_and_counted_out(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FOLLOWERS_MAX", 1)
    monkeypatch.setattr(following, "HEARTBEAT_S", 0.1)
    async with http.stream("GET", "/v1/events/follow") as answer:
        assert answer.status_code == 200
        assert_problem(await http.get("/v1/events/follow"), 503, "too_many_followers")
        lines = answer.aiter_lines()
        # Nothing happens, and still it is told how far the log has been looked at.
        while not (line := await anext(lines)).startswith("id: "):
            pass
        # Whoever comes back with it is told nothing that was before it came first.
        assert int(line[4:]) > 0

    async def free() -> bool:
        async with http.stream("GET", "/v1/events/follow") as answer:
            return answer.status_code == 200

    await eventually(free)


async def test_the_journal_is_followed_with_filters(http: httpx.AsyncClient) -> None:
    newest = (await http.get("/v1/events", params={"limit": 1})).json()["events"][0]["index"]
    at = await run(http, "told")
    name = at.rpartition("/")[2]
    path = f"/v1/events/follow?execution={name}&type=playbook.*&level=warning"
    [told] = await follow(http, path, newest, count=1)
    assert told.kind == "logged"
    assert [(line["message"], line["source"]) for line in told.data["events"]] == [
        ("hello Ada", "told"),
        ("go on with 3?", "told"),
    ]
    listed = (await http.get("/v1/events", params={"execution": name, "level": "warning"})).json()["events"]
    assert list(reversed(listed)) == told.data["events"]
    assert_problem(await http.get("/v1/events", params={"level": "loud"}), 422, "invalid_request")
    assert_problem(await http.get("/v1/events", params={"cursor": "x"}), 422, "invalid_cursor")


async def test_an_event_without_an_id_is_taken_once_a_key(http: httpx.AsyncClient) -> None:
    text = (
        "name: keyed\nconcurrency: {{limit: 50}}\ntrigger: {{type: event_received, event: door.keyed}}\n"
        "actions: [{{type: delay, duration: 1ms}}]\n"
    )
    assert (await put(http, "keyed", text)).is_success
    registration = {"id": "door", "address": "http://127.0.0.1:9", "state": "READY"}
    assert (await http.post("/v1/components", json=registration)).is_success
    event = {"type": "door.keyed", "source": "door", "payload": {"n": 1}}
    key = {"Idempotency-Key": "door-1"}
    for _ in range(2):
        assert (await http.post("/event", json=event, headers=key)).status_code == 204
    other = {**event, "payload": {"n": 2}}
    assert_problem(await http.post("/event", json=other, headers=key), 422, "event_reused")
    assert (await http.post("/event", json={**other, "id": "own"}, headers=key)).status_code == 204
    lines = (await http.get("/v1/events", params={"type": "door.keyed"})).json()["events"]
    assert [line["data"]["n"] for line in lines] == [2, 1]
    started = (await http.get("/v1/executions", params={"playbook": "keyed"})).json()["executions"]
    assert len(started) == 2


async def test_the_document_shows_each_route_with_its_refusals(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    for action in ("pause", "resume", "cancel", "retry", "approve", "reject", "signal"):
        operation = paths[f"/v1/executions/{{execution_id}}/{action}"]["post"]
        codes = json.dumps(operation["responses"])
        assert "execution_unknown" in codes
        assert operation["summary"]
    assert "playbook_cycle" in json.dumps(paths["/v1/playbooks/{name}"]["put"]["responses"])
    assert "text/event-stream" in paths["/v1/events/follow"]["get"]["responses"]["200"]["content"]


async def test_a_node_that_stops_ends_its_streams(tmp_path: Path) -> None:
    async with serving(1, tmp_path) as nodes, nodes.clients[0].stream("GET", "/v1/events/follow") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == ": follows"
        await nodes.stop(0)
        assert [line async for line in lines] == [""]  # ended as it should be, not broken off
