"""Real processes are started, killed, restarted and never left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.dev.errors import NotReached, ProcessDied
from orchestrator.dev.ports import free_ports, is_free, require_free
from orchestrator.dev.processes import Process, Processes, Program
from orchestrator.dev.waiting import until
from orchestrator.errors import AddressInUse
from tests.support import eventually, eventually_sync

pytestmark = pytest.mark.anyio

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def python(name: str, code: str, **env: str) -> Program:
    return Program(name, (sys.executable, "-c", code), env)


def alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


async def up(process: Process) -> None:
    await eventually(lambda: process.out.exists() and "up" in process.out.read_text(), deadline_s=10)


async def test_output_goes_to_files_and_the_environment_is_added(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['COLOUR']); print('a warning', file=sys.stderr); sys.exit(3)"
    async with Processes(tmp_path / "logs") as processes:
        (process,) = await processes.start(python("painter", code, COLOUR="green"))
        assert await process.wait(10) == 3
        assert process.out.read_text() == "green\n"
        assert process.tail() == "a warning"
        assert processes.dead() == [process]
        assert processes.dead(except_for=["painter"]) == []
        assert "painter: exit status 3" in str(process.ended())
        assert "a warning" in str(process.ended())


async def test_a_kill_is_proved_by_the_exit_status_and_a_restart_is_another_process(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        (process,) = await processes.start(python("sleeper", SLEEPER))
        first = process.pid
        assert await process.kill() == -signal.SIGKILL
        assert "signal SIGKILL" in str(process.ended())
        assert not process.running
        process.send(signal.SIGTERM)  # nobody there: nothing happens
        await process.start()
        await process.start()  # it runs: nothing happens
        assert process.running
        assert process.pid != first
        assert process.starts == 2


async def test_leaving_the_block_ends_deaf_and_stopped_processes_too(tmp_path: Path) -> None:
    async with Processes(tmp_path, grace=0.3) as processes:
        deaf, stopped, _ = await processes.start(
            python("deaf", DEAF), python("stopped", SLEEPER), python("plain", SLEEPER)
        )
        await up(deaf)
        await up(stopped)
        stopped.send(signal.SIGSTOP)
        pids = [processes[name].pid for name in ("deaf", "stopped", "plain")]
    assert deaf.returncode == -signal.SIGKILL
    assert stopped.returncode == -signal.SIGTERM
    assert not [pid for pid in pids if alive(pid)]


async def test_a_cancelled_block_still_ends_its_processes(tmp_path: Path) -> None:
    started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()

    async def hold() -> None:
        async with Processes(tmp_path, grace=30.0) as processes:
            (process,) = await processes.start(python("deaf", DEAF))
            started.set_result(process)
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    process = await started
    await up(process)
    task.cancel()
    await eventually(lambda: task.cancelling() and process.running)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()  # whoever is impatient a second time gets SIGKILL
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert process.returncode == -signal.SIGKILL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux")
async def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent_code = f"""
import asyncio, pathlib, sys
from orchestrator.dev.processes import Processes, Program
async def main():
    async with Processes(pathlib.Path({str(tmp_path)!r})) as processes:
        (child,) = await processes.start(Program("child", (sys.executable, "-c", {SLEEPER!r})))
        print(child.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert parent.stdout is not None
    child = int(await asyncio.to_thread(parent.stdout.readline))
    assert alive(child)
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    eventually_sync(lambda: not alive(child), deadline_s=5)


async def test_a_process_that_does_not_end_is_said_so(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        (process,) = await processes.start(python("sleeper", SLEEPER))
        with pytest.raises(NotReached, match="end of sleeper"):
            await process.wait(0.05)
        await processes.stop(["sleeper", "unknown"])
        assert await process.stop() == -signal.SIGTERM  # ended already: the status stays


async def test_a_process_never_started_has_no_pid(tmp_path: Path) -> None:
    process = Processes(tmp_path).add(python("idle", SLEEPER))
    assert not process.running
    assert process.returncode is None
    assert process.tail() == ""
    with pytest.raises(ProcessDied, match="never started"):
        _ = process.pid
    with pytest.raises(ProcessDied, match="never started"):
        await process.wait(1)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.add(python("one", SLEEPER))
    assert "one" in processes
    with pytest.raises(ValueError, match="'one' is there already"):
        processes.add(python("one", SLEEPER))


async def test_until_returns_what_it_waited_for_or_says_what_it_missed() -> None:
    answers = iter([None, False, "ready"])

    async def look() -> str | bool | None:
        return next(answers)

    assert await until(look, seconds=5, what="readiness", interval=0.001) == "ready"

    async def never() -> None:
        return None

    with pytest.raises(NotReached, match=r"the moon: not within 0\.01 s"):
        await until(never, seconds=0.01, what="the moon", interval=0.001)


def test_ports_are_free_and_a_taken_one_is_named() -> None:
    import socket

    first, second = free_ports(2)
    assert first != second
    with socket.create_server(("127.0.0.1", first)):
        assert not is_free(first)
        with pytest.raises(AddressInUse, match=f"port {first}"):
            require_free([second, first])
    require_free([first, second])
    assert os.getpid()
