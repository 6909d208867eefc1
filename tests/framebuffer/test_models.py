"""The frame event, its trace context and the registration: round trips, refusals with field and reason."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from framebuffer.models import (
    METADATA_BYTES_MAX,
    FrameReadyEvent,
    InvalidTraceparent,
    ProcessorRegistration,
    ProcessorUpdate,
    TraceContext,
    age_s,
    problems,
)

TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_flags": "01"}


def frame_fields(**changes: Any) -> dict[str, Any]:
    return {
        "frame_id": "cam01-17",
        "camera_id": "cam01",
        "timestamp": datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
        "size_bytes": 1024,
        "width": 1920,
        "height": 1080,
        "format": "jpeg",
        "trace_context": TRACE,
        **changes,
    }


def refusal(model: Any, fields: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return [(problem.field, problem.reason) for problem in problems(caught.value)]


def test_a_frame_survives_its_json() -> None:
    event = FrameReadyEvent(**frame_fields(priority=3, metadata={"detection_type": "face_detection", "n": [1, None]}))

    assert FrameReadyEvent.from_json(event.to_json()) == event
    assert FrameReadyEvent.from_json(event.to_json().encode()) == event
    assert FrameReadyEvent.from_json(json.loads(event.to_json())) == event
    assert event.capability == "face_detection"


def test_a_frame_without_detection_type_asks_for_default() -> None:
    assert FrameReadyEvent(**frame_fields()).capability == "default"
    assert FrameReadyEvent(**frame_fields()).capabilities == ("default",)


def test_a_frame_may_ask_for_several() -> None:
    event = FrameReadyEvent(**frame_fields(metadata={"detection_types": ["face", "plate"]}))
    assert event.capabilities == FrameReadyEvent.from_json(event.to_json()).capabilities == ("face", "plate")
    assert event.capability == "face,plate"


@pytest.mark.parametrize("ahead_s", [-1e9, -5.0, 0.0, 59.0])
def test_the_age_of_a_frame(ahead_s: float) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert age_s(now + timedelta(seconds=ahead_s), now) == -ahead_s
    with pytest.raises(ValueError, match="is 61 s ahead"):
        age_s(now + timedelta(seconds=61), now)


def test_a_frame_is_frozen() -> None:
    event = FrameReadyEvent(**frame_fields())
    with pytest.raises(ValidationError):
        event.priority = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"frame_id": ""}, "frame_id", "pattern"),
        ({"frame_id": "two words"}, "frame_id", "pattern"),
        ({"frame_id": "x" * 129}, "frame_id", "pattern"),
        ({"camera_id": "cam/1"}, "camera_id", "pattern"),
        ({"camera_id": "cam\n"}, "camera_id", "pattern"),
        ({"camera_id": 7}, "camera_id", "string"),
        ({"timestamp": datetime(2025, 1, 2)}, "timestamp", "timezone"),  # noqa: DTZ001 (the point)
        ({"timestamp": 1_700_000_000}, "timestamp", "not a number"),
        ({"timestamp": "1700000000.5"}, "timestamp", "not a number"),
        ({"timestamp": "yesterday"}, "timestamp", "datetime"),
        ({"size_bytes": -1}, "size_bytes", "greater than or equal to 0"),
        ({"size_bytes": True}, "size_bytes", "integer"),
        ({"width": 0}, "width", "greater than 0"),
        ({"width": "1920"}, "width", "integer"),
        ({"height": 1_000_001}, "height", "less than or equal to 1000000"),
        ({"format": "jpeg\n"}, "format", "pattern"),
        ({"priority": 11}, "priority", "less than or equal to 10"),
        ({"priority": -1}, "priority", "greater than or equal to 0"),
        ({"priority": 1.5}, "priority", "integer"),
        ({"trace_context": {**TRACE, "trace_id": "0" * 32}}, "trace_context.trace_id", "zeros"),
        ({"trace_context": {**TRACE, "span_id": "abc123"}}, "trace_context.span_id", "pattern"),
        ({"trace_context": {**TRACE, "trace_flags": "1"}}, "trace_context.trace_flags", "pattern"),
        ({"trace_context": {**TRACE, "trace_id": TRACE["trace_id"].upper()}}, "trace_context.trace_id", "pattern"),
        ({"metadata": {"detection_type": ""}}, "metadata", "detection_type"),
        ({"metadata": {"detection_type": "face detection"}}, "metadata", "detection_type"),
        ({"metadata": {"detection_type": "face\n"}}, "metadata", "detection_type"),
        ({"metadata": {"detection_type": ["face"]}}, "metadata", "detection_type"),
        ({"metadata": {"score": math.nan}}, "metadata", "NaN"),
        ({"metadata": {"text": "x" * METADATA_BYTES_MAX}}, "metadata", "at most 65536 bytes"),
        ({"metadata": "text"}, "metadata", "dictionary"),
        ({"metdata": {}}, "metdata", "not permitted"),
    ],
)
def test_a_bad_frame_is_refused_with_field_and_reason(change: dict[str, Any], field: str, reason: str) -> None:
    found = refusal(FrameReadyEvent, frame_fields(**change))
    assert len(found) == 1
    assert found[0][0] == field
    assert reason in found[0][1]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), "\ud800"])
def test_metadata_must_be_json(value: object) -> None:
    found = refusal(FrameReadyEvent, frame_fields(metadata={"k": value}))
    assert found[0][0].startswith("metadata")


def test_metadata_nested_without_end_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    assert refusal(FrameReadyEvent, frame_fields(metadata=endless))[0][0].startswith("metadata")
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    text = FrameReadyEvent(**frame_fields()).to_json().replace('"metadata":{}', f'"metadata":{deep}')
    with pytest.raises(ValidationError):
        FrameReadyEvent.from_json(text)


def test_each_wrong_field_is_named() -> None:
    found = refusal(FrameReadyEvent, {"camera_id": "cam01"})
    assert {field for field, _ in found} == {
        "frame_id", "timestamp", "size_bytes", "width", "height", "format", "trace_context",
    }  # fmt: skip


def test_a_problem_does_not_repeat_the_refused_value() -> None:
    found = refusal(FrameReadyEvent, frame_fields(format="secret value"))
    assert "secret" not in found[0][1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    metadata=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), json_values, max_size=4),
    priority=st.integers(0, 10),
    size=st.integers(0, 2**40),
    moment=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=-30))])),
)
def test_every_valid_frame_survives_its_json(
    metadata: dict[str, Any], priority: int, size: int, moment: datetime
) -> None:
    metadata.pop("detection_type", None)
    event = FrameReadyEvent(**frame_fields(metadata=metadata, priority=priority, size_bytes=size, timestamp=moment))
    restored = FrameReadyEvent.from_json(event.to_json())
    assert restored == event
    assert restored.to_json() == event.to_json()


def test_a_traceparent_is_read_and_written() -> None:
    text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    context = TraceContext.parse(text)
    assert context == TraceContext.model_validate(TRACE)
    assert context.format() == text
    assert context.sampled


def test_a_traceparent_of_a_later_version_is_read() -> None:
    context = TraceContext.parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-comes-next")
    assert context.format() == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    assert not context.sampled


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must look like"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "must look like"),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "lower case"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n", "must look like"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "exactly four"),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "forbidden"),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "trace id of zeros"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "span id of zeros"),
    ],
)
def test_an_invalid_traceparent_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidTraceparent, match=reason) as caught:
        TraceContext.parse(text)
    assert caught.value.code == "traceparent_invalid"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        context = TraceContext.parse(text)
    except InvalidTraceparent:
        return
    assert TraceContext.parse(context.format()) == context


def test_a_child_stays_in_the_trace() -> None:
    root = TraceContext.new(sampled=False)
    child = root.child()
    assert child.trace_id == root.trace_id
    assert child.span_id != root.span_id
    assert child.trace_flags == root.trace_flags == "00"
    assert TraceContext.model_validate(child.model_dump()) == child


def registration_fields(**changes: Any) -> dict[str, Any]:
    return {"id": "face-1", "capabilities": ["face_detection", "people"], "capacity": 10, **changes}


def test_a_registration_survives_its_json() -> None:
    registration = ProcessorRegistration(
        **registration_fields(queue="frames:ready:face-1", health_url="http://[::1]:80/health", labels={"rack": "7"})
    )
    assert ProcessorRegistration.from_json(registration.to_json()) == registration
    assert registration.can_process("face_detection")
    assert not registration.can_process("vehicle_detection")
    assert registration.group == "face-1-group"


def test_the_queue_of_a_registration_is_its_own() -> None:
    assert ProcessorRegistration(**registration_fields()).queue == "frames:ready:face-1"
    assert ProcessorRegistration(**registration_fields(capabilities=["a", "b", "a"])).capabilities == ("a", "b")


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"id": ""}, "id", "pattern"),
        ({"id": ".hidden"}, "id", "pattern"),
        ({"id": "x" * 65}, "id", "pattern"),
        ({"capabilities": []}, "capabilities", "at least 1"),
        ({"capabilities": [""]}, "capabilities.0", "pattern"),
        ({"capabilities": "face"}, "capabilities", "tuple"),
        ({"capabilities": [f"c{n}" for n in range(65)]}, "capabilities", "at most 64"),
        ({"capacity": 0}, "capacity", "greater than or equal to 1"),
        ({"capacity": "10"}, "capacity", "integer"),
        ({"queue": "frames:ready:other"}, "queue", "queue belongs to another"),
        ({"health_url": "ftp://host/"}, "health_url", "http"),
        ({"health_url": "http://"}, "health_url", "http"),
        ({"health_url": "http://host:99999/"}, "health_url", "http"),
        ({"labels": {"rack": 7}}, "labels.rack", "string"),
        ({"labels": {f"l{n}": "" for n in range(33)}}, "labels", "at most 32"),
        ({"color": "red"}, "color", "not permitted"),
    ],
)
def test_a_bad_registration_is_refused_with_field_and_reason(change: dict[str, Any], field: str, reason: str) -> None:
    found = refusal(ProcessorRegistration, registration_fields(**change))
    assert len(found) == 1
    assert found[0][0] == field
    assert reason in found[0][1]


def test_an_update_keeps_what_it_does_not_name() -> None:
    update = ProcessorUpdate(capacity=5, health_url=None)
    assert update.model_fields_set == {"capacity", "health_url"}
    assert ProcessorUpdate(capabilities=("a", "a")).capabilities == ("a",)
    assert refusal(ProcessorUpdate, {"capacity": 0})[0][0] == "capacity"
    assert refusal(ProcessorUpdate, {"health_url": "nowhere"})[0][0] == "health_url"
