"""What the members of a campaign replicate, and the verdict on it. Pure.

A client numbers its commands 0, 1, 2 … and sends the next one only when the one before is acknowledged, however often
that one must be sent again. So a handful of counters shows every lost and every doubled command, however many there
were; and a running hash over all that was applied shows whether two members applied the same in the same order.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from cluster import Command, Event, Outcome, Position

KIND = "bench.tally"


class Tally(msgspec.Struct, array_like=True):
    """What was applied of one client's commands."""

    applied: int = 0
    """different ones, in order from 0 on: the next one that fits has this number"""
    twice: int = 0
    """applied though they had been before"""
    skipped: int = 0
    """numbers that were jumped over: their commands are lost"""


class State(msgspec.Struct):
    """The whole state of one member."""

    clients: dict[str, Tally] = {}
    count: int = 0
    """of commands applied"""
    chain: str = ""
    """hash of everything applied, in order"""


class Tallies:
    """The state machine."""

    def __init__(self) -> None:
        self.state = State()

    def apply(self, command: Command, _position: Position, /) -> tuple[Outcome, Sequence[Event]]:
        """Count one command; its body is MessagePack of [client, number]."""
        client, number = msgspec.msgpack.decode(command.body, type=tuple[str, int])
        state = self.state
        tally = state.clients.setdefault(client, Tally())
        if number < tally.applied:
            tally.twice += 1
        else:
            tally.skipped += number - tally.applied
            tally.applied = number + 1
        state.count += 1
        state.chain = hashlib.blake2b(f"{state.chain}/{client}/{number}".encode(), digest_size=8).hexdigest()
        return Outcome(), ()

    def snapshot(self) -> bytes:
        """The counters, as MessagePack."""
        return msgspec.msgpack.encode(self.state)

    def restore(self, data: bytes) -> None:
        """Take over counters."""
        self.state = msgspec.msgpack.decode(data, type=State)


def command(client: str, number: int, at: float) -> Command:
    """Command `number` of `client`: the same one, under the same id, whenever it is sent again."""
    return Command(kind=KIND, body=msgspec.msgpack.encode((client, number)), id=f"{client}/{number}", time=at)


class Verdict(msgspec.Struct, frozen=True):
    """What the states of all members say about what was acknowledged."""

    acknowledged: int
    lost: int
    """acknowledged, and not applied on some member"""
    twice: int
    """applied more than once on some member"""
    problems: tuple[str, ...]
    """one line for each finding, the first hundred"""

    @property
    def ok(self) -> bool:
        """Whether every promise held."""
        return not self.problems


def judge(acknowledged: Mapping[str, int], states: Mapping[str, State]) -> Verdict:
    """Compare how many commands each client had acknowledged with the states of the members, all at rest.

    A client may have one command more applied than acknowledged: the one whose answer it did not get.
    """
    lost: dict[str, int] = {}
    twice: dict[str, int] = {}
    problems = []
    for member, state in states.items():
        lost[member] = twice[member] = 0
        for client, count in acknowledged.items():
            tally = state.clients.get(client, Tally())
            missing = tally.skipped + max(0, count - tally.applied)
            lost[member] += missing
            if missing:
                problems.append(f"{member}: {missing} of {count} acknowledged commands of {client} are lost")
            if tally.applied > count + 1:
                problems.append(f"{member}: {tally.applied} commands of {client} were applied, {count} were sent")
        for client, tally in state.clients.items():
            twice[member] += tally.twice
            if tally.twice:
                problems.append(f"{member}: {tally.twice} commands of {client} were applied again")
    if not states:
        problems.append("no member tells its state")
    for member, state in states.items():
        first = next(iter(states))
        if state != states[first]:
            problems.append(f"{member} differs from {first}: {_short(state)} against {_short(states[first])}")
    return Verdict(
        sum(acknowledged.values()), max(lost.values(), default=0), max(twice.values(), default=0), tuple(problems[:100])
    )


def _short(state: State) -> str:
    return f"{state.count} commands with hash {state.chain or 'none'}"
