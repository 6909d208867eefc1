"""The lifecycle of a component: one table, and the pure function that reads it.

    READY ──CMD_INITIALIZE──▶ INITIALIZING ──done──▶ INIT_COMPLETE ──CMD_START──▶ STARTED
      ▲                                                   │                          │
      │                                          CMD_GRACEFUL_STOP          CMD_GRACEFUL_STOP
      │                                                   ▼                          ▼
      └──────────CMD_RESET────────── STOPPED ◀──done── STOPPING ◀────────────────────┘
      └──────────CMD_RESET────────── FAULT   ◀──failed── any state

A command whose target is a *passage* (INITIALIZING, STOPPING) enters it at once and leaves it by the signal `done` when
the work ends. The other commands (CMD_START, CMD_RESET) reach their target when their work has ended well. Work that
fails leads to FAULT, and from FAULT only CMD_RESET leads out.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    READY = "READY"
    INITIALIZING = "INITIALIZING"
    INIT_COMPLETE = "INIT_COMPLETE"
    STARTED = "STARTED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAULT = "FAULT"


class Command(StrEnum):
    """What the orchestrator may ask of a component."""

    INITIALIZE = "CMD_INITIALIZE"
    START = "CMD_START"
    GRACEFUL_STOP = "CMD_GRACEFUL_STOP"
    RESET = "CMD_RESET"


class Signal(StrEnum):
    """What a component finds out by itself."""

    DONE = "done"
    FAILED = "failed"


Trigger = Command | Signal

ALIASES: dict[str, Command] = {"CMD_STOP": Command.GRACEFUL_STOP}
LIFECYCLE_PREFIX = "CMD_"
OWN_COMMAND = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""The name of a command that is not of the lifecycle."""
PASSAGES: frozenset[State] = frozenset({State.INITIALIZING, State.STOPPING})

TABLE: dict[tuple[State, Trigger], State] = {
    (State.READY, Command.INITIALIZE): State.INITIALIZING,
    (State.INITIALIZING, Signal.DONE): State.INIT_COMPLETE,
    (State.INIT_COMPLETE, Command.START): State.STARTED,
    (State.INIT_COMPLETE, Command.GRACEFUL_STOP): State.STOPPING,
    (State.STARTED, Command.GRACEFUL_STOP): State.STOPPING,
    (State.STOPPING, Signal.DONE): State.STOPPED,
    (State.STOPPED, Command.RESET): State.READY,
    (State.FAULT, Command.RESET): State.READY,
    **{(state, Signal.FAILED): State.FAULT for state in State},
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A trigger without a row in the table. `allowed` are the commands that `state` takes, `states` where it fits."""

    state: State
    trigger: Trigger
    allowed: tuple[Command, ...]
    states: tuple[State, ...]

    @property
    def reason(self) -> str:
        allowed = ", ".join(self.allowed) or "no command"
        return f"{self.trigger} is not possible in {self.state}: {self.state} takes {allowed}; " + (
            f"{self.trigger} needs {' or '.join(self.states)}"
        )


def parse_command(text: str) -> Command:
    """The command of this name or alias. Raises `ValueError` that lists the known ones."""
    if text in ALIASES:
        return ALIASES[text]
    try:
        return Command(text)
    except ValueError:
        known = ", ".join([*Command, *ALIASES])
        raise ValueError(f"unknown command {text[:60]!r}; known: {known}") from None


def parse_any_command(text: str) -> Command | str:
    """A lifecycle command, its alias, or the name of a command of a component's own, such as RECALIBRATE.

    `CMD_` belongs to the lifecycle. Raises `ValueError` that says what is known and how own commands are written.
    """
    if OWN_COMMAND.fullmatch(text) and not text.startswith(LIFECYCLE_PREFIX):
        return text
    try:
        return parse_command(text)
    except ValueError as error:
        own = f"a component's own command is 1 to 64 of A-Z, 0-9 and _, and does not begin with {LIFECYCLE_PREFIX}"
        raise ValueError(f"{error}; {own}") from None


def allowed_commands(state: State) -> tuple[Command, ...]:
    """The commands that the table has a row for in `state`."""
    return tuple(command for command in Command if (state, command) in TABLE)


def transition(state: State, trigger: Trigger) -> State | Refusal:
    """The state that `trigger` leads to from `state`, or why it does not."""
    target = TABLE.get((state, trigger))
    if target is not None:
        return target
    return Refusal(
        state, trigger, allowed_commands(state), tuple(source for source, known in TABLE if known == trigger)
    )
