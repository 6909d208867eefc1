"""Committed entries, reads and snapshots: a half of `Raft`, which see. Runs in the tick thread."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from cluster.clock import now
from cluster.commands import Applied, Change, Epoch, Event, Outcome, Position, decode
from cluster.core import CLAIM, Replica
from cluster.elections import Elections
from cluster.errors import ClusterError, EntryUnreadable, OutcomeUnknown, StateMachineFailed, TooStale
from cluster.leadership import Leadership
from cluster.machine import StateMachine

log = logging.getLogger(__name__)

REGULAR, NO_OP, MEMBERS = b"\x00", b"\x01", b"\x02"
"""The first byte of an entry's data; behind it a command, nothing, a membership."""

Answer = Callable[[Any], None]
"""called on the event loop with the result or a ClusterError"""
Read = Callable[[ClusterError | None], None]
"""called in the tick thread: run the query, or answer with the error"""


class Applying(Elections):
    """Replaces pysyncobj's apply loop, in which a raising callback applies an entry twice (R2, R3)."""

    _barrier_reads: list[Read]
    _barriers: dict[int, tuple[int, list[Read]]]
    _leadership: Leadership
    _replica: Replica
    _settings: Any
    _waiting: dict[int, tuple[int, str, Answer]]

    def _announce(self, changes: Any) -> None:
        raise NotImplementedError

    def _answer_early(self) -> None:
        raise NotImplementedError

    def _no_leadership(self) -> ClusterError:
        raise NotImplementedError

    def _on_members_committed(self) -> None:
        raise NotImplementedError

    def _SyncObj__applyLogEntries(self) -> bool:  # noqa: N802
        entries = self._SyncObj__raftLog
        deadline = now() + self._settings.heartbeat_s / 2  # a long replay must not silence the heartbeat
        while self._SyncObj__raftLastApplied < self._SyncObj__raftCommitIndex:
            data, index, term = entries[self._SyncObj__raftLastApplied + 1 - entries[0][1]]
            self._apply(data, Position(term, index))
            self._SyncObj__raftLastApplied = index
            if now() > deadline:
                break
        self._note_freshness()
        self._answer_early()
        return False

    def _apply(self, data: bytes, position: Position) -> None:
        kind = data[:1]
        if kind == REGULAR:
            self._apply_command(data[1:], position)
        elif kind == MEMBERS:
            self._answer_waiting(position, Applied(Outcome(), position))
            self._on_members_committed()
            self.post(self._sink.change, Change(position.index, (Event("cluster.members_changed", "cluster"),)))
        elif kind != NO_OP:
            raise EntryUnreadable(position.index, f"entry type {kind.hex() or 'none'}")
        barrier = self._barriers.pop(position.index, None)
        if barrier is not None:
            for read in barrier[1]:
                read(None if barrier[0] == position.term else self._no_leadership())

    def _apply_command(self, data: bytes, position: Position) -> None:
        try:
            command = decode(data)
        except msgspec.MsgspecError as error:
            raise EntryUnreadable(position.index, str(error)) from error
        try:
            applied, events = self._replica.apply(command, position)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise StateMachineFailed(command.id, command.kind, position.index, reason) from error
        self._answer_waiting(position, applied)
        if command.kind == CLAIM and applied.outcome.ok and not applied.duplicate:
            self._on_claim(position)
        if events:
            self.post(self._sink.change, Change(position.index, events))

    def _answer_waiting(self, position: Position, applied: Applied) -> None:
        waiting = self._waiting.pop(position.index, None)
        if waiting is not None:
            term, command_id, answer = waiting
            mine = term == position.term
            self.post(answer, applied if mine else OutcomeUnknown(command_id, "another command took its place"))

    def _on_claim(self, position: Position) -> None:
        claim = self._replica.claim
        if claim is not None and claim.epoch == Epoch(position.term, position.index):
            before = self._leadership.epoch
            self._announce(self._leadership.claimed(claim.node_id, claim.epoch))
            self.post(self._sink.claim, claim)
            if self._leadership.epoch not in (before, None):
                self._counters.leaderships += 1
                self._counters.takeover_s = 0.0 if self._heard_at is None else now() - self._heard_at
                log.info("leads since epoch %s", claim.epoch)

    # ── Reads ────────────────────────────────

    def read(
        self,
        query: Callable[[StateMachine], Any],
        consistency: str,
        max_stale: float | None,
        done: Callable[[Any, Any], None],
    ) -> None:
        """Run `query` on the state when `consistency` is met; `done(value, error)` is called on the event loop."""

        def run(refusal: ClusterError | None) -> None:
            if refusal is not None:
                self.post(lambda error: done(None, error), refusal)
                return
            try:
                value = query(self._replica.machine)
            except Exception as error:  # noqa: BLE001 - the caller's own: it goes back there, not into Raft
                self.post(lambda raised: done(None, raised), error)
            else:
                self.post(lambda result: done(result, None), value)

        if consistency == "stale":
            staleness = self.staleness()
            too_old = max_stale is not None and staleness > max_stale
            run(TooStale(staleness, max_stale or 0.0) if too_old else None)
        elif self._leadership.epoch is None:
            run(self._no_leadership())
        elif consistency == "linearizable":
            self._counters.barrier_reads += 1
            self._barrier_reads.append(run)
        else:
            run(None)

    def staleness(self) -> float:
        """At most so many seconds of committed commands are missing here; infinite when no leader was ever heard."""
        if self._leadership.epoch is not None:
            return now() - self._majority_at()
        return float("inf") if self._fresh_at is None else now() - self._fresh_at

    # ── Snapshots ────────────────────────────────

    def _SyncObj__tryLogCompaction(self) -> None:  # noqa: N802
        super()._SyncObj__tryLogCompaction()  # type: ignore[misc]
        if self._store.written:
            log.info("took a snapshot at index %d", self._SyncObj__raftLastApplied)
            # Cut the log in the same tick: in between, pysyncobj has no fitting snapshot and floods lagging members.
            super()._SyncObj__tryLogCompaction()  # type: ignore[misc]
