"""One member of the campaigns and of `triarch bench failover`: a `Cluster` of its own process, asked over a local port.

A request is a JSON object a line with an `id` and an `op`; its answer, a line too, carries the same `id`:

    propose  client number sent timeout  → {}          as `Cluster.propose`; refused when it was sent `timeout` s ago
    read     consistency                 → count       of commands applied
    status                               → Seen
    state                                → State
    load     client number count outstanding → acknowledged   as many commands, proposed here by `outstanding` clients
                                           whose own numbers begin at `number`: {client: how many}

What fails is answered with `error`, the stable code of `cluster`, and `leader` where that is known.
"""

import argparse
import asyncio
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr

from cluster import Cluster, ClusterError, ClusterSettings, Gained, Member, NotLeader
from orchestrator.bench.raft_peer import SECRET
from orchestrator.bench.tally import State, Tallies, command

LINE_BYTES_MAX = 16 << 20
LATE = "sent_too_long_ago"


class Seen(msgspec.Struct):
    """A member as it tells of itself. `gained_at`: the machine's monotonic clock, in nanoseconds."""

    role: str
    term: int
    epoch: str | None
    leader: str | None
    applied: int
    commit: int
    gained_at: int | None
    """when the claim of its current leadership was applied here"""


class Request(msgspec.Struct):
    """One line of a client; the fields not used by an `op` are absent."""

    id: int
    op: str
    client: str = ""
    number: int = 0
    sent: float = 0.0
    timeout: float = 5.0
    consistency: str = "stale"
    count: int = 0
    outstanding: int = 1


_requests = msgspec.json.Decoder(Request)


class Serving:
    """Answers for one member."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._gained: tuple[str, int] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def note_leadership(self) -> None:
        """Write down when leadership was gained, until the node ends."""
        async for change in self._cluster.leadership():
            self._gained = (str(change.epoch), time.monotonic_ns()) if isinstance(change, Gained) else None

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client; requests are worked on side by side."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                task = asyncio.create_task(self._answer(_requests.decode(line), writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._work(request)
        except ClusterError as error:
            answer = {"error": error.code, "leader": error.leader_id if isinstance(error, NotLeader) else None}
        if not writer.is_closing():
            writer.write(msgspec.json.encode({"id": request.id, **answer}) + b"\n")

    async def _work(self, request: Request) -> dict[str, Any]:
        cluster = self._cluster
        match request.op:
            case "propose":
                left = request.sent + request.timeout - time.monotonic()
                if left <= 0:  # it lay in the socket while this process was stopped; its client has gone on
                    return {"error": LATE, "leader": None}
                await cluster.propose(command(request.client, request.number, time.time()), timeout=left)
                return {}
            case "read":
                count = await cluster.read(
                    lambda machine: machine.state.count,
                    consistency=request.consistency,  # type: ignore[arg-type]  # checked there
                    timeout=request.timeout,
                )
                return {"count": count}
            case "status":
                return {"seen": self._seen()}
            case "state":
                data = await cluster.read(lambda machine: machine.snapshot(), consistency="stale")
                return {"state": msgspec.msgpack.decode(data, type=State)}
            case "load":
                return {"acknowledged": await self._load(request)}
        raise ValueError(f"unknown op {request.op!r}")

    def _seen(self) -> Seen:
        status = self._cluster.status()
        epoch = str(status.epoch) if status.epoch else None
        gained_at = self._gained[1] if self._gained is not None and self._gained[0] == epoch else None
        return Seen(
            role=status.role,
            term=status.term,
            epoch=epoch,
            leader=status.leader_id,
            applied=status.applied_index,
            commit=status.commit_index,
            gained_at=gained_at,
        )

    async def _load(self, request: Request) -> dict[str, int]:
        """`count` commands, `outstanding` at any time, each slot a client that waits for its answers."""
        share, rest = divmod(request.count, request.outstanding)
        counts = {f"{request.client}/{slot}": share + (slot < rest) for slot in range(request.outstanding)}

        async def slot(client: str, count: int) -> None:
            for number in range(request.number, request.number + count):
                await self._cluster.propose(command(client, number, time.time()), timeout=request.timeout)

        await asyncio.gather(*(slot(client, count) for client, count in counts.items()))
        return counts


async def member(arguments: argparse.Namespace) -> None:
    """Take part and serve until killed, or until the node ends by itself: then raise what ended it."""
    members = tuple(Member(id=f"n{number + 1}", address=at) for number, at in enumerate(arguments.addresses))
    given = msgspec.json.decode(arguments.settings, type=dict[str, Any])
    settings = ClusterSettings(
        node_id=members[arguments.number].id,
        members=members,
        data_dir=arguments.directory,
        cluster_name="bench",
        secret=SecretStr(os.environ[SECRET]),
        **given,
    )
    cluster = Cluster(settings, Tallies())
    await cluster.start()
    serving = Serving(cluster)
    noting = asyncio.create_task(serving.note_leadership())
    server = await asyncio.start_server(serving.connection, "127.0.0.1", arguments.port, limit=LINE_BYTES_MAX)
    async with server:
        await cluster.wait_ended()
    await noting


def main(argv: Sequence[str] | None = None) -> None:
    """Run one member; the arguments are those that `orchestrator.bench.members` passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("addresses", nargs="+")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    asyncio.run(member(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
