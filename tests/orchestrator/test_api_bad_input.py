"""What nobody should send, sent to every node: the leader and both followers refuse it alike, and nothing is changed.

What is behind each refusal is tested where it stands (`test_api_security.py`, `test_api_admission.py`, …): here it is
that no node is easier to fool than another one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
SPEED = b'{"value": 1}'


class Bad(NamedTuple):
    """A request, and how it is refused. `headers` win over what is sent otherwise: the cluster's token, JSON."""

    status: int
    code: str
    method: str = "PUT"
    target: str = "/v1/variables/speed"
    headers: Mapping[str, str] = MappingProxyType({})
    content: bytes = SPEED


BAD = {
    "no body type that is taken": Bad(415, "unsupported_media_type", headers={"Content-Type": "text/plain"}),
    "no JSON": Bad(422, "invalid_request", content=b'{"value": '),
    "no UTF-8": Bad(422, "invalid_request", content=b'{"value": "\xff"}'),
    "no number of JSON": Bad(422, "variable_invalid", content=b'{"value": NaN}'),
    "deep JSON": Bad(422, "invalid_request", content=b'{"value": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    "a huge body": Bad(413, "body_too_large", content=b'{"value": "' + b"x" * (2 << 20) + b'"}'),
    "a flood of headers": Bad(431, "headers_too_large", headers={f"X-{number}": "y" for number in range(120)}),
    "a huge header": Bad(431, "headers_too_large", headers={"X-Huge": "y" * 20_000}),
    "a path with a way up": Bad(400, "path_invalid", "GET", "/v1/variables/%2e%2e/tokens"),
    "a path with an encoded slash": Bad(400, "path_invalid", "GET", "/v1/variables/a%2Ftokens"),
    "a path with a zero": Bad(400, "path_invalid", "DELETE", "/v1/variables/speed%00"),
    "a path without an end": Bad(414, "target_too_long", "GET", "/v1/variables/" + "a" * 9_000),
    "two slashes": Bad(404, "not_found", "DELETE", "//v1/variables/speed"),
    "a page of another site": Bad(403, "cross_site", headers={"Origin": "https://elsewhere.example"}),
    "another site without an origin": Bad(403, "cross_site", headers={"Sec-Fetch-Site": "cross-site"}),
    "a stale revision": Bad(412, "precondition_failed", headers={"If-Match": '"1"'}),
    "a revision that is none": Bad(422, "invalid_request", headers={"If-Match": "1"}),
    "a key that is none": Bad(422, "invalid_request", headers={"Idempotency-Key": "a key"}),
    "a key of another request": Bad(422, "key_reused", headers={"Idempotency-Key": "made"}),
    "a cursor that no answer gave": Bad(422, "invalid_cursor", "GET", "/v1/executions?cursor=eyJhIjoxfQ"),
    "a parameter that is none": Bad(422, "invalid_request", "GET", "/v1/components?statee=FAULT"),
    "a consistency that is none": Bad(422, "invalid_request", "GET", "/v1/components?consistency=strong"),
    "a subject that is none": Bad(422, "invalid_request", "GET", "/v1/watch?subjects=secrets"),
    "an index that is none": Bad(422, "invalid_cursor", "GET", "/v1/watch?after=-1"),
    "a path that is none": Bad(404, "not_found", "GET", "/v1/none"),
    "a method that is none": Bad(405, "method_not_allowed", "PATCH", "/v1/variables/speed"),
}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("bad"), token=TOKEN) as found:

        async def made() -> bool:
            key = {"Idempotency-Key": "made"}
            return (await found.clients[0].put("/v1/variables/speed", json={"value": 0}, headers=key)).is_success

        async def everywhere() -> bool:
            answers = [await http.get("/v1/variables/speed?consistency=stale") for http in found.clients]
            return all(answer.status_code == 200 for answer in answers)

        await eventually(made, deadline_s=15)
        await eventually(everywhere, deadline_s=15)
        yield found


async def sent(http: httpx.AsyncClient, bad: Bad) -> httpx.Response:
    url = http.base_url.copy_with(raw_path=bad.target.encode())
    return await http.request(bad.method, url, headers={**JSON, **bad.headers}, content=bad.content)


async def everywhere(nodes: Nodes, bad: Bad) -> list[tuple[int, Any]]:
    """How each node refuses it, where none is electing just now."""

    async def refused(http: httpx.AsyncClient) -> httpx.Response | None:
        answer = await sent(http, bad)
        return None if answer.status_code == 503 else answer

    async def said(http: httpx.AsyncClient) -> tuple[int, Any]:
        answer = await eventually(lambda: refused(http), deadline_s=15)
        assert answer is not None
        assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    return list(await asyncio.gather(*map(said, nodes.clients)))


@pytest.mark.parametrize("what", BAD)
async def test_every_node_refuses_it_alike(nodes: Nodes, what: str) -> None:
    bad = BAD[what]
    assert await everywhere(nodes, bad) == [(bad.status, bad.code)] * 3
    for http in nodes.clients:
        assert (await http.get("/v1/variables/speed?consistency=stale")).json()["value"] == 0


async def test_a_cursor_of_another_query_is_refused_by_every_node(nodes: Nodes) -> None:
    for value in range(2):
        assert (await nodes.clients[0].put(f"/v1/variables/page-{value}", json={"value": value})).is_success
    page = (await nodes.clients[0].get("/v1/audit", params={"limit": 1, "kind": "variable.set"})).json()
    assert page["cursor"]
    other = Bad(422, "invalid_cursor", "GET", f"/v1/audit?kind=token.create&cursor={page['cursor']}")
    assert await everywhere(nodes, other) == [(422, "invalid_cursor")] * 3


async def test_tokens_that_do_not_count_are_refused_by_every_node(nodes: Nodes) -> None:
    """Expired by the clocks of the nodes, revoked, another cluster's, somebody else's secret, no token at all."""

    async def made(**extra: Any) -> dict[str, Any]:
        answer = await nodes.clients[0].post("/v1/tokens", json={"name": "ada", "role": "admin", **extra})
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    short, revoked, other = await made(expires_in_s=1), await made(), await made()
    assert (await nodes.clients[1].delete(f"/v1/tokens/{revoked['id']}")).is_success
    shown = {
        "missing": "",
        "malformed": f"Basic {TOKEN}",
        "revoked": f"Bearer {revoked['token']}",
        "unknown": f"Bearer tri_{other['id']}_{'A' * 43}",
        "expired": f"Bearer {short['token']}",
    }
    async with httpx.AsyncClient(trust_env=False) as http:

        async def reason(url: str, header: str) -> str:
            headers = {"Authorization": header} if header else {}
            answer = await http.get(f"{url}/v1/variables/speed", headers=headers)
            assert answer.status_code == 401, answer.text
            return str(answer.json()["reason"])

        for wanted, header in shown.items():
            for url in nodes.urls:
                assert await eventually(partial(reason, url, header), deadline_s=10) == wanted
