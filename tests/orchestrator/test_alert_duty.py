"""The leader's duty to watch, on a clock of the test: histories, increases, forecasts, and what is recorded of them."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from cluster import Applied, Command, Position
from framebuffer.breaker import BreakerState
from framebuffer.metrics import FrameMetrics
from framebuffer.models import ProcessorRegistration
from framebuffer.registry import Health, ProcessorRegistry
from framebuffer.registry import Register as ProcessorCommand
from framebuffer.registry import apply as apply_processor
from orchestrator.components import Declare, Register
from orchestrator.lifecycle import State
from orchestrator.monitoring.alert_commands import Record, SetRule
from orchestrator.monitoring.alert_duty import AlertDuty
from orchestrator.monitoring.alert_rules import ConditionSpec, RuleSpec
from orchestrator.monitoring.frame_figures import CALLS_MIN, WINDOW_S, DispatchTimes, FrameFigures, percentile
from orchestrator.monitoring.history import History
from orchestrator.playbooks.world import ComponentFacts
from orchestrator.state import PlantState

pytestmark = pytest.mark.anyio


class Plant:
    """A replicated state, and a leader that watches it; what it proposes is applied at once."""

    def __init__(self) -> None:
        self.state = PlantState()
        self.figures: dict[str, dict[str, float]] = {}
        self.facts: dict[str, ComponentFacts] = {}
        self.history = History(0.0)
        self._index = 0
        self.duty = self.leader()

    def leader(self) -> AlertDuty:
        return AlertDuty(
            self.state.alerts,
            self.state.components,
            self._propose,
            facts=lambda: self.facts,
            history=self.history,
            figures=lambda _now: self.figures,
        )

    async def _propose(self, body: Record) -> Applied:
        return self.apply(body)

    def apply(self, body: Record | Register | SetRule) -> Applied:
        self._index += 1
        version = getattr(body, "version", 1)
        encoded = msgspec.msgpack.encode(body)
        command = Command(body.kind, encoded, id=str(self._index), time=float(self._index), version=version)
        outcome, _ = self.state.apply(command, Position(1, self._index))
        return Applied(outcome, Position(1, self._index))

    @property
    def firing(self) -> dict[str, list[str]]:
        rows = self.state.alerts.firing.values()
        return {row.rule: [member.subject for member in row.members] for row in rows}


async def test_dead_letters_that_grow() -> None:
    plant = Plant()
    for now in range(0, 400, 10):
        plant.figures = {"dead_letters": {"-": 50.0}}
        await plant.duty.look(float(now))
    assert plant.firing == {}, "many, but no more than before"
    plant.figures = {"dead_letters": {"-": 52.0}}
    await plant.duty.look(400.0)
    assert plant.firing == {"dead-letters-growing": ["-"]}
    (row,) = plant.state.alerts.firing.values()
    assert (row.members[0].value, row.members[0].reason) == (2.0, "dead_letters grew by 2 in 300 s")
    for now in range(410, 690, 10):
        await plant.duty.look(float(now))
        assert plant.firing, now
    for now in range(690, 730, 10):
        await plant.duty.look(float(now))
    assert plant.firing == {}, "five minutes later it is an old story"


async def test_a_leader_that_has_just_taken_over_resolves_no_increase() -> None:
    plant = Plant()
    plant.figures = {"dead_letters": {"-": 1.0}}
    await plant.duty.look(0.0)
    plant.figures = {"dead_letters": {"-": 2.0}}
    await plant.duty.look(1.0)
    assert plant.firing
    plant.history = History(1_000.0)
    plant.duty = plant.leader()
    await plant.duty.take_up()
    await plant.duty.lay_down()
    for now in range(1_000, 1_290, 10):
        await plant.duty.look(float(now))
        assert plant.firing == {"dead-letters-growing": ["-"]}, now
    for now in range(1_290, 1_330, 10):
        await plant.duty.look(float(now))
    assert plant.firing == {}


async def test_memory_that_will_be_too_much() -> None:
    plant = Plant()
    for name in ("leaking", "steady", "young"):
        plant.apply(Register(id=name, address="http://127.0.0.1:9"))
    for now in range(0, 1_800, 10):
        # 4 GiB is reached after 5,000 s: within the hour from 1,400 s on.
        plant.history.add("leaking", float(now), {"memory": now * (4 * 2**30) / 5_000})
        plant.history.add("steady", float(now), {"memory": 3.9 * 2**30})
        if now >= 1_500:
            plant.history.add("young", float(now), {"memory": (now - 1_500) * 1e7})
        await plant.duty.look(float(now))
        if now < 1_380:
            assert plant.firing == {}, now
    assert plant.firing == {"memory-trend": ["leaking"]}
    (row,) = plant.state.alerts.firing.values()
    assert row.members[0].reason.startswith("memory reaches 4.29497e+09 in 3")


async def test_a_component_in_maintenance_makes_no_alert() -> None:
    plant = Plant()
    plant.apply(Register(id="press", address="http://127.0.0.1:9", state=State.FAULT))
    await plant.duty.look(0.0)
    assert plant.firing == {"component-fault": ["press"]}
    (row,) = plant.state.components.rows.values()
    plant.facts = {"press": ComponentFacts(id="press", state=row.state, maintenance=True)}
    await plant.duty.look(1.0)
    assert plant.firing == {}
    plant.facts = {"press": ComponentFacts(id="press", state=row.state)}
    await plant.duty.look(2.0)
    assert plant.firing == {"component-fault": ["press"]}


async def test_a_metric_counts_as_long_as_it_is_known() -> None:
    """One that is heard rarely is known for longer; a member stays one when nothing is known any more."""
    plant = Plant()
    plant.apply(Register(id="press", address="http://127.0.0.1:9"))
    plant.apply(Declare(id="rare", address="http://127.0.0.1:9", heartbeat_s=60.0))
    condition = ConditionSpec(kind="metric", name="cpu", above=0.9)
    plant.apply(SetRule(rule=RuleSpec(condition=condition, for_s=100.0).rule("busy")))
    for name in ("press", "rare"):
        plant.history.add(name, 0.0, {"cpu": 1.0})
    for now in range(0, 110, 10):
        if now < 90:
            plant.history.add("press", float(now), {"cpu": 1.0})
        await plant.duty.look(float(now))
    assert plant.firing == {"busy": ["press", "rare"]}
    for now in range(110, 400, 10):
        await plant.duty.look(float(now))
    assert plant.firing == {"busy": ["press", "rare"]}
    plant.history.add("rare", 400.0, {"cpu": 0.1})
    await plant.duty.look(400.0)
    assert plant.firing == {"busy": ["press"]}


def test_figures_of_processors() -> None:
    registry = ProcessorRegistry()
    for index, name in enumerate(("well", "silent", "failing"), 1):
        body = ProcessorCommand.of(ProcessorRegistration(id=name, capabilities=("face",), capacity=4), token="t")
        apply_processor(registry, body.kind, msgspec.msgpack.encode(body), time=0.0, position=(1, index))
    silent = Health(id="silent", healthy=False, reason="no heartbeat")
    apply_processor(registry, silent.kind, msgspec.msgpack.encode(silent), time=1.0, position=(1, 4))
    figures = FrameFigures(dict, FrameMetrics(CollectorRegistry()), registry, lambda: {"failing": BreakerState.OPEN})
    assert figures(0.0) == {"unhealthy_processors": {"well": 0.0, "silent": 1.0, "failing": 1.0}}


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([0, 0, 0, 0], 0.95, None),
        ([100, 100, 100, 100], 0.5, 0.05),  # all in the first bucket: half way through it
        ([0, 100, 100, 100], 0.95, 0.1 + 0.95 * 0.9),
        ([0, 0, 0, 10], 0.95, 10.0),  # beyond the last bound
        ([90, 95, 100, 100], 0.95, 1.0),
    ],
)
def test_a_percentile_lies_within_its_bucket(counts: list[float], share: float, expected: float | None) -> None:
    bounds = (0.1, 1.0, 10.0, float("inf"))
    before = tuple((bound, 7.0) for bound in bounds)
    after = tuple((bound, 7.0 + count) for bound, count in zip(bounds, counts, strict=True))
    found = percentile(before, after, share)
    assert found == (None if expected is None else pytest.approx(expected))


def test_times_of_dispatch_calls_are_those_of_the_last_minute() -> None:
    metrics = FrameMetrics(CollectorRegistry())
    times = DispatchTimes(metrics.routing_duration)
    assert times.percentile(0.0, 0.95) is None
    for _ in range(CALLS_MIN - 1):
        metrics.routing_duration.observe(0.2)
    assert times.percentile(1.0, 0.95) is None, "too few"
    metrics.routing_duration.observe(0.2)
    found = times.percentile(2.0, 0.95)
    assert found is not None
    assert 0.1 < found <= 0.25
    now = 3.0
    while now < 3.0 + WINDOW_S + 2:
        times.percentile(now, 0.95)
        now += 1.0
    assert times.percentile(now, 0.95) is None, "all of that is over a minute old"
