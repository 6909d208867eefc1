"""The audit, and keys of requests, over three real nodes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.audit.entry import ROW_BYTES_MAX
from orchestrator.audit.many import pieces
from orchestrator.audit.verifying import complete_up_to, verify
from orchestrator.node import running
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("audit"), token=TOKEN) as found:
        yield found


async def person(nodes: Nodes, name: str, role: str = "operator") -> dict[str, str]:
    """The header of a new token, and its id."""
    await nodes.leader()  # a busy machine may have elected another one meanwhile
    made = (await nodes.clients[0].post("/v1/tokens", json={"name": name, "role": role})).json()
    return {"Authorization": f"Bearer {made['token']}", "X-Id": made["id"]}


async def put(http: httpx.AsyncClient, name: str, value: Any, headers: dict[str, str]) -> None:
    """Set a variable, however often another node is elected on a busy machine meanwhile."""
    key = {"Idempotency-Key": f"{name}-{value}-{headers.get('X-Id', '')}"}

    async def made() -> httpx.Response | None:
        answer = await http.put(f"/v1/variables/{name}", json={"value": value}, headers={**headers, **key})
        return None if answer.status_code in (503, 504) or answer.json().get("code") == "key_in_flight" else answer

    answer = await eventually(made, deadline_s=15)
    assert answer is not None
    assert answer.is_success, answer.text


async def entries(http: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    async def answered() -> httpx.Response | None:  # a busy machine elects another leader now and then
        answer = await http.get("/v1/audit", params=wanted)
        return None if answer.status_code == 503 else answer

    answer = await eventually(answered, deadline_s=10)
    assert answer is not None
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def exported(http: httpx.AsyncClient, after: int = 0) -> list[bytes]:
    answer = await http.get("/v1/audit/export", params={"after": after})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jsonl"), answer.text
    return answer.content.splitlines()


async def test_a_change_says_who_made_it_and_from_where(nodes: Nodes) -> None:
    ada, at = await person(nodes, "Ada"), await nodes.follower()
    for value in (120, 90):
        await put(nodes.clients[at], "speed", value, ada)
    newest, before = await entries(nodes.clients[0], id="speed")
    assert newest["actor"] == {
        "kind": "token",
        "id": ada["X-Id"],
        "name": "Ada",
        "role": "operator",
        "address": "127.0.0.1",
        "node": f"n{at + 1}",
    }
    assert (newest["kind"], newest["subject"], newest["outcome"]) == ("variable.set", "variables", "done")
    assert (newest["before"], newest["after"]["value"]) == (before["after"], "90")
    assert newest["epoch"] == str(nodes.nodes[at].epoch())
    (made,) = await entries(nodes.clients[0], kind="token.*", id=ada["X-Id"])
    assert (made["actor"]["kind"], made["after"]["name"], made["before"]) == ("cluster", "Ada", None)
    assert ada["Authorization"].removeprefix("Bearer ") not in json.dumps(made)


async def test_a_refusal_is_entered_and_what_is_not_allowed_is_not(nodes: Nodes) -> None:
    ada, eve = await person(nodes, "Ada"), await person(nodes, "Eve", "viewer")
    assert (await nodes.clients[1].delete("/v1/variables/none", headers=ada)).status_code == 404
    assert (await nodes.clients[1].delete("/v1/variables/none", headers=eve)).status_code == 403
    (refusal,) = await entries(nodes.clients[0], id="none")
    assert (refusal["outcome"], refusal["actor"]["name"], refusal["after"]) == ("variable_unknown", "Ada", None)


async def test_a_change_of_more_than_an_entry_can_name_is_told_by_its_group(nodes: Nodes) -> None:
    ada, http = await person(nodes, "Ada"), nodes.clients[await nodes.follower()]
    ids = [f"conveyor-belt-{number:03}" for number in range(45)]

    async def said(path: str, body: dict[str, Any]) -> None:
        async def done() -> bool:
            answer = await http.put(path, json=body, headers={**ada, "Idempotency-Key": path})
            assert answer.is_success, answer.text
            return True

        await eventually(done, deadline_s=15)

    await said("/v1/groups/belts", {"components": ids})
    await said("/v1/groups/belts/desired", {"state": "STARTED"})
    done, change, intended = (await entries(http, actor="Ada"))[:3]
    assert (change["kind"], change["outcome"]) == ("desired.set", "done")
    for note, outcome in ((intended, "intended"), (done, "done")):
        assert (note["kind"], note["subject"], note["id"]) == ("group.desired", "groups", "belts")
        assert (note["outcome"], note["after"]["state"], note["after"]["members"]) == (outcome, "STARTED", 45)
        told = [note["after"][name] for name in sorted(note["after"]) if name.startswith("ids_")]
        assert ",".join(told).split(",") == ids
    found = await entries(http, id=ids[-1])
    assert [each["kind"] for each in found] == ["group.desired", "group.desired"]


def test_of_very_many_so_many_are_told_as_there_is_room_for() -> None:
    ids = [f"component-{number:05}" for number in range(10_000)]
    found = pieces(ids)
    told = [each for name, text in found.items() if name.startswith("ids_") for each in text.split(",")]
    assert (found["members"], len(told) + found["left_out"], told) == (10_000, 10_000, ids[: len(told)])
    assert len(json.dumps(found)) < ROW_BYTES_MAX
    assert "left_out" not in pieces(ids[:30])


async def test_the_list_goes_by_filters_and_pages(nodes: Nodes) -> None:
    bob, http = await person(nodes, "Bob"), nodes.clients[1]
    for at in range(5):
        await put(http, f"page-{at}", at, bob)
    first = (await http.get("/v1/audit", params={"actor": "Bob", "limit": 3})).json()
    second = (await http.get("/v1/audit", params={"actor": "Bob", "limit": 3, "cursor": first["cursor"]})).json()
    assert [each["id"] for each in first["entries"] + second["entries"]] == [f"page-{at}" for at in (4, 3, 2, 1, 0)]
    assert second["cursor"] is None
    wrong = await http.get("/v1/audit", params={"actor": "Ada", "cursor": first["cursor"]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_cursor")
    at = first["entries"][1]["time"]
    assert [each["id"] for each in await entries(http, actor="Bob", since=at)][:2] == ["page-4", "page-3"]
    assert "page-4" not in [each["id"] for each in await entries(http, actor=bob["X-Id"], until=at)]
    assert await entries(http, actor="Bob", subject="groups") == []
    for never in ("yesterday", "2026-13-40", "2026-02-30T00:00Z", "2026-02-03T24:61", "0000-01-01"):
        for name in ("since", "until"):
            refused = await http.get("/v1/audit", params={name: never})
            assert (refused.status_code, refused.json()["errors"][0]["location"]) == (422, f"query.{name}"), never
    for when in ("2000-01-01", "2000-01-01T06", "2000-02-29T06:00Z", "2000-01-01T06:00:00.5Z"):
        found = await http.get("/v1/audit", params={"since": when})
        assert found.status_code == (422 if when.endswith("T06") else 200), found.text


async def test_every_node_keeps_the_same_chain(nodes: Nodes) -> None:
    head = (await nodes.clients[0].get("/v1/audit/head")).json()
    assert head["recording"] is True
    assert head["number"] > 0
    files = []
    for node, client in zip(nodes.nodes, nodes.clients, strict=True):
        await eventually(lambda node=node: node.trail.last >= head["number"])  # type: ignore[misc]
        lines = await exported(client)
        found = verify(((node.config.node.id, line) for line in lines), {head["number"]: head["hash"]})
        complete_up_to(found, head["number"], node.config.node.id)
        assert found.begins
        files.append(lines[: head["number"]])
        assert await exported(client, head["number"] - 1) == lines[head["number"] - 1 :]
    assert files[0] == files[1] == files[2]


async def test_what_is_no_replicated_command_is_noted_before_and_after(nodes: Nodes) -> None:
    ada, admin = await person(nodes, "Ada"), await person(nodes, "Root", "admin")
    leader, follower = await nodes.leader(), await nodes.follower()
    http = nodes.clients[follower]
    gone = {"id": "gone", "name": "gone", "address": "http://127.0.0.1:1", "incarnation": "i", "sequence": 0}
    assert (await http.post("/v1/components", json=gone, headers=ada)).status_code == 201
    for who in (ada, {}):  # with the cluster's own token nobody can tell whether it was a person
        sent = await http.post("/event", json={"type": "part.seen", "source": "gone"}, headers=who)
        assert sent.status_code == 204, sent.text
    (seen,) = await entries(http, kind="event.accepted")
    assert (seen["actor"]["name"], seen["id"], seen["subject"]) == ("Ada", "gone", "journal")
    asked = {**ada, "Idempotency-Key": "start"}
    for _ in range(2):
        answer = await http.post("/v1/components/gone/commands", json={"command": "CMD_START"}, headers=asked)
        assert answer.json()["code"] == "unreachable"
    # Newest first. The repeat with the same outcome is one request, and told once.
    assert [(each["outcome"], each["after"]["command"]) for each in await entries(http, kind="component.command")] == [
        ("unreachable", "CMD_START"),
        ("intended", "CMD_START"),
    ]
    assert (await http.post("/v1/frames/dead/drop", json={"all": True}, headers=ada)).status_code == 200
    told, _ = await entries(http, kind="frames.drop")
    assert (told["outcome"], told["after"]["done"], told["subject"]) == ("done", 0, "frames")
    for client, query in ((nodes.clients[leader], ""), (http, "?consistency=stale")):
        assert (await client.get(f"/v1/cluster/snapshot{query}", headers=admin)).status_code == 200
    saved = await entries(http, kind="cluster.snapshot")
    assert [each["outcome"] for each in saved] == ["done", "intended"] * 2
    assert {each["actor"]["name"] for each in saved} == {"Root"}
    assert saved[0]["actor"]["node"] == f"n{follower + 1}"
    await http.post("/v1/cluster/transfer", json={"to": f"n{follower + 1}"}, headers=admin)

    async def both() -> list[dict[str, Any]]:  # the answer does not wait for it
        found = await entries(http, kind="cluster.transfer")
        return found if len(found) == 2 else []

    done, intended = await eventually(both, deadline_s=10)
    assert (done["outcome"], done["after"]["leader"], intended["outcome"]) == ("done", f"n{follower + 1}", "intended")
    assert done["epoch"] != intended["epoch"]


async def test_notes_are_between_nodes_alone(nodes: Nodes) -> None:
    admin, leader = await person(nodes, "Root", "admin"), await nodes.leader()
    note = {"action": "a", "subject": "s", "id": "i", "outcome": "done"}
    body = {"note": note, "actor": {"kind": "token", "id": "x"}, "command_id": "c"}
    assert (await nodes.clients[leader].post("/v1/audit/notes", json=body, headers=admin)).status_code == 403
    assert (await nodes.clients[leader].post("/v1/audit/notes", json={"note": 1})).status_code == 422


async def test_people_without_the_right_role_read_nothing(nodes: Nodes) -> None:
    made = {"name": "press", "role": "component", "subject": "press"}
    token = (await nodes.clients[0].post("/v1/tokens", json=made)).json()["token"]
    for path in ("/v1/audit", "/v1/audit/head", "/v1/audit/export"):
        answer = await nodes.clients[0].get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403, path


# ── Keys ────────────────────────────────


async def test_a_key_is_for_one_request_at_every_node_and_endpoint(nodes: Nodes) -> None:
    key = {"Idempotency-Key": "one-request"}
    first = await nodes.clients[0].put("/v1/variables/keyed", json={"value": 1}, headers=key)
    assert first.status_code == 201
    for at, (method, path, body, extra) in enumerate(
        [
            ("PUT", "/v1/variables/keyed", {"value": 2}, {}),
            ("PUT", "/v1/variables/other", {"value": 1}, {}),
            ("PUT", "/v1/variables/keyed", {"value": 1}, {"If-Match": '"1"'}),
            ("DELETE", "/v1/variables/keyed", None, {}),
            ("POST", "/v1/components/gone/commands", {"command": "CMD_STOP"}, {}),
            ("POST", "/v1/frames/dead/drop", {"all": True}, {}),
            ("POST", "/v1/playbooks/none/plan", {}, {}),
        ]
    ):
        answer = await nodes.clients[at % 3].request(method, path, json=body, headers={**key, **extra})
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused"), (path, answer.text)
    again = await nodes.clients[1].put("/v1/variables/keyed", json={"value": 1}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())


async def test_anothers_key_is_another_one(nodes: Nodes) -> None:
    ada, bob = await person(nodes, "Ada"), await person(nodes, "Bob")
    for who, value in ((ada, 1), (bob, 2)):
        answer = await nodes.clients[2].put(
            "/v1/variables/shared", json={"value": value}, headers={**who, "Idempotency-Key": "shared"}
        )
        assert answer.is_success, answer.text
    same = await nodes.clients[0].put(
        "/v1/variables/shared", json={"value": 1}, headers={**bob, "Idempotency-Key": "shared"}
    )
    assert same.json()["code"] == "key_reused"
    assert (await nodes.clients[0].get("/v1/variables/shared")).json()["value"] == 2


async def test_two_at_once_under_one_key_are_one(nodes: Nodes) -> None:
    async def ask(at: int) -> httpx.Response:
        return await nodes.clients[at % 3].put(
            "/v1/variables/at-once", json={"value": 1}, headers={"Idempotency-Key": "at-once"}
        )

    answers = await asyncio.gather(*map(ask, range(12)))
    codes = {(answer.status_code, answer.json().get("code")) for answer in answers}
    assert codes <= {(201, None), (409, "key_in_flight")}
    assert all(answer.headers["Retry-After"] == "1" for answer in answers if answer.status_code == 409)
    assert len({answer.json()["revision"] for answer in answers if answer.status_code == 201}) == 1
    assert len(await entries(nodes.clients[0], id="at-once")) == 1


async def test_a_request_that_is_being_answered_is_not_answered_twice(nodes: Nodes) -> None:
    """A component that takes its time: the same request is sent again meanwhile, and another one under its key."""
    came, go_on = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        came.set()
        await go_on.wait()
        writer.close()

    http, leader = nodes.clients[await nodes.follower()], nodes.clients[await nodes.leader()]
    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        row = {"id": "slow", "name": "slow", "address": f"http://127.0.0.1:{port}", "incarnation": "i", "sequence": 0}
        assert (await http.post("/v1/components", json=row)).status_code == 201
        key = {"Idempotency-Key": "slowly"}
        ask: dict[str, Any] = {"url": "/v1/components/slow/commands", "json": {"command": "CMD_START"}, "headers": key}
        first = asyncio.create_task(http.post(**ask))
        await asyncio.wait_for(came.wait(), 10)
        meanwhile = await leader.post(**ask)
        assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "key_in_flight")
        assert meanwhile.headers["Retry-After"] == "1"
        other = await http.put("/v1/variables/slow", json={"value": 1}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")
        go_on.set()
        assert (await first).json()["code"] in ("outcome_unknown", "unreachable")


async def test_keys_and_the_chain_outlive_the_leader_and_a_restart(nodes: Nodes, tmp_path: Path) -> None:
    key = {"Idempotency-Key": "outlives"}
    made = await nodes.clients[0].put("/v1/variables/outlives", json={"value": 1}, headers=key)
    assert made.status_code == 201
    leader = await nodes.leader()
    await nodes.stop(leader)
    rest = [at for at in range(3) if at != leader]

    async def refused() -> bool:
        answer = await nodes.clients[rest[0]].put("/v1/variables/outlives", json={"value": 2}, headers=key)
        return (answer.status_code, answer.json().get("code")) == (422, "key_reused")

    await eventually(refused, deadline_s=15)
    again = await nodes.clients[rest[1]].put("/v1/variables/outlives", json={"value": 1}, headers=key)
    assert (again.status_code, again.json()) == (201, made.json())
    await nodes.clients[rest[1]].put("/v1/variables/meanwhile", json={"value": 1})
    async with running(nodes.nodes[leader].config) as back:
        head = (await nodes.clients[rest[0]].get("/v1/audit/head")).json()
        await eventually(lambda: back.trail.last >= head["number"], deadline_s=15)
        lines = await exported(nodes.clients[leader])
        found = verify((("back", line) for line in lines), {head["number"]: head["hash"]})
        assert (found.begins, found.gaps) == (True, [])
        complete_up_to(found, head["number"], "back")


@pytest.mark.campaign
async def test_a_restore_keeps_the_chain(tmp_path: Path) -> None:
    async with serving(1, tmp_path) as alone:
        http = alone.clients[0]
        await http.put("/v1/variables/a", json={"value": 1}, headers={"Idempotency-Key": "a"})
        saved = (await http.get("/v1/cluster/snapshot")).content
        await http.put("/v1/variables/a", json={"value": 2}, headers={"Idempotency-Key": "b"})
        assert (await http.post("/v1/cluster/restore", content=saved)).status_code == 200
        kinds = [(each["kind"], each["outcome"]) for each in await entries(http)]
        assert kinds == [
            ("cluster.restore", "done"),
            ("cluster.restore", "done"),
            ("cluster.restore", "intended"),
            ("variable.set", "done"),
            ("cluster.snapshot", "done"),
            ("cluster.snapshot", "intended"),
            ("variable.set", "done"),
        ]
        (_, replaced, *_) = await entries(http)
        assert replaced["after"]["audit"]["number"] == 2
        assert (await http.get("/v1/variables/a")).json()["value"] == 1
        # Keys are those of the backup: what was changed after it may be changed so again.
        reused = await http.put("/v1/variables/a", json={"value": 9}, headers={"Idempotency-Key": "a"})
        assert reused.json()["code"] == "key_reused"
        assert (await http.put("/v1/variables/a", json={"value": 3}, headers={"Idempotency-Key": "b"})).is_success
        await eventually(lambda: alone.nodes[0].trail.last == 8)
        found = verify(("n1", line) for line in await exported(http))
        assert (found.begins, found.entries, found.gaps) == (True, 8, [])
        bad = await http.post("/v1/cluster/restore", content=b"nonsense")
        assert bad.status_code == 422
        assert [each["outcome"] for each in await entries(http)][:2] == ["snapshot_unreadable", "intended"]
