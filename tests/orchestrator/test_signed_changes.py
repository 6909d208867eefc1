"""Who stands beside a change is who was let in, whatever the request says; what it says is kept behind that."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.access.principal import CLUSTER, OPEN, WHO_CHARS_MAX, Principal, Role, signed
from tests.orchestrator.api_nodes import TOKEN, serving
from tests.support import eventually

BO = Principal("token", "k3vq7x2mzd", Role.OPERATOR, "bo")
OFFICER = "The Safety Officer"
SIGNED = f"bo ({OFFICER})"
GATED = "name: gated\nactions: [{type: approve, id: gate, message: go on?}]\n"


@pytest.mark.parametrize(
    ("principal", "said", "kept"),
    [
        (BO, OFFICER, SIGNED),
        (BO, "", "bo"),
        (BO, " Bo ", "bo"),
        (BO, BO.id, "bo"),
        (BO, SIGNED, SIGNED),
        (Principal("oidc", "u-17", Role.OPERATOR, "Bo B."), "ada", "Bo B. (ada)"),
        (Principal("oidc", "u-17", Role.OPERATOR), "ada", "u-17 (ada)"),
        (BO, "x" * 100, f"bo ({'x' * 94}…)"),
        (Principal("token", "k", Role.ADMIN, "y" * 100), "ada", "y" * 100),
        (CLUSTER, OFFICER, OFFICER),
        (OPEN, OFFICER, OFFICER),
        (None, "", ""),
    ],
)
def test_what_was_said_stands_behind_the_name_of_who_was_let_in(
    principal: Principal | None, said: str, kept: str
) -> None:
    assert signed(principal, said) == kept
    assert len(kept) <= WHO_CHARS_MAX


@pytest.fixture(scope="module")
async def admin(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    directory: Path = tmp_path_factory.mktemp("signed")
    async with serving(1, directory, token=TOKEN) as found:
        yield found.clients[0]


@pytest.fixture
async def bo(admin: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """An operator with a token of their own."""
    token = (await admin.post("/v1/tokens", json={"name": "bo", "role": "operator"})).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=admin.base_url, headers=headers, timeout=10, trust_env=False) as found:
        yield found


async def gate(http: httpx.AsyncClient) -> str:
    """The path of an execution that waits for approval, and who began it."""
    at = str((await http.post("/v1/playbooks/gated/runs", json={"who": OFFICER})).headers["Location"])

    async def waits() -> bool:
        return bool((await http.get(at)).json()["steps"])

    await eventually(waits, deadline_s=10)
    return at


@pytest.mark.anyio
async def test_an_operator_signs_as_nobody_else(admin: httpx.AsyncClient, bo: httpx.AsyncClient) -> None:
    async def done(http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await http.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    press = {"id": "press-1", "address": "http://127.0.0.1:9", "state": "FAULT", "heartbeat_s": 60}
    await done(admin, "POST", "/v1/components", press)
    await done(admin, "PUT", "/v1/groups/line-a", {"components": ["press-1"]})
    yaml = {"Content-Type": "application/yaml"}
    put = await bo.put("/v1/playbooks/gated", params={"who": OFFICER}, content=GATED, headers=yaml)
    assert put.is_success
    assert (await bo.get("/v1/playbooks/gated")).json()["versions"][0]["who"] == SIGNED

    at = await gate(bo)
    await done(bo, "POST", f"{at}/approve", {"who": OFFICER, "comment": "seen"})
    row = (await bo.get(at)).json()
    assert (row["who"], row["approvals"][0]["who"], row["approvals"][0]["comment"]) == (SIGNED, SIGNED, "seen")

    silence = {"rule": "component-*", "for_s": 60, "by": OFFICER, "reason": "belt"}
    assert (await done(bo, "POST", "/v1/silences", silence))["by"] == SIGNED

    await done(bo, "POST", "/v1/components/press-1/acknowledge", {"by": OFFICER})
    assert (await bo.get("/v1/components/press-1")).json()["acknowledged"]["by"] == SIGNED
    for path in ("/v1/components/press-1", "/v1/groups/line-a"):
        await done(bo, "PUT", f"{path}/maintenance", {"reason": "belt", "by": OFFICER})
        await done(bo, "PUT", f"{path}/desired", {"state": "STOPPED", "by": OFFICER})
        policy = (await bo.get("/v1/components/press-1/policy")).json()
        assert (policy["desired_by"], policy["maintenance"]["by"]) == (SIGNED, SIGNED)
        await done(bo, "DELETE", f"{path}/maintenance", {})

    async def fires() -> str:
        rows = (await bo.get("/v1/alerts", params={"state": "firing", "rule": "component-fault"})).json()
        return str(rows[0]["id"]) if rows else ""

    alert = await eventually(fires, deadline_s=20)
    assert (await done(bo, "POST", f"/v1/alerts/{alert}/acknowledge", {"by": OFFICER}))["acknowledged"]["by"] == SIGNED


@pytest.mark.anyio
async def test_with_the_clusters_own_token_it_is_what_was_said(admin: httpx.AsyncClient) -> None:
    assert (await admin.put("/v1/playbooks/gated", json={"text": GATED})).is_success
    at = await gate(admin)
    assert (await admin.post(f"{at}/reject", json={"who": OFFICER})).is_success
    row = (await admin.get(at)).json()
    assert (row["who"], row["approvals"][0]["who"]) == (OFFICER, OFFICER)
