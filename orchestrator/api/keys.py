"""One request an Idempotency-Key, of whoever asks.

    key free ─────────────────────────▶ goes on; what it proposes takes the key in the replicated state
    the same request, being answered ─▶ 409 key_in_flight, Retry-After
    the same request, answered ───────▶ goes on, and is answered what became of the first: its commands are remembered
    another request ──────────────────▶ 422 key_reused

Two requests under one key that reach different leaders at once both come this far, and the state refuses the second
one's commands. A request that is refused before it proposes anything leaves its key free. `POST /event` does not come
here: an event has an id of its own.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.api.envelope import SAFE_METHODS, key_of, request_of
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView


class Keys:
    """The middleware in front of the routes: only what is answered here comes to it."""

    def __init__(self, app: ASGIApp, node: NodeView) -> None:
        self._app = app
        self._node = node
        self._flying: dict[str, str] = {}
        """by key, the request that is being answered: no more of them than requests"""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = key_of(scope) if scope["type"] == "http" and scope["method"] not in SAFE_METHODS else ""
        if not key:
            await self._app(scope, receive, send)
            return
        request = request_of(scope)
        flying = self._flying.get(key)
        if flying == request:
            raise Problem("key_in_flight", "ask again for its answer, under the same key")
        if (flying or self._node.cluster.request_of(key)) not in (None, request):
            raise Problem("key_reused", "the key was used for another request; use a new one for each request")
        self._flying[key] = request
        try:
            await self._app(scope, receive, send)
        finally:
            del self._flying[key]
