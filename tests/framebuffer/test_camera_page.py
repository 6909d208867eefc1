"""The page for those who write cameras: its examples run as they stand, on a real server."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from framebuffer.embedded import EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "cameras.md"
JPEG = b"\xff\xd8\xff\xe0 a picture"
FILMED = 8


async def pictures() -> AsyncIterator[bytes]:
    """What the page leaves to its reader."""
    for _ in range(FILMED):
        yield JPEG


async def test_the_examples_of_the_page(
    server: EmbeddedServer, streams: FrameStreams, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == PAGE.read_text("utf-8").count("```") // 2
    monkeypatch.setenv("TRIARCH_REDIS_URL", server.url)
    monkeypatch.delenv("TRIARCH_REDIS_PASSWORD", raising=False)
    names: dict[str, Any] = {"__name__": "page", "pictures": pictures}
    for number, block in enumerate(blocks):
        code = compile(block, f"{PAGE.name}, block {number}", "exec")
        await asyncio.to_thread(exec, code, names)
    out = capsys.readouterr().out
    assert "refused, and costs no sequence: width: Input should be greater than 0" in out
    assert "NORMAL" in out
    assert f"{FILMED} frames are confirmed\n0 frames are in no ledger" in out

    report = await verify(streams)
    assert report.problems == []
    frames = {name: camera.published for name, camera in report.cameras.items()}
    halls = {f"hall-{number}": FILMED for number in range(20)}
    plain = dict.fromkeys(("door", "gate", "lift", "archive", "roof"), FILMED)
    assert frames == {**halls, **plain, "lane-3": 2, "yard": FILMED + 1}
    # All are in capture, but for those with a priority of their own, and what `deadline` gave up on a busy machine.
    assert len(await streams.scan("capture", count=1000)) == report.published - 2 - report.dropped
    assert report.cameras["lift"].dropped == report.dropped
