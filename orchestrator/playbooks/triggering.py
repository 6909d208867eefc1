"""Which executions a trigger starts: what it looks at, its condition, and the start that follows. Pure.

An execution's id is made from its trigger and what set it off (a change's place in the log, an event's id, a due time):
the same cause starts it once, however often it is looked at.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from orchestrator.errors import TemplateFailed
from orchestrator.playbooks.context import Facts
from orchestrator.playbooks.execution import TRIGGER_BYTES_MAX, VALUE_BYTES_MAX, JournalEntry, Limits, Start
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.triggers import ComponentState, EventReceived, GroupState, MetricThreshold, Trigger
from orchestrator.playbooks.values import readable
from orchestrator.playbooks.world import ComponentFacts, Templates, World

TRIGGER_FAILED = "playbook.trigger_failed"
DEDUP_CHARS_MAX = 500
PORTION_CHARS_MAX = 192 * 1024
"""Of starts in one command. A character has at most four bytes, and a command at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class Armed:
    """The trigger `number` of a playbook's newest version."""

    playbook: Playbook
    version: int
    number: int
    trigger: Trigger

    @property
    def name(self) -> str:
        """What its marks begin with."""
        return f"{self.playbook.name}/{self.number}"

    @property
    def digest(self) -> str:
        """The same as long as the trigger says the same: a new version of a playbook does not arm it anew."""
        return hashlib.sha256(self.trigger.model_dump_json().encode()).hexdigest()[:16]


def armed_by(playbook: Playbook, version: int) -> tuple[Armed, ...]:
    """The triggers of a playbook that go off by themselves."""
    return tuple(
        Armed(playbook, version, number, trigger)
        for number, trigger in enumerate(playbook.triggers)
        if trigger.type != "manual"
    )


Off = Start | JournalEntry
"""What it comes to when a trigger goes off: a start, or a line in the journal that says why there is none."""


def set_off(
    armed: Armed,
    told: Mapping[str, Any],
    cause: str,
    *,
    at: float,
    world: World,
    templates: Templates,
    traceparent: str = "",
) -> Off | None:
    """`told` is what the playbook sees as `trigger`. None: the condition does not hold."""
    context = {"trigger": told, "components": Facts(world.components, world.depends_on), "plant": world.variables}
    try:
        condition = getattr(armed.trigger, "condition", None)
        if condition is not None and not templates.holds(condition, context):
            return None
        start = _start(armed, told, cause, _dedup_key(armed, context, templates), at)
        return msgspec.structs.replace(start, traceparent=traceparent)
    except TemplateFailed as error:
        return _failed(armed, str(error), at)
    except _Impossible as error:
        return _failed(armed, str(error), at)


class _Impossible(Exception):
    """The playbook cannot be started by this trigger."""


def _start(armed: Armed, told: Mapping[str, Any], cause: str, dedup_key: str, at: float) -> Start:
    playbook, concurrency = armed.playbook, armed.playbook.concurrency
    required = sorted(name for name, declared in playbook.inputs.items() if declared.required)
    if required:
        raise _Impossible(f"the playbook needs inputs that no trigger gives: {', '.join(required)}")
    inputs = {name: declared.default for name, declared in playbook.inputs.items()}
    throttle, deduplicate = playbook.throttle, playbook.deduplicate
    return Start(
        id=execution_id(armed, cause),
        playbook=playbook.name,
        version=armed.version,
        priority=playbook.priority,
        trigger=_json(told, "what set it off", TRIGGER_BYTES_MAX),
        inputs=_json(inputs, "the inputs", TRIGGER_BYTES_MAX),
        variables={
            name: _json(value, f"variable {name}", VALUE_BYTES_MAX) for name, value in playbook.variables.items()
        },
        timeout=playbook.timeout,
        limits=Limits(
            limit=concurrency.limit,
            policy=concurrency.policy,
            queued_max=concurrency.queued_max,
            throttle_count=0 if throttle is None else throttle.count,
            throttle_per=0.0 if throttle is None else throttle.per,
            cooldown=playbook.cooldown or 0.0,
            dedup_key=dedup_key,
            dedup_window=0.0 if deduplicate is None else deduplicate.window,
        ),
        manual=False,
        who=f"trigger {armed.name}",
        at=at,
    )


def execution_id(armed: Armed, cause: str) -> str:
    """The id of the execution that this cause starts."""
    source = json.dumps([armed.name, armed.digest, cause])
    return f"{armed.playbook.name[:40]}.{hashlib.sha256(source.encode()).hexdigest()[:20]}"


def _dedup_key(armed: Armed, context: Mapping[str, Any], templates: Templates) -> str:
    if armed.playbook.deduplicate is None:
        return ""
    rendered = templates.render(armed.playbook.deduplicate.key, context)
    text = rendered if isinstance(rendered, str) else json.dumps(rendered, sort_keys=True)
    if len(text) <= DEDUP_CHARS_MAX:
        return text or '""'
    return hashlib.sha256(text.encode()).hexdigest()


def _json(value: Any, what: str, limit: int) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise _Impossible(f"{what} is no JSON data: {error}") from None
    if size > limit:
        raise _Impossible(f"{what} has {size} bytes as JSON, the limit is {limit}")
    return text


def _failed(armed: Armed, reason: str, at: float) -> JournalEntry:
    return JournalEntry(
        type=TRIGGER_FAILED,
        source=armed.playbook.name,
        level="error",
        message=readable(f"trigger {armed.number} ({armed.trigger.type}) started nothing: {reason}"[:1000]),
        at=at,
    )


def portions(starts: Sequence[Start]) -> list[tuple[Start, ...]]:
    """The starts in order, each portion small enough for one command; at least one, which may be empty."""
    found: list[list[Start]] = [[]]
    size = 0
    for start in starts:
        size += len(start.trigger) + len(start.inputs) + sum(map(len, start.variables.values()))
        if found[-1] and size > PORTION_CHARS_MAX:
            found.append([])
            size = len(start.trigger) + len(start.inputs) + sum(map(len, start.variables.values()))
        found[-1].append(start)
    return [tuple(each) for each in found]


# ── What triggers look at ────────────────────────────────


def hears(trigger: EventReceived, event_type: str, source: str) -> bool:
    """Whether an event is of the type, and from the source, that the trigger names."""
    if trigger.source is not None and trigger.source != source:
        return False
    if trigger.event.endswith(".*"):
        return event_type.startswith(trigger.event[:-1])
    return trigger.event == event_type


def selects(trigger: ComponentState | MetricThreshold, facts: ComponentFacts, world: World) -> bool:
    """Whether the trigger looks at this component. One that names neither component nor group looks at all."""
    if trigger.component is not None:
        return trigger.component == facts.id
    if trigger.group is not None:
        return trigger.group == "@all" or facts.id in world.groups.get(trigger.group, ())
    return True


def conditions(state: str, *, online: bool, health: str) -> tuple[str, ...]:
    """All that a component is at once, as triggers name it."""
    return (state, *(() if online else ("OFFLINE",)), *(("ONLINE",) if online else ()), health)


def matched(wanted: tuple[str, ...] | str, found: tuple[str, ...]) -> str:
    """The first of what is wanted that holds; empty when none does."""
    return next((each for each in ((wanted,) if isinstance(wanted, str) else wanted) if each in found), "")


def group_holds(trigger: GroupState, world: World) -> bool:
    """Whether all, or any, of the group are in one of the states. A group without components is in none."""
    members = tuple(world.components) if trigger.group == "@all" else world.groups.get(trigger.group, ())
    found = [
        facts is not None
        and bool(matched(trigger.state, conditions(facts.state, online=facts.online, health=facts.health)))
        for facts in map(world.components.get, members)
    ]
    return bool(found) and (all(found) if trigger.match == "all" else any(found))


def metric_holds(trigger: MetricThreshold, value: float) -> bool | None:
    """Whether the bound is crossed; None between the bound and `reset`: then nothing changes."""
    if trigger.above is not None:
        if value > trigger.above:
            return True
        return False if value <= (trigger.above if trigger.reset is None else trigger.reset) else None
    assert trigger.below is not None  # noqa: S101 - the model has exactly one bound
    if value < trigger.below:
        return True
    return False if value >= (trigger.below if trigger.reset is None else trigger.reset) else None
