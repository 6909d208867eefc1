"""Agreement between three nodes: a replicated state machine, leadership with a fencing epoch, reads and watches.

Raft is pysyncobj's, hardened: DESIGN.md says what that took and which guarantees hold.
"""

from cluster.commands import Applied, Change, Command, Epoch, Event, Outcome, Position
from cluster.errors import (
    AddressUnusable,
    ClusterError,
    CommandTooLarge,
    Compacted,
    DataDirExposed,
    DataDirForeign,
    DataDirInUse,
    DataDirUnreadable,
    DataDirUnwritable,
    DiskFailed,
    EntryUnreadable,
    KindUnsupported,
    LibraryMismatch,
    LogDiverged,
    MemberChangeRefused,
    NodeFailed,
    NodeStopped,
    NoLeader,
    NotLeader,
    OutcomeUnknown,
    PortInUse,
    QueueFull,
    ReadTimedOut,
    Refused,
    SnapshotUnreadable,
    StartFailed,
    StateMachineFailed,
    TooStale,
    TransferFailed,
)
from cluster.leadership import Gained, Lost
from cluster.machine import Levelled, StateMachine
from cluster.node import Cluster, Consistency
from cluster.recovery import Survivor, inspect, recover
from cluster.settings import ClusterSettings, Member
from cluster.status import MemberStatus, Status
from cluster.view import Counters
from cluster.wal import SYNC_BOUNDS_S

__all__ = [
    "SYNC_BOUNDS_S",
    "AddressUnusable",
    "Applied",
    "Change",
    "Cluster",
    "ClusterError",
    "ClusterSettings",
    "Command",
    "CommandTooLarge",
    "Compacted",
    "Consistency",
    "Counters",
    "DataDirExposed",
    "DataDirForeign",
    "DataDirInUse",
    "DataDirUnreadable",
    "DataDirUnwritable",
    "DiskFailed",
    "EntryUnreadable",
    "Epoch",
    "Event",
    "Gained",
    "KindUnsupported",
    "Levelled",
    "LibraryMismatch",
    "LogDiverged",
    "Lost",
    "Member",
    "MemberChangeRefused",
    "MemberStatus",
    "NoLeader",
    "NodeFailed",
    "NodeStopped",
    "NotLeader",
    "Outcome",
    "OutcomeUnknown",
    "PortInUse",
    "Position",
    "QueueFull",
    "ReadTimedOut",
    "Refused",
    "SnapshotUnreadable",
    "StartFailed",
    "StateMachine",
    "StateMachineFailed",
    "Status",
    "Survivor",
    "TooStale",
    "TransferFailed",
    "inspect",
    "recover",
]
