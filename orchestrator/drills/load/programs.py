"""Which processes a plant works for while it is drilled. Pure."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.dev.processes import Program
from orchestrator.drills.runs import COMPONENT
from orchestrator.drills.target import PlantPlace

CAPABILITY = "drill"
PROCESSORS = ("drill-processor-1", "drill-processor-2")
CAMERA_PROGRAMS = 2
"""The cameras share this many processes, each a gateway: an interpreter a camera would cost more than the camera."""
PAYLOAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Where the load of one drill keeps its files, and who it is. Names are the same in each drill: the ledger knows a
    camera for ever, and grows by what is new only.
    """

    directory: Path
    cameras: int
    fps: float
    token: str | None

    @property
    def camera_ids(self) -> tuple[str, ...]:
        """drill-camera-1 and so on."""
        return tuple(f"drill-camera-{number}" for number in range(1, self.cameras + 1))

    @property
    def effects(self) -> Path:
        """What the component did."""
        return self.directory / "effects"

    def published(self) -> list[Path]:
        """When frames were confirmed, a file a camera program."""
        return [self.directory / f"{name}.beats" for name in self._groups()]

    def arrived(self) -> list[Path]:
        """When frames reached a processor, a file each."""
        return [self.directory / f"{name}.beats" for name in PROCESSORS]

    def _groups(self) -> dict[str, list[str]]:
        every = self.camera_ids
        count = min(CAMERA_PROGRAMS, len(every))
        return {f"drill-cameras-{number + 1}": list(every[number::count]) for number in range(count)}

    def environment(self, plant: PlantPlace) -> Mapping[str, str]:
        """Secrets go by the environment: arguments are seen by everybody."""
        url = plant.redis_url
        if plant.sentinel_password is not None:
            url += f"{'&' if '?' in url else '?'}sentinel_password={quote(plant.sentinel_password, safe='')}"
        return {
            "TRIARCH_REDIS_URL": url,
            "TRIARCH_REDIS_PASSWORD": plant.redis_password or "",
            "TRIARCH_TOKEN": self.token or "",
            "TRIARCH_CA_FILE": "" if plant.ca is None else str(plant.ca),
        }

    def camera_programs(self, plant: PlantPlace) -> list[Program]:
        """The cameras."""
        return [
            self._program(
                name,
                "camera",
                [
                    *("--rate", str(self.fps), "--durability", plant.durability, "--capabilities", CAPABILITY),
                    *("--payload-bytes", str(PAYLOAD_BYTES), "--beats", str(self.directory / f"{name}.beats")),
                    *(part for camera in cameras for part in ("--camera", camera)),
                ],
                plant,
            )
            for name, cameras in self._groups().items()
        ]

    def others(self, plant: PlantPlace) -> list[Program]:
        """Processors and the component."""
        where = [part for api in plant.apis for part in ("--orchestrator", api)]
        processors = [
            self._program(
                name,
                "processor",
                [*("--id", name, "--capability", CAPABILITY, "--beats", str(beats)), *where],
                plant,
            )
            for name, beats in zip(PROCESSORS, self.arrived(), strict=True)
        ]
        component = ["--id", COMPONENT, "--host", plant.controller, "--log", str(self.effects), *where]
        return [*processors, self._program(COMPONENT, "component", component, plant)]

    def _program(self, name: str, module: str, arguments: Sequence[str], plant: PlantPlace) -> Program:
        argv = (sys.executable, "-m", f"orchestrator.drills.load.{module}", *arguments)
        return Program(name, argv, env=self.environment(plant))
