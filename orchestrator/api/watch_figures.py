"""Live figures: the leader works them out once a second while anybody looks, and the other nodes ask it for them.

    leader    duties, streams ──once a second──▶ Figures ──▶ its watchers
    follower  GET /v1/figures?own=true of the leader, once a second ──▶ its watchers, however many

The leader is asked with the cluster's token. Nodes that have none (on loopback) ask with that of somebody who looks at
figures here, as they would pass that one's request on.

Ages are by monotonic clocks: the leader says how old its figures are as it answers, and whoever got them counts on.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import msgspec

from framebuffer.errors import FrameBufferError
from orchestrator.api.leader_link import Broken, LeaderLink, NotSent
from orchestrator.api.members import rows_of
from orchestrator.api.problems import Problem
from orchestrator.api.view import Duties, NodeView
from orchestrator.watching import figures

log = logging.getLogger(__name__)

FRESH_S = 0.9
"""Figures younger than this are not worked out again, whoever asks."""
ASK_S = 0.8
"""How long the leader may take to answer another node."""
STREAMS_S = 0.6
LENT_MAX = 8
"""Tokens that are kept to ask with, the newest: one that does not count any more is left for another."""
RAW_NULL = msgspec.Raw(b"null")


class Own(msgspec.Struct):
    """What the leader worked out. `age_s`: how old it is as it is sent."""

    leader: str
    epoch: str
    age_s: float = 0.0
    frames: msgspec.Raw = RAW_NULL
    cameras: msgspec.Raw = RAW_NULL
    processors: msgspec.Raw = RAW_NULL
    components: msgspec.Raw = RAW_NULL


class Figures:
    """Of one node."""

    def __init__(self, node: NodeView, link: LeaderLink) -> None:
        self._node = node
        self._link = link
        self._before: figures.Reading | None = None
        self._known: Own | None = None
        self._made_at = 0.0
        """when what is known was worked out, by this node's monotonic clock"""
        self._working = asyncio.Lock()
        token = node.config.api_token()
        self._own = None if token is None else f"Bearer {token}"
        self._lent: deque[str] = deque(maxlen=LENT_MAX)

    def lend(self, shown: Sequence[str]) -> None:
        """What somebody has shown who may see figures (`Authorization`), and was let through with."""
        if self._own is None and shown and shown[0] not in self._lent:
            self._lent.append(shown[0])

    async def own(self) -> Own:
        """What this node works out as the leader, at most `FRESH_S` old. Raises the `Problem` `no_leader`."""
        epoch, duties = self._node.epoch(), self._node.duties()
        if epoch is None or duties is None:
            raise Problem("no_leader", "this node does not lead: the leader has the figures")
        async with self._working:
            if self._known is None or self._known.epoch != str(epoch) or self._age() > FRESH_S:
                self._known = await self._worked_out(duties, str(epoch))
                self._made_at = time.monotonic()
            return msgspec.structs.replace(self._known, age_s=round(self._age(), 3))

    async def shown(self) -> bytes:
        """The JSON of one `figures`: what is known, with whose it is and how old."""
        leading = self._node.is_leader() and self._node.duties() is not None
        try:
            if leading:
                await self.own()
            else:
                await self._ask()
        except Problem as error:
            log.debug("no new figures: %s", error)
        return self._encoded()

    def _encoded(self) -> bytes:
        status, epoch = self._node.cluster.status(), self._node.epoch()
        known = self._known
        age = status.last_contact_s
        return msgspec.json.encode(
            {
                "node": status.node_id,
                "leader": status.leader_id,
                "epoch": None if epoch is None else str(epoch),
                "index": status.applied_index,
                "state_age_s": None if age is None else round(age, 3),
                "figures_of": None if known is None else known.leader,
                "staleness_s": None if known is None else round(self._age(), 3),
                "members": [
                    {"id": row.id, "role": row.role, "reachable": row.reachable, "lag": row.lag}
                    for row in rows_of(self._node)
                ],
                "frames": None if known is None else known.frames,
                "cameras": [] if known is None else known.cameras,
                "processors": {} if known is None else known.processors,
                "components": {} if known is None else known.components,
            }
        )

    def _age(self) -> float:
        return time.monotonic() - self._made_at

    async def _ask(self) -> None:
        leader = self._node.leader_api()
        if leader is None:
            return
        shown = self._own or (self._lent[-1] if self._lent else "")
        headers = [(b"Authorization", shown.encode("latin-1"))] if shown else []
        try:
            answer = await self._link.ask(leader, "GET", "/v1/figures?own=true", headers, within_s=ASK_S)
            if answer.status in (401, 403) and shown in self._lent:
                self._lent.remove(shown)
            if answer.status != 200:
                return
            found = msgspec.json.decode(answer.content, type=Own)
        except (NotSent, Broken, msgspec.MsgspecError) as error:
            log.debug("the leader at %s gave no figures: %s", leader, error)
            return
        self._known = found
        self._made_at = time.monotonic() - found.age_s

    async def _worked_out(self, duties: Duties, epoch: str) -> Own:
        node, state = self._node, self._node.state
        observed = {name: duties.processor(name) for name in state.processors.rows}
        now = figures.Reading(
            at=time.monotonic(),
            dispatched=int(node.control_status()["dispatched_total"]),
            streams=await self._streams(),
            settled={name: seen.settled for name, seen in observed.items() if seen.settled is not None},
        )
        before, self._before = self._before, now
        if before is not None and now.at - before.at > 10 * FRESH_S:
            before = None  # nobody looked meanwhile: that is no rate of now
        measured = {"backpressure": node.control_status()["backpressure"], **duties.frame_figures()}
        return Own(
            leader=node.config.node.id,
            epoch=epoch,
            frames=_raw(figures.frames(before, now, measured)),
            cameras=_raw(figures.cameras(before, now)),
            processors=_raw(figures.processors(before, now, observed)),
            components=_raw(self._components(duties)),
        )

    async def _streams(self) -> Any:
        shards = self._node.shards
        if shards is None:
            return None
        try:
            async with asyncio.timeout(STREAMS_S):
                return await shards.stats()
        except (FrameBufferError, TimeoutError) as error:
            log.debug("no figures of the streams: %s", error)
            return None

    def _components(self, duties: Duties) -> dict[str, Any]:
        """How many there are by state and health, and how long each was silent; no more than the page needs."""
        rows = self._node.state.components.rows
        heard = {name: duties.heard_of(name).get("last_seen_s") for name in list(rows)[: figures.COMPONENTS_MAX]}
        return {
            "total": len(rows),
            "offline": sum(not row.online for row in rows.values()),
            "states": dict(Counter(str(row.state) for row in rows.values())),
            "health": dict(Counter(row.health for row in rows.values())),
            "silence_s": {name: round(age, 1) for name, age in heard.items() if age is not None},
        }


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
