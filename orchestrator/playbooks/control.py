"""What a person does to an execution: pause, resume, cancel, retry, signal, approve, reject. Pure."""

from collections.abc import Iterable

import msgspec

from orchestrator.playbooks.execution import (
    ENDED,
    OPEN_STEP,
    Approval,
    Control,
    ExecutionRow,
    Status,
    StepRow,
    StepStatus,
    given_up,
)
from orchestrator.playbooks.paths import HANDLERS, after, ancestors, below, in_handler, innermost, superseded
from orchestrator.playbooks.told import Told

SIGNALS_MAX = 100
ACTIONS = ("pause", "resume", "cancel", "retry", "signal", "approve", "reject")
_FAILED = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT, StepStatus.CANCELLED})

Controlled = tuple[Told, ExecutionRow | None]


def controlled(row: ExecutionRow, command: Control) -> Controlled:
    """What the execution becomes, or None and why not."""
    match command.action:
        case "retry":
            return _retry(row, command)
        case action if action not in ACTIONS:
            return _no("invalid_command", f"{action[:40]!r} is no control; known: {', '.join(ACTIONS)}")
        case _ if row.status in ENDED:
            return _no("execution_ended", f"execution {row.id} has ended: {row.status}")
        case "pause":
            return _pause(row, command)
        case "resume":
            return _resume(row, command)
        case "cancel":
            return _cancel(row, command)
        case "signal":
            return _signal(row, command)
        case _:
            return _approve(row, command)


def _no(code: str, message: str) -> Controlled:
    return Told(code=code, message=message), None


def _yes(row: ExecutionRow, **members: object) -> Controlled:
    new = msgspec.structs.replace(row, revision=row.revision + 1, **members)
    return Told(value={"id": new.id, "status": str(new.status), "revision": new.revision}), new


def _pause(row: ExecutionRow, command: Control) -> Controlled:
    if row.status != Status.RUNNING:
        return _no("execution_not_running", f"execution {row.id} is {row.status}; only a RUNNING one can be paused")
    return _yes(row, status=Status.PAUSED, paused_at=command.at)


def _resume(row: ExecutionRow, command: Control) -> Controlled:
    if row.status != Status.PAUSED:
        return _no("execution_not_paused", f"execution {row.id} is {row.status}; only a PAUSED one can be resumed")
    return _yes(row, **_resumed(row, command.at))


def _resumed(row: ExecutionRow, at: float) -> dict[str, object]:
    """All that was still to come is later by the length of the pause."""
    pause = max(0.0, at - (row.paused_at or at))
    steps = {
        path: msgspec.structs.replace(step, deadline=_later(step.deadline, pause), next=_later(step.next, pause))
        if step.status in OPEN_STEP
        else step
        for path, step in row.steps.items()
    }
    return {
        "status": Status.RUNNING,
        "paused_at": None,
        "steps": steps,
        "deadline": _later(row.deadline, pause),
    }


def _later(time: float | None, by: float) -> float | None:
    return None if time is None else time + by


def _cancel(row: ExecutionRow, command: Control) -> Controlled:
    reason = command.comment or f"cancelled by {command.who or 'a person'}"
    if row.status == Status.QUEUED or command.name == "force":
        steps = {
            path: given_up(step, command.at) if step.status in OPEN_STEP else step for path, step in row.steps.items()
        }
        ended = {"status": Status.CANCELLED, "ended": command.at, "code": "cancelled", "error": reason}
        return _yes(row, cancel=reason, steps=steps, paused_at=None, **ended)
    resumed = _resumed(row, command.at) if row.status == Status.PAUSED else {}
    return _yes(row, cancel=reason, **resumed)


def _signal(row: ExecutionRow, command: Control) -> Controlled:
    if command.name not in row.signals and len(row.signals) >= SIGNALS_MAX:
        return _no("too_many_signals", f"{SIGNALS_MAX} signals wait in execution {row.id} already")
    return _yes(row, signals={**row.signals, command.name: command.value})


def _approve(row: ExecutionRow, command: Control) -> Controlled:
    waiting = [
        step.path
        for step in row.steps.values()
        if step.type == "approve" and step.status in OPEN_STEP and step.path not in row.approvals
    ]
    if command.path and command.path not in row.steps:
        return _no("step_unknown", f"execution {row.id} has come to no step {command.path[:200]}")
    if not waiting or (command.path and command.path not in waiting):
        shown = ", ".join(waiting) or "none"
        return _no("step_not_waiting", f"execution {row.id}: steps that wait for approval: {shown}")
    if not command.path and len(waiting) > 1:
        return _no("step_not_waiting", f"several steps wait for approval, name one: {', '.join(waiting)}")
    path = command.path or waiting[0]
    approval = Approval(path=path, approved=command.action == "approve", who=command.who, comment=command.comment)
    return _yes(row, approvals={**row.approvals, path: approval})


# ── Retry ────────────────────────────────


def _retry(row: ExecutionRow, command: Control) -> Controlled:
    """Back to before a step: it and what came after it in its lists is taken back, what stands above it opens again."""
    if row.status not in ENDED or row.status == Status.SUCCEEDED:
        message = f"execution {row.id} is {row.status}; one that FAILED, TIMED_OUT or was CANCELLED can be retried"
        return _no("execution_not_ended" if row.open else "execution_succeeded", message)
    if command.path:
        if command.path not in row.steps:
            return _no("step_unknown", f"execution {row.id} has come to no step {command.path[:200]}")
        if in_handler(command.path):
            return _no("step_unknown", f"{command.path[:200]} belongs to a handler; name a step of the actions")
        if _superseded(row, command.path):
            return _no("step_unknown", f"{command.path[:200]} belongs to an attempt that another one has followed")
        origins = [command.path]
    else:
        origins = innermost(step.path for step in row.steps.values() if _stopped(row, step))
    origins = [_whole(row, origin) for origin in origins]
    steps = _taken_back(row, origins, command.at)
    gone = [step for path, step in row.steps.items() if path not in steps]
    return _yes(
        row,
        status=Status.RUNNING,
        steps=steps,
        spent={**row.spent, **_spent(gone)},
        approvals={path: each for path, each in row.approvals.items() if path in steps},
        generation=row.generation + 1,
        deadline=command.at + row.timeout,
        ended=None,
        cancel="",
        code="",
        error="",
    )


def _stopped(row: ExecutionRow, step: StepRow) -> bool:
    """Whether the execution ended by this step, or with it: it failed, and so did all that it stands in."""
    above = [row.steps[path] for path in ancestors(step.path) if path in row.steps]
    failed = all(each.status in _FAILED and not each.tolerated for each in (step, *above))
    return failed and not in_handler(step.path) and not _superseded(row, step.path)


def _superseded(row: ExecutionRow, path: str) -> bool:
    def attempt_of(above: str) -> int:
        holder = row.steps.get(above)
        return 1 if holder is None else holder.attempt

    return superseded(path, attempt_of)


def _whole(row: ExecutionRow, path: str) -> str:
    """A command that led a component is taken back with all that the step did to that component."""
    return next(
        (above for above in ancestors(path) if above in row.steps and row.steps[above].type == "component"), path
    )


def _round(step: StepRow, origins: list[str]) -> int | None:
    """The round of a `repeat` that the first of the origins stands in."""
    base = step.path if step.attempt == 1 else f"{step.path}/~{step.attempt}"
    inside = [origin[len(base) + 2 :].partition("/")[0] for origin in origins if origin.startswith(f"{base}/#")]
    return min((int(number) for number in inside if number.isdecimal()), default=None)


def _taken_back(row: ExecutionRow, origins: list[str], at: float) -> dict[str, StepRow]:
    opened = {above for origin in origins for above in ancestors(origin)}
    rounds = {
        path: number
        for path in opened
        if path in row.steps
        and row.steps[path].type == "repeat"
        and (number := _round(row.steps[path], origins)) is not None
    }
    later = [
        f"{path if row.steps[path].attempt == 1 else f'{path}/~{row.steps[path].attempt}'}/#{each}"
        for path, number in rounds.items()
        for each in range(number + 1, row.steps[path].sends + 1)
    ]
    kept = {}
    for path, step in row.steps.items():
        if any(below(path, origin) or after(path, origin) for origin in origins):
            continue
        if any(below(path, gone) for gone in later):
            continue
        handled = _handled(path)
        if handled is not None and (handled == "" or handled in opened):
            continue  # what was done about the failure, or at the end
        if path in opened:
            length = None if step.deadline is None else at + step.deadline - step.started
            kept[path] = msgspec.structs.replace(
                step,
                status=StepStatus.RUNNING,
                sends=rounds.get(path, step.sends),
                tolerated=False,
                ended=None,
                next=None,
                deadline=length,
                code="",
                error="",
                value="",
            )
        else:
            kept[path] = step
    return kept


def _handled(path: str) -> str | None:
    """The step (`""`: the playbook) whose outermost handler this belongs to; None when it belongs to none."""
    parts = path.split("/")
    found = next((number for number, part in enumerate(parts) if part in HANDLERS), None)
    return None if found is None else "/".join(parts[:found])


def _spent(gone: Iterable[StepRow]) -> dict[str, int]:
    """A key whose outcome is not known is used again; the others are used up."""
    return {step.path: step.key - 1 if step.again or step.status in OPEN_STEP else step.key for step in gone}
