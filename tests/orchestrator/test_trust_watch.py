"""Authorities are added and taken out while a client's context is in use; handshakes are real."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from framebuffer.errors import TrustUnusable
from framebuffer.trust import distrust, trusting
from orchestrator.trust_watch import Trust, TrustWatch, also_trusting
from tests.orchestrator.authorities import Authority, Pair
from tests.support import eventually

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def showing(pair: Pair) -> AsyncIterator[int]:
    """The port of a server that shows this certificate, and closes each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _trusted(port: int, client: ssl.SSLContext) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


async def _refused(port: int, client: ssl.SSLContext) -> bool:
    return not await _trusted(port, client)


async def test_an_authority_is_exchanged_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.file_watch.LOOK_S", 0.05)
    caplog.set_level(logging.INFO, "orchestrator.trust_watch")
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    file = tmp_path / "trusted.pem"
    file.write_bytes(old.file.read_bytes())
    client = Trust(lambda: trusting(file))
    watch = TrustWatch(file, [client])
    async with showing(old.sign("before")) as before, showing(new.sign("after")) as after:
        assert (await _trusted(before, client), await _trusted(after, client)) == (True, False)
        running = asyncio.create_task(watch.run())
        try:
            file.write_bytes(old.file.read_bytes() + new.file.read_bytes())
            await eventually(lambda: _trusted(after, client), deadline_s=20)
            assert await _trusted(before, client)

            file.write_text("no certificate")
            watch.ask()
            await eventually(lambda: "holds no certificate in PEM; who was trusted before still is" in caplog.text)
            assert (await _trusted(before, client), await _trusted(after, client)) == (True, True)

            file.unlink()
            watch.ask()
            await eventually(lambda: "cannot be read: No such file or directory" in caplog.text)
            assert (await _trusted(before, client), await _trusted(after, client)) == (True, True)

            file.write_bytes(new.file.read_bytes())
            watch.ask()
            await eventually(lambda: _refused(before, client), deadline_s=20)
            assert await _trusted(after, client)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_was_put_off_is_made_by_the_first_handshake_and_only_once(tmp_path: Path) -> None:
    one = Authority(tmp_path, "one")
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(trusting(one.file))
        return made[-1]

    client = Trust(make, put_off=True)
    assert made == []
    async with showing(one.sign("server")) as port:
        assert await _trusted(port, client)
        assert await _trusted(port, client)
    assert made == [client.load()]
    assert [also_trusting(None)._made, also_trusting(one.file)._made is None] == [None, False]


async def test_a_client_of_the_node_trusts_no_more_who_was_taken_out(tmp_path: Path) -> None:
    """By httpx, whose handshakes begin in another way than those of asyncio."""
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    file = tmp_path / "trusted.pem"
    file.write_bytes(old.file.read_bytes())
    client = also_trusting(file)
    async with showing(old.sign("before")) as before, httpx.AsyncClient(verify=client, trust_env=False) as http:

        async def refused() -> str:
            with pytest.raises(httpx.TransportError) as caught:  # it answers nothing, whoever asks
                await http.get(f"https://127.0.0.1:{before}/")
            return distrust(caught.value)

        assert await refused() == ""
        file.write_bytes(new.file.read_bytes())
        client.renew()
        assert "its certificate is not accepted" in await refused()
        file.write_text("no certificate")
        with pytest.raises(TrustUnusable):
            client.renew()
        assert "its certificate is not accepted" in await refused()
