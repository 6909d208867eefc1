"""A node's server when it stops: who is being answered is, idle connections end, who takes too long is broken off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from orchestrator.api_server import ApiServer, listening
from orchestrator.tasks import ended
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


class Slow:
    """Answers `/slow` once it may."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for word in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{word}.complete"})
            return
        if scope["path"] == "/slow":
            self.asked.set()
            await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(app: Slow) -> AsyncIterator[tuple[ApiServer, httpx.AsyncClient, asyncio.Task[None]]]:
    """The server, somebody who asks it, and its task, which has ended behind the block."""
    address = f"127.0.0.1:{free_port()}"
    server = ApiServer(app)
    task = asyncio.create_task(server.serve(sockets=[listening(address)]))
    await eventually(lambda: server.started, deadline_s=10, message="it serves")
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client:
        try:
            yield server, client, task
        finally:
            app.may.set()
            server.should_exit = True
            await asyncio.wait_for(task, 10)


async def test_whoever_connects_once_it_listens_is_answered_and_one_that_ended_before_is_not_waited_for() -> None:
    address = f"127.0.0.1:{free_port()}"
    server = ApiServer(Slow())
    task = asyncio.create_task(server.serve(sockets=[listening(address)]))
    await server.listens_or(task)
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client:
        assert (await client.get("/")).text == "ok"
    server.should_exit = True
    await asyncio.wait_for(task, 10)
    never = asyncio.create_task(asyncio.sleep(0))
    await asyncio.wait_for(ApiServer(Slow()).listens_or(never), 10)


async def test_a_wait_for_it_that_is_given_up_leaves_nothing_behind() -> None:
    async def serve() -> None:
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    forever = asyncio.create_task(serve())
    waiting = asyncio.create_task(ApiServer(Slow()).listens_or(forever))
    await eventually(lambda: len(asyncio.all_tasks() - before) == 3)
    await ended(waiting)
    assert asyncio.all_tasks() - before == {forever}
    await ended(forever)


async def test_who_is_being_answered_is_and_nobody_else_is_let_in() -> None:
    app = Slow()
    async with serving(app) as (server, client, task):
        asking = asyncio.create_task(client.get("/slow"))
        await asyncio.wait_for(app.asked.wait(), 10)
        assert (await client.get("/")).text == "ok"  # by another connection, which stays open
        assert len(server.server_state.connections) == 2
        server.should_exit = True
        await eventually(lambda: len(server.server_state.connections) == 1, deadline_s=10, message="the idle one ends")
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as other:
            with pytest.raises(httpx.ConnectError):
                await other.get("/")
        assert not task.done()
        app.may.set()
        assert (await asking).text == "ok"
        await asyncio.wait_for(task, 10)
    assert server.server_state.connections == set()


async def test_who_takes_too_long_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    app = Slow()
    async with serving(app) as (server, client, task):
        server.config.timeout_graceful_shutdown = 0  # at once
        asking = asyncio.create_task(client.get("/slow"))
        await asyncio.wait_for(app.asked.wait(), 10)
        server.should_exit = True
        await asyncio.wait_for(task, 10)
        assert (await asking).status_code == 500
    assert "1 requests were not answered in time" in caplog.text
