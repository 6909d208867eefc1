"""The rules that alerts are made by: the shipped ones, and those that were set in their place or beside them."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field

from orchestrator.api.asking import Ask, Read, builtins
from orchestrator.api.conditions import IfMatchOrZero, revision_of
from orchestrator.api.documented import READ, WRITE, problems
from orchestrator.api.problems import Problem
from orchestrator.monitoring.alert_commands import DeleteRule, RuleRow, SetRule
from orchestrator.monitoring.alert_rules import NAME_PATTERN, Rule, RuleSpec, default_rules

router = APIRouter(prefix="/v1/alert-rules", tags=["alerts"])

RuleName = Annotated[str, Path(pattern=NAME_PATTERN, examples=["oven-too-hot"])]


class AlertRule(RuleSpec):
    """A rule. `revision` is its ETag; 0 while it is the shipped one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "oven-too-hot",
                "condition": {"kind": "metric", "name": "temperature", "above": 250, "reset": 240},
                "severity": "critical",
                "for_s": 10,
                "target": "group:line-a",
                "group_by": "subject",
                "revision": 42,
                "shipped": False,
            }
        }
    )

    name: str
    revision: int
    shipped: bool = Field(description="A rule of this name comes with the release.")


_ETAGGED = {"headers": {"ETag": {"description": "The revision.", "schema": {"type": "string"}, "example": '"42"'}}}


@router.get("", summary="All alert rules", responses=problems(*READ))
async def rules(read: Read) -> list[AlertRule]:
    """Ordered by name, the disabled ones too."""
    held, effective = await read(lambda plant: (plant.alerts.rules, plant.alerts.effective()))
    return [shown_rule(rule, held.get(name)) for name, rule in sorted(effective.items())]


@router.get(
    "/{name}",
    summary="One alert rule",
    responses=problems("alert_rule_unknown", *READ, also={200: _ETAGGED}),
)
async def rule(read: Read, name: RuleName, response: Response) -> AlertRule:
    """The one in force under this name: the shipped one, or what was set in its place."""
    held, effective = await read(lambda plant: (plant.alerts.rules, plant.alerts.effective()))
    if name not in effective:
        raise Problem("alert_rule_unknown", f"there is no alert rule {name}")
    shown = shown_rule(effective[name], held.get(name))
    response.headers["ETag"] = f'"{shown.revision}"'
    return shown


@router.put(
    "/{name}",
    summary="Set an alert rule",
    responses=problems(
        *("precondition_failed", "too_many_alert_rules", "kind_unsupported", *WRITE),
        also={200: _ETAGGED, 201: {"model": AlertRule, "description": "Nobody had set it before", **_ETAGGED}},
    ),
)
async def set_rule(
    ask: Ask, name: RuleName, body: RuleSpec, response: Response, if_match: IfMatchOrZero = None
) -> AlertRule:
    """A shipped rule of this name gives way to it. It counts from the leader's next look on."""
    wanted = body.rule(name)
    applied = await ask.propose(SetRule.kind, SetRule(rule=wanted, if_revision=revision_of(if_match)))
    told = applied.outcome.value
    response.status_code = 201 if told["created"] else 200
    response.headers["ETag"] = f'"{told["revision"]}"'
    return shown_rule(wanted, RuleRow(rule=wanted, revision=told["revision"], time=told["time"]))


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete an alert rule",
    responses=problems("alert_rule_unknown", "precondition_failed", "kind_unsupported", *WRITE),
)
async def delete_rule(ask: Ask, name: RuleName, if_match: IfMatchOrZero = None) -> None:
    """The shipped rule of this name is in force again, if there is one; that one is put out of force by `enabled`."""
    await ask.propose(DeleteRule.kind, DeleteRule(name=name, if_revision=revision_of(if_match)))


def shown_rule(rule: Rule, row: RuleRow | None) -> AlertRule:
    return AlertRule(
        **builtins(rule), revision=0 if row is None else row.revision, shipped=rule.name in default_rules()
    )
