"""A whole plant on this machine: three nodes and their server, killed and restarted; `triarch dev` keeps it up."""

import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from orchestrator.demo.options import DemoOptions
from orchestrator.dev.errors import NotReached, PlantError, ProcessDied
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.options import DevOptions
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Process, Processes, Program
from orchestrator.dev.topology import on_free_ports
from orchestrator.errors import AddressInUse
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def test_nodes_elect_a_leader_and_survive_its_kill(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as plant:
        first = await plant.wait_ready()
        assert await plant.leader() == first
        assert await plant.kill(first.node_id) == -signal.SIGKILL
        with pytest.raises(ProcessDied, match=f"{first.node_id}: ended by signal SIGKILL"):
            await plant.is_ready(first.node_id)
        second = await plant.other_leader(first)
        assert second.node_id != first.node_id
        assert second.epoch > first.epoch
        assert await plant.ask(first.node_id, "/healthz") is None
        with pytest.raises(PlantError, match="no node answered"):
            await plant.call("GET", "/healthz", node_id=first.node_id)
        assert (await plant.call("GET", "/v1/processors")).json() == []  # whichever node answers
        await plant.restart(first.node_id)
        await plant.wait_ready(seconds=30)
        with pytest.raises(NotReached, match="a leader after"):
            await plant.other_leader(await plant.current_leader(5.0), seconds=0.2)
        plant.send(first.node_id, signal.SIGTERM)
        assert await plant.node(first.node_id).wait(10) == 0
        pids = [plant.server.pid, *(plant.node(node.id).pid for node in plant.topology.nodes)]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid or 0, 0)


async def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path) -> None:
    topology = on_free_ports(tmp_path / "plant")
    taken = topology.nodes[1].api_port
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(AddressInUse, match=str(taken)):
        async with LocalPlant(topology):
            pass
    assert not topology.logs.exists()


def dev(tmp_path: Path, *arguments: str) -> Program:
    api, raft = (free_ports_in_a_row(), free_ports_in_a_row())
    (redis,) = free_ports(1)
    ports = ("--api-port", str(api), "--raft-port", str(raft), "--redis-port", str(redis))
    command = (sys.executable, "-m", "orchestrator.cli.main", "dev", "--directory", str(tmp_path / "dev"))
    return Program("dev", (*command, *ports, *arguments))


def free_ports_in_a_row() -> int:
    from orchestrator.dev.ports import is_free

    return next(port for port in (free_ports(1)[0] for _ in range(100)) if is_free(port + 1) and is_free(port + 2))


def pid_in(tmp_path: Path, part: str) -> int:
    """Pid of the process of the dev plant whose command line contains `part`."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if part in command and "leash" not in command and "/bin/sh" not in command:
            return int(path.parent.name)
    raise AssertionError(f"no process with {part}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.slow
async def test_dev_starts_everything_and_keeps_it_up(tmp_path: Path) -> None:
    async with Processes(tmp_path / "logs", grace=15.0) as processes:
        (running,) = await processes.start(dev(tmp_path, "--cameras", "2", "--fps", "10"))
        await says(running, r"2 cameras play .*carphone_pristine\.mp4", 40)
        await says(running, r"settled [1-9]", 15)
        log = running.log.read_text()
        api, redis = re.search(r"nodes (\S+)", log), re.search(r"frames redis://127\.0\.0\.1:(\d+)", log)
        assert api is not None
        assert redis is not None
        # A second run in the same directory is refused.
        (second,) = await processes.start(Program("second", running.program.argv))
        assert await second.wait(20) == 5
        assert "another run works there" in second.tail()
        os.kill(pid_in(tmp_path, f"faces-1 --kind faces --redis redis://127.0.0.1:{redis[1]}"), signal.SIGKILL)
        os.kill(pid_in(tmp_path, f"valkey-server 127.0.0.1:{redis[1]}"), signal.SIGKILL)
        await says(running, "the server has ended and is started again", 15)
        await says(running, "faces-1 is started again", 15)
        running.send(signal.SIGINT)
        assert await running.wait(20) == 0
    with pytest.raises(AssertionError, match="no process"):
        pid_in(tmp_path, str(tmp_path / "dev"))


async def test_dev_can_forget_its_last_run_and_do_without_frames(tmp_path: Path) -> None:
    stale = tmp_path / "dev" / "nodes" / "n1" / "stale"
    stale.parent.mkdir(parents=True)
    stale.write_text("of another time")
    async with Processes(tmp_path / "logs", grace=15.0) as processes:
        (running,) = await processes.start(dev(tmp_path, "--fresh", "--no-frames"))
        await says(running, r"frames redis://.* Ctrl-C ends it all", 40)
        await says(running, r"playbooks .*startup.* are there", 20)
        assert not stale.exists()
        assert not (tmp_path / "dev" / "logs" / "cam1.log").exists()
        running.send(signal.SIGTERM)
        assert await running.wait(20) == 0


async def says(process: Process, pattern: str, deadline_s: float) -> None:
    def look() -> bool:
        assert process.running, process.tail()
        return re.search(pattern, process.log.read_text()) is not None

    await eventually(look, deadline_s=deadline_s, every_s=0.1, message=f"{process.name}: {pattern}")


def test_what_cannot_be_run_has_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.demo import run
    from orchestrator.dev import supervise

    assert run(DemoOptions(video=tmp_path / "none.mp4", directory=tmp_path / "demo")) == 3
    assert supervise(DevOptions(video=tmp_path / "none.mp4", directory=tmp_path / "dev")) == 3
    assert capsys.readouterr().err.count("no such file") == 2
