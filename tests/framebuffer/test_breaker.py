"""The circuit breaker on a clock of its own, and the breakers that the leader keeps of its processors."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebuffer.breaker import Breaker, BreakerOpen, BreakerSettings, BreakerState, CircuitBreaker
from framebuffer.health import Heartbeat
from framebuffer.isolation import PROCESSOR_BREAKER, Isolation
from framebuffer.models import ProcessorRegistration
from framebuffer.registry import ProcessorRow

CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


def test_it_opens_after_failures_in_a_row_and_closes_after_successes_in_a_row() -> None:
    breaker = Breaker()
    assert breaker.settings == BreakerSettings(failures=5, open_s=60.0, successes=3)
    for _ in range(4):
        breaker.failed(0.0)
    breaker.succeeded(0.0)  # the row is broken
    for _ in range(4):
        breaker.failed(1.0)
    assert (breaker.state(1.0), breaker.failures) == (CLOSED, 4)
    breaker.failed(2.0)
    assert (breaker.state(2.0), breaker.retry_s(12.0)) == (OPEN, 50.0)
    breaker.failed(30.0)  # what was under way when it opened does not prolong it
    breaker.succeeded(30.0, 10)
    assert breaker.state(61.9) == OPEN
    assert (breaker.state(62.0), breaker.retry_s(62.0)) == (HALF_OPEN, 0.0)  # by time alone
    breaker.succeeded(63.0, 2)
    assert breaker.state(63.0) == HALF_OPEN
    breaker.succeeded(64.0)
    assert (breaker.state(64.0), breaker.failures) == (CLOSED, 0)


def test_one_failure_of_the_trial_opens_it_again() -> None:
    breaker = Breaker(BreakerSettings(failures=1, open_s=10, successes=2))
    breaker.failed(0.0)
    breaker.succeeded(10.0)
    breaker.failed(11.0)
    assert breaker.state(20.9) == OPEN
    breaker.succeeded(21.0)  # the success before the failure is forgotten
    assert breaker.state(21.0) == HALF_OPEN


@pytest.mark.parametrize(
    "bad", [{"failures": 0}, {"open_s": float("inf")}, {"open_s": float("nan")}, {"successes": -1}]
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        BreakerSettings(**bad)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["failed", "succeeded", "look"])), max_size=60))
def test_it_is_never_open_for_longer_than_it_says_and_never_without_enough_failures(
    steps: list[tuple[float, str]],
) -> None:
    breaker, now, row = Breaker(BreakerSettings(failures=3, open_s=10, successes=2)), 0.0, 0
    for pause, step in steps:
        now += pause
        before = breaker.state(now)
        if step == "failed":
            breaker.failed(now)
            row = row + 1 if before is CLOSED else 0
        elif step == "succeeded":
            breaker.succeeded(now)
            row = 0
        state = breaker.state(now)
        if before is CLOSED:
            assert (state is OPEN) == (step == "failed" and row >= 3)
            row = 0 if state is OPEN else row
        if before is OPEN:
            assert state is OPEN
            assert breaker.retry_s(now) > 0
        if state is OPEN:
            assert breaker.state(now + breaker.retry_s(now) + 1e-6) is HALF_OPEN


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fail() -> int:
    raise ConnectionError("gone")


def test_calls_are_kept_away_from_what_fails() -> None:
    clock = Clock()
    guard = CircuitBreaker("redis", clock=clock, settings=BreakerSettings(2, 10, 1), counted=ConnectionError)
    assert guard.call(divmod, 7, 2) == (3, 1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            guard.call(divmod, 1, 0)  # not one that counts, and no success either
        with pytest.raises(ConnectionError):
            guard.call(fail)
    with pytest.raises(BreakerOpen, match=r"redis: .* in 10\.0 s") as refused:
        guard.call(divmod, 7, 2)
    assert (refused.value.code, refused.value.retry_s, guard.state) == ("breaker_open", 10.0, OPEN)
    clock.now = 10.0
    assert guard.call(divmod, 7, 2) == (3, 1)
    assert guard.state is CLOSED


@pytest.mark.anyio
async def test_calls_that_are_awaited_count_when_they_end_and_one_at_a_time_is_a_trial() -> None:
    clock, go = Clock(), asyncio.Event()
    guard = CircuitBreaker("api", clock=clock, settings=BreakerSettings(1, 10, 1))

    async def answer() -> int:
        await go.wait()
        return 7

    async def broken() -> int:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await guard.call(broken)
    with pytest.raises(BreakerOpen):
        await guard.call(answer)
    clock.now = 10.0
    trial = asyncio.create_task(guard.call(answer))
    await asyncio.sleep(0)
    with pytest.raises(BreakerOpen):
        await guard.call(answer)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert guard.state is HALF_OPEN  # a cancelled trial says nothing; the next may try
    go.set()
    assert await guard.call(lambda: answer()) == 7
    assert guard.state is CLOSED


def row(processor_id: str = "p", index: int = 1, **changes: object) -> ProcessorRow:
    registration = ProcessorRegistration(id=processor_id, capabilities=("face",), capacity=4)
    fields = {"healthy": True, "reason": "", "registered_time": 0.0, "position": (1, index), **changes}
    return ProcessorRow(registration=registration, **fields)  # type: ignore[arg-type]


def test_a_processor_is_isolated_within_three_failures_and_recovers() -> None:
    isolation, one = Isolation(), row()
    isolation.reported(one, Heartbeat(0, 100, 50), 0.0)  # totals of before this leader
    isolation.reported(one, Heartbeat(0, 101, 99), 1.0)  # it does work: those frames failed, not the processor
    isolation.reported(one, Heartbeat(0, 101, 101), 2.0)
    assert isolation.refresh({"p": one}, 2.0) == []
    isolation.reported(one, Heartbeat(0, 101, 102), 3.0)
    assert isolation.refresh({"p": one}, 3.0) == [("p", OPEN)]
    assert isolation.gates == {"p": OPEN}
    assert isolation.refresh({"p": one}, 32.9) == []
    assert isolation.refresh({"p": one}, 33.0) == [("p", HALF_OPEN)]
    isolation.reported(one, Heartbeat(0, 104, 102), 34.0)
    assert isolation.refresh({"p": one}, 34.0) == [("p", CLOSED)]
    assert isolation.gates == {}


def test_what_a_processor_did_before_it_restarted_does_not_count_twice() -> None:
    isolation, one = Isolation(), row()
    isolation.reported(one, Heartbeat(0, 0, 9), 0.0)
    isolation.reported(one, Heartbeat(0, 0, 2), 1.0)
    assert isolation.refresh({"p": one}, 1.0) == []
    isolation.reported(one, Heartbeat(0, 0, 3), 2.0)
    assert isolation.refresh({"p": one}, 2.0) == [("p", OPEN)]


def test_pulls_leases_and_untaken_frames_are_heard_too() -> None:
    isolation = Isolation()
    rows = {name: row(name) for name in ("pulls", "pulls-at-times", "leases", "takes-nothing", "slow")}
    for _ in range(PROCESSOR_BREAKER.failures):
        isolation.pulled(rows["pulls"], False, 0.0)
        isolation.pulled(rows["pulls-at-times"], False, 0.0)
        isolation.pulled(rows["pulls-at-times"], True, 0.0)
    isolation.expired(rows["leases"], 8, 0.0)
    for now in (0.0, 15.0, 29.9):
        isolation.queue_seen(rows["takes-nothing"], waiting=4, in_hand=0, patience_s=30, now=now)
        isolation.queue_seen(rows["slow"], waiting=4, in_hand=now > 1, patience_s=30, now=now)
    assert isolation.refresh(rows, 29.9) == [("leases", OPEN), ("pulls", OPEN)]
    for name in ("takes-nothing", "slow"):
        isolation.queue_seen(rows[name], waiting=4, in_hand=0, patience_s=30, now=30.0)
    assert ("takes-nothing", OPEN) in isolation.refresh(rows, 30.0)
    assert isolation.state("slow", 30.0) is CLOSED


def test_a_leader_that_was_held_up_does_not_take_two_looks_for_the_time_between() -> None:
    isolation, one = Isolation(), row()
    for now in (0.0, 100.0):
        isolation.queue_seen(one, waiting=1, in_hand=0, patience_s=30, now=now)
    assert isolation.state("p", 100.0) is CLOSED
    isolation.queue_seen(one, waiting=1, in_hand=0, patience_s=30, now=101.0)
    assert isolation.state("p", 101.0) is OPEN


def test_a_good_pull_does_not_hide_failing_frames() -> None:
    isolation, one = Isolation(), row()
    isolation.reported(one, Heartbeat(), 0.0)
    for errors in (1, 2, 3):
        isolation.reported(one, Heartbeat(0, 0, errors), 1.0)
        isolation.pulled(one, True, 1.0)
    assert isolation.state("p", 1.0) is OPEN


def test_a_new_registration_starts_afresh_and_who_is_gone_is_forgotten() -> None:
    isolation = Isolation()
    isolation.expired(row(), 3, 0.0)
    assert isolation.refresh({"p": row()}, 0.0) == [("p", OPEN)]
    assert isolation.refresh({"p": row(index=2)}, 0.0) == [("p", CLOSED)]
    isolation.refresh({}, 0.0)
    assert isolation.state("p", 0.0) is CLOSED
