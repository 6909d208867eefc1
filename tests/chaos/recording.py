"""Records histories of the real HTTP API of three real nodes while faults happen to them, one after the other.

The seed decides the order and the length of the faults and what the clients ask for; how the processes' steps fall
together no seed decides.
"""

import asyncio
import itertools
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from orchestrator.dev.local import LocalPlant
from orchestrator.drills.histories.operations import Kind
from orchestrator.drills.histories.register_clients import Register, RegisterClient, pause_after
from tests.chaos.faults import PROCESS_FAULTS, MakeFault
from tests.chaos.judging import History, Part

CLIENTS = 24
"""Enough that some are at work while others wait at a node that is stopped or cut off."""
PER_REGISTER = 3
"""Clients on each of the registers that are in use, on average."""
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
        """that it took, faults and pauses and all"""
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
    seconds: float = math.inf,
    into: Recording | None = None,
) -> Recording:
    """Record until there are `operations` and each of the `faults` has happened, whichever is later; after `seconds`
    it ends in any case, with the fault that is under way.

    `asks`: what clients really ask for when they record a read of some part, to see that it is noticed. `into`: a new
    recording that the caller has in hand, whatever is raised here; it is a history in every case.

    Unexpected (an answer that the API must not give), FaultMissing, and what the plant and its faults raise.
    """
    work = _Work(plant, into or Recording(), seed, token, asks or {}, clients // PER_REGISTER)
    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(work.client(number))
            await work.faults(faults, operations, seconds)
            work.ending = True
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # it ended the others
    finally:
        work.recording.seconds = work.elapsed()
    return work.recording


class _Work:
    """One recording under way."""

    def __init__(
        self,
        plant: LocalPlant,
        recording: Recording,
        seed: int,
        token: str | None,
        asks: Mapping[Part, Part],
        registers: int,
    ) -> None:
        self.ending = False
        self.recording = recording
        self._token = token
        self._asks = asks
        self._plant = plant
        self._seed = seed
        self._rng = random.Random(seed)
        self._values = itertools.count(1)
        self._names = itertools.count(1)
        self._began = time.monotonic()
        self._registers = [self._new_register() for _ in range(registers)]
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
            if client.under_way is not None:
                history.add_change(client.under_way)

    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    async def faults(self, faults: Mapping[str, MakeFault], operations: int, seconds: float) -> None:
        """Rounds of all faults, each in an order of its own, until there is enough of everything, or the time is up."""
        missing = set(faults)
        for name in self._rounds(sorted(faults)):
            await asyncio.sleep(self._rng.uniform(*QUIET_S))
            if (not missing and len(self.recording.history) >= operations) or self.elapsed() >= seconds:
                break
            if name is not None:
                await self._one_fault(name, faults[name])
                missing.discard(name)

    def _rounds(self, names: Sequence[str]) -> Iterator[str | None]:
        while True:
            yield from self._rng.sample(names, len(names))
            if not names:
                yield None

    async def _one_fault(self, name: str, make: MakeFault) -> None:
        fault = make(self._plant)
        began = self.elapsed()
        await fault.begin()
        await asyncio.sleep(self._rng.uniform(*LASTS_S))
        await fault.heal()
        self.recording.faults.append(Happened(name, began, self.elapsed(), fault.happened()))

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
