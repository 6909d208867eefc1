"""Three members of etcd on this machine, for comparison: its server at its defaults (fsync on), its own Go client.

The client is built by `go build` from etcd_client/ beside this module, into the directory of the run: clientv3, used as
etcd's own benchmark tool uses it. The members talk in the clear: that costs them nothing, where ours encrypt.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from orchestrator.bench.figures import say
from orchestrator.bench.running import last_line
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Process, Processes, Program
from orchestrator.dev.waiting import until

SOURCE = Path(__file__).parent / "etcd_client"
BUILD_S = 300.0
START_S = 20.0
ASK_S = 1.0
NAMES = ("e1", "e2", "e3")
CONNECTIONS = (100, 10)
"""Tried one after the other in `measure`, the faster counts. etcd's documentation uses 100 for 1,000 clients."""


async def client(directory: Path) -> Path | None:
    """The built client, or None with a message where etcd or Go is not on the PATH, or Go cannot build it."""
    for program in ("etcd", "go"):
        if shutil.which(program) is None:
            say(f"bench: no comparison with etcd: {program} is not on the PATH (it takes etcd, and go for its client)")
            return None
    binary = directory / "etcd_client"
    building = await asyncio.create_subprocess_exec(
        "go", "build", "-mod=readonly", "-o", str(binary), ".",
        cwd=SOURCE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(BUILD_S):
            out, _ = await building.communicate()
    except BaseException:
        building.kill()
        await building.wait()
        raise
    if building.returncode != 0:
        said = out.decode(errors="replace").strip()[-500:]
        say(f"bench: no comparison with etcd: its client could not be built from {SOURCE} (network?): {said}")
        return None
    return binary


class Etcd:
    """Three running members; use it by `etcd`."""

    def __init__(self, processes: Processes, directory: Path, binary: Path) -> None:
        self.processes = processes
        self._binary = binary
        self._http = httpx.AsyncClient(timeout=ASK_S, trust_env=False)
        ports = free_ports(2 * len(NAMES))
        self.clients = dict(zip(NAMES, ports[: len(NAMES)], strict=True))
        peers = dict(zip(NAMES, ports[len(NAMES) :], strict=True))
        cluster = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in peers.items())
        executable = shutil.which("etcd") or "etcd"
        for name in NAMES:
            at, peer = f"http://127.0.0.1:{self.clients[name]}", f"http://127.0.0.1:{peers[name]}"
            argv = [executable, "--name", name, "--data-dir", str(directory / name), "--log-level", "warn"]
            argv += ["--listen-client-urls", at, "--advertise-client-urls", at]
            argv += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            argv += ["--initial-cluster", cluster, "--initial-cluster-token", "bench", "--initial-cluster-state", "new"]
            # A server that runs elsewhere on this machine may be configured by the environment: not these.
            processes.add(Program(name, tuple(argv), {key: "" for key in os.environ if key.startswith("ETCD_")}))

    def endpoint(self, *names: str) -> str:
        """For the client's flag: these members, or all."""
        return ",".join(f"127.0.0.1:{self.clients[name]}" for name in names or NAMES)

    async def leader(self, *, seconds: float = START_S, other_than: str = "") -> str:
        """Who leads, as a member says that leads. Raises NotReached, ProcessDied."""

        async def look() -> str | None:
            for name in NAMES:
                if name == other_than:
                    continue
                try:
                    answer = await self._http.post(
                        f"http://127.0.0.1:{self.clients[name]}/v3/maintenance/status", json={}
                    )
                    found = answer.raise_for_status().json()
                except httpx.HTTPError:
                    continue
                if found.get("leader") and found["leader"] == found["header"]["member_id"]:
                    return name
            return None

        return await until(look, seconds=seconds, what="a leader of etcd")

    async def whole(self) -> str:
        """The leader, once every member answers and knows one."""

        async def look() -> bool:
            try:
                for port in self.clients.values():
                    answer = await self._http.post(f"http://127.0.0.1:{port}/v3/maintenance/status", json={})
                    if int(answer.raise_for_status().json().get("leader", 0)) == 0:
                        return False
            except httpx.HTTPError:
                return False
            return True

        await until(look, seconds=START_S, what="three members of etcd that know a leader")
        return await self.leader()

    async def run_client(self, name: str, *arguments: str) -> Process:
        """Start the client; its standard output is the process's `out`."""
        (process,) = await self.processes.start(Program(name, (str(self._binary), *arguments)))
        return process

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()


@asynccontextmanager
async def etcd(directory: Path, binary: Path) -> AsyncIterator[Etcd]:
    """Three started members with a leader; they end with the block."""
    async with Processes(directory / "logs", grace=2.0) as processes:
        group = Etcd(processes, directory, binary)
        try:
            await asyncio.gather(*(processes[name].start() for name in NAMES))
            await group.whole()
            yield group
        finally:
            await group.close()


async def measure(directory: Path, binary: Path, *, phase_s: float, outstanding: int) -> dict[str, Any]:
    """Sequential puts and `outstanding` ones at a time, at the leader: as etcd's benchmark with --target-leader."""
    best: dict[str, Any] = {}
    async with etcd(directory, binary) as group:
        for connections in CONNECTIONS:
            leader = await group.whole()
            arguments = ["-endpoints", group.endpoint(leader), "-seconds", str(phase_s / len(CONNECTIONS))]
            arguments += ["-clients", str(outstanding), "-conns", str(connections)]
            process = await group.run_client(f"client-{connections}", "measure", *arguments)
            status = await process.wait(START_S + 4 * phase_s)
            found = last_line(process)
            if status != 0 or found is None:
                raise process.ended()
            if found["commits_per_s"] > best.get("commits_per_s", 0.0):
                best = {**found, "connections": connections}
    return {name: round(value, 3) for name, value in best.items()}
