"""What a waiting frame costs the server: memory and append-only file, beyond its payload.

    .venv/bin/python -m benchmarks.frame_memory

A real server, one camera, frames that nobody takes. Prints a line for each size of payload; inline up to 4,096 bytes,
by reference above.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.gateway import FrameGateway
from framebuffer.producer import FrameProducer
from orchestrator.dev.ports import free_ports

FRAMES = 5_000
SIZES = (0, 1_000, 4_096, 20_000, 100_000)
NO_REWRITE = ("auto-aof-rewrite-percentage 0",)


async def _used(url: str) -> tuple[int, int]:
    """Bytes of data in memory, bytes of the append-only file."""
    client = connect(url)
    try:
        memory: dict[str, Any] = await execute(client, "INFO", "memory")
        files: dict[str, Any] = await execute(client, "INFO", "persistence")
    finally:
        await client.aclose()
    return int(memory["used_memory_dataset"]), int(files["aof_current_size"])


async def _measure(size: int) -> tuple[float, float]:
    """Bytes in memory and in the file a frame, its payload included."""
    frames = FRAMES if size < 50_000 else FRAMES // 5
    with tempfile.TemporaryDirectory() as directory:
        async with (
            EmbeddedServer(Path(directory), free_ports(1)[0], options=NO_REWRITE) as server,
            FrameGateway(server.url) as gateway,
            FrameProducer("door", gateway, pictures_every_s=0) as camera,
        ):
            await _publish(camera, 200, size)  # what is there once, whatever flows
            memory, file = await _used(server.url)
            await _publish(camera, frames, size)
            more_memory, more_file = await _used(server.url)
    return (more_memory - memory) / frames, (more_file - file) / frames


async def _publish(camera: FrameProducer, number: int, size: int) -> None:
    for _ in range(number):
        await camera.publish(bytes(size), width=640, height=480, format="jpeg", metadata={"detection_type": "motion"})
    await camera.flush()


async def main() -> int:
    """Prints the table."""
    sys.stdout.write("payload     memory a frame  file a frame   (bytes; beyond the payload)\n")
    for size in SIZES:
        memory, file = await _measure(size)
        sys.stdout.write(
            f"{size:>7,}  {memory:>10,.0f} ({memory - size:+,.0f})  {file:>10,.0f} ({file - size:+,.0f})\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
