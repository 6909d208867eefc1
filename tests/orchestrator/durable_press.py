"""A component with a memory, as a process that can be killed: `python -m … MEMORY LOG PORT`.

Every piece of work appends a line to LOG when it begins and one when it ends; in between it waits for LOG's `.go`.
"""

import asyncio
import sys
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from orchestrator.component import Component
from orchestrator.lifecycle import Command, State


class Offset(BaseModel):
    offset: int


class DurablePress(Component):
    idempotent_commands: ClassVar[frozenset[Command]] = frozenset({Command.INITIALIZE})

    def __init__(self, memory: Path, log: Path) -> None:
        super().__init__("press", orchestrator_url="http://127.0.0.1:1", memory=memory)
        self._log = log
        self.on_command("CALIBRATE", Offset, self._calibrate, states=(State.READY, State.STARTED))
        self.on_command("MEASURE", Offset, self._measure, states=(State.READY,), idempotent=True)

    async def _work(self, name: str) -> None:
        for line in ("begin", "end"):
            with self._log.open("a") as file:
                file.write(f"{line} {name}\n")
            while line == "begin" and not self._log.with_suffix(".go").exists():
                await asyncio.sleep(0.01)

    async def on_initialize(self) -> None:
        await self._work("initialize")

    async def on_start(self) -> None:
        await self._work("start")

    async def _calibrate(self, params: Offset) -> dict[str, int]:
        await self._work(f"calibrate {params.offset}")
        return {"offset": params.offset}

    async def _measure(self, params: Offset) -> dict[str, int]:
        await self._work(f"measure {params.offset}")
        return {"measured": params.offset}


if __name__ == "__main__":
    asyncio.run(DurablePress(Path(sys.argv[1]), Path(sys.argv[2])).serve(port=int(sys.argv[3])))
