"""What opens a node: the cluster's token, replicated tokens, and every way to show none or a wrong one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.access.credential import parsed
from orchestrator.access.principal import OPEN, Principal, Role
from orchestrator.api import frames
from orchestrator.api.gate import Gate
from orchestrator.api.problems import Problem
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

PUBLIC = ("/healthz", "/readyz", "/leader")


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("closed"), token=TOKEN) as found:
        yield found


@pytest.fixture(scope="module")
async def stranger(nodes: Nodes) -> AsyncIterator[httpx.AsyncClient]:
    """Shows nothing of itself."""
    async with httpx.AsyncClient(base_url=nodes.urls[0], timeout=10, trust_env=False) as http:
        yield http


async def made(nodes: Nodes, role: str = "operator", **extra: Any) -> dict[str, Any]:
    answer = await nodes.clients[0].post("/v1/tokens", json={"name": "ada", "role": role, **extra})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def assert_refused(answer: httpx.Response, reason: str) -> None:
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (401, "unauthorised", reason)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert ("invalid_token" in answer.headers["WWW-Authenticate"]) is (reason != "missing")


@pytest.mark.parametrize("path", PUBLIC)
async def test_what_balancers_look_at_is_open(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/metrics", "/health", "/v1/cluster", "/openapi.json", "/healthz/", "//healthz", "/nothing"]
)
async def test_everything_else_needs_a_token(stranger: httpx.AsyncClient, path: str) -> None:
    url = stranger.base_url.copy_with(raw_path=path.encode())
    assert_refused(await stranger.get(url), "missing")


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/favicon.ico"])
async def test_the_files_of_the_dashboard_need_none(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code in (200, 404)
    assert (await stranger.post(path)).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_clusters_token_gets_through(stranger: httpx.AsyncClient, scheme: str) -> None:
    who = (await stranger.get("/v1/whoami", headers={"Authorization": f"{scheme} {TOKEN}"})).json()
    assert (who["kind"], who["role"]) == ("cluster", "admin")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "malformed"), (b"Bearer", "malformed"), (TOKEN.encode(), "malformed"),
        (b"Basic " + TOKEN.encode(), "malformed"), (b"Bearer " + TOKEN.encode() + b"x", "unknown"),
        (b"Bearer " + TOKEN[:-1].encode(), "unknown"), (b"Bearer " + TOKEN.upper().encode(), "unknown"),
        (b"Bearer " + TOKEN.encode() + b" " + TOKEN.encode(), "malformed"), (b"Bearer \xe4\xf6", "malformed"),
        (b"Bearer tri_", "unknown"), (b"Bearer tri_aaaaaaaaaa_" + b"A" * 43, "unknown"),
        (b"Bearer tri_aaaaaaaaaa_" + b"A" * 42, "unknown"), (b"Bearer eyJh.eyJz.c2ln", "unknown"),
        (b"Bearer " + b"x" * 9000, "malformed"), (b"Bearer a\xa0b", "malformed"), (b"Bearer a\tb", "malformed"),
    ],
)  # fmt: skip
async def test_a_wrong_token_is_refused_and_not_echoed(stranger: httpx.AsyncClient, header: bytes, reason: str) -> None:
    answer = await stranger.get("/v1/cluster", headers={b"Authorization": header})
    assert_refused(answer, reason)
    assert TOKEN not in answer.text
    shown = header.rpartition(b" ")[2].decode("latin-1")
    assert len(shown) < 8 or shown not in answer.text


@pytest.mark.parametrize("byte", [b"\x00", b"\x7f", b"\x0b"])
async def test_bytes_that_no_header_has_get_nowhere(nodes: Nodes, byte: bytes) -> None:
    host, port = str(nodes.clients[0].base_url.host), nodes.clients[0].base_url.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /v1/cluster HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer " + TOKEN.encode() + byte + b"\r\n\r\n")
    status = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert status.split()[1] in (b"400", b"401")


async def test_two_headers_are_refused(stranger: httpx.AsyncClient) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
    assert_refused(await stranger.get("/v1/cluster", headers=headers), "malformed")


async def test_a_token_says_who_asks(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes, "viewer", expires_in_s=3600)
    who = (await stranger.get("/v1/whoami", headers=bearer(token["token"]))).json()
    assert who == {
        "kind": "token", "id": token["id"], "name": "ada", "role": "viewer", "subject": None,
        "expires": token["expires"],
    }  # fmt: skip


async def test_a_revoked_token_is_refused_at_once(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes)
    assert (await stranger.get("/v1/cluster", headers=bearer(token["token"]))).status_code == 200
    assert (await nodes.clients[0].delete(f"/v1/tokens/{token['id']}")).status_code == 204
    assert_refused(await stranger.get("/v1/cluster", headers=bearer(token["token"])), "revoked")
    # Who does not know the secret learns nothing of the token.
    other = f"tri_{token['id']}_{'A' * 43}"
    assert_refused(await stranger.get("/v1/cluster", headers=bearer(other)), "unknown")
    assert (await nodes.clients[0].delete(f"/v1/tokens/{token['id']}")).status_code == 204
    assert (await nodes.clients[0].post(f"/v1/tokens/{token['id']}/rotate", json={})).json()["code"] == "token_over"


async def test_a_rotated_secret_is_taken_until_its_grace_is_over(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes)
    fresh = (await nodes.clients[0].post(f"/v1/tokens/{token['id']}/rotate", json={"grace_s": 60})).json()
    for text in (token["token"], fresh["token"]):
        assert (await stranger.get("/v1/cluster", headers=bearer(text))).status_code == 200
    newest = (await nodes.clients[0].post(f"/v1/tokens/{token['id']}/rotate", json={})).json()
    assert_refused(await stranger.get("/v1/cluster", headers=bearer(fresh["token"])), "unknown")
    for text in (token["token"], newest["token"]):
        assert (await stranger.get("/v1/cluster", headers=bearer(text))).status_code == 200


async def test_expiry_is_judged_by_the_clock_of_the_node_that_is_asked(nodes: Nodes) -> None:
    token = await made(nodes, expires_in_s=100)
    now = token["created"]
    gate = Gate(nodes.nodes[0], clock=lambda: now)
    principal = gate.authenticate([f"Bearer {token['token']}"])
    assert (gate.valid_for(principal), gate.still_valid(principal)) == (100, True)
    now += 100
    assert not gate.still_valid(principal)
    with pytest.raises(Problem) as refused:
        gate.authenticate([f"Bearer {token['token']}"])
    assert refused.value.members["reason"] == "expired"


async def test_who_came_with_an_old_secret_is_out_when_its_grace_is_over(nodes: Nodes) -> None:
    token = await made(nodes)
    now = token["created"]
    gate = Gate(nodes.nodes[0], clock=lambda: now)
    old = gate.authenticate([f"Bearer {token['token']}"])
    assert gate.valid_for(old) == float("inf")
    rotated = (await nodes.clients[0].post(f"/v1/tokens/{token['id']}/rotate", json={"grace_s": 50})).json()
    fresh = gate.authenticate([f"Bearer {rotated['token']}"])
    assert gate.still_valid(old)
    now = rotated["grace_until"]
    assert (gate.still_valid(old), gate.still_valid(fresh)) == (False, True)
    await nodes.clients[0].delete(f"/v1/tokens/{token['id']}")
    assert not gate.still_valid(fresh)


async def test_tokens_of_an_identity_provider_are_for_the_hook(nodes: Nodes) -> None:
    ada = Principal("oidc", "ada@example.org", Role.VIEWER, until=10.0)
    gate = Gate(nodes.nodes[0], foreign=lambda token: ada if token == "a.b.c" else None, clock=lambda: 5.0)
    assert gate.authenticate(["Bearer a.b.c"]) is ada
    assert gate.valid_for(ada) == 5.0
    for other in ("Bearer a.b.d", f"Bearer tri_aaaaaaaaaa_{'A' * 43}"):
        with pytest.raises(Problem):
            gate.authenticate([other])


headers = st.lists(st.text(max_size=60) | st.text(max_size=60).map(lambda text: f"Bearer {text}"), max_size=3)


async def test_whatever_is_shown_is_nobodys_token(nodes: Nodes) -> None:
    gate = Gate(nodes.nodes[0])

    @given(headers)
    def shown(sent: list[str]) -> None:
        with pytest.raises(Problem) as refused:
            gate.authenticate(sent)
        assert refused.value.status == 401
        assert refused.value.members["reason"] in ("missing", "malformed", "unknown")

    shown()


BAD_TOKENS = [
    ({}, "body.name"), ({"name": "a"}, "body.role"), ({"name": "", "role": "viewer"}, "body.name"),
    ({"name": "a" * 101, "role": "viewer"}, "body.name"), ({"name": "a\x00b", "role": "viewer"}, "body.name"),
    ({"name": " a", "role": "viewer"}, "body.name"), ({"name": "a\u202eb", "role": "viewer"}, "body.name"),
    ({"name": "a", "role": "root"}, "body.role"), ({"name": "a", "role": "Viewer"}, "body.role"),
    ({"name": "a", "role": "component"}, "body"), ({"name": "a", "role": "processor"}, "body"),
    ({"name": "a", "role": "component", "subject": "a b"}, "body.subject"),
    ({"name": "a", "role": "viewer", "subject": "press"}, "body"),
    ({"name": "a", "role": "viewer", "expires_in_s": 0}, "body.expires_in_s"),
    ({"name": "a", "role": "viewer", "expires_in_s": -5}, "body.expires_in_s"),
    ({"name": "a", "role": "viewer", "expires_in_s": 1e300}, "body.expires_in_s"),
    ({"name": "a", "role": "viewer", "expires_in_s": "soon"}, "body.expires_in_s"),
    ({"name": "a", "role": "viewer", "token": "tri_"}, "body.token"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "location"), BAD_TOKENS)
async def test_a_token_that_cannot_be_is_refused(nodes: Nodes, body: dict[str, Any], location: str) -> None:
    answer = await nodes.clients[0].post("/v1/tokens", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert location in {error["location"] for error in answer.json()["errors"]}


async def test_a_repeat_makes_no_second_token_and_shows_none(nodes: Nodes) -> None:
    body, headers = {"name": "once", "role": "viewer"}, {"Idempotency-Key": "make-once"}
    first = await nodes.clients[0].post("/v1/tokens", json=body, headers=headers)
    again = await nodes.clients[0].post("/v1/tokens", json=body, headers=headers)
    assert (again.status_code, again.json()["code"], again.json()["id"]) == (409, "token_made", first.json()["id"])
    rows = (await nodes.clients[0].get("/v1/tokens")).json()
    assert [row["id"] for row in rows if row["name"] == "once"] == [first.json()["id"]]


async def test_unknown_tokens(nodes: Nodes) -> None:
    http = nodes.clients[0]
    for answer in (
        await http.get("/v1/tokens/aaaaaaaaaa"),
        await http.delete("/v1/tokens/aaaaaaaaaa"),
        await http.post("/v1/tokens/aaaaaaaaaa/rotate", json={}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "token_unknown")
    assert (await http.get("/v1/tokens/no-id")).status_code == 422
    for body in ({"grace_s": -1}, {"grace_s": 1e9}, {"grace_s": "x"}, {"other": 1}):
        assert (await http.post("/v1/tokens/aaaaaaaaaa/rotate", json=body)).status_code == 422


async def test_nothing_that_is_read_holds_a_secret(nodes: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    token = await made(nodes, "component", subject="press-1")
    credential = parsed(token["token"])
    assert credential is not None
    shown = (await nodes.clients[0].get(f"/v1/tokens/{token['id']}")).json()
    assert shown["subject"] == "press-1"
    places = ["/v1/tokens", f"/v1/tokens/{token['id']}", "/metrics", "/v1/cluster/snapshot", "/v1/events"]
    texts = [(await nodes.clients[0].get(path)).content for path in places]
    held = nodes.nodes[0].state
    texts += [repr(held.access.rows).encode(), repr(credential).encode(), caplog.text.encode()]
    for text in texts:
        assert credential.secret.encode() not in text
        assert TOKEN.encode() not in text
    assert credential.digest.hex() not in repr(held.access.rows)
    assert repr(credential.digest) not in repr(held.access.rows)


async def test_a_components_token_is_for_itself(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes, "component", subject="press-1")
    assert token["command_token"]
    headers = bearer(token["token"])
    own = {"id": "press-1", "address": "http://127.0.0.1:9"}
    assert (await stranger.post("/v1/components", json=own, headers=headers)).status_code == 201
    assert (await stranger.get("/v1/components/press-1", headers=headers)).status_code == 200
    beat = {"type": "component.heartbeat", "source": "press-1", "payload": {"state": "READY"}}
    assert (await stranger.post("/event", json=beat, headers=headers)).status_code == 204
    for path, body in (
        ("/v1/components", {**own, "id": "press-2"}),
        ("/event", {**beat, "source": "press-2"}),
    ):
        answer = await stranger.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    for raw in (b'{"source": "press-1", "source": "press-2"}', b"[]", b"\xff", b"", b"{" * 5000, b'{"source": 1}'):
        assert (await stranger.post("/event", content=raw, headers=headers)).status_code == 422, raw
    assert (await stranger.delete("/v1/components/press-1", headers=headers)).status_code == 204


async def test_a_backup_does_not_bring_a_revoked_token_back(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    http = nodes.clients[0]
    kept, stolen = await made(nodes), await made(nodes)
    backup = (await http.get("/v1/cluster/snapshot")).content
    await http.delete(f"/v1/tokens/{stolen['id']}")
    since = await made(nodes)
    answer = await http.post("/v1/cluster/restore", content=backup)
    assert answer.status_code == 200, answer.text
    assert_refused(await stranger.get("/v1/whoami", headers=bearer(stolen["token"])), "revoked")
    for token in (kept, since):
        assert (await stranger.get("/v1/whoami", headers=bearer(token["token"]))).status_code == 200


async def test_streams_end_with_the_token_that_opened_them(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes, "viewer")
    async with stranger.stream("GET", "/v1/events/follow", headers=bearer(token["token"])) as stream:
        parts = stream.aiter_bytes()
        assert await anext(parts)
        await nodes.clients[0].delete(f"/v1/tokens/{token['id']}")
        # Sooner than a quiet stream says anything of itself: the end does not wait for that.
        async with asyncio.timeout(4):
            assert [part async for part in parts] == []


async def test_waiting_for_frames_ends_with_the_token(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes, "viewer")
    url = "/v1/frames/tail?wait_s=10"
    waiting = asyncio.create_task(stranger.get(url, headers=bearer(token["token"]), timeout=20))

    async def waits() -> bool:
        return frames._followers._value < frames.FOLLOWERS_MAX

    await eventually(waits, deadline_s=5)
    await nodes.clients[0].delete(f"/v1/tokens/{token['id']}")
    async with asyncio.timeout(4):  # it would have waited for ten
        assert_refused(await waiting, "revoked")


async def test_a_stream_ends_when_its_token_expires(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    token = await made(nodes, "viewer", expires_in_s=1)
    async with stranger.stream("GET", "/v1/events/follow", headers=bearer(token["token"])) as stream:
        async with asyncio.timeout(4):
            assert [part async for part in stream.aiter_bytes()]
    assert_refused(await stranger.get("/v1/cluster", headers=bearer(token["token"])), "expired")


async def test_an_open_node_asks_for_tokens_from_the_first_admins_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with serving(1, tmp_path_factory.mktemp("open")) as nodes:
        http, gate = nodes.clients[0], Gate(nodes.nodes[0])
        assert (await http.get("/v1/whoami")).json()["kind"] == "open"
        assert gate.authenticate(["Bearer whatever"]) is OPEN
        viewer = await made(nodes, "viewer")
        assert (await http.get("/v1/whoami", headers=bearer(viewer["token"]))).json()["role"] == "viewer"
        assert (await http.get("/v1/whoami")).json()["kind"] == "open"
        assert gate.still_valid(OPEN)
        first = (await http.post("/v1/access/bootstrap", json={"name": "ada"})).json()
        assert first["role"] == "admin"
        assert not gate.still_valid(OPEN)
        assert_refused(await http.get("/v1/whoami"), "missing")
        assert_refused(await http.post("/v1/access/bootstrap", json={"name": "eve"}), "missing")
        http.headers.update(bearer(first["token"]))
        again = await http.post("/v1/access/bootstrap", json={"name": "eve"})
        assert (again.status_code, again.json()["code"]) == (403, "forbidden")
        last = await http.delete(f"/v1/tokens/{first['id']}")
        assert (last.status_code, last.json()["code"]) == (409, "last_admin")
        other = await made(nodes, "admin")
        assert (await http.delete(f"/v1/tokens/{first['id']}")).status_code == 204
        assert_refused(await http.get("/v1/tokens"), "revoked")
        http.headers.update(bearer(other["token"]))
        assert (await http.get("/v1/tokens")).status_code == 200


async def test_the_first_admins_token_is_made_once(nodes: Nodes) -> None:
    http = nodes.clients[0]
    first = await http.post("/v1/access/bootstrap", json={"name": "ada"})
    assert first.status_code == 201
    again = await http.post("/v1/access/bootstrap", json={"name": "ada"})
    assert (again.status_code, again.json()["code"]) == (409, "already_bootstrapped")
    # The cluster has a token of its own, so even the last admin's may go.
    assert (await http.delete(f"/v1/tokens/{first.json()['id']}")).status_code == 204
    assert (await http.post("/v1/tokens", json={"name": "b", "role": "admin"})).status_code == 201
