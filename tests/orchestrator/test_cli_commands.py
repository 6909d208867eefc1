"""The command line as a process of its own, against real nodes."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from framebuffer.producer import FrameProducer
from orchestrator.api import following
from orchestrator.cli.exits import Exit
from orchestrator.component import Component
from tests.command_line import REPO, triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving, settings
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("cli"), token=TOKEN) as found:
        yield found


async def ask(nodes: Nodes, *arguments: str, **environment: str) -> tuple[int, str, str]:
    given = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN, **environment}
    return await triarch(*arguments, **given)


async def data(nodes: Nodes, *arguments: str) -> Any:
    code, out, err = await ask(nodes, *arguments, "-o", "json")
    assert code == 0, err
    return json.loads(out)


async def test_cluster_status(nodes: Nodes) -> None:
    async def known() -> str:
        """The leader has heard of everybody, and still leads."""
        leader = f"n{await nodes.leader() + 1}"
        code, out, err = await ask(nodes, "cluster", "status", "-o", "json")
        assert code == 0, err
        status = json.loads(out)
        assert (status["leader"], status["healthy"]) == (leader, True)
        assert {member["id"]: member["role"] for member in status["members"]} == {
            f"n{at}": "leader" if f"n{at}" == leader else "follower" for at in (1, 2, 3)
        }
        assert all(each["lag"] is not None and each["voter"] and each["release"] for each in status["members"])
        return leader

    leader = await eventually(known, deadline_s=20)
    code, out, err = await ask(nodes, "cluster", "status")
    assert code == 0
    headings = ["NODE", "ROLE", "READY", "VOTER", "LAG", "RELEASE", "API", "RAFT", "REASON"]
    assert out.splitlines()[0].split() == headings
    assert len(out.splitlines()) == 4
    assert f"leader {leader}" in err
    code, out, _ = await ask(nodes, "cluster", "status", "-o", "yaml")
    assert yaml.safe_load(out)["leader"] == leader


async def test_the_next_address_is_tried(nodes: Nodes) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    code, _, err = await ask(nodes, "cluster", "status", "--url", f"{nobody},{nodes.urls[0]}")
    assert code == 0, err


async def test_cluster_transfer(nodes: Nodes) -> None:
    to = f"n{await nodes.follower() + 1}"
    assert (await data(nodes, "cluster", "transfer", "--to", to))["leader"] == to
    await nodes.leader()
    code, out, err = await ask(nodes, "cluster", "transfer", "--to", "n9")
    assert (code, out) == (Exit.NOT_FOUND, "")
    assert "member_unknown" in err


async def test_a_wrong_token_is_refused(nodes: Nodes) -> None:
    for token in ("wrong", ""):
        code, out, err = await ask(nodes, "processor", "list", TRIARCH_TOKEN=token)
        assert (code, out) == (Exit.REFUSED, "")
        assert "unauthorised" in err
        assert TOKEN not in err


async def test_components_and_their_commands(nodes: Nodes) -> None:
    _, out, err = await ask(nodes, "component", "list")
    assert out.split() == ["ID", "NAME", "STATE", "PRESENCE", "DESIRED", "HEALTH", "GROUPS", "ADDRESS", "REASON"]
    assert "no component" in err
    component = Component("press-1", orchestrator_url=nodes.urls, name="Press", heartbeat_s=0.2, token=TOKEN)
    serve = asyncio.create_task(component.serve())
    try:
        await component.wait_registered()
        assert (await data(nodes, "component", "command", "press-1", "initialize"))["state"] == "INIT_COMPLETE"
        answer = await data(nodes, "component", "command", "press-1", "CMD_START", "--key", "k-1")
        assert (answer["state"], answer["repeated"]) == ("STARTED", False)
        assert (await data(nodes, "component", "command", "press-1", "start", "--key", "k-1"))["repeated"] is True
        code, out, err = await ask(nodes, "component", "command", "press-1", "reset")
        assert (code, out) == (Exit.REFUSED, "")
        assert "command_refused" in err
        [row] = await data(nodes, "component", "list")
        assert (row["id"], row["presence"]) == ("press-1", "ONLINE")
        _, out, _ = await ask(nodes, "component", "list")
        assert out.splitlines()[1].split()[:2] == ["press-1", "Press"]
    finally:
        await component.stop()
        await serve
    code, _, _ = await ask(nodes, "component", "command", "nobody", "start")
    assert code == Exit.NOT_FOUND
    code, _, err = await ask(nodes, "component", "command", "press-1", "cmd_dance")
    assert code == Exit.REFUSED
    assert "CMD_DANCE" in err
    for params in ("{", "[1]"):
        code, _, err = await ask(nodes, "component", "command", "press-1", "dance", "--params", params)
        assert (code, "--params" in err) == (Exit.USAGE, True)
    code, _, _ = await ask(nodes, "component", "command", "press-1", "start")
    assert code == Exit.DEGRADED


async def test_a_component_that_will_not_come_back_is_removed(nodes: Nodes) -> None:
    body = {"id": "press-9", "address": "http://127.0.0.1:9"}
    assert (await nodes.clients[0].post("/v1/components", json=body)).status_code == 201
    code, out, err = await ask(nodes, "component", "remove", "press-9", "--key", "gone-9")
    assert (code, out) == (0, "")
    assert "press-9 is removed" in err
    assert "press-9" not in {row["id"] for row in await data(nodes, "component", "list")}
    again = await data(nodes, "component", "remove", "press-9", "--key", "gone-9")
    assert again == {"id": "press-9", "removed": True}, "done once"
    code, out, err = await ask(nodes, "component", "remove", "press-9")
    assert (code, out) == (Exit.NOT_FOUND, "")
    assert "component_unknown" in err


async def test_processors(nodes: Nodes) -> None:
    body = {"id": "faces-1", "capabilities": ["face_detection"], "capacity": 4}
    assert (await nodes.clients[0].post("/processors/register", json=body)).status_code == 201
    assert [row["id"] for row in await data(nodes, "processor", "list")] == ["faces-1"]
    assert await data(nodes, "processor", "list", "--capability", "motion") == []
    assert "offers motion" in (await ask(nodes, "processor", "list", "--capability", "motion"))[2]
    _, out, _ = await ask(nodes, "processor", "list")
    assert "face_detection" in out

    row = await data(nodes, "processor", "get", "faces-1")
    assert (row["breaker"], row["draining"]) == ("CLOSED", False)
    follower = nodes.clients[await nodes.follower()]

    async def known_there() -> dict[str, Any]:
        answer = await follower.get("/processors/faces-1?consistency=stale")
        return answer.json() if answer.status_code == 200 else {}

    known = await eventually(known_there)
    assert (known["breaker"], known["capacity_granted"]) == (None, None)  # the leader alone knows
    assert (await data(nodes, "processor", "drain", "faces-1", "--wait", "5"))["draining"] is True
    assert (await data(nodes, "processor", "get", "faces-1"))["capacity_granted"] == 0
    assert (await data(nodes, "processor", "resume", "faces-1", "--key", "r-1"))["draining"] is False
    code, out, err = await ask(nodes, "processor", "remove", "faces-1")
    assert (code, out) == (0, "")
    assert "faces-1 is removed" in err
    for verb in ("get", "drain", "resume", "remove"):
        code, out, err = await ask(nodes, "processor", verb, "faces-1")
        assert (code, out) == (Exit.NOT_FOUND, "")
        assert "processor_unknown" in err


async def test_variables(nodes: Nodes) -> None:
    _, out, err = await ask(nodes, "variable", "list")
    assert out.split() == ["NAME", "VALUE", "REVISION"]
    assert "no variable" in err
    made = await data(nodes, "variable", "set", "line-a.speed", '{"mm_s": 120}', "--if-revision", "0", "--key", "v-1")
    assert await data(nodes, "variable", "get", "line-a.speed") == made
    assert made["value"] == {"mm_s": 120}
    again = await data(nodes, "variable", "set", "line-a.speed", '{"mm_s": 120}', "--if-revision", "0", "--key", "v-1")
    assert again == made, "done once"
    code, out, err = await ask(nodes, "variable", "set", "line-a.speed", "1", "--if-revision", "0")
    assert (code, out) == (Exit.CONFLICT, "")
    assert f"revision {made['revision']}" in err
    revision = str(made["revision"])
    assert (await data(nodes, "variable", "set", "line-a.speed", "-5", "--if-revision", revision))["value"] == -5
    assert (await data(nodes, "variable", "set", "line-a.operator", "--string", "Ada"))["value"] == "Ada"
    assert [row["name"] for row in await data(nodes, "variable", "list")] == ["line-a.operator", "line-a.speed"]
    _, out, _ = await ask(nodes, "variable", "list")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["line-a.operator", '"Ada"'], ["line-a.speed", "-5"]]
    code, _, _ = await ask(nodes, "variable", "delete", "line-a.speed", "--if-revision", revision)
    assert code == Exit.CONFLICT
    assert (await data(nodes, "variable", "delete", "line-a.speed"))["deleted"] is True
    for verb in ("get", "delete"):
        code, _, err = await ask(nodes, "variable", verb, "line-a.speed")
        assert code == Exit.NOT_FOUND
        assert "line-a.speed" in err
    code, _, err = await ask(nodes, "variable", "set", "line-a.operator", "Ada")
    assert code == Exit.USAGE
    assert "--string" in err
    for name, value in (("a", "NaN"), ("a", "1e999"), ("a", '"\\ud800"'), ("a/b", "1"), ("..", "1")):
        code, _, err = await ask(nodes, "variable", "set", name, value)
        assert code == Exit.REFUSED
        assert "variable_invalid" in err


async def test_frames(nodes: Nodes, tmp_path: Path) -> None:
    async with FrameProducer("cam-cli", nodes.redis.url) as producer:
        for _ in range(3):
            await producer.publish(b"x", width=4, height=4, format="jpeg", metadata={"detection_type": "none"})

    async def parked() -> bool:
        stats = await data(nodes, "frames", "stats")
        return bool(stats["lanes"].get("none") == 3)

    await eventually(parked, deadline_s=20)
    report = tmp_path / "ledger.json"
    for source in ([], ["--redis-url", nodes.redis.url]):
        code, out, err = await ask(nodes, "frames", "verify", "--report", str(report), *source)
        assert code == 0, err
        assert out.splitlines()[-1].split() == ["ledger_ok", "yes"]
        written = json.loads(report.read_text())
        assert (written["published"], written["in_flight"], written["lost"], written["ledger_ok"]) == (3, 3, 0, True)
        assert json.loads((await ask(nodes, "frames", "verify", "-o", "json", *source))[1]) == written
        code, out, _ = await ask(nodes, "frames", "stats", *source)
        assert ["lane", "none", "3", "-"] in [line.split() for line in out.splitlines()]
    code, _, err = await ask(nodes, "frames", "verify", "--report", str(tmp_path / "no" / "report.json"))
    assert code == Exit.FAILED
    assert "report.json" in err


async def test_no_redis(nodes: Nodes) -> None:
    code, out, err = await ask(nodes, "frames", "verify", TRIARCH_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert (code, out) == (Exit.DEGRADED, "")
    assert "redis_unavailable" in err


async def test_a_server_that_is_no_node(nodes: Nodes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /v1/components"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        elif head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert (await ask(nodes, "component", "list", "--url", url))[0] == Exit.FAILED
        assert (await ask(nodes, "processor", "list", "--url", url))[0] == Exit.NOT_FOUND
        code, _, err = await ask(nodes, "cluster", "transfer", "--url", url, "--key", "k-9", "--timeout", "2")
        assert code == Exit.UNKNOWN
        assert "--key k-9" in err


async def test_a_member_that_is_gone_is_not_called_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(3, tmp_path) as nodes:
        gone = await nodes.follower()
        await nodes.stop(gone)
        found: dict[str, Any] = {}

        async def degraded() -> bool:
            code, out, _ = await ask(nodes, "cluster", "status", "-o", "json")
            assert code in (Exit.DEGRADED, Exit.NO_LEADER)  # never "healthy"; a slow machine may elect once more
            found.update(json.loads(out))
            return code == Exit.DEGRADED and sum(member["ready"] for member in found["members"]) == 2

        await eventually(degraded, deadline_s=20)
        assert found["healthy"] is False
        [row] = [member for member in found["members"] if not member["ready"]]
        assert row["id"] == f"n{gone + 1}"
        assert "does not answer" in row["reason"]
        led = next(at for at, member in enumerate(found["members"]) if member["role"] == "leader" and at != gone)
        await nodes.stop(led)

        async def nobody() -> bool:
            code, _, _ = await ask(nodes, "cluster", "status")
            return code == Exit.NO_LEADER

        await eventually(nobody, deadline_s=20)
        # Who follows by way of one that is cut off is sent on: another may know more.
        monkeypatch.setattr(following, "HEARTBEAT_S", 0.1)
        monkeypatch.setattr(following, "LEADERLESS_S", 0.3)
        left = nodes.clients[3 - gone - led]
        async with asyncio.timeout(20), left.stream("GET", "/v1/events/follow") as answer:
            assert (await answer.aread()).startswith(b": follows")


async def test_a_node_from_its_configuration(tmp_path: Path) -> None:
    raft, api = free_port(), free_port()
    tree = settings(0, [(raft, api)], tmp_path, 0, redis={"mode": "embedded", "port": free_port()})
    del tree["redis"]["url"]
    path = tmp_path / "n1.yaml"
    path.write_text(yaml.safe_dump(tree))
    code, out, err = await triarch("node", "--config", str(path), "--check")
    assert code == 0, err
    assert "good" in out
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", "node", "--config", str(path)),
        cwd=REPO,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:

        async def ready() -> bool:
            code, _, _ = await triarch("cluster", "status", "--url", f"http://127.0.0.1:{api}")
            return code == 0

        await eventually(ready, deadline_s=30)
        code, _, err = await triarch("node", "--config", str(path))
        assert code != 0
        assert "in use" in err
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_settings_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("node: {id: n1, data_dir: x}\ncluster:\n  members: []\n  nonsense: 1\n")
    code, out, err = await triarch("node", "--config", str(path))
    assert (code, out) == (Exit.USAGE, "")
    assert "bad.yaml" in err
    assert "nonsense" in err
    code, _, err = await triarch("node", "--config", str(tmp_path / "missing.yaml"))
    assert code == Exit.USAGE
    assert "missing.yaml" in err
    code, _, err = await triarch("node", "--config", str(path), "--set", "nonsense")
    assert code == Exit.USAGE
    assert "FIELD=VALUE" in err


async def test_a_node_beyond_loopback_without_secrets_refuses_to_start(tmp_path: Path) -> None:
    tree = settings(0, [(7101, 8101)], tmp_path, 6390)
    tree["cluster"]["members"][0]["raft"] = "192.0.2.1:7101"
    path = tmp_path / "open.yaml"
    path.write_text(yaml.safe_dump(tree))
    code, out, err = await triarch("node", "--config", str(path))
    assert (code, out) == (Exit.REFUSED, "")
    assert "refused_insecure" in err
