"""Load from outside: clients that send each command until it is acknowledged, always under the same id."""

import asyncio
import time
from typing import Self

from orchestrator.bench.asking import Declined, Unanswered
from orchestrator.bench.members import IDS, Members
from orchestrator.dev.waiting import until

CLIENTS = 100
RATE = 1_000.0
ANSWER_S = 0.6
"""Before a client asks another member under the same id. Far less than the ids that a member remembers last."""
PAUSE_S = 0.02
LOOK_S = 0.1
"""For a member's status: a stopped one must not hold up the others."""
LEADER_S = 30.0


class Load:
    """`clients` sequential clients that together propose `rate` commands a second; `async with` runs them.

    A client that falls behind its schedule (no leader) catches up afterwards. `acknowledged` counts by client.
    """

    def __init__(self, members: Members, *, rate: float = RATE, clients: int = CLIENTS, name: str = "c") -> None:
        self._members = members
        self._period_s = clients / rate
        self._leader = IDS[0]
        self._looking = asyncio.Lock()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.acknowledged = {f"{name}{number}": 0 for number in range(clients)}
        self.retries = 0

    @property
    def total(self) -> int:
        """How many commands were acknowledged."""
        return sum(self.acknowledged.values())

    async def __aenter__(self) -> Self:
        self.run()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.rest()
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def run(self) -> None:
        """Begin, or go on after a rest."""
        self._stopping = False
        loop = asyncio.get_running_loop()
        for number, client in enumerate(self.acknowledged):
            first = time.monotonic() + self._period_s * number / len(self.acknowledged)
            self._tasks.append(loop.create_task(self._client(client, first)))

    async def rest(self) -> None:
        """Stop once every command under way is acknowledged. Raises what went wrong in a client."""
        self._stopping = True
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*tasks)

    async def _client(self, client: str, due: float) -> None:
        while True:
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if self._stopping:
                return
            await self._send(client, self.acknowledged[client])
            self.acknowledged[client] += 1
            due += self._period_s

    async def _send(self, client: str, number: int) -> None:
        while True:
            asked = self._leader
            try:
                await self._members.asking[asked].ask(
                    "propose", client=client, number=number, sent=time.monotonic(), timeout=ANSWER_S
                )
            except (Declined, Unanswered):
                self.retries += 1
                await self._look_for_leader(asked)
            else:
                return

    async def _look_for_leader(self, asked: str) -> None:
        """One client looks, the others wait: a hundred that ask would take the processor from the election."""

        async def look() -> str | None:
            found = await asyncio.gather(*(self._members.seen(name, timeout=LOOK_S) for name in IDS))
            leading = [(seen.term, name) for name, seen in zip(IDS, found, strict=True) if seen and seen.gained_at]
            return max(leading)[1] if leading else None

        async with self._looking:
            if self._leader == asked:
                await asyncio.sleep(PAUSE_S)
                self._leader = await until(look, seconds=LEADER_S, what="a leader for the clients", interval=PAUSE_S)
