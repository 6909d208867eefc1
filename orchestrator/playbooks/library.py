"""The playbooks that all nodes know, by name and version, as their YAML text. Pure, deterministic, no clock, no I/O.

A text is checked once, at the proposer, and not again here: a stricter release must not change what an old log says.

Codes: `precondition_failed` (with `{"version": …}`, the newest now), `playbook_unknown`, `too_many_playbooks`,
`playbooks_full`, `invalid_command`.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from orchestrator.playbooks.execution import PlaybookDelete, PlaybookPut
from orchestrator.playbooks.told import Applied, Change, Told

PLAYBOOKS_MAX = 500
TEXT_BYTES_MAX = 64 * 1024
TEXTS_BYTES_MAX = 8 << 20
"""Of all versions together: they are kept in memory and in snapshots of every node."""
VERSIONS_KEPT = 10
"""Of one playbook, beside those that executions run under."""
REMEMBERED_MAX = 1_000
"""Names of deleted playbooks whose numbering goes on when they come back."""


class PlaybookVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is unix seconds of the proposer's clock, for display."""

    version: int
    text: str
    time: float
    who: str = ""


class PlaybookRow(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook; the newest version is the last. A deleted one is kept while executions run under it."""

    name: str
    versions: tuple[PlaybookVersion, ...]
    deleted: bool = False

    @property
    def newest(self) -> PlaybookVersion:
        return self.versions[-1]


class PlaybookLibrary:
    """Rows by name. `rows` is replaced on change and never altered: any thread may read it without a lock."""

    def __init__(self) -> None:
        self.rows: Mapping[str, PlaybookRow] = {}
        self.numbers: Mapping[str, int] = {}
        self._bytes = 0

    @property
    def untouched(self) -> bool:
        return not self.rows and not self.numbers

    def get(self, name: str) -> PlaybookRow | None:
        """A playbook that is there now."""
        row = self.rows.get(name)
        return None if row is None or row.deleted else row

    def text(self, name: str, version: int) -> str | None:
        """The YAML of one version, also of a deleted playbook that executions still run under."""
        row = self.rows.get(name)
        found = [] if row is None else [each.text for each in row.versions if each.version == version]
        return found[0] if found else None

    def snapshot(self) -> dict[str, Any]:
        rows = [msgspec.to_builtins(row) for _, row in sorted(self.rows.items())]
        return {"rows": rows, "numbers": dict(self.numbers)}

    def restore(self, data: Mapping[str, Any]) -> None:
        rows = msgspec.convert(data["rows"], list[PlaybookRow])
        self.rows = {row.name: row for row in rows}
        self.numbers = msgspec.convert(data["numbers"], dict[str, int])
        self._bytes = sum(_size(row) for row in rows)

    def put(self, command: PlaybookPut, *, time: float, in_use: Collection[int]) -> Applied:
        """`in_use`: versions that open executions run under."""
        held = self.get(command.name)
        if (refusal := _unmet(command.name, command.if_version, held)) is not None:
            return refusal, []
        if held is not None and held.newest.text == command.text:
            return Told(value={"name": held.name, "version": held.newest.version, "created": False}), []
        if held is None and sum(not row.deleted for row in self.rows.values()) >= PLAYBOOKS_MAX:
            return Told(code="too_many_playbooks", message=f"{PLAYBOOKS_MAX} playbooks are there; delete some"), []
        former = self.rows.get(command.name)
        number = 1 + (former.newest.version if former is not None else self.numbers.get(command.name, 0))
        version = PlaybookVersion(version=number, text=command.text, time=time, who=command.who)
        kept = () if former is None else _kept(former.versions, in_use, VERSIONS_KEPT - 1)
        row = PlaybookRow(name=command.name, versions=(*kept, version))
        total = self._bytes + _size(row) - (0 if former is None else _size(former))
        if total > TEXTS_BYTES_MAX and total > self._bytes:
            message = f"all playbooks would have {total} bytes, the limit is {TEXTS_BYTES_MAX}; delete some"
            return Told(code="playbooks_full", message=message), []
        self._store(row)
        value = {"name": row.name, "version": number, "created": True}
        return Told(value=value), [Change("playbook.put", row.name, {"version": number})]

    def delete(self, command: PlaybookDelete, *, in_use: Collection[int]) -> Applied:
        held = self.get(command.name)
        if (refusal := _unmet(command.name, command.if_version, held)) is not None:
            return refusal, []
        if held is None:
            return Told(code="playbook_unknown", message=f"playbook {command.name} is not there"), []
        self._store(msgspec.structs.replace(held, deleted=True))
        self.released(command.name, in_use)
        return Told(), [Change("playbook.deleted", command.name, {})]

    def released(self, name: str, in_use: Collection[int]) -> None:
        """An execution has ended: what only it needed is forgotten."""
        row = self.rows.get(name)
        if row is None:
            return
        if row.deleted:
            kept = tuple(each for each in row.versions if each.version in in_use)
            if not kept:
                self._forget(row)
                return
            kept = kept if kept[-1] == row.newest else (*kept, row.newest)
        else:
            kept = _kept(row.versions, in_use, VERSIONS_KEPT)
        if kept != row.versions:
            self._store(msgspec.structs.replace(row, versions=kept))

    def _store(self, row: PlaybookRow) -> None:
        former = self.rows.get(row.name)
        self._bytes += _size(row) - (0 if former is None else _size(former))
        self.rows = {**self.rows, row.name: row}

    def _forget(self, row: PlaybookRow) -> None:
        self._bytes -= _size(row)
        self.rows = {name: each for name, each in self.rows.items() if name != row.name}
        numbers = {name: number for name, number in self.numbers.items() if name != row.name}
        numbers[row.name] = row.newest.version
        while len(numbers) > REMEMBERED_MAX:
            del numbers[next(iter(numbers))]
        self.numbers = numbers


def _kept(versions: tuple[PlaybookVersion, ...], in_use: Collection[int], newest: int) -> tuple[PlaybookVersion, ...]:
    last = versions[-newest:] if newest else ()
    return tuple(each for each in versions if each in last or each.version in in_use)


def _size(row: PlaybookRow) -> int:
    return sum(len(each.text.encode()) for each in row.versions)


def _unmet(name: str, wanted: int | None, held: PlaybookRow | None) -> Told | None:
    version = 0 if held is None else held.newest.version
    if wanted is None or wanted == version:
        return None
    now = f"has version {version}" if version else "is not there"
    message = f"playbook {name} {now}, the condition was {f'version {wanted}' if wanted else 'that it is not there'}"
    return Told(value={"version": version}, code="precondition_failed", message=message)
