"""Everything `cluster` raises.

    ClusterError
    ├── Refused                     the command was certainly not applied
    │   ├── NotLeader               not_leader            another member leads
    │   ├── NoLeader                no_leader             nobody is known to lead
    │   ├── QueueFull               queue_full            too many proposals wait here
    │   ├── CommandTooLarge         command_too_large
    │   ├── KindUnsupported         kind_unsupported      a member does not know that kind of command yet
    │   ├── MemberChangeRefused     member_change_refused
    │   └── NodeStopped             node_stopped          this node is not running (any more)
    ├── OutcomeUnknown              outcome_unknown       it may have been applied: propose again with the same id
    ├── ReadTimedOut                read_timed_out
    ├── TooStale                    too_stale
    ├── Compacted                   compacted             the wanted changes are no longer held here
    ├── TransferFailed              transfer_failed
    ├── SnapshotUnreadable          snapshot_unreadable
    ├── StartFailed                 the node does not start
    │   ├── PortInUse               port_in_use
    │   ├── AddressUnusable         address_unusable
    │   ├── DataDirInUse            data_dir_in_use       another process holds it
    │   ├── DataDirForeign          data_dir_foreign      it belongs to another node or cluster
    │   ├── DataDirExposed          data_dir_exposed      other users may enter it
    │   ├── DataDirUnwritable       data_dir_unwritable
    │   ├── DataDirUnreadable       data_dir_unreadable   its contents are damaged or of a newer format
    │   └── LibraryMismatch         library_mismatch      pysyncobj is not the release this package was built on
    └── NodeFailed                  node_failed           the node stopped itself rather than diverge
        ├── DiskFailed              disk_failed           full, read-only or broken
        ├── StateMachineFailed      state_machine_failed
        ├── EntryUnreadable         entry_unreadable
        └── LogDiverged             log_diverged

`code` is stable: the API and the command line map from it.
"""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class ClusterError(Exception):
    """Root of the tree."""

    code: ClassVar[str] = "cluster_error"


class Refused(ClusterError):
    """The command was certainly not applied."""

    code = "refused"


class NotLeader(Refused):
    """Another member leads: ask it. `leader_id` is None while the new leader has not claimed yet."""

    code = "not_leader"

    def __init__(self, leader_id: str | None = None) -> None:
        super().__init__(f"this node does not lead; the leader is {leader_id or 'not known yet'}")
        self.leader_id = leader_id


class NoLeader(Refused):
    """Nobody is known to lead: an election is under way, or there is no majority."""

    code = "no_leader"

    def __init__(self, message: str = "no leader is known") -> None:
        super().__init__(message)


class QueueFull(Refused):
    """`queue_size` proposals wait already."""

    code = "queue_full"

    def __init__(self, queue_size: int) -> None:
        super().__init__(f"{queue_size} proposals wait already")
        self.queue_size = queue_size


class CommandTooLarge(Refused):
    """The encoded command has more than `limit` bytes."""

    code = "command_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the encoded command has {size} bytes, the limit (command_bytes_max) is {limit}")
        self.size = size
        self.limit = limit


class KindUnsupported(Refused):
    """`members` do not know this kind of command yet: upgrade them first."""

    code = "kind_unsupported"

    def __init__(self, kind: str, version: int, members: Sequence[str]) -> None:
        super().__init__(
            f"{kind} version {version} is not known to every member yet: upgrade {', '.join(members)} first "
            "(a member that has not been heard from counts as of the first release)"
        )
        self.members = tuple(members)


class MemberChangeRefused(Refused):
    """The membership stays as it is; the message says why."""

    code = "member_change_refused"


class NodeStopped(Refused):
    """The node was not started, or has been stopped."""

    code = "node_stopped"

    def __init__(self, message: str = "this node is not running") -> None:
        super().__init__(message)


class OutcomeUnknown(ClusterError):
    """The command may have been applied, or may still be. Proposing it again with the same id is safe."""

    code = "outcome_unknown"

    def __init__(self, command_id: str, reason: str) -> None:
        super().__init__(f"command {command_id} may have been applied ({reason}); propose it again with the same id")
        self.command_id = command_id
        self.reason = reason


class ReadTimedOut(ClusterError):
    """The read was not answered in time."""

    code = "read_timed_out"

    def __init__(self, timeout: float) -> None:
        super().__init__(f"the read was not answered within {timeout:g} s")


class TooStale(ClusterError):
    """This node's state may be older than asked for. Seconds; infinite when no leader was ever heard."""

    code = "too_stale"

    def __init__(self, staleness_s: float, max_stale: float) -> None:
        super().__init__(f"the state here may be {staleness_s:.3f} s old, the bound is {max_stale:g} s")
        self.staleness_s = staleness_s
        self.max_stale = max_stale


class Compacted(ClusterError):
    """Changes from the wanted index on are no longer held: read the state, then watch from `first_index`."""

    code = "compacted"

    def __init__(self, first_index: int) -> None:
        super().__init__(f"changes before index {first_index} are no longer held here; read the state and watch anew")
        self.first_index = first_index


class TransferFailed(ClusterError):
    """Leadership did not go to the wanted member, and will not by this transfer."""

    code = "transfer_failed"


class SnapshotUnreadable(ClusterError):
    """Not a snapshot, a damaged one, or one of a newer format."""

    code = "snapshot_unreadable"


class StartFailed(ClusterError):
    """The node does not start."""

    code = "start_failed"


class PortInUse(StartFailed):
    """Another process listens on the Raft address."""

    code = "port_in_use"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is in use by another process; stop it (is this node running already?) "
            "or give the node another Raft address"
        )
        self.address = address


class AddressUnusable(StartFailed):
    """The Raft address cannot be bound here."""

    code = "address_unusable"

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}; check the member's address or set bind")
        self.address = address


class DataDirError(StartFailed):
    """Something is wrong with the data directory; `path` names what."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class DataDirInUse(DataDirError):
    """Another process holds the lock."""

    code = "data_dir_in_use"


class DataDirForeign(DataDirError):
    """The directory belongs to another node or cluster."""

    code = "data_dir_foreign"


class DataDirExposed(DataDirError):
    """Other users of the host may read or change what it holds."""

    code = "data_dir_exposed"


class DataDirUnwritable(DataDirError):
    """The directory cannot be created or written."""

    code = "data_dir_unwritable"


class DataDirUnreadable(DataDirError):
    """The contents are damaged, contradict one another, or have a newer format."""

    code = "data_dir_unreadable"


class LibraryMismatch(StartFailed):
    """pysyncobj is not the release whose internals this package relies on."""

    code = "library_mismatch"


class NodeFailed(ClusterError):
    """The node stopped itself: going on could make its state differ from the others'."""

    code = "node_failed"


class DiskFailed(NodeFailed):
    """The disk did not do what was asked. What it holds is not known: the node stops, and tries nothing again."""

    code = "disk_failed"

    def __init__(self, path: Path, what: str, error: OSError) -> None:
        super().__init__(f"{path}: cannot {what}: {error.strerror or error}; {_REMEDY.get(error.errno or 0, _CHECK)}")
        self.path = path
        self.errno = error.errno


_CHECK = "check the disk and its permissions, then start the node again"
_REMEDY = {
    errno.ENOSPC: "the disk is full: free some space, then start the node again",
    errno.EDQUOT: "the quota is used up: raise it, then start the node again",
    errno.EROFS: "it is mounted read-only (after an error of the disk?): mend that, then start the node again",
    errno.EACCES: "give data_dir to the user that the node runs as",
}


class StateMachineFailed(NodeFailed):
    """`StateMachine.apply` raised. The command is applied nowhere further until this is mended."""

    code = "state_machine_failed"

    def __init__(self, command_id: str, kind: str, index: int, reason: str) -> None:
        super().__init__(f"the state machine failed on command {command_id} ({kind}) at index {index}: {reason}")
        self.command_id = command_id
        self.kind = kind
        self.index = index


class EntryUnreadable(NodeFailed):
    """A committed log entry is of a type or version that this release does not know."""

    code = "entry_unreadable"

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"the log entry at index {index} cannot be read: {reason}; is a newer release in the cluster?")
        self.index = index


class LogDiverged(NodeFailed):
    """A leader sent another entry for an index that is committed here."""

    code = "log_diverged"
