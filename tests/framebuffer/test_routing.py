"""The routing table: who is in it, in which order, and when it is made again."""

import pytest

from framebuffer.breaker import BreakerState
from framebuffer.isolation import Gates
from framebuffer.models import ProcessorRegistration
from framebuffer.registry import Drain, Health, ProcessorRegistry, Register, apply
from framebuffer.routing import STRATEGIES, TableSource, UnknownStrategy, routing_table, stranded
from framebuffer.wire import RoutingRow


def register(registry: ProcessorRegistry, processor_id: str, *capabilities: str) -> None:
    registration = ProcessorRegistration(id=processor_id, capabilities=capabilities or ("face",), capacity=4)
    result, _ = apply(registry, "processor.register", Register.of(registration))
    assert result.ok


def set_health(registry: ProcessorRegistry, processor_id: str, healthy: bool) -> None:
    result, _ = apply(registry, "processor.health", Health(id=processor_id, healthy=healthy))
    assert result.ok


def test_only_healthy_processors_ordered_by_id() -> None:
    registry = ProcessorRegistry()
    for name in ("c", "a", "b"):
        register(registry, name, "face", "people")
    set_health(registry, "b", False)
    table = routing_table(registry.rows.values())
    assert table.strategy == "least_loaded"
    assert table.rows == (RoutingRow("a", ("face", "people"), 4), RoutingRow("c", ("face", "people"), 4))


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(UnknownStrategy, match="'fastest' is not one of: least_loaded") as caught:
        routing_table([], "fastest")
    assert caught.value.code == "unknown_strategy"
    assert "least_loaded" in STRATEGIES
    with pytest.raises(UnknownStrategy):
        TableSource(ProcessorRegistry(), "fastest")


def test_the_table_follows_the_registry_and_is_made_once_per_change() -> None:
    registry = ProcessorRegistry()
    table = TableSource(registry)
    assert table().rows == ()
    register(registry, "a")
    first = table()
    assert [row.processor_id for row in first.rows] == ["a"]
    assert table() is first
    set_health(registry, "a", False)
    assert table().rows == ()


def test_who_drains_or_is_kept_away_from_gets_nothing_and_who_is_on_trial_one_frame() -> None:
    registry = ProcessorRegistry()
    for name in ("drains", "half", "open", "well"):
        register(registry, name)
    apply(registry, "processor.drain", Drain(id="drains", draining=True))
    gates: Gates = {"half": BreakerState.HALF_OPEN, "open": BreakerState.OPEN}
    source = TableSource(registry, gates=lambda: gates, capacity_max=3)
    first = source()
    assert [(row.processor_id, row.capacity) for row in first.rows] == [("half", 1), ("well", 3)]
    assert source() is first
    gates = {}
    assert [row.processor_id for row in source().rows] == ["half", "open", "well"]


def test_stranded_queues_are_those_of_the_gone_and_the_unhealthy() -> None:
    registry = ProcessorRegistry()
    register(registry, "well")
    register(registry, "ill")
    register(registry, "ill-but-empty")
    set_health(registry, "ill", False)
    set_health(registry, "ill-but-empty", False)
    queues = {"well": 5, "ill": 2, "ill-but-empty": 0, "gone": 1, "gone-and-empty": 0}
    assert stranded(registry.rows, queues) == ["gone", "ill"]
    gates = {"well": BreakerState.OPEN, "ill-but-empty": BreakerState.OPEN}
    assert stranded(registry.rows, queues, gates) == ["gone", "ill", "well"]
    apply(registry, "processor.drain", Drain(id="well", draining=True))
    assert stranded(registry.rows, queues) == ["gone", "ill"]  # it finishes what it has
