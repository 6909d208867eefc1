"""`client.events`: the plant's journal, and events from outside."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from orchestrator.client.calls import Call, ReadOptions, nothing
from orchestrator.client.endpoints import Emitting, M, Noun, each, endpoint
from orchestrator.client.following import Place, Stream
from orchestrator.client.programs import given, paged, streamed
from orchestrator.client.shapes.events import EventLine, EventPage
from orchestrator.client.sse import Event


class Filters(TypedDict, total=False):
    """Which lines. A `type` that ends in `.*` means all that begin so."""

    type: str | None
    source: str | None
    level: str | None
    execution: str | None


class Events(Noun[M]):
    @endpoint("POST", "/event")
    def send(
        self,
        type_: str,
        source: str,
        payload: Mapping[str, Any] | None = None,
        *,
        id_: str | None = None,
        key: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Call[None]:
        """Send an event in the name of a registered component; one with the same `id_` is taken once.

        `more` are further members of an event, such as `time` and `traceparent`.
        """
        body = given(type=type_, source=source, payload=dict(payload or {}), id=id_ or key)
        return nothing(body={**body, **(more or {})}, key=key)

    @endpoint("GET", "/v1/events")
    def page(
        self,
        *,
        cursor: str = "",
        limit: int = 100,
        type: str | None = None,
        source: str | None = None,
        level: str | None = None,
        execution: str | None = None,
        **read: Unpack[ReadOptions],
    ) -> Call[EventPage]:
        """One page of the journal, the newest first."""
        filters = {"type": type, "source": source, "level": level, "execution": execution}
        return Call(EventPage, query={"cursor": cursor or None, "limit": limit, **filters, **read})

    @each()
    def iterate(self, *, limit: int = 100, **filters: Unpack[Filters]) -> Emitting[EventLine]:
        """The journal, the newest first, `limit` lines at a time."""

        def call(cursor: str) -> Call[EventPage]:
            return Events.page.call(self, cursor=cursor, limit=limit, **filters)

        return paged(self.acting, call, lambda page: page.events, lambda page: page.cursor)

    @each("GET /v1/events/follow")
    def follow(
        self, *, place: Place | None = None, within_s: float | None = None, **filters: Unpack[Filters]
    ) -> Emitting[Event]:
        """Lines as they are written, from `place` on or from now on, without a gap; TimeOver after `within_s` seconds.

        Kinds: `logged`, and `snapshot` where the place is not held any more; `data["events"]` are the lines.
        """
        return streamed(self.acting, Stream(path="/v1/events/follow", query=filters), place, within_s)
