"""Alerts of frames on a real plant: a capability that nobody offers, frames that are given up, a silent processor."""

from typing import Any

import pytest

from framebuffer.processor import FrameRejected
from framebuffer.producer import FrameProducer
from framebuffer.wire import TakenFrame
from orchestrator.dev.local import LocalPlant
from tests.chaos.insisting import insist
from tests.support import eventually
from tests.system.working import Echo, started

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(90)]

HASTY = {
    "capability-unknown": {"kind": "figure", "name": "unserved_frames", "above": 0},
    "processor-unhealthy": {"kind": "figure", "name": "unhealthy_processors", "above": 0},
}
"""Shipped rules without the time that they wait."""


class Refusing(Echo):
    """Takes no frame for good."""

    async def process_frame(self, frame: TakenFrame) -> dict[str, int]:  # noqa: ARG002
        raise FrameRejected("not a picture")


async def subjects(plant: LocalPlant, rule: str) -> list[str]:
    answer = await insist(plant, "GET", f"/v1/alerts?rule={rule}&state=firing")
    rows: list[dict[str, Any]] = answer.json()
    return [member["subject"] for row in rows for member in row["members"]]


async def test_frames_make_alerts(plant: LocalPlant) -> None:
    for name, condition in HASTY.items():
        body = {"condition": condition, "severity": "warning"}
        assert (await insist(plant, "PUT", f"/v1/alert-rules/{name}", body)).status_code == 201

    async def fires(rule: str, *wanted: str) -> bool:
        found = await subjects(plant, rule)
        assert found == list(wanted)
        return True

    # The figures have a history from before the first frame is given up.
    await plant.current_leader(5)
    async with FrameProducer("cam1", plant.topology.redis_url) as producer:
        fields: dict[str, Any] = {"width": 8, "height": 8, "format": "raw", "metadata": {"detection_type": "plates"}}
        for _ in range(5):
            await producer.publish(b"x" * 100, **fields)
        await producer.flush()
        await eventually(lambda: fires("capability-unknown", "plates"), deadline_s=20)
        refusing = Refusing("plates-1", plant.topology, "plates")
        async with started(refusing):
            await eventually(lambda: fires("capability-unknown"), deadline_s=20)
            await eventually(lambda: fires("dead-letters-growing", "-"), deadline_s=30)
    row = {"id": "silent", "capabilities": ["faces"], "capacity": 4}
    assert (await insist(plant, "POST", "/v1/processors/register", row)).status_code == 201
    await eventually(lambda: fires("processor-unhealthy", "silent"), deadline_s=40)
    assert (await insist(plant, "DELETE", "/v1/processors/silent")).status_code == 204
    await eventually(lambda: fires("processor-unhealthy"), deadline_s=10)
