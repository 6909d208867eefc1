"""A component in another language, built from examples/component-go, on a real plant that loses its leader."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import leashed
from tests.chaos.conftest import _absent
from tests.chaos.insisting import insist
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "component-go"
PATH = "/v1/components/belt-1"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built example."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        _absent("Go is missing. Debian and Ubuntu: apt install golang-go    macOS: brew install go")
    built = tmp_path_factory.mktemp("go") / "component"
    done = subprocess.run(
        [go, "build", "-o", str(built), "."], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return built


@asynccontextmanager
async def running(program: Path, plant: LocalPlant, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ["-id", "belt-1", "-orchestrator", ",".join(plant.topology.apis)]
    with (directory / "out").open("ab") as out, (directory / "err").open("ab") as err:
        process = await asyncio.create_subprocess_exec(*leashed([str(program), *arguments]), stdout=out, stderr=err)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_does_each_command_once_across_a_takeover(program: Path, plant: LocalPlant, tmp_path: Path) -> None:
    first = await plant.current_leader(5)

    async def shown() -> dict[str, Any]:
        answer = await insist(plant, "GET", PATH)
        document: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return document

    async def command(name: str, key: str, **params: Any) -> httpx.Response:
        body = {"command": name, **({"params": params} if params else {})}
        return await insist(plant, "POST", f"{PATH}/commands", body, key=key)

    async def is_in(state: str) -> bool:
        row = await shown()
        return (row.get("state"), row.get("presence")) == (state, "ONLINE")

    def said() -> list[str]:
        return (tmp_path / "out").read_text().splitlines()

    async with running(program, plant, tmp_path) as process:
        await eventually(lambda: is_in("READY"), deadline_s=20)
        row = await shown()
        assert (row["name"], row["labels"], row["health"]) == ("A belt in Go", {"language": "go"}, "OK")
        refused = await command("MOVE", "too-early", steps=1)
        assert (refused.status_code, refused.json()["code"]) == (409, "command_refused")
        assert "MOVE is not possible in READY: MOVE needs STARTED" in refused.json()["detail"]
        refused = await command("CMD_START", "too-early-as-well")
        assert "CMD_START is not possible in READY: it needs INIT_COMPLETE" in refused.json()["detail"]
        for repeated in (False, True):
            answer = (await command("CMD_INITIALIZE", "i")).json()
            assert (answer["state"], answer["repeated"]) == ("INIT_COMPLETE", repeated)
        reused = await command("CMD_START", "i")
        assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")
        assert (await command("CMD_START", "s")).json()["state"] == "STARTED"
        moved = (await command("MOVE", "m", steps=3)).json()
        assert (moved["result"], moved["repeated"]) == ({"moves": 1}, False)
        reused = await command("MOVE", "m", steps=4)
        assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")

        await plant.kill(first.node_id)
        await plant.other_leader(first)

        async def repeated_to_the_next_leader() -> bool:
            answer = await command("MOVE", "m", steps=3)
            return answer.status_code == 200 and answer.json()["repeated"] and answer.json()["result"] == {"moves": 1}

        await eventually(repeated_to_the_next_leader, deadline_s=20)

        async def figures() -> bool:
            return bool((await shown()).get("metrics") == {"moves": 1.0})

        await eventually(figures, deadline_s=20)
        await eventually(lambda: "told belt.moved 204" in said(), deadline_s=20)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0, (tmp_path / "err").read_text()
    await eventually(lambda: is_in("STOPPED"), deadline_s=10)
    effects = [line for line in said() if line.startswith("effect")]
    assert effects == ["effect CMD_INITIALIZE i", "effect CMD_START s", "effect MOVE m 3"]

    async def silent() -> bool:
        return bool((await shown())["health"] == "UNRESPONSIVE")

    await eventually(silent, deadline_s=20)
