"""Variables over three real nodes, through one that does not lead."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from orchestrator.variables import VALUE_BYTES_MAX
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

CREATE = {"If-None-Match": "*"}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("variables"), token=TOKEN) as found:
        yield found


@pytest.fixture
async def http(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[await nodes.follower()]


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document: dict[str, Any] = answer.json()
    assert (document["code"], document["status"], document["instance"]) == (code, status, answer.request.url.path)
    return document


async def test_a_variable_from_its_creation_to_its_end(http: httpx.AsyncClient) -> None:
    path = "/v1/variables/line-a.speed"
    assert_problem(await http.get(path), 404, "variable_unknown")
    made = await http.put(path, json={"value": {"mm_s": 120}})
    assert made.status_code == 201, made.text
    row = made.json()
    assert (row["name"], row["value"]) == ("line-a.speed", {"mm_s": 120})
    assert made.headers["ETag"] == f'"{row["revision"]}"'
    assert int(made.headers["X-Triarch-Index"]) >= row["revision"] > 0

    for consistency in ("leader", "linearizable"):
        seen = await http.get(path, params={"consistency": consistency})
        assert (seen.status_code, seen.json(), seen.headers["ETag"]) == (200, row, made.headers["ETag"])
        assert row in (await http.get("/v1/variables", params={"consistency": consistency})).json()

    changed = await http.put(path, json={"value": None})
    assert (changed.status_code, changed.json()["value"]) == (200, None)
    assert changed.json()["revision"] > row["revision"]

    assert (await http.delete(path)).status_code == 204
    assert_problem(await http.get(path), 404, "variable_unknown")
    assert_problem(await http.delete(path), 404, "variable_unknown")


async def test_compare_and_set(http: httpx.AsyncClient) -> None:
    path = "/v1/variables/cas"
    assert assert_problem(await http.put(path, json={"value": 0}, headers={"If-Match": '"9"'}), 412,
                          "precondition_failed")["revision"] == 0  # fmt: skip
    first = await http.put(path, json={"value": 1}, headers=CREATE)
    assert first.status_code == 201
    document = assert_problem(await http.put(path, json={"value": 2}, headers=CREATE), 412, "precondition_failed")
    assert document["revision"] == first.json()["revision"]

    at_first = {"If-Match": first.headers["ETag"]}
    second = await http.put(path, json={"value": 2}, headers=at_first)
    assert second.status_code == 200
    document = assert_problem(await http.put(path, json={"value": 3}, headers=at_first), 412, "precondition_failed")
    assert document["revision"] == second.json()["revision"]
    assert (await http.get(path)).json() == second.json()

    assert_problem(await http.delete(path, headers=at_first), 412, "precondition_failed")
    assert (await http.delete(path, headers={"If-Match": second.headers["ETag"]})).status_code == 204
    document = assert_problem(
        await http.delete(path, headers={"If-Match": second.headers["ETag"]}), 412, "precondition_failed"
    )
    assert document["revision"] == 0


async def test_of_many_at_the_same_revision_one_succeeds(nodes: Nodes) -> None:
    path = "/v1/variables/contended"
    etag = (await nodes.clients[0].put(path, json={"value": "first"})).headers["ETag"]

    async def answered(n: int) -> httpx.Response:
        """Asks again where nobody leads: nothing was done then."""
        while True:
            answer = await nodes.clients[n % 3].put(path, json={"value": n}, headers={"If-Match": etag})
            if answer.status_code != 503:
                return answer
            assert answer.json()["code"] == "no_leader"
            await nodes.leader()

    answers = await asyncio.gather(*(answered(n) for n in range(12)))
    [won] = [answer for answer in answers if answer.status_code == 200]
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 11
    assert (await nodes.clients[0].get(path)).json() == won.json()


async def test_stale_reads_are_answered_by_whoever_is_asked(nodes: Nodes) -> None:
    path = "/v1/variables/stale"
    made = await nodes.clients[0].put(path, json={"value": 1})
    for at, client in enumerate(nodes.clients):

        async def arrived(client: httpx.AsyncClient = client, at: int = at) -> bool:
            seen = await client.get(path, params={"consistency": "stale", "max_stale": 5})
            assert seen.headers["X-Triarch-Node"] == f"n{at + 1}"
            return seen.status_code == 200 and seen.json() == made.json()

        await eventually(arrived)
    follower = nodes.clients[await nodes.follower()]
    answer = await follower.get("/v1/variables", params={"consistency": "stale"})
    assert float(answer.headers["X-Triarch-Staleness"]) >= 0
    assert_problem(await follower.get(path, params={"consistency": "stale", "max_stale": 0}), 503, "too_stale")
    assert_problem(await follower.get(path, params={"consistency": "sometimes"}), 422, "invalid_request")


async def test_a_repeated_key_answers_the_first_outcome(http: httpx.AsyncClient) -> None:
    path = "/v1/variables/repeated"
    key = {"Idempotency-Key": "variable-1"}
    first = await http.put(path, json={"value": 1}, headers={**key, **CREATE})
    await http.put(path, json={"value": 2})
    again = await http.put(path, json={"value": 1}, headers={**key, **CREATE})
    assert (again.status_code, again.json(), again.headers["ETag"]) == (201, first.json(), first.headers["ETag"])
    assert (await http.get(path)).json()["value"] == 2, "the repeat was not done"

    failed = {"Idempotency-Key": "variable-2", "If-Match": first.headers["ETag"]}
    refused = await http.put(path, json={"value": 3}, headers=failed)
    assert (
        assert_problem(refused, 412, "precondition_failed")
        == (await http.put(path, json={"value": 3}, headers=failed)).json()
    )

    gone = {"Idempotency-Key": "variable-3"}
    assert (await http.delete(path, headers=gone)).status_code == 204
    await http.put(path, json={"value": 4})
    assert (await http.delete(path, headers=gone)).status_code == 204
    assert (await http.get(path)).json()["value"] == 4, "the repeat was not done"


async def test_a_key_does_not_answer_for_another_condition(http: httpx.AsyncClient) -> None:
    path = "/v1/variables/conditions"
    key = {"Idempotency-Key": "variable-4"}
    first = await http.put(path, json={"value": 1}, headers={**key, **CREATE})
    assert first.status_code == 201
    # The same method, path, body and key, but another condition: another request.
    for condition in ({"If-Match": '"1"'}, {}):
        assert_problem(await http.put(path, json={"value": 1}, headers={**key, **condition}), 422, "key_reused")
    assert (await http.get(path)).json()["revision"] == first.json()["revision"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678901234567890123456789012345", 12345678901234567890123456789012345),
        ("1.5e300", 1.5e300),
        ('"\\u00e9\\n\\u0000"', "é\n\x00"),
        ("[[], {}, [null, true]]", [[], {}, [None, True]]),
        ('{"b": 1, "a": 2}', {"b": 1, "a": 2}),
    ],
)
async def test_any_json_is_a_value(http: httpx.AsyncClient, text: str, value: Any) -> None:
    headers = {"Content-Type": "application/json"}
    made = await http.put("/v1/variables/any", content=f'{{"value": {text}}}'.encode(), headers=headers)
    assert made.status_code in (200, 201), made.text
    assert made.json()["value"] == value
    seen = (await http.get("/v1/variables/any")).json()["value"]
    assert (seen, list(seen) if isinstance(seen, dict) else []) == (
        value,
        list(value) if isinstance(value, dict) else [],
    )


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("{}", 422, "invalid_request"),
        ('{"value": 1, "surplus": 2}', 422, "invalid_request"),
        ("[1]", 422, "invalid_request"),
        ('{"value": ', 422, "invalid_request"),
        ('{"value": NaN}', 422, "variable_invalid"),
        ('{"value": 1e999}', 422, "variable_invalid"),
        ('{"value": "\\ud800"}', 422, "variable_invalid"),
        ('{"value": ' + "[" * 40 + "]" * 40 + "}", 422, "variable_invalid"),
        ('{"value": ' + "[" * 200_000 + "]" * 200_000 + "}", 422, "invalid_request"),
        (json.dumps({"value": "x" * VALUE_BYTES_MAX}), 413, "variable_too_large"),
    ],
)
async def test_what_is_no_value(http: httpx.AsyncClient, text: str, status: int, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(await http.put("/v1/variables/bad", content=text.encode(), headers=headers), status, code)
    assert_problem(await http.get("/v1/variables/bad"), 404, "variable_unknown")


@pytest.mark.parametrize("name", ["-a", ".a", "a%20b", "%C3%A9", "x" * 129])
async def test_what_is_no_name(http: httpx.AsyncClient, name: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await http.request(method, f"/v1/variables/{name}", json={"value": 1} if method == "PUT" else None)
        assert_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": "42"},
        {"If-Match": '"0"'},
        {"If-Match": "*"},
        {"If-Match": 'W/"42"'},
        {"If-Match": '"1", "2"'},
        {"If-Match": '"' + "9" * 30 + '"'},
        {"If-None-Match": '"42"'},
        {"If-None-Match": "*", "If-Match": '"42"'},
    ],
)
async def test_what_is_no_condition(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    document = assert_problem(await http.put("/v1/variables/x", json={"value": 1}, headers=headers), 422,
                              "invalid_request")  # fmt: skip
    assert document["errors"][0]["location"] == f"header.{next(iter(headers))}"


async def test_a_wrong_token_is_refused(nodes: Nodes) -> None:
    async with httpx.AsyncClient(base_url=nodes.urls[0], trust_env=False) as stranger:
        assert_problem(await stranger.get("/v1/variables"), 401, "unauthorised")
        assert_problem(await stranger.put("/v1/variables/x", json={"value": 1}), 401, "unauthorised")


async def test_openapi_documents_the_conditions(http: httpx.AsyncClient) -> None:
    put = (await http.get("/openapi.json")).json()["paths"]["/v1/variables/{name}"]["put"]
    assert {parameter["name"] for parameter in put["parameters"]} == {
        *("name", "if-match", "if-none-match", "Idempotency-Key", "redirect")
    }
    assert {"200", "201", "412", "413", "504"} <= set(put["responses"])
    assert "ETag" in put["responses"]["200"]["headers"]
    assert "Variable" in json.dumps(put["responses"]["200"])
