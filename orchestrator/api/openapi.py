"""The OpenAPI document, completed: what holds for every operation is said of each, once, here.

FastAPI writes what a route itself declares. Added to that: which headers come and go, the refusals that any request may
meet, `?redirect`, who may ask, where the nodes are, and an example of each body that has none of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from orchestrator.access.principal import Role
from orchestrator.access.rights import RIGHTS
from orchestrator.api.documented import SCHEMA, ProblemDocument, example_of
from orchestrator.api.envelope import LOCAL_PATHS
from orchestrator.api.forward import OWN_WRITES, answered_anywhere
from orchestrator.api.problems import KINDS, MEDIA_TYPE, RETRY_AFTER_S, RETRYABLE
from orchestrator.api.security import OPEN_PATHS
from orchestrator.api.synthesis import Synthesis
from orchestrator.api.view import NodeView

Json = dict[str, Any]

ROLES = {(right.method, right.path.replace(":path}", "}")): right for right in RIGHTS}
UNSAFE = frozenset({"post", "put", "patch", "delete"})
EVERYWHERE = (
    *("headers_too_large", "request_timed_out", "path_invalid", "target_too_long", "host_unknown", "cross_site"),
    *("forbidden", "too_many_requests", "too_many_connections"),
)
"""Codes that any request may be refused with, where this release has them, beside those of `documented.problems`."""
WITH_A_BODY = ("body_too_large", "unsupported_media_type", "key_in_flight")
"""And these, any change."""
TAGS: Mapping[str, str] = {
    "health": "Whether a node lives, is ready, leads: for balancers and for people.",
    "cluster": "Who is a member, who leads; backup and restore.",
    "components": "The plant's software components: their life, what people want of them, the events they send.",
    "groups": "Components under one name, and what is wanted of all of them.",
    "playbooks": "Procedures as YAML, checked, planned and run.",
    "executions": "Runs of playbooks: what became of each step, and what a person may do to one.",
    "variables": "Named JSON values that the whole cluster agrees on.",
    "processors": "Who takes frames.",
    "frames": "Queues, the ledger, dead letters, the story of a frame.",
    "events": "The journal: what happened, in words.",
    "alerts": "What fires and who is told; silences and rules.",
    "access": "Tokens, roles and limits: who may ask for what, and how much.",
    "policies": "What is said of a component: what it needs, what is desired, maintenance, faults that were seen.",
    "plans": "What would be done to bring components to a state, and what the supervision does now.",
    "audit": "The chain of changes: who changed what.",
    "watch": "Everything that the nodes agree on, at one moment and then as it changes.",
}
PARAMETERS: Mapping[str, str] = {
    "processor_id": "The processor's id.",
    "component_id": "The component's id.",
    "member_id": "The member's id.",
    "execution_id": "The execution's id.",
    "alert_id": "The alert's id.",
    "silence_id": "The silence's id.",
    "token_id": "The token's id, never its text.",
    "camera_id": "The camera's id.",
    "name": "Its name.",
    "frame": "A frame's id, or `CAMERA:SEQUENCE`.",
    "capability": "Only processors with this capability.",
    "healthy": "Only those that are healthy, or are not.",
    "group": "Only members of this group, and of its groups.",
    "state": "Only those in this state.",
    "playbook": "Only those of this playbook.",
    "limit": "At most so many in one answer.",
    "source": "Only what this source wrote.",
    "level": "Only what is at least this grave.",
    "severity": "Only alerts of this severity.",
    "rule": "Only alerts of this rule.",
    "subject": "Only changes of this subject, such as `components`.",
    "traceparent": "W3C trace context: the execution's spans belong to that trace.",
}
"""What a parameter is, where the route leaves that unsaid."""

_TEXT = {"type": "string"}
HEADERS: Mapping[str, Json] = {
    "X-Triarch-Node": {"description": "Who answered.", "schema": _TEXT, "example": "n1"},
    "X-Triarch-Leader": {
        "description": "Who leads; absent where nobody is known.",
        "schema": _TEXT,
        "example": "n2",
    },
    "X-Triarch-Epoch": {
        "description": "Of the newest leadership that is known here: `term.index`.",
        "schema": _TEXT,
        "example": "3.17",
    },
    "X-Triarch-Index": {
        "description": "How far the state of who answered is, as a place in the log.",
        "schema": {"type": "integer"},
        "example": 4711,
    },
    "X-Triarch-Forwarded-By": {
        "description": "Who passed the request on to the leader, which answered.",
        "schema": _TEXT,
        "example": "n3",
    },
    "X-Triarch-Staleness": {
        "description": "With `consistency=stale`, from a follower: seconds since it heard the leader, or `unknown`.",
        "schema": _TEXT,
        "example": "0.041",
    },
    "Idempotency-Key": {
        "description": "The key of this change: the client's, or one made for it.",
        "schema": _TEXT,
        "example": "5f0c7d1e9b8a4f6d8a52b0d5a3a1c9e7",
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}, "example": int(RETRY_AFTER_S)},
    "Location": {"description": "The path of what was made.", "schema": _TEXT, "example": "/v1/executions/7f3a"},
    "WWW-Authenticate": {"description": "How to show who asks.", "schema": _TEXT, "example": 'Bearer realm="triarch"'},
    "ETag": {"description": "Of the answer: send it in If-None-Match.", "schema": _TEXT, "example": '"42"'},
}
_ALWAYS = ("X-Triarch-Node", "X-Triarch-Leader", "X-Triarch-Epoch", "X-Triarch-Index", "X-Triarch-Forwarded-By")

KEY_PARAMETER: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 200 visible ASCII characters. The same request under the same key is done at most once; "
    "one is made for a request without.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "example": "5f0c7d1e9b8a4f6d8a52b0d5a3a1c9e7",
}
REDIRECT_PARAMETER: Json = {
    "name": "redirect",
    "in": "query",
    "required": False,
    "description": "From a follower: `307` with the leader's address, instead of passing the request on.",
    "schema": {"type": "string"},
    "allowEmptyValue": True,
    "example": "true",
}
BEARER: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of the cluster's, or the one that the configuration holds (`api.token`).",
}


def document(app: FastAPI, node: NodeView) -> None:
    """Have `app.openapi()` give the whole document."""
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = completed(generate(), node)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def completed(found: Json, node: NodeView) -> Json:
    """The document with what is missing in FastAPI's."""
    parts = found.setdefault("components", {})
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    parts.setdefault("schemas", {}).update({"ProblemDocument": schema, **definitions})
    parts["headers"] = {name: dict(said) for name, said in HEADERS.items()}
    parts["securitySchemes"] = {"bearer": BEARER}
    secured = node.config.api_token() is not None
    found["security"] = [{"bearer": []}] if secured else [{}, {"bearer": []}]
    found["servers"] = [{"url": "/", "description": "The node that gave this document."}]
    found["servers"] += [
        {"url": member.api, "description": f"Node {member.id}."} for member in node.config.cluster.members if member.api
    ]
    used = dict.fromkeys(tag for _, _, operation in operations(found) for tag in operation["tags"])
    found["tags"] = [{"name": tag, "description": TAGS[tag]} for tag in used]
    synthesis = Synthesis(parts["schemas"])
    for schema in parts["schemas"].values():
        if "example" in schema:
            schema["example"] = synthesis.restored(schema["example"], schema)
    for method, path, operation in operations(found):
        _complete(method, path, operation, synthesis)
    return found


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    """(method in lower case, path, operation) of a document."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def _complete(method: str, path: str, operation: Json, synthesis: Synthesis) -> None:
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        parameter.setdefault("description", PARAMETERS.get(parameter["name"], ""))
    responses = operation["responses"]
    codes = [code for code in EVERYWHERE if code in KINDS]
    if method in UNSAFE:
        codes += [code for code in WITH_A_BODY if code in KINDS]
        parameters.append(KEY_PARAMETER)
    for code in codes:
        _refuses(responses, code)
    right = ROLES.get((method.upper(), path))
    if right is not None and not right.public:
        operation["x-triarch-roles"] = [role.value for role in Role if role in right.roles]
    if path in OPEN_PATHS:
        operation["security"] = []
        responses.pop("401", None)
        responses.pop("403", None)
    anywhere = path in LOCAL_PATHS or path in OWN_WRITES or (method == "get" and answered_anywhere(path))
    if not anywhere:
        parameters.append(REDIRECT_PARAMETER)
        responses.setdefault("307", {"description": "With `?redirect`, from a follower: the leader's address."})
    for content in operation.get("requestBody", {}).get("content", {}).values():
        synthesis.give(content)
    stale = any(parameter["name"] == "consistency" for parameter in parameters)
    for status, response in responses.items():
        _answer(status, response, method, stale=stale)
        for media, content in response.get("content", {}).items():
            if media == "application/json":
                synthesis.give(content)


def _answer(status: str, response: Json, method: str, *, stale: bool) -> None:
    names = list(_ALWAYS)
    if method in UNSAFE:
        names.append("Idempotency-Key")
    if stale and status[0] == "2":
        names.append("X-Triarch-Staleness")
    codes = response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    if status == "503" or not RETRYABLE.isdisjoint(codes):
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    if status in ("201", "202", "307"):
        names.append("Location")
    if status == "304":
        names.append("ETag")
    headers = response.setdefault("headers", {})
    for name in names:
        headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _refuses(responses: Json, code: str) -> None:
    status, title = KINDS[code]
    response = responses.setdefault(str(status), {"description": title})
    content = response.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": SCHEMA, "examples": {}})
    content.setdefault("examples", {}).setdefault(code, {"value": example_of(code)})
