"""`If-Match` with a revision in quotation marks, where 0 is that of what nobody has set."""

import re
from typing import Annotated

from fastapi import Header

from orchestrator.api.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(
        description='Only while it has this revision: `"42"`; `"0"`: while nobody has set it. Otherwise 412.',
        examples=['"42"'],
    ),
]
_ETAG = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def revision_of(if_match: str | None) -> int | None:
    """The revision that a change is made at; None for any. Raises `Problem` for what is none."""
    if if_match is None:
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        reason = 'must be one revision in quotation marks, such as "42"'
        fault = {"location": "header.If-Match", "message": reason, "type": "condition"}
        raise Problem("invalid_request", f"header.If-Match: {reason}", errors=[fault])
    return int(found[1])
