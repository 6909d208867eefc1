"""Components that are killed with SIGKILL in the middle of a command, and start again with the same memory."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.component import Component
from orchestrator.errors import MemoryUnreadable
from orchestrator.lifecycle import State
from tests.orchestrator.plant_parts import NOWHERE, Press, client, command, problem, working
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def process(directory: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    port = free_port()
    arguments = [str(directory / "memory"), str(directory / "log"), str(port)]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.orchestrator.durable_press", *arguments, cwd=Path(__file__).parents[2]
    )
    try:
        async with client(f"http://127.0.0.1:{port}") as http:

            async def serves() -> bool:
                try:
                    return (await http.get("/health")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(serves, deadline_s=20)
            yield running, http
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def own(http: httpx.AsyncClient, name: str, key: str, epoch: str | None = None, **params: Any) -> httpx.Response:
    event = {
        "type": "component.command",
        "source": "orchestrator",
        "payload": {"command": name, "params": params},
        "idempotency_key": key,
        **({} if epoch is None else {"epoch": epoch}),
    }
    return await http.post("/event", json=event)


async def killed_in(directory: Path, name: str, key: str, **params: Any) -> None:
    """Begin a command, and kill the process once the work has begun. Its key `first` was done before."""
    (directory / "log.go").touch()
    async with process(directory) as (running, http):
        assert (await own(http, "MEASURE", "first", epoch="5.1", offset=1)).json()["result"] == {"measured": 1}
        (directory / "log.go").unlink()
        sent = asyncio.create_task(own(http, name, key, epoch="5.1", **params))
        await eventually(lambda: len(lines(directory)) == 3)
        running.kill()
        await asyncio.gather(sent, return_exceptions=True)
    (directory / "log.go").touch()


def lines(directory: Path) -> list[str]:
    return (directory / "log").read_text().splitlines()


async def test_work_that_was_interrupted_is_never_done_twice(tmp_path: Path) -> None:
    await killed_in(tmp_path, "CALIBRATE", "k", offset=3)
    for _ in range(2):  # the second start finds what the first one found
        async with process(tmp_path) as (_, http):
            health = (await http.get("/health")).json()
            assert health["state"] == "FAULT"
            assert "CALIBRATE (key k) was interrupted" in health["reason"]
            answer = (await own(http, "CALIBRATE", "k", epoch="5.1", offset=3)).json()
            assert (answer["code"], answer["state"]) == ("command_interrupted", "FAULT")
            assert "not done again" in answer["message"]
            assert problem(await own(http, "CALIBRATE", "k", epoch="5.1", offset=4)) == (422, "key_reused")
            first = (await own(http, "MEASURE", "first", epoch="5.1", offset=1)).json()
            assert (first["repeated"], first["result"], first["state"]) == (True, {"measured": 1}, "READY")
            old = await own(http, "CALIBRATE", "late", epoch="5.0", offset=1)
            assert problem(old) == (409, "stale_epoch"), "the newest epoch is remembered too"
    async with process(tmp_path) as (_, http):
        assert (await own(http, "CMD_RESET", "r", epoch="5.2")).json()["state"] == "READY"
        again = (await own(http, "CALIBRATE", "k", epoch="5.2", offset=3)).json()
        assert (again["code"], again["repeated"]) == ("command_interrupted", True)
    async with process(tmp_path) as (_, http):
        assert (await http.get("/health")).json()["state"] == "READY", "what was reset is over"
    assert lines(tmp_path) == ["begin measure 1", "end measure 1", "begin calibrate 3"]


@pytest.mark.parametrize(
    ("name", "params", "work"),
    [("MEASURE", {"offset": 2}, "measure 2"), ("CMD_INITIALIZE", {}, "initialize")],
)
async def test_work_that_was_declared_idempotent_is_done_again(
    tmp_path: Path, name: str, params: dict[str, int], work: str
) -> None:
    await killed_in(tmp_path, name, "k", **params)
    async with process(tmp_path) as (_, http):
        assert (await http.get("/health")).json()["state"] == "READY"
        answer = (await own(http, name, "k", epoch="5.1", **params)).json()
        assert (answer["code"], answer["repeated"], answer["completed"]) == ("", False, True)
        assert (await own(http, name, "k", epoch="5.1", **params)).json() == {**answer, "repeated": True}
    assert lines(tmp_path)[2:] == [f"begin {work}", f"begin {work}", f"end {work}"]


async def test_a_component_that_leaves_in_order_has_nothing_to_recover_from(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    async with working(Press(memory=memory)) as http:
        first = (await command(http, "CMD_INITIALIZE", "i", epoch="3.1")).json()
        await command(http, "CMD_START", "s", epoch="3.1")
    press = Press(memory=memory)
    async with working(press) as http:
        assert press.state is State.READY
        assert (await command(http, "CMD_INITIALIZE", "i", epoch="3.1")).json() == {**first, "repeated": True}
        assert problem(await command(http, "CMD_INITIALIZE", "j", epoch="2.9")) == (409, "stale_epoch")
        assert press.calls == []


async def test_a_command_that_cannot_be_noted_is_not_begun(tmp_path: Path) -> None:
    press = Press(memory=tmp_path / "memory")
    async with working(press) as http:
        press._memory.close()
        refused = await command(http, "CMD_INITIALIZE", "k")
        assert problem(refused) == (409, "memory_failed")
        assert (press.state, press.calls) == (State.READY, [])
        press._memory.open()
        assert (await command(http, "CMD_INITIALIZE", "k")).json()["state"] == "INIT_COMPLETE"


async def test_a_memory_that_is_in_use_or_none_keeps_a_component_from_serving(tmp_path: Path) -> None:
    async with working(Press(memory=tmp_path / "memory")):
        with pytest.raises(MemoryUnreadable, match="another process"):
            await Press(memory=tmp_path / "memory").serve()
    (tmp_path / "memory").write_bytes(b"something else\n")
    with pytest.raises(MemoryUnreadable, match="line 1"):
        await Component("press", orchestrator_url=NOWHERE, memory=tmp_path / "memory").serve()
