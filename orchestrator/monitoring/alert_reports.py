"""What has to be recorded of alerts: how those that fire now differ from those in the replicated state. Pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.monitoring.alert_commands import MEMBERS_MAX, REPORTS_MAX, AlertRow, Member, Report
from orchestrator.monitoring.alert_rules import Rule

if TYPE_CHECKING:
    from orchestrator.monitoring.evaluation import Held, Subject

NAMED = 3
"""Members that a summary names."""
NO_SUBJECT = "-"
"""Of a figure that is one number for the whole plant."""


def reports_of(
    rules: Mapping[str, Rule], firing: "Mapping[Subject, Held]", rows: Mapping[tuple[str, str], AlertRow]
) -> tuple[Report, ...]:
    """Derived from the state anew each time: a report that was not recorded comes again."""
    groups: dict[tuple[str, str], list[Member]] = {}
    for (name, _), held in sorted(firing.items()):
        groups.setdefault((name, held.group), []).append(held.member)
    reports = [
        Report(rule=row.rule, group=row.group, severity=row.severity, summary=row.summary, members=(), total=0)
        for key, row in sorted(rows.items())
        if key not in groups
    ]
    for (name, group), members in sorted(groups.items()):
        rule, named, total = rules[name], tuple(members[:MEMBERS_MAX]), len(members)
        row = rows.get((name, group))
        if (
            row is None
            or row.severity != rule.severity
            or row.members_total != total
            or [member.subject for member in row.members] != [member.subject for member in named]
        ):
            summary = _summary(rule, members)
            reports.append(
                Report(rule=name, group=group, severity=rule.severity, summary=summary, members=named, total=total)
            )
    return tuple(reports[:REPORTS_MAX])


def _summary(rule: Rule, members: Sequence[Member]) -> str:
    named = ", ".join(member.subject for member in members[:NAMED] if member.subject != NO_SUBJECT)
    more = f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
    text = rule.summary or rule.name
    return f"{text}: {named}{more}" if named else text
