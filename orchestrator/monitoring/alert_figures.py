"""What Prometheus sees of alerts and histories: read when it is asked. Labels are the four severities."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.monitoring.alert_rules import SEVERITIES
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.history import History
from orchestrator.monitoring.silencing import silenced_by

__all__ = ["AlertFigures"]


class AlertFigures(Collector):
    """A collector over the replicated alerts, which are the same on every node, and this node's history."""

    def __init__(self, alerts: AlertRegistry, history: History) -> None:
        self._alerts = alerts
        self._history = history

    def collect(self) -> Iterator[Metric]:
        """Every figure as of now."""
        rows, silences, now = self._alerts.firing.values(), self._alerts.silences, time.time()
        wanted = {
            "firing": ("Alerts that fire, the silenced ones too.", list(rows)),
            "silenced": (
                "Alerts that fire and are silenced.",
                [row for row in rows if silenced_by(row, silences, now)],
            ),
            "unacknowledged": (
                "Alerts that fire and nobody has acknowledged.",
                [row for row in rows if row.acknowledged is None],
            ),
        }
        for name, (text, counted) in wanted.items():
            gauge = GaugeMetricFamily(f"triarch_alerts_{name}", text, labels=["severity"])
            for severity in SEVERITIES:
                gauge.add_metric([severity], sum(row.severity == severity for row in counted))
            yield gauge
        history = self._history
        yield GaugeMetricFamily("triarch_history_series", "Metrics of components kept here.", history.series_count)
        yield GaugeMetricFamily("triarch_history_bytes", "Memory of their slots, bytes.", history.size_bytes)
        yield CounterMetricFamily(
            "triarch_history_refused", "Samples that found no room, or were no number.", history.refused_total
        )
