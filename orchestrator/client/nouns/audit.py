"""`client.audit`: who changed what."""

import json
from typing import Any, TypedDict, Unpack

from orchestrator.client.calls import Call, ReadOptions
from orchestrator.client.endpoints import Emitting, M, Noun, Program, each, endpoint
from orchestrator.client.errors import UnexpectedAnswer
from orchestrator.client.exchanging import Answer, Emit, Pause
from orchestrator.client.programs import asked, paged
from orchestrator.client.shapes.audit import AuditEntry, AuditHead, AuditPage

LINES_AT_ONCE = 1_000
EXPORT_PATIENCE_S = 30.0
Line = dict[str, Any]


class Filters(TypedDict, total=False):
    """Which entries. `kind` may end in `.*`; times are RFC 3339 in UTC."""

    actor: str | None
    kind: str | None
    subject: str | None
    id: str | None
    since: str | None
    until: str | None


class Audit(Noun[M]):
    @endpoint("GET", "/v1/audit")
    def page(
        self,
        *,
        cursor: str = "",
        limit: int = 100,
        actor: str | None = None,
        kind: str | None = None,
        subject: str | None = None,
        id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **read: Unpack[ReadOptions],
    ) -> Call[AuditPage]:
        """One page of the entries that the cluster has at hand, the newest first."""
        filters = {"actor": actor, "kind": kind, "subject": subject, "id": id, "since": since, "until": until}
        return Call(AuditPage, query={"cursor": cursor or None, "limit": limit, **filters, **read})

    @each()
    def iterate(self, *, limit: int = 100, **filters: Unpack[Filters]) -> Emitting[AuditEntry]:
        """All of those, `limit` at a time."""

        def call(cursor: str) -> Call[AuditPage]:
            return Audit.page.call(self, cursor=cursor, limit=limit, **filters)

        return paged(self.acting, call, lambda page: page.entries, lambda page: page.cursor)

    @endpoint("GET", "/v1/audit/head")
    def head(self, **read: Unpack[ReadOptions]) -> Call[AuditHead]:
        """Where the chain ends; kept elsewhere, it proves all that stands before it."""
        return Call(AuditHead, query=read)

    @each("GET /v1/audit/export")
    def export(self, *, after: int = 0) -> Emitting[Line]:
        """All entries that a node keeps behind the number `after`, the oldest first, also those long out of the list.

        A line with `gap` says that the node lacks some. Goes on at another node where one goes away.
        """

        def program(began: float) -> Program[None]:
            last, now = after, began
            while True:
                query = {"after": last, "limit": LINES_AT_ONCE}
                call = Call[list[Line]](query=query, patience_s=EXPORT_PATIENCE_S, read=_lines)
                lines = yield from asked(self.acting, call.bound("GET", "/v1/audit/export"), now)
                for line in lines:
                    yield Emit(line)
                if len(lines) < LINES_AT_ONCE:
                    return
                last = max(last + 1, _number(lines[-1]))  # on it goes, whatever a node says
                now = (yield Pause(0.0)).now

        return Emitting(program)


def _number(line: Line) -> int:
    """Up to where a line leads."""
    gap = line.get("gap")
    number = gap.get("next", 1) - 1 if isinstance(gap, dict) else line.get("number", 0)
    return int(number)


def _lines(answer: Answer) -> list[Line]:
    try:
        found = [json.loads(line) for line in answer.body.splitlines()]
    except (ValueError, RecursionError):
        raise UnexpectedAnswer(f"{answer.url} does not speak JSON lines; is it a node of Triarch?") from None
    if not all(isinstance(line, dict) for line in found):
        raise UnexpectedAnswer(f"{answer.url} answered something else than entries of the audit")
    return found
