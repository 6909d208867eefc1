"""By which commands a component comes from one state to another: read from the lifecycle's table. Pure."""

from collections import deque

from orchestrator.lifecycle import PASSAGES, TABLE, Command, Signal, State

AT_REST = frozenset({State.READY, State.STOPPED, State.FAULT})
"""Where a component does nothing: for the target STOPPED each of them will do."""


def arrived(state: State, target: State) -> bool:
    """Whether nothing is left to do."""
    return state == target or (target == State.STOPPED and state in AT_REST)


def next_command(state: State, target: State) -> Command | None:
    """The first command on the shortest way; None where there is none to send now (there, or on a passage)."""
    if arrived(state, target) or state in PASSAGES:
        return None
    seen: dict[State, Command | None] = {state: None}
    queue = deque([state])
    while queue:
        here = queue.popleft()
        for command in Command:
            reached = TABLE.get((here, command))
            if reached is None:
                continue
            if reached in PASSAGES:
                reached = TABLE[(reached, Signal.DONE)]
            if reached in seen:
                continue
            first = seen[here] or command
            if reached == target:
                return first
            seen[reached] = first
            queue.append(reached)
    return None


def upward(target: State) -> bool:
    """Whether what others depend on has to go first."""
    return target in (State.INIT_COMPLETE, State.STARTED)
