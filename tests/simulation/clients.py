"""Clients: each does one operation after the other, tries again under the same id, and remembers what it saw."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import msgspec

from cluster.commands import Applied, Command, encode
from cluster.errors import ClusterError, NotLeader, Refused
from cluster.raft import Raft
from tests.simulation.agenda import Agenda
from tests.simulation.histories import History
from tests.simulation.machine import COMPARE_AND_SET, WRITE, Body, read
from tests.simulation.member import Member
from tests.simulation.plan import Step

WAY_S = 0.0004
"""between a client and a member"""
ATTEMPTS = 5


class Members(Protocol):
    """The members that clients know."""

    def known(self) -> list[Member]:
        """In a fixed order."""
        ...


class Client:
    """One client. `done` is called after each operation."""

    def __init__(self, agenda: Agenda, members: Members, history: History, number: int, *, value_bytes: int) -> None:
        self.number = number
        self.last_outcome = ""
        self._agenda, self._members, self._history = agenda, members, history
        self._value_bytes = value_bytes
        self._waiting: deque[Step] = deque()
        self._busy = False
        self._leader: str | None = None
        self._seen: dict[str, int | None] = {}
        self._count = 0
        self._ends: Callable[[], None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way or waiting."""
        return not self._busy and not self._waiting

    def do(self, step: Step) -> None:
        """Do this after what is still waiting."""
        self._waiting.append(step)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        if self._waiting:
            self._busy = True
            _Operation(self, self._waiting.popleft()).attempt()

    def finished(self, outcome: str) -> None:
        """The operation under way is over."""
        self.last_outcome = outcome
        self._busy = False
        # What should have been done long ago is not made up for: a client does not write faster after an outage.
        while self._waiting and self._waiting[0].at < self._agenda.now - 0.5:
            self._waiting.popleft()
        self._next()


class _Operation:
    """One operation and all its attempts."""

    def __init__(self, client: Client, step: Step) -> None:
        self._client = client
        self._kind = step.kind
        _, self._key, subject, luck = step.args
        self._random = Random(luck)
        self._attempts = 0
        self._attempt = 0
        self._maybe = False
        self._expected = client._seen.get(self._key)
        self._begun = client._history.begin()
        client._count += 1
        self._id = f"c{client.number}.{client._count}"
        if self._kind == "read":
            self._consistency = str(subject)
            self._bound = self._random.choice((0.1, 0.5, 2.0)) if subject == "stale" else None
        else:
            self._value = int(subject)
            kind = WRITE if self._kind == "write" else COMPARE_AND_SET
            expected = self._expected if kind == COMPARE_AND_SET else None
            padding = (
                b"." * client._value_bytes
                if self._random.random() < (0.4 if client._value_bytes < 600 else 0.9)
                else b""
            )
            body = msgspec.msgpack.encode(Body(self._key, self._value, expected, padding))
            self._encoded = encode(Command(kind, body, self._id, 0.0))

    # ── Attempts ────────────────────────────────

    def attempt(self) -> None:
        """Ask some member."""
        self._attempts += 1
        self._attempt += 1
        number = self._attempt
        member = self._choose()
        self._asked = member.id
        client = self._client
        client._agenda.after(WAY_S * (0.5 + self._random.random()), self._arrive, member, number)
        client._agenda.after(self._random.uniform(0.4, 1.2), self._timed_out, number)

    def _choose(self) -> Member:
        known = self._client._members.known()
        if self._kind == "read" and self._consistency == "stale":
            return self._random.choice(known)
        leader = next((member for member in known if member.id == self._client._leader), None)
        return leader if leader is not None and self._random.random() < 0.85 else self._random.choice(known)

    def _arrive(self, member: Member, number: int) -> None:
        if not member.request(lambda raft: self._ask(raft, number)):
            self._client._agenda.after(WAY_S, self._answered, number, Refused("nobody listens there"))

    def _ask(self, raft: Raft, number: int) -> None:
        def answer(result: Any) -> None:
            self._client._agenda.after(WAY_S, self._answered, number, result)

        def done(value: Any, error: Any) -> None:
            answer(error if error is not None else value)

        try:
            if self._kind == "read":
                query = read(self._key)
                raft.call(lambda: raft.read(query, self._consistency, self._bound, done), answer)
            else:
                raft.propose(self._encoded, self._id, answer)
        except ClusterError as error:
            answer(error)

    def _timed_out(self, number: int) -> None:
        if number == self._attempt:
            self._client._leader = None
            self._maybe = True
            self._again(0.0)

    # ── Answers ────────────────────────────────

    def _answered(self, number: int, result: Any) -> None:
        if number != self._attempt:
            return
        if not isinstance(result, ClusterError):
            self._client._leader = (
                self._asked if self._kind != "read" or self._consistency != "stale" else self._client._leader
            )
            self._finish(result)
            return
        if isinstance(result, NotLeader):
            self._client._leader = result.leader_id
        elif not isinstance(result, Refused):
            self._maybe = True
        else:
            self._client._leader = None
        self._again(self._random.uniform(0.02, 0.15))

    def _again(self, pause_s: float) -> None:
        self._attempt += 1  # an answer to an earlier attempt counts no more
        given_up = self._maybe and self._kind != "read" and self._random.random() < 0.3
        if self._attempts >= ATTEMPTS or given_up:
            self._end("unknown" if self._maybe and self._kind != "read" else "failed", None, 0)
            return
        self._client._agenda.after(pause_s, self.attempt)

    def _finish(self, result: Any) -> None:
        if isinstance(result, Applied):
            self._client._history.acknowledged(self._id, result.position.index, result.position.term)
            if result.outcome.ok:
                self._client._seen[self._key] = self._value
                self._end("ok", self._value, result.position.index)
            else:
                self._client._seen[self._key] = result.outcome.value
                self._end("mismatch", self._value, result.position.index)
            return
        value, index = result
        self._client._seen[self._key] = value
        self._end("ok", value, index)

    def _end(self, outcome: str, value: int | None, index: int) -> None:
        client = self._client
        self._attempt += 1
        if self._kind == "read":
            client._history.read(
                self._begun, client.number, self._key, value, index, outcome, self._consistency, self._bound
            )
        else:
            expected = self._expected if self._kind == "compare_and_set" else None
            client._history.changed(
                self._begun, client.number, self._kind, self._key, self._value, expected, outcome, index
            )
        client.finished(outcome)
