"""Following server-sent events from the command line: the streams of `orchestrator.client`, with notes for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.cli.connection import credentials
from orchestrator.cli.http import addresses, failures
from orchestrator.cli.output import note

FIRST_PATIENCE_S = 3.0
"""How long nodes are asked in turn before any has answered: the addresses may be wrong."""
ENDED: Sequence[str] = ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED")


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its id is an index in the replicated log, the same on every node."""

    index: str
    kind: str
    data: Any


class TimeOver(Exception):
    """The time given is over; nothing failed."""


class Follower:
    """Asks the nodes in turn, and goes on at the next one from the last id, which is `last`."""

    def __init__(self, urls: str, path: str, *, params: Mapping[str, str] | None = None, last: str = "") -> None:
        from orchestrator.client.following import Place

        self._urls = addresses(urls)
        self._path = path
        self._params = dict(params or {})
        self._as = credentials()
        self._place = Place(last)

    @property
    def last(self) -> str:
        return self._place.last

    def events(self, until: float | None = None) -> Iterator[Told]:
        """Until `ended`, or there is nothing more. Failure; TimeOver when the monotonic time `until` has come."""
        from orchestrator.client import Client, Compacted
        from orchestrator.client.errors import TimeOver as Elapsed
        from orchestrator.client.following import Course, Stream, following

        stream = Stream(path=self._path, query=self._params, ends=lambda event: ended(event.kind, event.data))
        course = Course(first_patience_s=FIRST_PATIENCE_S, until=until, told=note)
        with (
            failures(),
            Client(self._urls, token=self._as.token, ca=self._as.ca, certificate=self._as.certificate) as client,
        ):
            while True:
                try:
                    for event in client.iterate(
                        lambda began: following(stream, client.addresses, self._place, course, began)
                    ):
                        yield Told(event.id, event.kind, event.data)
                except Compacted as error:
                    note(f"{error.detail}; here it goes on from now: what changed in between is not shown")
                    self._place.last = ""
                except Elapsed:
                    raise TimeOver from None
                else:
                    return


def events_of(lines: Iterator[str]) -> Iterator[Told]:
    """The events in the lines of a stream; a comment, or an id alone, is one without a kind."""
    from orchestrator.client.sse import Parser

    parser = Parser()
    with failures():
        for line in lines:
            for event in parser.feed(line.encode() + b"\n"):
                yield Told(event.id, event.kind, event.data)


def ended(kind: str, data: Any) -> bool:
    """`ended`, or the snapshot of what has ended: one that was retried since goes on after it."""
    return kind == "ended" or (kind == "snapshot" and data.get("status") in ENDED)
