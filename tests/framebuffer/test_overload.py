"""Level, policy and pace together: cameras that offer too much keep the processors busy and do not bury them.

On a made-up clock, a millisecond a step: eight lossless cameras, processors that take so many frames a second, and the
leader's level, which a camera hears with a reply, or when it reads it because it sends nothing.
"""

from typing import NamedTuple

import pytest

from framebuffer.backpressure import Backpressure
from framebuffer.outbox import Outbox
from framebuffer.policy import Policy
from framebuffer.pressure import PlantPressure
from framebuffer.wire import DispatchReport, OutgoingFrame

CAMERAS = 8
READ_S = 0.1


class Step(NamedTuple):
    """A millisecond: frames done, frames that wait at the server, the level."""

    done: int
    queued: int
    level: int


def simulated(capacity: int, fps: int, phases: list[tuple[float, float]]) -> list[Step]:
    """`fps`: what the processors take. `phases`: (seconds, frames offered as a multiple of that)."""
    plant, told = PlantPressure(), Backpressure()
    boxes = [Outbox(f"cam{number}", Policy(), buffer=64) for number in range(CAMERAS)]
    read_at, credit, queued, budget, now = [0.0] * CAMERAS, [0.0] * CAMERAS, 0, 0.0, 0.0
    steps: list[Step] = []
    for seconds, load in phases:
        for _ in range(round(seconds * 1000)):
            now += 0.001
            for number, box in enumerate(boxes):
                # A camera that had to wait goes on with the next frame: it does not make up for those it did not take.
                credit[number] = min(credit[number] + fps * load / 1000 / CAMERAS, 2.0)
                while credit[number] >= 1 and box.has_room(0, now):
                    box.accept(OutgoingFrame(f"f{box.next_sequence}", box.next_sequence, b""), now)
                    credit[number] -= 1
                went = box.turn(now, 64, 1 << 20)
                for frame in went:
                    box.answered(frame, "ok", repeated=False)
                queued += len(went)
                if went or now >= read_at[number]:
                    box.hear(told, now)
                    read_at[number] = now + READ_S
            budget += fps / 1000
            done = min(queued, int(budget))
            queued, budget = queued - done, budget - int(budget)
            held = min(queued, capacity)
            report = DispatchReport(
                0, 0, [], [], {}, 0, False, {}, "0-0", capture=queued - held, outstanding=held, capacity=capacity
            )
            told = plant.observe(report, now)
            steps.append(Step(done, queued, told.level))
    assert not any(box.drops for box in boxes)
    return steps


@pytest.mark.parametrize(("capacity", "fps"), [(64, 1_000), (400, 1_000), (100, 2_000)])
def test_three_times_too_much(capacity: int, fps: int) -> None:
    calm, overload, after = 1_000, 6_000, 6_000
    steps = simulated(capacity, fps, [(1.0, 0.5), (6.0, 3.0), (6.0, 0.5)])
    assert {step.level for step in steps[:calm]} == {0}
    busy = steps[calm : calm + overload]
    noticed = next(number for number, step in enumerate(busy) if step.level == 3)
    assert noticed < 1_500  # milliseconds; a large capacity takes a while to fill
    assert sum(step.done for step in busy) >= 0.95 * fps * 6
    assert max(step.queued for step in busy[3_000:]) < capacity + fps * 0.5  # it has found its rate
    later = steps[-after:]
    normal = max((number for number, step in enumerate(later) if step.level > 0), default=0)
    assert normal < 5_000


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_what_the_processors_can_take_is_never_held_up(load: float) -> None:
    steps = simulated(64, 1_000, [(3.0, load)])
    assert {step.level for step in steps} == {0}
    assert sum(step.done for step in steps) >= 0.99 * load * 3_000 - CAMERAS
