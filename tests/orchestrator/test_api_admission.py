"""Real nodes: what is refused before anybody asks who sends it, and what browsers are told."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request

from orchestrator.access.forwarded import key_of, sign
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.orchestrator.identity import AUDIENCE, ISSUER, Provider
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    async with provider.serving():
        yield provider


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> AsyncIterator[Nodes]:
    oidc = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": provider.url, "roles": {"staff": "viewer"}}
    async with serving(1, tmp_path_factory.mktemp("edge"), token=TOKEN, api={"oidc": oidc}) as found:
        yield found


@pytest.fixture(scope="module")
async def open_node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    """One that asks for no token, waits for no one, and holds few connections."""
    bounds = {"head_timeout_s": 0.4, "body_timeout_s": 0.4, "connections_max": 16}
    async with serving(1, tmp_path_factory.mktemp("open"), api=bounds) as found:
        yield found


async def raw(url: str, text: bytes) -> tuple[int, bytes]:
    """Status and the whole answer to bytes that no client would send."""
    parts = httpx.URL(url)
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer


async def test_every_answer_says_what_browsers_go_by(node: Nodes) -> None:
    client = node.clients[0]
    for path, status in (("/healthz", 200), ("/v1/cluster", 200), ("/v1/nothing", 404)):
        answer = await client.get(path)
        assert answer.status_code == status
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer.headers


async def test_a_page_of_a_member_may_ask(node: Nodes) -> None:
    client, origin = node.clients[0], node.urls[0]
    preflight = await client.options(
        "/v1/variables/a",
        headers={"Origin": origin, "Access-Control-Request-Method": "PUT", "Authorization": ""},
    )
    assert preflight.status_code == 204
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    answer = await client.put("/v1/variables/a", json={"value": 1}, headers={"Origin": origin})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "X-Triarch-Index" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_foreign_page_changes_nothing(node: Nodes, headers: dict[str, str]) -> None:
    client = node.clients[0]
    answer = await client.put("/v1/variables/foreign", json={"value": 1}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert (await client.get("/v1/variables/foreign")).status_code == 404
    if "Origin" in headers:
        preflight = await client.options("/v1/variables/a", headers={**headers, "Access-Control-Request-Method": "PUT"})
        assert preflight.status_code == 403
        read = await client.get("/v1/variables", headers=headers)
        assert read.status_code == 200
        assert "Access-Control-Allow-Origin" not in read.headers


async def test_a_name_made_to_lead_to_an_open_node_opens_nothing(open_node: Nodes) -> None:
    client = open_node.clients[0]
    rebound = {"Host": "evil.example:8101", "Origin": "http://evil.example:8101"}
    for answer in (
        await client.get("/v1/variables", headers={"Host": "evil.example:8101"}),
        await client.put("/v1/variables/a", json={"value": 1}, headers=rebound),
    ):
        assert (answer.status_code, answer.json()["code"]) == (421, "host_unknown")
    assert (await client.get("/healthz", headers={"Host": "evil.example:8101"})).status_code == 200
    assert (await client.get("/v1/variables", headers={"Host": "localhost:1"})).status_code == 200


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (b"/v1/../metrics", b"path_invalid"),
        (b"/v1/variables/a%2fb", b"path_invalid"),
        (b"/v1/variables/a%00", b"path_invalid"),
        (b"/" + b"a" * 9000, b"target_too_long"),
    ],
)
async def test_path_tricks_are_refused_before_the_token_is_looked_at(node: Nodes, target: bytes, code: bytes) -> None:
    status, answer = await raw(node.urls[0], b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status == (414 if code == b"target_too_long" else 400)
    assert code in answer


async def test_more_headers_than_anybody_needs_are_refused(node: Nodes) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(120))
    status, answer = await raw(
        node.urls[0], b"GET /v1/cluster HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n"
    )
    assert status == 431
    assert b"headers_too_large" in answer


async def test_no_websocket_where_none_is_served(node: Nodes) -> None:
    head = (
        b"GET /v1/cluster HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    status, answer = await raw(node.urls[0], head)
    assert status == 404
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("broken", [b"Connection", b"Sec-WebSocket-Key", b"Sec-WebSocket-Extensions"])
async def test_a_change_to_websocket_with_bytes_that_are_no_text_is_refused(node: Nodes, broken: bytes) -> None:
    given = {b"Connection": b"Upgrade", b"Upgrade": b"websocket", b"Sec-WebSocket-Version": b"13"}
    given[b"Sec-WebSocket-Key"] = b"dGhlIHNhbXBsZSBub25jZQ=="
    lines = [name + b": " + value + b"\r\n" for name, value in given.items()]
    head = b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n" + broken + b": x\x8a\r\n" + b"".join(lines) + b"\r\n"
    status, answer = await raw(node.urls[0], head)
    assert (status, b"invalid_request" in answer) == (400, True)


async def test_only_a_proof_makes_a_request_a_forwarded_one(node: Nodes) -> None:
    """A one-node cluster leads, so it answers; what counts is what it takes the client's address to be."""
    seen: list[dict[str, object]] = []
    app = node.nodes[0]._app
    assert app is not None

    @app.get("/v1/seen-by-a-test", tags=["test"])
    async def _seen(request: Request, a: int) -> dict[str, object]:
        known = request.scope["state"]["triarch"]
        seen.append({name: known.get(name) for name in ("client", "forwarded_by")})
        return {"headers": [name for name in request.headers if name.startswith("x-triarch")]}

    client = node.clients[0]
    proof = sign(key_of(TOKEN), node="n9", method="GET", target=b"/v1/seen-by-a-test?a=1", client="10.1.2.3")
    answer = await client.get("/v1/seen-by-a-test?a=1", headers=proof)
    assert answer.json() == {"headers": ["x-triarch-forwarded-by"]}
    await client.get("/v1/seen-by-a-test?a=2", headers=proof)
    await client.get("/v1/seen-by-a-test?a=1", headers={"X-Triarch-Forwarded-By": "n9", "X-Triarch-Client": "10.1.2.3"})
    await client.get("/v1/seen-by-a-test?a=1", headers={"X-Forwarded-For": "10.1.2.3"})
    own = {"client": "127.0.0.1", "forwarded_by": None}
    assert seen == [{"client": "10.1.2.3", "forwarded_by": "n9"}, own, own, own]


async def test_a_body_of_another_type_is_told_what_is_taken(node: Nodes) -> None:
    client = node.clients[0]
    for kind in (
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/xml",
    ):
        answer = await client.put("/v1/variables/a", content=b'{"value": 1}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert answer.json()["accepted"] == ["application/json"]
    for kind in ("application/json", "application/json; charset=utf-8", "application/merge-patch+json"):
        answer = await client.put("/v1/variables/a", content=b'{"value": 1}', headers={"Content-Type": kind})
        assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize("depth", [65, 5_000, 400_000])
async def test_deep_json_is_refused_before_it_is_parsed(node: Nodes, depth: int) -> None:
    body = b'{"value": ' + b"[" * depth + b"]" * depth + b"}"
    for path, method in (("/v1/variables/deep", "PUT"), ("/event", "POST")):
        answer = await node.clients[0].request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert answer.json()["errors"][0]["type"] == "json_depth"


async def test_slow_clients_are_told_and_let_go(open_node: Nodes) -> None:
    """Three at once: half a head, half a body, and nothing at all."""
    url = open_node.urls[0]
    half_body = b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    late_head, late_body, nothing = await asyncio.gather(
        raw(url, b"GET /healthz HTTP/1.1\r\nHost: local"), raw(url, half_body), opened(url)
    )
    assert late_head[0] == late_body[0] == 408
    assert b"request_timed_out" in late_head[1]
    assert b"request_timed_out" in late_body[1]
    assert nothing == b""
    trickle = asyncio.create_task(trickled(url))
    assert await asyncio.wait_for(trickle, 20)  # a byte now and then does not keep a connection


async def opened(url: str) -> bytes:
    """What comes over a connection on which nothing is sent."""
    parts = httpx.URL(url)
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def trickled(url: str) -> bool:
    """Whether a head that comes a byte at a time is ended from the other side."""
    parts = httpx.URL(url)
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        while True:
            writer.write(b"x")
            try:
                async with asyncio.timeout(0.05):
                    return b" 408 " in await reader.readuntil(b"\r\n")
            except TimeoutError:
                continue
    finally:
        writer.close()


async def test_connections_have_a_bound(open_node: Nodes) -> None:
    url = httpx.URL(open_node.urls[0])

    async def at_once(text: bytes) -> list[bytes]:
        """What thirty connections are answered that are open before the first of them says anything."""
        streams = await asyncio.gather(*(asyncio.open_connection(url.host, url.port) for _ in range(30)))
        try:
            for _, writer in streams:
                writer.write(text)
            async with asyncio.timeout(10):
                return await asyncio.gather(*(reader.read() for reader, _ in streams))
        finally:
            for _, writer in streams:
                writer.close()

    refused = [answer for answer in await at_once(b"") if b" 503 " in answer]
    assert refused
    assert all(b"Retry-After: 1" in answer and b"too_many_connections" in answer for answer in refused)
    # Whoever asks at once must not have the answer lost to a reset.
    asked = await at_once(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"503" in {answer[9:12] for answer in asked} <= {b"503", b"200"}

    async def answers() -> bool:
        return (await raw(str(url), b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"))[0] == 200

    await eventually(answers, deadline_s=10)
    text = (await raw(str(url), b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n"))[1]
    assert b'triarch_api_connections_turned_away_total{reason="too_many"}' in text


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), (None, 101), ("own", 101)])
async def test_a_websocket_is_opened_by_pages_of_the_cluster_only(node: Nodes, origin: str | None, status: int) -> None:
    parts = httpx.URL(node.urls[0])
    head = (
        f"GET /v1/watch HTTP/1.1\r\nHost: {parts.host}:{parts.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: triarch.watch, triarch.bearer.{TOKEN}\r\n"
    )
    if origin is not None:
        head += f"Origin: {node.urls[0] if origin == 'own' else origin}\r\n"
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    writer.write(head.encode() + b"\r\n")
    line = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    writer.close()
    assert int(line.split()[1]) == status


async def test_people_of_the_identity_provider_are_known(node: Nodes, provider: Provider) -> None:
    client = node.clients[0]
    known = {"Authorization": f"Bearer {provider.token('ed', triarch_role=['staff'], preferred_username='Ada')}"}

    async def answered() -> bool:
        return (await client.get("/v1/whoami", headers=known)).status_code == 200

    await eventually(answered, deadline_s=10)
    said = (await client.get("/v1/whoami", headers=known)).json()
    assert (said["kind"], said["id"], said["name"], said["role"]) == ("oidc", "ada-1", "Ada", "viewer")
    refused = await client.put("/v1/variables/a", json={"value": 1}, headers=known)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    for token, status in (
        (provider.token("ed", triarch_role="others"), 403),
        (provider.token("ed", exp=1), 401),
        (provider.token("ed", aud="others"), 401),
    ):
        answer = await client.get("/v1/variables", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, answer.text
