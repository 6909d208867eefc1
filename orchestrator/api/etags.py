"""`If-Match` and `If-None-Match`: a change that is made only at one revision."""

import re
from typing import Annotated

from fastapi import Header

from orchestrator.api.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(description='Only while it has this revision or version: `"42"`. Otherwise 412.', examples=['"42"']),
]
IfNoneMatch = Annotated[
    str | None, Header(description="Only `*`: while it does not exist. Otherwise 412.", examples=["*"])
]
ETAGGED = {"headers": {"ETag": {"description": "The revision.", "schema": {"type": "string"}, "example": '"42"'}}}
_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')


def condition(if_match: str | None, if_none_match: str | None) -> int | None:
    """The revision that a change is made at: 0 for what must not exist, None for any."""
    if if_none_match is not None:
        if if_match is not None:
            raise _fault("If-None-Match", "cannot go together with If-Match")
        if if_none_match.strip() != "*":
            raise _fault("If-None-Match", "must be *; send a revision in If-Match")
        return 0
    if if_match is None:
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise _fault("If-Match", 'must be one revision in quotation marks, such as "42"')
    return int(found[1])


def _fault(header: str, reason: str) -> Problem:
    fault = {"location": f"header.{header}", "message": reason, "type": "condition"}
    return Problem("invalid_request", f"header.{header}: {reason}", errors=[fault])
