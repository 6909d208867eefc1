"""Values as expressions see them: plain JSON data, each within bounds. Pure."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2 import StrictUndefined, Undefined

TEXT_MAX = 64 * 1024
"""Characters of a text that an expression makes, and of the JSON text of what it gives."""
LIST_MAX = 10_000
WORK_MAX = 100_000
"""Items of lists that one evaluation may go through, in all its filters together."""
DEPTH_MAX = 32
INTEGER_MAX = 2**63


class Missing(StrictUndefined):
    """A value that is not there; any use but `is defined` and `default` fails with the message of the first one.

    What is there instead is put together only when it is told.
    """

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        value, name = self._undefined_obj, str(self._undefined_name)[:80]
        if isinstance(value, Mapping):
            return f"a mapping has no {name!r}; it has: {known(value) or 'nothing'}"
        if isinstance(value, list | tuple | str) and isinstance(self._undefined_name, int):
            return f"{kind(value)} has no item {name}: its length is {len(value)}"
        return f"{kind(value)} has no members, so no {name!r}"


def known(names: Iterable[Any]) -> str:
    """A bounded list of names, for messages."""
    texts = sorted(str(name) for name in names)
    return ", ".join(text[:60] for text in texts[:12]) + (f" and {len(texts) - 12} more" if len(texts) > 12 else "")


# ── Bounds ───────────────────────────────────────────────────────────────────────────────────────────────


class Room:
    """How many characters may still be given."""

    def __init__(self) -> None:
        self.left = TEXT_MAX

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError(f"what it gives is over {TEXT_MAX} characters")


def plain(value: Any, room: Room | None = None) -> Any:
    """A copy of `value` as plain JSON data. Raises ValueError where it is none, is over 64 KB or nested too deeply."""
    take = (room or Room()).take

    def copy(inner: Any, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError(f"what it gives is nested more than {DEPTH_MAX} deep")
        if isinstance(inner, str):
            take(len(inner) + 2)
            return whole(inner)
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
                found[whole(key)] = copy(item, depth + 1)
            return found
        there(inner)
        if isinstance(inner, Sequence) and not isinstance(inner, bytes | bytearray):
            return [copy(item, depth + 1) for item in inner]
        raise ValueError(f"what it gives is no JSON data: {kind(inner)}")

    return copy(value, 0)


def whole(text: str) -> str:
    """A text, also of a subclass (an enumeration). ValueError where it cannot be sent or stored."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair is no character") from None
    return str.__str__(text)


def readable(text: str) -> str:
    """What somebody else has said, with a mark in the place of what is no character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def number(value: Any) -> int | float:
    """`value`, a number. Raises TypeError for what is none, ValueError when it is not finite or not within 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        there(value)
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


def there(value: Any) -> None:
    """Nothing, unless `value` is missing: that raises with its own message."""
    if isinstance(value, Undefined):
        str(value)


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    there(value)
    raise TypeError(f"a text is needed here, not {kind(value)}")


def list_of(value: Any) -> list[Any]:
    there(value)
    if isinstance(value, Mapping | str) or not isinstance(value, Iterable):
        hint = "; a mapping has the filters keys and values" if isinstance(value, Mapping) else ""
        raise TypeError(f"a list is needed here, not {kind(value)}{hint}")
    found: list[Any] = bounded(list(value))
    spend(len(found))
    return found


_LEFT: ContextVar[list[int] | None] = ContextVar("work_left", default=None)


@contextmanager
def bounded_work() -> Iterator[None]:
    """What is evaluated inside goes through at most 100,000 items; then it fails with ValueError."""
    token = _LEFT.set([WORK_MAX])
    try:
        yield
    finally:
        _LEFT.reset(token)


def spend(items: int) -> None:
    """Takes so many items off what the evaluation may go through."""
    left = _LEFT.get()
    if left is not None:
        left[0] -= items
        if left[0] < 0:
            raise ValueError(f"it goes through more than {WORK_MAX} items")


def member(value: Any, name: Any) -> Any:
    """`value.name` or `value[name]`: members of mappings and items of lists, and nothing else of a value."""
    if isinstance(value, Undefined):
        return value
    if isinstance(value, Mapping) and isinstance(name, str):
        try:
            return value[name]  # one look, as what stands there may be made only then
        except KeyError:
            return Missing(obj=value, name=name)
    if isinstance(value, list | tuple | str) and isinstance(name, int) and not isinstance(name, bool):
        return value[name] if -len(value) <= name < len(value) else Missing(obj=value, name=name)  # type: ignore[arg-type]
    return Missing(obj=value, name=name)


def mapping_of(value: Any) -> Mapping[str, Any]:
    there(value)
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping is needed here, not {kind(value)}")
    return value


def templated(value: Any) -> bool:
    """Whether there is a template in it, at whatever depth."""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, Mapping):
        return any(templated(key) or templated(each) for key, each in value.items())
    return isinstance(value, list | tuple) and any(map(templated, value))
