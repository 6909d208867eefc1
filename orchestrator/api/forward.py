"""Any node answers: what only the leader can do is passed on to it, one hop and no further.

    write, or read with consistency leader | linearizable
        ├── this node leads ─────────────────────────────▶ answered here
        ├── ?redirect ───────────────────────────────────▶ 307 to the leader
        ├── passed on ─┬ answered ───────────────────────▶ the leader's answer, as it came
        │              ├ not sent, or not the leader ────▶ the next leader, until `WAIT_S` is over
        │              └ sent, and no answer ────────────▶ a write: 504 outcome_unknown; a read: asked again
        └── no leader within `WAIT_S` ───────────────────▶ 503 no_leader, Retry-After

In mode `active-passive` a follower passes on everything but `LOCAL_PATHS`.
"""

import asyncio
import json
import logging
import ssl
import time
import urllib.parse
from collections.abc import Coroutine
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from framebuffer.trust import distrust
from orchestrator.access.forwarded import key_of, sign
from orchestrator.api.envelope import FORWARDED_HEADER, KEY_HEADER, LOCAL_PATHS, SAFE_METHODS, facts
from orchestrator.api.leader_link import Answer, Broken, LeaderLink, NotSent
from orchestrator.api.problems import MEDIA_TYPE, Problem, outcome_unknown
from orchestrator.api.view import NodeView

OWN_READS = frozenset(
    {"/health", "/v1/cluster", "/v1/frames/server", "/v1/frames/stats", "/v1/frames/ledger", "/openapi.json"}
    | {"/v1/frames/lag", "/v1/frames/dead", "/v1/frames/tail", "/v1/frames/cameras", "/v1/frames/latency"}
    | {"/event", "/v1/event", "/v1/whoami", "/v1/rights", "/v1/audit/export", "/v1/node"}
)
"""Reads that need no leader: this node's own view, or what stands in Redis. `consistency=leader` still asks it."""

OWN_WRITES = frozenset({"/v1/playbooks/validate"})
"""What changes nothing, though it has a body."""
OWN_PREFIXES = ("/v1/frames/trace/", "/v1/frames/cameras/")
WATCH_PATHS = frozenset({"/v1/watch", "/v1/snapshot", "/v1/figures"})
FOLLOW_SUFFIX = "/follow"
"""Streams without an end: answered by the node that is asked, in every mode, from what is applied there."""

WAIT_S = 1.0
"""How long a request waits for a leader before it is refused: most elections are over by then."""
FORWARDED_WAIT_S = 0.25
"""How long a node that was taken for the leader waits for its own claim to be established."""
POLL_S = 0.02
WATCH_S = 0.1
KEEPALIVE_S = 2.0
"""Shorter than the server's (5 s): a connection that the other side is closing would make a write's outcome unknown."""

_PASSED_ON = frozenset(
    {b"authorization", b"content-type", b"accept", b"if-match", b"if-none-match", b"traceparent", b"tracestate"}
    | {b"user-agent", b"x-request-id", b"x-processor-token"}
)
_NOT_PASSED_BACK = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"content-encoding", b"date", b"server"}
)


log = logging.getLogger(__name__)


def new_link(trust: ssl.SSLContext | None = None) -> LeaderLink:
    """The connections to the other nodes. `trust`: whose certificates they may have."""
    return LeaderLink(keep_s=KEEPALIVE_S, tls=trust)


class ForwardToLeader:
    """Answers here, or passes on."""

    def __init__(self, app: ASGIApp, node: NodeView, link: LeaderLink) -> None:
        self._app = app
        self._node = node
        self._link = link
        self._proof_key = key_of(node.config.api_token())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._wants_leader(scope):
            await self._app(scope, receive, send)
            return
        answer = await self._from_leader(scope)
        await (answer or self._app)(scope, receive, send)

    def _wants_leader(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in LOCAL_PATHS:
            return False
        if scope["method"] in SAFE_METHODS and (path.endswith(FOLLOW_SUFFIX) or path in WATCH_PATHS):
            return False
        if scope["method"] not in SAFE_METHODS and path not in OWN_WRITES:
            return True
        if self._node.config.cluster.mode == "active-passive":
            return True
        asked = _query(scope).get("consistency", [""])[-1]
        if answered_anywhere(path) or path in OWN_WRITES:
            return asked in ("leader", "linearizable")
        return asked != "stale"

    async def _from_leader(self, scope: Scope) -> Response | None:
        """The leader's answer; None when this node leads and answers itself."""
        forwarded = FORWARDED_HEADER in Headers(scope=scope)
        deadline = time.monotonic() + (FORWARDED_WAIT_S if forwarded else WAIT_S)
        while not self._node.is_leader():
            leader = None if forwarded else self._other_leader()
            if leader is not None:
                answer = await self._ask(scope, leader)
                if answer is not None:
                    return answer
            if time.monotonic() >= deadline:
                raise Problem("no_leader", self._unreached(facts(scope).get("distrust")))
            await asyncio.sleep(POLL_S)
        return None

    @staticmethod
    def _unreached(distrusted: str | None) -> str:
        if distrusted is None:
            return "no leader is known or reachable from this node; nothing was changed"
        log.warning("requests cannot be passed on to %s", distrusted)
        return f"the leader cannot be asked by this node; nothing was changed. {distrusted}"

    def _other_leader(self) -> str | None:
        leader = self._node.leader_api()
        # An old claim of this node's own: it does not lead any more, and must not ask itself.
        return None if self._node.cluster.status().leader_id == self._node.config.node.id else leader

    async def _ask(self, scope: Scope, leader: str) -> Response | None:
        """One attempt; None when nothing was done there and it may be tried again."""
        target = _target(scope)
        facts(scope)["forwarded"] = True
        if b"redirect" in scope["query_string"] and "redirect" in _query(scope):
            return RedirectResponse(leader.rstrip("/") + target, status_code=307)
        try:
            answer = await self._exchange(scope, target, leader)
        except NotSent as error:
            if reason := distrust(error):
                facts(scope)["distrust"] = f"{leader}: {reason}"
            return None
        except Broken as error:
            if scope["method"] in SAFE_METHODS:
                return None
            raise outcome_unknown(facts(scope)["key"], f"the leader did not answer ({error})") from None
        if _says_no_leader(answer):
            return None
        response = Response(answer.content, status_code=answer.status)
        response.raw_headers = [pair for pair in answer.headers if pair[0] not in _NOT_PASSED_BACK]
        if answer.status not in (204, 304):
            response.raw_headers.append((b"content-length", b"%d" % len(answer.content)))
        return response

    async def _exchange(self, scope: Scope, target: str, leader: str) -> Answer:
        known = facts(scope)
        headers = [pair for pair in scope["headers"] if pair[0] in _PASSED_ON]
        proof = sign(
            self._proof_key,
            node=self._node.config.node.id,
            method=scope["method"],
            target=target.encode(),
            client=known.get("client", ""),
        )
        headers += [(name.encode(), value.encode()) for name, value in proof.items()]
        if "key" in known:
            headers.append((KEY_HEADER.encode(), known["key"].encode()))
        asking = self._link.ask(leader, scope["method"], target, headers, known.get("body") or b"")
        return await self._watched(asking, leader)

    async def _watched(self, sending: Coroutine[Any, Any, Answer], leader: str) -> Answer:
        """Waits for the answer, but not for a leader that was replaced: a stopped process keeps its connections."""
        task = asyncio.create_task(sending)
        replaced = 0
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=WATCH_S)
                if done:
                    return task.result()
                replaced = replaced + 1 if self._node.leader_api() not in (None, leader) else 0
                # Twice: a leader that has just handed over still answers, and knows better what became of the request.
                if replaced > 1:
                    raise Broken("another node leads now")
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)  # its connection is closed before anyone asks again


def answered_anywhere(path: str) -> bool:
    """Whether reads of this path are answered by the node that is asked, unless the leader's answer is wanted."""
    local = path in OWN_READS or path in WATCH_PATHS
    return local or path.startswith(OWN_PREFIXES) or path.endswith(FOLLOW_SUFFIX)


def _query(scope: Scope) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)


def _target(scope: Scope) -> str:
    """Path and query for the leader, without `redirect`: it would only be sent round again."""
    path = scope.get("raw_path") or urllib.parse.quote(scope["path"]).encode()
    text = path.decode("latin-1").partition("?")[0]
    if not text.startswith("/"):
        # `GET @elsewhere` or `GET http://elsewhere` would change the host that is asked.
        raise Problem("not_found", "no such path")
    query = scope.get("query_string", b"").decode("latin-1")
    kept = [part for part in query.split("&") if part.partition("=")[0] != "redirect" and part]
    return urllib.parse.quote(text, safe="/%:@!$&'()*+,;=~-._") + ("?" + "&".join(kept) if kept else "")


def _says_no_leader(answer: Answer) -> bool:
    """The node asked does not lead: it has done nothing, so another may be asked."""
    if answer.status != 503 or answer.header(b"content-type") != MEDIA_TYPE.encode():
        return False
    try:
        document: Any = json.loads(answer.content)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("code") == "no_leader"
