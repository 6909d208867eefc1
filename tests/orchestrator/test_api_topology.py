"""Groups, policies, desired states, maintenance and plans: a real node, real components, the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from click.testing import CliRunner

from orchestrator import commanded
from orchestrator.cli.exits import Exit
from orchestrator.cli.main import main
from tests.orchestrator.plant_parts import Orchestrator, Press, client, problem
from tests.support import eventually

pytestmark = pytest.mark.anyio

LINE = {"io": [], "supervisor": ["io"], "kds": ["supervisor"]}


class Asked(Press):
    """Counts how often it is asked, also for what it does already."""

    asked = 0

    async def _on_command(self, *arguments: Any) -> Any:
        self.asked += 1
        return await super()._on_command(*arguments)


class Plant:
    """One node, and components that belong to a test."""

    def __init__(self, url: str, http: httpx.AsyncClient, parts: dict[str, Asked]) -> None:
        self.url = url
        self.http = http
        self.parts = parts

    async def states(self) -> dict[str, str]:
        return {
            row["id"]: row["state"] for row in (await self.http.get("/v1/components")).json() if row["id"] in self.parts
        }

    async def decision(self, component_id: str) -> str:
        decisions = (await self.http.get("/v1/supervision")).json()
        return next((each["reason"] for each in decisions if each["component"] == component_id), "")

    async def put(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.put(
            path, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    async def cli(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        result = await anyio.to_thread.run_sync(
            lambda: CliRunner().invoke(main, [*arguments, "--url", self.url], env={"USER": "ada"})
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    async def data(self, *arguments: str) -> Any:
        code, out, err = await self.cli(*arguments, "-o", "json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orchestrator]:
    async with Orchestrator(tmp_path_factory.mktemp("topology")) as found:
        yield found


@asynccontextmanager
async def line_at(url: str) -> AsyncIterator[dict[str, Asked]]:
    """The components of the line, registered; they start and leave side by side."""
    parts = {each: Asked(each, orchestrator_url=url, groups=["line"]) for each in LINE}
    serving = [asyncio.create_task(part.serve()) for part in parts.values()]
    try:
        await asyncio.gather(*(part.wait_registered() for part in parts.values()))
        yield parts
    finally:
        await asyncio.gather(*(part.stop() for part in parts.values()))
        await asyncio.gather(*serving)


@pytest.fixture
async def plant(node: Orchestrator) -> AsyncIterator[Plant]:
    """The line io ← supervisor ← kds, registered, in READY; nothing else is said of them."""
    async with client(node.url) as http:
        async with line_at(node.url) as parts:
            for each, needed in LINE.items():
                answer = await http.put(f"/v1/components/{each}/policy", json={"depends_on": needed})
                assert answer.status_code == 200, answer.text
            yield Plant(node.url, http, parts)
            for each in LINE:  # before they leave: a component that stops is not to be started again meanwhile
                await http.delete(f"/v1/components/{each}/policy")
        for row in (await http.get("/v1/components")).json():
            await http.delete(f"/v1/components/{row['id']}")
        for row in reversed((await http.get("/v1/groups")).json()):
            await http.delete(f"/v1/groups/{row['name']}")


async def test_groups_are_put_shown_changed_and_deleted(plant: Plant) -> None:
    http = plant.http
    created = await plant.put("/v1/groups/base", {"title": "Base", "components": ["io", "ghost"]})
    assert created.status_code == 201, created.text
    tag = created.headers["ETag"]
    assert (await plant.put("/v1/groups/all-of-it", {"groups": ["base"], "components": ["kds"]})).status_code == 201
    found = (await http.get("/v1/groups/all-of-it")).json()
    assert [each["id"] for each in found["members"]] == ["kds", "io", "ghost"]
    assert found["members"][2] == {"id": "ghost", "state": None, "presence": None}
    assert found["state"] == {"state": "MIXED", "counts": {"READY": 2}, "offline": 0, "absent": 1, "troubled": True}
    line = (await http.get("/v1/groups/line")).json()
    assert (line["size"], line["revision"], line["state"]["state"]) == (3, 0, "READY")
    assert (await http.get("/v1/groups/@all")).json()["size"] == 3
    assert {row["name"] for row in (await http.get("/v1/groups")).json()} == {"all-of-it", "base", "line"}
    assert [row["id"] for row in (await http.get("/v1/components?group=all-of-it")).json()] == ["io", "kds"]

    again = await plant.put("/v1/groups/base", {"components": ["io"]}, If_Match=tag)
    assert (again.status_code, again.headers["ETag"] != tag) == (200, True)
    stale = await plant.put("/v1/groups/base", {}, If_Match=tag)
    assert problem(stale) == (412, "precondition_failed")
    assert f'"{stale.json()["revision"]}"' == again.headers["ETag"]
    assert problem(await plant.put("/v1/groups/base", {}, If_None_Match="*")) == (412, "precondition_failed")
    circle = await plant.put("/v1/groups/base", {"groups": ["all-of-it"]})
    assert problem(circle) == (409, "group_cycle")
    assert circle.json()["cycle"] == ["base", "all-of-it", "base"]
    assert problem(await plant.put("/v1/groups/odd", {"groups": ["nowhere"]})) == (404, "group_unknown")
    assert problem(await plant.put("/v1/groups/@all", {})) == (422, "topology_invalid")
    assert problem(await plant.put("/v1/groups/@line", {})) == (422, "topology_invalid")
    assert problem(await plant.put("/v1/groups/-line", {})) == (422, "invalid_request")
    assert problem(await plant.put("/v1/groups/odd", {"components": ["io", "io"]})) == (422, "invalid_request")
    assert problem(await http.get("/v1/groups/nowhere")) == (404, "group_unknown")
    assert problem(await http.delete("/v1/groups/base")) == (409, "group_in_use")
    assert (await http.delete("/v1/groups/all-of-it")).status_code == 204
    assert (await http.delete("/v1/groups/base")).status_code == 204
    assert problem(await http.delete("/v1/groups/base")) == (404, "group_unknown")
    assert problem(await plant.put("/v1/groups/nowhere/desired", {"state": "STARTED"})) == (404, "group_unknown")


async def test_policies_are_checked_and_kept_by_revision(plant: Plant) -> None:
    http = plant.http
    circle = await plant.put("/v1/components/io/policy", {"depends_on": ["kds"]})
    assert problem(circle) == (409, "dependency_cycle")
    assert "io → kds → supervisor → io" in circle.json()["detail"]
    for restart, field in (
        ({"limit": 0}, "body.restart.limit"),
        ({"backoff_initial_s": -1}, "body.restart.backoff_initial_s"),
        ({"backoff_initial_s": 9, "backoff_max_s": 1}, "body.restart"),
        ({"when": "perhaps"}, "body.restart.when"),
    ):
        answer = await plant.put("/v1/components/io/policy", {"restart": restart})
        assert problem(answer) == (422, "invalid_request")
        assert answer.json()["errors"][0]["location"] == field
    first = (await http.get("/v1/components/io/policy")).headers["ETag"]
    changed = await plant.put("/v1/components/io/maintenance", {"reason": "new valve", "by": "ada"}, If_Match=first)
    assert changed.status_code == 200, changed.text
    assert problem(await plant.put("/v1/components/io/policy", {}, If_Match=first)) == (412, "precondition_failed")
    assert problem(await plant.put("/v1/components/io/desired", {"state": "STARTED"}, If_None_Match="*")) == (
        412,
        "precondition_failed",
    )
    assert problem(await plant.put("/v1/components/io/desired", {"state": "FAULT"})) == (422, "invalid_request")
    assert problem(await plant.put("/v1/components/io/maintenance", {"reason": ""})) == (422, "invalid_request")
    said = (await http.get("/v1/components/io/policy")).json()
    assert (said["maintenance"]["by"], said["policy"]["restart"]["when"], said["run"]) == ("ada", "never", None)
    assert (await http.get("/v1/components/io")).json()["maintenance"]["reason"] == "new valve"
    for path in ("policy", "dependents"):
        assert problem(await http.get(f"/v1/components/ghost/{path}")) == (404, "component_unknown")
    assert problem(await plant.put("/v1/components/ghost/desired", {"state": "STARTED"})) == (404, "component_unknown")
    assert problem(await http.delete("/v1/components/ghost/policy")) == (404, "policy_unknown")
    assert problem(await http.post("/v1/components/io/acknowledge", json={})) == (409, "nothing_to_acknowledge")
    found = (await http.get("/v1/components/io/dependents")).json()
    assert [each["id"] for each in found["dependents"]] == ["kds", "supervisor"]
    assert (found["needs"], found["cycle"]) == ([], [])


async def test_a_list_shows_what_each_component_shows_and_follows_every_change(plant: Plant) -> None:
    async def alike() -> dict[str, Any]:
        """The components go on between the looks."""
        listed = {row["id"]: row for row in (await plant.http.get("/v1/components")).json()}
        for each in plant.parts:
            one = (await plant.http.get(f"/v1/components/{each}")).json()
            volatile = {"last_seen_s", "cpu", "memory", "metrics"}
            assert listed[each].keys() == one.keys()
            assert {k: v for k, v in listed[each].items() if k not in volatile} == {
                k: v for k, v in one.items() if k not in volatile
            }
        return listed

    assert (await eventually(alike))["io"]["maintenance"] is None
    answer = await plant.put("/v1/components/io/maintenance", {"reason": "oil", "by": "ada"})
    assert answer.is_success, answer.text
    assert (await eventually(alike))["io"]["maintenance"]["reason"] == "oil"
    answer = await plant.http.delete("/v1/components/io/maintenance")
    assert answer.is_success, answer.text
    assert (await eventually(alike))["io"]["maintenance"] is None
    plant.parts["io"].fault("a bearing is hot")
    await eventually(lambda: _in_state(plant, "io", "FAULT"))
    assert (await eventually(alike))["io"]["reason"] == "a bearing is hot"


async def _in_state(plant: Plant, component_id: str, state: str) -> bool:
    return (await plant.states())[component_id] == state


async def test_a_plan_is_shown_before_anything_moves(plant: Plant) -> None:
    http = plant.http
    found = (await http.get("/v1/plan?target=STARTED&group=@all")).json()
    assert [(step["wave"], step["component_id"]) for step in found["steps"]] == [
        (1, "io"),
        (2, "supervisor"),
        (3, "kds"),
    ]
    assert found["steps"][0]["commands"] == ["CMD_INITIALIZE", "CMD_START"]
    assert problem(await http.get("/v1/plan?target=FAULT&group=@all")) == (422, "invalid_request")
    assert problem(await http.get("/v1/plan?target=STARTED")) == (422, "topology_invalid")
    assert problem(await http.get("/v1/plan?target=STARTED&group=nowhere")) == (404, "group_unknown")
    assert problem(await http.get("/v1/plan?target=STARTED&component=ghost")) == (404, "component_unknown")
    await plant.put("/v1/groups/empty", {})
    assert problem(await http.get("/v1/plan?target=STARTED&group=empty")) == (422, "selector_empty")
    code, out, err = await plant.cli("plan", "--component", "kds", "--to", "started")
    assert code == Exit.DEGRADED
    assert "blocked: kds: needs supervisor, which is READY" in err
    found = await plant.data("plan", "--component", "kds", "--to", "STARTED", "--related")
    assert [step["component_id"] for step in found["steps"]] == ["io", "supervisor", "kds"]
    code, out, err = await plant.cli("group", "plan", "line", "--to", "STOPPED")
    assert (code, "nothing has to move" in err, out.split()[0]) == (0, True, "WAVE")
    assert (await plant.cli("plan", "--to", "STARTED"))[0] == Exit.USAGE
    assert set((await plant.states()).values()) == {"READY"}
    assert (await http.get("/v1/supervision")).json() == [], "policies that restart nobody ask for nothing"


async def test_a_circle_that_registrations_close_is_shown_and_refused_by_whoever_plans(plant: Plant) -> None:
    http = plant.http
    for each, needed in (("left", "right"), ("right", "left")):
        row = {"id": each, "address": f"http://127.0.0.1:1/{each}", "depends_on": [needed]}
        assert (await http.post("/v1/components", json=row)).status_code == 201
    assert (await http.get("/v1/components/left/dependents")).json()["cycle"] == ["left", "right", "left"]
    refused = await http.get("/v1/plan?target=STARTED&group=@all")
    assert problem(refused) == (409, "dependency_cycle")
    assert "left → right → left" in refused.json()["detail"]
    assert (await http.get("/v1/plan?target=STARTED&group=line")).json()["complete"], "the others are not concerned"
    assert (await plant.put("/v1/components/left/desired", {"state": "STARTED"})).status_code == 200

    async def said() -> bool:
        return "these need one another: left → right → left" in await plant.decision("left")

    await eventually(said)


async def test_what_somebody_has_undone_in_the_middle_of_a_run_is_done_again(plant: Plant) -> None:
    """The component would only repeat its old answers to the old keys."""
    io, supervisor = plant.parts["io"], plant.parts["supervisor"]

    async def by_hand(component_id: str, *commands: str) -> None:
        for command in commands:
            answer = await plant.http.post(f"/v1/components/{component_id}/commands", json={"command": command})
            assert answer.status_code == 200, answer.text

    await by_hand("io", "CMD_INITIALIZE", "CMD_START")
    supervisor.gate.clear()
    await plant.put("/v1/components/supervisor/desired", {"state": "STARTED"})
    await eventually(lambda: supervisor.state == "INITIALIZING")
    await by_hand("io", "CMD_STOP")
    supervisor.gate.set()
    await eventually(lambda: supervisor.state == "INIT_COMPLETE")

    async def waits() -> bool:
        return "waits for io, which it needs and which is STOPPED" in await plant.decision("supervisor")

    await eventually(waits)
    await by_hand("supervisor", "CMD_STOP")
    await eventually(lambda: supervisor.state == "READY", deadline_s=10)  # a reset waits for nobody
    await by_hand("io", "CMD_RESET", "CMD_INITIALIZE", "CMD_START")
    await eventually(lambda: supervisor.state == "STARTED", deadline_s=15)
    assert supervisor.calls == ["initialize", "stop", "reset", "initialize", "start"]
    assert io.calls.count("start") == 2


async def test_a_group_is_started_falls_with_its_base_and_comes_back(plant: Plant) -> None:
    code, _, err = await plant.cli("group", "desire", "line", "STARTED", "--wait", "30")
    assert code == 0, err
    assert set((await plant.states()).values()) == {"STARTED"}
    assert {each: part.calls for each, part in plant.parts.items()} == {each: ["initialize", "start"] for each in LINE}
    row = await plant.data("component", "get", "io")
    assert (row["desired"], row["depends_on"]) == ("STARTED", [])

    plant.parts["io"].fault("the belt is torn")
    await eventually(lambda: plant.parts["supervisor"].state == "STOPPED", deadline_s=15)
    assert (plant.parts["kds"].state, plant.parts["kds"].calls[-1]) == ("STOPPED", "stop")

    async def said() -> bool:
        return "its policy is never to restart it" in await plant.decision("io")

    await eventually(said)

    async def waits() -> bool:
        return "io, which it needs, is in FAULT" in await plant.decision("kds")

    await eventually(waits)
    assert (await plant.data("component", "ack", "io", "--note", "belt is ordered"))["acknowledged_by"] == "ada"
    seen = (await plant.http.get("/v1/components/io")).json()["acknowledged"]
    assert (seen["by"], seen["note"]) == ("ada", "belt is ordered")

    policy = ("component", "policy", "set", "io", "--restart", "on_failure", "--backoff", "0")
    assert (await plant.data(*policy))["restart"] == {"when": "on_failure", "backoff_initial_s": 0.0}

    async def back() -> bool:
        return set((await plant.states()).values()) == {"STARTED"}

    await eventually(back, deadline_s=20)
    assert plant.parts["io"].calls == ["initialize", "start", "reset", "initialize", "start"]
    assert (await plant.http.get("/v1/components/io")).json()["acknowledged"] is None
    code, out, err = await plant.cli("component", "decisions")
    assert (code, "STARTED is desired by ada; it is STARTED" in out) == (0, True)
    code, _, err = await plant.cli("group", "desire", "@all", "STOPPED", "--wait", "30")
    assert code == 0, err


async def test_what_is_in_maintenance_is_left_alone_and_the_wait_says_so(plant: Plant) -> None:
    assert (await plant.cli("component", "maintenance", "io", "on"))[0] == Exit.USAGE
    assert (await plant.cli("component", "maintenance", "io", "on", "--reason", "new valve"))[0] == 0
    code, _, err = await plant.cli("component", "desire", "io", "STARTED", "--wait", "0.6")
    assert code == Exit.UNKNOWN
    assert "io: is in maintenance, says ada: new valve" in err
    assert plant.parts["io"].calls == []
    assert (await plant.cli("component", "maintenance", "io", "off"))[0] == 0
    await eventually(lambda: plant.parts["io"].state == "STARTED", deadline_s=10)


async def test_a_slow_reset_is_one_restart(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The component is in FAULT until its reset has ended, and answers meanwhile that it has not."""
    monkeypatch.setattr(commanded, "ANSWER_WITHIN_S", 0.05)
    io = plant.parts["io"]
    policy = {"restart": {"when": "on_failure", "limit": 1, "backoff_initial_s": 0, "window_s": 600}}
    assert (await plant.put("/v1/components/io/policy", policy)).status_code == 200
    io.gate.clear()
    io.fault("the belt is torn")
    await eventually(lambda: io.calls == ["reset"], deadline_s=10)
    asked = io.asked
    await eventually(lambda: io.asked > asked + 3, deadline_s=10)
    io.gate.set()
    await eventually(lambda: io.state == "STARTED", deadline_s=10)
    said = (await plant.http.get("/v1/components/io/policy")).json()
    assert (said["restarts"], said["exhausted"]) == (1, "")
    assert io.calls == ["reset", "initialize", "start"]


async def test_what_an_open_execution_commands_is_left_to_it(plant: Plant) -> None:
    io = plant.parts["io"]
    assert (await plant.cli("component", "desire", "io", "STARTED", "--wait", "30"))[0] == 0
    playbook = """
name: clean
description: Stops io until somebody has cleaned it.
timeout: 5m
trigger: [{type: manual}]
actions:
  - {type: send_command, component: io, command: CMD_STOP}
  - {type: approve, message: is it clean?}
"""
    put = await plant.put("/v1/playbooks/clean", {"text": playbook})
    assert put.status_code == 201, put.text
    started = await plant.http.post("/v1/playbooks/clean/runs", json={})
    assert started.status_code == 202, started.text
    await eventually(lambda: io.state == "STOPPED", deadline_s=10)

    async def held() -> bool:
        return f"is held by execution {started.json()['id']} of playbook clean" in await plant.decision("io")

    await eventually(held)
    assert io.calls == ["initialize", "start", "stop"]
    approve = f"/v1/executions/{started.json()['id']}/approve"

    async def approved() -> bool:
        return (await plant.http.post(approve, json={"who": "ada"})).status_code < 300

    await eventually(approved)
    await eventually(lambda: io.state == "STARTED", deadline_s=10, message="what is desired comes back")


async def test_a_component_that_is_given_up_ends_the_wait(plant: Plant) -> None:
    io = plant.parts["io"]
    io.breaks = RuntimeError("the belt is torn")
    policy = {"restart": {"when": "on_failure", "limit": 1, "backoff_initial_s": 0, "window_s": 600}}
    assert (await plant.put("/v1/components/io/policy", policy)).status_code == 200
    code, _, err = await plant.cli("component", "desire", "io", "STARTED", "--wait", "30")
    assert code == Exit.FAILED
    assert "not restarted any more" in err
    assert "its limit is 1" in err
    assert io.calls.count("initialize") <= 2
    assert (await plant.http.get("/v1/components/io")).json()["exhausted"] in err
    io.breaks = None
    assert (await plant.cli("component", "ack", "io", "--retry"))[0] == 0
    await eventually(lambda: io.state == "STARTED", deadline_s=15)


async def test_a_command_that_takes_long_is_waited_for(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commanded, "ANSWER_WITHIN_S", 0.05)
    io = plant.parts["io"]
    io.gate.clear()
    code, _, err = await plant.cli("component", "send", "io", "initialize", "--wait", "0.2")
    assert (code, "io still works on it after 0.2 s; it is INITIALIZING" in err) == (Exit.UNKNOWN, True)
    io.gate.set()
    await eventually(lambda: io.state == "INIT_COMPLETE")
    io.gate.clear()
    asked = io.asked
    starting = asyncio.create_task(plant.data("component", "send", "io", "start", "--wait", "30"))
    await eventually(lambda: io.asked > asked + 1, deadline_s=10)
    io.gate.set()
    answer = await starting
    assert (answer["completed"], answer["state"], io.calls) == (True, "STARTED", ["initialize", "start"])


async def test_commands_and_tables(plant: Plant, tmp_path: Path) -> None:
    assert (await plant.data("component", "send", "io", "initialize"))["state"] == "INIT_COMPLETE"
    code, _, err = await plant.cli("component", "send", "io", "initialize")
    assert (code, "needs READY" in err) == (Exit.REFUSED, True)
    put = ("group", "put", "base", "--component", "io", "--strategy", "all_for_one")
    revision = (await plant.data(*put))["revision"]
    assert (await plant.cli(*put, "--if-revision", "0"))[0] == Exit.CONFLICT
    assert (await plant.cli(*put, "--if-revision", str(revision)))[0] == 0
    code, out, _ = await plant.cli("group", "list")
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", "base", "line"]
    code, out, _ = await plant.cli("group", "get", "base")
    assert "io INIT_COMPLETE" in out
    code, out, _ = await plant.cli("component", "dependents", "supervisor")
    assert [line.split()[0] for line in out.splitlines()] == ["ID", "kds", "io"]
    assert (await plant.data("component", "policy", "get", "kds"))["policy"]["depends_on"] == ["supervisor"]
    assert (await plant.cli("component", "policy", "delete", "kds"))[0] == 0
    assert (await plant.cli("component", "policy", "delete", "kds"))[0] == Exit.NOT_FOUND
    assert (await plant.cli("group", "maintenance", "base", "on", "--reason", "night shift"))[0] == 0
    assert (await plant.http.get("/v1/components/io")).json()["maintenance"]["by"] == "ada"
    assert (await plant.cli("group", "maintenance", "base", "off"))[0] == 0
    assert (await plant.cli("group", "delete", "base"))[0] == 0
    assert (await plant.cli("group", "get", "base"))[0] == Exit.NOT_FOUND
