"""What a drill needs of a plant: where it is, faults that prove themselves, and their healing.

    async with open_target(options) as target:          # ready, one leader, Redis replicating
        target.check(fault)                             # before anything is started: FaultNotPossible
        evidence = await target.inject(fault)           # the fault lasts from now on, and is proven
        ...                                             # the drill waits, polls, measures
        await target.heal()                             # all of it undone
        await target.settled(60.0)                      # as at the beginning

Times are the controller's monotonic clock (`time.monotonic`); clocks of hosts are never compared.

    OrchestratorError          (orchestrator.errors)
    └── DrillError             drill_failed        2   a drill could not be run
        ├── FaultNotPossible   fault_not_possible  2   this target cannot do this fault; nothing was changed
        ├── FaultUnproven      fault_unproven      1   it was done, and nothing shows that it happened
        └── TargetUnusable     target_unusable     2   not there, not ready, or its settings are wrong
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self

from orchestrator.errors import OrchestratorError

__all__ = [
    "DrillError",
    "Evidence",
    "Fault",
    "FaultNotPossible",
    "FaultUnproven",
    "HostPlace",
    "PlantPlace",
    "Target",
    "TargetOptions",
    "TargetUnusable",
]


class Fault(StrEnum):
    """What can be done to a plant. "The leader" and "the primary" are those of the moment when it is done."""

    LEADER_KILL = "leader-kill"
    LEADER_PAUSE = "leader-pause"
    LEADER_ISOLATED = "leader-isolated"
    ONE_WAY_CUT = "one-way-cut"
    PRIMARY_KILL = "primary-kill"
    PRIMARY_ISOLATED = "primary-isolated"
    HOST_POWER_OFF = "host-power-off"
    DISK_FULL = "disk-full"
    CLOCK_JUMP = "clock-jump"
    ROLLING_RESTART = "rolling-restart"
    QUORUM_LOSS = "quorum-loss"


class DrillError(OrchestratorError):
    """Root of this part of the tree."""

    code: ClassVar[str] = "drill_failed"
    exit_code: ClassVar[int] = 2


class FaultNotPossible(DrillError):
    """This target cannot do this fault. Nothing was changed. The message says why, and which target can."""

    code = "fault_not_possible"

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(f"{fault}: {reason}", fault=str(fault))


class FaultUnproven(DrillError):
    """The fault was done, and nothing shows that it happened: what was measured says nothing."""

    code = "fault_unproven"
    exit_code = 1

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(f"{fault} is not proven: {reason}", fault=str(fault))


class TargetUnusable(DrillError):
    """The plant is not there, is not ready, or what was said about it is wrong."""

    code = "target_unusable"


@dataclass(frozen=True, slots=True)
class HostPlace:
    """One host. `id`: its node's. `api`: base URL of its node. `redis`: `host:port` of its Redis, "" for none."""

    id: str
    api: str
    redis: str = ""


@dataclass(frozen=True, slots=True)
class PlantPlace:
    """How cameras, processors and a component on the controller reach the plant.

    `redis_url`: as `framebuffer.connect` takes it (redis://, redis+sentinel://…), without passwords. `durability`: as
    the plant's `redis.durability`. `controller`: address at which the hosts reach the controller. `token_file`: the
    API's token, readable by whoever runs the drill. `ca`: authority of the APIs' certificates.
    """

    apis: tuple[str, ...]
    redis_url: str
    redis_password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    durability: str = "0"
    controller: str = "127.0.0.1"
    token_file: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a fault happened.

    `victim`: the host (or `n1,n2`). `at`: `time.monotonic()` of the controller, taken just before the fault was done,
    so that nothing that is measured from it is too short. `how`: in words ("SIGKILL of pid 4711"). `proof`: what shows
    it, by name (`{"exit_status": -9}`, `{"packets_dropped": 312}`); without any the drill is `unproven`.
    `takes_primary`: of a host that ends, whether the Redis primary ran on it; it is judged by other figures then.
    """

    fault: Fault
    victim: str
    at: float
    how: str
    proof: Mapping[str, str | int | float]
    takes_primary: bool = False


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What the command line was told of the target. `directory`: for logs and data of the run, made and empty;
    `faults`: what will be asked for, () for anything.
    """

    directory: Path
    faults: tuple[Fault, ...] = ()
    lab: Path | None = None
    inventory: Path | None = None
    operator: bool = False


class Target(Protocol):
    """A plant with a way to harm it. Entering the block makes it ready: TargetUnusable. Leaving it heals it first."""

    @property
    def name(self) -> str:
        """As `--target` calls it."""

    def hosts(self) -> tuple[HostPlace, ...]:
        """The hosts, three of them, in the order of their ids."""

    def plant(self) -> PlantPlace:
        """How to reach it."""

    def check(self, fault: Fault) -> None:
        """Whether `inject` could do it, without doing anything. FaultNotPossible."""

    async def inject(self, fault: Fault) -> Evidence:
        """Do it; returns when it is proven, and it lasts until `heal`. FaultNotPossible, FaultUnproven.

        `rolling-restart` restarts each host in turn and returns when the last one is ready again. `quorum-loss` takes
        two of three away. `leader-kill`: nothing starts the node again before `heal`, unless the plant does by itself.
        """

    async def heal(self) -> None:
        """Undo all that was done, also half of a fault; without one it does nothing.

        FaultUnproven, when all is undone: only now it is seen that the fault did not happen.
        """

    async def settled(self, deadline_s: float) -> None:
        """Wait until every node is ready, one leads and Redis has its replicas. NotReached (dev.errors)."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
