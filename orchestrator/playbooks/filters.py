"""What an expression may do to a value: filters and tests, each of bounded cost and deterministic. Pure.

Jinja's own are not used: some reach for internals, others make gigabytes of a few letters. A filter that cannot do
what is asked raises `ValueError` or `TypeError` with a message for the author of the playbook.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Undefined

from orchestrator.playbooks.values import (
    TEXT_MAX,
    Missing,
    bounded,
    known,
    list_of,
    mapping_of,
    member,
    number,
    plain,
    shown,
    spend,
    text_of,
    there,
)

_UNSET = object()


def default(value: Any, other: Any, boolean: bool = False) -> Any:
    """`other` where the value is not there; with `true` also where it is empty, 0 or null."""
    return other if isinstance(value, Undefined) or (boolean and not value) else value


def lower(value: Any) -> str:
    return str(bounded(text_of(value).lower()))


def upper(value: Any) -> str:
    return str(bounded(text_of(value).upper()))


def trim(value: Any) -> str:
    return text_of(value).strip()


def replace(value: Any, old: str, new: str) -> str:
    text, old, new = text_of(value), text_of(old), text_of(new)
    if not old:
        raise ValueError("replace needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > TEXT_MAX:
        raise ValueError(f"a text of more than {TEXT_MAX} characters")
    return text.replace(old, new)


def join(value: Any, between: str = "") -> str:
    """The items as one text."""
    between, parts, size = text_of(between), [], 0
    for item in list_of(value):
        parts.append(shown(item))
        size += len(parts[-1]) + len(between)
        if size > TEXT_MAX + len(between):
            raise ValueError(f"a text of more than {TEXT_MAX} characters")
    return between.join(parts)


def tojson(value: Any) -> str:
    return str(bounded(json.dumps(plain(value), ensure_ascii=False)))


def length(value: Any) -> int:
    if isinstance(value, str | Mapping):
        return len(value)
    return len(list_of(value))


def first(value: Any) -> Any:
    found = value if isinstance(value, str) else list_of(value)
    return found[0] if found else Missing(hint="there is no first item: it is empty")


def last(value: Any) -> Any:
    found = value if isinstance(value, str) else list_of(value)
    return found[-1] if found else Missing(hint="there is no last item: it is empty")


def keys(value: Any) -> list[str]:
    return list_of(list(mapping_of(value)))


def values(value: Any) -> list[Any]:
    spend(len(mapping_of(value)))
    return list_of(list(mapping_of(value).values()))


def int_(value: Any, default: Any = _UNSET) -> Any:
    """A whole number of a number or a text; what is none gives `default`, or fails."""
    try:
        return number(int(text_of(value).strip()[:40]) if isinstance(value, str) else int(number(value)))
    except (TypeError, ValueError):
        if default is _UNSET:
            raise
        return default


def float_(value: Any, default: Any = _UNSET) -> Any:
    try:
        return number(float(text_of(value).strip()[:400]) if isinstance(value, str) else float(number(value)))
    except (TypeError, ValueError):
        if default is _UNSET:
            raise
        return default


def round_(value: Any, places: int = 0) -> int | float:
    """Without places a whole number."""
    if type(places) is not int or not 0 <= places <= 15:
        raise ValueError("round takes 0 to 15 places")
    return number(round(number(value), places) if places else round(number(value)))


def abs_(value: Any) -> int | float:
    return number(abs(number(value)))


def sum_(value: Any) -> int | float:
    total: int | float = 0
    for item in list_of(value):
        total = number(total + number(item))
    return total


def min_(value: Any) -> Any:
    found = list_of(value)
    return min(found) if found else Missing(hint="there is no least item: it is empty")


def max_(value: Any) -> Any:
    found = list_of(value)
    return max(found) if found else Missing(hint="there is no greatest item: it is empty")


def sort(value: Any, reverse: bool = False, attribute: str | None = None) -> list[Any]:
    if attribute is None:
        return sorted(list_of(value), reverse=bool(reverse))
    return sorted(list_of(value), key=lambda item: member(item, attribute), reverse=bool(reverse))


def unique(value: Any) -> list[Any]:
    """The items in their order, each once."""
    found: dict[str, Any] = {}
    left = TEXT_MAX
    for item in list_of(value):
        key = json.dumps(plain(item), sort_keys=True)
        left -= len(key)
        if left < 0:
            raise ValueError(f"unique takes items of {TEXT_MAX} characters together")
        found.setdefault(key, item)
    return list(found.values())


def map_(value: Any, attribute: str) -> list[Any]:
    """A member of each item."""
    return [member(item, attribute) for item in list_of(value)]


def selectattr(value: Any, attribute: str, test: Any = "true", *other: Any) -> list[Any]:
    """The items whose member passes a test."""
    return [item for item in list_of(value) if _passes(member(item, attribute), test, other)]


def rejectattr(value: Any, attribute: str, test: Any = "true", *other: Any) -> list[Any]:
    return [item for item in list_of(value) if not _passes(member(item, attribute), test, other)]


def _passes(value: Any, test: Any, other: tuple[Any, ...]) -> bool:
    if not isinstance(test, str) or test not in TESTS:
        raise ValueError(f"there is no test {str(test)[:60]!r}; known: {known(TESTS)}")
    if test == "true" and not other:
        return bool(value)
    return bool(TESTS[test](value, *other))


FILTERS: dict[str, Callable[..., Any]] = {
    "default": default,
    "lower": lower,
    "upper": upper,
    "trim": trim,
    "replace": replace,
    "join": join,
    "tojson": tojson,
    "length": length,
    "first": first,
    "last": last,
    "keys": keys,
    "values": values,
    "int": int_,
    "float": float_,
    "round": round_,
    "abs": abs_,
    "sum": sum_,
    "min": min_,
    "max": max_,
    "sort": sort,
    "unique": unique,
    "map": map_,
    "selectattr": selectattr,
    "rejectattr": rejectattr,
}


def _in(value: Any, other: Any) -> bool:
    there(value)
    there(other)
    return value in other


TESTS: dict[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, float),
    "string": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, Mapping),
    "sequence": lambda value: isinstance(value, list | tuple),
    "odd": lambda value: number(value) % 2 == 1,
    "even": lambda value: number(value) % 2 == 0,
    "in": _in,
    "eq": lambda value, other: bool(value == other),
    "ne": lambda value, other: bool(value != other),
    "lt": lambda value, other: bool(value < other),
    "le": lambda value, other: bool(value <= other),
    "gt": lambda value, other: bool(value > other),
    "ge": lambda value, other: bool(value >= other),
}
