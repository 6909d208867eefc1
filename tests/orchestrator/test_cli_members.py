"""Members, backups and recovery by the command line, against real nodes."""

import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.exits import Exit
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, joining, serving, settings
from tests.orchestrator.test_cli_commands import ask, data
from tests.support import eventually, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("cli"), token=TOKEN) as found:
        yield found


async def test_members(nodes: Nodes) -> None:
    assert [row["id"] for row in await data(nodes, "cluster", "members")] == ["n1", "n2", "n3"]
    code, out, _ = await ask(nodes, "cluster", "members")
    assert code == 0
    assert out.split()[:8] == ["NODE", "ROLE", "VOTER", "REACHABLE", "LAG", "RELEASE", "API", "RAFT"]


async def test_a_node_is_added_and_removed(nodes: Nodes, tmp_path: Path) -> None:
    async with joining(nodes, "n4", tmp_path) as (node, fourth):
        own = node.config.member()
        row = await data(nodes, "cluster", "add", "n4", "--raft", own.raft, "--api", own.api)
        assert (row["id"], row["voter"]) == ("n4", True)
        await nodes.leader()

        async def all_ready() -> bool:
            code, out, _ = await ask(nodes, "cluster", "status", "-o", "json")
            return code == 0 and len(json.loads(out)["members"]) == 4

        await eventually(all_ready, deadline_s=30)
        # Any node may be asked, also one that no settings of the others name.
        code, out, err = await ask(nodes, "cluster", "members", "-o", "json", TRIARCH_URL=str(fourth.base_url))
        assert (code, len(json.loads(out))) == (0, 4), err
        code, out, err = await ask(nodes, "cluster", "remove", "n4")
        assert (code, out) == (0, ""), err
        assert "n4 is removed" in err
        code, _, err = await ask(nodes, "cluster", "remove", "n4")
        assert code == Exit.NOT_FOUND
        code, _, err = await ask(nodes, "cluster", "add", "n4", "--raft", own.raft, "--api", own.api)
        assert code == Exit.REFUSED
        assert "member_change_refused" in err


async def test_who_does_not_run_is_waited_for_as_long_as_one_likes(nodes: Nodes) -> None:
    place = ("--raft", f"127.0.0.1:{free_port()}", "--api", f"http://127.0.0.1:{free_port()}")
    code, out, err = await ask(nodes, "cluster", "add", "n7", *place, "--wait", "0.5", "-o", "json")
    assert code == Exit.UNKNOWN, err
    assert json.loads(out)["role"] == "learner"
    assert "cluster.join" in err
    code, out, _ = await ask(nodes, "cluster", "status", "-o", "json")
    row = next(member for member in json.loads(out)["members"] if member["id"] == "n7")
    assert (code, row["voter"], row["ready"]) == (Exit.DEGRADED, False, False)
    assert await data(nodes, "cluster", "remove", "n7", "--key", "gone-1") == {"id": "n7", "removed": True}


async def test_a_snapshot_is_saved_and_restored(nodes: Nodes, tmp_path: Path) -> None:
    client = nodes.clients[0]
    registered = {"id": "kept", "address": "http://127.0.0.1:9"}
    assert (await client.post("/v1/components", json=registered)).status_code == 201
    file = tmp_path / "plant.snapshot"
    saved = await data(nodes, "cluster", "snapshot", "save", str(file))
    assert (saved["file"], saved["bytes"]) == (str(file), file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, _, err = await ask(nodes, "cluster", "snapshot", "save", str(file))
    assert code == Exit.CONFLICT
    assert "--force" in err
    code, out, err = await triarch("cluster", "snapshot", "show", str(file), "-o", "json")  # it asks no node
    shown = json.loads(out)
    assert (code, shown["members"]) == (0, "n1, n2, n3"), err
    assert {name: shown[name] for name in saved if name != "node"} == {
        name: value for name, value in saved.items() if name != "node"
    }
    code, out, err = await triarch("cluster", "snapshot", "show", str(file))
    assert (code, err) == (0, "")
    assert saved["digest"] in out
    assert (await client.delete("/v1/components/kept")).status_code == 204

    code, out, err = await ask(nodes, "cluster", "snapshot", "restore", str(file))
    assert (code, out) == (Exit.USAGE, "")
    assert "replace the whole state" in err
    assert (await client.get("/v1/components/kept")).status_code == 404
    restored = await data(nodes, "cluster", "snapshot", "restore", str(file), "--yes")
    assert (restored["index"], restored["digest"]) == (saved["index"], saved["digest"])
    assert (await client.get("/v1/components/kept")).status_code == 200


async def test_what_is_no_snapshot(nodes: Nodes, tmp_path: Path) -> None:
    code, _, err = await ask(nodes, "cluster", "snapshot", "restore", str(tmp_path / "none"), "--yes")
    assert code == Exit.NOT_FOUND
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"nothing of ours")
    code, _, err = await ask(nodes, "cluster", "snapshot", "restore", str(wrong), "--yes")
    assert code == Exit.FAILED
    assert "snapshot_unreadable" in err
    code, out, err = await triarch("cluster", "snapshot", "show", str(wrong))
    assert (code, out, "snapshot_unreadable" in err) == (Exit.FAILED, "", True)
    code, out, err = await triarch("cluster", "snapshot", "show", str(tmp_path / "none"))
    assert (code, out, "no such file" in err) == (Exit.NOT_FOUND, "", True)
    code, _, err = await ask(nodes, "cluster", "snapshot", "save", str(tmp_path / "no" / "where"))
    assert code == Exit.FAILED
    assert "where" in err


async def test_recover_refuses_what_it_cannot_be_sure_of(nodes: Nodes, tmp_path: Path) -> None:
    code, out, err = await triarch("cluster", "recover", "--config", str(tmp_path / "none.yaml"))
    assert (code, out) == (Exit.USAGE, "")
    ports = [(free_port(), free_port()) for _ in range(3)]
    tree = settings(0, ports, tmp_path, free_port())
    path = tmp_path / "n1.yaml"
    path.write_text(yaml.safe_dump(tree))
    code, out, err = await triarch("cluster", "recover", "--config", str(path), "--yes")
    assert (code, out) == (Exit.FAILED, "")
    assert "data_dir_unreadable" in err
    assert os.listdir(tmp_path) == ["n1.yaml"]
    tree["node"]["data_dir"] = str(nodes.nodes[0].config.node.data_dir)
    path.write_text(yaml.safe_dump(tree))
    code, out, err = await triarch("cluster", "recover", "--config", str(path), "--yes")
    assert (code, out) == (Exit.CONFLICT, "")
    assert "data_dir_in_use" in err
