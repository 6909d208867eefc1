"""`triarch playbook`, `execution` and `event` against a real node; the command runs in a thread beside it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.exits import Exit
from orchestrator.cli.main import main
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

GATED = """\
name: gated
inputs:
  who: {type: string, default: nobody}
concurrency: {limit: 20}
actions:
  - {type: log_event, message: "hello {{ inputs.who }}"}
  - {type: approve, id: gate, message: "go on?"}
"""
TURNS = """\
name: turns
actions:
  - type: repeat
    until: index >= 1
    limit: 2
    actions: [{type: approve, id: gate, message: "{{ index }}?"}]
  - type: for_each
    items: [a, b]
    parallel: 2
    actions: [{type: approve, id: side, message: "{{ item }}?"}]
"""
CALLER = "name: caller\nactions: [{type: execute_scenario, name: gated}]\n"
FAILING = "name: failing\nactions: [{type: fail, message: no luck}]\n"


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("cli-playbooks"), token=TOKEN) as found:
        yield found


@pytest.fixture(scope="module")
async def directory(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of playbooks, which the cluster has."""
    found = tmp_path_factory.mktemp("playbooks")
    for name, text in (("gated", GATED), ("caller", CALLER), ("failing", FAILING)):
        (found / f"{name}.yaml").write_text(text)
    applied = await data(nodes, "playbook", "apply", str(found))
    assert [row["name"] for row in applied] == ["failing", "gated", "caller"]  # those that are called come first
    return found


async def ask(nodes: Nodes, *arguments: str, **environment: str) -> Result:
    given = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN, "USER": "ada", **environment}
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments, env=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


async def data(nodes: Nodes, *arguments: str, code: int = 0) -> Any:
    result = await ask(nodes, *arguments, "-o", "json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


async def start(nodes: Nodes, *arguments: str) -> str:
    told = await data(nodes, "playbook", "run", "gated", *arguments)
    execution_id = str(told["id"])
    await eventually(lambda: waits(nodes, execution_id))
    return execution_id


async def waits(nodes: Nodes, execution_id: str) -> bool:
    steps = (await nodes.clients[0].get(f"/v1/executions/{execution_id}")).json()["steps"]
    return len(steps) == 2 and bool(steps[1]["waiting"])


# ── Playbooks ────────────────────────────────


async def test_a_directory_is_put_as_a_whole_or_not_at_all(nodes: Nodes, directory: Path, tmp_path: Path) -> None:
    again = await ask(nodes, "playbook", "apply", str(directory))
    assert (again.exit_code, "0 of 3 changed" in again.stderr) == (0, True), again.output
    (tmp_path / "one.yaml").write_text(CALLER.replace("caller", "one").replace("gated", "two"))
    (tmp_path / "two.yaml").write_text(CALLER.replace("caller", "two").replace("gated", "one"))
    refused = await ask(nodes, "playbook", "apply", str(tmp_path))
    assert refused.exit_code == Exit.REFUSED
    assert "circle: one → two → one" in refused.stderr
    (tmp_path / "two.yaml").write_text(FAILING.replace("failing", "two").replace("fail,", "fial,"))
    refused = await ask(nodes, "playbook", "apply", str(tmp_path))
    assert (refused.exit_code, "two.yaml:2:" in refused.stderr) == (Exit.REFUSED, True), refused.output
    names = {row["name"] for row in await data(nodes, "playbook", "list")}
    assert names == {"gated", "caller", "failing"}
    alone = await ask(nodes, "playbook", "apply", str(directory / "caller.yaml"))  # the cluster has what it calls
    assert (alone.exit_code, "warning" in alone.stderr) == (0, False), alone.output


async def test_a_key_is_for_one_text(nodes: Nodes, tmp_path: Path) -> None:
    file = tmp_path / "keyed.yaml"
    file.write_text(FAILING.replace("failing", "keyed"))
    put = ("playbook", "apply", str(file), "--key", "put-once")
    assert [(await data(nodes, *put))[0]["version"] for _ in range(2)] == [1, 1]
    file.write_text(FAILING.replace("failing", "keyed") + "description: newer\n")
    other = await ask(nodes, *put)
    assert (other.exit_code != 0, "the key was used for another request" in other.stderr) == (True, True), other.output
    await data(nodes, "playbook", "delete", "keyed")


async def test_versions_with_check_and_set(nodes: Nodes, directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "failing.yaml"
    file.write_text(FAILING + "description: newer\n")
    dry = await data(nodes, "playbook", "apply", str(file), "--dry-run")
    assert (dry[0]["version"], dry[0]["changed"]) == (1, True)
    assert (await data(nodes, "playbook", "apply", str(file), "--if-version", "1"))[0]["version"] == 2
    file.write_text(FAILING + "description: newest\n")
    for version in ("1", "0"):
        stale = await ask(nodes, "playbook", "apply", str(file), "--if-version", version)
        assert (stale.exit_code, "has version 2" in stale.stderr) == (Exit.CONFLICT, True), stale.output
    several = await ask(nodes, "playbook", "apply", str(directory), "--if-version", "1")
    assert several.exit_code == Exit.USAGE
    assert (await ask(nodes, "playbook", "get", "failing")).stdout == FAILING + "description: newer\n"
    assert (await ask(nodes, "playbook", "get", "failing", "--version", "1")).stdout == FAILING
    row = await data(nodes, "playbook", "get", "failing")
    assert [(each["version"], each["who"]) for each in row["versions"]] == [(2, "ada"), (1, "ada")]
    gone = FAILING.replace("failing", "gone")
    (tmp_path / "gone.yaml").write_text(gone)
    await data(nodes, "playbook", "apply", str(tmp_path / "gone.yaml"))
    assert (await ask(nodes, "playbook", "delete", "gone", "--if-version", "7")).exit_code == Exit.CONFLICT
    assert (await data(nodes, "playbook", "delete", "gone"))["deleted"] is True
    assert (await ask(nodes, "playbook", "get", "gone")).exit_code == Exit.NOT_FOUND


@pytest.mark.usefixtures("directory")
async def test_a_plan_and_inputs(nodes: Nodes) -> None:
    planned = await data(nodes, "playbook", "plan", "gated", "--input", "who=Eve")
    assert planned["steps"][0]["does"]["message"] == "hello Eve"
    table = await ask(nodes, "playbook", "plan", "gated")
    assert table.stdout.splitlines()[0].split() == ["PATH", "ID", "TYPE", "RUNS", "WHAT", "PROBLEM"]
    for inputs, code in (
        (["who"], Exit.USAGE),
        (["who:=Eve"], Exit.USAGE),
        (["who=a", "who=b"], Exit.USAGE),
        (["who=1"], Exit.REFUSED),
        (["speed=1"], Exit.REFUSED),
    ):
        given = [part for each in inputs for part in ("--input", each)]
        result = await ask(nodes, "playbook", "run", "gated", *given)
        assert result.exit_code == code, (inputs, result.output)
    assert (await ask(nodes, "playbook", "run", "nobody")).exit_code == Exit.NOT_FOUND


@pytest.mark.usefixtures("directory")
async def test_run_and_wait(nodes: Nodes) -> None:
    failed = await ask(nodes, "playbook", "run", "failing", "--wait", "-o", "json")
    assert (failed.exit_code, json.loads(failed.stdout)["status"]) == (Exit.FAILED, "FAILED")
    assert "no luck" in failed.stderr
    followed = await ask(nodes, "playbook", "run", "failing", "--follow", "-o", "json")
    last = json.loads(followed.stdout.splitlines()[-1])
    assert (followed.exit_code, last["data"]["status"]) == (Exit.FAILED, "FAILED"), followed.output
    both = await ask(nodes, "playbook", "run", "failing", "--follow", "--wait")
    assert both.exit_code == Exit.USAGE
    late = await ask(nodes, "playbook", "run", "gated", "--wait", "0.3")
    assert (late.exit_code, "it goes on" in late.stderr) == (Exit.UNKNOWN, True), late.output
    once = {(await data(nodes, "playbook", "run", "gated", "--key", "k-1"))["id"] for _ in range(2)}
    assert len(once) == 1


# ── Executions ────────────────────────────────


@pytest.mark.usefixtures("directory")
async def test_an_execution_is_followed_to_its_end(nodes: Nodes) -> None:
    execution_id = await start(nodes, "--input", "who=Ada")
    nobody = f"http://127.0.0.1:{free_port()}"
    both = ["--url", f"{nobody},{nodes.urls[0]}"]
    # A process of its own: the runner of the others has one standard output for all of this one.
    following = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", "execution", "follow", execution_id, *both, "-o", "json"),
        env={**os.environ, "TRIARCH_TOKEN": TOKEN},
        stdout=asyncio.subprocess.PIPE,
    )
    assert following.stdout is not None
    snapshot = json.loads(await following.stdout.readline())
    assert (await data(nodes, "execution", "pause", execution_id, "--comment", "tea"))["status"] == "PAUSED"
    again = await ask(nodes, "execution", "pause", execution_id)
    assert (again.exit_code, "is PAUSED" in again.stderr) == (Exit.REFUSED, True)
    await data(nodes, "execution", "resume", execution_id)
    shown = await ask(nodes, "execution", "get", execution_id)
    assert "approval: go on?" in shown.stdout
    nobody_knows = await ask(nodes, "execution", "approve", execution_id, "--step", "gait")
    assert (nobody_knows.exit_code, "no step gait" in nobody_knows.stderr) == (Exit.NOT_FOUND, True)
    row = await data(nodes, "execution", "approve", execution_id, "--step", "gate", "--wait", "20")
    assert (row["status"], row["steps"][1]["value"]["who"]) == ("SUCCEEDED", "ada")
    rest, _ = await following.communicate()
    assert following.returncode == 0
    told = [snapshot, *(json.loads(line) for line in rest.splitlines())]
    assert told[-1]["data"]["status"] == "SUCCEEDED"
    indexes = [each["index"] for each in told]
    assert indexes == sorted(set(indexes))
    last = await ask(nodes, "execution", "follow", execution_id, "--from", str(indexes[-2]), "-o", "json")
    assert [json.loads(line) for line in last.stdout.splitlines()] == told[-1:]
    none = await ask(nodes, "execution", "follow", execution_id, "--from", str(indexes[-1]))
    assert (none.exit_code, none.stdout, "has ended" in none.stderr) == (0, "", True)
    people = await ask(nodes, "execution", "follow", execution_id)
    assert f"execution {execution_id} is SUCCEEDED" in people.stdout


@pytest.mark.usefixtures("directory")
async def test_reject_retry_cancel_and_signal(nodes: Nodes) -> None:
    execution_id = await start(nodes)
    rejected = await ask(nodes, "execution", "reject", execution_id, "--comment", "door open", "--wait")
    assert (rejected.exit_code, "door open" in rejected.stderr) == (Exit.FAILED, True), rejected.output
    assert (await ask(nodes, "execution", "follow", execution_id)).exit_code == Exit.FAILED
    assert (await ask(nodes, "execution", "retry", execution_id, "--step", "actions/7")).exit_code == Exit.NOT_FOUND
    assert (await data(nodes, "execution", "retry", execution_id, "--step", "actions/1"))["status"] == "RUNNING"
    assert (await data(nodes, "execution", "signal", execution_id, "tool", '{"id": 4}'))["status"] == "RUNNING"
    assert (await ask(nodes, "execution", "signal", execution_id, "tool", "T4")).exit_code == Exit.USAGE
    assert (await data(nodes, "execution", "signal", execution_id, "tool", "T4", "--string"))["status"] == "RUNNING"
    late = await ask(nodes, "execution", "follow", execution_id, "--for", "0.3")
    assert late.exit_code == Exit.UNKNOWN
    cancelled = await ask(nodes, "execution", "cancel", execution_id, "--wait", "-o", "json")
    assert (cancelled.exit_code, json.loads(cancelled.stdout)["status"]) == (Exit.FAILED, "CANCELLED")
    rows = await data(nodes, "execution", "list", "--status", "CANCELLED", "--playbook", "gated", "--limit", "1")
    assert [row["id"] for row in rows] == [execution_id]
    for action in ("pause", "cancel", "approve"):
        assert (await ask(nodes, "execution", action, execution_id)).exit_code == Exit.REFUSED
    for action in ("get", "follow", "retry"):
        assert (await ask(nodes, "execution", action, "nobody")).exit_code == Exit.NOT_FOUND
    wrong = await ask(nodes, "execution", "follow", execution_id, "--from", "x")
    assert (wrong.exit_code, "invalid_cursor" in wrong.stderr) == (Exit.REFUSED, True), wrong.output


async def test_a_step_of_a_loop_by_its_id(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "turns.yaml").write_text(TURNS)
    await data(nodes, "playbook", "apply", str(tmp_path / "turns.yaml"))
    execution_id = str((await data(nodes, "playbook", "run", "turns"))["id"])

    async def open_steps() -> set[str]:
        steps = (await nodes.clients[0].get(f"/v1/executions/{execution_id}")).json()["steps"]
        return {step["path"] for step in steps if step["type"] == "approve" and step["status"] == "RUNNING"}

    async def come_to(*paths: str) -> None:
        async def there() -> bool:
            return await open_steps() == set(paths)

        await eventually(there)

    for turn in range(2):
        await come_to(f"actions/0/#{turn}/0")
        await data(nodes, "execution", "approve", execution_id, "--step", "gate")
    await come_to("actions/1/#0/0", "actions/1/#1/0")
    over = await ask(nodes, "execution", "approve", execution_id, "--step", "gate")
    assert (over.exit_code, "actions/1/#0/0, actions/1/#1/0" in over.stderr) == (Exit.REFUSED, True), over.output
    both = await ask(nodes, "execution", "approve", execution_id, "--step", "side")
    assert (both.exit_code, "actions/1/#0/0, actions/1/#1/0" in both.stderr) == (Exit.USAGE, True), both.output
    await data(nodes, "execution", "approve", execution_id, "--step", "actions/1/#0/0")
    await come_to("actions/1/#1/0")
    rejected = await ask(nodes, "execution", "reject", execution_id, "--step", "side", "--wait", "20")
    assert rejected.exit_code == Exit.FAILED, rejected.output
    await data(nodes, "execution", "retry", execution_id, "--step", "side")
    await come_to("actions/1/#1/0")
    row = await data(nodes, "execution", "approve", execution_id, "--step", "side", "--wait", "20")
    assert row["status"] == "SUCCEEDED"


async def test_nobody_there(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.following.FIRST_PATIENCE_S", 0.1)
    for command in (("execution", "follow", "x"), ("event", "follow"), ("execution", "list")):
        result = await ask(nodes, *command, "--url", f"http://127.0.0.1:{free_port()}")
        assert result.exit_code == Exit.NO_LEADER, result.output


# ── Events ────────────────────────────────


@pytest.mark.usefixtures("directory")
async def test_the_journal(nodes: Nodes) -> None:
    execution_id = await start(nodes, "--input", "who=Joy")
    rows = await data(nodes, "event", "list", "--execution", execution_id, "--limit", "2")
    assert [row["message"] for row in rows] == ["go on?", "hello Joy"]
    table = await ask(nodes, "event", "list", "--level", "warning", "--type", "playbook.*", "--source", "gated")
    assert table.stdout.splitlines()[0].split() == ["TIME", "LEVEL", "TYPE", "SOURCE", "MESSAGE"]
    before = str(rows[1]["index"] - 1)
    followed = await ask(
        nodes, *("event", "follow", "--from", before, "--execution", execution_id, "--count", "2", "-o", "json")
    )
    assert [json.loads(line)["message"] for line in followed.stdout.splitlines()] == ["hello Joy", "go on?"]
    assert (await ask(nodes, "event", "follow", "--for", "0.2")).exit_code == 0


async def test_an_event_is_sent_once_in_the_name_of_a_component(nodes: Nodes) -> None:
    send = ("event", "send", "part.jammed", "--source", "press-9")
    for payload in ("{", "[]"):
        assert (await ask(nodes, *send, "--payload", payload)).exit_code == Exit.USAGE
    assert (await ask(nodes, *send)).exit_code == Exit.NOT_FOUND
    registration = {"id": "press-9", "address": "http://127.0.0.1:9", "state": "READY", "incarnation": "a" * 32}
    answer = await nodes.clients[0].post("/v1/components", json=registration)
    assert answer.is_success, answer.text
    for _ in range(2):
        assert (await data(nodes, *send, "--payload", '{"station": 3}', "--key", "jam-1"))["taken"] is True
    [line] = await data(nodes, "event", "list", "--source", "press-9", "--type", "part.jammed")
    assert "3" in json.dumps(line["data"])
    assert (await ask(nodes, "event", "send", "Bad", "--source", "press-9")).exit_code == Exit.REFUSED
