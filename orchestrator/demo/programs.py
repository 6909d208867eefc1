"""Which processes a plant of the demo has beside its nodes. Pure."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.dev.processes import Program
from orchestrator.dev.topology import Topology

PROCESSORS: tuple[tuple[str, str], ...] = (("faces-1", "faces"), ("people-1", "people"), ("motion-1", "motion"))
COMPONENTS: tuple[tuple[str, str], ...] = (("conveyor", "transport"), ("lights", "lighting"), ("arm", "handling"))


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What one camera is to do. `frames=0`: until it is stopped."""

    camera_id: str
    video: Path
    fps: float
    frames: int
    offset: int


def camera_plans(count: int, video: Path, fps: float, frames: int) -> list[CameraPlan]:
    """Plans of cam1…camN; their offsets spread what they ask for."""
    return [
        CameraPlan(camera_id=f"cam{number}", video=video, fps=fps, frames=frames, offset=number)
        for number in range(1, count + 1)
    ]


def camera(topology: Topology, plan: CameraPlan) -> Program:
    """The process of one camera."""
    arguments = ["--camera", plan.camera_id, "--redis", topology.redis_url, "--video", str(plan.video)]
    arguments += ["--fps", str(plan.fps), "--frames", str(plan.frames), "--offset", str(plan.offset)]
    return _program(plan.camera_id, "orchestrator.demo.camera", arguments)


def processors(topology: Topology) -> list[Program]:
    """One process for each kind of detection."""
    return [
        _program(
            processor_id,
            "orchestrator.demo.processor",
            ["--id", processor_id, "--kind", kind, "--redis", topology.redis_url, *_orchestrators(topology)],
        )
        for processor_id, kind in PROCESSORS
    ]


def components(topology: Topology) -> list[Program]:
    """The demo components, each on a free port of its own choice."""
    return [
        _program(
            component_id,
            "orchestrator.demo.component",
            ["--id", component_id, "--group", group, *_orchestrators(topology)],
        )
        for component_id, group in COMPONENTS
    ]


def _orchestrators(topology: Topology) -> list[str]:
    return [part for api in topology.apis for part in ("--orchestrator", api)]


def _program(name: str, module: str, arguments: Sequence[str]) -> Program:
    return Program(name, (sys.executable, "-m", module, *arguments))
