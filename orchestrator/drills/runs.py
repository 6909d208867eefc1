"""Runs of a playbook whose commands have effects, one after the other while a fault happens."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from orchestrator.client import ApiError, AsyncClient, ClientError
from orchestrator.dev.errors import NotReached
from orchestrator.dev.waiting import until
from orchestrator.drills.load.component import COMMAND
from orchestrator.tasks import cancelled

__all__ = ["COMPONENT", "PLAYBOOK", "PlaybookRuns"]

PLAYBOOK = "drill-effects"
COMPONENT = "drill-machine"
PARTS = ("a", "b", "c")
EVERY_S = 0.4
CALL_S = 5.0
RUNS_MAX = 1000
END_S = 45.0

TEXT = f"""
name: {PLAYBOOK}
description: Effects that a drill counts. Made by triarch drill, and removed when it is over.
concurrency: {{limit: 100}}
timeout: 120s
inputs: {{run: {{type: string, required: true}}}}
actions:
  - type: for_each
    items: [{", ".join(PARTS)}]
    actions:
      - type: send_command
        component: {COMPONENT}
        command: {COMMAND}
        params: {{tag: "{{{{ inputs.run }}}}-{{{{ item }}}}"}}
        timeout: 60s
"""


class PlaybookRuns:
    """Starts run after run while its block lasts, each under a key of its own until somebody has taken it."""

    def __init__(self, client: AsyncClient, run: str) -> None:
        self._client = client
        self._run = run
        self._started: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self.problem = ""

    async def __aenter__(self) -> Self:
        await self._client.playbooks.put(PLAYBOOK, TEXT)
        self._task = asyncio.create_task(self._go(), name="playbook-runs")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await cancelled(self._task)

    async def outcome(self) -> tuple[list[str], list[str]]:
        """(tags of the effects of runs that succeeded, runs that did not). Ask when the block was left."""
        statuses: dict[str, str] = {}

        async def ended() -> bool:
            for execution in self._started:
                if statuses.get(execution) in ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED"):
                    continue
                try:
                    statuses[execution] = (await self._client.within(CALL_S).executions.get(execution)).status
                except ClientError as error:
                    statuses[execution] = error.code
            return all(status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED") for status in statuses.values())

        with suppress(NotReached):  # those that have not ended are named below
            await until(ended, seconds=END_S, what="the end of every run", interval=0.2)
        good = [name for execution, name in self._started.items() if statuses.get(execution) == "SUCCEEDED"]
        bad = [f"{one} is {status}" for one, status in statuses.items() if status != "SUCCEEDED"]
        if self.problem:
            bad.append(self.problem)
        return [f"{name}-{part}" for name in good for part in PARTS], bad

    async def _go(self) -> None:
        client = self._client.within(CALL_S)
        for number in range(1, RUNS_MAX + 1):
            name = f"{self._run}-{number}"
            while True:
                try:
                    started = await client.executions.start(PLAYBOOK, {"run": name}, who="drill", key=f"drill-{name}")
                except ApiError as error:
                    if error.status < 500:
                        self.problem = f"a run was refused: {error}"
                        return
                except ClientError:
                    pass  # nobody took it, or nobody knows: the same key again
                else:
                    self._started[started.id] = name
                    break
                await asyncio.sleep(EVERY_S)
            await asyncio.sleep(EVERY_S)
