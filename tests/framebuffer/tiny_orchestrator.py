"""The three endpoints that a processor uses, over the real registry, served by a real uvicorn in its own thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from framebuffer.models import ProcessorRegistration, problems
from framebuffer.registrar import INSTANCE_HEADER
from framebuffer.registry import Health, ProcessorRegistry, Register, Unregister, apply
from tests.support import eventually_sync, free_port

STATUS = {"processor_exists": 409, "processor_changed": 409, "processor_unknown": 404}


def problem(status: int, code: str, detail: str = "") -> JSONResponse:
    body = {"title": code, "code": code, "detail": detail or code, "status": status}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


class TinyOrchestrator:
    """One node. `failing` is a status that it answers to everything; `token` is the bearer token that it wants."""

    def __init__(self, redis_url: str | None = None, registry: ProcessorRegistry | None = None) -> None:
        self.registry = registry or ProcessorRegistry()
        self.redis_url = redis_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.failing: int | None = None
        self.failing_code = "no_leader"
        self.token: str | None = None
        self.lease_s: float | None = None
        self.max_attempts: int | None = None
        self.results_kept: int | None = None
        self.requests: list[str] = []
        self.heartbeats: list[dict[str, int]] = []
        self.idempotency_keys: list[str] = []
        self._index = 0
        self._app = self._build()

    def mark(self, processor_id: str, *, healthy: bool) -> None:
        apply(self.registry, Health.kind, Health(id=processor_id, healthy=healthy))

    def forget(self, processor_id: str) -> None:
        apply(self.registry, Unregister.kind, Unregister(id=processor_id))

    @contextmanager
    def running(self) -> Iterator["TinyOrchestrator"]:
        listener = socket.create_server(("127.0.0.1", self.port))
        config = uvicorn.Config(self._app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            eventually_sync(lambda: server.started)
            yield self
        finally:
            server.should_exit = True
            thread.join(timeout=5)
            listener.close()
            assert not thread.is_alive()

    def _build(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def gate(request: Request, call_next: Any) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            if self.failing is not None:
                return problem(self.failing, self.failing_code)
            if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
                return problem(401, "unauthorised", "a valid token is needed")
            answer: Response = await call_next(request)
            return answer

        @app.post("/processors/register")
        async def register(request: Request) -> Response:
            self.idempotency_keys.append(request.headers["idempotency-key"])
            try:
                registration = ProcessorRegistration.from_json(await request.body())
            except ValidationError as error:
                return problem(422, "invalid_request", str(problems(error)[0]))
            self._index += 1
            command = Register.of(registration, token=request.headers[INSTANCE_HEADER])
            result, _ = apply(self.registry, Register.kind, command, position=(1, self._index))
            if not result.ok:
                return problem(STATUS[result.code], result.code, result.message)
            where = {"queue": registration.queue, "group": registration.group}
            told = {"redis_url": self.redis_url, "lease_s": self.lease_s, "max_attempts": self.max_attempts}
            kept = {"results_kept": self.results_kept}
            return JSONResponse({**result.value, **where, **told, **kept}, status_code=201)

        @app.post("/processors/{processor_id}/heartbeat")
        async def heartbeat(processor_id: str, request: Request) -> Response:
            row = self.registry.get(processor_id)
            if row is None:
                return problem(404, "processor_unknown")
            if row.token != request.headers[INSTANCE_HEADER]:
                return problem(409, "processor_changed")
            self.heartbeats.append(await request.json())
            return Response(status_code=204)

        @app.delete("/processors/{processor_id}")
        async def unregister(processor_id: str, request: Request) -> Response:
            command = Unregister(id=processor_id, token=request.headers[INSTANCE_HEADER])
            result, _ = apply(self.registry, Unregister.kind, command)
            return Response(status_code=204) if result.ok else problem(STATUS[result.code], result.code)

        return app
