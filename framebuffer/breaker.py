"""The circuit breaker: keeps calls away from what fails, and lets a few through again after a while. Pure.

::

    CLOSED ──`failures` in a row──▶ OPEN ──`open_s` later──▶ HALF_OPEN ──`successes` in a row──▶ CLOSED
                                     ▲                          │
                                     └──────── one failure ─────┘

Monotonic times in seconds are passed in, so nothing here looks at a clock. OPEN turns into HALF_OPEN by time alone: no
call is needed for it, and whoever reads the state sees it.
"""

import inspect
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar, cast

import msgspec

from framebuffer.errors import FrameBufferError

__all__ = ["Breaker", "BreakerOpen", "BreakerSettings", "BreakerState", "CircuitBreaker"]

P = ParamSpec("P")
T = TypeVar("T")


class BreakerState(StrEnum):
    CLOSED = "CLOSED"
    HALF_OPEN = "HALF_OPEN"
    OPEN = "OPEN"


class BreakerOpen(FrameBufferError):
    """The call was not made: what it goes to has failed too often. `retry_s`: seconds until one is let through."""

    code = "breaker_open"

    def __init__(self, name: str, retry_s: float) -> None:
        super().__init__(f"{name}: kept away from after too many failures; the next try is in {retry_s:.1f} s")
        self.name = name
        self.retry_s = retry_s


class BreakerSettings(msgspec.Struct, frozen=True):
    """`failures` in a row open it, for `open_s` seconds; `successes` in a row close it again. Errors: ValueError."""

    failures: int = 5
    open_s: float = 60.0
    successes: int = 3

    def __post_init__(self) -> None:
        for name in ("failures", "open_s", "successes"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ValueError(f"breaker: {name} must be above 0 and finite, is {value}")


class Breaker:
    """Counts what it is told. Times must not go back (those of a monotonic clock do not)."""

    def __init__(self, settings: BreakerSettings = BreakerSettings()) -> None:  # noqa: B008 (immutable)
        self.settings = settings
        self._half_open_at: float | None = None  # None while CLOSED
        self._failures = 0
        self._successes = 0

    def state(self, now: float) -> BreakerState:
        if self._half_open_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if now >= self._half_open_at else BreakerState.OPEN

    def retry_s(self, now: float) -> float:
        """Seconds until it lets something through; 0 unless it is OPEN."""
        return 0.0 if self._half_open_at is None else max(0.0, self._half_open_at - now)

    @property
    def failures(self) -> int:
        """Failures in a row while CLOSED."""
        return self._failures

    def failed(self, now: float, count: int = 1) -> None:
        """While OPEN it changes nothing: that is the end of what was let through before, and no reason to wait on."""
        if count <= 0:
            return
        state = self.state(now)
        if state is BreakerState.CLOSED:
            self._failures += count
        if state is BreakerState.HALF_OPEN or self._failures >= self.settings.failures:
            self._half_open_at = now + self.settings.open_s
            self._failures = self._successes = 0

    def succeeded(self, now: float, count: int = 1) -> None:
        """While OPEN it changes nothing, as with `failed`."""
        if count <= 0:
            return
        state = self.state(now)
        if state is BreakerState.CLOSED:
            self._failures = 0
        elif state is BreakerState.HALF_OPEN:
            self._successes += count
            if self._successes >= self.settings.successes:
                self._half_open_at, self._successes = None, 0

    def forgive(self, count: int) -> None:
        """Take back `count` failures of the present row: they turned out to be none."""
        self._failures = max(0, self._failures - count)


class CircuitBreaker:
    """A breaker around calls.

        redis_breaker = CircuitBreaker("redis", clock=time.monotonic)
        value = redis_breaker.call(read, key)              # a plain function
        value = await redis_breaker.call(read_async, key)  # one that returns something to await

    Exceptions of the types in `counted` are failures; others pass through and count as neither. While HALF_OPEN one
    call at a time is let through. Not thread-safe: one thread or one event loop uses it.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float],
        settings: BreakerSettings = BreakerSettings(),  # noqa: B008 (immutable)
        counted: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    ) -> None:
        self._name = name
        self._clock = clock
        self._breaker = Breaker(settings)
        self._counted = counted
        self._trying = False

    @property
    def state(self) -> BreakerState:
        return self._breaker.state(self._clock())

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns; something to await where it does. Errors: BreakerOpen; those of the function."""
        if inspect.iscoroutinefunction(function):
            return cast("T", self._later(function, *args, **kwargs))
        trial = self._admit()
        try:
            found = function(*args, **kwargs)
        except BaseException as error:
            self._ended(trial, error)
            raise
        if inspect.isawaitable(found):
            return cast("T", self._awaited(found, trial))
        self._ended(trial, None)
        return found

    async def _later(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        # Admitted when it is awaited, not when it is made: it may be awaited much later, or never.
        trial = self._admit()
        return await self._awaited(function(*args, **kwargs), trial)

    async def _awaited(self, found: Awaitable[Any], trial: bool) -> Any:
        try:
            value = await found
        except BaseException as error:
            self._ended(trial, error)
            raise
        self._ended(trial, None)
        return value

    def _admit(self) -> bool:
        """Whether this call is the one trial of HALF_OPEN. Errors: BreakerOpen."""
        now = self._clock()
        state = self._breaker.state(now)
        if state is BreakerState.OPEN or (state is BreakerState.HALF_OPEN and self._trying):
            raise BreakerOpen(self._name, self._breaker.retry_s(now))
        if state is BreakerState.HALF_OPEN:
            self._trying = True
            return True
        return False

    def _ended(self, trial: bool, error: BaseException | None) -> None:
        if trial:
            self._trying = False
        if error is None:
            self._breaker.succeeded(self._clock())
        elif isinstance(error, self._counted):
            self._breaker.failed(self._clock())
