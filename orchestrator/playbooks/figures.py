"""What Prometheus sees of executions. Every name and its meaning stands in docs/metrics.md."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.playbooks.execution import ENDED, ExecutionRow, Status, StepRow, StepStatus

__all__ = ["PlaybookFigures"]

TYPES = (
    *("approve", "block", "delay", "execute_scenario", "fail", "for_each", "http_request", "log_event", "parallel"),
    *("repeat", "send_command", "send_notification", "set_group_state", "set_variable", "wait_for_signal"),
    "wait_for_state",
)
CLOSED = tuple(status for status in StepStatus if status not in (StepStatus.RUNNING, StepStatus.RETRYING))
BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0),
)


class _Open(Collector):
    def __init__(self, rows: Callable[[], Mapping[str, ExecutionRow]]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "triarch_executions_open", "Executions that have not ended, as this node knows them.", labels=["status"]
        )
        counts = {status: 0 for status in Status if status not in ENDED}
        for row in self._rows().values():
            if row.open:
                counts[row.status] += 1
        for status, count in counts.items():
            family.add_metric([str(status)], count)
        yield family


class PlaybookFigures:
    """Counted by the leader, once a record is committed."""

    def __init__(self, registry: CollectorRegistry, rows: Callable[[], Mapping[str, ExecutionRow]]) -> None:
        registry.register(_Open(rows))
        self._steps = Counter(
            "triarch_steps", "Steps that ended while this node led.", ["type", "status"], registry=registry
        )
        for kind in TYPES:
            for status in CLOSED:
                self._steps.labels(kind, str(status))
        self._overhead = Histogram(
            "triarch_step_overhead_seconds",
            "Of one step, what the leader itself took: from each cause (start, an answer, a change, a deadline) until "
            "what follows from it was committed. Waiting and the work of components is not in it.",
            buckets=BUCKETS,
            registry=registry,
        )

    def ended(self, step: StepRow, overhead_s: float) -> None:
        """A step has ended."""
        self._steps.labels(step.type if step.type in TYPES else "other", str(step.status)).inc()
        self._overhead.observe(overhead_s)
