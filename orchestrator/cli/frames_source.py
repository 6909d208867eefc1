"""Where `triarch frames` gets its answers: from a node, or from Redis directly."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.http import Api
from orchestrator.cli.output import Failure

if TYPE_CHECKING:
    from framebuffer.shards import ShardedStreams

    Ask = Callable[[ShardedStreams], Awaitable[object]]

redis_option = click.option(
    "--redis-url",
    envvar="TRIARCH_REDIS_URL",
    show_envvar=True,
    help="Ask this Redis directly; otherwise a node is asked.",
)


def from_api(path: str, urls: str, timeout_s: float, **params: str) -> Any:
    """The JSON that a node has at the path."""
    with Api.of(urls, timeout_s) as api:
        return api.get(path, **params)


def from_redis(url: str, ask: "Ask") -> Any:
    """What `ask` finds, as JSON data."""
    with Redis(url) as redis:
        return redis.ask(ask)


class Redis:
    """A connection that serves several questions. Every failure is a `Failure`."""

    def __init__(self, url: str) -> None:
        import asyncio

        from framebuffer.errors import FrameBufferError
        from framebuffer.shards import ShardedStreams

        if url.partition("://")[0].partition("+")[0] not in ("redis", "rediss", "unix"):
            raise click.BadParameter("must start with redis://, rediss:// or unix://", param_hint="--redis-url")
        try:
            self._streams = ShardedStreams.connect(url)
        except FrameBufferError as error:
            raise Failure(error.code, str(error)) from None
        self._runner = asyncio.Runner()
        self._checked = False

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._streams.aclose())
        self._runner.close()

    def ask(self, ask: "Ask") -> Any:
        """What `ask` finds, as JSON data."""
        import msgspec

        from framebuffer.errors import FrameBufferError

        try:
            return msgspec.to_builtins(self._runner.run(self._ask(ask)))
        except FrameBufferError as error:
            raise Failure(error.code, str(error)) from None

    async def _ask(self, ask: "Ask") -> object:
        if not self._checked:
            await self._streams.ready()
            self._checked = True
        return await ask(self._streams)
