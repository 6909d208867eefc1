"""Frames that have been under way for too long: not lost, but somebody should look."""

import msgspec

from framebuffer.streams import FrameStreams

__all__ = ["DEFAULT_STUCK_S", "StuckFrame", "stuck"]

DEFAULT_STUCK_S = 60.0

_PAGE = 1000


class StuckFrame(msgspec.Struct, frozen=True):
    """``place``: where it waits (`lane:face`, `ready:w1:p5`); ``part``: its capability, where it is one of several."""

    camera_id: str
    sequence: int
    place: str
    age_s: float
    part: str = ""


async def stuck(streams: FrameStreams, stuck_s: float, *, named_max: int) -> tuple[int, list[StuckFrame]]:
    """How many frames were published longer ago than ``stuck_s`` and are not final, and the oldest ``named_max``.

    A frame that moves on meanwhile may be missed or named under both places: it is not stuck. Errors: RedisUnavailable,
    RedisRefused.
    """
    stats = await streams.stats(leaders=1)
    latest_ms = stats.server_ms - int(stuck_s * 1000)
    found: dict[tuple[str, int, str], StuckFrame] = {}
    for place in sorted(stats.places):
        after = ""
        while page := await streams.scan(place, after, count=_PAGE):
            for one in page:
                if one.sequence >= 0 and one.published_ms <= latest_ms:
                    age_s = round((stats.server_ms - one.published_ms) / 1000, 3)
                    frame = StuckFrame(one.camera_id, one.sequence, place, age_s, one.part)
                    found[one.camera_id, one.sequence, one.part] = frame
            after = page[-1].entry_id
    oldest = sorted(found.values(), key=lambda frame: (-frame.age_s, frame.camera_id, frame.sequence))
    return len(oldest), oldest[:named_max]
