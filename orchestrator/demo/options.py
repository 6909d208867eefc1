"""What `triarch demo` can be asked for. Imports nothing heavy: the command line reads it to build its flags."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kill = Literal["leader", "primary", "none"]
KILLS: tuple[str, ...] = get_args(Kill)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """One bounded run.

    `fps` is frames a second of each camera, `seconds` how long the cameras publish. `video=None` means the clip
    of the `demo` extra. `report` is where the JSON report goes (`-` is standard output). `directory` holds logs and
    data; `None` makes a new one below `.triarch/` of the working directory.
    """

    video: Path | None = None
    cameras: int = 4
    fps: float = 15.0
    seconds: float = 30.0
    kill: Kill = "leader"
    report: Path | None = None
    directory: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.cameras <= 64:
            raise ValueError(f"cameras: {self.cameras} is not within 1..64")
        if not 0 < self.fps <= 240:
            raise ValueError(f"fps: {self.fps} is not above 0 and up to 240")
        if not 1 <= self.seconds <= 86_400:
            raise ValueError(f"seconds: {self.seconds} is not within 1..86400")
        if self.kill not in KILLS:
            raise ValueError(f"kill: {self.kill!r} is none of {', '.join(KILLS)}")
