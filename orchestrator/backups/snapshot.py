"""What a file that `triarch cluster snapshot save` wrote holds. Pure."""

import msgspec

from cluster.membership import decode_membership
from cluster.snapshot_codec import decode_snapshot
from orchestrator.state import PlantState


class SnapshotFacts(msgspec.Struct, frozen=True):
    """`index` and `term`: of the latest command in it. `digest`: `PlantState.digest`.
    `level`: the least level of a release that reads it. `members`: who belonged to the cluster, by id.
    """

    index: int
    term: int
    level: int
    digest: str
    members: tuple[str, ...]
    components: int
    processors: int
    variables: int


def facts_of(data: bytes) -> SnapshotFacts:
    """Errors: `cluster.SnapshotUnreadable` (damaged), `orchestrator.errors.SnapshotUnreadable` (of a newer release)."""
    snapshot = decode_snapshot(data)
    state = PlantState()
    state.restore(snapshot.machine)
    membership = decode_membership(snapshot.membership)
    return SnapshotFacts(
        index=snapshot.index,
        term=snapshot.term,
        level=state.uses,
        digest=state.digest(),
        members=tuple(sorted(member.id for member in membership.members)),
        components=len(state.components.rows),
        processors=len(state.processors.rows),
        variables=len(state.variables.rows),
    )
