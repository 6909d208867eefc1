"""What the server's functions take and return, typed. Pure."""

from typing import Literal, TypeAlias

import msgspec

__all__ = [
    "CameraCounters",
    "CameraLedger",
    "CameraSession",
    "DispatchReport",
    "FenceRecord",
    "OutgoingFrame",
    "Published",
    "QueueStats",
    "RawDispatch",
    "RawStats",
    "RoutingRow",
    "RoutingTable",
    "SegmentBits",
    "ServerInfo",
    "SettleOutcome",
    "Settlement",
    "StreamStats",
    "TakenFrame",
]

Published: TypeAlias = str
"""``ok``, ``duplicate`` or ``refused:<reason>``."""

SettleOutcome: TypeAlias = Literal["settled", "not-owner", "duplicate", "retry", "dead"]


class ServerInfo(msgspec.Struct, frozen=True):
    """What is known of the server after ``FrameStreams.ready``."""

    software: str  # "redis" or "valkey"
    version: str
    role: str  # "master" or "slave"
    persistent: bool  # append-only file or snapshots are on
    append_only: bool
    replicas: int
    library_revision: int


class CameraSession(msgspec.Struct, frozen=True):
    """The right to publish as one camera, until another producer opens it."""

    camera_id: str
    token: str
    next_sequence: int  # one above the highest ever published, 0 for a new camera
    previous: str = ""  # the token that this one superseded


class OutgoingFrame(msgspec.Struct, frozen=True):
    """A frame on its way in. ``event`` is the JSON of its FrameReadyEvent; ``sequence`` is 0, 1, 2, ... per camera."""

    frame_id: str
    sequence: int
    event: bytes
    payload: bytes = b""
    capability: str = "default"
    priority: int = 0
    traceparent: str = ""


class TakenFrame(msgspec.Struct, frozen=True):
    """A frame in a processor's hands: it must be settled with ``entry_id``.

    ``attempts`` counts earlier failed ones. ``payload_missing``: the frame had a payload, and it is gone.
    """

    entry_id: str
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    traceparent: str
    event: bytes
    payload: bytes
    payload_missing: bool = False


class Settlement(msgspec.Struct, frozen=True):
    """What became of a taken frame.

    ``ok`` publishes ``result``; ``error`` sends it back to its lane, or to the dead after the last attempt; ``dead``
    gives it up at once. ``traceparent`` goes with the result; empty means the frame's own.
    """

    entry_id: str
    status: Literal["ok", "error", "dead"] = "ok"
    result: bytes = b""
    reason: str = ""
    traceparent: str = ""


class RoutingRow(msgspec.Struct, frozen=True, array_like=True):
    """A processor that may get frames now. ``capacity``: frames it may hold, waiting and in work together."""

    processor_id: str
    capabilities: tuple[str, ...]
    capacity: int


class RoutingTable(msgspec.Struct, frozen=True, array_like=True):
    """Healthy processors only, in a stable order (ties rotate over it)."""

    strategy: Literal["least_loaded"] = "least_loaded"
    rows: tuple[RoutingRow, ...] = ()


class DispatchReport(msgspec.Struct, frozen=True):
    """What one dispatch call did."""

    read: int  # new entries of the capture stream looked at, claimed ones included
    drained: int  # frames that left a lane for a queue
    routed: list[tuple[str, str, int]]  # processor, camera, frames
    parked: list[tuple[str, int]]  # capability, frames that went to its lane
    depths: dict[str, int]  # queue length of every processor of the table, after the call
    waiting: int  # frames left in all lanes
    more: bool  # calling again at once would move more
    last_capture_id: str  # wait on the capture stream from here
    last_wake_id: str  # wait on the wake stream from here
    malformed: int = 0  # entries that no producer's publish wrote, set aside in the stream of malformed ones

    @property
    def moved(self) -> int:
        """Frames that reached a processor's queue."""
        return sum(count for _, _, count in self.routed)


class FenceRecord(msgspec.Struct, frozen=True):
    """One leader's time at the streams. Microseconds of the server's clock; 0 while it has routed nothing."""

    term: int
    index: int
    node: str
    first_us: int = 0
    last_us: int = 0
    frames: int = 0

    @property
    def epoch(self) -> tuple[int, int]:
        """(term, index)."""
        return (self.term, self.index)


class QueueStats(msgspec.Struct, frozen=True):
    """A processor's queue: ``length`` counts waiting and taken frames, ``pending`` the taken ones."""

    length: int
    pending: int


class CameraCounters(msgspec.Struct, frozen=True):
    """A camera's ledger in numbers. ``highest`` is -1 before the first frame."""

    session: str
    highest: int
    published: int
    settled: int
    dead: int
    dropped: int
    duplicate_publishes: int
    duplicate_settles: int

    @property
    def in_flight(self) -> int:
        """Published and not final yet."""
        return self.published - self.settled - self.dead - self.dropped


class StreamStats(msgspec.Struct, frozen=True):
    """All queues and counters at one instant of the server."""

    capture_len: int
    capture_pending: int
    lanes: dict[str, int]
    ready: dict[str, QueueStats]
    results_len: int
    dead_len: int
    cameras: dict[str, CameraCounters]
    fence: FenceRecord | None
    leaders: list[FenceRecord]  # closed ones, newest first
    results_added: int  # results ever written, trimmed ones included

    @property
    def in_flight(self) -> int:
        """Frames in capture, lanes and queues together."""
        return self.capture_len + sum(self.lanes.values()) + sum(queue.length for queue in self.ready.values())


class CameraLedger(msgspec.Struct, frozen=True, array_like=True):
    """A camera's counters beside what its bitmaps say, of one instant. ``live``: segments that still have bitmaps."""

    segment_size: int
    complete_below: int
    highest: int
    counters: tuple[int, int, int, int]  # published, settled, dead, dropped
    published_bits: int
    final_bits: int
    live: tuple[int, ...]


class SegmentBits(msgspec.Struct, frozen=True):
    """The bitmaps of a segment; the first sequence is the highest bit of the first byte. Both empty when complete."""

    complete: bool
    published: bytes
    final: bytes


class RawDispatch(msgspec.Struct, frozen=True, array_like=True):
    """The reply of ``dispatch``; Lua cannot tell an empty map from an empty array, so all are arrays."""

    read: int
    drained: int
    routed: list[tuple[str, str, int]]
    parked: list[tuple[str, int]]
    depths: list[tuple[str, int]]
    waiting: int
    more: bool
    last_capture_id: str
    last_wake_id: str
    malformed: int = 0


class RawStats(msgspec.Struct, frozen=True, array_like=True):
    """The reply of ``stats``."""

    capture_len: int
    capture_pending: int
    lanes: list[tuple[str, int]]
    ready: list[tuple[str, int, int]]
    results_len: int
    results_added: int
    dead_len: int
    cameras: list[tuple[str, str, int, tuple[int, int, int, int, int, int]]]
    fence_node: str
    fence: tuple[int, int, int, int, int]  # term, index, first_us, last_us, frames
    leaders: list[str]
