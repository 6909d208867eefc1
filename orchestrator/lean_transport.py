"""HTTP/1.1 to the components of the plant, at a third of the cost of a general client's own transport.

A plain `httpx` transport: one connection serves one request at a time and is kept for the next one to the same address.
The errors are httpx's, and mean the same: what could not be connected to was not sent anything. A connection that was
idle for longer than `IDLE_S`, or that the other side has closed, is not used again.
"""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import h11
import httpx

__all__ = ["LeanTransport"]

CONNECTIONS_MAX = 256
IDLE_S = 4.0
"""Shorter than servers commonly keep a connection: a command must not go on one that is just being closed."""
READ_BYTES = 64 * 1024

Origin = tuple[bool, str, int]
"""(TLS, host, port)"""


class _Connection:
    def __init__(self, origin: Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.origin = origin
        self.reader, self.writer = reader, writer
        self.http = h11.Connection(h11.CLIENT)
        self.idle_since = 0.0

    def usable(self, now: float) -> bool:
        """Whether another request may go on it."""
        return now - self.idle_since < IDLE_S and not self.reader.at_eof() and not self.writer.is_closing()

    async def write(self, request: httpx.Request, within: float | None) -> None:
        content = b"".join([part async for part in request.stream])  # type: ignore[union-attr]
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        parts = [self.http.send(head), self.http.send(h11.Data(content)) if content else b""]
        parts.append(self.http.send(h11.EndOfMessage()))
        self.writer.write(b"".join(part for part in parts if part))
        try:
            async with asyncio.timeout(within):
                await self.writer.drain()
        except TimeoutError:
            raise httpx.WriteTimeout("the request could not be sent in time") from None
        except OSError as error:
            raise httpx.WriteError(str(error)) from error

    async def event(self, within: float | None) -> Any:
        """The next event of the answer."""
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                return event
            try:
                async with asyncio.timeout(within):
                    data = await self.reader.read(READ_BYTES)
            except TimeoutError:
                raise httpx.ReadTimeout("no answer in time") from None
            except OSError as error:
                raise httpx.ReadError(str(error)) from error
            self.http.receive_data(data)

    def close(self) -> None:
        self.writer.close()


class _Body(httpx.AsyncByteStream):
    """The body of an answer; its end gives the connection back."""

    def __init__(self, transport: "LeanTransport", connection: _Connection, within: float | None) -> None:
        self._transport = transport
        self._connection: _Connection | None = connection
        self._within = within

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        if connection is None:
            return
        try:
            while not isinstance(event := await connection.event(self._within), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.ConnectionClosed):
                    return
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.give_back(connection)


class LeanTransport(httpx.AsyncBaseTransport):
    """`tls`: for addresses of https."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: OrderedDict[Origin, list[_Connection]] = OrderedDict()
        """by address, the one that was used last at the end"""
        self._places = asyncio.Semaphore(CONNECTIONS_MAX)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is still to be read. Raises httpx's errors."""
        limits = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(limits.get("pool")):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection was free in time") from None
        connection: _Connection | None = None
        try:
            connection = await self._connected(request.url, limits.get("connect"))
            await connection.write(request, limits.get("write"))
            head = await connection.event(limits.get("read"))
            while isinstance(head, h11.InformationalResponse):
                head = await connection.event(limits.get("read"))
            if not isinstance(head, h11.Response):
                raise httpx.RemoteProtocolError("the connection was closed without an answer")
            return httpx.Response(
                head.status_code, headers=head.headers.raw_items(), stream=_Body(self, connection, limits.get("read"))
            )
        except BaseException as error:
            self._places.release()
            if connection is not None:
                connection.close()
            if isinstance(error, h11.LocalProtocolError):
                raise httpx.LocalProtocolError(str(error)) from error
            if isinstance(error, h11.RemoteProtocolError):
                raise httpx.RemoteProtocolError(str(error)) from error
            raise

    async def _connected(self, url: httpx.URL, within: float | None) -> _Connection:
        secure = url.scheme == "https"
        origin = (secure, url.host, url.port or (443 if secure else 80))
        now = time.monotonic()
        kept = self._idle.get(origin, [])
        while kept:
            connection = kept.pop()
            if connection.usable(now):
                return connection
            connection.close()
        try:
            async with asyncio.timeout(within):
                reader, writer = await asyncio.open_connection(
                    origin[1], origin[2], ssl=self._tls if secure else None, limit=READ_BYTES
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("not connected in time") from None
        except (OSError, UnicodeError) as error:  # a host that is no host name
            raise httpx.ConnectError(str(error)) from error
        return _Connection(origin, reader, writer)

    def give_back(self, connection: _Connection) -> None:
        """An answer was read, or nobody wants the rest of it."""
        self._places.release()
        http = connection.http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            connection.close()
            return
        http.start_next_cycle()
        now = connection.idle_since = time.monotonic()
        self._idle.setdefault(connection.origin, []).append(connection)
        self._idle.move_to_end(connection.origin)
        # The addresses that were not used for longest come first: what is kept there is old, or there is too much.
        while (oldest := next(iter(self._idle.values()))) is not self._idle[connection.origin]:
            if oldest and oldest[-1].usable(now) and len(self._idle) <= CONNECTIONS_MAX:
                break
            self._idle.popitem(last=False)
            for each in oldest:
                each.close()

    async def aclose(self) -> None:
        """Close what is kept."""
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()
