"""Concurrent clients that use variables of the plant as registers while a fault happens, and what they saw.

The history is judged as that of one copy of each register: see `orchestrator.drills.histories`.
"""

import asyncio
import itertools
import random
import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from orchestrator.drills.histories.checking import check, render
from orchestrator.drills.histories.operations import CheckTimedOut, Operation
from orchestrator.drills.histories.register_clients import Register, RegisterClient, Unexpected, pause_after
from orchestrator.drills.target import HostPlace
from orchestrator.drills.watching import address_of
from orchestrator.tasks import cancelled

__all__ = ["RegisterLoad"]

CLIENTS = 6
REGISTERS = 2
USES = 250
"""Operations on a register before another takes its place: what the search has to look through stays small."""
EVERY_S = 0.06
"""Of each client: about a hundred operations a second in all."""
OPERATIONS_MAX = 60_000
CHECK_S = 60.0


class RegisterLoad:
    """Runs while its block lasts. `names`: the registers that were made, to be removed when all is over."""

    def __init__(self, hosts: Sequence[HostPlace], run: str, *, token: str | None, tls: ssl.SSLContext | None) -> None:
        self.operations: list[Operation] = []
        self.names: list[str] = []
        self.problem = ""
        self._run = run
        self._values = itertools.count(1)
        nodes = [address_of(host.api) for host in hosts]
        https = hosts[0].api.startswith("https")
        trust = tls if https else None
        dice = [random.Random(f"{run}/{number}") for number in range(CLIENTS)]  # noqa: S311 - no secret
        self._clients = [
            RegisterClient(number, nodes, self._values, rng, token=token, tls=trust) for number, rng in enumerate(dice)
        ]
        self._registers = [self._new() for _ in range(REGISTERS)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._use(client), name="register-client") for client in self._clients]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            await cancelled(task)

    async def verdict(self) -> tuple[bool | None, str]:
        """(linearizable, why not or why nobody knows). Ask when the block was left. None: there is no verdict."""
        if self.problem:
            return False, self.problem
        if not any(operation.outcome == "ok" for operation in self.operations):
            return None, "no operation was carried out"
        try:
            found = await asyncio.to_thread(check, self.operations, deadline_s=CHECK_S)
        except CheckTimedOut as error:
            return None, str(error)
        return found.linearizable, "" if found.linearizable else render(found)

    async def _use(self, client: RegisterClient) -> None:
        rng = random.Random(f"{self._run}/{client.number}/use")  # noqa: S311 - no secret
        try:
            while len(self.operations) < OPERATIONS_MAX:
                began = time.monotonic()
                register = self._register(rng)
                match rng.randrange(3):
                    case 0:
                        operation = await client.write(register)
                    case 1:
                        operation = await client.compare_and_set(register)
                    case _:
                        operation = await client.read(register, "linearizable")
                self.operations.append(operation)
                await pause_after(operation)
                await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))
        except Unexpected as error:
            self.problem = f"an answer that no client has to expect: {error}"
        finally:
            client.close()
            if client.under_way is not None:
                self.operations.append(client.under_way)

    def _register(self, rng: random.Random) -> Register:
        at = rng.randrange(len(self._registers))
        register = self._registers[at]
        register.uses_left -= 1
        if register.uses_left <= 0:
            self._registers[at] = self._new()
        return register

    def _new(self) -> Register:
        self.names.append(f"drill-{self._run}-{len(self.names) + 1}")
        return Register(self.names[-1], USES)
