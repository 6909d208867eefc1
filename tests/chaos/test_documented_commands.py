"""The commands that documents show are run, on three nodes with a component, a processor, a group and a playbook.

What a placeholder stands for is filled in. What the answer must be is not said here, but that the command was
understood (no usage error), and that nothing broke (no failure without a code of its own, no stack).
"""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import click
import httpx
import pytest

from orchestrator.cli.exits import Exit
from tests.command_line import REPO, triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.system.documented import asked, documented, resolved

pytestmark = [pytest.mark.campaign, pytest.mark.anyio, pytest.mark.timeout(600)]

NOT_RUN = {
    # Why not here, and where it is run instead, which tests/system/test_documented_commands.py looks up.
    ("node",): "does not end; tests/orchestrator/test_cli_commands.py",
    ("dev",): "does not end; tests/demo/test_plant.py",
    ("demo",): "half a minute; tests/system/test_demo.py",
    ("drill", "run"): "half a minute each; tests/lab/test_drills.py",
    ("drill", "report"): "needs a report; tests/orchestrator/test_drill_report.py",
    ("bench",): "measures; tests/chaos/test_benches.py",
    ("watch",): "does not end; tests/orchestrator/test_api_watch_nodes.py",
    ("execution", "follow"): "waits; tests/orchestrator/test_cli_playbooks.py",
    ("event", "follow"): "does not end; tests/orchestrator/test_cli_playbooks.py",
    ("frames", "tail"): "does not end where it follows; tests/orchestrator/test_frames_told.py",
    ("processor", "run"): "does not end; tests/orchestrator/test_cli_processor_run.py",
    ("cluster", "add"): "needs a fourth node; tests/orchestrator/test_cli_members.py",
    ("cluster", "remove"): "takes a node away; tests/orchestrator/test_cli_members.py",
    ("cluster", "recover"): "for stopped nodes; tests/system/test_recovery.py",
    ("cluster", "snapshot", "show"): "of a file that is not there; tests/orchestrator/test_cli_members.py",
    ("backup", "make"): "on a host; tests/orchestrator/test_backups.py",
    ("backup", "place"): "on a host; tests/orchestrator/test_backups.py",
    ("backup", "restore"): "on a host; tests/orchestrator/test_backups.py",
    ("backup", "verify"): "of a backup that is not there; tests/orchestrator/test_backups.py",
    ("cluster", "snapshot", "restore"): "replaces everything; tests/orchestrator/test_cli_members.py",
    ("playbook", "check"): "takes a minute on large ones; tests/orchestrator/test_cli_playbook_simulate.py",
    ("login",): "reads a token; tests/orchestrator/test_cli_context.py",
    ("doctor",): "of hosts that are not there; tests/orchestrator/test_doctor.py",
    ("debug", "bundle"): "writes a file where it stands; tests/orchestrator/test_bundle.py",
    ("top",): "does not end; tests/orchestrator/test_doctor.py",
}
JUDGES = {("playbook", "simulate"), ("playbook", "validate"), ("frames", "verify"), ("audit", "verify")}
"""Whose answer may be that something else is wrong, with exit code 1."""
FILES = {"FILE", "FILE…", "PATH…"}
WORDS = {
    "NAME": "",
    "ID": "",
    "ROLE": "operator",
    "URL": "http://127.0.0.1:9",
    "TYPE": "part.seen",
    "VALUE": "5",
    "JSON": '{"condition": {"kind": "metric", "name": "t"}}',
}
BY_NOUN = {
    "component": {"ID": "press-1"},
    "processor": {"ID": "faces-1"},
    "group": {"NAME": "line"},
    "plan": {"NAME": "line"},
    "playbook": {"NAME": "startup"},
    "execution": {"ID": "run-1", "NAME": "go"},
    "alert": {"ID": "a1", "NAME": "component-fault"},
    "variable": {"NAME": "speed"},
    "token": {"ID": "nobody", "NAME": "anna"},
    "cluster": {"NODE": "n1"},
    "context": {"NAME": "hall"},
    "event": {"ID": "press-1"},
    "frames": {"ID": "cam-1:0", "FRAME": "cam-1:0"},
    "audit": {"NUMBER": "1"},
}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("documented"), token=TOKEN) as found:
        yield found


def filled(command: click.Command, path: list[str], rest: list[str], directory: Path) -> list[str]:
    """The words with what the placeholders stand for; nobody waits long for what does not come about here."""
    words = {**WORDS, **BY_NOUN.get(path[0] if path else "", {})}
    found = list(path)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in FILES or word.endswith((".yaml", ".yml")):
            shown = REPO / word
            found.append(str(shown if shown.is_file() else REPO / "playbooks" / "startup.yaml"))
        elif word.endswith((".json", ".jsonl", ".snapshot", ".pem", ".token")):
            found.append(str(directory / word.rpartition("/")[2]))
        elif equals and value in words:
            found.append(f"{name}={words[value]}")
        else:
            found.append(words.get(word.rstrip("…,"), word))
        if len(found) > 1 and found[-2] == "--wait" and found[-1][0].isdigit():
            found[-1] = "0.5"
    if found and found[-1] == "--wait":
        found.append("0.5")  # of its own accord it would be an hour
    if any(option.name == "timeout_s" for option in command.params) and "--timeout" not in found:
        found += ["--timeout", "3"]
    return found


async def test_documented_commands_run(nodes: Nodes, tmp_path: Path) -> None:
    environment = {"TRIARCH_URL": ",".join(nodes.urls), "TRIARCH_TOKEN": TOKEN, "XDG_CONFIG_HOME": str(tmp_path)}
    async with httpx.AsyncClient(base_url=nodes.urls[0], trust_env=False) as http:
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        press = {"id": "press-1", "address": "http://127.0.0.1:9", "incarnation": "1", "sequence": 0}
        assert (await http.post("/v1/components", json=press)).is_success
        await http.post("/v1/processors/register", json={"id": "faces-1", "capabilities": ["faces"], "capacity": 4})
        await http.put("/v1/groups/line", json={"components": ["press-1"]})
        await http.put("/v1/playbooks/startup", json={"text": (REPO / "playbooks" / "startup.yaml").read_text()})
        broken, run, seen = [], 0, set()
        for shown in documented():
            command, path, rest = resolved(shown.words)
            if any(tuple(path[: len(left_out)]) == left_out for left_out in NOT_RUN):
                continue
            if isinstance(command, click.Group):
                continue
            words = tuple(filled(command, path, rest, tmp_path))
            if words in seen or not path:
                continue
            seen.add(words)
            code, _, err = await triarch(*words, **environment)
            run += 1
            if code == Exit.USAGE and not rest:
                continue  # it was only named
            wrong = {Exit.USAGE} if tuple(path) in JUDGES else {Exit.FAILED, Exit.USAGE}
            if code in wrong or "Traceback" in err:
                broken.append(f"{shown}: ran {json.dumps(words)}: {code}: {err.strip()[:200]}")
        assert not broken, "\n" + "\n".join(broken)
        assert run > 100


async def test_documented_requests_are_answered(nodes: Nodes) -> None:
    """By curl itself: with the hosts, names and tokens that stand in them filled in, each of them succeeds."""
    if shutil.which("curl") is None:
        assert "CI" not in os.environ, "curl is missing"
        pytest.skip("no curl here")
    http = nodes.clients[0]
    component = {"id": "press-1", "address": "http://127.0.0.1:9", "incarnation": "1", "sequence": 0}
    assert (await http.post("/v1/components", json=component)).is_success
    row = {"id": "faces-1", "capabilities": ["faces"], "capacity": 4}
    assert (await http.post("/v1/processors/register", json=row)).is_success
    index = (await http.get("/v1/snapshot")).json()["index"]
    run = 0
    for each in asked():
        url = re.sub(r"^http://[^/]+:810(\d)", lambda found: nodes.urls[int(found[1]) - 1], each.url)
        url = url.replace("/ID", "/faces-1").replace("after=4711", f"after={index}")
        words = [word.replace("$TOKEN", TOKEN).replace(each.url, url) for word in each.words]
        if not any(TOKEN in word for word in words):
            words += ["-H", f"Authorization: Bearer {TOKEN}"]
        # A watch has no end: what counts is how it began. Others are asked again where nobody leads for a moment.
        words += ["--noproxy", "*", *(["--max-time", "3"] if "/watch" in url else ["--max-time", "30", "--retry", "4"])]
        words += ["--write-out", "\n%{http_code}"]
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        body, _, status = out.decode().rpartition("\n")
        assert status in ("200", "201", "204"), f"{each.page}: {words}: {status} {body}"
        assert "event: ready" in body or "/watch" not in url
        run += 1
    assert run >= 4
