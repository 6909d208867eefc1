"""What is wrong with playbooks only as a set: one calls another that is not there, or that leads back to it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from orchestrator.playbooks.actions import Block, ExecuteScenario, ForEach, Parallel, Repeat, Step
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.positions import Loc, PlaybookProblem, Positions
from orchestrator.playbooks.step_rules import playbook_name
from orchestrator.playbooks.suggestions import did_you_mean
from orchestrator.playbooks.triggers import PlaybookEnded

__all__ = ["check_together", "missing_playbooks", "playbook_name", "steps_of"]


def check_together(
    playbooks: Mapping[str, Playbook],
    positions: Mapping[str, Positions] | None = None,
    elsewhere: Collection[str] = (),
) -> tuple[PlaybookProblem, ...]:
    """The problems of playbooks that are there at the same time, by name. Names that are templates are passed over,
    and so are those of playbooks that stand `elsewhere`: nothing more is known of them.

    A cycle is one problem, at the first call that closes it. Without `positions` a problem names the playbook as its
    file, and line 1.
    """
    found = list(missing_playbooks(playbooks, positions, elsewhere))
    calls: dict[str, dict[str, Loc]] = {}
    for name, playbook in sorted(playbooks.items()):
        at = (positions or {}).get(name) or Positions(name)
        for loc, call in _calls(playbook):
            called = playbook_name(call.name)
            if called in playbooks:
                calls.setdefault(name, {}).setdefault(called, loc)
                found += _inputs(loc, call, playbooks[called], at)
    for cycle in _cycles({name: sorted(called) for name, called in calls.items()}):
        at = (positions or {}).get(cycle[0]) or Positions(cycle[0])
        loc = (*calls[cycle[0]][cycle[1]], "name")
        message = f"playbooks call one another in a circle: {' → '.join(cycle)}"
        found.append(at.problem(loc, message, "take one of the calls out"))
    return tuple(found)


def missing_playbooks(
    playbooks: Mapping[str, Playbook],
    positions: Mapping[str, Positions] | None = None,
    elsewhere: Collection[str] = (),
) -> Iterator[PlaybookProblem]:
    """Those of the problems that others which are not looked at may solve: names that no playbook here has."""
    there = {*playbooks, *elsewhere}
    for name, playbook in sorted(playbooks.items()):
        at = (positions or {}).get(name) or Positions(name)
        for loc, call in _calls(playbook):
            if playbook_name(call.name) not in there:
                yield _unknown((*loc, "name"), playbook_name(call.name), there, at)
        for number, trigger in enumerate(playbook.triggers):
            if isinstance(trigger, PlaybookEnded) and trigger.playbook not in there:
                yield _unknown(("trigger", number, "playbook"), trigger.playbook, there, at)


def steps_of(playbook: Playbook) -> Iterator[tuple[Loc, Step]]:
    """Every step with its place in the YAML, each before those in it."""
    for name, actions in (
        ("actions", playbook.actions),
        ("on_failure", playbook.on_failure),
        ("on_timeout", playbook.on_timeout),
        ("finally", playbook.finally_),
    ):
        yield from _steps(actions, (name,))


def _steps(actions: Sequence[Step], loc: Loc) -> Iterator[tuple[Loc, Step]]:
    for number, step in enumerate(actions):
        here = (*loc, number)
        yield here, step
        if isinstance(step, Block | ForEach | Repeat):
            yield from _steps(step.actions, (*here, "actions"))
        if isinstance(step, Parallel):
            for name, branch in step.branches.items():
                yield from _steps(branch, (*here, "branches", name))
        yield from _steps(step.on_failure, (*here, "on_failure"))
        yield from _steps(step.on_timeout, (*here, "on_timeout"))


def _calls(playbook: Playbook) -> Iterator[tuple[Loc, ExecuteScenario]]:
    for loc, step in steps_of(playbook):
        if isinstance(step, ExecuteScenario) and "{{" not in step.name:
            yield loc, step


def _unknown(loc: Loc, name: str, there: Collection[str], at: Positions) -> PlaybookProblem:
    known = sorted(there)
    listed = ", ".join(known[:12]) + (" …" if len(known) > 12 else "")
    return at.problem(loc, f"there is no playbook {name!r}", did_you_mean(name, known) or f"known: {listed}")


def _inputs(loc: Loc, call: ExecuteScenario, called: Playbook, at: Positions) -> Iterator[PlaybookProblem]:
    for name in call.inputs:
        if name not in called.inputs:
            known = ", ".join(sorted(called.inputs)) or "none"
            hint = did_you_mean(name, called.inputs) or f"its inputs: {known}"
            yield at.problem(
                (*loc, "inputs", name), f"playbook {called.name!r} has no input {name!r}", hint, of_name=True
            )
    for name, declared in called.inputs.items():
        if declared.required and name not in call.inputs:
            yield at.problem((*loc, "inputs"), f"playbook {called.name!r} needs the input {name!r}", "give it here")


def _cycles(calls: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Each call that leads back closes one cycle; it is turned so that its least name comes first."""
    done: set[str] = set()
    told: set[tuple[str, ...]] = set()
    for start in sorted(calls):
        if start in done:
            continue
        path, waiting = [start], [iter(calls[start])]
        while waiting:
            following = next(waiting[-1], None)
            if following is None:
                done.add(path.pop())
                waiting.pop()
            elif following in path:
                cycle = path[path.index(following) :]
                first = cycle.index(min(cycle))
                turned = (*cycle[first:], *cycle[:first], cycle[first])
                if turned not in told:
                    told.add(turned)
                    yield turned
            elif following not in done:
                path.append(following)
                waiting.append(iter(calls.get(following, ())))
