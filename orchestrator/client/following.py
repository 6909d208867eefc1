"""A stream that goes on: over several nodes, from the last id on, without a gap. A generator of steps. Pure.

an address after the other ─┬ opened ─▶ events ─┬ the last one ─────────────────▶ over
                            │                   └ silence, an end, `lost` ─▶ the next address, from the last id
                            ├ not possible there ─▶ the next address
                            └ refused ─▶ over; 410 ─▶ Compacted, or the state as it is, and on from there
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.client.addresses import Addresses
from orchestrator.client.calls import query_of
from orchestrator.client.errors import (
    ApiError,
    Compacted,
    NoNode,
    TimeOver,
    Unauthorised,
    UnexpectedAnswer,
)
from orchestrator.client.exchanging import Answer, Emit, NoAnswer, Open, Pause, Read, Renew, Request, Step, Told
from orchestrator.client.judging import RETRY_AFTER_MAX_S, problem_of
from orchestrator.client.sse import Event, Parser

SILENCE_S = 15.0
"""A node says something at least every five seconds."""
PAUSE_S = 0.2
PATIENCE_S = 60.0
"""How long nodes are asked in turn while none answers, once one has."""
FIRST_PATIENCE_S = 3.0
"""The same before any has answered: then the addresses may be wrong."""
_PASSING = frozenset({429, 502, 503, 504})


@dataclass(slots=True)
class Place:
    """Where a stream is: `last` is the id to go on from, which whoever follows may keep."""

    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a stream is followed.

    `first_patience_s`, `patience_s`: how long nodes are asked while none answers. `until`: monotonic seconds; then
    TimeOver. `told`: is called with a line about the course of things, for people.
    """

    first_patience_s: float = FIRST_PATIENCE_S
    patience_s: float = PATIENCE_S
    until: float | None = None
    told: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is followed. `ends`: whether an event is the last one. `lost`: the kind by which a node cuts a stream.

    `state`: a program that gives the event with the state to go on from when the place is not held any more, or the
    plant was restored; None to raise Compacted then.
    """

    path: str
    query: Mapping[str, Any]
    ends: Callable[[Event], bool] = lambda _event: False
    lost: str = "lost"
    state: Callable[[float], Generator[Step, Told, Event]] | None = None
    begins_with_state: bool = False
    """Whether a stream without a place begins with that."""


class _Lost(Exception):
    """This node tells no more; the next one goes on."""

    def __init__(self, now: float, reason: str, wait_s: float = 0.0, *, anew: bool = False) -> None:
        super().__init__(reason)
        self.now = now
        self.reason = reason
        self.wait_s = wait_s
        self.anew = anew
        """Nothing that was told before counts any more."""


def following(
    stream: Stream, addresses: Addresses, place: Place, course: Course, began: float
) -> Generator[Step, Told, None]:
    """Emits each Event that has a kind. Raises ClientError; TimeOver when `course.until` has come."""
    now, heard, patience, said, given = began, began, course.first_patience_s, False, place.last
    tried: set[str] = set()
    renewed = False
    if stream.begins_with_state and stream.state is not None and not place.last:
        now = yield from _begun_anew(stream.state, place, now, 0.0)

    while True:
        address = _next(addresses, tried, now)
        tried.add(address)
        opened, heard_of_it = now, False
        try:
            events = _from(stream, address, addresses, place, course, now)
            told: Told | None = None
            while True:
                step = next(events) if told is None else events.send(told)
                if isinstance(step, Emit):
                    event: Event = step.item
                    patience, renewed, heard_of_it = course.patience_s, False, True
                    tried = {address}
                    if said and course.told is not None:
                        course.told("it goes on")
                    said = False
                    if event.kind:
                        yield step
                    if event.kind and stream.ends(event):
                        return
                    told = Told(now, 0.0)
                else:
                    told = yield step
                    heard = told.now if isinstance(told.outcome, bytes) else heard
                    now = told.now
        except StopIteration:
            return
        except _Lost as lost:
            now = lost.now
            if course.until is not None and now >= course.until:
                raise TimeOver("the time given is over") from None
            if lost.anew and stream.state is not None:
                now = yield from _begun_anew(stream.state, place, now)
                tried.discard(address)
                continue
            addresses.failed(address, now, now - max(opened, heard))
            if now - heard > patience:
                raise NoNode(f"no node goes on: {lost.reason}") from None
            if not said and patience == course.patience_s and course.told is not None:
                course.told(f"{lost.reason}; going on from {place.last or 'the beginning'}")
                said = True
            if tried.issuperset(addresses.known) or (heard_of_it and now - opened < PAUSE_S):
                now = (yield Pause(max(PAUSE_S, min(lost.wait_s, RETRY_AFTER_MAX_S)))).now
                tried = {address} if heard_of_it and len(addresses.known) > 1 else set()
        except Unauthorised:
            told = yield Renew()
            now = told.now
            if renewed or not told.outcome:
                raise
            renewed = True
            tried.discard(address)
        except Compacted:
            if stream.state is None:
                raise
            heard = now = yield from _begun_anew(stream.state, place, now)
            tried.discard(address)
        except ApiError as error:
            if error.code != "invalid_cursor" or place.last == given:
                raise
            # The cluster was restored meanwhile: its log is another one.
            place.last = given = ""
            tried.discard(address)
            if stream.state is not None:
                now = yield from _begun_anew(stream.state, place, now, 0.0)


def _begun_anew(
    state: Callable[[float], Generator[Step, Told, Event]], place: Place, now: float, pause_s: float = PAUSE_S
) -> Generator[Step, Told, float]:
    """Emits the state, and goes on from there. The time afterwards."""
    event = yield from state(now)
    place.last = event.id
    yield Emit(event)
    return (yield Pause(pause_s)).now


def _next(addresses: Addresses, tried: set[str], now: float) -> str:
    ordered = addresses.order(now, any_node=True)
    return next((url for url in ordered if url not in tried), ordered[0])


def _from(
    stream: Stream, address: str, addresses: Addresses, place: Place, course: Course, now: float
) -> Generator[Step, Told, None]:
    """What one node tells, signs of life too; it returns where there is nothing more. Raises _Lost before the end."""
    left = None if course.until is None else max(0.05, course.until - now)
    silence = SILENCE_S if left is None else min(SILENCE_S, left)
    told = yield Open(address, _request(stream, place), silence, left)
    outcome = told.outcome
    if isinstance(outcome, NoAnswer):
        raise _Lost(told.now, f"{address} is gone ({outcome.reason})")
    addresses.answered(address, outcome.headers)
    if isinstance(outcome, Answer):
        if outcome.status == 204:
            return
        raise _refused(outcome, address, told.now)
    parser = Parser()
    while True:
        told = yield Read()
        if isinstance(told.outcome, NoAnswer):
            raise _Lost(told.now, f"{address} is gone ({told.outcome.reason})")
        if not told.outcome:
            raise _Lost(told.now, f"{address} has ended the stream")
        for event in parser.feed(told.outcome):
            if event.id:
                place.last = event.id
            yield Emit(event)
            if event.kind == stream.lost:
                why = str(event.data.get("reason", "")) if isinstance(event.data, dict) else ""
                raise _Lost(told.now, f"{address} has cut the stream ({why})", anew=why == "restored")


def _request(stream: Stream, place: Place) -> Request:
    headers = {"Accept": "text/event-stream"}
    if place.last:
        headers["Last-Event-ID"] = place.last
    return Request(method="GET", target=stream.path + query_of(stream.query), headers=headers, any_node=True)


def _refused(answer: Answer, address: str, now: float) -> Exception:
    error = problem_of(answer)
    detail = error.detail if isinstance(error, ApiError) else error.message
    wait_s = error.retry_after_s or 0.0 if isinstance(error, ApiError) else 0.0
    if answer.status in _PASSING:
        return _Lost(now, f"{address}: {detail}", wait_s)
    if isinstance(error, ApiError):
        return error
    return UnexpectedAnswer(f"{address} answered {answer.status}; is it a node of Triarch?", answer.status)
