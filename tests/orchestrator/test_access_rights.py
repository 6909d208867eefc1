"""The decision table: it has a row for every endpoint, and every endpoint goes by it."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpx
import pytest

from orchestrator.access.principal import Role
from orchestrator.access.rights import RIGHTS, Right, find, is_file, methods_of
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving

pytestmark = pytest.mark.anyio

SUBJECT = "nobody-7"
"""Of the machines' tokens, and of every request here: nothing of this name exists, so no answer harms anything."""


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("rights"), token=TOKEN) as found:
        yield found


def flattened(routes: Iterable[Any]) -> Iterator[Any]:
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from flattened(route.effective_candidates())
        else:
            yield route


def endpoints(nodes: Nodes) -> set[tuple[str, str]]:
    app = nodes.nodes[0]._app
    assert app is not None
    found: set[tuple[str, str]] = set()
    for route in flattened(app.routes):
        for method in (getattr(route, "methods", None) or {"GET"}) - {"HEAD"}:
            path = route.path or route.starlette_route.path  # of a WebSocket
            if not is_file(method, path):
                found.add((method, path))
    return found


async def test_every_endpoint_has_a_row_and_every_row_an_endpoint(nodes: Nodes) -> None:
    rows = [(right.method, right.path) for right in RIGHTS]
    assert len(rows) == len(set(rows))
    there = endpoints(nodes)
    assert there - set(rows) == set(), "endpoints without a row in orchestrator/access/rights.py"
    assert set(rows) - there == set(), "rows in orchestrator/access/rights.py without an endpoint"


def test_viewers_read_and_nothing_else() -> None:
    assert {right.method for right in RIGHTS if Role.VIEWER in right.roles} == {"GET"}


def test_who_may_more_may_all_that_who_may_less_may() -> None:
    for right in RIGHTS:
        assert (Role.VIEWER not in right.roles) or (Role.OPERATOR in right.roles)
        assert Role.ADMIN in right.roles


def test_machines_act_for_themselves_alone() -> None:
    for right in RIGHTS:
        if right.method != "GET" and not right.public and right.roles & {Role.COMPONENT, Role.PROCESSOR}:
            assert right.own, right


def target(right: Right, named: str = SUBJECT) -> str:
    parts = [named if part.startswith("{") else part for part in right.path.split("/")]
    return "/".join(parts) + ("?wait_s=0" if right.path.endswith("/tail") else "")


async def status_of(http: httpx.AsyncClient, right: Right, token: str | None, named: str = SUBJECT) -> int:
    """What is answered, as its head says: some answers never end."""
    headers = {"X-Test": "rights"} if token is None else {"Authorization": f"Bearer {token}"}
    body = None if right.method == "GET" else {"id": named, "source": named}
    async with http.stream(right.method, target(right, named), headers=headers, json=body) as answer:
        if answer.status_code == 403:
            await answer.aread()
            document = answer.json()
            assert document["code"] == "forbidden"
            assert document["needs"]
        return answer.status_code


async def test_every_endpoint_asked_by_every_role_answers_as_the_table_says(nodes: Nodes) -> None:
    url = nodes.urls[0]
    made: dict[Role, str] = {}
    for role in Role:
        subject = SUBJECT if role in (Role.COMPONENT, Role.PROCESSOR) else None
        body = {"name": role.value, "role": role.value, "subject": subject}
        made[role] = (await nodes.clients[0].post("/v1/tokens", json=body)).json()["token"]
    there = endpoints(nodes)
    asked = 0
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as http:
        for right in RIGHTS:
            if (right.method, right.path) not in there:
                continue
            for role, token in made.items():
                status = await status_of(http, right, token)
                allowed = right.public or (role in right.roles and right.own != "cluster")
                assert (status not in (401, 403)) is allowed, (right.method, right.path, role.value, status)
                if allowed and right.own and role in (Role.COMPONENT, Role.PROCESSOR):
                    assert await status_of(http, right, token, "somebody") == 403, (right.method, right.path)
                asked += 1
            assert (await status_of(http, right, None) == 401) is not right.public, (right.method, right.path)
    assert asked > 400


async def test_what_is_in_no_row_is_for_nobody(nodes: Nodes) -> None:
    body = {"name": "looks", "role": "viewer"}
    token = (await nodes.clients[0].post("/v1/tokens", json=body)).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=nodes.urls[0], headers=headers, trust_env=False) as http:
        assert (await http.get("/v1/nothing")).status_code == 404
        assert (await http.get("/v1/components/")).status_code == 404
        assert (await http.get("//v1/components")).status_code == 404
        refused = await http.patch("/v1/variables/speed")
        assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert (await nodes.clients[0].get("/v1/nothing")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "row"),
    [
        ("GET", "/v1/events/follow", "/v1/events/follow"),
        ("GET", "/v1/variables/a", "/v1/variables/{name}"),
        ("GET", "/v1/frames/trace/cam/1/2", "/v1/frames/trace/{frame:path}"),
        ("POST", "/v1/components/heartbeats", "/v1/components/heartbeats"),
        ("DELETE", "/v1/components/heartbeats", "/v1/components/{component_id}"),
        ("GET", "/v1/variables/a/b", None),
        ("GET", "/v1/variables/", None),
        ("POST", "/v1/variables/a", None),
        ("GET", "/healthz/", None),
        ("GET", "", None),
    ],
)
def test_a_path_finds_its_row_as_routes_are_found(method: str, path: str, row: str | None) -> None:
    found = find(method, path)
    assert (None if found is None else found.right.path) == row


def test_methods_of_a_path() -> None:
    assert methods_of("/v1/tokens/abc") == {"GET", "DELETE"}
    assert methods_of("/v1/nothing") == frozenset()
