"""What the server's functions take and return, typed. Pure."""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from framebuffer.backpressure import Backpressure, CrowdedLane

__all__ = [
    "CameraCounters",
    "CameraLedger",
    "CameraSession",
    "DeadFrame",
    "DispatchReport",
    "FenceRecord",
    "Given",
    "OutgoingFrame",
    "PlaceStats",
    "PublishReport",
    "Published",
    "QueueStats",
    "RawDispatch",
    "RawStats",
    "RoutingRow",
    "RoutingTable",
    "SampledRoute",
    "Scanned",
    "SegmentBits",
    "ServerInfo",
    "SettleOutcome",
    "Settlement",
    "StreamStats",
    "TakenFrame",
    "WaitingFrame",
]

Published: TypeAlias = str
"""``ok``, ``duplicate`` or ``refused:<reason>``."""

SettleOutcome: TypeAlias = Literal["settled", "not-owner", "duplicate", "retry", "dead", "released"]


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
    capabilities: tuple[str, ...] = ()  # two to eight: the frame is settled when each has worked on it


class PublishReport(msgspec.Struct, frozen=True):
    """A status per frame (``superseded:<token>`` too), and the backpressure."""

    statuses: list[Published]
    backpressure: Backpressure = Backpressure()

    @property
    def pressure(self) -> int:
        """The level for all frames."""
        return self.backpressure.level


class Given(msgspec.Struct, frozen=True):
    """A frame that its producer gives up before publishing it. ``reason``: at most 32 of a-z and ``_``."""

    frame_id: str
    sequence: int
    reason: str
    priority: int = 0


class TakenFrame(msgspec.Struct, frozen=True):
    """A frame in a processor's hands: it must be settled with ``entry_id``.

    ``attempts`` counts earlier failed ones. ``payload_missing``: the frame had a payload, and it is gone.
    ``published_ms``: the server's clock when it came in. ``parts``: how many capabilities the frame asks for; this is
    the part of ``capability``.
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
    published_ms: int = 0
    parts: int = 1


class Settlement(msgspec.Struct, frozen=True):
    """What became of a taken frame.

    ``ok`` publishes ``result``; ``error`` sends it back to its lane, or to the dead after the last attempt; ``dead``
    gives it up at once; ``release`` sends it back as if it had never been taken.
    """

    entry_id: str
    status: Literal["ok", "error", "dead", "release"] = "ok"
    result: bytes = b""
    reason: str = ""


class RoutingRow(msgspec.Struct, frozen=True, array_like=True):
    """A processor that may get frames now. ``capacity``: frames it may hold, waiting and in work together."""

    processor_id: str
    capabilities: tuple[str, ...]
    capacity: int


class RoutingTable(msgspec.Struct, frozen=True, array_like=True):
    """Healthy processors only, in a stable order (ties rotate over it)."""

    strategy: Literal["least_loaded", "affinity", "round_robin"] = "least_loaded"
    rows: tuple[RoutingRow, ...] = ()


class SampledRoute(msgspec.Struct, frozen=True, array_like=True):
    """A routed frame whose trace is sampled: its head, where it went, and what that processor had then."""

    head: str
    processor_id: str
    outstanding: int
    capacity: int


class DispatchReport(msgspec.Struct, frozen=True):
    """What one dispatch call did."""

    read: int  # entries that left the capture streams
    drained: int  # frames that left a lane for a queue
    routed: list[tuple[str, str, int]]  # processor, camera, frames
    parked: list[tuple[str, int]]  # capability, frames that went to its lane
    depths: dict[str, int]  # queue length of the processors that got frames; after a claim of all in the table
    waiting: int  # frames left in all lanes
    more: bool  # calling again at once would move more
    capture_ids: dict[str, str]  # wait on each capture stream, by level, from here
    last_wake_id: str  # wait on the wake stream from here
    malformed: int = 0  # entries that no producer's publish wrote, set aside in the stream of malformed ones
    capture: int = 0  # frames left in capture, as nobody had room
    outstanding: int = 0  # frames in the queues of the table's processors
    capacity: int = 0  # of those processors together
    crowded: tuple[CrowdedLane, ...] = ()  # lanes that hold frames, or did in the last 5 s, and are served; at most 64
    unserved: dict[str, int] = {}  # frames in lanes by capability, of those that no processor of the table has
    sampled: tuple[SampledRoute, ...] = ()  # at most 64

    @property
    def moved(self) -> int:
        """Frames that reached a processor's queue."""
        return sum(count for _, _, count in self.routed)


class WaitingFrame(msgspec.Struct, frozen=True):
    """A frame that a custom router is to decide about: ``place`` and ``entry_id`` say where it is."""

    place: str
    entry_id: str
    head: str


class Scanned(NamedTuple):
    """A frame of a stream without its bytes. ``camera_id`` is empty and ``sequence`` -1 for what is no frame.

    ``part``: the capability, where the frame is one of several parts.
    """

    entry_id: str
    camera_id: str
    sequence: int
    part: str
    published_ms: int


class DeadFrame(msgspec.Struct, frozen=True):
    """A frame that is given up, as ``frames:dead`` holds it. ``died_ms``: the server's clock."""

    entry_id: str
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    published_ms: int
    traceparent: str
    processor_id: str
    reason: str
    died_ms: int
    event: bytes


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
    results: int = 0  # written for it: more than ``settled`` where frames have several parts
    surplus: int = 0  # entries under way beyond one a frame, for the same reason
    dropped_by_reason: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Published and not final yet."""
        return self.published - self.settled - self.dead - self.dropped


class PlaceStats(msgspec.Struct, frozen=True):
    """One stream of a place (``capture``, ``lane:face:p5``). ``oldest_ms``: when its head was published."""

    length: int
    oldest_ms: int


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
    places: dict[str, "PlaceStats"] = msgspec.field(default_factory=dict)  # every stream that holds frames, by its name
    pressure: int = 0  # level of backpressure that publishers are told
    server_ms: int = 0  # the server's clock
    dead_owed: int = 0  # entries that the stream of dead frames must hold

    @property
    def in_flight(self) -> int:
        """Frames in capture, lanes and queues together."""
        return self.capture_len + sum(self.lanes.values()) + sum(queue.length for queue in self.ready.values())


class CameraLedger(msgspec.Struct, frozen=True, array_like=True):
    """A camera's counters beside what its bits say, of one instant. ``live``: segments that still have bits."""

    segment_size: int
    complete_below: int
    highest: int
    counters: tuple[int, int, int, int]  # published, settled, dead, dropped
    complete: int  # segments that are final as a whole
    replaying: int  # frames whose final bit is set although they are under way again
    live: tuple[int, ...]
    contiguous: int  # all up to here were published
    finals: int  # all up to here are final
    bits: tuple[tuple[bytes, bytes], ...] = ()  # of each live segment: published and final


class SegmentBits(msgspec.Struct, frozen=True):
    """The bits of a segment; the first sequence is the highest bit of the first byte. Both empty when complete."""

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
    capture_ids: list[tuple[str, str]]
    last_wake_id: str
    malformed: int
    capture: int
    outstanding: int
    capacity: int
    unserved: list[tuple[str, int]]
    sampled: tuple[SampledRoute, ...]
    crowded: tuple[CrowdedLane, ...]


class RawStats(msgspec.Struct, frozen=True, array_like=True):
    """The reply of ``stats``."""

    capture_len: int
    capture_pending: int
    lanes: list[tuple[str, int]]
    ready: list[tuple[str, int, int]]
    results_len: int
    results_added: int
    dead_len: int
    cameras: list[tuple[str, str, int, tuple[int, int, int, int, int, int, int, int], list[tuple[str, int]]]]
    fence_node: str
    fence: tuple[int, int, int, int, int]  # term, index, first_us, last_us, frames
    leaders: list[str]
    places: list[tuple[str, int, int]]
    pressure: int
    server_ms: int
    dead_owed: int
