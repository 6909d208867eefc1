"""One HTTP/1.1 connection that stays open, and no more: a general client would cost more than what it measures.

What failed says what may have become of the request:

LinkError
├── NotSent      certainly nothing arrived there
└── Broken       it was sent, at least in part, and no answer came
"""

import asyncio
import ssl
from types import TracebackType
from typing import Self

import msgspec

HEAD_BYTES_MAX = 64 * 1024
CONNECT_S = 0.5


class LinkError(Exception):
    """No answer."""


class NotSent(LinkError):
    """No connection was made, so nothing of the request can have arrived."""


class Broken(LinkError):
    """The connection ended, or the time was up, after the request was sent."""


class Answer(msgspec.Struct, frozen=True):
    """What the server said. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpLink:
    """A connection to one server at `host:port`, opened when it is needed and again after it broke.

    One exchange at a time. An exchange that fails or is cancelled closes the connection: its answer may still come, and
    must not be taken for the next one's.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._address = (host, port)
        self._tls = tls
        self._head = f"Host: {host}:{port}\r\n"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection, with whatever is under way on it."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def exchange(
        self, method: str, target: str, *, headers: str = "", body: bytes = b"", timeout: float
    ) -> Answer:
        """Send a request and wait for its answer. `headers` are whole lines, each with its CRLF. NotSent, Broken."""
        reader, writer = await self._connected()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        answered = False
        try:
            writer.write(f"{method} {target} HTTP/1.1\r\n{self._head}{headers}{length}\r\n".encode("latin-1") + body)
            async with asyncio.timeout(timeout):
                answer, stays = await _read(reader)
            answered = stays
        except TimeoutError:
            raise Broken(f"no answer within {timeout:g} s") from None
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise Broken(f"{type(error).__name__}: {error}") from error
        finally:
            if not answered:
                self.close()
        return answer

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is not None and (self._reader.at_eof() or self._reader.exception() is not None):
            self.close()  # the server has closed it while nothing was under way
        if self._reader is None or self._writer is None:
            try:
                async with asyncio.timeout(CONNECT_S):
                    opened = await asyncio.open_connection(*self._address, limit=HEAD_BYTES_MAX, ssl=self._tls)
            except (OSError, TimeoutError) as error:
                raise NotSent(f"{self._address[0]}:{self._address[1]}: {type(error).__name__}: {error}") from error
            self._reader, self._writer = opened
        return self._reader, self._writer


async def _read(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether the connection stays. EOFError where it ended before, or is none of HTTP/1.1."""
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
    protocol, _, rest = status_line.partition(" ")
    if protocol != "HTTP/1.1" or not rest[:3].isdecimal():
        raise EOFError(f"not an answer: {status_line[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    status = int(rest[:3])
    told = "0" if status in (204, 304) else headers.get("content-length", "")
    if not (told.isascii() and told.isdecimal()):
        raise EOFError(f"an answer without a length: {told[:80]!r}")
    length = int(told)
    body = await reader.readexactly(length) if length else b""
    return Answer(status, headers, body), headers.get("connection", "").lower() != "close"
