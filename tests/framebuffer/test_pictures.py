"""A camera's last picture: kept now and then beside its frames, with an age of the server's, and in nobody's way."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebuffer.cameras import camera, cameras, last_picture
from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.pictures import BYTES_MAX, HEAD_BYTES_MAX, LIFETIME_MS, Picture, PictureHead, media_type
from framebuffer.producer import FrameProducer
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from tests.support import eventually, free_port

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 40
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"w" * 20
SIZE = {"width": 640, "height": 480, "format": "jpeg"}


@pytest.fixture
def shards(streams: FrameStreams) -> ShardedStreams:
    return ShardedStreams([streams])


async def kept(shards: ShardedStreams, camera_id: str) -> Picture:
    async def found() -> Picture | None:
        return await last_picture(shards, camera_id)

    picture = await eventually(found, deadline_s=10)
    assert picture is not None
    return picture


@pytest.mark.anyio
@pytest.mark.parametrize(("image", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")])
async def test_the_last_picture_is_a_published_frame(
    shards: ShardedStreams, server: EmbeddedServer, image: bytes, kind: str
) -> None:
    async with FrameProducer("cam", server.url, policy="freshest") as producer:
        await producer.publish(image, **SIZE)
        picture = await kept(shards, "cam")
        await producer.flush()
    assert (picture.image, picture.media_type) == (image, kind)
    assert (picture.head.sequence, picture.head.frame_id, picture.head.policy) == (0, "cam-0", "freshest")
    assert picture.head.age_s is not None
    assert 0 <= picture.head.age_s < LIFETIME_MS / 1000
    seen = await camera(shards, "cam")
    assert seen is not None
    assert (seen.counters.published, seen.counters.in_flight, seen.shard) == (1, 1, 0)
    assert seen.picture is not None
    assert seen.picture.sequence == 0
    report = await verify(shards.parts[0])
    assert report.ledger_ok, report.problems


@pytest.mark.anyio
async def test_one_is_kept_in_a_while_and_the_age_grows(shards: ShardedStreams, server: EmbeddedServer) -> None:
    async with FrameProducer("cam", server.url, pictures_every_s=3600) as producer:
        await producer.publish(JPEG, **SIZE)
        first = await kept(shards, "cam")
        for _ in range(20):
            await producer.publish(PNG, **SIZE)
        await producer.flush()
    again = await kept(shards, "cam")
    assert (again.head.sequence, again.image) == (0, JPEG)
    assert again.head.age_s is not None
    assert first.head.age_s is not None
    assert again.head.age_s >= first.head.age_s


@pytest.mark.anyio
async def test_what_is_no_picture_is_not_kept(shards: ShardedStreams, server: EmbeddedServer) -> None:
    assert await camera(shards, "cam") is None
    async with FrameProducer("cam", server.url) as producer:
        for payload in (b"", b"raw pixels", b"<svg onload='x()'/>", JPEG + b"x" * BYTES_MAX):
            await producer.publish(payload, **SIZE)
        await producer.flush()
        async with FrameProducer("silent", server.url, pictures_every_s=0) as silent:
            await silent.publish(JPEG, **SIZE)
            await silent.flush()
        await producer.publish(JPEG, **SIZE)  # whatever came before it would have been kept by the time this one is
        assert (await kept(shards, "cam")).head.sequence == 4
    assert await last_picture(shards, "silent") is None
    shown, more = await cameras(shards, limit=1)
    assert ([each.id for each in shown], more) == (["cam"], True)
    shown, more = await cameras(shards, after="cam", limit=1)
    assert ([(each.id, each.picture) for each in shown], more) == ([("silent", None)], False)


@pytest.mark.anyio
async def test_a_server_that_keeps_no_pictures_still_takes_frames(
    valkey_binary: Binary, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with EmbeddedServer(tmp_path, free_port(), binary=valkey_binary) as server:
        redis = connect(server.url)
        streams = FrameStreams(redis)
        await streams.ready()
        rights = ("on", ">secret", "~*", "&*", "+@all", "-set")
        await execute(redis, "ACL", "SETUSER", "camera", *rights)
        url = server.url.replace("redis://", "redis://camera:secret@")
        async with FrameProducer("cam", url, pictures_every_s=1e-9) as producer:
            for _ in range(10):
                await producer.publish(b"\xff\xd8\xff", **SIZE)
                await producer.flush()
            await eventually(lambda: _said("its picture is not kept", caplog), deadline_s=10)
            assert producer.counters.published == 10
        assert await last_picture(ShardedStreams([streams]), "cam") is None
        assert caplog.text.count("its picture is not kept") == 1
        await streams.aclose()
        await redis.aclose()


async def _said(text: str, caplog: pytest.LogCaptureFixture) -> bool:
    await asyncio.sleep(0)
    return text in caplog.text


@pytest.mark.parametrize("every_s", [-1, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(every_s: float) -> None:
    with pytest.raises(ValueError, match="pictures_every_s"):
        FrameProducer("cam", "redis://127.0.0.1:1/0", pictures_every_s=every_s)


@given(st.integers(0, 10**15), st.from_regex(r"[!-~]{1,128}", fullmatch=True), st.binary(), st.integers(0, LIFETIME_MS))
def test_what_is_written_is_read(sequence: int, frame_id: str, rest: bytes, left_ms: int) -> None:
    head = PictureHead(sequence, frame_id, "lossless")
    assert len(head.encoded(b"")) <= HEAD_BYTES_MAX
    picture = Picture.read(head.encoded(b"\xff\xd8\xff" + rest), left_ms)
    assert picture is not None
    assert picture.image == b"\xff\xd8\xff" + rest
    assert (picture.head.sequence, picture.head.frame_id) == (sequence, frame_id)
    assert picture.head.age_s == (LIFETIME_MS - left_ms) / 1000


@given(st.binary(), st.integers())
def test_what_anybody_writes_there_is_a_picture_or_nothing(text: bytes, left_ms: int) -> None:
    picture = Picture.read(text, left_ms)
    assert picture is None or media_type(picture.image)
    head = PictureHead.read(b"7 f -\n", left_ms)
    assert head is not None
    assert (head.age_s is None) == (not 0 <= left_ms <= LIFETIME_MS)
