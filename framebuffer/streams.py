"""The frame streams: the only code that calls the server's functions."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
import redis.exceptions as redis_errors
from redis.asyncio import Redis

from framebuffer import bitmaps, decoded, wire
from framebuffer.calls import Superseded, call, call_and_wait
from framebuffer.connection import blocking_twin, execute, translate
from framebuffer.errors import CameraSuperseded, NotDurable
from framebuffer.keys import DEFAULT_SEGMENT, PRIORITY_LEVELS, SUSPECT_LEVEL, Keys, check_name
from framebuffer.server import inspect_server

__all__ = ["DEFAULT_INLINE_BYTES_MAX", "DEFAULT_MAX_ATTEMPTS", "FrameStreams"]

DEFAULT_INLINE_BYTES_MAX = 4096
DEFAULT_MAX_ATTEMPTS = 5
DEFAULT_RESULTS_MAXLEN = 100_000

_REPLY_S = 2.0
_WAIT_GRACE_S = 1.0  # a blocking read that is this late has lost its connection
_RETURN_BATCH = 256

_Argument = str | bytes | int
_table_encoder = msgspec.msgpack.Encoder()
_report_decoder = msgspec.msgpack.Decoder(wire.RawDispatch)
_stats_decoder = msgspec.msgpack.Decoder(wire.RawStats)
_ledger_decoder = msgspec.msgpack.Decoder(wire.CameraLedger)
_leader_decoder = msgspec.json.Decoder(wire.FenceRecord)


class FrameStreams:
    """One shard of the frame streams.

    ``redis`` comes from ``framebuffer.connection.connect``; whoever made it closes it. All methods raise
    RedisUnavailable (another try may help, and every call here is safe to repeat) or RedisRefused (it will not).

    ``inline_bytes_max``: a larger payload gets a key of its own and does not travel through the streams.
    ``max_attempts``: a frame that failed this often is dead. ``results_maxlen``: results kept, approximately.
    ``segment_size``: sequences per ledger segment, fixed when a camera is first opened.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys | None = None,
        *,
        inline_bytes_max: int = DEFAULT_INLINE_BYTES_MAX,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        results_maxlen: int = DEFAULT_RESULTS_MAXLEN,
        segment_size: int = DEFAULT_SEGMENT,
    ) -> None:
        self.redis = redis
        self.keys = keys or Keys()
        self.inline_bytes_max = inline_bytes_max
        self.max_attempts = max_attempts
        self.results_maxlen = results_maxlen
        self.segment_size = segment_size
        self._blocking: Redis | None = None
        self._reply_s: float = getattr(redis, "reply_s", _REPLY_S)
        self._durable_wait_ms = max(1, int(self._reply_s * 500))

    async def aclose(self) -> None:
        """Close the connections for blocking reads. Calls that wait end with RedisUnavailable."""
        blocking, self._blocking = self._blocking, None
        if blocking is not None:
            await blocking.aclose()
            await blocking.connection_pool.disconnect()

    async def ready(self) -> wire.ServerInfo:
        """Check the server and load the library. Errors: RedisUnsupported, RedisUnavailable, RedisRefused."""
        return await inspect_server(self.redis)

    async def _call(self, function: str, *arguments: _Argument) -> Any:
        return await call(self.redis, function, self.keys.prefix, *arguments)

    # -- cameras ------------------------------------------------------------------------------------------------------

    async def open_camera(
        self, camera_id: str, *, token: str | None = None, resume_at: int | None = None
    ) -> wire.CameraSession:
        """Become the camera's producer; whoever was it is refused from now on. Repeating with one ``token`` is safe.

        ``resume_at``: the sequence that a producer goes on with although the server has forgotten the ones before
        (it lost them in a failover); without it a sequence far ahead of the last one is refused.
        """
        check_name("camera", camera_id)
        token = token or secrets.token_hex(16)
        resume = -1 if resume_at is None else resume_at
        previous, next_sequence = await self._call("open", camera_id, token, self.segment_size, resume)
        return wire.CameraSession(camera_id, token, int(next_sequence), previous.decode())

    async def publish(
        self, session: wire.CameraSession, frames: Sequence[wire.OutgoingFrame], *, durability: int = 0
    ) -> list[wire.Published]:
        """Publish frames of one camera: per frame ``ok``, ``duplicate`` or ``refused:<reason>``.

        ``durability``: replicas that must have them before this returns. Errors: CameraSuperseded, NotDurable (they
        are written; publishing them again waits again).
        """
        report = await self.publish_batch([(session, frame) for frame in frames], durability=durability)
        for status in report.statuses:
            if status.startswith("superseded:"):
                raise CameraSuperseded(session.camera_id, session.token, status.partition(":")[2])
        return report.statuses

    async def publish_batch(
        self, frames: Sequence[tuple[wire.CameraSession, wire.OutgoingFrame]], *, durability: int = 0
    ) -> wire.PublishReport:
        """Publish frames of many cameras in one call; a camera that another producer has opened since answers
        ``superseded:<its token>`` for each of its frames. Errors: NotDurable, as with ``publish``.
        """
        if not frames:
            return wire.PublishReport([], 0)
        numbers: dict[str, int] = {}
        sessions: list[_Argument] = []
        arguments: list[_Argument] = []
        for session, frame in frames:
            number = numbers.get(session.token)
            if number is None:
                number = numbers[session.token] = len(numbers) + 1
                sessions += (session.camera_id, session.token)
            capability = ",".join(frame.capabilities) if frame.capabilities else frame.capability
            arguments += (number, frame.frame_id, frame.sequence, capability, frame.priority, frame.traceparent)
            arguments += (frame.event, frame.payload)
        call_of = (self.inline_bytes_max, len(numbers), *sessions, *arguments)
        if durability <= 0:
            reply = await self._call("publish", *call_of)
        else:
            reply, confirmed = await call_and_wait(
                self.redis,
                "publish",
                self.keys.prefix,
                *call_of,
                replicas=durability,
                wait_ms=self._durable_wait_ms,
            )
            if confirmed < durability and not all(status.startswith(b"superseded:") for status in reply[1:]):
                raise NotDurable(durability, confirmed)
        return wire.PublishReport([status.decode() for status in reply[1:]], int(reply[0]))

    async def drop(self, session: wire.CameraSession, frames: Sequence[wire.Given]) -> list[wire.Published]:
        """Say that frames will never be published: each counts as published and as dropped, with its reason.

        Per frame ``ok``, ``duplicate`` or ``refused:<what>``; safe to repeat. Errors: CameraSuperseded.
        """
        if not frames:
            return []
        arguments: list[_Argument] = [session.camera_id, session.token]
        for frame in frames:
            arguments += (frame.frame_id, frame.sequence, frame.priority, frame.reason)
        try:
            statuses = await self._call("drop", *arguments)
        except Superseded as superseded:
            raise CameraSuperseded(session.camera_id, session.token, superseded.current) from None
        return [status.decode() for status in statuses]

    async def pressure(self) -> int:
        """The level of backpressure that the leader has set, 0 to 3."""
        try:
            return int(await execute(self.redis, "GET", self.keys.pressure) or 0)
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error

    # -- the leader ---------------------------------------------------------------------------------------------------

    async def fence(self, epoch: tuple[int, int], node_id: str) -> None:
        """Install the epoch (term, index): from now on every older one is refused. Errors: Fenced."""
        await self._call("fence", *epoch, check_name("node", node_id))

    async def dispatch(
        self, epoch: tuple[int, int], node_id: str, table: wire.RoutingTable, *, limit: int = 64, claim: bool = False
    ) -> wire.DispatchReport:
        """Move up to ``limit`` frames to the queues of processors: from the lanes first, then new ones.

        ``claim``: also take over what another leader read and never acknowledged; once after a takeover, until the
        report says there is no ``more``. Errors: Fenced.
        """
        blob = _table_encoder.encode(table)
        reply = await self._call("dispatch", *epoch, check_name("node", node_id), max(1, limit), int(claim), blob)
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
            unserved=raw.unserved,
            sampled=raw.sampled,
        )

    async def peek(self, epoch: tuple[int, int], node_id: str, *, limit: int = 64) -> list[wire.WaitingFrame]:
        """What waits for a decision, in the order in which it should leave; for routers outside the server.

        Errors: Fenced.
        """
        flat = await self._call("peek", *epoch, check_name("node", node_id), max(1, limit))
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
        arguments: list[_Argument] = [*epoch, check_name("node", node_id), _table_encoder.encode(table)]
        for frame, processor_id in decisions:
            arguments += (frame.place, frame.entry_id, processor_id or "")
        return [outcome.decode() for outcome in await self._call("place", *arguments)]

    async def set_pressure(self, epoch: tuple[int, int], level: int) -> None:
        """What publishers are told from now on, 0 to 3. Errors: Fenced."""
        await self._call("pressure", *epoch, level)

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

    # -- processors ---------------------------------------------------------------------------------------------------

    async def take(
        self,
        processor_id: str,
        consumer: str,
        *,
        count: int = 16,
        own: bool = False,
        after: str = "0",
        claim_idle_ms: int | None = None,
    ) -> list[wire.TakenFrame]:
        """Up to ``count`` new frames of the processor's queue, payloads included.

        ``own``: instead, frames that this consumer has taken already and not settled, those behind entry ``after``:
        needed after a start, a reconnect and a cancelled call, whose frames may have been lost on the way here.
        ``claim_idle_ms``: first take over frames of the processor's other consumers that are idle this long.
        """
        check_name("processor", processor_id)
        rows = await self._call(
            "take",
            processor_id,
            check_name("consumer", consumer),
            max(1, count),
            after if own else ">",
            -1 if claim_idle_ms is None else claim_idle_ms,
        )
        return [decoded.taken(row) for row in rows]

    async def settle(
        self, processor_id: str, consumer: str, settlements: Sequence[wire.Settlement]
    ) -> list[wire.SettleOutcome]:
        """Say what became of taken frames; per frame ``settled not-owner duplicate retry dead released``.

        A repeat after a lost reply answers ``not-owner``: there is nothing left to do for that frame.
        """
        if not settlements:
            return []
        arguments: list[_Argument] = [check_name("processor", processor_id), check_name("consumer", consumer)]
        arguments += [self.max_attempts, self.results_maxlen]
        for settlement in settlements:
            body = settlement.result if settlement.status == "ok" else settlement.reason
            arguments += (settlement.entry_id, settlement.status, body)
        outcomes = await self._call("settle", *arguments)
        return [cast("wire.SettleOutcome", outcome.decode()) for outcome in outcomes]

    async def renew(self, processor_id: str, consumer: str, entry_ids: Sequence[str]) -> list[bool]:
        """Start the lease of taken frames anew; false for one that is not this consumer's any more."""
        if not entry_ids:
            return []
        names = (check_name("processor", processor_id), check_name("consumer", consumer))
        return [bool(held) for held in await self._call("renew", *names, *entry_ids)]

    # -- waiting and looking ------------------------------------------------------------------------------------------

    async def wait(self, stream_keys: Mapping[str, str], timeout_s: float) -> bool:
        """Block until one of the streams (key to last seen id) has a newer entry; false when none came in time.

        Takes nothing: whoever is woken makes its call and may find that another was faster. Cancel at will.
        """
        if self._blocking is None:
            self._blocking = blocking_twin(self.redis)
        milliseconds = max(1, int(timeout_s * 1000))
        try:
            async with asyncio.timeout(timeout_s + _WAIT_GRACE_S):
                reply = await execute(
                    self._blocking,
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
        """``wait`` for a processor's queue: on the streams of all its levels, each from the newest id ``seen`` there."""
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

    async def camera_ledger(self, camera_id: str) -> wire.CameraLedger:
        """A camera's counters and what its bits say, of one instant."""
        head, *bits = await self._call("ledger", check_name("camera", camera_id))
        return msgspec.structs.replace(_ledger_decoder.decode(head), bits=tuple(bits))

    async def segment_bits(self, camera_id: str, segment: int) -> wire.SegmentBits:
        """The bits of one segment, of one instant."""
        complete, words = await self._call("bits", check_name("camera", camera_id), segment)
        return wire.SegmentBits(bool(complete), *bitmaps.unwoven(words))

    async def replaying(self, camera_id: str) -> set[int]:
        """The camera's frames that were dead and are under way again."""
        return {int(sequence) for sequence in await self._call("replaying", check_name("camera", camera_id))}

    async def scan(self, stream: str, after: str = "", *, count: int = 1000) -> list[wire.Scanned]:
        """A page of a stream (``capture``, ``lane:<capability>``, ``ready:<processor>``, ``results``, ``dead``, and
        the others that ``stats().places`` names), from behind entry ``after``.
        """
        flat = await self._call("scan", stream, f"({after}" if after else "-", count)
        return [
            wire.Scanned(entry.decode(), camera.decode(), int(sequence), part.decode(), int(published))
            for entry, camera, sequence, part, published in zip(*(flat[at::5] for at in range(5)), strict=True)
        ]

    # -- the dead -----------------------------------------------------------------------------------------------------

    async def dead_list(self, after: str = "", *, count: int = 100) -> list[wire.DeadFrame]:
        """A page of the frames that were given up, oldest first, from behind entry ``after``."""
        try:
            page = await execute(
                self.redis, "XRANGE", self.keys.dead, f"({after}" if after else "-", "+", "COUNT", count
            )
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
        return [found for entry, fields in page if (found := decoded.dead(entry, fields)) is not None]

    async def dead_replay(self, entry_ids: Sequence[str]) -> list[str]:
        """Send dead frames on their way again, as if they had never failed: ``replayed``, ``not-found``, ``refused``."""
        return [one.decode() for one in await self._call("replay", *entry_ids)] if entry_ids else []

    async def dead_drop(self, entry_ids: Sequence[str]) -> list[str]:
        """Delete the bytes of dead frames; the ledger keeps that they died. ``dropped`` or ``not-found``."""
        return [one.decode() for one in await self._call("forget", *entry_ids)] if entry_ids else []

    async def existing(self, entries: Iterable[tuple[str, str]]) -> list[bool]:
        """Which (stream, entry id) exist, all at one instant."""
        try:
            async with asyncio.timeout(self._reply_s), self.redis.pipeline(transaction=True) as pipe:
                for stream, entry in entries:
                    pipe.execute_command("XRANGE", f"{self.keys.prefix}:{stream}", entry, entry)
                return [bool(found) for found in await pipe.execute()]
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
