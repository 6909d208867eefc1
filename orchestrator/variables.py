"""The replicated variables: named JSON values with compare-and-set. Pure, deterministic, no clock, no I/O.

A value travels and is kept as its JSON text, which is never parsed here: what a number or a deep nesting means must not
depend on the node that applies it. Names and values are checked once, at the proposer (`Set.of`), and not again here: a
later, stricter rule must not change what an old log says. Only the bounds of the whole registry are kept here.

`revision` tells two states of a variable apart: the index in the log of its last change, and always more than any
revision that was given before, also in a cluster that was restored from the backup of another one. A change with
`if_revision` is made only while the variable has that revision; 0 is that of a variable that does not exist. Setting
the value that is there already is a change too.

A member of a body that this release does not know is refused, as in `orchestrator.components`.

Codes: `precondition_failed` (with `{"revision": …}`, what it is now), `variable_unknown`, `too_many_variables`,
`variables_full`, `invalid_command`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from orchestrator.errors import VariableInvalid, VariableTooLarge

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"
VALUE_BYTES_MAX = 16 * 1024
"""Of the JSON text of one value, in UTF-8."""
VALUE_DEPTH_MAX = 32
"""How deep lists and objects may stand in one another: every client and every language reads as much."""
VARIABLES_MAX = 10_000
VALUES_BYTES_MAX = 4 << 20
"""Of all values together. They are kept in memory and in snapshots of every node, and listed in one answer."""

_NAME = re.compile(NAME_PATTERN.removesuffix("$"))

Position = tuple[int, int]
"""(term, index) in the replicated log."""


class Set(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make with `Set.of`. `value` is JSON text; without `if_revision` it is set whatever was there."""

    kind: ClassVar[str] = "variable.set"
    name: str
    value: str
    if_revision: int | None = None

    @classmethod
    def of(cls, name: str, value: Any, *, if_revision: int | None = None) -> "Set":
        """From a value of JSON data. VariableInvalid, VariableTooLarge."""
        return cls(name=checked_name(name), value=json_text(value), if_revision=if_revision)


class Delete(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str] = "variable.delete"
    name: str
    if_revision: int | None = None


VariableCommand = Set | Delete
KINDS: Mapping[str, type[VariableCommand]] = {command.kind: command for command in (Set, Delete)}


class Result(msgspec.Struct, frozen=True):
    """`value` is plain builtins; `code` is empty when the command was accepted.

    Of `variable.set` it is `{"revision", "time", "created"}`: outcomes are remembered, so they do not hold the value.
    """

    value: Any = None
    code: str = ""
    message: str = ""


class VariableEvent(NamedTuple):
    """`data` has the revision, not the value: changes are held for those who watch."""

    kind: str
    subject: str
    data: dict[str, Any]


class VariableRow(msgspec.Struct, frozen=True, kw_only=True):
    """One variable as every node knows it. `time` is unix seconds of the proposer's clock, for display."""

    name: str
    value: str
    revision: int
    time: float


Applied = tuple[Result, list[VariableEvent]]


class VariableRegistry:
    """Rows by name. `rows` is replaced on change and never altered: any thread may read it without a lock."""

    def __init__(self) -> None:
        self.rows: Mapping[str, VariableRow] = {}
        self.revision = 0
        """the newest that was ever given, also to a variable that is deleted"""
        self._bytes = 0

    def get(self, name: str) -> VariableRow | None:
        return self.rows.get(name)

    @property
    def untouched(self) -> bool:
        """Nothing was ever set."""
        return self.revision == 0

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins, ordered by name: equal states give equal bytes."""
        rows = [msgspec.to_builtins(row) for _, row in sorted(self.rows.items())]
        return {"version": 1, "revision": self.revision, "variables": rows}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError when the snapshot is of a version that this code does not know."""
        if data.get("version") != 1:
            raise ValueError(f"variables: snapshot version {data.get('version')!r} is not known here")
        rows = msgspec.convert(data["variables"], list[VariableRow])
        revision = msgspec.convert(data["revision"], int)
        self._become({row.name: row for row in rows}, revision)

    def adopt(self, other: "VariableRegistry") -> None:
        """Become what `other` is."""
        self._become(other.rows, other.revision)

    def _become(self, rows: Mapping[str, VariableRow], revision: int) -> None:
        self.rows, self.revision = rows, revision
        self._bytes = sum(_size(row.value) for row in rows.values())

    def apply(self, kind: str, body: bytes, *, time: float, position: Position) -> Applied:
        """Apply one command; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Result(code="invalid_command", message=f"{kind}: {error}"), []
        match command:
            case Set():
                return self._set(command, time, position)
            case Delete():
                return self._delete(command, position)

    def _set(self, command: Set, time: float, position: Position) -> Applied:
        held = self.rows.get(command.name)
        if (refusal := _unmet(command, held)) is not None:
            return refusal, []
        if held is None and len(self.rows) >= VARIABLES_MAX:
            message = f"{VARIABLES_MAX} variables are set already; delete some first"
            return Result(code="too_many_variables", message=message), []
        total = self._bytes + _size(command.value) - (0 if held is None else _size(held.value))
        if total > VALUES_BYTES_MAX and total > self._bytes:
            message = f"the values of all variables would have {total} bytes, the limit is {VALUES_BYTES_MAX}"
            return Result(code="variables_full", message=message), []
        revision = self._next_revision(position)
        row = VariableRow(name=command.name, value=command.value, revision=revision, time=time)
        self.rows = {**self.rows, row.name: row}
        self._bytes = total
        value = {"revision": revision, "time": time, "created": held is None}
        return Result(value=value), [VariableEvent("variable.set", row.name, {"revision": revision})]

    def _delete(self, command: Delete, position: Position) -> Applied:
        held = self.rows.get(command.name)
        if (refusal := _unmet(command, held)) is not None:
            return refusal, []
        if held is None:
            return Result(code="variable_unknown", message=f"variable {command.name} is not set"), []
        self.rows = {name: row for name, row in self.rows.items() if name != command.name}
        self._bytes -= _size(held.value)
        revision = self._next_revision(position)
        return Result(), [VariableEvent("variable.deleted", command.name, {"revision": revision})]

    def _next_revision(self, position: Position) -> int:
        self.revision = max(position[1], self.revision + 1)
        return self.revision


def checked_name(name: str) -> str:
    """`name` itself. VariableInvalid."""
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 128 else f"{name[:128]}…"
        raise VariableInvalid(
            f"{shown!r} is not the name of a variable: 1 to 128 letters, digits, '_', '.' and '-', not beginning with "
            "'.' or '-'"
        )
    return name


def json_text(value: Any) -> str:
    """The JSON of `value` as it is replicated: no blanks, no NaN. VariableInvalid, VariableTooLarge."""
    if _deeper_than(value, VALUE_DEPTH_MAX):
        raise VariableInvalid(f"a value has at most {VALUE_DEPTH_MAX} lists and objects in one another")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = _size(text)
    except (TypeError, ValueError) as error:  # UnicodeEncodeError, half a surrogate pair, is a ValueError
        raise VariableInvalid(f"a value is JSON data: {error}") from None
    if size > VALUE_BYTES_MAX:
        raise VariableTooLarge(f"the value has {size} bytes as JSON, the limit is {VALUE_BYTES_MAX}")
    return text


def _deeper_than(value: Any, levels: int) -> bool:
    """Without recursion: how deep that may go would depend on the caller."""
    level = [value]
    for _ in range(levels + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list | tuple):
                inner += item
        if not inner:
            return False
        level = inner
    return True


def _unmet(command: VariableCommand, held: VariableRow | None) -> Result | None:
    """The refusal of a change whose variable has another revision than it asks for."""
    revision = 0 if held is None else held.revision
    if command.if_revision is None or command.if_revision == revision:
        return None
    now = f"has revision {revision}" if revision else "does not exist"
    wanted = f"revision {command.if_revision}" if command.if_revision else "that it does not exist"
    message = f"variable {command.name} {now}, the condition was {wanted}; nothing was changed"
    return Result(value={"revision": revision}, code="precondition_failed", message=message)


def _size(text: str) -> int:
    return len(text.encode())
