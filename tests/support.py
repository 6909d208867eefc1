"""What every test suite of this repo shares: polling with a deadline, and free ports.

from tests.support import eventually, eventually_sync, free_port

leader = await eventually(lambda: cluster.status().leader_id, deadline_s=5)   # in an async test
eventually_sync(lambda: log.exists(), deadline_s=2)                            # in a plain one
"""

import inspect
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import anyio

T = TypeVar("T")

lab_settings = {name: value for name, value in os.environ.items() if name.startswith("TRIARCH_LAB_")}
"""What the lab was asked for; out of the environment it is taken away with the other settings (tests/conftest.py)."""


class _Attempts:
    """Remembers the last value or failed assertion, so that a missed deadline says what was seen instead."""

    def __init__(self, deadline_s: float, message: str) -> None:
        self._deadline_s = deadline_s
        self._message = message
        self._ends = time.monotonic() + deadline_s
        self._last = "the check never returned"
        self._cause: AssertionError | None = None
        self._count = 0

    def saw(self, value: object) -> None:
        self._count += 1
        self._last = f"last value: {value!r}"
        self._cause = None

    def failed(self, error: AssertionError) -> None:
        self._count += 1
        self._last = f"last failed assertion: {error}"
        self._cause = error

    def check_deadline(self) -> None:
        if time.monotonic() < self._ends:
            return
        subject = f"{self._message}: " if self._message else ""
        raise AssertionError(
            f"{subject}not so within {self._deadline_s:g} s ({self._count} looks); {self._last}"
        ) from self._cause


@overload
async def eventually(
    check: Callable[[], Awaitable[T]], deadline_s: float = ..., every_s: float = ..., message: str = ...
) -> T: ...
@overload
async def eventually(
    check: Callable[[], T], deadline_s: float = ..., every_s: float = ..., message: str = ...
) -> T: ...
async def eventually(
    check: Callable[[], object], deadline_s: float = 5.0, every_s: float = 0.02, message: str = ""
) -> object:
    """Polls `check` (plain or async) until it returns something true, and returns that.

    A failed `assert` inside `check` counts as "not yet"; any other exception passes through at once.
    After `deadline_s` seconds it raises AssertionError with the last value seen. It looks at least once.
    """
    attempts = _Attempts(deadline_s, message)
    while True:
        try:
            answer = check()
            value = await answer if inspect.isawaitable(answer) else answer
        except AssertionError as error:
            attempts.failed(error)
        else:
            if value:
                return value
            attempts.saw(value)
        attempts.check_deadline()
        await anyio.sleep(every_s)


def eventually_sync(check: Callable[[], T], deadline_s: float = 5.0, every_s: float = 0.02, message: str = "") -> T:
    """The same as `eventually` for a plain test; it blocks the thread between looks."""
    attempts = _Attempts(deadline_s, message)
    while True:
        try:
            value = check()
        except AssertionError as error:
            attempts.failed(error)
        else:
            if value:
                return value
            attempts.saw(value)
        attempts.check_deadline()
        time.sleep(every_s)


lasting_children: set[int] = set()
"""Pids of child processes that serve the whole run: no test has left them behind."""

_given: set[int] = set()


def port_range(worker: str) -> range:
    """The TCP ports of a test worker (pytest-xdist's "gw0", "gw1", …; "" without it); four in a row share none.

    They lie below those that the kernel picks for outgoing connections, which start at 32768 on Linux.
    """
    if not worker:
        return range(20_000, 32_000)
    first = 20_000 + int(worker.removeprefix("gw")) % 4 * 3_000
    return range(first, first + 3_000)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now, and that this run has not given out before."""
    ports = port_range(os.environ.get("PYTEST_XDIST_WORKER", ""))
    start = (time.monotonic_ns() // 1000) % len(ports)
    for offset in range(len(ports)):
        port = ports[(start + offset) % len(ports)]
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError(f"no free port in {ports}")
