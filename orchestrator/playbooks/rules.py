"""What the models cannot say about a playbook: names that must fit together, expressions, sizes, what is hardly meant.

The rules go over the tree as it was read, so that they find what they find also where the models find something else.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.playbooks import cron
from orchestrator.playbooks.fields import DEPTH_MAX, STEPS_MAX
from orchestrator.playbooks.positions import Enough, Findings, Loc
from orchestrator.playbooks.scopes import (
    CONDITION_ROOTS,
    EXECUTION_MEMBERS,
    LISTS,
    RESERVED,
    Declared,
    Seen,
    declared,
    steps,
)
from orchestrator.playbooks.step_rules import STEP_RULES, TRIGGER_STATES
from orchestrator.playbooks.suggestions import did_you_mean
from orchestrator.playbooks.templates import Roots, Templates

# Members of a step that hold no template; expressions without braces have rules of their own.
_NO_TEMPLATES = frozenset(
    {
        *("type", "id", "description", "timeout", "retry", "register", "after_failure", "match", "on_empty", "wait"),
        *("when", "until", "actions", "branches", "on_failure", "on_timeout"),
    }
)


EXPRESSIONS_MAX = 1_000
"""In one playbook: to read one takes some tenths of a millisecond."""


def apply_rules(tree: Mapping[str, Any], findings: Findings) -> None:
    """Adds to `findings` what is wrong, and what is only doubtful."""
    with contextlib.suppress(Enough):
        _apply(tree, findings)


def _apply(tree: Mapping[str, Any], findings: Findings) -> None:
    _sizes(tree, findings)
    if findings.oversized:
        return
    names = declared(tree)
    templates = Templates()
    if "finally_" in tree:
        findings.error(("finally_",), "there is no such member here", "did you mean `finally`?", of_name=True)
    ids: dict[str, Loc] = {}
    for step in steps(tree):
        _identity(step, ids, findings)
        _expressions(step, names, templates, findings)
        if "register_as" in step.members:
            loc = (*step.loc, "register_as")
            findings.error(loc, "there is no such member here", "did you mean `register`?", of_name=True)
        for rule in STEP_RULES.get(str(step.members.get("type")), ()):
            rule(step, findings)
        _handlers(step, findings)
        _repeats(step, templates, findings)
    for name in LISTS:
        _after_fail(tree.get(name), (name,), findings)
    _playbook_expressions(tree, names, templates, findings)
    _triggers(tree, templates, findings)
    _inputs(tree, findings)


def _sizes(tree: Mapping[str, Any], findings: Findings) -> None:
    count = 0
    for step in steps(tree):
        count += 1
        if step.depth > DEPTH_MAX:
            findings.oversized = True
            findings.error(step.loc, f"steps stand in one another at most {DEPTH_MAX} deep", "call another playbook")
            return
    if count > STEPS_MAX:
        findings.oversized = True
        message = f"a playbook has at most {STEPS_MAX} steps, this one {count}"
        findings.error(("actions",), message, "split it up", of_name=True)


def _identity(step: Seen, ids: dict[str, Loc], findings: Findings) -> None:
    identity, loc = step.members.get("id"), (*step.loc, "id")
    if not isinstance(identity, str):
        return
    if identity in RESERVED:
        findings.error(loc, f"{identity!r} means something else in expressions", "give the step another id")
    elif identity in ids:
        line, column = findings.positions.place(ids[identity])
        findings.error(loc, f"the id {identity!r} is used twice, first at {line}:{column}", "ids are unique")
    else:
        ids[identity] = loc


# ── Expressions ──────────────────────────────────────────────────────────────────────────────────────────


def _expressions(step: Seen, names: Declared, templates: Templates, findings: Findings) -> None:
    roots, inner = names.roots(step.extra), names.roots(step.inner)
    for name, value in step.members.items():
        loc = (*step.loc, name)
        if name == "when":
            _check(value, loc, roots, templates, findings, bare=True)
        elif name == "until":
            _check(value, loc, inner, templates, findings, bare=True)
        elif name not in _NO_TEMPLATES:
            _deep(value, loc, roots, templates, findings)


def _deep(value: Any, loc: Loc, roots: Roots, templates: Templates, findings: Findings) -> None:
    """Each text in it. As deep as the YAML could be read."""
    match value:
        case str():
            _check(value, loc, roots, templates, findings)
        case dict():
            for name, item in value.items():
                _check(name, (*loc, name), roots, templates, findings)
                _deep(item, (*loc, name), roots, templates, findings)
        case list():
            for at, item in enumerate(value):
                _deep(item, (*loc, at), roots, templates, findings)


def _check(value: Any, loc: Loc, roots: Roots, templates: Templates, findings: Findings, *, bare: bool = False) -> None:
    if not isinstance(value, str) or not value.strip():  # not text: the models say so
        return
    findings.expressions += 1 if bare else value.count("{{")
    if findings.expressions > EXPRESSIONS_MAX:
        findings.error(loc, f"a playbook has at most {EXPRESSIONS_MAX} expressions", "split it up")
        raise Enough
    for fault in templates.check(value, roots, bare=bare):
        findings.error(loc, fault.message, fault.hint)


def _playbook_expressions(tree: Mapping[str, Any], names: Declared, templates: Templates, findings: Findings) -> None:
    variables = tree.get("variables")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if isinstance(value, str) and "{{" in value:
            hint = "set_variable sets one to what an expression gives"
            findings.warning(("variables", name), "expressions are not evaluated here: it stays the text it is", hint)
    deduplicate = tree.get("deduplicate")
    if isinstance(deduplicate, dict):
        _check(deduplicate.get("key"), ("deduplicate", "key"), CONDITION_ROOTS, templates, findings)
    invariants = tree.get("invariants")
    judged = names.roots() | {"execution": EXECUTION_MEMBERS | {"status"}}
    for at, invariant in enumerate(invariants if isinstance(invariants, list) else ()):
        for sense in ("always", "never"):
            if isinstance(invariant, dict):
                loc = ("invariants", at, sense)
                _check(invariant.get(sense), loc, judged, templates, findings, bare=True)


def _repeats(step: Seen, templates: Templates, findings: Findings) -> None:
    until, loc = step.members.get("until"), (*step.loc, "until")
    if step.members.get("type") != "repeat" or not isinstance(until, str) or templates.check(until, bare=True):
        return
    match templates.constant(until):
        case False:
            findings.warning(loc, "this never holds: the step fails after `limit` rounds", "name what ends the loop")
        case True:
            findings.warning(loc, "this always holds: there is one round only", "name what ends the loop")


def _handlers(step: Seen, findings: Findings) -> None:
    from orchestrator.playbooks.mismatches import ACTIONS

    kind = ACTIONS.get(str(step.members.get("type")))
    if kind is None or "on_timeout" not in step.members or "timeout" in step.members:
        return
    if getattr(kind, "container", False):
        findings.warning((*step.loc, "on_timeout"), "never runs: the step has no timeout", "add timeout: to the step")


def _after_fail(actions: Any, loc: Loc, findings: Findings) -> None:
    if not isinstance(actions, list):
        return
    for at, step in enumerate(actions[:-1]):
        if isinstance(step, dict) and step.get("type") == "fail" and "when" not in step:
            if step.get("after_failure") != "continue":
                findings.warning((*loc, at + 1), "never runs: the step before it always fails", "")
            return


# ── What starts it ───────────────────────────────────────────────────────────────────────────────────────


def _triggers(tree: Mapping[str, Any], templates: Templates, findings: Findings) -> None:
    given = tree.get("trigger")
    listed = [(("trigger",), given)] if isinstance(given, dict) else []
    if isinstance(given, list):
        listed = [(("trigger", at), trigger) for at, trigger in enumerate(given)]  # type: ignore[misc]
    inputs = tree.get("inputs")
    given_none = [
        name
        for name, declared in (inputs.items() if isinstance(inputs, dict) else ())
        if isinstance(declared, dict) and declared.get("required") is True
    ]
    for loc, trigger in listed:
        if not isinstance(trigger, dict):
            continue
        if given_none and trigger.get("type") != "manual":
            message = f"never starts it: a trigger gives no inputs, and {given_none[0]!r} is required"
            findings.warning(loc, message, "give the input a default")
        _check(trigger.get("condition"), (*loc, "condition"), CONDITION_ROOTS, templates, findings, bare=True)
        _wrong_value(trigger.get("cron"), (*loc, "cron"), cron.check_cron, findings)
        _wrong_value(trigger.get("timezone"), (*loc, "timezone"), cron.zone, findings)
        for name in ("state", "status"):
            if trigger.get(name) == []:
                findings.error((*loc, name), "is empty, so it would never start anything")
        if trigger.get("type") in ("component_state", "group_state"):
            _states(trigger.get("state"), (*loc, "state"), findings)
        if trigger.get("type") == "playbook_ended" and trigger.get("playbook") == tree.get("name"):
            findings.warning((*loc, "playbook"), "the playbook starts itself again each time it ends", "")


def _states(value: Any, loc: Loc, findings: Findings) -> None:
    for state in value if isinstance(value, list) else [value]:
        if isinstance(state, str) and state and state not in TRIGGER_STATES:
            hint = did_you_mean(state, TRIGGER_STATES) or f"known: {', '.join(TRIGGER_STATES)}"
            findings.warning(loc, f"{state!r} is no state that is known here: it may never start anything", hint)


def _wrong_value(value: Any, loc: Loc, check: Callable[[str], object], findings: Findings) -> None:
    if not isinstance(value, str):
        return
    try:
        check(value)
    except ValueError as error:
        findings.error(loc, str(error))


_OF_TYPE: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


def _inputs(tree: Mapping[str, Any], findings: Findings) -> None:
    inputs = tree.get("inputs")
    for name, given in inputs.items() if isinstance(inputs, dict) else ():
        if not isinstance(given, dict) or given.get("default") is None:
            continue
        loc, kind, default = ("inputs", name, "default"), given.get("type", "any"), given["default"]
        right = _OF_TYPE.get(kind) if isinstance(kind, str) else None
        if right is not None and (not isinstance(default, right) or (isinstance(default, bool) and kind == "number")):
            findings.error(loc, f"the default is no {kind}")
        if given.get("required") is True:
            findings.warning(loc, "is never used: the input is required", "leave out one of the two")
