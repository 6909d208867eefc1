"""Following server-sent events from the command line: over several nodes, from the last id on, without a gap."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.cli.exits import Exit, exit_of
from orchestrator.cli.http import CONNECT_S, addresses, trust
from orchestrator.cli.output import Failure, note

SILENCE_S = 15.0
"""A node says something at least every five seconds."""
PAUSE_S = 0.2
PATIENCE_S = 60.0
"""How long nodes are asked in turn while none answers, once one has."""
FIRST_PATIENCE_S = 3.0
"""The same before any has answered: then the addresses may be wrong."""
_PASSING = frozenset({Exit.NO_LEADER, Exit.DEGRADED, Exit.UNKNOWN})
"""What heals by itself, or does not hold for another node."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its id is an index in the replicated log, the same on every node."""

    index: str
    kind: str
    data: Any


class TimeOver(Exception):
    """The time given is over; nothing failed."""


class _Lost(Exception):
    """This node tells no more; the next one goes on. Without a reason the same one does, with less time for silence."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Follower:
    """Asks the nodes in turn, and goes on at the next one from the last id, which is `last`."""

    def __init__(self, urls: str, path: str, *, params: Mapping[str, str] | None = None, last: str = "") -> None:
        self._urls = addresses(urls)
        self._path = path
        self._params = dict(params or {})
        self._token = os.environ.get("TRIARCH_TOKEN") or None
        self.last = last
        self._given = last

    def events(self, until: float | None = None) -> Iterator[Told]:
        """Until `ended`, or there is nothing more. Failure; TimeOver when the monotonic time `until` has come."""
        number, heard_at, patience, said = 0, time.monotonic(), FIRST_PATIENCE_S, False
        while True:
            try:
                for told in self._from(self._urls[number % len(self._urls)], until):
                    heard_at, patience = time.monotonic(), PATIENCE_S
                    if said:
                        note("it goes on")
                        said = False
                    if told.kind:
                        yield told
                    if _ended(told):
                        return
                return
            except _Lost as lost:
                if until is not None and time.monotonic() >= until:
                    raise TimeOver from None
                if not lost.reason:
                    continue
                if time.monotonic() - heard_at > patience:
                    raise Failure("no_node", f"no node goes on: {lost.reason}") from None
                if not said and patience == PATIENCE_S:
                    note(f"{lost.reason}; going on from {self.last or 'the beginning'}")
                    said = True
                number += 1
                if number % len(self._urls) == 0:
                    time.sleep(PAUSE_S)

    def _from(self, url: str, until: float | None) -> Iterator[Told]:
        """What one node tells, signs of life too. _Lost when it ends before the end."""
        import httpx

        silence = SILENCE_S if until is None else max(0.05, min(SILENCE_S, until - time.monotonic()))
        headers = {"Accept": "text/event-stream"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if self.last:
            headers["Last-Event-ID"] = self.last
        timeout = httpx.Timeout(silence, connect=CONNECT_S)
        try:
            with (
                httpx.Client(timeout=timeout, trust_env=False, verify=trust()) as client,
                client.stream("GET", url + self._path, params=self._params, headers=headers) as answer,
            ):
                if answer.status_code == 204:
                    return
                if answer.status_code != 200:
                    answer.read()
                    self._refused(url, answer)
                for told in events_of(answer.iter_lines()):
                    if told.index:
                        self.last = told.index
                    yield told
                    if until is not None and until - time.monotonic() < silence:
                        raise _Lost  # asked anew, so that silence is not waited for beyond the time given
        except httpx.HTTPError as error:
            raise _Lost(f"{url} is gone ({type(error).__name__})") from None
        raise _Lost(f"{url} has ended the stream")

    def _refused(self, url: str, answer: Any) -> None:
        try:
            document = answer.json()
            code, detail = str(document["code"]), str(document["detail"])
        except (ValueError, KeyError, TypeError):
            code, detail = "unexpected_answer", f"{url} answered {answer.status_code}; is it a node of Triarch?"
        if code == "invalid_cursor" and self.last != self._given:
            self.last = ""  # the cluster was restored meanwhile: its log is another one
            raise _Lost(f"{url}: {detail}")
        if exit_of(code, answer.status_code) in _PASSING:
            raise _Lost(f"{url}: {detail}")
        raise Failure(code, detail, status=answer.status_code)


def events_of(lines: Iterator[str]) -> Iterator[Told]:
    """The events in the lines of a stream; a comment, or an id alone, is one without a kind."""
    index, kind = "", ""
    data: list[str] = []
    for line in lines:
        if not line:
            parsed = _parsed("\n".join(data)) if data else None
            yield Told(index, (kind or "message") if data else "", parsed)
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                index = value
            case "event":
                kind = value
            case "data":
                data.append(value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Failure("unexpected_answer", "the stream holds what is no JSON; is it a node of Triarch?") from None


ENDED: Sequence[str] = ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED")


def _ended(told: Told) -> bool:
    """`ended`, or the snapshot of what has ended: one that was retried since goes on after it."""
    return told.kind == "ended" or (told.kind == "snapshot" and told.data.get("status") in ENDED)
