"""`triarch audit`, against a real node and against files."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli.audit import audit
from orchestrator.cli.exits import Exit
from tests.orchestrator.api_nodes import Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("cli-audit")) as found:
        for at in range(1, 6):
            await found.clients[0].put(f"/v1/variables/v{at}", json={"value": at})
        await eventually(lambda: found.nodes[0].trail.last == 5)
        yield found


async def ask(nodes: Nodes, *arguments: str) -> tuple[int, Any, str]:
    """In this process, beside the node's loop: a process of its own for each call costs a second."""
    runner = CliRunner(env={"TRIARCH_URL": nodes.urls[0]})
    told = await asyncio.to_thread(runner.invoke, audit, [*arguments, "-o", "json"])
    return told.exit_code, json.loads(told.stdout) if told.stdout else None, told.stderr


async def test_what_was_changed_is_listed_shown_exported_and_verified(nodes: Nodes, tmp_path: Path) -> None:
    code, rows, err = await ask(nodes, "list", "--limit", "2", "--kind", "variable.*")
    assert (code, [row["id"] for row in rows]) == (0, ["v5", "v4"]), err
    code, entry, _ = await ask(nodes, "show", "3")
    assert (code, entry["id"], entry["after"]["value"]) == (0, "v3", "3")
    assert (await ask(nodes, "show", "99"))[0] == Exit.NOT_FOUND
    file = tmp_path / "audit.jsonl"
    code, told, _ = await ask(nodes, "export", str(file))
    assert (code, told["lines"], told["last"]) == (0, 5, f"5:{rows[0]['hash']}")
    assert (await ask(nodes, "export", str(file)))[0] == Exit.CONFLICT
    for arguments in (
        [],
        [str(file)],
        [str(file), "--against-cluster", "--head", f"3:{entry['hash']}"],
        [*map(str, (nodes.nodes[0].config.node.data_dir / "audit").iterdir())],
    ):
        code, report, err = await ask(nodes, "verify", *arguments)
        assert (code, report["ok"], report["entries"], report["first"], report["last"]) == (0, True, 5, 1, 5), err
        assert (report["hash"], report["gaps"]) == (rows[0]["hash"], [])

    lines = file.read_text().splitlines(keepends=True)
    forged = tmp_path / "forged.jsonl"
    for wrong, arguments, number in (
        ([*lines[:2], lines[2].replace('"v3"', '"v9"'), *lines[3:]], [], 3),
        ([*lines[:2], *lines[3:]], [], 4),
        ([lines[1], lines[0], *lines[2:]], [], 1),
        (lines[:3], ["--head", f"5:{rows[0]['hash']}"], 4),
        (lines, ["--head", f"4:{'0' * 64}"], 4),
    ):
        forged.write_text("".join(wrong))
        code, report, err = await ask(nodes, "verify", str(forged), *arguments)
        assert (code, report["ok"], report["number"]) == (Exit.FAILED, False, number), err
        assert "audit_broken" in err
    forged.write_text("".join([*lines[:1], '{"gap": {"after": 1, "next": 4}}\n', *lines[3:]]))
    code, report, err = await ask(nodes, "verify", str(forged))
    assert (code, report["gaps"]) == (Exit.DEGRADED, [{"after": 1, "next": 4}]), err
    forged.write_text("".join(lines[2:]))
    code, report, _ = await ask(nodes, "verify", str(forged), "--head", f"1:{'0' * 64}")
    assert (code, report["first"], report["heads_not_reached"]) == (0, 3, [1])
    assert (await ask(nodes, "verify", "--head", "5:zz"))[0] == Exit.USAGE
    forged.write_text("")
    code, _, err = await ask(nodes, "verify", str(forged))
    assert (code, "no entry stands there" in err) == (Exit.FAILED, True), err


async def test_another_chain_is_not_the_clusters(nodes: Nodes, tmp_path: Path) -> None:
    from orchestrator.audit.entry import text_of
    from tests.orchestrator.test_audit_verifying import CHAIN

    file = tmp_path / "other.jsonl"
    file.write_bytes(b"".join(text_of(entry) + b"\n" for entry in CHAIN[:3]))
    assert (await ask(nodes, "verify", str(file)))[0] == 0
    code, report, _ = await ask(nodes, "verify", str(file), "--against-cluster")
    assert (code, report["number"], report["ok"]) == (Exit.FAILED, 1, False)
