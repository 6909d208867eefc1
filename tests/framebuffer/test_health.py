"""Heartbeats: who is silent for too long, who came back, and what a new leader may conclude."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framebuffer.health import PULL_FAILURES, Heartbeat, HeartbeatTracker, pull_again_s
from framebuffer.models import ProcessorRegistration
from framebuffer.registry import Health, ProcessorRegistry, ProcessorRow, Register, Unregister, apply


class Plant:
    """A registry and the tracker of its leader, on a clock that the test turns."""

    def __init__(self) -> None:
        self.registry = ProcessorRegistry()
        self.tracker = HeartbeatTracker(timeout_s=3.0)
        self.index = 0

    def register(self, processor_id: str, owner: str = "t", health_url: str | None = None) -> ProcessorRow:
        self.index += 1
        registration = ProcessorRegistration(id=processor_id, capabilities=("face",), capacity=4, health_url=health_url)
        command = Register.of(registration, token=owner)
        result, _ = apply(self.registry, "processor.register", command, position=(1, self.index))
        assert result.ok
        return self.row(processor_id)

    def row(self, processor_id: str) -> ProcessorRow:
        row = self.registry.get(processor_id)
        assert row is not None
        return row

    def verdicts(self, now: float) -> list[Health]:
        return self.tracker.verdicts(self.registry.rows, now)

    def settle(self, now: float) -> list[tuple[str, bool]]:
        """Apply the verdicts, as the leader does by proposing them."""
        found = self.verdicts(now)
        for verdict in found:
            apply(self.registry, "processor.health", verdict)
        return [(verdict.id, verdict.healthy) for verdict in found]


def test_silence_makes_unhealthy_and_a_heartbeat_healthy_again() -> None:
    plant = Plant()
    row = plant.register("p1")
    assert plant.settle(100.0) == []
    plant.tracker.beat(row, 101.0, Heartbeat(in_flight=2, settled=7, errors=1))
    assert plant.tracker.last_report("p1") == Heartbeat(2, 7, 1)
    assert plant.tracker.silence_s("p1", 102.0) == 1.0
    assert plant.settle(103.9) == []
    assert plant.settle(104.0) == [("p1", False)]
    assert plant.row("p1").reason == "no heartbeat for 3.0 s"
    assert plant.settle(110.0) == []
    plant.tracker.beat(row, 111.0)
    assert plant.settle(111.2) == [("p1", True)]


def test_a_verdict_is_repeated_until_the_registry_agrees() -> None:
    plant = Plant()
    plant.register("p1")
    plant.verdicts(0.0)
    assert plant.verdicts(3.0) == plant.verdicts(3.0)
    assert plant.verdicts(3.0)[0].position == (1, 1)


def test_a_new_leader_gives_everyone_a_full_timeout() -> None:
    plant = Plant()
    plant.register("well")
    plant.register("ill")
    apply(plant.registry, "processor.health", Health(id="ill", healthy=False))
    assert plant.settle(500.0) == []  # what stood as unhealthy stays so until it is heard
    assert plant.settle(502.9) == []
    plant.tracker.beat(plant.row("ill"), 502.9)
    assert plant.settle(503.0) == [("ill", True), ("well", False)]


def test_registering_anew_counts_as_a_sign_of_life() -> None:
    plant = Plant()
    plant.register("p1", owner="old")
    plant.settle(0.0)
    assert plant.settle(3.0) == [("p1", False)]
    plant.register("p1", owner="new")
    assert plant.settle(4.0) == []
    assert plant.settle(6.9) == []
    assert plant.settle(7.0) == [("p1", False)]


def test_who_is_gone_is_forgotten() -> None:
    plant = Plant()
    row = plant.register("p1")
    plant.tracker.beat(row, 0.0)
    apply(plant.registry, "processor.unregister", Unregister(id="p1"))
    assert plant.settle(10.0) == []
    assert plant.tracker.silence_s("p1", 10.0) is None
    assert plant.tracker.last_report("p1") is None


def test_a_processor_that_is_asked_needs_no_heartbeats_until_it_has_sent_one() -> None:
    plant = Plant()
    row = plant.register("p1", health_url="http://127.0.0.1:1/health")
    assert plant.settle(0.0) == []
    plant.tracker.pulled(row)
    assert plant.settle(100.0) == []
    plant.tracker.beat(row, 100.0)
    plant.tracker.pulled(row)
    assert plant.settle(102.9) == []
    assert plant.settle(103.0) == [("p1", False)]
    plant.tracker.pulled(row)
    assert plant.settle(104.0) == []  # both must be fine
    plant.tracker.beat(row, 104.0)
    assert plant.settle(104.0) == [("p1", True)]


def test_two_failed_pulls_in_a_row_make_unhealthy_and_a_good_one_healthy_again() -> None:
    plant = Plant()
    row = plant.register("p1", health_url="http://127.0.0.1:1/health")
    plant.tracker.beat(row, 0.0)
    assert plant.tracker.last_pull("p1") is None
    assert plant.tracker.pulled(row, "answered 500") == 1
    assert plant.settle(1.0) == []
    assert plant.tracker.pulled(row) == 0
    assert plant.tracker.pulled(row, "answered 500") == 1
    assert plant.tracker.pulled(row, "answered 503") == PULL_FAILURES
    assert plant.settle(2.0) == [("p1", False)]
    assert (plant.row("p1").reason, plant.tracker.last_pull("p1")) == ("health_url: answered 503", "answered 503")
    plant.tracker.beat(row, 2.5)
    assert plant.settle(2.5) == []  # heartbeats alone do not help
    plant.tracker.pulled(row)
    assert plant.settle(3.0) == [("p1", True)]


def test_a_pull_that_fails_is_noticed_within_two_intervals() -> None:
    """The worst case: it fails just after a good pull, and each further pull takes its whole timeout."""
    interval, timeout = 10.0, 5.0
    first = interval + timeout
    second = max(first, interval + pull_again_s(interval, 1)) + timeout
    assert second <= 2 * interval
    assert pull_again_s(interval, 0) == pull_again_s(interval, PULL_FAILURES) == interval


def test_what_was_asked_of_an_earlier_registration_says_nothing_of_the_next() -> None:
    plant = Plant()
    old = plant.register("p1", health_url="http://127.0.0.1:1/health")
    plant.settle(0.0)
    plant.tracker.pulled(old, "refused")
    plant.tracker.pulled(old, "refused")
    assert plant.settle(0.0) == [("p1", False)]
    new = plant.register("p1", owner="other", health_url="http://127.0.0.1:1/health")
    assert plant.settle(1.0) == []
    assert plant.tracker.pulled(new, "refused") == 1


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_the_timeout_must_be_positive(timeout: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        HeartbeatTracker(timeout)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 2), st.sampled_from(["beat a", "beat b", "sweep", "register a", "register b"])),
        max_size=40,
    )
)
def test_after_a_sweep_health_says_who_was_heard_in_time(steps: list[tuple[float, str]]) -> None:
    plant = Plant()
    now = 0.0
    heard: dict[str, float] = {}
    for name in ("a", "b"):
        plant.register(name)
        heard[name] = 0.0
    plant.settle(now)
    for pause, step in steps:
        now += pause
        match step.split():
            case ["beat", name]:
                plant.tracker.beat(plant.row(name), now)
                heard[name] = now
            case ["register", name]:
                if not plant.row(name).healthy:
                    plant.register(name, owner=str(now))
                    heard[name] = now
                    plant.settle(now)
        plant.settle(now)
        for name, at in heard.items():
            assert plant.row(name).healthy == (now - at < 3.0)
