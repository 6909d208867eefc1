"""One look at all triggers: what has changed since the last one, what holds by now, what is due. Pure.

All that it comes to goes into one command: the marks, the starts, and up to which change everything was looked at. So
nothing is lost between two leaders, and nothing counts twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from orchestrator.playbooks.due import due
from orchestrator.playbooks.execution import ENDED, JournalEntry, Start
from orchestrator.playbooks.marks import (
    MARKS_MAX,
    Arming,
    Level,
    arming_key,
    arming_of,
    judged,
    level_key,
    level_of,
    text_of,
    trigger_of,
)
from orchestrator.playbooks.triggering import (
    Armed,
    conditions,
    group_holds,
    matched,
    metric_holds,
    selects,
    set_off,
)
from orchestrator.playbooks.triggers import ComponentState, GroupState, MetricThreshold, PlaybookEnded, Schedule
from orchestrator.playbooks.world import Templates, World

STARTS_MAX = 50
BYTES_MAX = 256 * 1024
"""Of starts in one command; what goes off beyond them does so in the next round."""

CHANGED_MAX = 2_000
"""Marks in one command."""


class Seen(NamedTuple):
    """A change of the replicated state: its place in the log, and the event."""

    place: int
    kind: str
    subject: str
    data: Mapping[str, Any]


@dataclass
class Round:
    """`marks` are those that are replicated; `changed` collects what becomes of them.

    `at` is plant time, `now` unix seconds by the leader's clock, which only schedules go by.
    """

    armed: Sequence[Armed]
    marks: Mapping[str, str]
    world: World
    templates: Templates
    at: float
    now: float
    index: int
    changed: dict[str, str] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    since: Mapping[str, int] = field(default_factory=dict)
    """by trigger that was armed lately: changes up to this place are not for it"""
    problems: dict[str, str] = field(default_factory=dict)
    """by trigger, why a schedule cannot be followed"""
    _bytes: int = 0
    _room: int = field(init=False)

    def __post_init__(self) -> None:
        self._room = MARKS_MAX - len(self.marks)

    @property
    def full(self) -> bool:
        return len(self.starts) >= STARTS_MAX or self._bytes > BYTES_MAX or len(self.changed) >= CHANGED_MAX

    # ── Arming ────────────────────────────────

    def arm(self) -> list[str]:
        """The names of triggers that are new, or say something new: what holds already does not set them off."""
        new = []
        known = {each.name for each in self.armed}
        for key in self.marks:
            if trigger_of(key)[0] not in known:
                self.changed[key] = ""
        for each in self.armed:
            arming = arming_of(self.marks.get(arming_key(each)))
            if arming is not None and arming.digest == each.digest:
                continue
            for key in self.marks:
                if key.startswith(f"{each.name}/"):
                    self.changed[key] = ""
            self._mark(
                arming_key(each), Arming(each.digest, due=self.now if isinstance(each.trigger, Schedule) else 0.0)
            )
            for subject in self._holding(each):
                self._mark(level_key(each, subject), Level(since=self.at, index=self.index, fired=True))
            new.append(each.name)
        return new

    def _holding(self, armed: Armed) -> list[str]:
        trigger, world = armed.trigger, self.world
        if isinstance(trigger, GroupState):
            return [trigger.group] if group_holds(trigger, world) else []
        if isinstance(trigger, MetricThreshold):
            values = {
                facts.id: value
                for facts in world.components.values()
                if selects(trigger, facts, world) and (value := facts.metrics.get(trigger.metric)) is not None
            }
            return [component_id for component_id, value in values.items() if metric_holds(trigger, value)]
        if not isinstance(trigger, ComponentState):
            return []
        return [
            facts.id
            for facts in world.components.values()
            if selects(trigger, facts, world)
            and matched(trigger.state, conditions(facts.state, online=facts.online, health=facts.health))
        ]

    # ── Changes ────────────────────────────────

    def look_at(self, change: Seen, previous: str) -> None:
        """A change, in its turn. `previous`: the state that the component had before, where that is known."""
        if change.kind == "execution.changed":
            self._execution(change)
        elif change.kind.startswith("component."):
            self._component(change, previous)

    def _execution(self, change: Seen) -> None:
        status = change.data.get("status")
        if status not in ENDED:
            return
        for each in self.armed:
            trigger = each.trigger
            if not isinstance(trigger, PlaybookEnded) or trigger.playbook != change.data.get("playbook"):
                continue
            if status in trigger.status and change.place > self.since.get(each.name, 0):
                told = {
                    "type": trigger.type,
                    "playbook": trigger.playbook,
                    "execution": change.subject,
                    "status": status,
                    "error": change.data.get("error", ""),
                }
                self._off(each, told, f"{change.subject}@{change.place}")

    def _component(self, change: Seen, previous: str) -> None:
        gone = change.kind == "component.unregistered"
        facts = self.world.components.get(change.subject)
        state = str(change.data.get("state", ""))
        online = change.data.get("presence") == "ONLINE"
        found = conditions(
            state, online=online, health=str(change.data.get("health") or ("OK" if online else "UNRESPONSIVE"))
        )
        for each in self.armed:
            trigger = each.trigger
            if gone and isinstance(trigger, MetricThreshold):
                self._mark(level_key(each, change.subject), None)
            if not isinstance(trigger, ComponentState) or change.place <= self.since.get(each.name, 0):
                continue
            if not gone and (not state or facts is None or not selects(trigger, facts, self.world)):
                continue
            now_in = "" if gone else matched(trigger.state, found)
            told = {
                "type": trigger.type,
                "source": change.subject,
                "state": now_in,
                "previous": previous,
                "reason": change.data.get("reason", ""),
            }
            self._level(each, change.subject, bool(now_in), told, index=change.place)

    def compare(self) -> None:
        """What components are now, where the changes that led there are not held any more."""
        for facts in self.world.components.values():
            data = {
                "state": str(facts.state),
                "presence": "ONLINE" if facts.online else "OFFLINE",
                "health": facts.health,
                "reason": "",
            }
            self._component(Seen(max(1, self.index), "component.compared", facts.id, data), "")

    # ── What goes by time ────────────────────────────────

    def groups(self) -> None:
        """Groups as they are now."""
        for each in self.armed:
            if isinstance(each.trigger, GroupState) and not self.full:
                state = each.trigger.state
                told = {"type": each.trigger.type, "source": each.trigger.group, "state": state}
                self._level(each, each.trigger.group, group_holds(each.trigger, self.world), told, index=self.index)

    def holds(self) -> None:
        """Components that have been in a state for long enough by now."""
        for each in self.armed:
            if not isinstance(each.trigger, ComponentState) or each.trigger.hold is None:
                continue
            for key, text in self.marks.items():
                name, subject = trigger_of(key)
                mark = level_of(text) if name == each.name and subject else None
                facts = self.world.components.get(subject)
                if mark is None or mark.fired or facts is None or self.full:
                    continue
                found = conditions(facts.state, online=facts.online, health=facts.health)
                state = matched(each.trigger.state, found)
                told = {"type": each.trigger.type, "source": subject, "state": state, "previous": "", "reason": ""}
                self._level(each, subject, bool(state), told, index=mark.index)

    def metrics(self) -> None:
        """The newest figures of components."""
        for each in self.armed:
            trigger = each.trigger
            if not isinstance(trigger, MetricThreshold):
                continue
            for facts in self.world.components.values():
                value = facts.metrics.get(trigger.metric) if selects(trigger, facts, self.world) else None
                if value is None or self.full:
                    continue
                told = {"type": trigger.type, "source": facts.id, "metric": trigger.metric, "value": value}
                self._level(each, facts.id, metric_holds(trigger, value), told, index=0)

    def schedules(self) -> None:
        """What is due by the leader's clock."""
        for each in self.armed:
            trigger = each.trigger
            arming = arming_of(self._held(arming_key(each)))
            if not isinstance(trigger, Schedule) or arming is None or self.full:
                continue
            try:
                runs, last = due(trigger, arming.due, self.now)
            except ValueError as error:
                self.problems[each.name] = str(error)
                continue
            if last == arming.due:
                continue
            for run in runs:
                time = datetime.fromtimestamp(run.time, UTC).isoformat().replace("+00:00", "Z")
                self._off(each, {"type": trigger.type, "due": time, "missed": run.missed}, f"due {run.time!r}")
            self._mark(arming_key(each), Arming(each.digest, due=last))

    # ── Marks ────────────────────────────────

    def _held(self, key: str) -> str | None:
        return self.changed[key] if key in self.changed else self.marks.get(key)

    def _mark(self, key: str, mark: Level | Arming | None) -> None:
        text = text_of(mark)
        if text != (self._held(key) or ""):
            self.changed[key] = text

    def _level(self, armed: Armed, subject: str, holds: bool | None, told: Mapping[str, Any], *, index: int) -> None:
        key = level_key(armed, subject)
        hold = getattr(armed.trigger, "hold", None) or 0.0
        held = self._held(key)
        if not held and holds and self._room <= 0:
            self.problems[armed.name] = f"no more than {MARKS_MAX} things are watched by triggers at a time"
            return  # what cannot be remembered would set it off again with every look
        mark, fires = judged(level_of(held), holds, hold_s=hold, at=self.at, index=index)
        self._room -= 0 if held or mark is None else 1
        self._mark(key, mark)
        if fires and mark is not None:
            self._off(armed, told, f"{subject}@{mark.index}/{mark.since!r}")

    def _off(self, armed: Armed, told: Mapping[str, Any], cause: str) -> None:
        off = set_off(armed, told, cause, at=self.at, world=self.world, templates=self.templates)
        if isinstance(off, Start):
            self.starts.append(off)
            self._bytes += len(off.trigger) + len(off.inputs) + sum(map(len, off.variables.values()))
        elif off is not None:
            self.journal.append(off)
