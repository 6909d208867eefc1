"""What holds for every endpoint, asked of each: HEAD, methods, unknown parameters, ETags, cursors, `?redirect`.

Also the reads that are answered beside the routes: they say what the routes say.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest

from orchestrator.api.forward import answered_anywhere
from orchestrator.api.openapi import UNSAFE, operations
from orchestrator.api.quick import BELOW, EXACT, OWN
from tests.orchestrator.api_nodes import Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

LIVE = frozenset(
    {"time", "fires_in_s", "last_seen_s", "last_contact_s", "silence_s", "lag"}
    | {"applied_index", "commit_index", "last_index", "log_bytes", "log_entries"}
)
NAMED_TWICE = ("/register", "/validate", "/heartbeats", "/bootstrap")
ENDLESS = ("/follow", "/v1/watch", "/v1/frames/tail")
FILLED = {
    "component_id": "press-1",
    "processor_id": "faces-1",
    "member_id": "n1",
    "name": "speed",
    "execution_id": "none",
    "alert_id": "a1",
    "silence_id": "s1",
    "token_id": "abcdefghij",
    "camera_id": "cam-1",
    "frame": "cam-1:1",
    "frame:path": "cam-1:1",
}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("manners")) as found:
        http = found.clients[0]

        async def made(number: int, method: str, path: str, body: dict[str, Any]) -> bool:
            """On a busy machine the nodes may be electing; under its key a request is repeated and done once."""
            answer = await http.request(method, path, json=body, headers={"Idempotency-Key": f"made-{number}"})
            assert answer.is_success, answer.text
            return True

        things: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/v1/components", {"id": "press-1", "address": "http://127.0.0.1:9", "heartbeat_s": 60}),
            ("POST", "/processors/register", {"id": "faces-1", "capabilities": ["face"], "capacity": 3}),
            ("PUT", "/v1/variables/speed", {"value": {"mm_s": 1.5, "note": "ä\u2028"}}),
            ("PUT", "/v1/components/press-1/policy", {"depends_on": ["plc-1"]}),
        ]
        for number, thing in enumerate(things):
            await eventually(partial(made, number, *thing), deadline_s=20)
        yield found


@pytest.fixture(scope="module")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A node that always leads."""
    async with serving(1, tmp_path_factory.mktemp("alone")) as found:
        yield found.clients[0]


@pytest.fixture(scope="module")
async def document(nodes: Nodes) -> dict[str, Any]:
    found: dict[str, Any] = (await nodes.clients[0].get("/openapi.json")).json()
    return found


def filled(path: str) -> str:
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path
    return path


def lasting(value: Any) -> Any:
    """Without what is another figure with every look."""
    if isinstance(value, dict):
        return {name: lasting(one) for name, one in value.items() if name not in LIVE}
    return [lasting(one) for one in value] if isinstance(value, list) else value


def quick_paths() -> list[str]:
    return [*EXACT, *OWN, *(filled(template) for template, _ in BELOW.values())]


@pytest.mark.parametrize("path", quick_paths())
async def test_a_quick_read_says_what_the_route_says(nodes: Nodes, path: str) -> None:
    for http in nodes.clients:
        for consistency in ("leader", "stale"):

            async def both(http: httpx.AsyncClient = http, how: str = consistency) -> tuple[httpx.Response, ...]:
                """Both answers to one state: the plant goes on, so the quick one is asked for again after the other."""
                quick = await http.get(path, params={"consistency": how})
                # What comes beside the parameters that are known goes to the route.
                slow = await http.get(f"{path}?consistency={how}&&")
                again = await http.get(path, params={"consistency": how})
                assert [answer.status_code for answer in (quick, slow, again)] == [200, 200, 200]
                unchanged = lasting(quick.json()) == lasting(again.json())
                return (quick, slow) if unchanged and quick.headers.get("etag") == again.headers.get("etag") else ()

            quick, slow = await eventually(both, deadline_s=20)
            assert lasting(quick.json()) == lasting(slow.json())
            assert quick.headers["content-type"] == slow.headers["content-type"]
            assert ("x-triarch-staleness" in quick.headers) == ("x-triarch-staleness" in slow.headers)
            if "etag" in slow.headers:
                assert quick.headers["etag"] == slow.headers["etag"]


async def test_what_is_not_there_is_left_to_the_route(nodes: Nodes) -> None:
    for path in ("/v1/components/none", "/v1/components/none/policy", "/processors/none", "/v1/variables/none"):
        answer = await nodes.clients[0].get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_list_is_as_new_as_the_change_before_it(nodes: Nodes) -> None:
    for turn in range(5):
        for http in nodes.clients:
            set_ = await http.put("/v1/variables/turn", json={"value": turn})
            assert set_.status_code in (200, 201)
            shown = {row["name"]: row["value"] for row in (await http.get("/v1/variables")).json()}
            assert shown["turn"] == turn


@pytest.mark.parametrize("path", ["/v1/variables", "/processors", "/v1/executions", "/v1/variables/speed"])
async def test_who_has_it_already_is_told_just_that(nodes: Nodes, path: str) -> None:
    tags = set()
    for http in nodes.clients:
        for consistency in ("leader", "stale"):
            tag = (await http.get(path, params={"consistency": consistency})).headers["etag"]
            tags.add(tag)
            again = await http.get(
                path, params={"consistency": consistency}, headers={"If-None-Match": f'"other", W/{tag}'}
            )
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            other = await http.get(path, params={"consistency": consistency}, headers={"If-None-Match": '"other"'})
            assert other.status_code == 200
    assert len(tags) == 1


async def test_every_read_has_its_head(alone: httpx.AsyncClient, document: dict[str, Any]) -> None:
    async def ask(path: str) -> None:
        got, head = await alone.get(filled(path)), await alone.head(filled(path))
        assert head.status_code == got.status_code, path
        assert head.content == b"", path
        assert head.headers.get("content-type") == got.headers.get("content-type"), path

    reads = [path for method, path, _ in operations(document) if method == "get" and not path.endswith(ENDLESS)]
    await asyncio.gather(*map(ask, reads))


async def test_other_methods_are_refused_with_the_possible_ones(
    alone: httpx.AsyncClient, document: dict[str, Any]
) -> None:

    async def ask(method: str, path: str) -> None:
        answer = await alone.request(method, filled(path))
        # `/processors/register` is also a processor of that name, and so on.
        assert answer.status_code == 405 or path.endswith(NAMED_TWICE), (method, path, answer.status_code)
        if answer.status_code == 405:
            assert answer.json()["code"] == "method_not_allowed"
            allowed = {one.strip().lower() for one in answer.headers["allow"].split(",")}
            there = {verb.upper() for verb in document["paths"][path]}
            # Some paths are also one of their neighbour's: `/processors/register` a processor of that name.
            assert allowed >= {verb.lower() for verb in there}, (method, path)
            assert method not in allowed, (method, path)
            assert path.endswith(NAMED_TWICE) or len(allowed) == len(there), (method, path, allowed)

    unsafe = {"put", "delete", "patch", "post"}
    await asyncio.gather(
        *(ask(method, path) for path, item in document["paths"].items() for method in unsafe - set(item))
    )


async def test_a_parameter_that_a_path_lacks_is_refused(alone: httpx.AsyncClient, document: dict[str, Any]) -> None:

    async def ask(method: str, path: str) -> None:
        answer = await alone.request(method, filled(path), params={"nonsense": "1"})
        assert answer.status_code == 422, (method, path, answer.text)
        assert "nonsense" in answer.json()["detail"] or method != "get", (method, path)

    await asyncio.gather(
        *(ask(method, path) for method, path, _ in operations(document) if not path.endswith("/event"))
    )


async def test_a_change_refuses_a_condition_that_it_does_not_go_by(
    nodes: Nodes, alone: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    refused: list[tuple[str, str, str]] = []

    async def ask(http: httpx.AsyncClient, method: str, path: str, header: str, value: str, *, declared: bool) -> None:
        answer = await http.request(method, filled(path), headers={header: value}, json={})
        found = answer.json() if answer.content else {}
        locations = [each["location"] for each in found.get("errors", ()) if each["type"] == "unknown"]
        assert (f"header.{header}" in locations) is not declared, (method, path, header, answer.text)
        if not declared:
            assert (answer.status_code, found["code"]) == (422, "invalid_request"), (method, path, header)
            refused.append((method, path, header))

    follower = nodes.clients[await nodes.follower()]
    for method, path, operation in operations(document):
        names = {each["name"].lower() for each in operation["parameters"] if each["in"] == "header"}
        for header, value in (("If-Match", '"9007199254740991"'), ("If-None-Match", "*")):
            if method in UNSAFE and (header.lower() not in names or method == "delete"):
                await ask(alone, method, path, header, value, declared=header.lower() in names)
    assert len(refused) > 60
    for method, path in (("post", "/event"), ("put", "/v1/groups/speed/maintenance")):  # where it is passed on
        await ask(follower, method, path, "If-Match", '"1"', declared=False)


async def test_a_follower_says_where_the_leader_is(nodes: Nodes, document: dict[str, Any]) -> None:
    follower = await nodes.follower()
    for method, path, operation in operations(document):
        redirects = any(parameter["name"] == "redirect" for parameter in operation["parameters"])
        if method == "get" and (answered_anywhere(path) or path.endswith(ENDLESS)):
            assert not redirects, path
            continue
        if not redirects:
            continue
        answer = await nodes.clients[follower].request(method, filled(path), params={"redirect": ""})
        assert answer.status_code == 307, (method, path)
        assert answer.headers["location"] in {url + filled(path) for url in nodes.urls}


@pytest.mark.parametrize("path", ["/v1/executions", "/v1/events", "/v1/frames/dead", "/v1/frames/tail"])
@pytest.mark.parametrize("cursor", ["x", "WyJhIiwxLCJiIl0", "%00", "eyJhIjoxfQ", "9" * 300])
async def test_a_cursor_that_no_answer_gave_is_refused(nodes: Nodes, path: str, cursor: str) -> None:
    answer = await nodes.clients[0].get(
        path, params={"cursor": cursor, "wait_s": 0} if "tail" in path else {"cursor": cursor}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), json.dumps(answer.json())


async def test_a_path_that_is_none_is_told_apart(nodes: Nodes) -> None:
    for path in ("/v1", "/v1/none", "/v1/components/press-1/none", "/v2/components", "/v1/cluster/"):
        for http in nodes.clients:
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


async def test_nodes_without_a_token_of_their_own_show_the_leaders_figures(nodes: Nodes) -> None:
    """The last one here: from the first admin's token on these nodes ask for tokens."""
    leader = await nodes.leader()
    made = await nodes.clients[leader].post("/v1/access/bootstrap", json={"name": "ada"})
    assert made.status_code == 201, made.text
    admin = {"Authorization": f"Bearer {made.json()['token']}"}

    async def token() -> str:
        answer = await nodes.clients[leader].post("/v1/tokens", json={"name": "bo", "role": "viewer"}, headers=admin)
        return str(answer.json()["token"]) if answer.is_success else ""

    viewer = {"Authorization": f"Bearer {await eventually(token, deadline_s=15)}"}
    began = time.monotonic()

    async def figures_of_another() -> bool:
        """Worked out since the first token: what a node was told before does not count."""
        answers = [await http.get("/v1/figures", headers=viewer) for http in nodes.clients]
        assert all(answer.status_code == 200 for answer in answers)
        found = [answer.json() for answer in answers]
        assert all(row["figures_of"] == row["leader"] is not None for row in found)
        assert all(row["staleness_s"] < time.monotonic() - began for row in found)
        return len({row["node"] for row in found}) == 3

    await eventually(figures_of_another, deadline_s=20)
