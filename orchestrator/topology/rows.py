"""What is replicated of the plant's topology: rows and the commands that change them. Pure.

What may stand in them is checked once, at the proposer (`orchestrator.topology.models`), and not again when they are
applied: a later, stricter rule must not change what an old log says.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from orchestrator.components import Position
from orchestrator.lifecycle import State
from orchestrator.topology.models import GroupModel, OnDependencyFailure, PolicyModel, RestartWhen, Strategy

STARTED, STOPPED = "STARTED", "STOPPED"
DESIRED = (STARTED, STOPPED)


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member that this release does not know is refused; a new one takes a new version of the snapshot."""


class Restart(_Row, frozen=True, kw_only=True):
    """As `RestartModel`, which has the meaning and the bounds."""

    when: RestartWhen = "never"
    backoff_initial_s: float = 1.0
    backoff_factor: float = 2.0
    backoff_max_s: float = 60.0
    limit: int = 5
    window_s: float = 300.0


class Maintenance(_Row, frozen=True, kw_only=True):
    """`since`: unix seconds of the proposer's clock."""

    reason: str
    by: str
    since: float


class Acknowledgement(_Row, frozen=True, kw_only=True):
    """Of one fault: the one of the registration at `position` with this `sequence` and `reason`."""

    by: str
    note: str
    time: float
    position: Position
    sequence: int | None
    reason: str


class Run(_Row, frozen=True, kw_only=True):
    """One attempt of the supervision to bring a component to `goal`. Its commands' keys hold `number`.

    `purpose`: start, restart, stop, cascade (a dependency failed) or group (restarted with another member).
    `position` and `sequence`: of the component's row when it began. `begun`, `not_before`: seconds of plant time;
    nothing is sent before. `time`: unix seconds of the proposer's clock, for display. `outcome`: empty while it goes
    on, then reached or abandoned.
    """

    number: int
    purpose: str
    goal: State
    reason: str
    position: Position
    sequence: int | None
    begun: float
    not_before: float
    time: float
    outcome: str = ""


class GroupRow(_Row, frozen=True, kw_only=True):
    """A group as every node knows it. `time`: unix seconds of its last change by the proposer's clock."""

    name: str
    title: str = ""
    components: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    revision: int
    time: float


class ControlRow(_Row, frozen=True, kw_only=True):
    """What people want of one component, and what the supervision did about it.

    `revision` belongs to what people say: policy, desired state, maintenance. `restarts`: plant time of those within
    the policy's window. `exhausted`: why it is not restarted any more; empty while it may be.
    """

    id: str
    revision: int = 0
    depends_on: tuple[str, ...] = ()
    restart: Restart = Restart()
    on_dependency_failure: OnDependencyFailure = "stop"
    desired: str = ""
    desired_by: str = ""
    maintenance: Maintenance | None = None
    acknowledged: Acknowledgement | None = None
    run: Run | None = None
    restarts: tuple[float, ...] = ()
    exhausted: str = ""


class _Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[str]


class PutGroup(_Command, frozen=True, kw_only=True):
    kind: ClassVar[str] = "group.put"
    name: str
    title: str = ""
    components: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    if_revision: int | None = None

    @classmethod
    def of(cls, name: str, group: GroupModel, *, if_revision: int | None = None) -> "PutGroup":
        return cls(name=name, if_revision=if_revision, **group.model_dump())


class DeleteGroup(_Command, frozen=True, kw_only=True):
    kind: ClassVar[str] = "group.delete"
    name: str
    if_revision: int | None = None


class SetPolicy(_Command, frozen=True, kw_only=True):
    """Its counters of restarts begin anew. A component need not be registered yet."""

    kind: ClassVar[str] = "policy.set"
    id: str
    depends_on: tuple[str, ...] = ()
    restart: Restart = Restart()
    on_dependency_failure: OnDependencyFailure = "stop"
    if_revision: int | None = None

    @classmethod
    def of(cls, component_id: str, policy: PolicyModel, *, if_revision: int | None = None) -> "SetPolicy":
        return cls(
            id=component_id,
            depends_on=policy.depends_on,
            restart=Restart(**policy.restart.model_dump()),
            on_dependency_failure=policy.on_dependency_failure,
            if_revision=if_revision,
        )


class DeletePolicy(_Command, frozen=True, kw_only=True):
    """Forget all that was said of the component."""

    kind: ClassVar[str] = "policy.delete"
    id: str
    if_revision: int | None = None


class Desire(_Command, frozen=True, kw_only=True):
    """`state`: STARTED, STOPPED, or empty for neither. `if_revision` goes with a single id."""

    kind: ClassVar[str] = "desired.set"
    ids: tuple[str, ...]
    state: str
    by: str = ""
    if_revision: int | None = None


class Maintain(_Command, frozen=True, kw_only=True):
    kind: ClassVar[str] = "maintenance.set"
    ids: tuple[str, ...]
    on: bool
    reason: str = ""
    by: str = ""
    if_revision: int | None = None


class Acknowledge(_Command, frozen=True, kw_only=True):
    """Someone has seen the fault. `retry`: and it may be restarted again, with counters that begin anew."""

    kind: ClassVar[str] = "fault.acknowledge"
    id: str
    by: str = ""
    note: str = ""
    retry: bool = False


class Begin(_Command, frozen=True, kw_only=True):
    """The leader's intent, committed before its effect. `replaces`: number of the run known so far, 0 for none.

    `at`, here and below: the leader's plant time (`orchestrator.playbooks.plant_time`), which a new leader carries on.
    """

    kind: ClassVar[str] = "supervision.begin"
    id: str
    replaces: int
    purpose: str
    goal: State
    reason: str
    position: Position
    sequence: int | None
    not_before: float
    at: float


class End(_Command, frozen=True, kw_only=True):
    """`outcome`: reached or abandoned."""

    kind: ClassVar[str] = "supervision.end"
    id: str
    number: int
    outcome: str
    at: float


class GiveUp(_Command, frozen=True, kw_only=True):
    """No restarts any more. `replaces` as in `Begin`."""

    kind: ClassVar[str] = "supervision.give_up"
    id: str
    replaces: int
    reason: str
    at: float


TopologyCommand = (
    PutGroup | DeleteGroup | SetPolicy | DeletePolicy | Desire | Maintain | Acknowledge | Begin | End | GiveUp
)
SupervisionCommand = Begin | End | GiveUp
KINDS: Mapping[str, type[TopologyCommand]] = {
    command.kind: command
    for command in (PutGroup, DeleteGroup, SetPolicy, DeletePolicy, Desire, Maintain, Acknowledge, Begin, End, GiveUp)
}
