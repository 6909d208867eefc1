"""Shapes of answers: frames. Generated from the API by `make docs`; not edited by hand."""

import msgspec


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
