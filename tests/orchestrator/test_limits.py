"""Rates: buckets as such, the replicated policy, and a node that holds its callers to it."""

import json
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.commands import Command, Position
from orchestrator.access.buckets import Buckets, Rate
from orchestrator.access.forwarded import key_of, sign
from orchestrator.access.limits import Limits, Put
from orchestrator.state import PlantState
from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving

RATES = st.builds(Rate, st.sampled_from([0.5, 1.0, 3.0, 100.0]), st.integers(1, 20))
STEPS = st.lists(st.floats(0, 5, allow_nan=False), max_size=80)


@given(rate=RATES, steps=STEPS)
def test_no_window_lets_through_more_than_its_rate(rate: Rate, steps: list[float]) -> None:
    buckets, now, taken = Buckets(10), 1000.0, []
    for step in steps:
        now += step
        seen = buckets.look("a", rate, now)
        verdict = buckets.take("a", rate, now)
        assert verdict.allowed is seen.allowed
        assert verdict.allowed is (verdict.wait_s == 0)
        if verdict.allowed:
            taken.append(now)
            assert 0 <= verdict.remaining < rate.burst
            assert abs(seen.remaining - verdict.remaining - 1) <= 1
    for at, first in enumerate(taken):
        for count, last in enumerate(taken[at:], start=1):
            assert count <= rate.burst + (last - first) * rate.per_second + 1e-6


@given(rate=RATES, steps=STEPS)
def test_who_waits_as_told_is_let_through(rate: Rate, steps: list[float]) -> None:
    buckets, now = Buckets(10), 0.0
    for step in steps:
        now += step
        verdict = buckets.take("a", rate, now)
        if not verdict.allowed:
            assert not buckets.take("a", rate, now + verdict.wait_s * 0.99 - 1e-6).allowed
            now += verdict.wait_s
            assert buckets.take("a", rate, now).allowed


@given(keys=st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_buckets_are_bounded_and_their_own(keys: list[str]) -> None:
    buckets, rate = Buckets(4), Rate(1.0, 3)
    for number, key in enumerate(keys):
        buckets.take(key, rate, number / 100)
        assert len(buckets) <= 4


def applied(state: PlantState, index: int, put: Put) -> str:
    command = Command(kind=Put.kind, body=msgspec.msgpack.encode(put), id=f"c{index}", time=1.0)
    return state.apply(command, Position(1, index))[0].code


def test_the_policy_is_replicated_at_its_revision() -> None:
    state = PlantState()
    untouched = state.snapshot()
    assert b"limits" not in untouched
    assert applied(state, 7, Put(limits=Limits(token_burst=5), if_revision=0)) == ""
    assert (state.limits.limits.token_burst, state.limits.revision) == (5, 7)
    assert applied(state, 8, Put(limits=Limits(), if_revision=0)) == "precondition_failed"
    assert applied(state, 9, Put(limits=Limits(token_burst=6), if_revision=7)) == ""
    other = PlantState()
    other.restore(state.snapshot())
    assert (other.limits.limits, other.limits.revision) == (state.limits.limits, 9)
    assert other.snapshot() == state.snapshot()
    body = msgspec.msgpack.encode({"limits": {"of_a_later_release": 1}})
    assert (
        state.apply(Command(kind=Put.kind, body=body, id="x", time=1.0), Position(1, 10))[0].code == "invalid_command"
    )


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("limits"), token=TOKEN) as found:
        yield found


@pytest.mark.anyio
async def test_a_node_holds_its_callers_to_the_policy(node: Nodes) -> None:
    client = node.clients[0]
    made = (await client.post("/v1/access/bootstrap", json={"name": "ada"})).json()["token"]
    ada = {"Authorization": f"Bearer {made}"}
    first = await client.get("/v1/access/limits", headers=ada)
    assert (first.json()["revision"], first.headers["ETag"]) == (0, '"0"')

    tight = {"token_per_second": 0.1, "token_burst": 3, "failures_per_minute": 3}
    stale = await client.put("/v1/access/limits", json=tight, headers={"If-Match": '"12"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert (await client.put("/v1/access/limits", json={"token_burst": 0})).status_code == 422
    put = await client.put("/v1/access/limits", json=tight, headers={"If-Match": '"0"'})
    assert put.status_code == 200, put.text

    statuses = [(await client.get("/v1/cluster", headers=ada)).status_code for _ in range(6)]
    assert statuses.count(429) == 3
    refused = await client.get("/v1/cluster", headers=ada)
    assert (refused.json()["code"], refused.json()["limit"]) == ("too_many_requests", "token")
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert refused.headers["RateLimit-Policy"] == '"token";q=3;w=30'
    assert refused.headers["RateLimit"].startswith('"token";r=0;t=')

    # Neither balancers nor the nodes' own token are counted; what another node passed on was counted there.
    assert {(await client.get("/healthz", headers=ada)).status_code for _ in range(9)} == {200}
    assert {(await client.get("/v1/cluster")).status_code for _ in range(9)} == {200}
    proof = sign(key_of(TOKEN), node="n2", method="GET", target=b"/v1/cluster", client="10.0.0.9")
    assert (await client.get("/v1/cluster", headers={**ada, **proof})).status_code == 200


@pytest.mark.anyio
async def test_an_address_that_shows_bad_tokens_is_not_listened_to(node: Nodes) -> None:
    client = node.clients[0]
    assert (await client.put("/v1/access/limits", json={"failures_per_minute": 3})).status_code == 200
    made = (await client.post("/v1/tokens", json={"name": "known", "role": "viewer"})).json()["token"]
    late = (await client.post("/v1/tokens", json={"name": "late", "role": "viewer"})).json()["token"]
    known = {"Authorization": f"Bearer {made}"}
    assert (await client.get("/v1/cluster", headers=known)).status_code == 200
    answers = [await client.get("/v1/cluster", headers={"Authorization": f"Bearer wrong-{n}"}) for n in range(6)]
    assert [answer.status_code for answer in answers[:3]] == [401, 401, 401]
    assert {answer.status_code for answer in answers[3:]} == {429}
    assert answers[5].json()["limit"] == "failures"
    assert (await client.get("/v1/cluster", headers=known)).status_code == 200  # good before
    assert (await client.get("/v1/cluster", headers={"Authorization": f"Bearer {late}"})).status_code == 429
    assert (await client.get("/v1/cluster")).status_code == 200
    text = (await client.get("/metrics", headers=known)).text
    assert 'triarch_rate_limited_total{limit="failures"}' in text


def test_a_plant_of_components_behind_one_address_is_within_the_defaults() -> None:
    buckets, limits, now = Buckets(10), Limits(), 0.0
    for _ in range(5):
        for _ in range(1000):  # all of them at once, every second
            assert buckets.take("10.0.0.7", limits.by_address, now).allowed
            assert buckets.take("token:shared", limits.by_token, now).allowed
        now += 1.0


@pytest.mark.anyio
@pytest.mark.campaign
async def test_the_command_line_shows_and_changes_them(node: Nodes) -> None:
    env = {"TRIARCH_TOKEN": TOKEN, "TRIARCH_URL": node.urls[0]}
    limits = ("access", "limits")
    wanted = ("--token-burst", "77", "--failures-per-minute", "1000")
    code, changed, error = await triarch(*limits, "set", *wanted, "-o", "json", **env)
    assert code == 0, error
    _, text, _ = await triarch(*limits, "show", "-o", "json", **env)
    shown = json.loads(text)
    assert (shown["token_burst"], shown["failures_per_minute"]) == (77, 1000)
    assert shown == json.loads(changed)
    assert (await triarch(*limits, "set", "--off", "--if-revision", "1", **env))[0] == 5
    assert (await triarch(*limits, "set", **env))[0] == 2
    _, text, _ = await triarch(*limits, "set", "--off", "-o", "json", **env)
    assert (json.loads(text)["enabled"], json.loads(text)["token_burst"]) == (False, 77)
