"""What Prometheus sees of agreement: read from the cluster when it is asked, so that nothing has to be kept up to date.

Every name and its meaning stands in docs/metrics.md. Labels grow with the membership and with the kinds of refusals,
of which there are few; never with what a stranger sends.
"""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster import SYNC_BOUNDS_S, Cluster, Counters, Epoch, Status

REFUSED_KINDS = ("crowd", "handshake", "member", "protocol", "secret")
"""Shown from the start, with 0."""


class RaftFigures(Collector):
    """A collector over one `Cluster`. Before it starts, and after it has ended, it shows what was last known."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def collect(self) -> Iterator[Metric]:
        """Every figure as of now."""
        status, counters = self._cluster.status(), self._cluster.counters()
        yield from _position(status, self._cluster.epoch())
        yield from _peers(status)
        yield from _totals(status, counters)


def _position(status: Status, epoch: Epoch | None) -> Iterator[Metric]:
    yield _gauge("term", "Raft term of this node.", status.term)
    yield _gauge("epoch_term", "Term of the newest applied claim of leadership.", epoch.term if epoch else 0)
    yield _gauge("epoch_index", "Index of the newest applied claim of leadership.", epoch.index if epoch else 0)
    yield _gauge("commit_index", "Last log index known to be committed.", status.commit_index)
    yield _gauge("applied_index", "Last log index applied to the state here.", status.applied_index)
    yield _gauge("last_index", "Last log index held here; what is behind commit_index may be cut.", status.last_index)
    yield _gauge("log_entries", "Entries in the log here.", status.log_entries)
    yield _gauge("log_bytes", "Size of the log on disk here.", status.log_bytes)
    yield _gauge("is_leader", "1 while this node's own claim is in force.", status.epoch is not None)
    yield _gauge("has_quorum", "1 while a majority answers, or a leader is heard.", status.has_quorum)
    yield _gauge("listening", "1 while other nodes can connect to the Raft port.", status.listening)
    yield _gauge("is_member", "0 on a node that waits to be added, or was removed.", status.is_member)


def _peers(status: Status) -> Iterator[Metric]:
    connected = GaugeMetricFamily(
        "triarch_raft_peer_connected", "1 while the member is connected to this node.", labels=["peer"]
    )
    lag = GaugeMetricFamily(
        "triarch_raft_peer_lag_entries",
        "Entries of the leader's log that the member has not confirmed; on the leader only.",
        labels=["peer"],
    )
    for member in status.members:
        if member.id == status.node_id:
            continue
        connected.add_metric([member.id], member.connected)
        behind = lag_of(status, member.match_index)
        if behind is not None:
            lag.add_metric([member.id], behind)
    yield connected
    yield lag


def lag_of(status: Status, match_index: int | None) -> int | None:
    """Entries that a member lacks. None where this node does not lead: only the leader knows."""
    if status.role != "leader" or match_index is None:
        return None
    return max(0, status.last_index - match_index)


def _totals(status: Status, counters: Counters) -> Iterator[Metric]:
    yield _counter("syncs", "Times that the log was forced to disk.", status.syncs)
    yield _counter("sync_seconds", "Seconds spent in forcing the log to disk.", status.sync_seconds)
    yield _sync_times(status)
    yield _counter("snapshots", "Snapshots taken.", status.snapshots)
    yield _counter("elections", "Elections that this node stood for.", counters.elections)
    yield _counter("votes", "Votes that this node gave to others.", counters.votes)
    yield _counter("leaderships", "Claims of this node that were applied.", counters.leaderships)
    yield _counter("step_downs", "Times that this node stopped leading.", counters.step_downs)
    yield _counter("barrier_reads", "Linearizable reads answered here.", counters.barrier_reads)
    yield _counter("proposals", "Commands appended here as the leader.", counters.proposals)
    yield _gauge(
        "takeover_seconds",
        "Of the latest leadership here: from when the former leader was last heard to the claim applied.",
        counters.takeover_s,
    )
    refused = CounterMetricFamily(
        "triarch_raft_refused", "Connections to the Raft port that were turned away.", labels=["kind"]
    )
    for kind in sorted({*REFUSED_KINDS, *status.refused}):
        refused.add_metric([kind], status.refused.get(kind, 0))
    yield refused


def _sync_times(status: Status) -> Metric:
    counts = (*status.sync_counts, *[0] * (len(SYNC_BOUNDS_S) + 1 - len(status.sync_counts)))
    names = (*(str(bound) for bound in SYNC_BOUNDS_S), "+Inf")
    return HistogramMetricFamily(
        "triarch_raft_sync_duration_seconds",
        "One forcing of the log to disk, what waited for it written first.",
        buckets=list(zip(names, accumulate(counts), strict=True)),
        sum_value=status.sync_seconds,
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"triarch_raft_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"triarch_raft_{name}", text, value=value)
