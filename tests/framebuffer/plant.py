"""Frames on a real server, as the tests of the processor and of the dispatcher need them."""

import json
from typing import Any

from framebuffer.models import ProcessorRegistration, TraceContext
from framebuffer.registry import ProcessorRegistry, Register, apply
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, OutgoingFrame, RoutingRow, RoutingTable

EPOCH = (3, 7)
NODE = "n1"


def table(*rows: tuple[str, int, tuple[str, ...]]) -> RoutingTable:
    return RoutingTable(rows=tuple(RoutingRow(name, capabilities, capacity) for name, capacity, capabilities in rows))


def register(registry: ProcessorRegistry, processor_id: str, *capabilities: str, capacity: int = 100) -> None:
    registration = ProcessorRegistration(id=processor_id, capabilities=capabilities or ("face",), capacity=capacity)
    result, _ = apply(registry, Register.kind, Register.of(registration, token=processor_id))
    assert result.ok


class Plant:
    """Cameras, the leader's calls, and what came of the frames."""

    def __init__(self, streams: FrameStreams) -> None:
        self.streams = streams
        self.redis = streams.redis
        self._sessions: dict[str, CameraSession] = {}
        self._next: dict[str, int] = {}
        self.traces: dict[str, TraceContext] = {}

    async def publish(
        self, count: int, *, camera: str = "cam1", capability: str = "face", payload: bytes = b"jpeg", priority: int = 0
    ) -> list[str]:
        """The frame ids."""
        if camera not in self._sessions:
            self._sessions[camera] = await self.streams.open_camera(camera)
            self._next[camera] = 0
        frames = []
        for _ in range(count):
            sequence = self._next[camera]
            self._next[camera] += 1
            frame_id = f"{camera}-{sequence}"
            self.traces[frame_id] = TraceContext.new()
            frames.append(
                OutgoingFrame(
                    frame_id=frame_id,
                    sequence=sequence,
                    event=b"{}",
                    payload=payload,
                    capability=capability,
                    priority=priority,
                    traceparent=self.traces[frame_id].format(),
                )
            )
        statuses = await self.streams.publish(self._sessions[camera], frames)
        assert statuses == ["ok"] * count
        return [frame.frame_id for frame in frames]

    async def give(self, processor_id: str, count: int, **options: Any) -> list[str]:
        """Publish frames and dispatch them to one processor; the frame ids."""
        frame_ids = await self.publish(count, **options)
        to_one = table((processor_id, 1_000_000, (options.get("capability", "face"),)))
        await self.streams.fence(EPOCH, NODE)
        while (await self.streams.dispatch(EPOCH, NODE, to_one, limit=256)).more:
            pass
        return frame_ids

    async def entries(self, stream: str) -> list[tuple[str, dict[str, bytes]]]:
        """(entry id, fields) of a whole stream."""
        reply: Any = await self.redis.xrange(stream)
        return [(entry.decode(), {name.decode(): value for name, value in fields.items()}) for entry, fields in reply]

    async def results(self) -> list[dict[str, Any]]:
        """Every published result, in order."""
        return [json.loads(fields["result"]) for _, fields in await self.entries(self.streams.keys.results)]

    async def dead(self) -> list[tuple[str, str]]:
        """(frame id, reason) of every frame that was given up."""
        return [(frame.frame_id, frame.reason) for frame in await self.streams.dead_list()]

    async def ledger(self, camera: str = "cam1") -> dict[str, int]:
        counters = (await self.streams.stats()).cameras[camera]
        return {
            "published": counters.published,
            "settled": counters.settled,
            "dead": counters.dead,
            "in_flight": counters.in_flight,
        }

    async def function_calls(self) -> int:
        """FCALLs since the server started."""
        info = await self.redis.info("commandstats")
        return int(info.get("cmdstat_fcall", {}).get("calls", 0))
