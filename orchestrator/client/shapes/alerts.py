"""Shapes of answers: alerts. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class AlertAcknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    by: str
    note: str
    time: float


class AlertMember(msgspec.Struct, frozen=True, kw_only=True):
    """One that the alert is about. `value` and `reason` are those of the moment at which it became one."""

    subject: str
    value: float | None
    reason: str
    since: float
    """Unix seconds, for display."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert: of a rule, and of a group where the rule makes groups. PENDING: it will fire if it stays so for
    `for_s` of the rule; only the leader knows of it, and it has no id yet.
    """

    id: str | None
    state: str
    rule: str
    group: str
    severity: str
    summary: str
    members: list[AlertMember]
    members_total: int
    """With those that are not named: at most 100 are."""
    fired_time: float | None
    """Unix seconds by the clock of whoever led then, for display."""
    changed_time: float | None
    resolved_time: float | None
    acknowledged: AlertAcknowledgement | None
    silenced_by: list[str]
    """Silences that hold for it now."""
    revision: int
    fires_in_s: float | None = None
    """Of a PENDING one: if it stays so."""


class ConditionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """When a subject is active. Which members belong to which `kind` is said by the error when one is amiss."""

    kind: str
    values: list[str] | None = None
    """With `state` (lifecycle states) and `health`."""
    name: str | None = None
    """Of the metric or figure."""
    above: float | None = None
    """Active above this."""
    below: float | None = None
    """Active below this. One of the two."""
    reset: float | None = None
    """With `metric` and `figure`: active until the value is back at this. Default: the threshold."""
    within_s: float | None = None
    """With `trend`: the threshold will be reached within so long."""
    window_s: float | None = None
    """With `trend`: looks back so long (default 3,600). With `increase`: over so long."""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `revision` is its ETag; 0 while it is the shipped one."""

    condition: ConditionSpec
    severity: str | None = None
    for_s: float | None = None
    """A subject must be active for so long."""
    clear_s: float | None = None
    """And inactive for so long until it counts as well again."""
    target: str | None = None
    """Which components: `@all`, `group:NAME` or `component:ID`."""
    group_by: str | None = None
    """One alert for the whole rule, for each group of components, or for each subject."""
    enabled: bool | None = None
    summary: str | None = None
    """What it means, for people."""
    name: str
    revision: int
    shipped: bool
    """A rule of this name comes with the release."""


class SilenceShown(msgspec.Struct, frozen=True, kw_only=True):
    """A silence; `active` until `until`."""

    id: str
    rule: str
    subject: str
    severity: str | None
    until: float
    by: str
    reason: str
    created_time: float
    active: bool
