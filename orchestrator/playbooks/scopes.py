"""Each step of a playbook that may be wrong in places, and what its expressions see. Pure.

Works on the tree as it was read, not on the models: what is wrong in one place must not hide what is wrong elsewhere.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.playbooks.positions import Loc

HANDLERS = ("on_failure", "on_timeout")
LISTS = ("actions", *HANDLERS, "finally")
"""Members of a playbook that hold steps."""
ROOTS = ("trigger", "inputs", "vars", "steps", "execution", "components", "plant")
RESERVED = frozenset({*ROOTS, "item", "index", "error"})
ERROR_MEMBERS = frozenset({"step", "code", "message"})
EXECUTION_MEMBERS = frozenset({"id", "playbook", "version"})
_INNER = {"for_each": frozenset({"item", "index"}), "repeat": frozenset({"index"})}
WALK_DEPTH_MAX = 64
"""Deeper than any playbook that is let through, so that the depth itself can be complained about."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A step at `loc`: its members, how many steps it stands in, what its own expressions see beside the usual.

    `inner` is the same for the actions in it.
    """

    loc: Loc
    members: Mapping[str, Any]
    depth: int
    extra: frozenset[str]
    inner: frozenset[str]


def steps(tree: Mapping[str, Any]) -> Iterator[Seen]:
    """Every step, each before those in it, in the order of the file's members."""
    for name in LISTS:
        extra = frozenset({"error"}) if name in HANDLERS else frozenset()
        yield from _listed(tree.get(name), (name,), 1, extra)


def _listed(value: Any, loc: Loc, depth: int, extra: frozenset[str]) -> Iterator[Seen]:
    if not isinstance(value, list) or depth > WALK_DEPTH_MAX:
        return
    for at, members in enumerate(value):
        if not isinstance(members, dict):
            continue
        here = (*loc, at)
        inner = extra | _INNER.get(str(members.get("type")), frozenset())
        yield Seen(here, members, depth, extra, inner)
        yield from _listed(members.get("actions"), (*here, "actions"), depth + 1, inner)
        branches = members.get("branches")
        for name, branch in branches.items() if isinstance(branches, dict) else ():
            yield from _listed(branch, (*here, "branches", name), depth + 1, inner)
        for name in HANDLERS:
            yield from _listed(members.get(name), (*here, name), depth + 1, extra | {"error"})


@dataclass(frozen=True, slots=True)
class Declared:
    """Names that expressions may refer to. `vars` is None when a step sets a variable whose name is a template."""

    inputs: frozenset[str]
    vars: frozenset[str] | None
    ids: frozenset[str]

    def roots(self, extra: Collection[str] = ()) -> dict[str, Collection[str] | None]:
        """What the expressions of a step see."""
        roots: dict[str, Collection[str] | None] = {
            "trigger": None,
            "inputs": self.inputs,
            "vars": self.vars,
            "steps": self.ids,
            "execution": EXECUTION_MEMBERS,
            "components": None,
            "plant": None,
        }
        for name in extra:
            roots[name] = ERROR_MEMBERS if name == "error" else None
        return roots


CONDITION_ROOTS: Mapping[str, Collection[str] | None] = {"trigger": None, "components": None, "plant": None}
"""What the condition of a trigger and the key of a de-duplication see."""


def declared(tree: Mapping[str, Any]) -> Declared:
    """The names that the playbook declares, also in places that are wrong."""
    variables: set[str] = set(_names(tree.get("variables")))
    open_ended = False
    ids: set[str] = set()
    for step in steps(tree):
        identity, register = step.members.get("id"), step.members.get("register")
        if isinstance(identity, str):
            ids.add(identity)
        if isinstance(register, str):
            variables.add(register)
        if step.members.get("type") == "set_variable" and step.members.get("scope", "execution") == "execution":
            name = step.members.get("name")
            open_ended = open_ended or (isinstance(name, str) and "{{" in name)
            variables |= {name} if isinstance(name, str) else set()
    return Declared(
        inputs=frozenset(_names(tree.get("inputs"))),
        vars=None if open_ended else frozenset(variables),
        ids=frozenset(ids),
    )


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (name for name in value if isinstance(name, str))
