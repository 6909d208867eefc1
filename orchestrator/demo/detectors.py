"""What the demo's processors do to a frame: faces, people, motion. Each one decodes the JPEG and looks at it.

Boxes are `[x, y, width, height]` in pixels of the frame as published. A detector belongs to one thread at a time.
"""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from orchestrator.demo.vision import decode_gray, opencv
from orchestrator.dev.errors import DemoExtraMissing

if TYPE_CHECKING:
    from orchestrator.demo.vision import Image

KINDS: tuple[str, ...] = ("faces", "people", "motion")

FACE_WIDTH = 320  # pixels; the cascade costs 3-5 ms on a frame of 176 × 144 and grows with the area
PEOPLE_WIDTH = 320  # pixels; the HOG detector costs about 7 ms at this width
MOTION_WIDTH = 320  # pixels
MOTION_THRESHOLD = 18  # grey levels of 255: above the noise of JPEG at the quality the cameras use
MOTION_AREA = 1 / 400  # of the frame: smaller blobs are noise
CAMERAS_REMEMBERED = 256  # last images kept for frame differencing
BOXES_MAX = 32  # a result names the largest ones


class Detection(TypedDict):
    """One thing seen. `score` is the detector's own scale: comparable only within one kind."""

    kind: str
    box: list[int]
    score: float


class Detector(Protocol):
    """Looks at one frame of one camera."""

    kind: str

    def detect(self, camera_id: str, payload: bytes, /) -> list[Detection]:
        """Return what is seen, the largest first. Raises FrameUndecodable."""
        ...


class FaceDetector:
    """OpenCV's frontal face cascade."""

    kind = "faces"

    def __init__(self) -> None:
        cv2 = opencv()
        path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        if not path.is_file():
            raise DemoExtraMissing(f"OpenCV's cascade {path.name}")
        self._cv2 = cv2
        self._cascade = cv2.CascadeClassifier(str(path))

    def detect(self, _camera_id: str, payload: bytes, /) -> list[Detection]:
        """Return the faces of the frame."""
        image, scale = shrink(decode_gray(payload), FACE_WIDTH)
        smallest = max(24, min(image.shape[:2]) // 5)
        boxes, _, weights = self._cascade.detectMultiScale3(
            self._cv2.equalizeHist(image),
            scaleFactor=1.2,
            minNeighbors=4,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        return detections(self.kind, boxes, weights, scale)


class PeopleDetector:
    """OpenCV's histogram of oriented gradients with its shipped people detector."""

    kind = "people"

    def __init__(self) -> None:
        cv2 = opencv()
        self._cv2 = cv2
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def detect(self, _camera_id: str, payload: bytes, /) -> list[Detection]:
        """Return the people of the frame."""
        image = decode_gray(payload)
        # The detector's window is 64 × 128 pixels: a small frame is enlarged so that a person can fill it.
        scale = PEOPLE_WIDTH / image.shape[1]
        height = max(128, round(image.shape[0] * scale))
        resized = self._cv2.resize(image, (PEOPLE_WIDTH, height), interpolation=self._cv2.INTER_LINEAR)
        boxes, weights = self._hog.detectMultiScale(resized, winStride=(8, 8), scale=1.1)
        return detections(self.kind, boxes, weights, scale)


class MotionDetector:
    """Difference to the last frame of the same camera that came here.

    A processor may not see every frame of a camera; whatever it saw last is the reference. The first frame of a
    camera, and one whose size changed, shows nothing.
    """

    kind = "motion"

    def __init__(self) -> None:
        self._cv2 = opencv()
        self._last: OrderedDict[str, Image] = OrderedDict()

    def detect(self, camera_id: str, payload: bytes, /) -> list[Detection]:
        """Return the parts of the frame that changed; `score` is the share of the frame they cover."""
        image, scale = shrink(decode_gray(payload), MOTION_WIDTH)
        before = self._last.pop(camera_id, None)
        self._last[camera_id] = image
        if len(self._last) > CAMERAS_REMEMBERED:
            self._last.popitem(last=False)
        if before is None or before.shape != image.shape:
            return []
        cv2 = self._cv2
        _, changed = cv2.threshold(cv2.absdiff(before, image), MOTION_THRESHOLD, 255, cv2.THRESH_BINARY)
        contours, _ = cv2.findContours(
            cv2.dilate(changed, None, iterations=2), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        area = float(image.shape[0] * image.shape[1])
        blobs = [(cv2.boundingRect(contour), cv2.contourArea(contour) / area) for contour in contours]
        kept = [(box, share) for box, share in blobs if share >= MOTION_AREA]
        return detections(self.kind, [box for box, _ in kept], [share for _, share in kept], scale)


def shrink(image: "Image", width: int) -> tuple["Image", float]:
    """Scale `image` down to at most `width` pixels; return it with the scale used (1.0: as it was)."""
    if image.shape[1] <= width:
        return image, 1.0
    scale = width / image.shape[1]
    height = max(1, round(image.shape[0] * scale))
    cv2 = opencv()
    resized: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return resized, scale


def detections(kind: str, boxes: Any, scores: Any, scale: float) -> list[Detection]:
    """Scale boxes back to the pixels of the frame, largest first, at most BOXES_MAX of them."""
    found: list[Detection] = [
        {"kind": kind, "box": [round(float(side) / scale) for side in box], "score": round(float(score), 4)}
        for box, score in zip(boxes, scores, strict=True)
    ]
    found.sort(key=lambda one: one["box"][2] * one["box"][3], reverse=True)
    return found[:BOXES_MAX]


def detector(kind: str) -> Detector:
    """Build the detector of one of KINDS. Raises ValueError, DemoExtraMissing."""
    match kind:
        case "faces":
            return FaceDetector()
        case "people":
            return PeopleDetector()
        case "motion":
            return MotionDetector()
        case _:
            raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
