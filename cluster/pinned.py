"""pysyncobj is pinned: `cluster.raft` overrides and reads private names of one exact release.

Checked before a node starts, so that another release is refused by name instead of losing data quietly.
"""

from collections.abc import Iterable
from types import ModuleType

from cluster.errors import LibraryMismatch

RELEASE = "0.3.17"

METHODS = (
    "_checkCommandsToApply",
    "_doDestroy",
    "_onTick",
    "_SyncObj__applyLogEntries",
    "_SyncObj__onBecomeLeader",
    "_SyncObj__onMessageReceived",
    "_SyncObj__onNodeDisconnected",
    "_SyncObj__sendAppendEntries",
    "_SyncObj__setCurrentTerm",
    "_SyncObj__setState",
    "_SyncObj__tryLogCompaction",
    "doTick",
)
"""of SyncObj: overridden or called"""

ATTRIBUTES = (
    "_poller",
    "_SyncObj__connectedNodes",
    "_SyncObj__lastResponseTime",
    "_SyncObj__needLoadDumpFile",
    "_SyncObj__newAppendEntriesTime",
    "_SyncObj__otherNodes",
    "_SyncObj__raftCommitIndex",
    "_SyncObj__raftCurrentTerm",
    "_SyncObj__raftElectionDeadline",
    "_SyncObj__raftLastApplied",
    "_SyncObj__raftLeader",
    "_SyncObj__raftLog",
    "_SyncObj__raftMatchIndex",
    "_SyncObj__raftNextIndex",
    "_SyncObj__raftState",
    "_SyncObj__readonlyNodes",
    "_SyncObj__serializer",
    "_SyncObj__votedForNodeId",
)
"""of SyncObj's instances: read or set; each is set in its __init__"""

NAMES = ("monotonicTime",)
"""of the module: replaced"""


def check(release: str, syncobj: type, module: ModuleType) -> None:
    """LibraryMismatch unless this is the release, with every name relied upon."""
    if release != RELEASE:
        raise LibraryMismatch(
            f"pysyncobj {release} is installed, exactly {RELEASE} is required: pip install pysyncobj=={RELEASE}"
        )
    missing = [
        *_missing(METHODS, vars(syncobj)),
        *_missing(ATTRIBUTES, vars(syncobj)["__init__"].__code__.co_names),
        *_missing(NAMES, vars(module)),
    ]
    if missing:
        raise LibraryMismatch(f"pysyncobj {release} has been changed: it lacks {', '.join(missing)}; reinstall it")


def _missing(wanted: Iterable[str], present: Iterable[str]) -> list[str]:
    names = set(present)
    return [name for name in wanted if name not in names]
