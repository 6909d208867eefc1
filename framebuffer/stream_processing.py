"""The processor's calls, and those of an operator about frames that processors gave up."""

from collections.abc import Sequence
from typing import cast

from framebuffer import decoded, wire
from framebuffer.connection import translate
from framebuffer.errors import SettlementRefused
from framebuffer.keys import check_name
from framebuffer.stream_calls import Argument, StreamCalls

__all__ = ["ProcessingCalls"]

_REFUSED = "refused:status"


class ProcessingCalls(StreamCalls):
    """See ``FrameStreams``."""

    async def take(
        self,
        processor_id: str,
        consumer: str,
        *,
        count: int = 16,
        own: bool = False,
        after: str = "0",
        claim_idle_ms: int | None = None,
    ) -> list[wire.TakenFrame]:
        """Up to ``count`` new frames of the processor's queue, payloads included.

        ``own``: instead, frames that this consumer has taken already and not settled, those behind entry ``after``:
        needed after a start, a reconnect and a cancelled call, whose frames may have been lost on the way here.
        ``claim_idle_ms``: first take over frames of the processor's other consumers that are idle this long.
        """
        check_name("processor", processor_id)
        rows = await self._call(
            "take",
            processor_id,
            check_name("consumer", consumer),
            max(1, count),
            after if own else ">",
            -1 if claim_idle_ms is None else claim_idle_ms,
        )
        return [decoded.taken(row) for row in rows]

    async def settle(
        self, processor_id: str, consumer: str, settlements: Sequence[wire.Settlement]
    ) -> list[wire.SettleOutcome]:
        """Say what became of taken frames; per frame ``settled not-owner duplicate retry dead released``.

        A repeat after a lost reply answers ``not-owner``: there is nothing left to do for that frame.
        Errors: SettlementRefused, where one has a status that the server does not know; the others count.
        """
        if not settlements:
            return []
        arguments: list[Argument] = [check_name("processor", processor_id), check_name("consumer", consumer)]
        arguments += [self.max_attempts, self.results_maxlen]
        for settlement in settlements:
            body = settlement.result if settlement.status == "ok" else settlement.reason
            arguments += (settlement.entry_id, settlement.status, body)
        outcomes = [outcome.decode() for outcome in await self._call("settle", *arguments)]
        if _REFUSED in outcomes:
            refused = settlements[outcomes.index(_REFUSED)]
            raise SettlementRefused(refused.entry_id, refused.status, outcomes)
        return cast("list[wire.SettleOutcome]", outcomes)

    async def renew(self, processor_id: str, consumer: str, entry_ids: Sequence[str]) -> list[bool]:
        """Start the lease of taken frames anew; false for one that is not this consumer's any more."""
        if not entry_ids:
            return []
        names = (check_name("processor", processor_id), check_name("consumer", consumer))
        return [bool(held) for held in await self._call("renew", *names, *entry_ids)]

    async def dead_list(self, after: str = "", *, count: int = 100) -> list[wire.DeadFrame]:
        """A page of the frames that were given up, oldest first, from behind entry ``after``."""
        [page] = await self.look(("XRANGE", self.keys.dead, f"({after}" if after else "-", "+", "COUNT", count))
        if isinstance(page, Exception):
            raise translate(page) from page
        return [found for entry, fields in page if (found := decoded.dead(entry, fields)) is not None]

    async def dead_replay(self, entry_ids: Sequence[str]) -> list[str]:
        """Send dead frames on their way again, as if new: per frame ``replayed``, ``not-found`` or ``refused``."""
        return [one.decode() for one in await self._call("replay", *entry_ids)] if entry_ids else []

    async def dead_drop(self, entry_ids: Sequence[str]) -> list[str]:
        """Delete the bytes of dead frames; the ledger keeps that they died. ``dropped`` or ``not-found``."""
        return [one.decode() for one in await self._call("forget", *entry_ids)] if entry_ids else []
