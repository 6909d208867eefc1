"""Clients of the HTTP API that use variables as registers, and say of each operation what came of it.

A write's value is written once and by nobody else, so a revision stands for one value, and `If-Match` with the revision
of a value that was seen is a compare-and-set from that value.

    certainly nothing was done      no connection; 503 with one of NOT_DONE              failed
    certainly another value         412 of a compare-and-set                            mismatch
    done                            200, 201                                            ok
    nobody knows                    504, a connection that broke, no answer in time     unknown, or sent again (its key)
    anything else                   Unexpected: a defect of the API, and the end of the recording
"""

import asyncio
import itertools
import math
import random
import ssl
import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from orchestrator.drills.histories.http_link import Answer, Broken, HttpLink, NotSent
from orchestrator.drills.histories.operations import Kind, Operation, Outcome

TIMEOUT_S = 1.5
"""Longer than the API itself waits for a leader (1 s), so that it says what it knows."""
HASTE_S = (0.001, 0.02)
"""A change takes some milliseconds: its client is gone before, while and after it is committed."""
REPEATS_MAX = 3
SHUN_S = 0.7
"""How long a node that did not answer is left alone, and, by what needs a leader, one that found none: it looks for a
second. Clients that all wait for a stopped node, or at one that is cut off, record nothing."""
NOT_DONE = frozenset({"no_leader", "queue_full", "node_stopped"})
"""Codes of 503 after which a change was certainly not made: orchestrator/api/problems.py."""
NOT_READ = frozenset({"no_leader", "node_stopped", "queue_full", "read_timed_out", "too_stale"})

Consistency = Literal["leader", "linearizable", "stale"]


class Unexpected(AssertionError):
    """An answer that no client of this API has to expect."""


class Seen(msgspec.Struct, frozen=True):
    """A state of a register: no revision is that of one that does not exist."""

    value: int | None = None
    revision: int | None = None


class _Shown(msgspec.Struct):
    value: Any
    revision: int


class _Told(msgspec.Struct):
    code: str = ""


_shown = msgspec.json.Decoder(_Shown)
_told = msgspec.json.Decoder(_Told)


class Register:
    """A variable in use: its name, how often it was used, and what was last seen of it by whichever client."""

    def __init__(self, name: str, uses: int) -> None:
        self.name = name
        self.uses_left = uses
        self.seen = Seen()

    def note(self, seen: Seen) -> None:
        """Take what was seen, unless something newer was: answers overtake one another."""
        if (seen.revision or 0) > (self.seen.revision or 0):
            self.seen = seen


class RegisterClient:
    """One client: one operation at a time, each at a node of its choice, on a connection to each that stays open.

    `repeat` is the share of operations with an unknown outcome that it sends again under the same key, to any node: the
    operation is then one, from its first invocation to its last answer. `hasty` is the share of changes whose answer it
    does not wait for, but hangs up within `HASTE_S`. `tls`: for nodes that speak HTTPS.
    """

    def __init__(
        self,
        number: int,
        nodes: Sequence[tuple[str, int]],
        values: "itertools.count[int]",
        rng: random.Random,
        *,
        token: str | None = None,
        repeat: float = 0.5,
        hasty: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.number = number
        self.repeated = 0
        self.under_way: Operation | None = None
        """a change whose end this client has not seen: one that is cancelled, or raises, may yet take effect"""
        self._links = [HttpLink(*node, tls) for node in nodes]
        self._silent = [0.0] * len(nodes)
        self._leaderless = [0.0] * len(nodes)
        self._values = values
        self._rng = rng
        self._headers = "" if token is None else f"Authorization: Bearer {token}\r\n"
        self._repeat = repeat
        self._hasty = hasty

    def close(self) -> None:
        """Drop the connections."""
        for link in self._links:
            link.close()

    async def read(self, register: Register, consistency: Consistency, max_stale: float | None = None) -> Operation:
        """Read at a node; what did not answer with a value has failed."""
        target = f"/v1/variables/{register.name}?consistency={consistency}"
        if max_stale is not None:
            target += f"&max_stale={max_stale:g}"
        invoked = time.monotonic()
        seen = await self._seen(target)
        returned = time.monotonic()
        if seen is None:
            return Operation(self.number, "read", register.name, None, None, "failed", invoked, returned)
        register.note(seen)
        return Operation(self.number, "read", register.name, seen.value, None, "ok", invoked, returned)

    async def write(self, register: Register) -> Operation:
        """Write a new value, whatever is there."""
        return await self._change("write", register, "", None)

    async def compare_and_set(self, register: Register) -> Operation:
        """Write a new value where the last one that was seen still is, or where there is none yet."""
        seen = register.seen
        condition = "If-None-Match: *\r\n" if seen.revision is None else f'If-Match: "{seen.revision}"\r\n'
        return await self._change("cas", register, condition, seen.value)

    # ── Reading ────────────────────────────────

    async def _seen(self, target: str) -> Seen | None:
        at = self._any_node(leader="consistency=stale" not in target)
        try:
            answer = await self._links[at].exchange("GET", target, headers=self._headers, timeout=TIMEOUT_S)
        except (NotSent, Broken):
            self._shun(at)
            return None
        if answer.status == 200:
            row = _shown.decode(answer.body)
            if answer.headers.get("etag") != f'"{row.revision}"':
                raise Unexpected(f"GET {target}: ETag {answer.headers.get('etag')}, revision {row.revision}")
            return Seen(row.value, row.revision)
        code = _code(answer)
        if (answer.status, code) == (404, "variable_unknown"):
            return Seen()
        if answer.status == 503 and code in NOT_READ:
            self._note_leaderless(at, code)
            return None
        raise Unexpected(f"GET {target}: {answer.status} {answer.body[:500]!r}")

    # ── Changing ────────────────────────────────

    async def _change(self, kind: Kind, register: Register, condition: str, expected: int | None) -> Operation:
        value = next(self._values)
        target = f"/v1/variables/{register.name}"
        headers = f"Content-Type: application/json\r\nIdempotency-Key: {register.name}.{value}\r\n{condition}"
        headers += self._headers
        body = b'{"value":%d}' % value
        invoked = time.monotonic()
        self.under_way = Operation(self.number, kind, register.name, value, expected, "unknown", invoked, math.inf)
        outcome: Outcome = "failed"
        for attempt in itertools.count(1):
            outcome = await self._attempt(register, target, headers, body, value, unknown=outcome == "unknown")
            if outcome != "unknown" or attempt > REPEATS_MAX or self._rng.random() >= self._repeat:
                break
            self.repeated += 1
        if outcome == "mismatch" and kind != "cas":
            raise Unexpected(f"PUT {target} without a condition: 412")
        returned = math.inf if outcome == "unknown" else time.monotonic()
        self.under_way = None
        return Operation(self.number, kind, register.name, value, expected, outcome, invoked, returned)

    async def _attempt(
        self, register: Register, target: str, headers: str, body: bytes, value: int, *, unknown: bool
    ) -> Outcome:
        """What is known of the operation after one more attempt; `unknown`: whether an earlier one may have been done.

        A refusal is certain of its own attempt only.
        """
        at = self._any_node()
        hasty = self._rng.random() < self._hasty
        timeout = self._rng.uniform(*HASTE_S) if hasty else TIMEOUT_S
        try:
            answer = await self._links[at].exchange("PUT", target, headers=headers, body=body, timeout=timeout)
        except NotSent:
            self._shun(at)
            return "unknown" if unknown else "failed"
        except Broken:
            if not hasty:
                self._shun(at)
            return "unknown"
        if answer.status in (200, 201):
            register.note(Seen(value, _shown.decode(answer.body).revision))
            return "ok"
        code = _code(answer)
        if (answer.status, code) == (412, "precondition_failed"):
            return "mismatch"
        if answer.status == 503 and code in NOT_DONE:
            self._note_leaderless(at, code)
            return "unknown" if unknown else "failed"
        if (answer.status, code) in ((504, "outcome_unknown"), (409, "key_in_flight")):
            return "unknown"
        raise Unexpected(f"PUT {target}: {answer.status} {answer.body[:500]!r}")

    # ── Nodes ────────────────────────────────

    def _any_node(self, *, leader: bool = True) -> int:
        now = time.monotonic()
        nodes = range(len(self._links))
        fit = [at for at in nodes if self._silent[at] <= now and not (leader and self._leaderless[at] > now)]
        return self._rng.choice(fit or nodes)

    def _shun(self, at: int) -> None:
        self._silent[at] = time.monotonic() + SHUN_S

    def _note_leaderless(self, at: int, code: str) -> None:
        if code == "no_leader":
            self._leaderless[at] = time.monotonic() + SHUN_S


async def pause_after(operation: Operation) -> None:
    """Before the next operation: a refusal costs nothing, and would be recorded by the thousand while nobody leads."""
    if operation.outcome == "failed":
        await asyncio.sleep(0.02)


def _code(answer: Answer) -> str:
    try:
        return _told.decode(answer.body).code
    except msgspec.MsgspecError:
        return ""
