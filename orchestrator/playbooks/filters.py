"""What an expression may do to a value: filters and tests, each of bounded cost and deterministic. Pure.

Jinja's own are not used: some reach for internals, others make gigabytes of a few letters. A filter that cannot do
what is asked raises `ValueError` or `TypeError` with a message for the author of the playbook.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, Undefined

TEXT_MAX = 64 * 1024
"""Characters of a text that an expression makes, and of the JSON text of what it gives."""
LIST_MAX = 10_000
DEPTH_MAX = 32
INTEGER_MAX = 2**63


class Missing(StrictUndefined):
    """A value that is not there; any use but `is defined` and `default` fails with the message of the first one."""

    __slots__ = ()


def known(names: Iterable[Any]) -> str:
    """A bounded list of names, for messages."""
    texts = sorted(str(name) for name in names)
    return ", ".join(text[:60] for text in texts[:12]) + (f" and {len(texts) - 12} more" if len(texts) > 12 else "")


# ── Bounds ───────────────────────────────────────────────────────────────────────────────────────────────


def plain(value: Any) -> Any:
    """A copy of `value` as plain JSON data. Raises ValueError where it is none, is over 64 KB or nested too deeply."""
    left = TEXT_MAX

    def take(size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            raise ValueError(f"what it gives is over {TEXT_MAX} characters")

    def copy(inner: Any, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError(f"what it gives is nested more than {DEPTH_MAX} deep")
        if isinstance(inner, str):
            take(len(inner) + 2)
            # A subclass of str (an enumeration) becomes the text that it stands for.
            return str.__str__(inner)
        take(4)
        if inner is None or isinstance(inner, bool):
            return inner
        if isinstance(inner, int | float):
            return number(inner)
        if isinstance(inner, Mapping):
            found = {}
            for key, item in inner.items():
                if not isinstance(key, str):
                    raise ValueError(f"the names in a mapping are text, not {kind(key)}")  # noqa: TRY004
                take(len(key) + 2)
                found[str.__str__(key)] = copy(item, depth + 1)
            return found
        _there(inner)
        if isinstance(inner, Sequence) and not isinstance(inner, bytes | bytearray):
            return [copy(item, depth + 1) for item in inner]
        raise ValueError(f"what it gives is no JSON data: {kind(inner)}")

    return copy(value, 0)


def number(value: Any) -> int | float:
    """`value`, a number. Raises TypeError for what is none, ValueError when it is not finite or not within 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _there(value)
        raise TypeError(f"a number is needed here, not {kind(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the number is too large, or none at all")
    if isinstance(value, int) and not -INTEGER_MAX <= value < INTEGER_MAX:
        raise ValueError("the number does not fit into 64 bits")
    return value


def bounded(value: Any) -> Any:
    """`value`, unless it is a text or list that is too long."""
    if isinstance(value, str) and len(value) > TEXT_MAX:
        raise ValueError(f"a text of more than {TEXT_MAX} characters")
    if isinstance(value, list) and len(value) > LIST_MAX:
        raise ValueError(f"a list of more than {LIST_MAX} items")
    return value


def kind(value: Any) -> str:
    """How messages call its type."""
    if value is None:
        return "nothing (null)"
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return type(value).__name__


def shown(value: Any) -> str:
    """`value` inside a text: texts as they are, all else as JSON."""
    if isinstance(value, Undefined):
        return str(value)
    return str.__str__(value) if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)


def _there(value: Any) -> None:
    """Nothing, unless `value` is missing: that raises with its own message."""
    if isinstance(value, Undefined):
        str(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    _there(value)
    raise TypeError(f"a text is needed here, not {kind(value)}")


def _list(value: Any) -> list[Any]:
    _there(value)
    if isinstance(value, Mapping | str) or not isinstance(value, Iterable):
        hint = "; a mapping has the filters keys and values" if isinstance(value, Mapping) else ""
        raise TypeError(f"a list is needed here, not {kind(value)}{hint}")
    found: list[Any] = bounded(list(value))
    return found


def member(value: Any, name: Any, label: str = "") -> Any:
    """`value.name` or `value[name]`: members of mappings and items of lists, and nothing else of a value."""
    if isinstance(value, Undefined):
        return value
    label = label or kind(value)
    if isinstance(value, Mapping):
        if isinstance(name, str | int) and name in value:
            return value[name]
        return Missing(hint=f"{label} has no {str(name)[:80]!r}; it has: {known(value) or 'nothing'}")
    if isinstance(value, list | tuple | str):
        if isinstance(name, int) and not isinstance(name, bool):
            if -len(value) <= name < len(value):
                return value[name]
            return Missing(hint=f"{label} has no item {name}: its length is {len(value)}")
        return Missing(hint=f"{label} has no members, so no {str(name)[:80]!r}")
    return Missing(hint=f"{label} has no members, so no {str(name)[:80]!r}")


# ── Filters ──────────────────────────────────────────────────────────────────────────────────────────────

_UNSET = object()


def default(value: Any, other: Any, boolean: bool = False) -> Any:
    """`other` where the value is not there; with `true` also where it is empty, 0 or null."""
    return other if isinstance(value, Undefined) or (boolean and not value) else value


def lower(value: Any) -> str:
    return str(bounded(_text(value).lower()))


def upper(value: Any) -> str:
    return str(bounded(_text(value).upper()))


def trim(value: Any) -> str:
    return _text(value).strip()


def replace(value: Any, old: str, new: str) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    if not old:
        raise ValueError("replace needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > TEXT_MAX:
        raise ValueError(f"a text of more than {TEXT_MAX} characters")
    return text.replace(old, new)


def join(value: Any, between: str = "") -> str:
    """The items as one text."""
    between, parts, size = _text(between), [], 0
    for item in _list(value):
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
    return len(_list(value))


def first(value: Any) -> Any:
    found = value if isinstance(value, str) else _list(value)
    return found[0] if found else Missing(hint="there is no first item: it is empty")


def last(value: Any) -> Any:
    found = value if isinstance(value, str) else _list(value)
    return found[-1] if found else Missing(hint="there is no last item: it is empty")


def keys(value: Any) -> list[str]:
    return bounded(list(_mapping(value)))  # type: ignore[no-any-return]


def values(value: Any) -> list[Any]:
    return bounded(list(_mapping(value).values()))  # type: ignore[no-any-return]


def _mapping(value: Any) -> Mapping[str, Any]:
    _there(value)
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping is needed here, not {kind(value)}")
    return value


def int_(value: Any, default: Any = _UNSET) -> Any:
    """A whole number of a number or a text; what is none gives `default`, or fails."""
    try:
        return number(int(_text(value).strip()[:40]) if isinstance(value, str) else int(number(value)))
    except (TypeError, ValueError):
        if default is _UNSET:
            raise
        return default


def float_(value: Any, default: Any = _UNSET) -> Any:
    try:
        return number(float(_text(value).strip()[:400]) if isinstance(value, str) else float(number(value)))
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
    for item in _list(value):
        total = number(total + number(item))
    return total


def min_(value: Any) -> Any:
    found = _list(value)
    return min(found) if found else Missing(hint="there is no least item: it is empty")


def max_(value: Any) -> Any:
    found = _list(value)
    return max(found) if found else Missing(hint="there is no greatest item: it is empty")


def sort(value: Any, reverse: bool = False, attribute: str | None = None) -> list[Any]:
    if attribute is None:
        return sorted(_list(value), reverse=bool(reverse))
    return sorted(_list(value), key=lambda item: member(item, attribute), reverse=bool(reverse))


def unique(value: Any) -> list[Any]:
    """The items in their order, each once."""
    found: dict[str, Any] = {}
    left = TEXT_MAX
    for item in _list(value):
        key = json.dumps(plain(item), sort_keys=True)
        left -= len(key)
        if left < 0:
            raise ValueError(f"unique takes items of {TEXT_MAX} characters together")
        found.setdefault(key, item)
    return list(found.values())


def map_(value: Any, attribute: str) -> list[Any]:
    """A member of each item."""
    return [member(item, attribute) for item in _list(value)]


def selectattr(value: Any, attribute: str, test: Any = "true", *other: Any) -> list[Any]:
    """The items whose member passes a test."""
    return [item for item in _list(value) if _passes(member(item, attribute), test, other)]


def rejectattr(value: Any, attribute: str, test: Any = "true", *other: Any) -> list[Any]:
    return [item for item in _list(value) if not _passes(member(item, attribute), test, other)]


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
