"""Actions that hold others: block, parallel, for_each, repeat, and commands to several components. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from orchestrator.playbooks import actions
from orchestrator.playbooks.context import decoded
from orchestrator.playbooks.execution import TRIGGER_BYTES_MAX, StepRow, StepStatus
from orchestrator.playbooks.fields import ITEMS_MAX
from orchestrator.playbooks.leaves import begin_effect, progress_effect
from orchestrator.playbooks.selecting import targets
from orchestrator.playbooks.verdict import StepFailed, Verdict
from orchestrator.playbooks.walk import Scope, Walk

Branch = tuple[str, Sequence[actions.Action], Scope]
"""Where it stands, its actions, and what they see."""


def beneath(row: StepRow) -> str:
    """Where the steps of this attempt stand."""
    return row.path if row.attempt == 1 else f"{row.path}/~{row.attempt}"


def ended(walk: Walk, action: actions.Step, row: StepRow, verdict: Verdict, value: Any = None) -> StepRow:
    """The container's row after a look at what it holds."""
    if verdict is Verdict.OPEN:
        return row
    if verdict is Verdict.OK:
        return walk.succeed(action, row, value)
    if verdict is Verdict.STOPPED:
        return walk.cancelled(row)
    cause = walk.cause
    code, message = ("failed", "") if cause is None else (cause.code, f"{cause.path}: {cause.error}")
    return walk.close(action, row, StepStatus.FAILED, code, message)


def progress_block(walk: Walk, action: actions.Block, row: StepRow, scope: Scope) -> StepRow:
    return ended(walk, action, row, walk.actions(action.actions, beneath(row), scope))


def side_by_side(walk: Walk, branches: Iterable[Branch], limit: int) -> Verdict:
    """Branches, at most `limit` open at a time. A failed one lets those that have begun end, and no more begin."""
    running, failed, stopped, late = 0, None, False, False
    for path, steps, scope in branches:
        begun = f"{path}/0" in walk.steps
        if not begun and (running >= limit or failed is not None):
            late = True
            continue
        verdict = walk.actions(steps, path, scope)
        if verdict is Verdict.OPEN:
            running += 1
        elif verdict is Verdict.FAILED and failed is None:
            failed = walk.cause
        elif verdict is Verdict.STOPPED:
            stopped = True
    if running:
        return Verdict.OPEN
    if stopped:
        return Verdict.STOPPED
    if failed is not None:
        walk.cause = failed
        return Verdict.FAILED
    return Verdict.OPEN if late else Verdict.OK


def progress_parallel(walk: Walk, action: actions.Parallel, row: StepRow, scope: Scope) -> StepRow:
    base = beneath(row)
    branches = [(f"{base}/{name}", steps, scope) for name, steps in action.branches.items()]
    return ended(walk, action, row, side_by_side(walk, branches, action.limit or len(branches)))


def begin_for_each(walk: Walk, action: actions.ForEach, row: StepRow, scope: Scope) -> StepRow:
    items = walk.render(action.items, scope)
    if isinstance(items, dict):
        items = [{"key": key, "value": value} for key, value in items.items()]
    if not isinstance(items, list | tuple):
        raise StepFailed("items_invalid", f"items is {type(items).__name__}, not a list")
    if len(items) > ITEMS_MAX:
        raise StepFailed("items_invalid", f"{len(items)} items, the limit is {ITEMS_MAX}")
    data = walk.json({"items": list(items)}, f"the items of {row.path}", TRIGGER_BYTES_MAX)
    return walk.store(replace(row, data=data))


def progress_for_each(walk: Walk, action: actions.ForEach, row: StepRow, scope: Scope) -> StepRow:
    base = beneath(row)
    items = decoded(row.data)["items"]
    branches = [
        (f"{base}/#{index}", action.actions, {**scope, "item": item, "index": index})
        for index, item in enumerate(items)
    ]
    verdict = side_by_side(walk, branches, action.parallel)
    return ended(walk, action, row, verdict, {"count": len(items)})


def progress_repeat(walk: Walk, action: actions.Repeat, row: StepRow, scope: Scope) -> StepRow:
    """`sends` counts the rounds that have ended; whether another follows is decided once."""
    while True:
        rounds = row.sends
        if rounds and not walk.halted and not walk.paused and not walk.due(row.next or walk.now):
            walk.waiting[row.path] = f"round {rounds + 1}"
            return row
        if walk.halted and f"{beneath(row)}/#{rounds}/0" not in walk.steps:
            return walk.cancelled(row)
        verdict = walk.actions(action.actions, f"{beneath(row)}/#{rounds}", {**scope, "index": rounds})
        if verdict is not Verdict.OK:
            return ended(walk, action, row, verdict)
        if walk.holds(action.until, {**scope, "index": rounds}):
            return walk.succeed(action, row, {"rounds": rounds + 1})
        if rounds + 1 >= action.limit:
            message = f"`until` did not hold after {action.limit} rounds"
            return walk.close(action, row, StepStatus.FAILED, "limit_reached", message)
        following = None if action.delay is None else walk.now + action.delay
        row = walk.store(replace(row, sends=rounds + 1, next=following))


# ── Commands ────────────────────────────────


def begin_command(walk: Walk, action: actions.SendCommand, row: StepRow, scope: Scope) -> StepRow:
    """One component: the step itself is the effect. Several: a step each below it, with attempts of its own."""
    found = targets(walk, action, scope)
    command = str(walk.render(action.command, scope))
    data = {"command": command, "params": walk.render(action.params, scope), "wait": action.wait}
    if action.component is not None:
        return begin_effect(walk, row, {"component": found[0], **data})
    text = walk.json({"targets": found, **data}, f"the intent of {row.path}", TRIGGER_BYTES_MAX)
    return walk.store(replace(row, data=text, deadline=None))


def progress_command(walk: Walk, action: actions.SendCommand, row: StepRow, scope: Scope) -> StepRow:
    if action.component is not None:
        return progress_effect(walk, action, row)
    data = decoded(row.data)
    verdicts, failed, value = [], [], {}
    for each in data["targets"]:
        single = single_command(action, each, data["command"], data["params"], data["wait"], action.retry)
        verdicts.append(walk.step(single, f"{row.path}/@{each}", scope))
        child = walk.steps.get(f"{row.path}/@{each}")
        if child is not None and verdicts[-1] is Verdict.OK:
            value[each] = decoded(child.value)
        if child is not None and verdicts[-1] is Verdict.FAILED:
            failed.append(child)
    if Verdict.OPEN in verdicts:
        return row
    if Verdict.STOPPED in verdicts:
        return walk.cancelled(row)
    if failed:
        shown = "; ".join(f"{child.path.rpartition('@')[2]}: {child.error}" for child in failed[:3])
        message = f"{len(failed)} of {len(verdicts)} failed: {shown}"
        status = StepStatus.TIMED_OUT if all(c.status == StepStatus.TIMED_OUT for c in failed) else StepStatus.FAILED
        row = replace(row, code=failed[0].code, error=message[:1000], ended=walk.now, status=status)
        return walk.store(row)
    return walk.succeed(action, row, value)


def single_command(
    action: actions.Step,
    component: str,
    command: str,
    params: dict[str, Any],
    wait: bool,
    retry: actions.Retry | None = None,
) -> actions.SendCommand:
    """The command to one of several components: the same bounds, no handlers of its own."""
    return actions.SendCommand.model_construct(
        type="send_command",
        component=component,
        command=command,
        params=params,
        wait=wait,
        timeout=action.timeout,
        retry=retry,
        on_failure=(),
        on_timeout=(),
    )
