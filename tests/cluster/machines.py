"""State machines under test, and a cluster of real nodes in one process."""

import asyncio
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Event as Gate
from typing import Any

import msgspec

from cluster import Cluster, ClusterSettings, Command, Epoch, Event, Member, NodeStopped, Outcome, Position
from tests.cluster.wires import Wires
from tests.support import eventually, free_port


class Register:
    """A map; "set" {key, value} changes it, "refuse" is refused, "break" raises."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.applied = 0

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """Apply one command."""
        self.applied += 1
        if command.kind == "break":
            raise RuntimeError("a defect")
        if command.kind == "refuse":
            return Outcome(code="refused_here", message="as asked"), ()
        key, value = msgspec.msgpack.decode(command.body)
        self.values[key] = value
        return Outcome(value=(key, value)), (Event("set", key, {"value": value, "index": position.index}),)

    def snapshot(self) -> bytes:
        """The map and the count."""
        return msgspec.msgpack.encode((self.values, self.applied))

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` returned."""
        self.values, self.applied = msgspec.msgpack.decode(data)


def command(
    kind: str = "set", key: str = "k", value: Any = 1, *, id: str | None = None, epoch: Epoch | None = None
) -> Command:
    """A command for a Register."""
    return Command(kind, msgspec.msgpack.encode((key, value)), id or uuid.uuid4().hex, time.time(), epoch)


class Nodes:
    """Real nodes over real sockets, in this process."""

    def __init__(self, directory: Path, count: int, **settings: Any) -> None:
        self.members = tuple(Member(id=f"n{i}", address=f"127.0.0.1:{free_port()}") for i in range(1, count + 1))
        self._directory = directory
        self._settings = settings
        self.running: dict[str, Cluster] = {}
        self.joining: list[Member] = []
        """started with `join`: not in the others' settings"""
        self.wires: Wires | None = None
        """what connects them, where a test cuts it"""

    def settings(self, node_id: str) -> ClusterSettings:
        """Those of one node."""
        joining = next((member for member in self.joining if member.id == node_id), None)
        members = self.members if joining is None else (*self.members, joining)
        if self.wires is not None:
            members = tuple(
                member
                if member.id == node_id
                else member.model_copy(update={"address": self.wires.address(node_id, member.id)})
                for member in members
            )
        return ClusterSettings(
            node_id=node_id,
            members=members,
            data_dir=self._directory / node_id,
            join=joining is not None,
            **self._settings,
        )

    async def start(self, *ids: str, machine: Callable[[], Any] = Register) -> None:
        """Start these nodes, or all."""
        for node_id in ids or [member.id for member in self.members]:
            cluster = Cluster(self.settings(node_id), machine())
            await cluster.start()
            self.running[node_id] = cluster

    async def join(self, node_id: str, machine: Callable[[], Any] = Register) -> Member:
        """Start a node that is no member yet; the member to add."""
        member = Member(id=node_id, address=f"127.0.0.1:{free_port()}")
        self.joining.append(member)
        await self.start(node_id, machine=machine)
        return member

    def lose_disk(self, node_id: str) -> None:
        """Of a node that is stopped: its data directory is empty."""
        shutil.rmtree(self._directory / node_id)

    async def stop(self, *ids: str) -> None:
        """Stop these nodes, or all that run."""
        for node_id in ids or list(self.running):
            await self.running.pop(node_id).stop()

    async def leader(self, deadline_s: float = 10.0) -> Cluster:
        """The node that leads, once it does and no other one says so too."""

        def established() -> Cluster | None:
            leaders = [cluster for cluster in self.running.values() if cluster.status().epoch is not None]
            return leaders[0] if len(leaders) == 1 else None

        found = await eventually(established, deadline_s=deadline_s)
        assert found is not None
        return found

    async def followers(self) -> list[Cluster]:
        """The others, in order of their ids, once all of them follow the leader."""
        leader = await self.leader()
        rest = [cluster for cluster in self.running.values() if cluster is not leader]
        wanted = leader.settings.node_id
        await eventually(lambda: all(cluster.status().leader_id == wanted for cluster in rest))
        return rest


def one(directory: Path, **settings: Any) -> Nodes:
    """A cluster of one node, not started."""
    return Nodes(directory, 1, **settings)


@asynccontextmanager
async def nodes(
    directory: Path, count: int = 3, *, machine: Callable[[], Any] = Register, **settings: Any
) -> AsyncIterator[Nodes]:
    """Started nodes, stopped at the end."""
    group = Nodes(directory, count, **settings)
    try:
        await group.start(machine=machine)
        yield group
    finally:
        await group.stop()


@asynccontextmanager
async def wired_nodes(directory: Path, count: int = 3, **settings: Any) -> AsyncIterator[tuple[Nodes, Wires]]:
    """Started nodes with wires between them, stopped at the end."""
    group = Nodes(directory, count, **settings)
    group.wires = Wires(group.members)
    await group.wires.start()
    try:
        await group.start()
        yield group, group.wires
    finally:
        await group.stop()
        await group.wires.stop()


class Freeze:
    """Stops a node's Raft thread as SIGSTOP would stop the process, by a read that does not return until `thaw`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._frozen = Gate()
        self._gate = Gate()
        self._read: Awaitable[Any] | None = None

    async def __aenter__(self) -> "Freeze":
        """Freeze."""

        def block(_: Any) -> None:
            self._frozen.set()
            self._gate.wait(30)

        self._read = asyncio.ensure_future(self._cluster.read(block, consistency="stale", timeout=60))
        await eventually(self._frozen.is_set)
        return self

    def thaw(self) -> None:
        """Let it go on."""
        self._gate.set()

    async def __aexit__(self, *_: object) -> None:
        """Let it go on, and wait until it does."""
        self.thaw()
        assert self._read is not None
        with suppress(NodeStopped):
            await self._read


async def value_of(cluster: Cluster, key: str = "k") -> Any:
    """What this node holds under `key`, however old."""
    return await cluster.read(lambda machine: machine.values.get(key), consistency="stale")
