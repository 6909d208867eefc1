"""What `triarch dev` can be asked for. Imports nothing heavy: the command line reads it to build its flags."""

from dataclasses import dataclass
from pathlib import Path

NODES = 3


@dataclass(frozen=True, slots=True)
class DevOptions:
    """A plant on this machine that stays up until it is interrupted.

    Node `k` (1..3) listens on `api_port + k - 1` and `raft_port + k - 1`; the defaults are those that the command
    line looks for. `frames=False` starts the nodes and the server only: no cameras, processors or components.
    State is kept in `directory` (default `.triarch/dev`) from one run to the next; `fresh` clears it first.
    """

    video: Path | None = None
    cameras: int = 4
    fps: float = 15.0
    directory: Path | None = None
    api_port: int = 8101
    raft_port: int = 7101
    redis_port: int = 6390
    frames: bool = True
    fresh: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.cameras <= 64:
            raise ValueError(f"cameras: {self.cameras} is not within 0..64")
        if not 0 < self.fps <= 240:
            raise ValueError(f"fps: {self.fps} is not above 0 and up to 240")
        for name, port in (("api_port", self.api_port), ("raft_port", self.raft_port), ("redis_port", self.redis_port)):
            if not 1 <= port <= 65_533:
                raise ValueError(f"{name}: {port} is not within 1..65533")
        if abs(self.api_port - self.raft_port) < NODES:
            raise ValueError(f"raft_port: {self.raft_port} and the two after it meet the API's, from {self.api_port}")
        for name, port in (("api_port", self.api_port), ("raft_port", self.raft_port)):
            if port <= self.redis_port < port + NODES:
                raise ValueError(f"redis_port: {self.redis_port} is among those from --{name.replace('_', '-')} {port}")
