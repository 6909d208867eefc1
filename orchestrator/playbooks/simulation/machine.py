"""A simulated component: the lifecycle's table, one command at a time, and the memory of keys. Pure, immutable.

It answers like `orchestrator.component.Component`: a key is done once, a repeat is told what became of the first; what
the table has no row for is refused. A command of a component's own (`RECALIBRATE`) is taken while it is STARTED, as is
usual for them, and changes no state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orchestrator.errors import CommandFailed, CommandRefused, ComponentBusy, KeyReused
from orchestrator.lifecycle import PASSAGES, Command, Refusal, Signal, State, transition
from orchestrator.playbooks.effect import Failed, Unknown


class Work(StrEnum):
    """What became of a key."""

    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Memory:
    command: Command | str
    work: Work
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """`working`: the key that is being worked on. `mute`: it is there, but hears and answers nothing.

    `count`: commands that it has really begun, repeats and refusals left out.
    """

    id: str
    state: State = State.READY
    mute: bool = False
    working: str = ""
    memory: Mapping[str, Memory] = field(default_factory=dict)
    count: int = 0

    def receive(self, key: str, command: Command | str) -> "tuple[Machine, Failed | Unknown | None]":
        """It hears a command. What it becomes, and the refusal if there is one; a known key changes nothing.

        One that is busy is asked again, under the same key, as the leader's duty does.
        """
        known = self.memory.get(key)
        if known is not None:
            if known.command != command:
                return self, Failed(KeyReused.code, f"key {key} was {known.command} before, not {command}")
            return self, None
        if self.working:
            message = f"{self.id} is busy with another command; its state is {self.state}"
            return self, Unknown(message, ComponentBusy.code)
        target: State | Refusal = self.state
        if isinstance(command, Command):
            target = transition(self.state, command)
        elif self.state is not State.STARTED:
            reason = f"{command} is not possible in {self.state}: it needs {State.STARTED}"
            return self, Failed(CommandRefused.code, f"component {self.id}: {reason}")
        if isinstance(target, Refusal):
            return self, Failed(CommandRefused.code, f"component {self.id}: {target.reason}")
        memory = {**self.memory, key: Memory(command, Work.WORKING)}
        state = target if target in PASSAGES else self.state
        return replace(self, state=state, working=key, memory=memory, count=self.count + 1), None

    def finish(self) -> "Machine":
        """What it works on is done."""
        if not self.working:
            return self
        command = self.memory[self.working].command
        reached: State | Refusal = self.state
        if isinstance(command, Command):
            reached = transition(self.state, Signal.DONE if self.state in PASSAGES else command)
        assert isinstance(reached, State)  # noqa: S101 - it was judged when the work began
        memory = {**self.memory, self.working: Memory(command, Work.DONE)}
        return replace(self, state=reached, working="", memory=memory)

    def break_down(self, reason: str) -> "Machine":
        """It goes into FAULT; what it worked on has failed."""
        memory = self.memory
        if self.working:
            command = self.memory[self.working].command
            memory = {**memory, self.working: Memory(command, Work.FAILED, reason)}
        return replace(self, state=State.FAULT, working="", memory=memory)

    def fail(self, reason: str) -> "Machine":
        """What it works on has failed: a command of the lifecycle leads to FAULT, one of its own changes no state."""
        command = self.memory[self.working].command
        if isinstance(command, Command):
            return self.break_down(reason)
        return replace(self, working="", memory={**self.memory, self.working: Memory(command, Work.FAILED, reason)})

    def outcome(self, key: str) -> Work | Failed:
        """What became of a key that it has heard."""
        known = self.memory[key]
        if known.work is Work.FAILED:
            return Failed(CommandFailed.code, f"component {self.id}: {known.reason}")
        return known.work
