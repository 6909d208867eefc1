"""Changes at a revision: what `If-Match` and `If-None-Match` ask for, and the ETag of an answer."""

import re
from typing import Annotated, Any

from fastapi import Header

from orchestrator.api.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(description='Only while it has this revision: `"42"`. Otherwise 412.', examples=['"42"']),
]
IfNoneMatch = Annotated[
    str | None, Header(description="Only `*`: while it does not exist. Otherwise 412.", examples=["*"])
]
IfMatchOrZero = Annotated[
    str | None,
    Header(
        description='Only while it has this revision: `"42"`; `"0"`: while nobody has set it. Otherwise 412.',
        examples=['"42"'],
    ),
]
ETAGGED: dict[str, Any] = {
    "headers": {"ETag": {"description": "The revision.", "schema": {"type": "string"}, "example": '"42"'}}
}
_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')
_ETAG_OR_ZERO = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def etag(revision: int) -> str:
    return f'"{revision}"'


def condition(if_match: str | None, if_none_match: str | None = None) -> int | None:
    """The revision that a change is made at: 0 for what must not exist, None for any."""
    if if_none_match is not None:
        if if_match is not None:
            raise _fault("If-None-Match", "cannot go together with If-Match")
        if if_none_match.strip() != "*":
            raise _fault("If-None-Match", "must be *; send a revision in If-Match")
        return 0
    return _revision(if_match, _ETAG)


def revision_of(if_match: str | None) -> int | None:
    """As `condition`, for what may be asked for by `"0"` while nobody has set it."""
    return _revision(if_match, _ETAG_OR_ZERO)


def _revision(if_match: str | None, form: re.Pattern[str]) -> int | None:
    if if_match is None:
        return None
    found = form.fullmatch(if_match.strip())
    if found is None:
        raise _fault("If-Match", 'must be one revision in quotation marks, such as "42"')
    return int(found[1])


def _fault(header: str, reason: str) -> Problem:
    fault = {"location": f"header.{header}", "message": reason, "type": "condition"}
    return Problem("invalid_request", f"header.{header}: {reason}", errors=[fault])
