"""Exports the spans of executions while this node leads, and lets commands carry the span of their step."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from framebuffer.tracing import SpanSink
from orchestrator.events import CommandAnswer
from orchestrator.logs import about
from orchestrator.playbooks.effect import Effect, Result
from orchestrator.playbooks.execution import ExecutionRow
from orchestrator.playbooks.tracing import ended_spans, lately_ended, step_context

__all__ = ["ExecutionSpans", "SendCommand"]

log = logging.getLogger(__name__)

_carried: ContextVar[str | None] = ContextVar("traceparent of the step", default=None)

Perform = Callable[[Effect], Awaitable[Result]]


class SendCommand(Protocol):
    """`PlantDuty.send_command`."""

    async def __call__(
        self,
        component_id: str,
        command: str,
        key: str,
        *,
        params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> CommandAnswer: ...


class ExecutionSpans:
    """Args:

    rows: the executions as they are now.
    sink: where spans go; None: none are made, commands carry none, and only the log says what effects are about.
    """

    def __init__(self, rows: Callable[[], Mapping[str, ExecutionRow]], sink: Callable[[], SpanSink | None]) -> None:
        self._rows = rows
        self._sink = sink

    def recorded(self, before: ExecutionRow, after: ExecutionRow) -> None:
        """A record was committed here: see `PlaybookParts.listeners`."""
        sink = self._sink()
        if sink is not None and (spans := ended_spans(before, after, self._rows())):
            sink.export(spans)

    def taken_over(self, now: float) -> None:
        """This node leads from now on. `now`: plant time."""
        sink = self._sink()
        if sink is None:
            return
        spans = list(lately_ended(self._rows(), now))
        if spans:
            log.info("%d spans of executions are exported once more", len(spans))
            sink.export(spans)

    def performing(self, perform: Perform) -> Perform:
        """`perform`, so that what is logged and sent within is about the effect's step."""

        async def performed(effect: Effect) -> Result:
            row = self._rows().get(effect.execution)
            if row is None:
                return await perform(effect)
            context = step_context(row, effect.path, self._rows())
            token = _carried.set(None if self._sink() is None else context.format())
            try:
                with about(execution=effect.execution, trace=context.trace_id):
                    return await perform(effect)
            finally:
                _carried.reset(token)

        return performed

    def sending(self, send_command: SendCommand) -> SendCommand:
        """`send_command`, with the traceparent of the step that it is called for."""

        async def sent(
            component_id: str,
            command: str,
            key: str,
            *,
            params: Mapping[str, Any] | None = None,
            traceparent: str | None = None,
        ) -> CommandAnswer:
            return await send_command(
                component_id, command, key, params=params, traceparent=traceparent or _carried.get()
            )

        return sent
