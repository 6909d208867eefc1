"""The replicated commands that concern alerts, and the rows that they change. Pure."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from orchestrator.monitoring.alert_rules import Rule

MEMBERS_MAX = 100
"""Members of an alert that are named; the rest is a number."""
REPORTS_MAX = 100
"""In one command."""
TEXT_MAX = 300

Position = tuple[int, int]
"""(term, index) in the replicated log."""


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subject that an alert is about: `value` and `reason` are those of the moment at which it became one.

    `since` is unix seconds of the proposer's clock then, for display; a command leaves it 0.
    """

    subject: str
    value: float | None = None
    reason: str = ""
    since: float = 0.0


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an alert is from now on; without members it is resolved. `total` counts also members that are not named."""

    rule: str
    group: str
    severity: str
    summary: str
    members: tuple[Member, ...]
    total: int


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The leader's verdict, under its epoch."""

    kind: ClassVar[str] = "alert.record"
    reports: tuple[Report, ...]


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str] = "alert.acknowledge"
    id: str
    by: str
    note: str = ""


class Notified(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody outside was told that it fires, or that it is resolved. Under the leader's epoch."""

    kind: ClassVar[str] = "alert.notified"
    id: str
    phase: str  # fired | resolved


class Silence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rule` and `subject` are names in which `*` stands for anything; an empty `severity` is any."""

    kind: ClassVar[str] = "alert.silence"
    rule: str
    subject: str
    severity: str
    until: float
    by: str
    reason: str


class Unsilence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str] = "alert.unsilence"
    id: str


class SetRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `if_revision` whatever was there; 0 is the revision of a rule that nobody has set."""

    kind: ClassVar[str] = "alert_rule.set"
    rule: Rule
    if_revision: int | None = None


class DeleteRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str] = "alert_rule.delete"
    name: str
    if_revision: int | None = None


AlertCommand = Record | Acknowledge | Notified | Silence | Unsilence | SetRule | DeleteRule
KINDS: Mapping[str, type[AlertCommand]] = {
    command.kind: command for command in (Record, Acknowledge, Notified, Silence, Unsilence, SetRule, DeleteRule)
}


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is unix seconds of the proposer's clock, for display."""

    by: str
    note: str
    time: float


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as every node knows it: FIRING until `resolved_time` is set. Times are unix seconds, for display.

    `told`: which of its phases (fired, resolved) somebody outside was told of.
    """

    id: str
    rule: str
    group: str
    severity: str
    summary: str
    members: tuple[Member, ...]
    members_total: int
    fired_time: float
    changed_time: float
    revision: int
    resolved_time: float | None = None
    acknowledged: Acknowledgement | None = None
    told: tuple[str, ...] = ()

    @property
    def firing(self) -> bool:
        return self.resolved_time is None


class SilenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """`until` is unix seconds: it is over then, by the clock of whoever looks."""

    id: str
    rule: str
    subject: str
    severity: str
    until: float
    by: str
    reason: str
    created_time: float

    def matches(self, row: AlertRow) -> bool:
        """Whether it is about this alert: all named members, where it names subjects."""
        if self.severity not in ("", row.severity) or not matches(self.rule, row.rule):
            return False
        return all(matches(self.subject, member.subject) for member in row.members)


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that somebody has set. `time` is unix seconds of the proposer's clock, for display."""

    rule: Rule
    revision: int
    time: float


class Result(msgspec.Struct, frozen=True):
    """`value` is plain builtins; `code` is empty when the command was accepted."""

    value: Any = None
    code: str = ""
    message: str = ""


class AlertEvent(NamedTuple):
    kind: str
    subject: str
    data: dict[str, Any]


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, in which each `*` stands for any number of characters. Without backtracking."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)
