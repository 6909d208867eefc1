"""What `triarch bench NAME` can be asked for. Imports nothing heavy: the command line reads it to build its flags."""

from dataclasses import dataclass
from pathlib import Path

FAULTS: tuple[str, ...] = ("kill", "stop")
BENCHES: tuple[str, ...] = ("raft", "failover", "frames", "playbooks", "api", "components", "watch")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """One measurement. `seconds` bounds the whole of it, `runs` is the number of kills of `failover`, and of
    each `fault` (kill, stop or both) that it measures at the agreement level.

    `watch` has `watchers`, spread over the nodes, and writes `rate` changes a second for `seconds`; with `components`,
    `processors` and `cameras` the plant has so many at work, as that of `api`.
    `api`: with `components` the plant has so many, which send heartbeats, with `processors` that take
    the frames of `cameras`, and is asked `rate` reads and `write_rate` writes a second, however fast it answers.

    `report` is where the JSON report goes (`-` or `None`: standard output).
    """

    report: Path | None = None
    seconds: float = 60.0
    runs: int = 5
    fault: str = "both"
    watchers: int = 100
    directory: Path | None = None
    components: int = 0
    processors: int = 0
    cameras: int = 0
    rate: float = 0.0
    """0: the bench's own, 200 of `watch` and 500 of `api`"""
    write_rate: float = 20.0

    def __post_init__(self) -> None:
        if not 5 <= self.seconds <= 86_400:
            raise ValueError(f"seconds: {self.seconds} is not within 5..86400")
        if self.fault not in (*FAULTS, "both"):
            raise ValueError(f"fault: {self.fault!r} is not kill, stop or both")
        if not 1 <= self.runs <= 1_000:
            raise ValueError(f"runs: {self.runs} is not within 1..1000")
        if not 1 <= self.watchers <= 600:
            raise ValueError(f"watchers: {self.watchers} is not within 1..600: a node serves 256")
        for name, most in (("components", 5_000), ("processors", 200), ("cameras", 1_000)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name}: {getattr(self, name)} is not within 0..{most}")
        if self.components < 1 and (self.processors or self.cameras):
            raise ValueError("components: at least 1 beside processors or cameras")
        if self.cameras and not self.processors:
            raise ValueError("processors: at least 1 where there are cameras: nobody would take their frames")
        if not 0 <= self.rate <= 20_000:
            raise ValueError(f"rate: {self.rate} is not within 0..20000")
        if not 0 <= self.write_rate <= 5_000:
            raise ValueError(f"write_rate: {self.write_rate} is not within 0..5000")
