"""Everything that goes wrong in this package, as one tree.

Each error has a stable `code` (what programs match on), an `exit_code` of the command line and an HTTP `status`.

    OrchestratorError            failed               1  500
    ├── ConfigurationInvalid     config_invalid       2  500   every problem at once, each with file and line
    │   └── RefusedInsecure      refused_insecure     4  500   beyond loopback without secrets
    ├── NotFound                 not_found            3  404
    │   ├── ComponentUnknown     component_unknown    3  404   not registered (any more)
    │   └── GroupUnknown         group_unknown        3  404   nobody put it, no registration names it
    ├── Refused                  refused              4  409   understood, not done, nothing changed
    │   ├── EventInvalid         event_invalid        4  422   names the field
    │   │   └── EventUnknown     unknown_event        4  422   no handler for this type
    │   ├── EventTooLarge        event_too_large      4  413
    │   ├── EventTooOld          event_too_old        4  422   its time is far from this node's clock
    │   ├── EventReused          event_reused         4  422   the id of another event of this source
    │   ├── Unauthorised         unauthorised         4  401
    │   ├── CommandRefused       command_refused      4  409   against the lifecycle's table
    │   ├── CommandFailed        command_failed       4  409   the component tried and could not
    │   ├── CommandInterrupted   command_interrupted  4  409   begun before the component restarted, not done again
    │   ├── CommandUnsupported   command_unsupported  4  422   the component has no such command of its own
    │   ├── ComponentBusy        component_busy       4  409   another command is running there
    │   ├── ComponentStopping    component_stopping   4  503   the process is going away
    │   ├── KeyReused            key_reused           4  422   an idempotency key of another command
    │   ├── MemoryFailed         memory_failed        4  409   the component cannot note what it is about to do
    │   ├── VariableInvalid      variable_invalid     4  422   its name, or a value that is no JSON data
    │   │   └── VariableTooLarge variable_too_large   4  413
    │   ├── PlaybookInvalid      playbook_invalid     4  422   every problem at once, each with line and field
    │   ├── TemplateFailed       template_failed      4  422   an expression that is wrong, or lacks a name
    │   ├── SimulationInvalid    simulation_invalid   4  422   what cannot be simulated: a plant, a failure
    │   ├── TopologyInvalid      topology_invalid     4  422   a group, a policy or a selector that cannot be
    │   │   ├── DependencyCycle  dependency_cycle     4  409   components that need one another; names them
    │   │   └── SelectorEmpty    selector_empty       4  422   it matches no component
    │   ├── BackupRefused        backup_refused       4  409   it cannot be made, or used here; nothing has changed
    │   └── StaleEpoch           stale_epoch          4  409   a newer leader has spoken
    ├── Conflict                 conflict             5  409
    │   ├── ComponentExists      component_exists     5  409   the id is held by a live component elsewhere
    │   └── ComponentSuperseded  component_superseded 5  409   a newer process has registered under this id
    ├── NoLeader                 no_leader            6  503   certainly not done; try again
    ├── OutcomeUnknown           outcome_unknown      7  504   may have been done; repeat under the same key
    ├── Unreachable              unreachable          8  502   certainly not delivered
    ├── AddressInUse             address_in_use       1  500
    ├── CertificateUnusable      certificate_unusable 2  500   a certificate, a key, an authority in a file
    ├── MemoryUnreadable     memory_unreadable    1  500   a component's memory of commands: damaged, or in use
    ├── SnapshotUnreadable       snapshot_unreadable  1  500   a newer format, or not one of ours
    ├── BackupDamaged            backup_damaged       1  500   it is not what its manifest says
    └── BackupUnequal            backup_unequal       1  500   brought back, and what is in force now differs from it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class OrchestratorError(Exception):
    """Root of the tree. `details` are further members of the problem document; they hold no secrets."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the settings: `where` is `FILE:LINE`, a variable or a flag; `field` a dotted path."""

    field: str
    message: str
    hint: str = ""
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        field = f"{self.field}: " if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{field}{self.message}{hint}"


class ConfigurationInvalid(OrchestratorError):
    """The settings cannot be used. The message has one line for each problem."""

    code = "config_invalid"
    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class RefusedInsecure(ConfigurationInvalid):
    """The node would be reachable from other hosts without the secrets that this takes; names all of them."""

    code = "refused_insecure"
    exit_code = 4


class CertificateUnusable(OrchestratorError):
    """`setting`: which of the files it is about, as the settings name them."""

    code = "certificate_unusable"
    exit_code = 2

    def __init__(self, setting: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.setting = setting
        self.hint = hint


class NotFound(OrchestratorError):
    code = "not_found"
    exit_code = 3
    status = 404


class ComponentUnknown(NotFound):
    code = "component_unknown"


class GroupUnknown(NotFound):
    code = "group_unknown"


class Refused(OrchestratorError):
    code = "refused"
    exit_code = 4
    status = 409


class EventInvalid(Refused):
    code = "event_invalid"
    status = 422


class EventUnknown(EventInvalid):
    code = "unknown_event"


class EventTooLarge(Refused):
    code = "event_too_large"
    status = 413


class EventTooOld(Refused):
    code = "event_too_old"
    status = 422


class EventReused(Refused):
    code = "event_reused"
    status = 422


class Unauthorised(Refused):
    code = "unauthorised"
    status = 401


class CommandRefused(Refused):
    code = "command_refused"


class CommandFailed(Refused):
    code = "command_failed"


class CommandInterrupted(Refused):
    code = "command_interrupted"


class CommandUnsupported(Refused):
    code = "command_unsupported"
    status = 422


class ComponentBusy(Refused):
    code = "component_busy"


class ComponentStopping(Refused):
    code = "component_stopping"
    status = 503


class KeyReused(Refused):
    code = "key_reused"
    status = 422


class MemoryFailed(Refused):
    code = "memory_failed"


class VariableInvalid(Refused):
    code = "variable_invalid"
    status = 422


class VariableTooLarge(VariableInvalid):
    code = "variable_too_large"
    status = 413


class PlaybookInvalid(Refused):
    """`details["errors"]`: a list of `{file, line, column, field, message, hint}`, in the order of the file."""

    code = "playbook_invalid"
    status = 422


class TemplateFailed(Refused):
    code = "template_failed"
    status = 422


class SimulationInvalid(Refused):
    code = "simulation_invalid"
    status = 422


class TopologyInvalid(Refused):
    code = "topology_invalid"
    status = 422


class DependencyCycle(TopologyInvalid):
    code = "dependency_cycle"
    status = 409


class SelectorEmpty(TopologyInvalid):
    code = "selector_empty"


class StaleEpoch(Refused):
    code = "stale_epoch"


class Conflict(OrchestratorError):
    code = "conflict"
    exit_code = 5
    status = 409


class ComponentExists(Conflict):
    code = "component_exists"


class ComponentSuperseded(Conflict):
    code = "component_superseded"


class NoLeader(OrchestratorError):
    code = "no_leader"
    exit_code = 6
    status = 503


class OutcomeUnknown(OrchestratorError):
    code = "outcome_unknown"
    exit_code = 7
    status = 504


class StateNotReached(OrchestratorError):
    code = "state_not_reached"
    exit_code = 7
    status = 504


class Unreachable(OrchestratorError):
    code = "unreachable"
    exit_code = 8
    status = 502


class AddressInUse(OrchestratorError):
    code = "address_in_use"


class MemoryUnreadable(OrchestratorError):
    code = "memory_unreadable"


class BackupRefused(Refused):
    code = "backup_refused"


class BackupDamaged(OrchestratorError):
    code = "backup_damaged"


class BackupUnequal(OrchestratorError):
    code = "backup_unequal"


class SnapshotUnreadable(OrchestratorError):
    code = "snapshot_unreadable"


def _tree(root: type[OrchestratorError]) -> dict[str, type[OrchestratorError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_CODE: dict[str, type[OrchestratorError]] = _tree(OrchestratorError)


def from_code(code: str, message: str, **details: Any) -> OrchestratorError:
    """The error for the code of an outcome or of a problem document; an unlisted code becomes `Refused`.

    The original code is kept in `details["code"]` when the class has another one.
    """
    kind = BY_CODE.get(code)
    if kind is None or issubclass(kind, ConfigurationInvalid):
        return Refused(message, **{**details, "code": code})
    return kind(message, **details)
