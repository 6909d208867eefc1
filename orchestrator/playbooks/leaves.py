"""Actions that hold no others: how each begins, and how an open one goes on. Pure."""

import hashlib
from typing import Any

from msgspec.structs import replace

from orchestrator.lifecycle import State
from orchestrator.playbooks import actions
from orchestrator.playbooks.context import decoded
from orchestrator.playbooks.effect import Done, Failed
from orchestrator.playbooks.execution import (
    ENDED,
    NESTED_MAX,
    TRIGGER_BYTES_MAX,
    JournalEntry,
    Limits,
    Parent,
    Start,
    Status,
    StepRow,
    StepStatus,
    VariableSet,
)
from orchestrator.playbooks.inputs import checked_inputs
from orchestrator.playbooks.selecting import targets
from orchestrator.playbooks.verdict import StepFailed
from orchestrator.playbooks.walk import Scope, Walk

# ── Effects outside ────────────────────────────────


def begin_effect(walk: Walk, row: StepRow, data: dict[str, Any]) -> StepRow:
    """The intent; the effect follows when it is committed."""
    text = walk.json(data, f"the intent of {row.path}", TRIGGER_BYTES_MAX)
    return walk.store(replace(row, data=text))


def progress_effect(walk: Walk, action: actions.Step, row: StepRow) -> StepRow:
    """Done, failed, unknown, or still under way."""
    if walk.halted:
        return walk.cancelled(row)
    result = walk.results.get(row.path)
    if result is None:
        walk.effect(row)
        return row
    if isinstance(result, Done):
        return walk.succeed(action, row, result.value)
    if isinstance(result, Failed):
        return walk.close(action, row, StepStatus.FAILED, result.code, result.message)
    return walk.again(row, result.code, result.message)


def begin_http(walk: Walk, action: actions.HttpRequest, row: StepRow, scope: Scope) -> StepRow:
    url = walk.render(action.url, scope)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise StepFailed("url_invalid", f"url: {str(url)[:100]!r} is no http:// or https:// address")
    data = {
        "method": action.method,
        "url": url,
        "headers": walk.render(action.headers, scope),
        "body": walk.render(action.body, scope),
        "expect": list(action.expect),
        "safe": action.safe,
    }
    return begin_effect(walk, row, data)


def begin_notification(walk: Walk, action: actions.SendNotification, row: StepRow, scope: Scope) -> StepRow:
    data = {
        "channel": walk.render(action.channel, scope),
        "message": str(walk.render(action.message, scope)),
        "severity": action.severity,
        "data": walk.render(action.data, scope),
    }
    return begin_effect(walk, row, data)


# ── Effects inside the replicated state ────────────────────────────────


def begin_log(walk: Walk, action: actions.LogEvent, row: StepRow, scope: Scope) -> StepRow:
    message = str(walk.render(action.message, scope))[:4000]
    data = walk.json(walk.render(action.data, scope), f"data of {row.path}")
    walk.journal.append(
        JournalEntry(
            type="playbook.log",
            source=walk.row.playbook,
            level=action.level,
            message=message,
            data=data,
            execution=walk.row.id,
            at=walk.now,
        )
    )
    return walk.succeed(action, row, {"message": message})


def begin_variable(walk: Walk, action: actions.SetVariable, row: StepRow, scope: Scope) -> StepRow:
    name = str(walk.render(action.name, scope))
    text = walk.json(walk.render(action.value, scope), f"variable {name}")
    if action.scope == "execution":
        walk.set_variable(name, text)
        return walk.succeed(action, row, decoded(text))
    revision = walk.render(action.if_revision, scope)
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int)):
        raise StepFailed("value_invalid", f"if_revision: {str(revision)[:100]!r} is no number")
    walk.sets.append(VariableSet(path=row.path, name=name, value=text, if_revision=revision))
    walk.barriers.add(row.path)  # what follows must see whether it was refused
    return walk.succeed(action, row, decoded(text))


def begin_scenario(walk: Walk, action: actions.ExecuteScenario, row: StepRow, scope: Scope) -> StepRow:
    name = str(walk.render(action.name, scope)).removesuffix(".yaml").removesuffix(".yml")
    known = walk.world.playbooks.get(name)
    if known is None:
        raise StepFailed("playbook_unknown", f"playbook {name[:100]} is not there")
    depth = 0 if walk.row.parent is None else walk.row.parent.depth
    if depth + 1 > NESTED_MAX:
        raise StepFailed("nested_too_deep", f"executions start one another at most {NESTED_MAX} deep")
    given = walk.render(action.inputs, scope)
    inputs, faults = checked_inputs(known.playbook, given)
    if faults:
        odd = "; ".join(f"{each.name}: {each.message}" for each in faults[:5])
        raise StepFailed("inputs_invalid", f"inputs of {name}: {odd}")
    source = f"{walk.row.id}:{walk.row.generation}:{row.path}:{row.key}"
    child = f"{walk.row.id[:40]}.{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    walk.starts.append(
        Start(
            id=child,
            playbook=name,
            version=known.version,
            priority=max(walk.row.priority, known.playbook.priority),
            trigger=walk.json({"type": "playbook", "execution": walk.row.id, "playbook": walk.row.playbook}, "trigger"),
            inputs=walk.json(inputs, f"inputs of {name}", TRIGGER_BYTES_MAX),
            variables={key: walk.json(value, f"variable {key}") for key, value in known.playbook.variables.items()},
            timeout=known.playbook.timeout,
            parent=Parent(execution=walk.row.id, path=row.path, depth=depth + 1),
            traceparent=walk.row.traceparent,
            limits=Limits(
                limit=known.playbook.concurrency.limit,
                policy=known.playbook.concurrency.policy,
                queued_max=known.playbook.concurrency.queued_max,
            ),
            who=walk.row.who,
            at=walk.now,
        )
    )
    walk.barriers.add(row.path)
    return walk.store(replace(row, data=walk.json({"execution": child, "playbook": name}, "intent")))


def progress_scenario(walk: Walk, action: actions.ExecuteScenario, row: StepRow) -> StepRow:
    if walk.halted:
        return walk.cancelled(row)
    child = decoded(row.data)["execution"]
    if not action.wait:
        return walk.succeed(action, row, {"execution": child})
    facts = walk.world.executions.get(child)
    if facts is None:
        return walk.close(action, row, StepStatus.FAILED, "execution_unknown", f"execution {child} is not there")
    if facts.status not in ENDED:
        walk.waiting[row.path] = f"execution {child} is {facts.status}"
        return row
    if facts.status == Status.SUCCEEDED:
        return walk.succeed(action, row, {"execution": child, "status": str(facts.status)})
    message = f"execution {child} is {facts.status}: {facts.error}"
    return walk.close(action, row, StepStatus.FAILED, "scenario_failed", message)


# ── Waiting ────────────────────────────────


def begin_wait(walk: Walk, action: actions.WaitForState, row: StepRow, scope: Scope) -> StepRow:
    found = targets(walk, action, scope)
    wanted = walk.render(action.target_state, scope)
    states = [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [each for each in states if each not in set(State)]
    if unknown:
        raise StepFailed("state_unknown", f"{str(unknown[0])[:60]!r} is not a state; known: {', '.join(State)}")
    fail_on = [State.FAULT] if action.fail_on is None else list(action.fail_on)
    data = {"targets": found, "states": states, "fail_on": [each for each in fail_on if each not in states]}
    return walk.store(replace(row, data=walk.json(data, f"the intent of {row.path}", TRIGGER_BYTES_MAX)))


def progress_wait(walk: Walk, action: actions.WaitForState, row: StepRow) -> StepRow:
    if walk.halted:
        return walk.cancelled(row)
    data = decoded(row.data)
    there, missing = {}, []
    for each in data["targets"]:
        facts = walk.world.components.get(each)
        if facts is None:
            missing.append(f"{each} is not registered")
        elif facts.state in data["states"]:
            there[each] = str(facts.state)
        elif facts.state in data["fail_on"] and action.match == "all":
            message = f"component {each} is in {facts.state} while {' or '.join(data['states'])} is waited for"
            return walk.close(action, row, StepStatus.FAILED, "state_failed", message)
        else:
            missing.append(f"{each} is {facts.state}" + ("" if facts.online else " and not heard"))
    if not missing or (action.match == "any" and there):
        return walk.succeed(action, row, there)
    shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    walk.waiting[row.path] = f"{' or '.join(data['states'])} is waited for: {shown}"
    return row


def begin_approve(walk: Walk, action: actions.Approve, row: StepRow, scope: Scope) -> StepRow:
    message = str(walk.render(action.message, scope))[:4000]
    entry = JournalEntry(
        type="playbook.approval_needed",
        source=walk.row.playbook,
        level="warning",
        message=message,
        data=walk.json({"path": row.path}, "data"),
        execution=walk.row.id,
        at=walk.now,
    )
    walk.journal.append(entry)
    return walk.store(replace(row, data=walk.json({"message": message}, "the message")))


def progress_approve(walk: Walk, action: actions.Approve, row: StepRow) -> StepRow:
    if walk.halted:
        return walk.cancelled(row)
    approval = walk.row.approvals.get(row.path)
    if approval is None:
        walk.waiting[row.path] = f"approval: {decoded(row.data)['message']}"[:500]
        return row
    if approval.approved:
        return walk.succeed(action, row, {"who": approval.who, "comment": approval.comment})
    message = f"rejected by {approval.who or 'a person'}" + (f": {approval.comment}" if approval.comment else "")
    return walk.close(action, row, StepStatus.FAILED, "rejected", message)


def progress_signal(walk: Walk, action: actions.WaitForSignal, row: StepRow) -> StepRow:
    if walk.halted:
        return walk.cancelled(row)
    if action.signal in walk.row.signals and action.signal not in walk.taken:
        walk.taken.append(action.signal)
        return walk.succeed(action, row, decoded(walk.row.signals[action.signal]))
    walk.waiting[row.path] = f"signal {action.signal}"
    return row


def progress_delay(walk: Walk, action: actions.Delay, row: StepRow) -> StepRow:
    if walk.halted:
        return walk.cancelled(row)
    if walk.paused or not walk.due(row.next):
        walk.waiting[row.path] = "time"
        return row
    return walk.succeed(action, row)
