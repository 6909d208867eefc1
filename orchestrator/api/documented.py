"""How refusals appear in the OpenAPI document: each with its media type and an example."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.problems import KINDS, MEDIA_TYPE, TYPE_PREFIX


class FieldAtFault(BaseModel):
    """One member of the request that was refused."""

    location: str = Field(examples=["body.capacity"])
    message: str = Field(examples=["Input should be greater than or equal to 1"])
    type: str = Field(examples=["greater_than_equal"])


class ProblemDocument(BaseModel):
    """RFC 9457. Match on `code`; further members depend on it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=[TYPE_PREFIX + "no_leader"])
    title: str
    status: int
    detail: str
    instance: str = Field(examples=["/v1/components"])
    code: str = Field(examples=sorted(KINDS))
    errors: list[FieldAtFault] | None = Field(
        None, description="With `invalid_request`, `event_invalid`, `playbook_invalid`."
    )
    idempotency_key: str | None = Field(None, description="With `outcome_unknown`: repeat the request under this key.")


SCHEMA = {"$ref": "#/components/schemas/ProblemDocument"}
WRITE = ("no_leader", "queue_full", "outcome_unknown", "body_too_large", "command_too_large")
READ = ("no_leader", "too_stale", "read_timed_out")
ANY = (
    "unauthorised", "forbidden", "no_leader", "invalid_request", "internal", "path_invalid", "cross_site",
    "host_unknown", "headers_too_large", "target_too_long", "unsupported_media_type",
    "request_timed_out", "too_many_requests",
)  # fmt: skip
"""Any route may refuse with these, most of them before it is reached."""

Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str, also: Responses | None = None) -> Responses:
    """`responses=` of a route that may refuse with these codes, beside those that any route may.

    `also` are its other answers. A status in both keeps its model beside the problems' media type.
    """
    responses: Responses = dict(also or {})
    for code in dict.fromkeys((*codes, *ANY)):
        status, title = KINDS[code]
        response = responses.setdefault(status, {"description": title})
        content = response.setdefault("content", {})
        content.setdefault(MEDIA_TYPE, {"schema": SCHEMA, "examples": {}})
        content[MEDIA_TYPE]["examples"][code] = {"value": example_of(code)}
    return responses


def example_of(code: str) -> dict[str, Any]:
    """A problem document of this code."""
    status, title = KINDS[code]
    return {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": "what happened this time",
        "instance": "/the/path/asked/for",
        "code": code,
    }
