"""Routers outside the server: Python that decides which processor gets a frame.

The slow path of dispatch: the leader asks the server what waits, the router decides, the server moves what was decided
if it still can. Ids and routing fields travel, payloads do not. A router is a callable; `load_router` finds it by name.

    def by_site(frames, processors):
        here = {one.processor_id[:3]: one.processor_id for one in processors if one.free}
        return [here.get(frame.camera_id[:3]) for frame in frames]     # None: it waits in its lane

It runs in a thread of its own, one call at a time. What it raises costs nothing: that batch is routed by the built-in
strategy, and so is everything while a call takes longer than `LIMIT_S`. A frame for one that cannot take it (unknown,
full) waits in the lane of its capability and holds up none.
"""

import asyncio
import importlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from framebuffer.errors import FrameBufferError
from framebuffer.streams import FrameStreams
from framebuffer.threads import DaemonThreads, contained
from framebuffer.wire import DispatchReport, RoutingTable, WaitingFrame

__all__ = ["Candidate", "InvalidRouter", "RoutableFrame", "Router", "RouterPass", "load_router"]

log = logging.getLogger(__name__)

LIMIT_S = 1.0
"""Seconds that a call of the router may take before the strategy routes in its place."""

_LOG_EVERY_S = 5.0
_HEAD_PARTS = 9


class InvalidRouter(FrameBufferError, ValueError):
    """``frames.router`` names nothing that can route."""

    code = "invalid_router"


class RoutableFrame(msgspec.Struct, frozen=True):
    """What a router knows of a frame. ``published_ms``: the server's clock when it came in."""

    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    published_ms: int


class Candidate(msgspec.Struct, frozen=True):
    """A processor that may get frames now. ``outstanding``: frames in its queue, waiting and in work."""

    processor_id: str
    capabilities: tuple[str, ...]
    capacity: int
    outstanding: int

    @property
    def free(self) -> int:
        """Frames that it has room for."""
        return max(0, self.capacity - self.outstanding)


Router: TypeAlias = Callable[[Sequence[RoutableFrame], Sequence[Candidate]], Sequence[str | None]]
"""Per frame the id of a processor that can do its capability, or None."""


def load_router(name: str) -> Router:
    """``module:name``, imported. Errors: InvalidRouter."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InvalidRouter(f"router {name!r} must be module:name")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidRouter(f"router {name!r}: {error}") from None
    if not callable(found):
        raise InvalidRouter(f"router {name!r} is a {type(found).__name__}, and cannot be called")
    return found  # type: ignore[no-any-return]  # what it returns is looked at each time


class RouterPass:
    """One router at work on one shard."""

    def __init__(
        self,
        streams: FrameStreams,
        router: Router,
        *,
        epoch: tuple[int, int],
        node_id: str,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._streams = streams
        self._router = router
        self._threads = DaemonThreads(1, "router")  # one that never returns must not keep the node from ending
        self._limit_s = limit_s
        self._late: asyncio.Future[list[str | None]] | None = None
        self._epoch = epoch
        self._node_id = node_id
        self._said_at = float("-inf")

    async def run(self, table: RoutingTable, limit: int) -> DispatchReport | None:
        """One pass, and what it left; None where the router failed, and the built-in strategy is to route.

        Errors: Fenced, RedisFailure.
        """
        waiting = await self._streams.peek(self._epoch, self._node_id, limit=limit, table=table)
        frames = [_frame(one) for one in waiting]
        routable = [frame for frame in frames if frame is not None]
        chosen: Sequence[str | None] = ()
        if routable and table.rows:
            depths = await self._streams.depths([row.processor_id for row in table.rows])
            candidates = [
                Candidate(row.processor_id, row.capabilities, row.capacity, depth)
                for row, depth in zip(table.rows, depths, strict=True)
            ]
            decided = await self._decided(routable, candidates)
            if decided is None:
                return None
            chosen = decided
        decisions = iter(chosen or [None] * len(routable))
        wanted = [(one, None if frame is None else next(decisions)) for one, frame in zip(waiting, frames, strict=True)]
        outcomes = await self._streams.place(self._epoch, self._node_id, table, wanted) if wanted else []
        left = await self._streams.dispatch(self._epoch, self._node_id, table, limit=0)
        return _with(left, wanted, outcomes)

    def _listed(self, frames: list[RoutableFrame], candidates: list[Candidate]) -> list[str | None]:
        return list(self._router(frames, candidates))  # in its thread: it may be a generator

    async def _asked(self, frames: list[RoutableFrame], candidates: list[Candidate]) -> list[str | None]:
        """What the router says. Errors: TimeoutError, also while an earlier call has not returned; and its own."""
        if self._late is not None and not self._late.done():
            raise TimeoutError("it has not returned from an earlier call")
        self._late = None
        asked = asyncio.wrap_future(self._threads.submit(contained, self._listed, frames, candidates))
        await asyncio.wait({asked}, timeout=self._limit_s)
        if not asked.done():
            self._late = asked
            asked.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody asks for it any more
            raise TimeoutError(f"it did not return within {self._limit_s:g} s")
        return asked.result()

    async def _decided(self, frames: list[RoutableFrame], candidates: list[Candidate]) -> Sequence[str | None] | None:
        able = {one.processor_id: one.capabilities for one in candidates}
        room = {one.processor_id: one.free for one in candidates}
        try:
            chosen = await self._asked(frames, candidates)
            if len(chosen) != len(frames):
                raise ValueError(f"returned {len(chosen)} decisions for {len(frames)} frames")
            for at, (frame, name) in enumerate(zip(frames, chosen, strict=True)):
                if name is not None and frame.capability not in able.get(name, (frame.capability,)):
                    raise ValueError(f"{name!r} cannot do {frame.capability}")
                if name is not None:
                    room[name] = room.get(name, 0) - 1
                    if room[name] < 0:
                        chosen[at] = None
        except Exception as error:  # noqa: BLE001 (somebody else's code may raise anything; the frames must go on)
            if time.monotonic() - self._said_at > _LOG_EVERY_S:
                self._said_at = time.monotonic()
                said = f"{type(error).__name__}: {error}"
                log.error("the router failed, the built-in strategy routes instead: %s", said)
            return None
        return chosen


def _frame(waiting: WaitingFrame) -> RoutableFrame | None:
    """None for what is no frame, or one for several capabilities, which is split first."""
    parts = waiting.head.split(" ")
    if len(parts) != _HEAD_PARTS or "," in parts[3]:
        return None
    frame, camera, sequence, capability, priority, attempts, published, _, _ = parts
    return RoutableFrame(frame, camera, int(sequence), capability, int(priority), int(attempts), int(published))


def _with(
    left: DispatchReport, wanted: Sequence[tuple[WaitingFrame, str | None]], outcomes: list[str]
) -> DispatchReport:
    """The report of what is left, with what was placed and parked by this pass."""
    routed: Counter[tuple[str, str]] = Counter()
    parked: Counter[str] = Counter()
    read = 0
    for (frame, processor_id), outcome in zip(wanted, outcomes, strict=True):
        parts = frame.head.split(" ")
        from_capture = frame.place.startswith("capture")
        if outcome == "placed" and processor_id is not None:
            routed[processor_id, parts[1]] += 1
        elif outcome == "parked" and from_capture and len(parts) == _HEAD_PARTS:
            parked[parts[3]] += 1
        read += from_capture and outcome in ("placed", "parked", "malformed")
    moved = routed.total()
    return msgspec.structs.replace(
        left,
        read=read,
        drained=moved + parked.total() - read if moved + parked.total() > read else 0,
        routed=[(processor, camera, number) for (processor, camera), number in routed.items()],
        parked=list(parked.items()),
    )
