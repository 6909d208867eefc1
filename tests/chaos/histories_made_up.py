"""Histories to test the checker with: of a register that exists, or of anything at all; and a slow judge."""

import heapq
import math
import random
from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from orchestrator.drills.histories.operations import Kind, Operation, Outcome


def recorded(
    seed: int,
    operations: int,
    *,
    clients: int = 5,
    keys: int = 1,
    values: int | None = None,
    unknown: float = 0.1,
) -> list[Operation]:
    """What clients saw of real registers: each operation takes effect at one instant between invocation and return.

    `values`: how many different ones are written; None: never the same twice. `unknown`: the share of operations
    without an answer; these take effect within 50 times the usual duration, or never.
    """
    chance = random.Random(seed)
    registers: dict[str, Any] = {}
    seen: dict[tuple[int, str], Any] = {}
    history: list[Operation] = []
    # (time, order of arrival, client, None: its next invocation, or the operation that takes effect)
    agenda: list[tuple[float, int, int, Operation | None]] = []
    arrivals = 0
    invoked = 0

    def schedule(time: float, client: int, operation: Operation | None) -> None:
        nonlocal arrivals
        arrivals += 1
        heapq.heappush(agenda, (time, arrivals, client, operation))

    for each in range(clients):
        schedule(chance.random(), each, None)
    while agenda:
        now, _, client, operation = heapq.heappop(agenda)
        if operation is not None:
            history.append(_take_effect(registers, seen, client, operation))
            continue
        if invoked == operations:
            continue
        invoked += 1
        kind: Kind = cast(Kind, chance.choices(["read", "write", "cas"], [4, 3, 3])[0])
        key = str(chance.randrange(keys))
        value = None if kind == "read" else invoked if values is None else chance.randrange(values)
        expected = seen.get((client, key)) if kind == "cas" else None
        lost = chance.random() < unknown
        lasts = chance.random()
        outcome: Outcome = "unknown" if lost else "ok"
        sent = Operation(client, kind, key, value, expected, outcome, now, math.inf if lost else now + lasts)
        if not lost:
            schedule(now + lasts * chance.random(), client, sent)
        elif chance.random() < 0.6:
            schedule(now + 50 * chance.random() ** 3, client, sent)
        else:
            history.append(sent)
        schedule(now + lasts + 0.2 * chance.random(), client, None)
    return history


def _take_effect(
    registers: dict[str, Any], seen: dict[tuple[int, str], Any], client: int, operation: Operation
) -> Operation:
    """The operation with what it found."""
    held = registers.get(operation.key)
    if operation.kind == "read":
        if operation.outcome == "ok":
            seen[client, operation.key] = held
        return msgspec.structs.replace(operation, value=held)
    if operation.kind == "cas" and held != operation.expected:
        return msgspec.structs.replace(operation, outcome="mismatch") if operation.outcome == "ok" else operation
    registers[operation.key] = operation.value
    return operation


def any_history(seed: int) -> list[Operation]:
    """Two to seven operations on one register that need not make sense together; a third or so is linearizable."""
    chance = random.Random(seed)
    choices = [None, *range(chance.choice([2, 3, 4]))]
    span = chance.choice([4, 8, 14])
    lost = chance.choice([0.2, 0.5, 0.7])
    history = []
    for client in range(chance.randint(2, 7)):
        kind = cast(Literal["read", "write", "cas"], chance.choice(["read", "write", "cas", "cas"]))
        outcome: Outcome = "ok"
        if chance.random() < lost and kind != "read":
            outcome = "unknown"
        elif kind == "cas" and chance.random() < 0.5:
            outcome = "mismatch"
        invoked = chance.randint(0, span)
        returned = math.inf if outcome == "unknown" else invoked + chance.randint(0, 5)
        expected = chance.choice(choices) if kind == "cas" else None
        history.append(Operation(client, kind, "r", chance.choice(choices), expected, outcome, invoked, returned))
    return history


def judged_by_trying_all(operations: Sequence[Operation], held: Any = None) -> bool:
    """The definition, word for word: is there an order of all known and some unknown operations that a register allows?

    Shares nothing with the checker, and takes time exponential in the number of operations.
    """
    if all(operation.outcome in ("unknown", "failed") for operation in operations):
        return True
    for place, operation in enumerate(operations):
        rest = [*operations[:place], *operations[place + 1 :]]
        if operation.outcome == "failed":
            continue
        if any(other.outcome not in ("unknown", "failed") and other.returned < operation.invoked for other in rest):
            continue
        after = held
        if operation.kind == "read":
            possible = operation.outcome == "ok" and operation.value == held
        elif operation.outcome == "mismatch":
            possible = operation.expected != held
        else:
            possible = operation.kind == "write" or operation.expected == held
            after = operation.value
        if possible and judged_by_trying_all(rest, after):
            return True
    return False
