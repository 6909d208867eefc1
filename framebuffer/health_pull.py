"""Asks processors how they are, at the `health_url` of their registration. The leader does, in the background.

`GET`; any 2xx within the timeout is well, everything else (another status, a redirect, no connection, silence) is not.
The body is not read, and nothing of this cluster's (no token) is sent along: the address is the processor's choice.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import httpx

from framebuffer.health import pull_again_s
from framebuffer.registry import ProcessorRow
from framebuffer.tasks import ended

__all__ = ["DEFAULT_INTERVAL_S", "DEFAULT_TIMEOUT_S", "HealthPuller", "health_client"]

log = logging.getLogger(__name__)

DEFAULT_INTERVAL_S = 10.0
DEFAULT_TIMEOUT_S = 5.0
AT_ONCE = 128
_TICK_S = 0.25
_REASON_MAX = 200


def health_client(tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client for pulls: connections are not kept, and waiting for one is never part of a pull's time."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    # Proxies of the environment are for the outside world, not for the plant.
    return httpx.AsyncClient(verify=True if tls is None else tls, limits=limits, trust_env=False)


class HealthPuller:
    """Pulls each processor of `rows()` that has a `health_url`; at most `AT_ONCE` at a time.

    `http` is a `health_client`, closed by whoever made it. `told(row, reason)` is called with each answer, an empty
    reason when it is well; it returns the failures in a row. Answers for a registration that is gone by now are
    told too.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        rows: Callable[[], Mapping[str, ProcessorRow]],
        told: Callable[[ProcessorRow, str], int],
        *,
        interval_s: float = DEFAULT_INTERVAL_S,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._http = http
        self._rows = rows
        self._told = told
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(AT_ONCE)
        self._pulls: dict[str, tuple[ProcessorRow, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end)
            while True:
                self._follow()
                await asyncio.sleep(min(_TICK_S, self._interval_s / 4))

    def _follow(self) -> None:
        """One task for each registration and address; what a task raised is a defect and is raised here."""
        rows = self._rows()
        for processor_id, (row, task) in list(self._pulls.items()):
            if task.done():
                task.result()
            now = rows.get(processor_id)
            if now is None or _asked(now) != _asked(row):
                task.cancel()
                del self._pulls[processor_id]
        for processor_id, row in rows.items():
            if row.registration.health_url is not None and processor_id not in self._pulls:
                self._pulls[processor_id] = (row, asyncio.create_task(self._pull(row, row.registration.health_url)))

    async def _pull(self, row: ProcessorRow, url: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._places:
                began = loop.time()
                reason = await self._ask(url)
            failures = self._told(row, reason)
            pause_s = pull_again_s(self._interval_s, failures) - (loop.time() - began)
            await asyncio.sleep(max(0.0, pause_s))

    async def _ask(self, url: str) -> str:
        """What is wrong; empty when nothing is."""
        try:
            async with asyncio.timeout(self._timeout_s), self._http.stream("GET", url, timeout=None) as response:
                status = response.status_code
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last one: no name can be so
            return f"{type(error).__name__} {error}".rstrip()[:_REASON_MAX]
        except Exception as error:
            # The address is the processor's choice: what nobody has foreseen of one must not end the leader's duties.
            log.exception("%s could not be asked for its health", url)
            return f"it could not be asked ({type(error).__name__})"
        finally:
            self._http.cookies.clear()
        return "" if 200 <= status < 300 else f"answered {status}"

    async def _end(self) -> None:
        await ended(*(task for _, task in self._pulls.values()))


def _asked(row: ProcessorRow) -> tuple[object, ...]:
    return row.position, row.registration.health_url
