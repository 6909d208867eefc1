"""HTTP/1.1 as commands to components need it: one POST, one small answer, over connections that are kept.

A general client takes a millisecond of the leader's one thread for each request; this takes a tenth of that. It knows
`Content-Length`, chunked answers and answers that end with the connection, interim answers (1xx), and nothing else:
no redirects, no compression, no cookies, no TLS (`serves` says so).

    NotDelivered   no connection: certainly nothing was sent
    Broken         sent, in part at least, and no whole answer came

A kept connection may be closed by the other side at any moment. A request that finds it so, before a byte of an answer
came, goes once more over a new one: commands carry a key, and are done once however often they come.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

ANSWER_BYTES_MAX = 64 * 1024
HEAD_BYTES_MAX = 16 * 1024
KEEP_S = 4.0
"""Shorter than any server keeps a connection that nothing is asked over."""
KEPT_MAX = 8
"""Connections to one address that wait for the next request."""


class NotDelivered(Exception):
    """No connection was made."""


class Broken(Exception):
    """The connection ended, or spoke no HTTP, before the whole answer had come."""


class Place(NamedTuple):
    """Where an address leads: what to connect to, and what the head of a request says."""

    host: str
    port: int
    head: str


class CommandLink:
    """The connections of one node to components. `headers` go with every request. ValueError for what is no header."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        lines = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        for name, value in lines.items():
            if not (name + value).isascii() or not (name + value).isprintable():
                raise ValueError(f"{name} holds what no header may")
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._kept: dict[str, deque[_Connection]] = {}

    @staticmethod
    def serves(address: str) -> bool:
        """Whether this knows how to reach the address (a base URL)."""
        return _place(address) is not None

    async def post(
        self, address: str, content: bytes, *, connect_s: float, bearer: str | None = None
    ) -> tuple[int, bytes]:
        """`POST {address}/event`: the status and the body, empty when it is too large. NotDelivered, Broken.

        The caller bounds the whole; one that is cancelled closes its connection. `bearer` is visible ASCII.
        """
        place = _place(address)
        if place is None:
            raise NotDelivered(f"{address} is not an http:// address")
        shown = "" if bearer is None else f"Authorization: Bearer {bearer}\r\n"
        request = f"{place.head}{self._lines}{shown}Content-Length: {len(content)}\r\n\r\n".encode() + content
        kept = self._take(address)
        if kept is not None:
            try:
                return await self._over(kept, address, request)
            except Broken:
                if kept.heard:
                    raise
        return await self._over(await _connected(place, connect_s), address, request)

    async def _over(self, connection: "_Connection", address: str, request: bytes) -> tuple[int, bytes]:
        try:
            status, body, again = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        waiting = self._kept.setdefault(address, deque())
        if again and len(waiting) < KEPT_MAX and connection.open:
            connection.since = asyncio.get_running_loop().time()
            connection.lost = functools.partial(self._forget, address, connection)
            waiting.append(connection)
        else:
            connection.close()
            if not waiting:
                del self._kept[address]
        return status, body

    def _forget(self, address: str, connection: "_Connection") -> None:
        """One that waited was closed: an address that never comes back leaves nothing behind."""
        waiting = self._kept.get(address, deque())
        if connection in waiting:
            waiting.remove(connection)
            if not waiting:
                del self._kept[address]

    def _take(self, address: str) -> "_Connection | None":
        """The connection that was used last; those that waited too long are closed."""
        waiting = self._kept.get(address)
        if waiting is None:
            return None
        oldest = asyncio.get_running_loop().time() - KEEP_S
        while waiting and (waiting[0].since < oldest or not waiting[0].open):
            late = waiting.popleft()
            late.lost = None
            late.close()
        found = None
        while waiting and found is None:
            last = waiting.pop()
            last.lost = None
            found = last if last.open else None
        if not waiting:
            del self._kept[address]
        return found

    @property
    def kept(self) -> int:
        """How many connections wait."""
        return sum(len(waiting) for waiting in self._kept.values())

    async def aclose(self) -> None:
        """Close every connection that waits."""
        for waiting in self._kept.values():
            for connection in waiting:
                connection.lost = None
                connection.close()
        self._kept.clear()


class _Connection(asyncio.Protocol):
    """One request at a time. `heard`: a byte of the answer has come."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes, bool]] | None = None
        self._parser = Parser()
        self.heard = False
        self.since = 0.0
        self.lost: Callable[[], None] | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: bytes) -> tuple[int, bytes, bool]:
        """Status, body, and whether another request may follow."""
        if not self.open or self._transport is None:
            raise Broken("the connection was closed")
        self.heard = False
        self._parser = Parser()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        self.heard = True
        try:
            done = self._parser.feed(data)
        except ValueError as error:
            self._answer.set_exception(Broken(f"the answer is no HTTP: {error}"))
            return
        if done is not None:
            self._answer.set_result(done)

    def connection_lost(self, error: Exception | None) -> None:
        if self.lost is not None:
            self.lost()
        if self._answer is None or self._answer.done():
            return
        done = self._parser.end()
        if done is not None:
            self._answer.set_result(done)
        else:
            self._answer.set_exception(Broken(f"the connection was closed: {error}" if error else "closed"))


class Parser:
    """One answer, as its bytes come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body = bytearray()
        self._status = 0
        self._length: int | None = None
        self._chunked = False
        self._again = True

    def feed(self, data: bytes) -> tuple[int, bytes, bool] | None:
        """(status, body, whether the connection may be used again) once all of it is there. ValueError: no HTTP."""
        self._buffer += data
        while self._status == 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    raise ValueError(f"a head of more than {HEAD_BYTES_MAX} bytes")
                return None
            self._head(bytes(self._buffer[:end]).decode("latin-1"))
            del self._buffer[: end + 4]
        if self._chunked:
            return self._chunks()
        self._body += self._buffer
        self._buffer.clear()
        if self._length is None:
            return self._too_large()
        if len(self._body) < self._length:
            return self._too_large()
        if len(self._body) > self._length:
            self._again = False  # more than was announced: nothing that follows can be told apart
        return self._done(bytes(self._body[: self._length]))

    def end(self) -> tuple[int, bytes, bool] | None:
        """The connection has ended: the answer, where that is how it ends."""
        if self._status and not self._chunked and self._length is None:
            self._again = False
            return self._done(bytes(self._body))
        return None

    def _head(self, text: str) -> None:
        line, *lines = text.split("\r\n")
        version, _, rest = line.partition(" ")
        code = rest[:3]
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (len(code) == 3 and code.isascii() and code.isdecimal()):
            raise ValueError("its first line")
        if code[0] == "1":
            return  # another head follows
        headers: dict[str, str] = {}
        for each in lines:
            name, colon, value = each.partition(":")
            if not colon or not name or name != name.strip():
                raise ValueError("a header line")
            name, value = name.lower(), value.strip()
            if name == "content-length" and headers.get(name, value) != value:
                raise ValueError("two lengths")
            headers[name] = value
        self._status = int(code)
        connection = headers.get("connection", "").lower()
        self._again = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
        encoding = headers.get("transfer-encoding")
        if encoding is not None:
            if encoding.lower() != "chunked" or "content-length" in headers:
                raise ValueError(f"transfer-encoding {encoding[:40]}")
            self._chunked = True
        elif "content-length" in headers:
            length = headers["content-length"]
            if not (length.isascii() and length.isdecimal() and len(length) < 16):
                raise ValueError("its length")
            self._length = int(length)
        elif code in ("204", "304"):
            self._length = 0

    def _chunks(self) -> tuple[int, bytes, bool] | None:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    raise ValueError("the size of a chunk")
                return None
            digits = bytes(self._buffer[:end]).partition(b";")[0].strip()
            if not digits or len(digits) > 8 or digits.translate(None, b"0123456789abcdefABCDEF"):
                raise ValueError("the size of a chunk")
            size = int(digits, 16)
            if size == 0:
                tail = self._buffer.find(b"\r\n\r\n", end)
                if tail < 0:
                    return None if len(self._buffer) < HEAD_BYTES_MAX else self._done(b"", again=False)
                if tail + 4 != len(self._buffer):
                    self._again = False
                return self._done(bytes(self._body))
            if len(self._body) + size > ANSWER_BYTES_MAX:
                return self._done(b"", again=False)
            if len(self._buffer) < end + 2 + size + 2:
                return None
            self._body += self._buffer[end + 2 : end + 2 + size]
            if self._buffer[end + 2 + size : end + 4 + size] != b"\r\n":
                raise ValueError("the end of a chunk")
            del self._buffer[: end + 4 + size]

    def _too_large(self) -> tuple[int, bytes, bool] | None:
        return self._done(b"", again=False) if len(self._body) > ANSWER_BYTES_MAX else None

    def _done(self, body: bytes, *, again: bool = True) -> tuple[int, bytes, bool]:
        return self._status, b"" if len(body) > ANSWER_BYTES_MAX else body, self._again and again


@lru_cache(maxsize=4096)
def _place(address: str) -> Place | None:
    parts = urlsplit(address)
    try:
        port = parts.port or 80
    except ValueError:
        return None
    target = f"{parts.path.rstrip('/')}/event"
    plain = (parts.netloc + target).isascii() and (parts.netloc + target).isprintable() and " " not in target
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc or not plain:
        return None
    return Place(parts.hostname, port, f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n")


async def _connected(place: Place, connect_s: float) -> _Connection:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(connect_s):
            _, connection = await loop.create_connection(_Connection, place.host, place.port)
    except TimeoutError:
        raise NotDelivered(f"no connection within {connect_s:g} s") from None
    except (OSError, UnicodeError) as error:  # the latter: no name can be so
        raise NotDelivered(getattr(error, "strerror", None) or str(error)) from None
    return connection
