"""Three nats-server processes that form a cluster with JetStream, synced every second."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Processes, Program
from orchestrator.dev.waiting import until

SERVERS = 3
START_S = 30.0
SYNC = "1s"

CONFIGURATION = """\
server_name: n{number}
listen: 127.0.0.1:{client}
http: 127.0.0.1:{http}
jetstream: {{ store_dir: {store}, sync_interval: "{sync}" }}
cluster: {{ name: peers, listen: 127.0.0.1:{cluster}, routes: [{routes}] }}
"""


@asynccontextmanager
async def nats_servers(binary: Path, directory: Path, logs: Path) -> AsyncIterator[tuple[list[str], list[int]]]:
    """Started, with a leader, their data in `directory`; their addresses and process ids.

    Raises ProcessDied, NotReached.
    """
    await asyncio.to_thread(directory.mkdir, parents=True)
    ports = free_ports(3 * SERVERS)
    clients, clusters, https = ports[:SERVERS], ports[SERVERS : 2 * SERVERS], ports[2 * SERVERS :]
    routes = ", ".join(f"nats://127.0.0.1:{port}" for port in clusters)
    async with Processes(logs, grace=5.0) as processes:
        for number in range(SERVERS):
            file = directory / f"n{number}.conf"
            text = CONFIGURATION.format(
                number=number,
                client=clients[number],
                http=https[number],
                cluster=clusters[number],
                store=json.dumps(str(directory / f"n{number}")),
                sync=SYNC,
                routes=routes,
            )
            file.write_text(text, encoding="utf-8")
            await processes.start(Program(f"n{number}", (str(binary), "-c", str(file))))

        async def led() -> bool:
            for process in (processes[f"n{number}"] for number in range(SERVERS)):
                if not process.running:
                    raise process.ended()
            found = [await asyncio.to_thread(_healthy, port) for port in https]
            return all(found)

        await until(led, seconds=START_S, what="three nats-servers with a leader", interval=0.1)
        yield (
            [f"nats://127.0.0.1:{port}" for port in clients],
            [processes[f"n{number}"].pid for number in range(SERVERS)],
        )


async def nats_version(binary: Path) -> str:
    """What the binary says of itself, such as 2.15.2."""
    asked = await asyncio.create_subprocess_exec(binary, "--version", stdout=asyncio.subprocess.PIPE)
    said, _ = await asked.communicate()  # nats-server: v2.15.2
    return said.decode().rpartition(" ")[2].strip().removeprefix("v")


def _healthy(port: int) -> bool:
    """Whether a server answers that it and its JetStream are well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
