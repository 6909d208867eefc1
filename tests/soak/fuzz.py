"""A million requests that nobody should send: no node breaks, grows, or loses its leader by them.

Size: requests. Of each ten thousand about 240 are drawn from the OpenAPI document (half of them unsound), the others
are those with bytes changed, and noise; `SENDERS` processes send them. Meanwhile there are slow clients, floods of
headers and bodies, and again and again up to `IDLE` connections that hold half a request or nothing.
`TRIARCH_SOAK_MINUTES` ends it earlier: what was sent by then counts. The promises:

    answers     0 × 5xx but 503; to a drawn request only what the document names, JSON as its schema says (up to
                32 KiB), and to what would move leadership or members no success
    memory      the largest resident memory of the second half of the run is at most 16 MiB above that of the first;
                the tables of the latest ten thousand changes are full from the beginning
    leader      the same node, under the same epoch
    descriptors of each node back to within `DESCRIPTORS` of what they were

As root all of it runs in a network of its own that has loopback only.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import leashed
from orchestrator.dev.topology import on_free_ports
from tests.soak.fuzz_cases import Document
from tests.soak.fuzz_clients import ANSWER_S, FLOODS, Connection, dribble, drop, flood, idle
from tests.soak.fuzz_component import Answering
from tests.soak.million import growing, mib, resident
from tests.support import eventually

SIZE = 1_000_000
SEED = 20_261_128
SENDERS = 2
IDLE = 10_000
IDLE_EVERY = 10
"""Rounds: the most idle connections in one of so many, a twentieth of them in the others."""
SMALL = 20_000
"""Requests: a run of fewer has fewer idle connections, and comes to every operation all the same."""
FILLING = 12_800
"""Changes before the first look at memory: a node keeps the ids of 10,000, and the events of as many."""
FILLERS = 64
FILLED_CHARS = 100
DESCRIPTORS = 24
SAMPLES = 40
MINUTES_VARIABLE = "TRIARCH_SOAK_MINUTES"
MINUTES_MAX = 24 * 60
OPEN_FILES_LEFT = 500
PATIENCE_S = 40.0
NEW_NETWORK = 0x40000000
"""`CLONE_NEWNET` of sched.h."""


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` requests."""
    total = int(size)
    alone = _alone()
    async with Answering().listening() as component, LocalPlant(on_free_ports(directory)) as plant:
        leader = await plant.wait_ready()
        async with httpx.AsyncClient(base_url=plant.topology.apis[0], timeout=30, trust_env=False) as http:
            document = (await http.get("/openapi.json")).json()
            made = await http.post("/v1/tokens", json={"name": "fuzz", "role": "admin"})
            made.raise_for_status()
            http.headers["Authorization"] = f"Bearer {made.json()['token']}"
            (await http.put("/v1/access/limits", json={"enabled": False})).raise_for_status()
            # Drawn ids are often "0": some of what is drawn reaches a component.
            registered = await http.post("/v1/components", json={"id": "0", "address": component.address})
            registered.raise_for_status()
            (await http.post("/v1/components/0/commands", json={"command": "CMD_INITIALIZE"})).raise_for_status()
        campaign = Campaign(plant.topology.apis, document, total, made.json()["token"], component.address)
        pids = {node.id: plant.node(node.id).pid for node in plant.topology.nodes}
        await campaign.warm()
        descriptors = {name: _descriptors(pid) for name, pid in pids.items()}
        memory: dict[str, list[int]] = {name: [] for name in pids}
        began = time.monotonic()

        def sample() -> None:
            for name, pid in pids.items():
                memory[name].append(resident(pid))

        await campaign.run(sample)
        elapsed = time.monotonic() - began

        async def back() -> bool:
            return all(_descriptors(pid) <= descriptors[name] + DESCRIPTORS for name, pid in pids.items())

        problems = list(campaign.problems)
        try:
            await eventually(back, deadline_s=PATIENCE_S)
        except AssertionError:
            now = {name: _descriptors(pid) for name, pid in pids.items()}
            problems.append(f"descriptors were {descriptors} and are {now}")
        if (found := await plant.leader()) != leader:
            problems.append(f"{leader} led before, and {found or 'nobody'} does now")
    problems += [problem for name, samples in memory.items() for problem in growing(name, samples)]
    return {
        "requests": campaign.sent,
        "drawn": campaign.drawn,
        "validated": campaign.validated,
        "operations": len(Document(document, component.address).operations),
        "seconds": round(elapsed, 1),
        "requests_per_s": round(campaign.sent / elapsed, 1),
        "answered": sum(campaign.answers.values()),
        "answers_5xx_other_than_503": sum(
            count for fault, count in campaign.faults.items() if not fault.startswith("503 ")
        ),
        "commands_to_components": component.commands,
        "idle_connections_most": campaign.idle_most,
        "floods": sum(campaign.floods.values()),
        "slow_clients": campaign.slow,
        "leader": leader.node_id,
        "faults": dict(sorted(campaign.faults.items())),
        "answers": {str(status): count for status, count in sorted(campaign.answers.items())},
        "answers_to_floods": {str(status): count for status, count in campaign.floods.items()},
        "memory_by_process_mib": {name: _tenths(samples) for name, samples in memory.items()},
        "seed": SEED,
        "network_of_its_own": alone,
        "problems": problems,
    }


class Campaign:
    """The processes that send, and the clients that no server likes beside them."""

    def __init__(self, apis: Sequence[str], document: dict[str, Any], total: int, token: str, home: str) -> None:
        self._home = home
        self._apis = apis
        self._document = document
        self._total = total
        self._token = token
        self._dice = random.Random(SEED)
        self._sent = [0] * (SENDERS if total > SMALL else 1)
        self.drawn = self.validated = self.slow = self.idle_most = 0
        self.answers: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        """answers of 5xx, by status and code"""
        self.floods: Counter[int | None] = Counter()
        self.problems: list[str] = []

    @property
    def sent(self) -> int:
        """By all of them so far."""
        return sum(self._sent)

    async def warm(self) -> None:
        """A request of each kind to each node: what is made once is made."""
        for api in self._apis:
            connection = Connection(api)
            for path in (b"/openapi.json", b"/metrics", b"/v1/components", b"/v1/none"):
                head = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n\r\n"
                await connection.ask(head % (path, self._token.encode()), ANSWER_S)
            connection.close()
        if self._total > SMALL:
            await asyncio.gather(*(self._fill(number) for number in range(FILLERS)))

    async def _fill(self, number: int) -> None:
        """Changes, so that what holds the latest ten thousand is full before its memory is looked at."""
        connection = Connection(self._apis[number % len(self._apis)])
        for change in range(FILLING // FILLERS):
            body = json.dumps({"value": f"{change:0{FILLED_CHARS}}"}).encode()
            request = (
                b"PUT /v1/variables/filled-%d HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            ) % (number, self._token.encode(), len(body), body)
            status = await connection.ask(request, ANSWER_S)
            if status not in (200, 201):
                self.problems.append(f"a change before the campaign was answered {status}")
                break
        connection.close()

    async def run(self, sample: Any) -> None:
        """Send everything; `sample` is called `SAMPLES` times on the way."""
        beside = asyncio.create_task(self._beside())
        watching = asyncio.create_task(self._watch(sample))
        try:
            await asyncio.gather(*(self._send(number) for number in range(len(self._sent))))
        finally:
            for task in (beside, watching):
                task.cancel()
            results = await asyncio.gather(beside, watching, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                raise error

    async def _send(self, number: int) -> None:
        """One process that sends its share."""
        senders = len(self._sent)
        share = self._total // senders + (number < self._total % senders)
        order = {
            "apis": self._apis,
            "document": self._document,
            "home": self._home,
            "total": share,
            "token": self._token,
            "seed": SEED + 10_000_000 * number,
            "small": self._total <= SMALL,
            "seconds": 60 * float(os.environ.get(MINUTES_VARIABLE, MINUTES_MAX)),
        }
        process = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, "-m", "tests.soak.fuzz_sending"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        found: dict[str, Any] = {}
        try:
            process.stdin.write(json.dumps(order).encode())
            process.stdin.close()
            while line := await process.stdout.readline():
                found = json.loads(line)
                self._sent[number] = found["sent"]
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
        if not found.get("done"):
            self.problems.append(f"sender {number} ended after {self._sent[number]} requests, before it had sent all")
            return
        self.drawn += found["drawn"]
        self.validated += found["validated"]
        self.answers.update({int(status): count for status, count in found["answers"].items()})
        self.faults.update(found["faults"])
        self.problems += found["problems"]

    async def _beside(self) -> None:
        """Slow clients, floods and idle connections, round after round."""
        number = 0
        most = IDLE if self._total > SMALL else IDLE // 20
        while True:
            tasks = [
                flood(self._apis[number % len(self._apis)], raw, self._token, self.floods)
                for raw in FLOODS[number % 3 :: 3]
            ]
            tasks += [dribble(api, self._dice, 6.0) for api in self._apis for _ in range(4)]
            self.slow += 4 * len(self._apis)
            holding = asyncio.create_task(idle(self._apis, most if number % IDLE_EVERY == 0 else most // 20))
            await asyncio.gather(*tasks)
            held = await holding
            self.idle_most = max(self.idle_most, len(held))
            await drop(held)
            number += 1

    async def _watch(self, sample: Any) -> None:
        done = 0
        while True:
            if self.sent >= done * self._total / SAMPLES:
                sample()
                done += 1
            await asyncio.sleep(0.1)


def _alone() -> bool:
    """Put this process, and all that it starts, into a network with loopback only. False where that takes root."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NETWORK) != 0:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _tenths(samples: list[int]) -> list[float]:
    """The largest of each tenth."""
    step = max(1, len(samples) // 10)
    return [mib(samples[at : at + step]) for at in range(0, len(samples), step)][:10]
