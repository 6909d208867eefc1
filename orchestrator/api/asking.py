"""What a route gets of the request and the node: reading the replicated state, changing it, and the leader's duties."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Query, Request, Response

from cluster import Applied, Consistency, Epoch
from orchestrator.access.principal import signed
from orchestrator.api.envelope import SAFE_METHODS, command_id, facts, key_of, request_of
from orchestrator.api.noting import Noted, Notes, flat, noted
from orchestrator.api.problems import Problem, refused
from orchestrator.api.view import Duties, NodeView
from orchestrator.audit.chain import Note
from orchestrator.audit.entry import INTENDED, short

if TYPE_CHECKING:
    from framebuffer.shards import ShardedStreams
    from framebuffer.streams import FrameStreams
    from orchestrator.state import PlantState

T = TypeVar("T")

DUTIES_WAIT_S = 1.0
POLL_S = 0.02
STALENESS_HEADER = "X-Triarch-Staleness"


async def duties_of(node: NodeView) -> Duties:
    """The leader's duties, awaited for as long as the node leads. Raises the `Problem` `no_leader`."""
    deadline = time.monotonic() + DUTIES_WAIT_S
    while (duties := node.duties()) is None:
        if not node.is_leader() or time.monotonic() >= deadline:
            raise Problem("no_leader", "this node has not taken up a leader's duties; nothing was done")
        await asyncio.sleep(POLL_S)
    return duties


class Asking:
    """One request that was meant for this node."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.node: NodeView = request.app.state.node

    @property
    def key(self) -> str:
        """The Idempotency-Key of an unsafe request, the client's or one made for it."""
        return str(facts(self._request.scope)["key"])

    @property
    def asked_before(self) -> bool:
        """Whether a change was made under the key that came with the request: then its answer is the first one's."""
        key = key_of(self._request.scope)
        return bool(key) and self.node.cluster.request_of(key) is not None

    @property
    def retrying(self) -> asyncio.Lock:
        """Held from the look at a playbook's limit to the change: of two retries at once one sees the last place."""
        lock: asyncio.Lock = self._request.app.state.retrying
        return lock

    def signed(self, said: str) -> str:
        """Who stands beside this change: see `orchestrator.access.principal.signed`. `said`: what the body says."""
        return signed(facts(self._request.scope).get("principal"), said)

    async def propose(self, kind: str, body: msgspec.Struct, *, epoch: Epoch | None = None) -> Applied:
        """Replicate a change under this request's key. Raises the refusal of the state as a `Problem`."""
        scope = self._request.scope
        applied = await self.node.propose(
            kind, body, command_id=command_id(scope, kind), epoch=epoch, key=key_of(scope), request=request_of(scope)
        )
        if not applied.outcome.ok:
            told = applied.outcome.value
            raise refused(applied.outcome.code, applied.outcome.message, **(told if isinstance(told, dict) else {}))
        return applied

    def noted(
        self, action: str, subject: str, id: str, *, moves: bool = False, **asked: Any
    ) -> contextlib.AbstractAsyncContextManager[Noted]:
        """Around an effect that no replicated command makes: see `orchestrator.api.noting`. `asked`: plain values."""
        scope = self._request.scope
        notes: Notes = self._request.app.state.notes
        intent = Note(action=action, subject=subject, id=short(id), outcome=INTENDED, after=flat(asked))
        safe = scope["method"] in SAFE_METHODS
        return noted(
            notes,
            intent,
            actor=self.node.actor(),
            command_id=uuid.uuid4().hex if safe else command_id(scope, Note.kind),
            key="" if safe else key_of(scope),
            request="" if safe else request_of(scope),
            moves=moves,
            needed=not safe,  # a node that is cut off has to be able to give its state away
        )

    async def duties(self) -> Duties:
        """The leader's duties, awaited for as long as this node leads: they are taken up just after the claim."""
        return await duties_of(self.node)

    def streams(self) -> "FrameStreams":
        """The first shard: all there is without a cluster."""
        return self.shards().parts[0]

    def shards(self) -> "ShardedStreams":
        shards = self.node.shards
        if shards is None:
            raise Problem("redis_unavailable", self.node.redis_health()[1] or "Redis has not answered yet")
        return shards


class Reading:
    """The replicated state, as consistent as the request asks for.

    A read with `leader` or `linearizable` has reached the leader by now; `stale` is answered by whoever was asked.
    """

    def __init__(self, request: Request, response: Response, consistency: Consistency, max_stale: float | None) -> None:
        self._node: NodeView = request.app.state.node
        self._response = response
        self.consistency: Consistency = consistency
        self.max_stale = max_stale

    async def __call__(self, query: "Callable[[PlantState], T]") -> T:
        """What `query` finds. It runs in the Raft thread: it must be quick and return what no later change alters."""
        found = await self._node.cluster.read(query, consistency=self.consistency, max_stale=self.max_stale)
        self._tell_age()
        return found

    async def row(self, query: "Callable[[PlantState], T]") -> T:
        """As by calling it, for a query that follows one reference, as `state.components.get` does.

        Where it may, it looks from here: the way to the Raft thread and back takes milliseconds of a node that is busy.
        """
        if not self._at_hand():
            return await self(query)
        self._tell_age()
        return query(self._node.state)

    async def plant(self) -> "PlantState":
        """Components and topology, to work on outside the Raft thread; looked at from here where it may, as `row`."""
        found = self._node.state.glance() if self._at_hand() else None
        if found is None:
            return await self(_still)
        self._tell_age()
        return found

    def _at_hand(self) -> bool:
        return self.max_stale is None and self._node.cluster.at_hand(self.consistency)

    def _tell_age(self) -> None:
        if self.consistency == "stale" and not self._node.is_leader():
            age = self._node.cluster.status().last_contact_s
            self._response.headers[STALENESS_HEADER] = "unknown" if age is None else f"{age:.3f}"


def _still(state: "PlantState") -> "PlantState":
    return state.still()


# Coroutines: FastAPI would call the classes themselves in a worker thread, which costs more than what they do.


async def _asking(request: Request) -> Asking:
    return Asking(request)


async def _reading(
    request: Request,
    response: Response,
    consistency: Annotated[
        Consistency, Query(description="`stale` is answered by the node that is asked, from its own state.")
    ] = "leader",
    max_stale: Annotated[
        float | None, Query(ge=0, allow_inf_nan=False, description="Seconds; only with `consistency=stale`.")
    ] = None,
) -> Reading:
    return Reading(request, response, consistency, max_stale)


Ask = Annotated[Asking, Depends(_asking)]
Read = Annotated[Reading, Depends(_reading)]


async def here(node: NodeView, query: "Callable[[PlantState], T]") -> T:
    """What `query` finds in this node's own state, however old."""
    return await node.cluster.read(query, consistency="stale")


def builtins(value: Any) -> Any:
    """A struct, or what holds structs, as JSON data."""
    return msgspec.to_builtins(value)
