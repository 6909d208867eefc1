"""The frames in hand: the order of work, whose leases are renewed, and what becomes of those that are lost."""

from hypothesis import given
from hypothesis import strategies as st

from framebuffer.hand import AGEING_MS, Hand
from framebuffer.wire import TakenFrame


def frame(number: int, priority: int = 0, published_ms: int = 0) -> TakenFrame:
    return TakenFrame(
        entry_id=f"{number}-0",
        frame_id=f"cam-{number}",
        camera_id="cam",
        sequence=number,
        capability="face",
        priority=priority,
        attempts=0,
        traceparent="",
        event=b"",
        payload=b"",
        published_ms=published_ms,
    )


def order(hand: Hand) -> list[int]:
    found = []
    while (one := hand.start(0.0)) is not None:
        found.append(one.sequence)
    return found


def test_the_urgent_go_first_and_those_alike_in_their_order() -> None:
    hand = Hand(60)
    for number, priority in enumerate((0, 3, 0, 10, 3)):
        hand.add(frame(number, priority))
    assert order(hand) == [3, 1, 4, 0, 2]


def test_waiting_is_worth_a_level() -> None:
    hand = Hand(60)
    hand.add(frame(1, priority=2, published_ms=2 * AGEING_MS + 1))
    hand.add(frame(0, priority=0, published_ms=0))
    assert order(hand) == [0, 1]


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 200_000)), max_size=30))
def test_every_frame_is_worked_on_once_and_none_before_one_that_is_better_in_both(rows: list[tuple[int, int]]) -> None:
    hand = Hand(60)
    for number, (priority, published_ms) in enumerate(rows):
        hand.add(frame(number, priority, published_ms))
    done = order(hand)
    assert sorted(done) == list(range(len(rows)))
    for at, number in enumerate(done):
        priority, published_ms = rows[number]
        for later in done[at + 1 :]:
            assert not (rows[later][0] > priority and rows[later][1] < published_ms)


def test_leases_of_what_waits_and_of_what_is_in_work_within_its_limit_are_renewed() -> None:
    hand = Hand(10)
    for number in range(3):
        hand.add(frame(number))
    hand.start(100.0)
    hand.start(105.0)
    assert (hand.renewable(109.9), hand.overdue(109.9)) == (["0-0", "1-0", "2-0"], 0)
    assert (hand.renewable(110.0), hand.overdue(110.0)) == (["1-0", "2-0"], 1)
    assert (hand.renewable(1000.0), hand.overdue(1000.0)) == (["2-0"], 2)
    assert hand.withdraw() == ["2-0"]
    assert hand.withdraw() == []
    assert hand.start(1000.0) is None
    assert (hand.renewable(1000.0), len(hand)) == (["2-0"], 3)  # until its release is answered


def test_what_another_has_now_is_dropped_unless_it_is_in_work() -> None:
    hand = Hand(10)
    for number in range(3):
        hand.add(frame(number))
    hand.start(0.0)
    assert hand.lose(["0-0", "1-0", "7-0"]) == ["0-0"]
    assert (hand.ids(), hand.renewable(0.0), order(hand)) == ({"0-0", "2-0"}, ["2-0"], [2])
    hand.drop("0-0")
    hand.drop("0-0")
    assert hand.ids() == {"2-0"}
