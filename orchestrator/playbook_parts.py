"""What executions need on a node, whoever leads: the parts that outlive an epoch."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import httpx
from prometheus_client import CollectorRegistry

from cluster import Change, Cluster
from framebuffer.tracing import SpanSink
from orchestrator.playbook_duty import OnRecord
from orchestrator.playbooks.books import Books
from orchestrator.playbooks.clock import PlantClock
from orchestrator.playbooks.execution import ExecutionRow
from orchestrator.playbooks.figures import PlaybookFigures
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.outgoing import outside_client
from orchestrator.playbooks.span_export import ExecutionSpans
from orchestrator.playbooks.templates import Templates
from orchestrator.state import PlantState

__all__ = ["PlaybookParts"]

PREPARE_S = 0.5


class PlaybookParts:
    """Args:

    state: the replicated state; read only.
    clock: the node's plant clock.
    cluster: whose changes are watched.
    tls: for whoever is outside the plant.
    spans: where spans go, once that is known.
    """

    def __init__(
        self,
        state: PlantState,
        clock: PlantClock,
        cluster: Cluster,
        registry: CollectorRegistry,
        tls: ssl.SSLContext,
        spans: Callable[[], SpanSink | None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.watch: Callable[[int | None], AsyncIterator[Change]] = cluster.watch
        self.applied: Callable[[], int] = lambda: cluster.status().applied_index
        self._library = state.executions.playbooks
        self.books = Books(self._library, lambda text: load_text(text, file="playbook").playbook)
        self.templates = Templates()
        self.http: httpx.AsyncClient = outside_client(tls)
        self.figures = PlaybookFigures(registry, lambda: state.executions.rows)
        self.spans = ExecutionSpans(lambda: state.executions.rows, spans)
        self.listeners: list[OnRecord] = [self.spans.recorded]
        """Told of each record of an execution that is committed while this node leads."""

    def on_record(self, before: ExecutionRow, after: ExecutionRow) -> None:
        """A record was committed."""
        for listener in self.listeners:
            listener(before, after)

    async def keep_read(self) -> None:
        """On every node, until cancelled: what was put is read before this node may have to lead."""
        rows: object = None
        while True:
            if self._library.rows is not rows:
                rows = self._library.rows
                await self.books.prepare()
            await asyncio.sleep(PREPARE_S)

    async def aclose(self) -> None:
        """Close the connections to the outside."""
        await self.http.aclose()
