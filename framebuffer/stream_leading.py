"""The leader's calls. Each carries its epoch, and is refused when a newer one is in force."""

from collections.abc import Sequence

import msgspec

from framebuffer import wire
from framebuffer.backpressure import Backpressure
from framebuffer.keys import check_name
from framebuffer.stream_calls import Argument, StreamCalls

__all__ = ["LeadingCalls"]

_RETURN_BATCH = 256

_table_encoder = msgspec.msgpack.Encoder()
_report_decoder = msgspec.msgpack.Decoder(wire.RawDispatch)


class LeadingCalls(StreamCalls):
    """See ``FrameStreams``."""

    async def fence(self, epoch: tuple[int, int], node_id: str) -> None:
        """Install the epoch (term, index): from now on every older one is refused. Errors: Fenced."""
        await self._call("fence", *epoch, check_name("node", node_id))

    async def dispatch(
        self,
        epoch: tuple[int, int],
        node_id: str,
        table: wire.RoutingTable,
        *,
        limit: int = 64,
        claim: bool = False,
        traced: str = "",
        lend_ms: int = 0,
    ) -> wire.DispatchReport:
        """Move up to ``limit`` frames to the queues of processors: from the lanes first, then new ones.

        ``claim``: also take over what another leader read and never acknowledged; once after a takeover, until the
        report says there is no ``more``. ``traced``: the caller makes spans of the frames in ``sampled``, so they go on
        below those (framebuffer/tracing.py); it has exported them up to this ``sampled_id`` ("0-0": none). ``lend_ms``:
        for so long ``publish`` may route by this table itself, where nothing waits; what it routed comes with the next
        report. Errors: Fenced.
        """
        node, blob = check_name("node", node_id), _table_encoder.encode(table)
        reply = await self._call("dispatch", *epoch, node, max(0, limit), int(claim), blob, traced, max(0, lend_ms))
        raw = _report_decoder.decode(reply)
        return wire.DispatchReport(
            read=raw.read,
            drained=raw.drained,
            routed=raw.routed,
            parked=raw.parked,
            depths=dict(raw.depths),
            waiting=raw.waiting,
            more=raw.more,
            capture_ids=dict(raw.capture_ids),
            last_wake_id=raw.last_wake_id,
            malformed=raw.malformed,
            capture=raw.capture,
            outstanding=raw.outstanding,
            capacity=raw.capacity,
            unserved=dict(raw.unserved),
            sampled=raw.sampled,
            sampled_id=raw.sampled_id,
            crowded=raw.crowded,
        )

    async def peek(
        self, epoch: tuple[int, int], node_id: str, *, limit: int = 64, table: wire.RoutingTable | None = None
    ) -> list[wire.WaitingFrame]:
        """What waits for a decision, in the order in which it should leave; for routers outside the server.

        ``table``: lanes that its processors have no room for are left out. A frame with an empty head is not to be
        decided about (``place`` it with None): it is malformed, or behind others of its capability that are not shown.
        Errors: Fenced.
        """
        arguments: list[Argument] = [*epoch, check_name("node", node_id), max(1, limit)]
        if table is not None:
            arguments.append(_table_encoder.encode(table))
        flat = await self._call("peek", *arguments)
        rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        return [wire.WaitingFrame(place.decode(), entry.decode(), head.decode()) for place, entry, head in rows]

    async def place(
        self,
        epoch: tuple[int, int],
        node_id: str,
        table: wire.RoutingTable,
        decisions: Sequence[tuple[wire.WaitingFrame, str | None]],
    ) -> list[str]:
        """Do what was decided: each frame to a processor's queue, or (None) to the lane of its capability.

        Per frame ``placed``, ``parked``, ``gone``, ``full``, ``malformed`` or ``unknown`` (not in the table).
        Errors: Fenced.
        """
        arguments: list[Argument] = [*epoch, check_name("node", node_id), _table_encoder.encode(table)]
        for frame, processor_id in decisions:
            arguments += (frame.place, frame.entry_id, processor_id or "")
        return [outcome.decode() for outcome in await self._call("place", *arguments)]

    async def set_pressure(self, epoch: tuple[int, int], level: int | Backpressure) -> None:
        """What publishers are told from now on: 0 to 3 for all frames, or more for some. Errors: Fenced."""
        told = level if isinstance(level, Backpressure) else Backpressure(level)
        await self._call("pressure", *epoch, str(told))

    async def expire(self, epoch: tuple[int, int], processor_id: str, lease_ms: int, *, limit: int = 256) -> int:
        """Take back frames that a consumer has held for longer without renewing; returns how many.

        Each has failed once more, and is dead (``lease_expired``) after the last attempt. Errors: Fenced.
        """
        check_name("processor", processor_id)
        moved, _ = await self._call("expire", *epoch, processor_id, max(1, lease_ms), max(1, limit), self.max_attempts)
        return int(moved)

    async def return_queue(self, epoch: tuple[int, int], processor_id: str) -> int:
        """Send the frames of a dead or removed processor back to their lanes, taken ones included; returns how many.

        Those that were in hand have failed once more, and are dead (``processor_died``) after the last attempt.
        Errors: Fenced.
        """
        check_name("processor", processor_id)
        moved = 0
        while True:
            reply: list[int] = await self._call("return", *epoch, processor_id, _RETURN_BATCH, self.max_attempts)
            batch, left, _ = reply
            moved += batch
            if not left or not batch:
                return moved
