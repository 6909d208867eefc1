"""How much executions weigh in memory and in snapshots, kept as they change. Pure; follows from the rows alone."""

from collections.abc import Iterable

from orchestrator.playbooks.execution import ExecutionRow, StepRow

ROW_BYTES_MAX = 8 << 20
"""Of one execution."""
ENDED_BYTES_MAX = 32 << 20
"""Of all that have ended: the oldest is forgotten first."""
STEP_BYTES = 200


class Weights:
    """Bytes by execution, about; of those that have ended also all together."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self.ended = 0

    @classmethod
    def of(cls, rows: Iterable[ExecutionRow]) -> "Weights":
        weights = cls()
        for row in rows:
            weights.put(None, row, ())
        return weights

    def copy(self) -> "Weights":
        other = Weights()
        other._steps, other._ended, other.ended = dict(self._steps), dict(self._ended), self.ended
        return other

    def grown(self, row: ExecutionRow, steps: Iterable[StepRow]) -> int:
        """What the execution will weigh with these steps."""
        return self._changed(row, steps) + _rest(row)

    def put(self, before: ExecutionRow | None, row: ExecutionRow, steps: Iterable[StepRow]) -> None:
        """It was changed; `steps`: those that differ, nothing where that is not known."""
        steps = tuple(steps)
        whole = before is None or not steps
        self._steps[row.id] = sum(map(_step, row.steps.values())) if whole else self._changed(before, steps)
        self.ended -= self._ended.pop(row.id, 0)
        if not row.open:
            self._ended[row.id] = self._steps[row.id] + _rest(row)
            self.ended += self._ended[row.id]

    def remove(self, execution_id: str) -> None:
        self._steps.pop(execution_id, None)
        self.ended -= self._ended.pop(execution_id, 0)

    def _changed(self, row: ExecutionRow | None, steps: Iterable[StepRow]) -> int:
        assert row is not None  # noqa: S101 - for the type checker
        weight = self._steps.get(row.id, 0)
        for step in steps:
            held = row.steps.get(step.path)
            weight += _step(step) - (0 if held is None else _step(held))
        return weight


def _step(step: StepRow) -> int:
    return STEP_BYTES + len(step.path) + len(step.data) + len(step.value) + len(step.error)


def _rest(row: ExecutionRow) -> int:
    texts = (*row.variables.values(), *row.signals.values())
    return len(row.trigger) + len(row.inputs) + sum(map(len, texts)) + 1_000
