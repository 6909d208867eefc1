"""Three times as many frames as the processors can take, for a minute: nothing is lost, and urgent frames pass.

Size: seconds of overload. It comes from three cameras, one of each policy. What a live camera is kept from offering
while `publish` makes it wait is never offered, and what was accepted is owed: a result, or, of the two cameras that may
give frames up, a record of it in the ledger. A calm time before shows what is normal: how long a frame takes from its
capture to its result, by the clock of one machine. Under overload the 99th percentile of a priority-10 frame may be
50 ms above that, and 5 seconds after the end ordinary frames must be back there.
"""

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.demo.tally import Tally
from orchestrator.dev.waiting import until
from tests.chaos.frames.plant import Cameras, FramePlant, Worker
from tests.soak.frame_kills import figures

SIZE = 60
WORK_MS, CONCURRENCY = 20, 4
WORKERS = ("w1", "w2")
CAPACITY_FPS = len(WORKERS) * CONCURRENCY * 1000 / WORK_MS
CALM_S = 15.0
URGENT = 10
URGENT_FPS = 20.0
ORDINARY_FPS = 60.0
OVERLOAD = 3.0
LIVE = ("--live", "--buffer", "64")
FLOOD: Mapping[str, tuple[str, ...]] = {
    "flood-lossless": (),
    "flood-freshest": ("--policy", "freshest"),
    "flood-deadline": ("--policy", "deadline", "--deadline-s", "0.5"),
}
DROPPING = ("flood-freshest", "flood-deadline")
"""Cameras show what is now; 64 frames is the SDK's own buffer."""
TOLD = ("accepted", "confirmed", "dropped", "missed")
LATER_MS = 50.0
NORMAL_S = 5.0
SHARE_MAX = 2.0
"""Cameras of one rate get as much of the processors as each other, whatever their policies."""
CALM_MS = 200.0
CALM_WINDOW_MS = 1000.0
WINDOW_MS = 500.0
SAMPLES_MIN = 50


class Seen(NamedTuple):
    """One result: when the server had it, how long after the capture of its frame (ms), whose frame it was."""

    at_ms: float
    took_ms: float
    camera_id: str


class Latencies(Tally):
    """A tally that keeps how long each frame of these cameras took."""

    def __init__(self, cameras: Iterable[str]) -> None:
        super().__init__()
        self._cameras = set(cameras)
        self.seen: list[Seen] = []

    def add(self, entry_ms: int, result: Mapping[str, Any]) -> None:
        """Take in one result, as the tally does."""
        super().add(entry_ms, result)
        camera = result.get("camera_id")
        if camera in self._cameras:
            self.seen.append(Seen(entry_ms, entry_ms - result["result"]["captured_ms"], camera))


async def run(directory: Path, size: float) -> dict[str, Any]:
    """Calm, `size` seconds of overload, calm."""
    options = ("--work-ms", str(WORK_MS), "--concurrency", str(CONCURRENCY), "--capacity", "16", "--stamp")
    workers = [Worker(name, (*options, "--batch", "8")) for name in WORKERS]
    cameras = [
        Cameras("urgent", ("urgent",), URGENT_FPS, ("--priorities", str(URGENT), *LIVE)),
        Cameras("ordinary", ("ordinary",), ORDINARY_FPS, LIVE),
    ]
    latencies = Latencies(("urgent", "ordinary"))
    async with FramePlant(directory, cameras=cameras, workers=workers, tally=latencies) as plant:
        await _calm(latencies)  # what was published before the processors came is done
        calm_from = time.time() * 1000
        await _passes(calm_from, CALM_S)
        calm_to = time.time() * 1000
        for name, policy in FLOOD.items():
            rate = OVERLOAD * CAPACITY_FPS / len(FLOOD)
            await plant.start_cameras(Cameras(name, (name,), rate, (*LIVE, *policy)))
        await until(lambda: _opened(plant), seconds=30, what="the first frames of the flood")
        flood_from = time.time() * 1000
        await _passes(flood_from, size)
        flood_to = time.time() * 1000
        await asyncio.gather(*(plant.end_cameras(name) for name in FLOOD))  # one that gives way drains for longer
        await _passes(flood_to, 2 * NORMAL_S)
        verdict = await plant.finish()
        flood = [said for name in FLOOD for said in plant.said(name)]
    seconds = (flood_to - flood_from) / 1000
    accepted = sum(said["accepted"] for said in flood)
    due_fps = (accepted + sum(said["missed"] for said in flood)) / seconds
    problems = [*verdict.problems]
    if due_fps < 0.95 * OVERLOAD * CAPACITY_FPS:
        problems.append(f"{due_fps:.0f} frames a second fell due, {OVERLOAD * CAPACITY_FPS:.0f} were to")
    for said in flood:
        if said["camera_id"] in DROPPING and not said["dropped"]:
            problems.append(f"{said['camera_id']} gave nothing up: it met no overload")
        if said["confirmed"] + said["dropped"] != said["accepted"]:
            told = f"{said['confirmed']} of them were confirmed, {said['dropped']} given up and recorded"
            problems.append(f"{said['camera_id']} accepted {said['accepted']} frames: {told}")
    shares = sorted(said["confirmed"] for said in flood)
    if shares[-1] > SHARE_MAX * shares[0]:
        problems.append(f"one camera of the flood had {shares[-1]} frames published, another {shares[0]}")
    return {
        **figures(verdict),
        "capacity_fps": CAPACITY_FPS,
        "flood_due_fps": round(due_fps, 1),
        "flood_accepted_fps": round(accepted / seconds, 1),
        "flood_by_camera": {said["camera_id"]: {one: said[one] for one in TOLD} for said in flood},
        **_judged(latencies.seen, (calm_from, calm_to), (flood_from, flood_to), problems),
    }


async def _opened(plant: FramePlant) -> bool:
    stats = await plant.stats()
    return stats is not None and all(name in stats.cameras and stats.cameras[name].published for name in FLOOD)


async def _calm(latencies: Latencies) -> None:
    async def calm() -> bool:
        now = time.time() * 1000
        last = [one.took_ms for one in latencies.seen if one.at_ms > now - CALM_WINDOW_MS]
        return len(last) > ORDINARY_FPS * CALM_WINDOW_MS / 2000 and max(last) < CALM_MS

    await until(calm, seconds=60, what=f"a second in which no frame takes {CALM_MS:.0f} ms", interval=0.2)


async def _passes(since_ms: float, seconds: float) -> None:
    async def passed() -> bool:
        return time.time() * 1000 >= since_ms + seconds * 1000

    await until(passed, seconds=seconds + 10, what=f"{seconds:g} s of load", interval=0.1)


def _judged(
    seen: list[Seen], calm_time: tuple[float, float], flood_time: tuple[float, float], problems: list[str]
) -> dict[str, Any]:
    flood_from, flood_to = flood_time

    def part(camera: str, start: float, end: float) -> list[float]:
        return [one.took_ms for one in seen if one.camera_id == camera and start <= one.at_ms - one.took_ms < end]

    calm, urgent = part("urgent", *calm_time), part("urgent", *flood_time)
    ordinary = part("ordinary", *calm_time)
    if min(len(calm), len(urgent), len(ordinary)) < SAMPLES_MIN:
        return {"problems": [*problems, "too few frames were seen to judge by"]}
    normal_ms = p99(ordinary) + LATER_MS
    back = back_after_s([one for one in seen if one.camera_id == "ordinary"], flood_to, normal_ms)
    if p99(urgent) > p99(calm) + LATER_MS:
        problems.append(f"p99 of a priority-{URGENT} frame is {p99(urgent):.0f} ms, {p99(calm):.0f} ms without load")
    if back is None or back > NORMAL_S:
        problems.append(f"ordinary frames were not back below {normal_ms:.0f} ms within {NORMAL_S:g} s, but: {back} s")
    return {
        "seconds": round((flood_to - flood_from) / 1000, 1),
        "urgent_p99_calm_ms": round(p99(calm), 1),
        "urgent_p99_overload_ms": round(p99(urgent), 1),
        "ordinary_p99_calm_ms": round(p99(ordinary), 1),
        "ordinary_p99_overload_ms": round(p99(part("ordinary", *flood_time) or [math.nan]), 1),
        "back_to_normal_s": None if back is None else round(back, 2),
        "problems": problems,
    }


def p99(values: Iterable[float]) -> float:
    """The 99th percentile: at most 1 % of the values are above it."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)]


def back_after_s(seen: Iterable[Seen], end_ms: float, normal_ms: float) -> float | None:
    """Seconds from `end_ms` until 99 % of the frames that are seen take no longer than `normal_ms`.

    None where the last ones still do: one in a hundred of all since the end may be late afterwards, as in calm times.
    """
    after = sorted(one for one in seen if one.at_ms >= end_ms)
    late = [one.at_ms for one in after if one.took_ms > normal_ms]
    stragglers = len(after) // 100
    if not after or after[-1].at_ms < end_ms + WINDOW_MS:
        return None
    if len(late) <= stragglers:
        return 0.0
    last = late[-1 - stragglers]
    return None if after[-1].at_ms < last + WINDOW_MS else (last - end_ms) / 1000
