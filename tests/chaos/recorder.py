"""Records histories of the real HTTP API of three real nodes under faults, and judges them.

    python -m tests.chaos.recorder --operations 200000 --seed 1 --directory DIR --report FILE

Exits with 0 only when every promise was kept and every fault happened. The seed decides the order and the length of the
faults and what the clients ask for; how the processes' steps fall together no seed decides.
"""

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import uvloop

from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.clients import Register, RegisterClient, pause_after
from tests.chaos.faults import PROCESS_FAULTS, MakeFault
from tests.chaos.judging import History, Part, Violation
from tests.chaos.operations import Kind

CLIENTS = 12
REGISTERS = 4
"""In use at a time: three clients on each, on average."""
USES = (200, 300)
"""Operations on a register before another takes its place: what the checker has to search stays small."""
LEADER = Part("leader")
LINEARIZABLE = Part("linearizable")
STALE = (Part("stale"), Part("stale", 0.5), Part("stale", 2.0))
MIX: Mapping[Kind | Part, int] = {
    "write": 26,
    "cas": 26,
    LINEARIZABLE: 24,
    LEADER: 12,
    **dict.fromkeys(STALE, 4),
}
"""Of a hundred operations, so far as all are done: while nobody leads, only those with `stale` are."""
HASTY = 0.03
"""Share of changes whose client hangs up before the answer: their outcome is unknown without any fault."""
QUIET_S = (0.5, 2.0)
"""Between two faults: long enough that a follower that was away has caught up and clients have found the leader."""
LASTS_S = (0.2, 2.5)
"""A fault after it has begun: shorter and longer than a client waits (1.5 s), and than connections are kept (1.5 s)."""


class Happened(msgspec.Struct, frozen=True):
    """A fault of a recording; `began` and `healed` are seconds since it began."""

    name: str
    began: float
    healed: float
    proof: str


class Recording:
    """What was recorded of one plant."""

    def __init__(self) -> None:
        self.history = History()
        self.faults: list[Happened] = []
        self.seconds = 0.0
        self.repeated = 0
        """operations of unknown outcome that were sent again under their key"""
        self.registers = 0


async def record(
    plant: LocalPlant,
    *,
    operations: int,
    seed: int,
    faults: Mapping[str, MakeFault] = PROCESS_FAULTS,
    clients: int = CLIENTS,
    token: str | None = None,
    asks: Mapping[Part, Part] | None = None,
) -> Recording:
    """Record until there are `operations` and each of the `faults` has happened, whichever is later.

    `asks`: what clients really ask for when they record a read of some part, to see that it is noticed.

    Unexpected (an answer that the API must not give), FaultMissing, PlantError: nothing was proved then.
    """
    work = _Work(plant, seed, token, asks or {})
    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(work.client(number))
            await work.faults(faults, operations)
            work.ending = True
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # it ended the others
    return work.recording


class _Work:
    """One recording under way."""

    def __init__(self, plant: LocalPlant, seed: int, token: str | None, asks: Mapping[Part, Part]) -> None:
        self.ending = False
        self.recording = Recording()
        self._token = token
        self._asks = asks
        self._plant = plant
        self._seed = seed
        self._rng = random.Random(seed)
        self._values = itertools.count(1)
        self._names = itertools.count(1)
        self._began = time.monotonic()
        self._registers = [self._new_register() for _ in range(REGISTERS)]
        self._nodes = [_address(node.api) for node in plant.topology.nodes]

    async def client(self, number: int) -> None:
        rng = random.Random(f"{self._seed}/{number}")
        client = RegisterClient(number, self._nodes, self._values, rng, token=self._token, hasty=HASTY)
        kinds, weights = list(MIX), list(MIX.values())
        history = self.recording.history
        try:
            while not self.ending:
                register = self._register(rng)
                [kind] = rng.choices(kinds, weights)
                if isinstance(kind, Part):
                    asked = self._asks.get(kind, kind)
                    operation = await client.read(register, asked.consistency, asked.max_stale)
                    history.add_read(kind, operation)
                else:
                    change = client.write if kind == "write" else client.compare_and_set
                    operation = await change(register)
                    history.add_change(operation)
                await pause_after(operation)
        finally:
            client.close()
            self.recording.repeated += client.repeated

    async def faults(self, faults: Mapping[str, MakeFault], operations: int) -> None:
        """Rounds of all faults, each in an order of its own, until there is enough of everything."""
        missing = set(faults)
        for name in self._rounds(sorted(faults)):
            await asyncio.sleep(self._rng.uniform(*QUIET_S))
            if not missing and len(self.recording.history) >= operations:
                break
            if name is not None:
                await self._one_fault(name, faults[name])
                missing.discard(name)
        self.recording.seconds = time.monotonic() - self._began

    def _rounds(self, names: Sequence[str]) -> Iterator[str | None]:
        while True:
            yield from self._rng.sample(names, len(names))
            if not names:
                yield None

    async def _one_fault(self, name: str, make: MakeFault) -> None:
        fault = make(self._plant)
        began = time.monotonic() - self._began
        await fault.begin()
        await asyncio.sleep(self._rng.uniform(*LASTS_S))
        await fault.heal()
        self.recording.faults.append(Happened(name, began, time.monotonic() - self._began, fault.happened()))

    def _register(self, rng: random.Random) -> Register:
        at = rng.randrange(len(self._registers))
        register = self._registers[at]
        register.uses_left -= 1
        if register.uses_left <= 0:
            self._registers[at] = self._new_register()
        return register

    def _new_register(self) -> Register:
        self.recording.registers += 1
        return Register(f"register-{next(self._names)}", self._rng.randint(*USES))


def _address(api: str) -> tuple[str, int]:
    parts = urlsplit(api)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


# ── The campaign ────────────────────────────────


def report(recording: Recording, violations: Sequence[Violation], *, seed: int, checked_s: float) -> dict[str, Any]:
    """The figures of a recording as JSON data."""
    return {
        "ok": not violations,
        "seed": seed,
        "operations": len(recording.history),
        "seconds": round(recording.seconds, 1),
        "operations_per_s": round(len(recording.history) / recording.seconds, 1),
        "registers": recording.registers,
        "by_kind": recording.history.counts(),
        "repeated": recording.repeated,
        "faults": dict(sorted(Counter(fault.name for fault in recording.faults).items())),
        "happened": msgspec.to_builtins(recording.faults),
        "checked_s": round(checked_s, 1),
        "violations": msgspec.to_builtins(violations),
    }


def judged(recording: Recording, *, seed: int) -> dict[str, Any]:
    """The report, with every violation."""
    began = time.monotonic()
    violations = recording.history.violations()
    return report(recording, violations, seed=seed, checked_s=time.monotonic() - began)


def show(found: Mapping[str, Any]) -> str:
    """The report for people."""
    pace = f"in {found['seconds']:g} s, {found['operations_per_s']:g} a second; seed {found['seed']}"
    lines = [f"{found['operations']} operations on {found['registers']} registers {pace}"]
    for kind, outcomes in found["by_kind"].items():
        lines.append(f"  {kind:<18}" + "  ".join(f"{outcome} {count}" for outcome, count in outcomes.items()))
    lines.append(f"  {found['repeated']} times an unknown outcome was asked for again under its key")
    lines += [f"  {name:<18}{count} times" for name, count in found["faults"].items()]
    lines.append(f"{len(found['violations'])} violations, found in {found['checked_s']:g} s")
    lines += [f"[{violation['part']}] {violation['text']}" for violation in found["violations"]]
    return "\n".join(lines)


class Place(NamedTuple):
    """Where a campaign is recorded: a plant whose nodes are ready, what can go wrong there, and its API's token."""

    plant: LocalPlant
    faults: Mapping[str, MakeFault]
    token: str | None = None


@asynccontextmanager
async def _loopback(directory: Path) -> AsyncIterator[Place]:
    async with LocalPlant(on_free_ports(directory)) as plant:
        await plant.wait_ready()
        yield Place(plant, PROCESS_FAULTS)


PLACES: Mapping[str, Callable[[Path], AbstractAsyncContextManager[Place]]] = {"loopback": _loopback}
"""By name; each is given the directory of the plant."""


async def _campaign(place: str, directory: Path, operations: int, seed: int) -> Recording:
    async with PLACES[place](directory / "plant") as (plant, faults, token):
        return await record(plant, operations=operations, seed=seed, faults=faults, token=token)


def main(argv: Sequence[str] | None = None) -> int:
    """Record, write, judge, report. 0: no violation, 1: some, or nothing was proved."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.recorder", description=__doc__.splitlines()[0])
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, required=True, help="of the plant, and of the histories")
    parser.add_argument("--report", type=Path, help="where the JSON report goes as well")
    parser.add_argument("--place", choices=sorted(PLACES), default="loopback", help="what the plant runs on")
    given = parser.parse_args(argv)
    try:
        recording = uvloop.run(_campaign(given.place, given.directory, given.operations, given.seed))
    except (AssertionError, PlantError) as error:
        print(f"nothing was proved: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    written = recording.history.write(given.directory / "histories")
    found = judged(recording, seed=given.seed)
    print(show(found))
    print("histories: " + " ".join(str(path) for path in written))
    if given.report is not None:
        given.report.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
