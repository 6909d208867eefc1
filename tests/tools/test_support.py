import time

import pytest

from tests.support import eventually, eventually_sync, free_port, port_range


def test_a_missed_deadline_names_the_last_value() -> None:
    with pytest.raises(AssertionError, match=r"the answer: not so within 0\.05 s .* last value: 0"):
        eventually_sync(lambda: 0, deadline_s=0.05, every_s=0.01, message="the answer")


def test_a_failed_assertion_counts_as_not_yet() -> None:
    ends = time.monotonic() + 0.05

    def check() -> bool:
        assert time.monotonic() > ends, "too early"
        return True

    assert eventually_sync(check, deadline_s=2)


@pytest.mark.anyio
async def test_plain_and_async_checks_are_polled() -> None:
    async def answer() -> int:
        return 42

    assert await eventually(answer) == 42
    assert await eventually(lambda: "yes") == "yes"
    with pytest.raises(AssertionError, match="last failed assertion: never"):
        await eventually(never, deadline_s=0.05)


def never() -> bool:
    raise AssertionError("never")


def test_ports_are_given_out_once() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50


def test_workers_that_run_side_by_side_share_no_port() -> None:
    ranges = [set(port_range(f"gw{number}")) for number in range(4)]
    assert len(set().union(*ranges)) == sum(len(ports) for ports in ranges)
    assert set().union(*ranges) <= set(port_range(""))
