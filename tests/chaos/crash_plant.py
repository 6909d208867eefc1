"""A plant whose leader is killed at a fail point while it drives a playbook, and what the components saw of it.

The playbook has 18 steps, starts a child, and its end starts a third execution: nesting, branches, items, a retry,
waits, a variable, an HTTP request, a notification. Each run's effects are written down by those who have them.
"""

import dataclasses
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Program
from orchestrator.dev.topology import NodePlace, Topology, on_free_ports
from orchestrator.dev.waiting import until
from orchestrator.failpoints import VARIABLE
from tests.chaos.insisting import insist
from tests.chaos.node_forge import Forge, ForgedPlant
from tests.orchestrator.plant_parts import served

CRASH = """
name: crash
description: Every kind of step, under a leader that dies.
trigger: {type: event_received, event: crash.begin}
timeout: 60s
concurrency: {limit: 100}
actions:
  - {type: send_command, component: io, command: CMD_INITIALIZE, wait: true, timeout: 20s}
  - {type: wait_for_state, component: io, target_state: INIT_COMPLETE, timeout: 20s}
  - type: parallel
    branches:
      left:
        - {type: send_command, component: io, command: CMD_START, wait: true, timeout: 20s}
        - {type: wait_for_state, component: io, target_state: STARTED, timeout: 20s}
      right:
        - {type: send_command, component: press, command: MARK, params: {tag: "{{ trigger.payload.run }} right"}}
  - type: for_each
    items: [a, b]
    actions:
      - {type: send_command, component: press, command: MARK, params: {tag: "{{ trigger.payload.run }} {{ item }}"}}
  - type: send_command
    component: press
    command: FLAKY
    params: {tag: "{{ trigger.payload.run }} flaky"}
    retry: {attempts: 3, delay: 50ms}
    timeout: 20s
  - type: block
    actions:
      - {type: delay, duration: 50ms}
      - {type: set_variable, scope: plant, name: last_crash, value: "{{ trigger.payload.run }}"}
      - {type: log_event, message: "run {{ trigger.payload.run }}"}
  - type: http_request
    method: POST
    url: "SINK/request"
    body: {run: "{{ trigger.payload.run }}"}
    timeout: 20s
  - {type: send_notification, channel: sink, message: "{{ trigger.payload.run }}", timeout: 20s}
  - {type: execute_scenario, name: child, inputs: {run: "{{ trigger.payload.run }}"}}
finally:
  - {type: send_command, component: io, command: CMD_GRACEFUL_STOP, wait: true, timeout: 20s}
  - {type: send_command, component: io, command: CMD_RESET, wait: true, timeout: 20s}
"""
CHILD = """
name: child
concurrency: {limit: 100}
inputs: {run: {type: string, required: true}}
actions:
  - {type: send_command, component: press, command: MARK, params: {tag: "{{ inputs.run }} child"}, timeout: 20s}
"""
AFTER = """
name: after
trigger: {type: playbook_ended, playbook: crash, status: [SUCCEEDED, FAILED, TIMED_OUT, CANCELLED]}
concurrency: {limit: 100}
actions:
  - {type: send_command, component: press, command: MARK, params: {tag: "{{ trigger.execution }} after"}}
"""
LIFECYCLE = ("INITIALIZE", "START", "STOP", "RESET")
END_S = 40.0


@dataclasses.dataclass(frozen=True, slots=True)
class ArmedTopology(Topology):
    """Each node looks for its fail points in a file of its own; notifications go to `sink`."""

    sink: str = ""

    def points(self, node_id: str) -> Path:
        """Where the fail points of a node stand."""
        return self.directory / f"{node_id}.points"

    def config(self, node: NodePlace) -> dict[str, Any]:
        tree = Topology.config(self, node)
        tree["notifications"] = {"channels": {"sink": {"kind": "webhook", "url": f"{self.sink}/notification"}}}
        return tree

    def node_program(self, node: NodePlace) -> Program:
        program = Topology.node_program(self, node)
        return dataclasses.replace(program, env={VARIABLE: f"@{self.points(node.id)}"})


class Sink:
    """Takes requests and notifications, and remembers their keys."""

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = {}
        self.app = Starlette(
            routes=[
                Route("/request", self._request, methods=["POST"]),
                Route("/notification", self._notification, methods=["POST"]),
            ]
        )

    async def _request(self, request: Request) -> Response:
        run = (await request.json())["run"]
        self.keys.setdefault(f"{run} request", set()).add(request.headers["idempotency-key"])
        return JSONResponse({"ok": True})

    async def _notification(self, request: Request) -> Response:
        document = await request.json()
        self.keys.setdefault(f"{document['message']} notification", set()).add(document["id"])
        return Response(status_code=204)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """`killed`: how the leader ended, empty when the point was not reached. `problems`: what was not right."""

    point: str
    killed: str
    statuses: Mapping[str, str]
    problems: tuple[str, ...]


class CrashPlant:
    """Nodes, two components and the sink; used for one run after the other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()
        self.sink = Sink()
        self._causes: dict[str, str] = {}
        self.topology: ArmedTopology
        self.nodes: LocalPlant

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(served(self.sink.app))
            plain = on_free_ports(self._directory)
            members = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
            self.topology = ArmedTopology(**members, sink=url)
            forge = Forge()
            stack.push_async_callback(forge.stop)
            await forge.start()
            self.nodes = await stack.enter_async_context(ForgedPlant(self.topology, forge))
            await self.nodes.wait_ready()
            await self.nodes.processes.start(*(self._component(name) for name in ("io", "press")))
            await until(self._registered, seconds=20, what="components", interval=0.05)
            for name, text in (("child", CHILD), ("crash", CRASH.replace("SINK", url)), ("after", AFTER)):
                answer = await insist(self.nodes, "PUT", f"/v1/playbooks/{name}", {"text": text})
                assert answer.status_code in (200, 201), answer.text
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *what: Any) -> None:
        await self._stack.__aexit__(*what)

    def _component(self, name: str) -> Program:
        where = [part for api in self.topology.apis for part in ("--orchestrator", api)]
        log = str(self._directory / f"{name}.effects")
        return Program(
            name, (sys.executable, "-m", "tests.chaos.playbook_component", "--id", name, "--log", log, *where)
        )

    async def _registered(self) -> bool:
        answer = await self.nodes.call("GET", "/v1/components")
        return len(answer.json()) == 2 and all(each["presence"] == "ONLINE" for each in answer.json())

    # ── One run ────────────────────────────────

    async def run(self, point: str) -> Outcome:
        """A run whose leader is killed at `point` (`NAME:PASSING`); a point that is not reached kills nobody."""
        run = uuid.uuid4().hex[:8]
        leader = await self.nodes.current_leader(10)
        process = self.nodes.node(leader.node_id)
        before = {name: self._effects(name) for name in ("io", "press")}
        spoken = process.log.stat().st_size
        self.topology.points(leader.node_id).write_text(f"{point}=kill", encoding="utf-8")
        try:
            await self._begin(run)
            statuses = await self._ended(run)
        finally:
            self.topology.points(leader.node_id).unlink(missing_ok=True)
        killed, problems = "", []
        announced = f"fail point {point}: kill" in process.log.read_bytes()[spoken:].decode(errors="replace")
        if not process.running or announced:
            status = await process.wait(5)
            if status != -signal.SIGKILL or not announced:
                problems.append(f"{leader.node_id} ended with status {status}, announced: {announced}")
            killed = f"{leader.node_id} with status {status}"
            await self.nodes.restart(leader.node_id)
        problems += self._compared(run, statuses, before)
        await self.nodes.wait_ready()
        return Outcome(point, killed, statuses, tuple(problems))

    async def _begin(self, run: str) -> None:
        """Tell the orchestrator, under one id, until some node has taken it."""
        event = {"id": f"begin-{run}", "type": "crash.begin", "source": "press", "payload": {"run": run}}

        async def taken() -> bool:
            for node in self.topology.nodes:
                try:
                    answer = await self.nodes.http.post(f"{node.api}/event", json=event, timeout=2.0)
                except httpx.HTTPError:
                    continue
                if answer.status_code == 204:
                    return True
            return False

        await until(taken, seconds=20, what="the event taken", interval=0.05)

    async def _ended(self, run: str) -> dict[str, str]:
        """By execution of this run, how it ended, once all of them have."""

        async def look() -> dict[str, str] | None:
            try:
                return await self._look(run)
            except (httpx.HTTPError, PlantError):
                return None

        return await until(look, seconds=END_S, what=f"end of run {run}", interval=0.05)

    async def _look(self, run: str) -> dict[str, str] | None:
        """The statuses of the run's executions; None while one is still to come or open."""
        answer = await self.nodes.call("GET", "/v1/executions?limit=20")
        if answer.status_code != 200:
            return None
        found = answer.json()["executions"]
        for each in found:
            if each["id"] not in self._causes:
                self._causes[each["id"]] = await self._cause(each["id"])
        mine = [each["id"] for each in found if each["playbook"] == "crash" and self._causes[each["id"]] == run]
        after = [each["id"] for each in found if each["playbook"] == "after" and self._causes[each["id"]] in mine]
        children = [each["id"] for each in found if each["parent"] and each["parent"]["execution"] in mine]
        statuses = {each["id"]: str(each["status"]) for each in found if each["id"] in (*mine, *after, *children)}
        complete = bool(mine) and len(after) >= len(mine)
        return statuses if complete and not {"QUEUED", "RUNNING", "PAUSED"} & set(statuses.values()) else None

    async def _cause(self, execution_id: str) -> str:
        """Of `crash`, the run that its event named; of `after`, the execution that it follows."""
        answer = await self.nodes.call("GET", f"/v1/executions/{execution_id}")
        answer.raise_for_status()
        trigger = answer.json()["trigger"]
        return str(trigger.get("payload", {}).get("run") or trigger.get("execution", ""))

    # ── What was seen ────────────────────────────────

    def _effects(self, name: str) -> Counter[str]:
        file = self._directory / f"{name}.effects"
        return Counter(file.read_text(encoding="utf-8").splitlines() if file.exists() else [])

    def _compared(self, run: str, statuses: Mapping[str, str], before: Mapping[str, Counter[str]]) -> list[str]:
        seen = {name: self._effects(name) for name in before}
        for name, counts in before.items():
            seen[name].subtract(counts)
        keys = {what: self.sink.keys.get(f"{run} {what}", set()) for what in ("request", "notification")}
        return compared(run, statuses, seen, keys)


def compared(
    run: str, statuses: Mapping[str, str], seen: Mapping[str, Counter[str]], keys: Mapping[str, set[str]]
) -> list[str]:
    """Whatever is not there exactly as often as the playbook says. `statuses`: of the run's executions, by id."""
    mine = [each for each in statuses if each.startswith("crash.") and "." not in each.removeprefix("crash.")]
    wanted = {
        "io": Counter(LIFECYCLE),
        "press": Counter(
            {
                **{f"MARK {run} {tag}": 1 for tag in ("right", "a", "b", "child")},
                f"FLAKY {run} flaky": 2,
                **{f"MARK {each} after": 1 for each in mine},
            }
        ),
    }
    problems = [f"{name} is {status}" for name, status in statuses.items() if status != "SUCCEEDED"]
    if len(mine) != 1 or len(statuses) != 3:
        problems.append(f"run {run} has executions {', '.join(sorted(statuses))}; wanted one, its child, what follows")
    for name, counts in wanted.items():
        problems += [
            f"run {run}: {name} saw {effect} {seen[name][effect]} times, wanted {counts[effect]}"
            for effect in sorted(counts.keys() | {each for each, count in seen[name].items() if count})
            if seen[name][effect] != counts[effect]
        ]
    problems += [f"run {run}: the {what} came under {len(each)} keys" for what, each in keys.items() if len(each) != 1]
    return problems
