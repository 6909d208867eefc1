"""Whose address counts, on real nodes: in the audit, and in the limit of an address. n3 has no proxy in front of it."""

import time
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any

import httpx
import pytest

from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

Headers = list[tuple[str, str]]

PROXIES = ["127.0.0.1", "::ffff:10.9.0.0/112", "2001:db8:ffff::/48"]  # the second is 10.9.0.0/16
WITHOUT = 2
"""Position of the node that trusts nobody."""
BURST = 4
HELD = {"address_per_second": 0.1, "address_burst": BURST}
OFF = {"enabled": False}
_numbers = count()


def trusting(at: int, tree: dict[str, Any]) -> None:
    tree["api"]["trusted_proxies"] = [] if at == WITHOUT else PROXIES


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("addresses"), token=TOKEN, rewrite=trusting) as found:
        yield found


async def asked(client: httpx.AsyncClient, method: str, path: str, **given: Any) -> httpx.Response:
    """Its answer, once somebody leads: on a busy machine there may be an election at any time."""
    key = ("Idempotency-Key", f"asked-{next(_numbers)}")
    given["headers"] = [*given.get("headers", ()), key]

    async def answered() -> httpx.Response | None:
        answer = await client.request(method, path, **given)
        again = answer.status_code in (503, 504) or (answer.is_error and answer.json()["code"] == "key_in_flight")
        return None if again else answer

    answer = await eventually(answered, deadline_s=20)
    assert answer is not None
    return answer


async def limited(nodes: Nodes, at: int, **limits: Any) -> None:
    """The policy, put at one node and applied on all three."""
    put = await asked(nodes.clients[at], "PUT", "/v1/access/limits", json=limits)
    assert put.status_code == 200, put.text

    async def everywhere() -> bool:
        revisions = [int((await client.get("/v1/access/limits")).json()["revision"]) for client in nodes.clients]
        return min(revisions) >= int(put.json()["revision"])

    await eventually(everywhere, deadline_s=10)


async def person(nodes: Nodes, role: str = "operator") -> Headers:
    """The header of somebody whose requests are counted, unlike those with the nodes' own token."""
    made = await asked(nodes.clients[0], "POST", "/v1/tokens", json={"name": role, "role": role})
    assert made.status_code == 201, made.text
    return [("Authorization", f"Bearer {made.json()['token']}")]


@pytest.fixture
async def ada(nodes: Nodes) -> AsyncIterator[Headers]:
    found = await person(nodes)
    yield found
    await limited(nodes, 0, **OFF)


def through(*chain: str) -> Headers:
    """What proxies say, a line each."""
    return [("X-Forwarded-For", line) for line in chain]


async def read(client: httpx.AsyncClient, headers: Headers) -> httpx.Response:
    """What every node answers by itself."""
    return await client.get("/v1/cluster", headers=headers)


async def held(client: httpx.AsyncClient, headers: Headers, chains: Sequence[str] = ()) -> httpx.Response:
    """The refusal, once `chains`, in turn, have asked as much as one address may. Not before, and no later."""
    began = time.monotonic()
    for number in count():
        answer = await read(client, headers + (through(chains[number % len(chains)]) if chains else []))
        if answer.status_code == 429:
            break
        assert answer.status_code == 200, answer.text
        assert number < BURST + HELD["address_per_second"] * (time.monotonic() - began)
    assert number >= BURST
    assert (answer.json()["code"], answer.json()["limit"]) == ("too_many_requests", "address")
    return answer


async def test_an_address_that_asks_more_than_it_may_is_refused_with_all_its_tokens(nodes: Nodes, ada: Headers) -> None:
    client, bob = nodes.clients[0], await person(nodes, "viewer")
    await limited(nodes, 0, **HELD)
    refused = await held(client, ada, ["192.0.2.1"])
    assert refused.headers["RateLimit-Policy"] == '"address";q=4;w=40'
    assert refused.headers["RateLimit"].startswith('"address";r=0;t=')
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    # Another address behind the same proxy is not refused, nor what balancers ask from this one.
    assert (await read(client, bob + through("192.0.2.2"))).status_code == 200
    assert (await client.get("/healthz", headers=through("192.0.2.1"))).status_code == 200
    before = await refusals(client)
    await eventually(lambda: is_refused(client, bob + through("192.0.2.1")), deadline_s=5)
    assert await refusals(client) > before


async def is_refused(client: httpx.AsyncClient, headers: Headers) -> bool:
    return (await read(client, headers)).status_code == 429


async def refusals(client: httpx.AsyncClient) -> float:
    text = (await client.get("/metrics")).text
    return float(text.partition('triarch_rate_limited_total{limit="address"} ')[2].split()[0])


async def test_a_policy_that_is_put_at_a_follower_holds_on_all_three(nodes: Nodes, ada: Headers) -> None:
    await limited(nodes, await nodes.follower(), **HELD)
    for at, client in enumerate(nodes.clients):
        if at == WITHOUT:
            async with other_host(client, "127.0.0.3") as directly:
                await held(directly, ada)
        else:
            await held(client, ada, ["192.0.2.10"])


def other_host(client: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    """A client of the same node at another address."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=client.base_url, transport=transport, timeout=10)


async def test_what_a_follower_passes_on_is_not_counted_again(nodes: Nodes, ada: Headers) -> None:
    """A change at a follower is made by the leader, who has it proven from which address it came."""
    await nodes.transfer(0)
    await limited(nodes, 0, **HELD)
    came = through("192.0.2.15")
    for number in range(BURST):
        path = f"/v1/variables/passed-{number}"
        answer = await nodes.clients[1].put(path, json={"value": 1}, headers=ada + came)
        assert answer.status_code in (201, 503, 504), answer.text
    await eventually(lambda: is_refused(nodes.clients[1], ada + came), deadline_s=5)
    await held(nodes.clients[0], ada, ["192.0.2.15"])


async def test_a_host_of_ipv6_is_its_network_of_64_bits(nodes: Nodes, ada: Headers) -> None:
    await limited(nodes, 0, **HELD)
    own = ["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:DB8:1:1:0:0:0:3", "2001:db8:1:1:ffff:ffff:ffff:ffff"]
    await held(nodes.clients[0], ada, own)
    for other in ("2001:db8:1:2::1", "2001:db8:1:0:1::1"):
        assert (await read(nodes.clients[0], ada + through(other))).status_code == 200


async def test_an_address_of_ipv4_is_one_however_a_proxy_writes_it(nodes: Nodes, ada: Headers) -> None:
    await limited(nodes, 0, **HELD)
    await held(nodes.clients[0], ada, ["192.0.2.20", "::ffff:192.0.2.20", "::ffff:c000:214"])
    assert (await read(nodes.clients[0], ada + through("::ffff:192.0.2.21"))).status_code == 200


async def test_nobody_gets_more_by_what_he_says_of_himself(nodes: Nodes, ada: Headers) -> None:
    """Behind a proxy he writes other addresses in front each time; where no proxy is trusted, whatever he likes."""
    await limited(nodes, 0, **HELD)
    await held(nodes.clients[0], ada, [f"203.0.113.{number}, 192.0.2.30" for number in range(20)])
    assert (await read(nodes.clients[0], ada + through("192.0.2.30, 192.0.2.31"))).status_code == 200
    for client, address in ((nodes.clients[WITHOUT], "127.0.0.4"), (nodes.clients[0], "127.0.0.5")):
        async with other_host(client, address) as directly:
            await held(directly, ada, [f"203.0.113.{number}" for number in range(20)])


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ([], "127.0.0.1"),
        (["198.51.100.1"], "198.51.100.1"),
        (["203.0.113.9, 198.51.100.2"], "198.51.100.2"),
        (["203.0.113.9, 198.51.100.3, 10.9.4.4, 2001:db8:ffff:1::1"], "198.51.100.3"),
        (["203.0.113.9", "198.51.100.4", "10.9.4.4"], "198.51.100.4"),
        (["10.9.1.1,10.9.2.2"], "10.9.1.1"),
        (["198.51.100.5, ::ffff:10.9.3.3"], "198.51.100.5"),
        (["::ffff:198.51.100.6"], "198.51.100.6"),
        (["2001:DB8:0:0::7"], "2001:db8::7"),
        (["198.51.100.8, unknown"], "127.0.0.1"),
        (["198.51.100.8, unknown, 10.9.5.5"], "10.9.5.5"),
    ],
)
async def test_the_audit_names_the_first_that_is_no_trusted_proxy(
    nodes: Nodes, ada: Headers, said: list[str], address: str
) -> None:
    for at, client in enumerate(nodes.clients):
        name = f"chain-{next(_numbers)}"
        made = await asked(client, "PUT", f"/v1/variables/{name}", json={"value": at}, headers=ada + through(*said))
        assert made.status_code in (200, 201), made.text
        (entry,) = (await asked(client, "GET", "/v1/audit", params={"id": name})).json()["entries"]
        assert entry["actor"]["address"] == ("127.0.0.1" if at == WITHOUT else address)
        assert entry["actor"]["node"] == f"n{at + 1}"
