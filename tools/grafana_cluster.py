"""The dashboard of who leads, how the nodes agree, their hosts."""

from tools.grafana_panels import GOOD_WHEN_ONE, Board, Row, lines, stat

__all__ = ["CLUSTER"]

CLUSTER = Board(
    "cluster",
    "Triarch: cluster",
    "Who leads, how the nodes agree, and how their hosts are.",
    (
        Row(
            "Now",
            (
                stat("Leaders", "One, but for moments.", "sum(triarch_raft_is_leader{of})", steps=GOOD_WHEN_ONE),
                stat(
                    "Nodes that answer",
                    "Prometheus, of those it knows.",
                    'sum(up{job="triarch", of})',
                    steps=((None, "red"), (2.0, "orange"), (3.0, "green")),
                ),
                stat(
                    "Furthest behind",
                    "Entries of the log that a member has not confirmed.",
                    "max(triarch_raft_peer_lag_entries{of})",
                    steps=((None, "green"), (100.0, "orange"), (10000.0, "red")),
                ),
                stat(
                    "Latest takeover",
                    "From when the former leader was last heard to the claim.",
                    "max(triarch_raft_takeover_seconds{of} and on (instance) triarch_raft_is_leader{of} == 1)",
                    unit="s",
                    steps=((None, "green"), (2.0, "orange"), (15.0, "red")),
                ),
                stat(
                    "Free disk, least",
                    "Of the file systems of the nodes' data.",
                    "min(triarch_disk_free_bytes{of} / triarch_disk_size_bytes{of})",
                    unit="percentunit",
                    steps=((None, "red"), (0.03, "orange"), (0.15, "green")),
                ),
                stat(
                    "Certificates",
                    "Until the first one expires.",
                    "min(triarch_api_certificate_expiry_seconds{of})",
                    unit="s",
                    steps=((None, "red"), (86400.0, "orange"), (1209600.0, "green")),
                ),
            ),
        ),
        Row(
            "Leadership",
            (
                lines(
                    "Who leads",
                    "1 at the node that does.",
                    ("triarch_raft_is_leader{of}", "{{instance}}"),
                    stacked=True,
                ),
                lines(
                    "Terms and elections",
                    "An election that nobody needs is a sign of slow hosts or of a poor network.",
                    ("max(triarch_raft_term{of})", "term"),
                    ("sum(increase(triarch_raft_elections_total{of}[5m]))", "elections in 5 min"),
                ),
                lines(
                    "Connections",
                    "Members that each node is connected to.",
                    ("sum by (instance) (triarch_raft_peer_connected{of})", "{{instance}}"),
                ),
            ),
        ),
        Row(
            "Agreement",
            (
                lines(
                    "Commands",
                    "Appended by the leader, each second.",
                    ("sum(rate(triarch_raft_proposals_total{of}[1m]))", "commands"),
                    ("sum(rate(triarch_raft_barrier_reads_total{of}[1m]))", "linearizable reads"),
                    unit="ops",
                ),
                lines(
                    "Behind the leader",
                    "Entries that a member has not confirmed.",
                    ("max by (peer) (triarch_raft_peer_lag_entries{of})", "{{peer}}"),
                ),
                lines(
                    "Not applied yet",
                    "Committed entries that a node has still to apply.",
                    ("triarch_raft_commit_index{of} - triarch_raft_applied_index{of}", "{{instance}}"),
                ),
                lines(
                    "Syncs of the log",
                    "99 of 100 take no longer. Each change waits for two nodes' disks.",
                    (
                        (
                            "histogram_quantile(0.99, sum by (instance, le) "
                            "(rate(triarch_raft_sync_duration_seconds_bucket{of}[5m])))"
                        ),
                        "{{instance}}",
                    ),
                    unit="s",
                ),
                lines(
                    "Log",
                    "On disk; bounded by compaction.",
                    ("triarch_raft_log_bytes{of}", "{{instance}}"),
                    unit="bytes",
                ),
                lines(
                    "Turned away at the Raft port",
                    "In five minutes, by kind.",
                    ("sum by (instance, kind) (increase(triarch_raft_refused_total{of}[5m]))", "{{instance}} {{kind}}"),
                ),
            ),
        ),
        Row(
            "Hosts",
            (
                lines(
                    "Free disk",
                    "Share of the file system of the node's data.",
                    ("triarch_disk_free_bytes{of} / triarch_disk_size_bytes{of}", "{{instance}}"),
                    unit="percentunit",
                ),
                lines(
                    "Clocks",
                    "The peer's minus this one's, by round trips.",
                    ("triarch_clock_offset_seconds{of}", "{{instance}} sees {{peer}}"),
                    unit="s",
                    least=None,
                ),
                lines(
                    "Delay of the loop",
                    "The longest within half a minute.",
                    ("triarch_event_loop_delay_seconds{of}", "{{instance}}"),
                    unit="s",
                ),
                lines(
                    "Processor",
                    "Of one core.",
                    ('rate(process_cpu_seconds_total{job="triarch", of}[1m])', "{{instance}}"),
                    unit="percentunit",
                ),
                lines(
                    "Memory",
                    "Resident.",
                    ('process_resident_memory_bytes{job="triarch", of}', "{{instance}}"),
                    unit="bytes",
                ),
                lines(
                    "Open files",
                    "Share of what the process may open.",
                    ('process_open_fds{job="triarch", of} / process_max_fds{job="triarch", of}', "{{instance}}"),
                    unit="percentunit",
                ),
            ),
        ),
    ),
)
