"""Every refusal of the HTTP interface: RFC 9457 problem documents with a stable `code`.

    Problem                    one code of `KINDS`, or of the error trees of orchestrator, cluster and framebuffer
    problem_of(exception)  ->  Problem      the only place where an exception becomes a status
    respond(problem, ...)  ->  application/problem+json

`type` is `urn:triarch:problem:<code>`; clients match on `code`. A `detail` never holds a secret, a stack, or a value
that failed validation.
"""

import http
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

import cluster
import framebuffer.errors as frame_errors
from orchestrator.errors import BY_CODE, OrchestratorError
from orchestrator.looks import in_words

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:triarch:problem:"
RETRY_AFTER_S = "1"

# code -> (status, title). Codes of other trees that reach a client stand here too, so that this is the whole list.
KINDS: dict[str, tuple[int, str]] = {
    "invalid_request": (422, "The request is not valid"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "This method is not possible here"),
    "unauthorised": (401, "A valid token is needed"),
    "forbidden": (403, "This is not allowed to whoever asks"),
    "token_unknown": (404, "There is no such token"),
    "token_exists": (409, "There is a token of this id already"),
    "token_over": (409, "The token was revoked or has expired"),
    "token_made": (409, "This request has made its token before; its text is shown once"),
    "too_many_tokens": (409, "No further token may be made"),
    "last_admin": (409, "It is the last admin's token"),
    "already_bootstrapped": (409, "The first admin's token was made already"),
    "path_invalid": (400, "The path could be understood in two ways"),
    "target_too_long": (414, "Path and query are too long"),
    "headers_too_large": (431, "The headers are too many or too large"),
    "unsupported_media_type": (415, "A body of this type is not taken here"),
    "too_many_requests": (429, "Too many requests; some later ones will be taken"),
    "identity_provider_unavailable": (503, "The keys of the identity provider are not known now"),
    "too_many_connections": (503, "This node has as many connections as it may"),
    "host_unknown": (421, "This node is not asked under this name"),
    "cross_site": (403, "A page of another site may change nothing"),
    "request_timed_out": (408, "The request did not arrive in time"),
    "body_too_large": (413, "The request body is too large"),
    "command_too_large": (413, "The change is too large to replicate"),
    "no_leader": (503, "No leader is known now; nothing was changed"),
    "not_leader": (503, "This node does not lead"),
    "not_ready": (503, "This node is not ready"),
    "queue_full": (503, "Too many changes wait to be replicated; nothing was changed"),
    "read_timed_out": (503, "The read was not answered in time"),
    "node_stopped": (503, "This node is stopping"),
    "too_stale": (503, "This node's state is older than allowed"),
    "outcome_unknown": (504, "The change may have been made; repeat it under the same Idempotency-Key"),
    "transfer_failed": (409, "Leadership was not transferred"),
    "member_unknown": (404, "No such member of the cluster"),
    "member_change_refused": (409, "The members stay as they are"),
    "kind_unsupported": (409, "Not every member runs a release that knows this change yet"),
    "snapshot_unreadable": (422, "This is no snapshot, or one of a newer release"),
    "restore_refused": (422, "The snapshot holds no state that this release takes; nothing was changed"),
    "restore_interrupted": (409, "Another restore began; nothing was changed by this one"),
    "restore_too_large": (413, "The snapshot is too large to replicate"),
    "fenced": (409, "A newer leader has taken over"),
    "processor_exists": (409, "The id is taken by another processor"),
    "processor_changed": (409, "The processor has been registered anew by another client"),
    "processor_unknown": (404, "The processor is not registered"),
    "registry_full": (409, "The registry is full"),
    "component_unknown": (404, "The component is not registered"),
    "component_exists": (409, "The id is taken by another component"),
    "component_changed": (409, "The component has registered again since"),
    "precondition_failed": (412, "It has changed since; nothing was done"),
    "variable_unknown": (404, "The variable is not set"),
    "variable_invalid": (422, "The name or the value of the variable is not valid"),
    "variable_too_large": (413, "The value of the variable is too large"),
    "too_many_variables": (409, "No further variable may be set"),
    "variables_full": (409, "The values of all variables together are too large"),
    "group_unknown": (404, "There is no such group"),
    "group_cycle": (409, "Groups would hold one another"),
    "group_in_use": (409, "The group is a member of another one"),
    "too_many_groups": (409, "No further group may be put"),
    "policy_unknown": (404, "Nothing is said of the component"),
    "dependency_cycle": (409, "Components would need one another"),
    "topology_invalid": (422, "A group, a policy or a selector that cannot be"),
    "selector_empty": (422, "The selector matches no component"),
    "nothing_to_acknowledge": (409, "The component is not in FAULT"),
    "component_in_maintenance": (409, "The component is in maintenance"),
    "supervision_changed": (409, "The supervision has gone on since"),
    "playbook_unknown": (404, "There is no such playbook, or version of it"),
    "playbook_invalid": (422, "The playbook is not valid"),
    "playbook_unreadable": (409, "This release cannot read the playbook"),
    "playbook_cycle": (422, "The playbook would start itself"),
    "playbook_too_large": (413, "The text of the playbook is too large"),
    "too_many_playbooks": (409, "No further playbook may be put"),
    "playbooks_full": (409, "All playbooks together are too large"),
    "inputs_invalid": (422, "The inputs are not what the playbook declares"),
    "execution_unknown": (404, "There is no such execution"),
    "execution_exists": (409, "The id is taken by an execution of another playbook"),
    "execution_skipped": (409, "The playbook's limits do not let another execution start now"),
    "executions_full": (409, "Too many executions are open"),
    "execution_ended": (409, "The execution has ended"),
    "execution_not_ended": (409, "The execution has not ended"),
    "execution_succeeded": (409, "The execution has succeeded: there is nothing to try again"),
    "execution_not_running": (409, "The execution is not running"),
    "execution_not_paused": (409, "The execution is not paused"),
    "step_unknown": (404, "The execution has come to no such step"),
    "step_not_waiting": (409, "The step does not wait for approval"),
    "too_many_signals": (409, "Too many signals wait in the execution"),
    "metric_unknown": (404, "The component has no such metric"),
    "alert_unknown": (404, "There is no such alert"),
    "alert_resolved": (409, "The alert is resolved already"),
    "silence_unknown": (404, "There is no such silence"),
    "too_many_silences": (409, "No further silence may be made"),
    "alert_rule_unknown": (404, "There is no such alert rule"),
    "too_many_alert_rules": (409, "No further alert rule may be set"),
    "unknown_command": (409, "The release that leads does not know this change"),
    "component_superseded": (409, "A newer process has registered under this id"),
    "command_refused": (409, "The lifecycle does not allow this command now"),
    "command_failed": (409, "The component tried and failed"),
    "command_interrupted": (409, "The component was started again while it worked; the command was not done again"),
    "command_unsupported": (422, "The component has no such command"),
    "memory_failed": (409, "The component cannot note what it is about to do; nothing was done"),
    "component_busy": (409, "Another command is running there"),
    "component_stopping": (503, "The component is going away"),
    "key_in_flight": (409, "The first request under this Idempotency-Key is still being answered"),
    "key_reused": (422, "The Idempotency-Key belongs to another request"),
    "event_invalid": (422, "The event is not valid"),
    "unknown_event": (422, "Nothing takes events of this type"),
    "event_too_large": (413, "The event is too large"),
    "template_failed": (422, "An expression could not be evaluated"),
    "event_too_old": (422, "The time of the event is too far from this node's clock"),
    "event_reused": (422, "The id of the event belongs to another event of this source"),
    "stale_epoch": (409, "A newer leader has spoken"),
    "state_not_reached": (504, "The component did not come into the state in time"),
    "unreachable": (502, "It could not be reached; nothing was delivered"),
    "camera_unknown": (404, "No such camera was ever opened"),
    "picture_unknown": (404, "No picture of the camera is kept"),
    "frame_unknown": (404, "No such frame, or nothing of it is kept any more"),
    "compacted": (410, "What changed since is not held any more; begin with a snapshot"),
    "invalid_cursor": (422, "The cursor or the id is not one that an answer gave"),
    "too_many_followers": (503, "This node serves as many followers as it may"),
    "redis_unavailable": (503, "Redis does not answer"),
    "redis_unsupported": (503, "The Redis server lacks what is needed"),
    "redis_refused": (503, "The Redis server refused"),
    "internal": (500, "This is a defect of the node; its log says more"),
}
RETRYABLE = frozenset(
    {
        "no_leader",
        "queue_full",
        "too_stale",
        "not_ready",
        "redis_unavailable",
        "component_stopping",
        "key_in_flight",
        "too_many_followers",
        "too_many_connections",
        "identity_provider_unavailable",
    }
    | {"read_timed_out", "node_stopped"}
)


class Problem(Exception):
    """One refusal. `members` become extension members of the document, `headers` of the response."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        known = KINDS.get(code, (409, "Refused"))
        self.code = code
        self.detail = detail
        self.status = status or known[0]
        self.title = title or known[1]
        self.headers = dict(headers or {})
        self.members = members
        if code in RETRYABLE:
            self.headers.setdefault("Retry-After", RETRY_AFTER_S)

    def document(self, instance: str) -> dict[str, Any]:
        """The body, `instance` being the path of the request."""
        return {
            **self.members,
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
        }


def outcome_unknown(key: str | None, detail: str) -> Problem:
    """504 with the key under which the request may be repeated safely."""
    if key is None:
        return Problem("outcome_unknown", detail)
    hint = f"{detail}; send it again with Idempotency-Key: {key}"
    return Problem("outcome_unknown", hint, headers={"Idempotency-Key": key}, idempotency_key=key)


def refused(code: str, message: str, **members: Any) -> Problem:
    """The refusal in an `Outcome`, an answer of a component or a result of the registry."""
    known = BY_CODE.get(code)
    return Problem(code, message, status=known.status if known and code not in KINDS else None, **members)


def problem_of(error: BaseException, *, key: str | None = None) -> Problem:
    """The problem that an exception means to the client. What nobody foresaw is logged, and 500 without details."""
    match error:
        case Problem():
            return error
        case RequestValidationError() | ValidationError():
            return _invalid(error.errors())
        case HTTPException():
            return _http(error)
        case OrchestratorError():
            return _orchestrator(error, key)
        case cluster.ClusterError():
            return _cluster(error, key)
        case frame_errors.Fenced():
            return Problem("fenced", str(error))
        case frame_errors.FrameUnknown() | frame_errors.InvalidCursor():
            return Problem(error.code, str(error))
        case frame_errors.RedisFailure():
            return Problem(error.code, str(error), status=503)
    log.error("request failed", exc_info=error)
    return Problem("internal", "the node's log says more")


def respond(problem: Problem, instance: str) -> JSONResponse:
    """The response; `instance` is the path that was asked for."""
    return JSONResponse(
        problem.document(instance), status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def _invalid(errors: Sequence[Any]) -> Problem:
    """Field locations such as `body.capacity`, without the values that were sent: they may be secrets."""
    fields = [
        {
            "location": ".".join(str(part) for part in error["loc"]) or "body",
            "message": in_words(str(error["msg"]).removeprefix("Value error, ")),
            "type": str(error["type"]),
        }
        for error in errors
    ]
    detail = "; ".join(f"{field['location']}: {field['message']}" for field in fields[:5])
    return Problem("invalid_request", detail, errors=fields[:100])


def _http(error: HTTPException) -> Problem:
    if error.status_code == 400:  # FastAPI's, for a body whose bytes are no text: refused as any other that is no JSON
        reason = "cannot be read: JSON is text in UTF-8"
        fault = {"location": "body", "message": reason, "type": "json_unreadable"}
        return Problem("invalid_request", f"body: {reason}", errors=[fault])
    codes = {404: "not_found", 405: "method_not_allowed", 401: "unauthorised", 422: "invalid_request"}
    code = codes.get(error.status_code, "invalid_request")
    phrase = http.HTTPStatus(error.status_code).phrase
    detail = "no such path" if error.status_code == 404 and error.detail == phrase else str(error.detail)
    title = KINDS[code][1] if error.status_code in codes else phrase
    return Problem(code, detail, status=error.status_code, title=title, headers=error.headers)


def _orchestrator(error: OrchestratorError, key: str | None) -> Problem:
    if error.code == "outcome_unknown":
        return outcome_unknown(key, error.message)
    details = dict(error.details)
    code = str(details.pop("code", error.code))
    if code == "event_invalid" and "errors" in details:
        # Components say `field`, as their protocol has it; beside it stands what every problem of the API has.
        details["errors"] = [{"location": each["field"], "type": "event", **each} for each in details["errors"]]
    return Problem(code, error.message, status=KINDS.get(code, (error.status, ""))[0], **_members(details))


def _members(details: Mapping[str, Any]) -> dict[str, Any]:
    """Details under names that `Problem` does not use itself."""
    reserved = {"type", "title", "status", "detail", "instance", "headers", "code"}
    return {name: value for name, value in details.items() if name not in reserved}


def _cluster(error: cluster.ClusterError, key: str | None) -> Problem:
    match error:
        case cluster.NotLeader() | cluster.NoLeader():
            return Problem("no_leader", "this node does not lead, and nothing was changed; ask again")
        case cluster.OutcomeUnknown():
            return outcome_unknown(key, "the leader changed, or its quorum was lost, while the change was replicated")
    if error.code in KINDS:
        return Problem(error.code, str(error))
    log.error("request failed", exc_info=error)
    return Problem("internal", "the node's log says more")
