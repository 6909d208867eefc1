"""Who the members are, purely. A log entry holds the whole membership, and holds from the moment it is appended.

One member changes at a time, and only after the change before it is committed: any majority of the members before and
any of the members after then have a member in common, so there are never two leaders. A new member is first a learner:
it gets the log and counts for nothing, until it has caught up; an empty disk therefore never holds up a commit.
"""

from collections.abc import Iterable
from typing import Self

import msgspec

from cluster.errors import MemberChangeRefused

REMOVED_MAX = 1_000
"""Ids of removed members that are remembered; the oldest is forgotten first."""


class MemberRecord(msgspec.Struct, frozen=True, array_like=True):
    """One member. `address`: where its Raft is dialled; `api`: where its users ask, for others to know."""

    id: str
    address: str
    api: str = ""
    voter: bool = True
    incarnation: str = ""
    """of its data directory, once known: one that lost its disk is not this member any more"""


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """All members, and those that were removed: an id is never given again."""

    members: tuple[MemberRecord, ...]
    removed: tuple[str, ...] = ()

    @property
    def voters(self) -> tuple[MemberRecord, ...]:
        """Those that elect and commit."""
        return tuple(member for member in self.members if member.voter)

    @property
    def majority(self) -> int:
        """How many voters decide."""
        return len(self.voters) // 2 + 1

    def get(self, member_id: str) -> MemberRecord | None:
        """The member with this id."""
        return next((member for member in self.members if member.id == member_id), None)

    def add(self, record: MemberRecord) -> Self:
        """With one more, as a learner. MemberChangeRefused."""
        known = self.get(record.id)
        if known is not None:
            raise MemberChangeRefused(f"{record.id} is a member already, at {known.address}")
        if record.id in self.removed:
            raise MemberChangeRefused(
                f"{record.id} was a member and has been removed; an id is not given twice, because votes given under "
                "it may still count: start the node with a new id and an empty data_dir"
            )
        there = next((member for member in self.members if member.address == record.address), None)
        if there is not None:
            raise MemberChangeRefused(f"{record.address} is the address of {there.id}; remove that member first")
        learner = msgspec.structs.replace(record, voter=False)
        return msgspec.structs.replace(self, members=(*self.members, learner))

    def promote(self, member_id: str) -> Self:
        """With a learner as a voter."""
        return self._changed(member_id, voter=True)

    def remove(self, member_id: str) -> Self:
        """With one less. MemberChangeRefused."""
        record = self.get(member_id)
        if record is None:
            raise MemberChangeRefused(f"{member_id} is not a member ({', '.join(m.id for m in self.members)})")
        if record.voter and len(self.voters) == 1:
            raise MemberChangeRefused(f"{member_id} is the only member that votes; without it there is no cluster")
        return msgspec.structs.replace(
            self,
            members=tuple(member for member in self.members if member.id != member_id),
            removed=(*self.removed, member_id)[-REMOVED_MAX:],
        )

    def known_as(self, incarnations: dict[str, str]) -> Self:
        """With the incarnations that are known now."""
        return msgspec.structs.replace(
            self,
            members=tuple(
                msgspec.structs.replace(member, incarnation=member.incarnation or incarnations.get(member.id, ""))
                for member in self.members
            ),
        )

    def _changed(self, member_id: str, *, voter: bool) -> Self:
        return msgspec.structs.replace(
            self,
            members=tuple(
                msgspec.structs.replace(member, voter=voter) if member.id == member_id else member
                for member in self.members
            ),
        )


def initial(members: Iterable[tuple[str, str, str]]) -> Membership:
    """The membership before any change: (id, address, api) of each, all of them voters."""
    return Membership(tuple(MemberRecord(*member) for member in members))


_decoder = msgspec.msgpack.Decoder(Membership)


def encode_membership(membership: Membership) -> bytes:
    """Its bytes in the log and in snapshots."""
    return msgspec.msgpack.encode(membership)


def decode_membership(data: bytes) -> Membership:
    """msgspec.MsgspecError when it is none."""
    return _decoder.decode(data)
