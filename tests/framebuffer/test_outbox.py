"""What a camera's outbox sends, holds back and gives up, by policy and level. On a made-up clock, without a server."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebuffer import drops as drops_module
from framebuffer.backpressure import Backpressure
from framebuffer.drops import RUNS_MAX, Drops
from framebuffer.outbox import Outbox
from framebuffer.policy import Policy
from framebuffer.pressure import Level
from framebuffer.wire import Given, OutgoingFrame


def frame(sequence: int, priority: int = 0, payload: bytes = b"") -> OutgoingFrame:
    return OutgoingFrame(f"cam-{sequence}", sequence, b"{}", payload, priority=priority)


def outbox(policy: Policy | None = None, *, level: Level = Level.NORMAL, buffer: int = 8) -> Outbox:
    box = Outbox("cam", policy or Policy(), buffer=buffer)
    box.feel(level, 0.0)
    return box


def accept(box: Outbox, count: int, now: float = 0.0, *, priority: int = 0) -> None:
    for _ in range(count):
        assert box.has_room(priority, now)
        box.accept(frame(box.next_sequence, priority), now)


def turn(box: Outbox, now: float = 0.0, frames: int = 64) -> list[int]:
    """Sequences that go now; the server takes them."""
    went = box.turn(now, frames, 1 << 20)
    for one in went:
        box.answered(one, "ok", repeated=False)
    return [one.sequence for one in went]


def dropped(box: Outbox) -> list[tuple[int, str]]:
    return [(one.sequence, one.reason) for one in box.drops.first(1_000)]


def test_lossless_slows_then_pauses_and_sends_all() -> None:
    box = outbox()
    now = 0.0
    for _ in range(100):  # 100 frames a second
        now += 0.01
        accept(box, 1, now)
        turn(box, now)
    box.feel(Level.HIGH, now)
    sent = 0
    for _ in range(100):
        now += 0.01
        if box.has_room(0, now):
            accept(box, 1, now)
        sent += len(turn(box, now))
    assert sent == pytest.approx(50, abs=6)
    assert not box.has_room(0, now)
    box.feel(Level.CRITICAL, now)
    assert box.next_at(now) is None
    assert turn(box, now + 60.0) == []
    assert not box.has_room(0, now + 60.0)
    box.feel(Level.NORMAL, now)
    assert len(turn(box, now + 2.0)) == 8
    assert not box.drops
    assert (box.counters.slowed, box.counters.paused) == (1, 1)
    assert box.counters.published == box.counters.accepted == box.next_sequence


def test_a_camera_gives_way_for_the_capabilities_that_it_uses() -> None:
    crowd = Backpressure(1, {"slow": 3})
    box = outbox()
    box.hear(crowd, 0.0)
    accept(box, 1)
    assert box.level.name == "LOW"
    assert turn(box) == [0]
    box.accept(OutgoingFrame("cam-1", 1, b"{}", capabilities=("fast", "slow")), 1.0)
    assert box.level.name == "CRITICAL"
    assert turn(box, 1.0) == []
    box.hear(Backpressure(0, {"slow": 2}), 60.0)  # it waits: it counts, however long ago it came
    assert box.level.name == "HIGH"
    assert turn(box, 60.0) == [1]
    box.hear(crowd, 61.0)
    accept(box, 1, 61.0)
    assert box.level.name == "LOW"  # its last frame for `slow` was accepted a minute ago


@pytest.mark.parametrize("policy", [Policy(), Policy("freshest"), Policy("deadline", 5.0)])
def test_urgent_frames_give_way_to_nothing(policy: Policy) -> None:
    box = outbox(policy, level=Level.CRITICAL)
    accept(box, 4)
    accept(box, 3, priority=10)
    assert box.next_at(0.0) == 0.0
    assert turn(box, 100.0) == [4, 5, 6]
    if policy.name == "lossless":
        accept(box, 4)
        assert not box.has_room(9, 0.0)
        accept(box, 8, priority=10)  # room of their own
        assert not box.has_room(10, 0.0)


def test_none_is_urgent_where_that_is_asked_for() -> None:
    box = outbox(Policy(urgent=11), level=Level.CRITICAL)
    accept(box, 1, priority=10)
    assert box.next_at(0.0) is None
    assert turn(box) == []


def test_freshest_sends_the_newest_at_half_the_rate_when_high() -> None:
    box, now = outbox(Policy("freshest")), 0.0
    went: list[float] = []  # when each frame that went was accepted: its sequence says so

    def live(seconds: float) -> int:
        nonlocal now
        before = len(went)
        for _ in range(round(seconds * 100)):  # 100 frames a second
            now += 0.01
            accept(box, 1, now)
            went.extend(turn(box, now))
            assert box.waiting <= 1
        return len(went) - before

    assert live(1.0) == 100
    box.feel(Level.HIGH, now)
    assert live(1.0) == pytest.approx(50, abs=6)
    assert went[-1] >= box.next_sequence - 3  # what goes is new
    box.feel(Level.CRITICAL, now)
    assert live(1.0) == 0
    box.feel(Level.LOW, now)
    assert 50 < live(1.0) < 100
    live(1.0)
    assert live(1.0) == 100
    assert (box.counters.slowed, box.counters.paused) == (1, 1)
    assert box.counters.published + box.counters.freshest + len(box) == box.counters.accepted
    assert [one.reason for one in box.drops.first(1_000)] == ["freshest"] * box.counters.freshest


@pytest.mark.parametrize("policy", [Policy(), Policy("freshest"), Policy("deadline", 5.0)])
@pytest.mark.parametrize("quiet_s", [1.4, 60.0, 400.0, 1e9])
def test_a_camera_that_was_quiet_since_pressure_fell_sends_freely(policy: Policy, quiet_s: float) -> None:
    box = outbox(policy, level=Level.HIGH)
    box.feel(Level.LOW, 1.0)
    now = 1.0 + quiet_s
    assert not box.displaces(now)
    accept(box, 7, now)
    accept(box, 1, now, priority=10)
    assert box.next_at(now) == now
    assert turn(box, now) == [7, *range(7)]


def test_one_that_drops_takes_no_more_than_one_that_waits() -> None:
    boxes = [outbox(), outbox(Policy("freshest")), outbox(Policy("deadline", 0.5))]
    levels = [Level.NORMAL, Level.HIGH, Level.CRITICAL, Level.HIGH, Level.LOW]
    now, sent = 0.0, [0, 0, 0]
    for step in range(3_000):  # 30 seconds, in which the level changes every 0.2
        now += 0.01
        for at, box in enumerate(boxes):
            if step % 20 == 0:
                box.feel(levels[step // 20 % len(levels)], now)
            if box.has_room(0, now):
                box.accept(frame(box.next_sequence), now)
            sent[at] += len(turn(box, now))
    assert min(sent) > 200
    assert max(sent) < 1.2 * min(sent), sent


def test_freshest_keeps_only_the_newest_when_critical() -> None:
    box = outbox(Policy("freshest"))
    accept(box, 5)
    box.feel(Level.CRITICAL, 0.0)
    assert box.waiting == 1
    accept(box, 20)
    assert box.waiting == 1
    assert box.displaces(0.0)
    assert turn(box) == []
    box.feel(Level.HIGH, 0.0)
    assert turn(box) == [24]
    assert dropped(box) == [(sequence, "freshest") for sequence in range(24)]


def test_freshest_never_waits_for_a_server_that_does_not_answer() -> None:
    box = outbox(Policy("freshest"), buffer=4)
    accept(box, 2)
    assert [one.sequence for one in box.turn(0.0, 64, 1 << 20)] == [0, 1]  # in flight, unanswered
    accept(box, 10)
    assert (len(box), box.waiting) == (4, 2)
    assert turn(box) == [10, 11]
    full = outbox(Policy("freshest"), buffer=1)
    accept(full, 1)
    full.turn(0.0, 1, 1)
    accept(full, 3)  # the one in flight cannot be given up
    assert (full.waiting, dropped(full)) == (1, [(1, "freshest"), (2, "freshest")])


def test_what_is_too_late_when_its_turn_comes_is_dropped() -> None:
    box = outbox(Policy("deadline", 1.0), buffer=3)
    accept(box, 1, 0.0)
    accept(box, 1, 0.5)
    assert turn(box, 1.2) == [1]
    assert dropped(box) == [(0, "deadline")]
    box.feel(Level.CRITICAL, 1.2)
    accept(box, 3, 2.0)
    assert not box.has_room(0, 2.5)
    assert box.room_at(2.5) == 3.0
    assert box.has_room(0, 3.0)  # makes room
    assert dropped(box) == [(0, "deadline"), *((sequence, "deadline") for sequence in (2, 3, 4))]
    assert box.counters.deadline == 4


def test_a_deadline_waits_no_longer_for_what_is_in_flight() -> None:
    box = outbox(Policy("deadline", 1.0), buffer=3)
    accept(box, 3, 0.0)
    flying = box.turn(0.0, 64, 1 << 20)  # to a server that does not answer
    assert not box.has_room(0, 0.5)
    assert box.room_at(0.5) == 1.0
    accept(box, 3, 1.0)
    assert not box.has_room(0, 1.5)
    assert box.room_at(1.5) == 2.0
    accept(box, 2, 2.0)
    assert dropped(box) == [(3, "deadline"), (4, "deadline"), (5, "deadline")]  # none of those in flight
    for one in flying:
        assert box.answered(one, "duplicate", repeated=True) == ""
    assert turn(box, 2.0) == [6, 7]
    assert (box.counters.duplicates, box.counters.published, box.counters.deadline, len(box)) == (3, 2, 3, 0)


def test_what_a_deadline_holds_is_bounded_however_long_the_server_is_away() -> None:
    box = outbox(Policy("deadline", 1.0), buffer=3)
    most = 0
    for step in range(10_000):
        now = step * 0.1
        if box.has_room(0, now):
            accept(box, 1, now)
        if step % 7 == 0:
            box.turn(now, 64, 1 << 20)  # none of them is answered for
        most = max(most, len(box))
    assert most == 6
    assert (box.waiting, box.room_at(1_000.0)) == (0, None)  # only an answer makes room
    assert len(box.drops._runs) < 10


def test_urgent_frames_wait_for_room_also_under_a_deadline() -> None:
    box = outbox(Policy("deadline", 1.0), buffer=2)
    accept(box, 2, priority=10)
    box.turn(0.0, 64, 1 << 20)
    assert not box.has_room(10, 60.0)
    assert box.room_at(60.0) is None
    assert box.has_room(0, 60.0)


def test_the_highest_priority_goes_first() -> None:
    box = outbox()
    for priority in (0, 5, 9, 5):
        accept(box, 1, priority=priority)
    assert turn(box) == [2, 1, 3, 0]


def test_a_batch_ends_where_its_bytes_do() -> None:
    box = outbox()
    for sequence in range(4):
        box.accept(frame(sequence, payload=b"x" * 100), 0.0)
    assert [one.sequence for one in box.turn(0.0, 64, 250)] == [0, 1]
    assert [one.sequence for one in box.turn(0.0, 64, 10)] == [2]  # one goes whatever its size
    assert box.lowest_unanswered == 0


def test_a_camera_that_closes_waits_for_nothing() -> None:
    box = outbox(level=Level.CRITICAL)
    accept(box, 5)
    box.closing = True
    assert box.next_at(0.0) == 0.0
    assert turn(box) == [0, 1, 2, 3, 4]


def test_what_the_server_refuses_is_dropped_in_the_ledger() -> None:
    box = outbox()
    accept(box, 2)
    first, second = box.turn(0.0, 64, 1 << 20)
    assert "refused frame cam-0: refused:capture" in box.answered(first, "refused:capture", repeated=False)
    assert dropped(box) == [(0, "refused")]
    assert box.answered(second, "duplicate", repeated=True) == ""
    assert (box.counters.refused, box.counters.duplicates) == (1, 1)


def test_a_frame_whose_sequence_is_taken_goes_with_another() -> None:
    box = outbox()
    accept(box, 3)
    first, *others = box.turn(0.0, 64, 1 << 20)
    assert "under this producer's session" in box.answered(first, "duplicate", repeated=False)
    for one in others:
        box.answered(one, "ok", repeated=False)
    assert len(box) == 1
    (again,) = box.turn(0.0, 64, 1 << 20)
    assert (again.frame_id, again.sequence) == ("cam-0", 3)
    box.answered(again, "ok", repeated=False)
    accept(box, 1)
    assert turn(box) == [4]
    assert (box.counters.resequenced, box.counters.published) == (1, 4)


def test_an_hour_of_drops_is_one_run() -> None:
    drops = Drops("cam")
    for sequence in range(100_000):
        drops.add(frame(sequence), "freshest")
    drops.add(OutgoingFrame("mine", 100_000, b""), "freshest")
    drops.add(frame(100_001), "deadline")
    assert len(drops._runs) == 3
    assert len(drops) == 100_002
    drops.recorded(99_999)
    assert drops.first(10) == [
        Given("cam-99999", 99_999, "freshest"),
        Given("mine", 100_000, "freshest"),
        Given("cam-100001", 100_001, "deadline"),
    ]
    drops.recorded(3)
    assert not drops


def test_a_day_of_drops_with_names_of_their_own_is_bounded() -> None:
    drops = Drops("cam")
    for pair in range(0, 100_000, 2):
        for sequence in (pair + 1, pair):  # by priority, not in order
            drops.add(OutgoingFrame(f"mine-{sequence}", sequence, b"", priority=sequence % 10), "deadline")
    assert len(drops._runs) + sum(map(len, drops._nameless.values())) == RUNS_MAX + 1
    assert len(drops) == 100_000
    told: list[Given] = []
    while drops:
        told += (portion := drops.first(1_000))
        drops.recorded(len(portion))
    assert sorted(one.sequence for one in told) == list(range(100_000))
    assert {one.reason for one in told} == {"deadline"}
    assert told[0] == Given("mine-1", 1, "deadline", 1)
    drops.add(OutgoingFrame("mine", 100_000, b"", priority=3), "deadline")
    assert drops.first(10) == [Given("mine", 100_000, "deadline", 3)]  # names are kept again


@given(
    st.permutations(range(30)),
    st.lists(st.tuples(st.sampled_from(["freshest", "deadline"]), st.booleans(), st.integers(0, 3)), min_size=30),
)
def test_each_drop_is_told_once_whatever_is_given_up_meanwhile(
    order: list[int], steps: list[tuple[str, bool, int]]
) -> None:
    drops, told = Drops("cam"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drops_module, "RUNS_MAX", 3)
        for sequence, (reason, own, limit) in zip(order, steps, strict=False):
            portion = drops.first(limit) if limit else []
            drops.add(OutgoingFrame("mine" if own else f"cam-{sequence}", sequence, b""), reason)
            told += [(one.sequence, one.reason) for one in portion]
            drops.recorded(len(portion))
        while drops:
            portion = drops.first(7)
            told += [(one.sequence, one.reason) for one in portion]
            drops.recorded(len(portion))
    assert sorted(told) == sorted((sequence, step[0]) for sequence, step in zip(order, steps, strict=False))


@given(
    st.sampled_from([Policy(), Policy("freshest"), Policy("deadline", 0.3)]),
    st.lists(
        st.one_of(
            st.tuples(st.just("accept"), st.integers(0, 10)),
            st.tuples(st.just("level"), st.integers(0, 3)),
            st.tuples(st.just("turn"), st.integers(1, 8)),
            st.tuples(st.just("answer"), st.sampled_from(["ok", "refused:capture"])),
        ),
        max_size=80,
    ),
)
def test_every_sequence_is_sent_once_or_dropped_once(policy: Policy, steps: Sequence[tuple[str, int | str]]) -> None:
    box, now = outbox(policy, buffer=4), 0.0
    sent: list[OutgoingFrame] = []
    answered: list[int] = []
    for what, value in steps:
        now += 0.07
        if what == "accept" and box.has_room(int(value), now):
            box.accept(frame(box.next_sequence, int(value)), now)
        elif what == "level":
            box.feel(Level(int(value)), now)
        elif what == "turn":
            sent += box.turn(now, int(value), 1 << 20)
        elif what == "answer" and sent:
            answered.append(sent[0].sequence)
            box.answered(sent.pop(0), str(value), repeated=False)
        counters = box.counters
        assert len(box) == counters.accepted - len(answered) - counters.freshest - counters.deadline
        assert policy.name != "lossless" or counters.freshest == counters.deadline == 0
        assert policy.name == "freshest" or len(box) <= 4 * (2 if policy.name == "lossless" else 3)
    box.closing = True
    rest = box.turn(now, 1_000, 1 << 20)
    for one in (*sent, *rest):
        box.answered(one, "ok", repeated=False)
        answered.append(one.sequence)
    given_up = [one.sequence for one in box.drops.first(1_000) if one.reason != "refused"]
    assert sorted(answered + given_up) == list(range(box.next_sequence))
    assert len(box) == 0


def test_the_end_of_each_frame_is_told_once() -> None:
    told: list[tuple[int, str]] = []
    box = Outbox("cam", Policy("freshest"), buffer=2, ended=lambda frame, why: told.append((frame.sequence, why)))
    accept(box, 4)  # two of them take the place of older ones
    first, second = box.turn(0.0, 64, 1 << 20)
    box.answered(first, "ok", repeated=False)
    box.answered(second, "refused:oversize", repeated=False)
    accept(box, 1)
    assert told == [(0, "dropped: freshest"), (1, "dropped: freshest"), (2, ""), (3, "refused:oversize")]
    assert [frame.sequence for frame in box.left()] == [4]
