"""Real components and real HTTP servers on ports of their own, for tests of the event protocol."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from orchestrator.component import Component
from orchestrator.node import Node, running
from tests.orchestrator.api_nodes import configured, settings
from tests.support import eventually, free_port

NOWHERE = "http://127.0.0.1:1"
"""An orchestrator that is not there: nothing listens on this port."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """The base URL where `app` is served."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = _Server(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as http:
        yield http


class Press(Component):
    """Counts what it is told. `gate` holds the hooks up while it is cleared; `breaks` makes them fail."""

    def __init__(self, component_id: str = "press", **options: Any) -> None:
        super().__init__(component_id, **{"orchestrator_url": NOWHERE, "heartbeat_s": 0.05, **options})
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.breaks: BaseException | None = None

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        await self.gate.wait()
        if self.breaks is not None:
            raise self.breaks

    async def on_initialize(self) -> None:
        await self._called("initialize")

    async def on_start(self) -> None:
        await self._called("start")

    async def on_stop(self) -> None:
        await self._called("stop")

    async def on_reset(self) -> None:
        await self._called("reset")


@asynccontextmanager
async def working(component: Component, **where: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The component serves; a client for it. It is stopped gracefully at the end."""
    task = asyncio.create_task(component.serve(**where))
    try:
        await eventually(lambda: component.address or task.done())
        async with client(component.address) as http:
            yield http
    finally:
        await component.stop()
        await task


async def command(
    http: httpx.AsyncClient, name: str, key: str | None, *, epoch: str | None = None, target: str | None = None
) -> httpx.Response:
    """Send a component a command as the orchestrator does."""
    event = {
        "type": "component.command",
        "source": "orchestrator",
        "target": target,
        "payload": {"command": name},
        "idempotency_key": key,
        "epoch": epoch,
    }
    return await http.post("/event", json={name: value for name, value in event.items() if value is not None})


def problem(answer: httpx.Response) -> tuple[int, str]:
    """(status, code) of an answer, which must be a whole problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"urn:triarch:problem:{document['code']}"
    assert document["status"] == answer.status_code
    assert document["detail"]
    assert document["title"]
    assert document["instance"]
    return answer.status_code, document["code"]


class Orchestrator:
    """One real node with nothing but its API and its cluster; it can be stopped and started again."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ports = [(free_port(), self.port)]
        self._config = configured(settings(0, ports, directory, 1, components={"heartbeat_timeout_s": 1.0}), directory)
        self._stack = contextlib.AsyncExitStack()
        self.node: Node | None = None

    async def start(self) -> None:
        self.node = await self._stack.enter_async_context(running(self._config))
        async with client(self.url) as http:

            async def leads() -> bool:
                try:
                    return (await http.get("/leader")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(leads, deadline_s=10)

    async def stop(self) -> None:
        await self._stack.aclose()
        self.node = None

    async def row(self, component_id: str = "press") -> dict[str, Any]:
        """The component as the API shows it; empty when it is not registered."""
        async with client(self.url) as http:
            answer = await http.get(f"/v1/components/{component_id}")
        shown: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return shown

    async def __aenter__(self) -> "Orchestrator":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
