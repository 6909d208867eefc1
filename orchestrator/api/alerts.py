"""Alerts: what fires, what is about to, and what did; acknowledgements and silences."""

import time
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView
from orchestrator.events import Frozen
from orchestrator.monitoring.alert_commands import Acknowledge, AlertRow, Silence, SilenceRow, Unsilence
from orchestrator.monitoring.alert_rules import SEVERITIES, Rule, Severity
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.evaluation import Pending
from orchestrator.monitoring.silencing import active, silenced_by

router = APIRouter(prefix="/v1", tags=["alerts"])

AlertId = Annotated[str, Path(pattern=r"^a[0-9]{1,19}$", examples=["a42"])]
SilenceId = Annotated[str, Path(pattern=r"^s[0-9]{1,19}$", examples=["s43"])]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Kept behind the name of the token that was shown.",
    ),
]
Pattern = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.*@:-]+$")]
SILENCE_MAX_S = 30 * 24 * 3600.0


class AlertMember(BaseModel):
    """One that the alert is about. `value` and `reason` are those of the moment at which it became one."""

    subject: str
    value: float | None
    reason: str
    since: float = Field(description="Unix seconds, for display.")


class AlertAcknowledgement(BaseModel):
    by: str
    note: str
    time: float


class Alert(BaseModel):
    """One alert: of a rule, and of a group where the rule makes groups.

    PENDING: it will fire if it stays so for `for_s` of the rule; only the leader knows of it, and it has no id yet.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "a42",
                "state": "FIRING",
                "rule": "component-fault",
                "group": "",
                "severity": "error",
                "summary": "Components are in FAULT; only CMD_RESET leads out of it: press-1",
                "members": [{"subject": "press-1", "value": None, "reason": "FAULT: torn", "since": 1767225600.0}],
                "members_total": 1,
                "fired_time": 1767225600.0,
                "changed_time": 1767225600.0,
                "resolved_time": None,
                "acknowledged": None,
                "silenced_by": [],
                "revision": 42,
            }
        }
    )

    id: str | None
    state: Literal["PENDING", "FIRING", "RESOLVED"]
    rule: str
    group: str
    severity: str
    summary: str
    members: list[AlertMember]
    members_total: int = Field(description="With those that are not named: at most 100 are.")
    fired_time: float | None = Field(description="Unix seconds by the clock of whoever led then, for display.")
    changed_time: float | None
    resolved_time: float | None
    acknowledged: AlertAcknowledgement | None
    silenced_by: list[str] = Field(description="Silences that hold for it now.")
    revision: int
    fires_in_s: float | None = Field(None, description="Of a PENDING one: if it stays so.")


class AcknowledgeRequest(Frozen):
    """Who looks after it. It goes on firing; that it is known is shown."""

    by: Name
    note: str = Field(default="", max_length=300)


class SilenceRequest(Frozen):
    """Which alerts nobody is told of, and until when. `*` in a pattern stands for anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "rule": "component-*",
                "subject": "press-1",
                "for_s": 3600,
                "by": "Ada",
                "reason": "belt change",
            }
        }
    )

    rule: Pattern = "*"
    subject: Pattern = "*"
    severity: Severity | None = None
    until: float | None = Field(default=None, description="Unix seconds. Or `for_s`.", allow_inf_nan=False)
    for_s: float | None = Field(default=None, gt=0, le=SILENCE_MAX_S, allow_inf_nan=False)
    by: Name
    reason: Annotated[str, Field(min_length=1, max_length=300)]

    @model_validator(mode="after")
    def _one_end(self) -> "SilenceRequest":
        if (self.until is None) == (self.for_s is None):
            raise ValueError("until, for_s: exactly one of the two")
        return self


class SilenceShown(BaseModel):
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


@router.get("/alerts", summary="Alerts", responses=problems(*READ))
async def alerts(
    ask: Ask,
    read: Read,
    state: Annotated[Literal["pending", "firing", "resolved", "open", "all"], Query()] = "open",
    severity: Severity | None = None,
    rule: Annotated[str | None, Query(max_length=64)] = None,
) -> list[Alert]:
    """`open`: those that fire, then the pending ones. `resolved` and `all`: the last 500 that are over, newest first.

    Pending ones are shown by the leader alone.
    """
    found = listed(ask.node, await read(lambda plant: plant.alerts), state)
    return [alert for alert in found if severity in (None, alert.severity) and rule in (None, alert.rule)]


def listed(node: NodeView, registry: AlertRegistry, state: str = "open") -> list[Alert]:
    """The alerts in these states, in the order in which they are shown."""
    firing, resolved, silences = registry.firing, registry.resolved, registry.silences
    now = time.time()
    shown: list[Alert] = []
    if state in ("firing", "open", "all"):
        rows = sorted(firing.values(), key=lambda row: (-_rank(row.severity), row.fired_time, row.id))
        shown += [shown_alert(row, silences, now) for row in rows]
    duties = node.duties()
    if state in ("pending", "open", "all") and duties is not None and (pending := duties.alerts.pending()):
        rules = registry.effective()
        shown += [_pending(each, rules.get(each.rule)) for each in pending]
    if state in ("resolved", "all"):
        shown += [shown_alert(row, silences, now) for row in reversed(resolved)]
    return shown


@router.get("/alerts/{alert_id}", summary="One alert", responses=problems("alert_unknown", *READ))
async def alert(read: Read, alert_id: AlertId) -> Alert:
    """One that fires, or one of the last 500 that are over."""
    row, silences = await read(lambda plant: (plant.alerts.get(alert_id), plant.alerts.silences))
    if row is None:
        raise Problem("alert_unknown", f"there is no alert {alert_id}, or it is forgotten")
    return shown_alert(row, silences, time.time())


@router.post(
    "/alerts/{alert_id}/acknowledge",
    summary="Acknowledge an alert",
    responses=problems("alert_unknown", "alert_resolved", "kind_unsupported", *WRITE),
)
async def acknowledge(ask: Ask, read: Read, alert_id: AlertId, body: AcknowledgeRequest) -> Alert:
    """By somebody else again: the last one counts. It ends with the alert."""
    await ask.propose(Acknowledge.kind, Acknowledge(id=alert_id, by=ask.signed(body.by), note=body.note))
    return await alert(read, alert_id)


@router.get("/silences", summary="Silences", responses=problems(*READ))
async def silences(read: Read) -> list[SilenceShown]:
    """Those that hold, by when they end; then those that are over, for an hour or until the next one is made."""
    rows = await read(lambda plant: plant.alerts.silences)
    now = time.time()
    holding = active(rows, now)
    over = sorted((row for row in rows.values() if row.until <= now), key=lambda row: (-row.until, row.id))
    return [shown_silence(row, now) for row in (*holding, *over)]


@router.post(
    "/silences",
    status_code=201,
    summary="Silence alerts",
    responses=problems("too_many_silences", "kind_unsupported", *WRITE),
)
async def silence(ask: Ask, body: SilenceRequest, response: Response) -> SilenceShown:
    """Alerts that match go on firing, and are shown as silenced. One with several members is when all of them match."""
    now = time.time()
    until = body.until if body.until is not None else now + (body.for_s or 0.0)
    if not now < until <= now + SILENCE_MAX_S + 60.0:
        fault = {"location": "body.until", "message": "must be ahead, by 30 days at most", "type": "until"}
        raise Problem("invalid_request", "body.until: must be ahead, by 30 days at most", errors=[fault])
    command = Silence(
        rule=body.rule,
        subject=body.subject,
        severity=body.severity or "",
        until=until,
        by=ask.signed(body.by),
        reason=body.reason,
    )
    applied = await ask.propose(Silence.kind, command)
    row = SilenceRow(**applied.outcome.value)
    response.headers["Location"] = f"/v1/silences/{row.id}"
    return shown_silence(row, now)


@router.delete(
    "/silences/{silence_id}",
    status_code=204,
    summary="End a silence",
    responses=problems("silence_unknown", "kind_unsupported", *WRITE),
)
async def unsilence(ask: Ask, silence_id: SilenceId) -> None:
    """Whoever is to be told of alerts that fire still is told of them from now on."""
    await ask.propose(Unsilence.kind, Unsilence(id=silence_id))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def shown_alert(row: AlertRow, silences: Mapping[str, SilenceRow], now: float) -> Alert:
    fields = msgspec.to_builtins(row)
    del fields["told"]
    state = "FIRING" if row.firing else "RESOLVED"
    return Alert(state=state, silenced_by=list(silenced_by(row, silences, now)), **fields)


def _pending(each: Pending, rule: Rule | None) -> Alert:
    return Alert(
        id=None,
        state="PENDING",
        rule=each.rule,
        group="",
        severity="" if rule is None else rule.severity,
        summary="" if rule is None else rule.summary,
        members=[AlertMember(subject=each.subject, value=None, reason=each.reason, since=0.0)],
        members_total=1,
        fired_time=None,
        changed_time=None,
        resolved_time=None,
        acknowledged=None,
        silenced_by=[],
        revision=0,
        fires_in_s=round(max(0.0, each.fires_at - time.monotonic()), 3),
    )


def shown_silence(row: SilenceRow, now: float) -> SilenceShown:
    return SilenceShown(**{**msgspec.to_builtins(row), "severity": row.severity or None, "active": row.until > now})
