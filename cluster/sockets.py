"""`Reactor` over this host's TCP sockets."""

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
from collections.abc import Callable

from cluster.clock import now
from cluster.listening import listener
from cluster.names import Names
from cluster.reactor import Acceptor, Receiver, Stream

log = logging.getLogger(__name__)

READ_BYTES = 1 << 18
ACCEPTS_MAX = 64
"""in one wait: whoever dials faster than this node accepts must not keep it from everything else"""
PAUSE_S = 0.2
"""How long the listener rests when the process has no descriptors left."""

_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
_GONE = (errno.ECONNABORTED, *_AGAIN)


class SocketReactor:
    """See Reactor."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._names = Names()
        self._listener: socket.socket | None = None
        self._acceptor: Acceptor | None = None
        self._accepts = False
        self._starved = False
        """whether accepting failed since it last succeeded: said once"""
        self._resume_at = 0.0
        self._streams: set[_TcpStream] = set()
        self._broken: list[_TcpStream] = []
        self._closed = False
        self._woken = False
        self._wake_lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)

    # ── Listening ────────────────────────────────

    def listen(self, address: str, acceptor: Acceptor) -> None:
        """See Reactor."""
        self._listener, self._acceptor = listener(address), acceptor
        self._accept(True)

    @property
    def listening(self) -> bool:
        """See Reactor."""
        return self._accepts

    def _accept(self, wanted: bool) -> None:
        assert self._listener is not None  # noqa: S101
        if wanted and not self._accepts:
            self._selector.register(self._listener, selectors.EVENT_READ, self._on_dialled)
        elif self._accepts and not wanted:
            self._selector.unregister(self._listener)
        self._accepts = wanted

    def _on_dialled(self, _events: int) -> None:
        assert self._listener is not None  # noqa: S101
        assert self._acceptor is not None  # noqa: S101
        for _ in range(ACCEPTS_MAX):
            try:
                accepted, where = self._listener.accept()
            except OSError as error:
                if error.errno not in _GONE:
                    # Out of descriptors, most likely. The stock listener is gone for good after this; ours rests.
                    if not self._starved:
                        log.error("cannot accept connections now: %s; tried again every %g s", error, PAUSE_S)
                    self._starved = True
                    self._accept(False)
                    self._resume_at = now() + PAUSE_S
                return
            if self._starved:
                log.info("accepts connections again")
                self._starved = False
            stream = _TcpStream(self, accepted, f"{where[0]}:{where[1]}")
            stream.receiver = self._acceptor.accepted(stream)
            stream.watch(selectors.EVENT_READ)

    # ── Dialling ────────────────────────────────

    def dial(self, address: str, receiver: Receiver) -> Stream:
        """See Reactor."""
        endpoint = self._names.endpoint(address)
        if endpoint is None:
            stream = _TcpStream(self, None, address)
            stream.receiver = receiver
            self._fail(stream, "its name is not looked up yet")
            return stream
        family, where = endpoint
        try:
            dialled = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            stream = _TcpStream(self, None, address)
            stream.receiver = receiver
            self._fail(stream, str(error))
            return stream
        stream = _TcpStream(self, dialled, address)
        stream.receiver = receiver
        error_number = dialled.connect_ex(where)
        if error_number in (0, errno.EINPROGRESS):
            stream.connecting = True
            stream.watch(selectors.EVENT_WRITE)
        else:
            self._fail(stream, os.strerror(error_number))
        return stream

    # ── Waiting ────────────────────────────────

    def wait(self, timeout_s: float) -> None:
        """See Reactor."""
        if self._listener is not None and not self._accepts and now() >= self._resume_at:
            self._accept(True)
        if self._broken:
            timeout_s = 0.0
        for key, events in self._selector.select(timeout_s):
            key.data(events)
        broken, self._broken = self._broken, []
        for stream in broken:
            stream.report()

    def wake(self) -> None:
        """See Reactor. Many wakes cost one byte."""
        with self._wake_lock:
            if not (self._woken or self._closed):
                self._woken = True
                os.write(self._wake_write, b"w")

    def _on_wake(self, _events: int) -> None:
        os.read(self._wake_read, 64)
        self._woken = False  # after the read: whoever queues from now on wakes again

    def close(self) -> None:
        """See Reactor."""
        with self._wake_lock:
            self._closed = True
        for stream in list(self._streams):
            stream.close()
        if self._listener is not None:
            self._listener.close()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    # ── For the streams ────────────────────────────────

    def _fail(self, stream: "_TcpStream", reason: str) -> None:
        if stream.reason is None:
            stream.reason = reason
            self._broken.append(stream)

    def _modify(self, sock: socket.socket, events: int, callback: Callable[[int], None]) -> None:
        self._selector.modify(sock, events, callback)


class _TcpStream:
    def __init__(self, reactor: SocketReactor, sock: socket.socket | None, remote: str) -> None:
        self._reactor = reactor
        self._socket = sock
        self.remote = remote
        self.receiver: Receiver | None = None
        self.connecting = False
        self.reason: str | None = None
        self._unsent = bytearray()
        self._events = 0
        if sock is not None:
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # macOS refuses it where the other side has gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reactor._streams.add(self)

    @property
    def unsent(self) -> int:
        return len(self._unsent)

    def watch(self, events: int) -> None:
        if self._socket is None or events == self._events:
            return
        if self._events:
            self._reactor._modify(self._socket, events, self._on_events)
        else:
            self._reactor._selector.register(self._socket, events, self._on_events)
        self._events = events

    def send(self, data: bytes) -> None:
        if self._socket is None or self.reason is not None:
            return
        if not self._unsent and not self.connecting:
            sent = self._write(data)
            if sent == len(data) or self.reason is not None:
                return
            data = data[sent:]
        self._unsent += data
        if not self.connecting:
            self.watch(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _write(self, data: bytes | bytearray) -> int:
        assert self._socket is not None  # noqa: S101
        try:
            return self._socket.send(data)
        except OSError as error:
            if error.errno not in _AGAIN:
                self._reactor._fail(self, str(error.strerror))
            return 0

    def close(self) -> None:
        self.receiver = None
        self._release()

    def _release(self) -> None:
        sock, self._socket = self._socket, None
        self._unsent.clear()
        if sock is not None:
            if self._events:
                self._reactor._selector.unregister(sock)
            self._reactor._streams.discard(self)
            sock.close()

    def report(self) -> None:
        receiver, self.receiver = self.receiver, None
        self._release()
        if receiver is not None:
            receiver.closed(self.reason or "closed")

    def _on_events(self, events: int) -> None:
        if self._socket is None or self.receiver is None or self.reason is not None:
            return
        if self.connecting:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self._reactor._fail(self, os.strerror(error))
                return
            self.connecting = False
            self.watch(selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0))
            self.receiver.opened()
            return
        if events & selectors.EVENT_WRITE and self._unsent:
            del self._unsent[: self._write(self._unsent)]
        if events & selectors.EVENT_READ:
            self._read()
        if self.reason is None:
            self.watch(selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0))

    def _read(self) -> None:
        """Dry: what a later look finds has then arrived later."""
        while self._socket is not None and self.receiver is not None and self.reason is None:
            try:
                data = self._socket.recv(READ_BYTES)
            except OSError as error:
                if error.errno not in _AGAIN:
                    self._reactor._fail(self, str(error.strerror))
                return
            if not data:
                self._reactor._fail(self, "the other side closed it")
                return
            self.receiver.received(data)
            if len(data) < READ_BYTES:
                return
