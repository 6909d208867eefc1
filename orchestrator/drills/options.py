"""What `triarch drill run` can be asked for. Imports nothing heavy: the command line reads it to build its flags."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.drills.target import Fault

TARGETS = ("local", "lab", "ansible")


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """Drills one after the other on one target, `repeat` times each.

    `fps`: frames a second of each camera. `report`: directory of the reports; None: that of the run. `hold_s`: how long
    a fault lasts at least; None: what suits it. `lab`, `inventory`: for the targets of these names. `operator`: a
    person pulls the plug for `host-power-off`; the other faults are done from here with it too.
    """

    drills: tuple[Fault, ...]
    target: str = "local"
    lab: Path | None = None
    inventory: Path | None = None
    operator: bool = False
    budget: Path | None = None
    cameras: int = 4
    fps: float = 25.0
    repeat: int = 1
    report: Path | None = None
    hold_s: float | None = None
    directory: Path | None = None

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"target: {self.target!r} is none of {', '.join(TARGETS)}")
        if not self.drills:
            raise ValueError("drills: name one or more, or `all`")
        if not 1 <= self.cameras <= 64:
            raise ValueError(f"cameras: {self.cameras} is not within 1..64")
        if not 1 <= self.fps <= 240:
            raise ValueError(f"fps: {self.fps} is not within 1..240")
        if not 1 <= self.repeat <= 100:
            raise ValueError(f"repeat: {self.repeat} is not within 1..100")
        if self.hold_s is not None and not 0 <= self.hold_s <= 600:
            raise ValueError(f"hold: {self.hold_s} is not within 0..600 seconds")
        if self.target == "lab" and self.lab is None:
            raise ValueError("lab: --target lab needs the lab.json of a lab that is up")
        if self.target == "ansible" and self.inventory is None:
            raise ValueError("inventory: --target ansible needs the inventory of the hosts")
        if self.operator and (self.target != "ansible" or Fault.HOST_POWER_OFF not in self.drills):
            raise ValueError(
                f"operator: a person pulls the plug for {Fault.HOST_POWER_OFF}, with --target ansible only"
            )
