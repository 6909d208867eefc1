"""The client that is awaited, in asyncio."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from orchestrator.client.addresses import Addresses, checked_addresses
from orchestrator.client.attempts import Tries, attempts
from orchestrator.client.calls import Call, Values
from orchestrator.client.connections import FAILURES, answer_of, counted, lower, made, no_answer, options, usable
from orchestrator.client.endpoints import Async, Noun, Program
from orchestrator.client.exchanging import (
    Answer,
    Emit,
    Exchange,
    NoAnswer,
    Open,
    Opened,
    Pause,
    Read,
    Renew,
    Step,
    Told,
)
from orchestrator.client.nouns import Nouns
from orchestrator.client.reply import Reply
from orchestrator.client.tls import context_of
from orchestrator.client.tokens import Source, Token


class AsyncClient(Nouns[Async]):
    """As `Client`, with coroutines and asynchronous iterators. A function that gives the token runs in a thread."""

    def __init__(
        self,
        urls: str | Iterable[str],
        *,
        token: Source = None,
        timeout_s: float = 20.0,
        ca: str | Path | None = None,
        certificate: tuple[str | Path, str | Path] | None = None,
        tries: Tries | None = None,
    ) -> None:
        given = usable(checked_addresses(urls))
        self.addresses = Addresses(given)
        self.tries = tries or Tries(timeout_s=timeout_s)
        self._token = Token(token)
        self._http = httpx.AsyncClient(**options(context_of(given, ca, certificate)))
        super().__init__(self)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the connections."""
        await self._http.aclose()

    def within(self, timeout_s: float) -> "AsyncClient":
        """The same client with another time for each call; it shares connections, and is not closed by itself."""
        return self.trying(self.tries.within(timeout_s))

    def trying(self, tries: Tries) -> "AsyncClient":
        """The same client with other tries for each call, as `within`."""
        other = AsyncClient.__new__(AsyncClient)
        other.__dict__.update({name: value for name, value in vars(self).items() if not isinstance(value, Noun)})
        other.acting, other.tries = other, tries
        return other

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Values | None = None,
        body: Any = None,
        content: bytes | None = None,
        content_type: str = "application/octet-stream",
        headers: dict[str, str] | None = None,
        key: str | None = None,
        patience_s: float | None = None,
    ) -> Reply:
        """As `Client.request`."""
        call = Reply.call(method, path, query, body, content, content_type, headers, key, patience_s)
        reply: Reply = await self.run(call)
        return reply

    async def run(self, call: Call[Any]) -> Any:
        """Carry out one call."""
        request = call.request(uuid.uuid4().hex)
        return call.value(await self.work(lambda began: attempts(request, self.addresses, self.tries, began)))

    async def work(self, program: Callable[[float], Program[Any]]) -> Any:
        """Carry out a program to its value."""
        running = _Running(program, self._http, self._token)
        try:
            while await running.emitted() is not None:
                pass
        finally:
            await running.close()
        return running.value

    async def iterate(self, program: Callable[[float], Program[Any]]) -> AsyncGenerator[Any, None]:
        """Carry out a program for what it emits; closing the iterator ends its connection."""
        running = _Running(program, self._http, self._token)
        try:
            while (emit := await running.emitted()) is not None:
                yield emit.item
        finally:
            await running.close()


class _Running:
    """One program on its way; it may have one stream open."""

    def __init__(self, program: Callable[[float], Program[Any]], http: httpx.AsyncClient, token: Token) -> None:
        self._program = program(time.monotonic())
        self._begun = False
        self._http = http
        self._token = token
        self._stream: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._ends: float | None = None
        self.value: Any = None

    async def emitted(self) -> Emit | None:
        """The next thing emitted, None at the end; `value` is what the program came to then."""
        outcome = None
        try:
            while True:
                if self._begun:
                    told = Told(time.monotonic(), random.random(), outcome)  # noqa: S311 - spreads pauses
                    step = self._program.send(told)
                else:
                    step, self._begun = next(self._program), True
                if isinstance(step, Emit):
                    return step
                outcome = await self._perform(step)
        except StopIteration as end:
            self.value = end.value
            return None

    async def close(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await stream.aclose()

    async def _perform(self, step: Step) -> Any:
        match step:
            case Exchange():
                return await self._exchange(step)
            case Open():
                return await self._open(step)
            case Read():
                return await self._read()
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Renew():
                return await asyncio.to_thread(self._token.renew)
        return None

    async def _request(self, step: Exchange | Open) -> httpx.Request:
        # Files and functions of the caller's own may block.
        token = self._token.text() if self._token.known else await asyncio.to_thread(self._token.text)
        return made(self._http, step, token)

    async def _exchange(self, step: Exchange) -> Answer | NoAnswer:
        request = await self._request(step)
        try:
            async with asyncio.timeout(step.left_s):
                answer = await self._http.send(request, stream=True)
                try:
                    return await self._whole(step, answer)
                finally:
                    await answer.aclose()
        except FAILURES as error:
            return no_answer(error, step)

    async def _whole(self, step: Exchange | Open, answer: httpx.Response) -> Answer:
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.aiter_bytes():
            size = counted(step, size, chunk)
            chunks.append(chunk)
        return answer_of(step, answer, chunks)

    async def _open(self, step: Open) -> Opened | Answer | NoAnswer:
        await self.close()
        request = await self._request(step)
        try:
            answer = await self._http.send(request, stream=True)
            if answer.status_code == 200:
                self._stream, self._chunks = answer, answer.aiter_bytes()
                self._ends = None if step.left_s is None else asyncio.get_running_loop().time() + step.left_s
                return Opened(lower(answer.headers))
            try:
                async with asyncio.timeout(step.silence_s):
                    return await self._whole(step, answer)
            finally:
                await answer.aclose()
        except FAILURES as error:
            return no_answer(error, step)

    async def _read(self) -> bytes | NoAnswer:
        if self._chunks is None:
            return b""
        try:
            async with asyncio.timeout_at(self._ends):
                return await anext(self._chunks, b"")
        except (httpx.HTTPError, TimeoutError) as error:
            return no_answer(error, None)
