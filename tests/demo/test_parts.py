"""What the demo asks of a plant: the answer when a part is missing, has died, or nobody can say."""

import sys
from pathlib import Path

import pytest

from orchestrator.demo import parts
from orchestrator.demo.drill import counters
from orchestrator.dev.errors import NotReached, PlantError, ProcessDied
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Processes, Program
from orchestrator.dev.topology import on_free_ports

pytestmark = pytest.mark.anyio


def python(name: str, code: str) -> Program:
    return Program(name, (sys.executable, "-c", code))


async def test_a_part_that_is_missing_is_told_from_one_that_has_died(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as plant:
        await plant.wait_ready()
        assert await parts.state_of(plant, "belt") == "UNKNOWN"
        with pytest.raises(PlantError, match="belt CMD_START: 404"):
            await parts.command(plant, "belt", "CMD_START", "STARTED")
        assert await parts.stop_components(plant, ["belt", "crane"]) == {"belt": "UNKNOWN", "crane": "UNKNOWN"}
        with pytest.raises(NotReached, match="/v1/components with belt"):
            await parts.online_components(plant, ["belt"], seconds=0.2)
        (eye,) = await plant.processes.start(python("eye", "raise SystemExit('no light')"))
        await eye.wait(10)
        with pytest.raises(ProcessDied, match="no light"):
            await parts.healthy_processors(plant, ["eye"], seconds=5)
        for node in plant.topology.nodes:
            await plant.kill(node.id)
        assert await parts.rows(plant, "/v1/processors") == []
        assert await parts.state_of(plant, "belt") == "UNKNOWN"


@pytest.mark.parametrize(
    ("printed", "published"),
    [
        ('print("starts"); print(\'{"camera_id": "cam1", "published": 7}\')', 7),
        ("pass", 0),
        ('print("half a l")', 0),
        ("print([7])", 0),
    ],
)
async def test_a_camera_counts_as_far_as_it_said(tmp_path: Path, printed: str, published: int) -> None:
    async with Processes(tmp_path) as processes:
        (camera,) = await processes.start(python("cam1", printed))
        await camera.wait(10)
        assert counters(camera) == {"camera_id": "cam1", "published": published}
