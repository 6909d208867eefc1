"""Whom this node turned away: counted always, named in the log once, and again only after a while."""

import logging

from cluster.clock import now

log = logging.getLogger(__name__)

AGAIN_S = 600.0
NAMED_MAX = 256
"""Reasons that are remembered as named; with more of them than that, the oldest are named again."""


class Strangers:
    """`refuse` each one. `counts`: by `kind`, of which there are few."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {"handshake": 0, "secret": 0, "protocol": 0, "member": 0, "crowd": 0}
        self._named: dict[tuple[str, str], tuple[float, int]] = {}

    def refuse(self, kind: str, who: str, reason: str) -> None:
        """`who`: the host, without its port, which changes with each attempt; or the member."""
        self.counts[kind] += 1
        self.name(f"refused {who}", reason)

    def name(self, who: str, reason: str) -> None:
        """Log it, unless that was done lately."""
        at, unnamed = self._named.pop((who, reason), (None, 0))
        if at is not None and now() - at < AGAIN_S:
            self._named[who, reason] = (at, unnamed + 1)
            return
        log.warning("%s: %s%s", who, reason, f" ({unnamed} more times since this was last said)" if unnamed else "")
        self._named[who, reason] = (now(), 0)
        while len(self._named) > NAMED_MAX:
            del self._named[next(iter(self._named))]
