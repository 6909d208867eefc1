"""The dashboard's files as a node serves them: to everyone, with a policy, compressed, and cached by their names."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from orchestrator.api.dashboard import built, policy
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving

STATIC = Path(__file__).resolve().parents[2] / "orchestrator" / "dashboard" / "static"
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("dashboard"), token=TOKEN) as found:
        yield found


@pytest.fixture
async def stranger(nodes: Nodes) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with httpx.AsyncClient(base_url=nodes.urls[0], trust_env=False) as client:
        yield client


async def test_the_page_comes_without_a_token_and_with_a_policy(nodes: Nodes, stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    said = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    api = nodes.urls[0]
    named = api.replace("127.0.0.1", "localhost")  # another origin to a browser, and the same node
    asked = [each for origin in (api, named) for each in (origin, origin.replace("http:", "ws:"))]
    assert said.pop("connect-src").split() == ["'self'", *asked]
    assert said == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "font-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'none'",
    }
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)|\sstyle=", answer.text)
    again = await stranger.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_what_the_page_names_is_there_and_never_changes(stranger: httpx.AsyncClient) -> None:
    names = re.findall(r'(?:src|href)="(/assets/[^"]+)"', (await stranger.get("/")).text)
    assert len(names) >= 3
    for name in names:
        answer = await stranger.get(name)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_scripts_are_compressed_for_who_takes_that(stranger: httpx.AsyncClient) -> None:
    name = max((each for each in built() if each.endswith(".js")), key=lambda each: len(built()[each].body))
    async with stranger.stream("GET", name, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    plain = await stranger.get(name, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert gzip.decompress(raw) == plain.content == built()[name].body


@pytest.mark.parametrize("path", ["/assets/", "/assets/none.js", "/assets/../manifest.json", "/manifest.json"])
async def test_nothing_else_is_served_as_a_file(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code in (401, 404)


async def test_files_take_no_other_method(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.post("/", content=b"x")).status_code in (401, 403, 404, 405)
    assert (await stranger.head("/")).status_code == 200


async def test_the_policy_names_both_protocols_of_each_member() -> None:
    said = policy({"https://n1:8101", "http://n2:8102"})
    assert "connect-src 'self' http://n2:8102 ws://n2:8102 https://n1:8101 wss://n1:8101; base-uri" in said


async def test_the_built_files_stand_beside_their_package() -> None:
    assert set(built()) == {"/", *(f"/assets/{each.name}" for each in (STATIC / "assets").iterdir())}
