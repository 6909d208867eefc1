"""`CommandedListener`: an event listener that has a lifecycle and does commands, each once per idempotency key.

A repeat gets the first answer. A command that was refused has done nothing, and is judged anew when it is repeated. A
command under an older epoch than one seen before is refused: its sender leads no more. So is one without an epoch, once
a leader has spoken: silence does not pass.

What was begun by a process that crashed is never done a second time by itself: its key is answered
`command_interrupted`, and the component is in FAULT until CMD_RESET, as nobody knows what was left half done. Work that
was declared idempotent is done again instead, if the state allows it.
"""

import asyncio
import contextvars
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel

from framebuffer.tracing import SpanSink
from orchestrator.command_memory import CommandMemory, Entry
from orchestrator.command_spans import export_handled
from orchestrator.errors import (
    CommandRefused,
    CommandUnsupported,
    ComponentBusy,
    ComponentStopping,
    EventInvalid,
    KeyReused,
    MemoryFailed,
    StaleEpoch,
)
from orchestrator.events import (
    COMMAND,
    REASON_CHARS_MAX,
    CommandAnswer,
    CommandPayload,
    Event,
    StateChangedPayload,
)
from orchestrator.lifecycle import PASSAGES, Command, Refusal, Signal, State, transition
from orchestrator.listener import Answer, EventListener
from orchestrator.own_commands import OwnCommand, params_digest, with_result

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

ANSWER_WITHIN_S = 2.0
"""A command that works longer is answered with `completed` false, and goes on."""

_traceparent: contextvars.ContextVar[str | None] = contextvars.ContextVar("traceparent", default=None)

_epoch: contextvars.ContextVar[str | None] = contextvars.ContextVar("epoch", default=None)


def current_traceparent() -> str | None:
    """The W3C traceparent of the command that is being done here; None when it came without one."""
    return _traceparent.get()


def current_epoch() -> str | None:
    """The epoch (`term.index`) of the leader that sent the command which is being done here; None without one."""
    return _epoch.get()


@dataclass(frozen=True, slots=True)
class _Work:
    """One command that may begin. `target`: where a lifecycle command leads; None for one of the component's own."""

    command: Command | str
    key: str
    digest: str
    target: State | None
    run: Callable[[], Awaitable[Answer]]


class CommandedListener(EventListener):
    """Commands and the lifecycle; `orchestrator.component` adds life and reports. `memory`: see `CommandMemory`."""

    idempotent_commands: ClassVar[frozenset[Command]] = frozenset()
    """Lifecycle commands whose hook may safely be run again after a crash in the middle of it."""

    def __init__(self, listener_id: str, *, name: str, token: str | Sequence[str] | None, memory: Path | None) -> None:
        super().__init__(listener_id, name=name, token=token)
        self.state = State.READY
        self.reason = ""
        self.incarnation = uuid.uuid4().hex
        self.spans: SpanSink | None = None
        """Where the spans of its work on commands go, such as `framebuffer.otlp.from_environment(…)`."""
        self._sequence = 0
        self._own: dict[str, OwnCommand] = {}
        self._memory = CommandMemory(memory)
        self._running: dict[str, asyncio.Task[CommandAnswer]] = {}
        self._working: asyncio.Task[CommandAnswer] | None = None
        self._faults = 0
        self._leaving: asyncio.Task[None] | None = None
        self.on(COMMAND, CommandPayload, self._on_command)

    # ── To override ────────────────────────────────

    async def on_initialize(self) -> None:
        """READY → INITIALIZING → (this returns) → INIT_COMPLETE."""

    async def on_start(self) -> None:
        """INIT_COMPLETE → (this returns) → STARTED."""

    async def on_stop(self) -> None:
        """STARTED or INIT_COMPLETE → STOPPING → (this returns: what was in flight is finished) → STOPPED."""

    async def on_reset(self) -> None:
        """STOPPED or FAULT → (this returns) → READY."""

    def _state_entered(self, change: StateChangedPayload) -> None:
        """The state has changed."""

    # ── To call ────────────────────────────────

    def on_command(
        self,
        name: str,
        params: type[M],
        handle: Callable[[M], Awaitable[Answer]],
        *,
        states: tuple[State, ...] = (State.STARTED,),
        idempotent: bool = False,
    ) -> None:
        """Take a command of the component's own, done once per key as those of the lifecycle are.

        `params` validates what comes with it, `states` are those in which it is possible. What `handle` returns goes
        back as `result`. What it raises is answered as `command_failed`; the state stays, unless it calls `fault`.
        `idempotent`: it may be run again after a crash in the middle of it. Raises ValueError for a name that is none.
        """
        if name in self._own:
            raise ValueError(f"{name} has a handler already")
        self._own[name] = OwnCommand(name, params, handle, states, idempotent)

    def fault(self, reason: str) -> None:
        """Go into FAULT: the component has found out by itself that it cannot go on."""
        self._faults += 1
        self._enter(State.FAULT, reason)

    # ── Commands ────────────────────────────────

    async def _on_command(self, event: Event, payload: CommandPayload) -> CommandAnswer:
        key = event.idempotency_key
        if key is None:
            raise EventInvalid("idempotency_key: a command needs one, so that a repeat is not done twice")
        await self._check_epoch(event.epoch)
        command, digest = payload.command, params_digest(payload.params)
        known = self._memory.get(key)
        if known is not None and (known.command, known.digest) != (command, digest):
            what = known.command if known.command != command else f"{command} with other params"
            raise KeyReused(f"key {key} was {what} before, not {command}")
        task = self._running.get(key)
        if task is None and known is not None:
            if known.answer is not None:
                return CommandAnswer.model_validate({**known.answer, "repeated": True})
            if not self._may_repeat(known):
                return self._interrupted(key, known)
        repeated = task is not None
        if task is None:
            task = self._begin(self._judge(payload, key, digest), event.traceparent, event.epoch)
        done, _ = await asyncio.wait({task}, timeout=ANSWER_WITHIN_S)
        answer = task.result() if done else self._answer(command, key, completed=False)
        return answer.model_copy(update={"repeated": True}) if repeated else answer

    async def _check_epoch(self, text: str | None) -> None:
        # No epoch is older than any.
        term, _, index = (text or "0.0").partition(".")
        epoch = (int(term), int(index))
        if epoch > self._memory.epoch:
            await self._memory.note_epoch(epoch)
        if epoch < self._memory.epoch:  # also when a newer leader spoke while that was written
            newest = f"{self._memory.epoch[0]}.{self._memory.epoch[1]}"
            raise StaleEpoch(f"a leader of epoch {newest} has spoken, this command is of {text or 'none'}")

    def _judge(self, payload: CommandPayload, key: str, digest: str) -> _Work:
        """What is to be done. Raises what keeps it from being begun; then nothing has happened."""
        if self._leaving is not None:
            raise ComponentStopping(f"{self.id} is going away and takes no new work")
        command = payload.command
        if isinstance(command, Command):
            if payload.params:
                raise EventInvalid(f"payload.params: {command} is a command of the lifecycle and takes none")
            self._check_idle()
            target = transition(self.state, command)
            if isinstance(target, Refusal):
                raise CommandRefused(target.reason, state=self.state)
            return _Work(command, key, digest, target, self._hook(command))
        own = self._own.get(command)
        if own is None:
            known = ", ".join([*Command, *sorted(self._own)])
            raise CommandUnsupported(f"{self.id} has no command {command}; it has: {known}")
        params = own.read(payload.params)
        self._check_idle()
        own.check(self.state)
        return _Work(command, key, digest, None, lambda: own.handle(params))

    def _check_idle(self) -> None:
        if self._working is not None and not self._working.done():
            raise ComponentBusy(f"{self.id} is busy with another command; its state is {self.state}")

    def _hook(self, command: Command) -> Callable[[], Awaitable[None]]:
        return {
            Command.INITIALIZE: self.on_initialize,
            Command.START: self.on_start,
            Command.GRACEFUL_STOP: self.on_stop,
            Command.RESET: self.on_reset,
        }[command]

    def _begin(self, work: _Work, traceparent: str | None, epoch: str | None = None) -> asyncio.Task[CommandAnswer]:
        context = contextvars.copy_context()
        context.run(_traceparent.set, traceparent)
        context.run(_epoch.set, epoch)
        began_ns = time.time_ns()
        task = asyncio.create_task(self._do(work), name=f"{self.id}-{work.command}", context=context)
        self._working = self._running[work.key] = task

        def ended(task: asyncio.Task[CommandAnswer]) -> None:
            self._running.pop(work.key, None)
            export_handled(self.spans, self.id, work.command, work.key, traceparent, began_ns, task)
            _ = task.cancelled() or task.exception()  # whoever asked for it may be gone

        task.add_done_callback(ended)
        return task

    def _depart(self, command: Command, target: State) -> None:
        """Do what belongs to leaving, as a command of the component to itself."""
        self._begin(_Work(command, f"leaving-{self.incarnation}", "", target, self._hook(command)), None)

    async def _do(self, work: _Work) -> CommandAnswer:
        command, key, faults = work.command, work.key, self._faults
        given: Answer = None
        failure = ""
        try:
            await self._memory.begin(key, command, work.digest)
            if work.target in PASSAGES:
                assert work.target is not None  # noqa: S101 - a passage is a state
                self._enter(work.target, "")
            given = await work.run()
        except MemoryFailed:
            raise
        except asyncio.CancelledError:
            # This task's own cancellation or one inside the hook: the state must not stay a passage for ever. The task
            # ends here either way, so nothing is held up by not raising it again.
            failure = f"{command} was cancelled"
            self.fault(failure)
        except Exception as error:
            log.exception("component %s: %s failed", self.id, command)
            failure = f"{command} failed: {type(error).__name__}: {error}"[: 2 * REASON_CHARS_MAX]
            if work.target is not None:
                self.fault(failure)
        if self._faults != faults:  # here, or by the component's own call while the command worked
            failure = self.reason
        if failure:
            return await self._finished(self._answer(command, key, code="command_failed", message=failure))
        if work.target is not None:
            reached = transition(work.target, Signal.DONE) if work.target in PASSAGES else work.target
            assert isinstance(reached, State)  # noqa: S101 - each passage has a row for DONE
            self._enter(reached, "")
        if command == Command.RESET:
            await self._settle()
        return await self._finished(with_result(self._answer(command, key), given))

    async def _finished(self, answer: CommandAnswer) -> CommandAnswer:
        try:
            await self._memory.finish(answer.key, answer.model_dump(mode="json"))
        except MemoryFailed as error:
            # It is done and answered; only after a crash it would count as interrupted.
            log.error("component %s: what %s led to is not on disk: %s", self.id, answer.command, error)
        return answer

    def _answer(
        self, command: Command | str, key: str, *, completed: bool = True, code: Any = "", message: str = ""
    ) -> CommandAnswer:
        return CommandAnswer(
            component_id=self.id,
            command=command,
            key=key,
            state=self.state,
            completed=completed,
            incarnation=self.incarnation,
            sequence=self._sequence,
            code=code,
            message=message,
        )

    def _enter(self, state: State, reason: str) -> None:
        previous, self.state = self.state, state
        self.reason = reason[:REASON_CHARS_MAX]
        self._sequence += 1
        log.info("component %s: %s → %s %s", self.id, previous, state, reason)
        change = {"state": state, "reason": self.reason, "incarnation": self.incarnation, "sequence": self._sequence}
        self._state_entered(StateChangedPayload(**change, previous=previous))

    # ── After a crash ────────────────────────────────

    def _may_repeat(self, entry: Entry) -> bool:
        """Whether what was interrupted is to be judged as if it came for the first time."""
        if entry.command in self.idempotent_commands:
            return isinstance(transition(self.state, Command(entry.command)), State)
        own = self._own.get(entry.command)
        return own is not None and own.idempotent

    def _interrupted(self, key: str, entry: Entry) -> CommandAnswer:
        return self._answer(
            entry.command,
            key,
            code="command_interrupted",
            message=f"{entry.command} was begun by a process of {self.id} that ended in the middle of it; it was not "
            "done again, and what it left may be half done",
        )

    def _recover(self) -> None:
        """Be in FAULT if a process before this one was interrupted in work that may not be done again."""
        for key, entry in self._memory.interrupted.items():
            if entry.command not in self.idempotent_commands and not self._may_repeat(entry):
                self.fault(
                    f"{entry.command} (key {key[:60]}) was interrupted by the end of the process before this one"
                )

    async def _settle(self) -> None:
        """A reset was done: what was interrupted is over, and a process after this one need not be in FAULT for it."""
        for key, entry in self._memory.interrupted.items():
            await self._finished(self._interrupted(key, entry))
