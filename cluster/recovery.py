"""A cluster that has lost its majority for good: one survivor goes on alone, and the others are added anew.

This gives up what Raft promises. What was acknowledged and has not reached the survivor is lost, so the survivor with
the newest log is to be taken: `inspect` says how far each one's goes.
"""

import msgspec

from cluster.applying import MEMBERS
from cluster.datadir import DataDir
from cluster.errors import DataDirUnreadable
from cluster.identity import identify
from cluster.log import RaftLog
from cluster.membership import MemberRecord, Membership, decode_membership, encode_membership, initial
from cluster.peers import Peers
from cluster.settings import ClusterSettings
from cluster.snapshots import SnapshotStore

TERMS = 1_000
"""The survivor's term grows by so much: members that were lost may have led in terms that it never heard of, and what
receives its epochs (Redis, components) refuses those that are not newer than theirs."""


class Survivor(msgspec.Struct, frozen=True):
    """What a stopped node has on its disk. `last_index`, `last_term`: where its log ends."""

    node: str
    cluster: str
    term: int
    last_index: int
    last_term: int
    snapshot_index: int | None
    membership: Membership


def inspect(settings: ClusterSettings) -> Survivor:
    """Look, and change nothing. StartFailed (the node runs, the directory is another's or damaged), DiskFailed."""
    return _opened(settings, recover=False)


def recover(settings: ClusterSettings) -> Survivor:
    """Make this node the only member; start it, then add others under new ids. Returns what it was before.

    The former members must never be started with their data again: two of them would elect a leader of their own. Here
    they are refused, as removed.
    """
    return _opened(settings, recover=True)


def _opened(settings: ClusterSettings, *, recover: bool) -> Survivor:
    if not (settings.data_dir / "node.json").exists():
        raise DataDirUnreadable(settings.data_dir, "there is no node's data; is it the data_dir of this node?")
    data = DataDir.open(settings.data_dir)
    try:
        identity = identify(data.disk, cluster=settings.cluster_name, node=settings.node_id, entropy=bytes)
        log = RaftLog(data.disk, command_bytes_max=settings.command_bytes_max, tail=0)
        try:
            survivor = _inspected(settings, data, log)
            if recover:
                _reduce(settings, survivor, identity.incarnation, data, log)
            return survivor
        finally:
            log.wal.close()
    finally:
        data.close()


def _inspected(settings: ClusterSettings, data: DataDir, log: RaftLog) -> Survivor:
    snapshot = SnapshotStore(data.disk, bytes).read()
    if snapshot is not None:
        membership = decode_membership(snapshot.membership)
    else:
        membership = initial((member.id, member.address, member.api) for member in settings.members)
    for entry, index, _ in log.wal[:]:
        if entry[:1] == MEMBERS and (snapshot is None or index > snapshot.index):
            membership = decode_membership(entry[1:])
    _, last_index, last_term = log.wal[-1]
    return Survivor(
        node=settings.node_id,
        cluster=settings.cluster_name,
        term=log.getCurrentTerm(),
        last_index=last_index,
        last_term=last_term,
        snapshot_index=None if snapshot is None else snapshot.index,
        membership=membership,
    )


def _reduce(settings: ClusterSettings, survivor: Survivor, incarnation: str, data: DataDir, log: RaftLog) -> None:
    own = survivor.membership.get(settings.node_id)
    api = own.api if own is not None else next(m.api for m in settings.members if m.id == settings.node_id)
    others = tuple(member.id for member in survivor.membership.members if member.id != settings.node_id)
    alone = Membership(
        (MemberRecord(settings.node_id, settings.address, api, incarnation=incarnation),),
        # A survivor that had been removed goes on under its id: members to come must not refuse it.
        (*(id for id in survivor.membership.removed if id != settings.node_id), *others),
    )
    term = max(survivor.term, survivor.last_term) + TERMS
    log.setCurrentTerm(term, settings.node_id)
    log.add(MEMBERS + encode_membership(alone), survivor.last_index + 1, term)
    log.wal.sync()
    peers = Peers(data.disk)
    for other in others:
        peers.forget(other)
