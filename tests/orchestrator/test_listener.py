"""`EventListener` over real HTTP."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import BaseModel

from orchestrator.errors import EventUnknown, Refused, from_code
from orchestrator.events import EVENT_BYTES_MAX, Event
from orchestrator.listener import EventListener
from tests.orchestrator.plant_parts import client, problem, served

pytestmark = pytest.mark.anyio


class Weight(BaseModel):
    kilograms: float
    parts: list[int] = []


class Scale(EventListener):
    """Answers in every way a handler can."""

    def __init__(self) -> None:
        super().__init__("scale")
        self.heard: list[Event] = []
        self.on("scale.weigh", Weight, self.weigh)
        self.on("scale.tare", Weight, self.tare)
        self.on("scale.note", Weight, self.note)
        self.on("scale.refuse", Weight, self.refuse)
        self.on("scale.relay", Weight, self.relay)
        self.on("scale.break", Weight, self.broken)
        self.on("scale.nan", Weight, self.nan)

    async def weigh(self, event: Event, payload: Weight) -> Weight:
        self.heard.append(event)
        return Weight(kilograms=2 * payload.kilograms)

    async def tare(self, _event: Event, payload: Weight) -> Mapping[str, float]:
        return {"tare": payload.kilograms}

    async def note(self, event: Event, _payload: Weight) -> None:
        self.heard.append(event)

    async def refuse(self, _event: Event, _payload: Weight) -> None:
        raise Refused("too heavy", limit=5, status="hidden?")

    async def relay(self, _event: Event, _payload: Weight) -> None:
        raise from_code("scale_worn", "an error of another process")

    async def broken(self, _event: Event, _payload: Weight) -> None:
        raise RuntimeError("secret inside")

    async def nan(self, _event: Event, _payload: Weight) -> Mapping[str, float]:
        return {"weight": float("nan")}


@pytest.fixture
async def scale() -> AsyncIterator[tuple[Scale, httpx.AsyncClient]]:
    listener = Scale()
    async with served(listener) as url, client(url) as http:
        yield listener, http


Served = tuple[Scale, httpx.AsyncClient]


def event(kind: str, **members: object) -> dict[str, object]:
    return {"type": kind, "source": "test", "payload": {"kilograms": 3}, **members}


async def test_what_a_handler_returns_is_the_answer(scale: Served) -> None:
    listener, http = scale
    weighed = await http.post("/event", json=event("scale.weigh", target="scale"))
    assert (weighed.status_code, weighed.json()) == (200, {"kilograms": 6.0, "parts": []})
    assert listener.heard[0].source == "test"
    assert (await http.post("/event", json=event("scale.tare"))).json() == {"tare": 3.0}
    noted = await http.post("/event", json=event("scale.note"))
    assert (noted.status_code, noted.content) == (204, b"")


async def test_an_unknown_type_is_refused_with_the_known_ones(scale: Served) -> None:
    _, http = scale
    answer = await http.post("/event", json=event("scale.paint"))
    assert problem(answer) == (422, "unknown_event")
    assert "scale.nan, scale.note" in answer.json()["detail"]
    with pytest.raises(EventUnknown, match="it takes: none"):
        await EventListener("bare").handle(Event(type="scale.weigh", source="test"))


async def test_an_event_for_another_is_refused(scale: Served) -> None:
    listener, http = scale
    answer = await http.post("/event", json=event("scale.note", target="press"))
    assert problem(answer) == (422, "unknown_event")
    assert "meant for press, this is scale" in answer.json()["detail"]
    assert listener.heard == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["body"]),
        (b"no json", ["body"]),
        (b'{"source": "x y"}', ["type", "source"]),
        (json.dumps(event("scale.note", payload={})).encode(), ["payload.kilograms"]),
        (json.dumps(event("scale.note", payload={"kilograms": 1, "parts": [1, "x"]})).encode(), ["payload.parts.1"]),
    ],
)
async def test_an_invalid_event_names_its_fields(scale: Served, body: bytes, fields: list[str]) -> None:
    listener, http = scale
    answer = await http.post("/event", content=body)
    assert problem(answer) == (422, "event_invalid")
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert listener.heard == []


async def test_an_event_may_have_the_size_allowed_and_no_more(scale: Served) -> None:
    listener, http = scale
    body = json.dumps(event("scale.note")).encode()
    assert (await http.post("/event", content=body.ljust(EVENT_BYTES_MAX))).status_code == 204
    for size in (EVENT_BYTES_MAX + 1, 20 * EVENT_BYTES_MAX):
        assert problem(await http.post("/event", content=body.ljust(size))) == (413, "event_too_large")
    assert len(listener.heard) == 1


async def test_a_body_without_end_is_cut_off(scale: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.listener.DRAINED_BYTES_MAX", EVENT_BYTES_MAX + 1)
    _, http = scale
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield b" " * (1 << 16)

    try:
        answer = await http.post("/event", content=endless())
    except httpx.TransportError:
        pass  # cut off while it was sending
    else:
        assert problem(answer) == (413, "event_too_large")
    assert sent < 64 << 20
    assert (await http.get("/health")).status_code == 200


async def half_sent(http: httpx.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(str(http.base_url))
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"POST /event HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    return reader, writer


async def test_a_body_that_does_not_arrive_is_not_waited_for(scale: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.listener.BODY_WITHIN_S", 0.1)
    _, http = scale
    reader, writer = await half_sent(http)
    answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"did not arrive within 0.1 s" in answer
    writer.close()
    await writer.wait_closed()


async def test_a_sender_that_goes_away_is_no_defect(scale: Served, caplog: pytest.LogCaptureFixture) -> None:
    _, http = scale
    for _ in range(3):
        _, writer = await half_sent(http)
        writer.transport.abort()
    assert (await http.get("/health")).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_refusal_keeps_its_members_and_its_code(scale: Served) -> None:
    _, http = scale
    answer = await http.post("/event", json=event("scale.refuse"))
    assert problem(answer) == (409, "refused")
    assert (answer.json()["detail"], answer.json()["limit"]) == ("too heavy", 5)
    assert problem(await http.post("/event", json=event("scale.relay"))) == (409, "scale_worn")


@pytest.mark.parametrize("kind", ["scale.break", "scale.nan"])
async def test_a_defect_is_logged_and_not_told(scale: Served, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    _, http = scale
    answer = await http.post("/event", json=event(kind))
    assert problem(answer) == (500, "internal")
    assert "secret" not in answer.text
    records = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in records] == [f"scale: handling {kind} failed"]
    assert records[0].exc_info is not None


async def test_other_paths_and_methods_are_problems_too(scale: Served) -> None:
    _, http = scale
    assert problem(await http.get("/nothing")) == (404, "not_found")
    wrong = await http.put("/event")
    assert problem(wrong) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


async def test_health_says_who_this_is(scale: Served) -> None:
    _, http = scale
    assert (await http.get("/health")).json() == {"id": "scale", "status": "ok"}


async def test_a_type_has_one_handler() -> None:
    listener = Scale()
    with pytest.raises(ValueError, match=r"scale\.note has a handler already"):
        listener.on("scale.note", Weight, listener.note)


async def test_a_listener_says_who_it_is_and_what_it_takes(scale: Served) -> None:
    listener, http = scale
    listener.address = str(http.base_url)
    shown = (await http.get("/event")).json()
    assert (shown["id"], shown["name"], shown["port"]) == ("scale", "", http.base_url.port)
    assert shown["types"] == sorted(shown["types"])
    assert {"scale.weigh", "scale.nan"} <= set(shown["types"])
    assert (shown["other_types"], shown["event_bytes_max"]) == (False, EVENT_BYTES_MAX)


async def test_other_types_go_to_who_takes_them_but_not_the_products_own() -> None:
    listener, heard = EventListener("hall"), []

    async def hear(event: Event) -> None:
        heard.append(event.type)

    listener.otherwise(hear)
    async with served(listener) as url, client(url) as http:
        assert (await http.get("/event")).json()["other_types"]
        assert (await http.post("/event", json=event("door.opened"))).status_code == 204
        for own in ("component.opened", "orchestrator.x", "playbook.started"):
            refused = await http.post("/event", json=event(own))
            assert problem(refused) == (422, "unknown_event")
            assert own in refused.json()["detail"]
        assert (await http.post("/event", json=event("components.opened"))).status_code == 204
    assert heard == ["door.opened", "components.opened"]
