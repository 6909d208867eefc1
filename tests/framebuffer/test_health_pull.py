"""Health pulls over real connections: what counts as well, how soon a failure is told, that none holds up another."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from framebuffer.health_pull import HealthPuller, health_client
from framebuffer.models import ProcessorRegistration
from framebuffer.registry import ProcessorRow
from framebuffer.tasks import ended
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

INTERVAL_S = 0.4
PATIENT_S = 1.2
"""An interval whose half is enough for an answer on a busy machine."""


class Place:
    """An HTTP server that answers with `status`, or (0) not at all."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.requests: list[bytes] = []
        self._silent = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if self.status == 0:
                await reader.read()  # until the client gives up
                return
            head = f"HTTP/1.1 {self.status} X\r\nLocation: http://127.0.0.1:1/\r\nSet-Cookie: a=b\r\nContent-Length: 2"
            writer.write(head.encode() + b"\r\n\r\nok")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it was given up
        finally:
            writer.close()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/health"


class Pulling:
    """A puller over rows that the test changes, and what it told."""

    def __init__(self) -> None:
        self.rows: dict[str, ProcessorRow] = {}
        self.told: list[tuple[str, str, float]] = []
        self._failures: dict[str, int] = {}

    def add(self, processor_id: str, url: str | None, index: int = 1) -> None:
        registration = ProcessorRegistration(id=processor_id, capabilities=("face",), capacity=1, health_url=url)
        row = ProcessorRow(registration=registration, healthy=True, reason="", registered_time=0.0, position=(1, index))
        self.rows = {**self.rows, processor_id: row}

    def said(self, processor_id: str) -> list[str]:
        return [reason for name, reason, _ in self.told if name == processor_id]

    def tell(self, row: ProcessorRow, reason: str) -> int:
        self.told.append((row.id, reason, time.monotonic()))
        self._failures[row.id] = self._failures.get(row.id, 0) + 1 if reason else 0
        return self._failures[row.id]

    @asynccontextmanager
    async def running(self, interval_s: float = INTERVAL_S) -> AsyncIterator[None]:
        async with health_client() as http:
            puller = HealthPuller(http, lambda: self.rows, self.tell, interval_s=interval_s, timeout_s=interval_s / 2)
            task = asyncio.create_task(puller.run())
            try:
                yield
                assert not task.done()
            finally:
                await ended(task)


async def test_what_is_well_and_what_is_not() -> None:
    pulling, well, broken, moved, silent = Pulling(), Place(204), Place(500), Place(302), Place(0)
    async with well.served() as a, broken.served() as b, moved.served() as c, silent.served() as d, pulling.running():
        for name, url in {"well": a, "broken": b, "moved": c, "silent": d, "not-asked": None}.items():
            pulling.add(name, url)
        pulling.add("nobody", f"http://127.0.0.1:{free_port()}/")
        pulling.add("nonsense", "http://127.0.0.1:1/\x01")
        await eventually(lambda: len({name for name, _, _ in pulling.told}) == 6)
        await eventually(lambda: len(pulling.said("well")) >= 2)
    assert set(pulling.said("well")) == {""}
    assert pulling.said("broken")[0] == "answered 500"
    assert pulling.said("moved")[0] == "answered 302"
    assert pulling.said("silent")[0] == "no answer within 0.2 s"
    assert pulling.said("nobody")[0].startswith("ConnectError")
    assert pulling.said("nonsense")[0]
    assert all(b"authorization" not in one.lower() and b"cookie" not in one.lower() for one in well.requests)


async def test_an_address_that_none_can_be_is_not_well_and_ends_nothing() -> None:
    pulling, well = Pulling(), Place(200)
    async with well.served() as url, pulling.running(PATIENT_S):
        for at, wrong in enumerate(("http://xn--/", "http://face..plant:1/", f"http://{'n' * 64}/", "http://a b/")):
            pulling.add(f"p{at}", wrong)
        await eventually(lambda: all(pulling.said(f"p{at}") for at in range(4)), deadline_s=20)
        assert all(all(pulling.said(f"p{at}")) for at in range(4)), pulling.told
        pulling.add("well", url)
        await eventually(lambda: "" in pulling.said("well"), deadline_s=20)


async def test_two_failures_are_told_within_two_intervals_and_many_that_are_silent_do_not_hold_it_up() -> None:
    pulling, well, place = Pulling(), Place(), Place()
    async with well.served() as fine, place.served() as url, Place(0).served() as silent, pulling.running(PATIENT_S):
        pulling.add("one", url)
        await eventually(lambda: pulling.said("one")[-1:] == [""], deadline_s=20)
        for number in range(20):
            pulling.add(f"silent-{number}", silent)
        pulling.add("well", fine)
        place.status, failed_at = 503, time.monotonic()
        await eventually(lambda: pulling.said("one").count("answered 503") >= 2, deadline_s=20, every_s=0.005)
        second = [at for name, reason, at in pulling.told if name == "one" and reason][1]
        assert second - failed_at <= 2 * PATIENT_S + 1.0  # the rest is for a busy machine
        await eventually(lambda: len(pulling.said("well")) >= 2, deadline_s=20)
        place.status = 200
        await eventually(lambda: pulling.said("one")[-1] == "", deadline_s=20)


async def test_who_is_gone_or_has_moved_is_asked_no_more() -> None:
    pulling, first, second = Pulling(), Place(), Place()
    async with first.served() as a, second.served() as b, pulling.running():
        pulling.add("p", a)
        await eventually(lambda: first.requests)
        pulling.add("p", b, index=2)
        await eventually(lambda: second.requests)
        seen = len(first.requests)
        await eventually(lambda: len(second.requests) >= 3)
        assert len(first.requests) == seen
        pulling.rows = {}
        pulling.add("other", a)
        await eventually(lambda: len(first.requests) > seen + 1)
        seen = len(second.requests)
        told = len(pulling.said("other"))
        await eventually(lambda: len(pulling.said("other")) >= told + 2)
        assert len(second.requests) == seen
