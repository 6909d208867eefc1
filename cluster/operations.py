"""What an operator does with a running cluster: hand leadership over, change the members, back up and restore."""

import asyncio
import contextlib
import math
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from cluster.commands import Applied, Command, Epoch, Outcome, Position
from cluster.core import RESTORE, Claim, RestoreBody, encode_body
from cluster.errors import ClusterError, NodeStopped, OutcomeUnknown, ReadTimedOut, TransferFailed
from cluster.leadership import Offer
from cluster.membership import MemberRecord
from cluster.raft import Raft
from cluster.settings import Member
from cluster.snapshot_codec import decode_snapshot


class Capture:
    """A snapshot for all who ask before it is begun. Taking it holds up the Raft thread, once for all of them."""

    def __init__(self, call: Callable[..., Coroutine[Any, Any, Any]], over: Callable[["Capture"], None]) -> None:
        self._begun = False
        # Each of those who wait has a limit of their own.
        self._taking: asyncio.Task[bytes] = asyncio.create_task(call(self._take, None))
        self._taking.add_done_callback(lambda _: over(self))

    def _take(self, raft: Raft, answer: Callable[[Any], None]) -> None:
        self._begun = True  # before it is: who reads this as False asked before
        raft.post(answer, raft.capture())

    @property
    def open(self) -> bool:
        """Whether it will hold what was acknowledged until now: it is neither begun, nor could it not be taken."""
        return not self._begun and not self._taking.done()

    async def content(self) -> bytes:
        """Its bytes. Raises what kept it from being taken."""
        return await asyncio.shield(self._taking)

    def retrieved(self) -> None:
        """It is over, and it is no matter if nobody waits for what became of it any more."""
        if not self._taking.cancelled():
            self._taking.exception()


class HandOver:
    """One attempt to hand leadership over, shared by who waits for it and the Raft thread."""

    def __init__(self, to: str | None, hold_s: float, offered: Callable[[Offer], None]) -> None:
        self._to = to
        self._hold_s = hold_s
        self._offered = offered
        self._over = self._sent = False

    def ask(self, raft: Raft, answer: Callable[[Any], None]) -> None:
        """In the Raft thread. Answers with the offer; None: the member has yet to catch up."""
        # `_sent` is set before `_over` is looked at, and in `end` it is the other way round: one of both sees the
        # other, so that nothing is sent behind the back of somebody who was told that nothing was.
        self._sent, offer = True, None
        try:
            if not self._over and (offer := raft.hand_over(self._to, self._hold_s)) is not None:
                self._offered(offer)
        finally:
            self._sent = offer is not None
        raft.post(answer, offer)

    def end(self) -> bool:
        """Nothing is sent from here on. Whether something was, as far as is known."""
        self._over = True
        return self._sent


class Operations:
    """A part of `Cluster`, which see."""

    settings: Any
    members: Any
    status: Any
    read: Any
    _call: Any
    _live: Any
    _propose: Any
    _capture: Capture | None = None
    _ending: Any
    _epoch: Epoch | None
    _claim: Claim | None
    _claimed: Any
    _offers: frozenset[Offer] = frozenset()
    """those of the last epoch that had any; written in the Raft thread"""

    # ── Leadership transfer ────────────────────────────────

    async def transfer(self, to: str | None = None, *, timeout: float = 5.0) -> Epoch:
        """Give leadership to member `to` (None: the one with most of the log).

        Returns the new epoch, once its claim is applied here. NotLeader, NoLeader, QueueFull, NodeStopped: nothing was
        done. TransferFailed: nobody was asked to take over, or somebody else leads since. OutcomeUnknown: one was
        asked, and may still take over, for as long as no later claim is applied.
        """
        if to is not None and to not in {member.id for member in self.members()}:
            raise TransferFailed(f"{to} is not a member")
        if self._epoch is not None and to == self.settings.node_id:
            raise TransferFailed(f"{to} leads already")
        hand_over = HandOver(to, self.settings.election_max_s, self._offered)
        offer: Offer | None = None
        try:
            async with asyncio.timeout(timeout):
                while (offer := await self._call(hand_over.ask, timeout)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(self.settings.heartbeat_s / 5)  # until the target has caught up
                claim = await self._claim_after(offer.epoch)
        except (TimeoutError, ReadTimedOut):
            sent = hand_over.end()
            with contextlib.suppress(ClusterError):
                await self._call(lambda raft, answer: raft.post(answer, raft.release()), timeout)
            if offer is None or self._claim is None or self._claim.epoch <= offer.epoch:
                self._fail(to, f"no new leader's claim was applied here within {timeout:g} s", sent=sent)
            claim = self._claim  # it came while this was released
        except TransferFailed as error:
            self._fail(to, str(error))
        except NodeStopped:
            if not hand_over.end():
                raise
            self._fail(to, "this node stopped", sent=True)
        if claim.node_id == self.settings.node_id or (to is not None and claim.node_id != to):
            raise TransferFailed(f"{claim.node_id} leads now, not {to or 'another member'} (epoch {claim.epoch})")
        return claim.epoch

    def _offered(self, offer: Offer) -> None:
        self._offers = frozenset({offer, *(one for one in self._offers if one.epoch == offer.epoch)})

    def _fail(self, to: str | None, reason: str, *, sent: bool = False) -> NoReturn:
        """`sent`: by this attempt. An earlier one may have asked the same member: until the next claim it may stand."""
        asked = {offer.to for offer in self._offers if self._claim is None or self._claim.epoch <= offer.epoch}
        if sent or (asked if to is None else to in asked):
            names = to or " or ".join(sorted(asked)) or "another member"
            raise OutcomeUnknown(f"transfer to {names}", f"{names} was asked to take over, and still may: {reason}")
        raise TransferFailed(reason)

    async def _claim_after(self, epoch: Epoch) -> Claim:
        while self._claim is None or self._claim.epoch <= epoch:
            if self._ending.ended:
                raise NodeStopped
            await self._claimed.wait()
        return self._claim

    # ── Members ────────────────────────────────

    async def add_member(self, member: Member, *, timeout: float = 30.0) -> Applied:
        """Add a member, on the leader only. It gets the log first and votes once it has caught up.

        Returns when it votes. Start it with `join`, an empty data_dir and an id that was never a member's. A member
        that is there already, at that address, is waited for. NotLeader, NoLeader, QueueFull, NodeStopped,
        MemberChangeRefused: nothing has changed. OutcomeUnknown: it may be added, and may not vote yet; call it again.
        """
        record = MemberRecord(member.id, member.address, member.api)
        ends = time.monotonic() + timeout
        applied: Applied | None = None
        known = next((row for row in self.members() if row.id == member.id), None)
        if known is None or known.address != member.address:
            applied = await self._changed(lambda raft, answer: raft.add_member(record, answer), member.id, timeout)
        while not any(row.id == member.id and row.voter for row in self.members()):
            if time.monotonic() > ends:
                raise OutcomeUnknown(f"add {member.id}", f"it is added, and has not caught up within {timeout:g} s")
            await asyncio.sleep(self.settings.heartbeat_s)
        # Its vote counts once that change is committed, too; what is committed after it says so.
        await self.read(lambda _: None, consistency="linearizable", timeout=max(1.0, ends - time.monotonic()))
        status = self.status()
        return applied or Applied(Outcome(), Position(status.term, status.applied_index), duplicate=True)

    async def remove_member(self, member_id: str, *, timeout: float = 5.0) -> Applied:
        """Remove a member, on the leader only; its id is never given again. Returns when that is committed.

        The leader itself is removed after a transfer. Errors as of add_member; OutcomeUnknown: look at `members`.
        """
        return await self._changed(lambda raft, answer: raft.remove_member(member_id, answer), member_id, timeout)

    async def _changed(self, change: Callable[[Raft, Any], None], member_id: str, timeout: float) -> Applied:
        try:
            return await self._call(change, timeout)  # type: ignore[no-any-return]
        except ReadTimedOut:
            raise OutcomeUnknown(f"change of {member_id}", f"not committed within {timeout:g} s") from None

    # ── Backup ────────────────────────────────

    async def snapshot(self, *, timeout: float = 30.0) -> bytes:
        """The whole state here as of now or later, checksummed: what `restore` takes.

        Whoever asks while one is taken shares the next one with all others: many at once would take the leader's
        thread for so long that nobody hears of it. ReadTimedOut, QueueFull, NodeStopped.
        """
        self._live()
        if self._capture is None or not self._capture.open:
            self._capture = Capture(self._call, self._captured)
        try:
            async with asyncio.timeout(timeout):
                return await self._capture.content()
        except TimeoutError:
            raise ReadTimedOut(timeout) from None

    def _captured(self, capture: Capture) -> None:
        capture.retrieved()
        if self._capture is capture:
            self._capture = None  # so that its bytes are not kept

    async def restore(self, data: bytes, *, actor: dict[str, str] | None = None, timeout: float = 30.0) -> Applied:
        """Replace the state on all members by a snapshot's; who leads is not part of it. On the leader only.

        `actor`: who asked for it, as in `Command`. SnapshotUnreadable before anything is proposed; a snapshot that the
        state machine does not take changes nothing and gives an outcome with code "restore_refused". Otherwise as
        `propose`.
        """
        decode_snapshot(data)
        session = uuid.uuid4().hex
        size = self.settings.command_bytes_max - 1000
        parts = max(1, math.ceil(len(data) / size))
        deadline = time.monotonic() + timeout
        applied: Applied | None = None
        for part in range(parts):
            body = RestoreBody(session, part, parts, data[part * size : (part + 1) * size])
            command_id = f"{RESTORE}/{session}/{part}"
            command = Command(RESTORE, encode_body(body), command_id, time.time(), actor=actor)
            applied = await self._propose(command, max(0.01, deadline - time.monotonic()))
            if not applied.outcome.ok:
                break
        assert applied is not None  # noqa: S101 - there is at least one part
        return applied
