"""What takes several requests: pages one after the other, streams, waiting for an end. Pure: programs of steps."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from orchestrator.client.attempts import attempts
from orchestrator.client.calls import Call
from orchestrator.client.endpoints import Acting, Emitting, Program
from orchestrator.client.exchanging import Answer, Emit, Exchange, NoAnswer, Pause, Request, Step, Told
from orchestrator.client.following import Course, Place, Stream, following
from orchestrator.client.sse import Event

T = TypeVar("T")
Page = TypeVar("Page")


def asked(acting: Acting, call: Call[T], now: float) -> Program[T]:
    """The value of one read, as part of a program."""
    answer = yield from attempts(call.request(""), acting.addresses, acting.tries, now)
    return call.value(answer)


def once(address: str, target: str, timeout_s: float, began: float) -> Program[tuple[Answer | NoAnswer, float]]:
    """What this one address says to a GET, whatever it is, and the seconds it took."""
    told = yield Exchange(address, Request(method="GET", target=target, any_node=True), timeout_s, timeout_s)
    return told.outcome, told.now - began


def paged(
    acting: Acting,
    call_of: Callable[[str], Call[Page]],
    rows_of: Callable[[Page], Sequence[T]],
    cursor_of: Callable[[Page], str | None],
) -> Emitting[T]:
    """The rows of all pages; each page is asked for when the rows before it are taken."""

    def program(began: float) -> Program[None]:
        cursor: str | None = ""
        now = began
        while cursor is not None:
            page = yield from asked(acting, call_of(cursor), now)
            for row in rows_of(page):
                yield Emit(row)
            cursor = cursor_of(page)
            now = (yield Pause(0.0)).now

    return Emitting(program)


def streamed(acting: Acting, stream: Stream, place: Place | None, within_s: float | None) -> Emitting[Event]:
    """The events of a stream, for `within_s` seconds at most: then TimeOver."""

    def program(began: float) -> Program[None]:
        course = Course(until=None if within_s is None else began + within_s)
        return following(stream, acting.addresses, place or Place(), course, began)

    return Emitting(program)


def silent(program: Program[T]) -> Generator[Step, Told, T]:
    """The same without what it emits."""
    try:
        step = next(program)
        while True:
            step = program.send(Told(0.0, 0.0) if isinstance(step, Emit) else (yield step))
    except StopIteration as end:
        value: T = end.value
        return value


def given(**members: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in members.items() if value is not None}
