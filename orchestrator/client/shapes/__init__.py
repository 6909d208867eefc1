"""Shapes of what nodes answer. Generated from the API by `make docs`; not edited by hand."""

from orchestrator.client.shapes.alerts import (
    Alert,
    AlertAcknowledgement,
    AlertMember,
    AlertRule,
    ConditionSpec,
    SilenceShown,
)
from orchestrator.client.shapes.cluster import ClusterStatus, Member, Restored, Transferred
from orchestrator.client.shapes.components import (
    Acknowledgement,
    CommandAnswer,
    Component,
    ComponentMetrics,
    HeartbeatsTaken,
    Listener,
    MetricForecast,
    MetricHistory,
    MetricPoint,
    MetricTrend,
    RefusedHeartbeat,
)
from orchestrator.client.shapes.events import EventLine, EventPage
from orchestrator.client.shapes.executions import Controlled, Execution, ExecutionPage, ExecutionSummary
from orchestrator.client.shapes.frames import DeadFrame, DeadPage, FrameServer, Handled
from orchestrator.client.shapes.groups import Group, GroupState, GroupWithMembers
from orchestrator.client.shapes.health import Alive, Counted, Health, Leads, MembersHealth, Ready, RedisHealth
from orchestrator.client.shapes.plans import Plan, PlannedSkip, PlannedStep, SupervisionDecision
from orchestrator.client.shapes.playbooks import Planned, PlaybookStored, PlaybookSummary, PlaybookText, Started
from orchestrator.client.shapes.policies import Dependents, Policy, PolicyModel, RestartModel, SupervisedRun
from orchestrator.client.shapes.processors import Observed, Processor, Registered
from orchestrator.client.shapes.several import Maintenance, Neighbour, Revision
from orchestrator.client.shapes.variables import Variable

__all__ = [
    "Acknowledgement",
    "Alert",
    "AlertAcknowledgement",
    "AlertMember",
    "AlertRule",
    "Alive",
    "ClusterStatus",
    "CommandAnswer",
    "Component",
    "ComponentMetrics",
    "ConditionSpec",
    "Controlled",
    "Counted",
    "DeadFrame",
    "DeadPage",
    "Dependents",
    "EventLine",
    "EventPage",
    "Execution",
    "ExecutionPage",
    "ExecutionSummary",
    "FrameServer",
    "Group",
    "GroupState",
    "GroupWithMembers",
    "Handled",
    "Health",
    "HeartbeatsTaken",
    "Leads",
    "Listener",
    "Maintenance",
    "Member",
    "MembersHealth",
    "MetricForecast",
    "MetricHistory",
    "MetricPoint",
    "MetricTrend",
    "Neighbour",
    "Observed",
    "Plan",
    "Planned",
    "PlannedSkip",
    "PlannedStep",
    "PlaybookStored",
    "PlaybookSummary",
    "PlaybookText",
    "Policy",
    "PolicyModel",
    "Processor",
    "Ready",
    "RedisHealth",
    "RefusedHeartbeat",
    "Registered",
    "RestartModel",
    "Restored",
    "Revision",
    "SilenceShown",
    "Started",
    "SupervisedRun",
    "SupervisionDecision",
    "Transferred",
    "Variable",
]
