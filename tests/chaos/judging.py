"""A recorded history, by what each of its parts promises, and the judgement of each part.

changes, reads with `linearizable`   check(): as if there were one copy of each register
reads with `leader`                  stale_violations(): at most `step_down_s` behind, see LEADER_BOUND_S
reads with `stale`                   stale_violations(): at most `max_stale` behind; without one, only never invented
"""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from cluster import ClusterSettings
from orchestrator.drills.histories.register_clients import Consistency
from tests.chaos.history_files import write_history
from tests.chaos.linearizability import CheckTimedOut, Operation, check, render, stale_violations

STEP_DOWN_S = float(ClusterSettings.model_fields["step_down_s"].default)
MARGIN_S = 0.25
"""For what the bounds of `cluster` do not count. They are kept by the clock of the Raft thread, from the moment at
which a message or an acknowledgement was asked for; before it lies the time from the commit that it tells of to its
sending. That is one tick, and ticks wait for the processor: seven busy processes share two cores here, and the
interpreter's lock is passed on every 5 ms. A broken bound shows as a whole fault, over a second, not as hundredths."""
LEADER_BOUND_S = STEP_DOWN_S + MARGIN_S
"""A leader whose followers are gone answers `leader` reads until it steps down (cluster/DESIGN.md, What holds)."""
CHECK_S = 60.0
"""For one register. They take milliseconds; one with very many unknown outcomes may take for ever."""


class Part(msgspec.Struct, frozen=True):
    """What promise a read was made under. `max_stale` is in seconds, of `stale` only."""

    consistency: Consistency
    max_stale: float | None = None

    @property
    def bound_s(self) -> float:
        """How far behind such a read may be; 0 where it must be linearizable."""
        match self.consistency:
            case "linearizable":
                return 0.0
            case "leader":
                return LEADER_BOUND_S
        return math.inf if self.max_stale is None else self.max_stale + MARGIN_S

    def __str__(self) -> str:
        return self.consistency if self.max_stale is None else f"{self.consistency}-{self.max_stale:g}"


class Violation(msgspec.Struct, frozen=True):
    """A promise that a history shows broken, told so that a person can follow it."""

    part: str
    key: str
    text: str


class History:
    """Operations as they were recorded."""

    def __init__(self) -> None:
        self.changes: list[Operation] = []
        self.reads: dict[Part, list[Operation]] = {}

    def __len__(self) -> int:
        return len(self.changes) + sum(map(len, self.reads.values()))

    def add_change(self, operation: Operation) -> None:
        """Take a write or a cas."""
        self.changes.append(operation)

    def add_read(self, part: Part, operation: Operation) -> None:
        """Take a read."""
        self.reads.setdefault(part, []).append(operation)

    def counts(self) -> dict[str, dict[str, int]]:
        """Operations by kind, reads by their promise, and outcome."""
        found: dict[str, Counter[str]] = {}
        for operation in self.changes:
            found.setdefault(operation.kind, Counter())[operation.outcome] += 1
        for part, operations in sorted(self.reads.items(), key=lambda item: str(item[0])):
            found[f"read {part}"] = Counter(operation.outcome for operation in operations)
        return {kind: dict(sorted(counts.items())) for kind, counts in found.items()}

    def linearizable(self) -> list[Operation]:
        """What must be linearizable: the changes, and the reads that ask for it."""
        return [*self.changes, *self.reads.get(Part("linearizable"), ())]

    def write(self, directory: Path) -> list[Path]:
        """The linearizable part and each part of the others' reads, a file each, an operation a line."""
        directory.mkdir(parents=True, exist_ok=True)
        parts: dict[str, list[Operation]] = {"linearizable": self.linearizable()}
        parts |= {str(part): reads for part, reads in self.reads.items() if part.consistency != "linearizable"}
        written = []
        for name, operations in parts.items():
            path = directory / f"{name}.jsonl"
            write_history(path, sorted(operations, key=lambda each: each.invoked))
            written.append(path)
        return written

    def violations(self) -> list[Violation]:
        """Every register whose part is not linearizable, and every read beyond its bound."""
        found = [*self._not_linearizable()]
        for part, reads in self.reads.items():
            if part.consistency == "linearizable":
                continue
            found += [
                Violation(str(part), violation.read.key, str(violation))
                for violation in stale_violations([*self.changes, *reads], part.bound_s)
            ]
        return found

    def _not_linearizable(self) -> Iterable[Violation]:
        registers: dict[str, list[Operation]] = {}
        for operation in self.linearizable():
            registers.setdefault(operation.key, []).append(operation)
        for key, operations in registers.items():
            try:
                verdict = check(operations, deadline_s=CHECK_S)
            except CheckTimedOut as error:  # no verdict is no proof
                yield Violation("linearizable", key, str(error))
                continue
            if not verdict.linearizable:
                yield Violation("linearizable", key, render(verdict))
