"""What must hold at every step, whatever happens to the members. Each check costs a few dictionary look-ups.

election safety      one leader a term, also over restarts
log matching         the same index and term: the same data, and the same entry before it
leader completeness  a new leader has every committed entry
committed entries    never change, are never cut, and are on a majority's disks when they are taken for committed
equal states         the same digest at the same index, on every member
once                 no command has its effect twice
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

Entry = tuple[bytes, int, int]
_NEVER = 1 << 62
_REMEMBERED = 400


class Violation(Exception):
    """An invariant does not hold: which, and what was seen."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what


class Kept(Protocol):
    """Where a member's log file stands."""

    def holds(self, size: int) -> bool:
        """Whether the first `size` bytes of the log file outlive a power cut for certain."""
        ...


class Settled:
    """Kept, of a log that was settled: there is nothing any more that may still come to be kept."""

    def holds(self, size: int) -> bool:
        """See Kept; `settle` left 0 where it holds."""
        return size == 0


class LogShadow:
    """One member's log as its write-ahead log was told to keep it, with each entry's end in the file.

    Of what fell out at the log's head it still knows the terms, so that a commit and a compaction may come in one turn.
    """

    def __init__(self, entries: Sequence[Entry], end: int) -> None:
        self.first = entries[0][1] if entries else 1
        """the log's first index: it and what is before it is in a snapshot"""
        self._base = self.first
        self._terms = [term for _, _, term in entries]
        self._ends = [end] * len(self._terms)

    @property
    def last(self) -> int:
        """The last index."""
        return self._base + len(self._terms) - 1

    def term(self, index: int) -> int | None:
        """Of the entry at `index`; None where none is known."""
        position = index - self._base
        return self._terms[position] if 0 <= position < len(self._terms) else None

    def end(self, index: int) -> int:
        """How long the file is with this entry in it."""
        return self._ends[index - self._base]

    def add(self, term: int, end: int) -> None:
        """An entry was appended; the file is then `end` bytes long."""
        self._terms.append(term)
        self._ends.append(end)

    def cut_from(self, index: int) -> None:
        """The tail was cut."""
        del self._terms[max(0, index - self._base) :]
        del self._ends[max(0, index - self._base) :]

    def replace(self, entries: Sequence[Entry], end: int) -> None:
        """A new file of `end` bytes holds these entries, and no others."""
        goes_on = (
            self.term(entries[0][1]) == entries[0][2]
        )  # else it stands for a snapshot, and what was before is void
        if not goes_on or len(self._terms) > _REMEMBERED:
            self.__init__(entries, end)  # type: ignore[misc]
            return
        self.first = entries[0][1]
        self.cut_from(self.first)
        self._terms += [term for _, _, term in entries]
        self._ends = [end] * len(self._terms)

    def settle(self, kept: Callable[[int], bool]) -> None:
        """The file is being replaced and nobody knows by which name: what was on disk stays held, the rest is not."""
        self._ends = [0 if kept(end) else _NEVER for end in self._ends]


class Invariants:
    """Of one run."""

    def __init__(self) -> None:
        self.leaders: dict[int, tuple[str, int]] = {}
        """term → (member, its incarnation)"""
        self.committed = 1
        """the highest index that anybody took for committed; entry 1 is the same in every new log"""
        self._entries: dict[tuple[int, int], tuple[int, int | None]] = {}
        self._committed: dict[int, tuple[int, str]] = {1: (0, "everybody")}
        self._digests: dict[int, tuple[bytes, str, str]] = {}
        self._effects: dict[str, int] = {}

    # ── Logs ────────────────────────────────

    def added(self, member: str, entry: Entry, previous_term: int | None) -> None:
        """`member` has put an entry behind one of `previous_term` (None: it is the first that it holds)."""
        data, index, term = entry
        crc = zlib.crc32(data)
        known = self._entries.setdefault((index, term), (crc, previous_term))
        if known == (crc, previous_term):
            return
        if known[0] != crc:
            raise Violation(
                "log matching", f"{member} holds other data for entry {index} of term {term} than others do"
            )
        if previous_term is None or known[1] is None:
            if known[1] is None:
                self._entries[index, term] = (crc, previous_term)
            return
        raise Violation(
            "log matching",
            f"{member} has entry {index} of term {term} behind term {previous_term}, others behind term {known[1]}",
        )

    def cut(self, member: str, index: int, term: int | None) -> None:
        """`member` cuts its log from `index` on, where it has an entry of this term."""
        if index <= self.committed and self._committed.get(index, (None,))[0] == term:
            raise Violation("committed entries", f"{member} cuts entry {index} of term {term}, which is committed")

    # ── Leaders ────────────────────────────────

    def leads(self, member: str, incarnation: int, term: int, log: LogShadow) -> None:
        """`member` takes itself for the leader of `term`."""
        first = self.leaders.setdefault(term, (member, incarnation))
        if first != (member, incarnation):
            again = " before it was restarted" if first[0] == member else ""
            raise Violation("election safety", f"{member} leads term {term}, which {first[0]} led{again}")
        index = self.committed
        if index < log.first or self._committed[index][0] > term:
            return  # one that wins late, when a later term has begun already, lacks what that one has committed
        committed = self._committed[index][0]
        if log.term(index) != committed:
            what = f"holds term {log.term(index)} there" if log.term(index) else f"its log ends at {log.last}"
            raise Violation(
                "leader completeness",
                f"{member} leads term {term}, but entry {index} of term {committed} is committed and {what}",
            )

    # ── Commits ────────────────────────────────

    def took_for_committed(
        self,
        member: str,
        commit: int,
        former: int,
        logs: Mapping[str, tuple[LogShadow, Kept]],
        electorates: Sequence[Sequence[str]],
    ) -> None:
        """`member` takes everything up to `commit` for committed; up to `former` it did so before.

        `electorates`: whose majority counts; several where the voters changed meanwhile.
        """
        own = logs[member][0]
        for index in range(former + 1, commit + 1):
            term = own.term(index)
            if term is None and index < own.first:
                continue  # it came with a snapshot
            if term is None:
                raise Violation("committed entries", f"{member} takes entry {index} for committed and does not hold it")
            known = self._committed.setdefault(index, (term, member))
            if known[0] != term:
                raise Violation(
                    "committed entries",
                    f"{member} takes entry {index} of term {term} for committed, {known[1]} one of term {known[0]}",
                )
        if commit <= self.committed:
            return
        term = own.term(commit)
        if term is None:  # from a snapshot: whoever made it had taken it for committed
            raise Violation("committed entries", f"{member} takes {commit} for committed, which nobody else did before")
        found: list[str] = []
        for voters in electorates:
            holders = [voter for voter in voters if voter in logs and _holds(*logs[voter], commit, term)]
            if len(holders) * 2 > len(voters):
                break
            found.append(f"of {', '.join(voters)} only {', '.join(holders) or 'nobody'}")
        else:
            raise Violation(
                "committed entries",
                f"{member} takes entry {commit} of term {term} for committed, but {' and '.join(found)} has it on disk",
            )
        self.committed = commit

    # ── States ────────────────────────────────

    def applied(self, member: str, index: int, digest: bytes, command_id: str) -> None:
        """`member` has applied a command, with this digest of its state's history after it."""
        known = self._digests.setdefault(index, (digest, member, command_id))
        if known[0] != digest:
            raise Violation(
                "equal states",
                f"after entry {index} ({command_id}) {member} has another state than {known[1]} ({known[2]})",
            )
        first = self._effects.setdefault(command_id, index)
        if first != index:
            raise Violation("once", f"{member} applied command {command_id} at entry {index} and at entry {first}")

    def restored(self, member: str, index: int, digest: bytes) -> None:
        """`member` has taken a state as of `index` from a snapshot."""
        known = self._digests.get(index)
        if index and known is not None and known[0] != digest:
            raise Violation("equal states", f"{member}'s snapshot at entry {index} is another state than {known[1]}'s")

    def effect_of(self, command_id: str) -> int | None:
        """The index at which the command had its effect."""
        return self._effects.get(command_id)

    def acknowledged(self, command_id: str, index: int, term: int) -> None:
        """A client was told that its command was applied there."""
        if self._effects.get(command_id) != index or self._committed.get(index, (term, ""))[0] != term:
            raise Violation(
                "acknowledged",
                f"command {command_id} was acknowledged at entry {index} of term {term}; it was applied at entry "
                f"{self._effects.get(command_id)}",
            )


def _holds(log: LogShadow, kept: Kept, index: int, term: int) -> bool:
    if index <= log.first:
        return True  # in its snapshot
    return log.term(index) == term and kept.holds(log.end(index))
