"""The edge of the API, where it takes three nodes or many connections."""

from pathlib import Path
from typing import Any

import pytest

from framebuffer.trust import trusting
from tests.orchestrator.api_nodes import serving
from tests.orchestrator.authorities import Authority

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
