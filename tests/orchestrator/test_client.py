"""The client against real nodes: every noun, both ways of calling, and a leader that goes away in the middle."""

import asyncio
import inspect
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from framebuffer.trust import trusting
from orchestrator.client import (
    AsyncClient,
    Client,
    Compacted,
    Conflict,
    Event,
    Invalid,
    NoNode,
    NotFound,
    Place,
    SettingsInvalid,
    TimeOver,
    Tries,
    Unauthorised,
    UnexpectedAnswer,
)
from orchestrator.client.endpoints import Each, Endpoint, Noun
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.orchestrator.authorities import Authority
from tests.support import eventually, free_port
from tools.client_shapes import document

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "client.md"

NOT_FOR_THE_CLIENT = {
    ("POST", "/v1/audit/notes"): "between nodes, with the cluster's own proof",
    ("GET", "/v1/event"): "the same as /event, which nodes of the release before have too",
    ("POST", "/v1/event"): "the same",
    ("GET", "/processors"): "the frame API under its old paths; /v1/processors is the same",
    ("POST", "/processors/register"): "the same",
    ("GET", "/processors/{processor_id}"): "the same",
    ("PATCH", "/processors/{processor_id}"): "the same",
    ("DELETE", "/processors/{processor_id}"): "the same",
    ("POST", "/processors/{processor_id}/drain"): "the same",
    ("POST", "/processors/{processor_id}/resume"): "the same",
    ("POST", "/processors/{processor_id}/heartbeat"): "the same",
}


def operations(client: type) -> set[tuple[str, str]]:
    """What the nouns of a client ask for."""
    made = client("http://127.0.0.1:1")
    names = [name for name, _ in inspect.getmembers_static(client, lambda each: isinstance(each, cached_property))]
    nouns: list[Noun[Any]] = [made, *(getattr(made, name) for name in names)]
    found: set[tuple[str, str]] = set()
    for noun in nouns:
        for _, member in inspect.getmembers_static(type(noun)):
            if isinstance(member, Endpoint):
                found.add((member.method, member.template))
            elif isinstance(member, Each):
                found |= {(verb, path) for verb, _, path in (each.partition(" ") for each in member.operations)}
    return found


async def test_every_operation_of_the_api_has_a_method() -> None:
    there = {(verb.upper(), path) for path, verbs in document()["paths"].items() for verb in verbs}
    for client in (Client, AsyncClient):
        have = operations(client)
        assert there - have - NOT_FOR_THE_CLIENT.keys() == set(), "the client lacks a method for these"
        assert have - there == set(), "the API has no such operations any more"
        assert not have & NOT_FOR_THE_CLIENT.keys()
    assert NOT_FOR_THE_CLIENT.keys() <= there


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("client"), token=TOKEN) as found:
        await found.leader()
        yield found


@pytest.fixture(scope="module")
async def client(nodes: Nodes) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(nodes.urls, token=TOKEN) as found:
        yield found


async def test_variables_both_ways(nodes: Nodes, client: AsyncClient) -> None:
    def sync() -> None:
        with Client(",".join(nodes.urls), token=TOKEN) as own:
            made = own.variables.set("both", {"n": 1}, if_revision=0)
            assert own.variables.get("both") == made
            with pytest.raises(Conflict) as told:
                own.variables.set("both", 2, if_revision=0)
            assert told.value.code == "precondition_failed"
            assert [row.name for row in own.variables.list(consistency="stale", max_stale=5)] == ["both"]

    await asyncio.to_thread(sync)
    found = await client.variables.get("both")
    assert found.value == {"n": 1}
    first = await client.variables.set("both", 2, if_revision=found.revision, key="once")
    again = await client.variables.set("both", 2, if_revision=found.revision, key="once")
    assert first == again, "the same key is the same write"
    await client.variables.delete("both")
    with pytest.raises(NotFound) as gone:
        await client.variables.get("both")
    assert (gone.value.status, gone.value.code) == (404, "variable_unknown")
    reply = await client.request("GET", "/v1/variables?consistency=stale", query={"max_stale": 9})
    assert (reply.data, reply.status) == ([], 200)


async def test_the_leader_is_found_and_asked(nodes: Nodes) -> None:
    at = await nodes.follower()
    async with AsyncClient(nodes.urls[at], token=TOKEN) as own:
        assert "x-triarch-forwarded-by" in (await own.request("GET", "/v1/variables")).headers
        reply = await own.request("GET", "/v1/variables")
        assert "x-triarch-forwarded-by" not in reply.headers, "the members were asked for where it is"
        assert own.addresses.leader == nodes.urls[await nodes.leader()]
        assert set(own.addresses.known) == set(nodes.urls)
        stale = await own.request("GET", "/v1/variables", query={"consistency": "stale"})
        assert stale.status == 200


async def test_components_groups_and_plans(client: AsyncClient) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    assert (await client.components.register("c-1", address, labels={"line": "a"})).id == "c-1"
    await client.components.register("c-2", address, groups=["g-2"], depends_on=["c-1"])
    assert {row.id for row in await client.components.list()} >= {"c-1", "c-2"}
    assert [row.id for row in await client.components.list(group="g-2")] == ["c-2"]
    assert (await client.components.get("c-1")).labels == {"line": "a"}
    said = await client.components.set_policy("c-1", {"restart": {"when": "on_failure"}}, if_revision=0)
    policy = await client.components.policy("c-1")
    assert (policy.revision, policy.policy.restart and policy.policy.restart.when) == (said.revision, "on_failure")
    await client.components.begin_maintenance("c-1", "a new belt", by="ada")
    await client.components.desire("c-1", "STOPPED")
    policy = await client.components.policy("c-1")
    assert (policy.desired, policy.maintenance and policy.maintenance.reason) == ("STOPPED", "a new belt")
    await client.components.end_maintenance("c-1")
    await client.components.delete_policy("c-1")
    assert [row.id for row in (await client.components.dependents("c-1")).dependents] == ["c-2"]
    assert (await client.components.metrics("c-1")).component == "c-1"
    for refused in (
        client.components.command("c-1", "CMD_START"),
        client.components.acknowledge("c-1", by="ada"),
    ):
        with pytest.raises(Exception, match=r"unreachable|component_offline|nothing_to_acknowledge|command_refused"):
            await refused
    await client.groups.put("line", components=["c-1"], title="Line", if_revision=0)
    assert {row.name for row in await client.groups.list()} == {"line", "g-2"}
    assert [row.id for row in (await client.groups.get("line")).members] == ["c-1"]
    await client.groups.desire("line", None)
    await client.groups.begin_maintenance("line", "cleaning")
    await client.groups.end_maintenance("line")
    plan = await client.plans.of("STARTED", groups=["line"])
    assert plan.target == "STARTED"
    assert isinstance(await client.plans.supervision(), list)
    await client.groups.delete("line")
    assert (await client.components.listener()).id
    beat = {"type": "component.heartbeat", "source": "c-1", "payload": {"state": "READY"}}
    assert (await client.components.heartbeats([beat])).taken in (0, 1)


TEXT = """\
name: gated
inputs: {who: {type: string, default: Ada}}
actions:
  - {type: log_event, message: "hello {{ inputs.who }}"}
  - {type: approve, message: "go on?"}
  - {type: wait_for_signal, signal: tool}
"""


async def test_playbooks_executions_and_the_journal(client: AsyncClient) -> None:
    with pytest.raises(Invalid, match="playbook_invalid") as wrong:
        await client.playbooks.put("gated", "name: gated\n")
    assert wrong.value.members["errors"]
    assert [place.field for place in (await client.playbooks.validate("name: gated\n")).problems]
    assert (await client.playbooks.validate(TEXT, name="gated")).valid
    stored = await client.playbooks.put("gated", TEXT, who="ada", if_match_version=0)
    assert "gated" in {row.name for row in await client.playbooks.list()}
    assert (await client.playbooks.get("gated", version=stored.version)).text == TEXT
    assert (await client.playbooks.plan("gated")).name == "gated"
    ids = [(await client.executions.start("gated", {"who": f"Joy {n}"})).id for n in range(3)]
    one = ids[0]
    await _until(client, one, "go on")
    with pytest.raises(TimeOver):
        await client.executions.wait(one, within_s=0.1)
    await client.executions.pause(one)
    await client.executions.resume(one, comment="on")
    await client.executions.approve(one, who="ada")
    await client.executions.signal(one, "tool", {"id": 4})
    ended = await client.executions.wait(one, within_s=20)
    assert (ended.id, ended.status) == (one, "SUCCEEDED")
    kinds = [event.kind async for event in client.executions.follow(one, within_s=20)]
    assert kinds == ["snapshot"]
    await _until(client, ids[1], "go on")
    await client.executions.reject(ids[1], comment="no")
    assert (await client.executions.wait(ids[1], within_s=20)).status == "FAILED"
    await _until(client, ids[2], "go on")
    with pytest.raises(Conflict, match="execution_skipped"):  # one at once
        await client.executions.retry(ids[1])
    await client.executions.cancel(ids[2])
    assert (await client.executions.wait(ids[2], within_s=20)).status == "CANCELLED"
    await client.executions.retry(ids[1])
    await client.executions.cancel(ids[1], force=True)
    page = await client.executions.page(limit=2, playbook="gated")
    assert (len(page.executions), page.cursor is None) == (2, False)
    assert [row.id async for row in client.executions.iterate(limit=1)] == ids[::-1]
    assert (await client.executions.get(one)).playbook == "gated"

    lines = [line async for line in client.events.iterate(type="playbook.*", limit=2)]
    assert [line.index for line in lines] == sorted((line.index for line in lines), reverse=True)
    assert (await client.events.page(execution=one, limit=1)).events[0].execution == one
    place = Place(str(lines[-1].index - 1))
    followed: list[Any] = []
    async for event in client.events.follow(place=place, within_s=10, type="playbook.*"):
        followed += event.data["events"]
        if len(followed) >= len(lines):
            break
    assert [line["number"] for line in followed] == [line.number for line in reversed(lines)]
    await client.components.register("jams-1", f"http://127.0.0.1:{free_port()}")
    await client.events.send("part.jammed", "jams-1", {"station": 3}, key="event-1")
    await client.playbooks.delete("gated")


async def _until(client: AsyncClient, execution_id: str, step: str) -> None:
    async def waits() -> bool:
        return step in json.dumps((await client.request("GET", f"/v1/executions/{execution_id}")).data["steps"])

    await eventually(waits, deadline_s=10)


async def test_alerts_processors_and_frames(client: AsyncClient) -> None:
    rules = await client.alert_rules.list()
    assert rules
    condition = {"kind": "state", "values": ["FAULT"]}
    rule = await client.alert_rules.put("my-rule", condition, {"severity": "error"}, if_revision=0)
    assert (await client.alert_rules.get("my-rule")) == rule
    assert all(row.state for row in await client.alerts.list(state="all"))
    with pytest.raises(NotFound):
        await client.alerts.get("a99")
    with pytest.raises(NotFound):
        await client.alerts.acknowledge("a99", "ada")
    silence = await client.silences.add("ada", "known", rule="my-rule", for_s=60)
    assert [row.id for row in await client.silences.list()] == [silence.id]
    await client.silences.delete(silence.id)
    await client.alert_rules.delete("my-rule")

    made = await client.processors.register("p-1", ["faces"], 4)
    assert (await client.processors.get("p-1")).id == made.id
    assert (await client.processors.update("p-1", {"capacity": 5})).capacity == 5
    await client.processors.heartbeat("p-1", settled=3)
    assert (await client.processors.drain("p-1")).id == "p-1"
    await client.processors.resume("p-1")
    assert [row.id for row in await client.processors.list(capability="faces")] == ["p-1"]
    await client.processors.delete("p-1")

    assert (await client.frames.server()).redis_url
    assert (await client.frames.stats()).cameras == {}
    assert (await client.frames.ledger(stuck_s=5)).ledger_ok
    assert isinstance(await client.frames.lag(), list)
    assert (await client.frames.latency(window_s=5)).results == 0
    assert [camera.id async for camera in client.cameras.iterate()] == []
    for nobody in (client.cameras.get("cam-1"), client.cameras.picture("cam-1")):
        with pytest.raises(NotFound):
            await nobody
    assert (await client.frames.dead(limit=5)).frames == []
    assert [frame async for frame in client.frames.iterate_dead()] == []
    assert (await client.frames.replay(["1-1"])).done == (await client.frames.drop(all_=True)).done == 0
    assert (await client.frames.tail(wait_s=0)).frames == []
    with pytest.raises(NotFound):
        await client.frames.trace("cam:1")


async def test_cluster_health_and_access(nodes: Nodes, client: AsyncClient, tmp_path: Path) -> None:
    assert len((await client.cluster.status(consistency="leader")).members) == 3
    assert {member.id for member in await client.cluster.members()} == {"n1", "n2", "n3"}
    assert (await client.cluster.member("n2")).id == "n2"
    assert (await client.cluster.leaderships())[-1].node
    state = await client.cluster.snapshot()
    assert (await client.cluster.restore(state)).index > 0
    with pytest.raises(NotFound):
        await client.cluster.transfer("n9")
    for refused in (client.cluster.remove("n9"), client.cluster.add("n9", "127.0.0.1:1", "nonsense")):
        with pytest.raises(Exception, match=r"member_unknown|invalid_request"):
            await refused
    assert (await client.health.alive()).node
    assert (await client.health.ready()).node
    assert (await client.health.get()).status
    assert (await client.health.control()).node
    assert "triarch_http_requests_total" in await client.health.metrics()
    assert (await client.access.whoami()).kind == "cluster"
    limits = await client.access.limits()
    changed = await client.access.set_limits({"failures_per_minute": 40}, if_revision=limits.revision)
    assert changed.failures_per_minute == 40
    assert any(row.path == "/v1/whoami" for row in await client.access.rights())

    await client.variables.set("audited", 1)
    assert (await client.audit.head()).number > 0
    newest = [entry.number async for entry in client.audit.iterate(limit=3)]
    assert newest == sorted(newest, reverse=True)
    assert (await client.audit.page(limit=1, kind="variable.*")).entries[0].subject == "variables"
    exported = [line["number"] async for line in client.audit.export(after=2) if "gap" not in line]
    assert exported[-1] >= newest[0]

    first = await client.access.bootstrap("root")
    assert first.role == "admin"
    made = await client.tokens.create("ada", "viewer", expires_in_s=3600)
    assert (await client.tokens.get(made.id)).name == "ada"
    assert {row.id for row in await client.tokens.list()} == {first.id, made.id}
    file = tmp_path / "token"
    file.write_text(made.token + "\n")
    async with (
        AsyncClient(nodes.urls, token=file) as by_file,
        AsyncClient(nodes.urls, token=lambda: file.read_text().strip()) as by_function,
    ):
        for own in (by_file, by_function):
            assert (await own.access.whoami()).name == "ada"
        rotated = await client.tokens.rotate(made.id)

        async def everywhere() -> bool:
            for url in nodes.urls:
                async with AsyncClient(url, token=made.token) as old:
                    try:
                        await old.access.whoami()
                    except Unauthorised:
                        continue
                    return False
            return True

        await eventually(everywhere)
        file.write_text(rotated.token)
        for own in (by_file, by_function):
            assert (await own.access.whoami()).id == made.id, "it was read again"
    await client.tokens.revoke(made.id)
    with pytest.raises(Unauthorised):
        async with AsyncClient(nodes.urls, token=TOKEN[:-1] + "x") as wrong:
            await wrong.access.whoami()


async def test_the_plant_as_it_is_and_as_it_changes(nodes: Nodes, client: AsyncClient) -> None:
    await client.variables.set("seen", 0)
    before = await client.snapshot(["variables"])
    assert before.subjects["variables"]["seen"]["value"] == 0
    assert (await client.figures()).node
    revisions = [(await client.variables.set("seen", value)).revision for value in range(1, 4)]
    place = Place(str(before.index))

    def sync() -> list[int]:
        found: list[int] = []
        with Client(nodes.urls, token=TOKEN) as own:
            for event in own.watch(["variables"], place=place, within_s=10):
                found += [event.index] * (event.kind == "change")
                if len(found) == len(revisions):
                    break
        return found

    assert await asyncio.to_thread(sync) == revisions
    assert place.last, "from here it would go on"
    kinds: list[str] = []
    async for event in client.watch(["variables"], snapshot=True, within_s=10):
        kinds.append(event.kind)
        if event.kind == "snapshot":
            assert event.data["subjects"]["variables"]["seen"]["value"] == 3
            await client.variables.set("seen", 4)
        if event.kind == "change":
            break
    assert kinds == ["snapshot", "ready", "change"]


async def test_a_place_long_gone(client: AsyncClient) -> None:
    await client.cluster.restore(await client.cluster.snapshot())  # what changed before is not held any more
    with pytest.raises(Compacted) as told:
        async for _ in client.watch(["variables"], place=Place("1"), within_s=10):
            pass
    assert (told.value.code, told.value.index is not None) == ("compacted", True)
    async for event in client.watch(["variables"], place=Place("1"), snapshot=True, within_s=10):
        assert event.kind == "snapshot"
        break


async def test_who_is_no_node(tmp_path: Path) -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"x",
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AsyncClient(url, tries=Tries(timeout_s=2, rounds=1)) as own:
            for what in ("does not speak JSON", "something else than was asked for"):
                with pytest.raises(UnexpectedAnswer, match=what):
                    await own.variables.get("x")
            with pytest.raises(NoNode, match=r"RemoteProtocolError|ReadError"):
                await own.variables.get("x")
    async with AsyncClient(f"http://127.0.0.1:{free_port()}", timeout_s=0.3) as own:
        with pytest.raises(NoNode, match="no node answered"):
            await own.variables.set("x", 1)
        with pytest.raises(SettingsInvalid):
            await own.request("GET", "http://elsewhere/")
        with pytest.raises(SettingsInvalid):
            await own.request("GET", "/v1/x", headers={"X": "a\r\nb"})
    with Client("http://n1..plant:8101", timeout_s=0.3) as waiting, pytest.raises(NoNode, match="no node answered"):
        await asyncio.to_thread(waiting.variables.set, "x", 1)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_settings_that_cannot_be(kind: type[Client], tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense")
    for options in ({"ca": nonsense}, {"ca": tmp_path / "none"}, {"certificate": (nonsense, nonsense)}):
        with pytest.raises(SettingsInvalid):
            kind("https://127.0.0.1:1", **options)
    for url in ("http://a\tb:1", "http://ä..b:1", "http://1.2.3.999:1"):
        with pytest.raises(SettingsInvalid, match="not an address"):
            kind(f"http://127.0.0.1:1,{url}")
    for token in ("a b", "ä", "x" * 9_000, tmp_path / "none", nonsense.parent, lambda: ""):
        own: Any = kind("http://127.0.0.1:1", token=token)
        with pytest.raises(SettingsInvalid) as told:
            await _awaited(lambda: own.variables.get("x"))  # noqa: B023 - called at once
        assert "x" * 99 not in str(told.value)


async def _awaited(call: Callable[[], Any]) -> None:
    found = call()
    if isinstance(found, Awaitable):
        await found


async def test_the_examples_of_the_page(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    monkeypatch.setenv("TRIARCH_URL", ",".join(nodes.urls))
    monkeypatch.setenv("TRIARCH_TOKEN", TOKEN)
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(blocks):
        code = compile(block, f"{PAGE.name}, block {number}", "exec")
        await asyncio.to_thread(exec, code, names)
    assert names["ended"].status == "SUCCEEDED"
    assert names["rows"]["line-a.speed"]["value"] == {"mm_s": 60}


# ── A node that goes away in the middle ───

WRITES = 12


@pytest.mark.campaign
async def test_a_leader_that_is_stopped_costs_no_write_and_no_event(tmp_path: Path) -> None:
    """Four writers and two watchers over the leader's end: each value is written once, and told each watcher once."""
    async with serving(3, tmp_path, token=TOKEN) as nodes:
        leader = await nodes.leader()
        urls = [nodes.urls[leader], *(url for at, url in enumerate(nodes.urls) if at != leader)]
        async with AsyncClient(urls, token=TOKEN, timeout_s=30) as client, asyncio.TaskGroup() as tasks:
            begins = Place(str((await client.snapshot(["variables"])).index))
            told: list[Event] = []

            async def watched() -> None:
                async for event in client.watch(["variables"], place=Place(begins.last), within_s=50):
                    told.append(event)
                    if event.kind == "change" and event.data["changes"][-1]["id"] == "end":
                        return

            def watched_too() -> list[Event]:
                found = []
                with Client(urls, token=TOKEN) as own:
                    for event in own.watch(["variables"], place=Place(begins.last), within_s=50):
                        found.append(event)
                        if event.kind == "change" and event.data["changes"][-1]["id"] == "end":
                            break
                return found

            async def writes(name: str) -> list[int]:
                return [(await client.variables.set(name, value)).revision for value in range(WRITES)]

            watching = tasks.create_task(watched())
            also = tasks.create_task(asyncio.to_thread(watched_too))
            writing = [tasks.create_task(writes(f"w-{n}")) for n in range(4)]
            await eventually(lambda: sum(event.kind == "change" for event in told) > 8, deadline_s=20)
            await nodes.stop(leader)
            revisions = [await each for each in writing]
            await client.variables.set("end", None)
            await watching
        for events in (told, await also):
            changes = [event for event in events if event.kind == "change"]
            indexes = [event.index for event in changes]
            assert indexes == sorted(set(indexes))
            for n in range(4):
                own = [event.index for event in changes if event.data["changes"][0]["id"] == f"w-{n}"]
                assert own == revisions[n], "each once, in order"
            assert sum(event.kind == "ready" for event in events) >= 2, "it was cut off in the middle"


async def test_both_sides_show_certificates(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "another")
    pair, own = authority.sign("node"), authority.sign("client")
    tls = {"cert_file": str(pair.cert), "key_file": str(pair.key), "client_ca_file": str(authority.file)}
    api = {"tls": {**tls, "require_client_certificate": True}, "ca_file": str(authority.file)}
    shown = trusting(authority.file, cert_file=own.cert, key_file=own.key)
    async with serving(1, tmp_path, token=TOKEN, verify=shown, api=api) as nodes:
        await nodes.leader()
        url = nodes.urls[0]
        async with AsyncClient(url, token=TOKEN, ca=authority.file, certificate=(own.cert, own.key)) as client:
            assert (await client.variables.set("x", 1)).value == 1

        def sync() -> int:
            with Client(url, token=TOKEN, ca=authority.file, certificate=(own.cert, own.key)) as client:
                return int(client.variables.get("x").value)

        assert await asyncio.to_thread(sync) == 1
        async with AsyncClient(url, token=TOKEN, ca=other.file) as client:
            with pytest.raises(NoNode, match="not accepted"):
                await client.variables.set("x", 2)
        async with AsyncClient(url, token=TOKEN, ca=authority.file, timeout_s=0.5) as client:
            with pytest.raises(NoNode):  # it shows no certificate, and may not be told why
                await client.variables.get("x")
        async with AsyncClient(url.replace("https:", "http:"), token=TOKEN, timeout_s=0.5) as client:
            with pytest.raises(NoNode, match=r"https:// instead of http://\?"):
                await client.variables.get("x")


def test_nobody_is_trusted_where_nobody_is_asked_by_tls() -> None:
    with Client("http://127.0.0.1:1") as own:
        context = own._http._transport._pool._ssl_context  # type: ignore[attr-defined]
        assert isinstance(context, ssl.SSLContext)
        assert context.cert_store_stats()["x509_ca"] == 0
        assert context.verify_mode == ssl.CERT_REQUIRED
