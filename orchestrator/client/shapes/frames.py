"""Shapes of answers: frames. Generated from the API by `make docs`; not edited by hand."""

import msgspec


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


class CameraPage(msgspec.Struct, frozen=True, kw_only=True):
    """By id. `cursor` is null on the last page."""

    cameras: list[Camera]
    cursor: str | None


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


class FrameServer(msgspec.Struct, frozen=True, kw_only=True):
    """What a producer needs to start (without a password)."""

    redis_url: str
    """As `framebuffer.connect` and `FrameProducer` take it."""
    durability: int | str
    """Replicas that must have a frame before it counts as published; `majority`: all that are known."""
    inline_bytes_max: int
    """A larger payload is kept apart from its frame."""


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
