"""Whether an execution may start, wait, or must not: limits, throttle, cooldown and de-duplication. Pure."""

from collections.abc import Sequence

import msgspec

from orchestrator.playbooks.execution import OPEN_MAX, ExecutionRow, Position, Start, Status
from orchestrator.playbooks.told import Told

TIMES_MAX = 1_000
KEYS_MAX = 1_000


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """What triggers started lately of one playbook: plant times, the oldest first; the time by de-duplication key."""

    times: tuple[float, ...] = ()
    keys: dict[str, float] = {}


class Verdict(msgspec.Struct, frozen=True):
    """`replaced`: executions to cancel for it. `recent`: what to remember, if anything."""

    status: Status
    replaced: tuple[str, ...] = ()
    recent: Recent | None = None


def judge(command: Start, mates: Sequence[ExecutionRow], recent: Recent, *, opened: int) -> Verdict | Told:
    """How the execution begins, or why it does not. `mates`: the playbook's open ones; `opened`: all open ones."""
    if opened >= OPEN_MAX:
        return Told(code="executions_full", message=f"{OPEN_MAX} executions are open already")
    limits, noted = command.limits, None
    if not command.manual:
        skipped = _too_soon(command, recent)
        if skipped:
            return Told(code="execution_skipped", message=skipped)
        if limits.throttle_count or limits.cooldown or limits.dedup_key:
            noted = _noted(command, recent)
    running = [row for row in mates if row.status != Status.QUEUED]
    if not limits.limit or len(running) < limits.limit:
        return Verdict(Status.RUNNING, recent=noted)
    if limits.policy == "skip":
        message = f"{len(running)} of playbook {command.playbook} run already, its limit is {limits.limit}"
        return Told(code="execution_skipped", message=message)
    if limits.policy == "replace":
        spare = [row for row in running if not row.cancel]
        oldest = min(spare, key=_age, default=None)
        waiting = [row.id for row in mates if row.status == Status.QUEUED]
        return Verdict(Status.QUEUED, (*waiting, *([] if oldest is None else [oldest.id])), noted)
    if len(mates) - len(running) >= limits.queued_max:
        message = f"{limits.queued_max} of playbook {command.playbook} wait already"
        return Told(code="execution_skipped", message=message)
    return Verdict(Status.QUEUED, recent=noted)


def _too_soon(command: Start, recent: Recent) -> str:
    limits, at = command.limits, command.at
    if limits.cooldown and recent.times and at - recent.times[-1] < limits.cooldown:
        return f"cooldown: the last start was {at - recent.times[-1]:.1f} s ago, {limits.cooldown:g} s must pass"
    if limits.throttle_count:
        lately = sum(at - each < limits.throttle_per for each in recent.times)
        if lately >= limits.throttle_count:
            return (
                f"throttle: {lately} starts in the last {limits.throttle_per:g} s, the limit is {limits.throttle_count}"
            )
    seen = recent.keys.get(limits.dedup_key) if limits.dedup_key else None
    if seen is not None and at - seen < limits.dedup_window:
        return f"de-duplicated: {limits.dedup_key[:100]!r} started one {at - seen:.1f} s ago"
    return ""


def _noted(command: Start, recent: Recent) -> Recent:
    limits, at = command.limits, command.at
    keys = recent.keys
    if limits.dedup_key:
        keys = {key: time for key, time in keys.items() if at - time < limits.dedup_window}
        keys.pop(limits.dedup_key, None)
        keys[limits.dedup_key] = at
        keys = dict(list(keys.items())[-KEYS_MAX:])
    return Recent(times=(*recent.times, at)[-max(1, min(TIMES_MAX, limits.throttle_count)) :], keys=keys)


def made(command: Start, version: int, status: Status, *, time: float, position: Position) -> ExecutionRow:
    """The row of an execution that begins. `time`: unix seconds of the proposer, for display."""
    row = ExecutionRow(
        id=command.id,
        playbook=command.playbook,
        version=version,
        status=Status.QUEUED,
        priority=command.priority,
        trigger=command.trigger,
        inputs=command.inputs,
        variables=command.variables,
        parent=command.parent,
        traceparent=command.traceparent,
        created=command.at,
        timeout=command.timeout,
        who=command.who,
        epoch_unix=time - command.at,
        limit=command.limits.limit,
        position=position,
    )
    return row if status == Status.QUEUED else begun(row, command.at)


def begun(row: ExecutionRow, at: float) -> ExecutionRow:
    """A row that waited, now running: its time counts from here."""
    return msgspec.structs.replace(
        row, status=Status.RUNNING, started=at, deadline=at + row.timeout, revision=row.revision + 1
    )


def replaced(row: ExecutionRow) -> ExecutionRow:
    """A row whose place a newer execution takes."""
    reason = "replaced by a newer execution"
    if row.status == Status.QUEUED:
        return msgspec.structs.replace(
            row, status=Status.CANCELLED, ended=row.created, error=reason, code="replaced", revision=row.revision + 1
        )
    paused = {"status": Status.RUNNING, "paused_at": None} if row.status == Status.PAUSED else {}
    return msgspec.structs.replace(row, cancel=reason, revision=row.revision + 1, **paused)


def _age(row: ExecutionRow) -> tuple[float, Position, str]:
    """The oldest first. Several may begin by one command; then their ids decide, not the order a node holds them in."""
    return row.created, row.position, row.id


def promoted(mates: Sequence[ExecutionRow], *, at: float) -> list[ExecutionRow]:
    """Those that waited and begin now: the greatest priority first, then the oldest."""
    running = sum(row.status != Status.QUEUED for row in mates)
    waiting = sorted(
        (row for row in mates if row.status == Status.QUEUED),
        key=lambda row: (-row.priority, *_age(row)),
    )
    begin = []
    for row in waiting:
        if row.limit and running >= row.limit:
            break
        running += 1
        begin.append(begun(row, max(at, row.created)))
    return begin
