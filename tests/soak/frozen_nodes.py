"""A command of a person to a component, asked of a node that is frozen and repeated under its key at others.

Size: commands. For each, a follower or the leader is stopped (SIGSTOP), sometimes leadership is handed over too. A
client asks the stopped node and gives up; whoever answers is asked again under the same key; the node goes on, and with
it what lay in its sockets, before the repeat or after it; last, the node itself is asked under that key. The promises:

    once      the component did it once, by its own file
    answers   the repeat gets an answer that is no refusal; the last one says that it is a repeat
"""

import asyncio
import random
import signal
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from orchestrator.dev.processes import Program
from orchestrator.dev.topology import on_free_ports
from tests.browser.plant import CLUSTER_TOKEN, TokenPlant, TokenTopology
from tests.support import eventually

SIZE = 200
SEED = 20_261_128
COMPONENT = "scale"
READY_S = 120.0
ANSWER_S = 30.0
KINDS = ("follower", "leader", "follower and a transfer")
WAITED_S = (0.05, 0.3, 1.0)
"""How long the client waits for the stopped node: some of these are over before the node goes on, some after."""


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` commands."""
    base = on_free_ports(directory)
    topology = TokenTopology(directory=base.directory, nodes=base.nodes, redis_port=base.redis_port)
    log = directory / f"{COMPONENT}.log"
    async with TokenPlant(topology) as plant:
        await plant.wait_ready(seconds=READY_S)
        argv = [sys.executable, "-m", "tests.chaos.plant_component", "--id", COMPONENT, "--log", str(log)]
        for api in topology.apis:
            argv += ["--orchestrator", api]
        await plant.processes.start(Program(COMPONENT, tuple(argv), {"PLANT_TOKEN": CLUSTER_TOKEN}))
        made = await plant.call("POST", "/v1/tokens", json={"name": "ada", "role": "operator"}, key=uuid.uuid4().hex)
        frozen = _Frozen(plant, log, made.json()["token"], random.Random(SEED))
        async with frozen.http:
            await frozen.started()
            for number in range(int(size)):
                await frozen.command(number)
    return {
        "seed": SEED,
        "commands": int(size),
        "by_kind": dict(frozen.kinds),
        "woke_before_the_repeat_was_answered": frozen.early,
        "answers_of_stopped_nodes": dict(frozen.first),
        "done_by_the_first_who_was_asked_again": frozen.fresh,
        "problems": frozen.problems,
    }


def _told(answer: httpx.Response | None) -> str:
    """What an answer comes to: its status, with the code of a refusal."""
    if answer is None:
        return "none"
    return str(answer.status_code) if answer.is_success else f"{answer.status_code} {answer.json().get('code')}"


class _Frozen:
    def __init__(self, plant: TokenPlant, log: Path, token: str, draw: random.Random) -> None:
        self._plant = plant
        self._log = log
        self._draw = draw
        self._apis = {node.id: node.api for node in plant.topology.nodes}
        self.http = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        self.kinds: Counter[str] = Counter()
        self.first: Counter[str] = Counter()
        self.early = 0
        self.fresh = 0
        self.problems: list[str] = []

    async def started(self) -> None:
        """Have the component STARTED."""

        async def look() -> bool:
            answer = await self._plant.call("GET", f"/v1/components/{COMPONENT}")
            state = answer.json().get("state") if answer.is_success else None
            follow = {"STOPPED": "CMD_RESET", "READY": "CMD_INITIALIZE", "INIT_COMPLETE": "CMD_START"}.get(str(state))
            if follow is not None:
                await self._repeated(list(self._apis), follow, uuid.uuid4().hex)
            return state == "STARTED"

        await eventually(look, deadline_s=READY_S, every_s=0.1, message=f"{COMPONENT} STARTED")

    async def command(self, number: int) -> None:
        """One, with what is done to a node meanwhile."""
        await self.started()
        kind = self._draw.choice(KINDS)
        leader = (await self._plant.current_leader(READY_S)).node_id
        others = [node for node in self._apis if node != leader]
        stopped = leader if kind == "leader" else self._draw.choice(others)
        answering = [node for node in self._apis if node != stopped]
        key, waits, early = f"frozen-{number}", self._draw.choice(WAITED_S), self._draw.random() < 1 / 3
        self.kinds[kind] += 1
        self.early += early
        before = len(self._log.read_text().split())
        self._plant.send(stopped, signal.SIGSTOP)
        try:
            first = asyncio.create_task(self._asked(stopped, "CMD_GRACEFUL_STOP", key, waits))
            if self._draw.random() < 0.5:
                await first
            if kind.endswith("transfer"):
                to = next(node for node in others if node != stopped)
                await self._handed_over(leader, to)
            if early:
                self._plant.send(stopped, signal.SIGCONT)
            again = await self._repeated(answering, "CMD_GRACEFUL_STOP", key)
            said = await first
        finally:
            self._plant.send(stopped, signal.SIGCONT)
        self.first[_told(said)] += 1
        await self._plant.wait_ready(seconds=READY_S)
        last = await self._repeated([stopped], "CMD_GRACEFUL_STOP", key)
        done = self._log.read_text().split()[before:]
        if again.status_code == 200 and not again.json()["repeated"]:
            self.fresh += 1
        told = f"command {number} ({kind}, {stopped} stopped, {leader} led)"
        if done != ["STOP"]:
            self.problems.append(f"{told}: the component did {done or 'nothing'}")
        if again.status_code != 200:
            self.problems.append(f"{told}: the repeat was answered {again.status_code} {again.text[:300]}")
        if last.status_code != 200 or not last.json()["repeated"]:
            self.problems.append(f"{told}: {stopped} answered {last.status_code} {last.text[:300]} to the last repeat")

    async def _handed_over(self, leader: str, to: str) -> None:
        headers = {"Authorization": f"Bearer {CLUSTER_TOKEN}"}
        try:
            await self.http.post(self._apis[leader] + "/v1/cluster/transfer", json={"to": to}, headers=headers)
        except httpx.TransportError:
            self.kinds["transfers without an answer"] += 1  # it goes on, or not: the promises are the same

    async def _asked(self, node: str, command: str, key: str, within_s: float) -> httpx.Response | None:
        """The node's answer; None when there was none in time."""
        path, headers = f"/v1/components/{COMPONENT}/commands", {"Idempotency-Key": key}
        body = {"command": command}
        try:
            return await self.http.post(self._apis[node] + path, json=body, headers=headers, timeout=within_s)
        except httpx.TransportError:
            return None

    async def _repeated(self, nodes: list[str], command: str, key: str) -> httpx.Response:
        """The first answer of one of these nodes that is one: asked in turn, as a client that has to know does."""
        turn = 0

        async def look() -> httpx.Response | None:
            nonlocal turn
            answer = await self._asked(nodes[turn % len(nodes)], command, key, 6.0)
            turn += 1
            if answer is None or answer.status_code in (502, 503, 504):
                return None
            return None if answer.json().get("code") == "key_in_flight" else answer

        found = await eventually(look, deadline_s=ANSWER_S, every_s=0.1, message=f"an answer to {command} under {key}")
        assert found is not None
        return found
