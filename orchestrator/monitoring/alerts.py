"""The replicated alerts: what fires, who acknowledged it, what is silenced, and the rules that were set. Pure.

Who fires is decided by the leader (`evaluation`); here it is only recorded, so a takeover changes nothing of it. An
alert stands for a rule and a group key while it fires: at most one. When it fires again later it is another one, with
an id of its own and not acknowledged.

`revision` grows with every change, also across a restore from another cluster's backup: ids are made of it.

Codes: `alert_unknown`, `alert_resolved`, `silence_unknown`, `too_many_silences`, `alert_rule_unknown`,
`too_many_alert_rules`, `precondition_failed` (with `{"revision": …}`, what it is now), `invalid_command`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.monitoring.alert_commands import (
    KINDS,
    MEMBERS_MAX,
    TEXT_MAX,
    Acknowledge,
    Acknowledgement,
    AlertEvent,
    AlertRow,
    DeleteRule,
    Member,
    Notified,
    Position,
    Record,
    Report,
    Result,
    RuleRow,
    SetRule,
    Silence,
    SilenceRow,
    Unsilence,
)
from orchestrator.monitoring.alert_rules import Rule, default_rules

FIRING_MAX = 1_000
"""Beyond, a new alert is not recorded until another one is resolved."""
RESOLVED_MAX = 500
"""The oldest is forgotten first."""
RESOLVED_MEMBERS = 10
SILENCES_MAX = 500
RULES_MAX = 200
SILENCE_KEPT_S = 3600.0
"""A silence that is over is shown for so long, and then removed with the next change."""

Applied = tuple[Result, list[AlertEvent]]
Key = tuple[str, str]
"""(rule, group)."""


class AlertRegistry:
    """Mappings are replaced on change and never altered: any thread may read them without a lock."""

    def __init__(self) -> None:
        self.firing: Mapping[Key, AlertRow] = {}
        self.resolved: tuple[AlertRow, ...] = ()
        """the newest last"""
        self.silences: Mapping[str, SilenceRow] = {}
        self.rules: Mapping[str, RuleRow] = {}
        """those that were set; see `effective`"""
        self.revision = 0

    @property
    def untouched(self) -> bool:
        """Nothing was ever recorded or set."""
        return self.revision == 0

    def effective(self) -> dict[str, Rule]:
        """The shipped rules, with those that were set in their place or beside them."""
        return default_rules() | {name: row.rule for name, row in self.rules.items()}

    def get(self, alert_id: str) -> AlertRow | None:
        """One that fires, or was resolved not too long ago."""
        for row in (*self.firing.values(), *self.resolved):
            if row.id == alert_id:
                return row
        return None

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins, ordered: equal states give equal bytes."""
        return {
            "version": 1,
            "revision": self.revision,
            "firing": [msgspec.to_builtins(row) for _, row in sorted(self.firing.items())],
            "resolved": [msgspec.to_builtins(row) for row in self.resolved],
            "silences": [msgspec.to_builtins(row) for _, row in sorted(self.silences.items())],
            "rules": [msgspec.to_builtins(row) for _, row in sorted(self.rules.items())],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"alerts: snapshot version {data.get('version')!r} is not known here")
        firing = msgspec.convert(data["firing"], list[AlertRow])
        resolved = msgspec.convert(data["resolved"], tuple[AlertRow, ...])
        silences = msgspec.convert(data["silences"], list[SilenceRow])
        rules = msgspec.convert(data["rules"], list[RuleRow])
        self.revision = msgspec.convert(data["revision"], int)
        self.firing = {(row.rule, row.group): row for row in firing}
        self.resolved = resolved
        self.silences = {row.id: row for row in silences}
        self.rules = {row.rule.name: row for row in rules}

    def adopt(self, other: "AlertRegistry") -> None:
        """Become what `other` is."""
        self.firing, self.resolved, self.silences = other.firing, other.resolved, other.silences
        self.rules, self.revision = other.rules, other.revision

    def apply(self, kind: str, body: bytes, *, time: float, position: Position) -> Applied:
        """Apply one command; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{kind}: {error}"), []
        match command:
            case Record():
                return self._record(command, time, position)
            case Acknowledge():
                return self._acknowledge(command, time, position)
            case Notified():
                return self._notified(command, position)
            case Silence():
                return self._silence(command, time, position)
            case Unsilence():
                return self._unsilence(command, position)
            case SetRule():
                return self._set_rule(command, time, position)
            case DeleteRule():
                return self._delete_rule(command, position)

    def _record(self, command: Record, time: float, position: Position) -> Applied:
        firing, resolved = dict(self.firing), list(self.resolved)
        events: list[AlertEvent] = []
        refused = 0
        for report in command.reports:
            key = (report.rule, report.group)
            held = firing.get(key)
            if held is None and (not report.members or len(firing) >= FIRING_MAX):
                refused += bool(report.members)
                continue
            row = self._reported(report, held, time, position)
            if not report.members:
                del firing[key]
                resolved.append(row)
            else:
                firing[key] = row
            phase = "alert.resolved" if not report.members else "alert.fired" if held is None else "alert.changed"
            data = {"rule": row.rule, "group": row.group, "severity": row.severity, "members": row.members_total}
            events.append(AlertEvent(phase, row.id, data))
        recorded = len(events)
        events += [AlertEvent("alert.forgotten", row.id, {}) for row in resolved[:-RESOLVED_MAX]]
        self.firing, self.resolved = firing, tuple(resolved[-RESOLVED_MAX:])
        return Result(value={"recorded": recorded, "refused": refused}), events

    def _reported(self, report: Report, held: AlertRow | None, time: float, position: Position) -> AlertRow:
        revision = self._next_revision(position)
        if held is not None and not report.members:
            return msgspec.structs.replace(
                held,
                members=held.members[:RESOLVED_MEMBERS],
                resolved_time=time,
                changed_time=time,
                revision=revision,
            )
        since = {} if held is None else {member.subject: member for member in held.members}
        members = tuple(since.get(member.subject) or _bounded(member, time) for member in report.members[:MEMBERS_MAX])
        fields = {
            "severity": report.severity,
            "summary": report.summary[:TEXT_MAX],
            "members": members,
            "members_total": max(report.total, len(members)),
            "changed_time": time,
            "revision": revision,
        }
        if held is not None:
            return msgspec.structs.replace(held, **fields)
        return AlertRow(id=f"a{revision}", rule=report.rule, group=report.group, fired_time=time, **fields)  # type: ignore[arg-type]

    def _acknowledge(self, command: Acknowledge, time: float, position: Position) -> Applied:
        held = self.get(command.id)
        if held is None:
            return Result(code="alert_unknown", message=f"there is no alert {command.id}"), []
        if not held.firing:
            return Result(code="alert_resolved", message=f"alert {command.id} is resolved already"), []
        said = Acknowledgement(by=command.by, note=command.note, time=time)
        row = msgspec.structs.replace(held, acknowledged=said, revision=self._next_revision(position))
        self.firing = {**self.firing, (row.rule, row.group): row}
        return Result(value=msgspec.to_builtins(row)), [
            AlertEvent("alert.acknowledged", row.id, {"rule": row.rule, "by": command.by})
        ]

    def _notified(self, command: Notified, position: Position) -> Applied:
        held = self.get(command.id)
        if held is None:
            return Result(code="alert_unknown", message=f"there is no alert {command.id}"), []
        if command.phase in held.told or command.phase not in ("fired", "resolved"):
            return Result(), []
        row = msgspec.structs.replace(held, told=(*held.told, command.phase), revision=self._next_revision(position))
        if row.firing:
            self.firing = {**self.firing, (row.rule, row.group): row}
        else:
            self.resolved = tuple(row if each.id == row.id else each for each in self.resolved)
        return Result(), [AlertEvent("alert.notified", row.id, {"phase": command.phase})]

    def _silence(self, command: Silence, time: float, position: Position) -> Applied:
        kept = {name: row for name, row in self.silences.items() if row.until > time - SILENCE_KEPT_S}
        if len(kept) >= SILENCES_MAX:
            message = f"there are {SILENCES_MAX} silences already; remove some first"
            return Result(code="too_many_silences", message=message), []
        row = SilenceRow(
            id=f"s{self._next_revision(position)}",
            rule=command.rule,
            subject=command.subject,
            severity=command.severity,
            until=command.until,
            by=command.by,
            reason=command.reason,
            created_time=time,
        )
        gone = [AlertEvent("silence.forgotten", name, {}) for name in self.silences if name not in kept]
        self.silences = {**kept, row.id: row}
        data = {"rule": row.rule, "subject": row.subject, "until": row.until, "by": row.by}
        return Result(value=msgspec.to_builtins(row)), [*gone, AlertEvent("silence.set", row.id, data)]

    def _unsilence(self, command: Unsilence, position: Position) -> Applied:
        if command.id not in self.silences:
            return Result(code="silence_unknown", message=f"there is no silence {command.id}"), []
        self.silences = {name: row for name, row in self.silences.items() if name != command.id}
        self._next_revision(position)
        return Result(), [AlertEvent("silence.removed", command.id, {})]

    def _set_rule(self, command: SetRule, time: float, position: Position) -> Applied:
        name = command.rule.name
        held = self.rules.get(name)
        if (refusal := _unmet(name, held, command.if_revision)) is not None:
            return refusal, []
        if held is None and len(self.rules) >= RULES_MAX:
            message = f"{RULES_MAX} alert rules are set already; delete some first"
            return Result(code="too_many_alert_rules", message=message), []
        row = RuleRow(rule=command.rule, revision=self._next_revision(position), time=time)
        self.rules = {**self.rules, name: row}
        value = {"revision": row.revision, "time": time, "created": held is None}
        return Result(value=value), [AlertEvent("alert_rule.set", name, {"revision": row.revision})]

    def _delete_rule(self, command: DeleteRule, position: Position) -> Applied:
        held = self.rules.get(command.name)
        if (refusal := _unmet(command.name, held, command.if_revision)) is not None:
            return refusal, []
        if held is None:
            return Result(code="alert_rule_unknown", message=f"nobody has set an alert rule {command.name}"), []
        self.rules = {name: row for name, row in self.rules.items() if name != command.name}
        revision = self._next_revision(position)
        return Result(), [AlertEvent("alert_rule.deleted", command.name, {"revision": revision})]

    def _next_revision(self, position: Position) -> int:
        self.revision = max(position[1], self.revision + 1)
        return self.revision


def _bounded(member: Member, time: float) -> Member:
    return msgspec.structs.replace(member, reason=member.reason[:TEXT_MAX], since=time)


def _unmet(name: str, held: RuleRow | None, if_revision: int | None) -> Result | None:
    """The refusal of a change whose rule has another revision than it asks for."""
    revision = 0 if held is None else held.revision
    if if_revision is None or if_revision == revision:
        return None
    now = f"has revision {revision}" if revision else "was set by nobody"
    wanted = f"revision {if_revision}" if if_revision else "that nobody has set it"
    message = f"alert rule {name} {now}, the condition was {wanted}; nothing was changed"
    return Result(value={"revision": revision}, code="precondition_failed", message=message)
