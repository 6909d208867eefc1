"""`triarch access …` and `triarch token …` against a real node: from an open one to one that asks for tokens."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.access.credential import parsed
from orchestrator.dev.errors import PlantError
from orchestrator.dev.supervisor import check_open
from tests.command_line import triarch
from tests.orchestrator.api_nodes import Nodes, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("cli")) as found:
        yield found


async def test_mistakes_while_the_node_is_open(nodes: Nodes, tmp_path: Path) -> None:
    env = {"TRIARCH_URL": nodes.urls[0]}
    there = tmp_path / "there"
    there.write_text("kept")
    code, _, err = await triarch("token", "create", "a", "--role", "viewer", "--file", str(there), **env)
    assert (code, there.read_text(), "is there already" in err) == (2, "kept", True)
    fresh = tmp_path / "fresh"
    code, _, err = await triarch("token", "create", "a", "--role", "component", "--file", str(fresh), **env)
    assert (code, "subject" in err, fresh.exists()) == (4, True, False)
    assert (await triarch("token", "create", "a", "--role", "viewer", "--expires", "soon", **env))[0] == 2
    assert (await triarch("token", "show", "aaaaaaaaaa", **env))[0] == 3
    assert (await triarch("token", "revoke", "../tokens", **env))[0] in (3, 4)
    assert (await triarch("access", "whoami", **env, TRIARCH_TOKEN="tri_aaaaaaaaaa_" + "A" * 43))[0] == 0  # open


async def test_from_the_first_admin_to_a_revoked_token(nodes: Nodes, tmp_path: Path) -> None:
    url, kept, http = nodes.urls[0], tmp_path / "ada.token", nodes.clients[0]
    check_open(await http.get("/v1/whoami"))  # as `triarch dev` looks before it starts what has no token
    code, out, err = await triarch("access", "bootstrap", "--name", "ada", "--file", str(kept), TRIARCH_URL=url)
    assert code == 0, err
    admin = kept.read_text().strip()
    assert parsed(admin) is not None
    assert admin not in out + err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with pytest.raises(PlantError, match="ask for tokens"):
        check_open(await http.get("/v1/whoami"))

    env = {"TRIARCH_URL": url, "TRIARCH_TOKEN": admin}
    code, out, err = await triarch("token", "create", "bo", "--role", "viewer", "--expires", "1h", "-o", "json", **env)
    assert (code, "shown this once" in err) == (0, True)
    viewer = json.loads(out)
    as_viewer = {**env, "TRIARCH_TOKEN": viewer["token"]}
    code, _, err = await triarch("variable", "set", "speed", "1", **as_viewer)
    assert (code, "needs admin or operator" in err) == (4, True), err
    code, out, _ = await triarch("access", "rights", "--role", "component", "-o", "json", **as_viewer)
    assert (code, {"POST"} <= {row["method"] for row in json.loads(out)}) == (0, True)

    code, out, _ = await triarch("token", "rotate", viewer["id"], "--grace", "1h", "-o", "json", **env)
    fresh = json.loads(out)["token"]
    assert (await triarch("access", "whoami", **as_viewer))[0] == 0  # within its grace

    code, out, _ = await triarch("token", "list", **env)
    assert code == 0
    assert [line.split()[1:4] for line in out.splitlines()[1:]] == [["bo", "viewer", "-"], ["ada", "admin", "-"]]
    code, out, _ = await triarch("token", "revoke", viewer["id"], **env)
    assert code == 0
    headers = {"Authorization": f"Bearer {fresh}"}
    assert (await http.get("/v1/whoami", headers=headers)).json()["reason"] == "revoked"
    code, out, _ = await triarch("token", "show", viewer["id"], **env)
    assert (code, "revoked" in out) == (0, True)
    for secret in (viewer["token"], fresh, admin):
        assert secret not in out

    code, _, err = await triarch("token", "revoke", admin.split("_")[1], **env)
    assert (code, "last_admin" in err) == (4, True)
