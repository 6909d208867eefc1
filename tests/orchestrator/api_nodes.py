"""Real nodes for tests of what they serve: one or three in this process, over one real Redis server."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from framebuffer.embedded import EmbeddedServer
from orchestrator.config import NodeConfig, load_config
from orchestrator.node import Node, running
from tests.support import eventually, free_port

PROMPT = {"heartbeat_s": 0.1, "election_min_s": 0.7, "election_max_s": 1.1, "step_down_s": 0.8}
PATIENT = {"heartbeat_s": 0.1, "election_min_s": 1.4, "election_max_s": 2.0, "step_down_s": 1.6, "takeover_budget_s": 4}
"""Three nodes share a process here, perhaps a busy machine: what is tested is not how fast they elect."""
TOKEN = "t" * 20 + "0123456789abcdef"


@dataclass
class Nodes:
    """Running nodes and a client for each."""

    nodes: list[Node]
    clients: list[httpx.AsyncClient]
    redis: EmbeddedServer
    stacks: list[AsyncExitStack] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [str(client.base_url).rstrip("/") for client in self.clients]

    async def leader(self) -> int:
        """The position of the node that leads, once it is ready and every node knows it."""

        async def known() -> str:
            try:
                answers = [await client.get("/readyz") for client in self.clients]
            except httpx.TransportError:
                return ""
            leaders = {answer.json()["leader"] for answer in answers}
            ready = [answer.json()["node"] for answer in answers if answer.status_code == 200]
            leader = leaders.pop()
            return leader if not leaders and leader in ready else ""

        leader = await eventually(known, deadline_s=15)
        return next(at for at, node in enumerate(self.nodes) if node.config.node.id == leader)

    async def follower(self) -> int:
        leader = await self.leader()
        return next(at for at in range(len(self.nodes)) if at != leader)

    async def transfer(self, to: int) -> None:
        """Have the node at position `to` lead, however often leadership moves meanwhile."""

        async def leads() -> bool:
            leader = await self.leader()
            if leader != to:
                await self.clients[leader].post("/v1/cluster/transfer", json={"to": f"n{to + 1}"})
            return leader == to

        await eventually(leads, deadline_s=20)

    async def stop(self, at: int) -> None:
        """Stop one node; the others go on."""
        await self.stacks[at].aclose()


def settings(
    at: int, ports: Sequence[tuple[int, int]], directory: Path, redis_port: int, **extra: dict[str, Any]
) -> dict[str, Any]:
    """The settings of node `at` as YAML holds them. `ports` has (raft, api) of each node."""
    scheme = "https" if "tls" in extra.get("api", {}) else "http"
    tree: dict[str, Any] = {
        "node": {"id": f"n{at + 1}", "data_dir": str(directory / f"n{at + 1}")},
        "cluster": {
            "members": [
                {"id": f"n{k + 1}", "raft": f"127.0.0.1:{raft}", "api": f"{scheme}://127.0.0.1:{api}"}
                for k, (raft, api) in enumerate(ports)
            ],
            **(PATIENT if len(ports) > 1 else PROMPT),
        },
        "redis": {"mode": "url", "url": f"redis://127.0.0.1:{redis_port}/0"},
    }
    for section, values in extra.items():
        tree.setdefault(section, {}).update(values)
    return tree


def configured(tree: dict[str, Any], directory: Path) -> NodeConfig:
    """Through a file, as a node reads it."""
    path = directory / f"{tree['node']['id']}.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load_config(path, {})


def join_settings(nodes: Nodes, node_id: str, directory: Path) -> dict[str, Any]:
    """The settings of a node that shall be added: it lists those that are there, and itself, on ports of its own."""
    config = nodes.nodes[0].config
    own = {"id": node_id, "raft": f"127.0.0.1:{free_port()}", "api": f"http://127.0.0.1:{free_port()}"}
    tree: dict[str, Any] = {
        "node": {"id": node_id, "data_dir": str(directory / node_id)},
        "cluster": {"members": [*(member.model_dump() for member in config.cluster.members), own], "join": True},
        "redis": {"mode": "url", "url": config.redis.url},
    }
    tree["cluster"].update(PATIENT)
    if (token := config.api_token()) is not None:
        tree["api"] = {"token": token}
    return tree


@asynccontextmanager
async def joining(nodes: Nodes, node_id: str, directory: Path) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    """A node that waits to be added, and a client for it."""
    async with running(configured(join_settings(nodes, node_id, directory), directory)) as node:
        own = node.config.member()
        token = node.config.api_token()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=own.api, headers=headers, timeout=15, trust_env=False) as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/healthz")).status_code == 200
                except httpx.ConnectError:
                    return False

            await eventually(answers, deadline_s=10)
            yield node, client


@asynccontextmanager
async def serving(
    count: int,
    directory: Path,
    *,
    token: str | None = None,
    rewrite: Callable[[int, dict[str, Any]], None] | None = None,
    verify: ssl.SSLContext | bool = True,
    **extra: Any,
) -> AsyncIterator[Nodes]:
    """`count` nodes that serve on ports of their own. With `token`, the clients send it.

    `rewrite` may change the settings of each node before it starts. `verify`: whom the clients trust, where the nodes
    have certificates (`api.tls`).
    """
    ports = [(free_port(), free_port()) for _ in range(count)]
    if token is not None:
        extra["api"] = {**extra.get("api", {}), "token": token}
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with AsyncExitStack() as all_of_it:
        redis = await all_of_it.enter_async_context(EmbeddedServer(directory / "redis", free_port()))
        found = Nodes([], [], redis)
        for at in range(count):
            stack = AsyncExitStack()
            all_of_it.push_async_callback(stack.aclose)
            tree = settings(at, ports, directory, redis.port, **extra)
            if rewrite is not None:
                rewrite(at, tree)
            found.nodes.append(await stack.enter_async_context(running(configured(tree, directory))))
            client = httpx.AsyncClient(
                base_url=tree["cluster"]["members"][at]["api"],
                headers=headers,
                timeout=10,
                trust_env=False,
                verify=verify,
            )
            found.clients.append(await all_of_it.enter_async_context(client))
            found.stacks.append(stack)
        await found.leader()
        yield found
