"""The client that waits."""

import contextlib
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from orchestrator.client.addresses import Addresses, checked_addresses
from orchestrator.client.attempts import Tries, attempts
from orchestrator.client.calls import Call, Values
from orchestrator.client.connections import FAILURES, answer_of, counted, lower, made, no_answer, options, usable
from orchestrator.client.endpoints import Noun, Program, Sync
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


class Client(Nouns[Sync]):
    """Talks to a cluster by the addresses of its nodes; may be used by several threads.

    Args:
        urls: base URLs of nodes, as a sequence or comma list; the others are learned from the cluster.
        token: text, a `Path` to a file, or a function; the last two are asked again when a node refuses the token.
        timeout_s: seconds that a whole call may take, with all its attempts.
        ca: file of the authorities that are trusted, the system's by default. `certificate`: own certificate and key.
        tries: how a call is repeated, where the defaults do not fit; has precedence over `timeout_s`.
    Raises:
        SettingsInvalid: when these cannot be used.
    """

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
        self._http = httpx.Client(**options(context_of(given, ca, certificate)))
        super().__init__(self)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def within(self, timeout_s: float) -> "Client":
        """The same client with another time for each call; it shares connections, and is not closed by itself."""
        return self.trying(self.tries.within(timeout_s))

    def trying(self, tries: Tries) -> "Client":
        """The same client with other tries for each call, as `within`."""
        other = Client.__new__(Client)
        other.__dict__.update({name: value for name, value in vars(self).items() if not isinstance(value, Noun)})
        other.acting, other.tries = other, tries
        return other

    def request(
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
        """Ask for anything under `path`; repeated and judged as the named calls are. `body`: JSON data."""
        call = Reply.call(method, path, query, body, content, content_type, headers, key, patience_s)
        reply: Reply = self.run(call)
        return reply

    def run(self, call: Call[Any]) -> Any:
        """Carry out one call."""
        request = call.request(uuid.uuid4().hex)
        return call.value(self.work(lambda began: attempts(request, self.addresses, self.tries, began)))

    def work(self, program: Callable[[float], Program[Any]]) -> Any:
        """Carry out a program to its value."""
        steps = self._steps(program)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def iterate(self, program: Callable[[float], Program[Any]]) -> Generator[Any, None, None]:
        """Carry out a program for what it emits; closing the iterator ends its connection."""
        yield from self._steps(program)

    def _steps(self, program: Callable[[float], Program[Any]]) -> Any:
        acting = _Acting(self._http, self._token)
        running = program(time.monotonic())
        try:
            step = next(running)
            while True:
                outcome = None
                if isinstance(step, Emit):
                    yield step.item
                else:
                    outcome = acting.perform(step)
                step = running.send(Told(time.monotonic(), random.random(), outcome))  # noqa: S311 - spreads pauses
        except StopIteration as end:
            return end.value
        finally:
            acting.close()


class _Acting:
    """The steps of one program; it may have one stream open."""

    def __init__(self, http: httpx.Client, token: Token) -> None:
        self._http = http
        self._token = token
        self._stream: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._cut: threading.Timer | None = None

    def perform(self, step: Step) -> Any:
        match step:
            case Exchange():
                return self._exchange(step)
            case Open():
                return self._open(step)
            case Read():
                return self._read()
            case Pause(seconds):
                time.sleep(seconds)
            case Renew():
                return self._token.renew()
        return None

    def close(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _exchange(self, step: Exchange) -> Answer | NoAnswer:
        ends = time.monotonic() + step.left_s
        try:
            answer = self._http.send(made(self._http, step, self._token.text()), stream=True)
            try:
                return self._whole(step, answer, ends)
            finally:
                answer.close()
        except FAILURES as error:
            return no_answer(error, step)

    def _whole(self, step: Exchange | Open, answer: httpx.Response, ends: float | None) -> Answer:
        chunks: list[bytes] = []
        size = 0
        for chunk in answer.iter_bytes():
            size = counted(step, size, chunk)
            chunks.append(chunk)
            if ends is not None and time.monotonic() > ends:
                raise TimeoutError
        return answer_of(step, answer, chunks)

    def _open(self, step: Open) -> Opened | Answer | NoAnswer:
        self.close()
        try:
            answer = self._http.send(made(self._http, step, self._token.text()), stream=True)
            if answer.status_code == 200:
                self._stream, self._chunks = answer, answer.iter_bytes()
                if step.left_s is not None:
                    # A read cannot be told to end earlier once it waits; a connection that is shut down ends it.
                    self._cut = threading.Timer(step.left_s, _shut_down, [answer])
                    self._cut.daemon = True
                    self._cut.start()
                return Opened(lower(answer.headers))
            try:
                return self._whole(step, answer, time.monotonic() + step.silence_s)
            finally:
                answer.close()
        except FAILURES as error:
            return no_answer(error, step)

    def _read(self) -> bytes | NoAnswer:
        try:
            return next(self._chunks, b"")
        except httpx.HTTPError as error:
            return no_answer(error, None)


def _shut_down(answer: httpx.Response) -> None:
    stream = answer.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.shutdown(socket.SHUT_RDWR)
