"""The calls by noun, as attributes of a client."""

from typing import cast

from orchestrator.client.endpoints import Acting, M
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
from orchestrator.client.nouns.watching import Watching


class Nouns(Watching[M]):
    """What a client can be asked for."""

    def _place_nouns(self) -> None:
        acting = cast(Acting, self)
        self.acting = acting
        self.cluster: Cluster[M] = Cluster(acting)
        self.health: HealthOfNode[M] = HealthOfNode(acting)
        self.components: Components[M] = Components(acting)
        self.groups: Groups[M] = Groups(acting)
        self.plans: Plans[M] = Plans(acting)
        self.playbooks: Playbooks[M] = Playbooks(acting)
        self.executions: Executions[M] = Executions(acting)
        self.events: Events[M] = Events(acting)
        self.alerts: Alerts[M] = Alerts(acting)
        self.silences: Silences[M] = Silences(acting)
        self.alert_rules: AlertRules[M] = AlertRules(acting)
        self.variables: Variables[M] = Variables(acting)
        self.processors: Processors[M] = Processors(acting)
        self.frames: Frames[M] = Frames(acting)
        self.cameras: Cameras[M] = Cameras(acting)
        self.tokens: Tokens[M] = Tokens(acting)
        self.audit: Audit[M] = Audit(acting)
        self.access: Access[M] = Access(acting)
