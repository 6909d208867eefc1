"""Streams as the client reads them: server-sent events in pieces of any size, and going on from node to node."""

import json
from collections.abc import Generator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client import errors, sse
from orchestrator.client.addresses import Addresses
from orchestrator.client.exchanging import Answer, Emit, NoAnswer, Open, Opened, Pause, Read, Step, Told
from orchestrator.client.following import Course, Place, Stream, following
from orchestrator.client.sse import Event, Parser

URLS = ("http://a:1", "http://b:1", "http://c:1")
EVENTS = st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from(["change", "ended"]), st.text()), max_size=8)


def parsed(chunks: list[bytes]) -> list[Event]:
    parser = Parser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def encoded(index: int, kind: str, data: Any) -> bytes:
    return f"id: {index}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@given(events=EVENTS, cuts=st.lists(st.integers(0, 400)), end=st.sampled_from([b"\n", b"\r\n"]))
def test_however_it_is_cut_the_events_are_the_same(
    events: list[tuple[int, str, str]], cuts: list[int], end: bytes
) -> None:
    whole = b": hello\n\n" + b"".join(encoded(*event) for event in events)
    whole = whole.replace(b"\n", end)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in pairwise(places)]
    found = [event for event in parsed(pieces) if event.kind]
    assert [(event.index, event.kind, event.data) for event in found] == events


def test_what_the_format_allows() -> None:
    text = b"\xef\xbb\xbfretry: 10\nid:7\ndata:[1,\ndata: 2]\n\n: alive\nid: 9\n\nnonsense\n\ndata: {}\n\n"
    assert parsed([text]) == [
        Event("7", "message", [1, 2]),
        Event("9", "", None),
        Event("9", "", None),
        Event("9", "message", {}),
    ]
    assert parsed([b"data: 1"]) == [], "it is not complete"
    assert Event("", "", None).index == 0


def test_what_is_no_stream_of_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (b"data: {\n\n", b"data: " + b"[" * 100_000 + b"\n\n"):
        with pytest.raises(errors.UnexpectedAnswer):
            parsed([text])
    monkeypatch.setattr(sse, "EVENT_BYTES_MAX", 100)
    for chunks in ([b"x" * 60] * 4, [b"data: " + b"1" * 40 + b"\n"] * 4, [b"data: " + b"1" * 400 + b"\n\n"]):
        with pytest.raises(errors.UnexpectedAnswer):
            parsed(chunks)
    assert len(parsed([b"data: 1\n\n"] * 100)) == 100, "the bound is of one event"


class Nodes:
    """What each opening of a stream gives: a refusal, or chunks of bytes and then how it ends."""

    def __init__(self, program: Generator[Step, Told, None], openings: list[Any], took_s: float = 0.01) -> None:
        self.opened: list[tuple[str, str]] = []
        self.events: list[Event] = []
        self.now = 0.0
        self.pauses = 0
        self.error: errors.ClientError | None = None
        openings, chunks, told = list(openings), [], None
        try:
            while True:
                step = next(program) if told is None else program.send(told)
                outcome: Any = None
                match step:
                    case Open():
                        self.now += took_s
                        self.opened.append((step.address, step.request.headers.get("Last-Event-ID", "")))
                        outcome = openings.pop(0)
                        if isinstance(outcome, list):
                            chunks, outcome = list(outcome), Opened({})
                    case Read():
                        self.now += took_s
                        outcome = chunks.pop(0) if chunks else b""
                    case Pause():
                        self.pauses += 1
                        self.now += step.seconds
                    case Emit():
                        self.events.append(step.item)
                told = Told(self.now, 0.5, outcome)
        except StopIteration:
            pass
        except errors.ClientError as error:
            self.error = error


def follow(*openings: Any, place: Place | None = None, until: float | None = None, **stream: Any) -> Nodes:
    stream = {"ends": lambda event: event.kind == "ended", "path": "/f", "query": {}, **stream}
    program = following(Stream(**stream), Addresses(URLS), place or Place(), Course(until=until), 0.0)
    return Nodes(program, list(openings))


def change(index: int) -> bytes:
    return encoded(index, "change", {"index": index})


def refusal(status: int, code: str, **members: Any) -> Answer:
    return Answer("", status, {}, json.dumps({"code": code, "detail": code, **members}).encode())


LAST = encoded(9, "ended", {})


def test_it_goes_on_at_another_node_from_the_last_id() -> None:
    place = Place()
    done = follow(
        [change(1) + change(2)],
        NoAnswer("refused", sent=False),
        [b": alive\nid: 5\n\n", NoAnswer("ReadTimeout", sent=False)],
        [change(7), LAST, change(10)],
        place=place,
    )
    assert [event.index for event in done.events] == [1, 2, 7, 9]
    assert [last for _, last in done.opened] == ["", "2", "2", "5"]
    assert len({url for url, _ in done.opened[:3]}) == 3
    assert (done.error, place.last) == (None, "9")


def test_nothing_more_to_tell() -> None:
    done = follow(Answer("", 204, {}, b""))
    assert (done.events, done.error) == ([], None)


def test_a_refusal_ends_it() -> None:
    done = follow(refusal(404, "execution_unknown"))
    assert isinstance(done.error, errors.NotFound)
    assert len(done.opened) == 1
    assert isinstance(follow(Answer("", 404, {}, b"<html>")).error, errors.UnexpectedAnswer)


def test_a_node_with_too_many_followers_is_left_for_another() -> None:
    done = follow(refusal(503, "too_many_followers"), refusal(503, "no_leader"), [LAST])
    assert len({url for url, _ in done.opened}) == 3
    assert done.error is None


def test_a_node_that_kept_the_stream_waiting_rests_longer() -> None:
    addresses = Addresses(URLS)
    steps = following(
        Stream(path="/f", query={}, ends=lambda event: event.kind == "ended"), addresses, Place(), Course(), 0.0
    )
    opened = next(steps)
    assert isinstance(opened, Open)
    assert opened.address == URLS[0]
    other = steps.send(Told(2.0, 0.0, NoAnswer("nothing came", sent=True)))
    assert isinstance(other, Open)
    assert other.address == URLS[1]
    assert addresses.order(11.0)[-1] == URLS[0], "it may be one that hangs"
    steps.close()


def test_nobody_is_there_at_first_or_later() -> None:
    nobody = NoAnswer("refused", sent=False)
    never = follow(*[nobody] * 1000)
    assert isinstance(never.error, errors.NoNode)
    assert 3 <= never.now < 5
    later = follow([change(1)], *[nobody] * 10_000)
    assert isinstance(later.error, errors.NoNode)
    assert 60 <= later.now < 65


def test_the_time_given_is_over() -> None:
    done = follow(*[[b": alive\n\n"] * 3] * 1000, until=2.0)
    assert isinstance(done.error, errors.TimeOver)
    assert 2.0 <= done.now < 2.5


def test_a_node_that_ends_each_stream_at_once_is_not_asked_in_a_rush() -> None:
    done = follow(*[[change(at)] for at in range(1, 100)], [LAST])
    assert done.pauses >= 90


def state(index: int) -> Any:
    def program(now: float) -> Generator[Step, Told, Event]:
        told = yield Pause(0.5)
        assert told.now == pytest.approx(now + 0.5)
        return Event(str(index), "snapshot", {})

    return program


GONE = refusal(410, "compacted", snapshot="/v1/snapshot", index=40)
CUT = encoded(5, "lost", {"reason": "restored"})


def test_a_place_that_is_not_held_any_more() -> None:
    done = follow(GONE, place=Place("3"))
    assert isinstance(done.error, errors.Compacted)
    assert done.error.index == 40
    done = follow(GONE, [change(41), LAST], place=Place("3"), state=state(40))
    assert [event.kind for event in done.events] == ["snapshot", "change", "ended"]
    assert [last for _, last in done.opened] == ["3", "40"]


def test_a_stream_that_begins_with_the_state() -> None:
    done = follow([change(8), LAST], state=state(7), begins_with_state=True)
    assert [last for _, last in done.opened] == ["7"]
    assert [event.index for event in done.events] == [7, 8, 9]
    done = follow([LAST], state=state(7), begins_with_state=True, place=Place("3"))
    assert [last for _, last in done.opened] == ["3"], "there is a place already"


def test_the_plant_was_restored() -> None:
    done = follow([change(4), CUT, change(6)], [change(12), LAST], state=state(11))
    assert [event.kind for event in done.events] == ["change", "lost", "snapshot", "change", "ended"]
    assert [last for _, last in done.opened] == ["", "11"]
    slow = follow([change(4), encoded(4, "lost", {"reason": "slow"})], [change(5), LAST])
    assert [last for _, last in slow.opened] == ["", "4"]


def test_an_id_that_no_node_knows_any_more() -> None:
    unknown = refusal(422, "invalid_cursor")
    assert isinstance(follow(unknown, place=Place("77")).error, errors.Invalid), "the caller's own is wrong"
    done = follow([change(90)], unknown, [change(2), LAST])
    assert [last for _, last in done.opened] == ["", "90", ""], "the cluster was restored meanwhile"
