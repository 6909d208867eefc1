"""What pydantic found wrong, as problems with a place, in words for the author of a playbook. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from orchestrator.playbooks.actions import Action
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.positions import Loc, PlaybookProblem, Positions
from orchestrator.playbooks.suggestions import did_you_mean
from orchestrator.playbooks.triggers import Trigger
from orchestrator.playbooks.values import kind


def _by_type(union: Any) -> dict[str, type[BaseModel]]:
    models = get_args(get_args(union)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


ACTIONS = _by_type(Action)
TRIGGERS = _by_type(Trigger)
_NEEDED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "tuple_type": "a list",
    "list_type": "a list",
}
# Of several things wrong with one value, these say the least.
_VAGUE = ("tuple_type", "list_type", "string_type")


def problems(
    errors: Iterable[ErrorDetails], tree: Mapping[str, Any], positions: Positions
) -> Iterator[PlaybookProblem]:
    """One problem for each thing that is wrong."""
    by_place: dict[Loc, list[ErrorDetails]] = {}
    for error in errors:
        by_place.setdefault(_place(error, tree), []).append(error)
    for loc, found in by_place.items():
        value = _at(tree, loc)
        # Of a list whose items are wrong pydantic says too that it is short of items, and that it is no text.
        vague = all(error["type"] in ("string_type", "too_short") for error in found)
        if isinstance(value, list) and value and vague and _below(loc, by_place):
            continue
        error, needed = _most_telling(found, value)
        message, hint = _said(error, loc, value, tree, needed)
        place = (*loc, "type") if error["type"] == "union_tag_invalid" else loc
        yield positions.problem(place, message, hint, of_name=_of_name(error))


def members_of(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """The members of a mapping as YAML names them."""
    return {field.alias or name: None for name, field in model.model_fields.items()}


def _place(error: ErrorDetails, tree: Mapping[str, Any]) -> Loc:
    """The place that pydantic gives, without what it adds: the type of an action, the member of a union, `[key]`."""
    found: list[str | int] = []
    current: Any = tree
    parts = error["loc"]
    for at, part in enumerate(parts):
        if at and isinstance(parts[at - 1], int) and isinstance(current, dict) and current.get("type") == part:
            continue  # the type of an action or a trigger, which may be the name of a member too
        if _leads(current, part):
            current = current[part]
        elif at == len(parts) - 1 and error["type"] in ("missing", "extra_forbidden") and isinstance(current, dict):
            current = None
        else:
            continue
        found.append(part)
    return tuple(found)


def _at(tree: Any, loc: Loc) -> Any:
    for part in loc:
        if not _leads(tree, part):
            return None
        tree = tree[part]
    return tree


def _leads(tree: Any, part: str | int) -> bool:
    if isinstance(tree, list):
        return isinstance(part, int) and part < len(tree)
    return isinstance(tree, dict) and part in tree


def _below(loc: Loc, places: Iterable[Loc]) -> bool:
    return any(len(place) > len(loc) and place[: len(loc)] == loc for place in places)


def _most_telling(found: list[ErrorDetails], value: Any) -> tuple[ErrorDetails, str]:
    """One error of those at one place, and what would be right there. A union complains once for each of its kinds."""
    needed = list(dict.fromkeys(_NEEDED[error["type"]] for error in found if error["type"] in _NEEDED))
    ranked = sorted(found, key=lambda error: error["type"] in _VAGUE and (error["type"] == "string_type") + 1)
    best = ranked[0]
    if best["type"] == "string_type" and isinstance(value, list) and len(ranked) > 1:
        best = ranked[1]
    return best, " or ".join(reversed(needed))


def _of_name(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",)


def _said(error: ErrorDetails, loc: Loc, value: Any, tree: Any, needed: str) -> tuple[str, str]:
    """(message, hint)"""
    context: Mapping[str, Any] = error.get("ctx", {})
    last = str(loc[-1]) if loc else "it"
    match error["type"]:
        case "missing":
            return "is missing", _example(loc)
        case "extra_forbidden":
            known = _members_there(_at(tree, loc[:-1]), loc)
            return "there is no such member here", did_you_mean(last, known) or f"known: {', '.join(sorted(known))}"
        case "union_tag_invalid":
            what, table = ("trigger", TRIGGERS) if loc[:1] == ("trigger",) else ("action", ACTIONS)
            tag = str(context.get("tag", ""))[:60]
            return f"there is no {what} {tag!r}", did_you_mean(tag, table) or f"known: {', '.join(table)}"
        case "union_tag_not_found":
            table = TRIGGERS if loc[:1] == ("trigger",) else ACTIONS
            return "`type` is missing", f"one of {', '.join(table)}"
        case "literal_error":
            expected = str(context.get("expected", ""))
            return f"{_quoted(value)} is not possible here", _close(value, expected)
        case "enum":
            expected = str(context.get("expected", ""))
            return f"{_quoted(value)} is not possible here", _close(value, expected)
        case "value_error":
            said = str(context.get("error", error["msg"]))
            names = said.partition("known: ")[2].split(", ")
            return said, did_you_mean(value, names) if isinstance(value, str) else ""
        case "string_pattern_mismatch":
            return f"{_quoted(value if not _of_name(error) else last)} is no name", _PATTERN_HINT
        case "string_too_short" | "too_short":
            return "is empty", ""
        case "string_too_long":
            return f"has more than {context.get('max_length')} characters", ""
        case "too_long":
            return f"has more than {context.get('max_length')} entries", ""
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return error["msg"].replace("Input should be", f"{_quoted(value)} is not possible: it has to be"), ""
        case name if name in _NEEDED:
            return f"{needed or _NEEDED[name]} is needed here, not {kind(value)}", _hint(name, value, last)
    return error["msg"].removeprefix("Input should be "), ""


_PATTERN_HINT = "letters, digits and _, not beginning with a digit; a playbook's name may have . and - too"


def _quoted(value: Any) -> str:
    return repr(value)[:80] if isinstance(value, str | int | float) or value is None else kind(value)


def _close(value: Any, expected: str) -> str:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    return (did_you_mean(value, known) if isinstance(value, str) else "") or f"possible: {', '.join(known)}"


def _hint(name: str, value: Any, member: str) -> str:
    if name == "string_type" and isinstance(value, bool | int | float):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f'as a text it belongs in quotes: "{text}"'
    if name == "string_type" and isinstance(value, dict):
        return 'a template belongs in quotes: "{{ … }}"'
    if name == "string_type" and isinstance(value, list) and member in ("component", "group"):
        return f"several go into `{member}s`"
    if name == "tuple_type" and isinstance(value, dict) and "type" in value:
        return "a dash begins each step: - type: …"
    return ""


def _example(loc: Loc) -> str:
    if loc == ("name",):
        return "name: my_playbook"
    if loc == ("actions",):
        return "actions: a list of steps, each with a type"
    return ""


def _members_there(mapping: Any, loc: Loc) -> Iterable[str]:
    """The members that the mapping at `loc[:-1]` may have."""
    if len(loc) == 1:
        return members_of(Playbook)
    kind_of = mapping.get("type") if isinstance(mapping, dict) else None
    table = TRIGGERS if loc[0] == "trigger" else ACTIONS
    # `inputs` have a type too, so the place decides.
    if isinstance(kind_of, str) and kind_of in table and loc[0] != "inputs":
        return members_of(table[kind_of])
    return members_of(_nested(loc))


def _nested(loc: Loc) -> type[BaseModel]:
    """The model of a mapping that is neither a step nor a trigger."""
    from orchestrator.playbooks import actions, models

    by_name: dict[str | int, type[BaseModel]] = {
        "concurrency": models.Concurrency,
        "throttle": models.Throttle,
        "deduplicate": models.Deduplicate,
        "inputs": models.Input,
        "invariants": models.Invariant,
        "retry": actions.Retry,
    }
    return next((by_name[part] for part in reversed(loc[:-1]) if part in by_name), Playbook)
