"""The plant's journal as it is followed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster import Change
from orchestrator.api.asking import here
from orchestrator.api.execution_shown import raw, rfc3339
from orchestrator.api.following import Message
from orchestrator.api.view import NodeView
from orchestrator.playbooks.journal import public


@dataclass(frozen=True, slots=True)
class Filters:
    """What is shown; None: all. A `type` that ends in `.*` means all that begin so."""

    type: str | None = None
    source: str | None = None
    level: str | None = None
    execution: str | None = None

    def fit(self, line: Mapping[str, Any]) -> bool:
        """Whether a line of the journal, as `journal.public` gives it, is asked for."""
        if self.type is not None:
            beginning = self.type.removesuffix("*")
            if not (line["type"] == self.type or (beginning != self.type and line["type"].startswith(beginning))):
                return False
        return (
            (self.source is None or line["source"] == self.source)
            and (self.level is None or line["level"] == self.level)
            and (self.execution is None or line["execution"] == self.execution)
        )

    def query(self) -> tuple[str, ...]:
        """For a cursor."""
        return ("events", self.type or "", self.source or "", self.level or "", self.execution or "")


def shown(line: Mapping[str, Any]) -> dict[str, Any]:
    """One line as the API shows it. `time`: RFC 3339, by the clock of the node that proposed it."""
    kept = {name: value for name, value in line.items() if name != "at"}
    return {**kept, "time": rfc3339(line["time"]), "data": raw(line["data"])}


class JournalFollowed:
    """`logged` for the lines of each change.

    A client whose place is not held any more begins with a `snapshot`: the lines behind it that the journal still has.
    `may_have_missed`: there may have been others, which the journal has let go.
    """

    def __init__(self, node: NodeView, filters: Filters) -> None:
        self._node = node
        self._filters = filters
        self._number = 0

    async def begin(self, after: int | None, *, held: bool) -> Message | None:
        if held:
            return None
        lines, count = await here(
            self._node, lambda state: (state.executions.journal.lines, state.executions.journal.count)
        )
        self._number = count
        if after is None:
            return None
        newer = [line for line in lines if line.index > after]
        if not newer:
            return None
        missed = newer[0] is lines[0] and newer[0].number > 1
        data = {"index": newer[-1].index, "events": self._fitting(map(public, newer)), "may_have_missed": missed}
        return Message(newer[-1].index, "snapshot", data)

    def message(self, change: Change) -> Message | None:
        lines = [event.data for event in change.events if event.kind == "event.logged"]
        found = self._fitting(line for line in lines if line["number"] > self._number)
        return Message(change.index, "logged", {"index": change.index, "events": found}) if found else None

    async def over(self, after: int | None) -> bool:  # noqa: ARG002 - there is always more to come
        return False

    def _fitting(self, lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [shown(line) for line in lines if self._filters.fit(line)]
