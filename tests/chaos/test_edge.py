"""The edge of the API, where it takes three nodes or many connections."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from framebuffer.trust import trusting
from tests.orchestrator.api_nodes import serving
from tests.orchestrator.authorities import Authority
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign]


async def test_a_leader_that_is_not_trusted_is_named_with_the_reason(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "another authority")
    pairs = [authority.sign(f"n{at}") for at in range(3)]

    def rewrite(at: int, tree: dict[str, Any]) -> None:
        tree["api"]["tls"] = {"cert_file": str(pairs[at].cert), "key_file": str(pairs[at].key)}

    api = {"tls": {}, "ca_file": str(other.file)}
    async with serving(3, tmp_path, rewrite=rewrite, verify=trusting(authority.file), api=api) as nodes:
        answer = await nodes.clients[await nodes.follower()].get("/v1/variables")
        assert (answer.status_code, answer.json()["code"]) == (503, "no_leader")
        assert "its certificate is not accepted" in answer.json()["detail"]


async def test_ten_thousand_connections_leave_the_cluster_its_leader(tmp_path: Path) -> None:
    """Idle ones, from a process of their own, at a node that leads: it goes on answering, and keeps none of them."""
    async with serving(3, tmp_path, api={"head_timeout_s": 2.0, "connections_max": 2_000}) as nodes:
        at = await nodes.leader()
        url, client = httpx.URL(nodes.urls[at]), nodes.clients[at]
        before = nodes.nodes[at].epoch()
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOOD, str(url.port), "10000", stdout=asyncio.subprocess.PIPE
        )
        assert flood.stdout is not None
        answered = 0
        while flood.returncode is None:
            for other in nodes.clients:  # kept connections: those are not turned away
                answered += (await other.get("/v1/cluster")).status_code == 200
            try:
                async with asyncio.timeout(0.02):
                    await flood.wait()
            except TimeoutError:
                continue
        opened = int(await flood.stdout.read())
        assert opened >= 9_000
        assert answered > 10
        assert nodes.nodes[at].is_leader()
        assert nodes.nodes[at].epoch() == before

        async def gone() -> bool:
            text = (await client.get("/metrics")).text
            return (
                next(
                    float(line.split()[1]) for line in text.splitlines() if line.startswith("triarch_api_connections ")
                )
                < 50
            )

        await eventually(gone, deadline_s=20)


FLOOD = """
import asyncio, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
async def main(port, wanted):
    opened, kept = 0, []
    for _ in range(wanted // 100):
        made = await asyncio.gather(
            *(asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 10) for _ in range(100)),
            return_exceptions=True,
        )
        kept += [one for one in made if isinstance(one, tuple)]
        opened = len(kept)
    print(opened)
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""
