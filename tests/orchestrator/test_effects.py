"""Each row of the table in `orchestrator.playbooks.effects`, over real HTTP."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from cluster import Epoch, NotLeader
from orchestrator.commanding import CommandSender
from orchestrator.components import ComponentRow
from orchestrator.config_notifications import ChannelSettings
from orchestrator.errors import ComponentUnknown, StaleEpoch
from orchestrator.events import CommandAnswer
from orchestrator.lifecycle import State
from orchestrator.playbooks.effect import Done, Effect, Failed, Result, Unknown
from orchestrator.playbooks.effects import Effects
from orchestrator.playbooks.outgoing import BODY_BYTES_MAX, outside_client
from tests.orchestrator.plant_parts import served
from tests.support import free_port

pytestmark = pytest.mark.anyio

KEY = "x-1/actions/0/1"


def answer(**members: Any) -> dict[str, Any]:
    return {
        "component_id": "press",
        "command": "CMD_START",
        "key": KEY,
        "state": "STARTED",
        "completed": True,
        **members,
    }


class Outside:
    """A receiver that answers what its path says, and remembers what it was sent. It is a component too."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        """to commands, in turn; the last one again and again"""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.requests.append((request.url.path, dict(request.headers), body))
        response = self._answer(request)
        if response is not None:
            await response(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        match request.url.path.split("/")[1:]:
            case ["event"]:
                status, document = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                return JSONResponse(document, status)
            case ["status", number]:
                return JSONResponse({"detail": "as asked"}, int(number))
            case ["redirect"]:
                return RedirectResponse("/status/200")
            case ["large"]:
                return Response(b"x" * (BODY_BYTES_MAX + 1))
            case ["text"]:
                return Response("plain", headers={"Set-Cookie": "session=secret", "ETag": '"7"'})
            case ["breaks-off"]:

                async def half() -> AsyncIterator[bytes]:
                    yield b"{"
                    raise ConnectionError("broken off, as the test wants it")

                return StreamingResponse(half())
            case _:
                return JSONResponse({"ok": True, "n": [1, 2]})


class Bench:
    """Effects over a receiver; a component `press` is registered there."""

    def __init__(self, url: str, outside: Outside, http: httpx.AsyncClient, timeout_s: float = 5.0) -> None:
        self.url, self.outside = url, outside
        self._sender = CommandSender(http, Epoch(1, 1), timeout_s=timeout_s)
        self.address = url
        self.loses_leadership = False
        channels = {
            "default": ChannelSettings(kind="log"),
            "ops": ChannelSettings(kind="webhook", url=SecretStr(f"{url}/hook/T0KEN")),
            "chat": ChannelSettings(kind="slack", url=SecretStr(f"{url}/chat")),
            "refused": ChannelSettings(kind="webhook", url=SecretStr(f"{url}/status/403")),
            "broken": ChannelSettings(kind="webhook", url=SecretStr(f"{url}/status/500")),
            "away": ChannelSettings(kind="webhook", url=SecretStr(f"http://127.0.0.1:{free_port()}/hook/T0KEN")),
        }
        self._effects = Effects(self.send_command, http, channels)

    async def send_command(
        self, component_id: str, command: str, key: str, *, params: Mapping[str, Any] | None = None
    ) -> CommandAnswer:
        if component_id != "press":
            raise ComponentUnknown(f"component {component_id} is not registered")
        row = ComponentRow(
            id="press",
            name="",
            address=self.address,
            groups=(),
            state=State.READY,
            online=True,
            reason="",
            incarnation="",
            sequence=None,
            registered_time=0.0,
            position=(1, 1),
        )
        told = await self._sender.send(row, command, key, params=params)
        if self.loses_leadership:
            raise NotLeader("n2")
        return told

    async def command(self, *answers: tuple[int, dict[str, Any]], **members: Any) -> Result:
        self.outside.answers = list(answers)
        data = {"component": "press", "command": "CMD_START", "params": {}, "wait": False, **members}
        return await self.perform("send_command", data)

    async def request(self, path: str, **members: Any) -> Result:
        data = {
            "method": "POST",
            "url": path if "://" in path else f"{self.url}{path}",
            "headers": {},
            "body": {"n": 1},
            "expect": [200, 201],
            "safe": True,
            **members,
        }
        return await self.perform("http_request", data)

    async def notify(self, channel: str, severity: str = "error") -> Result:
        data = {"channel": channel, "message": "io is down", "severity": severity, "data": {"io": 1}}
        return await self.perform("send_notification", data)

    async def perform(self, kind: str, data: dict[str, Any]) -> Result:
        effect = Effect(execution="x-1", path="actions/0", type=kind, key=KEY, data=data, deadline=None, sends=0)
        return await self._effects.perform(effect)


Place = tuple[str, Outside, httpx.AsyncClient]


@pytest.fixture(scope="module")
async def place(anyio_backend: str) -> AsyncIterator[Place]:
    outside = Outside()
    async with served(outside) as url, outside_client() as http:
        yield url, outside, http


@pytest.fixture
def bench(place: Place) -> Bench:
    url, outside, http = place
    outside.requests.clear()
    return Bench(url, outside, http)


# ── Commands ────────────────────────────────


async def test_taken_up_and_done(bench: Bench) -> None:
    assert await bench.command((200, answer())) == Done({"state": "STARTED", "completed": True})
    _, _, body = bench.outside.requests[0]
    assert json.loads(body)["idempotency_key"] == KEY


async def test_without_wait_taken_up_is_enough(bench: Bench) -> None:
    result = await bench.command((200, answer(completed=False, state="INITIALIZING")))
    assert isinstance(result, Done)
    assert result.value["completed"] is False


async def test_with_wait_it_is_asked_again_under_the_same_key(bench: Bench) -> None:
    unfinished = (200, answer(completed=False, state="INITIALIZING"))
    result = await bench.command(unfinished, unfinished, (200, answer(result={"n": 1})), wait=True)
    assert result == Done({"state": "STARTED", "completed": True, "result": {"n": 1}})
    assert {json.loads(body)["idempotency_key"] for _, _, body in bench.outside.requests} == {KEY}
    assert len(bench.outside.requests) == 3


async def test_params_go_with_a_command_of_the_components_own(bench: Bench) -> None:
    await bench.command((200, answer(command="RECALIBRATE")), command="RECALIBRATE", params={"axis": "x"})
    assert json.loads(bench.outside.requests[0][2])["payload"] == {"command": "RECALIBRATE", "params": {"axis": "x"}}


@pytest.mark.parametrize("code", ["command_failed", "command_refused", "command_interrupted"])
async def test_answered_that_it_failed(bench: Bench, code: str) -> None:
    result = await bench.command((200, answer(code=code, message="the motor is hot")))
    assert result == Failed(code, "the motor is hot")


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "command_refused"), (422, "key_reused"), (422, "command_unsupported"), (401, "unauthorised")],
)
async def test_refused_before_it_began(bench: Bench, status: int, code: str) -> None:
    result = await bench.command((status, {"code": code, "detail": "no"}))
    assert isinstance(result, Failed)
    assert result.code == code


async def test_a_component_that_is_not_registered(bench: Bench) -> None:
    result = await bench.command((200, answer()), component="nobody")
    assert result == Failed("component_unknown", "component nobody is not registered")


async def test_a_command_that_nobody_has(bench: Bench) -> None:
    result = await bench.command((200, answer()), command="no such")
    assert isinstance(result, Failed)
    assert result.code == "event_invalid"


@pytest.mark.parametrize(("status", "code"), [(409, "component_busy"), (503, "component_stopping")])
async def test_busy_or_going_away(bench: Bench, status: int, code: str) -> None:
    result = await bench.command((status, {"code": code, "detail": "later"}))
    assert isinstance(result, Unknown)
    assert result.code == code


async def test_not_reached(bench: Bench) -> None:
    bench.address = f"http://127.0.0.1:{free_port()}"
    result = await bench.command((200, answer()))
    assert isinstance(result, Unknown)
    assert result.code == "unreachable"


@pytest.mark.parametrize("told", [(500, {"detail": "oh"}), (200, {"not": "an answer"}), (200, answer(key="other"))])
async def test_no_answer_that_says_what_became_of_it(bench: Bench, told: tuple[int, dict[str, Any]]) -> None:
    result = await bench.command(told)
    assert isinstance(result, Unknown)
    assert result.code == "outcome_unknown"


async def test_leadership_lost_after_it_was_answered(bench: Bench) -> None:
    bench.loses_leadership = True
    result = await bench.command((200, answer()))
    assert isinstance(result, Unknown)
    assert result.code == "outcome_unknown"


async def test_a_newer_leader_has_spoken(bench: Bench) -> None:
    with pytest.raises(StaleEpoch):
        await bench.command((409, {"code": "stale_epoch", "detail": "2.9 has spoken"}))


# ── Requests ────────────────────────────────


async def test_an_expected_answer_with_its_body(bench: Bench) -> None:
    result = await bench.request("/anything")
    assert isinstance(result, Done)
    assert (result.value["status"], result.value["body"]) == (200, {"ok": True, "n": [1, 2]})
    assert result.value["headers"]["content-type"] == "application/json"
    _, headers, body = bench.outside.requests[0]
    assert (headers["idempotency-key"], json.loads(body)) == (KEY, {"n": 1})
    assert "authorization" not in headers


async def test_text_stays_text_and_cookies_are_not_kept(bench: Bench) -> None:
    result = await bench.request("/text", method="GET", body=None)
    assert isinstance(result, Done)
    assert result.value["body"] == "plain"
    assert result.value["headers"]["etag"] == '"7"'
    assert "secret" not in json.dumps(result.value)
    assert "idempotency-key" not in bench.outside.requests[0][1]


async def test_a_body_beyond_the_bound_is_not_kept(bench: Bench) -> None:
    result = await bench.request("/large")
    assert isinstance(result, Done)
    assert (result.value["body"], result.value["truncated"]) == (None, True)


@pytest.mark.parametrize("status", [400, 404, 409, 429])
async def test_another_status_has_failed(bench: Bench, status: int) -> None:
    result = await bench.request(f"/status/{status}?token=secret")
    assert isinstance(result, Failed)
    assert result.code == "http_status"
    assert f"answered {status}, expected 200, 201" in result.message
    assert "secret" not in result.message


async def test_an_expected_failure_is_what_was_wanted(bench: Bench) -> None:
    assert isinstance(await bench.request("/status/404", expect=[404]), Done)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_status_that_leaves_it_open(bench: Bench, status: int) -> None:
    result = await bench.request(f"/status/{status}")
    assert isinstance(result, Unknown)
    assert result.code == "http_status"


async def test_no_redirect_is_followed(bench: Bench) -> None:
    result = await bench.request("/redirect")
    assert isinstance(result, Failed)
    assert "answered 307" in result.message
    assert len(bench.outside.requests) == 1


async def test_not_connected(bench: Bench) -> None:
    result = await bench.request(f"http://user:secret@127.0.0.1:{free_port()}/x")
    assert isinstance(result, Failed)
    assert result.code == "unreachable"
    assert "secret" not in result.message


async def test_broken_off_after_it_was_sent(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    result = await bench.request("/breaks-off")
    assert isinstance(result, Unknown)
    assert result.code == "outcome_unknown"


@pytest.mark.parametrize("url", ["http://", "ftp://host/x", "http://host:port/", "http://ho st/"])
async def test_an_address_that_is_none(bench: Bench, url: str) -> None:
    result = await bench.request(url)
    assert isinstance(result, Failed)
    assert result.code in ("url_invalid", "unreachable")


async def test_a_receiver_that_knows_no_keys_is_not_asked_twice(bench: Bench) -> None:
    result = await bench.request("/status/503", safe=False)
    assert isinstance(result, Failed)
    assert result.code == "outcome_unknown"


# ── Notifications ────────────────────────────────


async def test_a_webhook_gets_the_key_as_id(bench: Bench) -> None:
    assert await bench.notify("ops") == Done()
    _, headers, body = bench.outside.requests[0]
    assert headers["idempotency-key"] == KEY
    assert json.loads(body) == {
        "id": KEY,
        "execution": "x-1",
        "severity": "error",
        "message": "io is down",
        "data": {"io": 1},
    }


async def test_slack_gets_a_text(bench: Bench) -> None:
    assert await bench.notify("chat") == Done()
    assert json.loads(bench.outside.requests[0][2]) == {"text": "[error] io is down"}


async def test_a_log_gets_a_line(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    assert await bench.notify("default") == Done()
    assert "io is down" in caplog.text


async def test_a_channel_that_is_not_there_names_those_that_are(bench: Bench) -> None:
    result = await bench.notify("nowhere")
    assert isinstance(result, Failed)
    assert result.code == "channel_unknown"
    assert "away, broken, chat, default, ops, refused" in result.message


async def test_a_channel_that_refuses_or_fails(bench: Bench) -> None:
    refused, broken = await bench.notify("refused"), await bench.notify("broken")
    assert isinstance(refused, Failed)
    assert refused.code == "http_status"
    assert isinstance(broken, Unknown)


async def test_the_address_of_a_channel_is_never_told(bench: Bench) -> None:
    result = await bench.notify("away")
    assert isinstance(result, Failed)
    assert result.code == "unreachable"
    assert "channel away" in result.message
    assert "T0KEN" not in result.message


async def test_what_is_not_known_how_to_do(bench: Bench) -> None:
    result = await bench.perform("teleport", {})
    assert isinstance(result, Failed)
    assert result.code == "unsupported"
