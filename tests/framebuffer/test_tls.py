"""TLS to one server and by way of a sentinel: real servers, with a certificate that names another host."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from framebuffer.addresses import url_of
from framebuffer.connection import connect
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.embedded_set import EmbeddedSentinel
from framebuffer.errors import RedisRefused, RedisUnavailable
from framebuffer.producer import FrameProducer
from framebuffer.shards import ShardedStreams, verify_shards
from framebuffer.wire import Settlement
from tests.framebuffer.conftest import _binary
from tests.framebuffer.frames import EPOCH, NODE, table
from tests.orchestrator.authorities import Authority
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

ROWS = table(("p1", "default", 30))
T = TypeVar("T")


class Servers:
    """Starts servers that have TLS on a second port. `url(form)`: of what was started, without options."""

    def __init__(self, directory: Path, stack: AsyncExitStack, lines: tuple[str, ...]) -> None:
        self._directory = directory
        self._stack = stack
        self._lines = lines
        self._binary = _redis()

    def _secured(self, port: int) -> tuple[str, ...]:
        return (f"tls-port {port}", *self._lines)

    async def one(self) -> str:
        port = free_port()
        server = EmbeddedServer(self._directory / "one", free_port(), binary=self._binary, options=self._secured(port))
        await self._stack.enter_async_context(server)
        return f"rediss://127.0.0.1:{port}/0"

    async def sentinel(self) -> str:
        primary, port = free_port(), free_port()
        server = EmbeddedServer(
            self._directory / "primary", free_port(), binary=self._binary, options=self._secured(primary)
        )
        await self._stack.enter_async_context(server)
        watcher = EmbeddedSentinel(
            self._directory / "sentinel", free_port(), binary=self._binary, options=self._secured(port)
        )
        watcher.watched = ("tls-replication yes", f"sentinel monitor frames 127.0.0.1 {primary} 1")
        await self._stack.enter_async_context(watcher)
        return url_of("sentinel", [f"127.0.0.1:{port}"], service="frames", tls=True)


def _redis() -> Binary:
    return _binary("redis")  # the carried Valkey is built without TLS


@asynccontextmanager
async def secured(directory: Path, form: str) -> AsyncIterator[tuple[Authority, Callable[..., str]]]:
    """The authority, and the URL of running servers with these options behind it."""
    authority = Authority(directory)
    pair = authority.sign("elsewhere", host="127.0.0.9")
    files = {"cert": pair.cert, "key": pair.key, "ca-cert": authority.file}
    lines = (*(f'tls-{name}-file "{file}"' for name, file in files.items()), "tls-auth-clients no")
    async with AsyncExitStack() as stack:
        url = await getattr(Servers(directory, stack, lines), form)()

        def with_options(**options: object) -> str:
            query = "&".join(f"{name}={value}" for name, value in options.items())
            return f"{url}{'&' if '?' in url else '?'}{query}" if query else str(url)

        yield authority, with_options


@pytest.mark.parametrize("form", ["one", "sentinel"])
async def test_frames_go_over_tls_to_whom_the_authority_vouches_for(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with secured(tmp_path, form) as (authority, url):
        good = url(ssl_ca_certs=authority.file, ssl_check_hostname="false")
        async with opened(good) as shards:
            (part,) = shards.parts
            await again(shards.ready)
            await again(lambda: shards.fence(EPOCH, NODE))
            async with FrameProducer("cam", good) as producer:
                await producer.publish(b"jpeg", width=4, height=3, format="jpeg")
            await again(lambda: part.dispatch(EPOCH, NODE, ROWS))
            assert await again(lambda: part.wait_queue("p1", {}, 10))  # by a connection of those that block
            (taken,) = await again(lambda: part.take("p1", "c")) or await again(lambda: part.take("p1", "c", own=True))
            await again(lambda: part.settle("p1", "c", [Settlement(taken.entry_id, result=b"{}")]))
            report = await again(lambda: verify_shards(shards))
            assert (report.published, report.settled, report.ledger_ok) == (1, 1, True)

        for refused in (
            url(),  # signed by nobody whom this machine knows
            url(ssl_ca_certs=authority.file),  # for another host
            url(ssl_check_hostname="false"),
        ):
            async with opened(refused) as strangers:
                await eventually(lambda strangers=strangers: refused_for(strangers, "certificate"), deadline_s=30)  # type: ignore[misc]
        for odd, why in (
            (url(ssl_ca_certs=tmp_path / "none.pem"), r"ssl_ca_certs: .*none\.pem: No such file"),
            (url(ssl_min_version="new"), "ssl_min_version"),
            (url(ssl_cert_reqs="some"), "some"),
            (url(ssl_nothing="1"), "ssl_nothing"),
        ):
            with pytest.raises(RedisRefused, match=f"not a Redis URL: .*{why}"):
                connect(odd)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))  # in place of the machine's own authorities
        async with opened(url(ssl_check_hostname="false")) as trusting:
            await again(trusting.ready)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[ShardedStreams]:
    """Patient: a handshake is work, and the machine may have other work."""
    shards = ShardedStreams.connect(url, timeout_s=10)
    try:
        yield shards
    finally:
        await shards.aclose()


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """As every loop of ours does: until the server answers in time."""
    async with asyncio.timeout(40):
        while True:
            try:
                return await call()
            except RedisUnavailable:
                await asyncio.sleep(0.05)


async def refused_for(shards: ShardedStreams, why: str) -> bool:
    """Whether the server is not reached for this reason; that it is reached fails at once."""
    with pytest.raises(RedisUnavailable) as caught:
        await shards.ready()
    return why in str(caught.value).lower()


async def test_an_authority_that_is_away_while_a_cluster_is_asked_is_waited_for(tmp_path: Path) -> None:
    """Its file is read for each node that is asked who has the slot; exchanging it may take it away for a moment."""
    authority = Authority(tmp_path)
    shards = ShardedStreams.connect(f"rediss+cluster://127.0.0.1:{free_port()}?ssl_ca_certs={authority.file}")
    try:
        authority.file.unlink()
        with pytest.raises(RedisUnavailable, match="No such file"):  # which is repeated
            await shards.ping()
    finally:
        await shards.aclose()
