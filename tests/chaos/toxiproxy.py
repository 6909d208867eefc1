"""A real Toxiproxy server between processes: it delays, throttles, resets and swallows what passes a TCP link.

async with Toxiproxy(find_server(), directory) as toxiproxy:
    link = await toxiproxy.link("n3-n1", "127.0.0.1:7101")   # link.address is what n3 dials
    await link.delay(50, jitter_ms=10)
    await link.heal()

The server is a Go program (tools/toxiproxy.sh builds it), driven by toxiproxy-python. That client keeps the server's
address in globals of its class, so one server a process. It lets most errors of the server pass, so every change here
is read back from the server before it counts as made.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from toxiproxy import Toxiproxy as Client
from toxiproxy.proxy import Proxy

from orchestrator.dev.errors import PlantError
from orchestrator.dev.processes import Process, Program
from orchestrator.dev.waiting import until
from tests.support import free_port

T = TypeVar("T")

BUILD = "tools/toxiproxy.sh builds one; needs Go"
CALL_S = 5.0
START_S = 10.0
BOTH_WAYS = ("upstream", "downstream")
"""Toxiproxy's words: upstream is what the one that dialled says, downstream what it is answered."""


class ToxiproxyFailed(PlantError):
    """The server did not do what it was asked for."""

    code = "toxiproxy_failed"


def find_server() -> Path | None:
    """The server's binary; None when there is none.

    Looked for: TOXIPROXY_SERVER, `toxiproxy-server` of the PATH, the one that tools/toxiproxy.sh built.
    ToxiproxyFailed when TOXIPROXY_SERVER names no program.
    """
    if named := os.environ.get("TOXIPROXY_SERVER"):
        found = shutil.which(named)
        if found is None:
            raise ToxiproxyFailed(f"TOXIPROXY_SERVER={named}: no such program; unset it, or name the server's binary")
        return Path(found).resolve()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triarch" / "toxiproxy"
    found = shutil.which("toxiproxy-server") or shutil.which("toxiproxy-server", path=str(cache))
    return None if found is None else Path(found).resolve()


class Link:
    """One proxy: whoever dials `address` reaches `upstream`. Made by `Toxiproxy.link`.

    What is done to it holds for the connections that exist and for those that come, until `heal`.
    """

    def __init__(self, server: "Toxiproxy", proxy: Proxy) -> None:
        self._server = server
        self._proxy = proxy

    @property
    def name(self) -> str:
        """Name of the proxy."""
        return str(self._proxy.name)

    @property
    def address(self) -> str:
        """`host:port` to dial."""
        return str(self._proxy.listen)

    @property
    def upstream(self) -> str:
        """`host:port` that is reached."""
        return str(self._proxy.upstream)

    async def delay(self, ms: int, *, jitter_ms: int = 0) -> None:
        """Each way takes `ms` ± `jitter_ms` longer; the order is kept."""
        await self._add("latency", {"latency": ms, "jitter": jitter_ms})

    async def throttle(self, kilobytes_s: int) -> None:
        """Each way carries `kilobytes_s` × 1024 bytes a second at most."""
        await self._add("bandwidth", {"rate": kilobytes_s})

    async def half_open(self) -> None:
        """Whatever is sent vanishes, and the connections stay. `heal` closes them: they have a gap now."""
        await self._add("timeout", {"timeout": 0})

    async def reset(self, after_ms: int = 0) -> None:
        """A connection ends `after_ms` after its next data: a new one by RST, one that was there by FIN or RST."""
        await self._add("reset_peer", {"timeout": after_ms})

    async def lose_replies(self) -> None:
        """What is asked arrives, and the connection ends with the first byte of the answer."""
        await self._add("limit_data", {"bytes": 1}, ways=("downstream",))

    async def down(self) -> None:
        """Every connection is closed, and new ones are refused."""
        await self._server.call(self._proxy.disable)
        await self._expect_enabled(enabled=False)

    async def up(self) -> None:
        """New connections are taken again."""
        await self._server.call(self._proxy.enable)
        await self._expect_enabled(enabled=True)

    async def heal(self) -> None:
        """Undo everything that was done to the link."""
        for name in await self.toxics():
            await self._server.call(partial(self._proxy.destroy_toxic, name))
        left = await self.toxics()
        if left:
            raise ToxiproxyFailed(f"{self.name}: these toxics did not go: {', '.join(left)}")
        await self.up()

    def accepted(self) -> int:
        """How many connections it has taken so far."""
        return self._server.count("Accepted client", self.name)

    async def toxics(self) -> Mapping[str, Mapping[str, Any]]:
        """What is done to the link now: attributes by name of the toxic, such as `latency_upstream`."""
        found = await self._server.call(self._proxy.toxics)
        return {name: toxic.attributes for name, toxic in found.items()}

    async def _add(self, kind: str, attributes: Mapping[str, int], ways: Sequence[str] = BOTH_WAYS) -> None:
        for stream in ways:
            await self._server.call(
                partial(self._proxy.add_toxic, type=kind, stream=stream, attributes=dict(attributes))
            )
        there = await self.toxics()
        for stream in ways:
            if there.get(f"{kind}_{stream}") != attributes:
                raise ToxiproxyFailed(f"{self.name}: asked for {kind} {attributes} {stream}, found {there}")

    async def _expect_enabled(self, *, enabled: bool) -> None:
        proxy = await self._server.proxy(self.name)
        if proxy.enabled is not enabled:
            raise ToxiproxyFailed(
                f"{self.name}: asked for enabled={enabled}, it is {proxy.enabled}; log {self._server.log}"
            )


class Toxiproxy:
    """One server on a free port of 127.0.0.1, until the block is left. `directory` gets its log."""

    _running: ClassVar["Toxiproxy | None"] = None

    def __init__(self, binary: Path, directory: Path) -> None:
        self._port = free_port()
        self._client = Client()
        argv = (str(binary), "-host", "127.0.0.1", "-port", str(self._port))
        # Without a level it logs every step of every connection.
        self._process = Process(Program("toxiproxy", argv, {"LOG_LEVEL": "info"}), directory)

    async def __aenter__(self) -> Self:
        if Toxiproxy._running is not None:
            raise ToxiproxyFailed("one server a process: its client keeps the address in globals")
        Toxiproxy._running = self
        self._client.update_api_consumer("127.0.0.1", self._port)
        try:
            await self._process.start()
            await until(self._answers, seconds=START_S, what="an answer of Toxiproxy")
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        try:
            await self._process.stop()
        finally:
            Toxiproxy._running = None

    @property
    def log(self) -> Path:
        """What the server says, a JSON document a line."""
        return self._process.out

    async def link(self, name: str, upstream: str, *, avoid: Container[int] = ()) -> Link:
        """Make a proxy before `upstream`, on a free port of 127.0.0.1, none of `avoid`. Raises ToxiproxyFailed."""
        # Its own choice would lie among the ports of outgoing connections, and be gone when the proxy comes up again.
        port = next(port for port in iter(free_port, None) if port not in avoid)
        listen = f"127.0.0.1:{port}"
        await self.call(lambda: self._client.create(upstream=upstream, name=name, listen=listen))
        proxy = await self.proxy(name)
        if (proxy.listen, proxy.upstream, proxy.enabled) != (listen, upstream, True):
            raise ToxiproxyFailed(f"asked for {name} {listen} → {upstream}, found {proxy.listen} → {proxy.upstream}")
        return Link(self, proxy)

    async def proxy(self, name: str) -> Proxy:
        """The proxy as the server knows it. Raises ToxiproxyFailed when it knows none."""
        proxy = await self.call(lambda: self._client.get_proxy(name))
        if proxy is None:
            raise ToxiproxyFailed(f"there is no proxy {name}; log {self.log}")
        return proxy

    def count(self, message: str, name: str) -> int:
        """How often the log holds that message about the proxy of that name."""
        entries = (json.loads(line) for line in self.log.read_text().splitlines() if message in line)
        return sum(1 for entry in entries if (entry["message"], entry["name"]) == (message, name))

    async def call(self, ask: Callable[[], T]) -> T:
        """Call the client in a thread: it blocks, and has no deadline. Raises what it raises, and TimeoutError."""
        async with asyncio.timeout(CALL_S):
            return await asyncio.to_thread(ask)

    async def _answers(self) -> bool:
        if not self._process.running:
            raise self._process.ended()
        return await self.call(self._client.running)
