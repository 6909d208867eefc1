"""`set_group_state`: leading components to a state, in the order of their dependencies. Pure.

Each component has a row of its own below the step (`@io`), and a command a row below that (`@io/0`, `@io/1`, …): which
one comes next is read from where the component is. A component in maintenance is passed over. Another attempt has rows
of its own (`~2/@io`): it leads each component from where it is then.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from orchestrator.lifecycle import State
from orchestrator.playbooks import actions
from orchestrator.playbooks.containers import beneath, single_command
from orchestrator.playbooks.context import decoded
from orchestrator.playbooks.execution import OPEN_STEP, TRIGGER_BYTES_MAX, StepRow, StepStatus
from orchestrator.playbooks.fields import TARGET_STATES
from orchestrator.playbooks.routes import AT_REST, arrived, next_command, upward
from orchestrator.playbooks.selecting import targets
from orchestrator.playbooks.verdict import StepFailed, Verdict
from orchestrator.playbooks.walk import Scope, Walk

MOVED = ("command_refused", "component_busy")
"""What a component answers that somebody else has moved meanwhile: then its state is looked at again."""
NOT_THERE = (StepStatus.FAILED, StepStatus.TIMED_OUT)
DEPENDENCY_FAILED = "dependency_failed"
COMMANDS_MAX = 8
"""To one component: the longest way has four; more means that it does not stay where it was led."""


def begin_group_state(walk: Walk, action: actions.SetGroupState, row: StepRow, scope: Scope) -> StepRow:
    found = targets(walk, action, scope)
    state = walk.render(action.target_state, scope)
    if state not in TARGET_STATES:
        raise StepFailed("state_unknown", f"{str(state)[:60]!r} cannot be aimed at; known: {', '.join(TARGET_STATES)}")
    needed = needs(walk.world.depends_on, found, State(state))
    data = {"targets": found, "state": state, "after": {each: sorted(needed[each]) for each in found}}
    return walk.store(replace(row, data=walk.json(data, f"the intent of {row.path}", TRIGGER_BYTES_MAX)))


def needs(depends_on: Mapping[str, tuple[str, ...]], found: list[str], state: State) -> dict[str, set[str]]:
    """By component, those of `found` that have to be there first. StepFailed names a cycle."""
    selected = set(found)
    reach = {each: _reachable(depends_on, each) & selected for each in found}
    for each in found:
        if each in reach[each]:
            cycle = [each, *sorted(other for other in reach[each] if each in reach[other] and other != each), each]
            raise StepFailed("dependency_cycle", f"dependencies go in a circle: {' → '.join(cycle)}")
    if upward(state):
        return reach
    return {each: {other for other in found if each in reach[other]} for each in found}


def _reachable(depends_on: Mapping[str, tuple[str, ...]], origin: str) -> set[str]:
    seen: set[str] = set()
    following = list(depends_on.get(origin, ()))
    while following:
        each = following.pop()
        if each not in seen:
            seen.add(each)
            following += depends_on.get(each, ())
    return seen


def progress_group_state(walk: Walk, action: actions.SetGroupState, row: StepRow, scope: Scope) -> StepRow:
    data = decoded(row.data)
    target, order = State(data["state"]), data["after"]
    moved = True
    while moved:  # what one has reached may let another begin
        before = len(walk.changed)
        for each in data["targets"]:
            _component(walk, action, row, scope, each, target, order[each])
        moved = len(walk.changed) != before
    rows = {each: walk.steps.get(f"{beneath(row)}/@{each}") for each in data["targets"]}
    if walk.halted:
        return walk.cancelled(row)
    if any(child is None or child.status in OPEN_STEP for child in rows.values()):
        return row
    failed = {each: child for each, child in rows.items() if child is not None and child.status in NOT_THERE}
    if failed:
        shown = "; ".join(f"{each}: {child.error}" for each, child in list(failed.items())[:3])
        message = f"{len(failed)} of {len(rows)} did not reach {target}: {shown}"[:1000]
        # Who was not moved for another's sake says nothing of its own.
        causes = [child for child in failed.values() if child.code != DEPENDENCY_FAILED] or list(failed.values())
        late = all(child.status == StepStatus.TIMED_OUT for child in causes)
        return walk.close(action, row, StepStatus.TIMED_OUT if late else StepStatus.FAILED, causes[0].code, message)
    return walk.succeed(action, row, {each: str(child.status) for each, child in rows.items() if child is not None})


def _component(
    walk: Walk, action: actions.SetGroupState, row: StepRow, scope: Scope, each: str, target: State, after: list[str]
) -> None:
    path = f"{beneath(row)}/@{each}"
    child = walk.steps.get(path)
    if child is None:
        if walk.halted or walk.paused:
            return
        child = _opened(walk, row, path, each, target, after)
        if child is None:
            return
    if child.status in OPEN_STEP:
        _lead(walk, action, child, scope, each, target)


def _opened(walk: Walk, row: StepRow, path: str, each: str, target: State, after: list[str]) -> StepRow | None:
    """The component's row once those before it are there; None while they are not."""
    facts = walk.world.components.get(each)
    child = StepRow(path=path, type="component", status=StepStatus.RUNNING, started=walk.now)
    if facts is None:
        return _failed(walk, child, "component_unknown", f"component {each} is not registered")
    if facts.maintenance:
        return walk.store(replace(child, status=StepStatus.SKIPPED, ended=walk.now, error="in maintenance"))
    for other in after:
        before = walk.steps.get(f"{beneath(row)}/@{other}")
        if before is None or before.status in OPEN_STEP:
            return None
        facts_before = walk.world.components.get(other)
        resting = facts_before is not None and facts_before.state in AT_REST
        if before.status in NOT_THERE and (upward(target) or not resting):
            return _failed(walk, child, DEPENDENCY_FAILED, f"{other} did not reach {target}")
    return walk.store(child)


def _lead(walk: Walk, action: actions.SetGroupState, child: StepRow, scope: Scope, each: str, target: State) -> None:
    facts = walk.world.components.get(each)
    if walk.halted:
        last = _last(walk, child)
        if last is not None and last.status in OPEN_STEP:
            walk.cancelled(last)
        walk.store(replace(child, status=StepStatus.CANCELLED, ended=walk.now))
        return
    if facts is None:
        _failed(walk, child, "component_unknown", f"component {each} is not registered any more")
        return
    count = 0 if not child.data else decoded(child.data)["commands"]
    issued_in = None if not child.data else decoded(child.data)["from"]
    if count:
        last = walk.steps[f"{child.path}/{count - 1}"]
        command = decoded(last.data)["command"] if last.data else ""
        single = single_command(action, each, command, {}, wait=True)
        verdict = walk.step(single, last.path, scope)
        if verdict is Verdict.OPEN:
            return
        last = walk.steps[last.path]
        if verdict is not Verdict.OK and not (last.code in MOVED and facts.state != issued_in):
            late = last.status == StepStatus.TIMED_OUT
            _failed(walk, child, last.code or "cancelled", last.error, late=late)
            return
        if facts.state == State.FAULT and issued_in != State.FAULT and target != State.STOPPED:
            _failed(walk, child, "component_fault", f"component {each} is in FAULT after {command}")
            return
        if facts.state == issued_in:  # done there, not yet seen here
            _time(walk, action, child, f"{each} to leave {issued_in}")
            return
    if arrived(facts.state, target):
        walk.store(replace(child, status=StepStatus.SUCCEEDED, ended=walk.now, value=f'"{facts.state}"'))
        return
    following = next_command(facts.state, target)
    if following is None or walk.paused:
        _time(walk, action, child, f"{each} is {facts.state}")
        return
    if count >= COMMANDS_MAX:
        _failed(walk, child, "state_failed", f"component {each} does not stay where it is led: it is in {facts.state}")
        return
    walk.store(replace(child, data=walk.json({"commands": count + 1, "from": facts.state}, "commands")))
    single = single_command(action, each, str(following), {}, wait=True)
    walk.step(single, f"{child.path}/{count}", scope)


def _time(walk: Walk, action: actions.SetGroupState, child: StepRow, what: str) -> None:
    """Waiting without an effect is bounded too: from the end of the last command, or from the beginning."""
    last = _last(walk, child)
    since = child.started if last is None or last.ended is None else last.ended
    length = action.timeout_s or 0.0
    if not walk.paused and walk.due(since + length):
        _failed(walk, child, "timeout", f"not within {length:g} s: {what}", late=True)
    else:
        walk.waiting[child.path] = what


def _last(walk: Walk, child: StepRow) -> StepRow | None:
    count = 0 if not child.data else decoded(child.data)["commands"]
    return walk.steps.get(f"{child.path}/{count - 1}")


def _failed(walk: Walk, child: StepRow, code: str, message: str, *, late: bool = False) -> StepRow:
    """`late`: it ran out of time."""
    status = StepStatus.TIMED_OUT if late else StepStatus.FAILED
    return walk.store(replace(child, status=status, code=code, error=message[:1000], ended=walk.now))
