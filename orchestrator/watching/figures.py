"""The leader's figures of a second, from what its duties know and two readings of the streams. Pure."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from framebuffer.wire import CameraCounters, StreamStats

CAMERAS_MAX = 1_000
COMPONENTS_MAX = 10_000
"""Rows in one message: what a plant may have at most of the ones, and more than anybody looks at of the others."""


class Observed(Protocol):
    """What the leader knows of a processor: `orchestrator.api.view.ProcessorObservation`."""

    @property
    def breaker(self) -> str: ...

    @property
    def silence_s(self) -> float | None: ...

    @property
    def in_flight(self) -> int | None: ...

    @property
    def settled(self) -> int | None: ...

    @property
    def errors(self) -> int | None: ...


class Reading(msgspec.Struct, frozen=True):
    """What is counted, at `at` (monotonic seconds): rates are made of two. `streams` None: Redis does not answer."""

    at: float
    dispatched: int = 0
    streams: StreamStats | None = None
    settled: Mapping[str, int] = {}
    """by processor, the total of its last heartbeat"""


def rate(before: float | None, after: float | None, seconds: float) -> float | None:
    """A second, of a counter; None where one of the two is not known. A counter that began anew counts from zero."""
    if before is None or after is None or seconds <= 0:
        return None
    return round((after - before if after >= before else after) / seconds, 2)


def frames(before: Reading | None, now: Reading, measured: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rates, queues, lanes and the ledger's sums. `measured`: what comes from the duties as it is."""
    if now.streams is None:
        return None
    held = now.streams
    seconds = 0.0 if before is None else now.at - before.at
    was = None if before is None else before.streams
    sums, then = _sums(held), None if was is None else _sums(was)
    return {
        "published_s": rate(None if then is None else then["published"], sums["published"], seconds),
        "dispatched_s": rate(None if before is None else before.dispatched, now.dispatched, seconds),
        "settled_s": rate(None if then is None else then["settled"], sums["settled"], seconds),
        "capture": held.capture_len,
        "lanes": dict(sorted(held.lanes.items())),
        "queues": {name: {"length": one.length, "pending": one.pending} for name, one in sorted(held.ready.items())},
        "dead_letters": held.dead_len,
        "ledger": {**sums, "in_flight": sums["published"] - sums["settled"] - sums["dead"] - sums["dropped"]},
        **measured,
    }


def cameras(before: Reading | None, now: Reading) -> list[dict[str, Any]]:
    """By camera: the last sequence, its counters, and how many frames a second it publishes."""
    if now.streams is None:
        return []
    then: Mapping[str, CameraCounters] = {}
    seconds = 0.0
    if before is not None and before.streams is not None:
        then, seconds = before.streams.cameras, now.at - before.at
    found = []
    for name, counted in sorted(now.streams.cameras.items())[:CAMERAS_MAX]:
        was = then.get(name)
        found.append(
            {
                "id": name,
                "sequence": counted.highest,
                "rate": rate(None if was is None else was.published, counted.published, seconds),
                "published": counted.published,
                "settled": counted.settled,
                "dead": counted.dead,
                "dropped": counted.dropped,
                "in_flight": counted.in_flight,
            }
        )
    return found


def processors(before: Reading | None, now: Reading, observed: Mapping[str, Observed]) -> dict[str, dict[str, Any]]:
    """By processor, what the leader knows of it, and frames a second by its heartbeats."""
    seconds = 0.0 if before is None else now.at - before.at
    return {
        name: {
            "in_flight": seen.in_flight,
            "settled": seen.settled,
            "settled_s": rate(None if before is None else before.settled.get(name), now.settled.get(name), seconds),
            "errors": seen.errors,
            "breaker": seen.breaker,
            "silence_s": None if seen.silence_s is None else round(seen.silence_s, 2),
        }
        for name, seen in sorted(observed.items())
    }


def _sums(streams: StreamStats) -> dict[str, int]:
    every = streams.cameras.values()
    return {
        "published": sum(one.published for one in every),
        "settled": sum(one.settled for one in every),
        "dead": sum(one.dead for one in every),
        "dropped": sum(one.dropped for one in every),
    }
