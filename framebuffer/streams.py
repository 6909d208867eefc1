"""The frame streams: the only code that calls the server's functions."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import redis.exceptions as redis_errors

from framebuffer import bitmaps, wire
from framebuffer.connection import execute, translate
from framebuffer.keys import PRIORITY_LEVELS, SUSPECT_LEVEL, check_name
from framebuffer.server import inspect_server
from framebuffer.stream_calls import DEFAULT_INLINE_BYTES_MAX, DEFAULT_MAX_ATTEMPTS, DEFAULT_RESULTS_MAXLEN
from framebuffer.stream_leading import LeadingCalls
from framebuffer.stream_processing import ProcessingCalls
from framebuffer.stream_publishing import PublishingCalls

__all__ = ["DEFAULT_INLINE_BYTES_MAX", "DEFAULT_MAX_ATTEMPTS", "DEFAULT_RESULTS_MAXLEN", "FrameStreams"]

_WAIT_GRACE_S = 1.0  # a blocking read that is this late has lost its connection

_stats_decoder = msgspec.msgpack.Decoder(wire.RawStats)
_ledger_decoder = msgspec.msgpack.Decoder(wire.CameraLedger)
_leader_decoder = msgspec.json.Decoder(wire.FenceRecord)


class FrameStreams(PublishingCalls, LeadingCalls, ProcessingCalls):
    """One shard of the frame streams.

    ``redis`` comes from ``framebuffer.connection.connect``; whoever made it closes it. All methods raise
    RedisUnavailable (another try may help, and every call here is safe to repeat) or RedisRefused (it will not).

    ``inline_bytes_max``: a larger payload gets a key of its own and does not travel through the streams.
    ``max_attempts``: a frame that failed this often is dead. ``results_maxlen``: results kept, approximately.
    ``segment_size``: sequences per ledger segment, fixed when a camera is first opened.
    """

    async def ready(self) -> wire.ServerInfo:
        """Check the server and load the library. Errors: RedisUnsupported, RedisUnavailable, RedisRefused."""
        return await inspect_server(self.redis)

    async def wait(self, stream_keys: Mapping[str, str], timeout_s: float) -> bool:
        """Block until one of the streams (key to last seen id) has a newer entry; false when none came in time.

        Takes nothing: whoever is woken makes its call and may find that another was faster. Cancel at will.
        """
        milliseconds = max(1, int(timeout_s * 1000))
        try:
            async with asyncio.timeout(timeout_s + _WAIT_GRACE_S):
                reply = await execute(
                    self._blocking_redis(),
                    "XREAD",
                    "COUNT",
                    1,
                    "BLOCK",
                    milliseconds,
                    "STREAMS",
                    *stream_keys.keys(),
                    *stream_keys.values(),
                )
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
        return bool(reply)

    async def wait_queue(self, processor_id: str, seen: Mapping[str, str], timeout_s: float) -> bool:
        """``wait`` for a processor's queue: on all its levels, each from the newest id ``seen`` there."""
        base = self.keys.ready(processor_id)
        levels = (*PRIORITY_LEVELS, SUSPECT_LEVEL)
        return await self.wait({self.keys.level(base, level): seen.get(level, "0-0") for level in levels}, timeout_s)

    async def wait_capture(self, report: wire.DispatchReport, timeout_s: float) -> bool:
        """``wait`` for what dispatch has to do: new frames of any level, or capacity that became free."""
        base, ids = self.keys.capture, report.capture_ids
        positions = {self.keys.level(base, level): ids.get(level, "0-0") for level in PRIORITY_LEVELS}
        return await self.wait({**positions, self.keys.wake: report.last_wake_id}, timeout_s)

    async def stats(self, *, leaders: int = 100) -> wire.StreamStats:
        """All queues and counters at one instant of the server, with the newest closed leaders."""
        raw = _stats_decoder.decode(await self._call("stats", max(1, leaders)))
        fence = None
        if raw.fence_node:
            term, index, first_us, last_us, frames = raw.fence
            fence = wire.FenceRecord(term, index, raw.fence_node, first_us, last_us, frames)
        return wire.StreamStats(
            capture_len=raw.capture_len,
            capture_pending=raw.capture_pending,
            lanes=dict(raw.lanes),
            ready={name: wire.QueueStats(length, pending) for name, length, pending in raw.ready},
            results_len=raw.results_len,
            results_added=raw.results_added,
            dead_len=raw.dead_len,
            cameras={
                name: wire.CameraCounters(session, highest, *counters, dict(drops))
                for name, session, highest, counters, drops in raw.cameras
            },
            fence=fence,
            leaders=[_leader_decoder.decode(record) for record in raw.leaders],
            places={name: wire.PlaceStats(length, oldest_ms) for name, length, oldest_ms in raw.places},
            pressure=raw.pressure,
            server_ms=raw.server_ms,
            dead_owed=raw.dead_owed,
        )

    async def depths(self, processor_ids: Sequence[str]) -> list[int]:
        """Frames in the queue of each, waiting and in work together."""
        if not processor_ids:
            return []
        try:
            return [int(depth or 0) for depth in await execute(self.redis, "HMGET", self.keys.depths, *processor_ids)]
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error

    async def camera_ledger(self, camera_id: str) -> wire.CameraLedger:
        """A camera's counters and what its bits say, of one instant."""
        head, *bits = await self._call("ledger", check_name("camera", camera_id))
        found = _ledger_decoder.decode(head)
        size = found.segment_size
        pairs = tuple(
            (bitmaps.whole(segment, size, found.contiguous, ragged), bitmaps.whole(segment, size, found.finals, final))
            for segment, final, ragged in zip(found.live, bits[::2], bits[1::2], strict=True)
        )
        return msgspec.structs.replace(found, bits=pairs)

    async def segment_bits(self, camera_id: str, segment: int, size: int) -> wire.SegmentBits:
        """The bits of one segment of ``size`` sequences, of one instant."""
        reply = await self._call("bits", check_name("camera", camera_id), segment)
        complete, contiguous, finals, final, ragged = reply
        if complete:
            return wire.SegmentBits(True, b"", b"")
        return wire.SegmentBits(
            False,
            bitmaps.whole(segment, size, int(contiguous), ragged),
            bitmaps.whole(segment, size, int(finals), final),
        )

    async def replaying(self, camera_id: str) -> set[int]:
        """The camera's frames that were dead and are under way again."""
        return {int(sequence) for sequence in await self._call("replaying", check_name("camera", camera_id))}

    async def missing(self, frames: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
        """Those of the frames (camera, sequence) that are owed and in no stream, at one instant of the server.

        It looks through everything in flight while the server does nothing else: for a few suspects only.
        """
        if not frames:
            return set()
        flat = await self._call("missing", *(part for frame in frames for part in frame))
        return {(camera.decode(), int(number)) for camera, number in zip(flat[::2], flat[1::2], strict=True)}

    async def scan(self, stream: str, after: str = "", *, count: int = 1000) -> list[wire.Scanned]:
        """A page of a stream (``capture``, ``lane:<capability>``, ``ready:<processor>``, ``results``, ``dead``, and
        the others that ``stats().places`` names), from behind entry ``after``.
        """
        flat = await self._call("scan", stream, f"({after}" if after else "-", count)
        return [
            wire.Scanned(entry.decode(), camera.decode(), int(sequence), part.decode(), int(published))
            for entry, camera, sequence, part, published in zip(*(flat[at::5] for at in range(5)), strict=True)
        ]

    async def existing(self, entries: Iterable[tuple[str, str]]) -> list[bool]:
        """Which (stream, entry id) exist, all at one instant."""
        try:
            async with asyncio.timeout(self._reply_s), self.redis.pipeline(transaction=True) as pipe:
                for stream, entry in entries:
                    pipe.execute_command("XRANGE", f"{self.keys.prefix}:{stream}", entry, entry)
                return [bool(found) for found in await pipe.execute()]
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
