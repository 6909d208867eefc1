"""From the registry to the table that the dispatch function routes by. Pure.

The leader passes the table with each call, so a processor that turned unhealthy gets nothing from the next call on.
Rows are ordered by id: ties rotate over that order.
"""

from collections.abc import Iterable, Mapping
from typing import get_args, get_type_hints

from framebuffer.errors import FrameBufferError
from framebuffer.registry import ProcessorRegistry, ProcessorRow
from framebuffer.wire import RoutingRow, RoutingTable

STRATEGIES: tuple[str, ...] = get_args(get_type_hints(RoutingTable)["strategy"])
"""The names the dispatch function knows."""


class UnknownStrategy(FrameBufferError, ValueError):
    """No routing strategy has this name."""

    code = "unknown_strategy"

    def __init__(self, name: str) -> None:
        super().__init__(f"routing strategy {name!r} is not one of: {', '.join(STRATEGIES)}")
        self.name = name


def routing_table(rows: Iterable[ProcessorRow], strategy: str = "least_loaded") -> RoutingTable:
    """The healthy processors among `rows`. Errors: UnknownStrategy."""
    if strategy not in STRATEGIES:
        raise UnknownStrategy(strategy)
    able = sorted((row.registration for row in rows if row.healthy), key=lambda registration: registration.id)
    return RoutingTable(
        strategy=strategy,  # type: ignore[arg-type]  # checked against the same Literal above
        rows=tuple(RoutingRow(one.id, one.capabilities, one.capacity) for one in able),
    )


class TableSource:
    """The table of a registry, made again only when the registry's rows changed. Call it for each dispatch."""

    def __init__(self, registry: ProcessorRegistry, strategy: str = "least_loaded") -> None:
        self._registry = registry
        self._strategy = strategy
        self._rows: Mapping[str, ProcessorRow] = registry.rows
        self._table = routing_table(self._rows.values(), strategy)

    def __call__(self) -> RoutingTable:
        rows = self._registry.rows  # replaced on change, never altered: identity tells
        if rows is not self._rows:
            self._table = routing_table(rows.values(), self._strategy)
            self._rows = rows
        return self._table


def stranded(rows: Mapping[str, ProcessorRow], queue_lengths: Mapping[str, int]) -> list[str]:
    """The processors, ordered by id, whose queued frames nobody will work on: gone from the registry, or unhealthy.

    Their queues are to be returned. It is derived from the state alone, so a new leader also finishes what the old
    one began.
    """
    return sorted(
        processor_id
        for processor_id, length in queue_lengths.items()
        if length > 0 and ((row := rows.get(processor_id)) is None or not row.healthy)
    )
