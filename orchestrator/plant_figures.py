"""What Prometheus sees of the components, read from the replicated state when it is asked: every node shows the same.

No component has a label: there may be ten thousand.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.lifecycle import State
from orchestrator.state import PlantState

PURPOSES = ("start", "restart", "stop", "cascade", "group")


class PlantFigures(Collector):
    """A collector over the components and what people want of them."""

    def __init__(self, state: PlantState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Every figure as of now."""
        rows, controls = self._state.components.rows.values(), self._state.topology.controls.values()
        states = Counter(row.state for row in rows)
        by_state = GaugeMetricFamily("triarch_components", "Registered components by their state.", labels=["state"])
        for state in State:
            by_state.add_metric([state], states[state])
        yield by_state
        yield _gauge("offline", "Registered components that are not heard.", sum(not row.online for row in rows))
        resting = sum(control.maintenance is not None for control in controls)
        yield _gauge("in_maintenance", "Components that are in maintenance.", resting)
        given_up = sum(bool(control.exhausted) for control in controls)
        yield _gauge("given_up", "Components that are not restarted any more: too often within the window.", given_up)
        restarts = sum(len(control.restarts) for control in controls)
        yield _gauge("restarts_in_window", "Restarts that count against the limits of policies now.", restarts)
        runs = Counter(control.run.purpose for control in controls if control.run and not control.run.outcome)
        under_way = GaugeMetricFamily(
            "triarch_supervision_runs", "Attempts of the supervision that are under way.", labels=["purpose"]
        )
        for purpose in PURPOSES:
            under_way.add_metric([purpose], runs[purpose])
        yield under_way


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"triarch_components_{name}", text, value=value)
