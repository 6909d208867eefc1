"""A running plant on this machine: the server, three nodes, and what else is started beside them."""

import asyncio
import shlex
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from framebuffer.embedded import Binary, EmbeddedServer, find_binary
from orchestrator.dev.errors import PlantError
from orchestrator.dev.ports import require_free
from orchestrator.dev.processes import Process, Processes, leashed
from orchestrator.dev.topology import Topology
from orchestrator.dev.waiting import until

READY_S = 30.0  # a node imports and starts in 2 s on an idle core; a dozen processes start on two of them
LOOK_S = 0.1
REQUEST_S = 1.0
LEADER_HEADER, EPOCH_HEADER = "X-Triarch-Node", "X-Triarch-Epoch"


@dataclass(frozen=True, slots=True, order=True)
class Leader:
    """Who answers as leader, and under which epoch (term, index)."""

    epoch: tuple[int, int]
    node_id: str

    def __str__(self) -> str:
        return f"{self.node_id} (epoch {self.epoch[0]}.{self.epoch[1]})"


def parse_epoch(text: str) -> tuple[int, int]:
    """Parse `term.index`. Raises ValueError."""
    term, _, index = text.partition(".")
    return int(term), int(index)


def leashed_binary(binary: Binary, directory: Path) -> Binary:
    """The same server by way of a script that binds it to the life of this process."""
    script = directory / "server"
    command = " ".join(shlex.quote(part) for part in leashed([str(binary.path)]))
    script.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return msgspec.structs.replace(binary, path=script)


class LocalPlant:
    """Server and nodes of a topology. Leaving the block ends every process, the server last."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._server: EmbeddedServer | None = None
        self.processes = Processes(topology.logs)
        self._stack = AsyncExitStack()
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Start the server and the nodes; the nodes are not ready yet. Raises AddressInUse and the server's errors."""
        require_free(self.topology.ports)
        self.topology.write()
        async with AsyncExitStack() as stack:
            binary = leashed_binary(await asyncio.to_thread(find_binary), self.topology.redis_directory)
            await self._start_server(binary, stack)
            self._http = await stack.enter_async_context(self._new_client())
            await stack.enter_async_context(self.processes)
            await self.processes.start(*(self.topology.node_program(node) for node in self.topology.nodes))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _start_server(self, binary: Binary, stack: AsyncExitStack) -> None:
        """Start what carries the frames; leaving `stack` ends it."""
        self._server = self._new_server(binary)
        await self._server.start()
        stack.push_async_callback(self._server.stop)

    def _new_server(self, binary: Binary) -> EmbeddedServer:
        """The server, not started."""
        return EmbeddedServer(self.topology.redis_directory, self.topology.redis_port, binary=binary)

    def _new_client(self) -> httpx.AsyncClient:
        """The client for the nodes' APIs."""
        return httpx.AsyncClient(timeout=REQUEST_S, trust_env=False)

    @property
    def server(self) -> EmbeddedServer:
        """The server that carries the frames."""
        if self._server is None:
            raise PlantError("the plant has not been started")
        return self._server

    @property
    def http(self) -> httpx.AsyncClient:
        """Client for the nodes' APIs."""
        if self._http is None:
            raise PlantError("the plant has not been started")
        return self._http

    def node(self, node_id: str) -> Process:
        """The process of a node."""
        return self.processes[node_id]

    async def ask(self, node_id: str, path: str) -> httpx.Response | None:
        """GET `path` of one node; None when it does not answer."""
        try:
            return await self.http.get(self.topology.node(node_id).api + path)
        except httpx.HTTPError:
            return None

    async def leader(self) -> Leader | None:
        """The node that answers as leader; of two (one deposed a moment ago) the one with the newer epoch."""
        answers = await asyncio.gather(*(self.ask(node.id, "/leader") for node in self.topology.nodes))
        leaders = []
        for node, answer in zip(self.topology.nodes, answers, strict=True):
            if answer is not None and answer.status_code == 200 and answer.headers.get(EPOCH_HEADER):
                leaders.append(Leader(parse_epoch(answer.headers[EPOCH_HEADER]), node.id))
        return max(leaders, default=None)

    async def is_ready(self, node_id: str) -> bool:
        """Whether a node answers /readyz with 200. Raises ProcessDied when its process has ended."""
        process = self.node(node_id)
        if not process.running:
            raise process.ended()
        answer = await self.ask(node_id, "/readyz")
        return answer is not None and answer.status_code == 200

    async def wait_ready(self, *node_ids: str, seconds: float = READY_S) -> Leader:
        """Wait until these nodes (default: all) are ready and one leads. Raises NotReached, ProcessDied."""
        wanted = node_ids or tuple(node.id for node in self.topology.nodes)

        async def look() -> Leader | None:
            ready = await asyncio.gather(*(self.is_ready(node_id) for node_id in wanted))
            return await self.leader() if all(ready) else None

        return await until(look, seconds=seconds, what=f"readiness of {', '.join(wanted)}", interval=LOOK_S)

    async def current_leader(self, seconds: float) -> Leader:
        """Wait for a leader. Raises NotReached."""
        return await until(self.leader, seconds=seconds, what="a leader", interval=LOOK_S)

    async def other_leader(self, than: Leader, seconds: float = 15.0) -> Leader:
        """Wait for a leader with a newer epoch. Raises NotReached."""

        async def look() -> Leader | None:
            found = await self.leader()
            return found if found is not None and found.epoch > than.epoch else None

        return await until(look, seconds=seconds, what=f"a leader after {than}", interval=LOOK_S)

    async def kill(self, node_id: str) -> int:
        """SIGKILL a node; its exit status, -9 when the signal ended it."""
        return await self.node(node_id).kill()

    async def restart(self, node_id: str) -> None:
        """Start a node that has ended, on its old data directory. Does not wait until it is ready."""
        await self.node(node_id).start()

    def send(self, node_id: str, number: signal.Signals) -> None:
        """Send a signal to a node."""
        self.node(node_id).send(number)

    async def call(
        self, method: str, path: str, *, json: Any = None, node_id: str | None = None, key: str | None = None
    ) -> httpx.Response:
        """Send a request to one node, or to the first that answers; `key` makes a repeat harmless.

        Raises PlantError when no node can be reached, httpx.HTTPError when an answer did not come.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        nodes = [self.topology.node(node_id)] if node_id else list(self.topology.nodes)
        last: httpx.HTTPError | None = None
        for node in nodes:
            try:
                return await self.http.request(method, node.api + path, json=json, headers=headers, timeout=10.0)
            except httpx.ConnectError as error:  # certainly not delivered: the next node may be asked
                last = error
        raise PlantError(f"{method} {path}: no node answered: {last!r}")
