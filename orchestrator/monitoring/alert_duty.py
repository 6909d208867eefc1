"""The leader's duty to watch: it keeps the histories, holds the rules against what is seen, and proposes what changed.

What it decides with is pure (`evaluation`, `trends`). The history belongs to the node and outlives the duty; it is in
memory alone, so a node that takes over begins a new one. What fires is in the replicated state and goes on firing.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from cluster import Applied, ClusterError
from orchestrator.components import ComponentRegistry, ComponentRow
from orchestrator.monitoring.alert_commands import Record
from orchestrator.monitoring.alert_rules import Rule
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.evaluation import ComponentSeen, Evaluating, Pending, Seen, Subject, resumed
from orchestrator.monitoring.history import History
from orchestrator.monitoring.trends import Forecast, forecast
from orchestrator.playbooks.world import ComponentFacts
from orchestrator.tasks import cancelled

__all__ = ["FRAMES", "AlertDuty"]

log = logging.getLogger(__name__)

TICK_S = 0.5
CROWDED_S = 10.0
"""Until a look that found no room for its alerts is repeated."""
EXPIRE_S = 60.0
STALE_S = 30.0
"""A metric that was last heard so long ago is not known now, unless the component is heard more rarely."""
STALE_HEARTBEATS = 3
FORECASTS_AT_ONCE = 5
FORECASTS_A_TICK = 40
"""Each takes less than a tenth of a millisecond: a thousand components are gone through in 13 s."""
TREND_WINDOW_S = 3600.0
TREND_POINTS = 60
FRAMES = "@frames"
"""Under which the figures of the frames are kept in the history: no component can have this id."""

Figures = Mapping[str, Mapping[str, float]]


class AlertDuty:
    """Alerts under one epoch.

    Args:
        alerts, components: the replicated registries; read only.
        propose: replicates a command under the epoch.
        facts: the components with all their groups, and whether they are in maintenance.
        history: of the node.
        figures: those of the frames at a time of the monotonic clock.
    """

    name = "alerts"

    def __init__(
        self,
        alerts: AlertRegistry,
        components: ComponentRegistry,
        propose: Callable[[Record], Awaitable[Applied]],
        *,
        facts: Callable[[], Mapping[str, ComponentFacts]],
        history: History,
        figures: Callable[[float], Figures],
    ) -> None:
        self._alerts = alerts
        self._components = components
        self._propose = propose
        self._facts = facts
        self.history = history
        self._figures = figures
        self._watch = resumed({})
        self._made_of: tuple[object, object] = (None, None)
        self._made: tuple[Mapping[str, ComponentRow], list[ComponentSeen]] = ({}, [])
        self._forecasts: dict[Subject, Forecast] = {}
        self._to_forecast: list[Subject] = []
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None]:
        self._watch = resumed(self._alerts.firing)
        self._task = asyncio.create_task(self._run(), name="alerts")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    def heard(self, component_id: str, values: Mapping[str, float]) -> None:
        """A heartbeat's figures."""
        self.history.add(component_id, time.monotonic(), values)

    def pending(self) -> list[Pending]:
        """What is active and does not fire yet, ordered by rule and subject."""
        return sorted(self._watch.pending.values())

    async def _run(self) -> None:
        trouble = ""
        expire_at = time.monotonic() + EXPIRE_S
        while True:
            now = time.monotonic()
            crowded = False
            try:
                crowded = await self.look(now)
                trouble = ""
            except ClusterError as error:
                # Derived from the state anew at the next tick, so nothing is lost.
                if str(error) != trouble:
                    log.info("alerts not recorded now: %s", error)
                trouble = str(error)
            if now >= expire_at:
                expire_at = now + EXPIRE_S
                self.history.expire(now, known={*self._components.rows, FRAMES})
            await asyncio.sleep(CROWDED_S if crowded else TICK_S)

    async def look(self, now: float) -> bool:
        """One look at everything, at `now` of the monotonic clock; whether there was no room for an alert."""
        rules = self._alerts.effective()
        figures = self._figures(now)
        self._keep(rules, figures, now)
        facts = self._facts()
        rows, components = self._looked_at(facts)
        seen = Seen(
            components=components,
            metric=lambda name, metric: self.history.latest(name, metric, now=now, within_s=_stale_s(rows[name])),
            forecasts=await self._forecast(rules, rows, now),
            figures=figures,
            increases=self._increases(rules, figures, now),
        )
        evaluating = Evaluating(rules, seen, now, self._alerts.firing, self._watch)
        for _ in evaluating:  # a thousand components in one go would hold up every request of this node
            await asyncio.sleep(0)
        reports, self._watch = evaluating.found
        if not reports:
            return False
        outcome = (await self._propose(Record(reports=reports))).outcome
        if not outcome.ok:
            log.info("alerts not recorded: %s", outcome.message)
            return False
        for report in reports:
            level = _LEVELS.get(report.severity, logging.INFO) if report.members else logging.INFO
            state = "fires" if report.members else "is resolved"
            log.log(level, "alert %s %s: %s", report.rule, state, report.summary)
        return bool(outcome.value and outcome.value["refused"])

    def _looked_at(self, facts: Mapping[str, ComponentFacts]) -> tuple[Mapping[str, ComponentRow], list[ComponentSeen]]:
        """The components that rules look at, by id; made anew only when one of them, or a group, is another."""
        now = (self._components.rows, facts)
        if self._made_of[0] is not now[0] or self._made_of[1] is not now[1]:
            # Whoever has a component in maintenance knows of it.
            rows = {
                name: row
                for name, row in sorted(now[0].items())
                if not ((known := facts.get(name)) is not None and known.maintenance)
            }
            self._made_of, self._made = now, (rows, [_seen(row, facts.get(name)) for name, row in rows.items()])
        return self._made

    def _keep(self, rules: Mapping[str, Rule], figures: Figures, now: float) -> None:
        """A history of the figures that a rule wants the increase of."""
        wanted = {rule.condition.name for rule in rules.values() if rule.enabled and rule.condition.kind == "increase"}
        values = {_kept(name, subject): value for name in wanted for subject, value in figures.get(name, {}).items()}
        self.history.add(FRAMES, now, values)

    def _increases(self, rules: Mapping[str, Rule], figures: Figures, now: float) -> dict[Subject, float]:
        """How much figures grew, where their history covers the window, or is too much already."""
        found: dict[Subject, float] = {}
        for rule in rules.values():
            condition = rule.condition
            if not rule.enabled or condition.kind != "increase":
                continue
            for subject, value in figures.get(condition.name, {}).items():
                series = self.history.series(FRAMES, _kept(condition.name, subject))
                if series is None:
                    continue
                step, points = series.points(now - condition.window_s)
                if not points:
                    continue
                grown = value - min(point.mean for point in points)
                covered = points[0].time <= now - condition.window_s + step
                if covered or (condition.above is not None and grown > condition.above):
                    found[rule.name, subject] = grown
        return found

    async def _forecast(
        self, rules: Mapping[str, Rule], rows: Mapping[str, ComponentRow], now: float
    ) -> Mapping[Subject, Forecast]:
        """A few of the trend rules' forecasts made anew, one after the other; the others as they are."""
        trends = {name: rule for name, rule in rules.items() if rule.enabled and rule.condition.kind == "trend"}
        if not self._to_forecast:
            self._to_forecast = [(name, component) for name in sorted(trends) for component in rows]
            wanted = set(self._to_forecast)
            self._forecasts = {key: found for key, found in self._forecasts.items() if key in wanted}
        now_due, self._to_forecast = self._to_forecast[:FORECASTS_A_TICK], self._to_forecast[FORECASTS_A_TICK:]
        for at, (name, component) in enumerate(now_due):
            if at % FORECASTS_AT_ONCE == 0:
                await asyncio.sleep(0)
            if name in trends and component in rows:
                self._forecasts[name, component] = self._forecast_of(trends[name], component, now)
        return self._forecasts

    def _forecast_of(self, rule: Rule, component_id: str, now: float) -> Forecast:
        condition = rule.condition
        series = self.history.series(component_id, condition.name)
        window_s = condition.window_s or TREND_WINDOW_S
        # At most so many points: they are gone through for each component.
        step, points = (0.0, []) if series is None else series.points(now - window_s, window_s / TREND_POINTS)
        samples = [(point.time + step / 2, point.mean) for point in points]
        return forecast(samples, above=condition.above, below=condition.below)


_LEVELS = {"warning": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL}


def _seen(row: ComponentRow, facts: ComponentFacts | None) -> ComponentSeen:
    # Its own groups first: an alert for each group is made by the first one.
    groups = row.groups if facts is None else tuple(dict.fromkeys((*row.groups, *facts.groups)))
    return ComponentSeen(row.id, groups, row.state, row.health, row.reason, row.health_reason)


def _stale_s(row: ComponentRow) -> float:
    return max(STALE_S, STALE_HEARTBEATS * (row.heartbeat_s or 0.0))


def _kept(name: str, subject: str) -> str:
    return f"{name}/{subject}"
