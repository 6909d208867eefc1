"""The bearer token, in front of an ASGI application that says who got through."""

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.api.problems import Problem, respond
from orchestrator.api.security import OPEN_PATHS, BearerToken

pytestmark = pytest.mark.anyio

TOKEN = "correct-horse-battery-staple-0123456789"


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"through"})


def answering(app: ASGIApp) -> ASGIApp:
    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Problem as problem:
            await respond(problem, scope["path"])(scope, receive, send)

    return outer


def client(token: str | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=answering(BearerToken(inner, token)))
    return httpx.AsyncClient(transport=transport, base_url="http://node")


async def test_without_a_token_everything_is_open() -> None:
    async with client(None) as http:
        assert (await http.get("/v1/cluster")).text == "through"


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_what_balancers_look_at_is_open(path: str) -> None:
    async with client(TOKEN) as http:
        assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/metrics", "/health", "/v1/cluster", "/docs", "/openapi.json", "/healthz/", "//healthz"]
)
async def test_everything_else_needs_it(path: str) -> None:
    async with client(TOKEN) as http:
        answer = await http.get(httpx.URL("http://node").copy_with(raw_path=path.encode()))
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.json()["code"] == "unauthorised"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_right_token_gets_through(scheme: str) -> None:
    async with client(TOKEN) as http:
        assert (await http.get("/v1/cluster", headers={"Authorization": f"{scheme} {TOKEN}"})).text == "through"


@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}", f"Bearer {TOKEN} {TOKEN}", "Bearer \u00e4\u00f6",
    ],
)  # fmt: skip
async def test_a_wrong_token_is_refused_and_not_echoed(header: str) -> None:
    async with client(TOKEN) as http:
        answer = await http.get("/v1/cluster", headers={b"Authorization": header.encode("latin-1")})
        assert answer.status_code == 401
        assert TOKEN not in answer.text
        assert "invalid_token" in answer.headers["WWW-Authenticate"]


async def test_two_tokens_are_refused() -> None:
    async with client(TOKEN) as http:
        headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
        assert (await http.get("/v1/cluster", headers=headers)).status_code == 401
