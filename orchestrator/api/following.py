"""Following by server-sent events: what the log says of a subject, each change under its index in the log.

    watch opened ─▶ state read ─▶ `snapshot` ─▶ changes behind it, as they are applied here
    Last-Event-ID held here ───────────────────▶ changes behind that
    not held any more ─▶ as without it: a `snapshot`, which says what the changes in between came to

The watch is opened before the state is read, so nothing falls between; what is in both is told by the state alone. An
index means the same on every node. A comment with the newest index looked at goes out when nothing else did, so that
who reconnects need not be told much again.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from fastapi import Request
from starlette.responses import Response, StreamingResponse

from cluster import Change, Compacted
from orchestrator.access.principal import Principal
from orchestrator.api.gate import Gate
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView

FOLLOWERS_MAX = 64
"""Of one node. Each holds a connection, and looks at every change that is applied."""
HEARTBEAT_S = 5.0
BEHIND_S = 2.0
"""How long a node that has not come to an index yet may take to."""
POLL_S = 0.02
LEADERLESS_S = 10.0
"""Elections are over by then: a node that knows no leader for so long is cut off, and another one may know more."""
TOKENS_ENDED = frozenset({"token.revoked", "token.rotated", "token.forgotten", "token.created"})
"""After these, who follows may not any more: `created`, as an open node asks for tokens from the first admin's on."""
FOLLOWED = ("invalid_cursor", "too_many_followers", "no_leader")
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_INDEX = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Message:
    """One event: `index` is its id. `last`: nothing comes after it."""

    index: int
    kind: str
    data: Any
    last: bool = False

    def encoded(self) -> bytes:
        data = msgspec.json.encode(self.data)  # one line: JSON escapes line ends
        return b"id: %d\nevent: %s\ndata: %s\n\n" % (self.index, self.kind.encode(), data)


class Subject(Protocol):
    """What is followed."""

    async def begin(self, after: int | None, *, held: bool) -> Message | None:
        """What is told before any change, read after the watch was opened. A `Problem` when it is not there.

        `after`: the index up to which the client knows all; `held`: what came behind that will be told as changes.
        """

    def message(self, change: Change) -> Message | None:
        """What a change says of it, None for nothing, or nothing new."""

    async def over(self, after: int | None) -> bool:
        """Whether nothing can come that a client who knows all up to `after` (None: all there is) does not know."""


class Following:
    """The followers of one node: how many there are, and their end with the node, or with what they showed."""

    def __init__(self, node: NodeView, gate: Gate) -> None:
        self._node = node
        self._gate = gate
        self._waiting: set[asyncio.Timeout] = set()
        self._count = 0
        self._stopping = False

    @classmethod
    def of(cls, request: Request) -> "Following":
        found: Following = request.app.state.following
        return found

    def stop(self) -> None:
        """The node goes away: every stream ends, so that its client asks another node."""
        self._stopping = True
        for each in self._waiting:
            each.reschedule(0.0)

    async def answer(
        self, subject: Subject, last_event_id: str | None, principal: Principal | None = None, *, head: bool = False
    ) -> Response:
        """The stream, or 204 when there is nothing more to tell; `head`: without a body. Raises `Problem`.

        It ends as soon as `principal` is not valid any more; who comes back is refused then.
        """
        if head:
            return Response(media_type=MEDIA_TYPE, headers=HEADERS)  # what has no body cannot go on either
        after = None if last_event_id is None else await self._reached(_index(last_event_id))
        if self._count >= FOLLOWERS_MAX:
            raise Problem(
                "too_many_followers", f"{FOLLOWERS_MAX} follow by way of this node already; ask another node, or later"
            )
        if after is not None and await subject.over(after):
            return Response(status_code=204)
        stream = self._stream(subject, after, principal)
        first = await anext(stream)  # what is wrong shows here, while it can still be a problem document
        return StreamingResponse(_from(first, stream), media_type=MEDIA_TYPE, headers=HEADERS)

    async def _reached(self, index: int) -> int:
        deadline = time.monotonic() + BEHIND_S
        while (status := self._node.cluster.status()).applied_index < index:
            if time.monotonic() >= deadline:
                if status.leader_id is None:
                    raise Problem("no_leader", "this node knows no leader now, and has not come to Last-Event-ID yet")
                here = f"the newest index is {status.applied_index}"
                raise Problem("invalid_cursor", f"Last-Event-ID {index} lies in the future: {here}")
            await asyncio.sleep(POLL_S)
        return index

    async def _stream(self, subject: Subject, after: int | None, principal: Principal | None) -> AsyncIterator[bytes]:
        self._count += 1
        try:
            while True:
                begins = self._node.cluster.status().applied_index
                watch, held = self._watch(after)
                first = await subject.begin(after, held=held)
                # The very first bytes are a comment: a proxy passes the answer's head on with them.
                yield b": follows\n\n" if first is None else first.encoded()
                if first is not None:
                    after = first.index
                    if first.last:
                        return
                try:
                    # Who knew nothing follows from here on, also when it comes back before anything was told.
                    async for message in self._changes(subject, watch, begins if after is None else after, principal):
                        if message is None:
                            return
                        after = message.index
                        yield message.encoded() if message.kind else b": alive\nid: %d\n\n" % message.index
                        if message.last:
                            return
                except Compacted:
                    continue  # this follower was too slow, or the node took a snapshot: told anew from the state
        finally:
            self._count -= 1

    def _watch(self, after: int | None) -> tuple[AsyncIterator[Change], bool]:
        if after is not None:
            try:
                return self._node.cluster.watch(after + 1), True
            except Compacted:
                pass
        return self._node.cluster.watch(None), False

    async def _changes(
        self, subject: Subject, watch: AsyncIterator[Change], after: int, principal: Principal | None
    ) -> AsyncIterator[Message | None]:
        """Messages, those without a kind for a heartbeat; None where the stream ends without a last one."""
        place = _Place(after)
        alone_since: float | None = None
        while not self._stopping:
            within_s = HEARTBEAT_S if principal is None else min(HEARTBEAT_S, self._gate.valid_for(principal))
            message = await self._next(subject, watch, place, within_s)
            if principal is not None and not self._gate.still_valid(principal):
                break
            if message is not None:
                alone_since = None
                yield message
            elif not self._stopping:
                if await subject.over(None):
                    break
                now = time.monotonic()
                alone_since = None if self._node.cluster.place()[0] is not None else alone_since or now
                if alone_since is not None and now - alone_since >= LEADERLESS_S:
                    break
                yield Message(place.looked, "", None)
        yield None

    async def _next(
        self, subject: Subject, watch: AsyncIterator[Change], place: "_Place", within_s: float
    ) -> Message | None:
        """The next message; None when there was none for so long, a token has changed, or the node goes away.

        What changes says nothing of most subjects: that is passed over here, as it costs each follower the same.
        """
        timeout = asyncio.timeout(within_s)
        try:
            async with timeout:
                self._waiting.add(timeout)
                async for change in watch:
                    place.looked = max(place.looked, change.index)
                    message = subject.message(change)
                    if message is not None or any(event.kind in TOKENS_ENDED for event in change.events):
                        return message
            self._stopping = True  # the cluster has ended
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(timeout)
        return None


@dataclass(slots=True)
class _Place:
    """The newest index that a follower has looked at."""

    looked: int


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for part in rest:
            yield part
    finally:
        await rest.aclose()  # type: ignore[attr-defined]  # a generator; its count goes down now, not some time later


def _index(text: str) -> int:
    if not _INDEX.fullmatch(text.strip()):
        raise Problem(
            "invalid_cursor", "Last-Event-ID is no number: it is the id of an event, an index in the replicated log"
        )
    return int(text)
