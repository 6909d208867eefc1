"""Where `POST /event` is answered, before any route is looked for: most requests of a large plant are heartbeats.

this node leads ─────────▶ its listener takes the event
a heartbeat elsewhere ───▶ gathered for some milliseconds, passed on together, each answered by itself
anything else ───────────▶ passed on by itself, as every write is
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.access.forwarded import key_of, sign
from orchestrator.access.targets import too_deep
from orchestrator.api.envelope import BODY_BYTES_MAX, FORWARDED_HEADER, facts
from orchestrator.api.events import BATCH_PATH, BATCH_SIZE_MAX, NodeListener
from orchestrator.api.leader_link import Broken, LeaderLink, NotSent
from orchestrator.api.parameters import conditions, refuse_conditions
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView
from orchestrator.events import EVENT_BYTES_MAX, HEARTBEAT

log = logging.getLogger(__name__)

PATHS = frozenset({"/event", "/v1/event"})
GATHER_S = 0.03
"""What it costs a heartbeat to wait for others: nothing beside the seconds of its interval."""
BATCH_BYTES_MAX = BODY_BYTES_MAX // 2
WAITING_MAX = 20_000
ANSWER_S = 1.5
"""Shorter than a component waits for its answer."""
_JSON = (b"Content-Type", b"application/json")


class _Head(msgspec.Struct):
    """What is looked at here. The whole body is still checked to be JSON."""

    type: str


class _Route(NamedTuple):
    """For the figures of requests by route."""

    path: str


class EventDesk:
    """The middleware that does it."""

    def __init__(self, app: ASGIApp, node: NodeView, listener: NodeListener, link: LeaderLink) -> None:
        self._app = app
        self._node = node
        self._listener = listener
        self._relay = HeartbeatRelay(node, link)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PATHS and scope["method"] == "POST":
            answer = await self._answer(scope)
            if answer is not None:
                scope["route"] = _Route(scope["path"])
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        refuse_conditions(conditions(scope["headers"]))
        body: bytes = facts(scope)["body"]
        if self._node.is_leader():
            return await self._listener.answer(body, scope["path"], facts(scope)["key"])
        if self._node.config.api_token() is None and self._node.tokens_asked_for():
            return None  # this node has nothing to show for itself: each goes on with what its component showed
        if scope["query_string"] or FORWARDED_HEADER in Headers(scope=scope) or not is_heartbeat(body):
            return None
        return Response(status_code=204) if await self._relay.send(body) else None


def is_heartbeat(body: bytes) -> bool:
    """Whether it may go on together with others."""
    # In a list with others it stands one deeper, and must not have them all refused with it.
    if len(body) > EVENT_BYTES_MAX or too_deep(b"[" + body + b"]"):
        return False
    try:
        return msgspec.json.decode(body, type=_Head).type == HEARTBEAT
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False  # the leader says what is wrong with it


class _Refusal(msgspec.Struct):
    index: int
    code: str
    detail: str = ""


class _Refusals(msgspec.Struct):
    refused: list[_Refusal]


class HeartbeatRelay:
    """Passes heartbeats on to the leader, many at once. Who sent one is answered when the leader has answered."""

    def __init__(self, node: NodeView, link: LeaderLink) -> None:
        self._node = node
        self._link = link
        self._proof_key = key_of(node.config.api_token())
        self._waiting: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._gathering: asyncio.Task[None] | None = None

    async def send(self, body: bytes) -> bool:
        """Returns when the leader has taken it. Raises its refusal, or `no_leader`, as a `Problem`.

        False when the leader takes none in this way: it is of the release before.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Problem("queue_full", f"{WAITING_MAX} heartbeats wait for the leader here; ask another node")
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answer))
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather(), name="heartbeat-relay")
        return await answer

    async def _gather(self) -> None:
        await asyncio.sleep(GATHER_S)
        waiting, self._waiting, self._gathering = self._waiting, [], None
        await asyncio.gather(*(self._pass_on(batch) for batch in _batches(waiting)))

    async def _pass_on(self, batch: Sequence[tuple[bytes, asyncio.Future[bool]]]) -> None:
        refused: dict[int, Problem] = {}
        known = True
        try:
            refusals = await self._ask([body for body, _ in batch])
            known = refusals is not None
            refused = {refusal.index: Problem(refusal.code, refusal.detail) for refusal in refusals or ()}
        except (NotSent, Broken, msgspec.MsgspecError) as error:
            refused = dict.fromkeys(range(len(batch)), _not_taken(error))
        except Exception as error:
            log.exception("heartbeats could not be passed on")
            refused = dict.fromkeys(range(len(batch)), _not_taken(error))
        for index, (_, answer) in enumerate(batch):
            if answer.done():
                continue  # the component has gone away
            if index in refused:
                answer.set_exception(refused[index])
            else:
                answer.set_result(known)

    async def _ask(self, bodies: list[bytes]) -> list[_Refusal] | None:
        """What the leader refused; None when it does not know this request."""
        leader = self._node.leader_api()
        if leader is None:
            raise NotSent("no leader is known")
        # For many components at once: no address is the client's.
        proof = sign(
            self._proof_key, node=self._node.config.node.id, method="POST", target=BATCH_PATH.encode(), client=""
        )
        headers = [*((name.encode(), value.encode()) for name, value in proof.items()), _JSON]
        if (token := self._node.config.api_token()) is not None:
            headers.append((b"Authorization", f"Bearer {token}".encode()))
        content = msgspec.json.encode([msgspec.Raw(body) for body in bodies])
        answer = await self._link.ask(leader, "POST", BATCH_PATH, headers, content, within_s=ANSWER_S)
        if answer.status in (404, 405):
            return None
        if answer.status != 200:
            raise Broken(f"it answered {answer.status}")
        return msgspec.json.decode(answer.content, type=_Refusals).refused


def _not_taken(error: Exception) -> Problem:
    return Problem("no_leader", f"the leader did not take the heartbeat ({type(error).__name__}); ask again")


def _batches(
    waiting: Sequence[tuple[bytes, asyncio.Future[bool]]],
) -> list[list[tuple[bytes, asyncio.Future[bool]]]]:
    """In order, each within what one request may hold."""
    batches: list[list[tuple[bytes, asyncio.Future[bool]]]] = []
    size = 0
    for one in waiting:
        size += len(one[0]) + 1
        if not batches or size > BATCH_BYTES_MAX or len(batches[-1]) >= BATCH_SIZE_MAX:
            batches.append([])
            size = len(one[0]) + 1
        batches[-1].append(one)
    return batches
