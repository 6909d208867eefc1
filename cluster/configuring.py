"""The members as this node's log has them, and how they change. A part of `Raft`, which see. Runs in the tick thread.

A membership holds from the moment its entry is in the log, committed or not, and no longer when it is cut (Raft,
section 4.1 of the dissertation). pysyncobj accepts several changes at once, and a vote from anybody (R14, R15).
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from cluster.applying import MEMBERS, Answer, Applying
from cluster.clock import now
from cluster.errors import EntryUnreadable, MemberChangeRefused
from cluster.inbound import LEADER
from cluster.membership import MemberRecord, Membership, decode_membership, encode_membership
from cluster.snapshot_codec import Entry, Snapshot, encode_snapshot
from cluster.transport import PeerNode

log = logging.getLogger(__name__)

CAUGHT_UP = 100
"""A learner that lacks no more entries than this becomes a voter."""


class Configuring(Applying):
    """`_memberships`: (index, membership) of every one in the log, oldest first; the first is what came before it."""

    _memberships: list[tuple[int, Membership]]

    def membership(self) -> Membership:
        """The latest one, committed or not."""
        return self._memberships[-1][1]

    # ── From the log ────────────────────────────────

    def _load_memberships(self, base: tuple[int, Membership]) -> None:
        self._memberships = [base]
        self._take_memberships(self._SyncObj__raftLog[:])
        self._configure()

    def _on_log_changed(self, cut_from: int | None, added: Sequence[Entry]) -> None:
        before = self._memberships[-1]
        if cut_from is not None:
            while len(self._memberships) > 1 and self._memberships[-1][0] >= cut_from:
                self._memberships.pop()
        self._take_memberships(added)
        if self._memberships[-1] is not before:
            self._configure()

    def _take_memberships(self, entries: Sequence[Entry]) -> None:
        for data, index, _ in entries:
            if data[:1] == MEMBERS and index > self._memberships[-1][0]:
                try:
                    self._memberships.append((index, decode_membership(data[1:])))
                except msgspec.MsgspecError as error:
                    raise EntryUnreadable(index, str(error)) from error

    def _membership_from(self, snapshot: Snapshot) -> None:
        membership = decode_membership(snapshot.membership)
        last = self._SyncObj__raftLog[-1][1]
        later = [row for row in self._memberships if snapshot.index < row[0] <= last]
        self._memberships = [(snapshot.index, membership), *later]
        self._configure()

    def capture(self) -> bytes:
        """The state as of the latest applied entry, in a snapshot file's form."""
        entries = self._SyncObj__raftLog
        applied = self._SyncObj__raftLastApplied
        position = applied - entries[0][1]
        last = entries[position]
        previous = entries[position - 1] if position else last
        while len(self._memberships) > 1 and self._memberships[1][0] <= applied:
            self._memberships.pop(0)  # committed for good: no cut brings back what was before
        membership = encode_membership(self._memberships[0][1])
        return encode_snapshot(Snapshot(tuple(last), tuple(previous), *self._replica.capture(), membership))

    # ── Into pysyncobj ────────────────────────────────

    def _configure(self) -> None:
        """Have pysyncobj talk to, and count, the members as they are now."""
        own = self._settings.node_id
        membership = self.membership()
        # Where this node's settings say how to reach a member, they know better than the log.
        addresses = {member.id: member.address for member in self._settings.members}
        voters: set[PeerNode] = set()
        learners: set[PeerNode] = set()
        for record in membership.members:
            if record.id != own:
                node = PeerNode(record.id, addresses.get(record.id, record.address))
                (voters if record.voter else learners).add(node)
        # What the log says of a member comes first: a stranger under its id, connected already, must not be pinned.
        self._transport.peers.pin({m.id: m.incarnation for m in membership.members if m.incarnation and m.id != own})
        former = self._SyncObj__otherNodes | self._SyncObj__readonlyNodes
        for node in former - voters - learners:
            log.info("%s is no member any more", node.id)
            self._transport.dropNode(node)
            self._SyncObj__connectedNodes.discard(node)
            for table in (self._SyncObj__raftNextIndex, self._SyncObj__raftMatchIndex, self._SyncObj__lastResponseTime):
                table.pop(node, None)
            self._store.cancel(node)
            for nodes in (self._chunks_under_way, self._probing, self._unanswered):
                nodes.discard(node)
            if self._SyncObj__raftLeader == node:
                self._SyncObj__raftLeader = None
        self._SyncObj__otherNodes, self._SyncObj__readonlyNodes = voters, learners
        for node in (voters | learners) - former:
            self._SyncObj__raftNextIndex[node] = self._SyncObj__raftLog[-1][1] + 1
            self._SyncObj__raftMatchIndex[node] = 0
            self._SyncObj__lastResponseTime[node] = now()
            self._transport.addNode(node)
        self._stands = any(record.id == own and record.voter for record in membership.members)
        self._on_members_committed()

    def _on_members_committed(self) -> None:
        """Only a committed membership excludes: another may be cut yet, and by a leader whom it calls removed."""
        committed = self._memberships[0][1]
        for index, membership in self._memberships:
            if index <= self._SyncObj__raftCommitIndex:
                committed = membership
        self._transport.exclude(frozenset(committed.removed))

    # ── Changing ────────────────────────────────

    def add_member(self, record: MemberRecord, answer: Answer) -> None:
        """Append the membership with one more, a learner at first; `answer(Applied)` once that is committed.

        NotLeader, NoLeader, MemberChangeRefused.
        """
        self._change(lambda members: members.add(record), f"add {record.id}", answer)

    def remove_member(self, member_id: str, answer: Answer) -> None:
        """Append the membership with one less; `answer(Applied)` once committed. Errors as of add_member."""
        if member_id == self._settings.node_id and self._SyncObj__raftState == LEADER:
            raise MemberChangeRefused(f"{member_id} leads: hand leadership over first (cluster transfer)")
        self._change(lambda members: members.remove(member_id), f"remove {member_id}", answer)

    def _change(self, change: Callable[[Membership], Membership], what: str, answer: Answer | None) -> None:
        if self._leadership.epoch is None:  # then an entry of this term is committed, as the rule for changes asks
            raise self._no_leadership()
        if self._memberships[-1][0] > self._SyncObj__raftCommitIndex:
            raise MemberChangeRefused("the change of the members before this one is not committed yet: try again")
        changed = change(self.membership()).known_as(
            {**self._transport.peers.incarnations(), self._settings.node_id: self._incarnation}
        )
        if standstill := self._standstill(changed):
            raise MemberChangeRefused(f"cannot {what}: {standstill}")
        named = (member.id + ("" if member.voter else " (learner)") for member in changed.members)
        log.info("members: %s (now %s)", what, ", ".join(named))
        entry = (MEMBERS + encode_membership(changed), self._last_index() + 1, self._SyncObj__raftCurrentTerm)
        self._SyncObj__raftLog.add(*entry)
        if answer is not None:
            self._waiting[entry[1]] = (entry[2], what, answer)
        self._on_log_changed(None, (entry,))

    def _standstill(self, changed: Membership) -> str | None:
        """Why nobody would lead any more: a change holds at once, also one that its members cannot commit."""
        voters = [member.id for member in changed.voters]
        if set(voters) == {member.id for member in self.membership().voters}:
            return None
        absent = [member for member in voters if not self._answers(member)]
        here = len(voters) - len(absent)
        if here >= changed.majority:
            return None
        return (
            f"{', '.join(absent)} does not answer, and of the {len(voters)} members that would then vote {here} are "
            f"here, where {changed.majority} are needed: start it again, or remove it first"
        )

    def _answers(self, member_id: str) -> bool:
        node = PeerNode(member_id)
        if member_id == self._settings.node_id:
            return True
        heard_at = self._SyncObj__lastResponseTime.get(node, 0.0)
        return node in self._SyncObj__connectedNodes and now() - heard_at <= self._settings.step_down_s

    def _settle_members(self) -> None:
        """The first leader writes down who began; a learner that has caught up then votes. One change at a time."""
        if self._leadership.epoch is None or self._memberships[-1][0] > self._SyncObj__raftCommitIndex:
            return
        if self._memberships[-1][0] == 0:
            # From here on the log says who the members are, and no longer settings that may come to differ.
            self._change(lambda members: members, "as the cluster began", None)
            return
        matched = self._SyncObj__raftMatchIndex
        for node in sorted(self._SyncObj__readonlyNodes, key=lambda node: str(node.id)):
            near = matched.get(node, 0) and matched[node] >= self._last_index() - CAUGHT_UP
            if near and self._answers(node.id) and not self._standstill(self.membership().promote(node.id)):
                self._change(lambda members, id=node.id: members.promote(id), f"{node.id} votes from now on", None)  # type: ignore[misc]
                return

    _incarnation: str

    def _last_index(self) -> int:
        raise NotImplementedError
