"""Shapes of answers: frames. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec


class BrokenFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that breaks the ledger."""

    camera_id: str
    sequence: int
    reason: str
    """`never_arrived` (a gap below the camera's last sequence), `vanished` (published, not ended and nowhere),
    `in_flight_twice`, `in_flight_after_final` or `two_results`.
    """


class LastPicture(msgspec.Struct, frozen=True, kw_only=True):
    """Of which frame the kept picture is. `age_s` is measured by the Redis server; null where it cannot be told."""

    sequence: int
    frame_id: str
    age_s: float | None


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """`published = settled + dead + dropped + in_flight`; all counters since the camera was first opened."""

    id: str
    shard: int
    session: str
    """The beginning of the token of its present producer; it changes with the producer."""
    last_sequence: int | None
    """Null before its first frame."""
    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    dropped_by_reason: dict[str, int]
    policy: str | None
    """How it gives way to backpressure; null where its producer does not tell."""
    picture: LastPicture | None


class CameraCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A camera's counters since it was first opened."""

    session: str
    """The beginning of its present producer's token."""
    highest: int
    """Its last sequence; -1 before its first frame."""
    published: int
    settled: int
    dead: int
    dropped: int
    duplicate_publishes: int
    """Repeats that were recognised: harmless."""
    duplicate_settles: int
    results: int
    """More than `settled` where frames have several parts."""
    surplus: int
    """Entries under way beyond one a frame, for the same reason."""
    dropped_by_reason: dict[str, int]


class CameraPage(msgspec.Struct, frozen=True, kw_only=True):
    """By id. `cursor` is null on the last page."""

    cameras: list[Camera]
    cursor: str | None


class CameraShare(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's share of the ledger."""

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    lost: int
    duplicates: int
    duplicate_publishes: int
    """Repeats that were recognised: harmless."""
    duplicate_settles: int
    highest: int
    """Its last sequence; -1 before its first frame."""


class DeadFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that is given up. Times in milliseconds of the Redis server's clock."""

    entry_id: str
    """What replay and drop are given."""
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    published_ms: int
    died_ms: int
    processor_id: str
    reason: str
    traceparent: str


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of dead frames, oldest first. `cursor` is null after the last; there may be more behind an empty
    page.
    """

    frames: list[DeadFrame]
    cursor: str | None


class EndedFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that came to its end. `processor_id`, `reason` and `result` are left out where there is none."""

    what: str
    """`settled`, `dead` or `dropped`."""
    at_ms: int
    entry_id: str
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    processor_id: str | None = None
    reason: str | None = None
    result: Any = None
    """As it was published."""


class FrameServer(msgspec.Struct, frozen=True, kw_only=True):
    """What a producer needs to start (without a password)."""

    redis_url: str
    """As `framebuffer.connect` and `FrameProducer` take it."""
    durability: int | str
    """Replicas that must have a frame before it counts as published; `majority`: all that are known."""
    inline_bytes_max: int
    """A larger payload is kept apart from its frame."""


class LeaderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One leader's time at the streams: microseconds of the Redis server's clock, 0 while it has routed nothing."""

    term: int
    index: int
    node: str
    first_us: int
    last_us: int
    frames: int
    """That it has routed."""


class QueueLength(msgspec.Struct, frozen=True, kw_only=True):
    """A processor's queue: `length` counts frames that wait or are in hand, `pending` those in hand."""

    length: int
    pending: int


class StreamPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One stream that holds frames. `oldest_ms`: when the frame that is next was published, the server's clock."""

    length: int
    oldest_ms: int


class FrameStats(msgspec.Struct, frozen=True, kw_only=True):
    """All queues and counters of one instant of the Redis server; of several shards, their sum."""

    capture_len: int
    """Frames that no dispatch has looked at yet."""
    capture_pending: int
    lanes: dict[str, int]
    """By capability, frames that wait for room at a processor."""
    ready: dict[str, QueueLength]
    """By processor."""
    results_len: int
    """Results that are kept."""
    dead_len: int
    cameras: dict[str, CameraCounts]
    fence: LeaderRecord | None
    """The leader that may route now."""
    leaders: list[LeaderRecord]
    """Those before it, the newest first."""
    results_added: int
    """Results ever written, those that were trimmed since included."""
    places: dict[str, StreamPlace]
    """Every stream that holds frames, by its name."""
    pressure: int
    """The level of backpressure that producers are told: 0 to 3."""
    server_ms: int
    """The Redis server's clock."""
    dead_owed: int
    """Entries that the stream of dead frames must hold."""


class StoryCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A processor that could have got the frame, with its load when the dispatch began."""

    processor_id: str
    outstanding: int
    capacity: int


class StoryStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to the frame. What does not apply is left out."""

    at_ms: int
    """The Redis server's clock."""
    what: str
    """`received`, `dispatched`, `retry`, `settled`, `dead`, `dropped`, `replayed` or `forgotten`."""
    capability: str | None = None
    priority: int | None = None
    attempts: int | None = None
    processor_id: str | None = None
    outstanding: int | None = None
    """Frames that the processor had then."""
    candidates: list[StoryCandidate] | None = None
    strategy: str | None = None
    node: str | None = None
    """The leader that dispatched it, under its `epoch`."""
    epoch: str | None = None
    reason: str | None = None
    result: Any = None


class StoryWait(msgspec.Struct, frozen=True, kw_only=True):
    """Where the frame waits now. `consumer`: who has it in hand, for `idle_ms`; left out while nobody has."""

    place: str
    entry_id: str
    capability: str
    attempts: int
    since_ms: int
    consumer: str | None = None
    idle_ms: int | None = None


class FrameStory(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one frame."""

    frame_id: str | None
    camera_id: str
    sequence: int
    status: str
    """`in_flight`, `settled`, `dead`, `dropped`, `lost`, or `ended`: how is not kept any more."""
    capability: str
    priority: int | None
    parts: int
    trace_id: str
    received_ms: int | None
    steps: list[StoryStep]
    """In the order in which it happened."""
    waits: list[StoryWait]
    unkept: list[str]
    """Holes: what of the story is not kept any more, in words."""


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """`done`: frames that were replayed, or dropped. With `all` go on with `cursor` until it is null."""

    done: int
    not_found: int
    refused: int
    outcomes: dict[str, str]
    """By entry id, where ids were given."""
    cursor: str | None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From publish to result, in milliseconds of the Redis server's clock; null where nothing was settled
    lately.
    """

    server_ms: int
    window_s: float
    results: int
    """How many were looked at."""
    complete: bool
    """All of the window, not only the newest 1,000 of each shard."""
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    max_ms: int | None


class StuckFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that was published long ago and has not ended. `part`: its capability, where it has several parts."""

    camera_id: str
    sequence: int
    place: str
    """Where it waits: `lane:face`, `ready:w1:p5`."""
    age_s: float
    part: str


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """`published = settled + dead + dropped + in_flight + lost`. The counts are exact; the lists name the first
    100 of each camera, `stuck_frames` the oldest. Frames that are stuck are not lost, and do not make
    `ledger_ok` false.
    """

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    lost: int
    duplicates: int
    ledger_ok: bool
    lost_frames: list[BrokenFrame]
    duplicate_frames: list[BrokenFrame]
    cameras: dict[str, CameraShare]
    problems: list[str]
    """Why `ledger_ok` is false, in words."""
    stuck: int
    stuck_frames: list[StuckFrame]


class PlaceLag(msgspec.Struct, frozen=True, kw_only=True):
    """A place where frames wait; where there are several shards, its name begins with one (`2/lane:face`)."""

    place: str
    """`capture`, `lane:CAPABILITY` or `ready:PROCESSOR`."""
    length: int
    oldest_s: float | None
    """Age of the frame that is next; null where there is none."""
    pending: int | None
    """Of a processor's queue: frames in hand."""
    levels: dict[str, int]
    """Frames by priority, `s` for those that failed before."""


class TailPage(msgspec.Struct, frozen=True, kw_only=True):
    """What ended behind the cursor, and the cursor to ask with again."""

    frames: list[EndedFrame]
    cursor: str
    not_kept: dict[str, int | str] | None = None
    """By `results` and `dropped`: how many came behind an old cursor and are not kept any more; "some" where the
    number is not known.
    """
