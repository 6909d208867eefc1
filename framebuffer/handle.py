"""A frame in the hands of code that settles it itself, instead of returning a result from `process_frame`.

    async with aclosing(client.frames()) as frames:
        async for handle in frames:
            faces = await detect(handle.frame.payload)
            await handle.accept({"faces": faces})

Each verb returns what the server says: `settled`, `released`, `dead`, `retry`; `not-owner` when the frame was given to
another meanwhile (its lease ran out, or this processor was taken for dead), and then what was said of it is void.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from framebuffer.errors import FrameBufferError
from framebuffer.models import TraceContext
from framebuffer.result import encoded, span_of
from framebuffer.streams import FrameStreams
from framebuffer.wire import Settlement, SettleOutcome, TakenFrame
from framebuffer.work import REASON_MAX

__all__ = ["FrameHandle", "Handles", "ProcessorClosed"]


class ProcessorClosed(FrameBufferError):
    """The processor ended before the server answered: what became of the frame is not known here."""

    code = "processor_closed"


class FrameHandle:
    """One taken frame. The first verb that ends it counts; another one then is a RuntimeError.

    Its lease is renewed by the client while it is in hand (within `work_limit_s`); `renew` does so now.
    """

    def __init__(self, processor_id: str, frame: TakenFrame, renew: Callable[[str], Awaitable[bool]]) -> None:
        self.frame = frame
        self._processor_id = processor_id
        self._renew = renew
        self._parent, self._span = span_of(frame)
        loop = asyncio.get_running_loop()
        self._settlement: asyncio.Future[Settlement] = loop.create_future()
        self._outcome: asyncio.Future[SettleOutcome] = loop.create_future()

    @property
    def trace(self) -> TraceContext:
        """The span of the work on this frame."""
        return self._span

    @property
    def ended(self) -> bool:
        """One of the verbs that end it was called."""
        return self._settlement.done()

    async def accept(self, result: Mapping[str, Any] | None = None) -> SettleOutcome:
        """It is done: publish `result` (JSON values; numpy's are fine).

        Errors: TypeError, ValueError when that is not JSON or too large: then the frame is still in hand.
        """
        body = encoded(self._processor_id, self.frame, self._parent, self._span, result)
        return await self._end(Settlement(self.frame.entry_id, "ok", result=body))

    async def release(self) -> SettleOutcome:
        """Not now: it goes back to dispatch, and that counts as no attempt."""
        return await self._end(Settlement(self.frame.entry_id, "release"))

    async def reject(self, reason: str) -> SettleOutcome:
        """Never: it goes to the dead, with the reason."""
        return await self._end(Settlement(self.frame.entry_id, "dead", reason=reason[:REASON_MAX]))

    async def fail(self, reason: str) -> SettleOutcome:
        """It did not work: another attempt, or the dead after the last one."""
        return await self._end(Settlement(self.frame.entry_id, "error", reason=reason[:REASON_MAX]))

    async def renew(self) -> bool:
        """Start the lease anew; False when the frame is another's by now. Errors: RedisFailure."""
        return await self._renew(self.frame.entry_id)

    async def _end(self, settlement: Settlement) -> SettleOutcome:
        if self._settlement.done():
            raise RuntimeError(f"frame {self.frame.frame_id} was settled before, as {self._settlement.result().status}")
        self._settlement.set_result(settlement)
        return await asyncio.shield(self._outcome)

    # -- the client's side --------------------------------------------------------------------------------------------

    async def settlement(self) -> Settlement:
        """What the code that has it said of it, once it has."""
        return await asyncio.shield(self._settlement)

    def abandon(self) -> None:
        """The code that had it is gone: release it."""
        if not self._settlement.done():
            self._settlement.set_result(Settlement(self.frame.entry_id, "release"))

    def answered(self, outcome: SettleOutcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    def closed(self) -> None:
        """No answer will come."""
        if not self._outcome.done():
            self._outcome.set_exception(ProcessorClosed(f"processor {self._processor_id} ended"))
            self._outcome.exception()  # looked at: nobody may be waiting for it


class Handles:
    """Those that are out: the client offers frames and hears outcomes, other code takes and settles them."""

    def __init__(self, processor_id: str, consumer: str) -> None:
        self._processor_id = processor_id
        self._consumer = consumer
        self._offered: asyncio.Queue[FrameHandle] = asyncio.Queue()
        self._out: list[dict[str, FrameHandle]] = []  # one a shard: each counts its entries for itself
        self._abandoned = False

    def of_shard(
        self, streams: FrameStreams
    ) -> tuple[Callable[[TakenFrame], Awaitable[Settlement]], Callable[[str, SettleOutcome], None]]:
        """What offers a frame of the shard until it has its settlement, and what hears the server's answer."""
        out: dict[str, FrameHandle] = {}
        self._out.append(out)

        async def renew(entry_id: str) -> bool:
            return (await streams.renew(self._processor_id, self._consumer, [entry_id]))[0]

        async def offer(frame: TakenFrame) -> Settlement:
            if frame.payload_missing:
                return Settlement(frame.entry_id, "dead", reason="payload_missing")
            if self._abandoned:
                return Settlement(frame.entry_id, "release")
            handle = out[frame.entry_id] = FrameHandle(self._processor_id, frame, renew)
            self._offered.put_nowait(handle)
            return await handle.settlement()

        def told(entry_id: str, outcome: SettleOutcome) -> None:
            if (handle := out.pop(entry_id, None)) is not None:
                handle.answered(outcome)

        return offer, told

    async def next(self, client: asyncio.Task[None]) -> FrameHandle | None:
        """The next frame; None when the client has ended."""
        getting = asyncio.create_task(self._offered.get())
        try:
            await asyncio.wait({getting, client}, return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else None
        finally:
            getting.cancel()

    def abandon(self) -> None:
        """The code that took them is gone."""
        self._abandoned = True
        for handle in self._all():
            handle.abandon()

    def close(self) -> None:
        """The client has ended."""
        for handle in self._all():
            handle.closed()

    def _all(self) -> list[FrameHandle]:
        return [handle for out in self._out for handle in out.values()]
