"""HTTP/1.1 between nodes: a request that is passed on, and its whole answer, over connections that are kept.

A general client takes a millisecond of a follower's one thread for each request; this takes a tenth of that.

    NotSent   certainly nothing reached the other node
    Broken    sent, in part at least, and no whole answer came: whether it was done is not known
"""

import asyncio
import functools
import ssl
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

HeaderList = list[tuple[bytes, bytes]]

KEPT_MAX = 48
"""Connections to one node that wait for the next request."""
OPEN_MAX = 200
"""Connections to one node."""
CONNECT_S = 1.0
ANSWER_S = 15.0
ANSWER_BYTES_MAX = 256 << 20
"""More than any node answers: a snapshot of the state is the largest."""


class NotSent(Exception):
    """The other node certainly did nothing."""


class Broken(Exception):
    """Sent, and no answer came."""


class Answer(NamedTuple):
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: HeaderList
    content: bytes

    def header(self, name: bytes) -> bytes:
        """The first of that name; empty when there is none."""
        return next((value for known, value in self.headers if known == name), b"")


class Place(NamedTuple):
    """Where a base URL leads."""

    host: str
    port: int
    secure: bool
    prefix: str
    authority: str


class LeaderLink:
    """The connections of one node to the others. `keep_s`: shorter than the other side keeps one that is idle.

    `tls` is what the certificates of `https://` addresses are checked by; the system's authorities without one.
    """

    def __init__(self, *, keep_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._keep_s = keep_s
        self._tls = tls
        self._kept: dict[str, deque[_Connection]] = {}
        self._open: dict[str, int] = {}

    async def ask(
        self,
        base: str,
        method: str,
        target: str,
        headers: HeaderList,
        content: bytes = b"",
        *,
        within_s: float = ANSWER_S,
    ) -> Answer:
        """The answer of the node at `base` to `target` (path and query). NotSent, Broken.

        `headers` go as they are, beside Host and Content-Length. One that is cancelled closes its connection.
        """
        place = place_of(base)
        request = _request(place, method, target, headers, content)
        connection = self._take(base) or await self._connect(base, place)
        try:
            async with asyncio.timeout(within_s):
                answer, again = await connection.exchange(request)
        except TimeoutError:
            connection.close()
            raise Broken("no answer in time") from None
        except BaseException:
            connection.close()
            raise
        waiting = self._kept.setdefault(base, deque())
        if again and connection.open and len(waiting) < KEPT_MAX:
            connection.since = asyncio.get_running_loop().time()
            waiting.append(connection)
        else:
            connection.close()
        return answer

    def _take(self, base: str) -> "_Connection | None":
        """The connection that was used last; those that waited too long are closed."""
        waiting = self._kept.get(base)
        if not waiting:
            return None
        oldest = asyncio.get_running_loop().time() - self._keep_s
        while waiting and (waiting[0].since < oldest or not waiting[0].open):
            waiting.popleft().close()
        while waiting:
            found = waiting.pop()
            if found.open:
                return found
        return None

    async def _connect(self, base: str, place: Place) -> "_Connection":
        if self._open.get(base, 0) >= OPEN_MAX:
            raise NotSent(f"{OPEN_MAX} requests are under way there")
        if place.secure and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        self._open[base] = self._open.get(base, 0) + 1
        connection = _Connection(functools.partial(self._closed, base))
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, place.host, place.port, ssl=self._tls if place.secure else None
                )
        except (OSError, TimeoutError, UnicodeError) as error:  # the last one: no name can be so
            if connection.made:
                connection.close()
            else:
                self._closed(base)
            raise NotSent(str(error) or f"no connection within {CONNECT_S:g} s") from None
        except BaseException:
            if connection.made:
                connection.close()  # cancelled just as it was made: nobody would ever take it
            else:
                self._closed(base)
            raise
        return connection

    def _closed(self, base: str) -> None:
        self._open[base] -= 1
        if not self._open[base]:
            del self._open[base]

    @property
    def open(self) -> int:
        """How many connections there are."""
        return sum(self._open.values())

    async def aclose(self) -> None:
        """Close every connection that waits."""
        for waiting in self._kept.values():
            for connection in waiting:
                connection.close()
        self._kept.clear()
        await asyncio.sleep(0)  # the loop lets go of them at its next turn, which may be its last


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, closed: "functools.partial[None]") -> None:
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[Answer, bool]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: HeaderList = []
        self._parts: list[bytes] = []
        self._size = 0
        self._heading = True
        self.made = False
        self.since = 0.0

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: bytes) -> tuple[Answer, bool]:
        """The answer, and whether another request may follow."""
        if not self.open or self._transport is None:
            raise Broken("the connection was closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made = True
        self._transport = transport  # type: ignore[assignment]  # of a stream

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._closed()
        self._fail(f"the connection was closed: {error}" if error else "the connection was closed")

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"the answer is no HTTP: {error}")
            self.close()
        if self._size > ANSWER_BYTES_MAX:
            self._fail("the answer is too large")
            self.close()

    def on_message_begin(self) -> None:
        self._headers, self._parts, self._size, self._heading = [], [], 0, True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._heading:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._heading = False

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._waiting is None or self._waiting.done():
            return
        answer = Answer(status, self._headers, b"".join(self._parts))
        self._waiting.set_result((answer, self._parser.should_keep_alive()))
        self._parts = []

    def _fail(self, reason: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(reason))


@functools.lru_cache(maxsize=64)
def place_of(base: str) -> Place:
    """Where a base URL leads. Raises NotSent for what is none."""
    parts = urlsplit(base)
    secure = parts.scheme == "https"
    try:
        port = parts.port or (443 if secure else 80)
    except ValueError:
        raise NotSent(f"{base} has no port that can be") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotSent(f"{base} is no address of an API")
    return Place(parts.hostname, port, secure, parts.path.rstrip("/"), parts.netloc.rpartition("@")[2])


def _request(place: Place, method: str, target: str, headers: Iterable[tuple[bytes, bytes]], content: bytes) -> bytes:
    head = f"{method} {place.prefix}{target} HTTP/1.1\r\nHost: {place.authority}\r\n".encode("latin-1")
    length = b"Content-Length: %d\r\n" % len(content) if content or method not in ("GET", "HEAD") else b""
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return b"%b%b%b\r\n%b" % (head, lines, length, content)
