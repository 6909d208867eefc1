"""`client.cameras`: who publishes frames, and the last picture of each."""

import msgspec

from orchestrator.client.calls import Call
from orchestrator.client.endpoints import Emitting, M, Noun, each, endpoint
from orchestrator.client.exchanging import Answer
from orchestrator.client.programs import paged
from orchestrator.client.shapes.frames import Camera, CameraPage


class Picture(msgspec.Struct, frozen=True):
    """A picture as the camera published it. `age_s`: by the Redis server's clock, None where it cannot be told."""

    image: bytes
    media_type: str
    age_s: float | None
    frame: str


class Cameras(Noun[M]):
    @endpoint("GET", "/v1/frames/cameras/{camera_id}")
    def get(self, camera_id: str) -> Call[Camera]:
        return Call(Camera, {"camera_id": camera_id})

    @endpoint("GET", "/v1/frames/cameras/{camera_id}/picture")
    def picture(self, camera_id: str) -> Call[Picture]:
        """The last picture that is kept; it is not live: look at its age."""
        return Call(path={"camera_id": camera_id}, read=_picture)

    @endpoint("GET", "/v1/frames/cameras")
    def page(self, *, cursor: str = "", limit: int = 100) -> Call[CameraPage]:
        """One page, by id."""
        return Call(CameraPage, query={"cursor": cursor or None, "limit": limit})

    @each()
    def iterate(self, *, limit: int = 100) -> Emitting[Camera]:
        """All of them, `limit` at a time."""

        def call(cursor: str) -> Call[CameraPage]:
            return Cameras.page.call(self, cursor=cursor, limit=limit)

        return paged(self.acting, call, lambda page: page.cameras, lambda page: page.cursor)


def _picture(answer: Answer) -> Picture:
    age = answer.headers.get("x-triarch-picture-age", "")
    try:
        age_s: float | None = float(age)
    except ValueError:
        age_s = None
    media_type = answer.headers.get("content-type", "")
    return Picture(answer.body, media_type, age_s, answer.headers.get("x-triarch-picture-frame", ""))
