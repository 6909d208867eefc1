"""Pages by cursor: where the next one begins, bound to the query that it belongs to. Pure."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from orchestrator.api.problems import Problem

T = TypeVar("T")
Place = tuple[int, str]
"""Where a row stands: the greater, the newer; rows of one command share the number and differ by name."""
CURSOR_CHARS_MAX = 400


def cursor_of(query: Sequence[str], place: Place) -> str:
    """Opaque to the client."""
    return base64.urlsafe_b64encode(json.dumps([_digest(query), *place]).encode()).decode().rstrip("=")


def place_of(query: Sequence[str], cursor: str) -> Place:
    """The place in a cursor. Raises `invalid_cursor`, also for the cursor of another query."""
    try:
        if len(cursor) > CURSOR_CHARS_MAX:
            raise ValueError(cursor)
        digest, number, name = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (isinstance(number, int) and isinstance(name, str)):
            raise TypeError(cursor)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise Problem("invalid_cursor", "the cursor is none that an answer gave; leave it out to begin anew") from None
    if digest != _digest(query):
        raise Problem("invalid_cursor", "the cursor belongs to a query with other filters; begin that one anew")
    return number, name


def page(
    rows: Iterable[T], limit: int, query: Sequence[str], cursor: str, place: Callable[[T], Place]
) -> tuple[list[T], str | None]:
    """At most `limit` of the rows behind the cursor, and the cursor of the rest. `rows` come newest first."""
    last = place_of(query, cursor) if cursor else None
    found: list[T] = []
    more = False
    among = False  # of the rows that share the cursor's number, those seen are before its name
    for row in rows:
        at = place(row)
        if last is not None and (at[0] > last[0] or (at[0] == last[0] and not among)):
            among = at == last
            continue
        if len(found) == limit:
            more = True
            break
        found.append(row)
    return found, cursor_of(query, place(found[-1])) if more else None


def _digest(query: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(query)).encode()).hexdigest()[:12]
