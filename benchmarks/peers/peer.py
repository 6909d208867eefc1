"""What a peer must be able to do, and what all of them share: the events, the batch, the tally of what was processed.

A peer's producer process calls `prepare`, `publish` and `outstanding`; each worker process calls `work`, each process
of a further role of the catalogue the method of that name. A worker calls `ready` once when it takes events, and
`process` for each event that it has in hand, before it acknowledges it.
"""

import asyncio
import json
import mmap
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PAYLOAD_BYTES = 256
WORKERS = 3
BATCH = 64
QUEUE = "peers"

RESULT = "x" * 64
"""What a worker gives back where the system keeps results."""

_DIGITS = 20
_FILLING = b"x" * (PAYLOAD_BYTES - _DIGITS)


@dataclass(frozen=True, slots=True)
class Place:
    """One run: where its tallies lie, how many events it has, and the servers. `number`: which worker, from 1."""

    directory: Path
    events: int
    redis: str
    nats: tuple[str, ...] = ()
    number: int = 0


def say(**values: object) -> None:
    """Print one line for the process that started this one."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def payload(number: int) -> bytes:
    """256 bytes, all of them ASCII so that JSON carries them as they are, the event's number in front."""
    return b"%020d" % number + _FILLING


def batches(events: int, size: int = BATCH) -> Iterator[range]:
    """The numbers of the events, `size` at a time."""
    return (range(first, min(first + size, events)) for first in range(0, events, size))


class Tally:
    """How often each event was processed by one worker: a byte an event, in a file that outlives the worker."""

    def __init__(self, directory: Path, events: int, number: int) -> None:
        with (directory / f"tally-{number}").open("w+b") as file:
            file.truncate(events)
            self._bytes = mmap.mmap(file.fileno(), events)

    def count(self, number: int) -> None:
        """One more time."""
        self._bytes[number] = min(255, self._bytes[number] + 1)


def tallied(directory: Path, events: int) -> tuple[int, int]:
    """Of all workers together: how many events were processed by nobody, and how many times too often any were."""
    seen = [path.read_bytes() for path in sorted(directory.glob("tally-*"))]
    if not seen:
        return events, 0
    if len(seen) == 1:
        return seen[0].count(0), sum(seen[0]) - (events - seen[0].count(0))
    times = [sum(row) for row in zip(*seen, strict=True)]
    lost = times.count(0)
    return lost, sum(times) - (events - lost)


class Peer(ABC):
    """One system, or one way to use it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._tally: Tally | None = None
        self._runner: asyncio.Runner | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Connect, and make what must be there before a worker starts: streams, groups. The server is empty."""

    @abstractmethod
    def work(self) -> None:
        """Take, process and acknowledge events until this process is ended."""

    @abstractmethod
    def publish(self) -> None:
        """Publish all events; returns when the system has confirmed each."""

    @abstractmethod
    def outstanding(self) -> int:
        """Events published and not acknowledged, as the system itself counts them; asked when all are published."""

    def ready(self) -> None:
        """Say that this process has begun its work."""
        say(ready=True)

    @property
    def process(self) -> Callable[[bytes | str], None]:
        """What the workers do with the payload of an event: find its number and count it."""
        self._tally = tally = Tally(self.place.directory, self.place.events, self.place.number)

        def process(data: bytes | str) -> None:
            tally.count(int(data[:_DIGITS]))

        return process

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this process's event loop, a uvloop."""
        if self._runner is None:
            import uvloop

            self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        return self._runner.run(work)
