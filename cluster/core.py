"""The pure part of the cluster's own state: who leads, which command ids were applied, a restore under way.

No clock, no randomness, no I/O: `Replica.apply(command, position)` gives the same on every node.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from cluster.commands import Applied, Command, Epoch, Event, Outcome, Position, plain
from cluster.errors import SnapshotUnreadable
from cluster.machine import Led, Replaceable, StateMachine
from cluster.snapshot_codec import decode_snapshot

CLAIM = "cluster.claim"
RESTORE = "cluster.restore"
RESTORE_BYTES_MAX = 64 << 20

FENCED = "fenced"
KEY_REUSED = "key_reused"


class Claim(msgspec.Struct, frozen=True):
    """The latest applied claim of leadership."""

    node_id: str
    epoch: Epoch


class ClaimBody(msgspec.Struct, frozen=True):
    """Body of `cluster.claim`: proposed by a node that has just won an election.

    `dedup_entries`: how many ids are remembered from here on, on every node; None: as before.
    """

    node_id: str
    dedup_entries: int | None = None


class RestoreBody(msgspec.Struct, frozen=True):
    """Body of `cluster.restore`: one part of a snapshot; the last part replaces the state."""

    session: str
    part: int
    parts: int
    data: bytes


class _Remembered(msgspec.Struct, frozen=True, array_like=True):
    outcome: Outcome
    position: Position
    key: str = ""
    request: str = ""


class _Saved(msgspec.Struct, frozen=True):
    format: int
    claim: Claim | None
    remembered: list[tuple[str, _Remembered]]
    session: str
    parts: list[bytes]
    dedup_entries: int | None = None


_FORMAT = 1

_T = TypeVar("_T")


class Replica:
    """The cluster's own state around the user's state machine.

    `dedup_entries`: how many ids of applied commands are remembered, until a claim says how many. They are forgotten
    in log order, so that every node forgets the same ones; with a bound out of its own settings a node would call a
    duplicate what another one applies.

    A key belongs to the first request that used it for as long as the id of one of its commands is remembered.
    """

    def __init__(self, machine: StateMachine, *, dedup_entries: int) -> None:
        self.machine = machine
        self.claim: Claim | None = None
        self._dedup_entries = dedup_entries
        # Not a dict: one that loses its first key again and again is searched from its beginning each time.
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._keys: dict[str, tuple[str, int]] = {}
        """by key, its request, and how many of its commands are remembered"""
        self._session = ""
        self._parts: list[bytes] = []

    def apply(self, command: Command, position: Position) -> tuple[Applied, tuple[Event, ...]]:
        """Apply a committed command. Whatever this raises is a defect of the state machine."""
        # A claim is never sent again. Ids are the users' to choose: nobody must be able to take a claim's away.
        first = None if command.kind == CLAIM else self._remembered.get(command.id)
        if first is not None:
            return Applied(first.outcome, first.position, duplicate=True), ()
        if command.key and self.request_of(command.key) not in (None, command.request):
            message = "the key was used for another request; use a new one for each request"
            return Applied(Outcome(code=KEY_REUSED, message=message), position), ()
        outcome, events = self._decide(command, position)
        if outcome.value is not None:
            outcome = Outcome(plain(outcome.value), outcome.code, outcome.message)
        if command.kind != CLAIM:
            self._remember(command.id, _Remembered(outcome, position, command.key, command.request))
        while len(self._remembered) > self._dedup_entries:
            self._forget(self._remembered.popitem(last=False)[1])
        return Applied(outcome, position), events

    def request_of(self, key: str) -> str | None:
        """The request that a key belongs to; None where it is free. From any thread, and then as of now."""
        held = self._keys.get(key)
        return None if held is None else held[0]

    def _remember(self, command_id: str, row: _Remembered) -> None:
        self._remembered[command_id] = row
        if row.key:
            self._keys[row.key] = (row.request, self._keys.get(row.key, ("", 0))[1] + 1)

    def _forget(self, row: _Remembered) -> None:
        if not row.key:
            return
        request, left = self._keys.pop(row.key)
        if left > 1:
            self._keys[row.key] = (request, left - 1)

    def _remember_only(self, rows: list[tuple[str, _Remembered]]) -> None:
        self._remembered, self._keys = OrderedDict(), {}
        for command_id, row in rows:
            self._remember(command_id, row)

    def capture(self) -> tuple[bytes, bytes]:
        """(the cluster's own state, the machine's)."""
        saved = _Saved(
            _FORMAT, self.claim, list(self._remembered.items()), self._session, self._parts, self._dedup_entries
        )
        return msgspec.msgpack.encode(saved), self.machine.snapshot()

    def restore(self, state: bytes, machine: bytes) -> None:
        """Become what `capture` returned. SnapshotUnreadable; whatever `machine.restore` raises."""
        saved = _decode_saved(state)
        self.machine.restore(machine)
        self.claim = saved.claim
        self._tell_of_claim()
        self._remember_only(saved.remembered)
        self._dedup_entries = saved.dedup_entries or self._dedup_entries
        self._session, self._parts = saved.session, list(saved.parts)

    def _decide(self, command: Command, position: Position) -> tuple[Outcome, tuple[Event, ...]]:
        if command.epoch is not None and (self.claim is None or command.epoch != self.claim.epoch):
            # An epoch newer than the claim is of another log (of a cluster restored from, say): refused too.
            now = self.claim.epoch if self.claim else "none"
            return Outcome(code=FENCED, message=f"epoch {command.epoch} is not the current leadership's ({now})"), ()
        if not command.kind.startswith("cluster."):
            outcome, events = self.machine.apply(command, position)
            return outcome, tuple(events)
        try:
            if command.kind == CLAIM and command.version == 1:
                return self._claimed(_body(command, ClaimBody), position)
            if command.kind == RESTORE and command.version == 1:
                return self._restored(_body(command, RestoreBody), command, position)
        except msgspec.MsgspecError as error:
            return Outcome(code="malformed", message=f"{command.kind}: {error}"), ()
        return Outcome(code="unknown_kind", message=f"{command.kind} version {command.version} is not known"), ()

    def _claimed(self, body: ClaimBody, position: Position) -> tuple[Outcome, tuple[Event, ...]]:
        self.claim = Claim(body.node_id, Epoch(position.term, position.index))
        self._dedup_entries = body.dedup_entries or self._dedup_entries
        self._tell_of_claim()
        epoch = str(self.claim.epoch)
        return Outcome(value=epoch), (Event("cluster.claimed", body.node_id, {"epoch": epoch}),)

    def _tell_of_claim(self) -> None:
        if self.claim is not None and isinstance(self.machine, Led):
            self.machine.led(self.claim.node_id, self.claim.epoch)

    def _restored(self, body: RestoreBody, command: Command, position: Position) -> tuple[Outcome, tuple[Event, ...]]:
        if body.part == 0:
            self._session, self._parts = body.session, []
        if body.session != self._session or body.part != len(self._parts):
            return Outcome(code="restore_interrupted", message="another restore began; start again"), ()
        if sum(map(len, self._parts)) + len(body.data) > RESTORE_BYTES_MAX:
            self._session, self._parts = "", []
            return Outcome(code="restore_too_large", message=f"more than {RESTORE_BYTES_MAX} bytes"), ()
        self._parts.append(body.data)
        if len(self._parts) < body.parts:
            return Outcome(), ()
        data = b"".join(self._parts)
        self._session, self._parts = "", []
        try:
            snapshot = decode_snapshot(data)
            saved = _decode_saved(snapshot.state)
            events = self._replace(snapshot.machine, command, position, snapshot.index)
        except Exception as error:  # noqa: BLE001 - bad input must not stop every node: each refuses it alike
            return Outcome(code="restore_refused", message=f"{type(error).__name__}: {error}"), ()
        # The claim stays: who leads is a fact of this log, not of the restored one.
        self._remember_only(saved.remembered)
        return Outcome(value=snapshot.index), (
            Event("cluster.restored", "cluster", {"index": snapshot.index}),
            *events,
        )

    def _replace(self, data: bytes, command: Command, position: Position, index: int) -> Sequence[Event]:
        if isinstance(self.machine, Replaceable):
            return self.machine.replace(data, command, position, index)
        before = self.machine.snapshot()
        try:
            self.machine.restore(data)
        except Exception:
            self.machine.restore(before)
            raise
        return ()


def _body(command: Command, kind: type[_T]) -> _T:
    return msgspec.msgpack.decode(command.body, type=kind)


def _decode_saved(state: bytes) -> _Saved:
    try:
        saved = msgspec.msgpack.decode(state, type=_Saved)
    except msgspec.MsgspecError as error:
        raise SnapshotUnreadable(f"the cluster's own state cannot be read: {error}") from error
    if saved.format != _FORMAT:
        raise SnapshotUnreadable(f"the cluster's own state has format {saved.format}, this release knows {_FORMAT}")
    return saved


def encode_body(body: Any) -> bytes:
    """MessagePack of a command's body."""
    return msgspec.msgpack.encode(body)
