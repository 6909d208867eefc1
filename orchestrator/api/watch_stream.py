"""A watch on its way out: as server-sent events, or as frames of a WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from orchestrator.api.watch_hub import Hub
from orchestrator.api.watcher import Watcher
from orchestrator.tasks import ended
from orchestrator.watching.mailbox import GONE, STOPPING, TOKEN, Message

MEDIA_TYPE = "text/event-stream"
PROTOCOL = "triarch.watch"
"""The subprotocol of the WebSocket."""
GOING_AWAY, POLICY, TRY_AGAIN = 1001, 1008, 1013
"""Codes with which a WebSocket is closed: the node stops; the token does not count any more; begin anew."""


class EventStream(Response):
    """The answer of a watch by server-sent events. It ends the watcher's stay."""

    media_type = MEDIA_TYPE

    def __init__(self, hub: Hub, watcher: Watcher) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._watcher = watcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Sends until the stream is over or the client is gone."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def pieces(batches: AsyncIterator[list[Message]]) -> None:
            async for batch in batches:
                body = b"".join(each.sse() for each in batch)
                await send({"type": "http.response.body", "body": body, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _until_over(self._hub, self._watcher, gone, pieces)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def speak(websocket: WebSocket, hub: Hub, watcher: Watcher) -> None:
    """The same over an accepted WebSocket. What the client sends is read and means nothing."""

    async def gone() -> None:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass

    async def pieces(batches: AsyncIterator[list[Message]]) -> None:
        async for batch in batches:
            for each in batch:
                await websocket.send({"type": "websocket.send", "text": each.frame()})

    await _until_over(hub, watcher, gone, pieces)
    if watcher.ended != GONE:
        code = {STOPPING: GOING_AWAY, TOKEN: POLICY}.get(watcher.ended, TRY_AGAIN)
        await websocket.close(code, watcher.ended)


async def _until_over(
    hub: Hub,
    watcher: Watcher,
    gone: Callable[[], Awaitable[None]],
    pieces: Callable[[AsyncIterator[list[Message]]], Awaitable[None]],
) -> None:
    async def listen() -> None:
        await gone()
        watcher.end(GONE)

    listening = asyncio.create_task(listen(), name="watch-client")
    try:
        await pieces(hub.stream(watcher))
    finally:
        hub.leave(watcher)
        await ended(listening)
