"""A node's way to Redis: a client a shard, checked in the background, so that nobody else has to ask if it is there."""

import asyncio
import logging

from framebuffer.addresses import without_secrets
from framebuffer.errors import RedisFailure
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import ServerInfo
from orchestrator.redis_figures import RedisFigures
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

PROBE_S = 0.5
PROBE_TIMEOUT_S = 2.0
FIGURES_EVERY = 10
"""Probes between two looks at what the server says of itself."""


class RedisLink:
    """Probes the server every ``PROBE_S``. Losing it and finding it again is one log line each.

    Args:
        url: of the server, without a password.
        password: sent to it, if any.
        sentinel_password: sent to the sentinels, if any.
        inline_bytes_max, max_attempts: see ``FrameStreams``.
        figures: kept up to date, if any.
    """

    def __init__(
        self,
        url: str,
        password: str | None,
        *,
        inline_bytes_max: int,
        max_attempts: int,
        sentinel_password: str | None = None,
        figures: RedisFigures | None = None,
    ) -> None:
        self.url = url
        self._shards = ShardedStreams.connect(
            url,
            password=password,
            sentinel_password=sentinel_password,
            timeout_s=PROBE_TIMEOUT_S,
            inline_bytes_max=inline_bytes_max,
            max_attempts=max_attempts,
        )
        self._where = without_secrets(url).partition("://")[2].partition("?")[0].removesuffix("/0")
        self._figures = figures
        self._until_figures = 0
        self._task: asyncio.Task[None] | None = None
        self._answered = False
        self._trouble = f"Redis at {self._where} has not answered yet"
        self.server: ServerInfo | None = None
        """What the server said of itself when it was last checked."""

    def shards(self) -> ShardedStreams | None:
        """The frame streams; None while the server has never passed its check."""
        return self._shards if self._answered else None

    def streams(self) -> FrameStreams | None:
        """The first shard: all there is without a cluster."""
        return self._shards.parts[0] if self._answered else None

    def health(self) -> tuple[bool, str]:
        """(answers now, why not)."""
        return not self._trouble, self._trouble

    async def start(self) -> None:
        """Begin to probe. Does not wait for the server."""
        self._task = asyncio.create_task(self._run(), name="redis-probe")

    async def stop(self) -> None:
        """Stop probing and close the connections."""
        await cancelled(self._task)
        await self._shards.aclose()

    async def _run(self) -> None:
        while True:
            try:
                await self._probe()
            except RedisFailure as error:
                self._lost(f"Redis at {self._where}: {error}")
            await asyncio.sleep(PROBE_S)

    async def _probe(self) -> None:
        if self._trouble:
            # The full check: after an outage another server, or a promoted replica, may answer at this address.
            self.server = await self._shards.ready()
            log.info("Redis at %s answers: %s %s", self._where, self.server.software, self.server.version)
            if not self.server.append_only:
                log.warning("Redis at %s has no append-only file: frames are lost when it dies", self._where)
            self._trouble, self._answered, self._until_figures = "", True, 0
        else:
            await self._shards.ping()
        await self._look()

    async def _look(self) -> None:
        self._until_figures -= 1
        if self._figures is None or self._until_figures > 0:
            return
        await self._figures.look([part.redis for part in self._shards.parts])
        self._until_figures = FIGURES_EVERY

    def _lost(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble
        if self._figures is not None:
            self._figures.down()
