"""From the registry to the table that the dispatch function routes by. Pure.

A row: healthy, not draining, its breaker not OPEN. While the breaker is HALF_OPEN the row has a capacity of 1: a frame
at a time is what it is tried with. `capacity_max` bounds what a processor may claim for itself: dispatch goes by the
share of its capacity that is in use, so one that overstates it would draw everybody's frames.

The leader passes the table with each call, so a processor that turned unhealthy gets nothing from the next call on.
Rows are ordered by id: ties rotate over that order.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import get_args, get_type_hints

from framebuffer.breaker import BreakerState
from framebuffer.errors import FrameBufferError
from framebuffer.isolation import Gates
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


NO_GATES: Gates = {}
DEFAULT_CAPACITY_MAX = 1_000


def capacity_of(row: ProcessorRow, gates: Gates = NO_GATES, capacity_max: int = DEFAULT_CAPACITY_MAX) -> int:
    """Frames that it may hold now, by what is known of it; 0 when it gets none."""
    gate = gates.get(row.id)
    if not row.healthy or row.draining or gate is BreakerState.OPEN:
        return 0
    return 1 if gate is BreakerState.HALF_OPEN else min(row.registration.capacity, capacity_max)


def routing_table(
    rows: Iterable[ProcessorRow],
    strategy: str = "least_loaded",
    gates: Gates = NO_GATES,
    capacity_max: int = DEFAULT_CAPACITY_MAX,
) -> RoutingTable:
    """Those among `rows` that may get frames now. Errors: UnknownStrategy."""
    if strategy not in STRATEGIES:
        raise UnknownStrategy(strategy)
    able = [
        RoutingRow(row.id, row.registration.capabilities, capacity)
        for row in sorted(rows, key=lambda row: row.id)
        if (capacity := capacity_of(row, gates, capacity_max)) > 0
    ]
    return RoutingTable(strategy=strategy, rows=tuple(able))  # type: ignore[arg-type]  # checked against the same Literal


class TableSource:
    """The table of a registry, made again only when its rows or the `gates` changed. Call it for each dispatch."""

    def __init__(
        self,
        registry: ProcessorRegistry,
        strategy: str = "least_loaded",
        *,
        gates: Callable[[], Gates] = lambda: NO_GATES,
        capacity_max: int = DEFAULT_CAPACITY_MAX,
    ) -> None:
        self._registry = registry
        self._strategy = strategy
        self._gates = gates
        self._capacity_max = capacity_max
        self._made_of: tuple[Mapping[str, ProcessorRow], Gates] = (registry.rows, gates())
        self._table = self._made()

    def __call__(self) -> RoutingTable:
        rows, gates = self._registry.rows, self._gates()  # replaced on change, never altered: identity tells
        if rows is not self._made_of[0] or gates is not self._made_of[1]:
            self._made_of = (rows, gates)
            self._table = self._made()
        return self._table

    def _made(self) -> RoutingTable:
        rows, gates = self._made_of
        return routing_table(rows.values(), self._strategy, gates, self._capacity_max)


def stranded(rows: Mapping[str, ProcessorRow], queue_lengths: Mapping[str, int], gates: Gates = NO_GATES) -> list[str]:
    """The processors, ordered by id, whose queued frames nobody will work on: gone from the registry, unhealthy, or
    kept away from. (One that drains works on what it has.)

    Their queues are to be returned. It is derived from the state alone, so a new leader also finishes what the old
    one began.
    """
    return sorted(
        processor_id
        for processor_id, length in queue_lengths.items()
        if length > 0
        and ((row := rows.get(processor_id)) is None or not row.healthy or gates.get(processor_id) is BreakerState.OPEN)
    )
