"""`triarch bench playbooks`: how many executions a leader of three nodes brings to their end, and what a step costs.

    ceiling      commits a second of three members alone, 1,000 outstanding (`triarch bench raft`)
    burst        1,000 executions of five steps, asked for at once over HTTP: until the last has ended
    sustained    200 steps a second, 40 executions, while frames flow at 500 a second

Each execution writes to the journal, has a component do a command of its own, waits for the component's state, keeps a
variable, and has the command done again. The components stand in a process of their own. All nodes sync their logs.

`p99_step_ms` is of the leader's own time for a step, `triarch_step_overhead_seconds`: from each cause until what
follows from it was committed. It is the upper bound of the histogram's bucket in which the 99th percentile lies.
`burst_cpu_s` is what each part spent of the cores in the burst: the figure that a busy machine changes least.
"""

import asyncio
import contextlib
import itertools
import os
import re
import sys
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from framebuffer.connection import connect
from framebuffer.streams import FrameStreams
from orchestrator.bench.figures import percentile, say
from orchestrator.bench.frames import Part
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.playbooks_part import COMMAND
from orchestrator.bench.raft import arrangement
from orchestrator.bench.running import first_result, last_line, run_bench
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Process, Processes, Program
from orchestrator.dev.topology import on_free_ports
from orchestrator.dev.waiting import until

EXECUTIONS = 1_000
STEPS = 5
COMMANDS = 2
COMPONENTS = 10
CLIENTS = 16
RUNS_PER_S = 40
FPS = 500
SHARE = 0.25
"""Of the time given, for the sustained phase."""
END_S = 120.0
PATIENCE_S = 30.0
TEXT = f"""\
name: {{name}}
concurrency: {{{{limit: {EXECUTIONS}}}}}
inputs:
  component: {{{{type: string, required: true}}}}
actions:
  - type: log_event
    message: "{{{{{{{{ inputs.component }}}}}}}} is asked"
  - type: send_command
    component: "{{{{{{{{ inputs.component }}}}}}}}"
    command: {COMMAND}
  - type: wait_for_state
    component: "{{{{{{{{ inputs.component }}}}}}}}"
    target_state: STARTED
  - type: set_variable
    name: asked
    value: "{{{{{{{{ inputs.component }}}}}}}}"
  - type: send_command
    component: "{{{{{{{{ vars.asked }}}}}}}}"
    command: {COMMAND}
    wait: true
"""
_BUCKET = re.compile(r'^triarch_step_overhead_seconds_bucket\{le="([^"]+)"\} ([0-9.e+]+)$', re.MULTILINE)

Buckets = dict[float, float]
"""By upper bound in seconds, how many steps took no longer."""


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("playbooks", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Ceiling, burst, sustained. Raises MeasurementFailed when an execution or a command is missing."""
    report: dict[str, Any] = {"ok": False, "executions": EXECUTIONS, "steps": STEPS, "components": COMPONENTS}
    say("bench playbooks: ceiling")
    ceiling = await arrangement("cluster", directory / "ceiling", phase_s=max(1.0, options.seconds * 0.05))
    report["ceiling_commits_per_s"] = ceiling["commits_per_s"]
    topology = on_free_ports(directory / "plant")
    async with LocalPlant(topology) as plant, Processes(directory / "components", grace=15.0) as processes:
        await plant.wait_ready()
        argv = (sys.executable, "-m", "orchestrator.bench.playbooks_part", "--apis", ",".join(topology.apis))
        [components] = await processes.start(Program("components", (*argv, "--count", str(COMPONENTS))))
        await first_result([components], 30.0)
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
            bench = Bench(plant, http, components)
            await bench.prepare()
            say("bench playbooks: burst")
            report |= await bench.burst()
            say("bench playbooks: sustained")
            phase_s = max(5.0, options.seconds * SHARE)
            report |= await bench.sustained(directory, phase_s)
            report["asked_again"] = bench.repeats
        await processes.stop(["components"])
        asked = COMMANDS * (EXECUTIONS + report["sustained_executions"])
        done = (last_line(components) or {}).get("done")
        if done != asked:
            raise MeasurementFailed(f"{asked} commands were to be done once each, the components did {done}")
    report["ratio"] = round(report["commits_per_s"] / report["ceiling_commits_per_s"], 3)
    report["commands_done_once"] = True
    report["ok"] = True
    return report


class Bench:
    """Executions asked for over HTTP from here, and looked at through a follower: that costs the leader nothing."""

    def __init__(self, plant: LocalPlant, http: httpx.AsyncClient, components: Process) -> None:
        self._plant, self._http, self._components = plant, http, components
        self._leader, self._follower = 0, ""
        self.repeats = 0
        """requests asked again, as no node led"""

    async def prepare(self) -> None:
        """The components run, the playbooks are there."""
        leader = await self._plant.current_leader(10.0)
        nodes = self._plant.topology.nodes
        self._leader = next(at for at, node in enumerate(nodes) if node.id == leader.node_id)
        self._follower = nodes[(self._leader + 1) % len(nodes)].api
        for name in ("burst", "sustained"):
            text = TEXT.format(name=name)
            await self._ask("PUT", f"/v1/playbooks/{name}", json={"text": text})
        for number in range(COMPONENTS):
            for command in ("CMD_INITIALIZE", "CMD_START"):
                await self._ask("POST", f"/v1/components/bench-{number}/commands", json={"command": command})

    async def burst(self) -> dict[str, Any]:
        """All at once."""
        index, spent = await self._index(), self._cpu_s()
        began = time.monotonic()
        numbers = iter(range(EXECUTIONS))

        async def client() -> None:
            for number in numbers:
                await self._start("burst", number)

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        asked_s = time.monotonic() - began
        await self._all_ended("burst")
        took = time.monotonic() - began
        cpu_s = {name: round(now - spent[name], 2) for name, now in self._cpu_s().items()}
        commits = await self._index() - index
        await self._check("burst", EXECUTIONS)
        return {
            "burst_s": round(took, 3),
            "burst_asked_s": round(asked_s, 3),
            "steps_per_s": round(EXECUTIONS * STEPS / took, 1),
            "commits_per_s": round(commits / took, 1),
            "commits_per_execution": round(commits / EXECUTIONS, 2),
            "burst_cpu_s": cpu_s,
        }

    def _cpu_s(self) -> dict[str, float]:
        """What each part has spent of the cores, in seconds; nothing where /proc is absent."""
        pids = {node.id: self._plant.node(node.id).pid for node in self._plant.topology.nodes}
        pids |= {"components": self._components.pid, "client": os.getpid()}
        found = {}
        for name, pid in pids.items():
            with contextlib.suppress(FileNotFoundError):
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                found[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return found

    async def sustained(self, directory: Path, phase_s: float) -> dict[str, Any]:
        """At a steady rate, beside frames."""
        redis = connect(self._plant.topology.redis_url)
        streams = FrameStreams(redis)
        part = Part(self._plant, directory / "frames", mode="calls", fps=FPS, payload=256)
        try:
            async with Processes(directory / "frames", grace=5.0) as frames:
                await frames.start(part.worker("w1"))
                await first_result([frames["w1"]], 30.0)
                [publishing] = await frames.start(part.publisher(phase_s + 2))
                await asyncio.sleep(1.0)  # the publisher starts up; its frames flow before the first execution
                before = await self._overhead()
                count, took = await self._steadily(phase_s)
                after = await self._overhead()
                published = await first_result([publishing], 30.0 + phase_s)

                async def settled() -> bool:
                    cameras = (await streams.stats()).cameras.values()
                    return sum(camera.settled for camera in cameras) >= int(published["published"])

                await until(settled, seconds=30.0, what="settled frames", interval=0.05)
        finally:
            await streams.aclose()
            await redis.aclose()
        rows = await self._check("sustained", count)
        durations = [_seconds(row["ended"]) - _seconds(row["created"]) for row in rows]
        return {
            "sustained_executions": count,
            "offered_steps_per_s": RUNS_PER_S * STEPS,
            "sustained_steps_per_s": round(count * STEPS / took, 1),
            "p50_step_ms": _at(before, after, 0.50),
            "p99_step_ms": _at(before, after, 0.99),
            "execution_p50_ms": round(percentile(durations, 0.50) * 1_000, 1),
            "execution_p99_ms": round(percentile(durations, 0.99) * 1_000, 1),
            "frames_fps": FPS,
            "frames_settled": int(published["published"]),
        }

    async def _steadily(self, phase_s: float) -> tuple[int, float]:
        """One every so often, whether the last has ended or not. How many, and until when all had ended, seconds."""
        began = time.monotonic()
        count = int(phase_s * RUNS_PER_S)
        asked = []
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / RUNS_PER_S - time.monotonic()))
            asked.append(asyncio.create_task(self._start("sustained", number)))
        await asyncio.gather(*asked)
        await self._all_ended("sustained")
        return count, time.monotonic() - began

    async def _start(self, playbook: str, number: int) -> None:
        body = {"inputs": {"component": f"bench-{number % COMPONENTS}"}}
        await self._ask("POST", f"/v1/playbooks/{playbook}/runs", json=body)

    async def _all_ended(self, playbook: str) -> None:
        path = f"/v1/executions?playbook={playbook}&status=QUEUED&status=RUNNING&limit=1"

        async def look() -> bool:
            answer = await self._http.get(f"{self._follower}{path}&consistency=stale")
            if answer.status_code != 200 or answer.json()["executions"]:
                return False
            # The follower may not have heard of the last ones yet.
            return not (await self._ask("GET", path)).json()["executions"]

        await until(look, seconds=END_S, what=f"the end of all executions of {playbook}", interval=0.05)

    async def _check(self, playbook: str, count: int) -> list[dict[str, Any]]:
        """The rows of the executions, each of which succeeded."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            query = f"playbook={playbook}&limit=500" + (f"&cursor={cursor}" if cursor else "")
            found = (await self._ask("GET", f"/v1/executions?{query}")).json()
            rows += found["executions"]
            if found["cursor"] is None:
                break
            cursor = found["cursor"]
        failed = [row for row in rows if row["status"] != "SUCCEEDED"]
        if failed or len(rows) != count:
            why = f"; {failed[0]['id']} is {failed[0]['status']}: {failed[0]['error']}" if failed else ""
            raise MeasurementFailed(f"{len(rows)} executions of {playbook}, wanted {count}, {len(failed)} failed{why}")
        return rows

    async def _index(self) -> int:
        """Where the log is."""
        return int((await self._ask("GET", "/v1/cluster")).headers["X-Triarch-Index"])

    async def _overhead(self) -> Buckets:
        """Of all nodes together: leadership may move under load."""
        total: Buckets = {}
        for api in self._plant.topology.apis:
            text = (await self._http.get(f"{api}/metrics")).text
            for bound, count in _BUCKET.findall(text):
                total[float(bound)] = total.get(float(bound), 0.0) + float(count)
        return total

    async def _ask(self, method: str, path: str, *, json: Any = None) -> httpx.Response:
        """The leader first, then the others in turn while none leads; under one key, so that it is done once."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + PATIENCE_S
        for number in itertools.count():
            apis = self._plant.topology.apis
            api = apis[(self._leader + number) % len(apis)]
            try:
                answer = await self._http.request(method, api + path, json=json, headers=key)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if answer.is_success:
                    return answer
                reason = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code not in (503, 504):
                    break
            self.repeats += 1
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(0.05)
        raise MeasurementFailed(f"{method} {path}: {reason}")


def _at(before: Buckets, after: Buckets, share: float) -> float | None:
    """Milliseconds that at least `share` of the steps in between did not exceed; None beyond the last bound."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(counts.values(), default=0.0)
    if not total:
        raise MeasurementFailed("no step ended in the leader that was asked: leadership has moved")
    bound = next(bound for bound, count in counts.items() if count >= share * total)
    return None if bound == float("inf") else round(bound * 1_000, 3)


def _seconds(time_: str) -> float:
    return datetime.fromisoformat(time_).timestamp()
