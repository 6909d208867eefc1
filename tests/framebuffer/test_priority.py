"""Highest first, first in first out within a priority, and the oldest of each leaves within 50 dequeues."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from framebuffer.priority import LEVELS, PATIENCE, PriorityBuffer

Item = tuple[int, int]  # priority, number


def test_the_highest_leaves_first_and_equals_in_their_order() -> None:
    buffer: PriorityBuffer[Item] = PriorityBuffer()
    for number, priority in enumerate((0, 5, 10, 5, 0, 10)):
        buffer.push((priority, number), priority)
    assert [item for _, item in buffer.oldest()] == [(0, 0), (5, 1), (10, 2)]
    assert [buffer.pop()[1] for _ in range(6)] == [2, 5, 1, 3, 0, 4]
    assert buffer.peek() is None
    with pytest.raises(IndexError):
        buffer.pop()
    with pytest.raises(ValueError, match="priority"):
        buffer.push((11, 0), 11)


@given(st.lists(st.integers(1, 10), min_size=60, max_size=60), st.integers(0, 20))
def test_an_old_low_frame_leaves_within_50_dequeues(priorities: list[int], before: int) -> None:
    buffer: PriorityBuffer[Item] = PriorityBuffer()
    for number in range(before):
        buffer.push((10, number), 10)
    buffer.push((0, -1), 0)
    for dequeues, priority in enumerate(priorities, 1):
        buffer.push((priority, dequeues), priority)
        if buffer.pop() == (0, -1):
            assert dequeues <= 50
            return
    pytest.fail("it starved")


def test_all_priorities_at_once_leave_within_50_dequeues() -> None:
    buffer: PriorityBuffer[Item] = PriorityBuffer()
    waited = [0] * LEVELS
    for priority in range(LEVELS):
        buffer.push((priority, 0), priority)
    for number in range(1, 2_000):
        left, _ = buffer.pop()
        buffer.push((left, number), left)
        waited = [0 if priority == left else waited[priority] + 1 for priority in range(LEVELS)]
        assert max(waited) < 50


def test_urgent_frames_alone() -> None:
    buffer: PriorityBuffer[Item] = PriorityBuffer()
    buffer.push((3, 0), 3)
    buffer.push((10, 1), 10)
    assert buffer.pop(at_least=10) == (10, 1)
    assert buffer.peek(at_least=10) is None
    with pytest.raises(IndexError):
        buffer.pop(at_least=10)
    assert list(buffer) == [(3, 0)]


def test_an_operation_costs_microseconds_whatever_it_holds() -> None:
    buffer: PriorityBuffer[Item] = PriorityBuffer()
    for number in range(50_000):
        buffer.push((number % LEVELS, number), number % LEVELS)
    began = time.process_time()
    for number in range(10_000):
        priority, _ = buffer.pop()
        buffer.push((priority, number), priority)
    assert (time.process_time() - began) / 10_000 < 0.001


class Against(RuleBasedStateMachine):
    """The buffer against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer: PriorityBuffer[Item] = PriorityBuffer()
        self.items: list[Item] = []
        self.passed: dict[int, int] = {}
        self.numbers = 0

    @rule(priority=st.integers(0, 10), times=st.integers(1, 8))
    def push(self, priority: int, times: int) -> None:
        for _ in range(times):
            self.numbers += 1
            self.buffer.push((priority, self.numbers), priority)
            self.items.append((priority, self.numbers))

    @precondition(lambda self: self.items)
    @rule(times=st.integers(1, 30))
    def pop(self, times: int) -> None:
        for _ in range(min(times, len(self.items))):
            peeked, item = self.buffer.peek(), self.buffer.pop()
            assert peeked == item
            waiting = {priority for priority, _ in self.items}
            assert item[1] == min(number for priority, number in self.items if priority == item[0])
            if item[0] < max(waiting):
                assert self.passed.get(item[0], 0) >= PATIENCE
            self.items.remove(item)
            for priority in waiting:
                self.passed[priority] = self.passed.get(priority, 0) + 1
                assert self.passed[priority] <= 50
            self.passed[item[0]] = 0
            for priority in waiting.difference(priority for priority, _ in self.items):
                self.passed.pop(priority, None)

    @rule(odd=st.booleans())
    def remove(self, odd: bool) -> None:
        removed = self.buffer.remove(lambda item: item[1] % 7 == 0 and item[1] % 2 == odd)
        for item in removed:
            self.items.remove(item)
        left = {priority for priority, _ in self.items}
        self.passed = {priority: passed for priority, passed in self.passed.items() if priority in left}

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def pop_of(self, data: st.DataObject) -> None:
        priority = data.draw(st.sampled_from(sorted({priority for priority, _ in self.items})))
        item = self.buffer.pop_of(priority)
        assert item == min(one for one in self.items if one[0] == priority)
        self.items.remove(item)
        if priority not in {one for one, _ in self.items}:
            self.passed.pop(priority, None)

    @invariant()
    def holds_the_same(self) -> None:
        assert len(self.buffer) == len(self.items)
        assert sorted(self.buffer) == sorted(self.items)


TestAgainst = Against.TestCase
