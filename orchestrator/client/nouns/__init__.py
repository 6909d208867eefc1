"""The calls by noun, as attributes of a client. A noun is imported when it is first asked for: all take long."""

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.client.endpoints import M
from orchestrator.client.nouns.watching import Watching

if TYPE_CHECKING:
    from orchestrator.client.nouns.access import Access, Tokens
    from orchestrator.client.nouns.alerts import AlertRules, Alerts, Silences
    from orchestrator.client.nouns.audit import Audit
    from orchestrator.client.nouns.cameras import Cameras
    from orchestrator.client.nouns.cluster import Cluster, HealthOfNode
    from orchestrator.client.nouns.components import Components
    from orchestrator.client.nouns.events import Events
    from orchestrator.client.nouns.executions import Executions
    from orchestrator.client.nouns.frames import Frames
    from orchestrator.client.nouns.groups import Groups, Plans
    from orchestrator.client.nouns.playbooks import Playbooks
    from orchestrator.client.nouns.processors import Processors
    from orchestrator.client.nouns.variables import Variables


class Nouns(Watching[M]):
    """What a client can be asked for."""

    @cached_property
    def cluster(self) -> "Cluster[M]":
        from orchestrator.client.nouns.cluster import Cluster

        return Cluster(self.acting)

    @cached_property
    def health(self) -> "HealthOfNode[M]":
        from orchestrator.client.nouns.cluster import HealthOfNode

        return HealthOfNode(self.acting)

    @cached_property
    def components(self) -> "Components[M]":
        from orchestrator.client.nouns.components import Components

        return Components(self.acting)

    @cached_property
    def groups(self) -> "Groups[M]":
        from orchestrator.client.nouns.groups import Groups

        return Groups(self.acting)

    @cached_property
    def plans(self) -> "Plans[M]":
        from orchestrator.client.nouns.groups import Plans

        return Plans(self.acting)

    @cached_property
    def playbooks(self) -> "Playbooks[M]":
        from orchestrator.client.nouns.playbooks import Playbooks

        return Playbooks(self.acting)

    @cached_property
    def executions(self) -> "Executions[M]":
        from orchestrator.client.nouns.executions import Executions

        return Executions(self.acting)

    @cached_property
    def events(self) -> "Events[M]":
        from orchestrator.client.nouns.events import Events

        return Events(self.acting)

    @cached_property
    def alerts(self) -> "Alerts[M]":
        from orchestrator.client.nouns.alerts import Alerts

        return Alerts(self.acting)

    @cached_property
    def silences(self) -> "Silences[M]":
        from orchestrator.client.nouns.alerts import Silences

        return Silences(self.acting)

    @cached_property
    def alert_rules(self) -> "AlertRules[M]":
        from orchestrator.client.nouns.alerts import AlertRules

        return AlertRules(self.acting)

    @cached_property
    def variables(self) -> "Variables[M]":
        from orchestrator.client.nouns.variables import Variables

        return Variables(self.acting)

    @cached_property
    def processors(self) -> "Processors[M]":
        from orchestrator.client.nouns.processors import Processors

        return Processors(self.acting)

    @cached_property
    def frames(self) -> "Frames[M]":
        from orchestrator.client.nouns.frames import Frames

        return Frames(self.acting)

    @cached_property
    def cameras(self) -> "Cameras[M]":
        from orchestrator.client.nouns.cameras import Cameras

        return Cameras(self.acting)

    @cached_property
    def tokens(self) -> "Tokens[M]":
        from orchestrator.client.nouns.access import Tokens

        return Tokens(self.acting)

    @cached_property
    def audit(self) -> "Audit[M]":
        from orchestrator.client.nouns.audit import Audit

        return Audit(self.acting)

    @cached_property
    def access(self) -> "Access[M]":
        from orchestrator.client.nouns.access import Access

        return Access(self.acting)
