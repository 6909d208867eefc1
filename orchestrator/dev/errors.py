"""What can go wrong with a plant on this machine: the part of the tree that only `dev`, `demo` and `bench` see.

OrchestratorError            (orchestrator.errors)
├── PlantError               plant_failed         1
│   ├── DemoExtraMissing     demo_extra_missing   1   OpenCV or the clip is not installed
│   ├── VideoUnreadable      video_unreadable     1   a file, but no frame can be read from it
│   ├── FrameUndecodable     frame_undecodable    1   a payload that is no image
│   ├── ProcessDied          process_died         1   a process of the plant ended by itself
│   ├── NotWritable          not_writable         1   a directory or a report that cannot be made
│   ├── NotReached           not_reached          7   a state was not reached by its deadline
│   └── MeasurementFailed    measurement_failed   1   a bench could not measure what it promises
├── NotFound
│   └── VideoMissing         video_missing        3   no such file
├── Conflict
│   └── DirectoryTaken       directory_taken      5   another run works in the same directory
└── AddressInUse             address_in_use       1   something else listens on a port that was asked for
"""

from pathlib import Path
from typing import ClassVar

from orchestrator.errors import Conflict, NotFound, OrchestratorError


class PlantError(OrchestratorError):
    """Root of this part of the tree."""

    code: ClassVar[str] = "plant_failed"


class DemoExtraMissing(PlantError):
    """The optional dependencies of the demo are not installed."""

    code = "demo_extra_missing"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not installed; install the demo extra: pip install 'triarch[demo]'")


class VideoMissing(NotFound):
    """The video file does not exist."""

    code = "video_missing"

    def __init__(self, path: Path) -> None:
        super().__init__(f"video {path}: no such file")


class VideoUnreadable(PlantError):
    """The file exists but no frame can be read from it."""

    code = "video_unreadable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"video {path}: {reason}")


class FrameUndecodable(PlantError):
    """The payload of a frame is not an image that OpenCV can decode."""

    code = "frame_undecodable"

    def __init__(self, size: int) -> None:
        super().__init__(f"payload of {size} bytes is not a decodable image")


class ProcessDied(PlantError):
    """A process ended by itself; the message holds its exit status and the end of its log."""

    code = "process_died"


class NotWritable(PlantError):
    """A directory or a report cannot be made where it was asked for."""

    code = "not_writable"

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be written: {error.strerror or error}")


class NotReached(PlantError):
    """A state was not reached in time."""

    code = "not_reached"
    exit_code = 7

    def __init__(self, what: str, seconds: float, last: str = "") -> None:
        super().__init__(f"{what}: not within {seconds:g} s" + (f" (last seen: {last})" if last else ""))


class DirectoryTaken(Conflict):
    """Another run works in the same directory."""

    code = "directory_taken"

    def __init__(self, directory: Path) -> None:
        super().__init__(f"{directory}: another run works there; end it, or give this one another --directory")


class MeasurementFailed(PlantError):
    """A bench could not measure what it promises."""

    code = "measurement_failed"
