"""FrameGateway: what the cameras of one process share: connections, and batches over all of them."""

from types import TracebackType

from framebuffer.channel import Channel
from framebuffer.connection import connect
from framebuffer.durability import Durability, checked_durability
from framebuffer.errors import ProducerClosed
from framebuffer.keys import Keys
from framebuffer.pressure import Level
from framebuffer.sharding import keys_of_url, shard_of
from framebuffer.streams import DEFAULT_INLINE_BYTES_MAX, FrameStreams

__all__ = ["FrameGateway"]


class FrameGateway:
    """Shared by any number of FrameProducers of one event loop; an async context manager, to be left after them.

    ``durability``: replicas that must have a frame before it counts as published or given up, or ``"majority"``, see
    ``framebuffer.durability``; None: the plant's (``redis.durability``), as its leader says. ``timeout_s`` bounds each
    reply of the server. Errors: RedisRefused, ValueError.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        durability: Durability | None = None,
        inline_bytes_max: int = DEFAULT_INLINE_BYTES_MAX,
        password: str | None = None,
        keys: Keys | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        self._url = redis_url
        self._durability = None if durability is None else checked_durability(durability)
        self._inline_bytes_max = inline_bytes_max
        self._password = password
        self._keys = (keys,) if keys is not None else keys_of_url(redis_url)
        self._timeout_s = timeout_s
        self._closed = False
        self._channels: dict[str, Channel] = {}
        self._channel(self._keys[0])  # an unusable URL is told here, not when the first camera opens

    async def __aenter__(self) -> "FrameGateway":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def level(self) -> Level:
        """The highest level of backpressure that was heard of last."""
        return max(channel.level for channel in self._channels.values())

    def channel_of(self, camera_id: str) -> Channel:
        """That of the camera's shard. Errors: ProducerClosed."""
        if self._closed:
            raise ProducerClosed(camera_id)
        return self._channel(self._keys[shard_of(camera_id, len(self._keys))])

    def _channel(self, keys: Keys) -> Channel:
        channel = self._channels.get(keys.prefix)
        if channel is None:
            redis = connect(self._url, password=self._password, timeout_s=self._timeout_s, key=keys.prefix)
            streams = FrameStreams(redis, keys, inline_bytes_max=self._inline_bytes_max)
            channel = self._channels[keys.prefix] = Channel(redis, streams, self._durability)
        return channel

    async def close(self) -> None:
        """End. Cameras that have not left raise ProducerClosed from now on."""
        self._closed = True
        for channel in self._channels.values():
            await channel.close()
