"""Shapes of answers: audit. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `before` and `after`: what was changed, as it was and as it is; null where nothing is told."""

    number: int
    """Counts all entries that ever were, without a gap."""
    index: int
    """Where in the replicated log."""
    epoch: str
    """The leadership under which it was made."""
    time: str
    """RFC 3339, by the clock of the node that took it; for display."""
    actor: dict[str, str]
    """`kind id name role address node`, as far as each is known."""
    kind: str
    subject: str
    """As the watch names it."""
    id: str
    """Of the row; of several, with commas between them."""
    outcome: str
    """`done`, the code of a refusal, or around what is done outside the replicated state `intended` before it
    and `unknown` after it, where nobody can say.
    """
    before: Any
    after: Any
    previous: str
    """The hash of the entry before."""
    hash: str
    """SHA-256 of this entry without `hash`, see docs/audit.md."""


class AuditHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chain ends. Kept elsewhere, it proves all that stands before it (`triarch audit verify --head`)."""

    number: int
    """Of the newest entry; 0: there is none."""
    hash: str
    first: int
    """Of the oldest entry that the list has; older ones are in the export."""
    left_out: int
    """Refusals that were not entered, because there were too many of them."""
    recording: bool
    """False: a member is not known to run a release that has an audit, and nothing is entered."""
    node: str
    """Whose file the next member tells of."""
    file: dict[str, Any]
    """On that node: `number` of the newest entry in its file, `trouble` why it cannot be written."""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. `cursor` is null on the last page of what the state holds; the export has what is older."""

    entries: list[AuditEntry]
    cursor: str | None
