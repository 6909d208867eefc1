"""The event protocol: what is taken, and what a refusal names."""

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import EventInvalid, EventUnknown
from orchestrator.events import (
    COMMAND,
    ERROR,
    FIELDS_AT_FAULT_MAX,
    HEARTBEAT,
    CommandAnswer,
    CommandPayload,
    ErrorPayload,
    Event,
    HeartbeatPayload,
    StateChangedPayload,
    check_known,
    parse_event,
    parse_payload,
)
from orchestrator.lifecycle import Command, State


def event(**members: Any) -> dict[str, Any]:
    return {"type": "component.heartbeat", "source": "press-1", **members}


def refused(body: Any) -> EventInvalid:
    with pytest.raises(EventInvalid) as caught:
        parse_event(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def fields(error: EventInvalid) -> list[str]:
    return [problem["field"] for problem in error.details["errors"]]


def test_a_short_event_gets_an_id_and_a_time() -> None:
    first, second = (parse_event(json.dumps(event()).encode()) for _ in range(2))
    assert first.id != second.id
    assert first.time.tzinfo is not None
    assert (first.target, first.idempotency_key, first.epoch, first.payload) == (None, None, None, {})


def test_an_event_survives_the_wire() -> None:
    sent = Event(
        type=COMMAND,
        source="orchestrator",
        target="press-1",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        payload={"command": "CMD_START"},
        idempotency_key="k",
        epoch="3.17",
    )
    assert parse_event(sent.model_dump_json().encode()) == sent


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"type": ""}, "type"),
        ({"type": "Component.Heartbeat"}, "type"),
        ({"type": "a" * 101}, "type"),
        ({"source": "-press"}, "source"),
        ({"source": "press 1"}, "source"),
        ({"source": "press-1\n"}, "source"),
        ({"target": ""}, "target"),
        ({"time": "2026-01-01T00:00:00"}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"payload": [1]}, "payload"),
        ({"payload": None}, "payload"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "k" * 201}, "idempotency_key"),
        ({"epoch": "3"}, "epoch"),
        ({"epoch": "-1.2"}, "epoch"),
        ({"epoch": "1" * 21 + ".1"}, "epoch"),
        ({"id": 5}, "id"),
        ({"tpye": "x"}, "tpye"),
    ],
)
def test_a_member_at_fault_is_named(members: dict[str, Any], field: str) -> None:
    error = refused(event(**members))
    assert fields(error) == [field]
    assert error.message.startswith(f"{field}: ")


def test_all_members_at_fault_are_named_at_once() -> None:
    assert fields(refused({"target": "", "surplus": 1})) == ["type", "source", "target", "surplus"]


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"type":' + b"[" * 5_000])
def test_what_is_no_event_at_all(body: bytes) -> None:
    assert fields(refused(body)) == ["body"]


def test_a_refusal_is_bounded_and_repeats_no_value() -> None:
    error = refused(event(**{f"x{n}" * 50_000: 1 for n in range(2)}, **{f"y{n}": "hush" for n in range(5_000)}))
    assert len(error.details["errors"]) == FIELDS_AT_FAULT_MAX
    assert len(json.dumps(error.details)) < 10_000
    assert "hush" not in json.dumps(error.details)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ('{"x": NaN}', "payload.x"),
        ('{"x": -Infinity}', "payload.x"),
        ('{"x": [1, {"y": 1e999}]}', "payload.x.1.y"),
    ],
)
def test_numbers_that_json_does_not_have_are_refused(payload: str, field: str) -> None:
    error = refused(f'{{"type": "door.opened", "source": "press-1", "payload": {payload}}}'.encode())
    assert fields(error) == [field]
    assert error.message.startswith(f"{field}: a number must be finite")


def test_a_payload_of_many_places_with_long_names_is_looked_through_in_little_memory() -> None:
    nested = "[" + ",".join(["[0]"] * 20_000) + "]"
    for number in range(50):
        nested = f'{{"{number:02}{"n" * 1_000}": {nested}}}'
    body = f'{{"type": "door.opened", "source": "press-1", "payload": {nested}}}'.encode()
    parse_event(body)  # what is imported and made at the first time does not count
    tracemalloc.start()
    try:
        parse_event(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


def test_a_refused_id_says_how_one_looks() -> None:
    error = refused(event(source="press 1"))
    assert error.message == "source: must be 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or a digit"


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_bytes_are_an_event_or_a_refusal_that_names_a_field(body: bytes) -> None:
    fault: EventInvalid | None = None
    try:
        parse_event(body)
    except EventInvalid as error:
        fault = error
    assert fault is None or fault.details["errors"]


def test_the_payload_of_a_command_knows_the_alias() -> None:
    def parse(command: object) -> Command | str:
        return parse_payload(Event(type=COMMAND, source="o", payload={"command": command}), CommandPayload).command

    assert parse("CMD_STOP") is Command.GRACEFUL_STOP
    assert parse("CMD_RESET") is Command.RESET
    for wrong in ("CMD_JUMP", 5, None, ["CMD_START"]):
        with pytest.raises(EventInvalid, match=r"^payload\.command: "):
            parse(wrong)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "payload.state"),
        ({"state": "ASLEEP"}, "payload.state"),
        ({"state": "READY", "reason": "x" * 501}, "payload.reason"),
        ({"state": "READY", "sequence": -1}, "payload.sequence"),
        ({"state": "READY", "sequence": 2**63}, "payload.sequence"),
        ({"state": "READY", "incarnation": "i" * 65}, "payload.incarnation"),
        ({"state": "READY", "cpu": -0.1}, "payload.cpu"),
        ({"state": "READY", "cpu": float("nan")}, "payload.cpu"),
        ({"state": "READY", "memory": -1}, "payload.memory"),
        ({"state": "READY", "load": 1}, "payload.load"),
    ],
)
def test_a_heartbeat_at_fault(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(EventInvalid) as caught:
        parse_payload(Event(type=HEARTBEAT, source="press-1", payload=payload), HeartbeatPayload)
    assert fields(caught.value) == [field]


def test_a_change_of_state_says_where_it_came_from() -> None:
    payload = {"state": "STARTED", "previous": "INIT_COMPLETE", "sequence": 4, "incarnation": "i"}
    found = parse_payload(Event(type="component.state_changed", source="p", payload=payload), StateChangedPayload)
    assert (found.state, found.previous, found.sequence) == (State.STARTED, State.INIT_COMPLETE, 4)


def test_an_answer_of_a_newer_component_is_still_an_answer() -> None:
    body = {"component_id": "p", "command": "CMD_START", "key": "k", "state": "STARTED", "completed": True, "warmth": 3}
    answer = CommandAnswer.model_validate_json(json.dumps(body))
    assert answer.ok
    assert not answer.model_copy(update={"code": "command_failed"}).ok


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_goes_along() -> None:
    assert parse_event(json.dumps(event(traceparent=TRACE)).encode()).traceparent == TRACE


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        TRACE.upper(),
        TRACE[:-1],
        TRACE + "-x",
        "ff" + TRACE[2:],
        TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        TRACE.replace("b7ad6b7169203331", "0" * 16),
        5,
    ],
)
def test_a_trace_that_is_none_is_refused(wrong: object) -> None:
    assert fields(refused(event(traceparent=wrong))) == ["traceparent"]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"health": "FAULT"}, "payload.health"),
        ({"health": "UNRESPONSIVE"}, "payload.health"),
        ({"health_reason": "x" * 501}, "payload.health_reason"),
        ({"metrics": {"a b": 1}}, "payload.metrics.a b.[key]"),
        ({"metrics": {"a": float("inf")}}, "payload.metrics.a"),
        ({"metrics": {f"m{n}": 1 for n in range(51)}}, "payload.metrics"),
    ],
)
def test_what_a_heartbeat_says_of_health_is_bounded(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(EventInvalid) as caught:
        parse_payload(Event(type=HEARTBEAT, source="p", payload={"state": "READY", **payload}), HeartbeatPayload)
    assert fields(caught.value) == [field]


ERROR_PAYLOAD = {"severity": "error", "error_code": "E42"}


def test_an_error_is_structured() -> None:
    found = parse_payload(Event(type=ERROR, source="p", payload=ERROR_PAYLOAD), ErrorPayload)
    assert (found.severity, found.error_code, found.message, found.can_recover, found.metadata) == (
        *("error", "E42", "", True, {}),
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"severity": "fatal"}, "payload.severity"),
        ({"error_code": ""}, "payload.error_code"),
        ({"error_code": "two words"}, "payload.error_code"),
        ({"message": "x" * 2001}, "payload.message"),
        ({"metadata": {"x": "y" * 17_000}}, "payload.metadata"),
        ({"metadata": [1]}, "payload.metadata"),
        ({"stack": "x"}, "payload.stack"),
    ],
)
def test_an_error_at_fault(change: dict[str, Any], field: str) -> None:
    with pytest.raises(EventInvalid) as caught:
        parse_payload(Event(type=ERROR, source="p", payload={**ERROR_PAYLOAD, **change}), ErrorPayload)
    assert fields(caught.value) == [field]


@pytest.mark.parametrize("name", ["RECALIBRATE", "A", "A_1"])
def test_a_component_has_commands_of_its_own(name: str) -> None:
    sent = Event(type=COMMAND, source="o", payload={"command": name, "params": {"a": 1}})
    found = parse_payload(sent, CommandPayload)
    assert (found.command, found.params) == (name, {"a": 1})


@pytest.mark.parametrize("kind", ["component.x", "orchestrator.x.y", "playbook", "component"])
def test_the_products_own_types_are_known_or_refused(kind: str) -> None:
    with pytest.raises(EventUnknown, match=r"takes no events of type .* it takes: component\.error"):
        check_known(kind, [ERROR], taker="orchestrator")
    check_known(ERROR, [ERROR], taker="orchestrator")
    check_known("components.x", [], taker="orchestrator")
