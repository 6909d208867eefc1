"""What the engine sees of the plant while it decides: plain values, made by the driver or by the simulator. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.lifecycle import State
from orchestrator.playbooks.models import Playbook


@dataclass(frozen=True, slots=True)
class ComponentFacts:
    """One component. `health`: OK, DEGRADED or UNRESPONSIVE. `metrics`: its newest."""

    id: str
    state: State
    online: bool = True
    health: str = "OK"
    maintenance: bool = False
    groups: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """As expressions see it."""
        return {
            "id": self.id,
            "state": str(self.state),
            "online": self.online,
            "health": self.health,
            "maintenance": self.maintenance,
            "groups": list(self.groups),
            "metrics": dict(self.metrics),
        }


@dataclass(frozen=True, slots=True)
class ExecutionFacts:
    """Another execution: its status, and why it failed."""

    status: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class KnownPlaybook:
    """The newest version of a playbook."""

    version: int
    playbook: Playbook


class Templates(Protocol):
    """How templates are read: `orchestrator.playbooks.templates`. TemplateFailed for what cannot be."""

    def render(self, value: Any, context: Mapping[str, Any]) -> Any:
        """`value` with every template in it replaced; plain JSON data."""

    def holds(self, expression: str, context: Mapping[str, Any]) -> bool:
        """Whether the expression is true."""


@dataclass(frozen=True, slots=True)
class World:
    """`groups`: the components of each group, nested ones included. `depends_on`: by component, what it needs first.

    `executions` has those that steps wait for. `revisions`: of the cluster's variables.
    """

    components: Mapping[str, ComponentFacts] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    executions: Mapping[str, ExecutionFacts] = field(default_factory=dict)
    playbooks: Mapping[str, KnownPlaybook] = field(default_factory=dict)
