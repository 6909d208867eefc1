"""One execution as it is followed."""

import asyncio
import time

from cluster import Change
from orchestrator.api.asking import here
from orchestrator.api.execution_shown import detail, told
from orchestrator.api.following import Message
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView
from orchestrator.playbooks.execution import ENDED, ExecutionRow, Status

UNKNOWN_S = 1.0
"""How long a node waits for an execution that another node may know already."""
POLL_S = 0.02


class ExecutionFollowed:
    """`snapshot`, then `changed` for each change, `ended` for the last one."""

    def __init__(self, node: NodeView, execution_id: str) -> None:
        self._node = node
        self._id = execution_id
        self._revision = 0
        self._epoch_unix = 0.0

    async def begin(self, after: int | None, *, held: bool) -> Message | None:
        row = await self._row()
        self._epoch_unix = row.epoch_unix
        if held:
            return None
        self._revision = row.revision
        # A snapshot of what the client knows already would only repeat it; nothing has changed in between.
        if after is not None and row.changed <= after:
            return None
        return Message(row.changed, "snapshot", detail(row), last=not row.open)

    def message(self, change: Change) -> Message | None:
        news = [
            event.data
            for event in change.events
            if event.subject == self._id
            and event.kind == "execution.changed"
            and event.data["revision"] > self._revision
        ]
        if not news:
            return None
        newest = news[-1]
        self._revision = newest["revision"]
        steps = [step for each in news for step in each["steps"]]
        data = {"index": change.index, "id": self._id, **told(self._epoch_unix, {**newest, "steps": steps})}
        # One that was retried since has not ended: what it came to is still to be told.
        row = self._node.state.executions.get(self._id)
        over = Status(newest["status"]) in ENDED and (row is None or row.revision <= self._revision)
        return Message(change.index, "ended" if over else "changed", data, last=over)

    async def over(self, after: int | None) -> bool:
        row = await here(self._node, lambda state: state.executions.get(self._id))
        if row is None:
            return after is None  # forgotten while it was followed; who asks for one that is not there is told so
        return not row.open and (after is None or row.changed <= after)

    async def _row(self) -> ExecutionRow:
        deadline = time.monotonic() + UNKNOWN_S
        while (row := await here(self._node, lambda state: state.executions.get(self._id))) is None:
            if self._node.is_leader() or time.monotonic() >= deadline:
                raise Problem("execution_unknown", f"execution {self._id} is not there; those long ended are forgotten")
            await asyncio.sleep(POLL_S)
        return row
