"""Who leads: PreVote, votes, and when to ask for them. A part of `Raft`, which see. Runs in the tick thread.

    follower ──deadline, or the leader's connection broke──▶ asks for pre-votes (nothing changes anywhere)
       ▲                                                        │ a majority hears no leader either, nor has a newer log
       │ a leader of this or a later term                       ▼
       └───────────────────────────────────────────────── candidate: next term, own vote on disk ──majority──▶ leader

A member that comes back from a cut cannot depose anybody: whoever hears a leader grants it no pre-vote, and only a
pre-election that was won begins a term. `Newer` frees the one case that remains: a candidate that won the pre-election
and lost the election is a term ahead, and tells the leader so.
"""

import logging
from typing import Any, Literal

import msgspec

from cluster.clock import now
from cluster.inbound import CANDIDATE, FOLLOWER, LEADER, Inbound
from cluster.messages import Message, Newer, PreVote, PreVoteGranted, RequestVote, TimeoutNow, Vote

log = logging.getLogger(__name__)


class Campaign(msgspec.Struct):
    """What this node asks for since `began_at`: pre-votes or votes, for `term`; who gave it theirs, itself included."""

    kind: Literal["pre", "vote"]
    term: int
    began_at: float
    granted: set[str]


class Elections(Inbound):
    """Replaces pysyncobj's elections."""

    _campaign: Campaign | None
    _campaigns_since_leader: int
    _election_at: float
    _followed_at: float | None
    """when the leader was last heard; None once its connection broke, too"""
    _random: Any
    _stands: bool
    """whether this node is a voter by its own membership"""
    _counters: Any
    selfNode: Any  # noqa: N815

    # ── When ────────────────────────────────

    def _postpone_election(self) -> None:
        self._election_at = now() + self._random.uniform(self._settings.election_min_s, self._settings.election_max_s)

    def _postpone_at_least(self, least_s: float, most_s: float) -> None:
        self._election_at = max(self._election_at, now() + self._random.uniform(least_s, most_s))

    def _follow(self, node: Any) -> None:
        """A leader of this term was heard."""
        self._postpone_election()
        self._followed_at = now()
        self._campaign = None
        if self._SyncObj__raftLeader != node:
            log.info("following %s in term %d", node.id, self._SyncObj__raftCurrentTerm)
            self._campaigns_since_leader = 0
        self._SyncObj__raftLeader = node
        self._SyncObj__setState(FOLLOWER)

    def _SyncObj__onNodeDisconnected(self, node: Any) -> None:  # noqa: N802
        super()._SyncObj__onNodeDisconnected(node)  # type: ignore[misc]
        self._chunks_under_way.discard(node)
        self._store.cancel(node)
        if self._SyncObj__raftState == LEADER and node in self._SyncObj__raftNextIndex:
            # What was on its way is lost; how far it got, its first answer says.
            self._SyncObj__raftNextIndex[node] = max(self._SyncObj__raftMatchIndex[node] + 1, 2)
            self._probing.add(node)
            self._unanswered.discard(node)
        if self._SyncObj__raftState == FOLLOWER and node == self._SyncObj__raftLeader:
            # A process that died closes its connections. Those who still hear it will grant no pre-vote.
            self._followed_at = None
            heartbeat = self._settings.heartbeat_s
            self._election_at = min(self._election_at, now() + self._random.uniform(heartbeat / 2, heartbeat * 3))

    def _run_elections(self) -> None:
        if self._SyncObj__raftState == LEADER or now() < self._election_at:
            return
        if self._stands:
            self._ask_for_pre_votes()
        else:
            self._postpone_election()  # else the deadline that is over would end each wait at once

    def _hears_leader(self) -> bool:
        if self._SyncObj__raftState == LEADER:
            return True
        return self._followed_at is not None and now() - self._followed_at < self._settings.election_min_s

    # ── Standing ────────────────────────────────

    def _ask_for_pre_votes(self) -> None:
        term = self._SyncObj__raftCurrentTerm + 1
        leader = self._SyncObj__raftLeader
        self._campaigns_since_leader += 1
        level = logging.INFO if self._campaigns_since_leader <= 1 else logging.DEBUG  # alone, it asks for ever
        log.log(level, "asks for pre-votes for term %d: %s", term, self._why_now(leader))
        self._SyncObj__raftLeader = None
        if self._SyncObj__raftState == CANDIDATE:
            self._SyncObj__setState(FOLLOWER)
        self._postpone_election()
        self._campaign = Campaign("pre", term, now(), {self._settings.node_id})
        self._ask(PreVote(term, *self._log_end()))
        self._count(self._campaign)

    def _why_now(self, leader: Any) -> str:
        if leader is None or leader == self.selfNode:
            return "no leader is known"
        if self._followed_at is None:
            return f"the connection to the leader {leader.id} broke"
        return f"the leader {leader.id} was not heard for {now() - self._followed_at:.2f} s"

    def _stand(self, *, transfer: bool = False) -> None:
        term = self._SyncObj__raftCurrentTerm + 1
        log.info("stands for election in term %d%s", term, ": the leader hands over" if transfer else "")
        self._counters.elections += 1
        self._counters.handed_over = transfer
        self._SyncObj__raftLeader = None
        self._SyncObj__setCurrentTerm(term, self._settings.node_id)
        self._SyncObj__setState(CANDIDATE)
        # That there is no leader is established: after a split vote the next attempt need not wait for one.
        self._election_at = now() + self._random.uniform(
            self._settings.election_min_s / 2, self._settings.election_min_s
        )
        self._campaign = Campaign("vote", term, now(), {self._settings.node_id})
        self._ask(RequestVote(term, *self._log_end(), transfer))
        self._count(self._campaign)

    def _ask(self, message: Message) -> None:
        for node in self._SyncObj__otherNodes:
            self._transport.send(node, message)

    def _count(self, campaign: Campaign) -> None:
        if 2 * len(campaign.granted) <= len(self._SyncObj__otherNodes) + 1:
            return
        if campaign.kind == "pre":
            self._stand()
        else:
            self._campaign = None
            self._become_leader()

    def _become_leader(self) -> None:
        raise NotImplementedError

    def _log_end(self) -> tuple[int, int]:
        _, index, term = self._SyncObj__raftLog[-1]
        return index, term

    # ── Being asked ────────────────────────────────

    def _on_election_message(self, node: Any, message: Message) -> None:
        if isinstance(message, PreVote):
            self._on_pre_vote(node, message)
        elif isinstance(message, RequestVote):
            self._on_request(node, message)
        elif isinstance(message, PreVoteGranted | Vote):
            self._on_granted(node, message)
        elif isinstance(message, TimeoutNow) and self._may_take_over(node, message):
            self._stand(transfer=True)

    def _may_take_over(self, node: Any, message: TimeoutNow) -> bool:
        of_this_term = message.term == self._SyncObj__raftCurrentTerm and node == self._SyncObj__raftLeader
        return of_this_term and self._stands and self._SyncObj__raftState != LEADER

    def _on_granted(self, node: Any, message: PreVoteGranted | Vote) -> None:
        campaign = self._campaign
        kind = "pre" if isinstance(message, PreVoteGranted) else "vote"
        # Only members that vote are counted: a learner's, a removed member's or a stranger's vote elects nobody (R14).
        if campaign is None or (campaign.kind, campaign.term) != (kind, message.term):
            return
        if node not in self._SyncObj__otherNodes or node.id in campaign.granted:
            return
        campaign.granted.add(node.id)
        self._count(campaign)

    def _on_pre_vote(self, node: Any, message: PreVote) -> None:
        if message.term <= self._SyncObj__raftCurrentTerm:
            self._transport.send(node, Newer(self._SyncObj__raftCurrentTerm))
        elif refusal := self._pre_vote_refusal(node, message):
            log.debug("no pre-vote for %s in term %d: %s", node.id, message.term, refusal)
        else:
            # It gets the time to win before this node asks itself.
            self._postpone_at_least(self._settings.heartbeat_s, self._settings.heartbeat_s * 3)
            self._transport.send(node, PreVoteGranted(message.term))

    def _pre_vote_refusal(self, node: Any, message: PreVote) -> str | None:
        if self._hears_leader():
            return "the leader is heard here"
        theirs = (message.last_term, message.last_index)
        ours = self._log_end()[::-1]
        if theirs < ours:
            return f"its log ends at {theirs}, this one at {ours} (term, index)"
        own = self._campaign
        if own is not None and own.kind == "pre" and now() - own.began_at < 2 * self._settings.heartbeat_s:
            # Two ask at once: one of them, always the same, goes first. Else both might win, and split the votes.
            if (*ours, self._settings.node_id) > (*theirs, node.id):
                return "this node asks at the same time, and goes first"
            self._campaign = None
        return None

    def _on_request(self, node: Any, message: RequestVote) -> None:
        if message.term < self._SyncObj__raftCurrentTerm:
            self._transport.send(node, Newer(self._SyncObj__raftCurrentTerm))
            return
        if self._hears_leader() and not message.transfer:
            log.info("no vote for %s in term %d: the leader is heard here", node.id, message.term)
            return
        if message.term > self._SyncObj__raftCurrentTerm:
            self._adopt_term(node, message.term)
        theirs, ours = (message.last_term, message.last_index), self._log_end()[::-1]
        voted = self._SyncObj__votedForNodeId
        if theirs < ours:
            why = f"its log ends at {theirs}, this one at {ours}"
            log.info("no vote for %s in term %d: %s", node.id, message.term, why)
        elif self._SyncObj__raftState != FOLLOWER or voted not in (None, node.id):
            log.info("no vote for %s in term %d: it went to %s", node.id, message.term, voted)
        else:
            log.info("votes for %s in term %d", node.id, message.term)
            self._SyncObj__setCurrentTerm(message.term, node.id)  # on disk when this returns
            self._campaign = None
            self._postpone_election()
            self._counters.votes += 1
            self._transport.send(node, Vote(message.term))
