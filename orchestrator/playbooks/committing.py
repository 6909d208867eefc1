"""Commits what the leader decides, under its epoch, however often it has to be proposed."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable

import msgspec

from cluster import Applied, ClusterError, CommandTooLarge, KindUnsupported, Outcome

log = logging.getLogger(__name__)

PAUSE_S = 0.02
PAUSE_MAX_S = 1.0


Propose = Callable[[str, msgspec.Struct, str], Awaitable[Applied]]
"""(kind, body, command id) under the epoch."""


class Committer:
    """For one epoch."""

    def __init__(self, propose: Propose) -> None:
        self._propose = propose
        self._troubled = False
        """It was told that something is in the way; once for all commands that it is in the way of."""

    async def commit(self, kind: str, body: msgspec.Struct, *, command_id: str = "") -> Outcome:
        """The outcome, once it is known: until then the same command is proposed again under the same id.

        Does not return once another leader's epoch holds, but waits to be cancelled with its duty. CommandTooLarge.
        """
        command_id = command_id or uuid.uuid4().hex
        pause = PAUSE_S
        while True:
            try:
                outcome = (await self._propose(kind, body, command_id)).outcome
            except CommandTooLarge:
                raise
            except ClusterError as error:
                if not self._troubled:
                    self._troubled = True
                    level = logging.WARNING if isinstance(error, KindUnsupported) else logging.INFO
                    log.log(level, "%s, and what else is under way, is proposed again: %s", kind, error)
                await asyncio.sleep(pause)
                pause = min(PAUSE_MAX_S, 2 * pause)
                continue
            self._troubled = False
            if outcome.code == "fenced":
                log.info("%s is not committed: another leader's epoch holds", kind)
                await asyncio.get_running_loop().create_future()
            return outcome
