"""What `triarch bench NAME` can be asked for. Imports nothing heavy: the command line reads it to build its flags."""

from dataclasses import dataclass
from pathlib import Path

FAULTS: tuple[str, ...] = ("kill", "stop")
BENCHES: tuple[str, ...] = ("raft", "failover", "frames", "playbooks", "api", "components", "watch")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """One measurement. `seconds` bounds the whole of it, `runs` is the number of kills of `failover`, and of
    each `fault` (kill, stop or both) that it measures at the agreement level.

    `watch` has `watchers`, spread over the nodes, and writes `rate` changes a second for `seconds`.

    `report` is where the JSON report goes (`-` or `None`: standard output).
    """

    report: Path | None = None
    seconds: float = 60.0
    runs: int = 5
    fault: str = "both"
    watchers: int = 100
    rate: float = 200.0
    directory: Path | None = None

    def __post_init__(self) -> None:
        if not 5 <= self.seconds <= 86_400:
            raise ValueError(f"seconds: {self.seconds} is not within 5..86400")
        if self.fault not in (*FAULTS, "both"):
            raise ValueError(f"fault: {self.fault!r} is not kill, stop or both")
        if not 1 <= self.runs <= 1_000:
            raise ValueError(f"runs: {self.runs} is not within 1..1000")
        if not 1 <= self.watchers <= 600:
            raise ValueError(f"watchers: {self.watchers} is not within 1..600: a node serves 256")
        if not 1 <= self.rate <= 5_000:
            raise ValueError(f"rate: {self.rate} is not within 1..5000")
