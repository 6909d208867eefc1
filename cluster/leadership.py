"""Leadership, purely: winning an election is not leading; leading begins when the own claim is applied.

follower ──elected──▶ elected ──own claim applied in that term──▶ established (Gained)
   ▲                     │                                            │
   └──────deposed────────┴──────────── deposed, or another's claim ───┘ (Lost, with the reason)
"""

from typing import NamedTuple

import msgspec

from cluster.commands import Epoch


class Gained(msgspec.Struct, frozen=True):
    """This node leads. Everything with an effect outside carries `epoch`."""

    epoch: Epoch


class Lost(msgspec.Struct, frozen=True):
    """This node no longer leads under `epoch`."""

    epoch: Epoch
    reason: str


LeadershipChange = Gained | Lost


class Offer(NamedTuple):
    """Who led under `epoch` asked member `to` to take over. Once another claim is applied it cannot any more."""

    epoch: Epoch
    to: str


class Leadership:
    """Turns elections, claims and step-downs into Gained and Lost, which always alternate."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._elected_term: int | None = None
        self.epoch: Epoch | None = None
        """of the established leadership, None when this node does not lead"""

    def elected(self, term: int) -> tuple[LeadershipChange, ...]:
        """This node won the election of `term`."""
        changes = self.deposed(f"elected anew in term {term}")
        self._elected_term = term
        return changes

    def deposed(self, reason: str) -> tuple[LeadershipChange, ...]:
        """This node stepped down, for whatever reason."""
        self._elected_term = None
        if self.epoch is None:
            return ()
        lost, self.epoch = Lost(self.epoch, reason), None
        return (lost,)

    def claimed(self, node_id: str, epoch: Epoch) -> tuple[LeadershipChange, ...]:
        """A claim was applied here: a replayed one, another node's, or the own one."""
        if node_id != self._node_id or epoch.term != self._elected_term:
            if self.epoch is None:
                return ()
            lost, self.epoch = Lost(self.epoch, f"the claim of {node_id} was applied"), None
            return (lost,)
        if self.epoch is not None:
            changes: tuple[LeadershipChange, ...] = (Lost(self.epoch, "claimed anew"), Gained(epoch))
        else:
            changes = (Gained(epoch),)
        self.epoch = epoch
        return changes


class LeadershipFeed:
    """What one consumer has still to hear. Never more than a Lost and the Gained after it, however slow the consumer.

    A Lost is dropped only together with its Gained, when the consumer has heard of neither.
    """

    def __init__(self, epoch: Epoch | None) -> None:
        self._pending: list[LeadershipChange] = [] if epoch is None else [Gained(epoch)]

    def push(self, change: LeadershipChange) -> None:
        """Something changed."""
        if isinstance(change, Lost) and self._pending and isinstance(self._pending[-1], Gained):
            self._pending.pop()
        else:
            self._pending.append(change)

    def pop(self) -> LeadershipChange | None:
        """The next change, None when there is none."""
        return self._pending.pop(0) if self._pending else None
