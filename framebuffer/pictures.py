"""A camera's last picture, as its producer leaves it beside the streams: what counts as one, and how it is kept. Pure.

It is one text under a key of its own (`Keys.picture`) that the server forgets after ``LIFETIME_MS``::

    sequence frame_id policy\\n<the bytes of the image>

Its age is how much of that time is used up, by the server's clock: clocks of two hosts are never compared. It may be
lost, and no frame waits for it.
"""

import re
from typing import Final

import msgspec

__all__ = ["BYTES_MAX", "DEFAULT_EVERY_S", "HEAD_BYTES_MAX", "LIFETIME_MS", "Picture", "PictureHead", "media_type"]

DEFAULT_EVERY_S: Final = 1.0
"""Seconds from one picture of a camera to its next, at least."""
BYTES_MAX: Final = 512 << 10
"""A larger image is not kept."""
LIFETIME_MS: Final = 600_000
"""The server forgets a picture after so long. Part of the format: ages are measured against it."""
HEAD_BYTES_MAX: Final = 400

_HEAD = re.compile(rb"(0|[1-9][0-9]{0,15}) ([!-~]{1,200}) ([a-z]{1,20}|-)")


def media_type(payload: bytes) -> str:
    """What browsers show without running anything, told by its first bytes: JPEG, PNG or WebP; empty for all else."""
    if payload[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if payload[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
        return "image/webp"
    return ""


class PictureHead(msgspec.Struct, frozen=True):
    """Of which frame it is. ``age_s``: None where its writer gave it another lifetime. ``policy``: the camera's."""

    sequence: int
    frame_id: str
    policy: str | None = None
    age_s: float | None = None

    def encoded(self, image: bytes) -> bytes:
        """As it is kept."""
        return b"%d %s %s\n" % (self.sequence, self.frame_id.encode(), (self.policy or "-").encode()) + image

    @classmethod
    def read(cls, text: bytes, left_ms: int) -> "PictureHead | None":
        """The head at the beginning of what is kept; None where there is nothing, or something else.

        ``left_ms``: until the server forgets it; below 0 where it never would.
        """
        found = _HEAD.fullmatch(text.partition(b"\n")[0])
        if found is None:
            return None
        age_s = (LIFETIME_MS - left_ms) / 1000 if 0 <= left_ms <= LIFETIME_MS else None
        policy = found[3].decode()
        return cls(int(found[1]), found[2].decode(), None if policy == "-" else policy, age_s)


class Picture(msgspec.Struct, frozen=True):
    """A whole picture, with its type."""

    head: PictureHead
    image: bytes
    media_type: str

    @classmethod
    def read(cls, text: bytes, left_ms: int) -> "Picture | None":
        """What is kept; None where it is no picture. ``left_ms``: as with ``PictureHead.read``."""
        head, image = PictureHead.read(text[:HEAD_BYTES_MAX], left_ms), text.partition(b"\n")[2]
        kind = media_type(image)
        return cls(head, image, kind) if head is not None and kind and len(image) <= BYTES_MAX else None
