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

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]


async def test_a_leader_that_is_not_trusted_is_named_with_the_reason(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "another authority")
    pairs = [authority.sign(f"n{at}") for at in range(3)]

    def rewrite(at: int, tree: dict[str, Any]) -> None:
        tree["api"]["tls"] = {"cert_file": str(pairs[at].cert), "key_file": str(pairs[at].key)}

    api = {"tls": {}, "ca_file": str(other.file)}
    async with serving(3, tmp_path, rewrite=rewrite, verify=trusting(authority.file), api=api) as nodes:

        async def named() -> bool:  # while they elect, there is nobody to be named
            answer = await nodes.clients[await nodes.follower()].get("/v1/variables")
            assert (answer.status_code, answer.json()["code"]) == (503, "no_leader")
            assert "its certificate is not accepted" in answer.json()["detail"]
            return True

        await eventually(named, deadline_s=20)


async def test_more_connections_than_a_node_takes_leave_it_answering(tmp_path: Path) -> None:
    """Idle ones, from a process of their own: whoever was connected goes on, and nothing of them is kept."""
    async with serving(1, tmp_path, api={"head_timeout_s": 1.0, "connections_max": 500}) as nodes:
        url, client = httpx.URL(nodes.urls[0]), nodes.clients[0]
        assert (await client.get("/v1/cluster")).status_code == 200
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOOD, str(url.port), "3000", stdout=asyncio.subprocess.PIPE
        )
        assert flood.stdout is not None
        while flood.returncode is None:
            assert (await client.get("/v1/cluster")).status_code == 200
            try:
                async with asyncio.timeout(0.02):
                    await flood.wait()
            except TimeoutError:
                continue
        assert int(await flood.stdout.read()) >= 2_500

        async def gone() -> bool:
            lines = (await client.get("/metrics")).text.splitlines()
            return "triarch_api_connections 1.0" in lines

        await eventually(gone, deadline_s=20)
        lines = (await client.get("/metrics")).text.splitlines()
        refused = next(line for line in lines if 'turned_away_total{reason="too_many"}' in line)
        assert float(refused.split()[-1]) > 0


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
