"""Whether a leader had a reason to go: what was disturbed, and until when.

A leader that a majority could hear all the time must not be deposed because some other member comes back: without
PreVote it would be, by the greater term which that member reached alone.
"""

from collections.abc import Sequence

from tests.simulation.agenda import Agenda
from tests.simulation.invariants import Violation
from tests.simulation.member import Member


class Peace:
    """`patience_s`: a leader that was heard undisturbed for so long has no reason to go."""

    def __init__(self, agenda: Agenda, *, patience_s: float) -> None:
        self._agenda = agenda
        self._patience_s = patience_s
        self._quiet_from: dict[str, float] = {}
        self._reached_from: dict[tuple[str, str], float] = {}
        self._leading_since: dict[str, float] = {}

    def disturb(self, member: str, until: float) -> None:
        """This member need not do its part until then."""
        self._quiet_from[member] = max(self._quiet_from.get(member, 0.0), until)

    def disturb_link(self, one: str, other: str, until: float) -> None:
        """These two need not reach each other until then."""
        for pair in ((one, other), (other, one)):
            self._reached_from[pair] = max(self._reached_from.get(pair, 0.0), until)

    def leads(self, member: str) -> None:
        """A leadership has begun."""
        self._leading_since[member] = self._agenda.now

    def deposed(self, member: Member, term: int, others: Sequence[Member]) -> None:
        """A leadership is over. Violation, unless there was a reason."""
        since = self._agenda.now - self._patience_s
        if self._leading_since[member.id] > since or self._quiet_from.get(member.id, 0.0) > since:
            return
        voters = [record.id for record in member.membership.voters] if member.membership else []
        followers = [
            other.id
            for other in others
            if other is not member
            and other.id in voters
            and self._quiet_from.get(other.id, 0.0) <= since
            and self._reached_from.get((member.id, other.id), 0.0) <= since
        ]
        if (len(followers) + 1) * 2 > len(voters):
            raise Violation(
                "leadership without a fault",
                f"{member.id} no longer leads term {term}, though {', '.join(followers)} could hear it for more than "
                f"{self._patience_s:.2f} s and nobody asked it to go",
            )
