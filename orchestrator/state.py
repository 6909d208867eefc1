"""The replicated state of the plant: what all nodes agree on. Pure; the cluster applies each command to it in order."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from cluster.commands import Command, Epoch, Event, Outcome, Position
from framebuffer import registry as processors
from orchestrator.access.limits import KINDS as LIMITS_KINDS
from orchestrator.access.limits import LimitsPolicy
from orchestrator.access.tokens import KINDS as TOKEN_KINDS
from orchestrator.access.tokens import TokenRegistry
from orchestrator.audit.chain import AuditChain, Note
from orchestrator.audit.entering import entered, restored
from orchestrator.components import BODIES as COMPONENT_BODIES
from orchestrator.components import ComponentRegistry, Declare, SelfReport
from orchestrator.errors import SnapshotUnreadable
from orchestrator.leaderships import Leaderships, Noted
from orchestrator.monitoring.alert_commands import KINDS as ALERT_KINDS
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.playbooks.registry import KINDS as EXECUTION_KINDS
from orchestrator.playbooks.registry import ExecutionRegistry
from orchestrator.topology.registry import TopologyRegistry
from orchestrator.topology.rows import KINDS as TOPOLOGY_KINDS
from orchestrator.variables import KINDS as VARIABLE_KINDS
from orchestrator.variables import VariableRegistry

FORMAT = 4
"""Of snapshots. A newer one is refused: this code would lose what it does not know.

Format 1 has no variables; format 3 may have more parts, each where it was ever used; format 4 says the level that the
state uses. The oldest that holds everything is written, so that a node of the release before can take a snapshot from a
newer one.
"""

VERSION = 1
"""Of command bodies that this code understands."""


LEVELS: dict[tuple[str, int], int] = {
    (processors.DRAIN, 1): 2,
    **{(kind, 1): 3 for kind in (*EXECUTION_KINDS, *ALERT_KINDS, *TOPOLOGY_KINDS, *TOKEN_KINDS, *LIMITS_KINDS)},
    (Declare.kind, Declare.version): 3,
    (SelfReport.kind, 1): 3,
    (Note.kind, 1): 3,
    (Noted.kind, 1): 3,
}
"""(kind, version) → the level from which on it is known; what does not stand here is known from level 1 on.

A kind, or a version of one, that a release adds gets the next level here: it is refused as `kind_unsupported` until
every member runs that release, because one that does not know it could not apply it. 0.1.0 has level 3
(deploy/releases.yml): what is new since then has level 4.
"""

FIRST_RELEASED = 3
"""The level of the first release: a state that uses no more than that is read by every release."""


AUDIT_LEVEL = LEVELS[Note.kind, 1]
"""From which on a node enters commands with an actor."""


class _Part(Protocol):
    @property
    def untouched(self) -> bool: ...

    def snapshot(self) -> dict[str, Any]: ...


class Replaced(msgspec.Struct, frozen=True):
    """What `replace` left: at which index of the log, and the digest of the state right after it."""

    index: int
    digest: str


class PlantState:
    """A `cluster.StateMachine` over the registries: components, processors, variables, executions, alerts, topology,
    access (tokens), limits.

    Outcome codes of its own: `unknown_command` (a kind or a version that this release does not know) and
    `invalid_command`; the others are the registries'.
    """

    level: int = max(LEVELS.values(), default=1)
    """Of this release: it grows with `LEVELS`."""

    def __init__(self) -> None:
        self.applied = 0
        """The index of the newest command here, 0 until there is one; not of the state itself."""
        self.components = ComponentRegistry()
        self.processors = processors.ProcessorRegistry()
        self.variables = VariableRegistry()
        self.executions = ExecutionRegistry(self.variables)
        self.alerts = AlertRegistry()
        self.topology = TopologyRegistry()
        self.access = TokenRegistry()
        self.limits = LimitsPolicy()
        self.audit = AuditChain()
        self.leaderships = Leaderships()
        self.uses = FIRST_RELEASED
        """The highest level of any command in it: a release of a lower one cannot read this state."""
        self.replaced: Replaced | None = None
        """By the last restore from a backup that was applied here; of this node, not of the state."""
        self._exchanges = 0
        """Odd while all rows are being exchanged for another state's: those that are there are of two, then."""

    def level_of(self, kind: str, version: int) -> int:
        """From which level on a command is known. See `cluster.Levelled`.

        A note is never held back once anything was entered: every member knew the audit then.
        """
        if kind == Note.kind and not self.audit.untouched:
            return 1
        return LEVELS.get((kind, version), 1)

    def led(self, node_id: str, epoch: Epoch) -> None:  # noqa: ARG002
        """See `cluster.Led`."""
        self.audit.epoch = str(epoch)

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """Apply one command. Refusals are outcomes with a code; nothing that a command holds makes this raise.

        Who asked for a change, and what it changed, is entered in the audit.
        """
        if command.actor is None:
            return self._applied(command, position)
        return entered(self, command, position, self._applied)

    def _applied(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        place = (position.term, position.index)
        self.applied = position.index
        self.uses = max(self.uses, LEVELS.get((command.kind, command.version), 1))
        if (command.kind, command.version) in COMPONENT_BODIES:
            result, events = self.components.apply(
                command.kind, command.body, time=command.time, position=place, version=command.version
            )
            return Outcome(result.value, result.code, result.message), [Event(*event) for event in events]
        if command.version == VERSION:
            if command.kind in processors.KINDS:
                answer, news = processors.apply(
                    self.processors, command.kind, command.body, time=command.time, position=place
                )
                return Outcome(answer.value, answer.code, answer.message), [Event(*event) for event in news]
            if command.kind in VARIABLE_KINDS:
                told, changes = self.variables.apply(command.kind, command.body, time=command.time, position=place)
                return Outcome(told.value, told.code, told.message), [Event(*change) for change in changes]
            if command.kind in EXECUTION_KINDS:
                said, made = self.executions.apply(command.kind, command.body, time=command.time, position=place)
                return Outcome(said.value, said.code, said.message), [Event(*change) for change in made]
            if command.kind in ALERT_KINDS:
                noted, alarms = self.alerts.apply(command.kind, command.body, time=command.time, position=place)
                return Outcome(noted.value, noted.code, noted.message), [Event(*alarm) for alarm in alarms]
            if command.kind in TOPOLOGY_KINDS:
                ordered, moves = self.topology.apply(
                    command.kind,
                    command.body,
                    time=command.time,
                    position=place,
                    components=self.components.rows,
                )
                return Outcome(ordered.value, ordered.code, ordered.message), [Event(*move) for move in moves]
            if command.kind in TOKEN_KINDS:
                granted, grants = self.access.apply(command.kind, command.body)
                return Outcome(granted.value, granted.code, granted.message), [Event(*grant) for grant in grants]
            if command.kind in LIMITS_KINDS:
                bounded, bounds = self.limits.apply(command.kind, command.body, position=place)
                return Outcome(bounded.value, bounded.code, bounded.message), [Event(*each) for each in bounds]
            if command.kind == Noted.kind:
                ours, led = self.leaderships.apply(command.body, time=command.time)
                return Outcome(ours.value, ours.code, ours.message), [Event(*each) for each in led]
        message = f"{command.kind} version {command.version} is not known to this release"
        return Outcome(code="unknown_command", message=message), ()

    def still(self) -> "PlantState":
        """Components and topology as they are now, which no later change alters. It costs nothing: rows are shared."""
        copy = PlantState()
        copy.components.rows = self.components.rows
        copy.topology.adopt(self.topology)
        return copy

    def glance(self) -> "PlantState | None":
        """As `still`, from any thread. None where something was replaced meanwhile: of two moments it could be."""
        exchanges = self._exchanges
        before = (self.components.rows, self.topology.groups, self.topology.controls)
        copy = self.still()
        now = (self.components.rows, self.topology.groups, self.topology.controls)
        still = exchanges % 2 == 0 and exchanges == self._exchanges
        return copy if still and all(a is b for a, b in zip(before, now, strict=True)) else None

    def whole(self) -> "PlantState":
        """All as it is now, to be read: what is shared is replaced on change. Nothing may be applied to it."""
        copy = self.still()
        copy.applied = self.applied
        copy.processors.rows = self.processors.rows
        copy.variables.rows = self.variables.rows
        copy.executions.adopt(self.executions)
        copy.alerts.adopt(self.alerts)
        copy.access.adopt(self.access)
        copy.audit.adopt(self.audit)
        copy.leaderships.rows = self.leaderships.rows
        copy.uses = self.uses
        return copy

    def snapshot(self) -> bytes:
        """The whole state as MessagePack. Equal states give equal bytes."""
        tree: dict[str, Any] = {
            "format": 1,
            "components": self.components.snapshot(),
            "processors": self.processors.snapshot(),
        }
        if not self.variables.untouched:
            tree |= {"format": 2, "variables": self.variables.snapshot()}
        newer: Mapping[str, _Part] = {
            "executions": self.executions,
            "alerts": self.alerts,
            "topology": self.topology,
            "access": self.access,
            "limits": self.limits,
            "audit": self.audit,
            "leaderships": self.leaderships,
        }
        used = {name: part.snapshot() for name, part in newer.items() if not part.untouched}
        if used:
            tree |= {"format": 3, "variables": self.variables.snapshot(), **used}
        if self.uses > FIRST_RELEASED:
            tree |= {"format": FORMAT, "variables": self.variables.snapshot(), "level": self.uses}
        return msgspec.msgpack.encode(tree)

    def digest(self) -> str:
        """SHA-256, in hex, of all that a restore from a backup brings back: everything but the audit and who led.

        Equal states give equal digests, on every node and in every release that knows their parts.
        """
        parts: Mapping[str, _Part] = {
            "variables": self.variables,
            "executions": self.executions,
            "alerts": self.alerts,
            "topology": self.topology,
            "access": self.access,
            "limits": self.limits,
        }
        tree = {
            "components": self.components.snapshot(),
            "processors": self.processors.snapshot(),
            **{name: part.snapshot() for name, part in parts.items() if not part.untouched},
        }
        return hashlib.sha256(msgspec.msgpack.encode(tree, order="deterministic")).hexdigest()

    def replace(self, data: bytes, command: Command, position: Position, index: int) -> Sequence[Event]:
        """As `restore`, from a backup: the audit is not part of what comes back, but goes on with an entry of it. Who
        led is a fact of this cluster, too, and a token that was revoked since stays so.

        See `cluster.Replaceable`.
        """
        other = _read(data)
        led = self.leaderships.rows  # what has happened here has happened
        other.access.keep(self.access)
        self._adopt(other)
        self.leaderships.rows = led
        self.uses = max(self.uses, other.uses)  # the log still holds what needed this one's
        self.replaced = Replaced(position.index, self.digest())
        if command.actor is None and self.audit.untouched:
            return ()
        return restored(self.audit, command, position, index=index, data=data, backup=other.audit.head())

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` returned. Errors: SnapshotUnreadable, and then nothing has changed."""
        other = _read(data)
        self._adopt(other)
        self.audit.adopt(other.audit)
        self.uses = other.uses

    def _adopt(self, other: "PlantState") -> None:
        """All but the audit. The rows are exchanged, not the registries: others hold on to those."""
        self._exchanges += 1
        self.components.rows = other.components.rows
        self.processors.rows = other.processors.rows
        self.variables.adopt(other.variables)
        self.executions.adopt(other.executions)
        self.alerts.adopt(other.alerts)
        self.topology.adopt(other.topology)
        self.access.adopt(other.access)
        self.limits.adopt(other.limits)
        self.leaderships.rows = other.leaderships.rows
        self._exchanges += 1


def _read(data: bytes) -> PlantState:
    """What a snapshot holds. Errors: SnapshotUnreadable."""
    state = PlantState()
    try:
        tree: Any = msgspec.msgpack.decode(data)
        found = tree.get("format") if isinstance(tree, dict) else type(tree).__name__
        if found not in range(1, FORMAT + 1):
            raise SnapshotUnreadable(f"the plant's state has format {found!r}, this release knows 1 to {FORMAT}")
        state.components.restore(tree["components"])
        state.processors.restore(tree["processors"])
        if found != 1:
            state.variables.restore(tree["variables"])
        if "executions" in tree:
            state.executions.restore(tree["executions"])
        if "alerts" in tree:
            state.alerts.restore(tree["alerts"])
        if "topology" in tree:
            state.topology.restore(tree["topology"])
        if "access" in tree:
            state.access.restore(tree["access"])
        if "limits" in tree:
            state.limits.restore(tree["limits"])
        if "leaderships" in tree:
            state.leaderships.restore(tree["leaderships"])
        if "audit" in tree:
            state.audit.restore(tree["audit"])
        if found == FORMAT:
            state.uses = msgspec.convert(tree["level"], int)
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SnapshotUnreadable(f"the plant's state cannot be read: {error}") from error
    return state
