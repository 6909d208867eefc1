"""A command with an actor, applied and entered. Pure.

Entered: what was accepted and changed something, and what was refused to people. Left out: a command that changed
nothing (the same registration again), what machines report (`subjects.REPORTS`, events), and refusals beyond the
chain's bound.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cluster.commands import Command, Event, Outcome, Position
from orchestrator.audit import subjects
from orchestrator.audit.chain import MACHINES, AuditChain, Head, Note
from orchestrator.audit.entry import DONE, Entry

if TYPE_CHECKING:
    from orchestrator.state import PlantState

ENTERED = "audit.entered"
"""The event of an entry. Its subject is the number, `data` has `number` and `hash`; the entry is in the state."""

EVENT = "event.accepted"
"""Entered when a person has sent it, not when a component has. With the cluster's own token nobody can tell."""

_UNREAD = frozenset({"invalid_command", "unknown_command"})
"""Refusals of bodies that need not be what they should: whether their ids can be read may depend on the node."""

Apply = Callable[[Command, Position], tuple[Outcome, Sequence[Event]]]


def entered(state: "PlantState", command: Command, position: Position, apply: Apply) -> tuple[Outcome, Sequence[Event]]:
    """Apply `command`, which has an actor, and enter what it did."""
    if command.kind == Note.kind and command.version == 1:
        return _noted(state.audit, command, position)
    if command.kind in subjects.REPORTS or (command.kind == EVENT and not _person(command.actor or {})):
        return apply(command, position)
    about = subjects.about(command.kind, command.body)
    before = subjects.told(state, about, about.ids)
    outcome, events = apply(command, position)
    ids = () if outcome.code in _UNREAD else about.ids or subjects.id_in(outcome.value)
    after = subjects.told(state, about, ids) if outcome.ok else before
    if outcome.ok and before == after and any(row is not None for row in after):
        return outcome, events
    entry = state.audit.add(
        actor=command.actor or {},
        kind=command.kind,
        subject=about.subject,
        id=",".join(ids),
        time=command.time,
        position=(position.term, position.index),
        outcome=DONE if outcome.ok else outcome.code,
        before=subjects.shown(ids, before) if outcome.ok and about.ids else None,
        after=subjects.shown(ids, after) if outcome.ok else None,
        refused=not outcome.ok,
    )
    return outcome, events if entry is None else [*events, _event(entry)]


def restored(
    audit: AuditChain, command: Command, position: Position, *, index: int, data: bytes, backup: Head
) -> Sequence[Event]:
    """Enter that the state was replaced by a backup's `data`, taken at `index`, whose own audit ended at `backup`."""
    entry = audit.add(
        actor=command.actor or {},
        kind=command.kind,
        subject="cluster",
        id="",
        time=command.time,
        position=(position.term, position.index),
        after={
            "index": index,
            "sha256": hashlib.sha256(data).hexdigest(),
            "audit": {"number": backup.number, "hash": backup.hash},
        },
    )
    return () if entry is None else [_event(entry)]


def _person(actor: Mapping[str, str]) -> bool:
    return actor.get("kind") in ("token", "oidc") and actor.get("role") not in MACHINES


def _noted(audit: AuditChain, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
    said = audit.note(
        command.body, actor=command.actor or {}, time=command.time, position=(position.term, position.index)
    )
    if isinstance(said, str):
        return Outcome(code="invalid_command", message=said), ()
    return Outcome(value={"number": said.number}), [_event(said)]


def _event(entry: Entry) -> Event:
    return Event(ENTERED, str(entry.number), {"number": entry.number, "hash": entry.hash})
