"""An exception becomes one problem document, the same wherever it was raised."""

import json
import logging

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError
from starlette.exceptions import HTTPException

import cluster
from framebuffer.errors import Fenced, RedisRefused, RedisUnavailable
from orchestrator import errors
from orchestrator.api.documented import FieldAtFault
from orchestrator.api.problems import KINDS, Problem, outcome_unknown, problem_of, refused, respond
from orchestrator.events import parse_event


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (Problem("no_leader", "x"), "no_leader", 503),
        (HTTPException(404), "not_found", 404),
        (HTTPException(405), "method_not_allowed", 405),
        (HTTPException(418), "invalid_request", 418),
        (cluster.NotLeader("n2"), "no_leader", 503),
        (cluster.NoLeader(), "no_leader", 503),
        (cluster.QueueFull(5), "queue_full", 503),
        (cluster.CommandTooLarge(2, 1), "command_too_large", 413),
        (cluster.NodeStopped(), "node_stopped", 503),
        (cluster.OutcomeUnknown("id", "why"), "outcome_unknown", 504),
        (cluster.ReadTimedOut(1), "read_timed_out", 503),
        (cluster.TooStale(2, 1), "too_stale", 503),
        (cluster.TransferFailed("x"), "transfer_failed", 409),
        (cluster.MemberChangeRefused("x"), "member_change_refused", 409),
        (cluster.KindUnsupported("x.y", 2, ["n2"]), "kind_unsupported", 409),
        (cluster.SnapshotUnreadable("x"), "snapshot_unreadable", 422),
        (cluster.LogDiverged("x"), "internal", 500),
        (Fenced((3, 4), "n2"), "fenced", 409),
        (RedisUnavailable("timeout", "x"), "redis_unavailable", 503),
        (RedisRefused("x"), "redis_refused", 503),
        (errors.ComponentUnknown("x"), "component_unknown", 404),
        (errors.Unreachable("x"), "unreachable", 502),
        (errors.OutcomeUnknown("x"), "outcome_unknown", 504),
        (errors.Refused("x", code="component_busy"), "component_busy", 409),
        (RuntimeError("secret"), "internal", 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_error_has_its_code_and_status(error: Exception, code: str, status: int) -> None:
    problem = problem_of(error, key="k-1")
    assert (problem.code, problem.status) == (code, status)
    assert "secret" not in problem.detail


@pytest.mark.parametrize("code", ["no_leader", "queue_full", "redis_unavailable", "too_stale", "not_ready"])
def test_what_may_be_tried_again_says_when(code: str) -> None:
    assert Problem(code, "x").headers["Retry-After"] == "1"


@pytest.mark.parametrize("code", sorted(KINDS))
def test_the_document_has_what_rfc_9457_asks_for(code: str) -> None:
    response = respond(Problem(code, "what happened", reasons=["a"]), "/v1/x")
    assert response.headers["content-type"] == "application/problem+json"
    document = json.loads(bytes(response.body))
    assert document["type"] == f"urn:triarch:problem:{code}"
    assert document["title"]
    assert document["status"] == response.status_code == KINDS[code][0]
    assert document["detail"] == "what happened"
    assert document["instance"] == "/v1/x"
    assert document["code"] == code
    assert document["reasons"] == ["a"]


def test_members_cannot_shadow_the_document() -> None:
    problem = problem_of(errors.Refused("x", status=200, detail="no", headers="no", other=1))
    assert (problem.status, problem.detail, problem.members) == (409, "x", {"other": 1})


def test_an_unknown_outcome_names_the_key_to_repeat_with() -> None:
    for problem in (
        outcome_unknown("k-1", "x"),
        problem_of(cluster.OutcomeUnknown("internal id", "x"), key="k-1"),
        problem_of(errors.OutcomeUnknown("x"), key="k-1"),
    ):
        assert problem.members["idempotency_key"] == "k-1"
        assert problem.headers["Idempotency-Key"] == "k-1"
        assert "k-1" in problem.detail
        assert "internal id" not in problem.detail
    assert outcome_unknown(None, "x").members == {}


def test_a_refusal_of_the_state_keeps_its_code() -> None:
    assert refused("processor_exists", "x").status == 409
    assert refused("processor_unknown", "x").status == 404
    assert refused("of_a_newer_release", "x").status == 409


def test_fields_at_fault_of_an_event_are_as_documented() -> None:
    with pytest.raises(errors.EventInvalid) as caught:
        parse_event(b'{"type": 5, "source": "press-1"}')
    problem = problem_of(caught.value)
    assert problem.code == "event_invalid"
    for fault in problem.members["errors"]:
        assert FieldAtFault(**fault).location == fault["field"] == "type"
    assert problem_of(errors.EventInvalid("x")).members == {}


def test_fields_at_fault_are_named_without_their_values() -> None:
    class Body(BaseModel):
        token: SecretStr = Field(min_length=30)
        count: int

    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"token": "hunter2", "count": "many"})
    problem = problem_of(caught.value)
    assert (problem.code, problem.status) == ("invalid_request", 422)
    assert [fault["location"] for fault in problem.members["errors"]] == ["token", "count"]
    text = json.dumps(problem.document("/x"))
    assert "hunter2" not in text
    assert "many" not in text


def test_a_defect_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        problem_of(RuntimeError("the cause"))
    assert "the cause" in caplog.text
