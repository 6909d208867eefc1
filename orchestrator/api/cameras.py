"""Cameras: what the ledger counts of each, and the last picture of it with its age."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from framebuffer.cameras import CameraSeen, last_picture
from framebuffer.cameras import camera as one_camera
from framebuffer.cameras import cameras as some_cameras
from orchestrator.api.asking import Ask
from orchestrator.api.documented import problems
from orchestrator.api.paging import cursor_of, place_of
from orchestrator.api.problems import Problem

router = APIRouter(prefix="/v1/frames/cameras", tags=["frames"])

REDIS = ("redis_unavailable", "redis_refused")
PAGE_MAX = 500
AGE_HEADER = "X-Triarch-Picture-Age"
SEQUENCE_HEADER = "X-Triarch-Picture-Sequence"
FRAME_HEADER = "X-Triarch-Picture-Frame"
_QUERY = ("cameras",)
SESSION_SHOWN = 8
"""Characters: enough to see that it is another; the whole would let its reader publish."""

CameraId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["cam-1"])]


class LastPicture(BaseModel):
    """Of which frame the kept picture is. `age_s` is measured by the Redis server; null where it cannot be told."""

    sequence: int
    frame_id: str
    age_s: float | None


class Camera(BaseModel):
    """`published = settled + dead + dropped + in_flight`; all counters since the camera was first opened."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "cam-1",
                "shard": 0,
                "session": "5f0c9a1e",
                "last_sequence": 4711,
                "published": 4712,
                "settled": 4708,
                "dead": 1,
                "dropped": 0,
                "in_flight": 3,
                "dropped_by_reason": {},
                "policy": "lossless",
                "picture": {"sequence": 4705, "frame_id": "cam-1-4705", "age_s": 0.412},
            }
        }
    )

    id: str
    shard: int
    session: str = Field(
        description="The beginning of the token of its present producer; it changes with the producer."
    )
    last_sequence: int | None = Field(description="Null before its first frame.")
    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    dropped_by_reason: dict[str, int]
    policy: str | None = Field(description="How it gives way to backpressure; null where its producer does not tell.")
    picture: LastPicture | None


class CameraPage(BaseModel):
    """By id. `cursor` is null on the last page."""

    cameras: list[Camera]
    cursor: str | None


@router.get("", summary="All cameras", responses=problems("invalid_cursor", *REDIS))
async def cameras(
    ask: Ask,
    cursor: Annotated[str, Query(max_length=400, description="That of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
) -> CameraPage:
    """Those that were ever opened, of one instant of each shard; any node answers."""
    after = place_of(_QUERY, cursor)[1] if cursor else ""
    found, more = await some_cameras(ask.shards(), after=after, limit=limit)
    following = cursor_of(_QUERY, (0, found[-1].id)) if more else None
    return CameraPage(cameras=[_shown(each) for each in found], cursor=following)


@router.get("/{camera_id}", summary="One camera", responses=problems("camera_unknown", *REDIS))
async def camera(ask: Ask, camera_id: CameraId) -> Camera:
    """Any node answers."""
    found = await one_camera(ask.shards(), camera_id)
    if found is None:
        raise _unknown(camera_id)
    return _shown(found)


_TEXT_HEADER = {"schema": {"type": "string"}}
_PICTURE = {
    "description": "The bytes of the image, as the camera published them.",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png", "image/webp")
    },
    "headers": {
        AGE_HEADER: {"description": "Seconds, by the Redis server; `unknown` where it cannot be told.", **_TEXT_HEADER},
        SEQUENCE_HEADER: {"description": "The frame's number.", **_TEXT_HEADER},
        FRAME_HEADER: {"description": "The frame's id.", **_TEXT_HEADER},
    },
}


@router.get(
    "/{camera_id}/picture",
    summary="The last picture of a camera",
    response_class=Response,
    responses=problems("camera_unknown", "picture_unknown", *REDIS, also={200: _PICTURE}),
)
async def picture(ask: Ask, camera_id: CameraId) -> Response:
    """Not live: a producer keeps about one a second, and the server forgets it after ten minutes. Look at its age."""
    shards = ask.shards()
    found = await last_picture(shards, camera_id)
    if found is None:
        if await one_camera(shards, camera_id) is None:
            raise _unknown(camera_id)
        raise Problem(
            "picture_unknown",
            f"camera {camera_id} has left no JPEG, PNG or WebP of up to 512 KiB within the last ten minutes",
        )
    headers = {
        AGE_HEADER: "unknown" if found.head.age_s is None else f"{found.head.age_s:.3f}",
        SEQUENCE_HEADER: str(found.head.sequence),
        FRAME_HEADER: found.head.frame_id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.image, media_type=found.media_type, headers=headers)


def _shown(seen: CameraSeen) -> Camera:
    counters, head = seen.counters, seen.picture
    return Camera(
        id=seen.id,
        shard=seen.shard,
        session=counters.session[:SESSION_SHOWN],
        last_sequence=None if counters.highest < 0 else counters.highest,
        published=counters.published,
        settled=counters.settled,
        dead=counters.dead,
        dropped=counters.dropped,
        in_flight=counters.in_flight,
        dropped_by_reason=counters.dropped_by_reason,
        policy=None if head is None else head.policy,
        picture=None if head is None else LastPicture(sequence=head.sequence, frame_id=head.frame_id, age_s=head.age_s),
    )


def _unknown(camera_id: str) -> Problem:
    return Problem("camera_unknown", f"camera {camera_id} has never been opened; GET /v1/frames/cameras lists them")
