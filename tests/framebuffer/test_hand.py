"""The frames in hand: the order of work, whose leases are renewed, and what becomes of those that are lost."""

from hypothesis import given
from hypothesis import strategies as st

from framebuffer.hand import AGEING_MS, Hand, ahead
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


def worked(hand: Hand, took_s: float, count: int = 1) -> None:
    """So many frames were worked on for so long, and settled."""
    for number in range(count):
        hand.add(frame(1000 + number))
        assert hand.start(0.0) is not None
        hand.finish(f"{1000 + number}-0", took_s)
        hand.drop(f"{1000 + number}-0")


def test_until_it_is_known_how_long_work_takes_the_whole_batch_is_taken() -> None:
    assert Hand(60).room(8, workers=4) == 8


def test_where_work_takes_long_hardly_a_frame_waits_in_hand_where_an_urgent_one_could_not_pass_it() -> None:
    hand = Hand(60)
    worked(hand, 0.02)
    assert hand.room(8, workers=4) == 5
    slow = Hand(60)
    worked(slow, 2.0)
    assert slow.room(8, workers=4) == 4


def test_where_work_is_short_the_whole_batch_may_wait() -> None:
    hand = Hand(60)
    worked(hand, 0.0001)
    assert hand.room(64, workers=4) == 64


def test_a_frame_that_is_done_makes_room_for_the_next_before_it_is_settled_but_not_beyond_the_limit() -> None:
    hand = Hand(60)
    worked(hand, 2.0)
    for number in range(4):
        hand.add(frame(number))
        hand.start(0.0)
    assert hand.room(8, workers=4) == 0
    hand.finish("1-0", 2.0)
    assert hand.room(8, workers=4) == 1
    assert hand.room(4, workers=4) == 0
    assert hand.renewable(100.0) == ["1-0"], "its lease is kept until it is settled, however long the others take"


def test_it_follows_work_that_becomes_longer_and_shorter() -> None:
    hand = Hand(60)
    worked(hand, 0.0001)
    worked(hand, 0.1, count=50)
    assert hand.room(8, workers=1) == 2
    worked(hand, 0.0001, count=100)
    assert hand.room(8, workers=1) == 8


def test_where_the_server_is_far_away_more_wait_in_hand_so_that_nobody_idles() -> None:
    hand = Hand(60)
    worked(hand, 0.02)
    for _ in range(3):
        hand.fetched(0.05)
    assert hand.room(64, workers=4) == 4 + 20
    slow = Hand(60)
    worked(slow, 0.11)
    slow.fetched(0.02)
    assert slow.room(8, workers=1) == 1 + 1


def test_no_more_are_taken_while_half_of_those_that_may_wait_still_do() -> None:
    hand = Hand(60)
    worked(hand, 0.0001)
    for number in range(6):
        hand.add(frame(number))
    hand.start(0.0)
    assert hand.room(9, workers=1) == 0, "one in work and five that wait"
    hand.finish("0-0", 0.0001)
    hand.drop("0-0")
    hand.start(0.0)
    assert hand.room(9, workers=1) == 4, "one in work and four that wait, of eight"


def test_another_frame_is_done_soon_only_while_there_is_one_and_work_is_short() -> None:
    hand = Hand(60)
    hand.add(frame(0))
    assert not hand.another_within(0.002), "nobody knows yet how long work takes"
    hand.start(0.0)
    hand.finish("0-0", 0.001)
    assert not hand.another_within(0.002), "all are done"
    hand.add(frame(1))
    assert hand.another_within(0.002)
    assert not hand.another_within(0.001)
    hand.lose(["1-0"])
    assert not hand.another_within(0.002), "it is another's"


STEPS = st.tuples(st.sampled_from(["add", "start", "finish", "drop", "lose", "withdraw"]), st.integers(0, 1))


@given(st.lists(STEPS, min_size=8, max_size=40))
def test_it_knows_how_many_are_not_done_whatever_happens_to_them(steps: list[tuple[str, int]]) -> None:
    hand = Hand(60)
    for step, number in steps:
        entry_id = f"{number}-0"
        if step == "add":
            hand.add(frame(number))
        elif step == "start":
            hand.start(0.0)
        elif step == "finish":
            hand.finish(entry_id, 1.0)
        elif step == "drop":
            hand.drop(entry_id)
        elif step == "lose":
            hand.lose([entry_id])
        else:
            hand.withdraw()
        assert hand._unfinished == sum(held.state != "done" for held in hand._held.values())


@given(st.integers(1, 64), st.floats(0, 100, allow_nan=False), st.floats(0, 1, allow_nan=False))
def test_what_may_wait_is_less_than_a_frame_and_the_workers_time_ahead(
    workers: int, work_s: float, fetch_s: float
) -> None:
    assert 0 <= ahead(workers, work_s, fetch_s) < workers * max(0.005, 2 * fetch_s) / max(work_s, 1e-6) + 1
